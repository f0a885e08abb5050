//! What an authentication centre keeps: rows that are Python's, or were read from it together, and keys that are Python's or this
//! process's.

use crate::values::{self, Bytes, bad_argument, bytes};
use iotkm::StoreError;
use iotkm::crypto::Secret;
use iotkm::microcert::centre::Change;
use iotkm::microcert::csk::Selected;
use iotkm::microcert::keystore::{Bind, STORED_LEN, SoftKeys as CoreKeys, TRANSPORTED_LEN};
use iotkm::microcert::seed::{ROW_LEN, SELECTED, numbers};
use iotkm::microcert::{Date, Id, KeyStore, KeyStoreError, Row, SeedStore};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyTuple;
use std::collections::HashMap;
use std::sync::Mutex;

/// Rows that Python has: an object with `get` and `swap` (`iotkm.centre.Batch`). What it raised is kept.
pub struct Rows {
    object: Py<PyAny>,
    /// What it raised.
    pub failure: Option<PyErr>,
}

impl Rows {
    /// This object's.
    pub fn new(object: Bound<'_, PyAny>) -> Self {
        Self { object: object.unbind(), failure: None }
    }

    fn note(&mut self, failure: PyErr) -> StoreError {
        self.failure = Some(failure);
        StoreError
    }

    fn read(&self, id: &Id, row: &mut Row) -> PyResult<bool> {
        Python::attach(|py| {
            let found = self.object.call_method1(py, "get", (bytes(py, id.as_bytes()),))?;
            if found.is_none(py) {
                return Ok(false);
            }
            let part = |name: &str| found.getattr(py, name)?.extract::<Bytes>(py);
            if row.read(&part("state")?, &part("seed")?) {
                return Ok(true);
            }
            Err(no_row())
        })
    }

    fn write(&self, row: &Row, change: Change) -> PyResult<bool> {
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| PyValueError::new_err("a row's state is too long: a bug"))?;
        Python::attach(|py| {
            let seed = (change == Change::Seed).then(|| bytes(py, row.seed()));
            let state = bytes(py, state.get(..len).unwrap_or(&[]));
            let row = (bytes(py, row.id().as_bytes()), row.version(), state, seed);
            self.object.call_method1(py, "swap", row)?.extract(py)
        })
    }
}

impl SeedStore for Rows {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        self.read(id, row).map_err(|failure| self.note(failure))
    }
    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        self.write(row, change).map_err(|failure| self.note(failure))
    }
}

/// Rows that were read together, and what was swapped of them: no call of Python's for any that is there.
pub struct Loaded {
    /// For rows that are not here.
    pub under: Rows,
    rows: HashMap<Vec<u8>, Option<Stored>>,
    /// Those that were swapped: seed, state and version as they are now.
    swapped: HashMap<Vec<u8>, ([u8; STORED_LEN], Vec<u8>, u32)>,
    /// In this order.
    pub changes: Vec<Swap>,
}

/// A row as Python has it: id, version, seed, state.
pub type Stored = (PyBackedBytes, u32, PyBackedBytes, PyBackedBytes);
/// A row that was swapped: id, the version before, the seed if it was written, the state.
pub type Swap = (Vec<u8>, u32, Option<[u8; STORED_LEN]>, Vec<u8>);

impl Loaded {
    /// Over those that were read.
    pub fn new(under: Bound<'_, PyAny>, rows: HashMap<Vec<u8>, Option<Stored>>) -> Self {
        let under = Rows::new(under);
        Self { under, rows, swapped: HashMap::new(), changes: Vec::new() }
    }
}

impl SeedStore for Loaded {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        if let Some((seed, state, _)) = self.swapped.get(id.as_bytes()) {
            return if row.read(state, seed) { Ok(true) } else { Err(self.under.note(no_row())) };
        }
        match self.rows.get(id.as_bytes()) {
            None => self.under.get(id, row),
            Some(None) => Ok(false),
            Some(Some((_, _, seed, state))) if row.read(state, seed) => Ok(true),
            Some(Some(_)) => Err(self.under.note(no_row())),
        }
    }
    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        let id = row.id().as_bytes();
        let before = match (self.swapped.get(id), self.rows.get(id)) {
            (Some((_, _, version)), _) => *version,
            (None, Some(found)) => found.as_ref().map_or(0, |row| row.1),
            (None, None) => return self.under.swap(row, change),
        };
        if before.checked_add(1) != Some(row.version()) {
            return Ok(false);
        }
        let mut state = vec![0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| StoreError)?;
        state.truncate(len);
        self.swapped.insert(id.to_vec(), (*row.seed(), state.clone(), row.version()));
        self.changes.push((id.to_vec(), before, (change == Change::Seed).then(|| *row.seed()), state));
        Ok(true)
    }
}

fn no_row() -> PyErr {
    PyValueError::new_err("what is stored is no row of an authentication centre's")
}

/// The three keys of a centre in this process's memory, for `iotkm.centre.FileKeyStore`: the authentication centre works with them
/// without a call of Python's.
///
/// Args:
///     keys: K_trans, K_store and K_mac, 32 bytes each.
///
/// Raises:
///     BadArgumentError: another length.
#[pyclass(module = "iotkm.centre", frozen)]
pub struct SoftKeys {
    keys: Mutex<Option<CoreKeys>>,
}

