//! Figures as people and as programs read them.

use std::io::IsTerminal;

use crate::figures::Figure;
use crate::lab::{Measured, Problem};

pub struct Row {
    pub figure: &'static Figure,
    pub measured: Measured,
}

pub fn table(rows: &[Row]) {
    let mut lines = vec![["figure", "value", "unit", "goal", "", "peer", "peer value"].map(String::from)];
    for Row { figure, measured } in rows {
        let (peer, peer_value) = measured.peer.map_or(("", String::new()), |(name, value)| (name, number(value)));
        lines.push([
            figure.name.into(),
            number(measured.value),
            figure.unit.into(),
            figure.goal.map_or(String::new(), |goal| {
                format!("{} {}", if figure.more_is_better { ">=" } else { "<=" }, number(goal))
            }),
            verdict(figure, measured.value),
            peer.into(),
            peer_value,
        ]);
    }
    let widths: [usize; 7] = std::array::from_fn(|i| lines.iter().map(|line| line[i].len()).max().unwrap_or(0));
    for line in &lines {
        let cells: Vec<String> = (0..7)
            .map(|i| {
                let width = widths[i];
                // Numbers to the right, words to the left.
                if [1, 3, 6].contains(&i) { format!("{:>width$}", line[i]) } else { format!("{:<width$}", line[i]) }
            })
            .collect();
        println!("{}", cells.join("  ").trim_end());
    }
    let met: Vec<bool> = rows.iter().filter_map(|row| row.figure.met(row.measured.value)).collect();
    if !met.is_empty() {
        println!("\n{} of {} goals met", met.iter().filter(|met| **met).count(), met.len());
    }
}

fn verdict(figure: &Figure, value: f64) -> String {
    let (Some(goal), Some(met)) = (figure.goal, figure.met(value)) else { return String::new() };
    let percent = (value - goal).abs() / goal * 100.0;
    match met {
        true if value == goal => "met".into(),
        true => format!("met by {percent:.0} %"),
        // One missed by very little is missed all the same.
        false => format!("MISSED by {:.0} %", percent.ceil()),
    }
}

/// As many digits as mean something, thousands apart.
fn number(value: f64) -> String {
    let text = match value {
        v if v.fract() == 0.0 || v >= 1000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    };
    let whole = text.find('.').unwrap_or(text.len());
    let mut spaced = String::new();
    for (i, digit) in text.chars().enumerate() {
        if i > 0 && i < whole && (whole - i) % 3 == 0 {
            spaced.push(' ');
        }
        spaced.push(digit);
    }
    spaced
}

/// Names and units are ours and need no escapes.
pub fn json(rows: &[Row]) {
    let objects: Vec<String> = rows
        .iter()
        .map(|Row { figure, measured }| {
            let or_null = |value: Option<f64>| value.map_or("null".into(), |v| format!("{}", (v * 1e3).round() / 1e3));
            let peer = measured.peer.map_or("null".into(), |(name, _)| format!("\"{name}\""));
            format!(
                "  {{\"name\": \"{}\", \"value\": {}, \"unit\": \"{}\", \"goal\": {}, \"peer\": {peer}, \"peer_value\": {}}}",
                figure.name,
                or_null(Some(measured.value)),
                figure.unit,
                or_null(figure.goal),
                or_null(measured.peer.map(|(_, value)| value)),
            )
        })
        .collect();
    println!("[\n{}\n]", objects.join(",\n"));
}

/// Which figures there are none of, and what would bring them. Not part of the figures, so not on standard output.
pub fn skipped(skipped: &[(&str, Problem)]) {
    let bold = if std::io::stderr().is_terminal() { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    for (name, problem) in skipped {
        eprintln!("{}no figure {name}{}: {problem}", bold.0, bold.1);
    }
}
