//! The benches behind `BENCHMARKS.md`: what the host costs, beside servers that anybody can run.
//!
//! The rule kept here: **only ratios within one run count.** Whatever is compared is measured in turns
//! (A B C A B C …) on the same machine in the same minutes, and what is compared first of all is the
//! CPU time that the operating system charged to the server's process, because a busy machine blurs
//! that least. Throughput and latency stand beside it.

mod auth;
mod client;
mod compile;
mod edit;
mod http;
mod hyper_server;
mod machine;
mod many;
mod memory;
mod overhead;
mod project;
mod raw;
mod realtime;
mod report;
mod server;
mod spin;
mod start;
mod stats;
mod wrk;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::project::Workshop;
use crate::report::Report;

/// Measures the host; see BENCHMARKS.md.
#[derive(Debug, Parser)]
#[command(name = "luckystack-bench", version)]
struct Cli {
    #[command(subcommand)]
    bench: Bench,
    #[command(flatten)]
    options: Options,
}

#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
enum Bench {
    /// Everything below, one after another.
    All,
    /// CPU per HTTP request, beside bare hyper and Fastify.
    Http,
    /// What a call costs beyond the guest's own time, without a socket.
    Overhead,
    /// From the start of the process to its first answer.
    Start,
    /// Resident memory per loaded idle plugin.
    Memory,
    /// A well-behaved service beside one whose handlers all spin.
    Spin,
    /// Calls with a session beside calls without, with the embedded store and with Redis.
    Auth,
    /// With --dev, from an edit to the first answer of the new code, in Rust, TypeScript and Python.
    Edit,
    /// CPU per delivery and call over sockets and memory per connection, beside the npm socket.io server.
    Realtime,
    /// Thousands of connections and a room at a steady rate for a while, beside the npm socket.io server.
    Load,
    /// The baseline of `http`: bare hyper that replays an answer.
    #[command(hide = true)]
    ServeHyper {
        /// Port to listen on.
        #[arg(long)]
        port: u16,
        /// The answer: head and body as they came from the host.
        #[arg(long)]
        answer: PathBuf,
    },
}

/// How long and how often.
#[derive(Args, Clone, Debug)]
struct Options {
    /// Seconds of one measurement.
    #[arg(long, default_value_t = 4, global = true, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Rounds; every server has its turn in each. Starts are repeated at least ten times.
    #[arg(long, default_value_t = 7, global = true, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds that `load` lasts, for each server.
    #[arg(long, default_value_t = 60, global = true, value_parser = clap::value_parser!(u64).range(1..))]
    duration: u64,
    /// Of `realtime` and `load`, measures this server alone (to profile it, say).
    #[arg(long, value_enum, global = true)]
    only: Option<realtime::Who>,
    /// Of `realtime`, measures only the work whose name contains this.
    #[arg(long, value_name = "TEXT", global = true)]
    work: Option<String>,
    /// Writes everything as JSON into this file too.
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    /// Measures the host and the components that are there, without building them first.
    #[arg(long, global = true)]
    no_build: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.bench {
        Bench::ServeHyper { port, answer } => hyper_server::run(*port, answer),
        bench => run(bench, &cli.options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::note(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

type Measure = fn(&Workshop, &Options, &mut Report) -> anyhow::Result<()>;

const ALL: [(Bench, Measure); 9] = [
    (Bench::Http, http::measure),
    (Bench::Overhead, overhead::measure),
    (Bench::Start, start::measure),
    (Bench::Memory, memory::measure),
    (Bench::Spin, spin::measure),
    (Bench::Auth, auth::measure),
    (Bench::Realtime, realtime::measure),
    (Bench::Load, realtime::load),
    (Bench::Edit, edit::measure),
];

fn run(chosen: &Bench, options: &Options) -> anyhow::Result<()> {
    let workshop = Workshop::open(!options.no_build)?;
    let mut report = Report::new(machine::describe()?, options.seconds, options.rounds);
    report.print_machine();
    for (bench, measure) in ALL {
        if *chosen == Bench::All || *chosen == bench {
            measure(&workshop, options, &mut report)?;
        }
    }
    report.print_targets();
    if let Some(file) = &options.json {
        report.write(file)?;
    }
    Ok(())
}
