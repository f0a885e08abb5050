//! The authentication centre of the microcert scheme, over a key database of the application's; its side of sessions.

use crate::association::{Held, verbs};
use crate::error::IotkmError;
use crate::interactive::Pending;
use crate::lock::Shared;
use crate::seed_store::{Rows, SeedStore, SoftKeys};
use crate::surroundings::{Cx, Device};
use crate::values::{Config, Suite, addr, drops};
use iotkm::crypto::{
    SUITE_0_SYMMETRIC, SUITE_1_SYMMETRIC, SUITE_2_SYMMETRIC, SUITE_3_SYMMETRIC, SUITE_4_SYMMETRIC, SUITE_5_SYMMETRIC,
    Suite as CoreSuite,
};
use iotkm::engine::session::ConnectionId;
use iotkm::engine::wire::{self, Kind, classify, engine};
use iotkm::microcert::centre::{self as core, Kept, ServedMemory, Share};
use iotkm::microcert::{CentreConfig, Id, Row, Stores};
use iotkm::{Error, UnixTime};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

type Centre = core::AuthCenter<Vec<Share>, Vec<Kept>>;
type ServedCore = core::Served<Box<ServedMemory>>;

static SUITES: [&CoreSuite; 6] = [
    &SUITE_0_SYMMETRIC,
    &SUITE_1_SYMMETRIC,
    &SUITE_2_SYMMETRIC,
    &SUITE_3_SYMMETRIC,
    &SUITE_4_SYMMETRIC,
    &SUITE_5_SYMMETRIC,
];

/// Bytes of the connection ids that a centre gives.
const CID_LEN: usize = 4;
/// The longest datagram that a centre answers with, in bytes.
const REPLY: usize = 128;
/// Entries that a table may have.
const TABLE_MAX: u32 = 1 << 24;
/// How often an order is given again, where somebody else wrote the row in between.
const TRIES: u32 = 4;

/// What a centre is told when it is made.
#[derive(Clone, Debug, uniffi::Record)]
pub struct CentreSetup {
    /// How far a device's clock may be from the centre's, in seconds.
    #[uniffi(default = 300)]
    pub window: u32,
    /// How long a challenge is good for, in seconds.
    #[uniffi(default = 60)]
    pub challenge: u32,
    /// How long after its end a year's row is kept, in seconds: as long, signatures of that year verify.
    #[uniffi(default = 2678400)]
    pub grace: u32,
    /// The size of the table that keeps the work for claims bounded, 8 bytes each: four for each device are plenty.
    #[uniffi(default = 4096)]
    pub shares: u32,
    /// How many answers are kept for devices that did not get them, about 90 bytes each.
    #[uniffi(default = 256)]
    pub answers: u32,
}

/// What a device's datagram led to at its centre. Without secrets, to be logged as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum CentreEvent {
    /// The device is authenticated.
    Authenticated,
    /// It is, and a new seed has been agreed on: it will come with that next.
    UpdateAgreed,
    /// It is, with its new seed: the old one is erased.
    KeyReplaced,
    /// It is genuine, but was not fresh, and got a challenge: no clock, a wrong one, or a counter that is behind.
    Challenged,
    /// As before, and it used a counter that another one with the same seed has used: one of the two is a clone.
    CloneSuspected,
    /// It is revoked, and has been told so: end its sessions.
    Revoked,
    /// It has killed its seed: end its sessions.
    Killed,
    /// Its seed is not for this year: enrol it anew. Nobody vouches for this.
    SeedExpired,
    /// What is sealed in its row is not what was sealed there: restore it from the back-up.
    Tampered,
    /// One that is younger than this list.
    Other,
}

impl From<core::CentreEvent> for CentreEvent {
    fn from(event: core::CentreEvent) -> Self {
        use core::CentreEvent as E;
        match event {
            E::Authenticated => Self::Authenticated,
            E::UpdateAgreed => Self::UpdateAgreed,
            E::KeyReplaced => Self::KeyReplaced,
            E::Challenged => Self::Challenged,
            E::CloneSuspected => Self::CloneSuspected,
            E::Revoked => Self::Revoked,
            E::Killed => Self::Killed,
            E::SeedExpired => Self::SeedExpired,
            E::Tampered => Self::Tampered,
            _ => Self::Other,
        }
    }
}

