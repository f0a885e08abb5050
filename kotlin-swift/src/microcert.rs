//! The microcert scheme: chips, and their association with an authentication centre.

use crate::association::{Held, verbs};
use crate::error::IotkmError;
use crate::interactive::Pending;
use crate::peer::{Holding, stored};
use crate::surroundings::{BlobStore, Cx, Device, Stored};
use crate::values::{Config, Suite, addr, slot};
use iotkm::microcert::{Chip as CoreChip, Microcert as CoreMicrocert, MicrocertMemory, Slots, wire};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) type Core = CoreMicrocert<CoreChip, Box<MicrocertMemory<CoreChip>>>;

/// What a device has of its enrolment with one centre: key seed, counters, floor time. It is stored in two slots, and given to a
/// `Microcert`; the handle is used up then.
///
/// ```text
/// let chip = Chip.enrol(device, 1, 2, invitation)     // from the centre, offline: it holds the transport key, erase it
/// send chip.deposit() to the centre; chip.save(device, store)
/// chip.confirm(confirmation)                          // the centre's; store again
/// let meter = Microcert.open(device, chip, Config(), store)      // after a restart: of Chip.restore(device, store, 1, 2)
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Chip(Holding<CoreChip>);

/// What may be shown of a device's enrolment with a centre.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct ChipInfo {
    /// The device's id, 1 to 16 bytes.
    pub id: Vec<u8>,
    /// The centre's.
    pub centre: Vec<u8>,
    /// The suite that it was enrolled with.
    pub suite: Option<Suite>,
    /// Whether it was enrolled as a device without a clock.
    pub clockless: bool,
    /// How often the key seed was replaced.
    pub generation: u32,
    /// What is known of the seed that is to replace it.
    pub pending: Pending,
    /// The first year that the seed is still for.
    pub first_year: u16,
    /// The last one.
    pub last_year: u16,
    /// The newest time that the centre gave, in seconds since 1970: it is at least that late.
    pub floor: u64,
    /// Whether the centre has confirmed the enrolment.
    pub confirmed: bool,
    /// Whether the centre has revoked it: the seed is killed.
    pub revoked: bool,
}

/// One of a chip's two blobs, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct SealedPart {
    /// Its slot.
    pub slot: u16,
    /// Counts the writes to it.
    pub version: u32,
    /// The blob: 1005 bytes of the seed, less than 200 of all else.
    pub bytes: Vec<u8>,
}

fn slots(seed: u16, state: u16) -> Result<Slots, IotkmError> {
    if seed == state {
        return Err(IotkmError::BadArgument);
    }
    Ok(Slots { seed: slot(seed), state: slot(state) })
}

fn seal(chip: &mut CoreChip, device: &iotkm::Device) -> Result<SealedPart, IotkmError> {
    chip.needs_store().ok_or(IotkmError::WrongState)?;
    let mut bytes = vec![0; CoreChip::SEED_MAX];
    let (slot, len, version) = chip.seal(device, &mut bytes)?;
    bytes.truncate(len);
    Ok(SealedPart { slot: slot.0, version, bytes })
}

#[uniffi::export]
impl Chip {
    /// Enrols this device by an invitation, which the centre wrote for its id and which reached it offline: the chip makes its
    /// seed, 976 random bytes, for five years. `seed_slot` will be written seldom, `state_slot` every 32 micro-certificates.
    ///
    /// # Errors
    /// `BadArgument` for what is no invitation, or one slot for both; `Rng`, `Vault`.
    #[uniffi::constructor]
    pub fn enrol(device: &Device, seed_slot: u16, state_slot: u16, invitation: Vec<u8>) -> Result<Self, IotkmError> {
        let (slots, invitation) = (slots(seed_slot, state_slot)?, Zeroizing::new(invitation));
        device.with(&Cx::none(), |cx| Ok(Self::of(CoreChip::enrol(slots, &invitation, cx.rng)?)))
    }

    /// The chip that `store` has in these slots.
    ///
    /// # Errors
    /// `NotFound`, `Store`, `Vault`; `BadBlob` for another device's or damaged blobs, or two that do not belong together;
    /// `BlobRolledBack`; `BadArgument` for one slot for both.
    #[uniffi::constructor]
    pub fn restore(
        device: &Device,
        store: Arc<dyn BlobStore>,
        seed_slot: u16,
        state_slot: u16,
    ) -> Result<Self, IotkmError> {
        let (seed, state) = (stored(&*store, seed_slot)?, stored(&*store, state_slot)?);
        Self::from_blobs(device, seed_slot, seed, state_slot, state)
    }

