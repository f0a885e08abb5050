//! The verbs that every scheme's association has. A scheme's class extends [`Association`] and adds its own.

use crate::platform::Platform;
use crate::values::{self, Bytes, Message, Out};
use iotkm::engine::{BLOB_MAX, Endpoint, Scheme, Scratch};
use iotkm::{Cx, Error, Output, Slot, StoreError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::any::Any;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// An association of whatever scheme: the core's verbs and those that its endpoints have besides.
pub trait Verbs: iotkm::Association + Any + Send {
    /// See [`Endpoint::restore`].
    ///
    /// # Errors
    /// The core's.
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error>;
    /// See [`Endpoint::close`].
    ///
    /// # Errors
    /// The core's.
    fn close(&mut self) -> Result<(), Error>;
    /// See [`Endpoint::wipe`].
    fn wipe(&mut self);
}

impl<S: Scheme + Send + 'static, M: Scratch<S> + Send + 'static> Verbs for Endpoint<S, M>
where
    Endpoint<S, M>: Send,
{
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error> {
        Endpoint::restore(self, cx, blob)
    }
    fn close(&mut self) -> Result<(), Error> {
        Endpoint::close(self)
    }
    fn wipe(&mut self) {
        Endpoint::wipe(self);
    }
}

/// An output of this size or less needs no heap on its way.
const USUAL: usize = 2048;
/// More than any header, tag, stamp and resume message before a record's payload.
const BESIDES: usize = 256;

/// One relation to one peer, whatever the scheme: the verbs that all have. `History` is one.
///
/// An association does nothing by itself. Hand in datagrams and time, then call `poll` until it answers `Idle`: send,
/// store and report what comes out. All methods may be called from any thread; they do not hold the interpreter lock
/// while the core works.
#[pyclass(module = "iotkm", frozen, subclass)]
pub struct Association {
    platform: Py<Platform>,
    inner: Mutex<Box<dyn Verbs>>,
    /// The thread inside the lock, 0 for none: a callback that comes back is told, not left to wait for itself.
    inside: AtomicU64,
}

impl std::fmt::Debug for Association {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Association")
    }
}

fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static MINE: u64 = NEXT.fetch_add(1, Ordering::Relaxed));
    MINE.with(|mine| *mine)
}

struct Inside<'a>(&'a AtomicU64);
impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

impl Association {
    /// An association for Python around one of the core's.
    pub fn new(platform: Py<Platform>, verbs: Box<dyn Verbs>) -> Self {
        Self { platform, inner: Mutex::new(verbs), inside: AtomicU64::new(0) }
    }

    /// Calls the core, without the interpreter lock and one thread at a time.
    ///
    /// # Errors
    /// `BusyError` from within a callback of the same association; the core's errors; the callbacks' exceptions.
    pub fn call<T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut dyn Verbs, &mut Cx<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        if self.inside.load(Ordering::Acquire) == this_thread() {
            return Err(values::busy(py));
        }
        let platform = self.platform.get();
        py.detach(|| {
            let broken = |_| PyRuntimeError::new_err("an earlier call panicked: make a new association");
            let mut guard = self.inner.lock().map_err(broken)?;
            self.inside.store(this_thread(), Ordering::Release);
            let _inside = Inside(&self.inside);
            platform.call(|cx| f(&mut **guard, cx))
        })
    }

    /// Looks at the association.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn look<T: Send>(&self, py: Python<'_>, f: impl FnOnce(&dyn Verbs) -> T + Send) -> PyResult<T> {
        if self.inside.load(Ordering::Acquire) == this_thread() {
            return Err(values::busy(py));
        }
        py.detach(|| {
            let broken = |_| PyRuntimeError::new_err("an earlier call panicked: make a new association");
            Ok(f(&**self.inner.lock().map_err(broken)?))
        })
    }

    /// Calls the scheme's own part.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_as<E: Verbs, T: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut E, &mut Cx<'_>) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        self.call(py, |verbs, cx| {
            let own = (verbs as &mut dyn Any).downcast_mut::<E>().ok_or(Error::WrongState)?;
            f(own, cx)
        })
    }

    /// Looks at the scheme's own part.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn look_as<E: Verbs, T: Send>(&self, py: Python<'_>, f: impl FnOnce(&E) -> T + Send) -> PyResult<T> {
        let seen = self.look(py, |verbs| (verbs as &dyn Any).downcast_ref::<E>().map(f))?;
        seen.ok_or_else(|| values::error(py, Error::WrongState))
    }
}

