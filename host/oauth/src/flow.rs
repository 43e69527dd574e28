//! From the login button to a profile.

use std::time::Duration;

use luckystack_backplane::{Keys, SharedBackplane};

use crate::provider::{Profile, ProviderSetup};

/// A login that has begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// Value of the cookie `ls-oauth-state`.
    pub nonce: String,
}

/// What the provider sent the browser back with. Absent and empty are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct Callback<'a> {
    /// `code`
    pub code: &'a str,
    /// `state`
    pub state: &'a str,
    /// `error`, when the provider or the person said no.
    pub error: &'a str,
    /// `iss` (RFC 9207), against mix-up.
    pub issuer: &'a str,
    /// The cookie `ls-oauth-state`.
    pub nonce: &'a str,
}

/// A login that has succeeded at the provider.
#[derive(Clone, Debug)]
pub struct Completed {
    /// Who it is.
    pub profile: Profile,
    /// What `return_url` was when it began; not judged yet.
    pub return_url: Option<String>,
}

/// Why a login did not succeed. [`OAuthError::reason`] is for hooks, the message for the log.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// No such provider, or it is not active.
    #[error("there is no provider `{0}`")]
    UnknownProvider(String),
    /// The state could not be kept.
    #[error("the state of the login could not be stored: {0}")]
    StateInit(String),
    /// State or nonce cookie are missing, unknown, used or another browser's.
    #[error("invalid state: {0}")]
    InvalidState(String),
    /// The provider sent no code.
    #[error("no code: {0}")]
    NoCode(String),
    /// The code was not exchanged for tokens.
    #[error("token exchange: {0}")]
    TokenExchange(String),
    /// The ID token or the profile is not acceptable.
    #[error("profile: {0}")]
    Profile(String),
}

impl OAuthError {
    /// `reason` of the hook `loginFailed`: `oauth.invalidState` and its like (§1.10).
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::UnknownProvider(_) => "login.providerNotFound",
            Self::StateInit(_) => "login.oauthStateInitFailed",
            Self::InvalidState(_) => "oauth.invalidState",
            Self::NoCode(_) => "oauth.noCode",
            Self::TokenExchange(_) => "oauth.tokenExchangeFailed",
            Self::Profile(_) => "oauth.profileFetchFailed",
        }
    }
}

/// All active providers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct OAuth {}

impl OAuth {
    /// Providers as set up; `callback_base` (`https://app.example.com`) is where they send people back to:
    /// `<callback_base>/auth/callback/<name>`. Fails when a provider is neither known nor described well
    /// enough, and says which and what is missing. Asks no network: discovery happens when first needed.
    pub fn new(
        providers: Vec<ProviderSetup>,
        callback_base: &str,
        state_ttl: Duration,
        backplane: SharedBackplane,
        keys: Keys,
    ) -> Result<Self, String> {
        let _ = (providers, callback_base, state_ttl, backplane, keys);
        unimplemented!()
    }

    /// Names of the active providers, in the order of `known_providers`, then by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        unimplemented!()
    }

    /// Begins a login.
    pub async fn begin(&self, provider: &str, return_url: Option<&str>) -> Result<Begun, OAuthError> {
        let _ = (provider, return_url);
        unimplemented!()
    }

    /// Ends it: consumes the state, exchanges the code, checks the ID token, fetches the profile.
    pub async fn complete(&self, provider: &str, callback: Callback<'_>) -> Result<Completed, OAuthError> {
        let _ = (provider, callback);
        unimplemented!()
    }
}
