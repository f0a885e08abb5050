//! What an association of the history scheme is lent by C: a peer, a log, memory for runs.

use crate::lent;
use core::ptr::NonNull;
use core_of_iotkm::history::{Entry, Exchange, Peer};

/// A peer in the caller's memory.
pub(crate) type LentPeer = lent::LentPeer<Peer>;

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

/// Memory for runs, of either size.
pub(crate) type LentMemory<E> = lent::LentMemory<Exchange<LentPeer, LentLog, E>>;
