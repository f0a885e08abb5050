//! Who issues tickets, how they are signed, and signing itself.

use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::{c_char, c_int, c_void};
use core_of_iotkm::cose::ticket::NAME_MAX;
use core_of_iotkm::cose::{Agent, IssueError};
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::crypto::sign::{Algorithm, EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, SIGNATURE_LEN, Signer};

/// How an agent's signatures are checked: one of the values below.
pub struct iotkm_signature {
    pub(super) algorithm: &'static dyn Algorithm,
}

impl core::fmt::Debug for iotkm_signature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("iotkm_signature")
    }
}

/// Ed25519; keys have 32 bytes.
#[unsafe(no_mangle)]
pub static iotkm_eddsa: iotkm_signature = iotkm_signature { algorithm: &EDDSA };
/// ECDSA on P-256 with SHA-256; keys have 65 bytes, 04 | x | y.
#[unsafe(no_mangle)]
pub static iotkm_es256: iotkm_signature = iotkm_signature { algorithm: &ES256 };

/// What is done with a signer.
pub(super) type Use<'a> = &'a mut dyn FnMut(&dyn Signer) -> Outcome;

/// How an agent signs: one of the values below, each of which says what the `key` beside it is. Devices do not name them.
pub struct iotkm_signing {
    pub(super) with: unsafe fn(*const c_void, Use<'_>) -> Outcome,
}

impl core::fmt::Debug for iotkm_signing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("iotkm_signing")
    }
}

unsafe fn secret(key: *const c_void) -> Outcome<Secret<32>> {
    Ok(Secret::new(*raw::read::<[u8; 32]>(key.cast())?))
}
unsafe fn eddsa(key: *const c_void, f: Use<'_>) -> Outcome {
    f(&Ed25519Key::new(secret(key)?))
}
unsafe fn es256(key: *const c_void, f: Use<'_>) -> Outcome {
    f(&Es256Key::new(secret(key)?))
}

/// Ed25519; the key is a seed, 32 uniformly random bytes to be kept secret.
#[unsafe(no_mangle)]
pub static iotkm_signing_eddsa: iotkm_signing = iotkm_signing { with: eddsa };
/// ECDSA on P-256 with SHA-256, deterministic (RFC 6979); the key is a scalar, 32 bytes, big-endian, to be kept secret.
#[unsafe(no_mangle)]
pub static iotkm_signing_es256: iotkm_signing = iotkm_signing { with: es256 };

/// The longest public key of an agent in bytes.
pub const IOTKM_AGENT_KEY_MAX: usize = 65;

/// The agent whose tickets a device goes by. What it points to lies elsewhere, for as long as it is used.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_agent {
    /// The agent's name: 1 to IOTKM_NAME_MAX bytes.
    pub name: *const c_char,
    /// How it signs.
    pub signature: *const iotkm_signature,
    /// Its public key.
    pub key: *const u8,
    /// Length of `key` in bytes.
    pub key_len: usize,
}

/// A name, or another text of a ticket's.
pub(crate) unsafe fn text<'a>(text: *const c_char) -> Outcome<&'a str> {
    Ok(core::str::from_utf8(raw::text(text, NAME_MAX.saturating_add(1))?).map_err(|_| IOTKM_E_BAD_ARGUMENT)?)
}

impl iotkm_agent {
    /// The agent that a call names, if its key is one.
    pub(crate) unsafe fn get<'a>(this: *const Self) -> Outcome<Agent<'a>> {
        let this: &Self = raw::read(this)?;
        let signature: &iotkm_signature = raw::read(this.signature)?;
        let key = PublicKey::new(signature.algorithm, raw::bytes(this.key, this.key_len)?);
        Ok(Agent { name: text(this.name)?, key: key.map_err(|_| IOTKM_E_BAD_ARGUMENT)? })
    }
}

/// Signs with a key.
pub(super) unsafe fn signed(signing: *const iotkm_signing, key: *const c_void, f: Use<'_>) -> Outcome {
    (raw::read::<iotkm_signing>(signing)?.with)(key, f)
}

/// Writes the public key of an agent's key; IOTKM_AGENT_KEY_MAX bytes will do.
/// Errors: IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BAD_ARGUMENT for a key that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_signing_public_key(
    signing: *const iotkm_signing,
    key: *const c_void,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let mut out = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        signed(signing, key, &mut |signer| {
            let key = signer.public_key().map_err(|_| IOTKM_E_BAD_ARGUMENT)?;
            let key = key.as_bytes();
            out.0.get_mut(..key.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(key);
            out.1.take().ok_or(IOTKM_E_INTERNAL)?.set(key.len());
            Ok(())
        })
    })
}

/// Length of a signature in bytes.
pub const IOTKM_SIGNATURE_LEN: usize = 64;
const _: () = assert!(IOTKM_SIGNATURE_LEN == SIGNATURE_LEN);

/// Signs any bytes: IOTKM_SIGNATURE_LEN of them come of it, of ES256 r | s. Tickets and lists are signed by their own calls.
/// Errors: IOTKM_E_BAD_ARGUMENT for a key that is none; IOTKM_E_HOOK and IOTKM_E_KEY_PENDING of a key that is elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_signing_sign(
    signing: *const iotkm_signing,
    key: *const c_void,
    message: *const u8,
    message_len: usize,
    signature: *mut u8,
) -> c_int {
    raw::plainly(|| {
        let message = raw::bytes(message, message_len)?;
        let mut place = Some(Out::new(signature.cast::<[u8; SIGNATURE_LEN]>())?);
        signed(signing, key, &mut |signer| {
            let mut signature = [0; SIGNATURE_LEN];
            signer.sign(&[message], &mut signature).map_err(IssueError::Key)?;
            place.take().ok_or(IOTKM_E_INTERNAL)?.set(signature);
            Ok(())
        })
    })
}
