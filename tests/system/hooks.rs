//! Hooks as components: they stop, replace or observe in a fixed order, and one that fails breaks nothing.

use std::time::{Duration, Instant};

use luckystack_tests::guests::Guest;
use luckystack_tests::{Act, Call, Forge, Project};
use serde_json::{Value, json};

use crate::{ORDINARY, arena, project, under_load, volley};

fn hook(service: &str, entry: Value, act: Act) -> Forge {
    Forge::new(service, service).hook(entry, act)
}

fn vehicles() -> Project {
    project().guest(Guest::Vehicles)
}

fn stop(code: &str, status: Option<u16>) -> Act {
    Act::Fail(code.to_owned(), status)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hook_that_fails_is_isolated_and_the_call_it_watches_goes_on() {
    let acts = [
        ("traps", Act::Trap, "unreachable"),
        ("spins", Act::Spin, "no answer within 200ms"),
        ("grows", Act::Grow, "memory limit exceeded"),
        ("points", Act::WildPointer, "out of bounds"),
        ("tags", Act::WildTag, "discriminant"),
        ("garbles", Act::InvalidUtf8, "utf-8"),
    ];
    let mut arena = arena("");
    for (service, act, _) in &acts {
        for name in ["preApiExecute", "postApiExecute"] {
            let entry = json!({ "hook": name, "routes": ["api/hostile/"] });
            let forge = Forge::new(service, name).hook(entry, act.clone());
            arena = arena.forged(service, &format!("{name}.wasm"), &forge);
        }
        arena = arena.service(service, "hook_deadline = \"200ms\"\nmemory = \"8MiB\"\ndegraded_after = 1000");
    }
    let host = arena.start().await;
    let answers = under_load(&host, volley(&host, Call::get("/api/hostile/healthy/v1"), 4)).await;
    for (answer, took) in answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(took >= Duration::from_millis(380), "both spinning hooks had their deadline: {took:?}");
    }
    for (service, _, reason) in acts {
        let lines = host.log_lines(&format!("service={service}"));
        assert_eq!(lines.len(), 8, "four calls, two hooks: {lines:?}");
        assert!(lines.iter().all(|line| line.contains("call failed") && line.contains(reason)), "{lines:?}");
    }
    let degraded = host.get("/readyz").await.json()["checks"]["plugins"]["degraded"].clone();
    assert_eq!(degraded, json!([]), "the watched service has no part in it");
}

#[tokio::test]
async fn a_hook_that_always_fails_makes_its_own_service_degraded() {
    let forge = hook("watcher", json!({ "hook": "postApiExecute" }), Act::Trap);
    let host = vehicles()
        .forged("watcher", "watcher.wasm", &forge)
        .service("watcher", "degraded_after = 2")
        .start()
        .await;
    for _ in 0..5 {
        assert_eq!(host.get(ORDINARY).await.status, 200);
    }
    assert_eq!(host.get("/readyz").await.json()["checks"]["plugins"]["degraded"], json!(["watcher"]));
}

#[tokio::test]
async fn a_pre_hook_stops_with_its_code_and_status() {
    for (act, status, code) in [
        (stop("gate.closed", None), 403, "gate.closed"),
        (stop("gate.legal", Some(451)), 451, "gate.legal"),
        (stop("", None), 403, "error.invalidResponse"),
    ] {
        let forge =
            hook("gate", json!({ "hook": "preApiExecute", "routes": ["api/vehicles/getAll/v1"] }), act);
        let host = vehicles().forged("gate", "gate.wasm", &forge).start().await;
        host.get(ORDINARY).await.assert_error(status, code);
        assert_eq!(host.get("/api/vehicles/getById/v1?id=v01").await.status, 200, "another route");
    }
}

