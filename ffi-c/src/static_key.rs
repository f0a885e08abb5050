//! Static keys in the caller's memory, behind the platform's hooks as those of a secure element are.

use crate::association::logged;
use crate::object::{self, Head, Magic, fits};
use crate::platform::{
    IOTKM_KEY_BAD_ELEMENT, IOTKM_KEY_NONE, IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform, with_cx,
};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::crypto::Secret;
use core_of_iotkm::crypto::hpke::{self, Kem};
use core_of_iotkm::crypto::keys::{KEY_BLOB, KeyError, KeySlot, StaticKey, StaticKeys};

/// A group that static keys are of: one of the values below.
pub struct iotkm_kem {
    pub(crate) kem: &'static dyn Kem,
}

impl core::fmt::Debug for iotkm_kem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kem.fmt(f)
    }
}

/// X25519. Goes with suites 0, 1 and 4.
#[unsafe(no_mangle)]
pub static iotkm_x25519: iotkm_kem = iotkm_kem { kem: &hpke::DHKEM_X25519 };
/// P-256. Goes with suites 2, 3 and 5.
#[unsafe(no_mangle)]
pub static iotkm_p256: iotkm_kem = iotkm_kem { kem: &hpke::DHKEM_P256 };
/// A subgroup of Z_p* with p of 2048 bits. Goes with suite -21.
#[unsafe(no_mangle)]
pub static iotkm_ffc2048: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC2048 };
/// A subgroup of Z_p* with p of 3072 bits. Goes with suite -22.
#[unsafe(no_mangle)]
pub static iotkm_ffc3072: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC3072 };

/// Length of a stored static key in bytes.
pub const IOTKM_STATIC_KEY_BLOB: usize = 54;
const _: () = assert!(IOTKM_STATIC_KEY_BLOB == KEY_BLOB);

/// A static key of iotkm_x25519 or iotkm_p256 in memory, for devices without a secure element. Let `public_key` and `agree` of
/// a platform be iotkm_static_key_public_key and iotkm_static_key_agree, and `keys_ctx` the key. Where there are several, hooks
/// of your own ask one after the other until one does not say IOTKM_KEY_NONE.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_static_key {
    opaque: [u64; 14],
}

/// A key that is set up.
#[repr(C)]
struct Object {
    head: Head,
    key: StaticKey,
}
fits!(Object, iotkm_static_key);

unsafe fn with(key: *const iotkm_static_key, f: &mut dyn FnMut(&StaticKey) -> Outcome) -> Outcome {
    let object = raw::some(key)?.cast::<Object>();
    Head::enter(object.cast(), Magic::STATIC_KEY, || {
        // SAFETY: the magic word says that `set` set this up; nobody else is in.
        f(unsafe { &(*object.as_ptr()).key })
    })
}

unsafe fn set(place: Out<Object>, key: StaticKey) {
    place.set(Object { head: Head::new(Magic::STATIC_KEY), key });
}

/// Only groups whose shares have 32 bytes.
unsafe fn group(kem: *const iotkm_kem) -> Outcome<&'static dyn Kem> {
    let kem = raw::read::<iotkm_kem>(kem)?.kem;
    if kem.group().share_len() == 32 { Ok(kem) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) }
}

/// Sets up a new key. `number` is the application's, by which associations name it. Store it: iotkm_static_key_store().
/// Errors: IOTKM_E_RNG; IOTKM_E_BAD_ARGUMENT for another group than iotkm_x25519 and iotkm_p256.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_generate(
    key: *mut iotkm_static_key,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
) -> c_int {
    let made = raw::inside(|| {
        let (mut place, kem) = (Some(Out::new(key.cast::<Object>())?), group(kem)?);
        with_cx(cx, None, &mut |cx| {
            let made = StaticKey::generate(KeySlot(number), kem, cx.rng).map_err(|_| IOTKM_E_RNG)?;
            set(place.take().ok_or(IOTKM_E_INTERNAL)?, made);
            Ok(())
        })
    });
    logged(cx, text!("iotkm_static_key_generate"), made)
}

