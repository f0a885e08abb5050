//! Every operation against crypto-bigint's.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crypto_bigint::modular::FixedMontyForm;
use proptest::prelude::*;
use std::vec::Vec;

const WORDS: usize = 2048 / Word::BITS as usize;

fn number(bytes: &[u8]) -> Number<WORDS> {
    Uint::<WORDS>::from_be_slice(bytes).to_words()
}

/// Random bytes; and runs of ones and zeros, where carries go far.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let runs = prop::collection::vec(prop_oneof![Just(0u8), Just(0xff), Just(1), Just(0x80)], 256);
    prop_oneof![prop::collection::vec(any::<u8>(), 256), runs]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn equals_the_library(n in bytes(), a in bytes(), b in bytes()) {
        let mut n = number(&n);
        n[0] |= 1;
        n[WORDS - 1] |= 1 << (Word::BITS - 1);
        let n = Uint::from_words(n);
        let modulus = Modulus::new(n.to_odd().unwrap());
        let params = FixedMontyParams::new(n.to_odd().unwrap());
        let [a, b] = [a, b].map(|x| Uint::from_words(number(&x)).rem(&n.to_nz().unwrap()));
        let [form_a, form_b] = [a, b].map(|x| FixedMontyForm::new(&x, &params));

        let mut wide = [[Word::MAX; WORDS]; 2];
        let mut entered = a.to_words();
        modulus.enter(&mut entered);
        prop_assert_eq!(&entered, form_a.as_montgomery().as_words());
        let mut left = entered;
        modulus.leave(&mut left);
        prop_assert_eq!(left, a.to_words());
        let mut product = entered;
        modulus.mul(&mut product, form_b.as_montgomery().as_words(), &mut wide);
        prop_assert_eq!(product, (form_a * form_b).to_montgomery().to_words());
        let mut product = entered;
        modulus.portable_mul(&mut product, form_b.as_montgomery().as_words(), &mut wide);
        prop_assert_eq!(product, (form_a * form_b).to_montgomery().to_words());
        let mut square = entered;
        modulus.square(&mut square, &mut wide);
        prop_assert_eq!(square, form_a.square().to_montgomery().to_words());
        let mut square = entered;
        modulus.portable_square(&mut square, &mut wide);
        prop_assert_eq!(square, form_a.square().to_montgomery().to_words());
        prop_assert_eq!(less(a.as_words(), b.as_words()) != 0, a < b);
    }
}

/// Zero, one and n - 1, of a modulus of ones and one with a single high bit.
#[test]
fn edges() {
    let mut low = [0; WORDS];
    (low[0], low[WORDS - 1]) = (1, 1 << (Word::BITS - 1));
    for n in [[Word::MAX; WORDS], low] {
        let odd = Uint::from_words(n).to_odd().unwrap();
        let modulus = Modulus::new(odd);
        let mut minus_one = n;
        minus_one[0] -= 1;
        let mut one = [0; WORDS];
        one[0] = 1;
        for (a, squared) in [([0; WORDS], [0; WORDS]), (one, one), (minus_one, one)] {
            let mut wide = [[0; WORDS]; 2];
            let mut x = a;
            modulus.enter(&mut x);
            let (mut y, factor) = (x, x);
            modulus.square(&mut x, &mut wide);
            modulus.mul(&mut y, &factor, &mut wide);
            assert_eq!(x, y);
            modulus.leave(&mut x);
            assert_eq!(x, squared);
        }
        let mut left = *modulus.one();
        modulus.leave(&mut left);
        assert_eq!(left, one);
        assert_eq!(less(&minus_one, &n), Word::MAX);
        assert_eq!(less(&n, &n), 0);
    }
}
