//! What crosses the border: bytes in; outputs, events and errors out, as the classes of `iotkm._outputs` and
//! `iotkm._errors`.

use iotkm::engine::drops::{Dropped, Drops};
use iotkm::{Addr, Assurance, Authenticated, Error, Event, Instant, Reason, Slot, Stage};
use pyo3::BoundObject;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple, PyType};
use zeroize::Zeroizing;

/// A copy of bytes, bytearray, memoryview or whatever else is bytes; wiped when done with, as it may be a secret.
#[derive(Debug)]
pub struct Bytes(pub Zeroizing<Vec<u8>>);

impl<'a, 'py> FromPyObject<'a, 'py> for Bytes {
    type Error = PyErr;
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let buffer = PyBuffer::<u8>::get(&object).map_err(|_| {
            let name = object.get_type().name().map_or_else(|_| "?".into(), |n| n.to_string());
            PyTypeError::new_err(format!("a bytes-like object is required, not {name}"))
        })?;
        Ok(Self(Zeroizing::new(buffer.to_vec(object.py())?)))
    }
}

impl std::ops::Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// An address of the caller's.
///
/// # Errors
/// `BadArgumentError` for more than 22 bytes.
pub fn address(py: Python<'_>, bytes: &[u8]) -> PyResult<Addr> {
    Addr::new(bytes).ok_or_else(|| {
        bad_argument(py, &format!("an address has at most {} bytes, this one has {}", Addr::MAX, bytes.len()))
    })
}

/// An output that owns its bytes, so that it can leave the lock.
#[derive(Debug)]
pub enum Out {
    /// Send it.
    Datagram(Addr, Vec<u8>),
    /// Store it.
    Persist(Slot, u32, Vec<u8>),
    /// Tell it.
    Event(Event),
    /// Nothing before this.
    Idle(Option<Instant>),
}

/// A message that owns its bytes.
#[derive(Debug)]
pub struct Message {
    /// Payload.
    pub payload: Vec<u8>,
    /// Time in ms.
    pub time: Option<u64>,
    /// Place.
    pub place: Vec<u8>,
}

impl From<iotkm::Received<'_>> for Message {
    fn from(received: iotkm::Received<'_>) -> Self {
        let (payload, place) = (received.payload.to_vec(), received.place.to_vec());
        Self { payload, time: received.time.map(|t| t.0), place }
    }
}

static OUTPUTS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
static MESSAGES: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

fn class<'py>(
    py: Python<'py>,
    module: &'static PyOnceLock<Py<PyModule>>,
    path: &'static str,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let module = module.get_or_try_init(py, || py.import(path).map(Bound::unbind))?;
    module.bind(py).getattr(name)
}

/// One of the classes of `iotkm._outputs`, called.
pub fn make<'py, A>(py: Python<'py>, name: &str, arguments: A) -> PyResult<Bound<'py, PyAny>>
where
    A: IntoPyObject<'py, Target = PyTuple>,
    A::Error: Into<PyErr>,
{
    let arguments = arguments.into_pyobject(py).map_err(Into::into)?.into_bound();
    class(py, &OUTPUTS, "iotkm._outputs", name)?.call1(arguments)
}

/// One of the classes of `iotkm._messages`.
///
/// # Errors
/// Python's own.
pub fn message_class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    class(py, &MESSAGES, "iotkm._messages", name)
}

/// Bytes for Python.
pub fn bytes<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, bytes)
}

