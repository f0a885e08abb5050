//! ECDSA on P-256 with SHA-256 (FIPS 186-5), deterministic by RFC 6979.

use super::{Algorithm, BadSignature, ES256, PublicKey, SIGNATURE_LEN, Signer};
use crate::crypto::Secret;
use crate::crypto::group::p256::{element, encode};
use crate::crypto::kdf::{HASH_LEN, hash};
use crate::crypto::keys::KeyError;
use crate::crypto::secret::declassify;
use p256::ecdsa::signature::MultipartSigner;
use p256::ecdsa::{Signature, SigningKey};
#[cfg(not(feature = "tables"))]
use p256::elliptic_curve::PrimeField;
#[cfg(not(feature = "tables"))]
use p256::elliptic_curve::group::Group;
#[cfg(feature = "tables")]
use p256::elliptic_curve::ops::MulByGeneratorVartime;
use p256::elliptic_curve::ops::{Invert, Reduce};
use p256::elliptic_curve::point::AffineCoordinates;
use p256::{FieldBytes, NonZeroScalar, ProjectivePoint, Scalar as Exponent};

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
        let (r, s) = Signature::from_slice(signature).map_err(|_| BadSignature)?.split_scalars();
        let [u_1, u_2] = factors(&r, &s, &hash(message));
        let key = element(public).map_err(|_| BadSignature)?;
        let x = sum(&u_1, &u_2, &key.into()).to_affine().x();
        if Exponent::reduce(&x) == *r { Ok(()) } else { Err(BadSignature) }
    }
}

// All that is verified is public: nothing here needs to take the same time for all of it.

/// u_1 = e s^-1, u_2 = r s^-1 (FIPS 186-5, section 6.4.2).
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
#[inline(never)]
fn factors(r: &NonZeroScalar, s: &NonZeroScalar, digest: &[u8; HASH_LEN]) -> [Exponent; 2] {
    let inverse = *s.invert_vartime();
    [Exponent::reduce(&FieldBytes::from(*digest)) * inverse, **r * inverse]
}

/// u_1 G + u_2 Q.
#[cfg(feature = "tables")]
fn sum(u_1: &Exponent, u_2: &Exponent, q: &ProjectivePoint) -> ProjectivePoint {
    ProjectivePoint::mul_by_generator_and_mul_add_vartime(u_1, u_2, q)
}

/// u_1 G + u_2 Q, bit by bit: for a tenth more time than with the library's tables, a third of the stack.
#[cfg(not(feature = "tables"))]
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
#[inline(never)]
fn sum(u_1: &Exponent, u_2: &Exponent, q: &ProjectivePoint) -> ProjectivePoint {
    let both = ProjectivePoint::GENERATOR + q;
    let mut sum = ProjectivePoint::IDENTITY;
    for (one, two) in u_1.to_repr().into_iter().zip(u_2.to_repr()) {
        for bit in (0..8).rev() {
            sum = sum.double();
            match (one >> bit & 1, two >> bit & 1) {
                (0, 0) => {}
                (_, 0) => sum += &ProjectivePoint::GENERATOR,
                (0, _) => sum += q,
                _ => sum += &both,
            }
        }
    }
    sum
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
