//! Two devices with tickets of one agent, ready to be mistreated: the interactive scheme.

use crate::net::{Link, Net};
use crate::node::{Keys, Node};
use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, RevocationList, Ticket, Wallet};
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{self, Secret, Suite};
use iotkm::engine::Config;
use iotkm::engine::rekey::Pending;
use iotkm::engine::session::ConnectionId;
use iotkm::interactive::{Any, Interactive, InteractiveMemory, Lend, Peer, Setup, Subject};
use iotkm::phase1::Credentials;
use iotkm::{Addr, Association, Device, Error, KeySlot, Slot, StaticKey, StaticKeys, UnixTime};
use std::cell::RefCell;
use std::rc::Rc;

/// Room for a ticket of any group.
pub const ROOM: usize = 640;
/// A device's wallet.
pub type Purse = Wallet<'static, ROOM, 400>;

/// A wallet that several associations may have.
#[derive(Clone, Debug)]
pub struct Shared(pub Rc<RefCell<Purse>>);

impl Lend for Shared {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        self.0.lend(work);
    }
}

/// Memory for `RUNS` runs.
pub type Memory<const RUNS: usize> = InteractiveMemory<Peer<ROOM>, Shared, RUNS, 2048, Any, ROOM>;
/// The association under test.
pub type Assoc<const RUNS: usize = 2> = Interactive<Peer<ROOM>, Shared, Memory<RUNS>, Any, ROOM>;
/// Two of them.
pub type Tickets<const RUNS: usize = 2> = Net<Assoc<RUNS>, Assoc<RUNS>>;

/// The slot that both nodes keep their peer in.
pub const SLOT: Slot = Slot(1);
/// Where a device's key is.
pub const KEY: KeySlot = KeySlot(7);
/// Where its next key is.
pub const NEXT_KEY: KeySlot = KeySlot(8);
/// Names and addresses of both nodes.
pub const NAMES: [&str; 2] = ["aaaaaaaa", "bbbbbbbb"];
/// When the nodes' clocks begin, in seconds since 1970.
pub const NOW: u64 = 1_750_000_000;

/// A suite's group, and that alone on offer.
#[derive(Clone, Copy)]
pub struct Group {
    /// As a KEM.
    pub kem: &'static dyn Kem,
    /// As tickets name it.
    pub key: KeyGroup,
    /// The suites on offer.
    pub suites: &'static [&'static Suite],
}

/// Every suite by itself.
pub const GROUPS: [Group; 8] = [
    Group { kem: &DHKEM_X25519, key: KeyGroup::X25519, suites: &[&crypto::SUITE_0] },
    Group { kem: &DHKEM_X25519, key: KeyGroup::X25519, suites: &[&crypto::SUITE_1] },
    Group { kem: &DHKEM_P256, key: KeyGroup::P256, suites: &[&crypto::SUITE_2] },
    Group { kem: &DHKEM_P256, key: KeyGroup::P256, suites: &[&crypto::SUITE_3] },
    Group { kem: &DHKEM_X25519, key: KeyGroup::X25519, suites: &[&crypto::SUITE_4] },
    Group { kem: &DHKEM_P256, key: KeyGroup::P256, suites: &[&crypto::SUITE_5] },
    Group { kem: &KEM_FFC2048, key: KeyGroup::Ffc2048, suites: &[&crypto::SUITE_FFC2048] },
    Group { kem: &KEM_FFC3072, key: KeyGroup::Ffc3072, suites: &[&crypto::SUITE_FFC3072] },
];

/// What two nodes are made with.
#[derive(Clone, Copy)]
pub struct Plan {
    /// Group and suites.
    pub group: Group,
    /// Longest datagram.
    pub mtu: u16,
    /// Lengths of the connection ids of a and b.
    pub cids: [usize; 2],
    /// Tries of a flight.
    pub tries: u8,
    /// F, in seconds.
    pub life: u32,
    /// How long a ticket is valid, in seconds.
    pub valid: u64,
    /// What both have beforehand.
    pub psks: [Option<u8>; 2],
    /// Whether both know each other's name.
    pub named: bool,
}

impl Plan {
    /// The defaults, with this group.
    pub fn new(group: Group) -> Self {
        let Config { mtu, tries, .. } = Config::default();
        Self { group, mtu, cids: [0; 2], tries, life: 0, valid: 1 << 30, psks: [None; 2], named: true }
    }

    fn config(&self, who: usize) -> Config {
        let cid = ConnectionId::new(&b"cid-abcd"[..self.cids[who]]).expect("short");
        Config { cid, mtu: self.mtu, tries: self.tries, ..Config::default() }
    }

