//! Between the exported interfaces and the handlers: the contract's records in, its records out.

use std::rc::Rc;

use serde_json::Value;

use crate::bindings;
use crate::bindings::imports::luckystack::plugin::types;
use crate::descriptor::Plugin;
use crate::handler;
use crate::outcome::Decision;
use crate::sync::{self, Batch};
use crate::users::{Record, UserStore};
use crate::{Caller, Ctx, ErrorEvent, HandlerError, Recipient, Session, Transport};

type Answer = Result<Vec<u8>, types::HandlerError>;

/// `plugin.describe`.
pub fn describe(plugin: &Plugin) -> String {
    crate::panic::install_hook();
    crate::manifest::describe(plugin)
}

/// `api.call`.
pub fn api(plugin: &Plugin, route: String, caller: types::Caller, input: &[u8]) -> Answer {
    crate::panic::install_hook();
    handler::dispatch_api(plugin, ctx(route, None, caller), input).map_err(error)
}

/// `sync-server.call`.
pub fn sync_server(
    plugin: &Plugin,
    route: String,
    caller: types::Caller,
    room: String,
    input: &[u8],
) -> Answer {
    crate::panic::install_hook();
    handler::dispatch_sync_server(plugin, ctx(route, Some(room), caller), input).map_err(error)
}

/// `sync-client.call`.
pub fn sync_client(
    plugin: &Plugin,
    route: &str,
    room: &str,
    input: Vec<u8>,
    server_output: &[u8],
    recipients: Vec<types::Recipient>,
) -> Vec<Answer> {
    crate::panic::install_hook();
    let (room, server_output): (Rc<str>, Rc<[u8]>) = (Rc::from(room), Rc::from(server_output));
    let recipients = recipients
        .into_iter()
        .zip(0..)
        .map(|(to, index)| Recipient {
            token: to.token,
            language: to.language,
            room: room.clone(),
            server_output: server_output.clone(),
            index,
        })
        .collect();
    let results = sync::dispatch_sync_client(plugin, route, &Batch { input, recipients });
    results.into_iter().map(|result| result.map_err(error)).collect()
}

/// `hooks.handle`.
pub fn hook(
    plugin: &Plugin,
    name: &str,
    payload: &[u8],
) -> bindings::hooks::exports::luckystack::plugin::hooks::Outcome {
    use bindings::hooks::exports::luckystack::plugin::hooks::{Outcome, Stop};
    crate::panic::install_hook();
    match handler::dispatch_hook(plugin, name, payload).0 {
        Decision::Proceed => Outcome::Proceed,
        Decision::Replace(response) => Outcome::Replace(response),
        Decision::Stop { code, status, override_output } => {
            Outcome::Stop(Stop { error_code: code.into_owned(), http_status: status, override_output })
        }
    }
}

/// `functions.call`.
pub fn function(plugin: &Plugin, name: &str, args: &[u8]) -> Answer {
    crate::panic::install_hook();
    handler::dispatch_function(plugin, name, args).map_err(error)
}

/// `error-formatter.format`.
pub fn format(
    plugin: &Plugin,
    route: String,
    transport: types::Transport,
    user_id: Option<String>,
    envelope: &[u8],
) -> Option<Vec<u8>> {
    crate::panic::install_hook();
    let envelope: Value = serde_json::from_slice(envelope).ok()?;
    handler::format_error(plugin, ErrorEvent { route, transport: carried_by(transport), user_id, envelope })
}

/// `user-store.by-id`.
pub fn user_by_id<S: UserStore>(id: &str) -> Result<Option<Vec<u8>>, types::HandlerError> {
    store(|| S::by_id(id)?.as_ref().map(written).transpose())
}

/// `user-store.by-email`.
pub fn user_by_email<S: UserStore>(
    email: &str,
    provider: Option<&str>,
) -> Result<Option<Vec<u8>>, types::HandlerError> {
    store(|| S::by_email(email, provider)?.as_ref().map(written).transpose())
}

/// `user-store.create`.
pub fn user_create<S: UserStore>(user: &[u8], unique_email: bool) -> Answer {
    store(|| written(&S::create(serde_json::from_slice(user)?, unique_email)?))
}

/// `user-store.update`.
pub fn user_update<S: UserStore>(id: &str, changes: &[u8]) -> Result<Option<Vec<u8>>, types::HandlerError> {
    store(|| S::update(id, serde_json::from_slice(changes)?)?.as_ref().map(written).transpose())
}

/// `user-store.spend-recovery-code`.
pub fn user_spend_recovery_code<S: UserStore>(
    id: &str,
    code_hash: &str,
) -> Result<bool, types::HandlerError> {
    store(|| S::spend_recovery_code(id, code_hash))
}

/// `user-store.delete`.
pub fn user_delete<S: UserStore>(id: &str) -> Result<bool, types::HandlerError> {
    store(|| S::delete(id))
}

fn store<T>(act: impl FnOnce() -> Result<T, HandlerError>) -> Result<T, types::HandlerError> {
    crate::panic::install_hook();
    act().map_err(|failure| error(handler::settle_internal(failure)))
}

fn written(record: &Record) -> Result<Vec<u8>, HandlerError> {
    Ok(serde_json::to_vec(record)?)
}

#[inline]
fn ctx(route: String, room: Option<String>, caller: types::Caller) -> Ctx {
    let caller = Caller {
        session: caller.session.map(|session| Session { token: session.token, user: session.user }),
        ip: caller.ip,
        language: caller.language,
        request_id: caller.request_id,
        traceparent: caller.traceparent,
        transport: carried_by(caller.transport),
    };
    Ctx { route, room, caller }
}

fn carried_by(transport: types::Transport) -> Transport {
    match transport {
        types::Transport::Socket => Transport::Socket,
        types::Transport::Http => Transport::Http,
    }
}

fn error(error: HandlerError) -> types::HandlerError {
    let (error_code, params, http_status) = error.into_parts();
    let error_params = params.into_iter().map(|(key, value)| types::ErrorParam { key, value }).collect();
    types::HandlerError { error_code, error_params, http_status }
}
