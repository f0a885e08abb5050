//! SHA-256's compression function (FIPS 180-4, section 6.2.2), for 32-bit ARM without SHA instructions.
//!
//! Each rotation there is a free part of another instruction, where the two are nested. LLVM does not nest them in the
//! crate's formulas: 2 400 instructions a block on a Cortex-M4, 2 120 so.

/// Fractional parts of the cube roots of the first 64 primes (section 4.2.2).
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// One block into the state.
pub(super) fn compress(state: &mut [u32; 8], block: &[u8; 64]) {
    let mut w = [0; 16];
    let (words, _) = block.as_chunks();
    w.iter_mut().zip(words).for_each(|(to, word)| *to = u32::from_be_bytes(*word));
    let mut v = *state;
    let mut bc = v[1] ^ v[2];
    macro_rules! rounds {
        ($($t:literal)*) => { $(
            if $t >= 16 {
                w[$t % 16] = word(w[$t % 16], w[($t + 1) % 16], w[($t + 9) % 16], w[($t + 14) % 16]);
            }
            (v, bc) = round(v, bc, K[$t], w[$t % 16]);
        )* };
    }
    rounds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    rounds!(32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    let _ = bc;
    state.iter_mut().zip(v).for_each(|(to, word)| *to = to.wrapping_add(word));
}

/// Word t of the message schedule, from those 16, 15, 7 and 2 before it.
#[inline(always)]
const fn word(w16: u32, w15: u32, w7: u32, w2: u32) -> u32 {
    let s0 = w15.rotate_right(7) ^ w15.rotate_right(18) ^ (w15 >> 3);
    let s1 = w2.rotate_right(17) ^ w2.rotate_right(19) ^ (w2 >> 10);
    w16.wrapping_add(s0).wrapping_add(w7).wrapping_add(s1)
}

/// A round. Maj is `b ^ ((a ^ b) & (b ^ c))`, whose a ^ b is b ^ c of the next.
#[inline(always)]
const fn round([a, b, c, d, e, f, g, h]: [u32; 8], bc: u32, k: u32, w: u32) -> ([u32; 8], u32) {
    let s1 = ((e.rotate_right(14) ^ e).rotate_right(5) ^ e).rotate_right(6);
    let t1 = h.wrapping_add(w).wrapping_add(k).wrapping_add(g ^ (e & (f ^ g))).wrapping_add(s1);
    let s0 = ((a.rotate_right(9) ^ a).rotate_right(11) ^ a).rotate_right(2);
    let ab = a ^ b;
    let t2 = (b ^ (ab & bc)).wrapping_add(s0);
    ([t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g], ab)
}

#[cfg(test)]
mod tests {
    use super::compress;
    use sha2::block_api::compress256;

    proptest::proptest! {
        #[test]
        fn agrees_with_the_crate(
            state in proptest::array::uniform8(proptest::num::u32::ANY),
            block in proptest::collection::vec(proptest::num::u8::ANY, 64),
        ) {
            let (mut ours, mut theirs) = (state, state);
            let (blocks, _) = block.as_chunks();
            blocks.iter().for_each(|block| compress(&mut ours, block));
            compress256(&mut theirs, blocks);
            proptest::prop_assert_eq!(ours, theirs);
            proptest::prop_assert_ne!(ours, state);
        }
    }

    /// FIPS 180-2, appendices B.1 and B.2: "abc", and a message of two blocks.
    #[test]
    fn the_standards_examples() {
        let mut block = [0; 64];
        block[..4].copy_from_slice(b"abc\x80");
        block[63] = 24;
        let mut state = super::super::INITIAL;
        compress(&mut state, &block);
        assert_eq!((state[0], state[7]), (0xba78_16bf, 0xf200_15ad));

        let mut blocks = [[0; 64]; 2];
        blocks[0][..57].copy_from_slice(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq\x80");
        blocks[1][62..].copy_from_slice(&448u16.to_be_bytes());
        let mut state = super::super::INITIAL;
        blocks.iter().for_each(|block| compress(&mut state, block));
        assert_eq!((state[0], state[7]), (0x248d_6a61, 0x19db_06c1));
    }
}
