//! The plugins that are live, file by file, and how the next table comes about.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::future::join_all;
use luckystack_pipeline::{Pipeline, Prepared, Table};
use luckystack_plugins::{LoadError, Plugin, Runtime, ServiceRuntime};
use luckystack_topology::{ServiceDir, ServiceSettings, Topology};
use parking_lot::RwLock;
use serde::Serialize;
use tokio::sync::{Mutex, mpsc};

/// After a swap the best code is made when nothing was swapped for this long: while somebody saves every
/// few seconds, the processor is theirs.
const REFINE_AFTER: Duration = Duration::from_millis(700);

/// What ought to be served.
#[derive(Debug)]
pub struct Plan {
    /// Each service's name, settings and components.
    pub services: Vec<PlannedService>,
    /// Services that some preset owns and this host does not load.
    pub elsewhere: HashSet<String>,
}

/// One service of a plan.
#[derive(Debug)]
pub struct PlannedService {
    /// Its name.
    pub name: String,
    /// Its limits and grants.
    pub settings: Arc<ServiceSettings>,
    /// Its components, as they are shown to people.
    pub files: Vec<PathBuf>,
}

impl Plan {
    /// What the selected services of a project ought to serve. Paths are shown relative to `here`.
    #[must_use]
    pub fn new(
        topology: &Topology,
        services: &[ServiceDir],
        elsewhere: HashSet<String>,
        here: &Path,
    ) -> Self {
        let shown = |file: &PathBuf| file.strip_prefix(here).unwrap_or(file).to_owned();
        let services = services.iter().map(|service| PlannedService {
            name: service.service.clone(),
            settings: Arc::clone(topology.service_settings(&service.service)),
            files: service.components.iter().map(shown).collect(),
        });
        Self { services: services.collect(), elsewhere }
    }
}

/// A plugin's version, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Its file.
    pub file: PathBuf,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its version, as it says.
    pub version: String,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Full names of its routes.
    pub routes: Vec<String>,
}

/// What a reload changed.
#[derive(Debug, Default)]
pub struct Change {
    /// Serve now and did not before.
    pub added: Vec<Version>,
    /// Serve in place of another content of the same file.
    pub replaced: Vec<Version>,
    /// Serve no longer.
    pub withdrawn: Vec<Version>,
    /// Were refused, now: what served before still does.
    pub refused: Vec<LoadError>,
    /// What works but will disappoint, one sentence each, of what was added or replaced.
    pub warnings: Vec<(PathBuf, String)>,
    /// How many of the loaded needed no compiling.
    pub cached: usize,
    /// From looking at the disk to the swap.
    pub took: Duration,
}

impl Change {
    /// Whether the table was swapped.
    #[must_use]
    pub fn swapped(&self) -> bool {
        !(self.added.is_empty() && self.replaced.is_empty() && self.withdrawn.is_empty())
    }
}

/// The live plugins.
pub struct LiveSet {
    runtime: Arc<Runtime>,
    pipeline: Pipeline,
    inner: Mutex<Inner>,
    drafts: mpsc::UnboundedSender<Arc<Plugin>>,
    /// What [`LiveSet::state`] tells: loading takes seconds, and nobody who asks waits for it.
    state: RwLock<serde_json::Value>,
}

#[derive(Default)]
struct Inner {
    services: BTreeMap<String, Arc<ServiceRuntime>>,
    slots: BTreeMap<PathBuf, Slot>,
    elsewhere: HashSet<String>,
    generation: u64,
}

/// A component's file.
struct Slot {
    service: Arc<ServiceRuntime>,
    /// What the file was when it was last read.
    stamp: Option<Stamp>,
    /// What serves.
    current: Option<Prepared>,
    /// Was loaded and does not serve, because another plugin has what it claims.
    candidate: Option<Prepared>,
    problem: Option<LoadError>,
    since: SystemTime,
}

