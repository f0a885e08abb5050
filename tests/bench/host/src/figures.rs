//! The registry of figures. Names stay: other people's scripts read them.

use crate::lab::{Lab, Measured, Problem};
use crate::ours::record;

pub struct Figure {
    /// A dotted path, which stays.
    pub name: &'static str,
    pub unit: &'static str,
    /// At most this, where there is a goal.
    pub goal: Option<f64>,
    pub measure: fn(&mut Lab) -> Result<Measured, Problem>,
}

const fn figure(
    name: &'static str,
    unit: &'static str,
    goal: Option<f64>,
    measure: fn(&mut Lab) -> Result<Measured, Problem>,
) -> Figure {
    Figure { name, unit, goal, measure }
}

/// Bytes, time and instructions of a peer's handshake, both sides.
macro_rules! handshake {
    ($op:literal) => {
        [
            figure(concat!("peer.", $op, ".wire"), "B", None, |lab| lab.wire($op, None)),
            figure(concat!("peer.", $op, ".host.us"), "us", None, |lab| lab.us($op, None)),
            figure(concat!("peer.", $op, ".host.instructions"), "instructions", None, |lab| {
                lab.instructions($op, None)
            }),
        ]
    };
}

/// Time and instructions to seal and open a 64-byte record.
macro_rules! record {
    ($op:literal) => {
        [
            figure(concat!("peer.", $op, ".host.ns"), "ns", None, |lab| lab.ns($op, None)),
            figure(concat!("peer.", $op, ".host.instructions"), "instructions", None, |lab| {
                lab.instructions($op, None)
            }),
        ]
    };
}

pub fn all() -> impl Iterator<Item = &'static Figure> {
    FIGURES.iter().copied().flatten()
}

static FIGURES: &[&[Figure]] = &[
    &[
        figure("record.overhead", "B", Some(11.0), |_| {
            Ok((record::session(&iotkm::crypto::SUITE_0_SYMMETRIC, true).overhead() as f64).into())
        }),
        figure("record.host.ratio", "x", Some(1.15), |lab| lab.ratio("record.suite_0", "aead.aes_ccm_8.rekeyed")),
        figure("record.host.ns", "ns", None, |lab| lab.ns("record.suite_0", Some("aead.aes_ccm_8.rekeyed"))),
        figure("record.host.instructions", "instructions", None, |lab| {
            lab.instructions("record.suite_0", Some("aead.aes_ccm_8.rekeyed"))
        }),
        figure("record.suite_4.host.ratio", "x", Some(1.15), |lab| {
            lab.ratio("record.suite_4", "aead.chacha20_poly1305.rekeyed")
        }),
    ],
    // What of a record is the cipher's shell, and of a handshake the group's.
    &[
        figure("crypto.aes_ccm_8.host.ratio", "x", None, |lab| lab.ratio("crypto.aes_ccm_8", "aead.aes_ccm_8.rekeyed")),
        figure("crypto.chacha20_poly1305.host.ratio", "x", None, |lab| {
            lab.ratio("crypto.chacha20_poly1305", "aead.chacha20_poly1305.rekeyed")
        }),
        figure("crypto.x25519.host.us", "us", None, |lab| lab.us("crypto.x25519", None)),
        figure("crypto.x25519.host.instructions", "instructions", None, |lab| lab.instructions("crypto.x25519", None)),
        figure("crypto.p256.host.us", "us", None, |lab| lab.us("crypto.p256", None)),
        figure("crypto.p256.host.instructions", "instructions", None, |lab| lab.instructions("crypto.p256", None)),
    ],
    &handshake!("openssl.dtls12_psk"),
    &handshake!("mbedtls.dtls12_psk"),
    &handshake!("snow.nn"),
    &handshake!("snow.nnpsk0"),
    &handshake!("snow.kk"),
    &handshake!("snow.ik"),
    &handshake!("snow.xx"),
    &record!("snow.record"),
    &record!("aead.aes_ccm_8.cached"),
    &record!("aead.aes_ccm_8.rekeyed"),
    &record!("aead.chacha20_poly1305.cached"),
    &record!("aead.chacha20_poly1305.rekeyed"),
];
