//! Devices and their centre, by hazard.

mod authentication;
mod hazards;
mod life;
mod power;

use super::centre::{Kept, Share};
use super::chip::{Chip, Slots};
use super::keystore::{Bind, KeyStore, KeyStoreError, STORED_LEN, SoftKeys, TRANSPORTED_LEN};
use super::{
    AuthCenter, CentreConfig, CentreEvent, Date, Id, Microcert, MicrocertMemory, Row, SeedStore, Served, Stores,
};
use crate::association::{Addr, Association, Cx, Device, Event, Instant, Output, Slot, StoreError, UnixTime};
use crate::crypto::{Rng, RngError, SUITE_0_SYMMETRIC, SUITE_4_SYMMETRIC, Secret, Suite, kdf::hash};
use crate::engine::Config;
use crate::engine::session::ConnectionId;
use crate::microcert::centre::{Accepted, Change, ServedMemory};
use crate::microcert::csk::Selected;
use crate::{Error, NoKeys};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

/// 2026-02-20 01:06:40
pub(super) const NOW: u64 = 1_771_549_600_000;
pub(super) const SLOTS: Slots = Slots { seed: Slot(1), state: Slot(2) };
pub(super) static SUITES: [&Suite; 2] = [&SUITE_0_SYMMETRIC, &SUITE_4_SYMMETRIC];

/// Randomness that repeats.
pub(super) struct Seeded(pub u64);

impl Rng for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        if self.0 == u64::MAX {
            return Err(RngError);
        }
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&hash(&[&self.0.to_be_bytes()])[..chunk.len()]);
        }
        Ok(())
    }
}

pub(super) fn id(name: &str) -> Id {
    Id::new(name.as_bytes()).unwrap()
}

pub(super) fn addr(name: &str) -> Addr {
    Addr::new(name.as_bytes()).unwrap()
}

/// Rows in memory.
#[derive(Clone, Default)]
pub(super) struct Rows {
    pub rows: BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)>,
    /// Writes that still succeed.
    pub writes: Option<u32>,
    /// Writes that somebody else gets in before.
    pub races: u32,
    pub swaps: u32,
}

/// What is sealed in a row's state.
fn spare(state: &[u8]) -> Option<&[u8; 80]> {
    let flags = state[6 + usize::from(state[4])];
    if flags & 0x10 != 0 { state.last_chunk() } else { None }
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
        if let Some(left) = &mut self.writes {
            *left = left.checked_sub(1).ok_or(StoreError)?;
        }
        let there = self.rows.get(row.id().as_bytes());
        let version = there.map_or(0, |(state, _)| u32::from_be_bytes(*state.first_chunk().unwrap()));
        if version + 1 != row.version() {
            return Ok(false);
        }
        if self.races > 0 {
            self.races -= 1;
            let (state, _) = self.rows.get_mut(row.id().as_bytes()).unwrap();
            state[..4].copy_from_slice(&(version + 1).to_be_bytes());
            return Ok(false);
        }
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).unwrap();
        if change == Change::State {
            let (before, seed) = there.unwrap();
            assert_eq!(seed, row.seed(), "the seed has not changed");
            assert_eq!(spare(before), spare(&state[..len]), "nor has the next one");
        }
        self.rows.insert(row.id().as_bytes().to_vec(), (state[..len].to_vec(), row.seed().to_vec()));
        self.swaps += 1;
        Ok(true)
    }
}

/// Keys that count how often a seed is unwrapped.
pub(super) struct Counted {
    keys: SoftKeys,
    pub unwraps: u32,
    pub broken: bool,
}

impl Counted {
    fn work<T>(&mut self, f: impl FnOnce(&mut SoftKeys) -> Result<T, KeyStoreError>) -> Result<T, KeyStoreError> {
        self.unwraps += 1;
        if self.broken { Err(KeyStoreError::Unavailable) } else { f(&mut self.keys) }
    }
}

