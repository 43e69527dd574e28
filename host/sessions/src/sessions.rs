//! The store of sessions.

use std::sync::Arc;

use luckystack_backplane::{BackplaneError, SharedBackplane};
use luckystack_plugins::call::Session;
use luckystack_topology::SessionConfig;
use serde_json::{Map, Value};
use tokio::sync::broadcast;

use crate::hooks::Hooks;

/// Something sockets of a session must be told, on this host, whichever host it happened on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The session changed: `updateSession` with this object (§2.6), JSON without the token.
    Updated {
        /// Whose sockets.
        token: Arc<str>,
        /// The session object.
        session: bytes::Bytes,
    },
    /// A login elsewhere ended the session: `sessionReplaced`.
    Replaced {
        /// Whose sockets.
        token: Arc<str>,
        /// The user.
        user_id: Arc<str>,
    },
    /// The session ended: `logout` `"success"`, and the sockets leave its room.
    LoggedOut {
        /// Whose sockets.
        token: Arc<str>,
    },
}

/// What reading a token found.
#[derive(Clone, Debug)]
pub enum Read {
    /// A live session, its life extended.
    Live(Arc<Session>),
    /// No session: the caller is anonymous.
    Unknown,
    /// The address presented too many unknown tokens: refuse for so many seconds.
    Throttled {
        /// Whole seconds, at least 1.
        seconds: u64,
    },
}

/// Why a session was not created.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CreateError {
    /// The reason for the client: a hook's, or `login.sessionLimitReached`.
    #[error("refused: {0}")]
    Refused(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BackplaneError),
}

/// Why a change or end did not happen.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SessionError {
    /// The hook `preSessionDelete` said no.
    #[error("a hook refused: {0}")]
    Vetoed(String),
    /// The changed object has no `id`, or another user's.
    #[error("a session cannot change its user's id")]
    OtherUser,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] BackplaneError),
}

/// Why a session ends; `reason` of the hook `sessionRevoked`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The user logged out: sockets get `logout`.
    Logout,
    /// A login elsewhere, or somebody with the right to: sockets get `sessionReplaced` (if configured) and
    /// `logout`.
    Revoked,
    /// The same browser logged in anew: nobody is told.
    Superseded,
}

/// All sessions of a project. Cheap to clone.
#[derive(Clone)]
pub struct Sessions {}

impl Sessions {
    /// Opens the store; follows changes by others from now on.
    pub async fn open(
        project: &str,
        config: &SessionConfig,
        backplane: SharedBackplane,
        hooks: Arc<dyn Hooks>,
    ) -> Result<Self, BackplaneError> {
        let _ = (project, config, backplane, hooks);
        unimplemented!()
    }

    /// Applies a changed configuration from now on.
    pub fn reconfigure(&self, config: &SessionConfig) {
        let _ = config;
        unimplemented!()
    }

    /// The session behind `token` if it is cached and needs no extension: the way of nearly every call,
    /// without an allocation or a lock that is held across threads for long.
    pub fn cached(&self, token: &str) -> Option<Arc<Session>> {
        let _ = token;
        unimplemented!()
    }

    /// Reads the session behind `token` (§5.2 "Read"), for a client at address `ip`.
    pub async fn read(&self, token: &str, ip: &str) -> Result<Read, BackplaneError> {
        let _ = (token, ip);
        unimplemented!()
    }

    /// Reads without extending life, throttling or hooks: for services that look at a session.
    pub async fn peek(&self, token: &str) -> Result<Option<Arc<Session>>, BackplaneError> {
        let _ = token;
        unimplemented!()
    }

    /// Creates the session of a login (§5.2 "Write"): mints token and CSRF token, enforces the multi-login
    /// policy (§5.3), and ends `superseded`, the token that the same browser presented, silently.
    pub async fn create(
        &self,
        user: Map<String, Value>,
        superseded: Option<&str>,
    ) -> Result<Arc<Session>, CreateError> {
        let _ = (user, superseded);
        unimplemented!()
    }

    /// Changes the session behind `token`: `change` gets the object (without the token) and is called
    /// again when somebody else was faster. None when there is no such session; it is not brought back.
    pub async fn update(
        &self,
        token: &str,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<Option<Arc<Session>>, SessionError> {
        let _ = (token, change);
        unimplemented!()
    }

    /// Changes every session of a user; how many there are.
    pub async fn update_user(
        &self,
        user_id: &str,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<usize, SessionError> {
        let _ = (user_id, change);
        unimplemented!()
    }

    /// Ends a session (§5.2 "Delete"); whether there was one.
    pub async fn end(&self, token: &str, reason: EndReason) -> Result<bool, SessionError> {
        let _ = (token, reason);
        unimplemented!()
    }

    /// Ends all sessions of a user but `keep`; how many.
    pub async fn end_others(&self, user_id: &str, keep: Option<&str>) -> Result<usize, SessionError> {
        let _ = (user_id, keep);
        unimplemented!()
    }

    /// Tokens of a user's live sessions, oldest first where the store knows it.
    pub async fn of_user(&self, user_id: &str) -> Result<Vec<String>, BackplaneError> {
        let _ = user_id;
        unimplemented!()
    }

    /// What the sockets of this host must be told, from now on.
    pub fn events(&self) -> broadcast::Receiver<SessionEvent> {
        unimplemented!()
    }

    /// Ends everything without telling anybody, for `/_test/reset`; whether there were sessions, and sets
    /// of active users.
    pub async fn clear(&self) -> Result<(bool, bool), BackplaneError> {
        unimplemented!()
    }
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sessions")
    }
}
