//! Subgroups of Z_p* with a 256-bit prime order: the papers' own setting.
//!
//! p, q and g are generated verifiably (`ffc/constants.rs`). Shares, secrets and elements are all one: `y mod p`, big-endian,
//! as long as p. Scalars are 32 bytes, big-endian, below q.
//!
//! **A received element** is refused unless `1 < y < p - 1` and `y^q = 1`. That costs a second exponentiation, so both share
//! their squarings: [`Powers`] holds the products of `y`, `y^(2^64)`, `y^(2^128)` and `y^(2^192)`, made by 192 squarings,
//! after which each exponent is 63 squarings and 64 multiplications. Everything is in constant time, exponent and base.
//!
//! With the feature `tables` g has eight tables of its own, made when they are first used: 32 KiB (48 KiB).

#![allow(clippy::arithmetic_side_effects, reason = "big numbers wrap and reduce; counters are bounded by constants")]

mod constants;
#[cfg(feature = "published")]
mod published;
#[cfg(feature = "published")]
pub use published::PublishedGroup;

use super::mont::{Modulus, Number, less};
use super::{Dh, GroupError, ONE, PrimeGroup, Scalar, put};
use crate::crypto::secret::{answer, declassify};
use crate::crypto::{Rng, RngError, Secret};
use constants::{G2048, G3072, P2048, P3072, Q2048, Q3072};
use crypto_bigint::{NonZero, Odd, U256, U384, Uint, Word};
use zeroize::Zeroizing;

/// A subgroup of Z_p* of 256-bit prime order, with p of `N` words. [`FFC2048`] and [`FFC3072`] are the two.
pub struct Ffc<const N: usize> {
    p: Modulus<N>,
    q: NonZero<U256>,
    g: Number<N>,
    #[cfg(feature = "tables")]
    tables: std::sync::OnceLock<std::boxed::Box<[Table<N>; BLOCKS]>>,
}

/// p of 2048 bits, as in suite -21.
pub static FFC2048: Ffc<{ 2048 / Word::BITS as usize }> = Ffc::new(P2048, Q2048, G2048);

/// p of 3072 bits, as in suite -22.
pub static FFC3072: Ffc<{ 3072 / Word::BITS as usize }> = Ffc::new(P3072, Q3072, G3072);

/// Distance in bits of the four exponents in a table.
const SPAN: usize = 64;

/// Tables of g: table i is for the columns from 8 i on.
#[cfg(feature = "tables")]
const BLOCKS: usize = 8;

/// The products of any of four powers: entry i takes those whose bit is set in i.
type Table<const N: usize> = [Number<N>; 16];

/// An exponent as four words of [`SPAN`] bits, the lowest first.
type Exponent = Zeroizing<[u64; 4]>;

fn exponent(scalar: &[u8; 32]) -> Exponent {
    let mut words = Zeroizing::new([0; 4]);
    for (word, bytes) in words.iter_mut().rev().zip(scalar.as_chunks::<8>().0) {
        *word = u64::from_be_bytes(*bytes);
    }
    words
}

/// The table's entry for the bits `column`, `column` + 64, ... of the exponent. Reads all entries.
fn pick<const N: usize>(table: &Table<N>, exponent: &Exponent, column: usize) -> Zeroizing<Number<N>> {
    let digit = exponent.iter().rev().fold(0, |digit, word| (digit << 1) | ((word >> column) & 1) as Word);
    let mut picked = Zeroizing::new([0; N]);
    for (index, entry) in (0..).zip(table) {
        // All ones where index is digit.
        let difference: Word = digit ^ index;
        let mask = difference.wrapping_sub(1) & !difference;
        // A compiler that knew that this is one of two values would branch on which.
        let mask = core::hint::black_box((mask >> (Word::BITS - 1)).wrapping_neg());
        for (to, from) in picked.iter_mut().zip(entry) {
            *to |= *from & mask;
        }
    }
    picked
}

/// An element, ready to be raised to any number of exponents.
struct Powers<'a, const N: usize> {
    p: &'a Modulus<N>,
    table: Zeroizing<Table<N>>,
}

