//! What is sent to rooms reaches those it is meant for on all servers, once, in order, and nobody else.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::peer::Client;
use crate::world::{EVERYBODY, From, World};

/// A client and the rooms it is in, but for its own.
struct Member {
    name: &'static str,
    of: From,
    rooms: &'static [&'static str],
    transport: &'static str,
}

const MEMBERS: [Member; 8] = [
    Member { name: "a", of: From::Ours(0), rooms: &["r1"], transport: "websocket" },
    Member { name: "b", of: From::Ours(0), rooms: &["r1", "r2"], transport: "polling" },
    Member { name: "c", of: From::Ours(1), rooms: &["r1"], transport: "polling" },
    Member { name: "d", of: From::Ours(1), rooms: &["r2"], transport: "websocket" },
    Member { name: "e", of: From::Ours(1), rooms: &[], transport: "websocket" },
    Member { name: "f", of: From::Node, rooms: &["r1", "r2"], transport: "websocket" },
    Member { name: "g", of: From::Node, rooms: &["r2", "7"], transport: "polling" },
    Member { name: "h", of: From::Ours(0), rooms: &["7", "*é[#?]\\"], transport: "websocket" },
];

async fn clients(world: &World) -> Vec<Client> {
    let mut clients = Vec::new();
    for member in &MEMBERS {
        let client = world.client(member.name, member.of, member.transport).await;
        world.node.join(&client, member.rooms).await;
        clients.push(client);
    }
    clients
}

async fn everybody_gets_theirs(library: &str) {
    let world = World::start(library).await;
    let mut clients = clients(&world).await;
    let ids: HashMap<&str, String> =
        MEMBERS.iter().zip(&clients).map(|(member, client)| (member.name, client.id.clone())).collect();
    let id = |name: &str| &*ids[name];
    let targets: Vec<(Vec<&str>, Vec<&str>)> = vec![
        (vec![], vec![]),
        (vec!["r1"], vec![]),
        (vec!["r2"], vec![]),
        (vec!["r1", "r2"], vec![]),
        (vec!["r1", "r1"], vec![]),
        (vec!["r1"], vec!["r2"]),
        (vec![], vec!["r1"]),
        (vec![], vec!["r1", "r2", "7"]),
        (vec!["nobody is in it"], vec![]),
        (vec!["nobody is in it", "r2"], vec!["neither in this"]),
        (vec![id("a")], vec![]),
        (vec![id("d")], vec![]),
        (vec![id("f")], vec![]),
        (vec![id("a"), id("c"), id("g")], vec![]),
        (vec!["r1", "r2"], vec![id("b"), id("d"), id("f")]),
        (vec!["7"], vec![]),
        (vec!["*é[#?]\\"], vec![]),
    ];
    for from in EVERYBODY {
        for (n, (rooms, except)) in targets.iter().enumerate() {
            world.emit(from, rooms, except, "told", json!(n)).await;
        }
        world.emit(from, &[], &[], "end", Value::Null).await;
        for (member, client) in MEMBERS.iter().zip(&mut clients) {
            let is_in = |room: &&str| member.rooms.contains(room) || *room == ids[member.name];
            let is_meant = |(rooms, except): &(Vec<&str>, Vec<&str>)| {
                (rooms.is_empty() || rooms.iter().any(is_in)) && !except.iter().any(is_in)
            };
            let meant = targets.iter().enumerate().filter(|(_, target)| is_meant(target));
            let meant: Vec<_> = meant.map(|(n, _)| ("told".to_owned(), vec![json!(n)])).collect();
            assert_eq!(client.hears_until("end").await, meant, "{} from {from:?}", member.name);
        }
    }
}

#[tokio::test]
async fn a_broadcast_reaches_those_it_is_meant_for_with_node_over_redis() {
    everybody_gets_theirs("redis").await;
}

#[tokio::test]
async fn a_broadcast_reaches_those_it_is_meant_for_with_node_over_ioredis() {
    everybody_gets_theirs("ioredis").await;
}

