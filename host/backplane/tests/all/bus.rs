//! What the bus between hosts promises: order, no waiting, and that it survives the loss of the server.

use std::time::{Duration, Instant};

use bytes::Bytes;
use luckystack_backplane::{Backplane as _, BackplaneError, Redis, RedisBus};
use luckystack_tests::RedisServer;

use crate::relay::Relay;
use crate::{bytes, eventually, next};

async fn stand() -> (RedisServer, RedisBus) {
    let server = RedisServer::start().await;
    let bus = Redis::connect(&server.url()).await.unwrap().bus().await.unwrap();
    (server, bus)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn told(channel: &str, message: &'static str) -> (String, Bytes) {
    (channel.to_owned(), bytes(message))
}

#[tokio::test]
async fn messages_of_channels_and_patterns_come_in_the_order_they_were_sent() {
    let (server, bus) = stand().await;
    let mut messages = bus.subscribe(names(&["request", "response"]), names(&["room#*"])).await.unwrap();
    for n in 0..10_000_u32 {
        let channel = ["request", "response", "room#", "room#a#"][n as usize % 4];
        assert!(bus.publish(channel, n.to_be_bytes().to_vec().into()));
    }
    for n in 0..10_000_u32 {
        let channel = ["request", "response", "room#", "room#a#"][n as usize % 4];
        assert_eq!(next(&mut messages).await, (channel.to_owned(), n.to_be_bytes().to_vec().into()));
    }
    server.command(&["PUBLISH", "elsewhere", "x"]).await;
    server.command(&["PUBLISH", "room#b#", "from another program"]).await;
    assert_eq!(next(&mut messages).await, told("room#b#", "from another program"));
}

#[tokio::test]
async fn only_a_star_stands_for_something_else() {
    let (server, bus) = stand().await;
    let mut messages = bus.subscribe(Vec::new(), names(&[r"a?[b]\#*"])).await.unwrap();
    for channel in ["axb#", "ax[b]#1", "a?b#", r"a?[b]#1"] {
        assert_eq!(server.command(&["PUBLISH", channel, "x"]).await, ":0\r\n", "{channel}");
    }
    assert_eq!(server.command(&["PUBLISH", r"a?[b]\#1", "x"]).await, ":1\r\n");
    assert_eq!(next(&mut messages).await, told(r"a?[b]\#1", "x"));
}

#[tokio::test]
async fn subscribers_are_counted_by_connections() {
    let (server, bus) = stand().await;
    let other = Redis::connect(&server.url()).await.unwrap().bus().await.unwrap();
    assert_eq!(bus.subscribers("request").await.unwrap(), 0);
    let first = bus.subscribe(names(&["request"]), Vec::new()).await.unwrap();
    let second = bus.subscribe(names(&["request"]), Vec::new()).await.unwrap();
    assert_eq!(bus.subscribers("request").await.unwrap(), 1);
    let _third = other.subscribe(names(&["request"]), Vec::new()).await.unwrap();
    assert_eq!(bus.subscribers("request").await.unwrap(), 2);
    drop(first);
    drop(second);
    eventually("what nobody reads is not asked for", || async {
        bus.subscribers("request").await.unwrap() == 1
    })
    .await;
}

#[tokio::test]
async fn a_lost_server_keeps_nobody_waiting_and_subscriptions_are_restored() {
    let (mut server, bus) = stand().await;
    let mut messages = bus.subscribe(names(&["request"]), names(&["room#*"])).await.unwrap();
    server.kill().await;
    eventually("nothing is taken", || async { !bus.publish("request", bytes("lost")) }).await;
    assert!(!bus.is_up());
    let begun = Instant::now();
    assert!(!bus.publish("request", bytes("lost")));
    assert!(matches!(bus.subscribers("request").await, Err(BackplaneError::Unavailable { .. })));
    assert!(begun.elapsed() < Duration::from_secs(2), "what is known to be down was waited for");
    server.restart().await;
    eventually("it is back", || async { bus.is_up() }).await;
    assert!(bus.publish("request", bytes("again")));
    assert_eq!(next(&mut messages).await, told("request", "again"));
    assert!(bus.publish("room#a#", bytes("and again")));
    assert_eq!(next(&mut messages).await, told("room#a#", "and again"));
}

#[tokio::test]
async fn a_subscription_that_failed_is_not_restored_behind_anybodys_back() {
    let (mut server, bus) = stand().await;
    server.kill().await;
    eventually("it is known to be down", || async { !bus.is_up() }).await;
    assert!(bus.subscribe(names(&["request"]), Vec::new()).await.is_err());
    server.restart().await;
    eventually("it is back", || async { bus.is_up() }).await;
    eventually("nobody is subscribed", || async { bus.subscribers("request").await.unwrap() == 0 }).await;
}

#[tokio::test]
async fn a_server_that_takes_nothing_costs_a_bounded_queue_and_no_time() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port()).await;
    let bus = Redis::connect(&relay.url()).await.unwrap().bus().await.unwrap();
    let mut messages = bus.subscribe(names(&["room"]), Vec::new()).await.unwrap();
    relay.set_silent(true);
    let begun = Instant::now();
    let large = Bytes::from(vec![0; 1 << 20]);
    let taken = (0..1000).filter(|_| bus.publish("room", large.clone())).count();
    assert!(taken < 200, "{taken} MiB were taken");
    assert!(begun.elapsed() < Duration::from_secs(2), "somebody waited");
    eventually("it is known to be down", || async { !bus.is_up() }).await;
    relay.set_silent(false);
    eventually("it is back", || async { bus.is_up() }).await;
    eventually("it is taken again", || async { bus.publish("room", bytes("again")) }).await;
    while next(&mut messages).await.1 != "again" {}
}

#[tokio::test]
async fn a_bus_outlives_the_store_it_came_from_and_ends_with_its_own_end() {
    let server = RedisServer::start().await;
    let redis = Redis::connect(&server.url()).await.unwrap();
    let bus = redis.bus().await.unwrap();
    let mut messages = bus.subscribe(names(&["room"]), Vec::new()).await.unwrap();
    redis.close().await;
    drop(redis);
    assert!(bus.publish("room", bytes("x")));
    assert_eq!(next(&mut messages).await, told("room", "x"));
    bus.close();
    assert!(!bus.publish("room", bytes("x")));
    assert!(futures::StreamExt::next(&mut messages).await.is_none());
}
