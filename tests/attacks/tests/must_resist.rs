//! What Hardened must resist, named as PROTOCOLS, section 6, names it; and what it does not, so that nobody hopes.
//!
//! `tests/netsim` does the same to every datagram and bit; here is what an attacker would actually try.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::crypto::{SUITE_0, SUITE_0_SYMMETRIC, SUITE_2, Suite};
use iotkm::history::pairing::ATTEMPTS;
use iotkm::history::{Id, Peer};
use iotkm::{Association, Device, Event, Reason, Slot, Stage};
use iotkm_attacks::hardened::{self, check_c1, connect, paired, pairing, sessions_from, stolen, triple, update};
use iotkm_attacks::mallory;
use iotkm_netsim::lab::{NAMES, node};
use iotkm_netsim::{Lab, Link, Net, Node, Plan, SimRng, lab};

const SUITES: [&Suite; 3] = [&SUITE_0, &SUITE_0_SYMMETRIC, &SUITE_2];

fn ids(initiator: usize) -> [Id; 2] {
    [NAMES[initiator], NAMES[1 - initiator]].map(|name| Id::new(name).unwrap())
}

/// An established lab, and its exchange: C1 to ACK.
fn acquainted(suite: &'static Suite, seed: u64) -> Lab {
    let mut net = lab(&Plan::new(suite), seed, Link::GOOD);
    connect(&mut net);
    net
}

// ---- replay and reflection of C1..C5 ----

/// Sends old messages again, to their receiver or back to their sender, before and during a new run; nothing changes.
fn again(reflect: bool) {
    for suite in SUITES {
        let mut net = acquainted(suite, 1);
        let old = net.trace.clone();
        assert_eq!(old.len(), 6, "C1 to C5, ACK");
        assert!(net.talk(1_000));
        for during in 0..6 {
            let session = (net.a.a.fingerprint(), net.b.a.fingerprint());
            let events = (net.a.events.len(), net.b.events.len());
            let start = net.trace.len();
            if during > 0 {
                net.connect(0).unwrap();
                (1..during).for_each(|_| _ = net.step());
            }
            // Reflected, those of the run under way too.
            let mut messages = old.clone();
            if reflect {
                messages.extend(net.trace[start..].to_vec());
            }
            for (from_a, bytes) in &messages {
                let to_b = from_a ^ reflect;
                for from in [if to_b { net.a.addr } else { net.b.addr }, mallory()] {
                    net.inject(to_b, &from, bytes);
                    assert_eq!((net.a.events.len(), net.b.events.len()), events, "{during} {bytes:02x?}");
                    assert_eq!((net.a.a.fingerprint(), net.b.a.fingerprint()), session);
                }
            }
            if during > 0 {
                assert!(net.drive(60_000, |n| n.both() && n.a.a.fingerprint() != session.0), "{}", net.state());
            }
            assert!(net.talk(5_000), "{}", net.state());
            net.assert_same_keys();
        }
    }
}

#[test]
fn replay_of_c1_to_ack() {
    again(false);
}

#[test]
fn reflection_of_c1_to_ack() {
    again(true);
}

#[test]
fn an_id_refuses_its_own_c1() {
    for who in [0, 1] {
        let mut net = lab::<2>(&Plan::symmetric(), 2, Link::GOOD);
        net.connect(who).unwrap();
        let c1 = net.trace[0].1.clone();
        for from in [net.a.addr, net.b.addr, mallory()] {
            let sent = net.trace.len();
            net.inject(who == 1, &from, &c1);
            assert_eq!(net.trace.len(), sent, "no C2 for its own C1");
        }
        // Nor when it no longer waits.
        assert!(net.drive(60_000, Lab::both));
        let sent = net.trace.len();
        net.inject(who == 1, &mallory(), &c1);
        assert_eq!(net.trace.len(), sent);
    }
}

#[test]
fn replayed_records_are_delivered_once() {
    for suite in SUITES {
        let mut net = acquainted(suite, 3);
        let before = net.trace.len();
        assert!(net.say(true, b"open the door") && net.say(false, b"it is open"));
        net.drive(1_000, |_| false);
        let records = net.trace[before..].to_vec();
        let got = (net.a.received.len(), net.b.received.len());
        for (from_a, bytes) in &records {
            for to_b in [true, false] {
                let from = if *from_a { net.a.addr } else { net.b.addr };
                net.inject(to_b, &from, bytes);
                net.inject(to_b, &mallory(), bytes);
            }
        }
        // And under the next session.
        connect_again(&mut net);
        for (from_a, bytes) in &records {
            net.inject(*from_a, &mallory(), bytes);
        }
        assert_eq!((net.a.received.len(), net.b.received.len()), got);
    }
}

