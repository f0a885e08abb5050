//! What is said beside runs: PING and PONG; a new ticket on a living association.
//!
//! ```text
//! PING  -->            control 08 | T    -->
//!      <-- PONG             09 | ref    <--
//! ```

use super::exchange::{Exchange, Run};
use super::extent::Extent;
use super::keys;
use super::peer::{Named, Peer};
use super::wire::{NUMBER, Ping, message};
use crate::association::{Addr, Cx, Error};
use crate::cose::Reference;
use crate::crypto::group::lend;
use crate::crypto::kdf::hash;
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Secret, aead::MAX_TAG};
use crate::engine::drops::Dropped;
use crate::engine::scheme::{Io, Note};
use crate::engine::wire::{Writer, header};
use crate::phase1::keys::NONCE_LEN;
use crate::phase1::wire::{lone_tag, run_of};
use crate::phase1::{Introduces, Lend, Wanted};
use core::borrow::BorrowMut;

/// First byte of the scheme's control records.
mod control {
    pub const TICKET: u8 = 8;
    pub const STORED: u8 = 9;
}

impl<P: BorrowMut<Peer<T>>, W: Lend, E: Extent, const T: usize> Exchange<P, W, E, T> {
    /// PING under the PMK that a run would be made under.
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, to: &Addr) -> Result<(), Error> {
        if io.find(&|run| matches!(run, Run::Pinging { .. })).is_some() {
            return Err(Error::WrongState);
        }
        if self.look(cx, io) {
            return Err(Error::NotEstablished);
        }
        let master = self.peer.borrow().choose().ok_or(Error::NotEstablished)?;
        let suite = self.setup.suite(master.origin().suite).ok_or(Error::SuiteMismatch)?;
        let mut nonce = [0; NONCE_LEN];
        cx.rng.fill(&mut nonce)?;
        // Sent in clear.
        nonce = *declassify(&nonce);
        let place = io.claim_place(&Run::is_done).map_err(|_| Error::WrongState)?;
        let (tries, now, len) = (io.config.tries, cx.now, suite.mac_len);
        let (mut tag, mut pong) = ([0; MAX_TAG], Secret::zero());
        let tag = tag.get_mut(..len).unwrap_or(&mut []);
        keys::ping_tag(master.aux(), &nonce, tag);
        keys::pong_tag(master.aux(), tag, &nonce, pong.as_mut().get_mut(..len).unwrap_or(&mut []));
        let flight = io.flight(place).map_err(|_| Error::WrongState)?;
        flight.reset(*to, None);
        flight.load(false, |w| {
            Ping { hint: master.hint(true), nonce }.write(w);
            w.put(tag);
        });
        flight.launch(now, tries);
        io.start(place, Run::Pinging { pong, len: len as u8, low: (run_of(&nonce) & 15) as u8 });
        Ok(())
    }

    /// The peer asks whether this side is there.
    #[inline(never)]
    pub(super) fn on_ping(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let digest = hash(&[bytes]);
        if let Some(place) = io.find(&|run| matches!(run, Run::Said { digest: mine } if *mine == digest)) {
            return io.answer_again(place, from, false, bytes.len());
        }
        let hint = bytes.get(2..).and_then(<[u8]>::first_chunk).ok_or(Dropped::Malformed)?;
        let Some(Named::Master(which)) = self.peer.borrow().named(hint) else { return Err(Dropped::NoKey) };
        let master = self.peer.borrow().master(which).ok_or(Dropped::NoKey)?;
        let len = self.suite_of(which).ok_or(Dropped::NoKey)?.mac_len;
        let (ping, tag) = Ping::read(bytes, len)?;
        let (mut expected, mut pong) = ([0; MAX_TAG], [0; MAX_TAG]);
        let expected = expected.get_mut(..len).unwrap_or(&mut []);
        keys::ping_tag(master.aux(), &ping.nonce, expected);
        if !ct_eq(expected, tag) {
            return Err(Dropped::Forged);
        }
        let pong = pong.get_mut(..len).unwrap_or(&mut []);
        keys::pong_tag(master.aux(), tag, &ping.nonce, pong);
        self.say(cx, io, from, bytes.len(), digest, |w| {
            w.put(&header(NUMBER, message::PONG, run_of(&ping.nonce))).put(pong);
        })
    }

    /// It is there.
    #[inline(never)]
    pub(super) fn on_pong(io: &mut Io<'_, Self>, low: u8, bytes: &[u8]) -> Result<(), Dropped> {
        let ours = |run: &Run| matches!(run, Run::Pinging { low: mine, .. } if *mine == low);
        let place = io.find(&ours).ok_or(Dropped::Unexpected)?;
        let Some(Run::Pinging { pong, len, .. }) = io.run(place) else { return Err(Dropped::Unexpected) };
        let len = usize::from(*len);
        if !ct_eq(lone_tag(bytes, len)?, pong.expose().get(..len).unwrap_or(&[])) {
            return Err(Dropped::Forged);
        }
        io.free(place);
        io.note(Note::PeerAlive);
        Ok(())
    }

    /// A new ticket of this side's goes to the peer, until the peer has stored it.
    pub(super) fn renew(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>) {
        if io.session.is_none() || io.find(&|run| matches!(run, Run::Renewing { .. })).is_some() {
            return;
        }
        let shown = self.peer.borrow().shown().copied();
        let (tries, now, wall) = (io.config.tries, cx.now, cx.wall);
        self.wallet.lend(&mut |credentials| {
            let Some((own, ends)) = credentials.own(None, wall) else { return };
            let reference = Reference::of(own.bytes);
            let Ok(place) =
                (if shown == Some(reference) { Err(Dropped::Unexpected) } else { io.claim_place(&Run::is_done) })
            else {
                return;
            };
            let Ok(flight) = io.flight(place) else { return };
            flight.reset(Addr::default(), None);
            flight.load(true, |w| {
                w.put(&[control::TICKET]).put(own.bytes);
            });
            flight.launch(now, tries);
            io.start(place, Run::Renewing { own: reference, ends });
        });
    }

    pub(super) fn on_control(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, body: &[u8]) -> Result<(), Dropped> {
        match body.split_first() {
            Some((&control::TICKET, ticket)) => self.on_ticket(cx, io, ticket),
            Some((&control::STORED, reference)) => self.on_stored(io, reference),
            _ => Err(Dropped::Version),
        }
    }

    /// The peer's new ticket, of the same name: PMK and session go on.
    fn on_ticket(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, ticket: &[u8]) -> Result<(), Dropped> {
        let reference = Reference::of(ticket);
        let wanted = Wanted { me: self.own_id(), expected: self.expected(), kem: self.setup.kem, wall: cx.wall };
        let seen = ticket == self.kept();
        let mut facts = Err(Dropped::NoKey);
        lend(self.setup.kem.public_len(), &mut |key| {
            self.wallet.lend(&mut |credentials| {
                facts = credentials.check(ticket, seen, &wanted, key).map_err(|_| Dropped::Forged);
            });
        });
        let facts = facts?;
        let place = io.claim_place(&Run::is_done)?;
        if !seen {
            self.wallet.lend(&mut |credentials| credentials.saw(ticket));
            self.peer().renews(ticket, &facts);
            io.outbox.want_store();
        }
        let flight = io.flight(place)?;
        flight.reset(Addr::default(), None);
        flight.load(true, |w: &mut Writer<'_>| {
            w.put(&[control::STORED]).put(&reference.0);
        });
        flight.answer_briefly(cx.now);
        io.start(place, Run::Renewed);
        Ok(())
    }

    fn on_stored(&mut self, io: &mut Io<'_, Self>, reference: &[u8]) -> Result<(), Dropped> {
        let ours = |run: &Run| matches!(run, Run::Renewing { own, .. } if own.0 == *reference);
        let place = io.find(&ours).ok_or(Dropped::Unexpected)?;
        let Some(Run::Renewing { own, ends }) = io.take(place) else { return Err(Dropped::Unexpected) };
        self.peer().renewed(own, ends);
        io.outbox.want_store();
        Ok(())
    }
}
