//! What the authentication centre does: the lines of `tests/bench/centre.py`, which runs the Python package.

use std::collections::HashMap;
use std::process::{Command, Stdio};

use crate::figures::{Figure, at_least, figure};
use crate::lab::{Problem, failed};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../centre.py");

/// Every figure that it prints for these arguments, by its name.
pub fn figures(arguments: &[&str]) -> Result<HashMap<String, f64>, Problem> {
    let python = std::env::var("IOTKM_BENCH_PYTHON").unwrap_or_default();
    let lacking = Problem::Missing("a Python with iotkm[ca,cli]: `tests/run python` makes build/venv-python");
    let ready = Command::new(&python).args(["-P", "-c", "import iotkm.centre, typer"]).stderr(Stdio::null()).status();
    if !ready.is_ok_and(|status| status.success()) {
        return Err(lacking);
    }
    let output = Command::new(python).args(["-P", SCRIPT]).args(arguments).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(failed("tests/bench/centre.py failed"));
    }
    let line = |line: &str| {
        let mut words = line.split(' ');
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    };
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter_map(line).collect())
}

/// The registry's part that is measured here: 1 000 devices at a time, then 100 000 that are enrolled and audited.
pub static FIGURES: &[&[Figure]] = &[&[
    at_least("centre.sqlite.per_second", "1/s", 5_000.0, |lab| {
        lab.centre("centre.sqlite.per_second", Some("sqlite.commits.per_second"))
    }),
    // SQLite alone, in the same folder and run: commits of one row each, rows in commits of 256.
    figure("peer.sqlite.commits.per_second", "1/s", None, |lab| lab.centre("sqlite.commits.per_second", None)),
    figure("peer.sqlite.rows.per_second", "1/s", None, |lab| lab.centre("sqlite.rows.per_second", None)),
    figure("centre.sqlite.cpu", "us", None, |lab| lab.centre("centre.sqlite.cpu", None)),
    figure("centre.sqlite.enrol_per_second", "1/s", None, |lab| lab.centre_enrol("centre.sqlite.enrol_per_second")),
    figure("centre.sqlite.enrol_memory", "MB", None, |lab| lab.centre_enrol("centre.sqlite.enrol_memory")),
    figure("centre.sqlite.audit_seconds", "s", None, |lab| lab.centre_enrol("centre.sqlite.audit_seconds")),
    figure("centre.sqlite.audit_memory", "MB", None, |lab| lab.centre_enrol("centre.sqlite.audit_memory")),
]];
