//! A node: one association, its storage, its clock, and what happened to it.

use crate::rng::SimRng;
use iotkm::{
    Addr, Association, Cx, Device, Error, Event, Fingerprint, Instant, NoKeys, Output, Slot, StaticKeys, StoreError,
    UnixTime,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A node's storage: what survives a power cut.
pub type Stored = BTreeMap<u16, (u32, Vec<u8>)>;

/// Session and generation that an association seals records under.
pub type KeyOf<A> = fn(&A) -> Option<(Fingerprint, u32)>;

/// Static keys of any kind.
pub struct Keys(pub Box<dyn StaticKeys>);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

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
    /// Its static keys.
    pub keys: Keys,
    /// Its monotonic clock: so many millionths too fast, so many ms ahead.
    pub clock: (i64, i64),
    /// Its wall clock, if it has one: simulated ms are added.
    pub wall: Option<u64>,
    /// Where it is.
    pub place: Vec<u8>,
    /// What it stored.
    pub stored: Stored,
    /// Whether writes fail.
    pub store_broken: bool,
    /// So many writes go well, then so many fail.
    pub refuse: Option<(u32, u32)>,
    /// Stop taking writes after this many (a power cut right before the next); `None`: never.
    pub writes_left: Option<u32>,
    /// That cut comes right after the write instead, before the association hears of it.
    pub cut_after: bool,
    /// Set when the cut came.
    pub dead: bool,
    /// Length of the connection id in the records that it sends.
    pub peer_cid: usize,
    /// Which key it seals records under, where the test knows.
    pub key: Option<KeyOf<A>>,
    /// Every key and number that it sealed a record under, over all its lives: none comes twice.
    pub nonces: BTreeSet<([u8; 10], u32, [u8; 2])>,
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
            keys: Keys(Box::new(NoKeys)),
            clock: (0, 0),
            wall: Some(1_750_000_000_000),
            place: b"lab".to_vec(),
            stored: Stored::new(),
            store_broken: false,
            refuse: None,
            writes_left: None,
            cut_after: false,
            dead: false,
            peer_cid: 0,
            key: None,
            nonces: BTreeSet::new(),
            events: Vec::new(),
            received: Vec::new(),
        }
    }

    /// What its monotonic clock shows.
    pub fn local(&self, now: u64) -> u64 {
        let (ppm, ahead) = self.clock;
        let now = i128::from(now);
        (now + now * i128::from(ppm) / 1_000_000 + i128::from(ahead)).max(0) as u64
    }

    /// When its monotonic clock shows that.
    fn global(&self, local: u64) -> u64 {
        let (ppm, ahead) = self.clock;
        let since = i128::from(local) - i128::from(ahead);
        let mut now = (since * 1_000_000 / i128::from(1_000_000 + ppm)).max(0) as u64;
        while self.local(now) < local {
            now += 1;
        }
        now
    }

    /// Calls `f` with the association and a context at `now`.
    pub fn with<T>(&mut self, now: u64, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx {
            now: Instant(self.local(now)),
            wall: self.wall.map(|w| UnixTime(w + now)),
            place: &self.place,
            rng: &mut self.rng,
            device: &self.device,
            keys: &*self.keys.0,
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
                let mut out = [0; 2500];
                match a.poll(cx, &mut out) {
                    Output::Datagram { to, bytes } => Did::Sent(to, bytes.to_vec()),
                    Output::Persist { slot, version, bytes } => Did::Store(slot, version, bytes.to_vec()),
                    Output::Event(event) => Did::Event(event),
                    Output::Idle { wake_at } => Did::Idle(wake_at),
                    other => panic!("unexpected output {other:?}"),
                }
            });
            match did {
                Did::Sent(to, bytes) => {
                    self.sealed(&bytes);
                    sent.push((to, bytes));
                }
                Did::Event(event) => self.events.push(event),
                Did::Idle(wake) => return (sent, wake.map(|w| self.global(w.0))),
                Did::Store(slot, version, bytes) => {
                    if self.writes_left == Some(0) {
                        if self.cut_after {
                            self.stored.insert(slot.0, (version, bytes));
                        }
                        self.dead = true;
                        return (sent, None);
                    }
                    self.writes_left = self.writes_left.map(|n| n - 1);
                    let refused = match &mut self.refuse {
                        Some((0, 0)) | None => false,
                        Some((0, more)) => {
                            *more -= 1;
                            true
                        }
                        Some((well, _)) => {
                            *well -= 1;
                            false
                        }
                    };
                    if self.store_broken || refused {
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

    /// Notes key and number of a record that is about to leave.
    ///
    /// # Panics
    /// Where they come again.
    pub fn sealed(&mut self, bytes: &[u8]) {
        let Some((key, generation)) = self.key.and_then(|key| key(&self.a)) else { return };
        if bytes[0] & 8 == 0 || bytes[0] & 3 != (generation & 3) as u8 {
            return;
        }
        let cid = self.peer_cid;
        let number = [bytes[1 + cid], bytes[2 + cid]];
        assert!(self.nonces.insert((key.0, generation, number)), "a nonce came twice: {key} {generation} {number:?}");
    }

    /// Hands in a datagram.
    pub fn input(&mut self, now: u64, from: &Addr, bytes: &[u8]) {
        if self.dead {
            return;
        }
        let mut bytes = bytes.to_vec();
        let got = self.with(now, |a, cx| {
            match a.handle_input(cx, from, &mut bytes) {
                Ok(received) => received.map(|received| received.payload.to_vec()),
                // Only where the test breaks the randomness; the datagram counts as lost.
                Err(error) => {
                    assert_eq!(error, Error::Rng);
                    None
                }
            }
        });
        self.received.extend(got);
    }

    /// Whether this event has happened.
    pub fn saw(&self, test: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(test)
    }
}
