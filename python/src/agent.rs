//! Those who see to tickets: the agent that numbers them, the operator that has them renewed.

use crate::association::Guarded;
use crate::credentials::Credential;
use crate::platform::Platform;
use crate::signing::SigningKey;
use crate::ticket_message::Wanted;
use crate::tickets::{RevocationList, Ticket};
use crate::values::{self, Bytes, bad_argument, bytes, message_class, ticket_refused};
use iotkm::cose::operator::{Entry, Next};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{self, IssueError, Message};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

pub(crate) type CoreAgent = cose::TicketAgent;

/// A ticket agent's numbers: none is given twice, wherever its power is cut. Which tickets it issued is its caller's
/// record; `iotkm.authority` keeps both in a database.
///
/// Args:
///     name: as tickets will give it, at most 32 bytes in UTF-8.
///
/// Raises:
///     BadArgumentError: no ticket can have such a name.
///
/// Examples:
///     >>> from iotkm import Platform, SigningKey, TicketAgent, TicketRequest
///     >>> platform, key = Platform(bytes(32)), SigningKey("EdDSA", bytes(32))
///     >>> agent = TicketAgent("acme")
///     >>> blob, version = agent.seal(platform)  # reserves 256 numbers: store it, then
///     >>> agent.persisted()
///     >>> agent.issue(key, TicketRequest("lamp-7", "x25519", bytes([9]) * 32, lifetime=86_400), now=1_800_000_000)
///     <Ticket 1 of "acme" for "lamp-7" until 1800086400>
///     >>> agent.revoke(key, [1], now=1_800_000_000)
///     <RevocationList 1 of "acme", 1 serials>
///     >>> TicketAgent.restore(platform, blob=blob)
///     <TicketAgent 'acme'>
#[pyclass(frozen, module = "iotkm")]
pub struct TicketAgent(Guarded<CoreAgent>);

#[pymethods]
impl TicketAgent {
    /// The longest blob of a stored agent in bytes.
    #[classattr]
    const BLOB_MAX: usize = CoreAgent::BLOB_MAX;

    #[new]
    fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        CoreAgent::new(name).map(|agent| Self(Guarded::new(agent))).map_err(|e| values::error(py, e))
    }

    /// For a caller who keeps the numbers (in a database) and has given this one to nobody: one ticket or credential can be
    /// issued under it, and no other.
    ///
    /// Raises:
    ///     BadArgumentError: no ticket can have such a name; the number is the last there is.
    #[staticmethod]
    fn with_number(py: Python<'_>, name: &str, serial: u32) -> PyResult<Self> {
        let agent = CoreAgent::with_number(name, serial);
        agent.map(|agent| Self(Guarded::new(agent))).map_err(|e| values::error(py, e))
    }

    /// Opens a stored agent; it goes on behind the numbers that were reserved.
    ///
    /// Args:
    ///     platform: the same device secret that sealed it.
    ///     blob: what was stored.
    ///     floor: the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here.
    ///     BlobRolledBackError: it is older than `floor`.
    #[staticmethod]
    #[pyo3(signature = (platform, *, blob, floor=0))]
    fn restore(py: Python<'_>, platform: &Platform, blob: Bytes, floor: u32) -> PyResult<Self> {
        let agent = py.detach(|| CoreAgent::restore(&platform.device, floor, &blob));
        agent.map(|agent| Self(Guarded::new(agent))).map_err(|e| values::error(py, e))
    }

    /// Reserves numbers and seals the agent: the blob and its version. Store it, then call `persisted`.
    fn seal<'py>(&self, py: Python<'py>, platform: &Platform) -> PyResult<(Bound<'py, PyBytes>, u32)> {
        let mut out = [0; CoreAgent::BLOB_MAX];
        let (len, version) = self.with(py, |agent| {
            agent.seal(&platform.device, &mut out).map_err(|e| Python::attach(|py| values::error(py, e)))
        })?;
        Ok((bytes(py, out.get(..len).unwrap_or_default()), version))
    }

    /// What `seal` gave last is stored.
    fn persisted(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |agent| {
            agent.persisted();
            Ok(())
        })
    }

    /// Issues what was asked for (a `TicketRequest`), from `now` on, in seconds since 1970.
    ///
    /// Raises:
    ///     WrongStateError: no number is reserved in storage: `seal`, store, `persisted`, then again.
    ///     TicketRefusedError: nobody would accept it.
    ///     KeyFailedError: the key did not sign. No number is used up.
    #[pyo3(signature = (signer, request, *, now))]
    fn issue(&self, py: Python<'_>, signer: &SigningKey, request: &Bound<'_, PyAny>, now: u64) -> PyResult<Ticket> {
        let wanted = Wanted::new(request)?;
        let mut out = [0; TICKET_MAX_FFC];
        let len = self.with(py, |agent| {
            signer.call(|key| agent.issue(key, now, &wanted.request().map_err(IssueError::Refused)?, &mut out))
        })?;
        Ok(Ticket(out.get(..len).unwrap_or_default().to_vec()))
    }

    /// Issues the next revocation list. Serials rise; those of tickets that are over need not be there.
    ///
    /// Raises:
    ///     WrongStateError, TicketRefusedError, KeyFailedError: as `issue`.
    #[pyo3(signature = (signer, serials, *, now))]
    fn revoke(&self, py: Python<'_>, signer: &SigningKey, serials: Vec<u32>, now: u64) -> PyResult<RevocationList> {
        let room = serials.len().min(LIST_MAX).saturating_mul(4).saturating_add(LIST_OVERHEAD);
        let mut out = vec![0; room];
        let len = self.with(py, |agent| signer.call(|key| agent.revoke(key, now, &serials, &mut out)))?;
        out.truncate(len);
        Ok(RevocationList(out))
    }

    /// The agent's name.
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        self.with(py, |agent| Ok(agent.name().into()))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<TicketAgent '{}'>", self.name(py)?))
    }
}

