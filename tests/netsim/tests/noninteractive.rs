//! The noninteractive scheme: handshakes on bad links, epochs that pass without a message, clocks, sleep, restarts.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::cose::RevocationList;
use iotkm::crypto::Secret;
use iotkm::crypto::sign::Ed25519Key;
use iotkm::hub::Routed;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048, SETTING_FFC3072};
use iotkm::{Association, Error, Event};
use iotkm_netsim::epochs::{Lab, Plan, WALL, lab};
use iotkm_netsim::{Link, SimRng};

fn lengths<const N: usize>(net: &Lab<N>) -> Vec<usize> {
    net.trace.iter().map(|(_, bytes)| bytes.len()).collect()
}

fn by_value_and_by_reference<const N: usize>(plan: &Plan) -> Vec<usize> {
    let mut net: Lab<N> = lab(plan, 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined), "{}", net.report());
    assert!(net.chat(2_000), "{}", net.report());
    let mut all = lengths(&net);
    all.truncate(4);
    net.trace.clear();
    net.shake(0).unwrap();
    net.drive(2_000, |_| false);
    assert!(net.joined() && net.chat(2_000), "{}", net.report());
    all.extend(&lengths(&net)[..4]);
    all
}

#[test]
fn lengths_of_the_handshake() {
    let lengths = by_value_and_by_reference::<65>(&Plan::new(&SETTING_2));
    println!("{lengths:?}");
    assert_eq!(lengths, [66, 97, 56, 10, 30, 45, 56, 10]);
    assert_eq!(lengths[..4].iter().sum::<usize>(), 229);
    by_value_and_by_reference::<32>(&Plan::new(&SETTING_0));
}

#[test]
fn epochs_pass_without_a_message() {
    let plan = Plan::new(&SETTING_0);
    let mut net: Lab<32> = lab(&plan, 2, Link::GOOD);
    net.shake(1).unwrap();
    assert!(net.drive(5_000, Lab::joined), "{}", net.report());
    net.drive(1_000, |_| false);
    net.trace.clear();
    for minutes in 1..40 {
        net.drive(60_000, |_| false);
        assert!(net.joined(), "{}", net.report());
        assert!(net.epochs().0.unwrap() >= minutes, "{}", net.report());
    }
    assert!(net.trace.is_empty(), "not a byte");
    assert!(net.chat(2_000), "{}", net.report());
    assert_eq!(net.trace.len(), 2);
}

#[test]
fn handshakes_on_a_bad_link() {
    let plan = Plan::new(&SETTING_0);
    for seed in 0..60 {
        let mut net: Lab<32> = lab(&plan, seed, Link::BAD);
        net.shake((seed % 2) as usize).unwrap();
        if seed % 3 == 0 {
            let _ = net.shake(1 - (seed % 2) as usize);
        }
        assert!(net.drive(200_000, Lab::joined), "seed {seed}: {}", net.report());
        assert!(net.chat(60_000), "seed {seed}: {}", net.report());
        // And again, over what there is.
        let _ = net.shake((seed / 2 % 2) as usize);
        net.drive(200_000, |_| false);
        assert!(net.joined() && net.chat(60_000), "seed {seed}: {}", net.report());
    }
}

/// The paper's own groups, which are slow: handshake, epochs, a sleeper, a restart and a handshake by reference.
fn a_life_on_a_bad_link<const N: usize>(plan: &Plan, seed: u64) {
    let mut net: Lab<N> = lab(plan, seed, Link::BAD);
    let (first, second) = ((seed % 2) as usize, 1 - (seed % 2) as usize);
    net.shake(first).unwrap();
    assert!(net.drive(200_000, Lab::joined), "seed {seed}: {}", net.report());
    net.drive(65_000, |_| false);
    assert!(net.joined() && net.chat(60_000), "seed {seed}: {}", net.report());
    net.side(second).dead = true;
    let before = net.now;
    net.drive(200_000, |_| false);
    net.side(second).dead = false;
    net.side(second).clock.1 -= (net.now - before) as i64;
    assert!(net.chat(60_000) && net.joined(), "seed {seed}: {}", net.report());
    net.reboot(plan, first);
    net.go_on(first).unwrap();
    assert!(net.drive(200_000, Lab::joined) && net.chat(60_000), "seed {seed}: {}", net.report());
    let old = net.a.a.fingerprint();
    net.shake(second).unwrap();
    assert!(net.drive(200_000, |n| n.joined() && n.a.a.fingerprint() != old), "seed {seed}: {}", net.report());
    assert!(net.chat(60_000), "seed {seed}: {}", net.report());
}

