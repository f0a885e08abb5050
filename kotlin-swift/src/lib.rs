//! iotkm for Kotlin and Swift: the core's words, behind uniffi.
//!
//! - [`KeyVault`], [`BlobStore`], [`RandomSource`], [`Cx`]: what an application lends; [`Device`]: what comes of it.
//! - [`Pairing`], [`Peer`], [`History`]: two devices meet; what each knows of the other; the association.
//!   [`Hub`]: many of them on one socket.
//! - [`Ticket`], [`RevocationList`], [`Wallet`]: whom an agent vouches for. [`StaticKey`]: a device's key in memory.
//! - [`Output`], [`Event`] and the other words; [`IotkmError`]; [`SecretBytes`].
//! - `driver`: what the objects share. `lock`: one caller at a time, `Busy` instead of a deadlock.
//!
//! Nothing happens here that the core does not do: each method locks its object, lends the core its surroundings, and
//! copies what comes out.

mod driver;
mod error;
mod history;
mod hub;
mod lock;
mod pairing;
mod peer;
mod secret;
mod static_key;
mod surroundings;
mod tickets;
mod values;
mod wallet;

pub use error::{CallbackError, IotkmError};
pub use history::History;
pub use hub::{Hub, HubOutput, HubReceived};
pub use pairing::{Pace, Pairing, Setup};
pub use peer::{Peer, PeerInfo, Sealed};
pub use secret::SecretBytes;
pub use static_key::{Curve, StaticKey};
pub use surroundings::{BlobStore, Cx, Device, KeyVault, RandomSource, Stored};
pub use tickets::{Agent, Algorithm, Claims, RevocationList, Revoked, Ticket, agent_of, ticket_request};
pub use values::{Assurance, Authenticated, Config, Event, Output, Reason, Received, Sent, Stage, Suite};
pub use wallet::Wallet;

uniffi::setup_scaffolding!("iotkm");
