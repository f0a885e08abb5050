//! The noninteractive scheme: peers with credentials, the association.

use crate::association::{Association, standing};
use crate::credentials::{Credential, setting_of};
use crate::history::{Suite, config};
use crate::holder::{self, Holder};
use crate::interactive::{given_away, subject, text};
use crate::member::{Member, Verbs};
use crate::platform::{Platform, secret};
use crate::values::{self, Bytes, bad_argument, bytes};
use crate::wallet::Shared;
use iotkm::crypto::Secret;
use iotkm::engine::Config;
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048, SETTING_FFC3072};
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{NoninteractiveMemory, Options, Peer, Setting};
use iotkm::phase1::Subject;
use iotkm::{Addr, Association as _, Cx, Device, Error, KeySlot, Slot};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};

/// The longest credential and flight of all.
const CREDENTIAL: usize = credential_max(384);
const FLIGHT: usize = flight_max(384);

type CorePeer<const N: usize> = Peer<N, CREDENTIAL>;
type Lent = Shared<holder::Core>;
type Memory<const N: usize> = Box<NoninteractiveMemory<CorePeer<N>, Lent, N, CREDENTIAL, FLIGHT, 2, 2048>>;
/// The core's association as it lies here, for a group whose elements have `N` bytes.
pub type Core<const N: usize> =
    iotkm::noninteractive::Noninteractive<CorePeer<N>, Lent, Memory<N>, N, CREDENTIAL, FLIGHT>;

/// What may be shown of a peer.
struct Info {
    slot: u16,
    id: Option<String>,
    own_id: String,
    epoch: Option<u32>,
    credential: Option<Credential>,
}

impl Info {
    fn for_python(self, py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
        values::make(py, "CredentialPeerInfo", (self.slot, self.id, self.own_id, self.epoch, self.credential))
    }
}

/// A peer of whatever group.
trait Kept: Send {
    fn info(&self) -> Info;
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error>;
    /// Gives a copy of itself to a new association.
    fn open(&self, holder: Lent, options: &Options<'_>) -> Result<Box<dyn Verbs>, Error>;
}

impl<const N: usize> Kept for CorePeer<N> {
    fn info(&self) -> Info {
        let setting: &'static Setting = match N {
            65 => &SETTING_2,
            256 => &SETTING_FFC2048,
            384 => &SETTING_FFC3072,
            _ => &SETTING_0,
        };
        Info {
            slot: self.slot().0,
            id: self.id().map(text),
            own_id: text(self.own_id()),
            epoch: self.epoch().map(|next| next.saturating_sub(1)),
            credential: Some(self.kept())
                .filter(|kept| !kept.is_empty())
                .map(|kept| Credential::known(kept.to_vec(), setting)),
        }
    }
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        Self::seal(self, device, out)
    }
    fn open(&self, holder: Lent, options: &Options<'_>) -> Result<Box<dyn Verbs>, Error> {
        Ok(Box::new(Core::<N>::open(self.clone(), holder, options, Memory::<N>::default())?))
    }
}

/// The scheme's own verbs, for a group of whatever length.
trait Own: Send {
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error>;
    fn go_on(&mut self, cx: &mut Cx<'_>) -> Result<(), Error>;
    fn epoch(&self) -> Option<u32>;
    fn info(&self) -> Info;
}

impl<const N: usize> Own for Core<N> {
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        Self::connect(self, cx, to)
    }
    fn go_on(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        Self::go_on(self, cx)
    }
    fn epoch(&self) -> Option<u32> {
        Self::epoch(self)
    }
    fn info(&self) -> Info {
        Kept::info(self.peer())
    }
}

fn own(member: &Member) -> Option<&dyn Own> {
    fn of<const N: usize>(member: &Member) -> Option<&dyn Own> {
        member.own::<Core<N>>().map(|core| core as &dyn Own)
    }
    of::<32>(member).or_else(|| of::<65>(member)).or_else(|| of::<256>(member)).or_else(|| of::<384>(member))
}

fn own_mut(member: &mut Member) -> Option<&mut dyn Own> {
    fn of<const N: usize>(member: &mut Member) -> Option<&mut dyn Own> {
        member.own_mut::<Core<N>>().map(|core| core as &mut dyn Own)
    }
    if member.own::<Core<32>>().is_some() {
        of::<32>(member)
    } else if member.own::<Core<65>>().is_some() {
        of::<65>(member)
    } else if member.own::<Core<256>>().is_some() {
        of::<256>(member)
    } else {
        of::<384>(member)
    }
}

