//! Changes: nothing lost, nobody brought back, everybody told.

use std::time::Duration;

use bytes::Bytes;
use luckystack_backplane::{Backplane as _, SharedBackplane};
use luckystack_sessions::{EndReason, SessionError};
use luckystack_topology::SessionConfig;
use serde_json::{Value, json};

use crate::stage::Stage;
use crate::*;

#[tokio::test]
async fn a_change_is_seen_at_once_and_told() {
    for stage in [Stage::own(), Stage::shared()] {
        let backplane: SharedBackplane = stage.clone();
        let sessions = open(&backplane, &SessionConfig::default()).await;
        let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
        let mut events = sessions.events();
        let changed = sessions
            .update(&token, &mut |fields| {
                fields.insert("roomCodes".into(), json!(["board-1"]));
                fields.insert("code".into(), "old".into());
                fields.insert("codes".into(), json!(["old"]));
                fields.insert("token".into(), "mine".into());
            })
            .await
            .unwrap()
            .unwrap();
        let csrf = changed.csrf_token.clone().unwrap();
        let mut expected = json!({
            "id": "u1", "email": "u1@example.com", "name": "u1", "provider": "credentials",
            "csrfToken": csrf, "roomCodes": ["board-1"]
        });
        let read = live(&sessions, &token).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&read.user).unwrap(), expected);
        assert_eq!(read.token, token);
        let stored = stage.get(&session_key(&token)).await.unwrap().unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&stored).unwrap(), expected);
        // Told before the call returned, so that it precedes the answer to a room's join.
        expected["avatar"] = "".into();
        let told = waiting(&mut events);
        assert!(told.len() == 1 && updated(&token, expected)(&told[0]));
    }
}

#[tokio::test]
async fn a_change_begins_the_life_anew_and_gives_a_csrf_token_to_who_has_none() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let config = SessionConfig { expiry: Duration::from_secs(1000), ..SessionConfig::default() };
    let sessions = open(&backplane, &config).await;
    let raw = Bytes::from_static(br#"{"id":"u1"}"#);
    stage.set(&session_key("t"), raw, Some(Duration::from_secs(10))).await.unwrap();
    let session = sessions.update("t", &mut |_| {}).await.unwrap().unwrap();
    assert_eq!(session.csrf_token.as_ref().unwrap().len(), 64);
    let again = sessions.update("t", &mut |_| {}).await.unwrap().unwrap();
    assert_eq!(again.csrf_token, session.csrf_token);
    let left = stage.get_living(&session_key("t")).await.unwrap().unwrap().remaining.unwrap();
    assert!(left > Duration::from_secs(900));
    assert_eq!(sessions.of_user("u1").await.unwrap(), ["t"]);
}

#[tokio::test]
async fn the_id_cannot_be_changed() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = sessions.events();
    for id in [json!("u2"), json!(""), json!(1), Value::Null] {
        let refused =
            sessions.update(&token, &mut |fields| drop(fields.insert("id".into(), id.clone()))).await;
        assert!(matches!(refused, Err(SessionError::OtherUser)));
    }
    let refused = sessions.update(&token, &mut |fields| drop(fields.remove("id"))).await;
    assert!(matches!(refused, Err(SessionError::OtherUser)));
    assert_eq!(stage.calls("swap"), 0);
    assert!(waiting(&mut events).is_empty());
    assert_eq!(live(&sessions, &token).await.unwrap().user_id, "u1");
}

#[tokio::test]
async fn a_session_that_ended_meanwhile_is_not_brought_back() {
    let stage = Stage::shared();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = sessions.events();
    let hold = stage.hold("swap");
    let changing = tokio::spawn({
        let (sessions, token) = (sessions.clone(), token.clone());
        async move { sessions.update(&token, &mut |_| {}).await.unwrap().is_some() }
    });
    hold.arrived().await;
    stage.delete(&session_key(&token)).await.unwrap();
    hold.go();
    assert!(!changing.await.unwrap());
    assert!(stage.get(&session_key(&token)).await.unwrap().is_none());
    assert!(live(&sessions, &token).await.is_none());
    assert!(waiting(&mut events).is_empty());
    assert!(sessions.update(&token, &mut |_| {}).await.unwrap().is_none());
}

#[tokio::test]
async fn an_end_waits_for_a_change_and_has_the_last_word() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = sessions.events();
    let hold = stage.hold("swap");
    let changing = tokio::spawn({
        let (sessions, token) = (sessions.clone(), token.clone());
        async move { sessions.update(&token, &mut |_| {}).await.unwrap().is_some() }
    });
    hold.arrived().await;
    let mut ending = Box::pin(sessions.end(&token, EndReason::Logout));
    assert!(futures::poll!(&mut ending).is_pending());
    until("the session is refused", async || live(&sessions, &token).await.is_none()).await;
    hold.go();
    assert!(ending.await.unwrap());
    changing.await.unwrap();
    assert!(sessions.cached(&token).is_none());
    assert!(live(&sessions, &token).await.is_none());
    assert!(waiting(&mut events).last() == Some(&logged_out(&token)));
    assert!(stage.get(&session_key(&token)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_on_two_hosts_are_all_kept() {
    let stage = Stage::shared();
    let backplane: SharedBackplane = stage.clone();
    let hosts = [open(&backplane, &unlimited()).await, open(&backplane, &unlimited()).await];
    let token = hosts[0].create(user("u1"), None).await.unwrap().token.clone();
    let changes = (0..60).map(|n| {
        let (sessions, token) = (hosts[n % 2].clone(), token.clone());
        tokio::spawn(async move {
            let changed = sessions
                .update(&token, &mut |fields| {
                    let count = fields.get("count").and_then(Value::as_u64).unwrap_or_default();
                    fields.insert("count".into(), (count + 1).into());
                })
                .await;
            assert!(changed.unwrap().is_some());
        })
    });
    for change in futures::future::join_all(changes).await {
        change.unwrap();
    }
    for host in &hosts {
        until("the last change is seen", async || {
            live(host, &token).await.unwrap().fields()["count"] == json!(60)
        })
        .await;
    }
}

#[tokio::test]
async fn all_sessions_of_a_user_change_and_nobody_elses() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &unlimited()).await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        tokens.push(sessions.create(user("u1"), None).await.unwrap().token.clone());
    }
    let other = sessions.create(user("u2"), None).await.unwrap().token.clone();
    stage.add(&user_key("u1"), &other, PATIENCE).await.unwrap();
    stage.add(&user_key("u1"), "stale", PATIENCE).await.unwrap();
    let mut events = sessions.events();
    let mut rename = |fields: &mut serde_json::Map<String, Value>| {
        fields.insert("name".into(), "new".into());
    };
    assert_eq!(sessions.update_user("u1", &mut rename).await.unwrap(), 3);
    for token in &tokens {
        assert_eq!(name(&live(&sessions, token).await.unwrap()), "new");
    }
    assert_eq!(name(&live(&sessions, &other).await.unwrap()), "u2");
    assert_eq!(waiting(&mut events).len(), 3);
}

#[tokio::test]
async fn when_the_store_fails_a_change_is_an_error_and_nothing_stale_is_served() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    stage.breaks("swap");
    assert!(matches!(sessions.update(&token, &mut |_| {}).await, Err(SessionError::Store(_))));
    assert!(sessions.cached(&token).is_none());
    stage.mends();
    assert!(sessions.update(&token, &mut |_| {}).await.unwrap().is_some());
}
