//! How much of the scheme an association has: a device pays, in flash and memory, for what its type says.

use crate::cose::ticket::{TICKET_MAX, TICKET_MAX_FFC};
use crate::crypto::aead::MAX_TAG;
use crate::crypto::group::{LONGEST, MAX_SHARE};
use crate::engine::flight::{self, Buffer};
use crate::engine::scheme::Has;
use crate::engine::session::ConnectionId;
use crate::engine::wire::HEADER_LEN;
use core::fmt;

/// What an association does, known when it is compiled. Define your own for other combinations: both sides need not have
/// the same, and what one side does not do looks to the other like a peer that does not answer.
pub trait Extent: fmt::Debug + 'static {
    /// The parts of the engine.
    const HAS: Has;
    /// Whether it answers runs that the peer starts.
    const ANSWERS: bool;
    /// Whether it sends and takes new tickets on a living association, and answers pings.
    const RENEWS: bool;
    /// A flight's buffer: for the longest message, and the peer's ticket beside it.
    type Flight: AsRef<[u8]> + AsMut<[u8]> + Default;
}

/// Room for M2 with a ticket and a share of these lengths, and for the peer's ticket.
#[allow(clippy::arithmetic_side_effects, reason = "computed by the compiler")]
pub(super) const fn room(ticket: usize, share: usize) -> usize {
    flight::ROOM + HEADER_LEN + 2 + 1 + ConnectionId::MAX + 2 + ticket + share + MAX_TAG + ticket
}

/// All of it, on a curve.
#[derive(Debug)]
pub enum Whole {}

impl Extent for Whole {
    const HAS: Has = Has::ALL;
    const ANSWERS: bool = true;
    const RENEWS: bool = true;
    type Flight = Buffer<{ room(TICKET_MAX, MAX_SHARE) }>;
}

/// All of it, on any group: the FFC groups' tickets and shares are long.
#[derive(Debug)]
pub enum Any {}

impl Extent for Any {
    const HAS: Has = Has::ALL;
    const ANSWERS: bool = true;
    const RENEWS: bool = true;
    type Flight = Buffer<{ room(TICKET_MAX_FFC, LONGEST) }>;
}

/// A leaf of a star, on a curve: it starts runs with one hub that stays at its address, and starts anew after a restart.
#[derive(Debug)]
pub enum Leaf {}

impl Extent for Leaf {
    const HAS: Has = Has { sessions: true, resume: false, fragments: false, moves: false, cookies: false };
    const ANSWERS: bool = false;
    const RENEWS: bool = true;
    type Flight = Buffer<{ room(TICKET_MAX, MAX_SHARE) }>;
}
