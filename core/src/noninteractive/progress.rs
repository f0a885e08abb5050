//! Progression (paper 000, section 3.B.2): one side's way from epoch to epoch, without a message.
//!
//! ```text
//! chain_0 = root        chain_{t+1} = KDF(chain_t, "chain")        V_t = Scalar(KDF(chain_t, "v"))
//! K_A,t = K_A,t-1 V_t   r_A,t = g^K_A,t                            x_A,t = x_A,0 h(A, r_A,t) + K_A,t
//! r_S,t = r_S,t-1^V_t   y_S,t = y_S,0^h(S, r_S,t) r_S,t            K_t = KDF(y_S,t^x_A,t, chain_t, "epoch", t)
//! ```
//! [`Progress::advance`] hashes and multiplies exponents, [`Progress::key`] does the three group operations: fixed base,
//! peer base, one double power. However many epochs are jumped, they are three.

use super::{Setting, keys};
use crate::crypto::Secret;
use crate::crypto::group::{GroupError, Scalar, lend};
use crate::crypto::keys::{KeyError, KeySlot, StaticKeys, Step};
use crate::crypto::secret::declassify;
use crate::engine::drops::Dropped;
use crate::engine::wire::{Reader, Writer};
use core::fmt;

/// Whose keys they are.
#[derive(Clone)]
pub struct Parties {
    /// th_4 of the handshake: both credentials.
    pub bind: [u8; 32],
    /// Whether this side was A.
    pub a: bool,
    /// Where this side's static key is.
    pub slot: KeySlot,
}

impl fmt::Debug for Parties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parties").field("a", &self.a).field("slot", &self.slot).finish_non_exhaustive()
    }
}

/// Where a side stands: nothing here leads back to an epoch before.
#[derive(Clone)]
pub struct Progress<const N: usize> {
    epoch: u32,
    chain: Secret<32>,
    k: Scalar,
    /// r_S of an earlier epoch, and the product of the V since.
    r: [u8; N],
    v: Option<Scalar>,
}

impl<const N: usize> fmt::Debug for Progress<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Progress({}, ..)", self.epoch)
    }
}

impl<const N: usize> Drop for Progress<N> {
    fn drop(&mut self) {
        self.r.fill(0);
    }
}

impl<const N: usize> Progress<N> {
    /// Length of what is stored in bytes.
    pub const LEN: usize = 4 + 32 + 32 + N + 1 + 32;

    /// At epoch 1: `k` is this side's N, `r` the peer's g^N, an element of `N` bytes.
    ///
    /// # Errors
    /// V_1 is zero.
    pub fn start(setting: &Setting, root: Secret<32>, k: Scalar, r: &[u8; N]) -> Result<Self, GroupError> {
        let mut progress = Self { epoch: 0, chain: root, k, r: *r, v: None };
        progress.advance(setting, 1)?;
        Ok(progress)
    }

    /// The epoch that it stands at.
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Goes forward to this epoch by hashing alone; stays where it is if that is past.
    ///
    /// # Errors
    /// Some V is zero; nothing has changed.
    pub fn advance(&mut self, setting: &Setting, to: u32) -> Result<(), GroupError> {
        let group = setting.group;
        let Some(steps) = to.checked_sub(self.epoch).filter(|steps| *steps > 0) else { return Ok(()) };
        let mut chain = self.chain.clone();
        let mut product = self.v.clone().unwrap_or_else(|| group.one());
        let mut through = group.one();
        let (mut v, mut next) = (Secret::zero(), Secret::zero());
        for _ in 0..steps {
            chain = keys::next_chain(&chain);
            keys::v(setting, &chain, &mut v)?;
            group.mul_add(&through, &v, &Secret::zero(), &mut next)?;
            core::mem::swap(&mut through, &mut next);
        }
        let mut k = Secret::zero();
        group.mul_add(&self.k, &through, &Secret::zero(), &mut k)?;
        group.mul_add(&product.clone(), &through, &Secret::zero(), &mut product)?;
        (self.epoch, self.chain, self.k, self.v) = (to, chain, k, Some(product));
        Ok(())
    }

    /// K_t of the epoch that it stands at: three group operations. `y` is y_S,0, the peer's public key, an element.
    ///
    /// # Errors
    /// [`KeyError`]; with [`KeyError::Pending`] it is asked again, and what was computed is kept.
    pub fn key(
        &mut self,
        setting: &Setting,
        parties: &Parties,
        y: &[u8; N],
        statics: &dyn StaticKeys,
    ) -> Result<Secret<32>, KeyError> {
        let Parties { bind, a, slot } = parties;
        let group = setting.group;
        if let Some(v) = &self.v {
            let mut r = [0; N];
            group.power(&self.r, v, &mut r)?;
            // A public key in all but name: the schemes before this one sent it. What it hides is the exponent.
            self.r = *declassify(&r);
            self.v = None;
        }
        let (mut h, mut u) = (Secret::zero(), Secret::zero());
        lend(N, &mut |own| {
            group.base(&self.k, own);
            keys::step_hash(setting, bind, *a, self.epoch, own, &mut h)
        })?;
        keys::step_hash(setting, bind, !a, self.epoch, &self.r, &mut u)?;
        lend(N, &mut |product| {
            let step = Step { h: &h, k: &self.k, a: y, u: &u, b: &self.r };
            statics.step(*slot, setting.kem, &step, product)?;
            Ok(keys::epoch_key(&self.chain, product, self.epoch))
        })
    }

    /// The tag by which A (`a`) or S says that it is in this epoch, which is not before the one where this stands: found by
    /// hashing alone.
    pub fn lag_tag(&self, a: bool, epoch: u32) -> [u8; keys::LAG_LEN] {
        let mut chain = self.chain.clone();
        for _ in self.epoch..epoch {
            chain = keys::next_chain(&chain);
        }
        keys::lag_tag(&chain, a, epoch)
    }

    /// Writes what is stored.
    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&self.epoch.to_be_bytes()).put(self.chain.expose()).put(self.k.expose()).put(&self.r);
        w.put(&[u8::from(self.v.is_some())]).put(self.v.as_ref().unwrap_or(&Secret::zero()).expose());
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// Malformed.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Dropped> {
        let (epoch, chain, k) = (r.u32()?, r.secret()?, r.secret()?);
        let peers = r.array::<N>()?;
        let (waits, v) = (r.u8()?, r.secret()?);
        if epoch == 0 || waits > 1 {
            return Err(Dropped::Malformed);
        }
        Ok(Self { epoch, chain, k, r: peers, v: (waits == 1).then_some(v) })
    }
}
