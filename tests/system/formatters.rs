//! Error formatters (wire protocol §1.9): the route's own, else the global one, else nothing.

use luckystack_tests::{Act, Forge, Project};
use serde_json::json;

use crate::{ORDINARY, arena};

fn give(by: &str) -> Act {
    Act::Give(json!({ "error": true, "by": by, "httpStatus": 418 }).to_string().into())
}

/// A route that always fails, with a formatter of its own that does this.
fn failing(formatter: Act) -> Forge {
    let route =
        json!({ "kind": "api", "name": "fail", "version": 1, "method": "GET", "errorFormatter": true });
    Forge::new("failing", "failing")
        .api("failPlainly", Act::Fail("failing.always".into(), Some(409)))
        .route(route)
        .error_formatter(false, formatter)
}

fn serve(own: Act, global: Option<Act>) -> Project {
    let project = arena("").forged("failing", "failing.wasm", &failing(own));
    match global {
        Some(act) => {
            project.forged("style", "style.wasm", &Forge::new("style", "style").error_formatter(true, act))
        }
        None => project,
    }
    .service("style", "hook_deadline = \"200ms\"")
}

#[tokio::test]
async fn the_routes_own_formatter_comes_before_the_global_one() {
    let host = serve(give("route"), Some(give("global"))).start().await;
    let answer = host.get("/api/failing/fail/v1").await;
    assert_eq!(
        (answer.status, answer.json()),
        (418, json!({ "error": true, "by": "route", "httpStatus": 418 }))
    );
    assert_eq!(host.get("/api/failing/failPlainly/v1").await.json()["by"], "global");
    assert_eq!(host.get("/api/nobody/getIt/v1").await.json()["by"], "global");
    assert_eq!(host.get(ORDINARY).await.status, 200, "a success is not formatted");
}

#[tokio::test]
async fn a_formatter_that_fails_or_gives_nothing_falls_through() {
    for broken in [Act::Trap, Act::Nothing, Act::Give(b"[]".to_vec()), Act::Give(b"{".to_vec()), Act::WildTag]
    {
        let host = serve(broken.clone(), Some(give("global"))).start().await;
        assert_eq!(host.get("/api/failing/fail/v1").await.json()["by"], "global", "{broken:?}");
    }
}

#[tokio::test]
async fn a_global_formatter_that_fails_leaves_the_error_untouched() {
    for broken in [Act::Trap, Act::Spin, Act::Nothing, Act::Give(b"no".to_vec()), Act::WildPointer] {
        let host = serve(Act::Nothing, Some(broken)).start().await;
        host.get("/api/failing/failPlainly/v1").await.assert_error(409, "failing.always");
    }
}
