//! What a client may send, and how many may come (`maxPayload` and the rest of the settings).

use luckystack_socketio::{Reason, Settings};
use tokio::io::AsyncWriteExt as _;

use crate::app::World;
use crate::http1::{self, answer};
use crate::polling::Polling;
use crate::websocket::{self, LAST, TEXT, WebSocket, frame};

const MAX: usize = 1000;

fn limited() -> Settings {
    Settings { max_payload: MAX, ..Settings::default() }
}

/// An event of `bytes` bytes.
fn event(bytes: usize) -> String {
    let around = r#"42["e",""]"#.len();
    format!(r#"42["e","{}"]"#, "x".repeat(bytes - around))
}

#[tokio::test]
async fn a_websocket_message_as_large_as_allowed_is_taken() {
    let world = World::start(limited()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(&event(MAX)).await;
    assert_eq!(world.event().await.name, "e");
}

#[tokio::test]
async fn a_larger_websocket_message_is_refused_with_1009() {
    let world = World::start(limited()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    client.send(&event(MAX + 1)).await;
    assert_eq!(client.closed().await, Some(1009));
    assert_eq!(world.disconnected().await, Reason::TransportError);
    assert_eq!(world.server.io.stats().misused, 1);
}

#[tokio::test]
async fn a_larger_websocket_message_is_refused_before_it_has_come() {
    let world = World::start(limited()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send_bytes(&websocket::header(LAST | TEXT, 1 << 40)).await;
    assert_eq!(client.closed().await, Some(1009));
}

#[tokio::test]
async fn a_larger_websocket_message_in_fragments_is_refused_with_1009() {
    let world = World::start(limited()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let half = vec![b'x'; MAX / 2 + 1];
    client.send_bytes(&[frame(TEXT, &half), frame(LAST, &half)].concat()).await;
    assert_eq!(client.closed().await, Some(1009));
}

#[tokio::test]
async fn a_post_as_large_as_allowed_is_taken() {
    let world = World::start(limited()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    client.post(event(MAX)).await;
    assert_eq!(world.event().await.name, "e");
}

#[tokio::test]
async fn a_larger_post_is_refused_with_413() {
    let world = World::start(limited()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let answer = client.try_post(event(MAX + 1)).await;
    assert_eq!(answer.status, 413);
    assert!(world.has_seen_nothing().await, "nothing of it is dispatched");
}

#[tokio::test]
async fn a_larger_post_without_its_length_is_refused_with_413() {
    let world = World::start(limited()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let mut stream = tokio::net::TcpStream::connect(client.address).await.expect("a connection");
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", client.path());
    stream.write_all(head.as_bytes()).await.expect("sent");
    let event = event(MAX + 1);
    let (first, second) = event.split_at(MAX / 2);
    for part in [first, second] {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.expect("sent");
    }
    assert_eq!(answer(stream).await.status, 413);
    assert!(world.has_seen_nothing().await);
}

#[tokio::test]
async fn a_post_without_its_length_is_taken() {
    let world = World::start(limited()).await;
    let (client, _) = Polling::join(&world).await;
    world.connected().await;
    let mut stream = tokio::net::TcpStream::connect(client.address).await.expect("a connection");
    let head = format!("POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", client.path());
    stream.write_all(format!("{head}5\r\n42[\"e\r\n2\r\n\"]\r\n0\r\n\r\n").as_bytes()).await.expect("sent");
    assert_eq!(answer(stream).await.text(), "ok");
    assert_eq!(world.event().await.name, "e");
}

#[tokio::test]
async fn clients_beyond_the_most_there_may_be_are_refused() {
    let world = World::start(Settings { max_connections: 2, ..Settings::default() }).await;
    let (_first, _) = WebSocket::join(&world).await;
    let second = Polling::open(&world).await;
    let path = "/socket.io/?EIO=4&transport=polling";
    let refused = http1::request(second.address, "GET", path, "", b"").await;
    assert_eq!(refused.status, 503);
    let Err(refused) = websocket::try_open(second.address, "EIO=4&transport=websocket", "").await else {
        panic!("opened")
    };
    assert_eq!(refused.status, 503);
    assert_eq!(world.server.io.stats().connections, 2);
    // Who goes makes room.
    second.post("1").await;
    crate::soon("there is room", async {
        while http1::request(second.address, "GET", path, "", b"").await.status != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_closed_with_a_reason_and_others_go_on() {
    let world = World::start(Settings { max_outgoing: 1 << 20, ..Settings::default() }).await;
    let (_slow, _) = WebSocket::join(&world).await;
    let slow = world.connected().await;
    let (mut quick, _) = WebSocket::join(&world).await;
    world.connected().await;
    let argument = format!("\"{}\"", "x".repeat(100_000));
    let packet = format!(r#"42["e",{argument}]"#);
    let io = &world.server.io;
    crate::soon("the queue is full", async {
        while slow.is_connected() {
            io.emit(None, luckystack_socketio::Target::ALL, "e", argument.as_bytes());
            assert!(quick.text().await == packet, "nothing is lost to who reads");
        }
    })
    .await;
    assert_eq!(world.disconnected().await, Reason::QueueOverflow);
    assert_eq!(io.stats().overflowed, 1);
    io.emit(None, luckystack_socketio::Target::ALL, "last", b"1");
    assert_eq!(quick.text().await, r#"42["last",1]"#);
}
