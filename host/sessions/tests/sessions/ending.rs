//! Ends: at once, told, and forbidden.

use std::sync::Arc;

use luckystack_backplane::{Backplane as _, SharedBackplane};
use luckystack_sessions::{EndReason, SessionError};
use luckystack_topology::SessionConfig;
use serde_json::json;

use crate::stage::{Noting, Stage};
use crate::*;

#[tokio::test]
async fn a_session_is_refused_while_the_store_is_still_told_of_its_end() {
    for stage in [Stage::own(), Stage::shared()] {
        let backplane: SharedBackplane = stage.clone();
        let sessions = open(&backplane, &SessionConfig::default()).await;
        let session = sessions.create(user("u1"), None).await.unwrap();
        let token = session.token.clone();
        let hold = stage.hold("delete");
        let ending = tokio::spawn({
            let (sessions, token) = (sessions.clone(), token.clone());
            async move { sessions.end(&token, EndReason::Revoked).await.unwrap() }
        });
        hold.arrived().await;
        assert!(sessions.cached(&token).is_none());
        assert!(live(&sessions, &token).await.is_none());
        assert!(sessions.peek(&token).await.unwrap().is_none());
        assert!(sessions.of_user("u1").await.unwrap().is_empty());
        assert!(stage.get(&session_key(&token)).await.unwrap().is_some());
        hold.go();
        assert!(ending.await.unwrap());
        assert!(sessions.cached(&token).is_none());
        assert!(live(&sessions, &token).await.is_none());
        assert!(stage.get(&session_key(&token)).await.unwrap().is_none());
        assert!(stage.members(&user_key("u1")).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_answer_from_before_the_end_does_not_come_back() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    // A second host's view of the same store has nothing cached.
    let fresh = open(&backplane, &SessionConfig::default()).await;
    let hold = stage.hold("get_living");
    let reading = tokio::spawn({
        let (fresh, token) = (fresh.clone(), token.clone());
        async move { live(&fresh, &token).await.is_some() }
    });
    hold.arrived().await;
    assert!(fresh.end(&token, EndReason::Logout).await.unwrap());
    hold.go();
    reading.await.unwrap();
    assert!(fresh.cached(&token).is_none());
    assert!(live(&fresh, &token).await.is_none());
}

#[tokio::test]
async fn when_the_store_fails_nothing_is_served_from_the_cache_and_the_error_is_told() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    stage.breaks("delete");
    assert!(matches!(sessions.end(&token, EndReason::Logout).await, Err(SessionError::Store(_))));
    assert!(sessions.cached(&token).is_none());
    stage.breaks("get_living");
    assert!(sessions.read(&token, IP).await.is_err());
    stage.mends();
    // The store says that it lives.
    assert!(live(&sessions, &token).await.is_some());
    assert!(sessions.end(&token, EndReason::Logout).await.unwrap());
}

#[tokio::test]
async fn sockets_are_told_by_the_reason() {
    let backplane: SharedBackplane = Stage::own();
    let sessions = open(&backplane, &unlimited()).await;
    for (reason, notify) in [
        (EndReason::Logout, true),
        (EndReason::Revoked, true),
        (EndReason::Revoked, false),
        (EndReason::Superseded, true),
    ] {
        sessions.reconfigure(&SessionConfig { notify_old_device_on_revoke: notify, ..unlimited() });
        let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
        let mut events = sessions.events();
        assert!(sessions.end(&token, reason).await.unwrap());
        let expected = match (reason, notify) {
            (EndReason::Superseded, _) => vec![],
            (EndReason::Revoked, true) => vec![replaced(&token, "u1"), logged_out(&token)],
            _ => vec![logged_out(&token)],
        };
        assert!(waiting(&mut events) == expected, "{reason:?} {notify}");
    }
}

#[tokio::test]
async fn hooks_of_an_end_come_in_order() {
    let hooks = Arc::new(Noting::default());
    let backplane: SharedBackplane = Stage::own();
    let sessions = open_with(&backplane, &unlimited(), hooks.clone()).await;
    for (reason, word) in [
        (EndReason::Logout, "logout"),
        (EndReason::Revoked, "revoked"),
        (EndReason::Superseded, "superseded"),
    ] {
        let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
        hooks.taken();
        sessions.end(&token, reason).await.unwrap();
        let about = json!({ "token": token, "userId": "u1" });
        let revoked = json!({ "token": token, "userId": "u1", "reason": word });
        assert_eq!(
            hooks.taken(),
            [
                ("preSessionDelete".to_owned(), about.clone()),
                ("postSessionDelete".to_owned(), about),
                ("sessionRevoked".to_owned(), revoked),
            ]
        );
    }
    assert!(!sessions.end("no such token", EndReason::Logout).await.unwrap());
    assert!(hooks.taken().is_empty());
}

#[tokio::test]
async fn a_hook_may_forbid_an_end() {
    let hooks = Arc::new(Noting::default());
    let backplane: SharedBackplane = Stage::own();
    let sessions = open_with(&backplane, &unlimited(), hooks.clone()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = sessions.events();
    hooks.stops("preSessionDelete", "not now");
    let vetoed = sessions.end(&token, EndReason::Revoked).await;
    assert!(matches!(vetoed, Err(SessionError::Vetoed(code)) if code == "not now"));
    assert_eq!(sessions.end_others("u1", None).await.unwrap(), 0);
    assert!(live(&sessions, &token).await.is_some());
    assert!(waiting(&mut events).is_empty());
    hooks.lets("preSessionDelete");
    assert!(sessions.end(&token, EndReason::Revoked).await.unwrap());
}

#[tokio::test]
async fn all_of_a_users_sessions_but_one_end() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &unlimited()).await;
    let mut tokens = Vec::new();
    for _ in 0..20 {
        tokens.push(sessions.create(user("u1"), None).await.unwrap().token.clone());
    }
    let other = sessions.create(user("u2"), None).await.unwrap();
    // Another user's session in the set, which only a mistake puts there, is not ended.
    stage.add(&user_key("u1"), &other.token, PATIENCE).await.unwrap();
    assert_eq!(sessions.end_others("u1", Some(&tokens[7])).await.unwrap(), 19);
    assert_eq!(sessions.of_user("u1").await.unwrap(), [tokens[7].as_str()]);
    assert!(live(&sessions, &other.token).await.is_some());
    assert_eq!(sessions.end_others("u1", None).await.unwrap(), 1);
    assert_eq!(sessions.end_others("u1", None).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_who_end_a_session_at_once_one_tells() {
    let backplane: SharedBackplane = Stage::own();
    let sessions = open(&backplane, &unlimited()).await;
    for _ in 0..50 {
        let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
        let mut events = sessions.events();
        let enders = (0..4).map(|_| {
            let (sessions, token) = (sessions.clone(), token.clone());
            tokio::spawn(async move { sessions.end(&token, EndReason::Logout).await.unwrap() })
        });
        let ended =
            futures::future::join_all(enders).await.into_iter().filter(|ended| *ended.as_ref().unwrap());
        assert_eq!(ended.count(), 1);
        assert!(waiting(&mut events) == [logged_out(&token)]);
    }
}

#[tokio::test]
async fn of_two_hosts_that_end_a_session_at_once_one_tells() {
    let stage = Stage::shared();
    let backplane: SharedBackplane = stage.clone();
    let (here, there) = (open(&backplane, &unlimited()).await, open(&backplane, &unlimited()).await);
    let token = here.create(user("u1"), None).await.unwrap().token.clone();
    let last = here.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = [here.events(), there.events()];
    let hold = stage.hold("delete");
    let ending = tokio::spawn({
        let (here, token) = (here.clone(), token.clone());
        async move { here.end(&token, EndReason::Logout).await.unwrap() }
    });
    hold.arrived().await;
    assert!(there.end(&token, EndReason::Revoked).await.unwrap());
    hold.go();
    assert!(!ending.await.unwrap());
    // Its end is the last that there is to tell.
    assert!(there.end(&last, EndReason::Logout).await.unwrap());
    for events in &mut events {
        assert!(next(events).await == replaced(&token, "u1"));
        assert!(next(events).await == logged_out(&token));
        assert!(next(events).await == logged_out(&last));
        assert!(waiting(events).is_empty());
    }
}

#[tokio::test]
async fn an_end_goes_on_when_nobody_waits_for_it() {
    let stage = Stage::own();
    let backplane: SharedBackplane = stage.clone();
    let sessions = open(&backplane, &SessionConfig::default()).await;
    let token = sessions.create(user("u1"), None).await.unwrap().token.clone();
    let mut events = sessions.events();
    let hold = stage.hold("delete");
    let mut ending = Box::pin(sessions.end(&token, EndReason::Logout));
    assert!(futures::poll!(&mut ending).is_pending());
    hold.arrived().await;
    drop(ending);
    hold.go();
    assert!(next(&mut events).await == logged_out(&token));
    assert!(live(&sessions, &token).await.is_none());
}
