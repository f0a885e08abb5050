//! The verbs, on associations of any scheme.

use crate::hub::IOTKM_HUB_NOBODY;
use crate::object::{self, Head, Magic};
use crate::output::{
    IOTKM_NEVER, iotkm_addr, iotkm_assurance_record, iotkm_authenticated, iotkm_output, iotkm_received,
};
use crate::platform::{KeysOf, iotkm_cx, iotkm_platform, with_cx};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::engine::BLOB_MAX;
use core_of_iotkm::engine::drops::Dropped;
use core_of_iotkm::microcert::Signer;
use core_of_iotkm::{Addr, Association, Cx, Instant, Slot, StoreError, UnixTime};

/// The longest blob of iotkm_export() in bytes.
pub const IOTKM_SESSION_BLOB_MAX: usize = 106;
const _: () = assert!(IOTKM_SESSION_BLOB_MAX == BLOB_MAX);

/// Length of a fingerprint's text with its NUL: four groups of four.
pub const IOTKM_FINGERPRINT_TEXT: usize = 20;

/// One relation to one peer, whatever the scheme; it lies where you put it and may not be moved. A constructor of a scheme
/// (iotkm_history_open()) sets it up, iotkm_wipe() ends it.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_association {
    opaque: [u64; 54],
}

/// The verbs, and those that are not in [`Association`]. The ones at the end are for schemes that have them; the caller has
/// checked the scheme.
pub(crate) trait Verbs: Association {
    fn close(&mut self) -> Outcome;
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Outcome;
    /// How to come to the platform's static keys, for schemes that have them.
    fn keys(&self) -> Option<KeysOf> {
        None
    }
    fn connect(&mut self, _cx: &mut Cx<'_>, _to: &Addr) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn update(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn authenticate(&mut self, _cx: &mut Cx<'_>, _to: &Addr) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn ping(&mut self, _cx: &mut Cx<'_>, _to: &Addr) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn recheck(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn go_on(&mut self, _cx: &mut Cx<'_>) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    fn signer(&mut self) -> Outcome<Signer<'_>> {
        Err(IOTKM_E_SCHEME.into())
    }
    fn time(&self, _now: Instant) -> Option<UnixTime> {
        None
    }
    fn epoch(&self) -> Option<u32> {
        None
    }
    fn is_named_by(&mut self, _datagram: &[u8]) -> bool {
        false
    }
    fn release(&mut self) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
    /// `memory` is of a type that a lending function of the scheme's takes, and as long.
    unsafe fn lend(&mut self, _memory: (NonNull<c_void>, usize)) -> Outcome {
        Err(IOTKM_E_SCHEME.into())
    }
}

/// What all associations start with, whatever lies behind it.
#[repr(C)]
pub(crate) struct Front {
    head: Head,
    kind: u32,
    /// The object's size in bytes: what to erase.
    size: u32,
    /// Whether it is in a hub: it cannot be wiped then.
    joined: bool,
    /// From the object to the verbs of what it holds: the only way from here to a scheme's code, so that a scheme whose
    /// constructor is not called is not linked.
    view: unsafe fn(NonNull<Front>) -> NonNull<dyn Verbs>,
}

/// An association that is set up.
#[repr(C)]
pub(crate) struct Made<A> {
    front: Front,
    value: A,
}

unsafe fn view<A: Verbs + 'static>(front: NonNull<Front>) -> NonNull<dyn Verbs> {
    value_at::<A>(front)
}

/// Sets an association up. `kind` is the scheme's number; above 255 which of the scheme's associations it is, and from bit 16
/// on which type of those.
pub(crate) unsafe fn make<A: Verbs + 'static, O>(place: NonNull<O>, kind: u32, value: A) -> Outcome {
    const {
        assert!(size_of::<Made<A>>() <= size_of::<O>(), "raise the number of words");
        assert!(align_of::<Made<A>>() <= align_of::<O>());
    }
    let front = Front {
        head: Head::new(Magic::ASSOCIATION),
        kind,
        size: size_of::<O>() as u32,
        joined: false,
        view: view::<A>,
    };
    Out::new(place.as_ptr().cast())?.set(Made { front, value });
    Ok(())
}

/// Any kind of association.
pub(crate) const ANY: u32 = 0;

