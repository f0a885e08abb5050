//! Ed25519 (RFC 8032), verified as ed25519-dalek's `verify_strict` does.

use super::{Algorithm, BadSignature, EDDSA, PublicKey, SIGNATURE_LEN, Signer};
use crate::crypto::Secret;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::declassify;
#[cfg(not(feature = "tables"))]
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner;
use sha2::{Digest, Sha512};

/// The algorithm; [`EDDSA`] is it.
pub struct Ed25519;

/// The key behind 32 bytes, not of small order: under such a key anybody signs. Its y is below 2^255 - 19 (RFC 8032,
/// section 5.1.3), which the library does not look at.
fn key(public: &[u8]) -> Result<EdwardsPoint, BadSignature> {
    let bytes = <&[u8; 32]>::try_from(public).map_err(|_| BadSignature)?;
    if let [0xed..=0xff, middle @ .., 0x7f | 0xff] = bytes
        && middle.iter().all(|byte| *byte == 0xff)
    {
        return Err(BadSignature);
    }
    large(bytes)
}

/// A point that is not of small order.
fn large(bytes: &[u8; 32]) -> Result<EdwardsPoint, BadSignature> {
    let point = CompressedEdwardsY(*bytes).decompress().ok_or(BadSignature)?;
    if point.is_small_order() { Err(BadSignature) } else { Ok(point) }
}

/// s B - k A.
#[cfg(feature = "tables")]
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
fn recompute(s: &Scalar, k: &Scalar, a: &EdwardsPoint) -> EdwardsPoint {
    EdwardsPoint::vartime_double_scalar_mul_basepoint(k, &-a, s)
}

/// s B - k A, one after the other: half as fast as both at once, on 4 kB less of a device's stack.
#[cfg(not(feature = "tables"))]
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
#[inline(never)]
fn recompute(s: &Scalar, k: &Scalar, a: &EdwardsPoint) -> EdwardsPoint {
    let ka = a * k;
    ED25519_BASEPOINT_POINT * s - ka
}

impl Algorithm for Ed25519 {
    fn cose(&self) -> i8 {
        -8
    }

    fn public_len(&self) -> usize {
        32
    }

    fn check(&self, public: &[u8]) -> Result<(), BadSignature> {
        key(public).map(|_| ())
    }

    /// As ed25519-dalek's `verify_strict`, which takes no parts and more stack: neither the key nor R is of small order, s is
    /// reduced, and R is compared as bytes.
    fn verify(&self, public: &[u8], message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature> {
        let key = key(public)?;
        let (r, s) = signature.split_first_chunk().ok_or(BadSignature)?;
        let s = <[u8; 32]>::try_from(s).map_err(|_| BadSignature)?;
        let s = Option::from(Scalar::from_canonical_bytes(s)).ok_or(BadSignature)?;
        large(r)?;
        let mut hash = Sha512::new_with_prefix(r);
        hash.update(public);
        message.iter().for_each(|part| hash.update(part));
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        if recompute(&s, &k, &key).compress().as_bytes() == r { Ok(()) } else { Err(BadSignature) }
    }
}

/// An Ed25519 key in memory: RFC 8032's 32-byte seed.
#[derive(Debug)]
pub struct Ed25519Key(Secret<32>);

impl Ed25519Key {
    /// The key behind a uniformly random seed.
    pub const fn new(seed: Secret<32>) -> Self {
        Self(seed)
    }
}

impl Signer for Ed25519Key {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        let key = SigningKey::from_bytes(self.0.expose());
        // The public key, for everybody.
        PublicKey::new(&EDDSA, declassify(key.verifying_key().as_bytes())).map_err(|_| KeyError::Failed)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let key = SigningKey::from_bytes(self.0.expose());
        *signature = key.try_multipart_sign(message).map_err(|_| KeyError::Failed)?.to_bytes();
        Ok(())
    }
}
