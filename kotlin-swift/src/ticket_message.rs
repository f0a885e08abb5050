//! What ticket agent, operator and device say to each other: the payload of an association's records.

use crate::error::IotkmError;
use crate::static_key::Curve;
use crate::surroundings::{Cx, Device};
use crate::tickets::{RevocationList, Ticket};
use iotkm::cose::message::{Acknowledged, Request};
use iotkm::cose::{DeviceKey, Message, Reference, Refused};
use iotkm::crypto::keys::{KeyError, KeySlot};
use std::sync::Arc;

/// What an operator asks an agent for. That the key is the device's, the operator answers for.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct TicketRequest {
    /// The device's name, 1 to 32 bytes of UTF-8.
    pub device: String,
    /// The curve of its key; not ristretto255.
    pub curve: Curve,
    /// Its public key, as long as the curve says (P-256: x alone).
    pub key: Vec<u8>,
    /// How long the ticket shall be valid, in seconds.
    pub lifetime: u64,
    /// What the device may do: words, at most 32 bytes; or empty.
    #[uniffi(default = "")]
    pub scope: String,
}

impl TicketRequest {
    pub(crate) fn core(&self) -> Result<Request<'_>, IotkmError> {
        let key = DeviceKey::new(self.curve.group()?, &self.key)?;
        Ok(Request { subject: &self.device, key, scope: &self.scope, lifetime: self.lifetime })
    }
}

/// What ticket agent, operator and device say to each other. The association says who said it.
///
/// ```text
/// let sent = lamp.send(cx, writeTicketMessage(Ticket(next)))               // at the operator
/// switch readTicketMessage(received.payload) {                             // what came back from the lamp
/// case Acknowledged(reference, listNumber): ...
/// case Refusal(code): ... }
/// ```
#[derive(Clone, Debug, uniffi::Enum)]
pub enum TicketMessage {
    /// Operator to agent: a ticket for this device, please.
    Request {
        /// For which.
        request: TicketRequest,
    },
    /// Agent to operator, operator to device: a ticket. Nobody has looked at its signature yet.
    Ticket {
        /// It.
        ticket: Arc<Ticket>,
    },
    /// Agent to operator, operator to device: a revocation list. Nobody has looked at its signature yet.
    RevocationList {
        /// It.
        list: Arc<RevocationList>,
    },
    /// Device to operator: what it now holds, in storage.
    Acknowledged {
        /// The reference of its newest ticket, or of its credential, 8 bytes.
        ticket: Vec<u8>,
        /// The number of its revocation list; 0: none.
        list_number: u32,
    },
    /// Device to operator, agent to operator: what came was not taken.
    Refusal {
        /// Why, as `code` of the `Refused` that was thrown there.
        code: i64,
    },
    /// Operator to device: ask for your next credential (`Holder.ask`). For one that cannot tell: it has no clock.
    CredentialDue,
    /// Device to operator: an answer to this request, please (`Holder.request` writes it).
    CredentialAsked {
        /// As of `CredentialRequest.request`.
        request: Vec<u8>,
    },
    /// Operator to device: what answers its request (`Holder.handle` takes it).
    CredentialAnswer {
        /// As of `OperatorKey.issue`.
        answer: Vec<u8>,
    },
}

/// Writes a message, for `send` of an association.
///
/// # Errors
/// `Refused` for one that its receiver would refuse; `BadArgument` for a request for a key of ristretto255.
#[uniffi::export]
pub fn write_ticket_message(message: TicketMessage) -> Result<Vec<u8>, IotkmError> {
    match &message {
        TicketMessage::Request { request } => written(&Message::Request(request.core()?)),
        TicketMessage::Ticket { ticket } => written(&Message::Ticket(&ticket.0)),
        TicketMessage::RevocationList { list } => written(&Message::List(&list.0)),
        TicketMessage::Acknowledged { ticket, list_number } => {
            let ticket = ticket.as_slice().try_into().map_err(|_| Refused::Claims)?;
            written(&Message::Acknowledged(Acknowledged { ticket: Reference(ticket), list: *list_number }))
        }
        TicketMessage::Refusal { code } => written(&Message::Refused(*code)),
        TicketMessage::CredentialDue => written(&Message::CredentialDue),
        TicketMessage::CredentialAsked { request } => written(&Message::CredentialRequest(request)),
        TicketMessage::CredentialAnswer { answer } => written(&Message::CredentialAnswer(answer)),
    }
}

/// Reads a message, as an association received it. The signature of a ticket or a list in it is not looked at: that does
/// whoever takes it in (`Wallet.handle`, `Ticket.verify`).
///
/// # Errors
/// `Refused` for what is none. Nothing has changed; answer a `Refusal` if you like.
#[uniffi::export]
pub fn read_ticket_message(bytes: Vec<u8>) -> Result<TicketMessage, IotkmError> {
    Ok(match Message::read(&bytes)? {
        Message::Request(request) => TicketMessage::Request {
            request: TicketRequest {
                device: request.subject.to_owned(),
                curve: Curve::of(request.key.group())?,
                key: request.key.as_bytes().to_vec(),
                lifetime: request.lifetime,
                scope: request.scope.to_owned(),
            },
        },
        Message::Ticket(ticket) => TicketMessage::Ticket { ticket: Arc::new(Ticket::peek(ticket.to_vec())?) },
        Message::List(list) => TicketMessage::RevocationList { list: Arc::new(RevocationList::peek(list.to_vec())?) },
        Message::Acknowledged(held) => {
            TicketMessage::Acknowledged { ticket: held.ticket.0.to_vec(), list_number: held.list }
        }
        Message::Refused(code) => TicketMessage::Refusal { code },
        Message::CredentialDue => TicketMessage::CredentialDue,
        Message::CredentialRequest(request) => TicketMessage::CredentialAsked { request: request.to_vec() },
        Message::CredentialAnswer(answer) => TicketMessage::CredentialAnswer { answer: answer.to_vec() },
        _ => return Err(Refused::Claims.into()),
    })
}

/// The message of a device that wants a ticket: a `Request` for the device of this name, whose static key `key` the vault
/// holds. `lifetime`: how long the ticket shall be valid, in seconds.
///
/// # Errors
/// `Vault` where there is no such key or the token works still; `Refused` for a name that no ticket can have; `BadArgument`
/// for ristretto255.
#[uniffi::export]
pub fn ticket_request(
    device: &Device,
    key: u16,
    curve: Curve,
    name: String,
    scope: String,
    lifetime: u64,
) -> Result<Vec<u8>, IotkmError> {
    let cx = Cx::none();
    let share = device.with(&cx, |cx| {
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
        Ok(share)
    })?;
    let request = TicketRequest { device: name, curve, key: share, lifetime, scope };
    write_ticket_message(TicketMessage::Request { request })
}

/// A message's bytes.
///
/// # Errors
/// `Refused` for one that its receiver would refuse.
pub(crate) fn written(message: &Message<'_>) -> Result<Vec<u8>, IotkmError> {
    let mut out = vec![0; message.write(&mut []).err().unwrap_or(0)];
    message.write(&mut out).map_err(|needed| IotkmError::BufferTooSmall { needed: needed as u64 })?;
    Message::read(&out)?;
    Ok(out)
}
