//! Two hosts, and the framework's own tools, on one real Redis.

use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::{Redis, SharedBackplane};
use luckystack_sessions::{EndReason, Sessions};
use luckystack_tests::RedisServer;
use luckystack_topology::SessionConfig;
use serde_json::{Value, json};

use crate::*;

/// What is promised of other hosts.
const PROMPT: Duration = Duration::from_millis(100);
const WEEK: &str = "604800";

async fn host(server: &RedisServer, config: &SessionConfig) -> Sessions {
    let backplane: SharedBackplane = Arc::new(Redis::connect(&server.url()).await.unwrap());
    open(&backplane, config).await
}

async fn cached(sessions: &Sessions, token: &str) {
    until("it is cached", async || live(sessions, token).await.is_some() && sessions.cached(token).is_some())
        .await;
}

/// The text of a reply.
fn bulk(reply: &str) -> &str {
    reply.split_once("\r\n").unwrap().1.trim_end_matches("\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_session_is_refused_at_once_here_and_promptly_elsewhere() {
    let server = RedisServer::start().await;
    let (here, there) = (host(&server, &unlimited()).await, host(&server, &unlimited()).await);
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let token = here.create(user("u1"), None).await.unwrap().token.clone();
        cached(&here, &token).await;
        cached(&there, &token).await;
        assert!(here.end(&token, EndReason::Revoked).await.unwrap());
        let revoked = Instant::now();
        assert!(here.cached(&token).is_none());
        assert!(live(&here, &token).await.is_none());
        until("the other host refuses it", async || {
            there.cached(&token).is_none() && live(&there, &token).await.is_none()
        })
        .await;
        slowest = slowest.max(revoked.elapsed());
    }
    assert!(slowest <= PROMPT, "the other host refused it after {slowest:?} only");
}

#[tokio::test]
async fn a_session_that_tools_write_is_live_and_one_that_they_delete_is_not() {
    let server = RedisServer::start().await;
    let hosts = [host(&server, &unlimited()).await, host(&server, &unlimited()).await];
    let (token, id) = ("test-1700000000000-0123456789abcdef0123456789abcdef", "u1");
    for sessions in &hosts {
        assert!(live(sessions, token).await.is_none());
    }
    let value = r#"{"id":"u1","email":"u1@example.com","name":"U","provider":"credentials","csrfToken":"c"}"#;
    server.command(&["SET", &session_key(token), value, "EX", WEEK]).await;
    server.command(&["SADD", &user_key(id), token]).await;
    server.command(&["EXPIRE", &user_key(id), WEEK]).await;
    for sessions in &hosts {
        until("the session is live", async || live(sessions, token).await.is_some()).await;
        let session = live(sessions, token).await.unwrap();
        assert_eq!(session.csrf_token.as_deref(), Some("c"));
        assert_eq!(sessions.of_user(id).await.unwrap(), [token]);
        cached(sessions, token).await;
    }
    server.command(&["DEL", &session_key(token)]).await;
    for sessions in &hosts {
        until("the session is refused", async || live(sessions, token).await.is_none()).await;
    }
}

#[tokio::test]
async fn keys_and_values_are_those_that_other_servers_read() {
    let server = RedisServer::start().await;
    let sessions = host(&server, &unlimited()).await;
    let session = sessions.create(user("u1"), None).await.unwrap();
    let token = session.token.as_str();
    let shape = |csrf: &str| {
        json!({
            "id": "u1", "email": "u1@example.com", "name": "u1", "provider": "credentials",
            "csrfToken": csrf
        })
    };
    let csrf = session.csrf_token.clone().unwrap();
    let stored = async || {
        let reply = server.command(&["GET", &session_key(token)]).await;
        serde_json::from_str::<Value>(bulk(&reply)).unwrap()
    };
    assert_eq!(stored().await, shape(&csrf));
    assert_eq!(server.command(&["SMEMBERS", &user_key("u1")]).await, format!("*1\r\n$64\r\n{token}\r\n"));
    for key in [session_key(token), user_key("u1")] {
        let ttl: u64 = server.command(&["TTL", &key]).await.trim_start_matches(':').trim().parse().unwrap();
        assert!((604_700..=604_800).contains(&ttl), "{key}: {ttl}");
    }
    sessions.update(token, &mut |fields| drop(fields.insert("admin".into(), true.into()))).await.unwrap();
    let mut changed = shape(&csrf);
    changed["admin"] = true.into();
    assert_eq!(stored().await, changed);
    assert_eq!(server.command(&["DBSIZE"]).await, ":2\r\n");

    // A read makes both lives longer.
    for key in [session_key(token), user_key("u1")] {
        server.command(&["EXPIRE", &key, "1000"]).await;
    }
    until("the change of its life is seen", async || sessions.cached(token).is_none()).await;
    live(&sessions, token).await.unwrap();
    for key in [session_key(token), user_key("u1")] {
        let ttl: u64 = server.command(&["TTL", &key]).await.trim_start_matches(':').trim().parse().unwrap();
        assert!(ttl > 604_700, "{key}: {ttl}");
    }

    sessions.end(token, EndReason::Logout).await.unwrap();
    assert_eq!(server.command(&["DBSIZE"]).await, ":0\r\n");
}

