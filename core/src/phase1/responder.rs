//! S: M2, M4.

use super::credential::{Wanted, reference};
use super::initiator::{Finish, begin_anew, finish, is_own, keep, subject};
use super::keys::{self, Cred, LONG_TAG, Numbers};
use super::wire::{Hint, M1, M2, M3, Rekey, Shown, message, run_of};
use super::{HALF_OPEN, HALF_OPEN_FOR, Introduces, Made, Run, Setup, find, is_lower, key_error, refused, slot_of};
use crate::association::{Addr, Cx};
use crate::cose::Reference;
use crate::crypto::group::{Scalar, lend};
use crate::crypto::hpke::{self, OwnKey};
use crate::crypto::kdf::{HASH_LEN, hash};
use crate::crypto::keys::KeySlot;
use crate::crypto::secret::ct_eq;
use crate::crypto::{Rng, RngError, Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::flight::ANSWER_LIFE;
use crate::engine::scheme::{Io, Scheme};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Writer, header};
use core::marker::PhantomData;

/// S, before M3.
pub struct AwaitM3 {
    /// H(M1): a message with the same is the same M1.
    pub(super) digest: [u8; HASH_LEN],
    low: u8,
    suite: &'static Suite,
    slot: KeySlot,
    own: Reference,
    cid: ConnectionId,
    rekey: Option<Rekey>,
    /// The flag of a rekey was set in M1: the last two tags are long.
    long: bool,
    /// What this side's draws come from, as long as a run is open.
    window: Secret<32>,
    scalar: Scalar,
    numbers: Numbers,
    e_2: Secret<32>,
    th_2: Transcript,
}

/// What is drawn for an M1, from the secret of the window: the same for the same M1.
struct Derived<'a, S> {
    window: &'a Secret<32>,
    digest: &'a [u8; HASH_LEN],
    count: u8,
    scheme: PhantomData<S>,
}

impl<S: Scheme> Rng for Derived<'_, S> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        keys::window_draw(S::NAME, self.window, self.count, self.digest, out);
        self.count = self.count.wrapping_add(1);
        Ok(())
    }
}

/// Where an M1 comes from: its address, whether that has shown that it receives, and how much came.
#[derive(Clone, Copy)]
struct From<'a> {
    addr: &'a Addr,
    proven: bool,
    len: usize,
}

/// A's credential; S's, and a tag that A can check.
#[inline(never)]
pub(super) fn on_m1<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    (addr, proven): (&Addr, bool),
    bytes: &[u8],
) -> Result<(), Dropped> {
    let (m1, body, tag_1) = M1::read(bytes)?;
    let from = From { addr, proven, len: bytes.len() };
    let digest = hash(&[bytes]);
    if let Some(place) = find(io, &|run| run.answers(&digest)) {
        return io.answer_again(place, addr, proven, from.len);
    }
    // Glare: the lower name's run goes on, the other answers it.
    let mine = find(io, &Run::is_ours).is_some();
    if mine && is_lower(scheme) {
        return begin_anew(scheme, cx, io);
    }
    has_room(cx, io, from)?;
    let (suite, (cred, seen)) = match objection(scheme, &m1) {
        Ok(good) => good,
        Err(hint) => return say(cx, io, from, hint, &m1, digest, Dropped::Unexpected),
    };
    let th_1 = keys::th_1(S::NAME, &cred, body);
    let rekey = match &m1.rekey {
        Some(rekey) => scheme.on_rekey(cx, io, (addr, from.len), rekey, &th_1, tag_1)?,
        None => None,
    };
    // The window's secret: a run's that is open, or a new one.
    let mut window = Secret::zero();
    match find(io, &Run::is_half_open).and_then(|place| S::phase_1(io.run(place)?)) {
        Some(Run::AwaitM3(run)) => window = run.window.clone(),
        _ => cx.rng.fill(window.as_mut()).map_err(|_| Dropped::Rng)?,
    }
    let offer = Offer { m1: &m1, seen, suite, th_1, tag_1, digest: &digest, window: &window, cid: io.config.cid, mine };
    let mut done = Err(Stop::Dropped(Dropped::NoKey));
    let group = scheme.setup().kem.group();
    lend(group.share_len(), &mut |gns| {
        let mut made = None;
        done = prepare(scheme, cx, &offer, gns, &mut made)
            .and_then(|()| answer(scheme, cx, io, from, &offer, made.as_ref().ok_or(Dropped::NoKey)?, rekey, gns));
    });
    match done {
        Err(Stop::Said(hint, reason)) => say(cx, io, from, hint, &m1, digest, reason),
        Err(Stop::Dropped(reason)) => Err(reason),
        Ok(()) => Ok(()),
    }
}

