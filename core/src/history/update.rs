//! Update (section III.D): a record that both sides logged becomes the next triple.
//!
//! ```text
//!  ASK     kind | generation u32 | attempt u16 | session u32 | generation u32 | number u32 | hidden u8 | shown 16, 16
//!               | share | tag 16
//!  ANSWER  kind | attempt u16 | third 16 | share | tag 16
//!  REFUSE  kind | attempt u16 | answered u16 | reason u8 | tag 16
//!  CLOSE   kind | generation u32 | attempt u16 | tag 16
//!  CLOSED  kind | generation u32 | attempt u16 | has it u8 | tag 16
//! ```
//! They are control records of the session; the 16-byte tag inside is because what replaces a key must not hang on a
//! record's eight. Who may ask, and what becomes of the answer, is [`rekey`](crate::engine::rekey)'s.

use super::exchange::{Exchange, Run};
use super::extent::Extent;
use super::initiator::{Share, dropped};
use super::keys;
use super::log::{DIGEST_LEN, Digest, Entry, Hidden, RecordName};
use super::peer::Peer;
use super::wire::{control, share_len};
use crate::association::{Cx, Error, Reason};
use crate::crypto::group::MAX_SECRET;
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Prk, Secret};
use crate::engine::drops::Dropped;
use crate::engine::rekey::Decision;
use crate::engine::scheme::{Io, Note, Scheme};
use crate::engine::session::Session;
use crate::engine::transcript::Transcript;
use crate::engine::wire::Reader;
use core::borrow::BorrowMut;

/// Length of an update message's tag in bytes.
const TAG_LEN: usize = 16;
/// Requests in a row, each with another record, before an update fails.
const REQUESTS: u8 = 4;

/// Why a request is refused.
mod refusal {
    /// The attempt is not above the one named.
    pub const ATTEMPT: u8 = 0;
    /// No such record, or the shown elements are not its.
    pub const UNKNOWN: u8 = 1;
}

