//! A paired peer: the triple (SK, T, LI) and its successor, the counters, and how they are stored.

use super::keys::{self, HINT_LEN, Pair, WINDOW};
use crate::association::{Device, Error, Fingerprint, Slot};
use crate::crypto::secret::declassify;
use crate::crypto::{Prk, Secret, Suite};
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Pending, Replacement, Which};
use crate::engine::state::{self, Kind, Reserved};
use crate::engine::wire::{Reader, Writer};
use core::fmt;

/// A device's name: 1 to 16 opaque bytes (an EUI-64, a UUID, a short text), unique among one user's devices.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Id {
    len: u8,
    bytes: [u8; Self::MAX],
}

impl Id {
    /// The longest id in bytes.
    pub const MAX: usize = 16;

    /// An id from its bytes; `None` for none or more than 16.
    pub fn new(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        if id.is_empty() { None } else { Some(Self { len: id.len() as u8, bytes }) }
    }
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
    /// Whether this id is the lower of the two: it wins on glare and where times are equal.
    pub fn is_lower_than(&self, other: &Self) -> bool {
        self.as_bytes() < other.as_bytes()
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Id(")?;
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

/// The three keys that two devices share, and what is derived from all of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Triple {
    pub(super) sk: Secret<32>,
    pub(super) t: Secret<32>,
    pub(super) li: Secret<32>,
    /// Hints and digests of the log; proves nothing.
    pub(super) aux: Secret<32>,
}

impl fmt::Debug for Triple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Triple(..)")
    }
}

impl Triple {
    /// A triple of this generation from its three keys: each 32 uniform bytes, as pairing, an update or a factory's
    /// random generator gives them.
    pub fn new(sk: Secret<32>, t: Secret<32>, li: Secret<32>, generation: u32) -> Self {
        let aux = keys::aux(&sk, &t, &li, generation);
        Self { sk, t, li, aux }
    }

    fn write(&self, w: &mut Writer<'_>) {
        w.put(self.sk.expose()).put(self.t.expose()).put(self.li.expose());
    }

    fn read(r: &mut Reader<'_>, generation: u32) -> Result<Self, Dropped> {
        Ok(Self::new(r.secret()?, r.secret()?, r.secret()?, generation))
    }
}

/// Hints of one window, kept so that most runs need not compute them.
#[derive(Clone, Copy, Default)]
struct Hints {
    generation: u32,
    window: u32,
    known: bool,
    hints: [u8; 3 * HINT_LEN],
}

/// Where a hint leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// To a pair of the current or the pending triple.
    Triple(Which, Pair),
    /// To the triple before the current one: the peer was rolled back.
    Gone,
}

/// Run numbers are reserved in blocks of this many.
const RUN_BLOCK: u32 = WINDOW;

/// What this device knows about one peer; lies in the caller's memory and is stored in its slot.
#[derive(Clone)]
pub struct Peer {
    slot: Slot,
    version: u32,
    pub(super) me: Id,
    pub(super) id: Id,
    suite: i8,
    dh: bool,
    pub(super) psk: Option<Secret<32>>,
    pub(super) current: Triple,
    pub(super) pending: Option<Triple>,
    gone: Option<Secret<32>>,
    pub(super) replacement: Replacement,
    pub(super) runs: Reserved,
    /// The peer's last completed run; stored with whatever is stored next.
    seen: u32,
    /// The highest run in an authentic C1 of the peer's; not stored.
    heard: u32,
    ours: Hints,
    theirs: Hints,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("generation", &self.replacement.generation())
            .field("pending", &self.replacement.pending())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// The longest plaintext of a stored peer in bytes.
    const TEXT_MAX: usize = 2 + 2 * (1 + Id::MAX) + 1 + 32 + 96 + 1 + 96 + 1 + 32 + Replacement::LEN + 8;
    /// The longest blob of a stored peer in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = Self::TEXT_MAX + state::OVERHEAD;

    /// A peer whose triple came from elsewhere (a factory, another scheme's exporter); pairing makes one by itself.
    /// Suite and Diffie-Hellman on or off are fixed from here on and part of every transcript.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where both ids are the same, and for a suite whose group is too long for this scheme (FFC).
    pub fn provisioned(slot: Slot, me: Id, peer: Id, suite: &'static Suite, triple: Triple) -> Result<Self, Error> {
        if me == peer || suite.id < 0 {
            return Err(Error::BadArgument);
        }
        Ok(Self {
            slot,
            version: 0,
            me,
            id: peer,
            suite: suite.id,
            dh: suite.dh.is_some(),
            psk: None,
            current: triple,
            pending: None,
            gone: None,
            replacement: Replacement::new(),
            runs: Reserved::starting(0),
            seen: 0,
            heard: 0,
            ours: Hints::default(),
            theirs: Hints::default(),
        })
    }

