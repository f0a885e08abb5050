//! What comes out of a call.

use crate::hub::IOTKM_HUB_NOBODY;
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*};
use core_of_iotkm::{Addr, Authenticated, Event, Output, Reason, Received, Stage};

/// The longest address in bytes.
pub const IOTKM_ADDR_MAX: usize = 22;
const _: () = assert!(IOTKM_ADDR_MAX == Addr::MAX);

/// `wake_at_ms` where there is nothing to wake up for.
pub const IOTKM_NEVER: u64 = u64::MAX;

/// A peer's address: bytes that only the application understands (IPv6 address, port and scope fit).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_addr {
    /// How many of `bytes` are used.
    pub len: u8,
    /// The address.
    pub bytes: [u8; IOTKM_ADDR_MAX],
}

impl iotkm_addr {
    pub(crate) unsafe fn get(this: *const Self) -> Outcome<Addr> {
        let this: &Self = raw::read(this)?;
        Ok(this.bytes.get(..usize::from(this.len)).and_then(Addr::new).ok_or(IOTKM_E_BAD_ARGUMENT)?)
    }
    pub(crate) const NONE: Self = Self { len: 0, bytes: [0; IOTKM_ADDR_MAX] };
}

impl From<Addr> for iotkm_addr {
    fn from(addr: Addr) -> Self {
        let mut this = Self { len: addr.as_bytes().len() as u8, ..Self::NONE };
        this.bytes.iter_mut().zip(addr.as_bytes()).for_each(|(to, from)| *to = *from);
        this
    }
}

/// What iotkm_poll() hands out.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_output_kind {
    /// Nothing to do before `wake_at_ms` (then call iotkm_timeout()), or before the next input.
    IOTKM_OUTPUT_IDLE = 0,
    /// Send `bytes` to `to`.
    IOTKM_OUTPUT_DATAGRAM = 1,
    /// Store `bytes` in `slot`, whole or not at all, then call iotkm_persisted(). Datagrams that depend on them wait.
    IOTKM_OUTPUT_PERSIST = 2,
    /// Tell the application of `event`.
    IOTKM_OUTPUT_EVENT = 3,
    /// The next output needs a buffer of `needed` bytes: poll again with that. Nothing is lost.
    IOTKM_OUTPUT_BUFFER_TOO_SMALL = 4,
}

/// What happened. Small and without secrets.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_event_kind {
    /// None, or one that this header does not know yet: ignore it.
    IOTKM_EVENT_NONE = 0,
    /// The peer is authenticated and both directions have keys: `fingerprint`, `initiator`.
    IOTKM_EVENT_ESTABLISHED = 1,
    /// The session went on from stored state under new keys: `generation`.
    IOTKM_EVENT_RESUMED = 2,
    /// Both directions moved to the next generation of record keys: `generation`.
    IOTKM_EVENT_REKEYED = 3,
    /// The keys are near the end of their use: start a key update or a new exchange.
    IOTKM_EVENT_REKEY_NEEDED = 4,
    /// Pairing is done and stored: `fingerprint`, for people to compare where there is doubt.
    IOTKM_EVENT_PAIRED = 5,
    /// A key update was agreed; the next exchange runs under the new triple: `generation`.
    IOTKM_EVENT_UPDATE_AGREED = 6,
    /// A key update failed; the session lives on under its keys: `reason`. IOTKM_REASON_UNKNOWN, perhaps several times, is
    /// normal after the peer's restart: its log is gone, and this side remembers records that it does not.
    IOTKM_EVENT_UPDATE_FAILED = 7,
    /// The new triple replaced the old one, which is erased: `generation`.
    IOTKM_EVENT_KEY_REPLACED = 8,
    /// The session has ended, by this side or the peer; connect again to go on.
    IOTKM_EVENT_TERMINATED = 9,
    /// The peer's newest record came from a new address, and that address answered a challenge: `to`.
    IOTKM_EVENT_PEER_MOVED = 10,
    /// A run ended without its goal: `stage`, `reason`.
    IOTKM_EVENT_FAILED = 11,
    /// The store refused a write: what depends on it waits and is tried again: `slot`.
    IOTKM_EVENT_STORE_FAILED = 12,
    /// Something that nobody vouches for hints at this, and nothing has changed: to be shown to a user who waits: `reason`.
    IOTKM_EVENT_HINT = 13,
    /// The peer has answered a ping: it is there and has the long-term key.
    IOTKM_EVENT_PEER_ALIVE = 14,
    /// Both sides are authenticated, without a session.
    IOTKM_EVENT_AUTHENTICATED = 15,
}

