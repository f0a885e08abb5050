//! What the device knows about one peer.

use crate::association::logged;
use crate::lent;
use crate::object::{self, Magic, fits};
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::suites::iotkm_suite;
use core::ffi::c_int;
use core_of_iotkm::Slot;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::history::{Id, Peer, Triple};

/// The longest id in bytes.
pub const IOTKM_HISTORY_ID_MAX: usize = 16;
/// The longest blob of a stored peer in bytes: what its slot must hold.
pub const IOTKM_HISTORY_PEER_BLOB_MAX: usize = 335;
const _: () = assert!(IOTKM_HISTORY_ID_MAX == Id::MAX && IOTKM_HISTORY_PEER_BLOB_MAX == Peer::BLOB_MAX);

/// What this device knows about one peer: ids, the triple and its successor, counters. It is stored in a slot, and lent to
/// one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_history_peer {
    opaque: [u64; 60],
}

/// A device's name: 1 to 16 bytes (an EUI-64, a UUID, a short text), unique among one user's devices.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_history_id {
    /// How many of `bytes` are used.
    pub len: u8,
    /// The id.
    pub bytes: [u8; IOTKM_HISTORY_ID_MAX],
}

/// The three keys that two devices share, each 32 uniform random bytes. Wipe it after use.
#[repr(C)]
pub struct iotkm_history_triple {
    /// The user's secret.
    pub sk: [u8; 32],
    /// The time.
    pub t: [u8; 32],
    /// The place.
    pub li: [u8; 32],
}

pub(super) type HeldPeer = lent::Held<Peer>;
fits!(HeldPeer, iotkm_history_peer);
pub(super) const MAGIC: Magic = Magic::HISTORY_PEER;

/// Calls `f` with the peer to look at.
unsafe fn look(peer: *const iotkm_history_peer, f: impl FnMut(&Peer) -> Outcome) -> Outcome {
    HeldPeer::look(peer.cast_mut().cast(), MAGIC, f)
}

/// Calls `f` with the peer to change, if it is lent to nobody.
unsafe fn change(peer: *mut iotkm_history_peer, f: impl FnMut(&mut Peer) -> Outcome) -> Outcome {
    HeldPeer::change(peer.cast(), MAGIC, f)
}

pub(crate) unsafe fn id(id: *const iotkm_history_id) -> Outcome<Id> {
    let id: &iotkm_history_id = raw::read(id)?;
    Ok(id.bytes.get(..usize::from(id.len)).and_then(Id::new).ok_or(IOTKM_E_BAD_ARGUMENT)?)
}

/// sizeof(iotkm_history_peer) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_history_peer_size() -> usize {
    size_of::<iotkm_history_peer>()
}

/// Sets a peer up whose triple came from elsewhere: a factory, another scheme's iotkm_exporter(). Both sides name the same
/// suite; it is fixed from here on. Store the peer afterwards: iotkm_history_peer_store().
/// Error: IOTKM_E_BAD_ARGUMENT where an id is empty or too long, or both are the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_provision(
    peer: *mut iotkm_history_peer,
    slot: u16,
    own_id: *const iotkm_history_id,
    peer_id: *const iotkm_history_id,
    suite: *const iotkm_suite,
    triple: *const iotkm_history_triple,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(peer.cast::<HeldPeer>())?;
        let (own, theirs) = (id(own_id)?, id(peer_id)?);
        let suite: &'static iotkm_suite = raw::read(suite)?;
        let keys: &iotkm_history_triple = raw::read(triple)?;
        let triple = Triple::new(Secret::new(keys.sk), Secret::new(keys.t), Secret::new(keys.li), 0);
        place.set(HeldPeer::new(MAGIC, Peer::provisioned(Slot(slot), own, theirs, &suite.0, triple)?));
        Ok(())
    })
}

/// Sets a peer up from the blob in its slot. `floor` is the value of the slot's monotonic counter, 0 where there is none.
/// Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_restore(
    peer: *mut iotkm_history_peer,
    cx: *const iotkm_cx,
    slot: u16,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
) -> c_int {
    logged(
        cx,
        text!("iotkm_history_peer_restore"),
        raw::inside(|| {
            let place = Out::new(peer.cast::<HeldPeer>())?;
            let blob = raw::bytes(blob, blob_len)?;
            let peer = Peer::restore(&device(cx)?, Slot(slot), floor, blob)?;
            place.set(HeldPeer::new(MAGIC, peer));
            Ok(())
        }),
    )
}

