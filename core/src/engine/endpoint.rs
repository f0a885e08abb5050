//! Drives a [`Scheme`]: one peer's datagrams, timers, writes and events, the same for every scheme.
//!
//! ```text
//! handle_input   record     -> session.open -> engine control | scheme control | the application
//!                handshake  -> cookie, reassembly, 3x rule -> Scheme::message
//!                resume     -> resuming.rs
//! poll           events, Persist, then (all stored) flights, control records, path challenge
//! ```

use super::cookie;
use super::drops::{Dropped, Drops};
use super::flight::{self};
use super::memory::{Candidate, Half, Scratch};
use super::outbox::{Note, Outbox, Store};
use super::scheme::{Asked, Io, Scheme};
use super::session::{Common, ConnectionId, Opened, REKEY_AFTER, Session};
use super::state;
use super::wire::{self, Kind, Writer};
use crate::association::{Addr, Cx, Device, Error, Event, Fingerprint, Output};
use crate::crypto::secret::{ct_eq, wipe};

/// First byte of the engine's own control records.
pub(crate) mod control {
    /// Nothing but a sign of life.
    pub const SIGN: u8 = 0;
    /// "Do you receive here?" and 8 bytes.
    pub const PATH_CHALLENGE: u8 = 1;
    /// The same 8 bytes.
    pub const PATH_RESPONSE: u8 = 2;
    /// The sender has ended the session.
    pub const CLOSE: u8 = 3;
    /// The first number that belongs to the schemes.
    pub const SCHEMES: u8 = 8;
    /// Numbers from here on are the first byte of a fragment.
    pub const FRAGMENT: u8 = super::wire::VERSION << 4;
}

/// Records of one generation between two signs of a side that has followed and has nothing to say.
const SIGN_EVERY: u32 = 1024;
/// When the store refused, it is asked again after this many ms.
pub(super) const STORE_AGAIN: u64 = 1_000;

/// What an endpoint is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// The connection id under which this side wants to receive; it must differ in length from no other of the same
    /// socket, since records do not say how long theirs is.
    pub cid: ConnectionId,
    /// The longest datagram in bytes that the network carries: at least 32, and where an association has no fragments, its
    /// longest message behind a cookie ([`Error::BadArgument`] below that, when it is opened). With fragments a message goes in
    /// at most [`MAX_PIECES`](super::fragment::MAX_PIECES) datagrams; one that would take more does not arrive.
    pub mtu: u16,
    /// How often a flight is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
    pub tries: u8,
    /// Records sent under one key generation before the next begins, at most [`REKEY_AFTER`].
    pub rekey_after: u32,
}

impl Default for Config {
    /// No connection id, 1 200 bytes, 24 tries, 2^20 records.
    fn default() -> Self {
        Self { cid: ConnectionId::NONE, mtu: 1200, tries: flight::TRIES, rekey_after: REKEY_AFTER }
    }
}

impl Config {
    /// Whether every field is in its range.
    pub const fn is_valid(&self) -> bool {
        self.mtu >= 32 && self.tries >= 1 && self.rekey_after >= 1 && self.rekey_after <= REKEY_AFTER
    }
}

/// One scheme with one peer. `M` is the [`Scratch`] memory for runs: owned, boxed or lent.
#[derive(Debug)]
pub struct Endpoint<S: Scheme, M> {
    pub(crate) scheme: S,
    pub(super) session: Option<Session>,
    pub(crate) memory: Option<M>,
    pub(crate) config: Config,
    pub(super) peer: Option<Addr>,
    pub(crate) outbox: Outbox,
    pub(super) drops: Drops,
    pub(super) clock: bool,
    /// No run, no flight and no address to be asked: the scratch memory, which may be far away, need not be looked at.
    pub(crate) idle: bool,
}

impl<S: Scheme, M: Scratch<S>> Endpoint<S, M> {
    /// An endpoint at rest.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a configuration out of range: also for an MTU below the longest message, where the
    /// association has no fragments.
    pub fn new(scheme: S, config: Config, memory: M) -> Result<Self, Error> {
        let whole = S::HAS.fragments || usize::from(config.mtu) >= size_of::<S::Flight>();
        if !config.is_valid() || !whole {
            return Err(Error::BadArgument);
        }
        Ok(Self {
            scheme,
            session: None,
            memory: Some(memory),
            config,
            peer: None,
            outbox: Outbox::default(),
            drops: Drops::new(),
            clock: false,
            idle: false,
        })
    }

