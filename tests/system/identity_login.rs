//! E-mail and password: what is refused, why, and in which order (wire protocol §5.5).

use luckystack_tests::{Account, Call, Mode, Visitor, wire};
use serde_json::{Value, json};

use crate::identity_door::{MINE, assert_failure, door, is_hex, kept_in, restart};

const CREDENTIALS: &str = "/auth/api/credentials";

/// What is wrong with a form is said in this order: a form with two faults is told the first.
#[tokio::test]
async fn a_form_is_told_its_first_fault() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let long_email = format!("{}@example.com", "a".repeat(180));
    let long_name = "n".repeat(192);
    let long_password = "a".repeat(73);
    let umlauts = "ä".repeat(37);
    let form = |email: &str, password: &str, name: &str, confirmation: &str| json!({ "email": email, "password": password, "name": name, "confirmPassword": confirmation });
    let good = "correct horse of bob";
    let rows: Vec<(Value, &str)> = vec![
        (json!({}), "login.empty"),
        (json!({ "email": ann.email }), "login.empty"),
        (json!({ "password": ann.password }), "login.empty"),
        (json!({ "email": "", "password": "" }), "login.empty"),
        (json!({ "email": " \t\n", "password": good }), "login.empty"),
        // What is not text is nothing.
        (json!({ "email": [ann.email], "password": { "a": 1 } }), "login.empty"),
        (json!({ "email": true, "password": 12_345_678 }), "login.empty"),
        (json!({ "email": null, "password": null }), "login.empty"),
        (form(&long_email, "", &long_name, "x"), "login.empty"),
        (form(&long_email, "x", &long_name, "x"), "login.emailCharacterLimit"),
        (form("no address", "x", &long_name, "x"), "login.nameCharacterLimit"),
        (json!({ "email": "no address", "password": "x" }), "login.invalidEmailFormat"),
        (form("no address", "x", "Bob", "y"), "login.invalidEmailFormat"),
        (form("bob@example.com", "x", "Bob", "y"), "login.passwordCharacterMinimum"),
        (form("bob@example.com", "1234567", "Bob", "1234567"), "login.passwordCharacterMinimum"),
        (form("bob@example.com", &long_password, "Bob", "y"), "login.passwordCharacterLimit"),
        (form("bob@example.com", &umlauts, "Bob", &umlauts), "login.passwordCharacterLimit"),
        (form("bob@example.com", "password", "Bob", "y"), "login.passwordTooCommon"),
        (form("bob@example.com", "PassWord", "Bob", "PassWord"), "login.passwordTooCommon"),
        (form("bob@example.com", good, "Bob", "correct horse of rob"), "login.passwordNotMatch"),
        (form(&ann.email, good, "Bob", "correct horse of rob"), "login.passwordNotMatch"),
        (form(&ann.email, good, "Bob", good), "login.emailExists"),
        (form(" ANN@Example.com ", good, "Bob", good), "login.emailExists"),
        // A name or a repeated password alone makes no registration.
        (form("bob@example.com", good, "Bob", ""), "login.wrongPassword"),
        (form("bob@example.com", good, "", good), "login.wrongPassword"),
        (json!({ "email": "bob@example.com", "password": good }), "login.wrongPassword"),
        (json!({ "email": ann.email, "password": good }), "login.wrongPassword"),
        // A login is not told the policy.
        (json!({ "email": ann.email, "password": "x" }), "login.wrongPassword"),
        (json!({ "email": ann.email, "password": "x".repeat(5000) }), "login.wrongPassword"),
    ];
    for (number, (body, reason)) in rows.iter().enumerate() {
        let mut visitor = Visitor::of(&host).from(&format!("10.0.0.{number}"));
        assert_failure(&visitor.submit(body).await, 200, reason);
    }
}