impl KeyStore for Counted {
    fn transport_key(&mut self, id: &Id) -> Result<Secret<16>, KeyStoreError> {
        self.work(|keys| keys.transport_key(id))
    }
    fn transcrypt(
        &mut self,
        id: &Id,
        bind: &Bind,
        transported: &[u8; TRANSPORTED_LEN],
        stored: &mut [u8; STORED_LEN],
    ) -> Result<(), KeyStoreError> {
        self.work(|keys| keys.transcrypt(id, bind, transported, stored))
    }
    fn rows(
        &mut self,
        bind: &Bind,
        stored: &[u8; STORED_LEN],
        date: &Date,
        base: u16,
    ) -> Result<Selected, KeyStoreError> {
        self.work(|keys| keys.rows(bind, stored, date, base))
    }
    fn seal(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        if self.broken { Err(KeyStoreError::Unavailable) } else { self.keys.seal(bind, text) }
    }
    fn open(&mut self, bind: &Bind, text: &mut [u8]) -> Result<(), KeyStoreError> {
        self.work(|keys| keys.open(bind, text))
    }
}

/// A centre with its stores.
pub(super) struct City {
    pub centre: AuthCenter<Vec<Share>, Vec<Kept>>,
    pub rows: Rows,
    pub keys: Counted,
    pub rng: Seeded,
    pub device: Device,
    pub now: u64,
    pub wall: u64,
    pub cid: u8,
    pub events: Vec<(Id, CentreEvent)>,
    pub session: Option<Accepted>,
}

impl City {
    pub fn new() -> Self {
        let config = CentreConfig::default();
        Self {
            centre: Self::centre(config),
            rows: Rows::default(),
            keys: Counted {
                keys: SoftKeys::new(&Secret::new(core::array::from_fn(|i| i as u8))),
                unwraps: 0,
                broken: false,
            },
            rng: Seeded(1_000_000),
            device: Device::new(Secret::new([0xcc; 32])),
            now: 5_000,
            wall: NOW,
            cid: 0,
            events: Vec::new(),
            session: None,
        }
    }

    fn centre(config: CentreConfig) -> AuthCenter<Vec<Share>, Vec<Kept>> {
        let shares = std::vec![Share::default(); 1 << 10];
        let answers = std::vec![Kept::default(); 64];
        AuthCenter::new(id("city centre"), &SUITES, config, shares, answers).unwrap()
    }

    /// Its memory is gone; what is stored is not.
    pub fn restart(&mut self) {
        self.centre = Self::centre(CentreConfig::default());
    }

    pub fn pass(&mut self, seconds: u64) {
        self.now += seconds * 1_000;
        self.wall += seconds * 1_000;
    }

