//! The front door: one method per route of §5.5 to 5.7.

use std::sync::Arc;

use luckystack_backplane::{Backplane, Keys, SharedBackplane};
use luckystack_oauth::OAuth;
use luckystack_sessions::{EndReason, Hooks, Session, SessionError, Sessions, Stop};
use luckystack_topology::ProjectConfig;
use luckystack_users::{SharedUsers, User, UserStore};
use parking_lot::RwLock;
use serde_json::{Map, Value, json};

use crate::mail::Mailer;
use crate::second_factor::Vault;
use crate::settings::Settings;

/// What an identity is made of.
#[derive(Clone)]
pub struct Parts {
    /// Sessions.
    pub sessions: Sessions,
    /// Accounts.
    pub users: SharedUsers,
    /// Providers; with none active it has no names.
    pub oauth: OAuth,
    /// E-mail.
    pub mailer: Mailer,
    /// Counters and one-time codes.
    pub backplane: SharedBackplane,
    /// Spelling of keys.
    pub keys: Keys,
    /// Hooks.
    pub hooks: Arc<dyn Hooks>,
    /// Origins that a redirect after login may lead to, besides relative pages: whether the origin
    /// (`https://host[:port]`) is allowed.
    pub may_return_to: Arc<dyn Fn(&str) -> bool + Send + Sync>,
    /// Key of second-factor secrets (`TOTP_ENCRYPTION_KEY`), if there is one: 32 bytes as 64 hexadecimal
    /// digits or in base64 (either alphabet, padded or not). Any other text stands for its SHA-256.
    pub totp_key: Option<String>,
    /// Older keys (`TOTP_ENCRYPTION_LEGACY_KEYS`), spelt alike: what they encrypted is still read, and
    /// encrypted with `totp_key` when it was.
    pub totp_legacy_keys: Vec<String>,
}

/// One request of a browser.
#[derive(Clone, Copy)]
pub struct AuthRequest<'a> {
    /// Address of the client after trusted proxies.
    pub ip: &'a str,
    /// Language chosen for the client.
    pub language: &'a str,
    /// The session token that it presented, live or not.
    pub token: Option<&'a str>,
    /// Body or query.
    pub input: &'a Map<String, Value>,
}

/// What it gets.
#[derive(Clone)]
pub struct AuthReply {
    /// HTTP status.
    pub status: u16,
    /// JSON body. With a session, `session` in it holds the object with its token (QUIRK of §5.5).
    pub body: Value,
    /// A session to hand out: by cookie or by header.
    pub session: Option<Arc<Session>>,
}

/// How an OAuth login begins.
#[derive(Clone)]
pub enum Begin {
    /// Send the browser there, with the nonce in the cookie `ls-oauth-state`.
    Redirect {
        /// Where.
        location: String,
        /// Cookie value.
        nonce: String,
    },
    /// An answer as of any other route: unknown provider, rate limit (429), failed state (500).
    Reply(AuthReply),
}

/// How an OAuth login ends.
#[derive(Clone)]
pub enum Callback {
    /// Send the browser there with its session.
    Redirect {
        /// Where, without a fragment.
        location: String,
        /// The session.
        session: Arc<Session>,
    },
    /// 401 `Login failed`.
    Failed,
}

/// The front door. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    parts: Parts,
    settings: RwLock<Arc<Settings>>,
    vault: Vault,
}

// ---------------------------------------------------------------------------------------------

impl Identity {
    /// Puts the parts together under a configuration.
    #[must_use]
    pub fn new(project: &ProjectConfig, mut parts: Parts) -> Self {
        parts.mailer = parts.mailer.with_hooks(parts.hooks.clone());
        let vault = Vault::new(parts.totp_key.as_deref(), &parts.totp_legacy_keys);
        let settings = RwLock::new(Arc::new(Settings::new(project)));
        let identity = Self { inner: Arc::new(Inner { parts, settings, vault }) };
        identity.warn_of_missing_key();
        identity
    }

    /// Applies a changed configuration from now on.
    pub fn reconfigure(&self, project: &ProjectConfig) {
        let changed = Arc::new(self.settings().changed(project));
        *self.inner.settings.write() = changed;
        self.warn_of_missing_key();
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.inner.parts.sessions
    }

