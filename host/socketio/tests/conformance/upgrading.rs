//! From polling to WebSocket (Appendix A, `upgrade`).

use std::time::Duration;

use luckystack_socketio::{Reason, Settings};
use tokio::time::timeout;

use crate::app::World;
use crate::http1::answer;
use crate::polling::Polling;
use crate::soon;
use crate::websocket::{self, CLOSE, WebSocket};

/// Polls until a noop comes; what came before it.
async fn drain(client: &Polling) -> Vec<String> {
    let mut packets = Vec::new();
    loop {
        let answer = client.poll().await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for packet in answer.text().split('\x1e') {
            if packet == "6" {
                return packets;
            }
            packets.push(packet.to_owned());
        }
    }
}

#[tokio::test]
async fn a_polling_session_goes_on_over_a_websocket() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let socket = world.connected().await;
    let mut websocket = WebSocket::probe(&client).await;
    websocket.send("5").await;
    websocket.send(r#"42["echo","over"]"#).await;
    assert_eq!(websocket.text().await, r#"42["back","over"]"#);
    assert!(socket.is_connected());
    assert!(socket.emit("more", b"1"));
    assert_eq!(websocket.text().await, r#"42["more",1]"#);
    assert_eq!(world.server.io.stats().connections, 1);
}

#[tokio::test]
async fn the_hanging_poll_is_given_a_noop() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let poll = client.start_poll().await;
    soon("the poll waits", async {
        while timeout(Duration::from_millis(50), poll.readable()).await.is_ok() {}
    })
    .await;
    let _websocket = WebSocket::probe(&client).await;
    let answer = answer(poll).await;
    assert_eq!((answer.status, answer.text()), (200, "6"));
}

#[tokio::test]
async fn polls_and_posts_are_refused_after_the_upgrade() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let mut websocket = WebSocket::probe(&client).await;
    websocket.send("5").await;
    websocket.send(r#"42["echo",1]"#).await;
    websocket.text().await;
    assert_eq!(client.poll().await.status, 400);
    assert_eq!(client.try_post("41").await.status, 400);
    websocket.send(r#"42["echo",2]"#).await;
    assert_eq!(websocket.text().await, r#"42["back",2]"#, "the session has not noticed");
}

#[tokio::test]
async fn a_second_websocket_for_the_session_is_refused_after_the_upgrade() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let mut websocket = WebSocket::probe(&client).await;
    websocket.send("5").await;
    websocket.send(r#"42["echo",1]"#).await;
    websocket.text().await;
    let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
    let Err(answer) = websocket::try_open(client.address, &query, "").await else { panic!("upgraded") };
    assert_eq!(answer.status, 400);
    websocket.send(r#"42["echo",2]"#).await;
    assert_eq!(websocket.text().await, r#"42["back",2]"#);
}

#[tokio::test]
async fn a_second_websocket_is_refused_while_one_is_tried() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let _websocket = WebSocket::probe(&client).await;
    let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
    let Err(answer) = websocket::try_open(client.address, &query, "").await else { panic!("upgraded") };
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn a_websocket_session_is_not_taken_over_by_another() {
    let world = World::start(Settings::default()).await;
    let (mut client, open) = WebSocket::open(&world).await;
    let sid = open["sid"].as_str().expect("a session id");
    let query = format!("EIO=4&transport=websocket&sid={sid}");
    let Err(answer) = websocket::try_open(world.server.address, &query, "").await else { panic!("upgraded") };
    assert_eq!(answer.status, 400);
    client.send("40").await;
    assert!(client.text().await.starts_with("40"));
}

#[tokio::test]
async fn nothing_is_lost_or_out_of_order_on_the_way_to_the_client() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let socket = world.connected().await;
    let sender = tokio::spawn(async move {
        for n in 0..500 {
            assert!(socket.emit("e", n.to_string().as_bytes()));
            if n % 10 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    });
    let mut packets = vec![client.poll().await.text().to_owned()];
    let mut websocket = WebSocket::probe(&client).await;
    packets.extend(drain(&client).await);
    websocket.send("5").await;
    let mut received: Vec<String> =
        packets.iter().flat_map(|packets| packets.split('\x1e')).map(str::to_owned).collect();
    while received.len() < 500 {
        received.push(websocket.text().await);
    }
    sender.await.expect("sent");
    let expected: Vec<String> = (0..500).map(|n| format!(r#"42["e",{n}]"#)).collect();
    assert_eq!(received, expected);
}

#[tokio::test]
async fn nothing_is_lost_or_out_of_order_on_the_way_to_the_server() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let numbered = |range: std::ops::Range<u32>| {
        range.map(|n| format!(r#"42["e",{n}]"#)).collect::<Vec<_>>().join("\x1e")
    };
    client.post(numbered(0..100)).await;
    let mut websocket = WebSocket::probe(&client).await;
    client.post(numbered(100..200)).await;
    // What follows the upgrade comes in the same segment.
    let mut frames = websocket::frame(0x81, b"5");
    for n in 200..300 {
        frames.extend(websocket::frame(0x81, format!(r#"42["e",{n}]"#).as_bytes()));
    }
    websocket.send_bytes(&frames).await;
    for n in 0..300 {
        assert_eq!(world.event().await.args[0], n.to_string());
    }
}

#[tokio::test]
async fn a_client_that_gives_up_the_attempt_goes_on_polling() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = Polling::join(&world).await;
    drop(WebSocket::probe(&client).await);
    client.post(r#"42["echo",1]"#).await;
    while client.next().await != r#"42["back",1]"# {}
    // And it may try again.
    let mut websocket = soon("another attempt", async {
        loop {
            let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
            if let Ok(websocket) = websocket::try_open(client.address, &query, "").await {
                break websocket;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    websocket.send("2probe").await;
    assert_eq!(websocket.text().await, "3probe");
    websocket.send("5").await;
    websocket.send(r#"42["echo",2]"#).await;
    assert_eq!(websocket.text().await, r#"42["back",2]"#);
}

#[tokio::test]
async fn what_is_no_probe_ends_the_attempt_and_not_the_session() {
    let world = World::start(Settings::default()).await;
    for wrong in ["5", "2", "2other", "40", "x"] {
        let (client, _) = Polling::join(&world).await;
        let query = format!("EIO=4&transport=websocket&sid={}", client.sid);
        let opened = websocket::try_open(client.address, &query, "").await;
        let mut websocket = opened.unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        websocket.send(wrong).await;
        let frame = websocket.frame().await;
        assert!(frame.is_none_or(|frame| frame.opcode == CLOSE), "{wrong}");
        websocket.ended().await;
        client.post(r#"42["e"]"#).await;
    }
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_ended_and_not_the_session() {
    let settings = Settings { upgrade_timeout: Duration::from_millis(100), ..Settings::default() };
    let world = World::start(settings).await;
    let (mut client, _) = Polling::join(&world).await;
    let mut websocket = WebSocket::probe(&client).await;
    websocket.ended().await;
    client.post(r#"42["echo",1]"#).await;
    while client.next().await != r#"42["back",1]"# {}
}

#[tokio::test]
async fn a_session_that_ends_ends_the_attempt() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let mut websocket = WebSocket::probe(&client).await;
    client.post("1").await;
    assert_eq!(world.disconnected().await, Reason::TransportClose);
    websocket.ended().await;
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn the_heartbeat_goes_on_after_the_upgrade() {
    let settings = Settings { ping_interval: Duration::from_millis(200), ..Settings::default() };
    let world = World::start(settings).await;
    let (client, _) = Polling::join(&world).await;
    let mut websocket = WebSocket::probe(&client).await;
    websocket.send("5").await;
    for _ in 0..3 {
        assert_eq!(websocket.text().await, "2");
        websocket.send("3").await;
    }
}
