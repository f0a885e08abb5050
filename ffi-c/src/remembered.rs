//! What a device's static keys share with the peers met last, remembered in the caller's memory.

use crate::object::{self, Head, Magic, fits};
use crate::platform::{Agree, iotkm_platform};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*, returned};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::crypto::keys::KeySlot;
use core_of_iotkm::crypto::remembered::{KnownIn, Place};

/// What a device's static keys share with the peers that it met last: of a first contact with one of them the key is asked half as
/// often. That is worth it where the key is slow (a secure element, a token), or where a hub meets many. In memory only; it may not
/// be moved. Let `agree_known` of the platform be iotkm_remembered_agree and `agree_known_ctx` this.
///
/// It costs little: who reads these secrets can be nobody's peer by them, since the keys themselves go into every session.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_remembered {
    opaque: [u64; 7],
}

/// Memory for one peer.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_remembered_peer {
    opaque: [u64; 9],
}
fits!(Place, iotkm_remembered_peer);

/// The peers' memory, until it is wiped.
struct Places(NonNull<[Place]>);

impl AsRef<[Place]> for Places {
    fn as_ref(&self) -> &[Place] {
        // SAFETY: written by iotkm_remembered_init(), lent until what holds them is wiped, here and below.
        unsafe { self.0.as_ref() }
    }
}
impl AsMut<[Place]> for Places {
    fn as_mut(&mut self) -> &mut [Place] {
        // SAFETY: as above.
        unsafe { self.0.as_mut() }
    }
}

#[repr(C)]
struct Object {
    head: Head,
    agree: Agree,
    ctx: *mut c_void,
    known: KnownIn<Places>,
}
fits!(Object, iotkm_remembered);

unsafe fn with(remembered: *mut iotkm_remembered, f: &mut dyn FnMut(&mut Object) -> Outcome) -> Outcome {
    let object = raw::some(remembered)?.cast::<Object>();
    // SAFETY: the magic word says that this was set up; nobody else is in.
    Head::enter(object.cast(), Magic::REMEMBERED, || f(unsafe { &mut *object.as_ptr() }))
}

/// Remembers nothing yet, and at most the `count` peers met last. The keys are those behind the `agree` of `platform`, and what it
/// is now counts. `peers` is lent until iotkm_remembered_wipe().
/// Errors: IOTKM_E_BAD_ARGUMENT for no peers or more than 65536; IOTKM_E_HOOK for a platform without `agree`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_remembered_init(
    remembered: *mut iotkm_remembered,
    platform: *const iotkm_platform,
    peers: *mut iotkm_remembered_peer,
    count: usize,
) -> c_int {
    raw::plainly(|| {
        let place = raw::Out::new(remembered.cast::<Object>())?;
        let platform: &iotkm_platform = raw::read(platform)?;
        let (agree, ctx) = (platform.agree.ok_or(IOTKM_E_HOOK)?, platform.keys_ctx);
        let first = raw::some(peers)?.cast::<Place>();
        if !(1..=1 << 16).contains(&count) {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        for i in 0..count {
            // SAFETY: memory for `count` peers, by contract.
            unsafe { first.add(i).write(Place::EMPTY) };
        }
        let known = KnownIn::within(Places(NonNull::slice_from_raw_parts(first, count)));
        place.set(Object { head: Head::new(Magic::REMEMBERED), agree, ctx, known });
        Ok(())
    })
}

/// An `agree_known` hook whose context is an iotkm_remembered: what was asked before it answers itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_remembered_agree(
    remembered: *mut c_void,
    key: u16,
    curve: c_int,
    share: *const u8,
    secret: *mut u8,
    len: usize,
) -> c_int {
    let mut answered = 0;
    let asked = with(remembered.cast(), &mut |Object { agree, ctx, known, .. }| {
        let (theirs, out) = (raw::bytes(share, len)?, raw::bytes_mut(secret, len)?);
        let (slot, curve_number) = (KeySlot(key), i8::try_from(curve).map_err(|_| IOTKM_E_BAD_ARGUMENT)?);
        if known.recall(slot, curve_number, theirs, out) {
            return Ok(());
        }
        // SAFETY: the platform's hook gets its own context, and what this one was given.
        answered = unsafe { agree(*ctx, key, curve, theirs.as_ptr(), out.as_mut_ptr(), len) };
        if answered == 0 {
            known.learn(slot, curve_number, theirs, out);
        }
        Ok(())
    });
    asked.map_or_else(|failure| failure.status, |()| answered)
}

/// Wipes what was remembered: after a key was replaced by another of the same number. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_remembered_forget(remembered: *mut iotkm_remembered) -> c_int {
    returned(with(remembered, &mut |object| {
        object.known.forget();
        Ok(())
    }))
}

/// Wipes all of it; the peers' memory is the caller's again. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_remembered_wipe(remembered: *mut iotkm_remembered) -> c_int {
    raw::plainly(|| {
        with(remembered, &mut |object| {
            object.known.forget();
            Ok(())
        })?;
        object::erase(raw::some(remembered)?.cast(), size_of::<iotkm_remembered>());
        Ok(())
    })
}
