//! The bare primitives behind C functions: the floor that iotkm's records and handshakes are measured from.
//!
//! Pointers come from `raw.c` alone and are taken at their word: fixed-size arrays by reference, anything else with its
//! length.
#![no_std]

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use ccm::consts::{U8, U13};
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::aead::{AeadInOut, Nonce, Tag};
use curve25519_dalek::montgomery::MontgomeryPoint;
use hmac::{Hmac, Mac};
use p256::elliptic_curve::PrimeField;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{ProjectivePoint, Scalar};
use sha2::{Digest, Sha256};

type Ccm = ccm::Ccm<Aes128, U8, U13>;

/// A fault is what the board's startup code reports.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: an undefined instruction has no effect but the fault.
        unsafe { core::arch::asm!("udf #0") }
    }
}

/// One call of the compression function.
#[unsafe(no_mangle)]
pub extern "C" fn raw_sha256_block(state: &mut [u32; 8], block: &[u8; 64]) {
    sha2::block_api::compress256(state, core::slice::from_ref(block));
}

/// # Safety
/// `data` has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_sha256(data: *const u8, len: usize, out: &mut [u8; 32]) {
    // SAFETY: as the caller promises.
    let data = unsafe { core::slice::from_raw_parts(data, len) };
    *out = Sha256::digest(data).into();
}

/// # Safety
/// `data` has `len` readable bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn raw_hmac(key: &[u8; 32], data: *const u8, len: usize, out: &mut [u8; 32]) -> bool {
    // SAFETY: as the caller promises.
    let data = unsafe { core::slice::from_raw_parts(data, len) };
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return false };
    mac.update(data);
    *out = mac.finalize().into_bytes().into();
    true
}

/// Key schedule and one block.
#[unsafe(no_mangle)]
pub extern "C" fn raw_aes128(key: &[u8; 16], block: &mut [u8; 16]) {
    Aes128::new(key.into()).encrypt_block(block.into());
}

/// Seals 64 bytes under a fresh key, with a record header of 3 bytes as associated data.
fn seal<A: AeadInOut + KeyInit>(
    key: &[u8],
    nonce: &[u8],
    header: &[u8; 3],
    text: &mut [u8; 64],
    tag: &mut [u8],
) -> bool {
    let (Ok(cipher), Ok(nonce)) = (A::new_from_slice(key), <&Nonce<A>>::try_from(nonce)) else { return false };
    match cipher.encrypt_inout_detached(nonce, header, text.as_mut_slice().into()) {
        Ok(made) if made.len() == tag.len() => {
            tag.copy_from_slice(&made);
            true
        }
        _ => false,
    }
}

fn open<A: AeadInOut + KeyInit>(key: &[u8], nonce: &[u8], header: &[u8; 3], text: &mut [u8; 64], tag: &[u8]) -> bool {
    let (Ok(cipher), Ok(nonce), Ok(tag)) =
        (A::new_from_slice(key), <&Nonce<A>>::try_from(nonce), <&Tag<A>>::try_from(tag))
    else {
        return false;
    };
    cipher.decrypt_inout_detached(nonce, header, text.as_mut_slice().into(), tag).is_ok()
}

/// AES-CCM-16-64-128 (suite 0).
#[unsafe(no_mangle)]
pub extern "C" fn raw_ccm_seal(
    key: &[u8; 16],
    nonce: &[u8; 13],
    header: &[u8; 3],
    text: &mut [u8; 64],
    tag: &mut [u8; 8],
) -> bool {
    seal::<Ccm>(key, nonce, header, text, tag)
}

/// The other way round; false if the tag is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn raw_ccm_open(
    key: &[u8; 16],
    nonce: &[u8; 13],
    header: &[u8; 3],
    text: &mut [u8; 64],
    tag: &[u8; 8],
) -> bool {
    open::<Ccm>(key, nonce, header, text, tag)
}

/// ChaCha20-Poly1305 (suite 4).
#[unsafe(no_mangle)]
pub extern "C" fn raw_chacha_seal(
    key: &[u8; 32],
    nonce: &[u8; 12],
    header: &[u8; 3],
    text: &mut [u8; 64],
    tag: &mut [u8; 16],
) -> bool {
    seal::<ChaCha20Poly1305>(key, nonce, header, text, tag)
}

/// The other way round; false if the tag is wrong.
#[unsafe(no_mangle)]
pub extern "C" fn raw_chacha_open(
    key: &[u8; 32],
    nonce: &[u8; 12],
    header: &[u8; 3],
    text: &mut [u8; 64],
    tag: &[u8; 16],
) -> bool {
    open::<ChaCha20Poly1305>(key, nonce, header, text, tag)
}

/// X25519 of RFC 7748.
#[unsafe(no_mangle)]
pub extern "C" fn raw_x25519(scalar: &[u8; 32], point: &[u8; 32], out: &mut [u8; 32]) {
    *out = MontgomeryPoint(*point).mul_clamped(*scalar).0;
}

/// The x coordinate of `scalar` times P-256's generator, by the general multiplication (no table of the generator).
#[unsafe(no_mangle)]
pub extern "C" fn raw_p256(scalar: &[u8; 32], out: &mut [u8; 32]) -> bool {
    let Some(scalar) = Option::<Scalar>::from(Scalar::from_repr((*scalar).into())) else { return false };
    let point = (ProjectivePoint::GENERATOR * scalar).to_affine().to_sec1_point(false);
    match point.x() {
        Some(x) => {
            *out = (*x).into();
            true
        }
        None => false,
    }
}
