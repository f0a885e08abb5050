//! Tickets: read, checked, asked for, issued.

use super::agent::{iotkm_agent, iotkm_signing, signed, text};
use super::name;
use crate::association::logged;
use crate::platform::{hooked, iotkm_cx, with_cx};
use crate::raw::{self, Out};
use crate::static_key::iotkm_kem;
use crate::status::{Outcome, iotkm_status::*, text as nul};
use core::ffi::{c_char, c_int, c_void};
use core_of_iotkm::cose::message::Request;
use core_of_iotkm::cose::ticket::{NAME_MAX, REFERENCE_LEN, TICKET_MAX, TICKET_MAX_FFC};
use core_of_iotkm::cose::{Claims, DeviceKey, KeyGroup, Message, Ticket};
use core_of_iotkm::crypto::group::lend;
use core_of_iotkm::crypto::keys::{KeyError, KeySlot};

/// The longest name or scope in bytes.
pub const IOTKM_NAME_MAX: usize = 32;
/// Length of a name's or scope's text with its NUL.
pub const IOTKM_NAME_TEXT: usize = 33;
/// The longest ticket in bytes where the device's key is of X25519 or P-256.
pub const IOTKM_TICKET_MAX: usize = 288;
/// The longest ticket in bytes, whatever the key.
pub const IOTKM_TICKET_MAX_FFC: usize = 640;
/// Length of what stands for a ticket in bytes.
pub const IOTKM_REFERENCE_LEN: usize = 8;
const _: () = assert!(
    IOTKM_NAME_MAX == NAME_MAX
        && IOTKM_NAME_TEXT == NAME_MAX + 1
        && IOTKM_TICKET_MAX == TICKET_MAX
        && IOTKM_TICKET_MAX_FFC == TICKET_MAX_FFC
        && IOTKM_REFERENCE_LEN == REFERENCE_LEN
);

/// Which group a device's key is of, as COSE numbers curves.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_curve {
    /// P-256: x alone, 32 bytes; y is even.
    IOTKM_CURVE_P256 = 1,
    /// X25519: 32 bytes.
    IOTKM_CURVE_X25519 = 4,
    /// The 2048-bit subgroup of suite -21: 256 bytes.
    IOTKM_CURVE_FFC2048 = -21,
    /// The 3072-bit subgroup of suite -22: 384 bytes.
    IOTKM_CURVE_FFC3072 = -22,
    /// ristretto255, of credentials alone: 32 bytes.
    IOTKM_CURVE_RISTRETTO255 = -23,
}
use iotkm_curve::*;

pub(super) const fn curve(group: KeyGroup) -> c_int {
    match group {
        KeyGroup::P256 => IOTKM_CURVE_P256 as c_int,
        KeyGroup::X25519 => IOTKM_CURVE_X25519 as c_int,
        KeyGroup::Ffc2048 => IOTKM_CURVE_FFC2048 as c_int,
        KeyGroup::Ffc3072 => IOTKM_CURVE_FFC3072 as c_int,
        _ => 0,
    }
}

pub(super) fn group(wanted: c_int) -> Outcome<KeyGroup> {
    let all = [KeyGroup::P256, KeyGroup::X25519, KeyGroup::Ffc2048, KeyGroup::Ffc3072];
    Ok(all.into_iter().find(|group| curve(*group) == wanted).ok_or(IOTKM_E_BAD_ARGUMENT)?)
}

/// A ticket: an agent's word that a device has a key, for a time. Times are seconds since 1970-01-01 00:00 UTC, texts UTF-8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_ticket {
    /// The agent's name.
    pub issuer: [c_char; IOTKM_NAME_TEXT],
    /// The device's name.
    pub subject: [c_char; IOTKM_NAME_TEXT],
    /// What the device may do: words with blanks between them, or empty.
    pub scope: [c_char; IOTKM_NAME_TEXT],
    /// When it was issued.
    pub issued_at: u64,
    /// From when on it is valid.
    pub not_before: u64,
    /// From when on it is no longer valid.
    pub expires: u64,
    /// The agent's number for it, never given twice.
    pub serial: u32,
    /// What stands for it: the front of its SHA-256.
    pub reference: [u8; IOTKM_REFERENCE_LEN],
    /// The group of the device's key: an iotkm_curve.
    pub curve: c_int,
    /// The device's public key, within `bytes`.
    pub key: *const u8,
    /// Length of `key` in bytes.
    pub key_len: usize,
    /// The whole ticket, where it was given or (from a wallet) in the wallet's memory, until that changes.
    pub bytes: *const u8,
    /// Length of `bytes`.
    pub len: usize,
}

impl iotkm_ticket {
    /// The ticket, as C sees it.
    pub(super) fn of(ticket: &Ticket<'_>) -> Self {
        let claims = ticket.claims();
        Self {
            issuer: name(claims.issuer),
            subject: name(claims.subject),
            scope: name(claims.scope),
            issued_at: claims.issued_at,
            not_before: claims.begins(),
            expires: claims.expires,
            serial: claims.serial,
            reference: ticket.reference().0,
            curve: curve(claims.key.group()),
            key: claims.key.as_bytes().as_ptr(),
            key_len: claims.key.as_bytes().len(),
            bytes: ticket.as_bytes().as_ptr(),
            len: ticket.as_bytes().len(),
        }
    }
}

