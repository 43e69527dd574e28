//! Guessing passwords comes to an end.

use std::sync::Arc;

use luckystack_backplane::Sqlite;
use serde_json::json;

use crate::house::{ANN, IP, PASSWORD, Plan, reason};

const WRONG: &str = "wrong horse 1";

#[tokio::test]
async fn after_five_wrong_passwords_the_right_one_is_refused() {
    let house = Plan::new().open().await;
    house.ann().await;
    for _ in 0..5 {
        assert_eq!(reason(&house.log_in(ANN, WRONG).await), "login.wrongPassword");
    }
    let locked = house.log_in(ANN, PASSWORD).await;
    assert_eq!(locked.body, json!({ "status": false, "reason": "login.accountLocked" }));
    assert_eq!(house.hooks.last("loginFailed")["reason"], "login.accountLocked");
    let elsewhere = house.log_in_from("203.0.113.99", ANN, PASSWORD).await;
    assert_eq!(reason(&elsewhere), "login.loggedIn", "another address is not locked out");
}

#[tokio::test]
async fn a_name_that_nobody_has_is_locked_alike() {
    let house = Plan::new().open().await;
    for _ in 0..5 {
        assert_eq!(reason(&house.log_in("nobody@example.com", WRONG).await), "login.wrongPassword");
    }
    assert_eq!(reason(&house.log_in("nobody@example.com", WRONG).await), "login.accountLocked");
    let form = json!({
        "email": "nobody@example.com", "password": PASSWORD, "name": "N", "confirmPassword": PASSWORD,
    });
    assert_eq!(reason(&house.credentials(form).await), "login.accountLocked");
}

#[tokio::test]
async fn a_right_password_forgets_the_wrong_ones() {
    let house = Plan::new().open().await;
    house.ann().await;
    for _ in 0..3 {
        for _ in 0..4 {
            assert_eq!(reason(&house.log_in(ANN, WRONG).await), "login.wrongPassword");
        }
        assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
    }
    assert_eq!(house.counted(&format!("auth:{ANN}")).await, 0);
    assert_eq!(house.counted(&format!("auth:{ANN}:{IP}")).await, 0);
}

#[tokio::test]
async fn an_account_is_locked_for_all_addresses_after_many_wrong_passwords() {
    let house =
        Plan::new().with(|project| project.rate_limiting.auth.max_attempts_per_account = 7).open().await;
    house.ann().await;
    // One address alone cannot use up what the account has.
    for _ in 0..20 {
        house.log_in(ANN, WRONG).await;
    }
    assert_eq!(house.counted(&format!("auth:{ANN}")).await, 5);
    for last in 1..=2 {
        let reply = house.log_in_from(&format!("203.0.113.{last}"), ANN, WRONG).await;
        assert_eq!(reason(&reply), "login.wrongPassword");
    }
    assert_eq!(reason(&house.log_in_from("203.0.113.3", ANN, PASSWORD).await), "login.accountLocked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_guesses_at_once_are_a_hundred_guesses() {
    let house = Plan::new().with(|project| project.rate_limiting.enabled = false).open().await;
    house.ann().await;
    let replies = futures::future::join_all((0..100).map(|_| house.log_in(ANN, WRONG))).await;
    let looked_at = replies.iter().filter(|reply| reason(reply) != "login.accountLocked").count();
    assert!(looked_at <= 5, "{looked_at} passwords were looked at");
}

#[tokio::test]
async fn it_can_be_switched_off() {
    let house = Plan::new().with(|project| project.rate_limiting.auth.enabled = false).open().await;
    house.ann().await;
    for _ in 0..8 {
        assert_eq!(reason(&house.log_in(ANN, WRONG).await), "login.wrongPassword");
    }
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
}

#[tokio::test]
async fn a_restart_does_not_forget() {
    let mut plan = Plan::new();
    let file = plan.dir.path().join("backplane.db");
    plan.backplane = Arc::new(Sqlite::open(&file).await.unwrap());
    let house = plan.open().await;
    house.ann().await;
    for _ in 0..5 {
        assert_eq!(reason(&house.log_in(ANN, WRONG).await), "login.wrongPassword");
    }
    house.backplane.close().await;
    house.users.close().await;
    let mut plan = Plan::new();
    plan.dir = house.dir;
    plan.project = house.project;
    drop((house.identity, house.backplane, house.users));
    plan.backplane = Arc::new(Sqlite::open(&file).await.unwrap());
    let house = plan.open().await;
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.accountLocked");
    assert_eq!(house.counted(&format!("ip:{IP}:auth:credentials")).await, 7);
}