#[tokio::test]
async fn an_email_is_one_address_however_it_is_written_and_a_name_is_text() {
    let host = door().start().await;
    let mut visitor = Visitor::of(&host);
    let odd = json!({
        "email": "  Ann@Example.COM ",
        "password": " with blanks ",
        "name": "<b title=\"x\">Ann & 'Co'</b>",
        "confirmPassword": " with blanks ",
    });
    let answer = visitor.submit(&odd).await.json();
    assert_eq!(answer["reason"], "login.userCreated", "{answer}");
    assert_eq!(answer["session"]["email"], "ann@example.com");
    let name = answer["session"]["name"].as_str().unwrap();
    assert!(!name.contains(['<', '>', '"', '\'']) && name.contains("&lt;b"), "{name}");
    for (email, password, reason) in [
        ("ann@example.com", " with blanks ", "login.loggedIn"),
        ("ANN@EXAMPLE.COM\t", " with blanks ", "login.loggedIn"),
        ("ann@example.com", "with blanks", "login.wrongPassword"),
    ] {
        let answer = Visitor::of(&host).submit(&json!({ "email": email, "password": password })).await;
        assert_eq!(answer.json()["reason"], reason, "{email:?} {password:?}");
    }
}

#[tokio::test]
async fn a_form_is_taken_as_browsers_send_forms_too() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let form = "email=ann%40example.com&password=wrong&password=correct+horse%20of+ann";
    let call = Call::post(CREDENTIALS).body("application/x-www-form-urlencoded; charset=utf-8", form);
    let answer = host.send(call).await;
    assert_eq!(answer.json()["reason"], "login.loggedIn", "the last of several counts: {}", answer.text());
}

#[tokio::test]
async fn bodies_that_are_none_are_refused_before_anything_looks_at_them() {
    let host = door().start().await;
    for (content_type, body, status, code) in [
        (Some("application/json"), "{\"email\":", 400, "api.invalidRequestFormat"),
        (Some("application/json"), "[]", 400, "api.invalidRequestFormat"),
        (Some("application/json"), "\"text\"", 400, "api.invalidRequestFormat"),
        (Some("application/json"), "null", 400, "api.invalidRequestFormat"),
        (Some("text/plain"), "{}", 415, "api.unsupportedMediaType"),
        (Some("Application/JSON"), "{}", 415, "api.unsupportedMediaType"),
        (None, "", 415, "api.unsupportedMediaType"),
    ] {
        let call = match content_type {
            Some(content_type) => Call::post(CREDENTIALS).body(content_type, body),
            None => Call::post(CREDENTIALS),
        };
        let answer = host.send(call).await;
        answer.assert_error(status, code);
        assert_eq!(answer.json()["message"], code);
    }
    assert_failure(
        &host.send(Call::post(CREDENTIALS).body("application/json", "")).await,
        200,
        "login.empty",
    );
    let answer = host.send(Call::post(CREDENTIALS).body("application/json", vec![b' '; (1 << 20) + 1])).await;
    answer.assert_error(413, "api.payloadTooLarge");
}

#[tokio::test]
async fn the_password_policy_is_the_projects() {
    let host = door()
        .set("auth.password_policy.min_length=10")
        .set("auth.password_policy.max_length=20")
        .set("auth.password_policy.require_uppercase=true")
        .set("auth.password_policy.require_lowercase=true")
        .set("auth.password_policy.require_number=true")
        .set("auth.password_policy.require_special=true")
        .set("auth.password_policy.forbid_common=false")
        .start()
        .await;
    for (password, reason) in [
        ("A", "login.passwordCharacterMinimum"),
        ("abcdefghi", "login.passwordCharacterMinimum"),
        ("abcdefghijklmnopqrstu", "login.passwordCharacterLimit"),
        ("abcdefghij", "login.passwordRequiresUppercase"),
        ("ABCDEFGHIJ", "login.passwordRequiresLowercase"),
        ("Abcdefghij", "login.passwordRequiresNumber"),
        ("Abcdefghi1", "login.passwordRequiresSpecial"),
        ("Abcdefgh1!", "login.userCreated"),
    ] {
        let account = Account { password: password.to_owned(), ..Account::of("Ann") };
        let answer = Visitor::of(&host).submit(&account.registration()).await;
        assert_eq!(answer.json()["reason"], reason, "{password}");
    }
}

