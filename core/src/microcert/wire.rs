//! Messages: parse and build, nothing else.
//!
//! ```text
//! AUTH       header | id | serial u8 | time u32 | random 8 | counter u32 | once( critical part ) | tag
//! ANSWER     header | random 8 | once( critical part ) | tag
//! CHALLENGE  header | random 8 | once( time u32 | counter u32 | challenge 8 ) | tag
//! PROOF      as AUTH; the challenge, which both know, is in its key
//! GONE       header | generation u32 | tag 16
//! DEAD       header | id | serial u8 | tag 16
//! signature  as AUTH; the critical part is SHA-256 of what is signed
//! ```
//! `header` is the engine's ([`wire`](crate::engine::wire)). Its last four bits are the id's length less one where an id
//! follows, else the low four bits of the counter that the message answers. Tags are the AEAD's.

use super::keys::{CHALLENGE_LEN, NEW_LEN, RANDOM_LEN, TAG_LEN};
use crate::crypto::aead::MAX_TAG;
use crate::crypto::{Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::flight;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{HEADER_LEN, Kind, Reader, Writer, classify, header};
use crate::history::Id;

/// The scheme's number on the wire.
pub const NUMBER: u8 = 5;

/// Message numbers.
pub mod message {
    /// The device's micro-certificate.
    pub const AUTH: u8 = 1;
    /// The centre's.
    pub const ANSWER: u8 = 2;
    /// The centre's opening.
    pub const CHALLENGE: u8 = 3;
    /// The device's micro-certificate on an opening.
    pub const PROOF: u8 = 4;
    /// "I have another seed than you."
    pub const GONE: u8 = 5;
    /// The device has killed its seed.
    pub const DEAD: u8 = 6;
    /// Not a datagram: a signature.
    pub const SIGNATURE: u8 = 8;
}

/// Bytes of time, random number and counter, with the serial before them.
const STAMP_LEN: usize = 1 + 4 + RANDOM_LEN + 4;
/// The longest part in clear of a micro-certificate in bytes.
pub const CLEAR_MAX: usize = HEADER_LEN + Id::MAX + STAMP_LEN;
/// The longest critical part of AUTH in bytes.
pub const CRITICAL_MAX: usize = 1 + ConnectionId::MAX + 4 + Fresh::LEN;
/// The longest AUTH in bytes.
pub const AUTH_MAX: usize = CLEAR_MAX + CRITICAL_MAX + MAX_TAG;
/// The longest critical part of ANSWER in bytes.
pub const ANSWER_TEXT_MAX: usize = 1 + ConnectionId::MAX + 4 + Order::MAX;
/// The longest message of the centre's in bytes.
pub const REPLY_MAX: usize = HEADER_LEN + RANDOM_LEN + ANSWER_TEXT_MAX + MAX_TAG;
/// Bytes of CHALLENGE's text.
pub const OPENING_LEN: usize = 8 + CHALLENGE_LEN;
/// Bytes of DEAD besides the id.
pub const DEAD_LEN: usize = HEADER_LEN + 1 + TAG_LEN;
/// Bytes of GONE.
pub const GONE_LEN: usize = HEADER_LEN + 4 + TAG_LEN;
/// Bytes of what is signed: SHA-256.
pub const DIGEST_LEN: usize = 32;
/// The longest signature in bytes.
pub const SIGNATURE_MAX: usize = CLEAR_MAX + DIGEST_LEN + MAX_TAG;
/// The longest flight in bytes, the engine's room included.
pub const FLIGHT_MAX: usize = flight::ROOM + AUTH_MAX;

/// Length of this device's signatures in bytes.
pub fn signature_len(id: &Id, suite: &Suite) -> usize {
    let len = HEADER_LEN + STAMP_LEN + DIGEST_LEN;
    len.saturating_add(id.as_bytes().len()).saturating_add(suite.aead.tag_len())
}

/// What CSK makes a key from, besides the seed: all in clear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Seconds since 1970.
    pub time: u32,
    /// The random number.
    pub random: [u8; RANDOM_LEN],
    /// How many micro-certificates and signatures the device made before.
    pub counter: u32,
}

