//! Which group goes with which suite.
//!
//! Scalars are exponents here: they are multiplied, added, and applied one after the other, so the group must have prime
//! order and every scalar must count. X25519 clamps scalars and has a cofactor; its suites take ristretto255, the prime-order
//! group on the same curve, with elements as long.

use crate::crypto::group::{FFC2048, FFC3072, P256, Ristretto255};
use crate::crypto::hpke::{DHKEM_P256, KEM_FFC2048, KEM_FFC3072, KEM_RISTRETTO255, Kem};
use crate::crypto::{self, PrimeGroup, Suite};

/// A suite and the group of its credentials and shares.
#[derive(Clone, Copy)]
pub struct Setting {
    /// The suite: its cipher and lengths of tags.
    pub suite: &'static Suite,
    /// The group.
    pub group: &'static dyn PrimeGroup,
    /// The same group as a key encapsulation mechanism.
    pub kem: &'static dyn Kem,
}

impl core::fmt::Debug for Setting {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Setting").field("suite", &self.suite.id).field("kem", &self.kem).finish()
    }
}

/// Suite 0: AES-CCM-16-64-128, ristretto255.
pub static SETTING_0: Setting =
    Setting { suite: &crypto::SUITE_0_SYMMETRIC, group: &Ristretto255, kem: &KEM_RISTRETTO255 };

/// Suite 1: AES-CCM-16-128-128, ristretto255.
pub static SETTING_1: Setting =
    Setting { suite: &crypto::SUITE_1_SYMMETRIC, group: &Ristretto255, kem: &KEM_RISTRETTO255 };

/// Suite 2: AES-CCM-16-64-128, P-256.
pub static SETTING_2: Setting = Setting { suite: &crypto::SUITE_2_SYMMETRIC, group: &P256, kem: &DHKEM_P256 };

/// Suite 3: AES-CCM-16-128-128, P-256.
pub static SETTING_3: Setting = Setting { suite: &crypto::SUITE_3_SYMMETRIC, group: &P256, kem: &DHKEM_P256 };

/// Suite 4: ChaCha20/Poly1305, ristretto255.
pub static SETTING_4: Setting =
    Setting { suite: &crypto::SUITE_4_SYMMETRIC, group: &Ristretto255, kem: &KEM_RISTRETTO255 };

/// Suite 5: ChaCha20/Poly1305, P-256.
pub static SETTING_5: Setting = Setting { suite: &crypto::SUITE_5_SYMMETRIC, group: &P256, kem: &DHKEM_P256 };

/// Suite -21: AES-CCM-16-64-128, the 2048-bit subgroup, the paper's own.
pub static SETTING_FFC2048: Setting =
    Setting { suite: &crypto::SUITE_FFC2048_SYMMETRIC, group: &FFC2048, kem: &KEM_FFC2048 };

/// Suite -22: AES-CCM-16-64-128, the 3072-bit subgroup.
pub static SETTING_FFC3072: Setting =
    Setting { suite: &crypto::SUITE_FFC3072_SYMMETRIC, group: &FFC3072, kem: &KEM_FFC3072 };
