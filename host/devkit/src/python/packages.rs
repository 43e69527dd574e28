//! The plugin's own dependencies: packages in pure Python, installed into a folder that is named after them.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::process::Command;

use super::project::Project;
use super::{GUEST_PYTHON, PythonToolchain};
use crate::error::BuildError;
use crate::install::put_in_place;
use crate::process::{self, Line};
use crate::progress::{Event, Progress};

/// Only what runs inside a component: no compiled modules, and code of its Python's version.
const PURE: [&str; 9] = [
    "--only-binary=:all:",
    "--platform",
    "any",
    "--implementation",
    "py",
    "--abi",
    "none",
    "--python-version",
    GUEST_PYTHON,
];

/// Installs what the plugin asks for, unless it is there, and answers with its folder.
pub(super) async fn provide(
    project: &Project,
    plugin: &str,
    dir: &Path,
    target_dir: &Path,
    toolchain: &PythonToolchain,
    progress: &dyn Progress,
) -> Result<Option<PathBuf>, BuildError> {
    if !project.needs_packages() {
        return Ok(None);
    }
    let root = target_dir.join("luckystack");
    let place = root.join(format!("python-packages-{}", digest(project)));
    if place.is_dir() {
        return Ok(Some(place));
    }
    // Unpacked beside its place: a folder that exists is complete.
    let made = tempfile::Builder::new().prefix(".packages-").tempdir_in(&root).map_err(BuildError::io(
        plugin,
        "create files in",
        &root,
    ))?;
    let mut arguments: Vec<String> =
        ["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet", "--no-compile"]
            .map(str::to_owned)
            .into();
    arguments.extend(PURE.map(str::to_owned));
    arguments.extend(["--target".to_owned(), made.path().display().to_string()]);
    arguments.extend(project.dependencies.iter().cloned());
    if let Some(requirements) = &project.requirements {
        arguments.extend(["--requirement".to_owned(), requirements.display().to_string()]);
    }
    let text = format!("{} {}", toolchain.python().display(), arguments.join(" "));
    progress.event(Event::Running { command: &text });

    let mut command = Command::new(toolchain.python());
    command.args(&arguments).current_dir(dir).env_remove("PYTHONPATH").env_remove("PYTHONHOME");
    let mut output = String::new();
    let status = process::run(command, |line| {
        let (Line::Out(text) | Line::Err(text)) = line;
        progress.event(Event::Output { text: &text });
        output.push_str(&text);
        output.push('\n');
    })
    .await
    .map_err(|source| BuildError::Run {
        plugin: plugin.to_owned(),
        program: toolchain.python().to_owned(),
        source,
    })?;
    if !status.success() {
        output.push_str(
            "Only packages in pure Python can be part of a component: those with a wheel `py3-none-any`.",
        );
        return Err(BuildError::Compile { plugin: plugin.to_owned(), status: status.to_string(), output });
    }
    put_in_place(&made.keep(), &place).map_err(BuildError::io(plugin, "create", &place))?;
    Ok(Some(place))
}

/// A name for what is asked for.
fn digest(project: &Project) -> String {
    let mut sha = Sha256::new();
    for part in [GUEST_PYTHON, &project.dependencies.join("\n"), &project.text] {
        sha.update((part.len() as u64).to_le_bytes());
        sha.update(part);
    }
    sha.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
