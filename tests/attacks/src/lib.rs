//! What the attacks need: networks to attack, and what somebody who only listens has.
//!
//! The attacks themselves are the tests: `known_breaks` succeed on Published and fail on Hardened, `must_resist` fail on
//! Hardened.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

pub mod cheats;
pub mod hardened;
pub mod phase1;
#[cfg(feature = "published")]
pub mod published;
pub mod tickets;

use iotkm::{Addr, Association};
use iotkm_netsim::Net;

/// Where the attacker sends from.
pub fn mallory() -> Addr {
    Addr::new(b"mallory").expect("short")
}

/// Every datagram that was sent, as somebody on the way sees it: from a, bytes.
pub type Transcript = Vec<(bool, Vec<u8>)>;

/// The attacker sends this to b (or a) and sees what comes back to its own address.
pub fn probe<A: Association, B: Association>(net: &mut Net<A, B>, to_b: bool, bytes: &[u8]) -> Vec<Vec<u8>> {
    let before = net.trace.len();
    net.inject(to_b, &mallory(), bytes);
    net.trace[before..].iter().filter(|(from_a, _)| *from_a != to_b).map(|(_, bytes)| bytes.clone()).collect()
}

/// The XOR of both, as long as the shorter.
pub fn xor(a: &[u8], b: &[u8]) -> Vec<u8> {
    a.iter().zip(b).map(|(a, b)| a ^ b).collect()
}

/// What the attacker tries: secrets, places, and times around the moment that it saw.
#[derive(Clone, Debug)]
pub struct Dictionary {
    /// Secrets.
    pub sk: Vec<Vec<u8>>,
    /// Places.
    pub li: Vec<Vec<u8>>,
    /// Times.
    pub t: std::ops::RangeInclusive<u64>,
}

impl Dictionary {
    /// All PINs of four digits, some rooms, and the times within `ms` of `around`.
    pub fn small(around: u64, ms: u64) -> Self {
        let rooms = ["", "hall", "kitchen", "lab", "garage", "bedroom", "Paris", "home"];
        Self {
            sk: (0..10_000).map(|n| format!("{n:04}").into_bytes()).collect(),
            li: rooms.map(|room| room.as_bytes().to_vec()).to_vec(),
            t: around - ms..=around + ms,
        }
    }
}
