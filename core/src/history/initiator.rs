//! Initiator (Algorithm 1a): C1, C3, C5.

use super::exchange::{Awaits, Exchange, Finishing, Run};
use super::extent::Extent;
use super::keys::{self, NONCE_LEN, Pair, R_LEN};
use super::log::Entry;
use super::peer::Peer;
use super::wire::{self, NUMBER, Sealed, c1_len, message};
use crate::association::{Addr, Cx, Error, Reason, Stage};
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::{GroupError, MAX_SECRET, MAX_SHARE, Scalar};
use crate::crypto::{Secret, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::once::{open_once, seal_once};
use crate::engine::rekey::Which;
use crate::engine::scheme::{Io, Note};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Reader, header};
use core::borrow::BorrowMut;

/// The initiator before C2.
pub struct AwaitC2 {
    pub(super) run: u32,
    under: Which,
    pair: Pair,
    r_i: Secret<R_LEN>,
    th_1: Transcript,
    tag_1: [u8; MAX_TAG],
    pub(super) to: Addr,
    /// Flights that may still follow, under the other triple in turn.
    rounds: u8,
}

/// With a confirmed pending triple: it, it, current (see [`rekey`](crate::engine::rekey)).
const ROUNDS: u8 = 3;

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, E: Extent> Exchange<P, L, E> {
    pub(super) fn connect(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) -> Result<(), Error> {
        if io.find(&Run::is_ours).is_some() {
            return Err(Error::WrongState);
        }
        self.begin(cx, io, to, self.rounds())
    }

    /// C1 = two of the three keys, chosen at random (Algorithm 1a, lines 1 to 4).
    #[inline(never)]
    fn begin(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr, rounds: u8) -> Result<(), Error> {
        let mut random = Secret::<{ NONCE_LEN + R_LEN + 1 }>::zero();
        cx.rng.fill(random.as_mut())?;
        let place = io.claim_place(&Run::is_done).map_err(|_| Error::WrongState)?;
        let mut r = Reader::new(random.expose());
        let mut parts = || Ok::<_, Dropped>((r.array::<NONCE_LEN>()?, r.secret::<R_LEN>()?, r.u8()?));
        // N_I is sent in clear. The byte chooses the pair, which the hint names to whoever has seen another of the window.
        let (nonce, r_i, byte) = parts().map_err(|_| Error::BadArgument)?;

        let (suite, peer) = (self.suite, self.peer());
        let (under, pair) = (peer.replacement.choose(), Pair::from_random(byte));
        let (run, store) = peer.next_run();
        let hint = peer.hint(under, pair, run);
        let th_0 = keys::th_0(&peer.terms(under), &peer.me, &peer.id);
        if store {
            io.outbox.want_store();
        }
        let (cid, tries, now) = (io.config.cid, io.config.tries, cx.now);
        let flight = &mut io.flight(place).map_err(|_| Error::WrongState)?;
        flight.reset(*to, None);
        let (mut th_1, mut tag_1) = (th_0, [0; MAX_TAG]);
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::C1, run))
                .put(&run.to_be_bytes())
                .put(&hint)
                .put(&nonce)
                .short(cid.as_bytes());
            debug_assert_eq!(w.len(), c1_len(&cid));
            th_1 = th_0.then(&[w.written()]);
            let tag = tag_1.get_mut(..suite.mac_len).unwrap_or(&mut []);
            if let Some(triple) = peer.triple(under) {
                keys::c1_tag(triple, pair, &th_1, tag);
            }
            w.put(tag);
        });
        flight.launch(now, if rounds > 1 || under == Which::Pending { tries.div_ceil(ROUNDS) } else { tries });
        io.start(place, Run::AwaitC2(AwaitC2 { run, under, pair, r_i, th_1, tag_1, to: *to, rounds }));
        Ok(())
    }

    /// Nobody answered C1: in turn under the other triple, or the end.
    pub(super) fn no_answer(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: &AwaitC2) {
        self.peer().replacement.missed();
        if run.rounds > 1 {
            return self.begin_or_tell(cx, io, &run.to, run.rounds.saturating_sub(1));
        }
        io.note(Note::Failed(Stage::Exchange, Reason::NoAnswer));
    }

    /// Starts an exchange that nobody called for just now, so that there is nobody to give an error to.
    pub(super) fn begin_or_tell(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr, rounds: u8) {
        if self.begin(cx, io, to, rounds).is_err() {
            io.note(Note::Failed(Stage::Exchange, Reason::Resource));
        }
    }

    /// Flights of an exchange that starts now.
    pub(super) fn rounds(&self) -> u8 {
        if self.peer.borrow().replacement.confirmed().is_some() { ROUNDS } else { 1 }
    }

    /// R_R = C2 under the unused key; C3 = R_I under R_R (lines 9 to 13).
    #[inline(never)]
    pub(super) fn on_c2(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let suite = self.suite;
        let place = io.find(&|run| matches!(run, Run::AwaitC2(r) if r.run & 15 == u32::from(low)));
        let place = place.ok_or(Dropped::Unexpected)?;
        let (tries, now) = (io.config.tries, cx.now);
        let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
        let (Some(Run::AwaitC2(run)), flight) = half.both() else { return Err(Dropped::Unexpected) };
        let peer = self.peer.borrow();
        let triple = peer.triple(run.under).ok_or(Dropped::NoKey)?;

        let Sealed { head, text: ciphertext, tag } = Sealed::read(bytes, HEADER_LEN + NONCE_LEN, suite.mac_len)?;
        let tag_1 = run.tag_1.get(..suite.mac_len).unwrap_or(&[]);
        let th_2 = run.th_1.then(&[tag_1, head]);
        let mut text = Secret::<{ R_LEN + 1 + ConnectionId::MAX + MAX_SHARE }>::zero();
        let text = text.as_mut().get_mut(..ciphertext.len()).ok_or(Dropped::Malformed)?;
        text.copy_from_slice(ciphertext);
        open_once(suite, &keys::c2_key(triple, run.pair, &th_2), text, tag)?;
        let mut r = Reader::new(text);
        let r_r = r.secret::<R_LEN>()?;
        let cid = ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)?;
        let their_share = r.rest();

        let mut ours = Share::default();
        let mut dh = Secret::<MAX_SECRET>::zero();
        let dh = match suite.dh {
            Some(group) => {
                ours.generate(suite, cx)?;
                let out = dh.as_mut().get_mut(..group.secret_len()).unwrap_or(&mut []);
                group.agree(&ours.scalar, their_share, out).map_err(dropped)?;
                &*out
            }
            None if their_share.is_empty() => &[],
            None => return Err(Dropped::Malformed),
        };

        let c3 = header(NUMBER, message::C3, run.run);
        let mut th = th_2.then(&[ciphertext, tag, &c3]);
        let key = keys::c3_key(triple, run.pair, &r_r, &th);
        flight.load(false, |w| {
            w.put(&c3);
            th = th.then(&[seal_once(suite, &key, w, |w| {
                w.put(run.r_i.expose()).put(ours.share(suite));
            })]);
        });
        let prk = keys::run_prk(triple, run.pair, &run.r_i, &r_r, dh, peer.psk.as_ref());
        let next = (run.run, run.under, Awaits::C4, cid);
        flight.prove();
        flight.launch(now, tries);
        Finishing::start(io, place, next)?.derive(suite, &prk, &th);
        Ok(())
    }

    /// C4 proves that the responder has both keys; C5 answers it (lines 14 to 20).
    #[inline(never)]
    pub(super) fn on_c4(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| run.is_next(Awaits::C4, low)).ok_or(Dropped::Unexpected)?;
        let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
        let (Some(Run::Finishing(run)), flight) = half.both() else { return Err(Dropped::Unexpected) };
        if !ct_eq(bytes.get(HEADER_LEN..).unwrap_or(&[]), run.tags.c4()) {
            return Err(Dropped::Forged);
        }
        run.awaits = Awaits::Ack;
        flight.put(false, &[&header(NUMBER, message::C5, run.run), run.tags.c5()]);
        flight.launch(cx.now, io.config.tries);
        Ok(())
    }

    /// ACK: both sides have R_I and R_R (lines 21 to 23).
    #[inline(never)]
    pub(super) fn on_ack(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| run.is_next(Awaits::Ack, low)).ok_or(Dropped::Unexpected)?;
        let run = io.run(place).and_then(Run::finishing).ok_or(Dropped::Unexpected)?;
        if !ct_eq(bytes.get(HEADER_LEN..).unwrap_or(&[]), run.tags.ack()) {
            return Err(Dropped::Forged);
        }
        let (under, terms) = (run.under, self.terms_of(run, cx.now));
        let to = io.flight(place)?.to;
        io.install(place, self.suite, Run::keys, &terms, to)?;
        io.free(place);
        self.complete(cx, io, under);
        Ok(())
    }

    /// The peer has left the triple that this C1 was made with.
    #[inline(never)]
    pub(super) fn on_gone(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitC2(r) if r.run & 15 == u32::from(low)));
        let place = place.ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitC2(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let triple = self.peer.borrow().triple(run.under).ok_or(Dropped::NoKey)?;
        let tag_1 = run.tag_1.get(..self.suite.mac_len).unwrap_or(&[]);
        if !ct_eq(bytes.get(HEADER_LEN..).unwrap_or(&[]), &keys::gone_tag(&triple.aux, &run.th_1, tag_1)) {
            return Err(Dropped::Forged);
        }
        let (to, under) = (run.to, run.under);
        // What the peer has moved to can only be the pending triple; without one, this side was rolled back.
        let hope = under == Which::Current && self.peer().replacement.peer_left();
        io.free(place);
        if hope {
            io.outbox.want_store();
            self.begin_or_tell(cx, io, &to, 1);
            return Ok(());
        }
        io.note(Note::Failed(Stage::Exchange, Reason::PairAgain));
        Ok(())
    }
}

/// A fresh Diffie-Hellman share, where the suite has a group.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) scalar: Scalar,
    share: [u8; MAX_SHARE],
}

impl Default for Share {
    fn default() -> Self {
        Self { scalar: Secret::zero(), share: [0; MAX_SHARE] }
    }
}

impl Share {
    /// A share whose scalar was kept.
    pub(super) const fn of(scalar: Scalar) -> Self {
        Self { scalar, share: [0; MAX_SHARE] }
    }

    /// Draws a scalar.
    pub(super) fn generate(&mut self, suite: &crate::crypto::Suite, cx: &mut Cx<'_>) -> Result<(), Dropped> {
        let Some(group) = suite.dh else { return Ok(()) };
        let share = self.share.get_mut(..group.share_len()).unwrap_or(&mut []);
        group.generate(cx.rng, &mut self.scalar, share).map_err(dropped)
    }

    pub(super) fn share(&self, suite: &crate::crypto::Suite) -> &[u8] {
        self.share.get(..wire::share_len(suite)).unwrap_or(&[])
    }
}

pub(super) const fn dropped(error: GroupError) -> Dropped {
    match error {
        GroupError::BadElement => Dropped::BadElement,
        GroupError::Rng(_) => Dropped::Rng,
    }
}