/// Which part of a protocol an event speaks of.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_stage {
    /// None, or one that this header does not know yet.
    IOTKM_STAGE_NONE = 0,
    /// First contact.
    IOTKM_STAGE_PAIRING = 1,
    /// Agreeing on session keys.
    IOTKM_STAGE_EXCHANGE = 2,
    /// Replacing the long-term key.
    IOTKM_STAGE_UPDATE = 3,
    /// Going on from stored state.
    IOTKM_STAGE_RESUME = 4,
    /// Showing each other credentials: phase 1 of the schemes that have one.
    IOTKM_STAGE_AUTHENTICATION = 5,
    /// Asking whether the peer is there.
    IOTKM_STAGE_PING = 6,
}

/// Why a run ended or an update failed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_reason {
    /// None, or one that this header does not know yet.
    IOTKM_REASON_NONE = 0,
    /// No answer within all tries: the peer is away, or no longer knows this key. If it stays so, pair again.
    IOTKM_REASON_NO_ANSWER = 1,
    /// The peer proved that it has moved past this side's key (this side was rolled back): pair again.
    IOTKM_REASON_PAIR_AGAIN = 2,
    /// The peer does not have the record, key or state that was named.
    IOTKM_REASON_UNKNOWN = 3,
    /// The other side's run went first.
    IOTKM_REASON_SUPERSEDED = 4,
    /// The secret that the user entered is not the same on both sides.
    IOTKM_REASON_WRONG_SECRET = 5,
    /// Too many failed attempts: the user has to open the window again.
    IOTKM_REASON_LOCKED = 6,
    /// The log holds no record that can be used.
    IOTKM_REASON_NO_RECORD = 7,
    /// The user or the application ended it.
    IOTKM_REASON_CANCELLED = 8,
    /// Randomness or storage failed.
    IOTKM_REASON_RESOURCE = 9,
    /// No suite in common.
    IOTKM_REASON_NO_SUITE = 10,
    /// A credential is not accepted, or is over: expired or revoked.
    IOTKM_REASON_CREDENTIAL = 11,
    /// One side has a psk for the other, which has none.
    IOTKM_REASON_PSK = 12,
    /// The centre has revoked this device: its seed is killed.
    IOTKM_REASON_REVOKED = 13,
    /// The key seed is not for this time: enrol the device anew.
    IOTKM_REASON_SEED_EXPIRED = 14,
}

/// What a peer proved to know.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_authenticated {
    /// Nobody was authenticated.
    IOTKM_AUTHENTICATED_NOBODY = 0,
    /// The peer of a pairing under the user's secret, by the triple that came of it.
    IOTKM_AUTHENTICATED_PAIRED_PEER = 1,
    /// The holder of a credential of the same authority, by its static key and what came of that.
    IOTKM_AUTHENTICATED_HOLDER = 2,
    /// A device and the centre that it is enrolled with, by its key seed.
    IOTKM_AUTHENTICATED_ENROLLED = 3,
}

/// An event: `kind` says which of the other fields count; the rest are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_event {
    /// What happened: an iotkm_event_kind.
    pub kind: u32,
    /// Generation of a key.
    pub generation: u32,
    /// Which part of the protocol: an iotkm_stage.
    pub stage: u32,
    /// Why: an iotkm_reason.
    pub reason: u32,
    /// The slot that was not written.
    pub slot: u16,
    /// Whether this side started the run.
    pub initiator: bool,
    /// The same on both sides: see iotkm_fingerprint_text().
    pub fingerprint: [u8; 10],
    /// The peer's new address.
    pub to: iotkm_addr,
    /// In a hub: whose; else IOTKM_HUB_NOBODY.
    pub member: u32,
}

/// An output: `kind` says which of the other fields count; the rest are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_output {
    /// What to do: an iotkm_output_kind.
    pub kind: u32,
    /// Where to send.
    pub to: iotkm_addr,
    /// What to send or store; it lies in the buffer that iotkm_poll() was given.
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
    /// Where to store.
    pub slot: u16,
    /// Counts the writes to the slot: where there is a monotonic counter for it, set it to this once the bytes are safe.
    pub version: u32,
    /// Size in bytes of a buffer that will do.
    pub needed: usize,
    /// When to wake up, on the clock of `now_ms`; IOTKM_NEVER: not before the next input. Whoever stops its clock to sleep does
    /// so where this is far off: the other side forgets an unfinished run after 200 s, and this one asks it in vain until its
    /// tries are over.
    pub wake_at_ms: u64,
    /// In a hub: whose; IOTKM_HUB_NOBODY: the hub's own, or no hub.
    pub member: u32,
    /// What happened.
    pub event: iotkm_event,
}

