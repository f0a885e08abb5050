//! The history scheme: suites, triples, peers, the association.

use crate::association::{Association, standing};
use crate::platform::{Platform, secret};
use crate::values::{self, Bytes};
use iotkm::Slot;
use iotkm::crypto::{self, Suite as CoreSuite};
use iotkm::engine::rekey::Pending;
use iotkm::engine::{Config, ConnectionId, Scheme};
use iotkm::history::{Entry, HistoryMemory, Id, Peer as CorePeer, Triple as CoreTriple};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};

type Memory = HistoryMemory<CorePeer, Vec<Entry>, 2, 512>;
/// The core's association as it lies here.
pub(crate) type Core = iotkm::history::History<CorePeer, Vec<Entry>, Memory>;

/// The name in a first message.
pub(crate) fn first_name(message: &[u8]) -> Option<u32> {
    <iotkm::history::Exchange<CorePeer, Vec<Entry>> as Scheme>::first_name(message)
}

/// A cipher suite under EDHOC's number (RFC 9528, section 10.2). The constants are all there are: `SUITE_0` to
/// `SUITE_5`, each with a twin `..._SYMMETRIC` that works without Diffie-Hellman (`Microcert` has only those), and for `Interactive` `SUITE_FFC2048` and
/// `SUITE_FFC3072`, in subgroups of Z_p*, under private numbers.
///
/// Examples:
///     >>> from iotkm import SUITE_0, SUITE_4_SYMMETRIC
///     >>> SUITE_0
///     SUITE_0
///     >>> SUITE_4_SYMMETRIC.id, SUITE_4_SYMMETRIC.dh
///     (4, False)
#[pyclass(module = "iotkm", frozen, eq, hash)]
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Suite {
    name: &'static str,
    place: usize,
}

const SUITES: [(&str, &CoreSuite); 14] = [
    ("SUITE_0", &crypto::SUITE_0),
    ("SUITE_1", &crypto::SUITE_1),
    ("SUITE_2", &crypto::SUITE_2),
    ("SUITE_3", &crypto::SUITE_3),
    ("SUITE_4", &crypto::SUITE_4),
    ("SUITE_5", &crypto::SUITE_5),
    ("SUITE_0_SYMMETRIC", &crypto::SUITE_0_SYMMETRIC),
    ("SUITE_1_SYMMETRIC", &crypto::SUITE_1_SYMMETRIC),
    ("SUITE_2_SYMMETRIC", &crypto::SUITE_2_SYMMETRIC),
    ("SUITE_3_SYMMETRIC", &crypto::SUITE_3_SYMMETRIC),
    ("SUITE_4_SYMMETRIC", &crypto::SUITE_4_SYMMETRIC),
    ("SUITE_5_SYMMETRIC", &crypto::SUITE_5_SYMMETRIC),
    ("SUITE_FFC2048", &crypto::SUITE_FFC2048),
    ("SUITE_FFC3072", &crypto::SUITE_FFC3072),
];

impl Suite {
    pub(crate) fn core(&self) -> &'static CoreSuite {
        SUITES.get(self.place).map_or(&crypto::SUITE_0, |(_, suite)| suite)
    }
}

/// The suite of an argument, for this scheme: its shares are those of curves.
///
/// # Errors
/// `BadArgumentError` for the FFC suites.
pub(crate) fn suite_on_curve(py: Python<'_>, suite: Option<&Suite>) -> PyResult<&'static CoreSuite> {
    let suite = suite.map_or(&crypto::SUITE_0, Suite::core);
    if suite.id < 0 { Err(values::bad_argument(py, "the history scheme has suites 0 to 5")) } else { Ok(suite) }
}

/// The name of the suite with Diffie-Hellman that has this number.
pub(crate) fn suite_named(id: i8) -> Option<&'static str> {
    SUITES.into_iter().find(|(_, suite)| suite.id == id && suite.dh.is_some()).map(|(name, _)| name)
}

/// The suite without Diffie-Hellman that has this number, and its name.
pub(crate) fn symmetric(id: i8) -> Option<(&'static str, &'static CoreSuite)> {
    SUITES.into_iter().find(|(_, suite)| suite.id == id && suite.dh.is_none())
}

