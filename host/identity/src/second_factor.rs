//! Second factors: an authenticator's code, a recovery code, or a code by e-mail (§5.7).
//!
//! The rule: **a code opens one door once.** An authenticator's step is noted and not taken again, a recovery
//! code leaves the record as it is spent, and every guess counts against the challenge and against the
//! account before it is looked at.
//!
//! An account with a second factor stays protected when `auth.two_factor` is switched off: that ends new
//! enrolments, not the protection of those who have enrolled.

mod challenge;
mod manage;
mod recovery;
mod totp;
mod vault;

use std::time::Duration;

use luckystack_sessions::Read;
use luckystack_users::User;
use serde_json::Value;

use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::throttle::Bucket;

pub(crate) use vault::Vault;

const VERIFY: Bucket = Bucket::of_quarter_hour("2fa-verify", 20);
const EMAIL: Bucket = Bucket::of_quarter_hour("2fa-email-code", 5);
const MANAGE: Bucket = Bucket::of_quarter_hour("2fa-manage", 15);

/// Wrong codes of one account in [`FAILURE_WINDOW`], whatever they were typed for.
const MAX_FAILURES: u32 = 10;
const FAILURE_WINDOW: Duration = Duration::from_secs(900);

const INVALID: &str = "login.twoFactorInvalidCode";
const LOCKED: &str = "login.twoFactorLocked";

impl Identity {
    /// `POST /auth/api/2fa[/<action>]` (§5.7); `action` is empty for the challenge itself, unknown ones get
    /// their 404.
    pub async fn second_factor(&self, action: &str, request: AuthRequest<'_>) -> AuthReply {
        self.try_second_factor(action, request).await.unwrap_or_else(|refusal| refusal.reply())
    }

    async fn try_second_factor(&self, action: &str, request: AuthRequest<'_>) -> Result<AuthReply, Refusal> {
        let settings = self.settings();
        if !settings.auth.enabled {
            return Err(Refusal::of("auth.disabled"));
        }
        match action {
            "" => {
                self.throttle(&settings, VERIFY, request.ip).await?;
                return self.answer_challenge(&settings, request).await;
            }
            "email-code" => {
                self.throttle(&settings, EMAIL, request.ip).await?;
                return self.send_challenge_code(&settings, request).await;
            }
            _ => {}
        }
        self.throttle(&settings, MANAGE, request.ip).await?;
        let user = self.signed_in_user(request).await?;
        match action {
            "setup" => self.set_up(&settings, &user).await,
            "enable" => self.enable(&settings, &user, request).await,
            "disable" => self.disable(&user, request).await,
            "recovery-codes" => self.renew_recovery_codes(&user, request).await,
            _ => Err(Refusal::of("common.404").status(404)),
        }
    }

    /// The user whose session the request carries.
    async fn signed_in_user(&self, request: AuthRequest<'_>) -> Result<User, Refusal> {
        let stranger = || Refusal::of("api.unauthorized").status(401);
        let token = request.token.ok_or_else(stranger)?;
        match self.sessions().read(token, request.ip).await? {
            Read::Live(session) => self.accounts().by_id(&session.user_id).await?.ok_or_else(stranger),
            Read::Unknown => Err(stranger()),
            Read::Throttled { .. } => Err(Refusal::of("api.rateLimitExceeded").status(429)),
        }
    }

    /// Whether a login to this account needs a second factor.
    pub(crate) fn is_protected(&self, user: &User) -> bool {
        match user.field("twoFactorEnabled") {
            Some(Value::Bool(enabled)) => *enabled,
            // Some databases have no booleans.
            Some(Value::Number(enabled)) => enabled.as_f64() != Some(0.0),
            _ => false,
        }
    }

    /// Counts a guess against an account, unless too many went before.
    async fn count_second_guess(&self, user_id: &str) -> Result<(), Refusal> {
        let key = self.keys().own("2fa-accountfail", user_id);
        if self.store().count(&key, FAILURE_WINDOW).await?.count > u64::from(MAX_FAILURES) {
            return Err(Refusal::of(LOCKED).user(user_id));
        }
        Ok(())
    }

