//! Two paired devices of the history scheme, ready to be mistreated, and runs over many seeds.

use crate::net::{Link, Net};
use crate::node::Node;
use iotkm::crypto::{self, Secret, Suite};
use iotkm::engine::Config;
use iotkm::engine::session::ConnectionId;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Addr, Association, Device, Error, Slot};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// The log's memory.
pub type Log = Vec<Entry>;
/// Memory for `RUNS` runs.
pub type Memory<const RUNS: usize> = HistoryMemory<Peer, Log, RUNS, 256>;
/// The association under test.
pub type Assoc<const RUNS: usize = 2> = History<Peer, Log, Memory<RUNS>>;
/// Two of them.
pub type Lab<const RUNS: usize = 2> = Net<Assoc<RUNS>, Assoc<RUNS>>;

/// The slot that both nodes keep their peer in.
pub const SLOT: Slot = Slot(1);

/// What two nodes are made with.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Cipher suite.
    pub suite: &'static Suite,
    /// Longest datagram.
    pub mtu: u16,
    /// Lengths of the connection ids of a and b.
    pub cids: [usize; 2],
    /// Tries of a flight.
    pub tries: u8,
    /// Records of one key generation.
    pub rekey_after: u32,
    /// Entries of each log.
    pub log: usize,
}

impl Plan {
    /// The defaults, with this suite.
    pub fn new(suite: &'static Suite) -> Self {
        let Config { mtu, tries, rekey_after, .. } = Config::default();
        Self { suite, mtu, cids: [0; 2], tries, rekey_after, log: 48 }
    }

    /// The defaults without Diffie-Hellman: fast.
    pub fn symmetric() -> Self {
        Self::new(&crypto::SUITE_0_SYMMETRIC)
    }

    fn config(&self, who: usize) -> Config {
        let cid = ConnectionId::new(&b"cid-abcd"[..self.cids[who]]).expect("short");
        Config { cid, mtu: self.mtu, tries: self.tries, rekey_after: self.rekey_after }
    }

    /// An association at rest with this peer.
    pub fn open<const RUNS: usize>(&self, who: usize, peer: Peer) -> Assoc<RUNS> {
        let log = vec![Entry::EMPTY; self.log];
        History::open(peer, log, self.suite, self.config(who), Memory::new()).expect("valid")
    }
}

/// Ids and addresses of both nodes.
pub const NAMES: [&[u8]; 2] = [b"aaaaaaaa", b"bbbbbbbb"];

/// Address of a (0) or b (1).
pub fn addr(who: usize) -> Addr {
    Addr::new(NAMES[who]).expect("short")
}

/// A freshly provisioned node, its peer stored.
pub fn node<const RUNS: usize>(plan: &Plan, who: usize, seed: u64) -> Node<Assoc<RUNS>> {
    let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
    let [me, other] = [NAMES[who], NAMES[1 - who]].map(|id| Id::new(id).expect("short"));
    let mut peer = Peer::provisioned(SLOT, me, other, plan.suite, triple).expect("two ids");
    let device = Device::new(Secret::new([who as u8 + 1; 32]));
    let mut blob = [0; Peer::BLOB_MAX];
    let (len, version) = peer.seal(&device, &mut blob).expect("room");
    let mut node = Node::new(plan.open(who, peer), NAMES[who], seed * 2 + 1 + who as u64, device);
    node.stored.insert(SLOT.0, (version, blob[..len].to_vec()));
    node.peer_cid = plan.cids[1 - who];
    node.key = Some(|a| a.session().map(|s| (s.fingerprint(), s.generation())));
    node
}

/// Two nodes on a link.
pub fn lab<const RUNS: usize>(plan: &Plan, seed: u64, link: Link) -> Lab<RUNS> {
    Net::new(seed, link, node(plan, 0, seed), node(plan, 1, seed))
}

impl<const RUNS: usize> Lab<RUNS> {
    /// Node a (0) or b (1).
    pub fn node(&mut self, who: usize) -> &mut Node<Assoc<RUNS>> {
        if who == 0 { &mut self.a } else { &mut self.b }
    }

    /// This side starts an exchange.
    ///
    /// # Errors
    /// As the verb.
    pub fn connect(&mut self, who: usize) -> Result<(), Error> {
        let (now, to) = (self.now, self.node(1 - who).addr);
        let done = self.node(who).with(now, |a, cx| a.connect(cx, &to));
        self.flush();
        done
    }

    /// This side asks for an update.
    ///
    /// # Errors
    /// As the verb.
    pub fn update(&mut self, who: usize) -> Result<(), Error> {
        let now = self.now;
        let done = self.node(who).with(now, |a, cx| a.update(cx));
        self.flush();
        done
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
        !self.a.dead
            && !self.b.dead
            && a.is_established()
            && b.is_established()
            && a.fingerprint() == b.fingerprint()
            && a.session().map(|s| s.generation()) == b.session().map(|s| s.generation())
    }