/// What tells one content of a file from the next without reading it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: (i64, i64),
    inode: u64,
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let meta = fs::metadata(file).ok()?;
        Some(Self { len: meta.len(), modified: (meta.mtime(), meta.mtime_nsec()), inode: meta.ino() })
    }
}

/// A file that was read.
struct Read {
    file: PathBuf,
    stamp: Option<Stamp>,
    service: Arc<ServiceRuntime>,
    result: Result<(Prepared, bool), LoadError>,
}

impl LiveSet {
    /// Nothing yet; what will be loaded is served by `pipeline`.
    #[must_use]
    pub fn new(runtime: Arc<Runtime>, pipeline: Pipeline) -> Arc<Self> {
        let (send, drafts) = mpsc::unbounded_channel();
        let set = Arc::new(Self {
            runtime,
            pipeline,
            inner: Mutex::default(),
            drafts: send,
            state: RwLock::default(),
        });
        tokio::spawn(refine_drafts(Arc::downgrade(&set), drafts));
        set
    }

    /// Looks at the files of `plan`, loads what is new or changed, and swaps everything that can be
    /// swapped at once.
    ///
    /// # Errors
    /// When a service cannot be set up: its settings ask for what the host cannot give. Nothing is
    /// changed then.
    pub async fn reload(&self, plan: &Plan) -> Result<Change, luckystack_plugins::runtime::RuntimeError> {
        let began = Instant::now();
        let mut inner = self.inner.lock().await;
        let first = inner.generation == 0;
        let services = self.services(&inner, plan)?;

        let mut wanted: BTreeMap<PathBuf, Arc<ServiceRuntime>> = BTreeMap::new();
        for service in &plan.services {
            for file in &service.files {
                wanted.insert(file.clone(), Arc::clone(&services[&service.name]));
            }
        }
        let loads = wanted.iter().filter_map(|(file, service)| {
            let stamp = Stamp::of(file);
            let known = inner.slots.get(file);
            let same = known.is_some_and(|slot| {
                slot.stamp.is_some() && slot.stamp == stamp && Arc::ptr_eq(&slot.service, service)
            });
            (!same).then(|| self.read(file.clone(), stamp, Arc::clone(service), first))
        });
        let read = join_all(loads.collect::<Vec<_>>()).await;

        let mut change = Change::default();
        let mut withdrawn: Vec<Prepared> = Vec::new();
        inner.slots.retain(|file, slot| {
            let keep = wanted.contains_key(file);
            if !keep {
                withdrawn.extend(slot.current.take());
            }
            keep
        });
        let mut moved = inner.elsewhere != plan.elsewhere;
        for read in read {
            moved |= inner.take(read, &mut change);
        }
        inner.services = services;
        inner.elsewhere.clone_from(&plan.elsewhere);
        // One that was refused because another had its route may serve when that one is gone.
        let waiting = inner.slots.values().any(|slot| slot.candidate.is_some());
        let gone = !withdrawn.is_empty();
        if first || moved || waiting || gone {
            self.swap(&mut inner, &mut change);
            change.withdrawn = withdrawn.iter().map(version).collect();
        }
        change.took = began.elapsed();
        *self.state.write() = inner.state();
        drop(inner);
        Ok(change)
    }

    /// The service of the plan: the one that runs where its settings are the same, so that its queue,
    /// its health and its idle instances survive a swap.
    fn services(
        &self,
        inner: &Inner,
        plan: &Plan,
    ) -> Result<BTreeMap<String, Arc<ServiceRuntime>>, luckystack_plugins::runtime::RuntimeError> {
        let mut services = BTreeMap::new();
        for planned in &plan.services {
            let known = inner.services.get(&planned.name);
            let service = match known.filter(|known| *known.settings() == planned.settings) {
                Some(known) => Arc::clone(known),
                None => self.runtime.service(&planned.name, Arc::clone(&planned.settings))?,
            };
            services.insert(planned.name.clone(), service);
        }
        Ok(services)
    }