/// Calls `f` with what the association is made of, if it is set up, not in use, and of this kind (of any type, where `kind`
/// names none).
pub(crate) unsafe fn at(
    association: *mut iotkm_association,
    kind: u32,
    f: &mut dyn FnMut(NonNull<Front>) -> Outcome,
) -> Outcome {
    let front = raw::some(association)?.cast::<Front>();
    Head::enter(front.cast(), Magic::ASSOCIATION, || {
        // SAFETY: the magic word says that `make` set this up.
        let found = unsafe { (*front.as_ptr()).kind };
        let same = found == kind || found & 0xffff == kind;
        if kind == ANY || same { f(front) } else { Err(IOTKM_E_SCHEME.into()) }
    })
}

/// Notes that an association is in a hub, or has left it. Error: it is in one already.
pub(crate) unsafe fn set_joined(front: NonNull<Front>, joined: bool) -> Outcome {
    // SAFETY: set up by `make`; no reference to it lives on.
    let place = unsafe { &mut (*front.as_ptr()).joined };
    if *place && joined {
        return Err(IOTKM_E_BUSY.into());
    }
    *place = joined;
    Ok(())
}

/// The value behind a front, as something that it can do.
pub(crate) unsafe fn value_at<A>(front: NonNull<Front>) -> NonNull<A> {
    raw::field(front.cast::<Made<A>>(), |made| &raw mut (*made).value)
}

/// The verbs of an association that was entered.
unsafe fn verbs<'a>(front: NonNull<Front>) -> &'a mut dyn Verbs {
    // SAFETY: set up by `make`; `at` lets nobody else in while this lives.
    unsafe { ((*front.as_ptr()).view)(front).as_mut() }
}

/// How the association comes to static keys.
pub(crate) unsafe fn keys_of(front: NonNull<Front>) -> Option<KeysOf> {
    verbs(front).keys()
}

/// The association of a kind whose type is `A`.
unsafe fn value<'a, A>(front: NonNull<Front>) -> &'a mut A {
    // SAFETY: as in `verbs`; the kind was given to `make` together with an `A`.
    unsafe { &mut (*front.as_ptr().cast::<Made<A>>()).value }
}

/// Calls `f` with the association, whatever its scheme.
unsafe fn with(association: *mut iotkm_association, f: impl FnMut(&mut dyn Verbs) -> Outcome) -> Outcome {
    with_verbs(association, ANY, f)
}

/// Calls `f` with the association, if it is of this kind, whatever its type.
pub(crate) unsafe fn with_verbs(
    association: *mut iotkm_association,
    kind: u32,
    mut f: impl FnMut(&mut dyn Verbs) -> Outcome,
) -> Outcome {
    at(association, kind, &mut |front| f(verbs(front)))
}

/// Calls `f` with the association, which is of the kind whose type is `A`.
pub(crate) unsafe fn with_kind<A>(
    association: *mut iotkm_association,
    kind: u32,
    mut f: impl FnMut(&mut A) -> Outcome,
) -> Outcome {
    at(association, kind, &mut |front| f(value(front)))
}

