//! Which epoch a side is in: by its own clock, by the peer's records, by the peer's word.
//!
//! ```text
//! own clock     epoch over                    t+1, also over many
//! record        verifies under t+1            t+1 begins here and now
//! LAG           verifies at t' > t            t' begins here and now
//! resume        R2 or R3 says t'              at least t'
//! ```
//! Nothing ever goes back. What a datagram says is checked by hashing; the group operations are done when the timer comes,
//! which it does at once, and once an epoch: the next epoch's key is made ahead, so that a record of it costs none.

use super::Setting;
use super::keys::LAG_LEN;
use super::peer::State;
use crate::association::Instant;
use crate::crypto::Secret;
use crate::crypto::keys::{KeyError, StaticKeys};
use crate::engine::drops::Dropped;
use crate::engine::session::{Common, Left, Opened, Session};

/// Nothing is to be done.
const NEVER: Instant = Instant(u64::MAX);
/// A token that was not ready is asked again after this many ms.
const ASK_AGAIN: u64 = 250;
/// LAG is said at most once in this many ms.
pub const SAY_AGAIN: u64 = 1_000;

/// What of the progression is not stored.
#[derive(Debug)]
pub(super) struct Epochs {
    /// K_t of the epoch where the progression stands, once it is made.
    next: Option<Secret<32>>,
    /// The epoch before: it is still opened.
    left: Option<Left>,
    /// This side's tag of the epoch in use.
    lag: [u8; LAG_LEN],
    /// The epoch that this side should be in, and when it is over.
    due: u32,
    until: Instant,
    /// When there are group operations to do.
    work: Instant,
    /// Whether the session is in an epoch of the progression: not before the first.
    ready: bool,
    /// A record did not open: one of the two may lag.
    pub puzzled: bool,
    /// LAG may be said from then on.
    pub may_say: Instant,
    /// Whether an epoch was entered, and what remains to be done for it.
    pub entered: Entered,
}

/// What remains to be done for the epoch that was entered last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Entered {
    /// Nothing.
    #[default]
    Done,
    /// To be stored: the application was told with the record that it came with.
    Told,
    /// To be told and stored.
    New,
}

/// What came of catching up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// All is done, or waits for a token.
    Up,
    /// The last epoch is over.
    Over,
    /// The static key is gone.
    Failed,
}

impl Epochs {
    /// Epoch `due` begins now.
    pub fn new(due: u32, interval: u32, now: Instant) -> Self {
        Self {
            next: None,
            left: None,
            lag: [0; LAG_LEN],
            due,
            until: now.plus(u64::from(interval).saturating_mul(1000)),
            work: now,
            ready: false,
            puzzled: false,
            may_say: Instant(0),
            entered: Entered::Done,
        }
    }

    /// Whether the session may be used.
    pub const fn is_ready(&self) -> bool {
        self.ready
    }

    /// Whether the next epoch's key is there.
    pub const fn has_next(&self) -> bool {
        self.next.is_some()
    }

    /// This side's tag of the epoch in use.
    pub const fn lag(&self) -> &[u8; LAG_LEN] {
        &self.lag
    }

    /// When [`catch_up`](Self::catch_up) has something to do.
    pub fn timer(&self) -> Instant {
        self.work.min(self.until)
    }

    /// Epoch `due` begins now, if it is later than the one that this side should be in.
    pub fn forward(&mut self, due: u32, interval: u32, now: Instant) {
        if due > self.due {
            self.due = due;
            self.until = now.plus(u64::from(interval).saturating_mul(1000));
            self.work = now;
        }
    }

    /// The session has new keys, which no epoch's key is in yet.
    pub fn restart(&mut self, now: Instant) {
        self.left = None;
        self.ready = false;
        self.work = now;
    }

    fn tick(&mut self, interval: u32, last: u32, now: Instant) {
        while now >= self.until && self.due <= last {
            self.due = self.due.saturating_add(1);
            self.until = self.until.plus(u64::from(interval).saturating_mul(1000));
        }
    }

    /// Enters the epoch that this side should be in, or makes the next one's key: one of the two, so three group operations
    /// at most, as far as the token is ready.
    pub fn catch_up<const N: usize>(
        &mut self,
        setting: &Setting,
        (state, y): (&mut State<N>, &[u8; N]),
        (session, common): (&mut Session, &Common),
        statics: &dyn StaticKeys,
        now: Instant,
    ) -> Caught {
        self.tick(state.interval, state.last, now);
        if self.due > state.last {
            return Caught::Over;
        }
        if self.ready && self.work > now && self.due <= session.generation() {
            return Caught::Up;
        }
        self.work = NEVER;
        if self.due > state.progress.epoch() {
            self.next = None;
            if state.progress.advance(setting, self.due).is_err() {
                return Caught::Failed;
            }
        }
        let at = state.progress.epoch();
        if at > state.last {
            return Caught::Up;
        }
        if self.next.is_none() {
            match state.progress.key(setting, &state.parties, y, statics) {
                Ok(key) => self.next = Some(key),
                Err(KeyError::Pending) => {
                    self.work = now.plus(ASK_AGAIN);
                    return Caught::Up;
                }
                Err(_) => return Caught::Failed,
            }
        }
        // After a resume the session stands at no epoch, though the progression may be there already.
        if self.due < at && self.ready {
            return Caught::Up;
        }
        let Some(key) = self.next.take() else { return Caught::Failed };
        let near = self.ready && session.generation().saturating_add(1) == at;
        let left = session.enter(common, at, &key);
        self.left = Some(left).filter(|_| near);
        match self.moved(setting, state, session, now) {
            Ok(()) => Caught::Up,
            Err(_) => Caught::Failed,
        }
    }

    /// The session has entered the epoch where the progression stands.
    fn moved<const N: usize>(
        &mut self,
        setting: &Setting,
        state: &mut State<N>,
        session: &mut Session,
        now: Instant,
    ) -> Result<(), Dropped> {
        let at = state.progress.epoch();
        self.forward(at, state.interval, now);
        self.lag = state.progress.lag_tag(state.parties.a, at);
        self.next = None;
        self.ready = true;
        self.entered = Entered::New;
        self.work = now;
        session.is_secret_from(now);
        state.progress.advance(setting, at.saturating_add(1)).map_err(|_| Dropped::NoKey)
    }

    /// Opens a record of the epoch in use, the one before, or the next.
    pub fn open<const N: usize>(
        &mut self,
        setting: &Setting,
        state: &mut State<N>,
        (session, common): (&mut Session, &Common),
        (cid, datagram): (usize, &mut [u8]),
        now: Instant,
    ) -> Result<Opened, Dropped> {
        if !self.ready {
            return Err(Dropped::NoKey);
        }
        let near = state.progress.epoch() == session.generation().saturating_add(1);
        let next = self.next.as_ref().filter(|_| near);
        let opened = session.open_near(common, &mut self.left, next, cid, datagram);
        match &opened {
            Ok(opened) if opened.ratcheted => {
                self.moved(setting, state, session, now)?;
                self.entered = Entered::Told;
            }
            Err(Dropped::NoKey | Dropped::Forged) => self.puzzled = true,
            _ => {}
        }
        opened
    }
}
