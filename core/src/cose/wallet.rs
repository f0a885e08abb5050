//! The device's wallet: its own tickets (both in the overlap), the newest revocation list, the floor time.

use super::message::{Acknowledged, Message};
use super::revocation::RevocationList;
use super::sign1::Refused;
use super::ticket::{Agent, Reference, Ticket, is_name, seconds};
use crate::association::{Device, Error, UnixTime};
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{self, Reader, Writer};

/// Bytes of a signed object in memory of its own; none where empty.
#[derive(Clone, Debug)]
struct Held<B> {
    len: usize,
    bytes: B,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Held<B> {
    const fn none(bytes: B) -> Self {
        Self { len: 0, bytes }
    }

    fn has_room_for(&self, bytes: &[u8]) -> bool {
        bytes.len() <= self.bytes.as_ref().len()
    }

    /// Takes what there is room for.
    fn set(&mut self, bytes: &[u8]) {
        self.len = wire::copy(self.bytes.as_mut(), bytes);
    }

    fn get(&self) -> &[u8] {
        self.bytes.as_ref().get(..self.len).unwrap_or_default()
    }

    fn put(&self, w: &mut Writer<'_>) {
        w.put(&(self.len as u32).to_be_bytes()).put(self.get());
    }

    fn take(&mut self, r: &mut Reader<'_>) -> Result<(), Dropped> {
        let len = usize::try_from(r.u32()?).map_err(|_| Dropped::Malformed)?;
        let bytes = r.take(len)?;
        self.set(bytes);
        if self.len == len { Ok(()) } else { Err(Dropped::Malformed) }
    }
}

/// Why a wallet did not take something. It is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not acceptable.
    Refused(Refused),
    /// It is longer than the memory for it.
    Full,
}

impl From<Refused> for NotTaken {
    fn from(reason: Refused) -> Self {
        Self::Refused(reason)
    }
}

/// What a device holds: `T` bytes for each of two tickets ([`TICKET_MAX`](super::ticket::TICKET_MAX)), `L` for the list
/// ([`LIST_OVERHEAD`](super::revocation::LIST_OVERHEAD) and four for each serial).
pub type Wallet<'n, const T: usize, const L: usize> = WalletIn<'n, [u8; T], [u8; L]>;

/// A [`Wallet`] in memory of the caller's: `T` for each of two tickets, `L` for the list.
///
/// Whatever changes it is stored before it is acknowledged: [`needs_store`](Self::needs_store), [`seal`](Self::seal), the
/// caller's storage, [`persisted`](Self::persisted), [`acknowledgement`](Self::acknowledgement).
#[derive(Clone, Debug)]
pub struct WalletIn<'n, T, L> {
    agent: Agent<'n>,
    me: &'n str,
    /// The one that ends later.
    newest: Held<T>,
    older: Held<T>,
    list: Held<L>,
    floor: u64,
    changes: u32,
    /// Changes and floor, as they were sealed last and as they are stored.
    sealed: (u32, u64),
    stored: (u32, u64),
    version: u32,
}

/// A floor that rose by less, in seconds, is not worth a write of its own.
const FLOOR_STEP: u64 = 3600;

/// Bytes of a wallet's blob besides its tickets and its list.
pub const BLOB_OVERHEAD: usize = state::OVERHEAD + 8 + 3 * 4;

impl<'n, const T: usize, const L: usize> Wallet<'n, T, L> {
    /// Longest blob in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = BLOB_OVERHEAD + 2 * T + L;

    /// An empty wallet of the device `me`, which goes by `agent`.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for names that no ticket can have.
    pub fn new(agent: Agent<'n>, me: &'n str) -> Result<Self, Error> {
        Self::within(agent, me, [[0; T]; 2], [0; L])
    }

    /// Opens a stored wallet, in `work`: as much memory as the blob has bytes. `floor` is the value of the slot's
    /// monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// [`Error::BadBlob`] (also where it is another device's or goes by another agent), [`Error::BlobRolledBack`].
    pub fn restore(
        agent: Agent<'n>,
        me: &'n str,
        device: &Device,
        floor: u32,
        blob: &[u8],
        work: &mut [u8],
    ) -> Result<Self, Error> {
        let mut wallet = Self::new(agent, me)?;
        wallet.open(device, floor, blob, work)?;
        Ok(wallet)
    }
}

impl<'n, T: AsRef<[u8]> + AsMut<[u8]>, L: AsRef<[u8]> + AsMut<[u8]>> WalletIn<'n, T, L> {
    /// An empty wallet in this memory.
    ///
    /// # Errors
    /// As [`new`](Wallet::new).
    pub fn within(agent: Agent<'n>, me: &'n str, tickets: [T; 2], list: L) -> Result<Self, Error> {
        if !is_name(me) || !is_name(agent.name) {
            return Err(Error::BadArgument);
        }
        let [newest, older] = tickets;
        Ok(Self {
            agent,
            me,
            newest: Held::none(newest),
            older: Held::none(older),
            list: Held::none(list),
            floor: 0,
            changes: 0,
            sealed: (0, 0),
            stored: (0, 0),
            version: 0,
        })
    }

