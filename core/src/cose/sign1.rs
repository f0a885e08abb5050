//! COSE_Sign1 (RFC 9052, section 4.2) around a CWT, and the errors of all signed objects.

use super::cbor::{CborError, Key, Reader, Writer};
use crate::crypto::keys::KeyError;
use crate::crypto::sign::{PublicKey, SIGNATURE_LEN, Signer};

/// COSE_Sign1's tag.
const TAG: u64 = 18;
/// Header parameters (RFC 9052, section 3.1).
mod header {
    pub const ALG: i32 = 1;
    pub const CRIT: i32 = 2;
    /// Empty in what is issued here: some libraries take nothing without one.
    pub const KID: i32 = 4;
}
/// What of the Sig_structure stands before the protected header, and between that and the payload.
const CONTEXT: &[u8] = b"\x84\x6aSignature1";
const NO_AAD: &[u8] = b"\x40";

/// Why a ticket or a revocation list is not accepted. What a peer sent is refused, never an [`Error`](crate::Error).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Not the deterministic CBOR of such an object.
    Encoding(CborError),
    /// Signed with another algorithm than the agent's.
    Algorithm,
    /// It says that whoever does not know some header must refuse it, or it has one that nobody signed.
    Header,
    /// A claim is missing, out of range, or contradicts another one.
    Claims,
    /// The device's key is of a kind that is not known here.
    Key,
    /// Another agent issued it.
    Agent,
    /// It is about another device.
    Subject,
    /// The signature does not verify.
    Signature,
    /// It is over.
    Expired,
    /// It begins later.
    NotYetValid,
    /// The newest revocation list names it.
    Revoked,
    /// A newer one is here already.
    Older,
}

impl Refused {
    /// The stable number of this reason, below zero and apart from those of [`Error`](crate::Error); append-only.
    pub const fn code(self) -> i32 {
        match self {
            Self::Encoding(_) => -201,
            Self::Algorithm => -202,
            Self::Header => -203,
            Self::Claims => -204,
            Self::Key => -205,
            Self::Agent => -206,
            Self::Subject => -207,
            Self::Signature => -208,
            Self::Expired => -209,
            Self::NotYetValid => -210,
            Self::Revoked => -211,
            Self::Older => -212,
        }
    }

    /// The reason in a word, the same in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encoding(CborError::Truncated) => "truncated",
            Self::Encoding(CborError::NotCanonical) => "not_canonical",
            Self::Encoding(CborError::KeyOrder) => "key_order",
            Self::Encoding(CborError::Unexpected) => "unexpected",
            Self::Encoding(CborError::TooDeep) => "too_deep",
            Self::Encoding(CborError::TooLong) => "too_long",
            Self::Encoding(CborError::Trailing) => "trailing",
            Self::Algorithm => "algorithm",
            Self::Header => "header",
            Self::Claims => "claims",
            Self::Key => "key",
            Self::Agent => "agent",
            Self::Subject => "subject",
            Self::Signature => "signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Revoked => "revoked",
            Self::Older => "older",
        }
    }

    /// The reason for people.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Encoding(_) => "refused: not the deterministic CBOR of a ticket or list",
            Self::Algorithm => "refused: signed with another algorithm than the agent's",
            Self::Header => "refused: a header that must be known and is not, or that nobody signed",
            Self::Claims => "refused: a claim is missing, out of range, or contradicts another one",
            Self::Key => "refused: the device's key is of a kind that is not known here",
            Self::Agent => "refused: another agent issued it",
            Self::Subject => "refused: it is about another device",
            Self::Signature => "refused: the signature does not verify",
            Self::Expired => "refused: it is over",
            Self::NotYetValid => "refused: it begins later",
            Self::Revoked => "refused: the newest revocation list names it",
            Self::Older => "refused: a newer one is here already",
        }
    }
}

impl From<CborError> for Refused {
    fn from(error: CborError) -> Self {
        Self::Encoding(error)
    }
}

/// A COSE_Sign1 object taken apart; nothing is verified yet.
#[derive(Clone, Copy, Debug)]
pub struct Sign1<'a> {
    algorithm: i64,
    /// The two byte strings that are signed, with their heads.
    protected: &'a [u8],
    content: &'a [u8],
    payload: &'a [u8],
    signature: [u8; SIGNATURE_LEN],
}

