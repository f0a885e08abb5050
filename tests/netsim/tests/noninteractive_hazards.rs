//! The noninteractive scheme: power cut at every write, forged datagrams and what they cost, state that is seized, memory
//! that is full, a fleet for a day.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::group::{GroupError, Ristretto255, Scalar};
use iotkm::crypto::hpke::KEM_RISTRETTO255;
use iotkm::crypto::{Dh, PrimeGroup, Rng, SUITE_0_SYMMETRIC};
use iotkm::noninteractive::Setting;
use iotkm::noninteractive::setting::SETTING_0;
use iotkm::{Association, Event, Stage};
use iotkm_netsim::epochs::{Lab, Plan, addr, lab};
use iotkm_netsim::{Link, SimRng};
use std::sync::atomic::{AtomicUsize, Ordering};

/// ristretto255 that counts what it is asked to do.
struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);
static COUNTING: Setting = Setting { suite: &SUITE_0_SYMMETRIC, group: &Counting, kem: &KEM_RISTRETTO255 };

impl Dh for Counting {
    fn share_len(&self) -> usize {
        Ristretto255.share_len()
    }
    fn secret_len(&self) -> usize {
        Ristretto255.secret_len()
    }
    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ristretto255.generate(rng, scalar, share)
    }
    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ristretto255.agree(scalar, share, out)
    }
}

impl PrimeGroup for Counting {
    fn element_len(&self) -> usize {
        Ristretto255.element_len()
    }
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        Ristretto255.random_scalar(rng, scalar)
    }
    fn one(&self) -> Scalar {
        Ristretto255.one()
    }
    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        Ristretto255.reduce(wide, scalar)
    }
    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        Ristretto255.mul_add(a, b, c, out)
    }
    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ristretto255.base(scalar, out);
    }
    fn power(&self, element: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ristretto255.power(element, scalar, out)
    }
    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        COUNT.fetch_add(1, Ordering::Relaxed);
        Ristretto255.double_power(a, x, b, y, out)
    }
    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError> {
        Ristretto255.element_of_share(share, element)
    }
    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        Ristretto255.share_of_element(element, share)
    }
}

fn spent() -> usize {
    COUNT.swap(0, Ordering::Relaxed)
}

