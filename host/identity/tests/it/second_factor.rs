//! Second factors (§5.7), row by row.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use luckystack_identity::AuthReply;
use luckystack_topology::ProjectConfig;
use luckystack_users::Sqlite;
use serde_json::{Value, json};
use totp_rs::{Algorithm, Secret, TOTP};

use crate::house::{ANN, House, IP, PASSWORD, Plan, reason, stored, users_file};

fn on(project: &mut ProjectConfig) {
    project.auth.two_factor = true;
}

/// Somebody who has a second factor.
struct Protected {
    house: House,
    id: String,
    token: String,
    secret: String,
    recovery: Vec<String>,
}

/// The code of a step, counted from the present one.
fn code(secret: &str, step: i64) -> String {
    let secret = Secret::Encoded(secret.to_owned()).to_bytes().unwrap();
    let totp = TOTP::new(Algorithm::SHA1, 6, 1, 30, secret, None, String::new()).unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    totp.generate(now.saturating_add_signed(step * 30))
}

/// A code that none of the steps around now has.
fn wrong(secret: &str) -> String {
    let near: Vec<String> = (-3..=3).map(|step| code(secret, step)).collect();
    (0..1_000_000).map(|n| format!("{n:06}")).find(|code| !near.contains(code)).unwrap()
}

