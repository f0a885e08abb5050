//! A leaf and its hub: what a leaf does without looks to the hub like a peer that does not answer, and nothing else breaks.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::{self, Secret, Suite};
use iotkm::engine::Config;
use iotkm::history::{Entry, History, HistoryMemory, Id, Leaf, Peer, Triple};
use iotkm::{Association, Device, Error, Event, Reason, Slot, Stage};
use iotkm_netsim::{Link, Net, Node};

type Log = [Entry; 0];
type Memory = HistoryMemory<Peer, Log, 1, 0, Leaf>;
type Small = History<Peer, Log, Memory, Leaf>;
type Hub = History<Peer, Vec<Entry>, HistoryMemory<Peer, Vec<Entry>, 2, 256>>;

fn peer(me: &[u8], other: &[u8], suite: &'static Suite) -> Peer {
    let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
    Peer::provisioned(Slot(1), Id::new(me).unwrap(), Id::new(other).unwrap(), suite, triple).unwrap()
}

fn device(n: u8) -> Device {
    Device::new(Secret::new([n; 32]))
}

/// `leaf_first`: the leaf has the lower id, which decides on glare.
fn star(seed: u64, link: Link, suite: &'static Suite, leaf_first: bool) -> Net<Small, Hub> {
    let (leaf, hub): (&[u8], &[u8]) = if leaf_first { (b"aaaa", b"bbbb") } else { (b"bbbb", b"aaaa") };
    let a = Small::open(peer(leaf, hub, suite), [], suite, Config::default(), Memory::new()).unwrap();
    let log = vec![Entry::EMPTY; 48];
    let b = Hub::open(peer(hub, leaf, suite), log, suite, Config::default(), HistoryMemory::new()).unwrap();
    Net::new(seed, link, Node::new(a, leaf, seed * 2 + 1, device(1)), Node::new(b, hub, seed * 2 + 2, device(2)))
}

fn both(net: &Net<Small, Hub>) -> bool {
    net.a.a.is_established() && net.b.a.is_established() && net.a.a.fingerprint() == net.b.a.fingerprint()
}

fn connect(net: &mut Net<Small, Hub>) {
    let (to, now) = (net.b.addr, net.now);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
}

#[test]
fn connects_on_a_bad_link() {
    for seed in 0..300 {
        let suite = [&crypto::SUITE_0, &crypto::SUITE_4_SYMMETRIC][(seed % 2) as usize];
        let mut net = star(seed, Link::BAD, suite, seed % 4 < 2);
        connect(&mut net);
        assert!(net.drive(300_000, both), "seed {seed}: {:?} {:?}", net.a.events, net.b.events);
        // A second exchange replaces the first.
        let first = net.a.a.fingerprint();
        connect(&mut net);
        let renewed = |n: &Net<Small, Hub>| both(n) && n.a.a.fingerprint() != first;
        assert!(net.drive(300_000, renewed), "seed {seed}: {:?} {:?}", net.a.events, net.b.events);
    }
}

#[test]
fn answers_no_exchange_and_no_update() {
    for leaf_first in [true, false] {
        let mut net = star(1, Link::GOOD, &crypto::SUITE_4, leaf_first);
        connect(&mut net);
        assert!(net.drive(10_000, both));
        for n in 0..4 {
            assert!(net.say(true, &[n; 20]) && net.say(false, &[n; 10]));
        }
        net.drive(1_000, |_| false);

        let now = net.now;
        net.b.with(now, |b, cx| b.update(cx)).unwrap();
        net.drive(600_000, |_| false);
        assert!(net.b.saw(|e| *e == Event::UpdateFailed { reason: Reason::NoAnswer }), "{:?}", net.b.events);
        let (to, now) = (net.a.addr, net.now);
        net.b.with(now, |b, cx| b.connect(cx, &to)).unwrap();
        net.drive(600_000, |_| false);
        assert!(net.b.saw(|e| *e == Event::Failed { stage: Stage::Exchange, reason: Reason::NoAnswer }));

        // The session that was there goes on.
        assert!(both(&net) && net.say(true, b"on") && net.say(false, b"and on"));
        net.drive(1_000, |_| false);
        assert_eq!(
            (net.a.received.last().unwrap(), net.b.received.last().unwrap()),
            (&b"and on".to_vec(), &b"on".to_vec())
        );
        assert_eq!(net.a.a.peer().generation(), 0);
    }
}

#[test]
fn says_what_it_does_not_do() {
    let mut net = star(1, Link::GOOD, &crypto::SUITE_4, true);
    connect(&mut net);
    assert!(net.drive(10_000, both));
    let now = net.now;
    net.a.with(now, |a, cx| {
        assert_eq!(a.update(cx), Err(Error::NoRecord));
        assert_eq!(a.export(cx, &mut [0; 200]), Err(Error::WrongState));
        assert_eq!(a.restore(cx, &[0; 100]), Err(Error::WrongState));
    });
    let short = Config { mtu: 64, ..Config::default() };
    let refused = Small::open(peer(b"a", b"b", &crypto::SUITE_4), [], &crypto::SUITE_4, short, Memory::new());
    assert_eq!(refused.err(), Some(Error::BadArgument));
}
