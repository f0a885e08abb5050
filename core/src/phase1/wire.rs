//! Phase 1's messages: parse and build, nothing else.
//!
//! ```text
//! M1      header | flags | R 8 | short(suites) | short(cid) | ref_A 8 or long(C_A) | [ref_S 8] | [hint 4 | attempt u16 | tag 16]
//! M2      header | flags | suite | short(cid) | [long(C_S)] | g^NS | tag
//! M3      header | terms | g^NA | pre 4 | tag
//! M4      header | tag
//! HINT    header | reason | H(M1)[..8]
//! ```
//! `header` is the engine's ([`wire`](crate::engine::wire)), C a credential (a ticket, say). `write` of a message that ends in a tag
//! writes what the tag covers; the tag is the caller's to put behind it. `number` is the scheme's on the wire.

use super::keys::{HINT_LEN, LONG_TAG, NONCE_LEN, PRE_LEN};
use crate::cose::Reference;
use crate::cose::ticket::{REFERENCE_LEN, TICKET_MAX_FFC as TICKET_MAX};
use crate::crypto::Suite;
use crate::engine::drops::Dropped;
use crate::engine::session::ConnectionId;
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};

/// Message numbers.
pub mod message {
    /// A's credential.
    pub const M1: u8 = 1;
    /// S's credential and share.
    pub const M2: u8 = 2;
    /// A's share.
    pub const M3: u8 = 3;
    /// S has the master key.
    pub const M4: u8 = 4;
    /// Why there is no M2; not authenticated.
    pub const HINT: u8 = 9;
}

/// Suites that A offers, at most.
pub const SUITES_MAX: usize = 8;

mod flag {
    pub const TICKET: u8 = 1;
    pub const KNOWN: u8 = 2;
    pub const REKEY: u8 = 4;
    pub const PSK: u8 = 8;
}

/// The low four bits of R or of an attempt, as the header has them.
pub(crate) fn low(message: &[u8]) -> u8 {
    message.get(1).copied().unwrap_or(0) & 15
}

/// R as a run number, for the header.
pub fn run_of(nonce: &[u8; NONCE_LEN]) -> u32 {
    nonce.last().copied().unwrap_or(0).into()
}

pub(crate) fn flags(r: &mut Reader<'_>, known: u8) -> Result<u8, Dropped> {
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

pub(crate) fn cid(r: &mut Reader<'_>) -> Result<ConnectionId, Dropped> {
    ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)
}

/// Splits a tag of this length off the end.
pub(crate) fn untagged(message: &[u8], tag_len: usize) -> Result<(&[u8], &[u8]), Dropped> {
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
    pub fn write(&self, w: &mut Writer<'_>, number: u8) {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = bit(matches!(self.shown, Shown::Ticket(_)), flag::TICKET)
            | bit(self.known.is_some(), flag::KNOWN)
            | bit(self.rekey.is_some(), flag::REKEY)
            | bit(self.psk, flag::PSK);
        w.put(&header(number, message::M1, run_of(&self.nonce))).put(&[flags]).put(&self.nonce);
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

impl Lens {
    /// The suite's.
    pub fn of(suite: &Suite) -> Self {
        Self { share: suite.dh.map_or(0, |group| group.share_len()), tag: suite.mac_len }
    }
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
    /// Takes them apart.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8], lens: Lens) -> Result<Self, Dropped> {
        let (body, tag) = untagged(message, lens.tag)?;
        let (head, share) = untagged(body, lens.share)?;
        Ok(Self { head, share, tag })
    }
}

impl<'a> M2<'a> {
    /// Writes all before the share.
    pub fn write(&self, w: &mut Writer<'_>, number: u8, run: u32) {
        let flags = if self.ticket.is_some() { flag::TICKET } else { 0 };
        w.put(&header(number, message::M2, run)).put(&[flags, self.suite as u8]).short(self.cid.as_bytes());
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
    /// What A wishes.
    pub terms: &'a [u8],
    /// A's share.
    pub share: &'a [u8],
    /// The pre-tag.
    pub pre: &'a [u8],
    /// The tag.
    pub tag: &'a [u8],
}

impl<'a> M3<'a> {
    /// Writes all before the share.
    pub fn write(w: &mut Writer<'_>, number: u8, run: u32, terms: &[u8]) {
        w.put(&header(number, message::M3, run)).put(terms);
    }

    /// Reads M3, whose terms have this length.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &'a [u8], lens: Lens, terms: usize) -> Result<Self, Dropped> {
        let (rest, tag) = untagged(message, lens.tag)?;
        let Ends { head, share, tag: pre } = Ends::read(rest, Lens { tag: PRE_LEN, ..lens })?;
        let terms = head.get(HEADER_LEN..).filter(|rest| rest.len() == terms).ok_or(Dropped::Malformed)?;
        Ok(Self { head, terms, share, pre, tag })
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
    pub fn write(self, w: &mut Writer<'_>, number: u8, run: u32, m1: &[u8; 32]) {
        w.put(&header(number, message::HINT, run)).put(&[self as u8]);
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
