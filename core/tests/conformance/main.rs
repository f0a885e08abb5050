//! The cryptography against the documents' own vectors, Project Wycheproof, and what they leave out.
//!
//! HMAC, HKDF-Expand and CPace's strings, which the public API does not show, have their vectors beside the code.

#![allow(missing_docs)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::arithmetic_side_effects)]

mod aead;
mod cose;
mod cpace;
mod ffc;
mod groups;
mod hedge;
mod hpke;
mod kdf;
mod secrets;
mod sign;
mod wycheproof;

use iotkm::crypto::{Rng, RngError, Secret};

/// Bytes from hexadecimal digits; white space is for the reader.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        digits.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_digit(16).unwrap() as u8).collect();
    assert!(digits.len().is_multiple_of(2));
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub fn hex32(digits: &str) -> [u8; 32] {
    hex(digits).try_into().unwrap()
}

pub fn scalar(digits: &str) -> Secret<32> {
    Secret::new(hex32(digits))
}

/// A source that hands out the given bytes and then fails.
pub struct Script(pub Vec<u8>);

impl Rng for Script {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        if out.len() > self.0.len() {
            return Err(RngError);
        }
        let rest = self.0.split_off(out.len());
        out.copy_from_slice(&core::mem::replace(&mut self.0, rest));
        Ok(())
    }
}
