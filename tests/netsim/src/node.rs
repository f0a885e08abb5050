//! A node: one association, its storage, its clock, and what happened to it.

use crate::rng::SimRng;
use iotkm::{Addr, Association, Cx, Device, Event, Instant, Output, Slot, StoreError, UnixTime};
use std::collections::BTreeMap;

/// A node's storage: what survives a power cut.
pub type Stored = BTreeMap<u16, (u32, Vec<u8>)>;

/// One association and its surroundings.
#[derive(Debug)]
pub struct Node<A> {
    /// The association.
    pub a: A,
    /// Its address.
    pub addr: Addr,
    /// Its randomness.
    pub rng: SimRng,
    /// Its device secret.
    pub device: Device,
    /// Its wall clock, if it has one: simulated ms are added.
    pub wall: Option<u64>,
    /// Where it is.
    pub place: Vec<u8>,
    /// What it stored.
    pub stored: Stored,
    /// Whether writes fail.
    pub store_broken: bool,
    /// Stop taking writes after this many (a power cut right before the next); `None`: never.
    pub writes_left: Option<u32>,
    /// That cut comes right after the write instead, before the association hears of it.
    pub cut_after: bool,
    /// Set when the cut came.
    pub dead: bool,
    /// What happened.
    pub events: Vec<Event>,
    /// What the application got.
    pub received: Vec<Vec<u8>>,
}

impl<A: Association> Node<A> {
    /// A node at this address.
    pub fn new(a: A, addr: &[u8], seed: u64, device: Device) -> Self {
        Self {
            a,
            addr: Addr::new(addr).expect("short address"),
            rng: SimRng::new(seed),
            device,
            wall: Some(1_750_000_000_000),
            place: b"lab".to_vec(),
            stored: Stored::new(),
            store_broken: false,
            writes_left: None,
            cut_after: false,
            dead: false,
            events: Vec::new(),
            received: Vec::new(),
        }
    }

    /// Calls `f` with the association and a context at `now`.
    pub fn with<T>(&mut self, now: u64, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx {
            now: Instant(now),
            wall: self.wall.map(|w| UnixTime(w + now)),
            place: &self.place,
            rng: &mut self.rng,
            device: &self.device,
        };
        f(&mut self.a, &mut cx)
    }

    /// Drains the outputs; returns the datagrams and when to wake up.
    pub fn drain(&mut self, now: u64) -> (Vec<(Addr, Vec<u8>)>, Option<u64>) {
        enum Did {
            Sent(Addr, Vec<u8>),
            Store(Slot, u32, Vec<u8>),
            Event(Event),
            Idle(Option<Instant>),
        }
        let mut sent = Vec::new();
        for _ in 0..1000 {
            if self.dead {
                return (sent, None);
            }
            let did = self.with(now, |a, cx| {
                let mut out = [0; 1500];
                match a.poll(cx, &mut out) {
                    Output::Datagram { to, bytes } => Did::Sent(to, bytes.to_vec()),
                    Output::Persist { slot, version, bytes } => Did::Store(slot, version, bytes.to_vec()),
                    Output::Event(event) => Did::Event(event),
                    Output::Idle { wake_at } => Did::Idle(wake_at),
                    other => panic!("unexpected output {other:?}"),
                }
            });
            match did {
                Did::Sent(to, bytes) => sent.push((to, bytes)),
                Did::Event(event) => self.events.push(event),
                Did::Idle(wake) => return (sent, wake.map(|w| w.0)),
                Did::Store(slot, version, bytes) => {
                    if self.writes_left == Some(0) {
                        if self.cut_after {
                            self.stored.insert(slot.0, (version, bytes));
                        }
                        self.dead = true;
                        return (sent, None);
                    }
                    self.writes_left = self.writes_left.map(|n| n - 1);
                    if self.store_broken {
                        self.a.persisted(slot, Err(StoreError));
                    } else {
                        self.stored.insert(slot.0, (version, bytes));
                        self.a.persisted(slot, Ok(()));
                    }
                }
            }
        }
        panic!("poll never became idle");
    }

    /// Hands in a datagram.
    pub fn input(&mut self, now: u64, from: &Addr, bytes: &[u8]) {
        if self.dead {
            return;
        }
        let mut bytes = bytes.to_vec();
        let got = self.with(now, |a, cx| {
            a.handle_input(cx, from, &mut bytes).expect("drained").map(|received| received.payload.to_vec())
        });
        self.received.extend(got);
    }

    /// Whether this event has happened.
    pub fn saw(&self, test: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(test)
    }
}
