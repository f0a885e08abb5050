//! A device's static Diffie-Hellman keys: in memory, or behind a callable of Python's.

use crate::platform::Platform;
use crate::values::{self, Bytes, bad_argument, bytes, callable, key_failed};
use iotkm::crypto::group::{FFC2048, FFC3072, P256, Ristretto255, lend};
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, KEM_RISTRETTO255, Kem};
use iotkm::crypto::keys::{GrowingKey, KEY_BLOB, KeyError, KeySlot, StaticKey as Core, StaticKeys, Step};
use iotkm::crypto::remembered::Known;
use iotkm::crypto::{PrimeGroup, Secret};
use iotkm::{Device, Error};
use pyo3::exceptions::PyBlockingIOError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

const SLOT: KeySlot = KeySlot(0);

/// A device's static Diffie-Hellman key: what its ticket vouches for, or its credential implies. It is never shown.
///
/// Args:
///     group: ``"x25519"``, ``"p256"``, ``"ffc2048"`` or ``"ffc3072"``; with credentials also ``"ristretto255"``.
///     secret: 32 bytes: the private key; little-endian for x25519 and ristretto255, big-endian for the others.
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
///     >>> lamp.can_step, elsewhere.can_step
///     (True, False)
#[pyclass(frozen, module = "iotkm")]
pub struct StaticKey {
    group: &'static Group,
    share: Vec<u8>,
    place: Place,
    known: Mutex<Known<PEERS>>,
}

/// Peers whose shared secret a key remembers: a token is asked once for it, not at each first message.
const PEERS: usize = 64;

/// A group of static keys.
pub struct Group {
    /// Its name.
    name: &'static str,
    /// As a key encapsulation mechanism.
    kem: &'static dyn Kem,
    /// Its algebra, where its order is prime.
    prime: Option<&'static dyn PrimeGroup>,
}

static GROUPS: [Group; 5] = [
    Group { name: "x25519", kem: &DHKEM_X25519, prime: None },
    Group { name: "p256", kem: &DHKEM_P256, prime: Some(&P256) },
    Group { name: "ffc2048", kem: &KEM_FFC2048, prime: Some(&FFC2048) },
    Group { name: "ffc3072", kem: &KEM_FFC3072, prime: Some(&FFC3072) },
    Group { name: "ristretto255", kem: &KEM_RISTRETTO255, prime: Some(&Ristretto255) },
];

/// The group behind a KEM.
pub(crate) fn group_of(kem: &dyn Kem) -> Option<&'static Group> {
    GROUPS.iter().find(|group| group.kem.label() == kem.label())
}

/// The name of the group behind a KEM.
pub(crate) fn name_of(kem: &dyn Kem) -> &'static str {
    group_of(kem).map_or("", |group| group.name)
}

fn group_named(py: Python<'_>, name: &str) -> PyResult<&'static Group> {
    let message = "group is x25519, p256, ffc2048, ffc3072 or ristretto255";
    GROUPS.iter().find(|group| group.name == name).ok_or_else(|| bad_argument(py, message))
}

/// A key in memory.
trait Kept: StaticKeys + Send + Sync {
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error>;
    fn scalar(&self) -> &Secret<32>;
}

impl<const SHARE: usize> Kept for Core<SHARE> {
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        Self::seal(self, device, out)
    }
    fn scalar(&self) -> &Secret<32> {
        Self::scalar(self)
    }
}

impl<const SHARE: usize> Kept for GrowingKey<SHARE> {
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        self.key().seal(device, out)
    }
    fn scalar(&self) -> &Secret<32> {
        self.key().scalar()
    }
}

fn kept<const SHARE: usize>(group: &Group, key: Core<SHARE>) -> Result<Box<dyn Kept>, KeyError> {
    Ok(match group.prime {
        Some(prime) => Box::new(GrowingKey::new(key, prime)?),
        None => Box::new(key),
    })
}

enum Place {
    Memory(Box<dyn Kept>),
    External { agree: Option<Py<PyAny>>, power: Option<Py<PyAny>> },
}

