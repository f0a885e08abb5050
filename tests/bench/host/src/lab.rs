//! How an op is measured.

use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::ops::{self, Op};
use crate::{centre, m4};

pub struct Measured {
    pub value: f64,
    /// The op that does the same elsewhere, and what it takes for it.
    pub peer: Option<(&'static str, f64)>,
}

impl From<f64> for Measured {
    fn from(value: f64) -> Self {
        Self { value, peer: None }
    }
}

/// Why there is no figure.
#[derive(Clone)]
pub enum Problem {
    /// A Debian package that would bring what this needs, or what else would.
    Missing(&'static str),
    Failed(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "needs {what}"),
            Self::Failed(why) => f.write_str(why),
        }
    }
}

impl<E: std::error::Error> From<E> for Problem {
    fn from(error: E) -> Self {
        failed(error)
    }
}

pub fn failed(why: impl ToString) -> Problem {
    Problem::Failed(why.to_string())
}

/// Figures that are taken together, when the first is asked for.
type Taken = Option<Result<HashMap<String, f64>, Problem>>;

/// Measures, and remembers what is the same each time.
#[derive(Default)]
pub struct Lab {
    instructions: HashMap<&'static str, Result<f64, Problem>>,
    m4: Taken,
    centre: Taken,
    centre_enrol: Taken,
}

impl Lab {
    /// UDP payload bytes of one, both directions.
    pub fn wire(&mut self, op: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        let bytes = |name| ops::open(name)?.run(1).map(|run| run.wire as f64);
        with_peer(bytes(op)?, peer, bytes)
    }

    /// Instructions of one: the difference of two runs under callgrind, so that neither start nor set-up counts.
    pub fn instructions(&mut self, op: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        let mut count = |name| self.instructions.entry(name).or_insert_with(|| instructions(name)).clone();
        let value = count(op)?;
        with_peer(value, peer, count)
    }

    /// Median time of one.
    pub fn us(&mut self, op: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        time(op, peer, 1e3)
    }

    /// Median time of one.
    pub fn ns(&mut self, op: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        time(op, peer, 1.0)
    }

    /// A figure of the Cortex-M4.
    pub fn m4(&mut self, name: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        find(self.m4.get_or_insert_with(m4::figures), name, peer)
    }

    /// A figure of the authentication centre under load.
    pub fn centre(&mut self, name: &'static str, peer: Option<&'static str>) -> Result<Measured, Problem> {
        find(self.centre.get_or_insert_with(|| centre::figures(&[])), name, peer)
    }

    /// A figure of the authentication centre that enrols many devices, and audits them.
    pub fn centre_enrol(&mut self, name: &'static str) -> Result<Measured, Problem> {
        find(self.centre_enrol.get_or_insert_with(|| centre::figures(&["--enrol", "100000"])), name, None)
    }

    /// One of them over its peer's.
    pub fn m4_ratio(&mut self, name: &'static str, peer: &'static str) -> Result<Measured, Problem> {
        let (value, other) = (self.m4(name, None)?.value, self.m4(peer, None)?.value);
        Ok(Measured { value: value / other, peer: Some((peer, 1.0)) })
    }

    /// Time of one over its peer's: the median over batches that ran right after each other.
    pub fn ratio(&mut self, op: &'static str, peer: &'static str) -> Result<Measured, Problem> {
        let rounds = by_turns(&mut [ops::open(op)?, ops::open(peer)?])?;
        let value = median(rounds.iter().map(|round| round[0] / round[1]));
        Ok(Measured { value, peer: Some((peer, 1.0)) })
    }
}

fn find(
    taken: &Result<HashMap<String, f64>, Problem>,
    name: &'static str,
    peer: Option<&'static str>,
) -> Result<Measured, Problem> {
    let all = taken.as_ref().map_err(Problem::clone)?;
    let one = |name| all.get(name).copied().ok_or_else(|| failed(format!("what was measured has no {name}")));
    with_peer(one(name)?, peer, one)
}

