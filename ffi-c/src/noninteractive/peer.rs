//! What the device knows about one peer.

use super::of::{BLOB_MAX, BLOB_MAX_FFC, at};
use super::suite::iotkm_noninteractive_suite;
use crate::association::logged;
use crate::credentials::subject;
use crate::object::Magic;
use crate::platform::{device, iotkm_cx, iotkm_platform};
use crate::raw;
use crate::status::{Outcome, text};
use core::ffi::{CStr, c_char, c_int};
use core_of_iotkm::crypto::Secret;

/// The longest blob of a stored peer in bytes: what its slot must hold.
pub const IOTKM_NONINTERACTIVE_PEER_BLOB_MAX: usize = 568;
/// The longest blob of a stored iotkm_noninteractive_peer_ffc in bytes.
pub const IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC: usize = 1558;
const _: () =
    assert!(IOTKM_NONINTERACTIVE_PEER_BLOB_MAX == BLOB_MAX && IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC == BLOB_MAX_FFC);

/// What this device knows about one peer: its name and credential, and how far the progression with it has come. It is stored
/// in a slot, and lent to one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_peer {
    opaque: [u64; 82],
}

/// A peer with a credential of an FFC group: longer than an iotkm_noninteractive_peer, which it begins with.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_peer_ffc {
    /// For all functions here but those that end in _ffc.
    pub peer: iotkm_noninteractive_peer,
    opaque: [u64; 122],
}

pub(super) const MAGIC: Magic = Magic::NONINTERACTIVE_PEER;

unsafe fn key(psk: *const u8) -> Outcome<Option<Secret<32>>> {
    if psk.is_null() { Ok(None) } else { Ok(Some(Secret::new(*raw::read::<[u8; 32]>(psk.cast())?))) }
}

/// sizeof(iotkm_noninteractive_peer) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_noninteractive_peer_size() -> usize {
    size_of::<iotkm_noninteractive_peer>()
}

/// sizeof(iotkm_noninteractive_peer_ffc) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_noninteractive_peer_ffc_size() -> usize {
    size_of::<iotkm_noninteractive_peer_ffc>()
}

unsafe fn init<P>(
    place: *mut P,
    suite: *const iotkm_noninteractive_suite,
    slot: u16,
    (me, them): (*const c_char, *const c_char),
    psk: *const u8,
) -> c_int {
    raw::plainly(|| {
        let them = if them.is_null() { None } else { Some(subject(them)?) };
        iotkm_noninteractive_suite::get(suite)?.of.init(raw::room(place)?, slot, (subject(me)?, them), key(psk)?)
    })
}

/// Sets a peer up with whom there was no handshake yet, and which its association stores in `slot`. `me`, `them`: both names, as
/// their credentials have them; `them` may be NULL: whoever comes first, and from then on it is that device's. `psk`: 32 bytes
/// of key material from elsewhere (another scheme's iotkm_exporter()) that go into every handshake; NULL: none; both sides must
/// do the same. Error: IOTKM_E_BAD_ARGUMENT for a name that no credential can have, where both are the same, and for an FFC suite.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_init(
    peer: *mut iotkm_noninteractive_peer,
    suite: *const iotkm_noninteractive_suite,
    slot: u16,
    me: *const c_char,
    them: *const c_char,
    psk: *const u8,
) -> c_int {
    init(peer, suite, slot, (me, them), psk)
}

/// iotkm_noninteractive_peer_init() with a suite of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_init_ffc(
    peer: *mut iotkm_noninteractive_peer_ffc,
    suite: *const iotkm_noninteractive_suite,
    slot: u16,
    me: *const c_char,
    them: *const c_char,
    psk: *const u8,
) -> c_int {
    init(peer, suite, slot, (me, them), psk)
}

unsafe fn restore<P>(
    (place, call): (*mut P, &CStr),
    (suite, cx): (*const iotkm_noninteractive_suite, *const iotkm_cx),
    (slot, floor): (u16, u32),
    (blob, blob_len): (*const u8, usize),
    (work, work_len): (*mut u8, usize),
) -> c_int {
    let restored = raw::inside(|| {
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        let of = iotkm_noninteractive_suite::get(suite)?.of;
        of.restore(raw::room(place)?, &device(cx)?, slot, (floor, blob, work))
    });
    logged(cx, call, restored)
}

/// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none; `work`
/// has as many bytes as the blob. Errors: IOTKM_E_BAD_BLOB, also of another group; IOTKM_E_BLOB_ROLLED_BACK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_restore(
    peer: *mut iotkm_noninteractive_peer,
    suite: *const iotkm_noninteractive_suite,
    cx: *const iotkm_cx,
    slot: u16,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let call = text!("iotkm_noninteractive_peer_restore");
    restore((peer, call), (suite, cx), (slot, floor), (blob, blob_len), (work, work_len))
}

/// iotkm_noninteractive_peer_restore() with a suite of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_restore_ffc(
    peer: *mut iotkm_noninteractive_peer_ffc,
    suite: *const iotkm_noninteractive_suite,
    cx: *const iotkm_cx,
    slot: u16,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let call = text!("iotkm_noninteractive_peer_restore_ffc");
    restore((peer, call), (suite, cx), (slot, floor), (blob, blob_len), (work, work_len))
}

unsafe fn load<P>(
    (place, call): (*mut P, &CStr),
    (suite, cx): (*const iotkm_noninteractive_suite, *const iotkm_cx),
    slot: u16,
    (work, work_len): (*mut u8, usize),
) -> c_int {
    let loaded = raw::inside(|| {
        let (blob, work) = iotkm_platform::stored(cx, slot, raw::bytes_mut(work, work_len)?)?;
        let of = iotkm_noninteractive_suite::get(suite)?.of;
        of.restore(raw::room(place)?, &device(cx)?, slot, (0, blob, work))
    });
    logged(cx, call, loaded)
}

/// iotkm_noninteractive_peer_restore() with what the platform's `store_read` finds in the slot; `work` has 2 x
/// IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes. Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_load(
    peer: *mut iotkm_noninteractive_peer,
    suite: *const iotkm_noninteractive_suite,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    load((peer, text!("iotkm_noninteractive_peer_load")), (suite, cx), slot, (work, work_len))
}

/// iotkm_noninteractive_peer_load() with a suite of any group; `work` has 2 x IOTKM_NONINTERACTIVE_PEER_BLOB_MAX_FFC bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_load_ffc(
    peer: *mut iotkm_noninteractive_peer_ffc,
    suite: *const iotkm_noninteractive_suite,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    load((peer, text!("iotkm_noninteractive_peer_load_ffc")), (suite, cx), slot, (work, work_len))
}

/// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this by
/// itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just set up. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
/// IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_seal(
    peer: *mut iotkm_noninteractive_peer,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    at(peer).seal(cx, (out, out_capacity, out_len), version, text!("iotkm_noninteractive_peer_seal"))
}

/// iotkm_noninteractive_peer_seal() into `work` (IOTKM_NONINTERACTIVE_PEER_BLOB_MAX bytes will do), and the platform's
/// `store_write` to the peer's slot. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds
/// the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_store(
    peer: *mut iotkm_noninteractive_peer,
    cx: *const iotkm_cx,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    at(peer).store(cx, (work, work_len), text!("iotkm_noninteractive_peer_store"))
}

/// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_name(
    peer: *const iotkm_noninteractive_peer,
    text: *mut c_char,
) -> c_int {
    at(peer).name(text)
}

/// The slot that the peer is stored in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_slot(
    peer: *const iotkm_noninteractive_peer,
    slot: *mut u16,
) -> c_int {
    at(peer).slot(slot)
}

/// The epoch that is stored, from which iotkm_noninteractive_go_on() would go on. Error: IOTKM_E_NOT_ESTABLISHED without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_epoch(
    peer: *const iotkm_noninteractive_peer,
    epoch: *mut u32,
) -> c_int {
    at(peer).reached(epoch)
}

/// Writes the peer's credential, for iotkm_credential_read(): IOTKM_CREDENTIAL_MAX bytes will do
/// (IOTKM_CREDENTIAL_MAX_FFC where it is of an FFC group).
/// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_credential(
    peer: *const iotkm_noninteractive_peer,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    at(peer).kept((out, out_capacity, out_len))
}

/// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_wipe(peer: *mut iotkm_noninteractive_peer) -> c_int {
    at(peer).wipe()
}
