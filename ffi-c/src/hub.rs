//! Many associations on one socket.

use crate::association::{ANY, Front, Verbs, at, iotkm_association, keys_of, logged, set_joined};
use crate::drain::drain_with;
use crate::lent::Lent;
use crate::object::{self, Head, Magic, fits};
use crate::output::{iotkm_addr, iotkm_output, iotkm_received};
use crate::platform::{KeysOf, iotkm_cx, with_cx};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::{CStr, c_int};
use core::ptr::NonNull;
use core_of_iotkm::engine::drops::{Dropped, Drops};
use core_of_iotkm::engine::timers::Timer;
use core_of_iotkm::engine::{ConnectionId, Endpoint, Scheme, Scratch};
use core_of_iotkm::hub::{Hub, Limits, Namer, Place, Route, Routed};
use core_of_iotkm::{Addr, Association, Assurance, Cx, Error, Fingerprint, Output, Received, Sent, Slot, StoreError};

/// No member of a hub: an output of the hub's own, or an association that is in none.
pub const IOTKM_HUB_NOBODY: u32 = u32::MAX;

/// Many associations on one socket: it finds out whose each datagram is, at the same cost however many there are, and asks
/// strangers for a cookie first when it is busy. It lies where you put it and may not be moved.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_hub {
    opaque: [u64; 32],
}

/// What a hub needs for each member.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_hub_member {
    opaque: [u64; 24],
}

/// Routes for each member.
const ROUTES: usize = 16;
const _: () = assert!(
    size_of::<Place<Member>>() + size_of::<Timer>() + ROUTES * size_of::<Route>() <= size_of::<iotkm_hub_member>()
        && align_of::<Timer>() <= align_of::<iotkm_hub_member>()
        && size_of::<Timer>().is_multiple_of(align_of::<Place<Member>>())
        && size_of::<Place<Member>>().is_multiple_of(align_of::<Route>())
);

/// What a hub asks of a member beside the verbs.
pub(crate) trait Joined: Verbs {
    fn named(&mut self, message: &[u8]) -> bool;
    fn peers_own(&mut self, message: &[u8]) -> bool;
    fn reader(&self) -> (u8, Namer);
    fn each_name(&mut self, name: &mut dyn FnMut(u32));
    fn version_of_names(&self) -> u32;
    fn take_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error>;
    fn runs_with(&self, addr: &Addr) -> bool;
    fn busy(&self) -> bool;
}

impl<S: Scheme, M: Scratch<S>> Joined for Endpoint<S, M>
where
    Self: Verbs,
{
    fn named(&mut self, message: &[u8]) -> bool {
        self.is_named(message)
    }
    fn peers_own(&mut self, message: &[u8]) -> bool {
        self.is_from_peer(message)
    }
    fn reader(&self) -> (u8, Namer) {
        self.namer()
    }
    fn each_name(&mut self, name: &mut dyn FnMut(u32)) {
        self.names(name);
    }
    fn version_of_names(&self) -> u32 {
        self.names_version()
    }
    fn take_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        self.set_connection_id(cid)
    }
    fn runs_with(&self, addr: &Addr) -> bool {
        self.has_run_with(addr)
    }
    fn busy(&self) -> bool {
        self.is_busy()
    }
}

/// An association in the caller's memory that is in a hub, and how the hub sees it: the way that the scheme's joining
/// function gives, so that a program without hubs links none of this.
pub(crate) struct Member {
    front: NonNull<Front>,
    view: unsafe fn(NonNull<Front>) -> NonNull<dyn Joined>,
    namer: (u8, Namer),
}

impl Member {
    /// Calls `f` with the association, if it is not in use; it is set up, since it cannot be wiped while it is here.
    fn enter<R>(&self, refused: R, f: impl FnOnce(&mut dyn Joined) -> R) -> R {
        let (mut f, mut answer) = (Some(f), None);
        // SAFETY: the association is lent to the hub until it leaves; `at` lets nobody else in meanwhile.
        let _ = unsafe {
            at(self.front.as_ptr().cast(), ANY, &mut |front| {
                answer = f.take().map(|f| f((self.view)(front).as_mut()));
                Ok(())
            })
        };
        answer.unwrap_or(refused)
    }

    fn look(&self) -> &dyn Joined {
        // SAFETY: as in `enter`; verbs of the hub do not overlap in time with the association's, by contract.
        unsafe { (self.view)(self.front).as_ref() }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // SAFETY: as in `enter`.
        let _ = unsafe { set_joined(self.front, false) };
    }
}

