//! The interactive scheme: peers with tickets, the association.

use crate::association::{Association, standing};
use crate::history::{Suite, config, suite_named};
use crate::platform::{Platform, secret};
use crate::tickets::Ticket;
use crate::values::{self, Bytes, bad_argument, bytes};
use crate::wallet::{self, Wallet};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::crypto::Suite as CoreSuite;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::engine::rekey::Pending;
use iotkm::interactive::{Any, InteractiveMemory, Peer, Setup, Subject};
use iotkm::{KeySlot, Slot};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

type CorePeer = Peer<TICKET_MAX_FFC>;
type Shared = wallet::Shared<wallet::Core>;
type Memory = Box<InteractiveMemory<CorePeer, Shared, 2, 2048, Any, TICKET_MAX_FFC>>;
/// The core's association as it lies here.
pub type Core = iotkm::interactive::Interactive<CorePeer, Shared, Memory, Any, TICKET_MAX_FFC>;

/// What this device knows about one peer with a ticket: the pairwise master key and its successor. It is stored in a slot,
/// and given to an `Interactive`.
///
/// Examples:
///     >>> from iotkm import Platform, TicketPeer
///     >>> platform = Platform(bytes(32))
///     >>> peer = TicketPeer.named(slot=1, own_id="lamp", id="hub")
///     >>> blob, version = peer.seal(platform)
///     >>> TicketPeer.restore(platform, slot=1, blob=blob).info.id
///     'hub'
///     >>> TicketPeer.anyone(slot=2, own_id="hub", scope="light")
///     <TicketPeer of 'hub', anyone yet>
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct TicketPeer(Mutex<Option<CorePeer>>);

pub(crate) fn given_away(py: Python<'_>) -> PyErr {
    values::wrong_state(py, "this peer was given to an association: restore it from its slot to have it again")
}

pub(crate) fn subject(py: Python<'_>, name: &str) -> PyResult<Subject> {
    Subject::new(name).ok_or_else(|| bad_argument(py, "a name has 1 to 32 bytes in UTF-8"))
}

pub(crate) fn text(subject: &Subject) -> String {
    String::from_utf8_lossy(subject.as_bytes()).into_owned()
}

fn info<'py>(py: Python<'py>, peer: &CorePeer) -> PyResult<Bound<'py, PyAny>> {
    let pending = match peer.pending() {
        Pending::None => "none",
        Pending::Answered(_) => "answered",
        Pending::Confirmed(_) => "confirmed",
    };
    let ticket = if peer.ticket().is_empty() { None } else { Some(Ticket(peer.ticket().to_vec())) };
    let suite = peer.suite().and_then(suite_named);
    let fields = (peer.slot().0, peer.id().map(text), text(peer.own_id()), peer.generation(), pending, suite, ticket);
    values::make(py, "TicketPeerInfo", fields)
}

impl TicketPeer {
    fn with<T>(&self, py: Python<'_>, f: impl FnOnce(&mut CorePeer) -> T) -> PyResult<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(f).ok_or_else(|| given_away(py))
    }
}

#[pymethods]
impl TicketPeer {
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    #[classattr]
    const BLOB_MAX: usize = CorePeer::BLOB_MAX;

    /// A device that is known by name, with whom there was no run yet.
    ///
    /// Args:
    ///     slot: the number of the slot that it will be stored in.
    ///     own_id: this device's name, as its tickets have it.
    ///     id: the peer's.
    ///     psk: 32 bytes from elsewhere (another scheme's exporter) that go into every phase 1; both sides must have it.
    ///
    /// Raises:
    ///     BadArgumentError: a name that no ticket can have, or both the same; a psk of another length.
    #[staticmethod]
    #[pyo3(signature = (*, slot, own_id, id, psk=None))]
    fn named(py: Python<'_>, slot: u16, own_id: &str, id: &str, psk: Option<Bytes>) -> PyResult<Self> {
        let psk = psk.map(|psk| secret(py, &psk, "a psk")).transpose()?;
        let peer = CorePeer::new(Slot(slot), subject(py, own_id)?, subject(py, id)?, psk);
        Ok(Self(Mutex::new(Some(peer.map_err(|e| values::error(py, e))?))))
    }

