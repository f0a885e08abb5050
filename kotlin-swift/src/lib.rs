//! iotkm for Kotlin and Swift: the core's words, behind uniffi.
//!
//! - [`surroundings`]: what an application lends: [`KeyVault`], [`BlobStore`], [`RandomSource`], [`Cx`]; [`Device`].
//! - [`peer`], [`history`]: a paired peer, and the association with it.
//! - [`values`]: [`Output`], [`Event`] and the other words. [`error`]: [`IotkmError`]. [`secret`]: [`SecretBytes`].
//! - `driver`: what the objects share. `lock`: one caller at a time, `Busy` instead of a deadlock.
//!
//! Nothing happens here that the core does not do: each method locks its object, lends the core its surroundings, and
//! copies what comes out.

mod driver;
mod error;
mod history;
mod lock;
mod peer;
mod secret;
mod surroundings;
mod values;

pub use error::{CallbackError, IotkmError};
pub use history::History;
pub use peer::{Peer, PeerInfo, Sealed};
pub use secret::SecretBytes;
pub use surroundings::{BlobStore, Cx, Device, KeyVault, RandomSource, Stored};
pub use values::{Assurance, Authenticated, Config, Event, Output, Reason, Received, Sent, Stage, Suite};

uniffi::setup_scaffolding!("iotkm");
