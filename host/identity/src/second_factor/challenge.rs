//! Between the password and the second factor: the challenge that a login hands out and what answers it.

use bytes::Bytes;
use luckystack_users::User;
use serde_json::{Value, json};

use super::{INVALID, LOCKED};
use crate::arrival::{Arrival, Failure};
use crate::clock::unix_now;
use crate::email_code::{EMAIL_CODE, MESSAGES_PER_EMAIL};
use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::input::text;
use crate::mail::texts;
use crate::one_time_code::Purpose;
use crate::refusal::{Refusal, success};
use crate::secret;
use crate::settings::Settings;
use crate::throttle::QUARTER_HOUR;

const EXPIRED: &str = "login.twoFactorChallengeExpired";
const UNAVAILABLE: &str = "login.twoFactorMethodUnavailable";

/// A challenge as it was found.
struct Challenge {
    /// SHA-256 of its token.
    hash: String,
    user: User,
    /// By what the login began: `credentials` or `email-code`.
    first: String,
}

impl Identity {
    /// The answer to a login that needs a second factor (§5.5).
    pub(crate) async fn challenge(
        &self,
        settings: &Settings,
        user: &User,
        first: &str,
    ) -> Result<AuthReply, Refusal> {
        let token = secret::token();
        let key = self.keys().own("2fa-challenge", &secret::sha256(&token));
        let state = json!({ "userId": user.id(), "first": first }).to_string();
        self.store().set(&key, Bytes::from(state), Some(settings.auth.two_factor_challenge_ttl)).await?;
        let mut methods = vec!["totp"];
        methods.extend(self.can_send_second_code(settings, first).then_some("email-code"));
        methods.push("recovery-code");
        Ok(success(json!({
            "reason": "login.twoFactorRequired",
            "requiresTwoFactor": true,
            "challengeToken": token,
            "twoFactorMethods": methods,
            "authenticated": false,
        })))
    }

    /// `POST /auth/api/2fa`
    pub(super) async fn answer_challenge(
        &self,
        settings: &Settings,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let challenge = self.find_challenge(request).await?;
        let outcome = self.judge_answer(settings, &challenge, request).await;
        outcome.inspect_err(|refusal| {
            let failure = Failure {
                email: challenge.user.text("email"),
                provider: &challenge.first,
                stage: "login",
                ip: request.ip,
            };
            self.tell_failure(&failure, &refusal.clone().user(challenge.user.id()));
        })
    }

    async fn judge_answer(
        &self,
        settings: &Settings,
        challenge: &Challenge,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let Challenge { hash, user, first } = challenge;
        let key = self.keys().own("2fa-challenge", hash);
        let code = text(request.input, "code");
        if code.is_empty() {
            return Err(Refusal::of(INVALID));
        }
        let method = text(request.input, "method");
        if method == "email-code" && !self.can_send_second_code(settings, first) {
            return Err(Refusal::of(UNAVAILABLE));
        }
        let attempts = self.keys().own("2fa-challenge-attempts", hash);
        let count = self.store().count(&attempts, settings.auth.two_factor_challenge_ttl).await?;
        if count.count > u64::from(settings.auth.two_factor_max_attempts) {
            self.store().delete(&key).await?;
            return Err(Refusal::of(LOCKED));
        }
        self.count_second_guess(user.id()).await?;
        let is_right = match method {
            "email-code" => match self.spend_code(settings, Purpose::SecondFactor, user.id(), code).await {
                Ok(()) => true,
                Err(refusal) if refusal.reason.starts_with("login.emailCode") => false,
                Err(refusal) => return Err(refusal),
            },
            "recovery-code" => self.spend_recovery(user, code).await?,
            _ => self.spend_totp(user, code, unix_now()).await?,
        };
        if !is_right {
            return Err(Refusal::of(INVALID));
        }
        // Two right answers at once (an authenticator's and a recovery code, say) make one session.
        if self.store().take(&key).await?.is_none() {
            return Err(Refusal::of(EXPIRED));
        }
        self.forget_second_guesses(user.id()).await;
        self.admit(Arrival { user: user.clone(), provider: first, is_new: false }, request).await
    }

    /// `POST /auth/api/2fa/email-code`
    pub(super) async fn send_challenge_code(
        &self,
        settings: &Settings,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let Challenge { user, first, .. } = self.find_challenge(request).await?;
        let email = user.text("email").filter(|email| !email.is_empty());
        let Some(email) = email.filter(|_| self.can_send_second_code(settings, &first)) else {
            return Err(Refusal::of(UNAVAILABLE));
        };
        self.refuse_second_locked(user.id()).await?;
        let bucket = format!("auth:2fa-email-code:{}", user.id());
        let limited = self.limit(settings, &bucket, MESSAGES_PER_EMAIL, QUARTER_HOUR).await;
        limited.map_err(|refusal| refusal.status(200))?;
        let code = self.issue_code(settings, Purpose::SecondFactor, user.id()).await?;
        let message = texts::second_factor_code(&settings.name, email, &code, settings.auth.email_code_ttl);
        // Whoever asks knows the password: whether the account exists is no secret to him.
        self.mailer().send(&message).await.map_err(|error| {
            tracing::error!(%error, user = user.id(), "a second factor's code was not sent");
            Refusal::of("login.emailCodeSendFailed")
        })?;
        Ok(success(json!({})))
    }

    /// A code by e-mail proves nothing new to a login that began with one.
    fn can_send_second_code(&self, settings: &Settings, first: &str) -> bool {
        settings.auth.two_factor_email_fallback && first != EMAIL_CODE && self.mailer().can_send()
    }

    async fn find_challenge(&self, request: AuthRequest<'_>) -> Result<Challenge, Refusal> {
        let expired = || Refusal::of(EXPIRED);
        let token = text(request.input, "challengeToken");
        if !secret::is_token(token) {
            return Err(expired());
        }
        let hash = secret::sha256(token);
        let state = self.store().get(&self.keys().own("2fa-challenge", &hash)).await?.ok_or_else(expired)?;
        let state: Value = serde_json::from_slice(&state).map_err(|_| expired())?;
        let field = |name: &str| state.get(name).and_then(Value::as_str).ok_or_else(expired);
        let (user_id, first) = (field("userId")?, field("first")?.to_owned());
        let user = self.accounts().by_id(user_id).await?.filter(|user| self.is_protected(user));
        Ok(Challenge { hash, user: user.ok_or_else(expired)?, first })
    }
}
