//! A timer table: the earliest of many deadlines, in the caller's memory.
//!
//! A binary heap of places with each place's position beside it, so that a deadline is set, changed or cleared in
//! logarithmic time and nothing is ever in it twice.

use crate::association::Instant;

/// One place's timer.
#[derive(Clone, Copy, Debug)]
pub struct Timer {
    deadline: u64,
    /// Where in the heap this place stands; `u32::MAX`: nowhere.
    position: u32,
    /// The place that stands in the heap at this index.
    heap: u32,
}

impl Timer {
    /// No deadline.
    pub const NONE: Self = Self { deadline: 0, position: u32::MAX, heap: 0 };
}

/// The table over as many timers as the memory holds.
#[derive(Debug)]
pub struct Timers<T> {
    timers: T,
    len: usize,
}

impl<T: AsRef<[Timer]> + AsMut<[Timer]>> Timers<T> {
    /// An empty table in this memory.
    pub fn new(mut timers: T) -> Self {
        timers.as_mut().fill(Timer::NONE);
        Self { timers, len: 0 }
    }

    /// The earliest deadline and its place.
    pub fn next(&self) -> Option<(Instant, usize)> {
        let place = self.place_at(0)?;
        Some((Instant(self.deadline(place)), place))
    }

    /// Sets, moves or clears the deadline of a place.
    pub fn set(&mut self, place: usize, deadline: Option<Instant>) {
        let Some(timer) = self.timers.as_mut().get_mut(place) else { return };
        let at = timer.position;
        match (deadline, at) {
            (None, u32::MAX) => {}
            (None, at) => {
                timer.position = u32::MAX;
                self.remove_at(at as usize);
            }
            (Some(when), u32::MAX) => {
                timer.deadline = when.0;
                let end = self.len;
                self.len = self.len.saturating_add(1);
                self.put(end, place);
                self.up(end);
            }
            (Some(when), at) => {
                timer.deadline = when.0;
                let at = self.up(at as usize);
                self.down(at);
            }
        }
    }

    fn deadline(&self, place: usize) -> u64 {
        self.timers.as_ref().get(place).map_or(u64::MAX, |t| t.deadline)
    }

    fn place_at(&self, index: usize) -> Option<usize> {
        if index >= self.len {
            return None;
        }
        self.timers.as_ref().get(index).map(|t| t.heap as usize)
    }

    fn put(&mut self, index: usize, place: usize) {
        if let Some(t) = self.timers.as_mut().get_mut(index) {
            t.heap = place as u32;
        }
        if let Some(t) = self.timers.as_mut().get_mut(place) {
            t.position = index as u32;
        }
    }

    fn remove_at(&mut self, index: usize) {
        self.len = self.len.saturating_sub(1);
        let last = self.timers.as_ref().get(self.len).map(|t| t.heap as usize);
        if let Some(last) = last.filter(|_| index < self.len) {
            self.put(index, last);
            let at = self.up(index);
            self.down(at);
        }
    }

    fn key(&self, index: usize) -> u64 {
        self.place_at(index).map_or(u64::MAX, |place| self.deadline(place))
    }

    fn swap(&mut self, a: usize, b: usize) {
        if let (Some(x), Some(y)) = (self.place_at(a), self.place_at(b)) {
            self.put(a, y);
            self.put(b, x);
        }
    }

    fn up(&mut self, mut index: usize) -> usize {
        while let Some(parent) = index.checked_sub(1).map(|i| i / 2) {
            if self.key(parent) <= self.key(index) {
                break;
            }
            self.swap(parent, index);
            index = parent;
        }
        index
    }

    fn down(&mut self, mut index: usize) {
        loop {
            let left = index.saturating_mul(2).saturating_add(1);
            let right = left.saturating_add(1);
            let child = if right < self.len && self.key(right) < self.key(left) { right } else { left };
            if child >= self.len || self.key(child) >= self.key(index) {
                return;
            }
            self.swap(child, index);
            index = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Instant, Timer, Timers};
    use std::collections::BTreeMap;
    use std::vec;

    proptest::proptest! {
        #[test]
        fn agrees_with_a_map(steps in proptest::collection::vec((0usize..20, proptest::option::of(0u64..50)), 0..300)) {
            let mut timers = Timers::new(vec![Timer::NONE; 20]);
            let mut map: BTreeMap<usize, u64> = BTreeMap::new();
            for (place, deadline) in steps {
                timers.set(place, deadline.map(Instant));
                match deadline {
                    Some(when) => { map.insert(place, when); }
                    None => { map.remove(&place); }
                }
                let earliest = map.values().min().copied();
                proptest::prop_assert_eq!(timers.next().map(|(at, _)| at.0), earliest);
                if let Some((at, place)) = timers.next() {
                    proptest::prop_assert_eq!(map.get(&place).copied(), Some(at.0));
                }
            }
        }
    }
}
