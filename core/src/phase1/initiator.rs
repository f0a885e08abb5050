//! A: M1, M3.

use super::credential::{Wanted, reference};
use super::keys::{self, Confirms, Cred, LONG_TAG, NONCE_LEN, Numbers};
use super::wire::{Hint, M1, M2, M3, Rekey, SUITES_MAX, Shown, Suites, lone_tag, message, run_of};
use super::{Expected, Introduces, Made, Run, Setup, find, is_lower, refused, slot_of};
use crate::association::{Addr, Cx, Error, Reason};
use crate::cose::Reference;
use crate::crypto::group::{Scalar, lend};
use crate::crypto::hpke::{self, Exporter, OwnKey};
use crate::crypto::kdf::hash;
use crate::crypto::keys::KeySlot;
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Prk, Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::flight::Flight;
use crate::engine::scheme::{Io, Note};
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Writer, header};

/// A, before M2.
pub struct AwaitM2 {
    nonce: [u8; NONCE_LEN],
    slot: KeySlot,
    own: Reference,
    /// The credential of S that M1 named.
    known: Option<Reference>,
    rekey: Option<Rekey>,
    tag_1: [u8; LONG_TAG],
    th_1: Transcript,
    /// The front of H(M1).
    digest: [u8; 8],
    /// M1 went out again because S asked for the credential.
    again: bool,
    /// This run took the place of one whose M3 was out.
    pub(super) anew: bool,
}

/// A, before M4.
pub struct AwaitM4<O> {
    low: u8,
    tag_len: u8,
    anew: bool,
    tag_4: Secret<LONG_TAG>,
    rekey: Option<Rekey>,
    own: Reference,
    outcome: O,
}

impl<O> AwaitM4<O> {
    /// What comes of the run, once S is known to have it too.
    pub const fn outcome(&self) -> &O {
        &self.outcome
    }
}

impl AwaitM2 {
    /// What M1 said of a key that there is.
    pub const fn rekey(&self) -> Option<&Rekey> {
        self.rekey.as_ref()
    }
    /// th_1.
    pub const fn th_1(&self) -> &Transcript {
        &self.th_1
    }
    /// The tag of M1; empty but on a rekey.
    pub fn tag_1(&self) -> &[u8] {
        if self.rekey.is_some() { &self.tag_1 } else { &[] }
    }
}

/// M1 of a run with the peer at this address.
///
/// # Errors
/// [`Error::WrongState`] while a run of phase 1's of this side's is under way or without memory; [`Error::NoCredential`]
/// without a credential that is valid; [`Error::Rng`].
#[inline(never)]
pub fn begin<S: Introduces>(scheme: &mut S, cx: &mut Cx<'_>, io: &mut Io<'_, S>, to: &Addr) -> Result<(), Error> {
    if find(io, &Run::is_ours).is_some() {
        return Err(Error::WrongState);
    }
    start(scheme, cx, io, to, None)
}

/// The peer starts a run, and does not answer M3 of this side's: it may have lost its power, and know nothing of that run. It is
/// begun anew, once; whose turn it is stays as it was. What this side's M3 has led to over there the new run replaces.
///
/// # Errors
/// Not so: nothing has changed.
#[inline(never)]
pub(super) fn begin_anew<S: Introduces>(scheme: &mut S, cx: &mut Cx<'_>, io: &mut Io<'_, S>) -> Result<(), Dropped> {
    let forgotten = |run: &Run<S::Outcome>| matches!(run, Run::AwaitM4(run) if !run.anew);
    let place = find(io, &forgotten).ok_or(Dropped::Unexpected)?;
    let flight = io.flight(place)?;
    if !flight.is_unanswered() {
        return Err(Dropped::Unexpected);
    }
    let to = flight.to;
    start(scheme, cx, io, &to, Some(place)).map_err(|_| Dropped::Rng)?;
    // As when a run is given up: nothing that crossed it may complete.
    io.free_all(&|run| S::phase_1(run).is_some_and(Run::is_half_open));
    Ok(())
}

