//! The stages of a sync call from its name to its server half's outcome (wire protocol §4.1 to §4.3). What
//! leaves the last of them is fanned out.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use luckystack_plugins::{CallContext, CallError, HandlerError, StreamSink, Transport};
use luckystack_topology::{Prefix, parse_transport_name};

use super::Audience;
use super::stream::Live;
use crate::auth::evaluate;
use crate::call::Reply;
use crate::envelope::{self, ErrorEnvelope, RawError, Surface};
use crate::hooks::{Field, Hook};
use crate::pipeline::Pipeline;
use crate::respond::{Failure, stopped};
use crate::run::{Run, validation_json};
use crate::table::{SyncRoute, Table};

/// The receiver that is everybody.
const EVERYBODY: &str = "all";
/// A stop of a sync call's hook has this status unless it says another (§4.1).
const STOPPED: u16 = 400;

/// One sync call on its way through the stages.
pub(super) struct Stages<'a> {
    pub(super) run: Run<'a>,
    pub(super) pipeline: &'a Pipeline,
    pub(super) table: &'a Arc<Table>,
    pub(super) receiver: Arc<str>,
    pub(super) callback: Option<String>,
    pub(super) ignore_self: bool,
    pub(super) audience: Arc<dyn Audience>,
    pub(super) sink: Arc<dyn StreamSink>,
}