/// A peer that is not here costs its column, not the figure.
fn with_peer(
    value: f64,
    peer: Option<&'static str>,
    mut measure: impl FnMut(&'static str) -> Result<f64, Problem>,
) -> Result<Measured, Problem> {
    let peer = match peer.map(|name| (name, measure(name))) {
        Some((name, Ok(value))) => Some((name, value)),
        Some((_, Err(Problem::Failed(why)))) => return Err(Problem::Failed(why)),
        Some((_, Err(Problem::Missing(_)))) | None => None,
    };
    Ok(Measured { value, peer })
}

fn time(op: &'static str, peer: Option<&'static str>, ns_per_unit: f64) -> Result<Measured, Problem> {
    let mut ops = vec![ops::open(op)?];
    let peer = match peer.map(|name| (name, ops::open(name))) {
        Some((name, Ok(opened))) => {
            ops.push(opened);
            Some(name)
        }
        Some((_, Err(Problem::Failed(why)))) => return Err(Problem::Failed(why)),
        Some((_, Err(Problem::Missing(_)))) | None => None,
    };
    let rounds = by_turns(&mut ops)?;
    let middle = |i: usize| median(rounds.iter().map(|round| round[i])) / ns_per_unit;
    Ok(Measured { value: middle(0), peer: peer.map(|name| (name, middle(1))) })
}

/// A batch is long beside the clock's steps, and short beside a scheduler's slice: most are not interrupted, and the median
/// forgets the others.
const BATCH: Duration = Duration::from_micros(200);
const BUDGET: Duration = Duration::from_millis(600);
const ROUNDS: std::ops::Range<usize> = 31..2001;

/// Nanoseconds of one of each op, a row a round. Whatever slows this machine for a while slows all of them.
fn by_turns(ops: &mut [Box<dyn Op>]) -> Result<Vec<Vec<f64>>, Problem> {
    let counts = ops.iter_mut().map(|op| batch_size(op.as_mut())).collect::<Result<Vec<u64>, _>>()?;
    let start = Instant::now();
    let mut rounds = Vec::new();
    while rounds.len() < ROUNDS.start || (start.elapsed() < BUDGET * ops.len() as u32 && rounds.len() < ROUNDS.end) {
        let mut round = vec![0.0; ops.len()];
        for turn in 0..ops.len() {
            // Every other round backwards: none always comes second.
            let i = if rounds.len() % 2 == 0 { turn } else { ops.len() - 1 - turn };
            round[i] = ops[i].run(counts[i])?.time.as_nanos() as f64 / counts[i] as f64;
        }
        rounds.push(round);
    }
    Ok(rounds)
}

fn batch_size(op: &mut dyn Op) -> Result<u64, Problem> {
    let mut count = 1;
    // What the first one sets up is not what the others cost.
    op.run(1)?;
    while op.run(count)?.time < BATCH {
        count *= 2;
    }
    Ok(count)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn instructions(op: &str) -> Result<f64, Problem> {
    let between = |count: u64| Ok((callgrind(op, 2 * count)? - callgrind(op, count)?) / count as f64);
    match between(16)? {
        // So little that the printing of the answer would show in it.
        few if few < 50_000.0 => between(4096),
        many => Ok(many),
    }
}

fn callgrind(op: &str, count: u64) -> Result<f64, Problem> {
    let served = ops::command(op)?;
    let mut child = std::process::Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(served.get_program())
        .args(served.get_args())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|_| Problem::Missing("valgrind"))?;
    child.stdin.take().ok_or_else(|| failed("valgrind has no input"))?.write_all(format!("{count}\n").as_bytes())?;
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    match collected {
        Some(instructions) if output.status.success() => Ok(instructions),
        _ => Err(failed(format!("callgrind of {op}: {}", said.trim()))),
    }
}
