//! Write plugins for luckystack-host in Rust.
//!
//! A plugin is a crate of annotated functions and one [`plugin!`] that lists them:
//!
//! ```
//! use luckystack::prelude::*;
//!
//! #[derive(Serialize, JsonSchema)]
//! struct Vehicle {
//!     id: String,
//!     name: String,
//! }
//!
//! #[derive(Deserialize, JsonSchema)]
//! struct GetById {
//!     id: String,
//! }
//!
//! /// One vehicle of the fleet.
//! #[api]
//! fn get_by_id(_ctx: &Ctx, input: GetById) -> Result<Vehicle, HandlerError> {
//!     match input.id.as_str() {
//!         "v1" => Ok(Vehicle { id: input.id, name: "Otter".into() }),
//!         _ => Err(error!("vehicles.notFound", id = input.id).status(404)),
//!     }
//! }
//!
//! luckystack::plugin! {
//!     service = "vehicles",
//!     handlers = [get_by_id],
//! }
//! # fn main() {}
//! ```
//!
//! It answers `GET /api/vehicles/getById/v1`. The schema of the input comes from its type, the
//! description from the doc comment, the method from the name (wire protocol §1.4).
//!
//! The rule this crate keeps: a component imports exactly what its code uses and exports exactly the
//! interfaces it has handlers for. Nothing here has a cost, in the sandbox's grants or in bytes, for a
//! plugin that does not call it.
//!
//! Natively (in `cargo test`) every call to the host is answered by [`testing`], so handlers are
//! tested as the functions they are.
#![warn(missing_docs)]

// The attribute macros and the generated bindings name this crate absolutely.
#[allow(unused_extern_crates)]
extern crate self as luckystack;

pub mod accounts;
#[cfg(all(target_family = "wasm", feature = "allocator"))]
mod allocator;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
pub mod config;
mod ctx;
mod descriptor;
mod error;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod exports;
pub mod functions;
mod handler;
mod host;
pub mod http;
mod json_out;
pub mod kv;
pub mod log;
mod manifest;
mod outcome;
#[cfg(target_family = "wasm")]
mod panic;
pub mod random;
mod reply;
pub mod session;
mod sync;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod throttle;
pub mod time;
pub mod uploads;
pub mod users;

pub use {schemars, serde, serde_json};

pub use ctx::{Caller, Ctx, Transport};
pub use error::{HandlerError, ParamValue};
pub use handler::{ErrorEvent, IntoHookResult};
pub use luckystack_macros::{api, error_formatter, function, hook, plugin, sync_client, sync_server};
pub use outcome::Outcome;
pub use reply::{Empty, Flat, Output, Reply, Response};
pub use session::Session;
pub use sync::Recipient;
pub use throttle::StreamThrottle;

/// Everything a handler file needs: `use luckystack::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Ctx, Empty, ErrorEvent, Flat, HandlerError, Outcome, Recipient, Response, StreamThrottle, accounts,
        api, config, error, error_formatter, function, functions, hook, http, kv, log, random, sync_client,
        sync_server, time, uploads,
    };
    pub use schemars::JsonSchema;
    pub use serde::{Deserialize, Serialize};
    pub use serde_json::{Value, json};
}

/// What the macros expand to. Not part of the public interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::descriptor::{Api, ErrorFormatter, Function, Hook, Plugin, Route};
    pub use crate::handler::{call_api, call_function, call_hook};
    pub use crate::manifest::{input_schema, output_schema, reply_schema};
    pub use crate::sync::{Batch, Read, SyncClient, Unread, call_sync_client};
    #[cfg(target_family = "wasm")]
    pub use crate::{bindings, exports};
    pub use luckystack_macros::__plugin_exports as plugin_exports;
    #[cfg(target_family = "wasm")]
    pub use wit_bindgen::rt;
}
