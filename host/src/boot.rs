//! From a project to live plugins: the plugin host, the pipeline, the components.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use luckystack_live::{Change, LiveSet, Plan};
use luckystack_pipeline::locale::Locales;
use luckystack_pipeline::{Pipeline, Table};
use luckystack_plugins::engine::EngineSettings;
use luckystack_plugins::{LoadError, Runtime};
use luckystack_topology::Topology;

use crate::guest_access::{self, Door};
use crate::project::Project;
use crate::serve::is_production;
use crate::terminal::note_at;

/// What was loaded, and what was not.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) live: Arc<LiveSet>,
    pub(crate) table: Arc<Table>,
    pub(crate) skipped: Vec<LoadError>,
    /// Services whose folder holds no component.
    pub(crate) empty: Vec<String>,
    /// How many plugins needed no compiling.
    pub(crate) cached: usize,
    /// Through which services reach sessions and accounts, once there are some.
    pub(crate) door: Arc<Door>,
}

/// Starts the plugin host and loads every component of the selected services, all at once. With `edits`,
/// components are about to change.
pub(crate) async fn load(project: &Project, edits: bool) -> anyhow::Result<Loaded> {
    let door = Arc::new(Door::default());
    let runtime = Arc::new(start_runtime(&project.topology, edits, &door)?);
    let config = &project.topology.project;
    let pipeline = Pipeline::new(config, locales(&project.topology), is_production());
    let live = LiveSet::new(runtime, pipeline);
    let Change { refused, cached, .. } = live.reload(&plan(project)).await?;
    let empty = project.services.iter().filter(|service| service.components.is_empty());
    Ok(Loaded {
        table: live.pipeline().table(),
        live,
        skipped: refused,
        empty: empty.map(|service| service.service.clone()).collect(),
        cached,
        door,
    })
}

/// What a project ought to serve.
pub(crate) fn plan(project: &Project) -> Plan {
    let here = std::env::current_dir().unwrap_or_default();
    Plan::new(&project.topology, &project.services, project.elsewhere(), &here)
}

/// The translations, what is wrong with them printed.
pub(crate) fn locales(topology: &Topology) -> Locales {
    let (locales, problems) = Locales::load(&topology.project.paths.locales);
    for problem in &problems {
        note_at(tracing::Level::WARN, format!("warning: {problem}"));
    }
    locales.with_default(&topology.project.default_language)
}

fn start_runtime(topology: &Topology, edits: bool, door: &Arc<Door>) -> anyhow::Result<Runtime> {
    let engine = &topology.project.engine;
    let settings = EngineSettings {
        max_instances: engine.max_instances,
        max_memory: engine.max_memory,
        wasm_stack: engine.wasm_stack,
        epoch_tick: engine.epoch_tick,
        edits,
    };
    let cache = topology.project.paths.cache.clone().or_else(default_cache);
    Runtime::start(
        &settings,
        luckystack_capabilities::all(guest_access::options(&topology.project, door)),
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
