//! The interactive scheme: its parsers, and both sides' state machines of phase 1, phase 2, ping, renewal and restart,
//! driven by the input.
#![no_main]

use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, RevocationList, Ticket, Wallet};
use iotkm::crypto::hpke::DHKEM_X25519;
use iotkm::crypto::keys::{KeySlot, StaticKey, StaticKeys};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{SUITE_0, SUITE_1, SUITE_4, Secret, Suite};
use iotkm::engine::Config;
use iotkm::engine::state::{self, Kind};
use iotkm::interactive::wire::{K1, Ping, read_k2, read_refuse};
use iotkm::interactive::{Interactive, InteractiveMemory, Peer, Setup, Subject};
use iotkm::phase1::wire::{Hint, Lens, M1, M2, M3};
use iotkm::{Association, Device, Slot, UnixTime};
use iotkm_fuzz::{Input, Node, addr, deliver, forge};
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use std::sync::OnceLock;

type Purse = Wallet<'static, 288, 200>;
type Other = Peer<288>;
type Memory = InteractiveMemory<Other, RefCell<Purse>, 2, 400>;
type Assoc = Interactive<Other, RefCell<Purse>, Memory>;

const NAMES: [&str; 2] = ["lamp", "door"];
const SLOT: Slot = Slot(1);
const KEY: KeySlot = KeySlot(1);
const NOW: u64 = 1_750_000_000;
static SUITES: [&Suite; 3] = [&SUITE_0, &SUITE_4, &SUITE_1];

/// What does not change from run to run: two devices of one agent, a second ticket of each, a list that names nobody's.
struct Fixed {
    purses: [Purse; 2],
    keys: [StaticKey; 2],
    second: [Vec<u8>; 2],
    lists: [Vec<u8>; 2],
}

fn fixed() -> &'static Fixed {
    static FIXED: OnceLock<Fixed> = OnceLock::new();
    FIXED.get_or_init(|| {
        let signer = Ed25519Key::new(Secret::new([9; 32]));
        let agent = Agent { name: "acme", key: signer.public_key().expect("a key") };
        let list = |number: u32, serials: &[u32]| {
            let mut out = [0; 200];
            let len = RevocationList::issue(&signer, "acme", NOW, number, serials, &mut out).expect("room");
            out[..len].to_vec()
        };
        let both = [0usize, 1].map(|who| {
            let key = StaticKey::<32>::new(KEY, &DHKEM_X25519, &Secret::new([who as u8 + 3; 32])).expect("a scalar");
            let ticket = |serial: u32| {
                let claims = Claims {
                    issuer: "acme",
                    subject: NAMES[who],
                    expires: NOW + 100_000 + u64::from(serial),
                    not_before: None,
                    issued_at: NOW,
                    serial,
                    key: DeviceKey::new(KeyGroup::X25519, key.share()).expect("32 bytes"),
                    scope: "",
                };
                let mut out = [0; 288];
                let len = Ticket::issue(&signer, &claims, &mut out).expect("room");
                out[..len].to_vec()
            };
            let mut purse = Purse::new(agent, NAMES[who]).expect("names");
            purse.install(&ticket(who as u32 + 1), None).expect("valid");
            (purse, ticket(who as u32 + 11), key)
        });
        let [(purse_a, second_a, key_a), (purse_b, second_b, key_b)] = both;
        Fixed {
            purses: [purse_a, purse_b],
            keys: [key_a, key_b],
            second: [second_a, second_b],
            lists: [list(1, &[99]), list(2, &[1, 12])],
        }
    })
}

fn open(who: usize, peer: Other, flags: u8) -> Assoc {
    let config = Config { mtu: if flags & 2 == 0 { 1200 } else { 70 }, tries: 3, ..Config::default() };
    let config = Config { rekey_after: if flags & 4 == 0 { 1 << 20 } else { 3 }, ..config };
    let life = if flags & 8 == 0 { 0 } else { 90 };
    let setup = Setup { kem: &DHKEM_X25519, suites: &SUITES, slots: [KEY; 2], life };
    Interactive::open(peer, RefCell::new(fixed().purses[who].clone()), setup, config, Memory::new()).expect("valid")
}

