//! The microcert scheme: chips, the association.

use crate::association::{Association, standing};
use crate::history::{Suite, config, symmetric};
use crate::platform::Platform;
use crate::values::{self, Bytes, Out, bad_argument};
use iotkm::engine::rekey::Pending;
use iotkm::microcert::{Chip as CoreChip, Id, MicrocertMemory, Slots, wire};
use iotkm::{Association as _, Slot, UnixTime};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::{Mutex, PoisonError};
use zeroize::Zeroizing;

type Memory = Box<MicrocertMemory<CoreChip>>;
/// The core's association as it lies here.
type Core = iotkm::microcert::Microcert<CoreChip, Memory>;

/// What is known of the seed that is to replace the current one, in a word.
pub(crate) const fn pending(pending: Pending) -> &'static str {
    match pending {
        Pending::None => "none",
        Pending::Answered(_) => "answered",
        Pending::Confirmed(_) => "confirmed",
    }
}

/// Whole seconds since 1970.
pub(crate) const fn seconds(time: UnixTime) -> u64 {
    time.0 / 1_000
}

fn given_away(py: Python<'_>) -> PyErr {
    values::wrong_state(py, "this chip was given to an association: restore it from its slots to have it again")
}

fn slots(py: Python<'_>, seed: u16, state: u16) -> PyResult<Slots> {
    if seed == state {
        return Err(bad_argument(py, "seed_slot and state_slot are the same: a chip is stored in two slots"));
    }
    Ok(Slots { seed: Slot(seed), state: Slot(state) })
}

