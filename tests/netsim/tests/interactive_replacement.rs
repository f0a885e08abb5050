//! Hazard: replacement of the PMK. Every sequence of choices up to a depth, and long random ones, on the real code of both
//! phases: no fork, no dead end. From each state that is reached, a fair network and a connect by either side or both bring
//! both to one session and one PMK, and the next phase 2 and phase 1 work; also where a side was put back.
//!
//! `IOTKM_SEED` plays one start, or one random walk, alone.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::engine::rekey::{Pending, Which};
use iotkm::interactive::Peer;
use iotkm::{Addr, Association, Cx, Error};
use iotkm_netsim::explore::Explorer;
use iotkm_netsim::node::{Node, Stored};
use iotkm_netsim::tickets::{Assoc, GROUPS, Plan, ROOM, SLOT, Shared, node};
use iotkm_netsim::world::{self, Choice, Keys, Replaces};
use std::sync::OnceLock;

/// Two nodes with tickets that give up after one try, and their wallets.
struct Pair(Plan, [Shared; 2]);

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair(..)")
    }
}

type World = world::World<Pair>;

impl Replaces for Pair {
    type Assoc = Assoc;
    const SAYS: bool = true;

    fn open(&self, node: &Node<Assoc>, who: usize, blob: &[u8]) -> Assoc {
        let peer = Peer::restore(&node.device, SLOT, 0, blob, &mut [0; 2000]).expect("our own");
        self.0.open(who, peer, &self.1[who])
    }

    fn connect(a: &mut Assoc, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        a.connect(cx, to)
    }

    fn update(world: &mut World, who: usize) -> bool {
        world.call(who, |a, cx, to| a.authenticate(cx, to))
    }

    fn keys(node: &Node<Assoc>) -> Keys {
        let (peer, mut text) = (node.a.peer(), [0; Peer::<ROOM>::BLOB_MAX]);
        peer.write(&mut text).expect("room");
        // Behind both names of eight bytes: flags, replacement, attempts under the pending one.
        let replacement = text[18..18 + 1 + 11 + 2].to_vec();
        let key = |which| peer.master(which).map_or(Vec::new(), |master| master.key().expose().to_vec());
        Keys { replacement, current: key(Which::Current), pending: key(Which::Pending) }
    }

    fn second(bytes: &[u8]) -> u8 {
        match bytes[1] >> 4 {
            _ if bytes[0] & 8 != 0 => 0,
            // Phase 1's run number is random.
            message @ (1..=4 | 9) => message << 4,
            _ => bytes[1],
        }
    }
}

/// What lies behind both: nothing, a session, one by each side.
const PASTS: u64 = 3;
/// A verb's steps on a fair network before chance begins.
const STEPS: u64 = 2;

fn pair() -> World {
    let plan = Plan { tries: 1, ..Plan::new(GROUPS[0]) };
    let ((a, first), (b, second)) = (node(&plan, 0, 7), node(&plan, 1, 7));
    World::new(Pair(plan, [first, second]), [a, b])
}

/// Both at rest behind their past, without a session: a start need not go through it again each time.
fn past(which: u64) -> World {
    static STORED: OnceLock<Vec<[Stored; 2]>> = OnceLock::new();
    let stored = STORED.get_or_init(|| {
        let live = |starts: &[u8]| {
            let mut world = pair();
            for who in starts {
                let old = world.nodes[0].a.fingerprint();
                world.choose(Choice::Connect(*who));
                assert!(world.fair(100, |w| at_one(w) && w.nodes[0].a.fingerprint() != old));
                world.fair(20, |_| false);
            }
            world.nodes.map(|node| node.stored)
        };
        [&[][..], &[0], &[0, 1]].map(live).to_vec()
    });
    let mut world = pair();
    let [a, b] = &stored[which as usize];
    world.go_on_from([a.clone(), b.clone()]);
    world
}