    /// The chip in these blobs, each with the value of its slot's monotonic counter.
    ///
    /// # Errors
    /// `Vault`, `BadBlob`, `BlobRolledBack`, `BadArgument`, as `restore`.
    #[uniffi::constructor]
    pub fn from_blobs(
        device: &Device,
        seed_slot: u16,
        seed: Stored,
        state_slot: u16,
        state: Stored,
    ) -> Result<Self, IotkmError> {
        let (slots, device) = (slots(seed_slot, state_slot)?, device.known()?.device);
        let mut work = Zeroizing::new(vec![0; CoreChip::SEED_MAX]);
        let floors = [seed.floor, state.floor];
        Ok(Self::of(CoreChip::restore(&device, slots, floors, &seed.bytes, &state.bytes, &mut work)?))
    }

    /// The chip's answer to its invitation, about 1000 bytes: the seed, sealed for the centre. As often as it is wanted, until the
    /// centre has confirmed.
    ///
    /// # Errors
    /// `WrongState` once the centre has confirmed, or once an association has the chip.
    pub fn deposit(&self) -> Result<Vec<u8>, IotkmError> {
        self.0.with(|chip| {
            let mut out = vec![0; CoreChip::DEPOSIT_MAX];
            let len = chip.deposit(&mut out)?;
            out.truncate(len);
            Ok(out)
        })
    }

    /// The centre's word, 20 bytes, that it has stored the seed: the transport key is erased; store the chip. The first
    /// authentication says as much.
    ///
    /// # Errors
    /// `BadArgument` where it is not that centre's word about this seed; `WrongState` where it came before, or once an association
    /// has the chip.
    pub fn confirm(&self, confirmation: Vec<u8>) -> Result<(), IotkmError> {
        self.0.with(|chip| Ok(chip.confirm(&confirmation)?))
    }

    /// Seals and writes what has changed, each part to its slot. An association does this by itself.
    ///
    /// # Errors
    /// `Vault`, `Store`; `WrongState` once an association has the chip.
    pub fn save(&self, device: &Device, store: Arc<dyn BlobStore>) -> Result<(), IotkmError> {
        let device = device.known()?.device;
        self.0.with(|chip| {
            while chip.needs_store().is_some() {
                let part = seal(chip, &device)?;
                let written = store.write(part.slot, part.version, part.bytes);
                written.map_err(|e| IotkmError::Store { reason: e.reason() })?;
                chip.persisted();
            }
            Ok(())
        })
    }

    /// Whether something has to be stored, for an application that stores by itself: `seal`, store, `persisted`, and look again.
    ///
    /// # Errors
    /// `WrongState` once an association has the chip.
    pub fn needs_store(&self) -> Result<bool, IotkmError> {
        self.0.with(|chip| Ok(chip.needs_store().is_some()))
    }

    /// Seals what has to be stored next. The order counts: store each before the next is asked for.
    ///
    /// # Errors
    /// `WrongState` where nothing has to be stored, or once an association has the chip; `Vault`.
    pub fn seal(&self, device: &Device) -> Result<SealedPart, IotkmError> {
        let device = device.known()?.device;
        self.0.with(|chip| seal(chip, &device))
    }

    /// What `seal` gave last is stored.
    ///
    /// # Errors
    /// `WrongState` once an association has the chip.
    pub fn persisted(&self) -> Result<(), IotkmError> {
        self.0.with(|chip| {
            chip.persisted();
            Ok(())
        })
    }

    /// What may be shown of it.
    ///
    /// # Errors
    /// `WrongState` once an association has it.
    pub fn info(&self) -> Result<ChipInfo, IotkmError> {
        self.0.with(|chip| Ok(info(chip)))
    }
}

impl Chip {
    fn of(chip: CoreChip) -> Self {
        Self(Holding::new(chip))
    }
}

fn info(chip: &CoreChip) -> ChipInfo {
    let (first_year, last_year) = chip.years();
    ChipInfo {
        id: chip.id().as_bytes().to_vec(),
        centre: chip.centre().as_bytes().to_vec(),
        suite: Suite::named((chip.suite(), false)),
        clockless: chip.is_clockless(),
        generation: chip.generation(),
        pending: chip.pending_state().into(),
        first_year,
        last_year,
        floor: chip.floor().0 / 1_000,
        confirmed: chip.is_confirmed(),
        revoked: chip.is_dead(),
    }
}

impl fmt::Debug for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.with(|chip| Ok(format!("{chip:?}"))) {
            Ok(text) => f.write_str(&text),
            Err(_) => f.write_str("Chip(in use)"),
        }
    }
}

