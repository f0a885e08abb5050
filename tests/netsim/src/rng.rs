//! Seeded randomness: splitmix64 for the network's choices and, in tests only, for the protocol's.

use iotkm::crypto::{Rng, RngError};

/// A small seeded generator (splitmix64).
#[derive(Clone, Debug)]
pub struct SimRng {
    state: u64,
    /// While set, [`Rng::fill`] fails.
    pub broken: bool,
    /// How often [`Rng::fill`] was called.
    pub draws: u32,
    /// These calls fail.
    pub fail: Option<(u32, u32)>,
}

impl SimRng {
    /// A generator that gives the same for the same seed.
    pub const fn new(seed: u64) -> Self {
        Self { state: seed, broken: false, draws: 0, fail: None }
    }
    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// A number below `n`.
    pub const fn below(&mut self, n: u64) -> u64 {
        if n == 0 { 0 } else { self.next() % n }
    }
    /// Whether something of this probability (in percent) happens.
    pub const fn percent(&mut self, p: u32) -> bool {
        self.below(100) < p as u64
    }
}

impl Rng for SimRng {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        self.draws += 1;
        if self.broken || self.fail.is_some_and(|(from, to)| (from..to).contains(&self.draws)) {
            return Err(RngError);
        }
        for chunk in out.chunks_mut(8) {
            let bytes = self.next().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}
