//! What all services share: engine, imports, cache, lane, and the budget of instances.

use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use luckystack_topology::ServiceSettings;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::{Cache, CacheError};
use crate::capability::Capability;
use crate::engine::{EngineSettings, Engines, Ticker};
use crate::error::CallError;
use crate::lane::Lane;
use crate::plugin::Plugin;
use crate::service::{Leave, ServiceRuntime};
use crate::state::HostState;
use crate::type_map::TypeMap;

/// The plugin host. One per process; dropping it stops its threads.
pub struct Runtime {
    pub(crate) serving: Tier,
    pub(crate) draft: Option<Tier>,
    pub(crate) capabilities: Vec<Box<dyn Capability>>,
    pub(crate) cache: Option<Cache>,
    pub(crate) shared: Arc<Shared>,
    next_service: AtomicU32,
    max_instances: u32,
    _ticker: Ticker,
}

/// An engine and what it offers to guests.
pub(crate) struct Tier {
    pub(crate) engine: Engine,
    pub(crate) linker: Linker<HostState>,
}

impl Tier {
    fn new(engine: Engine, capabilities: &[Box<dyn Capability>]) -> Result<Tier, RuntimeError> {
        let mut linker = Linker::new(&engine);
        for capability in capabilities {
            capability.link(&mut linker).map_err(RuntimeError::Engine)?;
        }
        Ok(Tier { engine, linker })
    }
}

/// What plugins need of the runtime after they were loaded.
pub(crate) struct Shared {
    pub(crate) lane: Arc<Lane>,
    instances: Arc<Semaphore>,
    /// Calls that wait for a share of the budget. While there are any, finished instances are given
    /// back instead of kept idle.
    waiting: AtomicUsize,
    plugins: Mutex<Vec<Weak<Plugin>>>,
}

/// Why the runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// wasmtime refused the settings, or the machine cannot hold the pool.
    #[error("the WebAssembly engine did not start: {0:#}")]
    Engine(wasmtime::Error),
    /// The compile cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// A thread did not start.
    #[error("a thread did not start: {0}")]
    Thread(#[from] std::io::Error),
    /// Every service has one instance for itself; the budget does not reach for all.
    #[error(
        "service {service}: no instance is left for it: engine.max_instances is {max_instances}; raise it in project.toml, or load fewer services"
    )]
    TooManyServices {
        /// The service.
        service: String,
        /// The budget.
        max_instances: u32,
    },
    /// A capability could not be prepared.
    #[error("service {service}: {capability}: {message}")]
    Capability {
        /// The service.
        service: String,
        /// The capability.
        capability: &'static str,
        /// What is wrong.
        message: String,
    },
}

impl Runtime {
    /// Starts the engine and links `capabilities`. Without `cache_dir`, components are compiled at
    /// every start.
    pub fn start(
        settings: &EngineSettings,
        capabilities: Vec<Box<dyn Capability>>,
        cache_dir: Option<&Path>,
    ) -> Result<Runtime, RuntimeError> {
        let engines = Engines::build(settings).map_err(RuntimeError::Engine)?;
        let serving = Tier::new(engines.serving.clone(), &capabilities)?;
        let draft = engines.draft.clone().map(|engine| Tier::new(engine, &capabilities)).transpose()?;
        let cache = cache_dir.map(|dir| Cache::open(dir, &serving.engine)).transpose()?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let shared = Shared {
            lane: Arc::new(Lane::start(cores)?),
            instances: Arc::new(Semaphore::new(settings.max_instances as usize)),
            waiting: AtomicUsize::new(0),
            plugins: Mutex::new(Vec::new()),
        };
        let ticker = Ticker::start(&engines, settings.epoch_tick)?;
        Ok(Runtime {
            serving,
            draft,
            capabilities,
            cache,
            shared: Arc::new(shared),
            next_service: AtomicU32::new(0),
            max_instances: settings.max_instances,
            _ticker: ticker,
        })
    }

