//! What depends on how long the group's elements are: one implementation for each length, which a suite names.

use super::association::{
    Options, iotkm_noninteractive, iotkm_noninteractive_memory, iotkm_noninteractive_memory_small,
};
use super::peer::{MAGIC, iotkm_noninteractive_peer};
use crate::association::{Front, Made, Verbs, make};
use crate::credentials::holder::LentHolder;
use crate::lent::{Held, LentMemory, LentPeer};
use crate::object::{self, Head, fits};
use crate::platform::{KeysOf, hooked};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr::NonNull;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::hub::Routed;
use core_of_iotkm::noninteractive::credential::credential_max;
use core_of_iotkm::noninteractive::exchange::flight_max;
use core_of_iotkm::noninteractive::{Exchange, Noninteractive, NoninteractiveMemory, Peer, wire};
use core_of_iotkm::phase1::Subject;
use core_of_iotkm::{Addr, Cx, Device, Error, Slot};

pub(super) const KIND: u32 = wire::NUMBER as u32;

/// The longest credential and flight of a curve's.
const CREDENTIAL: usize = credential_max(32);
const FLIGHT: usize = flight_max(32);

type OnePeer<const N: usize> = Peer<N, CREDENTIAL>;
type OneLent<const N: usize> = LentPeer<OnePeer<N>>;
type Scheme<const N: usize> = Exchange<OneLent<N>, LentHolder, N, CREDENTIAL, FLIGHT>;
pub(super) type Kind<const N: usize> =
    Noninteractive<OneLent<N>, LentHolder, LentMemory<Scheme<N>>, N, CREDENTIAL, FLIGHT>;
type Runs<const N: usize> = NoninteractiveMemory<OneLent<N>, LentHolder, N, CREDENTIAL, FLIGHT, 2, 512>;
type RunsSmall<const N: usize> = NoninteractiveMemory<OneLent<N>, LentHolder, N, CREDENTIAL, FLIGHT, 1, 0>;

/// The longest blob of a stored peer.
pub(super) const BLOB_MAX: usize = OnePeer::<65>::BLOB_MAX;

/// What may be asked of a peer, whatever its group.
pub(super) trait Stored {
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error>;
    fn slot(&self) -> Slot;
    fn id(&self) -> Option<&Subject>;
    fn epoch(&self) -> Option<u32>;
    fn kept(&self) -> &[u8];
}

impl<const N: usize> Stored for OnePeer<N> {
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        self.seal(device, out)
    }
    fn slot(&self) -> Slot {
        self.slot()
    }
    fn id(&self) -> Option<&Subject> {
        self.id()
    }
    fn epoch(&self) -> Option<u32> {
        self.epoch()
    }
    fn kept(&self) -> &[u8] {
        self.kept()
    }
}

/// A peer that is set up.
#[repr(C)]
struct Object<const N: usize> {
    of: &'static dyn Of,
    held: Held<OnePeer<N>>,
}

/// What each starts with.
#[repr(C)]
struct Start {
    of: &'static dyn Of,
    head: Head,
}
const _: () = assert!(
    offset_of!(Object<32>, held) == offset_of!(Start, head) && offset_of!(Object<65>, held) == offset_of!(Start, head)
);
const _: () = assert!(
    size_of::<Object<32>>() <= size_of::<iotkm_noninteractive_peer>()
        && size_of::<Runs<32>>() <= size_of::<iotkm_noninteractive_memory>()
        && size_of::<RunsSmall<32>>() <= size_of::<iotkm_noninteractive_memory_small>()
);
fits!(Object<65>, iotkm_noninteractive_peer);
fits!(Runs<65>, iotkm_noninteractive_memory);
fits!(RunsSmall<65>, iotkm_noninteractive_memory_small);
fits!(Made<Kind<65>>, iotkm_noninteractive);
fits!(Made<Kind<32>>, iotkm_noninteractive);

/// The way to a peer's group, if the peer is set up.
pub(super) unsafe fn of(peer: *const iotkm_noninteractive_peer) -> Outcome<&'static dyn Of> {
    let start = raw::some(peer)?.cast::<Start>();
    let mut of = None;
    Head::enter(raw::field(start, |start| &raw mut (*start).head), MAGIC, || {
        // SAFETY: the magic word says that this was set up.
        of = Some(unsafe { (*start.as_ptr()).of });
        Ok(())
    })?;
    Ok(of.ok_or(IOTKM_E_INTERNAL)?)
}

/// The group of a suite, as peers and associations see it.
pub(super) trait Of: Sync {
    unsafe fn init(
        &'static self,
        peer: *mut iotkm_noninteractive_peer,
        slot: u16,
        me: Subject,
        id: Option<Subject>,
        psk: Option<Secret<32>>,
    ) -> Outcome;
    unsafe fn restore(
        &'static self,
        peer: *mut iotkm_noninteractive_peer,
        device: &Device,
        slot: u16,
        stored: (u32, &[u8], &mut [u8]),
    ) -> Outcome;
    /// Calls `f` with the peer: to look at, or to change, if it is lent to nobody.
    unsafe fn look(&self, peer: *mut iotkm_noninteractive_peer, f: &mut dyn FnMut(&dyn Stored) -> Outcome) -> Outcome;
    unsafe fn change(
        &self,
        peer: *mut iotkm_noninteractive_peer,
        f: &mut dyn FnMut(&mut dyn Stored) -> Outcome,
    ) -> Outcome;
    unsafe fn wipe(&self, peer: *mut iotkm_noninteractive_peer) -> Outcome;
    unsafe fn open(
        &self,
        association: *mut iotkm_noninteractive,
        peer: *mut iotkm_noninteractive_peer,
        holder: LentHolder,
        options: &Options<'_>,
        memory: (NonNull<c_void>, bool),
    ) -> Outcome;
}

