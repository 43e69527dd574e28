//! `luckystack-host new`: services and handlers from templates.

use std::path::Path;

use clap::{Args, ValueEnum};
use luckystack_devkit::{Created, InPreset, Language, New, What, scaffold};
use luckystack_topology::{Finding, Loaded, Overrides, Topology, load, parse};

use crate::cli::Common;
use crate::project::print_findings;
use crate::terminal::{complain, line};

/// What to make, and in which language.
#[derive(Args, Clone, Debug)]
pub(crate) struct NewArgs {
    /// What to make: a service with a first handler, or a handler of a service that exists.
    #[arg(value_enum)]
    what: Kind,

    /// A service's name; a handler's with its service before it (SERVICE/NAME, SERVICE/PAGE/NAME, system/NAME).
    name: String,

    /// Language to write it in.
    #[arg(long, value_enum, value_name = "LANGUAGE")]
    lang: Lang,

    /// Service of a handler that is named without it.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,

    /// Version of the handler.
    #[arg(long = "version", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    handler_version: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// A service, with one API handler to begin with.
    Service,
    /// An API handler.
    Api,
    /// Both halves of a sync handler.
    Sync,
}

/// A language, as the command line spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Rust.
    Rust,
    /// TypeScript.
    #[value(alias = "typescript")]
    Ts,
    /// Python.
    #[value(alias = "python")]
    Py,
    /// C.
    C,
}

impl From<Lang> for Language {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Rust => Self::Rust,
            Lang::Ts => Self::TypeScript,
            Lang::Py => Self::Python,
            Lang::C => Self::C,
        }
    }
}

/// Makes it and says what to do next; whether it was made.
pub(crate) fn run(common: &Common, args: &NewArgs) -> bool {
    let what = match args.what {
        Kind::Service => What::Service,
        Kind::Api => What::Api,
        Kind::Sync => What::Sync,
    };
    let Some(topology) = open(common, what) else { return false };
    let request = New {
        what,
        name: &args.name,
        service: args.service.as_deref(),
        language: args.lang.into(),
        version: args.handler_version,
        presets: &common.preset,
    };
    match scaffold(&topology, &request) {
        Ok(created) => {
            report(common, &topology, &created);
            true
        }
        Err(error) => {
            complain(format!("error: {error}"));
            false
        }
    }
}

/// The project; for a first service there need not be one yet. Complains when it cannot be read.
fn open(common: &Common, what: What) -> Option<Topology> {
    let overrides = Overrides { env: std::env::vars().collect(), flags: common.set.clone() };
    let is_new = what == What::Service && !common.config.exists();
    let Loaded { topology, findings } =
        if is_new { parse(&common.config, &[], &overrides) } else { load(&common.config, &overrides) };
    // A project without a preset gets its first one.
    let errors: Vec<Finding> =
        findings.into_iter().filter(|finding| finding.is_error() && finding.code != "no-presets").collect();
    if !errors.is_empty() {
        print_findings(&errors);
        complain("the configuration has errors; nothing was made");
        return None;
    }
    topology
}

fn report(common: &Common, topology: &Topology, created: &Created) {
    for file in &created.files {
        line(format!("made     {}", shown(file)));
    }
    for file in &created.changed {
        line(format!("changed  {}", shown(file)));
    }
    if let Some(sdk) = &created.sdk {
        line(format!("uses     {} (the SDK of this host; keep it with the project)", shown(sdk)));
    }
    let mut next = vec![format!("test it:   {}", created.test)];
    let preset = match &created.preset {
        InPreset::Listed { preset, .. } => preset.as_str(),
        InPreset::AddYourself { item, files } => {
            let files: Vec<String> = files.iter().map(|file| shown(file)).collect();
            next.push(format!("load it:   add {item} to `services` in {}", files.join(" or ")));
            "PRESET"
        }
    };
    let config = match common.config.as_os_str().to_str() {
        Some("presets") => String::new(),
        _ => format!(" --config {}", common.config.display()),
    };
    next.push(format!("serve it:  luckystack-host{config} --preset {preset} --dev"));
    match &created.call {
        Some(call) => next.push(format!("call it:   {call}")),
        None => next.push(format!(
            "call it:   from a socket in the room ROOM, emit `sync`: {{name: \"{}\", cb: \"{}\", receiver: \"ROOM\", \
             responseIndex: 1, data: {{text: \"hi\"}}}}",
            created.route,
            created.route.trim_start_matches("sync/"),
        )),
    }
    if topology.project.listen.port == 0 {
        next.push("           (PORT is what the host prints when it starts)".to_owned());
    }
    line("");
    next.iter().for_each(line);
}

fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    text.strip_prefix("./").map_or(text.clone(), str::to_owned)
}
