//! The noninteractive scheme: issuing both ways, handshakes, epochs, a side that slept, a restart; the next credential, for which
//! k1 waits in a blob.

use crate::side::{
    Party, SecretRng, Side, Watched, address, assert_secret, device, fails, key, published, run, show, tell,
};
use crate::{Scenario, Verdict};
use iotkm::cose::{Message, TicketAgent};
use iotkm::crypto::keys::{GrowingKey, KeySlot, StaticKey};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::engine::Config;
use iotkm::noninteractive::credential::{Credential, credential_max};
use iotkm::noninteractive::exchange::{Exchange, flight_max};
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::issue::{OperatorKey, accept, check, request};
use iotkm::noninteractive::renewal::Told;
use iotkm::noninteractive::setting::{SETTING_0, SETTING_2};
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{Holder, Noninteractive, Operator, Options, Peer, Setting};
use iotkm::phase1::Subject;
use iotkm::{Association, Device, Event, Slot};
use std::cell::RefCell;

const C: usize = credential_max(32);
const F: usize = flight_max(32);
type Held = Holder<'static, { holder_len(32) }, 0>;
type Other<const N: usize> = Peer<N, C>;
type Memory<const N: usize> = Watched<Exchange<Other<N>, RefCell<Held>, N, C, F>, 2, 400>;
type Assoc<const N: usize> = Noninteractive<Other<N>, RefCell<Held>, Memory<N>, N, C, F>;

const SLOT: Slot = Slot(1);
const NOW: u64 = 1_000;
/// The wall clock of the scenarios, in seconds.
const WALL: u32 = 1_750_000_000;
const EPOCH: u64 = 60_000;
const NAMES: [&str; 2] = ["lamp", "door"];

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("noninteractive, suite 0", Verdict::Silent, || life::<32>(&SETTING_0)),
    ("noninteractive, suite 2", Verdict::Silent, || drop(talk::<65>(&SETTING_2))),
    ("noninteractive, the next credential, suite 0", Verdict::Silent, || renewal(&SETTING_0)),
    ("noninteractive, the next credential, suite 2", Verdict::Silent, || renewal(&SETTING_2)),
];

