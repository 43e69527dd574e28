//! `wasi:logging`: a guest's lines in the host's log, under the target `plugin`.
//!
//! A line below the log's level costs a comparison: its text is not even read from the guest.

use luckystack_plugins::capability::Interface;
use luckystack_plugins::{Capability, HostState};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, WasmStr};

use crate::log_line::{self, Allowance, Severity, Source};
use crate::wit::Level;

/// The version of the interface that there is.
const VERSION: &str = "0.1.0-draft";

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct Logging;

/// Lines that an instance wrote while no call ran. Kept per instance: it has no other count.
#[derive(Default)]
struct LinesWhileLoading(u32);

impl Capability for Logging {
    fn name(&self) -> &'static str {
        "logging"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        interface.name == "wasi:logging/logging" && interface.version == Some(VERSION)
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        linker.instance("wasi:logging/logging@0.1.0-draft")?.func_wrap(
            "log",
            |mut store: StoreContextMut<'_, HostState>,
             (level, context, message): (Level, WasmStr, WasmStr)| {
                let severity = Severity::from(level);
                if !severity.enabled() {
                    return Ok(());
                }
                let allowance = allowance(store.data_mut());
                if allowance == Allowance::Silent {
                    return Ok(());
                }
                let state = store.data();
                let source = Source::new(&state.service, state.call().map(AsRef::as_ref));
                let (context, message) = (context.to_str(&store)?, message.to_str(&store)?);
                log_line::write(allowance, severity, &source, Some(&context), &message);
                Ok(())
            },
        )
    }
}

fn allowance(state: &mut HostState) -> Allowance {
    let limit = state.service.settings().max_log_lines;
    let count = match state.call() {
        Some(call) => call.count_log_line(),
        None => {
            let lines = state.slots.get_or_insert_with(LinesWhileLoading::default);
            lines.0 = lines.0.saturating_add(1);
            lines.0
        }
    };
    Allowance::of(count, limit)
}
