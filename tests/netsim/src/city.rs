//! A centre of the microcert scheme, its devices, their clocks, and the lines between them.

use crate::net::Link;
use crate::rng::SimRng;
use iotkm::crypto::{
    SUITE_0_SYMMETRIC, SUITE_1_SYMMETRIC, SUITE_2_SYMMETRIC, SUITE_3_SYMMETRIC, SUITE_4_SYMMETRIC, SUITE_5_SYMMETRIC,
    Secret, Suite,
};
use iotkm::engine::{Config, ConnectionId};
use iotkm::microcert::centre::{Accepted, Change, Kept, ServedMemory, Share};
use iotkm::microcert::csk::Selected;
use iotkm::microcert::keystore::{Bind, STORED_LEN, TRANSPORTED_LEN};
use iotkm::microcert::{
    AuthCenter, CentreConfig, CentreEvent, Chip, Date, Id, KeyStore, KeyStoreError, Microcert, MicrocertMemory, Row,
    SeedStore, Served, Slots, SoftKeys, Stores,
};
use iotkm::{Addr, Association, Cx, Device, Error, Event, Instant, NoKeys, Output, Slot, StoreError, UnixTime};
use std::collections::BTreeMap;

/// The wall clock at simulated time 0, in ms: 2026-02-20 01:06:40 UTC.
pub const WALL: u64 = 1_771_549_600_000;
/// A day in ms.
pub const DAY: u64 = 86_400_000;
/// Where chips are stored.
pub const SLOTS: Slots = Slots { seed: Slot(1), state: Slot(2) };
/// What the centre takes.
pub static SUITES: [&Suite; 6] = [
    &SUITE_0_SYMMETRIC,
    &SUITE_1_SYMMETRIC,
    &SUITE_2_SYMMETRIC,
    &SUITE_3_SYMMETRIC,
    &SUITE_4_SYMMETRIC,
    &SUITE_5_SYMMETRIC,
];

/// The centre's association with one device.
pub type Session = Served<Box<ServedMemory>>;
type Centre = AuthCenter<Vec<Share>, Vec<Kept>>;
type Assoc = Microcert<Chip, Box<MicrocertMemory<Chip>>>;

fn id(name: &str) -> Id {
    Id::new(name.as_bytes()).expect("short")
}

/// An address by its name.
pub fn addr(name: &str) -> Addr {
    Addr::new(name.as_bytes()).expect("short")
}

/// A key database in memory: its rows by id, state and seed.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// The rows.
    pub rows: BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)>,
    /// Writes that still succeed; without a number all do.
    pub writes_left: Option<u32>,
}

impl SeedStore for Rows {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        match self.rows.get(id.as_bytes()) {
            None => Ok(false),
            Some((state, seed)) if row.read(state, seed) => Ok(true),
            Some(_) => Err(StoreError),
        }
    }

    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        if let Some(left) = &mut self.writes_left {
            *left = left.checked_sub(1).ok_or(StoreError)?;
        }
        let there = self.rows.get(row.id().as_bytes());
        let version = there.map_or(0, |(state, _)| u32::from_be_bytes(*state.first_chunk().expect("a version")));
        if version + 1 != row.version() {
            return Ok(false);
        }
        assert!(change == Change::Seed || there.is_some_and(|(_, seed)| seed == row.seed()), "the seed has changed");
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).expect("room");
        self.rows.insert(row.id().as_bytes().to_vec(), (state[..len].to_vec(), row.seed().to_vec()));
        Ok(true)
    }
}

/// The centre's keys, and how often a seed was unwrapped.
#[derive(Debug)]
pub struct Keys {
    keys: SoftKeys,
    /// How often what is sealed was opened.
    pub unwraps: u32,
}

impl KeyStore for Keys {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        self.keys.transport_key(id)
    }
    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        self.keys.transcrypt(id, bind, transported, stored)
    }
    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        self.unwraps += 1;
        self.keys.rows(bind, stored, date, base)
    }
    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        self.keys.seal(bind, text)
    }
    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        self.unwraps += 1;
        self.keys.open(bind, text)
    }
}

