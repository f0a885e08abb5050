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

use super::drops::Dropped;
use super::transcript::Transcript;
use super::window::Window;
use super::wire;
use crate::association::{Error, Fingerprint, Instant};
use crate::crypto::aead::{MAX_KEY, MAX_NONCE};
use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret, Suite};

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

/// What a run yields, before it is put to use.
#[derive(Clone, Debug)]
pub struct Keys {
    key: Secret<{ 2 * MAX_KEY }>,
    iv: Secret<{ 2 * MAX_NONCE }>,
    root: Secret<32>,
    master: Secret<32>,
    fingerprint: Fingerprint,
}

impl Keys {
    /// None yet: a place for [`derive`](Self::derive) to fill, which would cost the stack twice as a value.
    pub const fn none() -> Self {
        Self {
            key: Secret::zero(),
            iv: Secret::zero(),
            root: Secret::zero(),
            master: Secret::zero(),
            fingerprint: Fingerprint([0; 10]),
        }
    }

    /// All of a session's keys from a run's PRK and its last transcript.
    pub fn derive(&mut self, suite: &Suite, prk: &Prk, th: &Transcript) {
        let context: [&[u8]; 1] = [th.as_bytes()];
        traffic(suite, prk, &context, &mut self.key, &mut self.iv);
        wire::copy(&mut self.fingerprint.0, th.as_bytes());
        prk.expand("root", &context, self.root.as_mut());
        prk.expand("mast", &context, self.master.as_mut());
    }
}

/// Key and IV of both directions, the initiator's first.
fn traffic(
    suite: &Suite,
    prk: &Prk,
    context: &[&[u8]],
    key: &mut Secret<{ 2 * MAX_KEY }>,
    iv: &mut Secret<{ 2 * MAX_NONCE }>,
) {
    if let Some(out) = key.as_mut().get_mut(..suite.aead.key_len().saturating_mul(2)) {
        prk.expand("key", context, out);
    }
    if let Some(out) = iv.as_mut().get_mut(..suite.aead.nonce_len().saturating_mul(2)) {
        prk.expand("iv", context, out);
    }
}

/// One direction's key and IV.
#[derive(Clone, Debug)]
struct Direction {
    key: Secret<MAX_KEY>,
    iv: Secret<MAX_NONCE>,
}

impl Direction {
    /// The half of `keys` that belongs to the initiator's or the responder's sending.
    fn of(suite: &Suite, key: &Secret<{ 2 * MAX_KEY }>, iv: &Secret<{ 2 * MAX_NONCE }>, initiator: bool) -> Self {
        fn half<const N: usize>(both: &[u8], len: usize, first: bool) -> Secret<N> {
            let mut out = Secret::zero();
            let start = if first { 0 } else { len };
            wire::copy(out.as_mut(), both.get(start..start.saturating_add(len)).unwrap_or(&[]));
            out
        }
        Self {
            key: half(key.expose(), suite.aead.key_len(), initiator),
            iv: half(iv.expose(), suite.aead.nonce_len(), initiator),
        }
    }

    fn key(&self, suite: &Suite) -> &[u8] {
        self.key.expose().get(..suite.aead.key_len()).unwrap_or(&[])
    }

    /// IV xor sequence number, the latter in the last four bytes. The number is never used twice under one key.
    fn nonce(&self, suite: &Suite, number: u32) -> ([u8; MAX_NONCE], usize) {
        let mut nonce = *self.iv.expose();
        let len = suite.aead.nonce_len();
        let tail = nonce.get_mut(len.saturating_sub(4)..len).unwrap_or(&mut []);
        tail.iter_mut().zip(number.to_be_bytes()).for_each(|(n, s)| *n ^= s);
        (nonce, len)
    }
}

