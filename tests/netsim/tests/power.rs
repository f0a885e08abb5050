//! Hazard: power. A cut at every write that the engine asks for, on either side, right before the write or right after
//! it: from what is stored both come back. Copied and old blobs: no nonce twice (each node's records are watched), nothing
//! delivered twice.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::history::Peer;
use iotkm::{Association, Device, Event, Reason, Stage, crypto};
use iotkm_netsim::lab::SLOT;
use iotkm_netsim::{Lab, Link, Plan, SimRng, each_seed, lab};

/// Two exchanges, an update by each side, a close, an exchange again; stops where a side dies.
fn life<const RUNS: usize>(net: &mut Lab<RUNS>, seed: u64) {
    let alive = |n: &Lab<RUNS>| !n.a.dead && !n.b.dead;
    let first = (seed % 2) as usize;
    for (round, who) in [first, 1 - first].into_iter().enumerate() {
        let _ = net.connect(who);
        net.drive(400_000, |n| n.both() || !alive(n));
        if !alive(net) {
            return;
        }
        net.drive(20_000, |n| !alive(n));
        net.talk(60_000);
        if alive(net) {
            let _ = net.update(1 - who);
        }
        net.drive(400_000, |n| !alive(n) || (n.both() && n.at_generation(round as u32 + 1)));
        if !alive(net) {
            return;
        }
        net.drive(20_000, |n| !alive(n));
    }
    let _ = net.a.a.close();
    net.drive(5_000, |n| !alive(n));
}

fn writes(node: &mut iotkm_netsim::Node<iotkm_netsim::Assoc>) -> u32 {
    node.stored[&1].0
}

/// Each write of each side, before and after, on this link.
fn every_cut(plan: &Plan, link: Link, seed: u64) -> u32 {
    let mut cuts = 0;
    let begin = || lab(plan, seed, link);
    let mut whole: Lab = begin();
    life(&mut whole, seed);
    for who in [0, 1] {
        let count = writes(whole.node(who)) - 1;
        assert!(count >= 3, "writes: {count}");
        for write in 0..count {
            for after in [false, true] {
                let mut net = begin();
                net.node(who).writes_left = Some(write);
                net.node(who).cut_after = after;
                life(&mut net, seed);
                if !net.node(who).dead {
                    continue; // the cut of another write changed the course
                }
                cuts += 1;
                // Off for a while; the other side notices, or not.
                let off = [100, 10_000, 400_000][(write as usize + usize::from(after)) % 3];
                net.drive(off, |_| false);
                net.restart(plan, who);
                net.assert_no_fork();
                let done = net.lives_on();
                assert!(done.is_ok(), "seed {seed}, side {who}, write {write}, after {after}: {done:?}");
            }
        }
    }
    cuts
}

#[test]
fn a_cut_at_every_write() {
    let plan = Plan::symmetric();
    let cuts = (0..2).map(|seed| every_cut(&plan, Link::GOOD, seed)).sum::<u32>();
    let cuts = cuts + every_cut(&Plan::new(&crypto::SUITE_0), Link::GOOD, 1);
    println!("{cuts} cuts");
}

/// Whoever lost its power and asks for a session again gets one soon, whatever the other side still waited for.
fn soon_up_again<const RUNS: usize>() {
    let plan = Plan::symmetric();
    let mut waited = 0;
    for (seed, who) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for write in 0..20 {
            for after in [false, true] {
                let mut net: Lab<RUNS> = lab(&plan, seed, Link::GOOD);
                net.node(who).writes_left = Some(write);
                net.node(who).cut_after = after;
                life(&mut net, seed);
                if !net.node(who).dead {
                    continue;
                }
                net.drive([100, 3_000, 30_000][(write as usize + usize::from(after)) % 3], |_| false);
                net.restart(&plan, who);
                let start = net.now;
                net.connect(who).unwrap();
                let up = net.drive(15_000, Lab::both);
                assert!(up, "seed {seed}, side {who}, write {write}, after {after}: {}", net.state());
                waited = waited.max(net.now - start);
                net.drive(5_000, |_| false);
                assert!(net.drive(15_000, Lab::both) && net.talk(5_000));
                net.assert_same_keys();
            }
        }
    }
    println!("{waited} ms at most");
}

#[test]
fn up_again_soon_after_a_cut() {
    soon_up_again::<2>();
}

#[test]
fn up_again_soon_after_a_cut_with_one_place() {
    soon_up_again::<1>();
}

#[test]
fn a_cut_at_every_write_on_a_bad_link() {
    each_seed("cuts on a bad link", 60, |seed| {
        every_cut(&Plan::symmetric(), Link::BAD, seed);
    });
}

/// A store that refuses for a while at every write: nothing leaves, nothing is lost for good.
#[test]
fn a_store_that_refuses() {
    each_seed("refused writes", 40, |seed| {
        let plan = Plan::symmetric();
        let mut whole: Lab = lab(&plan, seed, Link::GOOD);
        life(&mut whole, seed);
        for who in [0, 1] {
            for write in 0..writes(whole.node(who)) - 1 {
                let mut net: Lab = lab(&plan, seed, Link::GOOD);
                net.node(who).refuse = Some((write, 1 + (seed % 5) as u32));
                life(&mut net, seed);
                assert!(net.node(who).saw(|e| matches!(e, Event::StoreFailed { .. })), "write {write} of {who}");
                net.drive(20_000, |_| false);
                let done = net.lives_on();
                assert!(done.is_ok(), "seed {seed}, side {who}, write {write}: {done:?}");
            }
        }
    });
}

fn connected(seed: u64, link: Link) -> Lab {
    let mut net: Lab = lab(&Plan::symmetric(), seed, link);
    net.connect((seed % 2) as usize).unwrap();
    assert!(net.drive(400_000, |n| n.both()) && net.talk(60_000));
    net.drive(20_000, |_| false);
    net
}

