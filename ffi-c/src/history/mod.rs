//! The history scheme.

// The header follows this order.
pub mod peer;

pub mod pairing;

pub mod association;

pub mod lent;
