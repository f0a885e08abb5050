//! Numbers for errors, and their texts.

use core::ffi::{c_char, c_int};
use core_of_iotkm::Error;
use core_of_iotkm::cose::Refused;
use core_of_iotkm::cose::cbor::CborError;

/// What functions return: `IOTKM_OK`, or a negative number that never changes its meaning. After an error nothing has changed.
/// From -101 on they are the languages' own, of one table: -110 to -117 are Python's (`iotkm/_errors.py` has it).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_status {
    /// Done.
    IOTKM_OK = 0,
    /// The output buffer is too small: iotkm_needed() says which size will do.
    IOTKM_E_BUFFER_TOO_SMALL = -1,
    /// There is no session yet, or it has ended: connect and wait for IOTKM_EVENT_ESTABLISHED.
    IOTKM_E_NOT_ESTABLISHED = -2,
    /// That call does not fit the state: a run of this kind is under way, or the memory for runs was released.
    IOTKM_E_WRONG_STATE = -3,
    /// Outputs are waiting: poll until idle first.
    IOTKM_E_UNDRAINED = -4,
    /// The payload does not fit a datagram of the configured size: iotkm_needed() says how long it may be.
    IOTKM_E_TOO_LONG = -5,
    /// An argument is out of range: see the function.
    IOTKM_E_BAD_ARGUMENT = -6,
    /// The source of randomness failed: call again when it works.
    IOTKM_E_RNG = -7,
    /// The keys are used up and the peer has not followed to new ones: update or connect again.
    IOTKM_E_KEY_EXHAUSTED = -8,
    /// The blob does not open: another device's, damaged, or another kind of state.
    IOTKM_E_BAD_BLOB = -9,
    /// The blob is older than the monotonic counter says: an old copy was put back.
    IOTKM_E_BLOB_ROLLED_BACK = -10,
    /// This peer was paired with another suite, or with Diffie-Hellman the other way.
    IOTKM_E_SUITE_MISMATCH = -11,
    /// The log holds no usable record yet: exchange messages first.
    IOTKM_E_NO_RECORD = -12,
    /// Too many failed pairing attempts: ask the user, then unlock.
    IOTKM_E_LOCKED = -13,
    /// No room is left in the table that this needs.
    IOTKM_E_FULL = -14,
    /// There is no credential of this device's that is valid now.
    IOTKM_E_NO_CREDENTIAL = -15,
    /// The key seed is not for this time: enrol the device anew.
    IOTKM_E_SEED_EXPIRED = -16,
    /// The device is revoked, and its seed killed.
    IOTKM_E_REVOKED = -17,
    /// The centre's database failed; nothing has changed.
    IOTKM_E_STORE = -18,
    /// The centre's key store failed, or something in its database is not what was sealed there.
    IOTKM_E_KEY_STORE = -19,

    /// A pointer that must not be NULL is.
    IOTKM_E_NULL = -101,
    /// The object was never set up, or was wiped.
    IOTKM_E_NOT_SET_UP = -102,
    /// A `struct_size` field is not the size of its structure.
    IOTKM_E_STRUCT_SIZE = -103,
    /// A hook of the platform failed, or is needed here and missing.
    IOTKM_E_HOOK = -104,
    /// A bug in this library; the association can only be wiped. Please report it.
    IOTKM_E_INTERNAL = -105,
    /// The object is in use: a hook called back into the verb that called it, or an association still holds the peer.
    IOTKM_E_BUSY = -106,
    /// The association is of another scheme than the function.
    IOTKM_E_SCHEME = -107,
    /// The store holds nothing in that slot.
    IOTKM_E_EMPTY = -108,
    /// The token that holds the key has not finished: call again.
    IOTKM_E_KEY_PENDING = -109,

    /// Refused: not the deterministic CBOR of such an object.
    IOTKM_E_REFUSED_ENCODING = -201,
    /// Refused: signed with another algorithm than the agent's.
    IOTKM_E_REFUSED_ALGORITHM = -202,
    /// Refused: a header that is not known and must be, or that nobody signed.
    IOTKM_E_REFUSED_HEADER = -203,
    /// Refused: a claim is missing, out of range, or contradicts another one.
    IOTKM_E_REFUSED_CLAIMS = -204,
    /// Refused: the device's key is of a kind that is not known here.
    IOTKM_E_REFUSED_KEY = -205,
    /// Refused: another agent issued it.
    IOTKM_E_REFUSED_AGENT = -206,
    /// Refused: it is about another device.
    IOTKM_E_REFUSED_SUBJECT = -207,
    /// Refused: the signature does not verify.
    IOTKM_E_REFUSED_SIGNATURE = -208,
    /// Refused: it is over.
    IOTKM_E_REFUSED_EXPIRED = -209,
    /// Refused: it begins later.
    IOTKM_E_REFUSED_NOT_YET_VALID = -210,
    /// Refused: the newest revocation list names it.
    IOTKM_E_REFUSED_REVOKED = -211,
    /// Refused: a newer one is here already.
    IOTKM_E_REFUSED_OLDER = -212,
}

