//! Authenticated encryption in place, with the tag apart: AES-128-CCM (RFC 3610; COSE's AES-CCM-16-64-128 and
//! AES-CCM-16-128-128) and ChaCha20/Poly1305 (RFC 8439).
//!
//! A cipher here is stateless: it takes the key with every call. An association then holds a key and no expanded
//! schedule, and a key that is replaced leaves nothing behind.

mod ccm;
mod chacha;

pub use ccm::AesCcm;
pub use chacha::ChaChaPoly;

/// The longest key of any cipher here, in bytes.
pub const MAX_KEY: usize = 32;

/// The longest nonce of any cipher here, in bytes.
pub const MAX_NONCE: usize = 13;

/// The most that a cipher here has in key and nonce together, in bytes: the longest key comes with the shorter nonce.
pub const MAX_KEY_AND_NONCE: usize = 44;

/// The longest tag of any cipher here, in bytes.
pub const MAX_TAG: usize = 16;

/// Ciphertext, associated data, nonce and tag are not what a holder of the key made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// An AEAD cipher that works in place.
pub trait Aead: Sync {
    /// Length of a key in bytes, at most [`MAX_KEY`].
    fn key_len(&self) -> usize;

    /// Length of a nonce in bytes, at most [`MAX_NONCE`].
    fn nonce_len(&self) -> usize;

    /// Length of a tag in bytes, at most [`MAX_TAG`].
    fn tag_len(&self) -> usize;

    /// Encrypts `text` where it lies and writes its tag.
    ///
    /// A key, nonce or tag of another length than the cipher's, or more text or associated data than it takes, is the
    /// caller's mistake: text and tag are then zeroed, so that no plaintext leaves and no peer opens the result.
    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]);

    /// Checks the tag and decrypts `text` where it lies.
    ///
    /// # Errors
    /// [`Forged`] where the tag does not fit, or where [`seal`](Self::seal) would refuse the lengths; `text` is then
    /// zeroed.
    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged>;
}

/// AES-CCM-16-64-128: AES-128-CCM, 13-byte nonce, 8-byte tag; at most 65535 bytes of text, 65279 of associated data.
pub static AES_CCM_8: AesCcm = AesCcm::new(8);

/// AES-CCM-16-128-128: AES-128-CCM, 13-byte nonce, 16-byte tag; at most 65535 bytes of text, 65279 of associated data.
pub static AES_CCM_16: AesCcm = AesCcm::new(16);

/// ChaCha20/Poly1305: 12-byte nonce, 16-byte tag.
pub static CHACHA20_POLY1305: ChaChaPoly = ChaChaPoly::new();
