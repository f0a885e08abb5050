//! A hub with many associations.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::{self, Secret};
use iotkm::engine::Config;
use iotkm::engine::timers::Timer;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::hub::{Hub, Limits, Place, Route};
use iotkm::{Addr, Association, Cx, Device, Event, Instant, NoKeys, Output, Slot};
use iotkm_netsim::SimRng;
use std::collections::BTreeMap;

type Log = Vec<Entry>;
type Memory = HistoryMemory<Peer, Log, 2, 0>;
type Assoc = History<Peer, Log, Memory>;
type H = Hub<Assoc, Vec<Place<Assoc>>, Vec<Timer>, Vec<Route>>;

fn triple(n: u32) -> Triple {
    let s = |b: u8| {
        let mut k = [b; 32];
        k[..4].copy_from_slice(&n.to_be_bytes());
        Secret::new(k)
    };
    Triple::new(s(1), s(2), s(3), 0)
}

fn association(me: &str, peer: &str, n: u32) -> Assoc {
    let id = |s: &str| Id::new(s.as_bytes()).unwrap();
    let peer = Peer::provisioned(Slot(n as u16), id(me), id(peer), &crypto::SUITE_0_SYMMETRIC, triple(n)).unwrap();
    History::open(peer, Vec::new(), &crypto::SUITE_0_SYMMETRIC, Config::default(), Memory::new()).unwrap()
}

struct World {
    hub: H,
    devices: Vec<Assoc>,
    rng: SimRng,
    device: Device,
    now: u64,
    to_hub: Vec<(Addr, Vec<u8>)>,
    to_devices: Vec<(Addr, Vec<u8>)>,
    hub_events: BTreeMap<usize, Vec<Event>>,
    got: Vec<(usize, Vec<u8>)>,
}

fn addr(n: usize) -> Addr {
    Addr::new(&(n as u32).to_be_bytes()).unwrap()
}

impl World {
    fn new(count: usize, limits: Limits) -> Self {
        let mut rng = SimRng::new(count as u64);
        let device = Device::new(Secret::new([9; 32]));
        let mut cx = Cx { now: Instant(0), wall: None, place: b"", rng: &mut rng, device: &device, keys: &NoKeys };
        let places = (0..count).map(|_| Place::free()).collect();
        let mut hub =
            H::new(&mut cx, places, vec![Timer::NONE; count], vec![Route::default(); count * 16], limits).unwrap();
        let mut devices = Vec::new();
        for n in 0..count {
            let index = hub.insert(association("hub", &format!("device {n}"), n as u32)).map_err(|_| ()).unwrap();
            assert_eq!(index, n);
            devices.push(association(&format!("device {n}"), "hub", n as u32));
        }
        Self {
            hub,
            devices,
            rng,
            device,
            now: 1_000,
            to_hub: vec![],
            to_devices: vec![],
            hub_events: BTreeMap::new(),
            got: vec![],
        }
    }

    fn drain_device(&mut self, n: usize) {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: None,
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        let mut out = [0; 1500];
        loop {
            match self.devices[n].poll(&mut cx, &mut out) {
                Output::Datagram { bytes, .. } => self.to_hub.push((addr(n), bytes.to_vec())),
                Output::Persist { slot, .. } => self.devices[n].persisted(slot, Ok(())),
                Output::Event(_) => {}
                Output::Idle { .. } => return,
                other => panic!("{other:?}"),
            }
        }
    }

    fn run(&mut self) {
        for _ in 0..100_000 {
            for (from, mut bytes) in std::mem::take(&mut self.to_hub) {
                let mut cx = Cx {
                    now: Instant(self.now),
                    wall: None,
                    place: b"",
                    rng: &mut self.rng,
                    device: &self.device,
                    keys: &NoKeys,
                };
                if let Some((i, r)) = self.hub.handle_input(&mut cx, &from, &mut bytes).unwrap() {
                    self.got.push((i, r.payload.to_vec()));
                }
                self.drain_hub();
            }
            if self.to_devices.is_empty() {
                return;
            }
            for (to, mut bytes) in std::mem::take(&mut self.to_devices) {
                let n = u32::from_be_bytes(to.as_bytes().try_into().unwrap()) as usize;
                let mut cx = Cx {
                    now: Instant(self.now),
                    wall: None,
                    place: b"",
                    rng: &mut self.rng,
                    device: &self.device,
                    keys: &NoKeys,
                };
                self.devices[n].handle_input(&mut cx, &addr(1 << 30), &mut bytes).unwrap();
                self.drain_device(n);
            }
        }
        panic!("never at rest");
    }

