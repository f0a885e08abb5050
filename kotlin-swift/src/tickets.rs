//! Tickets and revocation lists. Times are seconds since 1970.

use crate::error::IotkmError;
use crate::signing::{Agent, SigningKey};
use crate::static_key::Curve;
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{self, DeviceKey};
use iotkm::crypto::sign::Signer;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Claims {
    /// The agent's name.
    pub agent: String,
    /// The device's name.
    pub device: String,
    /// The curve of the device's key.
    pub curve: Curve,
    /// The device's public key.
    pub key: Vec<u8>,
    /// The agent's number for it, never given twice.
    pub serial: u32,
    /// When it was issued.
    pub issued_at: u64,
    /// From when on it is no longer valid.
    pub expires: u64,
    /// From when on it is valid; none: from when it was issued.
    #[uniffi(default = None)]
    pub not_before: Option<u64>,
    /// What the device may do: words with blanks between them, or empty.
    #[uniffi(default = "")]
    pub scope: String,
}

/// A ticket: an agent's word that a device has a key, for a time.
#[derive(Debug, uniffi::Object)]
#[uniffi::export(Debug)]
pub struct Ticket(pub(crate) Vec<u8>);

impl Ticket {
    pub(crate) fn inner(&self) -> Result<cose::Ticket<'_>, IotkmError> {
        Ok(cose::Ticket::peek(&self.0)?)
    }
}

#[uniffi::export]
impl Ticket {
    /// Reads a ticket that this agent signed. Whether it is valid now, `check` says, or `Wallet.check`.
    ///
    /// # Errors
    /// `Refused`; `BadArgument` for an agent whose key is none.
    #[uniffi::constructor]
    pub fn verify(bytes: Vec<u8>, agent: Agent) -> Result<Self, IotkmError> {
        cose::Ticket::verify(&bytes, &agent.core()?)?;
        Ok(Self(bytes))
    }

    /// Reads a ticket that nobody vouches for: to show it, or where it was verified before.
    ///
    /// # Errors
    /// `Refused`.
    #[uniffi::constructor]
    pub fn peek(bytes: Vec<u8>) -> Result<Self, IotkmError> {
        cose::Ticket::peek(&bytes)?;
        Ok(Self(bytes))
    }

    /// Issues a ticket. The caller never gives a serial twice; `TicketAgent.issue` sees to that.
    ///
    /// # Errors
    /// `Refused` where nobody would accept it; `Vault` where the key did not sign.
    #[uniffi::constructor]
    pub fn issue(signer: &SigningKey, claims: Claims) -> Result<Self, IotkmError> {
        let claims = cose::Claims {
            issuer: &claims.agent,
            subject: &claims.device,
            expires: claims.expires,
            not_before: claims.not_before,
            issued_at: claims.issued_at,
            serial: claims.serial,
            key: DeviceKey::new(claims.curve.group()?, &claims.key)?,
            scope: &claims.scope,
        };
        let mut out = vec![0; TICKET_MAX_FFC];
        let len = signer.with(|signer| cose::Ticket::issue(signer, &claims, &mut out))?;
        out.truncate(len);
        Ok(Self(out))
    }

    /// Throws where the ticket is over or has not begun. `wall`: now, or none without a clock; `floor`: the newest time of
    /// issue of anything that the agent signed.
    ///
    /// # Errors
    /// `Refused`.
    #[uniffi::method(default(floor = 0))]
    pub fn check(&self, wall: Option<u64>, floor: u64) -> Result<(), IotkmError> {
        Ok(self.inner()?.valid_at(wall, floor)?)
    }

    /// What it says.
    ///
    /// # Errors
    /// None that a ticket has.
    pub fn claims(&self) -> Result<Claims, IotkmError> {
        let ticket = self.inner()?;
        let claims = ticket.claims();
        Ok(Claims {
            agent: claims.issuer.to_owned(),
            device: claims.subject.to_owned(),
            curve: Curve::of(claims.key.group())?,
            key: claims.key.as_bytes().to_vec(),
            serial: claims.serial,
            issued_at: claims.issued_at,
            expires: claims.expires,
            not_before: claims.not_before,
            scope: claims.scope.to_owned(),
        })
    }

    /// The 8 bytes that stand for it.
    ///
    /// # Errors
    /// None that a ticket has.
    pub fn reference(&self) -> Result<Vec<u8>, IotkmError> {
        Ok(self.inner()?.reference().0.to_vec())
    }

    /// The whole ticket.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// A revocation list: the serials of an agent's tickets that are no longer good.
#[derive(Debug, uniffi::Object)]
#[uniffi::export(Debug)]
pub struct RevocationList(pub(crate) Vec<u8>);

impl RevocationList {
    /// For the list of these serials.
    pub(crate) fn room(serials: &[u32]) -> Vec<u8> {
        vec![0; serials.len().min(LIST_MAX).saturating_mul(4).saturating_add(LIST_OVERHEAD)]
    }

    pub(crate) fn inner(&self) -> Result<cose::RevocationList<'_>, IotkmError> {
        Ok(cose::RevocationList::peek(&self.0)?)
    }
}

/// What a revocation list says.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Revoked {
    /// The agent's name.
    pub agent: String,
    /// When it was issued.
    pub issued_at: u64,
    /// Its number, never given twice; a higher one is newer.
    pub number: u32,
    /// The serials, rising, none twice.
    pub serials: Vec<u32>,
}

#[uniffi::export]
impl RevocationList {
    /// Reads a list that this agent signed.
    ///
    /// # Errors
    /// `Refused`; `BadArgument` for an agent whose key is none.
    #[uniffi::constructor]
    pub fn verify(bytes: Vec<u8>, agent: Agent) -> Result<Self, IotkmError> {
        cose::RevocationList::verify(&bytes, &agent.core()?)?;
        Ok(Self(bytes))
    }

    /// Reads a list that nobody vouches for: to show it, or where it was verified before.
    ///
    /// # Errors
    /// `Refused`.
    #[uniffi::constructor]
    pub fn peek(bytes: Vec<u8>) -> Result<Self, IotkmError> {
        cose::RevocationList::peek(&bytes)?;
        Ok(Self(bytes))
    }

    /// Issues a list. The caller never gives a number twice; `TicketAgent.revoke` sees to that.
    ///
    /// # Errors
    /// `Refused` for serials in another order, one that comes twice, or more than 16384; `Vault` where the key did not sign.
    #[uniffi::constructor]
    pub fn issue(signer: &SigningKey, revoked: Revoked) -> Result<Self, IotkmError> {
        let Revoked { agent, issued_at, number, serials } = revoked;
        let mut out = Self::room(&serials);
        let issue =
            |signer: &dyn Signer| cose::RevocationList::issue(signer, &agent, issued_at, number, &serials, &mut out);
        let len = signer.with(issue)?;
        out.truncate(len);
        Ok(Self(out))
    }

    /// What it says.
    ///
    /// # Errors
    /// None that a list has.
    pub fn revoked(&self) -> Result<Revoked, IotkmError> {
        let list = self.inner()?;
        Ok(Revoked {
            agent: list.issuer().to_owned(),
            issued_at: list.issued_at(),
            number: list.number(),
            serials: list.serials().collect(),
        })
    }

    /// Whether it names the ticket of this serial.
    ///
    /// # Errors
    /// None that a list has.
    pub fn contains(&self, serial: u32) -> Result<bool, IotkmError> {
        Ok(self.inner()?.contains(serial))
    }

    /// The whole list.
    pub fn bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}
