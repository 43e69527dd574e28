//! Server-sent events and the client's disappearance (wire protocol §3.6, §3.7).

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::support::start;

const ACCEPT: &str = "Accept: application/json, Text/Event-Stream";

#[tokio::test]
async fn a_success_is_a_stream_whatever_its_chunks() {
    let server = start(|_| ()).await;
    let last = r#"{"httpStatus":200,"status":"success","streamed":true}"#;
    for (count, head, query) in
        [(0, ACCEPT, ""), (3, ACCEPT, ""), (2, "", "?stream=true"), (1, "", "?stream=1")]
    {
        let received = server.ask(&format!("GET /api/stream/{count}/v1{query}"), head, "").await;
        let chunks: String = (0..count).map(|n| format!("event: stream\ndata: {{\"n\":{n}}}\n\n")).collect();
        assert_eq!(received.text(), format!(": connected\n\n{chunks}event: final\ndata: {last}\n\n"));
        assert_eq!(received.status, 200);
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-cache, no-transform"),
            ("connection", "keep-alive"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(received.header(name), Some(value), "{name}");
        }
    }
}

#[tokio::test]
async fn chunks_outside_streaming_mode_are_dropped() {
    let server = start(|_| ()).await;
    for query in ["", "?stream=false"] {
        let received = server.ask(&format!("GET /api/stream/3/v1{query}"), "", "").await;
        assert_eq!(received.header("content-type"), Some("application/json"));
        assert_eq!(received.json()["streamed"], false);
    }
}

#[tokio::test]
async fn an_error_before_any_chunk_is_an_ordinary_response() {
    let server = start(|_| ()).await;
    let received = server.ask("GET /api/failing/0/v1", ACCEPT, "").await;
    assert_eq!(
        (received.status, received.json()["errorCode"].as_str()),
        (500, Some("api.internalServerError"))
    );
    assert_eq!(received.header("content-type"), Some("application/json"));
    let received = server.ask("GET /api/missing/x/v1", ACCEPT, "").await;
    assert_eq!(received.status, 404);
    let received = server.ask("GET /api/busy/x/v1", ACCEPT, "").await;
    assert_eq!((received.status, received.header("retry-after")), (503, Some("7")));
}

#[tokio::test]
async fn an_error_after_a_chunk_is_the_final_event() {
    let server = start(|_| ()).await;
    let received = server.ask("GET /api/failing/1/v1", ACCEPT, "").await;
    assert_eq!(received.status, 200);
    let (_, last) = received.text().split_once("event: final\ndata: ").unwrap();
    let envelope: serde_json::Value = serde_json::from_str(last.trim_end()).unwrap();
    assert_eq!(envelope["errorCode"], "api.internalServerError");
}

#[tokio::test]
async fn a_failing_host_is_a_500_before_and_an_error_event_after_a_chunk() {
    let server = start(|_| ()).await;
    let expected = json!({
        "status": "error", "httpStatus": 500,
        "message": "api.invalidRequestFormat", "errorCode": "api.invalidRequestFormat",
    });
    let before = server.ask("GET /api/panicking/0/v1", ACCEPT, "").await;
    assert_eq!((before.status, before.json()), (500, expected.clone()));
    let after = server.ask("GET /api/panicking/1/v1", ACCEPT, "").await;
    assert_eq!(after.status, 200);
    let (_, last) = after.text().split_once("event: error\ndata: ").unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(last.trim_end()).unwrap(), expected);
}

#[tokio::test]
async fn every_event_has_one_data_line() {
    let server = start(|_| ()).await;
    let received = server.ask("GET /api/multiline/x/v1", ACCEPT, "").await;
    let expected = ": connected\n\nevent: stream\ndata: {  \"a\": 1}\n\nevent: final\ndata: { \"status\":\"success\" }\n\n";
    assert_eq!(received.text(), expected);
}

#[tokio::test]
async fn an_empty_comment_is_left_out_and_the_query_is_configured() {
    let server = start(|project| {
        project.http.stream.connected_comment = String::new();
        project.http.stream.query_param = "live".to_owned();
        project.http.stream.enabled_value = "yes".to_owned();
    })
    .await;
    for (query, streams) in [("live=yes", true), ("live=1", true), ("stream=true", false)] {
        let received = server.ask(&format!("GET /api/stream/1/v1?{query}"), "", "").await;
        assert_eq!(received.text().starts_with("event: stream\n"), streams, "{query}");
    }
}

#[tokio::test]
async fn the_first_chunk_arrives_while_the_call_runs() {
    let server = start(|_| ()).await;
    let mut client = server.client().await;
    client.write(server.request("GET /api/gate/1/v1", ACCEPT, "")).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    let first = String::from_utf8(client.chunk().await).unwrap();
    assert_eq!(first, ": connected\n\nevent: stream\ndata: {\"early\":true}\n\n");
    server.open_gate();
    assert!(String::from_utf8(client.chunk().await).unwrap().starts_with("event: final\n"));
    assert!(client.chunk().await.is_empty());
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_call() {
    let mut server = start(|_| ()).await;
    for (line, head, body) in [
        ("GET /api/gate/0/v1", "", ""),
        ("POST /api/gate/0/v1", "Content-Type: application/json", "{}"),
        ("GET /api/gate/0/v1", ACCEPT, ""),
        ("GET /api/gate/1/v1", ACCEPT, ""),
        ("POST /api/gate/1/v1?stream=1", "Content-Type: application/json", "{}"),
    ] {
        let name = line.split(['/', '?']).skip(1).take(4).collect::<Vec<_>>().join("/");
        let mut client = server.client().await;
        client.write(server.request(line, head, body)).await;
        server.wait_for(&format!("began {name}")).await;
        if name.contains("/1/") {
            assert_eq!(client.head().await.unwrap().status, 200);
        }
        client.stream.shutdown().await.unwrap();
        drop(client);
        server.wait_for(&format!("dropped {name}")).await;
    }
}

#[tokio::test]
async fn a_client_that_stops_reading_holds_back_the_handler_and_is_then_cut_off() {
    let mut server =
        start(|project| project.http.write_timeout = std::time::Duration::from_millis(300)).await;
    let mut client = server.client().await;
    client.write(server.request("GET /api/flood/x/v1", ACCEPT, "")).await;
    server.wait_for("began api/flood/x/v1").await;
    // The script emits for ever; it ends only because nobody takes its chunks.
    let ended = async {
        loop {
            let event = server.events.recv().await.unwrap();
            if event.ends_with("api/flood/x/v1") {
                return event;
            }
        }
    };
    tokio::time::timeout(crate::support::PATIENCE, ended).await.expect("the handler is let go");
    drop(client);
}
