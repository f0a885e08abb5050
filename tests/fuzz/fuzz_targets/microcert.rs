//! The microcert scheme: its parsers, stored chips and rows, and the state machines of a device and its centre, driven by the
//! input.
#![no_main]

use iotkm::crypto::{SUITE_0_SYMMETRIC, Secret, Suite};
use iotkm::engine::state::{self, Kind};
use iotkm::engine::wire::{self as engine, Writer};
use iotkm::engine::{Config, ConnectionId};
use iotkm::microcert::centre::{Change, Kept, ServedMemory, Share};
use iotkm::microcert::wire::{Answer, Certificate, Critical, Dead, Opening, Reply};
use iotkm::microcert::{
    AuthCenter, CentreConfig, Chip, Id, Microcert, MicrocertMemory, Row, SeedStore, Served, Slots, SoftKeys, Stores,
};
use iotkm::{Association, Cx, Device, Error, Instant, NoKeys, Output, Slot, StoreError, UnixTime};
use iotkm_fuzz::{Input, Node, Source, addr, forge};
use libfuzzer_sys::fuzz_target;

type Assoc = Microcert<Chip, MicrocertMemory<Chip>>;
type Session = Served<ServedMemory>;

const SLOTS: Slots = Slots { seed: Slot(1), state: Slot(2) };
/// 2026-02-20, in ms.
const NOW: u64 = 1_771_549_600_000;
static SUITES: [&Suite; 1] = [&SUITE_0_SYMMETRIC];

fn id(n: u8) -> Id {
    Id::new(&[n]).expect("short")
}

/// A database of one row.
#[derive(Default)]
struct Rows {
    row: Option<(Vec<u8>, Vec<u8>)>,
    broken: bool,
}

impl SeedStore for Rows {
    fn get(&mut self, id: &Id, row: &mut Row) -> Result<bool, StoreError> {
        match &self.row {
            Some((state, seed)) if row.read(state, seed) => Ok(row.id() == id),
            Some(_) => Err(StoreError),
            None => Ok(false),
        }
    }
    fn swap(&mut self, row: &Row, _change: Change) -> Result<bool, StoreError> {
        if self.broken {
            return Err(StoreError);
        }
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).map_err(|_| StoreError)?;
        self.row = Some((state[..len].to_vec(), row.seed().to_vec()));
        Ok(true)
    }
}

struct City {
    centre: AuthCenter<[Share; 8], [Kept; 2]>,
    rows: Rows,
    keys: SoftKeys,
    rng: Source,
    served: Option<Session>,
    /// What it sent, the newest last.
    sent: Vec<Vec<u8>>,
}

impl City {
    fn centre() -> AuthCenter<[Share; 8], [Kept; 2]> {
        let tables = ([Share::default(); 8], [Kept::default(); 2]);
        AuthCenter::new(id(2), &SUITES, CentreConfig::default(), tables.0, tables.1).expect("valid")
    }

    fn new() -> Self {
        let keys = SoftKeys::new(&Secret::new([5; 96]));
        Self {
            centre: Self::centre(),
            rows: Rows::default(),
            keys,
            rng: Source::default(),
            served: None,
            sent: Vec::new(),
        }
    }

    fn hear(&mut self, now: u64, from: u8, bytes: &mut [u8]) {
        let device = Device::new(Secret::new([9; 32]));
        let wall = Some(UnixTime(now));
        let mut cx = Cx { now: Instant(now), wall, place: b"", rng: &mut self.rng, device: &device, keys: &NoKeys };
        let mut out = [0; 1_500];
        // As a host does it: a session's own go to it, all else to the centre.
        let its = matches!(engine::classify(bytes), Ok(engine::Kind::Record))
            || matches!(engine::classify(bytes), Ok(engine::Kind::Handshake { scheme: 0, message: 4.., .. }));
        if let (true, Some(served)) = (its, &mut self.served) {
            let _ = served.handle_input(&mut cx, &addr(from), bytes);
        } else {
            let mut stores = Stores { seeds: &mut self.rows, keys: &mut self.keys };
            let cid = ConnectionId::new(&[7]).expect("short");
            match self.centre.handle_input(&mut cx, &mut stores, &addr(from), &cid, bytes, &mut out) {
                Ok(mut handled) => {
                    self.sent.extend(handled.reply.map(<[u8]>::to_vec));
                    if handled.session.is_some() {
                        let served = Served::open(&mut handled.session, Config::default(), ServedMemory::new());
                        self.served = Some(served.expect("valid"));
                    }
                }
                Err(error) => assert!(matches!(error, Error::Store | Error::Rng), "{error:?}"),
            }
        }
        self.drain(now);
    }

