//! Fewer, larger chunks for text that arrives in crumbs.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::Ctx;

/// Gathers text and streams it as `{FIELD: text}` whenever enough has come together.
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
#[derive(Debug)]
pub struct StreamThrottle<'a> {
    ctx: &'a Ctx,
    field: &'a str,
    flush_at: usize,
    every: Option<Duration>,
    pending: String,
    pending_chars: usize,
    last: Duration,
    listening: bool,
}

impl<'a> StreamThrottle<'a> {
    /// Streams under `field`, at every 64 characters.
    #[must_use]
    pub fn new(ctx: &'a Ctx, field: &'a str) -> Self {
        Self {
            ctx,
            field,
            flush_at: 64,
            every: None,
            pending: String::new(),
            pending_chars: 0,
            last: Duration::ZERO,
            listening: true,
        }
    }

    /// Sends when this many characters have come together.
    #[must_use]
    pub fn flush_at_chars(mut self, chars: usize) -> Self {
        self.flush_at = chars.max(1);
        self
    }

    /// Sends, at the next push, what has waited this long.
    #[must_use]
    pub fn flush_every(mut self, interval: Duration) -> Self {
        self.every = Some(interval);
        self.last = crate::time::now();
        self
    }

    /// Adds text. False when nobody listens any more.
    pub fn push(&mut self, text: &str) -> bool {
        self.pending.push_str(text);
        self.pending_chars += text.chars().count();
        let waited = self.every.is_some_and(|every| crate::time::now().saturating_sub(self.last) >= every);
        if self.pending_chars >= self.flush_at || waited { self.flush() } else { self.listening }
    }

    /// Sends what is left. False when nobody listens any more.
    pub fn flush(&mut self) -> bool {
        if !self.pending.is_empty() {
            let text = std::mem::take(&mut self.pending);
            self.pending_chars = 0;
            let chunk = Map::from_iter([(self.field.to_owned(), Value::String(text))]);
            self.listening = self.ctx.stream(&chunk);
        }
        if self.every.is_some() {
            self.last = crate::time::now();
        }
        self.listening
    }
}

impl Drop for StreamThrottle<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
