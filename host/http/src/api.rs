//! `/api/…`: a request becomes a call, and its reply a response (wire protocol §1.3, §3.2, §3.6).

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures::FutureExt;
use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use luckystack_pipeline::Call;
use luckystack_plugins::Caller;
use luckystack_topology::{Method, Prefix, StreamConfig};

use crate::answer::{API_INVALID_NAME, Answer, HANDLER_FAILED};
use crate::body::Content;
use crate::dispatch::Dispatch;
use crate::input::wants_stream;
use crate::service::{Admitted, Connection, panic_text};
use crate::sse::{self, EventStream, Opening};

const EVENT_STREAM: &str = "text/event-stream";
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

impl<D: Dispatch> Connection<D> {
    pub(crate) async fn api(
        &self,
        request: &Admitted<'_>,
        method: Method,
        caller: Caller,
        input: Bytes,
    ) -> Answer {
        // Without the leading slash: prefix and tail, as the pipeline takes a name.
        let raw_name = &request.path[1..];
        if raw_name == "api/" {
            return API_INVALID_NAME.into();
        }
        let call = Call {
            prefix: Prefix::Api,
            raw_name: raw_name.to_owned(),
            method: Some(method),
            input,
            caller,
            sink: None,
        };
        let stream = &self.shared.config.stream;
        if !wants_events(request, stream) {
            // Caught here and not with the rest of the request: the protocol has an own answer for a
            // failure behind the route.
            let replied = AssertUnwindSafe(self.shared.dispatch.call(call)).catch_unwind().await;
            return match replied {
                Ok(reply) => Answer::reply(reply),
                Err(panic) => {
                    tracing::error!(path = request.path, request_id = %request.id, panic = panic_text(&*panic), "a call panicked");
                    HANDLER_FAILED.into()
                }
            };
        }
        let dispatch = self.shared.dispatch.clone();
        let run = move |sink| async move { dispatch.call(Call { sink: Some(sink), ..call }).await };
        let opening =
            sse::open(run, HANDLER_FAILED, &self.state, &stream.connected_comment, self.write_patience());
        match opening.await {
            Opening::Stream(events) => event_stream(events, request.parts.version),
            Opening::Plain(reply) => Answer::reply(reply),
            Opening::Failed => {
                tracing::error!(path = request.path, request_id = %request.id, "a streaming call panicked");
                HANDLER_FAILED.into()
            }
        }
    }
}

/// Whether the answer is to be an event stream (§3.6).
pub(crate) fn wants_events(request: &Admitted<'_>, stream: &StreamConfig) -> bool {
    accepts_events(&request.parts.headers)
        || wants_stream(request.parts.uri.query(), &stream.query_param, &stream.enabled_value)
}

/// Whether `Accept` asks for an event stream: a case-insensitive substring (§3.6).
fn accepts_events(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        value
            .as_bytes()
            .windows(EVENT_STREAM.len())
            .any(|part| part.eq_ignore_ascii_case(EVENT_STREAM.as_bytes()))
    })
}

pub(crate) fn event_stream(events: EventStream, version: Version) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK)
        .with(CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"))
        .with(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    // HTTP/2 knows no such header and forbids it.
    if version < Version::HTTP_2 {
        answer = answer.with(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    answer.content_type = Some(HeaderValue::from_static(EVENT_STREAM));
    answer.content = Content::Events(events);
    answer
}