impl<P: BorrowMut<Peer>, L: AsRef<[Entry]> + AsMut<[Entry]>, E: Extent> Exchange<P, L, E> {
    /// ASK, by the application's wish.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>) -> Result<(), Error> {
        if io.session.as_ref().is_none_or(|session| session.closing) {
            return Err(Error::NotEstablished);
        }
        if io.find(&|r| matches!(r, Run::Asking { .. } | Run::Closing { .. })).is_some() {
            return Err(Error::WrongState);
        }
        self.ask_about_another(cx, io, REQUESTS.saturating_sub(1))
    }

    fn ask_about_another(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, more: u8) -> Result<(), Error> {
        let suite = self.suite;
        let mut random = [0; 3];
        cx.rng.fill(&mut random)?;
        // Which record, and which of its elements: no key, and the record's number was in clear.
        let [first, high, low] = *declassify(&random);
        let start = u16::from_be_bytes([high, low]);
        let hidden = (0..3u8).filter_map(|i| Hidden::from_number((first % 3).wrapping_add(i) % 3));
        let (hidden, entry) =
            hidden.filter_map(|h| Some((h, *self.log.pick(h, start)?))).next().ok_or(Error::NoRecord)?;
        let mut ours = Share::default();
        ours.generate(suite, cx).map_err(|_| Error::Rng)?;
        let place = io.claim_place(&Run::is_done).map_err(|_| Error::WrongState)?;
        let attempt = self.peer().replacement.ask()?;
        let generation = self.peer().generation();

        let digests = entry.digests(&self.peer.borrow().current.aux);
        let (shown, answer) = hidden.split(&digests);
        let name = entry.name();
        let fields: [&[u8]; 9] = [
            &generation.to_be_bytes(),
            &attempt.to_be_bytes(),
            &name.session.to_be_bytes(),
            &name.generation.to_be_bytes(),
            &name.number.to_be_bytes(),
            &[hidden as u8],
            shown[0],
            shown[1],
            ours.share(suite),
        ];
        let th = say(io, place, control::ASK, &fields).map_err(|_| Error::NotEstablished)?;
        ask_again(cx, io, place);
        let run = Run::Asking { attempt, name, digests, hidden: *answer, scalar: ours.scalar, th, more };
        io.start(place, run);
        Ok(())
    }

    /// One of the update's control records.
    pub(super) fn on_control(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, body: &[u8]) -> Result<(), Dropped> {
        let session = io.session.as_ref().ok_or(Dropped::NoKey)?;
        let label = label(body.first().copied().unwrap_or(0)).ok_or(Dropped::Version)?;
        let fields = untagged(session, label, body)?;
        let mut r = Reader::new(fields);
        match r.u8()? {
            control::ASK => self.on_ask(cx, io, r, body),
            control::ANSWER => self.on_answer(cx, io, r, fields),
            control::REFUSE => self.on_refuse(cx, io, r),
            control::CLOSE => self.on_close(cx, io, r),
            _ => self.on_closed(cx, io, r),
        }
    }

    /// "The receiving device searches its log table based on the two received elements."
    #[inline(never)]
    fn on_ask(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        mut r: Reader<'_>,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let suite = self.suite;
        let th = of_request(body);
        if let Some(place) = io.find(&|run| matches!(run, Run::AnsweredAsk { th: mine } if *mine == th)) {
            io.flight(place)?.again();
            return Ok(());
        }
        let (generation, attempt) = (r.u32()?, r.u16()?);
        let name = RecordName { session: r.u32()?, generation: r.u32()?, number: r.u32()? };
        let hidden = Hidden::from_number(r.u8()?).ok_or(Dropped::Malformed)?;
        let shown = [r.take(DIGEST_LEN)?, r.take(DIGEST_LEN)?];
        let their_share = r.take(share_len(suite))?;
        r.end()?;
        if generation != self.peer().generation() {
            return Err(Dropped::Unexpected);
        }
        let asking = io.find(&|run| matches!(run, Run::Asking { .. }));
        let lower = self.peer().is_lower();
        match self.peer().replacement.request(attempt, asking.is_some(), lower) {
            Decision::Mine => return Err(Dropped::Unexpected),
            Decision::CloseFirst => {
                if let Some(attempt) = self.peer().replacement.confirmed() {
                    self.close(cx, io, attempt);
                }
                return Ok(());
            }
            Decision::Refuse { answered } => return self.refuse(cx, io, th, attempt, answered, refusal::ATTEMPT),
            Decision::Answer => {}
        }
        let aux = &self.peer.borrow().current.aux;
        let Some(digests) = self.log.find_sent(&name, hidden, shown, aux) else {
            return self.refuse(cx, io, th, attempt, 0, refusal::UNKNOWN);
        };
        let mut ours = Share::default();
        ours.generate(suite, cx)?;
        let mut dh = Secret::<MAX_SECRET>::zero();
        let dh = agree(suite, &ours, their_share, &mut dh)?;
        let place = asking.map_or_else(|| io.claim_place(&Run::is_done), Ok)?;

        let master = io.session.as_ref().ok_or(Dropped::NoKey)?.master(keys::NAME);
        let fields: [&[u8]; 3] = [&attempt.to_be_bytes(), hidden.split(&digests).1, ours.share(suite)];
        let th_2 = th.then(&[&[control::ANSWER], fields[0], fields[1], fields[2]]);
        let triple = next_triple(&master, &th_2, dh, &digests, generation);
        if asking.is_some() {
            io.free(place);
            io.note(Note::UpdateFailed(Reason::Superseded));
        }
        let peer = self.peer();
        peer.pending = Some(triple);
        peer.replacement.answer(attempt);
        io.outbox.want_store();
        say(io, place, control::ANSWER, &fields)?;
        io.flight(place)?.answer(cx.now);
        io.start(place, Run::AnsweredAsk { th });
        Ok(())
    }

    fn refuse(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        th: Transcript,
        attempt: u16,
        answered: u16,
        why: u8,
    ) -> Result<(), Dropped> {
        let place = io.claim_place(&Run::is_done)?;
        say(io, place, control::REFUSE, &[&attempt.to_be_bytes(), &answered.to_be_bytes(), &[why]])?;
        io.flight(place)?.answer(cx.now);
        io.start(place, Run::AnsweredAsk { th });
        Ok(())
    }

    /// "If the received value matches the original value held by the requester, it is proven that both devices share the
    /// same communication record."
    #[inline(never)]
    fn on_answer(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        mut r: Reader<'_>,
        fields: &[u8],
    ) -> Result<(), Dropped> {
        let suite = self.suite;
        let number = r.u16()?;
        let third = r.take(DIGEST_LEN)?;
        let place = io.find(&|run| matches!(run, Run::Asking { attempt, .. } if *attempt == number));
        let place = place.ok_or(Dropped::Unexpected)?;
        let Some(Run::Asking { digests, hidden, scalar, th, .. }) = io.run(place) else {
            return Err(Dropped::Unexpected);
        };
        if !ct_eq(third, hidden) {
            io.free(place);
            io.note(Note::UpdateFailed(Reason::Unknown));
            return Ok(());
        }
        let (digests, ours) = (*digests, Share::of(scalar.clone()));
        let mut dh = Secret::<MAX_SECRET>::zero();
        let dh = agree(suite, &ours, r.rest(), &mut dh)?;
        let th = th.then(&[fields]);
        let master = io.session.as_ref().ok_or(Dropped::NoKey)?.master(keys::NAME);
        let generation = self.peer().generation();
        let triple = next_triple(&master, &th, dh, &digests, generation);
        let peer = self.peer();
        peer.pending = Some(triple);
        peer.replacement.confirm(number);
        io.outbox.want_store();
        io.free(place);
        io.note(Note::UpdateAgreed);
        self.close(cx, io, number);
        Ok(())
    }

    #[inline(never)]
    fn on_refuse(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, mut r: Reader<'_>) -> Result<(), Dropped> {
        let (number, answered, why) = (r.u16()?, r.u16()?, r.u8()?);
        r.end()?;
        let place = io.find(&|run| matches!(run, Run::Asking { attempt, .. } if *attempt == number));
        let place = place.ok_or(Dropped::Unexpected)?;
        let Some(Run::Asking { name, more, .. }) = io.run(place) else { return Err(Dropped::Unexpected) };
        let (name, more) = (*name, *more);
        io.free(place);
        self.peer().replacement.raise(answered);
        if why == refusal::UNKNOWN {
            self.log.forget_received(&name);
        }
        let Some(more) = more.checked_sub(1) else {
            io.note(Note::UpdateFailed(Reason::Unknown));
            return Ok(());
        };
        match self.ask_about_another(cx, io, more) {
            Ok(()) => {}
            Err(Error::Rng) => io.note(Note::UpdateFailed(Reason::Resource)),
            Err(_) => io.note(Note::UpdateFailed(Reason::NoRecord)),
        }
        Ok(())
    }

    /// CLOSE: this side has the new triple; the session ends.
    pub(super) fn close(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, attempt: u16) {
        if io.find(&|run| matches!(run, Run::Closing { .. })).is_some() {
            return;
        }
        if io.session.is_none() {
            return;
        }
        let generation = self.peer().generation();
        let Ok(place) = io.claim_place(&Run::is_done) else { return };
        let fields: [&[u8]; 2] = [&generation.to_be_bytes(), &attempt.to_be_bytes()];
        if say(io, place, control::CLOSE, &fields).is_err() {
            return;
        }
        ask_again(cx, io, place);
        io.start(place, Run::Closing { generation, attempt });
    }

    #[inline(never)]
    fn on_close(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, mut r: Reader<'_>) -> Result<(), Dropped> {
        let (generation, attempt) = (r.u32()?, r.u16()?);
        r.end()?;
        let same =
            |run: &Run| matches!(run, Run::Closed { generation: g, attempt: a } if *g == generation && *a == attempt);
        if let Some(place) = io.find(&same) {
            io.flight(place)?.again();
            return Ok(());
        }
        // Both sides close the same attempt: each sees by the other's message that both have the key.
        let ours =
            |run: &Run| matches!(run, Run::Closing { generation: g, attempt: a } if *g == generation && *a == attempt);
        if let Some(place) = io.find(&ours) {
            io.free(place);
            self.terminated(cx, io);
            return Ok(());
        }
        let place = io.claim_place(&Run::is_done)?;
        let (has, changed) = self.peer().replacement.close(generation, attempt);
        if changed {
            io.outbox.want_store();
        }
        let ends = has && generation == self.peer().generation();
        let fields: [&[u8]; 3] = [&generation.to_be_bytes(), &attempt.to_be_bytes(), &[u8::from(has)]];
        say(io, place, control::CLOSED, &fields)?;
        io.flight(place)?.answer(cx.now);
        io.start(place, Run::Closed { generation, attempt });
        if let Some(session) = io.session.as_mut().filter(|session| ends && !session.closing) {
            // The keys stay until the next session, to answer a CLOSE that comes again.
            session.closing = true;
            io.free_all(&|run| matches!(run, Run::Asking { .. }));
            io.note(Note::Terminated);
        }
        Ok(())
    }

    #[inline(never)]
    fn on_closed(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, mut r: Reader<'_>) -> Result<(), Dropped> {
        let (generation, attempt, has) = (r.u32()?, r.u16()?, r.u8()?);
        r.end()?;
        let same =
            |run: &Run| matches!(run, Run::Closing { generation: g, attempt: a } if *g == generation && *a == attempt);
        let place = io.find(&same).ok_or(Dropped::Unexpected)?;
        io.free(place);
        if has != 0 {
            self.terminated(cx, io);
            return Ok(());
        }
        let peer = self.peer();
        if peer.replacement.drop_pending(attempt) {
            peer.pending = None;
            io.outbox.want_store();
        }
        io.note(Note::UpdateFailed(Reason::Unknown));
        Ok(())
    }

    /// The session is over for the new triple's sake: connect again under it.
    pub(super) fn terminated(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>) {
        io.end_session();
        io.note(Note::Terminated);
        if let Some(to) = io.peer.filter(|_| io.find(&Run::is_ours).is_none()) {
            self.begin_or_tell(cx, io, &to, self.rounds());
        }
    }
}

