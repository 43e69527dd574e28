//! How it ends (Appendix A): namespace and session, from either side, each with its reason.

use luckystack_socketio::{Reason, Settings};
use tokio::time::{Duration, timeout};

use crate::app::{Seen, World};
use crate::http1::answer;
use crate::polling::{Polling, socket_id};
use crate::soon;
use crate::websocket::{CLOSE, LAST, WebSocket, frame};

#[tokio::test]
async fn a_client_leaves_the_namespace_and_the_session_goes_on() {
    let world = World::start(Settings::default()).await;
    let (mut client, first) = WebSocket::join(&world).await;
    world.connected().await;
    client.send("41").await;
    assert_eq!(world.disconnected().await, Reason::ClientNamespaceDisconnect);
    client.send("40").await;
    let second = socket_id(&client.text().await);
    assert_ne!(first, second);
    world.connected().await;
    client.send(r#"42["echo",1]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
}

#[tokio::test]
async fn the_server_makes_a_client_leave_and_the_session_goes_on() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let socket = world.connected().await;
    socket.join("room");
    socket.disconnect(false);
    assert_eq!(client.text().await, "41");
    let Seen::Disconnected(reason, rooms) = world.seen().await else { panic!("not disconnected") };
    assert_eq!(reason, Reason::ServerNamespaceDisconnect);
    assert_eq!(rooms, [socket.id().clone(), "room".into()]);
    assert!(!socket.is_connected());
    assert!(!socket.emit("late", b"1"));
    // What it says before it knows is not held against it.
    client.send(r#"42["late"]"#).await;
    client.send("40").await;
    socket_id(&client.text().await);
    assert!(matches!(world.seen().await, Seen::Connected(_)));
}

#[tokio::test]
async fn the_server_makes_a_client_leave_and_ends_the_session() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await.disconnect(true);
    assert_eq!(client.text().await, "41");
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::ServerNamespaceDisconnect);

    let (mut client, _) = Polling::join(&world).await;
    world.connected().await.disconnect(true);
    assert_eq!(client.next().await, "41");
    assert_eq!(world.disconnected().await, Reason::ServerNamespaceDisconnect);
}

#[tokio::test]
async fn a_websocket_client_ends_the_session_with_a_packet() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send("1").await;
    client.ended().await;
    assert_eq!(world.disconnected().await, Reason::TransportClose);
}

#[tokio::test]
async fn a_polling_client_ends_the_session_with_a_packet() {
    let world = World::start(Settings::default()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let poll = client.start_poll().await;
    soon("the poll waits", async {
        while timeout(Duration::from_millis(50), poll.readable()).await.is_ok() {}
    })
    .await;
    client.post("1").await;
    let answer = answer(poll).await;
    assert_eq!((answer.status, answer.text()), (200, "6"));
    assert_eq!(world.disconnected().await, Reason::TransportClose);
    assert!(client.is_gone().await);
}

#[tokio::test]
async fn a_close_frame_is_answered_with_its_code() {
    let world = World::start(Settings::default()).await;
    for (payload, code) in [
        (&b""[..], None),
        (b"\x03\xe8", Some(1000)),
        (b"\x03\xe9going", Some(1001)),
        (b"\x0b\xb8", Some(3000)),
        (b"\x13\x87", Some(4999)),
    ] {
        let (mut client, _) = WebSocket::join(&world).await;
        world.connected().await;
        client.send_bytes(&frame(LAST | CLOSE, payload)).await;
        assert_eq!(client.closed().await, code);
        assert_eq!(world.disconnected().await, Reason::TransportClose);
    }
    assert_eq!(world.server.io.stats().misused, 0);
}

#[tokio::test]
async fn a_connection_that_ends_is_a_transport_close() {
    let world = World::start(Settings::default()).await;
    let (client, _) = WebSocket::join(&world).await;
    world.connected().await;
    drop(client);
    assert_eq!(world.disconnected().await, Reason::TransportClose);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_session() {
    let world = World::start(Settings::default()).await;
    let (client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.reset();
    assert!(matches!(world.disconnected().await, Reason::TransportClose | Reason::TransportError));
}

#[tokio::test]
async fn a_server_that_stops_disconnects_everybody() {
    let world = World::start(Settings::default()).await;
    let (mut over_websocket, _) = WebSocket::join(&world).await;
    world.connected().await;
    let (over_polling, _) = Polling::join(&world).await;
    world.connected().await;
    let poll = over_polling.start_poll().await;
    soon("the poll waits", async {
        while timeout(Duration::from_millis(50), poll.readable()).await.is_ok() {}
    })
    .await;
    soon("the end", world.server.io.close()).await;
    assert_eq!(world.disconnected().await, Reason::ServerShuttingDown);
    assert_eq!(world.disconnected().await, Reason::ServerShuttingDown);
    over_websocket.ended().await;
    assert_eq!(answer(poll).await.status, 200);
    let answer = over_polling.poll().await;
    assert_ne!(answer.status, 200);
}

#[tokio::test]
async fn a_socket_that_has_gone_is_in_no_room() {
    let world = World::start(Settings::default()).await;
    let (client, id) = WebSocket::join(&world).await;
    let socket = world.connected().await;
    assert!(socket.join("a"));
    assert!(socket.join("b"));
    assert!(socket.leave("a"));
    drop(client);
    let Seen::Disconnected(_, rooms) = world.seen().await else { panic!("not disconnected") };
    assert_eq!(rooms, [socket.id().clone(), "b".into()]);
    assert!(world.server.io.socket(&id).is_none());
    assert_eq!(world.server.io.count_here("b"), 0);
    assert!(!socket.join("c"), "nothing happens once it is disconnected");
    assert_eq!(world.server.io.count_here("c"), 0);
}

#[tokio::test]
async fn nothing_is_left_of_sessions_that_have_ended() {
    let world = World::start(Settings::default()).await;
    for _ in 0..5 {
        drop(WebSocket::join(&world).await);
        let (client, _) = Polling::join(&world).await;
        client.post("1").await;
    }
    soon("all are gone", async {
        loop {
            let stats = world.server.io.stats();
            if (stats.connections, stats.sockets) == (0, 0) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
