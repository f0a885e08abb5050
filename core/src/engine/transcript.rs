//! The transcript: one 32-byte hash that each message of a run moves on.
//!
//! `th_0 = SHA-256(lv(scheme, profile, suite, ...))` binds what both sides must agree on before the first message;
//! `th_{n+1} = SHA-256(th_n || bytes)`. A message's tag is over the transcript that covers the message without that tag;
//! the tag itself enters with the next message. Chaining hashes instead of keeping one running state costs at most one
//! block more a message and needs 32 bytes instead of a hash state in every half-open run.

use crate::crypto::kdf;
use crate::crypto::secret::declassify;

/// A transcript hash. Not secret: it covers what the other side and everybody in between has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transcript([u8; kdf::HASH_LEN]);

impl Transcript {
    /// None yet: a place for one.
    pub const NONE: Self = Self([0; kdf::HASH_LEN]);

    /// `th_0` over length-prefixed fields.
    pub fn new(fields: &[&[u8]]) -> Self {
        Self(*declassify(&kdf::hash_lv(&[], fields)))
    }

    /// The transcript moved on by these bytes.
    #[must_use]
    pub fn then(&self, parts: &[&[u8]]) -> Self {
        Self(*declassify(&kdf::hash_then(&self.0, parts)))
    }

    /// The hash.
    pub const fn as_bytes(&self) -> &[u8; kdf::HASH_LEN] {
        &self.0
    }
}

impl From<[u8; kdf::HASH_LEN]> for Transcript {
    fn from(hash: [u8; kdf::HASH_LEN]) -> Self {
        Self(hash)
    }
}
