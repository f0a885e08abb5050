//! What depends on how long the group's elements are: one implementation for each length, which a suite names.

use super::association::{
    Options, iotkm_noninteractive, iotkm_noninteractive_memory, iotkm_noninteractive_memory_ffc,
    iotkm_noninteractive_memory_small,
};
use super::peer::{MAGIC, iotkm_noninteractive_peer, iotkm_noninteractive_peer_ffc};
use crate::association::{Made, Verbs, iotkm_association, make, value_at};
use crate::credentials::holder::LentHolder;
use crate::hub::{iotkm_hub, join};
use crate::lent::LentMemory;
use crate::object::fits;
use crate::platform::{KeysOf, hooked};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*};
use crate::stored::{self, Stored};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::hub::Routed;
use core_of_iotkm::noninteractive::credential::credential_max;
use core_of_iotkm::noninteractive::exchange::flight_max;
use core_of_iotkm::noninteractive::{Exchange, Noninteractive, NoninteractiveMemory, Peer, wire};
use core_of_iotkm::phase1::Subject;
use core_of_iotkm::{Addr, Cx, Device, Error, Slot};

pub(super) const KIND: u32 = wire::NUMBER as u32;

/// The longest credential and flight of a curve's, and of the FFC groups'.
const CREDENTIAL: usize = credential_max(32);
const FLIGHT: usize = flight_max(32);
const CREDENTIAL_FFC: usize = credential_max(384);
const FLIGHT_FFC: usize = flight_max(384);

/// What puts together messages at a small MTU.
const REASSEMBLY: usize = 512;
const REASSEMBLY_FFC: usize = 1536;

type OneLent<const N: usize, const C: usize> = stored::Lent<&'static dyn Of, Peer<N, C>>;
type Scheme<const N: usize, const C: usize, const F: usize> = Exchange<OneLent<N, C>, LentHolder, N, C, F>;
type Kind<const N: usize, const C: usize, const F: usize> =
    Noninteractive<OneLent<N, C>, LentHolder, LentMemory<Scheme<N, C, F>>, N, C, F>;
type Runs<const N: usize, const C: usize, const F: usize, const R: usize> =
    NoninteractiveMemory<OneLent<N, C>, LentHolder, N, C, F, 2, R>;
type RunsSmall<const N: usize> = NoninteractiveMemory<OneLent<N, CREDENTIAL>, LentHolder, N, CREDENTIAL, FLIGHT, 1, 0>;

/// The longest blobs of a stored peer.
pub(super) const BLOB_MAX: usize = Peer::<65, CREDENTIAL>::BLOB_MAX;
pub(super) const BLOB_MAX_FFC: usize = Peer::<384, CREDENTIAL_FFC>::BLOB_MAX;

impl<const N: usize, const C: usize> Stored for Peer<N, C> {
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
        self.kept()
    }
    fn reached(&self) -> Option<u32> {
        Some(self.epoch()?.saturating_sub(1))
    }
}

type Object<const N: usize, const C: usize> = stored::Object<&'static dyn Of, Peer<N, C>>;
const _: () = assert!(
    size_of::<Object<32, CREDENTIAL>>() < size_of::<Object<65, CREDENTIAL>>()
        && size_of::<Object<256, CREDENTIAL_FFC>>() < size_of::<Object<384, CREDENTIAL_FFC>>()
        && size_of::<Runs<32, CREDENTIAL, FLIGHT, REASSEMBLY>>() <= size_of::<iotkm_noninteractive_memory>()
        && size_of::<RunsSmall<32>>() <= size_of::<iotkm_noninteractive_memory_small>()
);
fits!(Object<65, CREDENTIAL>, iotkm_noninteractive_peer);
fits!(Object<384, CREDENTIAL_FFC>, iotkm_noninteractive_peer_ffc);
fits!(Runs<65, CREDENTIAL, FLIGHT, REASSEMBLY>, iotkm_noninteractive_memory);
fits!(RunsSmall<65>, iotkm_noninteractive_memory_small);
fits!(Runs<384, CREDENTIAL_FFC, FLIGHT_FFC, REASSEMBLY_FFC>, iotkm_noninteractive_memory_ffc);
fits!(Made<Kind<32, CREDENTIAL, FLIGHT>>, iotkm_noninteractive);
fits!(Made<Kind<65, CREDENTIAL, FLIGHT>>, iotkm_noninteractive);
fits!(Made<Kind<256, CREDENTIAL_FFC, FLIGHT_FFC>>, iotkm_noninteractive);
fits!(Made<Kind<384, CREDENTIAL_FFC, FLIGHT_FFC>>, iotkm_noninteractive);

/// A peer of C's.
pub(super) const fn at(peer: *const iotkm_noninteractive_peer) -> stored::Peer<&'static dyn Of> {
    stored::Peer::new(peer.cast(), MAGIC)
}