/// What came of a datagram at a centre.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Handled {
    /// What goes back to where it came from.
    pub reply: Option<Vec<u8>>,
    /// Whose it was, where something happened.
    pub id: Option<Vec<u8>>,
    /// What happened.
    pub event: Option<CentreEvent>,
    /// A session that was granted, and takes the place of any that this device had: see `Served`.
    pub session: Option<Arc<Accepted>>,
}

/// An enrolment that is done.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Enrolled {
    /// The device's id.
    pub id: Vec<u8>,
    /// For its chip (`Chip.confirm`), 20 bytes.
    pub confirmation: Vec<u8>,
}

/// Who signed, and when.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Signed {
    /// The device.
    pub id: Vec<u8>,
    /// When, by its own clock, in seconds since 1970.
    pub time: u64,
    /// How many micro-certificates and signatures it had made before.
    pub counter: u32,
}

/// How far a device is, as its centre sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Standing {
    /// It may authenticate itself.
    Enrolled,
    /// It is revoked, and told so when it comes next.
    Revoked,
    /// It has killed its seed.
    Killed,
}

/// What may be shown of a device's row in a centre's key database.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct DeviceInfo {
    /// The device's id, 1 to 16 bytes.
    pub id: Vec<u8>,
    /// How often the row was written.
    pub version: u32,
    /// How far it is.
    pub standing: Standing,
    /// The suite that it was enrolled with.
    pub suite: Option<Suite>,
    /// Whether it was enrolled as a device without a clock.
    pub clockless: bool,
    /// How often the key seed was replaced.
    pub generation: u32,
    /// What is known of the seed that is to replace it.
    pub pending: Pending,
    /// Whether a new seed is wanted and not there yet.
    pub updating: bool,
    /// The first year whose row is there.
    pub first_year: u16,
    /// The last one that the seed is for.
    pub last_year: u16,
    /// The lowest counter that is taken from this device.
    pub counter: u32,
    /// When the device was authenticated last, in seconds since 1970; none: never.
    pub seen: Option<u64>,
}

/// The centre, and the next connection id of its own, once it has given one.
struct Desk {
    centre: Centre,
    cid: Option<u32>,
}

/// An authentication centre for some thousands of devices (a building's, a hub's): it enrols them, answers their datagrams, updates,
/// revokes, verifies what they sign. One for a city's devices, with a keystore of its own, a SQLite database, audits and a server, is
/// `iotkm centre` in the Python package. Every method may throw `Busy`.
///
/// Servers of one centre behind one address share database, keys and the `Device`'s secret (its vault): so one takes the proof to
/// another's challenge. Sessions are each server's own: lead what they send to the server that has them.
///
/// ```text
/// let centre = AuthCenter.open(device, "house", SoftKeys(secret), database, CentreSetup())
/// let invitation = centre.invite(cx, "meter-7", Suite0Symmetric, false)          // to the meter, offline
/// let enrolled = centre.enrol(cx, deposit)                                       // enrolled.confirmation to the meter
/// // A datagram from address `from`:
/// if let cid = centre.sessionOf(datagram) { sessions[cid].handleInput(cx, from, datagram) } else {
///     let handled = centre.handleInput(cx, from, datagram)                       // send handled.reply back
///     if let session = handled.session { sessions[session.cid()] = Served.open(device, session, Config()) }
/// }
/// ```
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct AuthCenter {
    device: Arc<Device>,
    keys: Arc<SoftKeys>,
    store: Arc<dyn SeedStore>,
    id: Id,
    desk: Shared<Desk>,
}

fn id_of(bytes: &[u8]) -> Result<Id, IotkmError> {
    Id::new(bytes).ok_or(IotkmError::BadArgument)
}