/// What this device knows about one peer with a credential, and how far the two have come. It is stored in a slot, and given
/// to a `Noninteractive`.
///
/// Examples:
///     >>> from iotkm import CredentialPeer, Platform
///     >>> platform = Platform(bytes(32))
///     >>> peer = CredentialPeer.named(slot=1, own_id="lamp", id="hub")
///     >>> blob, version = peer.seal(platform)
///     >>> CredentialPeer.restore(platform, slot=1, blob=blob).info.id
///     'hub'
///     >>> CredentialPeer.anyone(slot=2, own_id="hub")
///     <CredentialPeer of 'hub', anyone yet>
#[pyclass(module = "iotkm", frozen)]
pub struct CredentialPeer(Mutex<Option<Box<dyn Kept>>>);

impl CredentialPeer {
    fn with<T>(&self, py: Python<'_>, f: impl FnOnce(&mut dyn Kept) -> T) -> PyResult<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(|peer| f(&mut **peer)).ok_or_else(|| given_away(py))
    }

    fn new(
        py: Python<'_>,
        suite: Option<&Suite>,
        slot: u16,
        names: (&str, Option<&str>),
        psk: Option<Bytes>,
    ) -> PyResult<Self> {
        fn of<const N: usize>(
            slot: Slot,
            me: Subject,
            id: Option<Subject>,
            psk: Option<Secret<32>>,
        ) -> Result<Box<dyn Kept>, Error> {
            Ok(Box::new(CorePeer::<N>::new(slot, me, id, psk)?))
        }
        let (slot, me) = (Slot(slot), subject(py, names.0)?);
        let id = names.1.map(|id| subject(py, id)).transpose()?;
        let psk = psk.map(|psk| secret(py, &psk, "a psk")).transpose()?;
        let peer = match setting_of(py, suite)?.group.element_len() {
            65 => of::<65>(slot, me, id, psk),
            256 => of::<256>(slot, me, id, psk),
            384 => of::<384>(slot, me, id, psk),
            _ => of::<32>(slot, me, id, psk),
        };
        Ok(Self(Mutex::new(Some(peer.map_err(|e| values::error(py, e))?))))
    }
}

#[pymethods]
impl CredentialPeer {
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    #[classattr]
    const BLOB_MAX: usize = CorePeer::<384>::BLOB_MAX;

    /// A device that is known by name, with whom there was no handshake yet.
    ///
    /// Args:
    ///     slot: the number of the slot that it will be stored in.
    ///     own_id: this device's name, as its credential has it.
    ///     id: the peer's.
    ///     suite: the operator's; ``None``: `SUITE_0`.
    ///     psk: 32 bytes from elsewhere (another scheme's exporter) that go into every handshake; both sides must have it.
    ///
    /// Raises:
    ///     BadArgumentError: a name that no credential can have, or both the same; a psk of another length.
    #[staticmethod]
    #[pyo3(signature = (*, slot, own_id, id, suite=None, psk=None))]
    fn named(
        py: Python<'_>,
        slot: u16,
        own_id: &str,
        id: &str,
        suite: Option<&Suite>,
        psk: Option<Bytes>,
    ) -> PyResult<Self> {
        Self::new(py, suite, slot, (own_id, Some(id)), psk)
    }

    /// Whoever comes first with a credential. From then on it is that device's.
    ///
    /// Raises:
    ///     BadArgumentError: as `named`.
    #[staticmethod]
    #[pyo3(signature = (*, slot, own_id, suite=None, psk=None))]
    fn anyone(py: Python<'_>, slot: u16, own_id: &str, suite: Option<&Suite>, psk: Option<Bytes>) -> PyResult<Self> {
        Self::new(py, suite, slot, (own_id, None), psk)
    }

