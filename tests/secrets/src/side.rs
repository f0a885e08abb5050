//! What all schemes' scenarios share: secrets, a side of an association, a network of two, and the look at what is shown.

use crate::memcheck;
use iotkm::crypto::keys::StaticKeys;
use iotkm::crypto::{Rng, RngError, Secret};
use iotkm::engine::memory::{Half, Memory, Parts, Scratch};
use iotkm::engine::scheme::Scheme;
use iotkm::{Addr, Association, Cx, Device, Error, Event, Instant, NoKeys, Output, UnixTime};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug};

/// Which secrets are marked. All, but where a scenario shows that each of them alone reaches the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marked {
    /// Long-term keys, codes, private keys.
    pub keys: bool,
    /// The device's own secret.
    pub device: bool,
    /// Whatever the source of randomness gives.
    pub random: bool,
}

impl Marked {
    /// All of them.
    pub const ALL: Self = Self { keys: true, device: true, random: true };
    /// None of them.
    pub const NONE: Self = Self { keys: false, device: false, random: false };
}

thread_local! {
    static MARKED: Cell<Marked> = const { Cell::new(Marked::ALL) };
}

/// Runs a scenario with these secrets marked alone.
pub fn with_marked<T>(marked: Marked, run: impl FnOnce() -> T) -> T {
    MARKED.set(marked);
    let result = run();
    MARKED.set(Marked::ALL);
    result
}

/// A long-term key.
pub fn key<const N: usize>(seed: u8) -> Secret<N> {
    let mut bytes = [seed; N];
    if MARKED.get().keys {
        memcheck::mark(&mut bytes);
    }
    Secret::new(bytes)
}

/// A code that a user enters, in UTF-8.
pub fn code(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if MARKED.get().keys {
        memcheck::mark(&mut bytes);
    }
    bytes
}

/// A device's secret.
pub fn device(seed: u8) -> Device {
    let mut bytes = [seed; 32];
    if MARKED.get().device {
        memcheck::mark(&mut bytes);
    }
    Device::new(Secret::new(bytes))
}

/// Randomness (splitmix64) all of which is secret.
#[derive(Clone, Debug)]
pub struct SecretRng(u64);

impl SecretRng {
    /// A generator that gives the same for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Rng for SecretRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for byte in &mut *out {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z >> 56) as u8;
        }
        if MARKED.get().random {
            memcheck::mark(out);
        }
        Ok(())
    }
}

/// Prints it, as a program's log might; no byte of the text may come from a secret. Where a digit was looked up by a
/// secret, memcheck reports that by itself.
pub fn show(thing: &dyn Debug) {
    assert_eq!(shown(thing), 0, "a secret is shown by something that is printed as {}", opening(thing));
}

/// Bytes that come from a secret in what is printed of a thing.
pub fn shown(thing: &dyn Debug) -> usize {
    memcheck::secret_bytes(format!("{thing:?}").as_bytes())
}

fn opening(thing: &dyn Debug) -> String {
    let bytes = published(format!("{thing:?}").as_bytes());
    String::from_utf8_lossy(&bytes).chars().take(300).collect()
}

/// These bytes must be secret, every one: no declassification has been too generous on the way to them.
pub fn assert_secret(what: &str, bytes: &[u8]) {
    assert_eq!(memcheck::secret_bytes(bytes), bytes.len(), "{what}: the mark was lost on the way");
}

/// The same bytes, as whoever is outside sees them.
pub fn published(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    memcheck::unmark(&mut bytes);
    bytes
}

/// Run memory that prints its runs whenever the engine looks at them after it may have changed them.
#[derive(Debug)]
pub struct Watched<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> {
    memory: Memory<S, RUNS, REASSEMBLY>,
    changed: Cell<bool>,
}

impl<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> Watched<S, RUNS, REASSEMBLY> {
    /// Empty memory.
    pub fn new() -> Self {
        Self { memory: Memory::new(), changed: Cell::new(false) }
    }
}

impl<S: Scheme<Run: Debug>, const RUNS: usize, const REASSEMBLY: usize> Scratch<S> for Watched<S, RUNS, REASSEMBLY> {
    fn parts(&mut self) -> Parts<'_, S> {
        self.changed.set(true);
        self.memory.parts()
    }
    fn halves(&self) -> &[Half<S>] {
        let halves = self.memory.halves();
        let look = if self.changed.take() { halves } else { &[] };
        for half in look {
            show(&half.run);
            if let Some(run) = half.scheme() {
                show(run);
            }
        }
        halves
    }
}

/// Whoever takes part: an association, or a hub of them.
pub trait Party {
    /// Its address.
    fn addr(&self) -> Addr;
    /// Does all that waits to be done; the datagrams that leave, with where they go.
    fn drain(&mut self, now: u64) -> Vec<(Addr, Vec<u8>)>;
    /// A datagram comes in.
    fn input(&mut self, now: u64, from: &Addr, datagram: &[u8]);
}

/// A side's static keys.
pub struct Keys(pub Box<dyn StaticKeys>);

impl Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// One association and its surroundings.
#[derive(Debug)]
pub struct Side<A> {
    /// The association.
    pub a: A,
    /// Its device's secret.
    pub device: Device,
    /// Its static keys: none, unless a scheme gives it some.
    pub keys: Keys,
    /// Newest blob of each slot.
    pub stored: BTreeMap<u16, Vec<u8>>,
    /// What happened.
    pub events: Vec<Event>,
    /// What the application got.
    pub received: Vec<Vec<u8>>,
    addr: Addr,
    rng: SecretRng,
}

