//! The replay window: the newest sequence number and which of the 64 up to it were seen.

/// A sliding window of 64 sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(Rust, packed(4))] // 12 bytes, not 16: there is one in every session
pub struct Window {
    /// One above the highest number accepted; 0 before the first.
    next: u32,
    /// Bit i: number `next - 1 - i` was accepted.
    seen: u64,
}

impl Window {
    /// Nothing seen yet.
    pub const fn new() -> Self {
        Self { next: 0, seen: 0 }
    }

    /// The full number nearest to what is expected next whose low 16 bits are `low`.
    pub const fn expand(&self, low: u16) -> u32 {
        let distance = low.wrapping_sub(self.next as u16);
        if distance < 0x8000 {
            self.next.saturating_add(distance as u32)
        } else {
            let back = distance.wrapping_neg() as u32;
            match self.next.checked_sub(back) {
                Some(number) => number,
                None => self.next.saturating_add(distance as u32), // before the first number there is none
            }
        }
    }

    /// Whether this number is new: not seen, and not older than the window.
    pub const fn is_new(&self, number: u32) -> bool {
        if number >= self.next {
            return true;
        }
        let age = self.next.saturating_sub(1).saturating_sub(number);
        age < 64 && self.seen >> age & 1 == 0
    }

    /// Notes an authenticated number; returns whether it is the newest so far.
    pub const fn accept(&mut self, number: u32) -> bool {
        if number >= self.next {
            let by = number.saturating_sub(self.next).saturating_add(1);
            self.seen = if by < 64 { self.seen << by | 1 } else { 1 };
            self.next = number.saturating_add(1);
            true
        } else {
            let age = self.next.saturating_sub(1).saturating_sub(number);
            if age < 64 {
                self.seen |= 1 << age;
            }
            false
        }
    }

    /// One above the highest number accepted.
    pub const fn next(&self) -> u32 {
        self.next
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test")]
mod tests {
    use super::Window;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    #[test]
    fn expands_to_the_nearest() {
        let mut w = Window::new();
        assert_eq!(w.expand(5), 5);
        assert_eq!(w.expand(0xffff), 0xffff);
        w.accept(0x1_fff0);
        assert_eq!(w.expand(0xfff1), 0x1_fff1);
        assert_eq!(w.expand(0x0003), 0x2_0003);
        assert_eq!(w.expand(0xff00), 0x1_ff00);
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_a_set(numbers in proptest::collection::vec(0u32..300, 0..400)) {
            let mut w = Window::new();
            let mut seen: BTreeSet<u32> = BTreeSet::new();
            let mut accepted = Vec::new();
            for n in numbers {
                let top = seen.last().copied();
                let fresh = !seen.contains(&n) && top.is_none_or(|t| n > t || t - n < 64);
                proptest::prop_assert_eq!(w.is_new(n), fresh);
                if fresh {
                    w.accept(n);
                    seen.insert(n);
                    accepted.push(n);
                }
            }
        }
    }
}
