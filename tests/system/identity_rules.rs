//! Who may do what: auth rules, the origin gate, CSRF, and what the probes and the reset say.

use luckystack_tests::{Account, Act, Answer, Call, Forge, Mode, Project, Visitor, wire};
use serde_json::{Value, json};

use crate::identity_door::{CHANGE, MINE, OPEN, assert_failure, door, kept_in, route};

/// Routes that trap as soon as anything of them runs, each with an input that must have a number.
fn guarded() -> Project {
    let input = json!({ "type": "object", "properties": { "n": { "type": "number" } }, "required": ["n"] });
    let rule = |name: &str, auth: Value| {
        let mut route = route(name, "POST", auth);
        route["input"] = input.clone();
        route["validation"] = json!("strict");
        route
    };
    let with = |login: bool, condition: Value| json!({ "login": login, "additional": [condition] });
    let forge = Forge::new("vault", "vault")
        .route(rule("login", json!({ "login": true })))
        .route(rule("admin", with(true, json!({ "key": "admin", "value": true }))))
        .route(rule("provider", with(true, json!({ "key": "provider", "value": "credentials" }))))
        .route(rule("text", with(true, json!({ "key": "id", "type": "number" }))))
        .route(rule("avatar", with(true, json!({ "key": "avatar", "mustBeFalsy": true }))))
        .route(rule("first", with(true, json!({ "key": "previousLogin", "nullish": true }))))
        .route(rule("typo", with(true, json!({ "key": "adnim", "value": true }))))
        .route(rule("half", with(false, json!({ "key": "admin", "value": true }))))
        .api("getTrap", Act::Trap);
    door().forged("vault", "vault.wasm", &forge)
}

#[tokio::test]
async fn rules_are_looked_at_before_the_input_and_before_any_code_of_a_plugin() {
    let host = guarded().start().await;
    let mut stranger = Visitor::of(&host);
    let mut ann = Visitor::of(&host);
    ann.register(&Account::of("Ann")).await;
    let none = "";
    for (name, anonymous, signed_in, key) in [
        ("login", (401, "auth.required"), (400, "api.invalidInputType"), none),
        ("admin", (401, "auth.required"), (403, "auth.forbidden"), "admin"),
        ("provider", (401, "auth.required"), (400, "api.invalidInputType"), none),
        ("text", (401, "auth.required"), (403, "auth.forbidden"), "id"),
        ("avatar", (401, "auth.required"), (400, "api.invalidInputType"), none),
        ("first", (401, "auth.required"), (400, "api.invalidInputType"), none),
        ("typo", (401, "auth.required"), (500, "auth.invalidCondition"), "adnim"),
        ("half", (403, "auth.forbidden"), (403, "auth.forbidden"), "admin"),
    ] {
        let path = format!("/api/vault/{name}/v1");
        // The input is wrong, too: nobody who may not come in is told.
        let wrong = json!({ "n": "no number" });
        stranger.post(&path, &wrong).await.assert_error(anonymous.0, anonymous.1);
        let answer = ann.post(&path, &wrong).await;
        answer.assert_error(signed_in.0, signed_in.1);
        let expected = if key.is_empty() { Value::Null } else { json!(key) };
        assert_eq!(answer.param("key"), expected, "{name}");
        // The method comes after the rule as well.
        stranger.send(Call::get(&path)).await.assert_error(anonymous.0, anonymous.1);
    }
    let called = host.log_lines("call failed");
    assert_eq!(called, Vec::<String>::new(), "no plugin was asked");
    // That would have shown.
    ann.post("/api/vault/login/v1", &json!({ "n": 1 })).await.assert_error(500, "api.internalServerError");
    host.wait_for_log("call failed").await;
}

#[tokio::test]
async fn whoever_may_not_come_in_uses_nothing_up() {
    let mut limited = route("getMine", "GET", json!({ "login": true }));
    limited["rateLimit"] = json!(2);
    let forge = Forge::new("few", "few").route(limited).api("getOpen", Act::success(json!("in")));
    let host = door().forged("few", "few.wasm", &forge).set("rate_limiting.enabled=true").start().await;
    let path = "/api/few/getMine/v1";
    let (mut ann, mut bob) = (Visitor::of(&host), Visitor::of(&host));
    ann.register(&Account::of("Ann")).await;
    bob.register(&Account::of("Bob")).await;
    for _ in 0..5 {
        Visitor::of(&host).send(Call::get(path)).await.assert_error(401, "auth.required");
    }
    for visitor in [&mut ann, &mut bob] {
        for _ in 0..2 {
            assert_eq!(visitor.send(Call::get(path)).await.result(), "in");
        }
        let answer = visitor.send(Call::get(path)).await;
        answer.assert_error(429, "api.rateLimitExceeded");
        assert!((1..=60).contains(&answer.param("seconds").as_u64().unwrap()), "{}", answer.text());
    }
    // The count is the user's, wherever he is.
    ann.from("10.7.7.7").send(Call::get(path)).await.assert_error(429, "api.rateLimitExceeded");
}

