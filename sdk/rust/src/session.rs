//! Sessions of signed-in callers (wire protocol §5.2).

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{HandlerError, host};

/// A session: its token, which is a secret, and the session object.
#[derive(Clone)]
pub struct Session {
    /// Opaque token. Do not log it.
    pub token: String,
    /// The session object as JSON text, without the token.
    pub user: Vec<u8>,
}

/// The live session behind `token`. None when it has ended, or is another user's and the preset does not
/// grant this service `sessions`.
#[must_use]
pub fn get(token: &str) -> Option<Session> {
    host::session_get(token)
}

/// Sets fields of the session object behind `token` until the session ends; null removes one. The user
/// record stays as it is. The session as it is now, and its sockets get it too.
///
/// # Errors
/// `session.fieldNotAllowed` (403) unless the preset declares each field in `session_fields`;
/// `session.notFound` (404) when it has ended, or is another user's and the preset does not grant this
/// service `sessions`; `session.tooLarge` (413) past 64 KiB.
pub fn update(token: &str, fields: &impl Serialize) -> Result<Session, HandlerError> {
    host::session_update(token, &serde_json::to_vec(fields)?)
}

/// Ends the session behind `token`, a logout with its hooks. Whether there was one to end, of the caller's
/// user or, with the grant `sessions`, of anybody.
pub fn end(token: &str) -> bool {
    host::session_end(token)
}

impl Session {
    /// The session object as a type of your own.
    ///
    /// # Errors
    /// Internal, when it does not fit.
    pub fn user_as<T: DeserializeOwned>(&self) -> Result<T, HandlerError> {
        serde_json::from_slice(&self.user)
            .map_err(|error| HandlerError::internal(format_args!("the session object does not fit: {error}")))
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("user", &String::from_utf8_lossy(&self.user)).finish_non_exhaustive()
    }
}
