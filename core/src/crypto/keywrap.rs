//! AES key wrap (RFC 3394) with a 128-bit key: a key seed on its way, in the form that tokens unwrap inside.

use super::Secret;
use super::secret::{ct_eq, wipe};
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Dec, Aes128Enc, Block};

/// Bytes that what is wrapped has more.
pub const OVERHEAD: usize = 8;
const INITIAL: [u8; 8] = [0xa6; 8];

/// What is wrapped, or the key, has the wrong length, or was not wrapped under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwrappable;

/// Wraps where it lies what begins at [`OVERHEAD`]: a multiple of 8 bytes, at least 16.
///
/// # Errors
/// Another length.
pub fn wrap(key: &Secret<16>, text: &mut [u8]) -> Result<(), Unwrappable> {
    let cipher = Aes128Enc::new(key.expose().into());
    let (first, rest) = parts(text)?;
    *first = INITIAL;
    let (mut step, mut block) = (0u64, Block::default());
    for _ in 0..6 {
        for half in rest.iter_mut() {
            step = step.saturating_add(1);
            join(first, half, &mut block);
            cipher.encrypt_block(&mut block);
            part(&block, step, first, half);
        }
    }
    wipe(&mut block);
    Ok(())
}

/// Unwraps where it lies; the key is then what begins at [`OVERHEAD`].
///
/// # Errors
/// It is not what a holder of the key wrapped; all of it is zeroed then.
pub fn unwrap(key: &Secret<16>, text: &mut [u8]) -> Result<(), Unwrappable> {
    let cipher = Aes128Dec::new(key.expose().into());
    let (first, rest) = parts(text)?;
    let (mut step, mut block) = ((rest.len() as u64).saturating_mul(6), Block::default());
    for _ in 0..6 {
        for half in rest.iter_mut().rev() {
            *first = (u64::from_be_bytes(*first) ^ step).to_be_bytes();
            join(first, half, &mut block);
            cipher.decrypt_block(&mut block);
            part(&block, 0, first, half);
            step = step.saturating_sub(1);
        }
    }
    wipe(&mut block);
    if ct_eq(first, &INITIAL) {
        return Ok(());
    }
    wipe(text);
    Err(Unwrappable)
}

type Parts<'a> = (&'a mut [u8; 8], &'a mut [[u8; 8]]);

fn parts(text: &mut [u8]) -> Result<Parts<'_>, Unwrappable> {
    let (first, rest) = text.split_first_chunk_mut().ok_or(Unwrappable)?;
    match rest.as_chunks_mut() {
        (halves, []) if halves.len() >= 2 => Ok((first, halves)),
        _ => Err(Unwrappable),
    }
}

fn join(first: &[u8; 8], second: &[u8; 8], block: &mut Block) {
    block.iter_mut().zip(first.iter().chain(second)).for_each(|(to, from)| *to = *from);
}

fn part(block: &Block, step: u64, first: &mut [u8; 8], second: &mut [u8; 8]) {
    first.iter_mut().chain(second.iter_mut()).zip(block).for_each(|(to, from)| *to = *from);
    *first = (u64::from_be_bytes(*first) ^ step).to_be_bytes();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::{OVERHEAD, Unwrappable, unwrap, wrap};
    use crate::crypto::Secret;
    use std::vec::Vec;

    /// RFC 3394, section 4.1.
    #[test]
    fn as_the_rfc_has_it() {
        let key = Secret::new(core::array::from_fn(|i| i as u8));
        let plain: Vec<u8> = (0..16u8).map(|i| i * 0x11).collect();
        let mut text = [&[0; OVERHEAD][..], &plain].concat();
        wrap(&key, &mut text).unwrap();
        let expected = [
            0x1f, 0xa6, 0x8b, 0x0a, 0x81, 0x12, 0xb4, 0x47, 0xae, 0xf3, 0x4b, 0xd8, 0xfb, 0x5a, 0x7b, 0x82, 0x9d, 0x3e,
            0x86, 0x23, 0x71, 0xd2, 0xcf, 0xe5,
        ];
        assert_eq!(text, expected);
        for at in 0..text.len() {
            let mut forged = text.clone();
            forged[at] ^= 1;
            assert_eq!(unwrap(&key, &mut forged), Err(Unwrappable));
            assert_eq!(forged, [0; 24]);
        }
        unwrap(&key, &mut text).unwrap();
        assert_eq!(text[OVERHEAD..], plain);
        for len in [0, 7, 8, 16, 23, 25] {
            assert_eq!(wrap(&key, &mut std::vec![0; len]), Err(Unwrappable));
            assert_eq!(unwrap(&key, &mut std::vec![0; len]), Err(Unwrappable));
        }
    }
}