/// A curve whose elements have `N` bytes.
pub(super) struct Curve<const N: usize>;

impl<const N: usize> Curve<N> {
    /// Which of the scheme's associations it is.
    const KIND: u32 = KIND | if N == 32 { 1 << 16 } else { 2 << 16 };

    unsafe fn held(peer: *mut iotkm_noninteractive_peer) -> Outcome<NonNull<Held<OnePeer<N>>>> {
        Ok(raw::field(raw::some(peer)?.cast::<Object<N>>(), |object| &raw mut (*object).held))
    }
}

impl<const N: usize> Of for Curve<N> {
    unsafe fn init(
        &'static self,
        peer: *mut iotkm_noninteractive_peer,
        slot: u16,
        me: Subject,
        id: Option<Subject>,
        psk: Option<Secret<32>>,
    ) -> Outcome {
        let place = Out::new(peer.cast::<Object<N>>())?;
        place.set(Object { of: self, held: Held::new(MAGIC, Peer::new(Slot(slot), me, id, psk)?) });
        Ok(())
    }
    unsafe fn restore(
        &'static self,
        peer: *mut iotkm_noninteractive_peer,
        device: &Device,
        slot: u16,
        (floor, blob, work): (u32, &[u8], &mut [u8]),
    ) -> Outcome {
        let place = Out::new(peer.cast::<Object<N>>())?;
        let held = Held::new(MAGIC, Peer::restore(device, Slot(slot), floor, blob, work)?);
        place.set(Object { of: self, held });
        Ok(())
    }
    unsafe fn look(&self, peer: *mut iotkm_noninteractive_peer, f: &mut dyn FnMut(&dyn Stored) -> Outcome) -> Outcome {
        Held::look(Self::held(peer)?.as_ptr(), MAGIC, |peer| f(peer))
    }
    unsafe fn change(
        &self,
        peer: *mut iotkm_noninteractive_peer,
        f: &mut dyn FnMut(&mut dyn Stored) -> Outcome,
    ) -> Outcome {
        Held::change(Self::held(peer)?.as_ptr(), MAGIC, |peer| f(peer))
    }
    unsafe fn wipe(&self, peer: *mut iotkm_noninteractive_peer) -> Outcome {
        Held::with(Self::held(peer)?.as_ptr(), MAGIC, &mut |held| {
            Held::free(held)?;
            // SAFETY: set up and lent to nobody; it is erased below before anybody can use it.
            unsafe { held.drop_in_place() };
            Ok(())
        })?;
        object::erase(raw::some(peer)?.cast(), size_of::<iotkm_noninteractive_peer>());
        Ok(())
    }
    unsafe fn open(
        &self,
        association: *mut iotkm_noninteractive,
        peer: *mut iotkm_noninteractive_peer,
        holder: LentHolder,
        options: &Options<'_>,
        (memory, small): (NonNull<c_void>, bool),
    ) -> Outcome {
        let place = raw::some(association)?;
        if options.setting.group.element_len() != N {
            return Err(IOTKM_E_SUITE_MISMATCH.into());
        }
        let peer = LentPeer::take(Self::held(peer)?.as_ptr(), MAGIC)?;
        let memory = if small {
            LentMemory::new(memory.cast::<RunsSmall<N>>())
        } else {
            LentMemory::new(memory.cast::<Runs<N>>())
        };
        make(place, Self::KIND, Kind::<N>::open(peer, holder, options, memory)?)
    }
}

impl<const N: usize> Verbs for Kind<N> {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
    fn keys(&self) -> Option<KeysOf> {
        Some(hooked)
    }
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.connect(cx, to)?)
    }
    fn go_on(&mut self, cx: &mut Cx<'_>) -> Outcome {
        Ok(self.go_on(cx)?)
    }
    fn epoch(&self) -> Option<u32> {
        self.epoch()
    }
    fn is_named_by(&mut self, datagram: &[u8]) -> bool {
        Routed::is_named(self, datagram)
    }
    fn release(&mut self) -> Outcome {
        self.release().map(drop).ok_or_else(|| IOTKM_E_WRONG_STATE.into())
    }
    unsafe fn lend(&mut self, memory: NonNull<c_void>) -> Outcome {
        Ok(self.lend(LentMemory::new(memory.cast::<Runs<N>>()))?)
    }
}

/// How a hub sees an association of this kind.
pub(super) unsafe fn joined<const N: usize>(front: NonNull<Front>) -> NonNull<dyn crate::hub::Joined> {
    crate::association::value_at::<Kind<N>>(front)
}
pub(super) const KINDS: [u32; 2] = [Curve::<32>::KIND, Curve::<65>::KIND];
