//! `/_test/reset`: a clean slate between test runs (wire protocol §6.2, §9.3).
//!
//! The origin gate stands before it, as in the original: a call without an origin never gets here, which
//! the framework's own test-runner relies on without knowing (§9.3).

use http::header::ALLOW;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use luckystack_topology::Method;
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::access::Gate;
use crate::answer::{Answer, Canned, INTERNAL, METHOD_NOT_ALLOWED};
use crate::dispatch::Dispatch;

const X_TEST_RESET_TOKEN: HeaderName = HeaderName::from_static("x-test-reset-token");

const NOT_FOUND: Canned = Canned { status: 404, body: r#"{"status":"error","errorCode":"notFound"}"# };
const FORBIDDEN: Canned = Canned { status: 403, body: r#"{"status":"error","errorCode":"auth.forbidden"}"# };

impl Gate {
    /// Answers a request for the reset.
    pub(crate) async fn reset<D: Dispatch>(
        &self,
        method: Method,
        headers: &HeaderMap,
        dispatch: &D,
    ) -> Answer {
        if !self.test_reset.enabled {
            return NOT_FOUND.into();
        }
        if method != Method::Post {
            return Answer::from(METHOD_NOT_ALLOWED).with(ALLOW, HeaderValue::from_static("POST"));
        }
        let sent = headers.get(X_TEST_RESET_TOKEN).map(HeaderValue::as_bytes).unwrap_or_default();
        let right = self.test_reset.token.as_deref().unwrap_or_default().as_bytes();
        if right.is_empty() || !bool::from(right.ct_eq(sent)) {
            return FORBIDDEN.into();
        }
        let mut cleared = vec!["rateLimits"];
        if let Err(error) = dispatch.clear_rate_limits().await {
            tracing::error!(%error, "the counters of rate limits could not be cleared");
            return INTERNAL.into();
        }
        if let Some(identity) = &self.identity {
            if let Err(error) = identity.forget_attempts().await {
                tracing::error!(%error, "the counters of logins could not be cleared");
                return INTERNAL.into();
            }
            match identity.sessions().clear().await {
                Ok((sessions, active)) => {
                    cleared.extend(sessions.then_some("sessions"));
                    cleared.extend(active.then_some("activeUsers"));
                }
                Err(error) => {
                    tracing::error!(%error, "the sessions could not be cleared");
                    return INTERNAL.into();
                }
            }
        }
        Answer::json(StatusCode::OK, json!({ "status": "success", "cleared": cleared }).to_string())
    }
}
