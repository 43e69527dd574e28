//! Codes by e-mail, and second factors (wire protocol §5.7).

use http::Method;
use luckystack_tests::authenticator::Authenticator;
use luckystack_tests::{Account, Answer, Call, Host, Project, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{assert_failure, door, mailed_code};

const REQUEST: &str = "/auth/api/email-code/request";
const VERIFY: &str = "/auth/api/email-code/verify";
const SECOND: &str = "/auth/api/2fa";
const SECOND_BY_EMAIL: &str = "/auth/api/2fa/email-code";
const SETUP: &str = "/auth/api/2fa/setup";
const ENABLE: &str = "/auth/api/2fa/enable";
const DISABLE: &str = "/auth/api/2fa/disable";
const RECOVERY: &str = "/auth/api/2fa/recovery-codes";

/// A key for second factors, as `openssl rand -base64 32` gives one.
const KEY: &str = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=";

fn with_codes() -> Project {
    door().set("auth.email_code_login=true")
}

fn with_second_factor() -> Project {
    door().set("auth.two_factor=true").env("TOTP_ENCRYPTION_KEY", KEY)
}

/// A code that is not this one.
fn other_than(code: &str) -> String {
    code.chars().map(|digit| if digit == '7' { '3' } else { '7' }).collect()
}

#[tokio::test]
async fn a_code_by_email_logs_in_once() {
    let host = with_codes().start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let answer = host.get("/auth/providers").await;
    assert_eq!(answer.json(), json!({ "providers": ["credentials"], "emailCodeLogin": true }));

    let mut visitor = Visitor::of(&host);
    let asked = json!({ "email": " Ann@EXAMPLE.com" });
    assert_eq!(visitor.submit_to(REQUEST, &asked).await.json(), json!({ "status": true }));
    let code = mailed_code(&host, 1).await;
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    host.wait_for_log("e-mail    to ann@example.com").await;
    let verify = |code: &str| json!({ "email": ann.email, "code": code });
    assert_failure(
        &visitor.submit_to(VERIFY, &verify(&other_than(&code))).await,
        200,
        "login.emailCodeInvalid",
    );
    assert_failure(&visitor.submit_to(VERIFY, &verify("")).await, 200, "login.empty");
    let answer = visitor.submit_to(VERIFY, &verify(&code)).await;
    assert_eq!(answer.json()["reason"], "login.loggedIn");
    assert_eq!(visitor.session().await["name"], "Ann");
    let again = Visitor::of(&host).submit_to(VERIFY, &verify(&code)).await;
    assert_failure(&again, 200, "login.emailCodeExpired");

    // A new one takes the place of the old one.
    for number in [2, 3] {
        visitor.submit_to(REQUEST, &asked).await;
        mailed_code(&host, number).await;
    }
    let (old, new) = (mailed_code(&host, 2).await, mailed_code(&host, 3).await);
    let mut fresh = Visitor::of(&host);
    if old != new {
        assert_failure(&fresh.submit_to(VERIFY, &verify(&old)).await, 200, "login.emailCodeInvalid");
    }
    assert_eq!(fresh.submit_to(VERIFY, &verify(&new)).await.json()["authenticated"], true);
    // Three messages to one address in a quarter of an hour, whoever asks.
    let answer = Visitor::of(&host).from("10.5.5.5").submit_to(REQUEST, &asked).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (200, &json!("api.rateLimitExceeded")));
}