/// A micro-certificate of a device's, or a signature.
#[derive(Clone, Copy, Debug)]
pub struct Certificate<'a> {
    /// [`message::AUTH`], [`message::PROOF`] or [`message::SIGNATURE`].
    pub message: u8,
    /// Whose.
    pub id: Id,
    /// Low byte of the seed's generation.
    pub serial: u8,
    /// Time, random number, counter.
    pub stamp: Stamp,
    /// All before the ciphertext, header included.
    pub clear: &'a [u8],
    /// The critical part, encrypted.
    pub text: &'a [u8],
    /// The AEAD's tag.
    pub tag: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads all that does not depend on a suite; [`split`](Self::split) does the rest.
    ///
    /// # Errors
    /// Malformed, or another message.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Dropped> {
        let Kind::Handshake { scheme: NUMBER, message, run } = classify(bytes)? else { return Err(Dropped::Version) };
        if !matches!(message, message::AUTH | message::PROOF | message::SIGNATURE) {
            return Err(Dropped::Version);
        }
        let len = HEADER_LEN.saturating_add(usize::from(run)).saturating_add(1 + STAMP_LEN);
        let (clear, text) = bytes.split_at_checked(len).ok_or(Dropped::Malformed)?;
        let mut r = Reader::new(clear);
        r.take(HEADER_LEN)?;
        let id = Id::new(r.take(usize::from(run).saturating_add(1))?).ok_or(Dropped::Malformed)?;
        let serial = r.u8()?;
        let stamp = Stamp { time: r.u32()?, random: r.array()?, counter: r.u32()? };
        Ok(Self { message, id, serial, stamp, clear, text, tag: &[] })
    }

    /// Takes the tag off the end.
    ///
    /// # Errors
    /// Malformed.
    pub fn split(&mut self, tag_len: usize) -> Result<(), Dropped> {
        let len = self.text.len().checked_sub(tag_len).ok_or(Dropped::Malformed)?;
        (self.text, self.tag) = self.text.split_at_checked(len).ok_or(Dropped::Malformed)?;
        Ok(())
    }
}

/// Writes what a micro-certificate of a device's begins with.
pub fn write_clear(w: &mut Writer<'_>, message: u8, id: &Id, serial: u8, stamp: &Stamp) {
    let id = id.as_bytes();
    let len = (id.len() as u32).saturating_sub(1);
    w.put(&header(NUMBER, message, len)).put(id).put(&[serial]);
    w.put(&stamp.time.to_be_bytes()).put(&stamp.random).put(&stamp.counter.to_be_bytes());
}

/// Bits of a critical part's first byte; the low four are the length of the connection id.
mod flag {
    /// A session is wanted, or granted.
    pub const SESSION: u8 = 0x10;
    /// AUTH: what is known of a pending seed follows. ANSWER: the centre's time follows.
    pub const MORE: u8 = 0x20;
    /// AUTH: the answer to an update follows. ANSWER: an order follows.
    pub const ORDER: u8 = 0x40;
}

/// What a device says of a seed that is to replace its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The attempt whose seed it has and will commit; 0: none.
    pub confirmed: u16,
    /// The highest attempt that it has answered.
    pub answered: u16,
}

/// The device's part of a new seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fresh {
    /// The attempt that it answers.
    pub attempt: u16,
    /// N_D.
    pub n_d: Secret<NEW_LEN>,
    /// See [`order_tag`](super::keys::order_tag), over the two.
    pub tag: [u8; TAG_LEN],
}

impl Fresh {
    /// Length in bytes.
    pub const LEN: usize = 2 + NEW_LEN + TAG_LEN;
}

