//! Rate limits as a client meets them (wire protocol §3.3).

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Call, Forge};
use serde_json::json;

use crate::{ORDINARY, project};

#[tokio::test]
async fn the_call_after_the_last_allowed_one_is_refused_with_the_seconds_left() {
    let limits = "[rate_limiting]\ndefault_api_limit = 3\ndefault_ip_limit = false\n";
    let host = project().guest(Guest::Vehicles).settings(limits).start().await;
    let path = "/api/vehicles/getById/v1?id=v01";
    for _ in 0..3 {
        assert_eq!(host.get(path).await.status, 200);
    }
    for _ in 0..2 {
        let answer = host.get(path).await;
        answer.assert_error(429, "api.rateLimitExceeded");
        let seconds = answer.param("seconds").as_u64().unwrap();
        assert!((1..=60).contains(&seconds), "{seconds}");
    }
    assert_eq!(host.get(ORDINARY).await.status, 200, "another route has a bucket of its own");
}

#[tokio::test]
async fn an_address_has_a_bucket_over_all_routes() {
    let limits = "[rate_limiting]\ndefault_ip_limit = 4\n";
    let host = project().guest(Guest::Vehicles).settings(limits).start().await;
    for path in [ORDINARY, "/api/vehicles/getById/v1?id=v01", ORDINARY, "/api/vehicles/getById/v1?id=v02"] {
        assert_eq!(host.get(path).await.status, 200);
    }
    let answer = host.get("/api/vehicles/getById/v1?id=v01").await;
    answer.assert_error(429, "api.rateLimitExceeded");
}

#[tokio::test]
async fn buckets_are_per_client_behind_a_trusted_proxy() {
    let limits = "[rate_limiting]\ndefault_api_limit = 1\n\n[http]\ntrust_proxy = true\n";
    let host = project().guest(Guest::Vehicles).settings(limits).start().await;
    let call = |ip: &str| Call::get("/api/vehicles/getById/v1?id=v01").header("x-forwarded-for", ip);
    assert_eq!(host.send(call("203.0.113.1")).await.status, 200);
    assert_eq!(host.send(call("203.0.113.1")).await.status, 429);
    assert_eq!(host.send(call("203.0.113.2")).await.status, 200);
    // Only the proxy's own entry counts: what a client puts before it is its word.
    assert_eq!(host.send(call("198.51.100.9, 203.0.113.1")).await.status, 429);
}

#[tokio::test]
async fn a_wrong_method_or_input_counts_and_a_rejected_caller_does_not() {
    let route = json!({ "kind": "api", "name": "getSecret", "version": 1, "auth": { "login": true }, "rateLimit": 1 });
    let guarded = Forge::new("guarded", "guarded").api("getPlain", Act::success(json!(1))).route(route);
    let limits = "[rate_limiting]\ndefault_api_limit = 2\ndefault_ip_limit = false\n";
    let host = project()
        .guest(Guest::Vehicles)
        .forged("guarded", "guarded.wasm", &guarded)
        .settings(limits)
        .start()
        .await;
    for _ in 0..3 {
        host.get("/api/guarded/getSecret/v1").await.assert_error(401, "auth.required");
    }
    host.get("/api/vehicles/getById/v1").await.assert_error(400, "api.invalidInputType");
    host.post("/api/vehicles/getById/v1", &json!({})).await.assert_error(405, "api.methodNotAllowed");
    host.get("/api/vehicles/getById/v1?id=v01").await.assert_error(429, "api.rateLimitExceeded");
}

#[tokio::test]
async fn the_audit_plugin_logs_who_was_limited_or_rejected() {
    let route = json!({ "kind": "api", "name": "getSecret", "version": 1, "auth": { "login": true } });
    let guarded = Forge::new("guarded", "guarded").api("getPlain", Act::success(json!(1))).route(route);
    let limits = "[rate_limiting]\ndefault_api_limit = 1\ndefault_ip_limit = false\n";
    let host = project()
        .guest(Guest::Vehicles)
        .guest(Guest::Audit)
        .forged("guarded", "guarded.wasm", &guarded)
        .settings(limits)
        .start()
        .await;
    host.get("/api/guarded/getSecret/v1").await.assert_error(401, "auth.required");
    host.wait_for_log("api/guarded/getSecret/v1 rejected anonymous from 127.0.0.1").await;
    for _ in 0..2 {
        host.get("/api/vehicles/getById/v1?id=v01").await;
    }
    host.wait_for_log("is over its limit of 1 on api/vehicles/getById/v1").await;
}
