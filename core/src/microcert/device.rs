//! The device: micro-certificates to its centre, and what the centre orders.
//!
//! ```text
//!  connect, authenticate --AUTH-->        <--ANSWER--  [CHALLENGE, PROOF between them]
//!                                           | session    Established
//!                                           | none       Authenticated
//!                                           | ASK        a part of a new seed in the next AUTH
//!                                           | CLOSE      the next AUTH is under the new seed; its ANSWER makes it current
//!                                           | HASNOT     the new seed is forgotten
//!                                           '-REVOKE     the seed is killed; DEAD -->
//! ```

use super::chip::{Chip, seconds};
use super::extent::{Extent, Whole};
use super::keys::{self, NEW_LEN, RANDOM_LEN, Use};
use super::wire::{self, Answer, Critical, Dead, Fresh, Opening, Order, Reply, Stamp, message};
use crate::association::{Addr, Authenticated, Cx, Error, Instant, Reason, Slot, Stage, UnixTime};
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Prk, Secret, Suite, kdf};
use crate::engine::drops::Dropped;
use crate::engine::flight::Buffer;
use crate::engine::memory::{self, Half, Memory, Scratch};
use crate::engine::once::{open_once, seal_once};
use crate::engine::outbox::Outbox;
use crate::engine::rekey::Which;
use crate::engine::scheme::{Has, Io, Note, Scheme};
use crate::engine::session::{ConnectionId, Keys, Terms};
use crate::engine::state::Kind;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Kind as Datagram, Reader, Writer, classify};
use crate::engine::{Config, Endpoint};
use core::borrow::BorrowMut;
use core::fmt;
use core::marker::PhantomData;

/// The microcert scheme between this device and its centre. `P` is the [`Chip`], owned or lent; `M` the runs' memory
/// ([`MicrocertMemory`], owned, boxed or lent); `E` says how much of it there is.
pub type Microcert<P, M, E = Whole> = Endpoint<Exchange<P, E>, M>;

/// Memory for a [`Microcert`]'s run: it has one at a time.
pub type MicrocertMemory<P, E = Whole> = Memory<Exchange<P, E>, 1, 0>;

/// The scheme's part of a [`Microcert`].
#[derive(Debug)]
pub struct Exchange<P, E = Whole> {
    chip: P,
    suite: &'static Suite,
    /// What time the centre said it was, and when.
    heard: Option<(u32, Instant)>,
    /// Whether the centre took the last AUTH for fresh: then it takes the next one so, too.
    fresh: bool,
    extent: PhantomData<E>,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Session,
    Authentication,
    /// What the centre ordered; nobody called for it just now.
    Update,
}

/// A micro-certificate is out.
pub struct Awaiting {
    to: Addr,
    prk: Prk,
    /// Over the micro-certificate.
    th_a: Transcript,
    stamp: Stamp,
    under: Which,
    goal: Goal,
    /// CHALLENGEs that this run had.
    challenges: u8,
    /// Flights that may still follow, under the other seed in turn.
    rounds: u8,
}

/// What a run keeps between two messages.
pub enum Run {
    /// AUTH or PROOF is out.
    Awaiting(Awaiting),
    /// DEAD is out.
    Dead,
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Awaiting(_) => "Awaiting",
            Self::Dead => "Dead",
        })
    }
}

/// With a confirmed pending seed: it, it, current (see [`rekey`](crate::engine::rekey)).
const ROUNDS: u8 = 3;
/// CHALLENGEs that a run takes.
const CHALLENGES: u8 = 2;
/// How often DEAD is said at a time.
const DEAD_TRIES: u8 = 3;

/// How one micro-certificate is to be.
struct Wish<'a> {
    to: Addr,
    goal: Goal,
    challenges: u8,
    rounds: u8,
    opening: Option<&'a Opening>,
}

impl Goal {
    const fn failed(self, reason: Reason) -> Note {
        match self {
            Self::Update => Note::UpdateFailed(reason),
            _ => Note::Failed(Stage::Authentication, reason),
        }
    }
}

