//! Promise: what loops forever, or past its deadline, ends with a timeout, and the other calls of the
//! host keep their latency.

use std::time::Duration;

use luckystack_tests::guests::Guest;
use luckystack_tests::load::STALL;
use luckystack_tests::{Act, Call, Forge, Load};
use serde_json::json;
use tokio::net::TcpListener;

use crate::{arena, calls_seen, under_load, volley};

/// Longer than a stall: an ordinary request that waited for an attack would show.
const DEADLINE: &str = "deadline = \"2s\"";
/// The deadline, and what a busy machine may add.
const IN_TIME: std::ops::Range<Duration> = Duration::from_millis(1990)..Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_that_loop_end_at_their_deadline_and_nobody_else_waits() {
    let host = arena(DEADLINE).start().await;
    assert_eq!(calls_seen(&host).await, 1);
    for (answer, took) in under_load(&host, volley(&host, Call::get("/api/hostile/spin/v1"), 8)).await {
        answer.assert_error(504, "api.timeout");
        assert!(IN_TIME.contains(&took), "{took:?}");
    }
    assert_eq!(calls_seen(&host).await, 1, "the instances that looped are gone");
    assert_eq!(calls_seen(&host).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_in_webassembly_text_that_loops_ends_at_its_deadline() {
    let forge = Forge::new("rogue", "rogue").api("spin", Act::Spin);
    let host = arena("").forged("rogue", "rogue.wasm", &forge).service("rogue", DEADLINE).start().await;
    for (answer, took) in under_load(&host, volley(&host, Call::get("/api/rogue/spin/v1"), 4)).await {
        answer.assert_error(504, "api.timeout");
        assert!(IN_TIME.contains(&took), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_loops_while_it_is_loaded_is_skipped_and_the_rest_serves() {
    let describes = Forge::new("rogue", "describes").api("spin", Act::Nothing).describe(Act::Spin);
    let starts = Forge::new("rogue", "starts").api("spin", Act::Nothing).start(Act::Spin);
    let host = arena("")
        .forged("rogue", "describes.wasm", &describes)
        .forged("rogue", "starts.wasm", &starts)
        .service("rogue", "deadline = \"300ms\"")
        .start()
        .await;
    for file in ["describes.wasm", "starts.wasm"] {
        let banner = host.banner();
        let line = banner.lines().find(|line| line.contains(file)).unwrap_or_else(|| panic!("{banner}"));
        assert!(line.contains("stage: describe") && line.contains("no answer within 300ms"), "{line}");
    }
    assert_eq!(host.get(crate::ORDINARY).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_for_a_silent_server_ends_at_its_deadline() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let grants = format!("{DEADLINE}\ngrants.http = [{url:?}]\ngrants.keyvalue = true");
    let host = arena("").guest(Guest::Outbound).service("outbound", &grants).start().await;
    let fetch = Call::post("/api/outbound/fetch/v1").json(&json!({ "url": url }));
    for (answer, took) in under_load(&host, volley(&host, fetch, 8)).await {
        answer.assert_error(504, "api.timeout");
        assert!(IN_TIME.contains(&took), "{took:?}");
    }
    assert_eq!(host.post("/api/outbound/increment/v1", &json!({})).await.result(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_waits_for_a_client_which_does_not_read_ends_at_its_deadline() {
    let host = arena(&format!("{DEADLINE}\nmax_stream = \"1GiB\"")).start().await;
    let endless = json!({ "chunks": null, "bytes": 60_000, "stubborn": false });
    under_load(&host, async {
        let mut lazy = Vec::new();
        for _ in 0..4 {
            let call = Call::post("/api/hostile/stream/v1").json(&endless);
            // The head is read, and nothing behind it.
            lazy.push(host.connect().await.stream(call).await);
        }
        host.wait_for_log_line("no answer within 2s", 4).await;
        assert_eq!(host.log_lines("api/hostile/stream/v1").len(), 4, "{}", host.log());
    })
    .await;
    assert_eq!(calls_seen(&host).await, 1);
}

/// The other tests prove something only if the ordinary load notices what it should.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_load_that_has_to_wait_for_an_attack_is_noticed() {
    let host = arena("")
        .forged(
            "shared",
            "steady.wasm",
            &Forge::new("shared", "steady").api("steady", Act::success(json!(1))),
        )
        .forged("shared", "spin.wasm", &Forge::new("shared", "spin").api("spin", Act::Spin))
        .service("shared", &format!("{DEADLINE}\nconcurrency = 1"))
        .start()
        .await;
    let load = Load::start(&host, "/api/shared/steady/v1", 2).await;
    volley(&host, Call::get("/api/shared/spin/v1"), 1).await;
    let report = load.finish().await;
    assert!(report.slowest >= STALL, "{report:?}");
}