/// 1 where a datagram is a first message that names the peer of the association, which is of this kind.
pub(crate) unsafe fn named_by(
    association: *mut iotkm_association,
    kind: u32,
    datagram: *const u8,
    datagram_len: usize,
) -> c_int {
    let mut answer = 0;
    let asked = with_verbs(association, kind, |a| {
        answer = c_int::from(a.is_named_by(raw::bytes(datagram, datagram_len)?));
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// What the platform's log gets to know of a call.
pub(crate) unsafe fn logged(cx: *const iotkm_cx, call: &CStr, outcome: Outcome) -> c_int {
    let status = returned(outcome);
    if status < 0
        && let Ok(platform) = iotkm_platform::of(cx)
    {
        platform.log(call, status);
    }
    status
}

/// A verb with surroundings, on an association of this kind.
unsafe fn verb_at(
    association: *mut iotkm_association,
    kind: u32,
    cx: *const iotkm_cx,
    call: &CStr,
    f: &mut dyn FnMut(NonNull<Front>, &mut Cx<'_>) -> Outcome,
) -> c_int {
    logged(cx, call, at(association, kind, &mut |front| with_cx(cx, keys_of(front), &mut |cx| f(front, cx))))
}

/// A verb with surroundings, on an association of any scheme.
unsafe fn verb(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    call: &CStr,
    f: impl FnMut(&mut dyn Verbs, &mut Cx<'_>) -> Outcome,
) -> c_int {
    verb_of(association, ANY, cx, call, f)
}

/// A verb with surroundings, on an association of this kind, whatever its type.
pub(crate) unsafe fn verb_of(
    association: *mut iotkm_association,
    kind: u32,
    cx: *const iotkm_cx,
    call: &CStr,
    mut f: impl FnMut(&mut dyn Verbs, &mut Cx<'_>) -> Outcome,
) -> c_int {
    verb_at(association, kind, cx, call, &mut |front, cx| f(verbs(front), cx))
}

/// A verb with surroundings, on an association of the kind whose type is `A`.
pub(crate) unsafe fn verb_of_kind<A>(
    association: *mut iotkm_association,
    kind: u32,
    cx: *const iotkm_cx,
    call: &CStr,
    mut f: impl FnMut(&mut A, &mut Cx<'_>) -> Outcome,
) -> c_int {
    verb_at(association, kind, cx, call, &mut |front, cx| f(value(front), cx))
}

/// sizeof(iotkm_association) as the library was built: compare it with yours where header and library may differ.
#[unsafe(no_mangle)]
pub extern "C" fn iotkm_association_size() -> usize {
    size_of::<iotkm_association>()
}

/// Seals `payload` into `out` as one datagram for the peer, to be sent to the address `to`.
///
/// `out` needs room for the payload and the overhead; the configured MTU always does. It must not overlap the payload.
/// Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BUFFER_TOO_SMALL, IOTKM_E_TOO_LONG, IOTKM_E_KEY_EXHAUSTED, IOTKM_E_UNDRAINED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_send(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    payload: *const u8,
    payload_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
    to: *mut iotkm_addr,
) -> c_int {
    verb(association, cx, text!("iotkm_send"), |a, cx| {
        let payload = raw::bytes(payload, payload_len)?;
        raw::apart(payload, raw::bytes(out, out_capacity)?)?;
        let (out, out_len, to) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?, Out::new(to)?);
        let sent = a.send(cx, payload, out)?;
        to.set(sent.to.into());
        out_len.set(sent.bytes.len());
        Ok(())
    })
}

/// Takes in one datagram from the address `from`, in whose memory it opens what the peer sent.
///
/// `received->payload` is NULL if there is nothing for the application. Whatever does not parse or verify is dropped and
/// counted (iotkm_drops()), never an error. Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_receive(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    from: *const iotkm_addr,
    datagram: *mut u8,
    datagram_len: usize,
    received: *mut iotkm_received,
) -> c_int {
    verb(association, cx, text!("iotkm_receive"), |a, cx| {
        let from = iotkm_addr::get(from)?;
        let (datagram, received) = (raw::bytes_mut(datagram, datagram_len)?, Out::new(received)?);
        received.set(iotkm_received::new(a.handle_input(cx, &from, datagram)?, IOTKM_HUB_NOBODY));
        Ok(())
    })
}

/// Does what is due at `cx->now_ms`. Calls too early or too often do nothing. Errors: IOTKM_E_UNDRAINED, IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_timeout(association: *mut iotkm_association, cx: *const iotkm_cx) -> c_int {
    verb(association, cx, text!("iotkm_timeout"), |a, cx| Ok(a.handle_timeout(cx)?))
}

/// Hands out the next thing to do: call it after every other verb until it says IOTKM_OUTPUT_IDLE (or let iotkm_drain() do
/// all that). `out` is where the output's bytes go; the MTU, or the blob's size if that is larger, will do.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_poll(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    output: *mut iotkm_output,
) -> c_int {
    verb(association, cx, text!("iotkm_poll"), |a, cx| {
        let (out, output) = (raw::bytes_mut(out, out_capacity)?, Out::new(output)?);
        iotkm_output::write(output, a.poll(cx, out), IOTKM_HUB_NOBODY)
    })
}

/// The answer to IOTKM_OUTPUT_PERSIST: `status` is 0 if the bytes are safe in that slot, anything else if they could not be
/// written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_persisted(association: *mut iotkm_association, slot: u16, status: c_int) -> c_int {
    returned(with(association, |a| {
        a.persisted(Slot(slot), if status == 0 { Ok(()) } else { Err(StoreError) });
        Ok(())
    }))
}

/// Key material for another protocol (RFC 5705): the same on both sides for the same label (at most 255 bytes) and context.
/// `len` is at most 8160. Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BAD_ARGUMENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_exporter(
    association: *mut iotkm_association,
    label: *const c_char,
    context: *const u8,
    context_len: usize,
    out: *mut u8,
    len: usize,
) -> c_int {
    returned(with(association, |a| {
        let (label, context) = (raw::text(label, 256)?, raw::bytes(context, context_len)?);
        raw::apart(context, raw::bytes(out, len)?)?;
        Ok(a.exporter(label, context, raw::bytes_mut(out, len)?)?)
    }))
}

