//! Noninteractive: self-certified keys, and session keys that both sides compute epoch by epoch without a message
//! (paper 000, section 3).
//!
//! - [`Credential`], [`Operator`]: a name and r, from which anybody computes the public key. [`issue`]: how both sides make one.
//! - [`Holder`]: what a device holds. [`Peer`]: what it knows of another. [`Noninteractive`]: the association.
//! - [`progress`]: from epoch to epoch. [`keys`]: the key schedule. [`Setting`]: which group goes with which suite.

pub mod credential;
mod epochs;
pub mod exchange;
pub mod holder;
pub mod issue;
pub mod keys;
pub mod peer;
pub mod progress;
#[cfg(feature = "published")]
pub mod published;
pub mod setting;
pub mod wire;

pub use credential::{Credential, Operator};
pub use exchange::{Exchange, Noninteractive, NoninteractiveMemory, Options};
pub use holder::Holder;
pub use peer::Peer;
pub use setting::Setting;

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
