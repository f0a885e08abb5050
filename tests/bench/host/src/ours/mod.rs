//! iotkm's own ops.

pub mod crypto;
pub mod history;
pub mod hub;
pub mod interactive;
pub mod microcert;
pub mod noninteractive;
mod pair;
pub mod record;
