//! A peer: the PMK and its successor, and what became of the attempts to replace it.
//!
//! ```text
//!            K1 under current                 K3                    K1 under pending, 16-byte tag
//! S  current ----------------> pending answered ----> current       commits pending, then as under current
//! A  current --K2----------> pending confirmed --K4-> current       (phase 1: M3, M4 make the pending one)
//! ```
//! Who may ask, and what becomes of the answer, is [`rekey`](crate::engine::rekey)'s; here every key has its own numbers,
//! and each run that completes replaces it.

use super::keys;
use super::master::{ALWAYS, Master, NEVER};
use super::wire::K1;
use crate::association::{Error, Slot};
use crate::cose::Reference;
use crate::cose::ticket::TICKET_MAX;
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::rekey::{Decision, Pending, Replacement, Which};
use crate::engine::session::ConnectionId;
use crate::engine::state::Beside;
use crate::phase1::credential::reference;
use crate::phase1::keys::{Cred, HINT_LEN};
use crate::phase1::{Expected, Facts, Subject};
use core::fmt;

/// Where the hint of a first message leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// To a PMK.
    Master(Which),
    /// To the one before the current one: the peer was rolled back.
    Gone,
}

/// A run that this side starts now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Under which PMK.
    pub under: Which,
    /// The attempt under it.
    pub attempt: u16,
    /// Whether the tags of K1 and K2 have 16 bytes.
    pub long: bool,
    /// Whether it is under the current PMK although a pending one is confirmed: nobody answered under that.
    pub holds: bool,
}

impl Start {
    /// K1 of this run.
    pub const fn k1(&self, hint: [u8; HINT_LEN], cid: ConnectionId) -> K1 {
        K1 { hint, attempt: self.attempt, long: self.long, holds: self.holds, cid }
    }

    /// The pending PMK became current while this run waits for K2: under that one it goes on, under the one that is gone
    /// it is over.
    pub const fn after_commit(self) -> Option<Self> {
        match self.under {
            Which::Pending => Some(Self { under: Which::Current, ..self }),
            Which::Current => None,
        }
    }
}

/// What to do with a K1 whose tag has verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Draw N_S and answer: [`Peer::answered`] stores what comes of it.
    Answer,
    /// REFUSE: an attempt not above this one.
    Refuse {
        /// The highest attempt answered.
        answered: u16,
    },
    /// Nothing: this side starts a run under its confirmed pending PMK.
    CommitFirst,
    /// Nothing: this side's own run goes first.
    Mine,
}

/// Who the peer has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Anyone,
    /// Somebody with this word in the scope.
    Scope(Subject),
    Known(Subject),
}

/// The two tickets of an association, as they were shown or renewed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tickets {
    /// Serial and end of the peer's.
    serial: u32,
    ends: u64,
    /// The one of this side's that the peer has, and its end.
    shown: Reference,
    shown_ends: u64,
}

/// What this device knows about one peer; lies in the caller's memory and is stored in its slot. `T` is the room for the
/// peer's ticket in bytes: one that is longer is not kept, and shown again each time.
#[derive(Clone)]
pub struct Peer<const T: usize = TICKET_MAX> {
    slot: Slot,
    version: u32,
    me: Subject,
    whom: Whom,
    tickets: Option<Tickets>,
    ticket: [u8; T],
    ticket_len: u16,
    /// H of the ticket that is kept.
    cred: Cred,
    /// Changes when the names do under which a first message may come.
    names: u32,
    psk: Option<Secret<32>>,
    current: Option<Master>,
    pending: Option<Master>,
    gone: Option<Secret<32>>,
    replacement: Replacement,
    /// Attempts of this side's under the pending PMK.
    ahead: u16,
    /// This side was S when the current PMK was made: for the peer it may be a pending one still.
    as_s: bool,
    /// The last run found no answer; not stored.
    missed: bool,
}

impl<const T: usize> fmt::Debug for Peer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Peer");
        f.field("whom", &self.whom).field("current", &self.current).field("pending", &self.replacement.pending());
        f.finish_non_exhaustive()
    }
}

impl<const T: usize> Peer<T> {
    /// A peer of this name, with whom there was no phase 1 yet. A psk goes into every phase 1 with it.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where both names are the same.
    pub fn new(slot: Slot, me: Subject, id: Subject, psk: Option<Secret<32>>) -> Result<Self, Error> {
        if me == id { Err(Error::BadArgument) } else { Ok(Self::of(slot, me, Whom::Known(id), psk)) }
    }

