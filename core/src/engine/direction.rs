//! One direction of a session in one generation: its key, its nonces, and a record's text under them.

use super::session::ConnectionId;
use super::wire;
use crate::crypto::aead::{MAX_KEY, MAX_KEY_AND_NONCE, MAX_NONCE};
use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret, Suite};

/// One direction's key, and its IV behind it.
#[derive(Clone, Debug)]
pub(super) struct Direction(Secret<MAX_KEY_AND_NONCE>);

impl Direction {
    pub const fn none() -> Self {
        Self(Secret::zero())
    }

    fn put(&mut self, start: usize, bytes: &[u8]) {
        wire::copy(self.0.as_mut().get_mut(start..).unwrap_or(&mut []), bytes);
    }

    fn key(&self, suite: &Suite) -> &[u8] {
        self.0.expose().get(..suite.aead.key_len()).unwrap_or(&[])
    }

    /// IV xor sequence number, the latter in the last four bytes. The number is never used twice under one key.
    pub fn nonce(&self, suite: &Suite, number: u32) -> ([u8; MAX_NONCE], usize) {
        let (mut nonce, len) = ([0; MAX_NONCE], suite.aead.nonce_len());
        let place = nonce.get_mut(..len).unwrap_or(&mut []);
        wire::copy(place, self.0.expose().get(suite.aead.key_len()..).unwrap_or(&[]));
        if let Some(tail) = place.last_chunk_mut() {
            *tail = (u32::from_be_bytes(*tail) ^ number).to_be_bytes();
        }
        (nonce, len)
    }

    /// Seals a text in place under this number, bound to its record's header and generation; the tag goes to `tag`.
    pub fn seal(&self, suite: &Suite, number: u32, generation: u32, header: &[u8], text: &mut [u8], tag: &mut [u8]) {
        let (nonce, nonce_len) = self.nonce(suite, number);
        let (aad, aad_len) = associated(header, generation);
        let (nonce, aad) = (nonce.get(..nonce_len).unwrap_or(&[]), aad.get(..aad_len).unwrap_or(&[]));
        suite.aead.seal(self.key(suite), nonce, aad, text, tag);
    }

    /// Opens a text in place; whether it verified.
    pub fn open(
        &self,
        suite: &Suite,
        number: u32,
        generation: u32,
        header: &[u8],
        text: &mut [u8],
        tag: &[u8],
    ) -> bool {
        let (nonce, nonce_len) = self.nonce(suite, number);
        let (aad, aad_len) = associated(header, generation);
        let (nonce, aad) = (nonce.get(..nonce_len).unwrap_or(&[]), aad.get(..aad_len).unwrap_or(&[]));
        let opened = suite.aead.open(self.key(suite), nonce, aad, text, tag).is_ok();
        if opened {
            // What the peer says is the application's, or decides what this side does next; no key is in it.
            declassify(text);
        }
        opened
    }
}

/// Key and IV of both directions, the initiator's first.
pub(super) fn traffic(
    suite: &Suite,
    prk: &Prk,
    context: &[&[u8]],
    initiator: bool,
    send: &mut Direction,
    recv: &mut Direction,
) {
    let (key, nonce) = (suite.aead.key_len(), suite.aead.nonce_len());
    let mut both = Secret::<{ 2 * MAX_KEY }>::zero();
    for (label, start, len) in [("key", 0, key), ("iv", key, nonce)] {
        let both = both.as_mut().get_mut(..len.saturating_mul(2)).unwrap_or(&mut []);
        prk.expand(label, context, both);
        let (first, second) = both.split_at_checked(len).unwrap_or((&[], &[]));
        let (ours, theirs) = if initiator { (first, second) } else { (second, first) };
        send.put(start, ours);
        recv.put(start, theirs);
    }
}

const AAD_MAX: usize = 3 + ConnectionId::MAX + 4;

/// Header (with connection id and shortened number) and the whole generation number.
fn associated(header: &[u8], generation: u32) -> ([u8; AAD_MAX], usize) {
    let mut aad = [0; AAD_MAX];
    let mut w = wire::Writer::new(&mut aad);
    w.put(header).put(&generation.to_be_bytes());
    let len = w.len();
    (aad, len)
}
