//! A hub: one socket, many associations, bounded memory.
//!
//! ```text
//! record, resume    by connection id: the hub's ids are the places' numbers
//! first message     by the name in it (history: the hint); unknown names by a rate-limited search
//! other handshake   by address, as noted when the run's first message was routed, or sent
//! under load        an address that has not shown that it receives gets a cookie request, and nothing else happens
//! ```
//!
//! All memory is the caller's: a place for each association, a timer for each, and routes (sixteen for each association
//! are plenty; the table forgets old ones, it never grows). A datagram costs one lookup, however many associations there are.

use crate::association::{Addr, Association, Cx, Error, Instant, Output, Received, Sent, Slot, StoreError};
use crate::crypto::Secret;
use crate::engine::cookie;
use crate::engine::drops::{Dropped, Drops};
use crate::engine::memory::Scratch;
use crate::engine::session::ConnectionId;
use crate::engine::timers::{Timer, Timers};
use crate::engine::wire::{self, Kind, classify, engine};
use crate::engine::{Endpoint, Scheme};
use core::marker::PhantomData;
use routes::{Routes, WAYS};

pub use routes::Route;

/// Reads the name in a first message of a scheme's, if it is one.
pub type Namer = fn(&[u8]) -> Option<u32>;

/// What a hub needs to know of an association to route to it.
pub trait Routed: Association {
    /// Its scheme's number, and how a name is read in that scheme's first messages: the same for all of a scheme.
    fn namer(&self) -> (u8, Namer);
    /// Whether that first message names this association. Names are short: two may have the same.
    fn is_named(&mut self, message: &[u8]) -> bool;
    /// Whether that first message is this association's peer's beyond doubt.
    fn is_from_peer(&mut self, message: &[u8]) -> bool;
    /// The names under which a first message may come next.
    fn names(&mut self, name: &mut dyn FnMut(u32));
    /// Changes when the names do.
    fn names_version(&self) -> u32;
    /// Takes the connection id that the hub gives it.
    ///
    /// # Errors
    /// [`Error::WrongState`] where the peer knows another one already, of a session or a run: nothing has changed.
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error>;
    /// Whether a run with this address is under way.
    fn has_run_with(&self, addr: &Addr) -> bool;
    /// Whether any run is under way.
    fn is_busy(&self) -> bool;
}

impl<S: Scheme, M: Scratch<S>> Routed for Endpoint<S, M> {
    fn namer(&self) -> (u8, Namer) {
        (S::NUMBER, S::first_name)
    }
    fn is_named(&mut self, message: &[u8]) -> bool {
        self.scheme.is_named(message)
    }
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        self.scheme.is_from_peer(message)
    }
    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        self.scheme.names(name);
    }
    fn names_version(&self) -> u32 {
        self.scheme.names_version()
    }
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        if self.config.cid != cid && (self.session().is_some() || self.is_busy()) {
            return Err(Error::WrongState);
        }
        self.config.cid = cid;
        Ok(())
    }
    fn has_run_with(&self, addr: &Addr) -> bool {
        let memory = self.memory.as_ref().filter(|_| !self.idle);
        memory.is_some_and(|m| m.halves().iter().any(|h| h.run.is_some() && h.flight.to == *addr))
    }
    fn is_busy(&self) -> bool {
        let memory = self.memory.as_ref().filter(|_| !self.idle);
        memory.is_some_and(|m| m.halves().iter().any(|h| h.run.is_some()))
    }
}

/// A place for one association.
#[derive(Debug)]
pub struct Place<A> {
    association: Option<A>,
    names_version: u32,
    busy: bool,
    /// Runs or names may have changed since [`Hub::settle`] looked at them.
    unsettled: bool,
    /// Whether its timer is set.
    timed: bool,
    queued: bool,
    next_queued: u32,
}

impl<A> Place<A> {
    /// A free place.
    pub const fn free() -> Self {
        Self {
            association: None,
            names_version: 0,
            busy: false,
            unsettled: false,
            timed: false,
            queued: false,
            next_queued: NONE,
        }
    }
}