fn operator(setting: &'static Setting, key: &OperatorKey) -> Operator<'static> {
    let lists = Ed25519Key::new(iotkm::crypto::Secret::new([8; 32])).public_key().expect("a key");
    Operator { name: "acme", setting, key: Box::leak(Box::new(*key.share())), lists }
}

/// A device by split issue; a printed issue on the side.
fn enrol(setting: &'static Setting, office: &OperatorKey, agent: &mut TicketAgent, who: usize) -> (Held, GrowingKey) {
    let (mut rng, name) = (SecretRng::new(who as u64 + 50), NAMES[who]);
    let (mut asked, mut answer) = ([0; 100], [0; 200]);
    let (len, k1) = request(setting, name, &mut rng, &mut asked).expect("room");
    let asked = published(&asked[..len]);
    let len = office.issue(agent, &mut rng, WALL, 24, &asked, &mut answer).expect("numbers");
    let (operator, answer) = (operator(setting, office), published(&answer[..len]));
    let (credential, x) = accept(&operator, name, &k1, &answer, None, 0).expect("our own");
    assert_secret("x", x.expose());
    assert!(accept(&operator, name, &key(77), &answer, None, 0).is_err());
    let mut held = Held::new(operator, name).expect("names");
    held.install(&credential, None).expect("checked");
    show(&held);

    let mut out = [0; 100];
    let (len, printed) = office.issue_printed(agent, &mut rng, WALL, 24, name, &mut out).expect("numbers");
    assert_secret("printed x", printed.expose());
    let out = published(&out[..len]);
    let credential = Credential::read(&out, setting).expect("a credential");
    assert_eq!(check(&operator, name, &credential, &printed, None, 0), Ok(()));

    let key = StaticKey::new(KeySlot(1), setting.kem, &x).expect("an exponent");
    show(&key);
    (held, GrowingKey::new(key, setting.group).expect("of the group"))
}

fn open<const N: usize>(setting: &'static Setting, held: Held, peer: Other<N>) -> Assoc<N> {
    let terms = Terms { life: 0, interval: (EPOCH / 1000) as u32, length: 100 };
    let options = Options { setting, slots: [KeySlot(1); 2], terms, config: &Config::default() };
    Noninteractive::open(peer, RefCell::new(held), &options, Memory::new()).unwrap_or_else(fails)
}

/// Who issues, and what numbers it.
fn office(setting: &'static Setting) -> (OperatorKey, TicketAgent) {
    let office = OperatorKey::generate(setting, &mut SecretRng::new(40)).expect("randomness");
    show(&office);
    let mut agent = TicketAgent::new("acme").expect("a name");
    agent.seal(&Device::new(iotkm::crypto::Secret::new([9; 32])), &mut [0; 200]).expect("room");
    agent.persisted();
    (office, agent)
}

/// Stored, and opened again after the power went.
fn restarted(office: &OperatorKey, setting: &'static Setting, mut held: Held) -> Held {
    let (device, mut blob) = (device(3), [0; Held::BLOB_MAX]);
    let (len, version) = held.seal(&device, &mut blob).expect("room");
    let blob = published(&blob[..len]);
    let again = Held::restore(operator(setting, office), NAMES[0], &device, version, &blob, &mut [0; Held::BLOB_MAX]);
    let again = again.unwrap_or_else(fails);
    show(&again);
    again
}

/// A device asks, is cut off, is answered, is cut off: k1 goes through a blob and comes out of it as secret as it was drawn.
fn renewal(setting: &'static Setting) {
    let (office, mut agent) = office(setting);
    let (mut held, _) = enrol(setting, &office, &mut agent, 0);
    let (mut rng, mut asked, mut answer) = (SecretRng::new(60), [0; 100], [0; 200]);
    held.ask(&mut rng).unwrap_or_else(fails);
    show(&held);
    let mut held = restarted(&office, setting, held);
    assert!(held.is_asking());
    let len = held.request(&mut asked).unwrap_or_else(fails);
    // It leaves as it is.
    show(&&asked[..len]);
    let len = office.issue(&mut agent, &mut rng, WALL, 48, &asked[..len], &mut answer).expect("numbers");
    let answer = published(&answer[..len]);
    let mut wrong = answer.clone();
    wrong[len - 20] ^= 1;
    assert!(held.handle(&Message::CredentialAnswer(&wrong), None).is_err());
    let Ok(Told::Next(credential, x)) = held.handle(&Message::CredentialAnswer(&answer), None) else {
        panic!("its own answer")
    };
    assert_secret("the next x", x.expose());
    held.install(&credential, None).expect("checked");
    let mut held = restarted(&office, setting, held);
    assert!(
        !held.is_asking() && matches!(held.handle(&Message::CredentialAnswer(&answer), None), Ok(Told::Acknowledge))
    );
    show(&held.acknowledgement());
}

fn sides<const N: usize>(setting: &'static Setting) -> [Side<Assoc<N>>; 2] {
    let (office, mut agent) = office(setting);
    [0, 1].map(|who| {
        let (held, key) = enrol(setting, &office, &mut agent, who);
        let [me, other] = [who, 1 - who].map(|who| Subject::new(NAMES[who]).expect("a name"));
        let peer = Other::<N>::new(SLOT, me, Some(other), None).unwrap_or_else(fails);
        let mut side = Side::new(open(setting, held, peer), who as u8 + 1);
        side.keys = crate::side::Keys(Box::new(key));
        side
    })
}

/// Time has come: what is due is done, as often as there is something.
fn due<const N: usize>(now: u64, a: &mut Side<Assoc<N>>, b: &mut Side<Assoc<N>>) {
    for _ in 0..3 {
        for side in [&mut *a, &mut *b] {
            side.with(now, |a, cx| a.handle_timeout(cx)).unwrap_or_else(fails);
        }
        run(now, a, b);
    }
}

/// A handshake, a record each way, another epoch.
fn talk<const N: usize>(setting: &'static Setting) -> [Side<Assoc<N>>; 2] {
    let [mut a, mut b] = sides::<N>(setting);
    a.with(NOW, |a, cx| a.connect(cx, &address(2))).unwrap_or_else(fails);
    run(NOW, &mut a, &mut b);
    due(NOW, &mut a, &mut b);
    assert!(a.a.is_established() && b.a.is_established(), "{:?} {:?}", a.events, b.events);
    a.assert_same_keys(&b);
    tell(NOW, &mut a, &mut b, b"a reading");
    tell(NOW, &mut b, &mut a, b"an answer");
    let now = NOW + EPOCH;
    due(now, &mut a, &mut b);
    tell(now, &mut a, &mut b, b"in the second epoch");
    [a, b]
}

fn life<const N: usize>(setting: &'static Setting) {
    let [mut a, mut b] = talk::<N>(setting);
    let mut now = NOW + EPOCH;
    // One is asked first, the other follows its record.
    now += EPOCH;
    a.with(now, |a, cx| a.handle_timeout(cx)).unwrap_or_else(fails);
    run(now, &mut a, &mut b);
    tell(now, &mut a, &mut b, b"the third begins");
    assert_eq!((a.a.epoch(), b.a.epoch()), (Some(3), Some(3)));
    // One slept: it is told.
    now += 5 * EPOCH;
    for _ in 0..3 {
        a.with(now, |a, cx| a.handle_timeout(cx)).unwrap_or_else(fails);
        run(now, &mut a, &mut b);
    }
    let record = b.say(NOW + 2 * EPOCH, b"late");
    a.input(now, &address(2), &record);
    a.with(now, |a, cx| a.handle_timeout(cx)).unwrap_or_else(fails);
    run(now, &mut a, &mut b);
    due(now, &mut a, &mut b);
    assert_eq!(a.a.epoch(), b.a.epoch());
    tell(now, &mut b, &mut a, b"on time");
    // A restart.
    let blob = a.stored[&SLOT.0].clone();
    let peer = Other::<N>::restore(&device(1), SLOT, 0, &blob, &mut [0; 1000]).unwrap_or_else(fails);
    show(&peer);
    let held = a.a.credentials().borrow().clone();
    a.a = open(setting, held, peer);
    a.with(now, |a, cx| a.go_on(cx)).unwrap_or_else(fails);
    run(now, &mut a, &mut b);
    due(now, &mut a, &mut b);
    assert!(a.events.iter().any(|event| matches!(event, Event::Resumed { .. })), "{:?}", a.events);
    a.assert_same_keys(&b);
    tell(now, &mut a, &mut b, b"resumed");
    tell(now, &mut b, &mut a, b"and back");
}
