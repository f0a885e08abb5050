//! Static keys in the caller's memory, behind the platform's hooks as those of a secure element are.

use crate::association::logged;
use crate::object::{self, Head, Magic, fits};
use crate::platform::{
    IOTKM_KEY_BAD_ELEMENT, IOTKM_KEY_NONE, IOTKM_STORE_EMPTY, device, iotkm_cx, iotkm_platform, iotkm_step, with_cx,
};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, text};
use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::crypto::group::{FFC2048, FFC3072, P256, Ristretto255};
use core_of_iotkm::crypto::hpke::{self, Kem};
use core_of_iotkm::crypto::keys::{GrowingKey, KEY_BLOB, KeyError, KeySlot, StaticKey, StaticKeys, Step};
use core_of_iotkm::crypto::{PrimeGroup, Rng, Secret};
use core_of_iotkm::noninteractive::Setting;
use core_of_iotkm::{Device, Error};

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
/// The subgroup of Z_p* with p of 2048 bits, for keys of credentials: with iotkm_noninteractive_suite_ffc2048.
#[unsafe(no_mangle)]
pub static iotkm_growing_ffc2048: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC2048, grows: Some(&FFC2048) };
/// The subgroup of Z_p* with p of 3072 bits, for keys of credentials: with iotkm_noninteractive_suite_ffc3072.
#[unsafe(no_mangle)]
pub static iotkm_growing_ffc3072: iotkm_kem = iotkm_kem { kem: &hpke::KEM_FFC3072, grows: Some(&FFC3072) };

/// Length of a stored static key in bytes.
pub const IOTKM_STATIC_KEY_BLOB: usize = 54;
const _: () = assert!(IOTKM_STATIC_KEY_BLOB == KEY_BLOB);

/// A static key of a curve in memory (of any group: iotkm_static_key_ffc), for devices without a secure element. Let `public_key`
/// and `agree` of a platform be iotkm_static_key_public_key and iotkm_static_key_agree (of a key of iotkm_growing_...: `step`
/// iotkm_static_key_step), and `keys_ctx` the key. Where there are several, hooks of your own ask one after the other until one
/// does not say IOTKM_KEY_NONE.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_static_key {
    opaque: [u64; 16],
}

/// A static key of any group in memory: longer than an iotkm_static_key, which it begins with.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_static_key_ffc {
    /// For all functions here but those that end in _ffc.
    pub key: iotkm_static_key,
    opaque: [u64; 44],
}

/// A key in memory, of whatever length.
pub(crate) trait Kept: StaticKeys {
    fn kem(&self) -> &'static dyn Kem;
    fn share(&self) -> &[u8];
    fn scalar(&self) -> &Secret<32>;
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error>;
    /// Whether it can step.
    fn grows(&self) -> bool;
}

impl<const SHARE: usize> Kept for StaticKey<SHARE> {
    fn kem(&self) -> &'static dyn Kem {
        self.kem()
    }
    fn share(&self) -> &[u8] {
        self.share()
    }
    fn scalar(&self) -> &Secret<32> {
        self.scalar()
    }
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        self.seal(device, out)
    }
    fn grows(&self) -> bool {
        false
    }
}

impl<const SHARE: usize> Kept for GrowingKey<SHARE> {
    fn kem(&self) -> &'static dyn Kem {
        self.key().kem()
    }
    fn share(&self) -> &[u8] {
        self.key().share()
    }
    fn scalar(&self) -> &Secret<32> {
        self.key().scalar()
    }
    fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        self.key().seal(device, out)
    }
    fn grows(&self) -> bool {
        true
    }
}

/// What each key starts with.
#[repr(C)]
struct Front {
    head: Head,
    /// The object's size in bytes: what to erase.
    size: u32,
    view: unsafe fn(NonNull<Front>) -> NonNull<dyn Kept>,
}

/// A key that is set up.
#[repr(C)]
struct Object<K> {
    front: Front,
    key: K,
}
fits!(Object<GrowingKey<32>>, iotkm_static_key);
fits!(Object<GrowingKey<384>>, iotkm_static_key_ffc);

/// Sets a key up in memory of `len` bytes: of one that was there before nothing is left.
unsafe fn put<K: Kept + 'static>((place, len): Room, key: K) -> Outcome {
    unsafe fn view<K: Kept + 'static>(front: NonNull<Front>) -> NonNull<dyn Kept> {
        raw::field(front.cast::<Object<K>>(), |object| &raw mut (*object).key)
    }
    let front = Front { head: Head::new(Magic::STATIC_KEY), size: size_of::<Object<K>>() as u32, view: view::<K> };
    let out = Out::new(place.cast::<Object<K>>())?;
    object::erase(raw::some(place)?.cast(), len);
    out.set(Object { front, key });
    Ok(())
}

