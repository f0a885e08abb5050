//! The Published profile does what the paper says that it does: what is refused, what fails, what is stored.

use crate::handshake::Tickets;
use iotkm::cose::{Claims, KeyGroup};
use iotkm::crypto::group::{FFC2048, FFC3072, Scalar};
use iotkm::crypto::{Dh, PrimeGroup};
use iotkm::engine::drops::Dropped;
use iotkm::interactive::Peer;
use iotkm::interactive::published::wire::message::{K1, K4, M1};
use iotkm::interactive::published::{PublishedDevice, PublishedPeer};
use iotkm::{Association, Error, Event, Reason, Slot, Stage};
use iotkm_attacks::phase1::meet;
use iotkm_attacks::tickets::hardened;
use iotkm_attacks::tickets::published::{self, Interactive, TERMS, message};
use iotkm_attacks::tickets::{NAMES, VALID, agent, claims, ticket};
use iotkm_attacks::{mallory, probe};
use iotkm_netsim::{Link, Net, Node, SimRng};

type Lab = Net<Interactive, Interactive>;

fn number(bytes: &[u8]) -> u8 {
    bytes[1] >> 4
}

/// Two devices, the first with the ticket that `change` makes of a good one.
fn lab(seed: u64, signed_by: u8, change: impl Fn(Claims<'_>) -> Claims<'_>) -> Lab {
    let mut rng = SimRng::new(seed);
    let mut side = |who: usize| {
        let (mut x, mut y) = (Scalar::zero(), [0; 256]);
        FFC2048.generate(&mut rng, &mut x, &mut y).unwrap();
        let good = claims(NAMES[who], who as u32 + 1, KeyGroup::Ffc2048, &y);
        let (by, shown) = if who == 0 { (signed_by, change(good)) } else { (7, good) };
        let shown = ticket(by, &shown);
        // A device goes by whoever issued its own ticket.
        let mut agent = agent();
        agent.key = iotkm::crypto::sign::Signer::public_key(&iotkm_attacks::tickets::signer(by)).unwrap();
        agent.name = iotkm::cose::Ticket::peek(shown).unwrap().claims().issuer;
        let a = Interactive::open(PublishedDevice::new(&FFC2048, shown, x, agent).unwrap(), Slot(1), None);
        let device = iotkm::Device::new(iotkm::crypto::Secret::new([who as u8 + 1; 32]));
        Node::new(a, NAMES[who].as_bytes(), seed * 2 + who as u64, device)
    };
    let (a, b) = (side(0), side(1));
    Net::new(seed, Link::GOOD, a, b)
}

fn refused(mut net: Lab) {
    assert!(!published::connect(&mut net));
    assert_eq!(net.trace.len(), 1, "M1 and no answer");
    assert_eq!(net.b.a.drops().get(Dropped::Forged), 1);
    let failed = |e: &Event| *e == Event::Failed { stage: Stage::Pairing, reason: Reason::NoAnswer };
    assert!(net.a.saw(failed));
}

#[test]
fn tickets_are_verified() {
    assert!(published::connect(&mut lab(1, 7, |good| good)));
    refused(lab(2, 8, |good| good));
    refused(lab(3, 7, |good| Claims { issuer: "other", ..good }));
    refused(lab(4, 7, |good| Claims { expires: VALID.0 + 1, ..good }));
    refused(lab(5, 7, |good| Claims { not_before: Some(VALID.1 - 1), ..good }));
}

#[test]
fn a_missing_message_fails_the_run() {
    for lost in 0..8 {
        let mut net = published::interactive(10 + lost as u64);
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.connect(cx, &to, TERMS)).unwrap();
        assert!(net.drive(5_000, |n| n.trace.len() > lost));
        net.cut();
        net.drive(5_000, |_| false);
        assert_eq!(net.trace.len(), lost + 1, "nothing more is said");
        assert!(net.a.saw(|e| matches!(e, Event::Failed { reason: Reason::NoAnswer, .. })), "{lost}");
        assert!(!net.a.a.is_established());
        // What phase 1 left on one side only is not asked for.
        net.drive(2_000, |_| false);
        assert!(published::connect(&mut net), "{lost}");
    }
}

