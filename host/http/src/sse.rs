//! Answers as server-sent events, opened lazily (wire protocol §3.6).
//!
//! The call runs as its own task, so that a client that reads slowly holds back its chunks and not
//! the handler's deadlines; when the response is dropped, because it was sent or because the client
//! went away, the task is ended and with it the call (§3.7).
//!
//! | outcome | on the wire |
//! |---|---|
//! | success, any number of chunks | a stream, `final` carries the envelope |
//! | error before the first chunk | an ordinary response with the real status |
//! | error after a chunk | a stream, `final` carries the error |
//! | the host fails before / after a chunk | an ordinary 500 / the event `error` |

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use luckystack_pipeline::Reply;
use luckystack_pipeline::json::single_line;
use luckystack_plugins::StreamSink;
use luckystack_plugins::call::SinkFuture;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::answer::Canned;
use crate::lifecycle::{ConnState, SendingMark};

/// Chunks that wait for the client before `emit` does: enough that a handler and the network work at
/// the same time, few enough that a stalled client holds little.
const WAITING_CHUNKS: usize = 16;
/// Chunks that are ready at once go out together, up to about this many bytes.
const BATCH: usize = 16 * 1024;

/// How a streaming call begins to be answered.
#[derive(Debug)]
pub(crate) enum Opening {
    /// As a stream.
    Stream(EventStream),
    /// As an ordinary response.
    Plain(Reply),
    /// The host failed before anything was sent.
    Failed,
}

/// An open stream.
#[derive(Debug)]
pub(crate) struct EventStream {
    chunks: mpsc::Receiver<Bytes>,
    /// What goes out before anything else.
    ahead: BytesMut,
    phase: Phase,
    aborted: Arc<AtomicBool>,
    /// What is said when the host fails.
    failed: Canned,
}

/// What the stream waits for.
#[derive(Debug)]
enum Phase {
    /// More chunks, or the end of the call.
    Running(RunningCall),
    /// The client, to take the last event; the mark says so to the sweeper.
    Last { _mark: SendingMark },
    /// Nothing.
    Over,
}

/// A call in its task; dropping it ends the call.
#[derive(Debug)]
struct RunningCall(JoinHandle<(Reply, SendingMark)>);

/// Where a call's chunks go.
struct ChannelSink {
    chunks: mpsc::Sender<Bytes>,
    aborted: Arc<AtomicBool>,
    patience: Duration,
}

/// Runs a call, which is given where its chunks go, and waits until it is known how it is answered. `failed`
/// is what the event `error` says.
pub(crate) async fn open<F: Future<Output = Reply> + Send + 'static>(
    run: impl FnOnce(Arc<dyn StreamSink>) -> F,
    failed: Canned,
    state: &Arc<ConnState>,
    comment: &str,
    patience: Duration,
) -> Opening {
    let (sender, chunks) = mpsc::channel(WAITING_CHUNKS);
    let aborted = Arc::new(AtomicBool::new(false));
    let call = run(Arc::new(ChannelSink { chunks: sender, aborted: Arc::clone(&aborted), patience }));
    let state = Arc::clone(state);
    let mut running = RunningCall(tokio::spawn(async move {
        let reply = call.await;
        (reply, state.sending())
    }));
    // From here on the call ends when this future, or the stream made of it, is dropped.
    let mut stream = EventStream { chunks, ahead: BytesMut::new(), phase: Phase::Over, aborted, failed };
    let ended = tokio::select! {
        biased;
        Some(chunk) = stream.chunks.recv() => {
            stream.push_comment(comment);
            stream.push("stream", &chunk);
            None
        }
        ended = &mut running.0 => Some(ended),
    };
    match ended {
        None => {
            stream.phase = Phase::Running(running);
            Opening::Stream(stream)
        }
        Some(ended) => {
            // Chunks may have come between the last look and the end.
            let mut early = Vec::new();
            while let Ok(chunk) = stream.chunks.try_recv() {
                early.push(chunk);
            }
            match ended {
                Ok((reply, _)) if reply.is_error && early.is_empty() => Opening::Plain(reply),
                Err(_) if early.is_empty() => Opening::Failed,
                ended => {
                    stream.push_comment(comment);
                    for chunk in early {
                        stream.push("stream", &chunk);
                    }
                    stream.finish(ended);
                    Opening::Stream(stream)
                }
            }
        }
    }
}

impl EventStream {
    fn push_comment(&mut self, comment: &str) {
        if !comment.is_empty() {
            self.ahead.extend_from_slice(comment.as_bytes());
            self.ahead.extend_from_slice(b"\n\n");
        }
    }

    fn push(&mut self, event: &str, data: &[u8]) {
        let data = single_line(data);
        self.ahead.reserve(event.len() + data.len() + 16);
        self.ahead.extend_from_slice(b"event: ");
        self.ahead.extend_from_slice(event.as_bytes());
        self.ahead.extend_from_slice(b"\ndata: ");
        self.ahead.extend_from_slice(&data);
        self.ahead.extend_from_slice(b"\n\n");
    }

    /// Writes the last event.
    fn finish(&mut self, ended: Result<(Reply, SendingMark), tokio::task::JoinError>) {
        self.phase = match ended {
            Ok((reply, mark)) => {
                self.push("final", &reply.body);
                Phase::Last { _mark: mark }
            }
            Err(_) => {
                self.push("error", self.failed.body.as_bytes());
                Phase::Over
            }
        };
    }

    /// The next bytes of the stream.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        while self.ahead.len() < BATCH {
            match self.chunks.poll_recv(cx) {
                Poll::Ready(Some(chunk)) => self.push("stream", &chunk),
                Poll::Ready(None) | Poll::Pending => break,
            }
        }
        if let Phase::Running(call) = &mut self.phase
            && let Poll::Ready(ended) = Pin::new(&mut call.0).poll(cx)
        {
            while let Ok(chunk) = self.chunks.try_recv() {
                self.push("stream", &chunk);
            }
            self.finish(ended);
        }
        if !self.ahead.is_empty() {
            return Poll::Ready(Some(self.ahead.split().freeze()));
        }
        match self.phase {
            Phase::Running(_) => Poll::Pending,
            Phase::Last { .. } | Phase::Over => {
                self.phase = Phase::Over;
                Poll::Ready(None)
            }
        }
    }

    /// Whether nothing more will come.
    pub(crate) fn is_over(&self) -> bool {
        self.ahead.is_empty() && !matches!(self.phase, Phase::Running(_))
    }
}

impl Drop for EventStream {
    fn drop(&mut self) {
        self.aborted.store(true, Ordering::Relaxed);
    }
}

impl Drop for RunningCall {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl StreamSink for ChannelSink {
    fn emit(&self, chunk: Bytes) -> SinkFuture<'_> {
        Box::pin(async move {
            if self.aborted() {
                return false;
            }
            match self.chunks.try_send(chunk) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Closed(_)) => false,
                Err(mpsc::error::TrySendError::Full(chunk)) => {
                    let sent = self.chunks.send_timeout(chunk, self.patience).await.is_ok();
                    if !sent {
                        self.aborted.store(true, Ordering::Relaxed);
                    }
                    sent
                }
            }
        })
    }

    fn aborted(&self) -> bool {
        self.aborted.load(Ordering::Relaxed) || self.chunks.is_closed()
    }
}
