//! Whether a browser was tricked into a request (wire protocol §5.9).

use http::{HeaderMap, HeaderName, Method};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::access::{Gate, Visitor};
use crate::answer::{Answer, Canned};
use crate::cookie;

const X_CSRF_TOKEN: HeaderName = HeaderName::from_static("x-csrf-token");

const MISMATCH: Canned = Canned {
    status: 403,
    body: concat!(
        r#"{"status":"error","errorCode":"auth.csrfMismatch","#,
        r#""message":"CSRF token missing or invalid. Fetch /auth/csrf first."}"#
    ),
};

/// Where a browser that has no session yet begins one.
const EXEMPT: [&str; 5] = [
    "/auth/api/credentials",
    "/auth/api/email-code/request",
    "/auth/api/email-code/verify",
    "/auth/api/2fa",
    "/auth/api/2fa/email-code",
];

/// Whether a request of this method and path is checked at all.
fn is_guarded(method: &Method, path: &str) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return false;
    }
    if path.starts_with("/auth/") {
        return path.starts_with("/auth/api/") && !EXEMPT.contains(&path);
    }
    !path.starts_with("/assets/")
}

impl Gate {
    /// Step 8 of §6.1: none when the request may go on.
    pub(crate) fn check_csrf(
        &self,
        method: &Method,
        path: &str,
        request_id: &str,
        headers: &HeaderMap,
        visitor: &Visitor,
    ) -> Option<Answer> {
        // What a foreign page cannot make a browser send needs no proof: a header with a token.
        if self.token_mode() || !is_guarded(method, path) {
            return None;
        }
        let sent = headers.get(X_CSRF_TOKEN).map(|value| value.as_bytes()).unwrap_or_default();
        let is_right = match (&self.identity, &visitor.session) {
            // Nobody is signed in: there is nothing to ride on.
            (Some(_), None) => return None,
            (Some(_), Some(session)) => {
                session.csrf_token.as_ref().is_some_and(|token| same(token.as_bytes(), sent))
            }
            (None, _) => {
                cookie::read(headers, cookie::CSRF).is_some_and(|token| same(token.as_bytes(), sent))
            }
        };
        if is_right {
            return None;
        }
        tracing::info!(path, request_id, "refused a request without the right CSRF token");
        self.tell("csrfMismatch", || {
            json!({
                "route": path,
                "method": method.as_str(),
                "requestId": request_id,
                "userId": visitor.session.as_ref().map(|session| session.user_id.as_str()),
                "providedToken": std::str::from_utf8(sent).ok().filter(|sent| !sent.is_empty()),
            })
        });
        Some(MISMATCH.into())
    }
}

/// Equality that takes as long whatever differs.
fn same(right: &[u8], sent: &[u8]) -> bool {
    !right.is_empty() && bool::from(right.ct_eq(sent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_something_is_guarded_but_for_the_ways_in() {
        for (method, path, guarded) in [
            (Method::GET, "/api/a/b/v1", false),
            (Method::HEAD, "/api/a/b/v1", false),
            (Method::OPTIONS, "/api/a/b/v1", false),
            (Method::POST, "/api/a/b/v1", true),
            (Method::PUT, "/sync/a/b/v1", true),
            (Method::DELETE, "/anything", true),
            (Method::POST, "/_test/reset", true),
            (Method::POST, "/assets/x", false),
            (Method::POST, "/auth/logout", false),
            (Method::POST, "/auth/callback/google", false),
            (Method::POST, "/auth/api/credentials", false),
            (Method::POST, "/auth/api/credentials/", true),
            (Method::POST, "/auth/api/2fa", false),
            (Method::POST, "/auth/api/2fa/email-code", false),
            (Method::POST, "/auth/api/2fa/enable", true),
            (Method::POST, "/auth/api/email-code/verify", false),
        ] {
            assert_eq!(is_guarded(&method, path), guarded, "{method} {path}");
        }
    }

    #[test]
    fn an_empty_token_is_never_right() {
        assert!(same(b"abc", b"abc"));
        for (right, sent) in [(&b""[..], &b""[..]), (b"abc", b""), (b"", b"abc"), (b"abc", b"abd")] {
            assert!(!same(right, sent));
        }
    }
}
