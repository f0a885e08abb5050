//! A hub with many associations of devices that have tickets, or credentials.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::cose::{Agent, Wallet};
use iotkm::crypto::Secret;
use iotkm::crypto::sign::Signer;
use iotkm::engine::timers::Timer;
use iotkm::hub::{Hub, Limits, Place, Route, Routed};
use iotkm::noninteractive::setting::SETTING_0;
use iotkm::phase1::Subject;
use iotkm::{Addr, Cx, Device, Error, Event, Instant, Output, Slot, UnixTime};
use iotkm_netsim::SimRng;
use iotkm_netsim::epochs::{self, Office};
use iotkm_netsim::node::{Keys, Node};
use iotkm_netsim::tickets::{self, GROUPS, NOW, Shared, agent, key, ticket};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

const COUNT: usize = 30;
/// Devices that a hub has for a day.
const MANY: usize = 200;

fn name(n: usize) -> &'static str {
    format!("device {n}").leak()
}

fn addr(n: usize) -> Addr {
    Addr::new(&(n as u32).to_be_bytes()).unwrap()
}

struct Fleet<A: Routed> {
    hub: Hub<A, Vec<Place<A>>, Vec<Timer>, Vec<Route>>,
    keys: Keys,
    rng: SimRng,
    device: Device,
    nodes: Vec<Node<A>>,
    /// Where each device is.
    at: Vec<usize>,
    wall: u64,
    now: u64,
    to_hub: Vec<(usize, Vec<u8>)>,
    to_nodes: Vec<(Addr, Vec<u8>)>,
    got: Vec<(usize, Vec<u8>)>,
    /// Of a hundred datagrams so many get lost, by this.
    loss: (u32, SimRng),
}

impl<A: Routed> Fleet<A> {
    fn new(associations: Vec<A>, keys: Keys, nodes: Vec<Node<A>>, wall: u64) -> Self {
        let (mut rng, device) = (SimRng::new(5), Device::new(Secret::new([77; 32])));
        let mut cx = Cx { now: Instant(0), wall: None, place: b"", rng: &mut rng, device: &device, keys: &*keys.0 };
        let count = associations.len();
        let places = (0..count).map(|_| Place::free()).collect();
        let routes = vec![Route::default(); count * 16];
        let mut hub = Hub::new(&mut cx, places, vec![Timer::NONE; count], routes, Limits::default()).unwrap();
        for (n, association) in associations.into_iter().enumerate() {
            assert_eq!(hub.insert(association).map_err(|_| ()).unwrap(), n);
        }
        let (to_hub, to_nodes, got) = (vec![], vec![], vec![]);
        let at = (0..count).collect();
        let loss = (0, SimRng::new(6));
        Self { hub, keys, rng, device, nodes, at, wall, now: 1_000, to_hub, to_nodes, got, loss }
    }

