//! Slow, large, fast and many clients.

use std::time::Duration;

use serde_json::json;

use crate::support::{CSRF, start};

const SHORT: Duration = Duration::from_millis(200);
const JSON: &str = "Content-Type: application/json";

#[tokio::test]
async fn a_head_that_does_not_end_closes_the_connection() {
    let server = start(|project| project.http.header_read_timeout = SHORT).await;
    for begun in
        ["", "G", "GET / HTTP/1.1\r\nHost: x\r\n", "PRI * HTTP/2.0\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]
    {
        let mut client = server.client().await;
        client.write(begun).await;
        let rest = client.rest().await;
        // An HTTP/2 server introduces itself before it gives up.
        assert!(rest.is_empty() || begun.starts_with("PRI"), "{begun:?}");
    }
}

#[tokio::test]
async fn a_second_head_that_does_not_end_closes_the_connection() {
    let server = start(|project| project.http.header_read_timeout = SHORT).await;
    let mut client = server.client().await;
    client.write(server.request("GET /livez", "", "")).await;
    assert_eq!(client.response().await.unwrap().status, 200);
    client.write("GET /livez HTTP/1.1\r\nHos").await;
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(|project| project.http.keep_alive_timeout = SHORT).await;
    let mut client = server.client().await;
    client.write(server.request("GET /livez", "", "")).await;
    assert_eq!(client.response().await.unwrap().status, 200);
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_body_that_does_not_end_is_a_408() {
    let server = start(|project| project.http.body_read_timeout = SHORT).await;
    let mut client = server.client().await;
    let origin = server.origin();
    client.write(format!("POST /api/a/b/v1 HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{CSRF}\r\n{JSON}\r\nContent-Length: 10\r\n\r\n{{")).await;
    let received = client.response().await.unwrap();
    assert_eq!(
        (received.status, received.json()["errorCode"].as_str()),
        (408, Some("server.requestTimeout"))
    );
    assert_eq!(received.header("connection"), Some("close"));
    assert!(client.is_closed().await);
}

#[tokio::test]
async fn a_client_that_takes_no_answer_is_cut_off() {
    let mut server = start(|project| project.http.write_timeout = SHORT).await;
    let mut client = server.client().await;
    client.write(server.request("GET /api/large/x/v1", "", "")).await;
    server.wait_for("ended api/large/x/v1").await;
    while server.handle.connections() > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let rest = client.rest().await;
    assert!(rest.len() < 32 << 20, "the whole answer was taken");
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_answer_although_the_client_still_sends() {
    let server = start(|_| ()).await;
    let origin = server.origin();
    let two_megabytes = "x".repeat(2 << 20);
    let announced = format!("Content-Length: {}\r\n\r\n{two_megabytes}", two_megabytes.len());
    let chunked = format!(
        "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{two_megabytes}\r\n0\r\n\r\n",
        two_megabytes.len()
    );
    for body in [announced, chunked] {
        let mut client = server.client().await;
        client
            .write(format!(
                "POST /api/a/b/v1 HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{CSRF}\r\n{JSON}\r\n{body}"
            ))
            .await;
        let received = client.response().await.expect("an answer, not a reset");
        assert_eq!(
            (received.status, received.json()["errorCode"].as_str()),
            (413, Some("api.payloadTooLarge"))
        );
        assert_eq!(received.header("connection"), Some("close"));
        assert!(client.is_closed().await);
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_a_431() {
    let server = start(|_| ()).await;
    for head in [format!("X-Long: {}", "x".repeat(20_000)), "X-Many: 1\n".repeat(150)] {
        let received = server.ask("GET /livez", &head, "").await;
        assert_eq!(received.status, 431);
    }
    assert_eq!(server.ask("GET /livez", &format!("X-Long: {}", "x".repeat(10_000)), "").await.status, 200);
}

#[tokio::test]
async fn a_target_that_is_too_long_is_a_414() {
    let server = start(|_| ()).await;
    let received = server.ask(&format!("GET /livez?{}", "x".repeat(9_000)), "", "").await;
    assert_eq!(received.status, 414);
    assert_eq!(server.ask(&format!("GET /livez?{}", "x".repeat(8_000)), "", "").await.status, 200);
}

#[tokio::test]
async fn a_connection_that_asks_too_often_is_told_so_and_closed() {
    let server = start(|project| project.http.max_requests_per_second_per_connection = Some(5)).await;
    let mut client = server.client().await;
    client.write(server.request("GET /livez", "", "").repeat(20)).await;
    for _ in 0..5 {
        assert_eq!(client.response().await.unwrap().status, 200);
    }
    let refused = client.response().await.unwrap();
    assert_eq!(refused.status, 429);
    assert_eq!(
        refused.json(),
        json!({
            "status": "error", "message": "api.rateLimitExceeded", "errorCode": "api.rateLimitExceeded",
            "errorParams": [{ "key": "seconds", "value": 1 }], "httpStatus": 429,
        })
    );
    assert!(client.is_closed().await);
    // Another connection is not concerned.
    assert_eq!(server.ask("GET /livez", "", "").await.status, 200);
}

#[tokio::test]
async fn beyond_the_most_connections_clients_wait_for_a_place() {
    let server = start(|project| project.http.max_connections = 2).await;
    let mut first = server.client().await;
    let mut second = server.client().await;
    for client in [&mut first, &mut second] {
        client.write(server.request("GET /livez", "", "")).await;
        assert_eq!(client.response().await.unwrap().status, 200);
    }
    let mut third = server.client().await;
    third.write(server.request("GET /livez", "", "")).await;
    assert!(tokio::time::timeout(SHORT, third.response()).await.is_err());
    drop(first);
    assert_eq!(third.response().await.unwrap().status, 200);
}

#[tokio::test]
async fn a_slow_client_costs_nobody_else_anything() {
    let server = start(|_| ()).await;
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut client = server.client().await;
        client.write("POST /api/a/b/v1 HTTP/1.1\r\nHost: x\r\nContent-Le").await;
        slow.push(client);
    }
    for _ in 0..50 {
        assert_eq!(server.ask("GET /api/a/get/v1", "", "").await.status, 200);
    }
}
