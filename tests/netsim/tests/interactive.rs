//! The interactive scheme, both sides, as its page has it: phase 1, phase 2, what is said beside them.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::cose::Ticket;
use iotkm::{Association, Error, Event, Reason, Stage, UnixTime};
use iotkm_netsim::Link;
use iotkm_netsim::node::Keys;
use iotkm_netsim::tickets::{GROUPS, NAMES, NEXT_KEY, NOW, Plan, Shared, Tickets, key, key_in, list, ticket, tickets};

fn plan() -> Plan {
    Plan::new(GROUPS[0])
}

fn made(plan: &Plan, seed: u64) -> (Tickets, [Shared; 2]) {
    tickets(plan, seed, Link::GOOD)
}

/// Phase 1, then phase 2, by whoever starts.
fn established(plan: &Plan, seed: u64, who: usize) -> (Tickets, [Shared; 2]) {
    let (mut net, purses) = made(plan, seed);
    net.connect(who).unwrap();
    assert!(net.drive(10_000, |n| n.both() && !n.busy()), "{}", net.state());
    net.assert_same_keys();
    (net, purses)
}

/// The next session comes of it.
fn next(net: &mut Tickets, call: impl FnOnce(&mut Tickets)) {
    let old = net.a.a.fingerprint();
    net.trace.clear();
    call(net);
    assert!(net.drive(60_000, |n| n.both() && n.a.a.fingerprint() != old && !n.busy()), "{}", net.state());
    net.assert_same_keys();
}

fn lengths(net: &Tickets) -> Vec<(u8, usize)> {
    net.trace.iter().filter(|(_, bytes)| bytes[0] & 8 == 0).map(|(_, bytes)| (bytes[1] >> 4, bytes.len())).collect()
}

#[test]
fn every_suite() {
    for (i, group) in GROUPS.iter().enumerate() {
        let (mut net, _) = established(&Plan::new(*group), i as u64, i % 2);
        assert!(net.talk(5_000), "{}", net.state());
        // The next session is phase 2 alone.
        next(&mut net, |net| net.connect(1 - i % 2).unwrap());
        assert_eq!(lengths(&net).iter().map(|(n, _)| *n).collect::<Vec<_>>(), [5, 6, 7, 8]);
        assert!(net.talk(5_000), "{}", net.state());
        net.assert_same_keys();
    }
}

/// Section 10 of the page.
#[test]
fn lengths_on_the_wire() {
    let (mut net, _) = established(&Plan::new(GROUPS[2]), 1, 0);
    // Both know each other's tickets now: by reference.
    assert!(net.a.a.peer().ticket().len() > 100);
    next(&mut net, |net| net.call(0, |a, cx, to| a.authenticate(cx, to)).unwrap());
    // A rekey has hint, attempt and tag in M1, and long tags.
    assert_eq!(lengths(&net)[..4], [(1, 30 + 22), (2, 45), (3, 50 + 8), (4, 10 + 8)]);

    let (mut net, _) = established(&Plan::new(GROUPS[6]), 1, 0);
    next(&mut net, |net| net.connect(0).unwrap());
    assert_eq!(lengths(&net).iter().map(|(_, len)| len).sum::<usize>(), 577);
}

#[test]
fn a_reference_that_is_unknown_costs_a_hint() {
    let (mut net, purses) = established(&plan(), 3, 0);
    // b forgets all about a; a thinks that b has its ticket.
    net.b.a = plan().open(1, plan().peer(1), &purses[1]);
    next(&mut net, |net| net.call(0, |a, cx, to| a.authenticate(cx, to)).unwrap());
    let numbers: Vec<u8> = lengths(&net).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers[..5], [1, 9, 1, 2, 3], "M1 by reference, HINT, M1 with the ticket");
    net.assert_same_keys();
}

#[test]
fn data_goes_with_k3_and_k4() {
    let (mut net, _) = established(&plan(), 4, 0);
    net.trace.clear();
    net.connect(0).unwrap();
    // K1 and K2 have passed; the application has something to say before K3 has left.
    while !net.trace.iter().any(|(to_b, bytes)| !to_b && bytes[1] >> 4 == 6) {
        net.step();
    }
    let k2 = net.trace.last().unwrap().1.clone();
    net.cut();
    let (now, from) = (net.now, net.b.addr);
    net.a.input(now, &from, &k2);
    let mut out = [0; 1500];
    // What has to be stored first, is.
    let blob = net.a.with(now, |a, cx| match a.poll(cx, &mut [0; 2500]) {
        iotkm::Output::Persist { slot, .. } => slot,
        other => panic!("{other:?}"),
    });
    net.a.a.persisted(blob, Ok(()));
    let sent = net.a.with(now, |a, cx| a.send(cx, b"early", &mut out).unwrap().bytes.to_vec());
    assert_eq!(sent[1] >> 4, 7, "K3 stands before it");
    net.b.input(now, &net.a.addr.clone(), &sent);
    assert_eq!(net.b.received, [b"early"]);
    assert!(net.drive(10_000, |n| n.both() && !n.busy()), "{}", net.state());
    assert!(net.talk(5_000));
}