use iotkm_status::*;

macro_rules! same {
    ($($status:ident $error:expr;)*) => { $(const _: () = assert!($status as i32 == $error.code());)* };
}
same! {
    IOTKM_E_BUFFER_TOO_SMALL Error::BufferTooSmall { needed: 0 };
    IOTKM_E_NOT_ESTABLISHED Error::NotEstablished;
    IOTKM_E_WRONG_STATE Error::WrongState;
    IOTKM_E_UNDRAINED Error::Undrained;
    IOTKM_E_TOO_LONG Error::TooLong { max: 0 };
    IOTKM_E_BAD_ARGUMENT Error::BadArgument;
    IOTKM_E_RNG Error::Rng;
    IOTKM_E_KEY_EXHAUSTED Error::KeyExhausted;
    IOTKM_E_BAD_BLOB Error::BadBlob;
    IOTKM_E_BLOB_ROLLED_BACK Error::BlobRolledBack;
    IOTKM_E_SUITE_MISMATCH Error::SuiteMismatch;
    IOTKM_E_NO_RECORD Error::NoRecord;
    IOTKM_E_LOCKED Error::Locked;
    IOTKM_E_FULL Error::Full;
    IOTKM_E_NO_CREDENTIAL Error::NoCredential;
    IOTKM_E_SEED_EXPIRED Error::SeedExpired;
    IOTKM_E_REVOKED Error::Revoked;
    IOTKM_E_STORE Error::Store;
    IOTKM_E_KEY_STORE Error::KeyStore;
    IOTKM_E_REFUSED_ENCODING Refused::Encoding(CborError::Truncated);
    IOTKM_E_REFUSED_ALGORITHM Refused::Algorithm;
    IOTKM_E_REFUSED_HEADER Refused::Header;
    IOTKM_E_REFUSED_CLAIMS Refused::Claims;
    IOTKM_E_REFUSED_KEY Refused::Key;
    IOTKM_E_REFUSED_AGENT Refused::Agent;
    IOTKM_E_REFUSED_SUBJECT Refused::Subject;
    IOTKM_E_REFUSED_SIGNATURE Refused::Signature;
    IOTKM_E_REFUSED_EXPIRED Refused::Expired;
    IOTKM_E_REFUSED_NOT_YET_VALID Refused::NotYetValid;
    IOTKM_E_REFUSED_REVOKED Refused::Revoked;
    IOTKM_E_REFUSED_OLDER Refused::Older;
}

/// Why a call failed, and the size that would have done where that is why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the function returns.
    pub status: c_int,
    /// For [`IOTKM_E_BUFFER_TOO_SMALL`] and [`IOTKM_E_TOO_LONG`].
    pub needed: usize,
}

/// What is inside a function.
pub type Outcome<T = ()> = Result<T, Failure>;

impl From<iotkm_status> for Failure {
    fn from(status: iotkm_status) -> Self {
        Self { status: status as c_int, needed: 0 }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let needed = match error {
            Error::BufferTooSmall { needed } => needed,
            Error::TooLong { max } => max,
            _ => 0,
        };
        Self { status: error.code(), needed }
    }
}

/// What C gets to see.
pub fn returned(outcome: Outcome) -> c_int {
    outcome.map_or_else(|failure| failure.status, |()| IOTKM_OK as c_int)
}

pub(crate) const fn with_nuls<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    if let Some((room, _)) = bytes.split_at_mut_checked(text.len()) {
        room.copy_from_slice(text.as_bytes());
    }
    bytes
}

/// A text as C reads it. It ends in two NULs: what ends in one the compiler puts into a section with all others, where one that
/// is used would keep them all.
macro_rules! text {
    ($text:expr) => {{
        const TEXT: &str = $text;
        // Constants of 4, 8, 16 and 32 bytes lie in one section each, which no linker parts: all of them, or none.
        const LEN: usize = match TEXT.len() + 2 {
            len @ (4 | 8 | 16 | 32) => len + 1,
            len => len,
        };
        const BYTES: &[u8; LEN] = &$crate::status::with_nuls(TEXT);
        const CSTR: &core::ffi::CStr = match core::ffi::CStr::from_bytes_until_nul(BYTES) {
            Ok(text) => text,
            Err(_) => c"",
        };
        CSTR
    }};
}
pub(crate) use text;

