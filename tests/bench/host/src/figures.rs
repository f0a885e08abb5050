//! The registry of figures. Names stay: other people's scripts read them.

use iotkm::crypto::SUITE_0_SYMMETRIC;

use crate::lab::{Lab, Measured, Problem};
use crate::ours::{history, interactive, microcert, noninteractive, record};
use crate::{centre, m4};

pub struct Figure {
    /// A dotted path, which stays.
    pub name: &'static str,
    pub unit: &'static str,
    /// At most this, where there is a goal; at least this, where more is better.
    pub goal: Option<f64>,
    pub more_is_better: bool,
    pub measure: fn(&mut Lab) -> Result<Measured, Problem>,
}

pub const fn figure(
    name: &'static str,
    unit: &'static str,
    goal: Option<f64>,
    measure: fn(&mut Lab) -> Result<Measured, Problem>,
) -> Figure {
    Figure { name, unit, goal, more_is_better: false, measure }
}

pub const fn at_least(
    name: &'static str,
    unit: &'static str,
    goal: f64,
    measure: fn(&mut Lab) -> Result<Measured, Problem>,
) -> Figure {
    Figure { name, unit, goal: Some(goal), more_is_better: true, measure }
}

impl Figure {
    /// Whether its goal is met, where it has one.
    pub fn met(&self, value: f64) -> Option<bool> {
        self.goal.map(|goal| if self.more_is_better { value >= goal } else { value <= goal })
    }
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
    FIGURES.iter().chain(centre::FIGURES).chain(m4::FIGURES).copied().flatten()
}

