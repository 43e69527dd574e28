//! Ending sessions (wire protocol §5.2 "Delete").
//!
//! The rule kept here: **this host refuses a session from the moment its end is decided**, before the store
//! knows it, and until the store has said so or failed.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use luckystack_backplane::BackplaneError;
use luckystack_plugins::call::Session;
use serde_json::json;
use tokio::time::Instant;

use crate::events::Notice;
use crate::outcome::{EndReason, SessionError};
use crate::sessions::Shared;

/// Sessions that are ended at the same time.
const AT_ONCE: usize = 16;

/// A session that is ending; refused while this lives.
struct Ending<'a> {
    shared: &'a Shared,
    token: &'a str,
}

// --- Shared ---

impl Shared {
    pub(crate) async fn end(self: Arc<Self>, token: String, reason: EndReason) -> Result<bool, SessionError> {
        match self.peek(&token).await? {
            Some(session) => self.end_session(&session, reason).await,
            None => Ok(false),
        }
    }

    pub(crate) async fn end_others(
        self: Arc<Self>,
        user_id: String,
        keep: Option<String>,
    ) -> Result<usize, SessionError> {
        let mut others = self.live_of(&user_id).await?;
        others.retain(|other| Some(&other.token) != keep.as_ref());
        Ok(self.end_all(others).await?)
    }

    /// Ends sessions of which the user is told; how many. One that a hook forbids to end stays; a failure
    /// keeps none of the others.
    pub(crate) async fn end_all(&self, sessions: Vec<Arc<Session>>) -> Result<usize, BackplaneError> {
        let mut answers = stream::iter(sessions)
            .map(|session| async move { self.end_session(&session, EndReason::Revoked).await })
            .buffer_unordered(AT_ONCE);
        let (mut ended, mut failure) = (0, None);
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(was_there) => ended += usize::from(was_there),
                Err(SessionError::Store(error)) => failure = Some(error),
                Err(error) => tracing::debug!(%error, "a session that was to end stays"),
            }
        }
        failure.map_or(Ok(ended), Err)
    }

    async fn end_session(&self, session: &Session, reason: EndReason) -> Result<bool, SessionError> {
        let (token, user_id) = (session.token.as_str(), session.user_id.as_str());
        let about = || json!({ "token": token, "userId": user_id });
        if let Some(code) = self.stopped("preSessionDelete", about).await {
            return Err(SessionError::Vetoed(code));
        }
        let was_there = self.delete(token).await?;
        if !was_there {
            // Somebody else ended it first and tells everybody.
            return Ok(false);
        }
        if let Some(notice) = self.notice(session, reason) {
            self.announce(notice).await;
        }
        if let Err(error) = self.backplane.remove(&self.user_key(user_id), token).await {
            tracing::debug!(%error, "an ended session's token stays among its user's; the next login takes it out");
        }
        self.tell("postSessionDelete", about);
        self.tell(
            "sessionRevoked",
            || json!({ "token": token, "userId": user_id, "reason": reason.as_str() }),
        );
        Ok(true)
    }

    async fn delete(&self, token: &str) -> Result<bool, BackplaneError> {
        let _ending = Ending::mark(self, token);
        // Whoever is just changing it finishes first, so that its sockets hear of that before the end.
        let _turn = self.changes.of(token).await;
        let ticket = self.cache.ticket(token);
        let was_there = self.backplane.delete(&self.session_key(token)).await?;
        self.cache.keep_unknown(ticket, token, Instant::now());
        Ok(was_there)
    }

    fn notice(&self, session: &Session, reason: EndReason) -> Option<Notice> {
        let token = session.token.as_str().into();
        match reason {
            EndReason::Superseded => None,
            EndReason::Revoked if self.config.load().notify_old_device_on_revoke => {
                Some(Notice::Replaced { token, user_id: session.user_id.as_str().into() })
            }
            EndReason::Revoked | EndReason::Logout => Some(Notice::LoggedOut { token }),
        }
    }
}

// --- Ending ---

impl<'a> Ending<'a> {
    fn mark(shared: &'a Shared, token: &'a str) -> Self {
        shared.cache.mark(token);
        Ending { shared, token }
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.shared.cache.unmark(self.token);
    }
}
