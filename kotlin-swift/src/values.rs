//! The core's words for what goes in and out, as the other languages see them.

use crate::error::IotkmError;
use iotkm::crypto::{self, Suite as CoreSuite};
use iotkm::engine::drops::Drops as CoreDrops;
use iotkm::engine::session::ConnectionId;
use iotkm::{Addr, Slot};

/// A cipher suite under EDHOC's number (RFC 9528, section 10.2); the symmetric twins have no Diffie-Hellman.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Suite {
    /// AES-CCM-16-64-128, X25519. The default.
    Suite0,
    /// AES-CCM-16-128-128, X25519.
    Suite1,
    /// AES-CCM-16-64-128, P-256.
    Suite2,
    /// AES-CCM-16-128-128, P-256.
    Suite3,
    /// ChaCha20/Poly1305, X25519.
    Suite4,
    /// ChaCha20/Poly1305, P-256.
    Suite5,
    /// Suite 0 without Diffie-Hellman.
    Suite0Symmetric,
    /// Suite 1 without Diffie-Hellman.
    Suite1Symmetric,
    /// Suite 2 without Diffie-Hellman.
    Suite2Symmetric,
    /// Suite 3 without Diffie-Hellman.
    Suite3Symmetric,
    /// Suite 4 without Diffie-Hellman.
    Suite4Symmetric,
    /// Suite 5 without Diffie-Hellman.
    Suite5Symmetric,
    /// AES-CCM-16-64-128, the 2048-bit subgroup: suite -21. Not for the history scheme.
    SuiteFfc2048,
    /// AES-CCM-16-64-128, the 3072-bit subgroup: suite -22. Not for the history scheme.
    SuiteFfc3072,
}

impl Suite {
    const ALL: [Self; 14] = [
        Self::Suite0,
        Self::Suite1,
        Self::Suite2,
        Self::Suite3,
        Self::Suite4,
        Self::Suite5,
        Self::Suite0Symmetric,
        Self::Suite1Symmetric,
        Self::Suite2Symmetric,
        Self::Suite3Symmetric,
        Self::Suite4Symmetric,
        Self::Suite5Symmetric,
        Self::SuiteFfc2048,
        Self::SuiteFfc3072,
    ];

    pub(crate) const fn core(self) -> &'static CoreSuite {
        match self {
            Self::Suite0 => &crypto::SUITE_0,
            Self::Suite1 => &crypto::SUITE_1,
            Self::Suite2 => &crypto::SUITE_2,
            Self::Suite3 => &crypto::SUITE_3,
            Self::Suite4 => &crypto::SUITE_4,
            Self::Suite5 => &crypto::SUITE_5,
            Self::Suite0Symmetric => &crypto::SUITE_0_SYMMETRIC,
            Self::Suite1Symmetric => &crypto::SUITE_1_SYMMETRIC,
            Self::Suite2Symmetric => &crypto::SUITE_2_SYMMETRIC,
            Self::Suite3Symmetric => &crypto::SUITE_3_SYMMETRIC,
            Self::Suite4Symmetric => &crypto::SUITE_4_SYMMETRIC,
            Self::Suite5Symmetric => &crypto::SUITE_5_SYMMETRIC,
            Self::SuiteFfc2048 => &crypto::SUITE_FFC2048,
            Self::SuiteFfc3072 => &crypto::SUITE_FFC3072,
        }
    }

    /// For the history scheme, whose shares are those of curves.
    pub(crate) fn on_curve(self) -> Result<&'static CoreSuite, IotkmError> {
        Some(self.core()).filter(|suite| suite.id >= 0).ok_or(IotkmError::BadArgument)
    }

    /// The one that a stored peer names.
    pub(crate) fn named((id, dh): (i8, bool)) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.core().id == id && suite.core().dh.is_some() == dh)
    }
}

/// What an association is told when it is opened.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Config {
    /// The connection id under which this side wants to receive, 0 to 8 bytes; of one length for all of a socket.
    #[uniffi(default)]
    pub cid: Vec<u8>,
    /// The longest datagram in bytes that the network carries; at least 32.
    #[uniffi(default = 1200)]
    pub mtu: u16,
    /// How often a flight is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
    #[uniffi(default = 24)]
    pub tries: u8,
    /// Records sent under one key generation before the next begins, at most 2^20.
    #[uniffi(default = 1048576)]
    pub rekey_after: u32,
    /// The history scheme's: messages that the log remembers, a third of them received ones; 0: no updates.
    #[uniffi(default = 48)]
    pub log: u16,
}

impl Config {
    pub(crate) fn core(&self) -> Result<iotkm::engine::Config, IotkmError> {
        let cid = ConnectionId::new(&self.cid).ok_or(IotkmError::BadArgument)?;
        Ok(iotkm::engine::Config { cid, mtu: self.mtu, tries: self.tries, rekey_after: self.rekey_after })
    }
}

