//! The verbs that every scheme's association has, and the words that go in and out.
//!
//! The core does nothing by itself: a caller hands in datagrams and time, then calls [`Association::poll`] until it
//! answers [`Output::Idle`], sending, storing and reporting what comes out.
//!
//! ```text
//!   datagram ----> handle_input --.                        .--> Output::Datagram   send it
//!   wake_at  ----> handle_timeout -+--> poll, until Idle --+--> Output::Persist    store it, then call persisted
//!   payload  ----> send ----------'                        '--> Output::Event      tell the application
//! ```

use crate::crypto::keys::StaticKeys;
use crate::crypto::{Prk, Rng, RngError, Secret};
use crate::engine::drops::Drops;
use core::fmt;

/// Milliseconds of a clock that never goes back; where it starts does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Instant {
    /// This instant and `ms` milliseconds, at most the end of time.
    #[must_use]
    #[inline(never)]
    pub const fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Wall-clock time: milliseconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub u64);

/// A peer's address: up to 22 opaque bytes that the caller understands (IPv6, port and scope fit).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Addr {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl Addr {
    /// The longest address in bytes.
    pub const MAX: usize = 22;

    /// An address from its bytes; `None` if there are more than [`MAX`](Self::MAX).
    pub fn new(address: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..address.len())?.copy_from_slice(address);
        Some(Self { len: address.len() as u8, bytes })
    }

    /// The address's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Addr(")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// What the device's own secret gives: keys for sealed state, cookies and hedged randomness.
///
/// The caller brings 32 bytes that only this device has (fuses, secure element, a file) and that never change: state
/// sealed under another secret does not open.
#[derive(Clone, Debug)]
pub struct Device(pub(crate) Secret<32>);

impl Device {
    /// A device with its secret.
    pub const fn new(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The key for this device's [`Hedged`](crate::crypto::hedge::Hedged) randomness.
    pub fn hedge_key(&self) -> Secret<32> {
        Prk::new("engine", self.0.expose()).secret("hedge", &[])
    }
}

/// The surroundings of one call: time, place, randomness, the device and its keys.
pub struct Cx<'a> {
    /// Monotonic time of this call in ms.
    pub now: Instant,
    /// Wall-clock time in ms since 1970, where the device has it.
    pub wall: Option<UnixTime>,
    /// Location information of this device, at most 32 bytes in the application's own format; empty where unknown.
    /// The history scheme sends and logs it with each message.
    pub place: &'a [u8],
    /// Randomness.
    pub rng: &'a mut dyn Rng,
    /// What the device's own secret gives.
    pub device: &'a Device,
    /// The device's static private keys; [`NoKeys`](crate::NoKeys) where the scheme needs none.
    pub keys: &'a dyn StaticKeys,
}

impl fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("now", &self.now).field("wall", &self.wall).finish_non_exhaustive()
    }
}

/// The name of a place in the caller's storage: each holds one blob, written whole or not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Slot(pub u16);

/// The caller could not store what [`Output::Persist`] asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreError;

/// What [`Association::poll`] hands out, one at a time.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output<'o> {
    /// Send these bytes to this address.
    Datagram {
        /// Where to.
        to: Addr,
        /// The datagram.
        bytes: &'o [u8],
    },
    /// Store these bytes in this slot, atomically, then call [`Association::persisted`]. Datagrams that depend on them
    /// wait until then. Where the platform has a monotonic counter for the slot, set it to `version` once the bytes are
    /// safe, and give its value as the floor when restoring.
    Persist {
        /// Where to.
        slot: Slot,
        /// Counts the writes to this slot.
        version: u32,
        /// The sealed blob.
        bytes: &'o [u8],
    },
    /// Something that the application may want to know.
    Event(Event),
    /// The next output needs this many bytes: poll again with a larger buffer. Nothing is lost.
    BufferTooSmall {
        /// Size in bytes that will do.
        needed: usize,
    },
    /// Nothing to do before `wake_at` (then call [`Association::handle_timeout`]), or before the next input.
    Idle {
        /// When to wake up, if ever. Whoever stops its clock to sleep does so where this is far off: the other side forgets
        /// an unfinished run after [200 s](crate::engine::flight::ANSWER_LIFE), and this one asks it in vain until its tries are over.
        wake_at: Option<Instant>,
    },
}

