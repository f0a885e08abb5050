//! Signature keys of ticket agents: in memory, or behind a callable of Python's.

use crate::values::{self, Bytes, bad_argument, bytes, key_failed, ticket_refused, wrong_state};
use iotkm::cose::IssueError;
use iotkm::crypto::Secret;
use iotkm::crypto::keys::KeyError;
use iotkm::crypto::sign::{EDDSA, ES256, Ed25519Key, Es256Key, PublicKey, SIGNATURE_LEN, Signer};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::cell::RefCell;

/// A ticket agent's signature key. It is never shown.
///
/// Args:
///     algorithm: ``"EdDSA"`` (Ed25519) or ``"ES256"``.
///     secret: 32 bytes: an Ed25519 seed, or a P-256 scalar, big-endian.
///
/// Examples:
///     >>> from iotkm import SigningKey
///     >>> key = SigningKey("EdDSA", bytes(32))
///     >>> key.public_key
///     VerifyKey('EdDSA', '3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29')
///     >>> elsewhere = SigningKey.external(key.public_key, lambda message: key.sign(message))
///     >>> elsewhere.sign(b"text") == key.sign(b"text")
///     True
#[pyclass(frozen, module = "iotkm")]
pub struct SigningKey {
    place: Place,
    public: PublicKey,
}

/// Where a key is.
enum Place {
    Memory(Box<dyn Signer + Send + Sync>),
    External(Py<PyAny>),
}

/// A key elsewhere, during one call: what its callable raises is kept.
struct Calling<'a> {
    sign: &'a Py<PyAny>,
    public: &'a PublicKey,
    failure: RefCell<Option<PyErr>>,
}

impl Signer for Calling<'_> {
    fn public_key(&self) -> Result<PublicKey, KeyError> {
        Ok(*self.public)
    }

    fn sign(&self, message: &[&[u8]], signature: &mut [u8; SIGNATURE_LEN]) -> Result<(), KeyError> {
        let made = Python::attach(|py| -> PyResult<[u8; SIGNATURE_LEN]> {
            let given: Bytes = self.sign.call1(py, (bytes(py, &message.concat()),))?.extract(py)?;
            given[..].try_into().map_err(|_| key_failed(py, &format!("a signature has 64 bytes, not {}", given.len())))
        });
        let made = made.map_err(|raised| {
            self.failure.replace(Some(raised));
            KeyError::Failed
        })?;
        // A token that signs under another key, or wrongly, is seen here, and not by every device.
        self.public.verify(message, &made).map_err(|_| KeyError::Failed)?;
        *signature = made;
        Ok(())
    }
}

fn algorithm(py: Python<'_>, name: &str) -> PyResult<bool> {
    match name {
        "EdDSA" => Ok(true),
        "ES256" => Ok(false),
        _ => Err(bad_argument(py, "algorithm is \"EdDSA\" or \"ES256\"")),
    }
}

impl SigningKey {
    /// Issues with the key. To be called without the interpreter lock.
    ///
    /// # Errors
    /// `TicketRefusedError`, `WrongStateError` where no number is stored, `KeyFailedError`.
    pub(crate) fn call<T>(&self, f: impl FnOnce(&dyn Signer) -> Result<T, IssueError>) -> PyResult<T> {
        let (result, failure) = match &self.place {
            Place::Memory(signer) => (f(&**signer), None),
            Place::External(sign) => {
                let calling = Calling { sign, public: &self.public, failure: RefCell::new(None) };
                (f(&calling), calling.failure.into_inner())
            }
        };
        result.map_err(|error| Python::attach(|py| issued(py, error, failure)))
    }
}

pub(crate) fn issued(py: Python<'_>, error: IssueError, failure: Option<PyErr>) -> PyErr {
    match error {
        IssueError::Refused(reason) => ticket_refused(py, reason),
        IssueError::Unstored => wrong_state(py, "no number is reserved in storage: seal, store, persisted, then again"),
        IssueError::BufferTooSmall { .. } => values::error(py, iotkm::Error::Full),
        _ => values::caused(py, key_failed(py, "the signature key failed, or signed what does not verify"), failure),
    }
}

#[pymethods]
impl SigningKey {
    #[new]
    fn new(py: Python<'_>, algorithm: &str, secret: Bytes) -> PyResult<Self> {
        let eddsa = self::algorithm(py, algorithm)?;
        let bytes: &[u8; 32] = secret[..].try_into().map_err(|_| bad_argument(py, "secret has 32 bytes"))?;
        let secret = Secret::new(*bytes);
        let signer: Box<dyn Signer + Send + Sync> =
            if eddsa { Box::new(Ed25519Key::new(secret)) } else { Box::new(Es256Key::new(secret)) };
        let public = signer.public_key().map_err(|_| bad_argument(py, "secret is no key of P-256"))?;
        Ok(Self { place: Place::Memory(signer), public })
    }

    /// A key that lives elsewhere: in a PKCS#11 token (`iotkm.pkcs11`), behind a service.
    ///
    /// Args:
    ///     public_key: what verifies its signatures; each one is checked with it.
    ///     sign: a callable that takes the message and returns its signature: 64 bytes, of ES256 ``r || s``.
    #[staticmethod]
    fn external(public_key: &VerifyKey, sign: Bound<'_, PyAny>) -> PyResult<Self> {
        let sign = values::callable(sign, "sign")?;
        Ok(Self { place: Place::External(sign), public: public_key.0 })
    }

    /// The key that verifies.
    #[getter]
    const fn public_key(&self) -> VerifyKey {
        VerifyKey(self.public)
    }

    /// Signs bytes: 64. Tickets and lists are signed by their own calls.
    ///
    /// Raises:
    ///     KeyFailedError: the key did not sign.
    fn sign<'py>(&self, py: Python<'py>, message: Bytes) -> PyResult<Bound<'py, PyBytes>> {
        let mut signature = [0; SIGNATURE_LEN];
        py.detach(|| self.call(|signer| signer.sign(&[&message], &mut signature).map_err(IssueError::Key)))?;
        Ok(bytes(py, &signature))
    }

    fn __repr__(&self) -> String {
        format!("<SigningKey of {}>", VerifyKey(self.public).__repr__())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::External(sign) => visit.call(sign),
        }
    }
}

/// A key to verify with.
///
/// Args:
///     algorithm: ``"EdDSA"`` or ``"ES256"``.
///     key: 32 bytes for EdDSA, ``04 || x || y`` for ES256.
#[pyclass(frozen, eq, module = "iotkm")]
#[derive(Clone, PartialEq, Eq)]
pub struct VerifyKey(pub(crate) PublicKey);

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
        format!("VerifyKey('{}', '{}')", self.algorithm(), values::hex(self.0.as_bytes()))
    }
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<SigningKey>()?;
    module.add_class::<VerifyKey>()
}
