//! Ed25519 (RFC 8032), verified as ed25519-dalek's `verify_strict` does.

use super::{Algorithm, BadSignature, EDDSA, PublicKey, SIGNATURE_LEN, Signer};
use crate::crypto::Secret;
use crate::crypto::keys::KeyError;
use crate::crypto::secret::declassify;
#[cfg(not(feature = "tables"))]
use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
#[cfg(feature = "tables")]
use curve25519_dalek::scalar::Scalar;
#[cfg(not(feature = "tables"))]
use curve25519_dalek::traits::Identity;
use ed25519_dalek::SigningKey;
use ed25519_dalek::ed25519::signature::MultipartSigner;
use sha2::{Digest, Sha512};

/// The algorithm; [`EDDSA`] is it.
pub struct Ed25519;

/// The key behind 32 bytes, not of small order: under such a key anybody signs. Its y is below 2^255 - 19 (RFC 8032,
/// section 5.1.3), which the library does not look at.
fn key(public: &[u8], point: &mut EdwardsPoint) -> Result<(), BadSignature> {
    let bytes = <&[u8; 32]>::try_from(public).map_err(|_| BadSignature)?;
    if let [0xed..=0xff, middle @ .., 0x7f | 0xff] = bytes
        && middle.iter().all(|byte| *byte == 0xff)
    {
        return Err(BadSignature);
    }
    large(bytes, point)
}

/// A point that is not of small order, written where it lies: each copy would take 160 bytes of the stack.
#[inline(never)]
fn large(bytes: &[u8; 32], point: &mut EdwardsPoint) -> Result<(), BadSignature> {
    *point = CompressedEdwardsY(*bytes).decompress().ok_or(BadSignature)?;
    if point.is_small_order() { Err(BadSignature) } else { Ok(()) }
}

// All that is verified is public: nothing here needs to take the same time for all of it.

/// A number below the group's order: words, the lowest first.
type Number = [u32; 8];

/// The group's order: 2^252 + 27742317777372353535851937790883648493.
const ORDER: Number = [0x5cf5_d3ed, 0x5812_631a, 0xa2f7_9cd6, 0x14de_f9de, 0, 0, 0, 0x1000_0000];

fn is_reduced(number: &Number) -> bool {
    number.iter().rev().lt(ORDER.iter().rev())
}

/// The number behind 32 bytes, the lowest first, where it is below the order.
fn read(bytes: &[u8]) -> Option<Number> {
    let (words, _) = bytes.as_chunks();
    let mut number = [0; 8];
    number.iter_mut().zip(words).for_each(|(to, word)| *to = u32::from_le_bytes(*word));
    is_reduced(&number).then_some(number)
}

/// What bytes, the lowest first, leave when they are divided by the order: bit by bit. The library's way is faster by less than a
/// percent of what a signature takes, and 5 kB longer.
fn reduce(bytes: &[u8]) -> Number {
    let mut number: Number = [0; 8];
    for bit in bytes.iter().rev().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
        let mut carry = u32::from(bit);
        for word in &mut number {
            (*word, carry) = (*word << 1 | carry, *word >> 31);
        }
        if !is_reduced(&number) {
            let mut borrow = false;
            for (word, less) in number.iter_mut().zip(ORDER) {
                let (once, first) = word.overflowing_sub(less);
                let (twice, second) = once.overflowing_sub(borrow.into());
                (*word, borrow) = (twice, first | second);
            }
        }
    }
    number
}

/// What binds a signature to its key and message.
#[inline(never)]
fn challenge(r: &[u8; 32], public: &[u8], message: &[&[u8]]) -> Number {
    let mut hash = Sha512::new_with_prefix(r);
    hash.update(public);
    message.iter().for_each(|part| hash.update(part));
    reduce(&hash.finalize())
}

/// s B - k A, which takes A's place.
#[cfg(feature = "tables")]
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
fn recompute(s: &Number, k: &Number, a: &mut EdwardsPoint) {
    let [s, k] = [s, k].map(|number| {
        let mut bytes = [0; 32];
        let (words, _) = bytes.as_chunks_mut();
        words.iter_mut().zip(number).for_each(|(to, word)| *to = word.to_le_bytes());
        Scalar::from_bytes_mod_order(bytes)
    });
    *a = EdwardsPoint::vartime_double_scalar_mul_basepoint(&k, &-&*a, &s);
}

