//! The surroundings of a call: device secret, randomness, clocks, place.

use crate::static_key::{Slots, StaticKey};
use crate::values::{self, Bytes, bad_argument};
use iotkm::crypto::{Rng, RngError, Secret};
use iotkm::{Cx, Device, Instant, UnixTime};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The surroundings of an association: the device's secret, its randomness, its clocks, its place.
///
/// Associations of one device share one platform.
///
/// Args:
///     device_secret: 32 bytes that only this device has and that never change (a file of mode 600, a secure element).
///         State sealed under another secret does not open. A bytearray may be wiped after the call.
///     rng: where randomness comes from: a callable ``rng(n)`` that returns n random bytes, or an object whose method
///         ``randbytes(n)`` does; ``None``: the operating system.
///     clock: a callable that returns monotonic time in ms; ``None``: the system's monotonic clock.
///     wall: a callable that returns ms since 1970 or ``None`` where the time is unknown; ``None``: the system's clock.
///     keys: the device's static keys by slot, for schemes that have such: ``{0: key}``.
///     place: location information, at most 32 bytes in the application's own format; sent and logged with each message.
///
/// Raises:
///     BadArgumentError: a secret that is not 32 bytes, a place of more than 32.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import Platform
///     >>> platform = Platform(secrets.token_bytes(32), place=b"kitchen")
///     >>> platform
///     <Platform place=b'kitchen'>
///     >>> platform.now() >= 0
///     True
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct Platform {
    pub(crate) device: Device,
    rng: Option<Py<PyAny>>,
    clock: Option<Py<PyAny>>,
    wall: Option<Py<PyAny>>,
    pub(crate) keys: Slots,
    place: Mutex<Vec<u8>>,
}

const PLACE_MAX: usize = 32;

fn checked_place(py: Python<'_>, place: &[u8]) -> PyResult<Vec<u8>> {
    if place.len() > PLACE_MAX {
        let message = format!("a place has at most {PLACE_MAX} bytes, this one has {}", place.len());
        return Err(bad_argument(py, &message));
    }
    Ok(place.to_vec())
}

fn callable(object: Option<Bound<'_, PyAny>>, what: &str) -> PyResult<Option<Py<PyAny>>> {
    object.map(|object| values::callable(object, what)).transpose()
}

/// 32 secret bytes from Python.
///
/// # Errors
/// `BadArgumentError` for any other length.
pub(crate) fn secret(py: Python<'_>, bytes: &Bytes, what: &str) -> PyResult<Secret<32>> {
    let array = <[u8; 32]>::try_from(&bytes[..]);
    array.map(Secret::new).map_err(|_| bad_argument(py, &format!("{what} has 32 bytes, this one has {}", bytes.len())))
}

#[pymethods]
impl Platform {
    #[new]
    #[pyo3(signature = (device_secret, *, rng=None, clock=None, wall=None, place=None, keys=None))]
    fn new(
        py: Python<'_>,
        device_secret: Bytes,
        rng: Option<Bound<'_, PyAny>>,
        clock: Option<Bound<'_, PyAny>>,
        wall: Option<Bound<'_, PyAny>>,
        place: Option<Bytes>,
        keys: Option<BTreeMap<u16, Py<StaticKey>>>,
    ) -> PyResult<Self> {
        let rng = match rng {
            Some(object) if object.hasattr("randbytes")? => Some(object.getattr("randbytes")?),
            other => other,
        };
        Ok(Self {
            device: Device::new(secret(py, &device_secret, "a device secret")?),
            rng: callable(rng, "rng (it has no method randbytes either)")?,
            clock: callable(clock, "clock")?,
            wall: callable(wall, "wall")?,
            keys: Slots::new(keys.unwrap_or_default()),
            place: Mutex::new(checked_place(py, place.as_deref().unwrap_or(&[]))?),
        })
    }

