//! From a server half's output to its recipients (wire protocol §4.5 to §4.7, §4.9).
//!
//! Without a client half and without a hook for each recipient, all get the same frame: it is made once and
//! handed to the audience once, whatever the room's size. Else recipients are served in batches: the hook for
//! each, the client half once for all of them, a frame for each, and a pause before the next batch.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::FutureExt as _;
use luckystack_plugins::{CallContext, CallError, HandlerError, StreamSink, SyncBatch, SyncRecipient};

use super::Recipient;
use super::frame::{self, Frames};
use super::stages::{Stages, raw_error};
use super::stream::{Live, ToRecipients};
use crate::call::Reply;
use crate::envelope::{self, ErrorEnvelope, Surface};
use crate::hooks::{Field, Hook};
use crate::json::scan;
use crate::locale::Locales;
use crate::respond::Failure;
use crate::table::{Route, SyncRoute};
use crate::watch::panic_text;

/// What a client half that does not exist would have said.
const NOTHING: &[u8] = b"{}";
/// Until a busy client half is asked again: about what a handful of calls takes.
const BUSY: Duration = Duration::from_millis(20);

/// How a fanout reaches its recipients.
enum Plan {
    /// One frame for the whole room.
    Room,
    /// Something for each.
    Each(Arc<[Recipient]>),
}

/// One recipient of a batch that was not skipped.
struct Served {
    /// Its place among all recipients.
    place: usize,
    /// What a hook put in the place of the server half's output.
    instead: Option<Bytes>,
}

impl Stages<'_> {
    /// Recipients, acknowledgement, delivery (steps 15 to 19).
    pub(super) async fn fan_out(
        &self,
        route: &SyncRoute,
        live: &Arc<Live>,
        output: Bytes,
    ) -> Result<Reply, Failure> {
        let full = &route.server.full;
        // The order of the two differs between transports, and so does an empty room (§4.9).
        let (plan, count) = if self.is_socket() {
            let planned = self.plan(route).await;
            if planned.1 == Some(0) {
                return Err(ErrorEnvelope::new(envelope::sync::NO_RECEIVERS_FOUND).into());
            }
            self.ask_with(Hook::PreSyncFanout, &[("serverOutput", Field::Json(&output))]).await?;
            planned
        } else {
            self.ask_with(Hook::PreSyncFanout, &[("serverOutput", Field::Json(&output))]).await?;
            self.plan(route).await
        };
        let body = match self.is_socket() {
            true => frame::acknowledgement(full, &output),
            false => frame::response(full, &output),
        };
        if self.is_socket() {
            self.audience.acknowledge(&body);
        }
        let delivered = AssertUnwindSafe(self.deliver(route, live, &plan, &output)).catch_unwind().await;
        if let Err(panic) = delivered {
            tracing::error!(
                route = %full, request_id = %self.run.caller.request_id, panic = panic_text(&*panic),
                "a fanout ended early: the host panicked in it"
            );
        }
        let more = [
            ("serverOutput", Field::Json(&output)),
            ("recipientCount", Field::Num(count.unwrap_or(0) as u64)),
        ];
        self.tell(Hook::PostSyncFanout, &more).await;
        Ok(Reply { status: 200, body: body.into(), is_error: false, retry_after: None })
    }

    /// How the fanout goes, and how many it reaches, as far as anybody needs to know.
    async fn plan(&self, route: &SyncRoute) -> (Plan, Option<usize>) {
        let hooks = self.run.hooks();
        let (full, receiver) = (&route.server.full, &*self.receiver);
        if route.client.is_some() || hooks.wants(Hook::PreSyncRecipient, full) {
            let recipients: Arc<[Recipient]> = self.audience.recipients(receiver).await.into();
            let count = recipients.len();
            return (Plan::Each(recipients), Some(count));
        }
        let exact = hooks.wants(Hook::PostSyncFanout, full);
        let count = match exact || self.is_socket() {
            true => Some(self.audience.count(receiver, exact).await),
            false => None,
        };
        (Plan::Room, count)
    }

    async fn deliver(&self, route: &SyncRoute, live: &Arc<Live>, plan: &Plan, output: &Bytes) {
        let frames = Frames::new(self.fanout_callback(), &route.server.full);
        let session = self.run.caller.session.as_ref();
        let own = session.filter(|_| self.ignore_self).map(|session| session.token.as_str());
        match plan {
            Plan::Room => {
                let frame = frames.success(output, NOTHING, None);
                self.audience.send_to_room(&self.receiver, own, &frame);
            }
            Plan::Each(recipients) => {
                let fanout = Fanout { stages: self, route, live, frames: frames.into(), recipients, output };
                fanout.run(own).await;
            }
        }
        // A caller who outruns the room is slowed down here, where its call ends.
        self.audience.drained(&self.receiver).await;
    }

    /// `cb` of the frames: over sockets the full name, whatever the caller sent (§4.6).
    fn fanout_callback(&self) -> &str {
        let full = &*self.run.name;
        if self.is_socket() {
            return full;
        }
        let own = self.callback.as_deref().map(str::trim).filter(|callback| !callback.is_empty());
        own.unwrap_or_else(|| full.strip_prefix("sync/").unwrap_or(full))
    }
}

