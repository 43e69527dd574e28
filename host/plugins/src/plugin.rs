//! A loaded component: its idle instances and the calls into it.
//!
//! **What reuse means for a guest's state.** With `instances = "reused"` (the default) an instance
//! serves one call at a time and many calls in its life, so a guest's globals may live from one call
//! to the next, within its own service only. With `"per-call"` every call gets a fresh instance and
//! nothing survives. Reuse is the default because it costs a third of a fresh instance in Rust and a
//! twentieth in Python, and because the wall that matters, between services, stands either way.
//!
//! **What ends an instance's life:** any trap, timeout or broken bound; `max_calls_per_instance`
//! calls; `max_idle` without one; memory above half of the service's limit; the budget of instances
//! running out while it idles; its plugin being replaced.

use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_topology::InstancePolicy;
use parking_lot::Mutex;
use wasmtime::component::InstancePre;

use crate::bindings::exports::luckystack::plugin as guest;
use crate::call::{CallContext, HandlerError, SyncBatch};
use crate::error::{BoundExceeded, CallError};
use crate::instance::{Answer, Instance, Work};
use crate::lane::{Pace, Running};
use crate::manifest::Manifest;
use crate::runtime::Shared;
use crate::service::ServiceRuntime;
use crate::state::HostState;
use crate::user_store::{UserAnswer, UserRequest};

/// A loaded plugin. Dropping the last reference frees its code and its idle instances; calls in
/// flight hold one.
pub struct Plugin {
    pub(crate) file: PathBuf,
    pub(crate) sha256: String,
    pub(crate) manifest: Arc<Manifest>,
    pub(crate) service: Arc<ServiceRuntime>,
    pub(crate) pre: InstancePre<HostState>,
    pub(crate) exports: Exports,
    pub(crate) idle: Mutex<Vec<Instance>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) draft: bool,
}

/// The contract's interfaces that a component exports.
pub(crate) struct Exports {
    pub(crate) plugin: guest::plugin::GuestIndices,
    pub(crate) api: Option<guest::api::GuestIndices>,
    pub(crate) sync_server: Option<guest::sync_server::GuestIndices>,
    pub(crate) sync_client: Option<guest::sync_client::GuestIndices>,
    pub(crate) hooks: Option<guest::hooks::GuestIndices>,
    pub(crate) functions: Option<guest::functions::GuestIndices>,
    pub(crate) error_formatter: Option<guest::error_formatter::GuestIndices>,
    pub(crate) user_store: Option<guest::user_store::GuestIndices>,
}

/// What a hook decided; WIT `hooks.outcome`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookOutcome {
    /// Go on.
    Proceed,
    /// Go on with this JSON as the hook's mutable field.
    Replace(Vec<u8>),
    /// End what the hook guards.
    Stop(HookStop),
}

/// How a hook stops; WIT `hooks.stop`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookStop {
    /// Error code for the client.
    pub error_code: String,
    /// HTTP status, when the hook chose one.
    pub http_status: Option<u16>,
    /// `preSyncRecipient`: deliver this instead of skipping.
    pub override_output: Option<Vec<u8>>,
}

impl Plugin {
    /// The component's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// SHA-256 of the component, lower-case hex.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the plugin says of itself.
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The service that it belongs to.
    pub fn service(&self) -> &Arc<ServiceRuntime> {
        &self.service
    }

    /// Whether its code is the baseline compiler's, until [`crate::Runtime::refine`] has better.
    pub fn is_draft(&self) -> bool {
        self.draft
    }

    /// Instances waiting for a call.
    pub fn idle_instances(&self) -> usize {
        self.idle.lock().len()
    }

