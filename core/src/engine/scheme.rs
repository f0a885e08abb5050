//! What a scheme tells the engine, and what the engine lends a scheme.

use super::drops::Dropped;
use super::endpoint::Config;
use super::flight::Flight;
use super::memory::{Candidate, Half, Run};
use super::outbox::Outbox;
use super::resume::Root;
use super::session::{Common, Keys, Opened, Session, Terms};
use super::state;
use crate::association::{Addr, Authenticated, Cx, Error, Fingerprint, Instant, Slot, Stage, UnixTime};
use crate::crypto::Suite;
use core::fmt;

pub use super::outbox::Note;

/// A scheme's own part: its messages, its keys, its long-term state. The [`Endpoint`](super::Endpoint) does the rest.
pub trait Scheme: Sized {
    /// Its number on the wire, 1 to 7.
    const NUMBER: u8;
    /// Its name in the KDF.
    const NAME: &'static str;
    /// Which part of the protocol its runs are, in events.
    const STAGE: Stage;
    /// What an established session proves about the peer.
    const AUTHENTICATED: Authenticated;
    /// The parts of the engine that its associations have.
    const HAS: Has = Has::ALL;
    /// What a run keeps between two messages.
    type Run;
    /// An array that holds [`flight::ROOM`](super::flight::ROOM) bytes and its longest message.
    type Flight: AsRef<[u8]> + AsMut<[u8]> + Default;
    /// Where an address stands that is asked for a cookie ([`Io::ask_for_cookie`]): `Option<Addr>`, or nothing.
    type Asked: Asked;

    /// The cipher suite of its sessions.
    fn suite(&self) -> &'static Suite;

    /// A whole message of this scheme, header included, that came from `from`. `proven`: the sender showed that it
    /// receives there.
    ///
    /// # Errors
    /// Why it is dropped; nothing has changed then.
    fn message(
        &mut self,
        cx: &mut Cx<'_>,
        io: &mut Io<'_, Self>,
        from: &Addr,
        proven: bool,
        message: &[u8],
    ) -> Result<(), Dropped>;

    /// The body of an authenticated control record of this scheme.
    ///
    /// # Errors
    /// Why it is dropped; nothing has changed then.
    fn control(&mut self, _cx: &mut Cx<'_>, _io: &mut Io<'_, Self>, _body: &[u8]) -> Result<(), Dropped> {
        Err(Dropped::Unexpected)
    }

