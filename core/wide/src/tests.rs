//! Every product against crypto-bigint's.

#![allow(clippy::unwrap_used)]

use super::*;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, Uint};
use proptest::prelude::*;

/// Random words; and runs of ones and zeros, where carries go far.
fn words() -> impl Strategy<Value = Vec<u64>> {
    let edges =
        prop_oneof![Just(0), Just(u64::MAX), Just(1), Just(1 << 63), Just(u64::MAX << 12), Just(u64::MAX >> 12)];
    prop_oneof![prop::collection::vec(any::<u64>(), 48), prop::collection::vec(edges, 48)]
}

/// Checks the product and both squares of two numbers modulo a third.
fn check<const N: usize>(n: [u64; N], a: [u64; N], b: [u64; N]) {
    let n = Odd::<Uint<N>>::new(Uint::from_words(n)).unwrap();
    let params = FixedMontyParams::new(n);
    let [a, b] = [a, b].map(|x| Uint::from_words(x).rem(n.as_nz_ref()));
    let [form_a, form_b] = [a, b].map(|x| FixedMontyForm::from_montgomery(x, &params));
    let n0 = n.as_ref().as_words().first().unwrap();
    // Five steps of Newton's from three right bits.
    let inverse = (0..5).fold(*n0, |x, _| x.wrapping_mul(2u64.wrapping_sub(n0.wrapping_mul(x))));
    let n0 = inverse.wrapping_neg();

    let mut room = [[u64::MAX; 8]; 9];
    let mut product = a.to_words();
    assert!(multiply(&mut product, Some(b.as_words()), n.as_ref().as_words(), n0, &mut room));
    assert_eq!(product, (form_a * form_b).to_montgomery().to_words());
    for (x, form) in [(a, form_a), (b, form_b)] {
        let mut square = x.to_words();
        assert!(multiply(&mut square, None, n.as_ref().as_words(), n0, &mut room));
        assert_eq!(square, form.square().to_montgomery().to_words());
    }
}

fn number<const N: usize>(words: &[u64]) -> [u64; N] {
    *words.first_chunk().unwrap()
}

/// An odd one with its highest bit set.
fn modulus<const N: usize>(words: &[u64]) -> [u64; N] {
    let mut n = number(words);
    *n.first_mut().unwrap() |= 1;
    *n.last_mut().unwrap() |= 1 << 63;
    n
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn equals_the_library(n in words(), a in words(), b in words()) {
        if available() {
            check::<32>(modulus(&n), number(&a), number(&b));
            check::<48>(modulus(&n), number(&a), number(&b));
        }
    }
}

fn edges_of<const N: usize>() {
    let [zero, mut one] = [[0; N]; 2];
    *one.first_mut().unwrap() = 1;
    for n in [modulus(&[0; N]), modulus(&[u64::MAX; N]), modulus(&[0x5555_5555_5555_5555; N])] {
        let mut last = n;
        *last.first_mut().unwrap() -= 1;
        let mut before = last;
        *before.first_mut().unwrap() = before.first().unwrap().wrapping_sub(1);
        // R - 1 and, modulo n, 2^(bits) / 2.
        let [high, mut middle] = [[u64::MAX; N], zero];
        *middle.last_mut().unwrap() = 1 << 63;
        let numbers = [zero, one, last, before, high, middle];
        for a in numbers {
            for b in numbers {
                check(n, a, b);
            }
        }
    }
}

#[test]
fn edges() {
    if available() {
        edges_of::<32>();
        edges_of::<48>();
    }
}

/// What cannot be done changes nothing.
#[test]
fn refuses() {
    let (n, mut a, mut room) = ([u64::MAX; 32], [7; 32], [[0; 8]; 5]);
    assert!(!multiply(&mut a, None, &n, 1, &mut room));
    assert_eq!((a, room), ([7; 32], [[0; 8]; 5]));
    let (n, mut a, mut room) = ([u64::MAX; 40], [7; 40], [[0; 8]; 9]);
    assert!(!multiply(&mut a, None, &n, 1, &mut room));
    assert_eq!(a, [7; 40]);
}
