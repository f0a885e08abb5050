//! What agent, operator and device say to each other, as the payload of an association's records. Each is an array of
//! deterministic CBOR whose first item is its number; the association says who said it.

use super::cbor::{Reader, Writer};
use super::sign1::Refused;
use super::ticket::{DeviceKey, Reference, is_name};

mod number {
    pub const REQUEST: u64 = 0;
    pub const TICKET: u64 = 1;
    pub const LIST: u64 = 2;
    pub const ACKNOWLEDGED: u64 = 3;
    pub const REFUSED: u64 = 4;
    pub const DUE: u64 = 5;
    pub const CREDENTIAL_REQUEST: u64 = 6;
    pub const CREDENTIAL_ANSWER: u64 = 7;
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Operator to agent: a ticket for this device, please.
    Request(Request<'a>),
    /// Agent to operator, operator to device: a ticket.
    Ticket(&'a [u8]),
    /// Agent to operator, operator to device: a revocation list.
    List(&'a [u8]),
    /// Device to operator: what it now holds, in storage.
    Acknowledged(Acknowledged),
    /// Device to operator, agent to operator: what came was not taken, by [`Refused::code`].
    Refused(i64),
    /// Operator to device: ask for your next credential. For one that cannot tell: it has no clock.
    CredentialDue,
    /// Device to operator: REQUEST of a split issue ([`issue`](crate::noninteractive::issue)).
    CredentialRequest(&'a [u8]),
    /// Operator to device: ANSWER to it.
    CredentialAnswer(&'a [u8]),
}

/// What an operator asks an agent for. That the key is the device's, the operator answers for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The device's name.
    pub subject: &'a str,
    /// Its key.
    pub key: DeviceKey<'a>,
    /// What it may do, or empty.
    pub scope: &'a str,
    /// How long the ticket shall be valid, in seconds.
    pub lifetime: u64,
}

/// What a device holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Its newest ticket, or its credential.
    pub ticket: Reference,
    /// The number of its revocation list; 0: none.
    pub list: u32,
}

impl<'a> Message<'a> {
    /// Reads a message. Signed objects in it are bytes still.
    ///
    /// # Errors
    /// [`Refused::Encoding`], [`Refused::Claims`], [`Refused::Key`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, Refused> {
        let mut r = Reader::new(bytes);
        let items = r.count();
        let message = match (r.uint(), items) {
            (number::REQUEST, 5) => {
                let subject = r.text();
                let key = DeviceKey::read(&mut r)?;
                let request = Request { subject, key, scope: r.text(), lifetime: r.uint() };
                if !is_name(subject) || !(request.scope.is_empty() || is_name(request.scope)) {
                    return Err(r.or(Refused::Claims));
                }
                Self::Request(request)
            }
            (number::TICKET, 2) => Self::Ticket(r.bytes()),
            (number::LIST, 2) => Self::List(r.bytes()),
            (number::ACKNOWLEDGED, 3) => {
                let ticket = Reference(r.array());
                Self::Acknowledged(Acknowledged { ticket, list: u32::try_from(r.uint()).map_err(|_| Refused::Claims)? })
            }
            (number::REFUSED, 2) => Self::Refused(r.int()),
            (number::DUE, 1) => Self::CredentialDue,
            (number::CREDENTIAL_REQUEST, 2) => Self::CredentialRequest(r.bytes()),
            (number::CREDENTIAL_ANSWER, 2) => Self::CredentialAnswer(r.bytes()),
            _ => return Err(r.or(Refused::Claims)),
        };
        r.end()?;
        Ok(message)
    }

    /// Writes the message into `out`; its length.
    ///
    /// # Errors
    /// The length that it needs.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        match self {
            Self::Request(request) => {
                w.items(5).uint(number::REQUEST).text(request.subject);
                request.key.write(&mut w);
                w.text(request.scope).uint(request.lifetime)
            }
            Self::Ticket(bytes) => w.items(2).uint(number::TICKET).bytes(bytes),
            Self::List(bytes) => w.items(2).uint(number::LIST).bytes(bytes),
            Self::Acknowledged(held) => {
                w.items(3).uint(number::ACKNOWLEDGED).bytes(&held.ticket.0).uint(u64::from(held.list))
            }
            Self::Refused(code) => w.items(2).uint(number::REFUSED).int(*code),
            Self::CredentialDue => w.items(1).uint(number::DUE),
            Self::CredentialRequest(bytes) => w.items(2).uint(number::CREDENTIAL_REQUEST).bytes(bytes),
            Self::CredentialAnswer(bytes) => w.items(2).uint(number::CREDENTIAL_ANSWER).bytes(bytes),
        };
        w.finish()
    }
}
