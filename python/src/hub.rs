//! Many associations on one socket.

use crate::association::{Association, Guarded, own, with_room};
use crate::member::Member;
use crate::platform::Platform;
use crate::values::{self, Bytes, Message};
use iotkm::engine::timers::Timer;
use iotkm::hub::{Limits, Place, Route};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::{Arc, Mutex, PoisonError};

type Core = iotkm::hub::Hub<Member, Vec<Place<Member>>, Vec<Timer>, Vec<Route>>;

/// The core's hub, shared with the associations in it.
pub type SharedHub = Arc<Guarded<Core>>;

/// Routes for each association: what it waits for and whom it talks to.
const ROUTES: usize = 8;
const CAPACITY_MAX: usize = 1 << 24;

/// Many associations on one socket, under bounded memory: the hub finds the association that a datagram is for, and asks
/// strangers for a cookie while it is busy.
///
/// Associations keep their own verbs (`connect`, `send`, ...); input, time and outputs go through the hub.
///
/// Args:
///     platform: the surroundings, the same as the associations'.
///     capacity: how many associations it can hold.
///     busy: associations with a run under way above which strangers are asked for a cookie first.
///
/// Raises:
///     BadArgumentError: a capacity of 0 or above 2**24.
///     RngError: randomness failed.
///
/// Examples:
///     >>> import secrets
///     >>> from iotkm import History, Hub, Peer, Platform, Triple
///     >>> platform = Platform(secrets.token_bytes(32))
///     >>> hub = Hub(platform, capacity=100)
///     >>> triple = Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
///     >>> peer = Peer.provisioned(slot=1, own_id=b"gateway", id=b"sensor-7", triple=triple)
///     >>> history = History(platform, peer)
///     >>> hub.insert(history)
///     0
///     >>> history.connect(b"its address")
///     >>> hub.poll()
///     (<History peer=b'sensor-7' generation=0 at rest>, Persist(slot=1, ...))
///     >>> hub
///     <Hub 1 of 100>
#[pyclass(module = "iotkm", frozen)]
#[derive(Debug)]
pub struct Hub {
    platform: Py<Platform>,
    core: SharedHub,
    members: Mutex<Vec<Option<Py<Association>>>>,
}

impl Hub {
    fn member(&self, py: Python<'_>, place: usize) -> Option<Py<Association>> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.get(place)?.as_ref().map(|member| member.clone_ref(py))
    }

    fn note(&self, place: usize, member: Option<Py<Association>>) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        if members.len() <= place {
            members.resize_with(place.saturating_add(1), || None);
        }
        if let Some(entry) = members.get_mut(place) {
            *entry = member;
        }
    }
}

#[pymethods]
impl Hub {
    #[new]
    #[pyo3(signature = (platform, *, capacity, busy=64))]
    fn new(py: Python<'_>, platform: Py<Platform>, capacity: usize, busy: u32) -> PyResult<Self> {
        if capacity == 0 || capacity > CAPACITY_MAX {
            return Err(values::bad_argument(py, "capacity is 1 to 2**24"));
        }
        let places = (0..capacity).map(|_| Place::free()).collect();
        let (timers, routes) = (vec![Timer::NONE; capacity], vec![Route::default(); capacity.saturating_mul(ROUTES)]);
        let core = platform.get().call(|cx| Core::new(cx, places, timers, routes, Limits { busy }))?;
        Ok(Self { platform, core: Arc::new(Guarded::new(core)), members: Mutex::new(Vec::new()) })
    }

    /// Takes an association in and gives it its connection id; its place. At most one `Pairing` at a time.
    ///
    /// Args:
    ///     association: of the same platform; one that is to connect or to be restored joins first, since its peer sends to
    ///         the connection id that it is told then.
    ///     place: a free one of the caller's choice, below the capacity. After a restart an association goes to the place
    ///         that it had, so that the connection id in its stored session is still its own.
    ///
    /// Raises:
    ///     FullError: no place is free.
    ///     WrongStateError: it is in a hub already, or has a session or a run under the connection id of another place.
    ///     BadArgumentError: another platform; the place is taken or beyond the capacity.
    #[pyo3(signature = (association, *, place=None))]
    fn insert(&self, association: &Bound<'_, Association>, place: Option<usize>) -> PyResult<usize> {
        let py = association.py();
        let inner = association.get();
        if !inner.surroundings().is(&self.platform) {
            return Err(values::bad_argument(py, "the association was made with another platform"));
        }
        let place = inner.move_in(py, &self.core, place)?;
        self.note(place, Some(association.clone().unbind()));
        Ok(place)
    }

    /// Takes an association out: it goes on by itself.
    ///
    /// Raises:
    ///     WrongStateError: it is not in this hub.
    #[pyo3(signature = (association))]
    fn remove(&self, association: &Bound<'_, Association>) -> PyResult<()> {
        let place = association.get().move_out(association.py(), &self.core)?;
        self.note(place, None);
        Ok(())
    }

    /// Takes in one datagram and finds its association: which one and its `Received`, if it carries a message.
    ///
    /// What is for nobody is dropped and counted (`drops`); associations count theirs.
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
    ) -> PyResult<Option<(Py<Association>, Bound<'py, PyAny>)>> {
        let from = values::address(py, &source)?;
        let mut datagram = datagram.0;
        let platform = self.platform.get();
        let received = py.detach(|| {
            self.core.with(|core| {
                platform.call(|cx| {
                    let received = core.handle_input(cx, &from, &mut datagram)?;
                    Ok(received.map(|(place, received)| (place, Message::from(received))))
                })
            })
        })?;
        let Some((place, message)) = received else { return Ok(None) };
        let Some(member) = self.member(py, place) else { return Ok(None) };
        Ok(Some((member, values::received(py, message)?)))
    }

    /// Does what is due now, association by association: `poll` until `Idle` after each call, and call again while the
    /// time that it gives has passed.
    ///
    /// Raises:
    ///     UndrainedError: outputs are waiting; `poll` first.
    fn handle_timeout(&self, py: Python<'_>) -> PyResult<()> {
        let platform = self.platform.get();
        py.detach(|| self.core.with(|core| platform.call(|cx| core.handle_timeout(cx))))
    }

    /// The next thing to do, and whose it is: ``None`` where it is the hub's own (a cookie request, or `Idle`). A
    /// `Persist` is answered with the association's `persisted`.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<(Option<Py<Association>>, Bound<'py, PyAny>)> {
        let platform = self.platform.get();
        let (place, output) = py.detach(|| {
            self.core.with(|core| {
                platform.call(|cx| {
                    Ok(with_room(|out| {
                        let (place, output) = core.poll(cx, out);
                        own(output).map(|output| (place, output))
                    }))
                })
            })
        })?;
        Ok((place.and_then(|place| self.member(py, place)), values::output(py, output)?))
    }

    /// What the hub itself dropped, by reason; associations count theirs.
    #[getter]
    fn drops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let drops = py.detach(|| self.core.with(|core| Ok(*core.drops())))?;
        values::drops(py, &drops)
    }

    /// How many associations it can hold.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        py.detach(|| self.core.with(|core| Ok(core.capacity())))
    }

    fn __len__(&self) -> usize {
        self.members.lock().unwrap_or_else(PoisonError::into_inner).iter().flatten().count()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("<Hub {} of {}>", self.__len__(), self.capacity(py)?))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.platform)?;
        let Ok(members) = self.members.try_lock() else { return Ok(()) };
        members.iter().flatten().try_for_each(|member| visit.call(member))
    }
}