    /// Opens a stored peer. `floor` is the value of the slot's monotonic counter, 0 where there is none.
    ///
    /// # Errors
    /// [`Error::BadBlob`], [`Error::BlobRolledBack`].
    pub fn restore(device: &Device, slot: Slot, floor: u32, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<{ Self::TEXT_MAX }>::zero();
        let opened = state::open(device, Kind::HistoryPeer, floor, blob, text.as_mut());
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let text = text.expose().get(..len).ok_or(Error::BadBlob)?;
        Self::read(slot, version, text).map_err(|_| Error::BadBlob)
    }

    fn read(slot: Slot, version: u32, text: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(text);
        let [suite, flags] = r.array()?;
        let me = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let replacement = Replacement::read(&mut r)?;
        let runs = Reserved::starting(r.u32()?);
        let seen = r.u32()?;
        let generation = replacement.generation();
        let current = Triple::read(&mut r, generation)?;
        let optional = |bit: u8| flags & bit != 0;
        let pending = if optional(2) { Some(Triple::read(&mut r, generation.saturating_add(1))?) } else { None };
        let gone = if optional(4) { Some(r.secret()?) } else { None };
        let psk = if optional(8) { Some(r.secret()?) } else { None };
        r.end()?;
        Ok(Self {
            slot,
            version,
            me,
            id,
            suite: suite as i8,
            dh: optional(1),
            psk,
            current,
            pending,
            gone,
            replacement,
            runs,
            seen,
            heard: seen,
            ours: Hints::default(),
            theirs: Hints::default(),
        })
    }

    pub(super) fn write(&self, out: &mut [u8]) -> Result<usize, usize> {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags =
            bit(self.dh, 1) | bit(self.pending.is_some(), 2) | bit(self.gone.is_some(), 4) | bit(self.psk.is_some(), 8);
        let mut w = Writer::new(out);
        w.put(&[self.suite as u8, flags]).short(self.me.as_bytes()).short(self.id.as_bytes());
        self.replacement.write(&mut w);
        w.put(&self.runs.limit().to_be_bytes()).put(&self.seen.to_be_bytes());
        self.current.write(&mut w);
        if let Some(pending) = &self.pending {
            pending.write(&mut w);
        }
        for secret in [&self.gone, &self.psk].into_iter().flatten() {
            w.put(secret.expose());
        }
        w.finish()
    }