/// Of many who type the same code at once, one comes in.
#[tokio::test]
async fn a_code_typed_many_times_at_once_opens_once() {
    let host = with_second_factor()
        .set("auth.email_code_login=true")
        .set("auth.email_code_max_attempts=20")
        .set("session.per_user=multiple")
        .start()
        .await;
    let bob = Account::of("Bob");
    Visitor::of(&host).register(&bob).await;
    Visitor::of(&host).submit_to(REQUEST, &json!({ "email": bob.email })).await;
    let code = mailed_code(&host, 1).await;
    let verify = json!({ "email": bob.email, "code": code });
    let rush = async |path: &str, bodies: Vec<Value>| {
        let sent = bodies.iter().map(|body| async {
            let mut visitor = Visitor::of(&host);
            visitor.submit_to(path, body).await.json()["authenticated"] == true
        });
        futures::future::join_all(sent).await.into_iter().filter(|came_in| *came_in).count()
    };
    assert_eq!(rush(VERIFY, vec![verify; 5]).await, 1, "by e-mail");

    let ann = Account::of("Ann");
    let (_, authenticator, recovery) = enrol(&host, &ann).await;
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(challenge(&mut Visitor::of(&host), &ann).await);
    }
    let code = authenticator.code_in(1);
    let all =
        |code: &str, method| challenges.iter().map(|asked| answered(asked, code, Some(method))).collect();
    assert_eq!(rush(SECOND, all(&code, "totp")).await, 1, "by the authenticator");
    assert_eq!(rush(SECOND, all(&recovery[0], "recovery-code")).await, 1, "by a recovery code");
    // One challenge, however many right codes.
    let asked = challenge(&mut Visitor::of(&host), &ann).await;
    let answers = recovery[1..5].iter().map(|code| answered(&asked, code, Some("recovery-code"))).collect();
    assert_eq!(rush(SECOND, answers).await, 1, "a challenge is answered once");
    // A challenge is no session.
    let asked = challenge(&mut Visitor::of(&host), &ann).await;
    let mut thief = Visitor::of(&host);
    thief.plant("token", asked["challengeToken"].as_str().unwrap());
    assert_eq!(thief.session().await, Value::Null);
}

#[tokio::test]
async fn guessing_a_code_ends_it() {
    let host = with_codes().set("auth.email_code_max_attempts=3").start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let mut visitor = Visitor::of(&host);
    visitor.submit_to(REQUEST, &json!({ "email": ann.email })).await;
    let code = mailed_code(&host, 1).await;
    let wrong = json!({ "email": ann.email, "code": other_than(&code) });
    for _ in 0..3 {
        assert_failure(&visitor.submit_to(VERIFY, &wrong).await, 200, "login.emailCodeInvalid");
    }
    let right = json!({ "email": ann.email, "code": code });
    for _ in 0..2 {
        assert_failure(&visitor.submit_to(VERIFY, &right).await, 200, "login.emailCodeLocked");
    }
}

#[tokio::test]
async fn codes_by_email_can_be_off_and_say_what_is_wrong_with_an_address() {
    let off = door().start().await;
    for route in [REQUEST, VERIFY] {
        let body = json!({ "email": "ann@example.com", "code": "123456" });
        assert_failure(&Visitor::of(&off).submit_to(route, &body).await, 200, "login.emailCodeDisabled");
    }
    let host = with_codes().beside(&off).start().await;
    let long = format!("{}@example.com", "a".repeat(200));
    for (email, reason) in
        [("", "login.empty"), (&*long, "login.emailCharacterLimit"), ("ann", "login.invalidEmailFormat")]
    {
        let body = json!({ "email": email, "code": "123456" });
        for route in [REQUEST, VERIFY] {
            assert_failure(&Visitor::of(&host).submit_to(route, &body).await, 200, reason);
        }
    }
    let nobody = json!({ "email": "nobody@example.com", "code": "123456" });
    assert_failure(&Visitor::of(&host).submit_to(VERIFY, &nobody).await, 200, "login.emailCodeExpired");
    let production = with_codes().env("NODE_ENV", "production").beside(&off).start().await;
    let answer = Visitor::of(&production).submit_to(REQUEST, &nobody).await;
    assert_failure(&answer, 200, "login.emailCodeSendFailed");
}

