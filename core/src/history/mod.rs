//! History: keys for devices that belong to one user, renewed from what they have said to each other (paper 004).
//!
//! ```text
//!   pairing, offline             exchange                                data, update
//!   user's secret SK -.          C1  random two of (SK, T, LI)    -->    records carry and log T, LI, Data
//!   time T, place LI -+-> triple C2  R_R under the unused one     <--    ASK     two elements of a record  -->
//!                     |          C3  R_I under R_R                -->    ANSWER  the third                 <--
//!                     |          C4  challenge                    <--    CLOSE   session ends              -->
//!                     |          C5  response                     -->      |
//!                     |          ACK                              <--      v
//!                     '--------> session under R_I, R_R                  (Data, T, LI) is the new triple
//! ```
//!
//! - [`Pairing`]: two devices, one secret, a window that the user opens.
//! - [`Peer`]: the triple and its successor, stored in a slot. [`Log`]: the rings of what was said.
//! - [`History`]: the association. [`History::open`], [`History::connect`], [`History::update`], and the common verbs.
//!
//! The bytes are in [`spec`].

mod exchange;
pub mod extent;
mod initiator;
pub mod keys;
pub mod log;
pub mod pairing;
pub mod peer;
#[cfg(feature = "published")]
pub mod published;
mod responder;
mod update;
pub mod wire;

pub use exchange::{Exchange, History, HistoryMemory};
pub use extent::{Extent, Leaf, Whole};
pub use log::{Entry, Log};
pub use pairing::Pairing;
pub use peer::{Id, Peer, Triple};

#[doc = include_str!("spec.md")]
pub mod spec {}