    /// Loads one file, as fast as can be, and makes an instance of what is about to take over.
    async fn read(
        &self,
        file: PathBuf,
        stamp: Option<Stamp>,
        service: Arc<ServiceRuntime>,
        first: bool,
    ) -> Read {
        let load = async {
            let (plugin, origin) = self.runtime.load_draft(&file, &service).await?;
            let prepared = Prepared::new(Arc::clone(&plugin))?;
            if !first {
                self.runtime.rehearse(&plugin).await?;
            }
            Ok((prepared, origin.cached))
        };
        let result = load.await;
        Read { file, stamp, service, result }
    }

    /// Composes the next table and makes it the live one.
    fn swap(&self, inner: &mut Inner, change: &mut Change) {
        let mut refused: HashMap<PathBuf, LoadError> = HashMap::new();
        let table = loop {
            // What serves comes first: a newcomer that claims the same is the one to be refused.
            let kept = inner.slots.iter().filter_map(|(file, slot)| {
                let replaced = slot.candidate.is_some() && !refused.contains_key(file);
                slot.current.clone().filter(|_| !replaced)
            });
            let coming = inner
                .slots
                .iter()
                .filter_map(|(file, slot)| slot.candidate.clone().filter(|_| !refused.contains_key(file)));
            let plugins: Vec<Prepared> = kept.chain(coming).collect();
            let services = inner.services.values().cloned().collect();
            let (table, conflicts) = Table::new(plugins, services, inner.elsewhere.clone());
            let before = refused.len();
            for conflict in conflicts {
                refused.insert(conflict.file.clone(), conflict);
            }
            // Each round refuses more, and what they leave to their predecessors may refuse others.
            if refused.len() == before {
                break table;
            }
        };
        for (file, slot) in &mut inner.slots {
            let Some(candidate) = slot.candidate.take() else { continue };
            if let Some(conflict) = refused.remove(file) {
                if slot.problem.as_ref() != Some(&conflict) {
                    change.refused.push(conflict.clone());
                }
                slot.problem = Some(conflict);
                slot.candidate = Some(candidate);
                continue;
            }
            let version = version(&candidate);
            let warnings = candidate.warnings.iter().map(|warning| (file.clone(), warning.clone()));
            change.warnings.extend(warnings);
            if candidate.plugin().is_draft() {
                let _ = self.drafts.send(Arc::clone(candidate.plugin()));
            }
            match slot.current.replace(candidate) {
                Some(_) => change.replaced.push(version),
                None => change.added.push(version),
            }
            slot.problem = None;
            slot.since = SystemTime::now();
        }
        inner.generation += 1;
        self.pipeline.swap(table);
    }