fn codes(reply: &AuthReply) -> Vec<String> {
    let codes = reply.body["recoveryCodes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

impl Protected {
    async fn open(plan: Plan) -> Self {
        let house = plan.with(on).open().await;
        let (id, token) = house.ann().await;
        let setup = house.second_factor("setup", json!({}), Some(&token)).await;
        let secret = setup.body["secret"].as_str().unwrap().to_owned();
        let enabled = house.second_factor("enable", json!({ "code": code(&secret, 0) }), Some(&token)).await;
        let recovery = codes(&enabled);
        let protected = Self { house, id, token, secret, recovery };
        protected.forget_used_steps().await;
        protected
    }

    /// For tests that are about something else than replay.
    async fn forget_used_steps(&self) {
        self.house.backplane.clear(&self.house.keys.own("2fa-usedstep", "")).await.unwrap();
    }

    async fn challenge(&self) -> String {
        let reply = self.house.log_in(ANN, PASSWORD).await;
        reply.body["challengeToken"].as_str().unwrap_or_else(|| panic!("{:?}", reply.body)).to_owned()
    }

    async fn answer(&self, challenge: &str, code: &str, method: &str) -> AuthReply {
        let input = json!({ "challengeToken": challenge, "code": code, "method": method });
        self.house.second_factor("", input, None).await
    }

    /// From addresses of their own, so that only the account counts.
    async fn answer_from(&self, ip: &str, challenge: &str, code: &str, method: &str) -> AuthReply {
        let input = json!({ "challengeToken": challenge, "code": code, "method": method });
        self.house.second_factor_from(ip, "", input, None).await
    }
}

#[tokio::test]
async fn setting_up_shows_a_secret_and_enabling_shows_recovery_codes() {
    let house = Plan::new().with(on).open().await;
    let (id, token) = house.ann().await;
    let setup = house.second_factor("setup", json!({}), Some(&token)).await;
    assert_eq!((setup.status, &setup.body["status"]), (200, &json!(true)));
    let secret = setup.body["secret"].as_str().unwrap();
    let uri = setup.body["otpauthUri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/fleet:ann%40example.com?"), "{uri}");
    assert!(uri.contains(&format!("secret={secret}")) && uri.contains("issuer=fleet"));
    let pending = stored(&*house.backplane, &house.keys.own("2fa-pending", &id)).await.unwrap();
    assert!(pending.starts_with("enc:v2:") && !pending.contains(secret));
    assert!(house.user(&id).await.text("totpSecret").is_none(), "nothing counts before its first code");
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");

    let token = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    let bad = house.second_factor("enable", json!({ "code": wrong(secret) }), Some(&token)).await;
    assert_eq!(bad.body, json!({ "status": false, "reason": "login.twoFactorInvalidCode" }));
    let enabled = house.second_factor("enable", json!({ "code": code(secret, 0) }), Some(&token)).await;
    let codes = codes(&enabled);
    assert_eq!(enabled.body, json!({ "status": true, "recoveryCodes": codes }));
    assert_eq!(codes.len(), 10);
    let user = house.user(&id).await;
    assert!(user.text("totpSecret").unwrap().starts_with("enc:v2:"));
    let hashes = user.field("recoveryCodes").unwrap().as_array().unwrap().clone();
    assert!(hashes.len() == 10 && !hashes.iter().any(|hash| codes.contains(&hash.as_str().unwrap().into())));
    let session = house.identity.session(&token).await.unwrap();
    assert_eq!(session.fields()["twoFactorEnabled"], true);
    for secret in ["totpSecret", "recoveryCodes", "password"] {
        assert!(session.fields().get(secret).is_none(), "{secret}");
    }
    for action in ["setup", "enable"] {
        let again = house.second_factor(action, json!({ "code": "123456" }), Some(&token)).await;
        assert_eq!(reason(&again), "login.twoFactorAlreadyEnabled");
    }
}

#[tokio::test]
async fn an_enrolment_that_was_not_begun_or_has_expired_cannot_be_finished() {
    let house = Plan::new().with(on).open().await;
    let (id, token) = house.ann().await;
    let enable = async || house.second_factor("enable", json!({ "code": "123456" }), Some(&token)).await;
    assert_eq!(reason(&enable().await), "login.twoFactorEnrollmentExpired");
    house.second_factor("setup", json!({}), Some(&token)).await;
    let key = house.keys.own("2fa-pending", &id);
    let life = house.backplane.get_living(&key).await.unwrap().unwrap().remaining.unwrap();
    assert!((590..=600).contains(&life.as_secs()));
    house.backplane.delete(&key).await.unwrap();
    assert_eq!(reason(&enable().await), "login.twoFactorEnrollmentExpired");
}

#[tokio::test]
async fn without_a_key_or_the_switch_nobody_enrols() {
    let mut plan = Plan::new().with(on);
    plan.totp_key = None;
    let house = plan.open().await;
    let (_, token) = house.ann().await;
    for action in ["setup", "enable"] {
        let reply = house.second_factor(action, json!({ "code": "123456" }), Some(&token)).await;
        assert_eq!((reply.status, reason(&reply)), (200, "login.twoFactorDisabledByServer"));
    }
    let house = Plan::new().open().await;
    let (_, token) = house.ann().await;
    let reply = house.second_factor("setup", json!({}), Some(&token)).await;
    assert_eq!(reason(&reply), "login.twoFactorDisabledByServer");
}

#[tokio::test]
async fn a_protected_login_is_a_challenge() {
    let protected = Protected::open(Plan::new()).await;
    let reply = protected.house.log_in(ANN, PASSWORD).await;
    let challenge = reply.body["challengeToken"].as_str().unwrap();
    assert!(challenge.len() == 64 && reply.session.is_none());
    assert_eq!(reply.status, 200);
    assert_eq!(
        reply.body,
        json!({
            "status": true, "reason": "login.twoFactorRequired", "requiresTwoFactor": true,
            "challengeToken": challenge, "twoFactorMethods": ["totp", "email-code", "recovery-code"],
            "authenticated": false,
        })
    );
    assert_eq!(reason(&protected.house.log_in(ANN, "wrong horse 1").await), "login.wrongPassword");
    // Any method that is not known means the authenticator's.
    let right = protected.answer(challenge, &code(&protected.secret, 1), "smoke-signals").await;
    assert_eq!(reason(&right), "login.loggedIn");
    assert_eq!(right.body["session"]["id"], protected.id.as_str());
    assert_eq!(right.body["session"]["twoFactorEnabled"], true);
    assert!(right.session.is_some());
    let spent = protected.answer(challenge, &code(&protected.secret, 0), "totp").await;
    assert_eq!(reason(&spent), "login.twoFactorChallengeExpired");
    assert_eq!(protected.house.hooks.last("postLogin")["provider"], "credentials");
}

#[tokio::test]
async fn a_challenge_that_nobody_was_given_is_expired() {
    let protected = Protected::open(Plan::new()).await;
    for challenge in ["", "x", &"a".repeat(64), &"é".repeat(32)] {
        let reply = protected.answer(challenge, "123456", "totp").await;
        assert_eq!(reply.body, json!({ "status": false, "reason": "login.twoFactorChallengeExpired" }));
        let input = json!({ "challengeToken": challenge });
        let reply = protected.house.second_factor("email-code", input, None).await;
        assert_eq!(reason(&reply), "login.twoFactorChallengeExpired");
    }
}

#[tokio::test]
async fn a_code_of_an_authenticator_is_taken_once() {
    let protected = Protected::open(Plan::new()).await;
    let typed = code(&protected.secret, 0);
    let first = protected.answer(&protected.challenge().await, &typed, "totp").await;
    assert_eq!(reason(&first), "login.loggedIn");
    let again = protected.answer(&protected.challenge().await, &typed, "totp").await;
    assert_eq!(reason(&again), "login.twoFactorInvalidCode");
}

#[tokio::test]
async fn the_code_that_enabled_does_not_log_in() {
    let house = Plan::new().with(on).open().await;
    let (_, token) = house.ann().await;
    let setup = house.second_factor("setup", json!({}), Some(&token)).await;
    let secret = setup.body["secret"].as_str().unwrap();
    let typed = code(secret, 0);
    house.second_factor("enable", json!({ "code": typed }), Some(&token)).await;
    let challenge = house.log_in(ANN, PASSWORD).await.body["challengeToken"].clone();
    let reply = house.second_factor("", json!({ "challengeToken": challenge, "code": typed }), None).await;
    assert_eq!(reason(&reply), "login.twoFactorInvalidCode");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_spend_a_recovery_code_at_once_one_gets_in() {
    let protected = Protected::open(Plan::new()).await;
    for n in 0..3 {
        let [one, other] = [protected.challenge().await, protected.challenge().await];
        let typed = protected.recovery[n].to_uppercase().replace('-', " ");
        let ip = format!("203.0.113.{n}");
        let (one, other) = tokio::join!(
            protected.answer_from(&ip, &one, &typed, "recovery-code"),
            protected.answer_from(&ip, &other, &typed, "recovery-code"),
        );
        let mut reasons = [reason(&one), reason(&other)];
        reasons.sort_unstable();
        assert_eq!(reasons, ["login.loggedIn", "login.twoFactorInvalidCode"]);
    }
    let left = protected.house.user(&protected.id).await;
    assert_eq!(left.field("recoveryCodes").unwrap().as_array().unwrap().len(), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_right_answers_to_one_challenge_make_one_session() {
    let protected = Protected::open(Plan::new()).await;
    let challenge = protected.challenge().await;
    let typed = code(&protected.secret, 0);
    let (one, other) = tokio::join!(
        protected.answer(&challenge, &typed, "totp"),
        protected.answer(&challenge, &protected.recovery[0], "recovery-code"),
    );
    let inside = [&one, &other].iter().filter(|reply| reply.session.is_some()).count();
    assert_eq!(inside, 1, "{one:?} {other:?}");
}

#[tokio::test]
async fn five_wrong_codes_end_a_challenge() {
    let protected = Protected::open(Plan::new()).await;
    let challenge = protected.challenge().await;
    for _ in 0..5 {
        let reply = protected.answer(&challenge, &wrong(&protected.secret), "totp").await;
        assert_eq!(reply.body, json!({ "status": false, "reason": "login.twoFactorInvalidCode" }));
    }
    let locked = protected.answer(&challenge, &code(&protected.secret, 0), "totp").await;
    assert_eq!(reason(&locked), "login.twoFactorLocked");
    let gone = protected.answer(&challenge, &code(&protected.secret, 0), "totp").await;
    assert_eq!(reason(&gone), "login.twoFactorChallengeExpired");
    let failure = protected.house.hooks.last("loginFailed");
    assert_eq!(failure["userId"], protected.id.as_str());
    assert_eq!((&failure["email"], &failure["reason"]), (&json!(ANN), &json!("login.twoFactorLocked")));
}

#[tokio::test]
async fn ten_wrong_codes_lock_the_second_factor_of_an_account() {
    let mut protected = Protected::open(Plan::new()).await;
    let typed = wrong(&protected.secret);
    for n in 0..10 {
        let challenge = protected.challenge().await;
        let reply = protected.answer_from(&format!("203.0.113.{n}"), &challenge, &typed, "totp").await;
        assert_eq!(reason(&reply), "login.twoFactorInvalidCode");
    }
    let challenge = protected.challenge().await;
    for (typed, method) in
        [(code(&protected.secret, 0), "totp"), (protected.recovery[0].clone(), "recovery-code")]
    {
        let reply = protected.answer_from("203.0.113.50", &challenge, &typed, method).await;
        assert_eq!(reason(&reply), "login.twoFactorLocked");
    }
    let input = json!({ "challengeToken": challenge });
    let reply = protected.house.second_factor_from("203.0.113.51", "email-code", input, None).await;
    assert_eq!(reason(&reply), "login.twoFactorLocked");
    assert!(protected.house.outbox_is_empty());
    // The same count holds for whoever has the session.
    let input = json!({ "code": code(&protected.secret, 0) });
    let reply = protected.house.second_factor("disable", input, Some(&protected.token)).await;
    assert_eq!(reason(&reply), "login.twoFactorLocked");
}

#[tokio::test]
async fn a_right_code_forgets_the_wrong_ones() {
    let protected = Protected::open(Plan::new()).await;
    for round in 0..4 {
        let challenge = protected.challenge().await;
        let ip = format!("203.0.113.{round}");
        for _ in 0..4 {
            protected.answer_from(&ip, &challenge, &wrong(&protected.secret), "totp").await;
        }
        let reply = protected.answer_from(&ip, &challenge, &protected.recovery[round], "recovery-code").await;
        assert_eq!(reason(&reply), "login.loggedIn");
    }
}

#[tokio::test]
async fn a_code_by_email_is_a_second_factor_too() {
    let mut protected = Protected::open(Plan::new()).await;
    let challenge = protected.challenge().await;
    let input = json!({ "challengeToken": challenge });
    let reply = protected.house.second_factor("email-code", input, None).await;
    assert_eq!((reply.status, reply.body), (200, json!({ "status": true })));
    let letter = protected.house.letter().await;
    assert_eq!(letter.to, ANN);
    let typed = letter.text.lines().find_map(|line| line.strip_prefix("    ")).unwrap().to_owned();
    assert_eq!(
        reason(&protected.answer(&challenge, "000", "email-code").await),
        "login.twoFactorInvalidCode"
    );
    let reply = protected.answer(&challenge, &typed, "email-code").await;
    assert_eq!(reason(&reply), "login.loggedIn");
    let again = protected.answer(&protected.challenge().await, &typed, "email-code").await;
    assert_eq!(reason(&again), "login.twoFactorInvalidCode");
}

#[tokio::test]
async fn without_the_fallback_there_are_no_codes_by_email() {
    let plan = Plan::new().with(|project| project.auth.two_factor_email_fallback = false);
    let protected = Protected::open(plan).await;
    let reply = protected.house.log_in(ANN, PASSWORD).await;
    assert_eq!(reply.body["twoFactorMethods"], json!(["totp", "recovery-code"]));
    let challenge = reply.body["challengeToken"].as_str().unwrap();
    let input = json!({ "challengeToken": challenge });
    let reply = protected.house.second_factor("email-code", input, None).await;
    assert_eq!((reply.status, reason(&reply)), (200, "login.twoFactorMethodUnavailable"));
    let reply = protected.answer(challenge, "123456", "email-code").await;
    assert_eq!(reason(&reply), "login.twoFactorMethodUnavailable");
}

#[tokio::test]
async fn a_login_that_began_with_an_email_does_not_end_with_one() {
    let mut protected =
        Protected::open(Plan::new().with(|project| project.auth.email_code_login = true)).await;
    let input = crate::house::object(json!({ "email": ANN }));
    protected.house.identity.email_code_request(crate::house::request(&input, None)).await;
    let typed = protected.house.code().await;
    let input = crate::house::object(json!({ "email": ANN, "code": typed }));
    let reply = protected.house.identity.email_code_verify(crate::house::request(&input, None)).await;
    assert_eq!(reason(&reply), "login.twoFactorRequired");
    assert!(reply.session.is_none());
    assert_eq!(reply.body["twoFactorMethods"], json!(["totp", "recovery-code"]));
    let challenge = reply.body["challengeToken"].as_str().unwrap();
    let input = json!({ "challengeToken": challenge });
    let refused = protected.house.second_factor("email-code", input, None).await;
    assert_eq!(reason(&refused), "login.twoFactorMethodUnavailable");
    let right = protected.answer(challenge, &protected.recovery[0], "recovery-code").await;
    assert_eq!(reason(&right), "login.loggedIn");
}

#[tokio::test]
async fn disabling_needs_a_code_and_ends_the_protection() {
    let protected = Protected::open(Plan::new()).await;
    let house = &protected.house;
    let token = Some(&*protected.token);
    for typed in ["", "000", &wrong(&protected.secret), "aaaaa-aaaaa-aaaaa-aaaaa"] {
        let reply = house.second_factor("disable", json!({ "code": typed }), token).await;
        assert_eq!(reply.body, json!({ "status": false, "reason": "login.twoFactorInvalidCode" }), "{typed}");
    }
    let input = json!({ "code": code(&protected.secret, 0) });
    let reply = house.second_factor("disable", input, token).await;
    assert_eq!(reply.body, json!({ "status": true }));
    let user = house.user(&protected.id).await;
    assert!(user.text("totpSecret").is_none());
    assert_eq!(user.field("twoFactorEnabled"), Some(&json!(false)));
    assert_eq!(reason(&house.log_in(ANN, PASSWORD).await), "login.loggedIn");
    let token = house.log_in(ANN, PASSWORD).await.session.unwrap().token.clone();
    let reply = house.second_factor("disable", json!({ "code": "123456" }), Some(&token)).await;
    assert_eq!(reason(&reply), "login.twoFactorMethodUnavailable");
}

#[tokio::test]
async fn a_recovery_code_disables_too() {
    let protected = Protected::open(Plan::new()).await;
    let input = json!({ "code": protected.recovery[3] });
    let reply = protected.house.second_factor("disable", input, Some(&protected.token)).await;
    assert_eq!(reply.body, json!({ "status": true }));
}

#[tokio::test]
async fn new_recovery_codes_replace_the_old_ones() {
    let protected = Protected::open(Plan::new()).await;
    let input = json!({ "code": code(&protected.secret, 0) });
    let reply = protected.house.second_factor("recovery-codes", input, Some(&protected.token)).await;
    let new = codes(&reply);
    assert_eq!(reply.body, json!({ "status": true, "recoveryCodes": new }));
    let challenge = protected.challenge().await;
    let old = protected.answer(&challenge, &protected.recovery[0], "recovery-code").await;
    assert_eq!(reason(&old), "login.twoFactorInvalidCode");
    let reply = protected.answer(&challenge, &new[0], "recovery-code").await;
    assert_eq!(reason(&reply), "login.loggedIn");
}

#[tokio::test]
async fn a_session_is_needed_to_manage_and_then_the_action() {
    let house = Plan::new().with(on).open().await;
    let (_, token) = house.ann().await;
    for action in ["setup", "enable", "disable", "recovery-codes", "nonsense"] {
        for token in [None, Some("unknown")] {
            let reply = house.second_factor(action, json!({}), token).await;
            assert_eq!(
                (reply.status, reply.body),
                (401, json!({ "status": false, "reason": "api.unauthorized" }))
            );
        }
    }
    let reply = house.second_factor_from("203.0.113.8", "nonsense", json!({}), Some(&token)).await;
    assert_eq!((reply.status, reply.body), (404, json!({ "status": false, "reason": "common.404" })));
}

#[tokio::test]
async fn each_route_has_its_bucket() {
    let house = Plan::new().with(on).open().await;
    let limited = json!({ "status": false, "reason": "api.rateLimitExceeded" });
    for (action, bucket, limit) in
        [("", "2fa-verify", 20), ("email-code", "2fa-email-code", 5), ("setup", "2fa-manage", 15)]
    {
        for _ in 0..limit {
            assert_ne!(house.second_factor(action, json!({}), None).await.status, 429);
        }
        let reply = house.second_factor(action, json!({}), None).await;
        assert_eq!((reply.status, &reply.body), (429, &limited), "{bucket}");
        assert_eq!(house.counted(&format!("ip:{IP}:auth:{bucket}")).await, limit + 1);
    }
}

#[tokio::test]
async fn three_codes_by_email_in_a_quarter_of_an_hour() {
    let protected = Protected::open(Plan::new()).await;
    let challenge = protected.challenge().await;
    for expected in ["", "", "", "api.rateLimitExceeded"] {
        let input = json!({ "challengeToken": challenge });
        let reply = protected.house.second_factor("email-code", input, None).await;
        assert_eq!((reply.status, reason(&reply)), (200, expected));
    }
}

#[tokio::test]
async fn switching_enrolment_off_does_not_open_protected_accounts() {
    let mut protected = Protected::open(Plan::new()).await;
    protected.house.project.auth.two_factor = false;
    protected.house.identity.reconfigure(&protected.house.project);
    let challenge = protected.challenge().await;
    let reply = protected.answer(&challenge, &code(&protected.secret, 0), "totp").await;
    assert_eq!(reason(&reply), "login.loggedIn");
}

#[tokio::test]
async fn a_new_key_reads_what_the_old_one_sealed_and_seals_it_anew() {
    let protected = Protected::open(Plan::new()).await;
    let (id, secret) = (protected.id.clone(), protected.secret.clone());
    let sealed = protected.house.user(&id).await.text("totpSecret").unwrap().to_owned();
    let old_key = "a key for tests".to_owned();
    protected.house.users.close().await;

    let mut plan = Plan::new().with(on);
    plan.totp_key = Some("another key".to_owned());
    plan.totp_legacy_keys = vec!["one more".to_owned(), old_key];
    let users = Arc::new(Sqlite::open(&users_file(protected.house.dir.path())).await.unwrap());
    let house = plan.open_with(users.clone()).await;
    let challenge = house.log_in(ANN, PASSWORD).await.body["challengeToken"].clone();
    let input = json!({ "challengeToken": challenge, "code": code(&secret, 0) });
    assert_eq!(reason(&house.second_factor("", input, None).await), "login.loggedIn");
    let resealed = house.user(&id).await.text("totpSecret").unwrap().to_owned();
    assert_ne!(resealed.split(':').nth(2), sealed.split(':').nth(2), "the key's id is another");

    // Without the old key from now on.
    let mut plan = Plan::new().with(on);
    plan.totp_key = Some("another key".to_owned());
    let house = plan.open_with(users.clone()).await;
    let challenge = house.log_in(ANN, PASSWORD).await.body["challengeToken"].clone();
    let input = json!({ "challengeToken": challenge, "code": code(&secret, 1) });
    assert_eq!(reason(&house.second_factor("", input, None).await), "login.loggedIn");

    // And without any that fits: nobody gets in by the authenticator, and nothing breaks.
    let mut plan = Plan::new().with(on);
    plan.totp_key = None;
    let house = plan.open_with(users).await;
    let challenge = house.log_in(ANN, PASSWORD).await.body["challengeToken"].clone();
    let input = json!({ "challengeToken": challenge, "code": code(&secret, 0) });
    assert_eq!(reason(&house.second_factor("", input, None).await), "login.twoFactorInvalidCode");
    let input =
        json!({ "challengeToken": challenge, "code": protected.recovery[0], "method": "recovery-code" });
    assert_eq!(reason(&house.second_factor("", input, None).await), "login.loggedIn");
}

#[tokio::test]
async fn keys_are_those_of_the_protocol_and_hold_no_tokens() {
    let protected = Protected::open(Plan::new()).await;
    let challenge = protected.challenge().await;
    protected.answer(&challenge, &wrong(&protected.secret), "totp").await;
    let house = &protected.house;
    let hash = ring::digest::digest(&ring::digest::SHA256, challenge.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("fleet-2fa-challenge:{hash}");
    let state: Value = serde_json::from_str(&stored(&*house.backplane, &key).await.unwrap()).unwrap();
    assert_eq!(state["userId"], protected.id.as_str());
    let life = house.backplane.get_living(&key).await.unwrap().unwrap().remaining.unwrap();
    assert!((290..=300).contains(&life.as_secs()));
    let attempts = house.backplane.counted(&format!("fleet-2fa-challenge-attempts:{hash}")).await.unwrap();
    assert_eq!(attempts.unwrap().count, 1);
    let failures = house.backplane.counted(&format!("fleet-2fa-accountfail:{}", protected.id)).await.unwrap();
    assert_eq!(failures.unwrap().count, 1);
}
