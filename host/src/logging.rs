//! Where the log goes: standard error, as text for people or JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Installs the subscriber. `RUST_LOG` wins over `verbose`.
pub(crate) fn install(json: bool, verbose: u8) {
    let default = match verbose {
        0 => "info",
        1 => {
            "info,luckystack=debug,luckystack_pipeline=debug,luckystack_http=debug,luckystack_plugins=debug,plugin=debug"
        }
        _ => "trace,wasmtime=info,cranelift=info,regalloc2=info,hyper=info,h2=info",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| crate::terminal::LogWriter)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // A second installation can only be a second call of this function: nothing to do then.
    let _ = if json {
        crate::terminal::notes_are_events();
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_target(false).try_init()
    };
}
