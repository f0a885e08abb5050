//! What a device with a credential holds, in the caller's memory.

use super::issue::iotkm_credential;
use crate::association::logged;
use crate::lent::{LentBytes, LentShared, Shared};
use crate::noninteractive::suite::iotkm_noninteractive_suite;
use crate::object::{Magic, fits};
use crate::platform::{device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::static_key::{Place, growing, iotkm_static_key, iotkm_static_key_ffc};
use crate::status::{Outcome, iotkm_status::*, returned, text as nul};
use crate::tickets::agent::{iotkm_agent, text};
use crate::tickets::{news, wall};
use core::ffi::{CStr, c_char, c_int};
use core_of_iotkm::UnixTime;
use core_of_iotkm::cose::ticket::seconds;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::noninteractive::holder::{BLOB_OVERHEAD, holder_len};
use core_of_iotkm::noninteractive::{Credential, HolderIn, Operator, Setting, issue};

/// Bytes of a holder's memory besides its revocation list.
pub const IOTKM_HOLDER_MEMORY: usize = 107;
/// Bytes of a holder's blob besides its memory: its slot must hold both.
pub const IOTKM_HOLDER_BLOB_OVERHEAD: usize = 65;
/// IOTKM_HOLDER_MEMORY for credentials of any group.
pub const IOTKM_HOLDER_MEMORY_FFC: usize = 811;
const _: () = assert!(
    IOTKM_HOLDER_MEMORY == holder_len(32)
        && IOTKM_HOLDER_MEMORY_FFC == holder_len(384)
        && IOTKM_HOLDER_BLOB_OVERHEAD == BLOB_OVERHEAD
);

/// Whose credentials a device goes by. What it points to lies elsewhere, for as long as it is used.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_credential_operator {
    /// The suite of its credentials.
    pub suite: *const iotkm_noninteractive_suite,
    /// Its name, and the key that signs its revocation lists: another one than `key`.
    pub agent: *const iotkm_agent,
    /// The public key of iotkm_operator_key_public().
    pub key: *const u8,
    /// Length of `key` in bytes: 32; of the FFC groups 256 and 384.
    pub key_len: usize,
}

/// What a device holds: its own credential, its operator's newest revocation list, and how late it is at least. It lies where
/// you put it and may not be moved; associations are lent it, several at once if need be.
///
/// Whatever changes it is stored before it counts: while iotkm_holder_needs_store() says 1, iotkm_holder_store(). A new
/// credential has a new private key: store that first; associations that there are go on under the old one until they end.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_holder {
    opaque: [u64; 41],
}

pub(super) type Holder = HolderIn<'static, LentBytes, LentBytes>;
type Object = Shared<Holder>;
fits!(Object, iotkm_holder);

/// A holder as an association has it.
pub(crate) type LentHolder = LentShared<Holder>;

/// Takes a holder that is set up; and its operator's suite.
pub(crate) unsafe fn take(holder: *mut iotkm_holder) -> Outcome<(LentHolder, &'static Setting)> {
    let mut setting = None;
    with(holder, &mut |object| {
        setting = Some(object.value.operator().setting);
        Ok(())
    })?;
    Ok((LentShared::take(holder.cast(), Magic::HOLDER)?, setting.ok_or(IOTKM_E_INTERNAL)?))
}

unsafe fn with(holder: *const iotkm_holder, f: &mut dyn FnMut(&mut Object) -> Outcome) -> Outcome {
    Object::with(holder.cast(), Magic::HOLDER, f)
}

/// Calls `f` with the holder and the wall clock.
pub(super) unsafe fn at(
    holder: *const iotkm_holder,
    cx: *const iotkm_cx,
    call: &CStr,
    f: &mut dyn FnMut(&mut Holder, Option<UnixTime>) -> Outcome,
) -> c_int {
    let outcome = with(holder, &mut |object| {
        let milliseconds = raw::read::<iotkm_cx>(cx)?.wall_ms;
        f(&mut object.value, wall(seconds(UnixTime(milliseconds))))
    });
    logged(cx, call, outcome)
}

pub(super) unsafe fn look(holder: *const iotkm_holder, f: &mut dyn FnMut(&Holder) -> Outcome) -> c_int {
    returned(with(holder, &mut |object| f(&object.value)))
}

/// Sets an empty holder up, of the device named `me`, which goes by `operator`. `memory` has IOTKM_HOLDER_MEMORY
/// bytes (IOTKM_HOLDER_MEMORY_FFC for an FFC suite), and for a
/// revocation list IOTKM_REVOCATION_LIST_OVERHEAD and four for each serial. The memory, `me`, and what the operator points to are
/// lent until iotkm_holder_wipe().
/// Error: IOTKM_E_BAD_ARGUMENT for names that no credential can have, keys that are none, or too little memory.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_init(
    holder: *mut iotkm_holder,
    operator: *const iotkm_credential_operator,
    me: *const c_char,
    memory: *mut u8,
    memory_len: usize,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(holder.cast::<Object>())?;
        let operator: &iotkm_credential_operator = raw::read(operator)?;
        let (agent, me) = (iotkm_agent::get(operator.agent)?, text(me)?);
        let setting = iotkm_noninteractive_suite::get(operator.suite)?.setting;
        let key = raw::bytes(operator.key, operator.key_len)?;
        let memory = raw::bytes_mut(memory, memory_len)?;
        memory.fill(0);
        let own = holder_len(setting.group.share_len());
        let (own, list) = memory.split_at_mut_checked(own).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        let operator = Operator { name: agent.name, setting, key, lists: agent.key };
        let holder = Holder::within(operator, me, LentBytes::new(own), LentBytes::new(list))?;
        place.set(Object::new(Magic::HOLDER, holder));
        Ok(())
    })
}