impl AuthCenter {
    /// Calls the core with its stores.
    fn call<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut Desk, &mut iotkm::Cx<'_>, &mut Stores<'_>) -> Result<R, Error>,
    ) -> Result<R, IotkmError> {
        self.desk.with(|desk| {
            self.keys.0.with(|keys| {
                let mut rows = Rows::of(&*self.store);
                let done = self.device.with(cx, |cx| Ok(f(desk, cx, &mut Stores { seeds: &mut rows, keys })?));
                match done {
                    Err(IotkmError::SeedStore { .. }) => Err(IotkmError::SeedStore { reason: rows.reason }),
                    other => other,
                }
            })
        })
    }

    /// Gives an order about a device, again where somebody else wrote its row in between.
    fn order(&self, f: impl Fn(&Centre, &mut Stores<'_>) -> Result<(), Error>) -> Result<(), IotkmError> {
        self.call(&Cx::none(), |desk, _, stores| {
            let mut result = Err(Error::WrongState);
            for _ in 0..TRIES {
                result = f(&desk.centre, stores);
                if result != Err(Error::WrongState) {
                    break;
                }
            }
            result
        })
    }
}

#[uniffi::export]
impl AuthCenter {
    /// A centre with this id, 1 to 16 bytes, which is part of every key. Nothing is stored.
    ///
    /// # Errors
    /// `BadArgument` for an id of another length, no shares, or more than 2^24 shares or answers.
    #[uniffi::constructor]
    pub fn open(
        device: Arc<Device>,
        id: Vec<u8>,
        keys: Arc<SoftKeys>,
        store: Arc<dyn SeedStore>,
        setup: CentreSetup,
    ) -> Result<Self, IotkmError> {
        let CentreSetup { window, challenge, grace, shares, answers } = setup;
        if shares == 0 || shares > TABLE_MAX || answers > TABLE_MAX {
            return Err(IotkmError::BadArgument);
        }
        let id = id_of(&id)?;
        let (shares, answers) = (vec![Share::default(); shares as usize], vec![Kept::default(); answers as usize]);
        let centre = Centre::new(id, &SUITES, CentreConfig { window, challenge, grace }, shares, answers)?;
        let desk = Shared::new(Desk { centre, cid: None });
        Ok(Self { device, keys, store, id, desk })
    }

    /// What makes a chip one of this centre's, at most 59 bytes: its id (1 to 16 bytes), a symmetric suite, the first of its seed's
    /// five years, and its transport key - so it goes to that chip offline, and is erased. Nothing is stored; `enrol` does that.
    ///
    /// # Errors
    /// `WrongState` for an id that has a row; `BadArgument` for an id of another length or the centre's own, a suite with
    /// Diffie-Hellman, no `cx.wall`; `SeedStore`, `Vault`.
    pub fn invite(&self, cx: Cx, id: Vec<u8>, suite: Suite, clockless: bool) -> Result<Vec<u8>, IotkmError> {
        let (id, suite) = (id_of(&id)?, suite.core());
        if suite.dh.is_some() {
            return Err(IotkmError::BadArgument);
        }
        self.call(&cx, |desk, cx, stores| {
            let now = cx.wall.ok_or(Error::BadArgument)?;
            let mut out = Zeroizing::new(vec![0; Centre::INVITATION_MAX]);
            let len = desk.centre.invite(stores, &id, suite, clockless, now, &mut out)?;
            Ok(out.get(..len).unwrap_or(&[]).to_vec())
        })
    }

    /// Takes a chip's deposit (`Chip.deposit`), and stores its seed. The same deposit again gets a confirmation again, until the
    /// device has authenticated itself.
    ///
    /// # Errors
    /// `BadArgument` for what is no deposit of a chip that this centre invited, no `cx.wall`; `WrongState` where the id has another
    /// seed: each invitation is used once; `SeedStore`, `Vault`.
    pub fn enrol(&self, cx: Cx, deposit: Vec<u8>) -> Result<Enrolled, IotkmError> {
        self.call(&cx, |desk, cx, stores| {
            let now = cx.wall.ok_or(Error::BadArgument)?;
            let mut confirmation = [0; Centre::CONFIRMATION_LEN];
            let id = desk.centre.enrol(stores, now, &deposit, &mut confirmation)?;
            Ok(Enrolled { id: id.as_bytes().to_vec(), confirmation: confirmation.to_vec() })
        })
    }

