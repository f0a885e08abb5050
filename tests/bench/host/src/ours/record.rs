//! The engine's records.

use std::hint::black_box;

use iotkm::Instant;
use iotkm::crypto::{Prk, Suite};
use iotkm::engine::session::{Common, ConnectionId, Keys, REKEY_AFTER, Session, Terms};
use iotkm::engine::transcript::Transcript;

use crate::lab::Problem;
use crate::ops::{Op, repeat};
use crate::peers::aead::PAYLOAD;

const SCHEME: &str = "bench";

/// What both sides go by.
pub fn common(suite: &'static Suite) -> Common {
    Common { suite, scheme: SCHEME, rekey_after: REKEY_AFTER }
}

/// One side of a session without connection ids.
pub fn session(suite: &'static Suite, initiator: bool) -> Session {
    let mut keys = Keys::none();
    keys.keep(&Prk::new(SCHEME, &[7; 32]), &Transcript::new(&[]));
    let terms = Terms {
        id: 1,
        generation: 0,
        initiator,
        cid: ConnectionId::NONE,
        now: Instant(0),
        healed: false,
        secret: false,
    };
    Session::new(&common(suite), &keys, &terms)
}

/// One side seals a 64-byte payload, the other opens it where it lies.
pub fn seal_and_open(suite: &'static Suite) -> Result<Box<dyn Op>, Problem> {
    let common = common(suite);
    let (mut sender, mut receiver) = (session(suite, true), session(suite, false));
    let mut datagram = [0; PAYLOAD + 32];
    repeat(move || {
        let start = sender.header_len();
        datagram[start..start + PAYLOAD].copy_from_slice(black_box(&[0x42; PAYLOAD]));
        let (length, _) = sender.seal(&common, false, black_box(&mut datagram[..]), PAYLOAD).expect("there is room");
        receiver.open(&common, 0, black_box(&mut datagram[..length])).expect("a session opens what its peer sealed");
        length as u64
    })
}
