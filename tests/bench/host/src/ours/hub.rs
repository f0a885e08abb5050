//! A hub among few and among many associations: what one datagram costs it.

use iotkm::crypto::{SUITE_0_SYMMETRIC, Secret};
use iotkm::engine::Config;
use iotkm::engine::timers::Timer;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::hub::{Hub, Limits, Place, Route};
use iotkm::{Addr, Association, Cx, Device, Instant, NoKeys, Output, Slot};
use std::hint::black_box;
use std::time::{Duration, Instant as Clock};

use super::pair::Cheap;
use crate::lab::Problem;
use crate::ops::{Op, Run};

type Runs<const REASSEMBLY: usize> = HistoryMemory<Peer, [Entry; 0], 1, REASSEMBLY>;
type Side = History<Peer, [Entry; 0], Box<Runs<0>>>;

fn side(me: &[u8], peer: &[u8], n: u32) -> Side {
    let id = |name| Id::new(name).expect("a short name");
    let key = |byte: u8| {
        let mut key = [byte; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        Secret::new(key)
    };
    let triple = Triple::new(key(1), key(2), key(3), 0);
    let peer = Peer::provisioned(Slot(1), id(me), id(peer), &SUITE_0_SYMMETRIC, triple).expect("two devices");
    History::open(peer, [], &SUITE_0_SYMMETRIC, Config::default(), Box::new(Runs::new())).expect("fits")
}

/// One 64-byte record from a device chosen at random, as a hub that has `count` associations takes it in.
pub fn datagram(count: u32) -> Result<Box<dyn Op>, Problem> {
    let device = Device::new(Secret::new([1; 32]));
    let mut rng = Cheap(1);
    let mut cx = Cx { now: Instant(1), wall: None, place: b"", rng: &mut rng, device: &device, keys: &NoKeys };
    let places = (0..count).map(|_| Place::free()).collect::<Vec<_>>();
    let routes = vec![Route::default(); count as usize * 16];
    let mut hub = Hub::new(&mut cx, places, vec![Timer::NONE; count as usize], routes, Limits { busy: u32::MAX })
        .expect("a good configuration");
    let mut devices = Vec::new();
    let hub_addr = Addr::new(b"hub").expect("short");
    for n in 0..count {
        let name = n.to_be_bytes();
        let Ok(index) = hub.insert(side(b"hub", &name, n)) else { panic!("there is room") };
        assert_eq!(index, n as usize);
        let mut one = side(&name, b"hub", n);
        let addr = Addr::new(&name).expect("short");
        one.connect(&mut cx, &hub_addr).expect("at rest");
        let mut out = [0; 256];
        'run: loop {
            let len = loop {
                match one.poll(&mut cx, &mut out) {
                    Output::Datagram { bytes, .. } => break bytes.len(),
                    Output::Persist { slot, .. } => one.persisted(slot, Ok(())),
                    Output::Idle { .. } => break 'run,
                    _ => {}
                }
            };
            hub.handle_input(&mut cx, &addr, &mut out[..len]).expect("drained");
            loop {
                match hub.poll(&mut cx, &mut out) {
                    (_, Output::Datagram { bytes, .. }) => {
                        let len = bytes.len();
                        one.handle_input(&mut cx, &hub_addr, &mut out[..len]).expect("drained");
                    }
                    (Some(i), Output::Persist { slot, .. }) => hub.persisted(i, slot, Ok(())),
                    (_, Output::Idle { .. }) => break,
                    _ => {}
                }
            }
        }
        assert!(one.is_established(), "device {n}: {:?}, hub {:?}", one.drops(), hub.drops());
        one.release().expect("at rest");
        devices.push((one, addr));
    }
    Ok(Box::new(Datagrams { hub, devices, rng, device, pick: 1 }))
}

struct Datagrams {
    hub: Hub<Side, Vec<Place<Side>>, Vec<Timer>, Vec<Route>>,
    devices: Vec<(Side, Addr)>,
    rng: Cheap,
    device: Device,
    pick: u64,
}

impl Op for Datagrams {
    /// Only the hub's part is timed: the devices' are elsewhere.
    fn run(&mut self, count: u64) -> Result<Run, Problem> {
        let mut cx =
            Cx { now: Instant(2), wall: None, place: b"", rng: &mut self.rng, device: &self.device, keys: &NoKeys };
        let (mut time, mut wire) = (Duration::ZERO, 0);
        let mut sealed = Vec::new();
        for _ in 0..count {
            self.pick = self.pick.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let index = (self.pick >> 33) as usize % self.devices.len();
            let (one, addr) = &mut self.devices[index];
            let mut out = [0; 128];
            let len = one.send(&mut cx, &[0x42; 64], &mut out).expect("established").bytes.len();
            wire = len as u64;
            sealed.push((*addr, out, len));
            if sealed.len() == 256 {
                time += self.hub.take(&mut cx, &mut sealed);
            }
        }
        time += self.hub.take(&mut cx, &mut sealed);
        Ok(Run { time, wire })
    }
}

trait Take {
    fn take(&mut self, cx: &mut Cx<'_>, sealed: &mut Vec<(Addr, [u8; 128], usize)>) -> Duration;
}

impl Take for Hub<Side, Vec<Place<Side>>, Vec<Timer>, Vec<Route>> {
    fn take(&mut self, cx: &mut Cx<'_>, sealed: &mut Vec<(Addr, [u8; 128], usize)>) -> Duration {
        let start = Clock::now();
        for (addr, mut out, len) in sealed.drain(..) {
            let (_, received) = self.handle_input(cx, &addr, &mut out[..len]).expect("drained").expect("a message");
            assert_eq!(black_box(received.payload).len(), 64);
            while !matches!(self.poll(cx, &mut out), (_, Output::Idle { .. })) {}
        }
        start.elapsed()
    }
}
