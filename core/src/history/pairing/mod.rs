//! Pairing: two devices, one secret that their user enters on both, no network (section III.B).
//!
//! ```text
//!  I                                                                       R, its window open
//!  P1  header | N_I 16 | len, id_I | suite, flags, group              -->
//!                                                                     <--  P2  header | N_R 16 | len, id_R | Y_R
//!  P3  header | N_I 16 | len, id_I | suite, flags, group | Y_I | tag  -->
//!                                                                     <--  P4  header | AEAD(T_R, LI_R) | tag
//!  P5  header | AEAD(T_I, LI_I) | tag                                 -->
//!                                                                     <--  P6  header | tag
//! ```
//! The paper compares SK in clear in a trusted place. Here CPace runs on it: an onlooker learns nothing, an active
//! attacker gets one guess a run, and five failures close the window until the user acts. R remembers nothing before a
//! P3 that verifies: N_R and its scalar come from a secret of the window and P1, so forged first messages take no memory.
//! A P2 is nobody's
//! until P4 verifies, so I keeps two of them. Both sides count an attempt, and store the count, before a tag that depends on SK leaves.

mod initiator;
mod responder;

use super::exchange::PLACE_MAX;
use super::keys::{self, NAME};
use super::peer::{Id, Peer, Triple};
use super::wire::{FLIGHT_MAX, NUMBER, message};
use crate::association::{Addr, Authenticated, Cx, Device, Error, Fingerprint, Instant, Reason, Slot, Stage};
use crate::crypto::cpace::{Cpace, Inputs, MAX_ISK, Message, Role};
use crate::crypto::group::Scalar;
use crate::crypto::{Prk, Rng, RngError, Secret, Suite, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::flight::Buffer;
use crate::engine::memory::{Memory, Scratch};
use crate::engine::once::{open_once, seal_once};
use crate::engine::scheme::{Has, Io, Note, Scheme};
use crate::engine::state::{self, Kind};
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Kind as Datagram, Reader, Writer, classify, header};
use crate::engine::{Config, Endpoint};

/// Failed attempts before the user has to act.
pub const ATTEMPTS: u8 = 5;
/// The longest secret in bytes, after OpaqueString preparation (RFC 8265) by the host.
pub const SK_MAX: usize = 64;
/// The blob of the count of attempts, in bytes: what its slot must hold.
pub const ATTEMPTS_BLOB: usize = 1 + state::OVERHEAD;
const NONCE_LEN: usize = 16;
const TAG_LEN: usize = 16;
const SHARE_LEN: usize = 32;
/// N_I, id, suite, flags, group: what P1 and P3 begin with.
const BODY_MAX: usize = NONCE_LEN + 1 + Id::MAX + 3;
const P2_MAX: usize = HEADER_LEN + NONCE_LEN + 1 + Id::MAX + SHARE_LEN;

/// A pairing under way. `M` is its runs' memory ([`PairingMemory`]).
pub type Pairing<M> = Endpoint<Pair, M>;

/// Memory for a [`Pairing`]'s runs: see [`Memory`].
pub type PairingMemory<const RUNS: usize, const REASSEMBLY: usize> = Memory<Pair, RUNS, REASSEMBLY>;

/// What a pairing is told when it is made.
#[derive(Clone, Copy)]
pub struct Setup {
    /// This device's id.
    pub me: Id,
    /// The suite of all later exchanges, with or without Diffie-Hellman.
    pub suite: &'static Suite,
    /// The group of the PAKE; both sides must name the same.
    pub cpace: &'static dyn Cpace,
    /// Where the new peer is stored.
    pub peer_slot: Slot,
    /// Where the count of failed attempts is stored; one for the whole device.
    pub attempts_slot: Slot,
}

impl core::fmt::Debug for Setup {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Setup").field("me", &self.me).field("suite", &self.suite).finish_non_exhaustive()
    }
}

/// The scheme's part of a [`Pairing`].
#[derive(Debug)]
pub struct Pair {
    setup: Setup,
    sk: Secret<SK_MAX>,
    sk_len: u8,
    window: Option<Instant>,
    window_secret: Secret<32>,
    failures: u8,
    version: u32,
    last_failed: [u8; TAG_LEN],
    done: Option<Peer>,
    fingerprint: Fingerprint,
    to_store: bool,
    /// What the store was asked for last: the peer, else the count.
    asked_peer: bool,
}

