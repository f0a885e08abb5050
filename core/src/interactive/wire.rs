//! Messages: parse and build, nothing else.
//!
//! ```text
//! M1      header | flags | R 8 | short(suites) | short(cid) | ref_A 8 or long(T_A) | [ref_S 8] | [hint 4 | attempt u16 | tag 16]
//! M2      header | flags | suite | short(cid) | [long(T_S)] | g^NS | tag
//! M3      header | F u32 | g^NA | pre 4 | tag
//! M4      header | tag
//! HINT    header | reason | H(M1)[..8]
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

use super::keys::{HINT_LEN, LONG_TAG, NONCE_LEN, PRE_LEN};
use crate::cose::Reference;
use crate::cose::ticket::{REFERENCE_LEN, TICKET_MAX_FFC as TICKET_MAX};
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::LONGEST;
use crate::engine::drops::Dropped;
use crate::engine::flight;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};

/// The scheme's number on the wire.
pub const NUMBER: u8 = 1;

/// Message numbers.
pub mod message {
    /// Phase 1: A's ticket.
    pub const M1: u8 = 1;
    /// Phase 1: S's ticket and share.
    pub const M2: u8 = 2;
    /// Phase 1: A's share.
    pub const M3: u8 = 3;
    /// Phase 1: S has PMK.
    pub const M4: u8 = 4;
    /// Phase 2: A's share.
    pub const K1: u8 = 5;
    /// Phase 2: S's share.
    pub const K2: u8 = 6;
    /// Phase 2: A has the new keys.
    pub const K3: u8 = 7;
    /// Phase 2: S has them.
    pub const K4: u8 = 8;
    /// Why there is no M2; not authenticated.
    pub const HINT: u8 = 9;
    /// "I have left that PMK."
    pub const GONE: u8 = 10;
    /// "I have answered that attempt already."
    pub const REFUSE: u8 = 11;
    /// "Are you there?"
    pub const PING: u8 = 12;
    /// "I am."
    pub const PONG: u8 = 13;
}

/// Suites that A offers, at most.
pub const SUITES_MAX: usize = 8;

/// The longest message of all in bytes: M2 with an FFC ticket and share.
pub const MESSAGE_MAX: usize = HEADER_LEN + 2 + 1 + ConnectionId::MAX + 2 + TICKET_MAX + LONGEST + MAX_TAG;
/// The longest flight in bytes, the engine's room included.
pub const FLIGHT_MAX: usize = flight::ROOM + MESSAGE_MAX;

mod flag {
    pub const TICKET: u8 = 1;
    pub const KNOWN: u8 = 2;
    pub const REKEY: u8 = 4;
    pub const PSK: u8 = 8;
    pub const LONG: u8 = 1;
    pub const HOLDS: u8 = 2;
}

/// The low four bits of R or of an attempt, as the header has them.
fn low(message: &[u8]) -> u8 {
    message.get(1).copied().unwrap_or(0) & 15
}

/// R as a run number, for the header.
pub fn run_of(nonce: &[u8; NONCE_LEN]) -> u32 {
    nonce.last().copied().unwrap_or(0).into()
}

fn flags(r: &mut Reader<'_>, known: u8) -> Result<u8, Dropped> {
    let flags = r.u8()?;
    if flags & !known == 0 { Ok(flags) } else { Err(Dropped::Malformed) }
}

fn long<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Dropped> {
    let len = usize::from(r.u16()?);
    if len == 0 || len > TICKET_MAX {
        return Err(Dropped::Malformed);
    }
    r.take(len)
}

fn put_long(w: &mut Writer<'_>, ticket: &[u8]) {
    debug_assert!(ticket.len() <= TICKET_MAX);
    w.put(&(ticket.len() as u16).to_be_bytes()).put(ticket);
}

fn cid(r: &mut Reader<'_>) -> Result<ConnectionId, Dropped> {
    ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)
}

/// Splits a tag of this length off the end.
fn untagged(message: &[u8], tag_len: usize) -> Result<(&[u8], &[u8]), Dropped> {
    let len = message.len().checked_sub(tag_len).ok_or(Dropped::Malformed)?;
    message.split_at_checked(len).ok_or(Dropped::Malformed)
}

/// How A shows its ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown<'a> {
    /// S is believed to have it.
    Reference(Reference),
    /// The ticket itself.
    Ticket(&'a [u8]),
}