    /// The session that this run has agreed on and only waits to see confirmed: its keys, and what it is called. `now` is
    /// for the terms.
    fn agreed<'r>(&self, _run: &'r Self::Run, _now: Instant) -> Option<(&'r Keys, Terms)> {
        None
    }

    /// A record verified under the session of [`agreed`](Self::agreed): the run in this place is complete, the session
    /// is installed.
    fn confirmed(&mut self, _cx: &Cx<'_>, _io: &mut Io<'_, Self>, _place: usize) {}

    /// Opens a record of the session.
    ///
    /// # Errors
    /// As [`Session::open`], which this is where the engine makes the generations.
    fn open(
        &mut self,
        _cx: &Cx<'_>,
        common: &Common,
        session: &mut Session,
        cid: usize,
        datagram: &mut [u8],
    ) -> Result<Opened, Dropped> {
        session.open(common, cid, datagram)
    }

    /// A record of the application's is about to be sealed; whether this moved to the next generation.
    ///
    /// # Errors
    /// As [`Session::prepare`], which this is where the engine makes the generations.
    fn prepare(&mut self, _cx: &Cx<'_>, common: &Common, session: &mut Session) -> Result<bool, Error> {
        session.prepare(common)
    }

    /// A record verified under the installed session: nobody asks for that session's last answer any more. Not called where
    /// there is no run.
    fn heard(&mut self, _io: &mut Io<'_, Self>) {}

    /// Whether this run's message goes before a record in the same datagram, of which it has shown to be the sender's;
    /// `waits`: the message is not sent yet. Such messages are no longer than they say
    /// ([`record_behind`](Self::record_behind)).
    fn leads(_run: &Self::Run, _waits: bool) -> bool {
        false
    }

    /// Length of this message (by its number), where a record may follow behind it in the same datagram.
    fn record_behind(_message: u8) -> Option<usize> {
        None
    }

    /// This run's flight is over: its tries are used up, or its answer was kept long enough. Its place is free already.
    ///
    /// # Errors
    /// Randomness failed on the way to another try.
    fn over(&mut self, cx: &mut Cx<'_>, io: &mut Io<'_, Self>, run: Self::Run) -> Result<(), Error>;

    /// When [`timeout`](Self::timeout) has something to do that no flight waits for.
    fn timer(&self) -> Option<Instant> {
        None
    }

    /// Time has passed: does what is due.
    ///
    /// # Errors
    /// Randomness failed.
    fn timeout(&mut self, _cx: &mut Cx<'_>, _io: &mut Io<'_, Self>) -> Result<(), Error> {
        Ok(())
    }

    /// Whether this run was started by a message that may be a replay, and has seen no fresh one yet.
    fn is_half_open(_run: &Self::Run) -> bool {
        false
    }

    /// The peer goes on from a session that this side has none of yet. `is_of` says whether it is the one of such a root:
    /// then the peer has completed the run that leads to it, which completes this side's. Whether it did.
    fn completes(&mut self, _cx: &mut Cx<'_>, _io: &mut Io<'_, Self>, _is_of: &dyn Fn(&Root) -> bool) -> bool {
        false
    }

    /// The session went on from stored state, under new keys.
    fn resumed(&mut self, _cx: &Cx<'_>, _io: &mut Io<'_, Self>) {}

    /// Generation of the long-term key: how often it was replaced.
    fn generation(&self) -> u32 {
        0
    }

    /// A fingerprint of the long-term key, where there is no session to take it from.
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint([0; 10])
    }

    /// Bytes that the scheme puts before the application's payload inside each record; written to the front of `out`.
    ///
    /// # Errors
    /// As [`send`](crate::Association::send).
    fn stamp(&self, _cx: &Cx<'_>, _out: &mut [u8]) -> Result<usize, Error> {
        Ok(0)
    }

    /// A record of the application's was sealed, the session's last one; `tag` is its AEAD tag.
    fn sealed(&mut self, _cx: &Cx<'_>, _session: &Session, _tag: &[u8]) {}

    /// Length of the scheme's bytes before the payload.
    ///
    /// # Errors
    /// Something in the context is out of range; told here, before anything has changed.
    fn stamp_len(&self, _cx: &Cx<'_>) -> Result<usize, Error> {
        Ok(0)
    }

    /// Reads the scheme's bytes before the payload of an authenticated record, whose AEAD tag is `tag`.
    ///
    /// # Errors
    /// Malformed.
    fn unstamp<'a>(
        &mut self,
        _session: &Session,
        _record: &Opened,
        text: &'a [u8],
        _tag: &[u8],
    ) -> Result<Stamp<'a>, Dropped> {
        Ok(Stamp { time: None, place: &[], payload: text })
    }

    /// The name by which a first message is routed to its association before anything is verified, if it is one.
    fn first_name(_message: &[u8]) -> Option<u32> {
        None
    }

    /// Whether that first message is for this association.
    fn is_named(&mut self, _message: &[u8]) -> bool {
        false
    }

    /// Whether that first message verifies as this association's peer's.
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        self.is_named(message)
    }

    /// All names under which a first message of this association's peer may come next.
    fn names(&mut self, _name: &mut dyn FnMut(u32)) {}

    /// Changes when [`names`](Self::names) does.
    fn names_version(&self) -> u32 {
        0
    }

    /// Writes the state to be stored; its length.
    ///
    /// # Errors
    /// The size that `out` needs.
    fn save(&self, out: &mut [u8]) -> Result<usize, usize>;

    /// What is stored beside the state in the clear: see [`state`].
    fn beside(&self) -> state::Beside<'_> {
        state::Beside::NONE
    }

    /// Where the state goes, and a number for this write, one above the last.
    fn next_version(&mut self) -> (Slot, u32);

    /// What the state is sealed as.
    fn blob(&self) -> state::Kind;

    /// The state's place.
    fn slot(&self) -> Slot;

    /// The state was stored; whether there is more to store (in another slot, say).
    fn stored(&mut self) -> bool {
        false
    }
}