#[test]
fn a_psk_on_one_side() {
    let one = Plan { psks: [Some(1), None], ..plan() };
    let (mut net, _) = made(&one, 5);
    net.connect(0).unwrap();
    assert!(!net.drive(10_000, |n| n.both()));
    assert!(net.a.saw(|e| *e == Event::Hint { reason: Reason::Psk }), "{}", net.state());
    let other = Plan { psks: [Some(1), Some(2)], ..plan() };
    let (mut net, _) = made(&other, 5);
    net.connect(0).unwrap();
    assert!(!net.drive(10_000, |n| n.both()), "two psks");
    let same = Plan { psks: [Some(1); 2], ..plan() };
    established(&same, 5, 0);
}

#[test]
fn whoever_comes_first() {
    let (net, _) = established(&Plan { named: false, ..plan() }, 6, 0);
    for (who, node) in [&net.a, &net.b].into_iter().enumerate() {
        assert_eq!(node.a.peer().id().unwrap().as_bytes(), NAMES[1 - who].as_bytes());
    }
}

#[test]
fn ping() {
    let (mut net, _) = established(&plan(), 7, 0);
    for who in [0, 1] {
        let stored = net.node(who).stored.clone();
        net.call(who, |a, cx, to| a.ping(cx, to)).unwrap();
        assert!(net.drive(10_000, |n| [&n.a, &n.b][who].saw(|e| *e == Event::PeerAlive)), "{}", net.state());
        assert_eq!(net.node(who).stored, stored, "it stores nothing");
    }
    net.b.dead = true;
    net.call(0, |a, cx, to| a.ping(cx, to)).unwrap();
    net.drive(400_000, |_| false);
    assert!(net.a.saw(|e| *e == Event::Failed { stage: Stage::Ping, reason: Reason::NoAnswer }));
}

#[test]
fn a_new_ticket_on_a_living_association() {
    let (mut net, purses) = established(&plan(), 8, 0);
    let (_, share) = key(plan().group.kem, 1);
    let new = ticket(plan().group.key, NAMES[0], &share, 77, NOW + 1, plan().valid + 5);
    purses[0].0.borrow_mut().install(&new, Some(UnixTime((NOW + 2) * 1000))).unwrap();
    let before = net.b.a.fingerprint();
    net.call(0, |a, cx, _| a.recheck(cx)).unwrap();
    assert!(net.drive(10_000, |n| n.b.a.peer().ticket() == new), "{}", net.state());
    net.drive(5_000, |_| false);
    assert_eq!(net.b.a.fingerprint(), before, "the session goes on");
    assert_eq!(purses[1].0.borrow().floor(), NOW + 1, "its time of issue moves b's clock");
    // And phase 1 names it by reference from now on.
    next(&mut net, |net| net.call(0, |a, cx, to| a.authenticate(cx, to)).unwrap());
    assert_eq!(lengths(&net)[0], (1, 52));
    assert!(net.talk(5_000));
}

/// The next ticket has a key of its own: while both are good phase 1 takes the one that the peer knows, or either of both that it
/// is shown, and the session goes on all the while.
#[test]
fn two_static_keys_while_tickets_overlap() {
    let serial = |net: &Tickets| Ticket::peek(net.a.a.peer().ticket()).unwrap().claims().serial;
    for group in [0, 2] {
        let plan = Plan::new(GROUPS[group]);
        let (mut net, purses) = established(&plan, 9, 0);
        let (old, _) = key(plan.group.kem, 2);
        let (new, share) = key_in(NEXT_KEY, plan.group.kem, 77);
        let both: &'static [&'static dyn iotkm::StaticKeys] = vec![&*Box::leak(old), &*Box::leak(new)].leak();
        net.b.keys = Keys(Box::new(both));
        // The peer knows the old ticket by reference: the old key.
        let second = ticket(plan.group.key, NAMES[1], &share, 12, NOW, 1 << 31);
        purses[1].0.borrow_mut().install(&second, None).unwrap();
        assert_eq!(purses[1].0.borrow().tickets().count(), 2);
        next(&mut net, |net| net.call(0, |a, cx, to| a.authenticate(cx, to)).unwrap());
        assert_eq!(serial(&net), 2, "{}", net.state());
        // b shows the newest itself, and has the key of both.
        next(&mut net, |net| net.call(1, |a, cx, to| a.authenticate(cx, to)).unwrap());
        assert_eq!(serial(&net), 12, "{}", net.state());
        next(&mut net, |net| net.connect(0).unwrap());
        next(&mut net, |net| net.call(0, |a, cx, to| a.authenticate(cx, to)).unwrap());
        assert!(net.talk(5_000), "{}", net.state());
    }
}

/// Memory for one run at a time is enough, on a bad link too.
#[test]
fn one_run_at_a_time() {
    for seed in 0..20 {
        let (mut net, _): (Tickets<1>, _) = tickets(&plan(), seed, Link::BAD);
        net.connect((seed % 2) as usize).unwrap();
        net.drive(400_000, |n| n.both() && !n.busy());
        net.lives_on().unwrap_or_else(|e| panic!("seed {seed}: {e}"));
    }
}

