//! A hub: its places, and who may take one.

use super::{Hub, Limits, Place, Route, Timer};
use crate::crypto::{Rng, RngError, SUITE_0_SYMMETRIC, Secret};
use crate::engine::Config;
use crate::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use crate::{Addr, Association, Cx, Device, Error, Instant, Output, Slot};

struct Ones;
impl Rng for Ones {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(1);
        Ok(())
    }
}

type One = History<Peer, [Entry; 0], HistoryMemory<Peer, [Entry; 0], 1, 0>>;

fn one(id: u8) -> One {
    between(id, b"hub", &[id])
}

fn between(key: u8, me: &[u8], peer: &[u8]) -> One {
    let key = || Secret::new([key; 32]);
    let (me, peer) = (Id::new(me).unwrap(), Id::new(peer).unwrap());
    let triple = Triple::new(key(), key(), key(), 0);
    let peer = Peer::provisioned(Slot(1), me, peer, &SUITE_0_SYMMETRIC, triple).unwrap();
    History::open(peer, [], &SUITE_0_SYMMETRIC, Config::default(), HistoryMemory::new()).unwrap()
}

#[test]
fn a_place_of_the_callers_choice() {
    let device = Device::new(Secret::new([7; 32]));
    let mut cx = Cx { now: Instant(1), wall: None, place: b"", rng: &mut Ones, device: &device, keys: &crate::NoKeys };
    let places: [Place<One>; 3] = core::array::from_fn(|_| Place::free());
    let (timers, routes) = ([Timer::NONE; 3], [Route::default(); 8]);
    let mut hub = Hub::new(&mut cx, places, timers, routes, Limits::default()).unwrap();

    hub.insert_at(1, one(11)).unwrap();
    assert_eq!(hub.get(1).unwrap().cid().as_bytes(), [1], "its connection id is its place");
    // Taken, or not there: the association comes back, and the one that was there stays.
    assert_eq!(hub.insert_at(1, one(12)).unwrap_err().0.peer().id(), &Id::new(&[12]).unwrap());
    assert!(hub.insert_at(3, one(12)).is_err() && hub.insert_at(usize::MAX, one(12)).is_err());
    assert_eq!(hub.get(1).unwrap().peer().id(), &Id::new(&[11]).unwrap());
    // The others go where there is room.
    assert_eq!((hub.insert(one(13)).unwrap(), hub.insert(one(14)).unwrap()), (0, 2));
    assert!(hub.insert(one(15)).is_err());
    // A place that was left can be chosen again.
    assert!(hub.remove(1).is_some() && hub.get(1).is_none());
    hub.insert_at(1, one(16)).unwrap();
    assert_eq!(hub.get(1).unwrap().peer().id(), &Id::new(&[16]).unwrap());
}

/// What one has to say reaches the other; whether there was something.
fn carry(cx: &mut Cx<'_>, from: &mut One, to: &mut One) -> bool {
    let mut said = false;
    loop {
        let mut out = [0; 256];
        match from.poll(cx, &mut out) {
            Output::Idle { .. } => return said,
            Output::Persist { slot, .. } => from.persisted(slot, Ok(())),
            Output::Datagram { bytes, .. } => {
                let len = bytes.len();
                to.handle_input(cx, &Addr::default(), &mut out[..len]).unwrap();
                said = true;
            }
            _ => {}
        }
    }
}

/// A peer sends to the connection id that it was told: who has a session or a run under another one cannot join.
#[test]
fn who_is_known_by_another_connection_id() {
    let device = Device::new(Secret::new([7; 32]));
    let mut cx = Cx { now: Instant(1), wall: None, place: b"", rng: &mut Ones, device: &device, keys: &crate::NoKeys };
    let places: [Place<One>; 3] = core::array::from_fn(|_| Place::free());
    let (timers, routes) = ([Timer::NONE; 3], [Route::default(); 8]);
    let mut hub = Hub::new(&mut cx, places, timers, routes, Limits::default()).unwrap();

    let (mut a, mut b) = (one(1), between(1, &[1], b"hub"));
    a.connect(&mut cx, &Addr::default()).unwrap();
    let (mut a, why) = hub.insert(a).unwrap_err();
    assert_eq!(why, Error::WrongState, "a run");
    while carry(&mut cx, &mut a, &mut b) | carry(&mut cx, &mut b, &mut a) {}
    assert!(a.is_established() && b.is_established());
    let (mut a, why) = hub.insert(a).unwrap_err();
    assert_eq!(why, Error::WrongState, "a session");
    assert!(a.is_established() && a.cid().as_bytes().is_empty() && hub.get(0).is_none(), "nothing has changed");
    a.wipe();
    hub.insert_at(1, a).unwrap();

    // There it connects, and so it may leave and come back, but not elsewhere.
    let mut b = between(1, &[1], b"hub");
    hub.with(1, |a| a.connect(&mut cx, &Addr::default())).unwrap().unwrap();
    while hub.with(1, |a| carry(&mut cx, a, &mut b)).unwrap() | hub.with(1, |a| carry(&mut cx, &mut b, a)).unwrap() {}
    let a = hub.remove(1).unwrap();
    assert!(a.is_established());
    let (a, why) = hub.insert_at(2, a).unwrap_err();
    assert_eq!(why, Error::WrongState);
    hub.insert_at(1, a).unwrap();
    assert!(hub.get(1).unwrap().is_established());
}