    /// Takes in one datagram from this address (up to 22 bytes). What does not parse or verify is dropped and counted (`drops`).
    /// A session that begins receives under `cid`, up to 8 bytes, another one each time; none: the centre's own, which `session_of`
    /// finds.
    ///
    /// # Errors
    /// `SeedStore`, `Rng`, `Vault`: nothing is answered, the device asks again. `BadArgument` for a longer address or connection
    /// id, no `cx.wall`.
    #[uniffi::method(default(cid = None))]
    pub fn handle_input(
        &self,
        cx: Cx,
        from: Vec<u8>,
        datagram: Vec<u8>,
        cid: Option<Vec<u8>>,
    ) -> Result<Handled, IotkmError> {
        let from = addr(&from)?;
        self.call(&cx, |desk, cx, stores| {
            let own = match (cid.is_some(), desk.cid) {
                (true, _) => 0,
                (false, Some(next)) => next,
                (false, None) => {
                    // Anywhere: sessions from before a restart may be about.
                    let mut first = [0; CID_LEN];
                    cx.rng.fill(&mut first)?;
                    *desk.cid.insert(u32::from_be_bytes(first))
                }
            };
            let given = ConnectionId::new(cid.as_deref().unwrap_or(&own.to_be_bytes())).ok_or(Error::BadArgument)?;
            let mut out = [0; REPLY];
            let handled = desk.centre.handle_input(cx, stores, &from, &given, &datagram, &mut out)?;
            let (id, event) = handled.event.unzip();
            let session = handled
                .session
                .map(|inner| Arc::new(Accepted { id: *inner.id(), inner: Shared::new(Some(inner)), cid: given }));
            if session.is_some() && cid.is_none() {
                desk.cid = Some(own.wrapping_add(1));
            }
            Ok(Handled {
                reply: handled.reply.map(<[u8]>::to_vec),
                id: id.map(|id| id.as_bytes().to_vec()),
                event: event.map(CentreEvent::from),
                session,
            })
        })
    }

    /// The connection id, one of the centre's own, of the session that a datagram is for; none where it is for `handle_input`.
    pub fn session_of(&self, datagram: Vec<u8>) -> Option<Vec<u8>> {
        let at = match classify(&datagram).ok()? {
            Kind::Record => 1,
            Kind::Handshake { scheme: wire::ENGINE, message: engine::RESUME_1..=engine::RESUME_3, .. } => {
                wire::HEADER_LEN
            }
            Kind::Handshake { .. } => return None,
        };
        Some(datagram.get(at..at.saturating_add(CID_LEN))?.to_vec())
    }

    /// Wants a new seed of this device: it is asked for when the device comes next.
    ///
    /// # Errors
    /// `BadArgument` for an id without a row; `Revoked`; `WrongState` where others write the row all the time; `SeedStore`.
    pub fn update(&self, id: Vec<u8>) -> Result<(), IotkmError> {
        let id = id_of(&id)?;
        self.order(|centre, stores| centre.update(stores, &id))
    }

    /// Revokes this device: from now on it is not authenticated, and it is told to kill its seed when it comes next. Sessions that it
    /// has are yours to end (`Served.wipe`): they do not know.
    ///
    /// # Errors
    /// As `update`; `Revoked` where it has killed its seed already.
    pub fn revoke(&self, id: Vec<u8>) -> Result<(), IotkmError> {
        let id = id_of(&id)?;
        self.order(|centre, stores| centre.revoke(stores, &id))
    }

    /// Whether this is a signature of `data` (`Microcert.sign`) by a device of this centre's: by whom and when. None where it is
    /// not, or no more: the device is revoked, has another seed, or the year's row is erased.
    ///
    /// # Errors
    /// `SeedStore`, `Vault`.
    pub fn verify(&self, signature: Vec<u8>, data: Vec<u8>) -> Result<Option<Signed>, IotkmError> {
        let signed = self.call(&Cx::none(), |desk, _, stores| desk.centre.verify(stores, &signature, &data))?;
        Ok(signed.map(|by| Signed { id: by.id.as_bytes().to_vec(), time: seconds(by.time), counter: by.counter }))
    }

    /// What may be shown of this device; none: it has no row.
    ///
    /// # Errors
    /// `BadArgument` for an id that none can have; `SeedStore`.
    pub fn device(&self, id: Vec<u8>) -> Result<Option<DeviceInfo>, IotkmError> {
        let id = id_of(&id)?;
        self.call(&Cx::none(), |_, _, stores| {
            let mut row = Row::none();
            Ok(stores.seeds.get(&id, &mut row).map_err(|_| Error::Store)?.then(|| info(&row)))
        })
    }

