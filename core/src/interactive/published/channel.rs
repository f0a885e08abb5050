//! The session key in use. The paper encrypts nothing under it: DATA is ours.

use super::wire::NUMBER_FIELD;
use crate::association::{Error, Fingerprint};
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::published::encrypt;

/// Both directions under one K_M: A's numbers are even, S's odd.
#[derive(Debug)]
pub(super) struct Channel {
    k_m: Secret<32>,
    pub(super) fingerprint: Fingerprint,
    next: u32,
}

impl Channel {
    pub(super) fn new(k_m: Secret<32>, fingerprint: Fingerprint, was_a: bool) -> Self {
        Self { k_m, fingerprint, next: u32::from(!was_a) }
    }

    pub(super) const fn k_m(&self) -> &Secret<32> {
        &self.k_m
    }

    /// Writes a message's body; its length.
    pub(super) fn seal(&mut self, payload: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        let needed = payload.len().saturating_add(NUMBER_FIELD);
        let next = self.next.checked_add(2).ok_or(Error::KeyExhausted)?;
        let body = out.get_mut(..needed).ok_or(Error::BufferTooSmall { needed })?;
        let (number, text) = body.split_at_mut(NUMBER_FIELD);
        number.copy_from_slice(&self.next.to_be_bytes());
        text.copy_from_slice(payload);
        encrypt(self.k_m.expose(), self.next, text);
        self.next = next;
        Ok(needed)
    }

    /// Decrypts a body in place; nothing says whether it is the peer's.
    pub(super) fn open<'b>(&self, body: &'b mut [u8]) -> Result<&'b [u8], Dropped> {
        let (number, text) = body.split_first_chunk_mut::<NUMBER_FIELD>().ok_or(Dropped::Malformed)?;
        encrypt(self.k_m.expose(), u32::from_be_bytes(*number), text);
        Ok(text)
    }
}
