//! The endpoint's part of [`resume`](super::resume): which side it is, and what it keeps between the messages.

use super::drops::Dropped;
use super::endpoint::Endpoint;
use super::memory::{Resuming, Run, Scratch};
use super::resume::{self, Root, Salt};
use super::scheme::{Note, Scheme};
use super::session::{ConnectionId, Session, Terms};
use super::state;
use super::wire::{self, Reader, Writer};
use crate::association::{Addr, Cx, Device, Error, Reason, Stage};
use crate::crypto::Secret;
use crate::crypto::secret::declassify;

/// What the side that answers a resume goes on from.
struct Known {
    root: Root,
    cid: ConnectionId,
    generation: u32,
    healed: bool,
}

impl<S: Scheme, M: Scratch<S>> Endpoint<S, M> {
    /// Goes on from a blob that [`export`](crate::Association::export) sealed on this device: R1 is sent, and
    /// [`Event::Resumed`](crate::Event::Resumed) says when new keys are there. Export again after that: the old blob is
    /// of no more use.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::WrongState`] with a session, a run or without memory, [`Error::Rng`].
    pub fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error> {
        if !S::HAS.resume {
            return Err(Error::WrongState);
        }
        self.drained()?;
        if self.session.is_some() || self.memory.as_ref().is_none_or(|m| m.halves().iter().any(|h| h.run.is_some())) {
            return Err(Error::WrongState);
        }
        let mut text = Secret::<TEXT_MAX>::zero();
        let (_, len) =
            state::open(cx.device, state::Kind::Session, 0, blob, text.as_mut()).map_err(|_| Error::BadBlob)?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        let (resuming, peer, cid) = read::<S>(self.scheme.suite().id, text).map_err(|_| Error::BadBlob)?;
        self.go_on_from(cx, resuming, peer)?;
        self.config.cid = cid;
        Ok(())
    }

    /// Sends R1.
    pub(crate) fn go_on_from(&mut self, cx: &mut Cx<'_>, mut resuming: Resuming, peer: Addr) -> Result<(), Error> {
        cx.rng.fill(&mut resuming.salt)?;
        // Sent in clear, and told from others by comparing.
        resuming.salt = *declassify(&resuming.salt);
        self.peer = Some(peer);
        let (tries, now) = (self.config.tries, cx.now);
        self.with(|_, io| {
            let half = io.halves.first_mut().ok_or(Error::WrongState)?;
            half.flight.reset(peer, None);
            half.flight.load(false, |w| resuming.root.write_1(w, &resuming.cid, &resuming.salt));
            half.flight.launch(now, tries);
            half.run = Some(Run::Resuming(resuming));
            Ok(())
        })
    }

    pub(super) fn export_session(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        if !S::HAS.resume {
            return Err(Error::WrongState);
        }
        let (session, peer) = self.session.as_ref().zip(self.peer).ok_or(Error::NotEstablished)?;
        let room = out.get_mut(state::OVERHEAD..).unwrap_or(&mut []);
        let mut w = Writer::new(room);
        w.put(&[S::NUMBER, self.scheme.suite().id as u8, u8::from(session.initiator), u8::from(session.healed)]);
        w.put(&session.id().to_be_bytes()).put(&session.generation().to_be_bytes());
        w.put(resume::root(&session.master(S::NAME)).expose());
        w.short(session.cid().as_bytes()).short(self.config.cid.as_bytes()).short(peer.as_bytes());
        match w.finish() {
            Ok(len) => state::seal(device, state::Kind::Session, 0, out, len),
            Err(needed) => Err(state::too_long(room, needed)),
        }
    }

    /// What this side knows if the peer is the one that was restored: from the live session, or from its own blob where
    /// both were restored and the peer, having started the session, goes first.
    #[inline(never)]
    fn known(&self) -> Option<Known> {
        if let Some(session) = &self.session {
            let root = Root {
                root: resume::root(&session.master(S::NAME)),
                scheme: S::NAME,
                session: session.id(),
                a_is_initiator: !session.initiator,
            };
            let (cid, generation, healed) = (*session.cid(), session.generation(), session.healed);
            return Some(Known { root, cid, generation, healed });
        }
        self.memory.as_ref()?.halves().iter().find_map(|half| match &half.run {
            Some(Run::Resuming(own)) if !own.root.a_is_initiator => Some(Known {
                root: Root { a_is_initiator: true, ..own.root.clone() },
                cid: own.cid,
                generation: own.generation,
                healed: own.healed,
            }),
            _ => None,
        })
    }

