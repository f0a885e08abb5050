//! Messages beside phase 1's ([`phase1::wire`](crate::phase1::wire)): parse and build, nothing else.
//!
//! ```text
//! LAG   header | t u32 | pre 4 | tag 16
//! ```
//! `header` is the engine's, with the low four bits of t.

use super::keys::{LAG_LEN, PRE_LEN};
use crate::engine::drops::Dropped;
use crate::engine::wire::{HEADER_LEN, Reader, Writer, header};

/// The scheme's number on the wire.
pub const NUMBER: u8 = 2;
/// "I am in this epoch."
pub const LAG: u8 = 5;
/// Length of LAG in bytes.
pub const LAG_MESSAGE: usize = HEADER_LEN + 4 + PRE_LEN + LAG_LEN;
/// Length of the terms in M3 in bytes: F u32, T u32, l u16.
pub const TERMS_LEN: usize = 10;

/// LAG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The epoch that its sender is in.
    pub epoch: u32,
    /// What is looked at first.
    pub pre: [u8; PRE_LEN],
    /// The tag.
    pub tag: [u8; LAG_LEN],
}

impl Lag {
    /// Writes LAG.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&header(NUMBER, LAG, self.epoch)).put(&self.epoch.to_be_bytes()).put(&self.pre).put(&self.tag);
    }

    /// Reads LAG.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(message: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(message);
        r.take(HEADER_LEN)?;
        let lag = Self { epoch: r.u32()?, pre: r.array()?, tag: r.array()? };
        r.end()?;
        let low = u32::from(message.get(1).copied().unwrap_or(0) & 15);
        if low == lag.epoch & 15 { Ok(lag) } else { Err(Dropped::Malformed) }
    }
}

/// What A wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// F: how long what comes of the handshake lives, in seconds; 0: as long as the chain.
    pub life: u32,
    /// T: an epoch, in seconds; at least 1.
    pub interval: u32,
    /// l: the length of the chain in epochs; at least 1.
    pub length: u16,
}

impl Terms {
    /// Writes them.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&self.life.to_be_bytes()).put(&self.interval.to_be_bytes()).put(&self.length.to_be_bytes());
    }

    /// Reads them.
    ///
    /// # Errors
    /// Malformed: no time at all.
    pub fn read(terms: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(terms);
        let terms = Self { life: r.u32()?, interval: r.u32()?, length: r.u16()? };
        r.end()?;
        if terms.is_valid() { Ok(terms) } else { Err(Dropped::Malformed) }
    }

    /// Whether there is an epoch at all.
    pub const fn is_valid(&self) -> bool {
        self.interval > 0 && self.length > 0
    }

    /// The last epoch: that of l, or the one in which F ends.
    pub fn last(&self) -> u32 {
        let length = u32::from(self.length);
        match self.life {
            0 => length,
            life => life.div_ceil(self.interval.max(1)).min(length),
        }
    }
}
