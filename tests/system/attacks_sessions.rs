//! Taking over, riding on and guessing sessions.

use luckystack_tests::{Account, Act, Call, Forge, Visitor, wire};
use serde_json::{Value, json};

use crate::identity_door::{MINE, OPEN, assert_failure, door, route};
use crate::identity_oauth::{BEGIN, acme, come_by};

const CREDENTIALS: &str = "/auth/api/credentials";

/// Fixation: whoever plants a token in a browser knows nothing of the session that begins there.
#[tokio::test]
async fn a_planted_token_is_never_taken_over() {
    let (provider, project) = acme(door().set("session.per_user=multiple")).await;
    let host = project.start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let mut eve = Visitor::of(&host);
    eve.register(&Account::of("Eve")).await;
    let live = eve.token().unwrap().to_owned();
    for planted in [&*"a".repeat(64), "short", "test-1700000000000-00", &*live] {
        for by_provider in [false, true] {
            let mut victim = Visitor::of(&host);
            victim.plant("token", planted);
            if by_provider {
                assert_eq!(come_by(&provider, &mut victim, BEGIN, "jane").await.status, 302);
            } else {
                victim.log_in(&ann).await;
            }
            assert_ne!(victim.token(), Some(planted), "a session of its own");
            assert_ne!(victim.session().await["name"], "Eve");
            let mut attacker = Visitor::of(&host);
            attacker.plant("token", planted);
            assert_ne!(attacker.session().await["email"], ann.email);
            if planted == live {
                // It was his own, and the login that came with it ended it; the next round plants a live one.
                attacker.send(Call::get(MINE)).await.assert_error(401, "auth.required");
                let mut again = Visitor::of(&host);
                again.log_in(&Account::of("Eve")).await;
            } else {
                assert_eq!(attacker.session().await, Value::Null);
            }
        }
    }
}

/// Two cookies of one name, as a page of a sibling domain can make a browser send.
#[tokio::test]
async fn a_second_cookie_of_the_name_changes_nobody() {
    let host = door().start().await;
    let mut ann = Visitor::of(&host);
    ann.register(&Account::of("Ann")).await;
    let token = ann.token().unwrap();
    for cookies in [format!("token={token}; token=x"), format!("a=1; token={token}; token=")] {
        assert_eq!(host.send(Call::get(MINE).header("cookie", &cookies)).await.result(), "in");
    }
    for cookies in [format!("xtoken={token}"), format!("Token={token}"), format!("a=token={token}")] {
        host.send(Call::get(MINE).header("cookie", &cookies)).await.assert_error(401, "auth.required");
    }
}

/// A page of somebody else makes a browser post with all its cookies.
#[tokio::test]
async fn a_foreign_page_changes_nothing() {
    let trap = Forge::new("vault", "vault")
        .route(route("empty", "POST", json!({ "login": true })))
        .api("getNothing", Act::Trap);
    let host = door().forged("vault", "vault.wasm", &trap).start().await;
    let mut ann = Visitor::of(&host);
    ann.register(&Account::of("Ann")).await;
    let path = "/api/vault/empty/v1";
    let cookie = format!("Cookie: token={}", ann.token().unwrap());
    let own = format!("Origin: {}", host.url());
    let foreign = ["Origin: https://evil.example", "Origin: null", "Referer: https://evil.example/"];
    for content_type in
        ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "application/json"]
    {
        let content_type = format!("Content-Type: {content_type}");
        for origin in foreign {
            for target in [path, "/auth/logout", CREDENTIALS, "/auth/api/2fa/disable"] {
                let request = wire::request("POST", target, &[&cookie, origin, &content_type], b"a=1");
                let answer = wire::exchange(host.address(), &request).await;
                assert!(
                    answer.starts_with("HTTP/1.1 403") && answer.ends_with("\r\n\r\nForbidden"),
                    "{answer}"
                );
            }
        }
        // Without an origin at all, and from a page of this host that was not asked.
        let request = wire::request("POST", path, &[&cookie, &content_type], b"a=1");
        let answer = wire::exchange(host.address(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.ends_with("\r\n\r\nForbidden"), "{answer}");
        let request = wire::request("POST", path, &[&cookie, &own, &content_type], b"a=1");
        let answer = wire::exchange(host.address(), &request).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("auth.csrfMismatch"), "{answer}");
    }
    // A foreign page's GET does not even read.
    let request = wire::request("GET", MINE, &[&cookie, foreign[0]], b"");
    assert!(wire::exchange(host.address(), &request).await.starts_with("HTTP/1.1 403"));
    assert_eq!(host.log_lines("call failed"), Vec::<String>::new(), "the route was never called");
    assert_eq!(ann.session().await["name"], "Ann");
}

