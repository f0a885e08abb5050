//! Message numbers and lengths; the header is [`published`](crate::engine::published)'s.
//!
//! ```text
//! C1 .. C5           header | value 32
//! ACK                header
//! DATA               header | number u32 | Encrypt( T u64 | len u8, LI | Data )
//! ASK                header | number u32 | Encrypt( hidden u8 | len u8, element | len u8, element )
//! ANSWER             header | number u32 | Encrypt( len u8, element )
//! END                header | number u32 | Encrypt( nothing )
//! P1, P2             header | len u8, id | len u8, SK
//! P3, P4             header | T u64 | len u8, LI
//! ```

use crate::engine::drops::Dropped;
use crate::engine::flight;
use crate::engine::wire::{HEADER_LEN, Reader};
use crate::history::published::keys::Value;

/// Message numbers; C1 to ACK as in [`history::wire`](crate::history::wire::message).
pub mod message {
    pub use crate::history::wire::message::{ACK, C1, C2, C3, C4, C5};
    /// Data of the application's.
    pub const DATA: u8 = 7;
    /// Pairing: the initiator's SK.
    pub const P1: u8 = 8;
    /// Pairing: the responder's SK.
    pub const P2: u8 = 9;
    /// Pairing: the initiator's T and LI.
    pub const P3: u8 = 10;
    /// Pairing: the responder's T and LI.
    pub const P4: u8 = 11;
    /// Update: two elements of a record.
    pub const ASK: u8 = 12;
    /// Update: the third.
    pub const ANSWER: u8 = 13;
    /// Update: session termination.
    pub const END: u8 = 14;
}

/// The longest SK in bytes.
pub const SK_MAX: usize = 64;
/// The longest LI in bytes.
pub const PLACE_MAX: usize = 32;
/// The longest Data in bytes: the log keeps it in clear.
pub const DATA_MAX: usize = 64;
/// Bytes of the number before what is encrypted.
pub const NUMBER_LEN: usize = 4;
/// ASK without T is the longest message.
const MESSAGE_MAX: usize = HEADER_LEN + NUMBER_LEN + 1 + 1 + PLACE_MAX + 1 + DATA_MAX;

/// The flight's buffer.
pub type PublishedBuffer = flight::Buffer<{ flight::ROOM + MESSAGE_MAX }>;

/// A body that is one value.
///
/// # Errors
/// Malformed.
pub fn value(body: &[u8]) -> Result<Value, Dropped> {
    body.try_into().map_err(|_| Dropped::Malformed)
}

/// T and LI; what follows them.
///
/// # Errors
/// Malformed.
pub fn stamp(text: &[u8]) -> Result<(u64, &[u8], &[u8]), Dropped> {
    let mut r = Reader::new(text);
    let t = r.u64()?;
    let li = r.short(PLACE_MAX)?;
    Ok((t, li, r.rest()))
}
