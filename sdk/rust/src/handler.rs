//! The way from an export to the function that answers: find the descriptor, decode, run, encode.
//!
//! The same natively and in a component, so that tests go this way too. The rule: bytes are decoded once
//! and encoded once, and an error leaves with a code of the pipeline it came through.

use serde::Deserialize;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::descriptor::Plugin;
use crate::error::{INTERNAL, INVALID_INPUT};
use crate::outcome::Decision;
use crate::reply::{Output, Reply, success};
use crate::{Ctx, HandlerError, Outcome, Transport};

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

/// Decodes the input, runs the handler, encodes what it returned.
#[inline]
pub fn call_api<I, R>(
    ctx: &Ctx,
    input: &[u8],
    handler: impl FnOnce(&Ctx, I) -> R,
) -> Result<Vec<u8>, HandlerError>
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

/// Logs what only the log may hear of an error of an export that is no route.
#[cfg(target_family = "wasm")]
pub(crate) fn settle_internal(error: HandlerError) -> HandlerError {
    settle(error, INTERNAL, INVALID_INPUT)
}

/// A deserialised error envelope for an [`ErrorFormatter`]; anything else leaves the error as it is.
pub fn format_error(plugin: &Plugin, event: ErrorEvent) -> Option<Vec<u8>> {
    let formatted = (plugin.error_formatter.as_ref()?.format)(event)?;
    if !formatted.is_object() {
        crate::log::error!(
            "the error formatter returned something other than an object; the error goes out as it was"
        );
        return None;
    }
    serde_json::to_vec(&formatted).ok()
}

/// The part of a success object that the server half's function returned.
#[derive(Deserialize)]
pub(crate) struct Success<T> {
    pub(crate) result: T,
}
