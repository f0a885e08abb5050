//! The bare ciphers under our records: what is left of a record when everything else costs nothing.

use std::hint::black_box;

use ccm::aead::{AeadInOut, KeyInit, Nonce};

use crate::lab::Problem;
use crate::ops::{Op, repeat};

/// Only the encrypting half of AES: CCM needs no other, and its key schedule is half the work.
pub type AesCcm8 = ccm::Ccm<aes::Aes128Enc, ccm::consts::U8, ccm::consts::U13>;
pub type ChaCha20Poly1305 = chacha20poly1305::ChaCha20Poly1305;

/// Bytes sealed: a sensor's reading.
pub const PAYLOAD: usize = 64;
/// As many bytes as a record without a connection id authenticates: its header and the generation.
pub const HEADER: [u8; 7] = [0x20, 0, 1, 0, 0, 0, 0];

/// Seals and opens with the key schedule at hand, which costs RAM.
pub fn cached<C: AeadInOut + KeyInit + 'static>() -> Result<Box<dyn Op>, Problem> {
    let cipher = C::new(&Default::default());
    let mut sequence = 0;
    repeat(move || seal_and_open::<C, _>(&mut sequence, || black_box(&cipher)))
}

/// Seals and opens from the key each time, as an association must that keeps nothing but keys.
pub fn rekeyed<C: AeadInOut + KeyInit + 'static>() -> Result<Box<dyn Op>, Problem> {
    let key = Default::default();
    let mut sequence = 0;
    repeat(move || seal_and_open::<C, _>(&mut sequence, || C::new(black_box(&key))))
}

fn seal_and_open<C: AeadInOut, K: std::borrow::Borrow<C>>(sequence: &mut u64, cipher: impl Fn() -> K) -> u64 {
    *sequence += 1;
    let mut nonce = Nonce::<C>::default();
    let low = nonce.len() - 8;
    nonce[low..].copy_from_slice(&sequence.to_be_bytes());
    let mut payload = [0x42; PAYLOAD];
    // The lengths are hidden from the optimizer, as they are from a library that is called with a slice.
    let (header, payload) = (black_box(&HEADER[..]), black_box(&mut payload[..]));
    let tag = cipher().borrow().encrypt_inout_detached(&nonce, header, (&mut *payload).into());
    let opened = tag.and_then(|tag| cipher().borrow().decrypt_inout_detached(&nonce, header, payload.into(), &tag));
    opened.expect("an AEAD opens what it sealed");
    0
}
