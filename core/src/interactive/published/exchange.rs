//! The association of two devices with tickets of one agent: what it is made of, and which handler a message goes to.

use super::channel::Channel;
use super::keys::Number;
use super::peer::PublishedPeer;
use super::phase1::{Agreed, Guarantee, Phase1, PublishedDevice, PublishedTerms};
use super::wire::{Body, PublishedBuffer, message};
use crate::association::{Addr, Cx, Error, Event, Fingerprint, Reason, Received, Slot, Stage};
use crate::crypto::group::Scalar;
use crate::crypto::{Secret, kdf};
use crate::engine::drops::Dropped;
use crate::engine::published::{PublishedEndpoint, PublishedIo, PublishedScheme};
use crate::engine::state::Kind;
use crate::engine::wire;
use crate::interactive::Subject;

/// The interactive scheme between this device and one peer, as published.
pub type PublishedInteractive<'d> = PublishedEndpoint<PublishedExchange<'d>>;

/// The scheme's part of a [`PublishedInteractive`].
#[derive(Debug)]
pub struct PublishedExchange<'d> {
    pub(super) device: PublishedDevice<'d>,
    slot: Slot,
    pub(super) peer: Option<PublishedPeer>,
    pub(super) phase1: Phase1,
    pub(super) run: Option<Run>,
    channel: Option<Channel>,
}

/// What a run of phase 2 keeps between two messages.
#[derive(Clone, Debug)]
pub(super) enum Run {
    AwaitK2 { n: Scalar },
    AwaitK3 { k_m: Secret<32> },
    AwaitK4 { k_m: Secret<32> },
}

/// Tickets are all that there is.
struct TicketsOnly;

impl Guarantee for TicketsOnly {
    fn own(&self) -> &[u8] {
        &[]
    }
    fn check(&self, _: &Subject, _: &[u8], guarantee: &[u8]) -> Result<(), Dropped> {
        if guarantee.is_empty() { Ok(()) } else { Err(Dropped::Malformed) }
    }
}

impl<'d> PublishedInteractive<'d> {
    /// An association at rest: it answers the peer's runs, and starts one on [`connect`](Self::connect). The peer is stored
    /// in `slot`; `peer` is what was stored there.
    pub fn open(device: PublishedDevice<'d>, slot: Slot, peer: Option<PublishedPeer>) -> Self {
        let phase1 = Phase1::default();
        Self::new(PublishedExchange { device, slot, peer, phase1, run: None, channel: None })
    }

    /// Starts phase 1 with the device at this address, whoever it is; phase 2 follows.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run is under way; [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr, terms: PublishedTerms) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| {
            scheme.at_rest()?;
            let pmk = scheme.peer.as_ref().map(|peer| &peer.pmk);
            let m1 = scheme.phase1.m1(cx, &scheme.device, terms, pmk).map_err(|_| Error::Rng)?;
            ask(cx, io, to, message::M1, &m1);
            Ok(())
        })
    }

    /// Starts phase 2 with the peer at this address.
    ///
    /// # Errors
    /// [`Error::NotEstablished`] without a PMK; [`Error::WrongState`] while a run is under way; [`Error::Rng`].
    pub fn rekey(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| {
            scheme.at_rest()?;
            scheme.start(cx, io, to).map_err(|dropped| match dropped {
                Dropped::NoKey => Error::NotEstablished,
                _ => Error::Rng,
            })
        })
    }

    /// The peer's record.
    pub fn peer(&self) -> Option<&PublishedPeer> {
        self.scheme.peer.as_ref()
    }

    /// K_M, for those who compare it with what an attacker has.
    pub fn session_key(&self) -> Option<&Secret<32>> {
        self.scheme.channel.as_ref().map(Channel::k_m)
    }
}

/// Sends a message and waits for the next one.
pub(crate) fn ask<S: PublishedScheme>(cx: &Cx<'_>, io: &mut PublishedIo<'_, S>, to: &Addr, number: u8, body: &Body) {
    io.ask(cx.now, to, number, |w| {
        w.put(body.as_bytes());
    });
}

