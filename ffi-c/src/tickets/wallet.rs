//! A device's wallet, in the caller's memory.

use super::agent::{iotkm_agent, text};
use super::ticket::{IOTKM_TICKET_MAX_FFC, iotkm_ticket};
use super::{news, wall};
use crate::association::logged;
use crate::lent::{LentBytes, LentShared, Shared};
use crate::object::{Magic, fits};
use crate::platform::{device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text as nul};
use core::ffi::{c_char, c_int};
use core_of_iotkm::cose::ticket::seconds;
use core_of_iotkm::cose::wallet::BLOB_OVERHEAD;
use core_of_iotkm::cose::{Message, WalletIn};
use core_of_iotkm::{UnixTime, cose};

/// Bytes of a wallet's blob besides its memory: its slot must hold both.
pub const IOTKM_WALLET_BLOB_OVERHEAD: usize = 41;
const _: () = assert!(IOTKM_WALLET_BLOB_OVERHEAD == BLOB_OVERHEAD);

/// What a device holds of tickets: two of its own (one takes the other's place), the newest revocation list, and how late it is
/// at least. It lies where you put it and may not be moved; associations are lent it, several at once if need be.
///
/// Whatever changes it is stored before it is acknowledged: while iotkm_wallet_needs_store() says 1, iotkm_wallet_store().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_wallet {
    opaque: [u64; 36],
}

pub(crate) type Wallet = WalletIn<'static, LentBytes, LentBytes>;
type Object = Shared<Wallet>;
fits!(Object, iotkm_wallet);

/// Calls `f` with the wallet's object, if it is set up and not in use.
unsafe fn with(wallet: *const iotkm_wallet, f: &mut dyn FnMut(&mut Object) -> Outcome) -> Outcome {
    Object::with(wallet.cast(), Magic::WALLET, f)
}

/// A wallet as an association has it.
pub(crate) type LentWallet = LentShared<Wallet>;

/// Takes a wallet that is set up.
pub(crate) unsafe fn take(wallet: *mut iotkm_wallet) -> Outcome<LentWallet> {
    LentShared::take(wallet.cast(), Magic::WALLET)
}

/// Calls `f` with the wallet and the wall clock.
unsafe fn at(
    wallet: *const iotkm_wallet,
    cx: *const iotkm_cx,
    call: &core::ffi::CStr,
    f: &mut dyn FnMut(&mut Wallet, Option<UnixTime>) -> Outcome,
) -> c_int {
    let outcome = with(wallet, &mut |object| {
        let milliseconds = raw::read::<iotkm_cx>(cx)?.wall_ms;
        f(&mut object.value, wall(seconds(UnixTime(milliseconds))))
    });
    logged(cx, call, outcome)
}

unsafe fn look(wallet: *const iotkm_wallet, f: &mut dyn FnMut(&Wallet) -> Outcome) -> c_int {
    returned(with(wallet, &mut |object| f(&object.value)))
}

/// Sets an empty wallet up, of the device named `me`, which goes by `agent`. `memory` has 2 x `ticket_max` + `list_max` bytes:
/// IOTKM_TICKET_MAX (for FFC keys IOTKM_TICKET_MAX_FFC) for each of two tickets, IOTKM_REVOCATION_LIST_OVERHEAD and four for
/// each serial for the list. The memory, both names and the agent's key are lent until iotkm_wallet_wipe().
/// Error: IOTKM_E_BAD_ARGUMENT for names that no ticket can have, a key that is none, or `ticket_max` too large.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_init(
    wallet: *mut iotkm_wallet,
    agent: *const iotkm_agent,
    me: *const c_char,
    memory: *mut u8,
    ticket_max: usize,
    list_max: usize,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(wallet.cast::<Object>())?;
        let (agent, me) = (iotkm_agent::get(agent)?, text(me)?);
        if ticket_max > IOTKM_TICKET_MAX_FFC || list_max > isize::MAX as usize / 2 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let both = ticket_max.saturating_mul(2);
        let memory = raw::bytes_mut(memory, both.saturating_add(list_max))?;
        memory.fill(0);
        let (tickets, list) = memory.split_at_mut(both);
        let (newest, older) = tickets.split_at_mut(ticket_max);
        let [newest, older, list] = [newest, older, list].map(LentBytes::new);
        let wallet = Wallet::within(agent, me, [newest, older], list)?;
        place.set(Object::new(Magic::WALLET, wallet));
        Ok(())
    })
}

