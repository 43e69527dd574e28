//! What comes out: tables for people, JSON for machines, and the targets at the end.

use std::fmt::Display;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::machine::{self, Machine};
use crate::stats::Series;

/// Everything measured so far.
#[derive(Debug)]
pub(crate) struct Report {
    machine: Machine,
    seconds: u64,
    rounds: u32,
    benches: Vec<(&'static str, Value)>,
    targets: Vec<Target>,
}

/// A promise, and what was measured.
#[derive(Debug)]
struct Target {
    what: String,
    measured: f64,
    bound: Bound,
    unit: &'static str,
    met: bool,
}

/// What a value is held against.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

/// A table that grows by rows and is printed in Markdown.
#[derive(Debug)]
pub(crate) struct Table {
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Report {
    pub(crate) fn new(machine: Machine, seconds: u64, rounds: u32) -> Self {
        Report { machine, seconds, rounds, benches: Vec::new(), targets: Vec::new() }
    }

    pub(crate) fn print_machine(&self) {
        for text in self.machine.lines() {
            line(text);
        }
        line(format!("{} rounds of {} s; load before: {:.2}", self.rounds, self.seconds, machine::load()));
    }

    /// Prints a bench's heading, with how busy the machine is.
    pub(crate) fn begin(&self, title: &str) {
        line(format!("\n## {title}"));
        line(format!("load before: {:.2}\n", machine::load()));
    }

    /// Keeps a bench's numbers for the JSON file.
    pub(crate) fn add(&mut self, name: &'static str, numbers: Value) {
        self.benches.push((name, numbers));
    }

    /// Holds the median of `series` against a promise.
    pub(crate) fn target(
        &mut self,
        what: impl Into<String>,
        series: &Series,
        bound: Bound,
        unit: &'static str,
    ) {
        let measured = series.median();
        self.targets.push(Target { what: what.into(), measured, bound, unit, met: bound.holds(measured) });
    }

    pub(crate) fn print_targets(&self) {
        let mut table = Table::new(["target", "bound", "measured (median)", "met"]);
        for target in &self.targets {
            let unit = target.unit;
            table.row([
                target.what.clone(),
                format!("{}{unit}", target.bound),
                format!("{:.2}{unit}", target.measured),
                if target.met { "yes" } else { "NO" }.to_owned(),
            ]);
        }
        line("\n## Targets\n");
        table.print();
        line(format!("\nload after: {:.2}", machine::load()));
    }

    pub(crate) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let targets: Vec<_> = self
            .targets
            .iter()
            .map(|target| {
                json!({
                    "what": target.what, "bound": target.bound.to_string(), "unit": target.unit.trim(),
                    "measured": target.measured, "met": target.met,
                })
            })
            .collect();
        let benches: serde_json::Map<_, _> =
            self.benches.iter().map(|(name, numbers)| ((*name).to_owned(), numbers.clone())).collect();
        let all = json!({
            "machine": self.machine.json(), "seconds": self.seconds, "rounds": self.rounds,
            "benches": benches, "targets": targets,
        });
        let text = format!("{all:#}\n");
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Bound::AtMost(bound) => value <= bound,
            Bound::AtLeast(bound) => value >= bound,
            Bound::Below(bound) => value < bound,
        }
    }
}

impl Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Bound::AtMost(bound) => write!(f, "≤ {bound}"),
            Bound::AtLeast(bound) => write!(f, "≥ {bound}"),
            Bound::Below(bound) => write!(f, "< {bound}"),
        }
    }
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&'static str; N]) -> Self {
        Table { header: header.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    pub(crate) fn print(&self) {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([self.header[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.header.len()).map(width).collect();
        let print = |cells: &mut dyn Iterator<Item = String>| {
            let padded: Vec<_> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
            line(format!("| {} |", padded.join(" | ")));
        };
        print(&mut self.header.iter().map(|cell| (*cell).to_owned()));
        print(&mut widths.iter().map(|width| "-".repeat(*width)));
        for row in &self.rows {
            print(&mut row.iter().cloned());
        }
    }
}

/// Median and range, for the JSON file.
pub(crate) fn json_of(series: &Series) -> Value {
    json!({ "median": series.median(), "min": series.min(), "max": series.max() })
}

/// A line of the report.
pub(crate) fn line(text: impl Display) {
    // A closed pipe is the reader's business.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A line for the person who waits.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
