//! The hooks, and what goes into each call.

use crate::output::{iotkm_addr, iotkm_event};
use crate::raw;
use crate::status::{Outcome, iotkm_status::*};
use core::ffi::{c_char, c_int, c_void};
use core_of_iotkm::crypto::hpke::Kem;
use core_of_iotkm::crypto::keys::{KeyError, KeySlot, StaticKeys, Step};
use core_of_iotkm::crypto::{Rng, RngError, Secret};
use core_of_iotkm::{Cx, Device, Instant, NoKeys, UnixTime};

/// What `store_read` returns for a slot that was never written.
pub const IOTKM_STORE_EMPTY: c_int = 1;

/// What `agree` and `public_key` return while a slow token works: they are asked the same again later, and nothing has
/// happened until then.
pub const IOTKM_KEY_PENDING: c_int = 1;
/// What `agree` and `public_key` return where there is no such key, or not of that group.
pub const IOTKM_KEY_NONE: c_int = 2;
/// What `agree` returns for a share that is no element of the group, or whose secret is all zero.
pub const IOTKM_KEY_BAD_ELEMENT: c_int = 3;

/// What the library needs from the device. Hooks return 0 for ok; each gets its context as first argument. Fill a whole
/// structure with zeros first: hooks that are 0 are not there.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_platform {
    /// sizeof(iotkm_platform).
    pub struct_size: usize,
    /// 32 bytes that only this device has and that never change (fuses, secure element, a file): stored state opens under
    /// them alone.
    pub device_secret: *const u8,
    /// Fills `out` with `len` random bytes from a source fit for keys. NULL: the operating system's, where the library was
    /// built with it.
    pub random: Option<unsafe extern "C" fn(ctx: *mut c_void, out: *mut u8, len: usize) -> c_int>,
    /// For `random`.
    pub random_ctx: *mut c_void,
    /// Reads a slot into `out`, its length into `len`; IOTKM_STORE_EMPTY if there is nothing. For iotkm_*_load().
    pub store_read: Option<
        unsafe extern "C" fn(ctx: *mut c_void, slot: u16, out: *mut u8, capacity: usize, len: *mut usize) -> c_int,
    >,
    /// Writes a slot: when it returns 0, the bytes survive a power cut; whenever power fails, the slot has its old bytes or
    /// the new ones, whole. For iotkm_drain() and iotkm_*_store().
    pub store_write: Option<unsafe extern "C" fn(ctx: *mut c_void, slot: u16, bytes: *const u8, len: usize) -> c_int>,
    /// Forgets a slot; for a slot without anything that is ok too.
    pub store_erase: Option<unsafe extern "C" fn(ctx: *mut c_void, slot: u16) -> c_int>,
    /// For the three above.
    pub store_ctx: *mut c_void,
    /// Sends a datagram. For iotkm_drain(). A datagram that cannot be sent now may be lost: return 0.
    pub send:
        Option<unsafe extern "C" fn(ctx: *mut c_void, to: *const iotkm_addr, bytes: *const u8, len: usize) -> c_int>,
    /// For `send`.
    pub send_ctx: *mut c_void,
    /// Told what happened. For iotkm_drain(); optional.
    pub event: Option<unsafe extern "C" fn(ctx: *mut c_void, event: *const iotkm_event)>,
    /// For `event`.
    pub event_ctx: *mut c_void,
    /// Told which call failed with which status, for a developer's log; optional.
    pub log: Option<unsafe extern "C" fn(ctx: *mut c_void, call: *const c_char, status: c_int)>,
    /// For `log`.
    pub log_ctx: *mut c_void,
    /// Writes the public key of a static key that this device holds (in a secure element, or in memory: see
    /// iotkm_static_key_public_key()). `key` is the application's number of it; `curve` its group, as COSE numbers it: 4
    /// X25519, 1 P-256, -21 and -22 FFC 2048 and 3072. `share` has `len` bytes: 32, 32 (x alone), 256, 384. Returns 0, an
    /// IOTKM_KEY_..., or anything else where the token failed. NULL: no static keys. -23 is ristretto255, 32 bytes.
    pub public_key:
        Option<unsafe extern "C" fn(ctx: *mut c_void, key: u16, curve: c_int, share: *mut u8, len: usize) -> c_int>,
    /// Writes the secret that this key shares with the holder of `share` (ECDH: x of the product), both of `len` bytes as
    /// above. A token that wants the whole point of P-256 may take either y. It checks that the share is in the group.
    /// Returns as `public_key`. Whatever fails leaves the association as it was.
    pub agree: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: u16,
            curve: c_int,
            share: *const u8,
            secret: *mut u8,
            len: usize,
        ) -> c_int,
    >,
    /// Writes what a self-certified key gives: the noninteractive scheme needs it, once an epoch; others do not. `out` has
    /// `step->len` bytes. Returns as `agree`. iotkm_static_key_step() does it in memory; a token has to give whole points.
    pub step: Option<
        unsafe extern "C" fn(ctx: *mut c_void, key: u16, curve: c_int, step: *const iotkm_step, out: *mut u8) -> c_int,
    >,
    /// For the three above.
    pub keys_ctx: *mut c_void,
    /// As `agree`, with a public key that somebody keeps: the same will be asked again, and the secret may be remembered.
    /// iotkm_remembered_agree() does that. NULL: `agree` is asked each time.
    pub agree_known: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: u16,
            curve: c_int,
            share: *const u8,
            secret: *mut u8,
            len: usize,
        ) -> c_int,
    >,
    /// For `agree_known`.
    pub agree_known_ctx: *mut c_void,
}

