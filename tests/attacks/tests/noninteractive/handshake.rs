//! What the handshake must resist: the attacks of `iotkm_attacks::phase1`, and credentials that are somebody else's.

use iotkm::cose::RevocationList;
use iotkm::crypto::Secret;
use iotkm::crypto::hpke::Kem;
use iotkm::engine::wire::Writer;
use iotkm::noninteractive::Setting;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2, SETTING_FFC2048};
use iotkm::phase1::Subject;
use iotkm::{Addr, Association, Device, Error};
use iotkm_attacks::cheats::{Crooked, bad_shares};
use iotkm_attacks::phase1::{self, Begins, meet};
use iotkm_netsim::epochs::{Assoc, Held, NAMES, Office, OfficeOf, Other, Plan, SLOT, WALL};
use iotkm_netsim::node::Keys;
use iotkm_netsim::{Link, Net, Node};

/// The scheme on ristretto255.
struct Epochs;

impl Begins for Epochs {
    type A = Assoc<32>;
    const NUMBER: u8 = 2;

    fn lab(seed: u64) -> Net<Self::A, Self::A> {
        let mut office = Office::new(&SETTING_0, seed);
        between([0, 1].map(|who| node(&mut office, &Plan::new(&SETTING_0), who, NAMES[who], seed)), seed)
    }
    fn kem() -> &'static dyn Kem {
        SETTING_0.kem
    }
    fn begin(node: &mut Node<Self::A>, now: u64, to: &Addr) -> Result<(), Error> {
        node.with(now, |a, cx| a.connect(cx, to))
    }
    fn credential(node: &Node<Self::A>) -> Vec<u8> {
        written(&node.a.credentials().borrow())
    }
}

fn between<const N: usize>([a, b]: [Node<Assoc<N>>; 2], seed: u64) -> Net<Assoc<N>, Assoc<N>> {
    Net::new(seed, Link::GOOD, a, b)
}

fn written(held: &Held) -> Vec<u8> {
    let mut bytes = vec![0; 500];
    let mut w = Writer::new(&mut bytes);
    held.credential().unwrap().write(&mut w);
    let len = w.len();
    bytes.truncate(len);
    bytes
}

/// A device of this office, in place `who`; a (0) wants b, b takes anybody.
fn node<const N: usize, const SHARE: usize>(
    office: &mut OfficeOf<SHARE>,
    plan: &Plan,
    who: usize,
    name: &'static str,
    seed: u64,
) -> Node<Assoc<N>> {
    let (held, key) = office.enrol(name, plan.life);
    let wanted = (who == 0).then(|| Subject::new(NAMES[1]).unwrap());
    let peer = Other::<N>::new(SLOT, Subject::new(name).unwrap(), wanted, None).unwrap();
    let device = Device::new(Secret::new([who as u8 + 1; 32]));
    let mut node = Node::new(plan.open(held, peer), NAMES[who].as_bytes(), seed * 2 + who as u64, device);
    node.wall = Some(u64::from(WALL) * 1_000);
    node.keys = Keys(Box::new(key));
    node
}

fn refused<const N: usize>(mut net: Net<Assoc<N>, Assoc<N>>) {
    let (now, to) = (net.now, net.b.addr);
    net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
    net.drive(210_000, |_| false);
    assert!(!net.a.a.is_established() && !net.b.a.is_established());
}

#[test]
fn key_compromise_impersonation() {
    phase1::kci_against_a::<Epochs>();
    phase1::kci_against_b::<Epochs>();
}

#[test]
fn replays_of_older_runs() {
    phase1::older_runs::<Epochs>();
}

#[test]
fn role_confusion() {
    phase1::reflection::<Epochs>();
}

#[test]
fn unknown_key_share() {
    let mut office = Office::new(&SETTING_0, 104);
    for name in NAMES {
        office.enrol(name, 1_000);
    }
    let (hers, _) = office.enrol("mall-01", 1_000);
    phase1::unknown_key_share::<Epochs>(&written(&hers));
}

#[test]
fn hints_decide_nothing() {
    phase1::hints_decide_nothing::<Epochs>();
}

#[test]
fn downgrade_of_the_suite() {
    phase1::changed_offer::<Epochs>();
}

// ---- small subgroup and invalid curve elements ----