/// By the past, who acts, whether it connects or updates, and how far that has come.
const fn start(past: u64, who: u64, updates: bool, steps: u64) -> u64 {
    past + PASTS * (who + 2 * (updates as u64 + 2 * steps))
}

fn begin(start: u64) -> World {
    let (of, rest) = (start % PASTS, start / PASTS);
    let (who, updates, steps) = ((rest % 2) as u8, rest / 2 % 2 == 1, (rest / 4) as u32);
    let mut world = past(of);
    world.choose(if updates { Choice::Update(who) } else { Choice::Connect(who) });
    if steps > 0 {
        world.fair(steps, |_| false);
    }
    world
}

/// Two PMKs under the same name: a fork, which must never be.
fn check(world: &World) {
    let [a, b] = [0, 1].map(|who| world.nodes[who].a.peer().master(Which::Current));
    if let Some((a, b)) = a.zip(b)
        && (a.origin().bind, a.step()) == (b.origin().bind, b.step())
    {
        assert!(a.key() == b.key(), "two PMKs of step {}", a.step());
    }
}

/// One session, one PMK, nothing pending.
fn at_one(world: &World) -> bool {
    let rests = |who: usize| world.nodes[who].a.peer().pending() == Pending::None;
    world.both() && rests(0) && rests(1) && world.keys(0).current == world.keys(1).current
}

/// Comes to rest, at one; where what was late ended the session once more, another connect does it.
fn come(world: &mut World, who: &[u8], choice: fn(u8) -> Choice) {
    let old = world.nodes[0].a.fingerprint();
    for _ in 0..4 {
        for side in who {
            world.choose(choice(*side));
        }
        // A session that was there may be the peer's past: only a new one counts.
        world.fair(400, |w| at_one(w) && w.nodes[0].a.fingerprint() != old);
        world.fair(100, |_| false);
        check(world);
        if at_one(world) && world.nodes[0].a.fingerprint() != old {
            return;
        }
    }
    let [a, b] = &world.nodes;
    panic!("dead end: {:?} {:?} {:?} {:?}", a.a.peer(), a.events, b.a.peer(), b.events);
}

/// Both come back when `who` connects, and go on by phase 2 and by phase 1.
fn recover(world: &mut World, who: &[u8]) {
    come(world, who, Choice::Connect);
    let other = 1 - who[0];
    come(world, &[other], Choice::Connect);
    come(world, &[who[0]], Choice::Update);
}

const ALL: Explorer<Pair> = Explorer { starts: start(0, 0, false, STEPS), depth: 3, width: 2, begin, check, recover };

#[test]
fn every_sequence() {
    ALL.every_sequence();
}

#[test]
fn random_walks() {
    ALL.random_walks(60);
}

/// S was put back behind what A holds as confirmed, and has gone on since: GONE says so to a K1 of the current PMK.
#[test]
fn gone_where_nobody_answers_under_the_pending_pmk() {
    let choices = [Choice::Deliver(0), Choice::Deliver(0), Choice::RollToFirst(1), Choice::Connect(0)];
    ALL.follow(start(1, 1, false, 0), &choices);
}

/// M3 of a's rekey is late: b has a PMK by then of which it knows that a has it.
#[test]
fn a_late_rekey() {
    let (from, k2) =
        (start(2, 0, true, 2), [Choice::Connect(1), Choice::Deliver(1), Choice::Wait(0), Choice::Deliver(1)]);
    ALL.follow(from, &k2);
    let mut world = begin(from);
    for choice in k2 {
        world.choose(choice);
    }
    let kept = world.keys(1).pending;
    assert!(matches!(world.nodes[1].a.peer().pending(), Pending::Confirmed(_)));
    world.choose(Choice::Deliver(0));
    assert!(world.keys(1).pending == kept, "forgotten for another");
    assert!(world.fair(40, at_one) && world.keys(0).current == kept);
    check(&world);
}
