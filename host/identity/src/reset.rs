//! Forgotten passwords: a link by e-mail, a new password, once.

use serde_json::{Map, Value, json};

use crate::accounts::AccountError;
use crate::credentials::{CREDENTIALS, has_password};
use crate::email_address;
use crate::email_code::MESSAGES_PER_EMAIL;
use crate::identity::Identity;
use crate::input::is_longer;
use crate::links::Link;
use crate::mail::texts;
use crate::settings::Settings;
use crate::throttle::QUARTER_HOUR;

/// Page of the front end; fixed in the framework.
const PAGE: &str = "/reset-password";
/// Requests of one address in a quarter of an hour, as for codes by e-mail.
const REQUESTS_PER_IP: u32 = 10;

impl Identity {
    /// Sends a reset link if the e-mail has an account with a password; says the same either way. Hook
    /// `passwordResetRequested`.
    ///
    /// Errors: `account.passwordResetDisabled` (403) unless `auth.forgot_password` is on,
    /// `account.publicUrlMissing` (500) without `app.public_url`, `account.emailUnavailable` (500) when
    /// e-mails cannot be sent, `login.invalidEmailFormat` (400), `api.rateLimitExceeded` (429) after 3 to an
    /// e-mail or 10 from an address in 15 minutes.
    pub async fn request_password_reset(&self, email: &str, ip: &str) -> Result<(), AccountError> {
        let settings = self.settings();
        let page = self.reset_page(&settings)?;
        let email = address(&settings, email)?;
        self.limit(&settings, &format!("ip:{ip}:auth:password-reset"), REQUESTS_PER_IP, QUARTER_HOUR).await?;
        self.limit(&settings, &format!("auth:password-reset:{email}"), MESSAGES_PER_EMAIL, QUARTER_HOUR)
            .await?;
        // Whether there is an account is found out behind the answer's back.
        let identity = self.clone();
        tokio::spawn(async move {
            if let Err(error) = identity.send_reset(&settings, &email, &page).await {
                tracing::error!(%error, "a password reset was not sent");
            }
        });
        Ok(())
    }

    async fn send_reset(&self, settings: &Settings, email: &str, page: &str) -> Result<(), AccountError> {
        let user = self.account_of(settings, email, CREDENTIALS).await?;
        let Some(user) = user.filter(has_password) else {
            self.tell("passwordResetRequested", || json!({ "email": email, "matched": false }));
            return Ok(());
        };
        let life = settings.auth.password_reset_ttl;
        let token = self.make_link(Link::PasswordReset, user.id(), Map::new(), life).await?;
        self.tell(
            "passwordResetRequested",
            || json!({ "email": email, "matched": true, "userId": user.id(), "ttlSeconds": life.as_secs() }),
        );
        let link = format!("{page}?token={token}");
        self.mail(&texts::password_reset(&settings.name, email, &link, life)).await
    }

    /// Sets a new password with a token from a reset link, once; ends all sessions of the user. Hooks
    /// `prePasswordResetCompleted`, `passwordResetCompleted`.
    ///
    /// Errors: the password policy's reasons (400), which leave the link as it is; `account.tokenInvalid`
    /// (400) for a link that is unknown, used, expired or not the newest.
    pub async fn complete_password_reset(&self, token: &str, new: &str) -> Result<(), AccountError> {
        let settings = self.settings();
        if !settings.auth.forgot_password {
            return Err(AccountError::new("account.passwordResetDisabled", 403));
        }
        let invalid = || AccountError::new("account.tokenInvalid", 400);
        settings.policy.check(new).map_err(|reason| AccountError::new(reason, 400))?;
        let opened = self.open_link(Link::PasswordReset, token).await?.ok_or_else(invalid)?;
        let user_id = &opened.user_id;
        let user = self.accounts().by_id(user_id).await?.ok_or_else(invalid)?;
        if let Some(stop) = self.ask("prePasswordResetCompleted", || json!({ "userId": user_id })).await {
            return Err(stop.into());
        }
        // The slow part first: whoever is interrupted in it still has his link.
        let hash = self.hash(&settings, new).await?;
        if !self.spend_link(&opened).await? {
            return Err(invalid());
        }
        self.store_password(user_id, hash).await?;
        self.sessions().end_others(user_id, None).await?;
        // Whoever reads the account's mail is not kept out by the guesses of others.
        let bucket = format!("auth:{}", user.text("email").unwrap_or_default());
        self.store().delete(&self.bucket_key(&settings, &bucket)).await?;
        self.tell("passwordResetCompleted", || json!({ "userId": user_id, "revokedOtherSessions": true }));
        Ok(())
    }

    fn reset_page(&self, settings: &Settings) -> Result<String, AccountError> {
        if !settings.auth.forgot_password {
            return Err(AccountError::new("account.passwordResetDisabled", 403));
        }
        self.page_of_link(settings, PAGE)
    }

    /// The address of a page that links in e-mails lead to.
    pub(crate) fn page_of_link(&self, settings: &Settings, page: &str) -> Result<String, AccountError> {
        let Some(public_url) = &settings.app.public_url else {
            tracing::error!(
                "no link can be sent: set app.public_url in the project's configuration to where people reach \
                 the front end, such as \"https://app.example.com\""
            );
            return Err(AccountError::new("account.publicUrlMissing", 500));
        };
        if !self.mailer().can_send() {
            tracing::error!(
                "no link can be sent: set email.smtp_url and email.from in the project's configuration"
            );
            return Err(AccountError::new("account.emailUnavailable", 500));
        }
        Ok(format!("{public_url}{page}"))
    }

    pub(crate) async fn mail(&self, message: &crate::mail::Message) -> Result<(), AccountError> {
        self.mailer().send(message).await.map_err(|error| {
            tracing::error!(%error, "an e-mail was not sent");
            AccountError::new("account.emailSendFailed", 502)
        })
    }
}

/// An e-mail that a service passed on, normalised.
pub(crate) fn address(settings: &Settings, email: &str) -> Result<String, AccountError> {
    let email = email.trim();
    if is_longer(email, settings.auth.email_max_length) {
        return Err(AccountError::new("login.emailCharacterLimit", 400));
    }
    let email = email_address::normalise(email);
    if !email_address::is_valid(&email) {
        return Err(AccountError::new("login.invalidEmailFormat", 400));
    }
    Ok(email)
}

/// A text that a link was made with.
pub(crate) fn state<'a>(state: &'a Map<String, Value>, field: &str) -> &'a str {
    state.get(field).and_then(Value::as_str).unwrap_or_default()
}
