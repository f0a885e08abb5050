//! The history scheme.

pub mod association;
pub mod lent;
pub mod pairing;
pub mod peer;
