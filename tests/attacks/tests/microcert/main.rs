//! The microcert scheme: the paper's known breaks, and the same attacks on the Hardened profile.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod hardened;
#[cfg(feature = "published")]
mod known_breaks;
mod matrix;
mod must_resist;
