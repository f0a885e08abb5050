//! Associations of the history scheme.

use super::lent::{LentLog, LentMemory, LentPeer};
use super::peer::{self, iotkm_history_peer};
use crate::association::{Front, Made, Verbs, iotkm_association, make, named_by, value_at, verb_of, with_verbs};
use crate::hub::{Joined, iotkm_hub, join};
use crate::object::fits;
use crate::output::iotkm_addr;
use crate::platform::{check_size, iotkm_cx};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::suites::iotkm_suite;
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::engine::{Config, ConnectionId, Scratch};
use core_of_iotkm::history::{Entry, Exchange, Extent, History, HistoryMemory, Leaf, Whole, wire};
use core_of_iotkm::{Addr, Cx};

/// An entry of the log of messages.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_history_entry {
    opaque: [u64; 7],
}

/// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_history_memory {
    opaque: [u64; 119],
}

/// Memory for one run at a time, where no message is longer than the MTU: see iotkm_history_open_small().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_history_memory_small {
    opaque: [u64; 46],
}

/// What an association is told when it is set up. Fill the whole structure with zeros first: what is 0 is the default.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_config {
    /// sizeof(iotkm_config).
    pub struct_size: usize,
    /// The longest datagram in bytes that the network carries, at least 32; 0: 1200.
    pub mtu: u16,
    /// How often a message is sent before giving up, with pauses of 1, 2, 4, 8, 8, ... seconds; 0: 24.
    pub tries: u8,
    /// Length of the connection id in bytes, at most 8; 0: none.
    pub cid_len: u8,
    /// The connection id under which this side wants to receive: for hubs. On one socket all must have the same length.
    pub cid: [u8; 8],
    /// Records sent under one key before the next begins, at most 2^20; 0: 2^20.
    pub rekey_after: u32,
}

type Kind<E> = History<LentPeer, LentLog, LentMemory<E>, E>;
type Runs<E> = HistoryMemory<LentPeer, LentLog, 2, 256, E>;
type RunsSmall<E> = HistoryMemory<LentPeer, LentLog, 1, 0, E>;
const KIND: u32 = wire::NUMBER as u32;

/// An extent that C has a constructor for.
trait Named: Extent {
    const KIND: u32;
}
impl Named for Whole {
    const KIND: u32 = KIND | 1 << 16;
}
impl Named for Leaf {
    const KIND: u32 = KIND | 2 << 16;
}

fits!(Made<Kind<Whole>>, iotkm_association);
fits!(Runs<Whole>, iotkm_history_memory);
fits!(RunsSmall<Whole>, iotkm_history_memory_small);
const _: () = assert!(size_of::<Entry>() == size_of::<iotkm_history_entry>());

impl iotkm_config {
    /// The configuration that a call names; NULL: the defaults.
    pub(crate) unsafe fn get(this: *const Self) -> Outcome<Config> {
        let mut config = Config::default();
        if this.is_null() {
            return Ok(config);
        }
        let this: &Self = raw::read(this)?;
        check_size::<Self>(this.struct_size)?;
        config.cid =
            this.cid.get(..usize::from(this.cid_len)).and_then(ConnectionId::new).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        if this.mtu != 0 {
            config.mtu = this.mtu;
        }
        if this.tries != 0 {
            config.tries = this.tries;
        }
        if this.rekey_after != 0 {
            config.rekey_after = this.rekey_after;
        }
        if config.is_valid() { Ok(config) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) }
    }
}

impl<E: Extent> Verbs for Kind<E> {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.connect(cx, to)?)
    }
    fn update(&mut self, cx: &mut Cx<'_>) -> Outcome {
        Ok(self.update(cx)?)
    }
    fn is_named_by(&mut self, datagram: &[u8]) -> bool {
        self.is_named_by(datagram)
    }
    fn release(&mut self) -> Outcome {
        self.release().map(drop).ok_or_else(|| IOTKM_E_WRONG_STATE.into())
    }
    unsafe fn lend(&mut self, (memory, _): (NonNull<c_void>, usize)) -> Outcome {
        Ok(self.lend(LentMemory::new(memory.cast::<Runs<E>>()))?)
    }
}

unsafe fn open<E: Named, M: Scratch<Exchange<LentPeer, LentLog, E>> + Default + 'static>(
    association: *mut iotkm_association,
    peer: *mut iotkm_history_peer,
    entries: *mut iotkm_history_entry,
    entry_count: usize,
    suite: *const iotkm_suite,
    config: Outcome<Config>,
    memory: *mut M,
) -> c_int {
    raw::plainly(|| {
        let config = config?;
        let place = raw::some(association)?;
        let suite: &'static iotkm_suite = raw::read(suite)?;
        let memory = raw::some(memory)?;
        let entries = if entry_count == 0 { NonNull::dangling() } else { raw::some(entries.cast::<Entry>())? };
        if entry_count > usize::from(u16::MAX) {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let lent = LentPeer::take(peer.cast(), peer::MAGIC)?;
        let history =
            Kind::<E>::open(lent, LentLog::new(entries, entry_count), &suite.0, config, LentMemory::new(memory))?;
        make(place, E::KIND, history)
    })
}

/// Sets up an association with a paired peer, at rest: it answers the peer, and starts by itself on iotkm_history_connect().
///
/// `entries` is the log of what is said, from which key updates are made: two thirds for what this side sends, a third for
/// what it receives; 48 are a good number, none means no updates. `suite` is the one that the peer was paired with. `config`
/// may be NULL. Peer, entries and memory are lent until iotkm_wipe().
/// Errors: IOTKM_E_SUITE_MISMATCH, IOTKM_E_BAD_ARGUMENT, IOTKM_E_BUSY where another association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_open(
    association: *mut iotkm_association,
    peer: *mut iotkm_history_peer,
    entries: *mut iotkm_history_entry,
    entry_count: usize,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_history_memory,
) -> c_int {
    let config = iotkm_config::get(config);
    open::<Whole, Runs<_>>(association, peer, entries, entry_count, suite, config, memory.cast())
}

