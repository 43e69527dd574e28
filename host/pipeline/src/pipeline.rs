//! The order of a call (wire protocol §3.1, §3.2): the one place where it is written down.
//!
//! name → route → auth → limits → method → validate → hooks → execute → hooks → envelope → respond.
//! What differs between transports is data of the call (an HTTP method or none, a transport in the
//! caller), not a second copy of this file.
//!
//! Hot: everything here but the guest's own time has a budget of 5 µs a call, guarded by the bench
//! `pipeline`. Hooks and errors are the only stages that allocate in proportion to their payload.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use luckystack_plugins::{
    CallContext, CallError, Caller, FunctionResolver, HandlerError, HookStop, ServiceRuntime, StreamSink,
    Transport,
};
use luckystack_topology::{Prefix, ProjectConfig, RuntimeMode, parse_transport_name};
use serde::Serialize;

use crate::auth::evaluate;
use crate::call::{Call, Reply};
use crate::envelope::{self, ErrorEnvelope, Outcome, RawError, Surface};
use crate::functions::LiveFunctions;
use crate::hooks::{Decision as HookDecision, Field, Hook, HookTable, Payload};
use crate::limits::{self, Decision, Identity, RateLimiter};
use crate::locale::Locales;
use crate::table::{Route, Table};

thread_local! {
    /// The route name of errors raised before a name was understood (§3.1).
    static UNKNOWN_NAME: Arc<str> = Arc::from("api/unknown");
}

/// A hook's stop has this status unless it says another (wire protocol §1.10).
const STOPPED: u16 = 403;

/// The refusal of a service whose queue is full; ours, the original has no queues.
pub const SERVICE_BUSY: &str = "api.serviceBusy";

/// The pipeline. Cheap to clone; all clones see the same table.
#[derive(Clone)]
pub struct Pipeline(Arc<Inner>);

struct Inner {
    table: Arc<ArcSwap<Table>>,
    locales: ArcSwap<Locales>,
    limiter: RateLimiter,
    policy: Policy,
    functions: Arc<dyn FunctionResolver>,
}

/// What the pipeline needs of the project's configuration.
#[derive(Clone, Debug)]
struct Policy {
    limits_enabled: bool,
    /// Calls per window and route, 0 for none.
    api_limit: u32,
    /// Calls per window and address, 0 for none.
    ip_limit: u32,
    /// Loopback peers are spared the address bucket.
    spares_loopback: bool,
    validates: bool,
    request_timeout: Option<Duration>,
}

/// What the host says of its services' health.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Loaded services, by name.
    pub services: Vec<String>,
    /// Those whose calls keep failing.
    pub degraded: Vec<Degraded>,
}

/// One degraded service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Degraded {
    /// The service.
    pub service: String,
    /// Its last failure.
    pub reason: String,
}

/// Payload of the hook `preHttpRequest`. Headers come filtered: nothing secret among them.
#[derive(Clone, Copy, Debug)]
pub struct HttpRequestEvent<'a> {
    /// `GET`.
    pub method: &'a str,
    /// Path and query.
    pub url: &'a str,
    /// The request's id.
    pub request_id: &'a str,
    /// Normalised origin, when there is one.
    pub origin: Option<&'a str>,
    /// Name and value of each header.
    pub headers: &'a [(&'a str, &'a str)],
    /// Address of the client.
    pub ip: &'a str,
}

/// Payload of the hook `corsRejected`.
#[derive(Clone, Debug)]
pub struct CorsRejected {
    /// The header as it came.
    pub origin: String,
    /// Its normal form, when it has one.
    pub normalized_origin: Option<String>,
    /// Origins that would have been allowed.
    pub allowed_origins: Vec<String>,
    /// Whether any localhost would have been.
    pub allow_localhost: bool,
    /// The path.
    pub route: String,
    /// Why, in words.
    pub reason: String,
}

/// An envelope on its way out.
struct Answer {
    body: Bytes,
    status: u16,
    is_error: bool,
    retry_after: Option<u64>,
}

