//! The noninteractive scheme as paper 000 prints it: for reproducing the paper and for showing what breaks. **Not for
//! use.**
//!
//! ```text
//!  OP   r_A = g^kA,  x_A = x_Z h(ID_A, r_A) + k_A        y_A = y_Z^h(ID_A, r_A) r_A
//!
//!  A                     phase 1                                                      S
//!  M1   T_A, R, [V_PMK{R}]                                                       -->
//!                              E_A( T_S, N_S0, N_S1, N_S2, g^NS, r_S )           <--   M2
//!  M3   E_S( g^NA, l, T, F, N_A0, N_A1, N_A2, r_A )                              -->
//!                                                       V_PMK{N_A2, N_S2}        <--   M4
//!
//!                        phase 2, without a message:  V = H(K_DH xor N_A0 xor N_S0)
//!  K_A,t = N_A V^(t-1) mod p,  r_A,t = g^K_A,t          r_S,t = (g^NS)^(V^(t-1))
//!  x_A,t = x_A,0 h(ID_A, r_A,t) + K_A,t mod p           y_S,t = y_S,0^h(ID_S, r_S,t) r_S,t
//!                              K_t = h(y_S,t^x_A,t)
//! ```
//!
//! How it breaks is in `tests/attacks`; what the paper leaves open, and how it is read here, in [`spec`].

mod exchange;
pub mod keys;
mod operator;
mod progression;

pub use exchange::{DATA_HEAD, PublishedNoninteractive, PublishedSelfCertified};
pub use operator::{PublishedCredential, PublishedOperator};
pub use progression::PublishedProgression;

#[doc = include_str!("../published.md")]
pub mod spec {}
