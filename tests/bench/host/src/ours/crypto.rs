//! The library's shells around ciphers and groups.

use std::hint::black_box;

use iotkm::crypto::aead::{Aead, MAX_KEY, MAX_NONCE, MAX_TAG};
use iotkm::crypto::group::{Dh, PublishedGroup, Scalar};
use iotkm::crypto::{Rng, RngError, Secret};

use crate::lab::Problem;
use crate::ops::{Op, repeat};
use crate::peers::aead::{HEADER, PAYLOAD};

/// What `peers::aead::rekeyed` does, through the library.
pub fn seal_and_open(cipher: &'static dyn Aead) -> Result<Box<dyn Op>, Problem> {
    let key = [0; MAX_KEY];
    let mut sequence = 0u64;
    repeat(move || {
        sequence += 1;
        let mut nonce = [0; MAX_NONCE];
        let nonce = &mut nonce[..cipher.nonce_len()];
        let low = nonce.len() - 8;
        nonce[low..].copy_from_slice(&sequence.to_be_bytes());
        let (mut payload, mut tag) = ([0x42; PAYLOAD], [0; MAX_TAG]);
        let (cipher, header, payload) = (black_box(cipher), black_box(&HEADER[..]), black_box(&mut payload[..]));
        let (key, tag) = (&black_box(&key)[..cipher.key_len()], &mut tag[..cipher.tag_len()]);
        cipher.seal(key, nonce, header, payload, tag);
        cipher.open(key, nonce, header, payload, tag).expect("a cipher opens what it sealed");
        0
    })
}

/// One side of an ephemeral Diffie-Hellman: a key pair and a shared secret. Two of these are what a handshake cannot save.
pub fn diffie_hellman(group: &'static dyn Dh) -> Result<Box<dyn Op>, Problem> {
    let generate = |scalar: &mut Scalar| {
        let mut share = vec![0; group.share_len()];
        group.generate(&mut Counting(1), scalar, &mut share).expect("a scalar can be drawn");
        share
    };
    let peer = generate(&mut Scalar::zero());
    repeat(move || {
        let mut scalar = Scalar::zero();
        let mut secret = [0; 384];
        black_box(generate(&mut scalar));
        group.agree(&scalar, &peer, &mut secret[..group.secret_len()]).expect("a share from this group is in it");
        black_box(secret);
        0
    })
}

/// An element to another exponent each time, in the group or not, without tables: what any power costs.
pub fn modexp(group: &'static dyn PublishedGroup) -> Result<Box<dyn Op>, Problem> {
    let mut rng = Counting(1);
    let mut element = vec![0; group.element_len()];
    group.base(&group.one(), &mut element);
    repeat(move || {
        let mut scalar = Secret::zero();
        rng.fill(scalar.as_mut()).expect("this source does not fail");
        group.raise(&mut element, &scalar).expect("a number below p");
        black_box(&element);
        0
    })
}

/// The same draws in every run, and next to no cost: what is measured is the library.
struct Counting(u64);

impl Rng for Counting {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            chunk.copy_from_slice(&self.0.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}
