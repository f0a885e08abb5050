//! A pairwise master key, and what phase 1 agreed on beside it.

use super::keys::{self, Terms};
use crate::association::UnixTime;
use crate::cose::ticket::seconds;
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Reader, Writer};
use crate::phase1::keys::{HINT_LEN, N_LEN};
use core::fmt;

/// What phase 1 agreed on, which every PMK that follows from it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// th_4: both tickets, suite, roles.
    pub bind: Transcript,
    /// N_A0.
    pub n_a0: Secret<N_LEN>,
    /// N_S0.
    pub n_s0: Secret<N_LEN>,
    /// Number of the suite.
    pub suite: i8,
    /// Whether a psk went in.
    pub psk: bool,
    /// Whether this side was A.
    pub was_a: bool,
    /// When F is over by the wall clock, in seconds since 1970; [`NEVER`]: it is not.
    pub ends: u64,
    /// How much of F is left, in seconds that this device has run without a wall clock; [`ALWAYS`]: it has no end.
    pub left: u32,
}

/// No end by the wall clock.
pub const NEVER: u64 = u64::MAX;
/// No end.
pub const ALWAYS: u32 = u32::MAX;

/// A pairwise master key.
#[derive(Clone, PartialEq, Eq)]
pub struct Master {
    pub(super) key: Secret<32>,
    pub(super) aux: Secret<32>,
    pub(super) step: u32,
    pub(super) origin: Origin,
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Master(step {})", self.step)
    }
}

impl Master {
    /// Length of the stored form in bytes.
    pub(super) const LEN: usize = 32 + 4 + 32 + 2 * N_LEN + 2 + 4 + 8;

    /// The first one, out of phase 1.
    pub fn first(key: Secret<32>, origin: Origin) -> Self {
        Self::at(key, 0, origin)
    }

    fn at(key: Secret<32>, step: u32, origin: Origin) -> Self {
        let aux = keys::aux(&key, step);
        Self { key, aux, step, origin }
    }

    /// F is counted from now.
    #[must_use]
    pub fn from(mut self, wall: Option<UnixTime>) -> Self {
        if let Some(now) = wall.filter(|_| self.origin.left != ALWAYS) {
            self.origin.ends = seconds(now).saturating_add(u64::from(self.origin.left));
        }
        self
    }

    /// The one that takes its place: PMK' of a run of phase 2.
    #[must_use]
    pub fn next(&self, key: Secret<32>) -> Self {
        Self::at(key, self.step.saturating_add(1), self.origin.clone())
    }

    /// Whether it is what [`next`](Self::next) makes of that one with its key.
    pub(super) fn follows(&self, old: &Self) -> bool {
        old.step.checked_add(1) == Some(self.step) && self.origin == old.origin
    }

    /// PMK.
    pub const fn key(&self) -> &Secret<32> {
        &self.key
    }
    /// What names it and says things about it.
    pub const fn aux(&self) -> &Secret<32> {
        &self.aux
    }
    /// How often it was replaced since phase 1.
    pub const fn step(&self) -> u32 {
        self.step
    }
    /// What phase 1 agreed on.
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The hint for a first message under it, by this side or (`ours` false) by the peer.
    pub fn hint(&self, ours: bool) -> [u8; HINT_LEN] {
        keys::hint(&self.aux, self.origin.was_a == ours)
    }

    /// What th_0 of a run under it binds; `ours`: this side started the run.
    pub const fn terms(&self, ours: bool) -> Terms {
        let Origin { suite, psk, was_a, bind, .. } = &self.origin;
        Terms { suite: *suite, psk: *psk, step: self.step, side: *was_a == ours, bind: *bind }
    }

    pub(super) fn write(&self, w: &mut Writer<'_>) {
        let origin = &self.origin;
        w.put(self.key.expose()).put(&self.step.to_be_bytes()).put(origin.bind.as_bytes());
        w.put(origin.n_a0.expose()).put(origin.n_s0.expose());
        w.put(&[origin.suite as u8, u8::from(origin.psk) << 1 | u8::from(origin.was_a)]);
        w.put(&origin.ends.to_be_bytes()).put(&origin.left.to_be_bytes());
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Dropped> {
        let (key, step) = (r.secret()?, r.u32()?);
        let bind = Transcript::from(r.array::<32>()?);
        let (n_a0, n_s0) = (r.secret()?, r.secret()?);
        let [suite, flags] = r.array()?;
        if flags > 3 {
            return Err(Dropped::Malformed);
        }
        let (ends, left) = (r.u64()?, r.u32()?);
        let (psk, was_a) = (flags & 2 != 0, flags & 1 != 0);
        Ok(Self::at(key, step, Origin { bind, n_a0, n_s0, suite: suite as i8, psk, was_a, ends, left }))
    }
}
