//! The wasmtime engine: every setting with the reason for its value.
//!
//! Ratios quoted here were measured before this crate was written and are re-measured by the
//! benches (see `BENCHMARKS.md`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

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

/// Builds the engine.
///
/// With the kernel's `PAGEMAP_SCAN` (Linux 6.7) only pages that a guest dirtied are reset, which makes
/// keeping memory resident pay; without it keeping was slower than giving the memory back, so an engine
/// that cannot have the one gets neither.
pub fn build(settings: &EngineSettings) -> wasmtime::Result<Engine> {
    Engine::new(&config(settings, true)).or_else(|_| Engine::new(&config(settings, false)))
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

/// Advances the engine's epoch until dropped.
#[derive(Debug)]
pub struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    /// Starts the clock of `engine`.
    pub fn start(engine: &Engine, tick: Duration) -> std::io::Result<Ticker> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        // Weak: the engine's memory is not kept alive by its clock.
        let engine = engine.weak();
        let thread = std::thread::Builder::new().name("epoch".into()).spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                std::thread::sleep(tick);
                match engine.upgrade() {
                    Some(engine) => engine.increment_epoch(),
                    None => return,
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