/// The suite that a stored peer names.
fn suite_of(peer: &CorePeer) -> Option<(&'static str, &'static CoreSuite)> {
    let (id, dh) = peer.suite();
    SUITES.into_iter().find(|(_, suite)| suite.id == id && suite.dh.is_some() == dh)
}

#[pymethods]
impl Suite {
    /// EDHOC's number of the suite.
    #[getter]
    fn id(&self) -> i8 {
        self.core().id
    }
    /// Whether there is an ephemeral Diffie-Hellman.
    #[getter]
    fn dh(&self) -> bool {
        self.core().dh.is_some()
    }
    /// The constant's name.
    #[getter]
    const fn name(&self) -> &'static str {
        self.name
    }
    const fn __repr__(&self) -> &'static str {
        self.name
    }
}

/// The three keys that two devices share: each 32 uniform bytes, as a factory's random generator gives them to both.
/// Pairing makes one by itself.
///
/// Raises:
///     BadArgumentError: one of them has not 32 bytes.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import Triple
///     >>> Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
///     Triple(..)
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct Triple(CoreTriple);

#[pymethods]
impl Triple {
    #[new]
    #[pyo3(signature = (sk, t, li, *, generation=0))]
    fn new(py: Python<'_>, sk: Bytes, t: Bytes, li: Bytes, generation: u32) -> PyResult<Self> {
        let of = |bytes: &Bytes| secret(py, bytes, "a key of a triple");
        Ok(Self(CoreTriple::new(of(&sk)?, of(&t)?, of(&li)?, generation)))
    }
    const fn __repr__(&self) -> &'static str {
        "Triple(..)"
    }
}

/// What this device knows about one peer: the triple and its successor. It is stored in a slot.
///
/// It is made by pairing, by `Peer.provisioned`, or from its blob by `Peer.restore`, and given to a `History`.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import Peer, Platform, Triple
///     >>> triple = Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
///     >>> peer = Peer.provisioned(slot=1, own_id=b"gateway", id=b"sensor-7", triple=triple)
///     >>> platform = Platform(secrets.token_bytes(32))
///     >>> blob, version = peer.seal(platform)
///     >>> Peer.restore(platform, slot=1, blob=blob).info.id
///     b'sensor-7'
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct Peer(Mutex<Option<CorePeer>>);

impl Peer {
    fn with<T>(&self, py: Python<'_>, f: impl FnOnce(&mut CorePeer) -> T) -> PyResult<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(f).ok_or_else(|| given_away(py))
    }

    /// A peer for Python.
    pub(crate) const fn new(peer: CorePeer) -> Self {
        Self(Mutex::new(Some(peer)))
    }

    fn take(&self, py: Python<'_>, fits: impl FnOnce(&CorePeer) -> PyResult<()>) -> PyResult<CorePeer> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        fits(guard.as_ref().ok_or_else(|| given_away(py))?)?;
        guard.take().ok_or_else(|| given_away(py))
    }
}

fn given_away(py: Python<'_>) -> PyErr {
    values::wrong_state(py, "this peer was given to an association: restore it from its slot to have it again")
}

/// An id from Python.
///
/// # Errors
/// `BadArgumentError` for none or more than 16 bytes.
pub(crate) fn id_of(py: Python<'_>, bytes: &[u8]) -> PyResult<Id> {
    Id::new(bytes).ok_or_else(|| {
        values::bad_argument(py, &format!("an id has 1 to {} bytes, this one has {}", Id::MAX, bytes.len()))
    })
}

fn info<'py>(py: Python<'py>, peer: &CorePeer) -> PyResult<Bound<'py, PyAny>> {
    let pending = match peer.pending_state() {
        Pending::None => "none",
        Pending::Answered(_) => "answered",
        Pending::Confirmed(_) => "confirmed",
    };
    let fields = (
        peer.slot().0,
        values::bytes(py, peer.id().as_bytes()),
        values::bytes(py, peer.own_id().as_bytes()),
        peer.generation(),
        pending,
        suite_of(peer).map_or("?", |(name, _)| name),
        peer.fingerprint().to_string(),
    );
    values::make(py, "PeerInfo", fields)
}

#[pymethods]
impl Peer {
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    #[classattr]
    const BLOB_MAX: usize = CorePeer::BLOB_MAX;