    /// Prepares a service: its capabilities read its settings now, so that an impossible one is an
    /// error here and not at the first request.
    pub fn service(
        &self,
        name: &str,
        settings: Arc<ServiceSettings>,
    ) -> Result<Arc<ServiceRuntime>, RuntimeError> {
        let mut data = TypeMap::default();
        for capability in &self.capabilities {
            capability.configure(name, &settings, &mut data).map_err(|message| RuntimeError::Capability {
                service: name.to_owned(),
                capability: capability.name(),
                message,
            })?;
        }
        let id = self.next_service.fetch_add(1, Ordering::Relaxed);
        let reserve = self.shared.reserve().ok_or_else(|| RuntimeError::TooManyServices {
            service: name.to_owned(),
            max_instances: self.max_instances,
        })?;
        Ok(Arc::new(ServiceRuntime::new(id, name, settings, data, reserve)))
    }

    /// Drops idle instances from time to time until the runtime is dropped.
    pub fn spawn_sweeper(&self) {
        const PERIOD: Duration = Duration::from_secs(5);
        let shared = Arc::downgrade(&self.shared);
        tokio::spawn(async move {
            let mut ticks = tokio::time::interval(PERIOD);
            loop {
                ticks.tick().await;
                let Some(shared) = shared.upgrade() else { return };
                let dropped = shared.sweep(Instant::now());
                if dropped > 0 {
                    tracing::debug!(dropped, "idle instances dropped");
                }
            }
        });
    }
}

impl Shared {
    pub(crate) fn register(&self, plugin: &Arc<Plugin>) {
        let mut plugins = self.plugins.lock();
        plugins.retain(|plugin| plugin.strong_count() > 0);
        plugins.push(Arc::downgrade(plugin));
    }

    fn plugins(&self) -> Vec<Arc<Plugin>> {
        self.plugins.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn sweep(&self, now: Instant) -> usize {
        self.plugins().iter().map(|plugin| plugin.drop_idle(now)).sum()
    }

    /// Whether calls wait for a share of the budget.
    pub(crate) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Takes one instance out of the common budget for a service alone; none when nothing is left.
    fn reserve(&self) -> Option<Reserve> {
        let permit = Arc::clone(&self.instances).try_acquire_owned().ok()?;
        Some(Reserve { own: Arc::new(Semaphore::new(1)), _taken: permit })
    }

    /// A share of the budget for one new instance: of the common one, or the service's own. When both
    /// are used up, the instance that has idled longest anywhere makes room; when none idles, this waits
    /// until `deadline`.
    ///
    /// The own one is why a service that takes every common instance cannot keep another from serving.
    pub(crate) async fn budget(
        &self,
        deadline: Instant,
        service: &ServiceRuntime,
    ) -> Result<OwnedSemaphorePermit, CallError> {
        let own = service.reserve();
        let free = || {
            let common = Arc::clone(&self.instances).try_acquire_owned();
            common.or_else(|_| Arc::clone(own).try_acquire_owned()).ok()
        };
        if let Some(permit) = free() {
            return Ok(permit);
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _leave = Leave(&self.waiting);
        let mut plugins = self.plugins();
        plugins.sort_by_cached_key(|plugin| plugin.oldest_idle().unwrap_or(deadline));
        // What makes room may be another service's own: then the next.
        while plugins.iter().any(|plugin| plugin.drop_oldest_idle()) {
            if let Some(permit) = free() {
                return Ok(permit);
            }
        }
        let either = async {
            tokio::select! {
                permit = Arc::clone(&self.instances).acquire_owned() => permit,
                permit = Arc::clone(own).acquire_owned() => permit,
            }
        };
        match tokio::time::timeout_at(deadline.into(), either).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(service.saturated(0)),
        }
    }
}

/// The one instance of the budget that belongs to a service alone; goes back with the service.
#[derive(Debug)]
pub(crate) struct Reserve {
    pub(crate) own: Arc<Semaphore>,
    _taken: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("cache", &self.cache).finish_non_exhaustive()
    }
}
