//! Hazard: restarts. A stored session goes on in three messages, on either side or both, over bad links, in the middle of
//! anything; what was sealed before is worth nothing after.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::{Association, Event, Reason, Stage};
use iotkm_netsim::{Lab, Link, Plan, each_seed, lab};

fn connected<const RUNS: usize>(plan: &Plan, seed: u64, link: Link) -> Lab<RUNS> {
    let mut net: Lab<RUNS> = lab(plan, seed, link);
    net.connect((seed % 2) as usize).unwrap();
    assert!(net.drive(400_000, |n| n.both()) && net.talk(60_000));
    net.drive(20_000, |_| false);
    net
}

fn comes_back<const RUNS: usize>(net: &mut Lab<RUNS>, plan: &Plan, who: usize) {
    let blob = net.export(who).unwrap();
    net.restart(plan, who);
    net.resume(who, &blob).unwrap();
}

#[test]
fn on_a_bad_link() {
    each_seed("resumed", 3_000, |seed| {
        let plan = Plan { cids: [(seed % 3) as usize, (seed / 3 % 3) as usize], ..Plan::symmetric() };
        let mut net: Lab = connected(&plan, seed, Link::BAD);
        let old = net.a.a.fingerprint();
        let sides: &[usize] = [&[0][..], &[1], &[0, 1], &[1, 0]][(seed / 2 % 4) as usize];
        sides.iter().for_each(|who| comes_back(&mut net, &plan, *who));
        assert!(net.drive(400_000, |n| n.both()), "{}", net.state());
        assert!(net.talk(60_000), "{}", net.state());
        net.assert_same_keys();
        assert_ne!(net.a.a.fingerprint(), old);
        let sorted = |received: &[Vec<u8>]| {
            let mut once = received.to_vec();
            once.sort();
            once.dedup();
            once.len()
        };
        assert_eq!(sorted(&net.a.received), net.a.received.len());
        assert_eq!(sorted(&net.b.received), net.b.received.len());
        // And again, later, from where it is now.
        comes_back(&mut net, &plan, sides[0]);
        assert!(net.drive(400_000, |n| n.both()) && net.talk(60_000), "{}", net.state());
        assert!(net.drive(250_000, |_| false) || net.both(), "{}", net.state());
    });
}

#[test]
fn data_in_the_third_message() {
    let plan = Plan::symmetric();
    let mut net: Lab = connected(&plan, 3, Link::GOOD);
    comes_back(&mut net, &plan, 0);
    net.b.received.clear();
    assert!(net.drive(5_000, |n| n.a.a.is_established()));
    net.cut(); // the bare R3 is lost
    for text in [&b"one"[..], b"two"] {
        assert!(net.say(true, text));
        let (_, bytes) = net.trace.last().unwrap();
        assert_eq!(bytes[..2], [0x10, 0x60]);
    }
    net.drive(100, |_| false);
    assert_eq!(net.b.received, [b"one".to_vec(), b"two".to_vec()]);
    assert!(net.both());
    net.say(true, b"three");
    assert_ne!(net.trace.last().unwrap().1[0], 0x10, "b has been heard: no prefix any more");
    // Copies of what came with R3 are copies.
    for (to_b, bytes) in net.trace.clone() {
        let from = if to_b { net.a.addr } else { net.b.addr };
        net.inject(to_b, &from, &bytes);
    }
    net.drive(5_000, |_| false);
    assert_eq!(net.b.received, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);
    assert!(net.both());
}

#[test]
fn old_records_are_refused() {
    for who in [0, 1] {
        let plan = Plan::symmetric();
        let mut net: Lab = connected(&plan, 4, Link::GOOD);
        net.say(true, b"late");
        net.say(false, b"late");
        let late: Vec<_> = net.trace[net.trace.len() - 2..].to_vec();
        net.cut();
        comes_back(&mut net, &plan, who);
        assert!(net.drive(5_000, |n| n.both()) && net.talk(5_000));
        for (to_b, bytes) in late {
            let from = if to_b { net.a.addr } else { net.b.addr };
            net.inject(to_b, &from, &bytes);
        }
        assert!(!net.a.received.contains(&b"late".to_vec()) && !net.b.received.contains(&b"late".to_vec()));
        assert!(net.both());
    }
}

/// The peer has lost the session and connects, while this side still tries to resume: the new session stays.
#[test]
fn a_needless_resume_ends_nothing() {
    for who in [0, 1] {
        let plan = Plan::symmetric();
        let mut net: Lab = connected(&plan, 5, Link::GOOD);
        comes_back(&mut net, &plan, who);
        net.restart(&plan, 1 - who);
        net.connect(1 - who).unwrap();
        assert!(net.drive(10_000, |n| n.both()), "{}", net.state());
        net.drive(400_000, |_| false);
        assert!(net.both() && net.talk(5_000), "{}", net.state());
        assert!(!net.node(who).saw(|e| matches!(e, Event::Failed { .. })));
    }
}

/// At every step of an update one side is cut off and goes on from its stored session: the update ends, or can be
/// asked for again, and nobody is left waiting.
fn in_the_middle_of_an_update(both: bool) {
    each_seed("resumed in the middle of an update", 48 * 4, |seed| {
        let plan = Plan::symmetric();
        let (step, who, asks) = (seed / 4, (seed % 2) as usize, (seed / 2 % 2) as usize);
        let mut net: Lab = connected(&plan, seed, Link::GOOD);
        net.update(asks).unwrap();
        for _ in 0..step {
            net.step();
        }
        for side in if both { vec![who, 1 - who] } else { vec![who] } {
            match net.export(side) {
                Some(blob) => {
                    net.restart(&plan, side);
                    net.resume(side, &blob).unwrap();
                }
                None => {
                    net.restart(&plan, side);
                    let _ = net.connect(side);
                }
            }
        }
        net.drive(700_000, |_| false);
        let each = [net.a.a.is_established(), net.b.a.is_established()];
        assert!(each[0] == each[1], "step {step}: one waits: {}", net.state());
        let done = net.lives_on();
        assert!(done.is_ok(), "step {step}: {done:?}");
    });
}

#[test]
fn in_the_middle_of_an_update_one_side() {
    in_the_middle_of_an_update(false);
}

#[test]
fn in_the_middle_of_an_update_both_sides() {
    in_the_middle_of_an_update(true);
}

/// With one place each, two restored sides cannot answer each other: they are told, and connect.
#[test]
fn both_with_one_place() {
    let plan = Plan::symmetric();
    let mut net: Lab<1> = connected(&plan, 6, Link::GOOD);
    let blobs = [net.export(0).unwrap(), net.export(1).unwrap()];
    for who in [0, 1] {
        net.restart(&plan, who);
        net.resume(who, &blobs[who]).unwrap();
    }
    net.drive(300_000, |_| false);
    if !net.both() {
        let told = |e: &Event| *e == Event::Failed { stage: Stage::Resume, reason: Reason::NoAnswer };
        assert!(net.a.saw(told) && net.b.saw(told), "{}", net.state());
    }
    let done = net.lives_on();
    assert!(done.is_ok(), "{done:?}");
}

/// The device comes back elsewhere (another address): the peer believes it once it has answered there.
#[test]
fn from_another_address() {
    let plan = Plan::symmetric();
    let mut net: Lab = connected(&plan, 7, Link::GOOD);
    net.a.addr = iotkm::Addr::new(b"elsewhere").unwrap();
    comes_back(&mut net, &plan, 0);
    assert!(net.drive(10_000, |n| n.both()) && net.talk(5_000), "{}", net.state());
    assert_eq!(net.b.a.peer_addr(), Some(net.a.addr));
}