/// M1 of a run, in a place of its own or in that of one that it replaces.
fn start<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    to: &Addr,
    old: Option<usize>,
) -> Result<(), Error> {
    let mut nonce = [0; NONCE_LEN];
    cx.rng.fill(&mut nonce)?;
    // Sent in clear.
    nonce = *declassify(&nonce);
    // Nothing has changed where there is nothing to show.
    let mut any = false;
    scheme.with_credentials(&mut |credentials| any = credentials.own(None, cx.wall).is_some());
    if !any {
        return Err(Error::NoCredential);
    }
    let place = match old {
        Some(place) => place,
        None => io.claim_place(&S::is_done).map_err(|_| Error::WrongState)?,
    };
    let rekey = scheme.rekey()?;
    let config = io.config;
    let flight = io.flight(place).map_err(|_| Error::WrongState)?;
    let (rekey, key) = rekey.map_or((None, None), |(rekey, key)| (Some(rekey), Some(key)));
    let mut run =
        write(scheme, cx, flight, config, nonce, rekey, key.as_ref(), Some(to)).map_err(|_| Error::NoCredential)?;
    run.anew = old.is_some();
    flight.launch(cx.now, config.tries);
    io.start(place, S::wrap(Run::AwaitM2(run)));
    Ok(())
}

/// Writes M1 into its flight: to this address, or (`None`) once more, with the credential itself. Nothing has changed where it
/// fails.
#[allow(clippy::too_many_arguments, reason = "what M1 is made of")]
fn write<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    flight: &mut Flight<S::Flight>,
    config: &crate::engine::Config,
    nonce: [u8; NONCE_LEN],
    rekey: Option<Rekey>,
    key: Option<&Secret<32>>,
    to: Option<&Addr>,
) -> Result<AwaitM2, Dropped> {
    let again = to.is_none();
    let setup = scheme.setup();
    let known = scheme.kept_cred().as_ref().map(reference);
    let mut numbers = [0; SUITES_MAX];
    numbers.iter_mut().zip(setup.suites).for_each(|(number, suite)| *number = suite.id as u8);
    let suites = Suites::new(numbers.get(..setup.suites.len()).unwrap_or(&[]))?;
    let mut done = Err(Dropped::NoKey);
    scheme.with_credentials(&mut |credentials| {
        done = credentials.own(None, cx.wall).ok_or(Dropped::NoKey).and_then(|(own, _)| {
            let (slot, cred) = (slot_of(cx, &setup, &own)?, own.cred());
            let by_name = !again && scheme.shown(&reference(&cred));
            let shown = if by_name { Shown::Reference(reference(&cred)) } else { Shown::Ticket(own.bytes) };
            let m1 = M1 { nonce, suites, cid: config.cid, shown, known, psk: scheme.psk().is_some(), rekey };
            let (mut th_1, mut tag_1, mut digest) = (Transcript::default(), [0; LONG_TAG], [0; 8]);
            if let Some(to) = to {
                flight.reset(*to, None);
            }
            flight.load(false, |w| {
                m1.write(w, S::NUMBER);
                th_1 = keys::th_1(S::NAME, &cred, w.written());
                if let Some(key) = key {
                    tag_1 = keys::m1_tag(S::NAME, key, &th_1);
                    w.put(&tag_1);
                }
                // Of what is sent in clear.
                digest = *declassify(hash(&[w.written()]).first_chunk().unwrap_or(&[0; 8]));
            });
            Ok(AwaitM2 { nonce, slot, own: reference(&cred), known, rekey, tag_1, th_1, digest, again, anew: false })
        });
    });
    done
}

/// HINT: why there is no M2, as far as anybody says.
#[inline(never)]
pub(super) fn on_hint<S: Introduces>(
    scheme: &mut S,
    cx: &Cx<'_>,
    io: &mut Io<'_, S>,
    bytes: &[u8],
) -> Result<(), Dropped> {
    let (hint, digest) = Hint::read(bytes)?;
    let about = |run: &Run<S::Outcome>| matches!(run, Run::AwaitM2(run) if run.digest == digest);
    let place = find(io, &about).ok_or(Dropped::Unexpected)?;
    let reason = match hint {
        Hint::SendTicket => {
            let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
            let (Some(run), flight) = half.both() else { return Err(Dropped::Unexpected) };
            let Some(Run::AwaitM2(run)) = S::phase_1_mut(run) else { return Err(Dropped::Unexpected) };
            if run.again {
                return Err(Dropped::Replayed);
            }
            let key = run.rekey.as_ref().and_then(|rekey| scheme.rekey_again(rekey));
            let rekey = run.rekey.filter(|_| key.is_some());
            let anew = run.anew;
            *run = write(scheme, cx, flight, io.config, run.nonce, rekey, key.as_ref(), None)?;
            run.anew = anew;
            flight.launch(cx.now, io.config.tries);
            return Ok(());
        }
        Hint::NoSuite => Reason::NoSuite,
        Hint::Ticket => Reason::Credential,
        Hint::NoPsk | Hint::Psk => Reason::Psk,
    };
    io.note(Note::Hint(reason));
    Ok(())
}

