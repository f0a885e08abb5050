//! The association of two devices with tickets: what it is made of, and which handler a message goes to.

use super::extent::{Extent, Whole, room};
use super::initiator::AwaitK2;
use super::keys::{self, Yield};
use super::master::Master;
use super::peer::{Named, Peer};
use super::wire::{CLOSING_LEN, K1, NUMBER, message};
use crate::association::{Addr, Authenticated, Cx, Error, Instant, Reason, Slot, Stage};
use crate::cose::ticket::{TICKET_MAX, seconds};
use crate::cose::{Reference, Ticket};
use crate::crypto::kdf::{HASH_LEN, hash};
use crate::crypto::{Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::memory::{Half, Memory, Scratch};
use crate::engine::rekey::Which;
use crate::engine::scheme::{Has, Io, Note, Scheme};
use crate::engine::session::{ConnectionId, Keys, Terms};
use crate::engine::state::{Beside, Kind};
use crate::engine::wire::{Kind as Datagram, classify};
use crate::engine::{Config, Endpoint};
use crate::phase1::wire::{M1, Shown};
use crate::phase1::{self, Lend, Setup};
use core::borrow::BorrowMut;
use core::fmt;
use core::marker::PhantomData;

/// The interactive scheme between this device and one peer. `P` is the [`Peer`], owned or lent; `W` lends the device's
/// [`Wallet`](crate::cose::Wallet) ([`Lend`]); `M` is the runs' memory ([`InteractiveMemory`], owned, boxed or lent); `E`
/// how much of the scheme it has; `T` the room for the peer's ticket.
pub type Interactive<P, W, M, E = Whole, const T: usize = TICKET_MAX> = Endpoint<Exchange<P, W, E, T>, M>;

/// Memory for an [`Interactive`]'s runs: see [`Memory`].
pub type InteractiveMemory<P, W, const RUNS: usize, const REASSEMBLY: usize, E = Whole, const T: usize = TICKET_MAX> =
    Memory<Exchange<P, W, E, T>, RUNS, REASSEMBLY>;

/// The scheme's part of an [`Interactive`].
pub struct Exchange<P, W, E = Whole, const T: usize = TICKET_MAX> {
    pub(super) peer: P,
    pub(super) wallet: W,
    pub(super) setup: Setup,
    /// The session's.
    pub(super) suite: &'static Suite,
    /// When it is looked whether tickets and F are over.
    look_at: Instant,
    extent: PhantomData<E>,
}

impl<P, W, E, const T: usize> fmt::Debug for Exchange<P, W, E, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("setup", &self.setup).finish_non_exhaustive()
    }
}

/// A run that is past its Diffie-Hellman: what is left is to see the other side's tag.
pub struct Finishing {
    pub(super) attempt: u16,
    pub(super) suite: &'static Suite,
    /// What the session is called: PMK''s step.
    pub(super) step: u32,
    pub(super) cid: ConnectionId,
    pub(super) yields: Yield,
    /// A: the session has begun by a record of the peer's.
    pub(super) begun: bool,
    /// S: H(K1).
    pub(super) digest: [u8; HASH_LEN],
}

/// What a run keeps between two messages.
pub enum Run {
    /// One of phase 1's.
    Phase1(phase1::Run<Master>),
    /// A, K1 is out.
    AwaitK2(AwaitK2),
    /// A, K3 is out.
    AwaitK4(Finishing),
    /// S, K2 is out.
    AwaitK3(Finishing),
    /// S, K4 is out; kept for an A that did not get it.
    Answered {
        /// H(K3), without a record.
        k3: [u8; HASH_LEN],
    },
    /// GONE, REFUSE or PONG is out.
    Said {
        /// H of what it answers.
        digest: [u8; HASH_LEN],
    },
    /// PING is out.
    Pinging {
        /// What PONG has to be.
        pong: Secret<{ crate::crypto::aead::MAX_TAG }>,
        /// Its length.
        len: u8,
        /// The low bits of R.
        low: u8,
    },
    /// This side's new ticket is out.
    Renewing {
        /// Which.
        own: Reference,
        /// When it is over.
        ends: u64,
    },
    /// "It has been stored" is out.
    Renewed,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase1(run) => run.fmt(f),
            Self::AwaitK2(_) => f.write_str("AwaitK2"),
            Self::AwaitK4(_) => f.write_str("AwaitK4"),
            Self::AwaitK3(_) => f.write_str("AwaitK3"),
            Self::Answered { .. } => f.write_str("Answered"),
            Self::Said { .. } => f.write_str("Said"),
            Self::Pinging { .. } => f.write_str("Pinging"),
            Self::Renewing { .. } => f.write_str("Renewing"),
            Self::Renewed => f.write_str("Renewed"),
        }
    }
}