    /// Whoever comes first with a ticket in whose scope this word stands; anybody where it is empty. From then on it is
    /// that device's.
    ///
    /// Raises:
    ///     BadArgumentError: as `named`; a word of more than 32 bytes.
    #[staticmethod]
    #[pyo3(signature = (*, slot, own_id, scope="", psk=None))]
    fn anyone(py: Python<'_>, slot: u16, own_id: &str, scope: &str, psk: Option<Bytes>) -> PyResult<Self> {
        let psk = psk.map(|psk| secret(py, &psk, "a psk")).transpose()?;
        let peer = CorePeer::anyone(Slot(slot), subject(py, own_id)?, scope, psk);
        Ok(Self(Mutex::new(Some(peer.map_err(|e| values::error(py, e))?))))
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
        let peer = py.detach(|| {
            let mut work = zeroize::Zeroizing::new(vec![0; blob.len()]);
            CorePeer::restore(&platform.device, Slot(slot), floor, &blob, &mut work)
        });
        Ok(Self(Mutex::new(Some(peer.map_err(|e| values::error(py, e))?))))
    }

    /// Seals the peer for its slot: the blob and its version. An association asks for this by itself (`Persist`).
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let mut out = [0; CorePeer::BLOB_MAX];
        let sealed = self.with(py, |peer| peer.seal(&platform.device, &mut out))?;
        let (len, version) = sealed.map_err(|e| values::error(py, e))?;
        Ok((bytes(py, out.get(..len).unwrap_or_default()), version))
    }

    /// What may be shown of it (a `TicketPeerInfo`).
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |peer| info(py, peer))?
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let shown = self.with(py, |peer| match peer.id() {
            Some(id) => format!("<TicketPeer of '{}', '{}'>", text(peer.own_id()), text(id)),
            None => format!("<TicketPeer of '{}', anyone yet>", text(peer.own_id())),
        });
        shown.unwrap_or_else(|_| "<TicketPeer given away>".into())
    }
}

/// A list of suites that lasts as long as the process, each list once.
fn lasting(suites: &[&'static CoreSuite]) -> &'static [&'static CoreSuite] {
    static LISTS: Mutex<BTreeMap<Vec<i8>, &'static [&'static CoreSuite]>> = Mutex::new(BTreeMap::new());
    let mut lists = LISTS.lock().unwrap_or_else(PoisonError::into_inner);
    let ids = suites.iter().map(|suite| suite.id).collect();
    lists.entry(ids).or_insert_with(|| Box::leak(suites.to_vec().into_boxed_slice()))
}

fn kem_of(suite: &CoreSuite) -> &'static dyn Kem {
    match suite.id {
        2 | 3 | 5 => &DHKEM_P256,
        -21 => &KEM_FFC2048,
        -22 => &KEM_FFC3072,
        _ => &DHKEM_X25519,
    }
}

/// The interactive scheme between this device and one peer: tickets authenticate both, the session's keys are agreed anew
/// with every run. See `Association` for the verbs that it shares with all schemes.
///
/// At rest it answers the peer's runs; `connect` starts one.
///
/// Args:
///     platform: the surroundings, with the static key that this device's ticket vouches for.
///     peer: it belongs to the association from now on.
///     wallet: this device's tickets; all its associations share it.
///     suites: what this side would use, its favourite first; all of the group of the tickets.
///     key: the slot of the static key in the platform.
///     next_key: the slot of the key of the next ticket, where that is another one.
///     life: how many seconds what is agreed shall live, until tickets are shown again; 0: as long as they do.
///     mtu: the longest datagram in bytes that the network carries, at least 32.
///     tries: how often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
///     cid: the connection id under which this side wants to receive, 0 to 8 bytes.
///     rekey_after: records under one key before the next begins, at most 2**20.
///
/// Raises:
///     BadArgumentError: one of them is out of range, or the suites are of several groups.
///     SuiteMismatchError: the suite that was agreed with this peer is not among them.
///     WrongStateError: the peer was given away before.
///
/// Examples:
///     >>> from iotkm import Interactive, Platform, SigningKey, StaticKey, TicketPeer, Wallet
///     >>> platform = Platform(bytes(32), keys={0: StaticKey("x25519", bytes([7]) * 32)})
///     >>> agent = SigningKey("EdDSA", bytes(32)).public_key
///     >>> wallet = Wallet(platform, device="lamp", agent="acme", key=agent)
///     >>> lamp = Interactive(platform, TicketPeer.named(slot=1, own_id="lamp", id="hub"), wallet)
///     >>> lamp
///     <Interactive peer='hub' generation=0 at rest>
#[pyclass(module = "iotkm", frozen, extends = Association)]
#[derive(Debug)]
pub struct Interactive {}

