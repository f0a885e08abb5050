//! Noninteractive: self-certified keys, and session keys that both sides compute epoch by epoch without a message
//! (paper 000, section 3).
//!
//! - [`Credential`], [`Operator`]: a name and r, from which anybody computes the public key. [`issue`]: how both sides make one.
//! - [`progress`]: from epoch to epoch. [`keys`]: the key schedule. [`Setting`]: which group goes with which suite.

pub mod credential;
pub mod issue;
pub mod keys;
pub mod progress;
#[cfg(feature = "published")]
pub mod published;
pub mod setting;

pub use credential::{Credential, Operator};
pub use setting::Setting;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
