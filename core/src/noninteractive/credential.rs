//! The credential: a name, a time, and r, from which anybody computes the public key (paper 000, section 3.A).
//!
//! ```text
//! credential   serial u32 | iat u32 | life u16 | short(id) | r
//! y = y_Z^h r,   h = Scalar(operator, y_Z, group, id, iat, life, serial, r)
//! ```
//! Nothing in it is signed: of a credential that the operator did not issue nobody knows the private key.

use super::Setting;
use super::keys;
use crate::association::UnixTime;
use crate::cose::ticket::{NAME_MAX, is_name, seconds, valid_at};
use crate::cose::{Agent, Reference, Refused};
use crate::crypto::Secret;
use crate::crypto::group::{GroupError, Scalar, lend};
use crate::crypto::sign::PublicKey;
use crate::engine::wire::{Reader, Writer};
use core::str;

/// Bytes of a credential beside name and r.
pub const OVERHEAD: usize = 4 + 4 + 2 + 1;
/// Seconds in a unit of life.
pub const HOUR: u64 = 3600;

/// The longest credential in bytes whose r has `share` bytes.
pub const fn credential_max(share: usize) -> usize {
    (OVERHEAD + NAME_MAX).saturating_add(share)
}

/// Who issues the credentials that a device goes by.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'n> {
    /// Its name.
    pub name: &'n str,
    /// The suite and group of its credentials.
    pub setting: &'static Setting,
    /// y_Z, as a share.
    pub key: &'n [u8],
    /// The key that signs revocation lists: another one than y_Z.
    pub lists: PublicKey,
}

impl<'n> Operator<'n> {
    /// As the agent of revocation lists.
    pub const fn agent(&self) -> Agent<'n> {
        Agent { name: self.name, key: self.lists }
    }

    /// Writes the public key that belongs to `credential`, as an element: `y_Z^h r`.
    ///
    /// # Errors
    /// [`Refused::Key`] where r is no element of the group, or the result has no share.
    pub fn public_key(&self, credential: &Credential<'_>, y: &mut [u8]) -> Result<(), Refused> {
        let mut h = Secret::zero();
        keys::credential_hash(self.setting, self.name, self.key, credential, &mut h)
            .and_then(|()| implied(self.setting, self.key, &h, credential.r, y))
            .map_err(|_| Refused::Key)
    }
}

/// `y_Z^h r` as an element, which has a share.
pub(super) fn implied(setting: &Setting, yz: &[u8], h: &Scalar, r: &[u8], y: &mut [u8]) -> Result<(), GroupError> {
    let group = setting.group;
    lend(group.element_len(), &mut |a| {
        group.element_of_share(yz, a)?;
        lend(group.element_len(), &mut |b| {
            group.element_of_share(r, b)?;
            group.double_power(a, h, b, &group.one(), y)
        })
    })?;
    lend(group.share_len(), &mut |share| group.share_of_element(y, share))
}

/// A credential and its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The operator's number for it, never given twice.
    pub serial: u32,
    /// When it was issued, in seconds since 1970 (until 2106).
    pub issued_at: u32,
    /// How long it is valid, in hours.
    pub life: u16,
    /// The device's name.
    pub subject: &'a str,
    /// r, the paper's guarantee, as a share.
    pub r: &'a [u8],
}

impl<'a> Credential<'a> {
    /// Reads a credential. Whether its r is an element is seen where it is used.
    ///
    /// # Errors
    /// [`Refused::Claims`] for what is none, or is not valid for any time.
    pub fn read(bytes: &'a [u8], setting: &Setting) -> Result<Self, Refused> {
        let mut r = Reader::new(bytes);
        let credential = Self::take(&mut r, setting)?;
        r.end().map_err(|_| Refused::Claims)?;
        Ok(credential)
    }

    /// Reads a credential off the front of a message: it says itself how long it is.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn take(r: &mut Reader<'a>, setting: &Setting) -> Result<Self, Refused> {
        let mut fields = || Ok((r.u32()?, r.u32()?, r.u16()?, r.short(NAME_MAX)?, r.take(setting.group.share_len())?));
        let read: Result<_, crate::engine::drops::Dropped> = fields();
        let (serial, issued_at, life, subject, r) = read.map_err(|_| Refused::Claims)?;
        let subject = str::from_utf8(subject).ok().filter(|name| is_name(name)).ok_or(Refused::Claims)?;
        if life == 0 {
            return Err(Refused::Claims);
        }
        Ok(Self { serial, issued_at, life, subject, r })
    }

    /// The name in what may be a credential, of whatever group.
    pub fn peek_subject(bytes: &'a [u8]) -> Option<&'a [u8]> {
        let mut r = Reader::new(bytes);
        r.take(4 + 4 + 2).ok()?;
        r.short(NAME_MAX).ok()
    }

    /// Writes it.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&self.serial.to_be_bytes()).put(&self.issued_at.to_be_bytes()).put(&self.life.to_be_bytes());
        w.short(self.subject.as_bytes()).put(self.r);
    }

    /// From when on it is no longer valid, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        u64::from(self.issued_at).saturating_add(u64::from(self.life).saturating_mul(HOUR))
    }

    /// Whether it is valid: as a ticket ([`Ticket::valid_at`](crate::cose::Ticket::valid_at)). `floor` is in seconds.
    ///
    /// # Errors
    /// [`Refused::Expired`], [`Refused::NotYetValid`].
    pub fn valid_at(&self, wall: Option<UnixTime>, floor: u64) -> Result<(), Refused> {
        valid_at(self.issued_at.into(), self.expires(), wall.map(seconds), floor)
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        OVERHEAD.saturating_add(self.subject.len()).saturating_add(self.r.len())
    }

    /// Never.
    pub const fn is_empty(&self) -> bool {
        false
    }
}

/// What stands for a credential that the other side has: the front of its hash.
pub fn reference(credential: &[u8]) -> Reference {
    Reference::of(credential)
}
