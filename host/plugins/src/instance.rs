//! One live instance of a component, and the typed calls into it.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;
use wasmtime::component::{Instance as WasmInstance, InstancePre};
use wasmtime::{Store, UpdateDeadline};

use crate::bindings::exports::luckystack::plugin as guest;
use crate::call::{CallContext, HandlerError, SyncBatch};
use crate::error::BoundExceeded;
use crate::lane::{Pace, Turns};
use crate::plugin::{Exports, HookOutcome, HookStop};
use crate::service::ServiceRuntime;
use crate::state::HostState;
use crate::user_store::{UserAnswer, UserRequest};

/// What an instance is asked to do.
#[derive(Debug)]
pub(crate) enum Work {
    /// Nothing but being there.
    Instantiate,
    Describe,
    Api {
        input: Bytes,
    },
    SyncServer {
        room: Arc<str>,
        input: Bytes,
    },
    SyncClient(SyncBatch),
    Function {
        name: Arc<str>,
        args: Bytes,
    },
    Hook {
        name: &'static str,
        payload: Bytes,
    },
    FormatError {
        user_id: Option<String>,
        envelope: Bytes,
    },
    User(UserRequest),
}

/// What it answers.
#[derive(Debug)]
pub(crate) enum Answer {
    Done,
    Text(String),
    Json(Result<Vec<u8>, HandlerError>),
    /// One for each recipient.
    Each(Vec<Result<Vec<u8>, HandlerError>>),
    Hook(HookOutcome),
    Formatted(Option<Vec<u8>>),
    User(Result<UserAnswer, HandlerError>),
}

impl Answer {
    /// Size of what crossed back, for the service's limit.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Answer::Done => 0,
            Answer::Text(text) => text.len(),
            Answer::Json(Ok(json)) => json.len(),
            Answer::User(Ok(answer)) => answer.bytes(),
            Answer::Json(Err(error)) | Answer::User(Err(error)) => error_bytes(error),
            // Each goes to a client of its own, so each has the limit to itself; all of them together
            // are bounded by the guest's memory.
            Answer::Each(answers) => {
                let sizes = answers.iter().map(|answer| answer.as_ref().map_or_else(error_bytes, Vec::len));
                sizes.max().unwrap_or(0)
            }
            Answer::Hook(HookOutcome::Replace(json)) => json.len(),
            Answer::Hook(HookOutcome::Proceed | HookOutcome::Stop(_)) => 0,
            Answer::Formatted(json) => json.as_ref().map_or(0, Vec::len),
        }
    }
}

fn error_bytes(error: &HandlerError) -> usize {
    let params = error.error_params.iter().map(|param| param.key.len() + param.value.len());
    error.error_code.len() + params.sum::<usize>()
}

/// Export functions, looked up on first use and kept: a reused instance looks them up once.
#[derive(Default)]
struct Functions {
    api: Option<guest::api::Guest>,
    sync_server: Option<guest::sync_server::Guest>,
    sync_client: Option<guest::sync_client::Guest>,
    functions: Option<guest::functions::Guest>,
    hooks: Option<guest::hooks::Guest>,
    error_formatter: Option<guest::error_formatter::Guest>,
    user_store: Option<guest::user_store::Guest>,
}

/// One live instance: a store with a component in it.
pub(crate) struct Instance {
    store: Store<HostState>,
    instance: WasmInstance,
    functions: Functions,
    pub(crate) calls: u64,
    pub(crate) idle_since: Instant,
    /// Its share of the host's budget of instances; given back with it.
    _budget: OwnedSemaphorePermit,
}

/// A guest that is still computing when its time here is over moves to the lane. The tick it began in
/// may have been nearly over, so it is given the next one whole.
const FIRST_TICKS: u64 = 2;

/// Looks an interface up once per instance.
macro_rules! exported {
    ($self:ident, $exports:ident, $interface:ident) => {
        match &mut $self.functions.$interface {
            Some(found) => found,
            empty => {
                let indices = $exports.$interface.as_ref().ok_or_else(|| {
                    wasmtime::Error::msg(concat!("the component does not export ", stringify!($interface)))
                })?;
                empty.insert(indices.load(&mut $self.store, &$self.instance)?)
            }
        }
    };
}

