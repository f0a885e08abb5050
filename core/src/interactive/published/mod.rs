//! The interactive scheme as paper 000 prints it: for reproducing the paper and for showing what breaks. **Not for use.**
//!
//! ```text
//!  A           phase 1 (section 3.B): tickets -> PMK                               S
//!  M1   T_A, R, [V_PMK{R}]                                              -->
//!                          E_A( T_S, N_S0, N_S1, N_S2, g^NS )           <--   M2
//!  M3   E_S( g^NA, l, T, F, N_A0, N_A1, N_A2 )                          -->
//!                                              V_PMK{N_A2, N_S2}        <--   M4
//!
//!              phase 2 (section 2): K_M = H(K_DH xor N_S0 xor N_A0)
//!  K1   g^NA, V_PMK{g^NA}                                               -->
//!                                              g^NS, V_PMK{g^NS}        <--   K2
//!  K3   msg1, V_KM{AA, msg1}                                            -->
//!                                              msg2, V_KM{msg2}         <--   K4
//! ```
//!
//! The flow and the names are those of [`interactive`](super). How it breaks is in `tests/attacks`; what the paper leaves
//! open, and how it is read here, in [`spec`].

mod channel;
mod exchange;
pub mod keys;
mod peer;
pub(crate) mod phase1;
mod phase2;
pub mod wire;

pub(crate) use exchange::ask;
pub use exchange::{PublishedExchange, PublishedInteractive};
pub use peer::PublishedPeer;
pub use phase1::{PublishedDevice, PublishedTerms};

#[doc = include_str!("../published.md")]
pub mod spec {}
