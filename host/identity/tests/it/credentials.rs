//! §5.5, row by row.

use std::collections::HashSet;
use std::time::Instant;

use luckystack_topology::{AccountStrategy, PasswordHash};
use serde_json::{Value, json};

use crate::house::{ANN, IP, PASSWORD, Plan, reason};

#[tokio::test]
async fn a_form_is_checked_in_the_order_of_the_protocol() {
    let house = Plan::new().with(|project| project.rate_limiting.enabled = false).open().await;
    let long = "x".repeat(200);
    let rows = [
        (json!({}), "login.empty"),
        (json!({ "email": " ", "password": PASSWORD }), "login.empty"),
        (json!({ "email": ANN, "password": "" }), "login.empty"),
        (json!({ "email": 7, "password": PASSWORD }), "login.empty"),
        (json!({ "email": ANN, "password": ["x"] }), "login.empty"),
        (json!({ "email": long, "password": "x", "name": long }), "login.emailCharacterLimit"),
        (json!({ "email": "x", "password": "x", "name": long }), "login.nameCharacterLimit"),
        (json!({ "email": "x", "password": "x" }), "login.invalidEmailFormat"),
        (
            json!({ "email": "a@b", "password": "x", "name": "n", "confirmPassword": "y" }),
            "login.invalidEmailFormat",
        ),
        (
            json!({ "email": ANN, "password": "x", "name": "n", "confirmPassword": "y" }),
            "login.passwordCharacterMinimum",
        ),
        (
            json!({ "email": ANN, "password": long, "name": "n", "confirmPassword": "y" }),
            "login.passwordCharacterLimit",
        ),
        (
            json!({ "email": ANN, "password": "password1", "name": "n", "confirmPassword": "y" }),
            "login.passwordTooCommon",
        ),
    ];
    for (input, expected) in rows {
        let reply = house.credentials(input.clone()).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.body, json!({ "status": false, "reason": expected }), "{input}");
        assert!(reply.session.is_none());
    }
    assert!(house.hooks.of("loginFailed").is_empty(), "what is wrong with a form is no failed login");
}

#[tokio::test]
async fn registration_creates_a_user_and_a_session() {
    let house = Plan::new().open().await;
    let reply = house
        .credentials(json!({
            "email": "  Ann@Example.COM ", "password": PASSWORD,
            "name": "<b>Ann & 'Bo'</b>", "confirmPassword": PASSWORD,
        }))
        .await;
    assert_eq!(reply.status, 200);
    let session = reply.session.clone().unwrap();
    let body = &reply.body;
    assert_eq!((&body["status"], &body["authenticated"]), (&json!(true), &json!(true)));
    assert_eq!(body["reason"], "login.userCreated");
    let shown = &body["session"];
    assert_eq!(shown["token"], session.token.as_str());
    assert_eq!(shown["csrfToken"], session.csrf_token.clone().unwrap());
    assert_eq!(shown["email"], ANN);
    assert_eq!(shown["name"], "&lt;b&gt;Ann &amp; &#39;Bo&#39;&lt;/b&gt;");
    assert_eq!(shown["provider"], "credentials");
    assert_eq!((&shown["avatar"], &shown["language"]), (&json!(""), &json!("nl")));
    let colour = shown["avatarFallback"].as_str().unwrap();
    assert!(colour.len() == 7 && colour.starts_with('#'), "{colour}");
    assert_eq!(shown["previousLogin"], Value::Null);
    assert!(shown["lastLogin"].as_str().unwrap().ends_with('Z'));
    for secret in ["password", "totpSecret", "recoveryCodes"] {
        assert!(shown.get(secret).is_none(), "{secret}");
    }
    assert!(house.is_live(&session.token).await);
    let user = house.user(&session.user_id).await;
    assert!(user.text("password").unwrap().starts_with("$argon2id$"));
    assert_eq!(
        house.hooks.order(&["preRegister", "postRegister", "preLogin", "postLogin", "loginFailed"]),
        ["preRegister", "postRegister", "postLogin"]
    );
    assert_eq!(house.hooks.last("preRegister")["email"], ANN);
    assert_eq!(
        house.hooks.last("postRegister"),
        json!({ "userId": session.user_id, "provider": "credentials" })
    );
    assert_eq!(
        house.hooks.last("postLogin"),
        json!({
            "userId": session.user_id, "provider": "credentials",
            "isNewUser": true, "token": session.token,
        })
    );
}

#[tokio::test]
async fn registration_is_refused_in_the_order_of_the_protocol() {
    let mut house = Plan::new().with(|project| project.auth.allow_registration = false).open().await;
    let form = |confirmation: &str| json!({ "email": ANN, "password": PASSWORD, "name": "Ann", "confirmPassword": confirmation });
    assert_eq!(reason(&house.credentials(form("other")).await), "auth.registrationDisabled");
    house.project.auth.allow_registration = true;
    house.identity.reconfigure(&house.project);
    house.hooks.stop("preRegister", "app.notToday");
    assert_eq!(reason(&house.credentials(form("other")).await), "login.passwordNotMatch");
    assert_eq!(reason(&house.credentials(form(PASSWORD)).await), "app.notToday");
    let failures: Vec<Value> = house.hooks.of("loginFailed");
    assert_eq!(failures.len(), 3);
    assert_eq!(
        failures[2],
        json!({
            "email": ANN, "provider": "credentials", "reason": "app.notToday",
            "stage": "register", "requesterIp": IP,
        })
    );
}

