//! Microcert: devices with a key seed, and an authentication centre that has all of them (paper 003).
//!
//! ```text
//!   device (CPU smart chip)                                   centre (encryption card, key database)
//!   key seed 61 x 16 --CSK: time, random, counter--> K_auth   key seed, sealed under K_store
//!     AUTH       id, time, random, counter, critical part  -->  fresh? only then is a seed unwrapped
//!                the session's keys, if one is wanted      <--  ANSWER     critical part: time, orders
//!
//!   a clock that is wrong or not there, a counter that is behind:
//!     AUTH                                                 -->
//!                                                          <--  CHALLENGE  the centre's opening
//!     PROOF      a micro-certificate on it                 -->
//!                                                          <--  ANSWER
//! ```
//!
//! - [`Chip`]: what a device has: seed, counters, floor time. [`Microcert`]: its association. [`Microcert::authenticate`],
//!   [`Microcert::connect`], [`Microcert::sign`], and the common verbs. [`Extent`]: how much of it an association has.
//! - [`AuthCenter`]: the centre, over a [`SeedStore`] and a [`KeyStore`]; [`Served`]: its side of a session.
//! - [`KeyStore`]: the centre's own keys; [`SoftKeys`] has them in memory.
//! - [`Seed`]: the matrix. [`csk`]: which of its rows make a key. [`keys`]: the key schedule. [`wire`]: the messages.
//!
//! The bytes are in [`spec`].

pub mod centre;
pub mod chip;
pub mod csk;
pub mod device;
mod enrolment;
mod extent;
pub mod keys;
pub mod keystore;
#[cfg(feature = "published")]
pub mod published;
pub mod seed;
pub mod wire;

pub use crate::history::Id;
pub use centre::{AuthCenter, CentreConfig, CentreEvent, Row, SeedStore, Served, Stores};
pub use chip::{Chip, Slots};
pub use csk::Date;
pub use device::{Exchange, Microcert, MicrocertMemory, Signer};
pub use extent::{Extent, Leaf, Whole};
pub use keystore::{KeyStore, KeyStoreError, SoftKeys};
pub use seed::Seed;

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests"
)]
mod tests;
