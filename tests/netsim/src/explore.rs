//! Explores what can become of two nodes whose keys are replaced: every sequence of choices up to a depth, and long random
//! ones. From each state that is reached, all ways back are taken in turn.

use crate::world::{Choice, Replaces, World};
use crate::{SimRng, each_seed};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

/// What is explored.
#[derive(Debug)]
pub struct Explorer<S: Replaces> {
    /// Starts of which `begin` knows.
    pub starts: u64,
    /// So many choices one after the other.
    pub depth: usize,
    /// States of each level that are gone on from.
    pub width: usize,
    /// To a start; the same each time.
    pub begin: fn(u64) -> World<S>,
    /// Panics at what must never be.
    pub check: fn(&World<S>),
    /// Both must come back when these connect.
    pub recover: fn(&mut World<S>, &[u8]),
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

impl<S: Replaces> Explorer<S> {
    fn play(&self, start: u64, choices: &[Choice]) -> World<S> {
        let mut world = (self.begin)(start);
        for choice in choices {
            world.choose(*choice);
        }
        world
    }

    /// Nobody does anything more: two that both think they have a session have the same.
    fn rest(&self, world: &mut World<S>) {
        world.fair(300, |_| false);
        (self.check)(world);
        assert!(!world.sessions() || world.both(), "two sessions, and nobody knows");
    }

    /// Plays a sequence, checks the state, and what becomes of it.
    fn visit(&self, start: u64, choices: &[Choice], recoveries: &[(&[u8], bool)]) {
        for (who, late) in recoveries {
            let tried = catch_unwind(AssertUnwindSafe(|| {
                let mut world = self.play(start, choices);
                (self.check)(&world);
                if !late {
                    world.lose_all();
                }
                if who.is_empty() {
                    self.rest(&mut world);
                } else {
                    (self.recover)(&mut world, who);
                }
            }));
            assert!(tried.is_ok(), "start {start}, {choices:?}, then {who:?} connects, late {late}");
        }
    }

    /// One sequence, with all ways back.
    ///
    /// # Panics
    /// At a fork or a dead end.
    pub fn follow(&self, start: u64, choices: &[Choice]) {
        self.visit(start, choices, &RECOVERIES);
    }

    /// Breadth first from this start, on as many states of each level as `width`: states and steps.
    fn explore(&self, start: u64) -> (usize, usize) {
        let mut seen = HashSet::from([(self.begin)(start).key()]);
        let mut level: Vec<Vec<Choice>> = vec![Vec::new()];
        let mut steps = 0;
        for _ in 0..self.depth {
            let mut next = Vec::new();
            for choices in &level {
                for choice in self.play(start, choices).choices() {
                    let mut longer = choices.clone();
                    longer.push(choice);
                    steps += 1;
                    let mut world = self.play(start, choices);
                    let tried = catch_unwind(AssertUnwindSafe(|| {
                        let done = world.choose(choice);
                        (self.check)(&world);
                        done
                    }));
                    let Ok(changed) = tried else { panic!("start {start}, {longer:?}") };
                    if changed && seen.insert(world.key()) {
                        // All ways back in turn: neighbours share most of their future.
                        let at = seen.len() % 4;
                        self.visit(start, &longer, &[RECOVERIES[at], RECOVERIES[at + 4]]);
                        next.push(longer);
                    }
                }
            }
            // Too many: an even sample of them.
            let every = next.len().div_ceil(self.width).max(1);
            level = next.into_iter().step_by(every).collect();
        }
        (seen.len(), steps)
    }

    /// From every start, breadth first; prints how many states there were.
    ///
    /// # Panics
    /// At a fork or a dead end, with the choices that lead there.
    pub fn every_sequence(&self) {
        let all = Mutex::new((0, 0));
        each_seed("starts", self.starts, |start| {
            let (states, steps) = self.explore(start);
            let mut sum = all.lock().expect("nobody panics with it");
            *sum = (sum.0 + states, sum.1 + steps);
        });
        let (states, steps) = all.into_inner().expect("nobody panics with it");
        println!("explored {states} states in {steps} steps");
    }

    /// Long sequences at random, with all ways back.
    ///
    /// # Panics
    /// At a fork or a dead end, with the choices that lead there.
    pub fn random_walks(&self, count: u64) {
        each_seed("random walks", count, |seed| {
            let mut rng = SimRng::new(seed);
            let start = seed % self.starts;
            let mut world = (self.begin)(start);
            let mut choices = Vec::new();
            for _ in 0..20 + rng.below(80) {
                let there = world.choices();
                let choice = there[rng.below(there.len() as u64) as usize];
                // Disasters seldom, or nothing else ever happens.
                let likely = match choice {
                    Choice::Deliver(_) => 100,
                    Choice::Connect(_) | Choice::Update(_) | Choice::Wait(_) => 40,
                    Choice::Copy(_) | Choice::Lose(_) | Choice::Say(_) => 15,
                    Choice::Cut(_) => 10,
                    Choice::RollBack(_) | Choice::RollToFirst(_) => 15 * (seed % 2) as u32,
                };
                if !rng.percent(likely) {
                    continue;
                }
                choices.push(choice);
                let tried = catch_unwind(AssertUnwindSafe(|| {
                    world.choose(choice);
                    (self.check)(&world);
                }));
                assert!(tried.is_ok(), "start {start}, {choices:?}");
            }
            self.follow(start, &choices);
        });
    }
}
