//! The microcert scheme: a chip's seed, the centre's three keys, what CSK makes of a day's rows, sessions, signatures, an update,
//! a restart, a clock that is wrong, revocation.

use crate::side::{Keys, SecretRng};
use crate::side::{
    Party, Side, Watched, address, assert_secret, device, fails, key, published, run_forging, show, surroundings,
};
use crate::{Scenario, Verdict};
use iotkm::crypto::{SUITE_0_SYMMETRIC, SUITE_4_SYMMETRIC, Suite};
use iotkm::engine::{Config, ConnectionId};
use iotkm::microcert::centre::{Change, Kept, ServedMemory, Share};
use iotkm::microcert::{
    AuthCenter, CentreConfig, Chip, Exchange, Id, Microcert, Row, SeedStore, Served, Slots, SoftKeys, Stores,
};
use iotkm::{Addr, Association, Device, Event, NoKeys, Output, Slot, StoreError, UnixTime};

type Assoc = Microcert<Chip, Watched<Exchange<Chip>, 1, 0>>;

const NOW: u64 = 1_000;
const SLOTS: Slots = Slots { seed: Slot(1), state: Slot(2) };
static SUITES: [&Suite; 2] = [&SUITE_0_SYMMETRIC, &SUITE_4_SYMMETRIC];

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("microcert, suite 0", Verdict::Silent, || life(&SUITE_0_SYMMETRIC, false)),
    ("microcert, suite 4, without a clock", Verdict::Silent, || life(&SUITE_4_SYMMETRIC, true)),
];

fn id(name: &str) -> Id {
    Id::new(name.as_bytes()).expect("short")
}

/// A database as whoever steals it sees it.
#[derive(Default)]
struct Rows(Option<(Vec<u8>, Vec<u8>)>);

impl SeedStore for Rows {
    fn get(&mut self, _: &Id, row: &mut Row) -> Result<bool, StoreError> {
        Ok(self.0.as_ref().is_some_and(|(state, seed)| row.read(state, seed)))
    }
    fn swap(&mut self, row: &Row, _: Change) -> Result<bool, StoreError> {
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| StoreError)?;
        self.0 = Some((published(&state[..len]), published(row.seed())));
        Ok(true)
    }
}

struct City {
    centre: AuthCenter<[Share; 64], [Kept; 4]>,
    rows: Rows,
    keys: SoftKeys,
    rng: SecretRng,
    device: Device,
    served: Option<Served<ServedMemory>>,
    leaving: Vec<(Addr, Vec<u8>)>,
}

impl City {
    fn new() -> Self {
        let tables = ([Share::default(); 64], [Kept::default(); 4]);
        let config = CentreConfig::default();
        let keys = SoftKeys::new(&key::<96>(3));
        show(&keys);
        Self {
            centre: AuthCenter::new(id("city"), &SUITES, config, tables.0, tables.1).unwrap_or_else(fails),
            rows: Rows::default(),
            keys,
            rng: SecretRng::new(2),
            device: device(2),
            served: None,
            leaving: Vec::new(),
        }
    }

    fn stores<T>(&mut self, f: impl FnOnce(&AuthCenter<[Share; 64], [Kept; 4]>, &mut Stores<'_>) -> T) -> T {
        f(&self.centre, &mut Stores { seeds: &mut self.rows, keys: &mut self.keys })
    }

    fn row(&mut self) -> Row {
        let mut row = Row::none();
        assert_eq!(self.rows.get(&id("lamp"), &mut row), Ok(true));
        row
    }
}

impl Party for City {
    fn addr(&self) -> Addr {
        address(2)
    }

    fn drain(&mut self, now: u64) -> Vec<(Addr, Vec<u8>)> {
        if let Some(served) = &mut self.served {
            let mut out = [0; 200];
            let mut cx = surroundings(now, &mut self.rng, &self.device, &NoKeys);
            while let Output::Datagram { to, bytes } = served.poll(&mut cx, &mut out) {
                self.leaving.push((to, published(bytes)));
            }
        }
        std::mem::take(&mut self.leaving)
    }

    fn input(&mut self, now: u64, from: &Addr, datagram: &[u8]) {
        let mut out = [0; 200];
        let mut cx = surroundings(now, &mut self.rng, &self.device, &NoKeys);
        let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
        let cid = ConnectionId::new(&[7]).expect("short");
        let handled = self.centre.handle_input(&mut cx, &mut stores, from, &cid, datagram, &mut out);
        let mut handled = handled.unwrap_or_else(fails);
        show(&handled.event);
        self.leaving.extend(handled.reply.map(|reply| (*from, published(reply))));
        show(&handled.session);
        if handled.session.is_some() {
            let served = Served::open(&mut handled.session, Config::default(), ServedMemory::new());
            self.served = Some(served.unwrap_or_else(fails));
        }
        show(self.centre.drops());
    }
}

fn open(chip: Chip, suite: &'static Suite) -> Assoc {
    show(&chip);
    Microcert::open(chip, suite, Config::default(), Watched::new()).unwrap_or_else(fails)
}

/// A chip that is enrolled and confirmed.
fn enrolled(city: &mut City, suite: &'static Suite, clockless: bool) -> Side<Assoc> {
    let now = UnixTime(1_750_000_000_000 + NOW);
    let mut invitation = [0; 100];
    let invite = |c: &AuthCenter<_, _>, stores: &mut Stores<'_>| {
        c.invite(stores, &id("lamp"), suite, clockless, now, &mut invitation)
    };
    let len = city.stores(invite).unwrap_or_else(fails);
    // Its end is the transport key.
    assert_secret("the transport key", &invitation[len - 16..len]);
    let mut chip = Chip::enrol(SLOTS, &invitation[..len], &mut SecretRng::new(40)).unwrap_or_else(fails);
    show(&chip);
    let mut deposit = [0; Chip::DEPOSIT_MAX];
    let len = chip.deposit(&mut deposit).unwrap_or_else(fails);
    let deposit = published(&deposit[..len]);
    let mut confirmation = [0; 20];
    city.stores(|c, stores| c.enrol(stores, now, &deposit, &mut confirmation)).unwrap_or_else(fails);
    let confirmation = published(&confirmation);
    let mut forged = confirmation.clone();
    forged[19] ^= 1;
    assert!(chip.confirm(&forged).is_err());
    chip.confirm(&confirmation).unwrap_or_else(fails);
    Side::new(open(chip, suite), 1)
}

