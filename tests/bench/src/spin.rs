//! A well-behaved service alone, and beside one whose handlers all spin to their deadline.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use crate::Options;
use crate::project::{LIST, Workshop};
use crate::report::{Bound, Report, Table, json_of, note};
use crate::server::Sample;
use crate::stats::Series;
use crate::wrk;

const SPIN: &str = "/api/hostile/spin/v1";
/// Of each spinning call.
const DEADLINE: &str = "1s";
/// Until all spinning requests are in flight, and until the last of them has ended: longer than a
/// deadline.
const SETTLE: Duration = Duration::from_millis(1500);

#[derive(Default)]
struct Turns {
    per_second: Series,
    p50: Series,
    p99: Series,
}

impl Turns {
    fn push(&mut self, sample: Sample) {
        self.per_second.push(sample.load.per_second);
        self.p50.push(sample.load.p50.as_secs_f64() * 1e3);
        self.p99.push(sample.load.p99.as_secs_f64() * 1e3);
    }

    fn row(&self, what: &str) -> [String; 4] {
        [what.to_owned(), self.per_second.shown(0), self.p50.shown(2), self.p99.shown(1)]
    }
}

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Spin: a service alone, and beside 32 requests that never stop spinning");
    let bytes = |file| fs::read(file).context("a component is missing; run without --no-build");
    let (vehicles, hostile) = (bytes(workshop.vehicles())?, bytes(workshop.hostile()?)?);
    let deadline = format!("deadline = {DEADLINE:?}");
    let services = [("vehicles", &vehicles[..], ""), ("hostile", &hostile[..], deadline.as_str())];
    let project = workshop.project("spin", services)?;
    let server = workshop.serve(&project, LIST)?;
    server.sample(LIST, 2)?;

    let (mut alone, mut beside) = (Turns::default(), Turns::default());
    let mut ended = Series::default();
    let mut waited = Series::default();
    for round in 1..=options.rounds {
        note(format!("round {round} of {}", options.rounds));
        alone.push(server.sample(LIST, options.seconds)?);
        // Longer than the turn beside it, settling included.
        let spinning_for = options.seconds + 4;
        let spinning = wrk::start(server.port(), SPIN, spinning_for, None)?;
        std::thread::sleep(SETTLE);
        beside.push(server.sample(LIST, options.seconds)?);
        let spun = spinning.finish()?;
        ensure!(spun.requests == spun.failed, "a request that spins was answered as if it had ended");
        ensure!(spun.broken == 0, "requests that spin were not answered");
        ended.push(spun.requests as f64 / spinning_for as f64);
        waited.push(spun.p50.as_secs_f64());
        std::thread::sleep(SETTLE);
    }
    let mut table = Table::new(["the list of 20 objects", "requests/s", "p50 ms", "p99 ms"]);
    table.row(alone.row("alone"));
    table.row(beside.row("beside 32 spinning requests"));
    table.print();
    let ratio = beside.per_second.over(&alone.per_second);
    crate::report::line(format!(
        "\nthroughput beside/alone: {}; spinning requests ended: {} per second, after {} s",
        ratio.shown(2),
        ended.shown(0),
        waited.shown(2)
    ));
    report.target("throughput beside a spinning service, over alone", &ratio, Bound::AtLeast(0.45), "×");
    report.add(
        "spin",
        json!({
            "ratio": json_of(&ratio),
            "alone": { "requestsPerSecond": json_of(&alone.per_second), "p99Millis": json_of(&alone.p99) },
            "beside": {
                "requestsPerSecond": json_of(&beside.per_second), "p50Millis": json_of(&beside.p50),
                "p99Millis": json_of(&beside.p99),
            },
            "spinsEndedPerSecond": json_of(&ended), "spinSeconds": json_of(&waited),
        }),
    );
    Ok(())
}
