//! Several hosts over one Redis, a Node server among them, and Redis going away (wire protocol §2.9, Appendix B).

mod node;

use std::time::{Duration, Instant};

use luckystack_tests::guests::Guest;
use luckystack_tests::{Account, Act, Forge, Host, Project, RedisServer, Socket, Visitor};
use serde_json::{Value, json};

use self::node::Node;
use crate::identity_door::door;
use crate::socket_hall::{MINE, OPEN, another, assert_error, join, moved, session_of, signed_in};

/// The same for everybody: no client half, and nobody has to be signed in.
const PIN: &str = "sync/board/pinCard/v1";
/// Tells each whether the card is theirs.
const CARD: &str = "sync/board/moveCard/v1";
/// Streams to the caller, the room and some sessions.
const RENDER: &str = "sync/board/render/v1";
/// Both halves, and nobody has to be signed in.
const BOTH: &str = "sync/both/move/v1";
/// The room of these tests.
const ROOM: &str = "board-1";
/// How long something may take to be known everywhere before something is broken.
const PATIENCE: Duration = Duration::from_secs(30);
/// Much longer than anything here takes: who waits for a host that does not answer is found out.
const CLUSTER_TIMEOUT: Duration = Duration::from_secs(120);

/// Two hosts of one app and the Redis server that they meet on.
struct Cluster {
    redis: RedisServer,
    a: Host,
    b: Host,
}

/// What the hosts of a cluster are made from: everybody may speak to any room.
fn over(redis: &RedisServer, project: Project) -> Project {
    project
        .set(&format!("backplane.url={}", redis.url()))
        .set("sync.require_room_membership=false")
        .set(&format!("socket.cluster_timeout=\"{}s\"", CLUSTER_TIMEOUT.as_secs()))
}

/// A host with the board.
fn board() -> Project {
    let gives = Act::Give(json!({ "status": "success", "told": true }).to_string().into());
    let both = Forge::new("both", "both").sync("move", moved()).sync_client("move", gives);
    door().guest(Guest::Board).forged("both", "both.wasm", &both)
}

impl Cluster {
    async fn start() -> Cluster {
        Cluster::of(board()).await
    }

    async fn of(project: Project) -> Cluster {
        let redis = RedisServer::start().await;
        let project = over(&redis, project);
        // On the same files: the same accounts.
        let a = project.serve(&[]).await;
        let b = project.serve(&[]).await;
        Cluster { redis, a, b }
    }

    fn hosts(&self) -> [&Host; 2] {
        [&self.a, &self.b]
    }

