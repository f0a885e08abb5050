//! The authentication centre of the microcert scheme, over stores that are Python's.

use crate::association::{Association, Guarded, standing};
use crate::history::{Suite, config, id_of, symmetric};
use crate::microcert::{pending, seconds, suite_of};
use crate::platform::Platform;
use crate::values::{self, Bytes, bad_argument, bytes};
use iotkm::crypto::{
    SUITE_0_SYMMETRIC, SUITE_1_SYMMETRIC, SUITE_2_SYMMETRIC, SUITE_3_SYMMETRIC, SUITE_4_SYMMETRIC, SUITE_5_SYMMETRIC,
    Secret, Suite as CoreSuite,
};
use iotkm::engine::{Config, ConnectionId};
use iotkm::microcert::centre::{self as core, Change, Kept, ServedMemory, Share, Standing};
use iotkm::microcert::csk::Selected;
use iotkm::microcert::keystore::{Bind, STORED_LEN, TRANSPORTED_LEN};
use iotkm::microcert::seed::{ROW_LEN, SELECTED, numbers};
use iotkm::microcert::{CentreConfig, CentreEvent, Date, Id, KeyStore, KeyStoreError, Row, SeedStore, Stores};
use iotkm::{Association as _, Cx, Error, StoreError, UnixTime};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

type Core = core::AuthCenter<Vec<Share>, Vec<Kept>>;
type ServedCore = core::Served<Box<ServedMemory>>;

static SUITES: [&CoreSuite; 6] = [
    &SUITE_0_SYMMETRIC,
    &SUITE_1_SYMMETRIC,
    &SUITE_2_SYMMETRIC,
    &SUITE_3_SYMMETRIC,
    &SUITE_4_SYMMETRIC,
    &SUITE_5_SYMMETRIC,
];

/// Rows that Python has: an object with `get` and `swap` (`iotkm.centre.Batch`). What it raised is kept.
struct Rows {
    object: Py<PyAny>,
    failure: Option<PyErr>,
}

impl Rows {
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
            Err(PyValueError::new_err("what is stored is no row of an authentication centre's"))
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

/// Keys that Python has (`iotkm.centre.KeyStore`). What it raised is kept, but for `BadBlobError`: tampered with.
struct Keys {
    object: Py<PyAny>,
    failure: Option<PyErr>,
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
        let mut of_day = numbers(date, base).map_err(|_| KeyStoreError::Unavailable)?;
        let day = (of_day.next(), of_day.next(), of_day.next());
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

/// The core's authentication centre, over rows and keys that come with each call: `iotkm.centre.AuthCenter` has its own, and
/// commits. Here whoever calls commits what was swapped before anything leaves.
///
/// ``rows`` is an `iotkm.centre.Batch`, ``keys`` an `iotkm.centre.KeyStore`. The time is the platform's wall clock.
///
/// Args:
///     platform: the surroundings: a secret of 32 bytes that all servers of this centre share, randomness, clocks.
///     id: the centre's, 1 to 16 bytes.
///     window: how far a device's clock may be from the centre's, in seconds.
///     challenge: how long a challenge is good for, in seconds.
///     grace: how long after its end a year's row is kept, in seconds: as long, signatures of that year verify.
///     shares: the size of the table that keeps work for claims bounded, 8 bytes each: four for each device are plenty.
///     answers: how many answers are kept for devices that did not get them, about 90 bytes each.
///
/// Raises:
///     BadArgumentError: an id of another length; shares or answers above 2**24; no shares.
#[pyclass(module = "iotkm.centre", frozen)]
pub struct AuthCenter {
    platform: Py<Platform>,
    core: Guarded<Core>,
}

const TABLE_MAX: usize = 1 << 24;

impl AuthCenter {
    /// Calls the core, without the interpreter lock.
    fn call<X: Send>(
        &self,
        rows: Bound<'_, PyAny>,
        keys: Bound<'_, PyAny>,
        f: impl FnOnce(&mut Core, &mut Cx<'_>, &mut Stores<'_>, UnixTime) -> Result<X, Error> + Send,
    ) -> PyResult<X> {
        let py = rows.py();
        let mut rows = Rows { object: rows.unbind(), failure: None };
        let mut keys = Keys { object: keys.unbind(), failure: None };
        let platform = self.platform.get();
        let mut timeless = false;
        let done = py.detach(|| {
            self.core.with(|core| {
                platform.call(|cx| {
                    timeless = cx.wall.is_none();
                    let now = cx.wall.ok_or(Error::BadArgument)?;
                    f(core, cx, &mut Stores { seeds: &mut rows, keys: &mut keys }, now)
                })
            })
        });
        done.map_err(|error| match rows.failure.or(keys.failure) {
            _ if timeless => bad_argument(py, "a centre needs the time: its platform has no wall clock"),
            None => error,
            failure => values::caused(py, error, failure),
        })
    }
}

#[pymethods]
impl AuthCenter {
    #[new]
    #[pyo3(signature = (platform, id, *, window=300, challenge=60, grace=2_678_400, shares=65_536, answers=4_096))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        id: Bytes,
        window: u32,
        challenge: u32,
        grace: u32,
        shares: usize,
        answers: usize,
    ) -> PyResult<Self> {
        if shares == 0 || shares > TABLE_MAX || answers > TABLE_MAX {
            return Err(bad_argument(py, "shares are 1 to 2**24, answers at most 2**24"));
        }
        let config = CentreConfig { window, challenge, grace };
        let (shares, answers) = (vec![Share::default(); shares], vec![Kept::default(); answers]);
        let core = Core::new(id_of(py, &id)?, &SUITES, config, shares, answers);
        Ok(Self { platform, core: Guarded::new(core.map_err(|e| values::error(py, e))?) })
    }