impl<'a, const N: usize> Powers<'a, N> {
    /// `element` in Montgomery form.
    fn new(p: &'a Modulus<N>, element: &Number<N>) -> Self {
        let mut wide = Zeroizing::new([[0; N]; 2]);
        let mut table = Zeroizing::new([*p.one(); 16]);
        let mut power = Zeroizing::new(*element);
        // The entries so far, of which the first is one, times the next power.
        let mut known = 1;
        while let Some((low, [first, rest @ ..])) = table.split_at_mut_checked(known) {
            *first = *power;
            for (product, low) in rest.iter_mut().zip(low.iter().skip(1)) {
                *product = *low;
                p.mul(product, &power, &mut wide);
            }
            known *= 2;
            if known == 16 {
                break;
            }
            for _ in 0..SPAN {
                p.square(&mut power, &mut wide);
            }
        }
        Self { p, table }
    }

    fn raise(&self, scalar: &[u8; 32]) -> Zeroizing<Number<N>> {
        multi(self.p, &[(&*self.table, exponent(scalar))])
    }
}

/// The product of powers, one table each.
fn multi<const N: usize>(p: &Modulus<N>, terms: &[(&Table<N>, Exponent)]) -> Zeroizing<Number<N>> {
    let mut wide = Zeroizing::new([[0; N]; 2]);
    let mut product = Zeroizing::new(*p.one());
    for column in (0..SPAN).rev() {
        if column + 1 < SPAN {
            p.square(&mut product, &mut wide);
        }
        for (table, exponent) in terms {
            p.mul(&mut product, &pick(table, exponent, column), &mut wide);
        }
    }
    product
}

impl<const N: usize> Ffc<N> {
    const BYTES: usize = N * (Word::BITS / 8) as usize;

    const fn new(p: &str, q: &str, g: &str) -> Self {
        Self {
            p: Modulus::new(Odd::<Uint<N>>::from_be_hex(p)),
            q: NonZero::<U256>::from_be_hex(q),
            g: Uint::<N>::from_be_hex(g).to_words(),
            #[cfg(feature = "tables")]
            tables: std::sync::OnceLock::new(),
        }
    }

    /// The number behind the bytes, below p.
    fn number(&self, bytes: &[u8]) -> Result<Zeroizing<Number<N>>, GroupError> {
        if bytes.len() != Self::BYTES {
            return Err(GroupError::BadElement);
        }
        let mut number = Zeroizing::new([0; N]);
        for (word, bytes) in number.iter_mut().rev().zip(bytes.as_chunks().0) {
            *word = Word::from_be_bytes(*bytes);
        }
        if less(&number, self.p.words()) == 0 { Err(GroupError::BadElement) } else { Ok(number) }
    }

    /// The number behind the bytes, below p and not 1, in Montgomery form. It may be outside of the subgroup.
    fn decode(&self, bytes: &[u8]) -> Result<Zeroizing<Number<N>>, GroupError> {
        let mut number = self.number(bytes)?;
        self.p.enter(&mut number);
        if self.is_one(&number) { Err(GroupError::BadElement) } else { Ok(number) }
    }

    fn is_one(&self, number: &Number<N>) -> bool {
        answer(less(number, self.p.one()) | less(self.p.one(), number) == 0)
    }

