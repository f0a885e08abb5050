//! Every look through a C pointer. What can be checked is: NULL, alignment, overlap, sizes. The rest is the contract at the
//! head of `iotkm.h`: a pointer points to what its type says, for as long as its function says.

use crate::status::{Outcome, iotkm_status::*, returned};
use core::ffi::{c_char, c_int, c_void};
use core::ptr::NonNull;

/// The pointer, if it is one that could be right.
pub fn some<T>(pointer: *const T) -> Outcome<NonNull<T>> {
    let pointer = NonNull::new(pointer.cast_mut()).ok_or(IOTKM_E_NULL)?;
    if pointer.is_aligned() { Ok(pointer) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) }
}

/// Memory of a C type, and its length in bytes.
pub fn room<T>(pointer: *mut T) -> Outcome<(NonNull<c_void>, usize)> {
    Ok((some(pointer)?.cast(), size_of::<T>()))
}

/// A value to read.
pub unsafe fn read<'a, T>(pointer: *const T) -> Outcome<&'a T> {
    // SAFETY: not NULL and aligned by `some`; points to a T that nobody writes during the call, by contract.
    Ok(unsafe { some(pointer)?.as_ref() })
}

/// Bytes to read; NULL will do where there are none.
pub unsafe fn bytes<'a>(pointer: *const u8, len: usize) -> Outcome<&'a [u8]> {
    if len == 0 {
        return Ok(&[]);
    }
    let pointer = some(pointer)?;
    check_len(len)?;
    // SAFETY: not NULL, not longer than an object can be; `len` initialised bytes that nobody writes, by contract.
    Ok(unsafe { core::slice::from_raw_parts(pointer.as_ptr(), len) })
}

/// Numbers to read; NULL will do where there are none.
pub unsafe fn words<'a>(pointer: *const u32, len: usize) -> Outcome<&'a [u32]> {
    if len == 0 {
        return Ok(&[]);
    }
    let pointer = some(pointer)?;
    check_len(len.saturating_mul(size_of::<u32>()))?;
    // SAFETY: as in `bytes`; aligned by `some`.
    Ok(unsafe { core::slice::from_raw_parts(pointer.as_ptr(), len) })
}

/// Bytes to write; NULL will do where there are none.
pub unsafe fn bytes_mut<'a>(pointer: *mut u8, len: usize) -> Outcome<&'a mut [u8]> {
    if len == 0 {
        return Ok(&mut []);
    }
    let pointer = some(pointer)?;
    check_len(len)?;
    // SAFETY: as in `bytes`, and nobody reads them either; the library does not read what it has not written here.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer.as_ptr(), len) })
}

/// The bytes of a text that ends in NUL, before which come fewer than `limit`.
pub unsafe fn text<'a>(pointer: *const c_char, limit: usize) -> Outcome<&'a [u8]> {
    let start = some(pointer)?.as_ptr().cast::<u8>();
    let mut len = 0;
    // SAFETY: not NULL; ends in NUL, by contract, and this stops there.
    while unsafe { *start.add(len) } != 0 {
        len = len.saturating_add(1);
        if len >= limit {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
    }
    bytes(start, len)
}

/// A pointer to a part of an object, without a reference to the whole.
pub unsafe fn field<T, F>(object: NonNull<T>, part: impl FnOnce(*mut T) -> *mut F) -> NonNull<F> {
    // SAFETY: `part` adds an offset within the object.
    unsafe { NonNull::new_unchecked(part(object.as_ptr())) }
}

fn check_len(len: usize) -> Outcome {
    if isize::try_from(len).is_ok() { Ok(()) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) }
}

/// Refuses buffers that share memory.
pub fn apart(a: &[u8], b: &[u8]) -> Outcome {
    let (a, b) = (a.as_ptr_range(), b.as_ptr_range());
    let shared = !a.is_empty() && !b.is_empty() && a.start < b.end && b.start < a.end;
    if shared { Err(IOTKM_E_BAD_ARGUMENT.into()) } else { Ok(()) }
}

/// A place for an output.
#[derive(Debug)]
pub struct Out<T>(NonNull<T>);

impl<T> Out<T> {
    /// The place that C names.
    pub fn new(pointer: *mut T) -> Outcome<Self> {
        some(pointer).map(Self)
    }

    /// Writes a first value, to be changed in place.
    pub unsafe fn start<'a>(self, value: T) -> &'a mut T {
        let mut place = self.0;
        // SAFETY: as in `set`; from here on a T is there.
        unsafe {
            place.write(value);
            place.as_mut()
        }
    }

    /// Writes the output.
    pub unsafe fn set(self, value: T) {
        // SAFETY: not NULL and aligned by `some`; memory for a T that is the function's to write, by contract.
        unsafe { self.0.write(value) }
    }
}

/// Runs `f`; `None` where it panicked.
#[cfg(feature = "std")]
pub fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).ok()
}

/// Runs `f`. A panic does not come back: see the weak function `iotkm_panic`.
#[cfg(not(feature = "std"))]
pub fn caught<T>(f: impl FnOnce() -> T) -> Option<T> {
    Some(f())
}

/// Runs what a function without an object does.
pub fn inside(f: impl FnOnce() -> Outcome) -> Outcome {
    caught(f).unwrap_or(Err(IOTKM_E_INTERNAL.into()))
}

/// Runs what a function without an object does, and returns what C sees of it.
pub fn plainly(f: impl FnOnce() -> Outcome) -> c_int {
    returned(inside(f))
}
