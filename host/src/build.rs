//! Building components from sources where there are none, or older ones.

use std::collections::BTreeMap;

use futures::future::join_all;
use luckystack_devkit::{BuildRequest, Freshness, Language, Toolchain, freshness};
use luckystack_topology::ServiceDir;

use crate::board::Board;
use crate::project::Project;
use crate::terminal::{count, note};

/// Which sources to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those whose component is missing or older.
    Stale,
    /// All.
    All,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Components built.
    pub(crate) built: usize,
    /// What failed, in full, one text per plugin.
    pub(crate) failures: Vec<String>,
}

/// The build requests of a project's sources.
pub(crate) fn requests(project: &Project) -> Vec<BuildRequest> {
    let target_dir = project.topology.root.join("target").join("guests");
    let of = |service: &ServiceDir| -> Vec<BuildRequest> {
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
    };
    project.services.iter().flat_map(of).collect()
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

/// Builds what `which` asks for.
pub(crate) async fn build(project: &Project, which: Which, jobs: usize) -> Outcome {
    let mut outcome = Outcome::default();
    let mut wanted = Vec::new();
    for request in requests(project) {
        match needs_build(&request) {
            Ok(None) if which == Which::Stale => {}
            Ok(_) => wanted.push(request),
            Err(problem) => outcome.failures.push(problem),
        }
    }
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
                    results
                        .into_iter()
                        .map(|result| result.map(|_| ()).map_err(|error| error.to_string()))
                        .collect()
                }
            }
        });
    for result in join_all(builds).await.into_iter().flatten() {
        match result {
            Ok(()) => outcome.built += 1,
            Err(failure) => outcome.failures.push(failure),
        }
    }
    outcome
}