/// The suites that A offers, its favourite first: 1 to 8 different numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suites<'a>(&'a [u8]);

impl<'a> Suites<'a> {
    /// A list of suite numbers (i8 each).
    ///
    /// # Errors
    /// Malformed: none, more than eight, or one twice.
    pub fn new(numbers: &'a [u8]) -> Result<Self, Dropped> {
        let twice = |(i, n): (usize, &u8)| numbers.iter().take(i).any(|m| m == n);
        let bad = numbers.is_empty() || numbers.len() > SUITES_MAX || numbers.iter().enumerate().any(twice);
        if bad { Err(Dropped::Malformed) } else { Ok(Self(numbers)) }
    }
    /// The numbers, A's favourite first.
    pub fn numbers(&self) -> impl Iterator<Item = i8> + use<'a> {
        self.0.iter().map(|number| *number as i8)
    }
}

/// What M1 says on a rekey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekey {
    /// Names PMK.
    pub hint: [u8; HINT_LEN],
    /// The attempt, from the numbers of phase 2.
    pub attempt: u16,
}

/// M1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct M1<'a> {
    /// R.
    pub nonce: [u8; NONCE_LEN],
    /// The suites on offer.
    pub suites: Suites<'a>,
    /// The connection id that A wants to see.
    pub cid: ConnectionId,
    /// A's ticket.
    pub shown: Shown<'a>,
    /// The ticket of S that A has.
    pub known: Option<Reference>,
    /// Whether A has a psk.
    pub psk: bool,
    /// On a rekey.
    pub rekey: Option<Rekey>,
}

impl<'a> M1<'a> {
    /// Writes all before the tag, which only a rekey has.
    pub fn write(&self, w: &mut Writer<'_>) {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = bit(matches!(self.shown, Shown::Ticket(_)), flag::TICKET)
            | bit(self.known.is_some(), flag::KNOWN)
            | bit(self.rekey.is_some(), flag::REKEY)
            | bit(self.psk, flag::PSK);
        w.put(&header(NUMBER, message::M1, run_of(&self.nonce))).put(&[flags]).put(&self.nonce);
        w.short(self.suites.0).short(self.cid.as_bytes());
        match &self.shown {
            Shown::Reference(reference) => {
                w.put(&reference.0);
            }
            Shown::Ticket(ticket) => put_long(w, ticket),
        }
        if let Some(known) = &self.known {
            w.put(&known.0);
        }
        if let Some(rekey) = &self.rekey {
            w.put(&rekey.hint).put(&rekey.attempt.to_be_bytes());
        }
    }

    /// Reads M1: its fields, all before the tag, and the tag (empty but on a rekey).
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8]) -> Result<(Self, &'a [u8], &'a [u8]), Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let flags = flags(&mut r, flag::TICKET | flag::KNOWN | flag::REKEY | flag::PSK)?;
        let is = |bit: u8| flags & bit != 0;
        let nonce = r.array()?;
        let suites = Suites::new(r.short(SUITES_MAX)?)?;
        let cid = cid(&mut r)?;
        let shown =
            if is(flag::TICKET) { Shown::Ticket(long(&mut r)?) } else { Shown::Reference(Reference(r.array()?)) };
        let known = if is(flag::KNOWN) { Some(Reference(r.array()?)) } else { None };
        let rekey = if is(flag::REKEY) { Some(Rekey { hint: r.array()?, attempt: r.u16()? }) } else { None };
        let (body, tag) = untagged(message, if rekey.is_some() { LONG_TAG } else { 0 })?;
        r.take(tag.len())?;
        r.end()?;
        if u32::from(low(message)) != run_of(&nonce) & 15 {
            return Err(Dropped::Malformed);
        }
        Ok((Self { nonce, suites, cid, shown, known, psk: is(flag::PSK), rekey }, body, tag))
    }
}

/// Lengths that a suite fixes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lens {
    /// Of a share.
    pub share: usize,
    /// Of a tag.
    pub tag: usize,
}

/// M2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct M2<'a> {
    /// The suite that S chose.
    pub suite: i8,
    /// The connection id that S wants to see.
    pub cid: ConnectionId,
    /// S's ticket; `None`: it is the one that M1 named.
    pub ticket: Option<&'a [u8]>,
}

/// A message that ends in share and tag, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends<'a> {
    /// All before the share.
    pub head: &'a [u8],
    /// The share.
    pub share: &'a [u8],
    /// The tag.
    pub tag: &'a [u8],
}

