//! Responder (Algorithm 1b): C2, C4, ACK.

use super::exchange::{PublishedExchange, Run, secret};
use super::keys;
use super::log::PublishedEntry;
use super::wire::{message, value};
use crate::association::{Addr, Cx, Event, Reason, Stage};
use crate::engine::drops::Dropped;
use crate::engine::published::PublishedIo;

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedExchange<L> {
    /// Lines 2 to 13. A C1 that no pair matches fails before there is a run: it is dropped.
    pub(super) fn on_c1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        if self.run.is_some() {
            return Err(Dropped::Unexpected);
        }
        let pair = self.peer.triple.search(&value(body)?).ok_or(Dropped::NoKey)?;
        let r_r = Self::random(cx)?;
        let c2 = keys::c2(r_r.expose(), self.peer.triple.unused(pair));
        io.ask(cx.now, from, message::C2, |w| {
            w.put(&c2);
        });
        self.run = Some(Run::AwaitC3 { r_r });
        Ok(())
    }

    /// Lines 14 to 21.
    pub(super) fn on_c3(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitC3 { r_r }) = &self.run else { return Err(Dropped::Unexpected) };
        let r_i = secret(keys::c3(&value(body)?, r_r.expose()));
        let v = Self::random(cx)?;
        let c4 = keys::c4(v.expose(), r_r.expose());
        io.ask(cx.now, from, message::C4, |w| {
            w.put(&c4);
        });
        self.run = Some(Run::AwaitC5 { r_i, r_r: r_r.clone(), v });
        Ok(())
    }

    /// Lines 22 to 33.
    pub(super) fn on_c5(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitC5 { r_i, r_r, v }) = self.run.clone() else { return Err(Dropped::Unexpected) };
        let answer = secret(keys::c5(&value(body)?, r_i.expose()));
        self.run = None;
        if answer != v {
            io.rest();
            io.note(Event::Failed { stage: Stage::Exchange, reason: Reason::Unknown });
            return Err(Dropped::Forged);
        }
        self.complete(io, from, [r_i, r_r], false);
        io.tell(cx.now, from, message::ACK, |_| {});
        Ok(())
    }
}
