//! The one key derivation: HKDF-SHA256 (RFC 5869) with iotkm's info string.
//!
//! `info = u16(L) || "iotkm1 " || scheme || " " || label || 0x00 || context` (PROTOCOLS, *KDF*). With a scheme
//! of at most seven characters, a label of at most four and a 32-byte context, one output block of HKDF-Expand is four SHA-256
//! blocks, two where the [`Prk`] is used again: the key schedules are laid out for that.

use super::secret::Secret;
use super::sha256::{Hmac, Sha256};
use core::fmt;

pub use super::sha256::HASH_LEN;

/// SHA-256 over the parts, one after the other.
pub fn hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    digest(|h| parts.iter().for_each(|part| h.update(part)))
}

/// SHA-256 over a hash and the parts behind it.
pub fn hash_then(first: &[u8; HASH_LEN], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    digest(|h| {
        h.update(first);
        parts.iter().for_each(|part| h.update(part));
    })
}

/// SHA-256 over `prefix` and then each field behind its length as `u16`, big-endian: PROTOCOLS' `lv(...)`.
pub fn hash_lv(prefix: &[u8], fields: &[&[u8]]) -> [u8; HASH_LEN] {
    digest(|h| {
        h.update(prefix);
        for field in fields {
            h.update(&length(field));
            h.update(field);
        }
    })
}

fn digest(write: impl FnOnce(&mut Sha256)) -> [u8; HASH_LEN] {
    let mut hash = Sha256::new();
    write(&mut hash);
    let mut out = [0; HASH_LEN];
    hash.finish(&mut out);
    out
}

fn length(field: &[u8]) -> [u8; 2] {
    debug_assert!(field.len() <= usize::from(u16::MAX));
    (field.len() as u16).to_be_bytes()
}

/// A pseudorandom key with HMAC's two key blocks already hashed, ready to expand from.
#[derive(Clone)]
pub struct Prk {
    mac: Hmac,
    scheme: &'static str,
}

impl Prk {
    /// A PRK that is uniform already (32 bytes or more; up to 64 cost nothing extra). `scheme` goes into every info.
    pub fn new(scheme: &'static str, key: &[u8]) -> Self {
        Self { mac: Hmac::new(&[key]), scheme }
    }

    /// As [`new`](Self::new) from a key that lies in parts: at most 64 bytes together.
    pub fn from_parts(scheme: &'static str, key: &[&[u8]]) -> Self {
        Self { mac: Hmac::new(key), scheme }
    }

    /// A PRK whose key blocks are hashed already.
    pub(crate) fn of(scheme: &'static str, mac: &Hmac) -> Self {
        Self { mac: mac.clone(), scheme }
    }

    /// Its key blocks.
    pub(crate) const fn mac(&self) -> &Hmac {
        &self.mac
    }

    /// HKDF-Extract: `HMAC(salt, ikm)`, the parts of `ikm` each behind its length where there is more than one.
    pub fn extract(scheme: &'static str, salt: &[&[u8]], ikm: &[&[u8]]) -> Self {
        Self::extract_from(scheme, salt, &mut |message| {
            for part in ikm {
                if ikm.len() > 1 {
                    message.update(&length(part));
                }
                message.update(part);
            }
        })
    }

    /// HKDF-Extract of what `write` writes, from where it lies.
    #[inline(never)]
    pub(crate) fn extract_from(scheme: &'static str, salt: &[&[u8]], write: &mut dyn FnMut(&mut Sha256)) -> Self {
        let mac = Hmac::new(salt);
        let mut message = mac.message();
        write(&mut message);
        let mut prk = Secret::<HASH_LEN>::zero();
        mac.finish(&mut message, prk.as_mut());
        Self::new(scheme, prk.expose())
    }

    /// HKDF-Expand of `out.len()` bytes (at most 255 x 32) under `label`; the context is the parts, one after the other.
    pub fn expand(&self, label: &str, context: &[&[u8]], out: &mut [u8]) {
        let total = (out.len() as u16).to_be_bytes();
        let head: [&[u8]; 6] = [&total, b"iotkm1 ", self.scheme.as_bytes(), b" ", label.as_bytes(), &[0]];
        hkdf_expand(&self.mac, &[&head, context], out);
    }

    /// [`expand`](Self::expand) into a secret of `N` bytes.
    pub fn secret<const N: usize>(&self, label: &str, context: &[&[u8]]) -> Secret<N> {
        let mut out = Secret::zero();
        self.expand(label, context, out.as_mut());
        out
    }
}

impl fmt::Debug for Prk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prk({}, ..)", self.scheme)
    }
}

/// HKDF-Expand (RFC 5869, section 2.3); the info is all parts, one after the other.
pub(in crate::crypto) fn hkdf_expand(prk: &Hmac, info: &[&[&[u8]]], out: &mut [u8]) {
    debug_assert!(out.len() <= 255 * HASH_LEN);
    let mut previous = Secret::<HASH_LEN>::zero();
    let mut counter = 0u8;
    for chunk in out.chunks_mut(HASH_LEN) {
        let mut message = prk.message();
        if counter > 0 {
            message.update(previous.expose());
        }
        counter = counter.wrapping_add(1);
        for part in info.iter().copied().flatten() {
            message.update(part);
        }
        message.update(&[counter]);
        prk.finish(&mut message, previous.as_mut());
        if let Some(made) = previous.expose().get(..chunk.len()) {
            chunk.copy_from_slice(made);
        }
    }
}

#[cfg(test)]
mod tests;
