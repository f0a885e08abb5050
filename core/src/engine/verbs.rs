//! The verbs of [`Association`], for every scheme.

use super::drops::{Dropped, Drops};
use super::endpoint::{Endpoint, STORE_AGAIN, handshake};
use super::flight::{Due, NEVER};
use super::memory::{Half, Parts, Scratch};
use super::outbox::{Note, Store};
use super::scheme::Scheme;
use super::session::Session;
use super::wire::{self, Kind};
use crate::association::{
    Addr, Association, Assurance, Cx, Error, Event, Fingerprint, Instant, Output, Received, Sent, Slot, StoreError,
};
use crate::crypto::Prk;

impl<S: Scheme, M: Scratch<S>> Association for Endpoint<S, M> {
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error> {
        if !S::HAS.sessions {
            return Err(Error::NotEstablished);
        }
        self.drained()?;
        self.clock = cx.wall.is_some();
        let to = self.peer.ok_or(Error::NotEstablished)?;
        let prefix = self.resume_prefix(&mut []).saturating_add(self.lead(&to, &mut []));
        let common = self.common();
        let session = self.session.as_mut().filter(|s| !s.closing).ok_or(Error::NotEstablished)?;
        let stamp_len = self.scheme.stamp_len(cx)?;
        let extra = prefix.saturating_add(session.overhead(common.suite)).saturating_add(stamp_len);
        let needed = extra.saturating_add(payload.len());
        let mtu = usize::from(self.config.mtu);
        if needed > mtu {
            return Err(Error::TooLong { max: mtu.saturating_sub(extra) });
        }
        let record = out.get_mut(prefix..needed).ok_or(Error::BufferTooSmall { needed })?;
        let text = record.get_mut(session.header_len()..).ok_or(Error::BufferTooSmall { needed })?;
        let stepped = self.scheme.prepare(cx, &common, session)?;
        let stamp = self.scheme.stamp(cx, text)?;
        wire::copy(text.get_mut(stamp..).unwrap_or(&mut []), payload);
        let (len, ratcheted) = session.seal(&common, false, record, stamp.saturating_add(payload.len()))?;
        let tag = len.saturating_sub(common.suite.aead.tag_len());
        self.scheme.sealed(cx, session, record.get(tag..len).unwrap_or(&[]));
        if session.sent() == common.rekey_after {
            self.outbox.note(Note::RekeyNeeded);
        }
        self.moved_ahead(stepped | ratcheted);
        self.resume_prefix(out);
        self.lead(&to, out);
        Ok(Sent { to, bytes: out.get(..prefix.saturating_add(len)).unwrap_or(&[]) })
    }

    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error> {
        self.drained()?;
        self.clock = cx.wall.is_some();
        let result = match wire::classify(datagram) {
            Ok(Kind::Record) => return self.received(cx, from, datagram, true),
            Ok(Kind::Handshake { scheme: wire::ENGINE, message: wire::engine::RESUME_3, .. }) if S::HAS.resume => {
                match self.resume_3(cx, from, datagram) {
                    Ok(Some(start)) => {
                        return self.received(cx, from, datagram.get_mut(start..).unwrap_or(&mut []), false);
                    }
                    Ok(None) => Ok(()),
                    Err(reason) => Err(reason),
                }
            }
            Ok(Kind::Handshake { scheme: wire::ENGINE, message, .. }) => self.engine(cx, from, message, datagram),
            Ok(Kind::Handshake { message, .. }) => {
                let behind = S::record_behind(message).filter(|len| *len < datagram.len());
                let whole = datagram.len();
                let (message, record) = datagram.split_at_mut(behind.unwrap_or(whole));
                match self.with(|scheme, io| handshake(scheme, cx, io, from, message)) {
                    Ok(()) if behind.is_some() => return self.received(cx, from, record, false),
                    done => done,
                }
            }
            Err(reason) => Err(reason),
        };
        match result {
            Ok(()) => Ok(None),
            Err(reason) => {
                self.drops.count(reason);
                if reason == Dropped::Rng { Err(Error::Rng) } else { Ok(None) }
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        if self.outbox.store == Store::Refused {
            self.outbox.store = Store::Wanted;
        }
        let count = self.memory.as_ref().map_or(0, |m| m.halves().len());
        for place in 0..count {
            let due = self.with(|_, io| io.halves.get_mut(place).map(|half| half.flight.due(cx.now)));
            if due != Some(Due::Over) {
                continue;
            }
            self.resume_over(place);
            self.with(|scheme, io| match io.take(place) {
                Some(run) => scheme.over(cx, io, run),
                None => Ok(()),
            })?;
        }
        self.with(|scheme, io| scheme.timeout(cx, io))
    }

    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>) {
        let ours = slot == self.scheme.slot() && matches!(self.outbox.store, Store::Asked | Store::AskedAgain);
        if !ours {
            return;
        }
        match stored {
            Ok(()) => {
                let changed = self.scheme.stored() | (self.outbox.store == Store::AskedAgain);
                self.outbox.store = if changed { Store::Wanted } else { Store::Clean };
            }
            Err(StoreError) => self.outbox.store = Store::Failed,
        }
    }

    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o> {
        match self.outbox.store {
            Store::Wanted => return self.persist(cx.device, out),
            Store::Failed => {
                self.outbox.store = Store::Refused;
                return Output::Event(Event::StoreFailed { slot: self.scheme.slot() });
            }
            Store::Clean => {}
            Store::Asked | Store::AskedAgain | Store::Refused => return Output::Idle { wake_at: self.wake_at(cx.now) },
        }
        if let Some(note) = self.outbox.take() {
            return Output::Event(self.event(note));
        }
        match self.next_datagram(cx, out) {
            Ok(Some((to, len))) => Output::Datagram { to, bytes: out.get(..len).unwrap_or(&[]) },
            Ok(None) => match self.outbox.take() {
                Some(note) => Output::Event(self.event(note)),
                None => Output::Idle { wake_at: self.wake_at(cx.now) },
            },
            Err(needed) => Output::BufferTooSmall { needed },
        }
    }

    fn exporter(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        if !S::HAS.sessions {
            return Err(Error::NotEstablished);
        }
        let session = self.session.as_ref().ok_or(Error::NotEstablished)?;
        if out.len() > 255 * 32 || label.len() > 255 || context.len() > usize::from(u16::MAX) {
            return Err(Error::BadArgument);
        }
        let secret = session.master(S::NAME).secret::<32>("exp", &[]);
        Prk::new(S::NAME, secret.expose()).expand("exporter", &[&[label.len() as u8], label, context], out);
        Ok(())
    }

    fn export(&self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        self.export_session(cx.device, out)
    }

    fn is_established(&self) -> bool {
        self.session().is_some_and(|s| !s.closing)
    }

    fn peer_addr(&self) -> Option<Addr> {
        self.peer
    }

    fn assurance(&self) -> Option<Assurance> {
        let session = self.session()?;
        Some(Assurance {
            authenticated: S::AUTHENTICATED,
            forward_secrecy_since: session.secret_since(),
            healing_since: session.healed.then_some(session.started),
            clock: self.clock,
            budget: self.config.rekey_after.saturating_sub(session.sent()),
        })
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.session().map(Session::fingerprint)
    }

    fn drops(&self) -> &Drops {
        &self.drops
    }
}

impl<S: Scheme, M: Scratch<S>> Endpoint<S, M> {
    /// A message that goes before the next record to this address: its length. Where there is room for it, it is written,
    /// and need not go out by itself.
    fn lead(&mut self, to: &Addr, out: &mut [u8]) -> usize {
        let memory = if self.idle { None } else { self.memory.as_mut() };
        let Some(memory) = memory else { return 0 };
        for half in memory.parts().halves {
            let (run, flight) = half.both();
            if flight.to == *to && run.is_some_and(|run| S::leads(run, flight.is_pending())) {
                if wire::copy(out, flight.message()) > 0 {
                    flight.quiet();
                }
                return flight.message().len();
            }
        }
        0
    }

