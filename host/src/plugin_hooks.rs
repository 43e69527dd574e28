//! Hooks of the identity side, run by the plugins that subscribed.

use futures::future::BoxFuture;
use luckystack_pipeline::Pipeline;
use luckystack_pipeline::hooks::{Hook, Known};
use luckystack_sessions::{Hooks, Stop};
use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// Hooks told and not run yet. They are told by logins and logouts; more than this means that their
/// subscribers cannot keep up, and later ones are dropped with a warning.
const QUEUE: usize = 4096;

/// Hands hooks to the pipeline.
#[derive(Clone, Debug)]
pub(crate) struct PluginHooks {
    pipeline: Pipeline,
    told: mpsc::Sender<(Hook, Map<String, Value>)>,
}

impl PluginHooks {
    /// Needs a running tokio runtime: what is told is run by a task, in order.
    pub(crate) fn new(pipeline: Pipeline) -> Self {
        let (told, mut waiting) = mpsc::channel::<(Hook, Map<String, Value>)>(QUEUE);
        let runner = pipeline.clone();
        tokio::spawn(async move {
            while let Some((hook, payload)) = waiting.recv().await {
                runner.run_hook(hook, &payload).await;
            }
        });
        Self { pipeline, told }
    }

    fn find(&self, name: &str) -> Option<Hook> {
        match Hook::find(name) {
            Known::Dispatched(hook) => self.pipeline.has_hook(hook).then_some(hook),
            Known::NotDispatched | Known::Unknown => {
                debug_assert!(false, "the hook {name} is announced and not dispatched");
                None
            }
        }
    }
}

impl Hooks for PluginHooks {
    fn wanted(&self, hook: &str) -> bool {
        self.find(hook).is_some()
    }

    fn ask<'a>(&'a self, hook: &'a str, payload: Value) -> BoxFuture<'a, Option<Stop>> {
        Box::pin(async move {
            let (hook, Value::Object(payload)) = (self.find(hook)?, payload) else { return None };
            let stop = self.pipeline.run_hook(hook, &payload).await?;
            Some(Stop { error_code: stop.error_code, http_status: stop.http_status })
        })
    }

    fn tell(&self, hook: &'static str, payload: Value) {
        let (Some(hook), Value::Object(payload)) = (self.find(hook), payload) else { return };
        if self.told.try_send((hook, payload)).is_err() {
            tracing::warn!(hook = hook.name(), "a hook was dropped: its subscribers do not keep up");
        }
    }
}