/// What happened. Small and without secrets, to be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer is authenticated and both directions have keys.
    Established {
        /// The session's fingerprint, the same on both sides.
        fingerprint: Fingerprint,
        /// Whether this side started the run.
        initiator: bool,
    },
    /// The session went on from stored state under new keys.
    Resumed {
        /// Generation of the new keys.
        generation: u32,
    },
    /// Both directions moved to the next generation of record keys.
    Rekeyed {
        /// The new generation.
        generation: u32,
    },
    /// The keys are near the end of their use: start a key update or a new exchange.
    RekeyNeeded,
    /// Pairing is done and stored: both sides have the triple.
    Paired {
        /// To be compared by people where there is doubt; the same on both sides.
        fingerprint: Fingerprint,
    },
    /// A key update was agreed; the next exchange runs under the new triple.
    UpdateAgreed {
        /// Generation that the new triple will have.
        generation: u32,
    },
    /// A key update failed; the session lives on under its keys. [`Reason::Unknown`], perhaps several times, is normal
    /// after the peer's restart: its log is gone, and each update tries a few of the records that only this side
    /// remembers. What is said from then on both remember.
    UpdateFailed {
        /// Why.
        reason: Reason,
    },
    /// The new triple replaced the old one, which is erased.
    KeyReplaced {
        /// Generation of the triple now in use.
        generation: u32,
    },
    /// The peer has answered a ping: it is there and has the long-term key.
    PeerAlive,
    /// Both sides have shown that they have the key seed; no session was asked for.
    Authenticated,
    /// The session has ended, by this side or the peer; connect again to go on.
    Terminated,
    /// The peer's newest authenticated record came from a new address, and the address answered a challenge.
    PeerMoved {
        /// The new address.
        to: Addr,
    },
    /// Something that nobody vouches for hints at this, and nothing has changed: to be shown to a user who waits.
    Hint {
        /// What it seems to be.
        reason: Reason,
    },
    /// A run ended without its goal. While pairing, [`Reason::WrongSecret`] on the side whose window is open means that
    /// one attempt failed; the window stays open.
    Failed {
        /// Which.
        stage: Stage,
        /// Why.
        reason: Reason,
    },
    /// The store refused a write: what depends on it waits and is tried again.
    StoreFailed {
        /// Where.
        slot: Slot,
    },
}

/// Which part of a protocol an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// First contact.
    Pairing,
    /// Agreeing on session keys.
    Exchange,
    /// Replacing the long-term key.
    Update,
    /// Going on from stored state.
    Resume,
    /// Showing each other credentials: phase 1 of the schemes that have one.
    Authentication,
    /// Asking whether the peer is there.
    Ping,
}

/// Why a run ended or an update failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// No answer within all tries: the peer is away, or no longer knows this key. If it stays so, pair again.
    NoAnswer,
    /// The peer proved that it has moved past this side's key (this side was rolled back): pair again.
    PairAgain,
    /// The peer does not have the record, key or state that was named.
    Unknown,
    /// The other side's run went first.
    Superseded,
    /// The secret that the user entered is not the same on both sides.
    WrongSecret,
    /// Too many failed attempts: the user has to open the window again.
    Locked,
    /// The log holds no record that can be used.
    NoRecord,
    /// The user or the application ended it.
    Cancelled,
    /// Randomness or storage failed.
    Resource,
    /// No suite in common.
    NoSuite,
    /// A credential is not accepted, or is over: expired or revoked.
    Credential,
    /// One side has a psk for the other, which has none.
    Psk,
    /// The centre has revoked this device, and its key seed is killed.
    Revoked,
    /// The key seed is not for the time that it is.
    SeedExpired,
}