/// A message's label in the KDF.
const fn label(kind: u8) -> Option<&'static str> {
    Some(match kind {
        control::ASK => "ask",
        control::ANSWER => "ans",
        control::REFUSE => "ref",
        control::CLOSE => "cls",
        control::CLOSED => "clsd",
        _ => return None,
    })
}

/// Makes a message the flight of a run that begins: kind, fields, and the tag over both. The transcript over all of it.
#[inline(never)]
fn say<S: Scheme>(io: &mut Io<'_, S>, place: usize, kind: u8, fields: &[&[u8]]) -> Result<Transcript, Dropped> {
    let session = io.session.as_ref().ok_or(Dropped::NoKey)?;
    let (master, initiator) = (session.master(keys::NAME), session.initiator);
    let flight = io.flight(place)?;
    flight.reset(Default::default(), None);
    let mut th = Transcript::NONE;
    flight.load(true, |w| {
        w.put(&[kind]);
        for field in fields {
            w.put(field);
        }
        let tag = keys::update_tag(&master, label(kind).unwrap_or(""), initiator, w.written());
        w.put(&tag);
        th = of_request(w.written());
    });
    Ok(th)
}

/// The flight that [`say`] made is sent until it is answered.
fn ask_again<S: Scheme>(cx: &Cx<'_>, io: &mut Io<'_, S>, place: usize) {
    let tries = io.config.tries;
    if let Ok(flight) = io.flight(place) {
        flight.launch(cx.now, tries);
    }
}