/// What A makes of M2, written where it lies: each copy would take 300 bytes of the stack below it.
struct Answer<O> {
    head: [u8; HEAD_MAX],
    head_len: usize,
    pre: [u8; keys::PRE_LEN],
    tag_len: usize,
    end: Option<Finish<O>>,
}

impl<O> Answer<O> {
    const fn none() -> Self {
        Self { head: [0; HEAD_MAX], head_len: 0, pre: [0; keys::PRE_LEN], tag_len: 0, end: None }
    }
}

/// The longest terms, and M3's header.
const HEAD_MAX: usize = 16;

/// S's credential, and a tag that only S can have made (or a thief of A's key): M3.
#[inline(never)]
pub(super) fn on_m2<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    bytes: &[u8],
) -> Result<(), Dropped> {
    let low = bytes.get(1).copied().unwrap_or(0) & 15;
    let ours = |run: &Run<S::Outcome>| matches!(run, Run::AwaitM2(run) if run_of(&run.nonce) & 15 == u32::from(low));
    let place = find(io, &ours).ok_or(Dropped::Unexpected)?;
    let setup = scheme.setup();
    let (m2, ends) = M2::read(bytes, &|id| setup.suite(id).map(|suite| setup.lens(suite)))?;
    let suite = setup.suite(m2.suite).ok_or(Dropped::Unexpected)?;
    let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
    let (Some(run), flight) = half.both() else { return Err(Dropped::Unexpected) };
    let Some(Run::AwaitM2(run)) = S::phase_1(run) else { return Err(Dropped::Unexpected) };

    let (kept, kept_cred) = (scheme.kept(), scheme.kept_cred());
    let (shown, cred) = match (m2.ticket, kept_cred) {
        (Some(shown), Some(cred)) if shown == kept => (shown, cred),
        (Some(shown), _) => (shown, keys::cred(shown)),
        (None, Some(cred)) if run.known == Some(reference(&cred)) => (kept, cred),
        (None, _) => return Err(Dropped::NoKey),
    };
    let wanted = Wanted { me: scheme.own_id(), expected: scheme.expected(), kem: setup.kem, wall: cx.wall };
    let theirs = Theirs { m2: &m2, ends: &ends, shown, cred: &cred, suite, seen: shown == kept };
    let (mut answer, mut done) = (Answer::none(), Err(Dropped::NoKey));
    let mut made = |gna: &mut [u8], key: &mut [u8], answer: &mut Answer<S::Outcome>| {
        let key_len = checked(scheme, cx, &setup, &wanted, &theirs, run.slot, key)?;
        let key = key.get(..key_len).unwrap_or(&[]);
        respond(scheme, cx, &setup, run, &theirs, key, gna, answer)
    };
    lend(setup.kem.group().share_len(), &mut |gna| {
        lend(setup.kem.public_len(), &mut |key| done = made(gna, key, &mut answer));
        // All is known: what M1 was is of no more use.
        let Answer { head, head_len, pre, tag_len, end: Some(end) } = &answer else { return };
        let tag_3 = end.tag_3.get(..*tag_len).unwrap_or(&[]);
        flight.prove();
        flight.load(false, |w| {
            w.put(head.get(..*head_len).unwrap_or(&[])).put(gna).put(pre).put(tag_3);
        });
    });
    done?;
    flight.stash(shown)?;
    flight.launch(cx.now, io.config.tries);
    await_m4(io, place, &mut answer)
}

