//! How much of the scheme an association has: a device pays, in flash, for what its type says.

use crate::engine::scheme::Has;
use core::fmt;

/// What an association does, known when it is compiled. Define your own for other combinations: both sides need not have
/// the same, and what one side does not do looks to the other like a peer that does not answer.
pub trait Extent: fmt::Debug + 'static {
    /// The parts of the engine.
    const HAS: Has;
    /// Whether it answers exchanges that the peer starts.
    const ANSWERS: bool;
    /// Whether it logs and takes part in key updates.
    const UPDATES: bool;
}

/// All of it.
#[derive(Debug)]
pub enum Whole {}

impl Extent for Whole {
    const HAS: Has = Has::ALL;
    const ANSWERS: bool = true;
    const UPDATES: bool = true;
}

/// A leaf of a star: it starts exchanges with one hub that stays at its address, and exchanges again after a restart. No
/// update (nor, without Diffie-Hellman, healing), no resume, no message longer than the MTU.
#[derive(Debug)]
pub enum Leaf {}

impl Extent for Leaf {
    const HAS: Has = Has { sessions: true, resume: false, fragments: false, moves: false, cookies: false };
    const ANSWERS: bool = false;
    const UPDATES: bool = false;
}
