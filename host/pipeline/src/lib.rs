//! The order of a call: what happens between a transport's bytes and a plugin's handler, and back.
//!
//! One pipeline serves every transport (wire protocol §3 and §4): name, route, auth, limits,
//! validation, hooks, execution, envelope. This crate knows no transport, opens no file on the call
//! path and builds no tree of a payload: JSON stays the bytes that were received.

#![warn(missing_docs)]

pub mod auth;
mod beside;
pub mod call;
pub mod envelope;
pub mod functions;
pub mod hooks;
pub mod json;
pub mod limits;
pub mod locale;
pub mod pipeline;
pub mod request_id;
mod respond;
mod run;
pub mod schema;
pub mod sync;
pub mod table;
mod watch;

pub use call::{Call, Reply};
pub use functions::Provider;
pub use hooks::Hook;
pub use luckystack_plugins::HookStop;
pub use pipeline::{CorsRejected, Degraded, Health, HttpRequestEvent, Pipeline, SocketMessageEvent};
pub use table::{Prepared, Route, SyncRoute, Table};
