//! Many associations on one socket.
#![expect(clippy::result_large_err, reason = "a full hub gives the association back")]

use crate::driver::Driver;
use crate::error::IotkmError;
use crate::history::{Core, History};
use crate::peer::{PeerInfo, info};
use crate::surroundings::{BlobStore, Cx, Device};
use crate::values::{Assurance, Output, Received, Sent, addr, drops, slot};
use iotkm::engine::timers::Timer;
use iotkm::hub::{Hub as CoreHub, Limits, Place, Route};
use iotkm::{Association, StoreError};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

type Many = CoreHub<Core, Vec<Place<Core>>, Vec<Timer>, Vec<Route>>;

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

/// Many associations on one socket, in bounded memory: it finds the one that a datagram is for. Associations are named by
/// their places. Every method may throw `Busy`; `BadArgument` names an empty place.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Hub(Driver<Many>);

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
            Ok(Many::new(cx, free, vec![Timer::NONE; count], routes, Limits { busy })?)
        })?;
        Ok(Self(Driver::new(device, store, core, ROOM)))
    }

    /// Takes an association over and gives it a connection id; its place. `history` is used up then, unless this fails.
    ///
    /// # Errors
    /// `Full`; `WrongState` where `history` is used up already.
    pub fn insert(&self, history: &History) -> Result<u32, IotkmError> {
        self.0.core(|hub| history.0.give(|core| hub.insert(core)).map(|place| place as u32))
    }

    /// As `insert`, at this place: for associations that go on after a restart under the connection id they had.
    ///
    /// # Errors
    /// As `insert`; `Full` for a place that is taken or not there.
    pub fn insert_at(&self, place: u32, history: &History) -> Result<(), IotkmError> {
        self.0.core(|hub| history.0.give(|core| hub.insert_at(place as usize, core)))
    }

    /// Takes an association out.
    ///
    /// # Errors
    /// `BadArgument`.
    pub fn remove(&self, place: u32) -> Result<Arc<History>, IotkmError> {
        let core = self.0.core(|hub| hub.remove(place as usize).ok_or(IotkmError::BadArgument))?;
        let (device, store) = (self.0.device.clone(), self.0.store.clone());
        Ok(Arc::new(History(Driver::new(device, store, core, ROOM))))
    }

    /// See `History.connect`.
    ///
    /// # Errors
    /// As there.
    pub fn connect(&self, place: u32, cx: Cx, to: Vec<u8>) -> Result<(), IotkmError> {
        let to = addr(&to)?;
        self.at(place, &cx, |core, cx| Ok(core.connect(cx, &to)?))
    }

    /// See `History.restore`.
    ///
    /// # Errors
    /// As there.
    pub fn restore(&self, place: u32, cx: Cx, blob: Vec<u8>) -> Result<(), IotkmError> {
        self.at(place, &cx, |core, cx| Ok(core.restore(cx, &blob)?))
    }

    /// See `History.update`.
    ///
    /// # Errors
    /// As there.
    pub fn update(&self, place: u32, cx: Cx) -> Result<(), IotkmError> {
        self.at(place, &cx, |core, cx| Ok(core.update(cx)?))
    }

    /// See `History.close`.
    ///
    /// # Errors
    /// As there.
    pub fn close(&self, place: u32) -> Result<(), IotkmError> {
        self.0.core(|hub| Ok(hub.with(place as usize, |core| core.close()).ok_or(IotkmError::BadArgument)??))
    }

    /// See `History.export`.
    ///
    /// # Errors
    /// As there.
    pub fn export(&self, place: u32, cx: Cx) -> Result<Vec<u8>, IotkmError> {
        self.at(place, &cx, crate::history::export)
    }

    /// See `History.send`.
    ///
    /// # Errors
    /// As there.
    pub fn send(&self, place: u32, cx: Cx, payload: Vec<u8>) -> Result<Sent, IotkmError> {
        self.0.state(|state| {
            self.0.device.with(&cx, |cx| {
                let sent = state.core.send(place as usize, cx, &payload, &mut state.out)?;
                Ok(Sent { to: sent.to.as_bytes().to_vec(), bytes: sent.bytes.to_vec() })
            })
        })
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

    /// The next thing to do, and whose it is. Call it until `Idle` after every other call.
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

    /// The answer to `Persist` of the association in this place.
    ///
    /// # Errors
    /// `Busy`.
    pub fn persisted(&self, place: u32, slot_number: u16, stored: bool) -> Result<(), IotkmError> {
        self.0.core(|hub| {
            hub.persisted(place as usize, slot(slot_number), if stored { Ok(()) } else { Err(StoreError) });
            Ok(())
        })
    }

    /// See `History.is_established`.
    ///
    /// # Errors
    /// As there.
    pub fn is_established(&self, place: u32) -> Result<bool, IotkmError> {
        self.look(place, |core| core.is_established())
    }

    /// See `History.peer`.
    ///
    /// # Errors
    /// As there.
    pub fn peer(&self, place: u32) -> Result<PeerInfo, IotkmError> {
        self.look(place, |core| info(core.peer()))
    }

    /// See `History.assurance`.
    ///
    /// # Errors
    /// As there.
    pub fn assurance(&self, place: u32) -> Result<Option<Assurance>, IotkmError> {
        self.look(place, |core| core.assurance().map(Assurance::from))
    }

    /// See `History.fingerprint`.
    ///
    /// # Errors
    /// As there.
    pub fn fingerprint(&self, place: u32) -> Result<Option<String>, IotkmError> {
        self.look(place, |core| core.fingerprint().map(|f| f.to_string()))
    }

    /// How many datagrams were dropped, by reason: by the association in this place, or (`null`, `nil`) by the hub itself.
    ///
    /// # Errors
    /// As `History.drops`.
    pub fn drops(&self, place: Option<u32>) -> Result<HashMap<String, u16>, IotkmError> {
        match place {
            Some(place) => self.look(place, |core| drops(core.drops())),
            None => self.0.core(|hub| Ok(drops(hub.drops()))),
        }
    }
}

impl Hub {
    fn look<R>(&self, place: u32, f: impl FnOnce(&Core) -> R) -> Result<R, IotkmError> {
        self.0.core(|hub| hub.get(place as usize).map(f).ok_or(IotkmError::BadArgument))
    }

    fn at<R>(
        &self,
        place: u32,
        cx: &Cx,
        f: impl FnOnce(&mut Core, &mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        self.0.call(cx, |hub, cx| hub.with(place as usize, |core| f(core, cx)).ok_or(IotkmError::BadArgument)?)
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
