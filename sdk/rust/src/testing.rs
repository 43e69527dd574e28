//! Testing handlers as the functions they are. Only outside a component.
//!
//! Each test thread has a host of its own: an empty key-value store, no configuration, the machine's
//! clock, and no functions but those given with [`function`]. `cargo test` runs every test on a thread of
//! its own.
//!
//! ```
//! use luckystack::prelude::*;
//! use luckystack::testing;
//!
//! fn greet(ctx: &Ctx) -> Result<String, HandlerError> {
//!     let user: Value = ctx.session()?;
//!     ctx.stream(&json!({ "step": 1 }));
//!     Ok(format!("hello, {}", user["name"].as_str().unwrap_or("you")))
//! }
//!
//! let ctx = testing::call().user(&json!({ "id": "u1", "name": "Ada" })).build();
//! assert_eq!(greet(&ctx).unwrap(), "hello, Ada");
//! assert_eq!(testing::streamed::<Value>(), [json!({ "step": 1 })]);
//! ```

use std::rc::Rc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::handler::{dispatch_api, dispatch_function, dispatch_hook, dispatch_sync_server, format_error};
use crate::host::{Audience, with};
use crate::log::Level;
use crate::outcome::Decision;
use crate::sync::{Batch, dispatch_sync_client};
use crate::{Caller, Ctx, ErrorEvent, HandlerError, Recipient, Session, Transport, http as requests};

pub use crate::descriptor::Plugin;

/// A call in the making.
#[derive(Debug)]
#[must_use = "call `build`"]
pub struct Call(Ctx);

/// A call by an anonymous client.
pub fn call() -> Call {
    Call(Ctx {
        route: "api/test/test/v1".to_owned(),
        room: None,
        caller: Caller {
            session: None,
            ip: "127.0.0.1".to_owned(),
            language: "en".to_owned(),
            request_id: "test".to_owned(),
            traceparent: None,
            transport: Transport::Http,
        },
    })
}

impl Call {
    /// The caller is signed in, with this session object. The token is `test-token`.
    pub fn user(mut self, user: &impl Serialize) -> Self {
        self.0.caller.session = Some(Session { token: "test-token".to_owned(), user: bytes(user) });
        self
    }

    /// The full name of the route.
    pub fn route(mut self, route: &str) -> Self {
        route.clone_into(&mut self.0.route);
        self
    }

    /// The room of a sync call.
    pub fn room(mut self, room: &str) -> Self {
        self.0.room = Some(room.to_owned());
        self
    }

    /// The caller's language.
    pub fn language(mut self, language: &str) -> Self {
        language.clone_into(&mut self.0.caller.language);
        self
    }

    /// The caller's address.
    pub fn ip(mut self, ip: &str) -> Self {
        ip.clone_into(&mut self.0.caller.ip);
        self
    }

    /// What a handler gets.
    #[must_use]
    pub fn build(self) -> Ctx {
        self.0
    }
}

/// A receiver of a fanout to `room`.
#[must_use]
pub fn recipient(token: Option<&str>, language: &str, room: &str) -> Recipient {
    Recipient {
        token: token.map(str::to_owned),
        language: language.to_owned(),
        room: Rc::from(room),
        server_output: Rc::from(&b"{\"status\":\"success\"}"[..]),
        index: 0,
    }
}

/// Takes the chunks that were streamed to the caller so far.
///
/// # Panics
/// When a chunk does not fit `T`.
#[must_use]
pub fn streamed<T: DeserializeOwned>() -> Vec<T> {
    take_chunks(|audience| *audience == Audience::Caller)
}

/// Takes the chunks that were sent to the room so far.
///
/// # Panics
/// When a chunk does not fit `T`.
#[must_use]
pub fn broadcasts<T: DeserializeOwned>() -> Vec<T> {
    take_chunks(|audience| *audience == Audience::Room)
}

/// Takes the chunks that were sent to the session `token` so far.
///
/// # Panics
/// When a chunk does not fit `T`.
#[must_use]
pub fn streamed_to<T: DeserializeOwned>(token: &str) -> Vec<T> {
    take_chunks(
        |audience| matches!(audience, Audience::Tokens(tokens) if tokens.iter().any(|known| known == token)),
    )
}

