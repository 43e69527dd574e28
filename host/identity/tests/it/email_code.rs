//! Logging in with a code by e-mail (§5.7).

use luckystack_identity::{AuthReply, AuthRequest};
use luckystack_topology::ProjectConfig;
use serde_json::{Value, json};

use crate::house::{ANN, House, IP, Plan, object, reason, request, stored};

fn on(project: &mut ProjectConfig) {
    project.auth.email_code_login = true;
}

impl House {
    async fn ask_code(&self, ip: &str, email: &str) -> AuthReply {
        let input = object(json!({ "email": email }));
        self.identity.email_code_request(AuthRequest { ip, ..request(&input, None) }).await
    }

    async fn use_code(&self, email: &str, code: &str) -> AuthReply {
        let input = object(json!({ "email": email, "code": code }));
        self.identity.email_code_verify(request(&input, None)).await
    }
}

/// Another code of the same length.
fn not(code: &str) -> String {
    code.bytes().map(|digit| char::from(b'0' + (digit - b'0' + 1) % 10)).collect()
}

#[tokio::test]
async fn a_code_logs_in_once() {
    let mut house = Plan::new().with(on).open().await;
    let (id, _) = house.ann().await;
    let reply = house.ask_code(IP, " Ann@example.com").await;
    assert_eq!((reply.status, reply.body), (200, json!({ "status": true })));
    let letter = house.letter().await;
    assert_eq!((&*letter.to, &*letter.subject), (ANN, "Your code for fleet"));
    let code = letter.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    let key = house.keys.own("emailcode", &format!("login:{ANN}"));
    let kept = stored(&*house.backplane, &key).await.unwrap();
    assert!(kept.len() == 64 && !kept.contains(&code), "only a hash is kept");
    let typed = format!(" {}-{} ", &code[..3], &code[3..]);
    let reply = house.use_code(ANN, &typed).await;
    assert_eq!(reason(&reply), "login.loggedIn");
    assert_eq!(reply.body["session"]["id"], id.as_str());
    assert_eq!(house.hooks.last("postLogin")["provider"], "email-code");
    assert_eq!(reason(&house.use_code(ANN, &code).await), "login.emailCodeExpired");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_use_a_code_at_once_one_gets_in() {
    for _ in 0..10 {
        let mut house = Plan::new().with(on).open().await;
        house.ann().await;
        house.ask_code(IP, ANN).await;
        let code = house.code().await;
        let replies = futures::future::join_all((0..4).map(|_| house.use_code(ANN, &code))).await;
        let inside = replies.iter().filter(|reply| reply.session.is_some()).count();
        assert_eq!(inside, 1, "{replies:?}");
    }
}

#[tokio::test]
async fn an_unknown_email_gets_the_same_answers_and_no_message() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    let unknown = "bob@example.com";
    let answers = [house.ask_code(IP, unknown).await.body, house.ask_code(IP, ANN).await.body];
    assert_eq!(answers[0], answers[1]);
    let code = house.code().await;
    for attempt in 0..7 {
        let wrong = not(&code);
        let [of_unknown, of_known] =
            [house.use_code(unknown, &wrong).await.body, house.use_code(ANN, &wrong).await.body];
        assert_eq!(of_unknown, of_known);
        let expected = if attempt < 5 { "login.emailCodeInvalid" } else { "login.emailCodeLocked" };
        assert_eq!(of_known, json!({ "status": false, "reason": expected }));
    }
    assert!(house.users.by_email(unknown, None).await.unwrap().is_none(), "nobody was created");
    assert!(house.outbox_is_empty());
    assert_eq!(reason(&house.use_code(ANN, &code).await), "login.emailCodeLocked");
}

