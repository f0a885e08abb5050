//! The known breaks of paper 000, section 2: each succeeds on Published and fails on Hardened.

use crate::handshake::Tickets;
use iotkm::engine::wire::header;
use iotkm::interactive::published::wire::message::{DATA, K1, K2, K3, K4};
use iotkm::{Association, Event};
use iotkm_attacks::phase1::meet;
use iotkm_attacks::tickets::NAMES;
use iotkm_attacks::tickets::hardened::{self, CURVE, FFC, P256};
use iotkm_attacks::tickets::published::{self, message};
use iotkm_attacks::{mallory, probe, xor};

fn established(event: &Event) -> bool {
    matches!(event, Event::Established { .. })
}

fn number(bytes: &[u8]) -> u8 {
    bytes[1] >> 4
}

// ---- message 1 sent back as message 2, the tag of 3 as that of 4: A authenticates itself ----

#[test]
fn a_authenticates_itself_on_published() {
    let mut net = published::interactive(1);
    assert!(published::connect(&mut net));
    // The switch is off from here on; the lamp asks it for a new session key.
    let old = net.a.a.session_key().unwrap().clone();
    net.a.events.clear();
    net.trace.clear();
    let now = net.now;
    net.a.with(now, |a, cx| a.rekey(cx, &mallory())).unwrap();
    net.flush();
    let k1 = net.trace[0].1.clone();
    assert_eq!(number(&k1), K1);

    let k3 = probe(&mut net, false, &message(1, K2, &k1[2..])).remove(0);
    assert_eq!(number(&k3), K3);
    // msg2 = AA | msg1: then the MAC of K3 is K4's.
    let k4 = message(1, K4, &[NAMES[1].as_bytes(), &k3[2..]].concat());
    probe(&mut net, false, &k4);
    assert!(net.a.saw(established), "the lamp has authenticated the switch");
    assert_eq!(net.a.a.peer().unwrap().id().as_bytes(), NAMES[1].as_bytes());
    assert_eq!(net.a.a.peer_addr(), Some(mallory()));
    assert_ne!(net.a.a.session_key(), Some(&old), "a key that nobody else has: the switch cannot read what it says");

    // What the lamp says comes back as the switch's.
    let said = net.trace.len();
    assert!(net.say(true, b"I am on"));
    let words = net.trace[said].1.clone();
    probe(&mut net, false, &words);
    assert_eq!(net.a.received.last().unwrap(), b"I am on");
    println!(
        "A authenticates itself: 2 datagrams of its own sent back, 6 public bytes put in front of one, nothing computed"
    );
}

#[test]
fn a_authenticates_itself_fails_on_hardened() {
    for plan in [CURVE, P256, FFC] {
        let mut net = hardened::lab(&plan, 1);
        assert!(meet::<Tickets>(&mut net));
        net.drive(20_000, |_| false);
        net.a.events.clear();
        net.trace.clear();
        let (now, session) = (net.now, net.a.a.fingerprint());
        net.a.with(now, |a, cx| a.connect(cx, &mallory())).unwrap();
        net.flush();
        let k1 = net.trace[0].1.clone();
        assert_eq!(number(&k1), K1);

        // Its own K1 as K2: whole, and as K2 has it, a connection id, g^NA and the tag; the tag cut to the other length.
        let share = plan.kem.group().share_len();
        let mut said = Vec::new();
        for tag in [8, 16] {
            for from in 2..k1.len() - share {
                let end = (from + 1 + share + tag).min(k1.len());
                for body in [k1[from..].to_vec(), k1[from..end].to_vec(), [&[0], &k1[from..end]].concat()] {
                    let k2 = [&header(1, K2, u32::from(k1[1] & 15))[..], &body].concat();
                    said.extend(probe(&mut net, false, &k2));
                }
            }
        }
        assert!(said.iter().all(|bytes| number(bytes) != K3), "no K3 for its own share");
        // And K4 from whatever it has said.
        for (_, bytes) in net.trace.clone() {
            for tag in bytes.windows(16) {
                let k4 = [&header(1, K4, u32::from(k1[1] & 15))[..], tag].concat();
                probe(&mut net, false, &k4);
            }
        }
        assert!(!net.a.saw(established) && net.a.a.fingerprint() == session);
    }
}

// ---- what goes with it: V_PMK{g^NA} says nothing about when, and nothing guards what K_M encrypts ----

#[test]
fn a_recorded_k1_authenticates_a_again_on_published() {
    let mut net = published::interactive(2);
    assert!(published::connect(&mut net));
    let k1 = net.trace.iter().find(|(_, b)| number(b) == K1).unwrap().1.clone();
    for _ in 0..3 {
        let k2 = probe(&mut net, true, &k1);
        assert_eq!(number(&k2[0]), K2, "\"Device S authenticates A\"");
        net.drive(2_000, |_| false);
    }
    println!("S takes A for present: 1 recorded datagram, as often as one likes");
}

#[test]
fn flipped_bits_are_delivered_on_published() {
    let mut net = published::interactive(3);
    assert!(published::connect(&mut net));
    let start = net.trace.len();
    assert!(net.say(true, b"on "));
    let mut data = net.trace[start].1.clone();
    assert_eq!(number(&data), DATA);
    net.cut();
    let at = data.len() - 3;
    let flipped = xor(&data[at..], &xor(b"on ", b"off"));
    data[at..].copy_from_slice(&flipped);
    probe(&mut net, true, &data);
    assert_eq!(net.b.received.last().unwrap(), b"off");
    println!("another text under K_M: 1 datagram, 3 bytes of XOR with a text that is guessed");
}
