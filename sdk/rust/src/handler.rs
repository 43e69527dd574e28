//! Descriptors of handlers, and the way from an export to the function that answers.
//!
//! The attribute macros make one descriptor per function, `plugin!` gathers them in a [`Plugin`], and the
//! exported interfaces dispatch through its tables. The rule: everything about a route that can be known
//! while compiling is text already (`members`), so that nothing of it costs anything at run time.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{INTERNAL, INVALID_INPUT};
use crate::outcome::Decision;
use crate::reply::{Output, Reply, success};
use crate::sync::SyncClient;
use crate::{Ctx, HandlerError, Outcome, Transport};

pub use crate::manifest::{input_schema, output_schema, reply_schema};

type SchemaFn = fn() -> Option<schemars::Schema>;

/// A whole plugin: what `plugin!` was told, and its handlers. For tests: see [`crate::testing`].
#[derive(Debug)]
pub struct Plugin {
    pub name: &'static str,
    pub version: &'static str,
    pub description: &'static str,
    pub service: &'static str,
    pub apis: &'static [Api],
    pub sync_servers: &'static [Api],
    pub sync_clients: &'static [SyncClient],
    pub hooks: &'static [Hook],
    pub functions: &'static [Function],
    pub error_formatter: Option<ErrorFormatter>,
}

/// Where a route stands: page (the service when none), leaf name, version.
#[derive(Debug)]
pub struct Route {
    pub page: Option<&'static str>,
    pub name: &'static str,
    pub version: u32,
    /// The members of the manifest's route object that are known while compiling.
    pub members: &'static str,
    pub error_formatter: bool,
}

/// An API handler, or the server half of a sync handler.
#[derive(Debug)]
pub struct Api {
    pub route: Route,
    pub call: fn(&Ctx, &[u8]) -> Result<Vec<u8>, HandlerError>,
    pub input: SchemaFn,
    pub output: SchemaFn,
    pub stream: SchemaFn,
}

/// A subscription.
#[derive(Debug)]
pub struct Hook {
    pub hook: &'static str,
    pub members: &'static str,
    pub handle: fn(&[u8]) -> Outcome,
}

/// A function for other plugins.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub members: &'static str,
    pub call: fn(&[u8]) -> Result<Vec<u8>, HandlerError>,
    pub input: SchemaFn,
    pub output: SchemaFn,
}

/// The rewriter of error answers.
#[derive(Debug)]
pub struct ErrorFormatter {
    pub global: bool,
    pub format: fn(ErrorEvent) -> Option<Value>,
}

/// An error answer on its way to the client (wire protocol §1.9).
#[derive(Debug, Clone)]
pub struct ErrorEvent {
    /// The full name of the route.
    pub route: String,
    /// The transport that carries the answer.
    pub transport: Transport,
    /// Id of the signed-in caller.
    pub user_id: Option<String>,
    /// The normalised error: `status`, `message`, `errorCode`, `errorParams`, `httpStatus`.
    pub envelope: Value,
}

/// What a hook may return: nothing, an [`Outcome`], or a `Result` of these. An error made by
/// [`error!`](crate::error!) stops the call with its code and status; any other error is logged and the
/// call goes on, as when a hook of the framework throws (wire protocol §11).
pub trait IntoHookResult {
    /// The decision.
    fn into_outcome(self) -> Outcome;
}