    /// Calls an API handler; `call.route` names it. The answer is the whole response object, unchecked.
    ///
    /// Hot: with an idle instance one allocation for the call's future and none per stage.
    pub async fn call_api(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        input: Bytes,
    ) -> Result<Result<Vec<u8>, HandlerError>, CallError> {
        match self.invoke(Some(call), Work::Api { input }).await? {
            Answer::Json(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Calls the server half of a sync handler; `call.route` names it, `room` is the receiver that the
    /// caller named. The answer is the whole `serverOutput`, unchecked.
    pub async fn call_sync_server(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        room: Arc<str>,
        input: Bytes,
    ) -> Result<Result<Vec<u8>, HandlerError>, CallError> {
        match self.invoke(Some(call), Work::SyncServer { room, input }).await? {
            Answer::Json(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Calls the client half of a sync handler, once for all recipients of the batch. The answers are
    /// unchecked: a guest may give another number of them.
    pub async fn call_sync_client(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        batch: SyncBatch,
    ) -> Result<Vec<Result<Vec<u8>, HandlerError>>, CallError> {
        match self.invoke(Some(call), Work::SyncClient(batch)).await? {
            Answer::Each(answers) => Ok(answers),
            other => Err(unexpected(&other)),
        }
    }

    /// Calls a function that the plugin provides.
    pub async fn call_function(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        name: Arc<str>,
        args: Bytes,
    ) -> Result<Result<Vec<u8>, HandlerError>, CallError> {
        match self.invoke(Some(call), Work::Function { name, args }).await? {
            Answer::Json(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the plugin handle a hook.
    pub async fn handle_hook(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        name: &'static str,
        payload: Bytes,
    ) -> Result<HookOutcome, CallError> {
        match self.invoke(Some(call), Work::Hook { name, payload }).await? {
            Answer::Hook(outcome) => Ok(outcome),
            other => Err(unexpected(&other)),
        }
    }

    /// Lets the plugin rewrite an error envelope; none leaves it as it is.
    pub async fn format_error(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        user_id: Option<String>,
        envelope: Bytes,
    ) -> Result<Option<Vec<u8>>, CallError> {
        match self.invoke(Some(call), Work::FormatError { user_id, envelope }).await? {
            Answer::Formatted(envelope) => Ok(envelope),
            other => Err(unexpected(&other)),
        }
    }

    /// Asks the plugin for accounts, which it keeps if its manifest says `userStore`; records are unchecked.
    pub async fn call_user_store(
        self: &Arc<Self>,
        call: Arc<CallContext>,
        request: UserRequest,
    ) -> Result<Result<UserAnswer, HandlerError>, CallError> {
        if self.exports.user_store.is_none() {
            return Err(CallError::NotExported("user-store"));
        }
        match self.invoke(Some(call), Work::User(request)).await? {
            Answer::User(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes one instance, unless one is there. With reuse it waits for the first call.
    pub(crate) async fn instantiate(self: &Arc<Self>) -> Result<(), CallError> {
        if self.idle_instances() > 0 {
            return Ok(());
        }
        match self.invoke(None, Work::Instantiate).await? {
            Answer::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    pub(crate) async fn describe(self: &Arc<Self>) -> Result<String, CallError> {
        match self.invoke(None, Work::Describe).await? {
            Answer::Text(text) => Ok(text),
            other => Err(unexpected(&other)),
        }
    }

    async fn invoke(
        self: &Arc<Self>,
        call: Option<Arc<CallContext>>,
        work: Work,
    ) -> Result<Answer, CallError> {
        let started = Instant::now();
        let deadline = match &call {
            Some(call) => call.deadline,
            None => started + self.service.settings().deadline,
        };
        let allowed = whole_millis(deadline - started);
        let again = call.as_ref().is_some_and(|call| call.enter(self.service.id()));
        let place = if again { None } else { Some(self.service.place(deadline).await?) };
        let idle = self.idle.lock().pop();
        let budget = match &idle {
            Some(_) => None,
            None => Some(self.shared.budget(deadline, &self.service).await?),
        };
        let pace = Arc::new(Pace::default());
        let plugin = Arc::clone(self);
        let context = call.clone();
        let paced = Arc::clone(&pace);
        let future = Box::pin(async move {
            let _place = place;
            let run = plugin.run(idle, budget, context.as_ref(), &paced, work);
            let answer = match within(deadline, run).await {
                None | Some(Err(CallError::Timeout(_))) => Err(CallError::Timeout(allowed)),
                Some(answer) => answer,
            };
            // What fails before a plugin serves is the loader's to tell, and no failure of its service.
            if let Some(call) = &context {
                plugin.service.record(&call.route, plugin.name(), answer.as_ref().err());
            }
            answer
        });
        let running = Running::new(future, pace, call, Arc::clone(&self.shared.lane));
        running.await.unwrap_or_else(|| Err(CallError::Trap("the host is shutting down".into())))
    }

    /// Runs the work in `idle` or a new instance, and keeps the instance if it may serve again.
    async fn run(
        &self,
        idle: Option<Instance>,
        budget: Option<tokio::sync::OwnedSemaphorePermit>,
        call: Option<&Arc<CallContext>>,
        pace: &Arc<Pace>,
        work: Work,
    ) -> Result<Answer, CallError> {
        let mut instance = match (idle, budget) {
            (Some(mut instance), _) => {
                instance.begin(call.cloned(), Arc::clone(pace));
                instance
            }
            (None, Some(budget)) => {
                let turns = self.shared.lane.turns();
                Instance::create(&self.pre, &self.service, turns, Arc::clone(pace), call.cloned(), budget)
                    .await
                    .map_err(|error| self.classify(&error))?
            }
            (None, None) => return Err(CallError::Trap("no instance and no budget for one".into())),
        };
        let answer = instance.run(&self.exports, call, work).await.map_err(|error| self.classify(&error))?;
        let limit = self.service.settings().max_output;
        let bytes = answer.bytes();
        if bytes as u64 > limit {
            return Err(CallError::OutputTooLarge { bytes, limit });
        }
        self.keep(instance);
        Ok(answer)
    }

    /// Keeps an instance whose call ended well, if it may serve again.
    fn keep(&self, mut instance: Instance) {
        let settings = self.service.settings();
        instance.end(Instant::now());
        if settings.instances == InstancePolicy::Reused
            && instance.calls < settings.max_calls_per_instance
            && (instance.memory_bytes() as u64) <= settings.memory / 2
            && !self.shared.is_short()
        {
            self.idle.lock().push(instance);
        }
    }

    /// Drops instances idle since before `now - max_idle`; how many.
    pub(crate) fn drop_idle(&self, now: Instant) -> usize {
        let max_idle = self.service.settings().max_idle;
        let mut idle = self.idle.lock();
        // The list is a stack: those idle longest are at the bottom.
        let stale = idle
            .iter()
            .take_while(|instance| now.saturating_duration_since(instance.idle_since) >= max_idle)
            .count();
        let dropped: Vec<_> = idle.drain(..stale).collect();
        drop(idle);
        dropped.len()
    }

    /// When the instance that has idled longest began to, if any idles.
    pub(crate) fn oldest_idle(&self) -> Option<Instant> {
        self.idle.lock().first().map(|instance| instance.idle_since)
    }

    /// Drops the instance that has idled longest; whether there was one.
    pub(crate) fn drop_oldest_idle(&self) -> bool {
        let oldest = {
            let mut idle = self.idle.lock();
            (!idle.is_empty()).then(|| idle.remove(0))
        };
        oldest.is_some()
    }

    pub(crate) fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Turns an error of wasmtime's into what the caller does next.
    fn classify(&self, error: &wasmtime::Error) -> CallError {
        match error.downcast_ref::<BoundExceeded>() {
            Some(BoundExceeded::Deadline) => CallError::Timeout(Duration::ZERO),
            Some(bound) => CallError::Trap(bound.to_string()),
            None => CallError::Trap(describe_trap(error)),
        }
    }
}

/// Some microseconds pass between making a deadline and looking at it; a reader wants the limit.
fn whole_millis(span: Duration) -> Duration {
    Duration::from_millis(span.as_millis() as u64 + u64::from(span.subsec_micros() % 1000 >= 500))
}

/// The future's output, or none when it has not ended by `deadline`. Hot: unlike tokio's timeout it makes
/// no timer for a call that never waits, and most never do.
async fn within<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        let timer = timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline.into())));
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

/// A trap in one line: its reason and the guest functions it happened in, innermost first.
fn describe_trap(error: &wasmtime::Error) -> String {
    let reason = match error.downcast_ref::<wasmtime::Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let frames: Vec<String> = error
        .downcast_ref::<wasmtime::WasmBacktrace>()
        .map(|backtrace| {
            let named = backtrace.frames().iter().filter_map(|frame| frame.func_name());
            named.take(5).map(demangle).collect()
        })
        .unwrap_or_default();
    if frames.is_empty() { reason } else { format!("{reason} (in {})", frames.join(" < ")) }
}

/// Guests carry mangled names; the hash at the end of Rust's says nothing to a reader.
fn demangle(name: &str) -> String {
    let demangled = rustc_demangle::demangle(name);
    format!("{demangled:#}")
}

fn unexpected(answer: &Answer) -> CallError {
    CallError::Trap(format!("unexpected kind of answer: {answer:?}"))
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("file", &self.file).field("name", &self.name()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Exports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exports")
            .field("api", &self.api.is_some())
            .field("sync_server", &self.sync_server.is_some())
            .field("sync_client", &self.sync_client.is_some())
            .field("hooks", &self.hooks.is_some())
            .field("functions", &self.functions.is_some())
            .field("error_formatter", &self.error_formatter.is_some())
            .field("user_store", &self.user_store.is_some())
            .finish_non_exhaustive()
    }
}
