//! Static private keys that may live elsewhere: in memory, in a secure element, behind PKCS#11.
//!
//! A scheme names a key by its [`KeySlot`] and its [`Kem`] (hence its group), and asks [`StaticKeys`] for two things: the
//! public key, and the secret that it shares with somebody's public key. It never sees the private key. Signature keys have
//! [`Signer`](super::sign::Signer).
//!
//! Both calls may fail, and may say [`KeyError::Pending`]: a slow token is asked the same again later, nothing has
//! happened. An implementation takes points as shares ([`Dh::share_len`] bytes); a token that wants the whole point of
//! P-256 may complete x with any y, the secret is x alone.

use super::group::GroupError;
use super::group::Scalar;
use super::hpke::Kem;
use super::secret::declassify;
use super::{Dh, PrimeGroup, Rng, RngError, Secret};
use crate::association::{Device, Error};
use crate::engine::state::{self, Kind};
use crate::engine::wire::{Reader, Writer};
use core::fmt;

/// Length of a sealed key in bytes: what its slot in storage must hold.
pub const KEY_BLOB: usize = state::OVERHEAD + 1 + 32;

/// Why a private key did not do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The token has not finished: ask the same again later.
    Pending,
    /// There is no such key here, or not for this algorithm.
    NoKey,
    /// What the other side gave is no element of the group.
    BadElement,
    /// The token failed, or the key is not valid.
    Failed,
}

impl From<GroupError> for KeyError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::BadElement => Self::BadElement,
            GroupError::Rng(_) => Self::Failed,
        }
    }
}

/// Which of a device's static keys: the application numbers them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeySlot(pub u16);

/// A device's static Diffie-Hellman keys.
pub trait StaticKeys {
    /// Writes the public key in `slot`, as a share of the KEM's group ([`Dh::share_len`] bytes).
    ///
    /// # Errors
    /// [`KeyError::NoKey`] where the slot is empty or holds a key of another group; [`KeyError::Pending`];
    /// [`KeyError::Failed`].
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError>;

    /// Writes the secret that the key in `slot` shares with the holder of `share` ([`Dh::secret_len`] bytes).
    ///
    /// # Errors
    /// As [`public_key`](Self::public_key), and [`KeyError::BadElement`] for a share that [`Dh::agree`] refuses.
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError>;

    /// [`agree`](Self::agree) with a public key that somebody keeps: the secret will be asked for again, and may be
    /// remembered ([`Remembered`](super::remembered::Remembered)).
    ///
    /// # Errors
    /// As [`agree`](Self::agree).
    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.agree(slot, kem, share, secret)
    }

    /// Writes what the key of a [`Step`] gives, an element of the group. Only self-certified keys need it, and few tokens
    /// can do it: plain ECDH gives x alone, whose sign is lost. [`GrowingKey`] can, and so can a token that gives whole
    /// points: `P = a^u b`, then `P^key`, and `(P^key)^h P^k` outside of it.
    ///
    /// # Errors
    /// As [`agree`](Self::agree); [`KeyError::NoKey`] where it cannot.
    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        let _ = (slot, kem, step, out);
        Err(KeyError::NoKey)
    }
}

/// `(a^u b)^(h key + k)`: a self-certified key of one epoch, applied to the other side's.
#[derive(Debug)]
pub struct Step<'a> {
    /// h.
    pub h: &'a Scalar,
    /// k.
    pub k: &'a Scalar,
    /// a, an element.
    pub a: &'a [u8],
    /// u.
    pub u: &'a Scalar,
    /// b, an element.
    pub b: &'a [u8],
}

/// No static keys: for schemes that need none.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoKeys;

impl StaticKeys for NoKeys {
    fn public_key(&self, _: KeySlot, _: &dyn Kem, _: &mut [u8]) -> Result<(), KeyError> {
        Err(KeyError::NoKey)
    }

    fn agree(&self, _: KeySlot, _: &dyn Kem, _: &[u8], _: &mut [u8]) -> Result<(), KeyError> {
        Err(KeyError::NoKey)
    }
}

/// Several places to look in, one after the other: the first that has the key answers.
impl StaticKeys for &[&dyn StaticKeys] {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        first(self, |keys| keys.public_key(slot, kem, share))
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        first(self, |keys| keys.agree(slot, kem, share, secret))
    }

    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        first(self, |keys| keys.agree_known(slot, kem, share, secret))
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        first(self, |keys| keys.step(slot, kem, step, out))
    }
}

fn first(
    places: &[&dyn StaticKeys],
    mut ask: impl FnMut(&dyn StaticKeys) -> Result<(), KeyError>,
) -> Result<(), KeyError> {
    places.iter().map(|keys| ask(*keys)).find(|done| *done != Err(KeyError::NoKey)).unwrap_or(Err(KeyError::NoKey))
}

/// A static key in memory, whose group has shares of `SHARE` bytes.
pub struct StaticKey<const SHARE: usize = 32> {
    slot: KeySlot,
    kem: &'static dyn Kem,
    scalar: Secret<32>,
    share: [u8; SHARE],
}

impl<const SHARE: usize> StaticKey<SHARE> {
    /// A new key.
    ///
    /// # Errors
    /// [`KeyError::Failed`] when randomness fails, or where `SHARE` is not the length of the group's shares.
    pub fn generate(slot: KeySlot, kem: &'static dyn Kem, rng: &mut dyn Rng) -> Result<Self, KeyError> {
        if kem.group().share_len() != SHARE {
            return Err(KeyError::Failed);
        }
        let mut key = Self { slot, kem, scalar: Secret::zero(), share: [0; SHARE] };
        kem.group().generate(rng, &mut key.scalar, &mut key.share)?;
        Ok(key)
    }

