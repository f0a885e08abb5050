//! Credentials: what a side shows, and whether the other side's will do.

use super::keys::Cred;
use crate::association::UnixTime;
use crate::cose::ticket::NAME_MAX;
use crate::cose::{Reference, Refused};
use crate::crypto::hpke::Kem;
use crate::crypto::kdf::hash;
use core::cell::RefCell;
use core::fmt;

/// A device's name, as its credentials have it: 1 to 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    len: u8,
    bytes: [u8; NAME_MAX],
}

impl Subject {
    /// A name; `None` for one that no credential can have.
    pub fn new(name: &str) -> Option<Self> {
        Self::read(name.as_bytes())
    }
    /// A name from its bytes; `None` for one that no credential can have.
    pub fn read(name: &[u8]) -> Option<Self> {
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        if name.is_empty() { None } else { Some(Self { len: name.len() as u8, bytes }) }
    }
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
    /// Whether it is the lower of the two: it wins on glare.
    pub fn is_lower_than(&self, other: &Self) -> bool {
        self.as_bytes() < other.as_bytes()
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subject({})", self.as_bytes().escape_ascii())
    }
}

/// Whom the other side has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected<'a> {
    /// Anybody with a credential of the authority.
    Anyone,
    /// The device of this name.
    Subject(&'a Subject),
    /// A device that has this word in its credential's scope.
    Scope(&'a str),
}

impl Expected<'_> {
    /// Whether somebody of this name and scope is it.
    pub fn accepts(&self, subject: &[u8], scope: &str) -> bool {
        match self {
            Self::Anyone => true,
            Self::Subject(name) => name.as_bytes() == subject,
            Self::Scope(word) => scope.split(' ').any(|has| !has.is_empty() && has == *word),
        }
    }
}

/// What a credential is held against.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// This side's name: nobody else has it.
    pub me: &'a Subject,
    /// Whom the other side has to be.
    pub expected: Expected<'a>,
    /// The group of its key.
    pub kem: &'static dyn Kem,
    /// The wall clock, where there is one.
    pub wall: Option<UnixTime>,
}

/// A credential of this side's.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// The whole of it, as it travels.
    pub bytes: &'a [u8],
    /// Its public key as a share or as it stands in contexts, where it holds one.
    pub key: Option<&'a [u8]>,
    /// Its hash, where that was needed to find it.
    pub cred: Option<Cred>,
}

impl Own<'_> {
    /// Its hash.
    pub fn cred(&self) -> Cred {
        self.cred.unwrap_or_else(|| hash(&[self.bytes]))
    }
}

/// The front of a credential's hash, which stands for it.
pub(crate) fn reference(cred: &Cred) -> Reference {
    Reference(*cred.first_chunk().unwrap_or(&[0; 8]))
}

/// What a good credential says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is.
    pub subject: Subject,
    /// The authority's number for it.
    pub serial: u32,
    /// From when on it is no longer valid, in seconds since 1970.
    pub ends: u64,
    /// Length of its public key in bytes: a share, or as it stands in contexts.
    pub key_len: usize,
}

/// What a device knows of credentials: its own, its authority's key, what was revoked, how late it is at least.
pub trait Credentials {
    /// This device's credential to show now, and its end in seconds since 1970: the one that `known` stands for, where
    /// that is still good, else the newest. `None`: there is none that is valid.
    fn own(&self, known: Option<&Reference>, wall: Option<UnixTime>) -> Option<(Own<'_>, u64)>;

    /// Checks a credential of somebody else's and writes its public key into `key` (as much as [`Kem::public_len`]).
    /// `seen`: it was found good before, so that its signature need not be verified again. Nothing has changed
    /// afterwards: a credential alone does not say who showed it ([`saw`](Self::saw)).
    ///
    /// # Errors
    /// Why it will not do: for another group [`Refused::Key`], for this side's own name and where somebody else is wanted
    /// [`Refused::Subject`].
    fn check(&self, shown: &[u8], seen: bool, wanted: &Wanted<'_>, key: &mut [u8]) -> Result<Facts, Refused>;

    /// The owner of a checked credential has shown to be it: it is at least as late as that was issued.
    fn saw(&mut self, shown: &[u8]);

    /// Whether a credential that ends then and has this number is over or revoked, as far as one can tell.
    fn is_over(&self, ends: u64, serial: Option<u32>, wall: Option<UnixTime>) -> bool;

    /// Whether this side has a credential that is not revoked. The wall clock is not asked: it may be set back.
    fn has_own(&self) -> bool {
        self.own(None, None).is_some()
    }
}

/// Lends a device's credentials to one association after another, for the time of one call.
///
/// A [`RefCell`] around them does, owned, or lent to several associations of one thread; a host puts them behind a lock.
/// While they are lent otherwise, nothing of phase 1 goes on.
pub trait Lend {
    /// Calls `work` with them.
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials));
}

impl<C: Credentials> Lend for RefCell<C> {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        if let Ok(mut credentials) = self.try_borrow_mut() {
            work(&mut *credentials);
        }
    }
}

impl<L: Lend + ?Sized> Lend for &L {
    fn lend(&self, work: &mut dyn FnMut(&mut dyn Credentials)) {
        (**self).lend(work);
    }
}
