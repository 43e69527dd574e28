//! The whole of WASI 0.2, with an empty context.
//!
//! JavaScript and Python engines import all of it, so it is all there, and none of it leads anywhere:
//! no arguments, no environment, no files, no sockets, no name lookup, an empty standard input. What
//! works are the clocks, randomness, and standard output and error, which go to the service's log.
//! A guest that sleeps on a clock is ended by its call's deadline like one that computes.

mod stdio;

use std::sync::Arc;

use luckystack_plugins::capability::Interface;
use luckystack_plugins::state::{CurrentCall, WasiFactory};
use luckystack_plugins::type_map::TypeMap;
use luckystack_plugins::{Capability, HostState, ServiceRuntime};
use luckystack_topology::ServiceSettings;
use wasmtime::component::Linker;
use wasmtime_wasi::WasiCtx;

use self::stdio::ServiceLog;
use crate::log_line::Severity;

/// Random bytes of one request. They are made while the guest waits and nothing can interrupt it:
/// this many take a few milliseconds, and cryptography asks for less than a hundred.
const MAX_RANDOM: u64 = 1 << 20;

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct Wasi;

impl Capability for Wasi {
    fn name(&self) -> &'static str {
        "wasi"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        const PACKAGES: [&str; 6] =
            ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];
        interface.version.is_some_and(|version| version.starts_with("0.2."))
            && PACKAGES.iter().any(|package| interface.name.starts_with(package))
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::add_to_linker_async(linker)
    }

    fn configure(
        &self,
        _service: &str,
        _settings: &ServiceSettings,
        data: &mut TypeMap,
    ) -> Result<(), String> {
        data.insert(WasiFactory(Box::new(context)));
        Ok(())
    }
}

fn context(service: &Arc<ServiceRuntime>, current: CurrentCall) -> WasiCtx {
    WasiCtx::builder()
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .max_random_size(MAX_RANDOM)
        .stdout(ServiceLog::new(service, Arc::clone(&current), Severity::Info))
        .stderr(ServiceLog::new(service, current, Severity::Warn))
        .build()
}
