//! The noninteractive scheme: its handshake by value, and what an epoch costs, which travels nowhere.

use std::cell::RefCell;

use iotkm::cose::TicketAgent;
use iotkm::crypto::Secret;
use iotkm::crypto::keys::{GrowingKey, KeySlot, StaticKey};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::engine::Config;
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::issue::{OperatorKey, accept, request};
use iotkm::noninteractive::setting::SETTING_2;
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{Holder, Noninteractive, NoninteractiveMemory, Operator, Options, Peer};
use iotkm::phase1::Subject;
use iotkm::{Association, Device, Slot};

use super::pair::{Cheap, Side, settle};
use crate::lab::Problem;
use crate::ops::{Op, repeat};

const SHARE: usize = 32;
const ELEMENT: usize = 65;
const C: usize = credential_max(SHARE);
const F: usize = flight_max(SHARE);
type Held = Holder<'static, { holder_len(SHARE) }, 64>;
type Other = Peer<ELEMENT, C>;
type Purse = &'static RefCell<Held>;
type Memory = NoninteractiveMemory<Other, Purse, ELEMENT, C, F, 1, 0>;
type Owned = Noninteractive<Other, Purse, Memory, ELEMENT, C, F>;

type Lent = Noninteractive<&'static mut Other, Purse, &'static mut Runs, ELEMENT, C, F>;
type Runs = NoninteractiveMemory<&'static mut Other, Purse, ELEMENT, C, F, 1, 0>;
/// `sizeof` an established association.
pub const ESTABLISHED: usize = size_of::<Lent>();

const NAMES: [&str; 2] = ["lamp-01", "door-01"];
/// When the credentials are issued, in seconds since 1970.
const ISSUED: u32 = 1_800_000_000;
/// Length of an epoch in seconds.
const INTERVAL: u32 = 60;

fn open(who: usize, purse: Purse) -> Owned {
    let [me, other] = [NAMES[who], NAMES[1 - who]].map(|name| Subject::new(name).expect("a name"));
    let config = Config::default();
    let terms = Terms { life: 0, interval: INTERVAL, length: u16::MAX };
    let options = Options { setting: &SETTING_2, slots: [KeySlot(1); 2], terms, config: &config };
    let peer = Other::new(Slot(1), me, Some(other), None).expect("two names");
    Noninteractive::open(peer, purse, &options, Memory::new()).expect("valid")
}

fn sides() -> ([Side<Owned>; 2], [Purse; 2]) {
    let mut rng = Cheap(77);
    let key: OperatorKey<SHARE> = OperatorKey::generate(&SETTING_2, &mut rng).expect("randomness");
    let mut agent = TicketAgent::new("acme").expect("a name");
    agent.seal(&Device::new(Secret::new([9; 32])), &mut [0; 200]).expect("room");
    agent.persisted();
    let lists = Ed25519Key::new(Secret::new([8; 32])).public_key().expect("a key");
    let operator = || Operator { name: "acme", setting: &SETTING_2, key: Box::leak(Box::new(*key.share())), lists };
    let made = NAMES.map(|name| {
        let (mut asked, mut answer) = ([0; 100], [0; 200]);
        let (len, k1) = request(&SETTING_2, name, &mut rng, &mut asked).expect("room");
        let len = key.issue(&mut agent, &mut rng, ISSUED, 1000, &asked[..len], &mut answer).expect("numbers");
        let (credential, x) = accept(&operator(), name, &k1, &answer[..len], None, 0).expect("our own");
        let mut held = Held::new(operator(), name).expect("names");
        held.install(&credential, None).expect("checked");
        let purse: Purse = Box::leak(Box::new(RefCell::new(held)));
        let key = StaticKey::<SHARE>::new(KeySlot(1), SETTING_2.kem, &x).expect("an exponent");
        (purse, GrowingKey::new(key, SETTING_2.group).expect("of the group"))
    });
    let purses = [made[0].0, made[1].0];
    let mut who = 0;
    let sides = made.map(|(purse, key)| {
        let side = Side::new(NAMES[who], open(who, purse)).with_keys(Box::new(key));
        who += 1;
        side
    });
    (sides, purses)
}

fn shake(a: &mut Side<Owned>, b: &mut Side<Owned>) -> u64 {
    let to = b.addr;
    a.with(|a, cx| a.connect(cx, &to)).expect("at rest");
    let wire = settle(a, b);
    assert!(a.association.is_established() && b.association.fingerprint() == a.association.fingerprint());
    wire
}

/// The handshake between two strangers, again and again.
pub fn handshake() -> Result<Box<dyn Op>, Problem> {
    let ([mut a, mut b], purses) = sides();
    repeat(move || {
        (a.association, b.association) = (open(0, purses[0]), open(1, purses[1]));
        shake(&mut a, &mut b)
    })
}

/// Both sides move on by an epoch.
pub fn epoch() -> Result<Box<dyn Op>, Problem> {
    let ([mut a, mut b], purses) = sides();
    shake(&mut a, &mut b);
    repeat(move || {
        if a.association.epoch() > Some(60_000) {
            (a.association, b.association) = (open(0, purses[0]), open(1, purses[1]));
            shake(&mut a, &mut b);
        }
        let before = a.association.epoch();
        for side in [&mut a, &mut b] {
            side.now += u64::from(INTERVAL) * 1000;
            side.with(|a, cx| a.handle_timeout(cx)).expect("drained");
        }
        let wire = settle(&mut a, &mut b);
        assert!(a.association.epoch() > before && a.association.epoch() == b.association.epoch());
        wire
    })
}