impl<P: BorrowMut<Chip>, M: Scratch<Exchange<P, E>>, E: Extent> Microcert<P, M, E> {
    /// An association with the centre that this chip is enrolled with, at rest.
    ///
    /// # Errors
    /// [`Error::SuiteMismatch`] where the chip was enrolled with another suite, and for one with Diffie-Hellman;
    /// [`Error::BadArgument`] for a configuration out of range: the MTU must hold [`wire::FLIGHT_MAX`] bytes.
    pub fn open(chip: P, suite: &'static Suite, config: Config, memory: M) -> Result<Self, Error> {
        chip.borrow().fits(suite)?;
        let store = chip.borrow().needs_store().is_some();
        let exchange = Exchange { chip, suite, heard: None, fresh: true, extent: PhantomData };
        let mut opened = Self::new(exchange, config, memory)?;
        if store {
            opened.outbox.want_store();
        }
        Ok(opened)
    }

    /// Authenticates both sides and starts a session with the centre at this address:
    /// [`Event::Established`](crate::Event::Established). A session that there is goes on until then. Where the seed is killed the
    /// centre is told so again, and the run fails.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run is under way, without memory, or in an [`Extent`] without sessions;
    /// [`Error::SeedExpired`]; [`Error::KeyExhausted`]; [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        if !E::HAS.sessions {
            return Err(Error::WrongState);
        }
        self.drained()?;
        self.with(|scheme, io| scheme.start(cx, io, to, Goal::Session))
    }

    /// Authenticates both sides, without a session: [`Event::Authenticated`](crate::Event::Authenticated).
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub fn authenticate(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.start(cx, io, to, Goal::Authentication))
    }

    /// Signs data for whoever asks the centre: at most [`wire::SIGNATURE_MAX`] bytes, whose number it returns. The time in it is
    /// this device's.
    ///
    /// # Errors
    /// [`Error::Undrained`] where a counter has to be reserved first: poll until `Idle`, then call again;
    /// [`Error::SeedExpired`], [`Error::Revoked`], [`Error::KeyExhausted`], [`Error::Rng`], [`Error::BufferTooSmall`].
    pub fn sign(&mut self, cx: &mut Cx<'_>, data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.signer()?.sign(cx, data, out)
    }

    /// What signs: the same for an association of any type.
    ///
    /// # Errors
    /// [`Error::Undrained`].
    pub fn signer(&mut self) -> Result<Signer<'_>, Error> {
        self.drained()?;
        Ok(Signer { suite: self.scheme.suite, chip: self.scheme.chip.borrow_mut(), outbox: &mut self.outbox })
    }

    /// The chip.
    pub fn chip(&self) -> &Chip {
        self.scheme.chip.borrow()
    }

    /// What time it is by the centre's clock, since it last said so: to set this device's own.
    pub fn time(&self, now: Instant) -> Option<UnixTime> {
        let (time, at) = self.scheme.heard?;
        Some(UnixTime(u64::from(time).saturating_mul(1_000).saturating_add(now.0.saturating_sub(at.0))))
    }

    /// Gives the chip back, wiping the session.
    pub fn into_chip(self) -> P {
        self.scheme.chip
    }
}

impl<P: BorrowMut<Chip>, E: Extent> Exchange<P, E> {
    fn chip(&mut self) -> &mut Chip {
        self.chip.borrow_mut()
    }

    fn store(&self, io: &mut Io<'_, Self>) {
        if self.chip.borrow().is_dirty() {
            io.outbox.want_store();
        }
    }

    fn start(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr, goal: Goal) -> Result<(), Error> {
        if io.find(&|_| true).is_some() {
            return Err(Error::WrongState);
        }
        // The answer to a centre that went on from stored state: it is of no more use.
        let answering = |half: &&mut Half<Self>| matches!(half.run, Some(memory::Run::Answering { .. }));
        io.halves.iter_mut().filter(answering).for_each(Half::clear);
        if self.chip().is_dead() {
            io.note(Note::Failed(Stage::Authentication, Reason::Revoked));
            self.say_dead(cx, io, to);
            return Ok(());
        }
        let rounds = self.rounds();
        self.begin(cx, io, &Wish { to: *to, goal, challenges: 0, rounds, opening: None })
    }

