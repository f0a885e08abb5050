//! The history scheme: exchanges, records through the verbs, sizes.

use iotkm::crypto::{Rng, RngError, Secret, Suite};
use iotkm::engine::Config;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Addr, Association, Cx, Device, Instant, NoKeys, Output, Slot};

use crate::lab::Problem;
use crate::ops::{Op, repeat};

/// Places lent as firmware lends them: the association's size is without its peer, its log and its runs.
type Lent = History<&'static mut Peer, &'static mut [Entry], &'static mut Runs>;
type Runs = HistoryMemory<&'static mut Peer, &'static mut [Entry], 1, 0>;
type Owned = History<Peer, [Entry; 0], HistoryMemory<Peer, [Entry; 0], 1, 0>>;

/// `sizeof` an established association.
pub const ESTABLISHED: usize = size_of::<Lent>();
/// The same in a handshake, its memory for one run included.
pub const HANDSHAKE: usize = size_of::<Lent>() + size_of::<Runs>();

/// A generator that costs next to nothing, so that what is measured is the protocol.
#[derive(Clone)]
struct Cheap(u64);

impl Rng for Cheap {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

struct Side {
    association: Owned,
    addr: Addr,
    rng: Cheap,
    device: Device,
}

impl Side {
    fn new(me: &[u8], peer: &[u8], suite: &'static Suite) -> Self {
        let id = |name| Id::new(name).expect("a short name");
        let key = |byte| Secret::new([byte; 32]);
        let triple = Triple::new(key(1), key(2), key(3), 0);
        let peer = Peer::provisioned(Slot(1), id(me), id(peer), suite, triple).expect("two devices");
        let association = History::open(peer, [], suite, Config::default(), HistoryMemory::new()).expect("fits");
        let addr = Addr::new(me).expect("a short name");
        Self { association, addr, rng: Cheap(u64::from(me[0])), device: Device::new(Secret::new([7; 32])) }
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut Owned, &mut Cx<'_>) -> T) -> T {
        let mut cx =
            Cx { now: Instant(1), wall: None, place: b"", rng: &mut self.rng, device: &self.device, keys: &NoKeys };
        f(&mut self.association, &mut cx)
    }

    /// The next datagram, copied to `out`; writes are answered, events forgotten.
    fn next(&mut self, out: &mut [u8; 256]) -> Option<usize> {
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

/// Carries everything across until neither has more to say; the bytes that travelled.
fn settle(a: &mut Side, b: &mut Side) -> u64 {
    let (mut wire, mut out) = (0, [0; 256]);
    loop {
        let mut quiet = true;
        for turn in 0..2 {
            let (from, to) = if turn == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            while let Some(len) = from.next(&mut out) {
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

/// C1 to ACK, both sides, again and again: as in a life, each run reserves its number and every sixteenth stores.
pub fn exchange(suite: &'static Suite) -> Result<Box<dyn Op>, Problem> {
    let (mut a, mut b) = (Side::new(b"device-1", b"gateway1", suite), Side::new(b"gateway1", b"device-1", suite));
    let to = b.addr;
    repeat(move || {
        a.with(|a, cx| a.connect(cx, &to)).expect("at rest");
        let wire = settle(&mut a, &mut b);
        assert!(a.association.is_established() && b.association.fingerprint() == a.association.fingerprint());
        wire
    })
}