/// Being logged in as somebody else without noticing is an attack, too.
#[tokio::test]
async fn a_link_or_a_foreign_form_logs_nobody_in() {
    let host = door().start().await;
    let eve = Account::of("Eve");
    Visitor::of(&host).register(&eve).await;
    let query = "email=eve%40example.com&password=correct+horse+of+eve";
    for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE] {
        let mut victim = Visitor::of(&host);
        let call = Call::new(method.clone(), &format!("{CREDENTIALS}?{query}"));
        let answer = victim.send(call.body("application/x-www-form-urlencoded", query)).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(victim.session().await, Value::Null);
    }
    // A query is not part of a posted form.
    let call = Call::post(&format!("{CREDENTIALS}?{query}")).body("application/x-www-form-urlencoded", "");
    assert_failure(&host.send(call).await, 200, "login.empty");
}

#[tokio::test]
async fn whoever_tries_one_token_after_the_other_is_stopped_and_nobody_else() {
    let host = door().set("session.max_unknown_tokens=20").set("session.per_user=multiple").start().await;
    let ann = Account::of("Ann");
    let mut ann_there = Visitor::of(&host).from("10.6.6.6");
    ann_there.register(&ann).await;
    let mut elsewhere = Visitor::of(&host).from("10.1.1.1");
    elsewhere.log_in(&ann).await;
    let mut guesser = Visitor::of(&host).from("10.6.6.6");
    let token = |number: u32| format!("{number:064x}");
    // The same stale cookie again and again is no guess.
    guesser.plant("token", &token(0));
    for _ in 0..50 {
        guesser.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    }
    for number in 1..20 {
        guesser.plant("token", &token(number));
        guesser.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    }
    for number in 20..30 {
        guesser.plant("token", &token(number));
        let answer = guesser.send(Call::get(MINE)).await;
        answer.assert_error(429, "api.rateLimitExceeded");
        let seconds = answer.param("seconds").as_u64().unwrap();
        assert!((1..=60).contains(&seconds), "{}", answer.text());
        assert_eq!(answer.header("retry-after"), Some(&*seconds.to_string()));
        // Not a way to find out whether a token is one, either: the right one is not looked up for him.
        assert_eq!(answer.header("set-cookie"), None);
    }
    // In an office behind one address everybody else goes on working.
    for _ in 0..3 {
        assert_eq!(ann_there.send(Call::get(MINE)).await.result(), "in");
        assert_eq!(elsewhere.send(Call::get(MINE)).await.result(), "in");
    }
    // What is for everybody is for him as well, and without a token he is an ordinary stranger.
    assert_eq!(guesser.send(Call::get("/livez")).await.status, 200);
    assert_eq!(Visitor::of(&host).from("10.6.6.6").send(Call::get(OPEN)).await.result(), "in");
    let mut fresh = Visitor::of(&host).from("10.2.2.2");
    fresh.plant("token", &token(99));
    fresh.send(Call::get(MINE)).await.assert_error(401, "auth.required");
}

/// An address that a client says of itself is none.
#[tokio::test]
async fn forged_addresses_neither_free_a_guesser_nor_lock_others_out() {
    let host = door()
        .set("http.trust_proxy=false")
        .set("session.max_unknown_tokens=5")
        .set("rate_limiting.enabled=true")
        .set("rate_limiting.default_api_limit=7")
        .start()
        .await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let wrong = json!({ "email": ann.email, "password": "wrong" });
    let forged = |number: u32| {
        let address = format!("10.0.0.{number}");
        Visitor::of(&host).header("x-forwarded-for", &address).header("x-real-ip", &address)
    };
    for number in 0..5 {
        assert_failure(&forged(number).submit(&wrong).await, 200, "login.wrongPassword");
    }
    assert_failure(&forged(200).submit(&wrong).await, 200, "login.accountLocked");
    // Eight requests with the registration: the bucket of the real address is full.
    assert_eq!(forged(201).submit(&json!({})).await.json()["reason"], "api.rateLimitExceeded");
    for number in 0..5 {
        let mut visitor = forged(number);
        visitor.plant("token", &format!("{number:064x}"));
        visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    }
    let mut visitor = forged(202);
    visitor.plant("token", &"f".repeat(64));
    visitor.send(Call::get(MINE)).await.assert_error(429, "api.rateLimitExceeded");
}

/// Behind a proxy the client's own entries stand to the left of the proxy's.
#[tokio::test]
async fn behind_a_proxy_only_its_own_entry_counts() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let wrong = json!({ "email": ann.email, "password": "wrong" });
    for number in 0..5 {
        let forged = format!("10.0.0.{number}, 10.6.6.6");
        let mut visitor = Visitor::of(&host).from(&forged).header("x-real-ip", &format!("10.0.1.{number}"));
        assert_failure(&visitor.submit(&wrong).await, 200, "login.wrongPassword");
    }
    for forged in ["10.0.0.99, 10.6.6.6", "::ffff:10.6.6.6", "10.6.6.6:1234", "1.1.1.1,, 10.6.6.6"] {
        let mut visitor = Visitor::of(&host).from(forged);
        assert_failure(&visitor.submit(&ann.login()).await, 200, "login.accountLocked");
    }
    Visitor::of(&host).from("10.1.1.1").log_in(&ann).await;
}