/// Takes in what is stored, where the holder is empty; it is empty still after an error. `floor` is the value of the slot's
/// monotonic counter, 0 where there is none; `work` has as many bytes as the blob.
/// Errors: IOTKM_E_BAD_BLOB, also of another device or operator; IOTKM_E_BLOB_ROLLED_BACK; IOTKM_E_WRONG_STATE where something
/// is here already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_restore(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_restore"), &mut |holder, _| {
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        Ok(holder.open(&device(cx)?, floor, blob, work)?)
    })
}

/// iotkm_holder_restore() with what the platform's `store_read` finds in the slot. `work` has room for two blobs: 2 x
/// (IOTKM_HOLDER_BLOB_OVERHEAD and the holder's memory). Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_load(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_load"), &mut |holder, _| {
        let (blob, work) = iotkm_platform::stored(cx, slot, raw::bytes_mut(work, work_len)?)?;
        Ok(holder.open(&device(cx)?, 0, blob, work)?)
    })
}

/// Seals the holder into `out`, with the number of this write in `version` for a monotonic counter; once it is stored, call
/// iotkm_holder_persisted(). Error: IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_seal(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_seal"), &mut |holder, _| {
        let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
        let (len, version) = holder.seal(&device(cx)?, out)?;
        out_len.set(len);
        place.set(version);
        Ok(())
    })
}

/// What iotkm_holder_seal() gave last is stored.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_persisted(holder: *mut iotkm_holder) -> c_int {
    returned(with(holder, &mut |object| {
        object.value.persisted();
        Ok(())
    }))
}

/// iotkm_holder_seal() into `work`, the platform's `store_write` to this slot, iotkm_holder_persisted(). `work` has room for a blob:
/// IOTKM_HOLDER_BLOB_OVERHEAD and the holder's memory. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_store(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_store"), &mut |holder, _| {
        let work = raw::bytes_mut(work, work_len)?;
        let (len, _) = holder.seal(&device(cx)?, work)?;
        if iotkm_platform::of(cx)?.write(slot, work.get(..len).ok_or(IOTKM_E_INTERNAL)?) != 0 {
            return Err(IOTKM_E_HOOK.into());
        }
        holder.persisted();
        Ok(())
    })
}

/// 1 if there is something to store (a credential, what was drawn to ask for one, a list, a floor that rose by an hour or more), 0
/// if not, or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_needs_store(holder: *const iotkm_holder) -> c_int {
    let mut answer = 0;
    let asked = with(holder, &mut |object| {
        answer = c_int::from(object.value.needs_store());
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// Checks the operator's answer to iotkm_credential_request(), whose `half` this is: sets `key` up, the credential's private key
/// of this number, and `credential`, which points into `answer`. Then store the key (iotkm_static_key_store()), let the
/// platform's hooks find it, iotkm_holder_install(), iotkm_holder_store(). `key` may be `half`'s memory only after that was wiped.
/// Errors: IOTKM_E_REFUSED_SIGNATURE where it is not this operator's answer to this request, another IOTKM_E_REFUSED_...;
/// IOTKM_E_BAD_ARGUMENT for a half of another kind.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_accept(
    holder: *const iotkm_holder,
    cx: *const iotkm_cx,
    half: *const iotkm_static_key,
    answer: *const u8,
    answer_len: usize,
    number: u16,
    key: *mut iotkm_static_key,
    credential: *mut iotkm_credential,
) -> c_int {
    let key = (Place::curve(key), number);
    accept((holder, cx, nul!("iotkm_holder_accept")), half, (answer, answer_len), &key, credential)
}

/// iotkm_holder_accept() with a suite of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_accept_ffc(
    holder: *const iotkm_holder,
    cx: *const iotkm_cx,
    half: *const iotkm_static_key_ffc,
    answer: *const u8,
    answer_len: usize,
    number: u16,
    key: *mut iotkm_static_key_ffc,
    credential: *mut iotkm_credential,
) -> c_int {
    let key = (Place::any(key), number);
    accept((holder, cx, nul!("iotkm_holder_accept_ffc")), half.cast(), (answer, answer_len), &key, credential)
}

/// Which call on what.
type Call<'a> = (*const iotkm_holder, *const iotkm_cx, &'a CStr);