/// Where there is a half-open run already, another is begun only for an address that receives; of two the older one gives
/// way, after a while.
fn has_room<S: Introduces>(cx: &Cx<'_>, io: &mut Io<'_, S>, from: From<'_>) -> Result<(), Dropped> {
    let open = halves(io).count();
    if open == 0 {
        return Ok(());
    }
    if !from.proven {
        io.ask_for_cookie(from.addr);
        return Err(Dropped::RateLimited);
    }
    if open < HALF_OPEN || oldest(cx, io).is_some() { Ok(()) } else { Err(Dropped::NoRoom) }
}

/// The places of half-open runs, and when their time is up.
fn halves<'a, S: Introduces>(io: &'a Io<'_, S>) -> impl Iterator<Item = (usize, u64)> + use<'a, S> {
    let open = |half: &crate::engine::memory::Half<S>| {
        half.scheme().and_then(S::phase_1).is_some_and(Run::is_half_open).then(|| half.flight.timer())
    };
    io.halves.iter().enumerate().filter_map(move |(place, half)| Some((place, open(half)?.map_or(0, |at| at.0))))
}

/// The half-open run that gives way to another.
fn oldest<S: Introduces>(cx: &Cx<'_>, io: &Io<'_, S>) -> Option<usize> {
    let (place, until) = halves(io).min_by_key(|(_, until)| *until)?;
    let age = cx.now.0.saturating_add(ANSWER_LIFE).saturating_sub(until);
    (age >= HALF_OPEN_FOR).then_some(place)
}

/// A half-open run that has had its time makes room for something else: its place.
pub(super) fn make_room<S: Introduces>(cx: &Cx<'_>, io: &mut Io<'_, S>) -> Option<usize> {
    let place = oldest(cx, io)?;
    io.free(place);
    Some(place)
}

/// What of an M1 can be told without looking at its credential: suite and credential, or why there is no M2.
fn objection<S: Introduces>(scheme: &S, m1: &M1<'_>) -> Result<(&'static Suite, (Cred, bool)), Hint> {
    let setup = scheme.setup();
    let suite = m1.suites.numbers().find_map(|id| setup.suite(id)).ok_or(Hint::NoSuite)?;
    match (scheme.psk().is_some(), m1.psk) {
        (true, false) => return Err(Hint::NoPsk),
        (false, true) => return Err(Hint::Psk),
        _ => {}
    }
    Ok((suite, shown(scheme, m1).ok_or(Hint::SendTicket)?))
}

/// The hash of the credential that M1 shows, and whether it was found good before; `None` where its name says nothing.
fn shown<S: Introduces>(scheme: &S, m1: &M1<'_>) -> Option<(Cred, bool)> {
    let kept = scheme.kept_cred();
    match m1.shown {
        Shown::Ticket(ticket) if ticket == scheme.kept() => kept.map(|cred| (cred, true)),
        Shown::Ticket(ticket) => Some((keys::cred(ticket), false)),
        Shown::Reference(of) => kept.filter(|cred| reference(cred) == of).map(|cred| (cred, true)),
    }
}

/// That credential.
fn credential<'a, S: Introduces>(scheme: &'a S, m1: &M1<'a>) -> &'a [u8] {
    match m1.shown {
        Shown::Ticket(ticket) => ticket,
        Shown::Reference(_) => scheme.kept(),
    }
}