    pub fn with<T>(
        &mut self,
        f: impl FnOnce(&mut AuthCenter<Vec<Share>, Vec<Kept>>, &mut Stores<'_>, UnixTime) -> T,
    ) -> T {
        let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
        f(&mut self.centre, &mut stores, UnixTime(self.wall))
    }

    pub fn try_hear(&mut self, from: &str, datagram: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
        let mut cx = Cx {
            now: Instant(self.now),
            wall: Some(UnixTime(self.wall)),
            place: &[],
            rng: &mut self.rng,
            device: &self.device,
            keys: &NoKeys,
        };
        let cid = ConnectionId::new(&[self.cid, 0x77]).unwrap();
        let mut out = [0; 200];
        let handled = self.centre.handle_input(&mut cx, &mut stores, &addr(from), &cid, datagram, &mut out)?;
        if let Some(event) = handled.event {
            self.events.push(event);
        }
        if let Some(session) = handled.session {
            self.cid += 1;
            self.session = Some(session);
        }
        Ok(handled.reply.map(<[u8]>::to_vec))
    }

    pub fn hear(&mut self, from: &str, datagram: &[u8]) -> Option<Vec<u8>> {
        self.try_hear(from, datagram).unwrap()
    }

    pub fn row(&mut self, name: &str) -> Row {
        let mut row = Row::none();
        assert!(self.rows.get(&id(name), &mut row).unwrap());
        row
    }

    pub fn newest(&self) -> Option<CentreEvent> {
        self.events.last().map(|(_, event)| *event)
    }

    pub fn invite(&mut self, name: &str, suite: &'static Suite, clockless: bool) -> Vec<u8> {
        let mut out = [0; 100];
        let len = self.with(|c, stores, now| c.invite(stores, &id(name), suite, clockless, now, &mut out)).unwrap();
        out[..len].to_vec()
    }

    pub fn enrol(&mut self, deposit: &[u8]) -> Result<Vec<u8>, Error> {
        let mut confirmation = [0; 20];
        self.with(|c, stores, now| c.enrol(stores, now, deposit, &mut confirmation))?;
        Ok(confirmation.to_vec())
    }
}

pub(super) type Assoc = Microcert<Chip, Box<MicrocertMemory<Chip>>>;

/// A device.
pub(super) struct Lamp {
    pub a: Option<Assoc>,
    pub suite: &'static Suite,
    pub device: Device,
    pub rng: Seeded,
    /// How far its clock is from the centre's, in seconds; `None`: it has none.
    pub clock: Option<i64>,
    pub stored: BTreeMap<u16, (u32, Vec<u8>)>,
    /// Writes that still succeed; after that the power is gone.
    pub writes: Option<u32>,
    pub events: Vec<Event>,
    pub sent: Vec<Vec<u8>>,
    pub name: &'static str,
}

impl Lamp {
    /// A device that is enrolled, but not confirmed.
    pub fn enrolled(city: &mut City, name: &'static str, suite: &'static Suite, clockless: bool) -> (Self, Vec<u8>) {
        let invitation = city.invite(name, suite, clockless);
        let mut rng = Seeded(u64::from(hash(&[name.as_bytes()])[0]) << 32);
        let chip = Chip::enrol(SLOTS, &invitation, &mut rng).unwrap();
        let mut deposit = [0; Chip::DEPOSIT_MAX];
        let len = chip.deposit(&mut deposit).unwrap();
        let confirmation = city.enrol(&deposit[..len]).unwrap();
        let mut lamp = Self {
            a: None,
            suite,
            device: Device::new(Secret::new([0xdd; 32])),
            rng,
            clock: if clockless { None } else { Some(0) },
            stored: BTreeMap::new(),
            writes: None,
            events: Vec::new(),
            sent: Vec::new(),
            name,
        };
        lamp.open(chip);
        (lamp, confirmation)
    }

    pub fn new(city: &mut City, name: &'static str) -> Self {
        Self::of(city, name, &SUITE_0_SYMMETRIC, false)
    }

    pub fn of(city: &mut City, name: &'static str, suite: &'static Suite, clockless: bool) -> Self {
        let (mut lamp, _) = Self::enrolled(city, name, suite, clockless);
        lamp.flush(city);
        lamp
    }

    pub fn open(&mut self, chip: Chip) {
        let config = Config { cid: ConnectionId::new(&[9]).unwrap(), ..Config::default() };
        self.a = Some(Microcert::open(chip, self.suite, config, Box::default()).unwrap());
    }

    /// It loses its power, and comes back with what is stored.
    pub fn reboot(&mut self) {
        self.a = None;
        self.writes = None;
        let mut work = [0; Chip::SEED_MAX];
        let (_, seed) = &self.stored[&SLOTS.seed.0];
        let (_, state) = &self.stored[&SLOTS.state.0];
        let chip = Chip::restore(&self.device, SLOTS, [0, 0], seed, state, &mut work).unwrap();
        assert_eq!(work, [0; Chip::SEED_MAX]);
        self.open(chip);
    }

