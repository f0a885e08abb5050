//! Montgomery multiplication of 2048 and 3072 bits by AVX-512 IFMA, where a processor has it: eight products of 52 bits at
//! once.
//!
//! It exists because `iotkm` itself forbids unsafe code, and the instructions need three lines of it. With it an exponentiation
//! takes less than half of OpenSSL's time, without 1.4 to 1.9 times as long. [`multiply`] gives the same numbers as the
//! portable code, bit by bit: what is stored or prepared does not depend on the processor.
//!
//! A number is taken apart into limbs of 52 bits, eight a vector. R is 2^(64 N), not the 2^(52 rows) that the rows divide by,
//! so one factor enters multiplied by the ratio of both. Sums in a limb stay below 2^60, so carries wait until the end. There
//! is no branch on, and no address from, any number; valgrind, which knows no AVX-512, cannot see that, so it was read in the
//! assembly.

#![cfg(all(target_arch = "x86_64", target_pointer_width = "64"))]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "counters and indices are bounded by constants; sums wrap on purpose"
)]

use core::arch::x86_64::*;
use core::hint::black_box;

/// Eight limbs, or what becomes of them.
type Vector = __m512i;

/// Bits of a limb.
const LIMB: usize = 52;
/// All ones in a limb.
const ONES: u64 = (1 << LIMB) - 1;
/// Words of 32 bits in eight limbs.
const STEP: usize = 8 * LIMB / 32;

/// `a = a b / 2^(64 N) mod n`, words the lowest first; without `b`, `a` is squared. `n` is odd with its highest bit set, the
/// factors are below it, `n0` is -1/n modulo a word. In
/// `room`, 6 or 9 times 8 words, remain the limbs of `b`: erase them.
///
/// `false`, and nothing has changed, where the processor has no such instructions, N is neither 32 nor 48, or `room` is short.
#[inline]
pub fn multiply<const N: usize>(
    a: &mut [u64; N],
    b: Option<&[u64; N]>,
    n: &[u64; N],
    n0: u64,
    room: &mut [[u64; 8]],
) -> bool {
    if !available() {
        return false;
    }
    // SAFETY: the processor has what the functions are compiled for.
    #[allow(unsafe_code, reason = "instructions that not every processor has")]
    unsafe {
        match N {
            32 => product::<N, 5, 40>(a, b, n, n0, room),
            48 => product::<N, 8, 60>(a, b, n, n0, room),
            _ => false,
        }
    }
}

/// Whether this processor, and its system, have the instructions.
#[inline]
pub fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512ifma") && std::arch::is_x86_feature_detected!("avx512bw")
}

/// In V vectors, of whose limbs R take part.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
fn product<const N: usize, const V: usize, const R: usize>(
    a: &mut [u64; N],
    b: Option<&[u64; N]>,
    n: &[u64; N],
    n0: u64,
    room: &mut [[u64; 8]],
) -> bool {
    if room.len() <= V {
        return false;
    }
    let zero = _mm512_setzero_si512();
    let limbs = split::<N, V>(b.unwrap_or(a), 0);
    for (room, vector) in room.iter_mut().zip(limbs.into_iter().chain([zero])) {
        store(room, 0, vector);
    }
    let modulus = split::<N, V>(n, 0);
    let factor = split::<N, V>(a, LIMB * R - 64 * N);
    let n0 = _mm512_set1_epi64(n0.cast_signed());

    let mut sum = [zero; V];
    // The first row is of zeros: it only begins the second, which begins the third.
    let mut b = zero;
    for next in room.as_flattened().iter().take(R + 1) {
        let next = _mm512_set1_epi64(next.cast_signed());
        // So many n that the lowest limb becomes zero, but for what is above its 52 bits.
        let m = _mm512_madd52lo_epu64(zero, sum[0], n0);
        let m = _mm512_broadcastq_epi64(_mm512_castsi512_si128(m));
        for (sum, n) in sum.iter_mut().zip(&modulus) {
            *sum = _mm512_madd52lo_epu64(*sum, *n, m);
        }
        let carry = _mm512_maskz_srli_epi64::<{ LIMB as u32 }>(1, sum[0]);
        let mut above = zero;
        for sum in sum.iter_mut().rev() {
            let limbs = *sum;
            *sum = _mm512_alignr_epi64::<1>(above, limbs);
            above = limbs;
        }
        // The upper halves, and the lower ones of the next row: aside, for a row waits for the one before.
        for ((sum, a), n) in sum.iter_mut().zip(&factor).zip(&modulus) {
            let aside = _mm512_madd52lo_epu64(_mm512_madd52hi_epu64(zero, *a, b), *a, next);
            *sum = _mm512_add_epi64(*sum, _mm512_madd52hi_epu64(aside, *n, m));
        }
        sum[0] = _mm512_add_epi64(sum[0], carry);
        b = next;
    }
    finish::<V, R>(&mut sum, &modulus);
    for (at, vector) in sum.iter().enumerate() {
        store(a, at * STEP, join(*vector));
    }
    true
}