    /// A received element, checked: in the subgroup, hence neither 0 nor p - 1, and not 1.
    #[inline(never)]
    fn element(&self, bytes: &[u8]) -> Result<Powers<'_, N>, GroupError> {
        let powers = Powers::new(&self.p, &*self.decode(bytes)?);
        let order = powers.raise(&self.q.to_be_bytes().into());
        if self.is_one(&order) { Ok(powers) } else { Err(GroupError::BadElement) }
    }

    /// Writes an element that is not the identity.
    fn encode(&self, element: &Number<N>, out: &mut [u8]) -> Result<(), GroupError> {
        if self.is_one(element) || out.len() < Self::BYTES {
            return Err(GroupError::BadElement);
        }
        self.write(element, out);
        Ok(())
    }

    fn write(&self, element: &Number<N>, out: &mut [u8]) {
        let mut number = Zeroizing::new(*element);
        self.p.leave(&mut number);
        Self::write_number(&number, out);
    }

    fn write_number(number: &Number<N>, out: &mut [u8]) {
        for (bytes, word) in out.as_chunks_mut().0.iter_mut().zip(number.iter().rev()) {
            *bytes = word.to_be_bytes();
        }
    }

    fn generator(&self) -> Powers<'_, N> {
        let mut g = self.g;
        self.p.enter(&mut g);
        Powers::new(&self.p, &g)
    }

    #[cfg(not(feature = "tables"))]
    fn base_power(&self, scalar: &Scalar) -> Zeroizing<Number<N>> {
        self.generator().raise(scalar.expose())
    }

    /// The eight bits of each block of columns are spread over squarings that all blocks share.
    #[cfg(feature = "tables")]
    fn base_power(&self, scalar: &Scalar) -> Zeroizing<Number<N>> {
        let tables = self.tables.get_or_init(|| self.tables());
        let exponent = exponent(scalar.expose());
        let mut wide = Zeroizing::new([[0; N]; 2]);
        let mut product = Zeroizing::new(*self.p.one());
        for column in (0..SPAN / BLOCKS).rev() {
            self.p.square(&mut product, &mut wide);
            for (table, block) in tables.iter().zip((0..SPAN).step_by(SPAN / BLOCKS)) {
                self.p.mul(&mut product, &pick(table, &exponent, block + column), &mut wide);
            }
        }
        product
    }

    /// Each table is the one before to the power 2^8.
    #[cfg(feature = "tables")]
    fn tables(&self) -> std::boxed::Box<[Table<N>; BLOCKS]> {
        let mut wide = [[0; N]; 2];
        let mut table = *self.generator().table;
        std::boxed::Box::new(core::array::from_fn(|block| {
            for entry in table.iter_mut().filter(|_| block > 0) {
                for _ in 0..SPAN / BLOCKS {
                    self.p.square(entry, &mut wide);
                }
            }
            table
        }))
    }

    fn scalar(&self, number: &U256, scalar: &mut Scalar) -> Result<(), GroupError> {
        *scalar.as_mut() = number.to_be_bytes().into();
        if *scalar == Secret::zero() { Err(GroupError::BadElement) } else { Ok(()) }
    }
}

impl<const N: usize> Dh for Ffc<N> {
    fn share_len(&self) -> usize {
        Self::BYTES
    }

    fn secret_len(&self) -> usize {
        Self::BYTES
    }

    fn generate(&self, rng: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        self.random_scalar(rng, scalar)?;
        self.encode(&self.base_power(scalar), share)?;
        // Made to be sent.
        declassify(share);
        Ok(())
    }

    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        self.power(share, scalar, out)
    }
}

impl<const N: usize> PrimeGroup for Ffc<N> {
    fn element_len(&self) -> usize {
        Self::BYTES
    }

    /// 48 bytes reduced, so that one draw is always enough.
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        let mut wide = Secret::<48>::zero();
        rng.fill(wide.as_mut())?;
        // Only a broken source gives zero.
        self.reduce(wide.expose(), scalar).map_err(|_| GroupError::Rng(RngError))
    }

    fn one(&self) -> Scalar {
        Secret::new(ONE)
    }

    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        let wide = Zeroizing::new(U384::from_be_slice(wide));
        self.scalar(&Zeroizing::new(wide.rem(&self.q)), scalar)
    }

    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        let [a, b, c] = [a, b, c].map(|scalar| Zeroizing::new(U256::from_be_slice(scalar.expose()).rem(&self.q)));
        let product = Zeroizing::new(a.mul_mod(&b, &self.q));
        self.scalar(&Zeroizing::new(product.add_mod(&c, &self.q)), out)
    }

    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        if out.len() >= Self::BYTES {
            self.write(&self.base_power(scalar), out);
        }
    }

    fn power(&self, base: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        self.encode(&self.element(base)?.raise(scalar.expose()), out)
    }

    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        let (a, b) = (self.element(a)?, self.element(b)?);
        let terms = [(&*a.table, exponent(x.expose())), (&*b.table, exponent(y.expose()))];
        self.encode(&multi(&self.p, &terms), out)
    }

    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError> {
        self.element(share)?;
        put(element, share)
    }

    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        self.element_of_share(element, share)
    }
}

#[cfg(test)]
mod tests;