/// An error on its way to becoming an envelope.
struct Failure {
    envelope: ErrorEnvelope,
    retry_after: Option<u64>,
}

impl From<ErrorEnvelope> for Failure {
    fn from(envelope: ErrorEnvelope) -> Self {
        Failure { envelope, retry_after: None }
    }
}

impl Pipeline {
    /// A pipeline with nothing to serve yet. In production validation may be off and the address bucket
    /// spares nobody (wire protocol §3.3, §3.5).
    pub fn new(project: &ProjectConfig, locales: Locales, production: bool) -> Pipeline {
        let limits = &project.rate_limiting;
        let policy = Policy {
            limits_enabled: limits.enabled,
            api_limit: limits.default_api_limit.unwrap_or(0),
            ip_limit: limits.default_ip_limit.unwrap_or(0),
            spares_loopback: limits.skip_loopback_in_dev && !production,
            validates: project.validation.runtime_mode == RuntimeMode::Enforce || !production,
            request_timeout: project.api.request_timeout,
        };
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        Pipeline(Arc::new(Inner {
            functions: Arc::new(LiveFunctions(Arc::clone(&table))),
            table,
            locales: ArcSwap::from_pointee(locales),
            limiter: RateLimiter::new(limits.window, limits.max_keys as usize),
            policy,
        }))
    }

    /// Makes `table` the live one. Calls in flight end on the table they began on.
    pub fn swap(&self, table: Table) {
        self.0.table.store(Arc::new(table));
    }

    /// The live table.
    pub fn table(&self) -> Arc<Table> {
        self.0.table.load_full()
    }

    /// Replaces the translations.
    pub fn swap_locales(&self, locales: Locales) {
        self.0.locales.store(Arc::new(locales));
    }

    /// Forgets all rate-limit counters.
    pub fn clear_rate_limits(&self) {
        self.0.limiter.clear();
    }

    /// The language for a caller without a session (wire protocol §1.8).
    pub fn negotiate_language(&self, x_language: Option<&str>, accept_language: Option<&str>) -> Arc<str> {
        self.0.locales.load().negotiate_shared(None, x_language, accept_language)
    }

    /// The envelope of an error that a transport found by itself, translated.
    pub fn error_reply(&self, language: &str, envelope: ErrorEnvelope) -> Reply {
        let envelope = envelope.localized(&self.0.locales.load(), language);
        Reply { status: envelope.http_status, body: envelope.to_bytes(), is_error: true, retry_after: None }
    }

    /// Whether anybody subscribed to `hook`.
    pub fn has_hook(&self, hook: Hook) -> bool {
        self.0.table.load().hooks().any(hook)
    }

    /// Runs the hook `preHttpRequest` (wire protocol §6.1 step 4).
    pub async fn pre_http_request(&self, event: &HttpRequestEvent<'_>, caller: &Caller) -> Option<HookStop> {
        let headers = crate::json::flat_object(event.headers.iter().copied());
        self.free_hook(
            Hook::PreHttpRequest,
            event.url,
            caller.clone(),
            &[
                ("method", Field::Str(event.method)),
                ("url", Field::Str(event.url)),
                ("requestId", Field::Str(event.request_id)),
                ("origin", Field::str_or_null(event.origin)),
                ("headers", Field::Json(&headers)),
            ],
        )
        .await
    }

    /// Tells the subscribers of `corsRejected`, without waiting for them.
    pub fn cors_rejected(&self, event: CorsRejected, caller: Caller) {
        if !self.has_hook(Hook::CorsRejected) {
            return;
        }
        let pipeline = self.clone();
        tokio::spawn(async move {
            let allowed = serde_json::Value::from(event.allowed_origins).to_string();
            let payload = [
                ("origin", Field::Str(&event.origin)),
                ("normalizedOrigin", Field::str_or_null(event.normalized_origin.as_deref())),
                ("allowedOrigins", Field::Json(allowed.as_bytes())),
                ("allowLocalhost", Field::Bool(event.allow_localhost)),
                ("route", Field::Str(&event.route)),
                ("reason", Field::Str(&event.reason)),
            ];
            pipeline.free_hook(Hook::CorsRejected, &event.route, caller, &payload).await;
        });
    }

