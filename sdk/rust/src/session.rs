//! Sessions of signed-in callers (wire protocol §5.2).

use std::fmt;

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
