//! Pairing under every hazard: a bad network, somebody else's datagrams, power, one device after the other.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::cpace::CPACE_RISTRETTO255;
use iotkm::crypto::{self, Secret};
use iotkm::engine::Config;
use iotkm::history::pairing::{ATTEMPTS, PairingMemory, Setup};
use iotkm::history::wire::message;
use iotkm::history::{Id, Pairing, Peer};
use iotkm::{Addr, Association, Device, Error, Event, Output, Reason, Slot, Stage};
use iotkm_netsim::{Link, Net, Node, SimRng, each_seed};

type P = Pairing<PairingMemory<2, 256>>;
type Pairs = Net<P, P>;

const PEER: Slot = Slot(7);
const COUNT: Slot = Slot(1);

fn open(me: &[u8]) -> P {
    let setup = Setup {
        me: Id::new(me).unwrap(),
        suite: &crypto::SUITE_0_SYMMETRIC,
        cpace: &CPACE_RISTRETTO255,
        peer_slot: PEER,
        attempts_slot: COUNT,
    };
    Pairing::open(setup, Config::default(), PairingMemory::new()).unwrap()
}

fn node(me: &[u8], seed: u64) -> Node<P> {
    Node::new(open(me), me, seed, Device::new(Secret::new([seed as u8; 32])))
}

fn begin(net: &mut Pairs) {
    let (now, to) = (net.now, net.b.addr);
    net.b.with(now, |b, cx| b.listen(cx, b"secret", 600_000)).unwrap();
    net.a.with(now, |a, cx| a.start(cx, &to, b"secret")).unwrap();
    net.flush();
}

fn pairs(seed: u64, link: Link) -> Pairs {
    let mut net = Net::new(seed, link, node(b"phone", seed * 2 + 1), node(b"drone", seed * 2 + 2));
    begin(&mut net);
    net
}

fn stored(node: &Node<P>) -> Option<Peer> {
    node.stored.get(&PEER.0).map(|(_, blob)| Peer::restore(&node.device, PEER, 0, blob).unwrap())
}

fn done(net: &Pairs) -> bool {
    let paired = |e: &Event| matches!(e, Event::Paired { .. });
    net.a.saw(paired) && net.b.saw(paired)
}

fn assert_same(net: &Pairs) {
    let (a, b) = (stored(&net.a).unwrap(), stored(&net.b).unwrap());
    assert_eq!(a.fingerprint(), b.fingerprint());
}

#[test]
fn bad_network() {
    each_seed("pairing", 1_000, |seed| {
        let mut net = pairs(seed, Link::BAD);
        assert!(net.drive(600_000, done), "{:?} {:?} {:?}", net.a.events, net.b.events, net.b.a.attempts());
        assert_same(&net);
    });
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    Flip(usize),
    Truncate(usize),
    Extend,
    Replay(usize, bool),
    Forge(u64),
    Race,
}

/// One datagram of somebody else's costs an attempt at most, and the pairing completes.
fn harmed(step: usize, harm: Harm) {
    let mut net = pairs(1, Link::GOOD);
    for _ in 0..step {
        net.step();
    }
    let stranger = Addr::new(b"stranger").unwrap();
    let (to_b, from, real) = net.arriving().unwrap_or((true, net.a.addr, vec![0]));
    let mut bytes = real.clone();
    match harm {
        Harm::Flip(bit) => bytes[bit / 8] ^= 1 << (bit % 8),
        Harm::Truncate(len) => bytes.truncate(len),
        Harm::Extend => bytes.push(0),
        Harm::Replay(earlier, _) => bytes = net.trace[earlier].1.clone(),
        Harm::Forge(seed) => {
            let mut rng = SimRng::new(seed);
            let head = if seed % 8 == 0 { [0x10, 0x20] } else { [0x16, ((seed % 8 + 7) << 4) as u8] };
            bytes = head.into_iter().chain((0..8 + rng.below(80)).map(|_| rng.next() as u8)).collect();
            bytes.truncate(if seed % 8 == 0 { 10 } else { 90 });
        }
        Harm::Race => {}
    }
    let from = if matches!(harm, Harm::Race | Harm::Replay(_, true)) { stranger } else { from };
    let before = (net.a.a.attempts(), net.b.a.attempts());
    for to_b in if matches!(harm, Harm::Replay(..) | Harm::Forge(_)) { vec![true, false] } else { vec![to_b] } {
        net.inject(to_b, &from, &bytes);
    }
    assert!(net.a.a.attempts() <= before.0 + 1 && net.b.a.attempts() <= before.1 + 1);
    assert!(net.drive(60_000, done), "step {step} {harm:?}: {:?} {:?}", net.a.events, net.b.events);
    assert_same(&net);
    // Its own attempt is forgiven; what the harm cost stays counted, one at most.
    assert!(net.a.a.attempts() <= 1 && net.b.a.attempts() <= 1);
}

#[test]
fn forgery() {
    let mut cases = Vec::new();
    let mut net = pairs(1, Link::GOOD);
    for step in 0..100 {
        if let Some((_, _, bytes)) = net.arriving() {
            cases.extend((0..bytes.len() * 8).step_by(3).map(|bit| (step, Harm::Flip(bit))));
            cases.extend((0..bytes.len()).step_by(2).map(|len| (step, Harm::Truncate(len))));
            cases.extend([(step, Harm::Extend), (step, Harm::Race)]);
        }
        cases
            .extend((0..net.trace.len()).flat_map(|i| [(step, Harm::Replay(i, false)), (step, Harm::Replay(i, true))]));
        cases.extend((0..16).map(|seed| (step, Harm::Forge(seed))));
        if done(&net) {
            break;
        }
        assert!(net.step());
    }
    each_seed("forged pairing", cases.len() as u64, |case| {
        let (step, harm) = cases[case as usize];
        harmed(step, harm);
    });
}

