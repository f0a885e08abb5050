//! Hazard: somebody else's datagrams. At every point of every flow one is forged, flipped, truncated, extended, replayed,
//! reflected, or delivered first from a stranger's address: what the association would export stays as it was, and the
//! flow completes all the same.
//!
//! A case's number is its seed: `IOTKM_SEED=17 cargo test -p iotkm-netsim --test forgery update` plays case 17 alone.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto;
use iotkm::history::Peer;
use iotkm::{Addr, Association, Fingerprint};
use iotkm_netsim::{Lab, Link, Node, Plan, SimRng, each_seed, lab};

/// One flow: how to get to its start, how it starts, when it is complete.
struct Flow<const RUNS: usize> {
    name: &'static str,
    plan: Plan,
    setup: fn(&Plan) -> Lab<RUNS>,
    start: fn(&mut Lab<RUNS>),
    done: fn(&Lab<RUNS>) -> bool,
}

/// What is done to one datagram.
#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize),
    Truncate(usize),
    Extend(usize),
    /// An earlier datagram, of this session or one before, to its receiver or (reflected) back to its sender.
    Replay {
        earlier: usize,
        reflect: bool,
        stranger: bool,
    },
    /// Made up, the seed tells how.
    Forge(u64),
    /// The real one arrives first from a stranger's address.
    Race,
}

fn stranger() -> Addr {
    Addr::new(b"stranger").unwrap()
}

type Snapshot = (Vec<u8>, Option<Vec<u8>>, bool, Option<Fingerprint>, usize, usize);

/// All that must not change.
fn snapshot<const RUNS: usize>(node: &mut Node<iotkm_netsim::Assoc<RUNS>>, now: u64) -> Snapshot {
    let mut blob = [0; Peer::BLOB_MAX];
    let (len, _) = node.a.peer().clone().seal(&node.device, &mut blob).unwrap();
    let mut export = [0; 256];
    let exported = node.with(now, |a, cx| a.export(cx, &mut export).ok());
    let exported = exported.map(|len| export[..len].to_vec());
    let a = &node.a;
    (blob[..len].to_vec(), exported, a.is_established(), a.fingerprint(), node.events.len(), node.received.len())
}

/// Something that nobody sent, but that looks like it.
fn forged(seed: u64) -> Vec<u8> {
    let mut rng = SimRng::new(seed);
    let mut bytes: Vec<u8> = (0..rng.below(90)).map(|_| rng.next() as u8).collect();
    let head = match seed % 4 {
        0 => vec![0x10, ((seed / 4 % 16) << 4) as u8],
        1 => vec![0x16, (seed / 4) as u8],
        2 => vec![0x18 | (seed / 4 % 8) as u8],
        _ => vec![],
    };
    bytes.splice(0..0, head);
    if seed % 16 == 8 {
        bytes.truncate(10); // a cookie request of the right length
        bytes.resize(10, 7);
    }
    bytes
}

impl<const RUNS: usize> Flow<RUNS> {
    fn begin(&self) -> Lab<RUNS> {
        let mut net = (self.setup)(&self.plan);
        (self.start)(&mut net);
        net.flush();
        net
    }

    /// Every step with what can be done to it.
    fn cases(&self) -> Vec<(usize, Harm)> {
        let mut cases = Vec::new();
        let mut net = self.begin();
        for step in 0..200 {
            for earlier in 0..net.trace.len() {
                for (reflect, stranger) in [(false, false), (false, true), (true, false)] {
                    cases.push((step, Harm::Replay { earlier, reflect, stranger }));
                }
            }
            cases.extend((0..48).map(|seed| (step, Harm::Forge(seed))));
            if let Some((_, _, bytes)) = net.arriving() {
                cases.extend((0..bytes.len() * 8).map(|bit| (step, Harm::Flip(bit))));
                cases.extend((0..bytes.len()).map(|len| (step, Harm::Truncate(len))));
                cases.extend([1, 2, 16, 200].map(|by| (step, Harm::Extend(by))));
                cases.push((step, Harm::Race));
            }
            if (self.done)(&net) {
                return cases;
            }
            assert!(net.step(), "{}: stands still", self.name);
        }
        panic!("{}: never done {}", self.name, net.state());
    }