impl<'a> Ends<'a> {
    fn read(message: &'a [u8], lens: Lens) -> Result<Self, Dropped> {
        let (body, tag) = untagged(message, lens.tag)?;
        let (head, share) = untagged(body, lens.share)?;
        Ok(Self { head, share, tag })
    }
}

impl<'a> M2<'a> {
    /// Writes all before the share.
    pub fn write(&self, w: &mut Writer<'_>, run: u32) {
        let flags = if self.ticket.is_some() { flag::TICKET } else { 0 };
        w.put(&header(NUMBER, message::M2, run)).put(&[flags, self.suite as u8]).short(self.cid.as_bytes());
        if let Some(ticket) = self.ticket {
            put_long(w, ticket);
        }
    }

    /// Reads M2. `lens` knows the suites that A offered.
    ///
    /// # Errors
    /// Malformed; unexpected where `lens` does not know the suite.
    pub fn read(message: &'a [u8], lens: &dyn Fn(i8) -> Option<Lens>) -> Result<(Self, Ends<'a>), Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let flags = flags(&mut r, flag::TICKET)?;
        let suite = r.u8()? as i8;
        let ends = Ends::read(message, lens(suite).ok_or(Dropped::Unexpected)?)?;
        let cid = cid(&mut r)?;
        let ticket = if flags & flag::TICKET != 0 { Some(long(&mut r)?) } else { None };
        if r.rest().len() != ends.share.len().saturating_add(ends.tag.len()) {
            return Err(Dropped::Malformed);
        }
        Ok((Self { suite, cid, ticket }, ends))
    }
}

/// M3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct M3<'a> {
    /// All before the share.
    pub head: &'a [u8],
    /// F in seconds; 0: no wish.
    pub life: u32,
    /// A's share.
    pub share: &'a [u8],
    /// The pre-tag.
    pub pre: &'a [u8],
    /// The tag.
    pub tag: &'a [u8],
}

impl<'a> M3<'a> {
    /// Writes all before the share.
    pub fn write(w: &mut Writer<'_>, run: u32, life: u32) {
        w.put(&header(NUMBER, message::M3, run)).put(&life.to_be_bytes());
    }

    /// Reads M3.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8], lens: Lens) -> Result<Self, Dropped> {
        let (rest, tag) = untagged(message, lens.tag)?;
        let Ends { head, share, tag: pre } = Ends::read(rest, Lens { tag: PRE_LEN, ..lens })?;
        let mut r = Reader::new(head);
        r.take(HEADER_LEN)?;
        let life = r.u32()?;
        r.end()?;
        Ok(Self { head, life, share, pre, tag })
    }
}

/// The tag of a message that has nothing else: M4, GONE, PONG.
///
/// # Errors
/// Malformed.
pub fn lone_tag(message: &[u8], tag_len: usize) -> Result<&[u8], Dropped> {
    let tag = message.get(HEADER_LEN..).ok_or(Dropped::Malformed)?;
    if tag.len() == tag_len { Ok(tag) } else { Err(Dropped::Malformed) }
}

/// Why there is no M2, as far as S says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// The reference is unknown: send the ticket.
    SendTicket = 1,
    /// No suite in common.
    NoSuite = 2,
    /// The ticket is not accepted.
    Ticket = 3,
    /// S has a psk and A has none.
    NoPsk = 4,
    /// A has a psk and S has none.
    Psk = 5,
}

impl Hint {
    const ALL: [Self; 5] = [Self::SendTicket, Self::NoSuite, Self::Ticket, Self::NoPsk, Self::Psk];

    /// Writes HINT in answer to the M1 of this hash.
    pub fn write(self, w: &mut Writer<'_>, run: u32, m1: &[u8; 32]) {
        w.put(&header(NUMBER, message::HINT, run)).put(&[self as u8]);
        w.put(m1.first_chunk::<REFERENCE_LEN>().map_or(&[], |m1| m1));
    }

    /// Reads HINT: the reason, and the first bytes of the hash of the M1 that it is about.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &[u8]) -> Result<(Self, [u8; REFERENCE_LEN]), Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let reason = r.u8()?;
        let reason = Self::ALL.into_iter().find(|hint| *hint as u8 == reason).ok_or(Dropped::Malformed)?;
        let m1 = r.array()?;
        r.end()?;
        Ok((reason, m1))
    }
}

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
