//! Pairing: first contact by a secret that the user enters on both devices.

use super::association::iotkm_config;
use super::peer::{self, iotkm_history_id, iotkm_history_peer};
use crate::association::{Made, Verbs, iotkm_association, logged, make, verb_of_kind, with_kind};
use crate::object::fits;
use crate::output::iotkm_addr;
use crate::platform::{IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::suites::{iotkm_cpace, iotkm_suite};
use core::ffi::c_int;
use core_of_iotkm::history::pairing::{ATTEMPTS, ATTEMPTS_BLOB, Pairing, PairingMemory, SK_MAX, Setup};
use core_of_iotkm::history::wire;
use core_of_iotkm::{Cx, Slot};

/// The longest user's secret in bytes.
pub const IOTKM_HISTORY_SK_MAX: usize = 64;
/// Failed attempts after which pairing is locked until iotkm_history_pairing_unlock().
pub const IOTKM_HISTORY_ATTEMPTS: u32 = 5;
/// The blob of the count of attempts in bytes: what its slot must hold.
pub const IOTKM_HISTORY_ATTEMPTS_BLOB: usize = 22;
const _: () = assert!(
    IOTKM_HISTORY_SK_MAX == SK_MAX
        && IOTKM_HISTORY_ATTEMPTS == ATTEMPTS as u32
        && IOTKM_HISTORY_ATTEMPTS_BLOB == ATTEMPTS_BLOB
);

/// A pairing: wanted only while two devices meet for the first time. The verbs work on its `association`: iotkm_drain(),
/// iotkm_receive(), iotkm_timeout(), iotkm_wipe().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_history_pairing {
    /// For the verbs.
    pub association: iotkm_association,
    opaque: [u64; 228],
}

type Kind = Pairing<PairingMemory<2, 256>>;
const KIND: u32 = wire::NUMBER as u32 | 1 << 8;
fits!(Made<Kind>, iotkm_history_pairing);

impl Verbs for Kind {
    fn close(&mut self) -> Outcome {
        Ok(self.close()?)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome {
        Ok(self.restore(cx, blob)?)
    }
}

unsafe fn association(pairing: *mut iotkm_history_pairing) -> *mut iotkm_association {
    pairing.cast()
}

/// Sets a pairing up, at rest.
///
/// `own_id` is this device's. `suite` is for all that follows with the new peer; both sides name the same, and the same
/// `cpace`. `config` may be NULL. The new peer will be stored in `peer_slot`, the count of failed attempts in
/// `attempts_slot`, one for the whole device; give the stored count back by iotkm_history_pairing_load_attempts(), or a power
/// cut would give an attacker new guesses. Errors: IOTKM_E_BAD_ARGUMENT for an id that is empty or too long.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_open(
    pairing: *mut iotkm_history_pairing,
    own_id: *const iotkm_history_id,
    suite: *const iotkm_suite,
    cpace: *const iotkm_cpace,
    peer_slot: u16,
    attempts_slot: u16,
    config: *const iotkm_config,
) -> c_int {
    raw::plainly(|| {
        let place = raw::some(pairing)?;
        let suite: &'static iotkm_suite = raw::read(suite)?;
        let cpace: &iotkm_cpace = raw::read(cpace)?;
        let setup = Setup {
            me: peer::id(own_id)?,
            suite: &suite.0,
            cpace: cpace.cpace,
            peer_slot: Slot(peer_slot),
            attempts_slot: Slot(attempts_slot),
        };
        let config = iotkm_config::get(config)?;
        make(place, KIND, Kind::open(setup, config, PairingMemory::new())?)
    })
}

/// Takes over the stored count of failed attempts. `floor` is the value of the slot's monotonic counter, 0 where there is
/// none. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_BLOB_ROLLED_BACK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_restore_attempts(
    pairing: *mut iotkm_history_pairing,
    cx: *const iotkm_cx,
    floor: u32,
    blob: *const u8,
    blob_len: usize,
) -> c_int {
    verb_of_kind(association(pairing), KIND, cx, text!("iotkm_history_pairing_restore_attempts"), |a: &mut Kind, cx| {
        Ok(a.restore_attempts(cx.device, floor, raw::bytes(blob, blob_len)?)?)
    })
}

