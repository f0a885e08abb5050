//! The schemes under valgrind, with every secret marked as memory that was never written: memcheck then reports each branch
//! and each address that depends on one, and tells which bytes of what leaves or is printed still do.
//!
//! A scenario is a name and a function; a scheme is a module with a list of them ([`history`] is the model), named in
//! [`SCENARIOS`]. What a scheme has to do is in [`side`]: make its secrets by [`side::key`], its randomness by
//! [`side::SecretRng`], and run its messages between two [`side::Side`]s.
//!
//! ```text
//! valgrind --quiet --error-exitcode=9 iotkm-secrets [part of a name]     the scenarios
//! valgrind --quiet iotkm-secrets --self-test                             leaks made on purpose
//! ```
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used
)]

mod history;
mod interactive;
mod memcheck;
mod microcert;
mod noninteractive;
mod pairing;
mod primitives;
mod selftest;
mod side;

use std::process::ExitCode;

/// What memcheck must say of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Nothing.
    Silent,
    /// At least one report.
    Leaks,
}

/// A scenario: its name, what must be reported of it, and itself.
type Scenario = (&'static str, Verdict, fn());

/// All scenarios, the self-test's apart.
const SCENARIOS: &[&[Scenario]] = &[
    primitives::SCENARIOS,
    pairing::SCENARIOS,
    history::SCENARIOS,
    interactive::SCENARIOS,
    noninteractive::SCENARIOS,
    microcert::SCENARIOS,
];

fn main() -> ExitCode {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    if !memcheck::is_there() {
        eprintln!("This runs under valgrind: tests/run secrets");
        return ExitCode::from(2);
    }
    #[cfg(iotkm_ctgrind)]
    let hooked = iotkm::crypto::secret::DECLASSIFIED.set(memcheck::unmark_at).is_ok();
    #[cfg(not(iotkm_ctgrind))]
    let hooked = false;
    if !hooked {
        eprintln!("Built without --cfg iotkm_ctgrind: nothing would ever become public. Run it by tests/run secrets");
        return ExitCode::from(2);
    }
    let (mut passed, mut failed) = (0, 0);
    let all: Vec<&Scenario> = if wanted == "--self-test" {
        selftest::LEAKS.iter().collect()
    } else {
        SCENARIOS.iter().copied().flatten().filter(|(name, ..)| name.contains(&wanted)).collect()
    };
    for (name, verdict, scenario) in all {
        eprintln!("-- {name}");
        let (before, start) = (memcheck::errors(), std::time::Instant::now());
        scenario();
        eprintln!("   {} ms", start.elapsed().as_millis());
        let reports = memcheck::errors() - before;
        if (reports > 0) == (*verdict == Verdict::Leaks) {
            passed += 1;
        } else {
            failed += 1;
            eprintln!("FAILED: {name}: {reports} reports");
        }
    }
    println!("secrets: {passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