#[tokio::test]
async fn ways_in_that_are_switched_off_are_not_there() {
    let ann = Account::of("Ann");
    let closed = door().set("auth.allow_registration=false").start().await;
    let mut visitor = Visitor::of(&closed);
    assert_failure(&visitor.submit(&ann.registration()).await, 200, "auth.registrationDisabled");
    let mut differs = ann.registration();
    differs["confirmPassword"] = json!("something else");
    assert_failure(&visitor.submit(&differs).await, 200, "auth.registrationDisabled");
    differs["password"] = json!("short");
    assert_failure(&visitor.submit(&differs).await, 200, "login.passwordCharacterMinimum");

    let without = door().set("auth.credentials=false").beside(&closed).start().await;
    let mut visitor = Visitor::of(&without);
    assert_failure(&visitor.submit(&ann.registration()).await, 200, "login.providerNotFound");
    let answer = without.get("/auth/providers").await;
    assert_eq!(answer.json(), json!({ "providers": [], "emailCodeLogin": false }));

    for (host, method) in [(&closed, http::Method::GET), (&closed, http::Method::POST)] {
        let call = Call::new(method, "/auth/api/nobody").json(&json!({}));
        assert_failure(&host.send(call).await, 200, "login.providerNotFound");
    }
    let answer = closed.get("/auth/providers").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "providers": ["credentials"], "emailCodeLogin": false }));
}

#[tokio::test]
async fn a_host_without_login_knows_nobody() {
    let host = door().set("auth.enabled=false").start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    assert_failure(&visitor.submit(&ann.registration()).await, 200, "auth.disabled");
    let answer = host.get("/auth/callback/google?code=a&state=b").await;
    assert_eq!((answer.status, &*answer.text()), (404, "Auth is not enabled"));
    assert_eq!(host.get("/auth/providers").await.json(), json!({ "providers": [], "emailCodeLogin": false }));
    visitor.plant("token", &"a".repeat(64));
    visitor.send(Call::get(MINE)).await.assert_error(401, "auth.required");
    let checks = host.get("/readyz").await.json()["checks"].clone();
    assert_eq!((&checks["database"], &checks["prisma"]), (&json!("skipped"), &json!(true)));
}

/// What stands between the form and the session, and in which order.
#[tokio::test]
async fn wrong_passwords_lock_one_address_out_of_one_account() {
    let (project, _) = kept_in(door(), "sqlite").await;
    let mut host = project.serve(&[]).await;
    let (ann, bob) = (Account::of("Ann"), Account::of("Bob"));
    for account in [&ann, &bob] {
        Visitor::of(&host).from("10.1.1.1").register(account).await;
    }
    let wrong = json!({ "email": ann.email, "password": "not hers" });
    let mut guesser = Visitor::of(&host).from("10.6.6.6");
    for _ in 0..4 {
        assert_failure(&guesser.submit(&wrong).await, 200, "login.wrongPassword");
    }
    guesser.log_in(&ann).await;
    for _ in 0..5 {
        assert_failure(&guesser.submit(&wrong).await, 200, "login.wrongPassword");
    }
    assert_failure(&guesser.submit(&wrong).await, 200, "login.accountLocked");
    assert_failure(&guesser.submit(&ann.login()).await, 200, "login.accountLocked");
    let capitals = json!({ "email": " ANN@example.com", "password": ann.password });
    assert_failure(&guesser.submit(&capitals).await, 200, "login.accountLocked");
    // Registration: the lock is looked at before the address is.
    assert_failure(&guesser.submit(&ann.registration()).await, 200, "login.accountLocked");
    // Nobody else is locked out, and the guesser not of other accounts.
    guesser.clone().log_in(&bob).await;
    Visitor::of(&host).from("10.1.1.1").log_in(&ann).await;

    host = restart(host, &project).await;
    let mut guesser = guesser.at(&host);
    // A right password from elsewhere has not forgotten what came from this address, and nor has the restart.
    assert_failure(&guesser.submit(&wrong).await, 200, "login.accountLocked");
    Visitor::of(&host).from("10.1.1.1").log_in(&ann).await;
}

#[tokio::test]
async fn wrong_passwords_from_everywhere_lock_an_account() {
    let host = door().set("rate_limiting.auth.max_attempts_per_account=6").start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    for email in [&*ann.email, "nobody@example.com"] {
        let wrong = json!({ "email": email, "password": "not hers" });
        for number in 0..6 {
            let mut visitor = Visitor::of(&host).from(&format!("10.0.0.{number}"));
            assert_failure(&visitor.submit(&wrong).await, 200, "login.wrongPassword");
        }
        let mut visitor = Visitor::of(&host).from("10.9.9.9");
        let right = json!({ "email": email, "password": ann.password });
        assert_failure(&visitor.submit(&right).await, 200, "login.accountLocked");
    }
}

