//! What the Cortex-M4 takes: the lines of `tests/bench/m4/run`, which builds the images and runs them in an emulator.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::figures::{Figure, figure};
use crate::lab::{Problem, failed};

/// The runner's way to say that this machine lacks something; what, it says itself.
const LACKING: i32 = 3;

/// Every figure that it prints, by its name.
pub fn figures() -> Result<HashMap<String, f64>, Problem> {
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../m4/run")).stderr(Stdio::inherit()).output()?;
    if output.status.code() == Some(LACKING) {
        return Err(Problem::Missing("gcc-arm-none-eabi, libnewlib-arm-none-eabi or qemu-system-arm"));
    }
    if !output.status.success() {
        return Err(failed("tests/bench/m4/run failed"));
    }
    let line = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect())
}

/// An M4's instructions, for a goal that holds at the optimiser's level 3, and the same at z.
macro_rules! instructions {
    ($name:literal, $goal:expr) => {
        [
            figure(concat!($name, ".m4.instructions"), "instructions", $goal, |lab| {
                lab.m4(concat!($name, ".m4.instructions_3"), None)
            }),
            figure(concat!($name, ".m4.instructions_z"), "instructions", None, |lab| {
                lab.m4(concat!($name, ".m4.instructions_z"), None)
            }),
        ]
    };
}

/// What an association has written of the device's memory once it is established.
macro_rules! established {
    ($name:literal, $goal:expr) => {
        [figure(concat!($name, ".m4.established"), "B", $goal, |lab| lab.m4(concat!($name, ".m4.ram_z"), None))]
    };
}

/// A device's stack and flash, for goals that hold at z, and the same at 3.
macro_rules! memory {
    ($name:literal, $stack:expr, $flash:expr) => {
        [
            figure(concat!($name, ".m4.stack"), "B", $stack, |lab| lab.m4(concat!($name, ".m4.stack_z"), None)),
            figure(concat!($name, ".m4.stack_3"), "B", None, |lab| lab.m4(concat!($name, ".m4.stack_3"), None)),
            figure(concat!($name, ".m4.flash_z"), "B", $flash, |lab| lab.m4(concat!($name, ".m4.flash_z"), None)),
            figure(concat!($name, ".m4.flash_3"), "B", None, |lab| lab.m4(concat!($name, ".m4.flash_3"), None)),
        ]
    };
}

/// A device's flash alone, for what runs no differently.
macro_rules! flash {
    ($name:literal, $flash:expr) => {
        [
            figure(concat!($name, ".m4.flash_z"), "B", $flash, |lab| lab.m4(concat!($name, ".m4.flash_z"), None)),
            figure(concat!($name, ".m4.flash_3"), "B", None, |lab| lab.m4(concat!($name, ".m4.flash_3"), None)),
        ]
    };
}

/// A 64-byte record's one side, beside the bare cipher.
macro_rules! record {
    ($name:literal, $goal:expr, $peer:literal) => {
        [
            figure(concat!($name, ".m4.instructions"), "instructions", $goal, |lab| {
                lab.m4(concat!($name, ".m4.instructions_3"), Some(concat!($peer, ".m4.instructions_3")))
            }),
            figure(concat!($name, ".m4.ratio"), "x", Some(1.2), |lab| {
                lab.m4_ratio(concat!($name, ".m4.instructions_3"), concat!($peer, ".m4.instructions_3"))
            }),
        ]
    };
}

/// The registry's part that is measured here.
pub static FIGURES: &[&[Figure]] = &[
    &instructions!("history.symmetric", Some(350_000.0)),
    &memory!("history.symmetric", Some(1_500.0), Some(14_000.0)),
    &flash!("history.leaf", Some(14_000.0)),
    &instructions!("history.aes", None),
    &memory!("history.aes", Some(1_500.0), Some(14_000.0)),
    &instructions!("history.dh.x25519", None),
    &memory!("history.dh.x25519", Some(3_000.0), Some(22_000.0)),
    &instructions!("history.dh.p256", None),
    &memory!("history.dh.p256", Some(5_000.0), None),
    &instructions!("history.cpace", None),
    &memory!("history.cpace", None, Some(28_000.0)),
    &instructions!("interactive.x25519", None),
    &memory!("interactive.x25519", Some(3_000.0), Some(22_000.0)),
    &instructions!("interactive.phase1.x25519.value", None),
    &instructions!("interactive.phase1.x25519.value.hub", None),
    &instructions!("interactive.phase1.x25519.reference", None),
    &instructions!("interactive.phase2.x25519", Some(2_900_000.0)),
    &instructions!("interactive.phase2.x25519.hub", Some(2_900_000.0)),
    &established!("interactive", Some(320.0)),
    &instructions!("interactive.p256", None),
    &memory!("interactive.p256", Some(5_000.0), None),
    &instructions!("interactive.phase1.p256.value", None),
    &instructions!("interactive.phase1.p256.value.hub", None),
    &instructions!("interactive.phase1.p256.reference", None),
    &instructions!("interactive.phase2.p256", None),
    &instructions!("interactive.phase2.p256.hub", None),
    &instructions!("noninteractive.handshake.ristretto255", None),
    &instructions!("noninteractive.epoch.ristretto255", None),
    &memory!("noninteractive.ristretto255", Some(3_000.0), Some(22_000.0)),
    &instructions!("noninteractive.handshake.p256", None),
    &instructions!("noninteractive.epoch.p256", None),
    &memory!("noninteractive.p256", Some(5_000.0), None),
    &instructions!("microcert", Some(200_000.0)),
    &memory!("microcert", Some(1_500.0), Some(14_000.0)),
    &instructions!("microcert.session", None),
    &flash!("microcert.signs", None),
    &flash!("microcert.session", None),
    &established!("microcert.whole", Some(320.0)),
    &flash!("microcert.enrols", None),
    &instructions!("microcert.challenge", None),
    &instructions!("microcert.store", None),
    &instructions!("microcert.sign", None),
    &instructions!("microcert.aes", None),
    &flash!("microcert.aes", None),
    &record!("record.suite_4.seal64", Some(6_000.0), "raw.chacha.seal64"),
    &record!("record.suite_4.open64", Some(6_000.0), "raw.chacha.open64"),
    &record!("record.suite_0.seal64", None, "raw.ccm.seal64"),
    &record!("record.suite_0.open64", None, "raw.ccm.open64"),
];
