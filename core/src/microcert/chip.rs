//! The device's secure chip: its key seed and its successor, the counters, and how they are stored.

use super::csk::Date;
use super::enrolment::{FORMAT, Invitation};
use super::keys::{self, CLOCKLESS, NEW_LEN, TAG_LEN, Terms};
use super::keystore::TRANSPORTED_LEN;
use super::seed::{Numbers, ROW_LEN, SEED_LEN, Seed, numbers};
use super::wire::{Stamp, Standing};
use crate::association::{Device, Error, Slot, UnixTime};
use crate::crypto::secret::{ct_eq, wipe};
use crate::crypto::{Prk, Rng, Secret, Suite, keywrap};
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Decision, Pending, Replacement, Which};
use crate::engine::state::{self, Kind, Reserved};
use crate::engine::wire::{Reader, Writer};
use crate::history::Id;
use core::fmt;

/// Counters are reserved in blocks of this many.
const BLOCK: u32 = 32;
/// A floor that rose by less, in seconds, is not worth a write of its own.
const FLOOR_STEP: u32 = 3_600;

/// Where a chip is stored: a blob of [`Chip::SEED_MAX`] bytes that seldom changes, and one of [`Chip::STATE_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// The key seed.
    pub seed: Slot,
    /// Counters and all else.
    pub state: Slot,
}

/// What a chip is to store next, by the bits of its masks.
const SEED: u8 = 1;
const STATE: u8 = 2;

/// Bits of the stored flags, above those of the enrolment.
mod has {
    pub const PENDING: u8 = 0x10;
    pub const GONE: u8 = 0x20;
    pub const TRANSPORT: u8 = 0x40;
    pub const DEAD: u8 = 0x80;
}

/// What this device has of its enrolment with one centre; lies in the caller's memory and is stored in two slots.
#[cfg_attr(test, derive(Clone))]
pub struct Chip {
    slots: Slots,
    /// Of the seed's slot and of the other one.
    versions: [u32; 2],
    me: Id,
    centre: Id,
    suite: i8,
    flags: u8,
    seed: Seed,
    pub(super) replacement: Replacement,
    /// Root and base year of the next seed.
    pending: Option<(Secret<32>, u16)>,
    /// What outlives the seed before this one; this one's, once it is going to be left.
    gone: Option<Secret<32>>,
    counter: Reserved,
    /// Counters below this are reserved in storage.
    safe: u32,
    floor: u32,
    floor_stored: u32,
    transport: Option<Secret<16>>,
    /// DEAD's tag, once the seed is killed.
    dead: Option<[u8; TAG_LEN]>,
    /// The centre's newest ASK; not stored.
    pub(super) asked: Option<(u16, [u8; NEW_LEN])>,
    /// What has to be stored.
    dirty: u8,
    /// What is being stored, and with which limit of the counter.
    saving: u8,
    saving_limit: u32,
}

impl fmt::Debug for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chip")
            .field("id", &self.me)
            .field("generation", &self.generation())
            .field("seed", &self.seed)
            .field("pending", &self.replacement.pending())
            .finish_non_exhaustive()
    }
}

impl Chip {
    const STATE_TEXT: usize = 2 + 2 * (1 + Id::MAX) + Replacement::LEN + 4 + 4 + 34 + 32 + 16 + TAG_LEN;
    const SEED_TEXT: usize = 4 + Seed::LEN;
    /// Length of the seed's blob in bytes: what its slot must hold, and the working memory of [`restore`](Self::restore).
    pub const SEED_MAX: usize = Self::SEED_TEXT + state::OVERHEAD;
    /// The longest blob of the other slot in bytes.
    pub const STATE_MAX: usize = Self::STATE_TEXT + state::OVERHEAD;
    /// The longest answer to an invitation in bytes.
    pub const DEPOSIT_MAX: usize = 5 + 2 * (1 + Id::MAX) + TRANSPORTED_LEN;

    /// Enrols this device by an invitation, which the centre wrote for its id and which reached it offline: the chip makes its
    /// seed, 976 random bytes. Hand the centre the [`deposit`](Self::deposit), store the chip ([`needs_store`](Self::needs_store)).
    ///
    /// # Errors
    /// [`Error::BadArgument`] for what is no invitation, [`Error::Rng`].
    pub fn enrol(slots: Slots, invitation: &[u8], rng: &mut dyn Rng) -> Result<Self, Error> {
        let invitation = Invitation::read(invitation).map_err(|_| Error::BadArgument)?;
        let seed = Seed::generate(rng, invitation.base)?;
        Ok(Self::with(slots, &invitation, seed))
    }

