//! The values that a program names to link an algorithm.

use core_of_iotkm::crypto::{self, Suite};

/// A cipher suite: one of the values below. What a program does not name it does not link, if it links with
/// `-Wl,--gc-sections` or the like.
#[derive(Debug)]
pub struct iotkm_suite {
    pub(crate) suite: &'static Suite,
}

/// Suite 0: AES-CCM with 8-byte tags, X25519. The default.
#[unsafe(no_mangle)]
pub static iotkm_suite_0: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_0 };
/// Suite 0 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_0_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_0_SYMMETRIC };
/// Suite 1: AES-CCM with 16-byte tags, X25519.
#[unsafe(no_mangle)]
pub static iotkm_suite_1: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_1 };
/// Suite 1 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_1_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_1_SYMMETRIC };
/// Suite 2: AES-CCM with 8-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_2: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_2 };
/// Suite 2 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_2_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_2_SYMMETRIC };
/// Suite 3: AES-CCM with 16-byte tags, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_3: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_3 };
/// Suite 3 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_3_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_3_SYMMETRIC };
/// Suite 4: ChaCha20/Poly1305, X25519: the fastest on a microcontroller without AES hardware.
#[unsafe(no_mangle)]
pub static iotkm_suite_4: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_4 };
/// Suite 4 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_4_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_4_SYMMETRIC };
/// Suite 5: ChaCha20/Poly1305, P-256.
#[unsafe(no_mangle)]
pub static iotkm_suite_5: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_5 };
/// Suite 5 without Diffie-Hellman: no group is linked; forward secrecy only from one key update to the next.
#[unsafe(no_mangle)]
pub static iotkm_suite_5_symmetric: iotkm_suite = iotkm_suite { suite: &crypto::SUITE_5_SYMMETRIC };