/// A message from the peer's application.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_received {
    /// What it sent, in the memory of the datagram; NULL: the datagram held nothing for the application.
    pub payload: *const u8,
    /// Length of `payload` in bytes; an empty message has 0 and a `payload` that is not NULL.
    pub payload_len: usize,
    /// The sender's wall-clock time in ms since 1970; 0: not given.
    pub time_ms: u64,
    /// The sender's place, in the memory of the datagram.
    pub place: *const u8,
    /// Length of `place` in bytes; 0: not given.
    pub place_len: usize,
    /// In a hub: whose; else IOTKM_HUB_NOBODY.
    pub member: u32,
}

/// Who was authenticated by what, and what would survive which theft: for the application's policy.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_assurance_record {
    /// What the peer proved to know: an iotkm_authenticated.
    pub authenticated: u32,
    /// Records that may still be sent under the current key generation.
    pub budget: u32,
    /// Records before this instant stay secret if all that this device holds now is stolen; IOTKM_NEVER: none do.
    pub forward_secrecy_since_ms: u64,
    /// A passive thief of everything held before this instant reads nothing sent after it; IOTKM_NEVER: he does.
    pub healing_since_ms: u64,
    /// Whether wall-clock time was available in the newest call.
    pub clock: bool,
}

use iotkm_authenticated::*;
use iotkm_event_kind::*;
use iotkm_output_kind::*;
use iotkm_reason::*;
use iotkm_stage::*;

impl From<Stage> for iotkm_stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Pairing => IOTKM_STAGE_PAIRING,
            Stage::Exchange => IOTKM_STAGE_EXCHANGE,
            Stage::Update => IOTKM_STAGE_UPDATE,
            Stage::Resume => IOTKM_STAGE_RESUME,
            Stage::Authentication => IOTKM_STAGE_AUTHENTICATION,
            Stage::Ping => IOTKM_STAGE_PING,
            _ => IOTKM_STAGE_NONE,
        }
    }
}

impl From<Reason> for iotkm_reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::NoAnswer => IOTKM_REASON_NO_ANSWER,
            Reason::PairAgain => IOTKM_REASON_PAIR_AGAIN,
            Reason::Unknown => IOTKM_REASON_UNKNOWN,
            Reason::Superseded => IOTKM_REASON_SUPERSEDED,
            Reason::WrongSecret => IOTKM_REASON_WRONG_SECRET,
            Reason::Locked => IOTKM_REASON_LOCKED,
            Reason::NoRecord => IOTKM_REASON_NO_RECORD,
            Reason::Cancelled => IOTKM_REASON_CANCELLED,
            Reason::Resource => IOTKM_REASON_RESOURCE,
            Reason::NoSuite => IOTKM_REASON_NO_SUITE,
            Reason::Credential => IOTKM_REASON_CREDENTIAL,
            Reason::Psk => IOTKM_REASON_PSK,
            Reason::Revoked => IOTKM_REASON_REVOKED,
            Reason::SeedExpired => IOTKM_REASON_SEED_EXPIRED,
            _ => IOTKM_REASON_NONE,
        }
    }
}

impl From<Authenticated> for iotkm_authenticated {
    fn from(authenticated: Authenticated) -> Self {
        match authenticated {
            Authenticated::PairedPeer => IOTKM_AUTHENTICATED_PAIRED_PEER,
            Authenticated::Holder => IOTKM_AUTHENTICATED_HOLDER,
            Authenticated::Enrolled => IOTKM_AUTHENTICATED_ENROLLED,
            _ => IOTKM_AUTHENTICATED_NOBODY,
        }
    }
}

impl iotkm_received {
    /// What came, as C sees it.
    pub(crate) fn new(got: Option<Received<'_>>, member: u32) -> Self {
        let (payload, place) = got
            .as_ref()
            .map_or((core::ptr::null(), core::ptr::null()), |got| (got.payload.as_ptr(), got.place.as_ptr()));
        Self {
            payload,
            payload_len: got.as_ref().map_or(0, |got| got.payload.len()),
            time_ms: got.as_ref().and_then(|got| got.time).map_or(0, |time| time.0),
            place,
            place_len: got.as_ref().map_or(0, |got| got.place.len()),
            member,
        }
    }
}