/// 80 bits for people to compare, shown as four groups of four letters or digits (RFC 4648 base 32).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 10]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = self.0.iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
        for i in 0..16u32 {
            if i > 0 && i % 4 == 0 {
                f.write_str("-")?;
            }
            let five = ((bits >> 75u32.saturating_sub(i.saturating_mul(5))) & 31) as u8;
            let c = if five < 26 { b'A'.wrapping_add(five) } else { b'2'.wrapping_add(five.wrapping_sub(26)) };
            write!(f, "{}", char::from(c))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The caller did something wrong, or a resource failed. Nothing has changed when one of these comes back.
///
/// `code()` is stable and append-only; C and Python show the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The output buffer is too small; it needs this many bytes.
    BufferTooSmall {
        /// Size in bytes that will do.
        needed: usize,
    },
    /// There is no session yet, or it has ended: connect and wait for `Established`.
    NotEstablished,
    /// That call does not fit the state: a run of this kind is under way, or the memory for runs was released.
    WrongState,
    /// Outputs are waiting: poll until `Idle` first.
    Undrained,
    /// The payload is longer than a datagram of the configured size can hold.
    TooLong {
        /// Longest payload in bytes.
        max: usize,
    },
    /// An argument is out of range: see the called function's documentation.
    BadArgument,
    /// Randomness failed: call again when the source works.
    Rng,
    /// The keys are used up and the peer has not followed to new ones: update or connect again.
    KeyExhausted,
    /// The blob does not open: another device's, damaged, or another kind of state.
    BadBlob,
    /// The blob is older than the platform's monotonic counter says: an old copy was put back.
    BlobRolledBack,
    /// The suite, or its Diffie-Hellman, is not the one that this peer was paired with.
    SuiteMismatch,
    /// The log holds no record whose two shown elements are unique: exchange more messages first.
    NoRecord,
    /// Too many failed pairing attempts: ask the user, then unlock.
    Locked,
    /// No room is left in the table that this needs.
    Full,
    /// There is no credential of this device's that is valid now.
    NoCredential,
    /// The key seed is not for this time: not yet, or no more. It has to be replaced before its last year is over, or enrolled
    /// anew.
    SeedExpired,
    /// The centre has revoked this device, and its key seed is killed.
    Revoked,
    /// The database could not be read or written.
    Store,
    /// The key store cannot work now: no token, no session, locked.
    KeyStore,
}

impl Error {
    /// The stable number of this error, below zero.
    pub const fn code(self) -> i32 {
        match self {
            Self::BufferTooSmall { .. } => -1,
            Self::NotEstablished => -2,
            Self::WrongState => -3,
            Self::Undrained => -4,
            Self::TooLong { .. } => -5,
            Self::BadArgument => -6,
            Self::Rng => -7,
            Self::KeyExhausted => -8,
            Self::BadBlob => -9,
            Self::BlobRolledBack => -10,
            Self::SuiteMismatch => -11,
            Self::NoRecord => -12,
            Self::Locked => -13,
            Self::Full => -14,
            Self::NoCredential => -15,
            Self::SeedExpired => -16,
            Self::Revoked => -17,
            Self::Store => -18,
            Self::KeyStore => -19,
        }
    }

    /// What is wrong and how to mend it, in one line.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::BufferTooSmall { .. } => {
                "the output buffer is too small: call again with the size that the error names"
            }
            Self::NotEstablished => "there is no session: connect, and wait for the Established event",
            Self::WrongState => "this call does not fit the state: a run is under way, or the run memory was released",
            Self::Undrained => "outputs are waiting: poll until Idle before the next call",
            Self::TooLong { .. } => "the payload does not fit a datagram of the configured size: send it in parts",
            Self::BadArgument => "an argument is out of range: see the documentation of the function",
            Self::Rng => "the source of randomness failed: nothing was done; call again when it works",
            Self::KeyExhausted => "the session's keys are used up: update the key or connect again",
            Self::BadBlob => "the stored state does not open: it is damaged, of another device, or of another kind",
            Self::BlobRolledBack => "the stored state is an old copy: restore the newest one, or pair again",
            Self::SuiteMismatch => "this peer was paired with another suite, or with Diffie-Hellman the other way",
            Self::NoRecord => "the log holds no usable record yet: exchange messages first",
            Self::Locked => "too many failed pairing attempts: ask the user, then unlock",
            Self::Full => "no room left: free an entry or give a larger table",
            Self::NoCredential => "this device has no credential that is valid now: install a new one",
            Self::SeedExpired => "the key seed is not for this year: update it in time, or enrol the device anew",
            Self::Revoked => "the centre has revoked this device: enrol it anew",
            Self::Store => "the database could not be read or written: nothing was answered; see its own error",
            Self::KeyStore => "the key store cannot work now: unlock it, or put the token in",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.advice())
    }
}

