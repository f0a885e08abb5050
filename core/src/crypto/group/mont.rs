//! Montgomery multiplication of 2048 and 3072 bits, in constant time: the one piece of arithmetic that is our own.
//!
//! crypto-bigint takes 1.9 times as long as OpenSSL for an exponentiation. Here a square is computed as one (half the
//! products), and each row of a product keeps its carry off the critical path (`mac`). Words are crypto-bigint's: 64 bits
//! on hosts, 32 on small devices. Tests compare every operation with that library's. With the feature `tables` a processor with
//! AVX-512 IFMA takes a third of the time (`iotkm-wide`), for the same numbers.
//!
//! Loops run over lengths known at compile time, nothing branches on a value, and nothing is indexed.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "carries are counted by hand; sums that could overflow wrap on purpose"
)]

use crypto_bigint::modular::FixedMontyParams;
use crypto_bigint::{Odd, Uint, WideWord, Word};
use zeroize::Zeroizing;

/// A number of `N` words, the lowest first.
pub(super) type Number<const N: usize> = [Word; N];

/// Room for a product of two numbers, to be used again and again and erased once.
pub(super) type Wide<const N: usize> = [Number<N>; 2];

/// An odd modulus whose top bit is set, with what its reductions need.
pub(super) struct Modulus<const N: usize> {
    n: Number<N>,
    /// -1 / n modulo a word.
    n0: Word,
    /// R = 2^(bits of N words): one, in Montgomery form.
    one: Number<N>,
    r2: Number<N>,
}

/// `t + a b + c`, which fits two words: the low one and the carry. From `c` to the carry it is two additions.
#[inline(always)]
const fn mac(t: Word, a: Word, b: Word, c: Word) -> (Word, Word) {
    let product = (a as WideWord) * (b as WideWord);
    let high = (product >> Word::BITS) as Word;
    let (low, carry) = (product as Word).overflowing_add(t);
    let high = high.wrapping_add(carry as Word);
    let (low, carry) = low.overflowing_add(c);
    (low, high.wrapping_add(carry as Word))
}

/// `t += a b` for as many words as both have; gives the carry. Two words a turn: of one, two, four and eight the compiler
/// makes the fastest code.
#[inline(always)]
fn row(t: &mut [Word], a: &[Word], b: Word) -> Word {
    let mut carry = 0;
    let (t_pairs, t_rest) = t.as_chunks_mut::<2>();
    let (a_pairs, a_rest) = a.as_chunks::<2>();
    for ([t0, t1], [a0, a1]) in t_pairs.iter_mut().zip(a_pairs) {
        (*t0, carry) = mac(*t0, *a0, b, carry);
        (*t1, carry) = mac(*t1, *a1, b, carry);
    }
    for (t, a) in t_rest.iter_mut().zip(a_rest) {
        (*t, carry) = mac(*t, *a, b, carry);
    }
    carry
}

/// The `len` words from `at` on, and the word behind them.
#[inline(always)]
fn window(t: &mut [Word], at: usize, len: usize) -> Option<(&mut [Word], &mut Word)> {
    let (window, behind) = t.get_mut(at..)?.split_at_mut_checked(len)?;
    Some((window, behind.first_mut()?))
}

impl<const N: usize> Modulus<N> {
    /// Everything is computed by the compiler.
    pub(super) const fn new(n: Odd<Uint<N>>) -> Self {
        let params = FixedMontyParams::new_vartime(n);
        Self {
            n: n.as_ref().to_words(),
            n0: params.mod_neg_inv().0,
            one: params.one().to_words(),
            r2: params.r2().to_words(),
        }
    }

    /// The modulus itself.
    pub(super) const fn words(&self) -> &Number<N> {
        &self.n
    }

    /// One, in Montgomery form.
    pub(super) const fn one(&self) -> &Number<N> {
        &self.one
    }

    /// `a R mod n` for `a < n`.
    pub(super) fn enter(&self, a: &mut Number<N>) {
        self.mul(a, &self.r2, &mut Zeroizing::new([[0; N]; 2]));
    }

    /// `a / R mod n`.
    pub(super) fn leave(&self, a: &mut Number<N>) {
        self.reduce(&mut Zeroizing::new([*a, [0; N]]), a);
    }

    /// `a = a b / R mod n` for factors below n.
    #[inline(never)]
    pub(super) fn mul(&self, a: &mut Number<N>, b: &Number<N>, wide: &mut Wide<N>) {
        if !self.accelerated(a, Some(b), wide) {
            self.portable_mul(a, b, wide);
        }
    }