impl TicketAgent {
    /// Calls the core's, without the interpreter lock.
    ///
    /// # Errors
    /// `BusyError`; those of `f`.
    pub(crate) fn with<X: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut CoreAgent) -> PyResult<X> + Send,
    ) -> PyResult<X> {
        py.detach(|| self.0.with(f))
    }
}

type CoreOperator = cose::Operator<Vec<Entry>>;

/// An operator's view of its devices: when each one's ticket or credential ends, and how far the next one is. It holds no
/// tickets: those that wait for their devices, its caller keeps. Times are seconds since 1970.
///
/// Nothing of it need be stored: after a start say again which tickets there are (`knows`, `issued`).
///
/// Args:
///     capacity: how many devices it can know.
///     lead: how many seconds before a ticket's end the next one is asked for.
///     retry: after how many seconds without an answer it is asked for again.
///
/// Examples:
///     >>> from iotkm import Acknowledged, Operator, SigningKey, Ticket, write_ticket_message
///     >>> key = SigningKey("EdDSA", bytes(32))
///     >>> def ticket(serial, now):
///     ...     return Ticket.issue(key, agent="acme", device="lamp-7", group="x25519", key=bytes([9]) * 32,
///     ...                         serial=serial, issued_at=now, expires=now + 1000)
///     >>> operator = Operator(capacity=100, lead=300, retry=60)
///     >>> operator.knows(ticket(1, 5000))
///     >>> operator.ask(5000), operator.wake_at
///     (None, 5700)
///     >>> operator.ask(5700)  # then a TicketRequest goes to the agent, who answers with a ticket
///     'lamp-7'
///     >>> operator.issued(ticket(2, 5700))
///     >>> waiting = operator.waiting_for("lamp-7")  # to be sent whenever an association with the lamp comes up
///     >>> operator.handle("lamp-7", write_ticket_message(Acknowledged(waiting, list_number=0)))
///     True
///     >>> operator.devices
///     [Renewal(device='lamp-7', expires=6700, asked_at=None, waiting=None)]
#[pyclass(frozen, module = "iotkm")]
pub struct Operator(Guarded<CoreOperator>);

impl Operator {
    fn with<X: Send>(&self, py: Python<'_>, f: impl FnOnce(&mut CoreOperator) -> X + Send) -> PyResult<X> {
        py.detach(|| self.0.with(|operator| Ok(f(operator))))
    }
}

#[pymethods]
impl Operator {
    #[new]
    #[pyo3(signature = (*, capacity, lead, retry))]
    fn new(py: Python<'_>, capacity: usize, lead: u64, retry: u64) -> PyResult<Self> {
        if capacity == 0 || capacity > 1 << 24 {
            return Err(bad_argument(py, "capacity is 1 to 2**24"));
        }
        Ok(Self(Guarded::new(CoreOperator::new(vec![Entry::FREE; capacity], lead, retry))))
    }

