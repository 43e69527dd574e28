//! What compiling a component takes: with Cranelift, with Winch, and with Cranelift when the functions of an
//! earlier version are kept. The choice between them is `host/plugins/src/engine.rs`'s.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use serde_json::{Value, json};
use wasmtime::component::Component;
use wasmtime::{CacheStore, Config, Engine, Strategy};

use crate::report::json_of;
use crate::stats::Series;

/// Each is measured so often.
const ROUNDS: u32 = 3;

/// Seconds of each way.
pub(crate) struct Compiled {
    pub(crate) cranelift: Series,
    pub(crate) winch: Series,
    /// Of an edited version whose predecessor was compiled before.
    pub(crate) incremental: Series,
}

#[derive(Debug, Default)]
struct Store(RwLock<HashMap<Vec<u8>, Vec<u8>>>);

impl CacheStore for Store {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(key.to_vec(), value).is_none()
    }
}

/// Compiles a component and an edited version of it in all ways.
pub(crate) fn measure(component: &[u8], edited: &[u8]) -> anyhow::Result<Compiled> {
    let mut compiled =
        Compiled { cranelift: Series::default(), winch: Series::default(), incremental: Series::default() };
    for _ in 0..ROUNDS {
        compiled.cranelift.push(seconds(&engine(Strategy::Cranelift, None)?, component)?);
        compiled.winch.push(seconds(&engine(Strategy::Winch, None)?, component)?);
        let kept = engine(Strategy::Cranelift, Some(Arc::new(Store::default())))?;
        seconds(&kept, component)?;
        compiled.incremental.push(seconds(&kept, edited)?);
    }
    Ok(compiled)
}

impl Compiled {
    pub(crate) fn json(&self) -> Value {
        json!({
            "craneliftSeconds": json_of(&self.cranelift),
            "winchSeconds": json_of(&self.winch),
            "incrementalSeconds": json_of(&self.incremental),
        })
    }
}

fn engine(strategy: Strategy, store: Option<Arc<Store>>) -> anyhow::Result<Engine> {
    let mut config = Config::new();
    // As the host's engine: what a check of deadlines adds to the code is compiled too.
    config.strategy(strategy).epoch_interruption(true).concurrency_support(false);
    if let Some(store) = store {
        config.enable_incremental_compilation(store)?;
    }
    Ok(Engine::new(&config)?)
}

fn seconds(engine: &Engine, component: &[u8]) -> anyhow::Result<f64> {
    let began = Instant::now();
    let compiled = Component::from_binary(engine, component)?;
    let took = began.elapsed().as_secs_f64();
    drop(compiled);
    Ok(took)
}
