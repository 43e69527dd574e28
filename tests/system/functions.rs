//! Functions: a project function over a service's, a service's over the host's own; one that misbehaves
//! fails for its caller and for nobody else.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Answer, Forge, Host, Project};
use serde_json::{Value, json};

use crate::{arena, project, under_load};

fn relay() -> Project {
    project().guest(Guest::Relay)
}

async fn call(host: &Host, name: &str, args: Value) -> Answer {
    host.post("/api/relay/call/v1", &json!({ "name": name, "args": args })).await
}

fn override_whoami(act: Act) -> Forge {
    Forge::new("functions", "overrides").function("relay/whoami", act)
}

#[tokio::test]
async fn a_project_function_shadows_a_services_without_rebuilding_its_callers() {
    let host = relay().start().await;
    assert_eq!(call(&host, "relay/whoami", Value::Null).await.result(), "service");
    drop(host);
    let project =
        relay().forged("functions", "overrides.wasm", &override_whoami(Act::Give(b"\"project\"".to_vec())));
    let listing = project.run(&["functions", "--no-build"]).await;
    let text = String::from_utf8_lossy(&listing.stdout).into_owned();
    let line = text.lines().find(|line| line.starts_with("relay/whoami")).unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("project (overrides.wasm)  shadows service relay (relay.wasm)"), "{line}");
    assert!(text.lines().any(|line| line.starts_with("host/info") && line.ends_with("host")), "{text}");

    let listing = project.run(&["functions", "--json", "--no-build"]).await;
    let json: Value = serde_json::from_slice(&listing.stdout).unwrap();
    let entry =
        json["functions"].as_array().unwrap().iter().find(|entry| entry["name"] == "relay/whoami").unwrap();
    assert_eq!(entry["provider"], "project (overrides.wasm)");
    assert_eq!(entry["shadowed"], json!(["service relay (relay.wasm)"]));

    let host = project.start().await;
    assert_eq!(call(&host, "relay/whoami", Value::Null).await.result(), "project");
}

#[tokio::test]
async fn the_hosts_own_functions_can_be_called() {
    let host = relay().start().await;
    assert_eq!(call(&host, "host/info", Value::Null).await.result()["contract"], "0.1.0");
    assert_eq!(call(&host, "host/routes", Value::Null).await.result(), json!(["api/relay/call/v1"]));
    let names = call(&host, "host/functions", Value::Null).await.result();
    assert!(names.as_array().unwrap().contains(&json!("relay/echo")), "{names}");
}

#[tokio::test]
async fn arguments_and_results_are_any_json() {
    let host = relay().start().await;
    for args in [json!(null), json!(5), json!("ü\u{1F600}"), json!([1, { "a": [] }]), json!({ "b": 1.5 })] {
        assert_eq!(call(&host, "relay/echo", args.clone()).await.result(), args);
    }
}

#[tokio::test]
async fn a_function_that_nobody_provides_is_named() {
    let host = relay().start().await;
    let answer = call(&host, "relay/nothing", Value::Null).await;
    answer.assert_error(404, "functions.notFound");
    assert_eq!(answer.param("name"), "relay/nothing");
}

#[tokio::test]
async fn a_functions_own_error_reaches_its_caller_whole() {
    let host = relay().start().await;
    let answer = call(&host, "relay/fail", Value::Null).await;
    answer.assert_error(409, "relay.failed");
    assert_eq!(answer.param("reason"), "asked to");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_that_misbehave_fail_for_their_caller_only() {
    let broken = override_whoami(Act::Give(b"{\"cut\":".to_vec()));
    let host = arena("")
        .guest(Guest::Relay)
        .service("relay", "deadline = \"2s\"")
        .forged("functions", "overrides.wasm", &broken)
        .start()
        .await;
    under_load(&host, async {
        call(&host, "relay/again", json!(0)).await.assert_error(500, "functions.callDepthExceeded");
        call(&host, "relay/panic", Value::Null).await.assert_error(500, "functions.failed");
        call(&host, "relay/whoami", Value::Null).await.assert_error(500, "functions.invalidResult");
        let spun = call(&host, "relay/spin", Value::Null).await;
        // Function and caller have the same deadline: either may be the one that tells.
        assert!(["api.timeout", "functions.timeout"].contains(&&*spun.code()), "{}", spun.text());
        assert_eq!(spun.status, 504);
    })
    .await;
    host.wait_for_log("a function went wrong").await;
    assert_eq!(call(&host, "relay/echo", json!(1)).await.result(), 1);
}

#[tokio::test]
async fn a_service_with_one_place_can_call_a_function_of_its_own() {
    let host = relay().service("relay", "concurrency = 1\nqueue = 0").start().await;
    assert_eq!(call(&host, "relay/echo", json!("again")).await.result(), "again");
}
