//! Pairing: two devices, one secret that their user enters on both.

use crate::association::Association;
use crate::history::{Peer, Suite, config, id_of};
use crate::platform::Platform;
use crate::values::{self, Bytes};
use iotkm::Slot;
use iotkm::crypto::cpace::{self, Cpace};
use iotkm::history::pairing::{self, PairingMemory, SK_MAX, Setup};
use pyo3::prelude::*;

/// The core's pairing as it lies here.
pub(crate) type Core = pairing::Pairing<PairingMemory<2, 512>>;

/// The pairing of two devices that know one secret: the first half of the history scheme. See `Association` for the
/// verbs that it shares with all schemes; there is no session here, so nothing to `send`.
///
/// One side opens its window (`listen`), the other one goes to it (`start`). After `Paired`, `take_peer` gives the new
/// peer, which is stored in `peer_slot` already.
///
/// Args:
///     platform: the surroundings; its place and wall-clock time enter the triple.
///     own_id: this device's id, 1 to 16 bytes, unique among one user's devices.
///     peer_slot: where the new peer will be stored.
///     attempts_slot: where the count of failed attempts is stored; one for the whole device.
///     suite: of all later exchanges; both sides must name the same.
///     group: of the password-authenticated key exchange, ``"ristretto255"`` or ``"P-256"``; both sides the same;
///         ``None``: the one that fits the suite.
///     mtu: the longest datagram in bytes that the network carries, at least 32.
///     tries: how often a message is sent before giving up.
///
/// Raises:
///     BadArgumentError: one of them is out of range.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import Pairing, Platform, prepare_secret
///     >>> pairing = Pairing(Platform(secrets.token_bytes(32)), own_id=b"gateway", peer_slot=1, attempts_slot=0)
///     >>> pairing.listen(prepare_secret("correct horse battery staple"), window_ms=60_000)
///     >>> pairing
///     <Pairing 0 failed>
///     >>> pairing.cancel()
#[pyclass(module = "iotkm", frozen, extends = Association)]
#[derive(Debug)]
pub struct Pairing {}

