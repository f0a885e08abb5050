//! A device's static Diffie-Hellman keys: in memory, or behind a callable of Python's.

use crate::values::{self, Bytes, bad_argument, bytes, callable, key_failed};
use iotkm::cose::KeyGroup;
use iotkm::crypto::Secret;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::keys::{KeyError, KeySlot, StaticKey as Core, StaticKeys};
use pyo3::exceptions::PyBlockingIOError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::RefCell;
use std::collections::BTreeMap;

const SLOT: KeySlot = KeySlot(0);

/// A device's static Diffie-Hellman key: what its ticket vouches for. It is never shown.
///
/// Args:
///     group: ``"x25519"``, ``"p256"``, ``"ffc2048"`` or ``"ffc3072"``.
///     secret: 32 bytes: the private key; little-endian for x25519, big-endian for the others.
///
/// Raises:
///     BadArgumentError: no such group, or not a private key of it.
///
/// Examples:
///     >>> from iotkm import StaticKey
///     >>> lamp, hub = StaticKey("p256", bytes([7]) * 32), StaticKey("p256", bytes([9]) * 32)
///     >>> lamp.agree(hub.public_key) == hub.agree(lamp.public_key)
///     True
///     >>> elsewhere = StaticKey.external("p256", lamp.public_key, lambda point: lamp.agree(point))
///     >>> elsewhere.agree(hub.public_key) == lamp.agree(hub.public_key)
///     True
#[pyclass(frozen, module = "iotkm")]
pub struct StaticKey {
    group: KeyGroup,
    kem: &'static dyn Kem,
    share: Vec<u8>,
    place: Place,
}

enum Place {
    Memory(Box<dyn StaticKeys + Send + Sync>),
    External(Py<PyAny>),
}

fn group_of(py: Python<'_>, name: &str) -> PyResult<(KeyGroup, &'static dyn Kem)> {
    let group = KeyGroup::named(name);
    let kem: &'static dyn Kem = match group {
        Some(KeyGroup::X25519) => &DHKEM_X25519,
        Some(KeyGroup::P256) => &DHKEM_P256,
        Some(KeyGroup::Ffc2048) => &KEM_FFC2048,
        Some(KeyGroup::Ffc3072) => &KEM_FFC3072,
        _ => return Err(bad_argument(py, "group is x25519, p256, ffc2048 or ffc3072")),
    };
    Ok((group.unwrap_or(KeyGroup::X25519), kem))
}

impl StaticKey {
    fn agreed(&self, share: &[u8], secret: &mut [u8], failure: &RefCell<Option<PyErr>>) -> Result<(), KeyError> {
        match &self.place {
            Place::Memory(keys) => keys.agree(SLOT, self.kem, share, secret),
            Place::External(agree) => {
                // A token may not look at what it is given: so it is tried with a key of no importance first.
                self.kem.group().agree(&Secret::new([5; 32]), share, secret)?;
                let mut point = vec![0; self.kem.public_len()];
                self.kem.public(share, &mut point)?;
                let made = Python::attach(|py| -> PyResult<()> {
                    let given: Bytes = agree.call1(py, (bytes(py, &point),))?.extract(py)?;
                    if given.len() != secret.len() {
                        let message = format!("agree gave {} bytes where {} are wanted", given.len(), secret.len());
                        return Err(key_failed(py, &message));
                    }
                    secret.copy_from_slice(&given);
                    Ok(())
                });
                made.map_err(|raised| {
                    if Python::attach(|py| raised.is_instance_of::<PyBlockingIOError>(py)) {
                        return KeyError::Pending;
                    }
                    failure.replace(Some(raised));
                    KeyError::Failed
                })
            }
        }
    }
}

#[pymethods]
impl StaticKey {
    #[new]
    fn new(py: Python<'_>, group: &str, secret: Bytes) -> PyResult<Self> {
        let (group, kem) = group_of(py, group)?;
        let secret = crate::platform::secret(py, &secret, "a private key")?;
        let boxed = || -> Result<Box<dyn StaticKeys + Send + Sync>, KeyError> {
            Ok(match group {
                KeyGroup::Ffc2048 => Box::new(Core::<256>::new(SLOT, kem, &secret)?),
                KeyGroup::Ffc3072 => Box::new(Core::<384>::new(SLOT, kem, &secret)?),
                _ => Box::new(Core::<32>::new(SLOT, kem, &secret)?),
            })
        };
        let keys = boxed().map_err(|_| bad_argument(py, "these bytes are no private key of the group"))?;
        let mut share = vec![0; group.key_len()];
        keys.public_key(SLOT, kem, &mut share).map_err(|_| key_failed(py, "the key gave no public key"))?;
        Ok(Self { group, kem, share, place: Place::Memory(keys) })
    }