#[tokio::test]
async fn guesses_at_once_count_as_much_as_guesses_in_turn() {
    let host = door().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let guesses = (0..20).map(|number| {
        let wrong = json!({ "email": ann.email, "password": format!("guess number {number}") });
        let mut guesser = Visitor::of(&host).from("10.6.6.6");
        async move { guesser.submit(&wrong).await.json()["reason"] == "login.wrongPassword" }
    });
    let looked_at = futures::future::join_all(guesses).await;
    assert_eq!(looked_at.into_iter().filter(|looked_at| *looked_at).count(), 5);
}

/// Browsers that speak HTTP/2 may send each cookie in a line of its own.
#[tokio::test]
async fn over_http2_it_is_the_same() {
    let host = door().start().await;
    let mut visitor = Visitor::of(&host);
    let session = visitor.register(&Account::of("Ann")).await;
    let token = session["token"].as_str().unwrap();
    let mut connection = luckystack_tests::Connection::open_http2(host.address()).await;
    let call = Call::get(MINE).header("cookie", "a=1").header("cookie", &format!("token={token}"));
    let answer = connection.send(call.clone().header("cookie", "b=2")).await;
    assert!(answer.header("set-cookie").is_some_and(|cookie| cookie.starts_with(&format!("token={token};"))));
    assert_eq!(answer.result(), "in");
    let post = |path: &str| {
        let call = Call::post(path).json(&json!({})).header("cookie", &format!("token={token}"));
        call.header("origin", host.url())
    };
    assert_eq!(connection.send(post(crate::identity_door::CHANGE)).await.code(), "auth.csrfMismatch");
    assert_eq!(connection.send(post("/auth/logout")).await.status, 200);
    connection.send(call).await.assert_error(401, "auth.required");
}

#[tokio::test]
async fn without_a_lockout_guesses_are_answered() {
    let host = door().set("rate_limiting.auth.enabled=false").start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    for _ in 0..7 {
        let wrong = json!({ "email": ann.email, "password": "not hers" });
        assert_failure(&visitor.submit(&wrong).await, 200, "login.wrongPassword");
    }
    visitor.log_in(&ann).await;
}

#[tokio::test]
async fn an_address_may_knock_so_often_and_a_restart_does_not_forget() {
    let (project, _) = kept_in(door(), "sqlite").await;
    let project = project.set("rate_limiting.enabled=true").set("rate_limiting.default_api_limit=3");
    let mut host = project.serve(&[]).await;
    let mut visitor = Visitor::of(&host).from("10.1.1.1");
    for _ in 0..3 {
        assert_failure(&visitor.submit(&json!({})).await, 200, "login.empty");
    }
    let limited = |answer: luckystack_tests::Answer| {
        let body = answer.json();
        assert_eq!(answer.status, 200);
        let seconds = body["errorParams"][0]["value"].as_u64().unwrap();
        assert!((1..=60).contains(&seconds), "{body}");
        let expected = json!({
            "status": false,
            "reason": "api.rateLimitExceeded",
            "errorParams": [{ "key": "seconds", "value": seconds }],
        });
        assert_eq!(body, expected);
    };
    limited(visitor.submit(&json!({})).await);
    assert_failure(&Visitor::of(&host).from("10.2.2.2").submit(&json!({})).await, 200, "login.empty");
    host = restart(host, &project).await;
    let mut visitor = visitor.at(&host);
    limited(visitor.submit(&json!({})).await);
    assert_failure(&Visitor::of(&host).from("10.3.3.3").submit(&json!({})).await, 200, "login.empty");
}

