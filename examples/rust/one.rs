//! Both sides in one program, with keys that a factory gave them: no network, no storage, no clock.
//!
//!     cargo run --package iotkm --example one

use iotkm::crypto::{Rng, RngError, SUITE_0, Secret};
use iotkm::engine::Config;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Addr, Association, Cx, Device, Error, Instant, NoKeys, Output, Slot};
use std::{fs::File, io::Read};

type Log = [Entry; 48];
type Side = History<Peer, Log, HistoryMemory<Peer, Log, 2, 256>>;

struct System;

impl Rng for System {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(out)).map_err(|_| RngError)
    }
}

fn side(own: &[u8], other: &[u8]) -> Result<Side, Error> {
    let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0); // random in a real factory
    let id = |id| Id::new(id).ok_or(Error::BadArgument);
    let peer = Peer::provisioned(Slot(1), id(own)?, id(other)?, &SUITE_0, triple)?;
    History::open(peer, [Entry::EMPTY; 48], &SUITE_0, Config::default(), HistoryMemory::new())
}

/// Does what `from` asks for; its datagrams go straight to the other side. Whether there were any.
fn carry(from: &mut Side, to: &mut Side, address: &Addr, cx: &mut Cx<'_>) -> Result<bool, Error> {
    let (mut out, mut carried) = ([0; 1200], false);
    loop {
        match from.poll(cx, &mut out) {
            Output::Datagram { bytes, .. } => {
                to.handle_input(cx, address, &mut bytes.to_vec())?;
                carried = true;
            }
            Output::Persist { slot, .. } => from.persisted(slot, Ok(())), // a device in the field stores it first
            Output::Event(event) => println!("{event:?}"),
            _ => return Ok(carried),
        }
    }
}

fn main() -> Result<(), Error> {
    let (mut alice, mut bob) = (side(b"alice", b"bob")?, side(b"bob", b"alice")?);
    let address = Addr::new(b"here").ok_or(Error::BadArgument)?;
    let device = Device::new(Secret::new([4; 32])); // 32 bytes that only this device has
    let mut cx = Cx { now: Instant(0), wall: None, place: b"lab", rng: &mut System, device: &device, keys: &NoKeys };

    alice.connect(&mut cx, &address)?;
    while carry(&mut alice, &mut bob, &address, &mut cx)? | carry(&mut bob, &mut alice, &address, &mut cx)? {}

    let mut out = [0; 100];
    let mut datagram = alice.send(&mut cx, b"hello, bob", &mut out)?.bytes.to_vec();
    if let Some(received) = bob.handle_input(&mut cx, &address, &mut datagram)? {
        println!("bob hears: {}", String::from_utf8_lossy(received.payload));
    }
    Ok(())
}
