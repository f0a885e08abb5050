//! The centre's side of a session: an association like any other.

use super::association::KIND as DEVICE;
use crate::association::{Front, Made, Verbs, iotkm_association, make, value_at, with_verbs};
use crate::history::association::iotkm_config;
use crate::history::peer::{id as named, iotkm_history_id};
use crate::hub::{Joined, iotkm_hub, join};
use crate::lent::{Held, LentMemory};
use crate::object::{self, Magic, fits};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned};
use crate::suites::iotkm_suite;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::Cx;
use core_of_iotkm::microcert::centre::{Accepted, Serving};
use core_of_iotkm::microcert::{Served, centre};

/// A session that a device was granted, to be made an association of. It holds keys: open it, or wipe it.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_accepted {
    opaque: [u64; 28],
}

/// Memory for the runs of a centre's session.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_served_memory {
    opaque: [u64; 64],
}

type Kind = Served<LentMemory<Serving>>;
type Runs = centre::ServedMemory;
const KIND: u32 = DEVICE | 1 << 8;

type Granted = Held<Option<Accepted>>;
fits!(Granted, iotkm_accepted);
fits!(Made<Kind>, iotkm_association);
fits!(Runs, iotkm_served_memory);

/// Where a session goes that may be granted.
pub(super) fn place(session: *mut iotkm_accepted) -> Outcome<Out<Granted>> {
    Out::new(session.cast())
}

/// A session for its place.
pub(super) const fn held(accepted: Accepted) -> Granted {
    Granted::new(Magic::ACCEPTED, Some(accepted))
}

impl Verbs for Kind {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
    fn release(&mut self) -> Outcome {
        self.release().map(drop).ok_or_else(|| IOTKM_E_WRONG_STATE.into())
    }
    unsafe fn lend(&mut self, (memory, _): (NonNull<c_void>, usize)) -> Outcome {
        Ok(self.lend(LentMemory::new(memory.cast::<Runs>()))?)
    }
}

/// Makes an association of a session that iotkm_centre_receive() granted, and wipes `session`. IOTKM_EVENT_ESTABLISHED is its first
/// output. Its connection id is the one that the centre offered; `config` may be NULL. Memory is lent until iotkm_wipe().
/// Errors: IOTKM_E_BAD_ARGUMENT for a configuration out of range.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_served_open(
    association: *mut iotkm_association,
    session: *mut iotkm_accepted,
    config: *const iotkm_config,
    memory: *mut iotkm_served_memory,
) -> c_int {
    let opened = raw::inside(|| {
        let (place, config) = (raw::some(association)?, iotkm_config::get(config)?);
        let memory = raw::some(memory)?.cast::<Runs>();
        Granted::change(session.cast(), Magic::ACCEPTED, |accepted| {
            make(place, KIND, Kind::open(accepted, config, LentMemory::new(memory))?)
        })
    });
    match opened {
        Ok(()) => iotkm_accepted_wipe(session),
        Err(failure) => returned(Err(failure)),
    }
}

/// Wipes a session that is not wanted. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_accepted_wipe(session: *mut iotkm_accepted) -> c_int {
    raw::plainly(|| {
        let place = raw::some(session)?;
        Granted::with(session.cast(), Magic::ACCEPTED, &mut |object| {
            // SAFETY: set up, nobody else is in, and it is erased below before anybody can be.
            unsafe { object.drop_in_place() };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_accepted>());
        Ok(())
    })
}

/// An association with this device that has no session yet, for iotkm_restore() from a blob of iotkm_export(); `config` has the
/// connection id that it had. Errors: IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_served_at_rest(
    association: *mut iotkm_association,
    id: *const iotkm_history_id,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_served_memory,
) -> c_int {
    raw::plainly(|| {
        let (place, config) = (raw::some(association)?, iotkm_config::get(config)?);
        let suite: &'static iotkm_suite = raw::read(suite)?;
        let memory = raw::some(memory)?.cast::<Runs>();
        make(place, KIND, Kind::at_rest(named(id)?, &suite.0, config, LentMemory::new(memory))?)
    })
}

/// iotkm_microcert_release() for a centre's session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_served_release(association: *mut iotkm_association) -> c_int {
    returned(with_verbs(association, KIND, |a| a.release()))
}

/// iotkm_microcert_lend() for a centre's session.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_served_lend(
    association: *mut iotkm_association,
    memory: *mut iotkm_served_memory,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// iotkm_history_join() for a centre's session: `wanted` is the place that the connection id names under which it began, as a
/// big-endian number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_served_join(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    unsafe fn view(front: NonNull<Front>) -> NonNull<dyn Joined> {
        value_at::<Kind>(front)
    }
    join(association, KIND, hub, wanted, member, view)
}
