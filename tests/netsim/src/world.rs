//! Two nodes and every choice that chance has: for exploring, step by step, what a network, the application and the
//! power can do to them. Deterministic, so that a list of choices leads to the same place again.

use crate::lab::{Assoc, Plan, SLOT, addr, node};
use crate::node::Node;
use iotkm::engine::state::{self, Kind};
use iotkm::history::Peer;
use iotkm::{Association, Fingerprint};
use std::fmt::Write;

/// One choice. 0 is a, 1 is b.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// This datagram in flight arrives.
    Deliver(u8),
    /// It arrives, and a copy stays in flight.
    Copy(u8),
    /// It is lost.
    Lose(u8),
    /// Time passes up to this side's next timer.
    Wait(u8),
    /// This side loses its power and starts again from its storage.
    Cut(u8),
    /// The same, but from what it had stored at first.
    RollToFirst(u8),
    /// The same, but from what it had stored before the last write.
    RollBack(u8),
    /// The application asks for an update, after the peer has said something.
    Update(u8),
    /// The application connects.
    Connect(u8),
}

/// A datagram in flight, and which session its sender had.
#[derive(Clone, Debug)]
struct Flying {
    to: usize,
    session: Option<Fingerprint>,
    bytes: Vec<u8>,
}

/// Two nodes.
#[derive(Debug)]
pub struct World {
    /// Both.
    pub nodes: [Node<Assoc>; 2],
    plan: Plan,
    now: u64,
    flying: Vec<Flying>,
    wake: [Option<u64>; 2],
    stored: [Vec<Vec<u8>>; 2],
    said: u32,
    /// Whether a side was put back behind what it had stored.
    pub rolled: bool,
}

/// More than these in flight: the oldest is lost.
const IN_FLIGHT: usize = 4;

/// The stored form of a peer, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// Generation, pending, attempts.
    pub replacement: Vec<u8>,
    /// The current triple.
    pub current: Vec<u8>,
    /// The pending triple.
    pub pending: Vec<u8>,
}

impl World {
    /// Two paired nodes that give up after one try.
    pub fn new(seed: u64) -> Self {
        let plan = Plan { tries: 1, log: 12, ..Plan::symmetric() };
        let nodes = [node(&plan, 0, seed), node(&plan, 1, seed)];
        let stored = [0, 1].map(|i: usize| vec![nodes[i].stored[&SLOT.0].1.clone()]);
        let (flying, wake) = (Vec::new(), [None; 2]);
        Self { nodes, plan, now: 1_000, flying, wake, stored, said: 0, rolled: false }
    }

    fn drain(&mut self) {
        for who in [0, 1] {
            let session = self.nodes[who].a.fingerprint();
            let (sent, wake) = self.nodes[who].drain(self.now);
            self.wake[who] = wake;
            self.flying.extend(sent.into_iter().map(|(_, bytes)| Flying { to: 1 - who, session, bytes }));
            let blob = &self.nodes[who].stored[&SLOT.0].1;
            if self.stored[who].last() != Some(blob) {
                self.stored[who].push(blob.clone());
            }
        }
        while self.flying.len() > IN_FLIGHT {
            self.flying.remove(0);
        }
    }

    fn arrive(&mut self, to: usize, bytes: &[u8]) {
        self.nodes[to].input(self.now, &addr(1 - to), bytes);
        self.drain();
    }

    fn restart(&mut self, who: usize, blob: &[u8]) {
        let peer = Peer::restore(&self.nodes[who].device, SLOT, 0, blob).expect("our own");
        self.nodes[who].a = self.plan.open(who, peer);
        self.drain();
    }

    /// The choices that there are now.
    pub fn choices(&self) -> Vec<Choice> {
        let mut choices = Vec::new();
        for i in 0..self.flying.len() as u8 {
            choices.extend([Choice::Deliver(i), Choice::Copy(i), Choice::Lose(i)]);
        }
        for who in [0, 1] {
            let side = who as usize;
            if self.wake[side].is_some() {
                choices.push(Choice::Wait(who));
            }
            choices.extend([Choice::Cut(who), Choice::Connect(who), Choice::Update(who)]);
            if self.stored[side].len() > 2 {
                choices.push(Choice::RollBack(who));
            }
            if self.stored[side].len() > 1 {
                choices.push(Choice::RollToFirst(who));
            }
        }
        choices
    }

    /// Whether both have the same session.
    pub fn both(&self) -> bool {
        let [a, b] = &self.nodes;
        a.a.is_established() && b.a.is_established() && a.a.fingerprint() == b.a.fingerprint()
    }