/// Parts of the engine. What a type of association does without is not in its code: each is asked for where it begins, and
/// the compiler knows the answer.
#[derive(Clone, Copy, Debug)]
pub struct Has {
    /// Records, and all that comes with a session.
    pub sessions: bool,
    /// [`export`](crate::Association::export) and [`restore`](super::Endpoint::restore), and answers to a peer that was
    /// restored.
    pub resume: bool,
    /// Messages longer than the MTU, either way.
    pub fragments: bool,
    /// A peer that comes from another address is challenged there, and followed.
    pub moves: bool,
    /// Answers to addresses that have yet to show that they receive: three bytes for each that came, beyond that a cookie.
    /// Without runs that the peer starts there are none.
    pub cookies: bool,
}

impl Has {
    /// All of it.
    pub const ALL: Self = Self { sessions: true, resume: true, fragments: true, moves: true, cookies: true };
}

/// Where an address stands that is asked for a cookie.
pub trait Asked: Default + fmt::Debug {
    /// The place for it, where the scheme has one.
    fn place(&mut self) -> Option<&mut Option<Addr>>;
}

/// None: the engine's own requests, where an answer is too long for whoever asked, are enough.
impl Asked for () {
    fn place(&mut self) -> Option<&mut Option<Addr>> {
        None
    }
}

impl Asked for Option<Addr> {
    fn place(&mut self) -> Option<&mut Option<Addr>> {
        Some(self)
    }
}

/// What a record carries for the application.
#[derive(Debug)]
pub struct Stamp<'a> {
    /// The sender's wall-clock time.
    pub time: Option<UnixTime>,
    /// The sender's location information.
    pub place: &'a [u8],
    /// The payload.
    pub payload: &'a [u8],
}

/// What the engine lends a scheme during one call.
#[derive(Debug)]
pub struct Io<'a, S: Scheme> {
    /// The session, if there is one.
    pub session: &'a mut Option<Session>,
    /// Places for runs.
    pub halves: &'a mut [Half<S>],
    /// Another address where the peer may be, not believed yet; `None` without memory.
    pub candidate: Option<&'a mut Option<Candidate>>,
    /// An address that is asked for a cookie; `None` without memory.
    pub asked: Option<&'a mut S::Asked>,
    /// What waits to be handed out.
    pub outbox: &'a mut Outbox,
    /// The peer's address.
    pub peer: &'a mut Option<Addr>,
    /// What the endpoint was told.
    pub config: &'a Config,
}

