//! The association of two devices of one operator: phase 1 as in the interactive scheme, then messages under `K_t`.

use super::operator::PublishedCredential;
use super::progression::PublishedProgression;
use crate::association::{Addr, Cx, Error, Event, Fingerprint, Instant, Reason, Received, Slot, Stage};
use crate::crypto::{Secret, kdf};
use crate::engine::drops::Dropped;
use crate::engine::published::{PublishedEndpoint, PublishedIo, PublishedScheme, encrypt};
use crate::engine::state::Kind;
use crate::engine::wire;
use crate::interactive::published::phase1::{Agreed, Phase1, bad};
use crate::interactive::published::wire::{PublishedBuffer, message};
use crate::interactive::published::{PublishedDevice, PublishedTerms, ask};

/// The noninteractive scheme between this device and one peer, as published.
pub type PublishedNoninteractive<'d> = PublishedEndpoint<PublishedSelfCertified<'d>>;

/// The scheme's part of a [`PublishedNoninteractive`].
#[derive(Debug)]
pub struct PublishedSelfCertified<'d> {
    device: PublishedDevice<'d>,
    credential: PublishedCredential,
    slot: Slot,
    phase1: Phase1,
    state: Option<PublishedProgression>,
    began: Instant,
    next: u32,
    /// The last session key that was computed.
    cached: Option<(u32, Secret<32>)>,
}

/// Bytes before a message of the application's: t and its number.
pub const DATA_HEAD: usize = 8;

impl<'d> PublishedNoninteractive<'d> {
    /// An association at rest: it answers the peer's phase 1, and starts one on [`connect`](Self::connect). What phase 1
    /// gives is stored in `slot`.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where the ticket's key is not the credential's.
    pub fn open(device: PublishedDevice<'d>, credential: PublishedCredential, slot: Slot) -> Result<Self, Error> {
        if device.x != *credential.private_key() || device.name != *credential.id() {
            return Err(Error::BadArgument);
        }
        let (phase1, began) = (Phase1::default(), Instant(0));
        let scheme =
            PublishedSelfCertified { device, credential, slot, phase1, state: None, began, next: 0, cached: None };
        Ok(Self::new(scheme))
    }

    /// Starts phase 1 with the device at this address, whoever it is.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a run is under way; [`Error::Rng`].
    pub fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr, terms: PublishedTerms) -> Result<(), Error> {
        self.drained()?;
        self.with(|scheme, io| {
            if scheme.phase1.is_under_way() {
                return Err(Error::WrongState);
            }
            let pmk = scheme.state.as_ref().map(|state| &state.pmk);
            let m1 = scheme.phase1.m1(cx, &scheme.device, terms, pmk).map_err(|_| Error::Rng)?;
            ask(cx, io, to, message::M1, &m1);
            Ok(())
        })
    }

    /// What phase 1 left.
    pub fn progression(&self) -> Option<&PublishedProgression> {
        self.scheme.state.as_ref()
    }
}

