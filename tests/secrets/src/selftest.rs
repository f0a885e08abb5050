//! The net's own holes: leaks made on purpose, each of which must be seen, and what is no leak and must not be.

use crate::side::{SecretRng, key, published, shown};
use crate::{Scenario, Verdict};
use iotkm::crypto::Secret;
use iotkm::microcert::{Date, Seed};
use std::fmt::{self, Write};
use std::hint::black_box;

/// Every leak that memcheck must report, and what it must be silent about.
pub const LEAKS: &[Scenario] = &[
    ("a branch on a secret", Verdict::Leaks, || {
        if black_box(key::<32>(1).expose()).first() == Some(&black_box(7)) {
            println!("seven");
        }
    }),
    ("a table looked up by a secret", Verdict::Leaks, || {
        let table: [u8; 256] = std::array::from_fn(|i| i as u8 ^ 0x5a);
        let [at] = *black_box(key::<1>(1)).expose();
        black_box(black_box(&table)[usize::from(at)]);
    }),
    ("a comparison that ends at the first difference", Verdict::Leaks, || {
        let tag: Secret<16> = key(1);
        if black_box(tag.expose().as_slice()) == black_box([1u8; 16].as_slice()) {
            println!("equal");
        }
    }),
    ("rows of a seed picked by a secret", Verdict::Leaks, || {
        let seed = Seed::generate(&mut SecretRng::new(1), 2026).expect("randomness");
        let [at] = *black_box(key::<1>(1)).expose();
        black_box(seed.select(&Date::of(1_771_549_600 + u32::from(at) * 86_400))).expect("one of its years");
    }),
    ("a secret printed as a number", Verdict::Leaks, || {
        black_box(format!("{:02x?}", key::<4>(1).expose()));
    }),
    ("a secret printed as it is", Verdict::Silent, || {
        assert_eq!(shown(&Verbatim(&key::<4>(b'k'))), 4, "nobody noticed");
    }),
    ("a choice made by masks", Verdict::Silent, || {
        let [secret] = *black_box(key::<1>(1)).expose();
        let mask = 0u8.wrapping_sub(secret & 1);
        black_box((mask & 5) | (!mask & 9));
    }),
    ("a branch on what was published", Verdict::Silent, || {
        if published(black_box(key::<32>(1).expose())).first() == Some(&black_box(1)) {
            println!("one");
        }
    }),
    ("the core's own comparison", Verdict::Silent, || {
        if key::<32>(1) == key::<32>(2) {
            println!("equal");
        }
    }),
];

/// Shows a secret without a branch on it: what `{:?}` of a text would not.
struct Verbatim<'a>(&'a Secret<4>);

impl fmt::Debug for Verbatim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The bytes are ASCII; to check that would be a branch on them.
        self.0.expose().iter().try_for_each(|byte| f.write_char(char::from(byte & 0x7f)))
    }
}
