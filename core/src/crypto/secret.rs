//! Bytes that nobody may print, compare in variable time, or leave behind in memory.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes: zeroized on drop, compared in constant time, never shown.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

/// Out of line, and the same for every length: a run drops secrets in dozens of places.
#[inline(never)]
pub(super) fn wipe(bytes: &mut [u8]) {
    bytes.zeroize();
}

impl<const N: usize> Secret<N> {
    /// All zero bytes, to be written through [`as_mut`](Self::as_mut).
    pub const fn zero() -> Self {
        Self([0; N])
    }
    /// Takes over `bytes`. The caller's copy stays the caller's to wipe.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }
    /// The secret itself, for a primitive to work on.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }
    /// The secret itself, to be written.
    pub const fn as_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret<{N}>(..)")
    }
}

/// Whether two byte strings are equal, in time that depends on their lengths only.
pub fn ct_eq(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}