    /// Tells the subscribers of `preServerStop` and waits for them.
    pub async fn pre_server_stop(&self, reason: &str, timeout: Duration) {
        let caller = Caller {
            session: None,
            ip: "unknown".into(),
            language: "en".into(),
            request_id: "stop".into(),
            traceparent: None,
            transport: Transport::Http,
        };
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let payload = [("reason", Field::Str(reason)), ("timeoutMs", Field::Num(millis))];
        self.free_hook(Hook::PreServerStop, Hook::PreServerStop.name(), caller, &payload).await;
    }

    /// A hook that belongs to no call.
    async fn free_hook(
        &self,
        hook: Hook,
        route: &str,
        caller: Caller,
        payload: &[(&'static str, Field<'_>)],
    ) -> Option<HookStop> {
        let table = self.0.table.load_full();
        if !table.hooks().any(hook) {
            return None;
        }
        let route: Arc<str> = route.into();
        table.hooks().dispatch(hook, &route, &caller, &self.0.functions, payload).await.stop
    }

    /// How the loaded services are.
    pub fn health(&self) -> Health {
        let table = self.0.table.load();
        let mut services: Vec<&Arc<ServiceRuntime>> = table.services().iter().collect();
        services.sort_by_key(|service| Arc::clone(service.name()));
        Health {
            services: services.iter().map(|service| service.name().to_string()).collect(),
            degraded: services
                .iter()
                .filter_map(|service| {
                    let reason = service.degraded()?;
                    Some(Degraded { service: service.name().to_string(), reason })
                })
                .collect(),
        }
    }

    /// Answers one call. Never fails: what goes wrong is an error envelope.
    ///
    /// Dropping the future means that the client went away: the guest can see it (`aborted`) and ends
    /// in the background within its deadline.
    pub async fn call(&self, call: Call) -> Reply {
        let inner = &*self.0;
        let table = inner.table.load_full();
        let Call { prefix, raw_name, method, input, caller, sink } = call;
        debug_assert_eq!(prefix, Prefix::Api, "sync calls have a pipeline of their own");

        let mut run = Run { inner, table: &table, name: UNKNOWN_NAME.with(Arc::clone), caller, sink, input };

        let (answer, route) = match run.find(&raw_name) {
            Ok(route) => {
                let outcome = match run.admit(&route, method).await {
                    Ok(()) => run.execute(&route).await,
                    Err(failure) => Err(failure),
                };
                match outcome {
                    Ok(answer) => (answer, Some(route)),
                    Err(failure) => (run.fail(failure), Some(route)),
                }
            }
            Err(failure) => (run.fail(failure), None),
        };
        run.respond(answer, route.as_deref(), raw_name).await
    }
}

/// One call on its way through the stages.
struct Run<'a> {
    inner: &'a Inner,
    table: &'a Table,
    /// The full name once it is understood.
    name: Arc<str>,
    caller: Caller,
    sink: Option<Arc<dyn StreamSink>>,
    input: Bytes,
}

