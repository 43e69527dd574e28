//! Logins, and what they do to a user's other sessions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use luckystack_backplane::{Backplane as _, SharedBackplane};
use luckystack_sessions::{CreateError, Sessions};
use luckystack_topology::{OnConflict, SessionConfig, SessionsPerUser};
use serde_json::{Value, json};

use crate::stage::{Noting, Stage};
use crate::*;

fn at_most(max: u32, on_conflict: OnConflict) -> SessionConfig {
    SessionConfig {
        per_user: SessionsPerUser::Multiple,
        max_concurrent_per_user: Some(max),
        on_conflict,
        ..SessionConfig::default()
    }
}

async fn tokens(sessions: &Sessions, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for _ in 0..count {
        tokens.push(sessions.create(user("u1"), None).await.unwrap().token.clone());
    }
    tokens
}

#[tokio::test]
async fn a_login_gets_fresh_secrets_and_is_stored_as_specified() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let mut user = user("u1");
    user.extend(object(json!({
        "csrfToken": "planted", "token": "planted", "password": "hash", "totpSecret": "s",
        "recoveryCodes": ["r"], "avatar": "", "lastLogin": "2026-01-01T00:00:00.000Z"
    })));
    let session = sessions.create(user, None).await.unwrap();
    assert_eq!(session.token.len(), 64);
    let csrf = session.csrf_token.clone().unwrap();
    assert_eq!(csrf.len(), 64);
    assert_ne!(csrf, session.token);
    let stored = stage.get_living(&session_key(&session.token)).await.unwrap().unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&stored.value).unwrap(),
        json!({
            "id": "u1", "email": "u1@example.com", "name": "u1", "provider": "credentials", "avatar": "",
            "lastLogin": "2026-01-01T00:00:00.000Z", "csrfToken": csrf
        })
    );
    let week = Duration::from_secs(7 * 24 * 3600);
    let left = stored.remaining.unwrap();
    assert!(left <= week && left > week - PATIENCE);
    assert_eq!(stage.members(&user_key("u1")).await.unwrap(), [session.token.as_str()]);
    assert!(sessions.cached(&session.token).is_some());
    assert_ne!(sessions.create(self::user("u2"), None).await.unwrap().token, session.token);
}

#[tokio::test]
async fn a_user_without_an_id_is_refused() {
    let backplane: SharedBackplane = Stage::own();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    for user in [json!({}), json!({ "id": "" }), json!({ "id": 7 }), json!({ "id": null })] {
        let refused = sessions.create(object(user), None).await;
        assert!(matches!(refused, Err(CreateError::Refused(code)) if code == "api.internalServerError"));
    }
}

#[tokio::test]
async fn hooks_of_a_login_come_in_order_and_the_first_may_stop_it() {
    let hooks = Arc::new(Noting::default());
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let config = SessionConfig { based_token: true, ..SessionConfig::default() };
    let sessions = open_with(&backplane, &config, hooks.clone()).await;
    let session = sessions.create(user("u1"), None).await.unwrap();
    let taken = hooks.taken();
    let names: Vec<&str> = taken.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["preSessionCreate", "postSessionCreate", "sessionCreated"]);
    for (_, payload) in &taken[..2] {
        assert_eq!(payload["token"], session.token);
        assert_eq!(payload["user"]["id"], "u1");
        assert_eq!(payload["persistent"], false);
    }
    assert_eq!(taken[2].1, json!({ "token": session.token, "userId": "u1" }));

    hooks.stops("preSessionCreate", "login.accountLocked");
    let refused = sessions.create(user("u2"), Some(&session.token)).await;
    assert!(matches!(refused, Err(CreateError::Refused(code)) if code == "login.accountLocked"));
    hooks.stops("preSessionCreate", "");
    let refused = sessions.create(user("u2"), None).await;
    assert!(matches!(refused, Err(CreateError::Refused(code)) if code == "api.internalServerError"));
    assert_eq!(hooks.names(), ["preSessionCreate", "preSessionCreate"]);
    assert!(stage.members(&user_key("u2")).await.unwrap().is_empty());
    assert!(live(&sessions, &session.token).await.is_some());
}