    fn rounds(&self) -> u8 {
        if self.chip.borrow().replacement.confirmed().is_some() { ROUNDS } else { 1 }
    }

    /// AUTH, or PROOF on the centre's opening: its key, then its bytes, one after the other on the stack.
    #[inline(never)]
    fn begin(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, wish: &Wish<'_>) -> Result<(), Error> {
        let n_d = self.certify(cx, io, wish)?;
        self.write(cx.now, io, wish, n_d.as_ref());
        self.store(io);
        Ok(())
    }

    /// Starts the run, with stamp and key of its micro-certificate; what this device brings to a new seed, if it is asked to.
    #[inline(never)]
    fn certify(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        wish: &Wish<'_>,
    ) -> Result<Option<Secret<NEW_LEN>>, Error> {
        let place = io.claim_place(&|_| true).map_err(|_| Error::WrongState)?;
        let chip = self.chip.borrow_mut();
        let under = chip.replacement.choose();
        // A part of a new seed goes into what the centre is going to take for fresh.
        let fresh = wish.opening.is_some() || (self.fresh && !chip.is_clockless());
        let asks = under == Which::Current && fresh && chip.asked.is_some();
        let mut random = Secret::<{ RANDOM_LEN + NEW_LEN }>::zero();
        let wanted = if asks { RANDOM_LEN + NEW_LEN } else { RANDOM_LEN };
        cx.rng.fill(random.as_mut().get_mut(..wanted).unwrap_or(&mut []))?;
        let mut r = Reader::new(random.expose());
        let mut parts = || Ok::<_, Dropped>((r.array()?, r.secret()?));
        let (random, n_d) = parts().map_err(|_| Error::BadArgument)?;

        let time = wish.opening.map_or_else(|| chip.time(cx.wall), |opening| opening.time);
        let rows = chip.rows(under, time)?;
        let stamp = Stamp { time, random, counter: chip.take_counter()? };
        let challenge = wish.opening.map_or(&[][..], |opening| &opening.challenge);
        let prk = chip.csk(under, &rows, &stamp, challenge);
        let Wish { to, goal, challenges, rounds, .. } = *wish;
        let half = io.halves.get_mut(place).ok_or(Error::WrongState)?;
        let th_a = Transcript::NONE;
        let run = Awaiting { to, prk, th_a, stamp, under, goal, challenges, rounds };
        half.run = Some(memory::Run::Scheme(Run::Awaiting(run)));
        Ok(asks.then_some(n_d))
    }

    /// Writes the micro-certificate of the run that was started; with `n_d` it has this device's part of a new seed.
    #[inline(never)]
    fn write(&mut self, now: Instant, io: &mut Io<'_, Self>, wish: &Wish<'_>, n_d: Option<&Secret<NEW_LEN>>) {
        let number = if wish.opening.is_some() { message::PROOF } else { message::AUTH };
        let Some(place) = io.find(&|run| matches!(run, Run::Awaiting(_))) else { return };
        let (suite, chip) = (self.suite, self.chip.borrow_mut());
        let (cid, tries) = (io.config.cid, io.config.tries);
        let Some((Some(Run::Awaiting(run)), flight)) = io.halves.get_mut(place).map(Half::both) else { return };
        let Awaiting { prk, stamp, .. } = &*run;
        let generation = chip.generation_of(run.under);
        let th_0 = keys::th_0(&chip.terms(generation));
        let mut th_a = th_0;
        flight.reset(run.to, None);
        flight.load(false, |w| {
            wire::write_clear(w, number, chip.id(), generation as u8, stamp);
            let th_1 = th_0.then(&[w.written()]);
            let fresh = chip.asked.zip(n_d).map(|((attempt, n_c), n_d)| {
                let tag = keys::order_tag(prk, "new", &th_1, &[&attempt.to_be_bytes(), n_d.expose()]);
                chip.answer(attempt, keys::next_root(prk, &th_1, attempt, &n_c, n_d), stamp.time);
                Fresh { attempt, n_d: n_d.clone(), tag }
            });
            let critical = Critical {
                session: (E::HAS.sessions && run.goal == Goal::Session).then_some(cid),
                standing: chip.standing(run.under),
                fresh,
            };
            let key = keys::once_key(prk, Use::Auth, &th_1);
            th_a = th_1.then(&[seal_once(suite, &key, w, |w| critical.write(w))]);
        });
        let tries = if chip.replacement.confirmed().is_some() { tries.div_ceil(ROUNDS) } else { tries };
        flight.launch(now, tries);
        run.th_a = th_a;
    }