fn crooked<const N: usize, const SHARE: usize>(setting: &'static Setting) {
    for (share, secret) in bad_shares(setting.kem.label()) {
        let evil = Crooked::new(setting.kem, Some(setting.group), &share, &secret);
        let theirs = Box::leak(Box::new(Setting { group: evil, kem: evil, ..*setting }));
        for who in [0, 1] {
            let mut office = OfficeOf::<SHARE>::new(setting, 5);
            let nodes = [0, 1].map(|one| {
                let plan = Plan { setting: if one == who { theirs } else { setting }, ..Plan::new(setting) };
                node::<N, SHARE>(&mut office, &plan, one, NAMES[one], 5)
            });
            let mut net = between(nodes, 5);
            let (now, to) = (net.now, net.b.addr);
            net.a.with(now, |a, cx| a.connect(cx, &to)).unwrap();
            net.drive(2_000, |_| false);
            let victim = if who == 1 { &net.a } else { &net.b };
            let why = victim.a.drops();
            assert!(why.get(iotkm::engine::drops::Dropped::BadElement) > 0, "{share:02x?} as {who}: {why:?}");
            net.drive(210_000, |_| false);
            assert!(!victim_established(&net, who), "{share:02x?} as {who}");
        }
    }
}

fn victim_established<const N: usize>(net: &Net<Assoc<N>, Assoc<N>>, who: usize) -> bool {
    if who == 1 { net.a.a.is_established() } else { net.b.a.is_established() }
}

#[test]
fn shares_that_are_no_elements() {
    crooked::<32, 32>(&SETTING_0);
    crooked::<65, 32>(&SETTING_2);
    crooked::<256, 256>(&SETTING_FFC2048);
}

// ---- credentials that are somebody else's ----

#[test]
fn credentials_of_another_operator() {
    for who in [0, 1] {
        let (mut ours, mut other) = (Office::new(&SETTING_0, 6), Office::new(&SETTING_0, 7));
        let plan = Plan::new(&SETTING_0);
        let nodes = [0, 1].map(|one| {
            let office = if one == who { &mut other } else { &mut ours };
            node::<32, 32>(office, &plan, one, NAMES[one], 6)
        });
        refused(between(nodes, 6));
    }
}

/// The credential of one device with the key of another of the same operator: swapped ids.
#[test]
fn credential_of_another_device() {
    for who in [0, 1] {
        let mut office = Office::new(&SETTING_0, 8);
        let plan = Plan::new(&SETTING_0);
        let mut net = between([0, 1].map(|one| node::<32, 32>(&mut office, &plan, one, NAMES[one], 8)), 8);
        let (_, other) = office.enrol("mall-01", 1_000);
        let thief = if who == 0 { &mut net.a } else { &mut net.b };
        thief.keys = Keys(Box::new(other));
        refused(net);
    }
}

/// Somebody with a good credential, but not who a wants.
#[test]
fn another_device_answers() {
    let mut office = Office::new(&SETTING_0, 9);
    let plan = Plan::new(&SETTING_0);
    let a = node::<32, 32>(&mut office, &plan, 0, NAMES[0], 9);
    let b = node::<32, 32>(&mut office, &plan, 1, "mall-01", 9);
    refused(between([a, b], 9));
}

#[test]
fn expired_and_revoked_credentials() {
    for who in [0, 1] {
        let mut office = Office::new(&SETTING_0, 10);
        let plan = Plan::new(&SETTING_0);
        let nodes = [0, 1].map(|one| {
            let life = if one == who { 1 } else { 1_000 };
            node::<32, 32>(&mut office, &Plan { life, ..plan }, one, NAMES[one], 10)
        });
        let mut net = between(nodes, 10);
        // The clock of who is over runs behind: it does not know.
        net.now += 3_700_000;
        let late = if who == 0 { &mut net.a } else { &mut net.b };
        late.wall = late.wall.map(|wall| wall - 3_600_000);
        refused(net);

        let mut office = Office::new(&SETTING_0, 11);
        let mut net = between([0, 1].map(|one| node::<32, 32>(&mut office, &plan, one, NAMES[one], 11)), 11);
        let serial = |node: &Node<Assoc<32>>| node.a.credentials().borrow().credential().unwrap().serial;
        let revoked = serial(if who == 0 { &net.a } else { &net.b });
        let mut list = [0; 200];
        let len = RevocationList::issue(&office.lists, "acme", u64::from(WALL), 1, &[revoked], &mut list).unwrap();
        let knows = if who == 0 { &mut net.b } else { &mut net.a };
        knows.a.credentials().borrow_mut().revoke(&list[..len]).unwrap();
        refused(net);
    }
}

/// The lab meets, where nobody attacks it.
#[test]
fn nobody_attacks() {
    assert!(meet::<Epochs>(&mut Epochs::lab(12)));
}
