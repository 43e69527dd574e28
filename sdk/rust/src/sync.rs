//! The client half of a sync handler (wire protocol §4.4).
//!
//! The author writes a function of one recipient. A whole fanout crosses into the sandbox once; the loop
//! over its recipients is here, and input and server output are decoded once for all of them.

use std::rc::Rc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::ctx::encode;
use crate::descriptor::{Plugin, Route};
use crate::handler::{Success, settle};
use crate::reply::{Output, Reply, success};
use crate::{HandlerError, host};

/// One receiver of a fanout.
#[derive(Clone)]
pub struct Recipient {
    pub(crate) token: Option<String>,
    pub(crate) language: String,
    pub(crate) room: Rc<str>,
    pub(crate) server_output: Rc<[u8]>,
    /// Its place in the batch.
    pub(crate) index: u32,
}

/// One recipient's success object, or its error.
pub type Answer = Result<Vec<u8>, HandlerError>;

/// A fanout: the same event for several recipients.
#[derive(Debug)]
pub struct Batch {
    pub(crate) input: Vec<u8>,
    pub(crate) recipients: Vec<Recipient>,
}

/// The client half of a sync handler.
#[derive(Debug)]
pub struct SyncClient {
    /// Where it stands.
    pub route: Route,
    /// Runs it for a batch: one result a recipient, in their order.
    pub call: fn(&Batch) -> Vec<Answer>,
    /// Schema of its result.
    pub output: fn() -> Option<schemars::Schema>,
}

impl Recipient {
    /// The receiver's session token, which is a secret; none for an anonymous socket.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Language chosen for this receiver, such as `en`.
    #[must_use]
    pub fn language(&self) -> &str {
        &self.language
    }

    /// The room that the event goes to.
    #[must_use]
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Sends a chunk, which must serialise to an object, to this recipient alone. False when it cannot be
    /// reached.
    pub fn stream(&self, chunk: &impl Serialize) -> bool {
        encode(chunk).is_some_and(|chunk| host::stream_to_recipient(self.index, &chunk))
    }

    /// The server half's whole success object, for halves in other languages that put their keys beside
    /// `status` rather than into `result`.
    ///
    /// # Errors
    /// Internal, when it does not fit `T`.
    pub fn server_output<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        serde_json::from_slice(&self.server_output)
            .map_err(|error| HandlerError::internal(format_args!("the server output does not fit: {error}")))
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recipient")
            .field("signed_in", &self.token.is_some())
            .field("language", &self.language)
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}

/// How the third parameter of a client half is decoded.
pub trait ServerHalf: Sized {
    /// From the server half's success object.
    ///
    /// # Errors
    /// When it does not fit.
    fn decode(server_output: &[u8]) -> Result<Self, HandlerError>;
}

/// The handler does not look at the server output.
#[derive(Debug)]
pub struct Unread;

/// The handler looks at the `result` in it.
#[derive(Debug)]
pub struct Read<S>(pub S);

impl ServerHalf for Unread {
    fn decode(_server_output: &[u8]) -> Result<Self, HandlerError> {
        Ok(Self)
    }
}

impl<S: DeserializeOwned> ServerHalf for Read<S> {
    fn decode(server_output: &[u8]) -> Result<Self, HandlerError> {
        let success: Success<S> = serde_json::from_slice(server_output).map_err(|error| {
            HandlerError::internal(format_args!("`result` of the server output: {error}"))
        })?;
        Ok(Self(success.result))
    }
}

/// Decodes once, then runs the handler for every recipient.
pub fn call_sync_client<I, S, R>(batch: &Batch, handler: impl Fn(&Recipient, &I, &S) -> R) -> Vec<Answer>
where
    I: DeserializeOwned,
    S: ServerHalf,
    R: Reply<Success: Output>,
{
    let Some(first) = batch.recipients.first() else { return Vec::new() };
    let input = serde_json::from_slice::<I>(&batch.input).map_err(HandlerError::invalid_input);
    let decoded = input.and_then(|input| Ok((input, S::decode(&first.server_output)?)));
    let failed = |error| settle(error, "sync.clientExecutionFailed", "sync.clientExecutionFailed");
    match decoded {
        Ok((input, server)) => batch
            .recipients
            .iter()
            .map(|recipient| {
                let result = handler(recipient, &input, &server).into_result();
                result.and_then(|value| success(&value)).map_err(failed)
            })
            .collect(),
        Err(error) => {
            // Logged once; every recipient hears of it.
            let code = failed(error).code().to_owned();
            batch.recipients.iter().map(|_| Err(HandlerError::new(code.clone()).status(400))).collect()
        }
    }
}

/// Answers one call of the export `sync-client`.
pub fn dispatch_sync_client(plugin: &Plugin, route: &str, batch: &Batch) -> Vec<Answer> {
    match plugin.sync_clients.iter().find(|half| half.route.is("sync/", plugin.service, route)) {
        Some(half) => (half.call)(batch),
        None => {
            let not_found = || HandlerError::new("sync.notFound").param("name", route).status(400);
            batch.recipients.iter().map(|_| Err(not_found())).collect()
        }
    }
}