impl Plugin {
    /// Checked while the plugin compiles.
    pub const fn check(&self) {
        let mut i = 0;
        while i < self.apis.len() {
            self.check_route(&self.apis[i].route, self.apis, i + 1);
            i += 1;
        }
        i = 0;
        while i < self.sync_servers.len() {
            self.check_route(&self.sync_servers[i].route, self.sync_servers, i + 1);
            i += 1;
        }
        i = 0;
        while i < self.sync_clients.len() {
            self.check_route(&self.sync_clients[i].route, &[], 0);
            let mut other = i + 1;
            while other < self.sync_clients.len() {
                assert!(
                    !self.sync_clients[i].route.same(&self.sync_clients[other].route),
                    "two #[sync_client] handlers have the same page, name and version; change one with `name` or `version`"
                );
                other += 1;
            }
            i += 1;
        }
        i = 0;
        while i < self.hooks.len() {
            let mut other = i + 1;
            while other < self.hooks.len() {
                assert!(
                    !same(self.hooks[i].hook, self.hooks[other].hook),
                    "two #[hook] handlers of one plugin subscribe to the same hook; merge them into one function"
                );
                other += 1;
            }
            i += 1;
        }
        i = 0;
        while i < self.functions.len() {
            let mut other = i + 1;
            while other < self.functions.len() {
                assert!(
                    !same(self.functions[i].name, self.functions[other].name),
                    "two #[function] handlers have the same name; rename one"
                );
                other += 1;
            }
            i += 1;
        }
    }

    const fn check_route(&self, route: &Route, others: &[Api], from: usize) {
        assert!(
            !route.error_formatter || self.error_formatter.is_some(),
            "a handler says `error_formatter`, but no #[error_formatter] function is listed in `handlers`"
        );
        if let Some(page) = route.page {
            assert!(
                begins_with_page(page, self.service),
                "`page` of a handler must be the plugin's service or begin with it and a slash"
            );
        }
        let mut other = from;
        while other < others.len() {
            assert!(
                !route.same(&others[other].route),
                "two handlers of one kind have the same page, name and version; change one with `name` or `version`"
            );
            other += 1;
        }
    }
}

impl Route {
    /// Whether `full` (`PREFIX/PAGE/NAME/vN`) names this route.
    pub(crate) fn is(&self, prefix: &str, service: &str, full: &str) -> bool {
        let page = self.page.unwrap_or(service);
        let version = full
            .strip_prefix(prefix)
            .and_then(|rest| rest.strip_prefix(page))
            .and_then(|rest| rest.strip_prefix('/'))
            .and_then(|rest| rest.strip_prefix(self.name))
            .and_then(|rest| rest.strip_prefix("/v"));
        version.is_some_and(|version| version.parse() == Ok(self.version))
    }

    const fn same(&self, other: &Self) -> bool {
        let pages = match (self.page, other.page) {
            (Some(a), Some(b)) => same(a, b),
            (None, None) => true,
            _ => false,
        };
        pages && self.version == other.version && same(self.name, other.name)
    }
}

const fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && begins_with(a, b)
}

const fn begins_with_page(page: &str, service: &str) -> bool {
    begins_with(page, service) && (page.len() == service.len() || page.as_bytes()[service.len()] == b'/')
}

const fn begins_with(text: &str, start: &str) -> bool {
    let (text, start) = (text.as_bytes(), start.as_bytes());
    if text.len() < start.len() {
        return false;
    }
    let mut i = 0;
    while i < start.len() {
        if text[i] != start[i] {
            return false;
        }
        i += 1;
    }
    true
}

/// Decodes the input, runs the handler, encodes what it returned.
#[inline]
pub fn call_api<I, R>(ctx: &Ctx, input: &[u8], handler: impl FnOnce(&Ctx, I) -> R) -> Result<Vec<u8>, HandlerError>
where
    I: DeserializeOwned,
    R: Reply<Success: Output>,
{
    // The host has validated the input; what still does not fit is a type that its schema cannot express.
    let input = serde_json::from_slice(input).map_err(HandlerError::invalid_input)?;
    success(&handler(ctx, input).into_result()?)
}

/// Decodes the arguments, runs the function, encodes its bare result.
#[inline]
pub fn call_function<A, R>(args: &[u8], function: impl FnOnce(A) -> R) -> Result<Vec<u8>, HandlerError>
where
    A: DeserializeOwned,
    R: Reply<Success: Serialize>,
{
    let args = serde_json::from_slice(args).map_err(HandlerError::invalid_input)?;
    Ok(serde_json::to_vec(&function(args).into_result()?)?)
}

