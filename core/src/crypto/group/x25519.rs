//! X25519 (RFC 7748): the default Diffie-Hellman.

use super::{Dh, GroupError, Scalar, put};
use crate::crypto::Rng;
use crate::crypto::secret::{ct_eq, declassify};
use curve25519_dalek::montgomery::MontgomeryPoint;
use zeroize::Zeroize;

/// X25519. Scalars are the 32 bytes as drawn; they are clamped where they are used.
pub struct X25519;

impl Dh for X25519 {
    fn share_len(&self) -> usize {
        32
    }

    fn secret_len(&self) -> usize {
        32
    }

    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        rng.fill(scalar.as_mut())?;
        // Made to be sent.
        put(share, declassify(&base(scalar).to_bytes()))
    }

    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        let share = share.try_into().map_err(|_| GroupError::BadElement)?;
        let mut secret = MontgomeryPoint(share).mul_clamped(*scalar.expose());
        // RFC 7748, section 6.1: a share of small order gives zero, whatever the scalar.
        let done =
            if ct_eq(secret.as_bytes(), &[0; 32]) { Err(GroupError::BadElement) } else { put(out, secret.as_bytes()) };
        secret.zeroize();
        done
    }
}

/// The ladder again: without tables Edwards arithmetic would only cost flash.
#[cfg(not(feature = "tables"))]
fn base(scalar: &Scalar) -> MontgomeryPoint {
    curve25519_dalek::constants::X25519_BASEPOINT.mul_clamped(*scalar.expose())
}

#[cfg(feature = "tables")]
fn base(scalar: &Scalar) -> MontgomeryPoint {
    MontgomeryPoint::mul_base_clamped(*scalar.expose())
}
