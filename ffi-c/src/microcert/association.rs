//! A device's associations with its centre.

use super::chip::{self, LentChip, iotkm_chip};
use crate::association::{Front, Made, Verbs, iotkm_association, make, value_at, verb_of, with_verbs};
use crate::history::association::iotkm_config;
use crate::hub::{Joined, iotkm_hub, join};
use crate::lent::LentMemory;
use crate::object::fits;
use crate::output::iotkm_addr;
use crate::platform::iotkm_cx;
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::suites::iotkm_suite;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::microcert::{Exchange, Extent, Leaf, Microcert, MicrocertMemory, Signer, Whole, wire};
use core_of_iotkm::{Addr, Cx, Instant, UnixTime};

/// Memory for a run of a device's.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_microcert_memory {
    opaque: [u64; 48],
}

/// The longest signature in bytes.
pub const IOTKM_SIGNATURE_MAX: usize = 83;
/// The smallest MTU in bytes for iotkm_microcert_open().
pub const IOTKM_MICROCERT_MTU_MIN: usize = 108;
const _: () = assert!(IOTKM_SIGNATURE_MAX == wire::SIGNATURE_MAX && IOTKM_MICROCERT_MTU_MIN == wire::FLIGHT_MAX);

type Kind<E> = Microcert<LentChip, LentMemory<Exchange<LentChip, E>>, E>;
type Runs<E> = MicrocertMemory<LentChip, E>;
pub(super) const KIND: u32 = wire::NUMBER as u32;

/// An extent that C has a constructor for.
trait Named: Extent {
    const KIND: u32;
}
impl Named for Whole {
    const KIND: u32 = KIND | 1 << 16;
}
impl Named for Leaf {
    const KIND: u32 = KIND | 2 << 16;
}

fits!(Made<Kind<Whole>>, iotkm_association);
fits!(Runs<Whole>, iotkm_microcert_memory);

impl<E: Extent> Verbs for Kind<E> {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.connect(cx, to)?)
    }
    fn authenticate(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.authenticate(cx, to)?)
    }
    fn signer(&mut self) -> Outcome<Signer<'_>> {
        Ok(self.signer()?)
    }
    fn time(&self, now: Instant) -> Option<UnixTime> {
        self.time(now)
    }
    fn release(&mut self) -> Outcome {
        self.release().map(drop).ok_or_else(|| IOTKM_E_WRONG_STATE.into())
    }
    unsafe fn lend(&mut self, (memory, _): (NonNull<c_void>, usize)) -> Outcome {
        Ok(self.lend(LentMemory::new(memory.cast::<Runs<E>>()))?)
    }
}

unsafe fn open<E: Named>(
    association: *mut iotkm_association,
    chip: *mut iotkm_chip,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_microcert_memory,
) -> c_int {
    raw::plainly(|| {
        let config = iotkm_config::get(config)?;
        let place = raw::some(association)?;
        let suite: &'static iotkm_suite = raw::read(suite)?;
        let memory = raw::some(memory)?.cast::<Runs<E>>();
        let opened = Kind::<E>::open(chip::take(chip)?, &suite.0, config, LentMemory::new(memory))?;
        make(place, E::KIND, opened)
    })
}

/// Sets up an association with the centre that the chip is enrolled with, at rest. `suite` is the one that it was enrolled with, a
/// ..._symmetric one. `config` may be NULL; its MTU must be at least IOTKM_MICROCERT_MTU_MIN. Chip and memory are lent until
/// iotkm_wipe().
///
/// What the centre orders happens by itself, with the next authentication: IOTKM_EVENT_UPDATE_AGREED and
/// IOTKM_EVENT_KEY_REPLACED tell of a new seed, IOTKM_EVENT_FAILED with IOTKM_REASON_REVOKED that the seed was killed.
/// Errors: IOTKM_E_SUITE_MISMATCH, IOTKM_E_BAD_ARGUMENT, IOTKM_E_BUSY where another association holds the chip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_open(
    association: *mut iotkm_association,
    chip: *mut iotkm_chip,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_microcert_memory,
) -> c_int {
    open::<Whole>(association, chip, suite, config, memory)
}

/// iotkm_microcert_open() for a leaf that authenticates itself and signs, and has no sessions: at two thirds of the code. What the
/// centre orders happens all the same. iotkm_microcert_connect() is refused with IOTKM_E_WRONG_STATE, as are iotkm_export() and
/// iotkm_restore(); it cannot join an iotkm_hub. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_open_leaf(
    association: *mut iotkm_association,
    chip: *mut iotkm_chip,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_microcert_memory,
) -> c_int {
    open::<Leaf>(association, chip, suite, config, memory)
}

/// Authenticates this device and the centre at this address to each other, and starts a session: IOTKM_EVENT_ESTABLISHED or
/// IOTKM_EVENT_FAILED tells. A session that there is goes on until the new one is complete. Without a clock (`cx->wall_ms` is 0, or
/// it was enrolled so) it takes two messages more.
/// Errors: IOTKM_E_SEED_EXPIRED; IOTKM_E_WRONG_STATE while a run is under way, and for a leaf, which has no sessions;
/// IOTKM_E_KEY_EXHAUSTED after 2^32 - 1 counters; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_connect(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_microcert_connect"), |a, cx| a.connect(cx, &iotkm_addr::get(to)?))
}

/// iotkm_microcert_connect() without a session: IOTKM_EVENT_AUTHENTICATED tells. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_authenticate(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_microcert_authenticate"), |a, cx| {
        a.authenticate(cx, &iotkm_addr::get(to)?)
    })
}

/// Signs data, for whoever asks the centre; the time in it is this device's. IOTKM_SIGNATURE_MAX bytes will do.
/// Errors: IOTKM_E_UNDRAINED where a counter has to be stored first: drain and call again; IOTKM_E_SEED_EXPIRED, IOTKM_E_REVOKED,
/// IOTKM_E_KEY_EXHAUSTED, IOTKM_E_RNG, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_sign(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    data: *const u8,
    data_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_microcert_sign"), |a, cx| {
        let data = raw::bytes(data, data_len)?;
        raw::apart(data, raw::bytes(out, out_capacity)?)?;
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        out_len.set(a.signer()?.sign(cx, data, out)?);
        Ok(())
    })
}

/// What time it is by the centre's clock, in ms since 1970, as it said last in this association, to set the device's own: `now_ms`
/// as in iotkm_cx. 0: it has said nothing yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_time(
    association: *mut iotkm_association,
    now_ms: u64,
    wall_ms: *mut u64,
) -> c_int {
    returned(with_verbs(association, KIND, |a| {
        let place = Out::new(wall_ms)?;
        place.set(a.time(Instant(now_ms)).map_or(0, |time| time.0));
        Ok(())
    }))
}

/// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Authentication, resume and the
/// centre's new address need it again: iotkm_microcert_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_release(association: *mut iotkm_association) -> c_int {
    returned(with_verbs(association, KIND, |a| a.release()))
}

/// Lends memory for runs again, until iotkm_wipe() or iotkm_microcert_release(). Error: IOTKM_E_WRONG_STATE where there is some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_lend(
    association: *mut iotkm_association,
    memory: *mut iotkm_microcert_memory,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// iotkm_history_join() for associations of this scheme.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_microcert_join(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    unsafe fn view(front: NonNull<Front>) -> NonNull<dyn Joined> {
        value_at::<Kind<Whole>>(front)
    }
    join(association, Whole::KIND, hub, wanted, member, view)
}