#[tokio::test]
async fn an_email_is_registered_once() {
    let house = Plan::new().open().await;
    house.register(ANN).await;
    let again =
        json!({ "email": "ANN@example.com", "password": PASSWORD, "name": "A", "confirmPassword": PASSWORD });
    assert_eq!(reason(&house.credentials(again).await), "login.emailExists");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_register_an_email_at_once_one_succeeds() {
    let house = Plan::new().open().await;
    let form = json!({ "email": ANN, "password": PASSWORD, "name": "Ann", "confirmPassword": PASSWORD });
    let replies = futures::future::join_all((0..8).map(|_| house.credentials(form.clone()))).await;
    let created = replies.iter().filter(|reply| reason(reply) == "login.userCreated").count();
    let refused = replies.iter().filter(|reply| reason(reply) == "login.emailExists").count();
    assert_eq!((created, refused), (1, 7), "{replies:?}");
}

#[tokio::test]
async fn a_login_needs_the_right_password() {
    let house = Plan::new().open().await;
    let (id, first) = house.ann().await;
    let created = house.user(&id).await.text("lastLogin").unwrap().to_owned();
    let wrong = house.log_in(ANN, "wrong horse 1").await;
    assert_eq!(wrong.body, json!({ "status": false, "reason": "login.wrongPassword" }));
    assert_eq!(house.hooks.last("loginFailed")["userId"], id.as_str());
    let unknown = house.log_in("bob@example.com", PASSWORD).await;
    assert_eq!(unknown.body, wrong.body);
    assert!(house.hooks.last("loginFailed").get("userId").is_none());
    let right = house.log_in(" ANN@example.com", PASSWORD).await;
    assert_eq!(reason(&right), "login.loggedIn");
    assert_eq!(right.body["session"]["previousLogin"], created);
    assert_eq!(right.body["session"]["id"], id.as_str());
    assert_ne!(right.body["session"]["token"], first.as_str());
    assert_eq!(house.hooks.last("postLogin")["isNewUser"], false);
    assert!(!house.is_live(&first).await, "one session a user, unless configured otherwise");
}

#[tokio::test]
async fn a_name_without_a_second_password_is_a_login() {
    let house = Plan::new().open().await;
    house.ann().await;
    let reply = house.credentials(json!({ "email": ANN, "password": PASSWORD, "name": "Ann" })).await;
    assert_eq!(reason(&reply), "login.loggedIn");
}

#[tokio::test]
async fn hooks_may_stop_a_login_and_a_session() {
    let house = Plan::new().open().await;
    house.ann().await;
    house.hooks.stop("preSessionCreate", "app.noSession");
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "app.noSession");
    house.hooks.stop("preLogin", "app.closed");
    let reply = house.log_in(ANN, PASSWORD).await;
    assert_eq!(reply.body, json!({ "status": false, "reason": "app.closed" }));
    assert_eq!(house.hooks.last("preLogin"), json!({ "email": ANN, "provider": "credentials" }));
    assert_eq!(house.hooks.last("loginFailed")["stage"], "login");
}

#[tokio::test]
async fn the_session_that_the_browser_had_is_superseded() {
    let house = Plan::new()
        .with(|project| project.session.per_user = luckystack_topology::SessionsPerUser::Multiple)
        .open()
        .await;
    let (_, first) = house.ann().await;
    let other = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    let input = json!({ "email": ANN, "password": PASSWORD });
    let third = house.credentials_as(input, Some(&first), IP).await.session.unwrap().token.clone();
    assert!(!house.is_live(&first).await);
    assert!(house.is_live(&other).await && house.is_live(&third).await);
}

#[tokio::test]
async fn a_browser_is_told_when_it_may_try_again() {
    let house = Plan::new().with(|project| project.rate_limiting.default_api_limit = Some(3)).open().await;
    for _ in 0..3 {
        assert_eq!(reason(&house.log_in("", "").await), "login.empty");
    }
    let reply = house.log_in("", "").await;
    assert_eq!(reply.status, 200);
    let seconds = reply.body["errorParams"][0]["value"].as_u64().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(
        reply.body,
        json!({
            "status": false, "reason": "api.rateLimitExceeded",
            "errorParams": [{ "key": "seconds", "value": seconds }],
        })
    );
    assert_eq!(reason(&house.log_in_from("203.0.113.8", "", "").await), "login.empty");
    assert_eq!(house.counted(&format!("ip:{IP}:auth:credentials")).await, 4);
    assert_eq!(house.hooks.last("rateLimitExceeded")["key"], format!("ip:{IP}:auth:credentials"));
}