/// What a run keeps between two messages.
pub enum Run {
    /// Initiator, P1 is out.
    AwaitP2(Start),
    /// Initiator, P3 is out.
    AwaitP4 {
        /// How it began.
        start: Start,
        /// The P2 that P3 answers.
        now: Candidate,
        /// Another P2 that came before it: nobody can tell which of them is the responder's until P4.
        before: Option<Candidate>,
    },
    /// Initiator, P5 is out.
    AwaitP6 {
        /// The responder's id.
        id: Id,
        /// K_P.
        k_p: Secret<32>,
        /// Over P1 to P5 with its tag.
        th: Transcript,
        /// The first triple.
        triple: Triple,
    },
    /// Responder, a P2 is on its way; nothing is remembered of it.
    Offer,
    /// Responder, P4 is out.
    AwaitP5 {
        /// The initiator's nonce and id.
        nonce: [u8; NONCE_LEN],
        /// See `nonce`.
        id: Id,
        /// K_P.
        k_p: Secret<32>,
        /// Over P1 to P4 with its tag.
        th: Transcript,
        /// This side's T and LI.
        ours: Seen,
    },
    /// Responder, P6 is out; kept for an initiator that did not get it.
    Done,
}

impl core::fmt::Debug for Run {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::AwaitP2(_) => "AwaitP2",
            Self::AwaitP4 { .. } => "AwaitP4",
            Self::AwaitP6 { .. } => "AwaitP6",
            Self::Offer => "Offer",
            Self::AwaitP5 { .. } => "AwaitP5",
            Self::Done => "Done",
        })
    }
}

/// What an initiator begins with.
#[derive(Clone)]
pub struct Start {
    /// N_I.
    nonce: [u8; NONCE_LEN],
    /// Scalars are derived from it and P2: the same P2 gets the same P3.
    secret: Secret<32>,
}

/// What follows from one P2.
#[derive(Clone)]
pub struct Candidate {
    p2: [u8; 32],
    id: Id,
    k_p: Secret<32>,
    /// Over P1 to P3 with its tag.
    th: Transcript,
}

/// Randomness that follows from a secret and a message: the same question gets the same answer.
struct Derived<'a> {
    prk: Prk,
    from: &'a [u8],
    count: u8,
}

impl<'a> Derived<'a> {
    fn new(secret: &Secret<32>, from: &'a [u8]) -> Self {
        Self { prk: Prk::new(NAME, secret.expose()), from, count: 0 }
    }
}

impl Rng for Derived<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.prk.expand("rand", &[&[self.count], self.from], out);
        self.count = self.count.wrapping_add(1);
        Ok(())
    }
}

/// A side's T and LI.
#[derive(Clone, Copy, Default)]
pub struct Seen {
    time: u64,
    place: [u8; PLACE_MAX],
    len: u8,
}

impl Seen {
    fn now(cx: &Cx<'_>) -> Self {
        let mut place = [0; PLACE_MAX];
        let len = crate::engine::wire::copy(&mut place, cx.place) as u8;
        Self { time: cx.wall.map_or(0, |t| t.0), place, len }
    }
    fn place(&self) -> &[u8] {
        self.place.get(..usize::from(self.len)).unwrap_or(&[])
    }
    fn write(&self, w: &mut Writer<'_>) {
        w.put(&self.time.to_be_bytes()).short(self.place());
    }
    fn read(text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let time = r.u64()?;
        let given = r.short(PLACE_MAX)?;
        r.end()?;
        let mut place = [0; PLACE_MAX];
        Ok(Self { time, len: crate::engine::wire::copy(&mut place, given) as u8, place })
    }
}

/// "Selecting one of the values generated by both sides": the later time with its place; equal: the lower id's.
fn chosen<'a>(ours: &'a Seen, theirs: &'a Seen, we_are_lower: bool) -> &'a Seen {
    let ours_first = ours.time > theirs.time || (ours.time == theirs.time && we_are_lower);
    if ours_first { ours } else { theirs }
}

impl<M: Scratch<Pair>> Pairing<M> {
    /// A pairing at rest.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a configuration out of range.
    pub fn open(setup: Setup, config: Config, memory: M) -> Result<Self, Error> {
        let pair = Pair {
            setup,
            sk: Secret::zero(),
            sk_len: 0,
            window: None,
            window_secret: Secret::zero(),
            failures: 0,
            version: 0,
            last_failed: [0; TAG_LEN],
            done: None,
            fingerprint: Fingerprint([0; 10]),
            to_store: false,
            asked_peer: false,
        };
        Self::new(pair, config, memory)
    }

