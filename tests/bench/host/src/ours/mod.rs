//! iotkm's own ops.

pub mod crypto;
pub mod history;
pub mod hub;
pub mod record;
