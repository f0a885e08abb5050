//! Bytes that nobody may print, compare in variable time, or leave behind in memory.

use core::fmt;
use subtle::ConstantTimeEq;
use zeroize::ZeroizeOnDrop;

/// `N` secret bytes: zeroized on drop, compared in constant time, never shown.
#[derive(Clone)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Drop for Secret<N> {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}
impl<const N: usize> ZeroizeOnDrop for Secret<N> {}

/// Out of line, and the same for every length: a run drops secrets in dozens of places. The C library's or the compiler's
/// own fill, and a barrier that keeps it: a volatile write for every byte takes as long as a tenth of a SHA-256 block.
#[inline(never)]
pub(crate) fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    zeroize::optimization_barrier(bytes);
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
        ct_eq(&self.0, &other.0)
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
    answer(a.ct_eq(b).into())
}

/// The answer to a question about secrets, once it decides what is done: that much everybody may know.
pub(crate) fn answer(yes: bool) -> bool {
    *declassify(&[u8::from(yes)]) == [1]
}

/// Says that these bytes, though computed from secrets, are none: whoever says so says why, next to the call.
///
/// It does nothing. Only in the tests that run with every secret marked (`--cfg iotkm_ctgrind`, tests/secrets), each branch
/// and each address that depends on a secret is found, and what went through here is a secret no more.
#[inline(always)]
pub(crate) fn declassify<T: AsRef<[u8]> + ?Sized>(bytes: &T) -> &T {
    #[cfg(iotkm_ctgrind)]
    if let Some(hook) = DECLASSIFIED.get() {
        hook(bytes.as_ref().as_ptr(), bytes.as_ref().len());
        // What the compiler knew of these bytes, it has to read again.
        return core::hint::black_box(bytes);
    }
    bytes
}

/// What `declassify` tells the tests: where the bytes lie and how many there are.
#[cfg(iotkm_ctgrind)]
pub static DECLASSIFIED: std::sync::OnceLock<fn(*const u8, usize)> = std::sync::OnceLock::new();
