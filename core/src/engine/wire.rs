//! What every datagram has in common: its first bytes, and views to read and write the rest.
//!
//! ```text
//! record      0001 1 k gg | connection id (0..8) | sequence number u16 | ciphertext | tag
//!             k: control record; gg: low bits of the key generation
//! handshake   0001 0 sss  | mmmm rrrr | message
//!             sss: scheme; mmmm: message number; rrrr: low bits of the run number
//! engine      0001 0 000  | mmmm 0000 | message
//!             1 fragment, 2 cookie request, 3 cookie echo, 4 5 6 resume
//! ```
//! The first four bits are the wire version: 1; 15 is the Published profile's, which no Hardened parser accepts.

use crate::crypto::Secret;
use crate::crypto::secret::declassify;
use crate::engine::drops::Dropped;

/// The wire version of the Hardened profile.
pub const VERSION: u8 = 1;
/// Bit of the first byte that marks a record.
pub const RECORD: u8 = 0x08;
/// Bit of a record's first byte that marks a control record.
pub const CONTROL: u8 = 0x04;
/// Bytes before a handshake message's own fields.
pub const HEADER_LEN: usize = 2;
/// The scheme number of the engine's own messages.
pub const ENGINE: u8 = 0;

/// Message numbers of the engine's own messages.
pub mod engine {
    /// One piece of a longer message.
    pub const FRAGMENT: u8 = 1;
    /// "Show me that you receive at this address."
    pub const COOKIE_REQUEST: u8 = 2;
    /// A cookie and the message that it vouches for.
    pub const COOKIE_ECHO: u8 = 3;
    /// Resume, first message: from the restored side.
    pub const RESUME_1: u8 = 4;
    /// Resume, second message.
    pub const RESUME_2: u8 = 5;
    /// Resume, third message.
    pub const RESUME_3: u8 = 6;
}

/// The two bytes before a handshake message.
pub const fn header(scheme: u8, message: u8, run: u32) -> [u8; HEADER_LEN] {
    [VERSION << 4 | (scheme & 7), message << 4 | (run & 15) as u8]
}

/// What the first bytes of a datagram say it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record.
    Record,
    /// A message of a scheme, or of the engine where `scheme` is [`ENGINE`].
    Handshake {
        /// Scheme number.
        scheme: u8,
        /// Message number within the scheme.
        message: u8,
        /// Low four bits of the run number.
        run: u8,
    },
}

/// Reads the first bytes.
///
/// # Errors
/// Too short, or another wire version.
pub fn classify(datagram: &[u8]) -> Result<Kind, Dropped> {
    let (first, rest) = datagram.split_first().ok_or(Dropped::Malformed)?;
    if first >> 4 != VERSION {
        return Err(Dropped::Version);
    }
    if first & RECORD != 0 {
        return Ok(Kind::Record);
    }
    let second = rest.first().ok_or(Dropped::Malformed)?;
    let (scheme, run) = (first & 7, second & 15);
    if scheme == ENGINE && run != 0 {
        return Err(Dropped::Malformed);
    }
    Ok(Kind::Handshake { scheme, message: second >> 4, run })
}