    /// A peer whose triple came from elsewhere (a factory, another scheme's exporter).
    ///
    /// Args:
    ///     slot: the number of the slot that it will be stored in.
    ///     own_id: this device's id, 1 to 16 bytes, unique among one user's devices.
    ///     id: the peer's.
    ///     triple: what both share.
    ///     suite: fixed from here on; both sides must name the same.
    ///
    /// Raises:
    ///     BadArgumentError: an id of another length, or both the same.
    #[staticmethod]
    #[pyo3(signature = (*, slot, own_id, id, triple, suite=None))]
    fn provisioned(
        py: Python<'_>,
        slot: u16,
        own_id: Bytes,
        id: Bytes,
        triple: &Triple,
        suite: Option<&Suite>,
    ) -> PyResult<Self> {
        let (me, peer) = (id_of(py, &own_id)?, id_of(py, &id)?);
        if me == peer {
            return Err(values::bad_argument(py, "both ids are the same: a device does not talk to itself"));
        }
        let suite = suite_on_curve(py, suite)?;
        let made = CorePeer::provisioned(Slot(slot), me, peer, suite, triple.0.clone());
        Ok(Self::new(made.map_err(|e| values::error(py, e))?))
    }

    /// Opens a stored peer.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     slot: where it was stored.
    ///     blob: what was stored.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here.
    ///     BlobRolledBackError: it is older than `floor`.
    #[staticmethod]
    #[pyo3(signature = (platform, *, slot, blob, floor=0))]
    fn restore(py: Python<'_>, platform: &Platform, slot: u16, blob: Bytes, floor: u32) -> PyResult<Self> {
        let peer = py.detach(|| CorePeer::restore(&platform.device, Slot(slot), floor, &blob));
        Ok(Self::new(peer.map_err(|e| values::error(py, e))?))
    }

    /// Seals the peer for its slot: the blob and its version. An association asks for this by itself (`Persist`); this
    /// is for peers that were just provisioned.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let mut out = [0; CorePeer::BLOB_MAX];
        let sealed = self.with(py, |peer| peer.seal(&platform.device, &mut out))?;
        let (len, version) = sealed.map_err(|e| values::error(py, e))?;
        Ok((values::bytes(py, out.get(..len).unwrap_or(&[])), version))
    }

    /// Key material from elsewhere (another scheme's exporter), 32 bytes, that goes into every exchange from now on;
    /// ``None``: no longer. Both sides must do the same. Seal and store the peer afterwards.
    ///
    /// Raises:
    ///     BadArgumentError: not 32 bytes.
    #[pyo3(signature = (psk))]
    fn set_psk(&self, py: Python<'_>, psk: Option<Bytes>) -> PyResult<()> {
        let psk = psk.map(|bytes| secret(py, &bytes, "a psk")).transpose()?;
        self.with(py, |peer| peer.set_psk(psk))
    }

    /// What may be shown of it (a `PeerInfo`).
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |peer| info(py, peer))?
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = self.with(py, |peer| {
            let id = values::bytes(py, peer.id().as_bytes()).repr()?;
            Ok::<_, PyErr>(format!("<Peer id={id} generation={} {}>", peer.generation(), peer.fingerprint()))
        });
        shown.unwrap_or_else(|_| Ok("<Peer given away>".into()))
    }
}

/// The history scheme between this device and one peer: see `Association` for the verbs that it shares with all schemes.
///
/// At rest it answers the peer's runs; `connect` starts one.
///
/// Args:
///     platform: the surroundings.
///     peer: the paired peer; it belongs to the association from now on.
///     log: how many messages the log holds, both directions together; 0: no log, hence no key updates. 68 bytes each.
///     mtu: the longest datagram in bytes that the network carries, at least 32.
///     tries: how often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
///     cid: the connection id under which this side wants to receive, 0 to 8 bytes; the same length for all associations
///         of one socket.
///     rekey_after: records under one key before the next begins, at most 2**20.
///
/// Raises:
///     BadArgumentError: one of them is out of range.
///     WrongStateError: the peer was given away before.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import History, Peer, Platform, Triple
///     >>> triple = Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
///     >>> peer = Peer.provisioned(slot=1, own_id=b"gateway", id=b"sensor-7", triple=triple)
///     >>> history = History(Platform(secrets.token_bytes(32)), peer)
///     >>> history
///     <History peer=b'sensor-7' generation=0 at rest>
///     >>> history.connect(b"its address")
///     >>> history.poll()
///     Persist(slot=1, ...)
#[pyclass(module = "iotkm", frozen, extends = Association)]
#[derive(Debug)]
pub struct History {}

