//! iotkm's figures beside its goals and its peers. Started by `tests/bench/run`, which builds the peers first.
//!
//! - [`figures`] is the registry: one row a figure. To add one, add a row there, and what it repeats to [`ops`].
//! - [`ops`] names what can be repeated: [`ours`], the [`peers`] in Rust, and those in C, which are processes of their own.
//! - [`lab`] measures an op: time by turns with its peer, instructions under callgrind, bytes on the wire.
//! - [`m4`] has what `tests/bench/m4/run` measures, [`centre`] what `tests/bench/centre.py` does.
//! - [`report`] prints.

mod centre;
mod figures;
mod lab;
mod m4;
mod ops;
mod ours;
mod peers;
mod report;

use std::process::ExitCode;

const USAGE: &str = "\
usage: tests/bench/run [--json] [--list] [filter...]

Prints iotkm's figures, their goals, and what peers need for the same, measured in the same run.
  --json    a list of {name, value, unit, goal, peer, peer_value} on standard output
  --list    the names of the figures
  filter    only figures whose name contains one of these, such as `history.symmetric` or `wire`";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, op] = args.as_slice()
        && mode == "serve"
    {
        return serve(op);
    }
    let (flags, filters): (Vec<&String>, Vec<&String>) = args.iter().partition(|a| a.starts_with('-'));
    if let Some(unknown) = flags.iter().find(|f| !["--json", "--list"].contains(&f.as_str())) {
        let help = ["-h", "--help"].contains(&unknown.as_str());
        eprintln!("{}{USAGE}", if help { String::new() } else { format!("unknown option {unknown}\n") });
        return if help { ExitCode::SUCCESS } else { ExitCode::from(2) };
    }
    let chosen: Vec<&figures::Figure> = figures::all()
        .filter(|f| filters.is_empty() || filters.iter().any(|word| f.name.contains(word.as_str())))
        .collect();
    if chosen.is_empty() {
        eprintln!("no figure has such a name; --list shows them");
        return ExitCode::from(2);
    }
    if flags.iter().any(|f| *f == "--list") {
        chosen.iter().for_each(|f| println!("{}", f.name));
        return ExitCode::SUCCESS;
    }

    let mut lab = lab::Lab::default();
    let mut rows = Vec::new();
    let mut skipped = Vec::new();
    for (i, figure) in chosen.iter().enumerate() {
        eprintln!("[{:>3}/{}] {}", i + 1, chosen.len(), figure.name);
        match (figure.measure)(&mut lab) {
            Ok(measured) => rows.push(report::Row { figure, measured }),
            Err(problem) => skipped.push((figure.name, problem)),
        }
    }
    if flags.iter().any(|f| *f == "--json") {
        report::json(&rows)
    } else {
        report::table(&rows)
    }
    report::skipped(&skipped);

    // Somebody's machine may lack a peer; ours may not, and nothing may fail anywhere.
    let strict = std::env::var("CI").is_ok_and(|ci| ci == "true");
    let bad = |p: &lab::Problem| strict || !matches!(p, lab::Problem::Missing(_));
    if skipped.iter().any(|(_, problem)| bad(problem)) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// An op in a process of its own, as the C peers are: how callgrind sees it.
fn serve(name: &str) -> ExitCode {
    let answer = || -> Result<(), lab::Problem> {
        let mut op = ops::open(name)?;
        for line in std::io::stdin().lines() {
            let count = line.ok().and_then(|l| l.trim().parse().ok()).ok_or_else(|| lab::failed("expected a count"))?;
            let run = op.run(count)?;
            println!("{} {}", run.time.as_nanos(), run.wire);
        }
        Ok(())
    };
    match answer() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
