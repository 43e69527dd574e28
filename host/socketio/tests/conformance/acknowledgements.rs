//! Acknowledgements: carried for clients that use them; the framework does not (§2.1).

use luckystack_socketio::{Reason, Settings};

use crate::app::World;
use crate::polling::Polling;
use crate::websocket::WebSocket;

#[tokio::test]
async fn an_event_is_acknowledged_with_any_number_of_arguments() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    for (packet, answer, ack) in [
        (r#"420["ack"]"#, "430[]", 0),
        (r#"421["ack",1]"#, "431[1]", 1),
        (r#"42456["ack",1,"2",{"3":[false]}]"#, r#"43456[1,"2",{"3":[false]}]"#, 456),
        (r#"429007199254740991["ack",null]"#, "439007199254740991[null]", 9_007_199_254_740_991),
    ] {
        client.send(packet).await;
        assert_eq!(world.event().await.ack, Some(ack));
        assert_eq!(client.text().await, answer);
    }
}

#[tokio::test]
async fn an_event_is_acknowledged_over_polling() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = Polling::join(&world).await;
    client.post("427[\"ack\",1]\u{1e}428[\"ack\",2,3]").await;
    assert_eq!(client.next().await, "437[1]");
    assert_eq!(client.next().await, "438[2,3]");
}

#[tokio::test]
async fn an_event_that_wants_no_acknowledgement_gets_none() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send(r#"42["ack",1]"#).await;
    client.send(r#"42["echo",2]"#).await;
    assert_eq!(client.text().await, r#"42["back",2]"#);
}

#[tokio::test]
async fn an_acknowledgement_that_nobody_waits_for_is_nothing() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send("437[1,2]").await;
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn a_wrong_acknowledgement_closes_the_session() {
    for packet in
        ["43[]", "437", "437{}", "43x[]", "4399999999999999999999[]", r#"4299999999999999999999["e"]"#]
    {
        let world = World::start(Settings::default()).await;
        let (mut client, _) = WebSocket::join(&world).await;
        world.connected().await;
        client.send(packet).await;
        client.ended().await;
        assert_eq!(world.disconnected().await, Reason::ParseError, "{packet}");
    }
}
