//! Two devices of the noninteractive scheme, their operator, and clocks that do not agree.

use crate::net::{Link, Net};
use crate::node::{Keys, Node};
use iotkm::cose::TicketAgent;
use iotkm::crypto::Secret;
use iotkm::crypto::keys::{GrowingKey, KeySlot, StaticKey};
use iotkm::crypto::sign::{Ed25519Key, PublicKey, Signer};
use iotkm::engine::Config;
use iotkm::noninteractive::credential::credential_max;
use iotkm::noninteractive::exchange::flight_max;
use iotkm::noninteractive::holder::holder_len;
use iotkm::noninteractive::issue::{OperatorKey, accept, request};
use iotkm::noninteractive::wire::Terms;
use iotkm::noninteractive::{Holder, Noninteractive, NoninteractiveMemory, Operator, Options, Peer, Setting};
use iotkm::phase1::Subject;
use iotkm::{Addr, Association, Device, Error, Slot, UnixTime};
use std::cell::RefCell;

/// Room for a share of any group.
const ROOM: usize = 384;
const C: usize = credential_max(ROOM);
const F: usize = flight_max(ROOM);
/// What a device holds.
pub type Held = Holder<'static, { holder_len(ROOM) }, 400>;
/// A peer.
pub type Other<const N: usize> = Peer<N, C>;
/// Memory for two runs.
pub type Memory<const N: usize> = NoninteractiveMemory<Other<N>, RefCell<Held>, N, C, F, 2, 400>;
/// The association under test, over a group whose elements have `N` bytes.
pub type Assoc<const N: usize> = Noninteractive<Other<N>, RefCell<Held>, Memory<N>, N, C, F>;
/// Two of them.
pub type Lab<const N: usize> = Net<Assoc<N>, Assoc<N>>;

/// The slot that both nodes keep their peer in.
pub const SLOT: Slot = Slot(1);
/// The wall clock at simulated time 0, in seconds.
pub const WALL: u32 = 1_800_000_000;
/// The nodes' names.
pub const NAMES: [&str; 2] = ["lamp-01", "door-01"];

/// An operator of a curve.
pub type Office = OfficeOf<32>;

/// An operator and what it is made of, in a group whose shares have `SHARE` bytes.
#[derive(Debug)]
pub struct OfficeOf<const SHARE: usize> {
    key: OperatorKey<SHARE>,
    agent: TicketAgent,
    setting: &'static Setting,
    rng: crate::SimRng,
    /// Signs revocation lists.
    pub lists: Ed25519Key,
}

impl<const SHARE: usize> OfficeOf<SHARE> {
    /// A new operator.
    pub fn new(setting: &'static Setting, seed: u64) -> Self {
        let mut rng = crate::SimRng::new(seed);
        let key = OperatorKey::generate(setting, &mut rng).expect("randomness");
        let mut agent = TicketAgent::new("acme").expect("a name");
        agent.seal(&Device::new(Secret::new([9; 32])), &mut [0; 200]).expect("room");
        agent.persisted();
        Self { key, agent, setting, rng, lists: Ed25519Key::new(Secret::new([8; 32])) }
    }

    /// The operator, as everybody knows it.
    pub fn operator(&self) -> Operator<'static> {
        let key: &'static [u8; SHARE] = Box::leak(Box::new(*self.key.share()));
        let lists: PublicKey = self.lists.public_key().expect("a key");
        Operator { name: "acme", setting: self.setting, key, lists }
    }

    /// Answers a device's request; `now` is in seconds, `life` in hours.
    pub fn answer(&mut self, request: &[u8], now: u32, life: u16) -> Vec<u8> {
        let mut answer = [0; 500];
        let len = self.key.issue(&mut self.agent, &mut self.rng, now, life, request, &mut answer).expect("numbers");
        answer[..len].to_vec()
    }

    /// A device of this operator, by split issue: what it holds, and its key.
    pub fn enrol(&mut self, name: &'static str, life: u16) -> (Held, GrowingKey<SHARE>) {
        let mut asked = [0; 500];
        let (len, k1) = request(self.setting, name, &mut self.rng, &mut asked).expect("room");
        let answer = self.answer(&asked[..len], WALL, life);
        let operator = self.operator();
        let wall = Some(UnixTime(u64::from(WALL) * 1000));
        let (credential, x) = accept(&operator, name, &k1, &answer, wall, 0).expect("our own");
        let mut held = Held::new(operator, name).expect("names");
        held.install(&credential, wall).expect("checked");
        let key = StaticKey::new(KeySlot(1), self.setting.kem, &x).expect("an exponent");
        (held, GrowingKey::new(key, self.setting.group).expect("of the group"))
    }
}

/// What two nodes are made with.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Suite and group.
    pub setting: &'static Setting,
    /// What A wishes.
    pub terms: Terms,
    /// Records of one epoch.
    pub rekey_after: u32,
    /// Tries of a flight.
    pub tries: u8,
    /// Life of the credentials in hours.
    pub life: u16,
    /// Whether both know each other's name.
    pub named: bool,
    /// Where the private keys are.
    pub slots: [KeySlot; 2],
}

impl Plan {
    /// Epochs of a minute, a thousand of them.
    pub fn new(setting: &'static Setting) -> Self {
        let Config { tries, rekey_after, .. } = Config::default();
        let terms = Terms { life: 0, interval: 60, length: 1000 };
        Self { setting, terms, rekey_after, tries, life: 1000, named: true, slots: [KeySlot(1); 2] }
    }

