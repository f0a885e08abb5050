//! Randomness that stays good when the source is not: RFC 8937's idea, at a price for small devices.
//!
//! Block i of an answer is `HMAC-SHA256(key, counter || i || G)`: `key` comes from the device secret, `counter` (64 bits)
//! never repeats within a boot, i (32 bits) numbers the blocks of one answer, G is 32 fresh bytes from the source.
//! Integers are big-endian.
//!
//! **What it gives.** Whoever does not know the key learns nothing from a source that is weak, known or even chosen by
//! him, as long as no (counter, G) repeats: within a boot the counter sees to that; over boots G must differ once, or
//! the caller keeps the counter in storage. Whoever knows the key, but not G, gains nothing either, as HMAC-SHA256 of 32
//! unknown bytes is as good as they are. With key *and* G he knows the answer.
//!
//! **Where it deviates.** RFC 8937 (section 3) extracts from `H(Sig(sk, tag1))` and G and then expands under tag2: a
//! signature kept in memory and two HKDF steps a call. Here the key is a KDF output that already is what the signature
//! stands for (secret, fixed, of this device alone), the counter is tag2, and extract and expand are one HMAC: of at
//! most 32 bytes, which is all that nonces and scalars ask for, one call costs 4 SHA-256 blocks and 32 bytes from the
//! source.

use super::sha256::Hmac;
use super::{Rng, RngError, Secret};

/// An [`Rng`] around another one.
pub struct Hedged<'a> {
    key: &'a Secret<32>,
    counter: &'a mut u64,
    source: &'a mut dyn Rng,
}

impl<'a> Hedged<'a> {
    /// `key` is derived from the device secret and used for nothing else; `counter` never goes back within a boot.
    pub fn new(key: &'a Secret<32>, counter: &'a mut u64, source: &'a mut dyn Rng) -> Self {
        Self { key, counter, source }
    }
}

impl Rng for Hedged<'_> {
    /// Writes nothing where the source fails.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let mut fresh = Secret::<32>::zero();
        self.source.fill(fresh.as_mut())?;
        // Counted before use: no two answers under one number, even if this one were to be cut short.
        let number = self.counter.checked_add(1).ok_or(RngError)?;
        *self.counter = number;
        let keyed = Hmac::new(&[self.key.expose()]);
        for (index, chunk) in (0u32..).zip(out.chunks_mut(32)) {
            let mut message = keyed.message();
            message.update(&number.to_be_bytes());
            message.update(&index.to_be_bytes());
            message.update(fresh.expose());
            let mut block = Secret::<32>::zero();
            keyed.finish(&mut message, block.as_mut());
            for (to, from) in chunk.iter_mut().zip(block.expose()) {
                *to = *from;
            }
        }
        Ok(())
    }
}
