//! What the targets share: a world of two nodes that a byte string drives.
//!
//! Every input is a program: each byte says what happens next (a call, a datagram delivered, changed, lost, repeated, forged),
//! the bytes behind it are its arguments. Nothing may panic, overflow or hang, and whatever happened, two sides that both
//! have a session under the same name have the same keys.

use iotkm::crypto::{Rng, RngError, Secret};
use iotkm::{Addr, Association, Cx, Device, Instant, NoKeys, Output, Slot, StaticKeys, StoreError, UnixTime};

/// The input, read off the front.
#[derive(Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// The next byte; 0 at the end.
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }
    /// The next bytes, as many as the next one says.
    pub fn bytes(&mut self) -> &'a [u8] {
        let n = usize::from(self.byte()).min(self.0.len());
        let (head, rest) = self.0.split_at(n);
        self.0 = rest;
        head
    }
    /// Whether there is more.
    pub fn more(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Cheap deterministic randomness that can be made to fail.
#[derive(Debug, Default)]
pub struct Source {
    state: u64,
    /// Fails while set.
    pub broken: bool,
}

impl Rng for Source {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        if self.broken {
            return Err(RngError);
        }
        for byte in out {
            self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (self.state >> 56) as u8;
        }
        Ok(())
    }
}

/// A node: an association, its storage, what it sent.
pub struct Node<A> {
    /// The association.
    pub a: A,
    /// Its randomness.
    pub rng: Source,
    /// Its secret.
    pub device: Device,
    /// Its static keys.
    pub keys: &'static dyn StaticKeys,
    /// Its stored blobs.
    pub stored: Vec<(u16, Vec<u8>)>,
    /// Whether writes fail.
    pub store_broken: bool,
    /// Datagrams that it sent, the newest last; at most 32.
    pub sent: Vec<Vec<u8>>,
    /// Its events, counted.
    pub events: usize,
}

impl<A: Association> Node<A> {
    /// A node.
    pub fn new(a: A, seed: u64) -> Self {
        let device = Device::new(Secret::new([seed as u8; 32]));
        Self {
            a,
            rng: Source { state: seed, broken: false },
            device,
            keys: &NoKeys,
            stored: Vec::new(),
            store_broken: false,
            sent: Vec::new(),
            events: 0,
        }
    }

    /// Calls `f` at `now`.
    pub fn with<T>(&mut self, now: u64, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let mut cx = Cx {
            now: Instant(now),
            wall: Some(UnixTime(now)),
            place: b"x",
            rng: &mut self.rng,
            device: &self.device,
            keys: self.keys,
        };
        f(&mut self.a, &mut cx)
    }

    /// Drains it into `sent` and `stored`.
    ///
    /// # Panics
    /// When it never becomes idle.
    pub fn drain(&mut self, now: u64) {
        for _ in 0..200 {
            enum Did {
                Sent(Vec<u8>),
                Store(Slot, Vec<u8>),
                Event,
                Idle,
            }
            let did = self.with(now, |a, cx| {
                let mut out = [0; 1500];
                match a.poll(cx, &mut out) {
                    Output::Datagram { bytes, .. } => Did::Sent(bytes.to_vec()),
                    Output::Persist { slot, bytes, .. } => Did::Store(slot, bytes.to_vec()),
                    Output::Event(_) => Did::Event,
                    Output::Idle { .. } => Did::Idle,
                    other => panic!("{other:?}"),
                }
            });
            match did {
                Did::Sent(bytes) => {
                    if self.sent.len() == 32 {
                        self.sent.remove(0);
                    }
                    self.sent.push(bytes);
                }
                Did::Store(slot, bytes) => {
                    if self.store_broken {
                        self.a.persisted(slot, Err(StoreError));
                    } else {
                        self.stored.retain(|(s, _)| *s != slot.0);
                        self.stored.push((slot.0, bytes));
                        self.a.persisted(slot, Ok(()));
                    }
                }
                Did::Event => self.events += 1,
                Did::Idle => return,
            }
        }
        panic!("never idle");
    }
}

/// An address of one byte.
pub fn addr(n: u8) -> Addr {
    Addr::new(&[n]).unwrap_or_default()
}

/// Delivers one of `from`'s datagrams to `to`, perhaps changed, as the input says.
pub fn deliver<A: Association, B: Association>(
    input: &mut Input<'_>,
    now: u64,
    from: &mut Node<A>,
    to: &mut Node<B>,
    sender: u8,
) {
    let how = input.byte();
    let back = usize::from(how >> 4);
    let Some(index) = from.sent.len().checked_sub(1 + back) else { return };
    let mut bytes = from.sent[index].clone();
    match how & 7 {
        1 => {
            let at = usize::from(input.byte()) % bytes.len().max(1);
            if let Some(b) = bytes.get_mut(at) {
                *b ^= input.byte();
            }
        }
        2 => bytes.truncate(usize::from(input.byte())),
        3 => bytes.extend_from_slice(input.bytes()),
        _ => {}
    }
    let who = if how & 8 == 0 { sender } else { input.byte() };
    let _ = to.with(now, |a, cx| a.handle_input(cx, &addr(who), &mut bytes).map(|r| r.map(|r| r.payload.len())));
    to.drain(now);
}

/// Delivers bytes that nobody sent.
pub fn forge<A: Association>(input: &mut Input<'_>, now: u64, to: &mut Node<A>) {
    let who = input.byte();
    let mut bytes = input.bytes().to_vec();
    let _ = to.with(now, |a, cx| a.handle_input(cx, &addr(who), &mut bytes).map(|r| r.map(|r| r.payload.len())));
    to.drain(now);
}
