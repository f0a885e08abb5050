//! Ed25519 and ES256.

use crate::{hex, hex32, scalar};
use iotkm::crypto::keys::KeyError;
use iotkm::crypto::sign::{Algorithm, BadSignature, EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, Signer};

fn signed(key: &dyn Signer, message: &[&[u8]]) -> [u8; 64] {
    let mut signature = [0; 64];
    key.sign(message, &mut signature).unwrap();
    signature
}

/// Signs, verifies in one part and in two, and refuses each single flipped bit of one byte in eight.
fn check(key: &dyn Signer, public: &str, message: &[u8], signature: &str) {
    let public_key = key.public_key().unwrap();
    assert_eq!(public_key.as_bytes(), hex(public));
    let made = signed(key, &[message]);
    assert_eq!(made[..], hex(signature));
    let (head, tail) = message.split_at(message.len() / 2);
    assert_eq!(signed(key, &[head, &[], tail]), made);
    assert_eq!(public_key.verify(&[message], &made), Ok(()));
    assert_eq!(public_key.verify(&[head, tail, &[]], &made), Ok(()));
    assert_eq!(public_key.verify(&[message, &[0]], &made), Err(BadSignature));
    for bit in (0..512).step_by(9) {
        let mut bad = made;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(public_key.verify(&[message], &bad), Err(BadSignature), "bit {bit}");
    }
}

/// RFC 8032, section 7.1, tests 1 to 3.
#[test]
fn ed25519_is_rfc_8032() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        check(&Ed25519Key::new(scalar(seed)), public, &hex(message), signature);
    }
}

/// RFC 6979, appendix A.2.5, with SHA-256.
#[test]
fn es256_is_rfc_6979() {
    let key = Es256Key::new(scalar("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
    let public = "04 60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6
                  7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
    for (message, signature) in [
        (
            "sample",
            "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716
             f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8",
        ),
        (
            "test",
            "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367
             019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083",
        ),
    ] {
        check(&key, public, message.as_bytes(), signature);
    }
}

/// Under a key of small order one signature fits every message; a small R makes it fit several keys.
#[test]
fn ed25519_refuses_small_order() {
    let small = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ];
    let good = Ed25519Key::new(scalar("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
    let good = good.public_key().unwrap();
    for point in small.map(hex32) {
        assert_eq!(PublicKey::new(&EDDSA, &point), Err(BadSignature));
        for r in small.map(hex32) {
            let signature: [u8; 64] = [r, [0; 32]].concat().try_into().unwrap();
            for message in 0..16u8 {
                assert_eq!(EDDSA.verify(&point, &[&[message]], &signature), Err(BadSignature));
                assert_eq!(good.verify(&[&[message]], &signature), Err(BadSignature));
            }
        }
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let p256 = Es256Key::new(scalar("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"));
    let p256 = p256.public_key().unwrap();
    let mut off_curve = <[u8; 65]>::try_from(p256.as_bytes()).unwrap();
    off_curve[64] ^= 1;
    let compressed = [&[2], &p256.as_bytes()[1..33]].concat();
    for bytes in [&off_curve[..], &compressed, &p256.as_bytes()[..64], &[0], &[]] {
        assert_eq!(PublicKey::new(&ES256, bytes), Err(BadSignature));
    }
    for bytes in [&[0xff; 32][..], &[7; 31], &[7; 33], &[]] {
        assert_eq!(PublicKey::new(&EDDSA, bytes), Err(BadSignature));
    }
    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    for number in [scalar(order), scalar(&"00".repeat(32)), scalar(&"ff".repeat(32))] {
        let (key, mut signature) = (Es256Key::new(number), [7; 64]);
        assert_eq!(key.public_key(), Err(KeyError::Failed));
        assert_eq!(key.sign(&[b"x"], &mut signature), Err(KeyError::Failed));
        assert_eq!(signature, [7; 64]);
    }
}

/// A key is for one algorithm, and says so; a private key says nothing.
#[test]
fn keys_name_their_algorithm() {
    let private = Ed25519Key::new(scalar(&"ab".repeat(32)));
    let public = private.public_key().unwrap();
    assert_eq!((EDDSA.cose(), ES256.cose(), public.algorithm().cose()), (-8, -7, -8));
    assert!(format!("{public:?}").starts_with("PublicKey(-8, "));
    assert_eq!(format!("{private:?}"), "Ed25519Key(Secret<32>(..))");
    let signature = signed(&private, &[b"x"]);
    assert_eq!(ES256.verify(public.as_bytes(), &[b"x"], &signature), Err(BadSignature));
}
