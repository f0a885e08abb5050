//! A seeded network between two nodes, for iotkm's tests.
//!
//! Everything is driven by one seed: a failing run prints it, and [`Net::new`] with that seed plays it again. Time is
//! simulated; nothing sleeps.
#![allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, clippy::expect_used, clippy::panic, clippy::unwrap_used)]

pub mod net;
pub mod node;
pub mod rng;

pub use net::{Link, Net};
pub use node::{Node, Stored};
pub use rng::SimRng;
