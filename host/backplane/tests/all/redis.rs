//! What Redis promises beside the list: what Node reads and writes, changes seen, losses survived.

use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use luckystack_backplane::{Backplane as _, BackplaneError, Changed, Redis};
use luckystack_tests::RedisServer;

use crate::relay::Relay;
use crate::{LONG, bytes, eventually, next};

async fn stand() -> (RedisServer, Redis) {
    let server = RedisServer::start().await;
    let redis = Redis::connect(&server.url()).await.unwrap();
    (server, redis)
}

fn key(key: &str) -> Changed {
    Changed::Key(key.to_owned())
}

/// Skips to a change.
async fn until(stream: &mut BoxStream<'static, Changed>, change: &Changed) {
    while next(stream).await != *change {}
}

#[tokio::test]
async fn keys_and_values_are_those_of_node() {
    let (server, redis) = stand().await;
    redis.set("app-session:t", bytes("{}"), Some(Duration::from_secs(60))).await.unwrap();
    assert_eq!(server.command(&["GET", "app-session:t"]).await, "$2\r\n{}\r\n");
    assert_eq!(server.command(&["TTL", "app-session:t"]).await, ":60\r\n");
    redis.add("app-activeUsers:u", "t", Duration::from_secs(60)).await.unwrap();
    assert_eq!(server.command(&["SMEMBERS", "app-activeUsers:u"]).await, "*1\r\n$1\r\nt\r\n");
    assert_eq!(server.command(&["TTL", "app-activeUsers:u"]).await, ":60\r\n");
    redis.count("app:rate-limit:k", Duration::from_secs(60)).await.unwrap();
    assert_eq!(server.command(&["INCR", "app:rate-limit:k"]).await, ":2\r\n");
    assert_eq!(redis.count("app:rate-limit:k", LONG).await.unwrap().count, 3);

    server.command(&["SET", "app-session:n", "{\"id\":\"1\"}", "EX", "60"]).await;
    let living = redis.get_living("app-session:n").await.unwrap().unwrap();
    assert_eq!(living.value, "{\"id\":\"1\"}");
    assert!(living.remaining.unwrap() <= Duration::from_secs(60));
    server.command(&["SADD", "app-activeUsers:n", "x"]).await;
    assert_eq!(redis.members("app-activeUsers:n").await.unwrap(), ["x"]);
}

#[tokio::test]
async fn a_counter_without_an_end_is_given_one() {
    let (server, redis) = stand().await;
    server.command(&["SET", "counter", "7"]).await;
    assert_eq!(redis.counted("counter").await.unwrap().unwrap().remaining, Duration::ZERO);
    let count = redis.count("counter", LONG).await.unwrap();
    assert_eq!((count.count, count.remaining), (8, LONG));
    assert_ne!(server.command(&["TTL", "counter"]).await, ":-1\r\n");
}

#[tokio::test]
async fn changes_by_anybody_are_seen() {
    let (server, redis) = stand().await;
    let mut changes = redis.watch("app-session:").await.unwrap();
    server.command(&["SET", "elsewhere:a", "x"]).await;
    for words in
        [&["SET", "app-session:a", "x"][..], &["EXPIRE", "app-session:a", "100"], &["DEL", "app-session:a"]]
    {
        server.command(words).await;
        assert_eq!(next(&mut changes).await, key("app-session:a"), "{words:?}");
    }
    redis.set("app-session:b", bytes("x"), None).await.unwrap();
    assert_eq!(next(&mut changes).await, key("app-session:b"));
    server.command(&["SET", "app-session:c", "x", "PX", "50"]).await;
    // The first is its beginning, the second its end.
    assert_eq!(next(&mut changes).await, key("app-session:c"));
    assert_eq!(next(&mut changes).await, key("app-session:c"));
    assert_eq!(redis.get("app-session:c").await.unwrap(), None);
    server.command(&["FLUSHALL"]).await;
    assert_eq!(next(&mut changes).await, Changed::Everything);
}

