//! A flight: the one message that a run has under way, sent again until the answer comes.
//!
//! The active side sends a flight again with back-off until it gives up; the other side keeps its answer and sends it
//! again when the question comes again. So exactly one side of each run has a timer that sends.
//!
//! ```text
//! buffer   room for header(engine, COOKIE_ECHO) and cookie, 10 bytes | message
//! ```

use super::cookie;
use super::drops::Dropped;
use super::fragment;
use super::wire::{self, Writer};
use crate::association::{Addr, Instant};

/// Bytes before the message in a flight's buffer.
pub const ROOM: usize = wire::HEADER_LEN + cookie::LEN;
/// First interval between two tries in ms; it doubles up to [`INTERVAL_MAX`].
pub const INTERVAL_MIN: u16 = 1_000;
/// Longest interval between two tries in ms.
pub const INTERVAL_MAX: u16 = 8_000;
/// How often a flight is sent before its side gives up, unless configured otherwise.
pub const TRIES: u8 = 24;
/// How long an answer is kept for a side that asks again, in ms: longer than that side's tries take.
pub const ANSWER_LIFE: u64 = 200_000;
/// An unproven address gets this many times the bytes that it sent.
const AMPLIFICATION: u16 = 3;

/// A flight's buffer: an array that has a default.
#[derive(Clone, Debug)]
pub struct Buffer<const N: usize>([u8; N]);

impl<const N: usize> Default for Buffer<N> {
    fn default() -> Self {
        Self([0; N])
    }
}
impl<const N: usize> AsRef<[u8]> for Buffer<N> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
impl<const N: usize> AsMut<[u8]> for Buffer<N> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

/// The end of time.
pub(super) const NEVER: Instant = Instant(u64::MAX);

/// What a flight's timer asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing yet.
    Nothing,
    /// The flight goes out again.
    Again,
    /// All tries are used up, or the answer was kept long enough.
    Over,
}

/// One message under way.
#[derive(Clone, Debug)]
pub struct Flight<B> {
    buffer: B,
    len: u16,
    /// Bytes kept at the buffer's end.
    stashed: u16,
    /// Where it goes.
    pub to: Addr,
    /// [`NEVER`]: none.
    timer: Instant,
    interval: u16,
    tries: u8,
    piece: u8,
    pending: bool,
    cookie: bool,
    control: bool,
    proven: bool,
    credit: u16,
}

impl<B: Default> Default for Flight<B> {
    fn default() -> Self {
        Self {
            buffer: B::default(),
            len: 0,
            stashed: 0,
            to: Addr::default(),
            timer: NEVER,
            interval: 0,
            tries: 0,
            piece: 0,
            pending: false,
            cookie: false,
            control: false,
            proven: false,
            credit: 0,
        }
    }
}

impl<B: AsRef<[u8]> + AsMut<[u8]>> Flight<B> {
    /// Nothing under way to an address that asked with `received` bytes, or (`None`) that the caller named.
    #[inline(never)]
    pub fn reset(&mut self, to: Addr, received: Option<usize>) {
        self.buffer.as_mut().fill(0);
        self.len = 0;
        self.stashed = 0;
        self.to = to;
        self.timer = NEVER;
        self.pending = false;
        self.cookie = false;
        self.control = false;
        self.proven = received.is_none();
        self.credit = 0;
        if let Some(n) = received {
            self.earn(n);
        }
    }

