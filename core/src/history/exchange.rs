//! The association of two paired devices: what it is made of, and which handler a message goes to.

use super::extent::{Extent, Whole};
use super::keys::{self, Tags};
use super::log::{Entry, Log, Logged, RecordName};
use super::peer::Peer;
use super::wire::{self, message};
use super::{initiator, responder};
use crate::association::{Addr, Authenticated, Cx, Error, Instant, Reason, Slot, Stage, UnixTime};
use crate::crypto::group::Scalar;
use crate::crypto::{Prk, Suite};
use crate::engine::drops::Dropped;
use crate::engine::flight::Buffer;
use crate::engine::memory::{Memory, Scratch};
use crate::engine::rekey::Which;
use crate::engine::scheme::{Has, Io, Note, Scheme, Stamp};
use crate::engine::session::{ConnectionId, Keys, Opened, Session, Terms};
use crate::engine::state::Kind;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Kind as Datagram, Reader, Writer, classify};
use crate::engine::{Config, Endpoint};
use core::borrow::BorrowMut;
use core::fmt;
use core::marker::PhantomData;

/// The longest place (LI) in bytes.
pub const PLACE_MAX: usize = 32;

/// The history scheme between this device and one peer. `P` is the [`Peer`], owned or lent; `L` the log's memory;
/// `M` the runs' memory ([`HistoryMemory`], owned, boxed or lent); `E` how much of the scheme it has.
pub type History<P, L, M, E = Whole> = Endpoint<Exchange<P, L, E>, M>;

/// Memory for a [`History`]'s runs: see [`Memory`].
pub type HistoryMemory<P, L, const RUNS: usize, const REASSEMBLY: usize, E = Whole> =
    Memory<Exchange<P, L, E>, RUNS, REASSEMBLY>;

/// The scheme's part of a [`History`].
#[derive(Debug)]
pub struct Exchange<P, L, E = Whole> {
    pub(super) peer: P,
    pub(super) log: Log<L>,
    pub(super) suite: &'static Suite,
    extent: PhantomData<E>,
}

/// The tag that a run waits for which is past its Diffie-Hellman.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaits {
    /// Initiator, C3 is out.
    C4,
    /// Initiator, C5 is out: ACK, or any record under the new keys, completes it.
    Ack,
    /// Responder, C4 is out.
    C5,
}

/// A run that is past its Diffie-Hellman: what is left is to see the other side's tag.
pub struct Finishing {
    pub(super) run: u32,
    pub(super) awaits: Awaits,
    pub(super) under: Which,
    pub(super) cid: ConnectionId,
    pub(super) tags: Tags,
    pub(super) keys: Keys,
}

impl Finishing {
    /// A run that is past its Diffie-Hellman takes this place. Its tags and keys are computed where they stay
    /// ([`derive`](Self::derive)), and this is out of line: on the caller's stack each copy would take 300 bytes.
    #[inline(never)]
    pub(super) fn start<'i, S: Scheme<Run = Run>>(
        io: &'i mut Io<'_, S>,
        place: usize,
        (run, under, awaits, cid): (u32, Which, Awaits, ConnectionId),
    ) -> Result<&'i mut Self, Dropped> {
        let finishing = Self { run, awaits, under, cid, tags: Tags::none(), keys: Keys::none() };
        io.start(place, Run::Finishing(finishing));
        io.run(place).and_then(Run::finishing).ok_or(Dropped::Unexpected)
    }

    /// Tags and session keys from the run's PRK, which then need not be kept.
    pub(super) fn derive(&mut self, suite: &Suite, prk: &Prk, th_4: &Transcript) {
        self.tags.derive(suite, prk, th_4);
        self.keys.keep(prk, th_4);
    }
}

/// What a run keeps between two messages.
pub enum Run {
    /// Initiator, C1 is out.
    AwaitC2(initiator::AwaitC2),
    /// Either side, the keys are there.
    Finishing(Finishing),
    /// Responder, C2 is out.
    AwaitC3(responder::AwaitC3),
    /// Responder, ACK is out; kept for an initiator that did not get it.
    Acked {
        /// The run's number.
        run: u32,
    },
    /// A GONE is out.
    Gone,
    /// Update, requester: the request is out.
    Asking {
        /// Attempt.
        attempt: u16,
        /// The record.
        name: RecordName,
        /// Digests of T, LI and Data.
        digests: [[u8; 16]; 3],
        /// The hidden element's digest: the right answer.
        hidden: [u8; 16],
        /// This side's Diffie-Hellman scalar.
        scalar: Scalar,
        /// Over the request.
        th: Transcript,
        /// Requests that may still follow if this one is refused.
        more: u8,
    },
    /// Update, responder: the answer or refusal is out.
    AnsweredAsk {
        /// Over the request that it answers.
        th: Transcript,
    },
    /// Update, requester: the termination message is out.
    Closing {
        /// Generation of the triple that is to be left.
        generation: u32,
        /// Attempt.
        attempt: u16,
    },
    /// Update, responder: the answer to the termination message is out.
    Closed {
        /// Generation.
        generation: u32,
        /// Attempt.
        attempt: u16,
    },
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitC2(_) => "AwaitC2",
            Self::Finishing(_) => "Finishing",
            Self::AwaitC3(_) => "AwaitC3",
            Self::Acked { .. } => "Acked",
            Self::Gone => "Gone",
            Self::Asking { .. } => "Asking",
            Self::AnsweredAsk { .. } => "AnsweredAsk",
            Self::Closing { .. } => "Closing",
            Self::Closed { .. } => "Closed",
        })
    }
}