    /// Gives the scratch memory back, if no run needs it. Records go on without it; runs, key updates, resume and a
    /// peer's new address need it again ([`lend`](Self::lend)).
    pub fn release(&mut self) -> Option<M> {
        if self.memory.as_ref()?.halves().iter().any(|half| half.run.is_some()) {
            return None;
        }
        self.memory.take()
    }

    /// Lends scratch memory again.
    ///
    /// # Errors
    /// [`Error::WrongState`] where there is some already.
    pub fn lend(&mut self, memory: M) -> Result<(), Error> {
        if self.memory.is_some() {
            return Err(Error::WrongState);
        }
        self.memory = Some(memory);
        self.idle = false;
        Ok(())
    }

    /// Ends the session: the peer is told once, the keys are wiped when that is sent.
    ///
    /// # Errors
    /// [`Error::NotEstablished`].
    pub fn close(&mut self) -> Result<(), Error> {
        if self.session().is_none() {
            return Err(Error::NotEstablished);
        }
        self.outbox.close = true;
        Ok(())
    }

    /// The session, for its counters and names.
    pub const fn session(&self) -> Option<&Session> {
        if S::HAS.sessions { self.session.as_ref() } else { None }
    }

    /// This side's connection id.
    pub const fn cid(&self) -> &ConnectionId {
        &self.config.cid
    }

    /// Ends every run and the session without telling anybody, and wipes their keys.
    pub fn wipe(&mut self) {
        if let Some(memory) = &mut self.memory {
            memory.parts().halves.iter_mut().for_each(Half::clear);
        }
        self.end_session();
        // What was to be stored still is: a reserved counter must not be used without its limit in storage.
        let store = self.outbox.store;
        self.outbox = Outbox::default();
        self.outbox.store = store;
    }

    pub(super) fn end_session(&mut self) {
        self.with(|_, io| io.end_session());
    }