/// The centre and all that it keeps.
#[derive(Debug)]
pub struct City {
    centre: Centre,
    tables: (usize, usize),
    /// The key database.
    pub rows: Rows,
    /// The key store.
    pub keys: Keys,
    /// Its randomness.
    pub rng: SimRng,
    /// Simulated time in ms.
    pub now: u64,
    /// How far its clock is from the right time, in ms.
    pub off: i64,
    /// What it told its operator.
    pub events: Vec<(String, CentreEvent)>,
    /// Its sessions, by device.
    pub sessions: BTreeMap<String, Session>,
    device: Device,
}

impl City {
    /// A centre without devices, with tables of so many shares and answers.
    pub fn new(seed: u64, tables: (usize, usize)) -> Self {
        Self {
            centre: Self::centre(tables),
            tables,
            rows: Rows::default(),
            keys: Keys { keys: Self::keys(6), unwraps: 0 },
            rng: SimRng::new(seed),
            now: 1_000,
            off: 0,
            events: Vec::new(),
            sessions: BTreeMap::new(),
            device: Device::new(Secret::new([0xcc; 32])),
        }
    }

    /// Other keys for every other number.
    pub fn keys(number: u8) -> SoftKeys {
        SoftKeys::new(&Secret::new(core::array::from_fn(|at| number.wrapping_mul(41).wrapping_add(at as u8))))
    }

    /// It works with these keys from now on.
    pub fn set_keys(&mut self, keys: SoftKeys) {
        self.keys.keys = keys;
    }

    fn centre((shares, answers): (usize, usize)) -> Centre {
        let (shares, answers) = (vec![Share::default(); shares], vec![Kept::default(); answers]);
        AuthCenter::new(id("city"), &SUITES, CentreConfig::default(), shares, answers).expect("valid")
    }

    /// Its memory is gone; what is stored is not.
    pub fn restart(&mut self) {
        self.centre = Self::centre(self.tables);
        self.sessions.clear();
        self.rows.writes_left = None;
    }

    /// Its clock, in ms since 1970.
    pub fn wall(&self) -> u64 {
        (WALL + self.now).saturating_add_signed(self.off)
    }