impl<'a> Sign1<'a> {
    /// Takes an object of at most `max` bytes apart.
    ///
    /// # Errors
    /// [`Refused::Encoding`], [`Refused::Algorithm`] (none), [`Refused::Header`].
    pub fn read(bytes: &'a [u8], max: usize) -> Result<Self, Refused> {
        if bytes.len() > max {
            return Err(CborError::TooLong.into());
        }
        let mut r = Reader::new(bytes);
        r.tag(TAG);
        r.items(4);
        let start = r.rest();
        let inside = r.bytes();
        let protected = r.since(start);
        r.ok()?;
        let algorithm = headers(inside)?;
        // Whatever stands here nobody signed: it could be changed, and the object's hash with it.
        if r.map().next(&mut r).is_some() {
            return Err(Refused::Header);
        }
        let start = r.rest();
        let payload = r.bytes();
        let content = r.since(start);
        let signature = r.array();
        r.end()?;
        Ok(Self { algorithm, protected, content, payload, signature })
    }

    /// What is signed.
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The signature algorithm's number in COSE (RFC 9053).
    pub const fn algorithm(&self) -> i64 {
        self.algorithm
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`Refused::Algorithm`] for another algorithm than the key's, [`Refused::Signature`].
    pub fn verify(&self, key: &PublicKey) -> Result<(), Refused> {
        if self.algorithm != i64::from(key.algorithm().cose()) {
            return Err(Refused::Algorithm);
        }
        key.verify(&[CONTEXT, self.protected, NO_AAD, self.content], &self.signature).map_err(|_| Refused::Signature)
    }
}

/// The algorithm of a protected header.
fn headers(bytes: &[u8]) -> Result<i64, Refused> {
    let mut r = Reader::new(bytes);
    let mut entries = r.map();
    let mut algorithm = None;
    while let Some(key) = entries.next(&mut r) {
        match key {
            Key::Int(header::ALG) => algorithm = Some(r.int()),
            Key::Int(header::CRIT) => return Err(Refused::Header),
            _ => r.skip(),
        }
    }
    r.end()?;
    algorithm.ok_or(Refused::Algorithm)
}

/// Why an agent did not issue. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IssueError {
    /// The output buffer is too small.
    BufferTooSmall {
        /// Size in bytes that will do.
        needed: usize,
    },
    /// Nobody would accept it: the same reason as there.
    Refused(Refused),
    /// The signer failed, or has not finished.
    Key(KeyError),
    /// No number is reserved in storage: store the agent first.
    Unstored,
}

impl From<Refused> for IssueError {
    fn from(reason: Refused) -> Self {
        Self::Refused(reason)
    }
}

/// Signs the payload that `write` writes, as a COSE_Sign1 object in `out`; its length.
///
/// # Errors
/// [`IssueError::BufferTooSmall`], [`IssueError::Key`].
pub fn sign(signer: &dyn Signer, out: &mut [u8], write: impl Fn(&mut Writer<'_>)) -> Result<usize, IssueError> {
    let key = signer.public_key().map_err(IssueError::Key)?;
    let algorithm = i64::from(key.algorithm().cose());
    let header = |w: &mut Writer<'_>| {
        w.map(2).key(header::ALG).int(algorithm).key(header::KID).bytes(&[]);
    };
    let len = Writer::measure(&write);
    let mut w = Writer::new(out);
    w.tag(TAG).items(4);
    let a = w.len();
    w.bytes_head(Writer::measure(header));
    header(&mut w);
    let b = w.len();
    w.map(0);
    let c = w.len();
    w.bytes_head(len);
    write(&mut w);
    let d = w.len();
    let mut signature = [0; SIGNATURE_LEN];
    let needed = d.saturating_add(Writer::measure(|w| {
        w.bytes(&signature);
    }));
    let short = IssueError::BufferTooSmall { needed };
    w.finish().map_err(|_| short)?;
    let part = |from, to| w.written().get(from..to).ok_or(short);
    signer.sign(&[CONTEXT, part(a, b)?, NO_AAD, part(c, d)?], &mut signature).map_err(IssueError::Key)?;
    w.bytes(&signature);
    w.finish().map_err(|_| short)
}
