//! Where chunks of a running sync call go (wire protocol §4.6, §4.8): to the caller, the room, chosen
//! sessions, or from a client half to the one recipient it is for.
//!
//! Hooks see each chunk; without subscribers a chunk costs its frame and nothing else.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;
use luckystack_plugins::call::SinkFuture;
use luckystack_plugins::{Caller, StreamSink};
use parking_lot::Mutex;

use super::frame::{self, Frames};
use super::stages::Stages;
use super::{Audience, Recipient};
use crate::hooks::{Field, Hook};
use crate::json::JsonError;
use crate::pipeline::Pipeline;
use crate::table::Table;

/// `recipient` in the hooks of chunks that go to the caller.
const ORIGINATOR: &str = "originator";

/// A running sync call, as far as its chunks are concerned: the server half's sink.
pub(super) struct Live {
    pipeline: Pipeline,
    table: Arc<Table>,
    route: Arc<str>,
    caller: Caller,
    receiver: Arc<str>,
    /// As the caller sent it.
    callback: Option<String>,
    pub(super) audience: Arc<dyn Audience>,
    sink: Arc<dyn StreamSink>,
    /// Chunks so far for each recipient; counted only for a hook that asks.
    sent: Mutex<HashMap<String, u64>>,
}

/// The client half's sink, for one batch.
pub(super) struct ToRecipients {
    pub(super) live: Arc<Live>,
    pub(super) frames: Arc<Frames>,
    /// All recipients of the fanout.
    pub(super) recipients: Arc<[Recipient]>,
    /// Which of them the batch is for.
    pub(super) places: Vec<usize>,
}

impl Live {
    pub(super) fn new(stages: &Stages<'_>) -> Live {
        Live {
            pipeline: stages.pipeline.clone(),
            table: Arc::clone(stages.table),
            route: Arc::clone(&stages.run.name),
            caller: stages.run.caller.clone(),
            receiver: Arc::clone(&stages.receiver),
            callback: stages.callback.clone(),
            audience: Arc::clone(&stages.audience),
            sink: Arc::clone(&stages.sink),
            sent: Mutex::default(),
        }
    }

    async fn before(&self, chunk: &[u8], recipient: &str) {
        self.tell(Hook::PreSyncStream, chunk, recipient, None).await;
    }

    async fn after(&self, chunk: &[u8], recipient: &str) {
        if !self.table.hooks().wants(Hook::PostSyncStream, &self.route) {
            return;
        }
        let index = {
            let mut sent = self.sent.lock();
            let count = sent.entry(recipient.to_owned()).or_default();
            *count += 1;
            *count
        };
        self.tell(Hook::PostSyncStream, chunk, recipient, Some(index)).await;
    }

    async fn tell(&self, hook: Hook, chunk: &[u8], recipient: &str, index: Option<u64>) {
        if !self.table.hooks().any(hook) {
            return;
        }
        let payload = [
            ("routeName", Field::Str(&self.route)),
            ("chunk", Field::Json(chunk)),
            ("recipient", Field::Str(recipient)),
            ("chunkIndex", index.map_or(Field::Null, Field::Num)),
        ];
        let payload = if index.is_some() { &payload[..] } else { &payload[..3] };
        let functions = &self.pipeline.0.functions;
        self.table.hooks().dispatch(hook, &self.route, &self.caller, functions, payload).await;
    }

    /// Whether a hook wants to see this call's chunks.
    fn is_watched(&self) -> bool {
        let hooks = self.table.hooks();
        hooks.any(Hook::PreSyncStream) || hooks.any(Hook::PostSyncStream)
    }

    /// A frame for many; none for a chunk that is no object, which is logged.
    fn frame(&self, chunk: &[u8]) -> Option<Vec<u8>> {
        self.checked(frame::stream(chunk, self.callback.as_deref(), &self.route))
    }

    fn checked(&self, frame: Result<Vec<u8>, JsonError>) -> Option<Vec<u8>> {
        frame
            .inspect_err(|error| tracing::error!(route = %self.route, %error, "a chunk was dropped: it is no JSON object"))
            .ok()
    }
}

impl StreamSink for Live {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        if self.aborted() {
            return Box::pin(std::future::ready(false));
        }
        if !self.is_watched() {
            return self.sink.emit(chunk);
        }
        Box::pin(async move {
            self.before(&chunk, ORIGINATOR).await;
            let heard = self.sink.emit(chunk.clone()).await;
            self.after(&chunk, ORIGINATOR).await;
            heard
        })
    }

    fn broadcast(&self, chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(async move {
            if self.aborted() {
                return false;
            }
            let Some(frame) = self.frame(&chunk) else { return false };
            self.before(&chunk, &self.receiver).await;
            self.audience.send_to_room(&self.receiver, None, &frame);
            self.audience.drained(&self.receiver).await;
            self.after(&chunk, &self.receiver).await;
            true
        })
    }

    fn to(&self, tokens: &[String], chunk: Bytes) -> SinkFuture<'_> {
        // A union: who is named twice hears of it once.
        let mut known = HashSet::new();
        let named = tokens.iter().map(|token| token.trim());
        let wanted: Vec<String> =
            named.filter(|token| !token.is_empty() && known.insert(*token)).map(str::to_owned).collect();
        Box::pin(async move {
            if self.aborted() {
                return false;
            }
            let Some(frame) = self.frame(&chunk) else { return false };
            let tokens: Vec<&str> = wanted.iter().map(String::as_str).collect();
            for token in &tokens {
                self.before(&chunk, token).await;
            }
            if !tokens.is_empty() {
                self.audience.send_to_tokens(&tokens, &frame);
                join_all(tokens.iter().map(|token| self.audience.drained(token))).await;
            }
            for token in &tokens {
                self.after(&chunk, token).await;
            }
            true
        })
    }

    fn aborted(&self) -> bool {
        self.sink.aborted()
    }
}

impl StreamSink for ToRecipients {
    /// To whom is not known, unless there is one.
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        match self.places.len() {
            1 => self.to_recipient(0, chunk),
            _ => Box::pin(std::future::ready(false)),
        }
    }

    fn to_recipient(&self, recipient: u32, chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(async move {
            let place = usize::try_from(recipient).ok().and_then(|index| self.places.get(index));
            let Some(recipient) = place.and_then(|&place| self.recipients.get(place)) else { return false };
            let Some(frame) = self.live.checked(self.frames.stream(&chunk)) else { return false };
            let name = recipient.token.as_deref().unwrap_or(&recipient.socket_id);
            self.live.before(&chunk, name).await;
            self.live.audience.send_to(recipient, &frame);
            self.live.after(&chunk, name).await;
            true
        })
    }

    /// A fanout is finished whatever becomes of its caller.
    fn aborted(&self) -> bool {
        false
    }
}
