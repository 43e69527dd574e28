//! Changing sessions (wire protocol §5.2 "Write").
//!
//! The rule kept here: **a change is a comparison and a swap.** What another host wrote meanwhile is not
//! lost, and a session that has ended meanwhile is not brought back. Within this host changes of one
//! session come one after the other, so that they do not keep each other from getting through.

use std::sync::Arc;

use bytes::Bytes;
use luckystack_backplane::BackplaneError;
use luckystack_plugins::call::Session;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::cache::{Terms, Ticket};
use crate::events::Notice;
use crate::outcome::SessionError;
use crate::record;
use crate::sessions::{Shared, detached};
use crate::turns::Turn;

/// How often somebody else may be faster: only other hosts can be, and each of them does it once a round
/// trip.
const ATTEMPTS: usize = 100;

/// A change that is ready to be written.
struct Write {
    /// Before the store was asked.
    ticket: Ticket,
    expected: Bytes,
    value: Bytes,
    session: Arc<Session>,
}

impl Shared {
    /// Changes the session behind `token`, if it is of that user.
    pub(crate) async fn update(
        self: &Arc<Self>,
        token: &str,
        user_id: Option<&str>,
        change: &mut (dyn FnMut(&mut Map<String, Value>) + Send),
    ) -> Result<Option<Arc<Session>>, SessionError> {
        if !record::is_token(token) {
            return Ok(None);
        }
        let mut turn = self.changes.of(token).await;
        for _ in 0..ATTEMPTS {
            if self.cache.is_ending(token) {
                return Ok(None);
            }
            let ticket = self.cache.ticket(token);
            let Some(expected) = self.backplane.get(&self.session_key(token)).await? else { return Ok(None) };
            let Some(current) = record::read(token, expected.clone()) else { return Ok(None) };
            if user_id.is_some_and(|user_id| user_id != current.user_id) {
                return Ok(None);
            }
            let mut fields = current.fields().clone();
            change(&mut fields);
            if fields.get("id").and_then(Value::as_str) != Some(current.user_id.as_str()) {
                return Err(SessionError::OtherUser);
            }
            record::tidy(&mut fields)?;
            let value = record::write(&fields);
            let Some(session) = record::read(token, value.clone()).map(Arc::new) else {
                return Err(SessionError::OtherUser);
            };
            let write = Write { ticket, expected, value, session: session.clone() };
            let (back, written) = detached(self.clone().write(turn, write)).await?;
            turn = back;
            if written? {
                return Ok(Some(session));
            }
        }
        Err(SessionError::Store(BackplaneError::Refused {
            store: "the store of sessions".into(),
            reason: "a session is being changed by others all the time; try again".into(),
        }))
    }

    /// Writes a change; not when the session is another by now.
    async fn write(self: Arc<Self>, turn: Turn, write: Write) -> (Turn, Result<bool, BackplaneError>) {
        let Write { ticket, expected, value, session } = write;
        let life = self.config.load().expiry;
        let token = session.token.as_str();
        let at = Instant::now();
        let written = self.backplane.swap(&self.session_key(token), expected, value, Some(life)).await;
        if !matches!(written, Ok(true)) {
            self.cache.forget(token);
            return (turn, written);
        }
        self.cache.put(ticket, &session, Terms::of(at, Some(life), life), Instant::now());
        let shown = String::from_utf8_lossy(&record::shown(&session)).into_owned();
        self.announce(Notice::Updated { token: token.into(), session: shown }).await;
        // The session is changed whatever comes of this; the set's life is made longer by reads, too.
        if let Err(error) = self.backplane.add(&self.user_key(&session.user_id), token, life).await {
            tracing::debug!(%error, "a changed session was not added to its user's set");
        }
        (turn, Ok(true))
    }
}