fn connect_again(net: &mut Lab) {
    let old = net.a.a.fingerprint();
    net.connect(0).unwrap();
    assert!(net.drive(60_000, |n| n.both() && n.a.a.fingerprint() != old));
}

// ---- man in the middle at pairing without SK ----

#[test]
fn pairing_with_a_guess_is_one_guess_a_run_and_five_in_all() {
    let mut net = pairing(&SUITE_0, 4, [b"guess 0", b"secret"]);
    for guess in 1..=ATTEMPTS {
        assert!(net.drive(20_000, |n| n.b.a.attempts() == guess), "a run is an attempt");
        net.drive(5_000, |_| false);
        assert_eq!(net.b.a.attempts(), guess, "and one only, however often its messages come");
        let p3 = net.trace.iter().rfind(|(from_a, b)| *from_a && b[1] >> 4 == 10).unwrap().1.clone();
        for from in [net.a.addr, mallory()] {
            net.inject(true, &from, &p3);
        }
        assert_eq!(net.b.a.attempts(), guess);
        // Mallory does not count her own attempts.
        net.a.a.cancel();
        net.a.a.unlock();
        net.flush();
        net.cut();
        let sk: &[u8] = if guess == ATTEMPTS { b"secret" } else { b"another guess" };
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.start(cx, &to, sk)).unwrap();
    }
    net.drive(60_000, |_| false);
    assert!(!net.a.saw(paired) && !net.b.saw(paired), "the right guess came too late");
    assert!(net.b.saw(|e| *e == Event::Failed { stage: Stage::Pairing, reason: Reason::Locked }));
}

#[test]
fn answering_a_pairing_with_a_guess_is_one_guess_a_run() {
    let mut net = pairing(&SUITE_0, 5, [b"secret", b"mallory's guess"]);
    net.drive(10_000, |_| false);
    assert_eq!(net.a.a.attempts(), 1);
    assert!(!net.a.saw(paired) && !net.b.saw(paired));
}

#[test]
fn relayed_pairing_that_is_changed_on_the_way_never_gives_two_triples() {
    let mut incomplete = 0;
    for seed in 0..96u64 {
        let (number, once) = (8 + (seed % 6) as u8, seed / 6 % 2 == 0);
        let mut net = pairing(&SUITE_0, seed, [b"secret", b"secret"]);
        let mut changed = 0;
        let mut rng = SimRng::new(seed);
        let end = net.now + 30_000;
        net.flush();
        while net.now < end && net.next_at().is_some() {
            match net.arriving() {
                Some((to_b, from, mut bytes)) if bytes[1] >> 4 == number && !(once && changed > 0) => {
                    changed += 1;
                    let at = 2 + rng.below(bytes.len() as u64 - 2) as usize;
                    bytes[at] ^= 1 << rng.below(8);
                    net.cut();
                    net.inject(to_b, &from, &bytes);
                }
                _ => _ = net.step(),
            }
        }
        assert!(changed > 0, "seed {seed}");
        let (a, b) = (net.a.a.take_peer(), net.b.a.take_peer());
        if let (Some(a), Some(b)) = (&a, &b) {
            assert_eq!(a.fingerprint(), b.fingerprint(), "seed {seed}");
            assert_eq!((a.id(), b.id()), (b.own_id(), a.own_id()), "seed {seed}");
        }
        assert!(a.is_none() || b.is_some(), "the initiator is done last");
        incomplete += u32::from(a.is_none());
        assert!(!once || a.is_some(), "seed {seed}: one changed message stops nobody: {:?}", net.a.events);
    }
    println!("{incomplete} of 48 pairings that were changed all the time did not complete");
}

// ---- loss and reordering of any message of the update ----