    fn drain_hub(&mut self) {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: None,
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        let mut out = [0; 1500];
        loop {
            match self.hub.poll(&mut cx, &mut out) {
                (_, Output::Datagram { to, bytes }) => self.to_devices.push((to, bytes.to_vec())),
                (Some(i), Output::Persist { slot, .. }) => self.hub.persisted(i, slot, Ok(())),
                (Some(i), Output::Event(e)) => self.hub_events.entry(i).or_default().push(e),
                (_, Output::Idle { .. }) => return,
                other => panic!("{other:?}"),
            }
        }
    }

    fn hub_connects(&mut self, n: usize) {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: None,
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        self.hub.with(n, |association| association.connect(&mut cx, &addr(n))).unwrap().unwrap();
        self.drain_hub();
    }

    fn connect(&mut self, n: usize) {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: None,
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        if let Err(e) = self.devices[n].connect(&mut cx, &addr(1 << 30)) {
            panic!(
                "{e:?} device {n}: {:?} hub {:?} of it {:?}",
                self.devices[n].drops(),
                self.hub.drops(),
                self.hub.get(n).unwrap().drops()
            );
        }
        self.drain_device(n);
    }

    /// Lets time pass until all are connected: a route that was forgotten costs a retransmission and a search.
    fn settle(&mut self) {
        for _ in 0..60 {
            self.run();
            self.now += 500;
            for n in 0..self.devices.len() {
                let mut cx = Cx {
                    now: Instant(self.now),
                    wall: None,
                    place: b"",
                    rng: &mut self.rng,
                    device: &self.device,
                    keys: &NoKeys,
                };
                self.devices[n].handle_timeout(&mut cx).unwrap();
                self.drain_device(n);
            }
        }
    }

    fn say(&mut self, n: usize, text: &[u8]) {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: None,
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        let mut out = [0; 200];
        let sent = self.devices[n].send(&mut cx, text, &mut out).unwrap().bytes.to_vec();
        self.to_hub.push((addr(n), sent));
    }
}

#[test]
fn a_thousand_devices_connect_and_speak() {
    let mut w = World::new(1_000, Limits { busy: 2_000 });
    for n in 0..1_000 {
        w.connect(n);
    }
    w.settle();
    assert!((0..1_000).all(|n| w.devices[n].is_established() && w.hub.get(n).unwrap().is_established()));
    for n in (0..1_000).rev() {
        w.say(n, format!("I am {n}").as_bytes());
    }
    w.run();
    assert_eq!(w.got.len(), 1_000);
    assert!(w.got.iter().all(|(i, text)| *text == format!("I am {i}").as_bytes()));
}

#[test]
fn the_hub_connects_too() {
    let mut w = World::new(100, Limits::default());
    for n in 0..100 {
        w.hub_connects(n);
    }
    w.run();
    assert!((0..100).all(|n| w.devices[n].is_established() && w.hub.get(n).unwrap().is_established()));
}

#[test]
fn under_load_strangers_show_a_cookie_first() {
    let mut w = World::new(40, Limits { busy: 4 });
    for n in 0..40 {
        w.connect(n);
    }
    w.settle();
    assert!((0..40).all(|n| w.devices[n].is_established()));
    assert!(w.hub.drops().get(iotkm::engine::drops::Dropped::RateLimited) > 0);
}

#[test]
fn many_runs_later_the_hints_are_still_known() {
    let mut w = World::new(3, Limits::default());
    for _ in 0..70 {
        for n in 0..3 {
            w.connect(n);
        }
        w.run();
        assert!((0..3).all(|n| w.devices[n].is_established()));
    }
    assert_eq!(w.hub.drops().total(), 0);
}
