//! What an application lends the core: keys, storage, randomness, time.

use crate::error::{CallbackError, IotkmError};
use crate::lock::Shared;
use crate::static_key::{Curve, Met, Vaulted};
use iotkm::crypto::hedge::Hedged;
use iotkm::crypto::{Prk, Rng, RngError, Secret};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use zeroize::Zeroize;

/// Holds the device's secret: Android Keystore, iOS Keychain, a secure element.
#[uniffi::export(with_foreign)]
pub trait KeyVault: Send + Sync {
    /// 32 bytes that only this device has and that never change: a stored secret, or what a key that cannot leave its
    /// hardware makes of a fixed text (HMAC-SHA256). State that was sealed under another secret does not open.
    ///
    /// # Errors
    /// Whatever keeps the vault from giving it, such as a locked screen: the call that needed it fails and changes
    /// nothing.
    fn device_secret(&self) -> Result<Vec<u8>, CallbackError>;

    /// The public key of the static key with this number, as long as its curve says; none where there is no such key.
    /// Numbers are the application's; schemes without tickets ask for none.
    ///
    /// # Errors
    /// `Pending` while a slow token works; whatever keeps the vault from giving it. The run that needed it is as it was.
    fn public_key(&self, key: u16, curve: Curve) -> Result<Option<Vec<u8>>, CallbackError>;

    /// The secret that this key shares with the holder of `share`, as long as that (ECDH: x of the product); none where
    /// there is no such key. P-256: `share` is x, and either y will do. What it gives for peers' own keys is remembered
    /// ([`Device`]).
    ///
    /// # Errors
    /// As `public_key`; whatever says that `share` is not in the group.
    fn agree(&self, key: u16, curve: Curve, share: Vec<u8>) -> Result<Option<Vec<u8>>, CallbackError>;

    /// The whole `element` to the power of this key (P-256: 04 | x | y, 65 bytes; else as long as the curve says); none where
    /// there is no such key, or it gives x alone, as ECDH does. Only keys of the noninteractive scheme are asked.
    ///
    /// # Errors
    /// As `agree`.
    fn power(&self, key: u16, curve: Curve, element: Vec<u8>) -> Result<Option<Vec<u8>>, CallbackError>;
}

/// Storage in slots, each of which holds one sealed blob.
#[uniffi::export(with_foreign)]
pub trait BlobStore: Send + Sync {
    /// What is in this slot; nothing, if nothing is.
    ///
    /// # Errors
    /// The storage cannot be read.
    fn read(&self, slot: u16) -> Result<Option<Stored>, CallbackError>;

    /// Replaces what is in this slot, whole or not at all, and returns when it is safe from a power cut. Where the
    /// platform has a monotonic counter for the slot, set it to `version` afterwards.
    ///
    /// # Errors
    /// The storage cannot be written: what depends on it waits, and is tried again.
    fn write(&self, slot: u16, version: u32, bytes: Vec<u8>) -> Result<(), CallbackError>;

    /// Empties this slot.
    ///
    /// # Errors
    /// The storage cannot be written.
    fn erase(&self, slot: u16) -> Result<(), CallbackError>;
}

/// What a [`BlobStore`] has in a slot.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Record)]
pub struct Stored {
    /// The blob.
    pub bytes: Vec<u8>,
    /// The slot's monotonic counter, 0 where there is none: older blobs are refused.
    #[uniffi(default = 0)]
    pub floor: u32,
}

/// Randomness of the application's own: a hardware generator, or test vectors. It is used as it comes; the operating
/// system's, which is the default, is hedged with the device's secret.
#[uniffi::export(with_foreign)]
pub trait RandomSource: Send + Sync {
    /// This many random bytes.
    ///
    /// # Errors
    /// There are none now: the call that needed them fails and changes nothing.
    fn random(&self, length: u32) -> Result<Vec<u8>, CallbackError>;
}

/// The surroundings of one call: time and place.
#[derive(Clone, Debug, uniffi::Record)]
pub struct Cx {
    /// Milliseconds of a clock that never goes back; where it starts does not matter.
    pub now: u64,
    /// Milliseconds since 1970-01-01 00:00 UTC, where they are known.
    #[uniffi(default = None)]
    pub wall: Option<u64>,
    /// Where this device is, at most 32 bytes in the application's own format. Sent and logged with each message.
    #[uniffi(default)]
    pub place: Vec<u8>,
}

