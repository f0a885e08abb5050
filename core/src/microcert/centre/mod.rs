//! The authentication centre: many devices, one database, no memory of its own but what keeps work bounded.
//!
//! ```text
//!  datagram -> a row of the database -> the same again?   the answer that is kept
//!                                    -> fresh?            unwrap, verify, store the counter -> ANSWER
//!                                    -> a claim           a share left? unwrap, verify      -> CHALLENGE
//!                                    -> another seed's    a share left? unwrap              -> GONE
//! ```
//! One datagram in, at most one out, nothing to poll: what has to be durable is so when
//! [`SeedStore::swap`] returns. A host that commits many datagrams at once keeps their answers until it has.

mod admin;
mod answer;
mod limits;
mod row;
mod session;

pub use admin::Signed;
pub use limits::{Kept, Share};
pub use row::{Row, Standing};
pub use session::{Accepted, Served, ServedMemory, Serving};

use super::chip::seconds;
use super::csk::Date;
use super::keys::{self, REVOKED, Sealed};
use super::keystore::{KeyStore, KeyStoreError, STORED_LEN};
use super::seed::{Expired, YEARS, select_of_root};
use super::wire::{Certificate, Stamp, message};
use crate::association::{Addr, Cx, Error, StoreError};
use crate::crypto::{Prk, Secret, Suite};
use crate::engine::cookie;
use crate::engine::drops::{Dropped, Drops};
use crate::engine::rekey::Which;
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{self, HEADER_LEN, Kind, Reader, classify};
use crate::history::Id;
use limits::{Answers, Limits};
use row::{KILLED, SPARE_LEN};

/// What of a row has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Its state only: a counter, a wish.
    State,
    /// Also what is sealed in it. The old seed is left once this is written, so it must be durable, in the digests and in the
    /// back-up before [`SeedStore::swap`] returns.
    Seed,
}

/// The key database: rows by id.
pub trait SeedStore {
    /// Reads the row of this id into `row` ([`Row::read`]); whether there is one.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError>;

    /// Compare-and-swap: writes this row if the stored one has the version before its own, or if there is none and its own is
    /// 1; whether it did. It is durable when this returns, or before anything that depends on it leaves.
    ///
    /// # Errors
    /// It cannot be written; nothing has changed.
    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError>;
}

/// What a call of the centre's works on.
pub struct Stores<'a> {
    /// The key database.
    pub seeds: &'a mut dyn SeedStore,
    /// The centre's own keys.
    pub keys: &'a mut dyn KeyStore,
}

impl core::fmt::Debug for Stores<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Stores(..)")
    }
}

/// What a centre is told when it is made.
#[derive(Clone, Copy, Debug)]
pub struct CentreConfig {
    /// How far a device's clock may be from the centre's, in seconds.
    pub window: u32,
    /// How long a CHALLENGE is good for, in seconds.
    pub challenge: u32,
    /// How long after its end a year's row is kept, in seconds: as long, signatures of that year verify.
    pub grace: u32,
}

impl Default for CentreConfig {
    /// 300 s, 60 s, 31 days.
    fn default() -> Self {
        Self { window: 300, challenge: 60, grace: 31 * 86_400 }
    }
}

/// What happened, for the operator. Small and without secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CentreEvent {
    /// The device is authenticated.
    Authenticated,
    /// It is, and a new seed has been agreed on: it will come with that next.
    UpdateAgreed,
    /// It is, with its new seed: the old one is erased.
    KeyReplaced,
    /// It is genuine, but was not fresh, and got a challenge: no clock, a wrong one, or a counter that is behind.
    Challenged,
    /// As before, and it used a counter that another one with the same seed has used: one of the two is a clone.
    CloneSuspected,
    /// It is revoked, and has been told so: end its sessions.
    Revoked,
    /// It has killed its seed: end its sessions.
    Killed,
    /// Its seed is not for this year: enrol it anew. Nobody vouches for this.
    SeedExpired,
    /// What is sealed in its row is not what was sealed there: restore it from the back-up.
    Tampered,
}

/// What came of a datagram.
#[derive(Debug, Default)]
pub struct Handled<'o> {
    /// What goes back to where it came from.
    pub reply: Option<&'o [u8]>,
    /// Whose it was and what happened, if it was somebody's.
    pub event: Option<(Id, CentreEvent)>,
    /// A session that was granted, and takes the place of any that this device had: see [`Served::open`].
    pub session: Option<Accepted>,
}

/// Why nothing came of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It is dropped.
    Drop(Dropped),
    /// It is dropped, and the operator should know.
    Tell(Id, CentreEvent, Dropped),
    /// A resource failed.
    Fail(Error),
    /// Somebody else wrote the row in between.
    Again,
}

