//! What a transport answers by itself, as the pipeline would have (wire protocol §3.1, §3.4, §4.1).

use luckystack_plugins::Caller;

use crate::call::Reply;
use crate::envelope::{ErrorEnvelope, Surface};
use crate::pipeline::{Pipeline, unknown_name};
use crate::run::Run;

impl Pipeline {
    /// The reply to a message that cannot become a call: hooks and formatters that see every error see this
    /// one, too.
    pub async fn refuse(&self, surface: Surface, caller: Caller, error: ErrorEnvelope) -> Reply {
        let (table, rules) = (self.0.table.load_full(), self.0.rules.load_full());
        let name = unknown_name(surface);
        let run = Run {
            inner: &self.0,
            rules: &rules,
            table: &table,
            surface,
            name,
            caller,
            sink: None,
            input: Default::default(),
        };
        let mut answer = run.fail(error.into());
        match surface {
            Surface::Api => run.respond(answer, None, run.name.to_string()).await,
            Surface::Sync => {
                run.format_error(&mut answer, None).await;
                answer.into()
            }
        }
    }

    /// Counts a call that has no route in the bucket of the caller's address.
    ///
    /// # Errors
    /// The refusal, when the bucket is full.
    pub async fn admit_address(&self, surface: Surface, caller: &Caller) -> Result<(), Reply> {
        let (table, rules) = (self.0.table.load_full(), self.0.rules.load_full());
        let run = Run {
            inner: &self.0,
            rules: &rules,
            table: &table,
            surface,
            name: unknown_name(surface),
            caller: caller.clone(),
            sink: None,
            input: Default::default(),
        };
        run.check_address().await.map_err(|failure| run.fail(failure).into())
    }
}