    fn play(&self, step: usize, harm: Harm) {
        let mut net = self.begin();
        for _ in 0..step {
            net.step();
        }
        let real = net.arriving();
        let sender = |net: &Lab<RUNS>, to_b: bool| if to_b { net.a.addr } else { net.b.addr };
        let changed = |change: &dyn Fn(&mut Vec<u8>)| {
            let (to_b, from, mut bytes) = real.clone().unwrap();
            change(&mut bytes);
            (to_b, from, bytes)
        };
        let hits = match harm {
            Harm::Flip(bit) => vec![changed(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8))],
            Harm::Truncate(len) => vec![changed(&|bytes| bytes.truncate(len))],
            Harm::Extend(by) => vec![changed(&|bytes| bytes.resize(bytes.len() + by, 0))],
            Harm::Race => {
                let (to_b, _, bytes) = real.clone().unwrap();
                net.inject(to_b, &stranger(), &bytes);
                vec![]
            }
            Harm::Replay { earlier, reflect, stranger: strange } => {
                let (to_b, bytes) = net.trace[earlier].clone();
                let to_b = to_b != reflect;
                let from = if strange { stranger() } else { sender(&net, to_b) };
                // What is on its way has not arrived yet: that is no replay.
                let fresh = net.on_its_way(&bytes) && !reflect;
                if fresh { vec![] } else { vec![(to_b, from, bytes)] }
            }
            Harm::Forge(seed) => [true, false].map(|to_b| (to_b, sender(&net, to_b), forged(seed))).to_vec(),
        };
        for (to_b, from, bytes) in hits {
            let now = net.now;
            let before = (snapshot(&mut net.a, now), snapshot(&mut net.b, now));
            net.inject(to_b, &from, &bytes);
            let after = (snapshot(&mut net.a, now), snapshot(&mut net.b, now));
            // Behind a resume's last message comes a record that stands for itself: without it the message is whole.
            let whole = matches!(harm, Harm::Extend(_)) && bytes[..2] == [0x10, 0x60];
            assert!(
                whole || before == after,
                "{} step {step} {harm:?} {bytes:02x?} changed something: {}",
                self.name,
                net.state()
            );
        }
        assert!(net.drive(60_000, self.done), "{} step {step} {harm:?} stalls it: {}", self.name, net.state());
        net.assert_no_fork();
        if net.both() {
            // Each knows where the other is, and hears it.
            assert!(net.talk(20_000), "{} step {step} {harm:?} deafens it: {}", self.name, net.state());
            assert!(net.talk(20_000), "{} step {step} {harm:?} deafens it: {}", self.name, net.state());
            let know = net.a.a.peer_addr() == Some(net.b.addr) && net.b.a.peer_addr() == Some(net.a.addr);
            assert!(know, "{} step {step} {harm:?} misleads it: {}", self.name, net.state());
        }
    }

    fn run(&self) {
        let cases = self.cases();
        each_seed(self.name, cases.len() as u64, |case| {
            let (step, harm) = cases[case as usize];
            self.play(step, harm);
        });
    }
}

/// Two that have talked for a while: an exchange by each side, records, an update that changed the triple.
fn acquainted<const RUNS: usize>(plan: &Plan) -> Lab<RUNS> {
    let mut net: Lab<RUNS> = lab(plan, 5, Link::GOOD);
    net.connect(1).unwrap();
    assert!(net.drive(5_000, |n| n.both()) && net.talk(5_000));
    net.update(0).unwrap();
    assert!(net.drive(5_000, |n| n.both() && n.at_generation(1)) && net.talk(5_000));
    net.connect(0).unwrap();
    assert!(net.drive(50, |_| false) || net.drive(5_000, |n| n.both()));
    assert!(net.talk(5_000));
    net
}

fn again<const RUNS: usize>(plan: &Plan) -> Lab<RUNS> {
    let mut net = acquainted(plan);
    net.restart(plan, 0);
    net.restart(plan, 1);
    net
}

fn exchanges<const RUNS: usize>(plan: Plan) -> [Flow<RUNS>; 4] {
    [
        Flow {
            name: "first exchange",
            plan,
            setup: |p| lab(p, 1, Link::GOOD),
            start: |n| n.connect(0).unwrap(),
            done: |n| n.both(),
        },
        Flow {
            name: "exchange of old acquaintances",
            plan,
            setup: again,
            start: |n| n.connect(0).unwrap(),
            done: |n| n.both(),
        },
        Flow { name: "exchange by b", plan, setup: again, start: |n| n.connect(1).unwrap(), done: |n| n.both() },
        Flow {
            name: "exchange by both",
            plan,
            setup: again,
            start: |n| {
                n.connect(0).unwrap();
                n.connect(1).unwrap();
            },
            done: |n| n.both(),
        },
    ]
}

fn data<const RUNS: usize>(plan: Plan) -> Flow<RUNS> {
    Flow {
        name: "data",
        plan,
        setup: acquainted,
        start: |n| {
            n.a.received.clear();
            n.b.received.clear();
            n.say(true, b"one");
            n.say(false, b"two");
            n.say(true, b"three");
        },
        done: |n| n.a.received == [b"two".to_vec()] && n.b.received == [b"one".to_vec(), b"three".to_vec()],
    }
}