    fn drain(&mut self, now: u64) {
        let device = Device::new(Secret::new([9; 32]));
        let Some(served) = &mut self.served else { return };
        for _ in 0..50 {
            let mut cx = Cx {
                now: Instant(now),
                wall: Some(UnixTime(now)),
                place: b"",
                rng: &mut self.rng,
                device: &device,
                keys: &NoKeys,
            };
            let mut out = [0; 1_500];
            match served.poll(&mut cx, &mut out) {
                Output::Datagram { bytes, .. } => self.sent.push(bytes.to_vec()),
                Output::Event(_) => {}
                Output::Idle { .. } => return,
                other => panic!("{other:?}"),
            }
        }
        panic!("never idle");
    }
}

/// One of these datagrams, perhaps changed.
fn taken(input: &mut Input<'_>, sent: &[Vec<u8>]) -> Option<(u8, Vec<u8>)> {
    let how = input.byte();
    let mut bytes = sent.get(sent.len().checked_sub(1 + usize::from(how >> 5))?)?.clone();
    match how & 7 {
        1 => {
            let at = usize::from(input.byte()) % bytes.len().max(1);
            if let Some(b) = bytes.get_mut(at) {
                *b ^= input.byte();
            }
        }
        2 => bytes.truncate(usize::from(input.byte())),
        3 => bytes.extend_from_slice(input.bytes()),
        _ => {}
    }
    Some((how >> 3 & 3, bytes))
}

fn parsers(data: &[u8]) {
    for tag in [8, 16] {
        if let Ok(mut cert) = Certificate::read(data)
            && cert.split(tag).is_ok()
        {
            assert_eq!(cert.clear.len() + cert.text.len() + cert.tag.len(), data.len());
        }
        if let Ok(reply) = Reply::read(data, tag) {
            assert_eq!(reply.clear.len() + reply.text.len() + reply.tag.len(), data.len());
        }
    }
    let mut out = [0; 200];
    if let Ok(critical) = Critical::read(data) {
        let mut w = Writer::new(&mut out);
        critical.write(&mut w);
        assert_eq!(w.finish().map(|len| out[..len] == *data), Ok(true), "one text, one reading");
    }
    if let Ok(answer) = Answer::read(data) {
        assert!(answer.order.is_none_or(|ordered| ordered.tag.len() == 16));
    }
    if let Ok(dead) = Dead::read(data) {
        let mut w = Writer::new(&mut out);
        dead.write(&mut w);
        assert_eq!(w.finish().map(|len| out[..len] == *data), Ok(true));
    }
    let _ = Opening::read(data);
    let _ = Chip::enrol(SLOTS, data, &mut Source::default()).map(|chip| chip.deposit(&mut [0; Chip::DEPOSIT_MAX]));
    let mut city = City::new();
    let mut stores = Stores { seeds: &mut city.rows, keys: &mut city.keys };
    assert!(city.centre.enrol(&mut stores, UnixTime(NOW), data, &mut [0; 20]).is_err());
    assert!(!matches!(city.centre.verify(&mut stores, data, b""), Ok(Some(_))));
    let mut row = Row::none();
    if row.read(data, &[0; Row::SEED_LEN]) {
        let mut state = [0; Row::STATE_MAX];
        let len = row.write_state(&mut state).expect("what was read can be written");
        let mut again = Row::none();
        assert!(again.read(&state[..len], row.seed()) && again == row);
        let _ = (row.years(), row.standing(), row.seen());
    }
}

/// A chip's two blobs, authentic but of any content.
fn blobs(data: &[u8]) {
    let device = Device::new(Secret::new([1; 32]));
    let sealed = |kind, text: &[u8]| {
        let mut out = vec![0; text.len() + state::OVERHEAD];
        out[state::OVERHEAD..].copy_from_slice(text);
        let len = state::seal(&device, kind, 1, &mut out, text.len()).expect("it fits");
        out.truncate(len);
        out
    };
    let (text, rest) = data.split_at(data.len() / 2);
    let mut seed = vec![0; Chip::SEED_MAX - state::OVERHEAD];
    seed.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let (state, seed) = (sealed(Kind::Chip, text), sealed(Kind::KeySeed, &seed));
    let mut work = vec![0; Chip::SEED_MAX.max(data.len())];
    if let Ok(mut chip) = Chip::restore(&device, SLOTS, [0, 0], &seed, &state, &mut work) {
        assert!(work.iter().all(|byte| *byte == 0));
        let mut out = [0; Chip::SEED_MAX];
        while chip.needs_store().is_some() {
            chip.seal(&device, &mut out).expect("what was read can be written");
            chip.persisted();
        }
        if let Ok(a) = Microcert::open(chip, &SUITE_0_SYMMETRIC, Config::default(), MicrocertMemory::new()) {
            let mut node: Node<Assoc> = Node::new(a, 1);
            let _ = node.with(NOW, |a, cx| a.connect(cx, &addr(2)));
            node.drain(NOW);
        }
    }
}

