//! Several hosts over one Redis, Node tooling beside them, and Redis going away.

use std::time::{Duration, Instant};

use luckystack_tests::{Account, Act, Call, Forge, Host, Project, RedisServer, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{CHANGE, MINE, OPEN, assert_failure, door, is_secret, route};

/// How long a change may take to be seen everywhere before something is broken.
const PATIENCE: Duration = Duration::from_secs(10);

fn over(redis: &RedisServer) -> Project {
    door().set(&format!("backplane.url={}", redis.url()))
}

/// Two hosts of the same app.
async fn two() -> (RedisServer, Host, Host) {
    let redis = RedisServer::start().await;
    let a = over(&redis).start().await;
    let b = over(&redis).beside(&a).start().await;
    (redis, a, b)
}

/// How long it takes until a visitor's call is answered with this status.
async fn until_status(visitor: &mut Visitor, status: u16) -> Duration {
    let started = Instant::now();
    loop {
        let answer = visitor.send(Call::get(MINE)).await;
        if answer.status == status {
            return started.elapsed();
        }
        assert!(started.elapsed() < PATIENCE, "still {} {}", answer.status, answer.text());
    }
}

#[tokio::test]
async fn who_logs_in_at_one_host_is_known_at_the_other() {
    let (redis, a, b) = two().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&a);
    let session = visitor.register(&ann).await;
    let mut there = visitor.at(&b);
    assert_eq!(there.session().await, visitor.session().await);
    assert_eq!(there.post(CHANGE, &json!({})).await.status, 200, "with the same CSRF token");

    // What is stored is what Node servers store.
    let token = visitor.token().unwrap().to_owned();
    let key = format!("luckystack-session:{token}");
    let stored = redis.command(&["GET", &key]).await;
    let stored: Value = serde_json::from_str(stored.split_once("\r\n").unwrap().1.trim_end()).unwrap();
    let mut expected = session.clone();
    expected.as_object_mut().unwrap().remove("token");
    assert_eq!(stored, expected);
    let active = format!("luckystack-activeUsers:{}", session["id"].as_str().unwrap());
    assert!(redis.command(&["SMEMBERS", &active]).await.contains(&token));
    for key in [&key, &active] {
        let life: i64 = redis.command(&["TTL", key]).await.trim().trim_start_matches(':').parse().unwrap();
        assert!((604_700..=604_800).contains(&life), "{key}: {life}");
    }

    // Using it anywhere makes it live longer.
    redis.command(&["EXPIRE", &key, "100"]).await;
    let started = Instant::now();
    loop {
        assert_eq!(there.send(Call::get(MINE)).await.status, 200);
        let life: i64 = redis.command(&["TTL", &key]).await.trim().trim_start_matches(':').parse().unwrap();
        if life > 604_000 {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{life}");
    }

    there.log_out().await;
    until_status(&mut visitor, 401).await;
    assert_eq!(redis.command(&["EXISTS", &key]).await.trim(), ":0");
    assert!(!redis.command(&["SMEMBERS", &active]).await.contains(&token));
}

/// The cookie must live as long as the session, also for those who come once a day.
#[tokio::test]
async fn the_first_answer_after_a_while_prolongs_the_cookie_too() {
    let (redis, a, b) = two().await;
    let mut visitor = Visitor::of(&a);
    visitor.register(&Account::of("Ann")).await;
    let expected = format!("token={};", visitor.token().unwrap());
    let key = format!("luckystack-session:{}", visitor.token().unwrap());
    for round in 0..5 {
        for host in [&b, &a] {
            redis.command(&["EXPIRE", &key, "1000"]).await;
            let answer = visitor.at(host).send(Call::get(MINE)).await;
            assert_eq!(answer.status, 200);
            let cookie = answer.header("set-cookie").unwrap_or_default();
            assert!(cookie.starts_with(&expected), "round {round}: {cookie:?}");
        }
    }
}

#[tokio::test]
async fn what_ends_at_one_host_is_refused_at_the_other_within_a_tenth_of_a_second() {
    let (_redis, a, b) = two().await;
    let mut spans = Vec::new();
    let mut visitor = Visitor::of(&a);
    let ann = Account::of("Ann");
    visitor.register(&ann).await;
    for round in 0..9 {
        let mut there = visitor.at(&b);
        for _ in 0..3 {
            assert_eq!(there.send(Call::get(MINE)).await.status, 200, "known, and kept in memory");
        }
        match round % 2 {
            0 => assert_eq!(visitor.log_out().await.status, 200),
            // Ended by a login in another browser.
            _ => assert!(Visitor::of(&a).log_in(&ann).await.is_object()),
        }
        spans.push(until_status(&mut there, 401).await);
        visitor = Visitor::of(&a);
        visitor.log_in(&ann).await;
    }
    spans.sort();
    assert!(spans[spans.len() / 2] < Duration::from_millis(100), "{spans:?}");
}

#[tokio::test]
async fn a_session_that_node_tooling_wrote_is_one() {
    let redis = RedisServer::start().await;
    let host = over(&redis).set("name=shop").start().await;
    let token = "test-1700000000000-0123456789abcdef0123456789abcdef";
    let fields = json!({
        "id": "u1", "email": "u1@example.com", "name": "Una", "provider": "credentials", "csrfToken": "proof",
    });
    let key = format!("shop-session:{token}");
    let mut visitor = Visitor::of(&host);
    visitor.plant("token", token);
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    redis.command(&["SET", &key, &fields.to_string(), "EX", "604800"]).await;
    redis.command(&["SADD", "shop-activeUsers:u1", token]).await;
    until_status(&mut visitor, 200).await;
    let mut shown = fields.clone();
    shown.as_object_mut().unwrap().remove("csrfToken");
    assert_eq!(visitor.session().await, shown, "without anything that was not written");
    assert_eq!(visitor.csrf().await, "proof");
    assert_eq!(visitor.post(CHANGE, &json!({})).await.status, 200);

    // Changed from outside.
    let mut renamed = fields.clone();
    renamed["name"] = json!("Uma");
    redis.command(&["SET", &key, &renamed.to_string(), "EX", "604800"]).await;
    let started = Instant::now();
    while visitor.session().await["name"] != "Uma" {
        assert!(started.elapsed() < PATIENCE, "the host still has the old one");
    }
    // A session without a CSRF token has nothing that proves anything.
    redis.command(&["SET", &key, "{\"id\":\"u1\"}", "EX", "604800"]).await;
    let started = Instant::now();
    loop {
        let answer = visitor.send(Call::get("/auth/csrf")).await.json();
        if answer == json!({ "status": "success", "csrfToken": null }) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{answer}");
    }
    assert_eq!(visitor.send(Call::post(CHANGE).json(&json!({}))).await.status, 403);
    assert_eq!(
        visitor.send(Call::post(CHANGE).json(&json!({})).header("x-csrf-token", "")).await.status,
        403
    );

    // What is no session is none, and what was deleted is gone.
    for value in ["null", "[]", "{\"name\":\"nobody\"}", "not JSON"] {
        redis.command(&["SET", &key, value, "EX", "604800"]).await;
        until_status(&mut visitor, 401).await;
    }
    redis.command(&["SET", &key, &fields.to_string(), "EX", "604800"]).await;
    until_status(&mut visitor, 200).await;
    redis.command(&["DEL", &key]).await;
    until_status(&mut visitor, 401).await;
}

#[tokio::test]
async fn a_session_of_node_ends_like_any_other_when_its_user_logs_in() {
    let redis = RedisServer::start().await;
    let host = over(&redis).start().await;
    let ann = Account::of("Ann");
    let session = Visitor::of(&host).register(&ann).await;
    let id = session["id"].as_str().unwrap();
    let token = "test-1700000000000-ffffffffffffffffffffffffffffffff";
    let fields = json!({ "id": id, "csrfToken": "proof" }).to_string();
    redis.command(&["SET", &format!("luckystack-session:{token}"), &fields, "EX", "604800"]).await;
    redis.command(&["SADD", &format!("luckystack-activeUsers:{id}"), token]).await;
    let mut node = Visitor::of(&host);
    node.plant("token", token);
    until_status(&mut node, 200).await;
    Visitor::of(&host).log_in(&ann).await;
    node.send(Call::get(MINE)).await.assert_error(401, "auth.required");
}

#[tokio::test]
async fn without_redis_nobody_is_taken_for_a_stranger_and_all_is_well_when_it_is_back() {
    let mut redis = RedisServer::start().await;
    let host = over(&redis).start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    assert_eq!(visitor.send(Call::get(MINE)).await.status, 200);

    redis.kill().await;
    until_status(&mut visitor, 503).await;
    for call in
        [Call::get(MINE), Call::get(OPEN), Call::post(CHANGE).json(&json!({})), Call::get("/auth/csrf")]
    {
        let answer = visitor.send(call.clone()).await;
        answer.assert_error(503, "session.unavailable");
        assert_eq!(answer.header("set-cookie"), None, "the cookie is kept: {call:?}");
    }
    // Strangers are answered, and those who only want a file.
    assert_eq!(host.get(OPEN).await.result(), "in");
    host.get(MINE).await.assert_error(401, "auth.required");
    assert_eq!(visitor.send(Call::get("/livez")).await.status, 200);
    let ready = host.get("/readyz").await;
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("not-ready")));
    assert_eq!(ready.json()["checks"]["redis"], false);
    // Nobody gets in while attempts cannot be counted.
    let answer = Visitor::of(&host).submit(&ann.login()).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!(false)), "{}", answer.text());
    let answer = visitor.send(Call::post("/auth/logout").json(&json!({}))).await;
    assert_ne!(answer.status, 200, "nobody is told that he is out while that is not known");

    redis.restart().await;
    let started = Instant::now();
    while host.get("/readyz").await.status != 200 {
        assert!(started.elapsed() < PATIENCE, "{}", host.get("/readyz").await.text());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // This server came back empty.
    until_status(&mut visitor, 401).await;
    let mut visitor = Visitor::of(&host);
    assert!(is_secret(&visitor.log_in(&ann).await["token"]));
    assert_eq!(visitor.send(Call::get(MINE)).await.status, 200);
}