    /// Takes in what is stored, where it is empty: see [`restore`](Wallet::restore). It is empty still where this fails.
    ///
    /// # Errors
    /// As there; [`Error::WrongState`] where something is here already.
    pub fn open(&mut self, device: &Device, floor: u32, blob: &[u8], work: &mut [u8]) -> Result<(), Error> {
        if self.version != 0 || self.floor != 0 || self.list.len != 0 {
            return Err(Error::WrongState);
        }
        let opened = state::open(device, Kind::Wallet, floor, blob, work);
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let text = work.get(..len).ok_or(Error::BadBlob)?;
        if self.read(text).is_err() || !self.is_good() {
            (self.newest.len, self.older.len, self.list.len, self.floor) = (0, 0, 0, 0);
            return Err(Error::BadBlob);
        }
        self.stored = (0, self.floor);
        self.sealed = self.stored;
        self.version = version;
        Ok(())
    }

    fn read(&mut self, text: &[u8]) -> Result<(), Dropped> {
        let mut r = Reader::new(text);
        self.floor = r.u64()?;
        self.newest.take(&mut r)?;
        self.older.take(&mut r)?;
        self.list.take(&mut r)?;
        r.end()
    }

    /// Whether the agent vouches for all that is here, and the tickets are this device's.
    fn is_good(&self) -> bool {
        let own = |held: &Held<T>| {
            let verified = Ticket::verify(held.get(), &self.agent);
            held.len == 0 || verified.is_ok_and(|ticket| ticket.claims().subject == self.me)
        };
        let list = self.list.len == 0 || RevocationList::verify(self.list.get(), &self.agent).is_ok();
        own(&self.newest) && own(&self.older) && list
    }

