//! Stateless cookies: proof that somebody receives at an address, without remembering that they asked.

use crate::association::{Addr, Device, Instant};
use crate::crypto::{Prk, secret::ct_eq};

/// Length of a cookie in bytes.
pub const LEN: usize = 8;
/// How long a cookie is good for at least, in ms; at most twice that.
const PERIOD: u64 = 60_000;

fn of_period(device: &Device, period: u64, from: &Addr, message: &[u8]) -> [u8; LEN] {
    let mut cookie = [0; LEN];
    let addr = from.as_bytes();
    Prk::new("engine", device.0.expose()).expand(
        "cookie",
        &[&period.to_be_bytes(), &[addr.len() as u8], addr, message],
        &mut cookie,
    );
    cookie
}

/// The cookie for this address and message now.
pub fn make(device: &Device, now: Instant, from: &Addr, message: &[u8]) -> [u8; LEN] {
    of_period(device, now.0 / PERIOD, from, message)
}

/// Whether this cookie was made here for this address and message, in this period or the one before.
pub fn verify(device: &Device, now: Instant, from: &Addr, message: &[u8], cookie: &[u8]) -> bool {
    let period = now.0 / PERIOD;
    let this = ct_eq(&of_period(device, period, from, message), cookie);
    let last = ct_eq(&of_period(device, period.wrapping_sub(1), from, message), cookie);
    this | last
}