#[tokio::test]
async fn single_ends_every_other_session() {
    let backplane: SharedBackplane = Stage::own();
    let sessions = open(&backplane, &unlimited()).await;
    let others = tokens(&sessions, 3).await;
    for on_conflict in [OnConflict::RevokeOld, OnConflict::RejectNew] {
        sessions.reconfigure(&SessionConfig { on_conflict, ..SessionConfig::default() });
        let mut events = sessions.events();
        let before = sessions.of_user("u1").await.unwrap();
        let new = sessions.create(user("u1"), None).await.unwrap();
        assert_eq!(sessions.of_user("u1").await.unwrap(), [new.token.as_str()]);
        let told = waiting(&mut events);
        assert_eq!(told.len(), 2 * before.len());
        for token in &before {
            assert!(live(&sessions, token).await.is_none());
            let place = |event| told.iter().position(|other| *other == event).unwrap();
            assert!(place(replaced(token, "u1")) < place(logged_out(token)));
        }
    }
    assert_eq!(others.len(), 3);
}

#[tokio::test]
async fn the_oldest_sessions_over_the_limit_end() {
    let backplane: SharedBackplane = Stage::own();
    let sessions = open(&backplane, &at_most(3, OnConflict::RevokeOld)).await;
    let all = tokens(&sessions, 5).await;
    assert_eq!(sessions.of_user("u1").await.unwrap(), all[2..]);
    sessions.reconfigure(&at_most(1, OnConflict::RevokeOld));
    let last = tokens(&sessions, 1).await;
    assert_eq!(sessions.of_user("u1").await.unwrap(), last);
}

#[tokio::test]
async fn a_login_over_the_limit_is_refused() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &at_most(2, OnConflict::RejectNew)).await;
    let all = tokens(&sessions, 2).await;
    let refused = sessions.create(user("u1"), None).await;
    assert!(matches!(refused, Err(CreateError::Refused(code)) if code == "login.sessionLimitReached"));
    assert_eq!(stage.members(&user_key("u1")).await.unwrap(), all);
    // The same browser's session makes room for its own successor, and other users have their own limit.
    let next = sessions.create(user("u1"), Some(&all[0])).await.unwrap();
    assert_eq!(sessions.of_user("u1").await.unwrap(), [all[1].as_str(), &next.token]);
    sessions.create(user("u2"), None).await.unwrap();
}

#[tokio::test]
async fn without_a_limit_nobody_ends() {
    for on_conflict in [OnConflict::RevokeOld, OnConflict::RejectNew] {
        let stage = Stage::own();
        let backplane: SharedBackplane = stage.clone();
        let sessions = open(&backplane, &SessionConfig { on_conflict, ..unlimited() }).await;
        let all = tokens(&sessions, 20).await;
        assert_eq!(sessions.of_user("u1").await.unwrap(), all);
        // And nobody counts them.
        assert_eq!(stage.calls("members"), 1);
    }
}

#[tokio::test]
async fn a_token_whose_session_has_ended_by_itself_does_not_count() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &at_most(2, OnConflict::RejectNew)).await;
    for stale in ["stale 1", "stale 2", "stale 3"] {
        stage.add(&user_key("u1"), stale, PATIENCE).await.unwrap();
    }
    let all = tokens(&sessions, 2).await;
    assert_eq!(stage.members(&user_key("u1")).await.unwrap(), all);
}

#[tokio::test]
async fn the_browsers_old_session_ends_silently() {
    for config in [SessionConfig::default(), unlimited(), at_most(1, OnConflict::RevokeOld)] {
        let hooks = Arc::new(Noting::default());
        let backplane: SharedBackplane = Stage::own();
        let sessions = open_with(&backplane, &config, hooks.clone()).await;
        let old = sessions.create(user("u1"), None).await.unwrap();
        let mut events = sessions.events();
        hooks.taken();
        // Also when it was another user's.
        let new = sessions.create(user("u2"), Some(&old.token)).await.unwrap();
        assert!(sessions.cached(&old.token).is_none());
        assert!(live(&sessions, &old.token).await.is_none());
        assert!(sessions.of_user("u1").await.unwrap().is_empty());
        assert_eq!(sessions.of_user("u2").await.unwrap(), [new.token.as_str()]);
        assert!(waiting(&mut events).is_empty());
        let taken = hooks.taken();
        let revoked = taken.iter().find(|(name, _)| name == "sessionRevoked").unwrap();
        assert_eq!(revoked.1, json!({ "token": old.token, "userId": "u1", "reason": "superseded" }));
        let newer = sessions.create(user("u2"), Some("no such token")).await.unwrap();
        assert!(live(&sessions, &newer.token).await.is_some());
    }
}

