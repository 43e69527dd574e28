//! A signed-in user's second factor: setting it up, switching it on and off, new recovery codes (§5.7).

use std::time::Duration;

use bytes::Bytes;
use luckystack_users::User;
use serde_json::{Map, Value, json};

use super::{INVALID, recovery, totp};
use crate::clock::unix_now;
use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::input::text;
use crate::refusal::{Refusal, success};
use crate::settings::Settings;

/// From the QR code to the first code of the authenticator.
const ENROLMENT_TTL: Duration = Duration::from_secs(600);

const ALREADY: &str = "login.twoFactorAlreadyEnabled";
const UNAVAILABLE: &str = "login.twoFactorMethodUnavailable";
const NOT_PERSISTED: &str = "login.twoFactorPersistFailed";

impl Identity {
    /// `POST /auth/api/2fa/setup`: a secret that counts once a code of it came back.
    pub(super) async fn set_up(&self, settings: &Settings, user: &User) -> Result<AuthReply, Refusal> {
        self.refuse_enrolment(settings)?;
        if self.is_protected(user) {
            return Err(Refusal::of(ALREADY));
        }
        let account = user.text("email").unwrap_or_else(|| user.id());
        let made = totp::enrol(&settings.name, account)
            .and_then(|enrolment| Some((self.vault().seal(&enrolment.secret)?, enrolment)));
        let Some((sealed, enrolment)) = made else {
            tracing::error!(user = user.id(), "a second factor's secret could not be made");
            return Err(Refusal::of(NOT_PERSISTED));
        };
        let key = self.keys().own("2fa-pending", user.id());
        self.store().set(&key, Bytes::from(sealed), Some(ENROLMENT_TTL)).await?;
        Ok(success(json!({ "secret": enrolment.secret, "otpauthUri": enrolment.uri })))
    }

    /// `POST /auth/api/2fa/enable`: the account is protected from now on. Recovery codes are shown once.
    pub(super) async fn enable(
        &self,
        settings: &Settings,
        user: &User,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        self.refuse_enrolment(settings)?;
        if self.is_protected(user) {
            return Err(Refusal::of(ALREADY));
        }
        let expired = || Refusal::of("login.twoFactorEnrollmentExpired");
        let key = self.keys().own("2fa-pending", user.id());
        let pending = self.store().get(&key).await?.ok_or_else(expired)?;
        let sealed = std::str::from_utf8(&pending).map_err(|_| expired())?.to_owned();
        let opened = self.vault().open(&sealed).map_err(|_| expired())?;
        let step = totp::matching_step(&opened.secret, text(request.input, "code"), unix_now());
        let step = step.ok_or_else(|| Refusal::of(INVALID))?;
        // Of two at once, one shows the codes that are stored.
        if self.store().take(&key).await? != Some(pending) {
            return Err(expired());
        }
        // The code that switched it on does not also log in.
        let used = self.keys().own("2fa-usedstep", &format!("{}:{step}", user.id()));
        self.store().set_new(&used, "1".into(), Some(totp::REPLAY_GUARD)).await?;
        let codes = recovery::codes();
        let changes = Map::from_iter([
            ("totpSecret".to_owned(), Value::from(sealed)),
            ("twoFactorEnabled".to_owned(), Value::Bool(true)),
            ("recoveryCodes".to_owned(), hashes(&codes)),
        ]);
        self.persist(user, changes, Some(true)).await?;
        Ok(success(json!({ "recoveryCodes": codes })))
    }

    /// `POST /auth/api/2fa/disable`, with the authenticator's code or a recovery code.
    pub(super) async fn disable(&self, user: &User, request: AuthRequest<'_>) -> Result<AuthReply, Refusal> {
        self.check_own_code(user, request).await?;
        let changes = Map::from_iter([
            ("totpSecret".to_owned(), Value::Null),
            ("twoFactorEnabled".to_owned(), Value::Bool(false)),
            ("recoveryCodes".to_owned(), Value::Array(Vec::new())),
        ]);
        self.persist(user, changes, Some(false)).await?;
        Ok(success(json!({})))
    }

    /// `POST /auth/api/2fa/recovery-codes`: ten new ones instead of those that are left.
    pub(super) async fn renew_recovery_codes(
        &self,
        user: &User,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        self.check_own_code(user, request).await?;
        let codes = recovery::codes();
        let changes = Map::from_iter([("recoveryCodes".to_owned(), hashes(&codes))]);
        self.persist(user, changes, None).await?;
        Ok(success(json!({ "recoveryCodes": codes })))
    }

    async fn check_own_code(&self, user: &User, request: AuthRequest<'_>) -> Result<(), Refusal> {
        if !self.is_protected(user) {
            return Err(Refusal::of(UNAVAILABLE));
        }
        let code = text(request.input, "code");
        if code.is_empty() {
            return Err(Refusal::of(INVALID));
        }
        self.spend_own_code(user, code).await
    }

    /// Stores a change, and says in the user's sessions whether he is protected now.
    async fn persist(
        &self,
        user: &User,
        changes: Map<String, Value>,
        protected: Option<bool>,
    ) -> Result<(), Refusal> {
        match self.accounts().update(user.id(), changes).await {
            Ok(Some(_)) => {}
            Ok(None) => return Err(Refusal::of("api.unauthorized").status(401)),
            Err(error) => {
                tracing::error!(%error, user = user.id(), "a second factor was not stored");
                return Err(Refusal::of(NOT_PERSISTED));
            }
        }
        let Some(protected) = protected else { return Ok(()) };
        let mut change = |session: &mut Map<String, Value>| {
            session.insert("twoFactorEnabled".to_owned(), Value::Bool(protected));
        };
        if let Err(error) = self.sessions().update_user(user.id(), &mut change).await {
            tracing::warn!(%error, user = user.id(), "sessions show an old state of the second factor until the next login");
        }
        Ok(())
    }
}

fn hashes(codes: &[String]) -> Value {
    codes.iter().filter_map(|code| recovery::hash(code)).collect()
}