    /// The key with this scalar, in the group's byte order, as [`scalar`](Self::scalar) gave it. In P-256 a scalar whose
    /// point has an odd y is replaced by its negative: the share, x, is the same.
    ///
    /// # Errors
    /// [`KeyError::Failed`] for a scalar that is zero or not below the order.
    pub fn new(slot: KeySlot, kem: &'static dyn Kem, scalar: &Secret<32>) -> Result<Self, KeyError> {
        Self::generate(slot, kem, &mut Drawn(scalar))
    }

    /// Its group.
    pub const fn kem(&self) -> &'static dyn Kem {
        self.kem
    }

    /// The private key.
    pub const fn scalar(&self) -> &Secret<32> {
        &self.scalar
    }

    /// The public key, as a share.
    pub const fn share(&self) -> &[u8; SHARE] {
        &self.share
    }

    /// Seals the key into `out` ([`KEY_BLOB`] bytes), to be stored; its length.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&self, device: &Device, out: &mut [u8]) -> Result<usize, Error> {
        let mut w = Writer::new(out.get_mut(state::OVERHEAD..).unwrap_or_default());
        w.put(&[self.kem.curve() as u8]).put(self.scalar.expose());
        let needed = |_| Error::BufferTooSmall { needed: KEY_BLOB };
        let len = w.finish().map_err(needed)?;
        state::seal(device, Kind::StaticKey, 0, out, len)
    }

    /// Opens a stored key.
    ///
    /// # Errors
    /// [`Error::BadBlob`], also for a key of another group.
    pub fn restore(slot: KeySlot, kem: &'static dyn Kem, device: &Device, blob: &[u8]) -> Result<Self, Error> {
        let mut text = Secret::<33>::zero();
        let bad = |_| Error::BadBlob;
        let (_, len) = state::open(device, Kind::StaticKey, 0, blob, text.as_mut()).map_err(bad)?;
        let mut r = Reader::new(text.expose().get(..len).ok_or(Error::BadBlob)?);
        let (curve, scalar) = (r.u8().map_err(|_| Error::BadBlob)?, r.secret().map_err(|_| Error::BadBlob)?);
        r.end().map_err(|_| Error::BadBlob)?;
        if curve != kem.curve() as u8 {
            return Err(Error::BadBlob);
        }
        Self::new(slot, kem, &scalar).map_err(|_| Error::BadBlob)
    }

    fn fits(&self, slot: KeySlot, kem: &dyn Kem) -> Result<&'static dyn Dh, KeyError> {
        if slot == self.slot && kem.label() == self.kem.label() { Ok(kem.group()) } else { Err(KeyError::NoKey) }
    }
}

/// A scalar as if it had just been drawn. Groups that draw more than its bytes take them for a big-endian number.
struct Drawn<'a>(&'a Secret<32>);

impl Rng for Drawn<'_> {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        let (head, tail) = out.split_last_chunk_mut::<32>().ok_or(RngError)?;
        head.fill(0);
        *tail = *self.0.expose();
        Ok(())
    }
}

impl<const SHARE: usize> StaticKeys for StaticKey<SHARE> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.fits(slot, kem)?;
        share.get_mut(..SHARE).ok_or(KeyError::Failed)?.copy_from_slice(&self.share);
        Ok(())
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        Ok(self.fits(slot, kem)?.agree(&self.scalar, share, secret)?)
    }
}

impl<const SHARE: usize> fmt::Debug for StaticKey<SHARE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StaticKey({}, {:?}, ..)", self.slot.0, self.kem)
    }
}

/// A static key in memory that can [`step`](StaticKeys::step) as well: a type of its own, so that an image without
/// self-certified keys links no such algebra.
pub struct GrowingKey<const SHARE: usize = 32> {
    key: StaticKey<SHARE>,
    group: &'static dyn PrimeGroup,
}

impl<const SHARE: usize> GrowingKey<SHARE> {
    /// This key, of this group.
    ///
    /// # Errors
    /// [`KeyError::Failed`] where the key is of another group.
    pub fn new(key: StaticKey<SHARE>, group: &'static dyn PrimeGroup) -> Result<Self, KeyError> {
        let mut share = [0; SHARE];
        super::group::lend(group.element_len(), &mut |element| {
            group.base(&key.scalar, element);
            // A public key.
            group.share_of_element(declassify(element), &mut share)
        })?;
        if share == key.share { Ok(Self { key, group }) } else { Err(KeyError::Failed) }
    }

    /// The key.
    pub const fn key(&self) -> &StaticKey<SHARE> {
        &self.key
    }
}

impl<const SHARE: usize> StaticKeys for GrowingKey<SHARE> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.key.public_key(slot, kem, share)
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.key.agree(slot, kem, share, secret)
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        self.key.fits(slot, kem)?;
        let (mut x, mut xu) = (Secret::zero(), Secret::zero());
        self.group.mul_add(&self.key.scalar, step.h, step.k, &mut x)?;
        self.group.mul_add(&x, step.u, &Secret::zero(), &mut xu)?;
        Ok(self.group.double_power(step.a, &xu, step.b, &x, out)?)
    }
}

impl<const SHARE: usize> fmt::Debug for GrowingKey<SHARE> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key.fmt(f)
    }
}
