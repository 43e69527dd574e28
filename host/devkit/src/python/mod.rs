//! Python: decorated functions become a component that holds CPython, the SDK and the plugin's modules.
//!
//! A build takes two steps. The plugin's modules are loaded with the machine's own Python first
//! ([`collect`]), which takes a tenth of a second: mistakes are shown as Python prints them, and what comes of it
//! says which interfaces the component exports and imports. Then componentize-py loads them once more, inside
//! the component, and keeps its memory.

mod collect;
mod componentize;
mod install;
mod packages;
mod project;
mod sources;

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use self::project::Project;
use crate::component;
use crate::error::BuildError;
use crate::freshness::now_on_disk;
use crate::language::{BuildRequest, Built};
use crate::progress::{Event, Progress};
use crate::sdk::{self, File, WIT, embedded};

pub use self::install::PythonToolchain;

/// The version of componentize-py, which brings its own CPython.
const COMPONENTIZE: &str = "0.25.1";

/// The version of the CPython that it brings.
const GUEST_PYTHON: &str = "3.14";

/// The SDK.
pub(crate) const SDK: &[File] = embedded!("sdk/python":
    "luckystack/__init__.py",
    "luckystack/_call.py",
    "luckystack/_collect.py",
    "luckystack/_component.py",
    "luckystack/_component_accounts.py",
    "luckystack/_component_http.py",
    "luckystack/_component_store.py",
    "luckystack/_component_uploads.py",
    "luckystack/_convert.py",
    "luckystack/_dispatch.py",
    "luckystack/_errors.py",
    "luckystack/_fields.py",
    "luckystack/_hints.py",
    "luckystack/_host.py",
    "luckystack/_json.py",
    "luckystack/_load.py",
    "luckystack/_names.py",
    "luckystack/_outcome.py",
    "luckystack/_plugin.py",
    "luckystack/_registry.py",
    "luckystack/_schema.py",
    "luckystack/_signature.py",
    "luckystack/_throttle.py",
    "luckystack/_trace.py",
    "luckystack/_validate.py",
    "luckystack/accounts.py",
    "luckystack/config.py",
    "luckystack/functions.py",
    "luckystack/http.py",
    "luckystack/keyvalue.py",
    "luckystack/sessions.py",
    "luckystack/testing.py",
    "luckystack/uploads.py",
);

/// The settings of every build, for the comparison with those of an earlier one.
pub(crate) fn settings() -> String {
    format!("componentize-py {COMPONENTIZE}, sdk {}", sdk::digest(&[SDK, WIT]))
}

/// Files that count as soon as they appear: those of handlers, and those that say what they need.
pub(crate) fn own_files(request: &BuildRequest) -> Vec<PathBuf> {
    let mut files = sources::handler_files(&request.dir, request.nested);
    files.extend(project::FILES.iter().map(|name| request.dir.join(name)));
    files
}

/// Builds one plugin.
pub(crate) async fn build(
    request: &BuildRequest,
    toolchain: &PythonToolchain,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let plugin = request.name.as_str();
    let target_dir = std::path::absolute(&request.target_dir).map_err(BuildError::io(
        plugin,
        "find",
        &request.target_dir,
    ))?;
    let in_target = |error| BuildError::io(plugin, "create files in", &target_dir)(error);
    let began = now_on_disk(&target_dir).map_err(in_target)?;
    let dir = fs::canonicalize(&request.dir).map_err(BuildError::io(plugin, "read", &request.dir))?;

    progress.event(Event::Compiling { plugins: std::slice::from_ref(&request.name) });
    let clock = Instant::now();
    let project = Project::read(plugin, &dir)?;
    let packages = packages::provide(&project, plugin, &dir, &target_dir, toolchain, progress).await?;
    let unpacked = sdk::unpack(&target_dir, "python", &[("sdk", SDK), ("wit", WIT)]).map_err(in_target)?;
    // A folder of this build alone: it goes when the build ends or is dropped.
    let stage = tempfile::Builder::new()
        .prefix("python-")
        .tempdir_in(target_dir.join("luckystack"))
        .map_err(in_target)?;
    let job =
        Job { request, dir: &dir, unpacked: &unpacked, stage: stage.path(), packages: packages.as_deref() };

    let mut inputs = collect::run(&job, &project, toolchain, progress).await?;
    inputs.extend(project.files);
    let compile = clock.elapsed();

    progress.event(Event::Encoding { plugin });
    let clock = Instant::now();
    let bytes = componentize::run(&job, toolchain, progress).await?;
    let (component, changed) = component::install(request, &bytes, began, inputs)?;
    let encode = clock.elapsed();
    let built =
        Built { plugin: plugin.to_owned(), component, bytes: bytes.len() as u64, changed, compile, encode };
    progress.event(Event::Built(&built));
    Ok(built)
}

/// What both steps of a build need.
struct Job<'a> {
    request: &'a BuildRequest,
    /// The folder of the sources, without links in it.
    dir: &'a std::path::Path,
    /// The SDK and the contract: folders `sdk` and `wit`.
    unpacked: &'a std::path::Path,
    /// What the first step leaves for the second.
    stage: &'a std::path::Path,
    /// The plugin's dependencies.
    packages: Option<&'a std::path::Path>,
}

impl Job<'_> {
    /// A failed step, with what it printed.
    fn failed(&self, status: std::process::ExitStatus, output: String) -> BuildError {
        BuildError::Compile { plugin: self.request.name.clone(), status: status.to_string(), output }
    }

    /// A file operation in the stage that failed.
    fn io(&self, action: &'static str, name: &str) -> impl FnOnce(std::io::Error) -> BuildError {
        BuildError::io(&self.request.name, action, self.stage.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_embedded() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python/luckystack");
        let mut found = Vec::new();
        for entry in fs::read_dir(root).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".py") {
                found.push(format!("luckystack/{name}"));
            }
        }
        found.sort();
        let mut embedded: Vec<&str> = SDK.iter().map(|(path, _)| *path).collect();
        embedded.sort_unstable();
        assert_eq!(found, embedded);
    }
}
