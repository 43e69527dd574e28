//! Another e-mail address: confirmed by a link to it, once.

use luckystack_users::User;
use serde_json::{Map, Value, json};

use crate::accounts::AccountError;
use crate::credentials::has_password;
use crate::email_code::MESSAGES_PER_EMAIL;
use crate::identity::Identity;
use crate::links::Link;
use crate::mail::texts;
use crate::reset::{address, state};
use crate::settings::Settings;
use crate::throttle::QUARTER_HOUR;

impl Identity {
    /// Sends a confirmation link to a new e-mail address; the address changes when it is opened. Hooks
    /// `preEmailChange`, `postEmailChangeRequested`.
    ///
    /// Errors: `account.emailNotChangeable` (403) for accounts without a password, which their provider
    /// recognises by e-mail; `login.emailExists` (409); `login.invalidEmailFormat` (400);
    /// `account.publicUrlMissing`, `account.emailUnavailable` (500) as for resets; `account.emailSendFailed`
    /// (502); `api.rateLimitExceeded` (429) after 3 requests of a user in 15 minutes.
    pub async fn request_email_change(&self, user_id: &str, email: &str) -> Result<(), AccountError> {
        let settings = self.settings();
        let page = self.page_of_link(&settings, &settings.auth.email_change_confirm_path)?;
        let email = address(&settings, email)?;
        let user = self.accounts().by_id(user_id).await?.ok_or_else(AccountError::not_found)?;
        if !has_password(&user) {
            return Err(AccountError::new("account.emailNotChangeable", 403));
        }
        let bucket = format!("auth:email-change:{user_id}");
        self.limit(&settings, &bucket, MESSAGES_PER_EMAIL, QUARTER_HOUR).await?;
        self.refuse_taken(&settings, &user, &email).await?;
        let current = user.text("email").unwrap_or_default();
        let payload = json!({ "userId": user_id, "currentEmail": current, "newEmail": email });
        if let Some(stop) = self.ask("preEmailChange", || payload.clone()).await {
            return Err(stop.into());
        }
        let life = settings.auth.email_change_ttl;
        let made_for = Map::from_iter([
            ("email".to_owned(), Value::from(email.clone())),
            ("currentEmail".to_owned(), Value::from(current)),
        ]);
        let token = self.make_link(Link::EmailChange, user_id, made_for, life).await?;
        let link = format!("{page}?token={token}");
        let sent = self.mail(&texts::email_change(&settings.name, &email, &link, life)).await;
        self.tell("postEmailChangeRequested", || {
            let mut payload = payload;
            payload["sent"] = Value::Bool(sent.is_ok());
            payload
        });
        sent
    }

    /// Changes the e-mail address with a token from a confirmation link, once. The old address is told.
    /// Hook `postEmailChanged`.
    ///
    /// Errors: `account.tokenInvalid` (400) for a link that is unknown, used, expired or not the newest, or
    /// of an account whose address changed since; `login.emailExists` (409) when somebody else has the
    /// address by now.
    pub async fn confirm_email_change(&self, token: &str) -> Result<(), AccountError> {
        let settings = self.settings();
        let invalid = || AccountError::new("account.tokenInvalid", 400);
        let opened = self.open_link(Link::EmailChange, token).await?.ok_or_else(invalid)?;
        let (email, old) = (state(&opened.state, "email"), state(&opened.state, "currentEmail"));
        let user = self.accounts().by_id(&opened.user_id).await?.ok_or_else(invalid)?;
        if email.is_empty() || user.text("email").unwrap_or_default() != old {
            return Err(invalid());
        }
        self.refuse_taken(&settings, &user, email).await?;
        if !self.spend_link(&opened).await? {
            return Err(invalid());
        }
        let changes = Map::from_iter([("email".to_owned(), Value::from(email))]);
        self.accounts().update(user.id(), changes).await?.ok_or_else(invalid)?;
        // Who reads the old address's mail no longer gets in by it.
        self.forget_link(Link::PasswordReset, user.id()).await?;
        let mut change = |session: &mut Map<String, Value>| {
            session.insert("email".to_owned(), Value::from(email));
        };
        self.sessions().update_user(user.id(), &mut change).await?;
        self.tell("postEmailChanged", || json!({ "userId": user.id(), "oldEmail": old, "newEmail": email }));
        let (identity, notice) = (self.clone(), texts::email_changed(&settings.name, old));
        tokio::spawn(async move {
            if let Err(error) = identity.mailer().send(&notice).await {
                tracing::warn!(%error, "the old address was not told that an account's e-mail changed");
            }
        });
        Ok(())
    }

    /// Refuses an address that an account has which this one may not share it with.
    async fn refuse_taken(&self, settings: &Settings, user: &User, email: &str) -> Result<(), AccountError> {
        let provider = user.text("provider").unwrap_or_default();
        match self.account_of(settings, email, provider).await? {
            Some(_) => Err(AccountError::new("login.emailExists", 409)),
            None => Ok(()),
        }
    }
}