/// Somebody with a second factor: his authenticator and recovery codes.
async fn enrol(host: &Host, account: &Account) -> (Visitor, Authenticator, Vec<String>) {
    let mut visitor = Visitor::of(host);
    visitor.register(account).await;
    let setup = visitor.post(SETUP, &json!({})).await.json();
    assert_eq!(setup["status"], true, "{setup}");
    let uri = setup["otpauthUri"].as_str().unwrap();
    assert!(uri.contains(setup["secret"].as_str().unwrap()), "{uri}");
    let authenticator = Authenticator::scan(uri);
    let wrong = visitor.post(ENABLE, &json!({ "code": other_than(&authenticator.code()) })).await;
    assert_failure(&wrong, 200, "login.twoFactorInvalidCode");
    let enabled = visitor.post(ENABLE, &json!({ "code": authenticator.code() })).await.json();
    assert_eq!(enabled["status"], true, "{enabled}");
    let codes: Vec<String> = serde_json::from_value(enabled["recoveryCodes"].clone()).unwrap();
    assert_eq!(codes.len(), 10);
    for code in &codes {
        let groups: Vec<_> = code.split('-').map(str::len).collect();
        assert_eq!(groups, [5, 5, 5, 5], "{code}");
    }
    (visitor, authenticator, codes)
}

