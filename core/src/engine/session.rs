//! A session: the keys of both directions, how they move on, and the records under them.
//!
//! ```text
//!  a run's PRK --"key"--> key(initiator to responder) || key(responder to initiator)
//!       |-------"iv"---> iv || iv
//!       |------"root"--> R_g   --"next"--> R_{g+1} --"next"--> ...     one root, key pair and IV pair a generation
//!       '-----"master"-> exporter, resume root, key-update chain       fixed for the session
//! ```
//!
//! Rekeying costs no message: a side that has used a generation up seals under the next one, the peer sees it by the
//! generation bits, verifies, and follows. R_g is replaced by R_{g+1}, so earlier generations cannot be computed again.

use super::direction::{Direction, traffic};
use super::drops::Dropped;
use super::transcript::Transcript;
use super::window::Window;
use super::wire;
use crate::association::{Error, Fingerprint, Instant};
use crate::crypto::sha256::Hmac;
use crate::crypto::{Prk, Secret, Suite};
use core::fmt;

/// Records, or failed openings, after which a generation is replaced.
pub const REKEY_AFTER: u32 = 1 << 20;
/// Failed openings after which a key is dead, whatever the peer does.
pub const FAILURES_MAX: u32 = 1 << 23;
/// Records that a side still seals under a generation that the peer has not followed to, beyond [`REKEY_AFTER`].
const GRACE: u32 = 1 << 19;

/// A connection id: 0 to 8 bytes, chosen by whoever receives under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionId {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl ConnectionId {
    /// The longest connection id in bytes.
    pub const MAX: usize = 8;
    /// No connection id: the peer is known by its address.
    pub const NONE: Self = Self { len: 0, bytes: [0; Self::MAX] };

    /// A connection id from its bytes; `None` for more than 8.
    pub fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { len: id.len() as u8, bytes })
    }
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or(&[])
    }
    /// Its length in bytes.
    pub const fn len(&self) -> usize {
        self.len as usize
    }
    /// Whether it is empty.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

/// What a run yields, before it is put to use: its PRK and its last transcript. A session's keys come from these two when
/// there is a [`Session`]; until then a run keeps half of what they would take.
#[derive(Clone)]
pub struct Keys {
    prk: Hmac,
    th: Transcript,
}

impl Keys {
    /// None yet: a place for [`keep`](Self::keep) to fill.
    pub const fn none() -> Self {
        Self { prk: Hmac::none(), th: Transcript::NONE }
    }

    /// The session's keys will come from a run's PRK and its last transcript.
    pub fn keep(&mut self, prk: &Prk, th: &Transcript) {
        self.prk.clone_from(prk.mac());
        self.th = *th;
    }

    /// The master of that session, in the scheme of that name: see [`Session::master`].
    pub fn master(&self, scheme: &'static str) -> Prk {
        let mut master = Secret::<32>::zero();
        Prk::of(scheme, &self.prk).expand("mast", &[self.th.as_bytes()], master.as_mut());
        Prk::new(scheme, master.expose())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// What a scheme's sessions have in common, looked up for each call in place of being kept in every session.
#[derive(Clone, Copy, Debug)]
pub struct Common {
    /// The cipher suite.
    pub suite: &'static Suite,
    /// The scheme's name in the KDF.
    pub scheme: &'static str,
    /// Records after which a generation is replaced.
    pub rekey_after: u32,
}

/// What opens the records of a generation that this side has left.
#[derive(Debug)]
pub struct Left {
    generation: u32,
    recv: Direction,
    window: Window,
}

/// What belongs to one generation.
struct Generation {
    root: Secret<32>,
    send: Direction,
    recv: Direction,
}

/// What `open` found in a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whether it is a control record.
    pub control: bool,
    /// Its full sequence number.
    pub number: u32,
    /// The generation that it came under.
    pub generation: u32,
    /// Whether it is the newest so far (an address is believed only from the newest record).
    pub newest: bool,
    /// Whether it moved this side to the next generation.
    pub ratcheted: bool,
    /// Where in the datagram the plaintext lies.
    pub start: usize,
    /// Length of the plaintext in bytes.
    pub len: usize,
}

/// Which of the two moved to this side's generation first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    /// Neither, or both are known to have moved.
    Together,
    /// This side; it receives under the generation before until the peer follows.
    Ahead,
    /// The peer, and this side followed.
    Behind,
}