fn group_of(py: Python<'_>, suite: i8, name: Option<&str>) -> PyResult<&'static dyn Cpace> {
    match name {
        Some("P-256") => Ok(&cpace::CPACE_P256),
        Some("ristretto255") => Ok(&cpace::CPACE_RISTRETTO255),
        None if matches!(suite, 2 | 3 | 5) => Ok(&cpace::CPACE_P256),
        None => Ok(&cpace::CPACE_RISTRETTO255),
        Some(other) => Err(values::bad_argument(py, &format!("group is 'ristretto255' or 'P-256', not {other:?}"))),
    }
}

impl Pairing {
    fn begin(
        me: &PyRef<'_, Self>,
        f: impl FnOnce(&mut Core, &mut iotkm::Cx<'_>) -> Result<(), iotkm::Error> + Send,
    ) -> PyResult<()> {
        me.as_super().call(me.py(), |member, cx| {
            f(member.own_mut().ok_or(iotkm::Error::WrongState)?, cx)?;
            member.over = false;
            Ok(())
        })
    }
}

fn check_sk(py: Python<'_>, sk: &[u8]) -> PyResult<()> {
    if sk.is_empty() || sk.len() > SK_MAX {
        let message = format!("a secret has 1 to {SK_MAX} bytes after prepare_secret, this one has {}", sk.len());
        return Err(values::bad_argument(py, &message));
    }
    Ok(())
}

#[pymethods]
impl Pairing {
    /// The longest secret in bytes, after `prepare_secret`.
    #[classattr]
    const SK_MAX: usize = SK_MAX;
    /// Failed attempts before the user has to act.
    #[classattr]
    const ATTEMPTS: u8 = pairing::ATTEMPTS;

    #[new]
    #[pyo3(signature = (platform, *, own_id, peer_slot, attempts_slot, suite=None, group=None, mtu=1200, tries=24))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        own_id: Bytes,
        peer_slot: u16,
        attempts_slot: u16,
        suite: Option<&Suite>,
        group: Option<&str>,
        mtu: u16,
        tries: u8,
    ) -> PyResult<PyClassInitializer<Self>> {
        if peer_slot == attempts_slot {
            return Err(values::bad_argument(py, "peer_slot and attempts_slot are the same"));
        }
        let suite = crate::history::suite_on_curve(py, suite)?;
        let setup = Setup {
            me: id_of(py, &own_id)?,
            suite,
            cpace: group_of(py, suite.id, group)?,
            peer_slot: Slot(peer_slot),
            attempts_slot: Slot(attempts_slot),
        };
        let config = config(py, mtu, tries, &[], None)?;
        let core = Core::open(setup, config, PairingMemory::new()).map_err(|e| values::error(py, e))?;
        Ok(PyClassInitializer::from(Association::new(platform, Box::new(core))).add_subclass(Self {}))
    }

    /// Takes over the stored count of failed attempts; to be done after every start of the program.
    ///
    /// Args:
    ///     blob: what was stored in the attempts' slot.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here.
    ///     BlobRolledBackError: it is older than `floor`.
    #[pyo3(signature = (blob, *, floor=0))]
    fn restore_attempts(me: PyRef<'_, Self>, blob: Bytes, floor: u32) -> PyResult<()> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, cx| core.restore_attempts(cx.device, floor, &blob))
    }

    /// Failed attempts so far; at `ATTEMPTS` the pairing is locked.
    #[getter]
    fn attempts(me: PyRef<'_, Self>) -> PyResult<u8> {
        let py = me.py();
        me.as_super().look_as(py, |core: &Core| core.attempts())
    }

    /// The user has acted: attempts start anew.
    fn unlock(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, _| {
            core.unlock();
            Ok(())
        })
    }

    /// Opens the window: the first device that knows the secret is paired. With this call the caller states that both
    /// devices are off the network.
    ///
    /// Args:
    ///     sk: the user's secret as `prepare_secret` gives it, 1 to 64 bytes.
    ///     window_ms: how long the window stays open, in ms.
    ///
    /// Raises:
    ///     BadArgumentError: a secret of another length.
    ///     LockedError: too many failed attempts.
    ///     WrongStateError: the window is open, or a run is under way.
    ///     RngError: randomness failed.
    #[pyo3(signature = (sk, *, window_ms))]
    fn listen(me: PyRef<'_, Self>, sk: Bytes, window_ms: u64) -> PyResult<()> {
        let py = me.py();
        check_sk(py, &sk)?;
        Self::begin(&me, |core, cx| core.listen(cx, &sk, window_ms))
    }

    /// Pairs with the device at this address, whose window is open.
    ///
    /// Args:
    ///     to: the address, in the caller's own form.
    ///     sk: as for `listen`.
    ///
    /// Raises:
    ///     BadArgumentError, LockedError, WrongStateError, RngError: as `listen`.
    #[pyo3(signature = (to, sk))]
    fn start(me: PyRef<'_, Self>, to: Bytes, sk: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        check_sk(py, &sk)?;
        Self::begin(&me, |core, cx| core.start(cx, &to, &sk))
    }

    /// Closes the window, ends a run, forgets the secret.
    fn cancel(me: PyRef<'_, Self>) -> PyResult<()> {
        let py = me.py();
        me.as_super().call_as(py, |core: &mut Core, _| {
            core.cancel();
            Ok(())
        })
    }

    /// The new peer, after `Paired`; ``None`` before, and once it was taken.
    fn take_peer(me: PyRef<'_, Self>) -> PyResult<Option<Peer>> {
        let py = me.py();
        let peer = me.as_super().call(py, |member, _| {
            let peer = member.own_mut::<Core>().ok_or(iotkm::Error::WrongState)?.take_peer();
            member.over |= peer.is_some();
            Ok(peer)
        })?;
        Ok(peer.map(Peer::new))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let failed = me.as_super().look_as(py, |core: &Core| core.attempts())?;
        Ok(format!("<Pairing {failed} failed>"))
    }
}