impl PublishedSelfCertified<'_> {
    fn agree(&mut self, cx: &Cx<'_>, io: &mut PublishedIo<'_, Self>, from: &Addr, agreed: Agreed, was_a: bool) {
        let version = self.state.as_ref().map_or(0, |state| state.version);
        let mut state = PublishedProgression::new(self.device.name, &self.device.x, was_a, agreed);
        state.version = version;
        self.began = cx.now;
        self.next = u32::from(!was_a);
        self.cached = None;
        let fingerprint = fingerprint(&state);
        self.state = Some(state);
        *io.peer = Some(*from);
        io.note(Event::Established { fingerprint, initiator: was_a });
        io.want_store();
    }

    /// `K_t`, computed once.
    fn session_key(&mut self, t: u32) -> Result<&Secret<32>, Dropped> {
        let state = self.state.as_ref().ok_or(Dropped::NoKey)?;
        if t == 0 || t > state.terms.length {
            return Err(Dropped::NoKey);
        }
        if self.cached.as_ref().is_none_or(|(cached, _)| *cached != t) {
            self.cached = Some((t, state.session_key(self.credential.group, t).map_err(bad)?));
        }
        self.cached.as_ref().map(|(_, key)| key).ok_or(Dropped::NoKey)
    }

    /// `t = 1 + (time since phase 1) / T`, up to F.
    fn now(&self, cx: &Cx<'_>) -> Option<u32> {
        let terms = self.state.as_ref()?.terms;
        let seconds = cx.now.0.saturating_sub(self.began.0).checked_div(1000)?;
        let passed = seconds.checked_div(u64::from(terms.interval)).unwrap_or(0);
        let t = u32::try_from(passed).ok()?.checked_add(1)?;
        (t <= terms.length && seconds < u64::from(terms.life)).then_some(t)
    }

    fn on_phase1(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        number: u8,
        body: &mut [u8],
    ) -> Result<(), Dropped> {
        let (device, credential) = (&self.device, &self.credential);
        match number {
            message::M1 if self.phase1.is_under_way() => return Err(Dropped::Unexpected),
            message::M1 => {
                let pmk = self.state.as_ref().map(|state| &state.pmk);
                let m2 = self.phase1.m2(cx, device, credential, pmk, body)?;
                ask(cx, io, from, message::M2, &m2);
            }
            message::M2 => {
                let m3 = self.phase1.m3(cx, device, credential, body)?;
                ask(cx, io, from, message::M3, &m3);
            }
            message::M3 => {
                let (m4, agreed) = self.phase1.m4(device, credential, body)?;
                self.agree(cx, io, from, agreed, false);
                io.tell(cx.now, from, message::M4, |w| _ = w.put(&m4));
            }
            _ => {
                let agreed = self.phase1.done(body)?;
                io.rest();
                self.agree(cx, io, from, agreed, true);
            }
        }
        Ok(())
    }

    /// `t | number | Encrypt(Data)`.
    fn on_data<'b>(&mut self, body: &'b mut [u8]) -> Result<&'b [u8], Dropped> {
        let (head, text) = body.split_first_chunk_mut::<DATA_HEAD>().ok_or(Dropped::Malformed)?;
        let [a, b, c, d, number @ ..] = *head;
        let key = self.session_key(u32::from_be_bytes([a, b, c, d]))?;
        encrypt(key.expose(), u32::from_be_bytes(number), text);
        Ok(text)
    }
}

fn fingerprint(state: &PublishedProgression) -> Fingerprint {
    let mut fingerprint = Fingerprint([0; 10]);
    wire::copy(&mut fingerprint.0, &kdf::hash(&[state.v().expose()]));
    fingerprint
}

impl PublishedScheme for PublishedSelfCertified<'_> {
    const NUMBER: u8 = 2;
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
            message::M1..=message::M4 => self.on_phase1(cx, io, from, number, body).map(|()| None),
            message::DATA => {
                let payload = self.on_data(body)?;
                Ok(Some(Received { payload, time: None, place: &[] }))
            }
            _ => Err(Dropped::Version),
        }
    }

    fn missing(&mut self, io: &mut PublishedIo<'_, Self>) {
        if self.phase1.is_under_way() {
            self.phase1.stop();
            io.note(Event::Failed { stage: Stage::Pairing, reason: Reason::NoAnswer });
        }
    }

    fn seal(&mut self, cx: &Cx<'_>, payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        if self.state.is_none() {
            return Err(Error::NotEstablished);
        }
        let t = self.now(cx).ok_or(Error::KeyExhausted)?;
        let number = self.next;
        let next = number.checked_add(2).ok_or(Error::KeyExhausted)?;
        let needed = payload.len().saturating_add(DATA_HEAD);
        let body = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let (head, text) = body.split_at_mut(DATA_HEAD);
        wire::copy(head, [t.to_be_bytes(), number.to_be_bytes()].as_flattened());
        text.copy_from_slice(payload);
        encrypt(self.session_key(t).map_err(|_| Error::KeyExhausted)?.expose(), number, text);
        self.next = next;
        Ok(needed)
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.state.as_ref().map(fingerprint)
    }

    fn save(&self, out: &mut [u8]) -> Result<usize, usize> {
        self.state.as_ref().map_or(Ok(0), |state| state.write(out))
    }

    fn next_version(&mut self) -> (Slot, u32) {
        let version = self.state.as_mut().map_or(0, |state| {
            state.version = state.version.saturating_add(1);
            state.version
        });
        (self.slot, version)
    }

    fn blob(&self) -> Kind {
        Kind::PublishedNoninteractivePeer
    }
}
