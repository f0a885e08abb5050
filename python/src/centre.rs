//! The authentication centre of the microcert scheme, over stores that are Python's.

use crate::association::{Association, Guarded, standing};
use crate::centre_stores::{AnyKeys, Loaded, Rows, SoftKeys, Stored};
use crate::history::{Suite, config, id_of, symmetric};
use crate::microcert::{pending, seconds, suite_of};
use crate::platform::Platform;
use crate::values::{self, Bytes, bad_argument, bytes};
use iotkm::crypto::{
    SUITE_0_SYMMETRIC, SUITE_1_SYMMETRIC, SUITE_2_SYMMETRIC, SUITE_3_SYMMETRIC, SUITE_4_SYMMETRIC, SUITE_5_SYMMETRIC,
    Suite as CoreSuite,
};
use iotkm::engine::{Config, ConnectionId};
use iotkm::microcert::centre::{self as core, Kept, ServedMemory, Share, Standing};
use iotkm::microcert::{CentreConfig, CentreEvent, Id, KeyStore, Row, SeedStore, Stores};
use iotkm::{Addr, Association as _, Cx, Error, UnixTime};
use pyo3::exceptions::PyException;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList};
use std::collections::HashMap;
use std::sync::Mutex;

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
        let mut rows = Rows::new(rows);
        let mut keys = AnyKeys::of(keys);
        let platform = self.platform.get();
        py.detach(|| {
            self.core.with(|core| {
                let done = keys.with(|keys| once(platform, core, &mut rows, keys, f));
                done.map_err(|error| caused(error, &mut rows, &mut keys))
            })
        })
    }
}

/// What went wrong in a call of the core.
enum Wrong {
    Timeless,
    Core(PyErr),
}

/// One call of the core.
fn once<X>(
    platform: &Platform,
    core: &mut Core,
    seeds: &mut dyn SeedStore,
    keys: &mut dyn KeyStore,
    f: impl FnOnce(&mut Core, &mut Cx<'_>, &mut Stores<'_>, UnixTime) -> Result<X, Error>,
) -> Result<X, Wrong> {
    let mut timeless = false;
    let done = platform.call(|cx| {
        timeless = cx.wall.is_none();
        let now = cx.wall.ok_or(Error::BadArgument)?;
        f(core, cx, &mut Stores { seeds, keys }, now)
    });
    done.map_err(|error| if timeless { Wrong::Timeless } else { Wrong::Core(error) })
}

/// The error with what Python raised behind it.
fn caused(wrong: Wrong, rows: &mut Rows, keys: &mut AnyKeys) -> PyErr {
    let failure = rows.failure.take().or_else(|| keys.failure());
    Python::attach(|py| match (wrong, failure) {
        (Wrong::Timeless, _) => bad_argument(py, "a centre needs the time: its platform has no wall clock"),
        (Wrong::Core(error), None) => error,
        (Wrong::Core(error), failure) => values::caused(py, error, failure),
    })
}

/// What came of one datagram.
struct Came {
    reply: Option<Vec<u8>>,
    event: Option<(Id, CentreEvent)>,
    session: Option<Accepted>,
}

impl Came {
    fn into_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        let (id, event) = self.event.unzip();
        let session = self.session.map(|session| Py::new(py, session)).transpose()?;
        let event = event.map(|event| values::make(py, "CentreEvent", (event_name(event),))).transpose()?;
        let id = id.map(|id| bytes(py, id.as_bytes()));
        values::make(py, "Handled", (self.reply.map(|reply| bytes(py, &reply)), id, event, session))
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

