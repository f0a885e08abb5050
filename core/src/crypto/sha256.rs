//! SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104) over the compression function of the `sha2` crate, on 32-bit ARM over ours.
//!
//! The padding is written out here, not taken from the `digest` and `hmac` crates (which the tests compare it with), for
//! what a device feels: an HMAC key is 64 bytes in place of 190 and is not copied about, which halves the stack that the
//! key derivation takes.

use super::Secret;
use super::secret::wipe;

/// Where neither the processor has instructions for it nor the `sha2` crate is asked for little code in place of speed.
#[cfg(any(test, all(target_arch = "arm", not(sha2_backend_soft = "compact"))))]
mod block;

/// Length of a digest in bytes.
pub const HASH_LEN: usize = 32;
const BLOCK_LEN: usize = 64;

/// Fractional parts of the square roots of the first eight primes (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// Its state after HMAC's two blocks of no key, HKDF's salt where there is none.
const INNER: [u32; 8] =
    [0xf454_dead, 0x9725_214f, 0x90da_f2a0, 0xdf12_28ea, 0x64e5_750f, 0xa392_4181, 0x824a_932b, 0xf8e0_4e32];
const OUTER: [u32; 8] =
    [0xd385_480f, 0x7abb_6477, 0x37c9_c538, 0x5dd8_2467, 0x8e04_3a72, 0x7534_34b0, 0xdeb8_2818, 0x361d_45a6];

/// A message on its way into a hash.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    block: [u8; BLOCK_LEN],
    len: u64,
}

impl Sha256 {
    /// Nothing hashed yet.
    pub const fn new() -> Self {
        Self::after_block(INITIAL, 0)
    }

    const fn after_block(state: [u32; 8], len: u64) -> Self {
        Self { state, block: [0; BLOCK_LEN], len }
    }

    /// The message goes on with these bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.room();
            let (head, tail) = rest.split_at_checked(room.len()).unwrap_or((rest, &[]));
            if let Some(room) = room.get_mut(..head.len()) {
                room.copy_from_slice(head);
            }
            self.len = self.len.wrapping_add(head.len() as u64);
            if self.at() == 0 {
                self.compress();
            }
            rest = tail;
        }
    }

    /// The message ends here: its digest. What is left in here is of no use.
    pub fn finish(&mut self, digest: &mut [u8; HASH_LEN]) {
        let room = self.room();
        room.fill(0);
        if let Some(end) = room.first_mut() {
            *end = 0x80;
        }
        if self.at() >= BLOCK_LEN - 8 {
            self.compress();
            self.block.fill(0);
        }
        if let Some(bits) = self.block.last_chunk_mut() {
            *bits = self.len.wrapping_shl(3).to_be_bytes();
        }
        self.compress();
        let (words, _) = digest.as_chunks_mut();
        words.iter_mut().zip(self.state).for_each(|(to, word)| *to = word.to_be_bytes());
    }

    fn room(&mut self) -> &mut [u8] {
        let at = self.at();
        self.block.get_mut(at..).unwrap_or(&mut [])
    }

    const fn at(&self) -> usize {
        self.len as usize % BLOCK_LEN
    }

    fn compress(&mut self) {
        compress(&mut self.state, &self.block);
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Sha256 {
    fn drop(&mut self) {
        wipe_words(&mut self.state);
        wipe(&mut self.block);
    }
}

/// An HMAC key, both of its blocks hashed already.
#[derive(Clone)]
pub struct Hmac {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Hmac {
    /// A key in parts: up to 64 bytes are the key block itself, longer keys are hashed (RFC 2104, section 2).
    pub fn new(key: &[&[u8]]) -> Self {
        let len = key.iter().map(|part| part.len()).sum::<usize>();
        if len == 0 {
            return Self { inner: INNER, outer: OUTER };
        }
        let mut block = Secret::<BLOCK_LEN>::zero();
        if len > BLOCK_LEN {
            hashed(key, block.as_mut());
        } else {
            let mut room = block.as_mut().as_mut_slice();
            for part in key {
                let Some((place, rest)) = room.split_at_mut_checked(part.len()) else { break };
                place.copy_from_slice(part);
                room = rest;
            }
        }
        let mut padded = |pad: u8| {
            block.as_mut().iter_mut().for_each(|byte| *byte ^= pad);
            let mut state = INITIAL;
            compress(&mut state, block.expose());
            state
        };
        Self { inner: padded(0x36), outer: padded(0x36 ^ 0x5c) }
    }

    /// No key yet: a place for one.
    pub(crate) const fn none() -> Self {
        Self { inner: [0; 8], outer: [0; 8] }
    }

    /// A message to be authenticated.
    pub const fn message(&self) -> Sha256 {
        Sha256::after_block(self.inner, BLOCK_LEN as u64)
    }

    /// The tag of a message that [`message`](Self::message) began.
    pub fn finish(&self, message: &mut Sha256, tag: &mut [u8; HASH_LEN]) {
        message.finish(tag);
        (message.state, message.len) = (self.outer, BLOCK_LEN as u64);
        message.update(tag);
        message.finish(tag);
    }
}

#[inline(never)]
fn hashed(key: &[&[u8]], block: &mut [u8; BLOCK_LEN]) {
    let mut hash = Sha256::new();
    key.iter().for_each(|part| hash.update(part));
    if let Some(digest) = block.first_chunk_mut() {
        hash.finish(digest);
    }
}

impl Drop for Hmac {
    fn drop(&mut self) {
        wipe_words(&mut self.inner);
        wipe_words(&mut self.outer);
    }
}

fn compress(state: &mut [u32; 8], block: &[u8; BLOCK_LEN]) {
    #[cfg(all(target_arch = "arm", not(sha2_backend_soft = "compact")))]
    block::compress(state, block);
    #[cfg(not(all(target_arch = "arm", not(sha2_backend_soft = "compact"))))]
    sha2::block_api::compress256(state, core::slice::from_ref(block));
}

fn wipe_words(words: &mut [u32; 8]) {
    *words = [0; 8];
    zeroize::optimization_barrier(words);
}

#[cfg(test)]
mod tests {
    use super::{BLOCK_LEN, HASH_LEN, Hmac, Sha256};
    use hmac::{KeyInit, Mac};
    use sha2::Digest;
    use std::vec::Vec;

    #[test]
    fn no_key_is_a_key_of_zeros() {
        let (none, zeros) = (Hmac::new(&[&[], &[]]), Hmac::new(&[&[0; BLOCK_LEN]]));
        assert_eq!((none.inner, none.outer), (zeros.inner, zeros.outer));
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_crates(
            key in proptest::collection::vec(proptest::num::u8::ANY, 0..140),
            parts in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..150), 0..4),
        ) {
            let whole: Vec<u8> = parts.iter().flatten().copied().collect();
            let mut out = [0; HASH_LEN];
            let mut hash = Sha256::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.finish(&mut out);
            proptest::prop_assert_eq!(&out[..], &sha2::Sha256::digest(&whole)[..]);

            let (a, b) = key.split_at(key.len() / 2);
            let mac = Hmac::new(&[a, b]);
            let mut message = mac.message();
            parts.iter().for_each(|part| message.update(part));
            mac.finish(&mut message, &mut out);
            let theirs = hmac::Hmac::<sha2::Sha256>::new_from_slice(&key).map(|mac| mac.chain_update(&whole).finalize());
            proptest::prop_assert_eq!(Some(out), theirs.ok().map(|tag| tag.into_bytes().into()));
        }
    }
}
