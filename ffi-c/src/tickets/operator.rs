//! The operator, in the caller's memory: when its devices' tickets end, and how far the next ones are.

use super::agent::text;
use super::name;
use super::ticket::{IOTKM_NAME_TEXT, IOTKM_REFERENCE_LEN, iotkm_ticket};
use crate::credentials::issue::iotkm_credential;
use crate::lent::Shared;
use crate::object::{Magic, fits};
use crate::output::IOTKM_NEVER;
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned};
use core::ffi::{c_char, c_int};
use core::ptr::NonNull;
use core_of_iotkm::cose::operator::{Entry, Next};
use core_of_iotkm::cose::{self, Message, Reference, Ticket};

/// A device in an operator's memory: as many of these as it can know devices.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_operator_entry {
    opaque: [u64; 9],
}
const _: () = assert!(size_of::<Entry>() == size_of::<iotkm_operator_entry>());
const _: () = assert!(align_of::<Entry>() <= align_of::<iotkm_operator_entry>());

/// An operator's view of its devices: when each one's ticket or credential ends, and how far the next one is. It holds none: those
/// that wait for their devices, its caller keeps, and how each ticket is asked for (iotkm_ticket_request()). It may not be moved.
/// Times are seconds since 1970-01-01 00:00 UTC.
///
/// Nothing of it need be stored: after a start say again which tickets there are (iotkm_operator_knows(),
/// iotkm_operator_issued()). An acknowledgement forgotten that way costs one more push.
///
/// Of credentials the same (iotkm_operator_knows_credential(), iotkm_operator_issued_credential()), but who is asked is the device
/// itself, by an IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE: a part of its next key is its own.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_operator {
    opaque: [u64; 8],
}

/// How far a device's next ticket is.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_renewal {
    /// The device's name.
    pub device: [c_char; IOTKM_NAME_TEXT],
    /// When the ticket or the credential that it holds ends.
    pub expires: u64,
    /// When the agent (for a credential the device) was asked for the next one; 0: not asked, or it has come.
    pub asked_at: u64,
    /// Whether the next one waits for the device.
    pub is_waiting: bool,
    /// What stands for that.
    pub waiting: [u8; IOTKM_REFERENCE_LEN],
}

impl iotkm_renewal {
    fn of(entry: &Entry) -> Self {
        let (asked_at, waiting) = match entry.next() {
            Next::None => (0, None),
            Next::Asked(at) => (at, None),
            Next::Waiting { ticket, .. } => (0, Some(ticket.0)),
        };
        Self {
            device: name(entry.name()),
            expires: entry.expires(),
            asked_at,
            is_waiting: waiting.is_some(),
            waiting: waiting.unwrap_or_default(),
        }
    }
}

/// Entries in the caller's memory, until the operator is wiped.
#[derive(Debug)]
struct LentEntries(NonNull<[Entry]>);

impl LentEntries {
    unsafe fn new(entries: NonNull<Entry>, count: usize) -> Self {
        for i in 0..count {
            // SAFETY: memory for `count` entries, by contract.
            unsafe { entries.add(i).write(Entry::FREE) };
        }
        Self(NonNull::slice_from_raw_parts(entries, count))
    }
}

impl AsRef<[Entry]> for LentEntries {
    fn as_ref(&self) -> &[Entry] {
        // SAFETY: written by `new`, and lent until the operator is wiped, here and below.
        unsafe { self.0.as_ref() }
    }
}
impl AsMut<[Entry]> for LentEntries {
    fn as_mut(&mut self) -> &mut [Entry] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}
impl Drop for LentEntries {
    fn drop(&mut self) {
        self.as_mut().fill(Entry::FREE);
    }
}

type Office = cose::Operator<LentEntries>;
type Object = Shared<Office>;
fits!(Object, iotkm_operator);

/// Calls `f` with the operator, if it is set up and not in use.
unsafe fn with(op: *const iotkm_operator, f: &mut dyn FnMut(&mut Office) -> Outcome) -> c_int {
    returned(Object::with(op.cast(), Magic::OPERATOR, &mut |object| f(&mut object.value)))
}

/// Calls `f` with the operator and a ticket.
unsafe fn with_ticket(
    op: *const iotkm_operator,
    ticket: *const iotkm_ticket,
    f: &mut dyn FnMut(&mut Office, &Ticket<'_>) -> Outcome,
) -> c_int {
    with(op, &mut |operator| {
        let ticket: &iotkm_ticket = raw::read(ticket)?;
        f(operator, &Ticket::peek(raw::bytes(ticket.bytes, ticket.len)?)?)
    })
}

/// Sets up an operator that knows nobody, with room for `count` devices in `entries`, which are lent until
/// iotkm_operator_wipe(). `lead_s`: how many seconds before a ticket's end the next one is asked for; `retry_s`: after how many
/// seconds without an answer it is asked for again. Error: IOTKM_E_BAD_ARGUMENT for no room at all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_init(
    op: *mut iotkm_operator,
    entries: *mut iotkm_operator_entry,
    count: usize,
    lead_s: u64,
    retry_s: u64,
) -> c_int {
    raw::plainly(|| {
        let (place, entries) = (Out::new(op.cast::<Object>())?, raw::some(entries)?.cast());
        let bytes = count.checked_mul(size_of::<Entry>()).filter(|bytes| isize::try_from(*bytes).is_ok());
        if count == 0 || bytes.is_none() {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let entries = LentEntries::new(entries, count);
        place.set(Object::new(Magic::OPERATOR, Office::new(entries, lead_s, retry_s)));
        Ok(())
    })
}

/// A device and the ticket that it holds, which somebody has verified. Error: IOTKM_E_FULL where no place is free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_knows(op: *mut iotkm_operator, ticket: *const iotkm_ticket) -> c_int {
    with_ticket(op, ticket, &mut |operator, ticket| Ok(operator.knows(ticket)?))
}