/// Seals the peer for its slot, with the number of this write in `version` for a monotonic counter. An association does this
/// by itself (IOTKM_OUTPUT_PERSIST); this is for peers that were just provisioned. Errors: IOTKM_E_BUFFER_TOO_SMALL (room for
/// IOTKM_HISTORY_PEER_BLOB_MAX bytes will do); IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_seal(
    peer: *mut iotkm_history_peer,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    version: *mut u32,
) -> c_int {
    logged(
        cx,
        text!("iotkm_history_peer_seal"),
        change(peer, |peer| {
            let (out, out_len, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(version)?);
            let (len, version) = peer.seal(&device(cx)?, out)?;
            out_len.set(len);
            place.set(version);
            Ok(())
        }),
    )
}

/// iotkm_history_peer_restore() with what the platform's `store_read` finds in the slot.
/// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_load(
    peer: *mut iotkm_history_peer,
    cx: *const iotkm_cx,
    slot: u16,
) -> c_int {
    logged(
        cx,
        text!("iotkm_history_peer_load"),
        raw::inside(|| {
            let place = Out::new(peer.cast::<HeldPeer>())?;
            let mut blob = [0; IOTKM_HISTORY_PEER_BLOB_MAX];
            let blob = match iotkm_platform::of(cx)?.read(slot, &mut blob) {
                Ok(blob) => blob,
                Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
                Err(_) => return Err(IOTKM_E_HOOK.into()),
            };
            let peer = Peer::restore(&device(cx)?, Slot(slot), 0, blob)?;
            place.set(HeldPeer::new(MAGIC, peer));
            Ok(())
        }),
    )
}

/// iotkm_history_peer_seal(), and the platform's `store_write` to the peer's slot.
/// Errors: IOTKM_E_HOOK; IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_store(peer: *mut iotkm_history_peer, cx: *const iotkm_cx) -> c_int {
    logged(
        cx,
        text!("iotkm_history_peer_store"),
        change(peer, |peer| {
            let platform = iotkm_platform::of(cx)?;
            let mut blob = [0; IOTKM_HISTORY_PEER_BLOB_MAX];
            let (len, _) = peer.seal(&device(cx)?, &mut blob)?;
            let blob = blob.get(..len).unwrap_or(&[]);
            if platform.write(peer.slot().0, blob) == 0 { Ok(()) } else { Err(IOTKM_E_HOOK.into()) }
        }),
    )
}

/// The peer's id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_id(peer: *const iotkm_history_peer, id: *mut iotkm_history_id) -> c_int {
    returned(look(peer, |peer| {
        let place = Out::new(id)?;
        let from = peer.id().as_bytes();
        let mut id = iotkm_history_id { len: from.len() as u8, bytes: [0; IOTKM_HISTORY_ID_MAX] };
        id.bytes.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
        place.set(id);
        Ok(())
    }))
}

/// The slot that the peer is stored in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_slot(peer: *const iotkm_history_peer, slot: *mut u16) -> c_int {
    returned(look(peer, |peer| {
        let slot = Out::new(slot)?;
        slot.set(peer.slot().0);
        Ok(())
    }))
}

/// Generation of the current triple: how many updates were completed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_generation(peer: *const iotkm_history_peer, generation: *mut u32) -> c_int {
    returned(look(peer, |peer| {
        let generation = Out::new(generation)?;
        generation.set(peer.generation());
        Ok(())
    }))
}

/// Fingerprint of the current triple, 10 bytes, the same on both sides while both have the same triple.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_fingerprint(
    peer: *const iotkm_history_peer,
    fingerprint: *mut u8,
) -> c_int {
    returned(look(peer, |peer| {
        let fingerprint = Out::new(fingerprint.cast::<[u8; 10]>())?;
        fingerprint.set(peer.fingerprint().0);
        Ok(())
    }))
}

/// 32 bytes of key material from elsewhere (another scheme's iotkm_exporter()) that go into every exchange from now on; NULL:
/// none. Both sides must do the same; store the peer afterwards. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_set_psk(peer: *mut iotkm_history_peer, psk: *const u8) -> c_int {
    returned(change(peer, |peer| {
        let psk = if psk.is_null() { None } else { Some(Secret::new(*raw::read::<[u8; 32]>(psk.cast())?)) };
        peer.set_psk(psk);
        Ok(())
    }))
}

/// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_peer_wipe(peer: *mut iotkm_history_peer) -> c_int {
    raw::plainly(|| {
        let place = raw::some(peer)?;
        HeldPeer::with(peer.cast(), MAGIC, &mut |object| {
            HeldPeer::free(object)?;
            // SAFETY: set up and lent to nobody; it is erased below before anybody can use it.
            unsafe { object.drop_in_place() };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_history_peer>());
        Ok(())
    })
}