#[tokio::test]
async fn watches_of_overlapping_prefixes_all_see_their_changes() {
    let (server, redis) = stand().await;
    let mut narrow = redis.watch("app-session:").await.unwrap();
    let mut same = redis.watch("app-session:").await.unwrap();
    let mut narrower = redis.watch("app-session:a").await.unwrap();
    let mut other = redis.watch("b").await.unwrap();
    // The server has to be asked anew: changes in between would be missed.
    let mut wide = redis.watch("app").await.unwrap();
    for stream in [&mut narrow, &mut same, &mut narrower, &mut other] {
        assert_eq!(next(stream).await, Changed::Everything);
    }
    let mut all = redis.watch("").await.unwrap();
    server.command(&["SET", "app-session:a1", "x"]).await;
    for stream in [&mut narrow, &mut same, &mut narrower, &mut wide, &mut all] {
        until(stream, &key("app-session:a1")).await;
    }
    server.command(&["SET", "b", "x"]).await;
    until(&mut other, &key("b")).await;
    assert_eq!(next(&mut all).await, key("b"));
    server.command(&["SET", "app-x", "x"]).await;
    assert_eq!(next(&mut wide).await, key("app-x"));
    server.command(&["SET", "app-session:b", "x"]).await;
    assert_eq!(next(&mut narrow).await, key("app-session:b"));
    assert_eq!(next(&mut wide).await, key("app-session:b"));
}

#[tokio::test]
async fn a_watcher_who_falls_behind_is_told_that_everything_may_have_changed() {
    let (server, redis) = stand().await;
    let mut slow = redis.watch("k").await.unwrap();
    let mut quick = redis.watch("k").await.unwrap();
    let reading = tokio::spawn(async move { until(&mut quick, &key("k-last")).await });
    for n in 0..10_000 {
        redis.set(&format!("k{n}"), bytes("x"), None).await.unwrap();
    }
    server.command(&["SET", "k-last", "x"]).await;
    reading.await.unwrap();
    assert_eq!(next(&mut slow).await, Changed::Everything);
    until(&mut slow, &key("k-last")).await;
}

#[tokio::test]
async fn a_server_that_dies_and_comes_back_is_survived() {
    let (mut server, redis) = stand().await;
    let mut changes = redis.watch("app-").await.unwrap();
    let mut messages = redis.subscribe("channel").await.unwrap();
    redis.count("app-counter", LONG).await.unwrap();
    server.kill().await;
    until(&mut changes, &Changed::Everything).await;
    eventually("it is known to be down", || async { !redis.is_up() }).await;
    let begun = Instant::now();
    assert!(matches!(redis.get("app-a").await, Err(BackplaneError::Unavailable { .. })));
    assert!(matches!(redis.count("app-counter", LONG).await, Err(BackplaneError::Unavailable { .. })));
    assert!(matches!(redis.publish("channel", bytes("x")).await, Err(BackplaneError::Unavailable { .. })));
    assert!(redis.watch("other").await.is_err());
    assert!(redis.subscribe("other").await.is_err());
    assert!(begun.elapsed() < Duration::from_secs(2), "what is known to be down was waited for");

    server.restart().await;
    eventually("it is back", || async { redis.is_up() }).await;
    // The scripts are unknown to the new server.
    assert_eq!(redis.count("app-counter", LONG).await.unwrap().count, 1);
    until(&mut changes, &Changed::Everything).await;
    server.command(&["SET", "app-b", "x"]).await;
    until(&mut changes, &key("app-b")).await;
    server.command(&["PUBLISH", "channel", "again"]).await;
    assert_eq!(next(&mut messages).await, "again");
}

#[tokio::test]
async fn a_lost_connection_of_changes_is_told_when_it_goes_and_when_it_is_back() {
    let (server, redis) = stand().await;
    let mut changes = redis.watch("app-").await.unwrap();
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    assert_eq!(next(&mut changes).await, Changed::Everything);
    assert_eq!(next(&mut changes).await, Changed::Everything);
    eventually("it is back", || async { redis.is_up() }).await;
    server.command(&["SET", "app-a", "x"]).await;
    until(&mut changes, &key("app-a")).await;
}