/// iotkm_operator_knows() of a device that holds a credential. Error: IOTKM_E_FULL where no place is free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_knows_credential(
    op: *mut iotkm_operator,
    credential: *const iotkm_credential,
) -> c_int {
    with(op, &mut |operator| {
        let credential: &iotkm_credential = raw::read(credential)?;
        Ok(operator.holds(text(credential.subject.as_ptr())?, credential.expires)?)
    })
}

/// Drops a device; for one that is not known that is ok too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_forget(op: *mut iotkm_operator, device: *const c_char) -> c_int {
    with(op, &mut |operator| {
        operator.forget(text(device)?);
        Ok(())
    })
}

/// Writes the name of the device whose next ticket is to be asked for now, the most urgent first, IOTKM_NAME_TEXT bytes with its
/// NUL: send the agent a request (for a credential the device IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE), then ask here again. Empty:
/// there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_ask(op: *mut iotkm_operator, now_s: u64, device: *mut c_char) -> c_int {
    with(op, &mut |operator| {
        let place = Out::new(device.cast::<[c_char; IOTKM_NAME_TEXT]>())?;
        place.set(name(operator.ask(now_s).unwrap_or_default()));
        Ok(())
    })
}

/// When iotkm_operator_ask() will have something; IOTKM_NEVER: as things are, never.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_wake_at(op: *const iotkm_operator, wake_at_s: *mut u64) -> c_int {
    with(op, &mut |operator| {
        Out::new(wake_at_s)?.set(operator.wake_at().unwrap_or(IOTKM_NEVER));
        Ok(())
    })
}

/// The agent's answer, verified (iotkm_ticket_verify()), for one of the devices; the caller keeps it until it is acknowledged.
/// Error: IOTKM_E_BAD_ARGUMENT where there is no such device, or it has one that ends no earlier.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_issued(op: *mut iotkm_operator, ticket: *const iotkm_ticket) -> c_int {
    with_ticket(op, ticket, &mut |operator, ticket| Ok(operator.issued(ticket)?))
}

/// A device's request for a credential was answered (iotkm_credential_issue()), with this one in the answer: it waits for the
/// device until it is acknowledged, in place of what waited before, since that was the answer to a request that the device has lost.
/// The caller stores request and answer before this, and gives the same request the same answer. Error: IOTKM_E_BAD_ARGUMENT where
/// there is no such device.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_issued_credential(
    op: *mut iotkm_operator,
    credential: *const iotkm_credential,
) -> c_int {
    with(op, &mut |operator| {
        let credential: &iotkm_credential = raw::read(credential)?;
        let reference = Reference(credential.reference);
        Ok(operator.waits(text(credential.subject.as_ptr())?, reference, credential.expires)?)
    })
}

/// What stands for the ticket or the credential that waits for a device, IOTKM_REFERENCE_LEN bytes, where `is_waiting`: send it
/// (IOTKM_TICKET_MESSAGE_TICKET, IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER) now and whenever an association with the device comes up,
/// until it is acknowledged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_waiting_for(
    op: *const iotkm_operator,
    device: *const c_char,
    is_waiting: *mut bool,
    reference: *mut u8,
) -> c_int {
    with(op, &mut |operator| {
        let (flag, place) = (Out::new(is_waiting)?, Out::new(reference.cast::<[u8; IOTKM_REFERENCE_LEN]>())?);
        let waiting = operator.waiting_for(text(device)?);
        flag.set(waiting.is_some());
        place.set(waiting.map(|reference| reference.0).unwrap_or_default());
        Ok(())
    })
}

/// Takes in a message from the device of that name, the payload of a record of its association; `acknowledged`: whether its next
/// ticket or credential is now there, and the caller may drop it. Errors: IOTKM_E_REFUSED_... for what is no message.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_handle(
    op: *mut iotkm_operator,
    device: *const c_char,
    message: *const u8,
    message_len: usize,
    acknowledged: *mut bool,
) -> c_int {
    with(op, &mut |operator| {
        let (place, device) = (Out::new(acknowledged)?, text(device)?);
        let message = Message::read(raw::bytes(message, message_len)?)?;
        place.set(operator.handle(device, &message));
        Ok(())
    })
}

/// The devices, to look through: `index` counts from 0. Error: IOTKM_E_EMPTY where there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_device_at(
    op: *const iotkm_operator,
    index: usize,
    renewal: *mut iotkm_renewal,
) -> c_int {
    with(op, &mut |operator| {
        let place = Out::new(renewal)?;
        let known = operator.entries().iter().filter(|entry| **entry != Entry::FREE).nth(index);
        place.set(iotkm_renewal::of(known.ok_or(IOTKM_E_EMPTY)?));
        Ok(())
    })
}

/// Wipes an operator from memory, and what it was lent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_operator_wipe(op: *mut iotkm_operator) -> c_int {
    raw::plainly(|| Object::wipe(op.cast(), Magic::OPERATOR, size_of::<iotkm_operator>()))
}