#[test]
fn what_is_stored_comes_back() {
    let mut net = published::interactive(20);
    assert!(published::connect(&mut net));
    let (_, blob) = net.a.stored[&1].clone();
    let hardened = Peer::<288>::restore(&net.a.device, Slot(1), 0, &blob, &mut vec![0; blob.len()]);
    assert_eq!(hardened.unwrap_err(), Error::BadBlob, "Hardened takes none");
    let peer = PublishedPeer::restore(&net.a.device, &blob).unwrap();
    assert_eq!((peer.pmk(), peer.zeros()), (net.b.a.peer().unwrap().pmk(), net.b.a.peer().unwrap().zeros()));
    assert_eq!(peer.id().as_bytes(), NAMES[1].as_bytes());
    assert!(PublishedPeer::restore(&net.b.device, &blob).is_err());
    assert!(PublishedPeer::restore(&net.a.device, &blob[1..]).is_err());
}

#[test]
fn a_pmk_is_proven() {
    let mut net = published::interactive(21);
    assert!(published::connect(&mut net));
    let m1 = net.trace[0].1.clone();
    assert_eq!(number(&m1), M1);
    // With a V, but another's: refused. K1 likewise.
    let before = net.b.a.drops().get(Dropped::Forged);
    assert!(probe(&mut net, true, &[&m1[..], &[0; 32]].concat()).is_empty());
    let k1 = net.trace.iter().find(|(_, b)| number(b) == K1).unwrap().1.clone();
    for at in [2, k1.len() - 1] {
        let mut forged = k1.clone();
        forged[at] ^= 1;
        assert!(probe(&mut net, true, &forged).is_empty());
    }
    assert_eq!(net.b.a.drops().get(Dropped::Forged), before + 3);
    // No K4 out of nothing, and none of another run's.
    let k4 = net.trace.iter().find(|(_, b)| number(b) == K4).unwrap().1.clone();
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.rekey(cx, &to)).unwrap();
    net.flush();
    net.a.events.clear();
    for forged in [k4, message(1, K4, &[0; 36])] {
        net.inject(false, &mallory(), &forged);
    }
    assert!(!net.a.saw(|e| matches!(e, Event::Established { .. })));
    assert!(net.drive(5_000, |n| n.a.saw(|e| matches!(e, Event::Established { .. }))));
    assert_eq!(net.a.a.session_key(), net.b.a.session_key());
}

#[test]
fn neither_profile_takes_a_message_of_the_other() {
    let mut weak = published::interactive(22);
    assert!(published::connect(&mut weak) && weak.say(true, b"text"));
    let mut strong = hardened::lab(&hardened::FFC, 22);
    assert!(meet::<Tickets>(&mut strong) && strong.say(true, b"text"));
    weak.cut();
    strong.cut();
    for (_, bytes) in &weak.trace {
        assert_eq!(bytes[0] >> 4, 15);
        let (now, before) = (strong.now, strong.b.a.drops().get(Dropped::Version));
        strong.b.input(now, &mallory(), bytes);
        assert_eq!(strong.b.a.drops().get(Dropped::Version), before + 1);
    }
    for (_, bytes) in &strong.trace {
        assert_eq!(bytes[0] >> 4, 1);
        let (now, before) = (weak.now, weak.b.a.drops().get(Dropped::Version));
        weak.b.input(now, &mallory(), bytes);
        assert_eq!(weak.b.a.drops().get(Dropped::Version), before + 1);
    }
}

#[test]
fn elements_outside_the_subgroup_are_refused() {
    let mut outside = [0; 384];
    outside[383] = 2;
    let mut x = Scalar::zero();
    FFC3072.generate(&mut SimRng::new(1), &mut x, &mut [0; 384]).unwrap();
    assert!(FFC3072.power(&outside, &x, &mut [0; 384]).is_err());
    let claims = claims(NAMES[0], 1, KeyGroup::Ffc3072, &outside);
    assert!(PublishedDevice::new(&FFC3072, ticket(7, &claims), x, agent()).is_err(), "another's public key");
}
