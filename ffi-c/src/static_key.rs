//! Static keys in the caller's memory, behind the platform's hooks as those of a secure element are.

use crate::association::logged;
use crate::object::{self, Head, Magic, fits};
use crate::platform::{
    IOTKM_KEY_BAD_ELEMENT, IOTKM_KEY_NONE, IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform, iotkm_step, with_cx,
};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use core::ffi::{c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::crypto::group::{P256, Ristretto255};
use core_of_iotkm::crypto::hpke::{self, Kem};
use core_of_iotkm::crypto::keys::{GrowingKey, KEY_BLOB, KeyError, KeySlot, StaticKey, StaticKeys, Step};
use core_of_iotkm::crypto::{PrimeGroup, Secret};
use core_of_iotkm::noninteractive::Setting;

/// A group that static keys are of: one of the values below.
pub struct iotkm_kem {
    pub(crate) kem: &'static dyn Kem,
    /// Where keys of it can do iotkm_static_key_step().
    grows: Option<&'static dyn PrimeGroup>,
}

impl core::fmt::Debug for iotkm_kem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.kem.fmt(f)
    }
}

/// X25519. Goes with suites 0, 1 and 4.
#[unsafe(no_mangle)]
pub static iotkm_x25519: iotkm_kem = iotkm_kem { kem: &hpke::DHKEM_X25519, grows: None };
/// P-256. Goes with suites 2, 3 and 5.
#[unsafe(no_mangle)]
pub static iotkm_p256: iotkm_kem = iotkm_kem { kem: &hpke::DHKEM_P256, grows: None };
/// A subgroup of Z_p* with p of 2048 bits. Goes with suite -21.
#[unsafe(no_mangle)]
pub static iotkm_ffc2048: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC2048, grows: None };
/// A subgroup of Z_p* with p of 3072 bits. Goes with suite -22.
#[unsafe(no_mangle)]
pub static iotkm_ffc3072: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC3072, grows: None };

/// ristretto255, for keys of credentials: with iotkm_noninteractive_suite_0, 1 and 4.
#[unsafe(no_mangle)]
pub static iotkm_growing_ristretto255: iotkm_kem =
    iotkm_kem { kem: &hpke::KEM_RISTRETTO255, grows: Some(&Ristretto255) };
/// P-256, for keys of credentials: with iotkm_noninteractive_suite_2, 3 and 5.
#[unsafe(no_mangle)]
pub static iotkm_growing_p256: iotkm_kem = iotkm_kem { kem: &hpke::DHKEM_P256, grows: Some(&P256) };

/// Length of a stored static key in bytes.
pub const IOTKM_STATIC_KEY_BLOB: usize = 54;
const _: () = assert!(IOTKM_STATIC_KEY_BLOB == KEY_BLOB);

/// A static key of a curve in memory, for devices without a secure element. Let `public_key` and `agree` of a platform be
/// iotkm_static_key_public_key and iotkm_static_key_agree (of a key of iotkm_growing_...: `step` iotkm_static_key_step), and
/// `keys_ctx` the key. Where there are several, hooks
/// of your own ask one after the other until one does not say IOTKM_KEY_NONE.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_static_key {
    opaque: [u64; 16],
}

/// A key that is set up.
#[repr(C)]
pub(crate) struct Object {
    head: Head,
    key: Key,
}

enum Key {
    Plain(StaticKey),
    Growing(GrowingKey),
}

impl Key {
    fn new(key: StaticKey, grows: Option<&'static dyn PrimeGroup>) -> Outcome<Self> {
        let Some(group) = grows else { return Ok(Self::Plain(key)) };
        Ok(Self::Growing(GrowingKey::new(key, group).map_err(|_| IOTKM_E_BAD_ARGUMENT)?))
    }

    const fn key(&self) -> &StaticKey {
        match self {
            Self::Plain(key) => key,
            Self::Growing(key) => key.key(),
        }
    }
}
fits!(Object, iotkm_static_key);

unsafe fn with_either(key: *const iotkm_static_key, f: &mut dyn FnMut(&Key) -> Outcome) -> Outcome {
    let object = raw::some(key)?.cast::<Object>();
    Head::enter(object.cast(), Magic::STATIC_KEY, || {
        // SAFETY: the magic word says that `set` set this up; nobody else is in.
        f(unsafe { &(*object.as_ptr()).key })
    })
}

