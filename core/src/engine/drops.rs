//! What was dropped, counted by reason. Counters stop at their end, they never wrap.

/// Why a datagram was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// Too short, too long, or a field out of range.
    Malformed,
    /// Another wire version, another scheme, or a message number that nobody sends.
    Version,
    /// A tag did not verify.
    Forged,
    /// A record or message that was already accepted, or is too old to tell.
    Replayed,
    /// No key for it: unknown hint, generation or connection id, or no session.
    NoKey,
    /// It does not belong to what this side is doing now.
    Unexpected,
    /// No memory for another run, or for reassembly.
    NoRoom,
    /// Answering would send an unproven address more than three times what it sent.
    Amplification,
    /// Too many, too fast: a limit on attempts or searches.
    RateLimited,
    /// An element that is not in the group.
    BadElement,
    /// Randomness failed.
    Rng,
}

impl Dropped {
    /// How many reasons there are.
    pub const COUNT: usize = 11;

    const fn index(self) -> usize {
        self as usize
    }

    /// The reason's name, as in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
            Self::NoKey => "no_key",
            Self::Unexpected => "unexpected",
            Self::NoRoom => "no_room",
            Self::Amplification => "amplification",
            Self::RateLimited => "rate_limited",
            Self::BadElement => "bad_element",
            Self::Rng => "rng",
        }
    }

    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Malformed,
        Self::Version,
        Self::Forged,
        Self::Replayed,
        Self::NoKey,
        Self::Unexpected,
        Self::NoRoom,
        Self::Amplification,
        Self::RateLimited,
        Self::BadElement,
        Self::Rng,
    ];
}

/// The counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drops([u16; Dropped::COUNT]);

impl Drops {
    /// All at zero.
    pub const fn new() -> Self {
        Self([0; Dropped::COUNT])
    }
    /// Counts one.
    pub fn count(&mut self, reason: Dropped) {
        if let Some(n) = self.0.get_mut(reason.index()) {
            *n = n.saturating_add(1);
        }
    }
    /// How many of this reason, 65 535 meaning that many or more.
    pub fn get(&self, reason: Dropped) -> u16 {
        self.0.get(reason.index()).copied().unwrap_or(0)
    }
    /// How many of all reasons.
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0u32, |sum, n| sum.saturating_add(u32::from(*n)))
    }
}
