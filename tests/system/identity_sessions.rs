//! How many sessions somebody may have, and what is kept of them (wire protocol §5.1 to 5.3).

use luckystack_tests::{Account, Call, Project, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{MINE, assert_failure, door};

/// Logs somebody in from so many browsers, one after the other.
async fn crowd(project: Project, size: usize) -> (luckystack_tests::Host, Vec<Visitor>) {
    let host = project.start().await;
    let ann = Account::of("Ann");
    let mut browsers = vec![Visitor::of(&host)];
    browsers[0].register(&ann).await;
    for _ in 1..size {
        let mut browser = Visitor::of(&host);
        browser.log_in(&ann).await;
        browsers.push(browser);
    }
    (host, browsers)
}

/// Which of them are signed in.
async fn signed_in(browsers: &[Visitor]) -> Vec<bool> {
    let mut all = Vec::new();
    for browser in browsers {
        all.push(browser.clone().send(Call::get(MINE)).await.status == 200);
    }
    all
}

#[tokio::test]
async fn single_is_the_default_and_the_last_login_wins() {
    let (_host, browsers) = crowd(door(), 3).await;
    assert_eq!(signed_in(&browsers).await, [false, false, true]);
}

#[tokio::test]
async fn multiple_sessions_have_no_limit_unless_one_is_set() {
    let (_host, browsers) = crowd(door().set("session.per_user=multiple"), 6).await;
    assert_eq!(signed_in(&browsers).await, [true; 6]);
}

#[tokio::test]
async fn over_the_limit_the_oldest_session_ends() {
    let project = door().set("session.per_user=multiple").set("session.max_concurrent_per_user=2");
    let (host, mut browsers) = crowd(project, 4).await;
    assert_eq!(signed_in(&browsers).await, [false, false, true, true]);
    // The same browser once more ends its own session and no other.
    let ann = Account::of("Ann");
    browsers[3].log_in(&ann).await;
    assert_eq!(signed_in(&browsers).await, [false, false, true, true]);
    // Others are none of its business.
    let mut bob = Visitor::of(&host);
    bob.register(&Account::of("Bob")).await;
    assert_eq!(signed_in(&browsers).await, [false, false, true, true]);
}

#[tokio::test]
async fn over_the_limit_a_login_can_be_refused_instead() {
    let project = door()
        .set("session.per_user=multiple")
        .set("session.max_concurrent_per_user=2")
        .set("session.on_conflict=reject-new");
    let (host, mut browsers) = crowd(project, 2).await;
    let ann = Account::of("Ann");
    let mut third = Visitor::of(&host);
    assert_failure(&third.submit(&ann.login()).await, 200, "login.sessionLimitReached");
    assert_eq!(signed_in(&browsers).await, [true, true]);
    browsers[1].log_in(&ann).await;
    assert_eq!(signed_in(&browsers).await, [true, true], "a browser replaces its own session");
    browsers[0].log_out().await;
    third.log_in(&ann).await;
    assert_eq!(signed_in(&browsers).await, [false, true]);
}

#[tokio::test]
async fn many_logins_at_once_leave_one_session() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let (host, ann) = (&host, &ann);
    let logins = (0..6).map(|number| async move {
        let mut browser = Visitor::of(host).from(&format!("10.0.0.{number}"));
        browser.log_in(ann).await;
        browser
    });
    let browsers = futures::future::join_all(logins).await;
    let left = signed_in(&browsers).await;
    assert_eq!(left.iter().filter(|signed_in| **signed_in).count(), 1, "{left:?}");
}

#[tokio::test]
async fn two_registrations_at_once_make_one_account() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    let registrations = (0..4).map(|_| async { Visitor::of(&host).submit(&ann.registration()).await });
    let mut reasons: Vec<Value> = Vec::new();
    for answer in futures::future::join_all(registrations).await {
        reasons.push(answer.json()["reason"].clone());
    }
    reasons.sort_by_key(Value::to_string);
    let taken = json!("login.emailExists");
    assert_eq!(reasons, [taken.clone(), taken.clone(), taken, json!("login.userCreated")]);
}

/// Killed in the middle of its work, as by a power cut of the process.
#[tokio::test]
async fn a_crash_forgets_neither_a_login_nor_a_logout() {
    let project = door().set("backplane.store=sqlite").set("session.per_user=multiple");
    let ann = Account::of("Ann");
    let mut host = project.serve(&[]).await;
    let (mut stays, mut leaves) = (Visitor::of(&host), Visitor::of(&host));
    stays.register(&ann).await;
    leaves.log_in(&ann).await;
    let left = leaves.clone();
    leaves.log_out().await;
    host.kill().await;
    let host = project.serve(&[]).await;
    assert_eq!(signed_in(&[stays.at(&host), left.at(&host)]).await, [true, false]);
}

#[tokio::test]
async fn a_session_ends_when_nobody_comes_and_lives_on_when_somebody_does() {
    let host = door().set("session.expiry=\"3s\"").set("session.per_user=multiple").start().await;
    let ann = Account::of("Ann");
    let (mut busy, mut idle) = (Visitor::of(&host), Visitor::of(&host));
    busy.register(&ann).await;
    idle.log_in(&ann).await;
    // Twice as long as a session lives unless it is used.
    let ends = tokio::time::Instant::now() + std::time::Duration::from_secs(6);
    while tokio::time::Instant::now() < ends {
        assert_eq!(busy.send(Call::get(MINE)).await.status, 200, "used all the time");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    idle.send(Call::get(MINE)).await.assert_error(401, "auth.required");
}
