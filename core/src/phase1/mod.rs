//! Phase 1: two devices show each other credentials of one authority and agree on a key (paper 000, both schemes).
//!
//! ```text
//! A                                                                        S
//! M1   R, suites, credential or its reference                   -->            responder.rs
//!                         credential, g^NS, N_S0..2, V{..}      <--   M2       initiator.rs
//! M3   terms, g^NA, N_A0..2, V{..}                              -->            responder.rs
//!                                             V{..}             <--   M4       initiator.rs
//! ```
//! The bytes are on the page of [`interactive`](crate::interactive::spec), section 4. Messages, key schedule and handlers
//! are the same for both schemes; what differs a scheme says by [`Introduces`]: its credentials ([`Credentials`]), the
//! terms in M3, what comes of a run.
//!
//! A scheme's [`Run`](crate::engine::Scheme::Run) holds a [`Run`] of this module's. Its
//! [`message`](crate::engine::Scheme::message) hands phase 1's messages to [`message`], its
//! [`over`](crate::engine::Scheme::over) hands those runs to [`over`], and [`begin`] starts one.

pub mod credential;
mod initiator;
pub mod keys;
mod responder;
pub mod wire;

pub use credential::{Credentials, Expected, Facts, Lend, Own, Subject, Wanted};
pub use initiator::{AwaitM2, AwaitM4, begin, complete};
pub use responder::AwaitM3;

use crate::association::{Addr, Cx, Error, Reason};
use crate::cose::{Reference, Refused};
use crate::crypto::group::Scalar;
use crate::crypto::hpke::Kem;
use crate::crypto::kdf::HASH_LEN;
use crate::crypto::keys::{KeyError, KeySlot};
use crate::crypto::{Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::scheme::{Io, Note, Scheme};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::Writer;
use core::fmt;
use keys::Numbers;
use wire::{Lens, Rekey};

/// Half-open runs that S keeps.
pub const HALF_OPEN: usize = 2;
/// A half-open run gives its place to another after this many ms.
pub const HALF_OPEN_FOR: u64 = 4_000;

/// What an association that begins with phase 1 is told when it is made.
#[derive(Clone, Copy)]
pub struct Setup {
    /// The group of the credentials, as a KEM.
    pub kem: &'static dyn Kem,
    /// The suites that this side would use, its favourite first: 1 to 8, all of that group.
    pub suites: &'static [&'static Suite],
    /// Where the private keys of this side's credentials are: two while one takes the other's place, else the same twice.
    pub slots: [KeySlot; 2],
    /// How long what comes of a run shall live, in seconds: F. The shorter of both sides' wishes counts; 0: no wish.
    pub life: u32,
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("kem", &self.kem).field("suites", &self.suites).finish_non_exhaustive()
    }
}

impl Setup {
    /// Whether every field is in its range.
    pub fn is_valid(&self) -> bool {
        let share = self.kem.group().share_len();
        let fits = |suite: &&Suite| suite.dh.is_none_or(|group| group.share_len() == share);
        let ids = self.suites.iter().map(|suite| suite.id);
        let twice = |(i, id): (usize, i8)| ids.clone().take(i).any(|other| other == id);
        let count = self.suites.len();
        (1..=wire::SUITES_MAX).contains(&count) && self.suites.iter().all(fits) && !ids.clone().enumerate().any(twice)
    }

    /// The suite of this number.
    pub fn suite(&self, id: i8) -> Option<&'static Suite> {
        self.suites.iter().find(|suite| suite.id == id).copied()
    }

    fn lens(&self, suite: &Suite) -> Lens {
        Lens { share: self.kem.group().share_len(), tag: suite.mac_len }
    }
}

/// What a run has led to, for a scheme to make something of.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// The suite that was agreed.
    pub suite: &'static Suite,
    /// Whether this side was A.
    pub was_a: bool,
    /// A's numbers.
    pub a: &'a Numbers,
    /// S's numbers.
    pub s: &'a Numbers,
    /// g^(NA NS).
    pub dh: &'a [u8],
    /// Over all up to the tag of M3.
    pub th_3: &'a Transcript,
    /// The terms that A wishes.
    pub terms: &'a [u8],
    /// This side's scalar, of NA or NS.
    pub scalar: &'a Scalar,
    /// The other side's share.
    pub share: &'a [u8],
    /// Where this side's static key is.
    pub slot: KeySlot,
    /// The connection id that the other side wants to see.
    pub cid: ConnectionId,
    /// The other side's credential.
    pub credential: &'a [u8],
}

/// What a scheme that begins with phase 1 says about itself. It asks strangers for cookies: else one replayed M1 would keep
/// everybody out for as long as a half-open run lives.
pub trait Introduces: Scheme<Asked = Option<Addr>> {
    /// Length of its terms in M3 in bytes.
    const TERMS_LEN: usize;
    /// What it makes of a run; A keeps it until M4.
    type Outcome;