#[pymethods]
impl Interactive {
    #[new]
    #[pyo3(signature = (
        platform, peer, wallet, *, suites=None, key=0, next_key=None, life=0, mtu=1200, tries=24, cid=None, rekey_after=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        peer: &TicketPeer,
        wallet: &Wallet,
        suites: Option<Vec<PyRef<'_, Suite>>>,
        key: u16,
        next_key: Option<u16>,
        life: u32,
        mtu: u16,
        tries: u8,
        cid: Option<Bytes>,
        rekey_after: Option<u32>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let config = config(py, mtu, tries, cid.as_deref().unwrap_or(&[]), rekey_after)?;
        let suites: Vec<&'static CoreSuite> = match &suites {
            Some(suites) => suites.iter().map(|suite| suite.core()).collect(),
            None => vec![&iotkm::crypto::SUITE_0],
        };
        let first = suites.first().filter(|_| suites.len() <= 8 && suites.iter().all(|suite| suite.dh.is_some()));
        let first = first.ok_or_else(|| bad_argument(py, "suites are 1 to 8, none of them symmetric"))?;
        let slots = [KeySlot(key), KeySlot(next_key.unwrap_or(key))];
        let setup = Setup { kem: kem_of(first), suites: lasting(&suites), slots, life };
        let mut guard = peer.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Tried with a copy: what is refused leaves the peer where it was.
        let copy = guard.as_ref().ok_or_else(|| given_away(py))?.clone();
        let core = Core::open(copy, wallet.shared(), setup, config, Memory::default());
        let core = core.map_err(|e| values::error(py, e))?;
        *guard = None;
        Ok(PyClassInitializer::from(Association::new(platform, Box::new(core))).add_subclass(Self {}))
    }

    /// Starts a run with the peer at this address: tickets are shown where there is no common key yet, or no longer; then
    /// session keys are agreed. A session that there is goes on until the new keys are there.
    ///
    /// Raises:
    ///     WrongStateError: a run of this side's is under way.
    ///     NoCredentialError: tickets have to be shown, and none of this side's is valid.
    ///     KeyExhaustedError: 65535 attempts under one key.
    ///     RngError: randomness failed.
    fn connect(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Shows tickets although there is a common key: a new one takes its place, with the tickets that both have now.
    ///
    /// Raises:
    ///     as `connect`.
    fn authenticate(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.authenticate(cx, &to))
    }

    /// Asks whether the peer is there and has the common key: `PeerAlive`, or `Failed` of `Stage.PING`. Nothing is
    /// replaced or stored.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no common key.
    ///     WrongStateError: a ping is out.
    ///     RngError: randomness failed.
    fn ping(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.ping(cx, &to))
    }

    /// The wallet has changed: a new ticket of this side's is sent to the peer; a revocation list that names the peer's
    /// ends the association (`Terminated`).
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    fn recheck(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, cx| core.recheck(cx))
    }

    /// What may be shown of the peer (a `TicketPeerInfo`).
    #[getter]
    fn peer(me: PyRef<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        let py = me.py();
        let peer = me.as_super().look_as(py, |core: &Core| core.peer().clone())?;
        info(py, &peer)
    }

    /// Whether a first message names this peer: to find the association for a datagram from an unknown address.
    fn is_named_by(me: PyRef<'_, Self>, datagram: Bytes) -> PyResult<bool> {
        let py = me.py();
        me.as_super().call(py, |member, _| Ok(iotkm::hub::Routed::is_named(member, &datagram)))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let (id, generation, standing) = me.as_super().look_as(py, |core: &Core| {
            use iotkm::Association as _;
            let standing = standing(core.is_established(), core.fingerprint());
            (
                core.peer().id().map_or_else(|| "anyone".into(), |id| format!("'{}'", text(id))),
                core.peer().generation(),
                standing,
            )
        })?;
        Ok(format!("<Interactive peer={id} generation={generation} {standing}>"))
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TicketPeer>()?;
    module.add_class::<Interactive>()
}
