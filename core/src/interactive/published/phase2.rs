//! Phase 2, "session key rekey" (section 2): four messages.

use super::exchange::{PublishedExchange, Run, ask};
use super::keys;
use super::phase1::{bad, cut, generate};
use super::wire::{ACK_MAX, Body, message, split_mac};
use crate::association::{Addr, Cx};
use crate::crypto::Secret;
use crate::crypto::group::Scalar;
use crate::engine::drops::Dropped;
use crate::engine::published::PublishedIo;

/// What A acknowledges with; any text is taken.
const MSG_1: &[u8] = b"msg1";
/// What S acknowledges with; any text is taken.
const MSG_2: &[u8] = b"msg2";

impl PublishedExchange<'_> {
    /// A, step 1: `g^NA, V_PMK{g^NA}`.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>, io: &mut PublishedIo<'_, Self>, to: &Addr) -> Result<(), Dropped> {
        let (n, k1) = self.share(cx)?;
        ask(cx, io, to, message::K1, &k1);
        self.run = Some(Run::AwaitK2 { n });
        Ok(())
    }

    /// S, step 2: `g^NS, V_PMK{g^NS}`; K_M.
    pub(super) fn on_k1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        if self.run.is_some() || self.phase1.is_under_way() {
            return Err(Dropped::Unexpected);
        }
        let theirs = self.verified(body)?;
        let (n, k2) = self.share(cx)?;
        let k_m = self.k_m(&n, theirs)?;
        ask(cx, io, from, message::K2, &k2);
        self.run = Some(Run::AwaitK3 { k_m });
        Ok(())
    }

    /// A, step 3: `msg1, V_KM{AA, msg1}`; AA is S's name.
    pub(super) fn on_k2(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitK2 { n }) = &self.run else { return Err(Dropped::Unexpected) };
        let k_m = self.k_m(n, self.verified(body)?)?;
        let peer = self.peer.as_ref().ok_or(Dropped::NoKey)?;
        let tag = keys::v(k_m.expose(), &[peer.id.as_bytes(), MSG_1]);
        io.ask(cx.now, from, message::K3, |w| _ = w.put(MSG_1).put(&tag));
        self.run = Some(Run::AwaitK4 { k_m });
        Ok(())
    }

    /// S, step 4: `msg2, V_KM{msg2}`.
    pub(super) fn on_k3(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitK3 { k_m }) = self.run.clone() else { return Err(Dropped::Unexpected) };
        acknowledged(&k_m, self.device.name.as_bytes(), body)?;
        let tag = keys::v(k_m.expose(), &[MSG_2]);
        self.complete(io, from, k_m, false);
        io.tell(cx.now, from, message::K4, |w| _ = w.put(MSG_2).put(&tag));
        Ok(())
    }

    /// A: "S sends an acknowledgement message. A authenticates S."
    pub(super) fn on_k4(&mut self, io: &mut PublishedIo<'_, Self>, from: &Addr, body: &[u8]) -> Result<(), Dropped> {
        let Some(Run::AwaitK4 { k_m }) = self.run.clone() else { return Err(Dropped::Unexpected) };
        acknowledged(&k_m, &[], body)?;
        io.rest();
        self.complete(io, from, k_m, true);
        Ok(())
    }

    /// `g^N, V_PMK{g^N}` of this side.
    fn share(&self, cx: &mut Cx<'_>) -> Result<(Scalar, Body), Dropped> {
        let (pmk, _) = self.zeros()?;
        let (n, share) = generate(cx.rng, self.device.group)?;
        let share = cut(&share, self.device.group);
        let tag = keys::v(pmk.expose(), &[share]);
        Ok((n, Body::new(|w| _ = w.put(share).put(&tag))))
    }

    /// The other side's g^N.
    fn verified<'b>(&self, body: &'b [u8]) -> Result<&'b [u8], Dropped> {
        let (share, tag) = split_mac(body)?;
        if keys::v(self.zeros()?.0.expose(), &[share]) == *tag { Ok(share) } else { Err(Dropped::Forged) }
    }

    /// `K_M = H(K_DH xor N_S0 xor N_A0)`.
    fn k_m(&self, n: &Scalar, share: &[u8]) -> Result<Secret<32>, Dropped> {
        let [k_m] = keys::agree(self.device.group, n, share, [self.zeros()?.1]).map_err(bad)?;
        Ok(k_m)
    }
}

/// An acknowledgement, whatever its text, with `before` in front of it in the MAC.
fn acknowledged(k_m: &Secret<32>, before: &[u8], body: &[u8]) -> Result<(), Dropped> {
    let (text, tag) = split_mac(body)?;
    if text.len() > ACK_MAX {
        return Err(Dropped::Malformed);
    }
    if keys::v(k_m.expose(), &[before, text]) == *tag { Ok(()) } else { Err(Dropped::Forged) }
}
