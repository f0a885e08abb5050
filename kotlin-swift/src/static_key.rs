//! Static keys: behind the application's vault, or in memory.

use crate::error::{CallbackError, IotkmError};
use crate::lock::Shared;
use crate::secret::SecretBytes;
use crate::surroundings::{Cx, Device, KeyVault};
use iotkm::cose::KeyGroup;
use iotkm::crypto::PrimeGroup;
use iotkm::crypto::group::{FFC2048, FFC3072, P256, Ristretto255, Scalar, lend};
use iotkm::crypto::hpke::{self, Kem};
use iotkm::crypto::keys::{KEY_BLOB, KeyError, KeySlot, StaticKey as CoreKey, StaticKeys, Step};
use iotkm::crypto::remembered::Known;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zeroize::{Zeroize, Zeroizing};

/// The group of a static key, as COSE numbers curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum Curve {
    /// X25519: public keys and secrets of 32 bytes.
    X25519,
    /// P-256: x alone, 32 bytes.
    P256,
    /// The 2048-bit subgroup of suite -21: 256 bytes.
    Ffc2048,
    /// The 3072-bit subgroup of suite -22: 384 bytes.
    Ffc3072,
    /// ristretto255, for credentials of suites 0, 1 and 4: 32 bytes.
    Ristretto255,
}

impl Curve {
    const ALL: [Self; 5] = [Self::X25519, Self::P256, Self::Ffc2048, Self::Ffc3072, Self::Ristretto255];

    pub(crate) const fn kem(self) -> &'static dyn Kem {
        match self {
            Self::X25519 => &hpke::DHKEM_X25519,
            Self::P256 => &hpke::DHKEM_P256,
            Self::Ffc2048 => &hpke::KEM_FFC2048,
            Self::Ffc3072 => &hpke::KEM_FFC3072,
            Self::Ristretto255 => &hpke::KEM_RISTRETTO255,
        }
    }

    /// As tickets name it.
    pub(crate) fn group(self) -> Result<KeyGroup, IotkmError> {
        match self {
            Self::X25519 => Ok(KeyGroup::X25519),
            Self::P256 => Ok(KeyGroup::P256),
            Self::Ffc2048 => Ok(KeyGroup::Ffc2048),
            Self::Ffc3072 => Ok(KeyGroup::Ffc3072),
            Self::Ristretto255 => Err(IotkmError::BadArgument),
        }
    }

    pub(crate) fn of(group: KeyGroup) -> Result<Self, IotkmError> {
        Self::ALL.into_iter().find(|curve| curve.group() == Ok(group)).ok_or(IotkmError::BadArgument)
    }

    /// Its algebra, where its order is prime.
    fn prime(self) -> Option<&'static dyn PrimeGroup> {
        Some(match self {
            Self::X25519 => return None,
            Self::P256 => &P256,
            Self::Ffc2048 => &FFC2048,
            Self::Ffc3072 => &FFC3072,
            Self::Ristretto255 => &Ristretto255,
        })
    }
}

/// Peers with whom what is shared is remembered: of a phase 1 with one of them the vault is asked half as often.
const PEERS: usize = 64;

/// What the vault's keys share with the peers met last, in memory only.
#[derive(Default)]
pub(crate) struct Met {
    /// The public keys whose secrets these are: an application may put another key under a number.
    own: BTreeMap<(u16, i8), Vec<u8>>,
    known: Known<PEERS>,
}

/// The vault's static keys, as the core asks for them during one call.
pub(crate) struct Vaulted<'a> {
    vault: &'a dyn KeyVault,
    met: &'a Mutex<Met>,
    /// The public keys that the vault was seen to have during this call.
    seen: RefCell<BTreeMap<(u16, i8), Vec<u8>>>,
}

impl<'a> Vaulted<'a> {
    pub(crate) const fn new(vault: &'a dyn KeyVault, met: &'a Mutex<Met>) -> Self {
        Self { vault, met, seen: RefCell::new(BTreeMap::new()) }
    }

    fn met(&self) -> MutexGuard<'_, Met> {
        self.met.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is shared by the key that this call has seen; none where another call sees another one meanwhile.
    fn met_by(&self, whose: &(u16, i8)) -> Option<MutexGuard<'_, Met>> {
        Some(self.met()).filter(|met| met.own.get(whose) == self.seen.borrow().get(whose))
    }
}

fn answered(given: Result<Option<Vec<u8>>, CallbackError>, out: &mut [u8]) -> Result<(), KeyError> {
    let mut given = given.map_err(|error| match error {
        CallbackError::Pending => KeyError::Pending,
        CallbackError::Failed { .. } => KeyError::Failed,
    })?;
    let bytes = given.as_mut().ok_or(KeyError::NoKey)?;
    let fits = bytes.len() == out.len();
    if fits {
        out.copy_from_slice(bytes);
    }
    bytes.zeroize();
    if fits { Ok(()) } else { Err(KeyError::Failed) }
}

