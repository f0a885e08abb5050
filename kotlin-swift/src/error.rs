//! What callers and callbacks get wrong, typed.

use std::fmt;

use iotkm::cose::Refused;
use iotkm::cose::cbor::CborError;

/// The caller did something wrong, or a resource failed; nothing has changed then. `code()` is the core's stable number
/// of it, or one of the table that C and Python have from -101 down: the same numbers in every language.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Error)]
#[uniffi::export(Display)]
pub enum IotkmError {
    /// A buffer was too small.
    BufferTooSmall {
        /// Size in bytes that will do.
        needed: u64,
    },
    /// There is no session yet, or it has ended.
    NotEstablished,
    /// That call does not fit the state; a `Peer` that was given to an association is used up.
    WrongState,
    /// Outputs are waiting: poll until `Idle` first.
    Undrained,
    /// The payload does not fit a datagram.
    TooLong {
        /// Longest payload in bytes.
        max: u64,
    },
    /// An argument is out of range.
    BadArgument,
    /// Randomness failed.
    Rng {
        /// What the source said.
        reason: String,
    },
    /// The session's keys are used up.
    KeyExhausted,
    /// The blob does not open.
    BadBlob,
    /// The blob is an old copy.
    BlobRolledBack,
    /// This peer was paired with another suite.
    SuiteMismatch,
    /// The log holds no usable record yet.
    NoRecord,
    /// Too many failed pairing attempts.
    Locked,
    /// No room left.
    Full,
    /// This device has no credential that is valid now.
    NoCredential,
    /// The key seed is not for this year.
    SeedExpired,
    /// The centre has revoked this device, and its key seed is killed.
    Revoked,
    /// A centre's key database failed.
    SeedStore {
        /// What it said.
        reason: String,
    },
    /// A centre's keys cannot work now: unlock them, or put the token in.
    KeyStore,
    /// A ticket, list or message is not acceptable.
    Refused {
        /// The stable number of the reason, from -201 down.
        number: i32,
        /// The reason in a word, the same in every language.
        reason: String,
    },
    /// An error of the core's that is younger than this list.
    Other {
        /// The core's number of it.
        number: i32,
        /// What the core says.
        advice: String,
    },
    /// A callback called back into the object that called it, or another call took too long.
    Busy,
    /// The key vault failed.
    Vault {
        /// What it said.
        reason: String,
    },
    /// The blob store failed.
    Store {
        /// What it said.
        reason: String,
    },
    /// The store has nothing in this slot.
    NotFound,
    /// An earlier call on this object broke off in the middle (a bug of ours): make a new one from stored state.
    Broken,
}

#[uniffi::export]
impl IotkmError {
    /// The stable number of this error, below zero.
    pub fn code(&self) -> i32 {
        match self {
            Self::Other { number, .. } | Self::Refused { number, .. } => *number,
            Self::Busy => -106,
            Self::Vault { .. } => -111,
            Self::Store { .. } => -104,
            Self::NotFound => -108,
            Self::Broken => -105,
            _ => self.core().map_or(-105, iotkm::Error::code),
        }
    }
}

impl IotkmError {
    fn core(&self) -> Option<iotkm::Error> {
        use iotkm::Error;
        Some(match self {
            Self::BufferTooSmall { needed } => Error::BufferTooSmall { needed: *needed as usize },
            Self::NotEstablished => Error::NotEstablished,
            Self::WrongState => Error::WrongState,
            Self::Undrained => Error::Undrained,
            Self::TooLong { max } => Error::TooLong { max: *max as usize },
            Self::BadArgument => Error::BadArgument,
            Self::Rng { .. } => Error::Rng,
            Self::KeyExhausted => Error::KeyExhausted,
            Self::BadBlob => Error::BadBlob,
            Self::BlobRolledBack => Error::BlobRolledBack,
            Self::SuiteMismatch => Error::SuiteMismatch,
            Self::NoRecord => Error::NoRecord,
            Self::Locked => Error::Locked,
            Self::Full => Error::Full,
            Self::NoCredential => Error::NoCredential,
            Self::SeedExpired => Error::SeedExpired,
            Self::Revoked => Error::Revoked,
            Self::SeedStore { .. } => Error::Store,
            Self::KeyStore => Error::KeyStore,
            _ => return None,
        })
    }
}

