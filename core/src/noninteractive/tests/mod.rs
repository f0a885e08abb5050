//! Tests of credentials and of the progression.

mod credentials;
mod progression;
mod renewal;
mod stored;

use super::Operator;
use super::issue::OperatorKey;
use super::setting::{SETTING_0, SETTING_2, SETTING_FFC2048, Setting};
use crate::cose::TicketAgent;
use crate::crypto::sign::{Ed25519Key, PublicKey, Signer};
use crate::crypto::{Rng, RngError, Secret, kdf::hash};

/// Randomness that repeats.
pub(super) struct Seeded(pub u64);

impl Rng for Seeded {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        for chunk in out.chunks_mut(32) {
            self.0 += 1;
            chunk.copy_from_slice(&hash(&[&self.0.to_be_bytes()])[..chunk.len()]);
        }
        Ok(())
    }
}

pub(super) fn lists() -> PublicKey {
    Ed25519Key::new(Secret::new([9; 32])).public_key().unwrap()
}

/// An agent that may give out its first numbers.
pub(super) fn agent(name: &str) -> TicketAgent {
    let mut agent = TicketAgent::new(name).unwrap();
    let device = crate::Device::new(Secret::new([7; 32]));
    agent.seal(&device, &mut [0; 200]).unwrap();
    agent.persisted();
    agent
}

pub(super) fn operator<'a, const SHARE: usize>(setting: &'static Setting, key: &'a OperatorKey<SHARE>) -> Operator<'a> {
    Operator { name: "acme", setting, key: key.share(), lists: lists() }
}