/// Takes in what is stored, where the wallet is empty; it is empty still after an error. Every signature is verified again.
/// `floor` is the value of the slot's monotonic counter, 0 where there is none; `work` has as many bytes as the blob.
/// Errors: IOTKM_E_BAD_BLOB, also of another device or agent; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_WRONG_STATE where something is
/// here already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_restore(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_restore"), &mut |wallet, _| {
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        Ok(wallet.open(&device(cx)?, floor, blob, work)?)
    })
}

/// iotkm_wallet_restore() with what the platform's `store_read` finds in the slot. `work` has room for two blobs: 2 x
/// (IOTKM_WALLET_BLOB_OVERHEAD + 2 x `ticket_max` + `list_max`) bytes.
/// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_load(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_load"), &mut |wallet, _| {
        let (blob, work) = iotkm_platform::stored(cx, slot, raw::bytes_mut(work, work_len)?)?;
        Ok(wallet.open(&device(cx)?, 0, blob, work)?)
    })
}

/// Seals the wallet into `out`, with the number of this write in `version` for a monotonic counter; once it is stored, call
/// iotkm_wallet_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_seal(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_seal"), &mut |wallet, _| {
        let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
        let (len, version) = wallet.seal(&device(cx)?, out)?;
        out_len.set(len);
        place.set(version);
        Ok(())
    })
}

/// What iotkm_wallet_seal() gave last is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_persisted(wallet: *mut iotkm_wallet) -> c_int {
    returned(with(wallet, &mut |object| {
        object.value.persisted();
        Ok(())
    }))
}

/// iotkm_wallet_seal() into `work`, the platform's `store_write` to this slot, iotkm_wallet_persisted(). `work` has room for a blob:
/// IOTKM_WALLET_BLOB_OVERHEAD and the wallet's memory. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_store(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_store"), &mut |wallet, _| {
        let work = raw::bytes_mut(work, work_len)?;
        let (len, _) = wallet.seal(&device(cx)?, work)?;
        if iotkm_platform::of(cx)?.write(slot, work.get(..len).ok_or(IOTKM_E_INTERNAL)?) != 0 {
            return Err(IOTKM_E_HOOK.into());
        }
        wallet.persisted();
        Ok(())
    })
}

/// 1 if there is something to store (a ticket, a list, a floor that rose by an hour or more), 0 if not, or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_needs_store(wallet: *const iotkm_wallet) -> c_int {
    let mut answer = 0;
    let asked = with(wallet, &mut |object| {
        answer = c_int::from(object.value.needs_store());
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// Takes one of this device's tickets in; `is_new` (may be NULL): whether it was not there yet. The oldest of three goes. Errors:
/// IOTKM_E_REFUSED_..., IOTKM_E_FULL for one that is longer than `ticket_max`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_install(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    ticket: *const u8,
    ticket_len: usize,
    is_new: *mut bool,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_install"), &mut |wallet, wall| {
        news(is_new, wallet.install(raw::bytes(ticket, ticket_len)?, wall)?)
    })
}

/// Takes a revocation list in; `is_new` as above. Errors: IOTKM_E_REFUSED_... (IOTKM_E_REFUSED_OLDER for a lower number than
/// the one here has), IOTKM_E_FULL for one that is longer than `list_max`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_revoke(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    list: *const u8,
    list_len: usize,
    is_new: *mut bool,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_revoke"), &mut |wallet, _| {
        news(is_new, wallet.revoke(raw::bytes(list, list_len)?)?)
    })
}

/// Takes a message from the operator in, a ticket or a list as the payload of an association's record; `due`: whether an
/// acknowledgement is due, by iotkm_wallet_acknowledgement() once nothing needs to be stored.
/// Errors: IOTKM_E_REFUSED_..., to be answered with iotkm_wallet_refusal(); IOTKM_E_FULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_handle(
    wallet: *mut iotkm_wallet,
    cx: *const iotkm_cx,
    message: *const u8,
    message_len: usize,
    due: *mut bool,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_handle"), &mut |wallet, wall| {
        let place = Out::new(due)?;
        let message = Message::read(raw::bytes(message, message_len)?)?;
        place.set(wallet.handle(&message, wall)?);
        Ok(())
    })
}