/// Sets a key up from its scalar, 32 bytes: X25519 little-endian, P-256 big-endian. Where the point of P-256 has an odd y the
/// scalar is replaced by its negative: the public key, x, is the same.
/// Error: IOTKM_E_BAD_ARGUMENT for a scalar that is zero or not below the order, or another group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_import(
    key: *mut iotkm_static_key,
    number: u16,
    kem: *const iotkm_kem,
    scalar: *const u8,
) -> c_int {
    raw::plainly(|| {
        let (place, kem) = (Out::new(key.cast::<Object>())?, group(kem)?);
        let scalar = Secret::new(*raw::read::<[u8; 32]>(scalar.cast())?);
        set(place, StaticKey::new(KeySlot(number), kem, &scalar).map_err(|_| IOTKM_E_BAD_ARGUMENT)?);
        Ok(())
    })
}

/// Sets a key up from what iotkm_static_key_store() put in this slot.
/// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; IOTKM_E_BAD_BLOB, also for a key of another group.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_load(
    key: *mut iotkm_static_key,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
    slot: u16,
) -> c_int {
    let loaded = raw::inside(|| {
        let (place, kem) = (Out::new(key.cast::<Object>())?, group(kem)?);
        let mut blob = [0; KEY_BLOB];
        let blob = match iotkm_platform::of(cx)?.read(slot, &mut blob) {
            Ok(blob) => blob,
            Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
            Err(_) => return Err(IOTKM_E_HOOK.into()),
        };
        set(place, StaticKey::restore(KeySlot(number), kem, &device(cx)?, blob)?);
        Ok(())
    });
    logged(cx, text!("iotkm_static_key_load"), loaded)
}

/// Seals the key under the device's secret and writes it to this slot, IOTKM_STATIC_KEY_BLOB bytes. Error: IOTKM_E_HOOK.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_store(key: *const iotkm_static_key, cx: *const iotkm_cx, slot: u16) -> c_int {
    let stored = with(key, &mut |key| {
        let mut blob = [0; KEY_BLOB];
        key.seal(&device(cx)?, &mut blob)?;
        if iotkm_platform::of(cx)?.write(slot, &blob) == 0 { Ok(()) } else { Err(IOTKM_E_HOOK.into()) }
    });
    logged(cx, text!("iotkm_static_key_store"), stored)
}

/// What a key says.
type Answer = Result<(), KeyError>;

/// What a hook of a key says.
fn answer(outcome: Outcome<Answer>) -> c_int {
    match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(KeyError::NoKey)) => IOTKM_KEY_NONE,
        Ok(Err(KeyError::BadElement)) => IOTKM_KEY_BAD_ELEMENT,
        Ok(Err(_)) => IOTKM_E_HOOK as c_int,
        Err(failure) => failure.status,
    }
}

/// Asks the key, if it is of this curve.
unsafe fn ask(key: *mut c_void, curve: c_int, len: usize, f: &mut dyn FnMut(&StaticKey) -> Outcome<Answer>) -> c_int {
    let mut answered = Ok(Err(KeyError::NoKey));
    let asked = with(key.cast(), &mut |key| {
        if c_int::from(key.kem().curve()) == curve && len == 32 {
            answered = f(key);
        }
        Ok(())
    });
    answer(asked.and(answered))
}

/// A `public_key` hook whose context is a static key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_public_key(
    key: *mut c_void,
    number: u16,
    curve: c_int,
    share: *mut u8,
    len: usize,
) -> c_int {
    ask(key, curve, len, &mut |key| Ok(key.public_key(KeySlot(number), key.kem(), raw::bytes_mut(share, len)?)))
}

/// An `agree` hook whose context is a static key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_agree(
    key: *mut c_void,
    number: u16,
    curve: c_int,
    share: *const u8,
    secret: *mut u8,
    len: usize,
) -> c_int {
    ask(key, curve, len, &mut |key| {
        let share = raw::bytes(share, len)?;
        Ok(key.agree(KeySlot(number), key.kem(), share, raw::bytes_mut(secret, len)?))
    })
}

/// Wipes a key from memory; its slot stays as it is. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_wipe(key: *mut iotkm_static_key) -> c_int {
    returned(raw::some(key).and_then(|place: NonNull<iotkm_static_key>| {
        with(key, &mut |_| Ok(()))?;
        object::erase(place.cast(), size_of::<iotkm_static_key>());
        Ok(())
    }))
}