    /// Calls into the scheme with what it may touch.
    pub(crate) fn with<T>(&mut self, f: impl FnOnce(&mut S, &mut Io<'_, S>) -> T) -> T {
        let (scheme, mut io) = self.apart();
        f(scheme, &mut io)
    }

    /// The scheme, and what it may touch. Out of line: there are a dozen calls.
    #[inline(never)]
    fn apart(&mut self) -> (&mut S, Io<'_, S>) {
        self.idle = false;
        let (halves, candidate, asked) = match self.memory.as_mut().map(Scratch::parts) {
            Some(parts) => (parts.halves, Some(parts.candidate), Some(parts.asked)),
            None => (&mut [][..], None, None),
        };
        let io = Io {
            session: &mut self.session,
            halves,
            candidate,
            asked,
            outbox: &mut self.outbox,
            peer: &mut self.peer,
            config: &self.config,
        };
        (&mut self.scheme, io)
    }

    /// What its sessions go by.
    pub(super) fn common(&self) -> Common {
        Common { suite: self.scheme.suite(), scheme: S::NAME, rekey_after: self.config.rekey_after }
    }

    /// Every call but `poll` wants the outputs of the one before drained.
    pub(crate) fn drained(&self) -> Result<(), Error> {
        if self.outbox.has_notes() && self.may_leave() { Err(Error::Undrained) } else { Ok(()) }
    }

    /// Whether nothing waits for the store.
    pub(super) fn may_leave(&self) -> bool {
        self.outbox.store == Store::Clean
    }

    // ---- input ----

    /// Opens a record; what it found, if it is for the application.
    #[inline(never)]
    pub(super) fn record(
        &mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &mut [u8],
        alone: bool,
    ) -> Result<Option<Opened>, Dropped> {
        let bits = datagram.first().copied().unwrap_or(0) & 3;
        let opened = match self.agreed(cx, bits) {
            Some(place) => self.open_agreed(cx, place, datagram)?,
            None => {
                let common = self.common();
                let session = self.session.as_mut().ok_or(Dropped::NoKey)?;
                let opened = self.scheme.open(cx, &common, session, self.config.cid.len(), datagram)?;
                if !self.idle {
                    self.with(|scheme, io| scheme.heard(io));
                }
                opened
            }
        };
        if alone && !self.idle {
            self.resume_heard();
        }
        self.after_open(cx, from, &opened);
        if opened.control {
            let end = opened.start.saturating_add(opened.len);
            self.control(cx, from, datagram.get(opened.start..end).ok_or(Dropped::Malformed)?)?;
            return Ok(None);
        }
        Ok(Some(opened))
    }

    /// Where the run is whose agreed session records of this generation belong to.
    fn agreed(&self, cx: &Cx<'_>, bits: u8) -> Option<usize> {
        let ours = |half: &Half<S>| {
            let agreed = half.scheme().and_then(|run| self.scheme.agreed(run, cx.now));
            agreed.is_some_and(|(_, terms)| terms.generation & 3 == u32::from(bits))
        };
        if self.idle { None } else { self.memory.as_ref()?.halves().iter().position(ours) }
    }

    /// Opens a record under the session that the run in this place has agreed on: if it verifies, the run is complete.
    #[inline(never)]
    fn open_agreed(&mut self, cx: &Cx<'_>, place: usize, datagram: &mut [u8]) -> Result<Opened, Dropped> {
        let half = self.memory.as_ref().and_then(|m| m.halves().get(place)).ok_or(Dropped::NoKey)?;
        let agreed = half.scheme().and_then(|run| self.scheme.agreed(run, cx.now));
        let (keys, terms) = agreed.ok_or(Dropped::NoKey)?;
        let common = self.common();
        let mut session = Session::new(&common, keys, &terms);
        let opened = session.open(&common, self.config.cid.len(), datagram)?;
        // The peer is where this side found it; a record from elsewhere has yet to prove its address.
        let peer = half.flight.to;
        self.session = Some(session);
        self.with(|scheme, io| {
            io.installed(peer);
            scheme.confirmed(cx, io, place);
        });
        Ok(opened)
    }

    /// What an authenticated record says besides its text: the peer's generation and address.
    #[inline(never)]
    fn after_open(&mut self, cx: &Cx<'_>, from: &Addr, opened: &Opened) {
        if opened.ratcheted {
            self.outbox.note(Note::Rekeyed);
            if let Some(session) = &mut self.session {
                session.is_secret_from(cx.now);
            }
        }
        let silent = self.session.as_ref().is_some_and(|s| s.sent() == 0);
        let first_of_many = opened.number.checked_rem(SIGN_EVERY) == Some(0);
        let followed = self.session.as_ref().is_some_and(Session::has_followed);
        if silent && followed && (opened.ratcheted || first_of_many) {
            self.outbox.sign = true;
        }
        if S::HAS.moves
            && opened.newest
            && self.peer != Some(*from)
            && let Some(memory) = &mut self.memory
        {
            *memory.parts().candidate = Some(Candidate { addr: *from, challenge: true });
            self.idle = false;
        }
    }

    #[inline(never)]
    fn control(&mut self, cx: &mut Cx<'_>, from: &Addr, body: &[u8]) -> Result<(), Dropped> {
        let (kind, rest) = body.split_first().ok_or(Dropped::Malformed)?;
        match *kind {
            control::SIGN => Ok(()),
            control::PATH_CHALLENGE => {
                self.outbox.path_response = Some(rest.try_into().map_err(|_| Dropped::Malformed)?);
                Ok(())
            }
            control::PATH_RESPONSE if S::HAS.moves => self.path_answered(from, rest),
            control::CLOSE => {
                self.end_session();
                self.outbox.note(Note::Terminated);
                Ok(())
            }
            control::FRAGMENT if S::HAS.fragments => {
                let piece = body.get(wire::HEADER_LEN..).ok_or(Dropped::Malformed)?;
                self.piece(cx, from, piece, |scheme, cx, io, whole| scheme.control(cx, io, whole))
            }
            kind if kind >= control::SCHEMES => self.with(|scheme, io| scheme.control(cx, io, body)),
            _ => Err(Dropped::Unexpected),
        }
    }

    /// Fuzzing only: the body of a control record as if it had been authenticated.
    #[cfg(fuzzing)]
    pub fn fuzz_control(&mut self, cx: &mut Cx<'_>, from: &Addr, body: &[u8]) {
        if self.session.is_some() && self.drained().is_ok() {
            let _ = self.control(cx, from, body);
        }
    }

    /// Takes in a piece of a longer message, and hands the message on once it is whole, from where it was put together.
    fn piece(
        &mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        piece: &[u8],
        then: impl FnOnce(&mut S, &mut Cx<'_>, &mut Io<'_, S>, &[u8]) -> Result<(), Dropped>,
    ) -> Result<(), Dropped> {
        self.idle = false;
        let parts = self.memory.as_mut().ok_or(Dropped::NoRoom)?.parts();
        let Some(len) = parts.reassembly.take(from, piece, parts.buffer)? else { return Ok(()) };
        let whole = parts.buffer.get(..len).ok_or(Dropped::NoRoom)?;
        let mut io = Io {
            session: &mut self.session,
            halves: parts.halves,
            candidate: Some(parts.candidate),
            asked: Some(parts.asked),
            outbox: &mut self.outbox,
            peer: &mut self.peer,
            config: &self.config,
        };
        then(&mut self.scheme, cx, &mut io, whole)
    }

    #[inline(never)]
    pub(super) fn engine(&mut self, cx: &mut Cx<'_>, from: &Addr, message: u8, datagram: &[u8]) -> Result<(), Dropped> {
        let body = datagram.get(wire::HEADER_LEN..).ok_or(Dropped::Malformed)?;
        match message {
            wire::engine::FRAGMENT if S::HAS.fragments => {
                self.piece(cx, from, body, |scheme, cx, io, whole| handshake(scheme, cx, io, from, whole))
            }
            wire::engine::COOKIE_REQUEST => {
                let asked: &[u8; cookie::LEN] = body.try_into().map_err(|_| Dropped::Malformed)?;
                let halves = self.memory.as_mut().map_or(&mut [][..], |m| m.parts().halves);
                // Anybody can send this: it may make a first message longer, and must spoil nothing else.
                let asks =
                    |half: &&mut Half<S>| half.scheme().is_some() && half.flight.asks() && !half.flight.is_control();
                let mut taken = Err(Dropped::Unexpected);
                for half in halves.iter_mut().filter(asks).filter(|half| half.flight.to == *from) {
                    half.flight.take_cookie(asked);
                    taken = Ok(());
                }
                taken
            }
            wire::engine::COOKIE_ECHO if S::HAS.cookies => {
                self.with(|scheme, io| handshake(scheme, cx, io, from, datagram))
            }
            wire::engine::RESUME_1 if S::HAS.resume => self.resume_1(cx, from, body),
            wire::engine::RESUME_2 if S::HAS.resume => self.resume_2(cx, body),
            _ => Err(Dropped::Version),
        }
    }

    // ---- a peer's new address ----

    fn path_token(&self, to: &Addr) -> Option<[u8; 8]> {
        let session = self.session.as_ref()?;
        let side = [u8::from(session.initiator)];
        let mut token = [0; 8];
        session.master(S::NAME).expand("path", &[&side, to.as_bytes()], &mut token);
        Some(token)
    }

    #[inline(never)]
    fn path_answered(&mut self, from: &Addr, answer: &[u8]) -> Result<(), Dropped> {
        let token = self.path_token(from).ok_or(Dropped::NoKey)?;
        let candidate = self.memory.as_mut().ok_or(Dropped::NoRoom)?.parts().candidate;
        if candidate.is_none_or(|c| c.addr != *from) {
            return Err(Dropped::Unexpected);
        }
        if !ct_eq(&token, answer) {
            return Err(Dropped::Forged);
        }
        *candidate = None;
        self.peer = Some(*from);
        self.outbox.note(Note::PeerMoved);
        Ok(())
    }

    // ---- output ----

    pub(super) fn event(&self, note: Note) -> Event {
        let session = self.session();
        let generation = session.map_or(0, Session::generation);
        match note {
            Note::Established => Event::Established {
                fingerprint: session.map_or(Fingerprint([0; 10]), Session::fingerprint),
                initiator: session.is_some_and(|s| s.initiator),
            },
            Note::PeerMoved => Event::PeerMoved { to: self.peer.unwrap_or_default() },
            Note::Resumed => Event::Resumed { generation },
            Note::Rekeyed => Event::Rekeyed { generation },
            Note::RekeyNeeded => Event::RekeyNeeded,
            Note::Paired => Event::Paired { fingerprint: self.scheme.fingerprint() },
            Note::UpdateAgreed => Event::UpdateAgreed { generation: self.scheme.generation().saturating_add(1) },
            Note::UpdateFailed(reason) => Event::UpdateFailed { reason },
            Note::Hint(reason) => Event::Hint { reason },
            Note::KeyReplaced => Event::KeyReplaced { generation: self.scheme.generation() },
            Note::PeerAlive => Event::PeerAlive,
            Note::Authenticated => Event::Authenticated,
            Note::Terminated => Event::Terminated,
            Note::Failed(stage, reason) => Event::Failed { stage, reason },
        }
    }

    #[inline(never)]
    pub(super) fn persist<'o>(&mut self, device: &Device, out: &'o mut [u8]) -> Output<'o> {
        let kind = self.scheme.blob();
        let beside = self.scheme.beside().len_in(kind);
        let room = out.get_mut(state::OVERHEAD..out.len().saturating_sub(beside)).unwrap_or(&mut []);
        let len = match self.scheme.save(room) {
            Ok(len) => len,
            Err(len) => {
                wipe(room);
                return Output::BufferTooSmall { needed: len.saturating_add(state::OVERHEAD).saturating_add(beside) };
            }
        };
        let (slot, version) = self.scheme.next_version();
        match state::seal_beside(device, kind, version, out, len, &self.scheme.beside()) {
            Ok(len) => {
                self.outbox.store = Store::Asked;
                Output::Persist { slot, version, bytes: out.get(..len).unwrap_or(&[]) }
            }
            // There was room for it.
            Err(_) => Output::BufferTooSmall { needed: len.saturating_add(state::OVERHEAD).saturating_add(beside) },
        }
    }

    /// Seals one of the engine's control records; `None`: the keys are used up, there is nothing more to say.
    ///
    /// # Errors
    /// The size that `out` needs.
    fn control_record(&mut self, out: &mut [u8], kind: u8, token: &[u8]) -> Result<Option<usize>, usize> {
        let common = self.common();
        let Some(session) = self.session.as_mut() else { return Ok(None) };
        let mut w = Writer::new(out.get_mut(session.header_len()..).unwrap_or(&mut []));
        let len = w.put(&[kind]).put(token).len();
        match session.seal(&common, true, out, len) {
            Ok((len, ratcheted)) => {
                self.moved_ahead(ratcheted);
                Ok(Some(len))
            }
            Err(Error::BufferTooSmall { needed }) => Err(needed),
            Err(_) => Ok(None),
        }
    }

    pub(super) fn moved_ahead(&mut self, ratcheted: bool) {
        if ratcheted {
            self.outbox.note(Note::Rekeyed);
        }
    }

    /// The next datagram of the flight in this place: its address and length.
    #[inline(never)]
    fn flight_datagram(&mut self, cx: &Cx<'_>, place: usize, out: &mut [u8]) -> Result<Option<(Addr, usize)>, usize> {
        let (mtu, common) = (usize::from(self.config.mtu), self.common());
        let Some(memory) = &mut self.memory else { return Ok(None) };
        let Some(half) = memory.parts().halves.get_mut(place) else { return Ok(None) };
        if S::HAS.sessions && half.flight.is_control() {
            let Some(session) = &mut self.session else {
                half.flight.stop();
                return Ok(None);
            };
            let (header, overhead) = (session.header_len(), session.overhead(common.suite));
            let room = mtu.saturating_sub(overhead);
            let needed = half.flight.message().len().min(room).saturating_add(overhead);
            if out.len() < needed {
                return Err(needed);
            }
            let len = half.write(room, out.get_mut(header..).unwrap_or(&mut []))?;
            let Ok((len, ratcheted)) = session.seal(&common, true, out, len) else { return Ok(None) };
            self.moved_ahead(ratcheted);
            return Ok(self.peer.map(|to| (to, len)));
        }
        let to = half.flight.to;
        let len = half.write(mtu, out)?;
        if !S::HAS.cookies || half.flight.spend(len) {
            return Ok(Some((to, len)));
        }
        // Too much for an address that has not shown that it receives: a cookie first.
        half.flight.quiet();
        self.drops.count(Dropped::Amplification);
        if !half.flight.spend(cookie::REQUEST_LEN) {
            return Ok(None);
        }
        Ok(Some((to, wire::copy(out, &cookie::request(cx.device, cx.now, &to)))))
    }

    #[inline(never)]
    pub(super) fn next_datagram(&mut self, cx: &Cx<'_>, out: &mut [u8]) -> Result<Option<(Addr, usize)>, usize> {
        if S::HAS.cookies
            && !self.idle
            && let Some(asked) = self.memory.as_mut().and_then(|memory| memory.parts().asked.place())
            && let Some(to) = *asked
        {
            if out.len() < cookie::REQUEST_LEN {
                return Err(cookie::REQUEST_LEN);
            }
            *asked = None;
            return Ok(Some((to, wire::copy(out, &cookie::request(cx.device, cx.now, &to)))));
        }
        let mut memory = if self.idle { None } else { self.memory.as_mut() };
        let count = memory.as_ref().map_or(0, |m| m.halves().len());
        let candidate = memory.as_mut().and_then(|m| *m.parts().candidate).filter(|c| c.challenge);
        for place in 0..count {
            loop {
                let pending =
                    self.memory.as_ref().is_some_and(|m| m.halves().get(place).is_some_and(|h| h.flight.is_pending()));
                if !pending {
                    break;
                }
                if let Some(sent) = self.flight_datagram(cx, place, out)? {
                    return Ok(Some(sent));
                }
            }
        }
        if !S::HAS.sessions {
            return Ok(None);
        }
        let Some(peer) = self.peer else { return Ok(None) };
        if self.session.is_none() {
            return Ok(None);
        }
        let moved = candidate.filter(|_| S::HAS.moves).and_then(|c| Some((c.addr, self.path_token(&c.addr)?)));
        let (kind, token, to) = match (self.outbox.path_response, moved) {
            (Some(token), _) => (control::PATH_RESPONSE, Some(token), peer),
            (None, Some((to, token))) => (control::PATH_CHALLENGE, Some(token), to),
            _ if self.outbox.sign => (control::SIGN, None, peer),
            _ if self.outbox.close => (control::CLOSE, None, peer),
            _ => return Ok(None),
        };
        let sealed = self.control_record(out, kind, token.as_ref().map_or(&[], |token| token))?;
        match kind {
            control::PATH_RESPONSE => self.outbox.path_response = None,
            control::PATH_CHALLENGE => {
                if let Some(memory) = &mut self.memory {
                    *memory.parts().candidate = Some(Candidate { addr: to, challenge: false });
                }
            }
            control::SIGN => self.outbox.sign = false,
            _ => {
                self.end_session();
                self.outbox.note(Note::Terminated);
            }
        }
        Ok(sealed.map(|len| (to, len)))
    }
}

/// A whole handshake message, perhaps behind a cookie; the cookie, if it is ours, proves the address.
pub(super) fn handshake<S: Scheme>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    from: &Addr,
    message: &[u8],
) -> Result<(), Dropped> {
    let (proven, message) = match wire::classify(message)? {
        Kind::Handshake { scheme: wire::ENGINE, message: wire::engine::COOKIE_ECHO, .. } if S::HAS.cookies => {
            let body = message.get(wire::HEADER_LEN..).ok_or(Dropped::Malformed)?;
            let (cookie, inner) = body.split_at_checked(cookie::LEN).ok_or(Dropped::Malformed)?;
            (cookie::verify(cx.device, cx.now, from, cookie), inner)
        }
        _ => (false, message),
    };
    match wire::classify(message)? {
        Kind::Handshake { scheme: number, .. } if number == S::NUMBER => scheme.message(cx, io, from, proven, message),
        _ => Err(Dropped::Version),
    }
}