    /// A call on it and its stores.
    pub fn with<T>(&mut self, f: impl FnOnce(&mut Centre, &mut Stores<'_>, UnixTime) -> T) -> T {
        let now = UnixTime(self.wall());
        f(&mut self.centre, &mut Stores { seeds: &mut self.rows, keys: &mut self.keys }, now)
    }

    /// Wants a new seed of this device.
    ///
    /// # Errors
    /// As the verb.
    pub fn update(&mut self, name: &str) -> Result<(), Error> {
        self.with(|centre, stores, _| centre.update(stores, &id(name)))
    }

    /// Revokes this device.
    ///
    /// # Errors
    /// As the verb.
    pub fn revoke(&mut self, name: &str) -> Result<(), Error> {
        self.with(|centre, stores, _| centre.revoke(stores, &id(name)))
    }

    /// The device's row.
    pub fn row(&mut self, name: &str) -> Row {
        let mut row = Row::none();
        assert!(self.rows.get(&id(name), &mut row).expect("it reads"), "no row of {name}");
        row
    }

    /// One datagram; the answer.
    ///
    /// # Errors
    /// As the verb.
    pub fn try_hear(&mut self, from: &str, datagram: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let wall = Some(UnixTime(self.wall()));
        let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
        let (now, rng, device) = (Instant(self.now), &mut self.rng, &self.device);
        let mut cx = Cx { now, wall, place: &[], rng, device, keys: &NoKeys };
        let mut out = [0; 128];
        let cid = ConnectionId::new(&[7]).expect("short");
        let mut handled = self.centre.handle_input(&mut cx, &mut stores, &addr(from), &cid, datagram, &mut out)?;
        let name = |id: &Id| String::from_utf8_lossy(id.as_bytes()).into_owned();
        if let Some((id, event)) = handled.event {
            self.events.push((name(&id), event));
        }
        if let Some(id) = handled.session.as_ref().map(|accepted| *accepted.id()) {
            self.sessions.insert(name(&id), Self::session(&mut handled.session));
        }
        Ok(handled.reply.map(<[u8]>::to_vec))
    }

    fn session(accepted: &mut Option<Accepted>) -> Session {
        Served::open(accepted, Config::default(), Box::default()).expect("valid")
    }

    /// One datagram; the answer, if there is one. A store that cannot is silence.
    pub fn hear(&mut self, from: &str, datagram: &[u8]) -> Option<Vec<u8>> {
        self.try_hear(from, datagram).unwrap_or(None)
    }

    /// How often it told its operator this, of anybody.
    pub fn told(&self, event: CentreEvent) -> usize {
        self.events.iter().filter(|(_, told)| *told == event).count()
    }
}

/// A device.
#[derive(Debug)]
pub struct Lamp {
    /// Its association.
    pub a: Assoc,
    /// Its id, and its address.
    pub name: String,
    suite: &'static Suite,
    device: Device,
    /// Its randomness.
    pub rng: SimRng,
    /// How far its clock is off, in ms, and by how many ms in a million more with time; none: it has no clock.
    pub clock: Option<(i64, i64)>,
    /// Its storage: version and blob by slot.
    pub stored: BTreeMap<u16, (u32, Vec<u8>)>,
    /// Writes until its power is cut.
    pub writes_left: Option<u32>,
    /// Its power is cut.
    pub dead: bool,
    /// What it told its application.
    pub events: Vec<Event>,
    /// When its timer is due.
    pub wake: Option<u64>,
}

impl Lamp {
    /// A device that is enrolled, and stored.
    pub fn new(city: &mut City, name: &str, suite: &'static Suite, clockless: bool) -> Self {
        let mut out = [0; 100];
        let len =
            city.with(|c, stores, now| c.invite(stores, &id(name), suite, clockless, now, &mut out)).expect("new");
        let mut rng = SimRng::new(name.bytes().fold(city.rng.next(), |all, byte| all.rotate_left(8) ^ u64::from(byte)));
        let chip = Chip::enrol(SLOTS, &out[..len], &mut rng).expect("an invitation");
        let mut deposit = [0; Chip::DEPOSIT_MAX];
        let len = chip.deposit(&mut deposit).expect("room");
        city.with(|c, stores, now| c.enrol(stores, now, &deposit[..len], &mut [0; 20])).expect("its own");
        let mut lamp = Self {
            a: Self::open(chip, suite),
            name: name.into(),
            suite,
            device: Device::new(Secret::new([0xdd; 32])),
            rng,
            clock: (!clockless).then_some((0, 0)),
            stored: BTreeMap::new(),
            writes_left: None,
            dead: false,
            events: Vec::new(),
            wake: None,
        };
        assert!(lamp.drain(city).is_empty());
        lamp
    }

    fn open(chip: Chip, suite: &'static Suite) -> Assoc {
        Microcert::open(chip, suite, Config::default(), Box::default()).expect("valid")
    }

    /// Its chip as it is stored.
    pub fn restored(&self) -> Chip {
        let [seed, state] = [SLOTS.seed, SLOTS.state].map(|slot| &self.stored[&slot.0].1);
        Chip::restore(&self.device, SLOTS, [0, 0], seed, state, &mut [0; Chip::SEED_MAX]).expect("its own")
    }

    /// It loses its power, and comes back with what is stored.
    pub fn reboot(&mut self) {
        (self.dead, self.writes_left, self.wake) = (false, None, None);
        self.a = Self::open(self.restored(), self.suite);
    }

