//! Associations of the interactive scheme.

use super::peer::{iotkm_interactive_peer, iotkm_interactive_peer_ffc, of};
use crate::association::{Front, Made, Verbs, iotkm_association, make, named_by, value_at, verb_of, with_verbs};
use crate::history::association::iotkm_config;
use crate::hub::{Joined, iotkm_hub, join};
use crate::lent::LentMemory;
use crate::object::fits;
use crate::output::iotkm_addr;
use crate::platform::{KeysOf, check_size, hooked, iotkm_cx};
use crate::raw;
use crate::static_key::iotkm_kem;
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::stored;
use crate::suites::iotkm_suite;
use crate::tickets::wallet::{self, LentWallet, iotkm_wallet};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::cose::ticket::{TICKET_MAX, TICKET_MAX_FFC};
use core_of_iotkm::crypto::keys::KeySlot;
use core_of_iotkm::engine::Scratch;
use core_of_iotkm::hub::Routed;
use core_of_iotkm::interactive::{
    Any, Exchange, Extent, Interactive, InteractiveMemory, Leaf, Peer, Setup, Whole, wire,
};
use core_of_iotkm::{Addr, Cx};

/// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_memory {
    opaque: [u64; 380],
}

/// Memory for one run at a time, where no message is longer than the MTU: see iotkm_interactive_open_leaf().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_memory_small {
    opaque: [u64; 130],
}

/// Memory for two runs at once where tickets and shares may be of the FFC groups: see iotkm_interactive_open_ffc().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_memory_ffc {
    opaque: [u64; 712],
}

/// What an association with tickets is told when it is set up. Fill the whole structure with zeros first.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_interactive_setup {
    /// sizeof(iotkm_interactive_setup).
    pub struct_size: usize,
    /// The group of this device's static key and of all tickets: iotkm_x25519 or iotkm_p256; with iotkm_interactive_open_ffc()
    /// also iotkm_ffc2048 or iotkm_ffc3072.
    pub kem: *const iotkm_kem,
    /// The suites that this side would use, its favourite first, all of that group. The array is lent until iotkm_wipe().
    pub suites: *const *const iotkm_suite,
    /// How many `suites` there are: 1 to 8.
    pub suite_count: usize,
    /// The number of the static key that this device's ticket is for, as the platform's hooks know it.
    pub key: u16,
    /// Whether another key takes its place: `next_key` counts too.
    pub has_next_key: bool,
    /// The number of that one.
    pub next_key: u16,
    /// How long what a first contact agrees on shall live, in seconds; the shorter of both sides' wishes counts. 0: no wish.
    pub life_s: u32,
}

type OneLent<const T: usize> = stored::Lent<(), Peer<T>>;
type Kind<E, const T: usize> = Interactive<OneLent<T>, LentWallet, Memory<E, T>, E, T>;
type Scheme<E, const T: usize> = Exchange<OneLent<T>, LentWallet, E, T>;
type Memory<E, const T: usize> = LentMemory<Scheme<E, T>>;
type Runs<E, const T: usize, const REASSEMBLY: usize> = InteractiveMemory<OneLent<T>, LentWallet, 2, REASSEMBLY, E, T>;
type RunsSmall<E> = InteractiveMemory<OneLent<TICKET_MAX>, LentWallet, 1, 0, E>;
const KIND: u32 = wire::NUMBER as u32;

/// An extent that C has a constructor for.
trait Named: Extent {
    const KIND: u32;
    /// What iotkm_interactive_lend() and its likes take.
    type Lent;
}
impl Named for Whole {
    const KIND: u32 = KIND | 1 << 16;
    type Lent = Runs<Self, TICKET_MAX, 1024>;
}
impl Named for Leaf {
    const KIND: u32 = KIND | 2 << 16;
    type Lent = Runs<Self, TICKET_MAX, 1024>;
}
impl Named for Any {
    const KIND: u32 = KIND | 3 << 16;
    type Lent = Runs<Self, TICKET_MAX_FFC, 1536>;
}