/// Carries what limbs have too much, and takes `n` away where it fits: `sum` is below 2 n.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn finish<const V: usize, const R: usize>(sum: &mut [Vector; V], n: &[Vector; V]) {
    let ones = _mm512_set1_epi64(ONES.cast_signed());
    let mut below = _mm512_setzero_si512();
    for sum in sum.iter_mut() {
        let high = _mm512_srli_epi64::<{ LIMB as u32 }>(*sum);
        *sum = _mm512_add_epi64(_mm512_and_si512(*sum, ones), _mm512_alignr_epi64::<7>(high, below));
        below = high;
    }
    // What is still too much is one at most. A bit a limb: those that give a carry, and those that pass one on.
    let mut carries = [0, 0];
    for sum in sum.iter().rev() {
        push(&mut carries, [_mm512_cmpgt_epu64_mask(*sum, ones), _mm512_cmpeq_epu64_mask(*sum, ones)]);
    }
    let mut carries = ripple(carries);
    for sum in sum.iter_mut() {
        let more = _mm512_mask_sub_epi64(*sum, pop(&mut carries), *sum, _mm512_set1_epi64(-1));
        *sum = _mm512_and_si512(more, ones);
    }
    let mut borrows = [0, 0];
    for (sum, n) in sum.iter().zip(n).rev() {
        push(&mut borrows, [_mm512_cmplt_epu64_mask(*sum, *n), _mm512_cmpeq_epu64_mask(*sum, *n)]);
    }
    let mut borrows = ripple(borrows);
    // What the mask may be, the compiler must not know: it could branch.
    let keep = black_box(((borrows >> R) as u8 & 1).wrapping_neg());
    for (sum, n) in sum.iter_mut().zip(n) {
        let less = _mm512_sub_epi64(*sum, *n);
        let less = _mm512_mask_add_epi64(less, pop(&mut borrows), less, _mm512_set1_epi64(-1));
        *sum = _mm512_mask_mov_epi64(_mm512_and_si512(less, ones), keep, *sum);
    }
}

/// The bits of a lower vector.
#[inline(always)]
fn push(bits: &mut [u64; 2], lower: [__mmask8; 2]) {
    for (bits, lower) in bits.iter_mut().zip(lower) {
        *bits = (*bits << 8) | u64::from(lower);
    }
}

/// The bits of the lowest vector, and they are gone.
#[inline(always)]
fn pop(bits: &mut u64) -> __mmask8 {
    let lowest = *bits as u8;
    *bits >>= 8;
    lowest
}

/// Which limbs get a carry, where some give one and others pass on what they get: as an addition does.
#[inline(always)]
fn ripple([give, pass]: [u64; 2]) -> u64 {
    (give << 1).wrapping_add(pass) ^ pass
}

#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn vector(words: [u64; 8]) -> Vector {
    let [a, b, c, d, e, f, g, h] = words.map(u64::cast_signed);
    _mm512_setr_epi64(a, b, c, d, e, f, g, h)
}

