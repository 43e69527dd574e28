//! The interfaces' types and host traits, generated from `wit/` or derived to match it.
//!
//! The derives expand to `unsafe impl`s of wasmtime's, whose layout checks are its own; that is all
//! the unsafe code here.

#![allow(unsafe_code, missing_docs, unreachable_pub, clippy::all)]

use wasmtime::component::{ComponentType, Lift, Lower};

use crate::log_line::Severity;

/// `wasi:logging/logging.level`.
#[expect(dead_code, reason = "only ever lifted from a guest, which the compiler does not see")]
#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
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

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Severity::Trace,
            Level::Debug => Severity::Debug,
            Level::Info => Severity::Info,
            Level::Warn => Severity::Warn,
            Level::Error => Severity::Error,
            Level::Critical => Severity::Critical,
        }
    }
}

/// `luckystack:plugin/types.session`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub struct Session {
    pub token: String,
    pub user: Vec<u8>,
}

impl From<&luckystack_plugins::Session> for Session {
    fn from(session: &luckystack_plugins::Session) -> Self {
        Session { token: session.token.clone(), user: session.user.to_vec() }
    }
}

pub mod config {
    wasmtime::component::bindgen!({
        inline: "
            package luckystack:host-config;
            world host { import wasi:config/store@0.2.0-rc.1; }
        ",
        path: "../../wit",
    });
    pub use wasi::config::store::*;
}

pub mod keyvalue {
    wasmtime::component::bindgen!({
        inline: "
            package luckystack:host-keyvalue;
            world host {
                import wasi:keyvalue/store@0.2.0-draft;
                import wasi:keyvalue/atomics@0.2.0-draft;
                import wasi:keyvalue/batch@0.2.0-draft;
            }
        ",
        path: "../../wit",
        imports: { default: async | trappable },
        with: { "wasi:keyvalue/store.bucket": crate::keyvalue::Bucket },
    });
    pub use wasi::keyvalue::*;
}
