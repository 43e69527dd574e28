//! What becomes of a call when this host panics in it: a mistake of ours, never a plugin's, whose traps end
//! in its own sandbox.

use std::any::Any;
use std::panic::resume_unwind;
use std::sync::Arc;

use luckystack_plugins::{Caller, Transport};

use crate::call::Reply;
use crate::envelope::{self, ErrorEnvelope, Shape, Surface};
use crate::hooks::{Field, Hook};
use crate::pipeline::Pipeline;

/// Keeps of a call what is needed to tell of its failure.
pub(crate) struct Watch {
    surface: Surface,
    transport: Transport,
    language: Arc<str>,
    /// Who called what, when somebody wants to hear of failures.
    told: Option<(Caller, String)>,
}

impl Watch {
    pub(crate) fn begin(pipeline: &Pipeline, surface: Surface, caller: &Caller, raw_name: &str) -> Watch {
        let told = caller.transport == Transport::Http && pipeline.has_hook(hook(surface));
        Watch {
            surface,
            transport: caller.transport,
            language: Arc::clone(&caller.language),
            told: told.then(|| (caller.clone(), raw_name.to_owned())),
        }
    }

    /// The reply over a socket. Over HTTP the panic goes on, once the hook `apiError` or `syncError` was
    /// told (wire protocol §11).
    pub(crate) async fn panicked(self, pipeline: &Pipeline, panic: Box<dyn Any + Send>) -> Reply {
        let message = panic_text(&*panic);
        if self.transport == Transport::Http {
            if let Some((caller, raw_name)) = self.told {
                let user = caller.session.clone();
                let payload = [
                    ("route", Field::Str(&raw_name)),
                    ("requestId", Field::Str(&caller.request_id)),
                    ("user", user.as_ref().map_or(Field::Null, |session| Field::Json(&session.user))),
                    ("error", Field::Str(message)),
                ];
                pipeline.free_hook(hook(self.surface), &raw_name, caller.clone(), &payload).await;
            }
            resume_unwind(panic);
        }
        tracing::error!(surface = self.surface.as_str(), message, "the host panicked in a call");
        let (code, shape) = match self.surface {
            Surface::Api => (envelope::api::SERVER_EXECUTION_FAILED, Shape::WithoutMessage),
            Surface::Sync => (envelope::sync::SERVER_EXECUTION_FAILED, Shape::Full),
        };
        let envelope = ErrorEnvelope::new(code).localized(&pipeline.0.locales.load(), &self.language);
        let mut body = Vec::new();
        envelope.write(&mut body, shape);
        Reply { status: envelope.http_status, body: body.into(), is_error: true, retry_after: None }
    }
}

fn hook(surface: Surface) -> Hook {
    match surface {
        Surface::Api => Hook::ApiError,
        Surface::Sync => Hook::SyncError,
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
