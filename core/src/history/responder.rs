//! Responder (Algorithm 1b): C2, C4, ACK.

use super::exchange::{Awaits, Exchange, Finishing, Run};
use super::extent::Extent;
use super::initiator::{Share, dropped};
use super::keys::{self, NONCE_LEN, Pair, R_LEN};
use super::log::Entry;
use super::peer::{Named, Peer};
use super::wire::{C1, NUMBER, Sealed, message, share_len};
use crate::association::{Addr, Cx, Reason, Stage};
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::{MAX_SECRET, MAX_SHARE, Scalar};
use crate::crypto::{Secret, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::once::{open_once, seal_once};
use crate::engine::rekey::Which;
use crate::engine::scheme::{Io, Note, Scheme};
use crate::engine::session::ConnectionId;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{HEADER_LEN, Reader, header};
use core::borrow::BorrowMut;

/// The responder before C3.
pub struct AwaitC3 {
    /// The initiator's run number and nonce: a C1 with both is the same C1.
    run: u32,
    nonce: [u8; NONCE_LEN],
    pub(super) under: Which,
    pair: Pair,
    /// The connection id that the initiator wants to see.
    cid: ConnectionId,
    r_r: Secret<R_LEN>,
    scalar: Scalar,
    /// th_2 moved on by C2.
    th: Transcript,
}

impl AwaitC3 {
    /// This C1's run takes its place, still without its secrets; out of line, as in [`Finishing::start`].
    #[inline(never)]
    fn start<'i, S: Scheme<Run = Run>>(
        io: &'i mut Io<'_, S>,
        place: usize,
        c1: &C1<'_>,
        under: Which,
        pair: Pair,
    ) -> Result<&'i mut Self, Dropped> {
        let (r_r, scalar, th) = (Secret::zero(), Secret::zero(), Transcript::NONE);
        let run = Self { run: c1.run, nonce: c1.nonce, under, pair, cid: c1.cid, r_r, scalar, th };
        io.start(place, Run::AwaitC3(run));
        if let Some(Run::AwaitC3(run)) = io.run(place) { Ok(run) } else { Err(Dropped::Unexpected) }
    }
}