    /// A run of phase 1's as one of the scheme's.
    fn wrap(run: Run<Self::Outcome>) -> Self::Run;
    /// The run, where it is one of phase 1's.
    fn phase_1(run: &Self::Run) -> Option<&Run<Self::Outcome>>;
    /// The run, where it is one of phase 1's.
    fn phase_1_mut(run: &mut Self::Run) -> Option<&mut Run<Self::Outcome>>;
    /// The run, where it is one of phase 1's.
    fn into_phase_1(run: Self::Run) -> Option<Run<Self::Outcome>>;
    /// Whether a run of any kind only waits to answer again, and gives way to anything.
    fn is_done(run: &Self::Run) -> bool;

    /// What it was told.
    fn setup(&self) -> Setup;
    /// This side's name.
    fn own_id(&self) -> &Subject;
    /// Who the peer has to be.
    fn expected(&self) -> Expected<'_>;
    /// What goes into every run with this peer.
    fn psk(&self) -> Option<&Secret<32>>;
    /// Lends this device's credentials.
    fn with_credentials(&self, work: &mut dyn FnMut(&mut dyn Credentials));
    /// The peer's credential that this side keeps; empty: none.
    fn kept(&self) -> &[u8];
    /// Its hash, where there is one.
    fn kept_cred(&self) -> Option<keys::Cred> {
        Some(self.kept()).filter(|kept| !kept.is_empty()).map(keys::cred)
    }
    /// Whether the peer is believed to keep this credential of this side's.
    fn shown(&self, own: &Reference) -> bool;

    /// Writes what A wishes: [`TERMS_LEN`](Self::TERMS_LEN) bytes.
    fn write_terms(&self, w: &mut Writer<'_>);
    /// The key of the tags of M3 and M4, from which all else comes.
    fn key(&self, made: &Made<'_>) -> Secret<32>;
    /// What comes of a run with that key; `bind` is th_4.
    ///
    /// # Errors
    /// The terms are out of range. Nothing has changed.
    fn outcome(&self, made: &Made<'_>, key: Secret<32>, bind: &Transcript) -> Result<Self::Outcome, Dropped>;

    /// The other side is who its credential says: that is kept now, and may move clocks. `key` is its public key, `own` the
    /// credential that the other side has seen.
    fn keep(&mut self, cx: &Cx<'_>, credential: &[u8], key: &[u8], facts: &Facts, own: &Reference);
    /// S: M3 has verified, M4 is in its flight. What is to be stored before it leaves, is to be stored now.
    fn authenticated(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, outcome: Self::Outcome, rekey: Option<Rekey>);
    /// A: M4 has verified; the run's place is free. The peer is at `to`.
    fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        outcome: Self::Outcome,
        rekey: Option<Rekey>,
        to: &Addr,
    );

    /// A: what comes after [`acknowledged`](Self::acknowledged). By itself, since what came of a run is large.
    fn go_on(&mut self, _cx: &mut Cx<'_>, _io: &mut Io<'_, Self>, _to: &Addr) {}

    /// S: whether M3 may complete a run that M1 began so: what came since may have led to another key.
    fn may_complete(&self, _rekey: Option<&Rekey>) -> bool {
        true
    }
    /// A: what M1 says where there is a key with this peer already, and the key of its tag.
    ///
    /// # Errors
    /// No number is left for it.
    fn rekey(&mut self) -> Result<Option<(Rekey, Secret<32>)>, Error> {
        Ok(None)
    }
    /// A: the key of that tag, when M1 goes out again with the credential.
    fn rekey_again(&self, _rekey: &Rekey) -> Option<Secret<32>> {
        None
    }
    /// S: M1 is a rekey. `None`: the key that it names is not known, M1 counts as one without.
    ///
    /// # Errors
    /// Forged, or answered otherwise.
    fn on_rekey(
        &mut self,
        _cx: &mut Cx<'_>,
        _io: &mut Io<'_, Self>,
        _from: (&Addr, usize),
        _rekey: &Rekey,
        _th_1: &Transcript,
        _tag_1: &[u8],
    ) -> Result<Option<Rekey>, Dropped> {
        Ok(None)
    }
}

/// What a run keeps between two messages.
pub enum Run<O> {
    /// A, M1 is out.
    AwaitM2(AwaitM2),
    /// A, M3 is out.
    AwaitM4(AwaitM4<O>),
    /// S, M2 is out.
    AwaitM3(AwaitM3),
    /// S, M4 is out; kept for an A that did not get it.
    Answered {
        /// H(M1): a late copy of it begins nothing.
        m1: [u8; HASH_LEN],
        /// H(M3).
        m3: [u8; HASH_LEN],
    },
    /// S, HINT is out.
    Hinted {
        /// H(M1).
        digest: [u8; HASH_LEN],
    },
}

impl<O> fmt::Debug for Run<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AwaitM2(_) => "AwaitM2",
            Self::AwaitM4(_) => "AwaitM4",
            Self::AwaitM3(_) => "AwaitM3",
            Self::Answered { .. } => "Answered",
            Self::Hinted { .. } => "Hinted",
        })
    }
}

