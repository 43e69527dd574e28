//! E-mail and password: registration and login (§5.5).
//!
//! The order of the checks is the protocol's: what is wrong with the form is said to anybody; from there on
//! every failure is told to the hook `loginFailed`.

use luckystack_users::{NewUser, User, UserError, Verdict};
use serde_json::{Map, Value, json};

use crate::arrival::{Arrival, Failure};
use crate::avatar::fallback_colour;
use crate::email_address;
use crate::identity::{AuthReply, AuthRequest, Identity};
use crate::input::{checkable_password, escape_html, is_longer, text};
use crate::lockout::Guess;
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::throttle::Bucket;

/// The provider of accounts with a password.
pub(crate) const CREDENTIALS: &str = "credentials";

/// When to try again if too many passwords are being checked.
const BUSY_SECONDS: u64 = 2;

/// Whether an account can be logged in to by password.
pub(crate) fn has_password(user: &User) -> bool {
    user.text("password").is_some_and(|hash| !hash.is_empty())
}

/// A form whose fields are in shape.
struct Form<'a> {
    email: String,
    password: &'a str,
    /// Name and repeated password, when somebody registers.
    registration: Option<(&'a str, &'a str)>,
}

impl Identity {
    /// `POST /auth/api/credentials` (§5.5). The status is 200 whatever the outcome.
    pub async fn credentials(&self, request: AuthRequest<'_>) -> AuthReply {
        match self.try_credentials(request).await {
            Ok(reply) => reply,
            Err(refusal) => refusal.status(200).reply(),
        }
    }

    async fn try_credentials(&self, request: AuthRequest<'_>) -> Result<AuthReply, Refusal> {
        let settings = self.settings();
        if !settings.auth.enabled {
            return Err(Refusal::of("auth.disabled"));
        }
        if !settings.auth.credentials {
            return Err(Refusal::of("login.providerNotFound"));
        }
        self.throttle(&settings, Bucket::of_api(CREDENTIALS, &settings), request.ip).await?;
        let form = Form::read(&settings, request.input)?;
        let stage = if form.registration.is_some() { "register" } else { "login" };
        let outcome = match form.registration {
            Some(registration) => self.register(&settings, &form, registration, request).await,
            None => self.log_in(&settings, &form, request).await,
        };
        outcome.inspect_err(|refusal| {
            let failure = Failure { email: Some(&form.email), provider: CREDENTIALS, stage, ip: request.ip };
            self.tell_failure(&failure, refusal);
        })
    }

    async fn register(
        &self,
        settings: &Settings,
        form: &Form<'_>,
        (name, confirmation): (&str, &str),
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        if !settings.auth.allow_registration {
            return Err(Refusal::of("auth.registrationDisabled"));
        }
        if form.password != confirmation {
            return Err(Refusal::of("login.passwordNotMatch"));
        }
        let name = escape_html(name);
        let payload = || json!({ "email": form.email, "provider": CREDENTIALS, "name": name });
        if let Some(stop) = self.ask("preRegister", payload).await {
            return Err(stop.into());
        }
        self.refuse_locked(settings, Guess { email: &form.email, from: request.ip }).await?;
        // Looked up first so that a taken address costs no hash; the store decides between two at once.
        if self.account_of(settings, &form.email, CREDENTIALS).await?.is_some() {
            return Err(Refusal::of("login.emailExists"));
        }
        let password = settings.passwords.hash(form.password).await.map_err(|error| {
            tracing::error!(%error, "a password could not be hashed");
            Refusal::of("login.createUserFailed")
        })?;
        let user = self
            .create_user(
                settings,
                NewUser {
                    email: form.email.clone(),
                    name,
                    provider: CREDENTIALS.to_owned(),
                    password: Some(password),
                    avatar: String::new(),
                    avatar_fallback: fallback_colour(),
                    language: request.language.to_owned(),
                },
            )
            .await?;
        self.admit(Arrival { user, provider: CREDENTIALS, is_new: true }, request).await
    }

