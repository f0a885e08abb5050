//! Update (section III.D): a record that both sides logged becomes the next triple.

use super::exchange::{PublishedExchange, Run};
use super::keys::PublishedTriple;
use super::log::PublishedEntry;
use super::wire::{DATA_MAX, message};
use crate::association::{Addr, Cx, Error, Event, Reason};
use crate::engine::drops::Dropped;
use crate::engine::published::PublishedIo;
use crate::engine::wire::Reader;
use crate::history::log::Hidden;

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedExchange<L> {
    /// "Selects an arbitrary record from the log table and transmits two of the three elements."
    pub(super) fn ask(&mut self, cx: &mut Cx<'_>, io: &mut PublishedIo<'_, Self>) -> Result<(), Error> {
        let (channel, to) = self.channel.as_mut().zip(*io.peer).ok_or(Error::NotEstablished)?;
        if self.run.is_some() {
            return Err(Error::WrongState);
        }
        let mut random = [0; 3];
        cx.rng.fill(&mut random)?;
        let [first, high, low] = random;
        let record = *self.log.pick(u16::from_be_bytes([high, low])).ok_or(Error::NoRecord)?;
        let hidden = Hidden::from_number(first % 3).ok_or(Error::NoRecord)?;
        let ([a, b], _) = record.split(hidden);
        io.ask(cx.now, &to, message::ASK, |w| {
            channel.encrypt(w, |w| {
                w.put(&[hidden as u8]).short(a).short(b);
            });
        });
        self.run = Some(Run::AwaitAnswer { record, hidden });
        Ok(())
    }

    /// "Extracts the missing third element from the matching entry to respond."
    pub(super) fn on_ask(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &mut [u8],
    ) -> Result<(), Dropped> {
        let channel = self.channel.as_mut().ok_or(Dropped::NoKey)?;
        if self.run.is_some() {
            return Err(Dropped::Unexpected);
        }
        let mut r = Reader::new(channel.decrypt(body)?);
        let hidden = Hidden::from_number(r.u8()?).ok_or(Dropped::Malformed)?;
        let shown = [r.short(DATA_MAX)?, r.short(DATA_MAX)?];
        r.end()?;
        let record = *self.log.find(hidden, shown).ok_or(Dropped::NoKey)?;
        io.ask(cx.now, from, message::ANSWER, |w| {
            channel.encrypt(w, |w| {
                w.short(record.split(hidden).1);
            });
        });
        self.run = Some(Run::AwaitEnd { record });
        Ok(())
    }

    /// "If verification succeeds, a session termination message is transmitted."
    pub(super) fn on_answer(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        body: &mut [u8],
    ) -> Result<(), Dropped> {
        let Some(Run::AwaitAnswer { record, hidden }) = self.run else { return Err(Dropped::Unexpected) };
        let channel = self.channel.as_mut().ok_or(Dropped::NoKey)?;
        let mut r = Reader::new(channel.decrypt(body)?);
        let third = r.short(DATA_MAX)?;
        r.end()?;
        self.run = None;
        if third != record.split(hidden).1 {
            io.rest();
            io.note(Event::UpdateFailed { reason: Reason::Unknown });
            return Ok(());
        }
        io.tell(cx.now, from, message::END, |w| channel.encrypt(w, |_| {}));
        self.replace(io, &record);
        Ok(())
    }

    /// The session ends; the record is the new triple here too.
    pub(super) fn on_end(&mut self, io: &mut PublishedIo<'_, Self>, body: &mut [u8]) -> Result<(), Dropped> {
        let Some(Run::AwaitEnd { record }) = self.run else { return Err(Dropped::Unexpected) };
        let text = self.channel.as_ref().ok_or(Dropped::NoKey)?.decrypt(body)?;
        if !text.is_empty() {
            return Err(Dropped::Malformed);
        }
        self.run = None;
        io.rest();
        self.replace(io, &record);
        Ok(())
    }

    /// "Both devices update the key table with ... T_Log, LI_Log, and Data_Log as the new security context."
    fn replace(&mut self, io: &mut PublishedIo<'_, Self>, record: &PublishedEntry) {
        let [_, li, data] = record.elements();
        self.peer.triple = PublishedTriple::next(record.time(), li, data);
        self.peer.keys = None;
        self.channel = None;
        io.note(Event::KeyReplaced { generation: 0 });
        io.note(Event::Terminated);
        io.want_store();
    }
}
