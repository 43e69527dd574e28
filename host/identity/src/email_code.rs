//! Logging in with a code sent by e-mail (§5.7), for people who have an account.
//!
//! What is done and answered does not depend on whether the e-mail has one: a code is made in any case, and
//! whether anybody is to get it is found out behind the answer's back.

use serde_json::json;

use crate::arrival::{Arrival, Failure};
use crate::credentials::CREDENTIALS;
use crate::email_address;
use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::input::{is_longer, text};
use crate::mail::texts;
use crate::one_time_code::Purpose;
use crate::refusal::{Refusal, success};
use crate::settings::Settings;
use crate::throttle::{Bucket, QUARTER_HOUR};

/// The provider that hooks see.
pub(crate) const EMAIL_CODE: &str = "email-code";

const REQUESTS: Bucket = Bucket::of_quarter_hour("email-code-request", 10);
const ATTEMPTS: Bucket = Bucket::of_quarter_hour("email-code-verify", 20);
/// Messages to one e-mail in a quarter of an hour, whoever asks for them.
pub(crate) const MESSAGES_PER_EMAIL: u32 = 3;

impl Identity {
    /// `POST /auth/api/email-code/request` (§5.7).
    pub async fn email_code_request(&self, request: AuthRequest<'_>) -> AuthReply {
        self.try_email_code_request(request).await.unwrap_or_else(|refusal| refusal.reply())
    }

    async fn try_email_code_request(&self, request: AuthRequest<'_>) -> Result<AuthReply, Refusal> {
        let settings = self.settings();
        self.throttle(&settings, REQUESTS, request.ip).await?;
        let email = email_code_address(&settings, request)?;
        if !self.mailer().can_send() {
            tracing::error!(
                "a login code was asked for, but e-mails cannot be sent: set email.smtp_url and email.from, \
                 or switch auth.email_code_login off"
            );
            return Err(Refusal::of("login.emailCodeSendFailed"));
        }
        let bucket = format!("auth:email-code:{email}");
        let limited = self.limit(&settings, &bucket, MESSAGES_PER_EMAIL, QUARTER_HOUR).await;
        limited.map_err(|refusal| refusal.status(200))?;
        let code = self.issue_code(&settings, Purpose::Login, &email).await?;
        let identity = self.clone();
        tokio::spawn(async move {
            match identity.account_of(&settings, &email, CREDENTIALS).await {
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => {
                    tracing::error!(%error, "a login code was not sent: the user store failed");
                    return;
                }
            }
            let message = texts::login_code(&settings.name, &email, &code, settings.auth.email_code_ttl);
            if let Err(error) = identity.mailer().send(&message).await {
                tracing::error!(%error, "a login code was not sent");
            }
        });
        Ok(success(json!({})))
    }

    /// `POST /auth/api/email-code/verify` (§5.7).
    pub async fn email_code_verify(&self, request: AuthRequest<'_>) -> AuthReply {
        self.try_email_code_verify(request).await.unwrap_or_else(|refusal| refusal.reply())
    }

    async fn try_email_code_verify(&self, request: AuthRequest<'_>) -> Result<AuthReply, Refusal> {
        let settings = self.settings();
        self.throttle(&settings, ATTEMPTS, request.ip).await?;
        let email = email_code_address(&settings, request)?;
        let outcome = self.log_in_with_code(&settings, &email, request).await;
        outcome.inspect_err(|refusal| {
            let failure =
                Failure { email: Some(&email), provider: EMAIL_CODE, stage: "login", ip: request.ip };
            self.tell_failure(&failure, refusal);
        })
    }

    async fn log_in_with_code(
        &self,
        settings: &Settings,
        email: &str,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let code = text(request.input, "code");
        if code.is_empty() {
            return Err(Refusal::of("login.empty"));
        }
        let payload = || json!({ "email": email, "provider": EMAIL_CODE });
        if let Some(stop) = self.ask("preLogin", payload).await {
            return Err(stop.into());
        }
        self.spend_code(settings, Purpose::Login, email, code).await?;
        // Somebody guessed the code of an e-mail that nobody has, or the account is gone.
        let user = self.account_of(settings, email, CREDENTIALS).await?;
        let user = user.ok_or_else(|| Refusal::of("login.emailCodeInvalid"))?;
        if self.is_protected(&user) {
            return self.challenge(settings, &user, EMAIL_CODE).await;
        }
        self.admit(Arrival { user, provider: EMAIL_CODE, is_new: false }, request).await
    }
}

/// The address in a request to these routes, if they are there.
fn email_code_address(settings: &Settings, request: AuthRequest<'_>) -> Result<String, Refusal> {
    if !settings.auth.enabled {
        return Err(Refusal::of("auth.disabled"));
    }
    if !settings.auth.email_code_login {
        return Err(Refusal::of("login.emailCodeDisabled"));
    }
    let email = text(request.input, "email").trim();
    if email.is_empty() {
        return Err(Refusal::of("login.empty"));
    }
    if is_longer(email, settings.auth.email_max_length) {
        return Err(Refusal::of("login.emailCharacterLimit"));
    }
    let email = email_address::normalise(email);
    if !email_address::is_valid(&email) {
        return Err(Refusal::of("login.invalidEmailFormat"));
    }
    Ok(email)
}
