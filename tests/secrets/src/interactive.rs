//! The interactive scheme: phase 1 as A and as S, phase 2 on both sides, a rekey by phase 1, PING, a new ticket, resume.

use crate::side::{
    Keys, Marked, Party, Side, Watched, assert_secret, device, fails, key, published, run, show, tell, with_marked,
};
use crate::{Scenario, Verdict};
use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Ticket, Wallet};
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{self, Secret, Suite};
use iotkm::engine::Config;
use iotkm::interactive::{Any, Exchange, Interactive, Lend, Peer, Setup, Subject};
use iotkm::phase1::Credentials;
use iotkm::{Addr, Association, Event, KeySlot, Slot, StaticKey, StaticKeys, UnixTime};
use std::cell::RefCell;
use std::rc::Rc;

const ROOM: usize = 640;

#[derive(Clone, Debug)]
struct Shared(Rc<RefCell<Wallet<'static, ROOM, 200>>>);

impl Lend for Shared {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        self.0.lend(work);
    }
}

type Memory = Watched<Exchange<Peer<ROOM>, Shared, Any, ROOM>, 2, 1200>;
type Assoc = Interactive<Peer<ROOM>, Shared, Memory, Any, ROOM>;

const SLOT: Slot = Slot(1);
const KEY: KeySlot = KeySlot(1);
const NOW: u64 = 1_000;
const NAMES: [&str; 2] = ["aaaaaaaa", "bbbbbbbb"];
const ISSUED: u64 = 1_750_000_000;

/// A suite, and the group of its tickets.
type Group = (&'static [&'static Suite], &'static dyn Kem, KeyGroup);

const SUITE_0: Group = (&[&crypto::SUITE_0], &DHKEM_X25519, KeyGroup::X25519);
const SUITE_1: Group = (&[&crypto::SUITE_1], &DHKEM_X25519, KeyGroup::X25519);
const SUITE_2: Group = (&[&crypto::SUITE_2], &DHKEM_P256, KeyGroup::P256);
const SUITE_3: Group = (&[&crypto::SUITE_3], &DHKEM_P256, KeyGroup::P256);
const SUITE_4: Group = (&[&crypto::SUITE_4], &DHKEM_X25519, KeyGroup::X25519);
const SUITE_5: Group = (&[&crypto::SUITE_5], &DHKEM_P256, KeyGroup::P256);
const FFC2048: Group = (&[&crypto::SUITE_FFC2048], &KEM_FFC2048, KeyGroup::Ffc2048);
const FFC3072: Group = (&[&crypto::SUITE_FFC3072], &KEM_FFC3072, KeyGroup::Ffc3072);

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("interactive, suite 0", Verdict::Silent, || life(SUITE_0)),
    ("interactive, suite 1", Verdict::Silent, || short(SUITE_1)),
    ("interactive, suite 2", Verdict::Silent, || life(SUITE_2)),
    ("interactive, suite 3", Verdict::Silent, || short(SUITE_3)),
    ("interactive, suite 4", Verdict::Silent, || life(SUITE_4)),
    ("interactive, suite 5", Verdict::Silent, || short(SUITE_5)),
    ("interactive, FFC 2048", Verdict::Silent, || short(FFC2048)),
    ("interactive, FFC 3072", Verdict::Silent, || short(FFC3072)),
    ("interactive, both connect at once", Verdict::Silent, glare),
    ("interactive, a side that was rolled back", Verdict::Silent, rolled_back),
    ("interactive, only the static keys are secret", Verdict::Silent, || alone(Marked { keys: true, ..Marked::NONE })),
    ("interactive, only randomness is secret", Verdict::Silent, || alone(Marked { random: true, ..Marked::NONE })),
];

fn signer() -> Ed25519Key {
    Ed25519Key::new(Secret::new([0xa9; 32]))
}

fn static_key(who: usize, kem: &'static dyn Kem) -> (Box<dyn StaticKeys>, Vec<u8>) {
    let scalar = key::<32>(who as u8 + 0x21);
    let len = kem.group().share_len();
    let keys: Box<dyn StaticKeys> = match len {
        32 => Box::new(StaticKey::<32>::new(KEY, kem, &scalar).expect("a scalar")),
        256 => Box::new(StaticKey::<256>::new(KEY, kem, &scalar).expect("a scalar")),
        _ => Box::new(StaticKey::<384>::new(KEY, kem, &scalar).expect("a scalar")),
    };
    let mut share = vec![0; len];
    keys.public_key(KEY, kem, &mut share).expect("its own");
    (keys, share)
}

fn ticket(group: KeyGroup, who: usize, share: &[u8], serial: u32) -> Vec<u8> {
    let claims = Claims {
        issuer: "agent",
        subject: NAMES[who],
        expires: ISSUED + 1_000_000 + u64::from(serial),
        not_before: None,
        issued_at: ISSUED - 10,
        serial,
        key: DeviceKey::new(group, share).expect("a key"),
        scope: "",
    };
    let mut out = [0; ROOM];
    let len = Ticket::issue(&signer(), &claims, &mut out).expect("room");
    out[..len].to_vec()
}

fn wall() -> Option<UnixTime> {
    Some(UnixTime(ISSUED * 1000 + NOW))
}

fn open((suites, kem, _): Group, peer: Peer<ROOM>, purse: &Shared) -> Assoc {
    let setup = Setup { kem, suites, slots: [KEY; 2], life: 0 };
    Interactive::open(peer, purse.clone(), setup, Config::default(), Memory::new()).unwrap_or_else(fails)
}

