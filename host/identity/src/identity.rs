//! The front door: one method per route of §5.5 to 5.7.

use std::sync::Arc;

use luckystack_backplane::{Keys, SharedBackplane};
use luckystack_oauth::OAuth;
use luckystack_sessions::{Hooks, Session, Sessions};
use luckystack_topology::ProjectConfig;
use luckystack_users::SharedUsers;
use serde_json::{Map, Value};

use crate::mail::Mailer;

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
    /// Key of second-factor secrets (`TOTP_ENCRYPTION_KEY`), if there is one.
    pub totp_key: Option<String>,
    /// Older keys (`TOTP_ENCRYPTION_LEGACY_KEYS`).
    pub totp_legacy_keys: Vec<String>,
}

/// One request of a browser.
#[derive(Clone, Copy, Debug)]
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
#[derive(Clone, Debug)]
pub struct AuthReply {
    /// HTTP status.
    pub status: u16,
    /// JSON body. With a session, `session` in it holds the object with its token (QUIRK of §5.5).
    pub body: Value,
    /// A session to hand out: by cookie or by header.
    pub session: Option<Arc<Session>>,
}

/// How an OAuth login begins.
#[derive(Clone, Debug)]
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
#[derive(Clone, Debug)]
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
pub struct Identity {}

impl Identity {
    /// Puts the parts together under a configuration.
    #[must_use]
    pub fn new(project: &ProjectConfig, parts: Parts) -> Self {
        let _ = (project, parts);
        unimplemented!()
    }

    /// Applies a changed configuration from now on.
    pub fn reconfigure(&self, project: &ProjectConfig) {
        let _ = project;
        unimplemented!()
    }

    /// The sessions.
    pub fn sessions(&self) -> &Sessions {
        unimplemented!()
    }

    /// The accounts.
    pub fn users(&self) -> &SharedUsers {
        unimplemented!()
    }

    /// `GET /auth/providers`.
    pub fn providers(&self) -> Value {
        unimplemented!()
    }

    /// `POST /auth/api/credentials` (§5.5).
    pub async fn credentials(&self, request: AuthRequest<'_>) -> AuthReply {
        let _ = request;
        unimplemented!()
    }

    /// `POST /auth/api/email-code/request` (§5.7).
    pub async fn email_code_request(&self, request: AuthRequest<'_>) -> AuthReply {
        let _ = request;
        unimplemented!()
    }

    /// `POST /auth/api/email-code/verify` (§5.7).
    pub async fn email_code_verify(&self, request: AuthRequest<'_>) -> AuthReply {
        let _ = request;
        unimplemented!()
    }

    /// `POST /auth/api/2fa[/<action>]` (§5.7); `action` is empty for the challenge itself, unknown ones get
    /// their 404.
    pub async fn second_factor(&self, action: &str, request: AuthRequest<'_>) -> AuthReply {
        let _ = (action, request);
        unimplemented!()
    }

    /// `GET /auth/api/<provider>` (§5.6).
    pub async fn oauth_begin(
        &self,
        provider: &str,
        return_url: Option<&str>,
        request: AuthRequest<'_>,
    ) -> Begin {
        let _ = (provider, return_url, request);
        unimplemented!()
    }

    /// `GET /auth/callback/<provider>` (§5.6).
    pub async fn oauth_callback(
        &self,
        provider: &str,
        callback: luckystack_oauth::Callback<'_>,
        request: AuthRequest<'_>,
    ) -> Callback {
        let _ = (provider, callback, request);
        unimplemented!()
    }

    /// Ends the session behind a token, between `preLogout` (which may veto: false) and `postLogout`.
    pub async fn logout(&self, token: &str) -> bool {
        let _ = token;
        unimplemented!()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}