impl Run<'_> {
    fn hooks(&self) -> &HookTable {
        self.table.hooks()
    }

    async fn dispatch(&self, hook: Hook, payload: &Payload<'_>) -> HookDecision {
        self.hooks().dispatch(hook, &self.name, &self.caller, &self.inner.functions, payload).await
    }

    fn user_json(&self) -> Field<'_> {
        self.caller.session.as_ref().map_or(Field::Null, |session| Field::Json(&session.user))
    }

    /// Name grammar and route lookup (stages 6 and 8).
    fn find(&mut self, raw_name: &str) -> Result<Arc<Route>, Failure> {
        let Ok(name) = parse_transport_name(Prefix::Api, raw_name) else {
            let code = envelope::routing::INVALID_SERVICE_ROUTE_NAME;
            return Err(ErrorEnvelope::new(code).param("name", raw_name.to_owned()).into());
        };
        if let Some(route) = self.table.route(&name.full) {
            self.name = Arc::clone(&route.full);
            return Ok(Arc::clone(route));
        }
        self.name = Arc::from(&*name.full);
        if self.table.is_elsewhere(name.service()) {
            let code = envelope::routing::SERVICE_NOT_ASSIGNED;
            return Err(ErrorEnvelope::new(code).param("service", name.service().to_owned()).into());
        }
        Err(ErrorEnvelope::new(envelope::api::NOT_FOUND).param("name", name.full.clone().into_owned()).into())
    }

    /// Auth, limits, method and validation (stages 10 to 15 without execution).
    async fn admit(
        &self,
        route: &Arc<Route>,
        method: Option<luckystack_topology::Method>,
    ) -> Result<(), Failure> {
        self.check_auth(route).await?;
        self.check_limits(route).await?;
        if method.is_some_and(|method| method != route.method) {
            let error = ErrorEnvelope::new(envelope::api::METHOD_NOT_ALLOWED);
            return Err(error.param("method", route.method.as_str()).into());
        }
        self.validate(route).await?;
        self.pre_execute(route).await
    }

    async fn check_auth(&self, route: &Arc<Route>) -> Result<(), Failure> {
        if !route.auth.login && route.auth.additional.is_empty() {
            return Ok(());
        }
        let session = self.caller.session.as_ref();
        // Only predicates look inside the session; presence alone needs no parsing.
        let user: Option<serde_json::Value> = match session {
            Some(session) if !route.auth.additional.is_empty() => {
                Some(serde_json::from_slice(&session.user).unwrap_or(serde_json::Value::Null))
            }
            Some(_) => Some(serde_json::Value::Null),
            None => None,
        };
        let Err(failure) = evaluate(&route.auth, user.as_ref(), Surface::Api) else { return Ok(()) };
        if self.hooks().any(Hook::ApiAuthRejected) {
            let envelope = failure.envelope(Surface::Api);
            let key =
                envelope.error_params.iter().find(|param| param.key == "key").and_then(|param| match &param
                    .value
                {
                    envelope::ParamValue::Str(key) => Some(&**key),
                    envelope::ParamValue::Num(_) | envelope::ParamValue::Bool(_) => None,
                });
            let payload = [
                ("routeName", Field::Str(&route.full)),
                ("reason", Field::Str(failure.hook_reason())),
                ("userId", Field::str_or_null(session.map(|session| session.user_id.as_str()))),
                ("ip", Field::Str(&self.caller.ip)),
                ("transport", Field::Str(self.caller.transport.as_str())),
                ("failedKey", Field::str_or_null(key)),
            ];
            self.dispatch(Hook::ApiAuthRejected, &payload).await;
        }
        Err(failure.envelope(Surface::Api).into())
    }

    /// Route bucket, then address bucket (wire protocol §3.3).
    async fn check_limits(&self, route: &Arc<Route>) -> Result<(), Failure> {
        let policy = &self.inner.policy;
        if !policy.limits_enabled {
            return Ok(());
        }
        let route_limit = route.rate_limit.unwrap_or(policy.api_limit);
        let exceeded = self.count(route, route_limit);
        let Some((scope, key, limit, seconds, count)) = exceeded else { return Ok(()) };
        if self.hooks().any(Hook::RateLimitExceeded) {
            let window = u64::try_from(self.inner.limiter.window().as_millis()).unwrap_or(u64::MAX);
            let user = self.caller.session.as_ref().map(|session| session.user_id.as_str());
            let payload = [
                ("scope", Field::Str(scope)),
                ("key", Field::Str(&key)),
                ("limit", Field::Num(limit.into())),
                ("windowMs", Field::Num(window)),
                ("count", Field::Num(count.into())),
                ("route", Field::Str(&route.full)),
                ("ip", Field::Str(&self.caller.ip)),
                ("userId", Field::str_or_null(user)),
            ];
            self.dispatch(Hook::RateLimitExceeded, &payload).await;
        }
        Err(ErrorEnvelope::new(envelope::api::RATE_LIMIT_EXCEEDED).param("seconds", seconds).into())
    }

    /// Counts the call in both buckets; what was exceeded, if anything.
    fn count(&self, route: &Route, route_limit: u32) -> Option<(&'static str, String, u32, u64, u32)> {
        thread_local! {
            // Keys are built for every call; the buffer is kept.
            static KEY: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let now = Instant::now();
        let limiter = &self.inner.limiter;
        let caller = &self.caller;
        let identity = match &caller.session {
            Some(session) => Identity::User(&session.user_id),
            None => Identity::Ip(&caller.ip),
        };
        KEY.with_borrow_mut(|buffer| {
            let key = limits::route_key(buffer, identity, Surface::Api, &route.full);
            if let Decision::Exceeded { seconds, count } = limiter.check(key, route_limit, now) {
                return Some(("route", key.to_owned(), route_limit, seconds, count));
            }
            let policy = &self.inner.policy;
            let limit = match policy.spares_loopback && is_loopback(&caller.ip) {
                true => 0,
                false => policy.ip_limit,
            };
            let key = limits::address_key(buffer, &caller.ip, Surface::Api);
            match limiter.check(key, limit, now) {
                Decision::Exceeded { seconds, count } => Some(("ip", key.to_owned(), limit, seconds, count)),
                Decision::Allowed => None,
            }
        })
    }

    /// Input validation between its two hooks (stages 12 to 14).
    async fn validate(&self, route: &Arc<Route>) -> Result<(), Failure> {
        let call_payload = [
            ("routeName", Field::Str(&route.full)),
            ("data", Field::Json(&self.input)),
            ("user", self.user_json()),
            ("transport", Field::Str(self.caller.transport.as_str())),
        ];
        if self.hooks().any(Hook::PreApiValidate) {
            self.dispatch(Hook::PreApiValidate, &call_payload).await;
        }
        let checked = match &route.validator {
            Some(validator) if self.inner.policy.validates => validator.check(&self.input),
            Some(_) | None => Ok(()),
        };
        if let Err(violation) = &checked {
            // The detail is for the log; the caller gets the bare code (§3.5).
            tracing::info!(route = %route.full, request_id = %self.caller.request_id, %violation, "invalid input");
        }
        if self.hooks().any(Hook::PostApiValidate) {
            let outcome = match &checked {
                Ok(()) => r#"{"status":"success"}"#.to_owned(),
                Err(violation) => {
                    serde_json::json!({"status": "error", "message": violation.to_string()}).to_string()
                }
            };
            let mut payload = call_payload.to_vec();
            payload.push(("validation", Field::Json(outcome.as_bytes())));
            self.dispatch(Hook::PostApiValidate, &payload).await;
        }
        checked.map_err(|_| ErrorEnvelope::new(envelope::api::INVALID_INPUT_TYPE).into())
    }

    async fn pre_execute(&self, route: &Arc<Route>) -> Result<(), Failure> {
        if !self.hooks().any(Hook::PreApiExecute) {
            return Ok(());
        }
        let payload = [
            ("routeName", Field::Str(&route.full)),
            ("data", Field::Json(&self.input)),
            ("user", self.user_json()),
            ("transport", Field::Str(self.caller.transport.as_str())),
        ];
        let decision = self.dispatch(Hook::PreApiExecute, &payload).await;
        decision.stop.map_or(Ok(()), |stop| Err(stopped(stop).into()))
    }

    /// The handler, its post-hook, and the envelope of what it returned (stages 16 to 18).
    async fn execute(&mut self, route: &Arc<Route>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut allowed = route.plugin.service().settings().deadline;
        // Streams over HTTP are exempt from the request timeout, never from the service's deadline (§3.7).
        let streams_over_http = self.sink.is_some() && self.caller.transport == Transport::Http;
        if let Some(timeout) = self.inner.policy.request_timeout.filter(|_| !streams_over_http) {
            allowed = allowed.min(timeout);
        }
        let mut context = CallContext::new(Arc::clone(&route.full), self.caller.clone(), started + allowed);
        context.functions = Some(Arc::clone(&self.inner.functions));
        context.sink = self.sink.take();
        let result = route.plugin.call_api(Arc::new(context), self.input.clone()).await;
        let outcome = self.outcome(route, result);
        self.post_execute(route, &outcome, started).await;
        match outcome {
            Executed::Answered { body, status } => {
                Ok(Answer { body, status, is_error: false, retry_after: None })
            }
            Executed::Failed(failure) | Executed::TimedOut(failure) => Err(failure),
        }
    }

    fn outcome(&self, route: &Route, result: Result<Result<Vec<u8>, HandlerError>, CallError>) -> Executed {
        let raw = match result {
            Ok(Ok(output)) => match envelope::normalize_success(&output) {
                Ok(Outcome::Success { body, http_status }) => {
                    return Executed::Answered { body, status: http_status };
                }
                Ok(Outcome::Error(raw)) => raw,
                Err(problem) => {
                    tracing::error!(
                        route = %route.full, request_id = %self.caller.request_id, %problem,
                        "the handler's answer is no envelope"
                    );
                    return Executed::Failed(ErrorEnvelope::new(problem.api_code()).into());
                }
            },
            Ok(Err(error)) => RawError::from_parts(
                &error.error_code,
                error.error_params.into_iter().map(|param| (param.key, param.value)),
                error.http_status,
            ),
            Err(CallError::Timeout(_)) => {
                return Executed::TimedOut(ErrorEnvelope::new(envelope::api::TIMEOUT).into());
            }
            Err(CallError::Saturated { retry_after, .. }) => {
                let seconds = retry_after.as_secs().max(1);
                let envelope = ErrorEnvelope::with_status(SERVICE_BUSY, 503).param("seconds", seconds);
                return Executed::Failed(Failure { envelope, retry_after: Some(seconds) });
            }
            Err(CallError::Trap(_) | CallError::OutputTooLarge { .. } | CallError::NotExported(_)) => {
                return Executed::Failed(ErrorEnvelope::new(envelope::api::INTERNAL_SERVER_ERROR).into());
            }
        };
        Executed::Failed(raw.into_envelope(Surface::Api.fallback_status()).into())
    }

    async fn post_execute(&self, route: &Arc<Route>, outcome: &Executed, started: Instant) {
        if !self.hooks().any(Hook::PostApiExecute) {
            return;
        }
        let (result, error) = match outcome {
            Executed::Answered { body, .. } => (Field::Json(body), None),
            Executed::Failed(failure) => (Field::Null, Some(&*failure.envelope.error_code)),
            Executed::TimedOut(_) => return,
        };
        let payload = [
            ("routeName", Field::Str(&route.full)),
            ("data", Field::Json(&self.input)),
            ("user", self.user_json()),
            ("transport", Field::Str(self.caller.transport.as_str())),
            ("result", result),
            ("error", Field::str_or_null(error)),
            ("durationMs", Field::Millis(started.elapsed().as_secs_f64() * 1e3)),
        ];
        self.dispatch(Hook::PostApiExecute, &payload).await;
    }

    /// An error envelope in the caller's language.
    fn fail(&self, failure: Failure) -> Answer {
        let envelope = failure.envelope.localized(&self.inner.locales.load(), &self.caller.language);
        Answer {
            body: envelope.to_bytes(),
            status: envelope.http_status,
            is_error: true,
            retry_after: failure.retry_after,
        }
    }

    /// Stages 19 to 23, for every outcome: hooks that may change the reply, the error formatter, and
    /// the hook that sees it as it goes out.
    async fn respond(&self, mut answer: Answer, route: Option<&Route>, raw_name: String) -> Reply {
        let hooks = self.hooks();
        let watched = hooks.any(Hook::PreApiRespond)
            || hooks.any(Hook::TransformApiResponse)
            || hooks.any(Hook::PostApiRespond);
        // Over HTTP hooks see the name as it came, over sockets in its normal form (§3.2).
        let name: Arc<str> = match self.caller.transport {
            Transport::Http if watched => raw_name.into(),
            _ => Arc::clone(&self.name),
        };
        if watched {
            for hook in [Hook::PreApiRespond, Hook::TransformApiResponse] {
                let decision = self.respond_hook(hook, &name, &answer).await;
                if let Some(stop) = decision.stop {
                    answer = self.fail(stopped(stop).into());
                } else if let Some(body) = decision.replaced {
                    answer.replace(body);
                }
            }
        }
        if answer.is_error {
            self.format_error(&mut answer, route).await;
        }
        if watched {
            self.respond_hook(Hook::PostApiRespond, &name, &answer).await;
        }
        tracing::debug!(
            route = %self.name, status = answer.status, request_id = %self.caller.request_id, "answered"
        );
        Reply {
            status: answer.status,
            body: answer.body,
            is_error: answer.is_error,
            retry_after: answer.retry_after,
        }
    }

    async fn respond_hook(&self, hook: Hook, name: &Arc<str>, answer: &Answer) -> HookDecision {
        let payload = [
            ("routeName", Field::Str(name)),
            ("user", self.user_json()),
            ("response", Field::Json(&answer.body)),
        ];
        self.hooks().dispatch(hook, name, &self.caller, &self.inner.functions, &payload).await
    }

    /// The route's own formatter, else the global one, else nothing (wire protocol §1.9).
    async fn format_error(&self, answer: &mut Answer, route: Option<&Route>) {
        let own = route.filter(|route| route.formats_errors).map(Route::plugin);
        for plugin in own.into_iter().chain(self.table.formatter()) {
            let deadline = Instant::now() + plugin.service().settings().hook_deadline;
            let mut context = CallContext::new(Arc::clone(&self.name), self.caller.clone(), deadline);
            context.functions = Some(Arc::clone(&self.inner.functions));
            let user_id = self.caller.session.as_ref().map(|session| session.user_id.clone());
            // A formatter that fails was counted and logged by the plugin host.
            if let Ok(Some(body)) = plugin.format_error(Arc::new(context), user_id, answer.body.clone()).await
            {
                if matches!(crate::json::document(&body), Ok(crate::json::Document::Object(_))) {
                    answer.replace(body.into());
                    return;
                }
                tracing::warn!(plugin = %plugin.manifest().name, "a formatted error was dropped: it is no JSON object");
            }
        }
    }
}