/// The keys and counters of an established session.
#[derive(Debug)]
pub struct Session {
    send: Direction,
    recv: Direction,
    root: Secret<32>,
    master: Secret<32>,
    fingerprint: Fingerprint,
    window: Window,
    sent: u32,
    failures: u32,
    /// Generation that this side sends under; it receives under the same, or the one before while ahead.
    generation: u32,
    moved: Moved,
    pub(crate) initiator: bool,
    id: u32,
    cid: ConnectionId,
    pub(crate) started: Instant,
    /// After `started`, in units of 1 024 ms (no division of 64 bits), rounded down.
    secret_since: u32,
    pub(crate) healed: bool,
    secret: bool,
    /// Its long-term key is replaced: the session only waits for its end, the application sends no more.
    pub(crate) closing: bool,
}

/// What a session is called and how it starts, apart from its keys.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// The name that the scheme has for this session; both sides know it.
    pub id: u32,
    /// The first generation's number.
    pub generation: u32,
    /// Whether this side started the run.
    pub initiator: bool,
    /// The connection id that the peer wants to see.
    pub cid: ConnectionId,
    /// When the session began.
    pub now: Instant,
    /// Whether fresh Diffie-Hellman went into it.
    pub healed: bool,
    /// Whether what was sent before stays secret if all that this device holds now is stolen.
    pub secret: bool,
}

impl Session {
    /// A session under a run's keys.
    pub fn new(common: &Common, keys: &Keys, terms: &Terms) -> Self {
        let mut session = Self::without_keys(terms);
        session.derive(common, keys);
        session
    }

    /// As [`new`](Self::new), but made where it stays: each copy would take 200 bytes of the stack.
    pub(crate) fn begin(place: &mut Option<Self>, common: &Common, keys: &Keys, terms: &Terms) {
        Self::replace(place, terms);
        if let Some(session) = place {
            session.derive(common, keys);
        }
    }

    #[inline(never)]
    fn replace(place: &mut Option<Self>, terms: &Terms) {
        *place = Some(Self::without_keys(terms));
    }

    const fn without_keys(terms: &Terms) -> Self {
        Self {
            send: Direction::none(),
            recv: Direction::none(),
            root: Secret::zero(),
            master: Secret::zero(),
            fingerprint: Fingerprint([0; 10]),
            window: Window::new(),
            sent: 0,
            failures: 0,
            generation: terms.generation,
            moved: Moved::Together,
            initiator: terms.initiator,
            id: terms.id,
            cid: terms.cid,
            started: terms.now,
            secret_since: 0,
            healed: terms.healed,
            secret: terms.secret,
            closing: false,
        }
    }

    #[inline(never)]
    fn derive(&mut self, common: &Common, keys: &Keys) {
        let (prk, context) = (Prk::of(common.scheme, &keys.prk), [&keys.th.as_bytes()[..]]);
        wire::copy(&mut self.fingerprint.0, keys.th.as_bytes());
        prk.expand("root", &context, self.root.as_mut());
        prk.expand("mast", &context, self.master.as_mut());
        traffic(common.suite, &prk, &context, self.initiator, &mut self.send, &mut self.recv);
    }

