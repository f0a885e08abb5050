//! Tickets and revocation lists.

use crate::signing::{SigningKey, VerifyKey};
use crate::values::{Bytes, bytes, ticket_refused};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{self, Agent, Claims, DeviceKey, KeyGroup, Refused};
use iotkm::crypto::sign::Signer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A ticket: an agent's word that a device has a key, for a time. Times are seconds since 1970.
#[pyclass(frozen, eq, hash, module = "iotkm")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ticket(pub(crate) Vec<u8>);

impl Ticket {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<cose::Ticket<'_>> {
        cose::Ticket::peek(&self.0).map_err(|reason| ticket_refused(py, reason))
    }
}

#[pymethods]
impl Ticket {
    /// Reads a ticket that this agent signed. Whether it is valid now, `check` says.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    #[staticmethod]
    fn verify(py: Python<'_>, data: Bytes, agent: &str, key: &VerifyKey) -> PyResult<Self> {
        let verified = py.detach(|| cose::Ticket::verify(&data, &Agent { name: agent, key: key.0 }).map(|_| ()));
        verified.map_err(|reason| ticket_refused(py, reason))?;
        Ok(Self(data.to_vec()))
    }

    /// Reads a ticket that nobody vouches for: to show it, or where it was verified before.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    #[staticmethod]
    fn peek(py: Python<'_>, data: Bytes) -> PyResult<Self> {
        let ticket = Self(data.to_vec());
        ticket.inner(py)?;
        Ok(ticket)
    }

    /// Issues a ticket. The caller never gives a serial twice.
    ///
    /// Args:
    ///     agent: the agent's name, at most 32 bytes in UTF-8, as the device's.
    ///     group: ``"x25519"``, ``"p256"`` (x alone, y even), ``"ffc2048"`` or ``"ffc3072"``.
    ///     key: the device's public key: 32, 32, 256 or 384 bytes.
    ///
    /// Raises:
    ///     TicketRefusedError: nobody would accept it.
    ///     KeyFailedError: the key did not sign.
    #[staticmethod]
    #[pyo3(signature = (signer, *, agent, device, group, key, serial, issued_at, expires, not_before=None, scope=""))]
    #[allow(clippy::too_many_arguments)]
    fn issue(
        py: Python<'_>,
        signer: &SigningKey,
        agent: &str,
        device: &str,
        group: &str,
        key: Bytes,
        serial: u32,
        issued_at: u64,
        expires: u64,
        not_before: Option<u64>,
        scope: &str,
    ) -> PyResult<Self> {
        let group = KeyGroup::named(group).ok_or_else(|| ticket_refused(py, Refused::Key))?;
        let key = DeviceKey::new(group, &key).map_err(|reason| ticket_refused(py, reason))?;
        let claims = Claims { issuer: agent, subject: device, expires, not_before, issued_at, serial, key, scope };
        let mut out = [0; TICKET_MAX_FFC];
        let len = py.detach(|| signer.call(|signer| cose::Ticket::issue(signer, &claims, &mut out)))?;
        Ok(Self(out.get(..len).unwrap_or_default().to_vec()))
    }

    /// Raises where the ticket is over or has not begun.
    ///
    /// Args:
    ///     wall: now; ``None``: without a clock.
    ///     floor: the newest time of issue of anything the agent signed.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` is ``"expired"`` or ``"not_yet_valid"``.
    #[pyo3(signature = (wall, floor=0))]
    fn check(&self, py: Python<'_>, wall: Option<u64>, floor: u64) -> PyResult<()> {
        self.inner(py)?.valid_at(wall, floor).map_err(|reason| ticket_refused(py, reason))
    }

