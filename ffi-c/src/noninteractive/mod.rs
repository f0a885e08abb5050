//! The noninteractive scheme.

pub mod association;
mod of;
pub mod peer;
pub mod suite;