impl From<Dropped> for Stop {
    fn from(reason: Dropped) -> Self {
        if reason == Dropped::Rng { Self::Fail(Error::Rng) } else { Self::Drop(reason) }
    }
}

impl From<StoreError> for Stop {
    fn from(_: StoreError) -> Self {
        Self::Fail(Error::Store)
    }
}

/// The centre. `B` is a table of [`Share`]s (four for each device are plenty), `A` one of [`Kept`] answers (as many as devices
/// are at it at a time, and some more): both in the caller's memory, both of any length.
///
/// Servers of one centre behind one address share database, keys and device secret (`Cx::device`): so one takes the proof to
/// another's challenge. Tables and sessions are each server's own: lead what a session sends to the server that has it.
#[derive(Debug)]
pub struct AuthCenter<B, A> {
    id: Id,
    suites: &'static [&'static Suite],
    config: CentreConfig,
    limits: Limits<B>,
    answers: Answers<A>,
    drops: Drops,
}

/// A micro-certificate that may be unwrapped for, and where it came from.
struct Case<'a> {
    cert: Certificate<'a>,
    suite: &'static Suite,
    digest: [u8; 8],
    which: Which,
    now: u32,
    challenge: Option<[u8; keys::CHALLENGE_LEN]>,
    from: Addr,
    proven: bool,
}

/// Which seed a micro-certificate names.
enum Named {
    Seed(Which),
    /// The one before the current one.
    Before,
    /// The one after it, which is not there.
    After,
}

/// How a micro-certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Claim,
    /// A claim with the newest counter, and other bytes.
    Twice,
}

