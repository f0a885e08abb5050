//! iotkm for Kotlin and Swift: the core's words, behind uniffi.
//!
//! - [`KeyVault`], [`BlobStore`], [`RandomSource`], [`Cx`]: what an application lends; [`Device`]: what comes of it.
//! - [`Pairing`], [`Peer`], [`History`]: two devices meet; what each knows of the other; the association.
//! - [`Ticket`], [`RevocationList`], [`Wallet`]: whom an agent vouches for. [`StaticKey`]: a device's key in memory.
//!   [`TicketPeer`], [`Interactive`]: what a device with tickets knows of another; the association.
//! - [`SigningKey`], [`Signer`], [`TicketAgent`], [`Operator`], [`TicketMessage`]: who signs and numbers tickets, who has them
//!   renewed, what they say to each other and to devices.
//! - [`Credential`], [`CredentialOperator`], [`OperatorKey`], [`CredentialRequest`], [`Holder`]: who issues credentials, and
//!   what a device holds. [`CredentialPeer`], [`Noninteractive`]: what it knows of another; the association.
//! - [`Chip`], [`Microcert`]: a device with a key seed, its association with an authentication centre. [`AuthCenter`] over
//!   [`SoftKeys`] and a [`SeedStore`]: the centre; [`Served`]: its side of a session.
//! - [`Hub`]: many associations on one socket.
//! - [`Output`], [`Event`] and the other words; [`IotkmError`]; [`SecretBytes`].
//! - `driver`, `association`, `member`: what the objects share. `lock`: one caller at a time, `Busy` instead of a deadlock.
//!
//! Nothing happens here that the core does not do: each method locks its object, lends the core its surroundings, and
//! copies what comes out.

mod agent;
mod association;
mod centre;
mod credentials;
mod driver;
mod error;
mod history;
mod holder;
mod hub;
mod interactive;
mod lock;
mod member;
mod microcert;
mod noninteractive;
mod pairing;
mod peer;
mod secret;
mod seed_store;
mod signing;
mod static_key;
mod surroundings;
mod ticket_message;
mod tickets;
mod values;
mod wallet;

pub use agent::{Operator, Renewal, TicketAgent};
pub use centre::{
    Accepted, AuthCenter, CentreEvent, CentreSetup, DeviceInfo, Enrolled, Handled, Served, Signed, Standing,
};
pub use credentials::{
    Credential, CredentialClaims, CredentialOperator, CredentialRequest, Issued, OperatorKey, credential_key,
    requested_device,
};
pub use error::{CallbackError, IotkmError};
pub use history::History;
pub use holder::{Holder, Told};
pub use hub::{Association, Hub, HubOutput, HubReceived};
pub use interactive::{Interactive, Pending, TicketPeer, TicketPeerInfo, TicketSetup};
pub use microcert::{Chip, ChipInfo, Microcert, SealedPart};
pub use noninteractive::{CredentialPeer, CredentialPeerInfo, CredentialSetup, Noninteractive};
pub use pairing::{Pace, Pairing, Setup};
pub use peer::{Peer, PeerInfo, Sealed};
pub use secret::SecretBytes;
pub use seed_store::{SeedRow, SeedStore, SoftKeys};
pub use signing::{Agent, Algorithm, Signer, SigningKey};
pub use static_key::{Curve, StaticKey};
pub use surroundings::{BlobStore, Cx, Device, KeyVault, RandomSource, Stored};
pub use ticket_message::{TicketMessage, TicketRequest, read_ticket_message, ticket_request, write_ticket_message};
pub use tickets::{Claims, RevocationList, Revoked, Ticket};
pub use values::{Assurance, Authenticated, Config, Event, Output, Reason, Received, Sent, Stage, Suite};
pub use wallet::Wallet;

uniffi::setup_scaffolding!("iotkm");
