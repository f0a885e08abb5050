//! Phase 2's messages: parse and build, nothing else. Phase 1's are in [`phase1`](crate::phase1::wire).
//!
//! ```text
//! K1      header | flags | hint 4 | attempt u16 | short(cid) | g^NA | tag
//! K2      header | short(cid) | g^NS | tag
//! K3, K4  header | tag 16 | [record]
//! GONE    header | tag 16
//! REFUSE  header | answered u16 | tag 16
//! PING    header | hint 4 | R 8 | tag
//! PONG    header | tag
//! ```
//! `header` is the engine's ([`wire`](crate::engine::wire)). `write` of a message that ends in a tag writes what the tag
//! covers; the tag is the caller's to put behind it.

use crate::engine::drops::Dropped;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};
use crate::phase1::keys::{HINT_LEN, LONG_TAG, NONCE_LEN};
use crate::phase1::wire::{Ends, Lens, cid, flags, low, run_of};

/// The scheme's number on the wire.
pub const NUMBER: u8 = 1;

/// Message numbers.
pub mod message {
    pub use crate::phase1::wire::message::{HINT, M1, M2, M3, M4};
    /// Phase 2: A's share.
    pub const K1: u8 = 5;
    /// Phase 2: S's share.
    pub const K2: u8 = 6;
    /// Phase 2: A has the new keys.
    pub const K3: u8 = 7;
    /// Phase 2: S has them.
    pub const K4: u8 = 8;
    /// "I have left that PMK."
    pub const GONE: u8 = 10;
    /// "I have answered that attempt already."
    pub const REFUSE: u8 = 11;
    /// "Are you there?"
    pub const PING: u8 = 12;
    /// "I am."
    pub const PONG: u8 = 13;
}

mod flag {
    pub const LONG: u8 = 1;
    pub const HOLDS: u8 = 2;
}

/// Length of K3 and K4 in bytes, without a record.
pub const CLOSING_LEN: usize = HEADER_LEN + LONG_TAG;

/// K1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct K1 {
    /// Names PMK.
    pub hint: [u8; HINT_LEN],
    /// The attempt under that PMK.
    pub attempt: u16,
    /// Whether the tags of K1 and K2 have 16 bytes.
    pub long: bool,
    /// Whether A has a confirmed pending PMK, and this is made under the current one all the same.
    pub holds: bool,
    /// The connection id that A wants to see.
    pub cid: ConnectionId,
}

impl K1 {
    /// Writes all before the share.
    pub fn write(&self, w: &mut Writer<'_>) {
        let flags = if self.long { flag::LONG } else { 0 } | if self.holds { flag::HOLDS } else { 0 };
        w.put(&header(NUMBER, message::K1, self.attempt.into())).put(&[flags]);
        w.put(&self.hint).put(&self.attempt.to_be_bytes());
        w.short(self.cid.as_bytes());
    }

    /// Reads the fields of a K1: what follows them is share and tag.
    ///
    /// # Errors
    /// Malformed.
    pub fn peek(message: &[u8]) -> Result<(Self, &[u8]), Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let flags = flags(&mut r, flag::LONG | flag::HOLDS)?;
        let (hint, attempt) = (r.array()?, r.u16()?);
        let cid = cid(&mut r)?;
        if u16::from(low(message)) != attempt & 15 {
            return Err(Dropped::Malformed);
        }
        Ok((Self { hint, attempt, long: flags & flag::LONG != 0, holds: flags & flag::HOLDS != 0, cid }, r.rest()))
    }

    /// Length of the tags of K1 and K2 in bytes; `mac` is the suite's.
    pub const fn tag_len(&self, mac: usize) -> usize {
        if self.long { LONG_TAG } else { mac }
    }

    /// Reads K1; `lens` is the suite's.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &[u8], lens: Lens) -> Result<(Self, Ends<'_>), Dropped> {
        let (k1, rest) = Self::peek(message)?;
        let lens = Lens { tag: k1.tag_len(lens.tag), ..lens };
        if rest.len() != lens.share.saturating_add(lens.tag) {
            return Err(Dropped::Malformed);
        }
        Ok((k1, Ends::read(message, lens)?))
    }
}

/// Writes K2 up to the share.
pub fn write_k2(w: &mut Writer<'_>, attempt: u16, cid: &ConnectionId) {
    w.put(&header(NUMBER, message::K2, attempt.into())).short(cid.as_bytes());
}

/// Reads K2: the connection id that S wants to see, and its end; `lens` with the length that K1 asked for.
///
/// # Errors
/// Malformed.
pub fn read_k2(message: &[u8], lens: Lens) -> Result<(ConnectionId, Ends<'_>), Dropped> {
    let ends = Ends::read(message, lens)?;
    let mut r = Reader::new(ends.head);
    r.take(HEADER_LEN)?;
    let cid = cid(&mut r)?;
    r.end()?;
    Ok((cid, ends))
}

/// Reads K3 or K4: the tag, and the record behind it, perhaps empty.
///
/// # Errors
/// Malformed.
pub fn read_closing(message: &[u8]) -> Result<(&[u8], &[u8]), Dropped> {
    message.get(HEADER_LEN..).and_then(|rest| rest.split_at_checked(LONG_TAG)).ok_or(Dropped::Malformed)
}

/// Writes REFUSE up to its tag.
pub fn write_refuse(w: &mut Writer<'_>, attempt: u16, answered: u16) {
    w.put(&header(NUMBER, message::REFUSE, attempt.into())).put(&answered.to_be_bytes());
}

/// Reads REFUSE: the highest attempt answered, and the tag.
///
/// # Errors
/// Malformed.
pub fn read_refuse(message: &[u8]) -> Result<(u16, &[u8]), Dropped> {
    let mut r = Reader::new(message);
    r.take(HEADER_LEN)?;
    let answered = r.u16()?;
    let tag = r.take(LONG_TAG)?;
    r.end()?;
    Ok((answered, tag))
}

/// PING.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ping {
    /// Names PMK.
    pub hint: [u8; HINT_LEN],
    /// R.
    pub nonce: [u8; NONCE_LEN],
}

impl Ping {
    /// Writes PING up to its tag.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&header(NUMBER, message::PING, run_of(&self.nonce))).put(&self.hint).put(&self.nonce);
    }

    /// Reads PING and its tag.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &[u8], tag_len: usize) -> Result<(Self, &[u8]), Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let ping = Self { hint: r.array()?, nonce: r.array()? };
        let tag = r.take(tag_len)?;
        r.end()?;
        if u32::from(low(message)) != run_of(&ping.nonce) & 15 {
            return Err(Dropped::Malformed);
        }
        Ok((ping, tag))
    }
}

#[cfg(test)]
mod tests;
