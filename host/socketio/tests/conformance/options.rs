//! What can be configured (§2.1).

use std::io::Read as _;

use luckystack_socketio::Settings;

use crate::app::World;
use crate::http1::request;
use crate::polling::Polling;
use crate::websocket::{self, WebSocket};

const POLLING: &str = "/socket.io/?EIO=4&transport=polling";

#[tokio::test]
async fn the_path_is_where_it_is_said_to_be() {
    let world = World::start(Settings { path: "/chat/".to_owned(), ..Settings::default() }).await;
    assert_eq!(world.server.io.path(), "/chat/");
    let address = world.server.address;
    assert_eq!(request(address, "GET", "/chat/?EIO=4&transport=polling", "", b"").await.status, 200);
    assert_eq!(request(address, "GET", POLLING, "", b"").await.status, 404);
}

#[tokio::test]
async fn intervals_and_limits_are_told_in_the_open_packet() {
    let settings = Settings {
        ping_interval: std::time::Duration::from_millis(1234),
        ping_timeout: std::time::Duration::from_millis(567),
        max_payload: 89_000,
        ..Settings::default()
    };
    let world = World::start(settings).await;
    let open = Polling::open(&world).await.open;
    assert_eq!((&open["pingInterval"], &open["pingTimeout"]), (&1234.into(), &567.into()));
    assert_eq!(open["maxPayload"], 89_000);
}

#[tokio::test]
async fn without_polling_there_is_no_polling() {
    let world = World::start(Settings { polling: false, ..Settings::default() }).await;
    let answer = request(world.server.address, "GET", POLLING, "", b"").await;
    assert_eq!(answer.refusal(), (400, 0, "Transport unknown".to_owned()));
    WebSocket::join(&world).await;
}

#[tokio::test]
async fn without_websocket_there_is_no_websocket_and_nothing_to_upgrade_to() {
    let world = World::start(Settings { websocket: false, ..Settings::default() }).await;
    let Err(answer) = websocket::try_open(world.server.address, "EIO=4&transport=websocket", "").await else {
        panic!("upgraded")
    };
    assert_eq!(answer.refusal(), (400, 0, "Transport unknown".to_owned()));
    let client = Polling::open(&world).await;
    assert_eq!(client.open["upgrades"], serde_json::json!([]));
}

#[tokio::test]
async fn without_upgrades_a_polling_session_stays_one() {
    let world = World::start(Settings { allow_upgrades: false, ..Settings::default() }).await;
    let (mut client, _) = Polling::join(&world).await;
    assert_eq!(client.open["upgrades"], serde_json::json!([]));
    let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
    let Err(answer) = websocket::try_open(client.address, &query, "").await else { panic!("upgraded") };
    assert_eq!(answer.status, 400);
    client.post(r#"42["echo",1]"#).await;
    assert_eq!(client.next().await, r#"42["back",1]"#);
    WebSocket::join(&world).await;
}

#[tokio::test]
async fn no_cookie_is_set_unless_it_has_a_name() {
    let world = World::start(Settings::default()).await;
    let answer = request(world.server.address, "GET", POLLING, "", b"").await;
    assert_eq!(answer.header("set-cookie"), None);

    let world = World::start(Settings { cookie: Some("io".to_owned()), ..Settings::default() }).await;
    let answer = request(world.server.address, "GET", POLLING, "", b"").await;
    let open: serde_json::Value = serde_json::from_str(&answer.text()[1..]).expect("JSON");
    let expected = format!("io={}; Path=/; HttpOnly; SameSite=Lax", open["sid"].as_str().expect("an id"));
    assert_eq!(answer.header("set-cookie"), Some(expected));
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_takes_it_and_small_ones_never() {
    let world = World::start(Settings { compression_threshold: Some(500), ..Settings::default() }).await;
    let (client, _) = Polling::join(&world).await;
    let socket = world.connected().await;
    let gzip = "Accept-Encoding: deflate, gzip;q=0.8\r\n";
    let large = format!("\"{}\"", "x".repeat(2000));
    let packet = format!(r#"42["large",{large}]"#);

    assert!(socket.emit("small", b"1"));
    let answer = request(client.address, "GET", &client.path(), gzip, b"").await;
    assert_eq!(answer.header("content-encoding"), None);
    assert_eq!(answer.text(), r#"42["small",1]"#);

    assert!(socket.emit("large", large.as_bytes()));
    let answer = request(client.address, "GET", &client.path(), gzip, b"").await;
    assert_eq!(answer.header("content-encoding").as_deref(), Some("gzip"));
    assert!(answer.body.len() < 500, "{}", answer.body.len());
    let mut text = String::new();
    flate2::read::GzDecoder::new(&answer.body[..]).read_to_string(&mut text).expect("gzip");
    assert_eq!(text, packet);

    for headers in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"] {
        assert!(socket.emit("large", large.as_bytes()));
        let answer = request(client.address, "GET", &client.path(), headers, b"").await;
        assert_eq!(answer.header("content-encoding"), None, "{headers}");
        assert_eq!(answer.text(), packet);
    }
}

#[tokio::test]
async fn without_a_threshold_nothing_is_compressed() {
    let world = World::start(Settings { compression_threshold: None, ..Settings::default() }).await;
    let (client, _) = Polling::join(&world).await;
    let large = format!("\"{}\"", "x".repeat(20_000));
    assert!(world.connected().await.emit("large", large.as_bytes()));
    let answer = request(client.address, "GET", &client.path(), "Accept-Encoding: gzip\r\n", b"").await;
    assert_eq!(answer.header("content-encoding"), None);
    assert!(answer.body.len() > 20_000);
}
