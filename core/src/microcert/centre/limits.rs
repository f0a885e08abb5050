//! What keeps a centre's work and memory bounded: how many seeds are unwrapped for nothing, and which answers are kept.

use super::super::wire::REPLY_MAX;
use crate::association::{Addr, Device, Instant};
use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret};
use crate::engine::wire;
use crate::history::Id;
use crate::microcert::keys;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// Unwraps at once that may lead nowhere.
const SHARE: u8 = 8;
/// Seconds, of 1 024 ms, until there is another one.
const SECONDS: u32 = 4;

/// How many unwraps are left for one id, or for one id from one address. Ids that meet in a cell share it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    spent: u8,
    at: u32,
}

impl Share {
    fn refill(&mut self, now: Instant) {
        // A clock of its own, that never goes back.
        let now = (now.0 >> 10) as u32;
        let back = now.saturating_sub(self.at) / SECONDS;
        if back > 0 {
            self.spent = self.spent.saturating_sub(u8::try_from(back).unwrap_or(u8::MAX));
            self.at = now;
        }
    }
}

/// The shares of all ids, in a table of the caller's.
#[derive(Debug)]
pub(super) struct Limits<B> {
    cells: B,
    /// What places ids in them, once it is needed.
    key: Option<Secret<16>>,
}

impl<B: AsMut<[Share]>> Limits<B> {
    /// In this table.
    pub const fn new(cells: B) -> Self {
        Self { cells, key: None }
    }

    /// The share of an id, or of the id from an address that has shown to be its.
    fn cell(&mut self, device: &Device, id: &Id, proven: Option<&Addr>) -> Option<&mut Share> {
        let key = self.key.get_or_insert_with(|| Prk::new(keys::NAME, device.0.expose()).secret("cell", &[]));
        let mut hasher = SipHasher13::new_with_key(key.expose());
        hasher.write(id.as_bytes());
        if let Some(addr) = proven {
            hasher.write_u8(0);
            hasher.write(addr.as_bytes());
        }
        // Where it lies is a keyed hash of what is public, and tells nothing of the key.
        let hash = hasher.finish().to_be_bytes();
        let cells = self.cells.as_mut();
        let at = u64::from_be_bytes(*declassify(&hash)).checked_rem(cells.len() as u64)?;
        cells.get_mut(at as usize)
    }

    /// Takes one unwrap; whether there was one left. A table without cells has none.
    pub fn take(&mut self, device: &Device, now: Instant, id: &Id, proven: Option<&Addr>) -> bool {
        let Some(share) = self.cell(device, id, proven) else { return false };
        share.refill(now);
        let left = share.spent < SHARE;
        share.spent = share.spent.saturating_add(u8::from(left));
        left
    }

    /// It led to an answer: it does not count.
    pub fn give_back(&mut self, device: &Device, id: &Id, proven: Option<&Addr>) {
        if let Some(share) = self.cell(device, id, proven) {
            share.spent = share.spent.saturating_sub(1);
        }
    }
}

/// An answer that is kept for a device that did not get it.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    digest: [u8; 8],
    len: u8,
    bytes: [u8; REPLY_MAX],
}

impl Default for Kept {
    fn default() -> Self {
        Self { digest: [0; 8], len: 0, bytes: [0; REPLY_MAX] }
    }
}

/// The newest answers, in a table of the caller's: what is forgotten costs the device a CHALLENGE.
#[derive(Debug)]
pub(super) struct Answers<A>(pub A);

impl<A: AsMut<[Kept]>> Answers<A> {
    fn place(&mut self, digest: &[u8; 8]) -> Option<&mut Kept> {
        let places = self.0.as_mut();
        let at = u64::from_be_bytes(*digest).checked_rem(places.len() as u64)?;
        places.get_mut(at as usize)
    }

    /// Keeps the answer to the micro-certificate of this digest.
    pub fn keep(&mut self, digest: &[u8; 8], answer: &[u8]) {
        if let Some(kept) = self.place(digest) {
            kept.digest = *digest;
            kept.len = wire::copy(&mut kept.bytes, answer) as u8;
        }
    }

    /// The answer to the micro-certificate of this digest.
    pub fn get(&mut self, digest: &[u8; 8]) -> Option<&[u8]> {
        let kept = self.place(digest)?;
        let ours = kept.len > 0 && kept.digest == *digest;
        kept.bytes.get(..usize::from(kept.len)).filter(|_| ours)
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.as_mut().fill(Kept::default());
    }
}