#[tokio::test]
async fn in_cookie_mode_what_changes_something_carries_the_sessions_csrf_token() {
    let host = door().start().await;
    let mut visitor = Visitor::of(&host);
    let session = visitor.register(&Account::of("Ann")).await;
    let other = Visitor::of(&host).register(&Account::of("Bob")).await;
    let right = session["csrfToken"].as_str().unwrap();
    assert_eq!(visitor.csrf().await, right);
    let mut wrong = right.to_owned();
    wrong.replace_range(..1, if right.starts_with('0') { "1" } else { "0" });
    let others = other["csrfToken"].as_str().unwrap();
    for method in [http::Method::POST, http::Method::PUT, http::Method::DELETE] {
        for path in [CHANGE, "/sync/gate/move/v1", "/auth/api/2fa/setup", "/anything", "/auth"] {
            for sent in [None, Some(""), Some(&*wrong), Some(&right[..63]), Some(others), Some("undefined")] {
                let mut call = Call::new(method.clone(), path).json(&json!({}));
                if let Some(sent) = sent {
                    call = call.header("x-csrf-token", sent);
                }
                assert_csrf_refused(&visitor.send(call).await);
            }
            let call = Call::new(method.clone(), path).json(&json!({})).header("x-csrf-token", right);
            let answer = visitor.send(call).await;
            assert!(!answer.text().contains("auth.csrfMismatch"), "{method} {path}: {}", answer.text());
        }
    }
    // What changes nothing, what is a way in or out, and files.
    for (method, path) in [
        (http::Method::GET, MINE),
        (http::Method::OPTIONS, CHANGE),
        (http::Method::POST, "/auth/logout/"),
        (http::Method::POST, "/auth/callback/google"),
        (http::Method::POST, "/assets/a.js"),
        (http::Method::POST, "/auth/api/credentials"),
        (http::Method::POST, "/auth/api/email-code/request"),
        (http::Method::POST, "/auth/api/email-code/verify"),
        (http::Method::POST, "/auth/api/2fa"),
        (http::Method::POST, "/auth/api/2fa/email-code"),
    ] {
        let answer = visitor.send(Call::new(method.clone(), path).json(&json!({}))).await;
        assert!(!answer.text().contains("auth.csrfMismatch"), "{method} {path}: {}", answer.text());
    }
    // A stranger has nothing to ride on, even with a token that is none.
    let mut stranger = Visitor::of(&host);
    stranger.plant("token", &"0".repeat(64));
    stranger.send(Call::post(CHANGE).json(&json!({}))).await.assert_error(401, "auth.required");
    let answer = stranger.send(Call::get("/auth/csrf")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (401, json!({ "status": "error", "errorCode": "auth.unauthenticated" }))
    );
    // A new login has a new one.
    visitor.log_in(&Account::of("Ann")).await;
    assert_csrf_refused(
        &visitor.send(Call::post(CHANGE).json(&json!({})).header("x-csrf-token", right)).await,
    );
    assert_eq!(visitor.post(CHANGE, &json!({})).await.status, 200);
    assert_eq!(visitor.post("/auth/api/2fa/nothing", &json!({})).await.status, 404);
}

