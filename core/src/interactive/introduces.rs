//! What phase 1 asks of this scheme, and what becomes of its outcome.

use super::exchange::{Exchange, Run};
use super::extent::Extent;
use super::keys;
use super::master::{ALWAYS, Master, NEVER, Origin};
use super::peer::Peer;
use crate::association::{Addr, Cx, Error};
use crate::cose::Reference;
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Pending, Which};
use crate::engine::scheme::Io;
use crate::engine::transcript::Transcript;
use crate::engine::wire::Writer;
use crate::phase1::keys::Cred;
use crate::phase1::wire::Rekey;
use crate::phase1::{self, Credentials, Expected, Facts, Introduces, Lend, Made, Setup, Subject};
use core::borrow::BorrowMut;

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Introduces for Exchange<P, W, E, T> {
    const TERMS_LEN: usize = 4;
    type Outcome = Master;

    fn wrap(run: phase1::Run<Master>) -> Run {
        Run::Phase1(run)
    }
    fn phase_1(run: &Run) -> Option<&phase1::Run<Master>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn phase_1_mut(run: &mut Run) -> Option<&mut phase1::Run<Master>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn into_phase_1(run: Run) -> Option<phase1::Run<Master>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn is_done(run: &Run) -> bool {
        run.is_done()
    }
    fn setup(&self) -> Setup {
        self.setup
    }
    fn own_id(&self) -> &Subject {
        self.peer.borrow().own_id()
    }
    fn expected(&self) -> Expected<'_> {
        self.peer.borrow().expected()
    }
    fn psk(&self) -> Option<&Secret<32>> {
        self.peer.borrow().psk()
    }
    fn with_credentials(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        self.wallet.lend(work);
    }
    fn kept(&self) -> &[u8] {
        self.peer.borrow().ticket()
    }
    fn kept_cred(&self) -> Option<Cred> {
        self.peer.borrow().cred().copied()
    }
    fn shown(&self, own: &Reference) -> bool {
        self.peer.borrow().shown() == Some(own)
    }
    fn write_terms(&self, w: &mut Writer<'_>) {
        w.put(&self.setup.life.to_be_bytes());
    }
    fn key(&self, made: &Made<'_>) -> Secret<32> {
        keys::pmk(made.a, made.s, made.dh, self.peer.borrow().psk(), made.th_3)
    }

    fn outcome(&self, made: &Made<'_>, key: Secret<32>, bind: &Transcript) -> Result<Master, Dropped> {
        let wish = made.terms.first_chunk().map_or(0, |life| u32::from_be_bytes(*life));
        let life = [wish, self.setup.life].into_iter().filter(|life| *life != 0).min();
        let origin = Origin {
            bind: *bind,
            n_a0: made.a.n0.clone(),
            n_s0: made.s.n0.clone(),
            suite: made.suite.id,
            psk: self.peer.borrow().psk().is_some(),
            was_a: made.was_a,
            ends: NEVER,
            left: life.unwrap_or(ALWAYS),
        };
        Ok(Master::first(key, origin))
    }

    fn keep(&mut self, cx: &Cx<'_>, credential: &[u8], _key: &[u8], facts: &Facts, own: &Reference) {
        let mut ends = NEVER;
        self.wallet.lend(&mut |credentials| ends = credentials.own(Some(own), cx.wall).map_or(NEVER, |(_, end)| end));
        self.peer().keep(credential, facts, (*own, ends));
    }

    fn authenticated(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, outcome: Master, rekey: Option<Rekey>) {
        let attempt = self.attempt_of(rekey, false);
        self.peer().authenticated(outcome.from(cx.wall), attempt);
        io.outbox.want_store();
    }

    fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        outcome: Master,
        rekey: Option<Rekey>,
        _to: &Addr,
    ) {
        io.free_all(&|run| !matches!(run, Run::Phase1(_)));
        let attempt = self.attempt_of(rekey, true);
        self.peer().acknowledged(outcome.from(cx.wall), attempt);
        io.outbox.want_store();
    }

    fn go_on(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) {
        self.begin_or_tell(cx, io, to);
    }

    /// As with its M1: a PMK that the peer is known to have had is not forgotten for one that it may never hear of.
    fn may_complete(&self, rekey: Option<&Rekey>) -> bool {
        rekey.is_none() || !self.holds_confirmed()
    }

    fn rekey(&mut self) -> Result<Option<(Rekey, Secret<32>)>, Error> {
        let start = match self.peer().start() {
            Ok(start) => start,
            Err(Error::NotEstablished) => return Ok(None),
            Err(error) => return Err(error),
        };
        let master = self.peer.borrow().master(start.under).ok_or(Error::NotEstablished)?;
        Ok(Some((Rekey { hint: master.hint(true), attempt: start.attempt }, master.key().clone())))
    }

    fn rekey_again(&self, rekey: &Rekey) -> Option<Secret<32>> {
        self.peer.borrow().mine(&rekey.hint).map(|(_, master)| master.key().clone())
    }

    fn on_rekey(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: (&Addr, usize),
        rekey: &Rekey,
        th_1: &Transcript,
        tag_1: &[u8],
    ) -> Result<Option<Rekey>, Dropped> {
        self.hear_rekey(cx, io, from, rekey, th_1, tag_1)
    }
}

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Exchange<P, W, E, T> {
    /// The attempt of a rekey, where the PMK that it was made under is the current one still.
    fn attempt_of(&self, rekey: Option<Rekey>, ours: bool) -> Option<u16> {
        let rekey = rekey?;
        let current = self.peer.borrow().master(Which::Current)?;
        (current.hint(ours) == rekey.hint).then_some(rekey.attempt)
    }

    /// Whether a PMK waits that the peer has or had.
    pub(super) fn holds_confirmed(&self) -> bool {
        matches!(self.peer.borrow().pending(), Pending::Confirmed(_))
    }
}
