//! The second step: componentize-py makes the component.

use std::fs;

use tokio::process::Command;

use super::{Job, PythonToolchain};
use crate::error::BuildError;
use crate::process::{self, Line};
use crate::progress::Progress;

/// Makes the component of what is in the stage and answers with its bytes.
///
/// # Errors
/// When a module that the machine's Python loads cannot be loaded inside the component.
pub(super) async fn run(
    job: &Job<'_>,
    toolchain: &PythonToolchain,
    progress: &dyn Progress,
) -> Result<Vec<u8>, BuildError> {
    let output = job.stage.join("component.wasm");
    // It adds the packages of an environment, its own one or the author's, unless one is named: an empty one.
    let environment = job.stage.join("environment");
    let packages = environment.join("lib").join("python3").join("site-packages");
    fs::create_dir_all(packages).map_err(job.io("create", "environment"))?;

    let mut command = Command::new(toolchain.componentize());
    command.current_dir(job.stage).env("VIRTUAL_ENV", environment);
    command.env_remove("PYTHONPATH").env_remove("PYTHONHOME").env_remove("RUST_BACKTRACE");
    command.env(if progress.colour() { "FORCE_COLOR" } else { "NO_COLOR" }, "1");
    command.arg("--quiet");
    command
        .arg("--wit-path")
        .arg(job.unpacked.join("wit"))
        .arg("--wit-path")
        .arg(job.stage.join("world.wit"));
    command.args(["--world", "luckystack:python-plugin/component"]);
    command.args(["componentize", "luckystack_app", "--output"]).arg(&output);
    command.arg("--python-path").arg(job.stage);
    command.arg("--python-path").arg(job.unpacked.join("sdk"));
    command.arg("--python-path").arg(job.dir);
    if let Some(packages) = job.packages {
        command.arg("--python-path").arg(packages);
    }
    let mut text = String::new();
    let status = process::run(command, |line| {
        let (Line::Out(line) | Line::Err(line)) = line;
        text.push_str(&line);
        text.push('\n');
    })
    .await
    .map_err(|source| BuildError::Run {
        plugin: job.request.name.clone(),
        program: toolchain.componentize().to_owned(),
        source,
    })?;
    if !status.success() {
        return Err(job.failed(status, text));
    }
    fs::read(&output).map_err(job.io("read", "component.wasm"))
}
