//! The data behind one instance's store: whose it is, which call it serves, and its bounds.

use std::sync::Arc;

use parking_lot::Mutex;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::call::CallContext;
use crate::engine::MAX_TABLE_ELEMENTS;
use crate::error::BoundExceeded;
use crate::lane::Pace;
use crate::service::ServiceRuntime;
use crate::type_map::TypeMap;

/// Open handles that one instance may hold at once (streams, HTTP requests, buckets).
const MAX_HANDLES: usize = 1024;

/// The call that an instance serves now, shared with what outlives a borrow of the store (its
/// standard output, for one).
pub type CurrentCall = Arc<Mutex<Option<Arc<CallContext>>>>;

/// Makes the WASI context of an instance: installed in [`ServiceRuntime::data`] by the capability that
/// links WASI.
pub struct WasiFactory(pub Box<MakeWasi>);

/// Makes a WASI context for an instance of a service, whose output belongs to whatever call it serves.
pub type MakeWasi = dyn Fn(&Arc<ServiceRuntime>, CurrentCall) -> WasiCtx + Send + Sync;

/// The data of one instance's store.
pub struct HostState {
    /// The service that the instance belongs to.
    pub service: Arc<ServiceRuntime>,
    /// Handles that the guest holds.
    pub table: ResourceTable,
    /// What capabilities keep per instance.
    pub slots: TypeMap,
    pub(crate) memory_bytes: usize,
    pub(crate) pace: Arc<Pace>,
    call: Option<Arc<CallContext>>,
    current: Option<CurrentCall>,
    wasi: Option<Box<WasiCtx>>,
}

impl HostState {
    pub(crate) fn new(service: Arc<ServiceRuntime>, pace: Arc<Pace>) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_HANDLES);
        HostState {
            service,
            table,
            slots: TypeMap::default(),
            memory_bytes: 0,
            pace,
            call: None,
            current: None,
            wasi: None,
        }
    }

    /// The call being served; none while `describe` runs.
    pub fn call(&self) -> Option<&Arc<CallContext>> {
        self.call.as_ref()
    }

    pub(crate) fn set_call(&mut self, call: Option<Arc<CallContext>>) {
        if let Some(current) = &self.current {
            current.lock().clone_from(&call);
        }
        self.call = call;
    }
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        // Made on first use: most Rust guests never ask, and it would cost every fresh instance.
        let ctx = match &mut self.wasi {
            Some(ctx) => ctx,
            empty => {
                let current = CurrentCall::new(Mutex::new(self.call.clone()));
                let ctx = match self.service.data().get::<WasiFactory>() {
                    Some(factory) => (factory.0)(&self.service, Arc::clone(&current)),
                    None => WasiCtx::builder().build(),
                };
                self.current = Some(current);
                empty.insert(Box::new(ctx))
            }
        };
        WasiCtxView { ctx, table: &mut self.table }
    }
}

impl std::fmt::Debug for WasiFactory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WasiFactory")
    }
}

impl ResourceLimiter for HostState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.service.settings().memory;
        let total = self.memory_bytes - current.min(self.memory_bytes) + desired;
        if total as u64 > limit {
            // A trap, not a failed growth: guests turn the latter into an anonymous `unreachable`.
            return Err(wasmtime::Error::new(BoundExceeded::Memory { wanted: total, limit }));
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(error)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > MAX_TABLE_ELEMENTS {
            let error = BoundExceeded::Table { wanted: desired, limit: MAX_TABLE_ELEMENTS };
            return Err(wasmtime::Error::new(error));
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

impl std::fmt::Debug for HostState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostState")
            .field("service", &self.service.name())
            .field("call", &self.call)
            .finish_non_exhaustive()
    }
}
