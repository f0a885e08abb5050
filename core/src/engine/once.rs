//! Sealing under a key that is used for one message: the nonce is zero, there is no associated data.

use super::drops::Dropped;
use super::wire::Writer;
use crate::crypto::{Secret, Suite};

/// Seals what `write` writes, where it lies: ciphertext and tag.
pub fn seal_once<'w>(
    suite: &Suite,
    key: &Secret<32>,
    w: &'w mut Writer<'_>,
    write: impl FnOnce(&mut Writer<'_>),
) -> &'w [u8] {
    let start = w.len();
    write(w);
    seal_from(suite, key, w, start)
}

#[inline(never)]
fn seal_from<'w>(suite: &Suite, key: &Secret<32>, w: &'w mut Writer<'_>, start: usize) -> &'w [u8] {
    let len = w.len().saturating_sub(start);
    let sealed = w.skip(suite.aead.tag_len()).from(start);
    if let Some((text, tag)) = sealed.split_at_mut_checked(len) {
        let key = key.expose().get(..suite.aead.key_len()).unwrap_or(&[]);
        let nonce = [0; 13];
        suite.aead.seal(key, nonce.get(..suite.aead.nonce_len()).unwrap_or(&[]), &[], text, tag);
    }
    sealed
}

/// Opens `text` that [`seal_once`] sealed, where it lies.
///
/// # Errors
/// Forged.
pub fn open_once(suite: &Suite, key: &Secret<32>, text: &mut [u8], tag: &[u8]) -> Result<(), Dropped> {
    let key = key.expose().get(..suite.aead.key_len()).unwrap_or(&[]);
    let nonce = [0; 13];
    let nonce = nonce.get(..suite.aead.nonce_len()).unwrap_or(&[]);
    suite.aead.open(key, nonce, &[], text, tag).map_err(|_| Dropped::Forged)
}