/// The critical part of AUTH and PROOF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Critical {
    /// A session is wanted, and records of it under this connection id.
    pub session: Option<ConnectionId>,
    /// What is known of a pending seed.
    pub standing: Standing,
    /// The device's part of a new seed.
    pub fresh: Option<Fresh>,
}

impl Critical {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let flags = r.u8()?;
        let session = read_session(flags, &mut r)?;
        let more = flags & flag::MORE != 0;
        let standing = if more { Standing { confirmed: r.u16()?, answered: r.u16()? } } else { Standing::default() };
        let fresh = if flags & flag::ORDER != 0 {
            Some(Fresh { attempt: r.u16()?, n_d: r.secret()?, tag: r.array()? })
        } else {
            None
        };
        r.end()?;
        if more && standing == Standing::default() {
            return Err(Dropped::Malformed);
        }
        Ok(Self { session, standing, fresh })
    }

    /// Writes it.
    pub fn write(&self, w: &mut Writer<'_>) {
        let more = self.standing != Standing::default();
        let mut flags = session_flags(self.session.as_ref());
        flags |= if more { flag::MORE } else { 0 };
        flags |= if self.fresh.is_some() { flag::ORDER } else { 0 };
        w.put(&[flags]).put(self.session.as_ref().map_or(&[], |cid| cid.as_bytes()));
        if more {
            w.put(&self.standing.confirmed.to_be_bytes()).put(&self.standing.answered.to_be_bytes());
        }
        if let Some(Fresh { attempt, n_d, tag }) = &self.fresh {
            w.put(&attempt.to_be_bytes()).put(n_d.expose()).put(tag);
        }
    }
}

/// What the centre orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// A new seed: N_C. The device answers with its part of it.
    Ask {
        /// Attempt.
        attempt: u16,
        /// N_C.
        n_c: [u8; NEW_LEN],
    },
    /// The centre has the new seed of this attempt: the next micro-certificate is made with it.
    Close {
        /// Attempt.
        attempt: u16,
    },
    /// The centre has it not (it was rolled back): the device forgets it.
    HasNot {
        /// Attempt.
        attempt: u16,
    },
    /// The seed is to be killed.
    Revoke,
}

impl Order {
    /// The longest in bytes, its tag included.
    pub const MAX: usize = 1 + 2 + NEW_LEN + TAG_LEN;

    /// Writes it, without its tag.
    pub fn write(&self, w: &mut Writer<'_>) {
        match self {
            Self::Ask { attempt, n_c } => w.put(&[1]).put(&attempt.to_be_bytes()).put(n_c),
            Self::Close { attempt } => w.put(&[2]).put(&attempt.to_be_bytes()),
            Self::HasNot { attempt } => w.put(&[3]).put(&attempt.to_be_bytes()),
            Self::Revoke => w.put(&[4]),
        };
    }

    fn read(text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let order = match r.u8()? {
            1 => Self::Ask { attempt: r.u16()?, n_c: r.array()? },
            2 => Self::Close { attempt: r.u16()? },
            3 => Self::HasNot { attempt: r.u16()? },
            4 => Self::Revoke,
            _ => return Err(Dropped::Malformed),
        };
        r.end()?;
        Ok(order)
    }
}

/// An order, as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Ordered<'a> {
    /// What is ordered.
    pub order: Order,
    /// The order's bytes.
    pub fields: &'a [u8],
    /// The tag over them.
    pub tag: &'a [u8],
}

/// The critical part of ANSWER.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The session is granted, and the centre wants its records under this connection id.
    pub session: Option<ConnectionId>,
    /// The centre's time in seconds since 1970, where it differs from the device's by more than two.
    pub time: Option<u32>,
    /// What the device is to do.
    pub order: Option<Ordered<'a>>,
}

