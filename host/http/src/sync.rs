//! `/sync/…` (wire protocol §4.9): a request becomes a sync call of whoever knows the rooms.

use std::panic::AssertUnwindSafe;

use bytes::Bytes;
use futures::FutureExt;
use luckystack_pipeline::sync::HttpSync;
use luckystack_plugins::Caller;
use luckystack_topology::Method;

use crate::answer::{Answer, SYNC_FAILED, SYNC_INVALID_NAME, SYNC_IO_UNAVAILABLE, SYNC_METHOD};
use crate::api::{event_stream, wants_events};
use crate::dispatch::Dispatch;
use crate::service::{Admitted, Connection, panic_text};
use crate::sse::{self, Opening};

impl<D: Dispatch> Connection<D> {
    /// `body` is JSON text of an object, or nothing.
    pub(crate) async fn sync(
        &self,
        request: &Admitted<'_>,
        method: Method,
        caller: Caller,
        body: Bytes,
    ) -> Answer {
        // Without the leading slash: prefix and tail, as the pipeline takes a name.
        let raw_name = &request.path[1..];
        if raw_name == "sync/" {
            return SYNC_INVALID_NAME.into();
        }
        if method != Method::Post {
            return SYNC_METHOD.into();
        }
        let Some(realtime) = &self.shared.realtime else { return SYNC_IO_UNAVAILABLE.into() };
        let call = HttpSync { raw_name: raw_name.to_owned(), body, caller, sink: None };
        let stream = &self.shared.config.stream;
        if !wants_events(request, stream) {
            let replied = AssertUnwindSafe(realtime.sync.call(call)).catch_unwind().await;
            return match replied {
                Ok(reply) => Answer::reply(reply),
                Err(panic) => {
                    tracing::error!(path = request.path, request_id = %request.id, panic = panic_text(&*panic), "a sync call panicked");
                    SYNC_FAILED.into()
                }
            };
        }
        let sync = std::sync::Arc::clone(&realtime.sync);
        let run = move |sink| sync.call(HttpSync { sink: Some(sink), ..call });
        let opening =
            sse::open(run, SYNC_FAILED, &self.state, &stream.connected_comment, self.write_patience());
        match opening.await {
            Opening::Stream(events) => event_stream(events, request.parts.version),
            Opening::Plain(reply) => Answer::reply(reply),
            Opening::Failed => {
                tracing::error!(path = request.path, request_id = %request.id, "a streaming sync call panicked");
                SYNC_FAILED.into()
            }
        }
    }
}
