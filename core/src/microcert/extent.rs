//! How much of the scheme an association has: a device pays, in flash, for what its type says.

use crate::engine::scheme::Has;
use core::fmt;

/// What an association does, known when it is compiled. Define your own for other combinations.
pub trait Extent: fmt::Debug + 'static {
    /// The parts of the engine. Messages are never longer than the MTU, and the centre stays at its address.
    const HAS: Has;
}

/// All of it.
#[derive(Debug)]
pub enum Whole {}

impl Extent for Whole {
    const HAS: Has = Has { sessions: true, resume: true, fragments: false, moves: false, cookies: true };
}

/// A leaf that says who it is and signs what it measures: no session. All that the centre orders it does.
#[derive(Debug)]
pub enum Leaf {}

impl Extent for Leaf {
    const HAS: Has = Has { sessions: false, resume: false, fragments: false, moves: false, cookies: false };
}