    /// See `iotkm.centre.AuthCenter.invite`.
    #[pyo3(signature = (rows, keys, id, *, suite=None, clockless=false))]
    fn invite<'py>(
        &self,
        py: Python<'py>,
        rows: Bound<'py, PyAny>,
        keys: Bound<'py, PyAny>,
        id: Bytes,
        suite: Option<&Suite>,
        clockless: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (id, suite) = (id_of(py, &id)?, suite_of(py, suite)?);
        let mut out = zeroize::Zeroizing::new([0; Core::INVITATION_MAX]);
        let len =
            self.call(rows, keys, |core, _, stores, now| core.invite(stores, &id, suite, clockless, now, &mut *out))?;
        Ok(bytes(py, out.get(..len).unwrap_or(&[])))
    }

    /// See `iotkm.centre.AuthCenter.enrol`.
    fn enrol<'py>(
        &self,
        py: Python<'py>,
        rows: Bound<'py, PyAny>,
        keys: Bound<'py, PyAny>,
        deposit: Bytes,
    ) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
        let mut out = [0; Core::CONFIRMATION_LEN];
        let id = self.call(rows, keys, |core, _, stores, now| core.enrol(stores, now, &deposit, &mut out))?;
        Ok((bytes(py, id.as_bytes()), bytes(py, &out)))
    }

    /// See `iotkm.centre.AuthCenter.handle_input`.
    ///
    /// Args:
    ///     rows: likewise.
    ///     keys: likewise.
    ///     source: where the datagram came from, at most 22 bytes.
    ///     datagram: the datagram.
    ///     cid: the connection id for a session that begins: another one once it is used.
    ///
    /// Raises:
    ///     StoreError: `rows` raised; nothing is answered.
    ///     KeyStoreError: `keys` did.
    ///     RngError: randomness failed.
    ///     BadArgumentError: an address or connection id that is too long; the platform has no wall clock.
    #[pyo3(signature = (rows, keys, source, datagram, *, cid))]
    fn handle_input<'py>(
        &self,
        py: Python<'py>,
        rows: Bound<'py, PyAny>,
        keys: Bound<'py, PyAny>,
        source: Bytes,
        datagram: Bytes,
        cid: Bytes,
    ) -> PyResult<Bound<'py, PyAny>> {
        let from = values::address(py, &source)?;
        let cid = ConnectionId::new(&cid).ok_or_else(|| bad_argument(py, "a connection id has at most 8 bytes"))?;
        let (reply, event, session) = self.call(rows, keys, |core, cx, stores, _| {
            let mut out = [0; 128];
            let handled = core.handle_input(cx, stores, &from, &cid, &datagram, &mut out)?;
            Ok((handled.reply.map(<[u8]>::to_vec), handled.event, handled.session))
        })?;
        let (id, event) = event.unzip();
        let session = session.map(|inner| Py::new(py, Accepted { inner, cid })).transpose()?;
        let event = event.map(|event| values::make(py, "CentreEvent", (event_name(event),))).transpose()?;
        let id = id.map(|id| bytes(py, id.as_bytes()));
        values::make(py, "Handled", (reply.map(|reply| bytes(py, &reply)), id, event, session))
    }

    /// See `iotkm.centre.AuthCenter.update`.
    fn update(&self, py: Python<'_>, rows: Bound<'_, PyAny>, keys: Bound<'_, PyAny>, id: Bytes) -> PyResult<()> {
        let id = id_of(py, &id)?;
        self.call(rows, keys, |core, _, stores, _| core.update(stores, &id))
    }

    /// See `iotkm.centre.AuthCenter.revoke`.
    fn revoke(&self, py: Python<'_>, rows: Bound<'_, PyAny>, keys: Bound<'_, PyAny>, id: Bytes) -> PyResult<()> {
        let id = id_of(py, &id)?;
        self.call(rows, keys, |core, _, stores, _| core.revoke(stores, &id))
    }

    /// See `iotkm.centre.AuthCenter.verify`.
    fn verify<'py>(
        &self,
        py: Python<'py>,
        rows: Bound<'py, PyAny>,
        keys: Bound<'py, PyAny>,
        signature: Bytes,
        data: Bytes,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let signed = self.call(rows, keys, |core, _, stores, _| core.verify(stores, &signature, &data))?;
        let shown = |signed: core::Signed| {
            values::make(py, "Signed", (bytes(py, signed.id.as_bytes()), seconds(signed.time), signed.counter))
        };
        signed.map(shown).transpose()
    }

    /// Forgets the answers that are kept: after a commit that failed.
    fn forget_answers(&self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| {
            self.core.with(|core| {
                core.forget_answers();
                Ok(())
            })
        })
    }

    /// The centre's id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let id = py.detach(|| self.core.with(|core| Ok(*core.id())))?;
        Ok(bytes(py, id.as_bytes()))
    }

    /// What was dropped, by reason; 65535 means that many or more.
    #[getter]
    fn drops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let drops = py.detach(|| self.core.with(|core| Ok(*core.drops())))?;
        values::drops(py, &drops)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<AuthCenter {}>", self.id(py)?.repr()?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.platform)
    }
}