/// How a handler's run ended.
enum Executed {
    Answered { body: Bytes, status: u16 },
    Failed(Failure),
    TimedOut(Failure),
}

impl Answer {
    /// Takes another body: its `status` says whether it is an error still, its `httpStatus` the status.
    fn replace(&mut self, body: Bytes) {
        if let Ok(crate::json::Document::Object(members)) = crate::json::document(&body) {
            let status = members.get("httpStatus").and_then(|member| {
                std::str::from_utf8(member.value).ok()?.trim().parse().ok().and_then(envelope::usable_status)
            });
            if let Some(status) = status {
                self.status = status;
            }
            if let Some(status) = members.get("status").and_then(|member| member.as_str()) {
                self.is_error = status == "error";
            }
        }
        self.body = body;
    }
}

fn stopped(stop: HookStop) -> ErrorEnvelope {
    RawError::from_parts::<String, Vec<u8>>(&stop.error_code, [], stop.http_status).into_envelope(STOPPED)
}

fn is_loopback(ip: &str) -> bool {
    ip.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}

/// Services that presets own but this process does not load, from the topology.
pub fn services_elsewhere<'a>(
    all: impl IntoIterator<Item = &'a str>,
    loaded: &dyn Fn(&str) -> bool,
) -> HashSet<String> {
    all.into_iter().filter(|service| !loaded(service)).map(str::to_owned).collect()
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("policy", &self.0.policy).finish_non_exhaustive()
    }
}