    /// Creates an account and tells `postRegister`.
    pub(crate) async fn create_user(&self, settings: &Settings, user: NewUser) -> Result<User, Refusal> {
        let provider = user.provider.clone();
        let user =
            self.accounts().create(user, settings.is_unified()).await.map_err(|error| match error {
                UserError::EmailTaken => Refusal::of("login.emailExists"),
                error => {
                    tracing::error!(%error, "an account could not be created");
                    Refusal::of("login.createUserFailed")
                }
            })?;
        self.tell("postRegister", || json!({ "userId": user.id(), "provider": provider }));
        Ok(user)
    }

    async fn log_in(
        &self,
        settings: &Settings,
        form: &Form<'_>,
        request: AuthRequest<'_>,
    ) -> Result<AuthReply, Refusal> {
        let payload = || json!({ "email": form.email, "provider": CREDENTIALS });
        if let Some(stop) = self.ask("preLogin", payload).await {
            return Err(stop.into());
        }
        let guess = Guess { email: &form.email, from: request.ip };
        self.count_guess(settings, guess).await?;
        let user = self.account_of(settings, &form.email, CREDENTIALS).await?;
        let user = self.check_password(settings, user, form.password).await?;
        self.forget_guesses(settings, guess).await;
        if self.is_protected(&user) {
            return self.challenge(settings, &user, CREDENTIALS).await;
        }
        self.admit(Arrival { user, provider: CREDENTIALS, is_new: false }, request).await
    }

    /// The user, if the password is his. Takes the same time without a user. A hash of an old kind is
    /// replaced.
    pub(crate) async fn check_password(
        &self,
        settings: &Settings,
        user: Option<User>,
        password: &str,
    ) -> Result<User, Refusal> {
        let hash = user.as_ref().and_then(|user| user.text("password"));
        let verdict = match checkable_password(password) {
            Some(password) => settings.passwords.check(password, hash).await,
            None => settings.passwords.check("", None).await,
        };
        let (user, rehash) = match (user, verdict) {
            (Some(user), Verdict::Right { rehash }) => (user, rehash),
            // Nobody knows whether it was right, so the guess stays counted.
            (_, Verdict::Busy) => {
                tracing::warn!("a login was refused: too many passwords are being checked at once");
                return Err(Refusal { seconds: Some(BUSY_SECONDS), ..Refusal::of("api.rateLimitExceeded") });
            }
            (user, Verdict::Right { .. } | Verdict::Wrong) => {
                let refusal = Refusal::of("login.wrongPassword");
                return Err(user.map_or(refusal.clone(), |user| refusal.user(user.id())));
            }
        };
        if let Some(hash) = rehash {
            self.replace_hash(&user, hash).await;
        }
        Ok(user)
    }

    async fn replace_hash(&self, user: &User, hash: String) {
        // Hashing took a while: a password changed meanwhile is not changed back.
        let stored = match self.accounts().by_id(user.id()).await {
            Ok(Some(now)) if now.text("password") == user.text("password") => {
                let changes = Map::from_iter([("password".to_owned(), Value::from(hash))]);
                self.accounts().update(user.id(), changes).await.map(|_| ())
            }
            other => other.map(|_| ()),
        };
        if let Err(error) = stored {
            tracing::warn!(%error, user = user.id(), "a password keeps its old hash: the new one was not stored");
        }
    }
}

impl<'a> Form<'a> {
    fn read(settings: &Settings, input: &'a Map<String, Value>) -> Result<Self, Refusal> {
        let auth = &settings.auth;
        let email = text(input, "email").trim();
        let password = text(input, "password");
        let (name, confirmation) = (text(input, "name"), text(input, "confirmPassword"));
        if email.is_empty() || password.is_empty() {
            return Err(Refusal::of("login.empty"));
        }
        if is_longer(email, auth.email_max_length) {
            return Err(Refusal::of("login.emailCharacterLimit"));
        }
        if is_longer(name, auth.name_max_length) {
            return Err(Refusal::of("login.nameCharacterLimit"));
        }
        let email = email_address::normalise(email);
        if !email_address::is_valid(&email) {
            return Err(Refusal::of("login.invalidEmailFormat"));
        }
        let registers = !name.is_empty() && !confirmation.is_empty();
        if registers {
            settings.policy.check(password).map_err(Refusal::of)?;
        }
        Ok(Self { email, password, registration: registers.then_some((name, confirmation)) })
    }
}
