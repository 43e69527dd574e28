//! Reading, caching, making lives longer, guessing.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use luckystack_backplane::{Backplane as _, Changed, SharedBackplane};
use luckystack_sessions::{Read, Sessions};
use luckystack_topology::SessionConfig;
use serde_json::json;

use crate::stage::{Noting, Stage};
use crate::*;

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// As the framework's tools write one.
const RAW: &[u8] =
    br#"{"id":"u1","email":"u1@example.com","name":"U","provider":"credentials","csrfToken":"c"}"#;

/// A host and its store.
async fn staged(stage: Arc<Stage>, config: &SessionConfig) -> (Arc<Stage>, Sessions) {
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, config).await;
    (stage, sessions)
}

async fn write(stage: &Stage, token: &str, life: Option<Duration>) {
    stage.set(&session_key(token), Bytes::from_static(RAW), life).await.unwrap();
}

async fn left(stage: &Stage, key: &str) -> Duration {
    stage.get_living(key).await.unwrap().unwrap().remaining.unwrap()
}

#[tokio::test]
async fn a_session_that_tools_wrote_is_live() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    write(&stage, "test-1700000000000-00ff", Some(WEEK)).await;
    let session = live(&sessions, "test-1700000000000-00ff").await.unwrap();
    assert_eq!(session.user_id, "u1");
    assert_eq!(session.csrf_token.as_deref(), Some("c"));
    assert_eq!(&session.user[..], RAW);
}

#[tokio::test]
async fn what_can_be_no_token_is_unknown_without_asking_the_store() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    for token in [String::new(), "x".repeat(513)] {
        write(&stage, &token, Some(WEEK)).await;
        let before = stage.all_calls();
        assert!(live(&sessions, &token).await.is_none());
        assert!(sessions.peek(&token).await.unwrap().is_none());
        assert_eq!(stage.all_calls(), before);
    }
}

#[tokio::test]
async fn what_is_stored_and_is_no_session_is_unknown() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    stage.set(&session_key("t"), Bytes::from_static(b"{\"name\":1}"), None).await.unwrap();
    assert!(live(&sessions, "t").await.is_none());
}

#[tokio::test]
async fn reads_of_a_cached_session_ask_nobody() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    write(&stage, "t", Some(WEEK)).await;
    assert!(sessions.cached("t").is_none());
    live(&sessions, "t").await.unwrap();
    let before = stage.all_calls();
    for _ in 0..1000 {
        assert!(sessions.cached("t").is_some());
        assert!(live(&sessions, "t").await.is_some());
        assert!(sessions.peek("t").await.unwrap().is_some());
    }
    assert_eq!(stage.all_calls(), before);
}

#[tokio::test]
async fn unknown_tokens_are_asked_for_once_and_known_when_they_appear() {
    let (stage, sessions) = staged(Stage::shared(), &SessionConfig::default()).await;
    for _ in 0..10 {
        assert!(live(&sessions, "t").await.is_none());
    }
    assert_eq!(stage.calls("get_living"), 1);
    write(&stage, "t", Some(WEEK)).await;
    until("the new session is live", async || live(&sessions, "t").await.is_some()).await;
}

