//! `luckystack-host doctor`: what this machine can build, and how to get what is missing.

use std::path::Path;

use clap::Args;
use luckystack_devkit::{Diagnosis, Event, Language, Note, Progress, examine, notes, provide};
use luckystack_topology::{Overrides, load};
use serde_json::{Value, json};

use crate::cli::Common;
use crate::new::Lang;
use crate::terminal::{colours, line, note};

/// What to look at.
#[derive(Args, Clone, Debug)]
pub(crate) struct DoctorArgs {
    /// Installs what is missing, showing each command before it runs.
    #[arg(long)]
    install: bool,

    /// Looks at these languages only: one, several separated by commas, or repeated.
    #[arg(long, value_enum, value_name = "LANGUAGE", value_delimiter = ',')]
    lang: Vec<Lang>,

    /// Prints the findings as one JSON object.
    #[arg(long)]
    json: bool,
}

/// Shows an installation as plain lines on standard error.
struct Steps;

impl Progress for Steps {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Running { command } => note(format!("  $ {command}")),
            Event::Output { text } => note(format!("    {text}")),
            _ => {}
        }
    }

    fn colour(&self) -> bool {
        colours()
    }
}

/// Looks, and installs if asked to; whether every language works.
pub(crate) async fn run(common: &Common, args: &DoctorArgs) -> anyhow::Result<bool> {
    let asked = |language: &Language| {
        args.lang.is_empty() || args.lang.iter().any(|lang| Language::from(*lang) == *language)
    };
    let mut found = Vec::new();
    for language in Language::ALL.into_iter().filter(asked) {
        let mut diagnosis = examine(language).await;
        if args.install && diagnosis.missing.is_some() {
            note(format!("installing what {language} needs"));
            diagnosis = provide(language, &Steps).await;
        }
        if !args.json {
            line(text(&diagnosis));
        }
        found.push(diagnosis);
    }
    let notes = notes(instances(common));
    let works = found.iter().all(|diagnosis| diagnosis.missing.is_none());
    if args.json {
        line(serde_json::to_string_pretty(&report(&found, &notes))?);
        return Ok(works);
    }
    for Note { problem, remedy } in &notes {
        line(format!("machine: {problem}\n    {remedy}"));
    }
    if !works && !args.install {
        line("`luckystack-host doctor --install` installs what is missing");
    }
    Ok(works)
}

/// How many instances the project's host may have; the default without a project.
fn instances(common: &Common) -> u32 {
    let overrides = Overrides { env: std::env::vars().collect(), flags: common.set.clone() };
    let topology = if common.config.is_dir() { load(&common.config, &overrides).topology } else { None };
    let topology =
        topology.or_else(|| luckystack_topology::parse(Path::new("presets"), &[], &overrides).topology);
    topology.map_or(0, |topology| topology.project.engine.max_instances)
}

fn text(diagnosis: &Diagnosis) -> String {
    let language = diagnosis.language;
    if let Some(missing) = &diagnosis.missing {
        return format!("{language}: {missing}\n");
    }
    let mut text = format!("{language}: ready\n");
    for tool in &diagnosis.tools {
        let version = tool.version.as_deref().unwrap_or("");
        text.push_str(format!("    {:<14} {}  {version}", tool.name, tool.path.display()).trim_end());
        text.push('\n');
    }
    text
}

fn report(found: &[Diagnosis], notes: &[Note]) -> Value {
    let languages: Vec<Value> = found
        .iter()
        .map(|diagnosis| {
            let tools: Vec<Value> = diagnosis
                .tools
                .iter()
                .map(|tool| json!({ "name": tool.name, "path": tool.path, "version": tool.version }))
                .collect();
            let missing = diagnosis.missing.as_ref().map(|missing| {
                let tried: Vec<Value> = missing
                    .tried
                    .iter()
                    .map(|attempt| json!({ "what": attempt.what, "result": attempt.result }))
                    .collect();
                json!({ "what": missing.missing, "tried": tried, "install": missing.install })
            });
            json!({
                "language": diagnosis.language.key(),
                "works": diagnosis.missing.is_none(),
                "tools": tools,
                "missing": missing,
            })
        })
        .collect();
    let notes: Vec<Value> =
        notes.iter().map(|note| json!({ "problem": note.problem, "remedy": note.remedy })).collect();
    json!({
        "works": found.iter().all(|diagnosis| diagnosis.missing.is_none()),
        "languages": languages,
        "machine": notes,
    })
}