/// What may be shown of a chip: both ids, the suite, whether it has no clock, the seed's generation, its successor, years and
/// floor time, whether it is confirmed and whether it is dead.
type Shown = ([Id; 2], i8, bool, u32, &'static str, (u16, u16), u64, [bool; 2]);

fn shown(chip: &CoreChip) -> Shown {
    let (ids, ends) = ([*chip.id(), *chip.centre()], [chip.is_confirmed(), chip.is_dead()]);
    let pending = pending(chip.pending_state());
    (ids, chip.suite(), chip.is_clockless(), chip.generation(), pending, chip.years(), seconds(chip.floor()), ends)
}

fn info(py: Python<'_>, shown: Shown) -> PyResult<Bound<'_, PyAny>> {
    let ([id, centre], suite, is_clockless, generation, pending, years, floor, [is_confirmed, is_dead]) = shown;
    let (id, centre) = (values::bytes(py, id.as_bytes()), values::bytes(py, centre.as_bytes()));
    let suite = symmetric(suite).map_or("?", |suite| suite.0);
    let fields = (id, centre, suite, is_clockless, generation, pending, years, floor, is_confirmed, is_dead);
    values::make(py, "ChipInfo", fields)
}

/// What a device has of its enrolment with one centre: key seed, counters, floor time. It is stored in two slots, and given to a
/// `Microcert`.
///
/// Whatever changes it is stored before it counts: while `needs_store`, `seal`, store, `persisted`. An association does this by
/// itself (`Persist`).
///
/// Examples:
///     >>> from iotkm import Chip, Platform
///     >>> from iotkm._iotkm import AuthCenter
///     >>> class Rows(dict):  # what iotkm.centre.Batch is, without a database
///     ...     def swap(self, id, version, state, seed): return self.setdefault(id, seed) is seed
///     >>> class Keys:  # what an iotkm.centre.KeyStore is, without keys
///     ...     def transport_key(self, id): return bytes(16)
///     >>> platform = Platform(bytes(32), wall=lambda: 1_800_000_000_000)
///     >>> invitation = AuthCenter(platform, b"city").invite(Rows(), Keys(), b"lamp-7")
///     >>> chip = Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=invitation)
///     >>> chip
///     <Chip of b'lamp-7' at b'city', generation 0, not confirmed>
///     >>> len(chip.deposit())  # for the centre: `iotkm.centre.AuthCenter.enrol`
///     1001
///     >>> stored = {}
///     >>> while chip.needs_store:
///     ...     write = chip.seal(platform)
///     ...     stored[write.slot] = write.data
///     ...     chip.persisted()
///     >>> Chip.restore(platform, seed_slot=1, state_slot=2, seed=stored[1], state=stored[2]).info.years
///     (2027, 2031)
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct Chip(Mutex<Option<CoreChip>>);

impl Chip {
    const fn new(chip: CoreChip) -> Self {
        Self(Mutex::new(Some(chip)))
    }

    fn with<T>(&self, py: Python<'_>, f: impl FnOnce(&mut CoreChip) -> T) -> PyResult<T> {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        guard.as_mut().map(f).ok_or_else(|| given_away(py))
    }
}

#[pymethods]
impl Chip {
    /// Length in bytes of the seed's blob: what its slot must hold. It is written seldom.
    #[classattr]
    const SEED_MAX: usize = CoreChip::SEED_MAX;
    /// The longest blob of the other slot in bytes: counters and all else, written every 32 micro-certificates.
    #[classattr]
    const STATE_MAX: usize = CoreChip::STATE_MAX;

    /// Enrols this device by an invitation, which the centre wrote for its id and which reached it offline: the chip makes its
    /// key seed, 976 random bytes, for five years.
    ///
    /// Args:
    ///     platform: the surroundings, for randomness.
    ///     seed_slot: the number of the slot that the seed will be stored in.
    ///     state_slot: likewise of counters and all else; another one.
    ///     invitation: as `iotkm.centre.AuthCenter.invite` wrote it. It holds the transport key: erase it.
    ///
    /// Raises:
    ///     BadArgumentError: it is no invitation, or both slots are the same.
    ///     RngError: randomness failed.
    #[staticmethod]
    #[pyo3(signature = (platform, *, seed_slot, state_slot, invitation))]
    fn enrol(
        py: Python<'_>,
        platform: &Platform,
        seed_slot: u16,
        state_slot: u16,
        invitation: Bytes,
    ) -> PyResult<Self> {
        let slots = slots(py, seed_slot, state_slot)?;
        let chip = py.detach(|| platform.call(|cx| CoreChip::enrol(slots, &invitation, cx.rng)))?;
        Ok(Self::new(chip))
    }

    /// Opens a stored chip.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     seed_slot: where the seed was stored.
    ///     state_slot: where all else was.
    ///     seed: what was stored there.
    ///     state: likewise.
    ///     seed_floor: the value of the seed's slot's monotonic counter, 0 where there is none.
    ///     state_floor: likewise of the other slot.
    ///
    /// Raises:
    ///     BadBlobError: they do not open here, or do not belong together.
    ///     BlobRolledBackError: one of them is older than its floor.
    ///     BadArgumentError: both slots are the same.
    #[staticmethod]
    #[pyo3(signature = (platform, *, seed_slot, state_slot, seed, state, seed_floor=0, state_floor=0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments")]
    fn restore(
        py: Python<'_>,
        platform: &Platform,
        seed_slot: u16,
        state_slot: u16,
        seed: Bytes,
        state: Bytes,
        seed_floor: u32,
        state_floor: u32,
    ) -> PyResult<Self> {
        let slots = slots(py, seed_slot, state_slot)?;
        let chip = py.detach(|| {
            let mut work = Zeroizing::new(vec![0; CoreChip::SEED_MAX]);
            CoreChip::restore(&platform.device, slots, [seed_floor, state_floor], &seed, &state, &mut work)
        });
        Ok(Self::new(chip.map_err(|e| values::error(py, e))?))
    }

    /// The chip's answer to its invitation, about 1000 bytes: the seed, sealed for the centre. As often as it is wanted, until
    /// the centre has confirmed.
    ///
    /// Raises:
    ///     WrongStateError: the centre has confirmed.
    fn deposit<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = [0; CoreChip::DEPOSIT_MAX];
        let len = self.with(py, |chip| chip.deposit(&mut out))?.map_err(|e| values::error(py, e))?;
        Ok(values::bytes(py, out.get(..len).unwrap_or(&[])))
    }

    /// The centre's word, 20 bytes, that it has stored the seed: the transport key is erased; store the chip. The first
    /// authentication says as much.
    ///
    /// Raises:
    ///     BadArgumentError: it is not this centre's word about this seed.
    ///     WrongStateError: it came before.
    fn confirm(&self, py: Python<'_>, confirmation: Bytes) -> PyResult<()> {
        self.with(py, |chip| chip.confirm(&confirmation))?.map_err(|e| values::error(py, e))
    }

    /// Whether something has to be stored: `seal`, store, `persisted`, and look again.
    #[getter]
    fn needs_store(&self, py: Python<'_>) -> PyResult<bool> {
        self.with(py, |chip| chip.needs_store().is_some())
    }

    /// Seals what has to be stored next: a `Persist`, with slot, version and blob. The order counts: each before the next is
    /// asked for.
    ///
    /// Raises:
    ///     WrongStateError: nothing has to be stored.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<Bound<'py, PyAny>> {
        let mut out = Zeroizing::new(vec![0; CoreChip::SEED_MAX]);
        let sealed = self.with(py, |chip| chip.needs_store().map(|_| chip.seal(&platform.device, &mut out)))?;
        let sealed = sealed.ok_or_else(|| values::wrong_state(py, "nothing has to be stored: see needs_store"))?;
        let (slot, len, version) = sealed.map_err(|e| values::error(py, e))?;
        values::output(py, Out::Persist(slot, version, out.get(..len).unwrap_or(&[]).to_vec()))
    }

    /// What `seal` gave last is stored.
    fn persisted(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |chip| chip.persisted()).map(drop)
    }

    /// What may be shown of it (a `ChipInfo`).
    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        info(py, self.with(py, |chip| shown(chip))?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let shown = self.with(py, |chip| {
            let id = values::bytes(py, chip.id().as_bytes()).repr()?;
            let centre = values::bytes(py, chip.centre().as_bytes()).repr()?;
            let state = match (chip.is_dead(), chip.is_confirmed()) {
                (true, _) => ", revoked",
                (false, false) => ", not confirmed",
                (false, true) => "",
            };
            Ok::<_, PyErr>(format!("<Chip of {id} at {centre}, generation {}{state}>", chip.generation()))
        });
        shown.unwrap_or_else(|_| Ok("<Chip given away>".into()))
    }
}