    /// An association at rest with this peer.
    pub fn open<const RUNS: usize>(&self, who: usize, peer: Peer<ROOM>, purse: &Shared) -> Assoc<RUNS> {
        let Group { kem, suites, .. } = self.group;
        let setup = Setup { kem, suites, slots: [KEY, NEXT_KEY], life: self.life };
        Interactive::open(peer, purse.clone(), setup, self.config(who), Memory::new()).expect("valid")
    }

    /// A peer with whom there was no phase 1 yet.
    pub fn peer(&self, who: usize) -> Peer<ROOM> {
        let [me, other] = [NAMES[who], NAMES[1 - who]].map(|name| Subject::new(name).expect("short"));
        let psk = self.psks[who].map(|byte| Secret::new([byte; 32]));
        if self.named { Peer::new(SLOT, me, other, psk) } else { Peer::anyone(SLOT, me, "", psk) }.expect("two names")
    }
}

/// The agent of all tickets.
pub fn agent() -> Ed25519Key {
    Ed25519Key::new(Secret::new([0xa9; 32]))
}

/// A ticket of this number, for a device's key.
pub fn ticket(group: KeyGroup, name: &str, key: &[u8], serial: u32, from: u64, valid: u64) -> Vec<u8> {
    let claims = Claims {
        issuer: "agent",
        subject: name,
        expires: from + valid,
        not_before: None,
        issued_at: from,
        serial,
        key: DeviceKey::new(group, key).expect("a key"),
        scope: "",
    };
    let mut out = [0; ROOM];
    let len = Ticket::issue(&agent(), &claims, &mut out).expect("room");
    out[..len].to_vec()
}

/// A revocation list.
pub fn list(number: u32, serials: &[u32]) -> Vec<u8> {
    let mut out = [0; 400];
    let len = RevocationList::issue(&agent(), "agent", NOW, number, serials, &mut out).expect("room");
    out[..len].to_vec()
}

/// A device's key from a seed, and its public key.
pub fn key(kem: &'static dyn Kem, seed: u8) -> (Box<dyn StaticKeys>, Vec<u8>) {
    key_in(KEY, kem, seed)
}

/// The same in another slot.
pub fn key_in(slot: KeySlot, kem: &'static dyn Kem, seed: u8) -> (Box<dyn StaticKeys>, Vec<u8>) {
    let mut scalar = [seed | 0x40; 32];
    scalar[0] = 0x11;
    let scalar = Secret::new(scalar);
    let len = kem.group().share_len();
    let keys: Box<dyn StaticKeys> = match len {
        32 => Box::new(StaticKey::<32>::new(slot, kem, &scalar).expect("a scalar")),
        256 => Box::new(StaticKey::<256>::new(slot, kem, &scalar).expect("a scalar")),
        _ => Box::new(StaticKey::<384>::new(slot, kem, &scalar).expect("a scalar")),
    };
    let mut share = vec![0; len];
    keys.public_key(slot, kem, &mut share).expect("its own");
    (keys, share)
}

/// A node with its first ticket, its peer stored, and its wallet.
pub fn node<const RUNS: usize>(plan: &Plan, who: usize, seed: u64) -> (Node<Assoc<RUNS>>, Shared) {
    let (keys, share) = key(plan.group.kem, who as u8 + 1);
    let mut purse =
        Purse::new(Agent { name: "agent", key: agent().public_key().expect("a key") }, NAMES[who]).expect("names");
    let first = ticket(plan.group.key, NAMES[who], &share, who as u32 + 1, NOW, plan.valid);
    purse.install(&first, Some(UnixTime(NOW * 1000))).expect("valid");
    let purse = Shared(Rc::new(RefCell::new(purse)));
    let device = Device::new(Secret::new([who as u8 + 1; 32]));
    let mut peer = plan.peer(who);
    let mut blob = [0; Peer::<ROOM>::BLOB_MAX];
    let (len, version) = peer.seal(&device, &mut blob).expect("room");
    let mut node = Node::new(plan.open(who, peer, &purse), NAMES[who].as_bytes(), seed * 2 + 1 + who as u64, device);
    node.stored.insert(SLOT.0, (version, blob[..len].to_vec()));
    node.keys = Keys(keys);
    node.wall = Some(NOW * 1000);
    node.peer_cid = plan.cids[1 - who];
    node.key = Some(|a| a.session().map(|s| (s.fingerprint(), s.generation())));
    (node, purse)
}