/// Tells A why there is no M2; it decides nothing.
fn say<S: Introduces>(
    cx: &Cx<'_>,
    io: &mut Io<'_, S>,
    from: From<'_>,
    hint: Hint,
    m1: &M1<'_>,
    digest: [u8; HASH_LEN],
    reason: Dropped,
) -> Result<(), Dropped> {
    let place = io.free_place(&S::is_done)?;
    let flight = io.flight(place)?;
    flight.reset(*from.addr, Some(from.len));
    flight.load(false, |w| hint.write(w, S::NUMBER, run_of(&m1.nonce), &digest));
    flight.answer_briefly(cx.now);
    io.start(place, S::wrap(Run::Hinted { digest }));
    if hint == Hint::SendTicket { Ok(()) } else { Err(reason) }
}

/// What M1 asks for.
struct Offer<'a> {
    m1: &'a M1<'a>,
    /// Its credential was found good before.
    seen: bool,
    suite: &'static Suite,
    th_1: Transcript,
    tag_1: &'a [u8],
    digest: &'a [u8; HASH_LEN],
    window: &'a Secret<32>,
    cid: ConnectionId,
    /// A run of this side's is under way.
    mine: bool,
}

/// Why there is no answer, and whether A is told.
enum Stop {
    Dropped(Dropped),
    Said(Hint, Dropped),
}

impl core::convert::From<Dropped> for Stop {
    fn from(reason: Dropped) -> Self {
        Self::Dropped(reason)
    }
}

/// What M2 is made of besides the share.
struct Prepared {
    front: [u8; FRONT_MAX],
    front_len: usize,
    /// M1 has named S's credential.
    by_name: bool,
    slot: KeySlot,
    own: Reference,
    scalar: Scalar,
    numbers: Numbers,
    e_2: Secret<32>,
    th_2: Transcript,
    tag_2: [u8; LONG_TAG],
}

/// Header, flags, suite, connection id, length of the credential.
const FRONT_MAX: usize = HEADER_LEN + 2 + 1 + ConnectionId::MAX + 2;

/// A's credential is checked, NS drawn, and all of M2 computed. Nothing has changed.
#[inline(never)]
fn prepare<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    offer: &Offer<'_>,
    gns: &mut [u8],
    made: &mut Option<Prepared>,
) -> Result<(), Stop> {
    let setup = scheme.setup();
    let mut done = Err(Stop::Dropped(Dropped::NoKey));
    lend(setup.kem.public_len(), &mut |key| done = prepare_for(scheme, cx, &setup, offer, key, gns, made));
    done
}

fn prepare_for<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    setup: &Setup,
    offer: &Offer<'_>,
    key: &mut [u8],
    gns: &mut [u8],
    out: &mut Option<Prepared>,
) -> Result<(), Stop> {
    let Offer { m1, seen, suite, tag_1, .. } = *offer;
    let wanted = Wanted { me: scheme.own_id(), expected: scheme.expected(), kem: setup.kem, wall: cx.wall };
    let mut checked = Err(Stop::Dropped(Dropped::NoKey));
    let mut made = Err(Dropped::NoKey);
    scheme.with_credentials(&mut |credentials| {
        let facts = credentials.check(credential(scheme, m1), seen, &wanted, key);
        checked = facts.map_err(|why| Stop::Said(Hint::Ticket, refused(why)));
        made = credentials.own(m1.known.as_ref(), cx.wall).ok_or(Dropped::NoKey).and_then(|(own, _)| {
            let (slot, cred) = (slot_of(cx, setup, &own)?, own.cred());
            let by_name = m1.known == Some(reference(&cred));
            let ticket = if by_name { None } else { Some(own.bytes) };
            // The credential is too long for it and left out: it is hashed from where it lies.
            let mut front = [0; FRONT_MAX];
            let mut w = Writer::new(&mut front);
            M2 { suite: suite.id, cid: offer.cid, ticket }.write(&mut w, S::NUMBER, run_of(&m1.nonce));
            let front_len = w.len().saturating_sub(ticket.map_or(0, <[u8]>::len));
            let head = [front.get(..front_len).unwrap_or(&[]), ticket.unwrap_or(&[])];
            let info_2 = keys::info_2(&offer.th_1, tag_1, &cred, &head);
            Ok((slot, reference(&cred), by_name, front, front_len, info_2))
        });
    });
    let facts = checked?;
    let (slot, own, by_name, front, front_len, info_2) = made?;
    let key = key.get(..facts.key_len).unwrap_or(&[]);
    let lower = offer.mine && scheme.own_id().is_lower_than(&facts.subject);
    if lower || is_own(cx, setup, slot, setup.kem.share(key))? {
        return Err(Dropped::Unexpected.into());
    }
    let mut scalar = Scalar::zero();
    let mut rng = Derived::<S> { window: offer.window, digest: offer.digest, count: 0, scheme: PhantomData };
    setup.kem.group().generate(&mut rng, &mut scalar, gns).map_err(|_| Dropped::Rng)?;
    let sender = Some(OwnKey { keys: cx.keys, slot });
    let exporter = hpke::encapsulate(setup.kem, &scalar, gns, key, sender, &[info_2.as_bytes()]).map_err(key_error)?;
    let (numbers, e_2) = keys::m2_numbers(&exporter);
    let th_2 = info_2.then(&[gns]);
    let mut tag_2 = [0; LONG_TAG];
    keys::m2_tag(S::NAME, &e_2, &th_2, tag_2.get_mut(..suite.mac_len).unwrap_or(&mut []));
    *out = Some(Prepared { front, front_len, by_name, slot, own, scalar, numbers, e_2, th_2, tag_2 });
    Ok(())
}

