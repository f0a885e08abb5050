//! The noninteractive scheme: its parsers, and both sides' state machines of handshake, epochs, lag and restart, driven by
//! the input.
#![no_main]

use iotkm::cose::TicketAgent;
use iotkm::crypto::Secret;
use iotkm::crypto::keys::{GrowingKey, KeySlot, StaticKey};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::engine::Config;
use iotkm::engine::state::{self, Kind};
use iotkm::noninteractive::credential::{Credential, credential_max};
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::issue::{OperatorKey, accept, request};
use iotkm::noninteractive::setting::SETTING_0;
use iotkm::noninteractive::wire::{Lag, Terms};
use iotkm::noninteractive::{Holder, Noninteractive, NoninteractiveMemory, Operator, Options, Peer};
use iotkm::phase1::Subject;
use iotkm::{Association, Device, Slot};
use iotkm_fuzz::{Input, Node, Source, addr, deliver, forge};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::sync::OnceLock;

const C: usize = credential_max(32);
const F: usize = flight_max(32);
type Held = Holder<'static, { holder_len(32) }, 0>;
type Other = Peer<32, C>;
type Memory = NoninteractiveMemory<Other, RefCell<Held>, 32, C, F, 2, 300>;
type Assoc = Noninteractive<Other, RefCell<Held>, Memory, 32, C, F>;

const NAMES: [&str; 2] = ["lamp", "door"];
const SLOT: Slot = Slot(1);

/// What does not change from run to run: two devices of one operator.
struct Fixed {
    held: [Held; 2],
    keys: [GrowingKey; 2],
    operator: Operator<'static>,
}

fn fixed() -> &'static Fixed {
    static FIXED: OnceLock<Fixed> = OnceLock::new();
    FIXED.get_or_init(|| {
        let mut rng = Source::default();
        let office: &OperatorKey = Box::leak(Box::new(OperatorKey::generate(&SETTING_0, &mut rng).expect("random")));
        let mut agent = TicketAgent::new("acme").expect("a name");
        agent.seal(&Device::new(Secret::new([9; 32])), &mut [0; 200]).expect("room");
        agent.persisted();
        let lists = Ed25519Key::new(Secret::new([8; 32])).public_key().expect("a key");
        let operator = Operator { name: "acme", setting: &SETTING_0, key: office.share(), lists };
        let both = NAMES.map(|name| {
            let (mut asked, mut answer) = ([0; 100], [0; 200]);
            let (len, k1) = request(&SETTING_0, name, &mut rng, &mut asked).expect("room");
            let len = office.issue(&mut agent, &mut rng, 1, 60_000, &asked[..len], &mut answer).expect("numbers");
            let (credential, x) = accept(&operator, name, &k1, &answer[..len], None, 0).expect("our own");
            let mut held = Held::new(operator, name).expect("names");
            held.install(&credential, None).expect("checked");
            let key = StaticKey::new(KeySlot(1), SETTING_0.kem, &x).expect("an exponent");
            (held, GrowingKey::new(key, SETTING_0.group).expect("of the group"))
        });
        let [(held_a, key_a), (held_b, key_b)] = both;
        Fixed { held: [held_a, held_b], keys: [key_a, key_b], operator }
    })
}

fn open(who: usize, peer: Other, flags: u8) -> Assoc {
    let config = Config { mtu: if flags & 2 == 0 { 1200 } else { 60 }, tries: 3, ..Config::default() };
    let config = Config { rekey_after: if flags & 4 == 0 { 1 << 20 } else { 3 }, ..config };
    let terms = Terms { life: if flags & 8 == 0 { 0 } else { 90 }, interval: 10, length: 20 };
    let options = Options { setting: &SETTING_0, slots: [KeySlot(1); 2], terms, config: &config };
    let held = RefCell::new(fixed().held[who].clone());
    Noninteractive::open(peer, held, &options, Memory::new()).expect("valid")
}

fn node(who: usize, flags: u8) -> Node<Assoc> {
    let [me, other] = [who, 1 - who].map(|who| Subject::new(NAMES[who]).expect("a name"));
    let peer = Other::new(SLOT, me, Some(other).filter(|_| flags & 16 == 0), None).expect("two names");
    let mut node = Node::new(open(who, peer, flags), who as u64 + 1);
    node.keys = &fixed().keys[who];
    node
}

