//! The microcert scheme as paper 003 has it: for reproducing the paper and for showing what breaks. **Not for use.**
//!
//! ```text
//!   device                                                      centre
//!   K_auth = CSK(seed, time, random)
//!   id, time, random, E(K_auth, critical part)     -->          the same K_auth from the same seed: equal?
//! ```
//!
//! How it breaks is in `tests/attacks`; what the paper leaves open, and how it is read here, in [`spec`].

pub mod keys;

use super::{Date, Id, Seed};
use crate::crypto::{Rng, RngError, kdf};
use crate::engine::drops::Dropped;
use crate::engine::published::published_header;
use crate::engine::wire::{HEADER_LEN, Reader, Writer};
use keys::{PublishedKey, RANDOM_LEN};

#[doc = include_str!("../published.md")]
pub mod spec {}

/// Message numbers.
pub mod message {
    /// A micro-certificate.
    pub const AUTH: u8 = 1;
    /// A signature.
    pub const SIGNATURE: u8 = 8;
}

/// The longest micro-certificate or signature in bytes.
pub const PUBLISHED_MAX: usize = HEADER_LEN + 1 + Id::MAX + 4 + RANDOM_LEN + 32;

/// A device: its id and its seed.
#[derive(Debug)]
pub struct PublishedChip {
    id: Id,
    seed: Seed,
}

/// What a micro-certificate or a signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedCertificate<'a> {
    /// Whose.
    pub id: Id,
    /// When, in seconds since 1970.
    pub time: u32,
    /// The random number.
    pub random: [u8; RANDOM_LEN],
    /// What is encrypted.
    pub code: &'a [u8],
}

impl<'a> PublishedCertificate<'a> {
    /// Reads one with this message number.
    ///
    /// # Errors
    /// Malformed, or another message.
    pub fn read(number: u8, bytes: &'a [u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(bytes);
        if r.array()? != published_header(super::wire::NUMBER, number) {
            return Err(Dropped::Version);
        }
        let id = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        Ok(Self { id, time: r.u32()?, random: r.array()?, code: r.rest() })
    }
}

/// "The critical part of the micro-certificate".
fn critical(id: &Id, time: u32, random: &[u8; RANDOM_LEN]) -> [u8; 16] {
    let hash = kdf::hash(&[id.as_bytes(), &time.to_be_bytes(), random]);
    hash.first_chunk().copied().unwrap_or_default()
}

impl PublishedChip {
    /// A device with this seed.
    pub const fn new(id: Id, seed: Seed) -> Self {
        Self { id, seed }
    }

    /// "Each time the sensor node begins an authentication request": a micro-certificate, at most [`PUBLISHED_MAX`] bytes; its
    /// length, 0 where the seed has no row for the year.
    ///
    /// # Errors
    /// Randomness failed.
    pub fn authenticate(&self, time: u32, rng: &mut dyn Rng, out: &mut [u8]) -> Result<usize, RngError> {
        self.make(message::AUTH, time, rng, out, |random| {
            let mut code = [0; 32];
            if let Some(to) = code.first_chunk_mut() {
                *to = critical(&self.id, time, random);
            }
            (code, 16)
        })
    }

    /// "Each time it requests data signature operation": a signature; otherwise as [`authenticate`](Self::authenticate).
    ///
    /// # Errors
    /// Randomness failed.
    pub fn sign(&self, time: u32, rng: &mut dyn Rng, data: &[u8], out: &mut [u8]) -> Result<usize, RngError> {
        self.make(message::SIGNATURE, time, rng, out, |_| (kdf::hash(&[data]), 32))
    }

    fn make(
        &self,
        number: u8,
        time: u32,
        rng: &mut dyn Rng,
        out: &mut [u8],
        text: impl FnOnce(&[u8; RANDOM_LEN]) -> ([u8; 32], usize),
    ) -> Result<usize, RngError> {
        let mut random = [0; RANDOM_LEN];
        rng.fill(&mut random)?;
        let Ok(rows) = self.seed.select(&Date::of(time)) else { return Ok(0) };
        let key = PublishedKey::csk(&rows, &random);
        let (mut text, len) = text(&random);
        key.encrypt(&mut text);
        let mut w = Writer::new(out);
        w.put(&published_header(super::wire::NUMBER, number)).short(self.id.as_bytes());
        w.put(&time.to_be_bytes()).put(&random).put(text.get(..len).unwrap_or(&[]));
        Ok(w.finish().unwrap_or(0))
    }
}

/// A centre: the seeds of all devices.
#[derive(Debug)]
pub struct PublishedCentre<S>(S);

impl<S: AsRef<[(Id, Seed)]>> PublishedCentre<S> {
    /// A centre with these seeds.
    pub const fn new(seeds: S) -> Self {
        Self(seeds)
    }

    /// Whose micro-certificate this is, if it is one.
    pub fn check(&self, bytes: &[u8]) -> Option<Id> {
        let read = PublishedCertificate::read(message::AUTH, bytes).ok()?;
        let mut text = critical(&read.id, read.time, &read.random);
        self.key(&read)?.encrypt(&mut text);
        (text == read.code).then_some(read.id)
    }

    /// Who has signed this data, if somebody has.
    pub fn verify(&self, signature: &[u8], data: &[u8]) -> Option<Id> {
        let read = PublishedCertificate::read(message::SIGNATURE, signature).ok()?;
        let mut text = kdf::hash(&[data]);
        self.key(&read)?.encrypt(&mut text);
        (text == read.code).then_some(read.id)
    }

    fn key(&self, read: &PublishedCertificate<'_>) -> Option<PublishedKey> {
        let (_, seed) = self.0.as_ref().iter().find(|(id, _)| *id == read.id)?;
        let rows = seed.select(&Date::of(read.time)).ok()?;
        Some(PublishedKey::csk(&rows, &read.random))
    }
}
