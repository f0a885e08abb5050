//! The handshake: what the shared one is given here, and what comes of it - a progression, and a session in its first epoch.

use super::epochs::Epochs;
use super::exchange::{Exchange, Run};
use super::keys;
use super::peer::{Peer, State};
use super::progress::{Parties, Progress};
use super::wire::{TERMS_LEN, Terms};
use crate::association::{Addr, Cx};
use crate::cose::Reference;
use crate::crypto::Secret;
use crate::crypto::keys::KeySlot;
use crate::engine::drops::Dropped;
use crate::engine::resume::{self, Root};
use crate::engine::scheme::Io;
use crate::engine::session::{self, ConnectionId, Keys};
use crate::engine::transcript::Transcript;
use crate::engine::wire::Writer;
use crate::phase1::{self, Credentials, Expected, Facts, Introduces, Lend, Made, Setup, Subject};
use core::borrow::BorrowMut;

/// What a handshake leads to: A keeps it until M4.
pub struct Outcome<const N: usize> {
    progress: Progress<N>,
    bind: [u8; 32],
    a: bool,
    slot: KeySlot,
    cid: ConnectionId,
    terms: Terms,
    keys: Keys,
}

impl<const N: usize> Outcome<N> {
    /// The session's name.
    fn id(&self) -> u32 {
        u32::from_be_bytes(*self.bind.first_chunk().unwrap_or(&[0; 4]))
    }
    /// What S goes on from that has it.
    pub(super) fn root(&self) -> Root {
        let root = resume::root(&self.keys.master(keys::NAME));
        Root { root, scheme: keys::NAME, session: self.id(), a_is_initiator: !self.a }
    }
}

impl<P: BorrowMut<Peer<N, C>>, L: Lend, const N: usize, const C: usize, const F: usize> Exchange<P, L, N, C, F> {
    /// The handshake is complete.
    fn establish(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, outcome: Outcome<N>, to: Addr) {
        let id = outcome.id();
        let Outcome { progress, bind, a, slot, cid, terms, keys } = outcome;
        let peer = self.peer.borrow_mut();
        let known = session::Terms { id, generation: 0, initiator: a, cid, now: cx.now, healed: true, secret: true };
        io.establish(self.setting.suite, &keys, &known, to);
        let root = io.session.as_ref().map_or(Secret::zero(), |session| resume::root(&session.master(keys::NAME)));
        peer.state = Some(State {
            parties: Parties { bind, a, slot },
            progress,
            last: terms.last(),
            interval: terms.interval,
            root,
            session: id,
            cid,
            own_cid: io.config.cid,
            addr: to,
        });
        self.epochs = Some(Epochs::new(1, terms.interval, cx.now));
        self.announce = true;
        self.catch_up(cx, io);
        io.outbox.want_store();
    }
}

impl<P: BorrowMut<Peer<N, C>>, L: Lend, const N: usize, const C: usize, const F: usize> Introduces
    for Exchange<P, L, N, C, F>
{
    const TERMS_LEN: usize = TERMS_LEN;
    type Outcome = Outcome<N>;

    fn wrap(run: phase1::Run<Outcome<N>>) -> Run<N> {
        Run::Phase1(run)
    }
    fn phase_1(run: &Run<N>) -> Option<&phase1::Run<Outcome<N>>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn phase_1_mut(run: &mut Run<N>) -> Option<&mut phase1::Run<Outcome<N>>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn into_phase_1(run: Run<N>) -> Option<phase1::Run<Outcome<N>>> {
        if let Run::Phase1(run) = run { Some(run) } else { None }
    }
    fn is_done(run: &Run<N>) -> bool {
        match run {
            Run::Phase1(run) => run.is_done(),
            Run::Lag => true,
        }
    }

    fn setup(&self) -> Setup {
        Setup { kem: self.setting.kem, suites: core::slice::from_ref(&self.setting.suite), slots: self.slots, life: 0 }
    }
    fn own_id(&self) -> &Subject {
        self.peer.borrow().own_id()
    }
    fn expected(&self) -> Expected<'_> {
        self.peer.borrow().id().map_or(Expected::Anyone, Expected::Subject)
    }
    fn psk(&self) -> Option<&Secret<32>> {
        self.peer.borrow().psk.as_ref()
    }
    fn with_credentials(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        self.credentials.lend(work);
    }
    fn kept(&self) -> &[u8] {
        self.peer.borrow().kept()
    }
    fn shown(&self, own: &Reference) -> bool {
        self.peer.borrow().shown.as_ref() == Some(own)
    }

    fn write_terms(&self, w: &mut Writer<'_>) {
        self.terms.write(w);
    }
    fn key(&self, made: &Made<'_>) -> Secret<32> {
        keys::pmk(made.a, made.s, made.dh, self.psk(), made.th_3)
    }
    fn outcome(&self, made: &Made<'_>, key: Secret<32>, bind: &Transcript) -> Result<Outcome<N>, Dropped> {
        let terms = Terms::read(made.terms)?;
        let prk = keys::base_prk(&key, made.a, made.s);
        let start = || {
            let mut r = [0; N];
            self.setting.group.element_of_share(made.share, &mut r)?;
            Progress::start(self.setting, keys::root(&prk, bind), made.scalar.clone(), &r)
        };
        let progress = start().map_err(|_| Dropped::BadElement)?;
        let mut session = Keys::none();
        session.keep(&prk, bind);
        let (bind, a, slot) = (*bind.as_bytes(), made.was_a, made.slot);
        Ok(Outcome { progress, bind, a, slot, cid: made.cid, terms, keys: session })
    }

    fn keep(&mut self, cx: &Cx<'_>, credential: &[u8], key: &[u8], facts: &Facts, own: &Reference) {
        let mut ends = facts.ends;
        self.credentials.lend(&mut |credentials| {
            if let Some((_, end)) = credentials.own(Some(own), cx.wall) {
                ends = ends.min(end);
            }
        });
        self.peer.borrow_mut().met(facts, credential, key, ends, *own);
    }
    fn authenticated(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        outcome: Outcome<N>,
        _rekey: Option<phase1::wire::Rekey>,
    ) {
        let answered = |run: &Run<N>| matches!(run, Run::Phase1(phase1::Run::Answered { .. }));
        let Some(to) = io.find(&answered).and_then(|place| io.flight(place).ok().map(|flight| flight.to)) else {
            return;
        };
        self.establish(cx, io, outcome, to);
    }
    fn acknowledged(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        outcome: Outcome<N>,
        _rekey: Option<phase1::wire::Rekey>,
        to: &Addr,
    ) {
        self.establish(cx, io, outcome, *to);
    }
}