impl StaticKeys for Vaulted<'_> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        let curve = curve_of(kem)?;
        let share = share.get_mut(..kem.group().share_len()).ok_or(KeyError::Failed)?;
        answered(self.vault.public_key(slot.0, curve), share)?;
        let (whose, mut met) = ((slot.0, kem.curve()), self.met());
        if met.own.insert(whose, share.to_vec()).is_some_and(|before| before != share) {
            met.known = Known::new();
        }
        self.seen.borrow_mut().insert(whose, share.to_vec());
        Ok(())
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        let curve = curve_of(kem)?;
        let secret = secret.get_mut(..kem.group().secret_len()).ok_or(KeyError::Failed)?;
        answered(self.vault.agree(slot.0, curve, share.to_vec()), secret)?;
        // A vault that does not check small orders (RFC 7748, section 6.1).
        if secret.iter().fold(0, |any, byte| any | byte) == 0 { Err(KeyError::BadElement) } else { Ok(()) }
    }

    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        let whose = (slot.0, kem.curve());
        // The core has asked already whose key it is, as a rule.
        if !self.seen.borrow().contains_key(&whose) {
            lend(kem.group().share_len(), &mut |own| self.public_key(slot, kem, own))?;
        }
        if self.met_by(&whose).is_some_and(|met| met.known.recall(slot, kem.curve(), share, secret)) {
            return Ok(());
        }
        self.agree(slot, kem, share, secret)?;
        if let Some(mut met) = self.met_by(&whose) {
            met.known.learn(slot, kem.curve(), share, secret);
        }
        Ok(())
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        let curve = curve_of(kem)?;
        let prime = curve.prime().ok_or(KeyError::NoKey)?;
        lend(prime.element_len(), &mut |base| {
            prime.double_power(step.a, step.u, step.b, &prime.one(), base)?;
            lend(prime.element_len(), &mut |own| {
                answered(self.vault.power(slot.0, curve, base.to_vec()), own)?;
                Ok(prime.double_power(own, step.h, base, step.k, out)?)
            })
        })
    }
}

pub(crate) fn curve_of(kem: &dyn Kem) -> Result<Curve, KeyError> {
    Curve::ALL.into_iter().find(|curve| curve.kem().label() == kem.label()).ok_or(KeyError::NoKey)
}

enum Inner {
    Short(CoreKey<32>),
    Ffc2048(CoreKey<256>),
    Ffc3072(CoreKey<384>),
}

impl Inner {
    fn with<R>(&self, short: impl FnOnce(&dyn StaticKeys) -> R) -> R {
        match self {
            Self::Short(key) => short(key),
            Self::Ffc2048(key) => short(key),
            Self::Ffc3072(key) => short(key),
        }
    }

    const fn scalar(&self) -> &Scalar {
        match self {
            Self::Short(key) => key.scalar(),
            Self::Ffc2048(key) => key.scalar(),
            Self::Ffc3072(key) => key.scalar(),
        }
    }

    fn new(curve: Curve, scalar: &Scalar) -> Result<Self, KeyError> {
        Ok(match curve {
            Curve::Ffc2048 => Self::Ffc2048(CoreKey::new(SLOT, curve.kem(), scalar)?),
            Curve::Ffc3072 => Self::Ffc3072(CoreKey::new(SLOT, curve.kem(), scalar)?),
            _ => Self::Short(CoreKey::new(SLOT, curve.kem(), scalar)?),
        })
    }
}

/// A static key in memory, for a vault of the application's to ask where the platform's key store cannot hold it. Stored, it
/// is sealed under the device's secret.
#[derive(uniffi::Object)]
#[uniffi::export(Debug, Display)]
pub struct StaticKey {
    curve: Curve,
    key: Shared<Inner>,
}

const SLOT: KeySlot = KeySlot(0);

fn failed(error: KeyError) -> IotkmError {
    match error {
        KeyError::BadElement => IotkmError::BadArgument,
        _ => IotkmError::Vault { reason: "no such key".to_owned() },
    }
}

impl StaticKey {
    /// The key with this scalar.
    pub(crate) fn of(curve: Curve, scalar: &Scalar) -> Result<Self, IotkmError> {
        let key = Inner::new(curve, scalar).map_err(|_| IotkmError::BadArgument)?;
        Ok(Self { curve, key: Shared::new(key) })
    }

    /// Calls `f` with the private key.
    pub(crate) fn scalar<R>(&self, f: impl FnOnce(&Scalar) -> Result<R, IotkmError>) -> Result<R, IotkmError> {
        self.key.with(|key| f(key.scalar()))
    }
}