impl fmt::Display for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// The microcert scheme between this device and its authentication centre: one short message each way. What the centre orders - a
/// new key seed, the end of this one - is done on the way: `UpdateAgreed` and `KeyReplaced`, or `Failed` of `Authentication` with
/// `Revoked`. Where `PairAgain` or `SeedExpired` comes, the device has to be enrolled anew. Every method may throw `Busy`.
///
/// ```text
/// let meter = Microcert.open(device, Chip.restore(device, store, 1, 2), Config(), store)
/// meter.authenticate(cx, centre)                     // or connect, for a session; then poll until Idle, after every call
/// Authenticated -> the meter knows its centre, and the time by it: meter.time(cx)
/// let signature = meter.sign(cx, reading)            // for whoever asks the centre
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Microcert(pub(crate) Held);

verbs!(Microcert);

#[uniffi::export]
impl Microcert {
    /// An association at rest, of the chip's suite. It takes the chip over; what that has to store comes first. With a `store`,
    /// `poll` writes to it by itself; without, it hands out `Persist`. The MTU is 108 bytes at least.
    ///
    /// # Errors
    /// `BadArgument` for a configuration out of range; `WrongState` for a chip in use. The chip is still there then.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        chip: &Chip,
        config: Config,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        let core = config.core()?;
        let suite = |chip: &CoreChip| Suite::named((chip.suite(), false)).ok_or(IotkmError::SuiteMismatch);
        let fits = |chip: &mut CoreChip| {
            let suite = suite(chip)?.core();
            CoreMicrocert::open(chip, suite, core, Box::<MicrocertMemory<&mut CoreChip>>::default())?;
            Ok(())
        };
        let core = chip.0.give(fits, |chip| {
            let suite = suite(&chip)?.core();
            Ok(Core::open(chip, suite, core, Box::default())?)
        })?;
        Ok(Self(Held::new(device, store, Box::new(core), usize::from(config.mtu).max(CoreChip::SEED_MAX))))
    }

    /// Authenticates both sides and starts a session with the centre at this address (up to 22 bytes): `Established`. A session
    /// that there is goes on until then. Without `cx.wall` it takes two more messages, unless the centre was heard minutes ago; for a
    /// chip without a clock always.
    ///
    /// # Errors
    /// `WrongState` while a run is under way; `SeedExpired`; `KeyExhausted` after 2^32 - 1 micro-certificates; `Rng`, `Vault`,
    /// `Undrained`, `BadArgument`.
    pub fn connect(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.connect(cx, &to))
    }

    /// Authenticates both sides, without a session: `Authenticated`.
    ///
    /// # Errors
    /// As `connect`.
    pub fn authenticate(&self, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.0.own_call(&cx, |core: &mut Core, cx| core.authenticate(cx, &to))
    }

    /// Signs data for whoever asks the centre (`AuthCenter.verify`), in at most 83 bytes. The time in it is this device's.
    ///
    /// # Errors
    /// `Undrained` where outputs wait or a counter has to be reserved first: poll until `Idle`, then call again; `SeedExpired`,
    /// `Revoked`, `KeyExhausted`, `Rng`, `Vault`.
    pub fn sign(&self, cx: Cx, data: Vec<u8>) -> Result<Vec<u8>, IotkmError> {
        self.0.own_call(&cx, |core: &mut Core, cx| {
            let mut out = vec![0; wire::SIGNATURE_MAX];
            let len = core.sign(cx, &data, &mut out)?;
            out.truncate(len);
            Ok(out)
        })
    }

    /// What may be shown of the chip.
    ///
    /// # Errors
    /// `Busy`.
    pub fn chip(&self) -> Result<ChipInfo, IotkmError> {
        self.0.own(|core: &mut Core| Ok(info(core.chip())))
    }

    /// What time it is by the centre's clock, in ms since 1970, since it last said so: to set this device's own. None: it has not.
    ///
    /// # Errors
    /// `Busy`.
    pub fn time(&self, cx: Cx) -> Result<Option<u64>, IotkmError> {
        self.0.own(|core: &mut Core| Ok(core.time(iotkm::Instant(cx.now)).map(|time| time.0)))
    }

    /// Gives the chip back, wiping the session. This object is used up then.
    ///
    /// # Errors
    /// `Busy`; `WrongState` the second time, and in a hub.
    pub fn into_chip(&self) -> Result<Arc<Chip>, IotkmError> {
        Ok(Arc::new(Chip::of(self.0.take::<Core>()?.into_chip())))
    }
}

impl fmt::Debug for Microcert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "Microcert", |member| {
            member.own().map_or_else(String::new, |core: &mut Core| {
                format!("{:?}, generation {}", core.chip().id(), core.chip().generation())
            })
        })
    }
}
