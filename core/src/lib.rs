//! iotkm core.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

#[cfg(any(test, feature = "tables", iotkm_ctgrind))]
extern crate std;

pub mod association;
pub mod cose;
pub mod crypto;
pub mod engine;
pub mod history;
pub mod hub;
pub mod interactive;
pub mod microcert;
pub mod noninteractive;
pub mod phase1;

pub use association::{
    Addr, Association, Assurance, Authenticated, Cx, Device, Error, Event, Fingerprint, Instant, Output, Reason,
    Received, Sent, Slot, Stage, StoreError, UnixTime,
};
pub use crypto::keys::{KeyError, KeySlot, NoKeys, StaticKey, StaticKeys};
