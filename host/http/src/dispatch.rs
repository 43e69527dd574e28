//! What this transport needs of whatever answers its calls: the pipeline, or a script in a test.
//!
//! Static dispatch: the hot path pays nothing for the seam.

use std::future::Future;
use std::sync::Arc;

use luckystack_pipeline::{Call, CorsRejected, Hook, HookStop, HttpRequestEvent, Pipeline, Reply};
use luckystack_plugins::Caller;

/// Answers calls and hooks for the HTTP transport.
pub trait Dispatch: Clone + Send + Sync + 'static {
    /// Runs a call to its end (wire protocol §3.2); never fails. Dropping the future means that the
    /// client went away.
    fn call(&self, call: Call) -> impl Future<Output = Reply> + Send;

    /// The caller's language (§1.8): the session's, else by its headers.
    fn negotiate_language(
        &self,
        session: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> Arc<str>;

    /// Whether anybody subscribed to `hook`.
    fn has_hook(&self, hook: Hook) -> bool;

    /// The hook `preHttpRequest` (§6.1 step 4).
    fn pre_http_request(
        &self,
        event: &HttpRequestEvent<'_>,
        caller: &Caller,
    ) -> impl Future<Output = Option<HookStop>> + Send;

    /// The hook `corsRejected`; returns at once, whatever its subscribers do.
    fn cors_rejected(&self, event: CorsRejected, caller: Caller);

    /// Forgets all rate-limit counters; what went wrong, where they are somebody else's to forget.
    fn clear_rate_limits(&self) -> impl Future<Output = Result<(), String>> + Send;

    /// Services whose calls keep failing, by name.
    fn degraded_services(&self) -> Vec<String>;
}

impl Dispatch for Pipeline {
    fn call(&self, call: Call) -> impl Future<Output = Reply> + Send {
        Pipeline::call(self, call)
    }

    fn negotiate_language(
        &self,
        session: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> Arc<str> {
        Pipeline::negotiate_language(self, session, x_language, accept_language)
    }

    fn has_hook(&self, hook: Hook) -> bool {
        Pipeline::has_hook(self, hook)
    }

    fn pre_http_request(
        &self,
        event: &HttpRequestEvent<'_>,
        caller: &Caller,
    ) -> impl Future<Output = Option<HookStop>> + Send {
        Pipeline::pre_http_request(self, event, caller)
    }

    fn cors_rejected(&self, event: CorsRejected, caller: Caller) {
        Pipeline::cors_rejected(self, event, caller);
    }

    async fn clear_rate_limits(&self) -> Result<(), String> {
        Pipeline::clear_rate_limits(self).await.map_err(|error| error.to_string())
    }

    fn degraded_services(&self) -> Vec<String> {
        self.health().degraded.into_iter().map(|degraded| degraded.service).collect()
    }
}