/// M2 is written into a flight, and the run is half open.
#[allow(clippy::too_many_arguments, reason = "what the run is made of")]
#[inline(never)]
fn answer<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    io: &mut Io<'_, S>,
    from: From<'_>,
    offer: &Offer<'_>,
    made: &Prepared,
    rekey: Option<Rekey>,
    gns: &[u8],
) -> Result<(), Stop> {
    if halves(io).count() >= HALF_OPEN
        && let Some(place) = oldest(cx, io)
    {
        io.free(place);
    }
    let place = io.free_place(&S::is_done).or_else(|reason| oldest(cx, io).ok_or(reason))?;
    let flight = io.flight(place)?;
    flight.reset(*from.addr, Some(from.len));
    if from.proven {
        flight.prove();
    }
    flight.stash(credential(scheme, offer.m1))?;
    let tag_2 = made.tag_2.get(..offer.suite.mac_len).unwrap_or(&[]);
    scheme.with_credentials(&mut |credentials| {
        let own = if made.by_name { None } else { credentials.own(offer.m1.known.as_ref(), cx.wall) };
        let ticket = own.as_ref().map_or(&[][..], |(own, _)| own.bytes);
        flight.load(false, |w| {
            w.put(made.front.get(..made.front_len).unwrap_or(&[])).put(ticket).put(gns).put(tag_2);
        });
    });
    flight.answer(cx.now);
    let run = AwaitM3 {
        digest: *offer.digest,
        low: (run_of(&offer.m1.nonce) & 15) as u8,
        suite: offer.suite,
        slot: made.slot,
        own: made.own,
        cid: offer.m1.cid,
        rekey,
        long: offer.m1.rekey.is_some(),
        window: offer.window.clone(),
        scalar: made.scalar.clone(),
        numbers: made.numbers.clone(),
        e_2: made.e_2.clone(),
        th_2: made.th_2,
    };
    io.start(place, S::wrap(Run::AwaitM3(run)));
    Ok(())
}

/// A has the key: S keeps what came of the run, and says that it has the key too.
#[inline(never)]
pub(super) fn on_m3<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    from: &Addr,
    bytes: &[u8],
) -> Result<(), Dropped> {
    let low = bytes.get(1).copied().unwrap_or(0) & 15;
    let m3 = hash(&[bytes]);
    if let Some(place) = find(io, &|run| matches!(run, Run::Answered { m3: mine, .. } if *mine == m3)) {
        return io.answer_again(place, from, false, bytes.len());
    }
    // Two runs may have the same low bits: the pre-tag says which it is.
    let (mut found, mut end) = (Err(Dropped::Unexpected), None);
    for (place, half) in io.halves.iter_mut().enumerate() {
        let (run, flight) = half.both();
        let Some(Run::AwaitM3(run)) = run.and_then(|run| S::phase_1(run)) else { continue };
        if run.low != low || !scheme.may_complete(run.rekey.as_ref()) {
            continue;
        }
        found = verify(scheme, cx, run, (flight.message(), flight.stashed()), bytes, &mut end).map(|()| place);
        if found.is_ok() {
            break;
        }
    }
    complete(scheme, cx, io, (from, bytes.len()), found?, m3, &mut end)
}

