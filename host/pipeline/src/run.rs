//! The stages of a call from its name to its handler's outcome (wire protocol §3.1, §3.2).
//!
//! name → route → auth → limits → method → validate → hooks → execute → hooks → envelope. What leaves
//! the last of them goes out through [`respond`](crate::respond).

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use luckystack_plugins::{CallContext, CallError, Caller, HandlerError, StreamSink, Transport};
use luckystack_topology::{Method, Prefix, parse_transport_name};

use crate::auth::evaluate;
use crate::envelope::{self, ErrorEnvelope, Outcome, RawError, Surface};
use crate::hooks::{Decision as HookDecision, Field, Hook, HookTable, Payload};
use crate::limits::{self, Decision, Identity, Limits, RateLimiter, SharedLimiter};
use crate::pipeline::{Inner, Rules};
use crate::respond::{Answer, Failure, STOPPED, stopped};
use crate::schema::Violation;
use crate::table::{Route, Table};

/// One call on its way through the stages; those that sync calls share take its `surface` into account.
pub(crate) struct Run<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) rules: &'a Rules,
    pub(crate) table: &'a Table,
    pub(crate) surface: Surface,
    /// The full name once it is understood.
    pub(crate) name: Arc<str>,
    pub(crate) caller: Caller,
    pub(crate) sink: Option<Arc<dyn StreamSink>>,
    pub(crate) input: Bytes,
}

/// A bucket that holds more than its limit.
struct Exceeded {
    scope: &'static str,
    key: String,
    limit: u32,
    seconds: u64,
    count: u32,
}

impl Exceeded {
    fn of(decision: Decision, scope: &'static str, key: &str, limit: u32) -> Option<Exceeded> {
        match decision {
            Decision::Allowed => None,
            Decision::Exceeded { seconds, count } => {
                Some(Exceeded { scope, key: key.to_owned(), limit, seconds, count })
            }
        }
    }
}