    /// The agent's name.
    #[getter]
    fn agent(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.claims().issuer.into())
    }
    /// The device's name.
    #[getter]
    fn device(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.claims().subject.into())
    }
    /// The agent's number for it.
    #[getter]
    fn serial(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.inner(py)?.claims().serial)
    }
    /// When it was issued.
    #[getter]
    fn issued_at(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner(py)?.claims().issued_at)
    }
    /// From when on it is valid.
    #[getter]
    fn not_before(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner(py)?.claims().begins())
    }
    /// From when on it is no longer valid.
    #[getter]
    fn expires(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner(py)?.claims().expires)
    }
    /// What the device may do.
    #[getter]
    fn scope(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.claims().scope.into())
    }
    /// The group of the device's key.
    #[getter]
    fn group(&self, py: Python<'_>) -> PyResult<&'static str> {
        Ok(self.inner(py)?.claims().key.group().name())
    }
    /// The device's public key.
    #[getter]
    fn key<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(bytes(py, self.inner(py)?.claims().key.as_bytes()))
    }
    /// The 8 bytes that stand for it.
    #[getter]
    fn reference<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(bytes(py, &self.inner(py)?.reference().0))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let ticket = self.inner(py)?;
        let claims = ticket.claims();
        Ok(format!(
            "<Ticket {} of {:?} for {:?} until {}>",
            claims.serial, claims.issuer, claims.subject, claims.expires
        ))
    }
}

/// A revocation list: ``serial in revocations`` says whether it names a ticket.
#[pyclass(frozen, eq, hash, module = "iotkm")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RevocationList(pub(crate) Vec<u8>);

impl RevocationList {
    pub(crate) fn inner(&self, py: Python<'_>) -> PyResult<cose::RevocationList<'_>> {
        cose::RevocationList::peek(&self.0).map_err(|reason| ticket_refused(py, reason))
    }
}

#[pymethods]
impl RevocationList {
    /// Reads a list that this agent signed.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    #[staticmethod]
    fn verify(py: Python<'_>, data: Bytes, agent: &str, key: &VerifyKey) -> PyResult<Self> {
        let verified =
            py.detach(|| cose::RevocationList::verify(&data, &Agent { name: agent, key: key.0 }).map(|_| ()));
        verified.map_err(|reason| ticket_refused(py, reason))?;
        Ok(Self(data.to_vec()))
    }

    /// Reads a list that nobody vouches for: to show it, or where it was verified before.
    ///
    /// Raises:
    ///     TicketRefusedError: ``reason`` says why.
    #[staticmethod]
    fn peek(py: Python<'_>, data: Bytes) -> PyResult<Self> {
        let list = Self(data.to_vec());
        list.inner(py)?;
        Ok(list)
    }

    /// Issues a list. The caller never gives a number twice; a higher one is newer.
    ///
    /// Raises:
    ///     TicketRefusedError: nobody would accept it; serials rise, none comes twice.
    #[staticmethod]
    #[pyo3(signature = (signer, *, agent, number, issued_at, serials))]
    fn issue(
        py: Python<'_>,
        signer: &SigningKey,
        agent: &str,
        number: u32,
        issued_at: u64,
        serials: Vec<u32>,
    ) -> PyResult<Self> {
        let room = serials.len().min(LIST_MAX).saturating_mul(4).saturating_add(LIST_OVERHEAD);
        let mut out = vec![0; room];
        let issue =
            |signer: &dyn Signer| cose::RevocationList::issue(signer, agent, issued_at, number, &serials, &mut out);
        let len = py.detach(|| signer.call(issue))?;
        out.truncate(len);
        Ok(Self(out))
    }

    /// The agent's name.
    #[getter]
    fn agent(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.inner(py)?.issuer().into())
    }
    /// When it was issued.
    #[getter]
    fn issued_at(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner(py)?.issued_at())
    }
    /// Its number.
    #[getter]
    fn number(&self, py: Python<'_>) -> PyResult<u32> {
        Ok(self.inner(py)?.number())
    }
    /// The serials, rising.
    #[getter]
    fn serials(&self, py: Python<'_>) -> PyResult<Vec<u32>> {
        Ok(self.inner(py)?.serials().collect())
    }

    fn __contains__(&self, py: Python<'_>, serial: u32) -> PyResult<bool> {
        Ok(self.inner(py)?.contains(serial))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, &self.0)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let list = self.inner(py)?;
        Ok(format!("<RevocationList {} of {:?}, {} serials>", list.number(), list.issuer(), list.serials().count()))
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Ticket>()?;
    module.add_class::<RevocationList>()
}
