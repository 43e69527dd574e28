//! Binary attachments: carried for clients that use them; the framework does not (§2.1).

use luckystack_socketio::{Reason, Settings};

use crate::app::World;
use crate::polling::Polling;
use crate::websocket::{BINARY, Frame, WebSocket};

const TWO: &str = r#"452-["up",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]"#;

#[tokio::test]
async fn attachments_follow_their_event_over_websocket() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(TWO).await;
    client.send_binary(&[1, 2, 3]).await;
    client.send_binary(&[]).await;
    let event = world.event().await;
    assert_eq!(event.name, "up");
    assert_eq!(event.args.len(), 2);
    assert_eq!(event.args[1], r#"{"a":[{"_placeholder":true,"num":1}]}"#);
    assert_eq!(event.attachments, [&[1, 2, 3][..], &[]]);
}

#[tokio::test]
async fn attachments_follow_their_event_over_polling() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    client.post(format!("{TWO}\u{1e}bAQIDBA==\u{1e}bAA==")).await;
    assert_eq!(world.event().await.attachments, [&[1, 2, 3, 4][..], &[0]]);
    // Or one post each.
    client.post(TWO).await;
    client.post("bAQ==").await;
    assert!(world.has_seen_nothing().await);
    client.post("bAg==").await;
    assert_eq!(world.event().await.attachments, [&[1][..], &[2]]);
}

#[tokio::test]
async fn an_event_with_attachments_is_acknowledged_with_attachments() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(r#"451-12["ack",{"_placeholder":true,"num":0},1]"#).await;
    client.send_binary(&[7]).await;
    let event = world.event().await;
    assert_eq!((event.ack, event.attachments.len()), (Some(12), 1));
    assert_eq!(client.text().await, r#"461-12[{"_placeholder":true,"num":0},1]"#);
    assert_eq!(client.frame().await, Some(Frame { opcode: BINARY, payload: vec![7] }));
}

#[tokio::test]
async fn attachments_follow_an_event_of_the_server_over_websocket() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send(&TWO.replace("up", "return")).await;
    client.send_binary(&[1, 2, 3]).await;
    client.send_binary(&[0; 300]).await;
    assert_eq!(client.text().await, TWO.replace("up", "returned"));
    for payload in [vec![1, 2, 3], vec![0; 300]] {
        assert_eq!(client.frame().await, Some(Frame { opcode: BINARY, payload }));
    }
}

#[tokio::test]
async fn attachments_follow_an_event_of_the_server_over_polling() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = Polling::join(&world).await;
    client.post(format!("{}\u{1e}bAQIDBA==\u{1e}bAA==", TWO.replace("up", "return"))).await;
    assert_eq!(client.next().await, TWO.replace("up", "returned"));
    assert_eq!(client.next().await, "bAQIDBA==");
    assert_eq!(client.next().await, "bAA==");
}

#[tokio::test]
async fn an_acknowledgement_with_attachments_that_nobody_waits_for_is_nothing() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send(r#"461-12[{"_placeholder":true,"num":0}]"#).await;
    client.send_binary(&[7]).await;
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn an_event_without_placeholders_may_be_a_binary_one() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(r#"450-["e",1]"#).await;
    assert_eq!(world.event().await.args[0], "1");
}

#[tokio::test]
async fn attachments_that_were_not_announced_close_the_session() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send_binary(&[1]).await;
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::ParseError);

    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    client.try_post("bAQ==").await;
    assert_eq!(world.disconnected().await, Reason::ParseError);
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn text_where_an_attachment_is_due_closes_the_session() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(TWO).await;
    client.send(r#"42["e"]"#).await;
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::ParseError);
}

#[tokio::test]
async fn a_heartbeat_may_come_between_attachments() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(TWO).await;
    client.send_binary(&[1]).await;
    client.send("3").await;
    client.send_binary(&[2]).await;
    assert_eq!(world.event().await.attachments, [&[1][..], &[2]]);
}

#[tokio::test]
async fn a_wrong_number_of_attachments_closes_the_session() {
    for packet in [
        r#"45["e"]"#,
        r#"45-["e"]"#,
        r#"45x-["e"]"#,
        r#"4511-["e"]"#,
        r#"45999999999999999999999-["e"]"#,
        r#"451-["e"]"#,
        r#"450-["e",{"_placeholder":true,"num":0}]"#,
        r#"451-["e",{"_placeholder":true,"num":1}]"#,
        r#"451-["e",{"_placeholder":true,"num":"splice"}]"#,
    ] {
        let world = World::start(Settings::default()).await;
        let (mut client, _) = WebSocket::join(&world).await;
        world.connected().await;
        client.send(packet).await;
        client.ended().await;
        assert_eq!(world.disconnected().await, Reason::ParseError, "{packet}");
    }
}
