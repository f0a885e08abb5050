//! Signatures: what ticket agents make and everyone checks.
//!
//! | static | COSE | what |
//! |---|---|---|
//! | [`EDDSA`] | -8 | Ed25519 (RFC 8032), verified strictly |
//! | [`ES256`] | -7 | ECDSA on P-256 with SHA-256, signature `r || s` of 64 bytes (RFC 9053, section 2.1) |
//!
//! An algorithm is a `&'static` value inside a [`PublicKey`], not a number looked up in a table: a device whose agent
//! signs with Ed25519 links no P-256. Messages come in parts, so that nobody copies a ticket to sign or check it.
//!
//! Both sign deterministically (Ed25519 by nature, ES256 by RFC 6979): a bad source of randomness costs no key, and an
//! agent that was cut off makes the same ticket again.

mod ed25519;
mod es256;

pub use self::ed25519::{Ed25519, Ed25519Key};
pub use es256::{Es256, Es256Key};

use super::keys::KeyError;
use core::fmt;

/// Length of every signature here in bytes.
pub const SIGNATURE_LEN: usize = 64;

/// Length of the longest public key here in bytes (P-256, uncompressed).
pub const MAX_PUBLIC: usize = 65;

/// Ed25519 under COSE's `EdDSA`.
pub static EDDSA: Ed25519 = Ed25519;

/// ECDSA on P-256 with SHA-256.
pub static ES256: Es256 = Es256;

/// The signature does not verify, or the key is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// A signature algorithm: the public half.
pub trait Algorithm: Sync {
    /// The number in COSE headers (RFC 9053): -8 `EdDSA`, -7 `ES256`.
    fn cose(&self) -> i8;

    /// Length of a public key in bytes (Ed25519: 32; P-256: 65, uncompressed).
    fn public_len(&self) -> usize;

    /// Whether `public` is a key: right length, on the curve, not of small order.
    ///
    /// # Errors
    /// [`BadSignature`] where it is not.
    fn check(&self, public: &[u8]) -> Result<(), BadSignature>;

    /// Checks `signature` over the parts, one after the other, under `public`. Time may depend on all three.
    ///
    /// # Errors
    /// [`BadSignature`] where it does not verify.
    fn verify(&self, public: &[u8], message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature>;
}

/// Someone's key to verify with.
#[derive(Clone, Copy)]
pub struct PublicKey {
    algorithm: &'static dyn Algorithm,
    bytes: [u8; MAX_PUBLIC],
}

impl PublicKey {
    /// The key behind `bytes`: 32 for Ed25519, `04 || x || y` for P-256.
    ///
    /// # Errors
    /// [`BadSignature`] for bytes that are no key.
    pub fn new(algorithm: &'static dyn Algorithm, bytes: &[u8]) -> Result<Self, BadSignature> {
        algorithm.check(bytes)?;
        let mut key = Self { algorithm, bytes: [0; MAX_PUBLIC] };
        key.bytes.get_mut(..bytes.len()).ok_or(BadSignature)?.copy_from_slice(bytes);
        Ok(key)
    }

    /// The algorithm that the key is for; it is used with no other.
    pub const fn algorithm(&self) -> &'static dyn Algorithm {
        self.algorithm
    }

    /// The key's bytes, as [`new`](Self::new) takes them.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.public_len()).unwrap_or_default()
    }

    /// Checks a signature over the parts, one after the other.
    ///
    /// # Errors
    /// [`BadSignature`] where it does not verify.
    pub fn verify(&self, message: &[&[u8]], signature: &[u8; SIGNATURE_LEN]) -> Result<(), BadSignature> {
        self.algorithm.verify(self.as_bytes(), message, signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm.cose() == other.algorithm.cose() && self.bytes == other.bytes
    }
}
impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, ", self.algorithm.cose())?;
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// A private signature key, wherever it lives.
pub trait Signer {
    /// The public key that verifies what this one signs.
    ///
    /// # Errors
    /// [`KeyError`] of the token.
    fn public_key(&self) -> Result<PublicKey, KeyError>;

    /// Signs the parts, one after the other.
    ///
    /// # Errors
    /// [`KeyError`] of the token; `signature` is then unchanged.
    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError>;
}