pub(crate) unsafe fn write(message: &Message<'_>, out: *mut u8, out_capacity: usize, out_len: *mut usize) -> Outcome {
    let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
    out_len.set(message.write(out).map_err(|_| IOTKM_E_BUFFER_TOO_SMALL)?);
    Ok(())
}

/// The longest acknowledgement or refusal in bytes.
pub const IOTKM_WALLET_ANSWER_MAX: usize = 16;

/// Writes what to tell the operator: what is here, and stored. Errors: IOTKM_E_WRONG_STATE while the newest is not stored,
/// or without a ticket; IOTKM_E_BUFFER_TOO_SMALL (IOTKM_WALLET_ANSWER_MAX bytes will do).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_acknowledgement(
    wallet: *const iotkm_wallet,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    look(wallet, &mut |wallet| write(&wallet.acknowledgement().ok_or(IOTKM_E_WRONG_STATE)?, out, out_capacity, out_len))
}

/// Writes what to tell the operator when iotkm_wallet_handle(), or iotkm_holder_handle(), returned `status`. Errors: as above.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_refusal(
    status: c_int,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| write(&Message::Refused(status.into()), out, out_capacity, out_len))
}

unsafe fn show(place: *mut iotkm_ticket, ticket: Option<cose::Ticket<'_>>) -> Outcome {
    let place = Out::new(place)?;
    place.set(iotkm_ticket::of(&ticket.ok_or(IOTKM_E_NO_CREDENTIAL)?));
    Ok(())
}

/// This device's ticket to show now: the one that ends later, where it has begun. It lies in the wallet's memory.
/// Error: IOTKM_E_NO_CREDENTIAL where none is valid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_ticket(
    wallet: *const iotkm_wallet,
    cx: *const iotkm_cx,
    ticket: *mut iotkm_ticket,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_ticket"), &mut |wallet, wall| show(ticket, wallet.ticket(wall)))
}

/// This device's tickets, valid or not, the one that ends later first: `index` is 0 or 1.
/// Error: IOTKM_E_NO_CREDENTIAL where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_ticket_at(
    wallet: *const iotkm_wallet,
    index: usize,
    ticket: *mut iotkm_ticket,
) -> c_int {
    look(wallet, &mut |wallet| show(ticket, wallet.tickets().nth(index)))
}

/// Checks a peer's ticket: agent, signature, end, revocation; `ticket` points into `bytes`. A ticket alone does not say who
/// shows it. Error: IOTKM_E_REFUSED_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_check(
    wallet: *const iotkm_wallet,
    cx: *const iotkm_cx,
    bytes: *const u8,
    len: usize,
    ticket: *mut iotkm_ticket,
) -> c_int {
    at(wallet, cx, nul!("iotkm_wallet_check"), &mut |wallet, wall| {
        show(ticket, Some(wallet.check(raw::bytes(bytes, len)?, wall)?))
    })
}

/// The owner of a ticket that iotkm_wallet_check() took has shown to be it, by more than the ticket: it is at least as late as the
/// agent issued that (iotkm_wallet_floor()). Associations say so by themselves. Error: IOTKM_E_REFUSED_... where `ticket` is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_saw(wallet: *mut iotkm_wallet, ticket: *const iotkm_ticket) -> c_int {
    returned(with(wallet, &mut |object| {
        let ticket: &iotkm_ticket = raw::read(ticket)?;
        object.value.saw(&cose::Ticket::peek(raw::bytes(ticket.bytes, ticket.len)?)?);
        Ok(())
    }))
}

/// The newest time of issue of anything that the agent signed, in seconds since 1970: it is at least that late.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_floor(wallet: *const iotkm_wallet, floor_s: *mut u64) -> c_int {
    look(wallet, &mut |wallet| {
        Out::new(floor_s)?.set(wallet.floor());
        Ok(())
    })
}

/// The number of the revocation list; 0: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_list_number(wallet: *const iotkm_wallet, number: *mut u32) -> c_int {
    look(wallet, &mut |wallet| {
        Out::new(number)?.set(wallet.list_number());
        Ok(())
    })
}

/// Wipes a wallet from memory, what it was lent with it; its slot stays as it is. Error: IOTKM_E_BUSY while an association
/// holds it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wallet_wipe(wallet: *mut iotkm_wallet) -> c_int {
    raw::plainly(|| Object::wipe(wallet.cast(), Magic::WALLET, size_of::<iotkm_wallet>()))
}