    /// A call on it.
    pub fn with<T>(&mut self, city: &City, f: impl FnOnce(&mut Assoc, &mut Cx<'_>) -> T) -> T {
        let true_time = (WALL + city.now) as i64;
        let wall = self.clock.map(|(off, ppm)| UnixTime((true_time + off + ppm * city.now as i64 / 1_000_000) as u64));
        let (now, rng, device) = (Instant(city.now), &mut self.rng, &self.device);
        f(&mut self.a, &mut Cx { now, wall, place: &[], rng, device, keys: &NoKeys })
    }

    /// What it sends, once all is stored that it counts on.
    pub fn drain(&mut self, city: &City) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        while !self.dead {
            let mut store = None;
            let mut wake = None;
            let idle = self.with(city, |a, cx| {
                let mut out = [0; 1_500];
                match a.poll(cx, &mut out) {
                    Output::Datagram { bytes, .. } => sent.push(bytes.to_vec()),
                    Output::Persist { slot, version, bytes } => store = Some((slot, version, bytes.to_vec())),
                    Output::Event(event) => return Some(Some(event)),
                    Output::Idle { wake_at } => {
                        wake = wake_at.map(|at| at.0);
                        return Some(None);
                    }
                    other => panic!("{other:?}"),
                }
                None
            });
            match (idle, store) {
                (Some(Some(event)), _) => self.events.push(event),
                (Some(None), _) => {
                    self.wake = wake;
                    break;
                }
                (None, Some((slot, version, bytes))) => {
                    if self.writes_left == Some(0) {
                        (self.dead, self.wake) = (true, None);
                        return Vec::new();
                    }
                    self.writes_left = self.writes_left.map(|left| left - 1);
                    let before = self.stored.insert(slot.0, (version, bytes));
                    assert!(before.is_none_or(|(before, _)| before < version), "versions rise");
                    self.with(city, |a, _| a.persisted(slot, Ok(())));
                }
                (None, None) => {}
            }
        }
        sent
    }

    /// A datagram from the centre; the payload, if it was data.
    pub fn hear(&mut self, city: &City, datagram: &[u8]) -> Option<Vec<u8>> {
        if self.dead {
            return None;
        }
        let mut bytes = datagram.to_vec();
        self.with(city, |a, cx| {
            let received = a.handle_input(cx, &addr("city"), &mut bytes).expect("drained");
            received.map(|received| received.payload.to_vec())
        })
    }

    /// It starts to authenticate itself, perhaps with a session. A run that is under way goes on.
    pub fn start(&mut self, city: &City, session: bool) -> Result<(), Error> {
        if self.dead {
            return Ok(());
        }
        let done = self
            .with(city, |a, cx| if session { a.connect(cx, &addr("city")) } else { a.authenticate(cx, &addr("city")) });
        if done == Err(Error::WrongState) { Ok(()) } else { done }
    }

    /// All that it and the centre have to say to each other, on a line that loses nothing.
    pub fn talk(&mut self, city: &mut City) {
        for _ in 0..60 {
            let sent = self.drain(city);
            if sent.is_empty() {
                return;
            }
            for datagram in sent {
                if let Some(reply) = city.hear(&self.name, &datagram) {
                    self.hear(city, &reply);
                }
            }
        }
        panic!("{} and the centre never end", self.name);
    }

    /// It authenticates itself on a line that loses nothing; whether it did.
    pub fn authenticate(&mut self, city: &mut City) -> bool {
        self.events.clear();
        self.start(city, false).expect("it can");
        self.talk(city);
        self.events.contains(&Event::Authenticated)
    }

    /// A signature.
    pub fn sign(&mut self, city: &City, data: &[u8]) -> Vec<u8> {
        let mut out = [0; 100];
        let mut sign = |a: &mut Self| a.with(city, |a, cx| a.sign(cx, data, &mut out));
        let mut len = sign(self);
        if len == Err(Error::Undrained) {
            self.drain(city);
            len = sign(self);
        }
        out[..len.expect("a signature")].to_vec()
    }
}

#[derive(Debug)]
struct Flying {
    at: u64,
    order: u64,
    lamp: usize,
    to_city: bool,
    bytes: Vec<u8>,
}

/// A centre and its devices on lines that do what a [`Link`] does.
#[derive(Debug)]
pub struct Town {
    /// The centre; its time is everybody's.
    pub city: City,
    /// The devices.
    pub lamps: Vec<Lamp>,
    /// All lines.
    pub link: Link,
    /// The lines' randomness.
    pub rng: SimRng,
    /// Every counter that was seen, with what it was used for.
    counters: BTreeMap<(usize, u8, u32), Vec<u8>>,
    flying: Vec<Flying>,
    order: u64,
}

impl Town {
    /// A centre and so many devices: each has the next suite, the first one the seed's; every fourth has no clock.
    pub fn new(seed: u64, link: Link, lamps: usize) -> Self {
        let mut city = City::new(seed, (1 << 10, 64));
        let lamp = |n: usize| {
            let suite = SUITES[(seed as usize).wrapping_add(n) % SUITES.len()];
            Lamp::new(&mut city, &format!("lamp-{n}"), suite, n % 4 == 3)
        };
        let lamps = (0..lamps).map(lamp).collect();
        let rng = SimRng::new(seed ^ 0x746f_776e);
        Self { city, lamps, link, rng, counters: BTreeMap::new(), flying: Vec::new(), order: 0 }
    }