#[tokio::test]
async fn a_session_in_use_outlives_its_expiry_and_one_that_is_not_ends() {
    let config = SessionConfig { expiry: Duration::from_secs(1), ..unlimited() };
    let (_stage, sessions) = staged(Stage::own(), &config).await;
    let used = sessions.create(user("u1"), None).await.unwrap();
    let unused = sessions.create(user("u1"), None).await.unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(3) {
        assert!(live(&sessions, &used.token).await.is_some(), "after {:?}", began.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(sessions.cached(&unused.token).is_none());
    assert!(live(&sessions, &unused.token).await.is_none());
    assert_eq!(sessions.of_user("u1").await.unwrap(), [used.token.as_str()]);
    until("the session ends", async || sessions.cached(&used.token).is_none()).await;
}

#[tokio::test]
async fn a_life_is_made_longer_for_session_and_set_when_a_hundredth_has_passed() {
    let config = SessionConfig { expiry: Duration::from_secs(1000), ..unlimited() };
    let (stage, sessions) = staged(Stage::own(), &config).await;
    // Not due yet, with a margin for a slow machine; due; of another configuration.
    for (life, is_due) in [(998, false), (985, true), (5000, true)] {
        sessions.clear().await.unwrap();
        write(&stage, "t", Some(Duration::from_secs(life))).await;
        let before = stage.calls("expire");
        for _ in 0..3 {
            live(&sessions, "t").await.unwrap();
        }
        assert_eq!(stage.calls("expire") - before, usize::from(is_due), "{life}");
        if is_due {
            let left = left(&stage, &session_key("t")).await;
            assert!(left > Duration::from_secs(990) && left <= config.expiry, "{left:?}");
            assert_eq!(stage.members(&user_key("u1")).await.unwrap(), ["t"]);
        }
    }
}

#[tokio::test]
async fn peeking_makes_no_life_longer_and_leaves_that_to_the_next_read() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    write(&stage, "t", Some(Duration::from_secs(100))).await;
    assert!(sessions.peek("t").await.unwrap().is_some());
    assert_eq!(stage.calls("expire"), 0);
    assert!(sessions.cached("t").is_none());
    live(&sessions, "t").await.unwrap();
    assert_eq!(stage.calls("expire"), 1);
    assert!(sessions.cached("t").is_some());
}

#[tokio::test]
async fn hooks_hear_of_longer_lives_and_may_say_no() {
    let hooks = Arc::new(Noting::default());
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let config = SessionConfig { expiry: Duration::from_secs(1000), ..SessionConfig::default() };
    let sessions = open_with(&backplane, &config, hooks.clone()).await;
    write(&stage, "t", None).await;
    live(&sessions, "t").await.unwrap();
    let pre = json!({ "token": "t", "userId": "u1", "oldTtl": -1, "newTtl": 1000 });
    let post = json!({ "token": "t", "userId": "u1", "oldTtl": -1, "newTtl": 1000, "applied": true });
    assert_eq!(hooks.taken(), [("preSessionRefresh".into(), pre), ("postSessionRefresh".into(), post)]);
    assert!(left(&stage, &session_key("t")).await <= config.expiry);

    sessions.clear().await.unwrap();
    write(&stage, "t", Some(Duration::from_secs(100))).await;
    hooks.stops("preSessionRefresh", "frozen");
    let before = stage.calls("expire");
    for _ in 0..10 {
        live(&sessions, "t").await.unwrap();
    }
    let pre = json!({ "token": "t", "userId": "u1", "oldTtl": 100, "newTtl": 1000 });
    let post = json!({ "token": "t", "userId": "u1", "oldTtl": 100, "newTtl": 1000, "applied": false });
    assert_eq!(hooks.taken(), [("preSessionRefresh".into(), pre), ("postSessionRefresh".into(), post)]);
    assert_eq!(stage.calls("expire"), before);
    assert!(left(&stage, &session_key("t")).await <= Duration::from_secs(100));
}

#[tokio::test]
async fn a_session_that_ended_before_its_life_was_made_longer_is_unknown() {
    let (stage, sessions) = staged(Stage::shared(), &SessionConfig::default()).await;
    write(&stage, "t", Some(Duration::from_secs(100))).await;
    let hold = stage.hold("expire");
    let reading = tokio::spawn({
        let sessions = sessions.clone();
        async move { live(&sessions, "t").await.is_some() }
    });
    hold.arrived().await;
    stage.delete(&session_key("t")).await.unwrap();
    hold.go();
    assert!(!reading.await.unwrap());
    assert!(sessions.cached("t").is_none());
}

#[tokio::test]
async fn a_change_by_others_drops_the_cached_session() {
    let (stage, sessions) = staged(Stage::shared(), &SessionConfig::default()).await;
    write(&stage, "t", Some(WEEK)).await;
    until("it is cached", async || live(&sessions, "t").await.is_some() && sessions.cached("t").is_some())
        .await;
    let changed = Bytes::from_static(br#"{"id":"u1","name":"new"}"#);
    stage.set(&session_key("t"), changed, Some(WEEK)).await.unwrap();
    until("the change is seen", async || name(&live(&sessions, "t").await.unwrap()) == "new").await;
    stage.delete(&session_key("t")).await.unwrap();
    until("the end is seen", async || live(&sessions, "t").await.is_none()).await;
}

#[tokio::test]
async fn an_answer_that_a_change_overtook_is_not_cached() {
    let (stage, sessions) = staged(Stage::shared(), &SessionConfig::default()).await;
    write(&stage, "t", Some(WEEK)).await;
    // So that the notice of that is not the one that matters.
    until("it is cached", async || live(&sessions, "t").await.is_some() && sessions.cached("t").is_some())
        .await;
    stage.say(Changed::Key(session_key("t")));
    until("the notice is there", async || sessions.cached("t").is_none()).await;
    let hold = stage.hold("get_living");
    let reading = tokio::spawn({
        let sessions = sessions.clone();
        async move { live(&sessions, "t").await.is_some() }
    });
    hold.arrived().await;
    stage.delete(&session_key("t")).await.unwrap();
    // A second session tells when the notice has arrived: notices come in order.
    write(&stage, "other", Some(WEEK)).await;
    until("the notices are there", async || {
        live(&sessions, "other").await.is_some() && sessions.cached("other").is_some()
    })
    .await;
    hold.go();
    reading.await.unwrap();
    assert!(sessions.cached("t").is_none());
    assert!(live(&sessions, "t").await.is_none());
}

#[tokio::test]
async fn nothing_is_served_from_the_cache_while_nobody_tells_of_changes() {
    let (stage, sessions) = staged(Stage::shared(), &SessionConfig::default()).await;
    write(&stage, "t", Some(WEEK)).await;
    until("it is cached", async || live(&sessions, "t").await.is_some() && sessions.cached("t").is_some())
        .await;
    stage.tells(false);
    stage.say(Changed::Everything);
    until("it is forgotten", async || sessions.cached("t").is_none()).await;
    // The store answers, and is asked every time.
    let before = stage.calls("get_living");
    for _ in 0..5 {
        assert!(live(&sessions, "t").await.is_some());
        assert!(sessions.cached("t").is_none());
    }
    assert_eq!(stage.calls("get_living") - before, 5);
    stage.breaks("all");
    assert!(sessions.read("t", IP).await.is_err());
    stage.mends();
    // What is told of now proves it, without anybody saying that it is back.
    stage.tells(true);
    until("it is cached again", async || {
        live(&sessions, "t").await.is_some() && sessions.cached("t").is_some()
    })
    .await;
}

#[tokio::test]
async fn who_tries_tokens_is_refused_and_cached_sessions_pass() {
    let config = SessionConfig { max_unknown_tokens: Some(5), ..SessionConfig::default() };
    let (stage, sessions) = staged(Stage::own(), &config).await;
    write(&stage, "cached", Some(WEEK)).await;
    write(&stage, "uncached", Some(WEEK)).await;
    live(&sessions, "cached").await.unwrap();
    for n in 0..5 {
        for _ in 0..3 {
            assert!(live(&sessions, &n.to_string()).await.is_none());
        }
    }
    let before = stage.all_calls();
    for token in ["5", "6", "uncached"] {
        match sessions.read(token, IP).await.unwrap() {
            Read::Throttled { seconds } => assert!((1..=60).contains(&seconds)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stage.all_calls(), before);
    assert!(live(&sessions, "cached").await.is_some());
    assert!(matches!(sessions.read("uncached", "203.0.113.8").await.unwrap(), Read::Live(_)));
    sessions.reconfigure(&SessionConfig { max_unknown_tokens: None, ..config });
    assert!(live(&sessions, "5").await.is_none());
}

#[tokio::test]
async fn clearing_ends_everything_and_says_what_was_there() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    stage.set("app-other:t", Bytes::from_static(b"1"), None).await.unwrap();
    assert_eq!(sessions.clear().await.unwrap(), (false, false));
    let session = sessions.create(user("u1"), None).await.unwrap();
    assert_eq!(sessions.clear().await.unwrap(), (true, true));
    assert!(live(&sessions, &session.token).await.is_none());
    assert!(sessions.of_user("u1").await.unwrap().is_empty());
    assert!(stage.get("app-other:t").await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_shown_of_a_read_has_no_secrets() {
    let (stage, sessions) = staged(Stage::own(), &SessionConfig::default()).await;
    write(&stage, "s3cret", Some(WEEK)).await;
    let shown = format!("{:?} {sessions:?}", sessions.read("s3cret", IP).await.unwrap());
    assert!(!shown.contains("s3cret") && !shown.contains("csrf"), "{shown}");
}
