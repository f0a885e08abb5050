//! A centre's database and keys, behind the hooks of a program.

use super::centre::{IOTKM_CENTRE_STALE, IOTKM_CENTRE_TAMPERED, iotkm_centre_stores};
use super::chip::shown;
use crate::platform::{IOTKM_STORE_EMPTY, check_size};
use crate::raw;
use crate::status::Outcome;
use core::ffi::c_int;
use core_of_iotkm::StoreError;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::history::Id;
use core_of_iotkm::microcert::centre::Change;
use core_of_iotkm::microcert::csk::Selected;
use core_of_iotkm::microcert::keystore::{Bind, STORED_LEN, TRANSPORTED_LEN};
use core_of_iotkm::microcert::{Date, KeyStore, KeyStoreError, Row, SeedStore, SoftKeys, Stores, seed};

const UNAVAILABLE: KeyStoreError = KeyStoreError::Unavailable;

/// Calls `f` with the stores of a program.
pub(super) unsafe fn with<T>(hooks: &iotkm_centre_stores, f: impl FnOnce(&mut Stores<'_>) -> Outcome<T>) -> Outcome<T> {
    check_size::<iotkm_centre_stores>(hooks.struct_size)?;
    let (mut rows, mut token) = (Rows(hooks), Token(hooks));
    if hooks.keys.is_null() {
        return f(&mut Stores { seeds: &mut rows, keys: &mut token });
    }
    let keys = Secret::new(*raw::read::<[u8; SoftKeys::LEN]>(hooks.keys.cast())?);
    f(&mut Stores { seeds: &mut rows, keys: &mut SoftKeys::new(&keys) })
}

struct Rows<'a>(&'a iotkm_centre_stores);

impl SeedStore for Rows<'_> {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        let hook = self.0.row_read.ok_or(StoreError)?;
        let (mut state, mut seed, mut len) = ([0; Row::STATE_MAX], [0; Row::SEED_LEN], 0);
        // SAFETY: the program's hook gets its own context, an id, and memory of these lengths.
        let status = unsafe {
            hook(self.0.rows_ctx, &shown(id), state.as_mut_ptr(), state.len(), &raw mut len, seed.as_mut_ptr())
        };
        match status {
            0 => state.get(..len).filter(|state| row.read(state, &seed)).map(|_| true).ok_or(StoreError),
            IOTKM_STORE_EMPTY => Ok(false),
            _ => Err(StoreError),
        }
    }

    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        let hook = self.0.row_swap.ok_or(StoreError)?;
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| StoreError)?;
        let seed = if change == Change::Seed { row.seed().as_ptr() } else { core::ptr::null() };
        // SAFETY: as above; bytes of these lengths.
        let status = unsafe { hook(self.0.rows_ctx, &shown(row.id()), row.version(), state.as_ptr(), len, seed) };
        match status {
            0 => Ok(true),
            IOTKM_CENTRE_STALE => Ok(false),
            _ => Err(StoreError),
        }
    }
}

struct Token<'a>(&'a iotkm_centre_stores);

const fn key_answer(status: c_int) -> Result<(), KeyStoreError> {
    match status {
        0 => Ok(()),
        IOTKM_CENTRE_TAMPERED => Err(KeyStoreError::Tampered),
        _ => Err(UNAVAILABLE),
    }
}

impl KeyStore for Token<'_> {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        let hook = self.0.transport_key.ok_or(UNAVAILABLE)?;
        let mut key = Secret::<16>::zero();
        // SAFETY: the program's hook gets its own context, an id, and memory for a key; likewise below.
        key_answer(unsafe { hook(self.0.keys_ctx, &shown(id), key.as_mut().as_mut_ptr()) })?;
        Ok(key)
    }

    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        let hook = self.0.transcrypt.ok_or(UNAVAILABLE)?;
        let (from, to) = (transported.as_ptr(), stored.as_mut_ptr());
        // SAFETY: as above.
        key_answer(unsafe { hook(self.0.keys_ctx, &shown(id), bind.as_ptr(), from, to) })
    }

    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        let hook = self.0.rows.ok_or(UNAVAILABLE)?;
        let numbers = seed::numbers(date, base).map_err(|_| UNAVAILABLE)?;
        let mut rows = Secret::<{ seed::SELECTED * seed::ROW_LEN }>::zero();
        let to = rows.as_mut().as_mut_ptr();
        // SAFETY: as above.
        key_answer(unsafe { hook(self.0.keys_ctx, bind.as_ptr(), stored.as_ptr(), numbers.as_ptr(), to) })?;
        Ok(Selected::new(rows))
    }

    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let hook = self.0.seal.ok_or(UNAVAILABLE)?;
        // SAFETY: as above.
        key_answer(unsafe { hook(self.0.keys_ctx, bind.as_ptr(), text.as_mut_ptr(), text.len()) })
    }

    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let hook = self.0.open.ok_or(UNAVAILABLE)?;
        // SAFETY: as above.
        key_answer(unsafe { hook(self.0.keys_ctx, bind.as_ptr(), text.as_mut_ptr(), text.len()) })
    }
}