/// An output for Python.
pub fn output(py: Python<'_>, out: Out) -> PyResult<Bound<'_, PyAny>> {
    match out {
        Out::Datagram(to, data) => make(py, "Datagram", (bytes(py, to.as_bytes()), bytes(py, &data))),
        Out::Persist(slot, version, data) => make(py, "Persist", (slot.0, version, bytes(py, &data))),
        Out::Event(told) => event(py, told),
        Out::Idle(wake_at) => make(py, "Idle", (wake_at.map(|t| t.0),)),
    }
}

/// A message for Python.
pub fn received(py: Python<'_>, message: Message) -> PyResult<Bound<'_, PyAny>> {
    make(py, "Received", (bytes(py, &message.payload), message.time, bytes(py, &message.place)))
}

fn event(py: Python<'_>, event: Event) -> PyResult<Bound<'_, PyAny>> {
    match event {
        Event::Established { fingerprint, initiator } => make(py, "Established", (fingerprint.to_string(), initiator)),
        Event::Resumed { generation } => make(py, "Resumed", (generation,)),
        Event::Rekeyed { generation } => make(py, "Rekeyed", (generation,)),
        Event::RekeyNeeded => make(py, "RekeyNeeded", ()),
        Event::Paired { fingerprint } => make(py, "Paired", (fingerprint.to_string(),)),
        Event::UpdateAgreed { generation } => make(py, "UpdateAgreed", (generation,)),
        Event::UpdateFailed { reason: why } => make(py, "UpdateFailed", (reason(py, why)?,)),
        Event::KeyReplaced { generation } => make(py, "KeyReplaced", (generation,)),
        Event::Authenticated => make(py, "Authenticated", ()),
        Event::PeerAlive => make(py, "PeerAlive", ()),
        Event::Terminated => make(py, "Terminated", ()),
        Event::PeerMoved { to } => make(py, "PeerMoved", (bytes(py, to.as_bytes()),)),
        Event::Hint { reason: why } => make(py, "Hint", (reason(py, why)?,)),
        Event::Failed { stage: which, reason: why } => make(py, "Failed", (stage(py, which)?, reason(py, why)?)),
        Event::StoreFailed { slot } => make(py, "StoreFailed", (slot.0,)),
        other => make(py, "OtherEvent", (format!("{other:?}"),)),
    }
}

fn stage(py: Python<'_>, stage: Stage) -> PyResult<Bound<'_, PyAny>> {
    let name = match stage {
        Stage::Pairing => "pairing",
        Stage::Exchange => "exchange",
        Stage::Update => "update",
        Stage::Resume => "resume",
        Stage::Authentication => "authentication",
        Stage::Ping => "ping",
        _ => "other",
    };
    make(py, "Stage", (name,))
}

fn reason(py: Python<'_>, reason: Reason) -> PyResult<Bound<'_, PyAny>> {
    let name = match reason {
        Reason::NoAnswer => "no_answer",
        Reason::PairAgain => "pair_again",
        Reason::Unknown => "unknown",
        Reason::Superseded => "superseded",
        Reason::WrongSecret => "wrong_secret",
        Reason::Locked => "locked",
        Reason::NoRecord => "no_record",
        Reason::Cancelled => "cancelled",
        Reason::Resource => "resource",
        Reason::NoSuite => "no_suite",
        Reason::Credential => "credential",
        Reason::Psk => "psk",
        Reason::Revoked => "revoked",
        Reason::SeedExpired => "seed_expired",
        _ => "other",
    };
    make(py, "Reason", (name,))
}

/// The standing of a session for Python.
pub fn assurance(py: Python<'_>, a: Assurance) -> PyResult<Bound<'_, PyAny>> {
    let authenticated = match a.authenticated {
        Authenticated::Nobody => "nobody",
        Authenticated::PairedPeer => "paired_peer",
        Authenticated::Holder => "holder",
        Authenticated::Enrolled => "enrolled",
        _ => "other",
    };
    let since = (a.forward_secrecy_since.map(|t| t.0), a.healing_since.map(|t| t.0));
    make(py, "Assurance", (authenticated, since.0, since.1, a.clock, a.budget))
}

/// The drop counters as a dict of all reasons.
pub fn drops<'py>(py: Python<'py>, drops: &Drops) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for reason in Dropped::ALL {
        dict.set_item(reason.name(), drops.get(reason))?;
    }
    Ok(dict)
}

const fn error_class(error: Error) -> &'static str {
    match error {
        Error::BufferTooSmall { .. } => "BufferTooSmallError",
        Error::NotEstablished => "NotEstablishedError",
        Error::WrongState => "WrongStateError",
        Error::Undrained => "UndrainedError",
        Error::TooLong { .. } => "TooLongError",
        Error::BadArgument => "BadArgumentError",
        Error::Rng => "RngError",
        Error::KeyExhausted => "KeyExhaustedError",
        Error::BadBlob => "BadBlobError",
        Error::BlobRolledBack => "BlobRolledBackError",
        Error::SuiteMismatch => "SuiteMismatchError",
        Error::NoRecord => "NoRecordError",
        Error::Locked => "LockedError",
        Error::Full => "FullError",
        Error::NoCredential => "NoCredentialError",
        Error::SeedExpired => "SeedExpiredError",
        Error::Revoked => "RevokedError",
        Error::Store => "StoreError",
        Error::KeyStore => "KeyStoreError",
        _ => "IotkmError",
    }
}

fn new_error(py: Python<'_>, name: &str, message: &str) -> PyResult<PyErr> {
    Ok(PyErr::from_value(class(py, &ERRORS, "iotkm._errors", name)?.call1((message,))?))
}

/// The core's error as Python's, with its advice as the message.
pub fn error(py: Python<'_>, error: Error) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let raised = match error {
            Error::TooLong { max } => {
                let message = format!("the payload does not fit: at most {max} bytes; send it in parts");
                let raised = new_error(py, error_class(error), &message)?;
                raised.value(py).setattr("max", max)?;
                raised
            }
            _ => new_error(py, error_class(error), error.advice())?,
        };
        if let Error::BufferTooSmall { needed } = error {
            raised.value(py).setattr("needed", needed)?;
        }
        if error_class(error) == "IotkmError" {
            raised.value(py).setattr("code", error.code())?;
        }
        Ok(raised)
    };
    build().unwrap_or_else(|broken| broken)
}

/// `BadArgumentError` with a message that says which argument, and what would do.
pub fn bad_argument(py: Python<'_>, message: &str) -> PyErr {
    new_error(py, "BadArgumentError", message).unwrap_or_else(|broken| broken)
}

/// `TicketRefusedError` with its reason and code.
pub fn ticket_refused(py: Python<'_>, refused: iotkm::cose::Refused) -> PyErr {
    let build = || -> PyResult<PyErr> {
        let message = format!("{} ({})", refused.advice(), refused.name().replace('_', " "));
        let raised = new_error(py, "TicketRefusedError", &message)?;
        raised.value(py).setattr("reason", refused.name())?;
        raised.value(py).setattr("code", refused.code())?;
        Ok(raised)
    };
    build().unwrap_or_else(|broken| broken)
}

/// `KeyFailedError` with a message.
pub fn key_failed(py: Python<'_>, message: &str) -> PyErr {
    new_error(py, "KeyFailedError", message).unwrap_or_else(|broken| broken)
}

/// Whether this is a `BadBlobError`.
pub fn is_bad_blob(py: Python<'_>, raised: &PyErr) -> bool {
    class(py, &ERRORS, "iotkm._errors", "BadBlobError").is_ok_and(|kind| raised.matches(py, kind).unwrap_or(false))
}

/// An error and what a callback raised, which is its cause, and goes first where it must (KeyboardInterrupt).
pub fn caused(py: Python<'_>, error: PyErr, failure: Option<PyErr>) -> PyErr {
    match failure {
        Some(failure) if !failure.is_instance_of::<PyException>(py) => failure,
        Some(failure) => {
            error.set_cause(py, Some(failure));
            error
        }
        None => error,
    }
}

/// A callback.
///
/// # Errors
/// `TypeError` for what cannot be called.
pub fn callable(object: Bound<'_, PyAny>, what: &str) -> PyResult<Py<PyAny>> {
    if object.is_callable() {
        Ok(object.unbind())
    } else {
        Err(PyTypeError::new_err(format!("{what} is not callable")))
    }
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `WrongStateError` with a message.
pub fn wrong_state(py: Python<'_>, message: &str) -> PyErr {
    new_error(py, "WrongStateError", message).unwrap_or_else(|broken| broken)
}

/// `BusyError`.
pub fn busy(py: Python<'_>) -> PyErr {
    let message = "a callback called back into the object that had called it: answer first, call later";
    new_error(py, "BusyError", message).unwrap_or_else(|broken| broken)
}

/// All errors of the core with class, code and advice, for the tests.
#[pyfunction]
fn _errors(py: Python<'_>) -> PyResult<Vec<(&'static str, i32, Py<PyType>)>> {
    let all = [
        Error::BufferTooSmall { needed: 0 },
        Error::NotEstablished,
        Error::WrongState,
        Error::Undrained,
        Error::TooLong { max: 0 },
        Error::BadArgument,
        Error::Rng,
        Error::KeyExhausted,
        Error::BadBlob,
        Error::BlobRolledBack,
        Error::SuiteMismatch,
        Error::NoRecord,
        Error::Locked,
        Error::Full,
        Error::NoCredential,
        Error::SeedExpired,
        Error::Revoked,
        Error::Store,
        Error::KeyStore,
    ];
    all.into_iter()
        .map(|e| {
            let class = class(py, &ERRORS, "iotkm._errors", error_class(e))?;
            Ok((e.advice(), e.code(), class.cast_into::<PyType>()?.unbind()))
        })
        .collect()
}

/// Adds what this file has for Python.
///
/// # Errors
/// Python's own.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(_errors, module)?)
}