/// Reads fields off the front of a message, or of a text that has been opened and has verified.
///
/// Lengths, names, counters, shares, an application's data: what it reads may decide what is done next, and is no key.
/// Keys are read by [`secret`](Self::secret) and [`fill`](Self::fill), nothing else.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
    /// The next `n` bytes.
    ///
    /// # Errors
    /// There are fewer.
    #[inline(never)]
    pub fn take(&mut self, n: usize) -> Result<&'a [u8], Dropped> {
        Ok(declassify(self.raw(n)?))
    }
    fn raw(&mut self, n: usize) -> Result<&'a [u8], Dropped> {
        let (head, tail) = self.0.split_at_checked(n).ok_or(Dropped::Malformed)?;
        self.0 = tail;
        Ok(head)
    }
    /// The next `N` bytes, which are a key or go into one.
    ///
    /// # Errors
    /// There are fewer.
    pub fn secret<const N: usize>(&mut self) -> Result<Secret<N>, Dropped> {
        let bytes: &[u8; N] = self.raw(N)?.try_into().map_err(|_| Dropped::Malformed)?;
        Ok(Secret::new(*bytes))
    }
    /// The next `N` bytes.
    ///
    /// # Errors
    /// There are fewer.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Dropped> {
        self.take(N)?.try_into().map_err(|_| Dropped::Malformed)
    }
    /// The next bytes, into this place: as [`secret`](Self::secret), without a copy.
    ///
    /// # Errors
    /// There are fewer.
    pub fn fill(&mut self, secret: &mut [u8]) -> Result<(), Dropped> {
        secret.copy_from_slice(self.raw(secret.len())?);
        Ok(())
    }
    /// The next byte.
    ///
    /// # Errors
    /// There is none.
    #[inline(never)]
    pub fn u8(&mut self) -> Result<u8, Dropped> {
        Ok(u8::from_be_bytes(self.array()?))
    }
    /// The next two bytes, big-endian.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u16(&mut self) -> Result<u16, Dropped> {
        Ok(u16::from_be_bytes(self.array()?))
    }
    /// The next four bytes, big-endian.
    ///
    /// # Errors
    /// There are fewer.
    #[inline(never)]
    pub fn u32(&mut self) -> Result<u32, Dropped> {
        Ok(u32::from_be_bytes(self.array()?))
    }
    /// The next eight bytes, big-endian.
    ///
    /// # Errors
    /// There are fewer.
    pub fn u64(&mut self) -> Result<u64, Dropped> {
        Ok(u64::from_be_bytes(self.array()?))
    }
    /// A field behind its length in one byte, of at most `max` bytes.
    ///
    /// # Errors
    /// It is longer, or not all there.
    pub fn short(&mut self, max: usize) -> Result<&'a [u8], Dropped> {
        let n = usize::from(self.u8()?);
        if n > max {
            return Err(Dropped::Malformed);
        }
        self.take(n)
    }
    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        declassify(self.0)
    }
    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub const fn end(self) -> Result<(), Dropped> {
        if self.0.is_empty() { Ok(()) } else { Err(Dropped::Malformed) }
    }
}

/// Writes fields one after the other; says at the end how long it became, or would have become.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl<'a> Writer<'a> {
    /// A writer into these bytes.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0 }
    }
    /// Appends bytes.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        let end = self.at.saturating_add(bytes.len());
        if let Some(to) = self.out.get_mut(self.at..end) {
            to.copy_from_slice(bytes);
        }
        self.at = end;
        self
    }
    /// Appends a field behind its length in one byte.
    pub fn short(&mut self, bytes: &[u8]) -> &mut Self {
        debug_assert!(bytes.len() < 256);
        self.put(&[bytes.len() as u8]).put(bytes)
    }
    /// Leaves room for `n` bytes that are filled later; they are zero now.
    pub fn skip(&mut self, n: usize) -> &mut Self {
        let end = self.at.saturating_add(n);
        if let Some(to) = self.out.get_mut(self.at..end) {
            to.fill(0);
        }
        self.at = end;
        self
    }
    /// What was written so far.
    #[inline(never)]
    pub fn written(&self) -> &[u8] {
        self.out.get(..self.at).unwrap_or(&[])
    }
    /// What was written from `start` on, to be changed in place.
    pub fn from(&mut self, start: usize) -> &mut [u8] {
        self.out.get_mut(start..self.at).unwrap_or(&mut [])
    }
    /// Length so far.
    pub const fn len(&self) -> usize {
        self.at
    }
    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.at == 0
    }
    /// The whole length.
    ///
    /// # Errors
    /// The length that it needs, where the buffer was too short.
    #[inline(never)]
    pub const fn finish(&self) -> Result<usize, usize> {
        if self.at <= self.out.len() { Ok(self.at) } else { Err(self.at) }
    }
}

/// FNV-1a: where a collision only costs time, and nobody gains anything from one.
pub(crate) fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// Copies `from` to the front of `to` and returns how many bytes fit.
pub fn copy(to: &mut [u8], from: &[u8]) -> usize {
    let n = to.len().min(from.len());
    to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    n
}