    /// Whether both have the same triple, of this generation.
    pub fn at_generation(&self, generation: u32) -> bool {
        let (a, b) = (self.a.a.peer(), self.b.a.peer());
        a.generation() == generation && b.generation() == generation && a.fingerprint() == b.fingerprint()
    }

    /// Nobody may ever hold another key than the peer under the same name.
    pub fn assert_no_fork(&self) {
        let (a, b) = (self.a.a.peer(), self.b.a.peer());
        if a.generation() == b.generation() {
            assert_eq!(a.fingerprint(), b.fingerprint(), "two triples of generation {}", a.generation());
        }
    }

    /// Exporters and fingerprints agree.
    pub fn assert_same_keys(&self) {
        let (a, b) = (&self.a.a, &self.b.a);
        assert_eq!(a.fingerprint(), b.fingerprint());
        let (mut x, mut y) = ([0; 40], [0; 40]);
        a.exporter(b"label", b"context", &mut x).expect("established");
        b.exporter(b"label", b"context", &mut y).expect("established");
        assert_eq!(x, y, "different keys");
        assert_eq!(a.session().map(|s| s.id()), b.session().map(|s| s.id()));
        self.assert_no_fork();
    }

    /// This side loses all but its storage and starts again.
    pub fn restart(&mut self, plan: &Plan, who: usize) {
        let blob = self.node(who).stored[&SLOT.0].1.clone();
        self.restart_from(plan, who, &blob);
    }

    /// This side starts again from this blob.
    pub fn restart_from(&mut self, plan: &Plan, who: usize, blob: &[u8]) {
        let node = self.node(who);
        let peer = Peer::restore(&node.device, SLOT, 0, blob).expect("our own blob");
        node.a = plan.open(who, peer);
        node.dead = false;
        node.writes_left = None;
    }

    /// Seals this side's session.
    pub fn export(&mut self, who: usize) -> Option<Vec<u8>> {
        let (now, mut blob) = (self.now, [0; 256]);
        let len = self.node(who).with(now, |a, cx| a.export(cx, &mut blob)).ok()?;
        Some(blob[..len].to_vec())
    }

    /// Goes on from a sealed session.
    ///
    /// # Errors
    /// As the verb.
    pub fn resume(&mut self, who: usize, blob: &[u8]) -> Result<(), Error> {
        let now = self.now;
        let done = self.node(who).with(now, |a, cx| a.restore(cx, blob));
        self.flush();
        done
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

    /// The whole life once more on a good link: connect if need be, talk, update, the next session.
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
        if !self.both() {
            // Whoever may, connects; runs that are under way may end first.
            for _ in 0..6 {
                let _ = self.connect(0);
                let _ = self.connect(1);
                if self.drive(250_000, Self::both) {
                    break;
                }
            }
        }
        if !self.both() {
            return Err(format!("never established: {}", self.state()));
        }
        self.drive(5_000, |_| false);
        if !self.drive(250_000, Self::both) || !self.talk(10_000) {
            return Err(format!("does not talk: {}", self.state()));
        }
        self.assert_same_keys();
        let next = self.a.a.peer().generation() + 1;
        // Whoever was cut off has lost its log: the other may name records that it no longer knows, a few at a time.
        for _ in 0..10 {
            let _ = self.update(0).or_else(|_| self.update(1));
            self.drive(5_000, |n| n.both() && n.at_generation(next));
            if self.at_generation(next) {
                break;
            }
            self.talk(5_000);
        }
        if !self.drive(60_000, |n| n.both() && n.at_generation(next)) {
            return Err(format!("update does not end: {}", self.state()));
        }
        self.assert_same_keys();
        if self.talk(10_000) { Ok(()) } else { Err(format!("silent after the update: {}", self.state())) }
    }
}

/// Calls `run` with each seed from 0 on, on all processors; a failing one is printed. `IOTKM_SEED` in the environment
/// plays that one alone, `IOTKM_RUNS` sets another number of seeds.
pub fn each_seed(what: &str, count: u64, run: impl Fn(u64) + Sync) {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    if let Some(seed) = number("IOTKM_SEED") {
        return run(seed);
    }
    let count = number("IOTKM_RUNS").map_or(count, |n| n.min(count));
    let next = AtomicU64::new(0);
    let failed = AtomicU64::new(u64::MAX);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count || failed.load(Ordering::Relaxed) != u64::MAX {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run(seed))).is_err() {
                        failed.fetch_min(seed, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let seed = failed.into_inner();
    assert!(seed == u64::MAX, "{what}: seed {seed} fails; IOTKM_SEED={seed} plays it alone");
    println!("{what}: {count} seeds");
}
