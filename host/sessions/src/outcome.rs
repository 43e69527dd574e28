//! What comes of asking for, making, changing and ending sessions.

use std::fmt;
use std::sync::Arc;

use luckystack_backplane::BackplaneError;
use luckystack_plugins::call::Session;

/// What reading a token found.
#[derive(Clone)]
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

impl EndReason {
    /// As the hook `sessionRevoked` says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            EndReason::Logout => "logout",
            EndReason::Revoked => "revoked",
            EndReason::Superseded => "superseded",
        }
    }
}

/// Without the session's secrets.
impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Read::Live(session) => f.debug_tuple("Live").field(&session.user_id).finish(),
            Read::Unknown => f.write_str("Unknown"),
            Read::Throttled { seconds } => f.debug_struct("Throttled").field("seconds", seconds).finish(),
        }
    }
}
