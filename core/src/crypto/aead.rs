//! Authenticated encryption in place, with the tag apart: AES-128-CCM (RFC 3610, COSE's AES-CCM-16-64-128 and
//! AES-CCM-16-128-128) and ChaCha20/Poly1305 (RFC 8439).
//!
//! A cipher here is stateless: it takes the key with every call. An association then holds 32 bytes of key and no
//! expanded schedule, and a key that is replaced leaves nothing behind.

use aes::Aes128;
use ccm::Ccm;
use ccm::aead::{AeadInOut, Key, KeyInit, Nonce, Tag};
use ccm::consts::{U8, U13, U16};
use chacha20poly1305::ChaCha20Poly1305;
use core::marker::PhantomData;

/// The longest key of any cipher here, in bytes.
pub const MAX_KEY: usize = 32;

/// The longest nonce of any cipher here, in bytes.
pub const MAX_NONCE: usize = 13;

/// The longest tag of any cipher here, in bytes.
pub const MAX_TAG: usize = 16;

/// The ciphertext, its associated data, nonce or tag is not what the holder of the key made.
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
    /// A key, nonce or tag of another length than the cipher's, or a text longer than it can take (CCM: 65535 bytes), is
    /// the caller's mistake: text and tag are then zeroed, so that no plaintext leaves and no peer opens the result.
    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]);

    /// Checks the tag and decrypts `text` where it lies.
    ///
    /// # Errors
    /// [`Forged`] where the tag does not fit, or any length is wrong; `text` is then zeroed.
    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged>;
}

/// AES-128-CCM with a 13-byte nonce and an 8-byte tag: AES-CCM-16-64-128.
pub static AES_CCM_8: Cipher<Ccm<Aes128, U8, U13>> = Cipher(PhantomData);

/// AES-128-CCM with a 13-byte nonce and a 16-byte tag: AES-CCM-16-128-128.
pub static AES_CCM_16: Cipher<Ccm<Aes128, U16, U13>> = Cipher(PhantomData);

/// ChaCha20/Poly1305 with a 12-byte nonce and a 16-byte tag.
pub static CHACHA20_POLY1305: Cipher<ChaCha20Poly1305> = Cipher(PhantomData);

/// One of the ciphers above.
pub struct Cipher<A>(PhantomData<fn() -> A>);

impl<A: AeadInOut + KeyInit> Aead for Cipher<A> {
    fn key_len(&self) -> usize {
        Key::<A>::default().len()
    }

    fn nonce_len(&self) -> usize {
        Nonce::<A>::default().len()
    }

    fn tag_len(&self) -> usize {
        Tag::<A>::default().len()
    }

    fn seal(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let sealed = match (<&Key<A>>::try_from(key), <&Nonce<A>>::try_from(nonce), <&mut Tag<A>>::try_from(&mut *tag))
        {
            (Ok(key), Ok(nonce), Ok(tag)) => {
                A::new(key).encrypt_inout_detached(nonce, aad, (&mut *text).into()).map(|made| *tag = made).is_ok()
            }
            _ => false,
        };
        if !sealed {
            text.fill(0);
            tag.fill(0);
        }
    }

    fn open(&self, key: &[u8], nonce: &[u8], aad: &[u8], text: &mut [u8], tag: &[u8]) -> Result<(), Forged> {
        let opened = match (<&Key<A>>::try_from(key), <&Nonce<A>>::try_from(nonce), <&Tag<A>>::try_from(tag)) {
            (Ok(key), Ok(nonce), Ok(tag)) => {
                A::new(key).decrypt_inout_detached(nonce, aad, (&mut *text).into(), tag).is_ok()
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
