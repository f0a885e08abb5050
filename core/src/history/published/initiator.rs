//! Initiator (Algorithm 1a): C1, C3, C5.

use super::exchange::{PublishedExchange, Run, secret};
use super::keys;
use super::log::PublishedEntry;
use super::wire::{message, value};
use crate::association::{Addr, Cx, Error};
use crate::engine::drops::Dropped;
use crate::engine::published::PublishedIo;
use crate::history::keys::Pair;

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedExchange<L> {
    /// Lines 1 to 4.
    pub(super) fn start(&mut self, cx: &mut Cx<'_>, io: &mut PublishedIo<'_, Self>, to: &Addr) -> Result<(), Error> {
        if self.run.is_some() {
            return Err(Error::WrongState);
        }
        let mut random = [0];
        cx.rng.fill(&mut random)?;
        let pair = Pair::from_random(random[0]);
        let c1 = self.peer.triple.c1(pair);
        io.ask(cx.now, to, message::C1, |w| {
            w.put(&c1);
        });
        self.run = Some(Run::AwaitC2 { pair });
        Ok(())
    }

    /// Lines 5 to 13.
    pub(super) fn on_c2(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitC2 { pair }) = self.run else { return Err(Dropped::Unexpected) };
        let r_r = secret(keys::c2(&value(body)?, self.peer.triple.unused(pair)));
        let r_i = Self::random(cx)?;
        let c3 = keys::c3(r_i.expose(), r_r.expose());
        io.ask(cx.now, from, message::C3, |w| {
            w.put(&c3);
        });
        self.run = Some(Run::AwaitC4 { r_i, r_r });
        Ok(())
    }

    /// Lines 14 to 20.
    pub(super) fn on_c4(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &[u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitC4 { r_i, r_r }) = &self.run else { return Err(Dropped::Unexpected) };
        let v = secret(keys::c4(&value(body)?, r_r.expose()));
        let c5 = keys::c5(v.expose(), r_i.expose());
        io.ask(cx.now, from, message::C5, |w| {
            w.put(&c5);
        });
        self.run = Some(Run::AwaitAck { r_i: r_i.clone(), r_r: r_r.clone() });
        Ok(())
    }

    /// Lines 21 to 23: "VerificationSuccess" is that an ACK came; the paper has nothing in it.
    pub(super) fn on_ack(&mut self, io: &mut PublishedIo<'_, Self>, from: &Addr, body: &[u8]) -> Result<(), Dropped> {
        if !body.is_empty() {
            return Err(Dropped::Malformed);
        }
        match self.run.take() {
            Some(Run::AwaitAck { r_i, r_r }) => {
                io.rest();
                self.complete(io, from, [r_i, r_r], true);
                Ok(())
            }
            other => {
                self.run = other;
                Err(Dropped::Unexpected)
            }
        }
    }
}