fn own(output: Output<'_>) -> Result<Out, usize> {
    Ok(match output {
        Output::Datagram { to, bytes } => Out::Datagram(to, bytes.to_vec()),
        Output::Persist { slot, version, bytes } => Out::Persist(slot, version, bytes.to_vec()),
        Output::Event(event) => Out::Event(event),
        Output::BufferTooSmall { needed } => return Err(needed),
        Output::Idle { wake_at } => Out::Idle(wake_at),
        // An output that this version does not know: nothing that it could do.
        _ => Out::Idle(None),
    })
}

#[pymethods]
impl Association {
    /// Seals `payload` as one datagram for the peer.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    ///     TooLongError: it does not fit a datagram; `max` says what does.
    ///     KeyExhaustedError: the peer has not followed to new keys.
    fn send<'py>(&self, py: Python<'py>, payload: Bytes) -> PyResult<Bound<'py, PyAny>> {
        let (to, data) = self.call(py, |verbs, cx| {
            let mut out = vec![0; payload.len().saturating_add(BESIDES)];
            let sent = verbs.send(cx, &payload, &mut out)?;
            Ok((sent.to, sent.bytes.to_vec()))
        })?;
        values::output(py, Out::Datagram(to, data))
    }

    /// Takes in one datagram from that address; answers with a `Received` if it carries a message for the application.
    ///
    /// What does not parse or verify is dropped and counted (`drops`), never an error.
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    ///     RngError: an answer needed randomness. The datagram may be handed in again.
    ///     BadArgumentError: an address of more than 22 bytes.
    #[pyo3(signature = (source, datagram))]
    fn handle_input<'py>(
        &self,
        py: Python<'py>,
        source: Bytes,
        datagram: Bytes,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let from = values::address(py, &source)?;
        let mut datagram = datagram.0;
        let message = self.call(py, |verbs, cx| {
            let received = verbs.handle_input(cx, &from, &mut datagram)?;
            Ok(received.map(|r| Message {
                payload: r.payload.to_vec(),
                time: r.time.map(|t| t.0),
                place: r.place.to_vec(),
            }))
        })?;
        message.map(|message| values::received(py, message)).transpose()
    }

    /// Does what is due now. Calls too early or too often do nothing.
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    fn handle_timeout(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |verbs, cx| verbs.handle_timeout(cx))
    }

    /// The answer to a `Persist`: whether the bytes are safe. `False` keeps what depends on them back, to be tried again.
    #[pyo3(signature = (slot, stored=true))]
    fn persisted(&self, py: Python<'_>, slot: u16, stored: bool) -> PyResult<()> {
        self.call(py, |verbs, _| {
            verbs.persisted(Slot(slot), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }

    /// The next thing to do: a `Datagram`, a `Persist`, an `Event`, or `Idle`. Drain it until `Idle` after every other
    /// call.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let output = self.call(py, |verbs, cx| {
            let mut size = match own(verbs.poll(cx, &mut [0; USUAL])) {
                Ok(output) => return Ok(output),
                Err(needed) => needed,
            };
            loop {
                match own(verbs.poll(cx, &mut vec![0; size])) {
                    Ok(output) => return Ok(output),
                    Err(needed) => size = needed.max(size.saturating_add(1)),
                }
            }
        })?;
        values::output(py, output)
    }

    /// Key material for another protocol, as RFC 5705: the same on both sides for the same label and context.
    ///
    /// Args:
    ///     label: at most 255 bytes.
    ///     context: at most 65535 bytes.
    ///     length: bytes wanted, at most 8160.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    ///     BadArgumentError: one of them is longer.
    #[pyo3(signature = (label, context, length))]
    fn exporter<'py>(&self, py: Python<'py>, label: Bytes, context: Bytes, length: usize) -> PyResult<Bound<'py, PyBytes>> {
        if label.len() > 255 || context.len() > usize::from(u16::MAX) || length > 255 * 32 {
            let message = "label, context and length are at most 255, 65535 and 8160 bytes";
            return Err(values::bad_argument(py, message));
        }
        let mut out = zeroize::Zeroizing::new(vec![0; length]);
        self.look(py, |verbs| verbs.exporter(&label, &context, &mut out))?.map_err(|e| values::error(py, e))?;
        Ok(values::bytes(py, &out))
    }

    /// Seals the session into a blob, for a restart that goes on with three short messages (`restore`). It holds no key
    /// that a record was or will be sealed under.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    fn export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let blob = self.call(py, |verbs, cx| {
            let mut out = vec![0; BLOB_MAX];
            let len = verbs.export(cx, &mut out)?;
            out.truncate(len);
            Ok(out)
        })?;
        Ok(values::bytes(py, &blob))
    }

    /// Goes on from a blob of `export`'s; `Resumed` says when new keys are there. Export again after that.
    ///
    /// Raises:
    ///     BadBlobError: it does not open here.
    ///     WrongStateError: there is a session or a run already.
    ///     RngError: randomness failed.
    fn restore(&self, py: Python<'_>, blob: Bytes) -> PyResult<()> {
        self.call(py, |verbs, cx| verbs.restore(cx, &blob))
    }

    /// Ends the session: the peer is told once, and the keys are wiped when that is sent.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |verbs, _| verbs.close())
    }

    /// Ends every run and the session without telling anybody, and wipes their keys.
    fn wipe(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |verbs, _| {
            verbs.wipe();
            Ok(())
        })
    }

    /// Whether there is a session to send on.
    #[getter]
    fn is_established(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |verbs| verbs.is_established())
    }

    /// The peer's current address, once it is known.
    #[getter]
    fn peer_addr<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let addr = self.look(py, |verbs| verbs.peer_addr())?;
        Ok(addr.map(|addr| values::bytes(py, addr.as_bytes())))
    }

    /// The session's standing (an `Assurance`); ``None`` without a session.
    #[getter]
    fn assurance<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.look(py, |verbs| verbs.assurance())?.map(|a| values::assurance(py, a)).transpose()
    }

    /// The session's fingerprint, the same on both sides; ``None`` without a session.
    #[getter]
    fn fingerprint(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.look(py, |verbs| verbs.fingerprint())?.map(|f| f.to_string()))
    }

    /// What was dropped, by reason; 65535 means that many or more.
    #[getter]
    fn drops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let drops = self.look(py, |verbs| *verbs.drops())?;
        values::drops(py, &drops)
    }

    /// The surroundings that it was made with.
    #[getter]
    fn platform(&self, py: Python<'_>) -> Py<Platform> {
        self.platform.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (established, fingerprint) = self.look(py, |verbs| (verbs.is_established(), verbs.fingerprint()))?;
        Ok(format!("<Association {}>", standing(established, fingerprint)))
    }

    #[expect(clippy::missing_errors_doc, reason = "Python's protocol")]
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.platform)
    }
}

/// State and fingerprint, for `repr`.
pub(crate) fn standing(established: bool, fingerprint: Option<iotkm::Fingerprint>) -> String {
    match fingerprint {
        Some(fingerprint) if established => format!("established {fingerprint}"),
        Some(fingerprint) => format!("closing {fingerprint}"),
        None => "at rest".into(),
    }
}
