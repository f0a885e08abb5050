//! Message numbers and lengths; the header is [`published`](crate::engine::published)'s.
//!
//! ```text
//! M1         header | len u16, T_A | R 32 | [V 32]
//! M2         header | E( len u16, T_S | N_S0 32 | N_S1 32 | N_S2 32 | g^NS )
//! M3         header | E( g^NA | l u32 | T u32 | F u32 | N_A0 32 | N_A1 32 | N_A2 32 )
//! M4, K1..K4 header | fields | V 32
//! DATA       header | number u32 | Encrypt( Data )
//! ```

use crate::cose::ticket::TICKET_MAX_FFC;
use crate::crypto::group::LONGEST;
use crate::engine::drops::Dropped;
use crate::engine::flight;
use crate::engine::wire::{HEADER_LEN, Reader, Writer};

/// Message numbers; M1 to K4 as in [`interactive::wire`](crate::interactive::wire::message).
pub mod message {
    pub use crate::interactive::wire::message::{K1, K2, K3, K4};
    pub use crate::phase1::wire::message::{M1, M2, M3, M4};
    /// Data of the application's.
    pub const DATA: u8 = 9;
}

/// Length of a random number in bytes.
pub const NUMBER_LEN: usize = 32;
/// Length of the number before a message of the application's.
pub const NUMBER_FIELD: usize = 4;
/// Length of a MAC in bytes.
pub const MAC_LEN: usize = 32;
/// The longest msg1 and msg2 in bytes.
pub const ACK_MAX: usize = 64;
/// The longest body: M2 with two elements and what it is encrypted under.
pub const BODY_MAX: usize = 2 + TICKET_MAX_FFC + 3 * NUMBER_LEN + 3 * LONGEST;

/// The flight's buffer.
pub type PublishedBuffer = flight::Buffer<{ flight::ROOM + HEADER_LEN + BODY_MAX }>;

/// A message's body while it is written.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    bytes: [u8; BODY_MAX],
    len: usize,
}

impl Body {
    /// What `write` writes.
    pub(crate) fn new(write: impl FnOnce(&mut Writer<'_>)) -> Self {
        let mut bytes = [0; BODY_MAX];
        let mut w = Writer::new(&mut bytes);
        write(&mut w);
        let len = w.finish().unwrap_or_default();
        Self { bytes, len }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(..self.len).unwrap_or_default()
    }
}

/// A field behind its length in two bytes.
pub(super) fn put_long(w: &mut Writer<'_>, field: &[u8]) {
    w.put(&(field.len() as u16).to_be_bytes()).put(field);
}

pub(super) fn long<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Dropped> {
    let len = r.u16()?;
    r.take(usize::from(len))
}

/// Splits the MAC off a body's end.
pub(super) fn split_mac(body: &[u8]) -> Result<(&[u8], &[u8; MAC_LEN]), Dropped> {
    body.split_last_chunk::<MAC_LEN>().ok_or(Dropped::Malformed)
}
