//! The microcert scheme.

// The header follows this order.
pub mod chip;

pub mod association;

pub mod centre;

pub mod served;

mod stores;