#[tokio::test]
async fn a_header_with_the_token_is_proof_enough_in_token_mode_only() {
    let tokens = door().set("session.based_token=true").start().await;
    let mut visitor = Visitor::with_mode(&tokens, Mode::Token);
    visitor.register(&Account::of("Ann")).await;
    let answer = visitor.send(Call::post(CHANGE).json(&json!({}))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // There a cookie is a credential as well, after the header.
    let token = visitor.token().unwrap().to_owned();
    let mut by_cookie = Visitor::of(&tokens);
    by_cookie.plant("token", &token);
    let answer = by_cookie.send(Call::get(MINE)).await;
    assert!(answer.header("set-cookie").unwrap().starts_with(&format!("token={token};")));
    assert_eq!(answer.result(), "in");
    let mut both = by_cookie.clone().header("authorization", "Bearer wrong");
    both.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    let answer = visitor.send(Call::get(MINE)).await;
    assert_eq!(answer.header("set-cookie"), None, "a header is answered without a cookie");

    for (accepts, status) in [("false", 401), ("true", 200)] {
        let setting = format!("http.accept_bearer_in_cookie_mode={accepts}");
        let cookies = door().set(&setting).beside(&tokens).start().await;
        let mut visitor = Visitor::of(&cookies);
        let session = visitor.register(&Account::of("Ann")).await;
        let token = session["token"].as_str().unwrap();
        for scheme in ["Bearer", "bearer"] {
            let call = Call::get(MINE).header("authorization", &format!("{scheme} {token}"));
            assert_eq!(cookies.send(call).await.status, status, "{setting}");
        }
        let call = Call::get(MINE).header("authorization", &format!("Basic {token}"));
        cookies.send(call).await.assert_error(401, "auth.required");
        // The cookie goes before the header, and the mode asks for proof however the token came.
        let call = Call::get(MINE).header("authorization", "Bearer nonsense");
        assert_eq!(visitor.send(call).await.result(), "in");
        if accepts == "true" {
            let call =
                Call::post(CHANGE).json(&json!({})).header("authorization", &format!("Bearer {token}"));
            assert_csrf_refused(&cookies.send(call).await);
        }
    }
}

#[tokio::test]
async fn without_login_the_proof_is_a_cookie_of_its_own() {
    let host = door().set("auth.enabled=false").start().await;
    let mut visitor = Visitor::of(&host);
    assert_csrf_refused(&visitor.send(Call::post(CHANGE).json(&json!({}))).await);
    let answer = visitor.send(Call::get("/auth/csrf")).await;
    let body = answer.json();
    let token = body["csrfToken"].as_str().unwrap();
    assert!(crate::identity_door::is_hex(token), "{body}");
    assert_eq!(body, json!({ "status": "success", "csrfToken": token }));
    let expected = format!("csrf-token={token}; SameSite=Lax; Path=/; Max-Age=86400");
    assert_eq!(answer.header("set-cookie"), Some(&*expected));
    for (sent, passes) in [(token, true), ("", false), (&token[1..], false)] {
        let call = Call::post(CHANGE).json(&json!({})).header("x-csrf-token", sent);
        let answer = visitor.send(call).await;
        match passes {
            true => answer.assert_error(401, "auth.required"),
            false => assert_csrf_refused(&answer),
        }
    }
    // Without the cookie the header proves nothing, and nor do two empty ones.
    for (cookie, sent) in [("", token), ("csrf-token=", "")] {
        let call = Call::post(CHANGE).json(&json!({})).header("cookie", cookie).header("x-csrf-token", sent);
        assert_csrf_refused(&host.send(call).await);
    }
    assert_eq!(visitor.csrf().await, token, "another tab gets the one that is there");
}

#[track_caller]
fn assert_csrf_refused(answer: &Answer) {
    let body = json!({
        "status": "error",
        "errorCode": "auth.csrfMismatch",
        "message": "CSRF token missing or invalid. Fetch /auth/csrf first.",
    });
    assert_eq!((answer.status, answer.json()), (403, body));
}

#[tokio::test]
async fn only_pages_of_allowed_origins_are_talked_to() {
    let host = door().set("http.cors.allowed_origins=[\"https://app.example.com\"]").start().await;
    let own = host.url().to_owned();
    let numeric = format!("http://127.0.0.1:{}", host.port());
    let referer = format!("{own}/some/page?x=1");
    for (lines, get, post) in [
        (vec![], Some(""), None),
        (vec![format!("Origin: {own}")], Some(&*own), Some(&*own)),
        (vec![format!("Origin: {numeric}")], Some(&*numeric), Some(&*numeric)),
        (vec![format!("Referer: {referer}")], Some(&*own), Some(&*own)),
        (
            vec!["Origin: https://app.example.com".into()],
            Some("https://app.example.com"),
            Some("https://app.example.com"),
        ),
        (
            vec!["Origin: HTTPS://App.Example.com:443".into()],
            Some("https://app.example.com"),
            Some("https://app.example.com"),
        ),
        (vec!["Origin: https://app.example.com:8443".into()], None, None),
        (vec!["Origin: http://app.example.com".into()], None, None),
        (vec!["Origin: https://app.example.com.evil.example".into()], None, None),
        (vec!["Origin: https://evil.example".into()], None, None),
        (vec!["Origin: null".into()], None, None),
        (vec!["Origin: https://evil.example".into(), format!("Referer: {referer}")], None, None),
        (vec!["Referer: https://evil.example/?app.example.com".into()], None, None),
        (vec!["Origin: http://localhost:1".into()], None, None),
    ] {
        for (method, allowed) in [("GET", get), ("OPTIONS", get), ("POST", post), ("DELETE", post)] {
            let mut lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            lines.push("Content-Type: application/json");
            let answer = wire::exchange(host.address(), &wire::request(method, OPEN, &lines, b"{}")).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            match allowed {
                Some(origin) => {
                    let header = format!("access-control-allow-origin: {origin}\r\n");
                    assert!(answer.contains(&header), "{method} {lines:?}: {answer}");
                    assert_ne!(wire::status(&answer), Some(403), "{method} {lines:?}");
                }
                None => {
                    assert_eq!((wire::status(&answer), body), (Some(403), "Forbidden"), "{method} {lines:?}");
                    for header in ["access-control", "x-request-id", "set-cookie", "x-frame"] {
                        assert!(!head.contains(header), "{method} {lines:?}: {head}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn readiness_tells_what_the_host_stands_on() {
    for (store, redis) in [("sqlite", json!("skipped")), ("memory", json!("skipped")), ("redis", json!(true))]
    {
        let (project, _redis) = kept_in(door(), store).await;
        let host = project.start().await;
        let answer = host.get("/readyz").await;
        let checks = &answer.json()["checks"];
        assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ready")));
        assert_eq!(checks["redis"], redis, "{store}");
        assert_eq!((&checks["database"], &checks["prisma"]), (&json!(true), &json!(true)), "{store}");
        assert_eq!((&checks["bootUuid"], &checks["devTools"]), (&json!(true), &json!(true)), "{store}");
    }
}

#[tokio::test]
async fn the_reset_is_for_tests_with_the_right_token() {
    const RESET: &str = "/_test/reset";
    let outside = door().start().await;
    let reset = |token: &str| Call::post(RESET).json(&json!({})).header("x-test-reset-token", token);
    let answer = outside.send(reset("let me")).await;
    assert_eq!((answer.status, answer.json()), (404, json!({ "status": "error", "errorCode": "notFound" })));

    let unset = door().env("NODE_ENV", "test").beside(&outside).start().await;
    let host = door()
        .set("rate_limiting.enabled=true")
        .set("rate_limiting.default_api_limit=20")
        .set("rate_limiting.default_ip_limit=20")
        .env("NODE_ENV", "test")
        .env("TEST_RESET_TOKEN", "let me")
        .beside(&outside)
        .start()
        .await;
    let forbidden = json!({ "status": "error", "errorCode": "auth.forbidden" });
    for (host, token) in [(&unset, ""), (&unset, "let me"), (&host, ""), (&host, "let me!"), (&host, "let m")]
    {
        let answer = host.send(reset(token)).await;
        assert_eq!((answer.status, answer.json()), (403, forbidden.clone()), "{token:?}");
    }
    let answer = host.send(Call::get(RESET).header("x-test-reset-token", "let me")).await;
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
    assert_eq!(answer.json(), json!({ "status": "error", "errorCode": "api.methodNotAllowed" }));
    // The framework's own runner sends no origin, and relies on not getting here.
    let bare = ["Content-Type: application/json", "X-Test-Reset-Token: let me"];
    let answer = wire::exchange(host.address(), &wire::request("POST", RESET, &bare, b"")).await;
    assert_eq!((wire::status(&answer), answer.ends_with("\r\n\r\nForbidden")), (Some(403), true), "{answer}");

    let answer = host.send(reset("let me")).await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "status": "success", "cleared": ["rateLimits"] })),
        "nobody was there"
    );
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    for _ in 0..25 {
        Visitor::of(&host).submit(&json!({ "email": ann.email, "password": "wrong" })).await;
        host.get(OPEN).await;
    }
    assert_eq!(host.get(OPEN).await.code(), "api.rateLimitExceeded");
    let answer = Visitor::of(&host).submit(&ann.login()).await;
    assert_eq!(answer.json()["reason"], "api.rateLimitExceeded");
    let cleared = json!({ "status": "success", "cleared": ["rateLimits", "sessions", "activeUsers"] });
    assert_eq!(host.send(reset("let me")).await.json(), cleared);
    assert_eq!(visitor.session().await, Value::Null);
    assert_eq!(host.get(OPEN).await.result(), "in");
    // The account itself is none of the things that are cleared.
    assert_failure(&Visitor::of(&host).submit(&ann.registration()).await, 200, "login.emailExists");
    visitor.log_in(&ann).await;
}