/// The run waits for M4.
#[inline(never)]
fn await_m4<S: Introduces>(io: &mut Io<'_, S>, place: usize, answer: &mut Answer<S::Outcome>) -> Result<(), Dropped> {
    let Some(Run::AwaitM2(run)) = io.run(place).and_then(|run| S::phase_1(run)) else {
        return Err(Dropped::Unexpected);
    };
    let low = (run_of(&run.nonce) & 15) as u8;
    let (anew, rekey, own) = (run.anew, run.rekey, run.own);
    let Finish { outcome, tag_4, .. } = answer.end.take().ok_or(Dropped::Unexpected)?;
    let run = AwaitM4 { low, tag_len: answer.tag_len as u8, anew, tag_4, rekey, own, outcome };
    io.start(place, S::wrap(Run::AwaitM4(run)));
    Ok(())
}

struct Theirs<'a> {
    m2: &'a M2<'a>,
    ends: &'a super::wire::Ends<'a>,
    shown: &'a [u8],
    cred: &'a Cred,
    suite: &'static Suite,
    seen: bool,
}

/// The other side's credential will do, and its key is not this side's own: the key's length.
#[inline(never)]
fn checked<S: Introduces>(
    scheme: &S,
    cx: &Cx<'_>,
    setup: &Setup,
    wanted: &Wanted<'_>,
    theirs: &Theirs<'_>,
    slot: KeySlot,
    key: &mut [u8],
) -> Result<usize, Dropped> {
    let mut found = Err(Dropped::NoKey);
    scheme.with_credentials(&mut |credentials| {
        let facts = credentials.check(theirs.shown, theirs.seen, wanted, key);
        found = facts.map(|facts| facts.key_len).map_err(refused);
    });
    let len = found?;
    let share = setup.kem.share(key.get(..len).unwrap_or(&[]));
    if is_own(cx, setup, slot, share)? { Err(Dropped::Unexpected) } else { Ok(len) }
}

/// Whether this share is this side's own public key.
pub(super) fn is_own(cx: &Cx<'_>, setup: &Setup, slot: KeySlot, share: &[u8]) -> Result<bool, Dropped> {
    let mut same = Ok(true);
    lend(setup.kem.group().share_len(), &mut |own| {
        same = cx.keys.public_key(slot, setup.kem, own).map(|()| own == share);
    });
    Ok(same?)
}

/// M2, its tag, then M3: one after the other, so that none is below what another takes.
#[allow(clippy::too_many_arguments, reason = "what M3 is made of")]
#[inline(never)]
fn respond<S: Introduces>(
    scheme: &S,
    cx: &mut Cx<'_>,
    setup: &Setup,
    run: &AwaitM2,
    theirs: &Theirs<'_>,
    key: &[u8],
    gna: &mut [u8],
    answer: &mut Answer<S::Outcome>,
) -> Result<(), Dropped> {
    let mut m2 = None;
    verify::<S>(&open(cx, setup, run, theirs, key)?, theirs, &mut m2)?;
    make_m3(scheme, cx, setup, run, theirs, key, m2.as_ref().ok_or(Dropped::NoKey)?, gna, answer)
}

