//! What a device has of its enrolment with a centre.

use crate::association::logged;
use crate::history::peer::{IOTKM_HISTORY_ID_MAX, iotkm_history_id};
use crate::lent;
use crate::object::{self, Magic, fits};
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform, with_cx};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::c_int;
use core_of_iotkm::Slot;
use core_of_iotkm::engine::rekey::Pending;
use core_of_iotkm::history::Id;
use core_of_iotkm::microcert::{Chip, Slots};

/// Length in bytes of the blob in the chip's seed slot: what that slot must hold. It is written seldom.
pub const IOTKM_CHIP_SEED_BLOB_MAX: usize = 1005;
/// The longest blob in bytes of the chip's other slot, which is written every 32 micro-certificates.
pub const IOTKM_CHIP_STATE_BLOB_MAX: usize = 174;
/// The longest deposit in bytes.
pub const IOTKM_CHIP_DEPOSIT_MAX: usize = 1023;
/// Bytes of memory for iotkm_chip_load(): both blobs, and one to open them in.
pub const IOTKM_CHIP_WORK: usize = 2 * IOTKM_CHIP_SEED_BLOB_MAX + IOTKM_CHIP_STATE_BLOB_MAX;
const _: () = assert!(
    IOTKM_CHIP_SEED_BLOB_MAX == Chip::SEED_MAX
        && IOTKM_CHIP_STATE_BLOB_MAX == Chip::STATE_MAX
        && IOTKM_CHIP_DEPOSIT_MAX == Chip::DEPOSIT_MAX
);

/// What a device has of its enrolment with one centre: key seed, counters, floor time. It is stored in two slots, and lent to
/// one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_chip {
    opaque: [u64; 155],
}

/// What is known of the seed that is to replace a chip's.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_pending {
    /// There is none.
    IOTKM_PENDING_NONE = 0,
    /// This device has answered; whether the centre has it is not known.
    IOTKM_PENDING_ANSWERED = 1,
    /// The centre has it, too: it is used from the next micro-certificate on.
    IOTKM_PENDING_CONFIRMED = 2,
}

impl From<Pending> for iotkm_pending {
    fn from(pending: Pending) -> Self {
        match pending {
            Pending::None => Self::IOTKM_PENDING_NONE,
            Pending::Answered(_) => Self::IOTKM_PENDING_ANSWERED,
            Pending::Confirmed(_) => Self::IOTKM_PENDING_CONFIRMED,
        }
    }
}

/// What may be shown of a chip.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_chip_record {
    /// The device's id.
    pub id: iotkm_history_id,
    /// The centre's.
    pub centre: iotkm_history_id,
    /// Number of the suite that it was enrolled with.
    pub suite: c_int,
    /// Whether it was enrolled as a device without a clock.
    pub clockless: bool,
    /// Whether the centre has confirmed the enrolment.
    pub confirmed: bool,
    /// Whether it was revoked: the seed is killed.
    pub revoked: bool,
    /// How often the seed was replaced.
    pub generation: u32,
    /// What is known of the seed that is to replace it: an iotkm_pending.
    pub pending: u32,
    /// The first year whose row is still there; above `last_year` where none is.
    pub first_year: u16,
    /// The last year that the seed is for.
    pub last_year: u16,
    /// The newest time that the centre gave, in ms since 1970: it is at least that late.
    pub floor_ms: u64,
}

/// A chip's two blobs, and what keeps old ones from being put back.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_chip_stored {
    /// The slot of the seed.
    pub seed_slot: u16,
    /// The slot of all else.
    pub state_slot: u16,
    /// Value of the seed slot's monotonic counter, 0 where there is none.
    pub seed_floor: u32,
    /// Likewise of the other slot.
    pub state_floor: u32,
    /// What is in the seed slot.
    pub seed: *const u8,
    /// Its length in bytes.
    pub seed_len: usize,
    /// What is in the other slot.
    pub state: *const u8,
    /// Its length in bytes.
    pub state_len: usize,
}

type Held = lent::Held<Chip>;
fits!(Held, iotkm_chip);
const MAGIC: Magic = Magic::CHIP;

/// A chip in the caller's memory.
pub(crate) type LentChip = lent::LentPeer<Chip>;

/// Lends a chip to an association.
pub(super) unsafe fn take(chip: *mut iotkm_chip) -> Outcome<LentChip> {
    LentChip::take(chip.cast(), MAGIC)
}

/// Calls `f` with the chip to look at.
unsafe fn look(chip: *const iotkm_chip, f: impl FnMut(&Chip) -> Outcome) -> Outcome {
    Held::look(chip.cast_mut().cast(), MAGIC, f)
}