    /// The session's name.
    pub const fn id(&self) -> u32 {
        self.id
    }
    /// Whether this side started the run that led to it.
    pub const fn is_initiator(&self) -> bool {
        self.initiator
    }
    /// The generation that this side sends under.
    pub const fn generation(&self) -> u32 {
        self.generation
    }
    /// The connection id that the peer wants to see.
    pub const fn cid(&self) -> &ConnectionId {
        &self.cid
    }
    /// How many records this side has sealed in this generation.
    pub const fn sent(&self) -> u32 {
        self.sent
    }
    /// Whether this side moved to its generation because the peer had.
    pub fn has_followed(&self) -> bool {
        self.moved == Moved::Behind
    }
    /// Since when what was sent stays secret if all that this device holds now is stolen; `None`: it does not.
    pub fn secret_since(&self) -> Option<Instant> {
        self.secret.then(|| self.started.plus(u64::from(self.secret_since) << 10))
    }
    /// The keys before are gone, and with them what was sent until now.
    pub(crate) fn is_secret_from(&mut self, now: Instant) {
        self.secret = true;
        self.secret_since = (now.0.saturating_sub(self.started.0) >> 10) as u32;
    }
    /// Moves to the next generation if this one is used up; returns whether it did.
    ///
    /// # Errors
    /// [`Error::KeyExhausted`] where the peer never followed to a newer generation.
    pub fn prepare(&mut self, common: &Common) -> Result<bool, Error> {
        if self.moved == Moved::Ahead {
            let end = common.rekey_after.saturating_add(GRACE);
            return if self.sent >= end { Err(Error::KeyExhausted) } else { Ok(false) };
        }
        let used_up = self.sent >= common.rekey_after || self.failures >= common.rekey_after;
        if used_up {
            self.step_ahead(common);
        }
        Ok(used_up)
    }
    /// Bytes before a record's ciphertext.
    pub const fn header_len(&self) -> usize {
        self.cid.len().saturating_add(3)
    }
    /// Bytes that a record has more than its plaintext.
    pub fn overhead(&self, suite: &Suite) -> usize {
        self.header_len().saturating_add(suite.aead.tag_len())
    }

    /// The PRK behind exporter, resume and key update, in the scheme of that name.
    pub fn master(&self, scheme: &'static str) -> Prk {
        Prk::new(scheme, self.master.expose())
    }

    /// 80 bits for people, the same on both sides: of the transcript, whose keys nobody but the two have.
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Seals what lies in `out` from [`header_len`](Self::header_len) on, `len` bytes of it, and writes the header
    /// before and the tag behind. Returns the record's length and whether this moved to the next generation.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`]; [`Error::KeyExhausted`] where the peer never followed to a newer generation.
    pub fn seal(&mut self, common: &Common, control: bool, out: &mut [u8], len: usize) -> Result<(usize, bool), Error> {
        let suite = common.suite;
        let needed = len.saturating_add(self.overhead(suite));
        if out.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let ratcheted = self.prepare(common)?;
        let (header, header_len) = self.header(control, self.sent as u16);
        let header = header.get(..header_len).unwrap_or(&[]);
        wire::copy(out, header);
        let (_, body) = out.split_at_mut_checked(header_len).ok_or(Error::BufferTooSmall { needed })?;
        let (text, rest) = body.split_at_mut_checked(len).ok_or(Error::BufferTooSmall { needed })?;
        let tag = rest.get_mut(..suite.aead.tag_len()).ok_or(Error::BufferTooSmall { needed })?;
        self.send.seal(suite, self.sent, self.generation, header, text, tag);
        self.sent = self.sent.saturating_add(1);
        Ok((needed, ratcheted))
    }

    /// What the two sides hold of a record and nobody else does, unique to it and free: its tag (zeros behind a short one)
    /// xor its nonce. `sent`: this side sealed it under its present keys; else it opened it under them.
    pub fn witness(&self, suite: &Suite, sent: bool, number: u32, tag: &[u8]) -> [u8; 16] {
        let direction = if sent { &self.send } else { &self.recv };
        let mut witness = [0; 16];
        wire::copy(&mut witness, &direction.nonce(suite, number).0);
        witness.iter_mut().zip(tag).for_each(|(w, t)| *w ^= t);
        witness
    }

