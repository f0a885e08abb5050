//! What an authentication centre keeps: the key database, which is the application's, and the centre's own keys.

use crate::error::{CallbackError, IotkmError};
use crate::lock::Shared;
use crate::secret::SecretBytes;
use iotkm::StoreError;
use iotkm::crypto::Secret;
use iotkm::microcert::centre::Change;
use iotkm::microcert::{Id, Row, SeedStore as CoreStore, SoftKeys as CoreKeys};
use std::fmt;
use std::sync::Arc;

/// A device in the key database, in two parts.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SeedRow {
    /// What each authentication changes, at most 178 bytes.
    pub state: Vec<u8>,
    /// The sealed key seed, 992 bytes: what seldom changes.
    pub seed: Vec<u8>,
}

/// A centre's key database: rows by the device's id.
#[uniffi::export(with_foreign)]
pub trait SeedStore: Send + Sync {
    /// The row of this id, if there is one.
    ///
    /// # Errors
    /// The database cannot be read: nothing is answered, the device asks again.
    fn get(&self, id: Vec<u8>) -> Result<Option<SeedRow>, CallbackError>;

    /// Compare-and-swap: writes the row if the one that is there has version `version` - 1 (the first four bytes of its state,
    /// big-endian), or if there is none and `version` is 1; whether it did. Without a `seed` that part stays. It is safe from a
    /// power cut when this returns, and with a `seed` in the back-up, too: the old one is left once this is written.
    ///
    /// # Errors
    /// The database cannot be written; nothing has changed.
    fn swap(&self, id: Vec<u8>, version: u32, state: Vec<u8>, seed: Option<Vec<u8>>) -> Result<bool, CallbackError>;
}

/// The database during one call.
pub(crate) struct Rows<'a> {
    store: &'a dyn SeedStore,
    /// What it said when it failed.
    pub(crate) reason: String,
}

impl<'a> Rows<'a> {
    pub(crate) const fn of(store: &'a dyn SeedStore) -> Self {
        Self { store, reason: String::new() }
    }

    fn note(&mut self, error: CallbackError) -> StoreError {
        self.reason = error.reason();
        StoreError
    }
}

impl CoreStore for Rows<'_> {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        match self.store.get(id.as_bytes().to_vec()).map_err(|e| self.note(e))? {
            None => Ok(false),
            Some(there) if row.read(&there.state, &there.seed) => Ok(true),
            Some(_) => Err(self.note(CallbackError::Failed { reason: "what is stored is no row".to_owned() })),
        }
    }
    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        let mut state = vec![0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| StoreError)?;
        state.truncate(len);
        let seed = (change == Change::Seed).then(|| row.seed().to_vec());
        let swapped = self.store.swap(row.id().as_bytes().to_vec(), row.version(), state, seed);
        swapped.map_err(|e| self.note(e))
    }
}

/// A centre's own keys, in memory: K_trans gives each chip its transport key, K_store seals every seed in the database, K_mac says
/// which place each is for. Whoever has them and the database has all devices' seeds. Keys in a token: in Rust and Python.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct SoftKeys(pub(crate) Shared<CoreKeys>);

#[uniffi::export]
impl SoftKeys {
    /// K_trans, K_store and K_mac, of 96 random bytes, the same for the centre's life: kept where the device's secret is, with a
    /// copy elsewhere. Without them every device has to be enrolled anew.
    ///
    /// # Errors
    /// `BadArgument` unless it is 96 bytes.
    #[uniffi::constructor]
    pub fn new(keys: Arc<SecretBytes>) -> Result<Self, IotkmError> {
        let bytes = keys.copy()?;
        let mut keys = Secret::<{ CoreKeys::LEN }>::zero();
        if bytes.len() != CoreKeys::LEN {
            return Err(IotkmError::BadArgument);
        }
        keys.as_mut().copy_from_slice(&bytes);
        Ok(Self(Shared::new(CoreKeys::new(&keys))))
    }
}

impl fmt::Debug for SoftKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftKeys(..)")
    }
}

impl fmt::Display for SoftKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