/// Takes the chunks that a client half sent to the recipient at that place of its batch so far.
///
/// # Panics
/// When a chunk does not fit `T`.
#[must_use]
pub fn streamed_to_recipient<T: DeserializeOwned>(index: u32) -> Vec<T> {
    take_chunks(|audience| *audience == Audience::Recipient(index))
}

fn take_chunks<T: DeserializeOwned>(wanted: impl Fn(&Audience) -> bool) -> Vec<T> {
    let (taken, kept) =
        with(|host| std::mem::take(&mut host.chunks)).into_iter().partition(|(to, _)| wanted(to));
    with(|host| host.chunks = kept);
    let taken: Vec<(Audience, Vec<u8>)> = taken;
    taken
        .into_iter()
        .map(|(_, chunk)| match serde_json::from_slice(&chunk) {
            Ok(chunk) => chunk,
            Err(error) => panic!("the chunk {} does not fit: {error}", String::from_utf8_lossy(&chunk)),
        })
        .collect()
}

/// Takes the log lines written so far, as `module: message`.
#[must_use]
pub fn logs() -> Vec<(Level, String)> {
    with(|host| std::mem::take(&mut host.logs))
}

/// From here on nobody listens: streaming returns false, `aborted` true.
pub fn abort() {
    with(|host| host.aborted = true);
}

/// Stops the clock at this time.
pub fn set_now(now: Duration) {
    with(|host| host.now = Some(now));
}

/// Sets a value of the service's configuration.
pub fn config(key: &str, value: &str) {
    with(|host| host.config.insert(key.to_owned(), value.to_owned()));
}

/// Makes a session known to [`session::get`](crate::session::get), [`update`](crate::session::update) and
/// [`end`](crate::session::end).
pub fn session(token: &str, user: &impl Serialize) {
    let session = Session { token: token.to_owned(), user: bytes(user) };
    with(|host| host.sessions.insert(token.to_owned(), session));
}

/// The caller's session is known too: what `ctx.update_session` and `ctx.end_session` reach.
///
/// # Panics
/// When the caller is anonymous.
pub fn live(ctx: &Ctx) {
    match &ctx.caller.session {
        Some(session) => with(|host| host.sessions.insert(session.token.clone(), session.clone())),
        None => panic!("the caller is anonymous: give the call a `user`"),
    };
}

/// Declares fields of sessions that can be set, as `session_fields` of a preset does.
pub fn session_fields(fields: &[&str]) {
    with(|host| host.session_fields.extend(fields.iter().map(|field| (*field).to_owned())));
}

/// Makes a user known to [`accounts`](crate::accounts).
///
/// # Panics
/// When the record is no object with an `id`.
pub fn account(record: &impl Serialize) {
    let Value::Object(record) = value(bytes(record)) else { panic!("a user record is an object") };
    let Some(id) = record.get("id").and_then(Value::as_str).map(str::to_owned) else {
        panic!("a user record has an `id`")
    };
    with(|host| host.accounts.insert(id, record));
}

/// Something that was asked of [`accounts`](crate::accounts), other than reading a record.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the arguments of the functions of the same names")]
pub enum AccountAct {
    Update { id: String, fields: Value },
    CheckPassword { id: String, password: String },
    ChangePassword { id: String, current: Option<String>, new: String, keep: Option<String> },
    RequestPasswordReset { email: String, ip: String },
    CompletePasswordReset { token: String, new: String },
    RequestEmailChange { id: String, email: String },
    ConfirmEmailChange { token: String },
    Delete { id: String },
}

/// Takes what was asked of accounts so far.
#[must_use]
pub fn account_acts() -> Vec<AccountAct> {
    with(|host| std::mem::take(&mut host.account_acts))
}

/// Decides what is asked of accounts from here on; without it everything is accepted.
pub fn accounts(decide: impl Fn(&AccountAct) -> Result<(), HandlerError> + 'static) {
    with(|host| host.account = Some(Rc::new(decide)));
}

/// The uploaded file of this name, if it is there.
#[must_use]
pub fn uploaded(name: &str) -> Option<Vec<u8>> {
    with(|host| host.uploads.get(name).cloned())
}

