//! Noninteractive: self-certified keys, and session keys that both sides compute epoch by epoch without a message
//! (paper 000, section 3).
//!
//! ```text
//!  operator     r_A, x_A = x_Z h(A, r_A) + k_A            y_A = y_Z^h(A, r_A) r_A: anybody
//!
//!  A                        handshake (phase1): credentials -> V_1, N_A, N_S               S
//!  M1   R, credential or reference                                       -->
//!                                      credential or reference, g^NS         <--   M2
//!  M3   F, T, l, g^NA                                                    -->
//!                                                               tag          <--   M4
//!
//!  every T, both, without a message:      V_t    K_A,t = K_A,t-1 V_t    r_S,t = r_S,t-1^V_t
//!                                         K_t = KDF(y_S,t^x_A,t)
//!  who lags:                              LAG   t, tag
//! ```
//!
//! - [`Credential`], [`Operator`]: a name and r, from which anybody computes the public key. [`issue`]: how both sides make one;
//!   [`renewal`]: the next one, over an association.
//! - [`Holder`]: what a device holds. [`Peer`]: what it knows of another. [`Noninteractive`]: the association.
//! - [`progress`]: from epoch to epoch. [`keys`]: the key schedule. [`Setting`]: which group goes with which suite.

pub mod credential;
mod epochs;
pub mod exchange;
pub mod handshake;
pub mod holder;
pub mod issue;
pub mod keys;
pub mod peer;
pub mod progress;
#[cfg(feature = "published")]
pub mod published;
pub mod renewal;
pub mod setting;
pub mod wire;

pub use credential::{Credential, Operator};
pub use exchange::{Exchange, Noninteractive, NoninteractiveMemory, Options};
pub use holder::{Holder, HolderIn};
pub use peer::Peer;
pub use setting::Setting;

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests;
