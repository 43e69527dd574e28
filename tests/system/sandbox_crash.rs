//! Promises: what allocates or recurses without end, traps, exits or aborts fails its own call; the
//! instance is discarded and the next call gets a clean one.

use luckystack_tests::{Act, Call, Forge, Host};
use serde_json::json;

use crate::{arena, calls_seen, under_load, volley};

async fn crash(host: &Host, route: &str, log: &str) {
    assert_eq!(calls_seen(host).await, 1);
    let path = format!("/api/hostile/{route}/v1");
    for (answer, _) in under_load(host, volley(host, Call::get(&path), 8)).await {
        answer.assert_error(500, "api.internalServerError");
        assert!(!answer.text().contains("wasm"), "the client hears nothing of the inside: {}", answer.text());
    }
    let line = host.wait_for_log(log).await;
    assert!(line.contains(&format!("api/hostile/{route}/v1")), "{line}");
    assert_eq!(calls_seen(host).await, 1, "a clean instance");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn allocating_without_end_fails_the_call_at_the_services_limit() {
    let host = arena("memory = \"16MiB\"").start().await;
    crash(&host, "allocate", "memory limit exceeded").await;
    assert!(host.log().contains("the service's limit memory is 16777216"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recursing_without_end_fails_the_call() {
    let host = arena("").start().await;
    // It runs out of the part of its memory that Rust uses as a stack; WebAssembly's own is tried below.
    crash(&host, "recurse", "hostile::recurse::deeper").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_fails_the_call_and_its_message_goes_to_the_log() {
    let host = arena("").start().await;
    crash(&host, "panic", "call failed").await;
    assert!(host.log().contains("call 2 went wrong"), "{}", host.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_fails_the_call() {
    let host = arena("").start().await;
    crash(&host, "abort", "unreachable").await;
}

/// What no toolchain emits: raw traps, and results that break the component model's own rules.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_webassembly_does_fails_its_own_call_only() {
    let acts = [
        ("trap", Act::Trap, "unreachable"),
        ("outOfBounds", Act::OutOfBounds, "out of bounds"),
        ("divideByZero", Act::DivideByZero, "divide by zero"),
        ("recurse", Act::Recurse, "call stack exhausted"),
        ("grow", Act::Grow, "memory limit exceeded"),
        ("wildPointer", Act::WildPointer, "out of bounds"),
        ("wildLength", Act::WildLength, "out of bounds"),
        ("wildTag", Act::WildTag, "discriminant"),
        ("invalidUtf8", Act::InvalidUtf8, "utf-8"),
    ];
    let mut project = arena("").service("rogue", "memory = \"8MiB\"");
    for (name, act, _) in &acts {
        let forge = Forge::new("rogue", name).api(name, act.clone());
        project = project.forged("rogue", &format!("{name}.wasm"), &forge);
    }
    let wild = Forge::new("rogue", "wildRealloc").api("wildRealloc", Act::success(json!(1))).wild_realloc();
    let host = project
        .forged("rogue", "wildRealloc.wasm", &wild)
        .service("rogue", "degraded_after = 1000")
        .start()
        .await;
    let reasons = acts
        .iter()
        .map(|(name, _, reason)| (*name, *reason))
        .chain([("wildRealloc", "beyond end of memory")]);
    under_load(&host, async {
        for (name, reason) in reasons {
            let path = format!("/api/rogue/{name}/v1");
            for _ in 0..2 {
                host.get(&path).await.assert_error(500, "api.internalServerError");
            }
            let line = host.wait_for_log(&format!("api/rogue/{name}/v1")).await;
            assert!(line.contains("call failed") && line.contains(reason), "{name}: {line}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_plugin_that_traps_while_it_is_loaded_is_skipped_with_the_reason() {
    let plugins = [
        ("describe.wasm", Forge::new("rogue", "describe").describe(Act::Trap), "unreachable"),
        ("start.wasm", Forge::new("rogue", "start").start(Act::Trap), "unreachable"),
        ("recurse.wasm", Forge::new("rogue", "recurse").describe(Act::Recurse), "call stack exhausted"),
        ("utf8.wasm", Forge::new("rogue", "utf8").describe(Act::InvalidUtf8), "utf-8"),
        ("length.wasm", Forge::new("rogue", "length").describe(Act::WildLength), "out of bounds"),
        ("large.wasm", Forge::new("rogue", "large").initial_pages(300), "memory limit exceeded"),
    ];
    let mut project = arena("").service("rogue", "memory = \"16MiB\"");
    for (file, forge, _) in &plugins {
        project = project.forged("rogue", file, forge);
    }
    let host = project.start().await;
    let banner = host.banner();
    for (file, _, reason) in plugins {
        let line = banner.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{banner}"));
        assert!(
            line.starts_with("skipped") && line.contains("stage: describe") && line.contains(reason),
            "{line}"
        );
    }
    assert_eq!(host.get(crate::ORDINARY).await.status, 200);
}

#[tokio::test]
async fn an_instance_that_has_grown_large_is_not_kept() {
    let host = arena("memory = \"32MiB\"").start().await;
    let hoard =
        async |bytes: usize| host.post("/api/hostile/hoard/v1", &json!({ "bytes": bytes })).await.result();
    assert_eq!(hoard(1 << 20).await["calls"], 1);
    assert_eq!(calls_seen(&host).await, 2);
    assert_eq!(hoard(20 << 20).await["calls"], 3);
    assert_eq!(calls_seen(&host).await, 1, "more than half of the limit is worth a clean instance");
}