    /// Makes a choice; whether it changed anything that can be seen from here.
    pub fn choose(&mut self, choice: Choice) -> bool {
        match choice {
            Choice::Deliver(i) => {
                let f = self.flying.remove(i.into());
                self.arrive(f.to, &f.bytes);
            }
            Choice::Copy(i) => {
                let f = self.flying[usize::from(i)].clone();
                self.arrive(f.to, &f.bytes);
            }
            Choice::Lose(i) => drop(self.flying.remove(i.into())),
            Choice::Wait(who) => {
                let who = usize::from(who);
                self.now = self.wake[who].map_or(self.now, |at| at.max(self.now));
                let now = self.now;
                self.nodes[who].with(now, |a, cx| a.handle_timeout(cx)).expect("drained");
                self.drain();
            }
            Choice::Cut(who) => {
                let blob = self.nodes[usize::from(who)].stored[&SLOT.0].1.clone();
                self.restart(who.into(), &blob);
            }
            Choice::RollToFirst(who) => {
                self.rolled = true;
                let blob = self.stored[usize::from(who)][0].clone();
                self.restart(who.into(), &blob);
            }
            Choice::RollBack(who) => {
                self.rolled = true;
                let all = &self.stored[usize::from(who)];
                let blob = all[all.len() - 2].clone();
                self.restart(who.into(), &blob);
            }
            Choice::Update(who) => return self.update(who.into()),
            Choice::Connect(who) => {
                let now = self.now;
                let to = addr(1 - usize::from(who));
                let done = self.nodes[usize::from(who)].with(now, |a, cx| a.connect(cx, &to)).is_ok();
                self.drain();
                return done;
            }
        }
        true
    }

    fn update(&mut self, who: usize) -> bool {
        let now = self.now;
        self.said += 1;
        let text = self.said.to_be_bytes();
        let mut out = [0; 100];
        let said = self.nodes[1 - who].with(now, |a, cx| a.send(cx, &text, &mut out).ok().map(|s| s.bytes.to_vec()));
        self.drain();
        if let Some(bytes) = said {
            self.arrive(who, &bytes);
        }
        let done = self.nodes[who].with(now, |a, cx| a.update(cx)).is_ok();
        self.drain();
        done
    }

    /// A fair network from here on: all arrives in order, timers run, until `done`; whether it came to that.
    pub fn fair(&mut self, mut steps: u32, done: impl Fn(&Self) -> bool) -> bool {
        while !done(self) {
            let wake = [0, 1].into_iter().filter_map(|i: u8| Some((self.wake[usize::from(i)]?, i))).min();
            match (self.flying.is_empty(), wake) {
                (false, _) => self.choose(Choice::Deliver(0)),
                (true, Some((_, who))) => self.choose(Choice::Wait(who)),
                (true, None) => return false,
            };
            steps -= 1;
            if steps == 0 {
                return false;
            }
        }
        true
    }

    /// All in flight is lost.
    pub fn lose_all(&mut self) {
        self.flying.clear();
    }

    /// What a side would store now.
    pub fn keys(&self, who: usize) -> Keys {
        let node = &self.nodes[who];
        let (mut blob, mut text) = ([0; Peer::BLOB_MAX], [0; Peer::BLOB_MAX]);
        let (len, _) = node.a.peer().clone().seal(&node.device, &mut blob).expect("room");
        state::open(&node.device, Kind::HistoryPeer, 0, &blob[..len], &mut text).expect("just sealed");
        let at = 2 + 2 * 9; // suite, flags, both ids of eight bytes
        let (replacement, rest) = (text[at..at + 11].to_vec(), at + 11 + 8);
        let (current, pending) = (text[rest..rest + 96].to_vec(), text[rest + 96..rest + 192].to_vec());
        let pending = if text[1] & 2 != 0 { pending } else { Vec::new() };
        Keys { replacement, current, pending }
    }

    /// What tells this state from others, whatever the random numbers were.
    pub fn key(&self) -> String {
        let mut names: Vec<Vec<u8>> = Vec::new();
        let mut name = |thing: &[u8]| {
            let known = names.iter().position(|n| n == thing);
            known.unwrap_or_else(|| {
                names.push(thing.to_vec());
                names.len() - 1
            })
        };
        let mut key = String::new();
        for who in [0, 1] {
            let node = &self.nodes[who];
            let keys = self.keys(who);
            let session = node.a.fingerprint().map(|f| name(&f.0));
            let last = node.events.last();
            let busy = self.wake[who].map(|at| at.saturating_sub(self.now) / 1_000);
            let (current, pending) = (name(&keys.current), name(&keys.pending));
            let stored = self.stored[who].len().min(3);
            let _ = write!(
                key,
                "{:?} {current} {pending} {session:?} {} {last:?} {busy:?} {stored};",
                keys.replacement,
                node.a.is_established(),
            );
        }
        for f in &self.flying {
            let session = f.session.map(|s| name(&s.0));
            let second = if f.bytes[0] & 8 == 0 { f.bytes[1] } else { 0 };
            let _ = write!(key, "{} {:02x}{second:02x} {} {session:?};", f.to, f.bytes[0], f.bytes.len());
        }
        // Fingerprints inside events depend on random numbers.
        key.split("Fingerprint(").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
    }
}
