//! Pages of other origins (§2.1, Appendix A): this is the transport's, not the HTTP pipeline's.

use luckystack_socketio::Settings;

use crate::app::World;
use crate::http1::{Answer, request};
use crate::polling::Polling;
use crate::server::ALLOWED;
use crate::websocket;

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

fn is_marked(answer: &Answer) -> bool {
    answer.header("access-control-allow-origin").as_deref() == Some(ALLOWED)
        && answer.header("access-control-allow-credentials").as_deref() == Some("true")
        && answer.header("vary").is_some_and(|vary| vary.contains("Origin"))
}

#[tokio::test]
async fn an_allowed_origin_is_named_in_every_answer() {
    let world = World::start(Settings::default()).await;
    let origin = format!("Origin: {ALLOWED}\r\n");
    let answer = request(world.server.address, "GET", POLLING, &origin, b"").await;
    assert_eq!(answer.status, 200);
    assert!(is_marked(&answer), "{answer:?}");
    let open: serde_json::Value = serde_json::from_str(&answer.text()[1..]).expect("JSON");
    let path = format!("{POLLING}&sid={}", open["sid"].as_str().expect("an id"));
    for (method, body) in [("POST", "40"), ("GET", "")] {
        let answer = request(world.server.address, method, &path, &origin, body.as_bytes()).await;
        assert_eq!(answer.status, 200);
        assert!(is_marked(&answer), "{answer:?}");
    }
    // A page has to be able to read why it was refused.
    let answer = request(world.server.address, "GET", "/socket.io/?EIO=4", &origin, b"").await;
    assert_eq!(answer.status, 400);
    assert!(is_marked(&answer), "{answer:?}");
}

#[tokio::test]
async fn without_an_origin_a_client_is_accepted_and_nothing_allowed() {
    let world = World::start(Settings::default()).await;
    let answer = request(world.server.address, "GET", POLLING, "", b"").await;
    assert_eq!(answer.status, 200);
    assert!(answer.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("access-control")));
}

#[tokio::test]
async fn an_origin_that_is_not_allowed_is_refused() {
    let world = World::start(Settings::default()).await;
    let origin = "Origin: http://elsewhere.test\r\n";
    let client = Polling::open(&world).await;
    for (method, path, body) in
        [("GET", POLLING.to_owned(), ""), ("GET", client.path(), ""), ("POST", client.path(), "40")]
    {
        let answer = request(client.address, method, &path, origin, body.as_bytes()).await;
        assert_eq!(answer.refusal(), (400, 3, "Bad request".to_owned()));
        assert_eq!(answer.header("access-control-allow-origin"), None);
    }
    let Err(answer) = websocket::try_open(client.address, "EIO=4&transport=websocket", origin).await else {
        panic!("upgraded")
    };
    assert_eq!(answer.refusal(), (400, 3, "Bad request".to_owned()));
    assert!(world.has_seen_nothing().await);
    // What a stranger's page tries is nothing to the session.
    client.post("40").await;
}

#[tokio::test]
async fn a_preflight_is_answered_with_204_and_what_is_allowed() {
    let world = World::start(Settings::default()).await;
    let headers = format!(
        "Origin: {ALLOWED}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-one,x-two\r\n"
    );
    let answer = request(world.server.address, "OPTIONS", POLLING, &headers, b"").await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    assert!(is_marked(&answer), "{answer:?}");
    let header = |name| answer.header(name);
    assert_eq!(header("access-control-allow-methods").as_deref(), Some("GET,POST,PUT,DELETE,OPTIONS"));
    assert_eq!(header("access-control-allow-headers").as_deref(), Some("x-one,x-two"));
}

#[tokio::test]
async fn a_preflight_of_another_origin_allows_nothing() {
    let world = World::start(Settings::default()).await;
    let headers = "Origin: http://elsewhere.test\r\nAccess-Control-Request-Method: POST\r\n";
    let answer = request(world.server.address, "OPTIONS", POLLING, headers, b"").await;
    assert!(answer.headers.iter().all(|(name, _)| !name.to_lowercase().starts_with("access-control")));
}

#[tokio::test]
async fn a_websocket_of_an_allowed_origin_is_opened() {
    let world = World::start(Settings::default()).await;
    let origin = format!("Origin: {ALLOWED}\r\n");
    let opened = websocket::try_open(world.server.address, "EIO=4&transport=websocket", &origin).await;
    assert!(opened.is_ok());
}
