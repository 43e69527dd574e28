//! What servers ask each other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use luckystack_backplane::{Redis, RedisBus};
use luckystack_socketio::{ClusterError, RemoteSocket, Settings, Target};
use luckystack_tests::RedisServer;
use serde_json::{Value, json};

use crate::peer::Client;
use crate::server::Server;
use crate::world::{EVERYBODY, From, World, join};
use crate::{eventually, soon};

const REQUESTS: &str = "socket.io-request#/#";
const RESPONSES: &str = "socket.io-response#/#";

/// One client at each server: `0`, `1` and `2`, all in `all`, and each in a room of its own.
async fn clients(world: &World) -> Vec<Client> {
    let mut clients = Vec::new();
    for (n, of) in EVERYBODY.into_iter().enumerate() {
        let client = world.client(&n.to_string(), of, "websocket").await;
        world.node.join(&client, &["all", &format!("only {n}")]).await;
        clients.push(client);
    }
    clients
}

fn sorted<'a>(ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    ids.into_iter().map(str::to_owned).collect()
}

fn ids(sockets: &[RemoteSocket]) -> BTreeSet<String> {
    sorted(sockets.iter().map(|socket| &*socket.id))
}

fn ids_of(sockets: &Value) -> BTreeSet<String> {
    sorted(sockets.as_array().unwrap().iter().map(|socket| socket["id"].as_str().unwrap()))
}

async fn raw(redis: &RedisServer) -> RedisBus {
    Redis::connect(&redis.url()).await.unwrap().bus().await.unwrap()
}

#[tokio::test]
async fn a_node_server_fetches_our_sockets_as_its_own() {
    for library in ["redis", "ioredis"] {
        let world = World::start(library).await;
        let clients = clients(&world).await;
        let sockets = world.node.run("fetchSockets", json!({ "rooms": ["all"] })).await;
        assert_eq!(ids_of(&sockets), sorted(clients.iter().map(|client| &*client.id)));
        for socket in sockets.as_array().unwrap() {
            let n = clients.iter().position(|client| socket["id"] == *client.id).unwrap();
            assert_eq!(socket["cookie"], format!("name={n}"));
            assert_eq!(socket["languages"], "nl,en;q=0.5");
            assert_eq!(socket["token"], format!("token of {n}"));
            assert_eq!(socket["rooms"], json!([clients[n].id, "all", format!("only {n}")]));
            let handshake = &socket["handshake"];
            assert_eq!(handshake["auth"]["nested"], json!({ "a": [1, null] }));
            assert!(handshake["address"].as_str().unwrap().ends_with("127.0.0.1"), "{handshake}");
            assert_eq!((&handshake["xdomain"], &handshake["secure"]), (&json!(false), &json!(false)));
            assert_eq!(handshake["query"]["transport"], "websocket");
            assert_eq!(handshake["query"]["EIO"], "4");
            assert!(handshake["url"].as_str().unwrap().starts_with("/socket.io/?EIO=4"), "{handshake}");
            assert!(handshake["issued"].as_u64().unwrap() > 1_700_000_000_000);
            assert!(handshake["time"].as_str().unwrap().contains("GMT"), "{handshake}");
        }
        let own = world.node.run("fetchSockets", json!({ "rooms": ["only 0", "only 2"] })).await;
        assert_eq!(ids_of(&own), sorted([&*clients[0].id, &clients[2].id]));
        let others = world.node.run("fetchSockets", json!({ "except": ["only 0"] })).await;
        assert_eq!(ids_of(&others), sorted([&*clients[1].id, &clients[2].id]));
        assert_eq!(world.node.run("fetchSockets", json!({ "rooms": ["none"] })).await, json!([]));
    }
}