    /// Opens a stored peer.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     slot: where it was stored.
    ///     blob: what was stored.
    ///     suite: the operator's; ``None``: `SUITE_0`.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here, or is of another group.
    ///     BlobRolledBackError: it is older than `floor`.
    #[staticmethod]
    #[pyo3(signature = (platform, *, slot, blob, suite=None, floor=0))]
    fn restore(
        py: Python<'_>,
        platform: &Platform,
        slot: u16,
        blob: Bytes,
        suite: Option<&Suite>,
        floor: u32,
    ) -> PyResult<Self> {
        fn of<const N: usize>(device: &Device, slot: Slot, floor: u32, blob: &[u8]) -> Result<Box<dyn Kept>, Error> {
            let mut work = zeroize::Zeroizing::new(vec![0; blob.len()]);
            Ok(Box::new(CorePeer::<N>::restore(device, slot, floor, blob, &mut work)?))
        }
        let (device, slot, setting) = (&platform.device, Slot(slot), setting_of(py, suite)?);
        let peer = py.detach(|| match setting.group.element_len() {
            65 => of::<65>(device, slot, floor, &blob),
            256 => of::<256>(device, slot, floor, &blob),
            384 => of::<384>(device, slot, floor, &blob),
            _ => of::<32>(device, slot, floor, &blob),
        });
        Ok(Self(Mutex::new(Some(peer.map_err(|e| values::error(py, e))?))))
    }

    /// Seals the peer for its slot: the blob and its version. An association asks for this by itself (`Persist`).
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let mut out = zeroize::Zeroizing::new(vec![0; Self::BLOB_MAX]);
        let sealed = self.with(py, |peer| peer.seal(&platform.device, &mut out))?;
        let (len, version) = sealed.map_err(|e| values::error(py, e))?;
        Ok((bytes(py, out.get(..len).unwrap_or_default()), version))
    }

    /// What may be shown of it (a `CredentialPeerInfo`).
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.with(py, |peer| peer.info())?.for_python(py)
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        let shown = self.with(py, |peer| {
            let info = peer.info();
            match info.id {
                Some(id) => format!("<CredentialPeer of '{}', '{id}'>", info.own_id),
                None => format!("<CredentialPeer of '{}', anyone yet>", info.own_id),
            }
        });
        shown.unwrap_or_else(|_| "<CredentialPeer given away>".into())
    }
}

/// The noninteractive scheme between this device and one peer: after one handshake both compute the keys of every epoch by
/// themselves, and send nothing for it. See `Association` for the verbs that it shares with all schemes.
///
/// At rest it answers the peer's handshakes; `connect` starts one, `go_on` goes on after a restart. `Rekeyed` tells of every
/// epoch, `RekeyNeeded` of the last one, `Terminated` of the end: of the epochs, of a credential, by revocation.
///
/// Args:
///     platform: the surroundings, with the static key that this device's credential implies.
///     peer: it belongs to the association from now on.
///     holder: this device's credential; all its associations share it. Its operator's suite is theirs.
///     interval: the length of an epoch in seconds. Like the next two it is the wish of the side that connects.
///     length: after how many epochs there has to be another handshake, 1 to 65535.
///     life: after how many seconds; 0: `length` alone says so.
///     key: the slot of the static key in the platform.
///     next_key: the slot of the key of the next credential, while one takes the other's place.
///     mtu: the longest datagram in bytes that the network carries, at least 32.
///     tries: how often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
///     cid: the connection id under which this side wants to receive, 0 to 8 bytes.
///     rekey_after: records under one key before the next epoch begins, at most 2**20.
///
/// Raises:
///     BadArgumentError: one of them is out of range; the peer is of another group; the static key cannot do what a
///         credential's key has to (`StaticKey.can_step`).
///     WrongStateError: the peer was given away before.
///
/// Examples:
///     >>> from iotkm import sim
///     >>> net = sim.noninteractive_pair(seed=1, interval=60)
///     >>> net.a.connect(net.b.address)
///     >>> net.drive(until=lambda: net.a.is_established and net.b.is_established)
///     True
///     >>> sent = len(net.trace)
///     >>> net.drive(ms=600_000, until=lambda: net.a.noninteractive.epoch == 5)
///     True
///     >>> net.b.noninteractive.epoch, len(net.trace) - sent  # nothing was said
///     (5, 0)
#[pyclass(module = "iotkm", frozen, extends = Association)]
#[derive(Debug)]
pub struct Noninteractive {}

