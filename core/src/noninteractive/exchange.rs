//! The association: what it is made of, and what goes on after a handshake.

use super::credential::Credential;
use super::epochs::{Caught, Entered, Epochs, SAY_AGAIN};
use super::handshake::Outcome;
use super::keys;
use super::peer::Peer;
use super::setting::Setting;
use super::wire::{self, LAG, Lag, Terms};
use crate::association::{Addr, Authenticated, Cx, Error, Instant, Reason, Slot, Stage};
use crate::cose::Reference;
use crate::crypto::Suite;
use crate::crypto::kdf::hash;
use crate::crypto::keys::KeySlot;
use crate::crypto::secret::ct_eq;
use crate::engine::drops::Dropped;
use crate::engine::flight::{self, Buffer};
use crate::engine::memory::{Memory, Resuming, Scratch};
use crate::engine::resume::{self, Root};
use crate::engine::scheme::{Io, Note, Scheme};
use crate::engine::session::{Common, ConnectionId, Opened, Session};
use crate::engine::state::Kind;
use crate::engine::wire::{Kind as Datagram, classify};
use crate::engine::{Config, Endpoint};
use crate::phase1::wire::message::M1 as M1_NUMBER;
use crate::phase1::wire::{M1, Shown};
use crate::phase1::{self, Lend};
use core::borrow::BorrowMut;
use core::fmt;

/// The noninteractive scheme between this device and one peer. `P` is the [`Peer`], owned or lent; `L` lends the device's
/// [`Holder`](super::Holder); `M` is the runs' memory ([`NoninteractiveMemory`]). Elements of the group have `N` bytes,
/// credentials at most `C`, flights at most `F` ([`flight_max`]).
pub type Noninteractive<P, L, M, const N: usize, const C: usize, const F: usize> = Endpoint<Exchange<P, L, N, C, F>, M>;

/// Memory for the runs of a [`Noninteractive`]: see [`Memory`].
pub type NoninteractiveMemory<
    P,
    L,
    const N: usize,
    const C: usize,
    const F: usize,
    const RUNS: usize,
    const REASSEMBLY: usize,
> = Memory<Exchange<P, L, N, C, F>, RUNS, REASSEMBLY>;

/// The longest flight in bytes where shares have `share` bytes: M2, and the other side's credential beside it.
pub const fn flight_max(share: usize) -> usize {
    let credential = super::credential::credential_max(share).saturating_mul(2);
    (flight::ROOM + 2 + 2 + 1 + ConnectionId::MAX + 2 + crate::crypto::aead::MAX_TAG)
        .saturating_add(credential)
        .saturating_add(share)
}

/// How an association is set up.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Suite and group, the operator's.
    pub setting: &'static Setting,
    /// Where the private keys of this side's credentials are: two while one takes the other's place, else the same twice.
    pub slots: [KeySlot; 2],
    /// What this side wishes where it starts the handshake.
    pub terms: Terms,
    /// The engine's.
    pub config: &'a Config,
}

/// The scheme's part of a [`Noninteractive`].
pub struct Exchange<P, L, const N: usize, const C: usize, const F: usize> {
    pub(super) peer: P,
    pub(super) credentials: L,
    pub(super) setting: &'static Setting,
    pub(super) slots: [KeySlot; 2],
    pub(super) terms: Terms,
    pub(super) epochs: Option<Epochs>,
    /// Established, but its first epoch's key is not there yet.
    pub(super) announce: bool,
}

impl<P, L, const N: usize, const C: usize, const F: usize> fmt::Debug for Exchange<P, L, N, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("setting", &self.setting).finish_non_exhaustive()
    }
}

/// What a run keeps between two messages.
#[allow(clippy::large_enum_variant, reason = "a place for runs is as long as the longest, whatever is in it")]
pub enum Run<const N: usize> {
    /// Of the handshake.
    Phase1(phase1::Run<Outcome<N>>),
    /// LAG is out.
    Lag,
}

impl<const N: usize> fmt::Debug for Run<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase1(run) => run.fmt(f),
            Self::Lag => f.write_str("Lag"),
        }
    }
}