#[tokio::test]
async fn the_message_of_a_stop_is_localised() {
    let forge = hook("gate", json!({ "hook": "preApiExecute" }), stop("gate.closed", None));
    let host = vehicles()
        .forged("gate", "gate.wasm", &forge)
        .write("presets/locales/en.json", r#"{"gate":{"closed":"Closed today"}}"#)
        .write("presets/locales/nl.json", r#"{"gate":{"closed":"Vandaag gesloten"}}"#)
        .start()
        .await;
    for (language, message) in
        [("en", "Closed today"), ("nl-BE, en", "Vandaag gesloten"), ("fr", "Closed today")]
    {
        let answer = host.send(Call::get(ORDINARY).header("accept-language", language)).await;
        assert_eq!(answer.json()["message"], message);
    }
}

#[tokio::test]
async fn a_request_is_stopped_before_anything_else_looks_at_it() {
    let forge = hook("gate", json!({ "hook": "preHttpRequest" }), stop("gate.closed", Some(418)));
    let host = vehicles().forged("gate", "gate.wasm", &forge).start().await;
    for path in [ORDINARY, "/api/nobody/getIt/v1", "/anything"] {
        let answer = host.get(path).await;
        assert_eq!(
            (answer.status, answer.json()),
            (418, json!({ "status": "error", "errorCode": "gate.closed" }))
        );
    }
}

#[tokio::test]
async fn hooks_run_by_order_then_by_service_and_the_first_stop_wins() {
    let entry = |order: i32| json!({ "hook": "preApiExecute", "order": order });
    for (orders, winner) in [([5, -1, 0], "b"), ([0, 0, 0], "a"), ([1, 1, -1000], "c"), ([1, 0, 0], "b")] {
        let mut project = vehicles();
        // Added in reverse, so that neither names of files nor the order of loading decide.
        for (service, order) in ["a", "b", "c"].into_iter().zip(orders).rev() {
            let forge = hook(service, entry(order), stop(service, None));
            project = project.forged(service, &format!("z-{service}.wasm"), &forge);
        }
        project.start().await.get(ORDINARY).await.assert_error(403, winner);
    }
}

#[tokio::test]
async fn the_last_replacement_of_a_response_goes_out() {
    let give = |text: &str| {
        Act::Give(format!("{{\"status\":\"success\",\"httpStatus\":203,\"by\":{text:?}}}").into())
    };
    let entry = |name: &str, order: i32| json!({ "hook": name, "order": order });
    let host = vehicles()
        .forged("a", "a.wasm", &hook("a", entry("preApiRespond", 2), give("second")))
        .forged("b", "b.wasm", &hook("b", entry("preApiRespond", 1), give("first")))
        .start()
        .await;
    let answer = host.get(ORDINARY).await;
    assert_eq!((answer.status, &answer.json()["by"]), (203, &json!("second")));

    let host = vehicles()
        .forged("a", "a.wasm", &hook("a", entry("preApiRespond", 2), give("respond")))
        .forged("b", "b.wasm", &hook("b", entry("transformApiResponse", 1), give("transform")))
        .start()
        .await;
    assert_eq!(host.get(ORDINARY).await.json()["by"], "transform");
}

#[tokio::test]
async fn a_replacement_that_is_no_object_is_dropped_and_logged() {
    for bytes in ["", "[1]", "{\"a\":", "null"] {
        let entry = json!({ "hook": "preApiRespond" });
        let forge = hook("vandal", entry, Act::Give(bytes.into()));
        let host = vehicles().forged("vandal", "vandal.wasm", &forge).start().await;
        assert_eq!(host.get(ORDINARY).await.result().as_array().map(Vec::len), Some(20), "{bytes:?}");
        host.wait_for_log("a hook's replacement was dropped").await;
    }
}

#[tokio::test]
async fn hooks_that_observe_cannot_stop_or_change_anything() {
    for name in ["preApiValidate", "postApiValidate", "postApiExecute", "postApiRespond"] {
        for act in [stop("no.effect", Some(418)), Act::Give(b"{\"status\":\"success\"}".to_vec())] {
            let forge = hook("watcher", json!({ "hook": name }), act);
            let host = vehicles().forged("watcher", "watcher.wasm", &forge).start().await;
            let answer = host.get(ORDINARY).await;
            assert_eq!(answer.result().as_array().map(Vec::len), Some(20), "{name}");
        }
    }
}

#[tokio::test]
async fn a_stop_when_responding_turns_a_success_into_an_error() {
    let forge = hook("censor", json!({ "hook": "preApiRespond" }), stop("censor.cut", None));
    let host = vehicles().forged("censor", "censor.wasm", &forge).start().await;
    host.get(ORDINARY).await.assert_error(403, "censor.cut");
}

#[tokio::test]
async fn the_host_waits_for_hooks_when_it_stops_but_not_for_ever() {
    let forge = hook("farewell", json!({ "hook": "preServerStop" }), Act::Spin);
    let mut host = vehicles()
        .forged("farewell", "farewell.wasm", &forge)
        .service("farewell", "hook_deadline = \"500ms\"")
        .start()
        .await;
    let asked = Instant::now();
    host.terminate();
    assert!(host.exit().await.success());
    assert!(asked.elapsed() >= Duration::from_millis(480), "{:?}", asked.elapsed());
}
