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
//! - [`Interactive`]: the association. [`Interactive::open`], [`Interactive::connect`], [`Interactive::ping`],
//!   [`Interactive::authenticate`], [`Interactive::recheck`], and the common verbs.
//! - [`Peer`]: the PMK and its successor, stored in a slot. [`Wallet`](crate::cose::Wallet): this device's tickets, lent to
//!   all its associations. [`Setup`]: suites and keys. [`Extent`]: how much of it an association has.
//! - [`keys`]: the key schedule of phase 2. [`wire`]: its messages. [`phase1`](crate::phase1): phase 1.
//!
//! The bytes are in [`spec`].

mod aside;
mod credential;
mod exchange;
pub mod extent;
mod initiator;
pub mod keys;
pub mod peer;
#[cfg(feature = "published")]
pub mod published;
mod responder;
pub mod wire;

pub use crate::phase1::{Lend, Setup, Subject};
pub use exchange::{Exchange, Interactive, InteractiveMemory};
pub use extent::{Any, Extent, Leaf, Whole};
pub use peer::{Master, Peer};

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
mod tests;
