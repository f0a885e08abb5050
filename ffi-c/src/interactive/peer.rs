//! What the device knows about one peer.

use crate::association::logged;
use crate::lent;
use crate::object::{self, Magic, fits};
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::tickets::agent::text as name_at;
use crate::tickets::name;
use crate::tickets::ticket::IOTKM_NAME_TEXT;
use core::ffi::{c_char, c_int};
use core_of_iotkm::Slot;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::interactive::{Peer, Subject};

/// The longest blob of a stored peer in bytes: what its slot must hold.
pub const IOTKM_INTERACTIVE_PEER_BLOB_MAX: usize = 711;
const _: () = assert!(IOTKM_INTERACTIVE_PEER_BLOB_MAX == Peer::<288>::BLOB_MAX);

/// What this device knows about one peer: its name and ticket, the pairwise master key and its successor. It is stored in a
/// slot, and lent to one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_peer {
    opaque: [u64; 104],
}

pub(super) type HeldPeer = lent::Held<Peer>;
fits!(HeldPeer, iotkm_interactive_peer);
pub(super) const MAGIC: Magic = Magic::INTERACTIVE_PEER;

unsafe fn subject(name: *const c_char) -> Outcome<Subject> {
    Ok(Subject::new(name_at(name)?).ok_or(IOTKM_E_BAD_ARGUMENT)?)
}

unsafe fn key(psk: *const u8) -> Outcome<Option<Secret<32>>> {
    if psk.is_null() { Ok(None) } else { Ok(Some(Secret::new(*raw::read::<[u8; 32]>(psk.cast())?))) }
}

/// sizeof(iotkm_interactive_peer) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_interactive_peer_size() -> usize {
    size_of::<iotkm_interactive_peer>()
}

/// Sets a peer up with whom there was no run yet, and which its association stores in `slot`. `me`, `them`: both names, as their
/// tickets have them. `psk`: 32 bytes of key material from elsewhere (another scheme's iotkm_exporter()) that go into every first
/// contact; NULL: none; both sides must do the same.
/// Error: IOTKM_E_BAD_ARGUMENT for a name that no ticket can have, and where both are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_init(
    peer: *mut iotkm_interactive_peer,
    slot: u16,
    me: *const c_char,
    them: *const c_char,
    psk: *const u8,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(peer.cast::<HeldPeer>())?;
        let made = Peer::new(Slot(slot), subject(me)?, subject(them)?, key(psk)?)?;
        place.set(HeldPeer::new(MAGIC, made));
        Ok(())
    })
}

/// Sets a peer up for whoever comes first with a ticket in whose scope this word stands (NULL: with any ticket of the agent); from
/// then on it is that device's. Otherwise as iotkm_interactive_peer_init().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_init_anyone(
    peer: *mut iotkm_interactive_peer,
    slot: u16,
    me: *const c_char,
    scope: *const c_char,
    psk: *const u8,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(peer.cast::<HeldPeer>())?;
        let scope = if scope.is_null() { "" } else { name_at(scope)? };
        let made = Peer::anyone(Slot(slot), subject(me)?, scope, key(psk)?)?;
        place.set(HeldPeer::new(MAGIC, made));
        Ok(())
    })
}

/// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none; `work` has
/// as many bytes as the blob. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_restore(
    peer: *mut iotkm_interactive_peer,
    cx: *const iotkm_cx,
    slot: u16,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let restored = raw::inside(|| {
        let place = Out::new(peer.cast::<HeldPeer>())?;
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        place.set(HeldPeer::new(MAGIC, Peer::restore(&device(cx)?, Slot(slot), floor, blob, work)?));
        Ok(())
    });
    logged(cx, text!("iotkm_interactive_peer_restore"), restored)
}