#[tokio::test]
async fn broadcasts_of_one_server_arrive_in_their_order_and_none_is_lost() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    for from in EVERYBODY {
        for n in 0..2000 {
            world.emit(from, if n % 2 == 0 { &["r1"] } else { &[] }, &[], "told", json!(n)).await;
        }
        world.emit(from, &[], &[], "end", Value::Null).await;
        for (member, client) in MEMBERS.iter().zip(&mut clients) {
            let in_r1 = member.rooms.contains(&"r1");
            let meant: Vec<_> = (0..2000)
                .filter(|n| in_r1 || n % 2 == 1)
                .map(|n| ("told".to_owned(), vec![json!(n)]))
                .collect();
            assert!(client.hears_until("end").await == meant, "{} from {from:?}", member.name);
        }
    }
}

#[tokio::test]
async fn whatever_json_can_say_arrives_as_it_was() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    let deep = (0..60).fold(json!("core"), |inner, n| json!({ "n": n, "inner": [inner] }));
    let long: Vec<Value> = (0..70_000).map(|n| json!(n)).collect();
    let wide: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("k{n}"), json!(n))).collect();
    for value in [
        json!(null),
        json!(true),
        json!([]),
        json!({}),
        json!({ "": "", "é€😀": "é€😀\u{0}\u{1f}\u{2028}\"\\/\n", "__proto__x": 1 }),
        // Whole numbers of more than 64 bits are changed by npm's encoder.
        json!([
            0,
            -0.5,
            1e-7,
            7.62939453125e-6,
            127,
            128,
            -32,
            -33,
            65536,
            -65537,
            4294967296_i64,
            -4294967297_i64
        ]),
        json!([9007199254740991_i64, -9007199254740991_i64]),
        deep,
        Value::from(long),
        Value::from(wide),
        json!("x".repeat(1 << 20)),
    ] {
        for from in EVERYBODY {
            world.emit(from, &["r1", "r2"], &[], "told", value.clone()).await;
            for (member, client) in MEMBERS.iter().zip(&mut clients) {
                if member.rooms.contains(&"r1") || member.rooms.contains(&"r2") {
                    let heard = client.hears().await;
                    assert!(heard == ("told".to_owned(), vec![value.clone()]), "{} {from:?}", member.name);
                }
            }
        }
    }
}

#[tokio::test]
async fn what_only_javascript_can_say_arrives_as_from_a_node_server() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    let args = json!([
        { "$binary": "00ff10" },
        { "when": { "$date": 1_795_289_116_123_i64 }, "long ago": { "$date": -1 }, "seconds": { "$date": 5000 } },
        [{ "$binary": "" }, { "a": { "$binary": "68690a" } }],
        "and text",
    ]);
    let same = json!([
        { "$binary": "00ff10" },
        { "when": "2026-11-21T19:25:16.123Z", "long ago": "1969-12-31T23:59:59.999Z", "seconds": "1970-01-01T00:00:05.000Z" },
        [{ "$binary": "" }, { "a": { "$binary": "68690a" } }],
        "and text",
    ]);
    let Value::Array(same) = same else { unreachable!() };
    for rooms in [json!([]), json!(["r1"]), json!(["r1", "r2"])] {
        world.node.run("emit", json!({ "rooms": rooms, "event": "told", "args": args })).await;
    }
    world.node.run("emit", json!({ "event": "no argument", "args": [] })).await;
    for (member, client) in MEMBERS.iter().zip(&mut clients) {
        let (r1, r2) = (member.rooms.contains(&"r1"), member.rooms.contains(&"r2"));
        for _ in 0..1 + usize::from(r1) + usize::from(r1 || r2) {
            assert_eq!(client.hears().await, ("told".to_owned(), same.clone()), "{}", member.name);
        }
        assert_eq!(client.hears().await, ("no argument".to_owned(), vec![]), "{}", member.name);
    }
}

#[tokio::test]
async fn what_a_host_sends_to_its_own_alone_stays_there() {
    let world = World::start("redis").await;
    let mut clients = clients(&world).await;
    let io = &world.ours[0].io;
    assert_eq!(io.emit_here(None, luckystack_socketio::Target::ALL, "here", b"1"), 3);
    world.emit(From::Ours(0), &[], &[], "end", Value::Null).await;
    for (member, client) in MEMBERS.iter().zip(&mut clients) {
        let heard = client.hears_until("end").await.len();
        assert_eq!(heard, usize::from(member.of == From::Ours(0)), "{}", member.name);
    }
}
