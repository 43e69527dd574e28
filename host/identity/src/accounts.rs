//! What applications build their settings pages on: profile, password, e-mail, deletion (§5.7).
//!
//! Reached by services through WIT (`luckystack:plugin/accounts`, granted by `accounts`). Resets and changes
//! of the e-mail address stand in files of their own.

use std::borrow::Cow;
use std::sync::Arc;

use luckystack_backplane::BackplaneError;
use luckystack_sessions::{Session, SessionError, Stop};
use luckystack_users::UserError;
use serde_json::{Map, Value, json};

use crate::identity::Identity;
use crate::links::Link;
use crate::refusal::{BROKEN, Refusal};
use crate::settings::Settings;

/// Fields that are not an application's to set: those with rules of their own, secrets, the store's dates, and
/// what the framework itself keeps in the session objects that changes are copied into.
const RESERVED: [&str; 16] = [
    "id",
    "email",
    "provider",
    "password",
    "totpSecret",
    "twoFactorEnabled",
    "recoveryCodes",
    "createdAt",
    "updatedAt",
    "lastLogin",
    "previousLogin",
    "csrfToken",
    "token",
    "roomCodes",
    "location",
    "activity",
];

/// Why an account was not changed; the code is a framework reason such as `login.wrongPassword`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}")]
pub struct AccountError {
    /// Stable code for the client.
    pub code: String,
    /// HTTP status that fits.
    pub http_status: u16,
}

impl Identity {
    /// Changes fields of a user's record and, alike, of all his sessions. Secrets, `id`, `email`,
    /// `provider`, dates and framework fields (`csrfToken`, `roomCodes`, …) are refused with
    /// `account.fieldNotAllowed`, and so is a field that the store cannot keep. Null removes a field. The
    /// user as shown.
    ///
    /// Values are stored as they are given (`admin` among them): a name that people typed is escaped by who
    /// passes it on.
    pub async fn update_user(
        &self,
        user_id: &str,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>, AccountError> {
        if let Some(field) = changes.keys().find(|field| RESERVED.contains(&field.as_str())) {
            tracing::warn!(field, "a service may not set this field of a user");
            return Err(AccountError::new("account.fieldNotAllowed", 403));
        }
        let updated = match self.accounts().update(user_id, changes.clone()).await {
            Ok(Some(user)) => user.shown(),
            Ok(None) => return Err(AccountError::not_found()),
            Err(error @ UserError::Field { .. }) => {
                tracing::warn!(%error, "a service set a field that the user store does not keep");
                return Err(AccountError::new("account.fieldNotAllowed", 400));
            }
            Err(error) => return Err(error.into()),
        };
        let mut change = |session: &mut Map<String, Value>| {
            for field in changes.keys() {
                // As stored: the store may have brought a value into its own form.
                match updated.get(field) {
                    Some(value) if !value.is_null() => session.insert(field.clone(), value.clone()),
                    _ => session.remove(field),
                };
            }
        };
        self.sessions().update_user(user_id, &mut change).await?;
        Ok(updated)
    }

    /// Changes a password; with `current` only if that is right (guesses are counted like a login's). Ends
    /// the user's other sessions (all but `keep`) and what links he was sent. Hooks `prePasswordChanged`,
    /// `passwordChanged`.
    pub async fn change_password(
        &self,
        user_id: &str,
        current: Option<&str>,
        new: &str,
        keep: Option<&str>,
    ) -> Result<(), AccountError> {
        let settings = self.settings();
        settings.policy.check(new).map_err(|reason| AccountError::new(reason, 400))?;
        match current {
            Some(current) => self.verify_password(user_id, current).await?,
            None => drop(self.accounts().by_id(user_id).await?.ok_or_else(AccountError::not_found)?),
        }
        let payload = json!({ "userId": user_id, "verifiedCurrent": current.is_some() });
        if let Some(stop) = self.ask("prePasswordChanged", || payload.clone()).await {
            return Err(stop.into());
        }
        let hash = self.hash(&settings, new).await?;
        self.store_password(user_id, hash).await?;
        self.sessions().end_others(user_id, keep).await?;
        self.tell("passwordChanged", || {
            let mut payload = payload;
            payload["revokedOtherSessions"] = Value::Bool(true);
            payload
        });
        Ok(())
    }

    pub(crate) async fn hash(&self, settings: &Settings, password: &str) -> Result<String, AccountError> {
        settings.passwords.hash(password).await.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            AccountError::new(BROKEN, 500)
        })
    }

    /// Stores a password's hash, and takes back the links that could undo it.
    pub(crate) async fn store_password(&self, user_id: &str, hash: String) -> Result<(), AccountError> {
        let changes = Map::from_iter([("password".to_owned(), Value::from(hash))]);
        self.accounts().update(user_id, changes).await?.ok_or_else(AccountError::not_found)?;
        self.forget_link(Link::PasswordReset, user_id).await?;
        self.forget_link(Link::EmailChange, user_id).await
    }

    /// Deletes a user and ends all his sessions. Hooks `preAccountDelete`, `postAccountDelete`.
    pub async fn delete_account(&self, user_id: &str) -> Result<(), AccountError> {
        let user = self.accounts().by_id(user_id).await?.ok_or_else(AccountError::not_found)?;
        let payload = || match user.text("email") {
            Some(email) => json!({ "userId": user_id, "email": email }),
            None => json!({ "userId": user_id }),
        };
        if let Some(stop) = self.ask("preAccountDelete", payload).await {
            return Err(stop.into());
        }
        if !self.accounts().delete(user_id).await? {
            return Err(AccountError::not_found());
        }
        self.sessions().end_others(user_id, None).await?;
        self.forget_link(Link::PasswordReset, user_id).await?;
        self.forget_link(Link::EmailChange, user_id).await?;
        self.store().delete(&self.keys().own("2fa-pending", user_id)).await?;
        self.tell("postAccountDelete", payload);
        Ok(())
    }

    /// The session behind a token, for services.
    pub async fn session(&self, token: &str) -> Option<Arc<Session>> {
        self.sessions().peek(token).await.ok().flatten()
    }
}

