//! The combined symmetric key technology (CSK): from a time stamp to the rows that a key is made from.
//!
//! The paper leaves open how elements are selected. The reading that fits 61 rows, 976 bytes and "1/2^64": the date picks one
//! row each of Y, M and D, with R's thirteen that makes 16; the random number's 16 hexadecimal digits pick one element of each.
//! Published does that. Hardened takes the 16 rows whole, and the random number into the key derivation: a key that becomes
//! known then tells nothing of any element, and nothing is read at a place that depends on what only one side knows.

use super::seed::{ROW_LEN, SELECTED};
use crate::crypto::Secret;

/// A day, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// The day of this time, in seconds since 1970.
    pub const fn of(seconds: u32) -> Self {
        // Counted from March 2000 on, leap days come at the end of a year, of four, of a hundred, of four hundred years.
        const MARCH_2000: u32 = 11_017;
        const ERA: u32 = 146_097;
        let days = (seconds / 86_400).wrapping_add(ERA).wrapping_sub(MARCH_2000);
        let of_era = days % ERA;
        let leap = of_era.wrapping_sub(of_era / 1_460).wrapping_add(of_era / 36_524).wrapping_sub(of_era / 146_096);
        let years = leap / 365;
        let before = years.wrapping_mul(365).wrapping_add(years / 4).wrapping_sub(years / 100);
        let of_year = of_era.wrapping_sub(before);
        let months = of_year.wrapping_mul(5).wrapping_add(2) / 153;
        let day = of_year.wrapping_sub(months.wrapping_mul(153).wrapping_add(2) / 5).wrapping_add(1);
        let (month, next) = if months < 10 { (months.wrapping_add(3), 0) } else { (months.wrapping_sub(9), 1) };
        let year = (days / ERA).wrapping_mul(400).wrapping_add(years).wrapping_add(1_600).wrapping_add(next);
        Self { year: year as u16, month: month as u8, day: day as u8 }
    }

    /// When this year begins, in seconds since 1970.
    pub(super) const fn new_year(year: u16) -> u32 {
        // 719 162 days lie between the first days of the years 1 and 1970.
        let before = (year as u32).saturating_sub(1);
        let leap = (before / 4).wrapping_sub(before / 100).wrapping_add(before / 400);
        before.wrapping_mul(365).wrapping_add(leap).saturating_sub(719_162).saturating_mul(86_400)
    }

    /// The year.
    pub const fn year(&self) -> u16 {
        self.year
    }
    /// The month, 1 to 12.
    pub const fn month(&self) -> u8 {
        self.month
    }
    /// The day of the month, 1 to 31.
    pub const fn day(&self) -> u8 {
        self.day
    }
}

/// The sixteen rows for a day: Y, M, D, R1 to R13.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected(Secret<{ SELECTED * ROW_LEN }>);

impl Selected {
    /// Rows that a key store has opened: Y, M, D, R1 to R13.
    pub const fn new(rows: Secret<{ SELECTED * ROW_LEN }>) -> Self {
        Self(rows)
    }

    /// None yet: a place for them.
    pub(super) const fn none() -> Self {
        Self(Secret::zero())
    }

    /// The rows, one after the other.
    pub const fn expose(&self) -> &[u8; SELECTED * ROW_LEN] {
        self.0.expose()
    }

    pub(super) fn rows_mut(&mut self) -> core::slice::IterMut<'_, [u8; ROW_LEN]> {
        self.0.as_mut().as_chunks_mut().0.iter_mut()
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::Date;

    fn leap(year: u16) -> bool {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    }

    #[test]
    fn every_day_until_2106() {
        let (mut year, mut month, mut day) = (1970u16, 1u8, 1u8);
        for n in 0..u32::MAX / 86_400 {
            for second in [0, 86_399] {
                let date = Date::of(n * 86_400 + second);
                assert_eq!((date.year(), date.month(), date.day()), (year, month, day));
            }
            let days = [31, 28 + u8::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
            day += 1;
            if day > days[usize::from(month) - 1] {
                (day, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
        assert_eq!((year, month, day), (2106, 2, 7));
    }
}