/// A cut at every write: the count of attempts is never lower than what has left, and pairing again works.
#[test]
fn power() {
    for who in [0, 1] {
        for write in 0..3 {
            for after in [false, true] {
                let mut net = pairs(2, Link::GOOD);
                let node = if who == 0 { &mut net.a } else { &mut net.b };
                (node.writes_left, node.cut_after) = (Some(write), after);
                net.drive(400_000, |n| n.a.dead || n.b.dead);
                assert!(net.a.dead || net.b.dead, "side {who}, write {write}");
                let sent = net.trace.iter().any(|(to_b, b)| *to_b == (who == 0) && matches!(b[1] >> 4, 10 | 11));
                net.drive(400_000, |_| false);
                for node in [&mut net.a, &mut net.b] {
                    let me = node.addr;
                    node.a = open(me.as_bytes());
                    (node.dead, node.writes_left) = (false, None);
                    if let Some((_, blob)) = node.stored.get(&COUNT.0) {
                        node.a.restore_attempts(&node.device, 0, blob).unwrap();
                    }
                    node.events.clear();
                }
                let cut = if who == 0 { &net.a } else { &net.b };
                let safe = stored(cut).is_some();
                assert!(!sent || safe || cut.a.attempts() > 0, "side {who}, write {write}: an attempt was forgotten");
                begin(&mut net);
                assert!(net.drive(60_000, done), "side {who}, write {write}, after {after}: {:?}", net.b.events);
                assert_same(&net);
            }
        }
    }
}

/// The next device, while the answers to the last one are still kept.
#[test]
fn one_device_after_the_other() {
    let mut net = pairs(3, Link::GOOD);
    assert!(net.drive(10_000, done));
    for _ in 0..3 {
        let mut next = node(b"tablet", 77);
        next.addr = net.a.addr;
        net.a = next;
        net.b.events.clear();
        net.b.stored.remove(&PEER.0);
        begin(&mut net);
        assert!(net.drive(20_000, done), "{:?} {:?}", net.a.events, net.b.events);
        assert_same(&net);
    }
}

#[test]
fn misuse() {
    let mut net = pairs(4, Link::GOOD);
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| {
        assert_eq!(a.start(cx, &to, b"secret").unwrap_err(), Error::WrongState);
        assert_eq!(a.listen(cx, b"secret", 1_000).unwrap_err(), Error::WrongState);
        assert_eq!(a.start(cx, &to, b"").unwrap_err(), Error::BadArgument);
        assert_eq!(a.start(cx, &to, &[1; 65]).unwrap_err(), Error::BadArgument);
        assert!(a.take_peer().is_none());
    });
    net.a.a.cancel();
    net.b.a.cancel();
    net.cut();
    begin(&mut net);
    assert!(net.drive(20_000, done));
    // Five wrong guesses lock it; the lock survives a restart, and only the user opens it.
    let (_, blob) = net.b.stored[&COUNT.0].clone();
    assert_eq!(open(b"drone").restore_attempts(&net.b.device, 1_000, &blob).unwrap_err(), Error::BlobRolledBack);
    assert_eq!(open(b"drone").restore_attempts(&net.a.device, 0, &blob).unwrap_err(), Error::BadBlob);
    let mut net = pairs(5, Link::GOOD);
    for guess in 0..10 {
        net.a = node(b"phone", 100 + guess);
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.start(cx, &to, b"wrong")).unwrap();
        net.drive(5_000, |_| false);
    }
    assert_eq!(net.b.a.attempts(), ATTEMPTS);
    assert!(net.b.saw(|e| *e == Event::Failed { stage: Stage::Pairing, reason: Reason::Locked }));
    let mut again = open(b"drone");
    again.restore_attempts(&net.b.device, 0, &net.b.stored[&COUNT.0].1).unwrap();
    net.b.a = again;
    let now = net.now;
    assert_eq!(net.b.with(now, |b, cx| b.listen(cx, b"secret", 1_000)).unwrap_err(), Error::Locked);
    net.b.a.unlock();
    net.flush();
    assert!(net.b.with(now, |b, cx| b.listen(cx, b"secret", 1_000)).is_ok());
}

/// The store is slow, and while it writes the count of attempts the pairing completes: its answer is for what it wrote.
#[test]
fn unlocked_while_the_store_is_slow() {
    for message in [message::P5, message::P6] {
        let mut net = pairs(3, Link::GOOD);
        let is_it = |net: &Pairs| net.arriving().filter(|(_, _, bytes)| bytes[1] >> 4 == message);
        while is_it(&net).is_none() {
            assert!(net.step());
        }
        let (_, from, bytes) = is_it(&net).unwrap();
        let now = net.now;
        let node = if message == message::P5 { &mut net.b } else { &mut net.a };
        node.with(now, |pairing, cx| {
            pairing.unlock();
            let mut out = [0; 500];
            assert!(matches!(pairing.poll(cx, &mut out), Output::Persist { slot: COUNT, .. }));
            assert!(matches!(pairing.poll(cx, &mut out), Output::Idle { .. }));
        });
        node.input(now, &from, &bytes);
        assert!(!node.saw(|e| matches!(e, Event::Paired { .. })));
        node.a.persisted(COUNT, Ok(()));
        node.drain(now);
        assert!(node.saw(|e| matches!(e, Event::Paired { .. })), "{:?}", node.events);
        assert!(stored(node).is_some() && node.a.attempts() == 0);
    }
}