    /// Starts a run that nobody called for just now, so that there is nobody to give an error to.
    fn begin_or_tell(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, wish: &Wish<'_>) {
        let reason = match self.begin(cx, io, wish) {
            Ok(()) => return,
            Err(Error::SeedExpired) => Reason::SeedExpired,
            Err(_) => Reason::Resource,
        };
        io.note(wish.goal.failed(reason));
    }

    /// The run that a message of the centre's answers: its place.
    fn answered(io: &Io<'_, Self>, low: u8) -> Result<usize, Dropped> {
        let ours = |run: &Run| matches!(run, Run::Awaiting(run) if run.stamp.counter & 15 == u32::from(low));
        io.find(&ours).ok_or(Dropped::Unexpected)
    }

    /// "The authentication process is finished": both sides have the same K_auth.
    #[inline(never)]
    fn on_answer(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let suite = self.suite;
        let place = Self::answered(io, low)?;
        let half = io.halves.get(place).ok_or(Dropped::Unexpected)?;
        let Some(Run::Awaiting(run)) = half.scheme() else { return Err(Dropped::Unexpected) };
        let mut text = Secret::zero();
        let (reply, th_2, text) = run.open(suite, Use::Answer, bytes, &mut text)?;
        let answer = Answer::read(text)?;
        if let Some(ordered) = &answer.order
            && !ct_eq(&keys::order_tag(&run.prk, "order", &th_2, &[ordered.fields]), ordered.tag)
        {
            return Err(Dropped::Forged);
        }
        let revoked = answer.order.as_ref().is_some_and(|ordered| ordered.order == Order::Revoke);
        let (to, goal, under, stamp) = (run.to, run.goal, run.under, run.stamp);
        let fresh = run.challenges == 0;
        if let Some(cid) = answer.session.filter(|_| E::HAS.sessions && goal == Goal::Session) {
            let mut keys = Keys::none();
            keys.keep(&run.prk, &th_2.then(&[reply.text, reply.tag]));
            io.establish(suite, &keys, &terms(&stamp, cid, true, cx.now), to);
            io.note(Note::Established);
        } else if goal != Goal::Update && !revoked {
            io.note(Note::Authenticated);
        }
        io.free(place);
        let time = answer.time.unwrap_or(stamp.time);
        (self.heard, self.fresh) = (Some((time, cx.now)), fresh);
        let chip = self.chip();
        chip.heard(time);
        // A centre that revokes has not left the old seed for a pending one.
        if !revoked && chip.complete(under) {
            io.note(Note::KeyReplaced);
        }
        if let Some(ordered) = &answer.order {
            self.obey(cx, io, &to, ordered.order);
        }
        self.store(io);
        Ok(())
    }

    fn obey(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr, order: Order) {
        let chip = self.chip();
        let again = match order {
            Order::Ask { attempt, n_c } => chip.ask(attempt, n_c),
            Order::Close { attempt } => chip.close(attempt),
            Order::HasNot { attempt } => {
                chip.drop_pending(attempt);
                false
            }
            Order::Revoke => {
                chip.kill();
                io.end_session();
                io.note(Note::Failed(Stage::Authentication, Reason::Revoked));
                self.say_dead(cx, io, to);
                return;
            }
        };
        if again {
            if matches!(order, Order::Close { .. }) {
                io.note(Note::UpdateAgreed);
            }
            let rounds = self.rounds();
            self.begin_or_tell(cx, io, &Wish { to: *to, goal: Goal::Update, challenges: 0, rounds, opening: None });
        }
    }