    fn hub<T>(&mut self, f: impl FnOnce(&mut Hub<A, Vec<Place<A>>, Vec<Timer>, Vec<Route>>, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx {
            now: Instant(self.now),
            wall: Some(UnixTime(self.wall + self.now)),
            place: b"",
            rng: &mut self.rng,
            device: &self.device,
            keys: &*self.keys.0,
        };
        f(&mut self.hub, &mut cx)
    }

    /// Takes what the hub has to say; when it wants to be called again.
    fn drain_hub(&mut self) -> Option<Instant> {
        let mut sent = Vec::new();
        let wake = self.hub(|hub, cx| {
            let mut out = [0; 2500];
            loop {
                match hub.poll(cx, &mut out) {
                    (_, Output::Datagram { to, bytes }) => sent.push((to, bytes.to_vec())),
                    (Some(i), Output::Persist { slot, .. }) => hub.persisted(i, slot, Ok(())),
                    (_, Output::Event(_)) => {}
                    (_, Output::Idle { wake_at }) => return wake_at,
                    other => panic!("{other:?}"),
                }
            }
        });
        self.to_nodes.append(&mut sent);
        wake
    }

    fn drain(&mut self, n: usize) {
        let (sent, _) = self.nodes[n].drain(self.now);
        self.to_hub.extend(sent.into_iter().map(|(_, bytes)| (self.at[n], bytes)));
    }

    /// Whatever is on the way arrives.
    fn run(&mut self) {
        while !self.to_hub.is_empty() || !self.to_nodes.is_empty() {
            for (from, mut bytes) in std::mem::take(&mut self.to_hub) {
                if self.loss.1.percent(self.loss.0) {
                    continue;
                }
                let got = self.hub(|hub, cx| {
                    let got = hub.handle_input(cx, &addr(from), &mut bytes).unwrap();
                    got.map(|(i, received)| (i, received.payload.to_vec()))
                });
                self.got.extend(got);
                self.drain_hub();
            }
            for (to, bytes) in std::mem::take(&mut self.to_nodes) {
                let to = u32::from_be_bytes(to.as_bytes().try_into().unwrap()) as usize;
                // Nobody is where a device was before.
                let Some(n) = self.at.iter().position(|at| *at == to) else { continue };
                if self.loss.1.percent(self.loss.0) {
                    continue;
                }
                let now = self.now;
                self.nodes[n].input(now, &addr(1 << 30), &bytes);
                self.drain(n);
            }
        }
    }

    fn settle(&mut self) {
        (0..200).for_each(|_| self.pass(500));
    }

    /// So many ms go by.
    fn pass(&mut self, ms: u64) {
        self.run();
        self.now += ms;
        // One association's timer a call, as a hub has it.
        for _ in 0..10_000 {
            self.hub(|hub, cx| hub.handle_timeout(cx)).unwrap();
            if self.drain_hub().is_none_or(|wake| wake > Instant(self.now)) {
                break;
            }
        }
        for n in 0..self.nodes.len() {
            if !self.nodes[n].dead {
                let now = self.now;
                self.nodes[n].with(now, |a, cx| a.handle_timeout(cx)).unwrap();
                self.drain(n);
            }
        }
    }

    /// Whether a device has nothing under way, and so may stop its clock.
    fn at_rest(&mut self, n: usize) -> bool {
        let (sent, wake) = self.nodes[n].drain(self.now);
        self.to_hub.extend(sent.into_iter().map(|(_, bytes)| (self.at[n], bytes)));
        wake.is_none_or(|wake| wake > self.now + 30_000)
    }

    /// A day on a bad link: clocks 100 millionths off, every fourth device asleep for half an hour now and then, its clock too;
    /// every half an hour all are heard, and `renew` has done what it does.
    fn day(&mut self, renew: impl Fn(&mut A, &mut Cx<'_>, &Addr)) {
        let mut rng = SimRng::new(7);
        for node in &mut self.nodes {
            node.clock = (rng.below(201) as i64 - 100, 0);
        }
        self.loss.0 = 20;
        let (mut worst, mut slept) = (0, 0);
        for _ in 0..48 {
            let before = self.now;
            for n in (0..self.nodes.len()).step_by(4) {
                self.nodes[n].dead = rng.percent(30) && self.at_rest(n);
                slept += usize::from(self.nodes[n].dead);
            }
            (0..180).for_each(|_| self.pass(10_000));
            let away = (self.now - before) as i64;
            for node in self.nodes.iter_mut().filter(|node| node.dead) {
                node.dead = false;
                node.clock.1 -= away;
            }
            for n in (0..self.nodes.len()).filter(|_| rng.percent(30)).collect::<Vec<_>>() {
                let now = self.now;
                self.nodes[n].with(now, |a, cx| renew(a, cx, &addr(1 << 30)));
                self.drain(n);
            }
            self.got.clear();
            let (start, mut heard) = (self.now, BTreeSet::new());
            while heard.len() < self.nodes.len() {
                assert!(self.now < start + 120_000, "{:?} of {} were heard", heard.len(), self.nodes.len());
                for n in (0..self.nodes.len()).filter(|n| !heard.contains(n)) {
                    let (now, mut out) = (self.now, [0; 200]);
                    let sent = self.nodes[n].with(now, |a, cx| {
                        a.send(cx, name(n).as_bytes(), &mut out)
                            .unwrap_or_else(|e| panic!("{n} fell out: {e}"))
                            .bytes
                            .to_vec()
                    });
                    self.to_hub.push((self.at[n], sent));
                }
                self.pass(500);
                assert!(self.got.iter().all(|(i, text)| *text == name(*i).as_bytes()));
                heard.extend(self.got.iter().map(|(i, _)| *i));
            }
            worst = worst.max(self.now - start);
        }
        println!(
            "{} devices for {} h: {worst} ms at most until all were heard, after {slept} half hours asleep",
            self.nodes.len(),
            self.now / 3_600_000
        );
        assert!(slept > 10 * self.nodes.len() / 4, "{slept}");
        self.loss.0 = 0;
        self.settle();
        for (n, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.a.fingerprint(), self.hub.get(n).unwrap().fingerprint(), "{n}");
            assert!(!node.saw(|e| matches!(e, Event::Failed { .. } | Event::Terminated)), "{n}: {:?}", node.events);
        }
    }

    fn all_speak(&mut self) {
        self.got.clear();
        for n in (0..self.nodes.len()).rev() {
            let now = self.now;
            let mut out = [0; 200];
            let sent =
                self.nodes[n].with(now, |a, cx| a.send(cx, name(n).as_bytes(), &mut out).unwrap().bytes.to_vec());
            self.to_hub.push((self.at[n], sent));
        }
        self.run();
        assert_eq!(self.got.len(), self.nodes.len());
        assert!(self.got.iter().all(|(i, text)| *text == name(*i).as_bytes()));
    }

    fn all_connect(&mut self, connect: fn(&mut A, &mut Cx<'_>, &Addr) -> Result<(), Error>) {
        let before: Vec<_> = self.nodes.iter().map(|node| node.a.fingerprint()).collect();
        for n in 0..self.nodes.len() {
            let now = self.now;
            self.nodes[n].with(now, |a, cx| connect(a, cx, &addr(1 << 30))).unwrap();
            self.drain(n);
        }
        self.settle();
        for (n, before) in before.into_iter().enumerate() {
            let (device, at_hub) = (&self.nodes[n].a, self.hub.get(n).unwrap());
            assert!(
                device.is_established() && device.fingerprint() == at_hub.fingerprint(),
                "{n}: {:?}",
                device.drops()
            );
            let drops = (device.drops(), at_hub.drops(), self.hub.drops());
            assert_ne!(device.fingerprint(), before, "{n}: {drops:?} {:?}", self.nodes[n].events);
        }
    }

    /// All at once; records by connection id, from wherever they come; again, by what the hub knows now.
    fn life(&mut self, connect: fn(&mut A, &mut Cx<'_>, &Addr) -> Result<(), Error>) {
        self.all_connect(connect);
        assert_eq!(self.hub.drops().total(), 0, "every first message finds its association");
        self.all_speak();
        for at in &mut self.at {
            *at += 1_000;
        }
        self.all_speak();
        self.settle();
        self.all_connect(connect);
        self.all_speak();
    }
}

fn with_tickets(count: usize) -> Fleet<tickets::Assoc> {
    let plan = tickets::Plan::new(GROUPS[0]);
    let made = |who: &'static str, seed: usize| {
        let (keys, share) = key(plan.group.kem, seed as u8);
        let named = Agent { name: "agent", key: agent().public_key().unwrap() };
        let mut purse = Wallet::new(named, who).unwrap();
        let first = ticket(plan.group.key, who, &share, seed as u32, NOW, 1 << 30);
        purse.install(&first, Some(UnixTime(NOW * 1000))).unwrap();
        (Keys(keys), Shared(Rc::new(RefCell::new(purse))))
    };
    let peer = |n: usize, me: &str, other: &str| {
        let [me, other] = [me, other].map(|name| Subject::new(name).unwrap());
        iotkm::interactive::Peer::new(Slot(n as u16), me, other, None).unwrap()
    };
    let (keys, purse) = made("hub", 250);
    let at_hub = (0..count).map(|n| plan.open(0, peer(n, "hub", name(n)), &purse)).collect();
    let nodes = (0..count).map(|n| {
        let (keys, purse) = made(name(n), n % 60 + 1);
        let device = Device::new(Secret::new([n as u8; 32]));
        let mut node = Node::new(plan.open(0, peer(1, name(n), "hub"), &purse), b"x", n as u64, device);
        (node.keys, node.wall) = (keys, Some(NOW * 1000));
        node
    });
    Fleet::new(at_hub, keys, nodes.collect(), NOW * 1000)
}

#[test]
fn devices_with_tickets() {
    let mut fleet = with_tickets(COUNT);
    fleet.life(|a, cx, to| a.connect(cx, to));
    fleet.all_connect(|a, cx, to| a.authenticate(cx, to));
    fleet.all_speak();
}

/// Two hundred of them, new keys every hour and a half or so.
#[test]
fn a_day_with_tickets() {
    let mut fleet = with_tickets(MANY);
    fleet.all_connect(|a, cx, to| a.connect(cx, to));
    fleet.day(|a, cx, to| _ = a.connect(cx, to));
}

fn with_credentials(count: usize, interval: u32) -> Fleet<epochs::Assoc<32>> {
    let mut plan = epochs::Plan::new(&SETTING_0);
    plan.terms.interval = interval;
    let mut office = Office::new(&SETTING_0, 1);
    let peer = |n: usize, me: &str, other: &str| {
        let [me, other] = [me, other].map(|name| Subject::new(name).unwrap());
        epochs::Other::<32>::new(Slot(n as u16), me, Some(other), None).unwrap()
    };
    let (held, key) = office.enrol("hub", plan.life);
    let at_hub = (0..count).map(|n| plan.open(held.clone(), peer(n, "hub", name(n)))).collect();
    let wall = u64::from(epochs::WALL) * 1000;
    let nodes = (0..count).map(|n| {
        let (held, key) = office.enrol(name(n), plan.life);
        let device = Device::new(Secret::new([n as u8; 32]));
        let mut node = Node::new(plan.open(held, peer(1, name(n), "hub")), b"x", n as u64, device);
        (node.keys, node.wall) = (Keys(Box::new(key)), Some(wall));
        node
    });
    let nodes = nodes.collect();
    Fleet::new(at_hub, Keys(Box::new(key)), nodes, wall)
}

#[test]
fn devices_with_credentials() {
    with_credentials(COUNT, 60).life(|a, cx, to| a.connect(cx, to));
}

/// Two hundred of them, epochs of half an hour: after one handshake each nobody sends anything for a key.
#[test]
fn a_day_with_credentials() {
    let mut fleet = with_credentials(MANY, 1_800);
    fleet.all_connect(|a, cx, to| a.connect(cx, to));
    let handshakes = |fleet: &Fleet<epochs::Assoc<32>>| {
        fleet
            .nodes
            .iter()
            .map(|node| node.events.iter().filter(|e| matches!(e, Event::Established { .. })).count())
            .sum::<usize>()
    };
    assert_eq!(handshakes(&fleet), MANY);
    fleet.day(|_, _, _| ());
    assert_eq!(handshakes(&fleet), MANY, "no other handshake than the first");
    assert!(fleet.nodes.iter().all(|node| node.a.epoch().unwrap() >= 46));
}
