//! What ticket agent, operator and device say to each other: `iotkm._messages` for Python, the core's bytes on the way.

use crate::tickets::{RevocationList, Ticket};
use crate::values::{Bytes, bytes, message_class, ticket_refused};
use iotkm::cose::message::{Acknowledged, Request};
use iotkm::cose::ticket::REFERENCE_LEN;
use iotkm::cose::{DeviceKey, KeyGroup, Message, Reference, Refused};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A reference from Python.
///
/// # Errors
/// `TicketRefusedError` for other than 8 bytes.
pub fn reference(py: Python<'_>, bytes: &[u8]) -> PyResult<Reference> {
    let array: Result<[u8; REFERENCE_LEN], _> = bytes.try_into();
    array.map(Reference).map_err(|_| ticket_refused(py, Refused::Claims))
}

/// A request of Python's, taken apart.
pub struct Wanted {
    device: String,
    group: KeyGroup,
    key: Bytes,
    scope: String,
    lifetime: u64,
}

impl Wanted {
    /// Of a `TicketRequest`.
    ///
    /// # Errors
    /// `TicketRefusedError` for a key of no known group.
    pub fn new(request: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = request.py();
        let group: String = request.getattr("group")?.extract()?;
        Ok(Self {
            device: request.getattr("device")?.extract()?,
            group: KeyGroup::named(&group).ok_or_else(|| ticket_refused(py, Refused::Key))?,
            key: request.getattr("key")?.extract()?,
            scope: request.getattr("scope")?.extract()?,
            lifetime: request.getattr("lifetime")?.extract()?,
        })
    }

    /// For the core.
    ///
    /// # Errors
    /// A key of another length than the group's.
    pub fn request(&self) -> Result<Request<'_>, Refused> {
        let key = DeviceKey::new(self.group, &self.key)?;
        Ok(Request { subject: &self.device, key, scope: &self.scope, lifetime: self.lifetime })
    }
}

/// Bytes of a message.
///
/// # Errors
/// `TicketRefusedError` for one that its receiver would refuse.
pub fn write<'py>(py: Python<'py>, message: &Message<'_>) -> PyResult<Bound<'py, PyBytes>> {
    let len = message.write(&mut []).err().unwrap_or(0);
    let mut out = vec![0; len];
    let _ = message.write(&mut out);
    Message::read(&out).map_err(|reason| ticket_refused(py, reason))?;
    Ok(bytes(py, &out))
}

/// Writes a message between ticket agent, operator and device: the payload of a record of theirs.
///
/// Args:
///     message: a `TicketRequest`, `Ticket`, `RevocationList`, `Acknowledged`, `Refusal`, `CredentialDue`, `CredentialAsked` or
///         `CredentialAnswer`.
///
/// Raises:
///     TicketRefusedError: its receiver would refuse it.
///
/// Examples:
///     >>> from iotkm import Acknowledged, TicketRequest, read_ticket_message, write_ticket_message
///     >>> data = write_ticket_message(TicketRequest("lamp-7", "x25519", bytes([9]) * 32, lifetime=86_400))
///     >>> len(data), read_ticket_message(data).device
///     (55, 'lamp-7')
///     >>> write_ticket_message(Acknowledged(bytes(8), list_number=3)).hex()
///     '830348000000000000000003'
#[pyfunction]
pub fn write_ticket_message<'py>(message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = message.py();
    if let Ok(ticket) = message.cast::<Ticket>() {
        return write(py, &Message::Ticket(&ticket.get().0));
    }
    if let Ok(list) = message.cast::<RevocationList>() {
        return write(py, &Message::List(&list.get().0));
    }
    let is = |name: &str| message.is_instance(&message_class(py, name)?);
    if is("TicketRequest")? {
        let wanted = Wanted::new(message)?;
        return write(py, &Message::Request(wanted.request().map_err(|reason| ticket_refused(py, reason))?));
    }
    if is("Acknowledged")? {
        let ticket = reference(py, &message.getattr("ticket")?.extract::<Bytes>()?)?;
        return write(
            py,
            &Message::Acknowledged(Acknowledged { ticket, list: message.getattr("list_number")?.extract()? }),
        );
    }
    if is("Refusal")? {
        return write(py, &Message::Refused(message.getattr("code")?.extract()?));
    }
    if is("CredentialDue")? {
        return write(py, &Message::CredentialDue);
    }
    if is("CredentialAsked")? {
        return write(py, &Message::CredentialRequest(&message.getattr("request")?.extract::<Bytes>()?));
    }
    if is("CredentialAnswer")? {
        return write(py, &Message::CredentialAnswer(&message.getattr("answer")?.extract::<Bytes>()?));
    }
    Err(PyTypeError::new_err(format!("{} is no message about tickets", message.get_type().name()?)))
}

/// Reads a message between ticket agent, operator and device. The signature of a ticket or a list in it is not looked at:
/// that does whoever takes it in.
///
/// Raises:
///     TicketRefusedError: it is none; ``reason`` says why. Nothing has changed; answer a `Refusal` if you like.
#[pyfunction]
pub fn read_ticket_message(py: Python<'_>, data: Bytes) -> PyResult<Bound<'_, PyAny>> {
    match Message::read(&data).map_err(|reason| ticket_refused(py, reason))? {
        Message::Request(request) => {
            let (key, group) = (bytes(py, request.key.as_bytes()), request.key.group().name());
            message_class(py, "TicketRequest")?.call1((request.subject, group, key, request.lifetime, request.scope))
        }
        Message::Ticket(ticket) => {
            let ticket = Ticket(ticket.to_vec());
            ticket.inner(py)?;
            Ok(Bound::new(py, ticket)?.into_any())
        }
        Message::List(list) => {
            let list = RevocationList(list.to_vec());
            list.inner(py)?;
            Ok(Bound::new(py, list)?.into_any())
        }
        Message::Acknowledged(held) => message_class(py, "Acknowledged")?.call1((bytes(py, &held.ticket.0), held.list)),
        Message::Refused(code) => message_class(py, "Refusal")?.call1((code,)),
        Message::CredentialDue => message_class(py, "CredentialDue")?.call0(),
        Message::CredentialRequest(request) => message_class(py, "CredentialAsked")?.call1((bytes(py, request),)),
        Message::CredentialAnswer(answer) => message_class(py, "CredentialAnswer")?.call1((bytes(py, answer),)),
        _ => Err(ticket_refused(py, Refused::Claims)),
    }
}
