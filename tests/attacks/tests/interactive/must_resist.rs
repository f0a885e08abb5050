//! What the interactive scheme must resist in phase 2, and a thief who comes afterwards.

use crate::handshake::Tickets;
use iotkm::Association;
use iotkm::crypto::hpke::{OwnKey, decapsulate};
use iotkm::crypto::{Prk, Secret};
use iotkm::engine::drops::Dropped;
use iotkm::engine::state::{self, Kind};
use iotkm::engine::transcript::Transcript;
use iotkm::engine::wire::header;
use iotkm::interactive::keys::{self, Terms};
use iotkm::interactive::wire::K1 as Start;
use iotkm::interactive::wire::message::{GONE, K1, K2, K3, K4, M1, M2, M3, M4, PONG, REFUSE};
use iotkm::phase1::keys as first;
use iotkm_attacks::cheats::{Copied, SLOT as KEY};
use iotkm_attacks::phase1::{Begins, meet, message, number};
use iotkm_attacks::tickets::hardened::{CURVE, FFC, Lab, P256, Plan, SLOT, lab};
use iotkm_attacks::{Transcript as Recorded, mallory, probe};
use iotkm_netsim::SimRng;

fn met(plan: &Plan, seed: u64) -> Lab {
    let mut net = lab(plan, seed);
    assert!(meet::<Tickets>(&mut net), "{:?} {:?}", net.a.events, net.b.events);
    net.drive(20_000, |_| false);
    net
}

/// a starts phase 2; whether both have new keys.
fn again(net: &mut Lab) -> bool {
    let old = net.a.a.fingerprint();
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
    let done = net.drive(60_000, |n| n.a.a.fingerprint() != old && n.a.a.fingerprint() == n.b.a.fingerprint());
    net.drive(20_000, |_| false);
    done
}

fn heard(net: &Lab) -> (usize, usize) {
    (net.a.received.len(), net.b.received.len())
}

// ---- replays of any older run, reflection, role confusion ----

/// Every datagram of every older run and session, four ways, before, during and after the next phase 2.
#[test]
fn replays_of_older_phase_2_runs() {
    for plan in [CURVE, P256] {
        let mut net = met(&plan, 20);
        for _ in 0..3 {
            assert!(again(&mut net) && net.say(true, b"a") && net.say(false, b"b"));
            net.drive(1_000, |_| false);
        }
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.ping(cx, &to)).unwrap();
        net.drive(2_000, |_| false);
        let old = std::mem::take(&mut net.trace);
        for during in 0..5 {
            let before = net.a.a.fingerprint();
            if during > 0 {
                let (now, to) = (net.now, net.b.addr);
                net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
                net.flush();
                (1..during).for_each(|_| _ = net.step());
            }
            let at = (net.a.a.fingerprint(), net.b.a.fingerprint(), heard(&net));
            let said = (net.a.events.len(), net.b.events.len());
            for (from_a, bytes) in &old {
                for to_b in [true, false] {
                    for from in [if *from_a { net.a.addr } else { net.b.addr }, mallory()] {
                        net.inject(to_b, &from, bytes);
                    }
                }
            }
            assert_eq!((net.a.a.fingerprint(), net.b.a.fingerprint(), heard(&net)), at, "{during}");
            assert_eq!((net.a.events.len(), net.b.events.len()), said, "{during}: {:?}", net.a.events);
            if during > 0 {
                let done =
                    net.drive(60_000, |n| n.a.a.fingerprint() != before && n.a.a.fingerprint() == n.b.a.fingerprint());
                assert!(done, "{during}: {:?} {:?}", net.a.events, net.b.events);
                net.drive(20_000, |_| false);
            }
            assert!(net.say(true, b"on"));
            net.drive(1_000, |_| false);
        }
    }
}

/// Both sides' messages of a run under way come back to their senders, under every number.
#[test]
fn role_confusion_in_phase_2() {
    for starter in [true, false] {
        let mut net = met(&CURVE, 21);
        net.trace.clear();
        let before = net.a.a.fingerprint();
        let (now, a, b) = (net.now, net.a.addr, net.b.addr);
        if starter {
            net.a.with(now, |side, cx| side.connect(cx, &b)).unwrap();
        } else {
            net.b.with(now, |side, cx| side.connect(cx, &a)).unwrap();
        }
        net.flush();
        for _ in 0..5 {
            let at = (net.a.a.fingerprint(), net.b.a.fingerprint(), net.a.events.len(), net.b.events.len());
            for (from_a, bytes) in net.trace.clone() {
                for number in K1..=PONG {
                    let mut back = bytes.clone();
                    back[1] = number << 4 | back[1] & 15;
                    for from in [a, b, mallory()] {
                        net.inject(!from_a, &from, &back);
                    }
                }
            }
            let now = (net.a.a.fingerprint(), net.b.a.fingerprint(), net.a.events.len(), net.b.events.len());
            assert_eq!(now, at);
            net.step();
        }
        let done = net.drive(60_000, |n| n.a.a.fingerprint() != before && n.a.a.fingerprint() == n.b.a.fingerprint());
        assert!(done, "{:?} {:?}", net.a.events, net.b.events);
    }
}