impl PublishedExchange<'_> {
    fn at_rest(&self) -> Result<(), Error> {
        if self.run.is_some() || self.phase1.is_under_way() { Err(Error::WrongState) } else { Ok(()) }
    }

    /// "The generation of a shared PMK": stored with the numbers that phase 2 needs.
    fn store(&mut self, io: &mut PublishedIo<'_, Self>, agreed: Agreed) {
        let mut zeros = Secret::zero();
        wire::copy(zeros.as_mut(), agreed.zeros.as_flattened());
        let version = self.peer.as_ref().map_or(0, |peer| peer.version);
        self.peer = Some(PublishedPeer { version, id: agreed.peer, pmk: agreed.pmk, zeros });
        io.want_store();
    }

    pub(super) fn zeros(&self) -> Result<(&Secret<32>, [&Number; 2]), Dropped> {
        self.peer.as_ref().map(|peer| (&peer.pmk, peer.zeros())).ok_or(Dropped::NoKey)
    }

    /// K_M is there.
    pub(super) fn complete(&mut self, io: &mut PublishedIo<'_, Self>, to: &Addr, k_m: Secret<32>, was_a: bool) {
        let mut fingerprint = Fingerprint([0; 10]);
        wire::copy(&mut fingerprint.0, &kdf::hash(&[k_m.expose()]));
        io.note(Event::Established { fingerprint, initiator: was_a });
        self.run = None;
        self.channel = Some(Channel::new(k_m, fingerprint, was_a));
        *io.peer = Some(*to);
    }

    fn on_phase1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        number: u8,
        body: &mut [u8],
    ) -> Result<(), Dropped> {
        let (device, pmk) = (&self.device, self.peer.as_ref().map(|peer| &peer.pmk));
        match number {
            message::M1 if self.at_rest().is_err() => return Err(Dropped::Unexpected),
            message::M1 => {
                let m2 = self.phase1.m2(cx, device, &TicketsOnly, pmk, body)?;
                ask(cx, io, from, message::M2, &m2);
            }
            message::M2 => {
                let m3 = self.phase1.m3(cx, device, &TicketsOnly, body)?;
                ask(cx, io, from, message::M3, &m3);
            }
            message::M3 => {
                let (m4, agreed) = self.phase1.m4(device, &TicketsOnly, body)?;
                self.store(io, agreed);
                io.tell(cx.now, from, message::M4, |w| _ = w.put(&m4));
            }
            _ => {
                let agreed = self.phase1.done(body)?;
                self.store(io, agreed);
                self.start(cx, io, from)?;
            }
        }
        Ok(())
    }
}

impl PublishedScheme for PublishedExchange<'_> {
    const NUMBER: u8 = crate::interactive::wire::NUMBER;
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
            message::M1..=message::M4 => self.on_phase1(cx, io, from, number, body),
            message::K1 => self.on_k1(cx, io, from, body),
            message::K2 => self.on_k2(cx, io, from, body),
            message::K3 => self.on_k3(cx, io, from, body),
            message::K4 => self.on_k4(io, from, body),
            message::DATA => {
                let payload = self.channel.as_ref().ok_or(Dropped::NoKey)?.open(body)?;
                return Ok(Some(Received { payload, time: None, place: &[] }));
            }
            _ => Err(Dropped::Version),
        }?;
        Ok(None)
    }

    fn missing(&mut self, io: &mut PublishedIo<'_, Self>) {
        let stage = if self.phase1.is_under_way() { Stage::Pairing } else { Stage::Exchange };
        if self.at_rest().is_err() {
            self.phase1.stop();
            self.run = None;
            io.note(Event::Failed { stage, reason: Reason::NoAnswer });
        }
    }

    fn seal(&mut self, _: &Cx<'_>, payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        self.channel.as_mut().ok_or(Error::NotEstablished)?.seal(payload, out)
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.channel.as_ref().map(|channel| channel.fingerprint)
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.peer.as_ref().map_or(Ok(0), |peer| peer.write(out))
    }

    fn next_version(&mut self) -> (Slot, u32) {
        let version = self.peer.as_mut().map_or(0, |peer| {
            peer.version = peer.version.saturating_add(1);
            peer.version
        });
        (self.slot, version)
    }

    fn blob(&self) -> Kind {
        Kind::PublishedInteractivePeer
    }
}
