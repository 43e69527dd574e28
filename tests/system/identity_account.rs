//! The settings page: what people change of their account, through a service that was granted it.

use luckystack_tests::guests::Guest;
use luckystack_tests::{Account, Call, Host, Project, RedisServer, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{MINE, assert_failure, door, restart};

/// With the sample's routes of a settings page.
fn with_settings_page() -> Project {
    door()
        .guest(Guest::Account)
        .service("system", "[service.system.grants]\naccounts = true\nuploads = true")
        .set("app.public_url=https://app.example.com")
        .set("auth.forgot_password=true")
        .set("session.per_user=multiple")
}

fn route(name: &str) -> String {
    format!("/api/system/{name}/v1")
}

/// The token of the `number`th link that was sent by e-mail, from 1.
async fn mailed_link(host: &Host, page: &str, number: usize) -> String {
    let line = host.wait_for_log_line(&format!("https://app.example.com{page}?token="), number).await;
    line.split("?token=").nth(1).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_profile_changed_at_one_host_is_seen_at_the_other() {
    let redis = RedisServer::start().await;
    let project = || with_settings_page().set(&format!("backplane.url={}", redis.url()));
    let a = project().start().await;
    let b = project().beside(&a).start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&a);
    visitor.register(&ann).await;
    let mut second = Visitor::of(&a);
    second.log_in(&ann).await;
    let mut there = second.at(&b);
    assert_eq!(there.session().await["name"], "Ann");
    let changed =
        visitor.post(&route("updateUser"), &json!({ "name": "Anna", "theme": "dark" })).await.result();
    assert_eq!(changed["name"], "Anna");
    for secret in ["password", "totpSecret", "recoveryCodes", "csrfToken", "token"] {
        assert_eq!(changed.get(secret), None);
    }
    assert_eq!(visitor.session().await["name"], "Anna");
    let started = std::time::Instant::now();
    while there.session().await["name"] != "Anna" {
        assert!(started.elapsed() < std::time::Duration::from_secs(10), "{}", there.session().await);
    }
    assert_eq!(there.session().await["theme"], "dark");
    // And at the next login.
    assert_eq!(Visitor::of(&a).log_in(&ann).await["theme"], "dark");
}

/// Whoever is still writing to a session while it ends does not bring it back.
#[tokio::test]
async fn a_session_that_ends_while_it_is_written_to_has_ended() {
    let redis = RedisServer::start().await;
    let project = || with_settings_page().set(&format!("backplane.url={}", redis.url()));
    let a = project().start().await;
    let b = project().beside(&a).start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&a);
    visitor.register(&ann).await;
    for round in 0..10 {
        let ended = format!("luckystack-session:{}", visitor.token().unwrap());
        let writes = (0..4).map(|number| {
            // The accounts of these hosts are their own; the sessions are not.
            let mut writer = visitor.at(if number % 2 == 0 { &a } else { &b });
            async move {
                for theme in ["dark", "light", "dark"] {
                    writer.post(&route("updateUser"), &json!({ "theme": theme })).await;
                }
            }
        });
        let mut leaver = visitor.at(if round % 2 == 0 { &a } else { &b });
        let (left, _) = tokio::join!(leaver.log_out(), futures::future::join_all(writes));
        assert_eq!(left.status, 200);
        assert_eq!(redis.command(&["EXISTS", &ended]).await.trim(), ":0", "round {round}");
        let mut stale = visitor.at(&a);
        assert_eq!(stale.send(Call::get(MINE)).await.status, 401, "round {round}");
        visitor = Visitor::of(&a);
        visitor.log_in(&ann).await;
    }
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() {
    let host = with_settings_page().start().await;
    let mut ann = Account::of("Ann");
    let (mut visitor, mut other) = (Visitor::of(&host), Visitor::of(&host));
    visitor.register(&ann).await;
    other.log_in(&ann).await;
    let change = |current: &str, new: &str| json!({ "currentPassword": current, "newPassword": new, "confirmPassword": new });
    let path = route("changePassword");
    for (current, new, code) in [
        ("wrong password", "another password", "login.wrongPassword"),
        (&*ann.password, "short", "login.passwordCharacterMinimum"),
        (&*ann.password, "password", "login.passwordTooCommon"),
        ("", "another password", "login.empty"),
    ] {
        assert_eq!(visitor.post(&path, &change(current, new)).await.code(), code);
    }
    assert_eq!(other.session().await["name"], "Ann");
    assert_eq!(visitor.post(&path, &change(&ann.password, "another password")).await.status, 200);
    assert_eq!(visitor.session().await["name"], "Ann", "this one goes on");
    assert_eq!(other.session().await, Value::Null, "the others end");
    assert_failure(&other.submit(&ann.login()).await, 200, "login.wrongPassword");
    ann.password = "another password".to_owned();
    other.log_in(&ann).await;
}

#[tokio::test]
async fn a_forgotten_password_is_replaced_by_a_link_once() {
    let project = with_settings_page();
    let mut host = project.serve(&[]).await;
    let mut ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    let ask = json!({ "email": ann.email });
    // Where the link leads is configured, whatever a request says of the host.
    let mut asker = Visitor::of(&host)
        .header("x-forwarded-host", "evil.example")
        .header("forwarded", "host=evil.example");
    let asked = asker.post(&route("requestPasswordReset"), &ask).await;
    let unknown = json!({ "email": "nobody@example.com" });
    let for_nobody = Visitor::of(&host).post(&route("requestPasswordReset"), &unknown).await;
    assert_eq!((asked.status, asked.text()), (for_nobody.status, for_nobody.text()), "the same for anybody");
    assert_eq!(asked.status, 200, "{}", asked.text());
    let token = mailed_link(&host, "/reset-password", 1).await;
    assert!(!host.log().contains("to nobody@example.com") && !host.log().contains("evil.example"));

    host = restart(host, &project).await;
    let reset =
        |token: &str, new: &str| json!({ "token": token, "newPassword": new, "confirmPassword": new });
    let path = route("resetPassword");
    let mut stranger = Visitor::of(&host);
    for (token, new, code) in [
        ("nonsense", "another password", "account.tokenInvalid"),
        (&*token, "short", "login.passwordCharacterMinimum"),
        (&token[1..], "another password", "account.tokenInvalid"),
    ] {
        assert_eq!(stranger.post(&path, &reset(token, new)).await.code(), code);
    }
    assert_eq!(stranger.post(&path, &reset(&token, "another password")).await.status, 200);
    assert_eq!(stranger.post(&path, &reset(&token, "a third password")).await.code(), "account.tokenInvalid");
    assert_eq!(visitor.at(&host).session().await, Value::Null, "all sessions have ended");
    assert_failure(&stranger.submit(&ann.login()).await, 200, "login.wrongPassword");
    ann.password = "another password".to_owned();
    stranger.log_in(&ann).await;
}

#[tokio::test]
async fn an_address_is_changed_by_whoever_reads_the_new_one() {
    let host = with_settings_page().start().await;
    let mut ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    Visitor::of(&host).register(&Account::of("Bob")).await;
    let asked = visitor.post(&route("requestEmailChange"), &json!({ "newEmail": "Anna@Example.com" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let token = mailed_link(&host, "/confirm-email-change", 1).await;
    assert_eq!(visitor.session().await["email"], ann.email, "not yet");
    let confirm = json!({ "token": token });
    let answer = Visitor::of(&host).post(&route("confirmEmailChange"), &confirm).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let again = Visitor::of(&host).post(&route("confirmEmailChange"), &confirm).await;
    assert_eq!(again.code(), "account.tokenInvalid");
    assert_failure(&Visitor::of(&host).submit(&ann.login()).await, 200, "login.wrongPassword");
    ann.email = "anna@example.com".to_owned();
    assert_eq!(Visitor::of(&host).log_in(&ann).await["email"], "anna@example.com");
}

#[tokio::test]
async fn a_deleted_account_is_gone_with_its_sessions_and_its_picture() {
    let host = with_settings_page().start().await;
    let ann = Account::of("Ann");
    let (mut visitor, mut other) = (Visitor::of(&host), Visitor::of(&host));
    visitor.register(&ann).await;
    other.log_in(&ann).await;
    // One white pixel.
    let image =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";
    let put = visitor.post(&route("uploadAvatar"), &json!({ "image": image })).await;
    let name = put.result()["avatar"].as_str().unwrap().to_owned();
    let picture = host.get(&format!("/uploads/{name}")).await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/webp")));
    assert!(picture.body.starts_with(b"RIFF"));
    assert_eq!(visitor.session().await["avatar"], *name);

    for (confirmation, password, code) in
        [("delete", &*ann.password, "auth.forbidden"), ("DELETE", "wrong password", "login.wrongPassword")]
    {
        let body = json!({ "confirmation": confirmation, "password": password });
        assert_eq!(visitor.post(&route("deleteAccount"), &body).await.code(), code);
    }
    assert_eq!(other.send(Call::get(MINE)).await.status, 200);
    let body = json!({ "confirmation": "DELETE", "password": ann.password });
    assert_eq!(visitor.post(&route("deleteAccount"), &body).await.status, 200);
    for visitor in [&mut visitor, &mut other] {
        assert_eq!(visitor.session().await, Value::Null);
    }
    assert_eq!(host.get(&format!("/uploads/{name}")).await.status, 404);
    assert_failure(&visitor.submit(&ann.login()).await, 200, "login.wrongPassword");
    visitor.register(&ann).await;
}

/// Without the grant a service changes nobody, not even with the code for it.
#[tokio::test]
async fn a_service_without_the_grant_reaches_no_account() {
    let host = door().guest(Guest::Account).start().await;
    let mut visitor = Visitor::of(&host);
    visitor.register(&Account::of("Ann")).await;
    let answer = visitor.post(&route("updateUser"), &json!({ "name": "Anna" })).await;
    assert_ne!(answer.status, 200, "{}", answer.text());
    assert_eq!(visitor.session().await["name"], "Ann");
}

#[tokio::test]
async fn accounts_can_be_kept_by_a_component() {
    let project = door()
        .guest(Guest::Accounts)
        .service("accounts", "[service.accounts.grants]\nkeyvalue = true")
        .set("users.component=accounts");
    let host = project.serve(&[]).await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    let registered = visitor.register(&ann).await;
    assert_eq!(visitor.session().await["name"], "Ann");
    let other = json!({ "email": ann.email, "password": "another password" });
    assert_failure(&Visitor::of(&host).submit(&other).await, 200, "login.wrongPassword");
    assert_failure(&Visitor::of(&host).submit(&ann.registration()).await, 200, "login.emailExists");
    let unknown = json!({ "email": "nobody@example.com", "password": "another password" });
    assert_failure(&Visitor::of(&host).submit(&unknown).await, 200, "login.wrongPassword");
    visitor.log_out().await;
    assert_eq!(visitor.log_in(&ann).await["id"], registered["id"]);
    assert_eq!(host.get("/readyz").await.json()["checks"]["database"], true);
}