/// Two nodes on a link, and their wallets.
pub fn tickets<const RUNS: usize>(plan: &Plan, seed: u64, link: Link) -> (Tickets<RUNS>, [Shared; 2]) {
    let ((a, first), (b, second)) = (node(plan, 0, seed), node(plan, 1, seed));
    (Net::new(seed, link, a, b), [first, second])
}

impl<const RUNS: usize> Tickets<RUNS> {
    /// Node a (0) or b (1).
    pub fn node(&mut self, who: usize) -> &mut Node<Assoc<RUNS>> {
        if who == 0 { &mut self.a } else { &mut self.b }
    }

    /// Calls a verb of this side's with the other's address.
    ///
    /// # Errors
    /// As the verb.
    pub fn call<X>(
        &mut self,
        who: usize,
        verb: impl FnOnce(&mut Assoc<RUNS>, &mut iotkm::Cx<'_>, &Addr) -> Result<X, Error>,
    ) -> Result<X, Error> {
        let (now, to) = (self.now, self.node(1 - who).addr);
        let done = self.node(who).with(now, |a, cx| verb(a, cx, &to));
        self.flush();
        done
    }

    /// This side starts a run.
    ///
    /// # Errors
    /// As the verb.
    pub fn connect(&mut self, who: usize) -> Result<(), Error> {
        self.call(who, |a, cx, to| a.connect(cx, to))
    }

    /// What to print when something went wrong.
    pub fn state(&self) -> String {
        let side = |n: &Node<Assoc<RUNS>>| {
            let session = n.a.session().map(|s| (s.id(), s.generation(), s.fingerprint(), s.sent()));
            format!("{:?} {session:?} {:?} {:?}", n.a.peer(), n.events, n.a.drops())
        };
        format!("at {} ms\n  a: {}\n  b: {}", self.now, side(&self.a), side(&self.b))
    }

    /// Whether both have a session, and the same.
    pub fn both(&self) -> bool {
        let (a, b) = (&self.a.a, &self.b.a);
        !self.a.dead && !self.b.dead && a.is_established() && b.is_established() && a.fingerprint() == b.fingerprint()
    }

    /// Exporters and fingerprints agree.
    pub fn assert_same_keys(&self) {
        let (a, b) = (&self.a.a, &self.b.a);
        assert_eq!(a.fingerprint(), b.fingerprint());
        let (mut x, mut y) = ([0; 40], [0; 40]);
        a.exporter(b"label", b"context", &mut x).expect("established");
        b.exporter(b"label", b"context", &mut y).expect("established");
        assert_eq!(x, y, "different keys");
    }

    /// This side loses all but its storage and starts again.
    pub fn restart(&mut self, plan: &Plan, who: usize, purse: &Shared) {
        let node = self.node(who);
        let blob = node.stored[&SLOT.0].1.clone();
        let peer = Peer::restore(&node.device, SLOT, 0, &blob, &mut [0; 2000]).expect("our own blob");
        node.a = plan.open(who, peer, purse);
        node.dead = false;
        node.writes_left = None;
    }

    /// Sends both ways until something of each arrived, over whatever link there is.
    pub fn talk(&mut self, ms: u64) -> bool {
        let (a, b) = (self.a.received.len(), self.b.received.len());
        let end = self.now + ms;
        let mut n = 0u32;
        while self.now < end {
            n += 1;
            let text = format!("{n} at {}", self.now);
            self.say(true, text.as_bytes());
            self.say(false, text.as_bytes());
            let tick = self.now + 500;
            self.drive(500, |n| n.a.received.len() > a && n.b.received.len() > b);
            if self.a.received.len() > a && self.b.received.len() > b {
                return true;
            }
            self.now = self.now.max(tick);
        }
        false
    }

    /// On a good link: both come to one session and talk, and do so again with the next one.
    ///
    /// # Errors
    /// What did not work.
    pub fn lives_on(&mut self) -> Result<(), String> {
        let old = std::mem::replace(&mut self.link, Link::GOOD);
        let done = self.live();
        self.link = old;
        done
    }

    fn live(&mut self) -> Result<(), String> {
        for round in 0..2 {
            for _ in 0..6 {
                let _ = self.connect(round);
                self.drive(2_000, |_| false);
                if self.drive(400_000, |n| n.both() && !n.busy()) {
                    break;
                }
            }
            if !self.both() || !self.talk(10_000) {
                return Err(format!("round {round}: {}", self.state()));
            }
            self.assert_same_keys();
        }
        Ok(())
    }

    /// Whether a PMK of either side's waits to be confirmed.
    pub fn busy(&self) -> bool {
        [&self.a.a, &self.b.a].iter().any(|a| a.peer().pending() != Pending::None)
    }
}
