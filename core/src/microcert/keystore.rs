//! Where a centre's own keys live: the paper's encryption card.
//!
//! ```text
//! K_trans   gives each chip its transport key, and opens what chips seal under it
//! K_store   seals every seed in the database
//! K_mac     says which place each sealed thing is for
//! ```
//! The formats are such that a standard PKCS#11 token makes the same bytes: AES-CMAC, AES key wrap, AES-256-CBC.

use super::csk::{Date, Selected};
use super::keys::BIND_LEN;
use super::seed::{ROW_LEN, ROWS, SEED_LEN, SELECTED, numbers};
use crate::crypto::cmac::{BLOCK_LEN, cmac, kdf_128};
use crate::crypto::secret::{ct_eq, wipe};
use crate::crypto::{Secret, keywrap};
use crate::history::Id;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes::{Aes256, Aes256Enc, Block};
use core::fmt;

/// Bytes of a seed that a chip has sealed for its centre.
pub const TRANSPORTED_LEN: usize = SEED_LEN + keywrap::OVERHEAD;
/// Bytes that anything sealed under K_store has more: its tag.
pub const SEAL_LEN: usize = 16;
/// Bytes of a seed in the key database.
pub const STORED_LEN: usize = SEED_LEN + SEAL_LEN;

/// What a thing is sealed to; see [`bind`](super::keys::bind).
pub type Bind = [u8; BIND_LEN];

/// Why a key store did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStoreError {
    /// The bytes are not what was sealed for this place: altered, swapped, or another generation's.
    Tampered,
    /// It cannot now: no token, no session, locked. Nothing was done.
    Unavailable,
}

/// The centre's keys, which never leave it. Each call is short, and may fail.
pub trait KeyStore {
    /// A chip's transport key: `CMAC(K_trans, u32 1 | "iotkm1 microcert transport" | 00 | id | u32 128)`.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`].
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError>;

    /// Turns a seed that a chip sealed under its transport key into one that is sealed under K_store.
    ///
    /// # Errors
    /// [`KeyStoreError::Tampered`] where it is not that chip's.
    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError>;

    /// Opens the sixteen rows for a day of a stored seed, once its tag has verified: they are what is unwrapped for one
    /// request. The day's year is one of the five from `base` on.
    ///
    /// # Errors
    /// [`KeyStoreError::Tampered`].
    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError>;

    /// Seals what lies in `text` but for its last [`SEAL_LEN`] bytes, a multiple of 16, under K_store.
    ///
    /// # Errors
    /// [`KeyStoreError::Unavailable`], also for another length.
    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError>;

    /// Opens what [`seal`](Self::seal) sealed, where it lies: all but the last [`SEAL_LEN`] bytes.
    ///
    /// # Errors
    /// [`KeyStoreError::Tampered`]; `text` is zeroed then.
    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError>;
}

/// Label of the transport key's derivation.
const TRANSPORT: &[u8] = b"iotkm1 microcert transport";

/// A [`KeyStore`] in memory: for a centre whose keys lie in a sealed file.
pub struct SoftKeys {
    trans: Aes256Enc,
    store: Aes256,
    mac: Aes256Enc,
}

impl fmt::Debug for SoftKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SoftKeys(..)")
    }
}

impl SoftKeys {
    /// Bytes of its three keys.
    pub const LEN: usize = 96;

    /// K_trans, K_store and K_mac, 32 random bytes each.
    pub fn new(keys: &Secret<{ Self::LEN }>) -> Self {
        let mut parts = [[0; 32]; 3];
        parts.iter_mut().zip(keys.expose().as_chunks::<32>().0).for_each(|(to, from)| *to = *from);
        let [trans, store, mac] = &parts;
        let made = Self {
            trans: Aes256Enc::new(trans.into()),
            store: Aes256::new(store.into()),
            mac: Aes256Enc::new(mac.into()),
        };
        parts.iter_mut().for_each(|part| wipe(part));
        made
    }