    fn behind_cid<'a>(&self, body: &'a [u8]) -> Result<&'a [u8], Dropped> {
        let (cid, rest) = body.split_at_checked(self.config.cid.len()).ok_or(Dropped::Malformed)?;
        if cid == self.config.cid.as_bytes() { Ok(rest) } else { Err(Dropped::NoKey) }
    }

    #[inline(never)]
    pub(super) fn resume_1(&mut self, cx: &mut Cx<'_>, from: &Addr, body: &[u8]) -> Result<(), Dropped> {
        if !S::HAS.resume {
            return Err(Dropped::Version);
        }
        let behind = self.behind_cid(body)?;
        let is_of = |root: &Root| root.read_1(behind).is_ok();
        let mut known = self.known();
        if !known.as_ref().is_some_and(|known| is_of(&known.root))
            && self.with(|scheme, io| scheme.completes(cx, io, &is_of))
        {
            known = self.known();
        }
        let known = known.ok_or(Dropped::NoKey)?;
        let salt_a = known.root.read_1(behind)?;
        let now = cx.now;
        let received = body.len().saturating_add(wire::HEADER_LEN);
        self.with(|_, io| {
            let mine = io.halves.iter().position(|half| matches!(half.run, Some(Run::Answering { done: None, .. })));
            let (place, nonce, generation) = match mine {
                Some(place) => match io.halves.get(place).map(|half| &half.run) {
                    Some(Some(Run::Answering { nonce, generation, .. })) => (place, nonce.clone(), *generation),
                    _ => return Err(Dropped::NoRoom),
                },
                None => {
                    let old = io.halves.iter().position(|half| matches!(half.run, Some(Run::Answering { .. })));
                    let place = old.map_or_else(|| io.free_place(&S::is_half_open), Ok)?;
                    let mut nonce = Secret::zero();
                    cx.rng.fill(nonce.as_mut()).map_err(|_| Dropped::Rng)?;
                    (place, nonce, known.generation.wrapping_add(1))
                }
            };
            let half = io.halves.get_mut(place).ok_or(Dropped::NoRoom)?;
            if mine.is_none() || half.flight.to != *from {
                half.flight.reset(*from, Some(received));
            } else {
                half.flight.earn(received);
            }
            let salt_b = known.root.salt_b(&nonce, &salt_a);
            half.flight.load(false, |w| known.root.write_2(w, &known.cid, &salt_a, &salt_b, generation));
            half.flight.answer(now);
            half.run = Some(Run::Answering { nonce, generation, done: None });
            Ok(())
        })
    }

    #[inline(never)]
    pub(super) fn resume_2(&mut self, cx: &Cx<'_>, body: &[u8]) -> Result<(), Dropped> {
        if !S::HAS.resume {
            return Err(Dropped::Version);
        }
        let body = self.behind_cid(body)?;
        let (common, tries, now) = (self.common(), self.config.tries, cx.now);
        let peer = self.with(|_, io| {
            let half = io.halves.iter_mut().find(|half| matches!(half.run, Some(Run::Resuming(_))));
            let half = half.ok_or(Dropped::Unexpected)?;
            let Some(Run::Resuming(run)) = &mut half.run else { return Err(Dropped::Unexpected) };
            if run.agreed.is_some() {
                return Err(Dropped::Replayed);
            }
            let (salt_b, generation) = run.root.read_2(body, &run.salt)?;
            let keys = run.root.keys(&run.salt, &salt_b, generation);
            run.agreed = Some((salt_b, generation));
            half.flight.load(false, |w| run.root.write_3(w, &run.cid, &run.salt, &salt_b, generation));
            half.flight.launch(now, tries);
            let terms = Terms {
                id: run.root.session,
                generation,
                initiator: run.root.a_is_initiator,
                cid: run.cid,
                now,
                healed: run.healed,
                secret: run.healed,
            };
            Session::begin(io.session, &common, &keys, &terms);
            Ok(half.flight.to)
        })?;
        self.resumed(cx, peer);
        Ok(())
    }

    /// R3; where in the datagram a record follows, if one does.
    #[inline(never)]
    pub(super) fn resume_3(&mut self, cx: &Cx<'_>, from: &Addr, datagram: &[u8]) -> Result<Option<usize>, Dropped> {
        if !S::HAS.resume {
            return Err(Dropped::Version);
        }
        let start = wire::HEADER_LEN.saturating_add(self.config.cid.len());
        let body = self.behind_cid(datagram.get(wire::HEADER_LEN..).ok_or(Dropped::Malformed)?)?;
        let salt_a: Salt = Root::salt_of_3(body)?;
        let record = start.saturating_add(Root::BODY_3);
        let follows = (datagram.len() > record).then_some(record);
        let known = self.known().ok_or(Dropped::NoKey)?;
        let (common, now) = (self.common(), cx.now);
        let peer = self.with(|_, io| {
            let half = io.halves.iter_mut().find(|half| matches!(half.run, Some(Run::Answering { .. })));
            let half = half.ok_or(Dropped::Unexpected)?;
            let Some(Run::Answering { nonce, generation, done }) = &mut half.run else {
                return Err(Dropped::Unexpected);
            };
            if *done == Some(salt_a) {
                return Ok(None); // our first record was lost
            }
            if done.is_some() {
                return Err(Dropped::Replayed);
            }
            let salt_b = known.root.salt_b(nonce, &salt_a);
            known.root.check_3(body, &salt_a, &salt_b, *generation)?;
            *done = Some(salt_a);
            half.flight.load(false, |_| {});
            half.flight.quiet();
            let terms = Terms {
                id: known.root.session,
                generation: *generation,
                initiator: !known.root.a_is_initiator,
                cid: known.cid,
                now,
                healed: known.healed,
                secret: known.healed,
            };
            let keys = known.root.keys(&salt_a, &salt_b, *generation);
            // Only where R2 went to has shown that it receives; anywhere else has to answer a challenge first.
            let peer = if half.flight.to == *from { *from } else { io.peer.unwrap_or(*from) };
            // Where both sides were restored, this side's own attempt is over.
            io.halves.iter_mut().filter(|h| matches!(h.run, Some(Run::Resuming(_)))).for_each(|h| h.clear());
            Session::begin(io.session, &common, &keys, &terms);
            Ok(Some(peer))
        })?;
        if let Some(peer) = peer {
            self.resumed(cx, peer);
        }
        self.outbox.sign = true;
        Ok(follows)
    }

    fn resumed(&mut self, cx: &Cx<'_>, peer: Addr) {
        self.with(|scheme, io| {
            io.replaced(peer);
            io.note(Note::Resumed);
            scheme.resumed(cx, io);
        });
    }

    /// A record stood alone: the peer has heard the last message of a resume.
    pub(super) fn resume_heard(&mut self) {
        if !S::HAS.resume {
            return;
        }
        self.with(|_, io| {
            let done = |run: &Option<Run<S>>| {
                matches!(
                    run,
                    Some(Run::Resuming(Resuming { agreed: Some(_), .. }) | Run::Answering { done: Some(_), .. })
                )
            };
            io.halves.iter_mut().filter(|half| done(&half.run)).for_each(|half| half.clear());
        });
    }

    /// While R3 is not known to have arrived, it goes before each record: as much of it as fits is written; its length.
    pub(super) fn resume_prefix(&self, out: &mut [u8]) -> usize {
        if !S::HAS.resume {
            return 0;
        }
        let Some(memory) = self.memory.as_ref().filter(|_| !self.idle) else { return 0 };
        let waiting = memory
            .halves()
            .iter()
            .find(|half| matches!(&half.run, Some(Run::Resuming(Resuming { agreed: Some(_), .. }))));
        let Some(message) = waiting.map(|half| half.flight.message()) else { return 0 };
        wire::copy(out, message);
        message.len()
    }

    /// The flight in this place is over: was it a resume's?
    pub(super) fn resume_over(&mut self, place: usize) {
        if !S::HAS.resume {
            return;
        }
        let gave_up =
            self.with(|_, io| matches!(io.halves.get(place).map(|half| &half.run), Some(Some(Run::Resuming(_)))));
        if gave_up {
            self.end_session();
            self.outbox.note(Note::Failed(Stage::Resume, Reason::NoAnswer));
        }
    }
}