#[tokio::test]
async fn our_host_fetches_the_sockets_of_all_others() {
    let world = World::start("redis").await;
    let clients = clients(&world).await;
    let io = &world.ours[0].io;
    let sockets = io.fetch_elsewhere(Target::rooms(&["all"])).await.unwrap();
    assert_eq!(ids(&sockets), sorted([&*clients[1].id, &clients[2].id]));
    for socket in sockets {
        let n = clients.iter().position(|client| socket.id == *client.id).unwrap();
        assert_eq!(socket.rooms, [&*clients[n].id, "all", &format!("only {n}")]);
        assert_eq!(socket.handshake["headers"]["cookie"], format!("name={n}"));
        assert_eq!(socket.handshake["headers"]["accept-language"], "nl,en;q=0.5");
        assert_eq!(socket.handshake["auth"]["token"], format!("token of {n}"));
    }
    let some = io.fetch_elsewhere(Target::rooms(&["all"]).except(&["only 2"])).await.unwrap();
    assert_eq!(ids(&some), sorted([&*clients[1].id]));
    assert!(io.fetch_elsewhere(Target::rooms(&["only 0"])).await.unwrap().is_empty());
    let all = io.fetch_elsewhere(Target::ALL).await.unwrap();
    assert_eq!(ids(&all), sorted([&*clients[1].id, &clients[2].id]));
    // Many at once, none takes the other's answers.
    let rooms = ["only 1", "only 2"];
    let both = futures::future::join_all((0..200).map(|n| async move {
        let only = [rooms[n % 2]];
        (n, io.fetch_elsewhere(Target::rooms(&only)).await.unwrap())
    }));
    for (n, sockets) in both.await {
        assert_eq!(ids(&sockets), sorted([&*clients[1 + n % 2].id]));
    }
}

#[tokio::test]
async fn a_remote_socket_is_sent_to_over_its_id() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    world.node.run("emitToEach", json!({ "rooms": ["all"], "event": "you are" })).await;
    let io = &world.ours[0].io;
    for socket in io.fetch_elsewhere(Target::ALL).await.unwrap() {
        io.emit(None, Target::rooms(&[&socket.id]), "you are still", json!(socket.id).to_string().as_bytes());
    }
    for (n, client) in clients.iter_mut().enumerate() {
        assert_eq!(client.hears().await, ("you are".to_owned(), vec![json!(client.id)]));
        if n > 0 {
            assert_eq!(client.hears().await, ("you are still".to_owned(), vec![json!(client.id)]));
        }
    }
}

#[tokio::test]
async fn a_node_server_has_our_sockets_join_leave_and_disconnect() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    let ours = [&world.ours[0].io, &world.ours[1].io];
    world
        .node
        .run("socketsJoin", json!({ "rooms": ["all"], "except": ["only 1"], "join": ["x", "y"] }))
        .await;
    eventually("it has joined", || async { ours[0].count_here("x") == 1 && ours[0].count_here("y") == 1 })
        .await;
    // The other heard of it before this.
    world.node.run("fetchSockets", json!({})).await;
    assert_eq!(ours[1].count_here("x"), 0);
    world.node.run("socketsLeave", json!({ "rooms": ["x"], "leave": ["y", "all"] })).await;
    eventually("it has left", || async { ours[0].count_here("y") == 0 && ours[0].count_here("all") == 0 })
        .await;
    assert_eq!((ours[0].count_here("x"), ours[1].count_here("all")), (1, 1));
    world.node.run("disconnectSockets", json!({ "rooms": ["x"], "close": false })).await;
    world.node.run("disconnectSockets", json!({ "rooms": ["only 1"], "close": true })).await;
    let reason = vec![json!("io server disconnect")];
    for n in [0, 2, 1] {
        assert_eq!(clients[n].hears().await, ("disconnect".to_owned(), reason.clone()), "{n}");
    }
    assert_eq!((ours[0].stats().sockets, ours[1].stats().sockets), (0, 0));
    eventually("its connection is closed", || async { ours[1].stats().connections == 0 }).await;
}