#[test]
fn loss_or_reordering_of_any_message_of_an_update() {
    for suite in [&SUITE_0, &SUITE_0_SYMMETRIC] {
        for late in [None, Some(500), Some(2_500), Some(20_000)] {
            let mut hit = 0;
            for place in 0..12 {
                let mut net = acquainted(suite, 6);
                assert!(net.say(true, b"a record"));
                net.drive(100, |_| false);
                let start = net.trace.len();
                net.update(1).unwrap();
                // Up to the datagram in this place, counted from ASK; through the next exchange, where there is one.
                if !net.drive(5_000, |n| n.trace.len() > start + place) {
                    continue;
                }
                hit += 1;
                let (from_a, bytes) = net.trace[start + place].clone();
                net.cut();
                if let Some(ms) = late {
                    net.drive(ms, |_| false);
                    let from = if from_a { net.a.addr } else { net.b.addr };
                    net.inject(from_a, &from, &bytes);
                }
                let done = net.drive(300_000, |n| n.both() && n.at_generation(1));
                assert!(done, "place {place}, late {late:?}: {}", net.state());
                assert!(net.talk(5_000), "{}", net.state());
                net.assert_same_keys();
            }
            assert!(hit >= 10, "ASK, ANSWER, CLOSE, CLOSED and an exchange: {hit}");
        }
    }
}

// ---- mismatched logs ----

#[test]
fn mismatched_logs_fail_the_update_and_the_channel_lives_on() {
    for (kept, suite) in [(0, &SUITE_0), (3, &SUITE_0_SYMMETRIC), (3, &SUITE_0)] {
        let plan = Plan::new(suite);
        let short = Plan { log: kept, ..plan };
        let mut net: Lab = Net::new(7, Link::GOOD, node(&plan, 0, 7), node(&short, 1, 7));
        connect(&mut net);
        for i in 0..12u8 {
            assert!(net.say(false, &[i, i]));
            net.drive(50, |_| false);
        }
        let fingerprint = net.a.a.fingerprint();
        let failed = |e: &Event| matches!(e, Event::UpdateFailed { .. });
        // With three entries the drone remembers two of twelve: asks that hit one of those succeed, and may.
        let mut fails = 0;
        for _ in 0..20 {
            if net.update(0).is_err() || !net.drive(60_000, |n| n.a.saw(failed)) {
                break;
            }
            fails += 1;
            assert!(net.talk(5_000), "{}", net.state());
            if kept == 0 {
                assert_eq!(net.a.a.fingerprint(), fingerprint, "the same session");
                assert!(net.at_generation(0));
            }
            net.a.events.clear();
        }
        assert!(kept > 0 || (net.at_generation(0) && fails > 0));
        net.drive(300_000, Lab::both);
        assert!(net.talk(5_000), "{}", net.state());
        net.assert_same_keys();
    }
}

// ---- theft, healing, forward secrecy ----

#[test]
fn a_passive_thief_of_everything_is_shaken_off_by_an_update_with_dh() {
    const SEED: u64 = 8;
    for (suite, heals) in [(&SUITE_0, true), (&SUITE_2, true), (&SUITE_0_SYMMETRIC, false)] {
        let mut net = acquainted(suite, SEED);
        // Stolen: the triple and the session's keys. She listens to all that follows.
        let values = stolen(&net.a)[0];
        let dh = |_: &[u8], theirs: &[u8]| hardened::dh_of_a(suite, SEED, theirs);
        let mut hers = sessions_from(suite, &triple(values, 0), 0, ids(0).each_ref(), &net.trace, dh).unwrap();
        let start = net.trace.len();
        assert!(net.say(true, b"she reads this") && net.say(false, b"and this"));
        net.drive(100, |_| false);
        for (from_a, bytes) in &net.trace[start..] {
            assert!(
                hers[usize::from(!from_a)].open(&hardened::common(suite), 0, &mut bytes.clone()).is_ok(),
                "she has the session"
            );
        }

        let start = net.trace.len();
        update(&mut net);
        assert!(net.say(false, b"does she read this?"));
        let after = net.trace[start..].to_vec();
        let new = hardened::next_triples(suite, &mut hers, &after);
        let real = triple(stolen(&net.a)[0], 1);
        let exchange = after.iter().filter(|(_, b)| b[0] == 0x16).cloned().collect();
        let record = &after.last().unwrap().1;
        let reads = new.iter().chain([&triple(values, 1)]).any(|new| {
            hardened::GUESSES.iter().any(|dh| {
                let sessions = sessions_from(suite, new, 1, ids(1).each_ref(), &exchange, dh);
                sessions.is_some_and(|[mut session, _]| {
                    session.open(&hardened::common(suite), 0, &mut record.clone()).is_ok()
                })
            })
        });
        // Without Diffie-Hellman nothing shakes her off, says spec.md; it shows here that she tries the right things.
        assert_eq!(new.contains(&real), !heals, "the new triple");
        assert_eq!(reads, !heals, "the next session");
    }
}