    /// The accounts.
    pub fn users(&self) -> &SharedUsers {
        &self.inner.parts.users
    }

    /// `GET /auth/providers`.
    pub fn providers(&self) -> Value {
        let settings = self.settings();
        let mut providers = Vec::new();
        if settings.auth.enabled {
            providers.extend(settings.auth.credentials.then(|| "credentials".to_owned()));
            providers.extend(self.oauth().names());
        }
        let email_code = settings.auth.enabled && settings.auth.email_code_login;
        json!({ "providers": providers, "emailCodeLogin": email_code })
    }

    /// Ends the session behind a token, between `preLogout` (which may veto: false) and `postLogout`. True
    /// when the token has no session any more, and false too when the store failed.
    pub async fn logout(&self, token: &str) -> bool {
        let session = match self.sessions().peek(token).await {
            Ok(Some(session)) => session,
            Ok(None) => return true,
            Err(error) => {
                tracing::error!(%error, "a logout failed: the session could not be looked up");
                return false;
            }
        };
        let payload = || json!({ "userId": session.user_id, "token": token });
        if self.ask("preLogout", payload).await.is_some() {
            return false;
        }
        match self.sessions().end(token, EndReason::Logout).await {
            Ok(_) => {
                self.tell("postLogout", payload);
                true
            }
            Err(SessionError::Vetoed(_)) => false,
            Err(error) => {
                tracing::error!(%error, "a logout failed: the session could not be ended");
                false
            }
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What the flows reach for

impl Identity {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.settings.read().clone()
    }

    pub(crate) fn store(&self) -> &dyn Backplane {
        &*self.inner.parts.backplane
    }

    pub(crate) fn accounts(&self) -> &dyn UserStore {
        &*self.inner.parts.users
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.inner.parts.keys
    }

    pub(crate) fn oauth(&self) -> &OAuth {
        &self.inner.parts.oauth
    }

    pub(crate) fn mailer(&self) -> &Mailer {
        &self.inner.parts.mailer
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    pub(crate) fn may_return_to(&self, origin: &str) -> bool {
        (self.inner.parts.may_return_to)(origin)
    }

    /// Asks a hook that may stop; makes the payload only for somebody.
    pub(crate) async fn ask(&self, hook: &'static str, payload: impl FnOnce() -> Value) -> Option<Stop> {
        self.inner.parts.hooks.ask_with(hook, payload).await
    }

    /// Tells a hook that observes; makes the payload only for somebody.
    pub(crate) fn tell(&self, hook: &'static str, payload: impl FnOnce() -> Value) {
        self.inner.parts.hooks.tell_with(hook, payload);
    }

    /// The account that a login by `provider` with this e-mail means.
    pub(crate) async fn account_of(
        &self,
        settings: &Settings,
        email: &str,
        provider: &str,
    ) -> Result<Option<User>, luckystack_users::UserError> {
        self.accounts().by_email(email, settings.reach(provider)).await
    }

    fn warn_of_missing_key(&self) {
        if self.settings().auth.two_factor && !self.vault().has_key() {
            tracing::warn!(
                "`auth.two_factor` is on, but nobody can set up a second factor: the environment variable \
                 TOTP_ENCRYPTION_KEY is missing. Set it to 32 random bytes in base64 (`openssl rand -base64 32`)"
            );
        }
    }
}

// ---------------------------------------------------------------------------------------------
// Secrets are not printed.

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AuthRequest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthRequest").field("ip", &self.ip).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AuthReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let reason = self.body.get("reason");
        f.debug_struct("AuthReply")
            .field("status", &self.status)
            .field("reason", &reason)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Begin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Begin::Redirect { .. } => f.debug_struct("Redirect").finish_non_exhaustive(),
            Begin::Reply(reply) => f.debug_tuple("Reply").field(reply).finish(),
        }
    }
}

impl std::fmt::Debug for Callback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Callback::Redirect { location, .. } => {
                f.debug_struct("Redirect").field("location", location).finish_non_exhaustive()
            }
            Callback::Failed => f.write_str("Failed"),
        }
    }
}