/// Its owner hears of it too, and stops; with another ticket in its place it goes on.
#[test]
fn ones_own_ticket_is_revoked() {
    for renewed in [false, true] {
        let (mut net, purses) = established(&plan(), 9, 0);
        let mut purse = purses[1].0.borrow_mut();
        if renewed {
            let own = purse.ticket(None).unwrap();
            let key = own.claims().key.as_bytes().to_vec();
            let next = ticket(GROUPS[0].key, NAMES[1], &key, 12, NOW, 1 << 31);
            purse.install(&next, None).unwrap();
        }
        let serial = 2;
        assert!(purse.tickets().any(|ticket| ticket.claims().serial == serial));
        purse.revoke(&list(1, &[serial])).unwrap();
        drop(purse);
        net.call(1, |a, cx, _| a.recheck(cx)).unwrap();
        assert_eq!(net.b.saw(|e| *e == Event::Terminated), !renewed, "{}", net.state());
        assert_eq!(net.b.a.is_established(), renewed, "{}", net.state());
    }
}

#[test]
fn a_revoked_ticket_ends_the_association() {
    [false, true].into_iter().for_each(revoked);
}

/// `lost`: the record that says so.
fn revoked(lost: bool) {
    let (mut net, purses) = established(&plan(), 9, 0);
    let (now, mut blob) = (net.now, [0; 256]);
    let stored = net.b.with(now, |b, cx| b.export(cx, &mut blob)).unwrap();
    purses[1].0.borrow_mut().revoke(&list(1, &[1])).unwrap();
    net.b.with(now, |b, cx| {
        b.recheck(cx).unwrap();
        // At once: what tells the peer has not left yet, nor is it stored that there is no PMK.
        assert!(!b.is_established() && b.fingerprint().is_none() && b.assurance().is_none());
        assert_eq!(b.send(cx, b"a list", &mut [0; 99]).unwrap_err(), Error::NotEstablished);
        assert_eq!(b.exporter(b"label", b"", &mut [0; 16]), Err(Error::NotEstablished));
        assert_eq!(b.export(cx, &mut [0; 256]), Err(Error::NotEstablished));
    });
    net.flush();
    assert_eq!(net.trace.last().unwrap().1.len(), 3 + 1 + 8, "one record tells the peer");
    if lost {
        net.cut();
    }
    net.drive(1_000, |_| false);
    assert!(net.b.saw(|e| *e == Event::Terminated), "{}", net.state());
    assert_eq!((net.a.saw(|e| *e == Event::Terminated), net.a.a.is_established()), (!lost, lost), "{}", net.state());
    // What was stored before leads nowhere, even where the peer goes on.
    let now = net.now;
    net.b.with(now, |b, cx| b.restore(cx, &blob[..stored])).unwrap();
    assert!(!net.drive(400_000, |n| n.b.a.is_established()), "{}", net.state());
    assert_eq!(net.b.saw(|e| matches!(e, Event::Resumed { .. })), lost, "{}", net.state());
    // Neither phase gets anywhere.
    net.connect(0).unwrap();
    assert!(!net.drive(400_000, |n| n.b.a.is_established()), "{}", net.state());
    assert!(net.a.saw(|e| *e == Event::Hint { reason: Reason::Credential }), "{}", net.state());
}

#[test]
fn life_is_over_by_the_clock_and_without_one() {
    for wall in [true, false] {
        let plan = Plan { life: 7_200, ..plan() };
        let (mut net, _) = made(&plan, 10);
        if !wall {
            (net.a.wall, net.b.wall) = (None, None);
        }
        net.connect(0).unwrap();
        assert!(net.drive(10_000, |n| n.both() && !n.busy()), "{}", net.state());
        net.drive(3_600_000, |_| false);
        assert!(net.both(), "half of it: {}", net.state());
        net.drive(4_000_000, |_| false);
        assert!(!net.a.a.is_established() && !net.b.a.is_established(), "all of it: {}", net.state());
        // Phase 1 begins anew.
        net.trace.clear();
        net.connect(1).unwrap();
        assert!(net.drive(10_000, |n| n.both() && !n.busy()), "{}", net.state());
        assert_eq!(lengths(&net)[0].0, 1);
    }
}

#[test]
fn tickets_that_end() {
    let plan = Plan { valid: 5_000, ..plan() };
    let (mut net, _) = established(&plan, 11, 0);
    net.drive(6_000_000, |_| false);
    assert!(!net.a.a.is_established() && !net.b.a.is_established(), "{}", net.state());
    assert_eq!(net.connect(0), Err(Error::NoCredential));
}

#[test]
fn both_start_at_once() {
    for seed in 0..20 {
        let (mut net, _) = made(&plan(), seed);
        net.connect(0).unwrap();
        net.connect(1).unwrap();
        assert!(net.drive(60_000, |n| n.both() && !n.busy()), "{}", net.state());
        next(&mut net, |net| {
            net.connect(0).unwrap();
            net.connect(1).unwrap();
        });
        assert!(net.talk(5_000));
    }
}