/// Asks a token: what it answers has to fill `out`.
fn ask(
    token: &Py<PyAny>,
    what: &str,
    point: &[u8],
    out: &mut [u8],
    failure: &RefCell<Option<PyErr>>,
) -> Result<(), KeyError> {
    let made = Python::attach(|py| -> PyResult<()> {
        let given: Bytes = token.call1(py, (bytes(py, point),))?.extract(py)?;
        if given.len() != out.len() {
            let message = format!("{what} gave {} bytes where {} are wanted", given.len(), out.len());
            return Err(key_failed(py, &message));
        }
        out.copy_from_slice(&given);
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

impl StaticKey {
    /// A key in memory.
    ///
    /// # Errors
    /// The core's, for what is no private key of the group.
    pub(crate) fn in_memory(group: &'static Group, secret: &Secret<32>) -> Result<Self, KeyError> {
        let keys = match group.kem.group().share_len() {
            256 => kept(group, Core::<256>::new(SLOT, group.kem, secret)?),
            384 => kept(group, Core::<384>::new(SLOT, group.kem, secret)?),
            _ => kept(group, Core::<32>::new(SLOT, group.kem, secret)?),
        }?;
        let mut share = vec![0; group.kem.group().share_len()];
        keys.public_key(SLOT, group.kem, &mut share)?;
        Ok(Self { group, share, place: Place::Memory(keys), known: Mutex::default() })
    }

    /// Opens a stored key.
    ///
    /// # Errors
    /// [`Error::BadBlob`].
    pub(crate) fn opened(group: &'static Group, device: &Device, blob: &[u8]) -> Result<Self, Error> {
        let kem = group.kem;
        let secret = match kem.group().share_len() {
            256 => Core::<256>::restore(SLOT, kem, device, blob)?.scalar().clone(),
            384 => Core::<384>::restore(SLOT, kem, device, blob)?.scalar().clone(),
            _ => Core::<32>::restore(SLOT, kem, device, blob)?.scalar().clone(),
        };
        Self::in_memory(group, &secret).map_err(|_| Error::BadBlob)
    }

    /// Seals the key.
    ///
    /// # Errors
    /// [`Error::WrongState`] where it lives elsewhere.
    pub(crate) fn sealed(&self, device: &Device) -> Result<Vec<u8>, Error> {
        let Place::Memory(keys) = &self.place else { return Err(Error::WrongState) };
        let mut out = vec![0; KEY_BLOB];
        let len = keys.seal(device, &mut out)?;
        out.truncate(len);
        Ok(out)
    }

    /// The private key, where it is here.
    pub(crate) fn scalar(&self) -> Option<&Secret<32>> {
        match &self.place {
            Place::Memory(keys) => Some(keys.scalar()),
            Place::External { .. } => None,
        }
    }

    /// Its group.
    pub(crate) const fn kem(&self) -> &'static dyn Kem {
        self.group.kem
    }

    /// Whether it can do what self-certified keys need.
    pub(crate) const fn steps(&self) -> bool {
        match &self.place {
            Place::Memory(_) => self.group.prime.is_some(),
            Place::External { power, .. } => power.is_some(),
        }
    }

    fn agreed(&self, share: &[u8], secret: &mut [u8], failure: &RefCell<Option<PyErr>>) -> Result<(), KeyError> {
        let kem = self.group.kem;
        let (agree, power) = match &self.place {
            Place::Memory(keys) => return keys.agree(SLOT, kem, share, secret),
            Place::External { agree, power } => (agree, power),
        };
        // A token may not look at what it is given: so it is tried with a key of no importance first.
        kem.group().agree(&Secret::new([5; 32]), share, secret)?;
        let mut point = vec![0; kem.public_len()];
        kem.public(share, &mut point)?;
        if let Some(agree) = agree {
            return ask(agree, "agree", &point, secret, failure);
        }
        let (power, prime) = power.as_ref().zip(self.group.prime).ok_or(KeyError::NoKey)?;
        let mut element = zeroize::Zeroizing::new(vec![0; prime.element_len()]);
        ask(power, "power", &point, &mut element, failure)?;
        // Of P-256 the secret is x alone, elsewhere it is the element.
        let from = usize::from(element.len() > secret.len());
        let front = element.get(from..).and_then(|rest| rest.get(..secret.len())).ok_or(KeyError::Failed)?;
        secret.copy_from_slice(front);
        Ok(())
    }

    /// With somebody's own public key: the last ones are remembered, in memory.
    fn agreed_known(&self, share: &[u8], secret: &mut [u8], failure: &RefCell<Option<PyErr>>) -> Result<(), KeyError> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if !known().recall(SLOT, self.group.kem.curve(), share, secret) {
            self.agreed(share, secret, failure)?;
            known().learn(SLOT, self.group.kem.curve(), share, secret);
        }
        Ok(())
    }

    fn stepped(&self, step: &Step<'_>, out: &mut [u8], failure: &RefCell<Option<PyErr>>) -> Result<(), KeyError> {
        let power = match &self.place {
            Place::Memory(keys) => return keys.step(SLOT, self.group.kem, step, out),
            Place::External { power, .. } => power,
        };
        let (power, prime) = power.as_ref().zip(self.group.prime).ok_or(KeyError::NoKey)?;
        lend(prime.element_len(), &mut |base| {
            prime.double_power(step.a, step.u, step.b, &prime.one(), base)?;
            lend(prime.element_len(), &mut |own| {
                ask(power, "power", base, own, failure)?;
                Ok(prime.double_power(own, step.h, base, step.k, out)?)
            })
        })
    }
}

#[pymethods]
impl StaticKey {
    /// Length of a sealed key in bytes.
    #[classattr]
    const BLOB_MAX: usize = KEY_BLOB;

    #[new]
    fn new(py: Python<'_>, group: &str, secret: Bytes) -> PyResult<Self> {
        let group = group_named(py, group)?;
        let secret = crate::platform::secret(py, &secret, "a private key")?;
        let made = py.detach(|| Self::in_memory(group, &secret));
        made.map_err(|_| bad_argument(py, "these bytes are no private key of the group"))
    }

    /// A key that lives elsewhere: in a PKCS#11 token (`iotkm.pkcs11`), a secure element, another process.
    ///
    /// Args:
    ///     group: as above.
    ///     public_key: its public key, in p256 x alone or ``04 || x || y``.
    ///     agree: a callable that takes somebody's public key (p256: ``04 || x || y``) and returns the shared secret
    ///         (p256: x alone). It is called without any lock of iotkm's but its association's. ``BlockingIOError``: not
    ///         yet, ask again; whatever else it raises ends what needed the key. What it gives for the public keys of
    ///         the 64 peers met last is remembered, in memory: of a phase 1 with one of them it is asked half as often.
    ///     power: likewise, but it returns the whole element (p256: ``04 || x || y``): `Noninteractive` needs that, and
    ///         plain ECDH, as PKCS#11 has it, cannot give it. Then `agree` may be left out.
    ///
    /// Raises:
    ///     BadArgumentError: no such group, not a public key of it, or neither callable; a power where the group has none.
    #[staticmethod]
    #[pyo3(signature = (group, public_key, agree=None, *, power=None))]
    fn external(
        py: Python<'_>,
        group: &str,
        public_key: Bytes,
        agree: Option<Bound<'_, PyAny>>,
        power: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let group = group_named(py, group)?;
        let kem = group.kem;
        if agree.is_none() && power.is_none() {
            return Err(bad_argument(py, "an external key needs a callable: agree, or power"));
        }
        if power.is_some() && group.prime.is_none() {
            return Err(bad_argument(py, "x25519 has no whole points: give agree alone"));
        }
        let mut point = vec![0; kem.public_len()];
        let bad = || bad_argument(py, "these bytes are no public key of the group");
        kem.public(&public_key, &mut point).map_err(|_| bad())?;
        let share = kem.share(&point).to_vec();
        if let Some(prime) = group.prime.filter(|_| power.is_some())
            && prime.share_of_element(&point, &mut vec![0; share.len()]).is_err()
        {
            return Err(bad_argument(
                py,
                "a credential's public key has an even y: give the token the key that it has",
            ));
        }
        let mut secret = vec![0; kem.group().secret_len()];
        kem.group().agree(&Secret::new([5; 32]), &share, &mut secret).map_err(|_| bad())?;
        let agree = agree.map(|agree| callable(agree, "agree")).transpose()?;
        let power = power.map(|power| callable(power, "power")).transpose()?;
        Ok(Self { group, share, place: Place::External { agree, power }, known: Mutex::default() })
    }

    /// Opens a stored key.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     group: as it was made with.
    ///     blob: what was stored.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is of another group.
    #[staticmethod]
    fn restore(py: Python<'_>, platform: &Platform, group: &str, blob: Bytes) -> PyResult<Self> {
        let group = group_named(py, group)?;
        py.detach(|| Self::opened(group, &platform.device, &blob)).map_err(|e| values::error(py, e))
    }

    /// Seals the key: a blob of `BLOB_MAX` bytes, to be stored.
    ///
    /// Raises:
    ///     WrongStateError: it lives elsewhere.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<Bound<'py, PyBytes>> {
        let blob = self.sealed(&platform.device);
        let elsewhere = |_| values::wrong_state(py, "this key lives elsewhere: it is stored there");
        Ok(bytes(py, &blob.map_err(elsewhere)?))
    }

    /// Its group.
    #[getter]
    const fn group(&self) -> &'static str {
        self.group.name
    }

    /// The public key as tickets hold it: 32 bytes (p256: x alone), 256 or 384.
    #[getter]
    fn public_key<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.share)
    }

    /// Whether it can be the key of a credential: in memory and not of x25519, or elsewhere with a `power`.
    #[getter]
    const fn can_step(&self) -> bool {
        self.steps()
    }

    /// The secret shared with the holder of this public key. Associations ask by themselves; this is to try a token out.
    ///
    /// Raises:
    ///     BadArgumentError: it is no public key of the group.
    ///     KeyFailedError: the token failed, or has not finished.
    fn agree<'py>(&self, py: Python<'py>, public_key: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        let kem = self.group.kem;
        let mut secret = zeroize::Zeroizing::new(vec![0; kem.group().secret_len()]);
        let share = kem.share(&public_key);
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
        format!("<StaticKey of {} {}>", self.group.name, values::hex(self.share.get(..8).unwrap_or_default()))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::External { agree, power } => {
                visit.call(agree)?;
                visit.call(power)
            }
        }
    }
}

