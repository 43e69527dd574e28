//! Promise: what returns invalid JSON or a huge output, or emits without end, gets a clear error that
//! names route and rule; output, stream and log are bounded.

use luckystack_tests::{Act, Call, Forge};
use serde_json::json;

use crate::{arena, calls_seen, under_load, volley};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_output_that_is_no_envelope_is_an_error_with_the_protocols_code() {
    let deep = format!("{{\"status\":\"success\",\"result\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let outputs: [(&str, &[u8], u16, &str); 13] = [
        ("empty", b"", 500, "api.emptyResponse"),
        ("null", b"null", 500, "api.emptyResponse"),
        ("array", b"[1]", 500, "api.invalidResponseStatus"),
        ("text", b"\"success\"", 500, "api.invalidResponseStatus"),
        ("noStatus", b"{\"result\":1}", 500, "api.invalidResponseStatus"),
        ("strangeStatus", b"{\"status\":\"maybe\"}", 500, "api.invalidResponseStatus"),
        ("cutOff", b"{\"status\":\"success\"", 500, "api.internalServerError"),
        ("trailing", b"{\"status\":\"success\"} {}", 500, "api.internalServerError"),
        ("noJson", b"{status:'success'}", 500, "api.internalServerError"),
        ("noUtf8", b"{\"status\":\"success\",\"result\":\"\xff\"}", 500, "api.internalServerError"),
        ("mark", b"\xef\xbb\xbf{\"status\":\"success\"}", 500, "api.internalServerError"),
        ("deep", deep.as_bytes(), 500, "api.internalServerError"),
        ("emptyError", b"{\"status\":\"error\"}", 400, "error.invalidResponse"),
    ];
    let mut project = arena("");
    for (name, output, _, _) in outputs {
        let forge = Forge::new("rogue", name).api(name, Act::Give(output.to_vec()));
        project = project.forged("rogue", &format!("{name}.wasm"), &forge);
    }
    let host = project.start().await;
    under_load(&host, async {
        for (name, _, status, code) in outputs {
            host.get(&format!("/api/rogue/{name}/v1")).await.assert_error(status, code);
            if status == 500 {
                let line = host.wait_for_log(&format!("api/rogue/{name}/v1")).await;
                assert!(
                    line.contains("the handler's answer is no envelope") && line.contains("problem="),
                    "{line}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_output_is_an_error_that_names_the_limit() {
    let host = arena("max_output = \"64KiB\"").start().await;
    let huge = |bytes: u32| Call::post("/api/hostile/huge/v1").json(&json!({ "bytes": bytes }));
    let fits = host.send(huge(60_000)).await.result();
    assert_eq!(fits.as_str().map(str::len), Some(60_000));
    for (answer, _) in under_load(&host, volley(&host, huge(10 << 20), 8)).await {
        answer.assert_error(500, "api.internalServerError");
    }
    let line = host.wait_for_log("max_output").await;
    assert!(line.contains("api/hostile/huge/v1") && line.contains("65536"), "{line}");
    assert_eq!(calls_seen(&host).await, 1, "a clean instance");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn emitting_without_end_is_ended_whether_or_not_anybody_listens() {
    let host = arena("max_stream = \"256KiB\"\nmax_stream_chunk = \"16KiB\"").start().await;
    let endless = json!({ "chunks": null, "bytes": 100, "stubborn": true });
    let call = || Call::post("/api/hostile/stream/v1").json(&endless);
    under_load(&host, async {
        // To a listener: chunks, then the error.
        let mut events = host.connect().await.stream(call()).await.rest().await;
        let last = events.pop().expect("an event");
        assert_eq!((&*last.name, &last.data["errorCode"]), ("final", &json!("api.internalServerError")));
        assert!(!events.is_empty() && events.iter().all(|event| event.name == "stream"));
        let bytes: usize = events.iter().map(|event| event.data.to_string().len()).sum();
        assert!(bytes <= 256 << 10, "{bytes} bytes reached the client");
        // To nobody.
        for (answer, _) in volley(&host, call(), 8).await {
            answer.assert_error(500, "api.internalServerError");
        }
    })
    .await;
    let line = host.wait_for_log("max_stream").await;
    assert!(line.contains("api/hostile/stream/v1") && line.contains("262144"), "{line}");
    assert_eq!(calls_seen(&host).await, 1, "a clean instance");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_is_too_large_or_no_object_ends_the_call() {
    let broken = Forge::new("rogue", "rogue").api("broken", Act::EmitForever(b"{\"a\":".to_vec()));
    let host = arena("max_stream_chunk = \"16KiB\"").forged("rogue", "rogue.wasm", &broken).start().await;
    let large = Call::post("/api/hostile/stream/v1")
        .json(&json!({ "chunks": 1, "bytes": 1 << 20, "stubborn": false }));
    let cases = [
        (large, "max_stream_chunk is 16384"),
        (Call::get("/api/hostile/streamNumber/v1"), "must be a JSON object"),
        (Call::get("/api/rogue/broken/v1"), "must be a JSON object"),
    ];
    under_load(&host, async {
        for (call, reason) in cases {
            // An error before the first chunk is an ordinary answer, also to a client that asked for events.
            for call in [call.clone(), call.header("accept", "text/event-stream")] {
                host.send(call).await.assert_error(500, "api.internalServerError");
            }
            host.wait_for_log(reason).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_log_lines_is_cut_and_no_line_can_be_forged() {
    let host = arena("max_log_lines = 5").start().await;
    let flood = Call::post("/api/hostile/writeLog/v1").json(&json!({ "lines": 10_000 }));
    under_load(&host, async {
        for (answer, _) in volley(&host, flood, 4).await {
            assert_eq!(answer.status, 200);
        }
    })
    .await;
    host.wait_for_log("log limit reached").await;
    assert_eq!(host.log_lines("line 5\\nERROR forged").len(), 4, "{}", host.log());
    assert_eq!(host.log_lines("line 6").len(), 0);
    assert!(!host.log().lines().any(|line| line.starts_with("ERROR forged")));
}

#[tokio::test]
async fn an_error_that_a_handler_returns_is_no_fault_of_its_instance() {
    let host = arena("").start().await;
    let answer = host.get("/api/hostile/fail/v1").await;
    answer.assert_error(409, "hostile.failed");
    assert_eq!(answer.param("reason"), "asked to");
    host.get("/api/hostile/failSilently/v1").await.assert_error(400, "error.invalidResponse");
    assert_eq!(calls_seen(&host).await, 3, "the same instance");
}
