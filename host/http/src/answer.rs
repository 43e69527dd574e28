//! What a stage of the request answers, before the headers common to all responses are put on.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderName, HeaderValue, StatusCode};
use luckystack_pipeline::Reply;

use crate::body::Content;

pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json");
pub(crate) const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// An answer whose body never varies, as the protocol prescribes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Canned {
    pub status: u16,
    pub body: &'static str,
}

macro_rules! envelope {
    ($name:ident, $status:literal, $code:literal) => {
        pub(crate) const $name: Canned = Canned {
            status: $status,
            body: concat!(
                r#"{"status":"error","httpStatus":"#,
                $status,
                r#","message":""#,
                $code,
                r#"","errorCode":""#,
                $code,
                r#""}"#
            ),
        };
    };
    ($name:ident, $status:literal, $code:literal, bare) => {
        pub(crate) const $name: Canned = Canned {
            status: $status,
            body: concat!(r#"{"status":"error","message":""#, $code, r#"","errorCode":""#, $code, r#""}"#),
        };
    };
}

// §1.3, §1.6, §1.10.
envelope!(API_INVALID_NAME, 400, "api.invalidName");
envelope!(INVALID_FORMAT, 400, "api.invalidRequestFormat");
envelope!(UNSUPPORTED_MEDIA_TYPE, 415, "api.unsupportedMediaType");
envelope!(PAYLOAD_TOO_LARGE, 413, "api.payloadTooLarge");
envelope!(HANDLER_FAILED, 500, "api.invalidRequestFormat");
envelope!(SYNC_INVALID_NAME, 400, "sync.invalidName", bare);
envelope!(SYNC_METHOD, 405, "sync.methodNotAllowed", bare);
envelope!(SYNC_IO_UNAVAILABLE, 400, "sync.ioUnavailable");
envelope!(SYNC_FAILED, 500, "sync.invalidRequestFormat", bare);
// Limits that the protocol does not know: the code of its nearest relative, or an own one.
envelope!(BODY_TIMEOUT, 408, "server.requestTimeout");
// Sessions cannot be read, so nobody can be let in and nobody is taken for a stranger.
envelope!(SESSIONS_UNAVAILABLE, 503, "session.unavailable");

/// The framework's own routes were asked by another method than theirs (§5.7, §6.2).
pub(crate) const METHOD_NOT_ALLOWED: Canned =
    Canned { status: 405, body: r#"{"status":"error","errorCode":"api.methodNotAllowed"}"# };

/// A connection sent more requests a second than it may.
pub(crate) const TOO_MANY: Canned = Canned {
    status: 429,
    body: concat!(
        r#"{"status":"error","message":"api.rateLimitExceeded","errorCode":"api.rateLimitExceeded","#,
        r#""errorParams":[{"key":"seconds","value":1}],"httpStatus":429}"#
    ),
};
/// §6.1 step 12.
pub(crate) const INTERNAL: Canned =
    Canned { status: 500, body: r#"{"status":"error","errorCode":"server.internalError"}"# };

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    /// None for an answer without a body.
    pub content_type: Option<HeaderValue>,
    pub content: Content,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether the connection is closed behind it.
    pub close: bool,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, content_type: None, content: Content::Empty, headers: Vec::new(), close: false }
    }

    pub(crate) fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        Self {
            status,
            content_type: Some(content_type),
            content: Content::Full(body),
            headers: Vec::new(),
            close: false,
        }
    }

    pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self::bytes(status, JSON, body.into())
    }

    pub(crate) fn text(status: StatusCode, body: impl Into<Cow<'static, str>>) -> Self {
        let body = match body.into() {
            Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
            Cow::Owned(text) => Bytes::from(text),
        };
        Self::bytes(status, TEXT, body)
    }

    /// What no static handler answers, and what it does not find.
    pub(crate) fn not_found() -> Self {
        Self::text(StatusCode::NOT_FOUND, "Not Found")
    }

    /// The pipeline's reply, as an ordinary response.
    pub(crate) fn reply(reply: Reply) -> Self {
        let mut answer = Self::json(status(reply.status), reply.body);
        if let Some(seconds) = reply.retry_after {
            answer.headers.push((RETRY_AFTER, HeaderValue::from(seconds)));
        }
        answer
    }

    pub(crate) fn closing(mut self) -> Self {
        self.close = true;
        self
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Puts the answer's own headers over the common ones.
    pub(crate) fn put_headers(&mut self, headers: &mut http::HeaderMap) {
        match self.content_type.take() {
            Some(own) => headers.insert(CONTENT_TYPE, own),
            None => headers.remove(CONTENT_TYPE),
        };
        for (name, value) in self.headers.drain(..) {
            // Each cookie is a header of its own; of everything else there is one.
            if name == SET_COOKIE {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
    }
}

impl From<Canned> for Answer {
    fn from(canned: Canned) -> Self {
        Self::json(status(canned.status), Bytes::from_static(canned.body.as_bytes()))
    }
}

/// A status that may end a response: what a handler made up is an internal error.
fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