impl<O> Run<O> {
    /// Whether this side started it.
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::AwaitM2(_) | Self::AwaitM4(_))
    }
    /// Whether it may have completed for S, or one that it took the place of.
    pub const fn may_be_complete(&self) -> bool {
        matches!(self, Self::AwaitM4(_) | Self::AwaitM2(AwaitM2 { anew: true, .. }))
    }
    /// Whether only a first message started it, which may be a replay.
    pub const fn is_half_open(&self) -> bool {
        matches!(self, Self::AwaitM3(_))
    }
    /// Whether it only waits to answer again.
    pub const fn is_done(&self) -> bool {
        matches!(self, Self::Answered { .. } | Self::Hinted { .. })
    }
    fn answers(&self, m1: &[u8; HASH_LEN]) -> bool {
        match self {
            Self::AwaitM3(run) => run.digest == *m1,
            Self::Hinted { digest } | Self::Answered { m1: digest, .. } => digest == m1,
            _ => false,
        }
    }
}

/// One of phase 1's messages, of this number ([`wire::message`]).
///
/// # Errors
/// Why it is dropped; nothing has changed then.
pub fn message<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    (from, proven): (&Addr, bool),
    number: u8,
    bytes: &[u8],
) -> Result<(), Dropped> {
    match number {
        wire::message::M1 => responder::on_m1(scheme, cx, io, (from, proven), bytes),
        wire::message::M2 => initiator::on_m2(scheme, cx, io, bytes),
        wire::message::M3 => responder::on_m3(scheme, cx, io, from, bytes),
        wire::message::M4 => initiator::on_m4(scheme, cx, io, bytes),
        wire::message::HINT => initiator::on_hint(scheme, cx, io, bytes),
        _ => Err(Dropped::Version),
    }
}

/// A place for a short answer, where all are taken: that of a half-open run which has had its time.
pub fn make_room<S: Introduces>(cx: &Cx<'_>, io: &mut Io<'_, S>) -> Option<usize> {
    responder::make_room(cx, io)
}

/// The flight of a run of phase 1's is over.
pub fn over<S: Introduces>(io: &mut Io<'_, S>, run: &Run<S::Outcome>) {
    if run.may_be_complete() {
        // The peer may have completed it; nobody can tell. Nothing that crossed it may complete.
        io.free_all(&|run| S::phase_1(run).is_some_and(Run::is_half_open));
    }
    if run.is_ours() {
        io.note(Note::Failed(crate::association::Stage::Authentication, Reason::NoAnswer));
    }
}

/// The peer's name, where it is known.
fn peer_id<S: Introduces>(scheme: &S) -> Option<&Subject> {
    match scheme.expected() {
        Expected::Subject(id) => Some(id),
        _ => None,
    }
}

/// Whether this side has the lower name of the two.
fn is_lower<S: Introduces>(scheme: &S) -> bool {
    peer_id(scheme).is_some_and(|peer| scheme.own_id().is_lower_than(peer))
}

fn find<S: Introduces>(io: &Io<'_, S>, test: &dyn Fn(&Run<S::Outcome>) -> bool) -> Option<usize> {
    io.find(&|run| S::phase_1(run).is_some_and(test))
}

/// Where the private key of this side's credential is.
fn slot_of(cx: &Cx<'_>, setup: &Setup, own: &Own<'_>) -> Result<KeySlot, Dropped> {
    let [first, second] = setup.slots;
    let Some(key) = own.key.filter(|_| first != second) else { return Ok(first) };
    for slot in [first, second] {
        let mut same = Ok(false);
        crate::crypto::group::lend(setup.kem.group().share_len(), &mut |share| {
            same = cx.keys.public_key(slot, setup.kem, share).map(|()| share == setup.kem.share(key));
        });
        match same {
            Ok(true) => return Ok(slot),
            Ok(false) | Err(KeyError::NoKey) => {}
            Err(error) => return Err(key_error(error)),
        }
    }
    Err(Dropped::NoKey)
}

/// Why a key did not do what it was asked. A token that is not ready is asked again when the message comes again.
const fn key_error(error: KeyError) -> Dropped {
    match error {
        KeyError::Pending => Dropped::RateLimited,
        KeyError::BadElement => Dropped::BadElement,
        KeyError::NoKey | KeyError::Failed => Dropped::NoKey,
    }
}

/// Why a credential is dropped.
const fn refused(why: Refused) -> Dropped {
    match why {
        Refused::Signature => Dropped::Forged,
        Refused::Encoding(_) | Refused::Claims | Refused::Header | Refused::Algorithm => Dropped::Malformed,
        _ => Dropped::NoKey,
    }
}

impl From<KeyError> for Dropped {
    fn from(error: KeyError) -> Self {
        key_error(error)
    }
}
