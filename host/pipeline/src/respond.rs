//! The way out (wire protocol §3.1 stages 19 to 23): hooks that may change a reply, the error formatter,
//! and the hook that sees the reply as it leaves. Runs for every outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_plugins::{CallContext, HookStop, Transport};

use crate::call::Reply;
use crate::envelope::{ErrorEnvelope, RawError, Surface, status_of};
use crate::hooks::{Decision as HookDecision, Field, Hook};
use crate::json::{Document, document};
use crate::run::Run;
use crate::table::Route;

/// A stop of an API call's hook has this status unless it says another (wire protocol §1.10).
pub(crate) const STOPPED: u16 = 403;

/// An envelope on its way out.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    pub(crate) status: u16,
    pub(crate) is_error: bool,
    pub(crate) retry_after: Option<u64>,
}

/// An error on its way to becoming an envelope.
pub(crate) struct Failure {
    pub(crate) envelope: ErrorEnvelope,
    pub(crate) retry_after: Option<u64>,
}

impl From<ErrorEnvelope> for Failure {
    fn from(envelope: ErrorEnvelope) -> Self {
        Failure { envelope, retry_after: None }
    }
}

impl Failure {
    /// The refusal of a service whose queue is full; ours, the original has no queues.
    pub(crate) fn busy(surface: Surface, retry_after: Duration) -> Failure {
        let code = match surface {
            Surface::Api => "api.serviceBusy",
            Surface::Sync => "sync.serviceBusy",
        };
        let seconds = retry_after.as_secs().max(1);
        let envelope = ErrorEnvelope::with_status(code, 503).param("seconds", seconds);
        Failure { envelope, retry_after: Some(seconds) }
    }
}

impl Run<'_> {
    /// An error envelope in the caller's language.
    pub(crate) fn fail(&self, failure: Failure) -> Answer {
        let envelope = failure.envelope.localized(&self.inner.locales.load(), &self.caller.language);
        Answer {
            body: envelope.to_bytes(),
            status: envelope.http_status,
            is_error: true,
            retry_after: failure.retry_after,
        }
    }

    /// The reply that a sync call's failure is: no hook sees it on its way out (§4.1).
    pub(crate) async fn refuse(&self, failure: Failure, route: Option<&Route>) -> Reply {
        let mut answer = self.fail(failure);
        self.format_error(&mut answer, route).await;
        tracing::debug!(
            route = %self.name, status = answer.status, request_id = %self.caller.request_id, "refused"
        );
        answer.into()
    }

    /// Stages 19 to 23, for every outcome: hooks that may change the reply, the error formatter, and
    /// the hook that sees it as it goes out.
    pub(crate) async fn respond(&self, mut answer: Answer, route: Option<&Route>, raw_name: String) -> Reply {
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
                    answer = self.fail(stopped(stop, STOPPED).into());
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
        answer.into()
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
    pub(crate) async fn format_error(&self, answer: &mut Answer, route: Option<&Route>) {
        let own = route.filter(|route| route.formats_errors).map(Route::plugin);
        for plugin in own.into_iter().chain(self.table.formatter()) {
            let deadline = Instant::now() + plugin.service().settings().hook_deadline;
            let mut context = CallContext::new(Arc::clone(&self.name), self.caller.clone(), deadline);
            context.functions = Some(Arc::clone(&self.inner.functions));
            let user_id = self.caller.session.as_ref().map(|session| session.user_id.clone());
            // A formatter that fails was counted and logged by the plugin host.
            if let Ok(Some(body)) = plugin.format_error(Arc::new(context), user_id, answer.body.clone()).await
            {
                if matches!(document(&body), Ok(Document::Object(_))) {
                    answer.replace(body.into());
                    return;
                }
                tracing::warn!(plugin = %plugin.manifest().name, "a formatted error was dropped: it is no JSON object");
            }
        }
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Reply {
            status: answer.status,
            body: answer.body,
            is_error: answer.is_error,
            retry_after: answer.retry_after,
        }
    }
}

impl Answer {
    /// Takes another body: its `status` says whether it is an error still, its `httpStatus` the status.
    fn replace(&mut self, body: Bytes) {
        if let Ok(Document::Object(members)) = document(&body) {
            if let Some(status) = members.get("httpStatus").and_then(status_of) {
                self.status = status;
            }
            if let Some(status) = members.get("status").and_then(|member| member.as_str()) {
                self.is_error = status == "error";
            }
        }
        self.body = body;
    }
}

/// The error that a hook's stop is, with that status unless the hook chose one.
pub(crate) fn stopped(stop: HookStop, status: u16) -> ErrorEnvelope {
    RawError::from_parts::<String, Vec<u8>>(&stop.error_code, [], stop.http_status).into_envelope(status)
}