impl<P, L, M, const N: usize, const C: usize, const F: usize> Noninteractive<P, L, M, N, C, F>
where
    P: BorrowMut<Peer<N, C>>,
    L: Lend,
    M: Scratch<Exchange<P, L, N, C, F>>,
{
    /// An association with a peer, at rest: it answers the peer's handshakes, starts one on [`connect`](Self::connect), and
    /// goes on from what was stored on [`go_on`](Self::go_on).
    ///
    /// # Errors
    /// [`Error::BadArgument`] for options out of range, and where N is not the group's.
    pub fn open(peer: P, credentials: L, options: &Options<'_>, memory: M) -> Result<Self, Error> {
        let Options { setting, slots, terms, config } = *options;
        if setting.group.element_len() != N || F < flight_max(setting.group.share_len()) || !terms.is_valid() {
            return Err(Error::BadArgument);
        }
        let scheme = Exchange { peer, credentials, setting, slots, terms, epochs: None, announce: false };
        Self::new(scheme, *config, memory)
    }

    /// Starts a handshake with the peer at this address. A session that there is goes on until the new one is complete.
    ///
    /// # Errors
    /// As [`phase1::begin`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| phase1::begin(scheme, cx, io, to))
    }

    /// Goes on from the stored progression after a restart, in three messages: [`Event::Resumed`](crate::Event::Resumed)
    /// says when. With [`Reason::NoAnswer`] in its place, [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`Error::NotEstablished`] where nothing is stored; [`Error::WrongState`] with a session, a run or without memory;
    /// [`Error::Rng`].
    pub fn go_on(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        if self.session().is_some() || self.memory.as_ref().is_none_or(|m| m.halves().iter().any(|h| h.run.is_some())) {
            return Err(Error::WrongState);
        }
        let state = self.scheme.peer.borrow().state.as_ref().ok_or(Error::NotEstablished)?;
        let root = Root {
            root: state.root.clone(),
            scheme: keys::NAME,
            session: state.session,
            a_is_initiator: state.parties.a,
        };
        let generation = state.progress.epoch();
        let resuming = Resuming { root, cid: state.cid, generation, salt: [0; 8], agreed: None, healed: true };
        let (addr, own_cid) = (state.addr, state.own_cid);
        self.go_on_from(cx, resuming, addr)?;
        self.config.cid = own_cid;
        Ok(())
    }

    /// The epoch in use; `None` without a session.
    pub fn epoch(&self) -> Option<u32> {
        self.session().map(Session::generation)
    }

    /// What lends the device's credentials.
    pub const fn credentials(&self) -> &L {
        &self.scheme.credentials
    }

    /// The peer's record.
    pub fn peer(&self) -> &Peer<N, C> {
        self.scheme.peer.borrow()
    }

    /// Gives the peer back, wiping the session.
    pub fn into_peer(self) -> P {
        self.scheme.peer
    }
}

impl<P: BorrowMut<Peer<N, C>>, L: Lend, const N: usize, const C: usize, const F: usize> Exchange<P, L, N, C, F> {
    fn common(&self, rekey_after: u32) -> Common {
        Common { suite: self.setting.suite, scheme: keys::NAME, rekey_after }
    }

    /// Does what is due of the progression.
    pub(super) fn catch_up(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>) {
        let common = self.common(io.config.rekey_after);
        let peer = self.peer.borrow_mut();
        let last = peer.state.as_ref().map(|state| state.last);
        let caught = match (&mut self.epochs, &mut peer.state, &mut *io.session) {
            (Some(epochs), Some(state), Some(session)) => {
                let known = (state, &peer.y);
                let caught = epochs.catch_up(self.setting, known, (session, &common), cx.keys, cx.now);
                let entered = core::mem::take(&mut epochs.entered);
                if entered != Entered::Done {
                    if entered == Entered::New {
                        io.outbox.note(if self.announce { Note::Established } else { Note::Rekeyed });
                    }
                    self.announce = false;
                    if Some(session.generation()) == last {
                        io.outbox.note(Note::RekeyNeeded);
                    }
                    io.outbox.want_store();
                }
                caught
            }
            _ => return,
        };
        let refused = self.is_over(cx);
        let over = caught == Caught::Over || refused;
        if refused {
            io.part(self.setting.suite);
        }
        if over || caught == Caught::Failed {
            self.end(io);
            io.note(if over { Note::Terminated } else { Note::Failed(Stage::Authentication, Reason::Resource) });
        }
    }

    /// Whether a credential is over, or the peer's revoked, or this side's with none in its place.
    fn is_over(&self, cx: &Cx<'_>) -> bool {
        let peer = self.peer.borrow();
        let mut over = false;
        self.credentials.lend(&mut |credentials| {
            over = credentials.is_over(peer.ends, Some(peer.serial), cx.wall) || !credentials.has_own();
        });
        over
    }