    /// Takes over the stored count of failed attempts. Without this after a restart, a power cut would give an attacker
    /// five more guesses.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore_attempts(&mut self, device: &Device, floor: u32, blob: &[u8]) -> Result<(), Error> {
        let mut text = [0; 1];
        let (version, len) = state::open(device, Kind::Attempts, floor, blob, &mut text)
            .map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        if len != 1 {
            return Err(Error::BadBlob);
        }
        let [failures] = text;
        self.scheme.failures = failures;
        self.scheme.version = version;
        Ok(())
    }

    /// Failed attempts so far; at [`ATTEMPTS`] the pairing is locked.
    pub fn attempts(&self) -> u8 {
        self.scheme.failures
    }

    /// The user has acted: attempts start anew.
    pub fn unlock(&mut self) {
        self.scheme.failures = 0;
        self.outbox.want_store();
    }

    /// Opens the window for `window_ms`: the first device that knows `sk` is paired. The caller states with this call
    /// that both devices are off the network; `sk` is the user's secret as OpaqueString bytes (RFC 8265), 1 to
    /// [`SK_MAX`].
    ///
    /// # Errors
    /// [`Error::BadArgument`], [`Error::Locked`], [`Error::WrongState`], [`Error::Rng`].
    pub fn listen(&mut self, cx: &mut Cx<'_>, sk: &[u8], window_ms: u64) -> Result<(), Error> {
        self.prepare(sk)?;
        let mut secret = Secret::zero();
        cx.rng.fill(secret.as_mut())?;
        self.scheme.take_secret(sk);
        self.scheme.window_secret = secret;
        self.scheme.window = Some(cx.now.plus(window_ms));
        Ok(())
    }

    /// Pairs with the device at this address, whose window is open; `sk` as for [`listen`](Self::listen).
    ///
    /// # Errors
    /// As [`listen`](Self::listen).
    pub fn start(&mut self, cx: &mut Cx<'_>, to: &Addr, sk: &[u8]) -> Result<(), Error> {
        self.prepare(sk)?;
        let mut start = Start { nonce: [0; NONCE_LEN], secret: Secret::zero() };
        cx.rng.fill(&mut start.nonce)?;
        cx.rng.fill(start.secret.as_mut())?;
        self.scheme.take_secret(sk);
        let now = cx.now;
        self.with(|scheme, io| {
            let place = io.free_place(&|run| matches!(run, Run::Offer | Run::Done)).map_err(|_| Error::WrongState)?;
            let tries = io.config.tries;
            let flight = io.flight(place).map_err(|_| Error::WrongState)?;
            flight.reset(*to, None);
            flight.load(false, |w| {
                w.put(&header(NUMBER, message::P1, 0));
                scheme.write_body(w, &start.nonce);
            });
            flight.launch(now, tries);
            io.start(place, Run::AwaitP2(start));
            Ok(())
        })
    }

    /// Closes the window, ends a run, forgets the secret.
    pub fn cancel(&mut self) {
        self.scheme.forget();
        self.with(|_, io| io.free_all(&|run| !matches!(run, Run::Done)));
    }

    /// The new peer, after [`Event::Paired`](crate::Event::Paired); it is stored already.
    pub fn take_peer(&mut self) -> Option<Peer> {
        if self.scheme.to_store { None } else { self.scheme.done.take() }
    }

    fn prepare(&self, sk: &[u8]) -> Result<(), Error> {
        self.drained()?;
        if sk.is_empty() || sk.len() > SK_MAX {
            return Err(Error::BadArgument);
        }
        if self.scheme.failures >= ATTEMPTS {
            return Err(Error::Locked);
        }
        let halves = self.memory.as_ref().ok_or(Error::WrongState)?.halves();
        let busy = |run: &Run| !matches!(run, Run::Offer | Run::Done);
        if self.scheme.window.is_some() || halves.iter().any(|half| half.scheme().is_some_and(busy)) {
            return Err(Error::WrongState);
        }
        Ok(())
    }
}

impl Pair {
    fn take_secret(&mut self, sk: &[u8]) {
        self.forget();
        self.done = None;
        self.sk_len = crate::engine::wire::copy(self.sk.as_mut(), sk) as u8;
    }

    fn forget(&mut self) {
        self.sk = Secret::zero();
        self.sk_len = 0;
        self.window = None;
        self.window_secret = Secret::zero();
    }

    fn sk(&self) -> &[u8] {
        self.sk.expose().get(..usize::from(self.sk_len)).unwrap_or(&[])
    }

    fn params(&self) -> [u8; 3] {
        [self.setup.suite.id as u8, u8::from(self.setup.suite.dh.is_some()), self.setup.cpace.id()]
    }

