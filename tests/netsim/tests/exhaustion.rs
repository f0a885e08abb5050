//! Hazard: too much of everything, and clocks. Floods of garbage, copies and fragments leave what there is as it was and
//! get little back; used-up keys end in a word, not in a loop; time may be absent, jump or be enormous.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::engine::drops::Dropped;
use iotkm::{Addr, Association, Error, Event};
use iotkm_netsim::{Lab, Link, Plan, SimRng, each_seed, lab};
use std::collections::BTreeMap;

fn connected(plan: &Plan, seed: u64) -> Lab {
    let mut net: Lab = lab(plan, seed, Link::GOOD);
    net.connect(0).unwrap();
    assert!(net.drive(5_000, |n| n.both()) && net.talk(5_000));
    net
}

/// Hands datagrams from strangers to b and counts what each address sent and got.
#[derive(Default)]
struct Flood {
    bytes: BTreeMap<Vec<u8>, (usize, usize)>,
}

impl Flood {
    fn hit(&mut self, net: &mut Lab, from: &[u8], bytes: &[u8]) {
        let now = net.now;
        net.b.input(now, &Addr::new(from).unwrap(), bytes);
        self.bytes.entry(from.to_vec()).or_default().0 += bytes.len();
        let (sent, _) = net.b.drain(now);
        for (to, answer) in sent {
            if to == net.a.addr {
                net.post(false, to, answer);
            } else {
                self.bytes.entry(to.as_bytes().to_vec()).or_default().1 += answer.len();
            }
        }
    }

    fn check(&self) {
        for (from, (sent, got)) in &self.bytes {
            assert!(*got <= 3 * sent, "{from:?} sent {sent} and got {got}");
        }
    }
}

fn stranger(n: u64) -> Vec<u8> {
    format!("stranger {}", n % 50).into_bytes()
}

fn noise(rng: &mut SimRng) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..1 + rng.below(120)).map(|_| rng.next() as u8).collect();
    match rng.below(5) {
        0 => bytes[0] = 0x16,
        1 => bytes[0] = 0x10,
        2 => bytes[0] = 0x18 | (bytes[0] & 7),
        _ => {}
    }
    bytes
}

#[test]
fn garbage() {
    for flow in 0..3 {
        let mut net: Lab = lab(&Plan::symmetric(), 1, Link::GOOD);
        if flow > 0 {
            net = connected(&Plan::symmetric(), 1);
        }
        if flow > 1 {
            net.update(0).unwrap();
            net.step();
        }
        let (fingerprint, events) = (net.b.a.fingerprint(), net.b.events.len());
        let mut flood = Flood::default();
        let mut rng = SimRng::new(9);
        for n in 0..60_000 {
            flood.hit(&mut net, &stranger(n), &noise(&mut rng));
        }
        flood.check();
        assert_eq!((net.b.a.fingerprint(), net.b.events.len()), (fingerprint, events));
        assert!(net.b.a.drops().total() > 30_000);
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
    }
}

/// Copies of every first message, from everywhere, all through an exchange: nobody gets more than three times what he
/// sent, and the exchange completes once they stop, if not before.
#[test]
fn copies_of_first_messages() {
    each_seed("floods of C1", 60, |seed| {
        let mut net = connected(&Plan::symmetric(), seed);
        for _ in 0..4 {
            net.connect(0).unwrap();
            net.drive(2_000, |_| false);
        }
        let copies: Vec<_> =
            net.trace.iter().filter(|(to_b, b)| *to_b && b[..2] == [0x16, 0x10 | (b[1] & 15)]).collect();
        let copies: Vec<_> = copies.into_iter().map(|(_, b)| b.clone()).collect();
        assert!(copies.len() >= 5);
        let mut flood = Flood::default();
        let mut rng = SimRng::new(seed);
        net.connect(0).unwrap();
        for n in 0..400 {
            for _ in 0..5 {
                flood.hit(&mut net, &stranger(rng.below(50)), &copies[rng.below(copies.len() as u64) as usize]);
            }
            if n % 40 == 0 {
                net.step();
            }
        }
        flood.check();
        net.drive(200_000, |n| n.both());
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
    });
}

/// Pieces of messages that never become whole, from the peer's own address too.
#[test]
fn fragments() {
    let plan = Plan { mtu: 51, ..Plan::symmetric() };
    let mut net = connected(&plan, 2);
    let mut flood = Flood::default();
    let mut rng = SimRng::new(2);
    for n in 0..20_000u64 {
        let last = rng.below(16) as u8;
        let place = (rng.below(16) as u8) << 4 | last;
        let total = [10u16, 100, 256, 257, 4_000, 65_535][rng.below(6) as usize];
        let piece = usize::from(total).div_ceil(usize::from(last) + 1).min(60);
        let mut bytes = vec![0x10, 0x10, rng.next() as u8, place];
        bytes.extend(total.to_be_bytes());
        bytes.extend((0..piece).map(|_| rng.next() as u8));
        let from = if n % 2 == 0 { net.a.addr.as_bytes().to_vec() } else { stranger(n) };
        flood.hit(&mut net, &from, &bytes);
    }
    assert!(net.b.a.drops().get(Dropped::NoRoom) > 100);
    let done = net.lives_on();
    assert!(done.is_ok(), "{done:?}");
}

