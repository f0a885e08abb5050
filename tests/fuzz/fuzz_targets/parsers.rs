//! Every parser of bytes from outside that needs no state.
#![no_main]

use iotkm::engine::fragment::{self, Reassembly};
use iotkm::engine::wire;
use iotkm::history::wire::{C1, Sealed};
use iotkm_fuzz::{Input, addr};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = wire::classify(data);
    for tag in [8, 16] {
        if let Ok(c1) = C1::read(data, tag) {
            assert_eq!(c1.body.len() + c1.tag.len(), data.len());
        }
        let _ = Sealed::read(data, 10, tag);
    }
    let _ = C1::peek(data);
    // Pieces in any order, from anybody: what comes out whole lies in the memory.
    let mut input = Input(data);
    let mut reassembly = Reassembly::default();
    let mut memory = [0u8; 300];
    while input.more() {
        let from = addr(input.byte() & 1);
        if let Ok(Some(len)) = reassembly.take(&from, input.bytes(), &mut memory) {
            assert!(len <= memory.len());
        }
    }
    // What is cut comes together again.
    let mtu = 32 + usize::from(data.first().copied().unwrap_or(0)) / 4;
    let message = &data[..data.len().min(300)];
    let count = fragment::pieces(message.len(), mtu);
    if (2..=fragment::MAX_PIECES).contains(&count) {
        let mut whole = None;
        let mut out = [0; 128];
        for index in (0..count).rev() {
            let len = fragment::write(message, mtu, index, &mut out).expect("it fits");
            assert!(len <= mtu);
            whole = reassembly.take(&addr(7), &out[wire::HEADER_LEN..len], &mut memory).expect("our own");
        }
        assert_eq!(whole, Some(message.len()));
        assert_eq!(&memory[..message.len()], message);
    }
});