    /// The place that goes with every message; to be set when the device moves.
    #[getter]
    fn place<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        values::bytes(py, &self.current_place())
    }

    #[setter]
    fn set_place(&self, py: Python<'_>, place: Bytes) -> PyResult<()> {
        let place = checked_place(py, &place)?;
        *self.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
        Ok(())
    }

    /// Puts a static key into a slot, in place of the one there: a new credential brings a new key. ``None`` empties it.
    /// Calls that are under way go on with what was there.
    #[pyo3(signature = (slot, key))]
    fn set_key(&self, py: Python<'_>, slot: u16, key: Option<Py<StaticKey>>) {
        self.keys.set(py, slot, key);
    }

    /// The platform's clock now, in ms: what `Idle.wake_at` is to be compared with.
    #[pyo3(name = "now")]
    fn py_now(&self) -> PyResult<u64> {
        self.now()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Platform place={}>", self.place(py).repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.rng)?;
        visit.call(&self.clock)?;
        visit.call(&self.wall)?;
        self.keys.traverse(&visit)
    }
}

impl Platform {
    fn now(&self) -> PyResult<u64> {
        static START: OnceLock<std::time::Instant> = OnceLock::new();
        match &self.clock {
            // From 1 s on, so that times a little before the first call exist.
            None => {
                let since = START.get_or_init(std::time::Instant::now).elapsed();
                Ok((since.as_millis() as u64).saturating_add(1_000))
            }
            Some(clock) => Python::attach(|py| clock.call0(py)?.extract(py)),
        }
    }

    /// The wall clock, where there is one.
    ///
    /// # Errors
    /// What the caller's clock raises.
    pub(crate) fn wall(&self) -> PyResult<Option<UnixTime>> {
        let wall = match &self.wall {
            None => SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|t| t.as_millis() as u64),
            Some(wall) => Python::attach(|py| wall.call0(py)?.extract::<Option<u64>>(py))?,
        };
        Ok(wall.map(UnixTime))
    }

    fn current_place(&self) -> Vec<u8> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Calls the core with a context; the interpreter lock is not held, callbacks take it.
    ///
    /// # Errors
    /// What the clocks raise; what `f` answers, `RngError` with what the source raised as its cause.
    pub(crate) fn call<T>(&self, f: impl FnOnce(&mut Cx<'_>) -> Result<T, iotkm::Error>) -> PyResult<T> {
        let mut rng = Source { rng: self.rng.as_ref(), failure: None };
        let keys = self.keys.asked();
        let (now, wall, place) = (self.now()?, self.wall()?, self.current_place());
        let mut cx = Cx { now: Instant(now), wall, place: &place, rng: &mut rng, device: &self.device, keys: &keys };
        let result = f(&mut cx);
        let failure = keys.failure();
        match result {
            Ok(value) => {
                // The core goes on without its key, as without an answer; who looks after the token is told.
                if let Some(failure) = failure {
                    Python::attach(|py| failure.write_unraisable(py, None));
                }
                Ok(value)
            }
            Err(error) => {
                Err(Python::attach(|py| values::caused(py, values::error(py, error), rng.failure.or(failure))))
            }
        }
    }
}

/// The operating system's randomness, or the caller's.
struct Source<'a> {
    rng: Option<&'a Py<PyAny>>,
    failure: Option<PyErr>,
}

impl Source<'_> {
    fn ask(rng: &Py<PyAny>, out: &mut [u8]) -> PyResult<()> {
        Python::attach(|py| {
            let given: Bytes = rng.call1(py, (out.len(),))?.extract(py)?;
            if given.len() != out.len() {
                let message = format!("rng gave {} bytes where {} were asked for", given.len(), out.len());
                return Err(PyValueError::new_err(message));
            }
            out.copy_from_slice(&given);
            Ok(())
        })
    }
}

impl Rng for Source<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        match self.rng {
            None => getrandom::fill(out).map_err(|_| RngError),
            Some(rng) => Self::ask(rng, out).map_err(|failure| {
                self.failure = Some(failure);
                RngError
            }),
        }
    }
}
