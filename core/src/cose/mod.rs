//! Tickets: CBOR, COSE and CWT as far as they need it, and the parts of those who make, carry and check them.
//!
//! ```text
//!   ticket agent                operator                     device
//!        |<-- Request -------------| a ticket ends soon         |
//!        |--- Ticket ------------->|                            |
//!        |                         |--- Ticket ---------------->| verified, stored
//!        |                         |<-- Acknowledged -----------|
//!        |--- RevocationList ----->|--- RevocationList -------->|
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`cbor`] | deterministic CBOR, read and written |
//! | [`sign1`] | COSE_Sign1; why an object is refused |
//! | [`ticket`], [`revocation`] | the two signed objects |
//! | [`message`] | what the three parties say to each other |
//! | [`agent`], [`operator`], [`wallet`] | the ticket agent, the operator, the device |
#![doc = include_str!("spec.md")]

pub mod agent;
pub mod cbor;
pub mod message;
pub mod operator;
pub mod revocation;
pub mod sign1;
pub mod ticket;
pub mod wallet;

pub use agent::TicketAgent;
pub use message::Message;
pub use operator::Operator;
pub use revocation::RevocationList;
pub use sign1::{IssueError, Refused};
pub use ticket::{Agent, Claims, DeviceKey, KeyGroup, Reference, Ticket};
pub use wallet::{Wallet, WalletIn};
