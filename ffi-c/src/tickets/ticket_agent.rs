//! The ticket agent: who numbers tickets and lists.

use super::agent::{iotkm_signing, signed, text};
use super::message::iotkm_ticket_message;
use super::name;
use super::ticket::IOTKM_NAME_TEXT;
use crate::association::logged;
use crate::lent::Shared;
use crate::object::{Magic, fits};
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text as nul};
use core::ffi::{CStr, c_char, c_int, c_void};
use core_of_iotkm::cose::TicketAgent;

/// The longest blob of a stored ticket agent in bytes.
pub const IOTKM_TICKET_AGENT_BLOB_MAX: usize = 62;
const _: () = assert!(IOTKM_TICKET_AGENT_BLOB_MAX == TicketAgent::BLOB_MAX);

/// A ticket agent's numbers: none is given twice, wherever its power is cut. Its key is given to each call (see iotkm_signing);
/// which tickets it issued is its caller's record. Devices do not have one: they go by an iotkm_agent.
///
/// Numbers count from 1, and 256 are reserved with each write to storage. So store it before the first number, and again
/// whenever a call says IOTKM_E_WRONG_STATE; also after a start, which goes on behind the numbers that were reserved.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_ticket_agent {
    opaque: [u64; 16],
}

type Object = Shared<TicketAgent>;
fits!(Object, iotkm_ticket_agent);

/// Calls `f` with the agent, if it is set up and not in use.
unsafe fn with(agent: *const iotkm_ticket_agent, f: &mut dyn FnMut(&mut TicketAgent) -> Outcome) -> Outcome {
    Object::with(agent.cast(), Magic::TICKET_AGENT, &mut |object| f(&mut object.value))
}

unsafe fn at(
    agent: *const iotkm_ticket_agent,
    cx: *const iotkm_cx,
    call: &CStr,
    f: &mut dyn FnMut(&mut TicketAgent) -> Outcome,
) -> c_int {
    logged(cx, call, with(agent, f))
}

unsafe fn set(place: Out<Object>, agent: TicketAgent) {
    place.set(Object::new(Magic::TICKET_AGENT, agent));
}

/// Sets up an agent that has issued nothing; `issuer` is its name in tickets.
/// Error: IOTKM_E_BAD_ARGUMENT for a name that no ticket can have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_init(agent: *mut iotkm_ticket_agent, issuer: *const c_char) -> c_int {
    raw::plainly(|| {
        let place = Out::new(agent.cast())?;
        set(place, TicketAgent::new(text(issuer)?)?);
        Ok(())
    })
}

/// For a caller who keeps the numbers (in a database) and has given this one to nobody: one ticket or credential can be issued
/// under it, and no other. Error: IOTKM_E_BAD_ARGUMENT, also for the last number there is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_init_with_number(
    agent: *mut iotkm_ticket_agent,
    issuer: *const c_char,
    serial: u32,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(agent.cast())?;
        set(place, TicketAgent::with_number(text(issuer)?, serial)?);
        Ok(())
    })
}

/// Sets an agent up from what was stored. `floor` is the value of the slot's monotonic counter, 0 where there is none.
/// Errors: IOTKM_E_BAD_BLOB, also of another device; IOTKM_E_BLOB_ROLLED_BACK where it is older than `floor`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_restore(
    agent: *mut iotkm_ticket_agent,
    cx: *const iotkm_cx,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
) -> c_int {
    let restored = raw::inside(|| {
        let (place, blob) = (Out::new(agent.cast())?, raw::bytes(blob, blob_len)?);
        set(place, TicketAgent::restore(&device(cx)?, floor, blob)?);
        Ok(())
    });
    logged(cx, nul!("iotkm_ticket_agent_restore"), restored)
}

/// iotkm_ticket_agent_restore() with what the platform's `store_read` finds in the slot.
/// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_load(
    agent: *mut iotkm_ticket_agent,
    cx: *const iotkm_cx,
    slot: u16,
) -> c_int {
    let loaded = raw::inside(|| {
        let (place, mut blob) = (Out::new(agent.cast())?, [0; TicketAgent::BLOB_MAX]);
        let blob = match iotkm_platform::of(cx)?.read(slot, &mut blob) {
            Ok(blob) => blob,
            Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
            Err(_) => return Err(IOTKM_E_HOOK.into()),
        };
        set(place, TicketAgent::restore(&device(cx)?, 0, blob)?);
        Ok(())
    });
    logged(cx, nul!("iotkm_ticket_agent_load"), loaded)
}