impl<B: AsMut<[Share]>, A: AsMut<[Kept]>> AuthCenter<B, A> {
    /// A centre of this name, for devices of these suites (without Diffie-Hellman).
    ///
    /// # Errors
    /// [`Error::BadArgument`] without suites, or for one with Diffie-Hellman.
    pub fn new(
        id: Id,
        suites: &'static [&'static Suite],
        config: CentreConfig,
        shares: B,
        answers: A,
    ) -> Result<Self, Error> {
        if suites.is_empty() || suites.iter().any(|suite| suite.dh.is_some()) {
            return Err(Error::BadArgument);
        }
        let (limits, answers) = (Limits::new(shares), Answers(answers));
        Ok(Self { id, suites, config, limits, answers, drops: Drops::new() })
    }

    /// Takes in one datagram; what goes back is written into `out`, of at least 128 bytes. `cid` is the connection id under which
    /// a session that begins is to receive: take another one for the next call once it is used. Whatever does not parse or
    /// verify is dropped and counted.
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::KeyStore`], [`Error::Rng`]: nothing was answered, the device asks again;
    /// [`Error::BadArgument`] without wall-clock time; [`Error::BufferTooSmall`].
    pub fn handle_input<'o>(
        &mut self,
        cx: &mut Cx<'_>,
        stores: &mut Stores<'_>,
        from: &Addr,
        cid: &ConnectionId,
        datagram: &[u8],
        out: &'o mut [u8],
    ) -> Result<Handled<'o>, Error> {
        const NEEDED: usize = 128;
        let now = seconds(cx.wall.ok_or(Error::BadArgument)?.0);
        let out = out.get_mut(..NEEDED).ok_or(Error::BufferTooSmall { needed: NEEDED })?;
        // Once more where another process has written the row in between.
        let mut stop = Stop::Again;
        let mut done = None;
        for _ in 0..2 {
            match self.input(cx, now, stores, (from, cid), datagram, out) {
                Err(Stop::Again) => {}
                Err(other) => {
                    stop = other;
                    break;
                }
                Ok(handled) => {
                    done = Some(handled);
                    break;
                }
            }
        }
        if let Some((len, event, session)) = done {
            let reply = out.get(..len).filter(|reply| !reply.is_empty());
            return Ok(Handled { reply, event, session });
        }
        match stop {
            Stop::Fail(error) => Err(error),
            Stop::Again => Err(Error::Store),
            Stop::Drop(reason) => {
                self.drops.count(reason);
                Ok(Handled::default())
            }
            Stop::Tell(id, event, reason) => {
                self.drops.count(reason);
                Ok(Handled { event: Some((id, event)), ..Handled::default() })
            }
        }
    }

    /// What was dropped, by reason.
    pub const fn drops(&self) -> &Drops {
        &self.drops
    }

    /// The centre's id.
    pub const fn id(&self) -> &Id {
        &self.id
    }

    /// Forgets the answers that are kept: for a host whose store lost a commit that it had promised.
    pub fn forget_answers(&mut self) {
        self.answers.clear();
    }

    fn input(
        &mut self,
        cx: &mut Cx<'_>,
        now: u32,
        stores: &mut Stores<'_>,
        (from, cid): (&Addr, &ConnectionId),
        datagram: &[u8],
        out: &mut [u8],
    ) -> Result<Done, Stop> {
        let (proven, bytes) = match classify(datagram)? {
            Kind::Handshake { scheme: wire::ENGINE, message: wire::engine::COOKIE_ECHO, .. } => {
                let body = datagram.get(HEADER_LEN..).ok_or(Dropped::Malformed)?;
                let (shown, inner) = body.split_at_checked(cookie::LEN).ok_or(Dropped::Malformed)?;
                (cookie::verify(cx.device, cx.now, from, shown), inner)
            }
            _ => (false, datagram),
        };
        match classify(bytes)? {
            Kind::Handshake { scheme: super::wire::NUMBER, message: message::AUTH | message::PROOF, .. } => {
                self.certificate(cx, now, stores, (from, proven, cid), bytes, out)
            }
            Kind::Handshake { scheme: super::wire::NUMBER, message: message::DEAD, .. } => {
                self.dead(cx, stores, (from, proven), bytes, out)
            }
            _ => Err(Dropped::Version.into()),
        }
    }

    /// A micro-certificate: all that can be known of it before a seed is unwrapped.
    fn certificate(
        &mut self,
        cx: &mut Cx<'_>,
        now: u32,
        stores: &mut Stores<'_>,
        (from, proven, cid): (&Addr, bool, &ConnectionId),
        bytes: &[u8],
        out: &mut [u8],
    ) -> Result<Done, Stop> {
        let mut cert = Certificate::read(bytes)?;
        let mut row = Row::none();
        if !stores.seeds.get(&cert.id, &mut row)? || row.id != cert.id || row.flags & KILLED != 0 {
            return Err(Dropped::NoKey.into());
        }
        let suite = self.suite(row.suite)?;
        cert.split(suite.aead.tag_len())?;
        if cert.text.is_empty() || cert.text.len() > super::wire::CRITICAL_MAX {
            return Err(Dropped::Malformed.into());
        }
        let hash = crate::crypto::kdf::hash(&[bytes]);
        let digest: [u8; 8] = hash.first_chunk().copied().unwrap_or_default();
        let newest = row.counter > 0 && cert.stamp.counter.saturating_add(1) == row.counter;
        let same = newest && digest == row.last;
        if same && let Some(answer) = self.answers.get(&digest) {
            return Ok((wire::copy(out, answer), None, None));
        }
        let named = named(&row, cert.serial)?;
        let freshness = match (newest && !same, self.is_fresh(&row, &cert, now)) {
            (_, true) => Freshness::Fresh,
            (true, _) => Freshness::Twice,
            _ => Freshness::Claim,
        };
        let is_proof = cert.message == message::PROOF;
        if is_proof && freshness != Freshness::Fresh {
            return Err(Dropped::Replayed.into());
        }
        let challenge = is_proof.then(|| challenge(cx, &row, cert.serial, cert.stamp.time));
        let from = *from;
        let case = |which| Case { cert, suite, digest, which, now, challenge, from, proven };
        let which = if let Named::Seed(which) = named { Some(which) } else { None };
        let case = case(which.unwrap_or(Which::Current));
        if which.is_some_and(|which| has_no_year(&row, which, cert.stamp.time)) {
            let event = CentreEvent::SeedExpired;
            return Err(match freshness {
                Freshness::Fresh => Stop::Tell(row.id, event, Dropped::NoKey),
                _ => Dropped::NoKey.into(),
            });
        }
        if !self.take_share(cx, &cert.id, &from, proven) {
            return self.limited(cx, &from, proven, out);
        }
        if which.is_none() {
            return Ok((self.gone(stores, &row, &case, out)?, None, None));
        }
        match freshness {
            Freshness::Fresh => self.accept(cx, stores, &mut row, &case, cid, out),
            _ => self.oppose(cx, stores, &row, &case, freshness, out),
        }
    }

    fn suite(&self, id: i8) -> Result<&'static Suite, Dropped> {
        self.suites.iter().find(|suite| suite.id == id).copied().ok_or(Dropped::NoKey)
    }

    /// Whether its counter is new and its time is now, or that of a challenge that is not over.
    fn is_fresh(&self, row: &Row, cert: &Certificate<'_>, now: u32) -> bool {
        let time = cert.stamp.time;
        let timely = match cert.message {
            message::PROOF => time <= now && now.saturating_sub(time) <= self.config.challenge,
            _ => !row.is_clockless() && time.abs_diff(now) <= self.config.window,
        };
        timely && cert.stamp.counter >= row.counter && cert.stamp.counter < u32::MAX
    }

    fn take_share(&mut self, cx: &Cx<'_>, id: &Id, from: &Addr, proven: bool) -> bool {
        self.limits.take(cx.device, cx.now, id, proven.then_some(from))
    }

    /// An id's share is used up. Whoever shows to receive at its address has a share of its own.
    fn limited(&mut self, cx: &Cx<'_>, from: &Addr, proven: bool, out: &mut [u8]) -> Result<Done, Stop> {
        if proven {
            return Err(Dropped::RateLimited.into());
        }
        self.drops.count(Dropped::RateLimited);
        Ok((wire::copy(out, &cookie::request(cx.device, cx.now, from)), None, None))
    }

    /// CSK, from the rows that are unwrapped for it; th_0 is that seed's.
    fn unwrap(
        &self,
        stores: &mut Stores<'_>,
        row: &Row,
        which: Which,
        stamp: &Stamp,
        challenge: &[u8],
        th_0: &Transcript,
    ) -> Result<Prk, Stop> {
        let date = Date::of(stamp.time);
        let rows = match which {
            Which::Current => {
                let bind = row.bind_under(th_0, Sealed::Rows);
                stores.keys.rows(&bind, &row.seed, &date, row.base).map_err(|error| stop(row, error))?
            }
            Which::Pending => {
                let mut spare = Spare::none();
                self.spare(stores, row, &mut spare)?;
                select_of_root(&spare.root, row.pending_base, &date).map_err(|Expired| Dropped::NoKey)?
            }
        };
        Ok(keys::csk(&rows, stamp, challenge))
    }

    /// Opens what a row has besides its seed.
    fn spare(&self, stores: &mut Stores<'_>, row: &Row, spare: &mut Spare) -> Result<(), Stop> {
        let mut text = Secret::<SPARE_LEN>::new(row.spare.ok_or(Dropped::NoKey)?);
        let bind = row.bind(&self.id, Sealed::Spare);
        stores.keys.open(&bind, text.as_mut()).map_err(|error| stop(row, error))?;
        let mut r = Reader::new(text.expose());
        r.fill(spare.root.as_mut())?;
        r.fill(spare.gone.as_mut())?;
        Ok(())
    }

    /// The whole seed, opened in the place that it is stored in: all but the last 16 bytes.
    fn whole(&self, stores: &mut Stores<'_>, row: &Row, text: &mut Secret<STORED_LEN>) -> Result<(), Stop> {
        *text.as_mut() = row.seed;
        let bind = row.bind(&self.id, Sealed::Rows);
        stores.keys.open(&bind, text.as_mut()).map_err(|error| stop(row, error))
    }
}

/// What a row has besides its seed, each all zero where there is none.
struct Spare {
    /// The root of the next seed.
    root: Secret<32>,
    /// The gone key of the one before.
    gone: Secret<32>,
}

impl Spare {
    /// None yet: a place for them, where they stay.
    const fn none() -> Self {
        Self { root: Secret::zero(), gone: Secret::zero() }
    }
}

/// Length of the reply, what happened, the session.
type Done = (usize, Option<(Id, CentreEvent)>, Option<Accepted>);

fn stop(row: &Row, error: KeyStoreError) -> Stop {
    match error {
        KeyStoreError::Tampered => Stop::Tell(row.id, CentreEvent::Tampered, Dropped::NoKey),
        KeyStoreError::Unavailable => Stop::Fail(Error::KeyStore),
    }
}

fn named(row: &Row, serial: u8) -> Result<Named, Dropped> {
    let has_pending = row.replacement.confirmed().is_some();
    let low = row.generation() as u8;
    match serial.wrapping_sub(low) {
        0 => Ok(Named::Seed(Which::Current)),
        1 if has_pending => Ok(Named::Seed(Which::Pending)),
        1 => Ok(Named::After),
        u8::MAX if row.generation() > 0 && row.spare.is_some() => Ok(Named::Before),
        _ => Err(Dropped::NoKey),
    }
}

/// Whether the seed has no row for this time: erased, or never there.
fn has_no_year(row: &Row, which: Which, time: u32) -> bool {
    let year = Date::of(time).year();
    let (first, base) = match which {
        Which::Current => (row.first, row.base),
        Which::Pending => (row.pending_base, row.pending_base),
    };
    year < first || year.checked_sub(base).is_none_or(|of| usize::from(of) >= YEARS)
}

/// What only this centre can say of an id at a time, as long as the counter is what it is.
fn challenge(cx: &Cx<'_>, row: &Row, serial: u8, time: u32) -> [u8; keys::CHALLENGE_LEN] {
    let mut out = [0; keys::CHALLENGE_LEN];
    let context: [&[u8]; 4] = [&[serial], &time.to_be_bytes(), &row.counter.to_be_bytes(), row.id.as_bytes()];
    Prk::new(keys::NAME, cx.device.0.expose()).expand("opening", &context, &mut out);
    out
}

/// Whether the row's device is revoked.
const fn is_revoked(row: &Row) -> bool {
    row.flags & REVOKED != 0
}
