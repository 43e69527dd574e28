//! Handshakes of Engine.IO: Appendix A, `open`.

use luckystack_socketio::Settings;
use serde_json::json;

use crate::app::World;
use crate::http1::request;
use crate::polling::Polling;
use crate::websocket::{self, WebSocket};

async fn refused(world: &World, method: &str, query: &str) -> (u16, u64, String) {
    let path = format!("/socket.io/?{query}");
    request(world.server.address, method, &path, "", b"").await.refusal()
}

async fn refused_upgrade(world: &World, query: &str) -> (u16, u64, String) {
    match websocket::try_open(world.server.address, query, "").await {
        Ok(_) => panic!("{query}: upgraded"),
        Err(answer) => answer.refusal(),
    }
}

#[tokio::test]
async fn polling_begins_with_the_open_packet() {
    let world = World::start(Settings::default()).await;
    let path = "/socket.io/?EIO=4&transport=polling&t=abc";
    let answer = request(world.server.address, "GET", path, "", b"").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; charset=UTF-8"));
    let open: serde_json::Value = serde_json::from_str(&answer.text()[1..]).expect("JSON");
    let sid = open["sid"].as_str().expect("a session id");
    assert_eq!(sid.len(), 20);
    let expected = format!(
        r#"0{{"sid":"{sid}","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":5242880}}"#
    );
    assert_eq!(answer.text(), expected);
}

#[tokio::test]
async fn websocket_begins_with_the_open_packet_and_nothing_to_upgrade_to() {
    let world = World::start(Settings::default()).await;
    let (_client, open) = WebSocket::open(&world).await;
    let sid = open["sid"].as_str().expect("a session id");
    let expected = json!({
        "sid": sid, "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 5_242_880,
    });
    assert_eq!(open, expected);
}

#[tokio::test]
async fn every_session_has_an_id_of_its_own() {
    let world = World::start(Settings::default()).await;
    let mut ids = std::collections::HashSet::new();
    for _ in 0..50 {
        assert!(ids.insert(Polling::open(&world).await.sid));
    }
}

#[tokio::test]
async fn another_protocol_version_is_refused() {
    let world = World::start(Settings::default()).await;
    let refusal = (400, 5, "Unsupported protocol version".to_owned());
    for version in ["", "EIO=abc&", "EIO=3&", "EIO=5&", "EIO=&"] {
        assert_eq!(refused(&world, "GET", &format!("{version}transport=polling")).await, refusal);
        assert_eq!(refused_upgrade(&world, &format!("{version}transport=websocket")).await, refusal);
    }
}

#[tokio::test]
async fn an_unknown_transport_is_refused() {
    let world = World::start(Settings::default()).await;
    let refusal = (400, 0, "Transport unknown".to_owned());
    for query in ["EIO=4", "EIO=4&transport=", "EIO=4&transport=abc", "EIO=4&transport=webtransport"] {
        assert_eq!(refused(&world, "GET", query).await, refusal, "{query}");
        assert_eq!(refused_upgrade(&world, query).await, refusal, "{query}");
    }
}

#[tokio::test]
async fn an_unknown_session_is_refused() {
    let world = World::start(Settings::default()).await;
    let refusal = (400, 1, "Session ID unknown".to_owned());
    for method in ["GET", "POST"] {
        assert_eq!(
            refused(&world, method, "EIO=4&transport=polling&sid=abcdefghijklmnopqrst").await,
            refusal
        );
    }
    assert_eq!(refused_upgrade(&world, "EIO=4&transport=websocket&sid=abcdefghijklmnopqrst").await, refusal);
}

#[tokio::test]
async fn a_handshake_is_a_get() {
    let world = World::start(Settings::default()).await;
    let refusal = (400, 2, "Bad handshake method".to_owned());
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(refused(&world, method, "EIO=4&transport=polling").await, refusal, "{method}");
    }
}

#[tokio::test]
async fn a_session_is_spoken_to_with_get_and_post_alone() {
    let world = World::start(Settings::default()).await;
    let client = Polling::open(&world).await;
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = request(client.address, method, &client.path(), "", b"").await;
        assert_eq!(answer.refusal(), (400, 3, "Bad request".to_owned()), "{method}");
    }
    client.post("40").await;
}

#[tokio::test]
async fn the_websocket_transport_wants_an_upgrade() {
    let world = World::start(Settings::default()).await;
    let refusal = (400, 3, "Bad request".to_owned());
    assert_eq!(refused(&world, "GET", "EIO=4&transport=websocket").await, refusal);
    assert_eq!(refused_upgrade(&world, "EIO=4&transport=polling").await, refusal);
}

#[tokio::test]
async fn a_websocket_handshake_that_is_none_is_refused() {
    let world = World::start(Settings::default()).await;
    let path = "/socket.io/?EIO=4&transport=websocket";
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    for (headers, status) in [
        (format!("{upgrade}{version}"), 400),
        (format!("{upgrade}{version}Sec-WebSocket-Key: short\r\n"), 400),
        (format!("{upgrade}{key}"), 426),
        (format!("{upgrade}{key}Sec-WebSocket-Version: 8\r\n"), 426),
        (format!("Upgrade: websocket\r\n{version}{key}"), 400),
        (format!("Connection: Upgrade\r\nUpgrade: h2c\r\n{version}{key}"), 400),
    ] {
        let answer = request(world.server.address, "GET", path, &headers, b"").await;
        assert_eq!(answer.status, status, "{headers}");
        if status == 426 {
            assert_eq!(answer.header("sec-websocket-version").as_deref(), Some("13"));
        }
    }
    assert_eq!(world.server.io.stats().connections, 0, "none of it has left a session");
}
