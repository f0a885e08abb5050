//! Associations of the noninteractive scheme.

use super::of::{Curve, Ffc, KIND, Room, at};
use super::peer::{iotkm_noninteractive_peer, iotkm_noninteractive_peer_ffc};
use crate::association::{iotkm_association, named_by, verb_of, with_verbs};
use crate::credentials::holder::{self, iotkm_holder};
use crate::history::association::iotkm_config;
use crate::hub::iotkm_hub;
use crate::output::iotkm_addr;
use crate::platform::{check_size, iotkm_cx};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::c_int;
use core_of_iotkm::crypto::keys::KeySlot;
use core_of_iotkm::noninteractive::wire::Terms;

pub(super) use core_of_iotkm::noninteractive::Options;

/// Memory for two runs at once (one of this side's, one of the peer's) and for putting together messages at a small MTU.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_memory {
    opaque: [u64; 234],
}

/// Memory for one run at a time, where no message is longer than the MTU: see iotkm_noninteractive_open_small().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_memory_small {
    opaque: [u64; 90],
}

/// Memory for two runs at once with the FFC groups: see iotkm_noninteractive_open_ffc().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_memory_ffc {
    opaque: [u64; 710],
}

/// An association of this scheme: longer than an iotkm_association, which it begins with.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive {
    /// For the verbs, and all functions here but the constructors.
    pub association: iotkm_association,
    opaque: [u64; 19],
}

/// What an association with credentials is told when it is set up. Fill the whole structure with zeros first: what is 0 is the
/// default. The three times are the wish of the side that connects, and hold for both.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_noninteractive_setup {
    /// sizeof(iotkm_noninteractive_setup).
    pub struct_size: usize,
    /// The number of the static key of this device's credential, as the platform's hooks know it.
    pub key: u16,
    /// Whether another credential takes the place of that one: `next_key` counts too.
    pub has_next_key: bool,
    /// The number of its key.
    pub next_key: u16,
    /// The length of an epoch in seconds; 0: 3600.
    pub interval_s: u32,
    /// After how many epochs there has to be another handshake, at most 65535; 0: 8760.
    pub length: u16,
    /// After how many seconds there has to be one; 0: `length` alone says so.
    pub life_s: u32,
}

/// The smallest MTU in bytes for iotkm_noninteractive_open_small().
pub const IOTKM_NONINTERACTIVE_MTU_SMALL: usize = 256;

unsafe fn open(
    association: *mut iotkm_noninteractive,
    peer: *mut iotkm_noninteractive_peer,
    holder: *mut iotkm_holder,
    setup: *const iotkm_noninteractive_setup,
    config: *const iotkm_config,
    memory: Outcome<(Room, bool)>,
) -> c_int {
    raw::plainly(|| {
        let config = iotkm_config::get(config)?;
        let this: &iotkm_noninteractive_setup = raw::read(setup)?;
        check_size::<iotkm_noninteractive_setup>(this.struct_size)?;
        let memory = memory?;
        if memory.1 && usize::from(config.mtu) < IOTKM_NONINTERACTIVE_MTU_SMALL {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let next = if this.has_next_key { this.next_key } else { this.key };
        let otherwise = |wish: u32, usual: u32| if wish == 0 { usual } else { wish };
        let terms = Terms {
            life: this.life_s,
            interval: otherwise(this.interval_s, 3600),
            length: otherwise(this.length.into(), 8760) as u16,
        };
        let of = at(peer).kind()?.more;
        let (holder, setting) = holder::take(holder)?;
        let options = Options { setting, slots: [KeySlot(this.key), KeySlot(next)], terms, config: &config };
        of.open(association, peer, holder, &options, memory)
    })
}

/// Sets up an association with this peer, at rest: it answers the peer, and starts by itself on iotkm_noninteractive_connect(), or
/// goes on where it was before a restart on iotkm_noninteractive_go_on(). `holder` has this device's credential and may be lent
/// to many associations; its operator's suite is theirs. `config` may be NULL. Peer, holder and memory are lent until
/// iotkm_wipe(). IOTKM_EVENT_REKEYED tells of every epoch, IOTKM_EVENT_REKEY_NEEDED of the last one, IOTKM_EVENT_TERMINATED of
/// the end: of the epochs, of a credential, by revocation.
/// Errors: IOTKM_E_SUITE_MISMATCH where the peer was set up with another group than the holder's; IOTKM_E_BAD_ARGUMENT;
/// IOTKM_E_BUSY where another association holds the peer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_open(
    association: *mut iotkm_noninteractive,
    peer: *mut iotkm_noninteractive_peer,
    holder: *mut iotkm_holder,
    setup: *const iotkm_noninteractive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_noninteractive_memory,
) -> c_int {
    open(association, peer, holder, setup, config, raw::room(memory).map(|memory| (memory, false)))
}