    /// Puts a new message into the buffer; `write` gets a [`Writer`] of the room that there is.
    pub fn load(&mut self, control: bool, write: impl FnOnce(&mut Writer<'_>)) {
        let end = self.buffer.as_ref().len().saturating_sub(usize::from(self.stashed));
        let mut w = Writer::new(self.buffer.as_mut().get_mut(ROOM..end).unwrap_or(&mut []));
        write(&mut w);
        debug_assert!(w.finish().is_ok(), "flight buffer too small: {}", w.len());
        self.len = w.len() as u16;
        self.control = control;
        self.piece = 0;
    }

    /// Keeps these bytes beside the message until the run is over, at the buffer's end.
    ///
    /// # Errors
    /// There is no room for them beside the message.
    pub fn stash(&mut self, bytes: &[u8]) -> Result<(), Dropped> {
        let buffer = self.buffer.as_mut();
        let start = buffer.len().checked_sub(bytes.len()).ok_or(Dropped::NoRoom)?;
        if start < ROOM.saturating_add(usize::from(self.len)) {
            return Err(Dropped::NoRoom);
        }
        buffer.get_mut(start..).ok_or(Dropped::NoRoom)?.copy_from_slice(bytes);
        self.stashed = bytes.len() as u16;
        Ok(())
    }

    /// What [`stash`](Self::stash) keeps.
    pub fn stashed(&self) -> &[u8] {
        let buffer = self.buffer.as_ref();
        buffer.get(buffer.len().saturating_sub(usize::from(self.stashed))..).unwrap_or(&[])
    }

    /// What comes next is sent without the cookie that was asked for: the other side has seen that this one receives.
    pub const fn forget_cookie(&mut self) {
        self.cookie = false;
    }

    /// Puts a new message into the buffer: these parts, one after the other.
    #[inline(never)]
    pub fn put(&mut self, control: bool, parts: &[&[u8]]) {
        self.load(control, |w| {
            for part in parts {
                w.put(part);
            }
        });
    }

    /// Sends the message now, and again until it is answered.
    #[inline(never)]
    pub fn launch(&mut self, now: Instant, tries: u8) {
        self.pending = true;
        self.piece = 0;
        self.tries = tries.max(1).saturating_sub(1);
        self.interval = INTERVAL_MIN;
        self.timer = now.plus(u64::from(INTERVAL_MIN));
    }

    /// Sends the message once, and keeps it for whoever asks again.
    #[inline(never)]
    pub fn answer(&mut self, now: Instant) {
        self.timer = now.plus(ANSWER_LIFE);
        self.tries = 0;
        self.interval = 0;
        self.pending = true;
        self.piece = 0;
    }

    /// Sends the message once; its place is free again soon.
    pub fn answer_briefly(&mut self, now: Instant) {
        self.answer(now);
        self.timer = now.plus(u64::from(INTERVAL_MIN));
    }

    /// The question came again: the answer goes out again, within what the address has earned.
    #[inline(never)]
    pub fn again(&mut self) {
        if !self.pending {
            self.pending = true;
            self.piece = 0;
        }
    }

    /// The question came (again), `n` bytes from `from`: the answer goes there. Whoever copies a question gets a copy of
    /// the answer, and does not keep it from the one who asked.
    #[inline(never)]
    pub fn asked(&mut self, from: &Addr, n: usize) {
        if self.to != *from {
            self.to = *from;
            self.proven = false;
            self.credit = 0;
        }
        self.earn(n);
    }

    /// The address sent `n` bytes.
    pub fn earn(&mut self, n: usize) {
        self.credit = self.credit.saturating_add((n.min(4096) as u16).saturating_mul(AMPLIFICATION));
    }

    /// The address showed that it receives.
    pub fn prove(&mut self) {
        self.proven = true;
    }

    /// Whether `n` more bytes may go to the address; they are counted if so.
    pub fn spend(&mut self, n: usize) -> bool {
        if self.proven {
            return true;
        }
        match u16::try_from(n).ok().and_then(|n| self.credit.checked_sub(n)) {
            Some(left) => {
                self.credit = left;
                true
            }
            None => false,
        }
    }

    /// What is due at `now`.
    pub fn due(&mut self, now: Instant) -> Due {
        match self.timer {
            at if at <= now && at != NEVER => {
                if self.tries == 0 {
                    self.timer = NEVER;
                    return Due::Over;
                }
                self.tries = self.tries.saturating_sub(1);
                self.interval = self.interval.saturating_mul(2).min(INTERVAL_MAX);
                self.timer = now.plus(u64::from(self.interval));
                self.again();
                Due::Again
            }
            _ => Due::Nothing,
        }
    }

    /// Whether the message has gone out three times at least, and the answer may as well never come.
    pub const fn is_unanswered(&self) -> bool {
        self.interval >= 4 * INTERVAL_MIN
    }

    /// When [`due`](Self::due) has something to say.
    pub fn timer(&self) -> Option<Instant> {
        (self.timer != NEVER).then_some(self.timer)
    }

    /// Stops the timer and what is not sent yet.
    pub const fn stop(&mut self) {
        self.timer = NEVER;
        self.pending = false;
    }

    /// Sends nothing more, but keeps the timer.
    pub const fn quiet(&mut self) {
        self.pending = false;
    }

    /// Whether a datagram of it waits to be sent.
    pub const fn is_pending(&self) -> bool {
        self.pending
    }

    /// Whether it is sent again until it is answered.
    pub const fn asks(&self) -> bool {
        self.interval > 0
    }

    /// Whether the message is the body of a control record.
    pub const fn is_control(&self) -> bool {
        self.control
    }

    /// The message, in the echo of a cookie where one was asked for.
    #[inline(never)]
    pub fn message(&self) -> &[u8] {
        let start = if self.cookie { 0 } else { ROOM };
        self.buffer.as_ref().get(start..ROOM.saturating_add(usize::from(self.len))).unwrap_or(&[])
    }

    /// Takes a cookie that the other side asks for. At once again, unless that cookie was already in use (then the timer
    /// decides, so that two sides do not chase each other).
    pub fn take_cookie(&mut self, cookie: &[u8; cookie::LEN]) {
        let header = wire::header(wire::ENGINE, wire::engine::COOKIE_ECHO, 0);
        let Some(room) = self.buffer.as_mut().get_mut(..ROOM) else { return };
        let (head, value) = room.split_at_mut(wire::HEADER_LEN);
        let changed = !self.cookie || value != cookie;
        head.copy_from_slice(&header);
        value.copy_from_slice(cookie);
        self.cookie = true;
        if changed {
            self.pending = true;
            self.piece = 0;
        }
    }

    /// Which piece goes next, where the message is sent in `count` of them; the last one ends the sending.
    pub const fn next_piece(&mut self, count: usize) -> usize {
        let piece = self.piece as usize;
        self.piece = self.piece.saturating_add(1);
        if self.piece as usize >= count {
            self.pending = false;
            self.piece = 0;
        }
        piece
    }

    /// The whole message, written into `out`; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    pub fn write_whole(&mut self, out: &mut [u8]) -> Result<usize, usize> {
        let len = Writer::new(out).put(self.message()).finish()?;
        self.quiet();
        Ok(len)
    }

    /// The next datagram of a handshake message, written into `out`; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    pub fn write(&mut self, mtu: usize, out: &mut [u8]) -> Result<usize, usize> {
        let count = fragment::pieces(self.message().len(), mtu);
        let len = fragment::write(self.message(), mtu, usize::from(self.piece), out)?;
        self.next_piece(count);
        Ok(len)
    }
}