#[pymethods]
impl Noninteractive {
    #[new]
    #[pyo3(signature = (
        platform, peer, holder, *, interval=3600, length=8760, life=0, key=0, next_key=None, mtu=1200, tries=24, cid=None,
        rekey_after=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        peer: &CredentialPeer,
        holder: &Holder,
        interval: u32,
        length: u16,
        life: u32,
        key: u16,
        next_key: Option<u16>,
        mtu: u16,
        tries: u8,
        cid: Option<Bytes>,
        rekey_after: Option<u32>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let config: Config = config(py, mtu, tries, cid.as_deref().unwrap_or(&[]), rekey_after)?;
        let terms = Terms { life, interval, length };
        if !terms.is_valid() {
            return Err(bad_argument(py, "interval and length are at least 1"));
        }
        let slots = [key, next_key.unwrap_or(key)];
        let keys = platform.get().keys.asked();
        for key in slots.into_iter().filter_map(|slot| keys.at(slot)) {
            if !key.steps() {
                let message = "this static key cannot be a credential's: plain ECDH (x25519, PKCS#11) gives x alone, whose sign \
                               is lost; one in memory can, and StaticKey.external with a power that gives whole points";
                return Err(bad_argument(py, message));
            }
        }
        let options = Options { setting: holder.setting(), slots: slots.map(KeySlot), terms, config: &config };
        let mut guard = peer.0.lock().unwrap_or_else(PoisonError::into_inner);
        // With a copy: what is refused leaves the peer where it was.
        let core = guard.as_ref().ok_or_else(|| given_away(py))?.open(holder.shared(), &options);
        let core = core.map_err(|_| bad_argument(py, "the peer is of another group than the holder's operator"))?;
        *guard = None;
        Ok(PyClassInitializer::from(Association::new(platform, core)).add_subclass(Self {}))
    }

    /// Starts a handshake with the peer at this address. A session that there is goes on until the new one is complete.
    ///
    /// Raises:
    ///     WrongStateError: a run of this side's is under way.
    ///     NoCredentialError: this side has no credential that is valid.
    ///     RngError: randomness failed.
    fn connect(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call(py, |member, cx| own_mut(member).ok_or(Error::WrongState)?.connect(cx, &to))
    }

    /// Goes on from the stored peer after a restart, in three messages: `Resumed` says when. Where `Failed` of
    /// `Stage.RESUME` comes in its place, `connect`.
    ///
    /// Raises:
    ///     NotEstablishedError: nothing is stored.
    ///     WrongStateError: there is a session or a run already.
    ///     RngError: randomness failed.
    fn go_on(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call(py, |member, cx| own_mut(member).ok_or(Error::WrongState)?.go_on(cx))
    }

    /// The holder has changed: a revocation list that names the peer's credential, or this side's, ends the association
    /// (`Terminated`).
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    fn recheck(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call(py, |member, cx| member.handle_timeout(cx))
    }

    /// The epoch in use; ``None`` without a session.
    #[getter]
    fn epoch(me: PyRef<'_, Self>) -> PyResult<Option<u32>> {
        let py = me.py();
        me.as_super().look(py, |member| own(member).and_then(Own::epoch))
    }

    /// What may be shown of the peer (a `CredentialPeerInfo`).
    #[getter]
    fn peer(me: PyRef<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        let py = me.py();
        let info = me.as_super().look(py, |member| own(member).map(Own::info))?;
        info.ok_or_else(|| values::error(py, Error::WrongState))?.for_python(py)
    }

    /// Whether a first message names this peer: to find the association for a datagram from an unknown address.
    fn is_named_by(me: PyRef<'_, Self>, datagram: Bytes) -> PyResult<bool> {
        let py = me.py();
        me.as_super().call(py, |member, _| Ok(iotkm::hub::Routed::is_named(member, &datagram)))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let (id, epoch, standing) = me.as_super().look(py, |member| {
            let standing = standing(member.is_established(), member.fingerprint());
            let own = own(member);
            (own.and_then(|own| own.info().id), own.and_then(Own::epoch), standing)
        })?;
        let id = id.map_or_else(|| "anyone".into(), |id| format!("'{id}'"));
        let epoch = epoch.map_or_else(String::new, |epoch| format!(" epoch={epoch}"));
        Ok(format!("<Noninteractive peer={id}{epoch} {standing}>"))
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<CredentialPeer>()?;
    module.add_class::<Noninteractive>()
}
