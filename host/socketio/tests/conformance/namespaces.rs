//! Who joins (Appendix A, `namespace connect`, `connect ack`, `refused by middleware`).

use std::time::Duration;

use luckystack_socketio::{Reason, Settings};

use crate::app::{Seen, World};
use crate::polling::{Polling, socket_id};
use crate::websocket::WebSocket;

#[tokio::test]
async fn a_client_joins_the_default_namespace() {
    let world = World::start(Settings::default()).await;
    let (mut client, open) = WebSocket::open(&world).await;
    client.send("40").await;
    let id = socket_id(&client.text().await);
    assert_eq!(id.len(), 20);
    assert_ne!(open["sid"], *id, "the session's id is nobody else's");
    let socket = world.connected().await;
    assert_eq!(**socket.id(), *id);
    assert_eq!(*socket.rooms(), [socket.id().clone()], "it is in its own room");
    assert_eq!(&socket.handshake().auth[..], b"{}");
}

#[tokio::test]
async fn a_client_joins_over_polling() {
    let world = World::start(Settings::default()).await;
    let (client, id) = Polling::join(&world).await;
    assert_ne!(client.sid, id);
    assert_eq!(**world.connected().await.id(), *id);
}

#[tokio::test]
async fn a_client_joins_with_an_auth_object() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::open(&world).await;
    client.send(r#"40{"token":"abc","n":[1]}"#).await;
    socket_id(&client.text().await);
    assert_eq!(&world.connected().await.handshake().auth[..], br#"{"token":"abc","n":[1]}"#);
}

#[tokio::test]
async fn the_handshake_tells_of_the_first_request() {
    let world = World::start(Settings::default()).await;
    let opened = crate::websocket::try_open(
        world.server.address,
        "EIO=4&transport=websocket&lang=nl",
        "Cookie: token=abc\r\nAccept-Language: nl\r\n",
    );
    let mut client = opened.await.unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
    client.text().await;
    client.send("40").await;
    let socket = world.connected().await;
    let handshake = socket.handshake();
    assert_eq!(handshake.header(&http::header::COOKIE), Some("token=abc"));
    assert_eq!(handshake.header(&http::header::ACCEPT_LANGUAGE), Some("nl"));
    assert_eq!(&*handshake.ip, "127.0.0.1");
    assert_eq!(&*handshake.url, "/socket.io/?EIO=4&transport=websocket&lang=nl");
    assert!(!handshake.secure);
}

#[tokio::test]
async fn auth_that_is_no_object_closes_the_session() {
    for packet in ["40[]", "40null", "40\"token\"", "401", "40{", "40{}{}"] {
        let world = World::start(Settings::default()).await;
        let (mut client, _) = WebSocket::open(&world).await;
        client.send(packet).await;
        client.ended().await;
        assert!(world.has_seen_nothing().await, "{packet}");
        assert_eq!(world.server.io.stats().misused, 1, "{packet}");
    }
}

#[tokio::test]
async fn a_refused_client_is_told_why_and_may_try_again() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::open(&world).await;
    client.send(r#"40{"refuse":true}"#).await;
    assert_eq!(client.text().await, r#"44{"message":"not \"you\"","data":{"because":[1,2]}}"#);
    client.send(r#"40{"plainly":true}"#).await;
    assert_eq!(client.text().await, r#"44{"message":"no"}"#);
    assert!(world.has_seen_nothing().await);
    client.send("40").await;
    socket_id(&client.text().await);
    world.connected().await;
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_and_the_session_goes_on() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::open(&world).await;
    client.send("40/admin,").await;
    assert_eq!(client.text().await, r#"44/admin,{"message":"Invalid namespace"}"#);
    client.send(r#"40/ad"min,{"token":"abc"}"#).await;
    assert_eq!(client.text().await, r#"44/ad"min,{"message":"Invalid namespace"}"#);
    client.send("40/,").await;
    socket_id(&client.text().await);
    world.connected().await;

    let mut client = Polling::open(&world).await;
    client.post("40/admin,").await;
    assert_eq!(client.next().await, r#"44/admin,{"message":"Invalid namespace"}"#);
}

#[tokio::test]
async fn who_does_not_join_in_time_is_closed() {
    let settings = Settings { connect_timeout: Duration::from_millis(100), ..Settings::default() };
    let world = World::start(settings).await;
    let polling = Polling::open(&world).await;
    let (mut client, _) = WebSocket::open(&world).await;
    client.ended().await;
    let (mut client, _) = WebSocket::open(&world).await;
    client.send("40/admin,").await;
    client.text().await;
    client.ended().await;
    assert!(polling.is_gone().await);
    assert!(world.has_seen_nothing().await);
}

#[tokio::test]
async fn who_has_joined_in_time_stays() {
    let settings = Settings { connect_timeout: Duration::from_millis(300), ..Settings::default() };
    let world = World::start(settings).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn who_speaks_before_joining_is_closed() {
    for packet in [r#"42["e"]"#, "41", r#"42/admin,["e"]"#, "430[]"] {
        let world = World::start(Settings::default()).await;
        let (mut client, _) = WebSocket::open(&world).await;
        client.send(packet).await;
        client.ended().await;
        assert!(world.has_seen_nothing().await, "{packet}");
    }
}

#[tokio::test]
async fn who_speaks_in_a_namespace_that_it_is_not_in_is_closed() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(r#"42/admin,["e"]"#).await;
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::ParseError);
}

#[tokio::test]
async fn who_joins_twice_is_closed() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send("40").await;
    client.ended().await;
    assert!(matches!(world.seen().await, Seen::Disconnected(Reason::ParseError, _)));
    assert!(world.has_seen_nothing().await);
}

#[tokio::test]
async fn what_is_said_before_the_answer_is_heard_after_it() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::open(&world).await;
    let frames =
        [crate::websocket::frame(0x81, b"40"), crate::websocket::frame(0x81, br#"42["echo","early"]"#)];
    client.send_bytes(&frames.concat()).await;
    socket_id(&client.text().await);
    assert_eq!(client.text().await, r#"42["back","early"]"#);
    world.connected().await;
    assert_eq!(world.event().await.name, "echo");
}
