//! From a project to a live table: the plugin host, its services, their components.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use futures::future::join_all;
use luckystack_pipeline::{Prepared, Table};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{LoadError, Runtime, ServiceRuntime};
use luckystack_topology::Topology;

use crate::project::Project;

/// What was loaded, and what was not.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) table: Table,
    pub(crate) skipped: Vec<LoadError>,
    /// Services whose folder holds no component.
    pub(crate) empty: Vec<String>,
    /// How many plugins needed no compiling.
    pub(crate) cached: usize,
}

/// Starts the plugin host and loads every component of the selected services, all at once.
pub(crate) async fn load(project: &Project) -> anyhow::Result<Loaded> {
    let runtime = Arc::new(start_runtime(&project.topology)?);
    let mut services: Vec<Arc<ServiceRuntime>> = Vec::new();
    let mut loads = Vec::new();
    let mut empty = Vec::new();
    let here = std::env::current_dir().unwrap_or_default();
    for service in &project.services {
        let settings = Arc::clone(project.topology.service_settings(&service.service));
        let prepared = runtime.service(&service.service, settings)?;
        if service.components.is_empty() {
            empty.push(service.service.clone());
        }
        for file in &service.components {
            loads.push(load_one(Arc::clone(&runtime), shown(&here, file), Arc::clone(&prepared)));
        }
        services.push(prepared);
    }
    let mut skipped = Vec::new();
    let mut plugins = Vec::new();
    let mut cached = 0;
    for result in join_all(loads).await {
        match result {
            Ok((plugin, from_cache)) => {
                cached += usize::from(from_cache);
                plugins.push(plugin);
            }
            Err(error) => skipped.push(error),
        }
    }
    let (table, refused) = Table::new(plugins, services, project.elsewhere());
    skipped.extend(refused);
    Ok(Loaded { runtime, table, skipped, empty, cached })
}

fn start_runtime(topology: &Topology) -> anyhow::Result<Runtime> {
    let engine = &topology.project.engine;
    let settings = EngineSettings {
        max_instances: engine.max_instances,
        max_memory: engine.max_memory,
        wasm_stack: engine.wasm_stack,
        epoch_tick: engine.epoch_tick,
    };
    let cache = topology.project.paths.cache.clone().or_else(default_cache);
    Runtime::start(
        &settings,
        luckystack_capabilities::all(luckystack_capabilities::Options::default()),
        cache.as_deref(),
    )
    .context("the plugin host did not start")
}

/// `$XDG_CACHE_HOME/luckystack-host`, or the same below `~/.cache`.
fn default_cache() -> Option<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(std::env::var_os("HOME")?).join(".cache"),
    };
    base.is_absolute().then(|| base.join("luckystack-host"))
}

async fn load_one(
    runtime: Arc<Runtime>,
    file: PathBuf,
    service: Arc<ServiceRuntime>,
) -> Result<(Prepared, bool), LoadError> {
    let (plugin, origin) = runtime.load(&file, &service).await?;
    Prepared::new(plugin).map(|prepared| (prepared, origin.cached))
}

/// Paths are shown relative to where the host was started, when they lie below.
fn shown(here: &Path, file: &Path) -> PathBuf {
    file.strip_prefix(here).unwrap_or(file).to_owned()
}
