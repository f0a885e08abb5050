//! The verbs that every scheme's association has. A scheme's class extends [`Association`] and adds its own.

use crate::hub::SharedHub;
use crate::member::{Member, Verbs};
use crate::platform::Platform;
use crate::values::{self, Bytes, Message, Out};
use iotkm::engine::BLOB_MAX;
use iotkm::{Association as _, Cx, Error, Output, Slot, StoreError};
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// An output of this size or less needs no heap on its way.
const USUAL: usize = 2048;
/// More than any header, tag, stamp and resume message before a record's payload.
const BESIDES: usize = 256;

/// Who is inside a lock: a callback that comes back is told so, and does not wait for itself.
#[derive(Debug, Default)]
pub struct Guarded<T> {
    value: Mutex<T>,
    /// The thread inside, 0 for none.
    inside: AtomicU64,
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

impl<T> Guarded<T> {
    /// A value behind a lock.
    pub const fn new(value: T) -> Self {
        Self { value: Mutex::new(value), inside: AtomicU64::new(0) }
    }

    /// Calls `f` with the value, one thread at a time. To be called without the interpreter lock, so that whoever is
    /// inside can take it for a callback.
    ///
    /// # Errors
    /// `BusyError` from within; `RuntimeError` after a panic; those of `f`.
    pub fn with<X>(&self, f: impl FnOnce(&mut T) -> PyResult<X>) -> PyResult<X> {
        if self.inside.load(Ordering::Acquire) == this_thread() {
            return Err(Python::attach(values::busy));
        }
        let mut guard = self.value.lock().map_err(|_| PyRuntimeError::new_err("an earlier call panicked: a bug"))?;
        self.inside.store(this_thread(), Ordering::Release);
        let _inside = Inside(&self.inside);
        f(&mut guard)
    }
}

/// Where the core's association is.
#[derive(Debug)]
enum Home {
    /// Here.
    Here(Member),
    /// In this place of a hub.
    Hub(SharedHub, usize),
    /// Nowhere: it was taken out of a hub at the wrong time.
    Nowhere,
}

/// One relation to one peer, whatever the scheme: the verbs that all have. `History` and `Pairing` are such.
///
/// An association does nothing by itself. Hand in datagrams and time, then call `poll` until it answers `Idle`: send,
/// store and report what comes out. Of an association in a `Hub` the hub does this. All methods may be called from any
/// thread; they do not hold the interpreter lock while the core works.
#[pyclass(module = "iotkm", frozen, subclass)]
#[derive(Debug)]
pub struct Association {
    platform: Py<Platform>,
    home: Guarded<Home>,
}

impl Association {
    /// An association for Python around one of the core's.
    pub fn new(platform: Py<Platform>, verbs: Box<dyn Verbs>) -> Self {
        Self { platform, home: Guarded::new(Home::Here(Member::new(verbs))) }
    }

    /// Calls the core, without the interpreter lock and one thread at a time.
    ///
    /// # Errors
    /// `BusyError` from within a callback of the same association; the core's errors; the callbacks' exceptions.
    pub fn call<X: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut Member, &mut Cx<'_>) -> Result<X, Error> + Send,
    ) -> PyResult<X> {
        let platform = self.platform.get();
        py.detach(|| {
            self.home.with(|home| match home {
                Home::Here(member) => platform.call(|cx| f(member, cx)),
                Home::Hub(hub, place) => hub.with(|hub| {
                    platform.call(|cx| hub.with(*place, |member| f(member, cx)).unwrap_or(Err(Error::WrongState)))
                }),
                Home::Nowhere => Err(Python::attach(|py| values::error(py, Error::WrongState))),
            })
        })
    }

