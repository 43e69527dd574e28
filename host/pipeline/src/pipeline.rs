//! The order of a call (wire protocol §3.1, §3.2): the one place where it is written down.
//!
//! name → route → auth → limits → method → validate → hooks → execute → hooks → envelope → respond.
//! What differs between transports is data of the call (an HTTP method or none, a transport in the
//! caller), not a second copy of this file.
//!
//! Hot: everything here but the guest's own time has a budget of 5 µs a call, guarded by the bench
//! `pipeline`. Hooks and errors are the only stages that allocate in proportion to their payload.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures::FutureExt as _;
use luckystack_backplane::{BackplaneError, SharedBackplane};
use luckystack_plugins::{Caller, FunctionResolver, HookStop, ServiceRuntime, Transport};
use luckystack_topology::{Prefix, ProjectConfig, RuntimeMode, SyncConfig};
use serde::Serialize;

use crate::call::{Call, Reply};
use crate::envelope::{ErrorEnvelope, Surface};
use crate::functions::LiveFunctions;
use crate::hooks::{Field, Hook, Payload};
use crate::limits::{Limits, RateLimiter};
use crate::locale::Locales;
use crate::run::Run;
use crate::table::Table;
use crate::watch::Watch;

thread_local! {
    /// The route names of errors raised before a name was understood (§3.1).
    static UNKNOWN_NAMES: [Arc<str>; 2] = [Arc::from("api/unknown"), Arc::from("sync/unknown")];
}

/// The route name of a call whose name was not understood.
pub(crate) fn unknown_name(surface: Surface) -> Arc<str> {
    UNKNOWN_NAMES.with(|[api, sync]| {
        Arc::clone(match surface {
            Surface::Api => api,
            Surface::Sync => sync,
        })
    })
}

/// The pipeline. Cheap to clone; all clones see the same table.
#[derive(Clone)]
pub struct Pipeline(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) table: Arc<ArcSwap<Table>>,
    pub(crate) locales: ArcSwap<Locales>,
    pub(crate) rules: ArcSwap<Rules>,
    pub(crate) functions: Arc<dyn FunctionResolver>,
    backplane: OnceLock<SharedBackplane>,
}

/// What follows from the project's configuration, swapped as one.
pub(crate) struct Rules {
    pub(crate) policy: Policy,
    pub(crate) limits: Limits,
}

/// What the pipeline needs of the project's configuration.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) limits_enabled: bool,
    /// Calls per window and route, 0 for none.
    pub(crate) api_limit: u32,
    /// Calls per window and address, 0 for none.
    pub(crate) ip_limit: u32,
    /// Loopback peers are spared the address bucket.
    pub(crate) spares_loopback: bool,
    pub(crate) validates: bool,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) sync: SyncConfig,
}

impl Policy {
    fn new(project: &ProjectConfig, production: bool) -> Policy {
        let limits = &project.rate_limiting;
        Policy {
            limits_enabled: limits.enabled,
            api_limit: limits.default_api_limit.unwrap_or(0),
            ip_limit: limits.default_ip_limit.unwrap_or(0),
            spares_loopback: limits.skip_loopback_in_dev && !production,
            validates: project.validation.runtime_mode == RuntimeMode::Enforce || !production,
            request_timeout: project.api.request_timeout,
            sync: project.sync.clone(),
        }
    }
}

