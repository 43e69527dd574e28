//! What a host writes while people log in, with every line that it can write: no secret is in it.

use luckystack_tests::authenticator::Authenticator;
use luckystack_tests::{Account, Call, Mode, RedisServer, Visitor};
use serde_json::json;

use crate::identity_door::{CHANGE, MINE, door, mailed_code};
use crate::identity_oauth::{BEGIN, acme, begin, way_back};

#[tokio::test]
async fn no_secret_is_written_anywhere() {
    let redis = RedisServer::start().await;
    let (provider, project) = acme(door()).await;
    let host = project
        .set(&format!("backplane.url={}", redis.url()))
        .set("auth.email_code_login=true")
        .set("auth.two_factor=true")
        .set("session.per_user=multiple")
        .set("http.accept_bearer_in_cookie_mode=true")
        .env("TOTP_ENCRYPTION_KEY", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=")
        .start_with(&["-vv"])
        .await;
    let mut secrets: Vec<(&str, String)> = vec![
        ("the client's secret", provider.client_secret().to_owned()),
        ("a hash", "$argon2".to_owned()),
        ("the key", "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs".to_owned()),
    ];
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    let session = visitor.register(&ann).await;
    secrets.push(("a password", ann.password.clone()));
    let note = |secrets: &mut Vec<(&str, String)>, what, value: &serde_json::Value| {
        secrets.push((what, value.as_str().unwrap().to_owned()));
    };
    note(&mut secrets, "a token", &session["token"]);
    note(&mut secrets, "a CSRF token", &session["csrfToken"]);
    visitor.send(Call::get(MINE)).await;
    visitor.post(CHANGE, &json!({})).await;
    visitor.send(Call::post(CHANGE).json(&json!({})).header("x-csrf-token", "guessed-proof")).await;
    secrets.push(("a guessed CSRF token", "guessed-proof".to_owned()));

    // What people type by mistake is often a password of theirs.
    visitor.submit(&json!({ "email": ann.email, "password": "typed-by-mistake" })).await;
    visitor.submit(&json!({ "email": "typed-in-the-wrong-field", "password": "x" })).await;
    secrets.push(("a wrong password", "typed-by-mistake".to_owned()));
    host.send(Call::get("/auth/api/credentials?email=a&password=typed-in-a-link")).await;
    secrets.push(("a password in a link", "typed-in-a-link".to_owned()));
    host.send(Call::post("/auth/api/credentials").body("application/json", "{\"password\":\"typed-badly\""))
        .await;
    secrets.push(("a password in broken JSON", "typed-badly".to_owned()));
    for (what, header, value) in [
        ("an unknown token in a cookie", "cookie", "token=unknown-token-in-a-cookie"),
        ("an unknown token in a header", "authorization", "Bearer unknown-token-in-a-header"),
    ] {
        host.send(Call::get(MINE).header(header, value)).await;
        secrets.push((what, value.rsplit(['=', ' ']).next().unwrap().to_owned()));
    }

    // In a header.
    let mut by_token = Visitor::with_mode(&host, Mode::Token);
    let session = by_token.log_in(&ann).await;
    note(&mut secrets, "a token", &session["token"]);
    by_token.send(Call::get(MINE)).await;

    // A second factor.
    let setup = visitor.post("/auth/api/2fa/setup", &json!({})).await.json();
    note(&mut secrets, "an authenticator's secret", &setup["secret"]);
    let authenticator = Authenticator::scan(setup["otpauthUri"].as_str().unwrap());
    let enabled = visitor.post("/auth/api/2fa/enable", &json!({ "code": authenticator.code() })).await.json();
    for code in enabled["recoveryCodes"].as_array().unwrap() {
        note(&mut secrets, "a recovery code", code);
    }
    let mut other = Visitor::of(&host);
    let asked = other.submit(&ann.login()).await.json();
    note(&mut secrets, "a challenge", &asked["challengeToken"]);
    let answer = json!({
        "challengeToken": asked["challengeToken"], "code": enabled["recoveryCodes"][0], "method": "recovery-code",
    });
    let session = other.submit_to("/auth/api/2fa", &answer).await.json()["session"].clone();
    note(&mut secrets, "a token", &session["token"]);

    // A code by e-mail: shown in development, in the message and nowhere else.
    let bob = Account::of("Bob");
    Visitor::of(&host).register(&bob).await;
    let mut bob_there = Visitor::of(&host);
    bob_there.submit_to("/auth/api/email-code/request", &json!({ "email": bob.email })).await;
    let code = mailed_code(&host, 1).await;
    bob_there.submit_to("/auth/api/email-code/verify", &json!({ "email": bob.email, "code": code })).await;

    // By a provider.
    let mut jane = Visitor::of(&host);
    let location = begin(&mut jane, BEGIN).await;
    secrets.push(("a nonce", jane.cookie("ls-oauth-state").unwrap().to_owned()));
    let callback = provider.log_in(&location, "jane").await;
    for part in ["code", "state"] {
        let value = callback.split(&format!("{part}=")).nth(1).unwrap().split('&').next().unwrap();
        secrets.push(("a part of the way back", value.to_owned()));
    }
    assert_eq!(jane.send(Call::get(way_back(&callback))).await.status, 302);
    secrets.push(("a token", jane.token().unwrap().to_owned()));

    visitor.log_out().await;
    let mut host = host;
    host.terminate();
    assert!(host.exit().await.success());
    let written = format!("{}\n{}", host.banner(), host.log());
    assert!(written.contains("TRACE") || written.contains("DEBUG"), "that was to be every line");
    for line in written.lines() {
        for (what, secret) in &secrets {
            assert!(!line.contains(secret.as_str()), "{what} is in the log: {line}");
        }
        let is_message = line.starts_with("        |     ");
        assert!(is_message || !line.contains(&format!(" {code}")), "a code is in the log: {line}");
    }
}