/// What `poll` hands out, one at a time.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Output {
    /// Send these bytes to this address.
    Datagram {
        /// Where to.
        to: Vec<u8>,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Only without a `BlobStore`: store these bytes in this slot, atomically, then call `persisted`. Datagrams that
    /// depend on them wait until then.
    Persist {
        /// Where to.
        slot: u16,
        /// Counts the writes to this slot.
        version: u32,
        /// The sealed blob.
        bytes: Vec<u8>,
    },
    /// Something that the application may want to know.
    Happened {
        /// What.
        event: Event,
    },
    /// Nothing to do before `wake_at` (then call `handle_timeout`), or before the next input.
    Idle {
        /// When to wake up, if ever: on the clock of `Cx.now`. Whoever stops its clock to sleep does so where this is far off:
        /// the other side forgets an unfinished run after 200 s, and this one asks it in vain until its tries are over.
        wake_at: Option<u64>,
    },
}

/// What happened. Without secrets, to be logged as it is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Event {
    /// The peer is authenticated and both directions have keys.
    Established {
        /// The session's fingerprint, the same on both sides.
        fingerprint: String,
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
    /// The keys are near the end of their use: update, or connect again.
    RekeyNeeded,
    /// Pairing is done and stored.
    Paired {
        /// To be compared by people where there is doubt.
        fingerprint: String,
    },
    /// Both sides are authenticated, without a session.
    Authenticated,
    /// A key update was agreed; the next exchange runs under the new triple (microcert: key seed).
    UpdateAgreed {
        /// Generation that the new one will have.
        generation: u32,
    },
    /// A key update failed; the session lives on. `Unknown`, perhaps several times, is normal after the peer's restart: its
    /// log is gone, and this side remembers records that it does not.
    UpdateFailed {
        /// Why.
        reason: Reason,
    },
    /// The new triple (microcert: key seed) replaced the old one, which is erased.
    KeyReplaced {
        /// Generation of the one now in use.
        generation: u32,
    },
    /// The peer has answered a ping: it is there and has the common key.
    PeerAlive,
    /// The session has ended, by this side or the peer, or because a credential is over or revoked.
    Terminated,
    /// The peer has moved, and its new address answered a challenge.
    PeerMoved {
        /// The new address.
        to: Vec<u8>,
    },
    /// Something that nobody vouches for hints at this, and nothing has changed: to be shown to a user who waits.
    Hint {
        /// What it seems to be.
        reason: Reason,
    },
    /// A run ended without its goal. While pairing, `WrongSecret` on the side whose window is open means that one attempt
    /// failed; the window stays open.
    Failed {
        /// Which.
        stage: Stage,
        /// Why.
        reason: Reason,
    },
    /// The store refused a write: what depends on it waits and is tried again.
    StoreFailed {
        /// Where.
        slot: u16,
        /// What the `BlobStore` said; empty where the application stores by itself.
        reason: String,
    },
    /// Something that is younger than this list.
    Other {
        /// The core's words.
        text: String,
    },
}

impl From<iotkm::Event> for Event {
    fn from(event: iotkm::Event) -> Self {
        use iotkm::Event as E;
        match event {
            E::Established { fingerprint, initiator } => {
                Self::Established { fingerprint: fingerprint.to_string(), initiator }
            }
            E::Resumed { generation } => Self::Resumed { generation },
            E::Rekeyed { generation } => Self::Rekeyed { generation },
            E::RekeyNeeded => Self::RekeyNeeded,
            E::Paired { fingerprint } => Self::Paired { fingerprint: fingerprint.to_string() },
            E::Authenticated => Self::Authenticated,
            E::UpdateAgreed { generation } => Self::UpdateAgreed { generation },
            E::UpdateFailed { reason } => Self::UpdateFailed { reason: reason.into() },
            E::KeyReplaced { generation } => Self::KeyReplaced { generation },
            E::PeerAlive => Self::PeerAlive,
            E::Terminated => Self::Terminated,
            E::PeerMoved { to } => Self::PeerMoved { to: to.as_bytes().to_vec() },
            E::Hint { reason } => Self::Hint { reason: reason.into() },
            E::Failed { stage, reason } => Self::Failed { stage: stage.into(), reason: reason.into() },
            E::StoreFailed { slot } => Self::StoreFailed { slot: slot.0, reason: String::new() },
            other => Self::Other { text: format!("{other:?}") },
        }
    }
}

/// Which part of a protocol an event speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Stage {
    /// First contact.
    Pairing,
    /// Agreeing on session keys.
    Exchange,
    /// Replacing the long-term key.
    Update,
    /// Going on from stored state.
    Resume,
    /// Showing each other credentials, or micro-certificates.
    Authentication,
    /// Asking whether the peer is there.
    Ping,
    /// One that is younger than this list.
    Other,
}

