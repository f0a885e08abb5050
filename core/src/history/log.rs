//! The communication log: one ring a direction.
//!
//! Every record carries the sender's time T and place LI before its data; both sides log the three under (session,
//! generation, number). A record must stay cheap, so an entry is what costs no hash:
//!
//! - T as it is. A digest under a key that lies beside it would hide it from nobody: there are 2^41 times in a lifetime.
//! - LI's digest under a key of the triple, so that a stolen device is no diary of places to who cannot guess them; it
//!   is computed where LI is another than that of the record before, else copied.
//! - Data as the record's own AEAD tag, a MAC over T, LI and data that both sides have computed anyway. The tag was on
//!   the air, so it is masked by the record's nonce ([`Session::witness`](crate::engine::session::Session::witness)),
//!   which is secret and goes with the record's key: from then on nobody computes this from what is stored or was
//!   heard, and no guess of the data can be checked with it.
//!
//! An update hashes what it needs of an entry ([`Entry::digests`]). Two thirds of the memory are the ring of what was
//! sent: the side that asks for an update picks a record that it *received*, and the sender, not knowing which arrived,
//! must remember more.

use super::keys;
use crate::crypto::secret::ct_eq;
use crate::crypto::{Prk, Secret};
use crate::engine::wire::checksum;

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

/// A record as it goes into the log.
#[derive(Clone, Copy, Debug)]
pub struct Logged<'a> {
    /// Its name.
    pub name: RecordName,
    /// T in milliseconds since 1970, 0 where unknown.
    pub time: u64,
    /// LI.
    pub place: &'a [u8],
    /// Its AEAD tag, masked by its nonce.
    pub witness: Digest,
}

/// One logged message.
#[derive(Clone, Copy)]
pub struct Entry {
    used: bool,
    name: RecordName,
    time: [u8; 8],
    /// LI's digest.
    place: Digest,
    /// The record's witness.
    data: Digest,
}

impl core::fmt::Debug for Entry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("Entry").field(&self.name).finish()
    }
}

impl Entry {
    /// No message.
    pub const EMPTY: Self = Self {
        used: false,
        name: RecordName { session: 0, generation: 0, number: 0 },
        time: [0; 8],
        place: [0; DIGEST_LEN],
        data: [0; DIGEST_LEN],
    };