fits!(Made<Kind<Whole, TICKET_MAX>>, iotkm_association);
fits!(Made<Kind<Any, TICKET_MAX_FFC>>, iotkm_association);
fits!(<Whole as Named>::Lent, iotkm_interactive_memory);
fits!(RunsSmall<Leaf>, iotkm_interactive_memory_small);
fits!(<Any as Named>::Lent, iotkm_interactive_memory_ffc);

impl iotkm_interactive_setup {
    unsafe fn get(this: *const Self) -> Outcome<Setup> {
        let this: &Self = raw::read(this)?;
        check_size::<Self>(this.struct_size)?;
        let kem = raw::read::<iotkm_kem>(this.kem)?.kem;
        let next = if this.has_next_key { this.next_key } else { this.key };
        let suites = iotkm_suite::list(this.suites, this.suite_count)?;
        Ok(Setup { kem, suites, slots: [KeySlot(this.key), KeySlot(next)], life: this.life_s })
    }
}

impl<E: Named<Lent: Scratch<Scheme<E, T>> + Default>, const T: usize> Verbs for Kind<E, T> {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
    fn keys(&self) -> Option<KeysOf> {
        Some(hooked)
    }
    fn connect(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.connect(cx, to)?)
    }
    fn authenticate(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.authenticate(cx, to)?)
    }
    fn ping(&mut self, cx: &mut Cx<'_>, to: &Addr) -> Outcome {
        Ok(self.ping(cx, to)?)
    }
    fn recheck(&mut self, cx: &mut Cx<'_>) -> Outcome {
        Ok(self.recheck(cx)?)
    }
    fn is_named_by(&mut self, datagram: &[u8]) -> bool {
        Routed::is_named(self, datagram)
    }
    fn release(&mut self) -> Outcome {
        self.release().map(drop).ok_or_else(|| IOTKM_E_WRONG_STATE.into())
    }
    unsafe fn lend(&mut self, (memory, size): (NonNull<c_void>, usize)) -> Outcome {
        if size < size_of::<E::Lent>() {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        Ok(self.lend(LentMemory::new(memory.cast::<E::Lent>()))?)
    }
}

unsafe fn open<E, M, const T: usize>(
    association: *mut iotkm_association,
    peer: *mut iotkm_interactive_peer,
    wallet: *mut iotkm_wallet,
    setup: *const iotkm_interactive_setup,
    config: *const iotkm_config,
    memory: *mut M,
) -> c_int
where
    E: Named<Lent: Scratch<Scheme<E, T>> + Default>,
    M: Scratch<Scheme<E, T>> + Default + 'static,
{
    raw::plainly(|| {
        let (config, setup) = (iotkm_config::get(config)?, iotkm_interactive_setup::get(setup)?);
        let (place, memory) = (raw::some(association)?, raw::some(memory)?);
        let wallet = wallet::take(wallet)?;
        let peer = of(peer).lend()?;
        make(place, E::KIND, Kind::<E, T>::open(peer, wallet, setup, config, LentMemory::new(memory))?)
    })
}

/// Sets up an association with this peer, at rest: it answers the peer, and starts by itself on iotkm_interactive_connect(). `wallet`
/// holds this device's tickets and may be lent to many associations. `config` may be NULL. Peer, wallet and memory are lent until
/// iotkm_wipe(). Errors: IOTKM_E_SUITE_MISMATCH where the setup lacks the suite that was agreed with this peer;
/// IOTKM_E_BAD_ARGUMENT; IOTKM_E_BUSY where another association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_open(
    association: *mut iotkm_association,
    peer: *mut iotkm_interactive_peer,
    wallet: *mut iotkm_wallet,
    setup: *const iotkm_interactive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_interactive_memory,
) -> c_int {
    open::<Whole, <Whole as Named>::Lent, _>(association, peer, wallet, setup, config, memory.cast())
}

/// iotkm_interactive_open() for tickets and suites of any group, the FFC ones too, with more memory. Errors: as there, and
/// IOTKM_E_SUITE_MISMATCH for a peer that was not set up as an iotkm_interactive_peer_ffc.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_open_ffc(
    association: *mut iotkm_association,
    peer: *mut iotkm_interactive_peer_ffc,
    wallet: *mut iotkm_wallet,
    setup: *const iotkm_interactive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_interactive_memory_ffc,
) -> c_int {
    open::<Any, <Any as Named>::Lent, _>(association, peer.cast(), wallet, setup, config, memory.cast())
}

