//! What crosses into a guest: who calls, with what, and where chunks go.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::bindings::luckystack::plugin::types;

/// How a call reached the host; WIT `types.transport`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A socket.io connection.
    Socket,
    /// An HTTP request.
    Http,
}

impl Transport {
    /// `socket` or `http`, as hooks and error formatters see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Transport::Socket => "socket",
            Transport::Http => "http",
        }
    }
}

/// The session of a signed-in caller; WIT `types.session`.
///
/// Made once per version of a session and shared by all its calls, so what calls keep asking of it is
/// taken out once.
pub struct Session {
    /// Opaque token. A secret.
    pub token: String,
    /// The user's id, as in `user`.
    pub user_id: String,
    /// The session as a JSON object, without the token.
    pub user: Bytes,
    /// `csrfToken` of it, if it has one. A secret.
    pub csrf_token: Option<String>,
    /// `language` of it, if it has one.
    pub language: Option<String>,
    fields: Map<String, Value>,
}

/// Tokens are secrets, and what a session says of its user is nobody's business in a log.
impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user_id", &self.user_id).finish_non_exhaustive()
    }
}

impl Session {
    /// Reads a session object; none when it is no JSON object with an `id` that is a string (§5.2).
    pub fn read(token: impl Into<String>, user: impl Into<Bytes>) -> Option<Self> {
        let user = user.into();
        let Ok(Value::Object(fields)) = serde_json::from_slice(&user) else { return None };
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Session {
            token: token.into(),
            user_id: text("id").filter(|id| !id.is_empty())?,
            csrf_token: text("csrfToken"),
            language: text("language"),
            user,
            fields,
        })
    }

    /// The session object's fields.
    pub fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }
}

/// Who calls; WIT `types.caller`. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The session, when signed in.
    pub session: Option<Arc<Session>>,
    /// Client address after trusted proxies, `unknown` when there is none.
    pub ip: Arc<str>,
    /// Language chosen for the caller.
    pub language: Arc<str>,
    /// Follows the call through logs.
    pub request_id: Arc<str>,
    /// W3C trace context.
    pub traceparent: Option<Arc<str>>,
    /// What carried the call.
    pub transport: Transport,
}

/// Answer of a [`StreamSink`]: whether anybody still listens.
pub type SinkFuture<'a> = Pin<Box<dyn Future<Output = bool> + Send + 'a>>;

/// Where a call's chunks go. An answer waits while the client is slower than the handler, and is
/// false when nobody listens any more.
pub trait StreamSink: Send + Sync {
    /// To the caller.
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_>;
    /// To the room of a sync call; nobody for other calls.
    fn broadcast(&self, _chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(std::future::ready(false))
    }
    /// To the sockets of the tokens given, in a sync call; nobody for other calls.
    fn to(&self, _tokens: &[String], _chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(std::future::ready(false))
    }
    /// To one recipient of the batch that the client half of a sync call serves, counted from 0; nobody
    /// for other calls.
    fn to_recipient(&self, _recipient: u32, _chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(std::future::ready(false))
    }
    /// Whether the client cancelled or went away.
    fn aborted(&self) -> bool;
}

/// One receiver of a fanout; WIT `types.recipient`. Cheap to clone.
#[derive(Clone)]
pub struct SyncRecipient {
    /// Its session token, if it has one. A secret.
    pub token: Option<Arc<str>>,
    /// Language chosen for it.
    pub language: Arc<str>,
}

/// What the client half of a sync handler is asked: the same event for several recipients. Cheap to clone.
#[derive(Clone)]
pub struct SyncBatch {
    /// The receiver that the caller named.
    pub room: Arc<str>,
    /// The input: JSON text of an object.
    pub input: Bytes,
    /// What the server half gave, or a hook in its place: JSON text.
    pub server_output: Bytes,
    /// Who receives it; one answer for each, in their order.
    pub recipients: Arc<[SyncRecipient]>,
}

impl std::fmt::Debug for SyncRecipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncRecipient")
            .field("signed_in", &self.token.is_some())
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}

/// What is in a room is not for the log.
impl std::fmt::Debug for SyncBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncBatch").field("recipients", &self.recipients.len()).finish_non_exhaustive()
    }
}