impl<S: Scheme> Io<'_, S> {
    /// The place of the run that `test` accepts.
    #[inline(never)]
    pub fn find(&self, test: &dyn Fn(&S::Run) -> bool) -> Option<usize> {
        self.halves.iter().position(|half| half.scheme().is_some_and(test))
    }

    /// The run in this place.
    pub fn run(&mut self, place: usize) -> Option<&mut S::Run> {
        self.halves.get_mut(place)?.scheme_mut()
    }

    /// The flight in this place.
    ///
    /// # Errors
    /// There is no such place.
    pub fn flight(&mut self, place: usize) -> Result<&mut Flight<S::Flight>, Dropped> {
        Ok(&mut self.halves.get_mut(place).ok_or(Dropped::NoRoom)?.flight)
    }

    /// The question that the run in this place has answered came again, `len` bytes `from` there: so does the answer. `proven`:
    /// the address has just shown that it receives.
    ///
    /// # Errors
    /// There is no such place.
    #[inline(never)]
    pub fn answer_again(&mut self, place: usize, from: &Addr, proven: bool, len: usize) -> Result<(), Dropped> {
        let flight = self.flight(place)?;
        flight.asked(from, len);
        if proven {
            flight.prove();
        }
        flight.again();
        Ok(())
    }

    /// A free place, after wiping a run that `gives_way` names where there is none.
    ///
    /// # Errors
    /// All are taken.
    #[inline(never)]
    pub fn free_place(&mut self, gives_way: &dyn Fn(&S::Run) -> bool) -> Result<usize, Dropped> {
        if let Some(place) = self.halves.iter().position(|half| half.run.is_none()) {
            return Ok(place);
        }
        let place = self.find(gives_way).ok_or(Dropped::NoRoom)?;
        self.free(place);
        Ok(place)
    }

    /// A free place for what an authenticated peer or the caller asks for: where there is none, after runs that are done
    /// (`gives_way`), half-open runs go, which anybody could have started by a replay.
    ///
    /// # Errors
    /// All are taken.
    #[inline(never)]
    pub fn claim_place(&mut self, gives_way: &dyn Fn(&S::Run) -> bool) -> Result<usize, Dropped> {
        let place = self.free_place(gives_way).or_else(|_| self.free_place(&S::is_half_open));
        place.or_else(|reason| {
            let answering = |half: &Half<S>| matches!(half.run, Some(Run::Answering { done: None, .. }));
            let place = self.halves.iter().position(answering).ok_or(reason)?;
            self.free(place);
            Ok(place)
        })
    }

    /// Starts a run in a place.
    #[inline(never)]
    pub fn start(&mut self, place: usize, run: S::Run) {
        if let Some(half) = self.halves.get_mut(place) {
            half.run = Some(Run::Scheme(run));
        }
    }

    /// The scheme's run in a place, taken out of it.
    pub fn take(&mut self, place: usize) -> Option<S::Run> {
        let half = self.halves.get_mut(place)?;
        let run = half.run.take();
        half.clear();
        match run {
            Some(Run::Scheme(run)) => Some(run),
            _ => None,
        }
    }

    /// The scheme's run in a place, taken out while its flight stays.
    pub fn take_run(&mut self, place: usize) -> Option<S::Run> {
        match self.halves.get_mut(place)?.run.take() {
            Some(Run::Scheme(run)) => Some(run),
            _ => None,
        }
    }

    /// Ends the runs that `test` accepts.
    #[inline(never)]
    pub fn free_all(&mut self, test: &dyn Fn(&S::Run) -> bool) {
        self.halves.iter_mut().filter(|half| half.scheme().is_some_and(test)).for_each(Half::clear);
    }

    /// Ends the session.
    pub fn end_session(&mut self) {
        *self.session = None;
        self.outbox.sign = false;
        self.outbox.close = false;
        self.outbox.path_response = None;
    }

    /// Ends the run in a place.
    pub fn free(&mut self, place: usize) {
        if let Some(half) = self.halves.get_mut(place) {
            half.clear();
        }
    }

    /// The peer may be at this address instead: it is asked there.
    pub fn challenge(&mut self, addr: &Addr) {
        if let Some(candidate) = &mut self.candidate {
            **candidate = Some(Candidate { addr: *addr, challenge: true });
        }
    }

    /// Whoever is at this address has to show that it receives there before anything is begun for it.
    pub fn ask_for_cookie(&mut self, addr: &Addr) {
        if let Some(asked) = self.asked.as_mut().and_then(|asked| asked.place()) {
            *asked = Some(*addr);
        }
    }

    /// Notes something for the application.
    pub fn note(&mut self, note: Note) {
        self.outbox.note(note);
    }

    /// A session under the keys of the run in this place takes the place of what was there before.
    ///
    /// # Errors
    /// There is no run, or it has no keys.
    #[inline(never)]
    pub fn install(
        &mut self,
        place: usize,
        suite: &'static Suite,
        keys: fn(&S::Run) -> Option<&Keys>,
        terms: &Terms,
        peer: Addr,
    ) -> Result<(), Dropped> {
        let run = self.halves.get(place).and_then(Half::scheme).ok_or(Dropped::Unexpected)?;
        let keys = keys(run).ok_or(Dropped::Unexpected)?;
        Session::begin(self.session, &self.common(suite), keys, terms);
        self.installed(peer);
        Ok(())
    }

    /// As [`install`](Self::install), with keys that the run has given away.
    pub fn establish(&mut self, suite: &'static Suite, keys: &Keys, terms: &Terms, peer: Addr) {
        *self.session = Some(Session::new(&self.common(suite), keys, terms));
        self.installed(peer);
    }

    /// What sessions of this suite go by.
    pub(super) const fn common(&self, suite: &'static Suite) -> Common {
        Common { suite, scheme: S::NAME, rekey_after: self.config.rekey_after }
    }

    /// There is a new session, by a run of the scheme: to resume the one before is of no more use.
    pub(super) fn installed(&mut self, peer: Addr) {
        let resumes = |half: &&mut Half<S>| matches!(half.run, Some(Run::Resuming(_) | Run::Answering { .. }));
        self.halves.iter_mut().filter(resumes).for_each(Half::clear);
        self.replaced(peer);
    }

    /// There is a new session.
    pub(super) fn replaced(&mut self, peer: Addr) {
        *self.peer = Some(peer);
        self.outbox.sign = false;
        self.outbox.close = false;
        self.outbox.path_response = None;
    }
}