/// Calls `f` with the chip to change, if it is lent to nobody.
unsafe fn change(chip: *mut iotkm_chip, f: impl FnMut(&mut Chip) -> Outcome) -> Outcome {
    Held::change(chip.cast(), MAGIC, f)
}

fn slots(seed: u16, state: u16) -> Outcome<Slots> {
    if seed == state { Err(IOTKM_E_BAD_ARGUMENT.into()) } else { Ok(Slots { seed: Slot(seed), state: Slot(state) }) }
}

/// An id as C sees it.
pub(super) fn shown(id: &Id) -> iotkm_history_id {
    let from = id.as_bytes();
    let mut id = iotkm_history_id { len: from.len() as u8, bytes: [0; IOTKM_HISTORY_ID_MAX] };
    id.bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    id
}

/// sizeof(iotkm_chip) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_chip_size() -> usize {
    size_of::<iotkm_chip>()
}

/// Enrols this device by an invitation, which its centre wrote for its id and which came offline, since it brings a key: erase it
/// then. The chip makes its seed, 976 random bytes. Store it (iotkm_chip_store()) before iotkm_chip_deposit(), whose bytes go to
/// the centre; its answer is for iotkm_chip_confirm(). `seed_slot` and `state_slot` are where the chip will be stored.
/// Errors: IOTKM_E_BAD_ARGUMENT for what is no invitation, and where both slots are the same; IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_enrol(
    chip: *mut iotkm_chip,
    cx: *const iotkm_cx,
    seed_slot: u16,
    state_slot: u16,
    invitation: *const u8,
    invitation_len: usize,
) -> c_int {
    let enrolled = raw::inside(|| {
        let mut place = Some(Out::new(chip.cast::<Held>())?);
        let (slots, invitation) = (slots(seed_slot, state_slot)?, raw::bytes(invitation, invitation_len)?);
        with_cx(cx, None, &mut |cx| {
            let chip = Chip::enrol(slots, invitation, cx.rng)?;
            place.take().ok_or(IOTKM_E_INTERNAL)?.set(Held::new(MAGIC, chip));
            Ok(())
        })
    });
    logged(cx, text!("iotkm_chip_enrol"), enrolled)
}

/// Writes the chip's answer to its invitation, for the centre: the seed, sealed under the key of the invitation.
/// IOTKM_CHIP_DEPOSIT_MAX bytes will do. Errors: IOTKM_E_WRONG_STATE once the centre has confirmed, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_deposit(
    chip: *const iotkm_chip,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    returned(look(chip, |chip| {
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        out_len.set(chip.deposit(out)?);
        Ok(())
    }))
}

/// Takes the centre's word that it has stored the seed, 20 bytes: the key of the invitation is erased. The first authentication
/// says as much. Store the chip afterwards.
/// Errors: IOTKM_E_BAD_ARGUMENT where it is not that centre's word; IOTKM_E_WRONG_STATE where it came before; IOTKM_E_BUSY while an
/// association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_confirm(
    chip: *mut iotkm_chip,
    confirmation: *const u8,
    confirmation_len: usize,
) -> c_int {
    returned(change(chip, |chip| Ok(chip.confirm(raw::bytes(confirmation, confirmation_len)?)?)))
}

/// 1 if the chip has to be stored, 0 if not, or an error: iotkm_chip_store(), or iotkm_chip_seal(), storage, and
/// iotkm_chip_persisted() until it is 0. An association does so by itself (IOTKM_OUTPUT_PERSIST).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_needs_store(chip: *const iotkm_chip) -> c_int {
    let mut answer = 0;
    let asked = look(chip, |chip| {
        answer = c_int::from(chip.needs_store().is_some());
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// Seals what has to be written next into `out` (IOTKM_CHIP_SEED_BLOB_MAX bytes will do), for `slot`, with the number of this write
/// in `version` for a monotonic counter. Say iotkm_chip_persisted() when it is safe, and before the next one.
/// Errors: IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_seal(
    chip: *mut iotkm_chip,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    slot: *mut u16,
    version: *mut u32,
) -> c_int {
    let sealed = change(chip, |chip| {
        let out = raw::bytes_mut(out, out_capacity)?;
        let (out_len, to, number) = (Out::new(out_len)?, Out::new(slot)?, Out::new(version)?);
        let (slot, len, version) = chip.seal(&device(cx)?, out)?;
        out_len.set(len);
        to.set(slot.0);
        number.set(version);
        Ok(())
    });
    logged(cx, text!("iotkm_chip_seal"), sealed)
}

/// What iotkm_chip_seal() gave last is safe. Error: IOTKM_E_BUSY while an association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_persisted(chip: *mut iotkm_chip) -> c_int {
    returned(change(chip, |chip| {
        chip.persisted();
        Ok(())
    }))
}

