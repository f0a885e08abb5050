//! Two nodes and every choice that chance has: for exploring, step by step, what a network, the application and the
//! power can do to them. Deterministic, so that a list of choices leads to the same place again.

use crate::node::{Node, Stored};
use iotkm::{Addr, Association, Cx, Error, Fingerprint};
use std::fmt::{Debug, Write};

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
    /// The application asks for the scheme's other way to new keys ([`Replaces::update`]).
    Update(u8),
    /// The application says something.
    Say(u8),
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

/// A scheme that replaces its keys; what two nodes are opened with.
pub trait Replaces: Debug + Sized {
    /// Its association.
    type Assoc: Association + Debug;
    /// Whether the application may say something at any time: else only before an update.
    const SAYS: bool;

    /// This side's association, from what it had stored.
    fn open(&self, node: &Node<Self::Assoc>, who: usize, blob: &[u8]) -> Self::Assoc;

    /// Connects.
    ///
    /// # Errors
    /// As the verb.
    fn connect(a: &mut Self::Assoc, cx: &mut Cx<'_>, to: &Addr) -> Result<(), Error>;

    /// The other way to new keys: history's update, interactive's phase 1. Whether it began.
    fn update(world: &mut World<Self>, who: usize) -> bool;

    /// What a side would store now, taken apart.
    fn keys(node: &Node<Self::Assoc>) -> Keys;

    /// What the second byte of a datagram says, whatever the random numbers were.
    fn second(bytes: &[u8]) -> u8 {
        if bytes[0] & 8 == 0 { bytes[1] } else { 0 }
    }
}

/// The slot that both nodes keep their peer in.
const SLOT: u16 = 1;

/// Two nodes.
#[derive(Debug)]
pub struct World<S: Replaces> {
    /// Both.
    pub nodes: [Node<S::Assoc>; 2],
    scheme: S,
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
    /// The current key or triple.
    pub current: Vec<u8>,
    /// The pending one.
    pub pending: Vec<u8>,
}

impl<S: Replaces> World<S> {
    /// Two nodes, from what they have stored.
    pub fn new(scheme: S, nodes: [Node<S::Assoc>; 2]) -> Self {
        let stored = [0, 1].map(|i: usize| vec![nodes[i].stored[&SLOT].1.clone()]);
        let (flying, wake) = (Vec::new(), [None; 2]);
        Self { nodes, scheme, now: 1_000, flying, wake, stored, said: 0, rolled: false }
    }

    /// Both start from this storage: it is what they had at first.
    pub fn go_on_from(&mut self, stored: [Stored; 2]) {
        for (who, stored) in stored.into_iter().enumerate() {
            let blob = stored[&SLOT].1.clone();
            self.nodes[who].stored = stored;
            self.stored[who] = vec![blob.clone()];
            self.restart(who, &blob);
        }
    }

    fn drain(&mut self) {
        for who in [0, 1] {
            let session = self.nodes[who].a.fingerprint();
            let (sent, wake) = self.nodes[who].drain(self.now);
            self.wake[who] = wake;
            self.flying.extend(sent.into_iter().map(|(_, bytes)| Flying { to: 1 - who, session, bytes }));
            let blob = &self.nodes[who].stored[&SLOT].1;
            if self.stored[who].last() != Some(blob) {
                self.stored[who].push(blob.clone());
            }
        }
        while self.flying.len() > IN_FLIGHT {
            self.flying.remove(0);
        }
    }

    fn arrive(&mut self, to: usize, bytes: &[u8]) {
        let from = self.nodes[1 - to].addr;
        self.nodes[to].input(self.now, &from, bytes);
        self.drain();
    }

    fn restart(&mut self, who: usize, blob: &[u8]) {
        self.nodes[who].a = self.scheme.open(&self.nodes[who], who, blob);
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
            if S::SAYS && self.nodes[side].a.is_established() {
                choices.push(Choice::Say(who));
            }
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

    /// Whether both have a session, be it the same or not.
    pub fn sessions(&self) -> bool {
        self.nodes.iter().all(|node| node.a.is_established())
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
                let blob = self.nodes[usize::from(who)].stored[&SLOT].1.clone();
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
            Choice::Update(who) => return S::update(self, who.into()),
            Choice::Say(who) => {
                let said = self.say(who.into());
                return said.map(|bytes| self.send(who.into(), bytes)).is_some();
            }
            Choice::Connect(who) => return self.call(who.into(), S::connect),
        }
        true
    }

    /// Calls a verb of this side's with the other's address; whether it went well.
    pub fn call(
        &mut self,
        who: usize,
        verb: impl FnOnce(&mut S::Assoc, &mut Cx<'_>, &Addr) -> Result<(), Error>,
    ) -> bool {
        let (now, to) = (self.now, self.nodes[1 - who].addr);
        let done = self.nodes[who].with(now, |a, cx| verb(a, cx, &to)).is_ok();
        self.drain();
        done
    }

    /// This side says something, that arrives at once if it was said at all.
    pub fn tell(&mut self, who: usize) {
        if let Some(bytes) = self.say(who) {
            self.arrive(1 - who, &bytes);
        }
    }

    fn say(&mut self, who: usize) -> Option<Vec<u8>> {
        let now = self.now;
        self.said += 1;
        let text = self.said.to_be_bytes();
        let mut out = [0; 100];
        let said = self.nodes[who].with(now, |a, cx| a.send(cx, &text, &mut out).ok().map(|s| s.bytes.to_vec()));
        self.drain();
        said
    }

    fn send(&mut self, who: usize, bytes: Vec<u8>) {
        let session = self.nodes[who].a.fingerprint();
        self.flying.push(Flying { to: 1 - who, session, bytes });
        self.drain();
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
        S::keys(&self.nodes[who])
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
            let second = S::second(&f.bytes);
            let _ = write!(key, "{} {:02x}{second:02x} {} {session:?};", f.to, f.bytes[0], f.bytes.len());
        }
        // Fingerprints inside events depend on random numbers.
        key.split("Fingerprint(").map(|part| part.split_once(')').map_or(part, |(_, rest)| rest)).collect()
    }
}