    /// Waits until this many servers hear each other.
    async fn complete(&self, servers: usize) {
        let started = Instant::now();
        let channels = ["PUBSUB", "NUMSUB", "socket.io-request#/#", "socket.io-response#/#"];
        let wanted = format!(":{servers}\r\n");
        while self.redis.command(&channels).await.matches(&wanted).count() != 2 {
            assert!(started.elapsed() < PATIENCE, "not all {servers} servers came");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Somebody in the room.
async fn member(host: &Host, name: &str) -> (Visitor, Socket) {
    let (visitor, mut socket) = signed_in(host, name).await;
    join(&mut socket, ROOM).await;
    socket.next("updateSession").await;
    (visitor, socket)
}

/// A call of [`PIN`] for the room.
async fn pin(socket: &mut Socket, card: &str) {
    let reply = socket.sync(PIN, ROOM, json!({ "card": card })).await;
    assert_eq!(reply["status"], "success", "{reply}");
}

/// The frame of [`PIN`].
fn pinned(card: &str) -> Value {
    json!({
        "cb": PIN,
        "fullName": PIN,
        "serverOutput": { "status": "success", "pinned": card },
        "clientOutput": {},
        "message": format!("{PIN} sync success"),
        "status": "success",
    })
}

/// Sync frames up to that of [`PIN`] with this card, which is left out. What one server sends comes in
/// order: with a last call by the same server, nothing is still on its way.
async fn until(socket: &mut Socket, card: &str) -> Vec<Value> {
    until_all(socket, [card]).await
}

/// The same for cards by several servers, between which there is no order.
async fn until_all<const N: usize>(socket: &mut Socket, cards: [&str; N]) -> Vec<Value> {
    let mut waited_for = cards.to_vec();
    let mut frames = Vec::new();
    while !waited_for.is_empty() {
        let frame = socket.next("sync").await;
        match waited_for.iter().position(|card| frame["serverOutput"]["pinned"] == *card) {
            Some(at) => drop(waited_for.swap_remove(at)),
            None => frames.push(frame),
        }
    }
    frames
}

/// The same for a client of Node.
async fn node_until(node: &mut Node, card: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let frame = node.next("sync").await;
        if frame["serverOutput"]["pinned"] == card {
            return frames;
        }
        frames.push(frame);
    }
}

/// Waits until it is known that nobody knows whether somebody's session is live.
async fn until_refused(socket: &mut Socket) {
    let started = Instant::now();
    loop {
        let reply = socket.api(MINE, json!({})).await;
        if reply["errorCode"] == "session.unavailable" {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{reply}");
    }
}

async fn until_ready(host: &Host) {
    let started = Instant::now();
    loop {
        let answer = host.get("/readyz").await;
        if answer.status == 200 {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{}", answer.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_room_has_members_on_every_host() {
    let cluster = Cluster::start().await;
    let (visitor, mut ann) = member(&cluster.a, "Ann").await;
    let mut tab = another(&cluster.b, &visitor).await;
    assert_eq!(tab.rooms().await, json!([ROOM]), "a room belongs to a session, wherever it connects");
    let (mut bobs, mut bob) = member(&cluster.b, "Bob").await;

    pin(&mut bob, "1").await;
    for socket in [&mut ann, &mut tab, &mut bob] {
        assert_eq!(socket.next("sync").await, pinned("1"));
    }
    let request = json!({
        "name": PIN, "data": { "card": "2" }, "cb": "c", "receiver": ROOM, "ignoreSelf": true,
    });
    assert_eq!(ann.request("sync", request).await["status"], "success");
    let request = json!({ "data": { "card": "3" }, "receiver": ROOM, "ignoreSelf": true });
    let answer = bobs.post(&format!("/{PIN}"), &request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut by_http = pinned("3");
    by_http["cb"] = "board/pinCard/v1".into();

    pin(&mut ann, "by a").await;
    pin(&mut bob, "by b").await;
    let last = ["by a", "by b"];
    assert_eq!(until_all(&mut bob, last).await, [pinned("2")], "not what he sent by HTTP");
    for socket in [&mut ann, &mut tab] {
        let frames = until_all(socket, last).await;
        assert_eq!(frames, [by_http.clone()], "neither tab hears what its own session left out");
    }
}

/// The other host does not even have the service: a client half runs where the call does.
#[tokio::test]
async fn a_client_half_speaks_to_recipients_on_other_hosts() {
    let redis = RedisServer::start().await;
    let a = over(&redis, board()).start().await;
    let b = over(&redis, door()).beside(&a).start().await;
    let (anns, mut ann) = member(&a, "Ann").await;
    let mut tab = another(&b, &anns).await;
    tab.rooms().await;
    let (bobs, mut bob) = member(&b, "Bob").await;
    let (cas, mut cas_there) = member(&b, "Cas").await;

    let data = json!({ "card": "c", "to": 1, "owner": bobs.token(), "refused": cas.token() });
    let reply = ann.sync(CARD, ROOM, data.clone()).await;
    assert_eq!(reply["result"], json!({ "status": "success", "moved": true }));
    let frame = |mine: bool| {
        json!({
            "cb": CARD,
            "fullName": CARD,
            "serverOutput": { "status": "success", "moved": true },
            "clientOutput": { "status": "success", "mine": mine },
            "message": format!("{CARD} sync success"),
            "status": "success",
        })
    };
    assert_eq!(ann.next("sync").await, frame(false));
    assert_eq!(tab.next("sync").await, frame(false));
    assert_eq!(bob.next("sync").await, frame(true));
    let refused = cas_there.next("sync").await;
    assert_eq!(refused["errorCode"], "board.hidden");
    assert_eq!((&refused["httpStatus"], &refused["serverOutput"]), (&json!(403), &json!(null)));

    let request = json!({ "name": CARD, "data": data, "cb": "c", "receiver": ROOM, "ignoreSelf": true });
    assert_eq!(ann.request("sync", request).await["status"], "success");
    pin(&mut ann, "last").await;
    assert_eq!(until(&mut ann, "last").await, Vec::<Value>::new());
    assert_eq!(until(&mut tab, "last").await, Vec::<Value>::new());
    assert_eq!(until(&mut bob, "last").await, [frame(true)]);
    assert_eq!(until(&mut cas_there, "last").await, [refused]);
}

#[tokio::test]
async fn streams_reach_rooms_and_sessions_on_every_host() {
    let cluster = Cluster::start().await;
    let (_ann, mut ann) = member(&cluster.a, "Ann").await;
    let (_dan, mut dan) = member(&cluster.b, "Dan").await;
    let (bobs, mut bob) = signed_in(&cluster.b, "Bob").await;
    let mut bobs_tab = another(&cluster.a, &bobs).await;
    bobs_tab.rooms().await;
    bob.rooms().await;

    let data = json!({ "steps": 1, "aside": [bobs.token(), bobs.token()] });
    let index = ann.ask("sync", json!({ "name": RENDER, "data": data, "cb": "r", "receiver": ROOM })).await;
    let streamed = |key: &str| json!({ key: 10, "cb": "r", "fullName": RENDER, "status": "stream" });
    for socket in [&mut ann, &mut dan] {
        assert_eq!(socket.next("sync").await, streamed("progress"));
        assert_eq!(socket.next("sync").await["serverOutput"], json!({ "status": "success", "pages": 1 }));
    }
    let progress = format!("sync-progress-{index}");
    assert!(ann.next(&progress).await["__cancelId"].is_string());
    assert_eq!(ann.next(&progress).await, json!({ "progress": 10 }));
    for socket in [&mut bob, &mut bobs_tab] {
        assert_eq!(socket.next("sync").await, streamed("aside"));
        join(socket, ROOM).await;
    }
    pin(&mut ann, "last").await;
    for socket in [&mut ann, &mut dan, &mut bob, &mut bobs_tab] {
        assert_eq!(until(socket, "last").await, Vec::<Value>::new(), "each is told once");
    }
}

#[tokio::test]
async fn a_session_that_changes_or_ends_tells_its_sockets_on_every_host_once() {
    let cluster = Cluster::of(board().set("socket.location_provider_enabled=true")).await;
    let (mut anns, mut here) = signed_in(&cluster.a, "Ann").await;
    let mut there = another(&cluster.b, &anns).await;
    there.rooms().await;
    let mut count = 0;
    let mut told = async |here: &mut Socket, there: &mut Socket| {
        count += 1;
        let session = session_of(&here.next("updateSession").await);
        assert_eq!(session_of(&there.next("updateSession").await), session, "change {count}");
        session
    };
    join(&mut here, ROOM).await;
    assert_eq!(told(&mut here, &mut there).await["roomCodes"], json!([ROOM]));
    join(&mut there, "board-2").await;
    assert_eq!(told(&mut here, &mut there).await["roomCodes"], json!([ROOM, "board-2"]));
    let location = json!({ "pathName": "/board", "searchParams": {} });
    there.emit("updateLocation", &location).await;
    assert_eq!(told(&mut here, &mut there).await["location"], location);
    for socket in [&mut here, &mut there] {
        // A frame of each host behind all that it said before.
        join(socket, ROOM).await;
    }
    told(&mut here, &mut there).await;
    told(&mut here, &mut there).await;
    pin(&mut here, "by a").await;
    pin(&mut there, "by b").await;
    for socket in [&mut here, &mut there] {
        assert_eq!(until_all(socket, ["by a", "by b"]).await, Vec::<Value>::new());
        let rest = socket.rest().await;
        assert!(rest.iter().all(|event| event.name != "updateSession"), "{rest:?}");
    }

    // Ended by a login at the other host.
    let id = anns.session().await["id"].clone();
    let mut elsewhere = Visitor::of(&cluster.b);
    elsewhere.log_in(&Account::of("Ann")).await;
    for socket in [&mut here, &mut there] {
        let replaced = session_of(&socket.next("sessionReplaced").await);
        assert_eq!(replaced, json!({ "reason": "session-replaced", "userId": id }));
        assert_eq!(socket.next("logout").await, "success");
        assert_eq!(socket.api(MINE, json!({})).await["errorCode"], "auth.required");
        let rest = socket.rest().await;
        assert!(rest.iter().all(|event| !["sessionReplaced", "logout"].contains(&&*event.name)), "{rest:?}");
    }

    // Logged out at one host.
    let mut here = another(&cluster.a, &elsewhere).await;
    let mut there = another(&cluster.b, &elsewhere).await;
    here.rooms().await;
    there.rooms().await;
    assert_eq!(elsewhere.log_out().await.status, 200);
    for socket in [&mut here, &mut there] {
        assert_eq!(socket.next("logout").await, "success");
        assert_error(&socket.request("joinRoom", json!({ "group": "x" })).await, 400, "session.notFound");
        assert_eq!(socket.rest().await, [], "without another word");
    }
}

#[tokio::test]
async fn a_node_server_is_one_of_the_cluster() {
    let mut cluster = Cluster::start().await;
    let mut node = Node::start(&cluster.redis.url()).await;
    cluster.complete(3).await;
    let (anns, mut ann) = member(&cluster.a, "Ann").await;
    let (_bob, mut bob) = member(&cluster.b, "Bob").await;
    // Cas is signed in, and his page is at the Node server.
    let mut cas = Visitor::of(&cluster.a);
    cas.register(&Account::of("Cas")).await;
    let token = cas.token().unwrap().to_owned();
    let page = node.connect(&format!("x=1; token={token}"), &[ROOM, &token]).await;

    // From a host to all, without and with a client half.
    pin(&mut ann, "1").await;
    assert_eq!(node.next("sync").await, pinned("1"));
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (pinned("1"), pinned("1")));
    ann.sync(CARD, ROOM, json!({ "card": "c", "to": 1, "owner": token })).await;
    assert_eq!(node.next("sync").await["clientOutput"], json!({ "status": "success", "mine": true }));
    assert_eq!(ann.next("sync").await["clientOutput"]["mine"], false);
    assert_eq!(bob.next("sync").await["clientOutput"]["mine"], false);
    bob.sync(RENDER, "nobody's", json!({ "steps": 1, "aside": [token] })).await;
    assert_eq!(node.next("sync").await["aside"], 10);
    // Cas calls by HTTP, and does not hear of it himself.
    let body = json!({ "data": { "card": "2" }, "receiver": ROOM, "ignoreSelf": true });
    assert_eq!(cas.post(&format!("/{PIN}"), &body).await.status, 200);
    assert_eq!(ann.next("sync").await["serverOutput"]["pinned"], "2");
    assert_eq!(bob.next("sync").await["serverOutput"]["pinned"], "2");

    // From Node to all, once.
    node.emit(ROOM, "sync", &pinned("by node")).await;
    node.emit(ROOM, "sync", &pinned("last of node")).await;
    for socket in [&mut ann, &mut bob] {
        assert_eq!(until(socket, "last of node").await, [pinned("by node")]);
    }
    pin(&mut ann, "last of a").await;
    for socket in [&mut ann, &mut bob] {
        assert_eq!(until(socket, "last of a").await, Vec::<Value>::new());
    }
    let heard = node_until(&mut node, "last of a").await;
    assert_eq!(heard, [pinned("by node"), pinned("last of node")]);

    // What Node asks of everybody's sockets before a fanout of its own.
    let sockets = node.run("fetchSockets", json!({ "rooms": [ROOM] })).await;
    let sockets = sockets.as_array().unwrap();
    assert_eq!(sockets.len(), 3, "{sockets:?}");
    let of = |id: &str| sockets.iter().find(|socket| socket["id"] == id).unwrap();
    let own = of(ann.id());
    for handshake in [&own["handshake"], &of(bob.id())["handshake"], &of(&page)["handshake"]] {
        assert!(handshake["headers"].is_object() && handshake["auth"].is_object(), "{handshake}");
    }
    let anns_token = anns.token().unwrap();
    assert_eq!(own["cookie"], format!("token={anns_token}"));
    let rooms = own["rooms"].as_array().unwrap();
    for room in [ann.id(), anns_token, ROOM] {
        assert!(rooms.iter().any(|other| other == room), "{rooms:?} without {room}");
    }
    // What it sends to each of them.
    node.run("emitToEach", json!({ "rooms": [ROOM], "event": "sync" })).await;
    for socket in [&mut ann, &mut bob] {
        let own = socket.id().to_owned();
        assert_eq!(socket.next("sync").await, own);
    }
    assert_eq!(node.next("sync").await, page);

    // Without Redis and with it again.
    let mut stranger = Socket::anonymous(&cluster.b).await;
    cluster.redis.kill().await;
    for host in cluster.hosts() {
        host.wait_for_log("Redis is lost").await;
    }
    pin(&mut stranger, "alone").await;
    assert_eq!(bob.next("sync").await, pinned("alone"));
    cluster.redis.restart().await;
    cluster.complete(3).await;
    for host in cluster.hosts() {
        host.wait_for_log("Redis is back").await;
    }
    pin(&mut stranger, "together").await;
    for socket in [&mut ann, &mut bob] {
        assert_eq!(until(socket, "together").await, Vec::<Value>::new());
    }
    assert_eq!(node_until(&mut node, "together").await, Vec::<Value>::new());
    stranger.sync(BOTH, ROOM, json!({})).await;
    assert_eq!(node.next("sync").await["clientOutput"]["told"], true);
    for socket in [&mut ann, &mut bob] {
        assert_eq!(socket.next("sync").await["clientOutput"]["told"], true);
    }
    node.emit(ROOM, "sync", &pinned("end")).await;
    for socket in [&mut ann, &mut bob] {
        assert_eq!(until(socket, "end").await, Vec::<Value>::new());
    }
}

#[tokio::test]
async fn without_redis_each_host_goes_on_by_itself_and_all_is_well_when_it_is_back() {
    let mut cluster = Cluster::start().await;
    let (_ann, mut ann) = member(&cluster.a, "Ann").await;
    let (_bob, mut bob) = member(&cluster.b, "Bob").await;
    let mut here = Socket::anonymous(&cluster.a).await;
    let mut there = Socket::anonymous(&cluster.b).await;
    pin(&mut here, "before").await;
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (pinned("before"), pinned("before")));

    cluster.redis.kill().await;
    for host in cluster.hosts() {
        host.wait_for_log("Redis is lost").await;
    }
    until_refused(&mut ann).await;
    until_refused(&mut bob).await;
    let started = Instant::now();
    for (stranger, member) in [(&mut here, &mut ann), (&mut there, &mut bob)] {
        pin(stranger, "1").await;
        assert_eq!(member.next("sync").await, pinned("1"));
        // Recipients of other hosts cannot be asked for.
        assert_eq!(stranger.sync(BOTH, ROOM, json!({})).await["status"], "success");
        assert_eq!(member.next("sync").await["clientOutput"], json!({ "status": "success", "told": true }));
        assert_eq!(
            stranger.sync(PIN, "empty", json!({ "card": "" })).await["errorCode"],
            "sync.noReceiversFound"
        );
        assert_eq!(stranger.api("api/gate/getOpen/v1", json!({})).await["result"], "in");

        // Whoever has a session is taken neither for a stranger nor for who he was.
        let request = json!({ "group": "other" });
        for reply in [
            member.api(MINE, json!({})).await,
            member.api(OPEN, json!({})).await,
            member.sync(PIN, ROOM, json!({ "card": "2" })).await,
            member.request("joinRoom", request.clone()).await,
            member.request("leaveRoom", request.clone()).await,
        ] {
            assert_eq!(reply["errorCode"], "session.unavailable", "{reply}");
            assert_eq!(reply["httpStatus"], 503, "{reply}");
        }
        assert_eq!(member.rooms().await, json!([ROOM]), "it is where it was");
    }
    for host in cluster.hosts() {
        let ready = host.get("/readyz").await;
        assert_eq!((ready.status, &ready.json()["checks"]["redis"]), (503, &json!(false)));
        assert_eq!(host.get("/livez").await.status, 200);
        // New clients are let in.
        let mut new = Socket::anonymous(host).await;
        assert_eq!(new.api(OPEN, json!({})).await["result"], "in");
        new.leave().await;
    }
    assert!(started.elapsed() < CLUSTER_TIMEOUT / 4, "somebody waited for what is lost");
    // What was said to the other host meanwhile is lost to it: it is not delivered late either.
    cluster.redis.restart().await;
    for host in cluster.hosts() {
        host.wait_for_log("Redis is back").await;
        until_ready(host).await;
    }
    cluster.complete(2).await;
    for (stranger, card) in [(&mut here, "from a"), (&mut there, "from b")] {
        pin(stranger, card).await;
        assert_eq!(stranger.sync(BOTH, ROOM, json!({})).await["status"], "success");
        for socket in [&mut ann, &mut bob] {
            assert_eq!(until(socket, card).await, Vec::<Value>::new());
            assert_eq!(socket.next("sync").await["clientOutput"]["told"], true);
        }
    }
    // It came back empty: people sign in anew, and meet again.
    let mut anns = Visitor::of(&cluster.a);
    anns.log_in(&Account::of("Ann")).await;
    let mut bobs = Visitor::of(&cluster.b);
    bobs.log_in(&Account::of("Bob")).await;
    let mut ann = another(&cluster.a, &anns).await;
    let mut bob = another(&cluster.b, &bobs).await;
    for socket in [&mut ann, &mut bob] {
        join(socket, ROOM).await;
    }
    pin(&mut ann, "again").await;
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (pinned("again"), pinned("again")));
    for host in cluster.hosts() {
        for line in ["Redis is lost", "Redis is back"] {
            assert_eq!(host.log_lines(line).len(), 1, "{line}\n{}", host.log());
        }
    }
}

/// Who connects while sessions cannot be read is in his rooms when they can.
#[tokio::test]
async fn a_socket_that_came_without_redis_is_in_its_rooms_when_it_is_back() {
    let mut cluster = Cluster::start().await;
    let (visitor, mut ann) = member(&cluster.a, "Ann").await;
    // This server comes back with what it knew.
    assert_eq!(cluster.redis.command(&["SAVE"]).await, "+OK\r\n");
    cluster.redis.kill().await;
    for host in cluster.hosts() {
        host.wait_for_log("Redis is lost").await;
    }
    until_refused(&mut ann).await;
    let mut late = another(&cluster.b, &visitor).await;
    until_refused(&mut late).await;
    assert_eq!(late.rooms().await, json!([]));
    cluster.redis.restart().await;
    let started = Instant::now();
    while late.rooms().await != json!([ROOM]) {
        assert!(started.elapsed() < PATIENCE, "{}", cluster.b.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    cluster.complete(2).await;
    until_ready(&cluster.a).await;
    assert_eq!(late.api(MINE, json!({})).await["result"], "in");
    pin(&mut ann, "1").await;
    assert_eq!((ann.next("sync").await, late.next("sync").await), (pinned("1"), pinned("1")));
}

#[tokio::test]
async fn each_boot_is_named_where_routers_look() {
    let redis = RedisServer::start().await;
    let a = over(&redis, door()).env("LUCKYSTACK_ENV", "staging").start().await;
    let b = over(&redis, door()).beside(&a).start().await;
    for (host, environment) in [(&a, "staging"), (&b, "development")] {
        let health = host.get("/_health").await.json();
        assert_eq!(health["envKey"], environment);
        let uuid = health["bootUuid"].as_str().unwrap();
        let key = format!("luckystack:boot:{environment}");
        let started = Instant::now();
        while redis.command(&["GET", &key]).await != format!("${}\r\n{uuid}\r\n", uuid.len()) {
            assert!(started.elapsed() < PATIENCE, "{}", redis.command(&["GET", &key]).await);
        }
        let life: i64 = redis.command(&["TTL", &key]).await.trim().trim_start_matches(':').parse().unwrap();
        assert!((1..=3600).contains(&life), "{life}");
    }
}
