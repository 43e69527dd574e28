//! Who a request is from: the token it presents and the session behind it (wire protocol §2.2, §5.4).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use luckystack_backplane::SharedBackplane;
use luckystack_identity::Identity;
use luckystack_plugins::call::Session;
use luckystack_sessions::{Hooks, NoHooks, Read};
use luckystack_topology::ProjectConfig;
use serde_json::json;

use crate::answer::{Answer, SESSIONS_UNAVAILABLE};
use crate::cookie::{self, Cookies};
use crate::endpoints::Stores;

/// Overrides the configured mode for one login (§5.5).
const X_SESSION_BASED_TOKEN: HeaderName = HeaderName::from_static("x-session-based-token");

/// What a server needs to know people.
#[derive(Clone)]
pub struct Access {
    /// Login and sessions; none on a host without login (`auth.enabled = false`).
    pub identity: Option<Identity>,
    /// The backplane, for readiness.
    pub backplane: SharedBackplane,
    /// Hooks that this transport announces.
    pub hooks: Arc<dyn Hooks>,
    /// Whether cookies are for encrypted connections only, where the configuration leaves it open.
    pub secure_cookies: bool,
    /// Who may reset this host between tests.
    pub test_reset: TestReset,
}

/// Whether `/_test/reset` works (§6.2).
#[derive(Clone, Default)]
pub struct TestReset {
    /// Only in development and tests; elsewhere the path does not exist.
    pub enabled: bool,
    /// `TEST_RESET_TOKEN`; without one every call is refused.
    pub token: Option<String>,
}

/// [`Access`] as a server holds it: with what follows from the configuration.
pub(crate) struct Gate {
    pub identity: Option<Identity>,
    pub backplane: Option<SharedBackplane>,
    pub hooks: Arc<dyn Hooks>,
    pub test_reset: TestReset,
    pub cookies: Cookies,
    pub oauth_state_life: Duration,
    token_mode: bool,
    accept_bearer: bool,
}

/// Who sent a request.
#[derive(Debug, Default)]
pub(crate) struct Visitor {
    /// The live session, if there is one.
    pub session: Option<Arc<Session>>,
    /// The token that was presented and is nobody's.
    unknown: Option<String>,
    /// Whether it came in the cookie.
    by_cookie: bool,
}

impl Visitor {
    /// The token as presented, live or not.
    pub(crate) fn token(&self) -> Option<&str> {
        self.session.as_ref().map(|session| session.token.as_str()).or(self.unknown.as_deref())
    }
}

impl Gate {
    pub(crate) fn new(project: &ProjectConfig, access: Option<Access>) -> Self {
        let cookie = &project.http.cookie;
        let secure = cookie.secure.unwrap_or(access.as_ref().is_some_and(|access| access.secure_cookies));
        let (identity, backplane, hooks, test_reset) = match access {
            Some(access) => (access.identity, Some(access.backplane), access.hooks, access.test_reset),
            None => (None, None, Arc::new(NoHooks) as Arc<dyn Hooks>, TestReset::default()),
        };
        Self {
            identity,
            backplane,
            hooks,
            test_reset,
            cookies: Cookies::new(cookie, project.session.expiry, secure),
            oauth_state_life: project.auth.oauth_state_ttl,
            token_mode: project.session.based_token,
            accept_bearer: cookie.accept_bearer,
        }
    }

    /// Whether sessions travel in headers unless a request says otherwise.
    pub(crate) fn token_mode(&self) -> bool {
        self.token_mode
    }

    /// Whether this login's session travels in a header; with `numbers` also `1` and `0` say so (§5.5).
    pub(crate) fn wants_token(&self, headers: &HeaderMap, numbers: bool) -> bool {
        match headers.get(X_SESSION_BASED_TOKEN).map(HeaderValue::as_bytes) {
            Some(b"true") => true,
            Some(b"false") => false,
            Some(b"1") if numbers => true,
            Some(b"0") if numbers => false,
            _ => self.token_mode,
        }
    }