/// M3 and what comes of it: both sides' numbers, K_DH, the key.
#[allow(clippy::too_many_arguments, reason = "what M3 is made of")]
#[inline(never)]
fn make_m3<S: Introduces>(
    scheme: &S,
    cx: &mut Cx<'_>,
    setup: &Setup,
    run: &AwaitM2,
    theirs: &Theirs<'_>,
    key: &[u8],
    m2: &Opened,
    gna: &mut [u8],
    answer: &mut Answer<S::Outcome>,
) -> Result<(), Dropped> {
    let Theirs { ends, suite, .. } = *theirs;
    let Opened { th_2, s, e_2 } = m2;
    // The scalar is drawn when M2 has verified, and not before.
    let mut scalar = Scalar::zero();
    setup.kem.group().generate(cx.rng, &mut scalar, gna).map_err(|_| Dropped::Rng)?;
    let mut w = Writer::new(&mut answer.head);
    let mut terms = [0; HEAD_MAX];
    let mut t = Writer::new(&mut terms);
    scheme.write_terms(&mut t);
    let terms = t.written();
    M3::write(&mut w, S::NUMBER, run_of(&run.nonce), terms);
    answer.head_len = w.finish().map_err(|_| Dropped::Malformed)?;
    let info_3 = keys::info_3(th_2, ends.tag, answer.head.get(..answer.head_len).unwrap_or(&[]));
    let exporter = hpke::encapsulate(setup.kem, &scalar, gna, key, None, &[info_3.as_bytes()])?;
    let a = keys::m3_numbers(&exporter);
    let h_3 = info_3.then(&[gna]);
    answer.pre = keys::m3_pre(S::NAME, e_2, &h_3);
    let th_3 = h_3.then(&[&answer.pre]);

    answer.tag_len = if run.rekey.is_some() { LONG_TAG } else { suite.mac_len };
    let mut done = Err(Dropped::BadElement);
    lend(setup.kem.group().secret_len(), &mut |dh| {
        done = setup.kem.group().agree(&scalar, ends.share, dh).map_err(|_| Dropped::BadElement).and_then(|()| {
            let made = Made {
                suite,
                was_a: true,
                a: &a,
                s,
                dh,
                th_3: &th_3,
                terms,
                scalar: &scalar,
                share: ends.share,
                slot: run.slot,
                cid: theirs.m2.cid,
                credential: theirs.shown,
            };
            finish(scheme, &made, run_of(&run.nonce), answer.tag_len, &mut answer.end)
        });
    });
    done
}

/// info_2, and what S's numbers come from.
type Sealed = (Transcript, Exporter);

/// What M2 is known by: th_2, S's numbers, E_2.
struct Opened {
    th_2: Transcript,
    s: Numbers,
    e_2: Secret<32>,
}

/// What only S can have made M2 from, if its tag says so, and what M2 is so far. By itself: below it the stack is deepest.
#[inline(never)]
fn open(cx: &Cx<'_>, setup: &Setup, run: &AwaitM2, theirs: &Theirs<'_>, key: &[u8]) -> Result<Sealed, Dropped> {
    let Theirs { ends, cred, .. } = *theirs;
    let info_2 = keys::info_2(&run.th_1, run.tag_1(), cred, &[ends.head]);
    let own = OwnKey { keys: cx.keys, slot: run.slot };
    let exporter = hpke::decapsulate(setup.kem, ends.share, own, Some(key), &[info_2.as_bytes()])?;
    Ok((info_2, exporter))
}

/// M2's tag verifies.
#[inline(never)]
fn verify<S: Introduces>(
    (info_2, exporter): &Sealed,
    theirs: &Theirs<'_>,
    m2: &mut Option<Opened>,
) -> Result<(), Dropped> {
    let Theirs { ends, suite, .. } = *theirs;
    let (s, e_2) = keys::m2_numbers(exporter);
    let th_2 = info_2.then(&[ends.share]);
    let mut tag = [0; LONG_TAG];
    let tag = tag.get_mut(..suite.mac_len).unwrap_or(&mut []);
    keys::m2_tag(S::NAME, &e_2, &th_2, tag);
    if !ct_eq(tag, ends.tag) {
        return Err(Dropped::Forged);
    }
    *m2 = Some(Opened { th_2, s, e_2 });
    Ok(())
}

/// The end of a run, on either side.
pub(super) struct Finish<O> {
    pub(super) outcome: O,
    pub(super) tag_3: [u8; LONG_TAG],
    pub(super) tag_4: Secret<LONG_TAG>,
}

/// The key, both tags under it, and what comes of the run.
#[inline(never)]
pub(super) fn finish<S: Introduces>(
    scheme: &S,
    made: &Made<'_>,
    run: u32,
    tag_len: usize,
    end: &mut Option<Finish<S::Outcome>>,
) -> Result<(), Dropped> {
    let key = scheme.key(made);
    let (mut tag_3, mut tag_4) = ([0; LONG_TAG], Secret::zero());
    let both = [made.a, made.s];
    let tag = tag_3.get_mut(..tag_len).unwrap_or(&mut []);
    let prk = Prk::new(S::NAME, key.expose());
    keys::confirm(&prk, Confirms::M3, made.th_3, both, tag);
    let th_4 = made.th_3.then(&[tag, &header(S::NUMBER, message::M4, run)]);
    let tag = tag_4.as_mut().get_mut(..tag_len).unwrap_or(&mut []);
    keys::confirm(&prk, Confirms::M4, &th_4, both, tag);
    *end = Some(Finish { outcome: scheme.outcome(made, key, &th_4)?, tag_3, tag_4 });
    Ok(())
}

