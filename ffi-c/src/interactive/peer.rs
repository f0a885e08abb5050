//! What the device knows about one peer.

use crate::association::logged;
use crate::object::{Magic, fits};
use crate::platform::{device, iotkm_cx, iotkm_platform};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*, text};
use crate::stored::{self, Kind, Stored};
use crate::tickets::agent::text as name_at;
use core::ffi::{CStr, c_char, c_int, c_void};
use core_of_iotkm::cose::ticket::{TICKET_MAX, TICKET_MAX_FFC};
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::interactive::{Peer, Subject};
use core_of_iotkm::{Device, Error, Slot};

/// The longest blob of a stored peer in bytes: what its slot must hold.
pub const IOTKM_INTERACTIVE_PEER_BLOB_MAX: usize = 711;
/// The longest blob of a stored iotkm_interactive_peer_ffc in bytes.
pub const IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC: usize = 1063;
const _: () = assert!(
    IOTKM_INTERACTIVE_PEER_BLOB_MAX == Peer::<TICKET_MAX>::BLOB_MAX
        && IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC == Peer::<TICKET_MAX_FFC>::BLOB_MAX
);

/// What this device knows about one peer: its name and ticket, the pairwise master key and its successor. It is stored in a
/// slot, and lent to one association at a time, which keeps it up to date there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_peer {
    opaque: [u64; 108],
}

/// A peer whose tickets may be of the FFC groups: longer than an iotkm_interactive_peer, which it begins with.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_peer_ffc {
    /// For all functions here but those that end in _ffc.
    pub peer: iotkm_interactive_peer,
    opaque: [u64; 44],
}

pub(super) type Object<const T: usize> = stored::Object<(), Peer<T>>;
fits!(Object<TICKET_MAX>, iotkm_interactive_peer);
fits!(Object<TICKET_MAX_FFC>, iotkm_interactive_peer_ffc);

impl<const T: usize> Stored for Peer<T> {
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        self.seal(device, out)
    }
    fn slot(&self) -> Slot {
        self.slot()
    }
    fn id(&self) -> Option<&Subject> {
        self.id()
    }
    fn kept(&self) -> &[u8] {
        self.ticket()
    }
    fn reached(&self) -> Option<u32> {
        Some(self.generation())
    }
}

/// A peer of C's.
pub(super) const fn of(peer: *const iotkm_interactive_peer) -> stored::Peer<()> {
    stored::Peer::new(peer.cast(), Magic::INTERACTIVE_PEER)
}

/// Memory of the type that holds peers with tickets of up to `T` bytes.
trait Room<const T: usize> {}
impl Room<TICKET_MAX> for iotkm_interactive_peer {}
impl Room<TICKET_MAX_FFC> for iotkm_interactive_peer_ffc {}

unsafe fn put<R: Room<T>, const T: usize>(place: *mut R, peer: Peer<T>) -> Outcome {
    let kind = const { &Kind::of::<Peer<T>>(()) };
    stored::put((place.cast::<c_void>(), size_of::<R>()), kind, Magic::INTERACTIVE_PEER, peer)
}

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

/// sizeof(iotkm_interactive_peer_ffc) as the library was built.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_interactive_peer_ffc_size() -> usize {
    size_of::<iotkm_interactive_peer_ffc>()
}

unsafe fn init<R: Room<T>, const T: usize>(
    place: *mut R,
    slot: u16,
    (me, them): (*const c_char, *const c_char),
    psk: *const u8,
) -> c_int {
    raw::plainly(|| put(place, Peer::new(Slot(slot), subject(me)?, subject(them)?, key(psk)?)?))
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
    init(peer, slot, (me, them), psk)
}

/// iotkm_interactive_peer_init() for tickets of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_init_ffc(
    peer: *mut iotkm_interactive_peer_ffc,
    slot: u16,
    me: *const c_char,
    them: *const c_char,
    psk: *const u8,
) -> c_int {
    init(peer, slot, (me, them), psk)
}