#[test]
fn the_papers_groups_on_a_bad_link() {
    iotkm_netsim::each_seed("2048-bit subgroup", 3, |seed| {
        a_life_on_a_bad_link::<256>(&Plan::new(&SETTING_FFC2048), seed)
    });
    iotkm_netsim::each_seed("3072-bit subgroup", 2, |seed| {
        a_life_on_a_bad_link::<384>(&Plan::new(&SETTING_FFC3072), seed)
    });
}

/// 100 millionths apart, epochs of a minute, on a bad link: the faster clock leads, nobody falls out.
#[test]
fn clocks_that_drift() {
    let mut plan = Plan::new(&SETTING_0);
    plan.terms.length = 2000;
    for (seed, talk_every) in [(1, 120_000), (2, 3_600_000), (3, 600_000)] {
        let mut net: Lab<32> = lab(&plan, seed, Link::BAD);
        (net.a.clock, net.b.clock) = ((100, 0), (-100, 500_000));
        net.shake(0).unwrap();
        assert!(net.drive(200_000, Lab::joined), "{}", net.report());
        let end = net.now + 86_400_000;
        while net.now < end {
            net.drive(talk_every, |_| false);
            assert!(net.chat(60_000), "seed {seed}: {}", net.report());
        }
        assert!(net.epochs().0.unwrap() > 1400, "{}", net.report());
    }
}

/// A side whose clock stands still while it sleeps is told where the other is, and says nothing twice.
#[test]
fn sleepers() {
    let plan = Plan::new(&SETTING_0);
    for (seed, slept) in [(1, 30_000), (2, 90_000), (3, 200_000), (4, 300_000), (5, 3_600_000), (6, 20_000_000)] {
        for who in [0, 1] {
            let mut net: Lab<32> = lab(&plan, seed, Link::GOOD);
            net.shake(0).unwrap();
            assert!(net.drive(5_000, Lab::joined) && net.chat(2_000));
            net.side(who).dead = true;
            let before = net.now;
            net.drive(slept, |_| false);
            let slept = (net.now - before) as i64;
            net.side(who).dead = false;
            net.side(who).clock.1 -= slept;
            net.trace.clear();
            assert!(net.chat(10_000), "slept {slept}: {}", net.report());
            assert!(net.joined(), "slept {slept}: {}", net.report());
            let lags = net.trace.iter().filter(|(_, bytes)| bytes.len() == 26).count();
            assert!(lags <= 4, "{lags}: {:?}", net.trace);
        }
    }
}

/// A sleeper that only listens: of an epoch four further it sees the same two bits, and numbers that it has seen.
#[test]
fn sleepers_that_listen() {
    let plan = Plan::new(&SETTING_0);
    for epochs in [3, 4, 8, 40] {
        let mut net: Lab<32> = lab(&plan, 7, Link::GOOD);
        net.shake(0).unwrap();
        assert!(net.drive(5_000, Lab::joined) && net.chat(2_000));
        for _ in 0..30 {
            assert!(net.say(true, b"before"));
            net.drive(100, |_| false);
        }
        let heard = net.b.received.len();
        net.b.dead = true;
        net.drive(epochs * 60_000, |_| false);
        net.b.dead = false;
        net.b.clock.1 -= epochs as i64 * 60_000;
        for _ in 0..3 {
            assert!(net.say(true, b"after"));
            net.drive(700, |_| false);
        }
        assert!(net.joined() && net.b.received.len() >= heard + 2, "{epochs}: {}", net.report());
    }
}

/// Power comes and goes on either side, or both: from what is stored they go on, with new keys.
#[test]
fn restarts() {
    let plan = Plan::new(&SETTING_0);
    for seed in 0..12 {
        let mut net: Lab<32> = lab(&plan, seed, if seed % 2 == 0 { Link::GOOD } else { Link::BAD });
        net.shake(0).unwrap();
        assert!(net.drive(200_000, Lab::joined) && net.chat(60_000), "{}", net.report());
        for round in 0..6 {
            let off = [1_000, 70_000, 400_000][((seed + round) % 3) as usize];
            let who = ((seed / 2 + round) % 3) as usize;
            let both = who == 2;
            for side in [0, 1] {
                if both || side == who {
                    net.reboot(&plan, side);
                    net.side(side).clock.1 = -(net.now as i64) + 5;
                    net.side(side).dead = true;
                }
            }
            net.drive(off, |_| false);
            for side in [0, 1] {
                if both || side == who {
                    net.side(side).dead = false;
                    net.go_on(side).unwrap();
                }
            }
            assert!(net.drive(200_000, Lab::joined), "seed {seed} {round}: {}", net.report());
            assert!(net.chat(60_000), "seed {seed} {round}: {}", net.report());
        }
    }
}

