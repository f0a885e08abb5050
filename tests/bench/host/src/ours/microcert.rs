//! The microcert scheme: a device and its centre, whose rows and keys are in memory.

use iotkm::crypto::{Secret, Suite};
use iotkm::engine::{Config, ConnectionId};
use iotkm::history::Id;
use iotkm::microcert::centre::{Change, Kept, Share};
use iotkm::microcert::{
    AuthCenter, CentreConfig, CentreEvent, Chip, Microcert, MicrocertMemory, Row, SeedStore, Slots, SoftKeys, Stores,
};
use iotkm::{Addr, Association, Cx, Device, Event, Instant, NoKeys, Output, Slot, StoreError, UnixTime};

use super::pair::Cheap;
use crate::lab::Problem;
use crate::ops::{Op, repeat};

/// Places lent as firmware lends them: the association's size is without its chip and its runs.
type Lent = Microcert<&'static mut Chip, &'static mut Runs>;
type Runs = MicrocertMemory<&'static mut Chip>;
type Owned = Microcert<Chip, MicrocertMemory<Chip>>;

/// `sizeof` an established association.
pub const ESTABLISHED: usize = size_of::<Lent>();
/// The same in a run, its memory included.
pub const HANDSHAKE: usize = size_of::<Lent>() + size_of::<Runs>();

const NOW: UnixTime = UnixTime(1_800_000_000_000);

/// One row, as a database has it.
#[derive(Default)]
struct Rows {
    state: Vec<u8>,
    seed: Vec<u8>,
}

impl SeedStore for Rows {
    fn get(&mut self, _: &Id, row: &mut Row) -> Result<bool, StoreError> {
        Ok(!self.state.is_empty() && row.read(&self.state, &self.seed))
    }
    fn swap(&mut self, row: &Row, change: Change) -> Result<bool, StoreError> {
        self.state.resize(Row::STATE_MAX, 0);
        let len = row.write_state(&mut self.state).map_err(|_| StoreError)?;
        self.state.truncate(len);
        if change == Change::Seed {
            self.seed = row.seed().to_vec();
        }
        Ok(true)
    }
}

/// What each side's application lends it.
struct Around {
    rng: Cheap,
    device: Device,
    addr: Addr,
}

impl Around {
    fn new(name: &str) -> Self {
        let addr = Addr::new(name.as_bytes()).expect("a short name");
        Self { rng: Cheap(u64::from(name.as_bytes()[0])), device: Device::new(Secret::new([7; 32])), addr }
    }

    fn cx(&mut self) -> Cx<'_> {
        let Self { rng, device, .. } = self;
        Cx { now: Instant(1), wall: Some(NOW), place: b"", rng, device, keys: &NoKeys }
    }
}

/// A micro-certificate each way, both sides, again and again: as in a life, every 32nd reserves counters and stores.
pub fn authenticate(suite: &'static Suite, session: bool) -> Result<Box<dyn Op>, Problem> {
    let suites: &'static [&'static Suite] = Box::leak(Box::new([suite]));
    let id = |name: &str| Id::new(name.as_bytes()).expect("a short name");
    let (mut here, mut there) = (Around::new("m-17"), Around::new("city"));
    let (mut rows, mut keys) = (Rows::default(), SoftKeys::new(&Secret::new([9; 96])));
    let (shares, answers) = (vec![Share::default(); 4], vec![Kept::default(); 4]);
    let mut centre = AuthCenter::new(id("city"), suites, CentreConfig::default(), shares, answers)?;

    let mut paper = [0; Chip::DEPOSIT_MAX];
    let mut stores = Stores { seeds: &mut rows, keys: &mut keys };
    let len = centre.invite(&mut stores, &id("m-17"), suite, false, NOW, &mut paper)?;
    let slots = Slots { seed: Slot(1), state: Slot(2) };
    let chip = Chip::enrol(slots, &paper[..len], &mut here.rng)?;
    let len = chip.deposit(&mut paper)?;
    centre.enrol(&mut stores, NOW, &paper[..len], &mut [0; 20])?;
    let mut device: Owned = Microcert::open(chip, suite, Config::default(), MicrocertMemory::new())?;

    let to = there.addr;
    let cid = ConnectionId::new(&[]).expect("none");
    let (mut out, mut reply) = ([0; 1200], [0; 128]);
    repeat(move || {
        let (mut wire, mut done) = (0, false);
        let started =
            if session { device.connect(&mut here.cx(), &to) } else { device.authenticate(&mut here.cx(), &to) };
        started.expect("at rest");
        loop {
            let datagram = match device.poll(&mut here.cx(), &mut out) {
                Output::Datagram { bytes, .. } => bytes,
                Output::Persist { slot, .. } => {
                    device.persisted(slot, Ok(()));
                    continue;
                }
                Output::Event(event) => {
                    done |= matches!(event, Event::Authenticated | Event::Established { .. });
                    continue;
                }
                _ => break,
            };
            wire += datagram.len() as u64;
            let mut stores = Stores { seeds: &mut rows, keys: &mut keys };
            let handled = centre.handle_input(&mut there.cx(), &mut stores, &here.addr, &cid, datagram, &mut reply);
            let handled = handled.expect("nothing fails");
            assert!(matches!(handled.event, Some((_, CentreEvent::Authenticated))));
            let len = handled.reply.map_or(0, <[u8]>::len);
            wire += len as u64;
            device.handle_input(&mut here.cx(), &to, &mut reply[..len]).expect("drained");
        }
        assert!(done);
        wire
    })
}
