//! Many associations on one socket.

use crate::association::Held;
use crate::driver::Driver;
use crate::error::IotkmError;
use crate::history::History;
use crate::interactive::Interactive;
use crate::member::Member;
use crate::microcert::Microcert;
use crate::noninteractive::Noninteractive;
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Output, Received, addr, drops};
use iotkm::engine::timers::Timer;
use iotkm::hub::{Hub as CoreHub, Limits, Place, Route};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The core's hub, shared with the associations in it.
pub(crate) type Many = Driver<CoreHub<Member, Vec<Place<Member>>, Vec<Timer>, Vec<Route>>>;

/// Places that a hub may have.
const PLACES_MAX: u32 = 1 << 20;
/// Routes for each place.
const ROUTES: usize = 8;
/// The longest datagram that a hub seals.
const ROOM: usize = 1 << 16;

/// What a peer's application sent, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct HubReceived {
    /// The association's place.
    pub place: u32,
    /// The message.
    pub received: Received,
}

/// What a hub's `poll` hands out.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct HubOutput {
    /// The association's place; none where it is the hub's own (a cookie request, or idle).
    pub place: Option<u32>,
    /// What to do.
    pub output: Output,
}

/// An association of one of the schemes, for a hub.
#[derive(Clone, Debug, uniffi::Enum)]
pub enum Association {
    /// Of paired devices.
    History(Arc<History>),
    /// Of devices with tickets.
    Interactive(Arc<Interactive>),
    /// Of devices with credentials.
    Noninteractive(Arc<Noninteractive>),
    /// Of a device with its authentication centre.
    Microcert(Arc<Microcert>),
}

impl Association {
    fn held(&self) -> &Held {
        match self {
            Self::History(history) => &history.0,
            Self::Interactive(interactive) => &interactive.0,
            Self::Noninteractive(noninteractive) => &noninteractive.0,
            Self::Microcert(microcert) => &microcert.0,
        }
    }
}

/// Many associations on one socket, in bounded memory: it finds the one that a datagram is for. Associations keep their own
/// verbs (`connect`, `send`, ...); input, time and outputs go through the hub. Every method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Hub(Arc<Many>);

#[uniffi::export]
impl Hub {
    /// An empty hub with this many places, at most 2^20. While more than `busy` runs are under way, strangers have to
    /// show that they receive where they send from.
    ///
    /// # Errors
    /// `BadArgument`, `Rng`, `Vault`.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        cx: Cx,
        places: u32,
        busy: u32,
        store: Option<Arc<dyn BlobStore>>,
    ) -> Result<Self, IotkmError> {
        if places > PLACES_MAX {
            return Err(IotkmError::BadArgument);
        }
        let count = usize::try_from(places).map_err(|_| IotkmError::BadArgument)?;
        let core = device.with(&cx, |cx| {
            let free = std::iter::repeat_with(Place::free).take(count).collect();
            let routes = vec![Route::default(); count.saturating_mul(ROUTES)];
            Ok(CoreHub::new(cx, free, vec![Timer::NONE; count], routes, Limits { busy })?)
        })?;
        Ok(Self(Arc::new(Driver::new(device, store, core, ROOM))))
    }

    /// Takes an association in and gives it its connection id; its place. What it stores goes to the hub's store from now
    /// on. Let it join before it connects: its peer sends to the connection id that it is told then.
    ///
    /// # Errors
    /// `Full`; `WrongState` where it is in a hub already, or has a session or a run under another connection id;
    /// `BadArgument` for one of another device.
    pub fn insert(&self, association: Association) -> Result<u32, IotkmError> {
        Ok(association.held().move_in(&self.0, None)? as u32)
    }

    /// As `insert`, at this place: for associations that go on after a restart under the connection id they had.
    ///
    /// # Errors
    /// As `insert`; `Full` for a place that is taken or not there.
    pub fn insert_at(&self, place: u32, association: Association) -> Result<(), IotkmError> {
        association.held().move_in(&self.0, Some(place as usize)).map(|_| ())
    }

    /// Takes an association out: it goes on by itself.
    ///
    /// # Errors
    /// `WrongState` where it is not in this hub.
    pub fn remove(&self, association: Association) -> Result<(), IotkmError> {
        association.held().move_out(&self.0)
    }

    /// Takes in a datagram and finds its association: which one, and what it got for the application.
    ///
    /// # Errors
    /// As `History.handle_input`.
    pub fn handle_input(&self, cx: Cx, from: Vec<u8>, datagram: Vec<u8>) -> Result<Option<HubReceived>, IotkmError> {
        let from = addr(&from)?;
        let mut datagram = Zeroizing::new(datagram);
        self.0.call(&cx, |hub, cx| {
            let got = hub.handle_input(cx, &from, &mut datagram)?;
            Ok(got.map(|(place, received)| HubReceived { place: place as u32, received: received.into() }))
        })
    }

    /// Does what is due now for one association: call it while the time that `Idle` gave has passed.
    ///
    /// # Errors
    /// As `History.handle_timeout`.
    pub fn handle_timeout(&self, cx: Cx) -> Result<(), IotkmError> {
        self.0.call(&cx, |hub, cx| Ok(hub.handle_timeout(cx)?))
    }

    /// The next thing to do, and whose it is. Call it until `Idle` after every other call. A `Persist` is answered with the
    /// association's `persisted`.
    ///
    /// # Errors
    /// `Vault`: nothing is lost, poll again.
    pub fn poll(&self, cx: Cx) -> Result<HubOutput, IotkmError> {
        let (place, output) = self.0.drive(
            &cx,
            |hub, cx, out, give| {
                let (place, output) = hub.poll(cx, out);
                give(output);
                place
            },
            |hub, place, slot, stored| {
                if let Some(place) = place {
                    hub.persisted(*place, slot, stored);
                }
            },
        )?;
        Ok(HubOutput { place: place.map(|place| place as u32), output })
    }

    /// How many datagrams the hub itself dropped, by reason; associations count theirs.
    ///
    /// # Errors
    /// `Busy`.
    pub fn drops(&self) -> Result<HashMap<String, u16>, IotkmError> {
        self.0.core(|hub| Ok(drops(hub.drops())))
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.core(|hub| Ok(hub.capacity())) {
            Ok(places) => write!(f, "Hub({places} places)"),
            Err(_) => f.write_str("Hub(busy)"),
        }
    }
}

impl fmt::Display for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
