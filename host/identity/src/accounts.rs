//! What applications build their settings pages on: profile, password, e-mail, deletion (§5.7).
//!
//! Reached by services through WIT (`luckystack:plugin/accounts`, granted by `accounts`).

use std::sync::Arc;

use luckystack_sessions::Session;
use serde_json::{Map, Value};

use crate::identity::Identity;

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
    /// `provider` and framework fields (`csrfToken`, `roomCodes`, …) are refused with `account.field`.
    /// The user as shown.
    pub async fn update_user(
        &self,
        user_id: &str,
        changes: Map<String, Value>,
    ) -> Result<Map<String, Value>, AccountError> {
        let _ = (user_id, changes);
        unimplemented!()
    }

    /// Changes a password; with `current` only if that is right. Ends the user's other sessions (all but
    /// `keep`). Hooks `prePasswordChanged`, `passwordChanged`.
    pub async fn change_password(
        &self,
        user_id: &str,
        current: Option<&str>,
        new: &str,
        keep: Option<&str>,
    ) -> Result<(), AccountError> {
        let _ = (user_id, current, new, keep);
        unimplemented!()
    }

    /// Sends a reset link if the e-mail has an account with a password; says the same either way. Hook
    /// `passwordResetRequested`.
    pub async fn request_password_reset(&self, email: &str, ip: &str) -> Result<(), AccountError> {
        let _ = (email, ip);
        unimplemented!()
    }

    /// Sets a new password with a token from a reset link, once; ends all sessions of the user.
    pub async fn complete_password_reset(&self, token: &str, new: &str) -> Result<(), AccountError> {
        let _ = (token, new);
        unimplemented!()
    }

    /// Sends a confirmation link to a new e-mail address.
    pub async fn request_email_change(&self, user_id: &str, email: &str) -> Result<(), AccountError> {
        let _ = (user_id, email);
        unimplemented!()
    }

    /// Changes the e-mail address with a token from a confirmation link, once.
    pub async fn confirm_email_change(&self, token: &str) -> Result<(), AccountError> {
        let _ = token;
        unimplemented!()
    }

    /// Deletes a user and ends all his sessions. Hooks `preAccountDelete`, `postAccountDelete`.
    pub async fn delete_account(&self, user_id: &str) -> Result<(), AccountError> {
        let _ = user_id;
        unimplemented!()
    }

    /// The session behind a token, for services.
    pub async fn session(&self, token: &str) -> Option<Arc<Session>> {
        self.sessions().peek(token).await.ok().flatten()
    }
}