/// A copy of the state that is put back, again and again: no key and number twice, nothing old is taken.
#[test]
fn old_state_put_back() {
    let plan = Plan::new(&SETTING_0);
    let mut net: Lab<32> = lab(&plan, 5, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined) && net.chat(2_000));
    let old = net.a.stored.clone();
    let mut records: Vec<Vec<u8>> = Vec::new();
    for _ in 0..5 {
        net.trace.clear();
        net.drive(70_000, |_| false);
        assert!(net.chat(2_000), "{}", net.report());
        records.extend(net.trace.iter().filter(|(to_b, b)| !to_b && b[0] & 8 != 0).map(|(_, b)| b.clone()));
        net.a.stored = old.clone();
        net.reboot(&plan, 0);
        if net.go_on(0).is_ok() {
            net.drive(210_000, Lab::joined);
        }
        if !net.joined() {
            // The old copy's resume root is no more: a handshake.
            net.shake(0).unwrap();
            assert!(net.drive(5_000, Lab::joined), "{}", net.report());
        }
        let heard = net.a.received.len();
        for record in &records {
            net.inject(false, &iotkm_netsim::epochs::addr(1), record);
        }
        assert_eq!(net.a.received.len(), heard);
        assert!(net.chat(2_000), "{}", net.report());
    }
}

#[test]
fn the_chain_ends() {
    let mut plan = Plan::new(&SETTING_0);
    for (life, length, last) in [(0, 3, 3), (130, 1000, 3), (600, 2, 2)] {
        (plan.terms.life, plan.terms.length) = (life, length);
        let mut net: Lab<32> = lab(&plan, 1, Link::GOOD);
        net.shake(0).unwrap();
        assert!(net.drive(5_000, Lab::joined));
        net.drive(last * 60_000 - 10_000, |_| false);
        assert!(net.chat(2_000), "{}", net.report());
        assert!(net.a.saw(|e| *e == Event::RekeyNeeded) && net.b.saw(|e| *e == Event::RekeyNeeded));
        assert_eq!(net.epochs(), (Some(last as u32), Some(last as u32)));
        net.drive(60_000, |_| false);
        assert!(!net.say(true, b"too late") && net.epochs() == (None, None), "{}", net.report());
        assert!(net.go_on(0).is_err(), "nothing is left");
        net.shake(1).unwrap();
        assert!(net.drive(5_000, Lab::joined) && net.chat(2_000), "{}", net.report());
    }
}

