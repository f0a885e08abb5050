//! P-256 (FIPS 186-5, SEC 1): the group of secure elements.
//!
//! On the wire a share is x alone; the generator takes the key whose y is even (as EDHOC, RFC 9528, section 4.1), so
//! that both sides know the whole point. Elements proper are uncompressed, 65 bytes.

#![allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]

use super::{Dh, GroupError, ONE, PrimeGroup, Scalar, put};
use crate::crypto::secret::{answer, declassify};
use crate::crypto::{Rng, RngError, Secret};
use p256::elliptic_curve::array::Array;
use p256::elliptic_curve::consts::U48;
use p256::elliptic_curve::group::Group;
use p256::elliptic_curve::ops::{LinearCombination, Reduce};
use p256::elliptic_curve::point::{AffineCoordinates, DecompressPoint};
use p256::elliptic_curve::subtle::{Choice, ConditionallySelectable};
use p256::elliptic_curve::{Field, PrimeField};
use p256::{AffinePoint, FieldBytes, ProjectivePoint, Scalar as Exponent};
use zeroize::Zeroizing;

/// NIST P-256. Scalars are big-endian, elements SEC 1 uncompressed.
pub struct P256;

/// Draws of a scalar that a sound source needs to miss only once in 2^256 calls.
const DRAWS: usize = 8;

/// The point with this x and even y.
#[inline(never)]
pub(in crate::crypto) fn lift(x: &[u8]) -> Result<AffinePoint, GroupError> {
    let x = <&FieldBytes>::try_from(x).map_err(|_| GroupError::BadElement)?;
    Option::from(AffinePoint::decompress(x, Choice::from(0))).ok_or(GroupError::BadElement)
}

/// The point behind an uncompressed encoding; the identity has none.
#[inline(never)]
pub(in crate::crypto) fn element(bytes: &[u8]) -> Result<AffinePoint, GroupError> {
    let (x, y) = match bytes.split_first() {
        Some((4, rest)) => rest.split_at_checked(32).ok_or(GroupError::BadElement)?,
        _ => return Err(GroupError::BadElement),
    };
    let x = <&FieldBytes>::try_from(x).map_err(|_| GroupError::BadElement)?;
    let y = <&FieldBytes>::try_from(y).map_err(|_| GroupError::BadElement)?;
    Option::from(AffinePoint::from_coordinates(x, y)).ok_or(GroupError::BadElement)
}

/// `04 || x || y`; nothing that [`element`] takes where the point is the identity.
pub(in crate::crypto) fn encode(point: &AffinePoint) -> [u8; 65] {
    let mut bytes = [0; 65];
    let [form, coordinates @ ..] = &mut bytes;
    let (x, y) = coordinates.split_at_mut(32);
    *form = 4;
    x.copy_from_slice(&point.x());
    y.copy_from_slice(&point.y());
    bytes
}

/// `point^scalar`, not the identity.
#[inline(never)]
pub(in crate::crypto) fn power(point: ProjectivePoint, scalar: &Scalar) -> Result<Zeroizing<AffinePoint>, GroupError> {
    affine(&Zeroizing::new(point * *exponent(scalar)))
}

#[inline(never)]
fn affine(point: &ProjectivePoint) -> Result<Zeroizing<AffinePoint>, GroupError> {
    if answer(point.is_identity().into()) {
        return Err(GroupError::BadElement);
    }
    Ok(Zeroizing::new(point.to_affine()))
}

fn exponent(scalar: &Scalar) -> Zeroizing<Exponent> {
    Zeroizing::new(<Exponent as Reduce<FieldBytes>>::reduce(scalar.expose().into()))
}

/// Takes the negative of `scalar` where its point's y is odd, so that x stands for the point with even y.
pub(in crate::crypto) fn take_even(scalar: &mut Scalar, point: &AffinePoint) {
    let exponent = exponent(scalar);
    let even = Zeroizing::new(Exponent::conditional_select(&exponent, &-*exponent, point.y_is_odd()));
    *scalar.as_mut() = even.to_bytes().into();
}

impl Dh for P256 {
    fn share_len(&self) -> usize {
        32
    }

    fn secret_len(&self) -> usize {
        32
    }

    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        self.random_scalar(rng, scalar)?;
        let point = ProjectivePoint::mul_by_generator(&exponent(scalar)).to_affine();
        take_even(scalar, &point);
        // Made to be sent.
        put(share, declassify(&point.x()))
    }

    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        let secret = Zeroizing::new(power(lift(share)?.into(), scalar)?.x());
        put(out, &secret)
    }
}

impl PrimeGroup for P256 {
    fn element_len(&self) -> usize {
        65
    }

    /// By rejection: uniform below the order, and vectors that give a scalar get that scalar.
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        for _ in 0..DRAWS {
            rng.fill(scalar.as_mut())?;
            let drawn = Exponent::from_repr((*scalar.expose()).into());
            // What is drawn again was of no use to anybody.
            if answer((drawn.is_some() & !drawn.unwrap_or(Exponent::ZERO).is_zero()).into()) {
                return Ok(());
            }
        }
        *scalar = Secret::zero();
        Err(GroupError::Rng(RngError))
    }

    fn one(&self) -> Scalar {
        Secret::new(ONE)
    }

    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        let reduced = Zeroizing::new(<Exponent as Reduce<Array<u8, U48>>>::reduce(wide.into()));
        *scalar.as_mut() = reduced.to_bytes().into();
        if *scalar == Secret::zero() { Err(GroupError::BadElement) } else { Ok(()) }
    }

    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        let product = Zeroizing::new(*exponent(a) * *exponent(b));
        *out.as_mut() = Zeroizing::new(*product + *exponent(c)).to_bytes().into();
        if *out == Secret::zero() { Err(GroupError::BadElement) } else { Ok(()) }
    }

    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        let _ = put(out, &encode(&ProjectivePoint::mul_by_generator(&exponent(scalar)).to_affine()));
    }

    fn power(&self, base: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        put(out, &encode(&*power(element(base)?.into(), scalar)?))
    }

    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        let terms = Zeroizing::new([(element(a)?.into(), *exponent(x)), (element(b)?.into(), *exponent(y))]);
        put(out, &encode(&*affine(&Zeroizing::new(ProjectivePoint::lincomb(&*terms)))?))
    }

    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError> {
        put(element, &encode(&lift(share)?))
    }

    fn share_of_element(&self, bytes: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        let point = element(bytes)?;
        if bool::from(point.y_is_odd()) { Err(GroupError::BadElement) } else { put(share, &point.x()) }
    }
}
