//! Messages: parse and build, nothing else.
//!
//! ```text
//! C1    header | run u32 | hint 4 | N_I 8 | len u8, connection id | tag
//! C2    header | N_R 8 | AEAD( R_R 16 | len u8, connection id | share ) | tag
//! C3    header | AEAD( R_I 16 | share ) | tag
//! C4    header | tag
//! C5    header | tag
//! ACK   header | tag
//! GONE  header | tag 16
//! ```
//! `header` is the engine's ([`wire`](crate::engine::wire)), with the low four bits of the run number. Tags have the
//! suite's MAC length, shares the group's length (none without Diffie-Hellman).

use super::keys::{HINT_LEN, NONCE_LEN, R_LEN};
use crate::crypto::Suite;
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::MAX_SHARE;
use crate::engine::drops::Dropped;
use crate::engine::flight;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{HEADER_LEN, Reader};

/// The scheme's number on the wire.
pub const NUMBER: u8 = 6;

/// Message numbers.
pub mod message {
    /// Initial challenge.
    pub const C1: u8 = 1;
    /// The responder's key.
    pub const C2: u8 = 2;
    /// The initiator's key.
    pub const C3: u8 = 3;
    /// Challenge.
    pub const C4: u8 = 4;
    /// Response.
    pub const C5: u8 = 5;
    /// Acknowledgement.
    pub const ACK: u8 = 6;
    /// "I have left the key that you use."
    pub const GONE: u8 = 7;
    /// Pairing, first message; see [`pairing`](super::super::pairing).
    pub const P1: u8 = 8;
    /// Pairing, second message.
    pub const P2: u8 = 9;
    /// Pairing, third message.
    pub const P3: u8 = 10;
    /// Pairing, fourth message.
    pub const P4: u8 = 11;
    /// Pairing, fifth message.
    pub const P5: u8 = 12;
    /// Pairing, sixth message.
    pub const P6: u8 = 13;
}

/// First byte of the update's control records.
pub mod control {
    /// Request: two elements of a record.
    pub const ASK: u8 = 8;
    /// Answer: the third.
    pub const ANSWER: u8 = 9;
    /// No answer, and why.
    pub const REFUSE: u8 = 10;
    /// Termination: the new triple is stored.
    pub const CLOSE: u8 = 11;
    /// Answer to that: whether this side has it too.
    pub const CLOSED: u8 = 12;
}

/// The longest flight of an exchange in bytes, the engine's room included: an update request (with a share) is longer
/// than C2.
pub const FLIGHT_MAX: usize = flight::ROOM + max(C2_MAX, ASK_MAX);
const C2_MAX: usize = HEADER_LEN + NONCE_LEN + R_LEN + 1 + ConnectionId::MAX + MAX_SHARE + MAX_TAG;
/// The longest update request in bytes.
pub const ASK_MAX: usize = 1 + 4 + 2 + 12 + 1 + 32 + MAX_SHARE + 16;

const fn max(a: usize, b: usize) -> usize {
    if a > b { a } else { b }
}

/// C1.
#[derive(Clone, Copy, Debug)]
pub struct C1<'a> {
    /// The run's number.
    pub run: u32,
    /// Names peer and pair.
    pub hint: [u8; HINT_LEN],
    /// N_I.
    pub nonce: [u8; NONCE_LEN],
    /// The connection id that the initiator wants to see.
    pub cid: ConnectionId,
    /// All before the tag, header included.
    pub body: &'a [u8],
    /// The tag.
    pub tag: &'a [u8],
}

impl<'a> C1<'a> {
    /// Reads C1.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8], tag_len: usize) -> Result<Self, Dropped> {
        let len = message.len().checked_sub(tag_len).ok_or(Dropped::Malformed)?;
        let (body, tag) = message.split_at_checked(len).ok_or(Dropped::Malformed)?;
        let c1 = Self { tag, ..Self::peek(body)? };
        let header = body.get(1).copied().unwrap_or(0);
        if u32::from(header & 15) != c1.run & 15 || body.len() != c1_len(&c1.cid) {
            return Err(Dropped::Malformed);
        }
        Ok(c1)
    }

    /// Reads the fields of a C1 whose tag length is not known yet: to find out whose it is.
    ///
    /// # Errors
    /// Malformed.
    pub fn peek(body: &'a [u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(body);
        r.take(HEADER_LEN)?;
        let (run, hint, nonce) = (r.u32()?, r.array()?, r.array()?);
        let cid = ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)?;
        Ok(Self { run, hint, nonce, cid, body, tag: &[] })
    }
}

/// Length of C1 without its tag in bytes.
pub const fn c1_len(cid: &ConnectionId) -> usize {
    (HEADER_LEN + 4 + HINT_LEN + NONCE_LEN + 1).saturating_add(cid.len())
}

/// Length of a share in this suite in bytes: none without Diffie-Hellman.
pub fn share_len(suite: &Suite) -> usize {
    suite.dh.map_or(0, |group| group.share_len())
}

/// A message whose end is an AEAD.
#[derive(Clone, Copy, Debug)]
pub struct Sealed<'a> {
    /// What comes before the ciphertext.
    pub head: &'a [u8],
    /// The ciphertext.
    pub text: &'a [u8],
    /// The tag.
    pub tag: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Takes a message apart: `head` bytes before the ciphertext, `tag_len` behind it.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8], head: usize, tag_len: usize) -> Result<Self, Dropped> {
        let (head, rest) = message.split_at_checked(head).ok_or(Dropped::Malformed)?;
        let len = rest.len().checked_sub(tag_len).ok_or(Dropped::Malformed)?;
        let (text, tag) = rest.split_at_checked(len).ok_or(Dropped::Malformed)?;
        Ok(Self { head, text, tag })
    }
}