    /// The centre's id.
    pub fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    /// How many datagrams were dropped, by reason; 65535 means that many or more.
    ///
    /// # Errors
    /// `Busy`.
    pub fn drops(&self) -> Result<HashMap<String, u16>, IotkmError> {
        self.desk.with(|desk| Ok(drops(desk.centre.drops())))
    }
}

const fn seconds(time: UnixTime) -> u64 {
    time.0 / 1_000
}

fn info(row: &Row) -> DeviceInfo {
    let (first_year, last_year) = row.years();
    DeviceInfo {
        id: row.id().as_bytes().to_vec(),
        version: row.version(),
        standing: match row.standing() {
            core::Standing::Enrolled => Standing::Enrolled,
            core::Standing::Revoked => Standing::Revoked,
            core::Standing::Killed => Standing::Killed,
        },
        suite: Suite::named((row.suite(), false)),
        clockless: row.is_clockless(),
        generation: row.generation(),
        pending: row.pending_state().into(),
        updating: row.is_updating(),
        first_year,
        last_year,
        counter: row.counter(),
        seen: row.seen().map(seconds),
    }
}

impl fmt::Debug for AuthCenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthCenter({:?})", self.id)
    }
}

impl fmt::Display for AuthCenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A session that a device was granted: `Served` makes an association of it, once.
#[derive(Debug, uniffi::Object)]
pub struct Accepted {
    inner: Shared<Option<core::Accepted>>,
    id: Id,
    cid: ConnectionId,
}

#[uniffi::export]
impl Accepted {
    /// The device's id.
    pub fn id(&self) -> Vec<u8> {
        self.id.as_bytes().to_vec()
    }

    /// The connection id under which the centre receives its records.
    pub fn cid(&self) -> Vec<u8> {
        self.cid.as_bytes().to_vec()
    }
}

/// The centre's side of a session with a device: it has the verbs that all associations have, and no others. `Established` is its
/// first output. It is for no hub: `AuthCenter.sessionOf` finds it. Every method may throw `Busy`.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct Served(pub(crate) Held);

verbs!(Served);

impl Served {
    fn of(device: Arc<Device>, mtu: u16, core: ServedCore) -> Self {
        Self(Held::new(device, None, Box::new(core), usize::from(mtu)))
    }
}

#[uniffi::export]
impl Served {
    /// The association. `config.cid` does not count: the centre gave the session its own.
    ///
    /// # Errors
    /// `BadArgument` for a configuration out of range, `WrongState` where the session was opened before.
    #[uniffi::constructor]
    pub fn open(device: Arc<Device>, accepted: &Accepted, config: Config) -> Result<Self, IotkmError> {
        let of = config.core()?;
        let core = accepted.inner.with(|granted| Ok(ServedCore::open(granted, of, Box::default())?))?;
        Ok(Self::of(device, config.mtu, core))
    }

    /// An association with this device that has no session yet: to `restore` one that was exported. `suite` is the one that the
    /// device was enrolled with, `config.cid` the connection id that the session had.
    ///
    /// # Errors
    /// `BadArgument` for an id of another length than 1 to 16 bytes, a suite with Diffie-Hellman, a configuration out of range.
    #[uniffi::constructor]
    pub fn at_rest(device: Arc<Device>, id: Vec<u8>, suite: Suite, config: Config) -> Result<Self, IotkmError> {
        let suite = suite.core();
        if suite.dh.is_some() {
            return Err(IotkmError::BadArgument);
        }
        let core = ServedCore::at_rest(id_of(&id)?, suite, config.core()?, Box::default())?;
        Ok(Self::of(device, config.mtu, core))
    }

    /// The device's id.
    ///
    /// # Errors
    /// `Busy`.
    pub fn id(&self) -> Result<Vec<u8>, IotkmError> {
        self.0.own(|core: &mut ServedCore| Ok(core.id().as_bytes().to_vec()))
    }
}

impl fmt::Debug for Served {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(f, "Served", |member| {
            member.own().map_or_else(String::new, |core: &mut ServedCore| format!("{:?}", core.id()))
        })
    }
}
