//! Streams over HTTP (wire protocol §3.6, §3.7), from a component to a client.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Call, Host};
use serde_json::json;

use crate::{arena, project};

async fn vehicles() -> Host {
    project().guest(Guest::Vehicles).start().await
}

fn track(id: &str, steps: u32) -> Call {
    Call::post("/api/vehicles/track/v1").json(&json!({ "id": id, "steps": steps }))
}

#[tokio::test]
async fn chunks_come_in_order_and_the_envelope_last() {
    let host = vehicles().await;
    let stream = host.connect().await.stream(track("v07", 40)).await;
    assert_eq!(stream.status, 200);
    let header =
        |name: &str| stream.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    assert_eq!(header("content-type").as_deref(), Some("text/event-stream"));
    assert_eq!(header("cache-control").as_deref(), Some("no-cache, no-transform"));
    assert_eq!(header("x-accel-buffering").as_deref(), Some("no"));
    let mut events = stream.rest().await;
    let last = events.pop().unwrap();
    assert_eq!((&*last.name, &last.data["result"]["sent"]), ("final", &json!(40)));
    assert_eq!((&last.data["status"], &last.data["httpStatus"]), (&json!("success"), &json!(200)));
    let steps: Vec<_> = events.iter().map(|event| event.data["step"].as_u64().unwrap()).collect();
    assert_eq!(steps, (1..=40).collect::<Vec<_>>());
    assert!(events.iter().all(|event| event.name == "stream"));
}

#[tokio::test]
async fn the_stream_looks_as_documented() {
    let host = vehicles().await;
    let text = host.connect().await.stream(track("v01", 1)).await.text().await;
    let (head, rest) = text.split_once("\n\n").unwrap();
    assert_eq!(head, ": connected");
    assert!(rest.starts_with("event: stream\ndata: {\"step\":1,\"lat\":"), "{rest}");
    assert!(rest.contains("}\n\nevent: final\ndata: {\"status\":\"success\",\"httpStatus\":200,"), "{rest}");
    assert!(rest.ends_with("}\n\n"), "{rest}");
}

#[tokio::test]
async fn an_error_before_the_first_chunk_is_an_ordinary_answer() {
    let host = vehicles().await;
    for (call, status, code) in [
        (track("v99", 3), 404, "vehicles.notFound"),
        (track("v01", 0), 400, "api.invalidInputType"),
        (Call::post("/api/vehicles/track/v1").json(&json!({})), 400, "api.invalidInputType"),
        (Call::post("/api/vehicles/nothing/v1").json(&json!({})), 404, "api.notFound"),
    ] {
        let answer = host.send(call.header("accept", "text/event-stream")).await;
        answer.assert_error(status, code);
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn without_streaming_mode_chunks_are_dropped_and_the_answer_is_plain() {
    let host = vehicles().await;
    let answer = host.send(track("v07", 3)).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    // Told that nobody listens, the handler stopped.
    assert_eq!(answer.result()["sent"], 0);
}

#[tokio::test]
async fn the_query_asks_for_a_stream_too_and_never_reaches_the_handler() {
    let host = vehicles().await;
    for query in ["?stream=true", "?stream=1"] {
        let path = format!("/api/vehicles/getAll/v1{query}");
        let answer = host.get(&path).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert!(answer.text().contains("event: final\ndata: {\"status\":\"success\""), "{}", answer.text());
    }
    let plain = host.get("/api/vehicles/getById/v1?id=v01&stream=no").await;
    assert_eq!(plain.result()["id"], "v01");
}

#[tokio::test]
async fn a_client_that_goes_away_is_noticed_by_the_handler() {
    let host = arena("").start().await;
    let mut events = host.connect().await.stream(Call::get("/api/hostile/follow/v1")).await;
    assert_eq!(events.next().await.unwrap().data["number"], 1);
    drop(events);
    let line = host.wait_for_log("the client has gone").await;
    assert!(line.contains("api/hostile/follow/v1"), "{line}");
}

#[tokio::test]
async fn a_handler_that_emits_to_a_client_that_went_away_is_told_to_stop() {
    let host = arena("").start().await;
    let endless = json!({ "chunks": null, "bytes": 1000, "stubborn": false });
    let mut events = host.connect().await.stream(Call::post("/api/hostile/stream/v1").json(&endless)).await;
    for number in 1..=100 {
        assert_eq!(events.next().await.unwrap().data["number"], number);
    }
    drop(events);
    host.wait_for_log("nobody listens after").await;
}