#[uniffi::export]
impl StaticKey {
    /// The key with this secret of 32 bytes: little-endian for X25519 and ristretto255, big-endian for the others.
    ///
    /// # Errors
    /// `BadArgument` for a secret that is none.
    #[uniffi::constructor]
    pub fn new(curve: Curve, secret: Arc<SecretBytes>) -> Result<Self, IotkmError> {
        Self::of(curve, &secret.key()?)
    }

    /// A new key; save it (`seal`).
    ///
    /// # Errors
    /// `Rng`, `Vault`.
    #[uniffi::constructor]
    pub fn generate(device: &Device, curve: Curve) -> Result<Self, IotkmError> {
        let cx = Cx::none();
        let rng = |_| IotkmError::Rng { reason: String::new() };
        let key = device.with(&cx, |cx| {
            Ok(match curve {
                Curve::X25519 | Curve::P256 | Curve::Ristretto255 => {
                    Inner::Short(CoreKey::generate(SLOT, curve.kem(), cx.rng).map_err(rng)?)
                }
                Curve::Ffc2048 => Inner::Ffc2048(CoreKey::generate(SLOT, curve.kem(), cx.rng).map_err(rng)?),
                Curve::Ffc3072 => Inner::Ffc3072(CoreKey::generate(SLOT, curve.kem(), cx.rng).map_err(rng)?),
            })
        })?;
        Ok(Self { curve, key: Shared::new(key) })
    }

    /// A key that `seal` sealed on this device.
    ///
    /// # Errors
    /// `BadBlob`, also for a key of another curve; `Vault`.
    #[uniffi::constructor]
    pub fn restore(device: &Device, curve: Curve, blob: Vec<u8>) -> Result<Self, IotkmError> {
        let device = device.known()?.device;
        let key = match curve {
            Curve::X25519 | Curve::P256 | Curve::Ristretto255 => {
                Inner::Short(CoreKey::restore(SLOT, curve.kem(), &device, &blob)?)
            }
            Curve::Ffc2048 => Inner::Ffc2048(CoreKey::restore(SLOT, curve.kem(), &device, &blob)?),
            Curve::Ffc3072 => Inner::Ffc3072(CoreKey::restore(SLOT, curve.kem(), &device, &blob)?),
        };
        Ok(Self { curve, key: Shared::new(key) })
    }

    /// Seals the key under the device's secret, to be stored.
    ///
    /// # Errors
    /// `Vault`.
    pub fn seal(&self, device: &Device) -> Result<Vec<u8>, IotkmError> {
        let device = device.known()?.device;
        let mut blob = vec![0; KEY_BLOB];
        self.key.with(|key| {
            match key {
                Inner::Short(key) => key.seal(&device, &mut blob),
                Inner::Ffc2048(key) => key.seal(&device, &mut blob),
                Inner::Ffc3072(key) => key.seal(&device, &mut blob),
            }?;
            Ok(())
        })?;
        Ok(blob)
    }

    /// Its curve.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// The public key: what a vault answers to `publicKey`.
    ///
    /// # Errors
    /// `Busy`.
    pub fn public_key(&self) -> Result<Vec<u8>, IotkmError> {
        let kem = self.curve.kem();
        let mut share = vec![0; kem.group().share_len()];
        self.key.with(|key| key.with(|keys| keys.public_key(SLOT, kem, &mut share)).map_err(failed))?;
        Ok(share)
    }

    /// The secret that it shares with the holder of `share`: what a vault answers to `agree`.
    ///
    /// # Errors
    /// `BadArgument` for what is no element of the group.
    pub fn agree(&self, share: Vec<u8>) -> Result<Vec<u8>, IotkmError> {
        let kem = self.curve.kem();
        let mut secret = Zeroizing::new(vec![0; kem.group().secret_len()]);
        self.key.with(|key| key.with(|keys| keys.agree(SLOT, kem, &share, &mut secret)).map_err(failed))?;
        Ok(std::mem::take(&mut secret))
    }

    /// `element` to the power of the key: what a vault answers to `power`.
    ///
    /// # Errors
    /// `BadArgument` for what is no element of the group, and for a key on X25519.
    pub fn power(&self, element: Vec<u8>) -> Result<Vec<u8>, IotkmError> {
        let prime = self.curve.prime().ok_or(IotkmError::BadArgument)?;
        let mut out = Zeroizing::new(vec![0; prime.element_len()]);
        self.scalar(|scalar| prime.power(&element, scalar, &mut out).map_err(|_| IotkmError::BadArgument))?;
        Ok(std::mem::take(&mut out))
    }
}

impl fmt::Debug for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticKey({:?}, ..)", self.curve)
    }
}

impl fmt::Display for StaticKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