impl Run {
    /// The session's keys, once there are some.
    pub(super) const fn keys(&self) -> Option<&Keys> {
        match self {
            Self::AwaitK4(run) | Self::AwaitK3(run) => Some(&run.yields.keys),
            _ => None,
        }
    }
    /// Whether it is a run of either phase that this side started.
    pub(super) const fn is_ours(&self) -> bool {
        match self {
            Self::Phase1(run) => run.is_ours(),
            Self::AwaitK2(_) | Self::AwaitK4(_) => true,
            _ => false,
        }
    }
    /// Whether it only waits to answer again, and gives way to anything.
    pub(super) const fn is_done(&self) -> bool {
        match self {
            Self::Phase1(run) => run.is_done(),
            Self::Answered { .. } | Self::Said { .. } | Self::Renewed => true,
            _ => false,
        }
    }
}

/// F and tickets without a wall clock, and all of it in any case, are looked at this often, in ms.
const LOOK_EVERY: u64 = 3_600_000;

impl<P: BorrowMut<Peer<T>>, W: Lend, M: Scratch<Exchange<P, W, E, T>>, E: Extent, const T: usize>
    Interactive<P, W, M, E, T>
{
    /// An association at rest: it answers the peer's runs, and starts one on [`connect`](Self::connect).
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a configuration or a setup out of range, and a group whose messages are longer than the
    /// extent's flights; [`Error::SuiteMismatch`] where the setup lacks the suite that was agreed with this peer.
    pub fn open(peer: P, wallet: W, setup: Setup, config: Config, memory: M) -> Result<Self, Error> {
        let long_enough = E::Flight::default().as_ref().len() >= room(T, setup.kem.group().share_len());
        let valid = setup.is_valid() && fits(&setup) && long_enough;
        let first = setup.suites.first().filter(|_| valid).ok_or(Error::BadArgument)?;
        let suite = match peer.borrow().suite() {
            Some(id) => setup.suite(id).ok_or(Error::SuiteMismatch)?,
            None => first,
        };
        let exchange = Exchange { peer, wallet, setup, suite, look_at: Instant(0), extent: PhantomData };
        Self::new(exchange, config, memory)
    }

    /// Starts a run with the peer at this address: phase 2 where there is a PMK, else phase 1 and then phase 2. A session
    /// that there is goes on until the new keys are agreed.
    ///
    /// Once K2 has come, [`send`](crate::Association::send) works, and what it sends goes with K3 in one datagram;
    /// [`Event::Established`](crate::Event::Established) says that the peer has the keys too.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run of this side's is under way or without memory; [`Error::NoCredential`] where
    /// phase 1 is needed and no ticket is valid; [`Error::KeyExhausted`] after 65 535 attempts under one PMK;
    /// [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.connect(cx, io, to))
    }

    /// Starts phase 1 although there is a PMK: a new one takes its place, with the tickets that both have now.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn authenticate(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| {
            if io.find(&Run::is_ours).is_some() { Err(Error::WrongState) } else { phase1::begin(scheme, cx, io, to) }
        })
    }

    /// Asks whether the peer is there and has the PMK: [`Event::PeerAlive`](crate::Event::PeerAlive), or
    /// [`Event::Failed`](crate::Event::Failed) of [`Stage::Ping`]. It replaces nothing and stores nothing.
    ///
    /// # Errors
    /// [`Error::NotEstablished`] without a PMK; [`Error::WrongState`] while a ping is out or without memory;
    /// [`Error::Rng`].
    pub fn ping(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.ask(cx, io, to))
    }

    /// The wallet has changed: a new ticket of this side's is sent to the peer; a revocation list that names the peer's
    /// ends the association ([`Event::Terminated`](crate::Event::Terminated)).
    ///
    /// # Errors
    /// [`Error::Undrained`].
    pub fn recheck(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| {
            if !scheme.look(cx, io) && E::RENEWS {
                scheme.renew(cx, io);
            }
        });
        Ok(())
    }

    /// What lends the device's wallet.
    pub const fn credentials(&self) -> &W {
        &self.scheme.wallet
    }

    /// The peer's record.
    pub fn peer(&self) -> &Peer<T> {
        self.scheme.peer.borrow()
    }

    /// What lends the wallet: to install a ticket, say, or a revocation list. Then [`recheck`](Self::recheck).
    pub const fn wallet(&self) -> &W {
        &self.scheme.wallet
    }

    /// Gives the peer back, wiping the session.
    pub fn into_peer(self) -> P {
        self.scheme.peer
    }
}