/// Reads a ticket that this agent signed; `ticket` points into `bytes`. Whether it is valid now, iotkm_ticket_check() says, or
/// iotkm_wallet_check(), which knows what was revoked. Errors: IOTKM_E_REFUSED_..., IOTKM_E_BAD_ARGUMENT for an agent that is
/// none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_verify(
    bytes: *const u8,
    len: usize,
    agent: *const iotkm_agent,
    ticket: *mut iotkm_ticket,
) -> c_int {
    raw::plainly(|| {
        let (place, agent) = (Out::new(ticket)?, iotkm_agent::get(agent)?);
        place.set(iotkm_ticket::of(&Ticket::verify(raw::bytes(bytes, len)?, &agent)?));
        Ok(())
    })
}

/// Reads a ticket that nobody vouches for: to show it, or where it was verified before. Error: IOTKM_E_REFUSED_...
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_peek(bytes: *const u8, len: usize, ticket: *mut iotkm_ticket) -> c_int {
    raw::plainly(|| {
        let place = Out::new(ticket)?;
        place.set(iotkm_ticket::of(&Ticket::peek(raw::bytes(bytes, len)?)?));
        Ok(())
    })
}

/// Whether a ticket is valid at this time. `wall_s`: the wall clock in seconds since 1970, 0 without one; `floor_s`: the newest
/// time of issue of anything that the agent signed. A clock may lag 300 s behind the agent's; without one the floor counts, and
/// nobody can tell whether a ticket has begun. Errors: IOTKM_E_REFUSED_EXPIRED, IOTKM_E_REFUSED_NOT_YET_VALID.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_check(ticket: *const iotkm_ticket, wall_s: u64, floor_s: u64) -> c_int {
    raw::plainly(|| {
        let ticket: &iotkm_ticket = raw::read(ticket)?;
        let wall = (wall_s != 0).then_some(wall_s);
        Ok(Ticket::peek(raw::bytes(ticket.bytes, ticket.len)?)?.valid_at(wall, floor_s)?)
    })
}

/// Writes what an operator sends an agent: a ticket, please, for this device, whose static key `key` of the group `kem` the
/// platform's `public_key` gives. `scope` may be NULL; `lifetime_s`: how long it shall be valid, in seconds.
/// Errors: IOTKM_E_HOOK where there is no such key, IOTKM_E_KEY_PENDING while the token works (call again),
/// IOTKM_E_BUFFER_TOO_SMALL (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC), IOTKM_E_REFUSED_CLAIMS for a name
/// that no ticket can have.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_request(
    cx: *const iotkm_cx,
    key: u16,
    kem: *const iotkm_kem,
    subject: *const c_char,
    scope: *const c_char,
    lifetime_s: u64,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    let written = raw::inside(|| {
        let kem = raw::read::<iotkm_kem>(kem)?.kem;
        let (subject, scope) = (text(subject)?, if scope.is_null() { "" } else { text(scope)? });
        let (out, mut out_len) = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        with_cx(cx, Some(hooked), &mut |cx| {
            lend(kem.group().share_len(), &mut |share| {
                cx.keys.public_key(KeySlot(key), kem, share).map_err(|error| match error {
                    KeyError::Pending => IOTKM_E_KEY_PENDING,
                    _ => IOTKM_E_HOOK,
                })?;
                let key = DeviceKey::new(group(kem.curve().into())?, share)?;
                let message = Message::Request(Request { subject, key, scope, lifetime: lifetime_s });
                let len = message.write(out).map_err(|_| IOTKM_E_BUFFER_TOO_SMALL)?;
                Message::read(out.get(..len).ok_or(IOTKM_E_INTERNAL)?)?;
                out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
                Ok(())
            })
        })
    });
    logged(cx, nul!("iotkm_ticket_request"), written)
}

/// What a ticket shall say: see iotkm_ticket. Fill the whole structure with zeros first.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_claims {
    /// The agent's name.
    pub issuer: *const c_char,
    /// The device's name.
    pub subject: *const c_char,
    /// What the device may do; NULL: nothing in particular.
    pub scope: *const c_char,
    /// When it is issued.
    pub issued_at: u64,
    /// From when on it is valid; 0: from when it is issued.
    pub not_before: u64,
    /// From when on it is no longer valid.
    pub expires: u64,
    /// A number that is never given twice.
    pub serial: u32,
    /// The group of the device's key: an iotkm_curve.
    pub curve: c_int,
    /// The device's public key.
    pub key: *const u8,
    /// Length of `key` in bytes.
    pub key_len: usize,
}

/// Issues a ticket into `out`, signed with the agent's key (see iotkm_signing). Numbers are the caller's affair, or
/// iotkm_ticket_agent_issue()'s.
/// Errors: IOTKM_E_REFUSED_CLAIMS or IOTKM_E_REFUSED_KEY where nobody would accept it, IOTKM_E_BUFFER_TOO_SMALL
/// (IOTKM_TICKET_MAX bytes will do, IOTKM_TICKET_MAX_FFC for FFC), IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_ticket_issue(
    signing: *const iotkm_signing,
    key: *const c_void,
    claims: *const iotkm_claims,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    raw::plainly(|| {
        let given: &iotkm_claims = raw::read(claims)?;
        let claims = Claims {
            issuer: text(given.issuer)?,
            subject: text(given.subject)?,
            expires: given.expires,
            not_before: (given.not_before != 0).then_some(given.not_before),
            issued_at: given.issued_at,
            serial: given.serial,
            key: DeviceKey::new(group(given.curve)?, raw::bytes(given.key, given.key_len)?)?,
            scope: if given.scope.is_null() { "" } else { text(given.scope)? },
        };
        let (out, mut out_len) = (raw::bytes_mut(out, out_capacity)?, Some(Out::new(out_len)?));
        signed(signing, key, &mut |signer| {
            let len = Ticket::issue(signer, &claims, out)?;
            out_len.take().ok_or(IOTKM_E_INTERNAL)?.set(len);
            Ok(())
        })
    })
}