// ---------------------------------------------------------------------------------------------

impl AccountError {
    pub(crate) fn new(code: impl Into<Cow<'static, str>>, http_status: u16) -> Self {
        Self { code: code.into().into_owned(), http_status }
    }

    pub(crate) fn not_found() -> Self {
        Self::new("account.notFound", 404)
    }
}

impl From<Refusal> for AccountError {
    fn from(refusal: Refusal) -> Self {
        let http_status = match (&*refusal.reason, refusal.status) {
            (BROKEN, _) => 500,
            ("login.accountLocked" | "api.rateLimitExceeded", _) => 429,
            ("login.wrongPassword", _) => 403,
            ("login.emailExists", _) => 409,
            (_, 200) => 400,
            (_, status) => status,
        };
        Self::new(refusal.reason, http_status)
    }
}

impl From<Stop> for AccountError {
    fn from(stop: Stop) -> Self {
        let http_status = stop.http_status.unwrap_or(403);
        Self::new(Refusal::from(stop).reason, http_status)
    }
}

impl From<BackplaneError> for AccountError {
    fn from(error: BackplaneError) -> Self {
        tracing::error!(%error, "an account was not changed: the backplane failed");
        Self::new(BROKEN, 500)
    }
}

impl From<UserError> for AccountError {
    fn from(error: UserError) -> Self {
        if matches!(error, UserError::EmailTaken) {
            return Self::new("login.emailExists", 409);
        }
        tracing::error!(%error, "an account was not changed: the user store failed");
        Self::new(BROKEN, 500)
    }
}

impl From<SessionError> for AccountError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Vetoed(reason) => Self::new(reason, 403),
            error => Refusal::from(error).into(),
        }
    }
}
