//! Deterministic CBOR (RFC 8949, section 4.2.1), only what tickets need: nothing that has another encoding is read.

use crate::engine::wire;
use core::str;

/// Why bytes are not the deterministic CBOR that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CborError {
    /// They end inside an item.
    Truncated,
    /// An integer or a length is longer than it need be, or a length is indefinite.
    NotCanonical,
    /// A map's key comes twice, or after a higher one.
    KeyOrder,
    /// Another type or value than expected, a reserved one, a float, or text that is not UTF-8.
    Unexpected,
    /// Items lie deeper in each other than [`MAX_DEPTH`].
    TooDeep,
    /// More bytes than such an object ever has.
    TooLong,
    /// Bytes are left behind the end.
    Trailing,
}

/// How deep arrays, maps and tags may lie in each other where nobody looks into them.
pub const MAX_DEPTH: u8 = 8;

/// Major types (RFC 8949, section 3.1).
mod major {
    pub const UINT: u8 = 0;
    pub const NINT: u8 = 1;
    pub const BYTES: u8 = 2;
    pub const TEXT: u8 = 3;
    pub const ARRAY: u8 = 4;
    pub const MAP: u8 = 5;
    pub const TAG: u8 = 6;
    pub const SIMPLE: u8 = 7;
}

/// A key of a map of which only integers mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// An integer.
    Int(i64),
    /// Something else.
    Other,
}

/// The entries of a map that are still to come.
#[derive(Debug)]
pub struct Entries<'a> {
    left: u64,
    last: &'a [u8],
}

impl<'a> Entries<'a> {
    /// The next key; the caller then reads or skips its value. Keys rise in the order of their encodings.
    ///
    /// # Errors
    /// [`CborError`], [`CborError::KeyOrder`] above all.
    pub fn next(&mut self, r: &mut Reader<'a>) -> Result<Option<Key>, CborError> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        let start = r.0;
        let key = match start.first().map_or(u8::MAX, |first| first >> 5) {
            major::UINT | major::NINT => Key::Int(r.int()?),
            _ => {
                r.skip()?;
                Key::Other
            }
        };
        let encoded = r.since(start);
        if encoded <= self.last {
            return Err(CborError::KeyOrder);
        }
        self.last = encoded;
        Ok(Some(key))
    }
}

/// Reads items off the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// What is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.0
    }

    /// The bytes from `start`, an earlier [`rest`](Self::rest), to here.
    pub fn since(&self, start: &'a [u8]) -> &'a [u8] {
        start.get(..start.len().saturating_sub(self.0.len())).unwrap_or_default()
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// [`CborError::Trailing`].
    pub const fn end(self) -> Result<(), CborError> {
        if self.0.is_empty() { Ok(()) } else { Err(CborError::Trailing) }
    }

    fn take(&mut self, n: u64) -> Result<&'a [u8], CborError> {
        let n = usize::try_from(n).map_err(|_| CborError::Truncated)?;
        let (head, tail) = self.0.split_at_checked(n).ok_or(CborError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    /// An item's major type and argument, which is as short as can be.
    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.take(1)?.first().copied().unwrap_or_default();
        let (major, info) = (first >> 5, first & 31);
        let (len, least) = match info {
            0..24 => return Ok((major, u64::from(info))),
            // A simple value in a second byte, or a float.
            24..28 if major == major::SIMPLE => return Err(CborError::Unexpected),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            31 => return Err(CborError::NotCanonical),
            _ => return Err(CborError::Unexpected),
        };
        let value = self.take(len)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        if value < least { Err(CborError::NotCanonical) } else { Ok((major, value)) }
    }

    fn expect(&mut self, expected: u8) -> Result<u64, CborError> {
        let (major, value) = self.head()?;
        if major == expected { Ok(value) } else { Err(CborError::Unexpected) }
    }

    /// An unsigned integer.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn uint(&mut self) -> Result<u64, CborError> {
        self.expect(major::UINT)
    }

    /// An integer that fits 64 bits with its sign.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn int(&mut self) -> Result<i64, CborError> {
        let (major, value) = self.head()?;
        let value = i64::try_from(value).map_err(|_| CborError::Unexpected)?;
        match major {
            major::UINT => Ok(value),
            major::NINT => Ok(!value),
            _ => Err(CborError::Unexpected),
        }
    }

    /// A byte string.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn bytes(&mut self) -> Result<&'a [u8], CborError> {
        let len = self.expect(major::BYTES)?;
        self.take(len)
    }

    /// A byte string of `N` bytes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], CborError> {
        self.bytes()?.try_into().map_err(|_| CborError::Unexpected)
    }

    /// A text string.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn text(&mut self) -> Result<&'a str, CborError> {
        let len = self.expect(major::TEXT)?;
        str::from_utf8(self.take(len)?).map_err(|_| CborError::Unexpected)
    }

    /// The start of an array of exactly `n` items.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn items(&mut self, n: u64) -> Result<(), CborError> {
        if self.count()? == n { Ok(()) } else { Err(CborError::Unexpected) }
    }

    /// The start of an array: how many items follow.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn count(&mut self) -> Result<u64, CborError> {
        self.expect(major::ARRAY)
    }

    /// The start of a map.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn map(&mut self) -> Result<Entries<'a>, CborError> {
        Ok(Entries { left: self.expect(major::MAP)?, last: &[] })
    }

    /// Exactly this tag.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn tag(&mut self, tag: u64) -> Result<(), CborError> {
        if self.expect(major::TAG)? == tag { Ok(()) } else { Err(CborError::Unexpected) }
    }

    /// `false`.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn no(&mut self) -> Result<(), CborError> {
        if self.expect(major::SIMPLE)? == 20 { Ok(()) } else { Err(CborError::Unexpected) }
    }

    /// Passes over one item that is well-formed and deterministic, whatever it is (floats apart).
    ///
    /// # Errors
    /// [`CborError`].
    pub fn skip(&mut self) -> Result<(), CborError> {
        self.skip_at(MAX_DEPTH)
    }

    fn skip_at(&mut self, depth: u8) -> Result<(), CborError> {
        let start = *self;
        let (major, value) = self.head()?;
        let inner = depth.checked_sub(1).ok_or(CborError::TooDeep);
        match major {
            major::BYTES => self.take(value).map(|_| ()),
            major::TEXT => {
                *self = start;
                self.text().map(|_| ())
            }
            major::ARRAY => {
                let inner = inner?;
                (0..value).try_for_each(|_| self.skip_at(inner))
            }
            major::MAP => {
                let inner = inner?;
                let mut last: &[u8] = &[];
                (0..value).try_for_each(|_| {
                    let start = self.0;
                    self.skip_at(inner)?;
                    let key = self.since(start);
                    if key <= last {
                        return Err(CborError::KeyOrder);
                    }
                    last = key;
                    self.skip_at(inner)
                })
            }
            major::TAG => self.skip_at(inner?),
            // False, true, null, undefined; the others are not assigned.
            major::SIMPLE if !(20..24).contains(&value) => Err(CborError::Unexpected),
            _ => Ok(()),
        }
    }
}

