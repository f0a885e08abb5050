//! What agent, operator and device say to each other.

use super::agent::text;
use super::name;
use super::ticket::{IOTKM_NAME_TEXT, IOTKM_REFERENCE_LEN, curve, group};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::{c_char, c_int};
use core::ptr::null;
use core_of_iotkm::cose::message::{Acknowledged, Request};
use core_of_iotkm::cose::{DeviceKey, Message, Reference, Refused};

/// Bytes of a message with a ticket or a revocation list besides that, at most, and of one with a request for a credential or an
/// answer to it. A request for a ticket has no more than a ticket.
pub const IOTKM_TICKET_MESSAGE_OVERHEAD: usize = 7;

/// What a message says, by its number on the wire.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_ticket_message_kind {
    /// Operator to agent: a ticket for this device, please: `subject`, `scope`, `curve`, `key`, `key_len`, `lifetime_s`.
    IOTKM_TICKET_MESSAGE_REQUEST = 0,
    /// Agent to operator, operator to device: a ticket: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_TICKET = 1,
    /// Agent to operator, operator to device: a revocation list: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_LIST = 2,
    /// Device to operator: what it now holds, in storage: `ticket`, `list_number`.
    IOTKM_TICKET_MESSAGE_ACKNOWLEDGED = 3,
    /// Device to operator, agent to operator: what came was not taken: `code`.
    IOTKM_TICKET_MESSAGE_REFUSED = 4,
    /// Operator to device: ask for your next credential. For one that cannot tell: it has no clock.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE = 5,
    /// Device to operator: a request for a credential, for iotkm_credential_issue(): `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST = 6,
    /// Operator to device: the answer to that: `bytes`, `len`.
    IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER = 7,
}
use iotkm_ticket_message_kind::*;

/// What agent, operator and device say to each other, as the payload of an association's records: `kind` says which of the other
/// fields count; the rest are zero. Texts are UTF-8. To write one, fill the whole structure with zeros first.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_ticket_message {
    /// What it says: an iotkm_ticket_message_kind.
    pub kind: u32,
    /// The group of the device's key: an iotkm_curve.
    pub curve: c_int,
    /// The device's name.
    pub subject: [c_char; IOTKM_NAME_TEXT],
    /// What it may do: words with blanks between them, or empty.
    pub scope: [c_char; IOTKM_NAME_TEXT],
    /// The device's public key; of a message that was read, within its bytes. That it is the device's, the operator answers for.
    pub key: *const u8,
    /// Length of `key` in bytes.
    pub key_len: usize,
    /// How long the ticket shall be valid, in seconds.
    pub lifetime_s: u64,
    /// A ticket, a list, a request for a credential or an answer; of a message that was read, within its bytes. Nobody has looked
    /// at its signature yet: iotkm_ticket_verify(), iotkm_revocation_list_verify().
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
    /// What stands for the newest ticket, or for the credential.
    pub ticket: [u8; IOTKM_REFERENCE_LEN],
    /// The number of the revocation list; 0: none.
    pub list_number: u32,
    /// Why: an iotkm_status that says refused, or what another version of this library says.
    pub code: i64,
}

impl iotkm_ticket_message {
    const NONE: Self = Self {
        kind: 0,
        curve: 0,
        subject: [0; IOTKM_NAME_TEXT],
        scope: [0; IOTKM_NAME_TEXT],
        key: null(),
        key_len: 0,
        lifetime_s: 0,
        bytes: null(),
        len: 0,
        ticket: [0; IOTKM_REFERENCE_LEN],
        list_number: 0,
        code: 0,
    };

    fn of(message: &Message<'_>) -> Outcome<Self> {
        let object =
            |kind, object: &[u8]| Self { kind: kind as u32, bytes: object.as_ptr(), len: object.len(), ..Self::NONE };
        Ok(match message {
            Message::Request(request) => Self {
                kind: IOTKM_TICKET_MESSAGE_REQUEST as u32,
                curve: curve(request.key.group()),
                subject: name(request.subject),
                scope: name(request.scope),
                key: request.key.as_bytes().as_ptr(),
                key_len: request.key.as_bytes().len(),
                lifetime_s: request.lifetime,
                ..Self::NONE
            },
            Message::Ticket(ticket) => object(IOTKM_TICKET_MESSAGE_TICKET, ticket),
            Message::List(list) => object(IOTKM_TICKET_MESSAGE_LIST, list),
            Message::Acknowledged(held) => Self {
                kind: IOTKM_TICKET_MESSAGE_ACKNOWLEDGED as u32,
                ticket: held.ticket.0,
                list_number: held.list,
                ..Self::NONE
            },
            Message::Refused(code) => Self { kind: IOTKM_TICKET_MESSAGE_REFUSED as u32, code: *code, ..Self::NONE },
            Message::CredentialDue => Self { kind: IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE as u32, ..Self::NONE },
            Message::CredentialRequest(asked) => object(IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST, asked),
            Message::CredentialAnswer(answer) => object(IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, answer),
            _ => return Err(Refused::Claims.into()),
        })
    }