    /// Opens a record in place. `cid_len` is the length of this side's connection id.
    ///
    /// # Errors
    /// Why it is dropped; nothing but the count of failures has changed then.
    pub fn open(&mut self, common: &Common, cid_len: usize, datagram: &mut [u8]) -> Result<Opened, Dropped> {
        let suite = common.suite;
        if self.failures >= FAILURES_MAX {
            return Err(Dropped::NoKey);
        }
        let header_len = cid_len.saturating_add(3);
        let (header, body) = datagram.split_at_mut_checked(header_len).ok_or(Dropped::Malformed)?;
        let len = body.len().checked_sub(suite.aead.tag_len()).ok_or(Dropped::Malformed)?;
        let (text, tag) = body.split_at_mut_checked(len).ok_or(Dropped::Malformed)?;
        let first = header.first().copied().unwrap_or(0);
        let low = header.last_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));

        // A side that is ahead may find its peer one further still: the peer followed, and used that generation up before
        // any record of it arrived here.
        let ahead = self.moved == Moved::Ahead;
        let receiving = if ahead { self.generation.saturating_sub(1) } else { self.generation };
        let distance = u32::from(first & 3).wrapping_sub(receiving) & 3;
        if distance > if ahead { 2 } else { 1 } {
            return Err(Dropped::NoKey);
        }
        let same = distance == 0;
        let generation = receiving.saturating_add(distance);
        let fresh = Window::new();
        let window = if same { &self.window } else { &fresh };
        let number = window.expand(low);
        if !window.is_new(number) {
            return Err(Dropped::Replayed);
        }
        // The next generation's key is computed for this record alone, and kept only if the record verifies.
        let steps = distance > u32::from(ahead);
        let next = if same { None } else { Some(self.peek(common, steps)) };
        let direction = next.as_ref().map_or(&self.recv, |next| &next.recv);
        if !direction.open(suite, number, generation, header, text, tag) {
            self.failures = self.failures.saturating_add(1);
            return Err(Dropped::Forged);
        }
        let ratcheted = next.is_some();
        if let Some(next) = next {
            self.recv = next.recv;
            self.window = Window::new();
            self.failures = 0;
            if steps {
                self.root = next.root;
                self.send = next.send;
                self.sent = 0;
                self.generation = generation;
            }
            self.moved = if steps { Moved::Behind } else { Moved::Together };
        }
        let newest = self.window.accept(number);
        Ok(Opened {
            control: first & wire::CONTROL != 0,
            number,
            generation,
            newest,
            ratcheted,
            start: header_len,
            len,
        })
    }

    /// As [`open`](Self::open) where a scheme makes the generations: those before and after this one are accepted too.
    /// `next` is the secret of the one after, where it is known already; a record that verifies under it
    /// [`enter`](Self::enter)s it. What is not known costs nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_near(
        &mut self,
        common: &Common,
        left: &mut Option<Left>,
        next: Option<&Secret<32>>,
        cid_len: usize,
        datagram: &mut [u8],
    ) -> Result<Opened, Dropped> {
        let suite = common.suite;
        if self.failures >= FAILURES_MAX {
            return Err(Dropped::NoKey);
        }
        let start = cid_len.saturating_add(3);
        let (header, body) = datagram.split_at_mut_checked(start).ok_or(Dropped::Malformed)?;
        let len = body.len().checked_sub(suite.aead.tag_len()).ok_or(Dropped::Malformed)?;
        let (text, tag) = body.split_at_mut_checked(len).ok_or(Dropped::Malformed)?;
        let first = header.first().copied().unwrap_or(0);
        let low = header.last_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));
        let fresh = Window::new();
        let distance = u32::from(first & 3).wrapping_sub(self.generation) & 3;
        let (generation, window) = match (distance, left.as_ref(), next) {
            (0, _, _) => (self.generation, &self.window),
            (1, _, Some(_)) => (self.generation.saturating_add(1), &fresh),
            (3, Some(left), _) if left.generation.saturating_add(1) == self.generation => {
                (left.generation, &left.window)
            }
            _ => return Err(Dropped::NoKey),
        };
        let number = window.expand(low);
        // A number that was seen does not make it a copy: two bits say little of the generation.
        let replayed = !window.is_new(number);
        let opened = match (distance, &left, next) {
            (3, Some(left), _) => left.recv.open(suite, number, generation, header, text, tag),
            (1, _, Some(next)) => self.made(common, next).1.open(suite, number, generation, header, text, tag),
            _ => self.recv.open(suite, number, generation, header, text, tag),
        };
        if !opened {
            self.failures = self.failures.saturating_add(1);
            return Err(Dropped::Forged);
        }
        if replayed {
            return Err(Dropped::Replayed);
        }
        let newest = match (distance, &mut *left, next) {
            (3, Some(left), _) => {
                left.window.accept(number);
                false
            }
            (1, _, Some(next)) => {
                *left = Some(self.enter(common, generation, next));
                self.window.accept(number)
            }
            _ => self.window.accept(number),
        };
        let control = first & wire::CONTROL != 0;
        Ok(Opened { control, number, generation, newest, ratcheted: distance == 1, start, len })
    }

    /// Sends and receives under a generation that the scheme made, from its secret and from what the run (or the last
    /// resume) left: who went on from stored state never comes back to keys that there were. From here on the engine makes no
    /// generation by itself.
    pub fn enter(&mut self, common: &Common, generation: u32, secret: &Secret<32>) -> Left {
        let (send, recv) = self.made(common, secret);
        let left = Left {
            generation: self.generation,
            recv: core::mem::replace(&mut self.recv, recv),
            window: core::mem::replace(&mut self.window, Window::new()),
        };
        self.send = send;
        self.sent = 0;
        self.failures = 0;
        self.generation = generation;
        self.moved = Moved::Ahead;
        left
    }

    /// Sending and receiving under a generation that a scheme made.
    fn made(&self, common: &Common, secret: &Secret<32>) -> (Direction, Direction) {
        let prk = Prk::extract(common.scheme, &[self.root.expose()], &[secret.expose()]);
        let (mut send, mut recv) = (Direction::none(), Direction::none());
        traffic(common.suite, &prk, &[], self.initiator, &mut send, &mut recv);
        (send, recv)
    }

    /// Moves this side's sending to the next generation.
    fn step_ahead(&mut self, common: &Common) {
        let next = self.peek(common, true);
        self.root = next.root;
        self.send = next.send;
        self.sent = 0;
        self.generation = self.generation.saturating_add(1);
        self.moved = Moved::Ahead;
    }

    /// The keys of the generation that this side sends under, or (`next`) of the one after it.
    fn peek(&self, common: &Common, next: bool) -> Generation {
        let root =
            if next { Prk::new(common.scheme, self.root.expose()).secret("next", &[]) } else { self.root.clone() };
        let prk = Prk::new(common.scheme, root.expose());
        let mut keys = Generation { root, send: Direction::none(), recv: Direction::none() };
        traffic(common.suite, &prk, &[], self.initiator, &mut keys.send, &mut keys.recv);
        keys
    }

    fn header(&self, control: bool, low: u16) -> ([u8; 3 + ConnectionId::MAX], usize) {
        let mut header = [0; 3 + ConnectionId::MAX];
        let mut w = wire::Writer::new(&mut header);
        let flags = if control { wire::RECORD | wire::CONTROL } else { wire::RECORD };
        w.put(&[wire::VERSION << 4 | flags | (self.generation & 3) as u8])
            .put(self.cid.as_bytes())
            .put(&low.to_be_bytes());
        let len = w.len();
        (header, len)
    }
}
