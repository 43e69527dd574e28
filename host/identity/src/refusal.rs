//! Why somebody is not let through, and how a browser is told.

use std::borrow::Cow;

use luckystack_backplane::BackplaneError;
use luckystack_sessions::{CreateError, SessionError, Stop};
use luckystack_users::UserError;
use serde_json::{Value, json};

use crate::identity::AuthReply;

/// Stands in for whatever broke on this side: nobody is let in while something is broken.
pub(crate) const BROKEN: &str = "api.internalServerError";

/// A refusal with its reason (§1.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: Cow<'static, str>,
    /// 200 in nearly all cases (§5.5).
    pub(crate) status: u16,
    /// The parameter `seconds` of a rate limit.
    pub(crate) seconds: Option<u64>,
    /// Whom the refusal concerns, when he is known: for the hook `loginFailed`, never for the browser.
    pub(crate) user_id: Option<String>,
}

impl Refusal {
    pub(crate) fn of(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reason: reason.into(), status: 200, seconds: None, user_id: None }
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn user(self, id: &str) -> Self {
        Self { user_id: Some(id.to_owned()), ..self }
    }

    /// The answer to a browser.
    pub(crate) fn reply(&self) -> AuthReply {
        let mut body = json!({ "status": false, "reason": self.reason });
        if let Some(seconds) = self.seconds {
            body["errorParams"] = json!([{ "key": "seconds", "value": seconds }]);
        }
        AuthReply { status: self.status, body, session: None }
    }
}

/// The answer `{"status":true}` with more fields.
pub(crate) fn success(mut body: Value) -> AuthReply {
    body["status"] = Value::Bool(true);
    AuthReply { status: 200, body, session: None }
}

impl From<BackplaneError> for Refusal {
    fn from(error: BackplaneError) -> Self {
        tracing::error!(%error, "nobody can log in: the backplane, which counts attempts and keeps codes, failed");
        Self::of(BROKEN)
    }
}

impl From<UserError> for Refusal {
    fn from(error: UserError) -> Self {
        tracing::error!(%error, "nobody can log in: the user store failed");
        Self::of(BROKEN)
    }
}

impl From<CreateError> for Refusal {
    fn from(error: CreateError) -> Self {
        match error {
            CreateError::Refused(reason) => Self::of(reason),
            CreateError::Store(error) => error.into(),
        }
    }
}

impl From<SessionError> for Refusal {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Vetoed(reason) => Self::of(reason),
            SessionError::Store(error) => error.into(),
            SessionError::OtherUser => {
                tracing::error!(%error, "a session could not be changed");
                Self::of(BROKEN)
            }
        }
    }
}

impl From<Stop> for Refusal {
    fn from(stop: Stop) -> Self {
        // A subscriber that gives no code has still said no.
        let reason = if stop.error_code.is_empty() { "auth.forbidden".to_owned() } else { stop.error_code };
        Self::of(reason)
    }
}