/// iotkm_interactive_peer_restore() with what the platform's `store_read` finds in the slot; `work` has 2 x
/// IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes. Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_load(
    peer: *mut iotkm_interactive_peer,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let loaded = raw::inside(|| {
        let place = Out::new(peer.cast::<HeldPeer>())?;
        let (blob, work) = raw::bytes_mut(work, work_len)?.split_at_mut(work_len / 2);
        let blob = match iotkm_platform::of(cx)?.read(slot, blob) {
            Ok(blob) => blob,
            Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
            Err(_) => return Err(IOTKM_E_HOOK.into()),
        };
        place.set(HeldPeer::new(MAGIC, Peer::restore(&device(cx)?, Slot(slot), 0, blob, work)?));
        Ok(())
    });
    logged(cx, text!("iotkm_interactive_peer_load"), loaded)
}

/// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this by
/// itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just set up. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
/// IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_seal(
    peer: *mut iotkm_interactive_peer,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    let sealed = raw::inside(|| {
        HeldPeer::change(peer.cast(), MAGIC, |peer| {
            let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
            let (len, version) = peer.seal(&device(cx)?, out)?;
            out_len.set(len);
            place.set(version);
            Ok(())
        })
    });
    logged(cx, text!("iotkm_interactive_peer_seal"), sealed)
}

/// iotkm_interactive_peer_seal() into `work` (IOTKM_INTERACTIVE_PEER_BLOB_MAX bytes will do), and the platform's `store_write` to
/// the peer's slot. Errors: IOTKM_E_HOOK, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_store(
    peer: *mut iotkm_interactive_peer,
    cx: *const iotkm_cx,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    let stored = raw::inside(|| {
        HeldPeer::change(peer.cast(), MAGIC, |peer| {
            let work = raw::bytes_mut(work, work_len)?;
            let (len, _) = peer.seal(&device(cx)?, work)?;
            let blob = work.get(..len).ok_or(IOTKM_E_INTERNAL)?;
            if iotkm_platform::of(cx)?.write(peer.slot().0, blob) == 0 { Ok(()) } else { Err(IOTKM_E_HOOK.into()) }
        })
    });
    logged(cx, text!("iotkm_interactive_peer_store"), stored)
}

unsafe fn look(peer: *const iotkm_interactive_peer, f: impl FnMut(&Peer) -> Outcome) -> c_int {
    returned(HeldPeer::look(peer.cast_mut().cast(), MAGIC, f))
}

/// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_name(peer: *const iotkm_interactive_peer, text: *mut c_char) -> c_int {
    look(peer, |peer| {
        let place = Out::new(text.cast::<[c_char; IOTKM_NAME_TEXT]>())?;
        let known = peer.id().map_or(&[][..], Subject::as_bytes);
        place.set(name(core::str::from_utf8(known).unwrap_or_default()));
        Ok(())
    })
}

/// The slot that the peer is stored in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_slot(peer: *const iotkm_interactive_peer, slot: *mut u16) -> c_int {
    look(peer, |peer| {
        Out::new(slot)?.set(peer.slot().0);
        Ok(())
    })
}

/// Writes the peer's ticket, for iotkm_ticket_peek(): IOTKM_TICKET_MAX bytes will do.
/// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_ticket(
    peer: *const iotkm_interactive_peer,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    look(peer, |peer| {
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let ticket = peer.ticket();
        if ticket.is_empty() {
            return Err(IOTKM_E_NO_CREDENTIAL.into());
        }
        out.get_mut(..ticket.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(ticket);
        out_len.set(ticket.len());
        Ok(())
    })
}

/// How often the pairwise master key was replaced since the first contact.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_generation(
    peer: *const iotkm_interactive_peer,
    generation: *mut u32,
) -> c_int {
    look(peer, |peer| {
        Out::new(generation)?.set(peer.generation());
        Ok(())
    })
}

/// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_wipe(peer: *mut iotkm_interactive_peer) -> c_int {
    raw::plainly(|| {
        let place = raw::some(peer)?;
        HeldPeer::with(peer.cast(), MAGIC, &mut |object| {
            HeldPeer::free(object)?;
            // SAFETY: set up and lent to nobody; it is erased below before anybody can use it.
            unsafe { object.drop_in_place() };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_interactive_peer>());
        Ok(())
    })
}