impl From<iotkm::Stage> for Stage {
    fn from(stage: iotkm::Stage) -> Self {
        match stage {
            iotkm::Stage::Pairing => Self::Pairing,
            iotkm::Stage::Exchange => Self::Exchange,
            iotkm::Stage::Update => Self::Update,
            iotkm::Stage::Resume => Self::Resume,
            iotkm::Stage::Authentication => Self::Authentication,
            iotkm::Stage::Ping => Self::Ping,
            _ => Self::Other,
        }
    }
}

/// Why a run ended or an update failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Reason {
    /// No answer within all tries.
    NoAnswer,
    /// This side was rolled back (microcert: one side was, past an update): pair, or enrol, again.
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
    /// The centre has revoked this device: its key seed is killed.
    Revoked,
    /// The key seed is not for this year: enrol the device anew.
    SeedExpired,
    /// One that is younger than this list.
    Other,
}

impl From<iotkm::Reason> for Reason {
    fn from(reason: iotkm::Reason) -> Self {
        use iotkm::Reason as R;
        match reason {
            R::NoAnswer => Self::NoAnswer,
            R::PairAgain => Self::PairAgain,
            R::Unknown => Self::Unknown,
            R::Superseded => Self::Superseded,
            R::WrongSecret => Self::WrongSecret,
            R::Locked => Self::Locked,
            R::NoRecord => Self::NoRecord,
            R::Cancelled => Self::Cancelled,
            R::Resource => Self::Resource,
            R::NoSuite => Self::NoSuite,
            R::Credential => Self::Credential,
            R::Psk => Self::Psk,
            R::Revoked => Self::Revoked,
            R::SeedExpired => Self::SeedExpired,
            _ => Self::Other,
        }
    }
}

/// What the peer's application sent.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Received {
    /// The message.
    pub payload: Vec<u8>,
    /// The sender's wall-clock time in ms since 1970, if it had one.
    pub time: Option<u64>,
    /// Where the sender was.
    pub place: Vec<u8>,
}

impl From<iotkm::Received<'_>> for Received {
    fn from(received: iotkm::Received<'_>) -> Self {
        Self { payload: received.payload.to_vec(), time: received.time.map(|t| t.0), place: received.place.to_vec() }
    }
}

/// A sealed datagram and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Sent {
    /// The peer's address.
    pub to: Vec<u8>,
    /// The datagram.
    pub bytes: Vec<u8>,
}

/// Who was authenticated by what, and what would survive which theft.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Assurance {
    /// What the peer proved to know.
    pub authenticated: Authenticated,
    /// Records before this time stay secret if everything that this device holds now is stolen.
    pub forward_secrecy_since: Option<u64>,
    /// A passive thief of everything held before this time reads nothing sent after it.
    pub healing_since: Option<u64>,
    /// Whether wall-clock time was available in the newest call.
    pub clock: bool,
    /// Records that may still be sent under the current key generation.
    pub budget: u32,
}

/// What a peer proved to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Authenticated {
    /// Nobody was authenticated.
    Nobody,
    /// The peer of a pairing under the user's secret.
    PairedPeer,
    /// The holder of a ticket or a credential, by its static key.
    Holder,
    /// The other side of an enrolment with an authentication centre, by the device's key seed.
    Enrolled,
    /// One that is younger than this list.
    Other,
}

impl From<iotkm::Assurance> for Assurance {
    fn from(assurance: iotkm::Assurance) -> Self {
        Self {
            authenticated: match assurance.authenticated {
                iotkm::Authenticated::Nobody => Authenticated::Nobody,
                iotkm::Authenticated::PairedPeer => Authenticated::PairedPeer,
                iotkm::Authenticated::Holder => Authenticated::Holder,
                iotkm::Authenticated::Enrolled => Authenticated::Enrolled,
                _ => Authenticated::Other,
            },
            forward_secrecy_since: assurance.forward_secrecy_since.map(|t| t.0),
            healing_since: assurance.healing_since.map(|t| t.0),
            clock: assurance.clock,
            budget: assurance.budget,
        }
    }
}

/// The counters of what was dropped, by the reasons' names; those at zero are left out.
pub(crate) fn drops(drops: &CoreDrops) -> std::collections::HashMap<String, u16> {
    use iotkm::engine::drops::Dropped;
    let counted = Dropped::ALL.into_iter().map(|reason| (reason.name().to_owned(), drops.get(reason)));
    counted.filter(|(_, count)| *count > 0).collect()
}

pub(crate) fn addr(bytes: &[u8]) -> Result<Addr, IotkmError> {
    Addr::new(bytes).ok_or(IotkmError::BadArgument)
}

pub(crate) const fn slot(number: u16) -> Slot {
    Slot(number)
}