/// iotkm_history_open() with less memory. While a run is under way the peer's own runs are not answered, and the MTU must be
/// at least IOTKM_HISTORY_MTU_SMALL. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_open_small(
    association: *mut iotkm_association,
    peer: *mut iotkm_history_peer,
    entries: *mut iotkm_history_entry,
    entry_count: usize,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_history_memory_small,
) -> c_int {
    let enough = |config: Config| {
        if usize::from(config.mtu) < IOTKM_HISTORY_MTU_SMALL { Err(IOTKM_E_BAD_ARGUMENT.into()) } else { Ok(config) }
    };
    let config = iotkm_config::get(config).and_then(enough);
    open::<Whole, RunsSmall<_>>(association, peer, entries, entry_count, suite, config, memory.cast())
}

/// iotkm_history_open() for a leaf of a star, at two thirds of the code: it connects by itself, to one hub that stays at its
/// address, and connects again after a restart. It does not answer the peer's own exchanges, nor iotkm_export(),
/// iotkm_restore() and key updates (whose peer sees no answer), and cannot join an iotkm_hub. The MTU must be at least
/// IOTKM_HISTORY_MTU_SMALL. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_open_leaf(
    association: *mut iotkm_association,
    peer: *mut iotkm_history_peer,
    suite: *const iotkm_suite,
    config: *const iotkm_config,
    memory: *mut iotkm_history_memory_small,
) -> c_int {
    let config = iotkm_config::get(config);
    open::<Leaf, RunsSmall<_>>(association, peer, core::ptr::null_mut(), 0, suite, config, memory.cast())
}

/// The smallest MTU in bytes for iotkm_history_open_small().
pub const IOTKM_HISTORY_MTU_SMALL: usize = 160;
const _: () = assert!(IOTKM_HISTORY_MTU_SMALL >= wire::FLIGHT_MAX);

/// Starts an exchange with the peer at this address. A session that there is goes on until the new one is complete:
/// IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
/// Errors: IOTKM_E_WRONG_STATE while a run of this side's is under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_connect(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_history_connect"), |a, cx| a.connect(cx, &iotkm_addr::get(to)?))
}

/// Asks the peer for a new triple from a record of the log. IOTKM_EVENT_UPDATE_AGREED or IOTKM_EVENT_UPDATE_FAILED tells how
/// it went; once agreed, the session ends and this side connects again under the new triple by itself.
/// Errors: IOTKM_E_NOT_ESTABLISHED; IOTKM_E_NO_RECORD where nothing was received yet whose elements are unique;
/// IOTKM_E_WRONG_STATE while an update is under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_update(association: *mut iotkm_association, cx: *const iotkm_cx) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_history_update"), |a, cx| a.update(cx))
}

/// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
/// several associations on one socket without an iotkm_hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_is_named_by(
    association: *mut iotkm_association,
    datagram: *const u8,
    datagram_len: usize,
) -> c_int {
    named_by(association, KIND, datagram, datagram_len)
}

/// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Runs, key updates, resume and
/// a peer's new address need it again: iotkm_history_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_release(association: *mut iotkm_association) -> c_int {
    returned(with_verbs(association, KIND, |a| a.release()))
}

/// Lends memory for runs again, until iotkm_wipe() or iotkm_history_release(). Error: IOTKM_E_WRONG_STATE where there is some.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_lend(
    association: *mut iotkm_association,
    memory: *mut iotkm_history_memory,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// Takes an association into a hub, which from now on receives, times out and polls for it; other verbs are called on the
/// association, and iotkm_hub_touch() after each. `wanted` is the member's number where it had one before a restart (its
/// stored session knows it), or IOTKM_HUB_NOBODY: any that is free. Writes the number. Let it join
/// before it connects or is restored: from here on the hub says what datagrams to it begin with, and its peer is told then. The
/// association is lent until iotkm_hub_leave().
/// Errors: IOTKM_E_FULL, IOTKM_E_BUSY where it is in a hub already, IOTKM_E_WRONG_STATE where it has a session or a run that began
/// elsewhere, IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_join(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    unsafe fn view(front: NonNull<Front>) -> NonNull<dyn Joined> {
        value_at::<Kind<Whole>>(front)
    }
    join(association, Whole::KIND, hub, wanted, member, view)
}