/// Every byte of the three session cookies, as they stand on the wire.
#[tokio::test]
async fn cookies_are_written_byte_for_byte_as_the_protocol_says() {
    let host = door().start().await;
    let secure = door().env("SECURE", "true").beside(&host).start().await;
    let own = door()
        .set("http.session_cookie_name=sid")
        .set("http.session_cookie_same_site=Lax")
        .set("http.session_cookie_path=/app")
        .set("http.session_cookie_secure=false")
        .set("session.expiry=\"1h\"")
        .env("SECURE", "true")
        .beside(&host)
        .start()
        .await;
    let ann = Account::of("Ann").registration().to_string();
    for (host, name, attributes, end) in [
        (&host, "token", "; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; ", ""),
        (&secure, "token", "; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; ", "Secure;"),
        (&own, "sid", "; HttpOnly; SameSite=Lax; Path=/app; Max-Age=3600; ", ""),
    ] {
        let origin = format!("Origin: {}", host.url());
        let lines = [&*origin, "Content-Type: application/json"];
        let set = |answer: &str| -> Vec<String> {
            let head = answer.split("\r\n\r\n").next().unwrap();
            head.split("\r\n")
                .filter_map(|line| line.strip_prefix("set-cookie: ").map(str::to_owned))
                .collect()
        };
        let request = wire::request("POST", CREDENTIALS, &lines, ann.as_bytes());
        let answer = wire::exchange(host.address(), &request).await;
        let cookies = set(&answer);
        let [cookie] = &cookies[..] else { panic!("one cookie: {answer}") };
        let token = &cookie[name.len() + 1..name.len() + 65];
        assert!(is_hex(token), "{cookie}");
        assert_eq!(*cookie, format!("{name}={token}{attributes}{end}"));

        // Sliding: the same cookie again, on whatever is answered.
        let sent = format!("Cookie: other=1; {name}={token}");
        for path in ["/livez", "/auth/providers", "/nothing"] {
            let request = wire::request("GET", path, &[&sent], b"");
            let again = set(&wire::exchange(host.address(), &request).await);
            assert_eq!(again, std::slice::from_ref(cookie), "{path}");
        }
        // Logging out takes it away.
        let request = wire::request("POST", "/auth/logout", &[&origin, &sent], b"");
        let answer = wire::exchange(host.address(), &request).await;
        let gone = attributes.rsplit_once("Max-Age=").unwrap().0;
        assert_eq!(set(&answer), [format!("{name}={gone}Max-Age=0; {end}")]);
        // A token that is dead is not kept alive.
        let request = wire::request("GET", "/livez", &[&sent], b"");
        assert_eq!(set(&wire::exchange(host.address(), &request).await), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_login_can_ask_for_the_other_mode() {
    let cookies = door().start().await;
    let tokens = door().set("session.based_token=true").beside(&cookies).start().await;
    let ann = Account::of("Ann");
    for host in [&cookies, &tokens] {
        Visitor::of(host).register(&ann).await;
    }
    for (host, asked, mode) in [
        (&cookies, "true", Mode::Token),
        (&cookies, "1", Mode::Token),
        (&cookies, "false", Mode::Cookie),
        (&cookies, "0", Mode::Cookie),
        (&cookies, "yes", Mode::Cookie),
        (&cookies, "", Mode::Cookie),
        (&tokens, "false", Mode::Cookie),
        (&tokens, "0", Mode::Cookie),
        (&tokens, "true", Mode::Token),
        (&tokens, "TRUE", Mode::Token),
    ] {
        let call = Call::post(CREDENTIALS).json(&ann.login()).header("x-session-based-token", asked);
        let answer = host.send(call).await;
        let handed_out = (answer.header("set-cookie").is_some(), answer.header("x-session-token").is_some());
        assert_eq!(handed_out, (mode == Mode::Cookie, mode == Mode::Token), "{asked:?}");
    }
}

#[tokio::test]
async fn logging_out_takes_a_post() {
    let host = door().start().await;
    let mut visitor = Visitor::of(&host);
    visitor.register(&Account::of("Ann")).await;
    for method in [http::Method::GET, http::Method::PUT, http::Method::DELETE] {
        let answer = visitor.send(Call::new(method.clone(), "/auth/logout")).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
        assert_eq!(answer.json(), json!({ "status": "error", "errorCode": "api.methodNotAllowed" }));
    }
    assert_eq!(visitor.session().await["name"], "Ann", "and nothing else logs anybody out");
    // Whoever is not there can leave as well.
    let answer = Visitor::of(&host).log_out().await;
    assert_eq!((answer.status, answer.json()), (200, json!({ "status": "success", "result": true })));
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .starts_with("token=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0;")
    );
}