    /// Its name.
    pub const fn name(&self) -> RecordName {
        self.name
    }
    /// Digests of T, LI and Data, under the triple's `aux`.
    pub fn digests(&self, aux: &Secret<32>) -> [Digest; 3] {
        let aux = Prk::new(keys::NAME, aux.expose());
        [keys::log_digest(&aux, "log.t", &self.time), self.place, keys::log_digest(&aux, "log.data", &self.data)]
    }
    /// Whether the two elements that `hidden` leaves are the same.
    fn is_alike(&self, other: &Self, hidden: Hidden) -> bool {
        (hidden == Hidden::Time || self.time == other.time)
            && (hidden == Hidden::Place || ct_eq(&self.place, &other.place))
            && (hidden == Hidden::Data || ct_eq(&self.data, &other.data))
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

/// Where a ring goes on, and a checksum of the LI of the entry before that: the whole LI would take 29 bytes more of each
/// association and direction, and nobody gains anything from a collision.
#[derive(Debug, Default)]
struct Cursor {
    next: u16,
    place: u32,
}

impl Cursor {
    fn put(&mut self, ring: &mut [Entry], record: &Logged<'_>, aux: &Secret<32>) {
        let Some(last) = ring.len().checked_sub(1) else { return };
        let at = usize::from(self.next).min(last);
        let before = ring.get(at.checked_sub(1).unwrap_or(last)).filter(|entry| entry.used);
        // Two places with one checksum, 1 in 2^32: the sides may keep other digests, and an update takes another record.
        let checksum = checksum(record.place);
        let place = match before.filter(|_| self.place == checksum) {
            Some(entry) => entry.place,
            None => keys::log_digest(&Prk::new(keys::NAME, aux.expose()), "log.li", record.place),
        };
        self.place = checksum;
        if let Some(entry) = ring.get_mut(at) {
            let (name, time, data) = (record.name, record.time.to_be_bytes(), record.witness);
            *entry = Entry { used: true, name, time, place, data };
        }
        self.next = if at == last { 0 } else { self.next.saturating_add(1) };
    }
}

/// Both rings, in the caller's memory.
#[derive(Debug)]
pub struct Log<L> {
    entries: L,
    sent: Cursor,
    received: Cursor,
}

impl<L: AsRef<[Entry]> + AsMut<[Entry]>> Log<L> {
    /// An empty log in this memory: a third for what is received, the rest for what is sent; at most 65 535 entries are
    /// used. Without memory there are no updates.
    pub fn new(mut entries: L) -> Self {
        entries.as_mut().fill(Entry::EMPTY);
        Self { entries, sent: Cursor::default(), received: Cursor::default() }
    }

    /// Forgets everything: LI's digests were under a key that is gone.
    pub fn clear(&mut self) {
        self.entries.as_mut().fill(Entry::EMPTY);
    }

    fn split(entries: &[Entry]) -> usize {
        entries.len().min(usize::from(u16::MAX)) / 3
    }

    /// Logs what this side sent.
    pub fn sent(&mut self, record: &Logged<'_>, aux: &Secret<32>) {
        let entries = self.entries.as_mut();
        let split = Self::split(entries);
        let end = entries.len().min(usize::from(u16::MAX));
        self.sent.put(entries.get_mut(split..end).unwrap_or(&mut []), record, aux);
    }

    /// Logs what this side received.
    pub fn received(&mut self, record: &Logged<'_>, aux: &Secret<32>) {
        let entries = self.entries.as_mut();
        let split = Self::split(entries);
        self.received.put(entries.get_mut(..split).unwrap_or(&mut []), record, aux);
    }

    /// The digests of the record of this name that this side sent and that the shown elements are of. Of one name there
    /// may be two: a peer that was put back counts its runs anew.
    pub fn find_sent(
        &self,
        name: &RecordName,
        hidden: Hidden,
        shown: [&[u8]; 2],
        aux: &Secret<32>,
    ) -> Option<[Digest; 3]> {
        let entries = self.entries.as_ref();
        let named = entries.get(Self::split(entries)..)?.iter().filter(|e| e.used && e.name == *name);
        named.map(|e| e.digests(aux)).find(|digests| shows(digests, hidden, shown))
    }

    /// A record that this side received and whose two shown elements no other received record shares: the first such
    /// from a random place on.
    pub fn pick(&self, hidden: Hidden, random: u16) -> Option<&Entry> {
        let entries = self.entries.as_ref();
        let ring = entries.get(..Self::split(entries))?;
        let start = usize::from(random).checked_rem(ring.len())?;
        let unique = |entry: &&Entry| {
            entry.used && ring.iter().filter(|other| other.used && entry.is_alike(other, hidden)).count() == 1
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

/// Whether the shown digests are the record's.
fn shows(digests: &[Digest; 3], hidden: Hidden, shown: [&[u8]; 2]) -> bool {
    let (mine, _) = hidden.split(digests);
    mine.iter().zip(shown).fold(true, |all, (mine, shown)| all & ct_eq(*mine, shown))
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::{Entry, Hidden, Log, Logged, RecordName};
    use crate::crypto::{Prk, Secret};
    use crate::history::keys;

    fn name(number: u32) -> RecordName {
        RecordName { session: 1, generation: 2, number }
    }

    #[test]
    fn a_place_is_hashed_whenever_it_changes() {
        let aux = Secret::new([7; 32]);
        let mut log = Log::new([Entry::EMPTY; 9]);
        let places: [&[u8]; 9] = [b"", b"", b"roof", b"roof", b"", b"cellar", b"roof", b"roof", b"roo"];
        for (number, place) in (0..).zip(places) {
            let record = Logged { name: name(number), time: 5, place, witness: [number as u8; 16] };
            log.received(&record, &aux);
            log.sent(&record, &aux);
            if number == 2 {
                log.forget_received(&name(2)); // the copy for the next record is gone
            }
            let ring = &log.entries[..3];
            let entry = ring.iter().find(|e| number == 2 || (e.used && e.name == name(number))).unwrap();
            let expected = keys::log_digest(&Prk::new(keys::NAME, aux.expose()), "log.li", place);
            assert!(number == 2 || entry.digests(&aux)[1] == expected, "record {number}");
        }
        // What was sent is remembered twice as long, and found by its name and two of its elements.
        for number in 0..9 {
            let shown = keys::log_digest(&Prk::new(keys::NAME, aux.expose()), "log.data", &[number as u8; 16]);
            let time = keys::log_digest(&Prk::new(keys::NAME, aux.expose()), "log.t", &5u64.to_be_bytes());
            let found = log.find_sent(&name(number), Hidden::Place, [&time, &shown], &aux);
            assert_eq!(found.is_some(), number >= 3, "record {number}");
        }
    }

    #[test]
    fn only_what_is_unique_is_asked_for() {
        let aux = Secret::new([7; 32]);
        let mut log = Log::new([Entry::EMPTY; 6]);
        assert!(log.pick(Hidden::Data, 0).is_none());
        for number in 0..2u8 {
            let record = Logged { name: name(number.into()), time: 0, place: b"", witness: [number; 16] };
            log.received(&record, &aux);
        }
        // Same time, same place: nothing tells the two apart but their data.
        assert!(log.pick(Hidden::Data, 0).is_none());
        assert_eq!(log.pick(Hidden::Time, 0).unwrap().name(), name(0));
        assert_eq!(log.pick(Hidden::Place, 1).unwrap().name(), name(1));
    }
}
