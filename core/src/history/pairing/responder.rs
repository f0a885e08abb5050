//! Responder: P2, P4, P6. Nothing is remembered before a P3 that verifies.

use super::{
    ATTEMPTS, Derived, NONCE_LEN, Names, P2_MAX, Pair, Run, SHARE_LEN, Seen, Side, TAG_LEN, before_share, chosen,
};
use crate::association::{Addr, Cx, Reason, Stage};
use crate::crypto::cpace::Role;
use crate::crypto::{Rng, Secret, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::scheme::{Io, Note};
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};
use crate::history::keys;
use crate::history::peer::Id;
use crate::history::wire::{NUMBER, message};

impl Pair {
    fn open_window(&self, cx: &Cx<'_>) -> Result<(), Dropped> {
        if self.window.is_some_and(|end| cx.now < end) { Ok(()) } else { Err(Dropped::Unexpected) }
    }

    /// N_I and id of a P1 or P3 body that fits what this side wants.
    fn read_body(&self, body: &[u8]) -> Result<([u8; NONCE_LEN], Id), Dropped> {
        let mut r = Reader::new(body);
        let nonce = r.array()?;
        let id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let params: [u8; 3] = r.array()?;
        r.end()?;
        if params != self.params() || id == self.setup.me { Err(Dropped::Unexpected) } else { Ok((nonce, id)) }
    }

    /// P2 for this P1, the same whenever it is asked for, and K_P once the initiator's share is there.
    fn offer(
        &self,
        body: &[u8],
        theirs: Option<&[u8]>,
        p2: &mut [u8; P2_MAX],
    ) -> Result<(usize, Option<Secret<32>>), Dropped> {
        let (nonce, id) = self.read_body(body)?;
        let mut rng = Derived::new(&self.window_secret, body);
        let mut n_r = [0; NONCE_LEN];
        rng.fill(&mut n_r).map_err(|_| Dropped::Rng)?;
        let mut w = Writer::new(p2);
        w.put(&header(NUMBER, message::P2, 0)).put(&n_r).short(self.setup.me.as_bytes()).skip(SHARE_LEN);
        let len = w.len();
        let whole = w.from(0);
        let run = Names {
            role: Role::Responder,
            own: Side { id: &self.setup.me, nonce: &n_r, ad: before_share(whole) },
            peer: Side { id: &id, nonce: &nonce, ad: body },
        };
        let (share, k_p) = self.agree(&run, &mut rng, theirs)?;
        if let Some(to) = whole.last_chunk_mut::<SHARE_LEN>() {
            *to = share;
        }
        Ok((len, k_p))
    }

    fn send_offer(
        &self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        received: usize,
        p2: &[u8],
    ) -> Result<(), Dropped> {
        let place = io.free_place(&|run| matches!(run, Run::Offer | Run::Done))?;
        let flight = io.flight(place)?;
        flight.reset(*from, Some(received));
        if proven {
            flight.prove();
        }
        flight.load(false, |w| {
            w.put(p2);
        });
        flight.answer_briefly(cx.now);
        io.start(place, Run::Offer);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn on_p1(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        self.open_window(cx)?;
        let mut p2 = [0; P2_MAX];
        let (len, _) = self.offer(bytes.get(HEADER_LEN..).unwrap_or(&[]), None, &mut p2)?;
        self.send_offer(cx, io, from, proven, bytes.len(), p2.get(..len).unwrap_or(&[]))
    }

    #[inline(never)]
    pub(super) fn on_p3(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        let rest = bytes.get(HEADER_LEN..).unwrap_or(&[]);
        let (rest, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Dropped::Malformed)?;
        let (body, y_i) = rest.split_last_chunk::<SHARE_LEN>().ok_or(Dropped::Malformed)?;
        let (nonce_i, id_i) = self.read_body(body)?;
        if let Some(place) = io.find(&|r| matches!(r, Run::AwaitP5 { nonce, .. } if *nonce == nonce_i)) {
            return io.answer_again(place, from, false, bytes.len());
        }
        self.open_window(cx)?;
        if io.find(&|r| matches!(r, Run::AwaitP5 { .. })).is_some() {
            return Err(Dropped::NoRoom);
        }
        let mut p2 = [0; P2_MAX];
        let (len, k_p) = self.offer(body, Some(y_i), &mut p2)?;
        let p2 = p2.get(..len).unwrap_or(&[]);
        let k_p = k_p.ok_or(Dropped::BadElement)?;
        let th_3 = Self::th(body, p2, y_i);
        if !ct_eq(&keys::pairing_tag(&k_p, "p3", &th_3), tag) {
            // The same guess again is no new attempt.
            if self.last_failed != *tag {
                self.last_failed = *tag;
                self.count(io);
                io.note(Note::Failed(Stage::Pairing, Reason::WrongSecret));
            }
            if self.failures >= ATTEMPTS {
                self.locked(io);
                return Ok(());
            }
            return self.send_offer(cx, io, from, false, bytes.len(), p2);
        }
        let place = io.free_place(&|run| matches!(run, Run::Offer | Run::Done))?;
        self.count(io);
        let ours = Seen::now(cx);
        let flight = io.flight(place)?;
        flight.reset(*from, Some(bytes.len()));
        flight.prove();
        let mut th_4 = th_3;
        flight.load(false, |w| th_4 = self.sealed(message::P4, &th_3.then(&[tag]), &k_p, &ours, w));
        flight.answer(cx.now);
        io.start(place, Run::AwaitP5 { nonce: nonce_i, id: id_i, k_p, th: th_4, ours });
        Ok(())
    }

    #[inline(never)]
    pub(super) fn on_p5(
        &mut self,
        cx: &Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        bytes: &[u8],
    ) -> Result<(), Dropped> {
        // The run under way first: what is not its P5 may be the last device's, whose P6 is kept.
        let place = io.find(&|run| matches!(run, Run::AwaitP5 { .. }));
        let opened = match place.and_then(|place| io.run(place)) {
            Some(Run::AwaitP5 { k_p, th, .. }) => self.opened(message::P5, th, k_p, bytes),
            _ => Err(Dropped::Unexpected),
        };
        let (theirs, th_5) = match opened {
            Ok(opened) => opened,
            Err(reason) => {
                return io.answer_again(
                    io.find(&|run| matches!(run, Run::Done)).ok_or(reason)?,
                    from,
                    false,
                    bytes.len(),
                );
            }
        };
        let place = place.ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitP5 { id, k_p, ours, .. }) = io.run(place) else { return Err(Dropped::Unexpected) };
        let best = chosen(ours, &theirs, self.setup.me.is_lower_than(id));
        let triple = keys::first_triple(k_p, self.sk(), best.time, best.place());
        let tag = keys::pairing_tag(k_p, "p6", &th_5);
        let id = *id;
        let flight = io.flight(place)?;
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::P6, 0)).put(&tag);
        });
        flight.asked(from, bytes.len());
        flight.answer(cx.now);
        io.start(place, Run::Done);
        self.paired(io, id, triple);
        Ok(())
    }
}
