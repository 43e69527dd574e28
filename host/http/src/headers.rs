//! Headers common to all responses (wire protocol §5.8), and the identifiers that requests carry.
//!
//! Everything that does not vary is built once; a response starts as a copy of it, which shares the
//! values and has room for what is put on per request.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_TYPE, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS, X_XSS_PROTECTION,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use luckystack_pipeline::request_id::uuid_text;
use luckystack_topology::HttpConfig;

use crate::answer::JSON;
use crate::error::HttpError;

pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const X_LANGUAGE: HeaderName = HeaderName::from_static("x-language");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Headers that no hook sees, because they carry secrets (§6.1 step 4).
const SECRET: [&str; 6] =
    ["authorization", "cookie", "set-cookie", "x-csrf-token", "x-test-reset-token", "x-session-based-token"];

/// Longest request id taken over from a client (§5.8).
const MAX_REQUEST_ID: usize = 128;

/// The headers of every response that is not a rejection. `Content-Type`, `X-Request-Id` and
/// `Access-Control-Allow-Origin` hold their places, so that setting them moves nothing.
pub(crate) fn common(config: &HttpConfig) -> Result<HeaderMap, HttpError> {
    let (cors, security) = (&config.cors, &config.security_headers);
    let credentials = if cors.credentials { "true" } else { "false" };
    let lines = [
        (CONTENT_TYPE, JSON.to_str().unwrap_or_default().to_owned()),
        (ACCESS_CONTROL_ALLOW_ORIGIN, String::new()),
        (X_REQUEST_ID, String::new()),
        (ACCESS_CONTROL_ALLOW_METHODS, cors.allowed_methods.join(", ")),
        (ACCESS_CONTROL_ALLOW_HEADERS, cors.allowed_headers.join(", ")),
        (ACCESS_CONTROL_EXPOSE_HEADERS, cors.exposed_headers.join(", ")),
        (ACCESS_CONTROL_ALLOW_CREDENTIALS, credentials.to_owned()),
        (REFERRER_POLICY, security.referrer_policy.clone()),
        (X_FRAME_OPTIONS, security.frame_options.clone()),
        (X_XSS_PROTECTION, security.xss_protection.clone()),
        (X_CONTENT_TYPE_OPTIONS, security.content_type_options.clone()),
    ];
    let mut headers = HeaderMap::with_capacity(lines.len());
    for (name, text) in lines {
        let value = HeaderValue::from_str(&text)
            .map_err(|_| HttpError::HeaderValue { header: name.as_str().to_owned(), value: text })?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The id of a request: the client's when it is well formed, else a fresh UUID.
pub(crate) fn request_id(headers: &HeaderMap) -> (Arc<str>, HeaderValue) {
    if let Some(value) = headers.get(X_REQUEST_ID)
        && let Ok(text) = value.to_str()
        && is_request_id(text)
    {
        return (Arc::from(text), value.clone());
    }
    let text = uuid_text(fastrand::u128(..));
    // Only hexadecimal digits and hyphens are in it.
    let value =
        HeaderValue::from_maybe_shared(Bytes::copy_from_slice(&text)).unwrap_or(HeaderValue::from_static(""));
    (Arc::from(String::from_utf8_lossy(&text)), value)
}

fn is_request_id(text: &str) -> bool {
    (1..=MAX_REQUEST_ID).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The W3C trace context of a request, when it is well formed.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<Arc<str>> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    is_traceparent(text).then(|| Arc::from(text))
}

fn is_traceparent(text: &str) -> bool {
    let bytes = text.as_bytes();
    let lower_hex = |range: std::ops::Range<usize>| {
        bytes[range].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let not_zero = |range: std::ops::Range<usize>| bytes[range].iter().any(|byte| *byte != b'0');
    bytes.len() == 55
        && [2, 35, 52].iter().all(|at| bytes[*at] == b'-')
        && lower_hex(0..2)
        && &bytes[0..2] != b"ff"
        && lower_hex(3..35)
        && not_zero(3..35)
        && lower_hex(36..52)
        && not_zero(36..52)
        && lower_hex(53..55)
}

/// The headers that hooks may see; values that are not text are left out.
pub(crate) fn visible(headers: &HeaderMap) -> Vec<(&str, &str)> {
    headers
        .iter()
        .filter(|(name, _)| !SECRET.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
        .collect()
}

/// A header as text, when it is.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_common_headers_are_those_of_the_protocol() {
        let headers = common(&HttpConfig::default()).unwrap();
        for (name, value) in [
            ("access-control-allow-origin", ""),
            ("access-control-allow-methods", "GET, POST, PUT, DELETE, OPTIONS"),
            (
                "access-control-allow-headers",
                "Content-Type, Authorization, X-Session-Based-Token, X-CSRF-Token, X-Request-Id",
            ),
            ("access-control-expose-headers", "X-Session-Token, X-Request-Id"),
            ("access-control-allow-credentials", "true"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "SAMEORIGIN"),
            ("x-xss-protection", "0"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(headers.get("vary").is_none() && headers.get("access-control-max-age").is_none());
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_named() {
        let mut config = HttpConfig::default();
        config.security_headers.frame_options = "a\nb".to_owned();
        let message = common(&config).unwrap_err().to_string();
        assert!(message.contains("x-frame-options"), "{message}");
    }

    #[test]
    fn a_request_id_is_taken_over_or_made() {
        let mut headers = HeaderMap::new();
        for (sent, kept) in [
            ("abc-DEF-123", true),
            (&"a".repeat(128), true),
            (&"a".repeat(129), false),
            ("", false),
            ("a_b", false),
            ("a b", false),
        ] {
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(sent).unwrap());
            let (id, value) = request_id(&headers);
            assert_eq!(&*id == sent, kept, "{sent}");
            assert_eq!(value.to_str().unwrap(), &*id);
            assert!(is_request_id(&id));
        }
    }

    #[test]
    fn a_trace_context_must_have_its_shape() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(is_traceparent(good));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(!is_traceparent(bad), "{bad}");
        }
    }

    #[test]
    fn hooks_see_no_secrets() {
        let mut headers = HeaderMap::new();
        for name in SECRET {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("secret"));
        }
        headers.insert("accept", HeaderValue::from_static("*/*"));
        headers.insert("x-binary", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(visible(&headers), [("accept", "*/*")]);
    }

    proptest! {
        #[test]
        fn trace_contexts_never_panic(text in ".{0,60}") {
            let _ = is_traceparent(&text);
        }
    }
}
