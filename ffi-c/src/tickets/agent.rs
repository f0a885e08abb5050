//! Who issues tickets, how they are signed, and signing itself.

use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::{c_char, c_int};
use core_of_iotkm::cose::Agent;
use core_of_iotkm::cose::ticket::NAME_MAX;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::crypto::sign::{Algorithm, EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, Signer};

/// How an agent's signatures are checked: one of the values below.
pub struct iotkm_signature {
    algorithm: &'static dyn Algorithm,
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
type Use<'a> = &'a mut dyn FnMut(&dyn Signer) -> Outcome;

/// How an agent signs: one of the values below. Devices do not name them.
pub struct iotkm_signing {
    with: fn(&Secret<32>, Use<'_>) -> Outcome,
}

impl core::fmt::Debug for iotkm_signing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("iotkm_signing")
    }
}

fn eddsa(secret: &Secret<32>, f: Use<'_>) -> Outcome {
    f(&Ed25519Key::new(secret.clone()))
}
fn es256(secret: &Secret<32>, f: Use<'_>) -> Outcome {
    f(&Es256Key::new(secret.clone()))
}

/// Ed25519; the secret is a seed, 32 uniformly random bytes.
#[unsafe(no_mangle)]
pub static iotkm_signing_eddsa: iotkm_signing = iotkm_signing { with: eddsa };
/// ECDSA on P-256 with SHA-256, deterministic (RFC 6979); the secret is a scalar, 32 bytes, big-endian.
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

/// Signs with a secret of 32 bytes.
pub(super) unsafe fn signed(signing: *const iotkm_signing, secret: *const u8, f: Use<'_>) -> Outcome {
    let signing: &iotkm_signing = raw::read(signing)?;
    (signing.with)(&Secret::new(*raw::read::<[u8; 32]>(secret.cast())?), f)
}

/// Writes the public key of an agent's secret (32 bytes); IOTKM_AGENT_KEY_MAX bytes will do.
/// Errors: IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BAD_ARGUMENT for a secret that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_signing_public_key(
    signing: *const iotkm_signing,
    secret: *const u8,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let mut out = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        signed(signing, secret, &mut |signer| {
            let key = signer.public_key().map_err(|_| IOTKM_E_BAD_ARGUMENT)?;
            let key = key.as_bytes();
            out.0.get_mut(..key.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(key);
            out.1.take().ok_or(IOTKM_E_INTERNAL)?.set(key.len());
            Ok(())
        })
    })
}