const fn event_name(event: CentreEvent) -> &'static str {
    match event {
        CentreEvent::Authenticated => "authenticated",
        CentreEvent::UpdateAgreed => "update_agreed",
        CentreEvent::KeyReplaced => "key_replaced",
        CentreEvent::Challenged => "challenged",
        CentreEvent::CloneSuspected => "clone_suspected",
        CentreEvent::Revoked => "revoked",
        CentreEvent::Killed => "killed",
        CentreEvent::SeedExpired => "seed_expired",
        CentreEvent::Tampered => "tampered",
        _ => "other",
    }
}

/// A session that a device was granted: `Served` makes an association of it.
#[pyclass(module = "iotkm.centre", frozen)]
pub struct Accepted {
    inner: core::Accepted,
    cid: ConnectionId,
}

#[pymethods]
impl Accepted {
    /// The device's id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.inner.id().as_bytes())
    }
    /// The connection id under which the centre receives its records.
    #[getter]
    fn cid<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.cid.as_bytes())
    }
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Accepted of {}>", self.id(py).repr()?))
    }
}

/// The centre's side of a session with a device: see `Association` for the verbs, which are all that it has. `Established` is its
/// first output.
///
/// Args:
///     platform: the surroundings.
///     session: what came with the device's authentication (`Handled.session`).
///     mtu: the longest datagram in bytes that the network carries, at least 32.
///     tries: how often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
///     rekey_after: records under one key before the next begins, at most 2**20.
///
/// Raises:
///     BadArgumentError: one of them is out of range.
#[pyclass(module = "iotkm.centre", frozen, extends = Association)]
#[derive(Debug)]
pub struct Served {}