/// Everything that can be said under a PMK, made up: nothing comes of it.
#[test]
fn made_up_phase_2_messages() {
    let mut net = met(&CURVE, 22);
    let mut rng = SimRng::new(22);
    let at = (net.a.a.fingerprint(), net.a.events.len());
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
    net.flush();
    let k1 = message::<Tickets>(&net, K1);
    net.cut();
    for _ in 0..300 {
        for (number, len) in
            [(K2, 41), (K2, 49), (K3, 16), (K4, 16), (GONE, 16), (REFUSE, 18), (PONG, 8), (M2, 60), (M4, 16)]
        {
            let mut made_up = header(1, number, u32::from(k1[1] & 15)).to_vec();
            let mut rest = vec![0; len];
            iotkm::crypto::Rng::fill(&mut rng, &mut rest).unwrap();
            made_up.extend(rest);
            if number == K2 {
                made_up[2] = 0;
            }
            assert!(probe(&mut net, false, &made_up).is_empty(), "message {number}");
        }
    }
    assert_eq!((net.a.a.fingerprint(), net.a.events.len()), at);
    assert!(net.drive(60_000, |n| n.a.a.fingerprint() != at.0 && n.a.a.fingerprint() == n.b.a.fingerprint()));
}

// ---- theft of PMK and both static keys afterwards ----

/// What a thief reads in a device's storage, with the device's own secret: the words of 32 bytes.
fn stolen(net: &Lab, who: usize) -> Vec<Secret<32>> {
    let side = if who == 0 { &net.a } else { &net.b };
    let (_, blob) = &side.stored[&SLOT.0];
    let mut text = vec![0; blob.len()];
    let (_, len) = state::open(&side.device, Kind::InteractivePeer, 0, blob, &mut text).unwrap();
    text[..len].windows(32).map(|word| Secret::new(word.try_into().unwrap())).collect()
}

/// What she takes for g^(NA NS).
fn guesses(plan: &Plan, shares: [&[u8]; 2], keys: &[&Copied; 2]) -> Vec<Vec<u8>> {
    let len = plan.kem.group().secret_len();
    let mut guesses = vec![vec![], vec![0; len], vec![1; len], shares[0].to_vec(), shares[1].to_vec()];
    guesses.push(iotkm_attacks::xor(shares[0], shares[1]));
    for key in keys {
        for share in shares {
            let mut secret = vec![0; len];
            if iotkm::StaticKeys::agree(*key, KEY, plan.kem, share, &mut secret).is_ok() {
                guesses.push(secret);
            }
        }
    }
    guesses
}

fn of(trace: &Recorded, wanted: u8) -> &[u8] {
    &trace.iter().find(|(_, bytes)| number::<Tickets>(bytes) == Some(wanted)).expect("it was sent").1
}

