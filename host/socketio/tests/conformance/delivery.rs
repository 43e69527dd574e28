//! What is sent to many: in order, to all who take it, and to nobody's cost but that of who does not.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::future::BoxFuture;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use luckystack_socketio::{
    App, ConnectError, Event, Handshake, Io, Reason, Settings, Socket, Stream, Target,
};
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};

use crate::polling::{Polling, socket_id};
use crate::server::Server;
use crate::soon;
use crate::websocket::{LAST, TEXT, WebSocket, frame, try_open};

/// Does what its clients ask for.
struct Stage {
    io: OnceLock<Io>,
    go_on: Arc<Notify>,
    seen: mpsc::UnboundedSender<Seen>,
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Began,
    Finished,
    Left(String, Reason),
}

struct World {
    server: Server,
    stage: Arc<Stage>,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl World {
    async fn start(settings: Settings) -> World {
        World::begin(|stage| Box::pin(Server::start(settings, stage))).await
    }

    async fn begin(start: impl FnOnce(Arc<dyn App>) -> BoxFuture<'static, Server>) -> World {
        let (sender, seen) = mpsc::unbounded_channel();
        let stage = Arc::new(Stage { io: OnceLock::new(), go_on: Arc::default(), seen: sender });
        let server = start(Arc::clone(&stage) as Arc<dyn App>).await;
        let _ = stage.io.set(server.io.clone());
        World { server, stage, seen }
    }

    async fn seen(&mut self) -> Seen {
        soon("the application is told", self.seen.recv()).await.expect("an application")
    }

    /// A client in the namespace, and its id.
    async fn join(&self) -> (WebSocket, String) {
        let opened = try_open(self.server.address, "EIO=4&transport=websocket", "").await;
        let mut client = opened.unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        assert!(client.text().await.starts_with('0'));
        client.send("40").await;
        let id = socket_id(&client.text().await);
        (client, id)
    }

    /// A client that has joined rooms.
    async fn member(&self, rooms: &[&str]) -> (WebSocket, String) {
        let (mut client, id) = self.join().await;
        for room in rooms {
            client.send(&format!(r#"42["join","{room}"]"#)).await;
            assert_eq!(client.text().await, r#"42["joined",true]"#);
        }
        (client, id)
    }
}

impl App for Stage {
    fn connecting<'a>(&'a self, _: &'a Handshake) -> BoxFuture<'a, Result<(), ConnectError>> {
        Box::pin(async { Ok(()) })
    }

    fn connected(&self, _: &Arc<Socket>) {}

    fn event(&self, socket: &Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        let text = |index: usize| serde_json::from_slice::<String>(&event.args[index]).expect("a text");
        let io = self.io.get().expect("a server").clone();
        match &*event.name {
            "join" => {
                let joined = socket.join(&text(0));
                socket.emit("joined", joined.to_string().as_bytes());
                None
            }
            // To a room, and to who asks for it.
            "publish" => {
                io.emit(Some(socket), Target::rooms(&[&text(0)]), "news", &event.args[1]);
                socket.emit("published", &event.args[1]);
                None
            }
            // A number, and so many bytes after it.
            "flood" => {
                let number: usize = serde_json::from_slice(&event.args[0]).expect("a number");
                let bytes: usize = serde_json::from_slice(&event.args[1]).expect("a number");
                let argument = format!("\"{number} {}\"", "x".repeat(bytes));
                io.emit(Some(socket), Target::rooms(&["flooded"]), "flood", argument.as_bytes());
                None
            }
            "wait" => {
                let seen = self.seen.clone();
                let go_on = Arc::clone(&self.go_on);
                Some(Box::pin(async move {
                    let _ = seen.send(Seen::Began);
                    go_on.notified().await;
                    let _ = seen.send(Seen::Finished);
                }))
            }
            "panic" => panic!("as the test wants"),
            "panicLater" => Some(Box::pin(async {
                tokio::task::yield_now().await;
                panic!("as the test wants");
            })),
            "ask" => {
                socket.emit("answer", &event.args[0]);
                None
            }
            other => panic!("unknown event {other}"),
        }
    }

    fn disconnected(&self, socket: &Arc<Socket>, reason: Reason, _: Vec<Arc<str>>) {
        let _ = self.seen.send(Seen::Left(socket.id().to_string(), reason));
    }
}

/// A stream that is not said to be TCP, as those of TLS are not.
fn reclaim_other(upgraded: Upgraded) -> (Stream, Bytes) {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().expect("the listener's own stream");
    (Stream::Other(Box::new(parts.io.into_inner())), parts.read_buf)
}

/// What is in the room `flooded`, from the first to the last, each of `bytes`.
async fn read_flood(mut client: WebSocket, count: usize, bytes: usize) {
    for number in 0..count {
        let text = client.text().await;
        let expected = format!("42[\"flood\",\"{number} ");
        assert!(text.starts_with(&expected), "expected {number}, got {}", &text[..text.len().min(40)]);
        assert_eq!(text.len(), expected.len() + bytes + 2);
    }
}

fn flood(count: usize, bytes: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|number| frame(LAST | TEXT, format!("42[\"flood\",{number},{bytes}]").as_bytes()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_is_closed_and_nobody_else() {
    // Much more than the kernel keeps for a connection.
    let (count, bytes) = (600, 64 << 10);
    let mut world = World::start(Settings { max_outgoing: 2 << 20, ..Settings::default() }).await;
    let (reader, _) = world.member(&["flooded"]).await;
    let (idle, idle_id) = world.member(&["flooded"]).await;
    let (mut publisher, _) = world.join().await;
    let reading = tokio::spawn(read_flood(reader, count, bytes));
    publisher.send_bytes(&flood(count, bytes)).await;
    assert_eq!(world.seen().await, Seen::Left(idle_id, Reason::QueueOverflow));
    soon("the reader gets everything", reading).await.expect("all of it");
    assert_eq!(world.server.io.stats().overflowed, 1);
    drop(idle);
    publisher.send(r#"42["ask",1]"#).await;
    assert_eq!(publisher.text().await, r#"42["answer",1]"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_to_those_who_read_loses_nothing_and_closes_nobody() {
    let (count, bytes) = (1500, 32 << 10);
    // Far less than the burst: without slowing its publisher down somebody's queue would overflow.
    let world = World::start(Settings { max_outgoing: 2 << 20, ..Settings::default() }).await;
    let mut reading = Vec::new();
    for _ in 0..4 {
        let (reader, _) = world.member(&["flooded"]).await;
        reading.push(tokio::spawn(read_flood(reader, count, bytes)));
    }
    let (mut publisher, _) = world.join().await;
    publisher.send_bytes(&flood(count, bytes)).await;
    for reading in reading {
        soon("a reader gets everything", reading).await.expect("all of it");
    }
    assert_eq!(world.server.io.stats().overflowed, 0);
}

#[tokio::test]
async fn a_polling_client_that_does_not_poll_is_closed() {
    let mut world = World::start(Settings { max_outgoing: 64 << 10, ..Settings::default() }).await;
    let mut idle = Polling::open_at(world.server.address).await;
    idle.post("40").await;
    let idle_id = socket_id(&idle.next().await);
    idle.post("42[\"join\",\"flooded\"]").await;
    let (mut publisher, _) = world.join().await;
    publisher.send_bytes(&flood(8, 16 << 10)).await;
    assert_eq!(world.seen().await, Seen::Left(idle_id, Reason::QueueOverflow));
    assert_eq!(world.server.io.stats().overflowed, 1);
}

#[tokio::test]
async fn what_is_sent_while_a_batch_is_dispatched_arrives_in_order() {
    let world = World::start(Settings::default()).await;
    let (mut member, _) = world.member(&["room"]).await;
    let (mut publisher, _) = world.member(&["room"]).await;
    let batch: Vec<u8> = (0..500)
        .flat_map(|number| frame(LAST | TEXT, format!(r#"42["publish","room",{number}]"#).as_bytes()))
        .collect();
    publisher.send_bytes(&batch).await;
    for number in 0..500 {
        assert_eq!(member.text().await, format!(r#"42["news",{number}]"#));
        assert_eq!(publisher.text().await, format!(r#"42["news",{number}]"#));
        assert_eq!(publisher.text().await, format!(r#"42["published",{number}]"#));
    }
}

#[tokio::test]
async fn what_has_begun_ends_though_the_client_has_gone() {
    let mut world = World::start(Settings::default()).await;
    let (mut client, id) = world.join().await;
    client.send(r#"42["wait"]"#).await;
    assert_eq!(world.seen().await, Seen::Began);
    drop(client);
    assert_eq!(world.seen().await, Seen::Left(id, Reason::TransportClose));
    world.stage.go_on.notify_one();
    assert_eq!(world.seen().await, Seen::Finished);
}

#[tokio::test]
async fn a_panic_ends_one_event_and_no_more() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = world.join().await;
    client.send(r#"42["panic"]"#).await;
    client.send(r#"42["panicLater"]"#).await;
    client.send(r#"42["ask",2]"#).await;
    assert_eq!(client.text().await, r#"42["answer",2]"#);
    client.send(r#"42["ask",3]"#).await;
    assert_eq!(client.text().await, r#"42["answer",3]"#);
}

#[tokio::test]
async fn events_that_wait_hold_up_no_others_until_too_many_do() {
    let mut world = World::start(Settings { max_in_flight: 2, ..Settings::default() }).await;
    let (mut client, _) = world.join().await;
    client.send(r#"42["wait"]"#).await;
    client.send(r#"42["ask",1]"#).await;
    assert_eq!(client.text().await, r#"42["answer",1]"#);
    assert_eq!(world.seen().await, Seen::Began);
    client.send(r#"42["wait"]"#).await;
    assert_eq!(world.seen().await, Seen::Began);
    client.send(r#"42["ask",2]"#).await;
    // One that has ended makes room for the next.
    world.stage.go_on.notify_one();
    assert_eq!(world.seen().await, Seen::Finished);
    assert_eq!(client.text().await, r#"42["answer",2]"#);
}

#[tokio::test]
async fn rooms_list_their_sockets_in_the_order_they_joined() {
    let world = World::start(Settings::default()).await;
    let io = &world.server.io;
    let (_a, a) = world.member(&["red"]).await;
    let (_b, b) = world.member(&["blue", "red"]).await;
    let (_c, c) = world.member(&["blue"]).await;
    let ids = |target: Target<'_>| -> Vec<String> {
        io.sockets_here(target).iter().map(|socket| socket.id().to_string()).collect()
    };
    assert_eq!(ids(Target::ALL), [&*a, &b, &c]);
    assert_eq!(ids(Target::rooms(&["red"])), [&*a, &b]);
    assert_eq!(ids(Target::rooms(&["blue", "red"])), [&*b, &c, &a]);
    assert_eq!(ids(Target::rooms(&["red", "blue"]).except(&["blue"])), [&*a]);
    assert_eq!(ids(Target::rooms(&["red"]).except(&[&a])), [&*b]);
    assert_eq!(ids(Target::rooms(&[&c, "red", &c])), [&*c, &a, &b]);
    assert_eq!(ids(Target::ALL.except(&["red", &c])), [] as [&str; 0]);
    assert_eq!(ids(Target::rooms(&["nobody's"])), [] as [&str; 0]);
    assert_eq!((io.count_here("red"), io.count_here(&a), io.count_here("nobody's")), (2, 1, 0));

    let second = io.socket(&b).expect("it is there");
    let rooms = || second.rooms().iter().map(|room| room.to_string()).collect::<Vec<_>>();
    assert_eq!(rooms(), [&*b, "blue", "red"]);
    assert!(!second.join("red") && second.is_in("red") && second.is_in(&b));
    assert!(second.leave("blue") && !second.leave("blue") && !second.is_in("blue"));
    assert!(second.join("blue"));
    assert_eq!(ids(Target::rooms(&["blue"])), [&*c, &b]);
    assert_eq!(rooms(), [&*b, "red", "blue"]);

    second.disconnect(false);
    assert!(!second.is_connected() && !second.join("red") && second.rooms().is_empty());
    assert_eq!(ids(Target::rooms(&["red", "blue"])), [&*a, &c]);
    assert_eq!(io.stats().sockets, 2);
    assert!(io.socket(&b).is_none());
}

#[tokio::test]
async fn a_socket_in_several_of_the_rooms_is_sent_to_once() {
    let world = World::start(Settings::default()).await;
    let (mut a, _) = world.member(&["red", "blue"]).await;
    let (mut b, b_id) = world.member(&["blue"]).await;
    let io = &world.server.io;
    assert_eq!(io.emit(None, Target::rooms(&["red", "blue"]), "news", b"1"), 2);
    assert_eq!(io.emit_here(None, Target::rooms(&["red", "blue"]).except(&[&b_id]), "news", b"2"), 1);
    assert_eq!(io.emit(None, Target::rooms(&[&b_id, "blue", "red"]), "news", b"3"), 2);
    for number in [1, 2, 3] {
        assert_eq!(a.text().await, format!(r#"42["news",{number}]"#));
    }
    for number in [1, 3] {
        assert_eq!(b.text().await, format!(r#"42["news",{number}]"#));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_client_is_told_when_it_has_caught_up_and_when_it_has_gone() {
    let world = World::start(Settings { max_outgoing: 64 << 20, ..Settings::default() }).await;
    let (mut client, id) = world.join().await;
    let socket = world.server.io.socket(&id).expect("it is there");
    assert!(soon("nothing waits for it", socket.drained()).await);
    // More than the kernel keeps for a connection.
    let argument = format!("\"{}\"", "x".repeat(32 << 20));
    assert!(socket.emit("much", argument.as_bytes()));
    let waiting = tokio::spawn({
        let socket = Arc::clone(&socket);
        async move { socket.drained().await }
    });
    assert_eq!(client.text().await.len(), argument.len() + r#"42["much",]"#.len());
    assert!(soon("it has caught up", waiting).await.expect("an answer"));
    drop(client);
    soon("it has gone", async {
        while socket.drained().await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!socket.emit("news", b"1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_cannot_be_shared_are_written_by_their_own_task() {
    let (count, bytes) = (600, 64 << 10);
    let settings = Settings { max_outgoing: 2 << 20, ..Settings::default() };
    let mut world = World::begin(|stage| Box::pin(Server::start_with(settings, stage, reclaim_other))).await;
    let (reader, _) = world.member(&["flooded"]).await;
    let (idle, idle_id) = world.member(&["flooded"]).await;
    let (mut publisher, publisher_id) = world.join().await;
    let reading = tokio::spawn(read_flood(reader, count, bytes));
    publisher.send_bytes(&flood(count, bytes)).await;
    assert_eq!(world.seen().await, Seen::Left(idle_id, Reason::QueueOverflow));
    soon("the reader gets everything", reading).await.expect("all of it");
    drop(idle);
    assert!(matches!(world.seen().await, Seen::Left(..)), "the reader has gone");
    // What waits is written before the connection is closed.
    let socket = world.server.io.socket(&publisher_id).expect("it is there");
    socket.emit("last", b"1");
    socket.disconnect(true);
    assert_eq!(publisher.text().await, r#"42["last",1]"#);
    assert_eq!(publisher.text().await, "41");
    assert_eq!(publisher.closed().await, None);
    assert_eq!(world.seen().await, Seen::Left(publisher_id, Reason::ServerNamespaceDisconnect));
}