    /// Whoever comes first with a ticket in whose scope this word stands; anybody where it is empty. From then on it is
    /// that device's.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a word of more than 32 bytes.
    pub fn anyone(slot: Slot, me: Subject, scope: &str, psk: Option<Secret<32>>) -> Result<Self, Error> {
        let whom = match Subject::new(scope) {
            Some(scope) => Whom::Scope(scope),
            None if scope.is_empty() => Whom::Anyone,
            None => return Err(Error::BadArgument),
        };
        Ok(Self::of(slot, me, whom, psk))
    }

    const fn of(slot: Slot, me: Subject, whom: Whom, psk: Option<Secret<32>>) -> Self {
        Self {
            slot,
            version: 0,
            me,
            whom,
            tickets: None,
            ticket: [0; T],
            ticket_len: 0,
            cred: [0; 32],
            names: 1,
            psk,
            current: None,
            pending: None,
            gone: None,
            replacement: Replacement::new(),
            ahead: 0,
            as_s: false,
            missed: false,
        }
    }

    /// The slot that it is stored in.
    pub const fn slot(&self) -> Slot {
        self.slot
    }
    /// The peer's name, once it is known.
    pub const fn id(&self) -> Option<&Subject> {
        match &self.whom {
            Whom::Known(id) => Some(id),
            Whom::Scope(_) | Whom::Anyone => None,
        }
    }
    /// Who the peer has to be.
    pub fn expected(&self) -> Expected<'_> {
        match &self.whom {
            Whom::Known(id) => Expected::Subject(id),
            Whom::Scope(word) => Expected::Scope(core::str::from_utf8(word.as_bytes()).unwrap_or_default()),
            Whom::Anyone => Expected::Anyone,
        }
    }
    /// The peer's ticket; empty where it is not kept.
    pub fn ticket(&self) -> &[u8] {
        self.ticket.get(..usize::from(self.ticket_len)).unwrap_or_default()
    }
    /// Its hash; of an empty one there is none.
    pub const fn cred(&self) -> Option<&Cred> {
        if self.ticket_len == 0 { None } else { Some(&self.cred) }
    }
    /// What stands for it.
    pub fn reference(&self) -> Option<Reference> {
        self.cred().map(reference)
    }
    /// The ticket of this side's that the peer has.
    pub fn shown(&self) -> Option<&Reference> {
        self.tickets.as_ref().map(|tickets| &tickets.shown)
    }
    /// Changes when the names do under which a first message may come.
    pub const fn names_version(&self) -> u32 {
        self.names
    }
    /// This device's name.
    pub const fn own_id(&self) -> &Subject {
        &self.me
    }
    /// What goes into every phase 1 with it.
    pub const fn psk(&self) -> Option<&Secret<32>> {
        self.psk.as_ref()
    }
    /// Whether this side's name is the lower one.
    pub fn is_lower(&self) -> bool {
        self.id().is_some_and(|id| self.me.is_lower_than(id))
    }
    /// What is known of the pending PMK.
    pub const fn pending(&self) -> Pending {
        self.replacement.pending()
    }

    /// A PMK.
    pub const fn master(&self, which: Which) -> Option<&Master> {
        match which {
            Which::Current => self.current.as_ref(),
            Which::Pending => self.pending.as_ref(),
        }
    }

    /// What this hint of a first message of the peer's names.
    pub fn named(&self, hint: &[u8; HINT_LEN]) -> Option<Named> {
        let is = |which: Which| self.master(which).is_some_and(|master| master.hint(false) == *hint);
        if is(Which::Current) {
            return Some(Named::Master(Which::Current));
        }
        if is(Which::Pending) {
            return Some(Named::Master(Which::Pending));
        }
        let sides = [false, true];
        let gone = self.gone.as_ref()?;
        sides.iter().any(|side| keys::hint(gone, *side) == *hint).then_some(Named::Gone)
    }

    /// The PMK that this hint of a first message of this side's names.
    pub fn mine(&self, hint: &[u8; HINT_LEN]) -> Option<(Which, &Master)> {
        let both = [Which::Current, Which::Pending].into_iter();
        both.filter_map(|which| Some((which, self.master(which)?))).find(|(_, master)| master.hint(true) == *hint)
    }

    /// The PMK that a run of this side's would be made under now.
    pub fn choose(&self) -> Option<&Master> {
        let waits = self.replacement.confirmed().is_some();
        let which = if self.current.is_none() && waits { Which::Pending } else { self.replacement.choose() };
        self.master(which)
    }

    /// The suite that was agreed.
    pub fn suite(&self) -> Option<i8> {
        self.current.as_ref().or(self.pending.as_ref()).map(|master| master.origin.suite)
    }

    /// What answers a K1 under the PMK before the current one.
    pub const fn gone(&self) -> Option<&Secret<32>> {
        self.gone.as_ref()
    }

    // ---- tickets, and how long all this lives ----

    /// The peer has shown to be the owner of this ticket, and has seen `own` of this side's, which ends then.
    pub fn keep(&mut self, ticket: &[u8], facts: &Facts, own: (Reference, u64)) {
        self.whom = Whom::Known(facts.subject);
        if !self.take(ticket) {
            self.take(&[]);
        }
        let (shown, shown_ends) = own;
        self.tickets = Some(Tickets { serial: facts.serial, ends: facts.ends, shown, shown_ends });
        self.names = self.names.wrapping_add(1);
    }

    /// Keeps a ticket, if there is room for it.
    fn take(&mut self, ticket: &[u8]) -> bool {
        if ticket == self.ticket() {
            return true;
        }
        let Some(room) = self.ticket.get_mut(..ticket.len()) else { return false };
        room.copy_from_slice(ticket);
        self.ticket_len = ticket.len() as u16;
        self.cred = Beside::of(ticket).hash;
        true
    }

    /// The peer has a new ticket.
    pub fn renews(&mut self, ticket: &[u8], facts: &Facts) {
        if let Some(Tickets { shown, shown_ends, .. }) = self.tickets {
            self.keep(ticket, facts, (shown, shown_ends));
        }
    }

    /// The peer has stored a new ticket of this side's.
    pub const fn renewed(&mut self, shown: Reference, shown_ends: u64) {
        if let Some(tickets) = &mut self.tickets {
            tickets.shown = shown;
            tickets.shown_ends = shown_ends;
        }
    }

    /// When both tickets are over, and the number of the peer's.
    pub fn tickets_end(&self) -> Option<(u64, u32)> {
        self.tickets.as_ref().map(|tickets| (tickets.ends.min(tickets.shown_ends), tickets.serial))
    }

    /// What is left of F for the PMK of the next run: its end by the wall clock, and seconds without one.
    pub fn life(&self) -> (u64, u32) {
        let of = |master: &Master| (master.origin.ends, master.origin.left);
        match self.replacement.choose() {
            Which::Pending => self.pending.as_ref().or(self.current.as_ref()),
            Which::Current => self.current.as_ref().or(self.pending.as_ref()),
        }
        .map_or((NEVER, ALWAYS), of)
    }

    /// The device has run so many seconds without a wall clock; whether there is something to store.
    pub fn has_run(&mut self, seconds: u32) -> bool {
        let masters = [&mut self.current, &mut self.pending].into_iter().flatten();
        masters.filter(|master| master.origin.left != ALWAYS).fold(false, |_, master| {
            master.origin.left = master.origin.left.saturating_sub(seconds);
            true
        })
    }

    /// All PMKs are over: phase 1 begins anew. Whether there were any.
    pub fn forget_masters(&mut self) -> bool {
        let any = self.current.is_some() || self.pending.is_some();
        self.gone = self.current.take().map(|old| old.aux).or_else(|| self.gone.take());
        self.pending = None;
        self.replacement = Replacement::new();
        self.ahead = 0;
        self.names = self.names.wrapping_add(1);
        any
    }

    // ---- phase 1 ----

    /// S: M3 has verified; `attempt` on a rekey. Without one it takes the next number, so that nothing under way in
    /// phase 2 closes this.
    pub fn authenticated(&mut self, master: Master, attempt: Option<u16>) {
        self.replacement.answer(attempt.unwrap_or(self.replacement.answered().saturating_add(1)));
        self.put(master);
    }

    /// A: M4 has verified.
    pub fn acknowledged(&mut self, master: Master, attempt: Option<u16>) {
        self.replacement.confirm(attempt.unwrap_or(0));
        self.put(master);
    }

    fn put(&mut self, master: Master) {
        self.pending = Some(master);
        self.ahead = 0;
        self.names = self.names.wrapping_add(1);
    }

    /// How often the PMK was replaced.
    pub const fn generation(&self) -> u32 {
        self.replacement.generation()
    }

    /// All hints under which a first message of the peer's may come.
    pub fn hints(&self, hint: &mut dyn FnMut([u8; HINT_LEN])) {
        [&self.current, &self.pending].into_iter().flatten().for_each(|master| hint(master.hint(false)));
        if let Some(gone) = &self.gone {
            [false, true].into_iter().for_each(|side| hint(keys::hint(gone, side)));
        }
    }

    // ---- phase 2 ----

    /// This side starts a run.
    ///
    /// # Errors
    /// [`Error::NotEstablished`] without a PMK: phase 1 first; [`Error::KeyExhausted`] after 65 535 attempts.
    pub fn start(&mut self) -> Result<Start, Error> {
        let waits = self.replacement.confirmed().is_some();
        let under = if self.current.is_none() && waits { Which::Pending } else { self.replacement.choose() };
        match under {
            Which::Pending => {
                self.ahead = self.ahead.checked_add(1).ok_or(Error::KeyExhausted)?;
                Ok(Start { under, attempt: self.ahead, long: true, holds: false })
            }
            Which::Current if self.current.is_none() => Err(Error::NotEstablished),
            Which::Current => {
                let attempt = self.replacement.ask_holding()?;
                Ok(Start { under, attempt, long: self.missed || self.as_s, holds: waits })
            }
        }
    }

    /// Nobody answered K1.
    pub fn no_answer(&mut self) {
        self.missed = true;
        self.replacement.missed();
    }

    /// S: K1's tag has verified. `asking`: a K1 of this side's under that PMK is out. Under the pending PMK it is current
    /// afterwards, to be stored whatever comes of K1: only who has stored it can have sent this.
    ///
    /// # Errors
    /// [`Dropped::Forged`] for a short tag under the pending PMK; [`Dropped::NoKey`] where there is none.
    pub fn heard(&mut self, under: Which, k1: &K1, asking: bool) -> Result<Heard, Dropped> {
        if under == Which::Pending {
            if !k1.long {
                return Err(Dropped::Forged);
            }
            if !self.commit(true) {
                return Err(Dropped::NoKey);
            }
        }
        // Who holds a confirmed pending PMK does not answer: to insist on the own run would stall both.
        let asking = asking && !k1.holds;
        Ok(match self.replacement.request(k1.attempt, asking, self.is_lower()) {
            Decision::Answer => Heard::Answer,
            Decision::Refuse { answered } => Heard::Refuse { answered },
            Decision::CloseFirst => Heard::CommitFirst,
            Decision::Mine => Heard::Mine,
        })
    }

    /// S: the PMK that K2 leads to, stored before K2 leaves.
    pub fn answered(&mut self, attempt: u16, master: Master) {
        self.replacement.answer(attempt);
        self.put(master);
    }

    /// A: K2's tag has verified; the PMK that it leads to, stored before K3 leaves.
    pub fn confirmed(&mut self, start: &Start, master: Master) {
        match start.under {
            // S has it: it is current.
            Which::Pending => {
                self.commit(false);
            }
            // S has not the pending one: else it would have said GONE, or has forgotten it with this answer.
            Which::Current => {
                self.replacement.confirmed().map(|held| self.replacement.drop_pending(held));
            }
        }
        self.missed = false;
        self.replacement.confirm(start.attempt);
        self.put(master);
    }

    /// A: GONE: the peer has left the current PMK. Whether there is a pending one to go on under.
    pub const fn left(&mut self) -> bool {
        self.replacement.peer_left()
    }

    /// A: REFUSE.
    pub fn refused(&mut self, under: Which, answered: u16) {
        match under {
            Which::Current => self.replacement.raise(answered),
            Which::Pending => self.ahead = self.ahead.max(answered),
        }
    }

    /// K3 (on S) or K4 (on A) of that attempt has verified: the pending PMK that it led to is current. Whether it was still
    /// that one.
    pub fn closed(&mut self, attempt: u16) -> bool {
        match self.pending() {
            Pending::Answered(mine) if mine == attempt => self.commit(true),
            Pending::Confirmed(mine) if mine == attempt => self.commit(false),
            _ => false,
        }
    }

    fn commit(&mut self, as_s: bool) -> bool {
        let Some(pending) = self.pending.take() else { return false };
        self.replacement.complete(Which::Pending);
        // Runs of this side's under it have taken numbers: they stay taken.
        self.replacement.raise(self.ahead);
        self.ahead = 0;
        self.missed = false;
        self.as_s = as_s;
        self.gone = self.current.replace(pending).map(|old| old.aux);
        self.names = self.names.wrapping_add(1);
        true
    }
}

mod stored;
#[cfg(test)]
mod tests;