    /// Likewise, what only an association outside of a hub may be asked.
    fn call_here<X: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut Member, &mut Cx<'_>) -> Result<X, Error> + Send,
    ) -> PyResult<X> {
        let platform = self.platform.get();
        py.detach(|| {
            self.home.with(|home| match home {
                Home::Here(member) => platform.call(|cx| f(member, cx)),
                _ => Err(Python::attach(|py| values::wrong_state(py, "this association is in a hub: ask the hub"))),
            })
        })
    }

    /// Looks at the association.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn look<X: Send>(&self, py: Python<'_>, f: impl FnOnce(&Member) -> X + Send) -> PyResult<X> {
        let wrong_state = || Python::attach(|py| values::error(py, Error::WrongState));
        py.detach(|| {
            self.home.with(|home| match home {
                Home::Here(member) => Ok(f(member)),
                Home::Hub(hub, place) => hub.with(|hub| hub.get(*place).map(f).ok_or_else(wrong_state)),
                Home::Nowhere => Err(wrong_state()),
            })
        })
    }

    /// Calls the scheme's own part.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn call_as<E: Verbs, X: Send>(
        &self,
        py: Python<'_>,
        f: impl FnOnce(&mut E, &mut Cx<'_>) -> Result<X, Error> + Send,
    ) -> PyResult<X> {
        self.call(py, |member, cx| f(member.own_mut().ok_or(Error::WrongState)?, cx))
    }

    /// Looks at the scheme's own part.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn look_as<E: Verbs, X: Send>(&self, py: Python<'_>, f: impl FnOnce(&E) -> X + Send) -> PyResult<X> {
        self.look(py, |member| member.own().map(f))?.ok_or_else(|| values::error(py, Error::WrongState))
    }

    /// Moves the core's association into a hub; its place.
    pub(crate) fn move_in(&self, py: Python<'_>, hub: &SharedHub, place: Option<usize>) -> PyResult<usize> {
        let refused = |py: Python<'_>, error| match (error, place) {
            (Error::Full, Some(place)) => {
                values::bad_argument(py, &format!("place {place} is taken, or beyond the hub's capacity"))
            }
            (Error::WrongState, _) => values::wrong_state(
                py,
                "its peer knows another connection id than this place's: insert it before it connects, or at the place it had",
            ),
            (error, _) => values::error(py, error),
        };
        py.detach(|| {
            self.home.with(|home| {
                hub.with(|core| {
                    let member = match std::mem::replace(home, Home::Nowhere) {
                        Home::Here(member) => member,
                        elsewhere => {
                            *home = elsewhere;
                            return Err(Python::attach(|py| values::wrong_state(py, "it is in a hub already")));
                        }
                    };
                    let taken = match place {
                        None => core.insert(member),
                        Some(place) => core.insert_at(place, member).map(|()| place),
                    };
                    match taken {
                        Ok(place) => {
                            *home = Home::Hub(hub.clone(), place);
                            Ok(place)
                        }
                        Err((member, error)) => {
                            *home = Home::Here(member);
                            Err(Python::attach(|py| refused(py, error)))
                        }
                    }
                })
            })
        })
    }

    /// Moves it out again; the place that it had.
    pub(crate) fn move_out(&self, py: Python<'_>, hub: &SharedHub) -> PyResult<usize> {
        py.detach(|| {
            self.home.with(|home| match home {
                Home::Hub(its, place) if Arc::ptr_eq(its, hub) => {
                    let place = *place;
                    let member = hub.with(|core| Ok(core.remove(place)))?;
                    *home = member.map_or(Home::Nowhere, Home::Here);
                    Ok(place)
                }
                _ => Err(Python::attach(|py| values::wrong_state(py, "this association is not in this hub"))),
            })
        })
    }

    /// Its surroundings.
    pub(crate) const fn surroundings(&self) -> &Py<Platform> {
        &self.platform
    }
}

