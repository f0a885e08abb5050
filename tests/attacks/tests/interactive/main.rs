//! The interactive scheme: the paper's known breaks, and what the Hardened profile must resist.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod handshake;
#[cfg(feature = "published")]
mod known_breaks;
mod must_resist;
#[cfg(feature = "published")]
mod published;
