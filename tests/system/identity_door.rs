//! What the identity tests stand at: a host with a front door and little behind it.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Answer, Forge, Host, Project, RedisServer};
use serde_json::{Value, json};

use crate::project;

/// A route for everybody.
pub(crate) const OPEN: &str = "/api/gate/getOpen/v1";
/// A route for whoever is signed in.
pub(crate) const MINE: &str = "/api/gate/getMine/v1";
/// A route that changes something, for whoever is signed in.
pub(crate) const CHANGE: &str = "/api/gate/change/v1";

/// A host that knows people, behind a proxy that it believes: whoever wants to be somebody else says so.
pub(crate) fn door() -> Project {
    project()
        .guest(Guest::Session)
        .forged("gate", "gate.wasm", &gate())
        .settings("[rate_limiting]\nenabled = false\n\n[http]\ntrust_proxy = true\n")
}

fn gate() -> Forge {
    let login = json!({ "login": true });
    Forge::new("gate", "gate")
        .route(route("getMine", "GET", login.clone()))
        .route(route("change", "POST", login))
        .api("getOpen", Act::success(json!("in")))
}

/// A route of the manifest with this rule, at version 1.
pub(crate) fn route(name: &str, method: &str, auth: Value) -> Value {
    json!({
        "kind": "api", "name": name, "version": 1, "method": method, "auth": auth, "rateLimit": false,
        "validation": "relaxed",
    })
}

/// With this kind of backplane; with `redis` it is a server of the test's own.
pub(crate) async fn kept_in(project: Project, store: &str) -> (Project, Option<RedisServer>) {
    let project = project.set(&format!("backplane.store={store}"));
    if store != "redis" {
        return (project, None);
    }
    let redis = RedisServer::start().await;
    (project.set(&format!("backplane.url={}", redis.url())), Some(redis))
}

/// Stops a host and starts it again on the same files and port.
pub(crate) async fn restart(mut host: Host, project: &Project) -> Host {
    let port = host.port();
    host.terminate();
    assert!(host.exit().await.success(), "{}", host.log());
    drop(host);
    let host = project.serve(&["--port", &port.to_string()]).await;
    assert_eq!(host.port(), port);
    host
}

/// The `number`th code that was sent by e-mail, from 1: the outbox of development is the terminal.
pub(crate) async fn mailed_code(host: &Host, number: usize) -> String {
    let line = host.wait_for_log_line("        |     ", number).await;
    line.rsplit(' ').next().unwrap().to_owned()
}

/// Asserts that an answer of `/auth/api/…` is this failure and nothing more.
#[track_caller]
pub(crate) fn assert_failure(answer: &Answer, status: u16, reason: &str) {
    assert_eq!(
        (answer.status, answer.json()),
        (status, json!({ "status": false, "reason": reason })),
        "expected {reason}"
    );
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(answer.header("x-session-token"), None, "a failure hands out nothing");
}

/// Whether a text is 32 random bytes as they are written.
pub(crate) fn is_secret(value: &Value) -> bool {
    value.as_str().is_some_and(is_hex)
}

/// Whether a text is 64 lower-case hexadecimal digits.
pub(crate) fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}