#[tokio::test]
async fn a_session_that_a_hook_protects_stays_and_the_login_succeeds() {
    let hooks = Arc::new(Noting::default());
    let backplane: SharedBackplane = Stage::own();
    let sessions = open_with(&backplane, &SessionConfig::default(), hooks.clone()).await;
    let old = sessions.create(user("u1"), None).await.unwrap();
    hooks.stops("preSessionDelete", "kept");
    let new = sessions.create(user("u1"), None).await.unwrap();
    assert_eq!(sessions.of_user("u1").await.unwrap(), [old.token.as_str(), &new.token]);
}

/// A login that has counted the user's sessions and not ended any of them yet, and a second one that has
/// done all that it may do meanwhile.
async fn overlapping(stage: &Stage, first: &Sessions, second: &Sessions) -> [Option<String>; 2] {
    let login = |sessions: &Sessions| {
        let sessions = sessions.clone();
        tokio::spawn(async move {
            sessions.create(user("u1"), None).await.ok().map(|session| session.token.clone())
        })
    };
    let hold = stage.hold("members");
    let first = login(first);
    hold.arrived().await;
    let second = login(second);
    // One thread, and a store that answers at once: what can be done is done by then.
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    hold.go();
    [first.await.unwrap(), second.await.unwrap()]
}

#[tokio::test]
async fn a_login_waits_for_another_of_the_same_user() {
    for (stage, is_same_host) in [(Stage::own(), true), (Stage::shared(), true), (Stage::shared(), false)] {
        let backplane: SharedBackplane = stage.clone();
        let here = open(&backplane, &SessionConfig::default()).await;
        let there = open(&backplane, &SessionConfig::default()).await;
        let second = if is_same_host { &here } else { &there };
        let tokens = overlapping(&stage, &here, second).await.map(Option::unwrap);
        assert_eq!(stage.members(&user_key("u1")).await.unwrap(), [tokens[1].as_str()]);

        for sessions in [&here, &there] {
            sessions.clear().await.unwrap();
            sessions.reconfigure(&at_most(1, OnConflict::RejectNew));
        }
        let tokens = overlapping(&stage, &here, second).await;
        assert!(tokens[0].is_some() && tokens[1].is_none());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_at_once_on_two_hosts_leave_exactly_one_session() {
    let stage = Stage::shared();
    let backplane: SharedBackplane = stage.clone();
    let hosts = [
        open(&backplane, &SessionConfig::default()).await,
        open(&backplane, &SessionConfig::default()).await,
    ];
    let logins = (0..10).map(|n| {
        let sessions = hosts[n % 2].clone();
        tokio::spawn(async move { sessions.create(user("u1"), None).await.unwrap().token.clone() })
    });
    let tokens: HashSet<String> =
        futures::future::join_all(logins).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(tokens.len(), 10);
    let left = stage.members(&user_key("u1")).await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(stage.get(&session_key(&left[0])).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_at_once_on_two_hosts_do_not_exceed_the_limit() {
    let stage = Stage::shared();
    let backplane: SharedBackplane = stage.clone();
    let config = at_most(3, OnConflict::RejectNew);
    let hosts = [open(&backplane, &config).await, open(&backplane, &config).await];
    let logins = (0..10).map(|n| {
        let sessions = hosts[n % 2].clone();
        tokio::spawn(async move { sessions.create(user("u1"), None).await.is_ok() })
    });
    let granted =
        futures::future::join_all(logins).await.into_iter().filter(|ok| *ok.as_ref().unwrap()).count();
    assert_eq!(granted, 3);
    assert_eq!(stage.members(&user_key("u1")).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_login_that_fails_in_the_middle_leaves_no_session() {
    for operation in ["add", "delete"] {
        let stage = Stage::own();
        let backplane: SharedBackplane = stage.clone();
        let sessions = open(&backplane, &SessionConfig::default()).await;
        let old = sessions.create(user("u1"), None).await.unwrap();
        stage.breaks(operation);
        let failed = sessions.create(user("u1"), None).await;
        assert!(matches!(failed, Err(CreateError::Store(_))), "{operation}");
        stage.mends();
        assert_eq!(sessions.of_user("u1").await.unwrap()[0], old.token);
        if operation == "add" {
            assert_eq!(sessions.of_user("u1").await.unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_login_goes_on_when_nobody_waits_for_it() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let old = sessions.create(user("u1"), None).await.unwrap();
    let hold = stage.hold("add");
    let mut login = Box::pin(sessions.create(user("u1"), None));
    assert!(futures::poll!(&mut login).is_pending());
    hold.arrived().await;
    drop(login);
    hold.go();
    until("the old session ends", async || live(&sessions, &old.token).await.is_none()).await;
}
