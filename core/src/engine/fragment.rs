//! Fragments of messages that are longer than the caller's MTU, and their bounded reassembly.
//!
//! ```text
//! fragment   header(engine, FRAGMENT) | id u8 | index u4, last u4 | length of the message u16 | piece
//! ```
//! All pieces but the last have the same length, which follows from the message's and the number of pieces, so that any
//! piece finds its place whatever the order. One message is put together at a time, the newest wins: a forged piece costs
//! one retransmission, and nobody can fill the memory. The id is the same when a flight is sent again, so that pieces of
//! several tries complete each other.

use super::drops::Dropped;
use super::wire::{self, Reader, Writer, checksum};
use crate::association::Addr;
use crate::crypto::kdf;

/// Bytes before a fragment's piece.
pub const HEADER_LEN: usize = wire::HEADER_LEN + 4;
/// The most pieces of one message.
pub const MAX_PIECES: usize = 16;

/// How many datagrams of at most `mtu` bytes a message of `len` bytes takes: one where it fits as it is.
pub const fn pieces(len: usize, mtu: usize) -> usize {
    if len <= mtu {
        return 1;
    }
    match mtu.checked_sub(HEADER_LEN) {
        Some(room) if room > 0 => len.div_ceil(room),
        _ => usize::MAX,
    }
}

/// Writes piece `index` of `message` into `out`; returns the datagram's length.
///
/// # Errors
/// The length that it needs, where `out` is shorter.
pub fn write(message: &[u8], mtu: usize, index: usize, out: &mut [u8]) -> Result<usize, usize> {
    let count = pieces(message.len(), mtu);
    let mut w = Writer::new(out);
    if count == 1 {
        return w.put(message).finish();
    }
    let room = piece_len(message.len(), count);
    let start = index.saturating_mul(room).min(message.len());
    let end = start.saturating_add(room).min(message.len());
    let id = kdf::hash(&[message])[0];
    let place = (index as u8) << 4 | (count.saturating_sub(1) & 15) as u8;
    w.put(&wire::header(wire::ENGINE, wire::engine::FRAGMENT, 0))
        .put(&[id, place])
        .put(&(message.len() as u16).to_be_bytes());
    w.put(message.get(start..end).unwrap_or(&[])).finish()
}

/// Even pieces: all but the last are alike.
const fn piece_len(message: usize, count: usize) -> usize {
    message.div_ceil(if count == 0 { 1 } else { count })
}

/// What is known of the message that is being put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reassembly {
    /// A checksum of the address: who could find another with the same can send from this one too.
    from: u32,
    id: u8,
    last: u8,
    total: u16,
    have: u16,
}

impl Reassembly {
    /// Takes in a fragment (without the two header bytes); the length of the message in `memory` once it is whole.
    ///
    /// # Errors
    /// Malformed, or larger than `memory`.
    pub fn take(&mut self, from: &Addr, fragment: &[u8], memory: &mut [u8]) -> Result<Option<usize>, Dropped> {
        let mut r = Reader::new(fragment);
        let id = r.u8()?;
        let place = r.u8()?;
        let total = r.u16()?;
        let data = r.rest();
        let (index, last) = (place >> 4, place & 15);
        let piece = piece_len(usize::from(total), usize::from(last).saturating_add(1));
        let start = usize::from(index).saturating_mul(piece);
        let end = usize::from(total).min(start.saturating_add(piece));
        if index > last || last == 0 || data.is_empty() || start.checked_add(data.len()) != Some(end) {
            return Err(Dropped::Malformed);
        }
        if usize::from(total) > memory.len() {
            return Err(Dropped::NoRoom);
        }
        let sender = checksum(from.as_bytes());
        if self.from != sender || self.id != id || self.last != last || self.total != total {
            *self = Self { from: sender, id, last, total, have: 0 };
        }
        memory.get_mut(start..end).ok_or(Dropped::NoRoom)?.copy_from_slice(data);
        self.have |= 1 << index;
        if self.have != u16::MAX >> 15u8.saturating_sub(last) {
            return Ok(None);
        }
        self.have = 0;
        Ok(Some(usize::from(total)))
    }
}