    /// Refuses an account with too many wrong codes; counts nothing.
    async fn refuse_second_locked(&self, user_id: &str) -> Result<(), Refusal> {
        let key = self.keys().own("2fa-accountfail", user_id);
        if self.store().counted(&key).await?.is_some_and(|count| count.count >= u64::from(MAX_FAILURES)) {
            return Err(Refusal::of(LOCKED).user(user_id));
        }
        Ok(())
    }

    /// Forgets guesses: the code was right.
    async fn forget_second_guesses(&self, user_id: &str) {
        let key = self.keys().own("2fa-accountfail", user_id);
        if let Err(error) = self.store().delete(&key).await {
            tracing::warn!(%error, "wrong codes before a right one stay counted until their window ends");
        }
    }

    /// Spends an authenticator's code of a user; false when it is wrong or was spent.
    async fn spend_totp(&self, user: &User, code: &str, now: u64) -> Result<bool, Refusal> {
        let Some(sealed) = user.text("totpSecret") else { return Ok(false) };
        let opened = match self.vault().open(sealed) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(
                    user = user.id(),
                    "the secret of a second factor cannot be read: {error}. Set TOTP_ENCRYPTION_KEY, or \
                     TOTP_ENCRYPTION_LEGACY_KEYS, to the key that it was encrypted with"
                );
                return Ok(false);
            }
        };
        let Some(step) = totp::matching_step(&opened.secret, code, now) else { return Ok(false) };
        let used = self.keys().own("2fa-usedstep", &format!("{}:{step}", user.id()));
        // Longer than a step is taken: the one before, itself, and the one after.
        let is_first = self.store().set_new(&used, "1".into(), Some(totp::REPLAY_GUARD)).await?;
        if is_first && opened.is_legacy {
            self.reseal(user, &opened.secret).await;
        }
        Ok(is_first)
    }

    /// Encrypts a secret with today's key.
    async fn reseal(&self, user: &User, secret: &str) {
        let Some(sealed) = self.vault().seal(secret) else { return };
        let changes = serde_json::Map::from_iter([("totpSecret".to_owned(), Value::from(sealed))]);
        if let Err(error) = self.accounts().update(user.id(), changes).await {
            tracing::warn!(%error, user = user.id(), "the secret of a second factor keeps its old key");
        }
    }

    /// Spends a recovery code of a user; false when there is none like it.
    async fn spend_recovery(&self, user: &User, code: &str) -> Result<bool, Refusal> {
        match recovery::hash(code) {
            Some(hash) => Ok(self.accounts().spend_recovery_code(user.id(), &hash).await?),
            None => Ok(false),
        }
    }

    /// Spends a code that a signed-in user typed to change his second factor: his authenticator's, or a
    /// recovery code.
    async fn spend_own_code(&self, user: &User, code: &str) -> Result<(), Refusal> {
        self.count_second_guess(user.id()).await?;
        let is_right = if recovery::looks_like_one(code) {
            self.spend_recovery(user, code).await?
        } else {
            self.spend_totp(user, code, crate::clock::unix_now()).await?
        };
        if !is_right {
            return Err(Refusal::of(INVALID).user(user.id()));
        }
        self.forget_second_guesses(user.id()).await;
        Ok(())
    }

    /// Why nobody can enrol, if so.
    fn refuse_enrolment(&self, settings: &Settings) -> Result<(), Refusal> {
        if settings.auth.two_factor && self.vault().has_key() {
            return Ok(());
        }
        if settings.auth.two_factor {
            tracing::error!(
                "a second factor was not set up: the environment variable TOTP_ENCRYPTION_KEY is missing. Set \
                 it to 32 random bytes in base64 (`openssl rand -base64 32`)"
            );
        }
        Err(Refusal::of("login.twoFactorDisabledByServer"))
    }
}