/// All but a cookie's request has a forged copy: with one of that, too, they would go on for as long as somebody forges.
fn run(now: u64, lamp: &mut Side<Assoc>, city: &mut City) {
    run_forging(now, lamp, city, |datagram| datagram[..2] != [0x10, 0x20]);
}

fn talk(city: &mut City, lamp: &mut Side<Assoc>) {
    let served = city.served.as_mut().expect("a session");
    let mut exported = [[0; 40]; 2];
    served.exporter(b"label", b"", &mut exported[0]).unwrap_or_else(fails);
    lamp.a.exporter(b"label", b"", &mut exported[1]).unwrap_or_else(fails);
    exported.iter().for_each(|key| assert_secret("an exported key", key));
    assert_eq!(published(&exported[0]), published(&exported[1]));
    let mut record = lamp.say(NOW, b"21 degrees");
    let mut out = [0; 200];
    let mut cx = surroundings(NOW, &mut city.rng, &city.device, &NoKeys);
    while !matches!(served.poll(&mut cx, &mut out), Output::Idle { .. }) {}
    let received = served.handle_input(&mut cx, &address(1), &mut record).unwrap_or_else(fails);
    assert_eq!(received.expect("a record").payload, b"21 degrees");
    let back = published(served.send(&mut cx, b"light", &mut out).unwrap_or_else(fails).bytes);
    lamp.input(NOW, &address(2), &back);
    assert_eq!(lamp.received.last().map(Vec::as_slice), Some(&b"light"[..]));
}

fn life(suite: &'static Suite, clockless: bool) {
    let mut city = City::new();
    let mut lamp = enrolled(&mut city, suite, clockless);
    lamp.keys = Keys(Box::new(NoKeys));
    lamp.with(NOW, |a, cx| a.connect(cx, &address(2))).unwrap_or_else(fails);
    run(NOW, &mut lamp, &mut city);
    assert!(lamp.a.is_established(), "{:?}", lamp.events);
    talk(&mut city, &mut lamp);

    let mut out = [0; 100];
    let mut signed = lamp.with(NOW, |a, cx| a.sign(cx, b"42 degrees", &mut out));
    if signed.is_err() {
        run(NOW, &mut lamp, &mut city);
        signed = lamp.with(NOW, |a, cx| a.sign(cx, b"42 degrees", &mut out));
    }
    let signature = published(&out[..signed.unwrap_or_else(fails)]);
    for (data, good) in [(&b"42 degrees"[..], true), (b"43 degrees", false)] {
        let verified = city.stores(|c, stores| c.verify(stores, &signature, data)).unwrap_or_else(fails);
        assert_eq!(verified.is_some(), good);
    }

    // Its share of unwraps is whole again.
    let now = NOW + 60_000;
    city.stores(|c, stores| c.update(stores, &id("lamp"))).unwrap_or_else(fails);
    lamp.with(now, |a, cx| a.authenticate(cx, &address(2))).unwrap_or_else(fails);
    run(now, &mut lamp, &mut city);
    let replaced = |event: &Event| matches!(event, Event::KeyReplaced { generation: 1 });
    assert!(lamp.events.iter().any(replaced), "{:?}", lamp.events);
    assert_eq!(city.row().generation(), 1);

    // A restart, years later: one row is erased.
    let [seed, state] = [SLOTS.seed, SLOTS.state].map(|slot| lamp.stored[&slot.0].clone());
    let mut work = [0; Chip::SEED_MAX];
    lamp.a = open(Chip::restore(&device(1), SLOTS, [0, 0], &seed, &state, &mut work).unwrap_or_else(fails), suite);
    let now = NOW + 400 * 86_400_000;
    for minute in 0..2 {
        let now = now - 60_000 * (2 - minute);
        lamp.with(now, |a, cx| a.connect(cx, &address(2))).unwrap_or_else(fails);
        run(now, &mut lamp, &mut city);
    }
    assert!(lamp.a.is_established() && lamp.a.chip().years().0 == 2026, "{:?}", lamp.a.chip());
    talk(&mut city, &mut lamp);

    city.stores(|c, stores| c.revoke(stores, &id("lamp"))).unwrap_or_else(fails);
    lamp.with(now, |a, cx| a.authenticate(cx, &address(2))).unwrap_or_else(fails);
    run(now, &mut lamp, &mut city);
    assert!(lamp.a.chip().is_dead());
    show(lamp.a.chip());
}
