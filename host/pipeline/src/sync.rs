//! The order of a sync call (wire protocol §4): one user's action, checked once, fanned out to a room.
//!
//! name → route → auth → receiver → limits → hooks → validate → execute → recipients → hook → acknowledge →
//! deliver to each. What differs between transports is the [`Audience`].
//!
//! The rule kept here: what was acknowledged has happened. From the acknowledgement on nothing fails the call;
//! what goes wrong for one recipient is told to that recipient, and to the log.

mod fanout;
mod frame;
mod stages;
mod stream;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use luckystack_plugins::{Caller, StreamSink};

use crate::call::Reply;
use crate::envelope::Surface;
use crate::pipeline::{Pipeline, unknown_name};
use crate::run::Run;
use crate::sync::stages::Stages;
use crate::watch::Watch;

/// One sync call as a transport hands it over.
pub struct SyncCall {
    /// The name as it came, prefix included or not (§1.2).
    pub raw_name: String,
    /// The input: JSON text of an object, checked to be one by the transport.
    pub input: Bytes,
    /// Whom it is for, trimmed; empty is refused.
    pub receiver: String,
    /// `cb` as the caller sent it.
    pub callback: Option<String>,
    /// Whether sockets with the caller's token are left out.
    pub ignore_self: bool,
    /// Who calls.
    pub caller: Caller,
    /// Who hears of it.
    pub audience: Arc<dyn Audience>,
    /// Where the call's own chunks (`stream()`) go, and whether the client has gone or cancelled.
    pub sink: Arc<dyn StreamSink>,
}

/// Rooms and sockets, as a sync call sees them.
///
/// Frames are objects as JSON text, for the event `sync`.
pub trait Audience: Send + Sync {
    /// Whether the caller is in the room: over sockets its rooms, over HTTP its session's token and room
    /// codes (§4.2).
    fn is_member(&self, receiver: &str) -> bool;
    /// How many sockets `receiver` (a room, or `all`) has on all hosts. May stop counting at one, unless
    /// `exact`.
    fn count<'a>(&'a self, receiver: &'a str, exact: bool) -> BoxFuture<'a, usize>;
    /// The sockets of `receiver` on all hosts, in the order in which they joined; those of hosts that do not
    /// answer are missing, which is logged.
    fn recipients<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, Vec<Recipient>>;
    /// Sends one frame to all of `receiver` on all hosts, but for sockets with the token `except`.
    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]);
    /// Sends one frame to one socket, on whatever host it is.
    fn send_to(&self, recipient: &Recipient, frame: &[u8]);
    /// Sends one frame to all sockets of these session tokens, on all hosts, each once.
    fn send_to_tokens(&self, tokens: &[&str], frame: &[u8]);
    /// Waits until little waits for the room's healthy readers, for a bounded time.
    fn drained<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, ()>;
    /// Tells the caller the outcome before anything is delivered (sockets). HTTP answers at the end and does
    /// nothing here.
    fn acknowledge(&self, envelope: &[u8]);
}

/// One receiver of a fanout.
#[derive(Clone)]
pub struct Recipient {
    /// Its socket.
    pub socket_id: Arc<str>,
    /// Its session token, if it has one.
    pub token: Option<Arc<str>>,
    /// The language negotiated by its own handshake (§4.7).
    pub language: Arc<str>,
}

/// A sync call by HTTP (§4.9), for whoever knows the rooms.
pub struct HttpSync {
    /// `sync/…` as in the path.
    pub raw_name: String,
    /// The body: JSON text of an object.
    pub body: Bytes,
    /// Who calls.
    pub caller: Caller,
    /// Where chunks go, in streaming mode.
    pub sink: Option<Arc<dyn StreamSink>>,
}

/// Answers sync calls by HTTP.
pub trait SyncOverHttp: Send + Sync + 'static {
    /// Runs the call to its end; never fails. Dropping the future means that the client went away; the call
    /// goes on, since others wait for what it does.
    fn call(&self, call: HttpSync) -> BoxFuture<'static, Reply>;
}

/// Receivers can be tokens, so they are not shown.
impl std::fmt::Debug for SyncCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SyncCall")
            .field("raw_name", &self.raw_name)
            .field("ignore_self", &self.ignore_self)
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipient")
            .field("socket_id", &self.socket_id)
            .field("signed_in", &self.token.is_some())
            .field("language", &self.language)
            .finish()
    }
}

impl std::fmt::Debug for HttpSync {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSync")
            .field("raw_name", &self.raw_name)
            .field("caller", &self.caller)
            .field("streaming", &self.sink.is_some())
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    /// Runs one sync call to its end. Over sockets the reply is what [`Audience::acknowledge`] was told
    /// already when the call was a success, and an error that it was not told otherwise.
    ///
    /// Never fails: what goes wrong is an error envelope. A panic of this host is one too, over sockets; over
    /// HTTP it goes on to the transport, which has an answer of its own for it, after the hook `syncError`.
    pub async fn sync(&self, call: SyncCall) -> Reply {
        let watch = Watch::begin(self, Surface::Sync, &call.caller, &call.raw_name);
        match AssertUnwindSafe(self.sync_stages(call)).catch_unwind().await {
            Ok(reply) => reply,
            Err(panic) => watch.panicked(self, panic).await,
        }
    }

    async fn sync_stages(&self, call: SyncCall) -> Reply {
        let SyncCall { raw_name, input, receiver, callback, ignore_self, caller, audience, sink } = call;
        let (table, rules) = (self.0.table.load_full(), self.0.rules.load_full());
        let run = Run {
            inner: &self.0,
            rules: &rules,
            table: &table,
            surface: Surface::Sync,
            name: unknown_name(Surface::Sync),
            caller,
            sink: None,
            input,
        };
        let receiver = receiver.trim().into();
        let mut stages =
            Stages { run, pipeline: self, table: &table, receiver, callback, ignore_self, audience, sink };
        let route = match stages.find(&raw_name) {
            Ok(route) => route,
            Err(failure) => return stages.run.refuse(failure, None).await,
        };
        let outcome = match stages.admit(&route).await {
            Ok(()) => stages.carry_out(&route).await,
            Err(failure) => Err(failure),
        };
        match outcome {
            Ok(reply) => reply,
            Err(failure) => stages.run.refuse(failure, Some(&route.server)).await,
        }
    }
}
