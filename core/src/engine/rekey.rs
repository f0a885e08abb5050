//! Key replacement: the one rule by which two sides change a long-term key, whatever is lost, reordered or given up.
//!
//! ```text
//!  requester                                          responder
//!    ask: (generation, attempt)              -->      attempt above any answered; on glare the lower id keeps its own
//!                                                     pending := new key, stored            [Answered]
//!    pending := new key, stored [Confirmed]  <--      answer
//!    close: (generation, attempt)            -->      [Confirmed], stored
//!                                            <--      has it | has it not
//!  the next handshake under the pending key makes it current and erases the old one, on each side as it completes
//! ```
//!
//! - Handshakes that this side starts use the pending key once it is `Confirmed`, else the current one. A peer accepts
//!   both. Completing one under current never touches pending.
//! - A side whose confirmed pending finds no answer twice tries current in turn; when that succeeds, it closes again, and
//!   only the answer "has it not" to that close drops the pending key (the peer was rolled back).
//! - "Keep both until a message under the new one verifies", the obvious rule, forks by reordering alone.
//!
//! This struct is the rule and nothing else: the keys, the messages and the storing are the scheme's. The tests explore
//! it, with the real messages, to a bounded depth: no fork, no dead end.

use super::drops::Dropped;
use super::wire::{Reader, Writer};
use crate::association::Error;

/// Which of the two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The key in use.
    Current,
    /// The key that is to replace it.
    Pending,
}

/// What is known of the pending key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pending {
    /// There is none.
    #[default]
    None,
    /// This side answered that attempt; the peer may or may not know the key.
    Answered(u16),
    /// The peer has the key of that attempt, or had it.
    Confirmed(u16),
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Make the key, store it, answer.
    Answer,
    /// Say which attempt was answered last, so that the peer goes above it.
    Refuse {
        /// The highest attempt answered.
        answered: u16,
    },
    /// This side has a confirmed pending key and commits first: close again.
    CloseFirst,
    /// This side's own request goes first.
    Mine,
}

/// The state of one key's replacement; part of what is stored with the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replacement {
    generation: u32,
    pending: Pending,
    answered: u16,
    asked: u16,
    /// Handshakes under the pending key that found no answer in a row; not stored.
    misses: u8,
}

/// Handshakes without an answer before the current key is tried in turn.
const MISSES: u8 = 2;

impl Replacement {
    /// Length of the stored form in bytes.
    pub const LEN: usize = 4 + 1 + 2 + 2 + 2;

    /// A first key.
    pub const fn new() -> Self {
        Self { generation: 0, pending: Pending::None, answered: 0, asked: 0, misses: 0 }
    }

    /// As [`new`](Self::new), of this generation.
    pub const fn new_at(generation: u32) -> Self {
        Self { generation, ..Self::new() }
    }

    /// Generation of the current key.
    pub const fn generation(&self) -> u32 {
        self.generation
    }
    /// What is known of the pending key.
    pub const fn pending(&self) -> Pending {
        self.pending
    }
    /// The highest attempt that this side answered.
    pub const fn answered(&self) -> u16 {
        self.answered
    }
    /// The attempt whose pending key the peer is known to have had.
    pub const fn confirmed(&self) -> Option<u16> {
        if let Pending::Confirmed(attempt) = self.pending { Some(attempt) } else { None }
    }

    /// This side asks for a new key: the number of the attempt.
    ///
    /// # Errors
    /// [`Error::WrongState`] while a confirmed pending key waits to be committed; [`Error::KeyExhausted`] after 65 535
    /// attempts.
    pub fn ask(&mut self) -> Result<u16, Error> {
        if self.confirmed().is_some() { Err(Error::WrongState) } else { self.ask_holding() }
    }

    /// As [`ask`](Self::ask), but while a confirmed pending key waits under which nobody answered: for schemes in which an
    /// answer under the current key says that the peer has it not ([`drop_pending`](Self::drop_pending)).
    ///
    /// # Errors
    /// [`Error::KeyExhausted`] after 65 535 attempts.
    pub fn ask_holding(&mut self) -> Result<u16, Error> {
        let attempt = self.asked.max(self.answered).checked_add(1).ok_or(Error::KeyExhausted)?;
        self.asked = attempt;
        Ok(attempt)
    }