/// What opens the records of a generation that this side has left.
#[derive(Debug)]
pub struct Left {
    generation: u32,
    recv: Direction,
    window: Window,
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

/// The keys and counters of an established session.
#[derive(Debug)]
pub struct Session {
    suite: &'static Suite,
    scheme: &'static &'static str,
    send: Direction,
    recv: Direction,
    root: Secret<32>,
    pub(crate) master: Secret<32>,
    fingerprint: Fingerprint,
    window: Window,
    sent: u32,
    failures: u32,
    rekey_after: u32,
    /// Generation that this side sends under; it receives under the same, or the one before while `ahead`.
    generation: u32,
    ahead: bool,
    followed: bool,
    pub(crate) initiator: bool,
    id: u32,
    cid: ConnectionId,
    pub(crate) started: Instant,
    pub(crate) secret_since: Instant,
    pub(crate) healed: bool,
    pub(crate) secret: bool,
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
    /// Records after which a generation is replaced.
    pub rekey_after: u32,
    /// When the session began.
    pub now: Instant,
    /// Whether fresh Diffie-Hellman went into it.
    pub healed: bool,
    /// Whether what was sent before stays secret if all that this device holds now is stolen.
    pub secret: bool,
}

impl Session {
    /// A session under a run's keys.
    pub fn new(suite: &'static Suite, scheme: &'static &'static str, keys: &Keys, terms: &Terms) -> Self {
        Self {
            suite,
            scheme,
            send: Direction::of(suite, &keys.key, &keys.iv, terms.initiator),
            recv: Direction::of(suite, &keys.key, &keys.iv, !terms.initiator),
            root: keys.root.clone(),
            master: keys.master.clone(),
            fingerprint: keys.fingerprint,
            window: Window::new(),
            sent: 0,
            failures: 0,
            rekey_after: terms.rekey_after,
            generation: terms.generation,
            ahead: false,
            followed: false,
            initiator: terms.initiator,
            id: terms.id,
            cid: terms.cid,
            started: terms.now,
            secret_since: terms.now,
            healed: terms.healed,
            secret: terms.secret,
        }
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
    /// The suite.
    pub const fn suite(&self) -> &'static Suite {
        self.suite
    }
    /// The connection id that the peer wants to see.
    pub const fn cid(&self) -> &ConnectionId {
        &self.cid
    }
    /// How many records this side has sealed in this generation.
    pub const fn sent(&self) -> u32 {
        self.sent
    }
    /// Records that may still be sealed in this generation before it is replaced.
    pub const fn budget(&self) -> u32 {
        self.rekey_after.saturating_sub(self.sent)
    }
    /// Records after which a generation is replaced.
    pub const fn rekey_after(&self) -> u32 {
        self.rekey_after
    }
    /// Whether this side moved to its generation because the peer had.
    pub const fn has_followed(&self) -> bool {
        self.followed
    }
    /// Moves to the next generation if this one is used up; returns whether it did.
    ///
    /// # Errors
    /// [`Error::KeyExhausted`] where the peer never followed to a newer generation.
    pub fn prepare(&mut self) -> Result<bool, Error> {
        if self.ahead {
            let end = self.rekey_after.saturating_add(GRACE);
            return if self.sent >= end { Err(Error::KeyExhausted) } else { Ok(false) };
        }
        let used_up = self.sent >= self.rekey_after || self.failures >= self.rekey_after;
        if used_up {
            self.step_ahead();
        }
        Ok(used_up)
    }
    /// Bytes before a record's ciphertext.
    pub const fn header_len(&self) -> usize {
        self.cid.len().saturating_add(3)
    }
    /// Bytes that a record has more than its plaintext.
    pub fn overhead(&self) -> usize {
        self.header_len().saturating_add(self.suite.aead.tag_len())
    }