    pub(super) fn with(slots: Slots, invitation: &Invitation, seed: Seed) -> Self {
        Self {
            slots,
            versions: [0; 2],
            me: invitation.device,
            centre: invitation.centre,
            suite: invitation.suite,
            flags: invitation.flags,
            seed,
            replacement: Replacement::new(),
            pending: None,
            gone: None,
            counter: Reserved::starting(0),
            safe: 0,
            floor: invitation.time,
            floor_stored: invitation.time,
            transport: Some(invitation.key.clone()),
            dead: None,
            asked: None,
            dirty: SEED | STATE,
            saving: 0,
            saving_limit: 0,
        }
    }

    /// Writes the chip's answer to its invitation: the seed, sealed under the transport key. Its length.
    ///
    /// # Errors
    /// [`Error::WrongState`] once the centre has confirmed; [`Error::BufferTooSmall`].
    pub fn deposit(&self, out: &mut [u8]) -> Result<usize, Error> {
        let key = self.transport.as_ref().ok_or(Error::WrongState)?;
        let mut w = Writer::new(out);
        w.put(&[FORMAT, self.suite as u8, self.flags]).put(&self.seed.base().to_be_bytes());
        w.short(self.me.as_bytes()).short(self.centre.as_bytes());
        let start = w.len();
        w.skip(keywrap::OVERHEAD).put(self.seed.rows());
        let len = w.finish().map_err(|needed| Error::BufferTooSmall { needed })?;
        let sealed = out.get_mut(start..len).unwrap_or(&mut []);
        keywrap::wrap(key, sealed).map_err(|_| Error::WrongState)?;
        Ok(len)
    }

    /// The centre's word that it has stored the seed: the transport key is erased. The first authentication says as much.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where it is not that centre's word; [`Error::WrongState`] where it came before.
    pub fn confirm(&mut self, confirmation: &[u8]) -> Result<(), Error> {
        if self.transport.is_none() {
            return Err(Error::WrongState);
        }
        let (time, tag) = confirmation.split_first_chunk().ok_or(Error::BadArgument)?;
        let time = u32::from_be_bytes(*time);
        let gone = keys::gone_key(&self.seed);
        let th_0 = keys::th_0(&self.terms(self.generation()));
        if !ct_eq(&keys::confirmation_tag(&gone, &th_0, time), tag) {
            return Err(Error::BadArgument);
        }
        self.heard(time);
        Ok(())
    }

