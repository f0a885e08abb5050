//! State at rest: sealed blobs, and counters that are written ahead.
//!
//! ```text
//! blob   kind u8 | version u32 | tag 16 | ciphertext [| beside | its length u16]
//! tag = KDF(K, 0, "seal.mac", kind || version [|| H(beside)] || plaintext)[..16]
//! ciphertext = plaintext xor (SHA-256(P || 0) || SHA-256(P || 1) || ...);  P = KDF(K, 0, "seal.enc", tag)
//! ```
//! K is the device's secret, so a blob opens on its own device only; the numbers in the pad are `u32`. What lies *beside* is
//! public and signed (a peer's ticket, kind 4), changes less often than the rest, and its hash is known: it is neither
//! encrypted nor hashed again with each write. H of nothing is 32 zeros there.
//!
//! **Why it is safe.** It is SIV (Rogaway and Shrimpton 2006): the tag is a pseudorandom function of everything, and it is the
//! nonce. Sealing needs no randomness; equal tags mean equal kinds, versions and texts, or a collision of 128 bits. Tag and P
//! come from HKDF-Expand under labels of their own, so P is a fresh key for each tag. A pad is one compression of SHA-256 of
//! a key and a number of fixed length: no message is the beginning of another, so nothing can be extended, and that it is
//! pseudorandom is what HMAC assumes where it makes its two keys (RFC 2104). A block for 32 bytes, where HKDF takes two.

use crate::association::{Device, Error};
use crate::crypto::kdf::{HASH_LEN, hash};
use crate::crypto::secret::{ct_eq, wipe};
use crate::crypto::sha256::Sha256;
use crate::crypto::{Prk, Secret};
use crate::engine::wire::{Reader, Writer};

/// Bytes that a blob has more than its plaintext.
pub const OVERHEAD: usize = 1 + 4 + TAG_LEN;
/// Length of the length of what lies beside a ciphertext.
pub const LENGTH_LEN: usize = 2;
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

/// Whether this blob is of a kind in which something may lie beside the ciphertext.
pub fn has_beside(blob: &[u8]) -> bool {
    blob.first() == Some(&(Kind::InteractivePeer as u8))
}

impl Kind {
    /// Whether something may lie beside the ciphertext.
    const fn has_beside(self) -> bool {
        matches!(self, Self::InteractivePeer)
    }
}

/// What lies beside a ciphertext in the clear.
#[derive(Clone, Copy, Debug)]
pub struct Beside<'a> {
    /// The bytes; none for kinds that have no such thing.
    pub bytes: &'a [u8],
    /// What [`of`](Self::of) finds, and somebody may know already.
    pub hash: [u8; HASH_LEN],
}

impl<'a> Beside<'a> {
    /// Nothing.
    pub const NONE: Self = Self { bytes: &[], hash: [0; HASH_LEN] };

    /// These bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        if bytes.is_empty() { Self::NONE } else { Self { bytes, hash: hash(&[bytes]) } }
    }
    /// Bytes that this makes a blob longer.
    pub const fn len_in(&self, kind: Kind) -> usize {
        if kind.has_beside() { self.bytes.len().saturating_add(LENGTH_LEN) } else { 0 }
    }
    /// What lies beside the ciphertext in a blob of such a kind; nothing where that is malformed.
    pub fn in_blob(blob: &'a [u8]) -> &'a [u8] {
        parts(blob).map_or(&[], |(_, beside)| beside)
    }
}

/// A blob with something beside its ciphertext, taken apart.
fn parts(blob: &[u8]) -> Option<(&[u8], &[u8])> {
    let (front, len) = blob.split_last_chunk::<LENGTH_LEN>()?;
    front.split_at_checked(front.len().checked_sub(u16::from_be_bytes(*len).into())?)
}

/// What was to be sealed needs so many bytes, which `room`, behind a blob's head, has not: what lies there of it is erased.
pub(crate) fn too_long(room: &mut [u8], needed: usize) -> Error {
    wipe(room);
    Error::BufferTooSmall { needed: needed.saturating_add(OVERHEAD) }
}

/// Seals the `len` bytes that lie in `out` from [`OVERHEAD`] on, with nothing beside them; returns the blob's length.
///
/// # Errors
/// [`Error::BufferTooSmall`].
pub fn seal(device: &Device, kind: Kind, version: u32, out: &mut [u8], len: usize) -> Result<usize, Error> {
    seal_beside(device, kind, version, out, len, &Beside::NONE)
}

/// As [`seal`], with something beside.
///
/// # Errors
/// [`Error::BufferTooSmall`].
#[inline(never)]
pub fn seal_beside(
    device: &Device,
    kind: Kind,
    version: u32,
    out: &mut [u8],
    len: usize,
    beside: &Beside<'_>,
) -> Result<usize, Error> {
    let clear = beside.len_in(kind);
    let needed = OVERHEAD.saturating_add(len).saturating_add(clear);
    let short = Error::BufferTooSmall { needed };
    let (head, rest) = out.split_at_mut_checked(OVERHEAD).ok_or(short)?;
    let (text, rest) = rest.split_at_mut_checked(len).ok_or(short)?;
    let clear = rest.get_mut(..clear).ok_or(short)?;
    let root = root(device);
    let tag = tag(&root, kind, version, &beside.hash, text);
    mask(&root, &tag, text);
    Writer::new(head).put(&[kind as u8]).put(&version.to_be_bytes()).put(&tag);
    if !clear.is_empty() {
        Writer::new(clear).put(beside.bytes).put(&(beside.bytes.len() as u16).to_be_bytes());
    }
    Ok(needed)
}

