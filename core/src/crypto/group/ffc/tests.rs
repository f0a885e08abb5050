//! Where p, q and g come from, and powers against crypto-bigint's.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::crypto::kdf::hash;
use crypto_bigint::U64;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use std::string::String;
use std::vec::Vec;
use std::{format, vec};

/// SHA-256 as the integer that FIPS 186-4 takes it for.
fn hash_number(parts: &[&[u8]]) -> U256 {
    U256::from_be_slice(&hash(parts))
}

/// Miller and Rabin with the first bases; our numbers are hashes, so that nobody made them for these bases.
fn prime<const L: usize>(n: &Uint<L>, rounds: u32) -> bool {
    let odd = n.to_odd().unwrap();
    for small in (3..2000u32).step_by(2) {
        if n.rem_vartime(&NonZero::new(U64::from_u32(small)).unwrap()) == U64::ZERO {
            return false;
        }
    }
    let params = FixedMontyParams::new_vartime(odd);
    let (one, less) = (FixedMontyForm::one(&params), n.wrapping_sub(&Uint::ONE));
    let zeros = less.trailing_zeros_vartime();
    let exponent = less.shr_vartime(zeros);
    (2..2 + rounds).all(|base| {
        let mut power = FixedMontyForm::new(&Uint::from_u32(base), &params).pow_vartime(&exponent);
        if power == one || power == -one {
            return true;
        }
        (1..zeros).any(|_| {
            power = power.square();
            power == -one
        })
    })
}

/// Appendix A.1.1.2 with A.2.3 from the first sentence that works: (attempt, counter, count, p, q, g).
fn derive<const L: usize>(name: &str) -> (u32, usize, u16, Uint<L>, U256, Uint<L>) {
    let bits = Uint::<L>::BITS as usize;
    let blocks = bits / 256;
    let top = Uint::<L>::ONE.shl_vartime(Uint::<L>::BITS - 1);
    let half = U256::ONE.shl_vartime(255);
    for attempt in 0.. {
        let sentence = format!("iotkm {name}: p and q by FIPS 186-4, A.1.1.2, g by A.2.3, attempt {attempt}");
        let seed = hash(&[sentence.as_bytes()]);
        // Steps 6 and 7: the hash with its first and last bit set.
        let q = hash_number(&[&seed]) | half | U256::ONE;
        if !prime(&q, 40) {
            continue;
        }
        let mut number = U256::from_be_slice(&seed);
        let mut next = || {
            number = number.wrapping_add(&U256::ONE);
            hash(&[&number.to_be_bytes()[..]])
        };
        for counter in 0..4 * bits {
            // Steps 11.1 to 11.3: the last hash is the highest, its first bit set.
            let mut x: Vec<u8> = vec![0; 256 / 8 * blocks];
            x.rchunks_mut(32).for_each(|chunk| chunk.copy_from_slice(&next()));
            let x = Uint::<L>::from_be_slice(&x) | top;
            let q2 = q.resize::<L>().shl_vartime(1).to_nz().unwrap();
            let p = x.wrapping_sub(&x.rem_vartime(&q2)).wrapping_add(&Uint::ONE);
            if p < top || !prime(&p, 8) {
                continue;
            }
            let e = p.wrapping_sub(&Uint::ONE).wrapping_div_vartime(&q.resize::<L>().to_nz().unwrap());
            let params = FixedMontyParams::new_vartime(p.to_odd().unwrap());
            for count in 1u16.. {
                let w = hash_number(&[&seed, b"ggen", &[1], &count.to_be_bytes()]);
                let g = FixedMontyForm::new(&w.resize::<L>(), &params).pow_vartime(&e).retrieve();
                if g > Uint::ONE {
                    return (attempt, counter, count, p, q, g);
                }
            }
        }
    }
    unreachable!()
}

fn hex<const L: usize>(number: &Uint<L>) -> String {
    format!("{number:x}")
}

#[test]
fn ffc2048_comes_from_its_sentence() {
    let (attempt, counter, count, p, q, g) = derive::<{ 2048 / Word::BITS as usize }>("Ffc2048");
    assert_eq!((attempt, counter, count), (85, 1559, 1));
    assert_eq!([hex(&p), hex(&q), hex(&g)], [P2048, Q2048, G2048]);
}

#[test]
fn ffc3072_comes_from_its_sentence() {
    let (attempt, counter, count, p, q, g) = derive::<{ 3072 / Word::BITS as usize }>("Ffc3072");
    assert_eq!((attempt, counter, count), (38, 355, 1));
    assert_eq!([hex(&p), hex(&q), hex(&g)], [P3072, Q3072, G3072]);
}

/// Bytes that look random.
fn bytes(label: &str) -> [u8; 32] {
    hash(&[label.as_bytes()])
}

fn powers_are_the_library_s<const N: usize>(group: &'static Ffc<N>) {
    let p = Uint::<N>::from_words(*group.p.words());
    let params = FixedMontyParams::new_vartime(p.to_odd().unwrap());
    let g = FixedMontyForm::new(&Uint::from_words(group.g), &params);
    let encoded = |form: FixedMontyForm<N>| form.retrieve().to_be_bytes()[..].to_vec();
    let mut edges = vec![[0; 32], [0xff; 32], group.q.to_be_bytes().into()];
    for bit in [0, 63, 64, 127, 128, 255] {
        edges.push(U256::ONE.shl_vartime(bit).to_be_bytes().into());
    }
    edges.extend(["a", "b", "c"].map(bytes));
    for bytes in &edges {
        let scalar = Secret::new(*bytes);
        let mut out = vec![0; Ffc::<N>::BYTES];
        group.base(&scalar, &mut out);
        assert_eq!(out, encoded(g.pow(&U256::from_be_slice(bytes))));
    }
    let [s, t, x, y] = ["s", "t", "x", "y"].map(|label| Secret::new(bytes(label)));
    let [a, b] = [&s, &t].map(|scalar| g.pow(&U256::from_be_slice(scalar.expose())));
    let [ax, by] = [(a, &x), (b, &y)].map(|(base, scalar)| base.pow(&U256::from_be_slice(scalar.expose())));
    let mut out = vec![0; Ffc::<N>::BYTES];
    group.power(&encoded(a), &x, &mut out).unwrap();
    assert_eq!(out, encoded(ax));
    group.double_power(&encoded(a), &x, &encoded(b), &y, &mut out).unwrap();
    assert_eq!(out, encoded(ax * by));
    #[cfg(feature = "published")]
    {
        // Two generates more than the subgroup.
        let two = FixedMontyForm::new(&Uint::from_u32(2), &params);
        let mut out = encoded(two);
        group.raise(&mut out, &x).unwrap();
        assert_eq!(out, encoded(two.pow(&U256::from_be_slice(x.expose()))));
        assert_eq!(group.power(&encoded(two), &x, &mut out), Err(GroupError::BadElement));
    }
}

#[test]
fn powers_of_2048_bits() {
    powers_are_the_library_s(&FFC2048);
}

#[test]
fn powers_of_3072_bits() {
    powers_are_the_library_s(&FFC3072);
}