/// The microcert scheme between this device and its authentication centre: one short message each way. See `Association` for the
/// verbs that it shares with all schemes.
///
/// `authenticate` authenticates both sides, `connect` starts a session as well. What the centre orders - a new key seed, the end
/// of this one - is done on the way: `UpdateAgreed` and `KeyReplaced`, or `Failed` of `Stage.AUTHENTICATION` with
/// `Reason.REVOKED`. Where `Reason.PAIR_AGAIN` or `Reason.SEED_EXPIRED` comes, the device has to be enrolled anew.
///
/// Args:
///     platform: the surroundings. Without a wall clock (``wall=lambda: None``) each run takes two more messages.
///     chip: it belongs to the association from now on; what it has to store comes first (`Persist`).
///     mtu: the longest datagram in bytes that the network carries, at least 108.
///     tries: how often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds.
///     cid: the connection id under which this side wants to receive, 0 to 8 bytes.
///     rekey_after: records under one key before the next begins, at most 2**20.
///
/// Raises:
///     BadArgumentError: one of them is out of range.
///     WrongStateError: the chip was given away before.
#[pyclass(module = "iotkm", frozen, extends = Association)]
#[derive(Debug)]
pub struct Microcert {}

#[pymethods]
impl Microcert {
    /// The longest signature in bytes.
    #[classattr]
    const SIGNATURE_MAX: usize = wire::SIGNATURE_MAX;

    #[new]
    #[pyo3(signature = (platform, chip, *, mtu=1200, tries=24, cid=None, rekey_after=None))]
    fn new(
        py: Python<'_>,
        platform: Py<Platform>,
        chip: &Chip,
        mtu: u16,
        tries: u8,
        cid: Option<Bytes>,
        rekey_after: Option<u32>,
    ) -> PyResult<PyClassInitializer<Self>> {
        let config = config(py, mtu, tries, cid.as_deref().unwrap_or(&[]), rekey_after)?;
        if usize::from(mtu) < wire::FLIGHT_MAX {
            return Err(bad_argument(py, &format!("mtu is at least {} bytes in this scheme", wire::FLIGHT_MAX)));
        }
        let mut guard = chip.0.lock().unwrap_or_else(PoisonError::into_inner);
        let chip = guard.as_mut().ok_or_else(|| given_away(py))?;
        let (_, suite) = symmetric(chip.suite()).ok_or_else(|| values::error(py, iotkm::Error::SuiteMismatch))?;
        // Tried with a loan: what is refused leaves the chip where it was, and there are never two.
        let lent = Box::<MicrocertMemory<&mut CoreChip>>::default();
        iotkm::microcert::Microcert::open(chip, suite, config, lent).map_err(|e| values::error(py, e))?;
        let chip = guard.take().ok_or_else(|| given_away(py))?;
        let core = Core::open(chip, suite, config, Memory::default()).map_err(|e| values::error(py, e))?;
        Ok(PyClassInitializer::from(Association::new(platform, Box::new(core))).add_subclass(Self {}))
    }

