//! What associations of any scheme are lent by C: a peer, credentials, memory for runs.
//!
//! Both are kept as pointers and become references only while a verb is under way: between two calls they are the caller's to
//! look at. When the association is wiped, what it was lent is wiped or given back.

use crate::object::{self, Head, Magic};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*};
use core::borrow::{Borrow, BorrowMut};
use core::ptr::NonNull;
use core_of_iotkm::engine::memory::{Half, Parts};
use core_of_iotkm::engine::{Scheme, Scratch};
use core_of_iotkm::phase1::{Credentials, Lend};

/// A peer that is set up. `F` is what else its object starts with, before what its type says how long it is.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Held<P, F = ()> {
    head: Head,
    lent: bool,
    front: F,
    peer: P,
}

impl<P> Held<P> {
    pub(crate) const fn new(magic: Magic, peer: P) -> Self {
        Self::fronted(magic, (), peer)
    }
}

impl<P, F> Held<P, F> {
    pub(crate) const fn fronted(magic: Magic, front: F, peer: P) -> Self {
        Self { head: Head::new(magic), lent: false, front, peer }
    }

    /// What else the object starts with.
    pub(crate) unsafe fn front<'a>(object: NonNull<Self>) -> &'a F {
        // SAFETY: set up, as `with` found; it does not change.
        unsafe { raw::field(object, |object| &raw mut (*object).front).as_ref() }
    }

    /// The peer of an object.
    pub(crate) unsafe fn peer(object: NonNull<Self>) -> NonNull<P> {
        raw::field(object, |object| &raw mut (*object).peer)
    }

    /// Calls `f` with the peer's object.
    pub(crate) unsafe fn with(object: *mut Self, magic: Magic, f: &mut dyn FnMut(NonNull<Self>) -> Outcome) -> Outcome {
        let object = raw::some(object)?;
        Head::enter(object.cast(), magic, || f(object))
    }

    /// Calls `f` with the peer to look at.
    pub(crate) unsafe fn look(object: *mut Self, magic: Magic, mut f: impl FnMut(&P) -> Outcome) -> Outcome {
        // SAFETY: set up, as `with` found; no verb is under way, by contract.
        Self::with(object, magic, &mut |object| f(unsafe { &(*object.as_ptr()).peer }))
    }

    /// Calls `f` with the peer to change, if it is lent to nobody.
    pub(crate) unsafe fn change(object: *mut Self, magic: Magic, mut f: impl FnMut(&mut P) -> Outcome) -> Outcome {
        Self::with(object, magic, &mut |object| f(&mut Self::free(object)?.peer))
    }

    /// The object, if it is lent to nobody.
    pub(crate) unsafe fn free<'a>(object: NonNull<Self>) -> Outcome<&'a mut Self> {
        // SAFETY: set up, as `with` found; no verb is under way, by contract.
        let object = unsafe { &mut *object.as_ptr() };
        if object.lent { Err(IOTKM_E_BUSY.into()) } else { Ok(object) }
    }
}

/// A peer in the caller's memory. While it is lent it cannot be lent again, nor wiped.
#[derive(Debug)]
pub(crate) struct LentPeer<P, F = ()>(NonNull<Held<P, F>>);

impl<P, F> LentPeer<P, F> {
    /// Takes a peer that is set up, if it is lent to nobody.
    pub(crate) unsafe fn take(object: *mut Held<P, F>, magic: Magic) -> Outcome<Self> {
        let mut lent = Err(IOTKM_E_INTERNAL.into());
        Held::with(object, magic, &mut |object| {
            Held::free(object)?.lent = true;
            lent = Ok(Self(object));
            Ok(())
        })?;
        lent
    }
}

impl<P, F> Borrow<P> for LentPeer<P, F> {
    fn borrow(&self) -> &P {
        // SAFETY: set up, and cannot be wiped while it is lent; verbs do not overlap in time, by contract, here and below.
        unsafe { &self.0.as_ref().peer }
    }
}
impl<P, F> BorrowMut<P> for LentPeer<P, F> {
    fn borrow_mut(&mut self) -> &mut P {
        // SAFETY: as above.
        unsafe { &mut self.0.as_mut().peer }
    }
}
impl<P, F> Drop for LentPeer<P, F> {
    fn drop(&mut self) {
        // SAFETY: as above; only this field is touched.
        unsafe { (*self.0.as_ptr()).lent = false }
    }
}

/// Bytes in the caller's memory, until what holds them is wiped.
#[derive(Debug)]
pub(crate) struct LentBytes(NonNull<[u8]>);

impl LentBytes {
    /// Takes bytes that were just zeroed.
    pub(crate) const fn new(bytes: &mut [u8]) -> Self {
        Self(NonNull::from_mut(bytes))
    }
}

