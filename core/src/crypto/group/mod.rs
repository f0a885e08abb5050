//! Groups behind two small traits.
//!
//! [`Dh`] is what an ephemeral Diffie-Hellman needs, [`PrimeGroup`] what the algebra of CPace and of self-certified keys
//! needs. Both work on byte strings, so that 32-byte curves and 384-byte subgroups of Z_p* stand behind the same words.
//! Scalars are 32 bytes throughout (every group here has an order of at most 256 bits).
//!
//! | group | share | secret | element | scalar |
//! |---|---|---|---|---|
//! | [`X25519`] | 32 | 32 | | little-endian |
//! | [`Ristretto255`] | 32 | 32 | 32 | little-endian |
//! | [`P256`] | 32 | 32 | 65 | big-endian |
//! | [`FFC2048`] | 256 | 256 | 256 | big-endian |
//! | [`FFC3072`] | 384 | 384 | 384 | big-endian |
//!
//! **Long elements cost only those who use them.** A share is written straight into the message and read from it; for a
//! secret [`lend`] gives as much of the stack as the group needs, 65 bytes for a curve. Who stores
//! elements takes their length as a const parameter.

mod ffc;
mod mont;
pub(in crate::crypto) mod p256;
pub(in crate::crypto) mod ristretto;
mod x25519;

#[cfg(feature = "published")]
pub use ffc::PublishedGroup;
pub use ffc::{FFC2048, FFC3072, Ffc};
pub use p256::P256;
pub use ristretto::Ristretto255;
pub use x25519::X25519;

use super::{Rng, RngError, Secret};

/// A secret scalar: 32 bytes, in the group's own byte order.
pub type Scalar = Secret<32>;

/// Why a group operation did not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupError {
    /// The bytes are no element of the group, or the identity (X25519: the result is all zero).
    BadElement,
    /// No scalar could be drawn.
    Rng(RngError),
}

impl From<RngError> for GroupError {
    fn from(error: RngError) -> Self {
        Self::Rng(error)
    }
}

/// 1 as a big-endian scalar.
const ONE: [u8; 32] = {
    let mut one = [0; 32];
    one[31] = 1;
    one
};

/// Writes `bytes` to the front of `out`; nothing where that is too short.
fn put(out: &mut [u8], bytes: &[u8]) -> Result<(), GroupError> {
    out.get_mut(..bytes.len()).ok_or(GroupError::BadElement)?.copy_from_slice(bytes);
    Ok(())
}

/// Diffie-Hellman with ephemeral keys.
pub trait Dh: Sync {
    /// Length of a share on the wire in bytes (X25519 and P-256: 32, for P-256 the x coordinate alone).
    fn share_len(&self) -> usize;

    /// Length of the shared secret in bytes.
    fn secret_len(&self) -> usize;

    /// Draws a scalar with `rng` and writes its share into `share` ([`share_len`](Self::share_len) bytes).
    ///
    /// # Errors
    /// [`GroupError::Rng`] when randomness fails.
    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError>;

    /// Writes the secret shared with the holder of `share` into `out` ([`secret_len`](Self::secret_len) bytes).
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for a share that is not in the group or gives the identity.
    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError>;
}

/// The longest share of a curve in bytes, for schemes that take no other groups.
pub const MAX_SHARE: usize = 32;

/// The longest shared secret of a curve in bytes, for schemes that take no other groups.
pub const MAX_SECRET: usize = 32;

/// The longest share, shared secret or element of all in bytes (FFC 3072).
pub const LONGEST: usize = 384;

/// Lends `work` a buffer of `len` bytes, which is erased afterwards: long ones only take stack where they are asked for.
/// More than [`LONGEST`] there is not.
pub fn lend<R>(len: usize, work: &mut dyn FnMut(&mut [u8]) -> R) -> R {
    #[inline(never)]
    fn lent<R, const N: usize>(len: usize, work: &mut dyn FnMut(&mut [u8]) -> R) -> R {
        work(Secret::<N>::zero().as_mut().get_mut(..len).unwrap_or_default())
    }
    match len {
        0..=65 => lent::<R, 65>(len, work),
        66..=256 => lent::<R, 256>(len, work),
        _ => lent::<R, LONGEST>(len, work),
    }
}

/// A group of prime order, written multiplicatively as in the papers.
pub trait PrimeGroup: Dh {
    /// Length of an encoded element in bytes (ristretto255: 32; P-256: 65, uncompressed).
    fn element_len(&self) -> usize;

    /// A scalar, uniform and not zero.
    ///
    /// # Errors
    /// [`GroupError::Rng`] when randomness fails.
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError>;

    /// The scalar 1.
    fn one(&self) -> Scalar;

    /// The scalar that 48 bytes of hash output reduce to.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for zero.
    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError>;

    /// `a b + c` modulo the order: how scalars of a scheme grow from one another.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for zero.
    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError>;

    /// `g^scalar`.
    fn base(&self, scalar: &Scalar, out: &mut [u8]);

    /// `element^scalar`, with the element checked (canonical, in the group, not the identity) and the result too.
    ///
    /// # Errors
    /// [`GroupError::BadElement`].
    fn power(&self, element: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError>;

    /// `a^x b^y` in one go, in constant time as the others: the exponents may hold a secret factor.
    ///
    /// # Errors
    /// [`GroupError::BadElement`].
    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError>;

    /// The element that a share ([`share_len`](Dh::share_len) bytes) stands for, checked as `power` does.
    ///
    /// # Errors
    /// [`GroupError::BadElement`].
    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError>;

    /// The share that stands for an element, checked as `power` does. [`Dh::generate`] makes elements that have one; in
    /// P-256 half of all others have none (their y is odd).
    ///
    /// # Errors
    /// [`GroupError::BadElement`], also for an element that has no share.
    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError>;
}