/// S has the key too: what came of the run is put to use.
#[inline(never)]
pub(super) fn on_m4<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    bytes: &[u8],
) -> Result<(), Dropped> {
    let low = bytes.get(1).copied().unwrap_or(0) & 15;
    let ours = |run: &Run<S::Outcome>| matches!(run, Run::AwaitM4(run) if run.low == low);
    let place = find(io, &ours).ok_or(Dropped::Unexpected)?;
    let Some(Run::AwaitM4(run)) = io.run(place).and_then(|run| S::phase_1(run)) else {
        return Err(Dropped::Unexpected);
    };
    let tag_len = usize::from(run.tag_len);
    if !ct_eq(lone_tag(bytes, tag_len)?, run.tag_4.expose().get(..tag_len).unwrap_or(&[])) {
        return Err(Dropped::Forged);
    }
    complete(scheme, cx, io, place)
}

/// S is known to have what came of the run in this place: by M4, or by something that is as good.
///
/// # Errors
/// Not so: nothing has changed.
#[inline(never)]
pub fn complete<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    place: usize,
) -> Result<(), Dropped> {
    let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
    let (Some(run), flight) = half.both() else { return Err(Dropped::Unexpected) };
    let Some(Run::AwaitM4(run)) = S::phase_1(run) else { return Err(Dropped::Unexpected) };
    keep(scheme, cx, flight.stashed(), &run.own)?;
    let to = flight.to;
    acknowledged(scheme, cx, io, place)?;
    scheme.go_on(cx, io, &to);
    Ok(())
}

/// M4 has verified: what came of the run is kept.
#[inline(never)]
fn acknowledged<S: Introduces>(
    scheme: &mut S,
    cx: &mut Cx<'_>,
    io: &mut Io<'_, S>,
    place: usize,
) -> Result<(), Dropped> {
    let to = io.flight(place)?.to;
    let Some(Run::AwaitM4(run)) = io.take(place).and_then(S::into_phase_1) else { return Err(Dropped::Unexpected) };
    // The higher name gave its own run up when it completed this one; a run of the lower's may be a later one.
    if is_lower(scheme) {
        io.free_all(&|run| S::phase_1(run).is_some_and(Run::is_half_open));
    }
    scheme.acknowledged(cx, io, run.outcome, run.rekey, &to);
    Ok(())
}

/// Whose credential this is, which was checked when it came: also where anybody may come.
pub(super) fn subject<S: Introduces>(scheme: &S, cx: &Cx<'_>, credential: &[u8]) -> Result<super::Subject, Dropped> {
    if let Expected::Subject(id) = scheme.expected() {
        return Ok(*id);
    }
    let setup = scheme.setup();
    let wanted = Wanted { me: scheme.own_id(), expected: Expected::Anyone, kem: setup.kem, wall: cx.wall };
    let mut facts = Err(Dropped::NoKey);
    lend(setup.kem.public_len(), &mut |key| {
        scheme.with_credentials(&mut |credentials| {
            facts = credentials.check(credential, true, &wanted, key).map_err(refused);
        });
    });
    Ok(facts?.subject)
}

/// The other side is who it says: its credential, which was checked when it came, is kept.
pub(super) fn keep<S: Introduces>(
    scheme: &mut S,
    cx: &Cx<'_>,
    credential: &[u8],
    own: &Reference,
) -> Result<(), Dropped> {
    let setup = scheme.setup();
    let me = *scheme.own_id();
    let wanted = Wanted { me: &me, expected: Expected::Anyone, kem: setup.kem, wall: cx.wall };
    lend(setup.kem.public_len(), &mut |key| {
        let mut facts = Err(Dropped::NoKey);
        scheme.with_credentials(&mut |credentials| {
            facts = credentials.check(credential, true, &wanted, key).map_err(refused);
            if facts.is_ok() {
                credentials.saw(credential);
            }
        });
        let facts = facts?;
        scheme.keep(cx, credential, key.get(..facts.key_len).unwrap_or(&[]), &facts, own);
        Ok(())
    })
}
