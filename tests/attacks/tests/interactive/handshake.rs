//! What phase 1 must resist: the attacks of `iotkm_attacks::phase1`, and tickets that are none or somebody else's.

use iotkm::cose::{Claims, RevocationList};
use iotkm::crypto::hpke::Kem;
use iotkm::crypto::{SUITE_0, SUITE_1, SUITE_4, Suite};
use iotkm::engine::drops::Dropped;
use iotkm::{Addr, Association, Error};
use iotkm_attacks::cheats::{Crooked, bad_shares};
use iotkm_attacks::phase1::{self, Begins, meet};
use iotkm_attacks::tickets::hardened::{CURVE, FFC, Lab, P256, Plan, Side, lab, node, node_with, public};
use iotkm_attacks::tickets::{AGENT, VALID, claims, signer, ticket};
use iotkm_netsim::{Link, Net, Node};

/// The scheme on X25519.
pub struct Tickets;

impl Begins for Tickets {
    type A = Side;
    const NUMBER: u8 = 1;

    fn lab(seed: u64) -> Lab {
        lab(&CURVE, seed)
    }
    fn kem() -> &'static dyn Kem {
        CURVE.kem
    }
    fn begin(node: &mut Node<Side>, now: u64, to: &Addr) -> Result<(), Error> {
        node.with(now, |a, cx| a.authenticate(cx, to))
    }
    fn credential(node: &Node<Side>) -> Vec<u8> {
        let purse = node.a.credentials().borrow();
        purse.ticket(None).expect("it has one").as_bytes().to_vec()
    }
}

/// Both try, from both sides; nothing comes of it.
fn refused(mut net: Lab) -> Lab {
    let (now, a, b) = (net.now, net.a.addr, net.b.addr);
    let _ = net.a.with(now, |side, cx| side.connect(cx, &b));
    net.drive(210_000, |_| false);
    let now = net.now;
    let _ = net.b.with(now, |side, cx| side.connect(cx, &a));
    net.drive(210_000, |_| false);
    assert!(!net.a.a.is_established() && !net.b.a.is_established(), "{:?} {:?}", net.a.events, net.b.events);
    net
}

#[test]
fn nobody_attacks() {
    for plan in [CURVE, P256, FFC] {
        let mut net = lab(&plan, 1);
        assert!(meet::<Tickets>(&mut net));
        assert!(net.say(true, b"hello"));
        net.drive(100, |_| false);
        assert_eq!(net.b.received, [b"hello"]);
    }
}

#[test]
fn key_compromise_impersonation_in_phase_1() {
    phase1::kci_against_a::<Tickets>();
    phase1::kci_against_b::<Tickets>();
}

#[test]
fn replays_of_older_runs() {
    phase1::older_runs::<Tickets>();
}

#[test]
fn role_confusion_in_phase_1() {
    phase1::reflection::<Tickets>();
}

/// Her own ticket, and one with a's public key under her name: the agent asked for no proof of the private one.
#[test]
fn unknown_key_share() {
    let net = lab(&CURVE, 104);
    let of_a = public(&*net.a.keys.0, CURVE.kem);
    for key in [vec![9; 32], of_a] {
        phase1::unknown_key_share::<Tickets>(ticket(7, &claims("mallory", 99, CURVE.group(), &key)));
    }
}

#[test]
fn hints_decide_nothing() {
    phase1::hints_decide_nothing::<Tickets>();
}

// ---- downgrade ----

#[test]
fn downgrade_of_the_suite() {
    phase1::changed_offer::<Tickets>();
}

/// Suites that one side does not take are not used, whoever changes what on the way; groups that are not the ticket's neither.
#[test]
fn downgrade_to_what_is_not_offered() {
    const ONE: &[&Suite] = &[&SUITE_0];
    const OTHERS: &[&Suite] = &[&SUITE_1, &SUITE_4];
    let only = |suites, who: usize| node(&Plan { suites, ..CURVE.of(who) }, who, 2);
    refused(Net::new(2, Link::GOOD, only(ONE, 0), only(OTHERS, 1)));
    for (a, b) in [(CURVE, P256), (P256, CURVE), (FFC, CURVE), (CURVE, FFC)] {
        refused(Net::new(3, Link::GOOD, node(&a.of(0), 0, 3), node(&b.of(1), 1, 3)));
    }
}

/// A psk that was agreed on is not talked away.
#[test]
fn downgrade_of_the_psk() {
    let with = |psk, who: usize| node(&Plan { psk, ..CURVE.of(who) }, who, 4);
    for (a, b) in [(Some([1; 32]), None), (None, Some([1; 32])), (Some([1; 32]), Some([2; 32]))] {
        refused(Net::new(4, Link::GOOD, with(a, 0), with(b, 1)));
    }
    assert!(meet::<Tickets>(&mut Net::new(4, Link::GOOD, with(Some([1; 32]), 0), with(Some([1; 32]), 1))));
}

// ---- small subgroup and invalid curve elements ----