/// The peer has started another run (`new`: not a C1 that came before) while this side waits for it in one of its own: it
/// may have lost its power in the middle, and then nobody answers. One try more, and soon there is room for the peer.
fn hurry<S: Scheme<Run = Run>>(cx: &Cx<'_>, io: &mut Io<'_, S>, new: bool) {
    let waits = |r: &Run| match r {
        Run::AwaitC2(_) => false,
        r => r.is_ours() || matches!(r, Run::Asking { .. } | Run::Closing { .. }),
    };
    let waiting = io.halves.iter_mut().filter(|half| half.scheme().is_some_and(waits));
    waiting.filter(|_| new).for_each(|half| half.flight.launch(cx.now, 2));
}

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, E: Extent> Exchange<P, L, E> {
    /// The triple and pair that C1 was made with (lines 6 to 9), and th_1; `None`: a triple that is gone, which has no key
    /// left to check the tag with.
    pub(super) fn verify_c1(&mut self, c1: &C1<'_>) -> Result<Option<(Which, Pair, Transcript)>, Dropped> {
        let (which, pair) = match self.peer().named(&c1.hint, c1.run).ok_or(Dropped::NoKey)? {
            Named::Triple(which, pair) => (which, pair),
            Named::Gone => return Ok(None),
        };
        let peer = self.peer.borrow();
        let triple = peer.triple(which).ok_or(Dropped::NoKey)?;
        let th_1 = keys::th_0(&peer.terms(which), &peer.id, &peer.me).then(&[c1.body]);
        let mut expected = [0; MAX_TAG];
        let expected = expected.get_mut(..self.suite.mac_len).unwrap_or(&mut []);
        keys::c1_tag(triple, pair, &th_1, expected);
        if ct_eq(c1.tag, expected) { Ok(Some((which, pair, th_1))) } else { Err(Dropped::Forged) }
    }

    /// Finds the pair that C1 was made with; C2 = R_R under the unused key (Algorithm 1b, lines 2 to 13).
    #[inline(never)]
    pub(super) fn on_c1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let suite = self.suite;
        let c1 = C1::read(bytes, suite.mac_len)?;
        let same = |r: &Run| matches!(r, Run::AwaitC3(r) if r.run == c1.run && r.nonce == c1.nonce);
        if let Some(place) = io.find(&same) {
            return io.answer_again(place, from, proven, bytes.len());
        }
        let Some((which, pair, th_1)) = self.verify_c1(&c1)? else {
            return self.gone(cx, io, from, &c1, bytes.len());
        };
        let new = self.peer().hears_run(c1.run);
        let peer = self.peer.borrow();
        let triple = peer.triple(which).ok_or(Dropped::NoKey)?;
        // Glare: both sides have sent C1. The lower id's run goes on; the higher id answers it, and its own is ended by
        // whichever completes. A run of ours to another address says nothing about this one.
        let glare = |r: &Run| match r {
            Run::AwaitC2(ours) => ours.to == *from,
            r => r.is_ours(),
        };
        if peer.is_lower() && io.find(&glare).is_some() {
            hurry(cx, io, new);
            return Err(Dropped::Unexpected);
        }
        // A run of the peer's gives way to a later one only: nobody but the peer can make a C1 with a higher number.
        let older = |r: &Run| match r {
            Run::AwaitC3(theirs) => theirs.run < c1.run,
            Run::Finishing(theirs) if theirs.awaits == Awaits::C5 => theirs.run < c1.run,
            _ => false,
        };
        if io.find(&|r| r.is_theirs() && !older(r)).is_some() {
            return Err(Dropped::Replayed);
        }

        let mut random = Secret::<{ NONCE_LEN + R_LEN }>::zero();
        cx.rng.fill(random.as_mut()).map_err(|_| Dropped::Rng)?;
        let mut ours = Share::default();
        ours.generate(suite, cx)?;
        let mut r = Reader::new(random.expose());
        let (n_r, r_r) = (r.array::<NONCE_LEN>()?, r.secret::<R_LEN>()?);

        io.free_all(&older);
        // A C1 under the pending triple shows that the peer has it: no need to close any more.
        // An ACK that is kept gives way to a later run only: an older C1 is a replay.
        let settled = |r: &Run| match r {
            Run::Acked { run } => *run < c1.run,
            Run::Closing { .. } => which == Which::Pending,
            r => r.is_done(),
        };
        let place = match io.free_place(&settled) {
            Ok(place) => place,
            Err(reason) => {
                // One place only, and our own C1 in it: the lower id's run goes first, if it is one.
                if peer.is_past(c1.run) {
                    return Err(Dropped::Replayed);
                }
                let Some(place) = io.find(&|r| matches!(r, Run::AwaitC2(_))) else {
                    hurry(cx, io, new);
                    return Err(reason);
                };
                io.free(place);
                io.note(Note::Failed(Stage::Exchange, Reason::Superseded));
                place
            }
        };
        let own_cid = io.config.cid.as_bytes();
        let flight = io.flight(place)?;
        flight.reset(*from, Some(bytes.len()));
        if proven {
            flight.prove();
        }
        let mut th = th_1;
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::C2, c1.run)).put(&n_r);
            let th_2 = th_1.then(&[c1.tag, w.written()]);
            let sealed = seal_once(suite, &keys::c2_key(triple, pair, &th_2), w, |w| {
                w.put(r_r.expose()).short(own_cid).put(ours.share(suite));
            });
            th = th_2.then(&[sealed, &header(NUMBER, message::C3, c1.run)]);
        });
        flight.answer(cx.now);
        let run = AwaitC3::start(io, place, &c1, which, pair)?;
        (run.r_r, run.scalar, run.th) = (r_r, ours.scalar, th);
        Ok(())
    }

    /// The peer still uses the triple that this side has left: it was rolled back, and must not wait in silence.
    #[inline(never)]
    fn gone(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        c1: &C1<'_>,
        len: usize,
    ) -> Result<(), Dropped> {
        let peer = self.peer.borrow();
        let aux = peer.gone().ok_or(Dropped::NoKey)?;
        let generation = peer.generation().checked_sub(1).ok_or(Dropped::NoKey)?;
        let terms = keys::Terms { generation, ..peer.terms(Which::Current) };
        let th_1 = keys::th_0(&terms, &peer.id, &peer.me).then(&[c1.body]);
        let tag = keys::gone_tag(aux, &th_1, c1.tag);
        let place = io.free_place(&|r| matches!(r, Run::Gone))?;
        let flight = io.flight(place)?;
        flight.reset(*from, Some(len));
        flight.put(false, &[&header(NUMBER, message::GONE, c1.run), &tag]);
        flight.answer_briefly(cx.now);
        io.start(place, Run::Gone);
        Ok(())
    }

    /// R_I = C3 under R_R; C4 = challenge (lines 14 to 21).
    #[inline(never)]
    pub(super) fn on_c3(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let suite = self.suite;
        if let Some(place) = io.find(&|r| r.is_next(Awaits::C5, low)) {
            return io.answer_again(place, from, false, bytes.len());
        }
        let place = io.find(&|r| matches!(r, Run::AwaitC3(r) if r.run & 15 == u32::from(low)));
        let place = place.ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitC3(run)) = io.run(place) else { return Err(Dropped::Unexpected) };
        let AwaitC3 { run, under, pair, cid, r_r, scalar, th, .. } = run;
        let peer = self.peer.borrow();
        let triple = peer.triple(*under).ok_or(Dropped::NoKey)?;
        let Sealed { text: ciphertext, tag, .. } = Sealed::read(bytes, HEADER_LEN, suite.mac_len)?;
        if ciphertext.len() != R_LEN.saturating_add(share_len(suite)) {
            return Err(Dropped::Malformed);
        }
        let mut text = Secret::<{ R_LEN + MAX_SHARE }>::zero();
        let text = text.as_mut().get_mut(..ciphertext.len()).ok_or(Dropped::Malformed)?;
        text.copy_from_slice(ciphertext);
        open_once(suite, &keys::c3_key(triple, *pair, r_r, th), text, tag)?;
        let mut r = Reader::new(text);
        let r_i = r.secret::<R_LEN>()?;
        let mut dh = Secret::<MAX_SECRET>::zero();
        let dh = match suite.dh {
            Some(group) => {
                let out = dh.as_mut().get_mut(..group.secret_len()).unwrap_or(&mut []);
                group.agree(scalar, r.rest(), out).map_err(dropped)?;
                &*out
            }
            None => &[],
        };
        let th_4 = th.then(&[ciphertext, tag]);
        let prk = keys::run_prk(triple, *pair, &r_i, r_r, dh, peer.psk.as_ref());
        let next = (*run, *under, Awaits::C5, *cid);
        Finishing::start(io, place, next)?.derive(suite, &prk, &th_4);
        let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
        let (Some(Run::Finishing(run)), flight) = half.both() else { return Err(Dropped::Unexpected) };
        flight.put(false, &[&header(NUMBER, message::C4, run.run), run.tags.c4()]);
        // C2 was received where it was sent to; another address has yet to show that.
        if flight.to == *from {
            flight.prove();
        }
        flight.asked(from, bytes.len());
        flight.answer(cx.now);
        Ok(())
    }

    /// C5 verifies: both keys are stored, ACK (lines 22 to 30).
    #[inline(never)]
    pub(super) fn on_c5(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        low: u8,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        // The run under way first: an older one whose ACK is kept may have the same low bits.
        let Some(place) = io.find(&|r| r.is_next(Awaits::C5, low)) else {
            let acked = io.find(&|r| matches!(r, Run::Acked { run } if run & 15 == u32::from(low)));
            return io.answer_again(acked.ok_or(Dropped::Unexpected)?, from, false, bytes.len());
        };
        let run = io.run(place).and_then(Run::finishing).ok_or(Dropped::Unexpected)?;
        if !ct_eq(bytes.get(HEADER_LEN..).unwrap_or(&[]), run.tags.c5()) {
            return Err(Dropped::Forged);
        }
        // Two runs cross, and C5 of ours is out: the higher id completes ours, so the lower must not complete its.
        if self.peer.borrow().is_lower()
            && io.find(&|r| matches!(r, Run::Finishing(r) if r.awaits == Awaits::Ack)).is_some()
        {
            return Err(Dropped::Unexpected);
        }
        let half = io.halves.get_mut(place).ok_or(Dropped::Unexpected)?;
        let (Some(Run::Finishing(run)), flight) = half.both() else { return Err(Dropped::Unexpected) };
        let (number, under, to) = (run.run, run.under, flight.to);
        let terms = self.terms_of(run, cx.now);
        flight.put(false, &[&header(NUMBER, message::ACK, number), run.tags.ack()]);
        flight.asked(from, bytes.len());
        flight.answer(cx.now);
        io.install(place, self.suite, Run::keys, &terms, to)?;
        io.start(place, Run::Acked { run: number });
        self.peer().saw_run(number);
        if to != *from {
            io.challenge(from);
        }
        self.complete(cx, io, under);
        Ok(())
    }
}
