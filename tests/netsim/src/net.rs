//! Two nodes and what is between them.

use crate::node::Node;
use crate::rng::SimRng;
use iotkm::{Addr, Association};

/// What a link does to datagrams, in percent, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Datagrams that get lost.
    pub loss: u32,
    /// Datagrams that come twice.
    pub duplicate: u32,
    /// Datagrams with a bit flipped.
    pub corrupt: u32,
    /// Shortest and longest delay in ms; different delays reorder.
    pub delay: (u64, u64),
}

impl Link {
    /// A link that loses nothing and takes 10 ms.
    pub const GOOD: Self = Self { loss: 0, duplicate: 0, corrupt: 0, delay: (10, 10) };
    /// 30 % loss each way, with reordering, duplication and corruption.
    pub const BAD: Self = Self { loss: 30, duplicate: 10, corrupt: 5, delay: (1, 1_500) };
}

#[derive(Debug)]
struct Flying {
    at: u64,
    order: u64,
    to_b: bool,
    from: Addr,
    bytes: Vec<u8>,
}

/// Two nodes and the network between them.
#[derive(Debug)]
pub struct Net<A, B> {
    /// One node.
    pub a: Node<A>,
    /// The other.
    pub b: Node<B>,
    /// The link.
    pub link: Link,
    /// Simulated time in ms.
    pub now: u64,
    /// The network's own randomness.
    pub rng: SimRng,
    /// Every datagram that was sent: who, bytes.
    pub trace: Vec<(bool, Vec<u8>)>,
    flying: Vec<Flying>,
    wake: [Option<u64>; 2],
    order: u64,
}

impl<A: Association, B: Association> Net<A, B> {
    /// Two nodes on a link; the network's choices follow `seed`.
    pub fn new(seed: u64, link: Link, a: Node<A>, b: Node<B>) -> Self {
        let rng = SimRng::new(seed ^ 0x6e65_7473_696d);
        Self { a, b, link, now: 1_000, rng, trace: Vec::new(), flying: Vec::new(), wake: [None; 2], order: 0 }
    }

    /// Drains both nodes onto the link.
    pub fn flush(&mut self) {
        let (sent, wake) = self.a.drain(self.now);
        self.wake[0] = wake;
        sent.into_iter().for_each(|(to, bytes)| self.post(true, to, bytes));
        let (sent, wake) = self.b.drain(self.now);
        self.wake[1] = wake;
        sent.into_iter().for_each(|(to, bytes)| self.post(false, to, bytes));
    }

    /// Puts a datagram on the link.
    pub fn post(&mut self, to_b: bool, to: Addr, bytes: Vec<u8>) {
        self.trace.push((to_b, bytes.clone()));
        let there = if to_b { self.b.addr } else { self.a.addr };
        if to != there || self.rng.percent(self.link.loss) {
            return;
        }
        let copies = 1 + u64::from(self.rng.percent(self.link.duplicate));
        for _ in 0..copies {
            let mut bytes = bytes.clone();
            if self.rng.percent(self.link.corrupt) && !bytes.is_empty() {
                let bit = self.rng.below(bytes.len() as u64 * 8) as usize;
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let (low, high) = self.link.delay;
            let at = self.now + low + self.rng.below(high - low + 1);
            let from = if to_b { self.a.addr } else { self.b.addr };
            self.order += 1;
            self.flying.push(Flying { at, order: self.order, to_b, from, bytes });
        }
    }

    /// The datagram that arrives next, if no timer is due before: whether to b, from where, the bytes.
    pub fn arriving(&self) -> Option<(bool, Addr, Vec<u8>)> {
        let next = self.flying.iter().min_by_key(|f| (f.at, f.order))?;
        (self.next_at() == Some(next.at)).then(|| (next.to_b, next.from, next.bytes.clone()))
    }

    /// Whether this datagram was sent and has not arrived yet.
    pub fn on_its_way(&self, bytes: &[u8]) -> bool {
        self.flying.iter().any(|f| f.bytes == bytes)
    }

    /// Somebody's datagram arrives now, whatever the link is like.
    pub fn inject(&mut self, to_b: bool, from: &Addr, bytes: &[u8]) {
        if to_b {
            self.b.input(self.now, from, bytes);
        } else {
            self.a.input(self.now, from, bytes);
        }
        self.flush();
    }

    /// Takes everything off the link.
    pub fn cut(&mut self) {
        self.flying.clear();
    }

    /// Goes on to the next datagram or timer; `false` if there is none.
    pub fn step(&mut self) -> bool {
        self.flush();
        let next = self.flying.iter().map(|f| (f.at, f.order)).min();
        let wake = self.wake.iter().flatten().min().copied();
        match (next, wake) {
            (Some((at, order)), wake) if wake.is_none_or(|w| at <= w) => {
                self.now = self.now.max(at);
                let place = self.flying.iter().position(|f| f.order == order).expect("it is there");
                let f = self.flying.swap_remove(place);
                if f.to_b {
                    self.b.input(self.now, &f.from, &f.bytes);
                } else {
                    self.a.input(self.now, &f.from, &f.bytes);
                }
            }
            (_, Some(at)) => {
                self.now = self.now.max(at);
                let now = self.now;
                if self.wake[0].is_some_and(|w| w <= now) && !self.a.dead {
                    self.a.with(now, |a, cx| a.handle_timeout(cx).expect("drained"));
                }
                if self.wake[1].is_some_and(|w| w <= now) && !self.b.dead {
                    self.b.with(now, |b, cx| b.handle_timeout(cx).expect("drained"));
                }
            }
            _ => return false,
        }
        self.flush();
        true
    }

    /// When the next datagram or timer is.
    pub fn next_at(&self) -> Option<u64> {
        self.flying.iter().map(|f| f.at).chain(self.wake.into_iter().flatten()).min()
    }

    /// Steps until `done`, or until `ms` have passed; whether `done`.
    pub fn drive(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + ms;
        self.flush();
        while !done(self) {
            if self.next_at().is_none_or(|at| at > end) {
                self.now = end;
                return false;
            }
            self.step();
        }
        true
    }

    /// Sends a payload from a to b, or b to a; whether the association took it.
    pub fn say(&mut self, from_a: bool, payload: &[u8]) -> bool {
        self.flush();
        let mut out = [0; 1500];
        let now = self.now;
        let sent = if from_a {
            self.a.with(now, |a, cx| a.send(cx, payload, &mut out).ok().map(|s| (s.to, s.bytes.to_vec())))
        } else {
            self.b.with(now, |b, cx| b.send(cx, payload, &mut out).ok().map(|s| (s.to, s.bytes.to_vec())))
        };
        let ok = sent.is_some();
        if let Some((to, bytes)) = sent {
            if from_a {
                self.a.sealed(&bytes);
            } else {
                self.b.sealed(&bytes);
            }
            self.post(from_a, to, bytes);
        }
        self.flush();
        ok
    }
}
