//! `/auth/…`: the framework's own routes for getting in and out (wire protocol §5.5 to 5.7).
//!
//! What a login is stands in the identity crate; here is how it travels: paths, methods, cookies, headers,
//! redirects.

use http::header::{ALLOW, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use luckystack_identity::{AuthReply, AuthRequest, Begin, Callback, Identity};
use luckystack_plugins::Caller;
use luckystack_sessions::mint_token;
use luckystack_topology::Method;
use serde_json::{Map, Value, json};

use crate::access::{Gate, Visitor};
use crate::answer::{Answer, Canned, INTERNAL, METHOD_NOT_ALLOWED};
use crate::cookie;
use crate::path::pairs;

const X_SESSION_TOKEN: HeaderName = HeaderName::from_static("x-session-token");
const POST: HeaderValue = HeaderValue::from_static("POST");
/// The content type of the routes below `/auth/api` (§5.5).
const JSON_UTF8: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

const UNAUTHENTICATED: Canned =
    Canned { status: 401, body: r#"{"status":"error","errorCode":"auth.unauthenticated"}"# };

/// A request below `/auth`, as its handlers need it.
pub(crate) struct AuthCall<'a> {
    pub parts: &'a Parts,
    pub path: &'a str,
    pub method: Method,
    pub caller: &'a Caller,
    pub visitor: &'a Visitor,
}

impl Gate {
    /// The routes that take no body (§6.1 step 9): `/auth/csrf`, `/auth/providers`, `/auth/logout`.
    pub(crate) async fn bodyless(&self, call: &AuthCall<'_>) -> Option<Answer> {
        match call.path {
            "/auth/csrf" => Some(self.csrf_token(call)),
            "/auth/providers" => Some(self.providers()),
            "/auth/logout" => Some(self.logout(call).await),
            _ => None,
        }
    }

    fn csrf_token(&self, call: &AuthCall<'_>) -> Answer {
        let Some(session) = &call.visitor.session else {
            // A host without login gives everybody a token of their own.
            return if self.identity.is_some() { UNAUTHENTICATED.into() } else { self.new_csrf_cookie(call) };
        };
        let body = json!({ "status": "success", "csrfToken": session.csrf_token });
        Answer::json(StatusCode::OK, body.to_string())
    }

    fn new_csrf_cookie(&self, call: &AuthCall<'_>) -> Answer {
        let known = cookie::read(&call.parts.headers, cookie::CSRF);
        // Another tab may be using the one that is there.
        let token =
            match known.filter(|token| token.len() == 64 && token.bytes().all(|b| b.is_ascii_hexdigit())) {
                Some(known) => known.into_owned(),
                None => match mint_token() {
                    Ok(token) => token,
                    Err(error) => {
                        tracing::error!(%error, "a CSRF token could not be made");
                        return INTERNAL.into();
                    }
                },
            };
        let body = json!({ "status": "success", "csrfToken": token });
        with_cookie(Answer::json(StatusCode::OK, body.to_string()), self.cookies.csrf(&token))
    }

    fn providers(&self) -> Answer {
        let body = match &self.identity {
            Some(identity) => identity.providers(),
            None => json!({ "providers": [], "emailCodeLogin": false }),
        };
        Answer::json(StatusCode::OK, body.to_string())
    }

    async fn logout(&self, call: &AuthCall<'_>) -> Answer {
        if call.method != Method::Post {
            return Answer::from(METHOD_NOT_ALLOWED).with(ALLOW, POST);
        }
        if let (Some(identity), Some(token)) = (&self.identity, call.visitor.token())
            && !identity.logout(token).await
        {
            // A hook kept the session: taking the cookie away would hide that.
            let body = json!({ "status": "error", "errorCode": "auth.logoutBlocked" });
            return Answer::json(StatusCode::FORBIDDEN, body.to_string());
        }
        let body = r#"{"status":"success","result":true}"#;
        with_cookie(Answer::json(StatusCode::OK, body), self.cookies.no_session())
    }

    /// `/auth/api…` and `/auth/callback…` (§6.1 step 11), with the body that was read.
    pub(crate) async fn auth(&self, call: &AuthCall<'_>, input: Map<String, Value>) -> Option<Answer> {
        if let Some(provider) = under(call.path, "/auth/callback") {
            return Some(self.callback(call, provider).await);
        }
        let route = under(call.path, "/auth/api")?;
        let Some(identity) = &self.identity else {
            return Some(reply(StatusCode::OK, &json!({ "status": false, "reason": "auth.disabled" })));
        };
        let request = AuthRequest {
            ip: &call.caller.ip,
            language: &call.caller.language,
            token: call.visitor.token(),
            input: &input,
        };
        let second_factor = route.strip_prefix("2fa").and_then(|rest| match rest {
            "" | "/" => Some(rest),
            rest => rest.strip_prefix('/'),
        });
        let is_post = call.method == Method::Post;
        let answer = match route {
            // By any other method a link could log its reader in, and passwords would stand in logs.
            "credentials" if !is_post => Answer::from(METHOD_NOT_ALLOWED).with(ALLOW, POST),
            "credentials" => self.hand_out(call, identity.credentials(request).await, true),
            _ if second_factor.is_some() || route.starts_with("email-code/") => {
                if !is_post {
                    return Some(Answer::empty(StatusCode::METHOD_NOT_ALLOWED).with(ALLOW, POST));
                }
                let reply = match (second_factor, route) {
                    (Some(action), _) => identity.second_factor(action, request).await,
                    (None, "email-code/request") => identity.email_code_request(request).await,
                    (None, "email-code/verify") => identity.email_code_verify(request).await,
                    (None, _) => no_provider(),
                };
                self.hand_out(call, reply, false)
            }
            provider if call.method == Method::Get => self.begin(call, identity, provider, request).await,
            _ => self.hand_out(call, no_provider(), false),
        };
        Some(answer)
    }

    /// The answer to a login: the session travels in a header or in the cookie.
    fn hand_out(&self, call: &AuthCall<'_>, outcome: AuthReply, numbers: bool) -> Answer {
        let status = StatusCode::from_u16(outcome.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let answer = reply(status, &outcome.body);
        let Some(session) = outcome.session else { return answer };
        if self.wants_token(&call.parts.headers, numbers) {
            // Tokens are hexadecimal.
            match HeaderValue::from_str(&session.token) {
                Ok(token) => answer.with(X_SESSION_TOKEN, token),
                Err(_) => INTERNAL.into(),
            }
        } else {
            with_cookie(answer, self.cookies.session(&session.token))
        }
    }

    async fn begin(
        &self,
        call: &AuthCall<'_>,
        identity: &Identity,
        provider: &str,
        request: AuthRequest<'_>,
    ) -> Answer {
        let query = call.parts.uri.query().unwrap_or_default();
        let return_url = pairs(query.as_bytes()).filter(|(key, _)| key == "return_url").last();
        let return_url = return_url.as_ref().map(|(_, url)| &**url).filter(|url| !url.is_empty());
        match identity.oauth_begin(provider, return_url, request).await {
            Begin::Redirect { location, nonce } => {
                with_cookie(redirect(&location), self.cookies.oauth_state(&nonce, self.oauth_state_life))
            }
            Begin::Reply(outcome) => self.hand_out(call, outcome, false),
        }
    }

    async fn callback(&self, call: &AuthCall<'_>, provider: &str) -> Answer {
        let Some(identity) = &self.identity else {
            return Answer::text(StatusCode::NOT_FOUND, "Auth is not enabled");
        };
        let query: Vec<_> = pairs(call.parts.uri.query().unwrap_or_default().as_bytes()).collect();
        let of = |name: &str| query.iter().rev().find(|(key, _)| key == name).map_or("", |(_, value)| value);
        let nonce = cookie::read(&call.parts.headers, cookie::OAUTH_STATE).unwrap_or_default();
        let callback = luckystack_oauth::Callback {
            code: of("code"),
            state: of("state"),
            error: of("error"),
            issuer: of("iss"),
            nonce: &nonce,
        };
        let input = Map::new();
        let request = AuthRequest {
            ip: &call.caller.ip,
            language: &call.caller.language,
            token: call.visitor.token(),
            input: &input,
        };
        let no_state = self.cookies.oauth_state("", self.oauth_state_life);
        match identity.oauth_callback(provider, callback, request).await {
            Callback::Failed => with_cookie(Answer::text(StatusCode::UNAUTHORIZED, "Login failed"), no_state),
            Callback::Redirect { location, session } if self.token_mode() => {
                // In the fragment it reaches the page and no server's log.
                let page = location.split('#').next().unwrap_or_default();
                with_cookie(redirect(&format!("{page}#token={}", session.token)), no_state)
            }
            Callback::Redirect { location, session } => {
                with_cookie(with_cookie(redirect(&location), no_state), self.cookies.session(&session.token))
            }
        }
    }
}

/// What follows `prefix` and a slash; empty for the prefix itself.
fn under<'p>(path: &'p str, prefix: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

fn no_provider() -> AuthReply {
    let body = json!({ "status": false, "reason": "login.providerNotFound" });
    AuthReply { status: 200, body, session: None }
}

fn reply(status: StatusCode, body: &Value) -> Answer {
    Answer::bytes(status, JSON_UTF8, body.to_string().into())
}

fn redirect(location: &str) -> Answer {
    match HeaderValue::from_str(location) {
        Ok(location) => Answer::empty(StatusCode::FOUND).with(LOCATION, location),
        Err(_) => INTERNAL.into(),
    }
}

fn with_cookie(answer: Answer, cookie: Option<HeaderValue>) -> Answer {
    match cookie {
        Some(cookie) => answer.with(SET_COOKIE, cookie),
        None => INTERNAL.into(),
    }
}