/// Seals the session into `out`, to go on after a restart with three short messages: iotkm_restore(). The blob holds no key
/// that a record was or will be sealed under. IOTKM_SESSION_BLOB_MAX bytes will do.
/// Errors: IOTKM_E_NOT_ESTABLISHED, IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_export(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    verb(association, cx, text!("iotkm_export"), |a, cx| {
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        out_len.set(a.export(cx, out)?);
        Ok(())
    })
}

/// Goes on from a blob of iotkm_export(), on an association that was just set up: IOTKM_EVENT_RESUMED says when new keys are
/// there. Export again after that: the old blob is of no more use. Errors: IOTKM_E_BAD_BLOB, IOTKM_E_WRONG_STATE (a session
/// or a run is there), IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_restore(
    association: *mut iotkm_association,
    cx: *const iotkm_cx,
    blob: *const u8,
    blob_len: usize,
) -> c_int {
    verb(association, cx, text!("iotkm_restore"), |a, cx| a.restore(cx, raw::bytes(blob, blob_len)?))
}

/// 1 if there is a session to send on, 0 if not, or an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_is_established(association: *mut iotkm_association) -> c_int {
    let mut answer = 0;
    let asked = with(association, |a| {
        answer = c_int::from(a.is_established());
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answer)
}

/// The peer's current address. Error: IOTKM_E_NOT_ESTABLISHED before it is known.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_peer_addr(association: *mut iotkm_association, addr: *mut iotkm_addr) -> c_int {
    returned(with(association, |a| {
        let addr = Out::new(addr)?;
        addr.set(a.peer_addr().ok_or(IOTKM_E_NOT_ESTABLISHED)?.into());
        Ok(())
    }))
}

/// The session's standing. Error: IOTKM_E_NOT_ESTABLISHED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_assurance(
    association: *mut iotkm_association,
    assurance: *mut iotkm_assurance_record,
) -> c_int {
    returned(with(association, |a| {
        let place = Out::new(assurance)?;
        let assurance = a.assurance().ok_or(IOTKM_E_NOT_ESTABLISHED)?;
        place.set(iotkm_assurance_record {
            authenticated: iotkm_authenticated::from(assurance.authenticated) as u32,
            budget: assurance.budget,
            forward_secrecy_since_ms: assurance.forward_secrecy_since.map_or(IOTKM_NEVER, |at| at.0),
            healing_since_ms: assurance.healing_since.map_or(IOTKM_NEVER, |at| at.0),
            clock: assurance.clock,
        });
        Ok(())
    }))
}

/// The session's fingerprint, 10 bytes, the same on both sides. Error: IOTKM_E_NOT_ESTABLISHED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_fingerprint(association: *mut iotkm_association, fingerprint: *mut u8) -> c_int {
    returned(with(association, |a| {
        let place = Out::new(fingerprint.cast::<[u8; 10]>())?;
        place.set(a.fingerprint().ok_or(IOTKM_E_NOT_ESTABLISHED)?.0);
        Ok(())
    }))
}

/// Writes 10 bytes of a fingerprint as text for people: four groups of four letters or digits, like `ABCD-EFGH-IJKL-MN23`,
/// and a NUL; IOTKM_FINGERPRINT_TEXT (20) bytes in all.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_fingerprint_text(fingerprint: *const u8, text: *mut c_char) -> c_int {
    raw::plainly(|| {
        let fingerprint: &[u8; 10] = raw::read(fingerprint.cast())?;
        let text = Out::new(text.cast::<[u8; IOTKM_FINGERPRINT_TEXT]>())?;
        let bits = fingerprint.iter().fold(0u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let mut out = [0; IOTKM_FINGERPRINT_TEXT];
        let mut five = (0..16u32).rev().map(|i| ((bits >> (i.saturating_mul(5))) & 31) as u8);
        for (i, c) in out.iter_mut().enumerate().take(19) {
            *c = match (i % 5, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") {
                (4, _) => b'-',
                (_, alphabet) => five.next().and_then(|five| alphabet.get(usize::from(five))).copied().unwrap_or(0),
            };
        }
        text.set(out);
        Ok(())
    })
}

