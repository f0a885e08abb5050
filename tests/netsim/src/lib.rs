//! A seeded network between two nodes, for iotkm's tests.
//!
//! Everything is driven by one seed: a failing run prints it, and `IOTKM_SEED` in the environment plays it again alone.
//! Time is simulated; nothing sleeps.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod city;
pub mod epochs;
pub mod explore;
pub mod lab;
pub mod net;
pub mod node;
pub mod rng;
pub mod tickets;
pub mod world;

pub use lab::{Assoc, Lab, Plan, each_seed, lab};
pub use net::{Link, Net};
pub use node::{Node, Stored};
pub use rng::SimRng;
