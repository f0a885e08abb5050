//! The peers in Rust. Those in C are in `../peers`.

pub mod aead;
pub mod edhoc;
pub mod noise;