/// Password right, second factor missing.
async fn challenge(visitor: &mut Visitor, account: &Account) -> Value {
    let answer = visitor.submit(&account.login()).await;
    let body = answer.json();
    let token = body["challengeToken"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
    let expected = json!({
        "status": true,
        "reason": "login.twoFactorRequired",
        "requiresTwoFactor": true,
        "challengeToken": token,
        "twoFactorMethods": body["twoFactorMethods"],
        "authenticated": false,
    });
    assert_eq!(body, expected);
    assert_eq!((answer.header("set-cookie"), answer.header("x-session-token")), (None, None));
    assert_eq!(visitor.session().await, Value::Null, "half a login is none");
    body
}

fn answered(challenge: &Value, code: &str, method: Option<&str>) -> Value {
    let mut body = json!({ "challengeToken": challenge["challengeToken"], "code": code });
    if let Some(method) = method {
        body["method"] = method.into();
    }
    body
}

#[track_caller]
fn assert_signed_in(answer: &Answer) {
    let body = answer.json();
    assert_eq!((&body["reason"], &body["authenticated"]), (&json!("login.loggedIn"), &json!(true)), "{body}");
    assert!(answer.header("set-cookie").is_some());
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_each_of_its_codes_opens_once() {
    let host = with_second_factor().set("session.per_user=multiple").start().await;
    let ann = Account::of("Ann");
    let (mut inside, authenticator, recovery) = enrol(&host, &ann).await;
    let again = inside.post(SETUP, &json!({})).await;
    assert_failure(&again, 200, "login.twoFactorAlreadyEnabled");
    let session = inside.session().await;
    for secret in ["totpSecret", "recoveryCodes"] {
        assert_eq!(session.get(secret), None, "handlers do not see {secret}");
    }

    // By the authenticator. The step that enabled it is spent.
    let mut visitor = Visitor::of(&host);
    let asked = challenge(&mut visitor, &ann).await;
    assert_eq!(asked["twoFactorMethods"], json!(["totp", "email-code", "recovery-code"]));
    let code = authenticator.code_in(1);
    let wrong = visitor.submit_to(SECOND, &answered(&asked, &other_than(&code), None)).await;
    assert_failure(&wrong, 200, "login.twoFactorInvalidCode");
    let empty = visitor.submit_to(SECOND, &json!({ "challengeToken": "nonsense", "code": code })).await;
    assert_failure(&empty, 200, "login.twoFactorChallengeExpired");
    assert_signed_in(&visitor.submit_to(SECOND, &answered(&asked, &code, Some("no such method"))).await);
    assert_eq!(visitor.session().await["name"], "Ann");
    let spent = Visitor::of(&host).submit_to(SECOND, &answered(&asked, &code, None)).await;
    assert_failure(&spent, 200, "login.twoFactorChallengeExpired");
    let mut visitor = Visitor::of(&host);
    let asked = challenge(&mut visitor, &ann).await;
    let replayed = visitor.submit_to(SECOND, &answered(&asked, &code, Some("totp"))).await;
    assert_failure(&replayed, 200, "login.twoFactorInvalidCode");

    // By a recovery code, however it is typed.
    let typed = recovery[0].to_uppercase().replace('-', " ");
    assert_signed_in(&visitor.submit_to(SECOND, &answered(&asked, &typed, Some("recovery-code"))).await);
    let mut visitor = Visitor::of(&host);
    let asked = challenge(&mut visitor, &ann).await;
    let again = visitor.submit_to(SECOND, &answered(&asked, &recovery[0], Some("recovery-code"))).await;
    assert_failure(&again, 200, "login.twoFactorInvalidCode");

    // By e-mail.
    let challenge_only = json!({ "challengeToken": asked["challengeToken"] });
    let sent = visitor.submit_to(SECOND_BY_EMAIL, &challenge_only).await;
    assert_eq!(sent.json(), json!({ "status": true }));
    let code = mailed_code(&host, 1).await;
    assert_signed_in(&visitor.submit_to(SECOND, &answered(&asked, &code, Some("email-code"))).await);

    // New recovery codes make the old ones worthless.
    let renewed = inside.post(RECOVERY, &json!({ "code": recovery[1] })).await.json();
    let renewed: Vec<String> = serde_json::from_value(renewed["recoveryCodes"].clone()).unwrap();
    assert_eq!(renewed.len(), 10);
    assert_failure(
        &inside.post(DISABLE, &json!({ "code": recovery[2] })).await,
        200,
        "login.twoFactorInvalidCode",
    );
    assert_eq!(inside.post(DISABLE, &json!({ "code": renewed[0] })).await.json(), json!({ "status": true }));
    Visitor::of(&host).log_in(&ann).await;
}

#[tokio::test]
async fn a_second_factor_survives_a_restart_and_guards_codes_by_email_too() {
    let project = with_second_factor().set("auth.email_code_login=true");
    let host = project.serve(&[]).await;
    let ann = Account::of("Ann");
    let (_, authenticator, _) = enrol(&host, &ann).await;
    let host = crate::identity_door::restart(host, &project).await;
    let mut visitor = Visitor::of(&host);
    visitor.submit_to(REQUEST, &json!({ "email": ann.email })).await;
    let code = mailed_code(&host, 1).await;
    let asked = visitor.submit_to(VERIFY, &json!({ "email": ann.email, "code": code })).await;
    let asked = asked.json();
    assert_eq!(asked["reason"], "login.twoFactorRequired", "{asked}");
    let answer = visitor.submit_to(SECOND, &answered(&asked, &authenticator.code_in(1), None)).await;
    assert_signed_in(&answer);
}

#[tokio::test]
async fn guessing_a_second_factor_ends_the_challenge() {
    let host = with_second_factor()
        .set("auth.two_factor_max_attempts=3")
        .set("auth.two_factor_email_fallback=false")
        .start()
        .await;
    let ann = Account::of("Ann");
    let (_, authenticator, _) = enrol(&host, &ann).await;
    let mut visitor = Visitor::of(&host);
    let asked = challenge(&mut visitor, &ann).await;
    assert_eq!(asked["twoFactorMethods"], json!(["totp", "recovery-code"]));
    let by_email = json!({ "challengeToken": asked["challengeToken"] });
    let answer = visitor.submit_to(SECOND_BY_EMAIL, &by_email).await;
    assert_failure(&answer, 200, "login.twoFactorMethodUnavailable");
    let code = authenticator.code_in(1);
    for _ in 0..3 {
        let answer = visitor.submit_to(SECOND, &answered(&asked, &other_than(&code), None)).await;
        assert_failure(&answer, 200, "login.twoFactorInvalidCode");
    }
    let answer = visitor.submit_to(SECOND, &answered(&asked, &code, None)).await;
    let reason = answer.json()["reason"].clone();
    assert!(
        reason == "login.twoFactorLocked" || reason == "login.twoFactorChallengeExpired",
        "the right code is of no use any more: {reason}"
    );
    assert_eq!(visitor.session().await, Value::Null);
}

#[tokio::test]
async fn who_cannot_enrol_is_told_why() {
    let off = door().start().await;
    let mut visitor = Visitor::of(&off);
    visitor.register(&Account::of("Ann")).await;
    let answer = visitor.post(SETUP, &json!({})).await;
    assert_failure(&answer, 200, "login.twoFactorDisabledByServer");
    let host = with_second_factor().beside(&off).start().await;
    let mut visitor = Visitor::of(&host);
    visitor.register(&Account::of("Ann")).await;
    let answer = visitor.post(ENABLE, &json!({ "code": "123456" })).await;
    assert_failure(&answer, 200, "login.twoFactorEnrollmentExpired");
}

#[tokio::test]
async fn these_routes_take_posts_and_the_ones_inside_take_sessions() {
    let host = with_second_factor().set("auth.email_code_login=true").start().await;
    for route in
        [REQUEST, VERIFY, SECOND, SECOND_BY_EMAIL, SETUP, ENABLE, DISABLE, RECOVERY, "/auth/api/2fa/other"]
    {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = host.send(Call::new(method.clone(), route).json(&json!({}))).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method} {route}");
            assert_eq!(&answer.body[..], b"", "{method} {route}");
        }
    }
    let mut visitor = Visitor::of(&host);
    for route in [SETUP, ENABLE, DISABLE, RECOVERY, "/auth/api/2fa/other"] {
        let answer = visitor.post(route, &json!({ "code": "123456" })).await;
        assert_failure(&answer, 401, "api.unauthorized");
    }
    visitor.register(&Account::of("Ann")).await;
    for route in ["/auth/api/2fa/other", "/auth/api/2fa/setup/x", "/auth/api/2fa/"] {
        let answer = visitor.post(route, &json!({})).await;
        assert_eq!(answer.status, 404, "{route}: {}", answer.text());
        assert_eq!(answer.json(), json!({ "status": false, "reason": "common.404" }), "{route}");
    }
}

