//! What becomes of the cluster when its Redis server is lost, and when somebody talks nonsense.

use std::time::{Duration, Instant};

use luckystack_backplane::Redis;
use luckystack_socketio::{ClusterError, Target};
use serde_json::{Value, json};

use crate::world::{EVERYBODY, From, World};
use crate::{eventually, soon};

#[tokio::test]
async fn a_lost_redis_server_stops_nobody_and_all_is_well_when_it_is_back() {
    for library in ["redis", "ioredis"] {
        let mut world = World::start(library).await;
        let mut clients = Vec::new();
        for (n, of) in EVERYBODY.into_iter().enumerate() {
            clients.push(world.client(&n.to_string(), of, "websocket").await);
        }
        world.redis.kill().await;
        let io = &world.ours[0].io;
        eventually("the loss is known", || async { io.fetch_elsewhere(Target::ALL).await.is_err() }).await;
        let begun = Instant::now();
        for n in 0..1000 {
            assert_eq!(io.emit(None, Target::ALL, "told", json!(n).to_string().as_bytes()), 1);
        }
        let error = io.fetch_elsewhere(Target::ALL).await.unwrap_err();
        assert!(matches!(error, ClusterError::Bus(_)), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(10), "somebody waited for what is lost");
        for n in 0..1000 {
            assert_eq!(clients[0].hears().await, ("told".to_owned(), vec![json!(n)]));
        }

        world.redis.restart().await;
        world.complete().await;
        eventually("it is known to be back", || async {
            world.ours[0].io.fetch_elsewhere(Target::ALL).await.is_ok()
        })
        .await;
        eventually("so it is by the other", || async {
            world.ours[1].io.fetch_elsewhere(Target::ALL).await.is_ok()
        })
        .await;
        for from in EVERYBODY {
            world.emit(from, &[], &[], "again", json!(format!("{from:?}"))).await;
            for client in &mut clients {
                // What was said to the others meanwhile is lost to them.
                assert_eq!(client.hears().await, ("again".to_owned(), vec![json!(format!("{from:?}"))]));
            }
        }
        let sockets = world.node.run("fetchSockets", json!({})).await;
        assert_eq!(sockets.as_array().unwrap().len(), 3);
        assert_eq!(world.ours[0].io.fetch_elsewhere(Target::ALL).await.unwrap().len(), 2);
    }
}

#[tokio::test]
async fn nonsense_on_the_channels_harms_nobody() {
    let world = World::start("redis").await;
    let mut client = world.client("a", From::Ours(0), "websocket").await;
    let bus = Redis::connect(&world.redis.url()).await.unwrap().bus().await.unwrap();
    let mut nonsense: Vec<Vec<u8>> = [
        "", "{", "{}", "[]", "null", "7", "{\"type\":5}", "{\"type\":99}", "{\"type\":\"5\"}", "{\"type\":-1}",
        "{\"type\":2,\"opts\":{\"rooms\":7}}", "{\"type\":4,\"close\":\"x\"}", "{\"type\":7,\"packet\":{\"type\":2}}",
        "{\"type\":7,\"requestId\":\"x\",\"packet\":{\"type\":2,\"data\":{}}}",
        "{\"type\":7,\"opts\":{\"flags\":{\"timeout\":-1}},\"requestId\":\"x\",\"packet\":{\"type\":2,\"data\":[7]}}",
        "{\"requestId\":\"x\",\"sockets\":{}}", "\u{1}\u{2}\u{3}",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into();
    nonsense.extend([
        vec![0xc1],
        vec![0x93, 0xa1, b'x', 0x80],
        vec![0x93, 0xa1, b'x', 0x80, 0x80],
        vec![0x93, 0xa1, b'x', 0xc0, 0xc0],
        vec![0xdd, 0xff, 0xff, 0xff, 0xff],
        vec![0xdf, 0xff, 0xff, 0xff, 0xff, 0xc0],
        vec![0x91; 100_000],
        vec![0xff; 1 << 20],
        // An event without a name.
        [&b"\x93\xa1x\x83\xa4type\x02\xa4data\x91\x07\xa3nsp\xa1/\x80"[..]].concat(),
        // A packet that is no event.
        [&b"\x93\xa1x\x83\xa4type\x01\xa4data\x91\xa1x\xa3nsp\xa1/\x80"[..]].concat(),
        // Of another namespace.
        [&b"\x93\xa1x\x83\xa4type\x02\xa4data\x91\xa1x\xa3nsp\xa2/x\x80"[..]].concat(),
    ]);
    // Not at the Node server, which would end: it is asked later whether ours still answer.
    let patient = &world.ours;
    for message in &nonsense {
        for channel in ["socket.io#/#not-node#", "socket.io-response#/#", "socket.io-request#/#"] {
            if channel == "socket.io-request#/#" && would_end_node(message) {
                continue;
            }
            assert!(bus.publish(channel, message.clone().into()));
        }
    }
    world.node.join(&client, &["not-node"]).await;
    for message in &nonsense {
        assert!(bus.publish("socket.io#/#not-node#", message.clone().into()));
    }
    soon("the others still answer", async {
        patient[1].io.emit(None, Target::ALL, "still", b"1");
    })
    .await;
    assert_eq!(client.hears().await, ("still".to_owned(), vec![json!(1)]));
    assert_eq!(world.ours[1].io.fetch_elsewhere(Target::ALL).await.unwrap().len(), 1);
    world.emit(From::Node, &["not-node"], &[], "still", Value::Null).await;
    assert_eq!(client.hears().await, ("still".to_owned(), vec![Value::Null]));
}

/// Requests that npm's adapter stumbles over.
fn would_end_node(message: &[u8]) -> bool {
    let text = String::from_utf8_lossy(message);
    ["\"type\":5", "\"type\":7", "\"type\":2", "\"type\":4", "null"].iter().any(|part| text.contains(part))
}