    fn write_body(&self, w: &mut Writer<'_>, nonce: &[u8; NONCE_LEN]) {
        w.put(nonce).short(self.setup.me.as_bytes()).put(&self.params());
    }

    /// Counts an attempt; it is stored before anything else leaves.
    fn count(&mut self, io: &mut Io<'_, Self>) {
        self.failures = self.failures.saturating_add(1);
        io.outbox.want_store();
    }

    /// CPace over this run: this side's share, and K_P once the other side's is there. P1's body and P2 before its share
    /// are the associated data.
    fn agree(&self, run: &Names<'_>, rng: &mut dyn Rng, theirs: Option<&[u8]>) -> Result<Offered, Dropped> {
        let (initiator, responder) =
            if run.role == Role::Initiator { (run.own, run.peer) } else { (run.peer, run.own) };
        let mut ci = [0; 2 * (1 + Id::MAX)];
        let mut w = Writer::new(&mut ci);
        w.short(initiator.id.as_bytes()).short(responder.id.as_bytes());
        let mut sid = [0; 2 * NONCE_LEN];
        Writer::new(&mut sid).put(initiator.nonce).put(responder.nonce);
        let inputs = Inputs { prs: self.sk(), ci: w.written(), sid: &sid };
        let mut scalar: Scalar = Secret::zero();
        let mut share = [0; SHARE_LEN];
        let cpace = self.setup.cpace;
        cpace.start(&inputs, rng, &mut scalar, &mut share).map_err(super::initiator::dropped)?;
        let Some(theirs) = theirs else { return Ok((share, None)) };
        let mut isk = Secret::<MAX_ISK>::zero();
        let out = isk.as_mut().get_mut(..cpace.isk_len()).unwrap_or(&mut []);
        let (own, peer) = (Message { share: &share, ad: run.own.ad }, Message { share: theirs, ad: run.peer.ad });
        cpace.finish(&scalar, &sid, own, peer, run.role, out).map_err(super::initiator::dropped)?;
        Ok((share, Some(keys::pairing_key(out))))
    }

    /// Over P1, P2, and P3 without its tag; P3 repeats P1's body.
    fn th(body: &[u8], p2: &[u8], share: &[u8]) -> Transcript {
        Transcript::new(&[NAME.as_bytes(), b"pairing", body, p2, share])
    }

    /// A message with one side's T and LI: AEAD, then the tag over everything so far.
    fn sealed(&self, number: u8, th: &Transcript, k_p: &Secret<32>, seen: &Seen, w: &mut Writer<'_>) -> Transcript {
        let labels = labels(number);
        let head = header(NUMBER, number, 0);
        let th = th.then(&[&head]);
        w.put(&head);
        let key = keys::pairing_seal(k_p, labels.0, &th);
        let th = th.then(&[seal_once(self.setup.suite, &key, w, |w| seen.write(w))]);
        let tag = keys::pairing_tag(k_p, labels.1, &th);
        w.put(&tag);
        th.then(&[&tag])
    }

    /// Reads what [`sealed`](Self::sealed) wrote.
    fn opened(
        &self,
        number: u8,
        th: &Transcript,
        k_p: &Secret<32>,
        bytes: &[u8],
    ) -> Result<(Seen, Transcript), Dropped> {
        let labels = labels(number);
        let suite = self.setup.suite;
        let (head, rest) = bytes.split_at_checked(HEADER_LEN).ok_or(Dropped::Malformed)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Dropped::Malformed)?;
        let len = sealed.len().checked_sub(suite.mac_len).ok_or(Dropped::Malformed)?;
        let (ciphertext, aead_tag) = sealed.split_at_checked(len).ok_or(Dropped::Malformed)?;
        let th_head = th.then(&[head]);
        let th_all = th_head.then(&[ciphertext, aead_tag]);
        if !ct_eq(&keys::pairing_tag(k_p, labels.1, &th_all), tag) {
            return Err(Dropped::Forged);
        }
        let mut text = [0; 8 + 1 + PLACE_MAX];
        let text = text.get_mut(..len).ok_or(Dropped::Malformed)?;
        text.copy_from_slice(ciphertext);
        open_once(suite, &keys::pairing_seal(k_p, labels.0, &th_head), text, aead_tag)?;
        Ok((Seen::read(text)?, th_all.then(&[tag])))
    }

    fn locked(&mut self, io: &mut Io<'_, Self>) {
        self.forget();
        io.free_all(&|run| !matches!(run, Run::Done));
        io.note(Note::Failed(Stage::Pairing, Reason::Locked));
    }

    fn paired(&mut self, io: &mut Io<'_, Self>, id: Id, triple: Triple) {
        self.forget();
        match Peer::provisioned(self.setup.peer_slot, self.setup.me, id, self.setup.suite, triple) {
            Ok(peer) => {
                self.fingerprint = peer.fingerprint();
                self.done = Some(peer);
                self.to_store = true;
                io.outbox.want_store();
                io.note(Note::Paired);
            }
            Err(_) => io.note(Note::Failed(Stage::Pairing, Reason::Unknown)),
        }
    }
}

