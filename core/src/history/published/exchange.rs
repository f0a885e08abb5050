//! The association of two paired devices: what it is made of, and which handler a message goes to.

use super::keys::{self, Value};
use super::log::{PublishedEntry, PublishedLog};
use super::peer::PublishedPeer;
use super::wire::{NUMBER_LEN, PublishedBuffer, message, stamp};
use crate::association::{Addr, Cx, Error, Event, Fingerprint, Reason, Received, Slot, Stage, UnixTime};
use crate::crypto::{Secret, kdf};
use crate::engine::drops::Dropped;
use crate::engine::published::{PublishedEndpoint, PublishedIo, PublishedScheme};
use crate::engine::state::Kind;
use crate::engine::wire::{self, Writer};
use crate::history::keys::Pair;
use crate::history::log::Hidden;

/// The history scheme between this device and one peer, as published. `L` is the log's memory.
pub type PublishedHistory<L> = PublishedEndpoint<PublishedExchange<L>>;

/// The scheme's part of a [`PublishedHistory`].
#[derive(Debug)]
pub struct PublishedExchange<L> {
    pub(super) peer: PublishedPeer,
    pub(super) log: PublishedLog<L>,
    pub(super) run: Option<Run>,
    pub(super) channel: Option<Channel>,
}

/// What a run keeps between two messages: one run at a time, as in Algorithms 1a and 1b.
#[derive(Clone, Debug)]
pub(super) enum Run {
    AwaitC2 { pair: Pair },
    AwaitC4 { r_i: Secret<32>, r_r: Secret<32> },
    AwaitAck { r_i: Secret<32>, r_r: Secret<32> },
    AwaitC3 { r_r: Secret<32> },
    AwaitC5 { r_i: Secret<32>, r_r: Secret<32>, v: Secret<32> },
    AwaitAnswer { record: PublishedEntry, hidden: Hidden },
    AwaitEnd { record: PublishedEntry },
}

/// "Separate encryption keys for bidirectional secure communication": the initiator sends under R_I, the responder under
/// R_R.
#[derive(Debug)]
pub(super) struct Channel {
    send: Secret<32>,
    receive: Secret<32>,
    sent: u32,
    fingerprint: Fingerprint,
}

impl Channel {
    fn new([r_i, r_r]: [Secret<32>; 2], initiator: bool) -> Self {
        let mut fingerprint = Fingerprint([0; 10]);
        wire::copy(&mut fingerprint.0, &kdf::hash(&[r_i.expose(), r_r.expose()]));
        let (send, receive) = if initiator { (r_i, r_r) } else { (r_r, r_i) };
        Self { send, receive, sent: 0, fingerprint }
    }

