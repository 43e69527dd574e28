//! `luckystack-host`: reads the command line and the configuration, wires the rooms, runs, drains,
//! stops. Everything that does something lives in the crates beside this one.

mod banner;
mod board;
mod boot;
mod boot_uuid;
mod build;
mod check;
mod cli;
mod doctor;
mod functions;
mod guest_access;
mod keep;
mod logging;
mod login;
mod new;
mod plugin_hooks;
mod project;
mod serve;
mod state;
mod stores;
mod terminal;
mod types;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, Common};
use crate::project::{Problem, Project, print_findings};
use crate::terminal::complain;

#[tokio::main]
async fn main() -> ExitCode {
    let mut cli = Cli::parse();
    logging::install(cli.common.json_logs, cli.common.verbose);
    if let Some(port) = cli.port {
        cli.common.set.push(format!("listen.port={port}"));
    }
    if let Some(host) = &cli.host {
        cli.common.set.push(format!("listen.host={:?}", host));
    }
    match run(cli).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            complain(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<bool> {
    let common = &cli.common;
    match cli.command {
        Some(Command::Check { json, strict }) => check::run(common, json, strict).await,
        Some(Command::Functions { json }) => {
            let Some(mut project) = open(common) else { return Ok(false) };
            build_missing(&mut project, common).await;
            let loaded = boot::load(&project, false).await?;
            for error in &loaded.skipped {
                complain(error);
            }
            functions::print(&loaded, json)?;
            Ok(loaded.skipped.is_empty())
        }
        Some(Command::Build(ref args)) => {
            let Some(project) = open(common) else { return Ok(false) };
            build::run(common, &project, args).await
        }
        Some(Command::Types(ref args)) => {
            let Some(mut project) = open(common) else { return Ok(false) };
            build_missing(&mut project, common).await;
            types::run(&project, args).await
        }
        Some(Command::New(ref args)) => Ok(new::run(common, args)),
        Some(Command::Doctor(ref args)) => doctor::run(common, args).await,
        None => {
            let Some(project) = open(common) else { return Ok(false) };
            let dev = cli.dev.then(|| keep::DevOptions { jobs: common.jobs() });
            serve::run(project, common, dev).await
        }
    }
}

/// Reads the project and prints what is wrong with it; none when that forbids going on.
fn open(common: &Common) -> Option<Project> {
    match project::open(common, false) {
        Ok(project) => {
            print_findings(&project.findings);
            Some(project)
        }
        Err(Problem::Findings(findings)) => {
            print_findings(&findings);
            complain("the configuration has errors; `luckystack-host check` lists them");
            None
        }
        Err(Problem::UnknownPreset(message)) => {
            complain(format!("error: {message}"));
            None
        }
    }
}

async fn build_missing(project: &mut Project, common: &Common) {
    if common.no_build {
        return;
    }
    for failure in build::build_stale(project, common.jobs()).await.failures {
        complain(failure);
    }
    project.rediscover();
}