/// The longest session blob's text in bytes.
const TEXT_MAX: usize = 4 + 8 + 32 + 3 + 2 * ConnectionId::MAX + Addr::MAX;
/// The longest blob that `export` writes, in bytes.
pub const BLOB_MAX: usize = TEXT_MAX + state::OVERHEAD;

fn read<S: Scheme>(suite: i8, text: &[u8]) -> Result<(Resuming, Addr, ConnectionId), Dropped> {
    let mut r = Reader::new(text);
    let [scheme, stored_suite, initiator, healed] = r.array()?;
    if scheme != S::NUMBER || stored_suite as i8 != suite {
        return Err(Dropped::Malformed);
    }
    let (session, generation) = (r.u32()?, r.u32()?);
    let root = r.secret()?;
    let cid = ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)?;
    let own = ConnectionId::new(r.short(ConnectionId::MAX)?).ok_or(Dropped::Malformed)?;
    let peer = Addr::new(r.short(Addr::MAX)?).ok_or(Dropped::Malformed)?;
    r.end()?;
    let root = Root { root, scheme: S::NAME, session, a_is_initiator: initiator != 0 };
    let resuming = Resuming { root, cid, generation, salt: [0; 8], agreed: None, healed: healed != 0 };
    Ok((resuming, peer, own))
}
