//! Hedged randomness, recomputed from its formula.

use crate::Script;
use iotkm::crypto::hedge::Hedged;
use iotkm::crypto::{Rng, RngError, Secret};
use sha2::{Digest, Sha256};

fn block(key: &[u8; 32], number: u64, index: u32, fresh: &[u8]) -> Vec<u8> {
    let pad = |with: u8| [key.map(|byte| byte ^ with), [with; 32]].concat();
    let message = [&number.to_be_bytes()[..], &index.to_be_bytes(), fresh].concat();
    let inner = Sha256::digest([pad(0x36), message].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[test]
fn is_the_written_formula() {
    let key = [3; 32];
    let fresh: Vec<u8> = (0..96).collect();
    let (secret, mut counter, mut source) = (Secret::new(key), 40, Script(fresh.clone()));
    let mut hedged = Hedged::new(&secret, &mut counter, &mut source);
    let (mut short, mut exact, mut long) = ([0; 7], [0; 32], [0; 77]);
    hedged.fill(&mut short).unwrap();
    hedged.fill(&mut exact).unwrap();
    hedged.fill(&mut long).unwrap();
    assert_eq!(short[..], block(&key, 41, 0, &fresh[..32])[..7]);
    assert_eq!(exact[..], block(&key, 42, 0, &fresh[32..64]));
    let expected: Vec<u8> = (0..3).flat_map(|index| block(&key, 43, index, &fresh[64..])).collect();
    assert_eq!(long[..], expected[..77]);
    assert_eq!(counter, 43);
    assert!(source.0.is_empty());
}

/// A source that always gives the same still makes no two answers equal.
#[test]
fn a_stuck_source_repeats_nothing() {
    struct Stuck;
    impl Rng for Stuck {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
            out.fill(0);
            Ok(())
        }
    }
    let (key, mut counter) = (Secret::new([9; 32]), 0);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..1000 {
        let mut out = [0; 64];
        Hedged::new(&key, &mut counter, &mut Stuck).fill(&mut out).unwrap();
        assert!(seen.insert(out[..32].to_vec()) && seen.insert(out[32..].to_vec()));
    }
}

#[test]
fn failure_writes_nothing() {
    let (key, mut counter) = (Secret::new([9; 32]), 5);
    let mut out = [7; 16];
    assert_eq!(Hedged::new(&key, &mut counter, &mut Script(vec![1; 31])).fill(&mut out), Err(RngError));
    assert_eq!((out, counter), ([7; 16], 5));
    // The last number of all is not followed by the first.
    counter = u64::MAX;
    assert_eq!(Hedged::new(&key, &mut counter, &mut Script(vec![1; 32])).fill(&mut out), Err(RngError));
    assert_eq!((out, counter), ([7; 16], u64::MAX));
}