unsafe fn accept(
    (holder, cx, call): Call<'_>,
    half: *const iotkm_static_key,
    (answer, answer_len): (*const u8, usize),
    (key, number): &(Place, u16),
    credential: *mut iotkm_credential,
) -> c_int {
    at(holder, cx, call, &mut |holder, wall| {
        let (mut place, answer) = (Some(Out::new(credential)?), raw::bytes(answer, answer_len)?);
        if key.is(half) {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        growing(half, &mut |half| {
            let (operator, me) = (holder.operator(), holder.device());
            let (taken, x) = issue::accept(operator, me, half.scalar(), answer, wall, holder.floor())?;
            let credential = place.take().ok_or(IOTKM_E_INTERNAL)?;
            let shown = iotkm_credential::of(answer.get(..taken.len()).unwrap_or_default(), operator.setting)?;
            key.grow(*number, operator.setting, &x)?;
            credential.set(shown);
            Ok(())
        })
    })
}

/// Checks what iotkm_credential_issue_printed_knowing_the_private_key() gave, or that a stored private key is the credential's:
/// sets `key` up from the private key `x`, 32 bytes. Then as after iotkm_holder_accept().
/// Errors: IOTKM_E_REFUSED_SIGNATURE where x is not this credential's, another IOTKM_E_REFUSED_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_accept_printed(
    holder: *const iotkm_holder,
    cx: *const iotkm_cx,
    credential: *const u8,
    credential_len: usize,
    x: *const u8,
    number: u16,
    key: *mut iotkm_static_key,
) -> c_int {
    let key = (Place::curve(key), number);
    accept_printed((holder, cx, nul!("iotkm_holder_accept_printed")), (credential, credential_len), x, &key)
}

/// iotkm_holder_accept_printed() with a suite of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_accept_printed_ffc(
    holder: *const iotkm_holder,
    cx: *const iotkm_cx,
    credential: *const u8,
    credential_len: usize,
    x: *const u8,
    number: u16,
    key: *mut iotkm_static_key_ffc,
) -> c_int {
    let key = (Place::any(key), number);
    accept_printed((holder, cx, nul!("iotkm_holder_accept_printed_ffc")), (credential, credential_len), x, &key)
}

unsafe fn accept_printed(
    (holder, cx, call): Call<'_>,
    (credential, credential_len): (*const u8, usize),
    x: *const u8,
    (key, number): &(Place, u16),
) -> c_int {
    at(holder, cx, call, &mut |holder, wall| {
        let operator = holder.operator();
        let credential = Credential::read(raw::bytes(credential, credential_len)?, operator.setting)?;
        let x = Secret::new(*raw::read::<[u8; 32]>(x.cast())?);
        issue::check(operator, holder.device(), &credential, &x, wall, holder.floor())?;
        key.grow(*number, operator.setting, &x)
    })
}

/// Takes this device's credential in, in place of the one before. That the device has its private key, iotkm_holder_accept()
/// has shown. Errors: IOTKM_E_REFUSED_..., IOTKM_E_REFUSED_OLDER for one that ends before the one here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_install(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    credential: *const u8,
    credential_len: usize,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_install"), &mut |holder, wall| {
        let setting = holder.operator().setting;
        Ok(holder.install(&Credential::read(raw::bytes(credential, credential_len)?, setting)?, wall)?)
    })
}

/// Takes a revocation list in; `is_new` (may be NULL): whether it was not there yet. Then iotkm_noninteractive_recheck().
/// Errors: IOTKM_E_REFUSED_... (IOTKM_E_REFUSED_OLDER for a number that is not above the one here), IOTKM_E_FULL for one that is
/// longer than the memory for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_revoke(
    holder: *mut iotkm_holder,
    cx: *const iotkm_cx,
    list: *const u8,
    list_len: usize,
    is_new: *mut bool,
) -> c_int {
    at(holder, cx, nul!("iotkm_holder_revoke"), &mut |holder, _| {
        news(is_new, holder.revoke(raw::bytes(list, list_len)?)?)
    })
}

/// This device's credential, valid or not. It lies in the holder's memory. Error: IOTKM_E_NO_CREDENTIAL where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_credential(
    holder: *const iotkm_holder,
    credential: *mut iotkm_credential,
) -> c_int {
    look(holder, &mut |holder| {
        let place = Out::new(credential)?;
        if holder.bytes().is_empty() {
            return Err(IOTKM_E_NO_CREDENTIAL.into());
        }
        place.set(iotkm_credential::of(holder.bytes(), holder.operator().setting)?);
        Ok(())
    })
}

/// The newest time of issue of anything that the operator issued, in seconds since 1970: it is at least that late.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_floor(holder: *const iotkm_holder, floor_s: *mut u64) -> c_int {
    look(holder, &mut |holder| {
        Out::new(floor_s)?.set(holder.floor());
        Ok(())
    })
}

/// The number of the revocation list; 0: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_list_number(holder: *const iotkm_holder, number: *mut u32) -> c_int {
    look(holder, &mut |holder| {
        Out::new(number)?.set(holder.list_number());
        Ok(())
    })
}

/// Wipes a holder from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_holder_wipe(holder: *mut iotkm_holder) -> c_int {
    raw::plainly(|| Object::wipe(holder.cast(), Magic::HOLDER, size_of::<iotkm_holder>()))
}