    /// Authenticates both sides and starts a session with the centre at this address (the caller's own form, at most 22 bytes):
    /// `Established`. A session that there is goes on until then.
    ///
    /// Raises:
    ///     WrongStateError: a run is under way.
    ///     SeedExpiredError: the key seed is not for this year.
    ///     KeyExhaustedError: 2**32 - 1 micro-certificates were made.
    ///     UndrainedError: outputs are waiting; `poll` first.
    ///     RngError: randomness failed.
    fn connect(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Authenticates both sides, without a session: `Authenticated`.
    ///
    /// Raises:
    ///     As `connect`.
    fn authenticate(me: PyRef<'_, Self>, to: Bytes) -> PyResult<()> {
        let py = me.py();
        let to = values::address(py, &to)?;
        me.as_super().call_as(py, |core: &mut Core, cx| core.authenticate(cx, &to))
    }

    /// Signs data for whoever asks the centre (`iotkm.centre.AuthCenter.verify`): at most `SIGNATURE_MAX` bytes. The time in it is
    /// this device's.
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting, or a counter has to be reserved first: `poll` until `Idle`, then call again.
    ///     SeedExpiredError: the key seed is not for this year.
    ///     RevokedError: the centre has revoked this device.
    ///     KeyExhaustedError: 2**32 - 1 signatures and micro-certificates were made.
    ///     RngError: randomness failed.
    fn sign<'py>(me: PyRef<'py, Self>, data: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        let py = me.py();
        let mut out = [0; wire::SIGNATURE_MAX];
        let len = me.as_super().call_as(py, |core: &mut Core, cx| core.sign(cx, &data, &mut out))?;
        Ok(values::bytes(py, out.get(..len).unwrap_or(&[])))
    }

    /// What may be shown of the chip (a `ChipInfo`).
    #[getter]
    fn chip(me: PyRef<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        let py = me.py();
        info(py, me.as_super().look_as(py, |core: &Core| shown(core.chip()))?)
    }

    /// What time it is by the centre's clock, in ms since 1970, since it last said so: to set this device's own. ``None``: it has
    /// not.
    #[getter]
    fn time(me: PyRef<'_, Self>) -> PyResult<Option<u64>> {
        let py = me.py();
        let time = me.as_super().call_as(py, |core: &mut Core, cx| Ok(core.time(cx.now)))?;
        Ok(time.map(|time| time.0))
    }

    fn __repr__(me: PyRef<'_, Self>) -> PyResult<String> {
        let py = me.py();
        let (id, generation, standing) = me.as_super().look(py, |member| {
            let chip = member.own().map(|core: &Core| (*core.chip().id(), core.chip().generation()));
            let (id, generation) = chip.unwrap_or_default();
            (id, generation, standing(member.is_established(), member.fingerprint()))
        })?;
        let id = values::bytes(py, id.as_bytes()).repr()?;
        Ok(format!("<Microcert of {id} generation={generation} {standing}>"))
    }
}

/// The suite of an argument, for this scheme.
///
/// # Errors
/// `BadArgumentError` for one with Diffie-Hellman.
pub(crate) fn suite_of(py: Python<'_>, suite: Option<&Suite>) -> PyResult<&'static iotkm::crypto::Suite> {
    let suite = suite.map_or(&iotkm::crypto::SUITE_0_SYMMETRIC, Suite::core);
    if suite.dh.is_some() {
        return Err(bad_argument(
            py,
            "the microcert scheme has the symmetric suites, SUITE_0_SYMMETRIC to SUITE_5_SYMMETRIC",
        ));
    }
    Ok(suite)
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Chip>()?;
    module.add_class::<Microcert>()
}