#[pymethods]
impl SoftKeys {
    #[new]
    fn new(py: Python<'_>, keys: Bytes) -> PyResult<Self> {
        let array = <[u8; CoreKeys::LEN]>::try_from(&keys[..]);
        let array = array.map_err(|_| bad_argument(py, "a centre's keys are 96 bytes"))?;
        Ok(Self { keys: Mutex::new(Some(CoreKeys::new(&Secret::new(array)))) })
    }

    /// Erases them; what needs them fails from now on.
    fn close(&self) {
        if let Ok(mut keys) = self.keys.lock() {
            *keys = None;
        }
    }

    fn __repr__(&self) -> &'static str {
        "<SoftKeys>"
    }
}

/// Keys of this process, for as long as a call takes.
pub struct Soft<'a>(&'a SoftKeys);

impl Soft<'_> {
    fn with<X>(&self, f: impl FnOnce(&mut CoreKeys) -> Result<X, KeyStoreError>) -> Result<X, KeyStoreError> {
        let mut keys = self.0.keys.lock().map_err(|_| KeyStoreError::Unavailable)?;
        f(keys.as_mut().ok_or(KeyStoreError::Unavailable)?)
    }
}

impl KeyStore for Soft<'_> {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        self.with(|keys| keys.transport_key(id))
    }
    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        self.with(|keys| keys.transcrypt(id, bind, transported, stored))
    }
    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        self.with(|keys| keys.rows(bind, stored, date, base))
    }
    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        self.with(|keys| keys.seal(bind, text))
    }
    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        self.with(|keys| keys.open(bind, text))
    }
}

/// Keys that Python has (`iotkm.centre.KeyStore`). What it raised is kept, but for `BadBlobError`: tampered with.
pub struct Keys {
    object: Py<PyAny>,
    /// What it raised.
    pub failure: Option<PyErr>,
}

impl Keys {
    /// Asks for as many bytes as `out` has.
    fn ask(
        &mut self,
        name: &str,
        out: &mut [u8],
        arguments: impl for<'py> FnOnce(Python<'py>) -> PyResult<Bound<'py, PyTuple>>,
    ) -> Result<(), KeyStoreError> {
        let asked = Python::attach(|py| {
            let given = self.object.call_method1(py, name, arguments(py)?).and_then(|given| given.extract::<Bytes>(py));
            let given = match given {
                Err(failure) if values::is_bad_blob(py, &failure) => return Ok(Err(KeyStoreError::Tampered)),
                other => other?,
            };
            if given.len() != out.len() {
                let message = format!("the keystore's {name} gave {} bytes, not {}", given.len(), out.len());
                return Err(PyValueError::new_err(message));
            }
            out.copy_from_slice(&given);
            Ok(Ok(()))
        });
        asked.unwrap_or_else(|failure| {
            self.failure = Some(failure);
            Err(KeyStoreError::Unavailable)
        })
    }
}

impl KeyStore for Keys {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        let mut key = Secret::<16>::zero();
        self.ask("transport_key", key.as_mut(), |py| (bytes(py, id.as_bytes()),).into_pyobject(py))?;
        Ok(key)
    }
    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        self.ask("transcrypt", stored, |py| {
            (bytes(py, id.as_bytes()), bytes(py, bind), bytes(py, transported)).into_pyobject(py)
        })
    }
    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        let [year, month, day, ..] = numbers(date, base).map_err(|_| KeyStoreError::Unavailable)?;
        let day = (year, month, day);
        let mut rows = Secret::<{ SELECTED * ROW_LEN }>::zero();
        self.ask("rows", rows.as_mut(), |py| (bytes(py, bind), bytes(py, stored), day).into_pyobject(py))?;
        Ok(Selected::new(rows))
    }
    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let len = text.len().saturating_sub(iotkm::microcert::keystore::SEAL_LEN);
        let plain = zeroize::Zeroizing::new(text.get(..len).unwrap_or(&[]).to_vec());
        self.ask("seal", text, |py| (bytes(py, bind), bytes(py, &plain)).into_pyobject(py))
    }
    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let sealed = text.to_vec();
        text.fill(0);
        let len = text.len().saturating_sub(iotkm::microcert::keystore::SEAL_LEN);
        let plain = text.get_mut(..len).unwrap_or(&mut []);
        self.ask("open", plain, |py| (bytes(py, bind), bytes(py, &sealed)).into_pyobject(py))
    }
}

/// Keys of this process or Python's.
pub enum AnyKeys {
    /// Of this process.
    Soft(Py<SoftKeys>),
    /// Python's.
    Python(Keys),
}

impl AnyKeys {
    /// Which they are.
    pub fn of(keys: Bound<'_, PyAny>) -> Self {
        match keys.cast_into::<SoftKeys>() {
            Ok(soft) => Self::Soft(soft.unbind()),
            Err(other) => Self::Python(Keys { object: other.into_inner().unbind(), failure: None }),
        }
    }

    /// What Python raised in the last call.
    pub fn failure(&mut self) -> Option<PyErr> {
        match self {
            Self::Soft(_) => None,
            Self::Python(keys) => keys.failure.take(),
        }
    }

    /// Works with them.
    pub fn with<X>(&mut self, f: impl FnOnce(&mut dyn KeyStore) -> X) -> X {
        match self {
            Self::Soft(soft) => f(&mut Soft(soft.get())),
            Self::Python(keys) => f(keys),
        }
    }
}
