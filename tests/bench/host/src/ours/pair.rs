//! Two associations that hand each other their datagrams.

use iotkm::crypto::{Rng, RngError, Secret};
use iotkm::{Addr, Association, Cx, Device, Instant, NoKeys, Output, StaticKeys};

/// A generator that costs next to nothing, so that what is measured is the protocol.
#[derive(Clone)]
pub struct Cheap(pub u64);

impl Rng for Cheap {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// One of the two, and what its application lends it.
pub struct Side<A> {
    pub association: A,
    pub addr: Addr,
    /// Its clock, in ms.
    pub now: u64,
    rng: Cheap,
    device: Device,
    keys: Box<dyn StaticKeys>,
}

impl<A: Association> Side<A> {
    pub fn new(name: &str, association: A) -> Self {
        let addr = Addr::new(name.as_bytes()).expect("a short name");
        let rng = Cheap(u64::from(name.as_bytes()[0]));
        Self { association, addr, now: 1, rng, device: Device::new(Secret::new([7; 32])), keys: Box::new(NoKeys) }
    }

    pub fn with_keys(self, keys: Box<dyn StaticKeys>) -> Self {
        Self { keys, ..self }
    }

    pub fn with<T>(&mut self, f: impl FnOnce(&mut A, &mut Cx<'_>) -> T) -> T {
        let Self { association, now, rng, device, keys, .. } = self;
        let mut cx = Cx { now: Instant(*now), wall: None, place: b"", rng, device, keys: &**keys };
        f(association, &mut cx)
    }

    /// The next datagram, copied to `out`; writes are answered, events forgotten.
    fn next(&mut self, out: &mut [u8]) -> Option<usize> {
        loop {
            let stored = self.with(|a, cx| match a.poll(cx, out) {
                Output::Datagram { bytes, .. } => Some(Err(Some(bytes.len()))),
                Output::Persist { slot, .. } => Some(Ok(slot)),
                Output::Idle { .. } => Some(Err(None)),
                _ => None,
            });
            match stored {
                Some(Ok(slot)) => self.association.persisted(slot, Ok(())),
                Some(Err(end)) => return end,
                None => {}
            }
        }
    }
}

/// Room for the longest datagram and the longest write.
const ROOM: usize = 3000;

/// Carries across what `passes`, until neither has more to say; the bytes that travelled.
pub fn settle_while<A: Association>(a: &mut Side<A>, b: &mut Side<A>, passes: impl Fn(&[u8]) -> bool) -> u64 {
    let (mut wire, mut out) = (0, [0; ROOM]);
    loop {
        let mut quiet = true;
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            while let Some(len) = from.next(&mut out) {
                if !passes(&out[..len]) {
                    return wire;
                }
                quiet = false;
                wire += len as u64;
                let addr = from.addr;
                to.with(|to, cx| to.handle_input(cx, &addr, &mut out[..len]).map(|_| ())).expect("drained");
            }
        }
        if quiet {
            return wire;
        }
    }
}

/// Carries everything across until neither has more to say; the bytes that travelled.
pub fn settle<A: Association>(a: &mut Side<A>, b: &mut Side<A>) -> u64 {
    settle_while(a, b, |_| true)
}
