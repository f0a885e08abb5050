//! Nothing secret is printed, and comparing is by content.

use iotkm::crypto::aead::{AES_CCM_8, Forged};
use iotkm::crypto::group::{GroupError, Scalar};
use iotkm::crypto::secret::ct_eq;
use iotkm::crypto::{Aead, Prk, RngError, SUITE_0, Secret};

#[test]
fn debug_shows_no_byte() {
    let scalar: Scalar = Secret::new([0xab; 32]);
    assert_eq!(format!("{scalar:?}"), "Secret<32>(..)");
    assert_eq!(format!("{:?}", Secret::new([0x55; 64])), "Secret<64>(..)");
    assert_eq!(format!("{:?}", Prk::new("history", &[0x77; 32])), "Prk(history, ..)");
    assert_eq!(format!("{:?} {:?}", Forged, GroupError::Rng(RngError)), "Forged Rng(RngError)");
    assert_eq!(format!("{SUITE_0:?}"), "Suite { id: 0, dh: true, .. }");
}

#[test]
fn equal_is_equal() {
    assert_eq!(Secret::new([1, 2, 3]), Secret::new([1, 2, 3]));
    assert_ne!(Secret::new([1, 2, 3]), Secret::new([1, 2, 4]));
    assert!(ct_eq(b"", b"") && ct_eq(b"ab", b"ab"));
    assert!(!ct_eq(b"ab", b"abc") && !ct_eq(b"abc", b"ab") && !ct_eq(b"a", b"b"));
}

#[test]
fn a_suite_names_its_lengths() {
    assert_eq!(SUITE_0.mac_len, AES_CCM_8.tag_len());
}