/// Calls `f` with the key and its object's size.
unsafe fn with_object(key: *const iotkm_static_key, f: &mut dyn FnMut(&dyn Kept, u32) -> Outcome) -> Outcome {
    let front = raw::some(key)?.cast::<Front>();
    Head::enter(front.cast(), Magic::STATIC_KEY, || {
        // SAFETY: the magic word says that `put` set this up; nobody else is in.
        let (key, size) = unsafe { (((*front.as_ptr()).view)(front).as_ref(), (*front.as_ptr()).size) };
        f(key, size)
    })
}

unsafe fn with(key: *const iotkm_static_key, f: &mut dyn FnMut(&dyn Kept) -> Outcome) -> Outcome {
    with_object(key, &mut |key, _| f(key))
}

/// Calls `f` with a key that can step.
pub(crate) unsafe fn growing(key: *const iotkm_static_key, f: &mut dyn FnMut(&dyn Kept) -> Outcome) -> Outcome {
    with(key, &mut |key| if key.grows() { f(key) } else { Err(IOTKM_E_BAD_ARGUMENT.into()) })
}

/// What a key comes from.
enum Origin<'a> {
    Drawn(&'a mut dyn Rng),
    Scalar(&'a Secret<32>),
    Stored(&'a Device, &'a [u8]),
}

/// Where a key goes, and how many bytes there are for it.
type Room = (*mut c_void, usize);

/// What a key is of.
type Group = (&'static dyn Kem, Option<&'static dyn PrimeGroup>);

unsafe fn made<const SHARE: usize>(place: Room, number: KeySlot, (kem, grows): Group, origin: Origin<'_>) -> Outcome {
    let key = match origin {
        Origin::Drawn(rng) => StaticKey::<SHARE>::generate(number, kem, rng).map_err(|_| IOTKM_E_RNG)?,
        Origin::Scalar(scalar) => StaticKey::new(number, kem, scalar).map_err(|_| IOTKM_E_BAD_ARGUMENT)?,
        Origin::Stored(device, blob) => StaticKey::restore(number, kem, device, blob)?,
    };
    match grows {
        None => put(place, key),
        Some(group) => put(place, GrowingKey::new(key, group).map_err(|_| IOTKM_E_BAD_ARGUMENT)?),
    }
}

/// Where a key goes, and how long it may be: only what names [`any`](Self::any) links keys of the FFC groups.
pub(crate) struct Place {
    place: Room,
    made: unsafe fn(Room, KeySlot, Group, Origin<'_>) -> Outcome,
}

impl Place {
    /// For keys of the curves.
    pub(crate) const fn curve(key: *mut iotkm_static_key) -> Self {
        unsafe fn curve(place: Room, number: KeySlot, group: Group, origin: Origin<'_>) -> Outcome {
            match group.0.group().share_len() {
                32 => made::<32>(place, number, group, origin),
                _ => Err(IOTKM_E_BAD_ARGUMENT.into()),
            }
        }
        Self { place: (key.cast(), size_of::<iotkm_static_key>()), made: curve }
    }

    /// For keys of any group.
    pub(crate) const fn any(key: *mut iotkm_static_key_ffc) -> Self {
        unsafe fn any(place: Room, number: KeySlot, group: Group, origin: Origin<'_>) -> Outcome {
            match group.0.group().share_len() {
                32 => made::<32>(place, number, group, origin),
                256 => made::<256>(place, number, group, origin),
                384 => made::<384>(place, number, group, origin),
                _ => Err(IOTKM_E_BAD_ARGUMENT.into()),
            }
        }
        Self { place: (key.cast(), size_of::<iotkm_static_key_ffc>()), made: any }
    }

    /// Whether this memory is that of `key`.
    pub(crate) fn is(&self, key: *const iotkm_static_key) -> bool {
        core::ptr::eq(self.place.0, key.cast())
    }

    unsafe fn set(&self, number: u16, group: Group, origin: Origin<'_>) -> Outcome {
        (self.made)(self.place, KeySlot(number), group, origin)
    }

    /// Sets a key of a credential up.
    pub(crate) unsafe fn grow(&self, number: u16, setting: &Setting, scalar: &Secret<32>) -> Outcome {
        self.set(number, (setting.kem, Some(setting.group)), Origin::Scalar(scalar))
    }

    unsafe fn generate(&self, cx: *const iotkm_cx, number: u16, kem: *const iotkm_kem, call: &CStr) -> c_int {
        let made = raw::inside(|| {
            let group = group(kem)?;
            with_cx(cx, None, &mut |cx| self.set(number, group, Origin::Drawn(&mut *cx.rng)))
        });
        logged(cx, call, made)
    }

    unsafe fn import(&self, number: u16, kem: *const iotkm_kem, scalar: *const u8) -> c_int {
        raw::plainly(|| {
            let scalar = Secret::new(*raw::read::<[u8; 32]>(scalar.cast())?);
            self.set(number, group(kem)?, Origin::Scalar(&scalar))
        })
    }

    unsafe fn load(&self, cx: *const iotkm_cx, number: u16, kem: *const iotkm_kem, slot: u16, call: &CStr) -> c_int {
        let loaded = raw::inside(|| {
            let (group, mut blob) = (group(kem)?, [0; KEY_BLOB]);
            let blob = match iotkm_platform::of(cx)?.read(slot, &mut blob) {
                Ok(blob) => blob,
                Err(IOTKM_STORE_EMPTY) => return Err(IOTKM_E_EMPTY.into()),
                Err(_) => return Err(IOTKM_E_HOOK.into()),
            };
            self.set(number, group, Origin::Stored(&device(cx)?, blob))
        });
        logged(cx, call, loaded)
    }
}

unsafe fn group(kem: *const iotkm_kem) -> Outcome<Group> {
    let iotkm_kem { kem, grows } = raw::read::<iotkm_kem>(kem)?;
    Ok((*kem, *grows))
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
    Place::curve(key).generate(cx, number, kem, text!("iotkm_static_key_generate"))
}

/// iotkm_static_key_generate() for any group. Error: IOTKM_E_RNG.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_generate_ffc(
    key: *mut iotkm_static_key_ffc,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
) -> c_int {
    Place::any(key).generate(cx, number, kem, text!("iotkm_static_key_generate_ffc"))
}

/// Sets a key up from its scalar, 32 bytes: X25519 and ristretto255 little-endian, the others big-endian. Where the point of P-256
/// has an odd y the scalar is replaced by its negative: the public key, x, is the same.
/// Error: IOTKM_E_BAD_ARGUMENT for a scalar that is zero or not below the order, or a group that is no curve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_import(
    key: *mut iotkm_static_key,
    number: u16,
    kem: *const iotkm_kem,
    scalar: *const u8,
) -> c_int {
    Place::curve(key).import(number, kem, scalar)
}

