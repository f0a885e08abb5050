//! The operator: knows its devices and when their tickets or credentials end, and sees to it that the next one is there
//! before.
//!
//! Nothing of it need be stored: after a start the caller says again which tickets it has
//! ([`knows`](Operator::knows), [`issued`](Operator::issued)). An acknowledgement forgotten that way costs one more push.
//!
//! Of credentials it is told by [`holds`](Operator::holds) and [`waits`](Operator::waits), and who is asked is the device
//! itself ([`Message::CredentialDue`]): a part of its next key is its own.

use super::message::{Acknowledged, Message};
use super::ticket::{NAME_MAX, Reference, Ticket, is_name};
use crate::association::Error;

/// A device's name in memory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Name {
    len: usize,
    bytes: [u8; NAME_MAX],
}

impl Name {
    const NONE: Self = Self { len: 0, bytes: [0; NAME_MAX] };

    fn new(name: &str) -> Result<Self, Error> {
        let mut bytes = [0; NAME_MAX];
        let len = crate::engine::wire::copy(&mut bytes, name.as_bytes());
        if is_name(name) { Ok(Self { len, bytes }) } else { Err(Error::BadArgument) }
    }

    fn as_str(&self) -> &str {
        self.bytes.get(..self.len).and_then(|name| core::str::from_utf8(name).ok()).unwrap_or_default()
    }
}

/// How far a device's next ticket has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There is none, and none was asked for.
    None,
    /// The agent was asked at that time (seconds since 1970).
    Asked(u64),
    /// It waits for the device.
    Waiting {
        /// What stands for it.
        ticket: Reference,
        /// When it ends, in seconds since 1970.
        expires: u64,
    },
}

/// One device; lies in the caller's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    name: Name,
    expires: u64,
    next: Next,
}

impl Entry {
    /// A free place.
    pub const FREE: Self = Self { name: Name::NONE, expires: 0, next: Next::None };

    /// The device's name; empty: a free place.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
    /// When the ticket or the credential that it holds ends, in seconds since 1970.
    pub const fn expires(&self) -> u64 {
        self.expires
    }
    /// How far the next one is.
    pub const fn next(&self) -> Next {
        self.next
    }
}

/// An operator's view of its devices, in memory of the caller's: one [`Entry`] each.
#[derive(Debug)]
pub struct Operator<E> {
    entries: E,
    lead: u64,
    retry: u64,
}

impl<E: AsRef<[Entry]> + AsMut<[Entry]>> Operator<E> {
    /// `lead`: how long before a ticket's end the next one is asked for; `retry`: after how long without an answer it is
    /// asked for again; both in seconds.
    pub const fn new(entries: E, lead: u64, retry: u64) -> Self {
        Self { entries, lead, retry }
    }

    /// The devices, free places among them.
    pub fn entries(&self) -> &[Entry] {
        self.entries.as_ref()
    }

    /// A device and the ticket that it holds.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn knows(&mut self, ticket: &Ticket<'_>) -> Result<(), Error> {
        let claims = ticket.claims();
        self.holds(claims.subject, claims.expires)
    }

    /// A device, and when what it holds ends, in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::Full`]; [`Error::BadArgument`] for what is no device's name.
    pub fn holds(&mut self, name: &str, expires: u64) -> Result<(), Error> {
        let name = Name::new(name)?;
        let entries = self.entries.as_mut();
        let known = entries.iter().position(|e| e.name == name);
        let place = known.or_else(|| entries.iter().position(|e| *e == Entry::FREE)).ok_or(Error::Full)?;
        let entry = entries.get_mut(place).ok_or(Error::Full)?;
        if expires >= entry.expires {
            *entry = Entry { name, expires, next: Next::None };
        }
        Ok(())
    }

    /// Drops a device.
    pub fn forget(&mut self, name: &str) {
        if let Some(entry) = self.find(name) {
            *entry = Entry::FREE;
        }
    }

    fn find(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.as_mut().iter_mut().find(|e| !name.is_empty() && e.name() == name)
    }

    /// The device whose next ticket is to be asked for now, the most urgent first: send a
    /// [`Request`](super::message::Request) (for a credential, and to the device, [`Message::CredentialDue`]), then ask here
    /// again. `now` is seconds since 1970.
    pub fn ask(&mut self, now: u64) -> Option<&str> {
        let (lead, retry) = (self.lead, self.retry);
        let due = |e: &&mut Entry| {
            *e != &Entry::FREE
                && e.expires <= now.saturating_add(lead)
                && match e.next {
                    Next::None => true,
                    Next::Asked(at) => now >= at.saturating_add(retry),
                    Next::Waiting { .. } => false,
                }
        };
        let entry = self.entries.as_mut().iter_mut().filter(due).min_by_key(|e| e.expires)?;
        entry.next = Next::Asked(now);
        Some(entry.name())
    }

    /// When [`ask`](Self::ask) will have something, in seconds since 1970.
    pub fn wake_at(&self) -> Option<u64> {
        let at = |e: &Entry| match e.next {
            Next::None => Some(e.expires.saturating_sub(self.lead)),
            Next::Asked(at) => Some(at.saturating_add(self.retry)),
            Next::Waiting { .. } => None,
        };
        self.entries().iter().filter(|e| **e != Entry::FREE).filter_map(at).min()
    }

    /// The agent's answer: a verified ticket for one of the devices, which the caller keeps until it is acknowledged.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where there is no such device, or where it has one that ends later.
    pub fn issued(&mut self, ticket: &Ticket<'_>) -> Result<(), Error> {
        let claims = ticket.claims();
        let newest = match self.find(claims.subject).ok_or(Error::BadArgument)? {
            Entry { next: Next::Waiting { expires, .. }, .. } | Entry { expires, .. } => *expires,
        };
        if claims.expires <= newest {
            return Err(Error::BadArgument);
        }
        self.waits(claims.subject, ticket.reference(), claims.expires)
    }

    /// What this reference stands for waits for a device until it is acknowledged, in place of what waited before: that was
    /// the answer to a request that the device has lost. `expires` is in seconds since 1970.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where there is no such device.
    pub fn waits(&mut self, name: &str, reference: Reference, expires: u64) -> Result<(), Error> {
        let entry = self.find(name).ok_or(Error::BadArgument)?;
        entry.next = Next::Waiting { ticket: reference, expires };
        Ok(())
    }

    /// What waits for a device that an association with has come up: the caller sends that ticket as
    /// [`Message::Ticket`], now and each time that the association comes up, until it is acknowledged.
    pub fn waiting_for(&self, name: &str) -> Option<Reference> {
        let entry = self.entries().iter().find(|e| !name.is_empty() && e.name() == name)?;
        match entry.next {
            Next::Waiting { ticket, .. } => Some(ticket),
            _ => None,
        }
    }

    /// A message from the device of that name, over its association. Whether its next ticket is now acknowledged.
    pub fn handle(&mut self, name: &str, message: &Message<'_>) -> bool {
        let Message::Acknowledged(Acknowledged { ticket: held, .. }) = message else { return false };
        let Some(entry) = self.find(name) else { return false };
        match entry.next {
            Next::Waiting { ticket, expires } if ticket == *held => {
                entry.expires = expires;
                entry.next = Next::None;
                true
            }
            _ => false,
        }
    }
}