    /// A key that lives elsewhere: in a PKCS#11 token (`iotkm.pkcs11`), a secure element, another process.
    ///
    /// Args:
    ///     group: as above.
    ///     public_key: its public key, in p256 x alone or ``04 || x || y``.
    ///     agree: a callable that takes somebody's public key (p256: ``04 || x || y``) and returns the shared secret
    ///         (p256: x alone). It is called without any lock of iotkm's but its association's. ``BlockingIOError``: not
    ///         yet, ask again; whatever else it raises ends what needed the key.
    ///
    /// Raises:
    ///     BadArgumentError: no such group, or not a public key of it.
    #[staticmethod]
    fn external(py: Python<'_>, group: &str, public_key: Bytes, agree: Bound<'_, PyAny>) -> PyResult<Self> {
        let (group, kem) = group_of(py, group)?;
        let mut point = vec![0; kem.public_len()];
        let bad = || bad_argument(py, "these bytes are no public key of the group");
        kem.public(&public_key, &mut point).map_err(|_| bad())?;
        let share = kem.share(&point).to_vec();
        let mut secret = vec![0; kem.group().secret_len()];
        kem.group().agree(&Secret::new([5; 32]), &share, &mut secret).map_err(|_| bad())?;
        Ok(Self { group, kem, share, place: Place::External(callable(agree, "agree")?) })
    }

    /// Its group.
    #[getter]
    const fn group(&self) -> &'static str {
        self.group.name()
    }

    /// The public key as tickets hold it: 32 bytes (p256: x alone), 256 or 384.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.share)
    }

    /// The secret shared with the holder of this public key. Associations ask by themselves; this is to try a token out.
    ///
    /// Raises:
    ///     BadArgumentError: it is no public key of the group.
    ///     KeyFailedError: the token failed, or has not finished.
    fn agree<'py>(&self, py: Python<'py>, public_key: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        let mut secret = zeroize::Zeroizing::new(vec![0; self.kem.group().secret_len()]);
        let share = self.kem.share(&public_key);
        let (agreed, failure) = py.detach(|| {
            let failure = RefCell::new(None);
            (self.agreed(share, &mut secret, &failure), failure.into_inner())
        });
        match agreed {
            Ok(()) => Ok(bytes(py, &secret)),
            Err(KeyError::BadElement) => Err(bad_argument(py, "these bytes are no public key of the group")),
            Err(_) => Err(values::caused(py, key_failed(py, "the static key failed"), failure)),
        }
    }

    fn __repr__(&self) -> String {
        format!("<StaticKey of {} {}>", self.group.name(), values::hex(self.share.get(..8).unwrap_or_default()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::External(agree) => visit.call(agree),
        }
    }
}

/// A platform's static keys.
#[derive(Debug)]
pub struct Slots(pub BTreeMap<u16, Py<StaticKey>>);

/// They, during one call.
pub struct Asked<'a> {
    slots: &'a Slots,
    failure: RefCell<Option<PyErr>>,
}

impl Slots {
    /// For a call.
    pub const fn asked(&self) -> Asked<'_> {
        Asked { slots: self, failure: RefCell::new(None) }
    }
}

impl Asked<'_> {
    /// What a token raised.
    pub fn failure(&self) -> Option<PyErr> {
        self.failure.take()
    }

    fn key(&self, slot: KeySlot, kem: &dyn Kem) -> Result<&StaticKey, KeyError> {
        let key = self.slots.0.get(&slot.0).map(Py::get);
        key.filter(|key| key.kem.label() == kem.label()).ok_or(KeyError::NoKey)
    }
}

impl StaticKeys for Asked<'_> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        let key = self.key(slot, kem)?;
        share.get_mut(..key.share.len()).ok_or(KeyError::Failed)?.copy_from_slice(&key.share);
        Ok(())
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.key(slot, kem)?.agreed(share, secret, &self.failure)
    }
}
