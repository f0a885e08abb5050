//! Cryptography: thin, typed shells around well-kept libraries, chosen so that what is not named is not linked.
//!
//! Algorithms are behind small object-safe traits ([`Aead`], [`Dh`], [`PrimeGroup`]) and reach a scheme inside a
//! [`Suite`], a `&'static` value that a constructor takes. Nothing looks an algorithm up by its number, so a firmware
//! image that names one suite links one cipher and one group.

pub mod aead;
pub mod cmac;
pub mod cpace;
pub mod group;
pub mod hedge;
pub mod hpke;
pub mod kdf;
pub mod keys;
pub mod keywrap;
pub mod remembered;
pub mod secret;
pub mod sha256;
pub mod sign;

pub use aead::Aead;
pub use group::{Dh, PrimeGroup};
pub use kdf::Prk;
pub use secret::Secret;

/// A source of random bytes. It may fail; whoever asked then fails closed and changes nothing.
pub trait Rng {
    /// Fills `out` with random bytes.
    ///
    /// # Errors
    /// [`RngError`] when the source cannot give them now; `out` is then to be ignored.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError>;
}

/// The source of randomness could not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RngError;

/// A cipher suite under EDHOC's number (RFC 9528, section 10.2).
///
/// `dh` is `None` in the `*_SYMMETRIC` twins: the same ciphers, no group linked, no Diffie-Hellman in the handshake.
pub struct Suite {
    /// EDHOC's number of the suite; negative numbers are private (FFC groups).
    pub id: i8,
    /// The record and handshake cipher.
    pub aead: &'static dyn Aead,
    /// Length of a handshake message's tag in bytes: EDHOC's MAC length of the suite (8 or 16).
    pub mac_len: usize,
    /// The group of the ephemeral Diffie-Hellman, where there is one.
    pub dh: Option<&'static dyn Dh>,
}

macro_rules! suite {
    ($(#[$doc:meta])* $name:ident, $symmetric:ident, $id:literal, $aead:expr, $mac:literal, $dh:expr) => {
        $(#[$doc])*
        pub static $name: Suite = Suite { id: $id, aead: &$aead, mac_len: $mac, dh: Some(&$dh) };
        $(#[$doc])*
        ///
        /// This twin links no group: no Diffie-Hellman, hence forward secrecy only from one key update to the next.
        pub static $symmetric: Suite = Suite { id: $id, aead: &$aead, mac_len: $mac, dh: None };
    };
}

suite! {
    /// Suite 0: AES-CCM-16-64-128 (8-byte tags), SHA-256, X25519. The default.
    SUITE_0, SUITE_0_SYMMETRIC, 0, aead::AES_CCM_8, 8, group::X25519
}
suite! {
    /// Suite 1: AES-CCM-16-128-128 (16-byte tags), SHA-256, X25519.
    SUITE_1, SUITE_1_SYMMETRIC, 1, aead::AES_CCM_16, 16, group::X25519
}
suite! {
    /// Suite 2: AES-CCM-16-64-128 (8-byte tags), SHA-256, P-256.
    SUITE_2, SUITE_2_SYMMETRIC, 2, aead::AES_CCM_8, 8, group::P256
}
suite! {
    /// Suite 3: AES-CCM-16-128-128 (16-byte tags), SHA-256, P-256.
    SUITE_3, SUITE_3_SYMMETRIC, 3, aead::AES_CCM_16, 16, group::P256
}
suite! {
    /// Suite 4: ChaCha20/Poly1305, SHA-256, X25519. The fastest on a microcontroller without AES hardware.
    SUITE_4, SUITE_4_SYMMETRIC, 4, aead::CHACHA20_POLY1305, 16, group::X25519
}
suite! {
    /// Suite 5: ChaCha20/Poly1305, SHA-256, P-256.
    SUITE_5, SUITE_5_SYMMETRIC, 5, aead::CHACHA20_POLY1305, 16, group::P256
}
suite! {
    /// Suite -21: AES-CCM-16-64-128 (8-byte tags), SHA-256, a subgroup of Z_p* with p of 2048 bits: the papers' setting.
    SUITE_FFC2048, SUITE_FFC2048_SYMMETRIC, -21, aead::AES_CCM_8, 8, group::FFC2048
}
suite! {
    /// Suite -22: AES-CCM-16-64-128 (8-byte tags), SHA-256, a subgroup of Z_p* with p of 3072 bits.
    SUITE_FFC3072, SUITE_FFC3072_SYMMETRIC, -22, aead::AES_CCM_8, 8, group::FFC3072
}

impl core::fmt::Debug for Suite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Suite").field("id", &self.id).field("dh", &self.dh.is_some()).finish_non_exhaustive()
    }
}