/// Whether the suites are those of the KEM's group.
fn fits(setup: &Setup) -> bool {
    let curve = setup.kem.curve();
    setup.suites.iter().all(|suite| match suite.id {
        0 | 1 | 4 => curve == 4,
        2 | 3 | 5 => curve == 1,
        id => curve == id,
    })
}

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Exchange<P, W, E, T> {
    pub(super) fn peer(&mut self) -> &mut Peer<T> {
        self.peer.borrow_mut()
    }

    /// The suite of a PMK.
    pub(super) fn suite_of(&self, which: Which) -> Option<&'static Suite> {
        self.setup.suite(self.peer.borrow().master(which)?.origin().suite)
    }

    /// A run's keys are the session's.
    pub(super) fn enter(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, place: usize, to: Addr) -> Result<(), Dropped> {
        let (terms, suite) = match io.run(place) {
            Some(Run::AwaitK4(run)) => (terms_of(run, true, cx.now), run.suite),
            Some(Run::AwaitK3(run)) => (terms_of(run, false, cx.now), run.suite),
            _ => return Err(Dropped::Unexpected),
        };
        self.suite = suite;
        io.free_all(&|run| matches!(run, Run::Renewing { .. } | Run::Renewed));
        io.install(place, suite, Run::keys, &terms, to)
    }

    /// The pending PMK is current: this side's own run under the one that is gone is over, one under it goes on.
    #[inline(never)]
    pub(super) fn committed(&mut self, io: &mut Io<'_, Self>) {
        for half in io.halves.iter_mut() {
            let over = match half.scheme_mut() {
                Some(Run::AwaitK2(run)) => !run.after_commit(),
                _ => false,
            };
            if over {
                half.clear();
            }
        }
        io.outbox.want_store();
        io.note(Note::KeyReplaced);
    }

    /// Whether tickets or F are over, or the peer's ticket is revoked; then there is no phase 2 any more, and no session.
    #[inline(never)]
    pub(super) fn look(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>) -> bool {
        let first = self.look_at == Instant(0);
        if cx.now >= self.look_at {
            if !first && cx.wall.is_none() && self.peer().has_run((LOOK_EVERY / 1000) as u32) {
                io.outbox.want_store();
            }
            self.look_at = cx.now.plus(LOOK_EVERY);
        }
        let peer = self.peer.borrow();
        let (ends, left) = peer.life();
        let now = cx.wall.map(seconds);
        let mut over = left == 0 || now.is_some_and(|now| now >= ends);
        let tickets = peer.tickets_end();
        if let Some((end, serial)) = tickets {
            self.wallet.lend(&mut |credentials| {
                over |= credentials.is_over(end, Some(serial), cx.wall) || !credentials.has_own();
            });
        }
        // By the wall clock it may be over before the next look.
        let end = tickets.map_or(ends, |(end, _)| end.min(ends));
        if let Some(now) = now.filter(|_| !over) {
            let wait = end.saturating_sub(now).min(LOOK_EVERY / 1000).saturating_mul(1000);
            self.look_at = self.look_at.min(cx.now.plus(wait));
        }
        if over {
            self.part(io);
        }
        over
    }

    /// There is no phase 2 any more, and no session.
    fn part(&mut self, io: &mut Io<'_, Self>) {
        let forgot = self.peer().forget_masters();
        if forgot {
            io.halves.iter_mut().filter(|half| half.scheme().is_some()).for_each(Half::clear);
            io.outbox.want_store();
        }
        let ended = io.part(self.suite);
        if forgot || ended {
            io.note(Note::Failed(Stage::Exchange, Reason::Credential));
        }
        if ended {
            io.note(Note::Terminated);
        }
    }

    fn verify_k1(&self, bytes: &[u8]) -> Result<(), Dropped> {
        let (k1, _) = K1::peek(bytes)?;
        match self.peer.borrow().named(&k1.hint).ok_or(Dropped::NoKey)? {
            Named::Gone => Ok(()),
            Named::Master(which) => self.read_k1(which, bytes).map(|_| ()),
        }
    }
}