/// Reserves numbers and seals the agent into `out`, with the number of this write in `version` for a monotonic counter; once it
/// is stored, call iotkm_ticket_agent_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_AGENT_BLOB_MAX bytes will do).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_seal(
    agent: *mut iotkm_ticket_agent,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    at(agent, cx, nul!("iotkm_ticket_agent_seal"), &mut |agent| {
        let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
        let (len, version) = agent.seal(&device(cx)?, out)?;
        out_len.set(len);
        place.set(version);
        Ok(())
    })
}

/// What iotkm_ticket_agent_seal() gave last is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_persisted(agent: *mut iotkm_ticket_agent) -> c_int {
    returned(with(agent, &mut |agent| {
        agent.persisted();
        Ok(())
    }))
}

/// iotkm_ticket_agent_seal(), the platform's `store_write` to this slot, iotkm_ticket_agent_persisted(). Error: IOTKM_E_HOOK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_store(
    agent: *mut iotkm_ticket_agent,
    cx: *const iotkm_cx,
    slot: u16,
) -> c_int {
    at(agent, cx, nul!("iotkm_ticket_agent_store"), &mut |agent| {
        let mut blob = [0; TicketAgent::BLOB_MAX];
        let (len, _) = agent.seal(&device(cx)?, &mut blob)?;
        if iotkm_platform::of(cx)?.write(slot, blob.get(..len).ok_or(IOTKM_E_INTERNAL)?) != 0 {
            return Err(IOTKM_E_HOOK.into());
        }
        agent.persisted();
        Ok(())
    })
}

/// Writes the agent's name, IOTKM_NAME_TEXT bytes with its NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_name(agent: *const iotkm_ticket_agent, issuer: *mut c_char) -> c_int {
    returned(with(agent, &mut |agent| {
        Out::new(issuer.cast::<[c_char; IOTKM_NAME_TEXT]>())?.set(name(agent.name()));
        Ok(())
    }))
}

/// Issues what a message asks for (IOTKM_TICKET_MESSAGE_REQUEST) into `out`, from `now_s` on, in seconds since 1970. What the
/// message points to does not lie in `out`. Who may ask for what, the caller says. Errors, after which no number is used up:
/// IOTKM_E_WRONG_STATE where none is reserved in storage; IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where nobody would accept
/// it; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC); IOTKM_E_BAD_ARGUMENT for another
/// message or a key that is none; IOTKM_E_HOOK and IOTKM_E_KEY_PENDING of a key that is elsewhere.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_issue(
    agent: *mut iotkm_ticket_agent,
    signing: *const iotkm_signing,
    key: *const c_void,
    now_s: u64,
    request: *const iotkm_ticket_message,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    returned(with(agent, &mut |agent| {
        let request = raw::read::<iotkm_ticket_message>(request)?.request()?;
        let (out, mut out_len) = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        raw::apart(request.key.as_bytes(), out)?;
        signed(signing, key, &mut |signer| {
            let len = agent.issue(signer, now_s, &request, out)?;
            out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
            Ok(())
        })
    }))
}

/// Gives the next number for something else that this agent issues (iotkm_credential_terms), which is never given again.
/// Error: IOTKM_E_WRONG_STATE where none is reserved in storage.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_number(agent: *mut iotkm_ticket_agent, serial: *mut u32) -> c_int {
    returned(with(agent, &mut |agent| {
        let place = Out::new(serial)?;
        place.set(agent.number(Ok)?);
        Ok(())
    }))
}

/// Issues the next revocation list into `out`. `serials` rise, none comes twice; those of tickets that are over need not be
/// there. Errors: as iotkm_ticket_agent_issue(); IOTKM_E_REFUSED_CLAIMS for serials in another order, IOTKM_E_BUFFER_TOO_SMALL
/// (IOTKM_REVOCATION_LIST_OVERHEAD and four bytes for each serial will do).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_revoke(
    agent: *mut iotkm_ticket_agent,
    signing: *const iotkm_signing,
    key: *const c_void,
    now_s: u64,
    serials: *const u32,
    count: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    returned(with(agent, &mut |agent| {
        let serials = raw::words(serials, count)?;
        let (out, mut out_len) = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        signed(signing, key, &mut |signer| {
            let len = agent.revoke(signer, now_s, serials, out)?;
            out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
            Ok(())
        })
    }))
}

/// Wipes an agent from memory; its slot stays as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_agent_wipe(agent: *mut iotkm_ticket_agent) -> c_int {
    raw::plainly(|| Object::wipe(agent.cast(), Magic::TICKET_AGENT, size_of::<iotkm_ticket_agent>()))
}