    /// Seals the peer for its slot; the blob's length and version. [`Output::Persist`](crate::Output::Persist) does this
    /// by itself; this is for peers that were just provisioned.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let room = out.get_mut(state::OVERHEAD..).unwrap_or(&mut []);
        let len = self.write(room).map_err(|needed| state::too_long(room, needed))?;
        let version = self.next_version();
        Ok((state::seal(device, Kind::HistoryPeer, version, out, len)?, version))
    }

    pub(super) const fn next_version(&mut self) -> u32 {
        self.version = self.version.saturating_add(1);
        self.version
    }

    /// This device's own id towards that peer.
    pub const fn own_id(&self) -> &Id {
        &self.me
    }
    /// The peer's id.
    pub const fn id(&self) -> &Id {
        &self.id
    }
    /// The slot that it is stored in.
    pub const fn slot(&self) -> Slot {
        self.slot
    }
    /// Generation of the current triple: how many updates were completed.
    pub const fn generation(&self) -> u32 {
        self.replacement.generation()
    }
    /// What is known of the triple that is to replace it.
    pub const fn pending_state(&self) -> Pending {
        self.replacement.pending()
    }
    /// Number of the suite, and whether there is a Diffie-Hellman.
    pub const fn suite(&self) -> (i8, bool) {
        (self.suite, self.dh)
    }

    /// Key material from elsewhere (another scheme's exporter) that goes into every exchange from now on, or stops doing
    /// so. Both sides must do the same; store the peer afterwards ([`seal`](Self::seal)).
    pub fn set_psk(&mut self, psk: Option<Secret<32>>) {
        self.psk = psk;
    }

    /// 80 bits for people, the same on both sides while both have the same triple.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut bits = [0; 10];
        Prk::new(keys::NAME, self.current.aux.expose()).expand("fp", &[], &mut bits);
        // For people to read aloud.
        Fingerprint(*declassify(&bits))
    }

    pub(super) fn fits(&self, suite: &Suite) -> Result<(), Error> {
        if self.suite == suite.id && self.dh == suite.dh.is_some() { Ok(()) } else { Err(Error::SuiteMismatch) }
    }

    pub(super) fn is_lower(&self) -> bool {
        self.me.is_lower_than(&self.id)
    }

    pub(super) fn triple(&self, which: Which) -> Option<&Triple> {
        match which {
            Which::Current => Some(&self.current),
            Which::Pending => self.pending.as_ref(),
        }
    }

    pub(super) const fn generation_of(&self, which: Which) -> u32 {
        match which {
            Which::Current => self.replacement.generation(),
            Which::Pending => self.replacement.generation().saturating_add(1),
        }
    }

    pub(super) const fn terms(&self, which: Which) -> keys::Terms {
        keys::Terms { suite: self.suite, dh: self.dh, psk: self.psk.is_some(), generation: self.generation_of(which) }
    }

    /// The next run's number, and whether the peer has to be stored first.
    pub(super) const fn next_run(&mut self) -> (u32, bool) {
        self.runs.take(RUN_BLOCK)
    }

    /// The hint for a run that this side starts.
    pub(super) fn hint(&mut self, which: Which, pair: Pair, run: u32) -> [u8; HINT_LEN] {
        let lower = self.is_lower();
        let generation = self.generation_of(which);
        match (which, &self.pending) {
            // Not kept: another attempt's triple may take its place under the same generation.
            (Which::Pending, Some(triple)) => *hint_of(&keys::hints(&triple.aux, lower, run / WINDOW), pair),
            _ => *hint_of(self.ours.get(&self.current.aux, lower, generation, run), pair),
        }
    }

    /// Where the hint of a C1 leads, for the run that the peer says it is.
    pub fn named(&mut self, hint: &[u8; HINT_LEN], run: u32) -> Option<Named> {
        let lower = !self.is_lower();
        let generation = self.generation();
        let of = |hints: &[u8; 3 * HINT_LEN]| Pair::ALL.into_iter().find(|pair| hint_of(hints, *pair) == hint);
        if let Some(pair) = of(self.theirs.get(&self.current.aux, lower, generation, run)) {
            return Some(Named::Triple(Which::Current, pair));
        }
        let window = run / WINDOW;
        if let Some(pair) = self.pending.as_ref().and_then(|t| of(&keys::hints(&t.aux, lower, window))) {
            return Some(Named::Triple(Which::Pending, pair));
        }
        self.gone.as_ref().and_then(|aux| of(&keys::hints(aux, lower, window))).map(|_| Named::Gone)
    }

    /// The key that answers a C1 under the triple before the current one.
    pub(super) const fn gone(&self) -> Option<&Secret<32>> {
        self.gone.as_ref()
    }

    /// The peer has completed this run of its own: its next ones are in this window or the one after.
    pub(super) const fn saw_run(&mut self, run: u32) {
        self.seen = run;
    }

    /// An authentic C1 of this run: whether none of it or a later one came before.
    pub(super) fn hears_run(&mut self, run: u32) -> bool {
        let new = run > self.heard.max(self.seen);
        self.heard = self.heard.max(run);
        new
    }

    /// Whether a C1 of this run may be a replay of one that led to a session.
    pub(super) const fn is_past(&self, run: u32) -> bool {
        self.seen > 0 && run <= self.seen
    }

    /// The hints under which the peer's next C1 may come: two windows, both triples.
    pub(super) fn expected(&self, name: &mut dyn FnMut(u32)) {
        let window = self.seen / WINDOW;
        for triple in core::iter::once(&self.current).chain(&self.pending) {
            for window in [window, window.saturating_add(1)] {
                let hints = keys::hints(&triple.aux, !self.is_lower(), window);
                hints.as_chunks::<HINT_LEN>().0.iter().for_each(|hint| name(u32::from_be_bytes(*hint)));
            }
        }
    }

    /// Changes when the expected hints do.
    pub(super) fn names_version(&self) -> u32 {
        let attempt = match self.pending_state() {
            Pending::None => 0,
            Pending::Answered(n) | Pending::Confirmed(n) => u32::from(n),
        };
        let mixed = |n: u32, by: u32| n.wrapping_mul(by);
        mixed(self.seen / WINDOW, 0x9e37_79b1)
            .wrapping_add(mixed(self.generation(), 0x85eb_ca6b))
            .wrapping_add(mixed(attempt, 0xc2b2_ae35))
            .wrapping_add(1)
    }

    /// A handshake under that triple is complete; whether the pending one became current (then store).
    pub(super) fn complete(&mut self, under: Which) -> bool {
        if !self.replacement.complete(under) {
            return false;
        }
        if let Some(pending) = self.pending.take() {
            let old = core::mem::replace(&mut self.current, pending);
            self.gone = Some(old.aux.clone());
        }
        true
    }
}

impl Hints {
    fn get(&mut self, aux: &Secret<32>, initiator_is_lower: bool, generation: u32, run: u32) -> &[u8; 3 * HINT_LEN] {
        let window = run / WINDOW;
        if !self.known || self.window != window || self.generation != generation {
            *self = Self { generation, window, known: true, hints: keys::hints(aux, initiator_is_lower, window) };
        }
        &self.hints
    }
}

fn hint_of(hints: &[u8; 3 * HINT_LEN], pair: Pair) -> &[u8; HINT_LEN] {
    const NONE: &[u8; HINT_LEN] = &[0; HINT_LEN];
    hints.as_chunks::<HINT_LEN>().0.get(pair as usize).unwrap_or(NONE)
}