impl core::error::Error for Error {}

impl From<RngError> for Error {
    fn from(_: RngError) -> Self {
        Self::Rng
    }
}

/// A message of the application's, opened in the datagram's own memory.
#[derive(Debug, PartialEq, Eq)]
pub struct Received<'b> {
    /// What the peer's application sent.
    pub payload: &'b [u8],
    /// The sender's wall-clock time, where the scheme carries it and the sender had one.
    pub time: Option<UnixTime>,
    /// The sender's location information, where the scheme carries it.
    pub place: &'b [u8],
}

/// Who was authenticated by what, and what would survive which theft: for the application's policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assurance {
    /// What the peer proved to know.
    pub authenticated: Authenticated,
    /// Records before this instant stay secret if everything that this device holds now is stolen.
    pub forward_secrecy_since: Option<Instant>,
    /// A passive thief of everything held before this instant reads nothing sent after it.
    pub healing_since: Option<Instant>,
    /// Whether wall-clock time was available in the newest call.
    pub clock: bool,
    /// Records that may still be sent under the current key generation.
    pub budget: u32,
}

/// What a peer proved to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authenticated {
    /// Nobody was authenticated.
    Nobody,
    /// The peer of a pairing under the user's secret, by the triple that came of it.
    PairedPeer,
    /// The holder of a credential of the same authority, by its static key and what came of that.
    Holder,
    /// The other side of an enrolment, by the key seed: the device that has it, or its centre.
    Enrolled,
}

/// One relation to one peer, whatever the scheme.
pub trait Association {
    /// Seals `payload` into `out` as one datagram for the peer.
    ///
    /// # Errors
    /// [`Error::NotEstablished`], [`Error::BufferTooSmall`], [`Error::TooLong`], [`Error::KeyExhausted`],
    /// [`Error::BadArgument`] (a place of more than 32 bytes).
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error>;

    /// Takes in one datagram, in whose memory it opens what the peer sent. `None`: nothing for the application.
    /// Whatever does not parse or verify is dropped and counted ([`drops`](Self::drops)), never an error.
    ///
    /// # Errors
    /// [`Error::Undrained`], or [`Error::Rng`] where an answer needed randomness.
    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error>;

    /// Does what is due at `cx.now`. Calls too early or too often do nothing.
    ///
    /// # Errors
    /// [`Error::Undrained`].
    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error>;

    /// The answer to [`Output::Persist`].
    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>);

    /// The next thing to do. Drain it until [`Output::Idle`] after every other call.
    ///
    /// It takes the whole [`Cx`] because sealing state needs the device's secret, of which no association keeps a copy.
    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o>;

    /// Key material for another protocol or scheme, as RFC 5705: the same on both sides for the same label and context.
    ///
    /// # Errors
    /// [`Error::NotEstablished`]; [`Error::BadArgument`] for more than 255 x 32 bytes.
    fn exporter(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error>;

    /// Seals the session into `out` and returns the blob's length, for a restart that goes on with
    /// three short messages. It holds a resume root, never a key that a record was or will be sealed under.
    ///
    /// # Errors
    /// [`Error::NotEstablished`], [`Error::BufferTooSmall`].
    fn export(&self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error>;

    /// Whether there is a session to send on.
    fn is_established(&self) -> bool;

    /// The peer's current address, once it is known.
    fn peer_addr(&self) -> Option<Addr>;

    /// The session's standing; `None` without a session.
    fn assurance(&self) -> Option<Assurance>;

    /// The session's fingerprint, the same on both sides; `None` without a session.
    fn fingerprint(&self) -> Option<Fingerprint>;

    /// What was dropped, by reason.
    fn drops(&self) -> &Drops;
}

/// A sealed datagram and where it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent<'o> {
    /// The peer's address.
    pub to: Addr,
    /// The datagram.
    pub bytes: &'o [u8],
}
