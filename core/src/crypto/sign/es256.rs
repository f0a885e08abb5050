//! ECDSA on P-256 with SHA-256 (FIPS 186-5), deterministic by RFC 6979.

use super::{Algorithm, BadSignature, ES256, PublicKey, SIGNATURE_LEN, Signer};
use crate::crypto::Secret;
use crate::crypto::group::p256::{element, encode};
use crate::crypto::keys::KeyError;
use crate::crypto::secret::declassify;
use p256::ecdsa::signature::{MultipartSigner, MultipartVerifier};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};

/// The algorithm; [`ES256`] is it.
pub struct Es256;

impl Algorithm for Es256 {
    fn cose(&self) -> i8 {
        -7
    }

    fn public_len(&self) -> usize {
        65
    }

    fn check(&self, public: &[u8]) -> Result<(), BadSignature> {
        element(public).map(|_| ()).map_err(|_| BadSignature)
    }

    /// Takes both s and -s, as FIPS 186-5 and the tokens do.
    fn verify(&self, public: &[u8], message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature> {
        let point = element(public).map_err(|_| BadSignature)?;
        let key = VerifyingKey::from_affine(point).map_err(|_| BadSignature)?;
        let signature = Signature::from_slice(signature).map_err(|_| BadSignature)?;
        key.multipart_verify(message, &signature).map_err(|_| BadSignature)
    }
}

/// An ECDSA key in memory: a big-endian scalar.
#[derive(Debug)]
pub struct Es256Key(Secret<32>);

impl Es256Key {
    /// The key with this scalar. One that is zero or not below the order fails where it is used
    /// ([`PrimeGroup::random_scalar`](crate::crypto::PrimeGroup::random_scalar) draws a good one).
    pub const fn new(scalar: Secret<32>) -> Self {
        Self(scalar)
    }

    fn key(&self) -> Result<SigningKey, KeyError> {
        SigningKey::from_slice(self.0.expose()).map_err(|_| KeyError::Failed)
    }
}

impl Signer for Es256Key {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        // The public key, for everybody.
        let public = encode(self.key()?.verifying_key().as_affine());
        PublicKey::new(&ES256, declassify(&public)).map_err(|_| KeyError::Failed)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let done: Signature = self.key()?.try_multipart_sign(message).map_err(|_| KeyError::Failed)?;
        *signature = done.to_bytes().into();
        Ok(())
    }
}
