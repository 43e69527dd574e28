//! TypeScript and JavaScript: the handler files of a folder, bundled into one script that a JavaScript
//! engine inside the component runs.
//!
//! The work is done by one run of Node (`sdk/typescript/build/build.mjs`): it finds the handlers, checks their types,
//! reads schemas from them, bundles, and makes the component. This module provides what that run needs
//! and keeps its result.

mod install;
mod project;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use self::project::Engine;
use crate::component;
use crate::error::BuildError;
use crate::freshness::now_on_disk;
use crate::language::{BuildRequest, Built};
use crate::process::{self, Line};
use crate::progress::{Event, Progress};
use crate::sdk::{self, File, WIT, embedded};

pub use self::install::TypeScriptToolchain;

/// What the script prints when it is done with the sources and makes the component.
const ENCODING: &str = "encoding";

/// The SDK: the script, the run time, the declarations.
const SDK: &[File] = embedded!("sdk/typescript":
    "build/build.mjs",
    "build/bundle.mjs",
    "build/check.mjs",
    "build/componentize.mjs",
    "build/discover.mjs",
    "build/entry.mjs",
    "build/handler-types.mjs",
    "build/names.mjs",
    "build/schema.mjs",
    "build/source-map.mjs",
    "build/typescript.mjs",
    "build/world.mjs",
    "package.json",
    "runtime/accounts.js",
    "runtime/attempt.js",
    "runtime/call.js",
    "runtime/caller.js",
    "runtime/config.js",
    "runtime/console.js",
    "runtime/drive-native.js",
    "runtime/drive.js",
    "runtime/errors.js",
    "runtime/globals-native.js",
    "runtime/globals.js",
    "runtime/handlers.js",
    "runtime/http.js",
    "runtime/inspect.js",
    "runtime/json.js",
    "runtime/keyvalue.js",
    "runtime/live.js",
    "runtime/locations.js",
    "runtime/luckystack.js",
    "runtime/manifest.js",
    "runtime/microtasks.js",
    "runtime/promise.js",
    "runtime/session-changes.js",
    "runtime/sessions.js",
    "runtime/shims/clone.js",
    "runtime/shims/crypto.js",
    "runtime/shims/encoding.js",
    "runtime/shims/events.js",
    "runtime/shims/fetch.js",
    "runtime/shims/url.js",
    "runtime/text-native.js",
    "runtime/text.js",
    "runtime/throttle.js",
    "runtime/uploads.js",
    "runtime/waiting-native.js",
    "runtime/waiting.js",
    "types/accounts.d.ts",
    "types/config.d.ts",
    "types/globals.d.ts",
    "types/http.d.ts",
    "types/keyvalue.d.ts",
    "types/luckystack.d.ts",
    "types/uploads.d.ts",
);

/// What the script is asked for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Order<'a> {
    service: &'a str,
    name: &'a str,
    dir: &'a Path,
    nested: bool,
    /// Where to write the component.
    output: &'a Path,
    /// A folder for what makes later builds faster.
    cache: &'a Path,
    /// Folders of packages: of the tools, and of the engine.
    modules: &'a Path,
    engine_modules: &'a Path,
    engine: Engine,
    wit: &'a Path,
    colour: bool,
}

/// What it answers.
#[derive(Deserialize)]
struct Answer {
    inputs: Vec<PathBuf>,
    ms: Times,
}

/// When its steps were done, in milliseconds, and how long the last one took. Checking goes on beside the others.
#[derive(Deserialize)]
struct Times {
    bundle: u64,
    check: u64,
    componentize: u64,
}

/// What a run of the script printed.
struct Run {
    status: ExitStatus,
    answer: Option<Answer>,
    messages: String,
    encoding: Option<Duration>,
}

/// The settings of every build, for the comparison with those of an earlier one.
pub(crate) fn settings() -> String {
    format!("packages {}, sdk {}", install::digest(), sdk::digest(&[SDK, WIT]))
}

/// Files that count as soon as they appear: those of handlers, and those that say what they need.
pub(crate) fn own_files(request: &BuildRequest) -> Vec<PathBuf> {
    project::own_files(request)
}

/// Builds one plugin.
pub(crate) async fn build(
    request: &BuildRequest,
    toolchain: &TypeScriptToolchain,
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
    let engine = project::engine(&dir)?;
    let engine_modules = toolchain.engine(engine, progress).await?;
    let unpacked =
        sdk::unpack(&target_dir, "typescript", &[("sdk", SDK), ("wit", WIT)]).map_err(in_target)?;
    let output = tempfile::Builder::new()
        .prefix("typescript-")
        .suffix(".tmp")
        .tempfile_in(target_dir.join("luckystack"))
        .map_err(in_target)?
        .into_temp_path();
    let order = Order {
        service: &request.service,
        name: plugin,
        dir: &dir,
        nested: request.nested,
        output: &output,
        cache: &target_dir.join("luckystack").join("typescript"),
        modules: &toolchain.modules,
        engine_modules: &engine_modules,
        engine,
        wit: &unpacked.join("wit"),
        colour: progress.colour(),
    };
    let run = run(&order, toolchain, &unpacked, progress).await.map_err(|source| BuildError::Run {
        plugin: plugin.to_owned(),
        program: toolchain.node.clone(),
        source,
    })?;
    let (true, Some(answer)) = (run.status.success(), run.answer) else {
        let status = run.status.to_string();
        return Err(BuildError::Compile { plugin: plugin.to_owned(), status, output: run.messages });
    };
    if !run.messages.is_empty() {
        progress.event(Event::Output { text: run.messages.trim_end() });
    }
    let Times { bundle, check, componentize } = answer.ms;
    tracing::debug!(plugin, bundle, check, componentize, "built; times are in milliseconds");

    let bytes = fs::read(&output).map_err(BuildError::io(plugin, "read", &*output))?;
    let (component, changed) = component::install(request, &bytes, began, answer.inputs)?;
    let total = clock.elapsed();
    // While types are checked the component is often made already; the rest is the compiler's share.
    let compile = run.encoding.unwrap_or(total).min(total);
    let built = Built {
        plugin: plugin.to_owned(),
        component,
        bytes: bytes.len() as u64,
        changed,
        compile,
        encode: total.saturating_sub(compile),
    };
    progress.event(Event::Built(&built));
    Ok(built)
}

/// Runs the script. What it prints to standard error is for the author.
async fn run(
    order: &Order<'_>,
    toolchain: &TypeScriptToolchain,
    unpacked: &Path,
    progress: &dyn Progress,
) -> std::io::Result<Run> {
    let clock = Instant::now();
    let mut command = Command::new(&toolchain.node);
    command.arg(unpacked.join("sdk/build/build.mjs")).arg(serde_json::to_string(order)?);
    let (mut answer, mut messages, mut encoding) = (None, String::new(), None);
    let status = process::run(command, |line| match line {
        Line::Err(text) => {
            messages.push_str(&text);
            messages.push('\n');
        }
        Line::Out(text) if text == ENCODING => {
            encoding = Some(clock.elapsed());
            progress.event(Event::Encoding { plugin: order.name });
        }
        Line::Out(text) => answer = serde_json::from_str(&text).ok().or(answer.take()),
    })
    .await?;
    Ok(Run { status, answer, messages, encoding })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_sdk_is_embedded() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/typescript"));
        let mut found = vec!["package.json".to_owned()];
        let mut open = ["build", "runtime", "types"].map(|name| root.join(name)).to_vec();
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        let mut embedded: Vec<&str> = SDK.iter().map(|(path, _)| *path).collect();
        embedded.sort_unstable();
        assert_eq!(found, embedded);
    }
}