/// Memory of C's, and its length in bytes.
pub(super) type Room = (NonNull<c_void>, usize);

/// The group of a suite, as peers and associations see it.
pub(super) trait Of: Sync {
    unsafe fn init(&self, peer: Room, slot: u16, who: (Subject, Option<Subject>), psk: Option<Secret<32>>) -> Outcome;
    unsafe fn restore(&self, peer: Room, device: &Device, slot: u16, stored: (u32, &[u8], &mut [u8])) -> Outcome;
    /// `small`: whether the memory is for one run at a time.
    unsafe fn open(
        &self,
        association: *mut iotkm_noninteractive,
        peer: *mut iotkm_noninteractive_peer,
        holder: LentHolder,
        options: &Options<'_>,
        memory: (Room, bool),
    ) -> Outcome;
}

/// A group whose elements have `N` bytes.
pub(super) struct Group<const N: usize, const C: usize, const F: usize, const R: usize>;

/// A curve.
pub(super) type Curve<const N: usize> = Group<N, CREDENTIAL, FLIGHT, REASSEMBLY>;
/// An FFC group.
pub(super) type Ffc<const N: usize> = Group<N, CREDENTIAL_FFC, FLIGHT_FFC, REASSEMBLY_FFC>;

impl<const N: usize, const C: usize, const F: usize, const R: usize> Group<N, C, F, R> {
    /// Which of the scheme's associations it is.
    const KIND: u32 = KIND | (N as u32) << 16;

    unsafe fn put((place, size): Room, peer: Peer<N, C>) -> Outcome {
        let kind = const { &stored::Kind::of::<Peer<N, C>>(&Self as &dyn Of) };
        stored::put((place.as_ptr(), size), kind, MAGIC, peer)
    }

    /// Takes an association into a hub.
    pub(super) unsafe fn join(
        association: *mut iotkm_association,
        hub: *mut iotkm_hub,
        wanted: u32,
        member: *mut u32,
    ) -> c_int {
        join(association, Self::KIND, hub, wanted, member, |front| value_at::<Kind<N, C, F>>(front))
    }
}

impl<const N: usize, const C: usize, const F: usize, const R: usize> Of for Group<N, C, F, R> {
    unsafe fn init(
        &self,
        peer: Room,
        slot: u16,
        (me, id): (Subject, Option<Subject>),
        psk: Option<Secret<32>>,
    ) -> Outcome {
        Self::put(peer, Peer::new(Slot(slot), me, id, psk)?)
    }
    unsafe fn restore(
        &self,
        peer: Room,
        device: &Device,
        slot: u16,
        (floor, blob, work): (u32, &[u8], &mut [u8]),
    ) -> Outcome {
        Self::put(peer, Peer::restore(device, Slot(slot), floor, blob, work)?)
    }
    unsafe fn open(
        &self,
        association: *mut iotkm_noninteractive,
        peer: *mut iotkm_noninteractive_peer,
        holder: LentHolder,
        options: &Options<'_>,
        ((memory, size), small): (Room, bool),
    ) -> Outcome {
        let place = raw::some(association)?;
        if options.setting.group.element_len() != N {
            return Err(IOTKM_E_SUITE_MISMATCH.into());
        }
        let enough = if small { N < 256 } else { size_of::<Runs<N, C, F, R>>() <= size };
        if !enough {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let peer = at(peer).lend()?;
        let memory = if small {
            LentMemory::new(memory.cast::<NoninteractiveMemory<OneLent<N, C>, LentHolder, N, C, F, 1, 0>>())
        } else {
            LentMemory::new(memory.cast::<Runs<N, C, F, R>>())
        };
        make(place, Self::KIND, Kind::<N, C, F>::open(peer, holder, options, memory)?)
    }
}

impl<const N: usize, const C: usize, const F: usize> Verbs for Kind<N, C, F> {
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
    unsafe fn lend(&mut self, (memory, size): Room) -> Outcome {
        // How much puts messages together, curves and FFC groups differ in.
        if C == CREDENTIAL {
            lend::<N, C, F, REASSEMBLY>(self, memory, size)
        } else {
            lend::<N, C, F, REASSEMBLY_FFC>(self, memory, size)
        }
    }
}

unsafe fn lend<const N: usize, const C: usize, const F: usize, const R: usize>(
    association: &mut Kind<N, C, F>,
    memory: NonNull<c_void>,
    size: usize,
) -> Outcome {
    if size < size_of::<Runs<N, C, F, R>>() {
        return Err(IOTKM_E_BAD_ARGUMENT.into());
    }
    Ok(association.lend(LentMemory::new(memory.cast::<Runs<N, C, F, R>>()))?)
}