    /// The peer refused and named the highest attempt that it has answered.
    pub fn raise(&mut self, answered: u16) {
        self.asked = self.asked.max(answered);
    }

    /// The peer asks. `asking`: a request of this side's is out; `lower`: this side has the lower id.
    pub const fn request(&self, attempt: u16, asking: bool, lower: bool) -> Decision {
        if self.confirmed().is_some() {
            return Decision::CloseFirst;
        }
        if asking && lower {
            return Decision::Mine;
        }
        if attempt <= self.answered { Decision::Refuse { answered: self.answered } } else { Decision::Answer }
    }

    /// This side answers that attempt; the caller stores the pending key with this and cancels its own request.
    pub const fn answer(&mut self, attempt: u16) {
        self.answered = attempt;
        self.pending = Pending::Answered(attempt);
    }

    /// The right answer to this side's request came; the caller stores the pending key with this.
    pub const fn confirm(&mut self, attempt: u16) {
        self.pending = Pending::Confirmed(attempt);
        self.misses = 0;
    }

    /// The peer closes that attempt of that generation: whether this side has the key, and whether something changed
    /// that must be stored before saying so.
    pub fn close(&mut self, generation: u32, attempt: u16) -> (bool, bool) {
        if generation < self.generation {
            return (true, false); // committed already
        }
        match self.pending {
            Pending::Answered(mine) if mine == attempt && generation == self.generation => {
                self.confirm(attempt);
                (true, true)
            }
            Pending::Confirmed(mine) if mine == attempt && generation == self.generation => (true, false),
            _ => (false, false),
        }
    }

    /// The peer proved that it has left the current key: the pending one, if there is one, is what it has moved to.
    /// Returns whether there is hope.
    pub const fn peer_left(&mut self) -> bool {
        match self.pending {
            Pending::None => false,
            Pending::Answered(attempt) => {
                self.confirm(attempt);
                true
            }
            Pending::Confirmed(_) => {
                self.misses = 0;
                true
            }
        }
    }

    /// The peer said, in answer to this side's close, that it has not that key: forget it. Whether it was there.
    pub fn drop_pending(&mut self, attempt: u16) -> bool {
        let was = self.confirmed() == Some(attempt);
        if was {
            self.pending = Pending::None;
        }
        was
    }

    /// The key for the handshake that this side starts now.
    pub const fn choose(&self) -> Which {
        match self.pending {
            Pending::Confirmed(_) if self.misses < MISSES || self.misses & 1 == 1 => Which::Pending,
            _ => Which::Current,
        }
    }

    /// A handshake that this side started found no answer.
    pub const fn missed(&mut self) {
        // Stays within 2..=3 once it is there: pending and current in turn.
        self.misses = if self.misses <= MISSES { self.misses.saturating_add(1) } else { MISSES };
    }

    /// A handshake is complete; returns whether the pending key became current (the caller moves the keys and stores).
    pub const fn complete(&mut self, under: Which) -> bool {
        self.misses = 0;
        match under {
            Which::Current => false,
            Which::Pending => {
                *self = Self::new_at(self.generation.saturating_add(1));
                true
            }
        }
    }

    /// Writes the stored form.
    pub fn write(&self, w: &mut Writer<'_>) {
        let (kind, attempt) = match self.pending {
            Pending::None => (0, 0),
            Pending::Answered(a) => (1, a),
            Pending::Confirmed(a) => (2, a),
        };
        w.put(&self.generation.to_be_bytes()).put(&[kind]).put(&attempt.to_be_bytes());
        w.put(&self.answered.to_be_bytes()).put(&self.asked.to_be_bytes());
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Dropped> {
        let generation = r.u32()?;
        let pending = match (r.u8()?, r.u16()?) {
            (0, _) => Pending::None,
            (1, a) => Pending::Answered(a),
            (2, a) => Pending::Confirmed(a),
            _ => return Err(Dropped::Malformed),
        };
        Ok(Self { generation, pending, answered: r.u16()?, asked: r.u16()?, misses: 0 })
    }
}