/// Finds and calls the function that a guest asks for by name (the import `function-call`).
pub trait FunctionResolver: Send + Sync {
    /// Calls `name` on behalf of the call `parent`.
    fn call(
        &self,
        parent: Arc<CallContext>,
        name: String,
        args: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, HandlerError>> + Send + '_>>;
}

/// Everything about one call that host and guest need while it runs.
pub struct CallContext {
    /// Full route name, hook name or function name: what the call is for, in logs.
    pub route: Arc<str>,
    /// Who calls.
    pub caller: Caller,
    /// Where chunks go; none outside streaming mode.
    pub sink: Option<Arc<dyn StreamSink>>,
    /// How functions are found; none where functions cannot be called.
    pub functions: Option<Arc<dyn FunctionResolver>>,
    /// How many function calls led here; bounded by [`MAX_CALL_DEPTH`].
    pub depth: u8,
    /// When the call must have ended, wall clock.
    pub deadline: Instant,
    /// Services that calls above this one hold a place of: calling back into one of them takes no
    /// second place, or a service whose concurrency is used up by such calls would wait for itself.
    chain: Vec<u32>,
    entered: AtomicU32,
    aborted: AtomicBool,
    streamed_bytes: AtomicU64,
    log_lines: AtomicU32,
}

/// Function calls may nest this deep: deep enough for layered code, shallow enough that a cycle ends
/// before it has taken many instances.
pub const MAX_CALL_DEPTH: u8 = 8;

/// No service has this id.
const NOWHERE: u32 = u32::MAX;

impl CallContext {
    /// A call with nothing to stream to and no functions to call.
    pub fn new(route: Arc<str>, caller: Caller, deadline: Instant) -> Self {
        CallContext {
            route,
            caller,
            sink: None,
            functions: None,
            depth: 0,
            deadline,
            chain: Vec::new(),
            entered: AtomicU32::new(NOWHERE),
            aborted: AtomicBool::new(false),
            streamed_bytes: AtomicU64::new(0),
            log_lines: AtomicU32::new(0),
        }
    }

    /// The context of a call made on behalf of this one: same caller, one level deeper, never a later
    /// deadline, nowhere to stream to.
    pub fn nested(&self, route: Arc<str>, deadline: Instant) -> Self {
        let mut nested = CallContext::new(route, self.caller.clone(), deadline.min(self.deadline));
        nested.depth = self.depth + 1;
        nested.chain.clone_from(&self.chain);
        nested.chain.push(self.entered.load(Ordering::Relaxed));
        nested.functions.clone_from(&self.functions);
        nested
    }

    /// Notes the service that the call is in; whether a call above this one is in it already.
    pub(crate) fn enter(&self, service: u32) -> bool {
        self.entered.store(service, Ordering::Relaxed);
        self.chain.contains(&service)
    }

    /// Marks the client as gone: chunks are dropped from now on and the guest can see it.
    pub fn abort(&self) {
        self.aborted.store(true, Ordering::Relaxed);
    }

    /// Whether the client cancelled or went away.
    pub fn is_aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed) || self.sink.as_ref().is_some_and(|sink| sink.aborted())
    }

    /// Counts `bytes` towards the call's stream; the total so far.
    pub fn count_streamed(&self, bytes: u64) -> u64 {
        self.streamed_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Counts one log line; the total so far.
    pub fn count_log_line(&self) -> u32 {
        self.log_lines.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl std::fmt::Debug for CallContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallContext")
            .field("route", &self.route)
            .field("request_id", &self.caller.request_id)
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}

/// The wire form of a caller: borrowed, lowered straight into the guest.
impl<'a> From<&'a Caller> for types::Caller<'a> {
    fn from(caller: &'a Caller) -> Self {
        types::Caller {
            session: caller
                .session
                .as_ref()
                .map(|session| types::Session { token: &session.token, user: &session.user }),
            ip: &caller.ip,
            language: &caller.language,
            request_id: &caller.request_id,
            traceparent: caller.traceparent.as_deref(),
            transport: caller.transport.into(),
        }
    }
}

impl<'a> From<&'a SyncRecipient> for types::Recipient<'a> {
    fn from(recipient: &'a SyncRecipient) -> Self {
        types::Recipient { token: recipient.token.as_deref(), language: &recipient.language }
    }
}

impl From<Transport> for types::Transport {
    fn from(transport: Transport) -> Self {
        match transport {
            Transport::Socket => types::Transport::Socket,
            Transport::Http => types::Transport::Http,
        }
    }
}

/// The error that a handler returned; WIT `types.handler-error`. Parameter values are JSON text.
pub use types::{ErrorParam, HandlerError};

impl HandlerError {
    /// An error without parameters.
    pub fn new(error_code: impl Into<String>, http_status: u16) -> Self {
        HandlerError {
            error_code: error_code.into(),
            error_params: Vec::new(),
            http_status: Some(http_status),
        }
    }
}