impl Run<'_> {
    pub(crate) fn hooks(&self) -> &HookTable {
        self.table.hooks()
    }

    pub(crate) async fn dispatch(&self, hook: Hook, payload: &Payload<'_>) -> HookDecision {
        self.hooks().dispatch(hook, &self.name, &self.caller, &self.inner.functions, payload).await
    }

    pub(crate) fn user_json(&self) -> Field<'_> {
        self.caller.session.as_ref().map_or(Field::Null, |session| Field::Json(&session.user))
    }

    /// Name grammar and route lookup (stages 6 and 8).
    pub(crate) fn find(&mut self, raw_name: &str) -> Result<Arc<Route>, Failure> {
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
    pub(crate) async fn admit(&self, route: &Arc<Route>, method: Option<Method>) -> Result<(), Failure> {
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
        let user = session.map(|session| session.fields());
        let Err(failure) = evaluate(&route.auth, user, Surface::Api) else { return Ok(()) };
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
    pub(crate) async fn check_limits(&self, route: &Arc<Route>) -> Result<(), Failure> {
        let policy = &self.rules.policy;
        if !policy.limits_enabled {
            return Ok(());
        }
        let route_limit = route.rate_limit.unwrap_or(policy.api_limit);
        let exceeded = match &self.rules.limits {
            Limits::Memory(limiter) => self.count(limiter, route, route_limit),
            Limits::Shared(limiter) => self.count_shared(limiter, route, route_limit).await,
        };
        match exceeded {
            Some(exceeded) => Err(self.exceeded(exceeded, &route.full).await),
            None => Ok(()),
        }
    }

    /// The bucket of the caller's address alone, for what has no route.
    pub(crate) async fn check_address(&self) -> Result<(), Failure> {
        if !self.rules.policy.limits_enabled {
            return Ok(());
        }
        let limit = self.address_limit();
        let mut buffer = String::new();
        let key = limits::address_key(&mut buffer, &self.caller.ip, self.surface);
        let decision = match &self.rules.limits {
            Limits::Memory(limiter) => limiter.check(key, limit, Instant::now()),
            Limits::Shared(limiter) => limiter.check(key, limit).await,
        };
        match Exceeded::of(decision, "ip", key, limit) {
            Some(exceeded) => Err(self.exceeded(exceeded, &self.name).await),
            None => Ok(()),
        }
    }

    /// Tells of a full bucket.
    async fn exceeded(&self, exceeded: Exceeded, route: &str) -> Failure {
        let Exceeded { scope, key, limit, seconds, count } = exceeded;
        if self.hooks().any(Hook::RateLimitExceeded) {
            let window = u64::try_from(self.rules.limits.memory().window().as_millis()).unwrap_or(u64::MAX);
            let user = self.caller.session.as_ref().map(|session| session.user_id.as_str());
            let payload = [
                ("scope", Field::Str(scope)),
                ("key", Field::Str(&key)),
                ("limit", Field::Num(limit.into())),
                ("windowMs", Field::Num(window)),
                ("count", Field::Num(count.into())),
                ("route", Field::Str(route)),
                ("ip", Field::Str(&self.caller.ip)),
                ("userId", Field::str_or_null(user)),
            ];
            self.dispatch(Hook::RateLimitExceeded, &payload).await;
        }
        let code = match self.surface {
            Surface::Api => envelope::api::RATE_LIMIT_EXCEEDED,
            Surface::Sync => envelope::sync::RATE_LIMIT_EXCEEDED,
        };
        ErrorEnvelope::new(code).param("seconds", seconds).into()
    }

    /// Counts the call in both buckets; what was exceeded, if anything.
    fn count(&self, limiter: &RateLimiter, route: &Route, route_limit: u32) -> Option<Exceeded> {
        thread_local! {
            // Keys are built for every call; the buffer is kept.
            static KEY: RefCell<String> = const { RefCell::new(String::new()) };
        }
        let now = Instant::now();
        KEY.with_borrow_mut(|buffer| {
            let key = limits::route_key(buffer, self.identity(), self.surface, &route.full);
            let decision = limiter.check(key, route_limit, now);
            if let Some(exceeded) = Exceeded::of(decision, "route", key, route_limit) {
                return Some(exceeded);
            }
            let limit = self.address_limit();
            let key = limits::address_key(buffer, &self.caller.ip, self.surface);
            Exceeded::of(limiter.check(key, limit, now), "ip", key, limit)
        })
    }

    /// The same where the buckets are shared with other hosts.
    async fn count_shared(
        &self,
        limiter: &SharedLimiter,
        route: &Route,
        route_limit: u32,
    ) -> Option<Exceeded> {
        let mut buffer = String::new();
        let key = limits::route_key(&mut buffer, self.identity(), self.surface, &route.full);
        let decision = limiter.check(key, route_limit).await;
        if let Some(exceeded) = Exceeded::of(decision, "route", key, route_limit) {
            return Some(exceeded);
        }
        let limit = self.address_limit();
        let key = limits::address_key(&mut buffer, &self.caller.ip, self.surface);
        Exceeded::of(limiter.check(key, limit).await, "ip", key, limit)
    }

    fn identity(&self) -> Identity<'_> {
        match &self.caller.session {
            Some(session) => Identity::User(&session.user_id),
            None => Identity::Ip(&self.caller.ip),
        }
    }

    fn address_limit(&self) -> u32 {
        let policy = &self.rules.policy;
        match policy.spares_loopback && is_loopback(&self.caller.ip) {
            true => 0,
            false => policy.ip_limit,
        }
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
        let checked = self.check_input(route);
        if self.hooks().any(Hook::PostApiValidate) {
            let outcome = validation_json(&checked);
            let mut payload = call_payload.to_vec();
            payload.push(("validation", Field::Json(outcome.as_bytes())));
            self.dispatch(Hook::PostApiValidate, &payload).await;
        }
        checked.map_err(|_| ErrorEnvelope::new(envelope::api::INVALID_INPUT_TYPE).into())
    }

    /// The input against the route's schema. The detail goes to the log; the caller gets a bare code
    /// (§3.5).
    pub(crate) fn check_input(&self, route: &Route) -> Result<(), Violation> {
        let checked = match &route.validator {
            Some(validator) if self.rules.policy.validates => validator.check(&self.input),
            Some(_) | None => Ok(()),
        };
        if let Err(violation) = &checked {
            tracing::info!(route = %route.full, request_id = %self.caller.request_id, %violation, "invalid input");
        }
        checked
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
        decision.stop.map_or(Ok(()), |stop| Err(stopped(stop, STOPPED).into()))
    }

    /// The handler, its post-hook, and the envelope of what it returned (stages 16 to 18).
    pub(crate) async fn execute(&mut self, route: &Arc<Route>) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut allowed = route.plugin.service().settings().deadline;
        // Streams over HTTP are exempt from the request timeout, never from the service's deadline (§3.7).
        let streams_over_http = self.sink.is_some() && self.caller.transport == Transport::Http;
        if let Some(timeout) = self.rules.policy.request_timeout.filter(|_| !streams_over_http) {
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
                return Executed::Failed(Failure::busy(self.surface, retry_after));
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
}

/// How a handler's run ended.
enum Executed {
    Answered { body: Bytes, status: u16 },
    Failed(Failure),
    TimedOut(Failure),
}

/// `validation` in the payload of the hooks after it.
pub(crate) fn validation_json(checked: &Result<(), Violation>) -> String {
    match checked {
        Ok(()) => r#"{"status":"success"}"#.to_owned(),
        Err(violation) => {
            serde_json::json!({"status": "error", "message": violation.to_string()}).to_string()
        }
    }
}

fn is_loopback(ip: &str) -> bool {
    ip.parse().is_ok_and(|ip: std::net::IpAddr| ip.to_canonical().is_loopback())
}