impl Association for Member {
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error> {
        self.enter(Err(Error::WrongState), |a| a.send(cx, payload, out))
    }
    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error> {
        let mut received = Err(Error::WrongState);
        self.enter((), |a| {
            // What comes back lies in the datagram, not in the association: no reference to that outlives this call.
            received = a
                .handle_input(cx, from, datagram)
                .map(|got| got.map(|got| (got.payload.as_ptr_range(), got.time, got.place.as_ptr_range())));
        });
        // SAFETY: both ranges lie in the datagram, which is borrowed for as long as the answer.
        let slice = |range: core::ops::Range<*const u8>| unsafe {
            core::slice::from_raw_parts(range.start, range.end.offset_from_unsigned(range.start))
        };
        Ok(received?.map(|(payload, time, place)| Received { payload: slice(payload), time, place: slice(place) }))
    }
    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.enter(Err(Error::WrongState), |a| a.handle_timeout(cx))
    }
    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>) {
        self.enter((), |a| a.persisted(slot, stored));
    }
    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o> {
        self.enter(Output::Idle { wake_at: None }, |a| a.poll(cx, out))
    }
    fn exporter(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.look().exporter(label, context, out)
    }
    fn export(&self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        self.look().export(cx, out)
    }
    fn is_established(&self) -> bool {
        self.look().is_established()
    }
    fn peer_addr(&self) -> Option<Addr> {
        self.look().peer_addr()
    }
    fn assurance(&self) -> Option<Assurance> {
        self.look().assurance()
    }
    fn fingerprint(&self) -> Option<Fingerprint> {
        self.look().fingerprint()
    }
    fn drops(&self) -> &Drops {
        self.look().drops()
    }
}

impl Routed for Member {
    fn namer(&self) -> (u8, Namer) {
        self.namer
    }
    fn is_named(&mut self, message: &[u8]) -> bool {
        self.enter(false, |a| a.named(message))
    }
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        self.enter(false, |a| a.peers_own(message))
    }
    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        self.enter((), |a| a.each_name(name));
    }
    fn names_version(&self) -> u32 {
        self.look().version_of_names()
    }
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        self.enter(Err(Error::WrongState), |a| a.take_connection_id(cid))
    }
    fn has_run_with(&self, addr: &Addr) -> bool {
        self.look().runs_with(addr)
    }
    fn is_busy(&self) -> bool {
        self.look().busy()
    }
}

type Kind = Hub<Member, Lent<Place<Member>>, Lent<Timer>, Lent<Route>>;

#[repr(C)]
struct Object {
    head: Head,
    hub: Kind,
    /// How members come to static keys, once one has joined that has them.
    keys: Option<KeysOf>,
}
fits!(Object, iotkm_hub);

unsafe fn enter(hub: *mut iotkm_hub, f: &mut dyn FnMut(&mut Object) -> Outcome) -> Outcome {
    let object = raw::some(hub)?.cast::<Object>();
    Head::enter(object.cast(), Magic::HUB, || {
        // SAFETY: the magic word says that `iotkm_hub_open` set this up; `enter` lets nobody else in.
        f(unsafe { &mut *object.as_ptr() })
    })
}

unsafe fn with(hub: *mut iotkm_hub, f: &mut dyn FnMut(&mut Kind) -> Outcome) -> Outcome {
    enter(hub, &mut |object| f(&mut object.hub))
}

unsafe fn verb(
    hub: *mut iotkm_hub,
    cx: *const iotkm_cx,
    call: &CStr,
    f: &mut dyn FnMut(&mut Kind, &mut Cx<'_>) -> Outcome,
) -> c_int {
    logged(cx, call, enter(hub, &mut |object| with_cx(cx, object.keys, &mut |cx| f(&mut object.hub, cx))))
}

/// Takes an association into a hub, seen as `view` says: for the schemes' joining functions.
pub(crate) unsafe fn join(
    association: *mut iotkm_association,
    kind: u32,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
    view: unsafe fn(NonNull<Front>) -> NonNull<dyn Joined>,
) -> c_int {
    returned(enter(hub, &mut |Object { hub, keys, .. }| {
        let place = Out::new(member)?;
        let mut front = None;
        at(association, kind, &mut |found| {
            front = Some((found, keys_of(found)));
            set_joined(found, true)
        })?;
        let (front, its_keys) = front.ok_or(IOTKM_E_INTERNAL)?;
        // SAFETY: set up, and in no other hands: `set_joined` would have refused.
        let namer = unsafe { view(front).as_ref() }.reader();
        let joining = Member { front, view, namer };
        let joined = match usize::try_from(wanted) {
            Ok(wanted) if wanted < hub.capacity() => hub.insert_at(wanted, joining).map(|()| wanted),
            Ok(_) if wanted == IOTKM_HUB_NOBODY => hub.insert(joining),
            _ => return Err(IOTKM_E_BAD_ARGUMENT.into()),
        };
        place.set(joined.map_err(|(_, why)| why)? as u32);
        *keys = its_keys.or(*keys);
        Ok(())
    }))
}

/// Sets an empty hub up for up to `count` members, whose memory `members` is lent until iotkm_hub_wipe(). `busy`: with so many
/// members in the middle of a run, strangers are asked for a cookie first; 0: 64. Errors: IOTKM_E_BAD_ARGUMENT for no or more
/// than 2^20 members, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_open(
    hub: *mut iotkm_hub,
    cx: *const iotkm_cx,
    members: *mut iotkm_hub_member,
    count: usize,
    busy: u32,
) -> c_int {
    let opened = raw::inside(|| {
        let place = raw::some(hub)?.cast::<Object>();
        let timers = raw::some(members)?.cast::<u8>();
        if count == 0 || count > 1 << 20 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let limits = if busy == 0 { Limits::default() } else { Limits { busy } };
        // SAFETY: one after the other in the memory of `count` members, which is enough by the assert above.
        let (places, routes) = unsafe {
            let places = timers.cast::<Timer>().add(count).cast::<Place<Member>>();
            (places.cast(), places.add(count).cast())
        };
        with_cx(cx, None, &mut |cx| {
            let timers = Lent::new(timers, count, || Timer::NONE);
            let places = Lent::new(places, count, Place::free);
            let routes = Lent::new(routes, count.saturating_mul(ROUTES), Route::default);
            let hub = Hub::new(cx, places, timers, routes, limits)?;
            Out::new(place.as_ptr())?.set(Object { head: Head::new(Magic::HUB), hub, keys: None });
            Ok(())
        })
    });
    logged(cx, text!("iotkm_hub_open"), opened)
}

