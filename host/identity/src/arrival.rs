//! The last steps of every login: the record's dates, the session, the answer.

use std::sync::Arc;

use luckystack_sessions::Session;
use luckystack_users::User;
use serde_json::{Map, Value, json};

use crate::clock::iso_now;
use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::refusal::{Refusal, success};

/// Somebody who has proved who he is.
#[derive(Clone, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) user: User,
    /// By what he proved it: `credentials`, `email-code`, `google`, ….
    pub(crate) provider: &'a str,
    /// Whether the account was made just now.
    pub(crate) is_new: bool,
}

impl Identity {
    /// Gives somebody his session, in place of the one that the same browser had.
    pub(crate) async fn sign_in(
        &self,
        arrival: Arrival<'_>,
        request: AuthRequest<'_>,
    ) -> Result<Arc<Session>, Refusal> {
        let Arrival { user, provider, is_new } = arrival;
        let now = iso_now();
        let previous = user.field("lastLogin").filter(|_| !is_new).cloned().unwrap_or(Value::Null);
        let changes = Map::from_iter([("lastLogin".to_owned(), Value::from(now.clone()))]);
        let mut shown = match self.accounts().update(user.id(), changes).await {
            Ok(Some(user)) => user.shown(),
            Ok(None) => {
                tracing::warn!(user = user.id(), "an account was deleted while somebody logged in to it");
                return Err(Refusal::of("login.wrongPassword").user(user.id()));
            }
            Err(error) => {
                tracing::warn!(%error, user = user.id(), "the time of a login was not stored");
                user.shown()
            }
        };
        shown.insert("lastLogin".to_owned(), Value::from(now));
        shown.insert("previousLogin".to_owned(), previous);
        let session = self
            .sessions()
            .create(shown, request.token)
            .await
            .map_err(|error| Refusal::from(error).user(user.id()))?;
        self.tell("postLogin", || {
            json!({
                "userId": user.id(),
                "provider": provider,
                "isNewUser": is_new,
                "token": session.token,
            })
        });
        Ok(session)
    }

    /// [`Identity::sign_in`] with its answer (§5.5).
    pub(crate) async fn admit(
        &self,
        arrival: Arrival<'_>,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let reason = if arrival.is_new { "login.userCreated" } else { "login.loggedIn" };
        let session = self.sign_in(arrival, request).await?;
        let mut object = session.fields().clone();
        object.insert("token".to_owned(), Value::from(session.token.clone()));
        let body = json!({ "reason": reason, "session": object, "authenticated": true });
        Ok(AuthReply { session: Some(session), ..success(body) })
    }

    /// Tells `loginFailed`.
    pub(crate) fn tell_failure(&self, failure: &Failure<'_>, refusal: &Refusal) {
        self.tell("loginFailed", || {
            let mut payload = json!({
                "provider": failure.provider,
                "reason": refusal.reason,
                "stage": failure.stage,
                "requesterIp": failure.ip,
            });
            if let Some(email) = failure.email {
                payload["email"] = Value::from(email);
            }
            if let Some(user_id) = &refusal.user_id {
                payload["userId"] = Value::from(user_id.as_str());
            }
            payload
        });
    }
}

/// What the hook `loginFailed` learns besides the reason (§11).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    pub(crate) email: Option<&'a str>,
    pub(crate) provider: &'a str,
    /// `login`, `register` or `oauth`.
    pub(crate) stage: &'static str,
    pub(crate) ip: &'a str,
}