/// What is wrong and how to mend it, in one line of English; never NULL. Programs that do not call it do not link the texts.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_strerror(status: c_int) -> *const c_char {
    const NULL: i32 = IOTKM_E_NULL as i32;
    const NOT_SET_UP: i32 = IOTKM_E_NOT_SET_UP as i32;
    const STRUCT_SIZE: i32 = IOTKM_E_STRUCT_SIZE as i32;
    const HOOK: i32 = IOTKM_E_HOOK as i32;
    const INTERNAL: i32 = IOTKM_E_INTERNAL as i32;
    const BUSY: i32 = IOTKM_E_BUSY as i32;
    const SCHEME: i32 = IOTKM_E_SCHEME as i32;
    const EMPTY: i32 = IOTKM_E_EMPTY as i32;
    const PENDING: i32 = IOTKM_E_KEY_PENDING as i32;
    match status {
        0 => text!("ok").as_ptr(),
        -1 => text!(Error::BufferTooSmall { needed: 0 }.advice()).as_ptr(),
        -2 => text!(Error::NotEstablished.advice()).as_ptr(),
        -3 => text!(Error::WrongState.advice()).as_ptr(),
        -4 => text!(Error::Undrained.advice()).as_ptr(),
        -5 => text!(Error::TooLong { max: 0 }.advice()).as_ptr(),
        -6 => text!(Error::BadArgument.advice()).as_ptr(),
        -7 => text!(Error::Rng.advice()).as_ptr(),
        -8 => text!(Error::KeyExhausted.advice()).as_ptr(),
        -9 => text!(Error::BadBlob.advice()).as_ptr(),
        -10 => text!(Error::BlobRolledBack.advice()).as_ptr(),
        -11 => text!(Error::SuiteMismatch.advice()).as_ptr(),
        -12 => text!(Error::NoRecord.advice()).as_ptr(),
        -13 => text!(Error::Locked.advice()).as_ptr(),
        -14 => text!(Error::Full.advice()).as_ptr(),
        -15 => text!(Error::NoCredential.advice()).as_ptr(),
        -16 => text!(Error::SeedExpired.advice()).as_ptr(),
        -17 => text!(Error::Revoked.advice()).as_ptr(),
        -18 => text!(Error::Store.advice()).as_ptr(),
        -19 => text!(Error::KeyStore.advice()).as_ptr(),
        NULL => text!("a pointer is NULL that must not be: see the function's arguments").as_ptr(),
        NOT_SET_UP => text!("the object was never set up, or was wiped: call its constructor first").as_ptr(),
        STRUCT_SIZE => text!("a struct_size field is not the size of its structure: set it to sizeof").as_ptr(),
        HOOK => text!("a hook of the platform failed, or is needed here and missing").as_ptr(),
        INTERNAL => text!("a bug in iotkm: wipe the association, set it up again, and please report it").as_ptr(),
        BUSY => text!("the object is in use: by the call that this one came from, or by an association that holds it")
            .as_ptr(),
        SCHEME => text!("the association is of another scheme than the function").as_ptr(),
        EMPTY => text!("nothing is stored in that slot").as_ptr(),
        PENDING => text!("the token that holds the key has not finished: call again").as_ptr(),
        -201 => text!(Refused::Encoding(CborError::Truncated).advice()).as_ptr(),
        -202 => text!(Refused::Algorithm.advice()).as_ptr(),
        -203 => text!(Refused::Header.advice()).as_ptr(),
        -204 => text!(Refused::Claims.advice()).as_ptr(),
        -205 => text!(Refused::Key.advice()).as_ptr(),
        -206 => text!(Refused::Agent.advice()).as_ptr(),
        -207 => text!(Refused::Subject.advice()).as_ptr(),
        -208 => text!(Refused::Signature.advice()).as_ptr(),
        -209 => text!(Refused::Expired.advice()).as_ptr(),
        -210 => text!(Refused::NotYetValid.advice()).as_ptr(),
        -211 => text!(Refused::Revoked.advice()).as_ptr(),
        -212 => text!(Refused::Older.advice()).as_ptr(),
        _ => text!("unknown status").as_ptr(),
    }
}