/// M3 has verified.
#[inline(never)]
fn complete<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    (from, len): (&Addr, usize),
    place: usize,
    m3: [u8; HASH_LEN],
    end: &mut Option<Finish<S::Outcome>>,
) -> Result<(), Dropped> {
    let Finish { outcome, tag_4, .. } = end.take().ok_or(Dropped::Unexpected)?;
    // Two runs cross, and M3 of ours is out: the higher name completes ours, so the lower must not complete its.
    let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
    let theirs = subject(scheme, cx, half.flight.stashed())?;
    if scheme.own_id().is_lower_than(&theirs) && find(io, &|run| matches!(run, Run::AwaitM4(_))).is_some() {
        return Err(Dropped::Unexpected);
    }
    let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
    let (run, flight) = half.both();
    let Some(Run::AwaitM3(run)) = run.and_then(|run| S::phase_1(run)) else { return Err(Dropped::Unexpected) };
    keep(scheme, cx, flight.stashed(), &run.own)?;
    let (m1, rekey, low, tag_len) =
        (run.digest, run.rekey, run.low.into(), if run.long { LONG_TAG } else { run.suite.mac_len });
    flight.load(false, |w| {
        w.put(&header(S::NUMBER, message::M4, low)).put(tag_4.expose().get(..tag_len).unwrap_or(&[]));
    });
    // M2 was received where it was sent to; another address has yet to show that.
    if flight.to == *from {
        flight.prove();
    }
    flight.asked(from, len);
    flight.answer(cx.now);
    io.start(place, S::wrap(Run::Answered { m1, m3 }));
    // Every other run with this peer is stale.
    let others = io.halves.iter_mut().enumerate().filter(|(other, half)| *other != place && half.scheme().is_some());
    others.for_each(|(_, half)| half.clear());
    scheme.authenticated(cx, io, outcome, rekey);
    Ok(())
}

/// The pre-tag, which costs nothing; then what A sent is opened, and its tag verifies.
#[inline(never)]
fn verify<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    run: &AwaitM3,
    (m2, credential): (&[u8], &[u8]),
    bytes: &[u8],
    end: &mut Option<Finish<S::Outcome>>,
) -> Result<(), Dropped> {
    let setup = scheme.setup();
    let tag_len = if run.long { LONG_TAG } else { run.suite.mac_len };
    let m3 = M3::read(bytes, super::wire::Lens { tag: tag_len, ..setup.lens(run.suite) }, S::TERMS_LEN)?;
    let tag_2 = m2.get(m2.len().saturating_sub(run.suite.mac_len)..).unwrap_or(&[]);
    let info_3 = keys::info_3(&run.th_2, tag_2, m3.head);
    let h_3 = info_3.then(&[m3.share]);
    if !ct_eq(&keys::m3_pre(S::NAME, &run.e_2, &h_3), m3.pre) {
        return Err(Dropped::Forged);
    }
    let th_3 = h_3.then(&[m3.pre]);
    let own = OwnKey { keys: cx.keys, slot: run.slot };
    let exporter = hpke::decapsulate(setup.kem, m3.share, own, None, &[info_3.as_bytes()]).map_err(key_error)?;
    let a = keys::m3_numbers(&exporter);
    let mut done = Err(Dropped::BadElement);
    lend(setup.kem.group().secret_len(), &mut |dh| {
        done = setup.kem.group().agree(&run.scalar, m3.share, dh).map_err(|_| Dropped::BadElement).and_then(|()| {
            let made = Made {
                suite: run.suite,
                was_a: false,
                a: &a,
                s: &run.numbers,
                dh,
                th_3: &th_3,
                terms: m3.terms,
                scalar: &run.scalar,
                share: m3.share,
                slot: run.slot,
                cid: run.cid,
                credential,
            };
            finish(scheme, &made, run.low.into(), tag_len, end)
        });
    });
    done?;
    let tag_3 = end.as_ref().and_then(|end| end.tag_3.get(..tag_len)).unwrap_or(&[]);
    if ct_eq(tag_3, m3.tag) {
        Ok(())
    } else {
        *end = None;
        Err(Dropped::Forged)
    }
}
