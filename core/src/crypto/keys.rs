//! Private keys that may live elsewhere: in memory, in a secure element, behind PKCS#11.

/// Why a private key did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The token has not finished: ask the same again later.
    Pending,
    /// There is no such key here, or not for this algorithm.
    NoKey,
    /// What the other side gave is no element of the group.
    BadElement,
    /// The token failed, or the key is not valid.
    Failed,
}
