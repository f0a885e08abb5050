//! iotkm's KDF, recomputed by hand from SHA-256 alone (PROTOCOLS, *KDF*).

use iotkm::crypto::Prk;
use iotkm::crypto::kdf::hash;
use proptest::prelude::*;

/// RFC 2104, from the definition.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    let key = if key.len() > 64 { hash(&[key]).to_vec() } else { key.to_vec() };
    block[..key.len()].copy_from_slice(&key);
    let inner = hash(&[&block.map(|byte| byte ^ 0x36), message]);
    hash(&[&block.map(|byte| byte ^ 0x5c), &inner])
}

/// RFC 5869 with `info = u16(L) || "iotkm1 " || scheme || " " || label || 0x00 || context`.
fn expand(prk: &[u8], scheme: &str, label: &str, context: &[u8], length: usize) -> Vec<u8> {
    let mut info = (length as u16).to_be_bytes().to_vec();
    info.extend_from_slice(format!("iotkm1 {scheme} {label}\0").as_bytes());
    info.extend_from_slice(context);
    let mut out = Vec::new();
    let mut block = Vec::new();
    for counter in 1..=length.div_ceil(32) {
        block = hmac(prk, &[&block[..], &info, &[counter as u8]].concat()).to_vec();
        out.extend_from_slice(&block);
    }
    out.truncate(length);
    out
}

fn expanded(prk: &Prk, label: &str, context: &[&[u8]], length: usize) -> Vec<u8> {
    let mut out = vec![0; length];
    prk.expand(label, context, &mut out);
    out
}

proptest! {
    #[test]
    fn expand_is_the_written_formula(
        key in prop::collection::vec(any::<u8>(), 0..100),
        label in "[a-z0-9 ]{1,12}",
        context in prop::collection::vec(any::<u8>(), 0..80),
        cut: prop::sample::Index,
        length in 0usize..200,
    ) {
        let expected = expand(&key, "test", &label, &context, length);
        let (a, b) = context.split_at(cut.index(context.len() + 1));
        prop_assert_eq!(&expanded(&Prk::new("test", &key), &label, &[a, b], length), &expected);
        let (c, d) = key.split_at(cut.index(key.len() + 1));
        prop_assert_eq!(&expanded(&Prk::from_parts("test", &[c, d]), &label, &[&context], length), &expected);
    }

    /// One part of ikm goes in as it is, several each behind their length.
    #[test]
    fn extract_is_the_written_formula(
        salt in prop::collection::vec(any::<u8>(), 0..100),
        a in prop::collection::vec(any::<u8>(), 0..70),
        b in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let one = Prk::extract("test", &[&salt], &[&a]);
        prop_assert_eq!(expanded(&one, "l", &[], 40), expand(&hmac(&salt, &a), "test", "l", &[], 40));
        let [la, lb] = [&a, &b].map(|part| (part.len() as u16).to_be_bytes());
        let lv = [&la[..], &a, &lb, &b].concat();
        let two = Prk::extract("test", &[&salt], &[&a, &b]);
        prop_assert_eq!(expanded(&two, "l", &[], 40), expand(&hmac(&salt, &lv), "test", "l", &[], 40));
    }
}

#[test]
fn the_longest_output() {
    let prk = Prk::new("test", &[1; 32]);
    let long = expanded(&prk, "long", &[], 255 * 32);
    assert_eq!(long, expand(&[1; 32], "test", "long", &[], 255 * 32));
    // The length is part of the info: a shorter output is another one.
    assert_ne!(expanded(&prk, "long", &[], 32), long[..32]);
}

#[test]
fn secret_is_expand() {
    let prk = Prk::new("test", &[1; 32]);
    assert_eq!(prk.secret::<45>("key", &[b"c"]).expose()[..], expanded(&prk, "key", &[b"c"], 45));
}
