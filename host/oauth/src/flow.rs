//! From the login button to a profile.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::{Keys, SharedBackplane};
use url::Url;

use crate::client::Client;
use crate::fetch::{Fetch, TIMEOUT, word};
use crate::provider::{Profile, ProviderSetup, known_providers};
use crate::state::States;

/// A login that has begun.
#[derive(Clone)]
pub struct Begun {
    /// Where the browser goes.
    pub location: String,
    /// Value of the cookie `ls-oauth-state`.
    pub nonce: String,
}

/// What the provider sent the browser back with. Absent and empty are the same.
#[derive(Clone, Copy, Default)]
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
    /// The issuer's description of itself cannot be had or used, so that no login can begin.
    #[error("discovery: {0}")]
    Discovery(String),
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
            Self::StateInit(_) | Self::Discovery(_) => "login.oauthStateInitFailed",
            Self::InvalidState(_) => "oauth.invalidState",
            Self::NoCode(_) => "oauth.noCode",
            Self::TokenExchange(_) => "oauth.tokenExchangeFailed",
            Self::Profile(_) => "oauth.profileFetchFailed",
        }
    }
}

/// All active providers. Cheap to clone.
#[derive(Clone)]
pub struct OAuth {
    inner: Arc<Inner>,
}

struct Inner {
    /// In the order in which they are shown.
    clients: Vec<Client>,
    states: States,
    fetch: Fetch,
}

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
        let callback_base = callback_base.trim_end_matches('/');
        let is_web = Url::parse(callback_base)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.query().is_none());
        if let (Some(first), false) = (providers.first(), is_web) {
            return Err(format!(
                "provider `{}`: it has to send people back somewhere; set `public_url` or \
                 `oauth_callback_base` in [app], such as \"https://app.example.com\"",
                first.name
            ));
        }
        let mut clients: Vec<Client> = Vec::with_capacity(providers.len());
        let mut wrong = Vec::new();
        for setup in providers {
            let name = setup.name.clone();
            match Client::new(setup, callback_base) {
                Ok(client) if clients.iter().any(|other| other.name == client.name) => {
                    wrong.push(format!("provider `{name}`: it is set up twice"));
                }
                Ok(client) => clients.push(client),
                Err(why) => wrong.push(format!("provider `{name}` ([oauth.{name}]): {why}")),
            }
        }
        if !wrong.is_empty() {
            return Err(wrong.join("\n"));
        }
        let place = |name: &str| known_providers().iter().position(|known| *known == name);
        clients.sort_by(|a, b| {
            let key = |client: &Client| (place(&client.name).unwrap_or(usize::MAX), client.name.clone());
            key(a).cmp(&key(b))
        });
        let states = States::new(backplane, keys, state_ttl);
        let fetch = Fetch::new(TIMEOUT)?;
        Ok(Self { inner: Arc::new(Inner { clients, states, fetch }) })
    }

    /// Names of the active providers, in the order of `known_providers`, then by name.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.inner.clients.iter().map(|client| client.name.clone()).collect()
    }

    /// Begins a login: keeps a state and says where the browser goes. `return_url` is kept as it is and
    /// handed back by [`OAuth::complete`].
    pub async fn begin(&self, provider: &str, return_url: Option<&str>) -> Result<Begun, OAuthError> {
        let client = self.client(provider)?;
        let fresh = self.inner.states.begin(provider, return_url).await?;
        match client.authorization(&self.inner.fetch, &fresh).await {
            Ok(location) => Ok(Begun { location: location.into(), nonce: fresh.nonce }),
            Err(error) => {
                self.inner.states.forget(provider, &fresh.state).await;
                Err(error)
            }
        }
    }

    /// Ends it: consumes the state, exchanges the code, checks the ID token, fetches the profile.
    pub async fn complete(&self, provider: &str, callback: Callback<'_>) -> Result<Completed, OAuthError> {
        let client = self.client(provider)?;
        if !callback.error.is_empty() {
            self.inner.states.forget(provider, callback.state).await;
            return Err(OAuthError::NoCode(format!("the provider said `{}`", word(callback.error))));
        }
        let kept = self.inner.states.end(provider, callback.state, callback.nonce).await?;
        if callback.code.is_empty() {
            return Err(OAuthError::NoCode("the provider sent none".to_owned()));
        }
        let profile = client.login(&self.inner.fetch, &callback, &kept).await?;
        Ok(Completed { profile, return_url: kept.return_url })
    }

    fn client(&self, provider: &str) -> Result<&Client, OAuthError> {
        let found = self.inner.clients.iter().find(|client| client.name == provider);
        found.ok_or_else(|| OAuthError::UnknownProvider(word(provider)))
    }
}

// State, nonce and code are not printed.

impl fmt::Debug for Begun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Begun").finish_non_exhaustive()
    }
}

impl fmt::Debug for Callback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callback").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl fmt::Debug for OAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth").field("names", &self.names()).finish_non_exhaustive()
    }
}
