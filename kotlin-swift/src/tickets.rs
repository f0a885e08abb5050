//! Tickets, revocation lists, and the keys that sign them. Times are seconds since 1970.

use crate::error::IotkmError;
use crate::secret::SecretBytes;
use crate::static_key::Curve;
use crate::surroundings::{Cx, Device};
use iotkm::cose::message::Request;
use iotkm::cose::revocation::LIST_OVERHEAD;
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{self, Agent as CoreAgent, DeviceKey, IssueError, Message};
use iotkm::crypto::keys::{KeyError, KeySlot};
use iotkm::crypto::sign::{EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, Signer};
use std::sync::Arc;

/// How an agent signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Algorithm {
    /// Ed25519: keys of 32 bytes.
    EdDsa,
    /// ECDSA on P-256 with SHA-256: keys of 65 bytes, 04 | x | y.
    Es256,
}

/// The agent whose tickets a device goes by.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Agent {
    /// Its name, 1 to 32 bytes of UTF-8.
    pub name: String,
    /// How it signs.
    pub algorithm: Algorithm,
    /// Its public key.
    pub key: Vec<u8>,
}

impl Agent {
    pub(crate) fn key(&self) -> Result<PublicKey, IotkmError> {
        let key = match self.algorithm {
            Algorithm::EdDsa => PublicKey::new(&EDDSA, &self.key),
            Algorithm::Es256 => PublicKey::new(&ES256, &self.key),
        };
        key.map_err(|_| IotkmError::BadArgument)
    }

    fn core(&self) -> Result<CoreAgent<'_>, IotkmError> {
        Ok(CoreAgent { name: &self.name, key: self.key()? })
    }
}

/// A ticket agent's key to sign with: an Ed25519 seed, or a P-256 scalar, 32 bytes.
fn signer(algorithm: Algorithm, secret: &SecretBytes) -> Result<Box<dyn Signer>, IotkmError> {
    let secret = secret.key()?;
    Ok(match algorithm {
        Algorithm::EdDsa => Box::new(Ed25519Key::new(secret)),
        Algorithm::Es256 => Box::new(Es256Key::new(secret)),
    })
}

/// The agent of this name that signs with this secret of 32 bytes: an Ed25519 seed, or a P-256 scalar.
///
/// # Errors
/// `BadArgument` for a secret that is none.
#[uniffi::export]
pub fn agent_of(name: String, algorithm: Algorithm, secret: Arc<SecretBytes>) -> Result<Agent, IotkmError> {
    let key = signer(algorithm, &secret)?.public_key().map_err(|_| IotkmError::BadArgument)?;
    Ok(Agent { name, algorithm, key: key.as_bytes().to_vec() })
}

impl From<IssueError> for IotkmError {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Refused(reason) => reason.into(),
            IssueError::Unstored => Self::WrongState,
            _ => Self::BadArgument,
        }
    }
}

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
    fn inner(&self) -> Result<cose::Ticket<'_>, IotkmError> {
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

    /// Issues a ticket with an agent's secret. Numbers are the caller's affair.
    ///
    /// # Errors
    /// `Refused` where nobody would accept it; `BadArgument` for a secret that is none.
    #[uniffi::constructor]
    pub fn issue(algorithm: Algorithm, secret: Arc<SecretBytes>, claims: Claims) -> Result<Self, IotkmError> {
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
        let len = cose::Ticket::issue(&*signer(algorithm, &secret)?, &claims, &mut out)?;
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
    fn inner(&self) -> Result<cose::RevocationList<'_>, IotkmError> {
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

    /// Issues a list with an agent's secret.
    ///
    /// # Errors
    /// `Refused` for serials in another order; `BadArgument` for a secret that is none.
    #[uniffi::constructor]
    pub fn issue(algorithm: Algorithm, secret: Arc<SecretBytes>, revoked: Revoked) -> Result<Self, IotkmError> {
        let Revoked { agent, issued_at, number, serials } = revoked;
        let mut out = vec![0; serials.len().saturating_mul(4).saturating_add(LIST_OVERHEAD)];
        let signer = signer(algorithm, &secret)?;
        let len = cose::RevocationList::issue(&*signer, &agent, issued_at, number, &serials, &mut out)?;
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

/// What an operator sends an agent: a ticket, please, for the device of this name, whose static key `key` the vault holds.
/// `lifetime`: how long it shall be valid, in seconds.
///
/// # Errors
/// `Vault` where there is no such key or the token works still; `Refused` for a name that no ticket can have.
#[uniffi::export]
pub fn ticket_request(
    device: &Device,
    key: u16,
    curve: Curve,
    name: String,
    scope: String,
    lifetime: u64,
) -> Result<Vec<u8>, IotkmError> {
    let cx = Cx { now: 0, wall: None, place: Vec::new() };
    device.with(&cx, |cx| {
        let kem = curve.kem();
        let mut share = vec![0; kem.group().share_len()];
        cx.keys.public_key(KeySlot(key), kem, &mut share).map_err(|error| IotkmError::Vault {
            reason: match error {
                KeyError::Pending => "the token works still: ask again",
                KeyError::NoKey => "no such key",
                _ => "the public key could not be had",
            }
            .to_owned(),
        })?;
        let key = DeviceKey::new(curve.group()?, &share)?;
        let message = Message::Request(Request { subject: &name, key, scope: &scope, lifetime });
        let mut out = vec![0; TICKET_MAX_FFC];
        let len = message.write(&mut out).map_err(|needed| IotkmError::BufferTooSmall { needed: needed as u64 })?;
        out.truncate(len);
        Message::read(&out)?;
        Ok(out)
    })
}