#[tokio::test]
async fn wrong_codes_before_the_right_one_are_forgiven_up_to_the_limit() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.ask_code(IP, ANN).await;
    let code = house.code().await;
    for _ in 0..4 {
        assert_eq!(reason(&house.use_code(ANN, &not(&code)).await), "login.emailCodeInvalid");
    }
    assert_eq!(reason(&house.use_code(ANN, &code).await), "login.loggedIn");
    assert_eq!(house.hooks.of("loginFailed").len(), 4);
}

#[tokio::test]
async fn a_new_code_takes_the_place_of_the_one_before() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.ask_code(IP, ANN).await;
    let first = house.code().await;
    house.ask_code(IP, ANN).await;
    let second = house.code().await;
    if first != second {
        assert_eq!(reason(&house.use_code(ANN, &first).await), "login.emailCodeInvalid");
    }
    assert_eq!(reason(&house.use_code(ANN, &second).await), "login.loggedIn");
}

#[tokio::test]
async fn an_email_gets_three_messages_in_a_quarter_of_an_hour() {
    let house = Plan::new().with(on).open().await;
    house.ann().await;
    for n in 0..3 {
        assert_eq!(house.ask_code(&format!("203.0.113.{n}"), ANN).await.body, json!({ "status": true }));
    }
    let reply = house.ask_code("203.0.113.50", ANN).await;
    assert_eq!((reply.status, reason(&reply)), (200, "api.rateLimitExceeded"));
    assert_eq!(house.ask_code(IP, "bob@example.com").await.body, json!({ "status": true }));
}

#[tokio::test]
async fn an_address_asks_ten_times_and_tries_twenty_times_in_a_quarter_of_an_hour() {
    let house = Plan::new().with(on).open().await;
    for n in 0..10 {
        assert_eq!(house.ask_code(IP, &format!("p{n}@example.com")).await.status, 200);
    }
    let reply = house.ask_code(IP, "p10@example.com").await;
    let limited = json!({ "status": false, "reason": "api.rateLimitExceeded" });
    assert_eq!((reply.status, &reply.body), (429, &limited));
    for n in 0..20 {
        assert_eq!(house.use_code(&format!("p{n}@example.com"), "000000").await.status, 200);
    }
    let reply = house.use_code("p20@example.com", "000000").await;
    assert_eq!((reply.status, &reply.body), (429, &limited));
}

#[tokio::test]
async fn codes_are_there_when_they_are_switched_on() {
    let house = Plan::new().open().await;
    assert_eq!(reason(&house.ask_code(IP, ANN).await), "login.emailCodeDisabled");
    assert_eq!(reason(&house.use_code(ANN, "123456").await), "login.emailCodeDisabled");
}

#[tokio::test]
async fn a_host_that_cannot_send_says_so_to_everybody() {
    let mut plan = Plan::new().with(on);
    plan.production = true;
    let house = plan.open().await;
    assert_eq!(reason(&house.ask_code(IP, ANN).await), "login.emailCodeSendFailed");
}

#[tokio::test]
async fn what_is_no_email_is_said() {
    let house = Plan::new().with(on).open().await;
    for (email, expected) in [
        ("", "login.empty"),
        ("ann", "login.invalidEmailFormat"),
        (&*"x".repeat(200), "login.emailCharacterLimit"),
    ] {
        assert_eq!(reason(&house.ask_code(IP, email).await), expected);
        assert_eq!(reason(&house.use_code(email, "123456").await), expected);
    }
    assert_eq!(reason(&house.use_code(ANN, "").await), "login.empty");
}

#[tokio::test]
async fn a_hook_may_stop_a_login_by_code() {
    let mut house = Plan::new().with(on).open().await;
    house.ann().await;
    house.ask_code(IP, ANN).await;
    let code = house.code().await;
    house.hooks.stop("preLogin", "app.closed");
    assert_eq!(reason(&house.use_code(ANN, &code).await), "app.closed");
    let sent: Vec<Value> = house.hooks.of("postEmailSend");
    assert_eq!((&sent[0]["ok"], &sent[0]["adapter"]), (&json!(true), &json!("console")));
}
