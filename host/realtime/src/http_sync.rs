//! `POST /sync/…` (wire protocol §4.9): the stages of a sync call for who has no socket.
//!
//! A call runs in a task of its own: a client that goes away aborts it as `syncCancel` does, and what the
//! others are owed is still delivered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::future::{self, BoxFuture};
use luckystack_pipeline::Reply;
use luckystack_pipeline::envelope::{ErrorEnvelope, Shape, Surface, sync as codes};
use luckystack_pipeline::sync::{HttpSync, SyncCall, SyncOverHttp};
use luckystack_plugins::StreamSink;
use luckystack_plugins::call::SinkFuture;

use crate::audience::Reach;
use crate::message::SyncBody;
use crate::shared::Shared;

/// Answers sync calls by HTTP.
pub(crate) struct Calls(pub(crate) Arc<Shared>);

/// Where chunks go, and whether the client waits.
struct Listener {
    /// None outside of streaming mode.
    chunks: Option<Arc<dyn StreamSink>>,
    gone: Arc<AtomicBool>,
}

/// The client, as long as it waits.
struct Presence(Arc<AtomicBool>);

impl SyncOverHttp for Calls {
    fn call(&self, call: HttpSync) -> BoxFuture<'static, Reply> {
        let shared = Arc::clone(&self.0);
        let gone = Arc::new(AtomicBool::new(false));
        let listener = Listener { chunks: call.sink.clone(), gone: Arc::clone(&gone) };
        Box::pin(async move {
            let presence = Presence(gone);
            let ended = tokio::spawn(run(shared, call, listener)).await;
            drop(presence);
            ended.unwrap_or_else(|_| failure())
        })
    }
}

async fn run(shared: Arc<Shared>, call: HttpSync, listener: Listener) -> Reply {
    let HttpSync { raw_name, body, caller, .. } = call;
    let read = SyncBody::read(&body).and_then(|mut body| Some((body.data.take()?, body)));
    let Some((input, body)) = read else {
        let error = ErrorEnvelope::new(codes::INVALID_REQUEST);
        return shared.pipeline.refuse(Surface::Sync, caller, error).await;
    };
    let audience = Arc::new(Reach::of_http(&shared, caller.session.clone()));
    let call = SyncCall {
        raw_name,
        input,
        receiver: body.receiver.unwrap_or_default(),
        callback: body.callback,
        ignore_self: body.ignore_self,
        caller,
        audience,
        sink: Arc::new(listener),
    };
    shared.pipeline.sync(call).await
}

/// What is answered for a call that failed in the host itself.
fn failure() -> Reply {
    let error = ErrorEnvelope::new(codes::INVALID_REQUEST_FORMAT);
    let mut body = Vec::new();
    error.write(&mut body, Shape::WithoutHttpStatus);
    Reply { status: error.http_status, body: Bytes::from(body), is_error: true, retry_after: None }
}

impl StreamSink for Listener {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        match &self.chunks {
            Some(chunks) if !self.gone.load(Ordering::Relaxed) => chunks.emit(chunk),
            _ => Box::pin(future::ready(false)),
        }
    }

    fn aborted(&self) -> bool {
        self.gone.load(Ordering::Relaxed) || self.chunks.as_ref().is_some_and(|chunks| chunks.aborted())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
