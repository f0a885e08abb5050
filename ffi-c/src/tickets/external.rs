//! An agent's key that lives elsewhere: in a token, behind a service.

use super::agent::{Use, iotkm_signature, iotkm_signing};
use crate::platform::IOTKM_KEY_PENDING;
use crate::raw;
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::{c_int, c_void};
use core_of_iotkm::crypto::keys::KeyError;
use core_of_iotkm::crypto::sign::{PublicKey, SIGNATURE_LEN, Signer};

/// A part of what is to be signed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_part {
    /// The bytes.
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
}

/// Parts that a message has at most.
const PARTS: usize = 4;

/// A signature key that lives elsewhere: the key of iotkm_signing_external.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_external_key {
    /// How it signs.
    pub signature: *const iotkm_signature,
    /// Its public key. What the hook gives is checked with it.
    pub key: *const u8,
    /// Length of `key` in bytes.
    pub key_len: usize,
    /// Writes the signature, IOTKM_SIGNATURE_LEN bytes (of ES256 r | s), of a message in up to four parts, one after the other.
    /// Returns 0; IOTKM_KEY_PENDING while the token works: the call then says IOTKM_E_KEY_PENDING, to be made again as it was;
    /// anything else where it failed (IOTKM_E_HOOK). No number is used up then.
    pub sign: Option<
        unsafe extern "C" fn(ctx: *mut c_void, parts: *const iotkm_part, count: usize, signature: *mut u8) -> c_int,
    >,
    /// For `sign`.
    pub sign_ctx: *mut c_void,
}

/// The hook during one call.
struct Elsewhere<'a> {
    at: &'a iotkm_external_key,
    public: PublicKey,
}

impl Signer for Elsewhere<'_> {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        Ok(self.public)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let hook = self.at.sign.ok_or(KeyError::NoKey)?;
        let mut parts = [iotkm_part { bytes: core::ptr::null(), len: 0 }; PARTS];
        let given = parts.get_mut(..message.len()).ok_or(KeyError::NoKey)?;
        let one = |from: &&[u8]| iotkm_part { bytes: from.as_ptr(), len: from.len() };
        given.iter_mut().zip(message.iter().map(one)).for_each(|(to, part)| *to = part);
        let mut made = [0; SIGNATURE_LEN];
        // SAFETY: the hook gets its own context, parts that are read only, and memory for a signature.
        match unsafe { hook(self.at.sign_ctx, given.as_ptr(), given.len(), made.as_mut_ptr()) } {
            0 => {}
            IOTKM_KEY_PENDING => return Err(KeyError::Pending),
            _ => return Err(KeyError::NoKey),
        }
        // A token that signs under another key, or wrongly, is seen here, and not by every device.
        self.public.verify(message, &made).map_err(|_| KeyError::NoKey)?;
        *signature = made;
        Ok(())
    }
}

unsafe fn external(key: *const c_void, f: Use<'_>) -> Outcome {
    let at: &iotkm_external_key = raw::read(key.cast())?;
    let signature: &iotkm_signature = raw::read(at.signature)?;
    let public = PublicKey::new(signature.algorithm, raw::bytes(at.key, at.key_len)?);
    f(&Elsewhere { at, public: public.map_err(|_| IOTKM_E_BAD_ARGUMENT)? })
}

/// A key that lives elsewhere; the key is an iotkm_external_key.
#[unsafe(no_mangle)]
pub static iotkm_signing_external: iotkm_signing = iotkm_signing { with: external };
