//! The history scheme as paper 004 prints it: for reproducing the paper and for showing what breaks. **Not for use.**
//!
//! ```text
//!   pairing, offline, in clear        exchange (Algorithms 1a, 1b)             data, update
//!   P1  SK                  -->       C1 = K1 xor K2   (two of three)  -->     DATA    T, LI, Data
//!   P2  SK                  <--       C2 = R_R xor unused              <--     ASK     two elements of a record  -->
//!   P3  T, LI               -->       C3 = R_I xor R_R                 -->     ANSWER  the third                 <--
//!   P4  T, LI               <--       C4 = V xor R_R                   <--     END     both take (T, LI, Data)   -->
//!                                     C5 = V xor R_I                   -->
//!                                     ACK                              <--
//! ```
//!
//! The states and names are those of [`history`](super); the cryptography is XOR. How it breaks is in `tests/attacks`;
//! what the paper leaves open, and how it is read here, in [`spec`].

mod exchange;
mod initiator;
pub mod keys;
pub mod log;
mod pairing;
pub mod peer;
mod responder;
mod update;
pub mod wire;

pub use exchange::{PublishedExchange, PublishedHistory};
pub use log::{PublishedEntry, PublishedLog};
pub use pairing::{PublishedPair, PublishedPairing};
pub use peer::PublishedPeer;

#[doc = include_str!("../published.md")]
pub mod spec {}
