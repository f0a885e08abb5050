//! Scratch memory: what only a run needs. An endpoint holds it while runs are under way and gives it back on `release`.

use super::flight::Flight;
use super::fragment::Reassembly;
use super::resume::{Root, Salt};
use super::scheme::Scheme;
use super::session::ConnectionId;
use crate::association::Addr;
use crate::crypto::Secret;
use core::fmt;
use core::ops::DerefMut;

/// A run under way.
pub enum Run<S: Scheme> {
    /// One of the scheme's.
    Scheme(S::Run),
    /// The restored side of a resume.
    Resuming(Resuming),
    /// The other side of a resume: its random number, and the connection id that the restored side wants to see.
    Answering {
        /// salt_B is derived from it.
        nonce: Secret<16>,
        /// Generation of the new keys.
        generation: u32,
        /// The R3 that was accepted, to know it when it comes again.
        done: Option<Salt>,
    },
}

/// What the restored side of a resume knows.
#[derive(Debug)]
pub struct Resuming {
    /// The stored session.
    pub root: Root,
    /// The connection id that the peer wants to see.
    pub cid: ConnectionId,
    /// Generation that was stored: the new one is above it.
    pub generation: u32,
    /// This side's salt.
    pub salt: Salt,
    /// salt_B and generation, once R2 came; R3 is then under way.
    pub agreed: Option<(Salt, u32)>,
    /// Whether fresh Diffie-Hellman went into the session.
    pub healed: bool,
}

impl<S: Scheme> fmt::Debug for Run<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme(_) => "Run::Scheme",
            Self::Resuming(_) => "Run::Resuming",
            Self::Answering { .. } => "Run::Answering",
        })
    }
}

/// A place for one run: its state and its flight.
pub struct Half<S: Scheme> {
    /// The run; `None`: the place is free.
    pub run: Option<Run<S>>,
    /// Its flight.
    pub flight: Flight<S::Flight>,
}

impl<S: Scheme> Half<S> {
    /// A free place.
    pub fn free() -> Self {
        Self { run: None, flight: Flight::default() }
    }

    /// Ends the run and wipes what it kept.
    pub fn clear(&mut self) {
        self.run = None;
        self.flight.reset(Addr::default(), Some(0));
    }

    /// The next datagram of the flight's message, written into `out`; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    pub fn write(&mut self, mtu: usize, out: &mut [u8]) -> Result<usize, usize> {
        if S::HAS.fragments { self.flight.write(mtu, out) } else { self.flight.write_whole(out) }
    }

    /// The scheme's run, if it is one.
    pub const fn scheme(&self) -> Option<&S::Run> {
        match &self.run {
            Some(Run::Scheme(run)) => Some(run),
            _ => None,
        }
    }

    /// The scheme's run, if it is one, and the flight.
    pub const fn both(&mut self) -> (Option<&mut S::Run>, &mut Flight<S::Flight>) {
        match &mut self.run {
            Some(Run::Scheme(run)) => (Some(run), &mut self.flight),
            _ => (None, &mut self.flight),
        }
    }

    /// The scheme's run, if it is one.
    pub const fn scheme_mut(&mut self) -> Option<&mut S::Run> {
        match &mut self.run {
            Some(Run::Scheme(run)) => Some(run),
            _ => None,
        }
    }
}

impl<S: Scheme> Default for Half<S> {
    fn default() -> Self {
        Self::free()
    }
}

impl<S: Scheme> fmt::Debug for Half<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}

/// An address that the peer may have moved to.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The address.
    pub addr: Addr,
    /// Whether a challenge is to be sent to it.
    pub challenge: bool,
}

/// Scratch memory for `RUNS` runs at a time and for putting together messages of up to `REASSEMBLY` bytes (0 where no
/// message is longer than the MTU).
///
/// Two runs are recommended: one of this side's, one of the peer's. With one place each waits for the other, and while it
/// is taken
/// - two sides that both connect, both go on from stored state, or both update do not answer each other at once: the
///   lower id's run goes first, or one has to give up its own before (seconds, at the worst all tries of a flight);
/// - the last answer of one run is kept only until the next begins: if it was lost, that run is repeated as a whole.
#[derive(Debug)]
pub struct Memory<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> {
    halves: [Half<S>; RUNS],
    reassembly: Reassembly,
    buffer: [u8; REASSEMBLY],
    candidate: Option<Candidate>,
    asked: S::Asked,
}

impl<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> Memory<S, RUNS, REASSEMBLY> {
    /// Empty memory.
    pub fn new() -> Self {
        Self {
            halves: core::array::from_fn(|_| Half::free()),
            reassembly: Reassembly::default(),
            buffer: [0; REASSEMBLY],
            candidate: None,
            asked: Default::default(),
        }
    }
}

impl<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> Default for Memory<S, RUNS, REASSEMBLY> {
    fn default() -> Self {
        Self::new()
    }
}

/// The parts of scratch memory, borrowed apart.
#[derive(Debug)]
pub struct Parts<'a, S: Scheme> {
    /// Places for runs.
    pub halves: &'a mut [Half<S>],
    /// What is known of the message that is being put together.
    pub reassembly: &'a mut Reassembly,
    /// Where it is put together.
    pub buffer: &'a mut [u8],
    /// An address from which the newest record came, not believed yet.
    pub candidate: &'a mut Option<Candidate>,
    /// An address that is asked to show that it receives.
    pub asked: &'a mut S::Asked,
}

/// Scratch memory of any size, owned or lent.
pub trait Scratch<S: Scheme> {
    /// Its parts.
    fn parts(&mut self) -> Parts<'_, S>;
    /// Places for runs.
    fn halves(&self) -> &[Half<S>];
}

impl<S: Scheme, const RUNS: usize, const REASSEMBLY: usize> Scratch<S> for Memory<S, RUNS, REASSEMBLY> {
    fn parts(&mut self) -> Parts<'_, S> {
        Parts {
            halves: &mut self.halves,
            reassembly: &mut self.reassembly,
            buffer: &mut self.buffer,
            candidate: &mut self.candidate,
            asked: &mut self.asked,
        }
    }
    fn halves(&self) -> &[Half<S>] {
        &self.halves
    }
}

/// Lent or boxed.
impl<S: Scheme, D: DerefMut<Target: Scratch<S>>> Scratch<S> for D {
    fn parts(&mut self) -> Parts<'_, S> {
        (**self).parts()
    }
    fn halves(&self) -> &[Half<S>] {
        (**self).halves()
    }
}