#[test]
fn state_seized_after_a_session_opens_no_earlier_record_with_dh() {
    for (suite, secret) in [(&SUITE_0, true), (&SUITE_2, true), (&SUITE_0_SYMMETRIC, false)] {
        let mut net = acquainted(suite, 9);
        let exchange = net.trace.clone();
        assert!(net.say(true, b"long ago"));
        net.drive(100, |_| false);
        let record = net.trace.last().unwrap().1.clone();
        net.a.a.wipe();
        net.b.a.wipe();

        // Both devices with all that they store, and every public value in place of the Diffie-Hellman secret.
        let values = stolen(&net.a)[0];
        assert_eq!(values, stolen(&net.b)[0]);
        let opened = hardened::GUESSES.iter().any(|dh| {
            let sessions = sessions_from(suite, &triple(values, 0), 0, ids(0).each_ref(), &exchange, dh);
            let [mut session, _] = sessions.expect("the triple opens C2 and C3");
            session.open(&hardened::common(suite), 0, &mut record.clone()).is_ok()
        });
        assert_eq!(opened, !secret);
    }
}

#[test]
fn state_seized_after_an_update_opens_no_exchange_before_it() {
    for suite in SUITES {
        let mut net = acquainted(suite, 10);
        let c1 = net.trace[0].1.clone();
        let old = triple(stolen(&net.a)[0], 0);
        assert!(check_c1(suite, &old, 0, ids(0).each_ref(), &c1).is_some());
        assert!(net.say(true, b"a record"));
        net.drive(100, |_| false);
        update(&mut net);
        for node in [&net.a, &net.b] {
            for values in stolen(node) {
                assert_eq!(check_c1(suite, &triple(values, 0), 0, ids(0).each_ref(), &c1), None);
            }
        }
    }
}

/// Somebody on the way can ask the initiator about four secrets and then let the honest answer pass; success forgives the
/// honest attempt only.
#[test]
fn guesses_beside_an_honest_pairing_stay_counted() {
    let mut net = pairing(&SUITE_0, 12, [b"secret", b"secret"]);
    net.flush();
    let p1 = net.trace[0].1.clone();
    net.cut();
    let (now, from, drone) = (net.now, net.a.addr, net.b.addr);
    let mut guesses = 0u8;
    for guess in 0..8u64 {
        let mut mallory = hardened::pairing_node(&SUITE_0, NAMES[1], 1_000 + guess);
        mallory.with(now, |m, cx| m.listen(cx, format!("guess {guess}").as_bytes(), 60_000)).unwrap();
        mallory.input(now, &from, &p1);
        let p2 = mallory.drain(now).0.remove(0).1;
        let sent = net.trace.len();
        if guess + 1 < u64::from(ATTEMPTS) {
            net.inject(false, &drone, &p2);
        }
        net.cut();
        guesses += u8::from(net.trace[sent..].iter().any(|(from_a, b)| *from_a && b[1] >> 4 == 10));
    }
    assert_eq!(guesses, ATTEMPTS - 1, "P3s, each the verifier of one guess");
    assert_eq!(net.a.a.attempts(), guesses);
    net.inject(true, &from, &p1);
    assert!(net.drive(60_000, |n| n.a.saw(paired) && n.b.saw(paired)), "{:?} {:?}", net.a.events, net.b.events);
    assert_eq!(
        net.a.a.attempts(),
        guesses,
        "the honest attempt is forgiven, the guesses are not: one more and it is locked"
    );
}

// ---- what is not resisted, as spec.md says ----

#[test]
fn not_resisted_who_has_a_devices_triple_is_its_peer_towards_it() {
    let net = lab::<2>(&Plan::symmetric(), 11, Link::GOOD);
    let [me, other] = ids(0);
    let peer = Peer::provisioned(Slot(1), me, other, &SUITE_0_SYMMETRIC, triple(stolen(&net.b)[0], 0)).unwrap();
    let device = Device::new(iotkm::crypto::Secret::new([0x66; 32]));
    let thief = Node::new(Plan::symmetric().open::<2>(0, peer), NAMES[0], 0x6b6369, device);
    let mut net: Lab = Net::new(11, Link::GOOD, thief, net.b);
    connect(&mut net);
    assert!(net.talk(5_000), "key compromise impersonation: b takes the thief of b's own state for a");
}