type Map = BTreeMap<u16, Py<StaticKey>>;

/// A platform's static keys. A call has those that there were when it began.
#[derive(Debug, Default)]
pub struct Slots(Mutex<Arc<Map>>);

/// They, during one call.
pub struct Asked {
    slots: Arc<Map>,
    failure: RefCell<Option<PyErr>>,
}

impl Slots {
    /// These.
    pub fn new(keys: Map) -> Self {
        Self(Mutex::new(Arc::new(keys)))
    }

    fn now(&self) -> Arc<Map> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// For a call.
    pub fn asked(&self) -> Asked {
        Asked { slots: self.now(), failure: RefCell::new(None) }
    }

    /// Puts a key into a slot, or takes it out.
    pub fn set(&self, py: Python<'_>, slot: u16, key: Option<Py<StaticKey>>) {
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys: Map = place.iter().map(|(slot, key)| (*slot, key.clone_ref(py))).collect();
        match key {
            Some(key) => keys.insert(slot, key),
            None => keys.remove(&slot),
        };
        let before = std::mem::replace(&mut *place, Arc::new(keys));
        drop(place);
        // Outside of the lock: what goes may call Python.
        drop(before);
    }

    /// For the garbage collector. Somebody who is about to change them holds them still.
    ///
    /// # Errors
    /// The collector's.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.0.try_lock() {
            Ok(keys) => keys.values().try_for_each(|key| visit.call(key)),
            Err(_) => Ok(()),
        }
    }
}

impl Asked {
    /// What a token raised.
    pub fn failure(&self) -> Option<PyErr> {
        self.failure.take()
    }

    fn key(&self, slot: KeySlot, kem: &dyn Kem) -> Result<&StaticKey, KeyError> {
        let key = self.at(slot.0);
        key.filter(|key| key.kem().label() == kem.label()).ok_or(KeyError::NoKey)
    }

    /// The key in this slot.
    pub fn at(&self, slot: u16) -> Option<&StaticKey> {
        self.slots.get(&slot).map(Py::get)
    }
}

impl StaticKeys for Asked {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        let key = self.key(slot, kem)?;
        share.get_mut(..key.share.len()).ok_or(KeyError::Failed)?.copy_from_slice(&key.share);
        Ok(())
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.key(slot, kem)?.agreed(share, secret, &self.failure)
    }

    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.key(slot, kem)?.agreed_known(share, secret, &self.failure)
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        self.key(slot, kem)?.stepped(step, out, &self.failure)
    }
}