/// iotkm_interactive_open() for a leaf of a star, with less code and memory: it connects by itself, to one hub that stays at its
/// address, and connects again after a restart. It does not answer the peer's own runs, nor iotkm_export() and iotkm_restore(). The
/// MTU must hold the longest message: 500 bytes and the longer of both tickets will do. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_open_leaf(
    association: *mut iotkm_association,
    peer: *mut iotkm_interactive_peer,
    wallet: *mut iotkm_wallet,
    setup: *const iotkm_interactive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_interactive_memory_small,
) -> c_int {
    open::<Leaf, RunsSmall<_>, _>(association, peer, wallet, setup, config, memory.cast())
}

/// Starts a run with the peer at this address: phase 2 where there is a pairwise master key, else phase 1 and then phase 2. A session
/// that there is goes on until the new keys are agreed: IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
/// Errors: IOTKM_E_NO_CREDENTIAL where no ticket is valid; IOTKM_E_WRONG_STATE while a run of this side's is under way;
/// IOTKM_E_KEY_EXHAUSTED, IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_connect(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_interactive_connect"), |a, cx| a.connect(cx, &iotkm_addr::get(to)?))
}

/// Starts phase 1 although there is a pairwise master key: a new one takes its place, with the tickets that both have now.
/// Errors: as iotkm_interactive_connect().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_authenticate(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_interactive_authenticate"), |a, cx| {
        a.authenticate(cx, &iotkm_addr::get(to)?)
    })
}

/// Asks whether the peer is there and has the pairwise master key: IOTKM_EVENT_PEER_ALIVE, or IOTKM_EVENT_FAILED of
/// IOTKM_STAGE_PING. It replaces nothing and stores nothing.
/// Errors: IOTKM_E_NOT_ESTABLISHED without such a key; IOTKM_E_WRONG_STATE while a ping is out; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_ping(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_interactive_ping"), |a, cx| a.ping(cx, &iotkm_addr::get(to)?))
}

/// Says that the wallet has changed: a new ticket of this side's is sent to the peer; a revocation list that names the peer's ends
/// the association (IOTKM_EVENT_TERMINATED). Error: IOTKM_E_UNDRAINED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_recheck(association: *mut iotkm_association, cx: *const iotkm_cx) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_interactive_recheck"), |a, cx| a.recheck(cx))
}

/// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
/// several associations on one socket without an iotkm_hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_is_named_by(
    association: *mut iotkm_association,
    datagram: *const u8,
    datagram_len: usize,
) -> c_int {
    named_by(association, KIND, datagram, datagram_len)
}

/// iotkm_history_join() for associations of this scheme.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_join(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    unsafe fn view(front: NonNull<Front>) -> NonNull<dyn Joined> {
        value_at::<Kind<Whole, TICKET_MAX>>(front)
    }
    join(association, Whole::KIND, hub, wanted, member, view)
}

/// iotkm_history_join() for associations of iotkm_interactive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_join_ffc(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    unsafe fn view(front: NonNull<Front>) -> NonNull<dyn Joined> {
        value_at::<Kind<Any, TICKET_MAX_FFC>>(front)
    }
    join(association, Any::KIND, hub, wanted, member, view)
}

/// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without. Runs, pings, tickets, resume and a
/// peer's new address need it again: iotkm_interactive_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_release(association: *mut iotkm_association) -> c_int {
    returned(with_verbs(association, KIND, |a| a.release()))
}

/// Lends memory for runs again, until iotkm_wipe() or iotkm_interactive_release(). Errors: IOTKM_E_WRONG_STATE where there is some;
/// IOTKM_E_BAD_ARGUMENT for an association of iotkm_interactive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_lend(
    association: *mut iotkm_association,
    memory: *mut iotkm_interactive_memory,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// iotkm_interactive_lend() for associations of iotkm_interactive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_interactive_lend_ffc(
    association: *mut iotkm_association,
    memory: *mut iotkm_interactive_memory_ffc,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}
