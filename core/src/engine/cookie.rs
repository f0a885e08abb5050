//! Stateless cookies: proof that somebody receives at an address, without remembering that they asked.

use crate::association::{Addr, Device, Instant};
use crate::crypto::{Prk, secret::ct_eq};
use crate::engine::wire::{self, Writer};

/// Length of a cookie in bytes.
pub const LEN: usize = 8;
/// Length of a request for a cookie in bytes.
pub const REQUEST_LEN: usize = wire::HEADER_LEN + LEN;
/// A cookie is good for 2^16 ms at least and twice that at most. A power of two: small devices divide 64 bits in software.
const PERIOD_BITS: u32 = 16;

fn of_period(device: &Device, period: u64, from: &Addr) -> [u8; LEN] {
    let mut cookie = [0; LEN];
    Prk::new("engine", device.0.expose()).expand("cookie", &[&period.to_be_bytes(), from.as_bytes()], &mut cookie);
    cookie
}

/// The cookie for this address now.
pub fn make(device: &Device, now: Instant, from: &Addr) -> [u8; LEN] {
    of_period(device, now.0 >> PERIOD_BITS, from)
}

/// Whether this cookie was made here for this address, in this period or the one before.
pub fn verify(device: &Device, now: Instant, from: &Addr, cookie: &[u8]) -> bool {
    let period = now.0 >> PERIOD_BITS;
    let this = ct_eq(&of_period(device, period, from), cookie);
    let last = ct_eq(&of_period(device, period.wrapping_sub(1), from), cookie);
    this | last
}

/// A request to show this cookie: a whole datagram.
pub fn request(device: &Device, now: Instant, from: &Addr) -> [u8; REQUEST_LEN] {
    let mut out = [0; REQUEST_LEN];
    let mut w = Writer::new(&mut out);
    w.put(&wire::header(wire::ENGINE, wire::engine::COOKIE_REQUEST, 0)).put(&make(device, now, from));
    out
}