/// Takes a member out; its association goes on by itself. Error: IOTKM_E_BAD_ARGUMENT where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_leave(hub: *mut iotkm_hub, member: u32) -> c_int {
    returned(with(hub, &mut |hub| hub.remove(member as usize).map(drop).ok_or_else(|| IOTKM_E_BAD_ARGUMENT.into())))
}

/// Tells the hub that verbs were called on a member's association itself (iotkm_history_connect(), iotkm_send(), ...), so that
/// it is polled and its timer kept: call it after each. Error: IOTKM_E_BAD_ARGUMENT where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_touch(hub: *mut iotkm_hub, member: u32) -> c_int {
    returned(with(hub, &mut |hub| hub.with(member as usize, |_| ()).ok_or_else(|| IOTKM_E_BAD_ARGUMENT.into())))
}

/// iotkm_receive() for a hub: `received->member` says whose it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_receive(
    hub: *mut iotkm_hub,
    cx: *const iotkm_cx,
    from: *const iotkm_addr,
    datagram: *mut u8,
    datagram_len: usize,
    received: *mut iotkm_received,
) -> c_int {
    verb(hub, cx, text!("iotkm_hub_receive"), &mut |hub, cx| {
        let from = iotkm_addr::get(from)?;
        let (datagram, received) = (raw::bytes_mut(datagram, datagram_len)?, Out::new(received)?);
        let got = hub.handle_input(cx, &from, datagram)?;
        let (member, got) = got.map_or((IOTKM_HUB_NOBODY, None), |(index, got)| (index as u32, Some(got)));
        received.set(iotkm_received::new(got, member));
        Ok(())
    })
}

/// iotkm_timeout() for a hub. It serves one member a call: poll until idle, and call again while the time to wake up is past.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_timeout(hub: *mut iotkm_hub, cx: *const iotkm_cx) -> c_int {
    verb(hub, cx, text!("iotkm_hub_timeout"), &mut |hub, cx| Ok(hub.handle_timeout(cx)?))
}

/// iotkm_poll() for a hub: `output->member` says whose it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_poll(
    hub: *mut iotkm_hub,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    output: *mut iotkm_output,
) -> c_int {
    verb(hub, cx, text!("iotkm_hub_poll"), &mut |hub, cx| {
        let (out, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(output)?);
        let (member, output) = hub.poll(cx, out);
        iotkm_output::write(place, output, member.map_or(IOTKM_HUB_NOBODY, |index| index as u32))
    })
}

/// iotkm_persisted() for a member of a hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_persisted(hub: *mut iotkm_hub, member: u32, slot: u16, status: c_int) -> c_int {
    returned(with(hub, &mut |hub| {
        hub.persisted(member as usize, Slot(slot), if status == 0 { Ok(()) } else { Err(StoreError) });
        Ok(())
    }))
}

/// iotkm_drain() for a hub: `event->member` says whose an event is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_drain(
    hub: *mut iotkm_hub,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    wake_at_ms: *mut u64,
) -> c_int {
    let drained = drain_with(
        cx,
        wake_at_ms,
        &mut |output| iotkm_hub_poll(hub, cx, out, out_capacity, output),
        &mut |output, status| iotkm_hub_persisted(hub, output.member, output.slot, status),
    );
    logged(cx, text!("iotkm_hub_drain"), drained)
}

/// iotkm_drops() for what the hub dropped before any member saw it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_drops(hub: *mut iotkm_hub, reason: u32, count: *mut u16) -> c_int {
    returned(with(hub, &mut |hub| {
        let count = Out::new(count)?;
        count.set(hub.drops().get(*Dropped::ALL.get(reason as usize).ok_or(IOTKM_E_BAD_ARGUMENT)?));
        Ok(())
    }))
}

/// Ends a hub: its members leave it, and go on by themselves. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hub_wipe(hub: *mut iotkm_hub) -> c_int {
    raw::plainly(|| {
        let place = raw::some(hub)?;
        with(hub, &mut |hub| {
            // SAFETY: set up, nobody else is in, and it is erased below before anybody can be.
            unsafe { core::ptr::drop_in_place(hub) };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_hub>());
        Ok(())
    })
}