impl<'a> Answer<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(text: &'a [u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let flags = r.u8()?;
        let session = read_session(flags, &mut r)?;
        let time = if flags & flag::MORE != 0 { Some(r.u32()?) } else { None };
        let rest = r.rest();
        let order = match (flags & flag::ORDER != 0, rest) {
            (true, rest) => {
                let (fields, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Dropped::Malformed)?;
                Some(Ordered { order: Order::read(fields)?, fields, tag })
            }
            (false, []) => None,
            _ => return Err(Dropped::Malformed),
        };
        Ok(Self { session, time, order })
    }

    /// Writes what comes before an order.
    pub fn write_head(w: &mut Writer<'_>, session: Option<&ConnectionId>, time: Option<u32>, order: bool) {
        let mut flags = session_flags(session);
        flags |= if time.is_some() { flag::MORE } else { 0 };
        flags |= if order { flag::ORDER } else { 0 };
        w.put(&[flags]).put(session.map_or(&[], |cid| cid.as_bytes()));
        if let Some(time) = time {
            w.put(&time.to_be_bytes());
        }
    }
}

fn session_flags(cid: Option<&ConnectionId>) -> u8 {
    cid.map_or(0, |cid| flag::SESSION | cid.len() as u8)
}

fn read_session(flags: u8, r: &mut Reader<'_>) -> Result<Option<ConnectionId>, Dropped> {
    let len = usize::from(flags & 0x0f);
    if flags & 0x80 != 0 || (flags & flag::SESSION == 0 && len != 0) {
        return Err(Dropped::Malformed);
    }
    let cid = ConnectionId::new(r.take(len)?).ok_or(Dropped::Malformed)?;
    Ok((flags & flag::SESSION != 0).then_some(cid))
}

/// ANSWER or CHALLENGE: all but its critical part.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// Header and random number.
    pub clear: &'a [u8],
    /// The text, encrypted.
    pub text: &'a [u8],
    /// The AEAD's tag.
    pub tag: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Takes it apart.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(bytes: &'a [u8], tag_len: usize) -> Result<Self, Dropped> {
        let (clear, rest) = bytes.split_at_checked(HEADER_LEN + RANDOM_LEN).ok_or(Dropped::Malformed)?;
        let len = rest.len().checked_sub(tag_len).ok_or(Dropped::Malformed)?;
        let (text, tag) = rest.split_at_checked(len).ok_or(Dropped::Malformed)?;
        Ok(Self { clear, text, tag })
    }
}

/// CHALLENGE's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The centre's time in seconds since 1970; PROOF carries the same.
    pub time: u32,
    /// The lowest counter that the centre takes.
    pub counter: u32,
    /// What goes into PROOF's key.
    pub challenge: [u8; CHALLENGE_LEN],
}

impl Opening {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let opening = Self { time: r.u32()?, counter: r.u32()?, challenge: r.array()? };
        r.end()?;
        Ok(opening)
    }

    /// Writes it.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&self.time.to_be_bytes()).put(&self.counter.to_be_bytes()).put(&self.challenge);
    }
}

/// DEAD.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dead {
    /// Whose.
    pub id: Id,
    /// Low byte of the seed's generation.
    pub serial: u8,
    /// See [`dead_tag`](super::keys::dead_tag).
    pub tag: [u8; TAG_LEN],
}

impl Dead {
    /// Reads it.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(bytes: &[u8]) -> Result<Self, Dropped> {
        let Kind::Handshake { scheme: NUMBER, message: message::DEAD, run } = classify(bytes)? else {
            return Err(Dropped::Version);
        };
        let mut r = Reader::new(bytes);
        r.take(HEADER_LEN)?;
        let id = Id::new(r.take(usize::from(run).saturating_add(1))?).ok_or(Dropped::Malformed)?;
        let dead = Self { id, serial: r.u8()?, tag: r.array()? };
        r.end()?;
        Ok(dead)
    }

    /// Writes it.
    pub fn write(&self, w: &mut Writer<'_>) {
        let id = self.id.as_bytes();
        let len = (id.len() as u32).saturating_sub(1);
        w.put(&header(NUMBER, message::DEAD, len)).put(id).put(&[self.serial]).put(&self.tag);
    }
}
