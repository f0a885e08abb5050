//! Noninteractive: self-certified keys; after one handshake both sides derive every later session key without a message
//! (paper 000, section 3).

#[cfg(feature = "published")]
pub mod published;
