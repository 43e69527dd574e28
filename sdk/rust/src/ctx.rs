//! What a handler knows of the call it answers.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{HandlerError, Session, functions, host, session};

/// The call a handler answers: who calls, and what can be sent while it runs.
pub struct Ctx {
    pub(crate) route: String,
    pub(crate) room: Option<String>,
    pub(crate) caller: Caller,
}

/// Who calls, and how the call can be followed through logs.
#[derive(Clone)]
pub struct Caller {
    /// The session, when the caller is signed in.
    pub session: Option<Session>,
    /// Address of the client; `unknown` when there is none.
    pub ip: String,
    /// Language chosen for the caller, such as `en`.
    pub language: String,
    /// Identifies the call in logs.
    pub request_id: String,
    /// W3C trace context, when the client sent one.
    pub traceparent: Option<String>,
    /// The transport that carried the call.
    pub transport: Transport,
}

/// How a call reached the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// Over a socket.io connection.
    Socket,
    /// Over an HTTP request.
    Http,
}

impl Ctx {
    /// Who calls.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The session object of the caller as JSON; none when anonymous.
    #[must_use]
    pub fn user(&self) -> Option<Value> {
        serde_json::from_slice(&self.caller.session.as_ref()?.user).ok()
    }

    /// The session object of the caller as a type of your own.
    ///
    /// # Errors
    /// `auth.required` (401) when the caller is anonymous; internal when the session object does not fit
    /// `T`.
    pub fn session<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        match &self.caller.session {
            Some(session) => session.user_as(),
            None => Err(HandlerError::new("auth.required").status(401)),
        }
    }

    /// Sets fields of the caller's session until it ends; null removes one. The session as it is now: the
    /// context keeps the one that the call began with. Like [`session::update`].
    ///
    /// # Errors
    /// `auth.required` (401) when the caller is anonymous; `session.fieldNotAllowed` unless the preset
    /// declares each field in `session_fields`; `session.notFound` when the session has ended.
    pub fn update_session(&self, fields: &impl Serialize) -> Result<Session, HandlerError> {
        match &self.caller.session {
            Some(own) => session::update(&own.token, fields),
            None => Err(HandlerError::new("auth.required").status(401)),
        }
    }

    /// Logs the caller out, with the hooks of a logout; whether there was a session to end.
    pub fn end_session(&self) -> bool {
        self.caller.session.as_ref().is_some_and(|own| session::end(&own.token))
    }

    /// Address of the client; `unknown` when there is none.
    #[must_use]
    pub fn ip(&self) -> &str {
        &self.caller.ip
    }

    /// Language chosen for the caller, such as `en`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.caller.language
    }

    /// Identifies the call in logs and in the `X-Request-Id` header.
    #[must_use]
    pub fn request_id(&self) -> &str {
        &self.caller.request_id
    }

    /// The full name of the route, such as `api/vehicles/getAll/v1`.
    #[must_use]
    pub fn route(&self) -> &str {
        &self.route
    }

    /// Sync handlers: the room (receiver) that the caller named. None for API handlers.
    #[must_use]
    pub fn room(&self) -> Option<&str> {
        self.room.as_deref()
    }

    /// Sends a chunk, which must serialise to an object, to the caller. False when nobody listens any
    /// more: stop then.
    pub fn stream(&self, chunk: &impl Serialize) -> bool {
        encode(chunk).is_some_and(|chunk| host::stream_emit(&chunk))
    }

    /// Sync handlers: sends a chunk to everybody in the room, the caller included.
    pub fn broadcast(&self, chunk: &impl Serialize) -> bool {
        encode(chunk).is_some_and(|chunk| host::stream_broadcast(&chunk))
    }

    /// Sync handlers: sends a chunk to the sockets of these session tokens.
    pub fn stream_to(&self, tokens: &[String], chunk: &impl Serialize) -> bool {
        encode(chunk).is_some_and(|chunk| host::stream_to(tokens, &chunk))
    }

    /// Whether the call was cancelled or its client has gone: stop early when it is true.
    #[must_use]
    pub fn aborted(&self) -> bool {
        host::stream_aborted()
    }

    /// Calls a function by its full name, such as `geo/distance`. The same as [`functions::call`].
    ///
    /// # Errors
    /// The function's own; `functions.notFound` when nobody provides it; internal when the arguments or
    /// the result do not fit their types.
    pub fn call_function<A: Serialize, R: DeserializeOwned>(
        &self,
        name: &str,
        args: &A,
    ) -> Result<R, HandlerError> {
        functions::call(name, args)
    }
}

/// A chunk without a JSON form is a mistake of the handler: it is logged, not sent.
pub(crate) fn encode(chunk: &impl Serialize) -> Option<Vec<u8>> {
    match serde_json::to_vec(chunk) {
        Ok(chunk) => Some(chunk),
        Err(error) => {
            crate::log::error!("a stream chunk cannot be sent: {error}");
            None
        }
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ctx")
            .field("route", &self.route)
            .field("room", &self.room)
            .field("caller", &self.caller)
            .finish()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("signed_in", &self.session.is_some())
            .field("ip", &self.ip)
            .field("language", &self.language)
            .field("request_id", &self.request_id)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}