#[tokio::test]
async fn a_server_that_vanishes_without_a_word_is_noticed() {
    let server = RedisServer::start().await;
    let relay = Relay::to(server.port()).await;
    let redis = Redis::connect(&relay.url()).await.unwrap();
    let mut changes = redis.watch("app-").await.unwrap();
    let mut messages = redis.subscribe("channel").await.unwrap();
    relay.set_silent(true);
    assert!(matches!(redis.get("app-a").await, Err(BackplaneError::Unavailable { .. })));
    assert_eq!(next(&mut changes).await, Changed::Everything);
    eventually("it is known to be down", || async { !redis.is_up() }).await;
    server.command(&["SET", "app-missed", "x"]).await;
    relay.set_silent(false);
    eventually("it is back", || async { redis.is_up() }).await;
    until(&mut changes, &Changed::Everything).await;
    server.command(&["SET", "app-b", "x"]).await;
    until(&mut changes, &key("app-b")).await;
    server.command(&["PUBLISH", "channel", "again"]).await;
    assert_eq!(next(&mut messages).await, "again");
}

#[tokio::test]
async fn what_nobody_listens_to_any_more_is_not_asked_for() {
    let (server, redis) = stand().await;
    let (messages, changes) = (redis.subscribe("channel").await.unwrap(), redis.watch("app-").await.unwrap());
    assert_eq!(server.command(&["PUBSUB", "NUMSUB", "channel"]).await, "*2\r\n$7\r\nchannel\r\n:1\r\n");
    assert!(server.command(&["INFO", "clients"]).await.contains("tracking_clients:1"));
    drop((messages, changes));
    eventually("the server forgets them", || async {
        server.command(&["PUBSUB", "NUMSUB", "channel"]).await.ends_with(":0\r\n")
            && server.command(&["INFO", "clients"]).await.contains("tracking_clients:0")
    })
    .await;
    let mut messages = redis.subscribe("channel").await.unwrap();
    server.command(&["PUBLISH", "channel", "x"]).await;
    assert_eq!(next(&mut messages).await, "x");
    let mut changes = redis.watch("app-").await.unwrap();
    server.command(&["SET", "app-a", "x"]).await;
    assert_eq!(next(&mut changes).await, key("app-a"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let mut server = RedisServer::start().await;
    server.kill().await;
    let url = format!("redis://somebody:hunter2@127.0.0.1:{}/0", server.port());
    let error = Redis::connect(&url).await.unwrap_err();
    assert!(matches!(error, BackplaneError::Unavailable { .. }));
    let text = error.to_string();
    assert!(text.contains(&format!("127.0.0.1:{}", server.port())), "{text}");
    assert!(text.contains("start the server"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_repeated() {
    let server = RedisServer::start().await;
    server.command(&["CONFIG", "SET", "requirepass", "correct"]).await;
    for login in ["", ":hunter2@", "nobody:hunter2@"] {
        let url = format!("redis://{login}127.0.0.1:{}", server.port());
        let error = Redis::connect(&url).await.unwrap_err();
        assert!(matches!(error, BackplaneError::Refused { .. }), "{error}");
        let text = format!("{error} {error:?}");
        assert!(text.contains(&format!("127.0.0.1:{}", server.port())), "{text}");
        assert!(text.contains("password"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    let redis = Redis::connect(&format!("redis://:correct@127.0.0.1:{}", server.port())).await.unwrap();
    assert!(redis.is_up());
    assert!(!format!("{redis:?}").contains("correct"));
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_without_repeating_it() {
    let error = Redis::connect("http://user:hunter2@host").await.unwrap_err();
    assert!(matches!(error, BackplaneError::Refused { .. }));
    assert!(error.to_string().contains("redis://"), "{error}");
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[tokio::test]
async fn after_its_end_nothing_is_answered() {
    let (_server, redis) = stand().await;
    let mut changes = redis.watch("app-").await.unwrap();
    redis.close().await;
    assert!(matches!(redis.get("a").await, Err(BackplaneError::Unavailable { .. })));
    assert!(!redis.is_up());
    assert_eq!(changes.next().await, None);
}
