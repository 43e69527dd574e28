//! A plugin of hooks: it serves nothing, it watches.
//!
//! A slow call leaves a warning, and so do rejected and limited callers; ordinary calls leave nothing, for
//! the host can log those by itself. Each subscription names the payload fields it reads, so that no
//! result is serialised for it.

use luckystack::prelude::*;

/// Slower calls are worth a warning, unless `slowMs` of the service's configuration says otherwise.
const SLOW_MS: f64 = 1000.0;
/// Faster calls never are, so the configuration need not be asked about them.
const NEVER_SLOW_MS: f64 = 10.0;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Executed {
    route_name: String,
    duration_ms: f64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rejected {
    route_name: String,
    reason: String,
    #[serde(default)]
    user_id: Option<String>,
    #[serde(default)]
    ip: Option<String>,
}

#[derive(Deserialize)]
struct Limited {
    scope: String,
    key: String,
    limit: u64,
    #[serde(default)]
    route: Option<String>,
}

#[hook("postApiExecute", order = 100, payload = ["routeName", "durationMs"])]
fn executed(event: Executed) -> Result<(), HandlerError> {
    let Executed { route_name, duration_ms } = event;
    if duration_ms >= NEVER_SLOW_MS && duration_ms >= slow_ms()? {
        log::warn!("{route_name} took {duration_ms:.1} ms");
    }
    Ok(())
}

#[hook("apiAuthRejected", payload = ["routeName", "reason", "userId", "ip"])]
fn rejected(event: Rejected) {
    let user = event.user_id.as_deref().unwrap_or("anonymous");
    let ip = event.ip.as_deref().unwrap_or("unknown");
    log::warn!("{} rejected {user} from {ip}: {}", event.route_name, event.reason);
}

#[hook("rateLimitExceeded", payload = ["scope", "key", "limit", "route"])]
fn limited(event: Limited) {
    let route = event.route.as_deref().unwrap_or("any route");
    log::warn!("{} {} is over its limit of {} on {route}", event.scope, event.key, event.limit);
}

fn slow_ms() -> Result<f64, HandlerError> {
    match config::require("slowMs") {
        Err(config::Error::Missing(_)) => Ok(SLOW_MS),
        other => Ok(other?),
    }
}

luckystack::plugin! {
    service = "audit",
    description = "What the services did, in the log",
    handlers = [executed, rejected, limited],
}

#[cfg(test)]
mod tests {
    use super::*;
    use luckystack::log::Level;
    use luckystack::testing::{self, HookResult};

    fn line(hook: &str, payload: &Value) -> (Level, String) {
        assert_eq!(testing::call_hook(&PLUGIN, hook, payload), HookResult::Proceed);
        let mut lines = testing::logs();
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    #[test]
    fn a_slow_call_leaves_a_warning_and_others_nothing() {
        let event = |ms: f64| json!({ "routeName": "api/vehicles/getAll/v1", "durationMs": ms });
        let quiet = |ms| {
            assert_eq!(testing::call_hook(&PLUGIN, "postApiExecute", &event(ms)), HookResult::Proceed);
            assert!(testing::logs().is_empty(), "{ms} ms");
        };
        quiet(0.25);
        quiet(999.0);
        let (level, text) = line("postApiExecute", &event(1000.0));
        assert_eq!((level, &*text), (Level::Warn, "audit: api/vehicles/getAll/v1 took 1000.0 ms"));
        testing::config("slowMs", "50");
        assert_eq!(line("postApiExecute", &event(51.0)).0, Level::Warn);
        quiet(49.0);
    }

    #[test]
    fn a_wrong_configuration_value_is_named_in_the_log() {
        testing::config("slowMs", "soon");
        let (level, text) = line("postApiExecute", &json!({ "routeName": "api/x/y/v1", "durationMs": 5000 }));
        assert_eq!(level, Level::Error);
        assert!(text.contains("`slowMs`"), "{text}");
    }

    #[test]
    fn rejected_and_limited_callers_leave_warnings() {
        let event = json!({ "routeName": "api/billing/createInvoice/v1", "reason": "login-required", "ip": "10.0.0.1" });
        let (level, text) = line("apiAuthRejected", &event);
        assert_eq!(level, Level::Warn);
        assert_eq!(
            text,
            "audit: api/billing/createInvoice/v1 rejected anonymous from 10.0.0.1: login-required"
        );
        let event = json!({ "scope": "ip", "key": "10.0.0.1", "limit": 60 });
        assert_eq!(
            line("rateLimitExceeded", &event).1,
            "audit: ip 10.0.0.1 is over its limit of 60 on any route"
        );
    }

    #[test]
    fn a_payload_that_does_not_fit_breaks_nothing() {
        assert_eq!(line("postApiExecute", &json!({ "routeName": 5 })).0, Level::Error);
    }
}
