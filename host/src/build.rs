//! Building components from sources where there are none, or older ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use futures::future::join_all;
use luckystack_devkit::{BuildRequest, Freshness, Language, Toolchain, freshness, strip};
use luckystack_topology::{ServiceDir, discover_folder};

use crate::board::Board;
use crate::cli::Common;
use crate::project::Project;
use crate::terminal::{complain, count, note};

/// What `luckystack-host build` was asked for.
#[derive(Args, Clone, Debug)]
pub(crate) struct BuildArgs {
    /// Folders of services or of single plugins; the services of the chosen presets when absent.
    dirs: Vec<PathBuf>,

    /// Leaves names and other debugging information out of the components: smaller files, and traps that
    /// name no functions.
    #[arg(long)]
    release: bool,
}

/// Builds once; whether all went well.
pub(crate) async fn run(common: &Common, project: &Project, args: &BuildArgs) -> anyhow::Result<bool> {
    let wanted = if args.dirs.is_empty() { requests(project) } else { in_folders(project, &args.dirs)? };
    let mut outcome = build_requests(wanted, common.jobs()).await;
    if args.release {
        for component in &outcome.components {
            if let Err(problem) = strip_file(component) {
                outcome.failures.push(format!("{}: {problem}", component.display()));
            }
        }
    }
    for failure in &outcome.failures {
        complain(failure);
    }
    note(format!("{} built, {} failed", count(outcome.built, "plugin"), outcome.failures.len()));
    Ok(outcome.failures.is_empty())
}

/// The plugins in these folders: of the project's services where they are its, else of a service called
/// like the folder.
fn in_folders(project: &Project, dirs: &[PathBuf]) -> anyhow::Result<Vec<BuildRequest>> {
    let all = requests(project);
    let mut wanted = Vec::new();
    for dir in dirs {
        let place = dir.canonicalize().with_context(|| format!("{}: cannot be opened", dir.display()))?;
        let below = |request: &&BuildRequest| {
            request.dir.canonicalize().is_ok_and(|source| source.starts_with(&place))
        };
        let known: Vec<_> = all.iter().filter(below).cloned().collect();
        if !known.is_empty() {
            wanted.extend(known);
            continue;
        }
        let service = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (found, findings) = discover_folder(&service, dir);
        crate::project::print_findings(&findings);
        let found = found.filter(|found| !found.sources.is_empty()).with_context(|| {
            format!(
                "{}: no sources to build: neither a Cargo.toml, handler files in _api/ or _sync/, Python modules, nor a plugin.json with C files",
                dir.display()
            )
        })?;
        wanted.extend(requests_of(&found, &project.topology.root));
    }
    wanted.dedup();
    Ok(wanted)
}

/// Takes names out of a component; the file keeps its time, which says what it was built from.
fn strip_file(file: &Path) -> anyhow::Result<()> {
    let modified = fs::metadata(file)?.modified()?;
    let stripped = strip(&fs::read(file)?).map_err(anyhow::Error::msg)?;
    let beside = file.with_extension("stripping");
    fs::write(&beside, stripped)?;
    fs::File::options().write(true).open(&beside)?.set_modified(modified)?;
    fs::rename(&beside, file)?;
    Ok(())
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Components built.
    pub(crate) built: usize,
    /// Where they are.
    components: Vec<PathBuf>,
    /// What failed, in full, one text per plugin.
    pub(crate) failures: Vec<String>,
}

/// The build requests of a project's sources.
pub(crate) fn requests(project: &Project) -> Vec<BuildRequest> {
    project.services.iter().flat_map(|service| requests_of(service, &project.topology.root)).collect()
}

fn requests_of(service: &ServiceDir, root: &Path) -> Vec<BuildRequest> {
    let target_dir = root.join("target").join("guests");
    let request = |source: &luckystack_topology::PluginSource| BuildRequest {
        language: source.language,
        service: service.service.clone(),
        name: source.name.clone(),
        dir: source.dir.clone(),
        nested: source.nested,
        output_dir: service.dir.clone(),
        target_dir: target_dir.clone(),
    };
    service.sources.iter().map(request).collect()
}

/// Why a source needs building; none when its component is up to date.
pub(crate) fn needs_build(request: &BuildRequest) -> Result<Option<Freshness>, String> {
    let component = request.component().map_err(|error| error.to_string())?;
    match freshness(request, &component) {
        Ok(Freshness::Fresh) => Ok(None),
        Ok(stale) => Ok(Some(stale)),
        Err(error) => Err(format!("{}: {error}", request.dir.display())),
    }
}

/// Builds what is missing or older than its sources.
pub(crate) async fn build_stale(project: &Project, jobs: usize) -> Outcome {
    let mut problems = Vec::new();
    let mut wanted = Vec::new();
    for request in requests(project) {
        match needs_build(&request) {
            Ok(None) => {}
            Ok(Some(_)) => wanted.push(request),
            Err(problem) => problems.push(problem),
        }
    }
    let mut outcome = build_requests(wanted, jobs).await;
    outcome.failures.splice(0..0, problems);
    outcome
}

/// Builds these, the languages side by side.
async fn build_requests(wanted: Vec<BuildRequest>, jobs: usize) -> Outcome {
    let mut outcome = Outcome::default();
    if wanted.is_empty() {
        return outcome;
    }
    note(format!("building {}", count(wanted.len(), "plugin")));
    let board = Board::new(true);
    let mut by_language: BTreeMap<Language, Vec<BuildRequest>> = BTreeMap::new();
    for request in wanted {
        by_language.entry(request.language).or_default().push(request);
    }
    let builds =
        by_language.into_iter().map(async |(language, requests)| {
            match Toolchain::find_or_install(language, &*board).await {
                Err(missing) => vec![Err(missing.to_string())],
                Ok(toolchain) => {
                    let results = toolchain.build_all(&requests, jobs, &*board).await;
                    results.into_iter().map(|result| result.map_err(|error| error.to_string())).collect()
                }
            }
        });
    for result in join_all(builds).await.into_iter().flatten() {
        match result {
            Ok(built) => {
                outcome.built += 1;
                outcome.components.push(built.component);
            }
            Err(failure) => outcome.failures.push(failure),
        }
    }
    outcome
}
