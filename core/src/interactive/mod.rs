//! Interactive: two devices with tickets of one agent agree on a pairwise master key, and renew it with every session key
//! (paper 000, section 2).
//!
//! ```text
//!  A                        phase 1: tickets -> PMK                                S
//!  M1   ticket or reference, R, suites                                -->
//!                                   ticket or reference, g^NS, N_S0..2     <--   M2
//!  M3   g^NA, N_A0..2: PMK = KDF(N_A1, N_S1, g^(NA NS))               -->
//!                                                                tag       <--   M4
//!
//!                        phase 2: PMK -> session keys and PMK'
//!  K1   g^NA, V_PMK{g^NA}                                             -->
//!                                                    g^NS, V_PMK{g^NS}     <--   K2
//!  K3   V{..} [data]          K_M, PMK' from PMK, N_0s, g^(NA NS)     -->
//!                                                         V{..} [data]     <--   K4
//! ```
//!
//! The numbers that the paper encrypts to the other side are exports of [`hpke`](crate::crypto::hpke), and g^N is its
//! ephemeral key: they take no bytes on the air.
//!
//! - [`keys`]: the key schedule. [`wire`]: the messages. [`Peer`]: what is stored, and what becomes of PMKs.
//!   [`credential`]: whether the other side's ticket will do.
//!
//! The bytes are in [`spec`].

pub mod credential;
pub mod keys;
pub mod peer;
#[cfg(feature = "published")]
pub mod published;
pub mod wire;

pub use crate::phase1::Subject;
pub use peer::{Master, Peer};

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
mod tests;
