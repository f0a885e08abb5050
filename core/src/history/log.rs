//! The communication log: one ring a direction, digests only.
//!
//! Every record carries the sender's time T and place LI before its data; both sides log the three under (session,
//! generation, number). The log keeps 16-byte digests under a key of the triple, so a stolen device is no diary. Two
//! thirds of the memory are the ring of what was sent: the side that asks for an update picks a record that it
//! *received*, and the sender, not knowing which arrived, must remember more.

use crate::crypto::secret::ct_eq;

/// Length of a digest in bytes.
pub const DIGEST_LEN: usize = 16;

/// A digest of T, LI or Data.
pub type Digest = [u8; DIGEST_LEN];

/// The name of a record: session, key generation, sequence number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordName {
    /// The session's name.
    pub session: u32,
    /// Generation of the key that sealed it.
    pub generation: u32,
    /// Its sequence number.
    pub number: u32,
}

/// One logged message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    used: bool,
    name: RecordName,
    /// Digests of T, LI and Data.
    digests: [Digest; 3],
}

impl Entry {
    /// No message.
    pub const EMPTY: Self =
        Self { used: false, name: RecordName { session: 0, generation: 0, number: 0 }, digests: [[0; DIGEST_LEN]; 3] };

    /// A message.
    pub const fn new(name: RecordName, digests: [Digest; 3]) -> Self {
        Self { used: true, name, digests }
    }
    /// Its name.
    pub const fn name(&self) -> RecordName {
        self.name
    }
    /// Digests of T, LI and Data.
    pub const fn digests(&self) -> &[Digest; 3] {
        &self.digests
    }
}

/// Which of T, LI, Data an update request leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The time.
    Time = 0,
    /// The place.
    Place = 1,
    /// The data.
    Data = 2,
}

impl Hidden {
    /// From a number on the wire or a random one.
    pub const fn from_number(n: u8) -> Option<Self> {
        match n {
            0 => Some(Self::Time),
            1 => Some(Self::Place),
            2 => Some(Self::Data),
            _ => None,
        }
    }
    /// The two that are shown, and the hidden one.
    pub const fn split(self, [t, li, data]: &[Digest; 3]) -> ([&Digest; 2], &Digest) {
        match self {
            Self::Time => ([li, data], t),
            Self::Place => ([t, data], li),
            Self::Data => ([t, li], data),
        }
    }
}

/// Both rings, in the caller's memory.
#[derive(Debug)]
pub struct Log<L> {
    entries: L,
    next_sent: u16,
    next_received: u16,
}

impl<L: AsRef<[Entry]> + AsMut<[Entry]>> Log<L> {
    /// An empty log in this memory: a third for what is received, the rest for what is sent; at most 65 535 entries are
    /// used. Without memory there are no updates.
    pub fn new(mut entries: L) -> Self {
        entries.as_mut().fill(Entry::EMPTY);
        Self { entries, next_sent: 0, next_received: 0 }
    }

    /// Forgets everything: the digests were under a key that is gone.
    pub fn clear(&mut self) {
        self.entries.as_mut().fill(Entry::EMPTY);
    }

    /// Whether it has no memory.
    pub fn is_off(&self) -> bool {
        self.entries.as_ref().is_empty()
    }

    fn split(entries: &[Entry]) -> usize {
        entries.len().min(usize::from(u16::MAX)) / 3
    }

    /// Logs what this side sent.
    pub fn sent(&mut self, entry: Entry) {
        let entries = self.entries.as_mut();
        let split = Self::split(entries);
        put(entries.get_mut(split..).unwrap_or(&mut []), &mut self.next_sent, entry);
    }

    /// Logs what this side received.
    pub fn received(&mut self, entry: Entry) {
        let entries = self.entries.as_mut();
        let split = Self::split(entries);
        put(entries.get_mut(..split).unwrap_or(&mut []), &mut self.next_received, entry);
    }

    /// The record of this name that this side sent and that the shown elements are of. Of one name there may be two: a
    /// peer that was put back counts its runs anew.
    pub fn find_sent(&self, name: &RecordName, hidden: Hidden, shown: [&[u8]; 2]) -> Option<&Entry> {
        let entries = self.entries.as_ref();
        let is_it = |e: &&Entry| e.used && e.name == *name && shows(e, hidden, shown);
        entries.get(Self::split(entries)..)?.iter().find(is_it)
    }

    /// A record that this side received and whose two shown elements no other received record shares: the first such
    /// from a random place on.
    pub fn pick(&self, hidden: Hidden, random: u16) -> Option<&Entry> {
        let entries = self.entries.as_ref();
        let ring = entries.get(..Self::split(entries))?;
        let start = usize::from(random).checked_rem(ring.len())?;
        let unique = |entry: &&Entry| {
            let shown = hidden.split(&entry.digests).0;
            entry.used && ring.iter().filter(|other| other.used && hidden.split(&other.digests).0 == shown).count() == 1
        };
        ring.iter().skip(start).chain(ring.iter().take(start)).find(unique)
    }

    /// Forgets a received record: the peer does not have it.
    pub fn forget_received(&mut self, name: &RecordName) {
        let entries = self.entries.as_mut();
        let split = Self::split(entries);
        let ring = entries.get_mut(..split).unwrap_or(&mut []);
        ring.iter_mut().filter(|e| e.name == *name).for_each(|e| *e = Entry::EMPTY);
    }
}

fn put(ring: &mut [Entry], next: &mut u16, entry: Entry) {
    if let Some(place) = ring.get_mut(usize::from(*next)) {
        *place = entry;
        *next = next.saturating_add(1);
    }
    if usize::from(*next) >= ring.len() {
        *next = 0;
    }
}

/// Whether the shown digests are the record's.
pub fn shows(entry: &Entry, hidden: Hidden, shown: [&[u8]; 2]) -> bool {
    let (mine, _) = hidden.split(&entry.digests);
    mine.iter().zip(shown).fold(true, |all, (mine, shown)| all & ct_eq(*mine, shown))
}
