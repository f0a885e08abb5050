//! Pairing over the simulated network.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace};
use iotkm::crypto::{self, Secret};
use iotkm::engine::Config;
use iotkm::history::pairing::{ATTEMPTS, PairingMemory, Setup};
use iotkm::history::{Id, Pairing, Peer};
use iotkm::{Device, Event, Reason, Slot, Stage};
use iotkm_netsim::{Link, Net, Node};

type P = Pairing<PairingMemory<2, 256>>;

fn node(me: &[u8], cpace: &'static dyn Cpace, seed: u64) -> Node<P> {
    let setup =
        Setup { me: Id::new(me).unwrap(), suite: &crypto::SUITE_0, cpace, peer_slot: Slot(7), attempts_slot: Slot(1) };
    let a = Pairing::open(setup, Config::default(), PairingMemory::new()).unwrap();
    Node::new(a, me, seed, Device::new(Secret::new([seed as u8; 32])))
}

fn run(seed: u64, link: Link, cpace: &'static dyn Cpace, sk_a: &[u8], sk_b: &[u8]) -> Net<P, P> {
    let mut net = Net::new(seed, link, node(b"phone", cpace, seed * 2 + 1), node(b"drone", cpace, seed * 2 + 2));
    let (now, to) = (net.now, net.b.addr);
    net.b.with(now, |b, cx| b.listen(cx, sk_b, 600_000)).unwrap();
    net.a.with(now, |a, cx| a.start(cx, &to, sk_a)).unwrap();
    net
}

fn paired(event: &Event) -> bool {
    matches!(event, Event::Paired { .. })
}

#[test]
fn both_get_the_same_triple() {
    for cpace in [&CPACE_RISTRETTO255 as &'static dyn Cpace, &CPACE_P256] {
        let mut net = run(1, Link::GOOD, cpace, b"secret", b"secret");
        assert!(net.drive(60_000, |n| n.a.saw(paired) && n.b.saw(paired)), "{:?} {:?}", net.a.events, net.b.events);
        let (a, b) = (net.a.a.take_peer().unwrap(), net.b.a.take_peer().unwrap());
        assert_eq!(a.fingerprint(), b.fingerprint());
        for n in [&net.a, &net.b] {
            let (_, blob) = &n.stored[&7];
            assert_eq!(Peer::restore(&n.device, Slot(7), 0, blob).unwrap().fingerprint(), a.fingerprint());
        }
        assert_eq!(net.a.a.attempts(), 0);
        assert_eq!(net.b.a.attempts(), 0);
        let wire: usize = net.trace.iter().map(|(_, b)| b.len()).sum();
        println!("pairing: {} messages, {wire} bytes", net.trace.len());
    }
}

#[test]
fn bad_link() {
    for seed in 0..60 {
        let mut net = run(seed, Link::BAD, &CPACE_RISTRETTO255, b"secret", b"secret");
        assert!(
            net.drive(600_000, |n| n.a.saw(paired) && n.b.saw(paired)),
            "seed {seed}: {:?} {:?} {:?}",
            net.a.events,
            net.b.events,
            net.b.a.attempts()
        );
    }
}

#[test]
fn a_wrong_secret_is_one_attempt_and_five_lock() {
    let mut net = run(3, Link::GOOD, &CPACE_RISTRETTO255, b"guess 0", b"secret");
    for guess in 1..=ATTEMPTS {
        let before = net.b.a.attempts();
        net.drive(20_000, |n| n.b.a.attempts() > before);
        assert_eq!(net.b.a.attempts(), guess);
        assert!(net.b.saw(|e| *e == Event::Failed { stage: Stage::Pairing, reason: Reason::WrongSecret }));
        net.drive(20_000, |n| n.a.saw(|e| *e == Event::Hint { reason: Reason::WrongSecret }) || guess == ATTEMPTS);
        net.a.a.cancel();
        net.a.a.unlock();
        net.cut();
        let (now, to) = (net.now, net.b.addr);
        net.flush();
        net.a.with(now, |a, cx| a.start(cx, &to, format!("guess {guess}").as_bytes())).unwrap();
    }
    assert!(net.b.saw(|e| *e == Event::Failed { stage: Stage::Pairing, reason: Reason::Locked }));
    assert!(!net.b.saw(paired));
}