/// How many datagrams were dropped for this reason (IOTKM_DROPPED_...), 65535 meaning that many or more.
/// Error: IOTKM_E_BAD_ARGUMENT for a reason that does not exist.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_drops(association: *mut iotkm_association, reason: u32, count: *mut u16) -> c_int {
    returned(with(association, |a| {
        let count = Out::new(count)?;
        let reason = usize::try_from(reason).ok().and_then(|i| Dropped::ALL.get(i)).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        count.set(a.drops().get(*reason));
        Ok(())
    }))
}

/// The size in bytes that the newest IOTKM_E_BUFFER_TOO_SMALL or IOTKM_E_TOO_LONG of this association named; 0 if none did.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_needed(association: *mut iotkm_association) -> usize {
    let mut needed = 0;
    let _ = at(association, ANY, &mut |front| {
        // SAFETY: the magic word says that `make` set this up.
        needed = unsafe { (*front.as_ptr()).head.needed() } as usize;
        Ok(())
    });
    needed
}

/// Ends the session: the peer is told by one datagram (poll), the keys are wiped when that is handed out.
/// Error: IOTKM_E_NOT_ESTABLISHED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_close(association: *mut iotkm_association) -> c_int {
    returned(with(association, |a| a.close()))
}

/// Wipes the association and the memory that it was lent, telling nobody. What it held (a peer) may be used again; the
/// association itself is refused by every function but a constructor. Error: IOTKM_E_NOT_SET_UP where there is nothing to
/// wipe, IOTKM_E_BUSY while it is in a hub.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_wipe(association: *mut iotkm_association) -> c_int {
    raw::plainly(|| {
        let front = raw::some(association)?.cast::<Front>();
        let dropped = at(association, ANY, &mut |front| {
            // SAFETY: the magic word says that `make` set this up, here and below.
            if unsafe { (*front.as_ptr()).joined } {
                return Err(IOTKM_E_BUSY.into());
            }
            // SAFETY: nobody else is in, and it is erased below before anybody can be.
            unsafe { core::ptr::drop_in_place(verbs(front)) };
            Ok(())
        });
        if dropped.is_ok() || Head::is_broken(front.cast()) {
            // SAFETY: what `make` set up is erased below, not before.
            let size = unsafe { front.as_ref().size };
            object::erase(front.cast(), size as usize);
            return Ok(());
        }
        dropped
    })
}

/// Why a datagram was dropped.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_dropped {
    /// Too short, too long, or a field out of range.
    IOTKM_DROPPED_MALFORMED = 0,
    /// Another wire version, another scheme, or a message number that nobody sends.
    IOTKM_DROPPED_VERSION = 1,
    /// A tag did not verify.
    IOTKM_DROPPED_FORGED = 2,
    /// A record or message that was already accepted, or is too old to tell.
    IOTKM_DROPPED_REPLAYED = 3,
    /// No key for it: unknown hint, generation or connection id, or no session.
    IOTKM_DROPPED_NO_KEY = 4,
    /// It does not belong to what this side is doing now.
    IOTKM_DROPPED_UNEXPECTED = 5,
    /// No memory for another run, or for reassembly.
    IOTKM_DROPPED_NO_ROOM = 6,
    /// Answering would send an unproven address more than three times what it sent.
    IOTKM_DROPPED_AMPLIFICATION = 7,
    /// Too many, too fast: a limit on attempts or searches.
    IOTKM_DROPPED_RATE_LIMITED = 8,
    /// An element that is not in the group.
    IOTKM_DROPPED_BAD_ELEMENT = 9,
    /// Randomness failed.
    IOTKM_DROPPED_RNG = 10,
}
const _: () = assert!(iotkm_dropped::IOTKM_DROPPED_RNG as usize + 1 == Dropped::COUNT);
