//! The revocation list: a numbered CWT of the serials that are no longer good.

use super::cbor::{CborError, Key, Reader, Writer};
use super::sign1::{self, IssueError, Refused, Sign1};
use super::ticket::{Agent, claim, is_name};
use crate::crypto::sign::Signer;

/// Bytes of a list besides four for each serial, at most.
pub const LIST_OVERHEAD: usize = 160;
/// Serials that a list holds, at most.
pub const LIST_MAX: usize = 16_384;

/// A revocation list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevocationList<'a> {
    issuer: &'a str,
    issued_at: u64,
    number: u32,
    serials: &'a [[u8; 4]],
    bytes: &'a [u8],
}

impl<'a> RevocationList<'a> {
    /// Reads a list that is signed by `agent`.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn verify(bytes: &'a [u8], agent: &Agent<'_>) -> Result<Self, Refused> {
        let (list, object) = Self::take_apart(bytes)?;
        agent.vouches(&object, list.issuer)?;
        Ok(list)
    }

    /// Reads a list without looking at its signature: to show it, or where it was verified before.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn peek(bytes: &'a [u8]) -> Result<Self, Refused> {
        Ok(Self::take_apart(bytes)?.0)
    }

    fn take_apart(bytes: &'a [u8]) -> Result<(Self, Sign1<'a>), Refused> {
        let object = Sign1::read(bytes, LIST_MAX.saturating_mul(4).saturating_add(LIST_OVERHEAD))?;
        let mut r = Reader::new(object.payload());
        let mut entries = r.map();
        let (mut issuer, mut issued_at, mut number, mut serials) = (None, None, None, None);
        while let Some(key) = entries.next(&mut r) {
            match key {
                Key::Int(claim::ISS) => issuer = Some(r.text()),
                Key::Int(claim::IAT) => issued_at = Some(r.uint()),
                Key::Int(claim::CTI) => number = Some(u32::from_be_bytes(r.array())),
                Key::Int(claim::REVOKED) => serials = Some(r.bytes()),
                // A ticket is no list.
                Key::Int(claim::SUB | claim::EXP | claim::CNF) => return Err(Refused::Claims),
                _ => r.skip(),
            }
        }
        r.end()?;
        let (serials, rest) = serials.ok_or(Refused::Claims)?.as_chunks::<4>();
        let issuer = issuer.filter(|name| is_name(name)).ok_or(Refused::Claims)?;
        if !rest.is_empty() || !serials.is_sorted_by(|a, b| a < b) {
            return Err(Refused::Claims);
        }
        let issued_at = issued_at.ok_or(Refused::Claims)?;
        let number = number.ok_or(Refused::Claims)?;
        Ok((Self { issuer, issued_at, number, serials, bytes }, object))
    }

    /// Writes a list into `out`; its length. `serials` rise, none comes twice.
    ///
    /// # Errors
    /// [`IssueError`]; [`Refused::Claims`] in it for serials in another order.
    pub fn issue(
        signer: &dyn Signer,
        issuer: &str,
        issued_at: u64,
        number: u32,
        serials: &[u32],
        out: &mut [u8],
    ) -> Result<usize, IssueError> {
        if !is_name(issuer) || !serials.is_sorted_by(|a, b| a < b) {
            return Err(Refused::Claims.into());
        }
        if serials.len() > LIST_MAX {
            return Err(CborError::TooLong.into());
        }
        sign1::sign(signer, out, |w: &mut Writer<'_>| {
            w.map(4).key(claim::ISS).text(issuer).key(claim::IAT).uint(issued_at);
            w.key(claim::CTI).bytes(&number.to_be_bytes());
            w.key(claim::REVOKED).bytes_head(serials.len().saturating_mul(4));
            for serial in serials {
                w.raw(&serial.to_be_bytes());
            }
        })
    }

    /// The agent's name.
    pub const fn issuer(&self) -> &'a str {
        self.issuer
    }
    /// When it was issued, in seconds since 1970.
    pub const fn issued_at(&self) -> u64 {
        self.issued_at
    }
    /// Its number; a higher one is newer.
    pub const fn number(&self) -> u32 {
        self.number
    }
    /// The serials, rising.
    pub fn serials(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.serials.iter().map(|serial| u32::from_be_bytes(*serial))
    }
    /// The whole list.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }
    /// Whether it names that ticket.
    pub fn contains(&self, serial: u32) -> bool {
        self.serials.binary_search(&serial.to_be_bytes()).is_ok()
    }
}