fn open(chip: Chip) -> Assoc {
    let config = Config { tries: 3, ..Config::default() };
    Microcert::open(chip, &SUITE_0_SYMMETRIC, config, MicrocertMemory::new()).expect("valid")
}

fn life(data: &[u8]) {
    let mut input = Input(data);
    let flags = input.byte();
    let mut city = City::new();
    let mut rng = Source::default();
    let mut out = [0; Chip::DEPOSIT_MAX];
    let mut stores = Stores { seeds: &mut city.rows, keys: &mut city.keys };
    let len = city.centre.invite(&mut stores, &id(1), SUITES[0], flags & 1 != 0, UnixTime(NOW), &mut out).expect("new");
    let chip = Chip::enrol(SLOTS, &out[..len], &mut rng).expect("an invitation");
    let len = chip.deposit(&mut out).expect("room");
    city.centre.enrol(&mut stores, UnixTime(NOW), &out[..len], &mut [0; 20]).expect("its own");
    let mut node = Node::new(open(chip), 1);
    node.drain(NOW);
    let (mut now, mut old) = (NOW, city.rows.row.clone());
    let mut rolled_back = false;
    for _ in 0..120 {
        if !input.more() {
            break;
        }
        match input.byte() & 31 {
            0 | 1 => drop(node.with(now, |a, cx| a.connect(cx, &addr(2)))),
            2 | 3 => drop(node.with(now, |a, cx| a.authenticate(cx, &addr(2)))),
            4..=9 => {
                if let Some((from, mut bytes)) = taken(&mut input, &node.sent) {
                    city.hear(now, from, &mut bytes);
                }
            }
            10..=15 => {
                if let Some((from, mut bytes)) = taken(&mut input, &city.sent) {
                    let _ = node.with(now, |a, cx| a.handle_input(cx, &addr(from), &mut bytes).map(drop));
                }
            }
            16 => forge(&mut input, now, &mut node),
            17 => city.hear(now, 3, &mut input.bytes().to_vec()),
            18 => {
                let data = input.bytes();
                let mut out = [0; 100];
                if let Ok(len) = node.with(now, |a, cx| a.sign(cx, data, &mut out)) {
                    let mut stores = Stores { seeds: &mut city.rows, keys: &mut city.keys };
                    let signed = city.centre.verify(&mut stores, &out[..len], data).expect("it works");
                    assert!(signed.is_none_or(|signed| signed.id == id(1)));
                    assert_eq!(city.centre.verify(&mut stores, &out[..len], &[data, b"!"].concat()), Ok(None));
                }
            }
            19 => {
                let _ = city.centre.update(&mut Stores { seeds: &mut city.rows, keys: &mut city.keys }, &id(1));
            }
            20 if flags & 2 != 0 => {
                let _ = city.centre.revoke(&mut Stores { seeds: &mut city.rows, keys: &mut city.keys }, &id(1));
            }
            21 | 22 => now += u64::from(input.byte()) * 200,
            23 => now += u64::from(input.byte()) * 86_400_000,
            24 => {
                let blob = |slot: Slot| node.stored.iter().find(|(at, _)| *at == slot.0).map(|(_, blob)| blob.clone());
                if let (Some(seed), Some(state)) = (blob(SLOTS.seed), blob(SLOTS.state)) {
                    let chip = Chip::restore(&node.device, SLOTS, [0, 0], &seed, &state, &mut [0; Chip::SEED_MAX]);
                    node.a = open(chip.expect("our own"));
                }
            }
            25 => (city.centre, city.served) = (City::centre(), None),
            26 => old.clone_from(&city.rows.row),
            27 if flags & 4 != 0 => {
                city.rows.row.clone_from(&old);
                rolled_back = true;
            }
            28 => node.rng.broken = !node.rng.broken,
            29 => city.rng.broken = !city.rng.broken,
            30 => node.store_broken = !node.store_broken,
            _ => city.rows.broken = !city.rows.broken,
        }
        node.drain(now);
        let _ = node.with(now, |a, cx| a.handle_timeout(cx));
        node.drain(now);
    }
    let mut row = Row::none();
    assert_eq!(city.rows.get(&id(1), &mut row), Ok(true));
    let (device, centre) = (node.a.chip().generation(), row.generation());
    assert!(rolled_back || device == centre || device + 1 == centre, "{device} {centre}");
    let key = |a: &dyn Association| {
        let mut out = [0; 16];
        a.exporter(b"x", b"", &mut out).ok().map(|()| (a.fingerprint(), out))
    };
    if let (Some(a), Some(b)) = (key(&node.a), city.served.as_ref().and_then(|served| key(served))) {
        assert!(a.0 != b.0 || a.1 == b.1, "one transcript, two keys");
    }
}

fuzz_target!(|data: &[u8]| {
    parsers(data);
    blobs(data);
    life(data);
});