/// Phase 1 recorded, then both static keys: she reads N_S1 and N_A1 as the devices do, and PMK stays shut.
#[test]
fn both_static_keys_afterwards() {
    for plan in [CURVE, FFC] {
        let mut net = lab(&plan, 23);
        let (of_a, of_b) = (Copied::of(&mut net.a.keys), Copied::of(&mut net.b.keys));
        assert!(meet::<Tickets>(&mut net));
        let (m1, m2, m3, m4) = (of(&net.trace, M1), of(&net.trace, M2), of(&net.trace, M3), of(&net.trace, M4));
        let (share, mac) = (plan.kem.group().share_len(), plan.suites[0].mac_len);
        let cred = |who: usize| {
            let side = if who == 0 { &net.a } else { &net.b };
            first::cred(&Tickets::credential(side))
        };
        let name = keys::NAME;
        let th_1 = first::th_1(name, &cred(0), m1);
        let (head, rest) = m2.split_at(m2.len() - share - mac);
        let (g_s, tag_2) = rest.split_at(share);
        let info_2 = first::info_2(&th_1, &[], &cred(1), &[head]);
        let a_keys = OwnKey { keys: &of_a, slot: KEY };
        let sender = of_b.public(plan.kem);
        let exporter = decapsulate(plan.kem, g_s, a_keys, Some(&sender), &[info_2.as_bytes()]).unwrap();
        let (s, e_2) = first::m2_numbers(&exporter);
        let th_2 = info_2.then(&[g_s]);
        let mut tag = vec![0; mac];
        first::m2_tag(name, &e_2, &th_2, &mut tag);
        assert_eq!(tag, tag_2, "she reads M2");

        let (head, rest) = m3.split_at(6);
        let (g_a, rest) = rest.split_at(share);
        let (pre, tag_3) = rest.split_at(4);
        let info_3 = first::info_3(&th_2, tag_2, head);
        let b_keys = OwnKey { keys: &of_b, slot: KEY };
        let exporter = decapsulate(plan.kem, g_a, b_keys, None, &[info_3.as_bytes()]).unwrap();
        let a = first::m3_numbers(&exporter);
        let h_3 = info_3.then(&[g_a]);
        assert_eq!(first::m3_pre(name, &e_2, &h_3), pre, "and M3");
        let th_3 = h_3.then(&[pre]);
        let guesses = guesses(&plan, [g_a, g_s], &[&of_a, &of_b]);
        for dh in &guesses {
            let pmk = keys::pmk(&a, &s, dh, None, &th_3);
            let mut tag = vec![0; tag_3.len()];
            first::confirm(&keys::of(&pmk), first::Confirms::M3, &th_3, [&a, &s], &mut tag);
            assert_ne!(tag, tag_3);
        }
        assert!(m4.len() > 2);
        println!("N_S1 and N_A1 read with both static keys; {} guesses at g^(NA NS): no PMK", guesses.len());
    }
}

/// Phase 2 and its session recorded; then all that both store, before and after it, and both static keys.
#[test]
fn pmk_and_both_static_keys_afterwards() {
    for plan in [CURVE, FFC] {
        let mut net = met(&plan, 24);
        assert!(again(&mut net));
        let (of_a, of_b) = (Copied::of(&mut net.a.keys), Copied::of(&mut net.b.keys));
        let before = stolen(&net, 0);
        net.trace.clear();
        assert!(again(&mut net) && net.say(true, b"a secret"));
        net.drive(1_000, |_| false);
        let all: Vec<_> = before.iter().cloned().chain(stolen(&net, 0)).chain(stolen(&net, 1)).collect();

        // The PMK of the run is in what was stored before it: she finds it by K1's tag, with bind, step and side tried out.
        let (k1, k2, k3) = (of(&net.trace, K1), of(&net.trace, K2), of(&net.trace, K3));
        let (share, mac) = (plan.kem.group().share_len(), plan.suites[0].mac_len);
        let start = Start::peek(k1).unwrap().0;
        let tag_len = start.tag_len(mac);
        let (body, tag_1) = k1.split_at(k1.len() - tag_len);
        let (suite, psk) = (plan.suites[0].id, false);
        let mut found = None;
        'search: for (i, pmk) in before.iter().enumerate() {
            // PMK | step u32 | bind | N_A0 | N_S0, as it is stored.
            let Some(bind) = before.get(i + 36) else { break };
            let Some(n0) = before.get(i + 68) else { break };
            for step in 0..8 {
                for side in [false, true] {
                    let bind = Transcript::from(*bind.expose());
                    let th_1 = keys::run_th_1(&Terms { suite, psk, step, side, bind }, body);
                    let mut tag = vec![0; tag_len];
                    keys::k1_tag(&keys::of(pmk), &th_1, &mut tag);
                    if tag == tag_1 {
                        found = Some((pmk.clone(), n0.clone(), th_1));
                        break 'search;
                    }
                }
            }
        }
        let (pmk, n0, th_1) = found.expect("the PMK that was stolen is the one of this run");
        let (body, tag_2) = k2.split_at(k2.len() - tag_len);
        let th_2 = th_1.then(&[tag_1, body]);
        let mut tag = vec![0; tag_len];
        keys::k2_tag(&keys::of(&pmk), &th_2, &mut tag);
        assert_eq!(tag, tag_2, "and K2 is under it");
        let th_3 = th_2.then(&[tag_2]);

        let (g_a, g_s) = (&k1[k1.len() - tag_len - share..][..share], &body[body.len() - share..]);
        let (n_a0, n_s0) = n0.expose().split_at(16);
        let [n_a0, n_s0] = [n_a0, n_s0].map(|n| Secret::<16>::new(n.try_into().unwrap()));
        let mut tried = guesses(&plan, [g_a, g_s], &[&of_a, &of_b]);
        if share == 32 {
            tried.extend(all.iter().map(|word| word.expose().to_vec()));
        }
        for dh in &tried {
            let prk = keys::run_prk(&keys::of(&pmk), &n_a0, &n_s0, dh);
            let tags: Secret<32> = prk.secret("tag", &[th_3.as_bytes()]);
            assert_ne!(&tags.expose()[..16], &k3[2..18], "the session is open");
        }
        // Nor is any word of it a key by itself: prk, or what comes of it.
        for word in &all {
            let tags: Secret<32> = Prk::new(keys::NAME, word.expose()).secret("tag", &[th_3.as_bytes()]);
            assert_ne!(&tags.expose()[..16], &k3[2..18]);
        }
        println!("PMK, n0 and both static keys; {} guesses at g^(NA NS): no session", tried.len());
    }
}