    /// Opens a stored chip, in `work`: [`SEED_MAX`](Self::SEED_MAX) bytes, erased afterwards. `floors` are the values of the
    /// monotonic counters of the seed's slot and of the other, 0 where there are none.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore(
        device: &Device,
        slots: Slots,
        floors: [u32; 2],
        seed: &[u8],
        state: &[u8],
        work: &mut [u8],
    ) -> Result<Self, Error> {
        let result = Self::open(device, slots, floors, seed, state, work);
        wipe(work);
        result
    }

    fn open(
        device: &Device,
        slots: Slots,
        floors: [u32; 2],
        seed: &[u8],
        state: &[u8],
        work: &mut [u8],
    ) -> Result<Self, Error> {
        let [seed_floor, state_floor] = floors;
        let bad = |e| if e == Error::BlobRolledBack { e } else { Error::BadBlob };
        let (version, len) = state::open(device, Kind::Chip, state_floor, state, work).map_err(bad)?;
        let mut chip = Self::read(slots, version, work.get(..len).unwrap_or(&[])).map_err(|_| Error::BadBlob)?;
        let (version, len) = state::open(device, Kind::KeySeed, seed_floor, seed, work).map_err(bad)?;
        chip.versions = [version, chip.versions[1]];
        let mut r = Reader::new(work.get(..len).unwrap_or(&[]));
        let generation = r.u32().map_err(|_| Error::BadBlob)?;
        chip.seed.read(&mut r).and_then(|()| r.end()).map_err(|_| Error::BadBlob)?;
        // The power went between the two writes that put a new seed to use: the second is made up for.
        if generation == chip.generation().saturating_add(1) && chip.pending.is_some() {
            chip.replacement.complete(Which::Pending);
            chip.pending = None;
            chip.dirty = STATE;
        }
        if generation != chip.generation() {
            return Err(Error::BadBlob);
        }
        // Likewise where it went between the two writes that kill a seed.
        if chip.dead.is_some() && !chip.seed.is_erased() {
            chip.seed.erase();
            chip.dirty = SEED;
        }
        // And where it went before the floor was written that years were erased by: they are over.
        if !chip.seed.is_erased() {
            chip.floor = chip.floor.max(Date::new_year(chip.seed.years().0));
        }
        Ok(chip)
    }

    fn read(slots: Slots, version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let [suite, flags] = r.array()?;
        let me = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let centre = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let replacement = Replacement::read(&mut r)?;
        let counter = r.u32()?;
        let floor = r.u32()?;
        let optional = |bit: u8| flags & bit != 0;
        let pending = if optional(has::PENDING) { Some((r.secret()?, r.u16()?)) } else { None };
        let gone = if optional(has::GONE) { Some(r.secret()?) } else { None };
        let transport = if optional(has::TRANSPORT) { Some(r.secret()?) } else { None };
        let dead = if optional(has::DEAD) { Some(r.array()?) } else { None };
        r.end()?;
        Ok(Self {
            slots,
            versions: [0, version],
            me,
            centre,
            suite: suite as i8,
            flags: flags & CLOCKLESS,
            seed: Seed::none(0),
            replacement,
            pending,
            gone,
            counter: Reserved::starting(counter),
            safe: counter,
            floor,
            floor_stored: floor,
            transport,
            dead,
            asked: None,
            dirty: 0,
            saving: 0,
            saving_limit: 0,
        })
    }

    // ---- storing ----

    /// What is stored next: what a store refused, then, of what changed, the seed before the state that counts on it - but the
    /// other way round once the chip is dead.
    fn part(&self) -> u8 {
        match (self.saving, self.dirty) {
            (0, SEED) => SEED,
            (0, both) if both & SEED != 0 && self.dead.is_none() => SEED,
            (0, _) => STATE,
            (saving, _) => saving,
        }
    }

    /// The slot that has to be written next, if one has: [`seal`](Self::seal), the caller's storage, [`persisted`](Self::persisted),
    /// and again. An association does so by itself.
    pub fn needs_store(&self) -> Option<Slot> {
        (self.dirty | self.saving != 0).then(|| self.slot())
    }

    /// Seals what [`needs_store`](Self::needs_store) names into `out`: the slot, the blob's length and its version.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(Slot, usize, u32), Error> {
        let room = out.get_mut(state::OVERHEAD..).unwrap_or(&mut []);
        let len = self.write(room).map_err(|needed| state::too_long(room, needed))?;
        let kind = self.kind();
        let (slot, version) = self.next_version();
        Ok((slot, state::seal(device, kind, version, out, len)?, version))
    }

    /// What [`seal`](Self::seal) gave last is stored. Whether there is more to store.
    pub fn persisted(&mut self) -> bool {
        if self.saving == STATE {
            self.safe = self.saving_limit;
        }
        self.saving = 0;
        self.dirty != 0
    }

    pub(super) fn slot(&self) -> Slot {
        if self.part() == SEED { self.slots.seed } else { self.slots.state }
    }

    pub(super) fn kind(&self) -> Kind {
        if self.part() == SEED { Kind::KeySeed } else { Kind::Chip }
    }

    pub(super) fn next_version(&mut self) -> (Slot, u32) {
        let (part, slot) = (self.part(), self.slot());
        self.saving = part;
        self.dirty &= !part;
        if part == STATE {
            self.saving_limit = self.counter.limit();
            self.floor_stored = self.floor;
        }
        let [seed, state] = &mut self.versions;
        let version = if part == SEED { seed } else { state };
        *version = version.saturating_add(1);
        (slot, *version)
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let mut w = Writer::new(out);
        if self.part() == SEED {
            w.put(&self.generation().to_be_bytes());
            self.seed.write(&mut w);
            return w.finish();
        }
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = bit(self.pending.is_some(), has::PENDING)
            | bit(self.gone.is_some(), has::GONE)
            | bit(self.transport.is_some(), has::TRANSPORT)
            | bit(self.dead.is_some(), has::DEAD);
        w.put(&[self.suite as u8, self.flags | flags]).short(self.me.as_bytes()).short(self.centre.as_bytes());
        self.replacement.write(&mut w);
        w.put(&self.counter.limit().to_be_bytes()).put(&self.floor.to_be_bytes());
        if let Some((root, base)) = &self.pending {
            w.put(root.expose()).put(&base.to_be_bytes());
        }
        if let Some(gone) = &self.gone {
            w.put(gone.expose());
        }
        if let Some(transport) = &self.transport {
            w.put(transport.expose());
        }
        if let Some(dead) = &self.dead {
            w.put(dead);
        }
        w.finish()
    }

    // ---- what others may know ----

    /// The device's id.
    pub const fn id(&self) -> &Id {
        &self.me
    }
    /// The centre's id.
    pub const fn centre(&self) -> &Id {
        &self.centre
    }
    /// Number of the suite.
    pub const fn suite(&self) -> i8 {
        self.suite
    }
    /// Whether it was enrolled as a device without a clock.
    pub const fn is_clockless(&self) -> bool {
        self.flags & CLOCKLESS != 0
    }
    /// Generation of the seed: how often it was replaced.
    pub const fn generation(&self) -> u32 {
        self.replacement.generation()
    }
    /// What is known of the seed that is to replace it.
    pub const fn pending_state(&self) -> Pending {
        self.replacement.pending()
    }
    /// The first year whose row is there, and the last one that the seed is for.
    pub const fn years(&self) -> (u16, u16) {
        self.seed.years()
    }
    /// The newest time that the centre gave: it is at least that late.
    pub fn floor(&self) -> UnixTime {
        UnixTime(u64::from(self.floor).saturating_mul(1_000))
    }
    /// Whether the centre has confirmed the enrolment.
    pub const fn is_confirmed(&self) -> bool {
        self.transport.is_none()
    }
    /// Whether it was revoked: the seed is killed.
    pub const fn is_dead(&self) -> bool {
        self.dead.is_some()
    }

    // ---- what the association asks of it ----

    pub(super) fn fits(&self, suite: &Suite) -> Result<(), Error> {
        if self.suite == suite.id && suite.dh.is_none() { Ok(()) } else { Err(Error::SuiteMismatch) }
    }

    pub(super) const fn terms(&self, generation: u32) -> Terms {
        Terms { suite: self.suite, flags: self.flags, generation, device: self.me, centre: self.centre }
    }

    pub(super) const fn generation_of(&self, which: Which) -> u32 {
        match which {
            Which::Current => self.generation(),
            Which::Pending => self.generation().saturating_add(1),
        }
    }

    /// The time to say, in seconds since 1970: the clock's where there is one, never below the floor.
    pub(super) fn time(&self, wall: Option<UnixTime>) -> u32 {
        let wall = wall.filter(|_| !self.is_clockless()).map_or(0, |wall| seconds(wall.0));
        wall.max(self.floor)
    }

    /// The root and base year of a seed that is not put to use yet.
    fn root_of(&self, which: Which) -> Option<&(Secret<32>, u16)> {
        self.pending.as_ref().filter(|_| which == Which::Pending)
    }

    /// Which rows of a seed are for this time.
    pub(super) fn rows(&self, which: Which, time: u32) -> Result<Numbers, Error> {
        let date = Date::of(time);
        let numbers = match self.root_of(which) {
            Some((_, base)) => numbers(&date, *base),
            None => self.seed.numbers(&date),
        };
        numbers.map_err(|_| Error::SeedExpired)
    }

    /// CSK, from these rows of a seed.
    #[inline(never)]
    pub(super) fn csk(&self, which: Which, rows: &Numbers, stamp: &Stamp, challenge: &[u8]) -> Prk {
        keys::csk_from(stamp, challenge, &mut |message| match self.root_of(which) {
            Some((root, _)) => {
                let root = keys::of_root(root);
                for number in rows {
                    let mut row = Secret::<ROW_LEN>::zero();
                    keys::row(&root, *number, row.as_mut());
                    message.update(row.expose());
                }
            }
            None => rows.iter().for_each(|number| message.update(self.seed.row(*number))),
        })
    }

    /// The next counter; where the state has to be stored before it leaves, it is marked so.
    ///
    /// # Errors
    /// [`Error::KeyExhausted`] after 2^32 - 1.
    pub(super) fn take_counter(&mut self) -> Result<u32, Error> {
        if self.counter.next() == u32::MAX {
            return Err(Error::KeyExhausted);
        }
        let (counter, store) = self.counter.take(BLOCK);
        self.mark(if store { STATE } else { 0 });
        Ok(counter)
    }

    /// The next counter, if it is reserved in storage; else it is going to be.
    pub(super) fn take_stored_counter(&mut self) -> Result<Option<u32>, Error> {
        if self.counter.next() < self.safe {
            return self.take_counter().map(Some);
        }
        self.counter.reserve(BLOCK);
        self.mark(STATE);
        Ok(None)
    }

    /// The centre takes none below this counter.
    pub(super) fn skip_to(&mut self, counter: u32) {
        if counter > self.counter.next() {
            self.counter = Reserved::starting(counter);
            self.safe = 0;
        }
    }

    pub(super) const fn mark(&mut self, parts: u8) {
        self.dirty |= parts;
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.dirty != 0
    }

    /// The centre has shown that it has the seed, and said what time it is. Years that are over are erased.
    pub(super) fn heard(&mut self, time: u32) {
        if self.transport.take().is_some() {
            self.mark(STATE);
        }
        // Of a time beyond all its years a seed learns nothing; it has expired, and stays whole until it is replaced.
        if Date::of(time).year() > self.seed.years().1 {
            return;
        }
        self.floor = self.floor.max(time);
        if self.floor.saturating_sub(self.floor_stored) >= FLOOR_STEP {
            self.mark(STATE);
        }
        if self.seed.erase_before(Date::of(self.floor).year()) {
            self.mark(SEED | STATE);
        }
    }

    /// What it says of a pending seed in a micro-certificate under that one.
    pub(super) fn standing(&self, under: Which) -> Standing {
        match under {
            Which::Pending => Standing::default(),
            Which::Current => {
                Standing { confirmed: self.replacement.confirmed().unwrap_or(0), answered: self.replacement.answered() }
            }
        }
    }

    /// The centre asks for a new seed. Whether the device answers.
    pub(super) fn ask(&mut self, attempt: u16, n_c: [u8; NEW_LEN]) -> bool {
        let answer = self.replacement.request(attempt, false, false) == Decision::Answer;
        if answer {
            self.asked = Some((attempt, n_c));
        }
        answer
    }

    /// The next seed, whose part this device is about to bring.
    pub(super) fn answer(&mut self, attempt: u16, root: Secret<32>, time: u32) {
        self.asked = None;
        self.pending = Some((root, Date::of(time).year()));
        self.replacement.answer(attempt);
        self.mark(STATE);
    }

    /// The centre has the seed of that attempt. Whether this device has it, too.
    pub(super) fn close(&mut self, attempt: u16) -> bool {
        let (has, changed) = self.replacement.close(self.generation(), attempt);
        if changed {
            self.leaves();
        }
        has
    }

    /// The centre has not the seed of that attempt.
    pub(super) fn drop_pending(&mut self, attempt: u16) {
        if self.replacement.drop_pending(attempt) {
            self.pending = None;
            self.mark(STATE);
        }
    }

    /// The centre has proved that it has left this seed. Whether there is a pending one to go on with.
    pub(super) fn centre_left(&mut self) -> bool {
        let goes_on = self.replacement.peer_left();
        if goes_on {
            self.leaves();
        }
        goes_on
    }

    /// The seed is going to be left for the pending one. What outlives it is stored now: once the seed is gone, so is what it
    /// comes from, and the power may go between the two writes.
    fn leaves(&mut self) {
        self.gone = Some(keys::gone_key(&self.seed));
        self.mark(STATE);
    }

    /// The centre has proved that it has not the pending seed: the current one is tried next.
    pub(super) fn pending_missed(&mut self) -> bool {
        while self.replacement.choose() == Which::Pending {
            self.replacement.missed();
        }
        true
    }

    /// The centre has answered under that seed. Whether the pending one is current now.
    pub(super) fn complete(&mut self, under: Which) -> bool {
        if !self.replacement.complete(under) {
            return false;
        }
        if let Some((root, base)) = self.pending.take() {
            self.seed.replace(&root, base);
            self.mark(SEED | STATE);
        }
        true
    }

    /// The gone key of the seed before this one, and of this one.
    pub(super) fn gone_keys(&self) -> (Option<&Secret<32>>, Secret<32>) {
        (self.gone.as_ref(), keys::gone_key(&self.seed))
    }

    /// Kills the seed, and all that came of it.
    pub(super) fn kill(&mut self) {
        let tag = keys::dead_tag(&keys::gone_key(&self.seed), &keys::th_0(&self.terms(self.generation())));
        self.dead = Some(tag);
        self.seed.erase();
        (self.pending, self.gone, self.transport, self.asked) = (None, None, None, None);
        self.replacement = Replacement::new_at(self.generation());
        self.mark(SEED | STATE);
    }

    /// DEAD's tag, once the seed is killed.
    pub(super) const fn dead(&self) -> Option<&[u8; TAG_LEN]> {
        self.dead.as_ref()
    }
}

/// Whole seconds of this many milliseconds, as far as 32 bits go; in two digits of 16 bits, since a division of 64 bits is 0.9 kB
/// of a small device's code.
pub(super) fn seconds(milliseconds: u64) -> u32 {
    let Ok(high) = u32::try_from(milliseconds >> 16) else { return u32::MAX };
    let low = (high % 1_000) << 16 | (milliseconds & 0xffff) as u32;
    (high / 1_000).checked_mul(1 << 16).map_or(u32::MAX, |high| high.saturating_add(low / 1_000))
}

const _: () = assert!(Chip::SEED_TEXT == 8 + SEED_LEN);
