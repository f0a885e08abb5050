//! The paper's equations, one function each. Values have 32 bytes; where the paper gives no encoding, it is SHA-256.

use crate::crypto::{Secret, kdf};
use crate::history::keys::Pair;

/// `M = Encrypt(Message)`, which the paper leaves open, and back.
pub use crate::engine::published::encrypt;

/// A value of the paper's: 32 bytes.
pub type Value = [u8; 32];

/// SK, LI or Data as a key: SHA-256 of its bytes.
pub fn value(bytes: &[u8]) -> Value {
    kdf::hash(&[bytes])
}

/// T as a key: SHA-256 of its eight bytes.
pub fn time(ms: u64) -> Value {
    value(&ms.to_be_bytes())
}

/// The XOR of both.
pub fn xor(a: &Value, b: &Value) -> Value {
    let mut out = *a;
    out.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
    out
}

/// `keys <- [SK, T, LI]`, or after an update `[T, LI, Data]` of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct PublishedTriple {
    keys: [Secret<32>; 3],
}

impl core::fmt::Debug for PublishedTriple {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PublishedTriple(..)")
    }
}

impl PublishedTriple {
    /// A triple of these three values.
    pub const fn new([a, b, c]: [Value; 3]) -> Self {
        Self { keys: [Secret::new(a), Secret::new(b), Secret::new(c)] }
    }

    /// What pairing agrees on.
    pub fn first(sk: &[u8], t: u64, li: &[u8]) -> Self {
        Self::new([value(sk), time(t), value(li)])
    }

    /// What an update puts in its place.
    pub fn next(t: u64, li: &[u8], data: &[u8]) -> Self {
        Self::new([time(t), value(li), value(data)])
    }

    /// The three values.
    pub fn values(&self) -> [&Value; 3] {
        self.keys.each_ref().map(Secret::expose)
    }

    /// `unusedKey = keys - {K1, K2}`.
    pub fn unused(&self, pair: Pair) -> &Value {
        let [a, b, c] = self.values();
        match pair {
            Pair::WithoutSk => a,
            Pair::WithoutT => b,
            Pair::WithoutLi => c,
        }
    }

    /// `C1 = K1 xor K2`.
    pub fn c1(&self, pair: Pair) -> Value {
        let [a, b, c] = self.values();
        match pair {
            Pair::WithoutSk => xor(b, c),
            Pair::WithoutT => xor(a, c),
            Pair::WithoutLi => xor(a, b),
        }
    }

    /// `SearchKeyPair(C1, keys)`.
    pub fn search(&self, c1: &Value) -> Option<Pair> {
        Pair::ALL.into_iter().find(|pair| self.c1(*pair) == *c1)
    }
}

/// `C2 = R_R xor unusedKey`, and back.
pub fn c2(r_r: &Value, unused: &Value) -> Value {
    xor(r_r, unused)
}

/// `C3 = R_I xor R_R`, and back.
pub fn c3(r_i: &Value, r_r: &Value) -> Value {
    xor(r_i, r_r)
}

/// `C4 = V xor R_R`, and back.
pub fn c4(v: &Value, r_r: &Value) -> Value {
    xor(v, r_r)
}

/// `C5 = V xor R_I`, and back.
pub fn c5(v: &Value, r_i: &Value) -> Value {
    xor(v, r_i)
}
