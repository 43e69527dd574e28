//! CPU per HTTP request: the host in several configurations, beside bare hyper and Fastify.
//!
//! All answer the same request with the same body, which is checked before anything is measured.

use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::Options;
use crate::project::{LIST, Project, Workshop, run};
use crate::report::{Bound, Report, Table, json_of, note};
use crate::server::{Server, free_port};
use crate::stats::Series;

/// Before the first turn: JavaScript is compiled while it runs.
const WARM_UP: u64 = 3;

/// One server and its turns so far.
struct Contender {
    what: &'static str,
    server: Server,
    cpu: Series,
    per_second: Series,
    p50: Series,
    p99: Series,
}

const HYPER: &str = "bare hyper, same bytes";
const FASTIFY: &str = "Fastify";
const FASTIFY_SCHEMA: &str = "Fastify, response schema declared";
const REUSED: &str = "host, instances reused";
const REUSED_NO_HOOK: &str = "host, instances reused, without the audit hook";
const PER_CALL: &str = "host, fresh instance per call";
const PER_CALL_NO_HOOK: &str = "host, fresh instance per call, without the audit hook";
const PER_CALL_BOTH: &str = "host, fresh instance per call and per hook";

pub(crate) fn measure(workshop: &Workshop, options: &Options, report: &mut Report) -> anyhow::Result<()> {
    report.begin("HTTP: GET a list of 20 objects, 32 connections");
    let mut contenders = contenders(workshop)?;
    for contender in &contenders {
        contender.server.pause()?;
    }
    for contender in &contenders {
        contender.awake(|server| server.sample(LIST, WARM_UP))?;
    }
    for round in 1..=options.rounds {
        note(format!("round {round} of {}", options.rounds));
        for contender in &mut contenders {
            contender.turn(options.seconds)?;
        }
    }
    publish(&contenders, report)
}

fn contenders(workshop: &Workshop) -> anyhow::Result<Vec<Contender>> {
    let reused = workshop.fleet();
    let no_hook = workshop.fleet_with("no-hook", without_audit)?;
    let per_call = workshop.fleet_with("per-call", |text| fresh(text, &["vehicles"]))?;
    let per_call_no_hook =
        workshop.fleet_with("per-call-no-hook", |text| fresh(&without_audit(text)?, &["vehicles"]))?;
    let per_call_both = workshop.fleet_with("per-call-both", |text| fresh(text, &["vehicles", "audit"]))?;

    let port = free_port()?;
    let (host, answer, _) =
        Server::start(&mut workshop.host(&reused, port), port, LIST, &workshop.log(&reused.name))?;
    let answer_file = workshop.file("answer.http");
    fs::write(&answer_file, answer.to_bytes())?;
    let body_file = workshop.file("answer.json");
    fs::write(&body_file, &answer.body)?;

    let start =
        |what, command: &mut dyn FnMut(u16) -> anyhow::Result<Command>| -> anyhow::Result<Contender> {
            let port = free_port()?;
            let name: String = what_to_file(what);
            let (server, other, _) = Server::start(&mut command(port)?, port, LIST, &workshop.log(&name))?;
            if other.body != answer.body {
                bail!("{what} answers with another body than the host: the two cannot be compared");
            }
            Ok(Contender::new(what, server))
        };
    let hyper = start(HYPER, &mut |port| {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve-hyper", "--port", &port.to_string(), "--answer"]).arg(&answer_file);
        Ok(command)
    })?;
    let fastify_dir = install_fastify(workshop)?;
    let fastify = |schema: &'static str| {
        let (dir, body) = (&fastify_dir, &body_file);
        move |port: u16| {
            let mut command = Command::new("node");
            command.current_dir(dir).arg("server.js").env("PORT", port.to_string());
            command.env("ANSWER", body).env("SCHEMA", schema).env("NODE_ENV", "production");
            Ok(command)
        }
    };
    let host_of = |project: Project| move |port: u16| Ok(workshop.host(&project, port));
    Ok(vec![
        hyper,
        start(FASTIFY, &mut fastify("0"))?,
        start(FASTIFY_SCHEMA, &mut fastify("1"))?,
        Contender::new(REUSED, host),
        start(REUSED_NO_HOOK, &mut host_of(no_hook))?,
        start(PER_CALL, &mut host_of(per_call))?,
        start(PER_CALL_NO_HOOK, &mut host_of(per_call_no_hook))?,
        start(PER_CALL_BOTH, &mut host_of(per_call_both))?,
    ])
}