    /// The session and all that could lead to another one are over.
    fn end(&mut self, io: &mut Io<'_, Self>) {
        io.end_session();
        self.epochs = None;
        self.peer.borrow_mut().state = None;
        io.outbox.want_store();
    }

    /// "I am in this epoch": at most once a second.
    fn say(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, to: &Addr, earned: Option<usize>) -> Result<(), Dropped> {
        let (Some(epochs), Some(session)) = (&mut self.epochs, io.session.as_ref()) else {
            return Err(Dropped::NoKey);
        };
        if !epochs.is_ready() || cx.now < epochs.may_say {
            return Err(Dropped::RateLimited);
        }
        let epoch = session.generation();
        let root = resume::root(&session.master(keys::NAME));
        let lag = Lag { epoch, pre: keys::lag_pre(&root, session.is_initiator(), epoch), tag: *epochs.lag() };
        let place = io.free_place(&|run| matches!(run, Run::Lag))?;
        let flight = io.flight(place)?;
        flight.reset(*to, earned);
        flight.load(false, |w| lag.write(w));
        flight.answer_briefly(cx.now);
        io.start(place, Run::Lag);
        epochs.may_say = cx.now.plus(SAY_AGAIN);
        Ok(())
    }

    /// The other side says in which epoch it is.
    fn on_lag(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, from: &Addr, bytes: &[u8]) -> Result<(), Dropped> {
        let lag = Lag::read(bytes)?;
        let session = io.session.as_ref().ok_or(Dropped::NoKey)?;
        let (epochs, state) = self.epochs.as_mut().zip(self.peer.borrow_mut().state.as_mut()).ok_or(Dropped::NoKey)?;
        let theirs = !state.parties.a;
        let root = resume::root(&session.master(keys::NAME));
        if !ct_eq(&keys::lag_pre(&root, theirs, lag.epoch), &lag.pre) {
            return Err(Dropped::Forged);
        }
        if lag.epoch < session.generation() {
            return self.say(cx, io, from, Some(bytes.len()));
        }
        if lag.epoch < state.progress.epoch() || lag.epoch > state.last {
            return Err(Dropped::Replayed);
        }
        if !ct_eq(&state.progress.lag_tag(theirs, lag.epoch), &lag.tag) {
            return Err(Dropped::Forged);
        }
        epochs.forward(lag.epoch, state.interval, cx.now);
        Ok(())
    }
}

/// What A shows in an M1 of this scheme's.
fn shown(message: &[u8]) -> Option<Shown<'_>> {
    match classify(message) {
        Ok(Datagram::Handshake { scheme: wire::NUMBER, message: M1_NUMBER, .. }) => {
            Some(M1::read(message).ok()?.0.shown)
        }
        _ => None,
    }
}

/// A name under which a first message is routed.
fn name_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |front| u32::from_be_bytes(*front))
}

