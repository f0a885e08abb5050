//! The log table: (T, LI, Data) of every message, in clear, of both directions, as the paper has it.

use super::wire::{DATA_MAX, PLACE_MAX};
use crate::association::Error;
use crate::engine::wire;
use crate::history::log::Hidden;

/// One logged message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublishedEntry {
    used: bool,
    t: [u8; 8],
    li: [u8; PLACE_MAX],
    li_len: u8,
    data: [u8; DATA_MAX],
    data_len: u8,
}

impl core::fmt::Debug for PublishedEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PublishedEntry(..)")
    }
}

impl PublishedEntry {
    /// No message.
    pub const EMPTY: Self =
        Self { used: false, t: [0; 8], li: [0; PLACE_MAX], li_len: 0, data: [0; DATA_MAX], data_len: 0 };

    /// A message.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a place of more than 32 bytes, [`Error::TooLong`] for more than 64 of data.
    pub fn new(t: u64, li: &[u8], data: &[u8]) -> Result<Self, Error> {
        if li.len() > PLACE_MAX {
            return Err(Error::BadArgument);
        }
        if data.len() > DATA_MAX {
            return Err(Error::TooLong { max: DATA_MAX });
        }
        let mut entry = Self { used: true, t: t.to_be_bytes(), ..Self::EMPTY };
        entry.li_len = wire::copy(&mut entry.li, li) as u8;
        entry.data_len = wire::copy(&mut entry.data, data) as u8;
        Ok(entry)
    }

    /// T.
    pub const fn time(&self) -> u64 {
        u64::from_be_bytes(self.t)
    }

    /// T, LI and Data.
    pub fn elements(&self) -> [&[u8]; 3] {
        let li = self.li.get(..usize::from(self.li_len)).unwrap_or(&[]);
        [&self.t, li, self.data.get(..usize::from(self.data_len)).unwrap_or(&[])]
    }

    /// The two elements that are shown, and the hidden one.
    pub fn split(&self, hidden: Hidden) -> ([&[u8]; 2], &[u8]) {
        let [t, li, data] = self.elements();
        match hidden {
            Hidden::Time => ([li, data], t),
            Hidden::Place => ([t, data], li),
            Hidden::Data => ([t, li], data),
        }
    }
}

/// The table, a ring in the caller's memory.
#[derive(Debug)]
pub struct PublishedLog<L> {
    entries: L,
    next: usize,
}

impl<L: AsRef<[PublishedEntry]> + AsMut<[PublishedEntry]>> PublishedLog<L> {
    /// An empty table in this memory.
    pub fn new(mut entries: L) -> Self {
        entries.as_mut().fill(PublishedEntry::EMPTY);
        Self { entries, next: 0 }
    }

    /// Logs a message.
    pub fn add(&mut self, entry: PublishedEntry) {
        let entries = self.entries.as_mut();
        if let Some(place) = entries.get_mut(self.next) {
            *place = entry;
        }
        self.next = self.next.saturating_add(1).checked_rem(entries.len()).unwrap_or(0);
    }

    /// All records, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &PublishedEntry> {
        let (newer, older) = self.entries.as_ref().split_at_checked(self.next).unwrap_or((&[], &[]));
        older.iter().chain(newer).filter(|entry| entry.used)
    }

    /// "Selects an arbitrary record from the log table."
    pub fn pick(&self, random: u16) -> Option<&PublishedEntry> {
        let place = usize::from(random).checked_rem(self.records().count())?;
        self.records().nth(place)
    }

    /// "Searches its log table based on the two received elements": the first that has both.
    pub fn find(&self, hidden: Hidden, shown: [&[u8]; 2]) -> Option<&PublishedEntry> {
        self.records().find(|entry| entry.split(hidden).0 == shown)
    }
}