/// iotkm_noninteractive_open() with less memory. While a run is under way the peer's own runs are not answered, and the MTU must be
/// at least IOTKM_NONINTERACTIVE_MTU_SMALL. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_open_small(
    association: *mut iotkm_noninteractive,
    peer: *mut iotkm_noninteractive_peer,
    holder: *mut iotkm_holder,
    setup: *const iotkm_noninteractive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_noninteractive_memory_small,
) -> c_int {
    open(association, peer, holder, setup, config, raw::room(memory).map(|memory| (memory, true)))
}

/// iotkm_noninteractive_open() with the FFC groups, with more memory. Errors: as there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_open_ffc(
    association: *mut iotkm_noninteractive,
    peer: *mut iotkm_noninteractive_peer_ffc,
    holder: *mut iotkm_holder,
    setup: *const iotkm_noninteractive_setup,
    config: *const iotkm_config,
    memory: *mut iotkm_noninteractive_memory_ffc,
) -> c_int {
    open(association, peer.cast(), holder, setup, config, raw::room(memory).map(|memory| (memory, false)))
}

/// Starts a handshake with the peer at this address. A session that there is goes on until the new one is complete:
/// IOTKM_EVENT_ESTABLISHED or IOTKM_EVENT_FAILED tells.
/// Errors: IOTKM_E_NO_CREDENTIAL where this device has none that is valid; IOTKM_E_WRONG_STATE while a run of this side's is
/// under way; IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_connect(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_noninteractive_connect"), |a, cx| a.connect(cx, &iotkm_addr::get(to)?))
}

/// Goes on from the stored peer after a restart, in three messages: IOTKM_EVENT_RESUMED says when. Where IOTKM_EVENT_FAILED
/// comes in its place, iotkm_noninteractive_connect().
/// Errors: IOTKM_E_NOT_ESTABLISHED where nothing is stored; IOTKM_E_WRONG_STATE where there is a session or a run already;
/// IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_go_on(association: *mut iotkm_association, cx: *const iotkm_cx) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_noninteractive_go_on"), |a, cx| a.go_on(cx))
}

/// Says that the holder has changed: a revocation list that names the peer's credential ends the association
/// (IOTKM_EVENT_TERMINATED). Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_recheck(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
) -> c_int {
    verb_of(association, KIND, cx, text!("iotkm_noninteractive_recheck"), |a, cx| Ok(a.handle_timeout(cx)?))
}

/// The epoch in use, from 1 on. Error: IOTKM_E_NOT_ESTABLISHED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_epoch(association: *mut iotkm_association, epoch: *mut u32) -> c_int {
    returned(with_verbs(association, KIND, |a| {
        let place = Out::new(epoch)?;
        place.set(a.epoch().ok_or(IOTKM_E_NOT_ESTABLISHED)?);
        Ok(())
    }))
}

/// 1 if a datagram is a first message that names this association's peer, 0 if not, or an error: for programs that keep
/// several associations on one socket without an iotkm_hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_is_named_by(
    association: *mut iotkm_association,
    datagram: *const u8,
    datagram_len: usize,
) -> c_int {
    named_by(association, KIND, datagram, datagram_len)
}

/// Takes the memory for runs back (and wipes it), if no run needs it: a session goes on without, epoch after epoch. Handshakes, resume
/// and a peer's new address need it again: iotkm_noninteractive_lend(). Error: IOTKM_E_WRONG_STATE while it is needed, or not
/// there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_release(association: *mut iotkm_association) -> c_int {
    returned(with_verbs(association, KIND, |a| a.release()))
}

/// Lends memory for runs again, until iotkm_wipe() or iotkm_noninteractive_release(). Errors: IOTKM_E_WRONG_STATE where there is
/// some; IOTKM_E_BAD_ARGUMENT for an association of iotkm_noninteractive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_lend(
    association: *mut iotkm_association,
    memory: *mut iotkm_noninteractive_memory,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// iotkm_noninteractive_lend() for associations of iotkm_noninteractive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_lend_ffc(
    association: *mut iotkm_association,
    memory: *mut iotkm_noninteractive_memory_ffc,
) -> c_int {
    returned(with_verbs(association, KIND, |a| a.lend(raw::room(memory)?)))
}

/// iotkm_history_join() for associations of this scheme.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_join(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    match Curve::<32>::join(association, hub, wanted, member) {
        status if status == IOTKM_E_SCHEME as c_int => Curve::<65>::join(association, hub, wanted, member),
        status => status,
    }
}

/// iotkm_history_join() for associations of iotkm_noninteractive_open_ffc().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_noninteractive_join_ffc(
    association: *mut iotkm_association,
    hub: *mut iotkm_hub,
    wanted: u32,
    member: *mut u32,
) -> c_int {
    match Ffc::<256>::join(association, hub, wanted, member) {
        status if status == IOTKM_E_SCHEME as c_int => Ffc::<384>::join(association, hub, wanted, member),
        status => status,
    }
}
