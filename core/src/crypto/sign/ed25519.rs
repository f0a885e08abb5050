//! Ed25519 (RFC 8032) as ed25519-dalek's `verify_strict` has it.

use super::{Algorithm, BadSignature, EDDSA, PublicKey, SIGNATURE_LEN, Signer};
use crate::crypto::Secret;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::declassify;
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::ed25519::signature::{MultipartSigner, MultipartVerifier};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};

/// The algorithm; [`EDDSA`] is it.
pub struct Ed25519;

/// The key behind 32 bytes, not of small order: under such a key anybody signs. Its y is below 2^255 - 19 (RFC 8032,
/// section 5.1.3), which the library does not look at.
fn key(public: &[u8]) -> Result<VerifyingKey, BadSignature> {
    let bytes = <&[u8; 32]>::try_from(public).map_err(|_| BadSignature)?;
    if let [0xed..=0xff, middle @ .., 0x7f | 0xff] = bytes
        && middle.iter().all(|byte| *byte == 0xff)
    {
        return Err(BadSignature);
    }
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadSignature)?;
    if key.is_weak() { Err(BadSignature) } else { Ok(key) }
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

    /// The library's `verify_strict`, which takes no parts: neither the key nor R is of small order, s is reduced, and R
    /// is compared as bytes.
    fn verify(&self, public: &[u8], message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature> {
        let key = key(public)?;
        let signature = Signature::from_bytes(signature);
        let r = CompressedEdwardsY(*signature.r_bytes()).decompress().ok_or(BadSignature)?;
        if r.is_small_order() {
            return Err(BadSignature);
        }
        key.multipart_verify(message, &signature).map_err(|_| BadSignature)
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
