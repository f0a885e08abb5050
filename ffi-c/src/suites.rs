//! The values that a program names to link an algorithm.

use crate::raw;
use crate::status::{Outcome, iotkm_status::*};
use core_of_iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace};
use core_of_iotkm::crypto::{self, Suite};

/// A cipher suite: one of the values below. What a program does not name it does not link, if it links with
/// `-Wl,--gc-sections` or the like.
#[derive(Debug)]
pub struct iotkm_suite(pub(crate) Suite);
// So that an array of pointers to one is an array of pointers to the other.
const _: () = assert!(core::mem::offset_of!(iotkm_suite, 0) == 0 && size_of::<iotkm_suite>() == size_of::<Suite>());

impl iotkm_suite {
    const fn of(suite: &Suite) -> Self {
        let Suite { id, aead, mac_len, dh } = *suite;
        Self(Suite { id, aead, mac_len, dh })
    }

    /// The suites that an array of C's names; it is the association's as long as that lives.
    pub(crate) unsafe fn list(array: *const *const Self, count: usize) -> Outcome<&'static [&'static Suite]> {
        if count == 0 || count > 8 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let start = raw::some(array)?;
        for i in 0..count {
            // SAFETY: `count` pointers, by contract.
            raw::some(unsafe { start.add(i).read() })?;
        }
        // SAFETY: pointers that are not NULL are references; a suite begins with what it is made of, and lives for ever.
        Ok(unsafe { core::slice::from_raw_parts(start.as_ptr().cast(), count) })
    }
}

/// Suite 0: AES-CCM with 8-byte tags, X25519. The default.
#[unsafe(no_mangle)]
pub static iotkm_suite_0: iotkm_suite = iotkm_suite::of(&crypto::SUITE_0);
/// Suite 0 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_0_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_0_SYMMETRIC);
/// Suite 1: AES-CCM with 16-byte tags, X25519.
#[unsafe(no_mangle)]
pub static iotkm_suite_1: iotkm_suite = iotkm_suite::of(&crypto::SUITE_1);
/// Suite 1 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_1_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_1_SYMMETRIC);
/// Suite 2: AES-CCM with 8-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_2: iotkm_suite = iotkm_suite::of(&crypto::SUITE_2);
/// Suite 2 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_2_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_2_SYMMETRIC);
/// Suite 3: AES-CCM with 16-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_3: iotkm_suite = iotkm_suite::of(&crypto::SUITE_3);
/// Suite 3 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_3_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_3_SYMMETRIC);
/// Suite 4: ChaCha20/Poly1305, X25519: the fastest on a microcontroller without AES hardware.
#[unsafe(no_mangle)]
pub static iotkm_suite_4: iotkm_suite = iotkm_suite::of(&crypto::SUITE_4);
/// Suite 4 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_4_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_4_SYMMETRIC);
/// Suite 5: ChaCha20/Poly1305, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_5: iotkm_suite = iotkm_suite::of(&crypto::SUITE_5);
/// Suite 5 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_5_symmetric: iotkm_suite = iotkm_suite::of(&crypto::SUITE_5_SYMMETRIC);
/// Suite -21: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 2048 bits: the papers' setting.
#[unsafe(no_mangle)]
pub static iotkm_suite_ffc2048: iotkm_suite = iotkm_suite::of(&crypto::SUITE_FFC2048);
/// Suite -22: AES-CCM with 8-byte tags, a subgroup of Z_p* with p of 3072 bits.
#[unsafe(no_mangle)]
pub static iotkm_suite_ffc3072: iotkm_suite = iotkm_suite::of(&crypto::SUITE_FFC3072);

/// A group in which a pairing proves that both sides know the user's secret (CPace, draft-irtf-cfrg-cpace): one of the values
/// below.
pub struct iotkm_cpace {
    pub(crate) cpace: &'static dyn Cpace,
}

impl core::fmt::Debug for iotkm_cpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("iotkm_cpace")
    }
}

/// ristretto255, with SHA-512. Goes with suites 0, 1 and 4.
#[unsafe(no_mangle)]
pub static iotkm_cpace_ristretto255: iotkm_cpace = iotkm_cpace { cpace: &CPACE_RISTRETTO255 };
/// P-256. Goes with suites 2, 3 and 5.
#[unsafe(no_mangle)]
pub static iotkm_cpace_p256: iotkm_cpace = iotkm_cpace { cpace: &CPACE_P256 };
