//! Making a session, and what that does to the user's others (wire protocol §5.2 "Write", §5.3).

use std::sync::Arc;

use bytes::Bytes;
use luckystack_plugins::call::Session;
use luckystack_topology::SessionConfig;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::cache::Terms;
use crate::outcome::{CreateError, EndReason, SessionError};
use crate::policy::{self, Verdict};
use crate::record;
use crate::sessions::Shared;
use crate::turns::Lease;

/// The original's code for a user without an id.
const NO_USER: &str = "api.internalServerError";
/// What a login over the limit is told.
const LIMIT_REACHED: &str = "login.sessionLimitReached";

impl Shared {
    pub(crate) async fn create(
        self: Arc<Self>,
        mut user: Map<String, Value>,
        superseded: Option<String>,
    ) -> Result<Arc<Session>, CreateError> {
        let Some(user_id) = user.get("id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
            return Err(CreateError::Refused(NO_USER.into()));
        };
        let user_id = user_id.to_owned();
        let config = self.config.load_full();
        let token = record::mint_token()?;
        // A login gets a CSRF token of its own, whatever came with the user.
        user.remove("csrfToken");
        record::tidy(&mut user)?;
        let about = |user: &Map<String, Value>| json!({ "token": token, "user": user, "persistent": !config.based_token });
        if let Some(code) = self.stopped("preSessionCreate", || about(&user)).await {
            return Err(CreateError::Refused(code));
        }

        let value = record::write(&user);
        let Some(session) = record::read(&token, value.clone()).map(Arc::new) else {
            return Err(CreateError::Refused(NO_USER.into()));
        };
        let created = if policy::is_limited(&config) {
            let _turn = self.logins.of(&user_id).await;
            let lease = self.lease(&user_id).await?;
            let created = self.establish(&session, value, superseded.as_deref(), &config).await;
            if let Some(lease) = lease {
                lease.release().await;
            }
            created
        } else {
            self.establish(&session, value, superseded.as_deref(), &config).await
        };
        created?;

        self.tell("postSessionCreate", || about(&user));
        self.tell("sessionCreated", || json!({ "token": token, "userId": user_id }));
        Ok(session)
    }

    /// Waits for the logins of this user on other hosts.
    async fn lease(&self, user_id: &str) -> Result<Option<Lease>, CreateError> {
        if !self.backplane.is_shared() {
            return Ok(None);
        }
        let key = self.keys.key(":lease", &format!("login:{user_id}"));
        let lease = Lease::take(&self.backplane, key, Bytes::from(self.host.clone())).await?;
        if lease.is_none() {
            tracing::warn!(user_id, "other logins of this user take long; this one does not wait for them");
        }
        Ok(lease)
    }

    /// Judges, writes, and ends what has to end.
    async fn establish(
        self: &Arc<Self>,
        session: &Arc<Session>,
        value: Bytes,
        superseded: Option<&str>,
        config: &SessionConfig,
    ) -> Result<(), CreateError> {
        let mut others = Vec::new();
        if policy::is_limited(config) {
            others = self.live_of(&session.user_id).await?;
            others.retain(|other| Some(other.token.as_str()) != superseded);
        }
        let Verdict::Revoke(excess) = policy::judge(config, others.len()) else {
            return Err(CreateError::Refused(LIMIT_REACHED.into()));
        };
        others.truncate(excess);

        let written = self.write_new(session, value, config).await;
        let replaced = match written {
            Ok(()) => self.end_replaced(others, superseded).await,
            Err(error) => Err(error),
        };
        if let Err(error) = replaced {
            self.undo(session).await;
            return Err(error);
        }
        Ok(())
    }

    async fn write_new(
        &self,
        session: &Arc<Session>,
        value: Bytes,
        config: &SessionConfig,
    ) -> Result<(), CreateError> {
        let token = session.token.as_str();
        let (key, user) = (self.session_key(token), self.user_key(&session.user_id));
        let (ticket, at) = (self.cache.ticket(token), Instant::now());
        // In this order: a token in the set whose session is not there is one whose session has ended.
        self.backplane.set(&key, value, Some(config.expiry)).await?;
        self.backplane.add(&user, token, config.expiry).await?;
        let terms = Terms::of(at, Some(config.expiry), config.expiry);
        self.cache.put(ticket, session, terms, Instant::now());
        Ok(())
    }

    async fn end_replaced(
        self: &Arc<Self>,
        others: Vec<Arc<Session>>,
        superseded: Option<&str>,
    ) -> Result<(), CreateError> {
        self.end_all(others).await?;
        let Some(token) = superseded else { return Ok(()) };
        match self.clone().end(token.to_owned(), EndReason::Superseded).await {
            Ok(_) => Ok(()),
            Err(SessionError::Store(error)) => Err(error.into()),
            Err(error) => {
                tracing::debug!(%error, "the session that a login replaces stays");
                Ok(())
            }
        }
    }

    /// Nobody has the token yet, and nobody shall count the session.
    async fn undo(&self, session: &Session) {
        self.cache.forget(&session.token);
        let deleted = self.backplane.delete(&self.session_key(&session.token)).await;
        self.cache.forget(&session.token);
        let user = self.user_key(&session.user_id);
        let removed = self.backplane.remove(&user, &session.token).await;
        if let Err(error) = deleted.map(|_| ()).and(removed) {
            tracing::warn!(%error, "a session of a failed login, whose token nobody has, may stay until it expires");
        }
    }
}