static FIGURES: &[&[Figure]] = &[
    &[
        figure("history.symmetric.wire", "B", Some(130.0), |lab| {
            lab.wire("history.symmetric", Some("openssl.dtls12_psk"))
        }),
        figure("history.symmetric.host.us", "us", Some(8.0), |lab| {
            lab.us("history.symmetric", Some("openssl.dtls12_psk"))
        }),
        // GOALS gives times on one machine; the ratio to the peer of that line holds on any.
        figure("history.symmetric.host.ratio", "x", Some(8.0 / 48.0), |lab| {
            lab.ratio("history.symmetric", "openssl.dtls12_psk")
        }),
        figure("history.symmetric.host.instructions", "instructions", Some(120_000.0), |lab| {
            lab.instructions("history.symmetric", Some("openssl.dtls12_psk"))
        }),
        figure("history.symmetric.suite_4.host.instructions", "instructions", None, |lab| {
            lab.instructions("history.symmetric.suite_4", None)
        }),
        figure("history.dh.x25519.wire", "B", Some(190.0), |lab| lab.wire("history.dh.x25519", Some("snow.nnpsk0"))),
        figure("history.dh.x25519.host.us", "us", None, |lab| lab.us("history.dh.x25519", Some("snow.nnpsk0"))),
        figure("history.dh.p256.wire", "B", Some(190.0), |lab| lab.wire("history.dh.p256", None)),
        figure("history.dh.p256.host.us", "us", None, |lab| lab.us("history.dh.p256", None)),
        figure("history.ram.established", "B", Some(320.0), |_| Ok((history::ESTABLISHED as f64).into())),
        figure("history.ram.handshake", "B", Some(600.0), |_| Ok((history::HANDSHAKE as f64).into())),
    ],
    &[
        figure("interactive.phase1.p256.reference.wire", "B", Some(140.0), |lab| {
            lab.wire("interactive.phase1.p256", Some("openssl.dtls12_ecdhe_ecdsa"))
        }),
        figure("interactive.phase1.p256.host.us", "us", None, |lab| {
            lab.us("interactive.phase1.p256", Some("lakers.static_dh"))
        }),
        figure("interactive.phase1.x25519.reference.wire", "B", None, |lab| {
            lab.wire("interactive.phase1.x25519", Some("snow.xx"))
        }),
        figure("interactive.phase1.x25519.host.us", "us", None, |lab| {
            lab.us("interactive.phase1.x25519", Some("operations.phase1.x25519"))
        }),
        figure("interactive.phase1.x25519.host.ratio", "x", Some(1.05), |lab| {
            lab.ratio("interactive.phase1.x25519", "operations.phase1.x25519")
        }),
        figure("interactive.phase1.p256.host.ratio", "x", Some(1.05), |lab| {
            lab.ratio("interactive.phase1.p256", "operations.phase1.p256")
        }),
        figure("interactive.phase1.x25519.snow.ratio", "x", Some(1.0), |lab| {
            lab.ratio("interactive.phase1.x25519", "snow.xx")
        }),
        figure("interactive.phase1.x25519.remembered.host.ratio", "x", Some(1.05), |lab| {
            lab.ratio("interactive.phase1.x25519.remembered", "operations.phase1.x25519.remembered")
        }),
        figure("interactive.phase1.x25519.remembered.snow.ratio", "x", Some(1.0), |lab| {
            lab.ratio("interactive.phase1.x25519.remembered", "snow.xx")
        }),
        figure("interactive.phase2.x25519.wire", "B", None, |lab| {
            lab.wire("interactive.phase2.x25519", Some("snow.nn"))
        }),
        figure("interactive.phase2.ffc2048.wire", "B", Some(580.0), |lab| {
            lab.wire("interactive.phase2.ffc2048", Some("openssl.dtls12_dhe_psk"))
        }),
        figure("interactive.phase2.ffc3072.wire", "B", Some(836.0), |lab| lab.wire("interactive.phase2.ffc3072", None)),
        figure("interactive.phase2.x25519.host.us", "us", None, |lab| {
            lab.us("interactive.phase2.x25519", Some("operations.phase2.x25519"))
        }),
        figure("interactive.phase2.x25519.host.ratio", "x", Some(1.05), |lab| {
            lab.ratio("interactive.phase2.x25519", "operations.phase2.x25519")
        }),
        figure("interactive.phase2.p256.host.ratio", "x", Some(1.05), |lab| {
            lab.ratio("interactive.phase2.p256", "operations.phase2.p256")
        }),
        figure("interactive.phase2.x25519.snow.ratio", "x", Some(1.0), |lab| {
            lab.ratio("interactive.phase2.x25519", "snow.nn")
        }),
        figure("interactive.phase2.ffc2048.host.us", "us", Some(1_100.0), |lab| {
            lab.us("interactive.phase2.ffc2048", Some("operations.phase2.ffc2048"))
        }),
        // As above: on the machine of GOALS OpenSSL takes 220 us for one exponentiation.
        figure("interactive.phase2.ffc2048.host.ratio", "x", Some(1_100.0 / 220.0), |lab| {
            lab.ratio("interactive.phase2.ffc2048", "openssl.modexp2048")
        }),
        figure("interactive.ram.established", "B", Some(320.0), |_| Ok((interactive::ESTABLISHED as f64).into())),
        figure("interactive.ram.handshake", "B", Some(600.0), |_| Ok((interactive::HANDSHAKE as f64).into())),
        figure("noninteractive.p256.wire", "B", Some(229.0), |lab| lab.wire("noninteractive.p256", None)),
        figure("noninteractive.p256.epoch.wire", "B", Some(0.0), |lab| lab.wire("noninteractive.p256.epoch", None)),
        figure("noninteractive.p256.host.us", "us", None, |lab| lab.us("noninteractive.p256", None)),
        figure("noninteractive.p256.epoch.host.us", "us", None, |lab| lab.us("noninteractive.p256.epoch", None)),
        figure("noninteractive.ram.established", "B", None, |_| Ok((noninteractive::ESTABLISHED as f64).into())),
    ],
    &[
        figure("microcert.wire", "B", Some(56.0), |lab| lab.wire("microcert", Some("openssl.dtls12_psk"))),
        figure("microcert.host.us", "us", Some(5.0), |lab| lab.us("microcert", Some("openssl.dtls12_psk"))),
        // As above.
        figure("microcert.host.ratio", "x", Some(5.0 / 48.0), |lab| lab.ratio("microcert", "openssl.dtls12_psk")),
        figure("microcert.host.mbedtls.ratio", "x", None, |lab| lab.ratio("microcert", "mbedtls.dtls12_psk")),
        figure("microcert.host.instructions", "instructions", Some(80_000.0), |lab| {
            lab.instructions("microcert", Some("openssl.dtls12_psk"))
        }),
        figure("microcert.suite_4.host.instructions", "instructions", None, |lab| {
            lab.instructions("microcert.suite_4", Some("mbedtls.dtls12_psk"))
        }),
        figure("microcert.session.wire", "B", None, |lab| lab.wire("microcert.session", None)),
        figure("microcert.session.host.us", "us", None, |lab| lab.us("microcert.session", None)),
        figure("microcert.ram.established", "B", Some(320.0), |_| Ok((microcert::ESTABLISHED as f64).into())),
        figure("microcert.ram.handshake", "B", Some(600.0), |_| Ok((microcert::HANDSHAKE as f64).into())),
    ],
    &[
        figure("hub.datagram.10.ns", "ns", None, |lab| lab.ns("hub.datagram.10", None)),
        figure("hub.datagram.1000.ns", "ns", None, |lab| lab.ns("hub.datagram.1000", None)),
        figure("hub.datagram.100000.ns", "ns", None, |lab| lab.ns("hub.datagram.100000", None)),
        figure("hub.datagram.100000.ratio", "x", Some(2.0), |lab| lab.ratio("hub.datagram.100000", "hub.datagram.10")),
    ],
    &[
        figure("record.overhead", "B", Some(11.0), |_| {
            Ok((record::session(&SUITE_0_SYMMETRIC, true).overhead(&SUITE_0_SYMMETRIC) as f64).into())
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
        // A key pair and a secret of a checked share: 2.4 powers.
        figure("crypto.ffc2048.host.us", "us", None, |lab| lab.us("crypto.ffc2048", None)),
        figure("ffc2048.modexp.host.us", "us", None, |lab| lab.us("crypto.ffc2048.modexp", Some("openssl.modexp2048"))),
        figure("ffc2048.modexp.ratio", "x", Some(1.4), |lab| lab.ratio("crypto.ffc2048.modexp", "openssl.modexp2048")),
    ],
    &handshake!("openssl.dtls12_psk"),
    &handshake!("mbedtls.dtls12_psk"),
    &handshake!("openssl.dtls12_dhe_psk"),
    &handshake!("mbedtls.dtls12_dhe_psk"),
    &handshake!("openssl.dtls12_ecdhe_ecdsa"),
    &handshake!("mbedtls.dtls12_ecdhe_ecdsa"),
    &handshake!("lakers.static_dh"),
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
