//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Runs LuckyStack services as sandboxed WebAssembly components.
///
/// Without a command it serves: it loads the services of the chosen presets, builds their components
/// where sources have none, and answers HTTP.
#[derive(Debug, Parser)]
#[command(name = "luckystack-host", version, args_conflicts_with_subcommands = false)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Port to listen on; the next free one is taken when it is in use. 0 takes any.
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,

    /// Watches presets, translations, components and sources: what is saved is built and live at once.
    #[arg(long)]
    pub(crate) dev: bool,

    /// Address to listen on, such as 0.0.0.0 for all interfaces.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub(crate) struct Common {
    /// Presets whose services to load: one, several separated by commas, or repeated. All when absent.
    #[arg(long, short, value_name = "NAME", value_delimiter = ',', global = true)]
    pub(crate) preset: Vec<String>,

    /// Folder of presets, project.toml and deploy.toml.
    #[arg(long, value_name = "DIR", default_value = "presets", global = true)]
    pub(crate) config: PathBuf,

    /// Overrides a value of project.toml, such as rate_limiting.enabled=false. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", global = true)]
    pub(crate) set: Vec<String>,

    /// Builds at a time; one for each processor when absent.
    #[arg(long, value_name = "NUMBER", global = true, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,

    /// Never builds components from sources.
    #[arg(long, global = true)]
    pub(crate) no_build: bool,

    /// Writes the log as JSON, one object a line.
    #[arg(long, global = true)]
    pub(crate) json_logs: bool,

    /// Logs more: -v each call, -vv everything. The variable RUST_LOG chooses in detail.
    #[arg(long, short, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

impl Common {
    /// Builds at a time.
    pub(crate) fn jobs(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.jobs.map_or_else(all, usize::from)
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Checks configuration, services and built components, and prints every finding.
    ///
    /// Exit status: 0 when nothing is wrong, 1 when there are errors (with --strict also on warnings),
    /// 2 when the command line is wrong.
    Check {
        /// Prints the findings as one JSON object.
        #[arg(long)]
        json: bool,
        /// Fails on warnings too.
        #[arg(long)]
        strict: bool,
    },
    /// Lists functions, who provides them, and what is shadowed.
    Functions {
        /// Prints them as one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Makes a service or a handler from a template: it builds, answers, and has a test.
    New(crate::new::NewArgs),
    /// Lists what each language needs, what is found, what is missing and how to get it.
    ///
    /// Exit status: 0 when every language (or those asked for) works, 1 otherwise.
    Doctor(crate::doctor::DoctorArgs),
    /// Builds components from sources, puts them into the plugin folders and exits; non-zero when any fails.
    Build(crate::build::BuildArgs),
    /// Writes types, schemas and documents for front ends from the loaded plugins.
    ///
    /// Exit status: 0 when all were written (with --check: when all are current), 1 otherwise.
    Types(crate::types::TypesArgs),
}