impl fmt::Display for IotkmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("a callback called back into its own object, or another call takes too long"),
            Self::Vault { reason } => write!(f, "the key vault failed: {reason}"),
            Self::Store { reason } => write!(f, "the blob store failed: {reason}"),
            Self::NotFound => f.write_str("the store has nothing in this slot"),
            Self::Broken => f.write_str("an earlier call on this object broke off: make a new one from stored state"),
            Self::Other { advice, .. } => f.write_str(advice),
            Self::Refused { number, reason } => {
                let advice = REFUSED.iter().find(|one| one.code() == *number).map_or("refused", |one| one.advice());
                write!(f, "{advice} ({})", reason.replace('_', " "))
            }
            Self::Rng { reason } | Self::SeedStore { reason } => {
                f.write_str(self.core().map_or("", iotkm::Error::advice))?;
                if reason.is_empty() { Ok(()) } else { write!(f, " ({reason})") }
            }
            Self::BufferTooSmall { needed } => {
                write!(f, "{} (needed: {needed})", iotkm::Error::BufferTooSmall { needed: 0 }.advice())
            }
            Self::TooLong { max } => write!(f, "{} (at most {max} bytes)", iotkm::Error::TooLong { max: 0 }.advice()),
            _ => f.write_str(self.core().map_or("unknown", iotkm::Error::advice)),
        }?;
        write!(f, " [{}]", self.code())
    }
}

impl std::error::Error for IotkmError {}

impl From<iotkm::Error> for IotkmError {
    fn from(error: iotkm::Error) -> Self {
        use iotkm::Error;
        match error {
            Error::BufferTooSmall { needed } => Self::BufferTooSmall { needed: needed as u64 },
            Error::NotEstablished => Self::NotEstablished,
            Error::WrongState => Self::WrongState,
            Error::Undrained => Self::Undrained,
            Error::TooLong { max } => Self::TooLong { max: max as u64 },
            Error::BadArgument => Self::BadArgument,
            Error::Rng => Self::Rng { reason: String::new() },
            Error::KeyExhausted => Self::KeyExhausted,
            Error::BadBlob => Self::BadBlob,
            Error::BlobRolledBack => Self::BlobRolledBack,
            Error::SuiteMismatch => Self::SuiteMismatch,
            Error::NoRecord => Self::NoRecord,
            Error::Locked => Self::Locked,
            Error::Full => Self::Full,
            Error::NoCredential => Self::NoCredential,
            Error::SeedExpired => Self::SeedExpired,
            Error::Revoked => Self::Revoked,
            Error::Store => Self::SeedStore { reason: String::new() },
            Error::KeyStore => Self::KeyStore,
            other => Self::Other { number: other.code(), advice: other.advice().to_owned() },
        }
    }
}

/// One of each number.
const REFUSED: [Refused; 12] = [
    Refused::Encoding(CborError::Truncated),
    Refused::Algorithm,
    Refused::Header,
    Refused::Claims,
    Refused::Key,
    Refused::Agent,
    Refused::Subject,
    Refused::Signature,
    Refused::Expired,
    Refused::NotYetValid,
    Refused::Revoked,
    Refused::Older,
];

impl From<Refused> for IotkmError {
    fn from(reason: Refused) -> Self {
        Self::Refused { number: reason.code(), reason: reason.name().to_owned() }
    }
}

/// What an application's [`KeyVault`](crate::KeyVault), [`BlobStore`](crate::BlobStore) or
/// [`RandomSource`](crate::RandomSource) throws. Whatever else it throws arrives as `Failed` with its text.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Error)]
pub enum CallbackError {
    /// It did not work. The reason is shown in errors and events: no secrets in it.
    Failed {
        /// In words.
        reason: String,
    },
    /// From `KeyVault`'s static keys: a slow token works still, and is asked the same again later.
    Pending,
}

impl CallbackError {
    pub(crate) fn reason(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { reason } => f.write_str(reason),
            Self::Pending => f.write_str("pending"),
        }
    }
}

impl std::error::Error for CallbackError {}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: error.reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_core_has_a_case_with_its_number() {
        use iotkm::Error;
        for error in [
            Error::BufferTooSmall { needed: 1 },
            Error::NotEstablished,
            Error::WrongState,
            Error::Undrained,
            Error::TooLong { max: 1 },
            Error::BadArgument,
            Error::Rng,
            Error::KeyExhausted,
            Error::BadBlob,
            Error::BlobRolledBack,
            Error::SuiteMismatch,
            Error::NoRecord,
            Error::Locked,
            Error::Full,
            Error::NoCredential,
            Error::SeedExpired,
            Error::Revoked,
            Error::Store,
            Error::KeyStore,
        ] {
            let ours = IotkmError::from(error);
            assert!(!matches!(ours, IotkmError::Other { .. }), "{error:?}");
            assert_eq!(ours.code(), error.code());
        }
    }

    #[test]
    fn each_reason_is_shown_with_the_cores_advice() {
        for (place, reason) in REFUSED.into_iter().enumerate() {
            assert_eq!(reason.code(), -201 - place as i32, "one of each number, in order");
            let shown = IotkmError::from(reason).to_string();
            assert!(shown.starts_with(reason.advice()) && shown.ends_with(&format!(" [{}]", reason.code())), "{shown}");
        }
        let shown = IotkmError::from(Refused::NotYetValid).to_string();
        assert_eq!(shown, "refused: it begins later (not yet valid) [-210]");
        let younger = IotkmError::Refused { number: -299, reason: "unheard_of".to_owned() };
        assert_eq!(younger.to_string(), "refused (unheard of) [-299]");
    }
}