    /// `a = a a / R mod n`.
    #[inline(never)]
    pub(super) fn square(&self, a: &mut Number<N>, wide: &mut Wide<N>) {
        if !self.accelerated(a, None, wide) {
            self.portable_square(a, wide);
        }
    }

    /// Whether the processor could do it: `a = a b / R mod n`, without b `a = a a / R mod n`.
    #[cfg(all(feature = "tables", target_arch = "x86_64", target_pointer_width = "64"))]
    #[inline(always)]
    fn accelerated(&self, a: &mut Number<N>, b: Option<&Number<N>>, wide: &mut Wide<N>) -> bool {
        iotkm_wide::multiply(a, b, &self.n, self.n0, wide.as_flattened_mut().as_chunks_mut().0)
    }

    #[cfg(not(all(feature = "tables", target_arch = "x86_64", target_pointer_width = "64")))]
    #[inline(always)]
    const fn accelerated(&self, _: &mut Number<N>, _: Option<&Number<N>>, _: &mut Wide<N>) -> bool {
        false
    }

    #[inline(always)]
    fn portable_mul(&self, a: &mut Number<N>, b: &Number<N>, wide: &mut Wide<N>) {
        *wide = [[0; N]; 2];
        for (i, word) in b.iter().enumerate() {
            if let Some((window, behind)) = window(wide.as_flattened_mut(), i, N) {
                *behind = row(window, a, *word);
            }
        }
        self.reduce(wide, a);
    }

    /// Each product of two different words once, all doubled, and the squares of the words.
    #[inline(always)]
    fn portable_square(&self, a: &mut Number<N>, wide: &mut Wide<N>) {
        *wide = [[0; N]; 2];
        let mut left = a.as_slice();
        let mut at = 1;
        while let [word, rest @ ..] = left {
            if let Some((window, behind)) = window(wide.as_flattened_mut(), at, rest.len()) {
                *behind = row(window, rest, *word);
            }
            left = rest;
            at += 2;
        }
        let (mut shifted, mut carry) = (0, 0);
        for (pair, word) in wide.as_flattened_mut().as_chunks_mut::<2>().0.iter_mut().zip(a.iter()) {
            let [low, high] = *pair;
            let doubled = [(low << 1) | shifted, (high << 1) | (low >> (Word::BITS - 1))];
            shifted = high >> (Word::BITS - 1);
            let [low, high] = doubled;
            let (low, above) = mac(low, *word, *word, carry);
            let (high, over) = high.overflowing_add(above);
            *pair = [low, high];
            carry = over as Word;
        }
        self.reduce(wide, a);
    }

    /// `wide / R mod n` for `wide < n R`.
    #[inline(always)]
    fn reduce(&self, wide: &mut Wide<N>, out: &mut Number<N>) {
        let mut top = 0;
        for i in 0..N {
            if let Some((window, behind)) = window(wide.as_flattened_mut(), i, N) {
                let factor = window.first().map_or(0, |low| low.wrapping_mul(self.n0));
                let carry = row(window, &self.n, factor);
                let (sum, first) = behind.overflowing_add(carry);
                let (sum, second) = sum.overflowing_add(top);
                *behind = sum;
                top = (first | second) as Word;
            }
        }
        let [_, high] = wide;
        // Below 2 n: n is taken away where it fits.
        // What the mask may be, the compiler must not know: for N = 48 it made a branch of it.
        let take = core::hint::black_box(!less(high, &self.n) | top.wrapping_neg());
        let mut borrow = 0;
        for ((out, high), n) in out.iter_mut().zip(high.iter()).zip(&self.n) {
            (*out, borrow) = borrowing(*high, *n & take, borrow);
        }
    }
}

#[inline(always)]
const fn borrowing(a: Word, b: Word, borrow: Word) -> (Word, Word) {
    let (difference, first) = a.overflowing_sub(b);
    let (difference, second) = difference.overflowing_sub(borrow);
    (difference, (first | second) as Word)
}

/// All ones where `a < b`, else zero; in constant time.
pub(super) fn less<const N: usize>(a: &Number<N>, b: &Number<N>) -> Word {
    let borrow = a.iter().zip(b).fold(0, |borrow, (a, b)| borrowing(*a, *b, borrow).1);
    borrow.wrapping_neg()
}

#[cfg(test)]
mod tests;
