//! A row of the key database: all that a centre keeps of one device.
//!
//! ```text
//! state   u32 version | short(id) | suite | flags | base year u16 | first year u16 | replacement 11 | asked u16 | N_C 16
//!         | base year of the pending seed u16 | counter u32 | last 8 | seen u32 | spare 80, if there is one
//! seed    992 bytes: the key seed, sealed under K_store
//! ```
//! The state changes with every authentication, the seed seldom: a database may keep them apart.

use crate::association::UnixTime;
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Pending, Replacement, Which};
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Reader, Writer};
use crate::history::Id;
use crate::microcert::keys::{self, CLOCKLESS, NEW_LEN, REVOKED, Sealed, Terms};
use crate::microcert::keystore::{Bind, SEAL_LEN, STORED_LEN};

/// Bytes of the root of the next seed and the gone key of the last, sealed.
pub(super) const SPARE_LEN: usize = 64 + SEAL_LEN;

/// Flag of a row: the chip has said that its seed is killed.
pub(super) const KILLED: u8 = 4;
/// Flag of a row: a new seed is wanted.
pub(super) const UPDATE: u8 = 8;
/// Flag of a stored row: there is a spare.
const SPARE: u8 = 0x10;

/// What a centre keeps of one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub(super) version: u32,
    pub(super) id: Id,
    pub(super) suite: i8,
    pub(super) flags: u8,
    pub(super) base: u16,
    /// The first year whose row is not erased.
    pub(super) first: u16,
    pub(super) replacement: Replacement,
    /// The attempt that was asked for last, and its N_C; 0: none.
    pub(super) asked: u16,
    pub(super) n_c: [u8; NEW_LEN],
    pub(super) pending_base: u16,
    /// The lowest counter that is taken.
    pub(super) counter: u32,
    /// Digest of the newest micro-certificate that was taken.
    pub(super) last: [u8; 8],
    /// When that was, in seconds since 1970.
    pub(super) seen: u32,
    pub(super) spare: Option<[u8; SPARE_LEN]>,
    pub(super) seed: [u8; STORED_LEN],
}

/// How far a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It may authenticate itself.
    Enrolled,
    /// It is revoked, and told so as soon as it comes.
    Revoked,
    /// It has killed its seed.
    Killed,
}

impl Row {
    /// The longest state in bytes.
    pub const STATE_MAX: usize = 4 + 1 + Id::MAX + 6 + Replacement::LEN + 2 + NEW_LEN + 2 + 4 + 8 + 4 + SPARE_LEN;
    /// Bytes of a sealed seed.
    pub const SEED_LEN: usize = STORED_LEN;

    /// No row yet: a place for [`SeedStore::get`](super::SeedStore::get) to fill.
    pub fn none() -> Self {
        Self {
            version: 0,
            id: Id::default(),
            suite: 0,
            flags: 0,
            base: 0,
            first: 0,
            replacement: Replacement::new(),
            asked: 0,
            n_c: [0; NEW_LEN],
            pending_base: 0,
            counter: 0,
            last: [0; 8],
            seen: 0,
            spare: None,
            seed: [0; STORED_LEN],
        }
    }

    /// Reads a row from its two parts into this place; whether it is one. Where not, the place holds nothing of use.
    pub fn read(&mut self, state: &[u8], seed: &[u8]) -> bool {
        self.read_state(state).is_ok() && seed.try_into().map(|seed| self.seed = seed).is_ok()
    }

    fn read_state(&mut self, state: &[u8]) -> Result<(), Dropped> {
        let mut r = Reader::new(state);
        self.version = r.u32()?;
        self.id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let [suite, flags] = r.array()?;
        (self.suite, self.flags) = (suite as i8, flags & !SPARE);
        (self.base, self.first) = (r.u16()?, r.u16()?);
        self.replacement = Replacement::read(&mut r)?;
        (self.asked, self.n_c, self.pending_base) = (r.u16()?, r.array()?, r.u16()?);
        (self.counter, self.last, self.seen) = (r.u32()?, r.array()?, r.u32()?);
        self.spare = if flags & SPARE != 0 { Some(r.array()?) } else { None };
        r.end()
    }