/// Decodes the payload and runs the hook. A payload that does not fit is logged, and the call goes on.
#[inline]
pub fn call_hook<E, R>(payload: &[u8], hook: impl FnOnce(E) -> R) -> Outcome
where
    E: DeserializeOwned,
    R: IntoHookResult,
{
    match serde_json::from_slice(payload) {
        Ok(event) => hook(event).into_outcome(),
        Err(error) => {
            crate::log::error!("the hook's payload does not fit its type: {error}");
            Outcome::proceed()
        }
    }
}

impl IntoHookResult for () {
    fn into_outcome(self) -> Outcome {
        Outcome::proceed()
    }
}

impl IntoHookResult for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<T: IntoHookResult, E: Into<HandlerError>> IntoHookResult for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        let error = match self {
            Ok(decision) => return decision.into_outcome(),
            Err(error) => error.into(),
        };
        if let Some(cause) = error.cause() {
            crate::log::error!("hook failed: {cause}");
            return Outcome::proceed();
        }
        let status = error.http_status();
        Outcome(Decision::Stop { code: error.code().to_owned().into(), status, override_output: None })
    }
}

/// Answers one call of the export `api`.
pub fn dispatch_api(plugin: &Plugin, ctx: Ctx, input: &[u8]) -> Result<Vec<u8>, HandlerError> {
    match plugin.apis.iter().find(|api| api.route.is("api/", plugin.service, &ctx.route)) {
        Some(api) => (api.call)(&ctx, input).map_err(|error| settle(error, INTERNAL, INVALID_INPUT)),
        None => Err(HandlerError::new("api.notFound").param("name", ctx.route).status(404)),
    }
}

/// Answers one call of the export `sync-server`. Failures carry the codes of the sync pipeline, all with
/// status 400 (wire protocol §1.10).
pub fn dispatch_sync_server(plugin: &Plugin, ctx: Ctx, input: &[u8]) -> Result<Vec<u8>, HandlerError> {
    match plugin.sync_servers.iter().find(|half| half.route.is("sync/", plugin.service, &ctx.route)) {
        Some(half) => (half.call)(&ctx, input)
            .map_err(|error| settle(error, "sync.serverExecutionFailed", "sync.invalidInputType")),
        None => Err(HandlerError::new("sync.notFound").param("name", ctx.route).status(400)),
    }
}

/// Answers one call of the export `functions`.
pub fn dispatch_function(plugin: &Plugin, name: &str, args: &[u8]) -> Result<Vec<u8>, HandlerError> {
    match plugin.functions.iter().find(|function| function.name == name) {
        Some(function) => (function.call)(args).map_err(|error| settle(error, INTERNAL, INVALID_INPUT)),
        None => Err(HandlerError::new("functions.notFound").param("name", name).status(404)),
    }
}

/// Answers one call of the export `hooks`.
pub fn dispatch_hook(plugin: &Plugin, name: &str, payload: &[u8]) -> Outcome {
    match plugin.hooks.iter().find(|hook| hook.hook == name) {
        Some(hook) => (hook.handle)(payload),
        None => Outcome::proceed(),
    }
}

/// Logs what only the log may hear of an error, and gives it the code of the pipeline it is in.
pub(crate) fn settle(mut error: HandlerError, internal: &'static str, invalid: &'static str) -> HandlerError {
    if let Some(cause) = error.cause() {
        crate::log::error!("{}: {cause}", error.code());
        error = match error.code() {
            INTERNAL if internal != INTERNAL => HandlerError::new(internal).status(400),
            INVALID_INPUT if invalid != INVALID_INPUT => HandlerError::new(invalid).status(400),
            _ => error,
        };
    }
    error
}

/// A deserialised error envelope for an [`ErrorFormatter`]; anything else leaves the error as it is.
pub fn format_error(plugin: &Plugin, event: ErrorEvent) -> Option<Vec<u8>> {
    let formatted = (plugin.error_formatter.as_ref()?.format)(event)?;
    if !formatted.is_object() {
        crate::log::error!("the error formatter returned something other than an object; the error goes out as it was");
        return None;
    }
    serde_json::to_vec(&formatted).ok()
}

/// The part of a success object that the server half's function returned.
#[derive(Deserialize)]
pub(crate) struct Success<T> {
    pub(crate) result: T,
}
