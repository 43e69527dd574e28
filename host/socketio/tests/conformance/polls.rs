//! Long polling (Appendix A): GET waits for packets, POST brings some.

use std::time::Duration;

use luckystack_socketio::{Reason, Settings};
use tokio::time::timeout;

use crate::app::World;
use crate::http1::{self, answer};
use crate::polling::Polling;
use crate::soon;

#[tokio::test]
async fn a_post_is_answered_with_ok() {
    let world = World::start(Settings::default()).await;
    let client = Polling::open(&world).await;
    let answer = client.try_post("40").await;
    assert_eq!((answer.status, answer.text()), (200, "ok"));
}

#[tokio::test]
async fn a_poll_waits_until_there_is_something() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let socket = world.connected().await;
    let mut poll = Box::pin(answer(client.start_poll().await));
    assert!(timeout(Duration::from_millis(100), &mut poll).await.is_err(), "it is answered with nothing");
    assert!(socket.emit("hello", b"\"world\""));
    assert_eq!(poll.await.text(), r#"42["hello","world"]"#);
}

#[tokio::test]
async fn packets_of_one_poll_are_joined_with_record_separators() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    let socket = world.connected().await;
    for argument in ["1", "\"é\"", "{\"a\":[]}"] {
        assert!(socket.emit("e", argument.as_bytes()));
    }
    let answer = client.poll().await;
    assert_eq!(answer.text(), "42[\"e\",1]\u{1e}42[\"e\",\"é\"]\u{1e}42[\"e\",{\"a\":[]}]");
}

#[tokio::test]
async fn packets_of_one_post_are_read_in_order() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let packets: Vec<String> = (0..50).map(|n| format!(r#"42["e",{n}]"#)).collect();
    client.post(packets.join("\u{1e}")).await;
    for n in 0..50 {
        assert_eq!(world.event().await.args[0], n.to_string());
    }
}

#[tokio::test]
async fn an_aborted_poll_closes_the_session() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let poll = client.start_poll().await;
    // It has to be waiting before it is aborted.
    soon("the poll waits", async {
        while timeout(Duration::from_millis(50), poll.readable()).await.is_ok() {}
    })
    .await;
    drop(poll);
    assert_eq!(world.disconnected().await, Reason::TransportError);
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn a_second_poll_at_the_same_time_closes_the_session() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let first = client.start_poll().await;
    soon("the poll waits", async {
        while timeout(Duration::from_millis(50), first.readable()).await.is_ok() {}
    })
    .await;
    let second = client.poll().await;
    assert_eq!(second.status, 400);
    let first = answer(first).await;
    assert_eq!((first.status, first.text()), (200, "1"), "the first is told that the session has ended");
    assert_eq!(world.disconnected().await, Reason::TransportError);
    assert!(client.is_gone().await);
    assert_eq!(world.server.io.stats().misused, 1);
}

#[tokio::test]
async fn what_is_no_packet_closes_the_session() {
    for body in ["abc", "", "7", "40\u{1e}", "\u{1e}40", "bnot base64!"] {
        let world = World::start(Settings::default()).await;
        let client = Polling::open(&world).await;
        let answer = client.try_post(body).await;
        assert!(matches!(answer.status, 200 | 400), "{answer:?}");
        assert!(client.is_gone().await, "{body}");
    }
}

#[tokio::test]
async fn a_post_that_is_not_utf_8_closes_the_session() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let answer = client.try_post(b"42[\"e\",\"\xff\"]").await;
    assert_eq!(answer.status, 400);
    assert_eq!(world.disconnected().await, Reason::ParseError);
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn what_came_before_the_mistake_is_dispatched() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    client.try_post("42[\"e\",1]\u{1e}9\u{1e}42[\"e\",2]").await;
    assert_eq!(world.event().await.args[0], "1");
    assert_eq!(world.disconnected().await, Reason::ParseError);
}

#[tokio::test]
async fn a_post_with_a_peer_s_socket_id_is_refused() {
    let world = World::start(Settings::default()).await;
    let (victim, id) = Polling::join(&world).await;
    let socket = world.connected().await;
    assert_eq!(**socket.id(), *id);
    assert_ne!(victim.sid, id, "what peers see is not what the transport is spoken to with");
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={id}");
    for (method, body) in [("POST", r#"42["e","forged"]"#), ("GET", "")] {
        let answer = http1::request(victim.address, method, &path, "", body.as_bytes()).await;
        assert_eq!(answer.refusal(), (400, 1, "Session ID unknown".to_owned()));
    }
    assert!(world.has_seen_nothing().await);
    victim.post(r#"42["e","genuine"]"#).await;
    assert_eq!(world.event().await.args[0], "\"genuine\"");
}

#[tokio::test]
async fn a_poll_is_not_cached_on_the_way() {
    let world = World::start(Settings::default()).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let answer = http1::request(world.server.address, "GET", path, "", b"").await;
    assert_eq!(answer.header("cache-control").as_deref(), Some("no-store"));
}
