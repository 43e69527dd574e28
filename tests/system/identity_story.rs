//! Somebody registers, comes back, leaves, and survives a restart: in both modes, over every store.

use luckystack_tests::{Account, Answer, Call, Mode, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{CHANGE, MINE, OPEN, door, is_hex, is_secret, kept_in, restart};

macro_rules! stories {
    ($($name:ident: $mode:ident in $store:literal;)*) => {$(
        #[tokio::test]
        async fn $name() {
            story(Mode::$mode, $store).await;
        }
    )*};
}

stories! {
    with_cookies_in_memory: Cookie in "memory";
    with_cookies_in_sqlite: Cookie in "sqlite";
    with_cookies_in_redis: Cookie in "redis";
    with_tokens_in_memory: Token in "memory";
    with_tokens_in_sqlite: Token in "sqlite";
    with_tokens_in_redis: Token in "redis";
}

async fn story(mode: Mode, store: &str) {
    let project = door().set(&format!("session.based_token={}", mode == Mode::Token));
    let (project, _redis) = kept_in(project, store).await;
    let mut host = project.serve(&[]).await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::with_mode(&host, mode);

    // A stranger.
    assert_eq!(visitor.session().await, Value::Null);
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    assert_eq!(visitor.send(Call::get(OPEN)).await.result(), "in");

    // Comes in.
    let answer = visitor.submit(&ann.registration()).await;
    assert_handed_out(&answer, mode, "login.userCreated");
    let registered = answer.json()["session"].clone();
    assert_eq!(registered["previousLogin"], Value::Null);
    assert_session(&registered, &ann);
    assert_eq!(registered["token"], visitor.token().unwrap());
    let mut shown = registered.clone();
    for secret in ["token", "csrfToken"] {
        shown.as_object_mut().unwrap().remove(secret);
    }
    assert_eq!(visitor.session().await, shown, "handlers see what the login said");
    assert_eq!(visitor.send(Call::get(MINE)).await.status, 200);
    assert_eq!(visitor.post(CHANGE, &json!({})).await.status, 200);

    // Leaves, and his token with him.
    let left = visitor.clone();
    let answer = visitor.log_out().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "success", "result": true })));
    assert_eq!(visitor.cookie("token"), None, "the cookie was taken away");
    for mut visitor in [visitor.clone(), left] {
        assert_eq!(visitor.session().await, Value::Null);
        visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    }

    // Comes back.
    let answer = visitor.submit(&ann.login()).await;
    assert_handed_out(&answer, mode, "login.loggedIn");
    let session = answer.json()["session"].clone();
    assert_session(&session, &ann);
    assert_eq!(session["id"], registered["id"]);
    assert_eq!(session["previousLogin"], registered["lastLogin"], "when he was here last");
    for secret in ["token", "csrfToken"] {
        assert_ne!(session[secret], registered[secret], "a login gets a {secret} of its own");
    }

    // Once more in the same browser: the old token is not good for anything.
    let before = visitor.clone();
    visitor.log_in(&ann).await;
    assert_ne!(visitor.token(), before.token());
    before.clone().send(Call::get(MINE)).await.assert_error(401, "auth.required");
    assert_eq!(visitor.send(Call::get(MINE)).await.status, 200);

    // From another browser: one session a user.
    let mut other = Visitor::with_mode(&host, mode);
    other.log_in(&ann).await;
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    assert_eq!(visitor.session().await, Value::Null);
    assert_eq!(other.session().await["name"], "Ann");

    // The host stops and starts.
    host = restart(host, &project).await;
    let mut other = other.at(&host);
    let remembered = other.session().await;
    match store {
        "memory" => {
            assert_eq!(remembered, Value::Null, "this store is gone with its process");
            other.log_in(&ann).await;
        }
        _ => assert_eq!(remembered["name"], "Ann", "a restart logs nobody out"),
    }
    assert_eq!(other.post(CHANGE, &json!({})).await.status, 200, "and its CSRF token is known");
    let mut visitor = visitor.at(&host);
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
}

/// The session travels where the mode says, and nowhere else.
#[track_caller]
fn assert_handed_out(answer: &Answer, mode: Mode, reason: &str) {
    let body = answer.json();
    assert_eq!((answer.status, &body["reason"]), (200, &json!(reason)), "{body}");
    let mut keys: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["authenticated", "reason", "session", "status"]);
    assert_eq!((&body["status"], &body["authenticated"]), (&json!(true), &json!(true)));
    assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"));
    let token = body["session"]["token"].as_str().unwrap();
    let cookie = answer.header("set-cookie");
    let header = answer.header("x-session-token");
    match mode {
        Mode::Token => assert_eq!((cookie, header), (None, Some(token))),
        Mode::Cookie => {
            assert_eq!(header, None);
            let expected = format!("token={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800;");
            // A client may take the blank at the end for padding.
            assert_eq!(cookie.map(str::trim_end), Some(&*expected));
        }
    }
}

/// The session object of a login (wire protocol §5.2).
#[track_caller]
fn assert_session(session: &Value, account: &Account) {
    assert_eq!(
        (&session["email"], &session["name"], &session["provider"], &session["avatar"]),
        (&json!(account.email), &json!(account.name), &json!("credentials"), &json!("")),
        "{session}"
    );
    assert!(session["id"].as_str().is_some_and(|id| !id.is_empty()), "{session}");
    assert_eq!(session["language"], "en");
    let colour = session["avatarFallback"].as_str().unwrap();
    let digits = colour.strip_prefix('#').unwrap();
    assert!(digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{colour}");
    assert!(is_hex(session["token"].as_str().unwrap()) && is_secret(&session["csrfToken"]), "{session}");
    for date in ["lastLogin", "previousLogin"] {
        let date = &session[date];
        assert!(date.is_null() || date.as_str().is_some_and(is_iso_date), "{date}");
    }
    for secret in ["password", "totpSecret", "recoveryCodes"] {
        assert_eq!(session.get(secret), None);
    }
}

/// `2026-01-31T12:34:56.789Z`, as JavaScript writes dates.
fn is_iso_date(text: &str) -> bool {
    let form = "dddd-dd-ddTdd:dd:dd.dddZ";
    text.len() == form.len()
        && text.chars().zip(form.chars()).all(|(have, want)| match want {
            'd' => have.is_ascii_digit(),
            other => have == other,
        })
}
