//! AES-CMAC (NIST SP 800-38B, RFC 4493), and the key derivation in counter mode over it (SP 800-108r1): what standard tokens
//! have, for keys that live in one.

use super::secret::wipe;
use aes::Block;
use aes::cipher::BlockCipherEncrypt;

/// Length of a block and of a tag in bytes.
pub const BLOCK_LEN: usize = 16;

/// The tag of a message in parts, into `state`.
pub fn cmac<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    message: &[&[u8]],
    state: &mut [u8; BLOCK_LEN],
) {
    *state = [0; BLOCK_LEN];
    let mut at = 0usize;
    for byte in message.iter().copied().flatten() {
        if at == BLOCK_LEN {
            cipher.encrypt_block(state.into());
            at = 0;
        }
        if let Some(to) = state.get_mut(at) {
            *to ^= byte;
        }
        at = at.saturating_add(1);
    }
    // The last block takes K1 where it is whole, else K2 behind its padding.
    let mut last = Block::default();
    cipher.encrypt_block(&mut last);
    let mut key = double(u128::from_be_bytes(last.into()));
    wipe(&mut last);
    if at < BLOCK_LEN {
        key = double(key);
        if let Some(to) = state.get_mut(at) {
            *to ^= 0x80;
        }
    }
    *state = (u128::from_be_bytes(*state) ^ key).to_be_bytes();
    cipher.encrypt_block(state.into());
}

/// Times x in GF(2^128), in constant time.
const fn double(n: u128) -> u128 {
    n << 1 ^ (n >> 127).wrapping_mul(0x87)
}

/// 128 bits of SP 800-108r1 in counter mode: `CMAC(K, u32 1 || label || 0x00 || context || u32 128)`, into `key`.
pub fn kdf_128<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16>>(
    cipher: &C,
    label: &[u8],
    context: &[u8],
    key: &mut [u8; BLOCK_LEN],
) {
    cmac(cipher, &[&1u32.to_be_bytes(), label, &[0], context, &128u32.to_be_bytes()], key);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::cmac;
    use aes::Aes128Enc;
    use aes::cipher::KeyInit;

    fn hex(text: &str) -> std::vec::Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    /// RFC 4493, section 4.
    #[test]
    fn as_the_rfc_has_it() {
        let cipher = Aes128Enc::new_from_slice(&hex("2b7e151628aed2a6abf7158809cf4f3c")).unwrap();
        let message = hex(concat!(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51",
            "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
        ));
        for (len, tag) in [
            (0, "bb1d6929e95937287fa37d129b756746"),
            (16, "070a16b46b4d4144f79bdd9dd04a287c"),
            (40, "dfa66747de9ae63030ca32611497c827"),
            (64, "51f0bebf7e3b9d92fc49741779363cfe"),
        ] {
            for cut in 0..=len {
                let mut found = [1; 16];
                cmac(&cipher, &[&message[..cut], &message[cut..len]], &mut found);
                assert_eq!(found.to_vec(), hex(tag), "{len}, {cut}");
            }
        }
    }
}