fn what_to_file(what: &str) -> String {
    what.chars()
        .filter_map(|c| if c.is_alphanumeric() { Some(c) } else { (c == ' ').then_some('-') })
        .collect()
}

fn without_audit(preset: &str) -> anyhow::Result<String> {
    let edited = preset.replace(", \"audit\"", "");
    if edited == preset {
        bail!("presets/fleet.toml does not list \"audit\" last: the bench cannot take it out");
    }
    Ok(edited)
}

fn fresh(preset: &str, services: &[&str]) -> anyhow::Result<String> {
    let mut text = preset.to_owned();
    for service in services {
        let section = format!("[service.{service}]\n");
        if !text.contains(&section) {
            text = format!("{text}\n{section}");
        }
        text = text.replace(&section, &format!("{section}instances = \"per-call\"\n"));
    }
    Ok(text)
}

/// Installs what the lock file names, in the working folder.
fn install_fastify(workshop: &Workshop) -> anyhow::Result<std::path::PathBuf> {
    let dir = workshop.file("fastify");
    fs::create_dir_all(&dir)?;
    for file in ["package.json", "package-lock.json", "server.js"] {
        fs::copy(workshop.source(&format!("fastify/{file}")), dir.join(file))?;
    }
    let mut npm = Command::new("npm");
    run(npm.current_dir(&dir).args(["ci", "--no-audit", "--no-fund"]))
        .context("Fastify is one of the baselines and needs Node 20 or newer with npm")?;
    Ok(dir)
}

impl Contender {
    fn new(what: &'static str, server: Server) -> Self {
        let empty = Series::default;
        Contender { what, server, cpu: empty(), per_second: empty(), p50: empty(), p99: empty() }
    }

    /// Lets the server run for as long as `work` needs it; the others are frozen.
    fn awake<T>(&self, work: impl FnOnce(&Server) -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.server.resume()?;
        let done = work(&self.server)?;
        self.server.pause()?;
        Ok(done)
    }

    fn turn(&mut self, seconds: u64) -> anyhow::Result<()> {
        let sample = self.awake(|server| server.sample(LIST, seconds))?;
        self.cpu.push(sample.cpu);
        self.per_second.push(sample.load.per_second);
        self.p50.push(sample.load.p50.as_secs_f64() * 1e3);
        self.p99.push(sample.load.p99.as_secs_f64() * 1e3);
        Ok(())
    }

    fn json(&self, hyper: &Series) -> Value {
        json!({
            "server": self.what, "cpuMicros": json_of(&self.cpu), "overHyper": json_of(&self.cpu.over(hyper)),
            "requestsPerSecond": json_of(&self.per_second), "p50Millis": json_of(&self.p50),
            "p99Millis": json_of(&self.p99),
        })
    }
}

fn publish(contenders: &[Contender], report: &mut Report) -> anyhow::Result<()> {
    let cpu = |what: &str| {
        let found = contenders.iter().find(|contender| contender.what == what);
        found.map(|contender| &contender.cpu).with_context(|| format!("{what} was not measured"))
    };
    let hyper = cpu(HYPER)?;
    let mut table = Table::new(["server", "CPU µs/request", "× hyper", "requests/s", "p50 ms", "p99 ms"]);
    for contender in contenders {
        table.row([
            contender.what.to_owned(),
            contender.cpu.shown(1),
            contender.cpu.over(hyper).shown(2),
            format!("{:.0}", contender.per_second.median()),
            format!("{:.2}", contender.p50.median()),
            contender.p99.shown(2),
        ]);
    }
    table.print();
    for (what, bound) in [(REUSED, 2.0), (PER_CALL, 3.5)] {
        report.target(
            format!("{what}: CPU over bare hyper's"),
            &cpu(what)?.over(hyper),
            Bound::AtMost(bound),
            "×",
        );
        let over = cpu(what)?.over(cpu(FASTIFY)?);
        report.target(format!("{what}: CPU over Fastify's"), &over, Bound::Below(1.0), "×");
    }
    report.add("http", contenders.iter().map(|contender| contender.json(hyper)).collect());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_becomes_per_call_with_and_without_a_section() {
        let preset =
            "services = [\"system\", \"vehicles\", \"audit\"]\n\n[service.vehicles]\ndeadline = \"2s\"\n";
        let edited = fresh(&without_audit(preset).unwrap(), &["vehicles", "audit"]).unwrap();
        assert_eq!(
            edited,
            "services = [\"system\", \"vehicles\"]\n\n[service.vehicles]\ninstances = \"per-call\"\n\
             deadline = \"2s\"\n\n[service.audit]\ninstances = \"per-call\"\n"
        );
    }
}