impl Run {
    /// A run with these low bits of its number whose next message is this one.
    pub(super) fn is_next(&self, awaits: Awaits, low: u8) -> bool {
        matches!(self, Self::Finishing(run) if run.awaits == awaits && run.run & 15 == u32::from(low))
    }
    /// What is known of a run once it has keys.
    pub(super) const fn finishing(&mut self) -> Option<&mut Finishing> {
        if let Self::Finishing(run) = self { Some(run) } else { None }
    }
    /// The session's keys, once there are some.
    pub(super) const fn keys(&self) -> Option<&Keys> {
        if let Self::Finishing(run) = self { Some(&run.keys) } else { None }
    }
    /// Whether it is a handshake that this side started.
    pub(super) const fn is_ours(&self) -> bool {
        matches!(self, Self::AwaitC2(_) | Self::Finishing(Finishing { awaits: Awaits::C4 | Awaits::Ack, .. }))
    }
    /// Whether it is a handshake that the peer started.
    pub(super) const fn is_theirs(&self) -> bool {
        matches!(self, Self::AwaitC3(_) | Self::Finishing(Finishing { awaits: Awaits::C5, .. }))
    }
    /// Whether it is a handshake under way.
    pub(super) const fn is_handshake(&self) -> bool {
        matches!(self, Self::AwaitC2(_) | Self::AwaitC3(_) | Self::Finishing(_))
    }
    /// The triple of a peer's handshake.
    fn under(&mut self) -> Option<&mut Which> {
        match self {
            Self::AwaitC3(run) => Some(&mut run.under),
            Self::Finishing(run) if run.awaits == Awaits::C5 => Some(&mut run.under),
            _ => None,
        }
    }
    /// Whether only a first message started it, which may be a replay.
    pub(super) const fn is_half_open(&self) -> bool {
        matches!(self, Self::AwaitC3(_))
    }
    /// Whether it only waits to answer again, and gives way to anything.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self, Self::Acked { .. } | Self::Gone | Self::AnsweredAsk { .. } | Self::Closed { .. })
    }
}

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, M: Scratch<Exchange<P, L, E>>, E: Extent>
    History<P, L, M, E>
{
    /// An association with a paired peer, at rest: it answers the peer's runs, and starts one on
    /// [`connect`](Self::connect). `log` may be empty; there are no updates then.
    ///
    /// # Errors
    /// [`Error::SuiteMismatch`] where the peer was paired with another suite; [`Error::BadArgument`] for a configuration
    /// out of range.
    pub fn open(peer: P, log: L, suite: &'static Suite, config: Config, memory: M) -> Result<Self, Error> {
        peer.borrow().fits(suite)?;
        Self::new(Exchange { peer, log: Log::new(log), suite, extent: PhantomData }, config, memory)
    }

    /// Starts an exchange with the peer at this address. A session that there is goes on until the new one is complete.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run of this side's is under way or without memory; [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.connect(cx, io, to))
    }

    /// Asks the peer for a new triple from a record of the log. [`Event::UpdateAgreed`](crate::Event::UpdateAgreed) or
    /// [`Event::UpdateFailed`](crate::Event::UpdateFailed) tells how it went; once agreed, the session ends and this side
    /// connects again under the new triple.
    ///
    /// # Errors
    /// [`Error::NotEstablished`]; [`Error::NoRecord`] where nothing was received yet whose elements are unique;
    /// [`Error::WrongState`] while an update is under way; [`Error::Rng`].
    pub fn update(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        if !E::UPDATES {
            return Err(Error::NoRecord);
        }
        self.with(|scheme, io| scheme.ask(cx, io))
    }

    /// The peer's record.
    pub fn peer(&self) -> &Peer {
        self.scheme.peer.borrow()
    }

    /// Whether a C1 names this peer: for whoever routes first messages without a [`Hub`](crate::hub::Hub). It costs a
    /// hash, or nothing when the run is in the window that this side expects.
    pub fn is_named_by(&mut self, datagram: &[u8]) -> bool {
        self.scheme.is_named(datagram)
    }

    /// Gives the peer back, wiping the session.
    pub fn into_peer(self) -> P {
        self.scheme.peer
    }
}

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, E: Extent> Exchange<P, L, E> {
    pub(super) fn peer(&mut self) -> &mut Peer {
        self.peer.borrow_mut()
    }

    /// What the session is called that a finished run leads to. Its name tells the two directions of run numbers apart; its record
    /// generations start at the run's number, so that the bits in the header differ from the last session's.
    pub(super) fn terms_of(&self, run: &Finishing, now: Instant) -> Terms {
        let initiator = run.awaits != Awaits::C5;
        let initiator_is_lower = self.peer.borrow().is_lower() == initiator;
        let healed = self.suite.dh.is_some();
        Terms {
            id: run.run << 1 | u32::from(initiator_is_lower),
            generation: run.run,
            initiator,
            cid: run.cid,
            now,
            healed,
            secret: healed || run.under == Which::Pending,
        }
    }

    /// A run is complete, its session installed: every other handshake is stale, and a triple that was pending is current.
    ///
    /// But where the higher id's own run is complete, a run of the lower's is a later one: the lower would have given it
    /// up when it completed ours. (The other way round the lower has answered no C1 since its own.)
    #[inline(never)]
    pub(super) fn complete(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, under: Which) {
        let keep = !self.peer().is_lower() && io.session.as_ref().is_some_and(|s| s.initiator);
        io.free_all(&|run| if keep { run.is_ours() } else { run.is_handshake() });
        if E::UPDATES {
            self.end_updates(io);
        }
        if self.peer().complete(under) {
            // The triple that was pending is current.
            for half in io.halves.iter_mut() {
                match half.scheme_mut().and_then(Run::under) {
                    Some(Which::Current) => half.clear(),
                    Some(under) => *under = Which::Current,
                    None => {}
                }
            }
            self.log.clear();
            io.outbox.want_store();
            io.note(Note::KeyReplaced);
        }
        io.note(Note::Established);
        // Complete under current although the peer had the pending key: it may have been rolled back. Ask it.
        if E::UPDATES
            && let Some(attempt) = self.peer().replacement.confirmed()
        {
            self.close(cx, io, attempt);
        }
    }

    /// The session's keys are others now: what an update had under way went with the old ones.
    fn end_updates(&self, io: &mut Io<'_, Self>) {
        if io.find(&|run| matches!(run, Run::Asking { .. })).is_some() {
            io.note(Note::UpdateFailed(Reason::Superseded));
        }
        io.free_all(&|run| {
            matches!(run, Run::Asking { .. } | Run::Closing { .. } | Run::Closed { .. } | Run::AnsweredAsk { .. })
        });
    }
}

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, E: Extent> Scheme for Exchange<P, L, E> {
    const NUMBER: u8 = wire::NUMBER;
    const NAME: &'static str = keys::NAME;
    const STAGE: Stage = Stage::Exchange;
    const AUTHENTICATED: Authenticated = Authenticated::PairedPeer;
    const HAS: Has = E::HAS;

    type Run = Run;
    type Flight = Buffer<{ wire::FLIGHT_MAX }>;
    type Asked = ();

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
            message::C1 if E::ANSWERS => self.on_c1(cx, io, from, proven, bytes),
            message::C2 => self.on_c2(cx, io, run, bytes),
            message::C3 if E::ANSWERS => self.on_c3(cx, io, from, run, bytes),
            message::C4 => self.on_c4(cx, io, run, bytes),
            message::C5 if E::ANSWERS => self.on_c5(cx, io, from, run, bytes),
            message::ACK => self.on_ack(cx, io, run, bytes),
            message::GONE => self.on_gone(cx, io, run, bytes),
            _ => Err(Dropped::Version),
        }
    }

    fn control(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, body: &[u8]) -> Result<(), Dropped> {
        if E::UPDATES { self.on_control(cx, io, body) } else { Err(Dropped::Unexpected) }
    }

    fn agreed<'r>(&self, run: &'r Run, now: Instant) -> Option<(&'r Keys, Terms)> {
        match run {
            Run::Finishing(run) if run.awaits == Awaits::Ack => Some((&run.keys, self.terms_of(run, now))),
            _ => None,
        }
    }

    fn confirmed(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, place: usize) {
        if let Some(under) = io.run(place).and_then(Run::finishing).map(|run| run.under) {
            io.free(place);
            self.complete(cx, io, under);
        }
    }

    fn heard(&mut self, io: &mut Io<'_, Self>) {
        io.free_all(&|run| matches!(run, Run::Acked { .. }));
    }

    fn over(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Run) -> Result<(), Error> {
        match run {
            Run::AwaitC2(run) => self.no_answer(cx, io, &run),
            Run::Finishing(run) if run.awaits != Awaits::C5 => {
                if run.awaits == Awaits::Ack {
                    // The peer may have left the old session for the new one; nobody can tell. Start afresh, and complete
                    // nothing that crossed this run.
                    io.free_all(&Run::is_handshake);
                    io.end_session();
                }
                io.note(Note::Failed(Stage::Exchange, Reason::NoAnswer));
            }
            Run::Asking { .. } => io.note(Note::UpdateFailed(Reason::NoAnswer)),
            Run::Closing { .. } if E::UPDATES => self.terminated(cx, io),
            Run::Closed { .. } if io.session.as_ref().is_some_and(|s| s.closing) => io.end_session(),
            Run::AwaitC3(_) | Run::Finishing(_) => {}
            Run::Acked { .. } | Run::Gone | Run::AnsweredAsk { .. } | Run::Closing { .. } | Run::Closed { .. } => {}
        }
        Ok(())
    }

    fn generation(&self) -> u32 {
        self.peer.borrow().generation()
    }

    fn is_half_open(run: &Run) -> bool {
        run.is_half_open()
    }

    fn resumed(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>) {
        self.end_updates(io);
        // An update may have been agreed before the restart: it ends as if this were its own session.
        if E::UPDATES
            && let Some(attempt) = self.peer().replacement.confirmed()
        {
            self.close(cx, io, attempt);
        }
    }

    fn stamp_len(&self, cx: &Cx<'_>) -> Result<usize, Error> {
        if cx.place.len() > PLACE_MAX {
            return Err(Error::BadArgument);
        }
        Ok(cx.place.len().saturating_add(9))
    }

    fn stamp(&self, cx: &Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        let mut w = Writer::new(out);
        w.put(&cx.wall.map_or(0, |t| t.0).to_be_bytes()).short(cx.place);
        w.finish().map_err(|needed| Error::BufferTooSmall { needed })
    }

    fn sealed(&mut self, cx: &Cx<'_>, session: &Session, tag: &[u8]) {
        if !E::UPDATES {
            return;
        }
        let (generation, number) = (session.generation(), session.sent().saturating_sub(1));
        let name = RecordName { session: session.id(), generation, number };
        let witness = session.witness(self.suite, true, number, tag);
        let record = Logged { name, time: cx.wall.map_or(0, |t| t.0), place: cx.place, witness };
        self.log.sent(&record, &self.peer.borrow().current.aux);
    }

    fn unstamp<'a>(
        &mut self,
        session: &Session,
        record: &Opened,
        text: &'a [u8],
        tag: &[u8],
    ) -> Result<Stamp<'a>, Dropped> {
        let mut r = Reader::new(text);
        let time = r.u64()?;
        let place = r.short(PLACE_MAX)?;
        if E::UPDATES {
            let name = RecordName { session: session.id(), generation: record.generation, number: record.number };
            let witness = session.witness(self.suite, false, record.number, tag);
            self.log.received(&Logged { name, time, place, witness }, &self.peer.borrow().current.aux);
        }
        Ok(Stamp { time: (time != 0).then_some(UnixTime(time)), place, payload: r.rest() })
    }

    fn first_name(message: &[u8]) -> Option<u32> {
        match classify(message) {
            Ok(Datagram::Handshake { scheme: wire::NUMBER, message: message::C1, .. }) => {
                wire::C1::peek(message).ok().map(|c1| u32::from_be_bytes(c1.hint))
            }
            _ => None,
        }
    }

    fn is_named(&mut self, message: &[u8]) -> bool {
        wire::C1::peek(message).is_ok_and(|c1| self.peer().named(&c1.hint, c1.run).is_some())
    }

    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        wire::C1::read(message, self.suite.mac_len).and_then(|c1| self.verify_c1(&c1)).is_ok()
    }

    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        self.peer().expected(name);
    }

    fn names_version(&self) -> u32 {
        self.peer.borrow().names_version()
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.peer.borrow().write(out)
    }

    fn next_version(&mut self) -> (Slot, u32) {
        let peer = self.peer();
        (peer.slot(), peer.next_version())
    }

    fn blob(&self) -> Kind {
        Kind::HistoryPeer
    }

    fn slot(&self) -> Slot {
        self.peer.borrow().slot()
    }
}
