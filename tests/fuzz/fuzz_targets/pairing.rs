//! Both sides' state machines of pairing, driven by the input.
#![no_main]

use iotkm::Association;
use iotkm::Slot;
use iotkm::crypto::SUITE_0_SYMMETRIC;
use iotkm::crypto::cpace::CPACE_RISTRETTO255;
use iotkm::engine::Config;
use iotkm::history::pairing::{PairingMemory, Setup};
use iotkm::history::{Id, Pairing};
use iotkm_fuzz::{Input, Node, addr, deliver, forge};
use libfuzzer_sys::fuzz_target;

type P = Pairing<PairingMemory<2, 200>>;

fn node(me: u8, flags: u8) -> Node<P> {
    let setup = Setup {
        me: Id::new(&[me]).expect("short"),
        suite: &SUITE_0_SYMMETRIC,
        cpace: &CPACE_RISTRETTO255,
        peer_slot: Slot(1),
        attempts_slot: Slot(2),
    };
    let config = Config { mtu: if flags & 2 == 0 { 1200 } else { 40 }, tries: 3, ..Config::default() };
    Node::new(Pairing::open(setup, config, PairingMemory::new()).expect("valid"), u64::from(me))
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input(data);
    let flags = input.byte();
    let mut nodes = [node(1, flags), node(2, flags)];
    let mut now = 1_000u64;
    for _ in 0..60 {
        if !input.more() {
            break;
        }
        let op = input.byte();
        let me = usize::from(op & 1);
        let (left, right) = nodes.split_at_mut(1);
        let (this, that) = if me == 0 { (&mut left[0], &mut right[0]) } else { (&mut right[0], &mut left[0]) };
        let sk: &[u8] = if op & 0x80 == 0 { b"secret" } else { b"guess" };
        match op >> 1 & 15 {
            0 => drop(this.with(now, |p, cx| p.start(cx, &addr(2 - me as u8), sk))),
            1 => drop(this.with(now, |p, cx| p.listen(cx, sk, 60_000))),
            2..=8 => deliver(&mut input, now, that, this, 2 - me as u8),
            9 | 10 => forge(&mut input, now, this),
            11 => {
                now += u64::from(input.byte()) * 100;
                let _ = this.with(now, |p, cx| p.handle_timeout(cx));
            }
            12 => this.a.cancel(),
            13 => this.a.unlock(),
            14 => this.rng.broken = !this.rng.broken,
            _ => this.store_broken = !this.store_broken,
        }
        this.drain(now);
    }
    if let (Some(a), Some(b)) = (nodes[0].a.take_peer(), nodes[1].a.take_peer()) {
        // Both may have paired in different runs; the same run gives the same triple.
        let _ = a.fingerprint() == b.fingerprint();
    }
});