/// iotkm_static_key_import() for any group. Error: IOTKM_E_BAD_ARGUMENT for a scalar that is zero or not below the order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_import_ffc(
    key: *mut iotkm_static_key_ffc,
    number: u16,
    kem: *const iotkm_kem,
    scalar: *const u8,
) -> c_int {
    Place::any(key).import(number, kem, scalar)
}

/// Sets a key up from what iotkm_static_key_store() put in this slot.
/// Errors: IOTKM_E_EMPTY where there is nothing, IOTKM_E_HOOK; IOTKM_E_BAD_BLOB, also for a key of another group;
/// IOTKM_E_BAD_ARGUMENT for a group that is no curve.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_load(
    key: *mut iotkm_static_key,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
    slot: u16,
) -> c_int {
    Place::curve(key).load(cx, number, kem, slot, text!("iotkm_static_key_load"))
}

/// iotkm_static_key_load() for any group. Errors: IOTKM_E_EMPTY, IOTKM_E_HOOK, IOTKM_E_BAD_BLOB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_load_ffc(
    key: *mut iotkm_static_key_ffc,
    cx: *const iotkm_cx,
    number: u16,
    kem: *const iotkm_kem,
    slot: u16,
) -> c_int {
    Place::any(key).load(cx, number, kem, slot, text!("iotkm_static_key_load_ffc"))
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

/// Asks the key, if it is of this curve, whose shares have so many bytes.
unsafe fn ask(key: *mut c_void, curve: c_int, len: usize, f: &mut dyn FnMut(&dyn Kept) -> Outcome<Answer>) -> c_int {
    let mut answered = Ok(Err(KeyError::NoKey));
    let asked = with(key.cast(), &mut |key| {
        if c_int::from(key.kem().curve()) == curve && len == key.share().len() {
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
    let asked = with(key.cast(), &mut |key| {
        let step: &iotkm_step = raw::read(step)?;
        let scalar = |bytes: *const u8| Ok(Secret::new(*raw::read::<[u8; 32]>(bytes.cast())?));
        let (h, k, u): (Outcome<_>, Outcome<_>, Outcome<_>) = (scalar(step.h), scalar(step.k), scalar(step.u));
        let (h, k, u) = (h?, k?, u?);
        let (a, b, out) =
            (raw::bytes(step.a, step.len)?, raw::bytes(step.b, step.len)?, raw::bytes_mut(out, step.len)?);
        if c_int::from(key.kem().curve()) == curve {
            answered = Ok(key.step(KeySlot(number), key.kem(), &Step { h: &h, k: &k, u: &u, a, b }, out));
        }
        Ok(())
    });
    answer(asked.and(answered))
}

/// Wipes a key from memory; its slot stays as it is. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_static_key_wipe(key: *mut iotkm_static_key) -> c_int {
    raw::plainly(|| {
        let mut size = 0;
        with_object(key, &mut |_, its| {
            size = its;
            Ok(())
        })?;
        object::erase(raw::some(key)?.cast(), size as usize);
        Ok(())
    })
}