/// iotkm_history_pairing_restore_attempts() with what the platform's `store_read` finds in `attempts_slot`; where there is
/// nothing yet, that is ok. Errors: IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_load_attempts(
    pairing: *mut iotkm_history_pairing,
    cx: *const iotkm_cx,
    attempts_slot: u16,
) -> c_int {
    let loaded = with_kind(association(pairing), KIND, |a: &mut Kind| {
        let mut blob = [0; IOTKM_HISTORY_ATTEMPTS_BLOB];
        match iotkm_platform::of(cx)?.read(attempts_slot, &mut blob) {
            Ok(blob) => Ok(a.restore_attempts(&device(cx)?, 0, blob)?),
            Err(IOTKM_STORE_EMPTY) => Ok(()),
            Err(_) => Err(IOTKM_E_HOOK.into()),
        }
    });
    logged(cx, text!("iotkm_history_pairing_load_attempts"), loaded)
}

/// Failed attempts so far; at IOTKM_HISTORY_ATTEMPTS pairing is locked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_attempts(
    pairing: *mut iotkm_history_pairing,
    attempts: *mut u32,
) -> c_int {
    returned(with_kind(association(pairing), KIND, |a: &mut Kind| {
        let attempts = Out::new(attempts)?;
        attempts.set(u32::from(a.attempts()));
        Ok(())
    }))
}

/// The user has acted, at the device: attempts start anew.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_unlock(pairing: *mut iotkm_history_pairing) -> c_int {
    returned(with_kind(association(pairing), KIND, |a: &mut Kind| {
        a.unlock();
        Ok(())
    }))
}

/// Opens the window for `window_ms`: the first device that knows the user's secret is paired. `sk` is the secret as
/// OpaqueString (RFC 8265) in UTF-8, 1 to IOTKM_HISTORY_SK_MAX bytes. IOTKM_EVENT_PAIRED or IOTKM_EVENT_FAILED tells.
/// Errors: IOTKM_E_BAD_ARGUMENT, IOTKM_E_LOCKED, IOTKM_E_WRONG_STATE while one is under way, IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_listen(
    pairing: *mut iotkm_history_pairing,
    cx: *const iotkm_cx,
    sk: *const u8,
    sk_len: usize,
    window_ms: u64,
) -> c_int {
    verb_of_kind(association(pairing), KIND, cx, text!("iotkm_history_pairing_listen"), |a: &mut Kind, cx| {
        Ok(a.listen(cx, raw::bytes(sk, sk_len)?, window_ms)?)
    })
}

/// Pairs with the device at this address, whose window is open. `sk`, events and errors as for
/// iotkm_history_pairing_listen().
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_start(
    pairing: *mut iotkm_history_pairing,
    cx: *const iotkm_cx,
    to: *const iotkm_addr,
    sk: *const u8,
    sk_len: usize,
) -> c_int {
    verb_of_kind(association(pairing), KIND, cx, text!("iotkm_history_pairing_start"), |a: &mut Kind, cx| {
        Ok(a.start(cx, &iotkm_addr::get(to)?, raw::bytes(sk, sk_len)?)?)
    })
}

/// Closes the window, ends a run, forgets the secret.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_cancel(pairing: *mut iotkm_history_pairing) -> c_int {
    returned(with_kind(association(pairing), KIND, |a: &mut Kind| {
        a.cancel();
        Ok(())
    }))
}

/// Sets `peer` up as the new peer, once, after IOTKM_EVENT_PAIRED; it is stored already. Keep the pairing a while longer (a
/// minute), to answer the other side if it did not hear the end. Error: IOTKM_E_WRONG_STATE where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_history_pairing_take_peer(
    pairing: *mut iotkm_history_pairing,
    peer: *mut iotkm_history_peer,
) -> c_int {
    returned(with_kind(association(pairing), KIND, |a: &mut Kind| {
        let place = Out::new(peer.cast())?;
        place.set(peer::HeldPeer::new(peer::MAGIC, a.take_peer().ok_or(IOTKM_E_WRONG_STATE)?));
        Ok(())
    }))
}
