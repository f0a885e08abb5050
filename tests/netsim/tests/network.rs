//! Hazard: the network. 30 % loss each way, delays that reorder, duplicates, flipped bits.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::{self, Suite};
use iotkm_netsim::{Lab, Link, Plan, each_seed, lab};

/// One exchange with the default tries; who starts, follows the seed, sometimes both.
fn exchange(plan: &Plan, seed: u64) -> Lab {
    let mut net: Lab = lab(plan, seed, Link::BAD);
    let starts = seed % 5;
    if starts != 1 {
        net.connect(0).unwrap();
    }
    if starts == 1 || starts == 2 {
        net.connect(1).unwrap();
    }
    assert!(net.drive(400_000, |n| n.both()), "{}", net.state());
    net.assert_same_keys();
    net
}

/// Both connect at some time or other, so that runs cross at every point: one session comes of it.
#[test]
fn crossing_runs() {
    each_seed("crossing runs", 5_000, |seed| {
        let link = Link { loss: (seed % 4) as u32 * 10, ..Link::BAD };
        let mut net: Lab = lab(&Plan::symmetric(), seed, link);
        let mut when = [net.rng.below(4_000), net.rng.below(4_000)].map(|w| w + net.now);
        for _ in 0..2 {
            let who = usize::from(when[1] < when[0]);
            let wait = when[who].saturating_sub(net.now);
            net.drive(wait, |_| false);
            // Refused where the other's run came first; then there is one under way anyhow.
            let _ = net.connect(who);
            when[who] = u64::MAX;
        }
        net.drive(200_000, |_| false);
        assert!(net.both() && net.talk(60_000), "crossed: {}", net.state());
        net.assert_same_keys();
    });
}

/// Nothing arrives twice, nothing that was not sent.
fn life(plan: &Plan, seed: u64) {
    let mut net = exchange(plan, seed);
    assert!(net.talk(60_000), "silent: {}", net.state());
    // Glare may replace a session by the next; it must come to rest by itself.
    net.drive(30_000, |_| false);
    assert!(net.both() && net.talk(60_000), "does not come to rest: {}", net.state());
    let who = (seed % 2) as usize;
    net.update(who).unwrap();
    assert!(net.drive(2_000_000, |n| n.both() && n.at_generation(1)), "no update: {}", net.state());
    net.assert_same_keys();
    assert!(net.talk(60_000), "silent after the update");
    for received in [&net.a.received, &net.b.received] {
        let mut once = received.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), received.len(), "delivered twice");
    }
}

fn many(what: &str, suite: &'static Suite, count: u64) {
    each_seed(what, count, |seed| drop(exchange(&Plan::new(suite), seed)));
}

#[test]
fn exchange_symmetric() {
    many("exchange without Diffie-Hellman", &crypto::SUITE_0_SYMMETRIC, 10_000);
}

#[test]
fn exchange_x25519() {
    many("exchange with X25519", &crypto::SUITE_0, 10_000);
}

#[test]
fn exchange_other_suites() {
    for suite in [&crypto::SUITE_1, &crypto::SUITE_2, &crypto::SUITE_3, &crypto::SUITE_4, &crypto::SUITE_5] {
        many(&format!("exchange, suite {}", suite.id), suite, 100);
    }
}

#[test]
fn life_symmetric() {
    each_seed("exchange, data, update, next session", 2_000, |seed| life(&Plan::symmetric(), seed));
}

#[test]
fn life_x25519() {
    each_seed("the same with X25519", 500, |seed| life(&Plan::new(&crypto::SUITE_0), seed));
}

#[test]
fn life_in_small_datagrams() {
    for suite in [&crypto::SUITE_0, &crypto::SUITE_0_SYMMETRIC, &crypto::SUITE_3] {
        let plan = Plan { mtu: 51, ..Plan::new(suite) };
        each_seed(&format!("in 51 bytes, suite {}", suite.id), 200, |seed| life(&plan, seed));
    }
}

#[test]
fn life_with_connection_ids() {
    for cids in [[8, 8], [1, 0], [0, 3]] {
        let plan = Plan { cids, mtu: 64, ..Plan::symmetric() };
        each_seed("with connection ids", 200, |seed| life(&plan, seed));
    }
}

/// Generations that are used up at once: both sides step ahead of each other all the time.
#[test]
fn rekeying_in_a_storm() {
    each_seed("rekeying", 500, |seed| {
        let plan = Plan { rekey_after: 1 + (seed % 6) as u32, ..Plan::symmetric() };
        let mut net = exchange(&plan, seed);
        net.drive(30_000, |_| false);
        for _ in 0..30 {
            assert!(net.talk(120_000), "silent: {}", net.state());
        }
        net.assert_same_keys();
    });
}
