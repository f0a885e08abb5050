//! The one key derivation: HKDF-SHA256 (RFC 5869) with iotkm's info string.
//!
//! `info = u16(L) || "iotkm1 " || scheme || " " || label || 0x00 || context` (PROTOCOLS, *KDF*). With `scheme` =
//! `history`, a label of at most four characters and a 32-byte context, one output block of HKDF-Expand is four SHA-256
//! blocks, two where the [`Prk`] is used again: the key schedules are laid out for that.

use super::secret::Secret;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Length of a hash, a PRK and most secrets in bytes.
pub const HASH_LEN: usize = 32;

/// SHA-256 over the parts, one after the other.
pub fn hash(parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut h = Sha256::new();
    for part in parts {
        h.update(part);
    }
    h.finalize().into()
}

/// SHA-256 over a hash and the parts behind it.
pub fn hash_then(first: &[u8; HASH_LEN], parts: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut h = Sha256::new();
    h.update(first);
    for part in parts {
        h.update(part);
    }
    h.finalize().into()
}

/// SHA-256 over `prefix` and then each field behind its length as `u16`, big-endian: PROTOCOLS' `lv(...)`.
pub fn hash_lv(prefix: &[u8], fields: &[&[u8]]) -> [u8; HASH_LEN] {
    let mut h = Sha256::new();
    h.update(prefix);
    for field in fields {
        h.update(length(field));
        h.update(field);
    }
    h.finalize().into()
}

fn length(field: &[u8]) -> [u8; 2] {
    debug_assert!(field.len() <= usize::from(u16::MAX));
    (field.len() as u16).to_be_bytes()
}

/// A pseudorandom key with HMAC's two key blocks already hashed, ready to expand from.
#[derive(Clone)]
pub struct Prk {
    mac: Hmac<Sha256>,
    scheme: &'static str,
}

impl Prk {
    /// A PRK that is uniform already (32 bytes or more; up to 64 cost nothing extra). `scheme` goes into every info.
    pub fn new(scheme: &'static str, key: &[u8]) -> Self {
        Self { mac: keyed(&[key]), scheme }
    }

    /// As [`new`](Self::new) from a key that lies in parts: at most 64 bytes together.
    pub fn from_parts(scheme: &'static str, key: &[&[u8]]) -> Self {
        Self { mac: keyed(key), scheme }
    }

    /// HKDF-Extract: `HMAC(salt, ikm)`, the parts of `ikm` each behind its length where there is more than one.
    pub fn extract(scheme: &'static str, salt: &[&[u8]], ikm: &[&[u8]]) -> Self {
        let mut mac = keyed(salt);
        for part in ikm {
            if ikm.len() > 1 {
                mac.update(&length(part));
            }
            mac.update(part);
        }
        let prk = Secret::<HASH_LEN>::new(mac.finalize().into_bytes().into());
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
fn hkdf_expand(prk: &Hmac<Sha256>, info: &[&[&[u8]]], out: &mut [u8]) {
    debug_assert!(out.len() <= 255 * HASH_LEN);
    let mut previous = Secret::<HASH_LEN>::zero();
    let mut counter = 0u8;
    for chunk in out.chunks_mut(HASH_LEN) {
        let mut mac = prk.clone();
        if counter > 0 {
            mac.update(previous.expose());
        }
        counter = counter.wrapping_add(1);
        for part in info.iter().copied().flatten() {
            mac.update(part);
        }
        mac.update(&[counter]);
        *previous.as_mut() = mac.finalize().into_bytes().into();
        for (to, from) in chunk.iter_mut().zip(previous.expose()) {
            *to = *from;
        }
    }
}

/// HMAC-SHA256 keyed by the parts: up to 64 bytes are the key block itself, longer keys are hashed (RFC 2104).
fn keyed(key: &[&[u8]]) -> Hmac<Sha256> {
    let digest;
    let hashed;
    let mut key = key;
    if key.iter().map(|part| part.len()).sum::<usize>() > 64 {
        digest = Secret::<HASH_LEN>::new(hash(key));
        hashed = [digest.expose().as_slice()];
        key = &hashed;
    }
    let mut block = Secret::<64>::zero();
    for (to, from) in block.as_mut().iter_mut().zip(key.iter().copied().flatten()) {
        *to = *from;
    }
    Hmac::new(block.expose().into())
}

#[cfg(test)]
mod tests;