    /// See `iotkm.centre.AuthCenter.handle_inputs`; nothing is committed.
    ///
    /// Args:
    ///     rows: an `iotkm.centre.Batch`, for rows that are not among the next.
    ///     keys: the centre's.
    ///     loaded: rows that were read, by id: id, version, seed and state; ``None`` where there is none.
    ///     datagrams: each with its source, at most 22 bytes.
    ///     cid: the connection id of the next session that begins, at most 8 bytes; those of more count up.
    ///
    /// Returns:
    ///     What came of each; what was swapped (id, the version before, the seed if it was written, the state); the next
    ///     connection id.
    ///
    /// Raises:
    ///     BadArgumentError: an address or connection id that is too long; the platform has no wall clock.
    fn handle_inputs<'py>(
        &self,
        py: Python<'py>,
        rows: Bound<'py, PyAny>,
        keys: Bound<'py, PyAny>,
        loaded: HashMap<Vec<u8>, Option<Stored>>,
        datagrams: Vec<(PyBackedBytes, PyBackedBytes)>,
        cid: Bytes,
    ) -> PyResult<(Bound<'py, PyList>, Bound<'py, PyList>, Bound<'py, PyBytes>)> {
        let from = datagrams.iter().map(|(source, _)| values::address(py, source)).collect::<PyResult<Vec<_>>>()?;
        let mut keys = AnyKeys::of(keys);
        let mut seeds = Loaded::new(rows, loaded);
        let mut cid = ConnectionId::new(&cid).ok_or_else(|| bad_argument(py, "a connection id has at most 8 bytes"))?;
        let platform = self.platform.get();
        let came = py.detach(|| {
            self.core.with(|core| {
                let one = |(from, (_, datagram)): (&Addr, &(_, PyBackedBytes))| {
                    let its = cid;
                    let done = keys.with(|keys| {
                        once(platform, core, &mut seeds, keys, |core, cx, stores, _| {
                            let mut out = [0; 128];
                            let handled = core.handle_input(cx, stores, from, &its, datagram, &mut out)?;
                            let session = handled.session.map(|session| Accepted::new(session, its));
                            Ok(Came { reply: handled.reply.map(<[u8]>::to_vec), event: handled.event, session })
                        })
                    });
                    if done.as_ref().is_ok_and(|came| came.session.is_some()) {
                        cid = after(&its);
                    }
                    let timeless = matches!(done, Err(Wrong::Timeless));
                    let done = done.map_err(|wrong| caused(wrong, &mut seeds.under, &mut keys));
                    // The time is missing for all; an interrupt is nobody's datagram.
                    let fatal =
                        |error: &PyErr| timeless || !Python::attach(|py| error.is_instance_of::<PyException>(py));
                    match done {
                        Err(error) if fatal(&error) => Err(error),
                        done => Ok(done),
                    }
                };
                from.iter().zip(&datagrams).map(one).collect::<PyResult<Vec<_>>>()
            })
        })?;
        let shown = came.into_iter().map(|done| match done {
            Ok(came) => came.into_python(py),
            Err(error) => {
                let none = || py.None();
                values::make(py, "Handled", (none(), none(), none(), none(), error.into_value(py)))
            }
        });
        let shown = PyList::new(py, shown.collect::<PyResult<Vec<_>>>()?)?;
        let swaps = seeds.changes.iter().map(|(id, before, seed, state)| {
            (bytes(py, id), *before, seed.as_ref().map(|seed| bytes(py, seed)), bytes(py, state))
        });
        Ok((shown, PyList::new(py, swaps.collect::<Vec<_>>())?, bytes(py, cid.as_bytes())))
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

/// The next connection id of the same length.
fn after(cid: &ConnectionId) -> ConnectionId {
    let mut next = cid.as_bytes().to_vec();
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            break;
        }
    }
    ConnectionId::new(&next).unwrap_or_default()
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

/// A session that a device was granted: `Served` makes an association of it, once.
#[pyclass(module = "iotkm.centre", frozen)]
pub struct Accepted {
    session: Mutex<Option<core::Accepted>>,
    id: Id,
    cid: ConnectionId,
}

impl Accepted {
    fn new(session: core::Accepted, cid: ConnectionId) -> Self {
        Self { id: *session.id(), session: Mutex::new(Some(session)), cid }
    }

    fn open(&self, config: Config) -> Result<ServedCore, Error> {
        let mut session = self.session.lock().map_err(|_| Error::WrongState)?;
        ServedCore::open(&mut session, config, Box::default())
    }
}

#[pymethods]
impl Accepted {
    /// The device's id.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.id.as_bytes())
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
///     WrongStateError: the session was opened before.
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
        Self::made(py, platform, session.open(config))
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
    module.add_class::<SoftKeys>()?;
    module.add_class::<Accepted>()?;
    module.add_class::<Served>()?;
    module.add_function(wrap_pyfunction!(read_row, module)?)
}
