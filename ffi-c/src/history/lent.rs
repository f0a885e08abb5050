//! What an association of the history scheme is lent by C: a peer, a log, memory for runs.
//!
//! They are kept as pointers and become references only while a verb is under way: between two calls they are the caller's to
//! look at. When the association is wiped, what it was lent is wiped or given back.

use super::peer::Object;
use core::borrow::{Borrow, BorrowMut};
use core::ptr::NonNull;
use core_of_iotkm::engine::Scratch;
use core_of_iotkm::engine::memory::{Half, Parts};
use core_of_iotkm::history::{Entry, Exchange, Extent, Peer};

/// A peer in the caller's memory. While it is lent it cannot be lent again, nor wiped.
#[derive(Debug)]
pub(crate) struct LentPeer(NonNull<Object>);

impl LentPeer {
    /// Takes a peer that is set up and lent to nobody.
    pub(super) unsafe fn new(object: NonNull<Object>) -> Self {
        Object::set_lent(object, true);
        Self(object)
    }
}

impl Borrow<Peer> for LentPeer {
    fn borrow(&self) -> &Peer {
        // SAFETY: set up, and cannot be wiped while it is lent; verbs do not overlap in time, by contract, here and below.
        unsafe { &self.0.as_ref().peer }
    }
}
impl BorrowMut<Peer> for LentPeer {
    fn borrow_mut(&mut self) -> &mut Peer {
        // SAFETY: as above.
        unsafe { &mut self.0.as_mut().peer }
    }
}
impl Drop for LentPeer {
    fn drop(&mut self) {
        // SAFETY: as above.
        unsafe { Object::set_lent(self.0, false) }
    }
}

/// A log in the caller's memory.
#[derive(Debug)]
pub(crate) struct LentLog(NonNull<[Entry]>);

impl LentLog {
    /// Takes memory that is the association's until it is wiped.
    pub(super) unsafe fn new(entries: NonNull<Entry>, count: usize) -> Self {
        for i in 0..count {
            // SAFETY: memory for `count` entries, by contract.
            unsafe { entries.add(i).write(Entry::EMPTY) };
        }
        Self(NonNull::slice_from_raw_parts(entries, count))
    }
}

impl AsRef<[Entry]> for LentLog {
    fn as_ref(&self) -> &[Entry] {
        // SAFETY: written by `new`, and lent until the association is wiped, here and below.
        unsafe { self.0.as_ref() }
    }
}
impl AsMut<[Entry]> for LentLog {
    fn as_mut(&mut self) -> &mut [Entry] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}
impl Drop for LentLog {
    fn drop(&mut self) {
        self.as_mut().fill(Entry::EMPTY);
    }
}

type Scheme<E> = Exchange<LentPeer, LentLog, E>;

/// Memory for runs, of either size.
pub(crate) struct LentMemory<E: Extent>(NonNull<dyn Scratch<Scheme<E>>>);

impl<E: Extent> LentMemory<E> {
    /// Takes memory that is the association's until it is wiped or released.
    pub(super) unsafe fn new<M: Scratch<Scheme<E>> + Default + 'static>(memory: NonNull<M>) -> Self {
        // SAFETY: memory for an M, by contract.
        unsafe { memory.write(M::default()) };
        Self(memory)
    }
}

impl<E: Extent> Scratch<Scheme<E>> for LentMemory<E> {
    fn parts(&mut self) -> Parts<'_, Scheme<E>> {
        // SAFETY: written by `new`, and lent until this is dropped, here and below.
        unsafe { self.0.as_mut() }.parts()
    }
    fn halves(&self) -> &[Half<Scheme<E>>] {
        // SAFETY: as above.
        unsafe { self.0.as_ref() }.halves()
    }
}
impl<E: Extent> Drop for LentMemory<E> {
    fn drop(&mut self) {
        // SAFETY: as above; nobody uses it afterwards.
        unsafe { self.0.drop_in_place() }
    }
}