    /// The centre's opening: it does not take this device's time, or its counter, and says what it takes.
    #[inline(never)]
    fn on_challenge(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let suite = self.suite;
        let place = Self::answered(io, low)?;
        let half = io.halves.get(place).ok_or(Dropped::Unexpected)?;
        let Some(Run::Awaiting(run)) = half.scheme() else { return Err(Dropped::Unexpected) };
        if run.challenges >= CHALLENGES {
            return Err(Dropped::Unexpected);
        }
        let mut text = Secret::zero();
        let (_, _, text) = run.open(suite, Use::Challenge, bytes, &mut text)?;
        let opening = Opening::read(text)?;
        let (to, goal, rounds) = (run.to, run.goal, run.rounds);
        let challenges = run.challenges.saturating_add(1);
        let chip = self.chip();
        if opening.time < seconds(chip.floor().0) {
            // A centre that has lost the time: it is not believed, and what it took for fresh would be none.
            return Err(Dropped::Unexpected);
        }
        chip.skip_to(opening.counter);
        chip.heard(opening.time);
        self.heard = Some((opening.time, cx.now));
        io.free(place);
        self.begin_or_tell(cx, io, &Wish { to, goal, challenges, rounds, opening: Some(&opening) });
        self.store(io);
        Ok(())
    }

    /// The centre has another seed than this micro-certificate was made with.
    #[inline(never)]
    fn on_gone(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let place = Self::answered(io, low)?;
        let half = io.halves.get(place).ok_or(Dropped::Unexpected)?;
        let Some(Run::Awaiting(run)) = half.scheme() else { return Err(Dropped::Unexpected) };
        let mut r = Reader::new(bytes);
        r.take(HEADER_LEN)?;
        let generation = r.u32()?;
        let tag = r.rest();
        let chip = self.chip.borrow_mut();
        let used = chip.generation_of(run.under);
        let (before, own) = chip.gone_keys();
        let older = generation.min(used);
        let key = if older == chip.generation() { Some(&own) } else { before };
        let key = key.filter(|_| older.saturating_add(1) >= chip.generation()).ok_or(Dropped::NoKey)?;
        if generation == used || !ct_eq(&keys::gone_tag(key, &run.th_a, generation), tag) {
            return Err(Dropped::Forged);
        }
        let (to, goal, under) = (run.to, run.goal, run.under);
        io.free(place);
        let again = match under {
            // What the centre has moved to can only be the pending seed; without one, this side was rolled back.
            Which::Current => generation > used && chip.centre_left(),
            // The centre has not the pending one: it says so under current.
            Which::Pending => chip.pending_missed(),
        };
        if again {
            self.begin_or_tell(cx, io, &Wish { to, goal, challenges: 0, rounds: 1, opening: None });
        } else {
            io.note(Note::Failed(Stage::Authentication, Reason::PairAgain));
        }
        self.store(io);
        Ok(())
    }

    fn say_dead(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) {
        let chip = self.chip.borrow();
        let (Some(tag), Ok(place)) = (chip.dead(), io.claim_place(&|_| true)) else { return };
        let dead = Dead { id: *chip.id(), serial: chip.generation() as u8, tag: *tag };
        let Ok(flight) = io.flight(place) else { return };
        flight.reset(*to, None);
        flight.load(false, |w| dead.write(w));
        flight.launch(cx.now, DEAD_TRIES);
        io.start(place, Run::Dead);
    }
}

/// What signs, for whoever asks the centre: a chip, and whom to tell that it is to be stored.
#[derive(Debug)]
pub struct Signer<'a> {
    suite: &'static Suite,
    chip: &'a mut Chip,
    outbox: &'a mut Outbox,
}

