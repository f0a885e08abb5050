//! Drives a scheme's *Published* profile: what a paper prints, for study.
//!
//! It shares the verbs, the flights, the byte views and the drop counters with the Hardened profile, and nothing that
//! makes that one safe: no sessions, cookies, fragments, retransmission, resume or proof of addresses, since the papers
//! have none. Hence an endpoint of its own: [`Endpoint`](super::Endpoint) does not know that this exists.
//!
//! ```text
//! message   1111 0 sss | mmmm 0000 | body      sss: scheme; mmmm: message number
//! ```
//! Wire version 15: no Hardened parser takes it, and this takes no other.

use super::drops::{Dropped, Drops};
use super::flight::{Due, Flight};
use super::outbox::Store;
use super::state;
use super::wire::{HEADER_LEN, Writer};
use crate::association::{
    Addr, Association, Assurance, Authenticated, Cx, Device, Error, Event, Fingerprint, Instant, Output, Received,
    Sent, Slot, StoreError,
};
use crate::crypto::kdf;

/// The wire version of the Published profile.
pub const PUBLISHED_VERSION: u8 = 15;

/// In every artefact that has this profile in it, for those who look for it there.
#[used]
static PUBLISHED_MARK: [u8; 40] = *b"iotkm: Published profile, for study only";

/// The two bytes before a message's body.
pub const fn published_header(scheme: u8, message: u8) -> [u8; HEADER_LEN] {
    [PUBLISHED_VERSION << 4 | (scheme & 7), message << 4]
}

/// Encryption where a paper does not say which, and back: XOR with SHA-256(key | number | block) for the blocks 0, 1, 2 ...
/// of 32 bytes.
pub fn encrypt(key: &[u8; 32], number: u32, text: &mut [u8]) {
    for (block, chunk) in text.chunks_mut(32).enumerate() {
        let stream = kdf::hash(&[key, &number.to_be_bytes(), &(block as u32).to_be_bytes()]);
        chunk.iter_mut().zip(stream).for_each(|(t, s)| *t ^= s);
    }
}

/// A scheme as its paper prints it. The [`PublishedEndpoint`] does the rest.
pub trait PublishedScheme: Sized {
    /// Its number on the wire, 1 to 7.
    const NUMBER: u8;
    /// Message number of the application's data.
    const DATA: u8;
    /// An array that holds [`flight::ROOM`](super::flight::ROOM) bytes and its longest message.
    type Flight: AsRef<[u8]> + AsMut<[u8]> + Default;

    /// A message's body. What it carries for the application is opened in place.
    ///
    /// # Errors
    /// Why it is dropped.
    fn message<'b>(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut PublishedIo<'_, Self>,
        from: &Addr,
        number: u8,
        body: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Dropped>;

    /// What the last message waits for has not come: the run fails.
    fn missing(&mut self, io: &mut PublishedIo<'_, Self>);

    /// Writes the body of a data message; its length.
    ///
    /// # Errors
    /// As [`Association::send`].
    fn seal(&mut self, _cx: &Cx<'_>, _payload: &[u8], _out: &mut [u8]) -> Result<usize, Error> {
        Err(Error::NotEstablished)
    }

    /// Fingerprint of the channel's keys, where there is a channel.
    fn fingerprint(&self) -> Option<Fingerprint> {
        None
    }

    /// Writes the state to be stored; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    fn save(&self, out: &mut [u8]) -> Result<usize, usize>;

    /// Where the state goes, and a number for this write, one above the last.
    fn next_version(&mut self) -> (Slot, u32);

    /// What the state is sealed as.
    fn blob(&self) -> state::Kind;
}

/// Places for events that wait: no call makes more.
const EVENTS: usize = 3;

/// What the endpoint lends a scheme during one call.
#[derive(Debug)]
pub struct PublishedIo<'a, S: PublishedScheme> {
    flight: &'a mut Flight<S::Flight>,
    events: &'a mut [Option<Event>; EVENTS],
    store: &'a mut Store,
    /// The peer's address.
    pub peer: &'a mut Option<Addr>,
}