    /// The PRK behind exporter, resume and key update.
    pub fn master(&self) -> Prk {
        Prk::new(self.scheme, self.master.expose())
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
    pub fn seal(&mut self, control: bool, out: &mut [u8], len: usize) -> Result<(usize, bool), Error> {
        let needed = len.saturating_add(self.overhead());
        if out.len() < needed {
            return Err(Error::BufferTooSmall { needed });
        }
        let ratcheted = self.prepare()?;
        let (header, header_len) = self.header(control, self.sent as u16);
        let (aad, aad_len) = associated(&header, header_len, self.generation);
        let (nonce, nonce_len) = self.send.nonce(self.suite, self.sent);
        wire::copy(out, header.get(..header_len).unwrap_or(&[]));
        let (_, body) = out.split_at_mut_checked(header_len).ok_or(Error::BufferTooSmall { needed })?;
        let (text, rest) = body.split_at_mut_checked(len).ok_or(Error::BufferTooSmall { needed })?;
        let tag = rest.get_mut(..self.suite.aead.tag_len()).ok_or(Error::BufferTooSmall { needed })?;
        self.suite.aead.seal(
            self.send.key(self.suite),
            nonce.get(..nonce_len).unwrap_or(&[]),
            aad.get(..aad_len).unwrap_or(&[]),
            text,
            tag,
        );
        self.sent = self.sent.saturating_add(1);
        Ok((needed, ratcheted))
    }

    /// What the two sides hold of a record and nobody else does, unique to it and free: its tag (zeros behind a short one)
    /// xor its nonce. `sent`: this side sealed it under its present keys; else it opened it under them.
    pub fn witness(&self, sent: bool, number: u32, tag: &[u8]) -> [u8; 16] {
        let direction = if sent { &self.send } else { &self.recv };
        let mut witness = [0; 16];
        wire::copy(&mut witness, &direction.nonce(self.suite, number).0);
        witness.iter_mut().zip(tag).for_each(|(w, t)| *w ^= t);
        witness
    }

    /// Opens a record in place. `cid_len` is the length of this side's connection id.
    ///
    /// # Errors
    /// Why it is dropped; nothing but the count of failures has changed then.
    pub fn open(&mut self, cid_len: usize, datagram: &mut [u8]) -> Result<Opened, Dropped> {
        if self.failures >= FAILURES_MAX {
            return Err(Dropped::NoKey);
        }
        let header_len = cid_len.saturating_add(3);
        let (header, body) = datagram.split_at_mut_checked(header_len).ok_or(Dropped::Malformed)?;
        let len = body.len().checked_sub(self.suite.aead.tag_len()).ok_or(Dropped::Malformed)?;
        let (text, tag) = body.split_at_mut_checked(len).ok_or(Dropped::Malformed)?;
        let first = header.first().copied().unwrap_or(0);
        let low = header.last_chunk::<2>().map_or(0, |b| u16::from_be_bytes(*b));

        // A side that is ahead may find its peer one further still: the peer followed, and used that generation up before
        // any record of it arrived here.
        let receiving = if self.ahead { self.generation.saturating_sub(1) } else { self.generation };
        let distance = u32::from(first & 3).wrapping_sub(receiving) & 3;
        if distance > if self.ahead { 2 } else { 1 } {
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
        let steps = distance > u32::from(self.ahead);
        let next = if same { None } else { Some(self.peek(steps)) };
        let direction = next.as_ref().map_or(&self.recv, |(_, recv, _)| recv);
        if !self.unseal(direction, number, generation, header, text, tag) {
            self.failures = self.failures.saturating_add(1);
            return Err(Dropped::Forged);
        }
        let ratcheted = next.is_some();
        if let Some((root, recv, send)) = next {
            self.recv = recv;
            self.window = Window::new();
            self.failures = 0;
            if steps {
                self.root = root;
                self.send = send;
                self.sent = 0;
                self.generation = generation;
                self.followed = true;
            }
            self.ahead = false;
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
        left: &mut Option<Left>,
        next: Option<&Secret<32>>,
        cid_len: usize,
        datagram: &mut [u8],
    ) -> Result<Opened, Dropped> {
        if self.failures >= FAILURES_MAX {
            return Err(Dropped::NoKey);
        }
        let start = cid_len.saturating_add(3);
        let (header, body) = datagram.split_at_mut_checked(start).ok_or(Dropped::Malformed)?;
        let len = body.len().checked_sub(self.suite.aead.tag_len()).ok_or(Dropped::Malformed)?;
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
        if !window.is_new(number) {
            return Err(Dropped::Replayed);
        }
        let opened = match (distance, &left, next) {
            (3, Some(left), _) => self.unseal(&left.recv, number, generation, header, text, tag),
            (1, _, Some(next)) => self.unseal(&self.made(next, !self.initiator), number, generation, header, text, tag),
            _ => self.unseal(&self.recv, number, generation, header, text, tag),
        };
        if !opened {
            self.failures = self.failures.saturating_add(1);
            return Err(Dropped::Forged);
        }
        let newest = match (distance, &mut *left, next) {
            (3, Some(left), _) => {
                left.window.accept(number);
                false
            }
            (1, _, Some(next)) => {
                *left = Some(self.enter(generation, next));
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
    pub fn enter(&mut self, generation: u32, secret: &Secret<32>) -> Left {
        let (send, recv) = (self.made(secret, self.initiator), self.made(secret, !self.initiator));
        let left = Left {
            generation: self.generation,
            recv: core::mem::replace(&mut self.recv, recv),
            window: core::mem::replace(&mut self.window, Window::new()),
        };
        self.send = send;
        self.sent = 0;
        self.failures = 0;
        self.generation = generation;
        self.ahead = true;
        left
    }

    /// One direction of a generation that a scheme made.
    fn made(&self, secret: &Secret<32>, initiator: bool) -> Direction {
        let (mut key, mut iv) = (Secret::zero(), Secret::zero());
        let prk = Prk::extract(self.scheme, &[self.root.expose()], &[secret.expose()]);
        traffic(self.suite, &prk, &[], &mut key, &mut iv);
        Direction::of(self.suite, &key, &iv, initiator)
    }

    /// Opens a text in place; whether it verified.
    fn unseal(
        &self,
        direction: &Direction,
        number: u32,
        generation: u32,
        header: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> bool {
        let (nonce, nonce_len) = direction.nonce(self.suite, number);
        let (aad, aad_len) = associated(header, header.len(), generation);
        let opened = self.suite.aead.open(
            direction.key(self.suite),
            nonce.get(..nonce_len).unwrap_or(&[]),
            aad.get(..aad_len).unwrap_or(&[]),
            text,
            tag,
        );
        if opened.is_ok() {
            // What the peer says is the application's, or decides what this side does next; no key is in it.
            declassify(text);
        }
        opened.is_ok()
    }

    /// Moves this side's sending to the next generation.
    fn step_ahead(&mut self) {
        let (root, _, send) = self.peek(true);
        self.root = root;
        self.send = send;
        self.sent = 0;
        self.generation = self.generation.saturating_add(1);
        self.ahead = true;
    }

    /// The root, receiving and sending keys of the generation that this side sends under, or (`next`) the one after it.
    fn peek(&self, next: bool) -> (Secret<32>, Direction, Direction) {
        let root = if next { Prk::new(self.scheme, self.root.expose()).secret("next", &[]) } else { self.root.clone() };
        let (mut key, mut iv) = (Secret::zero(), Secret::zero());
        traffic(self.suite, &Prk::new(self.scheme, root.expose()), &[], &mut key, &mut iv);
        let recv = Direction::of(self.suite, &key, &iv, !self.initiator);
        let send = Direction::of(self.suite, &key, &iv, self.initiator);
        (root, recv, send)
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

const AAD_MAX: usize = 3 + ConnectionId::MAX + 4;

/// Header (with connection id and shortened number) and the whole generation number.
fn associated(header: &[u8], header_len: usize, generation: u32) -> ([u8; AAD_MAX], usize) {
    let mut aad = [0; AAD_MAX];
    let mut w = wire::Writer::new(&mut aad);
    w.put(header.get(..header_len).unwrap_or(&[])).put(&generation.to_be_bytes());
    let len = w.len();
    (aad, len)
}
