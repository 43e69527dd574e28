//! Fewer, larger chunks for text that arrives in crumbs (wire protocol §4.8).

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::Ctx;

/// Where a throttle sends what it gathered; whether anybody listens.
type Emitter<'a> = Box<dyn Fn(&Map<String, Value>) -> bool + 'a>;

/// Gathers text and streams it as `{FIELD: text}` whenever enough has come together: 32 characters, or
/// what has waited for 50 milliseconds.
///
/// A handler runs alone, so no timer can flush behind its back: the interval is looked at when text is
/// pushed, and what is left goes out with [`StreamThrottle::flush`] or when the throttle is dropped.
///
/// ```
/// # use luckystack::{StreamThrottle, testing};
/// # let ctx = testing::call().build();
/// let mut throttle = StreamThrottle::new(&ctx, "delta").flush_at_chars(8);
/// throttle.push("Hello, ");
/// throttle.push("world");
/// drop(throttle);
/// # let sent: Vec<serde_json::Value> = testing::streamed();
/// # assert_eq!(sent, [serde_json::json!({"delta": "Hello, world"})]);
/// ```
///
/// In a sync handler, [`StreamThrottle::to`] takes what sends: `StreamThrottle::to("chunk", |chunk|
/// ctx.broadcast(chunk))`.
pub struct StreamThrottle<'a> {
    emitter: Emitter<'a>,
    field: &'a str,
    flush_at: usize,
    every: Option<Duration>,
    pending: String,
    pending_chars: usize,
    /// When the first of what is pending came.
    since: Duration,
    listening: bool,
}

impl<'a> StreamThrottle<'a> {
    /// Streams to the caller under `field`.
    #[must_use]
    pub fn new(ctx: &'a Ctx, field: &'a str) -> Self {
        Self::to(field, move |chunk| ctx.stream(chunk))
    }

    /// Streams under `field` to whomever `emitter` sends to; it answers whether anybody listens.
    #[must_use]
    pub fn to(field: &'a str, emitter: impl Fn(&Map<String, Value>) -> bool + 'a) -> Self {
        Self {
            emitter: Box::new(emitter),
            field,
            flush_at: 32,
            every: Some(Duration::from_millis(50)),
            pending: String::new(),
            pending_chars: 0,
            since: Duration::ZERO,
            listening: true,
        }
    }

    /// Sends when this many characters have come together; 32 unless told.
    #[must_use]
    pub fn flush_at_chars(mut self, chars: usize) -> Self {
        self.flush_at = chars.max(1);
        self
    }

    /// Sends, at the next push, what has waited this long; 50 ms unless told, and `None` for never.
    #[must_use]
    pub fn flush_every(mut self, interval: impl Into<Option<Duration>>) -> Self {
        self.every = interval.into();
        self
    }

    /// Adds text. False when nobody listens any more.
    pub fn push(&mut self, text: &str) -> bool {
        if self.pending.is_empty() && self.every.is_some() {
            self.since = crate::time::now();
        }
        self.pending.push_str(text);
        self.pending_chars += text.chars().count();
        if self.pending_chars >= self.flush_at || self.is_due() { self.flush() } else { self.listening }
    }

    fn is_due(&self) -> bool {
        self.every.is_some_and(|every| crate::time::now().saturating_sub(self.since) >= every)
    }

    /// Sends what is left. False when nobody listens any more.
    pub fn flush(&mut self) -> bool {
        if !self.pending.is_empty() {
            let text = std::mem::take(&mut self.pending);
            self.pending_chars = 0;
            let chunk = Map::from_iter([(self.field.to_owned(), Value::String(text))]);
            self.listening = (self.emitter)(&chunk);
        }
        self.listening
    }

    /// Forgets what is left.
    pub fn reset(&mut self) {
        self.pending.clear();
        self.pending_chars = 0;
    }
}

impl Drop for StreamThrottle<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for StreamThrottle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamThrottle")
            .field("field", &self.field)
            .field("flush_at", &self.flush_at)
            .field("every", &self.every)
            .field("pending_chars", &self.pending_chars)
            .finish_non_exhaustive()
    }
}