/// A hook that writes what a key shares with the holder of a share.
pub(crate) type Agree = unsafe extern "C" fn(
    ctx: *mut c_void,
    key: u16,
    curve: c_int,
    share: *const u8,
    secret: *mut u8,
    len: usize,
) -> c_int;

/// (a^u b)^(h key + k): a self-certified key of one epoch, applied to the other side's. A token that multiplies points gives
/// P = (a^u b)^key, and the rest is done outside of it: P^h (a^u b)^k.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_step {
    /// h: an exponent, 32 bytes in the group's order (ristretto255: little-endian, else big-endian).
    pub h: *const u8,
    /// k, likewise: secret.
    pub k: *const u8,
    /// u, likewise.
    pub u: *const u8,
    /// a: an element of the group, `len` bytes.
    pub a: *const u8,
    /// b, likewise.
    pub b: *const u8,
    /// Length of an element in bytes: ristretto255 32, P-256 65 (04 | x | y), FFC 256 and 384.
    pub len: usize,
}

/// The surroundings of a call: keep one, and set `now_ms` before each round of calls.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_cx {
    /// The hooks.
    pub platform: *const iotkm_platform,
    /// Monotonic time in ms; where it starts does not matter.
    pub now_ms: u64,
    /// Wall-clock time in ms since 1970-01-01 00:00 UTC; 0: unknown.
    pub wall_ms: u64,
    /// Where this device is, in the application's own format; the history scheme sends and logs it with each message. May
    /// be NULL.
    pub place: *const u8,
    /// Length of `place` in bytes, at most 32.
    pub place_len: usize,
}

/// Larger than any future version of a structure with a `struct_size`.
const STRUCT_MAX: usize = 1024;

/// Refuses a structure that says it is smaller than this library's, or says nothing sensible.
pub fn check_size<T>(struct_size: usize) -> Outcome {
    if (size_of::<T>()..=STRUCT_MAX).contains(&struct_size) { Ok(()) } else { Err(IOTKM_E_STRUCT_SIZE.into()) }
}

impl iotkm_platform {
    /// The platform that a call names.
    pub unsafe fn of<'a>(cx: *const iotkm_cx) -> Outcome<&'a Self> {
        let platform: &Self = raw::read(raw::read(cx)?.platform)?;
        check_size::<Self>(platform.struct_size)?;
        Ok(platform)
    }