fn node(who: usize, flags: u8) -> Node<Assoc> {
    let [me, other] = [who, 1 - who].map(|who| Subject::new(NAMES[who]).expect("a name"));
    let peer = if flags & 16 == 0 { Other::new(SLOT, me, other, None) } else { Other::anyone(SLOT, me, "", None) };
    let mut node = Node::new(open(who, peer.expect("two names"), flags), who as u64 + 1);
    node.keys = &fixed().keys[who] as &dyn StaticKeys;
    node
}

fn parsers(data: &[u8]) {
    let lens = Lens { share: 32, tag: 8 };
    if let Ok((_, body, tag)) = M1::read(data) {
        assert_eq!(body.len() + tag.len(), data.len());
    }
    for share in [32, 256] {
        let lens = Lens { share, ..lens };
        if let Ok((_, ends)) = M2::read(data, &|_| Some(lens)) {
            assert_eq!(ends.head.len() + ends.share.len() + ends.tag.len(), data.len());
        }
        let _ = M3::read(data, lens, 4).map(|m3| assert_eq!(m3.terms.len(), 4));
        let _ = K1::read(data, lens);
        let _ = read_k2(data, lens);
    }
    let _ = Hint::read(data);
    let _ = read_refuse(data);
    let _ = Ping::read(data, 8);
    let device = Device::new(Secret::new([1; 32]));
    let (text, ticket) = data.split_at(data.first().map_or(0, |at| usize::from(*at).min(data.len())));
    let beside = state::Beside::of(ticket);
    let mut sealed = vec![0; state::OVERHEAD + data.len() + state::LENGTH_LEN];
    sealed[state::OVERHEAD..][..text.len()].copy_from_slice(text);
    let sealing = state::seal_beside(&device, Kind::InteractivePeer, 1, &mut sealed, text.len(), &beside);
    let len = sealing.expect("it fits");
    if let Ok(mut peer) = Other::restore(&device, SLOT, 0, &sealed[..len], &mut vec![0; data.len()]) {
        let mut out = [0; Other::BLOB_MAX];
        let (len, _) = peer.seal(&device, &mut out).expect("what was read can be written");
        assert!(Other::restore(&device, SLOT, 0, &out[..len], &mut [0; Other::BLOB_MAX]).is_ok());
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
            9 => drop(this.with(now, |a, cx| a.authenticate(cx, &other))),
            10 => drop(this.with(now, |a, cx| a.ping(cx, &other))),
            11 => {
                now += u64::from(input.byte()) * 100;
                let _ = this.with(now, |a, cx| a.handle_timeout(cx));
            }
            12 => {
                if let Some((_, blob)) = this.stored.first().cloned() {
                    let peer = Other::restore(&this.device, SLOT, 0, &blob, &mut [0; Other::BLOB_MAX]);
                    this.a = open(me, peer.expect("our own"), flags);
                }
            }
            13 => this.rng.broken = !this.rng.broken,
            14 => this.store_broken = !this.store_broken,
            _ => {
                let what = input.byte();
                let _ = match what % 3 {
                    0 => this.a.wallet().borrow_mut().install(&fixed().second[me], Some(UnixTime(NOW * 1000))),
                    n => this.a.wallet().borrow_mut().revoke(&fixed().lists[usize::from(n) - 1]),
                };
                let _ = this.with(now, |a, cx| a.recheck(cx));
            }
        }
        this.drain(now);
    }
    let key = |node: &Node<Assoc>| {
        let mut out = [0; 16];
        let name = node.a.session().map(|s| (s.id(), s.is_initiator()));
        node.a.exporter(b"x", b"", &mut out).ok().map(|()| (name, node.a.fingerprint(), out))
    };
    if let (Some((Some((id_a, i_a)), f_a, a)), Some((Some((id_b, i_b)), f_b, b))) = (key(&nodes[0]), key(&nodes[1])) {
        if f_a == f_b {
            assert!(a == b && id_a == id_b && i_a != i_b, "one transcript, two keys");
        }
    }
});