fn updates<const RUNS: usize>(plan: Plan) -> [Flow<RUNS>; 3] {
    let done = |n: &Lab<RUNS>| n.both() && n.at_generation(2);
    [
        Flow { name: "update by a", plan, setup: acquainted, start: |n| n.update(0).unwrap(), done },
        Flow { name: "update by b", plan, setup: acquainted, start: |n| n.update(1).unwrap(), done },
        Flow {
            name: "update by both",
            plan,
            setup: acquainted,
            start: |n| {
                n.update(0).unwrap();
                n.update(1).unwrap();
            },
            done,
        },
    ]
}

fn close<const RUNS: usize>(plan: Plan) -> Flow<RUNS> {
    Flow {
        name: "close",
        plan,
        setup: acquainted,
        start: |n| n.a.a.close().unwrap(),
        done: |n| n.a.a.session().is_none() && n.b.a.session().is_none(),
    }
}

/// Restarts this side with its peer and its session.
fn comes_back<const RUNS: usize>(net: &mut Lab<RUNS>, plan: &Plan, who: usize) {
    let blob = net.export(who).unwrap();
    net.restart(plan, who);
    net.resume(who, &blob).unwrap();
}

fn resumes<const RUNS: usize>(plan: Plan) -> Vec<Flow<RUNS>> {
    let done = |n: &Lab<RUNS>| {
        n.both()
            && n.a.a.session().is_some_and(|s| {
                s.generation() > 1_000 || s.sent() > 0 || n.b.a.session().is_some_and(|b| b.sent() > 0)
            })
    };
    let mut flows = vec![
        Flow {
            name: "resume of a",
            plan,
            setup: |p| {
                let mut n = acquainted(p);
                comes_back(&mut n, p, 0);
                n
            },
            start: |_| {},
            done,
        },
        Flow {
            name: "resume of b",
            plan,
            setup: |p| {
                let mut n = acquainted(p);
                comes_back(&mut n, p, 1);
                n
            },
            start: |_| {},
            done,
        },
    ];
    if RUNS > 1 {
        flows.push(Flow {
            name: "resume of both",
            plan,
            setup: |p| {
                let mut n = acquainted(p);
                comes_back(&mut n, p, 0);
                comes_back(&mut n, p, 1);
                n
            },
            start: |_| {},
            done,
        });
    }
    flows
}

fn path<const RUNS: usize>(plan: Plan) -> Flow<RUNS> {
    Flow {
        name: "new address",
        plan,
        setup: acquainted,
        start: |n| {
            n.a.addr = Addr::new(b"elsewhere").unwrap();
            n.say(true, b"here I am");
            n.say(true, b"here I am");
        },
        done: |n| n.b.a.peer_addr() == Some(n.a.addr),
    }
}

fn small() -> Plan {
    Plan { mtu: 51, ..Plan::symmetric() }
}

#[test]
fn exchange() {
    exchanges::<2>(Plan::symmetric()).iter().for_each(Flow::run);
}

/// One place only, and a C1 of one's own in it: it gives way to the lower id's, so that b's is not tried with replays.
#[test]
fn exchange_with_one_place() {
    exchanges::<1>(Plan::symmetric())[..2].iter().for_each(Flow::run);
    let first = |n: &mut Lab<1>| n.connect(1).unwrap();
    Flow { name: "first exchange by b", start: first, ..exchanges::<1>(Plan::symmetric())[0] }.run();
}

#[test]
fn exchange_x25519() {
    exchanges::<2>(Plan { cids: [1, 8], ..Plan::new(&crypto::SUITE_0) })[..1].iter().for_each(Flow::run);
}

#[test]
fn records() {
    data::<2>(Plan::symmetric()).run();
    data::<2>(Plan { rekey_after: 1, cids: [0, 2], ..Plan::symmetric() }).run();
}

#[test]
fn update() {
    updates::<2>(Plan::symmetric()).iter().for_each(Flow::run);
}

#[test]
fn update_with_one_place() {
    updates::<1>(Plan::symmetric())[..2].iter().for_each(Flow::run);
}

#[test]
fn update_in_small_datagrams() {
    updates::<2>(small())[..1].iter().for_each(Flow::run);
}

#[test]
fn closing() {
    close::<2>(Plan::symmetric()).run();
}

#[test]
fn resume() {
    resumes::<2>(Plan::symmetric()).iter().for_each(Flow::run);
    resumes::<2>(Plan { cids: [3, 1], ..Plan::symmetric() }).iter().for_each(Flow::run);
}

#[test]
fn resume_with_one_place() {
    resumes::<1>(Plan::symmetric()).iter().for_each(Flow::run);
}

#[test]
fn new_address() {
    path::<2>(Plan::symmetric()).run();
}