    fn iv(&self, bind: &Bind) -> [u8; BLOCK_LEN] {
        let mut iv = [0; BLOCK_LEN];
        cmac(&self.mac, &[&[1], bind], &mut iv);
        iv
    }

    fn tag(&self, bind: &Bind, text: &[u8]) -> [u8; BLOCK_LEN] {
        let mut tag = [0; BLOCK_LEN];
        cmac(&self.mac, &[&[2], bind, text], &mut tag);
        tag
    }

    fn checked<'a>(&self, bind: &Bind, sealed: &'a [u8]) -> Result<&'a [u8], KeyStoreError> {
        let (text, tag) = sealed.split_last_chunk::<SEAL_LEN>().ok_or(KeyStoreError::Tampered)?;
        if ct_eq(&self.tag(bind, text), tag) { Ok(text) } else { Err(KeyStoreError::Tampered) }
    }
}

impl KeyStore for SoftKeys {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        let mut key = Secret::zero();
        kdf_128(&self.trans, TRANSPORT, id.as_bytes(), key.as_mut());
        Ok(key)
    }

    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        let key = self.transport_key(id)?;
        let mut text = Secret::new(*transported);
        keywrap::unwrap(&key, text.as_mut()).map_err(|_| KeyStoreError::Tampered)?;
        if let Some((to, from)) = stored.first_chunk_mut().zip(text.expose().last_chunk::<SEED_LEN>()) {
            *to = *from;
        }
        self.seal(bind, stored)
    }

    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        let text = self.checked(bind, stored)?.as_chunks::<ROW_LEN>().0;
        let numbers = numbers(date, base).map_err(|_| KeyStoreError::Unavailable)?;
        let iv = self.iv(bind);
        let mut before = [[0; ROW_LEN]; SELECTED];
        let mut blocks = [Block::default(); SELECTED];
        for ((before, block), number) in before.iter_mut().zip(&mut blocks).zip(numbers) {
            let at = usize::from(number);
            *block = text.get(at).copied().unwrap_or_default().into();
            *before = at.checked_sub(1).map_or(Some(&iv), |at| text.get(at)).copied().unwrap_or_default();
        }
        self.store.decrypt_blocks(&mut blocks);
        let mut selected = Selected::none();
        for ((row, block), before) in selected.rows_mut().zip(&mut blocks).zip(&before) {
            row.iter_mut().zip(block.iter()).zip(before).for_each(|((to, a), b)| *to = a ^ b);
            wipe(block);
        }
        Ok(selected)
    }

    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let (text, tag) = text.split_last_chunk_mut::<SEAL_LEN>().ok_or(KeyStoreError::Unavailable)?;
        let (blocks, []) = text.as_chunks_mut::<BLOCK_LEN>() else { return Err(KeyStoreError::Unavailable) };
        let mut last = self.iv(bind);
        for block in blocks {
            block.iter_mut().zip(last).for_each(|(to, before)| *to ^= before);
            self.store.encrypt_block(block.into());
            last = *block;
        }
        *tag = self.tag(bind, text);
        Ok(())
    }

    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        let checked = self.checked(bind, text).map(|_| ());
        let Some((body, _)) = text.split_last_chunk_mut::<SEAL_LEN>() else { return checked };
        let blocks = match (checked, body.as_chunks_mut::<BLOCK_LEN>()) {
            (Ok(()), (blocks, [])) => blocks,
            _ => {
                wipe(text);
                return Err(KeyStoreError::Tampered);
            }
        };
        let mut last = self.iv(bind);
        for block in blocks {
            let before = core::mem::replace(&mut last, *block);
            // Where it lies: no copy of it is left behind.
            self.store.decrypt_block(block.into());
            block.iter_mut().zip(before).for_each(|(to, before)| *to ^= before);
        }
        Ok(())
    }
}

/// The largest number of a row.
const _: () = assert!(ROWS < 256);
