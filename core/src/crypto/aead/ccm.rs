//! CCM (RFC 3610) over the AES of the `aes` crate, with M = 8 or 16 and L = 2.
//!
//! The mode is written out here, not taken from the `ccm` crate (which the tests compare it with), for the two things
//! that a device feels. Bitsliced AES, what runs where there is no AES hardware, encrypts two blocks at the price of one:
//! so each block of the CBC-MAC goes together with one of the key stream, 6 passes for a 64-byte record in place of 9.
//! And both tag lengths share one piece of code.

use super::{Aead, Forged};
use crate::crypto::secret::ct_eq;
use aes::Aes128Enc;
use aes::cipher::consts::U16;
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    Block, BlockCipherEncBackend, BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit, ParBlocks,
};

type AesBlock = Block<Aes128Enc>;

/// AES-128-CCM with a 13-byte nonce.
pub struct AesCcm {
    tag_len: u8,
}

impl AesCcm {
    pub(super) const fn new(tag_len: u8) -> Self {
        Self { tag_len }
    }

    /// The tag of `text` over its plaintext, as text is turned into ciphertext or back; `None` where a length is wrong.
    fn run(&self, direction: Direction, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8]) -> Option<AesBlock> {
        let key = key.try_into().ok()?;
        let nonce = nonce.try_into().ok()?;
        // From 0xff00 bytes on, associated data would begin with a longer length field.
        if aad.len() >= 0xff00 {
            return None;
        }
        let text_len = u16::try_from(text.len()).ok()?;
        let mut tag = AesBlock::default();
        let out = &mut tag;
        Aes128Enc::new(key).encrypt_with_backend(Run {
            direction,
            tag_len: self.tag_len,
            nonce,
            aad,
            text_len,
            text,
            out,
        });
        Some(tag)
    }
}

impl Aead for AesCcm {
    fn key_len(&self) -> usize {
        16
    }

    fn nonce_len(&self) -> usize {
        13
    }

    fn tag_len(&self) -> usize {
        usize::from(self.tag_len)
    }

    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let made = if tag.len() == self.tag_len() { self.run(Direction::Seal, key, nonce, aad, text) } else { None };
        match made {
            Some(made) => tag.iter_mut().zip(made).for_each(|(to, from)| *to = from),
            None => {
                text.fill(0);
                tag.fill(0);
            }
        }
    }

    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged> {
        let made = self.run(Direction::Open, key, nonce, aad, text);
        if let Some(expected) = made.as_ref().and_then(|made| made.get(..self.tag_len()))
            && ct_eq(expected, tag)
        {
            return Ok(());
        }
        text.fill(0);
        Err(Forged)
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Seal,
    Open,
}

struct Run<'a> {
    direction: Direction,
    tag_len: u8,
    nonce: &'a [u8; 13],
    aad: &'a [u8],
    text_len: u16,
    text: &'a mut [u8],
    out: &'a mut AesBlock,
}

impl BlockSizeUser for Run<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Run<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Run { direction, tag_len, nonce, aad, text_len, text, out } = self;
        // Built in registers: a block put together in memory would be waited for until the CBC-MAC is done.
        let mut front = [0; 16];
        let [_, middle @ .., _, _] = &mut front;
        *middle = *nonce;
        let nonce = u128::from_be_bytes(front);
        let block =
            |flags: u8, low: u16| AesBlock::from(((u128::from(flags) << 120) | nonce | u128::from(low)).to_be_bytes());

        // B_0's flags (section 2.2): Adata, M' = (M - 2) / 2, L' = 1; a counter's (section 2.3): L' = 1.
        let adata = if aad.is_empty() { 0 } else { 0x40 };
        let m = tag_len.saturating_sub(2) / 2;
        let mut mac = block(adata | (m << 3) | 1, text_len);
        // The key stream runs one block ahead: S_1 goes with B_0, and S_0, for the tag, with the last block.
        let last = text_len.div_ceil(16);
        let after = |i: u16| block(1, if i < last { i.wrapping_add(1) } else { 0 });
        let mut stream = after(0);
        pair(backend, &mut mac, &mut stream);

        if !aad.is_empty() {
            let (head, rest) = aad.split_at_checked(14).unwrap_or((aad, &[]));
            let (length, first) = mac.split_at_mut(2);
            xor(length, &(aad.len() as u16).to_be_bytes());
            xor(first, head);
            // There is nothing to go with these; a pass for one block would only be more code.
            let mut unused = AesBlock::default();
            pair(backend, &mut mac, &mut unused);
            for chunk in rest.chunks(16) {
                xor(&mut mac, chunk);
                pair(backend, &mut mac, &mut unused);
            }
        }

        let (whole, rest) = text.as_chunks_mut::<16>();
        let mut i = 0u16;
        for chunk in whole {
            i = i.wrapping_add(1);
            crypt(direction, &mut mac, chunk, &stream);
            stream = after(i);
            pair(backend, &mut mac, &mut stream);
        }
        if !rest.is_empty() {
            crypt(direction, &mut mac, rest, &stream);
            stream = after(last);
            pair(backend, &mut mac, &mut stream);
        }
        xor(&mut mac, &stream);
        *out = mac;
    }
}

/// The plaintext goes into the MAC, the key stream onto the text.
#[inline(always)]
fn crypt(direction: Direction, mac: &mut [u8], text: &mut [u8], stream: &[u8]) {
    match direction {
        Direction::Seal => {
            xor(mac, text);
            xor(text, stream);
        }
        Direction::Open => {
            xor(text, stream);
            xor(mac, text);
        }
    }
}

#[inline(always)]
fn xor(to: &mut [u8], from: &[u8]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to ^= from);
}

/// Encrypts both blocks, in one pass where the backend is bitsliced (2 or 4 blocks at once). AES hardware takes more at
/// once, but there two single blocks overlap anyway.
#[inline(always)]
fn pair<B: BlockCipherEncBackend<BlockSize = U16>>(backend: &B, a: &mut AesBlock, b: &mut AesBlock) {
    if matches!(B::ParBlocksSize::USIZE, 2 | 4) {
        let mut blocks = ParBlocks::<B>::default();
        if let [first, second, ..] = blocks.as_mut_slice() {
            (*first, *second) = (*a, *b);
        }
        backend.encrypt_par_blocks_inplace(&mut blocks);
        if let [first, second, ..] = blocks.as_slice() {
            (*a, *b) = (*first, *second);
        }
    } else {
        backend.encrypt_block_inplace(a);
        backend.encrypt_block_inplace(b);
    }
}