impl Instance {
    /// Instantiates a component for a call.
    pub(crate) async fn create(
        pre: &InstancePre<HostState>,
        service: &Arc<ServiceRuntime>,
        turns: &Arc<Turns>,
        pace: Arc<Pace>,
        call: Option<Arc<CallContext>>,
        budget: OwnedSemaphorePermit,
    ) -> wasmtime::Result<Instance> {
        let mut state = HostState::new(Arc::clone(service), pace);
        state.set_call(call);
        let mut store = Store::new(pre.engine(), state);
        store.limiter(|state| state);
        let turns = Arc::clone(turns);
        store.epoch_deadline_callback(move |context| {
            let state = context.data();
            if state.call().is_some_and(|call| Instant::now() >= call.deadline) {
                return Err(wasmtime::Error::new(BoundExceeded::Deadline));
            }
            Ok(UpdateDeadline::YieldCustom(1, state.pace.next_turn(&turns, state.service.id())))
        });
        store.set_epoch_deadline(FIRST_TICKS);
        let instance = pre.instantiate_async(&mut store).await?;
        Ok(Instance {
            store,
            instance,
            functions: Functions::default(),
            calls: 0,
            idle_since: Instant::now(),
            _budget: budget,
        })
    }

    /// Prepares a call: who it is for, and a fresh tick.
    pub(crate) fn begin(&mut self, call: Option<Arc<CallContext>>, pace: Arc<Pace>) {
        let state = self.store.data_mut();
        state.pace = pace;
        state.set_call(call);
        self.store.set_epoch_deadline(FIRST_TICKS);
    }

    /// Forgets the call that is over.
    pub(crate) fn end(&mut self, now: Instant) {
        self.store.data_mut().set_call(None);
        self.calls += 1;
        self.idle_since = now;
    }

    /// Linear memory in use, in bytes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes
    }

    /// Does one piece of work. After an error the instance must not be used again: wasmtime refuses to
    /// enter a component that trapped.
    pub(crate) async fn run(
        &mut self,
        exports: &Exports,
        call: Option<&Arc<CallContext>>,
        work: Work,
    ) -> wasmtime::Result<Answer> {
        let call = || call.ok_or_else(|| wasmtime::Error::msg("the work needs a call to belong to"));
        match work {
            Work::Instantiate => Ok(Answer::Done),
            Work::Describe => {
                let describe = exports.plugin.load(&mut self.store, &self.instance)?;
                Ok(Answer::Text(describe.call_describe(&mut self.store).await?))
            }
            Work::Api { input } => {
                let call = call()?;
                let api = exported!(self, exports, api);
                let caller = (&call.caller).into();
                Ok(Answer::Json(api.call_call(&mut self.store, &call.route, caller, &input).await?))
            }
            Work::SyncServer { room, input } => {
                let call = call()?;
                let server = exported!(self, exports, sync_server);
                let caller = (&call.caller).into();
                let answer = server.call_call(&mut self.store, &call.route, caller, &room, &input).await?;
                Ok(Answer::Json(answer))
            }
            Work::SyncClient(SyncBatch { room, input, server_output, recipients }) => {
                let call = call()?;
                let client = exported!(self, exports, sync_client);
                let recipients: Vec<_> = recipients.iter().map(Into::into).collect();
                let answers = client
                    .call_call(&mut self.store, &call.route, &room, &input, &server_output, &recipients)
                    .await?;
                Ok(Answer::Each(answers))
            }
            Work::Function { name, args } => {
                let functions = exported!(self, exports, functions);
                Ok(Answer::Json(functions.call_call(&mut self.store, &name, &args).await?))
            }
            Work::Hook { name, payload } => {
                let hooks = exported!(self, exports, hooks);
                let outcome = hooks.call_handle(&mut self.store, name, &payload).await?;
                Ok(Answer::Hook(match outcome {
                    guest::hooks::Outcome::Proceed => HookOutcome::Proceed,
                    guest::hooks::Outcome::Replace(json) => HookOutcome::Replace(json),
                    guest::hooks::Outcome::Stop(stop) => HookOutcome::Stop(HookStop {
                        error_code: stop.error_code,
                        http_status: stop.http_status,
                        override_output: stop.override_output,
                    }),
                }))
            }
            Work::FormatError { user_id, envelope } => {
                let call = call()?;
                let formatter = exported!(self, exports, error_formatter);
                let transport = call.caller.transport.into();
                let formatted = formatter
                    .call_format(&mut self.store, &call.route, transport, user_id.as_deref(), &envelope)
                    .await?;
                Ok(Answer::Formatted(formatted))
            }
            Work::User(request) => {
                let users = exported!(self, exports, user_store);
                Ok(Answer::User(request.run(users, &mut self.store).await?))
            }
        }
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("calls", &self.calls).finish_non_exhaustive()
    }
}