    /// Seals the wallet into `out`: store it, then call [`persisted`](Self::persisted). The blob's length and version.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let mut w = Writer::new(out.get_mut(state::OVERHEAD..).unwrap_or_default());
        w.put(&self.floor.to_be_bytes());
        self.newest.put(&mut w);
        self.older.put(&mut w);
        self.list.put(&mut w);
        let needed = |len: usize| Error::BufferTooSmall { needed: len.saturating_add(state::OVERHEAD) };
        let len = w.finish().map_err(needed)?;
        let version = self.version.saturating_add(1);
        let sealed = state::seal(device, Kind::Wallet, version, out, len)?;
        self.version = version;
        self.sealed = (self.changes, self.floor);
        Ok((sealed, version))
    }

    /// What [`seal`](Self::seal) gave last is stored.
    pub const fn persisted(&mut self) {
        self.stored = self.sealed;
    }

    /// Whether there is something to store: a ticket, a list, or a floor that rose by an hour or more.
    pub const fn needs_store(&self) -> bool {
        self.is_dirty() || self.floor.saturating_sub(self.stored.1) >= FLOOR_STEP
    }

    const fn is_dirty(&self) -> bool {
        self.changes != self.stored.0
    }

    /// The agent.
    pub const fn agent(&self) -> &Agent<'n> {
        &self.agent
    }

    /// The newest time of issue of anything the agent signed, in seconds since 1970: it is at least that late.
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// Takes one of this device's tickets in. Whether it is new; the oldest of three goes.
    ///
    /// # Errors
    /// [`NotTaken`]; [`Refused::Older`] for one that ends before the two here.
    pub fn install(&mut self, ticket: &[u8], wall: Option<UnixTime>) -> Result<bool, NotTaken> {
        let new = Ticket::verify(ticket, &self.agent)?;
        if new.claims().subject != self.me {
            return Err(Refused::Subject.into());
        }
        let floor = self.floor.max(new.claims().issued_at);
        // One that begins later may wait here.
        if let Err(reason @ Refused::Expired) = new.valid_at(wall.map(seconds), floor) {
            return Err(reason.into());
        }
        self.not_revoked(&new)?;
        if [&self.newest, &self.older].iter().any(|held| held.get() == ticket) {
            return Ok(false);
        }
        let ends = |held: &Held<T>| Ticket::peek(held.get()).map_or(0, |ticket| ticket.claims().expires);
        if !self.older.has_room_for(ticket) || !self.newest.has_room_for(ticket) {
            return Err(NotTaken::Full);
        }
        if new.claims().expires >= ends(&self.newest) {
            core::mem::swap(&mut self.newest, &mut self.older);
            self.newest.set(ticket);
        } else if new.claims().expires > ends(&self.older) {
            self.older.set(ticket);
        } else {
            return Err(Refused::Older.into());
        }
        self.floor = floor;
        self.changes = self.changes.wrapping_add(1);
        Ok(true)
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// # Errors
    /// [`NotTaken`]; [`Refused::Older`] for a lower number than the one here has.
    pub fn revoke(&mut self, list: &[u8]) -> Result<bool, NotTaken> {
        let new = RevocationList::verify(list, &self.agent)?;
        if new.number() < self.list_number() {
            return Err(Refused::Older.into());
        }
        if self.list.get() == list {
            return Ok(false);
        }
        if new.number() == self.list_number() {
            return Err(Refused::Older.into());
        }
        if !self.list.has_room_for(list) {
            return Err(NotTaken::Full);
        }
        self.list.set(list);
        self.floor = self.floor.max(new.issued_at());
        self.changes = self.changes.wrapping_add(1);
        Ok(true)
    }

    fn list(&self) -> Option<RevocationList<'_>> {
        RevocationList::peek(self.list.get()).ok()
    }

    /// The newest revocation list, as it came; empty: none.
    pub fn list_bytes(&self) -> &[u8] {
        self.list.get()
    }

    /// The number of the revocation list; 0: none.
    pub fn list_number(&self) -> u32 {
        self.list().map_or(0, |list| list.number())
    }

    /// Whether the revocation list names that number.
    pub fn has_revoked(&self, serial: u32) -> bool {
        self.list().is_some_and(|list| list.contains(serial))
    }

    fn not_revoked(&self, ticket: &Ticket<'_>) -> Result<(), Refused> {
        if self.has_revoked(ticket.claims().serial) { Err(Refused::Revoked) } else { Ok(()) }
    }

    /// Its own ticket to show now: the one that ends later, where it has begun. `None`: there is none that is valid.
    pub fn ticket(&self, wall: Option<UnixTime>) -> Option<Ticket<'_>> {
        let good = |ticket: &Ticket<'_>| {
            ticket.valid_at(wall.map(seconds), self.floor).is_ok() && self.not_revoked(ticket).is_ok()
        };
        self.tickets().find(good)
    }

    /// Its own tickets, valid or not, the one that ends later first.
    pub fn tickets(&self) -> impl Iterator<Item = Ticket<'_>> {
        [&self.newest, &self.older].into_iter().filter_map(|held| Ticket::peek(held.get()).ok())
    }

    /// Its own ticket that this reference stands for.
    pub fn named(&self, reference: Reference) -> Option<Ticket<'_>> {
        self.tickets().find(|ticket| ticket.reference() == reference)
    }

    /// Checks a peer's ticket: agent, signature, end, revocation. Nothing has changed afterwards: a ticket alone does not
    /// say who showed it; whoever has authenticated its owner says so ([`saw`](Self::saw)).
    ///
    /// # Errors
    /// [`Refused`].
    pub fn check<'t>(&self, ticket: &'t [u8], wall: Option<UnixTime>) -> Result<Ticket<'t>, Refused> {
        let verified = Ticket::verify(ticket, &self.agent)?;
        self.still_good(&verified, wall)?;
        Ok(verified)
    }

    /// The owner of a checked ticket has shown to be it: it is at least as late as the agent issued that.
    pub fn saw(&mut self, ticket: &Ticket<'_>) {
        self.floor = self.floor.max(ticket.claims().issued_at);
    }

    /// Whether a ticket that was checked before is still good.
    ///
    /// # Errors
    /// [`Refused::Expired`], [`Refused::NotYetValid`], [`Refused::Revoked`].
    pub fn still_good(&self, ticket: &Ticket<'_>, wall: Option<UnixTime>) -> Result<(), Refused> {
        ticket.valid_at(wall.map(seconds), self.floor)?;
        self.not_revoked(ticket)
    }

    /// A message from the operator: a ticket or a revocation list is taken in. Whether an acknowledgement is due, once
    /// nothing [`needs_store`](Self::needs_store); a push that came before is acknowledged again.
    ///
    /// # Errors
    /// [`NotTaken`]: answer [`Message::Refused`].
    pub fn handle(&mut self, message: &Message<'_>, wall: Option<UnixTime>) -> Result<bool, NotTaken> {
        match message {
            Message::Ticket(ticket) => self.install(ticket, wall).map(|_| true),
            Message::List(list) => self.revoke(list).map(|_| true),
            _ => Ok(false),
        }
    }

    /// What to tell the operator; `None` while the newest is not stored, or where there is no ticket.
    pub fn acknowledgement(&self) -> Option<Message<'static>> {
        if self.is_dirty() {
            return None;
        }
        let ticket = self.tickets().next()?.reference();
        Some(Message::Acknowledged(Acknowledged { ticket, list: self.list_number() }))
    }
}
