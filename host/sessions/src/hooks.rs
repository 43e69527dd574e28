//! How plugins take part (wire protocol §11), as far as this crate and those above it need to know.

use futures::future::BoxFuture;
use serde_json::Value;

/// A subscriber's wish to end what its hook guards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Error code or reason for the client.
    pub error_code: String,
    /// HTTP status, where the hook's place has one.
    pub http_status: Option<u16>,
}

/// Runs hooks by their framework names, such as `preLogin`.
pub trait Hooks: Send + Sync + 'static {
    /// Whether anybody subscribed: asked before a payload is made.
    fn wanted(&self, hook: &str) -> bool;
    /// Runs a hook that may stop, its subscribers one after the other.
    fn ask<'a>(&'a self, hook: &'a str, payload: Value) -> BoxFuture<'a, Option<Stop>>;
    /// Tells the subscribers of a hook that only observes; returns at once. Hooks told one after the
    /// other reach their subscribers in that order.
    fn tell(&self, hook: &'static str, payload: Value);
}

impl dyn Hooks {
    /// Asks a hook that may stop; makes the payload only for somebody.
    pub async fn ask_with(&self, hook: &str, payload: impl FnOnce() -> Value) -> Option<Stop> {
        if !self.wanted(hook) {
            return None;
        }
        self.ask(hook, payload()).await
    }

    /// Tells the subscribers of a hook that only observes; makes the payload only for somebody.
    pub fn tell_with(&self, hook: &'static str, payload: impl FnOnce() -> Value) {
        if self.wanted(hook) {
            self.tell(hook, payload());
        }
    }
}

/// Nobody subscribed to anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoHooks;

impl Hooks for NoHooks {
    fn wanted(&self, _hook: &str) -> bool {
        false
    }

    fn ask<'a>(&'a self, _hook: &'a str, _payload: Value) -> BoxFuture<'a, Option<Stop>> {
        Box::pin(std::future::ready(None))
    }

    fn tell(&self, _hook: &'static str, _payload: Value) {}
}