    pub fn with<T>(&mut self, city: &City, f: impl FnOnce(&mut Assoc, &mut Cx<'_>) -> T) -> T {
        let wall = self.clock.map(|off| UnixTime((city.wall as i64 + off * 1_000) as u64));
        let mut cx =
            Cx { now: Instant(city.now), wall, place: &[], rng: &mut self.rng, device: &self.device, keys: &NoKeys };
        f(self.a.as_mut().unwrap(), &mut cx)
    }

    /// Drains the outputs: stores, keeps events, returns what it sends. Without power: nothing any more.
    pub fn flush(&mut self, city: &City) -> Vec<Vec<u8>> {
        let mut sent = Vec::new();
        loop {
            enum Out {
                Datagram(Vec<u8>),
                Persist(Slot, u32, Vec<u8>),
                Event(Event),
                Idle,
            }
            let out = self.with(city, |a, cx| {
                let mut buffer = [0; 1500];
                match a.poll(cx, &mut buffer) {
                    Output::Datagram { bytes, .. } => Out::Datagram(bytes.to_vec()),
                    Output::Persist { slot, version, bytes } => Out::Persist(slot, version, bytes.to_vec()),
                    Output::Event(event) => Out::Event(event),
                    Output::BufferTooSmall { needed } => panic!("{needed}"),
                    Output::Idle { .. } => Out::Idle,
                }
            });
            match out {
                Out::Datagram(bytes) => {
                    self.sent.push(bytes.clone());
                    sent.push(bytes);
                }
                Out::Persist(slot, version, bytes) => {
                    if self.writes == Some(0) {
                        return Vec::new();
                    }
                    self.writes = self.writes.map(|left| left - 1);
                    let max = if slot == SLOTS.seed { Chip::SEED_MAX } else { Chip::STATE_MAX };
                    assert!(bytes.len() <= max);
                    if let Some((before, _)) = self.stored.insert(slot.0, (version, bytes)) {
                        assert!(version > before, "versions rise");
                    }
                    self.with(city, |a, _| a.persisted(slot, Ok(())));
                }
                Out::Event(event) => self.events.push(event),
                Out::Idle => return sent,
            }
        }
    }

    pub fn hear(&mut self, city: &City, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = datagram.to_vec();
        self.with(city, |a, cx| {
            let received = a.handle_input(cx, &addr("centre"), &mut bytes).unwrap();
            received.map(|r| r.payload.to_vec())
        })
    }

    /// All that device and centre have to say to each other.
    pub fn talk(&mut self, city: &mut City) {
        for _ in 0..50 {
            let sent = self.flush(city);
            if sent.is_empty() {
                return;
            }
            for datagram in sent {
                if let Some(reply) = city.hear(self.name, &datagram) {
                    self.hear(city, &reply);
                }
            }
        }
        panic!("they never end");
    }

    pub fn connect(&mut self, city: &mut City) {
        self.with(city, |a, cx| a.connect(cx, &addr("centre"))).unwrap();
        self.talk(city);
    }

    pub fn authenticate(&mut self, city: &mut City) {
        self.with(city, |a, cx| a.authenticate(cx, &addr("centre"))).unwrap();
        self.talk(city);
    }

    /// Time passes, up to its timer's next call.
    pub fn wait(&mut self, city: &mut City, seconds: u64) {
        for _ in 0..seconds {
            city.pass(1);
            self.with(city, |a, cx| a.handle_timeout(cx)).unwrap();
            self.talk(city);
        }
    }

    pub fn saw(&self, event: &Event) -> bool {
        self.events.contains(event)
    }

    pub fn chip(&self) -> &Chip {
        self.a.as_ref().unwrap().chip()
    }

    /// It authenticates itself and all is well.
    pub fn is_well(&mut self, city: &mut City) {
        self.events.clear();
        city.events.clear();
        self.authenticate(city);
        assert!(self.saw(&Event::Authenticated), "{:?}, {:?}", self.events, city.events);
        assert!(city.events.iter().any(|(id, _)| id.as_bytes() == self.name.as_bytes()));
    }
}

pub(super) fn established(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Established { .. }))
}

/// The centre's side of the newest session.
pub(super) fn served(city: &mut City) -> Served<Box<ServedMemory>> {
    let mut granted = city.session.take();
    let served = Served::open(&mut granted, Config::default(), Box::default()).unwrap();
    assert!(matches!(Served::open(&mut granted, Config::default(), ServedMemory::new()), Err(Error::WrongState)));
    served
}
