//! The history scheme over the simulated network.
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
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Association, Device, Event, Slot};
use iotkm_netsim::{Link, Net, Node};

type Log = Vec<Entry>;
type Memory = HistoryMemory<Peer, Log, 2, 256>;
type Assoc = History<Peer, Log, Memory>;

fn triple() -> Triple {
    Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0)
}

fn node(me: &[u8], peer: &[u8], suite: &'static Suite, seed: u64) -> Node<Assoc> {
    let peer = Peer::provisioned(Slot(1), Id::new(me).unwrap(), Id::new(peer).unwrap(), suite, triple()).unwrap();
    let a = History::open(peer, vec![Entry::EMPTY; 48], suite, Config::default(), Memory::new()).unwrap();
    Node::new(a, me, seed, Device::new(Secret::new([seed as u8; 32])))
}

fn pair(seed: u64, link: Link, suite: &'static Suite) -> Net<Assoc, Assoc> {
    Net::new(
        seed,
        link,
        node(b"aaaaaaaa", b"bbbbbbbb", suite, seed * 2 + 1),
        node(b"bbbbbbbb", b"aaaaaaaa", suite, seed * 2 + 2),
    )
}

fn connect(net: &mut Net<Assoc, Assoc>) {
    let to = net.b.addr;
    let now = net.now;
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
}

fn both(net: &Net<Assoc, Assoc>) -> bool {
    net.a.a.is_established() && net.b.a.is_established() && net.a.a.fingerprint() == net.b.a.fingerprint()
}

#[test]
fn exchange_and_data_on_a_good_link() {
    for suite in
        [&crypto::SUITE_0, &crypto::SUITE_0_SYMMETRIC, &crypto::SUITE_2, &crypto::SUITE_4, &crypto::SUITE_4_SYMMETRIC]
    {
        let mut net = pair(1, Link::GOOD, suite);
        connect(&mut net);
        assert!(net.drive(10_000, both), "{suite:?} {:?} {:?}", net.a.a.drops(), net.b.a.drops());
        let wire: usize = net.trace.iter().map(|(_, b)| b.len()).sum();
        println!("{suite:?}: {} messages, {wire} bytes", net.trace.len());
        assert!(net.say(true, b"hello"));
        assert!(net.say(false, b"world"));
        net.drive(1_000, |n| n.a.received.len() + n.b.received.len() == 2);
        assert_eq!(net.b.received, [b"hello"]);
        assert_eq!(net.a.received, [b"world"]);
    }
}

#[test]
fn update_then_next_session() {
    let mut net = pair(1, Link::GOOD, &crypto::SUITE_0);
    connect(&mut net);
    assert!(net.drive(10_000, both));
    net.say(true, b"21.5 C");
    net.say(false, b"ok");
    net.drive(1_000, |n| n.a.received.len() + n.b.received.len() == 2);
    let now = net.now;
    net.b.with(now, |b, cx| b.update(cx)).unwrap();
    assert!(
        net.drive(60_000, |n| both(n) && n.a.a.peer().generation() == 1 && n.b.a.peer().generation() == 1),
        "{:?} {:?}",
        net.a.events,
        net.b.events
    );
    assert!(net.b.saw(|e| *e == Event::KeyReplaced { generation: 1 }));
    assert!(net.say(true, b"again"));
    net.drive(1_000, |n| n.b.received.len() == 2);
    assert_eq!(net.b.received.last().unwrap(), b"again");
}

#[test]
fn bad_link() {
    for seed in 0..200 {
        let mut net = pair(seed, Link::BAD, if seed % 2 == 0 { &crypto::SUITE_0 } else { &crypto::SUITE_0_SYMMETRIC });
        connect(&mut net);
        assert!(net.drive(300_000, both), "seed {seed}: {:?} {:?}", net.a.events, net.b.events);
    }
}
