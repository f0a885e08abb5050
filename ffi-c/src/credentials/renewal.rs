//! A holder's next credential, over an association with the operator.

use super::holder::{Holder, at, iotkm_holder, look};
use super::issue::{IOTKM_CREDENTIAL_REQUEST_MAX, IOTKM_CREDENTIAL_REQUEST_MAX_FFC, iotkm_credential};
use crate::platform::{iotkm_cx, with_cx};
use crate::raw::{self, Out};
use crate::static_key::{Place, iotkm_static_key, iotkm_static_key_ffc};
use crate::status::{Outcome, iotkm_status::*, text as nul};
use crate::tickets::wallet::write;
use core::ffi::{CStr, c_int};
use core_of_iotkm::UnixTime;
use core_of_iotkm::cose::Message;
use core_of_iotkm::noninteractive::Setting;
use core_of_iotkm::noninteractive::renewal::Told;

/// From when on to ask for the next credential, in seconds since 1970: `lead_s` seconds before this one ends, but not in the first
/// half of its life, when the one before it may still be in use. 0: there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_due_at(holder: *const iotkm_holder, lead_s: u64, due_at_s: *mut u64) -> c_int {
    look(holder, &mut |holder| {
        Out::new(due_at_s)?.set(holder.due_at(lead_s));
        Ok(())
    })
}

/// Begins to ask for the next credential, unless an answer is awaited already: iotkm_holder_store(), then send what
/// iotkm_holder_request() writes. Error: IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_ask(holder: *mut iotkm_holder, cx: *const iotkm_cx) -> c_int {
    at(holder, cx, nul!("iotkm_holder_ask"), &mut |holder, _| {
        with_cx(cx, None, &mut |cx| Ok(holder.ask(&mut *cx.rng)?))
    })
}

/// 1 if an answer is awaited, 0 if not, or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_is_asking(holder: *const iotkm_holder) -> c_int {
    let mut is_asking = false;
    match look(holder, &mut |holder| {
        is_asking = holder.is_asking();
        Ok(())
    }) {
        0 => c_int::from(is_asking),
        status => status,
    }
}

/// Writes the message for the operator, the same each time: send it whenever an association with the operator comes up, and after
/// a while without an answer. Errors: IOTKM_E_WRONG_STATE where nothing is asked, or that is not stored;
/// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_CREDENTIAL_REQUEST_MAX and IOTKM_TICKET_MESSAGE_OVERHEAD bytes will do, ..._MAX_FFC for those
/// groups).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_request(
    holder: *const iotkm_holder,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    /// Writes a message of at most `N` bytes.
    #[inline(never)]
    unsafe fn of<const N: usize>(holder: &Holder, out: *mut u8, out_capacity: usize, out_len: *mut usize) -> Outcome {
        let mut request = [0; N];
        let len = holder.request(&mut request)?;
        write(&Message::CredentialRequest(request.get(..len).unwrap_or_default()), out, out_capacity, out_len)
    }
    look(holder, &mut |holder| match holder.operator().setting.group.share_len() {
        32 => of::<IOTKM_CREDENTIAL_REQUEST_MAX>(holder, out, out_capacity, out_len),
        _ => of::<IOTKM_CREDENTIAL_REQUEST_MAX_FFC>(holder, out, out_capacity, out_len),
    })
}

/// What a message from the operator asks of a device with a holder.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_told {
    /// Nothing: it is another one's.
    IOTKM_TOLD_NOTHING = 0,
    /// To iotkm_holder_ask().
    IOTKM_TOLD_ASK = 1,
    /// To iotkm_holder_store() what needs it, then to send what iotkm_holder_acknowledgement() writes.
    IOTKM_TOLD_ACKNOWLEDGE = 2,
    /// To store the key that was set up (iotkm_static_key_store()) beside the one in use and let the platform's hooks find it; then
    /// to iotkm_holder_install() the credential, and on as for IOTKM_TOLD_ACKNOWLEDGE. Nothing has changed yet.
    IOTKM_TOLD_NEXT = 3,
}
use iotkm_told::*;

/// A message from the operator, the payload of an association's record: a revocation list is taken in; of all else `told` says what
/// is to be done. With IOTKM_TOLD_NEXT, `key` is set up, the next credential's private key of this number, which is not the
/// number of the one in use, as its memory is not; and `credential`, which points into `message`. What came before is to be
/// acknowledged again.
/// Errors: IOTKM_E_REFUSED_..., to be answered with iotkm_wallet_refusal(); IOTKM_E_REFUSED_SIGNATURE also for an answer to no
/// request that is out. IOTKM_E_FULL for a list that is longer than the memory for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_handle(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    message: *const u8,
    message_len: usize,
    number: u16,
    key: *mut iotkm_static_key,
    credential: *mut iotkm_credential,
    told: *mut iotkm_told,
) -> c_int {
    let call = (holder, cx, nul!("iotkm_holder_handle"));
    handle(call, (message, message_len), &(Place::curve(key), number), credential, told)
}

/// iotkm_holder_handle() with a suite of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_handle_ffc(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    message: *const u8,
    message_len: usize,
    number: u16,
    key: *mut iotkm_static_key_ffc,
    credential: *mut iotkm_credential,
    told: *mut iotkm_told,
) -> c_int {
    let call = (holder, cx, nul!("iotkm_holder_handle_ffc"));
    handle(call, (message, message_len), &(Place::any(key), number), credential, told)
}

unsafe fn handle(
    (holder, cx, call): (*mut iotkm_holder, *const iotkm_cx, &CStr),
    (message, message_len): (*const u8, usize),
    key: &(Place, u16),
    credential: *mut iotkm_credential,
    told: *mut iotkm_told,
) -> c_int {
    at(holder, cx, call, &mut |holder, wall| {
        let (place, told) = (Out::new(credential)?, Out::new(told)?);
        let message = Message::read(raw::bytes(message, message_len)?)?;
        let setting = holder.operator().setting;
        told.set(takes(holder, wall, &message, setting, key, place)?);
        Ok(())
    })
}

/// Takes a message in; the key and the credential that it gives are set up then.
unsafe fn takes(
    holder: &mut Holder,
    wall: Option<UnixTime>,
    message: &Message<'_>,
    setting: &'static Setting,
    (key, number): &(Place, u16),
    place: Out<iotkm_credential>,
) -> Outcome<iotkm_told> {
    Ok(match holder.handle(message, wall)? {
        Told::Nothing => IOTKM_TOLD_NOTHING,
        Told::Ask => IOTKM_TOLD_ASK,
        Told::Acknowledge => IOTKM_TOLD_ACKNOWLEDGE,
        Told::Next(next, x) => {
            let Message::CredentialAnswer(answer) = message else { return Err(IOTKM_E_INTERNAL.into()) };
            let shown = iotkm_credential::of(answer.get(..next.len()).unwrap_or_default(), setting)?;
            key.grow(*number, setting, &x)?;
            place.set(shown);
            IOTKM_TOLD_NEXT
        }
    })
}

/// Writes what to tell the operator: what is here, and stored. Errors: IOTKM_E_WRONG_STATE while something is not stored, or without
/// a credential; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_WALLET_ANSWER_MAX bytes will do).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_acknowledgement(
    holder: *const iotkm_holder,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    look(holder, &mut |holder| write(&holder.acknowledgement().ok_or(IOTKM_E_WRONG_STATE)?, out, out_capacity, out_len))
}