/// So many forgeries that the key is replaced for caution: the session goes on under the next generation.
#[test]
fn forgeries_start_a_new_generation() {
    let plan = Plan { rekey_after: 50, ..Plan::symmetric() };
    let mut net = connected(&plan, 3);
    let from = net.a.addr;
    let generation = net.b.a.session().unwrap().generation();
    for n in 0..200u8 {
        let bits = 0x18 | (net.b.a.session().unwrap().generation() & 3) as u8;
        net.inject(true, &from, &[&[bits, 1, n][..], &[n; 20]].concat());
    }
    assert!(net.talk(5_000) && net.talk(5_000), "{}", net.state());
    assert!(net.b.a.session().unwrap().generation() > generation);
    let done = net.lives_on();
    assert!(done.is_ok(), "{done:?}");
}

/// A peer that never follows: sending ends with an error, and so does closing; nothing loops.
#[test]
fn used_up_keys() {
    let plan = Plan { rekey_after: 1, log: 0, ..Plan::symmetric() };
    let mut net = connected(&plan, 4);
    let mut out = [0; 100];
    let mut count = 0u32;
    let error = loop {
        let now = net.now;
        match net.a.with(now, |a, cx| a.send(cx, b"", &mut out).map(drop)) {
            Ok(()) => count += 1,
            Err(Error::Undrained) => drop(net.a.drain(now)),
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::KeyExhausted);
    assert!(count > 1 << 19);
    let now = net.now;
    net.a.a.close().unwrap();
    let (sent, _) = net.a.drain(now);
    assert!(sent.is_empty() && !net.a.a.is_established() && net.a.saw(|e| *e == Event::Terminated));
    net.flush();
    net.connect(0).unwrap();
    assert!(net.drive(10_000, |n| n.both()) && net.talk(5_000), "{}", net.state());
}

/// While the store refuses, everything goes on in memory; what is told afterwards is in order and whole enough to act on.
#[test]
fn a_store_that_stays_broken() {
    let mut net = connected(&Plan::symmetric(), 5);
    net.b.store_broken = true;
    net.update(0).unwrap();
    net.drive(100_000, |_| false);
    for _ in 0..20 {
        net.say(true, b"still here");
        net.drive(3_000, |_| false);
    }
    assert!(net.b.saw(|e| matches!(e, Event::StoreFailed { .. })));
    net.b.store_broken = false;
    let done = net.lives_on();
    assert!(done.is_ok(), "{done:?}");
}

/// More happens than there is room to tell of, while the store keeps everything back: what is newest is told.
#[test]
fn events_behind_a_broken_store() {
    let plan = Plan { rekey_after: 1, ..Plan::symmetric() };
    let mut net = connected(&plan, 7);
    net.b.store_broken = true;
    net.update(0).unwrap(); // b's answer waits for the store
    net.drive(100, |_| false);
    for n in 0..30u32 {
        net.say(n % 2 == 0, b"rekeys all the time");
        net.drive(100, |_| false);
    }
    net.restart(&plan, 0);
    net.b.events.clear();
    let (now, from) = (net.now, net.a.addr);
    // An exchange needs b's answers: they are handed over as if the store had let them out.
    let _ = net.connect(0);
    net.drive(5_000, |_| false);
    net.b.store_broken = false;
    assert!(net.drive(100_000, |n| n.both()), "{} {now} {from:?}", net.state());
    assert!(net.b.saw(|e| matches!(e, Event::Established { .. })), "{:?}", net.b.events);
    let done = net.lives_on();
    assert!(done.is_ok(), "{done:?}");
}

// ---- clocks ----

#[test]
fn clocks_that_are_absent_or_jump() {
    each_seed("wall clocks", 60, |seed| {
        let mut net: Lab = lab(&Plan::symmetric(), seed, Link::GOOD);
        let mut rng = SimRng::new(seed);
        net.a.wall = None;
        net.connect(0).unwrap();
        for _ in 0..20 {
            net.a.wall = [None, Some(0), Some(1), Some(u64::MAX / 2), Some(rng.next() >> 2)][rng.below(5) as usize];
            net.b.wall = [None, Some(0), Some(4_102_444_800_000), Some(rng.next() >> 2)][rng.below(4) as usize];
            net.drive(1_000, |_| false);
            if net.both() {
                assert!(net.talk(5_000));
                assert_eq!(net.a.a.assurance().unwrap().clock, net.a.wall.is_some());
            }
        }
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
    });
}

#[test]
fn any_monotonic_time_will_do() {
    for start in [0, 1, u64::from(u32::MAX) - 3_000, 1 << 40, u64::MAX / 2, u64::MAX - 40_000_000] {
        let mut net: Lab = lab(&Plan::symmetric(), 6, Link::BAD);
        net.now = start;
        (net.a.wall, net.b.wall) = (None, None);
        net.connect(0).unwrap();
        assert!(net.drive(400_000, |n| n.both()), "{start}: {}", net.state());
        let done = net.lives_on();
        assert!(done.is_ok(), "{start}: {done:?}");
    }
}

/// Asleep for years between any two steps, or asked again and again, or even a little back: it ends well.
#[test]
fn time_that_stands_or_leaps() {
    each_seed("leaps", 200, |seed| {
        let mut net: Lab = lab(&Plan::symmetric(), seed, Link::GOOD);
        net.connect((seed % 2) as usize).unwrap();
        for step in 0..seed % 12 {
            net.step();
            for who in [0, 1] {
                let now = net.now;
                for at in [now, now, now.saturating_sub(500)] {
                    net.node(who).with(at, |a, cx| a.handle_timeout(cx)).unwrap();
                    net.flush();
                }
            }
            if step == 3 {
                let _ = net.update(0);
            }
        }
        net.now += [1_000, 200_000, 31_536_000_000][(seed % 3) as usize];
        let done = net.lives_on();
        assert!(done.is_ok(), "{done:?}");
    });
}