fn sides(group: Group) -> ([Side<Assoc>; 2], [Shared; 2]) {
    let both = [0, 1].map(|who| {
        let (keys, share) = static_key(who, group.1);
        let agent = Agent { name: "agent", key: signer().public_key().expect("a key") };
        let mut wallet = Wallet::new(agent, NAMES[who]).unwrap_or_else(fails);
        wallet.install(&ticket(group.2, who, &share, who as u32 + 1), wall()).expect("valid");
        let purse = Shared(Rc::new(RefCell::new(wallet)));
        let [me, other] = [who, 1 - who].map(|who| Subject::new(NAMES[who]).expect("short"));
        let (mut peer, mut blob) = (Peer::new(SLOT, me, other, Some(key(9))).unwrap_or_else(fails), [0; 2000]);
        let (len, _) = peer.seal(&device(who as u8 + 1), &mut blob).unwrap_or_else(fails);
        let mut side = Side::new(open(group, peer, &purse), who as u8 + 1);
        side.keys = Keys(keys);
        side.stored.insert(SLOT.0, published(&blob[..len]));
        (side, purse)
    });
    let [(a, first), (b, second)] = both;
    ([a, b], [first, second])
}

fn call(
    a: &mut Side<Assoc>,
    b: &mut Side<Assoc>,
    verb: impl FnOnce(&mut Assoc, &mut iotkm::Cx<'_>, &Addr) -> Result<(), iotkm::Error>,
) {
    let to = b.addr();
    a.with(NOW, |a, cx| verb(a, cx, &to)).unwrap_or_else(fails);
    run(NOW, a, b);
    assert!(a.a.is_established() && b.a.is_established(), "{:?} {:?}", a.events, b.events);
    a.assert_same_keys(b);
}

fn restart(group: Group, side: &mut Side<Assoc>, purse: &Shared, blob: &[u8]) {
    let peer = Peer::restore(&side.device, SLOT, 0, blob, &mut [0; 2000]).unwrap_or_else(fails);
    show(&peer);
    side.a = open(group, peer, purse);
}

/// Phase 1 and phase 2, and phase 2 the other way.
fn short(group: Group) {
    let ([mut a, mut b], _) = sides(group);
    call(&mut a, &mut b, |a, cx, to| a.connect(cx, to));
    tell(NOW, &mut a, &mut b, b"a reading");
    call(&mut b, &mut a, |b, cx, to| b.connect(cx, to));
    tell(NOW, &mut b, &mut a, b"an answer");
}

/// All that two devices do while nothing goes wrong.
fn life(group: Group) {
    let ([mut a, mut b], purses) = sides(group);
    call(&mut a, &mut b, |a, cx, to| a.connect(cx, to));
    tell(NOW, &mut a, &mut b, b"a reading");
    call(&mut b, &mut a, |b, cx, to| b.connect(cx, to));
    call(&mut a, &mut b, |a, cx, to| a.authenticate(cx, to));
    tell(NOW, &mut a, &mut b, b"another");
    call(&mut b, &mut a, |b, cx, to| b.ping(cx, to));
    assert!(b.events.contains(&Event::PeerAlive), "{:?}", b.events);

    let (_, share) = static_key(0, group.1);
    purses[0].0.borrow_mut().install(&ticket(group.2, 0, &share, 30), wall()).expect("newer");
    call(&mut a, &mut b, |a, cx, _| a.recheck(cx));
    assert_eq!(b.a.peer().ticket(), ticket(group.2, 0, &share, 30));

    let mut blob = [0; 256];
    let len = a.with(NOW, |a, cx| a.export(cx, &mut blob)).unwrap_or_else(fails);
    let (session, peer) = (published(&blob[..len]), a.stored[&SLOT.0].clone());
    restart(group, &mut a, &purses[0], &peer);
    a.with(NOW, |a, cx| a.restore(cx, &session)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    a.assert_same_keys(&b);
    tell(NOW, &mut b, &mut a, b"resumed");
}

fn glare() {
    let ([mut a, mut b], _) = sides(SUITE_0);
    let (to_a, to_b) = (a.addr(), b.addr());
    a.with(NOW, |a, cx| a.connect(cx, &to_b)).unwrap_or_else(fails);
    b.with(NOW, |b, cx| b.connect(cx, &to_a)).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    a.assert_same_keys(&b);
}

/// GONE, and phase 1 after it.
fn rolled_back() {
    let ([mut a, mut b], purses) = sides(SUITE_4);
    call(&mut a, &mut b, |a, cx, to| a.connect(cx, to));
    let old = a.stored[&SLOT.0].clone();
    call(&mut a, &mut b, |a, cx, to| a.connect(cx, to));
    restart(SUITE_4, &mut a, &purses[0], &old);
    call(&mut a, &mut b, |a, cx, to| a.connect(cx, to));
    tell(NOW, &mut a, &mut b, b"again");
}

fn alone(marked: Marked) {
    with_marked(marked, || {
        let ([mut a, mut b], _) = sides(SUITE_0);
        let to = b.addr();
        a.with(NOW, |a, cx| a.connect(cx, &to)).unwrap_or_else(fails);
        run(NOW, &mut a, &mut b);
        let mut key = [0; 40];
        a.a.exporter(b"label", b"", &mut key).unwrap_or_else(fails);
        assert_secret("exporter", &key);
    });
}
