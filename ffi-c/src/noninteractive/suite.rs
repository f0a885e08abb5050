//! The suites of the noninteractive scheme.

use super::of::{Curve, Ffc, Group, Of};
use crate::raw;
use crate::status::Outcome;
use core_of_iotkm::noninteractive::Setting;
use core_of_iotkm::noninteractive::setting::{
    SETTING_0, SETTING_1, SETTING_2, SETTING_3, SETTING_4, SETTING_5, SETTING_FFC2048, SETTING_FFC3072,
};

/// A suite of the noninteractive scheme: cipher, and the group of credentials and their keys. One of the values below; what a
/// program does not name it does not link.
pub struct iotkm_noninteractive_suite {
    pub(crate) setting: &'static Setting,
    pub(super) of: &'static dyn Of,
}

impl core::fmt::Debug for iotkm_noninteractive_suite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.setting.fmt(f)
    }
}

impl iotkm_noninteractive_suite {
    /// The suite that a call names.
    pub(crate) unsafe fn get(this: *const Self) -> Outcome<&'static Self> {
        raw::read(this)
    }
}

static RISTRETTO255: Curve<32> = Group;
static P256: Curve<65> = Group;
static FFC2048: Ffc<256> = Group;
static FFC3072: Ffc<384> = Group;

/// Suite 0: AES-CCM with 8-byte tags, ristretto255.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_0: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_0, of: &RISTRETTO255 };
/// Suite 1: AES-CCM with 16-byte tags, ristretto255.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_1: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_1, of: &RISTRETTO255 };
/// Suite 2: AES-CCM with 8-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_2: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_2, of: &P256 };
/// Suite 3: AES-CCM with 16-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_3: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_3, of: &P256 };
/// Suite 4: ChaCha20/Poly1305, ristretto255: the fastest on a microcontroller without AES hardware.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_4: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_4, of: &RISTRETTO255 };
/// Suite 5: ChaCha20/Poly1305, P-256.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_5: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_5, of: &P256 };
/// Suite -21: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 2048 bits: the papers' setting. Peers and memory are those
/// that end in _ffc.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_ffc2048: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_FFC2048, of: &FFC2048 };
/// Suite -22: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 3072 bits. Peers and memory are those that end in _ffc.
#[unsafe(no_mangle)]
pub static iotkm_noninteractive_suite_ffc3072: iotkm_noninteractive_suite =
    iotkm_noninteractive_suite { setting: &SETTING_FFC3072, of: &FFC3072 };
