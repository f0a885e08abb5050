//! Revocation lists.

use super::agent::{iotkm_agent, iotkm_signing, signed, text};
use super::name;
use super::ticket::IOTKM_NAME_TEXT;
use crate::raw::{self, Out};
use crate::status::iotkm_status::*;
use core::ffi::{c_char, c_int, c_void};
use core_of_iotkm::cose::RevocationList;
use core_of_iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};

/// Bytes of a revocation list besides four for each serial, at most.
pub const IOTKM_REVOCATION_LIST_OVERHEAD: usize = 160;
/// Serials that a revocation list holds, at most.
pub const IOTKM_REVOCATION_LIST_SERIALS: usize = 16384;
const _: () = assert!(IOTKM_REVOCATION_LIST_OVERHEAD == LIST_OVERHEAD && IOTKM_REVOCATION_LIST_SERIALS == LIST_MAX);

/// A revocation list: the serials of an agent's tickets that are no longer good.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_revocation_list {
    /// The agent's name.
    pub issuer: [c_char; IOTKM_NAME_TEXT],
    /// When it was issued, in seconds since 1970.
    pub issued_at: u64,
    /// Its number; a higher one is newer.
    pub number: u32,
    /// How many serials it holds.
    pub count: u32,
    /// The whole list, where it was given.
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
}

impl iotkm_revocation_list {
    fn of(list: &RevocationList<'_>) -> Self {
        Self {
            issuer: name(list.issuer()),
            issued_at: list.issued_at(),
            number: list.number(),
            count: list.serials().count() as u32,
            bytes: list.as_bytes().as_ptr(),
            len: list.as_bytes().len(),
        }
    }
}

/// Reads a list that this agent signed; `list` points into `bytes`. Errors: IOTKM_E_REFUSED_..., IOTKM_E_BAD_ARGUMENT for an
/// agent that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_revocation_list_verify(
    bytes: *const u8,
    len: usize,
    agent: *const iotkm_agent,
    list: *mut iotkm_revocation_list,
) -> c_int {
    raw::plainly(|| {
        let (place, agent) = (Out::new(list)?, iotkm_agent::get(agent)?);
        place.set(iotkm_revocation_list::of(&RevocationList::verify(raw::bytes(bytes, len)?, &agent)?));
        Ok(())
    })
}

/// Reads a list that nobody vouches for: to show it, or where it was verified before. Error: IOTKM_E_REFUSED_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_revocation_list_peek(
    bytes: *const u8,
    len: usize,
    list: *mut iotkm_revocation_list,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(list)?;
        place.set(iotkm_revocation_list::of(&RevocationList::peek(raw::bytes(bytes, len)?)?));
        Ok(())
    })
}

/// 1 if the list names the ticket of this serial, 0 if not, or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_revocation_list_contains(list: *const iotkm_revocation_list, serial: u32) -> c_int {
    let mut answer = 0;
    let asked = raw::inside(|| {
        let list: &iotkm_revocation_list = raw::read(list)?;
        answer = c_int::from(RevocationList::peek(raw::bytes(list.bytes, list.len)?)?.contains(serial));
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// Issues a list into `out`, signed with the agent's key (see iotkm_signing). `serials` rise, none comes twice; a number
/// is never given twice (iotkm_ticket_agent_revoke() sees to that). Errors: IOTKM_E_REFUSED_CLAIMS for serials in another order,
/// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_REVOCATION_LIST_OVERHEAD and four bytes for each serial will do), IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_revocation_list_issue(
    signing: *const iotkm_signing,
    key: *const c_void,
    issuer: *const c_char,
    issued_at: u64,
    number: u32,
    serials: *const u32,
    count: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let issuer = text(issuer)?;
        let serials = raw::words(serials, count)?;
        let (out, mut out_len) = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        signed(signing, key, &mut |signer| {
            let len = RevocationList::issue(signer, issuer, issued_at, number, serials, out)?;
            out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
            Ok(())
        })
    })
}