impl AsRef<[u8]> for LentBytes {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: zeroed when they were taken, lent until what holds them is wiped, here and below.
        unsafe { self.0.as_ref() }
    }
}
impl AsMut<[u8]> for LentBytes {
    fn as_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

/// An array in the caller's memory.
#[derive(Debug)]
pub(crate) struct Lent<T>(NonNull<[T]>);

impl<T> Lent<T> {
    /// `count` values made by `value`, in memory that is its owner's until that is wiped.
    pub(crate) unsafe fn new(start: NonNull<u8>, count: usize, value: impl Fn() -> T) -> Self {
        let start = start.cast::<T>();
        for i in 0..count {
            // SAFETY: memory for `count` values, aligned, by the caller's asserts and by contract.
            unsafe { start.add(i).write(value()) };
        }
        Self(NonNull::slice_from_raw_parts(start, count))
    }
}
impl<T> AsRef<[T]> for Lent<T> {
    fn as_ref(&self) -> &[T] {
        // SAFETY: written by `new`, lent until its owner is wiped; here and below.
        unsafe { self.0.as_ref() }
    }
}
impl<T> AsMut<[T]> for Lent<T> {
    fn as_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}
impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: as above; nobody uses it afterwards.
        unsafe { self.0.drop_in_place() }
    }
}

/// A device's credentials, which several associations have at once.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Shared<T> {
    head: Head,
    /// How many associations have them.
    lent: u32,
    pub(crate) value: T,
}

impl<T> Shared<T> {
    pub(crate) const fn new(magic: Magic, value: T) -> Self {
        Self { head: Head::new(magic), lent: 0, value }
    }

    /// Calls `f` with the object, if it is set up and not in use.
    pub(crate) unsafe fn with(object: *const Self, magic: Magic, f: &mut dyn FnMut(&mut Self) -> Outcome) -> Outcome {
        let object = raw::some(object)?;
        // SAFETY: the magic word says that a constructor set this up; nobody else is in.
        Head::enter(object.cast(), magic, || f(unsafe { &mut *object.as_ptr() }))
    }

    /// Wipes the object, `len` bytes, if nobody has it.
    pub(crate) unsafe fn wipe(object: *mut Self, magic: Magic, len: usize) -> Outcome {
        Self::with(object, magic, &mut |object| {
            if object.lent != 0 {
                return Err(IOTKM_E_BUSY.into());
            }
            // SAFETY: lent to nobody, and erased below before anybody can use it.
            unsafe { core::ptr::drop_in_place(object) };
            Ok(())
        })?;
        object::erase(raw::some(object)?.cast(), len);
        Ok(())
    }
}

/// Credentials in the caller's memory. While they are lent they cannot be wiped.
#[derive(Debug)]
pub(crate) struct LentShared<T>(NonNull<Shared<T>>, Magic);

impl<T> LentShared<T> {
    /// Takes credentials that are set up.
    pub(crate) unsafe fn take(object: *mut Shared<T>, magic: Magic) -> Outcome<Self> {
        Shared::with(object, magic, &mut |object| {
            object.lent = object.lent.checked_add(1).ok_or(IOTKM_E_FULL)?;
            Ok(())
        })?;
        Ok(Self(raw::some(object)?, magic))
    }
}

impl<T: Credentials> Lend for LentShared<T> {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        // SAFETY: set up, and cannot be wiped while it is lent; `with` lets nobody else in, here and below.
        let _ = unsafe {
            Shared::with(self.0.as_ptr(), self.1, &mut |object| {
                work(&mut object.value);
                Ok(())
            })
        };
    }
}
impl<T> Drop for LentShared<T> {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe {
            Shared::with(self.0.as_ptr(), self.1, &mut |object| {
                object.lent = object.lent.saturating_sub(1);
                Ok(())
            })
        };
    }
}

/// Memory for runs, of any size.
pub(crate) struct LentMemory<S: Scheme + 'static>(NonNull<dyn Scratch<S>>);

impl<S: Scheme + 'static> LentMemory<S> {
    /// Takes memory that is the association's until it is wiped or released.
    pub(crate) unsafe fn new<M: Scratch<S> + Default + 'static>(memory: NonNull<M>) -> Self {
        // SAFETY: memory for an M, by contract.
        unsafe { memory.write(M::default()) };
        Self(memory)
    }
}

impl<S: Scheme + 'static> Scratch<S> for LentMemory<S> {
    fn parts(&mut self) -> Parts<'_, S> {
        // SAFETY: written by `new`, and lent until this is dropped, here and below.
        unsafe { self.0.as_mut() }.parts()
    }
    fn halves(&self) -> &[Half<S>] {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }.halves()
    }
}
impl<S: Scheme + 'static> Drop for LentMemory<S> {
    fn drop(&mut self) {
        // SAFETY: as above; nobody uses it afterwards.
        unsafe { self.0.drop_in_place() }
    }
}