fn parsers(data: &[u8]) {
    if let Ok(lag) = Lag::read(data) {
        assert_eq!(data.len(), 26);
        assert_eq!(lag.epoch & 15, u32::from(data[1] & 15));
    }
    let _ = Terms::read(data).map(|terms| assert!(terms.last() >= 1));
    if let Ok(credential) = Credential::read(data, &SETTING_0) {
        assert_eq!(credential.len(), data.len());
        let _ = fixed().operator.public_key(&credential, &mut [0; 32]);
    }
    let device = Device::new(Secret::new([1; 32]));
    let mut sealed = vec![0; data.len() + state::OVERHEAD];
    for kind in [Kind::NoninteractivePeer, Kind::Holder] {
        sealed[state::OVERHEAD..].copy_from_slice(data);
        let len = state::seal(&device, kind, 1, &mut sealed, data.len()).expect("it fits");
        let mut work = vec![0; data.len()];
        if let Ok(mut peer) = Other::restore(&device, SLOT, 0, &sealed[..len], &mut work) {
            let mut out = [0; Other::BLOB_MAX];
            let (len, _) = peer.seal(&device, &mut out).expect("what was read can be written");
            assert!(Other::restore(&device, SLOT, 0, &out[..len], &mut [0; Other::BLOB_MAX]).is_ok());
        }
        let _ = Held::restore(fixed().operator, NAMES[0], &device, 0, &sealed[..len], &mut work);
    }
}

fuzz_target!(|data: &[u8]| {
    parsers(data);
    let mut input = Input(data);
    let flags = input.byte();
    let mut nodes = [node(0, flags), node(1, flags)];
    let mut now = 1_000u64;
    for _ in 0..150 {
        if !input.more() {
            break;
        }
        let op = input.byte();
        let me = usize::from(op & 1);
        let (left, right) = nodes.split_at_mut(1);
        let (this, that) = if me == 0 { (&mut left[0], &mut right[0]) } else { (&mut right[0], &mut left[0]) };
        let other = addr(2 - me as u8);
        match op >> 1 & 15 {
            0 => drop(this.with(now, |a, cx| a.connect(cx, &other))),
            1..=6 => deliver(&mut input, now, that, this, 2 - me as u8),
            7 => forge(&mut input, now, this),
            8 => {
                let payload = input.bytes();
                let mut out = [0; 1500];
                let sent = this.with(now, |a, cx| a.send(cx, payload, &mut out).ok().map(|s| s.bytes.to_vec()));
                this.sent.extend(sent);
            }
            9 => {
                // One side's epochs alone.
                let _ = this.with(now + u64::from(input.byte()) * 500, |a, cx| a.handle_timeout(cx));
            }
            10 | 11 => {
                now += u64::from(input.byte()) * 100;
                let _ = this.with(now, |a, cx| a.handle_timeout(cx));
            }
            12 => {
                if let Some((_, blob)) = this.stored.first().cloned() {
                    let peer =
                        Other::restore(&this.device, SLOT, 0, &blob, &mut [0; Other::BLOB_MAX]).expect("our own");
                    this.a = open(me, peer, flags);
                    let _ = this.with(now, |a, cx| a.go_on(cx));
                }
            }
            13 => this.rng.broken = !this.rng.broken,
            14 => this.store_broken = !this.store_broken,
            _ => drop(this.a.close()),
        }
        this.drain(now);
    }
    let key = |node: &Node<Assoc>| {
        let mut out = [0; 16];
        node.a
            .exporter(b"x", b"", &mut out)
            .ok()
            .map(|()| (node.a.session().map(|s| s.is_initiator()), node.a.fingerprint(), out))
    };
    if let (Some((i_a, f_a, a)), Some((i_b, f_b, b))) = (key(&nodes[0]), key(&nodes[1])) {
        if f_a == f_b {
            assert!(a == b && i_a != i_b, "one transcript, two keys");
        }
    }
});
