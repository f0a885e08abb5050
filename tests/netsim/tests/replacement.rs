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

use iotkm::{Association, Event, Reason, Stage};
use iotkm_netsim::world::{Choice, World};
use iotkm_netsim::{SimRng, each_seed};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Starts: so many fair steps into an update by a (even) or b (odd), from connected to the next session.
const STARTS: u64 = 32;

fn begin(start: u64) -> World {
    let mut world = World::new(7 + start);
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

fn play(start: u64, choices: &[Choice]) -> World {
    let mut world = begin(start);
    for choice in choices {
        world.choose(*choice);
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

/// Nobody does anything more: two that both think they have a session have the same.
fn rest(world: &mut World) {
    world.fair(300, |_| false);
    check(world);
    let established = world.nodes.iter().all(|n| n.a.is_established());
    assert!(!established || world.both(), "two sessions, and nobody knows");
}

/// Plays a sequence, checks the state, and what becomes of it.
fn visit(start: u64, choices: &[Choice], recoveries: &[(&[u8], bool)]) {
    for (who, late) in recoveries {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let mut world = play(start, choices);
            check(&world);
            if !late {
                world.lose_all();
            }
            if who.is_empty() {
                rest(&mut world);
            } else {
                recover(&mut world, who);
            }
        }));
        assert!(tried.is_ok(), "start {start}, {choices:?}, then {who:?} connects, late {late}");
    }
}

/// Who connects, and whether what was in flight arrives late instead of never.
const RECOVERIES: [(&[u8], bool); 8] = [
    (&[0, 1], false),
    (&[0], false),
    (&[1], false),
    (&[], false),
    (&[0, 1], true),
    (&[0], true),
    (&[1], true),
    (&[], true),
];

/// Breadth first from this start, on as many states of each level as `width`.
fn explore(start: u64, depth: usize, width: usize) -> (usize, usize) {
    let mut seen = HashSet::from([begin(start).key()]);
    let mut level: Vec<Vec<Choice>> = vec![Vec::new()];
    let mut steps = 0;
    for _ in 0..depth {
        let mut next = Vec::new();
        for choices in &level {
            for choice in play(start, choices).choices() {
                let mut longer = choices.clone();
                longer.push(choice);
                steps += 1;
                let mut world = play(start, choices);
                let tried = catch_unwind(AssertUnwindSafe(|| {
                    let done = world.choose(choice);
                    check(&world);
                    done
                }));
                let Ok(changed) = tried else { panic!("start {start}, {longer:?}") };
                if changed && seen.insert(world.key()) {
                    // All ways back in turn: neighbours share most of their future.
                    let at = seen.len() % 4;
                    visit(start, &longer, &[RECOVERIES[at], RECOVERIES[at + 4]]);
                    next.push(longer);
                }
            }
        }
        // Too many: an even sample of them.
        let every = next.len().div_ceil(width).max(1);
        level = next.into_iter().step_by(every).collect();
    }
    (seen.len(), steps)
}

#[test]
fn every_sequence() {
    let all = std::sync::Mutex::new((0, 0));
    each_seed("starts", STARTS, |start| {
        let (states, steps) = explore(start, 5, 90);
        let mut sum = all.lock().unwrap();
        *sum = (sum.0 + states, sum.1 + steps);
    });
    let (states, steps) = all.into_inner().unwrap();
    println!("explored {states} states in {steps} steps");
}

/// Long sequences at random, with all ways back.
#[test]
fn random_walks() {
    each_seed("random walks", 4_000, |seed| {
        let mut rng = SimRng::new(seed);
        let start = seed % STARTS;
        let mut world = begin(start);
        let mut choices = Vec::new();
        for _ in 0..20 + rng.below(80) {
            let there = world.choices();
            let choice = there[rng.below(there.len() as u64) as usize];
            // Disasters seldom, or nothing else ever happens.
            let likely = match choice {
                Choice::Deliver(_) => 100,
                Choice::Connect(_) | Choice::Update(_) | Choice::Wait(_) => 40,
                Choice::Copy(_) | Choice::Lose(_) => 15,
                Choice::Cut(_) => 10,
                Choice::RollBack(_) | Choice::RollToFirst(_) => 15 * (seed % 2) as u32,
            };
            if !rng.percent(likely) {
                continue;
            }
            choices.push(choice);
            let tried = catch_unwind(AssertUnwindSafe(|| {
                world.choose(choice);
                check(&world);
            }));
            assert!(tried.is_ok(), "start {start}, {choices:?}");
        }
        visit(start, &choices, &RECOVERIES[..]);
    });
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
