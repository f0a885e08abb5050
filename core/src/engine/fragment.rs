//! Fragments of messages that are longer than the caller's MTU, and their bounded reassembly.
//!
//! ```text
//! fragment   header(engine, FRAGMENT) | id u8 | index u4, last u4 | piece
//! ```
//! All pieces but the last have the same length. One message is put together at a time, the newest wins: a forged piece
//! costs one retransmission, and nobody can fill the memory. The id is the same when a flight is sent again, so that
//! pieces of several tries complete each other.

use super::drops::Dropped;
use super::wire::{self, Reader, Writer};
use crate::association::Addr;
use crate::crypto::kdf;

/// Bytes before a fragment's piece.
pub const HEADER_LEN: usize = wire::HEADER_LEN + 2;
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
    // Even pieces: the last is not shorter than it must be, and all others are alike.
    let room = message.len().div_ceil(count.max(1));
    let start = index.saturating_mul(room).min(message.len());
    let end = start.saturating_add(room).min(message.len());
    let id = kdf::hash(&[message])[0];
    let place = (index as u8) << 4 | (count.saturating_sub(1) & 15) as u8;
    w.put(&wire::header(wire::ENGINE, wire::engine::FRAGMENT, 0)).put(&[id, place]);
    w.put(message.get(start..end).unwrap_or(&[])).finish()
}

/// What is known of the message that is being put together.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reassembly {
    from: Addr,
    id: u8,
    last: u8,
    piece: u16,
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
        let data = r.rest();
        let (index, last) = (place >> 4, place & 15);
        if index > last || last == 0 || data.is_empty() || data.len() > usize::from(u16::MAX) {
            return Err(Dropped::Malformed);
        }
        let len = data.len() as u16;
        let same = self.have != 0 && self.from == *from && self.id == id && self.last == last;
        if !same {
            *self = Self { from: *from, id, last, ..Self::default() };
        }
        if index < last {
            if self.piece != 0 && self.piece != len {
                *self = Self { from: *from, id, last, ..Self::default() };
            }
            self.piece = len;
        }
        // The last piece's place is known from the others' length; until one of those came, it cannot be kept.
        if self.piece == 0 || len > self.piece {
            return Err(Dropped::NoRoom);
        }
        let start = usize::from(index).saturating_mul(usize::from(self.piece));
        let end = start.saturating_add(data.len());
        let Some(to) = memory.get_mut(start..end) else {
            *self = Self::default();
            return Err(Dropped::NoRoom);
        };
        to.copy_from_slice(data);
        self.have |= 1 << index;
        if index == last {
            self.total = end as u16;
        }
        let all = u16::MAX >> 15u8.saturating_sub(last);
        if self.have == all {
            self.have = 0;
            return Ok(Some(usize::from(self.total)));
        }
        Ok(None)
    }
}