    fn received<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        record: &'b mut [u8],
        alone: bool,
    ) -> Result<Option<Received<'b>>, Error> {
        if !S::HAS.sessions {
            self.drops.count(Dropped::NoKey);
            return Ok(None);
        }
        let opened = match self.record(cx, from, record, alone) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(None),
            Err(reason) => {
                self.drops.count(reason);
                return if reason == Dropped::Rng { Err(Error::Rng) } else { Ok(None) };
            }
        };
        let body = record.get(opened.start..).unwrap_or(&[]);
        let (text, tag) = body.split_at_checked(opened.len).unwrap_or((&[], &[]));
        let session = self.session.as_ref().ok_or(Dropped::NoKey);
        let stamp = session.and_then(|session| self.scheme.unstamp(session, &opened, text, tag));
        match stamp {
            Ok(stamp) => Ok(Some(Received { payload: stamp.payload, time: stamp.time, place: stamp.place })),
            Err(reason) => {
                self.drops.count(reason);
                Ok(None)
            }
        }
    }

    fn wake_at(&mut self, now: Instant) -> Option<Instant> {
        let mut at = self.scheme.timer().unwrap_or(NEVER);
        if self.outbox.store == Store::Refused {
            at = at.min(now.plus(STORE_AGAIN));
        }
        if !self.idle
            && let Some(memory) = &mut self.memory
        {
            let Parts { halves, candidate, .. } = memory.parts();
            self.idle = candidate.is_none_or(|c| !c.challenge);
            for Half { run, flight } in halves {
                let timer = flight.timer().unwrap_or(NEVER);
                self.idle &= run.is_none() && !flight.is_pending() && timer == NEVER;
                at = at.min(timer);
            }
        }
        (at != NEVER).then_some(at)
    }
}
