//! S: K2, K4.

use super::exchange::{Exchange, Finishing, Run};
use super::extent::Extent;
use super::keys::{self, Says, Yield};
use super::peer::{Heard, Named, Peer};
use super::wire::{K1, NUMBER, message, read_closing, write_k2, write_refuse};
use crate::association::{Addr, Cx};
use crate::crypto::group::{Scalar, lend};
use crate::crypto::kdf::{HASH_LEN, hash};
use crate::crypto::{Prk, Secret, Suite, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::rekey::Which;
use crate::engine::scheme::{Io, Note};
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Writer, header};
use crate::phase1::keys::{LONG_TAG, m1_tag};
use crate::phase1::wire::{Ends, Lens, Rekey};
use crate::phase1::{self, Lend};
use core::borrow::BorrowMut;

/// A K1 that has verified.
pub(super) struct Verified<'a> {
    k1: K1,
    ends: Ends<'a>,
    suite: &'static Suite,
    th_1: Transcript,
    /// PMK's PRK: it is the current one's where K1 is answered.
    pmk: Prk,
}

/// A first message that has verified, as far as it may be refused.
struct First<'a> {
    k1: &'a K1,
    th_1: &'a Transcript,
    tag_1: &'a [u8],
    digest: [u8; HASH_LEN],
    from: &'a Addr,
    len: usize,
}

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Exchange<P, W, E, T> {
    /// K1 under that PMK, if its tag verifies.
    pub(super) fn read_k1<'a>(&self, which: Which, bytes: &'a [u8]) -> Result<Verified<'a>, Dropped> {
        let suite = self.suite_of(which).ok_or(Dropped::NoKey)?;
        let master = self.peer.borrow().master(which).ok_or(Dropped::NoKey)?;
        let (k1, ends) = K1::read(bytes, Lens::of(suite))?;
        let body = bytes.get(..bytes.len().saturating_sub(ends.tag.len())).unwrap_or(&[]);
        let th_1 = keys::run_th_1(&master.terms(false), body);
        let mut tag = [0; LONG_TAG];
        let tag = tag.get_mut(..ends.tag.len()).unwrap_or(&mut []);
        let pmk = keys::of(master.key());
        keys::k1_tag(&pmk, &th_1, tag);
        if ct_eq(tag, ends.tag) { Ok(Verified { k1, ends, suite, th_1, pmk }) } else { Err(Dropped::Forged) }
    }

    /// g^NA, V_PMK{g^NA}: the peer has PMK; PMK' is stored before K2 leaves.
    #[inline(never)]
    pub(super) fn on_k1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let (k1, _) = K1::peek(bytes)?;
        let digest = hash(&[bytes]);
        let same = |run: &Run| match run {
            Run::AwaitK3(run) => run.digest == digest,
            Run::Said { digest: mine } => *mine == digest,
            _ => false,
        };
        if let Some(place) = io.find(&same) {
            return io.answer_again(place, from, proven, bytes.len());
        }
        let which = match self.peer.borrow().named(&k1.hint).ok_or(Dropped::NoKey)? {
            Named::Master(which) => which,
            Named::Gone => return self.gone(cx, io, from, bytes, digest),
        };
        let verified = self.read_k1(which, bytes)?;
        if self.look(cx, io) {
            return Err(Dropped::NoKey);
        }
        let Verified { k1, ends, th_1, .. } = &verified;
        let first = First { k1, th_1, tag_1: ends.tag, digest, from, len: bytes.len() };
        let under = self.heard_first(cx, io, which, &first)?;

        let group = self.setup.kem.group();
        let mut done = Err(Dropped::Rng);
        lend(group.share_len(), &mut |gns| {
            let mut scalar = Scalar::zero();
            if group.generate(cx.rng, &mut scalar, gns).is_ok() {
                done = self.prk_under(under, &verified, &scalar).and_then(|prk| {
                    self.send_k2(cx, io, (from, proven, bytes.len()), &verified, under, digest, &prk, gns)
                });
            }
        });
        done
    }

    /// What the keys of a run under that PMK come from.
    fn prk_under(&self, under: Which, verified: &Verified<'_>, scalar: &Scalar) -> Result<Prk, Dropped> {
        let master = self.peer.borrow().master(under).ok_or(Dropped::NoKey)?;
        self.prk(&verified.pmk, master.origin(), scalar, verified.ends.share)
    }

    /// What a first message under that PMK means beside its own purpose; the PMK that it is answered under.
    fn heard_first(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        which: Which,
        first: &First<'_>,
    ) -> Result<Which, Dropped> {
        let First { k1, from, .. } = *first;
        let rekeys = |run: &phase1::Run<_>| matches!(run, phase1::Run::AwaitM2(run) if run.rekey().is_some());
        let asking = io.find(&|run| match run {
            Run::AwaitK2(run) => run.under() == which,
            Run::Phase1(run) => rekeys(run),
            _ => false,
        });
        let heard = self.peer().heard(which, k1, asking.is_some())?;
        if which == Which::Pending {
            // The peer has stored it: a run of this side's that led to it is complete.
            let mut begins = false;
            for half in io.halves.iter_mut() {
                let complete = match half.scheme() {
                    Some(Run::AwaitK4(run)) => {
                        begins |= !run.begun;
                        true
                    }
                    _ => false,
                };
                if complete {
                    half.clear();
                }
            }
            // And whoever has stored it asks for no M4 any more.
            io.free_all(&|run| matches!(run, Run::Phase1(run) if run.is_done()));
            self.committed(io);
            if begins {
                io.note(Note::Established);
            }
        }
        match heard {
            Heard::Answer => Ok(Which::Current),
            Heard::Mine => Err(Dropped::Unexpected),
            Heard::CommitFirst => {
                if io.find(&Run::is_ours).is_none() {
                    self.begin_or_tell(cx, io, from);
                }
                Err(Dropped::Unexpected)
            }
            Heard::Refuse { answered } => {
                self.refuse(cx, io, answered, first)?;
                Err(Dropped::Replayed)
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "what K2 is made of")]
    #[inline(never)]
    fn send_k2(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        (from, proven, len): (&Addr, bool, usize),
        verified: &Verified<'_>,
        under: Which,
        digest: [u8; HASH_LEN],
        prk: &Prk,
        gns: &[u8],
    ) -> Result<(), Dropped> {
        let Verified { k1, ends, suite, th_1, pmk } = verified;
        let master = self.peer.borrow().master(under).ok_or(Dropped::NoKey)?;
        // A run of the peer's, and what is kept of one, gives way to its next, this side's own to the one that it answers.
        io.free_all(&|run| match run {
            Run::AwaitK3(_) | Run::Answered { .. } => true,
            Run::AwaitK2(run) => run.under() == under,
            _ => false,
        });
        let place = io.claim_place(&Run::is_done)?;
        let (cid, now) = (io.config.cid, cx.now);
        let flight = io.flight(place)?;
        flight.reset(*from, Some(len));
        if proven {
            flight.prove();
        }
        let mut th_3 = Transcript::default();
        flight.load(false, |w| {
            write_k2(w, k1.attempt, &cid);
            w.put(gns);
            let th_2 = th_1.then(&[ends.tag, w.written()]);
            let mut tag = [0; LONG_TAG];
            let tag = tag.get_mut(..ends.tag.len()).unwrap_or(&mut []);
            keys::k2_tag(pmk, &th_2, tag);
            w.put(tag);
            th_3 = th_2.then(&[tag]);
        });
        flight.answer(now);
        let mut run = Finishing {
            attempt: k1.attempt,
            suite,
            step: master.step().saturating_add(1),
            cid: k1.cid,
            yields: Yield::none(),
            begun: false,
            digest,
        };
        run.yields.derive(prk, &th_3);
        let next = master.next(run.yields.pmk.clone());
        io.start(place, Run::AwaitK3(run));
        self.peer().answered(k1.attempt, next);
        io.outbox.want_store();
        Ok(())
    }

    /// The peer still uses the PMK that this side has left: it was rolled back, or has not heard of it yet.
    #[inline(never)]
    fn gone(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        bytes: &[u8],
        digest: [u8; HASH_LEN],
    ) -> Result<(), Dropped> {
        let (k1, rest) = K1::peek(bytes)?;
        let peer = self.peer.borrow();
        let (aux, master) = peer.gone().zip(peer.master(Which::Current)).ok_or(Dropped::NoKey)?;
        let suite = self.suite_of(Which::Current).ok_or(Dropped::NoKey)?;
        let lens = Lens::of(suite);
        let tag_len = k1.tag_len(lens.tag);
        if rest.len() != lens.share.saturating_add(tag_len) {
            return Err(Dropped::Malformed);
        }
        // What th_0 of that K1 was: the step before, the same phase 1 (after another, nobody can tell any more).
        let step = master.step().checked_sub(1).ok_or(Dropped::NoKey)?;
        let (body, tag_1) = bytes.split_at_checked(bytes.len().saturating_sub(tag_len)).unwrap_or((&[], &[]));
        let side = keys::hint(aux, true) == k1.hint;
        let th_1 = keys::run_th_1(&keys::Terms { step, side, ..master.terms(false) }, body);
        let tag = keys::says_tag(Says::Gone, aux, &th_1, tag_1);
        self.say(cx, io, from, bytes.len(), digest, |w| {
            w.put(&header(NUMBER, message::GONE, k1.attempt.into())).put(&tag);
        })
    }

    fn refuse(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, answered: u16, first: &First<'_>) -> Result<(), Dropped> {
        let master = self.peer.borrow().master(Which::Current).ok_or(Dropped::NoKey)?;
        let tag = keys::says_tag(Says::Refuse(answered), master.aux(), first.th_1, first.tag_1);
        self.say(cx, io, first.from, first.len, first.digest, |w| {
            write_refuse(w, first.k1.attempt, answered);
            w.put(&tag);
        })
    }

    /// A short answer, kept for a while.
    pub(super) fn say(
        &self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        len: usize,
        digest: [u8; HASH_LEN],
        write: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), Dropped> {
        let place = io.free_place(&|run| matches!(run, Run::Said { .. }));
        let place = place.or_else(|reason| phase1::make_room(cx, io).ok_or(reason))?;
        let flight = io.flight(place)?;
        flight.reset(*from, Some(len));
        flight.load(false, write);
        flight.answer_briefly(cx.now);
        io.start(place, Run::Said { digest });
        Ok(())
    }

    /// A has the keys: PMK' is current, stored before K4 leaves; the session is there.
    #[inline(never)]
    pub(super) fn on_k3(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let k3 = hash(&[bytes]);
        if let Some(place) = io.find(&|run| matches!(run, Run::Answered { k3: mine } if *mine == k3)) {
            return io.answer_again(place, from, false, bytes.len());
        }
        let theirs = |run: &Run| matches!(run, Run::AwaitK3(run) if run.attempt & 15 == u16::from(low));
        let place = io.find(&theirs).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitK3(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let (tag, rest) = read_closing(bytes)?;
        if !rest.is_empty() {
            return Err(Dropped::Malformed);
        }
        if !ct_eq(tag, run.yields.k3()) {
            return Err(Dropped::Forged);
        }
        let attempt = run.attempt;
        let tag_4: Secret<LONG_TAG> = Secret::new(*run.yields.k4().first_chunk().ok_or(Dropped::Unexpected)?);
        if !self.peer().closed(attempt) {
            io.free(place);
            return Err(Dropped::Unexpected);
        }
        let flight = io.flight(place)?;
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::K4, attempt.into())).put(tag_4.expose());
        });
        // K2 was received where it was sent to; another address has yet to show that.
        if flight.to == *from {
            flight.prove();
        }
        flight.asked(from, bytes.len());
        flight.answer(cx.now);
        let to = flight.to;
        self.enter(cx, io, place, to)?;
        io.start(place, Run::Answered { k3 });
        if to != *from {
            io.challenge(from);
        }
        self.committed(io);
        io.note(Note::Established);
        Ok(())
    }

    /// M1 under a PMK that there is: its tag, and the rule of attempts and glare.
    pub(super) fn hear_rekey(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        (from, len): (&Addr, usize),
        rekey: &Rekey,
        th_1: &Transcript,
        tag_1: &[u8],
    ) -> Result<Option<Rekey>, Dropped> {
        let Some(Named::Master(which)) = self.peer.borrow().named(&rekey.hint) else { return Ok(None) };
        let master = self.peer.borrow().master(which).ok_or(Dropped::NoKey)?;
        if !ct_eq(&m1_tag(keys::NAME, master.key(), th_1), tag_1) {
            return Err(Dropped::Forged);
        }
        let cid = io.config.cid;
        let k1 = K1 { hint: rekey.hint, attempt: rekey.attempt, long: true, holds: false, cid };
        let first = First { k1: &k1, th_1, tag_1, digest: *th_1.as_bytes(), from, len };
        self.heard_first(cx, io, which, &first)?;
        Ok(Some(*rekey))
    }
}