fn nothing_twice(net: &Lab) {
    for received in [&net.a.received, &net.b.received] {
        let mut once = received.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), received.len(), "delivered twice");
    }
}

/// Two devices go on from copies of one session: at most one gets through, and their keys are never the same.
#[test]
fn a_copied_session() {
    each_seed("copied sessions", 500, |seed| {
        let plan = Plan::symmetric();
        let who = (seed % 2) as usize;
        let mut net = connected(seed, if seed % 3 == 0 { Link::BAD } else { Link::GOOD });
        let old = net.a.a.fingerprint().unwrap();
        let blob = net.export(who).unwrap();
        net.restart(&plan, who);
        net.resume(who, &blob).unwrap();
        // How far the first copy gets differs.
        net.drive([0, 15, 25, 40, 10_000][(seed % 5) as usize], |_| false);
        net.say(who == 0, b"from the first copy");
        net.drive(2_000, |_| false);
        let first = net.node(who).a.fingerprint();
        let received = net.node(1 - who).received.clone();
        // The second has its own randomness, but the same device.
        net.restart(&plan, who);
        net.node(who).rng = SimRng::new(seed ^ 0xc0f7);
        net.resume(who, &blob).unwrap();
        net.drive(60_000, |n| n.both());
        let second = net.node(who).a.fingerprint();
        assert!(first != Some(old) && second != Some(old), "old keys");
        assert!(first.is_none() || first != second, "the same keys in two copies");
        net.say(who == 0, b"from the second copy");
        net.drive(400_000, |_| false);
        assert!(
            net.node(1 - who).received.len() <= received.len() + 1
                || first.is_none()
                || second.is_none()
                || !net.both()
        );
        nothing_twice(&net);
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
        nothing_twice(&net);
    });
}

/// The same old session blob again and again: refused by the peer once it was used, and connecting helps.
#[test]
fn an_old_session() {
    each_seed("old sessions", 300, |seed| {
        let plan = Plan::symmetric();
        let who = (seed % 2) as usize;
        let mut net = connected(seed, Link::GOOD);
        let blob = net.export(who).unwrap();
        net.restart(&plan, who);
        net.resume(who, &blob).unwrap();
        assert!(net.drive(10_000, |n| n.both()) && net.talk(10_000));
        net.restart(&plan, who);
        net.node(who).events.clear();
        net.resume(who, &blob).unwrap();
        net.drive(300_000, |_| false);
        assert!(!net.both());
        assert!(net.node(who).saw(|e| *e == Event::Failed { stage: Stage::Resume, reason: Reason::NoAnswer }));
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
        nothing_twice(&net);
    });
}

/// An old peer blob: both come back, or the one that was put back is told.
#[test]
fn an_old_peer() {
    each_seed("old peers", 300, |seed| {
        let plan = Plan::symmetric();
        let who = (seed % 2) as usize;
        let mut net: Lab = lab(&plan, seed, Link::GOOD);
        let first = net.node(who).stored[&1].1.clone();
        net.connect(who).unwrap();
        assert!(net.drive(10_000, |n| n.both()) && net.talk(10_000));
        if seed % 4 >= 2 {
            net.update(0).unwrap();
            assert!(net.drive(60_000, |n| n.both() && n.at_generation(1)) && net.talk(10_000));
        }
        net.restart_from(&plan, who, &first);
        if seed % 4 < 2 {
            let done = net.lives_on();
            assert!(done.is_ok(), "{done:?}");
            return;
        }
        net.node(who).events.clear();
        net.connect(who).unwrap();
        net.drive(300_000, |_| false);
        assert!(net.node(who).saw(|e| *e == Event::Failed { stage: Stage::Exchange, reason: Reason::PairAgain }));
        net.node(1 - who).events.clear();
        net.connect(1 - who).unwrap();
        net.drive(300_000, |_| false);
        assert!(net.node(1 - who).saw(|e| *e == Event::Failed { stage: Stage::Exchange, reason: Reason::NoAnswer }));
    });
}

/// With a monotonic counter an old blob is refused at once; another device's, a damaged or a cut one always.
#[test]
fn blobs_that_do_not_open() {
    let mut net = connected(1, Link::GOOD);
    let (version, blob) = net.a.stored[&1].clone();
    let slot = SLOT;
    let device = net.a.device.clone();
    assert!(Peer::restore(&device, slot, version, &blob).is_ok());
    assert_eq!(Peer::restore(&device, slot, version + 1, &blob).unwrap_err(), iotkm::Error::BlobRolledBack);
    let other = Device::new(crypto::Secret::new([9; 32]));
    assert_eq!(Peer::restore(&other, slot, 0, &blob).unwrap_err(), iotkm::Error::BadBlob);
    let session = net.export(0).unwrap();
    for bit in 0..blob.len().max(session.len()) * 8 {
        for (blob, is_peer) in [(&blob, true), (&session, false)] {
            let mut bad = blob.clone();
            let Some(byte) = bad.get_mut(bit / 8) else { continue };
            *byte ^= 1 << (bit % 8);
            if is_peer {
                assert_eq!(Peer::restore(&device, slot, 0, &bad).unwrap_err(), iotkm::Error::BadBlob);
            } else {
                let mut fresh: Lab = lab(&Plan::symmetric(), 2, Link::GOOD);
                assert_eq!(fresh.resume(0, &bad).unwrap_err(), iotkm::Error::BadBlob);
                assert!(!fresh.a.a.is_established() && fresh.trace.is_empty());
            }
            if bit % 8 == 0 {
                assert!(Peer::restore(&device, slot, 0, &blob[..bit / 8]).is_err());
            }
        }
    }
}