/// A fanout with something for each recipient.
struct Fanout<'f> {
    stages: &'f Stages<'f>,
    route: &'f SyncRoute,
    live: &'f Arc<Live>,
    frames: Arc<Frames>,
    recipients: &'f Arc<[Recipient]>,
    output: &'f Bytes,
}

impl Fanout<'_> {
    /// Serves all recipients but those with the token `own`.
    async fn run(&self, own: Option<&str>) {
        let policy = &self.stages.run.rules.policy.sync;
        let size = usize::try_from(policy.fanout_yield_every).unwrap_or(usize::MAX).max(1);
        for start in (0..self.recipients.len()).step_by(size) {
            if start > 0 {
                pause(policy.fanout_yield).await;
            }
            let end = start.saturating_add(size).min(self.recipients.len());
            let mut batch = Vec::with_capacity(end - start);
            for (place, recipient) in (start..end).zip(&self.recipients[start..end]) {
                if own.is_some() && own == recipient.token.as_deref() {
                    continue;
                }
                if let Some(instead) = self.ask_for(recipient).await {
                    batch.push(Served { place, instead });
                }
            }
            match &self.route.client {
                Some(client) => self.serve_each(client, batch).await,
                None => self.serve_alike(&batch),
            }
        }
    }

    /// The hook for one recipient: nothing when it is skipped, else what it gets instead, if anything.
    async fn ask_for(&self, recipient: &Recipient) -> Option<Option<Bytes>> {
        let run = &self.stages.run;
        if !run.hooks().any(Hook::PreSyncRecipient) {
            return Some(None);
        }
        let payload = [
            ("routeName", Field::Str(&run.name)),
            ("receiver", Field::Str(&self.stages.receiver)),
            ("recipientSocketId", Field::Str(&recipient.socket_id)),
            ("recipientUserId", Field::Null),
            ("serverOutput", Field::Json(self.output)),
        ];
        let Some(stop) = run.dispatch(Hook::PreSyncRecipient, &payload).await.stop else { return Some(None) };
        let instead = stop.override_output?;
        match scan(&instead) {
            Ok(_) => Some(Some(instead.into())),
            Err(error) => {
                // What the hook meant to hide must not go out in its stead.
                tracing::error!(route = %run.name, %error, "a recipient was skipped: the hook's overrideOutput is no JSON");
                None
            }
        }
    }

    /// Frames without a client half.
    fn serve_alike(&self, batch: &[Served]) {
        let mut shared: Option<Vec<u8>> = None;
        for Served { place, instead } in batch {
            let recipient = &self.recipients[*place];
            match instead {
                Some(output) => self.send(recipient, &self.frames.success(output, NOTHING, None)),
                None => {
                    let make = || self.frames.success(self.output, NOTHING, None);
                    self.send(recipient, shared.get_or_insert_with(make));
                }
            }
        }
    }

    /// Frames by the client half, which is called once for all who get the same output.
    async fn serve_each(&self, client: &Route, batch: Vec<Served>) {
        let mut groups: Vec<(Bytes, Vec<usize>)> =
            vec![(self.output.clone(), Vec::with_capacity(batch.len()))];
        let mut known: HashMap<Bytes, usize> = HashMap::new();
        for Served { place, instead } in batch {
            let group = match instead.filter(|output| output != self.output) {
                None => 0,
                Some(output) => *known.entry(output.clone()).or_insert_with(|| {
                    groups.push((output, Vec::new()));
                    groups.len() - 1
                }),
            };
            groups[group].1.push(place);
        }
        let mut made: Vec<(usize, Vec<u8>)> = Vec::new();
        for (output, places) in groups.into_iter().filter(|(_, places)| !places.is_empty()) {
            made.extend(self.client_half(client, output, places).await);
        }
        if !known.is_empty() {
            made.sort_unstable_by_key(|(place, _)| *place);
        }
        for (place, frame) in &made {
            self.send(&self.recipients[*place], frame);
        }
    }

    /// Calls the client half; the frame of each recipient with its place.
    async fn client_half(&self, client: &Route, output: Bytes, places: Vec<usize>) -> Vec<(usize, Vec<u8>)> {
        let run = &self.stages.run;
        let sink: Arc<dyn StreamSink> = Arc::new(ToRecipients {
            live: Arc::clone(self.live),
            frames: Arc::clone(&self.frames),
            recipients: Arc::clone(self.recipients),
            places: places.clone(),
        });
        let of = |recipient: &Recipient| SyncRecipient {
            token: recipient.token.clone(),
            language: Arc::clone(&recipient.language),
        };
        let batch = SyncBatch {
            room: Arc::clone(&self.stages.receiver),
            input: run.input.clone(),
            server_output: output.clone(),
            recipients: places.iter().map(|&place| of(&self.recipients[place])).collect(),
        };
        let answers = self.ask_client(client, &sink, batch).await;
        let locales = run.inner.locales.load();
        match answers {
            Ok(answers) if answers.len() == places.len() => {
                let frame = |(place, answer): (usize, _)| {
                    (place, self.frame(&locales, &self.recipients[place], &output, answer))
                };
                places.into_iter().zip(answers).map(frame).collect()
            }
            other => {
                // A call that failed was logged where it happened.
                if let Ok(answers) = other {
                    tracing::error!(
                        route = %run.name, plugin = %client.plugin.manifest().name, recipients = places.len(),
                        answers = answers.len(), "the client half must give one answer for each recipient"
                    );
                }
                let failed = ErrorEnvelope::new(envelope::sync::CLIENT_EXECUTION_FAILED);
                let frame = |place: usize| {
                    let language = &self.recipients[place].language;
                    (place, self.frames.error(&failed.clone().localized(&locales, language)))
                };
                places.into_iter().map(frame).collect()
            }
        }
    }

    /// Calls the client half, within its service's deadline. A service that is busy is asked again: its
    /// callers can be refused, what they were promised before cannot.
    async fn ask_client(
        &self,
        client: &Route,
        sink: &Arc<dyn StreamSink>,
        batch: SyncBatch,
    ) -> Result<Vec<Result<Vec<u8>, HandlerError>>, CallError> {
        let run = &self.stages.run;
        let deadline = Instant::now() + client.plugin.service().settings().deadline;
        loop {
            let mut context = CallContext::new(Arc::clone(&client.full), run.caller.clone(), deadline);
            context.functions = Some(Arc::clone(&run.inner.functions));
            context.sink = Some(Arc::clone(sink));
            match client.plugin.call_sync_client(Arc::new(context), batch.clone()).await {
                Err(CallError::Saturated { .. }) if Instant::now() + BUSY < deadline => {
                    tokio::time::sleep(BUSY).await;
                }
                answers => return answers,
            }
        }
    }

    /// The frame of one answer of the client half.
    fn frame(
        &self,
        locales: &Locales,
        recipient: &Recipient,
        output: &[u8],
        answer: Result<Vec<u8>, HandlerError>,
    ) -> Vec<u8> {
        let envelope = match answer.map(|given| (envelope::read_reply(&given), given)) {
            Ok((Ok(envelope::Reply::Success), given)) => {
                return self.frames.success(output, &given, frame::message_of(&given));
            }
            Ok((Ok(envelope::Reply::Error(raw)), _)) => rejected(raw),
            Err(error) => rejected(raw_error(error)),
            Ok((Err(problem), _)) => {
                let run = &self.stages.run;
                tracing::error!(
                    route = %run.name, request_id = %run.caller.request_id, %problem,
                    "the client half's answer is no envelope"
                );
                ErrorEnvelope::new(envelope::sync::INVALID_CLIENT_RESPONSE)
            }
        };
        self.frames.error(&envelope.localized(locales, &recipient.language))
    }

    fn send(&self, recipient: &Recipient, frame: &[u8]) {
        self.stages.audience.send_to(recipient, frame);
    }
}

/// What a client half refused, with the code for those that name none.
fn rejected(mut raw: envelope::RawError) -> ErrorEnvelope {
    raw.code.get_or_insert_with(|| envelope::sync::CLIENT_REJECTED.code.to_owned());
    raw.into_envelope(Surface::Sync.fallback_status())
}

/// Lets others work.
async fn pause(time: Duration) {
    match time.is_zero() {
        true => tokio::task::yield_now().await,
        false => tokio::time::sleep(time).await,
    }
}