unsafe fn with(key: *const iotkm_static_key, f: &mut dyn FnMut(&StaticKey) -> Outcome) -> Outcome {
    with_either(key, &mut |key| f(key.key()))
}

/// Calls `f` with a key that can step.
pub(crate) unsafe fn growing(key: *const iotkm_static_key, f: &mut dyn FnMut(&StaticKey) -> Outcome) -> Outcome {
    with_either(key, &mut |key| match key {
        Key::Growing(key) => f(key.key()),
        Key::Plain(_) => Err(IOTKM_E_BAD_ARGUMENT.into()),
    })
}

/// Where a key goes.
pub(crate) unsafe fn place(key: *mut iotkm_static_key) -> Outcome<Out<Object>> {
    Out::new(key.cast())
}

/// Sets a key of a credential up.
pub(crate) unsafe fn grow(place: Out<Object>, number: u16, setting: &Setting, scalar: &Secret<32>) -> Outcome {
    let key = StaticKey::new(KeySlot(number), setting.kem, scalar).map_err(|_| IOTKM_E_BAD_ARGUMENT)?;
    set(place, key, Some(setting.group))
}

unsafe fn set(place: Out<Object>, key: StaticKey, grows: Option<&'static dyn PrimeGroup>) -> Outcome {
    place.set(Object { head: Head::new(Magic::STATIC_KEY), key: Key::new(key, grows)? });
    Ok(())
}

/// Only groups whose shares have 32 bytes.
unsafe fn group(kem: *const iotkm_kem) -> Outcome<(&'static dyn Kem, Option<&'static dyn PrimeGroup>)> {
    let iotkm_kem { kem, grows } = raw::read::<iotkm_kem>(kem)?;
    if kem.group().share_len() == 32 { Ok((*kem, *grows)) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) }
}

/// Sets up a new key. `number` is the application's, by which associations name it. Store it: iotkm_static_key_store().
/// Errors: IOTKM_E_RNG; IOTKM_E_BAD_ARGUMENT for a group that is no curve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_generate(
    key: *mut iotkm_static_key,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
) -> c_int {
    let made = raw::inside(|| {
        let (mut place, (kem, grows)) = (Some(place(key)?), group(kem)?);
        with_cx(cx, None, &mut |cx| {
            let made = StaticKey::generate(KeySlot(number), kem, cx.rng).map_err(|_| IOTKM_E_RNG)?;
            set(place.take().ok_or(IOTKM_E_INTERNAL)?, made, grows)
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
        let (place, (kem, grows)) = (place(key)?, group(kem)?);
        let scalar = Secret::new(*raw::read::<[u8; 32]>(scalar.cast())?);
        set(place, StaticKey::new(KeySlot(number), kem, &scalar).map_err(|_| IOTKM_E_BAD_ARGUMENT)?, grows)
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
        let (place, (kem, grows)) = (place(key)?, group(kem)?);
        let mut blob = [0; KEY_BLOB];
        let blob = match iotkm_platform::of(cx)?.read(slot, &mut blob) {
            Ok(blob) => blob,
            Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
            Err(_) => return Err(IOTKM_E_HOOK.into()),
        };
        set(place, StaticKey::restore(KeySlot(number), kem, &device(cx)?, blob)?, grows)
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

/// A `step` hook whose context is a static key: of iotkm_growing_..., others say IOTKM_KEY_NONE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_step(
    key: *mut c_void,
    number: u16,
    curve: c_int,
    step: *const iotkm_step,
    out: *mut u8,
) -> c_int {
    let mut answered = Ok(Err(KeyError::NoKey));
    let asked = with_either(key.cast(), &mut |key| {
        let step: &iotkm_step = raw::read(step)?;
        let scalar = |bytes: *const u8| Ok(Secret::new(*raw::read::<[u8; 32]>(bytes.cast())?));
        let (h, k, u): (Outcome<_>, Outcome<_>, Outcome<_>) = (scalar(step.h), scalar(step.k), scalar(step.u));
        let (h, k, u) = (h?, k?, u?);
        let (a, b, out) =
            (raw::bytes(step.a, step.len)?, raw::bytes(step.b, step.len)?, raw::bytes_mut(out, step.len)?);
        match key {
            Key::Growing(key) if c_int::from(key.key().kem().curve()) == curve => {
                let step = Step { h: &h, k: &k, u: &u, a, b };
                answered = Ok(key.step(KeySlot(number), key.key().kem(), &step, out));
            }
            _ => {}
        }
        Ok(())
    });
    answer(asked.and(answered))
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