/// A side of a run, as CPace sees it.
#[derive(Clone, Copy)]
struct Side<'a> {
    id: &'a Id,
    nonce: &'a [u8],
    ad: &'a [u8],
}

/// Both sides of a run.
struct Names<'a> {
    role: Role,
    own: Side<'a>,
    peer: Side<'a>,
}

/// This side's share, and K_P once both are there.
type Offered = ([u8; SHARE_LEN], Option<Secret<32>>);

/// A P2 without its share.
fn before_share(p2: &[u8]) -> &[u8] {
    p2.get(..p2.len().saturating_sub(SHARE_LEN)).unwrap_or(&[])
}

const fn labels(number: u8) -> (&'static str, &'static str) {
    if number == message::P4 { ("p4.k", "p4") } else { ("p5.k", "p5") }
}

impl Scheme for Pair {
    const NUMBER: u8 = NUMBER;
    const NAME: &'static str = NAME;
    const STAGE: Stage = Stage::Pairing;
    const AUTHENTICATED: Authenticated = Authenticated::PairedPeer;
    const HAS: Has = Has { sessions: false, resume: false, moves: false, ..Has::ALL };

    type Run = Run;
    type Flight = Buffer<{ FLIGHT_MAX }>;
    type Asked = ();

    fn suite(&self) -> &'static Suite {
        self.setup.suite
    }

    fn message(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let Datagram::Handshake { message, run: 0, .. } = classify(bytes)? else { return Err(Dropped::Malformed) };
        match message {
            message::P1 => self.on_p1(cx, io, from, proven, bytes),
            message::P2 => self.on_p2(cx, io, bytes),
            message::P3 => self.on_p3(cx, io, from, bytes),
            message::P4 => self.on_p4(cx, io, bytes),
            message::P5 => self.on_p5(cx, io, from, bytes),
            message::P6 => self.on_p6(io, bytes),
            _ => Err(Dropped::Version),
        }
    }

    fn over(&mut self, _cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Run) -> Result<(), Error> {
        let ours = matches!(run, Run::AwaitP2(_) | Run::AwaitP4 { .. } | Run::AwaitP6 { .. });
        if ours || (matches!(run, Run::AwaitP5 { .. }) && self.window.is_none()) {
            self.forget();
            io.note(Note::Failed(Stage::Pairing, Reason::NoAnswer));
        }
        Ok(())
    }

    fn timer(&self) -> Option<Instant> {
        self.window
    }

    fn timeout(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>) -> Result<(), Error> {
        if self.window.is_none_or(|end| cx.now < end) {
            return Ok(());
        }
        self.window = None;
        // A device that is past its P3 may finish; it knows the secret.
        if io.find(&|r| matches!(r, Run::AwaitP5 { .. })).is_none() {
            self.forget();
            io.note(Note::Failed(Stage::Pairing, Reason::NoAnswer));
        }
        Ok(())
    }

    fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        match &self.done {
            Some(peer) if self.to_store => peer.write(out),
            _ => Writer::new(out).put(&[self.failures]).finish(),
        }
    }

    fn next_version(&mut self) -> (Slot, u32) {
        self.asked_peer = self.to_store;
        match &mut self.done {
            Some(peer) if self.to_store => (peer.slot(), peer.next_version()),
            _ => {
                self.version = self.version.saturating_add(1);
                (self.setup.attempts_slot, self.version)
            }
        }
    }

    fn blob(&self) -> Kind {
        if self.to_store { Kind::HistoryPeer } else { Kind::Attempts }
    }

    fn slot(&self) -> Slot {
        if self.asked_peer { self.setup.peer_slot } else { self.setup.attempts_slot }
    }

    fn stored(&mut self) -> bool {
        // The peer is safe, and its own attempt is forgiven. No other: who slips guesses in beside honest pairings runs
        // into the lock all the same.
        if !self.asked_peer {
            return self.to_store;
        }
        self.to_store = false;
        let more = self.failures != 0;
        self.failures = self.failures.saturating_sub(1);
        more
    }
}