#[tokio::test]
async fn each_of_these_routes_has_its_own_bound_an_address() {
    let host = with_second_factor()
        .set("auth.email_code_login=true")
        .set("rate_limiting.enabled=true")
        .set("rate_limiting.default_ip_limit=false")
        .start()
        .await;
    let mut signed_in = Visitor::of(&host).from("10.1.1.1");
    signed_in.register(&Account::of("Ann")).await;
    let csrf = signed_in.csrf().await;
    for (route, limit) in [(REQUEST, 10), (VERIFY, 20), (SECOND, 20), (SECOND_BY_EMAIL, 5), (ENABLE, 15)] {
        let call = Call::post(route).json(&json!({})).header("x-csrf-token", &csrf);
        for number in 0..limit {
            let answer = signed_in.send(call.clone()).await;
            assert_eq!(answer.status, 200, "{route} {number}: {}", answer.text());
        }
        assert_failure_only(&signed_in.send(call.clone()).await);
        let other = Visitor::of(&host).from("10.2.2.2").send(call).await;
        assert_ne!(other.status, 429, "{route}: others are not bothered");
    }
    // Those for managing share one.
    assert_failure_only(&signed_in.post(SETUP, &json!({})).await);
}

/// Too many requests: without a hint for how long.
#[track_caller]
fn assert_failure_only(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.json()),
        (429, json!({ "status": false, "reason": "api.rateLimitExceeded" }))
    );
}
