//! The first step: the plugin's modules, loaded with the machine's Python.

use std::fs;
use std::path::PathBuf;

use tokio::process::Command;

use super::project::Project;
use super::{Job, PythonToolchain, sources};
use crate::error::BuildError;
use crate::process::{self, Line};
use crate::progress::{Event, Progress};

/// Loads the modules and writes what the second step needs into the stage. Answers with the files that were
/// loaded.
///
/// # Errors
/// When a module cannot be loaded, or cannot be part of a plugin; the error holds what Python printed.
pub(super) async fn run(
    job: &Job<'_>,
    project: &Project,
    toolchain: &PythonToolchain,
    progress: &dyn Progress,
) -> Result<Vec<PathBuf>, BuildError> {
    let mut command = Command::new(toolchain.python());
    // In the stage: Python looks for modules in the folder that it was started in, too.
    command.args(["-m", "luckystack._collect"]).current_dir(job.stage);
    command.env("PYTHONPATH", job.unpacked.join("sdk")).env("PYTHONNOUSERSITE", "1").env_remove("PYTHONHOME");
    command.arg("--root").arg(job.dir).arg("--out").arg(job.stage);
    command.args(["--service", &job.request.service, "--name", &job.request.name]);
    // One word each: a value may begin with a hyphen.
    for (name, value) in [("version", &project.version), ("description", &project.description)] {
        if let Some(value) = value {
            command.arg(format!("--{name}={value}"));
        }
    }
    if let Some(packages) = job.packages {
        command.arg("--path").arg(packages);
    }
    for (flag, on) in [
        ("--nested", job.request.nested),
        ("--plain", sources::is_plain(job.dir, job.request.nested)),
        ("--colour", progress.colour()),
    ] {
        if on {
            command.arg(flag);
        }
    }
    let mut errors = String::new();
    let status = process::run(command, |line| match line {
        // What modules print while they are loaded.
        Line::Out(text) => progress.event(Event::Output { text: &text }),
        Line::Err(text) => {
            errors.push_str(&text);
            errors.push('\n');
        }
    })
    .await
    .map_err(|source| BuildError::Run {
        plugin: job.request.name.clone(),
        program: toolchain.python().to_owned(),
        source,
    })?;
    if !status.success() {
        return Err(job.failed(status, errors));
    }
    if !errors.is_empty() {
        progress.event(Event::Output { text: errors.trim_end() });
    }
    let text = fs::read(job.stage.join("inputs.json")).map_err(job.io("read", "inputs.json"))?;
    serde_json::from_slice(&text).map_err(|error| job.io("read", "inputs.json")(error.into()))
}