impl Signer<'_> {
    /// See [`Microcert::sign`]: K_sign over the digest of the data.
    ///
    /// # Errors
    /// As there.
    pub fn sign(self, cx: &mut Cx<'_>, data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let Self { suite, chip, outbox } = self;
        let digest = kdf::hash(&[data]);
        if chip.is_dead() {
            return Err(Error::Revoked);
        }
        let needed = wire::signature_len(chip.id(), suite);
        let out = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let time = chip.time(cx.wall);
        let rows = chip.rows(Which::Current, time)?;
        let mut random = [0; RANDOM_LEN];
        cx.rng.fill(&mut random)?;
        let Some(counter) = chip.take_stored_counter()? else {
            outbox.want_store();
            return Err(Error::Undrained);
        };
        let stamp = Stamp { time, random: *declassify(&random), counter };
        let prk = chip.csk(Which::Current, &rows, &stamp, &[]);
        let generation = chip.generation();
        let mut w = Writer::new(out);
        wire::write_clear(&mut w, message::SIGNATURE, chip.id(), generation as u8, &stamp);
        let th_1 = keys::th_0(&chip.terms(generation)).then(&[w.written()]);
        seal_once(suite, &keys::once_key(&prk, Use::Sign, &th_1), &mut w, |w| {
            w.put(&digest);
        });
        Ok(needed)
    }
}

/// What a session is called, on either side.
pub(super) const fn terms(stamp: &Stamp, cid: ConnectionId, initiator: bool, now: Instant) -> Terms {
    let (id, generation) = (stamp.counter, stamp.counter);
    Terms { id, generation, initiator, cid, now, healed: false, secret: false }
}

impl Awaiting {
    /// Opens the critical part of the centre's message, in `text`; with the transcript before that part.
    #[inline(never)]
    fn open<'b, 't>(
        &self,
        suite: &Suite,
        purpose: Use,
        bytes: &'b [u8],
        text: &'t mut Secret<{ wire::ANSWER_TEXT_MAX }>,
    ) -> Result<(Reply<'b>, Transcript, &'t [u8]), Dropped> {
        let reply = Reply::read(bytes, suite.aead.tag_len())?;
        let th = self.th_a.then(&[reply.clear]);
        let text = text.as_mut().get_mut(..reply.text.len()).ok_or(Dropped::Malformed)?;
        text.copy_from_slice(reply.text);
        open_once(suite, &keys::once_key(&self.prk, purpose, &th), text, reply.tag)?;
        Ok((reply, th, text))
    }
}

impl<P: BorrowMut<Chip>, E: Extent> Scheme for Exchange<P, E> {
    const NUMBER: u8 = wire::NUMBER;
    const NAME: &'static str = keys::NAME;
    const STAGE: Stage = Stage::Authentication;
    const AUTHENTICATED: Authenticated = Authenticated::Enrolled;
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
        _from: &Addr,
        _proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let Datagram::Handshake { message, run, .. } = classify(bytes)? else { return Err(Dropped::Malformed) };
        match message {
            message::ANSWER => self.on_answer(cx, io, run, bytes),
            message::CHALLENGE => self.on_challenge(cx, io, run, bytes),
            message::GONE => self.on_gone(cx, io, run, bytes),
            _ => Err(Dropped::Version),
        }
    }

    fn over(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Run) -> Result<(), Error> {
        let Run::Awaiting(Awaiting { to, goal, rounds, .. }) = run else { return Ok(()) };
        self.chip().replacement.missed();
        match rounds.checked_sub(1).filter(|rounds| *rounds > 0) {
            Some(rounds) => {
                self.begin_or_tell(cx, io, &Wish { to, goal, challenges: 0, rounds, opening: None });
            }
            None => io.note(goal.failed(Reason::NoAnswer)),
        }
        Ok(())
    }

    fn generation(&self) -> u32 {
        self.chip.borrow().generation()
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.chip.borrow().write(out)
    }

    fn next_version(&mut self) -> (Slot, u32) {
        self.chip().next_version()
    }

    fn blob(&self) -> Kind {
        self.chip.borrow().kind()
    }

    fn slot(&self) -> Slot {
        self.chip.borrow().slot()
    }

    fn stored(&mut self) -> bool {
        self.chip().persisted()
    }
}
