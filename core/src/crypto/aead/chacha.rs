//! ChaCha20/Poly1305 (RFC 8439, section 2.8) over the block functions of the `chacha20` and `poly1305` crates.
//!
//! The mode is written out here, not taken from the `chacha20poly1305` crate (which the tests compare it with): a device
//! has no use for a cipher that can be stopped and wound back within a block, and saves a kilobyte of flash and a tenth of
//! a record's time without it.

use super::{Aead, Forged};
use crate::crypto::secret::{ct_eq, wipe};
use chacha20::cipher::{Block, KeyIvInit, StreamCipherCore};
use chacha20::variants::Ietf;
use chacha20::{ChaChaCore, R20};
use poly1305::Poly1305;
use poly1305::universal_hash::{KeyInit, UniversalHash};

type Stream = ChaChaCore<R20, Ietf>;

const BLOCK_LEN: usize = 64;
/// Blocks of key stream made at once: four where the crate has vectors for them.
const AT_ONCE: usize =
    if cfg!(any(target_arch = "x86", target_arch = "x86_64", target_arch = "aarch64")) { 4 } else { 1 };
/// Block 0 is the MAC's key, and the counter must not come back to it.
const TEXT_MAX: usize = (u32::MAX as usize).saturating_mul(BLOCK_LEN);

/// ChaCha20/Poly1305.
pub struct ChaChaPoly(());

impl ChaChaPoly {
    pub(super) const fn new() -> Self {
        Self(())
    }
}

impl Aead for ChaChaPoly {
    fn key_len(&self) -> usize {
        32
    }

    fn nonce_len(&self) -> usize {
        12
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        match stream(key, nonce, text.len()) {
            Some(mut stream) if tag.len() == self.tag_len() => {
                let mac = mac(&mut stream);
                crypt(&mut stream, text);
                tag.copy_from_slice(&finish(mac, aad, text));
            }
            _ => {
                text.fill(0);
                tag.fill(0);
            }
        }
    }

    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged> {
        if let Some(mut stream) = stream(key, nonce, text.len())
            && ct_eq(&finish(mac(&mut stream), aad, text), tag)
        {
            crypt(&mut stream, text);
            return Ok(());
        }
        text.fill(0);
        Err(Forged)
    }
}

/// The key stream; `None` where a length is wrong.
fn stream(key: &[u8], nonce: &[u8], text_len: usize) -> Option<Stream> {
    if text_len > TEXT_MAX {
        return None;
    }
    Some(Stream::new(key.try_into().ok()?, nonce.try_into().ok()?))
}

/// The MAC under the key that block 0 gives (section 2.6); the stream is then at block 1.
#[inline(never)]
fn mac(stream: &mut Stream) -> Poly1305 {
    let mut first = [Block::<Stream>::default()];
    stream.write_keystream_blocks(&mut first);
    let [first] = &mut first;
    let mac = Poly1305::new(first.first_chunk().unwrap_or(&[0; 32]).into());
    wipe(first);
    mac
}

#[inline(never)]
fn crypt(stream: &mut Stream, text: &mut [u8]) {
    let mut blocks = [Block::<Stream>::default(); AT_ONCE];
    for chunk in text.chunks_mut(BLOCK_LEN * AT_ONCE) {
        let needed = blocks.get_mut(..chunk.len().div_ceil(BLOCK_LEN)).unwrap_or(&mut []);
        stream.write_keystream_blocks(needed);
        for (chunk, block) in chunk.chunks_mut(BLOCK_LEN).zip(needed) {
            xor(chunk, block);
        }
    }
    blocks.iter_mut().for_each(|block| wipe(block));
}

/// Word by word: byte by byte takes as long as half a block.
fn xor(text: &mut [u8], stream: &[u8]) {
    let ((words, rest), (stream, _)) = (text.as_chunks_mut(), stream.as_chunks());
    let last = stream.get(words.len()).unwrap_or(&[0; 4]);
    for (to, from) in words.iter_mut().zip(stream) {
        *to = (u32::from_ne_bytes(*to) ^ u32::from_ne_bytes(*from)).to_ne_bytes();
    }
    rest.iter_mut().zip(last).for_each(|(to, from)| *to ^= from);
}

/// The tag over associated data and ciphertext, each filled up with zeros, and their lengths.
fn finish(mut mac: Poly1305, aad: &[u8], text: &[u8]) -> poly1305::Tag {
    mac.update_padded(aad);
    mac.update_padded(text);
    let lengths = (text.len() as u128) << 64 | aad.len() as u128;
    mac.update(&[lengths.to_le_bytes().into()]);
    mac.finalize()
}