type Made<T> = PyResult<PyClassInitializer<T>>;

impl Served {
    fn made(py: Python<'_>, platform: Py<Platform>, core: Result<ServedCore, Error>) -> Made<Self> {
        let core = core.map_err(|e| values::error(py, e))?;
        Ok(PyClassInitializer::from(Association::new(platform, Box::new(core))).add_subclass(Self {}))
    }
}

#[pymethods]
impl Served {
    #[new]
    #[pyo3(signature = (platform, session, *, mtu=1200, tries=24, rekey_after=None))]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        session: &Accepted,
        mtu: u16,
        tries: u8,
        rekey_after: Option<u32>,
    ) -> Made<Self> {
        let config: Config = config(py, mtu, tries, &[], rekey_after)?;
        Self::made(py, platform, ServedCore::open(&session.inner, config, Box::default()))
    }

    /// An association with this device that has no session yet: to `restore` one that was exported.
    ///
    /// Args:
    ///     platform: the surroundings.
    ///     id: the device's.
    ///     suite: the one that the device was enrolled with; ``None``: `SUITE_0_SYMMETRIC`.
    ///     cid: the connection id that the session had.
    ///
    /// Raises:
    ///     BadArgumentError: one of them is out of range.
    #[staticmethod]
    #[pyo3(signature = (platform, id, *, suite=None, cid=None, mtu=1200, tries=24, rekey_after=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn at_rest(
        py: Python<'_>,
        platform: Py<Platform>,
        id: Bytes,
        suite: Option<&Suite>,
        cid: Option<Bytes>,
        mtu: u16,
        tries: u8,
        rekey_after: Option<u32>,
    ) -> PyResult<Py<Self>> {
        let config = config(py, mtu, tries, cid.as_deref().unwrap_or(&[]), rekey_after)?;
        let core = ServedCore::at_rest(id_of(py, &id)?, suite_of(py, suite)?, config, Box::default());
        Py::new(py, Self::made(py, platform, core)?)
    }

    /// The device's id.
    #[getter]
    fn id(me: PyRef<'_, Self>) -> PyResult<Bound<'_, PyBytes>> {
        let py = me.py();
        let id = me.as_super().look_as(py, |core: &ServedCore| *core.id())?;
        Ok(bytes(py, id.as_bytes()))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let state = me.as_super().look(py, |member| standing(member.is_established(), member.fingerprint()))?;
        let id = Self::id(me)?;
        Ok(format!("<Served {} {state}>", id.repr()?))
    }
}

/// What may be shown of a row of the key database (a `DeviceInfo`).
///
/// Args:
///     state: the row's state.
///     seed: its sealed seed.
///
/// Raises:
///     BadBlobError: it is no row.
#[pyfunction]
fn read_row<'py>(py: Python<'py>, state: Bytes, seed: Bytes) -> PyResult<Bound<'py, PyAny>> {
    let mut row = Row::none();
    if !row.read(&state, &seed) {
        return Err(values::error(py, Error::BadBlob));
    }
    let standing = match row.standing() {
        Standing::Enrolled => "enrolled",
        Standing::Revoked => "revoked",
        Standing::Killed => "killed",
    };
    let fields = (
        bytes(py, row.id().as_bytes()),
        row.version(),
        standing,
        symmetric(row.suite()).map_or("?", |suite| suite.0),
        row.is_clockless(),
        row.generation(),
        pending(row.pending_state()),
        row.is_updating(),
        row.years(),
        row.counter(),
        row.seen().map(seconds),
    );
    values::make(py, "DeviceInfo", fields)
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<AuthCenter>()?;
    module.add_class::<Accepted>()?;
    module.add_class::<Served>()?;
    module.add_function(wrap_pyfunction!(read_row, module)?)
}