const NONE: u32 = u32::MAX;
/// The engine and the schemes have numbers below this.
const SCHEMES: usize = 8;
/// Places that one search for an unknown name looks at, at most.
const SEARCH: usize = 8192;
/// Time between two searches in ms.
const SEARCH_EVERY: u64 = 250;

/// What a hub is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Associations with a run under way above which strangers are asked for a cookie first.
    pub busy: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { busy: 64 }
    }
}

/// The hub over a caller's memory: `P` are [`Place`]s, `T` as many [`Timer`]s, `R` [`Route`]s.
#[derive(Debug)]
pub struct Hub<A, P, T, R> {
    associations: PhantomData<A>,
    places: P,
    timers: Timers<T>,
    routes: Routes<R>,
    limits: Limits,
    cid_len: usize,
    first_queued: u32,
    last_queued: u32,
    cursor: usize,
    busy: u32,
    search_at: Instant,
    search_from: usize,
    cookie_to: Option<Addr>,
    drops: Drops,
    /// Of the schemes that have joined: others' first messages are nobody's, and their readers are not linked.
    namers: [Option<Namer>; SCHEMES],
}

impl<A, P, T, R> Hub<A, P, T, R>
where
    A: Routed,
    P: AsRef<[Place<A>]> + AsMut<[Place<A>]>,
    T: AsRef<[Timer]> + AsMut<[Timer]>,
    R: AsRef<[Route]> + AsMut<[Route]>,
{
    /// An empty hub in this memory.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where there are no places, fewer timers than places, or no routes; [`Error::Rng`].
    pub fn new(cx: &mut Cx<'_>, places: P, timers: T, routes: R, limits: Limits) -> Result<Self, Error> {
        let count = places.as_ref().len();
        if count == 0 || count >= NONE as usize || timers.as_ref().len() < count || routes.as_ref().len() < WAYS {
            return Err(Error::BadArgument);
        }
        let mut key = Secret::zero();
        cx.rng.fill(key.as_mut())?;
        let cid_len = match count {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            0x1_0001..=0x100_0000 => 3,
            _ => 4,
        };
        Ok(Self {
            associations: PhantomData,
            places,
            timers: Timers::new(timers),
            routes: Routes::new(key, routes),
            limits,
            cid_len,
            first_queued: NONE,
            last_queued: NONE,
            cursor: 0,
            busy: 0,
            search_at: Instant(0),
            search_from: 0,
            cookie_to: None,
            drops: Drops::new(),
            namers: [None; SCHEMES],
        })
    }

    /// Takes an association in and gives it its connection id; its place. Let it join before it connects or is restored:
    /// the peer sends to the connection id that it was told then.
    ///
    /// # Errors
    /// The association back, and why: [`Error::Full`] where all places are taken; [`Error::WrongState`] where it has a session
    /// or a run under another connection id: put it where it was ([`insert_at`](Self::insert_at)), or end that
    /// ([`close`](Endpoint::close), [`wipe`](Endpoint::wipe)).
    pub fn insert(&mut self, association: A) -> Result<usize, (A, Error)> {
        let places = self.places.as_mut();
        let count = places.len();
        let from = self.cursor;
        let mut order = (from..count).chain(0..from);
        let Some(index) = order.find(|i| places.get(*i).is_some_and(|p| p.association.is_none())) else {
            return Err((association, Error::Full));
        };
        self.insert_at(index, association)?;
        self.cursor = index.saturating_add(1);
        Ok(index)
    }

    /// Takes an association in at a place of the caller's choice. After a restart an association goes to the place that
    /// it had, so that the connection id in its stored session is still its own.
    ///
    /// # Errors
    /// As [`insert`](Self::insert); [`Error::Full`] where the place is taken or does not exist.
    pub fn insert_at(&mut self, index: usize, mut association: A) -> Result<(), (A, Error)> {
        let cid = self.cid(index);
        let Some(place) = self.places.as_mut().get_mut(index).filter(|place| place.association.is_none()) else {
            return Err((association, Error::Full));
        };
        if let Err(error) = association.set_connection_id(cid) {
            return Err((association, error));
        }
        // Another than it has: whatever that is, its names are not known here yet.
        place.names_version = association.names_version().wrapping_sub(1);
        let (scheme, namer) = association.namer();
        if let Some(known) = self.namers.get_mut(usize::from(scheme)) {
            *known = Some(namer);
        }
        place.association = Some(association);
        self.after(index);
        Ok(())
    }

    /// Takes an association out.
    pub fn remove(&mut self, index: usize) -> Option<A> {
        let place = self.places.as_mut().get_mut(index)?;
        let association = place.association.take()?;
        if core::mem::take(&mut place.busy) {
            self.busy = self.busy.saturating_sub(1);
        }
        self.cursor = self.cursor.min(index);
        place.timed = false;
        self.timers.set(index, None);
        Some(association)
    }

    /// The association in a place.
    pub fn get(&self, index: usize) -> Option<&A> {
        self.places.as_ref().get(index)?.association.as_ref()
    }

    /// Calls an association's own verbs (connect, update, ...) and notes what it wants to do afterwards. Use this, never
    /// a way around it: outputs are found by it.
    pub fn with<X>(&mut self, index: usize, f: impl FnOnce(&mut A) -> X) -> Option<X> {
        let x = f(self.places.as_mut().get_mut(index)?.association.as_mut()?);
        self.after(index);
        Some(x)
    }

    /// How many associations it can hold.
    pub fn capacity(&self) -> usize {
        self.places.as_ref().len()
    }

    /// What the hub itself dropped, by reason; associations count theirs.
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// Seals a payload of the association in this place: see [`Association::send`].
    ///
    /// # Errors
    /// As there; [`Error::BadArgument`] for an empty place.
    pub fn send<'o>(
        &mut self,
        index: usize,
        cx: &mut Cx<'_>,
        payload: &[u8],
        out: &'o mut [u8],
    ) -> Result<Sent<'o>, Error> {
        self.enqueue(index);
        let place = self.places.as_mut().get_mut(index).ok_or(Error::BadArgument)?;
        place.association.as_mut().ok_or(Error::BadArgument)?.send(cx, payload, out)
    }

    /// Takes in a datagram and finds its association: which one, and what it got for the application.
    ///
    /// # Errors
    /// As [`Association::handle_input`].
    pub fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<(usize, Received<'b>)>, Error>
    where
        A: 'b,
    {
        let index = match self.route(cx, from, datagram) {
            Ok(index) => index,
            Err(reason) => {
                self.drops.count(reason);
                return Ok(None);
            }
        };
        self.enqueue(index);
        let record = matches!(classify(datagram), Ok(Kind::Record));
        if !record {
            self.routes.remember(self.routes.hash(&[from.as_bytes()]), index);
        }
        let place = self.places.as_mut().get_mut(index).ok_or(Error::BadArgument)?;
        let Place { association, busy, unsettled, .. } = place;
        let received = association.as_mut().ok_or(Error::BadArgument)?.handle_input(cx, from, datagram);
        // What an association without a run hands to the application starts none, and renames nobody: what most datagrams
        // are need not fetch all that would have to be looked at.
        *unsettled |= !record || *busy || !matches!(received, Ok(Some(_)));
        Ok(received?.map(|received| (index, received)))
    }

    /// Does what is due at `cx.now`, association by association; poll until idle after each call, and call again while
    /// the wake-up time it gives has passed.
    ///
    /// # Errors
    /// As [`Association::handle_timeout`].
    pub fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        let Some((at, index)) = self.timers.next() else { return Ok(()) };
        if at > cx.now {
            return Ok(());
        }
        self.enqueue(index);
        match self.places.as_mut().get_mut(index) {
            Some(Place { association: Some(association), unsettled, .. }) => {
                *unsettled = true;
                association.handle_timeout(cx)
            }
            _ => {
                self.timers.set(index, None);
                Ok(())
            }
        }
    }

    /// The answer to [`Output::Persist`] of the association in this place.
    pub fn persisted(&mut self, index: usize, slot: Slot, stored: Result<(), StoreError>) {
        self.with(index, |association| association.persisted(slot, stored));
    }

    /// The next thing to do, and whose it is; `None` where it is the hub's own (a cookie request, or idle).
    pub fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> (Option<usize>, Output<'o>) {
        if let Some(to) = self.cookie_to {
            let request = cookie::request(cx.device, cx.now, &to);
            if out.len() < request.len() {
                return (None, Output::BufferTooSmall { needed: request.len() });
            }
            self.cookie_to = None;
            let len = wire::copy(out, &request);
            return (None, Output::Datagram { to, bytes: out.get(..len).unwrap_or(&[]) });
        }
        // The borrow checker does not see that an idle output borrows nothing: find who has something first.
        while self.first_queued != NONE {
            let index = self.first_queued as usize;
            let Some(association) = self.places.as_mut().get_mut(index).and_then(|p| p.association.as_mut()) else {
                self.dequeue();
                continue;
            };
            let idle = match association.poll(cx, out) {
                Output::Idle { wake_at } => Some(wake_at),
                Output::Datagram { to, bytes } => {
                    let len = bytes.len();
                    // Where this side starts a run, the answers come from there.
                    if !matches!(classify(bytes), Ok(Kind::Record)) {
                        self.routes.remember(self.routes.hash(&[to.as_bytes()]), index);
                    }
                    return (Some(index), Output::Datagram { to, bytes: out.get(..len).unwrap_or(&[]) });
                }
                Output::Persist { slot, version, bytes } => {
                    let len = bytes.len();
                    return (Some(index), Output::Persist { slot, version, bytes: out.get(..len).unwrap_or(&[]) });
                }
                Output::Event(event) => return (Some(index), Output::Event(event)),
                Output::BufferTooSmall { needed } => return (Some(index), Output::BufferTooSmall { needed }),
            };
            if let Some(wake_at) = idle {
                self.idle(index, wake_at);
            }
        }
        (None, Output::Idle { wake_at: self.timers.next().map(|(at, _)| at) })
    }

    // ---- routing ----

    fn cid(&self, index: usize) -> ConnectionId {
        let bytes = (index as u32).to_be_bytes();
        let start = bytes.len().saturating_sub(self.cid_len);
        ConnectionId::new(bytes.get(start..).unwrap_or(&[])).unwrap_or_default()
    }

    fn by_cid(&self, datagram: &[u8], start: usize) -> Result<usize, Dropped> {
        let cid = datagram.get(start..start.saturating_add(self.cid_len)).ok_or(Dropped::Malformed)?;
        let index = cid.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
        if self.get(index).is_some() { Ok(index) } else { Err(Dropped::NoKey) }
    }

    fn route(&mut self, cx: &Cx<'_>, from: &Addr, datagram: &[u8]) -> Result<usize, Dropped> {
        let kind = classify(datagram)?;
        let (message, proven) = match kind {
            Kind::Record => return self.by_cid(datagram, 1),
            Kind::Handshake { scheme: wire::ENGINE, message, .. } => match message {
                engine::RESUME_1 | engine::RESUME_2 | engine::RESUME_3 => {
                    return self.by_cid(datagram, wire::HEADER_LEN);
                }
                engine::COOKIE_ECHO => {
                    let body = datagram.get(wire::HEADER_LEN..).ok_or(Dropped::Malformed)?;
                    let (cookie, inner) = body.split_at_checked(cookie::LEN).ok_or(Dropped::Malformed)?;
                    (inner, cookie::verify(cx.device, cx.now, from, cookie))
                }
                _ => (datagram, false),
            },
            Kind::Handshake { .. } => (datagram, false),
        };
        let address = self.routes.hash(&[from.as_bytes()]);
        let Some(name) = self.first_name(message) else {
            return match self.find(address, |a| a.has_run_with(from) || a.peer_addr() == Some(*from)) {
                Some(index) => Ok(index),
                // A route that was forgotten in the middle of a run: what comes now names nobody.
                None => self.search(cx.now, |a| a.has_run_with(from)),
            };
        };
        if !proven && self.busy >= self.limits.busy {
            self.cookie_to = Some(*from);
            return Err(Dropped::RateLimited);
        }
        let hash = self.routes.hash(&[b"name", &name.to_be_bytes()]);
        let mut found =
            self.routes.candidates(hash).into_iter().flatten().filter(|i| self.test(*i, |a| a.is_named(message)));
        match (found.next(), found.next()) {
            (Some(index), None) => Ok(index),
            (None, _) => self.search(cx.now, |a| a.is_named(message) && a.is_from_peer(message)),
            // Among many, two peers' names are the same now and then.
            _ => self.find(hash, |a| a.is_from_peer(message)).ok_or(Dropped::Forged),
        }
    }

    fn first_name(&self, message: &[u8]) -> Option<u32> {
        let Ok(Kind::Handshake { scheme, .. }) = classify(message) else { return None };
        self.namers.get(usize::from(scheme)).copied().flatten()?(message)
    }

    /// Looks for a message's association one by one; a bounded number of them, and not often.
    fn search(&mut self, now: Instant, test: impl Fn(&mut A) -> bool) -> Result<usize, Dropped> {
        if now < self.search_at {
            return Err(Dropped::RateLimited);
        }
        self.search_at = now.plus(SEARCH_EVERY);
        let places = self.places.as_mut();
        let count = places.len();
        for _ in 0..count.min(SEARCH) {
            let index = self.search_from;
            self.search_from = index.saturating_add(1).checked_rem(count).unwrap_or(0);
            let association = places.get_mut(index).and_then(|p| p.association.as_mut());
            if association.is_some_and(&test) {
                return Ok(index);
            }
        }
        Err(Dropped::NoKey)
    }

    fn test(&mut self, index: usize, test: impl Fn(&mut A) -> bool) -> bool {
        self.places.as_mut().get_mut(index).and_then(|p| p.association.as_mut()).is_some_and(test)
    }

    fn find(&mut self, hash: u64, test: impl Fn(&mut A) -> bool) -> Option<usize> {
        self.routes.candidates(hash).into_iter().flatten().find(|index| self.test(*index, &test))
    }

    // ---- who has something to do ----

    fn after(&mut self, index: usize) {
        self.enqueue(index);
        self.settle(index);
    }

    /// Notes whether the association is busy and which first messages it waits for now.
    fn settle(&mut self, index: usize) {
        let Some(place) = self.places.as_mut().get_mut(index) else { return };
        let Some(association) = place.association.as_mut() else { return };
        place.unsettled = false;
        let busy = association.is_busy();
        let was = core::mem::replace(&mut place.busy, busy);
        let version = association.names_version();
        let renamed = core::mem::replace(&mut place.names_version, version) != version;
        if busy != was {
            self.busy = if busy { self.busy.saturating_add(1) } else { self.busy.saturating_sub(1) };
        }
        if renamed {
            let mut names = [0u32; 16];
            let mut count = 0usize;
            if let Some(association) = self.places.as_mut().get_mut(index).and_then(|p| p.association.as_mut()) {
                association.names(&mut |name| {
                    if let Some(to) = names.get_mut(count) {
                        *to = name;
                        count = count.saturating_add(1);
                    }
                });
            }
            for name in names.iter().take(count) {
                self.routes.remember(self.routes.hash(&[b"name", &name.to_be_bytes()]), index);
            }
        }
    }

    /// The first in the queue has nothing more to do before `wake_at`.
    fn idle(&mut self, index: usize, wake_at: Option<Instant>) {
        self.dequeue();
        let Some(place) = self.places.as_mut().get_mut(index) else { return };
        let unsettled = place.unsettled;
        if core::mem::replace(&mut place.timed, wake_at.is_some()) || wake_at.is_some() {
            self.timers.set(index, wake_at);
        }
        if unsettled {
            self.settle(index);
        }
    }

    fn enqueue(&mut self, index: usize) {
        let Some(place) = self.places.as_mut().get_mut(index) else { return };
        if core::mem::replace(&mut place.queued, true) {
            return;
        }
        place.next_queued = NONE;
        let last = core::mem::replace(&mut self.last_queued, index as u32);
        match self.places.as_mut().get_mut(last as usize) {
            Some(last) if self.first_queued != NONE => last.next_queued = index as u32,
            _ => self.first_queued = index as u32,
        }
    }

    fn dequeue(&mut self) {
        let index = self.first_queued as usize;
        self.first_queued = NONE;
        if let Some(place) = self.places.as_mut().get_mut(index) {
            place.queued = false;
            self.first_queued = place.next_queued;
        }
        if self.first_queued == NONE {
            self.last_queued = NONE;
        }
    }
}

mod routes;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests;
