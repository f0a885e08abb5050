//! CSK as the paper has it: sixteen elements, one of each row.

use crate::crypto::Secret;
use crate::microcert::csk::Selected;
use crate::microcert::seed::ROW_LEN;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Block};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Length of a random number in bytes: 16 hexadecimal digits.
pub const RANDOM_LEN: usize = 8;

/// K_auth or K_sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedKey(pub Secret<ROW_LEN>);

/// The random number's digit for the row in this place.
pub fn digit(random: &[u8; RANDOM_LEN], row: usize) -> u8 {
    let byte = random.get(row / 2).copied().unwrap_or(0);
    if row.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
}

impl PublishedKey {
    /// Selection and combination: of each row the element that the random number's digit names. All of the row is read.
    pub fn csk(rows: &Selected, random: &[u8; RANDOM_LEN]) -> Self {
        let mut key = Secret::zero();
        for (place, (to, row)) in key.as_mut().iter_mut().zip(rows.expose().as_chunks::<ROW_LEN>().0).enumerate() {
            let wanted = digit(random, place);
            for (at, element) in (0u8..).zip(row) {
                to.conditional_assign(element, at.ct_eq(&wanted));
            }
        }
        Self(key)
    }

    /// Encryption of whole blocks, each by itself.
    pub fn encrypt(&self, text: &mut [u8]) {
        let cipher = Aes128Enc::new(self.0.expose().into());
        for chunk in text.as_chunks_mut::<16>().0 {
            let mut block = Block::from(*chunk);
            cipher.encrypt_block(&mut block);
            *chunk = block.into();
        }
    }
}