#[tokio::test]
async fn reads_cost_no_round_trip_in_the_common_case() {
    let server = RedisServer::start().await;
    let sessions = host(&server, &unlimited()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    // Everything that anybody asks for, but what this test asks and what looks after connections.
    let asked = async || {
        let stats = server.command(&["INFO", "commandstats"]).await;
        let calls = stats
            .lines()
            .filter_map(|line| line.strip_prefix("cmdstat_"))
            .filter(|line| !["info", "ping", "client", "hello"].iter().any(|own| line.starts_with(own)));
        let calls = calls.map(|line| {
            let calls = line.split_once("calls=").unwrap().1.split(',').next().unwrap();
            calls.parse::<u64>().unwrap()
        });
        calls.sum::<u64>()
    };
    cached(&sessions, &token).await;
    // The notice of the login's own write may still be under way: it is when nothing has come for a while.
    until("the session stays cached", async || {
        cached(&sessions, &token).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        sessions.cached(&token).is_some()
    })
    .await;
    let before = asked().await;
    assert!(before > 0);
    for _ in 0..1000 {
        assert!(live(&sessions, &token).await.is_some());
    }
    assert_eq!(asked().await - before, 0);
}

#[tokio::test]
async fn sockets_of_every_host_are_told_exactly_once() {
    let server = RedisServer::start().await;
    let hosts = [host(&server, &unlimited()).await, host(&server, &unlimited()).await];
    let mut events = [hosts[0].events(), hosts[1].events()];
    let token = hosts[0].create(user("u1"), None).await.unwrap().token.clone();
    let last = hosts[0].create(user("u1"), None).await.unwrap().token.clone();
    let session = hosts[0]
        .update(&token, &mut |fields| drop(fields.insert("name".into(), "new".into())))
        .await
        .unwrap()
        .unwrap();
    let mut shown: Value = serde_json::from_slice(&session.user).unwrap();
    shown["avatar"] = "".into();
    assert!(hosts[0].end(&token, EndReason::Revoked).await.unwrap());
    // The other host's word ends the story: messages of one come in order.
    assert!(hosts[0].end(&last, EndReason::Logout).await.unwrap());
    for events in &mut events {
        assert!(updated(&token, shown.clone())(&next(events).await));
        assert!(next(events).await == replaced(&token, "u1"));
        assert!(next(events).await == logged_out(&token));
        assert!(next(events).await == logged_out(&last));
        assert!(waiting(events).is_empty());
    }
}

#[tokio::test]
async fn a_login_ends_sessions_of_other_hosts_and_tells_their_sockets() {
    let server = RedisServer::start().await;
    let config = SessionConfig::default();
    let (here, there) = (host(&server, &config).await, host(&server, &config).await);
    let old = there.create(user("u1"), None).await.unwrap().token.clone();
    cached(&there, &old).await;
    let mut events = there.events();
    let new = here.create(user("u1"), None).await.unwrap().token.clone();
    assert!(next(&mut events).await == replaced(&old, "u1"));
    assert!(next(&mut events).await == logged_out(&old));
    until("the old session is refused", async || live(&there, &old).await.is_none()).await;
    assert!(live(&there, &new).await.is_some());
    assert_eq!(there.of_user("u1").await.unwrap(), [new]);
}

#[tokio::test]
async fn without_redis_nobody_is_let_in_and_afterwards_everybody_as_before() {
    let mut server = RedisServer::start().await;
    let sessions = host(&server, &unlimited()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    cached(&sessions, &token).await;
    server.kill().await;
    until("nothing is served", async || sessions.cached(&token).is_none()).await;
    assert!(sessions.read(&token, IP).await.is_err());
    assert!(sessions.peek(&token).await.is_err());
    assert!(sessions.update(&token, &mut |_| {}).await.is_err());
    assert!(sessions.end(&token, EndReason::Logout).await.is_err());
    assert!(sessions.create(user("u1"), None).await.is_err());
    assert!(sessions.cached(&token).is_none());

    server.restart().await;
    // This server forgot everything with its end.
    until("the store answers", async || sessions.read(&token, IP).await.is_ok()).await;
    assert!(live(&sessions, &token).await.is_none());
    let mut events = sessions.events();
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    cached(&sessions, &token).await;
    // Changes are told of again.
    server.command(&["DEL", &session_key(&token)]).await;
    until("the end is seen", async || live(&sessions, &token).await.is_none()).await;
    assert!(waiting(&mut events).is_empty());
}

#[tokio::test]
async fn a_flush_of_the_store_ends_everything() {
    let server = RedisServer::start().await;
    let sessions = host(&server, &unlimited()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    cached(&sessions, &token).await;
    server.command(&["FLUSHALL"]).await;
    until("the session is refused", async || live(&sessions, &token).await.is_none()).await;
}