/// The thief starts the devices again from what they stored: what was recorded is nothing to them.
#[test]
fn what_was_recorded_is_nothing_to_devices_that_are_started_again() {
    let mut net = met(&CURVE, 25);
    net.trace.clear();
    for i in 0..4u8 {
        assert!(net.say(true, &[i]) && net.say(false, &[i]) && again(&mut net));
    }
    let recorded = std::mem::take(&mut net.trace);
    let count = heard(&net);
    for who in [0, 1] {
        let side = if who == 0 { &mut net.a } else { &mut net.b };
        let (_, blob) = side.stored[&SLOT.0].clone();
        let mut work = vec![0; blob.len()];
        let peer = iotkm_attacks::tickets::hardened::Other::restore(&side.device, SLOT, 0, &blob, &mut work).unwrap();
        let purse = std::cell::RefCell::new(side.a.credentials().borrow().clone());
        side.a = CURVE.of(who).open(peer, purse);
    }
    for (from_a, bytes) in &recorded {
        let from = if *from_a { net.a.addr } else { net.b.addr };
        net.inject(*from_a, &from, bytes);
        net.inject(!*from_a, &mallory(), bytes);
    }
    assert_eq!(heard(&net), count);
    net.drive(220_000, |_| false);
    assert!(again(&mut net) && net.say(true, b"on"));
}

// ---- denial: no single forged datagram ends, stalls or changes an association ----

#[test]
fn one_forged_datagram_changes_nothing() {
    let mut net = met(&CURVE, 26);
    assert!(again(&mut net));
    let trace = std::mem::take(&mut net.trace);
    let mut rng = SimRng::new(26);
    for (from_a, bytes) in &trace {
        for _ in 0..8 {
            let mut forged = bytes.clone();
            let bit = rng.below(forged.len() as u64 * 8) as usize;
            forged[bit / 8] ^= 1 << (bit % 8);
            let at = (net.a.a.fingerprint(), net.b.a.fingerprint(), heard(&net));
            let said = (net.a.events.len(), net.b.events.len());
            for to_b in [*from_a, !*from_a] {
                net.inject(to_b, &if *from_a { net.a.addr } else { net.b.addr }, &forged);
                net.drive(50, |_| false);
            }
            assert_eq!((net.a.a.fingerprint(), net.b.a.fingerprint(), heard(&net)), at);
            assert_eq!((net.a.events.len(), net.b.events.len()), said);
        }
        net.drive(3_000, |_| false);
    }
    assert!(net.say(true, b"still") && net.say(false, b"here"));
    net.drive(1_000, |_| false);
    assert!(again(&mut net));
    assert_eq!(net.b.a.drops().get(Dropped::Rng), 0);
}

// ---- what is not resisted, as the page says ----

/// Phase 2 knows its peer by PMK alone: who has a device's storage is its peer for the other.
#[test]
fn not_resisted_who_has_pmk_is_the_peer_in_phase_2() {
    let mut net = met(&CURVE, 27);
    let thief_of_a = {
        let (_, blob) = net.a.stored[&SLOT.0].clone();
        let mut work = vec![0; blob.len()];
        iotkm_attacks::tickets::hardened::Other::restore(&net.a.device, SLOT, 0, &blob, &mut work).unwrap()
    };
    let purse = std::cell::RefCell::new(net.a.a.credentials().borrow().clone());
    net.a.a = CURVE.of(0).open(thief_of_a, purse);
    net.a.keys = iotkm_netsim::node::Keys(Box::new(iotkm::NoKeys));
    assert!(again(&mut net), "without the static key");
}
