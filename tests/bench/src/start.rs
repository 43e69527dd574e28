//! From the start of the process to its first answer, everything compiled before.

use std::process::Command;

use serde_json::json;

use crate::Options;
use crate::many;
use crate::project::{LIST, Project, Workshop};
use crate::report::{Bound, Report, Table, json_of, note};
use crate::server::{Server, free_port};
use crate::stats::Series;

/// Starts are short and vary: fewer say little.
const FEWEST: u32 = 10;

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("Start: process start to first good answer, warm compile cache");
    let fleet = workshop.fleet();
    let hundred = many::project(workshop, many::MANY)?;
    let of_hundred = many::list(many::MANY / 2);
    note("compiling what the cache does not have");
    start(workshop, &fleet, LIST)?;
    start(workshop, &hundred, &of_hundred)?;

    let (mut few, mut many) = (Series::default(), Series::default());
    for _ in 0..options.rounds.max(FEWEST) {
        few.push(start(workshop, &fleet, LIST)?);
        many.push(start(workshop, &hundred, &of_hundred)?);
    }
    let mut table = Table::new(["what", "ms"]);
    table.row(["preset fleet (3 services and the project functions)".into(), few.shown(0)]);
    table.row([format!("{} components of {} services", many::MANY, many::MANY), many.shown(0)]);
    table.print();
    report.target("start to first answer, preset fleet", &few, Bound::AtMost(150.0), " ms");
    report.target("start to first answer, 100 components", &many, Bound::AtMost(1000.0), " ms");
    report.add("start", json!({ "fleetMillis": json_of(&few), "hundredMillis": json_of(&many) }));
    Ok(())
}

/// Milliseconds of one start.
fn start(workshop: &Workshop, project: &Project, path: &str) -> anyhow::Result<f64> {
    let port = free_port()?;
    let mut command: Command = workshop.host(project, port);
    let (_server, _, took) = Server::start(&mut command, port, path, &workshop.log(&project.name))?;
    Ok(took.as_secs_f64() * 1e3)
}
