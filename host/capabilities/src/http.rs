//! `wasi:http`, outgoing, to the hosts that the service's preset lists (`grants.http`).
//!
//! The rule: a request goes to a host that a grant covers, at an address that the grant covers, and
//! the address that was checked is the address that is connected to; the name is never resolved a
//! second time. A redirect is an answer like any other: following it is the guest's business, and the
//! next request is checked again. Requests, sizes and times are bounded by the call that makes them.
//!
//! Each request has a connection of its own: nothing of one service's connection, or of one call's, can
//! reach another. TLS sessions are resumed within a service, which saves most of what that costs.

mod body;
mod connect;
mod exchange;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Weak};
use std::time::Instant;

use luckystack_plugins::capability::{Grant, Interface};
use luckystack_plugins::type_map::TypeMap;
use luckystack_plugins::{CallContext, Capability, HostState};
use luckystack_topology::{Grants, ServiceSettings};
use tokio::sync::Semaphore;
use tokio_rustls::TlsConnector;
use wasmtime::component::Linker;
use wasmtime_wasi_http::p2::bindings::LinkOptions;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttp, WasiHttpCtx, WasiHttpCtxView, WasiHttpHooks,
};

use crate::log_line::Source;

/// Requests of one call at a time; further ones wait. Browsers allow six connections to one host.
const MAX_IN_FLIGHT: usize = 8;
/// Name look-ups of one service at a time. Each takes a thread that cannot be interrupted, out of a
/// pool that the whole host shares.
const MAX_LOOKUPS: usize = 16;

/// The capability.
#[derive(Clone, Copy, Debug)]
pub struct OutboundHttp;

/// What all requests of a service share.
struct Outbound {
    grants: Grants,
    tls: TlsConnector,
    lookups: Arc<Semaphore>,
}

/// The call that a request is made for: what is needed of it, without keeping it (and its client)
/// alive.
struct Caller {
    source: Source,
    deadline: Instant,
    traceparent: Option<Arc<str>>,
    max_log_lines: u32,
    call: Weak<CallContext>,
    /// The call's share of requests in flight.
    places: Arc<Semaphore>,
}

/// What an instance keeps; stored in its slots.
struct Slot {
    ctx: WasiHttpCtx,
    hooks: Hooks,
}

struct Hooks {
    outbound: Option<Arc<Outbound>>,
    call: Weak<CallContext>,
    source: Option<Source>,
    max_log_lines: u32,
    places: Arc<Semaphore>,
}

/// Type of the answer that [`WasiHttpHooks::send_request`] wants.
type Sending = Box<dyn Future<Output = Result<exchange::Response, Error>> + Send>;

impl Capability for OutboundHttp {
    fn name(&self) -> &'static str {
        "http"
    }

    fn provides(&self, interface: Interface<'_>) -> bool {
        matches!(interface.name, "wasi:http/types" | "wasi:http/outgoing-handler")
            && interface.version.is_some_and(|version| version.starts_with("0.2."))
    }

    fn link(&self, linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
        let options = LinkOptions::default();
        outgoing_handler::add_to_linker::<HostState, WasiHttp>(linker, view)?;
        types::add_to_linker::<HostState, WasiHttp>(linker, &(&options).into(), view)
    }

    fn configure(
        &self,
        _service: &str,
        settings: &ServiceSettings,
        data: &mut TypeMap,
    ) -> Result<(), String> {
        if !settings.grants.http.is_empty() {
            let tls = connect::tls(connect::public_roots()).map_err(|error| error.to_string())?;
            data.insert(Arc::new(Outbound {
                grants: settings.grants.clone(),
                tls,
                lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            }));
        }
        Ok(())
    }

    fn grant(&self, service: &str, settings: &ServiceSettings) -> Grant {
        if settings.grants.http.is_empty() {
            return Grant::Missing(format!(
                "list the hosts it may call, such as `http = [\"api.example.com\"]`, under [service.{service}.grants] in the preset"
            ));
        }
        Grant::Granted
    }
}

/// wasmtime's view of an instance, for one host call.
fn view(state: &mut HostState) -> WasiHttpCtxView<'_> {
    let call = state.call().map_or_else(Weak::new, Arc::downgrade);
    let service = &state.service;
    let slot = state.slots.get_or_insert_with(|| Slot {
        ctx: WasiHttpCtx::new(),
        hooks: Hooks {
            outbound: service.data().get::<Arc<Outbound>>().cloned(),
            call: Weak::new(),
            source: None,
            max_log_lines: service.settings().max_log_lines,
            places: Arc::new(Semaphore::new(MAX_IN_FLIGHT)),
        },
    });
    if !slot.hooks.call.ptr_eq(&call) {
        // What an earlier call left unread does not count against this one.
        slot.hooks.places = Arc::new(Semaphore::new(MAX_IN_FLIGHT));
        slot.hooks.source = Some(Source::new(service, call.upgrade().as_deref()));
        slot.hooks.call = call;
    }
    WasiHttpCtxView { hooks: &mut slot.hooks, table: &mut state.table, ctx: &mut slot.ctx }
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: ::http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Sending {
        let (Some(outbound), Some(call), Some(source)) =
            (self.outbound.clone(), self.call.upgrade(), self.source.clone())
        else {
            // The component is being loaded: nobody asked it for anything yet.
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        };
        let caller = Caller {
            source,
            deadline: call.deadline,
            traceparent: call.caller.traceparent.clone(),
            max_log_lines: self.max_log_lines,
            call: Weak::clone(&self.call),
            places: Arc::clone(&self.places),
        };
        Box::new(exchange::exchange(outbound, caller, request, options.unwrap_or_default()))
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outbound").field("grants", &self.grants).finish_non_exhaustive()
    }
}