    /// What this says, if it is a request.
    pub(super) unsafe fn request(&self) -> Outcome<Request<'_>> {
        if self.kind != IOTKM_TICKET_MESSAGE_REQUEST as u32 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        Ok(Request {
            subject: text(self.subject.as_ptr())?,
            key: DeviceKey::new(group(self.curve)?, raw::bytes(self.key, self.key_len)?)?,
            scope: text(self.scope.as_ptr())?,
            lifetime: self.lifetime_s,
        })
    }

    unsafe fn message(&self) -> Outcome<Message<'_>> {
        const fn is(kind: iotkm_ticket_message_kind, number: u32) -> bool {
            kind as u32 == number
        }
        let (Self { ticket, list_number: list, kind, .. }, bytes) = (*self, raw::bytes(self.bytes, self.len)?);
        Ok(match kind {
            kind if is(IOTKM_TICKET_MESSAGE_REQUEST, kind) => Message::Request(self.request()?),
            kind if is(IOTKM_TICKET_MESSAGE_TICKET, kind) => Message::Ticket(bytes),
            kind if is(IOTKM_TICKET_MESSAGE_LIST, kind) => Message::List(bytes),
            kind if is(IOTKM_TICKET_MESSAGE_ACKNOWLEDGED, kind) => {
                Message::Acknowledged(Acknowledged { ticket: Reference(ticket), list })
            }
            kind if is(IOTKM_TICKET_MESSAGE_REFUSED, kind) => Message::Refused(self.code),
            kind if is(IOTKM_TICKET_MESSAGE_CREDENTIAL_DUE, kind) => Message::CredentialDue,
            kind if is(IOTKM_TICKET_MESSAGE_CREDENTIAL_REQUEST, kind) => Message::CredentialRequest(bytes),
            kind if is(IOTKM_TICKET_MESSAGE_CREDENTIAL_ANSWER, kind) => Message::CredentialAnswer(bytes),
            _ => return Err(IOTKM_E_BAD_ARGUMENT.into()),
        })
    }
}

/// Reads a message; `message` points into `bytes`. Errors: IOTKM_E_REFUSED_ENCODING, IOTKM_E_REFUSED_CLAIMS,
/// IOTKM_E_REFUSED_KEY for what is none; say so to the sender if you like (IOTKM_TICKET_MESSAGE_REFUSED).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_message_read(
    bytes: *const u8,
    len: usize,
    message: *mut iotkm_ticket_message,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(message)?;
        place.set(iotkm_ticket_message::of(&Message::read(raw::bytes(bytes, len)?)?)?);
        Ok(())
    })
}

/// Writes a message. What it points to does not lie in `out`. Errors: IOTKM_E_BUFFER_TOO_SMALL (the length of what it holds
/// and IOTKM_TICKET_MESSAGE_OVERHEAD will do, for all others IOTKM_TICKET_MAX, where it is about a key of FFC
/// IOTKM_TICKET_MAX_FFC); IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where its receiver would refuse it;
/// IOTKM_E_BAD_ARGUMENT for a kind or a curve that is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_message_write(
    message: *const iotkm_ticket_message,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let given: &iotkm_ticket_message = raw::read(message)?;
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let message = given.message()?;
        raw::apart(raw::bytes(given.key, given.key_len)?, out)?;
        raw::apart(raw::bytes(given.bytes, given.len)?, out)?;
        let len = message.write(out).map_err(|_| IOTKM_E_BUFFER_TOO_SMALL)?;
        Message::read(out.get(..len).ok_or(IOTKM_E_INTERNAL)?)?;
        out_len.set(len);
        Ok(())
    })
}