/// Opens a blob into `out`; returns its version and the length of what it held.
///
/// # Errors
/// [`Error::BadBlob`]; [`Error::BlobRolledBack`] for a version below `floor`; [`Error::BufferTooSmall`].
pub fn open(device: &Device, kind: Kind, floor: u32, blob: &[u8], out: &mut [u8]) -> Result<(u32, usize), Error> {
    let (sealed, beside) = if kind.has_beside() { parts(blob).ok_or(Error::BadBlob)? } else { (blob, &[][..]) };
    let mut r = Reader::new(sealed);
    let mut read = || -> Result<_, crate::engine::drops::Dropped> { Ok((r.u8()?, r.u32()?, r.array::<TAG_LEN>()?)) };
    let (stored, version, expected) = read().map_err(|_| Error::BadBlob)?;
    let body = sealed.get(OVERHEAD..).ok_or(Error::BadBlob)?;
    if stored != kind as u8 {
        return Err(Error::BadBlob);
    }
    let text = out.get_mut(..body.len()).ok_or(Error::BufferTooSmall { needed: body.len() })?;
    text.copy_from_slice(body);
    let root = root(device);
    mask(&root, &expected, text);
    if !ct_eq(&tag(&root, kind, version, &Beside::of(beside).hash, text), &expected) {
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

fn tag(root: &Prk, kind: Kind, version: u32, beside: &[u8; HASH_LEN], text: &[u8]) -> [u8; TAG_LEN] {
    let beside: &[u8] = if kind.has_beside() { beside } else { &[] };
    let mut tag = [0; TAG_LEN];
    root.expand("seal.mac", &[&[kind as u8], &version.to_be_bytes(), beside, text], &mut tag);
    tag
}

fn mask(root: &Prk, tag: &[u8; TAG_LEN], text: &mut [u8]) {
    let key: Secret<32> = root.secret("seal.enc", &[tag]);
    let mut pad = Secret::<HASH_LEN>::zero();
    for (i, chunk) in text.chunks_mut(HASH_LEN).enumerate() {
        let mut block = Sha256::new();
        block.update(key.expose());
        block.update(&(i as u32).to_be_bytes());
        block.finish(pad.as_mut());
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::{Beside, Kind, OVERHEAD, hash, open, seal_beside};
    use crate::association::{Device, Error};
    use crate::crypto::Secret;
    use std::vec::Vec;

    const TEXT: [u8; 70] = [0x5a; 70];

    fn device() -> Device {
        Device::new(Secret::new([7; 32]))
    }

    fn sealed(kind: Kind, version: u32, text: &[u8], beside: &[u8]) -> Vec<u8> {
        let mut blob = std::vec![0; OVERHEAD + text.len() + beside.len() + 2];
        blob[OVERHEAD..OVERHEAD + text.len()].copy_from_slice(text);
        let len = seal_beside(&device(), kind, version, &mut blob, text.len(), &Beside::of(beside)).unwrap();
        blob.truncate(len);
        blob
    }

    /// Against the page's first lines in Python, with `hmac` and `hashlib`: 64 bits of the blobs' SHA-256.
    #[test]
    fn as_it_is_written() {
        let text: Vec<u8> = (0..70).collect();
        let short = |blob: &[u8]| u64::from_be_bytes(*hash(&[blob]).first_chunk().unwrap());
        for (kind, beside, len, expected) in [
            (Kind::InteractivePeer, &b"ticket"[..], 99, 0x255f_d579_3c83_1ad9),
            (Kind::InteractivePeer, b"", 93, 0x3842_c328_db14_f0c5),
            (Kind::HistoryPeer, b"", 91, 0xc028_325a_f107_6320),
        ] {
            let blob = sealed(kind, 5, &text, beside);
            assert_eq!((blob.len(), short(&blob)), (len, expected), "{kind:?}");
        }
    }

    #[test]
    fn all_of_a_blob_is_bound() {
        for (kind, beside) in [(Kind::InteractivePeer, &b"a ticket"[..]), (Kind::HistoryPeer, b"")] {
            let blob = sealed(kind, 5, &TEXT, beside);
            let mut out = [0; 100];
            assert_eq!(open(&device(), kind, 5, &blob, &mut out), Ok((5, TEXT.len())));
            assert_eq!(out[..TEXT.len()], TEXT);
            assert_eq!(open(&device(), kind, 6, &blob, &mut out), Err(Error::BlobRolledBack));
            assert!(out[..TEXT.len()].iter().all(|byte| *byte == 0));
            for at in 0..blob.len() {
                let mut other = blob.clone();
                other[at] ^= 1;
                assert_eq!(open(&device(), kind, 0, &other, &mut out), Err(Error::BadBlob), "byte {at}");
                assert_eq!(open(&device(), kind, 0, &blob[..at], &mut out), Err(Error::BadBlob), "{at} bytes");
            }
        }
        assert_eq!(Beside::in_blob(&sealed(Kind::InteractivePeer, 5, &TEXT, b"a ticket")), b"a ticket");
    }

    #[test]
    fn no_room_and_nothing_written() {
        let mut out = [1; OVERHEAD + 70 + 9];
        let needed = OVERHEAD + 70 + 8 + 2;
        let beside = Beside::of(b"a ticket");
        let refused = seal_beside(&device(), Kind::InteractivePeer, 1, &mut out, 70, &beside);
        assert_eq!((refused, out), (Err(Error::BufferTooSmall { needed }), [1; OVERHEAD + 70 + 9]));
    }
}
