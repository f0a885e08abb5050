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
    /// An integer of 32 bits with its sign.
    Int(i32),
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
    /// The next key; the caller then reads or skips its value. Keys rise in the order of their encodings. `None`: there is
    /// no other, or the reader has failed.
    pub fn next(&mut self, r: &mut Reader<'a>) -> Option<Key> {
        self.left = self.left.checked_sub(1)?;
        let start = r.rest;
        let key = match start.first().map_or(u8::MAX, |first| first >> 5) {
            major::UINT | major::NINT => i32::try_from(r.int()).map_or(Key::Other, Key::Int),
            _ => {
                r.skip();
                Key::Other
            }
        };
        self.last = r.rising(start, self.last);
        if r.failed.is_some() { None } else { Some(key) }
    }
}

/// Reads items off the front. Its first error stays: what is read after it is zero or empty, [`ok`](Self::ok) and
/// [`end`](Self::end) tell of it. So a parser has one place to fail and not one for each item, which is half its code.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    failed: Option<CborError>,
    /// The argument of the last head.
    value: u64,
}

impl<'a> Reader<'a> {
    /// A reader of these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, failed: None, value: 0 }
    }

    /// What is left.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes from `start`, an earlier [`rest`](Self::rest), to here.
    pub fn since(&self, start: &'a [u8]) -> &'a [u8] {
        start.get(..start.len().saturating_sub(self.rest.len())).unwrap_or_default()
    }

    /// Whether all was well so far.
    ///
    /// # Errors
    /// The first [`CborError`].
    pub fn ok(&self) -> Result<(), CborError> {
        self.failed.map_or(Ok(()), Err)
    }

    /// All was well, and nothing is left.
    ///
    /// # Errors
    /// The first [`CborError`]; [`CborError::Trailing`].
    pub fn end(mut self) -> Result<(), CborError> {
        if !self.rest.is_empty() {
            self.fail(CborError::Trailing);
        }
        self.ok()
    }

    /// Why the reader has failed, or else `reason`: what was read is not what it should be.
    pub fn or<E: From<CborError>>(&self, reason: E) -> E {
        self.failed.map_or(reason, E::from)
    }

    #[inline(never)]
    fn fail(&mut self, error: CborError) {
        if self.failed.is_none() {
            self.failed = Some(error);
        }
        self.rest = &[];
    }

    fn check(&mut self, is_so: bool, error: CborError) {
        if !is_so {
            self.fail(error);
        }
    }

    fn take(&mut self, n: u64) -> &'a [u8] {
        match usize::try_from(n).ok().and_then(|n| self.rest.split_at_checked(n)) {
            Some((head, tail)) => {
                self.rest = tail;
                head
            }
            None => {
                self.fail(CborError::Truncated);
                &[]
            }
        }
    }

    /// An item's major type; its argument, which is as short as can be, is in `value`. No type where there is none.
    fn head(&mut self) -> u8 {
        self.value = 0;
        let Some(first) = self.take(1).first() else { return u8::MAX };
        let (major, info) = (first >> 5, first & 31);
        let len: u64 = match info {
            0..24 => {
                self.value = u64::from(info);
                return major;
            }
            // A simple value in a second byte, or a float.
            24..28 if major != major::SIMPLE => 1 << (info & 3),
            _ => {
                self.fail(if info == 31 { CborError::NotCanonical } else { CborError::Unexpected });
                return u8::MAX;
            }
        };
        let value = self.take(len).iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        // Less than this goes into fewer bytes.
        let least = if len == 1 { 24 } else { 1 << (len << 2) };
        self.check(value >= least, CborError::NotCanonical);
        self.value = value;
        major
    }

    fn expect(&mut self, expected: u8) -> u64 {
        let major = self.head();
        self.check(major == expected, CborError::Unexpected);
        if self.failed.is_none() { self.value } else { 0 }
    }

    fn is(&mut self, major: u8, value: u64) {
        let found = self.expect(major);
        self.check(found == value, CborError::Unexpected);
    }

    /// An unsigned integer.
    pub fn uint(&mut self) -> u64 {
        self.expect(major::UINT)
    }

    /// An integer that fits 64 bits with its sign.
    pub fn int(&mut self) -> i64 {
        let major = self.head();
        let value = self.value as i64;
        self.check(major <= major::NINT && value >= 0, CborError::Unexpected);
        match major {
            _ if self.failed.is_some() => 0,
            major::NINT => !value,
            _ => value,
        }
    }

    /// A byte string.
    pub fn bytes(&mut self) -> &'a [u8] {
        let len = self.expect(major::BYTES);
        self.take(len)
    }

    /// A byte string of `N` bytes.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let bytes = self.bytes().try_into();
        self.check(bytes.is_ok(), CborError::Unexpected);
        bytes.unwrap_or([0; N])
    }

    /// A text string.
    pub fn text(&mut self) -> &'a str {
        let len = self.expect(major::TEXT);
        self.utf8(len)
    }

    fn utf8(&mut self, len: u64) -> &'a str {
        let text = str::from_utf8(self.take(len));
        self.check(text.is_ok(), CborError::Unexpected);
        text.unwrap_or_default()
    }

    /// The start of an array of exactly `n` items.
    pub fn items(&mut self, n: u64) {
        self.is(major::ARRAY, n);
    }

    /// The start of an array: how many items follow.
    pub fn count(&mut self) -> u64 {
        self.expect(major::ARRAY)
    }

    /// The start of a map.
    pub fn map(&mut self) -> Entries<'a> {
        Entries { left: self.expect(major::MAP), last: &[] }
    }

    /// Exactly this tag.
    pub fn tag(&mut self, tag: u64) {
        self.is(major::TAG, tag);
    }

    /// `false`.
    pub fn no(&mut self) {
        self.is(major::SIMPLE, 20);
    }

    /// A map's key, from `start` to here, that comes after `last`; which the next one comes after.
    fn rising(&mut self, start: &'a [u8], last: &'a [u8]) -> &'a [u8] {
        let key = self.since(start);
        self.check(key > last, CborError::KeyOrder);
        key
    }

    /// Passes over one item that is well-formed and deterministic, whatever it is (floats apart).
    pub fn skip(&mut self) {
        self.skip_at(MAX_DEPTH);
    }

    fn skip_at(&mut self, depth: u8) {
        let major = self.head();
        let value = self.value;
        let (items, is_map) = match major {
            _ if self.failed.is_some() => return,
            major::BYTES => {
                self.take(value);
                return;
            }
            major::TEXT => {
                self.utf8(value);
                return;
            }
            major::ARRAY => (value, false),
            major::MAP => (value, true),
            major::TAG => (1, false),
            // False, true, null, undefined; the others are not assigned.
            major::SIMPLE => return self.check((20..24).contains(&value), CborError::Unexpected),
            _ => return,
        };
        let Some(inner) = depth.checked_sub(1) else { return self.fail(CborError::TooDeep) };
        let mut last: &[u8] = &[];
        for _ in 0..items {
            if is_map {
                let start = self.rest;
                self.skip_at(inner);
                last = self.rising(start, last);
            }
            if self.failed.is_some() {
                return;
            }
            self.skip_at(inner);
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

    /// A key of a map.
    pub fn key(&mut self, key: i32) -> &mut Self {
        self.int(key.into())
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