    /// Drains this device onto its line. A counter is seen with one micro-certificate only.
    pub fn flush(&mut self, lamp: usize) {
        for bytes in self.lamps[lamp].drain(&self.city) {
            if bytes[0] == 0x15 && matches!(bytes[1] >> 4, 1 | 4) {
                let at = 3 + usize::from(bytes[1] & 15);
                let counter = u32::from_be_bytes(bytes[at + 13..at + 17].try_into().expect("four"));
                let before = self.counters.insert((lamp, bytes[at], counter), bytes.clone());
                assert!(
                    before.is_none_or(|before| before == bytes),
                    "{}: counter {counter} twice",
                    self.lamps[lamp].name
                );
            }
            self.post(lamp, true, bytes);
        }
    }

    fn post(&mut self, lamp: usize, to_city: bool, bytes: Vec<u8>) {
        if self.rng.percent(self.link.loss) {
            return;
        }
        for _ in 0..1 + u64::from(self.rng.percent(self.link.duplicate)) {
            let mut bytes = bytes.clone();
            if self.rng.percent(self.link.corrupt) {
                let at = self.rng.below(bytes.len() as u64) as usize;
                bytes[at] ^= 1 << self.rng.below(8);
            }
            let (least, most) = self.link.delay;
            let at = self.city.now + least + self.rng.below(most - least + 1);
            self.order += 1;
            self.flying.push(Flying { at, order: self.order, lamp, to_city, bytes });
        }
    }

    /// Lets time pass until that holds, at most so many ms; whether it does.
    pub fn drive(&mut self, ms: u64, until: impl Fn(&Self) -> bool) -> bool {
        let end = self.city.now + ms;
        (0..self.lamps.len()).for_each(|lamp| self.flush(lamp));
        loop {
            if until(self) {
                return true;
            }
            let next = self.flying.iter().enumerate().min_by_key(|(_, f)| (f.at, f.order)).map(|(at, f)| (f.at, at));
            let wakes = self.lamps.iter().enumerate().filter_map(|(n, lamp)| Some((lamp.wake?, n)));
            match (next, wakes.min()) {
                (Some((at, index)), wake) if wake.is_none_or(|(wake, _)| at <= wake) && at <= end => {
                    self.city.now = self.city.now.max(at);
                    let flying = self.flying.swap_remove(index);
                    self.deliver(&flying);
                }
                (_, Some((wake, lamp))) if wake <= end => {
                    self.city.now = self.city.now.max(wake);
                    let one = &mut self.lamps[lamp];
                    one.wake = None;
                    one.with(&self.city, |a, cx| a.handle_timeout(cx)).expect("drained");
                    self.flush(lamp);
                }
                _ => {
                    self.city.now = end;
                    return until(self);
                }
            }
        }
    }

    fn deliver(&mut self, flying: &Flying) {
        let lamp = &mut self.lamps[flying.lamp];
        if flying.to_city {
            if let Some(reply) = self.city.hear(&lamp.name, &flying.bytes) {
                self.post(flying.lamp, false, reply);
            }
        } else {
            lamp.hear(&self.city, &flying.bytes);
            self.flush(flying.lamp);
        }
    }

    /// Whether this device and the centre are in the same generation, with nothing under way.
    pub fn settled(&mut self, lamp: usize) -> bool {
        let chip = self.lamps[lamp].a.chip();
        let generation = chip.generation();
        let row = self.city.row(&self.lamps[lamp].name);
        generation == row.generation() && !row.is_updating() && chip.pending_state() == row.pending_state()
    }
}
