//! Interactive: two devices with tickets of one agent agree on a pairwise master key, and renew it with every session key
//! (paper 000, section 2).
//!
//! ```text
//!  A                        phase 1: tickets -> PMK                                S
//!  M1   ticket or reference, R, suites                                -->
//!                                   ticket or reference, g^NS, N_S0..2     <--   M2
//!  M3   g^NA, N_A0..2: PMK = KDF(N_A1, N_S1, g^(NA NS))               -->
//!                                                                tag       <--   M4
//!
//!                        phase 2: PMK -> session keys and PMK'
//!  K1   g^NA, V_PMK{g^NA}                                             -->
//!                                                    g^NS, V_PMK{g^NS}     <--   K2
//!  K3   V{..} [data]          K_M, PMK' from PMK, N_0s, g^(NA NS)     -->
//!                                                         V{..} [data]     <--   K4
//! ```
//!
//! The numbers that the paper encrypts to the other side are exports of [`hpke`](crate::crypto::hpke), and g^N is its
//! ephemeral key: they take no bytes on the air.
//!
//! - [`Interactive`]: the association. [`Interactive::open`], [`Interactive::connect`], [`Interactive::ping`],
//!   [`Interactive::authenticate`], [`Interactive::recheck`], and the common verbs.
//! - [`Peer`]: the PMK and its successor, stored in a slot. [`Wallet`](crate::cose::Wallet): this device's tickets, lent to
//!   all its associations. [`Setup`]: suites and keys. [`Extent`]: how much of it an association has.
//! - [`keys`]: the key schedule of phase 2. [`wire`]: its messages. [`phase1`](crate::phase1): phase 1.
//!
//! ```
//! use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Ticket, Wallet};
//! use iotkm::crypto::hpke::DHKEM_X25519;
//! use iotkm::crypto::sign::{Ed25519Key, Signer};
//! use iotkm::crypto::{Rng, RngError, SUITE_0, Secret, Suite};
//! use iotkm::engine::Config;
//! use iotkm::interactive::{Interactive, InteractiveMemory, Peer, Setup, Subject};
//! use iotkm::{Addr, Association, Cx, Device, Instant, KeySlot, Output, Slot, StaticKey};
//! use std::cell::RefCell;
//!
//! # struct Counter(u8);
//! # impl Rng for Counter { // never in earnest
//! #     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
//! #         out.fill_with(|| { self.0 = self.0.wrapping_mul(5).wrapping_add(1); self.0 });
//! #         Ok(())
//! #     }
//! # }
//! type Purse = RefCell<Wallet<'static, 288, 200>>;
//! type Assoc<'w> = Interactive<Peer, &'w Purse, InteractiveMemory<Peer, &'w Purse, 2, 400>>;
//! const KEY: KeySlot = KeySlot(1);
//! static SUITES: [&Suite; 1] = [&SUITE_0];
//!
//! // An agent issues a ticket for each device's static key.
//! let signer = Ed25519Key::new(Secret::new([9; 32]));
//! let agent = Agent { name: "acme", key: signer.public_key().unwrap() };
//! let names = ["lamp", "switch"];
//! let keys = [5, 6].map(|n| StaticKey::<32>::new(KEY, &DHKEM_X25519, &Secret::new([n; 32])).unwrap());
//! let purses: [Purse; 2] = [0, 1].map(|who| {
//!     let claims = Claims {
//!         issuer: "acme", subject: names[who], issued_at: 1_800_000_000, expires: 1_900_000_000, not_before: None,
//!         serial: who as u32, key: DeviceKey::new(KeyGroup::X25519, keys[who].share()).unwrap(), scope: "",
//!     };
//!     let mut ticket = [0; 288];
//!     let len = Ticket::issue(&signer, &claims, &mut ticket).unwrap();
//!     let mut wallet = Wallet::new(agent, names[who]).unwrap();
//!     wallet.install(&ticket[..len], None).unwrap();
//!     RefCell::new(wallet)
//! });
//!
//! // Each device opens an association with the other, by its name.
//! let setup = Setup { kem: &DHKEM_X25519, suites: &SUITES, slots: [KEY; 2], life: 86_400 };
//! let mut sides: [Assoc<'_>; 2] = [0, 1].map(|who| {
//!     let [me, other] = [who, 1 - who].map(|who| Subject::new(names[who]).unwrap());
//!     let peer = Peer::new(Slot(1), me, other, None).unwrap();
//!     Interactive::open(peer, &purses[who], setup, Config::default(), InteractiveMemory::new()).unwrap()
//! });
//! let addrs = [b"lamp", b"swit"].map(|addr| Addr::new(addr).unwrap());
//! let device = Device::new(Secret::new([7; 32]));
//! let mut rng = Counter(0);
//! macro_rules! cx { ($who:expr) => {
//!     &mut Cx { now: Instant(1), wall: None, place: b"", rng: &mut rng, device: &device, keys: &keys[$who] }
//! } }
//!
//! // The lamp connects: phase 1, then phase 2. Whatever comes out is sent, or stored, until both are idle.
//! sides[0].connect(cx!(0), &addrs[1]).unwrap();
//! let mut idle = 0;
//! while idle < 2 {
//!     idle = 0;
//!     for who in [0, 1] {
//!         let mut out = [0; 1500];
//!         match sides[who].poll(cx!(who), &mut out) {
//!             Output::Datagram { bytes, .. } => {
//!                 let mut bytes = bytes.to_vec();
//!                 sides[1 - who].handle_input(cx!(1 - who), &addrs[who], &mut bytes).unwrap();
//!             }
//!             Output::Persist { slot, .. } => sides[who].persisted(slot, Ok(())),
//!             Output::Idle { .. } => idle += 1,
//!             _ => {}
//!         }
//!     }
//! }
//! assert!(sides[1].is_established());
//! assert_eq!(sides[0].fingerprint(), sides[1].fingerprint());
//! ```
//!
//! The bytes are in [`spec`].

mod aside;
mod credential;
mod exchange;
pub mod extent;
mod initiator;
mod introduces;
pub mod keys;
pub mod master;
pub mod peer;
#[cfg(feature = "published")]
pub mod published;
mod responder;
pub mod wire;

pub use crate::phase1::{Lend, Setup, Subject};
pub use exchange::{Exchange, Interactive, InteractiveMemory};
pub use extent::{Any, Extent, Leaf, Whole};
pub use master::Master;
pub use peer::Peer;

#[doc = include_str!("spec.md")]
pub mod spec {}

#[cfg(test)]
mod tests;
