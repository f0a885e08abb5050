//! Tickets, revocation lists and the keys that sign them.

use crate::values::{Bytes, bad_argument, bytes, ticket_refused};
use iotkm::cose::revocation::{LIST_MAX, LIST_OVERHEAD};
use iotkm::cose::ticket::TICKET_MAX_FFC;
use iotkm::cose::{self, Agent, Claims, DeviceKey, IssueError, KeyGroup, Refused};
use iotkm::crypto::Secret;
use iotkm::crypto::sign::{EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, Signer};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// A ticket agent's signature key. It is never shown.
///
/// Args:
///     algorithm: ``"EdDSA"`` (Ed25519) or ``"ES256"``.
///     secret: 32 bytes: an Ed25519 seed, or a P-256 scalar, big-endian.
///
/// Examples:
///     >>> from iotkm import SigningKey
///     >>> SigningKey("EdDSA", bytes(32)).public_key
///     VerifyKey('EdDSA', '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29')
#[pyclass(frozen, module = "iotkm")]
pub struct SigningKey {
    signer: Box<dyn Signer + Send + Sync>,
    public: PublicKey,
}

fn algorithm(py: Python<'_>, name: &str) -> PyResult<bool> {
    match name {
        "EdDSA" => Ok(true),
        "ES256" => Ok(false),
        _ => Err(bad_argument(py, "algorithm is \"EdDSA\" or \"ES256\"")),
    }
}

#[pymethods]
impl SigningKey {
    #[new]
    fn new(py: Python<'_>, algorithm: &str, secret: Bytes) -> PyResult<Self> {
        let eddsa = self::algorithm(py, algorithm)?;
        let secret: [u8; 32] = secret[..].try_into().map_err(|_| bad_argument(py, "secret has 32 bytes"))?;
        let secret = Secret::new(secret);
        let signer: Box<dyn Signer + Send + Sync> =
            if eddsa { Box::new(Ed25519Key::new(secret)) } else { Box::new(Es256Key::new(secret)) };
        let public = signer.public_key().map_err(|_| bad_argument(py, "secret is no key of P-256"))?;
        Ok(Self { signer, public })
    }

    /// The key that verifies.
    #[getter]
    const fn public_key(&self) -> VerifyKey {
        VerifyKey(self.public)
    }

    fn __repr__(&self) -> String {
        format!("<SigningKey of {}>", VerifyKey(self.public).__repr__())
    }
}

/// A key to verify with.
///
/// Args:
///     algorithm: ``"EdDSA"`` or ``"ES256"``.
///     key: 32 bytes for EdDSA, ``04 || x || y`` for ES256.
#[pyclass(frozen, eq, module = "iotkm")]
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyKey(PublicKey);

#[pymethods]
impl VerifyKey {
    #[new]
    fn new(py: Python<'_>, algorithm: &str, key: Bytes) -> PyResult<Self> {
        let key =
            if self::algorithm(py, algorithm)? { PublicKey::new(&EDDSA, &key) } else { PublicKey::new(&ES256, &key) };
        key.map(Self).map_err(|_| bad_argument(py, "key is none of that algorithm"))
    }

    /// ``"EdDSA"`` or ``"ES256"``.
    #[getter]
    fn algorithm(&self) -> &'static str {
        if self.0.algorithm().cose() == -8 { "EdDSA" } else { "ES256" }
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        bytes(py, self.0.as_bytes())
    }

    fn __repr__(&self) -> String {
        let hex: String = self.0.as_bytes().iter().map(|b| format!("{b:02x}")).collect();
        format!("VerifyKey('{}', '{hex}')", self.algorithm())
    }
}

fn issued(py: Python<'_>, error: IssueError) -> PyErr {
    match error {
        IssueError::Refused(reason) => ticket_refused(py, reason),
        _ => bad_argument(py, "the key did not sign"),
    }
}

/// A ticket: an agent's word that a device has a key, for a time. Times are seconds since 1970.
#[pyclass(frozen, eq, hash, module = "iotkm")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ticket(Vec<u8>);

impl Ticket {
    fn inner(&self, py: Python<'_>) -> PyResult<cose::Ticket<'_>> {
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
        let len = py.detach(|| cose::Ticket::issue(&*signer.signer, &claims, &mut out)).map_err(|e| issued(py, e))?;
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
pub struct RevocationList(Vec<u8>);

impl RevocationList {
    fn inner(&self, py: Python<'_>) -> PyResult<cose::RevocationList<'_>> {
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
        let len = py
            .detach(|| cose::RevocationList::issue(&*signer.signer, agent, issued_at, number, &serials, &mut out))
            .map_err(|e| issued(py, e))?;
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
    module.add_class::<SigningKey>()?;
    module.add_class::<VerifyKey>()?;
    module.add_class::<Ticket>()?;
    module.add_class::<RevocationList>()
}