    /// A device and the ticket or the credential that it holds.
    ///
    /// Raises:
    ///     FullError: no place is free.
    fn knows(&self, py: Python<'_>, ticket: Issued<'_>) -> PyResult<()> {
        let done = match &ticket {
            Issued::Ticket(ticket) => {
                let ticket = ticket.get().inner(py)?;
                self.with(py, |operator| operator.knows(&ticket))
            }
            Issued::Credential(credential) => {
                let credential = credential.get().inner(py)?;
                self.with(py, |operator| operator.holds(credential.subject, credential.expires()))
            }
        };
        done?.map_err(|e| values::error(py, e))
    }

    /// Drops a device.
    fn forget(&self, py: Python<'_>, device: &str) -> PyResult<()> {
        self.with(py, |operator| operator.forget(device))
    }

    /// The device whose next ticket is to be asked for now, the most urgent first: send a `TicketRequest` to the agent (for a
    /// credential, and to the device, `CredentialDue`), then ask here again. ``None``: there is none.
    fn ask(&self, py: Python<'_>, now: u64) -> PyResult<Option<String>> {
        self.with(py, |operator| operator.ask(now).map(Into::into))
    }

    /// When `ask` will have something; ``None``: never.
    #[getter]
    fn wake_at(&self, py: Python<'_>) -> PyResult<Option<u64>> {
        self.with(py, |operator| operator.wake_at())
    }

    /// The agent's answer, verified, for one of the devices; the caller keeps it until it is acknowledged. Or the credential
    /// that a device's request was answered with, in place of one that waited: the device has lost what it asked for that with.
    ///
    /// Raises:
    ///     BadArgumentError: there is no such device, or it has a ticket that ends later.
    fn issued(&self, py: Python<'_>, ticket: Issued<'_>) -> PyResult<()> {
        let message = "there is no such device here, or it has a ticket that ends later";
        let done = match &ticket {
            Issued::Ticket(ticket) => {
                let ticket = ticket.get().inner(py)?;
                self.with(py, |operator| operator.issued(&ticket))
            }
            Issued::Credential(credential) => {
                let (named, credential) = (credential.get().named(), credential.get().inner(py)?);
                self.with(py, |operator| operator.waits(credential.subject, named, credential.expires()))
            }
        };
        done?.map_err(|_| bad_argument(py, message))
    }

    /// The reference of the ticket that waits for a device: send it as a message whenever an association with the device
    /// comes up, until it is acknowledged. ``None``: nothing waits.
    fn waiting_for<'py>(&self, py: Python<'py>, device: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let waiting = self.with(py, |operator| operator.waiting_for(device))?;
        Ok(waiting.map(|reference| bytes(py, &reference.0)))
    }

    /// A message from the device of that name, over its association. Whether its next ticket is now acknowledged.
    ///
    /// Raises:
    ///     TicketRefusedError: it is no message. Nothing has changed.
    fn handle(&self, py: Python<'_>, device: &str, message: Bytes) -> PyResult<bool> {
        let message = Message::read(&message).map_err(|reason| ticket_refused(py, reason))?;
        self.with(py, |operator| operator.handle(device, &message))
    }

    /// All devices, each a `Renewal`.
    #[getter]
    fn devices<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let entries: Vec<Entry> =
            self.with(py, |operator| operator.entries().iter().filter(|e| **e != Entry::FREE).copied().collect())?;
        let class = message_class(py, "Renewal")?;
        let one = |entry: &Entry| {
            let (asked_at, waiting) = match entry.next() {
                Next::None => (None, None),
                Next::Asked(at) => (Some(at), None),
                Next::Waiting { ticket, .. } => (None, Some(bytes(py, &ticket.0))),
            };
            class.call1((entry.name(), entry.expires(), asked_at, waiting))
        };
        PyList::new(py, entries.iter().map(one).collect::<PyResult<Vec<_>>>()?)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (known, room) = self.with(py, |operator| {
            let entries = operator.entries();
            (entries.iter().filter(|e| **e != Entry::FREE).count(), entries.len())
        })?;
        Ok(format!("<Operator {known} of {room} devices>"))
    }
}

/// What a device has or gets.
#[derive(FromPyObject)]
enum Issued<'py> {
    Ticket(Bound<'py, Ticket>),
    Credential(Bound<'py, Credential>),
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<TicketAgent>()?;
    module.add_class::<Operator>()
}