/// Three group operations an epoch and a side; a jump is one epoch more (the one jumped to, and the next); whatever is
/// forged or replayed costs none.
#[test]
fn what_group_operations_are_for() {
    let plan = Plan::new(&COUNTING);
    let mut net: Lab<32> = lab(&plan, 1, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    net.drive(30_000, |_| false);
    spent();
    let mut seen = Vec::new();
    for _ in 0..5 {
        net.trace.clear();
        net.drive(60_000, |_| false);
        assert_eq!(spent(), 6);
        assert!(net.chat(2_000));
        seen.append(&mut net.trace);
    }
    assert_eq!(spent(), 0);
    let mut rng = SimRng::new(1);
    let epochs = net.epochs();
    for round in 0..4000u32 {
        let (to_b, record) = seen[round as usize % seen.len()].clone();
        let forged = match round % 3 {
            0 => record,
            1 => {
                let mut forged = record;
                forged[0] = 0x18 | (round as u8 & 3);
                forged[1..3].copy_from_slice(&(round as u16).to_be_bytes());
                forged
            }
            _ => {
                let epoch = rng.below(1000) as u32;
                let mut lag = vec![0x12, 0x50 | (epoch & 15) as u8];
                lag.extend(epoch.to_be_bytes());
                lag.extend((0..20).map(|_| rng.next() as u8));
                lag
            }
        };
        net.inject(to_b, &addr(usize::from(!to_b)), &forged);
        net.drive(2, |_| false);
    }
    assert_eq!((spent(), net.epochs()), (0, epochs));
    // A side that has missed a hundred epochs.
    net.b.dead = true;
    net.drive(6_000_000, |_| false);
    assert!(spent() <= 303);
    net.b.dead = false;
    net.b.clock.1 -= 6_000_000;
    net.drive(1_000, |_| false);
    spent();
    assert!(net.chat(10_000) && net.joined(), "{}", net.report());
    assert!(spent() <= 6, "three for the epoch jumped to, three for the next");
}

/// What a thief of both sides' whole state holds at epoch t is tried on every record before.
#[test]
fn seized_state_opens_nothing_before() {
    let plan = Plan::new(&SETTING_0);
    let mut net: Lab<32> = lab(&plan, 3, Link::GOOD);
    net.shake(0).unwrap();
    assert!(net.drive(5_000, Lab::joined));
    let mut records: Vec<(u32, bool, Vec<u8>)> = Vec::new();
    for _ in 0..8 {
        net.trace.clear();
        let epoch = net.epochs().0.unwrap();
        // Never delivered: no window has seen them.
        assert!(net.say(true, b"to b") && net.say(false, b"to a"));
        net.cut();
        records.extend(net.trace.iter().map(|(to_b, bytes)| (epoch, *to_b, bytes.clone())));
        net.drive(60_000, |_| false);
    }
    net.drive(10_000, |_| false);
    let now = net.epochs().0.unwrap();
    assert!(records.iter().any(|(epoch, ..)| epoch + 1 == now), "{now}");
    // As it is in memory.
    for (epoch, to_b, bytes) in &records {
        let before = net.a.received.len() + net.b.received.len();
        net.inject(*to_b, &addr(usize::from(!to_b)), bytes);
        let opened = net.a.received.len() + net.b.received.len() > before;
        assert_eq!(opened, epoch + 1 >= now, "epoch {epoch} of {now}");
    }
    // As it is stored: both sides started again, together, with all their keys.
    for both in [false, true] {
        net.reboot(&plan, 0);
        net.go_on(0).unwrap();
        if both {
            net.reboot(&plan, 1);
            net.go_on(1).unwrap();
        }
        assert!(net.drive(210_000, Lab::joined), "{}", net.report());
        let before = net.a.received.len() + net.b.received.len();
        for (_, to_b, bytes) in &records {
            net.inject(*to_b, &addr(usize::from(!to_b)), bytes);
        }
        assert_eq!(net.a.received.len() + net.b.received.len(), before);
        assert!(net.chat(5_000), "{}", net.report());
    }
}

/// Handshake, epochs, a restart of each, a handshake again; stops where a side dies.
fn life(net: &mut Lab<32>, plan: &Plan, seed: u64) {
    let alive = |n: &Lab<32>| !n.a.dead && !n.b.dead;
    let first = (seed % 2) as usize;
    for who in [first, 1 - first] {
        let _ = net.shake(who);
        net.drive(220_000, |n| !alive(n) || n.joined());
        for _ in 0..3 {
            net.drive(50_000, |n| !alive(n));
            if !alive(net) {
                return;
            }
            net.chat(5_000);
        }
        if !alive(net) {
            return;
        }
        let left = net.side(who).writes_left;
        net.reboot(plan, who);
        net.side(who).writes_left = left;
        let _ = net.go_on(who);
        net.drive(220_000, |n| !alive(n) || n.joined());
        net.drive(5_000, |n| !alive(n));
        if !alive(net) {
            return;
        }
    }
}

/// Back from what is stored, by resume or, where the side is told that this is over, by a handshake.
fn lives_on(net: &mut Lab<32>, who: usize) -> Result<bool, String> {
    let mut resumed = net.go_on(who).is_ok();
    if resumed {
        net.drive(230_000, |n| n.joined() && n.epochs().0.is_some());
    }
    if !net.joined() {
        if resumed && !net.side(who).saw(|e| matches!(e, Event::Failed { stage: Stage::Resume, .. })) {
            return Err(format!("neither back nor told: {}", net.report()));
        }
        resumed = false;
        // The other side may still wait for an answer in a run that this side has forgotten: at worst that ends first.
        for _ in 0..2 {
            let done = net.shake(who);
            done.map_err(|e| format!("{e:?} {}", net.report()))?;
            net.drive(220_000, Lab::joined);
            if net.joined() {
                break;
            }
        }
    }
    if net.joined() && net.chat(10_000) { Ok(resumed) } else { Err(net.report()) }
}

#[test]
fn a_cut_at_every_write() {
    let plan = Plan::new(&SETTING_0);
    let (mut cuts, mut resumed) = (0, 0);
    for (seed, link) in [(0, Link::GOOD), (1, Link::GOOD), (2, Link::BAD)] {
        let mut whole: Lab<32> = lab(&plan, seed, link);
        life(&mut whole, &plan, seed);
        for who in [0, 1] {
            let count = whole.side(who).stored[&1].0 - 1;
            assert!(count >= 8, "writes: {count}");
            for write in 0..count {
                for after in [false, true] {
                    let mut net: Lab<32> = lab(&plan, seed, link);
                    net.side(who).writes_left = Some(write);
                    net.side(who).cut_after = after;
                    life(&mut net, &plan, seed);
                    if !net.side(who).dead {
                        continue; // the cut of another write changed the course
                    }
                    cuts += 1;
                    net.drive([100, 70_000, 400_000][(write as usize + usize::from(after)) % 3], |_| false);
                    net.link = Link::GOOD;
                    net.reboot(&plan, who);
                    net.side(who).clock.1 = -(net.now as i64);
                    let done = lives_on(&mut net, who);
                    let done = done.unwrap_or_else(|e| panic!("seed {seed}, {who}, write {write}, {after}: {e}"));
                    resumed += usize::from(done);
                }
            }
        }
    }
    println!("{cuts} cuts, {resumed} went on without a handshake");
    assert!(resumed * 2 > cuts);
}

/// The higher name loses its power in the middle of the lower's handshake, and starts its own: the lower, whose M3 nobody
/// knows, does not wait until that has gone out for the last time.
#[test]
fn a_power_cut_of_the_higher_name() {
    let plan = Plan::new(&SETTING_0);
    for done in [false, true] {
        let mut net: Lab<32> = lab(&plan, 60, Link::GOOD);
        net.shake(1).unwrap();
        let is_m3 = |(to_b, bytes): &(bool, Vec<u8>)| !to_b && bytes[0] == 0x12 && bytes[1] >> 4 == 3;
        // Before M3 is there, or when M4 is on its way.
        assert!(net.drive(5_000, |n| if done { n.a.a.epoch().is_some() } else { n.trace.iter().any(is_m3) }));
        net.cut();
        net.reboot(&plan, 0);
        net.drive(700, |_| false);
        net.shake(0).unwrap();
        let start = net.now;
        assert!(net.drive(30_000, Lab::joined), "{done}: {}", net.report());
        println!("{} ms", net.now - start);
        assert!(net.chat(10_000), "{done}: {}", net.report());
    }
}

/// S loses its power when it has stored what M4 was to say, and goes on from there: its first message is as good as M4.
#[test]
fn a_power_cut_before_m4() {
    let plan = Plan::new(&SETTING_0);
    for s in [0, 1] {
        // With a session that there was before, and without.
        for before in [false, true] {
            let mut net: Lab<32> = lab(&plan, 61, Link::GOOD);
            if before {
                net.shake(s).unwrap();
                assert!(net.drive(5_000, Lab::joined) && net.chat(5_000));
            }
            let old = net.side(s).a.fingerprint();
            net.shake(1 - s).unwrap();
            assert!(net.drive(5_000, |n| [&n.a, &n.b][s].a.fingerprint() != old));
            net.cut();
            net.reboot(&plan, s);
            net.drive(700, |_| false);
            net.go_on(s).unwrap();
            assert!(net.drive(1_000, Lab::joined), "{s} {before}: {}", net.report());
            assert!(net.chat(10_000), "{s} {before}: {}", net.report());
            let a = net.side(1 - s);
            let established = a.events.iter().filter(|e| matches!(e, Event::Established { .. })).count();
            assert_eq!(established, 1 + usize::from(before));
            assert!(a.saw(|e| matches!(e, Event::Resumed { .. })), "{:?}", a.events);
        }
    }
}

/// Both start at once and know nobody's name: one handshake completes in the end, never one for each.
#[test]
fn both_start_and_know_nobody() {
    let plan = Plan { named: false, ..Plan::new(&SETTING_0) };
    let link = Link { delay: (1, 600), ..Link::GOOD };
    for seed in 0..300 {
        let mut net: Lab<32> = lab(&plan, seed, link);
        let first = (seed % 2) as usize;
        net.shake(first).unwrap();
        net.drive(SimRng::new(seed).below(1_200), |_| false);
        let _ = net.shake(1 - first);
        net.drive(40_000, |_| false);
        assert!(net.joined() && net.chat(5_000), "{seed}: {}", net.report());
    }
}

/// Randomness, storage and memory that fail for a while: nothing is lost but time.
#[test]
fn resources_fail() {
    let plan = Plan::new(&SETTING_0);
    for who in [0, 1] {
        for from in 0..12 {
            let mut net: Lab<32> = lab(&plan, 40, Link::GOOD);
            net.side(who).rng.fail = Some((from, from + 3));
            net.side(who).refuse = Some((from / 3, 3));
            while net.shake(0).is_err() {}
            net.drive(100_000, Lab::joined);
            if !net.joined() {
                let _ = net.shake(1);
                net.drive(210_000, Lab::joined);
            }
            assert!(net.joined() && net.chat(20_000), "{who} {from}: {}", net.report());
        }
    }
}

/// First messages of strangers in numbers, while a handshake is under way and after it.
#[test]
fn strangers() {
    let plan = Plan::new(&SETTING_0);
    let mut net: Lab<32> = lab(&plan, 8, Link::GOOD);
    net.shake(0).unwrap();
    net.flush();
    let first = net.trace[0].1.clone();
    let mut rng = SimRng::new(3);
    for i in 0..500 {
        let mut other = first.clone();
        let bit = rng.below(other.len() as u64 * 8) as usize;
        other[bit / 8] ^= 1 << (bit % 8);
        let from = iotkm::Addr::new(&[9, i as u8, (i / 256) as u8]).unwrap();
        net.inject(true, &from, &other);
        if i % 50 == 0 {
            net.drive(1, |_| false);
        }
    }
    assert!(net.drive(60_000, Lab::joined), "{}", net.report());
    assert!(net.chat(5_000));
}

/// Two hundred devices and what each talks to, for a day: clocks 100 millionths off, links bad, some sleep, some lose
/// their power. Nobody falls out, and nobody needs another handshake.
#[test]
fn a_fleet_for_a_day() {
    let mut plan = Plan::new(&SETTING_0);
    plan.terms.interval = 1800;
    let mut worst = 0;
    for seed in 0..200 {
        let mut rng = SimRng::new(seed ^ 0xf1ee7);
        let mut net: Lab<32> = lab(&plan, seed, Link::BAD);
        net.a.clock = (rng.below(201) as i64 - 100, 0);
        net.b.clock = (rng.below(201) as i64 - 100, rng.below(1_000_000) as i64);
        net.shake(0).unwrap();
        assert!(net.drive(220_000, Lab::joined), "{seed}: {}", net.report());
        let session = seed % 4;
        while net.now < 86_400_000 {
            let pause = 600_000 + rng.below(5_400_000);
            let who = rng.below(2) as usize;
            match session {
                0 if rng.percent(15) => {
                    net.side(who).dead = true;
                    net.drive(pause, |_| false);
                    net.reboot(&plan, who);
                    net.side(who).clock.1 = -(net.now as i64);
                    net.go_on(who).unwrap();
                    assert!(net.drive(220_000, Lab::joined), "{seed}: {}", net.report());
                }
                1 if rng.percent(30) => {
                    let before = net.now;
                    net.side(who).dead = true;
                    net.drive(pause, |_| false);
                    net.side(who).dead = false;
                    let slept = (net.now - before) as i64;
                    net.side(who).clock.1 -= slept;
                }
                _ => {
                    net.drive(pause, |_| false);
                }
            }
            let before = net.now;
            assert!(net.chat(120_000), "{seed}: {}", net.report());
            worst = worst.max(net.now - before);
        }
        let shaken = net.a.events.iter().filter(|e| matches!(e, Event::Established { .. })).count();
        assert_eq!(shaken, 1, "{seed}: {}", net.report());
        assert!(net.epochs().0.unwrap() >= 40, "{seed}: {}", net.report());
    }
    println!("{worst} ms at most until both had heard something");
}