impl<P: BorrowMut<Peer<N, C>>, L: Lend, const N: usize, const C: usize, const F: usize> Scheme
    for Exchange<P, L, N, C, F>
{
    const NUMBER: u8 = wire::NUMBER;
    const NAME: &'static str = keys::NAME;
    const STAGE: Stage = Stage::Authentication;
    const AUTHENTICATED: Authenticated = Authenticated::Holder;

    type Run = Run<N>;
    type Flight = Buffer<F>;
    type Asked = Option<Addr>;

    fn suite(&self) -> &'static Suite {
        self.setting.suite
    }

    fn message(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let Datagram::Handshake { message, .. } = classify(bytes)? else { return Err(Dropped::Malformed) };
        match message {
            LAG => self.on_lag(cx, io, from, bytes),
            message => phase1::message(self, cx, io, (from, proven), message, bytes),
        }
    }

    fn open(
        &mut self,
        cx: &Cx<'_>,
        common: &Common,
        session: &mut Session,
        cid: usize,
        datagram: &mut [u8],
    ) -> Result<Opened, Dropped> {
        let state = self.peer.borrow_mut().state.as_mut();
        let (epochs, state) = self.epochs.as_mut().zip(state).ok_or(Dropped::NoKey)?;
        epochs.open(self.setting, state, (session, common), (cid, datagram), cx.now)
    }

    fn prepare(&mut self, cx: &Cx<'_>, common: &Common, session: &mut Session) -> Result<bool, Error> {
        let peer = self.peer.borrow_mut();
        let (epochs, state) = self.epochs.as_mut().zip(peer.state.as_mut()).ok_or(Error::NotEstablished)?;
        if session.sent().saturating_add(1) >= common.rekey_after && epochs.has_next() {
            // Used up: the next epoch begins now.
            epochs.forward(session.generation().saturating_add(1), state.interval, cx.now);
        }
        if epochs.catch_up(self.setting, (state, &peer.y), (session, common), cx.keys, cx.now) != Caught::Up {
            return Err(Error::KeyExhausted);
        }
        if !epochs.is_ready() {
            return Err(Error::NotEstablished);
        }
        session.prepare(common)
    }

    fn heard(&mut self, io: &mut Io<'_, Self>) {
        io.free_all(&|run| matches!(run, Run::Phase1(phase1::Run::Answered { .. })));
    }

    fn over(&mut self, _cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Run<N>) -> Result<(), Error> {
        let Run::Phase1(run) = run else { return Ok(()) };
        if run.may_be_complete() && io.session.is_some() {
            // The peer may have left the old session for the new one; nobody can tell.
            self.end(io);
        }
        phase1::over(io, &run);
        Ok(())
    }

    fn timer(&self) -> Option<Instant> {
        let epochs = self.epochs.as_ref()?;
        Some(if epochs.puzzled || epochs.entered != Entered::Done { Instant(0) } else { epochs.timer() })
    }

    fn timeout(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>) -> Result<(), Error> {
        if io.session.is_none() {
            self.epochs = None;
            return Ok(());
        }
        if self.epochs.as_mut().is_some_and(|epochs| core::mem::take(&mut epochs.puzzled))
            && let Some(to) = *io.peer
        {
            let _ = self.say(cx, io, &to, None);
        }
        self.catch_up(cx, io);
        Ok(())
    }

    fn is_half_open(run: &Run<N>) -> bool {
        matches!(run, Run::Phase1(run) if run.is_half_open())
    }

    /// S was cut off when it had stored what M4 was to say.
    fn completes(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, is_of: &dyn Fn(&Root) -> bool) -> bool {
        let ours = |run: &Run<N>| matches!(run, Run::Phase1(phase1::Run::AwaitM4(run)) if is_of(&run.outcome().root()));
        io.find(&ours).is_some_and(|place| phase1::complete(self, cx, io, place).is_ok())
    }

    fn resumed(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>) {
        let (Some(state), Some(session)) = (&mut self.peer.borrow_mut().state, &*io.session) else { return };
        state.root = resume::root(&session.master(keys::NAME));
        if let Some(peer) = *io.peer {
            state.addr = peer;
        }
        let epoch = session.generation();
        let epochs = self.epochs.get_or_insert_with(|| Epochs::new(state.progress.epoch(), state.interval, cx.now));
        epochs.forward(epoch, state.interval, cx.now);
        epochs.restart(cx.now);
        self.announce = false;
        io.outbox.want_store();
        self.catch_up(cx, io);
        // Where this side is further than the other thought, it says so.
        if io.session.as_ref().is_some_and(|session| session.generation() > epoch)
            && let Some(to) = *io.peer
        {
            let _ = self.say(cx, io, &to, None);
        }
    }

    fn first_name(message: &[u8]) -> Option<u32> {
        match shown(message)? {
            Shown::Reference(reference) => Some(name_of(&reference.0)),
            Shown::Ticket(credential) => Credential::peek_subject(credential).map(|name| name_of(&hash(&[name]))),
        }
    }

    fn is_named(&mut self, message: &[u8]) -> bool {
        let peer = self.peer.borrow();
        match shown(message) {
            Some(Shown::Reference(reference)) => !peer.kept().is_empty() && Reference::of(peer.kept()) == reference,
            Some(Shown::Ticket(credential)) => Credential::peek_subject(credential)
                .is_some_and(|name| peer.id().is_none_or(|id| id.as_bytes() == name)),
            None => false,
        }
    }

    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        let peer = self.peer.borrow();
        if !peer.kept().is_empty() {
            name(name_of(&Reference::of(peer.kept()).0));
        }
        if let Some(id) = peer.id() {
            name(name_of(&hash(&[id.as_bytes()])));
        }
    }

    fn names_version(&self) -> u32 {
        self.peer.borrow().names
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.peer.borrow().write(out)
    }

    fn next_version(&mut self) -> (Slot, u32) {
        let peer = self.peer.borrow_mut();
        (peer.slot(), peer.next_version())
    }

    fn blob(&self) -> Kind {
        Kind::NoninteractivePeer
    }

    fn slot(&self) -> Slot {
        self.peer.borrow().slot()
    }
}