unsafe fn init_anyone<R: Room<T>, const T: usize>(
    place: *mut R,
    slot: u16,
    (me, scope): (*const c_char, *const c_char),
    psk: *const u8,
) -> c_int {
    raw::plainly(|| {
        let scope = if scope.is_null() { "" } else { name_at(scope)? };
        put(place, Peer::anyone(Slot(slot), subject(me)?, scope, key(psk)?)?)
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
    init_anyone(peer, slot, (me, scope), psk)
}

/// iotkm_interactive_peer_init_anyone() for tickets of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_init_anyone_ffc(
    peer: *mut iotkm_interactive_peer_ffc,
    slot: u16,
    me: *const c_char,
    scope: *const c_char,
    psk: *const u8,
) -> c_int {
    init_anyone(peer, slot, (me, scope), psk)
}

unsafe fn restore<R: Room<T>, const T: usize>(
    (place, call): (*mut R, &CStr),
    cx: *const iotkm_cx,
    (slot, floor): (u16, u32),
    (blob, blob_len): (*const u8, usize),
    (work, work_len): (*mut u8, usize),
) -> c_int {
    let restored = raw::inside(|| {
        let (blob, work) = (raw::bytes(blob, blob_len)?, raw::bytes_mut(work, work_len)?);
        put(place, Peer::restore(&device(cx)?, Slot(slot), floor, blob, work)?)
    });
    logged(cx, call, restored)
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
    restore((peer, text!("iotkm_interactive_peer_restore")), cx, (slot, floor), (blob, blob_len), (work, work_len))
}

/// iotkm_interactive_peer_restore() for tickets of any group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_restore_ffc(
    peer: *mut iotkm_interactive_peer_ffc,
    cx: *const iotkm_cx,
    slot: u16,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    restore((peer, text!("iotkm_interactive_peer_restore_ffc")), cx, (slot, floor), (blob, blob_len), (work, work_len))
}

unsafe fn load<R: Room<T>, const T: usize>(
    (place, call): (*mut R, &CStr),
    cx: *const iotkm_cx,
    slot: u16,
    (work, work_len): (*mut u8, usize),
) -> c_int {
    let loaded = raw::inside(|| {
        let (blob, work) = iotkm_platform::stored(cx, slot, raw::bytes_mut(work, work_len)?)?;
        put(place, Peer::restore(&device(cx)?, Slot(slot), 0, blob, work)?)
    });
    logged(cx, call, loaded)
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
    load((peer, text!("iotkm_interactive_peer_load")), cx, slot, (work, work_len))
}

/// iotkm_interactive_peer_load() for tickets of any group; `work` has 2 x IOTKM_INTERACTIVE_PEER_BLOB_MAX_FFC bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_load_ffc(
    peer: *mut iotkm_interactive_peer_ffc,
    cx: *const iotkm_cx,
    slot: u16,
    work: *mut u8,
    work_len: usize,
) -> c_int {
    load((peer, text!("iotkm_interactive_peer_load_ffc")), cx, slot, (work, work_len))
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
    of(peer).seal(cx, (out, out_capacity, out_len), version, text!("iotkm_interactive_peer_seal"))
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
    of(peer).store(cx, (work, work_len), text!("iotkm_interactive_peer_store"))
}

/// Writes the peer's name, IOTKM_NAME_TEXT bytes with its NUL; an empty text where it is not known yet.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_name(peer: *const iotkm_interactive_peer, text: *mut c_char) -> c_int {
    of(peer).name(text)
}

/// The slot that the peer is stored in.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_slot(peer: *const iotkm_interactive_peer, slot: *mut u16) -> c_int {
    of(peer).slot(slot)
}

/// Writes the peer's ticket, for iotkm_ticket_peek(): IOTKM_TICKET_MAX bytes will do (IOTKM_TICKET_MAX_FFC where it is longer).
/// Errors: IOTKM_E_NO_CREDENTIAL where there is none yet, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_ticket(
    peer: *const iotkm_interactive_peer,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    of(peer).kept((out, out_capacity, out_len))
}

/// How often the pairwise master key was replaced since the first contact.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_generation(
    peer: *const iotkm_interactive_peer,
    generation: *mut u32,
) -> c_int {
    of(peer).reached(generation)
}

/// Wipes the peer from memory; its slot stays as it is. Error: IOTKM_E_BUSY while an association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_peer_wipe(peer: *mut iotkm_interactive_peer) -> c_int {
    of(peer).wipe()
}