/// The owner of a revoked credential hears of it too, and stops.
#[test]
fn ones_own_credential_is_revoked() {
    let mut net: Lab<32> = lab(&Plan::new(&SETTING_0), 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    let serial = net.b.a.peer().serial().unwrap();
    let mut list = [0; 200];
    let signer = Ed25519Key::new(Secret::new([8; 32]));
    let len = RevocationList::issue(&signer, "acme", u64::from(WALL), 1, &[serial], &mut list).unwrap();
    net.a.a.credentials().borrow_mut().revoke(&list[..len]).unwrap();
    net.drive(61_000, |_| false);
    assert_eq!(net.epochs().0, None, "{}", net.report());
    assert_eq!(net.shake(0), Err(Error::NoCredential));
}

/// A credential that ends, and one that is revoked, end what there is.
#[test]
fn over_or_revoked() {
    let mut plan = Plan::new(&SETTING_0);
    plan.life = 1;
    let mut net: Lab<32> = lab(&plan, 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    net.drive(3_700_000, |_| false);
    assert_eq!(net.epochs(), (None, None), "{}", net.report());
    assert_eq!(net.shake(0), Err(Error::NoCredential));

    plan.life = 100;
    let mut net: Lab<32> = lab(&plan, 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    let serial = net.a.a.peer().serial().unwrap();
    let mut list = [0; 200];
    let signer = Ed25519Key::new(Secret::new([8; 32]));
    let len = RevocationList::issue(&signer, "acme", u64::from(WALL), 1, &[serial], &mut list).unwrap();
    net.a.a.credentials().borrow_mut().revoke(&list[..len]).unwrap();
    let now = net.now;
    net.a.with(now, |a, cx| {
        a.handle_timeout(cx).unwrap();
        assert!(!a.is_established() && a.fingerprint().is_none());
        assert_eq!(a.send(cx, b"a list", &mut [0; 99]).unwrap_err(), Error::NotEstablished);
    });
    // The peer is told, and starts anew in vain.
    assert!(net.drive(1_000, |n| n.b.saw(|e| *e == Event::Terminated)), "{}", net.report());
    assert_eq!(net.epochs(), (None, None), "{}", net.report());
    net.shake(1).unwrap();
    net.drive(220_000, |_| false);
    assert_eq!(net.epochs().0, None, "{}", net.report());
}

/// An epoch whose records are used up gives way to the next before its time.
#[test]
fn used_up() {
    let mut plan = Plan::new(&SETTING_0);
    plan.rekey_after = 10;
    let mut net: Lab<32> = lab(&plan, 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    for i in 0..200 {
        assert!(net.say(true, b"again"), "{i}: {}", net.report());
        net.drive(50, |_| false);
    }
    assert_eq!(net.b.received.len(), 200, "{}", net.report());
    assert!(net.epochs().0.unwrap() > 15 && net.joined(), "{}", net.report());
}

/// Everything that is forged, flipped or replayed: nothing happens, and both go on.
#[test]
fn forged_and_replayed() {
    let plan = Plan::new(&SETTING_0);
    let mut net: Lab<32> = lab(&plan, 9, Link::GOOD);
    net.shake(0).unwrap();
    let mut seen: Vec<(bool, Vec<u8>)> = Vec::new();
    let mut rng = SimRng::new(4);
    for round in 0..30 {
        net.drive(if round < 6 { 4 } else { 25_000 }, |_| false);
        if round > 6 {
            assert!(net.chat(3_000), "{round}: {}", net.report());
        }
        if round == 20 {
            net.side(1).clock.1 -= 400_000; // a LAG, too
        }
        seen.append(&mut net.trace);
        for (to_b, bytes) in seen.clone() {
            let before = (net.a.received.len(), net.b.received.len(), net.epochs());
            let mut forged = bytes.clone();
            let bit = rng.below(bytes.len() as u64 * 8) as usize;
            forged[bit / 8] ^= 1 << (bit % 8);
            let late = !net.on_its_way(&bytes);
            for datagram in [Some(forged), late.then_some(bytes)].into_iter().flatten() {
                net.inject(to_b, &iotkm_netsim::epochs::addr(usize::from(!to_b)), &datagram);
            }
            assert_eq!((net.a.received.len(), net.b.received.len(), net.epochs()), before);
        }
    }
    assert!(net.joined() && net.chat(3_000), "{}", net.report());
}

/// Both start, at about the same time, on a link that reorders: whatever completes, both have the same in the end.
#[test]
fn both_start() {
    let plan = Plan::new(&SETTING_0);
    for seed in 0..300 {
        let link = Link { loss: 10, duplicate: 20, corrupt: 0, delay: (1, 3_000) };
        let mut net: Lab<32> = lab(&plan, seed, link);
        let mut rng = SimRng::new(seed);
        for who in [seed % 2, 1 - seed % 2] {
            let _ = net.shake(who as usize);
            let pause = rng.below(6_000);
            net.drive(pause, |_| false);
        }
        net.drive(400_000, |_| false);
        assert!(net.joined() && net.chat(60_000), "seed {seed}: {}", net.report());
    }
}

/// A hub finds whose a first message is, by value and by reference.
#[test]
fn first_messages_name_their_sender() {
    let mut net: Lab<32> = lab(&Plan::new(&SETTING_0), 1, Link::GOOD);
    for _ in 0..2 {
        net.trace.clear();
        net.shake(0).unwrap();
        let first = net.trace[0].1.clone();
        let name = net.b.a.namer().1(&first).unwrap();
        let mut names = Vec::new();
        net.b.a.names(&mut |name| names.push(name));
        assert!(names.contains(&name) && net.b.a.is_named(&first) && !net.a.a.is_named(&first));
        let version = net.b.a.names_version();
        assert!(net.drive(5_000, Lab::joined));
        net.drive(5_000, |_| false);
        assert_ne!(net.b.a.names_version(), version);
    }
    assert_eq!(net.b.a.namer().1(&[0x12, 0x20, 0]), None);
}
