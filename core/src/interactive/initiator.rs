//! A: K1, K3.

use super::exchange::{Exchange, Finishing, Run};
use super::extent::Extent;
use super::keys::{self, Says, Yield};
use super::master::Origin;
use super::peer::{Peer, Start};
use super::wire::{K1, NUMBER, message, read_closing, read_k2, read_refuse};
use crate::association::{Addr, Cx, Error, Reason, Stage};
use crate::crypto::group::{Scalar, lend};
use crate::crypto::kdf::HASH_LEN;
use crate::crypto::{Prk, Suite, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::rekey::Which;
use crate::engine::scheme::{Io, Note};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::header;
use crate::phase1::keys::LONG_TAG;
use crate::phase1::wire::{Lens, lone_tag};
use crate::phase1::{self, Lend};
use core::borrow::BorrowMut;

/// A before K2.
pub struct AwaitK2 {
    start: Start,
    suite: &'static Suite,
    scalar: Scalar,
    th_1: Transcript,
    tag_1: [u8; LONG_TAG],
    tag_len: u8,
    to: Addr,
    /// Flights that may still follow, under the other PMK in turn; after the last phase 1 begins.
    rounds: u8,
    /// It was refused once, and went above that.
    raised: bool,
}

impl AwaitK2 {
    /// The pending PMK became current: whether this run goes on.
    pub(super) fn after_commit(&mut self) -> bool {
        self.start.after_commit().map(|start| self.start = start).is_some()
    }
    /// Under which PMK.
    pub(super) const fn under(&self) -> Which {
        self.start.under
    }
    fn is(&self, low: u8) -> bool {
        self.start.attempt & 15 == u16::from(low)
    }
    fn tag_1(&self) -> &[u8] {
        self.tag_1.get(..usize::from(self.tag_len)).unwrap_or(&[])
    }
}

/// With a confirmed pending PMK: it, it, current (see [`rekey`](crate::engine::rekey)).
const ROUNDS: u8 = 3;

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Exchange<P, W, E, T> {
    pub(super) fn connect(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) -> Result<(), Error> {
        if io.find(&Run::is_ours).is_some() {
            return Err(Error::WrongState);
        }
        if self.look(cx, io) || self.peer.borrow().choose().is_none() {
            return phase1::begin(self, cx, io, to);
        }
        self.begin(cx, io, to, self.rounds(), false)
    }

    /// Flights of a run that starts now.
    pub(super) fn rounds(&self) -> u8 {
        if self.holds_confirmed() { ROUNDS } else { 1 }
    }

    /// g^NA, V_PMK{g^NA}.
    #[inline(never)]
    pub(super) fn begin(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        to: &Addr,
        rounds: u8,
        raised: bool,
    ) -> Result<(), Error> {
        let group = self.setup.kem.group();
        let mut done = Err(Error::Rng);
        lend(group.share_len(), &mut |share| {
            let mut scalar = Scalar::zero();
            if group.generate(cx.rng, &mut scalar, share).is_ok() {
                done = self.send_k1(cx, io, to, (&scalar, share), rounds, raised);
            }
        });
        done
    }

    #[inline(never)]
    fn send_k1(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        to: &Addr,
        (scalar, share): (&Scalar, &[u8]),
        rounds: u8,
        raised: bool,
    ) -> Result<(), Error> {
        let place = io.claim_place(&Run::is_done).map_err(|_| Error::WrongState)?;
        let start = self.peer().start()?;
        let suite = self.suite_of(start.under).ok_or(Error::SuiteMismatch)?;
        let master = self.peer.borrow().master(start.under).ok_or(Error::NotEstablished)?;
        let k1: K1 = start.k1(master.hint(true), io.config.cid);
        let tag_len = k1.tag_len(suite.mac_len);
        let (tries, now) = (io.config.tries, cx.now);
        let flight = io.flight(place).map_err(|_| Error::WrongState)?;
        flight.reset(*to, None);
        let (mut th_1, mut tag_1) = (Transcript::default(), [0; LONG_TAG]);
        flight.load(false, |w| {
            k1.write(w);
            w.put(share);
            th_1 = keys::run_th_1(&master.terms(true), w.written());
            let tag = tag_1.get_mut(..tag_len).unwrap_or(&mut []);
            keys::k1_tag(&keys::of(master.key()), &th_1, tag);
            w.put(tag);
        });
        flight.launch(now, tries.div_ceil(rounds.saturating_add(1)));
        let scalar = scalar.clone();
        let run = AwaitK2 { start, suite, scalar, th_1, tag_1, tag_len: tag_len as u8, to: *to, rounds, raised };
        io.start(place, Run::AwaitK2(run));
        Ok(())
    }

    /// Starts a run that nobody called for just now, so that there is nobody to give an error to.
    pub(super) fn begin_or_tell(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) {
        if self.begin(cx, io, to, self.rounds(), false).is_err() {
            io.note(Note::Failed(Stage::Exchange, Reason::Resource));
        }
    }

    /// Phase 1, that nobody called for just now.
    pub(super) fn anew(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) {
        if phase1::begin(self, cx, io, to).is_err() {
            io.note(Note::Failed(Stage::Authentication, Reason::Resource));
        }
    }

    /// Nobody answered K1: in turn under the other PMK, then phase 1.
    pub(super) fn no_answer(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: &AwaitK2) {
        let to = &run.to;
        self.peer().no_answer();
        if io.find(&Run::is_ours).is_some() {
            return;
        }
        match run.rounds.checked_sub(1) {
            Some(rounds) if rounds > 0 && self.begin(cx, io, to, rounds, false).is_ok() => {}
            _ => self.anew(cx, io, to),
        }
    }

    /// g^NS, V_PMK{g^NS}: both have K_DH.
    #[inline(never)]
    pub(super) fn on_k2(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitK2(run) if run.is(low))).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitK2(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let master = self.peer.borrow().master(run.start.under).ok_or(Dropped::NoKey)?;
        let (suite, start) = (run.suite, run.start);
        let lens = Lens { tag: run.tag_len.into(), ..Lens::of(suite) };
        let (cid, ends) = read_k2(bytes, lens)?;
        let th_2 = run.th_1.then(&[run.tag_1(), ends.head, ends.share]);
        let mut tag = [0; LONG_TAG];
        let tag = tag.get_mut(..lens.tag).unwrap_or(&mut []);
        let pmk = keys::of(master.key());
        keys::k2_tag(&pmk, &th_2, tag);
        if !ct_eq(tag, ends.tag) {
            return Err(Dropped::Forged);
        }
        let th_3 = th_2.then(&[ends.tag]);
        let prk = self.prk(&pmk, master.origin(), &run.scalar, ends.share)?;
        self.send_k3(cx, io, place, start, suite, cid, &prk, &th_3)
    }

    /// K3, and PMK' to be stored before it leaves.
    #[allow(clippy::too_many_arguments, reason = "what the run is made of")]
    #[inline(never)]
    fn send_k3(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        place: usize,
        start: Start,
        suite: &'static Suite,
        cid: ConnectionId,
        prk: &Prk,
        th_3: &Transcript,
    ) -> Result<(), Dropped> {
        let master = self.peer.borrow().master(start.under).ok_or(Dropped::NoKey)?;
        let mut run = Finishing {
            attempt: start.attempt,
            suite,
            step: master.step().saturating_add(1),
            cid,
            yields: Yield::none(),
            begun: false,
            digest: [0; HASH_LEN],
        };
        run.yields.derive(prk, th_3);
        let next = master.next(run.yields.pmk.clone());

        let (tries, now) = (io.config.tries, cx.now);
        let flight = io.flight(place)?;
        flight.prove();
        flight.forget_cookie();
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::K3, start.attempt.into())).put(run.yields.k3());
        });
        flight.launch(now, tries);
        let to = flight.to;
        io.start(place, Run::AwaitK4(run));
        self.peer().confirmed(&start, next);
        if start.under == Which::Pending {
            self.committed(io);
        }
        io.outbox.want_store();
        // What the peer still sends under the old keys until K3 arrives is lost.
        self.enter(cx, io, place, to)
    }

    /// What a run's keys come from.
    #[inline(never)]
    pub(super) fn prk(&self, pmk: &Prk, origin: &Origin, scalar: &Scalar, share: &[u8]) -> Result<Prk, Dropped> {
        let group = self.setup.kem.group();
        let mut prk = Err(Dropped::BadElement);
        lend(group.secret_len(), &mut |dh| {
            if group.agree(scalar, share, dh).is_ok() {
                prk = Ok(keys::run_prk(pmk, &origin.n_a0, &origin.n_s0, dh));
            }
        });
        prk
    }

    /// The peer has PMK' too, in storage.
    #[inline(never)]
    pub(super) fn on_k4(&mut self, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let ours = |run: &Run| matches!(run, Run::AwaitK4(run) if run.attempt & 15 == u16::from(low));
        let place = io.find(&ours).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitK4(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let (tag, rest) = read_closing(bytes)?;
        if !rest.is_empty() {
            return Err(Dropped::Malformed);
        }
        if !ct_eq(tag, run.yields.k4()) {
            return Err(Dropped::Forged);
        }
        let (attempt, begun) = (run.attempt, run.begun);
        io.free(place);
        if self.peer().closed(attempt) {
            self.committed(io);
        }
        if !begun {
            io.note(Note::Established);
        }
        Ok(())
    }

    /// The peer has left the PMK that K1 was made under.
    #[inline(never)]
    pub(super) fn on_gone(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitK2(run) if run.is(low))).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitK2(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let master = self.peer.borrow().master(run.start.under).ok_or(Dropped::NoKey)?;
        let expected = keys::says_tag(Says::Gone, master.aux(), &run.th_1, run.tag_1());
        if !ct_eq(lone_tag(bytes, LONG_TAG)?, &expected) {
            return Err(Dropped::Forged);
        }
        let Start { under, holds, .. } = run.start;
        let to = io.flight(place)?.to;
        io.free(place);
        // What the peer has moved to can only be the pending PMK; without one, this side was rolled back. Where nobody
        // answered under that one, it may be another: to try it again and again would never end.
        if under == Which::Current && !holds && self.peer().left() {
            io.outbox.want_store();
            self.begin_or_tell(cx, io, &to);
        } else {
            self.anew(cx, io, &to);
        }
        Ok(())
    }

    /// The peer has answered that attempt already: above it, once in a run.
    #[inline(never)]
    pub(super) fn on_refuse(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let (answered, tag) = read_refuse(bytes)?;
        let says = Says::Refuse(answered);
        let refused = |run: &Run| match run {
            Run::AwaitK2(run) if run.is(low) => {
                let master = self.peer.borrow().master(run.start.under)?;
                let good = ct_eq(tag, &keys::says_tag(says, master.aux(), &run.th_1, run.tag_1()));
                good.then_some((run.start.under, run.raised))
            }
            Run::Phase1(phase1::Run::AwaitM2(run)) => {
                let (under, master) = self.peer.borrow().mine(&run.rekey()?.hint)?;
                let good = ct_eq(tag, &keys::says_tag(says, master.aux(), run.th_1(), run.tag_1()));
                good.then_some((under, false))
            }
            _ => None,
        };
        let place = io.find(&|run| refused(run).is_some()).ok_or(Dropped::Unexpected)?;
        let (under, raised) = io.run(place).and_then(|run| refused(run)).ok_or(Dropped::Unexpected)?;
        let phase_1 = matches!(io.run(place), Some(Run::Phase1(_)));
        let to = io.flight(place)?.to;
        if raised {
            return Err(Dropped::Replayed);
        }
        io.free(place);
        self.peer().refused(under, answered);
        if phase_1 {
            self.anew(cx, io, &to);
        } else if self.begin(cx, io, &to, self.rounds(), true).is_err() {
            io.note(Note::Failed(Stage::Exchange, Reason::Resource));
        }
        Ok(())
    }
}