#[test]
fn shares_that_are_no_elements() {
    for plan in [CURVE, P256, FFC] {
        for (share, secret) in bad_shares(plan.kem.label()) {
            let evil = Crooked::new(plan.kem, None, &share, &secret);
            let suite: &'static Suite = Box::leak(Box::new(Suite { dh: Some(evil), ..*plan.suites[0] }));
            let suites: &'static [&'static Suite] = Box::leak(Box::new([suite]));
            for who in [0, 1] {
                let mut net = lab(&plan, 5);
                // The real key and ticket, with a crooked group behind them.
                let side = if who == 0 { &mut net.a } else { &mut net.b };
                let crooked = Plan { kem: evil, suites, ..plan };
                let peer = side.a.peer().clone();
                let purse = std::cell::RefCell::new(side.a.credentials().borrow().clone());
                side.a = crooked.open(peer, purse);
                let (now, to) = (net.now, net.b.addr);
                net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
                net.drive(2_000, |_| false);
                let victim = if who == 1 { &net.a } else { &net.b };
                let why = victim.a.drops();
                assert!(why.get(Dropped::BadElement) > 0, "{share:02x?} as {who}: {why:?}");
                net.drive(210_000, |_| false);
                let victim = if who == 1 { &net.a } else { &net.b };
                assert!(!victim.a.is_established(), "{share:02x?} as {who}");
            }
        }
    }
}

// ---- forged, expired, revoked, wrong agent's tickets ----

fn with_ticket(who: usize, signed_by: u8, change: impl Fn(Claims<'_>) -> Claims<'_>) -> Lab {
    let side = |one: usize| {
        let plan = CURVE.of(one);
        if one == who { node_with(&Plan { signed_by, ..plan }, one, 6, &change) } else { node(&plan, one, 6) }
    };
    Net::new(6, Link::GOOD, side(0), side(1))
}

#[test]
fn tickets_of_another_agent() {
    for who in [0, 1] {
        let same_name = refused(with_ticket(who, 8, |good| good));
        let victim = if who == 0 { &same_name.b } else { &same_name.a };
        assert!(victim.a.drops().get(Dropped::Forged) > 0, "{:?}", victim.a.drops());
        refused(with_ticket(who, 8, |good| Claims { issuer: "other", ..good }));
        refused(with_ticket(who, 7, |good| Claims { issuer: "other", ..good }));
    }
}

#[test]
fn expired_and_early_tickets() {
    for who in [0, 1] {
        // The clocks of both show what b's and a's do: who has the bad ticket has none.
        for change in [(|good| Claims { expires: VALID.0 + 10, ..good }) as fn(Claims<'_>) -> Claims<'_>, |good| {
            Claims { not_before: Some(VALID.1 - 10), ..good }
        }] {
            let mut net = with_ticket(who, 7, change);
            let thief = if who == 0 { &mut net.a } else { &mut net.b };
            thief.wall = None;
            refused(net);
        }
    }
}

#[test]
fn revoked_tickets() {
    for who in [0, 1] {
        let net = lab(&CURVE, 7);
        let knows = if who == 0 { &net.b } else { &net.a };
        let mut list = [0; 200];
        let serial = who as u32 + 1;
        let len = RevocationList::issue(&signer(7), AGENT, VALID.0 + 1, 1, &[serial], &mut list).unwrap();
        knows.a.credentials().borrow_mut().revoke(&list[..len]).unwrap();
        refused(net);
    }
}

/// Every bit of a ticket, flipped: by the signature, if by nothing else.
#[test]
fn forged_tickets() {
    let mut net = lab(&CURVE, 8);
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
    net.flush();
    let m1 = phase1::message::<Tickets>(&net, 1);
    net.cut();
    net.a.dead = true;
    let start = m1.len() - Tickets::credential(&net.a).len();
    for at in start..m1.len() {
        let mut forged = m1.clone();
        forged[at] ^= 1 << (at % 8);
        net.inject(true, &iotkm_attacks::mallory(), &forged);
        net.drive(1_100, |_| false);
    }
    let answered = |net: &Lab| net.trace.iter().any(|(_, b)| phase1::number::<Tickets>(b) == Some(2));
    assert!(!answered(&net), "no M2 to a forged ticket");
    net.inject(true, &iotkm_attacks::mallory(), &m1);
    assert!(answered(&net), "but to the true one");
}

/// The ticket of one device with the key of another: swapped ids.
#[test]
fn swapped_tickets() {
    for who in [0, 1] {
        let mut net = lab(&CURVE, 9);
        let other = node(&CURVE.of(0), 0, 10);
        let thief = if who == 0 { &mut net.a } else { &mut net.b };
        thief.keys = other.keys;
        refused(net);
    }
}

/// Somebody with a good ticket, but not who a wants; and a's own, come back.
#[test]
fn another_device_answers() {
    let mut mallory = CURVE.of(1);
    (mallory.name, mallory.serial) = ("mallory", 9);
    let mut net = Net::new(11, Link::GOOD, node(&CURVE.of(0), 0, 11), node(&mallory, 1, 11));
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
    net.drive(210_000, |_| false);
    assert!(!net.a.a.is_established());
}