/// An output with bytes of its own; the size that it needs where there is too little room.
///
/// # Errors
/// That size.
pub(crate) fn own(output: Output<'_>) -> Result<Out, usize> {
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

/// Calls `f` with a buffer that is large enough.
pub(crate) fn with_room<X>(mut f: impl FnMut(&mut [u8]) -> Result<X, usize>) -> X {
    let mut size = match f(&mut [0; USUAL]) {
        Ok(x) => return x,
        Err(needed) => needed,
    };
    loop {
        match f(&mut vec![0; size]) {
            Ok(x) => return x,
            Err(needed) => size = needed.max(size.saturating_add(1)),
        }
    }
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
        let (to, data) = self.call(py, |member, cx| {
            let mut out = vec![0; payload.len().saturating_add(BESIDES)];
            let sent = member.send(cx, &payload, &mut out)?;
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
        let message =
            self.call_here(py, |member, cx| Ok(member.handle_input(cx, &from, &mut datagram)?.map(Message::from)))?;
        message.map(|message| values::received(py, message)).transpose()
    }

    /// Does what is due now. Calls too early or too often do nothing.
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    fn handle_timeout(&self, py: Python<'_>) -> PyResult<()> {
        self.call_here(py, |member, cx| member.handle_timeout(cx))
    }

    /// The answer to a `Persist`: whether the bytes are safe. `False` keeps what depends on them back, to be tried again.
    #[pyo3(signature = (slot, stored=true))]
    fn persisted(&self, py: Python<'_>, slot: u16, stored: bool) -> PyResult<()> {
        self.call(py, |member, _| {
            member.persisted(Slot(slot), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }

    /// The next thing to do: a `Datagram`, a `Persist`, an `Event`, or `Idle`. Drain it until `Idle` after every other
    /// call.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let output = self.call_here(py, |member, cx| Ok(with_room(|out| own(member.poll(cx, out)))))?;
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
    fn exporter<'py>(
        &self,
        py: Python<'py>,
        label: Bytes,
        context: Bytes,
        length: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        if label.len() > 255 || context.len() > usize::from(u16::MAX) || length > 255 * 32 {
            let message = "label, context and length are at most 255, 65535 and 8160 bytes";
            return Err(values::bad_argument(py, message));
        }
        let mut out = zeroize::Zeroizing::new(vec![0; length]);
        self.look(py, |member| member.exporter(&label, &context, &mut out))?.map_err(|e| values::error(py, e))?;
        Ok(values::bytes(py, &out))
    }

    /// Seals the session into a blob, for a restart that goes on with three short messages (`restore`). It holds no key
    /// that a record was or will be sealed under.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    fn export<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let blob = self.call(py, |member, cx| {
            let mut out = vec![0; BLOB_MAX];
            let len = member.export(cx, &mut out)?;
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
        self.call(py, |member, cx| member.verbs.restore(cx, &blob))
    }

    /// Ends the session: the peer is told once, and the keys are wiped when that is sent.
    ///
    /// Raises:
    ///     NotEstablishedError: there is no session.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |member, _| member.verbs.close())
    }

    /// Ends every run and the session without telling anybody, and wipes their keys.
    fn wipe(&self, py: Python<'_>) -> PyResult<()> {
        self.call(py, |member, _| {
            member.verbs.wipe();
            Ok(())
        })
    }

    /// Whether there is a session to send on.
    #[getter]
    fn is_established(&self, py: Python<'_>) -> PyResult<bool> {
        self.look(py, |member| member.is_established())
    }

    /// The peer's current address, once it is known.
    #[getter]
    fn peer_addr<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let addr = self.look(py, |member| member.peer_addr())?;
        Ok(addr.map(|addr| values::bytes(py, addr.as_bytes())))
    }

    /// The session's standing (an `Assurance`); ``None`` without a session.
    #[getter]
    fn assurance<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.look(py, |member| member.assurance())?.map(|a| values::assurance(py, a)).transpose()
    }

    /// The session's fingerprint, the same on both sides; ``None`` without a session.
    #[getter]
    fn fingerprint(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.look(py, |member| member.fingerprint())?.map(|f| f.to_string()))
    }

    /// What was dropped, by reason; 65535 means that many or more.
    #[getter]
    fn drops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let drops = self.look(py, |member| *member.drops())?;
        values::drops(py, &drops)
    }

    /// The surroundings that it was made with.
    #[getter]
    fn platform(&self, py: Python<'_>) -> Py<Platform> {
        self.platform.clone_ref(py)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (established, fingerprint) = self.look(py, |member| (member.is_established(), member.fingerprint()))?;
        Ok(format!("<Association {}>", standing(established, fingerprint)))
    }

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