    /// The token that a request presents, and whether it came in the cookie.
    fn presented<'h>(&self, headers: &'h HeaderMap) -> Option<(Cow<'h, str>, bool)> {
        let by_cookie = || cookie::read(headers, self.cookies.name()).map(|token| (token, true));
        let by_header = || bearer(headers).map(|token| (Cow::Borrowed(token), false));
        match (self.token_mode, self.accept_bearer) {
            (true, _) => by_header().or_else(by_cookie),
            (false, true) => by_cookie().or_else(by_header),
            (false, false) => by_cookie(),
        }
    }

    /// Reads the session of a request (§6.1 step 7). A session in the cache costs no await.
    pub(crate) async fn visitor(&self, headers: &HeaderMap, ip: &str) -> Result<Visitor, Answer> {
        let Some(identity) = &self.identity else { return Ok(Visitor::default()) };
        let Some((token, by_cookie)) = self.presented(headers) else { return Ok(Visitor::default()) };
        let sessions = identity.sessions();
        let session = match sessions.cached(&token) {
            Some(session) => Some(session),
            None => match sessions.read(&token, ip).await {
                Ok(Read::Live(session)) => Some(session),
                Ok(Read::Unknown) => None,
                Ok(Read::Throttled { seconds }) => return Err(throttled(seconds)),
                // Said by the sessions themselves, now and then.
                Err(_) => return Err(SESSIONS_UNAVAILABLE.into()),
            },
        };
        // A live session knows its own token: nothing is copied on the way of nearly every call.
        let unknown = session.is_none().then(|| token.into_owned());
        Ok(Visitor { session, unknown, by_cookie })
    }

    /// The session cookie again, so that it lives as long as the session (§5.4): on answers to requests
    /// that carried it, when the session was live.
    pub(crate) fn sliding_cookie(&self, visitor: &Visitor) -> Option<HeaderValue> {
        self.cookies.session(&visitor.session.as_ref().filter(|_| visitor.by_cookie)?.token)
    }

    /// Whether what sessions and accounts are kept in answers.
    pub(crate) async fn stores(&self) -> Stores {
        let redis = self.backplane.as_ref().filter(|store| store.is_shared()).map(|store| store.is_up());
        let database = match &self.identity {
            Some(identity) => Some(identity.users().is_up().await),
            None => None,
        };
        Stores { redis, database }
    }

    /// Tells the subscribers of a hook.
    pub(crate) fn tell(&self, hook: &'static str, payload: impl FnOnce() -> serde_json::Value) {
        self.hooks.tell_with(hook, payload);
    }
}

/// The token of `Authorization: Bearer <token>`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// 429 for an address that tries one unknown token after the other.
fn throttled(seconds: u64) -> Answer {
    let body = json!({
        "status": "error",
        "httpStatus": 429,
        "message": "api.rateLimitExceeded",
        "errorCode": "api.rateLimitExceeded",
        "errorParams": [{ "key": "seconds", "value": seconds }],
    });
    Answer::json(StatusCode::TOO_MANY_REQUESTS, body.to_string())
        .with(RETRY_AFTER, HeaderValue::from(seconds))
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("login", &self.identity.is_some()).finish_non_exhaustive()
    }
}

/// The token is a secret.
impl std::fmt::Debug for TestReset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestReset").field("enabled", &self.enabled).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("cookies", &self.cookies).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::header::COOKIE;

    use super::*;

    fn gate(change: impl FnOnce(&mut ProjectConfig)) -> Gate {
        let mut project = ProjectConfig::defaults("presets".as_ref(), ".".as_ref());
        change(&mut project);
        Gate::new(&project, None)
    }

    fn headers(cookie: Option<&str>, authorization: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(COOKIE, cookie), (AUTHORIZATION, authorization)] {
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        headers
    }

    #[test]
    fn the_token_comes_from_where_the_mode_says() {
        let both = headers(Some("token=cookie"), Some("Bearer header"));
        let header_only = headers(None, Some("bearer header"));
        let presented = |gate: &Gate, headers: &HeaderMap| {
            gate.presented(headers).map(|(token, by_cookie)| (token.into_owned(), by_cookie))
        };
        let cookie_mode = gate(|_| {});
        assert_eq!(presented(&cookie_mode, &both), Some(("cookie".into(), true)));
        assert_eq!(presented(&cookie_mode, &header_only), None, "a header is no credential in cookie mode");
        let lenient = gate(|project| project.http.cookie.accept_bearer = true);
        assert_eq!(presented(&lenient, &both), Some(("cookie".into(), true)));
        assert_eq!(presented(&lenient, &header_only), Some(("header".into(), false)));
        let token_mode = gate(|project| project.session.based_token = true);
        assert_eq!(presented(&token_mode, &both), Some(("header".into(), false)));
        assert_eq!(presented(&token_mode, &headers(Some("token=c"), None)), Some(("c".into(), true)));
        for wrong in ["Basic abc", "Bearer", "Bearer ", "header"] {
            assert_eq!(presented(&token_mode, &headers(None, Some(wrong))), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_can_ask_for_the_other_mode() {
        let cookie_mode = gate(|_| {});
        let said = |value: &'static str| {
            HeaderMap::from_iter([(X_SESSION_BASED_TOKEN, HeaderValue::from_static(value))])
        };
        for (value, numbers, wants) in [
            ("true", true, true),
            ("1", true, true),
            ("1", false, false),
            ("false", true, false),
            ("0", true, false),
            ("yes", true, false),
        ] {
            assert_eq!(cookie_mode.wants_token(&said(value), numbers), wants, "{value} {numbers}");
        }
        let token_mode = gate(|project| project.session.based_token = true);
        assert!(token_mode.wants_token(&HeaderMap::new(), true));
        assert!(!token_mode.wants_token(&said("false"), false));
        assert!(token_mode.wants_token(&said("0"), false));
    }
}