    /// An association at rest with this peer.
    pub fn open<const N: usize>(&self, held: Held, peer: Other<N>) -> Assoc<N> {
        let config = Config { tries: self.tries, rekey_after: self.rekey_after, ..Config::default() };
        let options = Options { setting: self.setting, slots: self.slots, terms: self.terms, config: &config };
        Noninteractive::open(peer, RefCell::new(held), &options, Memory::new()).expect("valid")
    }
}

/// Address of a (0) or b (1).
pub fn addr(who: usize) -> Addr {
    Addr::new(NAMES[who].as_bytes()).expect("short")
}

/// A freshly enrolled node, its peer stored.
pub fn node<const N: usize, const SHARE: usize>(
    plan: &Plan,
    office: &mut OfficeOf<SHARE>,
    who: usize,
    seed: u64,
) -> Node<Assoc<N>> {
    let (held, key) = office.enrol(NAMES[who], plan.life);
    let [me, other] = [NAMES[who], NAMES[1 - who]].map(|name| Subject::new(name).expect("a name"));
    let mut peer = Other::<N>::new(SLOT, me, Some(other).filter(|_| plan.named), None).expect("two names");
    let device = Device::new(Secret::new([who as u8 + 1; 32]));
    let mut blob = [0; 3000];
    let (len, version) = peer.seal(&device, &mut blob).expect("room");
    let mut node = Node::new(plan.open(held, peer), NAMES[who].as_bytes(), seed * 2 + 1 + who as u64, device);
    node.wall = Some(u64::from(WALL) * 1000);
    node.keys = Keys(Box::new(key));
    node.key = Some(|a| a.session().map(|s| (s.fingerprint(), s.generation())));
    node.stored.insert(SLOT.0, (version, blob[..len].to_vec()));
    node
}

/// Two nodes on a link.
pub fn lab<const N: usize>(plan: &Plan, seed: u64, link: Link) -> Lab<N> {
    match plan.setting.group.share_len() {
        32 => with_shares::<N, 32>(plan, seed, link),
        256 => with_shares::<N, 256>(plan, seed, link),
        _ => with_shares::<N, 384>(plan, seed, link),
    }
}

fn with_shares<const N: usize, const SHARE: usize>(plan: &Plan, seed: u64, link: Link) -> Lab<N> {
    let mut office = OfficeOf::<SHARE>::new(plan.setting, seed + 77);
    let [a, b] = [0, 1].map(|who| node(plan, &mut office, who, seed));
    Net::new(seed, link, a, b)
}

impl<const N: usize> Lab<N> {
    /// Node a (0) or b (1).
    pub fn side(&mut self, who: usize) -> &mut Node<Assoc<N>> {
        if who == 0 { &mut self.a } else { &mut self.b }
    }

    /// This side starts a handshake.
    ///
    /// # Errors
    /// As the verb.
    pub fn shake(&mut self, who: usize) -> Result<(), Error> {
        let now = self.now;
        let done = self.side(who).with(now, |a, cx| a.connect(cx, &addr(1 - who)));
        self.flush();
        done
    }

    /// This side goes on from what it has stored.
    ///
    /// # Errors
    /// As the verb.
    pub fn go_on(&mut self, who: usize) -> Result<(), Error> {
        let now = self.now;
        let done = self.side(who).with(now, |a, cx| a.go_on(cx));
        self.flush();
        done
    }

    /// This side loses its power and starts again from its storage.
    pub fn reboot(&mut self, plan: &Plan, who: usize) {
        let side = self.side(who);
        let blob = side.stored[&SLOT.0].1.clone();
        let peer = Other::<N>::restore(&side.device, SLOT, 0, &blob, &mut [0; 3000]).expect("our own");
        let held = side.a.credentials().borrow().clone();
        side.a = plan.open(held, peer);
        side.dead = false;
        side.writes_left = None;
    }

    /// The epochs of both.
    pub fn epochs(&self) -> (Option<u32>, Option<u32>) {
        (self.a.a.epoch(), self.b.a.epoch())
    }

    /// Whether both have the same session, in epochs that are neighbours at most.
    pub fn joined(&self) -> bool {
        let (a, b) = (&self.a.a, &self.b.a);
        let near = matches!(self.epochs(), (Some(a), Some(b)) if a.abs_diff(b) <= 1);
        near && a.fingerprint() == b.fingerprint() && !self.a.dead && !self.b.dead
    }

    /// Both say something, until both have heard something new; whether they have in that time.
    pub fn chat(&mut self, ms: u64) -> bool {
        let end = self.now + ms;
        let (a, b) = (self.a.received.len(), self.b.received.len());
        while self.now < end {
            self.say(true, b"to b");
            self.say(false, b"to a");
            if self.drive(700, |n| n.a.received.len() > a && n.b.received.len() > b) {
                return true;
            }
        }
        false
    }

    /// What to print when something went wrong.
    pub fn report(&self) -> String {
        let side = |n: &Node<Assoc<N>>| format!("{:?} {:?} {:?} {:?}", n.a.peer(), n.a.epoch(), n.events, n.a.drops());
        format!("at {} ms\n  a: {}\n  b: {}", self.now, side(&self.a), side(&self.b))
    }
}