/// What the session is called that a run leads to.
const fn terms_of(run: &Finishing, initiator: bool, now: Instant) -> Terms {
    let Finishing { step, cid, .. } = *run;
    Terms { id: step, generation: step, initiator, cid, now, healed: true, secret: true }
}

/// A name under which a first message is routed.
fn name_of(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |front| u32::from_be_bytes(*front))
}

fn name_of_subject(subject: &[u8]) -> u32 {
    name_of(&hash(&[subject]))
}

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Scheme for Exchange<P, W, E, T> {
    const NUMBER: u8 = NUMBER;
    const NAME: &'static str = keys::NAME;
    const STAGE: Stage = Stage::Exchange;
    const AUTHENTICATED: Authenticated = Authenticated::Holder;
    const HAS: Has = E::HAS;

    type Run = Run;
    type Flight = E::Flight;
    type Asked = Option<Addr>;

    fn suite(&self) -> &'static Suite {
        self.suite
    }

    fn message(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let Datagram::Handshake { message, run, .. } = classify(bytes)? else { return Err(Dropped::Malformed) };
        match message {
            message::M1 | message::M3 if !E::ANSWERS => Err(Dropped::Version),
            message::M1 | message::M2 | message::M3 | message::M4 | message::HINT => {
                phase1::message(self, cx, io, (from, proven), message, bytes)
            }
            message::K1 if E::ANSWERS => self.on_k1(cx, io, from, proven, bytes),
            message::K2 => self.on_k2(cx, io, run, bytes),
            message::K3 if E::ANSWERS => self.on_k3(cx, io, from, run, bytes),
            message::K4 => self.on_k4(io, run, bytes),
            message::GONE => self.on_gone(cx, io, run, bytes),
            message::REFUSE => self.on_refuse(cx, io, run, bytes),
            message::PING if E::RENEWS => self.on_ping(cx, io, from, bytes),
            message::PONG => Self::on_pong(io, run, bytes),
            _ => Err(Dropped::Version),
        }
    }

    fn control(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, body: &[u8]) -> Result<(), Dropped> {
        if E::RENEWS { self.on_control(cx, io, body) } else { Err(Dropped::Unexpected) }
    }

    fn heard(&mut self, io: &mut Io<'_, Self>) {
        // A record under the new keys: the peer has them. K3 goes out until K4 says so, for PMK's sake.
        let mut begins = false;
        for half in io.halves.iter_mut() {
            if let Some(Run::AwaitK4(run)) = half.scheme_mut() {
                begins |= !core::mem::replace(&mut run.begun, true);
            }
        }
        if begins {
            io.note(Note::Established);
        }
    }

    fn leads(run: &Run, waits: bool) -> bool {
        match run {
            Run::AwaitK4(run) => !run.begun,
            Run::Answered { .. } => waits,
            _ => false,
        }
    }

    fn record_behind(number: u8) -> Option<usize> {
        matches!(number, message::K3 | message::K4).then_some(CLOSING_LEN)
    }

    fn over(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Run) -> Result<(), Error> {
        match run {
            Run::Phase1(run) => phase1::over(io, &run),
            Run::AwaitK2(run) => self.no_answer(cx, io, &run),
            Run::AwaitK4(run) if !run.begun => {
                // The peer may have left the old session for the new one; nobody can tell. Start afresh.
                io.end_session();
                io.note(Note::Failed(Stage::Exchange, Reason::NoAnswer));
            }
            Run::Pinging { .. } => io.note(Note::Failed(Stage::Ping, Reason::NoAnswer)),
            _ => {}
        }
        Ok(())
    }

    fn timer(&self) -> Option<Instant> {
        let peer = self.peer.borrow();
        (peer.suite().is_some()).then_some(self.look_at)
    }

    fn timeout(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>) -> Result<(), Error> {
        if cx.now >= self.look_at {
            self.look(cx, io);
        }
        Ok(())
    }

    fn resumed(&mut self, _cx: &Cx<'_>, io: &mut Io<'_, Self>) {
        // Stored before it ended here: where there is no PMK any more, there is no session either.
        if self.peer.borrow().suite().is_none() {
            self.part(io);
        }
    }

    fn is_half_open(run: &Run) -> bool {
        // And what is kept of a run that is over: whoever goes on from stored state waits for none of that.
        run.is_done() || matches!(run, Run::Phase1(run) if run.is_half_open())
    }

    fn generation(&self) -> u32 {
        self.peer.borrow().generation()
    }

    fn first_name(bytes: &[u8]) -> Option<u32> {
        match classify(bytes) {
            Ok(Datagram::Handshake { scheme: NUMBER, message: message::K1, .. }) if E::ANSWERS => {
                K1::peek(bytes).ok().map(|(k1, _)| u32::from_be_bytes(k1.hint))
            }
            Ok(Datagram::Handshake { scheme: NUMBER, message: message::PING, .. }) => bytes.get(2..).map(name_of),
            Ok(Datagram::Handshake { scheme: NUMBER, message: message::M1, .. }) if E::ANSWERS => {
                match M1::read(bytes).ok()?.0.shown {
                    Shown::Reference(reference) => Some(name_of(&reference.0)),
                    Shown::Ticket(ticket) => {
                        Some(name_of_subject(Ticket::peek(ticket).ok()?.claims().subject.as_bytes()))
                    }
                }
            }
            _ => None,
        }
    }

    fn is_named(&mut self, bytes: &[u8]) -> bool {
        let peer = self.peer.borrow();
        let hint = |hint: &[u8]| hint.first_chunk().is_some_and(|hint| peer.named(hint).is_some());
        match classify(bytes) {
            Ok(Datagram::Handshake { message: message::K1, .. }) if E::ANSWERS => {
                K1::peek(bytes).is_ok_and(|(k1, _)| hint(&k1.hint))
            }
            Ok(Datagram::Handshake { message: message::PING, .. }) => bytes.get(2..).is_some_and(hint),
            Ok(Datagram::Handshake { message: message::M1, .. }) if E::ANSWERS => {
                match M1::read(bytes).map(|(m1, ..)| m1.shown) {
                    Ok(Shown::Reference(of)) => peer.reference() == Some(of),
                    Ok(Shown::Ticket(ticket)) => Ticket::peek(ticket).is_ok_and(|ticket| {
                        peer.expected().accepts(ticket.claims().subject.as_bytes(), ticket.claims().scope)
                    }),
                    Err(_) => false,
                }
            }
            _ => false,
        }
    }

    fn is_from_peer(&mut self, bytes: &[u8]) -> bool {
        match classify(bytes) {
            Ok(Datagram::Handshake { message: message::K1, .. }) if E::ANSWERS => self.verify_k1(bytes).is_ok(),
            _ => self.is_named(bytes),
        }
    }

    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        let peer = self.peer.borrow();
        peer.hints(&mut |hint| name(u32::from_be_bytes(hint)));
        if let Some(reference) = peer.reference() {
            name(name_of(&reference.0));
        }
        if let Some(id) = peer.id() {
            name(name_of_subject(id.as_bytes()));
        }
    }

    fn names_version(&self) -> u32 {
        self.peer.borrow().names_version()
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.peer.borrow().write(out)
    }

    fn beside(&self) -> Beside<'_> {
        self.peer.borrow().beside()
    }

    fn next_version(&mut self) -> (Slot, u32) {
        let peer = self.peer();
        (peer.slot(), peer.next_version())
    }

    fn blob(&self) -> Kind {
        Kind::InteractivePeer
    }

    fn slot(&self) -> Slot {
        self.peer.borrow().slot()
    }
}