    /// `M = Encrypt(Message)`: the message's number, and what `text` writes, encrypted.
    pub(super) fn encrypt(&mut self, w: &mut Writer<'_>, text: impl FnOnce(&mut Writer<'_>)) {
        w.put(&self.sent.to_be_bytes());
        let start = w.len();
        text(w);
        keys::encrypt(self.send.expose(), self.sent, w.from(start));
        self.sent = self.sent.saturating_add(1);
    }

    /// Decrypts a body in place; nothing says whether it is the peer's.
    pub(super) fn decrypt<'b>(&self, body: &'b mut [u8]) -> Result<&'b [u8], Dropped> {
        let (number, text) = body.split_first_chunk_mut::<NUMBER_LEN>().ok_or(Dropped::Malformed)?;
        keys::encrypt(self.receive.expose(), u32::from_be_bytes(*number), text);
        Ok(text)
    }
}

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedHistory<L> {
    /// An association with a paired peer, at rest: it answers the peer's runs, and starts one on
    /// [`connect`](Self::connect).
    pub fn open(peer: PublishedPeer, log: L) -> Self {
        Self::new(PublishedExchange { peer, log: PublishedLog::new(log), run: None, channel: None })
    }

    /// Starts an exchange with the peer at this address.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run is under way; [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.start(cx, io, to))
    }

    /// Asks the peer for the third element of a random record.
    ///
    /// # Errors
    /// [`Error::NotEstablished`]; [`Error::NoRecord`] for an empty log; [`Error::WrongState`] while a run is under way;
    /// [`Error::Rng`].
    pub fn update(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| scheme.ask(cx, io))
    }

    /// The peer's record.
    pub fn peer(&self) -> &PublishedPeer {
        &self.scheme.peer
    }

    /// The log.
    pub fn log(&self) -> &PublishedLog<L> {
        &self.scheme.log
    }
}

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedExchange<L> {
    /// `SecureStore(PeerID, R_I, R_R)`, and the channel under them.
    pub(super) fn complete(
        &mut self,
        io: &mut PublishedIo<'_, Self>,
        to: &Addr,
        keys: [Secret<32>; 2],
        initiator: bool,
    ) {
        let channel = Channel::new(keys.clone(), initiator);
        io.note(Event::Established { fingerprint: channel.fingerprint, initiator });
        self.peer.keys = Some(keys);
        self.channel = Some(channel);
        *io.peer = Some(*to);
        io.want_store();
    }

    pub(super) fn random(cx: &mut Cx<'_>) -> Result<Secret<32>, Dropped> {
        let mut value = Secret::zero();
        cx.rng.fill(value.as_mut()).map_err(|_| Dropped::Rng)?;
        Ok(value)
    }

    /// "The receiver ... stores them along with the received data in a log table."
    fn on_data<'b>(&mut self, body: &'b mut [u8]) -> Result<Received<'b>, Dropped> {
        let text = self.channel.as_ref().ok_or(Dropped::NoKey)?.decrypt(body)?;
        let (t, place, payload) = stamp(text)?;
        self.log.add(PublishedEntry::new(t, place, payload).map_err(|_| Dropped::Malformed)?);
        Ok(Received { payload, time: (t != 0).then_some(UnixTime(t)), place })
    }
}

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedScheme for PublishedExchange<L> {
    const NUMBER: u8 = crate::history::wire::NUMBER;
    const DATA: u8 = message::DATA;

    type Flight = PublishedBuffer;

    fn message<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        number: u8,
        body: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Dropped> {
        match number {
            message::C1 => self.on_c1(cx, io, from, body),
            message::C2 => self.on_c2(cx, io, from, body),
            message::C3 => self.on_c3(cx, io, from, body),
            message::C4 => self.on_c4(cx, io, from, body),
            message::C5 => self.on_c5(cx, io, from, body),
            message::ACK => self.on_ack(io, from, body),
            message::DATA => return self.on_data(body).map(Some),
            message::ASK => self.on_ask(cx, io, from, body),
            message::ANSWER => self.on_answer(cx, io, from, body),
            message::END => self.on_end(io, body),
            _ => Err(Dropped::Version),
        }?;
        Ok(None)
    }

    fn missing(&mut self, io: &mut PublishedIo<'_, Self>) {
        let reason = Reason::NoAnswer;
        match self.run.take() {
            None => {}
            Some(Run::AwaitAnswer { .. } | Run::AwaitEnd { .. }) => io.note(Event::UpdateFailed { reason }),
            Some(_) => io.note(Event::Failed { stage: Stage::Exchange, reason }),
        }
    }

    fn seal(&mut self, cx: &Cx<'_>, payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let channel = self.channel.as_mut().ok_or(Error::NotEstablished)?;
        let t = cx.wall.map_or(0, |t| t.0);
        let entry = PublishedEntry::new(t, cx.place, payload)?;
        let needed = (NUMBER_LEN + 9).saturating_add(cx.place.len()).saturating_add(payload.len());
        if out.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        if channel.sent == u32::MAX {
            return Err(Error::KeyExhausted);
        }
        channel.encrypt(&mut Writer::new(out), |w| {
            w.put(&t.to_be_bytes()).short(cx.place).put(payload);
        });
        self.log.add(entry);
        Ok(needed)
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.channel.as_ref().map(|channel| channel.fingerprint)
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.peer.write(out)
    }

    fn next_version(&mut self) -> (Slot, u32) {
        self.peer.next_version()
    }

    fn blob(&self) -> Kind {
        Kind::PublishedHistoryPeer
    }
}

/// A value as a secret.
pub(super) const fn secret(value: Value) -> Secret<32> {
    Secret::new(value)
}