#[tokio::test]
async fn without_a_limit_for_routes_the_one_of_passwords_holds() {
    let house = Plan::new().with(|project| project.rate_limiting.default_api_limit = None).open().await;
    for _ in 0..5 {
        assert_eq!(reason(&house.log_in("", "").await), "login.empty");
    }
    assert_eq!(reason(&house.log_in("", "").await), "api.rateLimitExceeded");
}

#[tokio::test]
async fn what_is_switched_off_is_not_there() {
    let mut house = Plan::new().with(|project| project.auth.credentials = false).open().await;
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.providerNotFound");
    assert_eq!(house.identity.providers(), json!({ "providers": [], "emailCodeLogin": false }));
    house.project.auth.credentials = true;
    house.project.auth.email_code_login = true;
    house.identity.reconfigure(&house.project);
    assert_eq!(house.identity.providers(), json!({ "providers": ["credentials"], "emailCodeLogin": true }));
    house.project.auth.enabled = false;
    house.identity.reconfigure(&house.project);
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "auth.disabled");
    assert_eq!(house.identity.providers(), json!({ "providers": [], "emailCodeLogin": false }));
}

#[tokio::test]
async fn a_hash_of_another_kind_is_replaced_at_login() {
    let mut house = Plan::new()
        .with(|project| {
            project.auth.passwords = PasswordHash::Bcrypt;
            project.auth.bcrypt_rounds = 4;
        })
        .open()
        .await;
    let (id, _) = house.ann().await;
    assert!(house.user(&id).await.text("password").unwrap().starts_with("$2"));
    house.project.auth.passwords = PasswordHash::Argon2id;
    house.identity.reconfigure(&house.project);
    assert_eq!(reason(&house.log_in(ANN, "wrong horse 1").await), "login.wrongPassword");
    assert!(house.user(&id).await.text("password").unwrap().starts_with("$2"));
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
    assert!(house.user(&id).await.text("password").unwrap().starts_with("$argon2id$"));
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
}

#[tokio::test]
async fn an_account_of_another_provider_has_no_password() {
    for strategy in [AccountStrategy::PerProvider, AccountStrategy::Unified] {
        let house = Plan::new().with(|project| project.auth.account_strategy = strategy).open().await;
        let new = luckystack_users::NewUser {
            email: ANN.to_owned(),
            name: "Ann".to_owned(),
            provider: "google".to_owned(),
            ..Default::default()
        };
        house.users.create(new, false).await.unwrap();
        assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.wrongPassword");
        let form = json!({ "email": ANN, "password": PASSWORD, "name": "Ann", "confirmPassword": PASSWORD });
        let expected = match strategy {
            AccountStrategy::PerProvider => "login.userCreated",
            AccountStrategy::Unified => "login.emailExists",
        };
        assert_eq!(reason(&house.credentials(form).await), expected);
    }
}

#[tokio::test]
async fn a_logout_may_be_vetoed() {
    let house = Plan::new().open().await;
    let (id, token) = house.ann().await;
    house.hooks.stop("preLogout", "app.stay");
    assert!(!house.identity.logout(&token).await);
    assert!(house.is_live(&token).await && house.hooks.of("postLogout").is_empty());
    assert_eq!(house.hooks.last("preLogout"), json!({ "userId": id, "token": token }));
    assert!(house.identity.logout("nobody").await);
}

#[tokio::test]
async fn a_logout_ends_the_session() {
    let house = Plan::new().open().await;
    let (id, token) = house.ann().await;
    assert!(house.identity.logout(&token).await);
    assert!(!house.is_live(&token).await);
    assert_eq!(house.hooks.last("postLogout"), json!({ "userId": id, "token": token }));
}

#[tokio::test]
async fn colours_differ_between_people() {
    let house = Plan::new().open().await;
    let mut colours = HashSet::new();
    for n in 0..5 {
        let reply = house.register(&format!("p{n}@example.com")).await;
        colours.insert(reply.body["session"]["avatarFallback"].to_string());
    }
    assert!(colours.len() > 1);
}

/// Generous: what is looked for is the factor of a hundred between a check and none.
#[tokio::test]
async fn an_unknown_user_takes_as_long_as_a_known_one() {
    let house = Plan::new()
        .with(|project| {
            project.rate_limiting.enabled = false;
            project.rate_limiting.auth.enabled = false;
        })
        .open()
        .await;
    house.ann().await;
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    let long = "x".repeat(5000);
    for _ in 0..15 {
        let tries = [(ANN, "wrong horse 1"), ("bob@example.com", PASSWORD), (ANN, long.as_str())];
        for ((email, password), times) in tries.into_iter().zip(&mut times) {
            let begin = Instant::now();
            assert_eq!(reason(&house.log_in(email, password).await), "login.wrongPassword");
            times.push(begin.elapsed());
        }
    }
    let [known, unknown, too_long] = times.map(|mut times| {
        times.sort();
        times[times.len() / 2].as_secs_f64()
    });
    for other in [unknown, too_long] {
        assert!((0.4..2.5).contains(&(other / known)), "known {known}, other {other}");
    }
}