#[tokio::test]
async fn calls_guesses_and_knocks_are_counted_for_all_hosts_together() {
    let redis = RedisServer::start().await;
    let mut limited = route("getFew", "GET", json!({ "login": false }));
    limited["rateLimit"] = json!(5);
    let few = Forge::new("few", "few").route(limited).api("getOther", Act::success(json!("in")));
    let project = || {
        over(&redis)
            .forged("few", "few.wasm", &few)
            .set("rate_limiting.enabled=true")
            .set("rate_limiting.store=redis")
            .set("rate_limiting.default_api_limit=30")
    };
    let a = project().start().await;
    let b = project().beside(&a).start().await;
    let path = "/api/few/getFew/v1";
    let from = |host: &Host| Visitor::of(host).from("10.1.1.1");
    for host in [&a, &b, &a, &b, &a] {
        assert_eq!(from(host).send(Call::get(path)).await.result(), "in");
    }
    for host in [&b, &a] {
        let answer = from(host).send(Call::get(path)).await;
        answer.assert_error(429, "api.rateLimitExceeded");
        assert!((1..=60).contains(&answer.param("seconds").as_u64().unwrap()));
    }
    assert_eq!(Visitor::of(&b).from("10.2.2.2").send(Call::get(path)).await.result(), "in");
    let key = "luckystack:rate-limit:ip:10.1.1.1:api:api/few/getFew/v1";
    assert_eq!(redis.command(&["GET", key]).await, "$1\r\n7\r\n");
    let life: i64 = redis.command(&["PTTL", key]).await.trim().trim_start_matches(':').parse().unwrap();
    assert!((1..=60_000).contains(&life), "{life}");

    // Wrong passwords count wherever they are typed: the account need not exist.
    let wrong = json!({ "email": "nobody@example.com", "password": "wrong password" });
    for host in [&a, &b, &a, &b, &a] {
        assert_failure(&from(host).submit(&wrong).await, 200, "login.wrongPassword");
    }
    for host in [&a, &b] {
        assert_failure(&from(host).submit(&wrong).await, 200, "login.accountLocked");
    }
    // And so do requests to log in: seven so far.
    for number in 0..23 {
        let host = if number % 2 == 0 { &a } else { &b };
        assert_failure(&from(host).submit(&json!({})).await, 200, "login.empty");
    }
    for host in [&a, &b] {
        assert_eq!(from(host).submit(&json!({})).await.json()["reason"], "api.rateLimitExceeded");
    }
}