    /// Its randomness.
    pub const fn randomness(&self) -> Random {
        Random { hook: self.random, ctx: self.random_ctx }
    }

    /// Reads a slot into `out`; the hook's status where that is not 0.
    pub fn read<'b>(&self, slot: u16, out: &'b mut [u8]) -> Result<&'b [u8], c_int> {
        const FAILED: c_int = IOTKM_E_HOOK as c_int;
        let read = self.store_read.ok_or(FAILED)?;
        let mut len = 0;
        // SAFETY: the platform's hook gets its own context and memory of this length.
        match unsafe { read(self.store_ctx, slot, out.as_mut_ptr(), out.len(), &mut len) } {
            0 => out.get(..len).ok_or(FAILED),
            status => Err(status),
        }
    }

    /// What is stored in a slot, read into the first half of `work`; and the other half.
    pub unsafe fn stored(cx: *const iotkm_cx, slot: u16, work: &mut [u8]) -> Outcome<(&[u8], &mut [u8])> {
        let (blob, rest) = work.split_at_mut(work.len() / 2);
        match Self::of(cx)?.read(slot, blob) {
            Ok(blob) => Ok((blob, rest)),
            Err(IOTKM_STORE_EMPTY) => Err(IOTKM_E_EMPTY.into()),
            Err(_) => Err(IOTKM_E_HOOK.into()),
        }
    }

    /// Writes a slot; 0 where that is done.
    pub fn write(&self, slot: u16, bytes: &[u8]) -> c_int {
        let Some(write) = self.store_write else { return IOTKM_E_HOOK as c_int };
        // SAFETY: the platform's hook gets its own context and bytes of this length.
        unsafe { write(self.store_ctx, slot, bytes.as_ptr(), bytes.len()) }
    }

    /// Logs a failure.
    pub fn log(&self, call: &core::ffi::CStr, status: c_int) {
        if let Some(log) = self.log {
            // SAFETY: the platform's hook gets its own context and a text that ends in NUL.
            unsafe { log(self.log_ctx, call.as_ptr(), status) }
        }
    }
}

/// A hook's answer. Anything that is not known is a failure, also what a later version of this library may know.
const fn key_answer(status: c_int) -> Result<(), KeyError> {
    match status {
        0 => Ok(()),
        IOTKM_KEY_PENDING => Err(KeyError::Pending),
        IOTKM_KEY_NONE => Err(KeyError::NoKey),
        IOTKM_KEY_BAD_ELEMENT => Err(KeyError::BadElement),
        _ => Err(KeyError::Failed),
    }
}

impl StaticKeys for iotkm_platform {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        let hook = self.public_key.ok_or(KeyError::NoKey)?;
        let share = share.get_mut(..kem.group().share_len()).ok_or(KeyError::Failed)?;
        // SAFETY: the platform's hook gets its own context and memory of this length.
        key_answer(unsafe { hook(self.keys_ctx, slot.0, kem.curve().into(), share.as_mut_ptr(), share.len()) })
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        ask((self.agree, self.keys_ctx), slot, kem, share, secret)
    }

    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        let hook = match self.agree_known {
            None => (self.agree, self.keys_ctx),
            known => (known, self.agree_known_ctx),
        };
        ask(hook, slot, kem, share, secret)
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        let hook = self.step.ok_or(KeyError::NoKey)?;
        let len = step.a.len();
        let out = out.get_mut(..len).filter(|_| step.b.len() == len).ok_or(KeyError::Failed)?;
        let [h, k, u] = [step.h, step.k, step.u].map(|scalar| scalar.expose().as_ptr());
        let step = iotkm_step { h, k, u, a: step.a.as_ptr(), b: step.b.as_ptr(), len };
        // SAFETY: the platform's hook gets its own context, what to compute, and memory for an element.
        key_answer(unsafe { hook(self.keys_ctx, slot.0, kem.curve().into(), &raw const step, out.as_mut_ptr()) })?;
        if out.iter().fold(0, |any, byte| any | byte) == 0 { Err(KeyError::Failed) } else { Ok(()) }
    }
}

