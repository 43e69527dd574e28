//! Finding the session behind a token, and making its life longer (wire protocol §5.2 "Read").

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use luckystack_backplane::BackplaneError;
use luckystack_plugins::call::Session;
use luckystack_topology::SessionConfig;
use serde_json::json;
use tokio::time::Instant;

use crate::cache::{Known, Terms, Ticket};
use crate::outcome::Read;
use crate::sessions::Shared;
use crate::{life, record};

/// Questions to the store at the same time, when all sessions of a user are looked at.
const AT_ONCE: usize = 16;

/// A session as the store has it.
struct Stored {
    session: Arc<Session>,
    remaining: Option<Duration>,
    terms: Terms,
}

impl Shared {
    pub(crate) async fn read(&self, token: &str, ip: &str) -> Result<Read, BackplaneError> {
        if !record::is_token(token) {
            return Ok(Read::Unknown);
        }
        let config = self.config.load_full();
        let now = Instant::now();
        let again = now + life::interval(config.expiry);
        let known = self.cache.look(token, now, again);
        let ticket = match known {
            Known::Live(session) => return Ok(Read::Live(session)),
            Known::Due(session, terms) => {
                let remaining = terms.ends.saturating_duration_since(now);
                return self.prolong(session, Some(remaining), &config).await;
            }
            Known::Ending => return Ok(Read::Unknown),
            Known::Unknown => None,
            Known::Nothing(ticket) => Some(ticket),
        };
        if let Some(limit) = config.max_unknown_tokens
            && let Err(seconds) = self.guard.admit(ip, token, limit, now)
        {
            return Ok(Read::Throttled { seconds });
        }
        let stored = match ticket {
            Some(ticket) => self.fetch(token, ticket, &config).await?,
            None => None,
        };
        let now = Instant::now();
        let Some(Stored { session, remaining, terms }) = stored else {
            if config.max_unknown_tokens.is_some() {
                self.guard.count(ip, token, now);
            }
            return Ok(Read::Unknown);
        };
        let ticket = ticket.unwrap_or_default();
        let again = now + life::interval(config.expiry);
        if self.cache.keep(ticket, &session, terms, now, again) {
            return self.prolong(session, remaining, &config).await;
        }
        Ok(Read::Live(session))
    }

    pub(crate) async fn peek(&self, token: &str) -> Result<Option<Arc<Session>>, BackplaneError> {
        if !record::is_token(token) {
            return Ok(None);
        }
        let ticket = match self.cache.peek(token, Instant::now()) {
            Known::Live(session) | Known::Due(session, _) => return Ok(Some(session)),
            Known::Unknown | Known::Ending => return Ok(None),
            Known::Nothing(ticket) => ticket,
        };
        let config = self.config.load_full();
        let Some(stored) = self.fetch(token, ticket, &config).await? else { return Ok(None) };
        // If it is due, it stays so for the next who reads.
        let now = Instant::now();
        self.cache.keep(ticket, &stored.session, stored.terms, now, now);
        Ok(Some(stored.session))
    }

    /// A user's live sessions. Tokens of others, whose session has ended by itself, are taken out of the
    /// set on the way: nobody else does it.
    pub(crate) async fn live_of(&self, user_id: &str) -> Result<Vec<Arc<Session>>, BackplaneError> {
        let key = self.user_key(user_id);
        let tokens = self.backplane.members(&key).await?;
        let mut found = stream::iter(tokens)
            .map(|token| async move {
                let session = self.peek(&token).await;
                (token, session)
            })
            .buffered(AT_ONCE);
        let mut live = Vec::new();
        while let Some((token, session)) = found.next().await {
            match session? {
                Some(session) if session.user_id == user_id => live.push(session),
                // Ending: who ends it takes it out.
                None if self.cache.is_ending(&token) => {}
                _ => self.backplane.remove(&key, &token).await?,
            }
        }
        Ok(live)
    }

    /// Asks the store. What it does not know is remembered as unknown.
    async fn fetch(
        &self,
        token: &str,
        ticket: Ticket,
        config: &SessionConfig,
    ) -> Result<Option<Stored>, BackplaneError> {
        // From before it was asked: the answer's remaining life is counted from no later.
        let at = Instant::now();
        let living = self.backplane.get_living(&self.session_key(token)).await?;
        let found = living.and_then(|living| {
            let session = Arc::new(record::read(token, living.value)?);
            let terms = Terms::of(at, living.remaining, config.expiry);
            Some(Stored { session, remaining: living.remaining, terms })
        });
        if found.is_none() {
            self.cache.keep_unknown(ticket, token, Instant::now());
        }
        // Somebody decided on its end while the store was asked.
        Ok(found.filter(|_| !self.cache.is_ending(token)))
    }

    /// Makes a session's life longer, unless a hook says no. Unknown when it has ended just now.
    async fn prolong(
        &self,
        session: Arc<Session>,
        remaining: Option<Duration>,
        config: &SessionConfig,
    ) -> Result<Read, BackplaneError> {
        let payload = || {
            json!({
                "token": session.token,
                "userId": session.user_id,
                "oldTtl": life::ttl(remaining),
                "newTtl": life::ttl(Some(config.expiry)),
            })
        };
        let is_stopped = self.stopped("preSessionRefresh", payload).await.is_some();
        let applied = !is_stopped && self.expire(&session, config).await?;
        self.tell("postSessionRefresh", || {
            let mut payload = payload();
            payload["applied"] = applied.into();
            payload
        });
        Ok(if applied || is_stopped && !self.cache.is_ending(&session.token) {
            Read::Live(session)
        } else {
            Read::Unknown
        })
    }

    /// Gives a session and its user's set the full life; whether it is there.
    async fn expire(&self, session: &Session, config: &SessionConfig) -> Result<bool, BackplaneError> {
        let token = session.token.as_str();
        let ticket = self.cache.ticket(token);
        let at = Instant::now();
        let key = self.session_key(token);
        let is_there = self.backplane.expire(&key, config.expiry).await;
        if !matches!(is_there, Ok(true)) {
            // What is remembered of it is not true, or nobody knows.
            self.cache.forget(token);
            return is_there;
        }
        // Adding a member that is there changes nothing but the set's life; and a set that was lost, or
        // a session that was written without one, is made whole: logins find it, and can end it.
        let user = self.user_key(&session.user_id);
        self.backplane.add(&user, token, config.expiry).await?;
        self.cache.prolong(ticket, token, Terms::of(at, Some(config.expiry), config.expiry));
        Ok(!self.cache.is_ending(token))
    }
}
