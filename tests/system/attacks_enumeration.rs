//! Who is registered is nobody else's business: neither answers nor their time tell.

use std::time::{Duration, Instant};

use luckystack_tests::{Account, Answer, Call, Host, Visitor};
use serde_json::json;

use crate::identity_door::door;
use crate::identity_oauth::{BEGIN, acme, come_by};

/// Tries of each kind; a quartile of so many is steady on a machine that is busy with other things.
const TRIES: usize = 20;

/// What an outsider can compare: everything but the request's own id and the time of day.
fn visible(answer: &Answer) -> (u16, String, Vec<(String, String)>) {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    headers.sort();
    (answer.status, answer.text(), headers)
}

#[tokio::test]
async fn answers_do_not_tell_who_is_registered() {
    let host = door().set("auth.email_code_login=true").start().await;
    let ann = Account::of("Ann");
    Visitor::of(&host).register(&ann).await;
    let email = |email: &str| json!({ "email": email });
    let with = |email: &str, field: &str, value: &str| json!({ "email": email, field: value });
    let nobody = "nobody@example.com";
    for (path, known, unknown) in [
        (
            "/auth/api/credentials",
            with(&ann.email, "password", "wrong password"),
            with(nobody, "password", "wrong password"),
        ),
        ("/auth/api/email-code/request", email(&ann.email), email(nobody)),
        ("/auth/api/email-code/verify", with(&ann.email, "code", "no code"), with(nobody, "code", "no code")),
    ] {
        // To the point where each is locked, and beyond.
        for number in 0..8 {
            let known = Visitor::of(&host).submit_to(path, &known).await;
            let unknown = Visitor::of(&host).submit_to(path, &unknown).await;
            assert_eq!(visible(&known), visible(&unknown), "{path} {number}");
        }
    }
}

/// What answers to two calls take: lower quartiles of interleaved tries, in turns the one and the other
/// first. What else the machine does only adds time, and meets both alike.
async fn quartiles(host: &Host, calls: [Call; 2]) -> [Duration; 2] {
    let mut spans = [Vec::new(), Vec::new()];
    for number in 0..TRIES {
        for which in [number % 2, 1 - number % 2] {
            let mut connection = host.connect().await;
            let asked = Instant::now();
            let answer = connection.send(calls[which].clone()).await;
            spans[which].push(asked.elapsed());
            assert_eq!(answer.json()["reason"], "login.wrongPassword");
        }
    }
    spans.map(|mut spans| {
        spans.sort_unstable();
        spans[spans.len() / 4]
    })
}

#[tokio::test]
async fn time_does_not_tell_who_is_registered() {
    let (provider, project) = acme(door().set("rate_limiting.auth.enabled=false")).await;
    let project = project.set("auth.provider_account_strategy=unified");
    let host = project.alone().start().await;
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    // Somebody with an account that has no password.
    come_by(&provider, &mut Visitor::of(&host), BEGIN, "jane").await;
    let guess = |email: &str| {
        Call::post("/auth/api/credentials").json(&json!({ "email": email, "password": "wrong password" }))
    };
    for other in ["nobody@example.com", "jane@example.com"] {
        let [known, unknown] = quartiles(&host, [guess(&ann.email), guess(other)]).await;
        // A hash is tens of milliseconds of work: without it an answer takes one.
        assert!(
            unknown > known / 2 && known > unknown / 2,
            "{known:?} with a password to compare, {unknown:?} without ({other})"
        );
    }
}
