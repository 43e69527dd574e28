//! What this transport needs of whatever answers its calls: the pipeline, or a script in a test.
//!
//! Static dispatch: the hot path pays nothing for the seam.

use std::future::Future;
use std::sync::Arc;

use crate::seam::{Call, HookStop, Reply};

/// A request as the hook `preHttpRequest` sees it (wire protocol §6.1 step 4).
#[derive(Debug)]
pub struct HttpRequestEvent<'a> {
    /// `GET`, `POST`, …
    pub method: &'a str,
    /// Path and query as the client sent them.
    pub url: &'a str,
    /// Follows the request through logs.
    pub request_id: &'a str,
    /// The origin in its one spelling, none when the request names none.
    pub origin: Option<&'a str>,
    /// The headers without those that carry secrets.
    pub headers: Vec<(&'a str, &'a str)>,
}

/// A refused origin as the hook `corsRejected` sees it.
#[derive(Debug, Clone)]
pub struct CorsRejected {
    /// As the client sent it.
    pub origin: Option<String>,
    /// In its one spelling, none when it has none.
    pub normalized_origin: Option<String>,
    /// `http.cors.allowed_origins`
    pub allowed_origins: Vec<String>,
    /// `http.cors.allow_localhost`
    pub allow_localhost: bool,
    /// The decoded path.
    pub route: String,
    /// `missing-origin` or `origin-not-allowed`
    pub reason: &'static str,
}

/// Answers calls and hooks for the HTTP transport.
pub trait Dispatch: Clone + Send + Sync + 'static {
    /// Runs a call to its end (§3.2); never fails. Dropping the future means that the client went away.
    fn call(&self, call: Call) -> impl Future<Output = Reply> + Send;
    /// The caller's language by its headers (§1.8).
    fn negotiate_language(&self, x_language: Option<&str>, accept_language: Option<&str>) -> Arc<str>;
    /// Whether anybody subscribes to `preHttpRequest`.
    fn has_request_hook(&self) -> bool;
    /// The hook `preHttpRequest`.
    fn pre_http_request(&self, event: &HttpRequestEvent<'_>) -> impl Future<Output = Option<HookStop>> + Send;
    /// Whether anybody subscribes to `corsRejected`.
    fn has_cors_hook(&self) -> bool;
    /// The hook `corsRejected`; answered at once, whatever the subscribers do.
    fn cors_rejected(&self, event: CorsRejected);
    /// Services that fail all their calls, by name.
    fn degraded_services(&self) -> Vec<String>;
}