/// Writes items one after the other; counts on where the memory ends.
#[derive(Debug)]
pub struct Writer<'a>(wire::Writer<'a>);

impl<'a> Writer<'a> {
    /// A writer into these bytes.
    pub const fn new(out: &'a mut [u8]) -> Self {
        Self(wire::Writer::new(out))
    }

    /// The length of what `write` writes.
    pub fn measure(write: impl FnOnce(&mut Writer<'_>)) -> usize {
        let mut w = Writer::new(&mut []);
        write(&mut w);
        w.0.len()
    }

    fn head(&mut self, major: u8, value: u64) -> &mut Self {
        let bytes = value.to_be_bytes();
        let [_, _, _, _, a, b, c, d] = bytes;
        let major = major << 5;
        match value {
            0..24 => self.0.put(&[major | d]),
            24..0x100 => self.0.put(&[major | 24, d]),
            0x100..0x1_0000 => self.0.put(&[major | 25, c, d]),
            0x1_0000..0x1_0000_0000 => self.0.put(&[major | 26, a, b, c, d]),
            _ => self.0.put(&[major | 27]).put(&bytes),
        };
        self
    }

    /// An integer.
    pub fn int(&mut self, value: i64) -> &mut Self {
        match u64::try_from(value) {
            Ok(value) => self.head(major::UINT, value),
            Err(_) => self.head(major::NINT, !value as u64),
        }
    }

    /// An unsigned integer.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.head(major::UINT, value)
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes_head(bytes.len()).raw(bytes)
    }

    /// The start of a byte string of that length.
    pub fn bytes_head(&mut self, len: usize) -> &mut Self {
        self.head(major::BYTES, len as u64)
    }

    /// A text string.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.head(major::TEXT, text.len() as u64).raw(text.as_bytes())
    }

    /// The start of an array.
    pub fn items(&mut self, n: u64) -> &mut Self {
        self.head(major::ARRAY, n)
    }

    /// The start of a map; its keys are then written in rising order.
    pub fn map(&mut self, n: u64) -> &mut Self {
        self.head(major::MAP, n)
    }

    /// A tag.
    pub fn tag(&mut self, tag: u64) -> &mut Self {
        self.head(major::TAG, tag)
    }

    /// `false`.
    pub fn no(&mut self) -> &mut Self {
        self.head(major::SIMPLE, 20)
    }

    /// Bytes that are CBOR already.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.put(bytes);
        self
    }

    /// Length so far.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The whole length.
    ///
    /// # Errors
    /// The length that it needs, where the memory was too short.
    pub const fn finish(&self) -> Result<usize, usize> {
        self.0.finish()
    }

    /// What was written so far.
    pub fn written(&self) -> &[u8] {
        self.0.written()
    }
}
