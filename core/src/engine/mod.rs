//! The machinery that all schemes share, each piece once.
//!
//! | module | what |
//! |---|---|
//! | [`endpoint`] | drives a [`Scheme`]: takes datagrams and time, gives datagrams, writes and events |
//! | [`scheme`] | what a scheme tells the engine, and what the engine lends a scheme |
//! | [`outbox`] | what waits to be handed out: notes, writes, the engine's own records |
//! | [`memory`] | the scratch memory of runs, lent by the caller |
//! | [`wire`] | first bytes of every datagram; views to read and write |
//! | [`transcript`] | the hash that a run's messages move on |
//! | [`flight`] | a message under way: sent again, backed off, given up |
//! | [`fragment`] | messages longer than the MTU |
//! | [`cookie`] | proof of an address without memory |
//! | [`once`] | sealing under a key that is used once |
//! | [`session`] | records, their keys and generations |
//! | `direction` | one direction's key, nonces, and texts under them |
//! | [`window`] | which sequence numbers were seen |
//! | [`rekey`] | key replacement: the one rule by which two sides change a long-term key |
//! | [`resume`] | from stored state to new keys in three messages |
//! | [`state`] | sealed blobs; counters written ahead |
//! | [`timers`] | the earliest of many deadlines |
//! | [`drops`] | what was dropped and why |

pub mod cookie;
mod direction;
pub mod drops;
pub mod endpoint;
pub mod flight;
pub mod fragment;
pub mod memory;
pub mod once;
pub mod outbox;
mod parting;
#[cfg(feature = "published")]
pub mod published;
pub mod rekey;
pub mod resume;
mod resuming;
pub mod scheme;
pub mod session;
pub mod state;
pub mod timers;
pub mod transcript;
mod verbs;
pub mod window;
pub mod wire;

pub use endpoint::{Config, Endpoint};
pub use memory::{Memory, Scratch};
pub use resuming::BLOB_MAX;
pub use scheme::{Io, Scheme};
pub use session::{ConnectionId, Session};
