//! Links that do one thing once (§5.1: `-pwreset`, `-email-change`).
//!
//! A link's token is stored as its SHA-256 with what it is for; a pointer says which of a user's links
//! counts. The rule: **the newest link counts, once**, and none does when what it was made for changed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::accounts::AccountError;
use crate::identity::Identity;
use crate::secret;

/// What a link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    PasswordReset,
    EmailChange,
}

/// A link that was opened and counts.
#[derive(Clone)]
pub(crate) struct Opened {
    pub(crate) user_id: String,
    /// What it was made with.
    pub(crate) state: Map<String, Value>,
    key: String,
    pointer: String,
}

impl Link {
    fn namespaces(self) -> [&'static str; 2] {
        match self {
            Self::PasswordReset => ["pwreset", "pwreset-user"],
            Self::EmailChange => ["email-change", "email-change-user"],
        }
    }
}

impl Identity {
    /// Makes the token that counts from now on.
    pub(crate) async fn make_link(
        &self,
        link: Link,
        user_id: &str,
        mut state: Map<String, Value>,
        life: Duration,
    ) -> Result<String, AccountError> {
        let [tokens, pointers] = link.namespaces();
        let token = secret::token();
        let hash = secret::sha256(&token);
        state.insert("userId".to_owned(), Value::from(user_id));
        self.forget_link(link, user_id).await?;
        let key = self.keys().own(tokens, &hash);
        self.store().set(&key, Bytes::from(Value::Object(state).to_string()), Some(life)).await?;
        let pointer = self.keys().own(pointers, user_id);
        self.store().set(&pointer, Bytes::from(hash), Some(life)).await?;
        Ok(token)
    }

    /// What a token is for, if it counts. It still does afterwards.
    pub(crate) async fn open_link(&self, link: Link, token: &str) -> Result<Option<Opened>, AccountError> {
        if !secret::is_token(token) {
            return Ok(None);
        }
        let [tokens, pointers] = link.namespaces();
        let hash = secret::sha256(token);
        let key = self.keys().own(tokens, &hash);
        let Some(state) = self.store().get(&key).await? else { return Ok(None) };
        let Ok(Value::Object(state)) = serde_json::from_slice(&state) else { return Ok(None) };
        let Some(user_id) = state.get("userId").and_then(Value::as_str).map(str::to_owned) else {
            return Ok(None);
        };
        let pointer = self.keys().own(pointers, &user_id);
        let counts = self.store().get(&pointer).await?.is_some_and(|newest| newest == hash);
        Ok(counts.then_some(Opened { user_id, state, key, pointer }))
    }

    /// Spends a link: of two who use it at once, one gets true.
    pub(crate) async fn spend_link(&self, opened: &Opened) -> Result<bool, AccountError> {
        let is_first = self.store().take(&opened.key).await?.is_some();
        if is_first {
            self.store().delete(&opened.pointer).await?;
        }
        Ok(is_first)
    }

    /// Makes a user's link, if there is one, count no more.
    pub(crate) async fn forget_link(&self, link: Link, user_id: &str) -> Result<(), AccountError> {
        let [tokens, pointers] = link.namespaces();
        if let Some(hash) = self.store().take(&self.keys().own(pointers, user_id)).await?
            && let Ok(hash) = std::str::from_utf8(&hash)
        {
            self.store().delete(&self.keys().own(tokens, hash)).await?;
        }
        Ok(())
    }
}