fn ask(
    (hook, ctx): (Option<Agree>, *mut c_void),
    slot: KeySlot,
    kem: &dyn Kem,
    share: &[u8],
    secret: &mut [u8],
) -> Result<(), KeyError> {
    let hook = hook.ok_or(KeyError::NoKey)?;
    let len = kem.group().secret_len();
    let secret = secret.get_mut(..len).ok_or(KeyError::Failed)?;
    if share.len() != len {
        return Err(KeyError::BadElement);
    }
    let (from, to) = (share.as_ptr(), secret.as_mut_ptr());
    // SAFETY: the platform's hook gets its own context, a share and memory of this length.
    key_answer(unsafe { hook(ctx, slot.0, kem.curve().into(), from, to, len) })?;
    // A token that does not check small orders (RFC 7748, section 6.1), or that wrote nothing.
    if secret.iter().fold(0, |any, byte| any | byte) == 0 { Err(KeyError::BadElement) } else { Ok(()) }
}

/// From a platform to its static keys: only what uses static keys names [`hooked`], so that an image without links none of it.
pub type KeysOf = fn(&iotkm_platform) -> &dyn StaticKeys;

/// Static keys behind the platform's hooks.
pub fn hooked(platform: &iotkm_platform) -> &dyn StaticKeys {
    platform
}

/// A platform's randomness, or the system's.
#[derive(Clone, Copy, Debug)]
pub struct Random {
    hook: Option<unsafe extern "C" fn(ctx: *mut c_void, out: *mut u8, len: usize) -> c_int>,
    ctx: *mut c_void,
}

impl Rng for Random {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let Some(random) = self.hook else { return system_random(out) };
        // SAFETY: the platform's hook gets its own context and memory of this length.
        let status = unsafe { random(self.ctx, out.as_mut_ptr(), out.len()) };
        if status == 0 { Ok(()) } else { Err(RngError) }
    }
}

#[cfg(feature = "std")]
fn system_random(out: &mut [u8]) -> Result<(), RngError> {
    getrandom::fill(out).map_err(|_| RngError)
}
#[cfg(not(feature = "std"))]
fn system_random(_: &mut [u8]) -> Result<(), RngError> {
    Err(RngError)
}

/// What a call's surroundings are made of.
struct Surroundings<'a> {
    platform: &'a iotkm_platform,
    cx: &'a iotkm_cx,
    place: &'a [u8],
    device: Device,
}

impl<'a> Surroundings<'a> {
    unsafe fn new(cx: *const iotkm_cx) -> Outcome<Self> {
        let platform = iotkm_platform::of(cx)?;
        let cx: &iotkm_cx = raw::read(cx)?;
        if cfg!(not(feature = "std")) && platform.random.is_none() {
            return Err(IOTKM_E_HOOK.into());
        }
        let secret: &[u8; 32] = raw::read(platform.device_secret.cast())?;
        let place = raw::bytes(cx.place, cx.place_len)?;
        if place.len() > 32 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        Ok(Self { platform, cx, place, device: Device::new(Secret::new(*secret)) })
    }
}

/// Calls `f` with the surroundings that C gave; `keys`: how to come to static keys, where they are needed.
pub unsafe fn with_cx(cx: *const iotkm_cx, keys: Option<KeysOf>, f: &mut dyn FnMut(&mut Cx<'_>) -> Outcome) -> Outcome {
    let Surroundings { platform, cx, place, device } = Surroundings::new(cx)?;
    f(&mut Cx {
        now: Instant(cx.now_ms),
        wall: (cx.wall_ms != 0).then_some(UnixTime(cx.wall_ms)),
        place,
        rng: &mut platform.randomness(),
        device: &device,
        keys: keys.map_or(&NoKeys, |keys| keys(platform)),
    })
}

/// The device, for calls that need nothing else.
pub unsafe fn device(cx: *const iotkm_cx) -> Outcome<Device> {
    Ok(Surroundings::new(cx)?.device)
}