/// Provides the function `name`.
pub fn function<A: DeserializeOwned, R: Serialize>(
    name: &str,
    function: impl Fn(A) -> Result<R, HandlerError> + 'static,
) {
    let call = move |args: &[u8]| Ok(serde_json::to_vec(&function(serde_json::from_slice(args)?)?)?);
    with(|host| host.functions.insert(name.to_owned(), Rc::new(call)));
}

/// Answers the handler's HTTP requests.
pub fn http(answer: impl Fn(&requests::Request) -> Result<requests::Response, requests::Error> + 'static) {
    with(|host| host.http = Some(Rc::new(answer)));
}

/// The manifest, as the host reads it.
///
/// # Panics
/// When it is not JSON, which would be a fault of this crate.
#[must_use]
pub fn manifest(plugin: &Plugin) -> Value {
    let text = crate::manifest::describe(plugin);
    match serde_json::from_str(&text) {
        Ok(manifest) => manifest,
        Err(error) => panic!("{error}: {text}"),
    }
}

/// Calls an API handler, or the server half of a sync handler, by the route in `ctx`, as the host does;
/// the whole success object.
///
/// # Errors
/// The handler's.
pub fn call_route(plugin: &Plugin, ctx: Ctx, input: &impl Serialize) -> Result<Value, HandlerError> {
    let dispatch = if ctx.route.starts_with("sync/") { dispatch_sync_server } else { dispatch_api };
    dispatch(plugin, ctx, &bytes(input)).map(value)
}

/// Runs the client half of a sync handler for these recipients, as the host does.
pub fn call_sync_client(
    plugin: &Plugin,
    route: &str,
    input: &impl Serialize,
    server_output: &impl Serialize,
    recipients: Vec<Recipient>,
) -> Vec<Result<Value, HandlerError>> {
    let server_output: Rc<[u8]> = Rc::from(bytes(server_output));
    let recipients = recipients
        .into_iter()
        .zip(0..)
        .map(|(to, index)| Recipient { server_output: server_output.clone(), index, ..to })
        .collect();
    let batch = Batch { input: bytes(input), recipients };
    dispatch_sync_client(plugin, route, &batch).into_iter().map(|result| result.map(value)).collect()
}

/// Calls a function that the plugin provides, as the host does.
///
/// # Errors
/// The function's.
pub fn call_function(plugin: &Plugin, name: &str, args: &impl Serialize) -> Result<Value, HandlerError> {
    dispatch_function(plugin, name, &bytes(args)).map(value)
}

/// What a hook decided.
#[derive(Debug, Clone, PartialEq)]
pub enum HookResult {
    /// Go on.
    Proceed,
    /// Go on with this response.
    Replace(Value),
    /// End.
    Stop {
        /// The error code.
        code: String,
        /// The HTTP status, when the hook set one.
        status: Option<u16>,
        /// What is delivered instead, when the hook said so.
        override_output: Option<Value>,
    },
}

/// Runs a hook of the plugin, as the host does.
#[must_use]
pub fn call_hook(plugin: &Plugin, hook: &str, payload: &impl Serialize) -> HookResult {
    match dispatch_hook(plugin, hook, &bytes(payload)).0 {
        Decision::Proceed => HookResult::Proceed,
        Decision::Replace(response) => HookResult::Replace(value(response)),
        Decision::Stop { code, status, override_output } => {
            HookResult::Stop { code: code.into_owned(), status, override_output: override_output.map(value) }
        }
    }
}

/// Runs the plugin's error formatter, as the host does.
#[must_use]
pub fn format(plugin: &Plugin, event: ErrorEvent) -> Option<Value> {
    format_error(plugin, event).map(value)
}

fn bytes(value: &impl Serialize) -> Vec<u8> {
    match serde_json::to_vec(value) {
        Ok(bytes) => bytes,
        Err(error) => panic!("the test's value has no JSON form: {error}"),
    }
}

fn value(bytes: Vec<u8>) -> Value {
    match serde_json::from_slice(&bytes) {
        Ok(value) => value,
        Err(error) => panic!("{error}: {}", String::from_utf8_lossy(&bytes)),
    }
}
