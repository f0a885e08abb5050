//! The ticket agent: numbers tickets and lists, and never gives a number twice, wherever its power is cut.

use super::message::Request;
use super::revocation::RevocationList;
use super::sign1::{IssueError, Refused};
use super::ticket::{Claims, NAME_MAX, Ticket, is_name};
use crate::association::{Device, Error};
use crate::crypto::Secret;
use crate::crypto::sign::Signer;
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind, Reserved};
use crate::engine::wire::{Reader, Writer};
use core::str;

/// Serials that one write to storage reserves, and list numbers.
const BLOCK: u32 = 256;

/// A ticket agent's memory. Its signature key stays behind a [`Signer`]; which tickets it issued is its caller's record.
///
/// ```text
/// issue -> Unstored? -> seal -> store -> persisted -> issue
/// ```
#[derive(Clone, Debug)]
pub struct TicketAgent {
    name: [u8; NAME_MAX],
    name_len: usize,
    serials: Reserved,
    lists: Reserved,
    /// The limits that are stored: numbers below may be given out.
    stored: (u32, u32),
    sealed: (u32, u32),
    version: u32,
}

impl TicketAgent {
    /// Longest blob in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = state::OVERHEAD + 1 + NAME_MAX + 8;

    /// An agent that has issued nothing. It numbers from 1.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a name that is empty, longer than 32 bytes, or holds control characters.
    pub fn new(name: &str) -> Result<Self, Error> {
        Self::at(name, 1, 1, 0)
    }

    /// For a caller who keeps the numbers (in a database) and has given this one to nobody: it may be given out, and no other.
    ///
    /// # Errors
    /// As [`new`](Self::new), and for the last number there is.
    pub fn with_number(name: &str, serial: u32) -> Result<Self, Error> {
        let mut agent = Self::at(name, serial, 1, 0)?;
        agent.stored.0 = serial.checked_add(1).ok_or(Error::BadArgument)?;
        Ok(agent)
    }

    fn at(name: &str, serial: u32, list: u32, version: u32) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::BadArgument);
        }
        let mut memory = [0; NAME_MAX];
        let name_len = crate::engine::wire::copy(&mut memory, name.as_bytes());
        Ok(Self {
            name: memory,
            name_len,
            serials: Reserved::starting(serial),
            lists: Reserved::starting(list),
            stored: (serial, list),
            sealed: (serial, list),
            version,
        })
    }

    /// Opens a stored agent; it goes on behind the numbers that were reserved.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore(device: &Device, floor: u32, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<{ Self::BLOB_MAX }>::zero();
        let opened = state::open(device, Kind::TicketAgent, floor, blob, text.as_mut());
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        let mut r = Reader::new(text);
        let mut read = || -> Result<_, Dropped> { Ok((r.short(NAME_MAX)?, r.u32()?, r.u32()?)) };
        let (name, serial, list) = read().map_err(|_| Error::BadBlob)?;
        r.end().map_err(|_| Error::BadBlob)?;
        let name = str::from_utf8(name).map_err(|_| Error::BadBlob)?;
        Self::at(name, serial, list, version).map_err(|_| Error::BadBlob)
    }

    /// Reserves numbers and seals the agent into `out`: store it, then call [`persisted`](Self::persisted). The blob's
    /// length and version.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let (mut serials, mut lists) = (self.serials, self.lists);
        serials.reserve(BLOCK);
        lists.reserve(BLOCK);
        let mut w = Writer::new(out.get_mut(state::OVERHEAD..).unwrap_or_default());
        w.short(self.name().as_bytes()).put(&serials.limit().to_be_bytes()).put(&lists.limit().to_be_bytes());
        let needed = |len: usize| Error::BufferTooSmall { needed: len.saturating_add(state::OVERHEAD) };
        let len = w.finish().map_err(needed)?;
        let version = self.version.saturating_add(1);
        let sealed = state::seal(device, Kind::TicketAgent, version, out, len)?;
        (self.serials, self.lists, self.version) = (serials, lists, version);
        self.sealed = (serials.limit(), lists.limit());
        Ok((sealed, version))
    }

    /// What [`seal`](Self::seal) gave last is stored.
    pub const fn persisted(&mut self) {
        self.stored = self.sealed;
    }

    /// The agent's name.
    pub fn name(&self) -> &str {
        self.name.get(..self.name_len).and_then(|name| str::from_utf8(name).ok()).unwrap_or_default()
    }

    /// Issues a ticket into `out`; its length. `now` is seconds since 1970.
    ///
    /// # Errors
    /// [`IssueError`]; [`IssueError::Unstored`] before the first number is stored and once in 256 tickets.
    pub fn issue(
        &mut self,
        signer: &dyn Signer,
        now: u64,
        request: &Request<'_>,
        out: &mut [u8],
    ) -> Result<usize, IssueError> {
        let mut serials = self.serials;
        let serial = next(&mut serials, self.stored.0)?;
        let claims = Claims {
            issuer: self.name(),
            subject: request.subject,
            expires: now.checked_add(request.lifetime).ok_or(Refused::Claims)?,
            not_before: None,
            issued_at: now,
            serial,
            key: request.key,
            scope: request.scope,
        };
        let len = Ticket::issue(signer, &claims, out)?;
        self.serials = serials;
        Ok(len)
    }

    /// Numbers something else that this agent issues: what `issue` makes of a number of its own, which is never given again
    /// unless that fails.
    ///
    /// # Errors
    /// [`IssueError::Unstored`] as of [`issue`](Self::issue); what `issue` says.
    pub fn number<T>(&mut self, issue: impl FnOnce(u32) -> Result<T, IssueError>) -> Result<T, IssueError> {
        let mut serials = self.serials;
        let issued = issue(next(&mut serials, self.stored.0)?)?;
        self.serials = serials;
        Ok(issued)
    }

    /// Issues a revocation list into `out`; its length. `serials` rise; those of tickets that are over need not be there.
    ///
    /// # Errors
    /// [`IssueError`], as of [`issue`](Self::issue).
    pub fn revoke(
        &mut self,
        signer: &dyn Signer,
        now: u64,
        serials: &[u32],
        out: &mut [u8],
    ) -> Result<usize, IssueError> {
        let mut lists = self.lists;
        let number = next(&mut lists, self.stored.1)?;
        let len = RevocationList::issue(signer, self.name(), now, number, serials, out)?;
        self.lists = lists;
        Ok(len)
    }
}

/// The next number, if it is below what is stored.
fn next(numbers: &mut Reserved, stored: u32) -> Result<u32, IssueError> {
    if numbers.next() >= stored {
        return Err(IssueError::Unstored);
    }
    Ok(numbers.take(0).0)
}
