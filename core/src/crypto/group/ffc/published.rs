//! What the papers do with elements and exponents as mere numbers modulo p.

use super::{Ffc, GroupError, Powers, PrimeGroup, Scalar};
use crate::crypto::Secret;
use crypto_bigint::{NonZero, U256, Uint};

/// Arithmetic modulo p, as printed: a number is as long as an element, big-endian.
pub trait PublishedGroup: PrimeGroup {
    /// `a = a b mod p`.
    ///
    /// # Errors
    /// [`GroupError::BadElement`] for another length, or a number that is not below p.
    fn times(&self, a: &mut [u8], b: &[u8]) -> Result<(), GroupError>;

    /// `a = a + b mod p`.
    ///
    /// # Errors
    /// As [`times`](Self::times).
    fn plus(&self, a: &mut [u8], b: &[u8]) -> Result<(), GroupError>;

    /// `a = a^exponent mod p`, whatever a is: in the group or not.
    ///
    /// # Errors
    /// As [`times`](Self::times), and for 0 and 1.
    fn raise(&self, a: &mut [u8], exponent: &Scalar) -> Result<(), GroupError>;

    /// What a number does as an exponent: the number modulo q.
    ///
    /// # Errors
    /// As [`times`](Self::times); for zero too.
    fn exponent(&self, number: &[u8]) -> Result<Scalar, GroupError>;
}

impl<const N: usize> PublishedGroup for Ffc<N> {
    fn times(&self, a: &mut [u8], b: &[u8]) -> Result<(), GroupError> {
        let (mut product, b) = (self.number(a)?, self.number(b)?);
        self.p.enter(&mut product);
        self.p.mul(&mut product, &b, &mut [[0; N]; 2]);
        Self::write_number(&product, a);
        Ok(())
    }

    fn plus(&self, a: &mut [u8], b: &[u8]) -> Result<(), GroupError> {
        let p = NonZero::new(Uint::from_words(*self.p.words())).into_option().ok_or(GroupError::BadElement)?;
        let sum = Uint::from_words(*self.number(a)?).add_mod(&Uint::from_words(*self.number(b)?), &p);
        Self::write_number(sum.as_words(), a);
        Ok(())
    }

    fn raise(&self, a: &mut [u8], exponent: &Scalar) -> Result<(), GroupError> {
        let power = Powers::new(&self.p, &*self.decode(a)?).raise(exponent.expose());
        self.write(&power, a);
        Ok(())
    }

    fn exponent(&self, number: &[u8]) -> Result<Scalar, GroupError> {
        let q = NonZero::new(self.q.as_ref().resize::<N>()).into_option().ok_or(GroupError::BadElement)?;
        let rest: U256 = Uint::from_words(*self.number(number)?).rem_vartime(&q).resize();
        let mut scalar = Secret::zero();
        self.scalar(&rest, &mut scalar)?;
        Ok(scalar)
    }
}
