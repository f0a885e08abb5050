//! Initiator: P1 (in [`start`](super::Pairing::start)), P3, P5.

use super::{
    ATTEMPTS, BODY_MAX, Candidate, Derived, NONCE_LEN, Names, Pair, Run, SHARE_LEN, Seen, Side, before_share, chosen,
};
use crate::association::{Cx, Reason};
use crate::crypto::cpace::Role;
use crate::crypto::{kdf, secret::ct_eq};
use crate::engine::drops::Dropped;
use crate::engine::scheme::{Io, Note};
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};
use crate::history::keys;
use crate::history::peer::Id;
use crate::history::wire::{NUMBER, message};

impl Pair {
    /// P2; also while P3 is out, where an earlier P2 was not the responder's.
    #[inline(never)]
    pub(super) fn on_p2(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitP2(_) | Run::AwaitP4 { .. })).ok_or(Dropped::Unexpected)?;
        let digest = kdf::hash(&[bytes]);
        let (start, before) = match io.run(place) {
            Some(Run::AwaitP2(start)) => (start.clone(), None),
            Some(Run::AwaitP4 { start, now, .. }) if now.p2 != digest => (start.clone(), Some(now.clone())),
            _ => {
                // The same P2 again is what the responder says to a P3 that it cannot verify.
                io.note(Note::Hint(Reason::WrongSecret));
                return Ok(());
            }
        };
        let mut r = Reader::new(bytes.get(HEADER_LEN..).unwrap_or(&[]));
        let n_r: [u8; NONCE_LEN] = r.array()?;
        let id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let y_r: [u8; SHARE_LEN] = r.array()?;
        r.end()?;
        if id == self.setup.me {
            return Err(Dropped::Unexpected);
        }
        if self.failures >= ATTEMPTS {
            self.locked(io);
            return Ok(());
        }
        let mut body = [0; BODY_MAX];
        let mut w = Writer::new(&mut body);
        self.write_body(&mut w, &start.nonce);
        let body = w.written();
        let run = Names {
            role: Role::Initiator,
            own: Side { id: &self.setup.me, nonce: &start.nonce, ad: body },
            peer: Side { id: &id, nonce: &n_r, ad: before_share(bytes) },
        };
        let mut rng = Derived::new(&start.secret, bytes);
        let (y_i, k_p) = self.agree(&run, &mut rng, Some(&y_r))?;
        let k_p = k_p.ok_or(Dropped::BadElement)?;
        let th_3 = Self::th(body, bytes, &y_i);
        let tag = keys::pairing_tag(&k_p, "p3", &th_3);
        self.count(io);
        let (tries, now) = (io.config.tries, cx.now);
        let flight = io.flight(place)?;
        flight.load(false, |w| {
            w.put(&header(NUMBER, message::P3, 0)).put(body).put(&y_i).put(&tag);
        });
        flight.launch(now, tries);
        let now = Candidate { p2: digest, id, k_p, th: th_3.then(&[&tag]) };
        io.start(place, Run::AwaitP4 { start, now, before });
        Ok(())
    }

    #[inline(never)]
    pub(super) fn on_p4(&mut self, cx: &Cx<'_>, io: &mut Io<'_, Self>, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitP4 { .. })).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitP4 { now, before, .. }) = io.run(place) else { return Err(Dropped::Unexpected) };
        let verify = |c: &Candidate| {
            self.opened(message::P4, &c.th, &c.k_p, bytes).map(|(seen, th)| (c.id, c.k_p.clone(), seen, th))
        };
        let first = verify(now);
        let (id, k_p, theirs, th_4) = first.or_else(|reason| before.as_ref().ok_or(reason).and_then(verify))?;
        let ours = Seen::now(cx);
        let best = chosen(&ours, &theirs, self.setup.me.is_lower_than(&id));
        let triple = keys::first_triple(&k_p, self.sk(), best.time, best.place());
        let (tries, now) = (io.config.tries, cx.now);
        let flight = io.flight(place)?;
        let mut th_5 = th_4;
        flight.load(false, |w| th_5 = self.sealed(message::P5, &th_4, &k_p, &ours, w));
        flight.launch(now, tries);
        io.start(place, Run::AwaitP6 { id, k_p, th: th_5, triple });
        Ok(())
    }

    #[inline(never)]
    pub(super) fn on_p6(&mut self, io: &mut Io<'_, Self>, bytes: &[u8]) -> Result<(), Dropped> {
        let place = io.find(&|run| matches!(run, Run::AwaitP6 { .. })).ok_or(Dropped::Unexpected)?;
        let Some(Run::AwaitP6 { k_p, th, .. }) = io.run(place) else { return Err(Dropped::Unexpected) };
        if !ct_eq(&keys::pairing_tag(k_p, "p6", th), bytes.get(HEADER_LEN..).unwrap_or(&[])) {
            return Err(Dropped::Forged);
        }
        if let Some(Run::AwaitP6 { id, triple, .. }) = io.take(place) {
            self.paired(io, id, triple);
        }
        Ok(())
    }
}
