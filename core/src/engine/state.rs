//! State at rest: sealed blobs, and counters that are written ahead.
//!
//! ```text
//! blob   kind u8 | version u32 | tag 16 | ciphertext
//! tag = HMAC(K_mac, lv(kind, version, plaintext))[..16];  ciphertext = plaintext xor HKDF-Expand(K_enc, tag)
//! ```
//! A synthetic nonce (the tag, as in SIV): sealing needs no randomness and repeats nothing but equal plaintexts of equal
//! versions. Both keys come from the device's secret, so a blob opens on its own device only.

use crate::association::{Device, Error};
use crate::crypto::{Prk, Secret, secret::ct_eq};
use crate::engine::wire::{Reader, Writer};

/// Bytes that a blob has more than its plaintext.
pub const OVERHEAD: usize = 1 + 4 + TAG_LEN;
const TAG_LEN: usize = 16;

/// What a blob holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A session, to be resumed.
    Session = 1,
    /// The history scheme's peer: triples and counters.
    HistoryPeer = 2,
    /// Failed pairing attempts.
    Attempts = 3,
    /// The interactive scheme's peer: PMKs and attempts.
    InteractivePeer = 4,
    /// The noninteractive scheme's peer: its progression.
    NoninteractivePeer = 5,
    /// The microcert scheme's chip: counters and all but its seed.
    Chip = 6,
    /// A key seed.
    KeySeed = 7,
    /// A ticket agent's numbers.
    TicketAgent = 8,
    /// A device's tickets, revocation list and floor time.
    Wallet = 9,
    /// A device's self-certified credential, revocation list and floor time.
    Holder = 10,
    /// A static key that is kept in memory.
    StaticKey = 11,
    /// The history scheme's peer in the Published profile.
    #[cfg(feature = "published")]
    PublishedHistoryPeer = 0xf2,
    /// The interactive scheme's peer in the Published profile.
    #[cfg(feature = "published")]
    PublishedInteractivePeer = 0xf3,
    /// The noninteractive scheme's peer in the Published profile.
    #[cfg(feature = "published")]
    PublishedNoninteractivePeer = 0xf4,
}

/// Seals the `len` bytes that lie in `out` from [`OVERHEAD`] on; returns the blob's length.
///
/// # Errors
/// [`Error::BufferTooSmall`].
pub fn seal(device: &Device, kind: Kind, version: u32, out: &mut [u8], len: usize) -> Result<usize, Error> {
    let needed = OVERHEAD.saturating_add(len);
    let short = Error::BufferTooSmall { needed };
    let (head, rest) = out.split_at_mut_checked(OVERHEAD).ok_or(short)?;
    let text = rest.get_mut(..len).ok_or(short)?;
    let root = root(device);
    let tag = tag(&root, kind, version, text);
    mask(&root, &tag, text);
    Writer::new(head).put(&[kind as u8]).put(&version.to_be_bytes()).put(&tag);
    Ok(needed)
}

/// Opens a blob into `out`; returns its version and the length of what it held.
///
/// # Errors
/// [`Error::BadBlob`]; [`Error::BlobRolledBack`] for a version below `floor`; [`Error::BufferTooSmall`].
pub fn open(device: &Device, kind: Kind, floor: u32, blob: &[u8], out: &mut [u8]) -> Result<(u32, usize), Error> {
    let mut r = Reader::new(blob);
    let mut read = || -> Result<_, crate::engine::drops::Dropped> { Ok((r.u8()?, r.u32()?, r.array::<TAG_LEN>()?)) };
    let (stored, version, expected) = read().map_err(|_| Error::BadBlob)?;
    let body = blob.get(OVERHEAD..).ok_or(Error::BadBlob)?;
    if stored != kind as u8 {
        return Err(Error::BadBlob);
    }
    let text = out.get_mut(..body.len()).ok_or(Error::BufferTooSmall { needed: body.len() })?;
    text.copy_from_slice(body);
    let root = root(device);
    mask(&root, &expected, text);
    if !ct_eq(&tag(&root, kind, version, text), &expected) {
        text.fill(0);
        return Err(Error::BadBlob);
    }
    if version < floor {
        text.fill(0);
        return Err(Error::BlobRolledBack);
    }
    Ok((version, body.len()))
}

/// What both keys come from.
fn root(device: &Device) -> Prk {
    Prk::new("engine", device.0.expose())
}

fn tag(root: &Prk, kind: Kind, version: u32, text: &[u8]) -> [u8; TAG_LEN] {
    let mut tag = [0; TAG_LEN];
    root.expand("seal.mac", &[&[kind as u8], &version.to_be_bytes(), text], &mut tag);
    tag
}

fn mask(root: &Prk, tag: &[u8; TAG_LEN], text: &mut [u8]) {
    let key: Secret<32> = root.secret("seal.enc", &[tag]);
    let stream = Prk::new("engine", key.expose());
    for (i, chunk) in text.chunks_mut(32).enumerate() {
        let pad: Secret<32> = stream.secret("pad", &[&(i as u32).to_be_bytes()]);
        chunk.iter_mut().zip(pad.expose()).for_each(|(t, p)| *t ^= p);
    }
}

/// A counter whose values are reserved in blocks: the limit is stored before the first value of a block is used, so no
/// value comes twice, and a power cut skips at most a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    next: u32,
    limit: u32,
}

impl Reserved {
    /// A counter that starts (or, restored, goes on) at `next`; nothing is reserved yet.
    pub const fn starting(next: u32) -> Self {
        Self { next, limit: next }
    }
    /// The next value, and whether the state has to be stored before it is used.
    pub const fn take(&mut self, block: u32) -> (u32, bool) {
        let value = self.next;
        self.next = self.next.saturating_add(1);
        let store = self.next > self.limit;
        if store {
            self.limit = self.next.saturating_sub(1).saturating_add(block);
        }
        (value, store)
    }
    /// The next value, which [`take`](Self::take) would give.
    pub const fn next(&self) -> u32 {
        self.next
    }
    /// Reserves a block from the next value on; the limit is then to be stored.
    pub const fn reserve(&mut self, block: u32) {
        self.limit = self.next.saturating_add(block);
    }
    /// What to store: the first value that is not reserved.
    pub const fn limit(&self) -> u32 {
        self.limit
    }
}
