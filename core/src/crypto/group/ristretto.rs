//! ristretto255 (RFC 9496): the prime-order group beside X25519.

#![allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]

use super::{Dh, GroupError, PrimeGroup, Scalar, put};
use crate::crypto::secret::{ct_eq, declassify};
use crate::crypto::{Rng, RngError, Secret};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar as Exponent;
use zeroize::Zeroizing;

/// ristretto255. Scalars are little-endian, elements 32 bytes.
pub struct Ristretto255;

/// The element behind `bytes`: canonical, and not the identity.
#[inline(never)]
pub(in crate::crypto) fn element(bytes: &[u8]) -> Result<RistrettoPoint, GroupError> {
    let compressed = CompressedRistretto::from_slice(bytes).map_err(|_| GroupError::BadElement)?;
    not_identity(&compressed)?;
    compressed.decompress().ok_or(GroupError::BadElement)
}

/// `point^scalar`, not the identity.
#[inline(never)]
pub(in crate::crypto) fn power(
    point: &RistrettoPoint,
    scalar: &Scalar,
) -> Result<Zeroizing<CompressedRistretto>, GroupError> {
    let result = Zeroizing::new(Zeroizing::new(point * *exponent(scalar)).compress());
    not_identity(&result)?;
    Ok(result)
}

/// The identity's one encoding is all zero.
fn not_identity(element: &CompressedRistretto) -> Result<(), GroupError> {
    if ct_eq(element.as_bytes(), &[0; 32]) { Err(GroupError::BadElement) } else { Ok(()) }
}

fn base(scalar: &Scalar) -> CompressedRistretto {
    RistrettoPoint::mul_base(&exponent(scalar)).compress()
}

fn exponent(scalar: &Scalar) -> Zeroizing<Exponent> {
    Zeroizing::new(Exponent::from_bytes_mod_order(*scalar.expose()))
}

impl Dh for Ristretto255 {
    fn share_len(&self) -> usize {
        32
    }

    fn secret_len(&self) -> usize {
        32
    }

    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        self.random_scalar(rng, scalar)?;
        // Made to be sent.
        put(share, declassify(base(scalar).as_bytes()))
    }

    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        self.power(share, scalar, out)
    }
}

impl PrimeGroup for Ristretto255 {
    fn element_len(&self) -> usize {
        32
    }

    /// 252 uniform bits, as CPace recommends: the order is so close above 2^252 that it makes no difference, and one draw
    /// is always enough.
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        rng.fill(scalar.as_mut())?;
        if let Some(top) = scalar.as_mut().last_mut() {
            *top &= 0x0f;
        }
        // Only a broken source gives zero.
        if *scalar == Secret::zero() { Err(GroupError::Rng(RngError)) } else { Ok(()) }
    }

    fn one(&self) -> Scalar {
        Secret::new(Exponent::ONE.to_bytes())
    }

    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        let mut input = Secret::<64>::zero();
        for (to, from) in input.as_mut().iter_mut().zip(wide) {
            *to = *from;
        }
        let reduced = Zeroizing::new(Exponent::from_bytes_mod_order_wide(input.expose()));
        *scalar.as_mut() = reduced.to_bytes();
        if *scalar == Secret::zero() { Err(GroupError::BadElement) } else { Ok(()) }
    }

    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        let product = Zeroizing::new(*exponent(a) * *exponent(b));
        *out.as_mut() = Zeroizing::new(*product + *exponent(c)).to_bytes();
        if *out == Secret::zero() { Err(GroupError::BadElement) } else { Ok(()) }
    }

    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        let _ = put(out, base(scalar).as_bytes());
    }

    fn power(&self, base: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        put(out, power(&element(base)?, scalar)?.as_bytes())
    }

    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        let (ax, by) = (element(a)? * *exponent(x), element(b)? * *exponent(y));
        let (ax, by) = (Zeroizing::new(ax), Zeroizing::new(by));
        let product = Zeroizing::new(Zeroizing::new(*ax + *by).compress());
        not_identity(&product)?;
        put(out, product.as_bytes())
    }

    fn element_of_share(&self, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        element(share)?;
        put(out, share)
    }

    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        self.element_of_share(element, share)
    }
}
