//! Authenticated encryption in place, with the tag apart: AES-128-CCM (RFC 3610; COSE's AES-CCM-16-64-128 and
//! AES-CCM-16-128-128) and ChaCha20/Poly1305 (RFC 8439).
//!
//! A cipher here is stateless: it takes the key with every call. An association then holds a key and no expanded
//! schedule, and a key that is replaced leaves nothing behind.

mod ccm;

pub use ccm::AesCcm;

use crate::crypto::secret::answer;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce, Tag};

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
pub static CHACHA20_POLY1305: ChaChaPoly = ChaChaPoly(());

/// The type of [`CHACHA20_POLY1305`].
pub struct ChaChaPoly(());

impl Aead for ChaChaPoly {
    fn key_len(&self) -> usize {
        32
    }

    fn nonce_len(&self) -> usize {
        12
    }

    fn tag_len(&self) -> usize {
        16
    }

    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let made = match (<&Key>::try_from(key), <&Nonce>::try_from(nonce)) {
            (Ok(key), Ok(nonce)) if tag.len() == self.tag_len() => {
                ChaCha20Poly1305::new(key).encrypt_inout_detached(nonce, aad, (&mut *text).into()).ok()
            }
            _ => None,
        };
        match made {
            Some(made) => tag.copy_from_slice(&made),
            None => {
                text.fill(0);
                tag.fill(0);
            }
        }
    }

    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged> {
        let opened = match (<&Key>::try_from(key), <&Nonce>::try_from(nonce), <&Tag>::try_from(tag)) {
            (Ok(key), Ok(nonce), Ok(tag)) => {
                answer(ChaCha20Poly1305::new(key).decrypt_inout_detached(nonce, aad, (&mut *text).into(), tag).is_ok())
            }
            _ => false,
        };
        if !opened {
            text.fill(0);
            return Err(Forged);
        }
        Ok(())
    }
}