/// s B - k A, which takes A's place, both at once, three bits a step: a third of the stack that the library takes, and without its scalars.
#[cfg(not(feature = "tables"))]
#[allow(clippy::arithmetic_side_effects, reason = "these operators are the group's, they cannot overflow")]
#[inline(never)]
fn recompute(s: &Number, k: &Number, a: &mut EdwardsPoint) {
    let mut points = [-&*a; 2 * STEP];
    let (base, key) = points.split_at_mut(STEP);
    base.fill(ED25519_BASEPOINT_POINT);
    for multiples in [base, key] {
        if let [one, twice, four] = multiples {
            *twice += &*one;
            *four = *twice;
            *four += &*twice;
        }
    }
    let sum = a;
    *sum = EdwardsPoint::identity();
    for step in (0..STEPS).rev() {
        *sum = sum.mul_by_cofactor();
        for (number, points) in [s, k].into_iter().zip(points.chunks(STEP)) {
            for (bit, point) in points.iter().enumerate() {
                let at = STEP * step + bit;
                if number.get(at / 32).is_some_and(|word| word >> (at % 32) & 1 == 1) {
                    *sum += point;
                }
            }
        }
    }
}

/// Bits of a step: the cofactor is 2^3.
#[cfg(not(feature = "tables"))]
const STEP: usize = 3;
/// Steps that 253 bits take.
#[cfg(not(feature = "tables"))]
const STEPS: usize = 85;

impl Algorithm for Ed25519 {
    fn cose(&self) -> i8 {
        -8
    }

    fn public_len(&self) -> usize {
        32
    }

    fn check(&self, public: &[u8]) -> Result<(), BadSignature> {
        key(public, &mut EdwardsPoint::default())
    }

    /// As ed25519-dalek's `verify_strict`, which takes no parts and more stack: neither the key nor R is of small order, s is
    /// reduced, and R is compared as bytes.
    fn verify(&self, public: &[u8], message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature> {
        let (r, s) = signature.split_first_chunk().ok_or(BadSignature)?;
        let s = read(s).ok_or(BadSignature)?;
        let mut point = EdwardsPoint::default();
        large(r, &mut point)?;
        let k = challenge(r, public, message);
        key(public, &mut point)?;
        recompute(&s, &k, &mut point);
        if point.compress().as_bytes() == r { Ok(()) } else { Err(BadSignature) }
    }
}

/// An Ed25519 key in memory: RFC 8032's 32-byte seed.
#[derive(Debug)]
pub struct Ed25519Key(Secret<32>);

impl Ed25519Key {
    /// The key behind a uniformly random seed.
    pub const fn new(seed: Secret<32>) -> Self {
        Self(seed)
    }
}

impl Signer for Ed25519Key {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        let key = SigningKey::from_bytes(self.0.expose());
        // The public key, for everybody.
        PublicKey::new(&EDDSA, declassify(key.verifying_key().as_bytes())).map_err(|_| KeyError::Failed)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let key = SigningKey::from_bytes(self.0.expose());
        *signature = key.try_multipart_sign(message).map_err(|_| KeyError::Failed)?.to_bytes();
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::{Number, ORDER, read, recompute, reduce};
    use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
    use curve25519_dalek::scalar::Scalar;

    fn bytes(number: &Number) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.chunks_mut(4).zip(number).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
        bytes
    }

    #[test]
    fn below_the_order_and_not_at_it() {
        let below = bytes(&{
            let mut number = ORDER;
            number[0] -= 1;
            number
        });
        assert!(read(&below).is_some() && read(&bytes(&ORDER)).is_none() && read(&[0xff; 32]).is_none());
        assert_eq!(reduce(&bytes(&ORDER)), [0; 8]);
    }

    proptest::proptest! {
        #[test]
        fn as_the_library(wide in proptest::array::uniform32(proptest::num::u16::ANY), a in proptest::array::uniform32(0u8..)) {
            let mut all = [0; 64];
            all.chunks_mut(2).zip(wide).for_each(|(to, word)| to.copy_from_slice(&word.to_le_bytes()));
            let k = Scalar::from_bytes_mod_order_wide(&all);
            proptest::prop_assert_eq!(bytes(&reduce(&all)), k.to_bytes());
            let (s, a) = (Scalar::from_bytes_mod_order([a[0]; 32]), Scalar::from_bytes_mod_order(a));
            let theirs = ED25519_BASEPOINT_POINT * (s - k * a);
            let mut ours = ED25519_BASEPOINT_POINT * a;
            recompute(&reduce(s.as_bytes()), &reduce(&all), &mut ours);
            proptest::prop_assert_eq!(ours.compress(), theirs.compress());
        }
    }
}