#[tokio::test]
async fn a_node_server_is_told_our_rooms_and_how_many_we_are() {
    let world = World::start("redis").await;
    let clients = clients(&world).await;
    let rooms = world.node.run("allRooms", json!({})).await;
    let mut expected = sorted(clients.iter().map(|client| &*client.id));
    expected.extend(["all", "only 0", "only 1", "only 2"].map(str::to_owned));
    assert_eq!(sorted(rooms.as_array().unwrap().iter().map(|room| room.as_str().unwrap())), expected);
    assert_eq!(world.node.run("serverCount", json!({})).await, 3);
}

#[tokio::test]
async fn what_servers_emit_to_each_other_is_answered() {
    let world = World::start("redis").await;
    assert_eq!(world.node.run("serverSideEmit", json!({ "event": "hello" })).await, 2);
}

#[tokio::test]
async fn acknowledgements_of_our_clients_reach_the_node_server_that_wants_them() {
    for transport in ["websocket", "polling"] {
        let world = World::start("redis").await;
        let mut clients = clients(&world).await;
        let also = world.client("also", From::Ours(0), transport).await;
        world.node.join(&also, &["all"]).await;
        let args = json!([1, { "$binary": "0102" }]);
        let order = json!({ "rooms": ["all"], "timeout": 30_000, "event": "asked", "args": args });
        let answers = world.node.run("emitWithAck", order).await;
        let answers = answers.as_array().unwrap().iter().map(|answer| answer.as_str().unwrap());
        assert_eq!(sorted(answers), sorted(["0", "1", "2", "also"]));
        let Value::Array(args) = args else { unreachable!() };
        for client in &mut clients {
            assert_eq!(client.hears().await, ("asked".to_owned(), args.clone()));
        }
        let nobody = json!({ "rooms": ["none"], "timeout": 30_000, "event": "asked", "args": [] });
        assert_eq!(world.node.run("emitWithAck", nobody).await, json!([]));
    }
}

#[tokio::test]
async fn old_requests_about_one_socket_are_done_and_answered() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    let (bus, sid) = (raw(&world.redis).await, &clients[0].id);
    let mut responses = bus.subscribe(vec![RESPONSES.to_owned()], Vec::new()).await.unwrap();
    for request in [
        json!({ "type": 2, "requestId": "q1", "sid": sid, "room": "x" }),
        json!({ "type": 3, "requestId": "q2", "sid": sid, "room": "all" }),
        json!({ "type": 0, "requestId": "q3", "rooms": ["x"] }),
        json!({ "type": 4, "requestId": "q4", "sid": sid, "close": true }),
    ] {
        assert!(bus.publish(REQUESTS, request.to_string().into()));
        loop {
            let (_, response) = soon("an answer", responses.next()).await.unwrap();
            let response: Value = serde_json::from_slice(&response).unwrap();
            assert_eq!(response["requestId"], request["requestId"]);
            match response["sockets"].as_array() {
                // The others have none, and say so.
                Some(sockets) if sockets.is_empty() => {}
                Some(sockets) => {
                    assert_eq!(sockets, &[json!(sid)]);
                    break;
                }
                None => break,
            }
        }
        if request["type"] == 0 {
            // Those that may still be on their way.
            world.node.run("fetchSockets", json!({})).await;
            while let Some(Some(_)) = futures::FutureExt::now_or_never(responses.next()) {}
        }
    }
    assert_eq!(clients[0].hears().await.0, "disconnect");
}

#[tokio::test]
async fn a_host_alone_asks_nobody() {
    let redis = RedisServer::start().await;
    let host = crate::world::host(&redis).await;
    let bus = raw(&redis).await;
    // A pattern is not counted as somebody who could answer.
    let mut heard = bus.subscribe(Vec::new(), vec!["*".to_owned()]).await.unwrap();
    assert!(host.io.fetch_elsewhere(Target::ALL).await.unwrap().is_empty());
    bus.publish("mark", "x".into());
    assert_eq!(soon("the mark", heard.next()).await.unwrap().0, "mark");
}

