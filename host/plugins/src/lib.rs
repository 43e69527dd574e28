//! Loads, sandboxes, pools and calls the WebAssembly components of services.
//!
//! The rule this crate keeps: **nothing a guest does reaches further than its own call.** A trap, a
//! loop, a leak or a flood ends in a [`CallError`] for that call; the instance it happened in is
//! thrown away, and no other service notices. The crate knows nothing of HTTP, of routes' policies
//! or of configuration files: it is given settings per service and bytes of components, and offers
//! typed calls.
//!
//! | module | holds |
//! |---|---|
//! | [`engine`] | the wasmtime engine and why each of its settings is what it is |
//! | [`runtime`] | engine + linker + capabilities + budgets: what all services share |
//! | [`service`] | what the plugins of one service share: limits, queue, health |
//! | [`load`] | file → component → checked [`Plugin`], one stage at a time |
//! | [`cache`] | compiled code on disk, by content |
//! | [`manifest`] | what a plugin says of itself |
//! | [`call`] | who calls, and where chunks go |
//! | [`plugin`] | a loaded component: its idle instances and the calls into it |
//! | [`user_store`] | what a plugin that keeps the accounts is asked, and answers |
//! | [`lane`] | where calls go that outlive their first tick |

#![warn(missing_docs)]

mod bindings;
pub mod cache;
pub mod call;
pub mod capability;
pub mod engine;
pub mod error;
pub mod health;
mod instance;
pub mod lane;
pub mod load;
pub mod manifest;
pub mod plugin;
pub mod runtime;
pub mod service;
pub mod state;
pub mod type_map;
pub mod user_store;

pub use call::{
    CallContext, Caller, FunctionResolver, HandlerError, Session, StreamSink, SyncBatch, SyncRecipient,
    Transport,
};
pub use capability::Capability;
pub use error::{CallError, LoadError, Stage};
pub use manifest::Manifest;
pub use plugin::{HookOutcome, HookStop, Plugin};
pub use runtime::Runtime;
pub use service::ServiceRuntime;
pub use state::HostState;
pub use user_store::{UserAnswer, UserRequest};