impl<S: PublishedScheme> PublishedIo<'_, S> {
    fn load(&mut self, to: &Addr, number: u8, body: impl FnOnce(&mut Writer<'_>)) {
        self.flight.reset(*to, None);
        self.flight.load(false, |w| {
            w.put(&published_header(S::NUMBER, number));
            body(w);
        });
    }

    /// Sends a message and waits for the next one: "Receive(timeout)".
    pub fn ask(&mut self, now: Instant, to: &Addr, number: u8, body: impl FnOnce(&mut Writer<'_>)) {
        self.load(to, number, body);
        self.flight.launch(now, 1);
    }

    /// Sends a message that nothing follows.
    pub fn tell(&mut self, now: Instant, to: &Addr, number: u8, body: impl FnOnce(&mut Writer<'_>)) {
        self.load(to, number, body);
        self.flight.answer_briefly(now);
    }

    /// Nothing is waited for any more.
    pub fn rest(&mut self) {
        self.flight.stop();
    }

    /// Notes something for the application.
    pub fn note(&mut self, event: Event) {
        if let Some(free) = self.events.iter_mut().find(|e| e.is_none()) {
            *free = Some(event);
        }
    }

    /// The scheme's state has changed: it is stored before anything else leaves.
    pub fn want_store(&mut self) {
        *self.store = Store::Wanted;
    }
}

/// One scheme with one peer, as the paper has it. Weak on purpose.
#[derive(Debug)]
pub struct PublishedEndpoint<S: PublishedScheme> {
    pub(crate) scheme: S,
    flight: Flight<S::Flight>,
    events: [Option<Event>; EVENTS],
    store: Store,
    peer: Option<Addr>,
    drops: Drops,
}

impl<S: PublishedScheme> PublishedEndpoint<S> {
    pub(crate) fn new(scheme: S) -> Self {
        let (flight, events) = (Flight::default(), [None; EVENTS]);
        Self { scheme, flight, events, store: Store::Clean, peer: None, drops: Drops::new() }
    }

    /// Calls into the scheme with what it may touch.
    pub(crate) fn with<T>(&mut self, f: impl FnOnce(&mut S, &mut PublishedIo<'_, S>) -> T) -> T {
        let Self { scheme, flight, events, store, peer, .. } = self;
        f(scheme, &mut PublishedIo { flight, events, store, peer })
    }

    pub(crate) fn drained(&self) -> Result<(), Error> {
        if self.events.iter().any(Option::is_some) && self.store == Store::Clean {
            Err(Error::Undrained)
        } else {
            Ok(())
        }
    }

    fn input<'b>(&mut self, cx: &mut Cx<'_>, from: &Addr, datagram: &'b mut [u8]) -> Opened<'b> {
        let (head, body) = datagram.split_first_chunk_mut::<HEADER_LEN>().ok_or(Dropped::Malformed)?;
        let number = head.last().map_or(0, |second| second >> 4);
        if *head != published_header(S::NUMBER, number) {
            return Err(Dropped::Version);
        }
        self.with(|scheme, io| scheme.message(cx, io, from, number, body))
    }

    fn persist<'o>(&mut self, device: &Device, out: &'o mut [u8]) -> Output<'o> {
        let room = out.get_mut(state::OVERHEAD..).unwrap_or(&mut []);
        let len = match self.scheme.save(room) {
            Ok(len) => len,
            Err(needed) => return Output::BufferTooSmall { needed: needed.saturating_add(state::OVERHEAD) },
        };
        let (slot, version) = self.scheme.next_version();
        match state::seal(device, self.scheme.blob(), version, out, len) {
            Ok(len) => {
                self.store = Store::Asked;
                Output::Persist { slot, version, bytes: out.get(..len).unwrap_or(&[]) }
            }
            Err(_) => Output::BufferTooSmall { needed: len.saturating_add(state::OVERHEAD) },
        }
    }
}

type Opened<'b> = Result<Option<Received<'b>>, Dropped>;

impl<S: PublishedScheme> Association for PublishedEndpoint<S> {
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error> {
        self.drained()?;
        let to = self.peer.ok_or(Error::NotEstablished)?;
        let short = Error::BufferTooSmall { needed: HEADER_LEN };
        let (head, body) = out.split_first_chunk_mut::<HEADER_LEN>().ok_or(short)?;
        *head = published_header(S::NUMBER, S::DATA);
        let len = self.scheme.seal(cx, payload, body).map_err(|error| match error {
            Error::BufferTooSmall { needed } => Error::BufferTooSmall { needed: needed.saturating_add(HEADER_LEN) },
            error => error,
        })?;
        Ok(Sent { to, bytes: out.get(..len.saturating_add(HEADER_LEN)).unwrap_or(&[]) })
    }

    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error> {
        self.drained()?;
        match self.input(cx, from, datagram) {
            Ok(received) => Ok(received),
            Err(reason) => {
                self.drops.count(reason);
                if reason == Dropped::Rng { Err(Error::Rng) } else { Ok(None) }
            }
        }
    }

    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.drained()?;
        if self.flight.due(cx.now) == Due::Over {
            self.with(|scheme, io| scheme.missing(io));
        }
        Ok(())
    }

    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>) {
        if self.store != Store::Asked {
            return;
        }
        self.store = Store::Clean;
        if stored.is_err() {
            // "SecureStore" failed: what was to follow it does not.
            self.flight.stop();
            self.with(|_, io| io.note(Event::StoreFailed { slot }));
        }
    }

    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o> {
        match self.store {
            Store::Wanted => return self.persist(cx.device, out),
            Store::Clean => {}
            _ => return Output::Idle { wake_at: self.flight.timer() },
        }
        if let Some(event) = self.events.iter_mut().find_map(Option::take) {
            return Output::Event(event);
        }
        if !self.flight.is_pending() {
            return Output::Idle { wake_at: self.flight.timer() };
        }
        match self.flight.write(usize::MAX, out) {
            Ok(len) => Output::Datagram { to: self.flight.to, bytes: out.get(..len).unwrap_or(&[]) },
            Err(needed) => Output::BufferTooSmall { needed },
        }
    }

    /// The papers have none: always [`Error::WrongState`].
    fn exporter(&self, _label: &[u8], _context: &[u8], _out: &mut [u8]) -> Result<(), Error> {
        Err(Error::WrongState)
    }

    /// The papers have none: always [`Error::WrongState`].
    fn export(&self, _cx: &mut Cx<'_>, _out: &mut [u8]) -> Result<usize, Error> {
        Err(Error::WrongState)
    }

    fn is_established(&self) -> bool {
        self.scheme.fingerprint().is_some()
    }

    fn peer_addr(&self) -> Option<Addr> {
        self.peer
    }

    /// Nobody is authenticated and nothing is promised, whatever the paper says.
    fn assurance(&self) -> Option<Assurance> {
        self.scheme.fingerprint().map(|_| Assurance {
            authenticated: Authenticated::Nobody,
            forward_secrecy_since: None,
            healing_since: None,
            clock: false,
            budget: u32::MAX,
        })
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.scheme.fingerprint()
    }

    fn drops(&self) -> &Drops {
        &self.drops
    }
}
