//! Poll, with the hooks.

use crate::association::{iotkm_association, iotkm_persisted, iotkm_poll, logged};
use crate::output::iotkm_output;
use crate::output::iotkm_output_kind::*;
use crate::platform::{iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Failure, Outcome, iotkm_status::*, text};
use core::ffi::c_int;
use core::mem::MaybeUninit;

const IDLE: u32 = IOTKM_OUTPUT_IDLE as u32;
const DATAGRAM: u32 = IOTKM_OUTPUT_DATAGRAM as u32;
const PERSIST: u32 = IOTKM_OUTPUT_PERSIST as u32;
const EVENT: u32 = IOTKM_OUTPUT_EVENT as u32;

/// Polls until idle: sends, stores and reports what comes out by the platform's hooks `send`, `store_write` and `event`, and
/// writes when to call iotkm_timeout(). Call it after every other verb. `out` as in iotkm_poll().
///
/// A failed `store_write` is reported to the association, which waits and tries again; a failed `send` ends the call with
/// IOTKM_E_HOOK, and the rest waits. Error: IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_drain(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    wake_at_ms: *mut u64,
) -> c_int {
    let drained = drain_with(
        cx,
        wake_at_ms,
        &mut |output| iotkm_poll(association, cx, out, out_capacity, output),
        &mut |output, status| iotkm_persisted(association, output.slot, status),
    );
    logged(cx, text!("iotkm_drain"), drained)
}

/// Polls by `poll` until idle, and answers by `persisted`.
pub(crate) unsafe fn drain_with(
    cx: *const iotkm_cx,
    wake_at_ms: *mut u64,
    poll: &mut dyn FnMut(*mut iotkm_output) -> c_int,
    persisted: &mut dyn FnMut(&iotkm_output, c_int) -> c_int,
) -> Outcome {
    let wake_at = Out::new(wake_at_ms)?;
    loop {
        let platform = iotkm_platform::of(cx)?;
        let mut output = MaybeUninit::<iotkm_output>::uninit();
        ok(poll(output.as_mut_ptr()))?;
        // SAFETY: written, since the call succeeded.
        let output = unsafe { output.assume_init() };
        match output.kind {
            IDLE => {
                wake_at.set(output.wake_at_ms);
                return Ok(());
            }
            DATAGRAM => {
                let send = platform.send.ok_or(IOTKM_E_HOOK)?;
                // SAFETY: the platform's hook gets its own context and bytes of this length.
                if unsafe { send(platform.send_ctx, &output.to, output.bytes, output.len) } != 0 {
                    return Err(IOTKM_E_HOOK.into());
                }
            }
            PERSIST => {
                let status = platform.write(output.slot, raw::bytes(output.bytes, output.len)?);
                ok(persisted(&output, status))?;
            }
            EVENT => {
                if let Some(event) = platform.event {
                    // SAFETY: the platform's hook gets its own context and an event.
                    unsafe { event(platform.event_ctx, &output.event) }
                }
            }
            _ => return Err(Failure { needed: output.needed, ..IOTKM_E_BUFFER_TOO_SMALL.into() }),
        }
    }
}

fn ok(status: c_int) -> Outcome {
    if status < 0 { Err(Failure { status, needed: 0 }) } else { Ok(()) }
}