    /// Makes the best code of a draft and lets it serve.
    async fn refine(&self, draft: &Arc<Plugin>) {
        let began = Instant::now();
        let outcome = match self.runtime.refine(draft).await {
            Ok(Some(plugin)) => self.refined(draft, plugin).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        let took = began.elapsed();
        match outcome {
            Ok(()) => tracing::debug!(file = %draft.file().display(), ?took, "optimised code serves"),
            Err(error) => tracing::warn!(%error, "the draft serves on"),
        }
    }

    /// Puts the best code in the place of a draft that still serves.
    async fn refined(&self, draft: &Arc<Plugin>, plugin: Arc<Plugin>) -> Result<(), LoadError> {
        let mut inner = self.inner.lock().await;
        let serves = |slot: &Slot| slot.current.as_ref().is_some_and(|now| Arc::ptr_eq(now.plugin(), draft));
        if let Some(slot) = inner.slots.get_mut(draft.file()).filter(|slot| serves(slot)) {
            slot.current = Some(Prepared::new(plugin)?);
            self.swap(&mut inner, &mut Change::default());
            *self.state.write() = inner.state();
        }
        Ok(())
    }

    async fn serves(&self, draft: &Arc<Plugin>) -> bool {
        let inner = self.inner.lock().await;
        let now = inner.slots.get(draft.file()).and_then(|slot| slot.current.as_ref());
        now.is_some_and(|now| Arc::ptr_eq(now.plugin(), draft))
    }

    /// The pipeline that serves.
    #[must_use]
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The plugin host.
    #[must_use]
    pub fn runtime(&self) -> &Arc<Runtime> {
        &self.runtime
    }

    /// What serves, what was refused and why, as JSON.
    #[must_use]
    pub fn state(&self) -> serde_json::Value {
        self.state.read().clone()
    }
}

impl Inner {
    fn state(&self) -> serde_json::Value {
        let plugins: Vec<_> = self
            .slots
            .iter()
            .map(|(file, slot)| {
                let serving = slot.current.as_ref().map(|current| {
                    let millis = slot.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
                    serde_json::json!({
                        "version": version(current),
                        "since": u64::try_from(millis).unwrap_or(u64::MAX),
                        "code": if current.plugin().is_draft() { "draft" } else { "optimised" },
                    })
                });
                let problem = slot.problem.as_ref().map(|problem| {
                    serde_json::json!({
                        "file": problem.file, "stage": problem.stage.to_string(),
                        "message": problem.message, "remedy": problem.remedy,
                    })
                });
                serde_json::json!({
                    "file": file, "service": &**slot.service.name(), "serving": serving, "problem": problem,
                })
            })
            .collect();
        serde_json::json!({
            "generation": self.generation,
            "services": self.services.keys().collect::<Vec<_>>(),
            "plugins": plugins,
        })
    }

    /// Notes what was read; whether the next table differs for it.
    fn take(&mut self, read: Read, change: &mut Change) -> bool {
        let slot = self.slots.entry(read.file).or_insert_with(|| Slot {
            service: Arc::clone(&read.service),
            stamp: None,
            current: None,
            candidate: None,
            problem: None,
            since: SystemTime::now(),
        });
        let moved = !Arc::ptr_eq(&slot.service, &read.service);
        slot.stamp = read.stamp;
        slot.service = read.service;
        match read.result {
            Ok((prepared, cached)) => {
                change.cached += usize::from(cached);
                let serves = slot.current.as_ref().map(|current| current.plugin().sha256());
                if !moved && serves == Some(prepared.plugin().sha256()) {
                    // The same content, touched or put back: nothing to swap.
                    slot.candidate = None;
                    slot.problem = None;
                    return false;
                }
                slot.candidate = Some(prepared);
                true
            }
            Err(problem) => {
                slot.candidate = None;
                change.refused.push(problem.clone());
                slot.problem = Some(problem);
                false
            }
        }
    }
}

fn version(prepared: &Prepared) -> Version {
    let plugin = prepared.plugin();
    let mut routes: Vec<_> = prepared.routes().iter().map(|route| route.full.to_string()).collect();
    routes.dedup();
    Version {
        file: plugin.file().to_owned(),
        service: plugin.service().name().to_string(),
        name: plugin.manifest().name.clone(),
        version: plugin.manifest().version.clone(),
        sha256: plugin.sha256().to_owned(),
        routes,
    }
}

/// Makes the best code of drafts, one at a time, when nothing was swapped for a while.
async fn refine_drafts(set: std::sync::Weak<LiveSet>, mut drafts: mpsc::UnboundedReceiver<Arc<Plugin>>) {
    let mut waiting: VecDeque<Arc<Plugin>> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Some(draft) = drafts.recv().await else { return };
            waiting.push_back(draft);
        }
        // Quiet first, and again whenever something was swapped meanwhile.
        if let Ok(draft) = tokio::time::timeout(REFINE_AFTER, drafts.recv()).await {
            let Some(draft) = draft else { return };
            waiting.push_back(draft);
            continue;
        }
        while drafts.is_empty() {
            let Some(draft) = waiting.pop_front() else { break };
            let Some(set) = set.upgrade() else { return };
            if set.serves(&draft).await {
                set.refine(&draft).await;
            }
        }
    }
}

impl std::fmt::Debug for LiveSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSet").finish_non_exhaustive()
    }
}
