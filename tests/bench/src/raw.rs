//! The floor of a call: wasmtime alone, an instance made beforehand, the typed export called.
//!
//! The engine is the host's, clock of deadlines included; nothing else of the host is here.

use anyhow::Context;
use luckystack_plugins::engine::{EngineSettings, Engines, Ticker};
use wasmtime::component::{Component, Instance, Linker, WasmStr};
use wasmtime::{Engine, Store, StoreContextMut};

use bindings::exports::luckystack::plugin as guest;
use bindings::luckystack::plugin::types;

mod bindings {
    #![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

    // All of them, as the host does: for some subsets the macro of wasmtime 48 leaves a lifetime undeclared.
    wasmtime::component::bindgen!({
        inline: "
            package luckystack:bench;
            world raw {
                export luckystack:plugin/plugin@0.1.0;
                export luckystack:plugin/api@0.1.0;
                export luckystack:plugin/sync-server@0.1.0;
                export luckystack:plugin/sync-client@0.1.0;
                export luckystack:plugin/hooks@0.1.0;
                export luckystack:plugin/functions@0.1.0;
                export luckystack:plugin/error-formatter@0.1.0;
            }
        ",
        path: "../../wit",
        exports: { default: async },
        ownership: Borrowing { duplicate_if_necessary: true },
    });

    /// `wasi:logging/logging.level`.
    #[expect(dead_code, reason = "only ever lifted from a guest, which the compiler does not see")]
    #[derive(Clone, Copy, Debug, wasmtime::component::ComponentType, wasmtime::component::Lift)]
    #[component(enum)]
    #[repr(u8)]
    pub enum Level {
        #[component(name = "trace")]
        Trace,
        #[component(name = "debug")]
        Debug,
        #[component(name = "info")]
        Info,
        #[component(name = "warn")]
        Warn,
        #[component(name = "error")]
        Error,
        #[component(name = "critical")]
        Critical,
    }
}

/// An engine with a running clock.
pub(crate) struct RawEngine {
    engine: Engine,
    _ticker: Ticker,
}

/// An instance whose API handlers are called.
pub(crate) struct RawApi {
    store: Store<()>,
    api: guest::api::Guest,
}

/// An instance whose hooks are called.
pub(crate) struct RawHooks {
    store: Store<()>,
    hooks: guest::hooks::Guest,
}

impl RawEngine {
    pub(crate) fn start() -> anyhow::Result<RawEngine> {
        let settings = EngineSettings::default();
        let engines = Engines::build(&settings).map_err(anyhow::Error::from)?;
        let ticker = Ticker::start(&engines, settings.epoch_tick)?;
        Ok(RawEngine { engine: engines.serving, _ticker: ticker })
    }

    pub(crate) async fn api(&self, component: &[u8]) -> anyhow::Result<RawApi> {
        let (mut store, instance, component) = self.instantiate(component).await?;
        let indices = guest::api::GuestIndices::new(&self.linker(&component)?.instantiate_pre(&component)?)?;
        let api = indices.load(&mut store, &instance)?;
        Ok(RawApi { store, api })
    }

    pub(crate) async fn hooks(&self, component: &[u8]) -> anyhow::Result<RawHooks> {
        let (mut store, instance, component) = self.instantiate(component).await?;
        let indices =
            guest::hooks::GuestIndices::new(&self.linker(&component)?.instantiate_pre(&component)?)?;
        let hooks = indices.load(&mut store, &instance)?;
        Ok(RawHooks { store, hooks })
    }

    /// Log lines go nowhere; nothing else that may be imported is called by what is measured.
    fn linker(&self, component: &Component) -> anyhow::Result<Linker<()>> {
        let mut linker = Linker::new(&self.engine);
        linker
            .instance("wasi:logging/logging@0.1.0-draft")?
            .func_wrap("log", |_: StoreContextMut<'_, ()>, _: (bindings::Level, WasmStr, WasmStr)| Ok(()))?;
        linker.define_unknown_imports_as_traps(component)?;
        Ok(linker)
    }

    async fn instantiate(&self, bytes: &[u8]) -> anyhow::Result<(Store<()>, Instance, Component)> {
        let component = Component::from_binary(&self.engine, bytes)?;
        let mut store = Store::new(&self.engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = self.linker(&component)?.instantiate_async(&mut store, &component).await?;
        Ok((store, instance, component))
    }
}

impl RawApi {
    pub(crate) async fn call(&mut self, route: &str) -> anyhow::Result<Vec<u8>> {
        let caller = types::Caller {
            session: None,
            ip: "127.0.0.1",
            language: "en",
            request_id: crate::overhead::REQUEST_ID,
            traceparent: None,
            transport: types::Transport::Http,
        };
        let answer = self.api.call_call(&mut self.store, route, caller, b"{}").await?;
        answer.ok().context("the handler failed")
    }
}

impl RawHooks {
    pub(crate) async fn handle(&mut self, hook: &str, payload: &[u8]) -> anyhow::Result<()> {
        self.hooks.call_handle(&mut self.store, hook, payload).await?;
        Ok(())
    }
}