fn new_limiter(project: &ProjectConfig) -> Arc<RateLimiter> {
    let limits = &project.rate_limiting;
    Arc::new(RateLimiter::new(limits.window, limits.max_keys as usize))
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

/// Payload of the hook `preSocketMessage`, but for the caller's address.
#[derive(Clone, Copy, Debug)]
pub struct SocketMessageEvent<'a> {
    /// Which kind of call it is.
    pub channel: Surface,
    /// The socket.
    pub socket_id: &'a str,
    /// Whether it came with a session token; the session is read later.
    pub authenticated: bool,
    /// The route's name as it came, when it is a string.
    pub route_name: Option<&'a str>,
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

impl Pipeline {
    /// A pipeline with nothing to serve yet. In production validation may be off and the address bucket
    /// spares nobody (wire protocol §3.3, §3.5).
    pub fn new(project: &ProjectConfig, locales: Locales, production: bool) -> Pipeline {
        let table = Arc::new(ArcSwap::from_pointee(Table::default()));
        Pipeline(Arc::new(Inner {
            functions: Arc::new(LiveFunctions(Arc::clone(&table))),
            table,
            locales: ArcSwap::from_pointee(locales),
            rules: ArcSwap::from_pointee(Rules {
                policy: Policy::new(project, production),
                limits: Limits::new(project, new_limiter(project), None),
            }),
            backplane: OnceLock::new(),
        }))
    }

    /// Applies a changed configuration to calls that begin from now on. Counters of rate limits survive
    /// unless the window or the number of keys changed.
    pub fn reconfigure(&self, before: &ProjectConfig, now: &ProjectConfig, production: bool) {
        let shape = |project: &ProjectConfig| (project.rate_limiting.window, project.rate_limiting.max_keys);
        let limiter = match shape(before) == shape(now) {
            true => Arc::clone(self.0.rules.load().limits.memory()),
            false => new_limiter(now),
        };
        let limits = Limits::new(now, limiter, self.0.backplane.get());
        self.0.rules.store(Arc::new(Rules { policy: Policy::new(now, production), limits }));
    }

    /// Counts rate limits in this backplane where the configuration asks for a shared count. To be said
    /// once, before the first call; the first backplane stays.
    pub fn use_backplane(&self, project: &ProjectConfig, backplane: SharedBackplane) {
        let backplane = self.0.backplane.get_or_init(|| backplane);
        let rules = self.0.rules.load();
        let limits = Limits::new(project, Arc::clone(rules.limits.memory()), Some(backplane));
        self.0.rules.store(Arc::new(Rules { policy: rules.policy.clone(), limits }));
    }

    /// Makes `table` the live one. Calls in flight end on the table they began on.
    pub fn swap(&self, table: Table) {
        self.0.table.store(Arc::new(table));
    }

    /// The live table.
    pub fn table(&self) -> Arc<Table> {
        self.0.table.load_full()
    }

    /// How functions are found, for calls that no client makes.
    pub fn functions(&self) -> Arc<dyn FunctionResolver> {
        Arc::clone(&self.0.functions)
    }

    /// Replaces the translations.
    pub fn swap_locales(&self, locales: Locales) {
        self.0.locales.store(Arc::new(locales));
    }

    /// Forgets all rate-limit counters, those that are shared with other hosts included.
    ///
    /// # Errors
    /// The backplane does not answer; what is in memory is forgotten all the same.
    pub async fn clear_rate_limits(&self) -> Result<(), BackplaneError> {
        let rules = self.0.rules.load_full();
        rules.limits.clear().await
    }

    /// The language for a caller (wire protocol §1.8): the session's, else what the request prefers.
    pub fn negotiate_language(
        &self,
        session: Option<&str>,
        x_language: Option<&str>,
        accept_language: Option<&str>,
    ) -> Arc<str> {
        self.0.locales.load().negotiate_shared(session, x_language, accept_language)
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

    /// Runs the hook `preSocketMessage` (wire protocol §3.1 stage 2, §4.1 step 2). Without subscribers it is
    /// one look at the table.
    pub async fn pre_socket_message(
        &self,
        event: &SocketMessageEvent<'_>,
        caller: &Caller,
    ) -> Option<HookStop> {
        if !self.has_hook(Hook::PreSocketMessage) {
            return None;
        }
        let payload = [
            ("channel", Field::Str(event.channel.as_str())),
            ("socketId", Field::Str(event.socket_id)),
            ("ip", Field::Str(&caller.ip)),
            ("authenticated", Field::Bool(event.authenticated)),
            ("routeName", Field::str_or_null(event.route_name)),
        ];
        let route = event.route_name.unwrap_or(Hook::PreSocketMessage.name());
        let payload = if event.route_name.is_some() { &payload[..] } else { &payload[..4] };
        self.free_hook(Hook::PreSocketMessage, route, caller.clone(), payload).await
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
        let caller = nobody(Hook::PreServerStop);
        let millis = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let payload = [("reason", Field::Str(reason)), ("timeoutMs", Field::Num(millis))];
        self.free_hook(Hook::PreServerStop, Hook::PreServerStop.name(), caller, &payload).await;
    }

    /// Runs a hook of a subsystem outside of calls, such as `preLogin`; `payload` is what §11 lists.
    pub async fn run_hook(
        &self,
        hook: Hook,
        payload: &serde_json::Map<String, serde_json::Value>,
    ) -> Option<HookStop> {
        if !self.has_hook(hook) {
            return None;
        }
        let values: Vec<(&str, String)> =
            payload.iter().map(|(name, value)| (name.as_str(), value.to_string())).collect();
        let fields: Vec<(&str, Field<'_>)> =
            values.iter().map(|(name, json)| (*name, Field::Json(json.as_bytes()))).collect();
        self.free_hook(hook, hook.name(), nobody(hook), &fields).await
    }

    /// A hook that belongs to no call.
    pub(crate) async fn free_hook(
        &self,
        hook: Hook,
        route: &str,
        caller: Caller,
        payload: &Payload<'_>,
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

    /// Answers one call. Never fails: what goes wrong is an error envelope. A panic of this host is one too,
    /// over sockets; over HTTP it goes on to the transport, after the hook `apiError`.
    ///
    /// Dropping the future means that the client went away: the guest can see it (`aborted`) and ends
    /// in the background within its deadline.
    pub async fn call(&self, call: Call) -> Reply {
        let watch = Watch::begin(self, Surface::Api, &call.caller, &call.raw_name);
        match AssertUnwindSafe(self.stages(call)).catch_unwind().await {
            Ok(reply) => reply,
            Err(panic) => watch.panicked(self, panic).await,
        }
    }

    async fn stages(&self, call: Call) -> Reply {
        let inner = &*self.0;
        let table = inner.table.load_full();
        let rules = inner.rules.load_full();
        let Call { prefix, raw_name, method, input, caller, sink } = call;
        debug_assert_eq!(prefix, Prefix::Api, "sync calls have a pipeline of their own");

        let mut run = Run {
            inner,
            rules: &rules,
            table: &table,
            surface: Surface::Api,
            name: unknown_name(Surface::Api),
            caller,
            sink,
            input,
        };

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

/// The caller of a hook that no client asked for.
fn nobody(hook: Hook) -> Caller {
    Caller {
        session: None,
        ip: "unknown".into(),
        language: "en".into(),
        request_id: hook.name().into(),
        traceparent: None,
        transport: Transport::Http,
    }
}

impl std::fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline").field("policy", &self.0.rules.load().policy).finish_non_exhaustive()
    }
}
