//! The interactive scheme.

pub mod association;
pub mod peer;
