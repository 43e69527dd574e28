//! Rust: a cargo package whose library is a `cdylib`, compiled for `wasm32-unknown-unknown`, the target
//! that yields the smallest and most closed component (no WASI at all).

mod cargo;
mod find;
mod inputs;
mod install;
mod owners;
mod package;

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::component;
use crate::error::BuildError;
use crate::freshness::{Record, now_on_disk};
use crate::language::{BuildRequest, Built};
use crate::progress::{Event, Progress};
use cargo::Outcome;
use package::Package;

pub(crate) use cargo::settings;
pub use find::RustToolchain;
pub(crate) use package::name_in_manifest as package_name;

/// The target that plugins are compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Files of a package that cargo heeds without being told.
pub(crate) const OWN_FILES: [&str; 5] =
    ["Cargo.toml", "build.rs", ".cargo/config.toml", "rust-toolchain.toml", "rust-toolchain"];

/// The file in which cargo fixes the versions of dependencies.
pub(crate) const LOCK_FILE: &str = "Cargo.lock";

/// A request whose package is known, and its place among the requests.
struct Job<'a> {
    index: usize,
    request: &'a BuildRequest,
    package: Package,
}

/// Builds one plugin.
pub(crate) async fn build(
    request: &BuildRequest,
    toolchain: &RustToolchain,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let mut results = build_all(std::slice::from_ref(request), toolchain, progress).await;
    results.pop().expect("one result for one request")
}

/// Builds several plugins, those of one cargo workspace by one run of cargo: it compiles what they
/// share once and uses every core, where one run each would wait for the other's lock.
pub(crate) async fn build_all(
    requests: &[BuildRequest],
    toolchain: &RustToolchain,
    progress: &dyn Progress,
) -> Vec<Result<Built, BuildError>> {
    let mut results: Vec<_> = requests.iter().map(|_| None).collect();
    let mut jobs = Vec::new();
    for (index, found) in package::read_all(requests, toolchain).await.into_iter().enumerate() {
        match found {
            Ok(package) => jobs.push(Job { index, request: &requests[index], package }),
            Err(error) => results[index] = Some(Err(error)),
        }
    }
    for batch in batches(jobs) {
        for (index, result) in build_batch(&batch, toolchain, progress).await {
            results[index] = Some(result);
        }
    }
    results.into_iter().map(|result| result.expect("each request is in one batch or failed before")).collect()
}

/// Jobs that one run of cargo can do: of one workspace and target folder, with distinct library names,
/// because cargo writes `<library>.wasm` of each into one folder, and cdylibs only (see
/// [`cargo::build`]).
fn batches(jobs: Vec<Job<'_>>) -> Vec<Vec<Job<'_>>> {
    let mut batches: Vec<Vec<Job<'_>>> = Vec::new();
    for job in jobs {
        let fits = |batch: &&mut Vec<Job<'_>>| {
            batch.iter().all(|other| {
                !other.package.also_library
                    && !job.package.also_library
                    && other.package.workspace == job.package.workspace
                    && other.request.target_dir == job.request.target_dir
                    && other.package.library != job.package.library
            })
        };
        match batches.iter_mut().find(fits) {
            Some(batch) => batch.push(job),
            None => batches.push(vec![job]),
        }
    }
    batches
}

async fn build_batch(
    batch: &[Job<'_>],
    toolchain: &RustToolchain,
    progress: &dyn Progress,
) -> Vec<(usize, Result<Built, BuildError>)> {
    let names: Vec<String> = batch.iter().map(|job| job.package.name.clone()).collect();
    let target_dir = &batch[0].request.target_dir;

    let all = |make: &dyn Fn(&Job<'_>) -> BuildError| {
        batch.iter().map(|job| (job.index, Err(make(job)))).collect::<Vec<_>>()
    };
    let (_turn, began) = match start(target_dir, progress).await {
        Ok(started) => started,
        Err(error) => {
            return all(&|job| {
                BuildError::io(&job.package.name, "create files in", target_dir)(copy_error(&error))
            });
        }
    };
    progress.event(Event::Compiling { plugins: &names });
    let clock = Instant::now();
    let packages: Vec<&Package> = batch.iter().map(|job| &job.package).collect();
    let outcome = match cargo::build(&packages, target_dir, toolchain, progress).await {
        Ok(outcome) => outcome,
        Err(error) => {
            return all(&|job| BuildError::Run {
                plugin: job.package.name.clone(),
                program: toolchain.cargo().to_owned(),
                source: copy_error(&error),
            });
        }
    };
    let compile = clock.elapsed();
    tracing::debug!(plugins = ?names, ?compile, success = outcome.success, "cargo ended");

    let mut results = Vec::with_capacity(batch.len());
    for job in batch {
        let result = finish(job, &outcome, began, compile, progress).await;
        results.push((job.index, result));
    }
    results
}

/// Waits for the build's turn in the target folder and takes the time, which must be before the
/// compiler reads anything: see [`component::write`].
async fn start(target_dir: &Path, progress: &dyn Progress) -> std::io::Result<(File, SystemTime)> {
    let turn = owners::turn(target_dir, progress).await?;
    Ok((turn, now_on_disk(target_dir)?))
}

/// From cargo's artifact to the component in its place.
async fn finish(
    job: &Job<'_>,
    outcome: &Outcome,
    began: SystemTime,
    compile: Duration,
    progress: &dyn Progress,
) -> Result<Built, BuildError> {
    let plugin = job.package.name.as_str();
    let Some(module) = outcome.module(&job.package.id) else {
        return Err(BuildError::Compile {
            plugin: plugin.to_owned(),
            status: outcome.status.clone(),
            output: outcome.output_for(&job.package.id),
        });
    };
    progress.event(Event::Encoding { plugin });
    let start = Instant::now();
    let bytes = fs::read(module).map_err(BuildError::io(plugin, "read", module))?;
    let component = tokio::task::spawn_blocking(move || component::encode(&bytes))
        .await
        .unwrap_or_else(|panic| Err(format!("the encoder failed: {panic}")))
        .map_err(|problem| BuildError::Encode {
            plugin: plugin.to_owned(),
            module: module.to_owned(),
            problem,
        })?;

    let path = job.request.output_dir.join(format!("{plugin}.wasm"));
    let changed =
        component::write(&path, &component, began).map_err(BuildError::io(plugin, "write", &path))?;
    let target_dir = &job.request.target_dir;
    inputs::record(&job.package, module, target_dir)
        .and_then(|record: Record| record.write(job.request))
        .map_err(BuildError::io(plugin, "keep the list of inputs in", target_dir))?;
    let built = Built {
        plugin: plugin.to_owned(),
        component: path,
        bytes: component.len() as u64,
        changed,
        compile,
        encode: start.elapsed(),
    };
    progress.event(Event::Built(&built));
    Ok(built)
}

/// I/O errors cannot be cloned, and every plugin of a batch reports this one.
fn copy_error(error: &std::io::Error) -> std::io::Error {
    std::io::Error::new(error.kind(), error.to_string())
}