/// A configuration from Python.
///
/// # Errors
/// `BadArgumentError` for a value out of range.
pub(crate) fn config(py: Python<'_>, mtu: u16, tries: u8, cid: &[u8], rekey_after: Option<u32>) -> PyResult<Config> {
    let Some(cid) = ConnectionId::new(cid) else {
        let message = format!("a connection id has at most 8 bytes, this one has {}", cid.len());
        return Err(values::bad_argument(py, &message));
    };
    let default = Config::default();
    let config = Config { cid, mtu, tries, rekey_after: rekey_after.unwrap_or(default.rekey_after) };
    if !config.is_valid() {
        let message = "mtu is at least 32 bytes, tries at least 1, rekey_after 1 to 2**20";
        return Err(values::bad_argument(py, message));
    }
    Ok(config)
}

const LOG_MAX: usize = 65_535;

#[pymethods]
impl History {
    #[new]
    #[pyo3(signature = (platform, peer, *, log=48, mtu=1200, tries=24, cid=None, rekey_after=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        peer: &Peer,
        log: usize,
        mtu: u16,
        tries: u8,
        cid: Option<Bytes>,
        rekey_after: Option<u32>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let config = config(py, mtu, tries, cid.as_deref().unwrap_or(&[]), rekey_after)?;
        if log > LOG_MAX {
            return Err(values::bad_argument(py, "log holds at most 65535 messages"));
        }
        let unknown = || values::error(py, iotkm::Error::SuiteMismatch);
        let peer = peer.take(py, |peer| suite_of(peer).map(drop).ok_or_else(unknown))?;
        let (_, suite) = suite_of(&peer).ok_or_else(unknown)?;
        let core = Core::open(peer, vec![Entry::EMPTY; log], suite, config, Memory::new());
        let core = core.map_err(|e| values::error(py, e))?;
        Ok(PyClassInitializer::from(Association::new(platform, Box::new(core))).add_subclass(Self {}))
    }

    /// Starts an exchange with the peer at this address (the caller's own form, at most 22 bytes). A session that there
    /// is goes on until the new one is complete; then `Established` comes.
    ///
    /// Raises:
    ///     WrongStateError: a run of this side's is under way.
    ///     RngError: randomness failed.
    fn connect(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Asks the peer for a new triple from a record of the log. `UpdateAgreed` or `UpdateFailed` tells how it went; once
    /// agreed, the session ends and this side connects again under the new triple.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    ///     NoRecordError: nothing was received yet that can be used.
    ///     WrongStateError: an update is under way.
    ///     RngError: randomness failed.
    fn update(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, cx| core.update(cx))
    }

    /// What may be shown of the peer (a `PeerInfo`).
    #[getter]
    fn peer(me: PyRef<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        let py = me.py();
        let peer = me.as_super().look_as(py, |core: &Core| core.peer().clone())?;
        info(py, &peer)
    }

    /// Whether a first message names this peer: to find the association for a datagram from an unknown address.
    fn is_named_by(me: PyRef<'_, Self>, datagram: Bytes) -> PyResult<bool> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, _| Ok(core.is_named_by(&datagram)))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let (id, generation, standing) = me.as_super().look_as(py, |core: &Core| {
            use iotkm::Association as _;
            let standing = standing(core.is_established(), core.fingerprint());
            (*core.peer().id(), core.peer().generation(), standing)
        })?;
        let id = values::bytes(py, id.as_bytes()).repr()?;
        Ok(format!("<History peer={id} generation={generation} {standing}>"))
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Suite>()?;
    module.add_class::<Triple>()?;
    module.add_class::<Peer>()?;
    module.add_class::<History>()?;
    for (place, (name, _)) in SUITES.into_iter().enumerate() {
        module.add(name, Suite { name, place })?;
    }
    Ok(())
}
