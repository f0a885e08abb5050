//! What the device knows about one peer.

use super::of::{BLOB_MAX, of};
use super::suite::iotkm_noninteractive_suite;
use crate::association::logged;
use crate::credentials::subject;
use crate::object::Magic;
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::tickets::name;
use crate::tickets::ticket::IOTKM_NAME_TEXT;
use core::ffi::{c_char, c_int};
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::phase1::Subject;

/// The longest blob of a stored peer in bytes: what its slot must hold.
pub const IOTKM_NONINTERACTIVE_PEER_BLOB_MAX: usize = 568;
const _: () = assert!(IOTKM_NONINTERACTIVE_PEER_BLOB_MAX == BLOB_MAX);

/// What this device knows about one peer: its name and credential, and how far the progression with it has come. It is stored
/// in a slot, and lent to one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_peer {
    opaque: [u64; 82],
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

/// Sets a peer up with whom there was no handshake yet, and which its association stores in `slot`. `me`, `them`: both names, as
/// their credentials have them; `them` may be NULL: whoever comes first, and from then on it is that device's. `psk`: 32 bytes
/// of key material from elsewhere (another scheme's iotkm_exporter()) that go into every handshake; NULL: none; both sides must
/// do the same. Error: IOTKM_E_BAD_ARGUMENT for a name that no credential can have, and where both are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_init(
    peer: *mut iotkm_noninteractive_peer,
    suite: *const iotkm_noninteractive_suite,
    slot: u16,
    me: *const c_char,
    them: *const c_char,
    psk: *const u8,
) -> c_int {
    raw::plainly(|| {
        let them = if them.is_null() { None } else { Some(subject(them)?) };
        iotkm_noninteractive_suite::get(suite)?.of.init(peer, slot, subject(me)?, them, key(psk)?)
    })
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
    let restored = raw::inside(|| {
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        iotkm_noninteractive_suite::get(suite)?.of.restore(peer, &device(cx)?, slot, (floor, blob, work))
    });
    logged(cx, text!("iotkm_noninteractive_peer_restore"), restored)
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
    let loaded = raw::inside(|| {
        let (blob, work) = raw::bytes_mut(work, work_len)?.split_at_mut(work_len / 2);
        let blob = match iotkm_platform::of(cx)?.read(slot, blob) {
            Ok(blob) => blob,
            Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
            Err(_) => return Err(IOTKM_E_HOOK.into()),
        };
        iotkm_noninteractive_suite::get(suite)?.of.restore(peer, &device(cx)?, slot, (0, blob, work))
    });
    logged(cx, text!("iotkm_noninteractive_peer_load"), loaded)
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
    let sealed = raw::inside(|| {
        of(peer)?.change(peer, &mut |peer| {
            let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
            let (len, version) = peer.seal(&device(cx)?, out)?;
            out_len.set(len);
            place.set(version);
            Ok(())
        })
    });
    logged(cx, text!("iotkm_noninteractive_peer_seal"), sealed)
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
    let stored = raw::inside(|| {
        of(peer)?.change(peer, &mut |peer| {
            let work = raw::bytes_mut(work, work_len)?;
            let (len, _) = peer.seal(&device(cx)?, work)?;
            let blob = work.get(..len).ok_or(IOTKM_E_INTERNAL)?;
            if iotkm_platform::of(cx)?.write(peer.slot().0, blob) == 0 { Ok(()) } else { Err(IOTKM_E_HOOK.into()) }
        })
    });
    logged(cx, text!("iotkm_noninteractive_peer_store"), stored)
}

/// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_name(
    peer: *const iotkm_noninteractive_peer,
    text: *mut c_char,
) -> c_int {
    raw::plainly(|| {
        of(peer)?.look(peer.cast_mut(), &mut |peer| {
            let place = Out::new(text.cast::<[c_char; IOTKM_NAME_TEXT]>())?;
            let known = peer.id().map_or(&[][..], Subject::as_bytes);
            place.set(name(core::str::from_utf8(known).unwrap_or_default()));
            Ok(())
        })
    })
}

/// The slot that the peer is stored in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_slot(
    peer: *const iotkm_noninteractive_peer,
    slot: *mut u16,
) -> c_int {
    raw::plainly(|| {
        of(peer)?.look(peer.cast_mut(), &mut |peer| {
            Out::new(slot)?.set(peer.slot().0);
            Ok(())
        })
    })
}

/// The epoch that is stored, from which iotkm_noninteractive_go_on() would go on. Error: IOTKM_E_NOT_ESTABLISHED without one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_epoch(
    peer: *const iotkm_noninteractive_peer,
    epoch: *mut u32,
) -> c_int {
    raw::plainly(|| {
        of(peer)?.look(peer.cast_mut(), &mut |peer| {
            let place = Out::new(epoch)?;
            place.set(peer.epoch().ok_or(IOTKM_E_NOT_ESTABLISHED)?.saturating_sub(1));
            Ok(())
        })
    })
}

/// Writes the peer's credential, for iotkm_credential_read(): IOTKM_CREDENTIAL_MAX bytes will do.
/// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_credential(
    peer: *const iotkm_noninteractive_peer,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        of(peer)?.look(peer.cast_mut(), &mut |peer| {
            let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
            let kept = peer.kept();
            if kept.is_empty() {
                return Err(IOTKM_E_NO_CREDENTIAL.into());
            }
            out.get_mut(..kept.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(kept);
            out_len.set(kept.len());
            Ok(())
        })
    })
}

/// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_peer_wipe(peer: *mut iotkm_noninteractive_peer) -> c_int {
    returned(raw::inside(|| of(peer)?.wipe(peer)))
}