#[tokio::test]
async fn a_host_that_does_not_answer_is_not_waited_for_longer_than_allowed() {
    let redis = RedisServer::start().await;
    let server = Server::start(Settings::default(), std::sync::Arc::new(crate::world::Rooms)).await;
    join(&server.io, &redis, Duration::from_millis(300)).await;
    let other = crate::world::host(&redis).await;
    let bus = raw(&redis).await;
    let mut silent = bus.subscribe(vec![REQUESTS.to_owned()], Vec::new()).await.unwrap();
    let begun = Instant::now();
    let error = server.io.fetch_elsewhere(Target::ALL).await.unwrap_err();
    assert!(matches!(error, ClusterError::Timeout { expected: 2, missing: 1, .. }), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    // What comes too late, or twice, or from nobody, is for nobody.
    let (_, request) = soon("the request", silent.next()).await.unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    assert_eq!(request["type"], 5);
    assert_eq!(request["opts"], json!({ "rooms": [], "except": [] }));
    let late = json!({ "requestId": request["requestId"], "sockets": [] });
    bus.publish(RESPONSES, late.to_string().into());
    drop(silent);
    eventually("it has gone", || async { bus.subscribers(REQUESTS).await.unwrap() == 2 }).await;
    assert!(server.io.fetch_elsewhere(Target::ALL).await.unwrap().is_empty());
    drop(other);
}

#[tokio::test]
async fn a_host_that_goes_away_is_not_waited_for() {
    let mut world = World::start("redis").await;
    let clients = clients(&world).await;
    let bus = raw(&world.redis).await;
    let mut silent = bus.subscribe(vec![REQUESTS.to_owned()], Vec::new()).await.unwrap();
    let fetch = |world: &World| {
        let io = world.ours[0].io.clone();
        tokio::spawn(async move { io.fetch_elsewhere(Target::ALL).await })
    };
    let begun = Instant::now();
    let fetching = fetch(&world);
    soon("the request", silent.next()).await.unwrap();
    drop(silent);
    let sockets = soon("the others have answered", fetching).await.unwrap().unwrap();
    assert_eq!(ids(&sockets), sorted([&*clients[1].id, &clients[2].id]));

    // Nor is anything when it can no longer be answered.
    let mut silent = bus.subscribe(vec![REQUESTS.to_owned()], Vec::new()).await.unwrap();
    let fetching = fetch(&world);
    soon("the request", silent.next()).await.unwrap();
    world.redis.kill().await;
    let error = soon("it ends", fetching).await.unwrap().unwrap_err();
    assert!(matches!(error, ClusterError::Bus(_)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(15), "the whole time was waited");
}

#[tokio::test]
async fn an_answer_of_a_host_that_repeats_itself_counts_once() {
    let redis = RedisServer::start().await;
    let host = crate::world::host(&redis).await;
    let (first, second) = (raw(&redis).await, raw(&redis).await);
    let mut requests = first.subscribe(vec![REQUESTS.to_owned()], Vec::new()).await.unwrap();
    let _also = second.subscribe(vec![REQUESTS.to_owned()], Vec::new()).await.unwrap();
    let fetching = tokio::spawn({
        let io = host.io.clone();
        async move { io.fetch_elsewhere(Target::ALL).await }
    });
    let (_, request) = soon("the request", requests.next()).await.unwrap();
    let request: Value = serde_json::from_slice(&request).unwrap();
    let answer = |uid: &str, id: &str| {
        let socket = json!({ "id": id, "handshake": { "headers": {}, "auth": {} }, "rooms": [id, 5] });
        let sockets = json!([socket, { "malformed": true }, 7]);
        json!({ "requestId": request["requestId"], "uid": uid, "sockets": sockets }).to_string()
    };
    for (uid, id) in [("one", "a"), ("one", "a"), ("one", "b"), ("two", "c")] {
        first.publish(RESPONSES, answer(uid, id).into());
    }
    let sockets = soon("all have answered", fetching).await.unwrap().unwrap();
    assert_eq!(ids(&sockets), sorted(["a", "c"]));
    assert_eq!(sockets[0].rooms, ["a", "5"]);
}