impl Stages<'_> {
    pub(super) fn is_socket(&self) -> bool {
        self.run.caller.transport == Transport::Socket
    }

    /// Name grammar, `cb`, receiver and route lookup (steps 4, 5, 6 and 8).
    pub(super) fn find(&mut self, raw_name: &str) -> Result<Arc<SyncRoute>, Failure> {
        let Ok(name) = parse_transport_name(Prefix::Sync, raw_name) else {
            let code = envelope::routing::INVALID_SERVICE_ROUTE_NAME;
            return Err(ErrorEnvelope::new(code).param("name", raw_name.to_owned()).into());
        };
        let found = self.run.table.sync_route(&name.full);
        self.run.name = found.map_or_else(|| Arc::from(&*name.full), |route| Arc::clone(&route.server.full));
        // Over HTTP a callback is optional (§4.9).
        if self.is_socket() && self.callback.as_deref().is_none_or(str::is_empty) {
            return Err(ErrorEnvelope::new(envelope::sync::INVALID_CALLBACK).into());
        }
        if self.receiver.is_empty() {
            return Err(ErrorEnvelope::new(envelope::sync::MISSING_RECEIVER).into());
        }
        if let Some(route) = found {
            return Ok(Arc::clone(route));
        }
        if self.run.table.is_elsewhere(name.service()) {
            let code = envelope::routing::SERVICE_NOT_ASSIGNED;
            return Err(ErrorEnvelope::new(code).param("service", name.service().to_owned()).into());
        }
        let name = name.full.into_owned();
        Err(ErrorEnvelope::new(envelope::sync::NOT_FOUND).param("name", name).into())
    }

    /// Auth, receiver, limits and validation, with the hooks among them (steps 9 to 14 without execution).
    pub(super) async fn admit(&self, route: &SyncRoute) -> Result<(), Failure> {
        let server = &route.server;
        if server.auth.login || !server.auth.additional.is_empty() {
            let user = self.run.caller.session.as_ref().map(|session| session.fields());
            evaluate(&server.auth, user, Surface::Sync).map_err(|failure| failure.envelope(Surface::Sync))?;
        }
        self.check_receiver()?;
        self.run.check_limits(server).await?;
        self.ask(Hook::PreSyncAuthorize).await?;
        self.tell(Hook::PostSyncAuthorize, &[]).await;
        self.ask(Hook::PreSyncValidate).await?;
        let checked = self.run.check_input(server);
        if self.run.hooks().any(Hook::PostSyncValidate) {
            let outcome = validation_json(&checked);
            let validation = [("validation", Field::Json(outcome.as_bytes()))];
            self.tell(Hook::PostSyncValidate, &validation).await;
        }
        checked.map_err(|_| ErrorEnvelope::new(envelope::sync::INVALID_INPUT_TYPE))?;
        self.ask(Hook::PreSyncExecute).await
    }

    /// Whom a client may send to (§4.2).
    fn check_receiver(&self) -> Result<(), Failure> {
        let policy = &self.run.rules.policy.sync;
        let code = match &*self.receiver {
            EVERYBODY if policy.allow_client_receiver_all => return Ok(()),
            EVERYBODY => envelope::sync::RECEIVER_NOT_ALLOWED,
            room if !policy.require_room_membership || self.audience.is_member(room) => return Ok(()),
            _ => envelope::sync::NOT_ROOM_MEMBER,
        };
        Err(ErrorEnvelope::new(code).into())
    }

    /// The server half and the fanout of what it gave.
    pub(super) async fn carry_out(&mut self, route: &SyncRoute) -> Result<Reply, Failure> {
        let live = Arc::new(Live::new(self));
        let output = self.execute(route, &live).await?;
        self.fan_out(route, &live, output).await
    }

    /// The server half and its post-hook; what it gave becomes `serverOutput` whole (step 14).
    async fn execute(&self, route: &SyncRoute, live: &Arc<Live>) -> Result<Bytes, Failure> {
        let server = &route.server;
        let started = Instant::now();
        // The original waits for ever; here a service's deadline holds for all it does.
        let deadline = started + server.plugin.service().settings().deadline;
        let mut context = CallContext::new(Arc::clone(&server.full), self.run.caller.clone(), deadline);
        context.functions = Some(Arc::clone(&self.run.inner.functions));
        context.sink = Some(Arc::clone(live) as Arc<dyn StreamSink>);
        let input = self.run.input.clone();
        let result =
            server.plugin.call_sync_server(Arc::new(context), Arc::clone(&self.receiver), input).await;
        let outcome = self.outcome(result);
        if self.run.hooks().any(Hook::PostSyncExecute) {
            let (result, error) = match &outcome {
                Ok(output) => (Field::Json(output), None),
                Err(failure) => (Field::Null, Some(&*failure.envelope.error_code)),
            };
            let more = [
                ("result", result),
                ("error", Field::str_or_null(error)),
                ("durationMs", Field::Millis(started.elapsed().as_secs_f64() * 1e3)),
            ];
            self.tell(Hook::PostSyncExecute, &more).await;
        }
        outcome
    }

    fn outcome(&self, result: Result<Result<Vec<u8>, HandlerError>, CallError>) -> Result<Bytes, Failure> {
        let raw = match result {
            Ok(Ok(output)) => match envelope::read_reply(&output) {
                Ok(envelope::Reply::Success) => return Ok(output.into()),
                Ok(envelope::Reply::Error(raw)) => raw,
                Err(problem) => {
                    tracing::error!(
                        route = %self.run.name, request_id = %self.run.caller.request_id, %problem,
                        "the server half's answer is no envelope"
                    );
                    return Err(ErrorEnvelope::new(envelope::sync::INVALID_SERVER_RESPONSE).into());
                }
            },
            Ok(Err(error)) => raw_error(error),
            Err(CallError::Saturated { retry_after, .. }) => {
                return Err(Failure::busy(Surface::Sync, retry_after));
            }
            Err(
                CallError::Timeout(_)
                | CallError::Trap(_)
                | CallError::OutputTooLarge { .. }
                | CallError::NotExported(_),
            ) => return Err(ErrorEnvelope::new(envelope::sync::SERVER_EXECUTION_FAILED).into()),
        };
        Err(raw.into_envelope(Surface::Sync.fallback_status()).into())
    }

    /// Runs a hook that may stop the call.
    async fn ask(&self, hook: Hook) -> Result<(), Failure> {
        self.ask_with(hook, &[]).await
    }

    /// The same with more in its payload.
    pub(super) async fn ask_with(&self, hook: Hook, more: &[(&str, Field<'_>)]) -> Result<(), Failure> {
        if !self.run.hooks().any(hook) {
            return Ok(());
        }
        let decision = self.run.dispatch(hook, &self.payload(more)).await;
        decision.stop.map_or(Ok(()), |stop| Err(stopped(stop, STOPPED).into()))
    }

    /// Tells a hook that observes.
    pub(super) async fn tell(&self, hook: Hook, more: &[(&str, Field<'_>)]) {
        if self.run.hooks().any(hook) {
            self.run.dispatch(hook, &self.payload(more)).await;
        }
    }

    fn payload<'p>(&'p self, more: &[(&'p str, Field<'p>)]) -> Vec<(&'p str, Field<'p>)> {
        let mut payload = vec![
            ("routeName", Field::Str(&self.run.name)),
            ("data", Field::Json(&self.run.input)),
            ("user", self.run.user_json()),
            ("receiver", Field::Str(&self.receiver)),
            ("transport", Field::Str(self.run.caller.transport.as_str())),
        ];
        payload.extend_from_slice(more);
        payload
    }
}

/// What a handler returned instead of an answer, as it crossed.
pub(super) fn raw_error(error: HandlerError) -> RawError {
    RawError::from_parts(
        &error.error_code,
        error.error_params.into_iter().map(|param| (param.key, param.value)),
        error.http_status,
    )
}