impl<A: Association + Debug> Side<A> {
    /// A side whose device secret, randomness and address come from `seed`.
    pub fn new(a: A, seed: u8) -> Self {
        Self {
            a,
            device: device(seed),
            keys: Keys(Box::new(NoKeys)),
            stored: BTreeMap::new(),
            events: Vec::new(),
            received: Vec::new(),
            addr: address(seed),
            rng: SecretRng::new(seed.into()),
        }
    }

    /// Calls a verb.
    pub fn with<T>(&mut self, now: u64, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let mut cx = surroundings(now, &mut self.rng, &self.device, &*self.keys.0);
        f(&mut self.a, &mut cx)
    }

    /// From now on it sends from another address.
    pub fn moves_to(&mut self, seed: u8) {
        self.addr = address(seed);
    }

    /// Seals a record, whose text is known: its ciphertext is secret as long as its key is.
    pub fn say(&mut self, now: u64, text: &[u8]) -> Vec<u8> {
        let mut out = [0; 1500];
        let bytes = self.with(now, |a, cx| a.send(cx, text, &mut out).expect("established").bytes.to_vec());
        assert!(memcheck::secret_bytes(&bytes) >= text.len(), "a record under a key that is not secret any more");
        published(&bytes)
    }

    /// Keys that leave the association are secret, and the same on both sides; what it shows is not.
    pub fn assert_same_keys(&self, peer: &Self) {
        let [ours, theirs] = [self, peer].map(|side| {
            let mut key = [0; 40];
            side.a.exporter(b"label", b"context", &mut key).expect("established");
            assert_secret("exporter", &key);
            show(side);
            published(&key)
        });
        assert_eq!(ours, theirs);
    }
}

/// A context at `now`.
pub fn surroundings<'a>(now: u64, rng: &'a mut SecretRng, device: &'a Device, keys: &'a dyn StaticKeys) -> Cx<'a> {
    Cx { now: Instant(now), wall: Some(UnixTime(1_750_000_000_000 + now)), place: b"lab", rng, device, keys }
}

/// The address that belongs to this seed.
pub fn address(seed: u8) -> Addr {
    Addr::new(&[seed; 6]).expect("short")
}

impl<A: Association + Debug> Party for Side<A> {
    fn addr(&self) -> Addr {
        self.addr
    }

    fn drain(&mut self, now: u64) -> Vec<(Addr, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut out = [0; 1500];
        show(&self.a);
        loop {
            let mut cx = surroundings(now, &mut self.rng, &self.device, &*self.keys.0);
            match self.a.poll(&mut cx, &mut out) {
                Output::Datagram { to, bytes } => sent.push((to, published(bytes))),
                Output::Persist { slot, bytes, .. } => {
                    self.stored.insert(slot.0, published(bytes));
                    self.a.persisted(slot, Ok(()));
                }
                Output::Event(event) => {
                    show(&event);
                    self.events.push(event);
                }
                Output::Idle { .. } => return sent,
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    fn input(&mut self, now: u64, from: &Addr, datagram: &[u8]) {
        let mut datagram = datagram.to_vec();
        let got = self.with(now, |a, cx| {
            let received = a.handle_input(cx, from, &mut datagram).unwrap_or_else(fails);
            received.map(|received| received.payload.to_vec())
        });
        show(self.a.drops());
        self.received.extend(got);
    }
}

/// An error that no scenario expects.
pub fn fails<T>(error: Error) -> T {
    panic!("{error}")
}

/// A network without a fault but one: before each datagram comes a copy of it that somebody has changed.
pub fn run(now: u64, a: &mut dyn Party, b: &mut dyn Party) {
    run_forging(now, a, b, |_| true);
}

/// The same, where only some datagrams are copied and changed.
pub fn run_forging(now: u64, a: &mut dyn Party, b: &mut dyn Party, forges: impl Fn(&[u8]) -> bool) {
    let mut flying = VecDeque::new();
    for _ in 0..1_000 {
        flying.extend(leaving(now, a));
        flying.extend(leaving(now, b));
        let Some((from, to, bytes)) = flying.pop_front() else { return };
        let to: &mut dyn Party = if to == a.addr() { a } else { b };
        if forges(&bytes) {
            let mut forged = bytes.clone();
            forged.last_mut().into_iter().for_each(|last| *last ^= 1);
            to.input(now, &from, &forged);
            flying.extend(leaving(now, to));
        }
        to.input(now, &from, &bytes);
    }
    panic!("never silent");
}

/// What a party sends now: from where, to where, what.
fn leaving(now: u64, party: &mut dyn Party) -> Vec<(Addr, Addr, Vec<u8>)> {
    let from = party.addr();
    party.drain(now).into_iter().map(|(to, bytes)| (from, to, bytes)).collect()
}

/// A record on its way, and what it sets off.
pub fn tell<A: Association + Debug>(now: u64, from: &mut Side<A>, to: &mut Side<A>, text: &[u8]) {
    let record = from.say(now, text);
    let had = to.received.len();
    to.input(now, &from.addr, &record);
    assert_eq!(to.received.get(had).map(Vec::as_slice), Some(text));
    run(now, from, to);
}
