//! One caller at a time, and never a deadlock.
//!
//! An object holds its lock while it calls a [`KeyVault`](crate::KeyVault), a [`BlobStore`](crate::BlobStore) or a
//! [`RandomSource`](crate::RandomSource), since these stand in the middle of what the core does. A callback that calls
//! back into that object would wait for itself; it gets [`IotkmError::Busy`] instead. Other threads wait, but not
//! forever: a callback may wait for *them*.

use crate::error::IotkmError;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

/// How long a thread waits for another one's call.
const PATIENCE: Duration = Duration::from_secs(10);

/// A value that one call at a time works on.
#[derive(Debug, Default)]
pub(crate) struct Shared<T> {
    value: Mutex<T>,
    caller: Mutex<Option<ThreadId>>,
    free: Condvar,
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), caller: Mutex::new(None), free: Condvar::new() }
    }

    /// Calls `f` with the value.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        let _turn = self.turn()?;
        // Whoever panicked left the value half changed.
        let mut value = self.value.lock().map_err(|_| IotkmError::Broken)?;
        f(&mut value)
    }

    fn turn(&self) -> Result<Turn<'_, T>, IotkmError> {
        let me = thread::current().id();
        let caller = self.caller();
        if *caller == Some(me) {
            return Err(IotkmError::Busy);
        }
        let waited = self.free.wait_timeout_while(caller, PATIENCE, |caller| caller.is_some());
        let (mut caller, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if caller.is_some() {
            return Err(IotkmError::Busy);
        }
        *caller = Some(me);
        Ok(Turn(self))
    }

    fn caller(&self) -> MutexGuard<'_, Option<ThreadId>> {
        self.caller.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Given back when the call ends, however it ends.
struct Turn<'a, T>(&'a Shared<T>);

impl<T> Drop for Turn<'_, T> {
    fn drop(&mut self) {
        *self.0.caller() = None;
        self.0.free.notify_one();
    }
}
