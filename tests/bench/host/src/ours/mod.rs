//! iotkm's own ops.

pub mod crypto;
pub mod record;
