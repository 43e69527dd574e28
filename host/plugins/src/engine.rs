//! The wasmtime engine: every setting with the reason for its value.
//!
//! Ratios quoted here were measured before this crate was written and are re-measured by the
//! benches (see `BENCHMARKS.md`).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::RwLock;
use wasmtime::{
    CacheStore, Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy,
};

/// What the engine needs to know of the project's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineSettings {
    /// Instances alive at once, over all services.
    pub max_instances: u32,
    /// The largest linear memory any service may grant, in bytes.
    pub max_memory: u64,
    /// Stack of a guest, in bytes.
    pub wasm_stack: u64,
    /// Period of the clock that deadlines are checked by.
    pub epoch_tick: Duration,
    /// Whether components change while the host runs: then there is a second, baseline engine that
    /// compiles a fresh edit at once (see [`Engines`]).
    pub edits: bool,
}

impl Default for EngineSettings {
    fn default() -> Self {
        EngineSettings {
            // Each live instance takes 3 to 4 mappings of the kernel's default 65,530.
            max_instances: 512,
            max_memory: 256 << 20,
            // wasmtime's own default: deep enough for JS and Python engines' recursion.
            wasm_stack: 512 << 10,
            // A runaway call is noticed within two ticks; shorter ticks cost wake-ups, longer ones latency.
            epoch_tick: Duration::from_millis(2),
            edits: false,
        }
    }
}

/// Memory of a finished instance that stays resident for the next one: resetting it in place is
/// cheaper than giving it back, up to the working set of a small guest.
const KEEP_MEMORY: usize = 1 << 20;
/// The same for tables.
const KEEP_TABLE: usize = 64 << 10;
/// Host code runs on a guest's fibre too (imports, nested calls), above the guest's own stack.
const HOST_STACK: usize = 1536 << 10;
/// A Python component consists of 38 core instances.
const CORE_INSTANCES: u32 = 40;
/// The largest table: JS engines want tens of thousands of entries.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// The engines of a host.
///
/// Compiling is what takes time between an edit and its answer. For components of 0.27 MB (Rust), 1.6 MB
/// (QuickJS) and 18 MB (Python), Cranelift took 0.19, 1.3 and 5.5 s, the baseline compiler Winch 0.03,
/// 0.2 and 1.1 s, and Cranelift with unchanged functions taken from an incremental cache 0.19, 0.24 and 2.1 s
/// (bench `edit`). So a fresh edit is served from Winch's code at once, and Cranelift's takes its place when
/// it is done; the incremental cache makes that second compilation two to five times cheaper.
#[derive(Clone, Debug)]
pub struct Engines {
    /// Cranelift: what serves.
    pub serving: Engine,
    /// Winch: what serves a fresh edit until Cranelift is done.
    pub draft: Option<Engine>,
}

impl Engines {
    /// Builds what the settings ask for.
    pub fn build(settings: &EngineSettings) -> wasmtime::Result<Engines> {
        let draft = settings.edits.then(|| build(settings, Strategy::Winch, None)).transpose()?;
        let store = settings.edits.then(|| Arc::new(Functions::default()));
        Ok(Engines { serving: build(settings, Strategy::Cranelift, store)?, draft })
    }
}

/// Compiled functions by their content, in memory.
#[derive(Debug, Default)]
struct Functions(RwLock<Kept>);

#[derive(Debug, Default)]
struct Kept {
    functions: HashMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

/// Ten Python engines, or a day's edits of Rust plugins. Then it starts anew: what is in use comes back
/// with the next compilation.
const MAX_FUNCTIONS: usize = 256 << 20;

impl CacheStore for Functions {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.0.read().functions.get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let mut kept = self.0.write();
        if kept.bytes > MAX_FUNCTIONS {
            *kept = Kept::default();
        }
        kept.bytes += key.len() + value.len();
        kept.functions.insert(key.to_vec(), value).is_none()
    }
}

/// Builds an engine.
///
/// With the kernel's `PAGEMAP_SCAN` (Linux 6.7) only pages that a guest dirtied are reset, which makes
/// keeping memory resident pay; without it keeping was slower than giving the memory back, so an engine
/// that cannot have the one gets neither.
fn build(
    settings: &EngineSettings,
    strategy: Strategy,
    functions: Option<Arc<Functions>>,
) -> wasmtime::Result<Engine> {
    let with = |pagemap_scan| {
        let mut config = config(settings, pagemap_scan);
        config.strategy(strategy);
        if let Some(functions) = &functions {
            config.enable_incremental_compilation(Arc::clone(functions) as Arc<dyn CacheStore>)?;
        }
        Engine::new(&config)
    };
    with(true).or_else(|_| with(false))
}

fn config(settings: &EngineSettings, pagemap_scan: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Exports are synchronous by contract; without the async machinery an empty call costs a fifth.
        .concurrency_support(false)
        // Deadlines. Fuel would cost guests 35 % instead of 16–20 %, for determinism nobody needs.
        .epoch_interruption(true)
        // Fresh instances start as copy-on-write images of their initial memory.
        .memory_init_cow(true)
        // `Speed` is Cranelift's default; said here because the compile cache's key depends on it.
        .cranelift_opt_level(OptLevel::Speed)
        // A guest cannot see what another left on a fibre's stack; zeroing it would cost each call.
        .async_stack_zeroing(false)
        .max_wasm_stack(settings.wasm_stack as usize)
        .async_stack_size(settings.wasm_stack as usize + HOST_STACK);

    let instances = settings.max_instances;
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_INSTANCES))
        .max_core_instances_per_component(CORE_INSTANCES)
        .total_memories(instances.saturating_mul(3))
        .max_memories_per_component(3)
        .total_tables(instances.saturating_mul(4))
        .max_tables_per_component(40)
        .total_stacks(instances)
        .table_elements(MAX_TABLE_ELEMENTS)
        .max_memory_size(settings.max_memory as usize)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20);
    if pagemap_scan {
        pool.pagemap_scan(Enabled::Yes)
            .linear_memory_keep_resident(KEEP_MEMORY)
            .table_keep_resident(KEEP_TABLE);
    }
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Advances the engines' epochs until dropped.
#[derive(Debug)]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the clock of `engines`.
    pub fn start(engines: &Engines, tick: Duration) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // Weak: the engines' memory is not kept alive by their clock.
        let engines: Vec<_> =
            std::iter::once(&engines.serving).chain(&engines.draft).map(Engine::weak).collect();
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(tick);
                for engine in &engines {
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            }
        })?;
        Ok(Ticker { stop, thread: Some(thread) })
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It wakes within a tick; a panic in it has been printed already.
            let _ = thread.join();
        }
    }
}
