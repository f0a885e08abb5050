//! Hazard: key replacement. Every sequence of choices up to a depth, and long random ones, on the real code: no fork, no
//! dead end. From each state that is reached, a fair network and a connect by either side or both bring both to the same
//! triple, and an update works; a side that was put back behind a commit is told so.
//!
//! `IOTKM_SEED` plays one random walk alone.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

use iotkm::engine::state::{self, Kind};
use iotkm::history::Peer;
use iotkm::{Addr, Association, Cx, Error, Event, Reason, Stage};
use iotkm_netsim::explore::Explorer;
use iotkm_netsim::lab::{Assoc, Plan, SLOT, node};
use iotkm_netsim::node::Node;
use iotkm_netsim::world::{self, Choice, Keys, Replaces};

/// Two paired nodes that give up after one try.
#[derive(Debug)]
struct Pair(Plan);

type World = world::World<Pair>;

impl Replaces for Pair {
    type Assoc = Assoc;
    const SAYS: bool = false;

    fn open(&self, node: &Node<Assoc>, who: usize, blob: &[u8]) -> Assoc {
        self.0.open(who, Peer::restore(&node.device, SLOT, 0, blob).expect("our own"))
    }

    fn connect(a: &mut Assoc, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error> {
        a.connect(cx, to)
    }

    /// After the peer has said something.
    fn update(world: &mut World, who: usize) -> bool {
        world.tell(1 - who);
        world.call(who, |a, cx, _| a.update(cx))
    }

    fn keys(node: &Node<Assoc>) -> Keys {
        let (mut blob, mut text) = ([0; Peer::BLOB_MAX], [0; Peer::BLOB_MAX]);
        let (len, _) = node.a.peer().clone().seal(&node.device, &mut blob).expect("room");
        state::open(&node.device, Kind::HistoryPeer, 0, &blob[..len], &mut text).expect("just sealed");
        let at = 2 + 2 * 9; // suite, flags, both ids of eight bytes
        let (replacement, rest) = (text[at..at + 11].to_vec(), at + 11 + 8);
        let (current, pending) = (text[rest..rest + 96].to_vec(), text[rest + 96..rest + 192].to_vec());
        let pending = if text[1] & 2 != 0 { pending } else { Vec::new() };
        Keys { replacement, current, pending }
    }
}

const ALL: Explorer<Pair> = Explorer { starts: STARTS, depth: 5, width: 90, begin, check, recover };

/// Starts: so many fair steps into an update by a (even) or b (odd), from connected to the next session.
const STARTS: u64 = 32;

fn begin(start: u64) -> World {
    let plan = Plan { tries: 1, log: 12, ..Plan::symmetric() };
    let mut world = World::new(Pair(plan), [0, 1].map(|who| node(&plan, who, 7 + start)));
    world.choose(Choice::Connect((start / 2 % 2) as u8));
    assert!(world.fair(50, World::both));
    world.lose_all();
    let steps = start as u32 / 2 % 16;
    if steps > 0 {
        world.choose(Choice::Update((start % 2) as u8));
        world.fair(steps, |_| false);
    }
    world
}

/// Two names for the same generation: a fork, which must never be.
fn check(world: &World) {
    let (a, b) = (world.nodes[0].a.peer(), world.nodes[1].a.peer());
    if a.generation() == b.generation() {
        assert_eq!(a.fingerprint(), b.fingerprint(), "two triples of generation {}", a.generation());
    }
    let [a, b] = [0, 1].map(|who| world.nodes[who].a.session().map(|s| (s.id(), s.generation())));
    // Sessions of the same run, without resume, are the same.
    if a.is_some() && a == b && !world.rolled {
        let [a, b] = [0, 1].map(|who| world.nodes[who].a.fingerprint());
        assert_eq!(a, b, "two sessions of one run");
    }
}

/// Whether both sides can still find to each other: one was put back behind what the other has committed.
fn hopeless(world: &World) -> bool {
    let generation = |who: usize| world.nodes[who].a.peer().generation();
    let (low, high) = if generation(0) < generation(1) { (0, 1) } else { (1, 0) };
    let same = generation(0) == generation(1);
    !same && (generation(high) - generation(low) > 1 || world.keys(low).pending != world.keys(high).current)
}

fn told(world: &World, who: usize) -> bool {
    world.nodes[who]
        .saw(|e| matches!(e, Event::Failed { stage: Stage::Exchange, reason: Reason::PairAgain | Reason::NoAnswer }))
}

/// Both come back when `who` connects.
fn recover(world: &mut World, who: &[u8]) {
    world.nodes.iter_mut().for_each(|node| node.events.clear());
    for _ in 0..6 {
        for side in who {
            world.choose(Choice::Connect(*side));
        }
        // The session that was there, if any, may be the peer's past: only a new one counts.
        world.fair(400, |w| {
            w.both() && who.iter().any(|s| w.nodes[usize::from(*s)].saw(|e| matches!(e, Event::Established { .. })))
        });
        if hopeless(world) {
            break;
        }
        if world.both() {
            break;
        }
    }
    check(world);
    if hopeless(world) {
        assert!(world.rolled, "lost without a rollback");
        assert!(!world.both());
        for side in who {
            // A late answer may have completed a run with what the peer was: then the next one tells.
            for _ in 0..2 {
                if !told(world, usize::from(*side)) {
                    world.choose(Choice::Connect(*side));
                    world.fair(400, |w| told(w, usize::from(*side)));
                }
            }
            let [a, b] = &world.nodes;
            let told = told(world, usize::from(*side));
            assert!(told, "{side}: {:?} {:?} {:?} {:?}", a.a.peer(), a.events, b.a.peer(), b.events);
        }
        return;
    }
    assert!(world.both(), "dead end: {:?} {:?}", world.nodes[0].events, world.nodes[1].events);
    world.fair(100, |_| false);
    if !world.both() {
        // What was under way (a close, an older run) may have ended the session once more.
        world.choose(Choice::Connect(who[0]));
        assert!(world.fair(400, World::both), "dead end after coming to rest");
        world.fair(100, |_| false);
    }
    check(world);
    let side = who[0];
    let old = world.nodes[0].a.peer().generation();
    let next = |w: &World| w.both() && w.nodes.iter().all(|n| n.a.peer().generation() > old);
    for _ in 0..3 {
        world.choose(Choice::Update(side));
        if world.fair(200, next) {
            break;
        }
    }
    assert!(next(world), "no update: {:?} {:?}", world.nodes[0].events, world.nodes[1].events);
    check(world);
}

#[test]
fn every_sequence() {
    ALL.every_sequence();
}

#[test]
fn random_walks() {
    ALL.random_walks(4_000);
}

/// A pending triple that was given up leaves nothing behind: the next of the same generation is found by its own hints.
#[test]
fn hints_of_a_triple_that_was_given_up() {
    let mut world = begin(0);
    let both_at =
        |generation: u32| move |w: &World| w.both() && w.nodes.iter().all(|n| n.a.peer().generation() == generation);
    // b has a confirmed triple; a is put back behind its answer.
    world.choose(Choice::Update(1));
    world.choose(Choice::Deliver(0));
    world.choose(Choice::Deliver(0));
    assert!(world.nodes[1].a.peer().pending_state() == iotkm::engine::rekey::Pending::Confirmed(1));
    world.lose_all();
    world.choose(Choice::RollToFirst(0));
    world.choose(Choice::Connect(1)); // under the triple that a has not
    world.lose_all();
    world.choose(Choice::Connect(0));
    assert!(world.fair(60, World::both));
    world.fair(20, |_| false);
    assert!(
        world.nodes[1].a.peer().pending_state() == iotkm::engine::rekey::Pending::None,
        "a has said that it has not"
    );
    world.choose(Choice::Update(0));
    assert!(world.fair(100, both_at(1)));
    world.lose_all();
    world.nodes[1].events.clear();
    world.choose(Choice::Connect(1));
    assert!(
        world.fair(20, |w| w.nodes[1].saw(|e| matches!(e, Event::Established { .. }))),
        "{:?}",
        world.nodes[1].events
    );
}