/// Stores all that has to be, by the platform's `store_write`, sealed in `work` (IOTKM_CHIP_SEED_BLOB_MAX bytes will do).
/// Errors: IOTKM_E_HOOK (call again), IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_store(
    chip: *mut iotkm_chip,
    cx: *const iotkm_cx,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let stored = change(chip, |chip| {
        let (work, platform, device) = (raw::bytes_mut(work, work_len)?, iotkm_platform::of(cx)?, device(cx)?);
        while chip.needs_store().is_some() {
            let (slot, len, _) = chip.seal(&device, work)?;
            if platform.write(slot.0, work.get(..len).ok_or(IOTKM_E_INTERNAL)?) != 0 {
                return Err(IOTKM_E_HOOK.into());
            }
            chip.persisted();
        }
        Ok(())
    });
    logged(cx, text!("iotkm_chip_store"), stored)
}

/// Sets a chip up from its two blobs, opened in `work`: IOTKM_CHIP_SEED_BLOB_MAX bytes, erased afterwards. Store it where
/// iotkm_chip_needs_store() says so: the power may have gone between two writes.
/// Errors: IOTKM_E_BAD_BLOB, also where the two do not belong together; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_restore(
    chip: *mut iotkm_chip,
    cx: *const iotkm_cx,
    stored: *const iotkm_chip_stored,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let restored = raw::inside(|| {
        let place = Out::new(chip.cast::<Held>())?;
        let stored: &iotkm_chip_stored = raw::read(stored)?;
        let (seed, state) = (raw::bytes(stored.seed, stored.seed_len)?, raw::bytes(stored.state, stored.state_len)?);
        let (slots, floors) = (slots(stored.seed_slot, stored.state_slot)?, [stored.seed_floor, stored.state_floor]);
        let chip = Chip::restore(&device(cx)?, slots, floors, seed, state, raw::bytes_mut(work, work_len)?)?;
        place.set(Held::new(MAGIC, chip));
        Ok(())
    });
    logged(cx, text!("iotkm_chip_restore"), restored)
}

/// iotkm_chip_restore() with what the platform's `store_read` finds in both slots; `work` has IOTKM_CHIP_WORK bytes.
/// Errors: IOTKM_E_EMPTY where one of them was never written, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB, IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_load(
    chip: *mut iotkm_chip,
    cx: *const iotkm_cx,
    seed_slot: u16,
    state_slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let loaded = raw::inside(|| {
        let place = Out::new(chip.cast::<Held>())?;
        let slots = slots(seed_slot, state_slot)?;
        let work = raw::bytes_mut(work, work_len)?;
        let (seed, rest) = work.split_at_mut_checked(IOTKM_CHIP_SEED_BLOB_MAX).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        let (state, rest) = rest.split_at_mut_checked(IOTKM_CHIP_STATE_BLOB_MAX).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        let (seed, state) = (found(cx, seed_slot, seed)?, found(cx, state_slot, state)?);
        let chip = Chip::restore(&device(cx)?, slots, [0; 2], seed, state, rest)?;
        place.set(Held::new(MAGIC, chip));
        Ok(())
    });
    logged(cx, text!("iotkm_chip_load"), loaded)
}

unsafe fn found(cx: *const iotkm_cx, slot: u16, room: &mut [u8]) -> Outcome<&[u8]> {
    match iotkm_platform::of(cx)?.read(slot, room) {
        Ok(blob) => Ok(blob),
        Err(IOTKM_STORE_EMPTY) => Err(IOTKM_E_EMPTY.into()),
        Err(_) => Err(IOTKM_E_HOOK.into()),
    }
}

/// Writes what may be shown of a chip, also while an association holds it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_info(chip: *const iotkm_chip, record: *mut iotkm_chip_record) -> c_int {
    returned(look(chip, |chip| {
        let place = Out::new(record)?;
        let (first_year, last_year) = chip.years();
        place.set(iotkm_chip_record {
            id: shown(chip.id()),
            centre: shown(chip.centre()),
            suite: chip.suite().into(),
            clockless: chip.is_clockless(),
            confirmed: chip.is_confirmed(),
            revoked: chip.is_dead(),
            generation: chip.generation(),
            pending: iotkm_pending::from(chip.pending_state()) as u32,
            first_year,
            last_year,
            floor_ms: chip.floor().0,
        });
        Ok(())
    }))
}

/// Wipes the chip from memory; its slots stay as they are. Error: IOTKM_E_BUSY while an association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_chip_wipe(chip: *mut iotkm_chip) -> c_int {
    raw::plainly(|| {
        let place = raw::some(chip)?;
        Held::with(chip.cast(), MAGIC, &mut |object| {
            Held::free(object)?;
            // SAFETY: set up and lent to nobody; it is erased below before anybody can use it.
            unsafe { object.drop_in_place() };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_chip>());
        Ok(())
    })
}