/// The transcript of an update, over its request.
fn of_request(request: &[u8]) -> Transcript {
    Transcript::new(&[keys::NAME.as_bytes(), b"update"]).then(&[request])
}

/// Checks the tag at the end of a message that the peer sent; what is before it.
fn untagged<'a>(session: &Session, label: &str, body: &'a [u8]) -> Result<&'a [u8], Dropped> {
    let len = body.len().checked_sub(TAG_LEN).ok_or(Dropped::Malformed)?;
    let (fields, tag) = body.split_at_checked(len).ok_or(Dropped::Malformed)?;
    let expected = keys::update_tag(&session.master(keys::NAME), label, !session.initiator, fields);
    // A fuzzer gets past the tag, to what only an authentic peer reaches.
    if ct_eq(&expected, tag) || cfg!(fuzzing) { Ok(fields) } else { Err(Dropped::Forged) }
}

fn agree<'a>(
    suite: &crate::crypto::Suite,
    ours: &Share,
    theirs: &[u8],
    out: &'a mut Secret<MAX_SECRET>,
) -> Result<&'a [u8], Dropped> {
    match suite.dh {
        Some(group) => {
            let out = out.as_mut().get_mut(..group.secret_len()).unwrap_or(&mut []);
            group.agree(&ours.scalar, theirs, out).map_err(dropped)?;
            Ok(out)
        }
        None if theirs.is_empty() => Ok(&[]),
        None => Err(Dropped::Malformed),
    }
}

fn next_triple(
    master: &Prk,
    th: &Transcript,
    dh: &[u8],
    digests: &[Digest; 3],
    generation: u32,
) -> super::peer::Triple {
    let [t, li, data] = digests;
    keys::next_triple(master, th, dh, [t, li, data], generation.saturating_add(1))
}