impl iotkm_event {
    const NONE: Self = Self {
        kind: IOTKM_EVENT_NONE as u32,
        generation: 0,
        stage: IOTKM_STAGE_NONE as u32,
        reason: IOTKM_REASON_NONE as u32,
        slot: 0,
        initiator: false,
        fingerprint: [0; 10],
        to: iotkm_addr::NONE,
        member: IOTKM_HUB_NOBODY,
    };
}

impl iotkm_event {
    /// Writes what counts for this event into an event that is [`NONE`](Self::NONE).
    fn fill(&mut self, event: Event) {
        self.kind = match event {
            Event::Established { fingerprint, initiator } => {
                self.fingerprint = fingerprint.0;
                self.initiator = initiator;
                IOTKM_EVENT_ESTABLISHED
            }
            Event::Resumed { generation } => self.of_generation(generation, IOTKM_EVENT_RESUMED),
            Event::Rekeyed { generation } => self.of_generation(generation, IOTKM_EVENT_REKEYED),
            Event::RekeyNeeded => IOTKM_EVENT_REKEY_NEEDED,
            Event::Paired { fingerprint } => {
                self.fingerprint = fingerprint.0;
                IOTKM_EVENT_PAIRED
            }
            Event::UpdateAgreed { generation } => self.of_generation(generation, IOTKM_EVENT_UPDATE_AGREED),
            Event::UpdateFailed { reason } => {
                self.reason = iotkm_reason::from(reason) as u32;
                IOTKM_EVENT_UPDATE_FAILED
            }
            Event::KeyReplaced { generation } => self.of_generation(generation, IOTKM_EVENT_KEY_REPLACED),
            Event::Terminated => IOTKM_EVENT_TERMINATED,
            Event::PeerAlive => IOTKM_EVENT_PEER_ALIVE,
            Event::Authenticated => IOTKM_EVENT_AUTHENTICATED,
            Event::PeerMoved { to } => {
                self.to = to.into();
                IOTKM_EVENT_PEER_MOVED
            }
            Event::Failed { stage, reason } => {
                self.stage = iotkm_stage::from(stage) as u32;
                self.reason = iotkm_reason::from(reason) as u32;
                IOTKM_EVENT_FAILED
            }
            Event::StoreFailed { slot } => {
                self.slot = slot.0;
                IOTKM_EVENT_STORE_FAILED
            }
            Event::Hint { reason } => {
                self.reason = iotkm_reason::from(reason) as u32;
                IOTKM_EVENT_HINT
            }
            _ => IOTKM_EVENT_NONE,
        } as u32;
    }

    const fn of_generation(&mut self, generation: u32, kind: iotkm_event_kind) -> iotkm_event_kind {
        self.generation = generation;
        kind
    }
}

impl iotkm_output {
    const NONE: Self = Self {
        kind: IOTKM_OUTPUT_IDLE as u32,
        to: iotkm_addr::NONE,
        bytes: core::ptr::null(),
        len: 0,
        slot: 0,
        version: 0,
        needed: 0,
        wake_at_ms: 0,
        member: IOTKM_HUB_NOBODY,
        event: iotkm_event::NONE,
    };

    /// Writes the output as C sees it.
    pub(crate) unsafe fn write(place: Out<Self>, output: Output<'_>, member: u32) -> Outcome {
        let this = place.start(Self::NONE);
        this.member = member;
        let mut these = |bytes: &[u8]| {
            this.bytes = bytes.as_ptr();
            this.len = bytes.len();
        };
        let kind = match output {
            Output::Datagram { to, bytes } => {
                these(bytes);
                this.to = to.into();
                IOTKM_OUTPUT_DATAGRAM
            }
            Output::Persist { slot, version, bytes } => {
                these(bytes);
                this.slot = slot.0;
                this.version = version;
                IOTKM_OUTPUT_PERSIST
            }
            Output::Event(event) => {
                this.event.fill(event);
                this.event.member = member;
                IOTKM_OUTPUT_EVENT
            }
            Output::BufferTooSmall { needed } => {
                this.needed = needed;
                IOTKM_OUTPUT_BUFFER_TOO_SMALL
            }
            Output::Idle { wake_at } => {
                this.wake_at_ms = wake_at.map_or(IOTKM_NEVER, |at| at.0);
                IOTKM_OUTPUT_IDLE
            }
            _ => return Err(IOTKM_E_INTERNAL.into()),
        };
        this.kind = kind as u32;
        Ok(())
    }
}