/// Where in its 16 bits a limb begins.
const OFFSETS: [u64; 8] = [0, 4, 8, 12, 0, 4, 8, 12];

/// For each limb the four words of 16 bits that it is in.
const SPREAD: [u64; 8] = {
    let mut spread = [0; 8];
    let mut limb = 0;
    while limb < 8 {
        spread[limb] = (LIMB * limb / 16) as u64 * 0x0001_0001_0001_0001 + 0x0003_0002_0001_0000;
        limb += 1;
    }
    spread
};

/// The way back, of the even or the odd limbs: which word goes where, and which places are taken.
const fn gather(odd: usize) -> ([u64; 8], __mmask32) {
    let (mut places, mut taken) = ([0; 8], 0);
    let mut limb = odd;
    while limb < 8 {
        let mut word = 0;
        while word < 4 {
            let to = LIMB * limb / 16 + word;
            places[to / 4] |= ((4 * limb + word) as u64) << (16 * (to % 4));
            taken |= 1 << to;
            word += 1;
        }
        limb += 2;
    }
    (places, taken)
}
const EVEN: ([u64; 8], __mmask32) = gather(0);
const ODD: ([u64; 8], __mmask32) = gather(1);

/// The limbs of `number 2^shift`; shift is a multiple of 16.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn split<const N: usize, const V: usize>(number: &[u64; N], shift: usize) -> [Vector; V] {
    let mut limbs = [_mm512_setzero_si512(); V];
    // In whole words of 32 bits from before the number, and what is left of one.
    let before = shift.div_ceil(32);
    let half = (32 * before - shift) / 16;
    let spread = _mm512_add_epi16(vector(SPREAD), _mm512_set1_epi16(half as i16));
    for (at, limbs) in limbs.iter_mut().enumerate() {
        let words = _mm512_permutexvar_epi16(spread, load(number, (at * STEP).cast_signed() - before.cast_signed()));
        *limbs = _mm512_and_si512(_mm512_srlv_epi64(words, vector(OFFSETS)), _mm512_set1_epi64(ONES.cast_signed()));
    }
    limbs
}

/// Eight limbs below 2^52 as one number of 416 bits.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn join(limbs: Vector) -> Vector {
    let limbs = _mm512_sllv_epi64(limbs, vector(OFFSETS));
    let even = _mm512_maskz_permutexvar_epi16(EVEN.1, vector(EVEN.0), limbs);
    let odd = _mm512_maskz_permutexvar_epi16(ODD.1, vector(ODD.0), limbs);
    _mm512_or_si512(even, odd)
}

/// Those of the sixteen words of 32 bits from word `at` on that lie within `len` words of 64 bits.
#[inline(always)]
fn within(at: isize, len: usize) -> __mmask16 {
    let mut mask = 0;
    for lane in 0..16 {
        let inside = (0..2 * len.cast_signed()).contains(&(at + lane));
        mask |= __mmask16::from(inside) << lane;
    }
    mask
}

/// Sixteen words of 32 bits from word `at` on, zero where there are none.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn load<const N: usize>(words: &[u64; N], at: isize) -> Vector {
    let from = words.as_ptr().cast::<i32>().wrapping_offset(at);
    // SAFETY: a lane that is masked out is not read; the others lie in `words`.
    #[allow(unsafe_code, reason = "a load with a mask takes a pointer")]
    unsafe {
        _mm512_maskz_loadu_epi32(within(at, N), from)
    }
}

/// Writes words of 32 bits from word `at` on, as far as they go.
#[target_feature(enable = "avx512f,avx512bw,avx512ifma")]
#[inline]
fn store<const N: usize>(words: &mut [u64; N], at: usize, vector: Vector) {
    let to = words.as_mut_ptr().cast::<i32>().wrapping_add(at);
    // SAFETY: a lane that is masked out is not written; the others lie in `words`.
    #[allow(unsafe_code, reason = "a store with a mask takes a pointer")]
    unsafe {
        _mm512_mask_storeu_epi32(to, within(at.cast_signed(), N), vector);
    }
}

#[cfg(test)]
mod tests;