    /// Writes the state, at most [`STATE_MAX`](Self::STATE_MAX) bytes; its length, or what it needs.
    ///
    /// # Errors
    /// The size that `out` needs.
    pub fn write_state(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        let spare = if self.spare.is_some() { SPARE } else { 0 };
        w.put(&self.version.to_be_bytes()).short(self.id.as_bytes()).put(&[self.suite as u8, self.flags | spare]);
        w.put(&self.base.to_be_bytes()).put(&self.first.to_be_bytes());
        self.replacement.write(&mut w);
        w.put(&self.asked.to_be_bytes()).put(&self.n_c).put(&self.pending_base.to_be_bytes());
        w.put(&self.counter.to_be_bytes()).put(&self.last).put(&self.seen.to_be_bytes());
        w.put(self.spare.as_ref().map_or(&[], |spare| spare));
        w.finish()
    }

    /// The sealed seed.
    pub const fn seed(&self) -> &[u8; STORED_LEN] {
        &self.seed
    }

    /// Counts the writes to this row, from 1 on: what compare-and-swap compares.
    pub const fn version(&self) -> u32 {
        self.version
    }
    /// The device's id.
    pub const fn id(&self) -> &Id {
        &self.id
    }
    /// How far it is.
    pub const fn standing(&self) -> Standing {
        match (self.flags & KILLED != 0, self.flags & REVOKED != 0) {
            (true, _) => Standing::Killed,
            (false, true) => Standing::Revoked,
            (false, false) => Standing::Enrolled,
        }
    }
    /// Whether it was enrolled as a device without a clock.
    pub const fn is_clockless(&self) -> bool {
        self.flags & CLOCKLESS != 0
    }
    /// Number of the suite.
    pub const fn suite(&self) -> i8 {
        self.suite
    }
    /// Generation of the seed: how often it was replaced.
    pub const fn generation(&self) -> u32 {
        self.replacement.generation()
    }
    /// What is known of the seed that is to replace it.
    pub const fn pending_state(&self) -> Pending {
        self.replacement.pending()
    }
    /// Whether a new seed is wanted and not there yet.
    pub const fn is_updating(&self) -> bool {
        self.flags & UPDATE != 0
    }
    /// The first year whose row is there, and the last one that the seed is for.
    pub const fn years(&self) -> (u16, u16) {
        (self.first, self.base.saturating_add(4))
    }
    /// The lowest counter that is taken from this device.
    pub const fn counter(&self) -> u32 {
        self.counter
    }
    /// When the device was authenticated last.
    pub fn seen(&self) -> Option<UnixTime> {
        (self.seen != 0).then(|| UnixTime(u64::from(self.seen).saturating_mul(1_000)))
    }

    pub(super) const fn terms(&self, centre: &Id, generation: u32) -> Terms {
        let flags = self.flags & (CLOCKLESS | REVOKED);
        Terms { suite: self.suite, flags, generation, device: self.id, centre: *centre }
    }

    /// What a part of this row is sealed to.
    pub(super) fn bind(&self, centre: &Id, part: Sealed) -> Bind {
        keys::bind(&self.terms(centre, self.generation()), self.base, part)
    }

    /// As [`bind`](Self::bind), where the th_0 of its current seed is known.
    pub(super) fn bind_under(&self, th_0: &Transcript, part: Sealed) -> Bind {
        keys::bind_under(th_0, self.flags & (CLOCKLESS | REVOKED), self.base, part)
    }

    pub(super) const fn generation_of(&self, which: Which) -> u32 {
        match which {
            Which::Current => self.generation(),
            Which::Pending => self.generation().saturating_add(1),
        }
    }
}