impl Cx {
    /// For calls that need randomness alone.
    pub(crate) const fn none() -> Self {
        Self { now: 0, wall: None, place: Vec::new() }
    }
}

/// What the vault's secret gives.
#[derive(Clone)]
pub(crate) struct Known {
    pub(crate) device: iotkm::Device,
    hedge: Secret<32>,
}

/// This device, behind its [`KeyVault`]. The vault is asked when the secret is first needed, and again after `lock`. What its
/// static keys share with the public keys of the 64 peers met last is remembered in memory (curves only), until `lock`: of a
/// phase 1 with one of them the vault's `agree` is asked once instead of twice. Another key under the same number is noticed.
#[derive(uniffi::Object)]
#[uniffi::export(Debug)]
pub struct Device {
    vault: Arc<dyn KeyVault>,
    random: Option<Arc<dyn RandomSource>>,
    known: Shared<Option<Known>>,
    met: Mutex<Met>,
    drawn: AtomicU64,
}

#[uniffi::export]
impl Device {
    /// The device whose secret this vault holds. Without `random`, the operating system's randomness is used.
    #[uniffi::constructor(default(random = None))]
    pub fn new(vault: Arc<dyn KeyVault>, random: Option<Arc<dyn RandomSource>>) -> Self {
        Self { vault, random, known: Shared::new(None), met: Mutex::default(), drawn: AtomicU64::new(0) }
    }

    /// Forgets the device's secret until it is needed again, as when the user locks the screen, and what its static keys share
    /// with peers.
    ///
    /// # Errors
    /// `Busy`.
    pub fn lock(&self) -> Result<(), IotkmError> {
        *self.met.lock().unwrap_or_else(PoisonError::into_inner) = Met::default();
        self.known.with(|known| {
            *known = None;
            Ok(())
        })
    }
}

impl Device {
    /// What the secret gives, by asking the vault if need be.
    pub(crate) fn known(&self) -> Result<Known, IotkmError> {
        self.known.with(|known| {
            if let Some(known) = known {
                return Ok(known.clone());
            }
            let mut bytes = self.vault.device_secret().map_err(|e| IotkmError::Vault { reason: e.reason() })?;
            let taken = <[u8; 32]>::try_from(bytes.as_slice());
            bytes.zeroize();
            let mut secret =
                taken.map_err(|_| IotkmError::Vault { reason: "the secret is not 32 bytes".to_owned() })?;
            let device = iotkm::Device::new(Secret::new(secret));
            let hedge = Prk::new("engine", &secret).secret("hedge", &[]);
            secret.zeroize();
            Ok(known.insert(Known { device, hedge }).clone())
        })
    }

    /// Calls `f` with what the core calls its surroundings.
    pub(crate) fn with<R>(
        &self,
        cx: &Cx,
        f: impl FnOnce(&mut iotkm::Cx<'_>) -> Result<R, IotkmError>,
    ) -> Result<R, IotkmError> {
        let known = self.known()?;
        let mut random = Random { device: self, known: &known, reason: String::new() };
        let mut inner = iotkm::Cx {
            now: iotkm::Instant(cx.now),
            wall: cx.wall.map(iotkm::UnixTime),
            place: &cx.place,
            rng: &mut random,
            device: &known.device,
            keys: &Vaulted::new(&*self.vault, &self.met),
        };
        match f(&mut inner) {
            Err(IotkmError::Rng { .. }) => Err(IotkmError::Rng { reason: random.reason }),
            result => result,
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device(..)")
    }
}

/// The core's randomness during one call.
struct Random<'a> {
    device: &'a Device,
    known: &'a Known,
    reason: String,
}

impl Rng for Random<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let Some(source) = &self.device.random else {
            // Counted by the device, so that no two calls have one number.
            let mut number = self.device.drawn.fetch_add(1, Ordering::Relaxed);
            return Hedged::new(&self.known.hedge, &mut number, &mut System).fill(out);
        };
        let drawn = u32::try_from(out.len()).map_err(|_| RngError)?;
        let mut bytes = source.random(drawn).map_err(|e| {
            self.reason = e.reason();
            RngError
        })?;
        let fits = bytes.len() == out.len();
        if fits {
            out.copy_from_slice(&bytes);
        } else {
            self.reason = format!("{} bytes instead of {}", bytes.len(), out.len());
        }
        bytes.zeroize();
        if fits { Ok(()) } else { Err(RngError) }
    }
}

/// The operating system's randomness.
struct System;

impl Rng for System {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        getrandom::fill(out).map_err(|_| RngError)
    }
}
