//! Hooks around logins: those that may stop do, those that observe are told, and one that fails is skipped.

use luckystack_tests::{Account, Act, Call, Forge, Project, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{CHANGE, MINE, assert_failure, door};

fn with_hook(project: Project, hook: &str, act: Act) -> Project {
    let forge = Forge::new("warden", hook).hook(json!({ "hook": hook }), act);
    project.forged("warden", &format!("{hook}.wasm"), &forge)
}

fn stop(code: &str) -> Act {
    Act::Fail(code.to_owned(), None)
}

#[tokio::test]
async fn a_hook_before_a_way_in_stops_it_with_its_reason() {
    let ann = Account::of("Ann");
    let first = door().start().await;
    for (hook, registers, logs_in) in [
        ("preRegister", Some("warden.no"), None),
        ("preLogin", None, Some("warden.no")),
        ("preSessionCreate", Some("warden.no"), Some("warden.no")),
    ] {
        let host = with_hook(door(), hook, stop("warden.no")).beside(&first).start().await;
        let mut visitor = Visitor::of(&host);
        let registered = visitor.submit(&ann.registration()).await;
        match registers {
            Some(reason) => assert_failure(&registered, 200, reason),
            None => assert_eq!(registered.json()["reason"], "login.userCreated", "{hook}"),
        }
        let mut visitor = Visitor::of(&host);
        let answer = visitor.submit(&ann.login()).await;
        match (logs_in, hook) {
            (Some(reason), _) => assert_failure(&answer, 200, reason),
            // There is no account: its registration was stopped before it was made.
            (None, _) => assert_failure(&answer, 200, "login.wrongPassword"),
        }
        assert_eq!(visitor.session().await, Value::Null);
    }
}

#[tokio::test]
async fn a_hook_may_keep_a_session_from_ending() {
    let first = door().start().await;
    for hook in ["preLogout", "preSessionDelete"] {
        let host = with_hook(door(), hook, stop("warden.stay")).beside(&first).start().await;
        let mut visitor = Visitor::of(&host);
        visitor.register(&Account::of("Ann")).await;
        let answer = visitor.log_out().await;
        assert_ne!(answer.status, 200, "{hook}: nobody is told that he is out while he is not");
        assert_eq!(visitor.session().await["name"], "Ann", "{hook}");
        assert!(visitor.cookie("token").is_some(), "{hook}: the cookie stays with the session");
    }
}

#[tokio::test]
async fn hooks_that_observe_are_told_and_one_that_fails_disturbs_nobody() {
    let hooks = [
        "preRegister",
        "postRegister",
        "preLogin",
        "postLogin",
        "loginFailed",
        "preSessionCreate",
        "postSessionCreate",
        "sessionCreated",
        "preSessionDelete",
        "postSessionDelete",
        "sessionRevoked",
        "preLogout",
        "postLogout",
        "csrfMismatch",
        "corsRejected",
        "apiAuthRejected",
    ];
    let mut project = door().service("warden", "degraded_after = 100000");
    for hook in hooks {
        project = with_hook(project, hook, Act::Trap);
    }
    let host = project.start().await;
    let heard = |hook: &str| {
        let lines = host.log_lines("call failed");
        lines
            .iter()
            .filter(|line| line.contains("service=warden") && line.contains(&format!("{hook:?}")))
            .count()
    };
    let settle = async |hook: &str, number: usize| {
        let waited = tokio::time::timeout(luckystack_tests::host::PATIENCE, async {
            while heard(hook) < number {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        if waited.await.is_err() {
            panic!("{hook} was heard {} times, not {number}\n{}", heard(hook), host.log());
        }
    };
    let ann = Account::of("Ann");
    let mut visitor = Visitor::of(&host);
    visitor.register(&ann).await;
    for hook in [
        "preRegister",
        "postRegister",
        "preSessionCreate",
        "postSessionCreate",
        "sessionCreated",
        "postLogin",
    ] {
        settle(hook, 1).await;
    }
    assert_eq!(heard("preLogin"), 0, "a registration is no login");
    assert_eq!(heard("loginFailed"), 0);

    // What is wrong with the form is nobody's failure; from there on each is told.
    visitor.submit(&json!({ "email": "no address", "password": "x" })).await;
    Visitor::of(&host).submit(&json!({ "email": ann.email, "password": "wrong" })).await;
    settle("loginFailed", 1).await;
    settle("preLogin", 1).await;
    Visitor::of(&host).submit(&ann.registration()).await;
    settle("loginFailed", 2).await;

    visitor.log_in(&ann).await;
    settle("postLogin", 2).await;
    settle("sessionRevoked", 1).await;
    assert_eq!(visitor.session().await["name"], "Ann");

    assert_eq!(visitor.send(Call::post(CHANGE).json(&json!({}))).await.status, 403);
    settle("csrfMismatch", 1).await;
    let foreign = Call::get(MINE).header("origin", "https://evil.example");
    assert_eq!(visitor.send(foreign).await.status, 403);
    settle("corsRejected", 1).await;
    host.get(MINE).await.assert_error(401, "auth.required");
    settle("apiAuthRejected", 1).await;

    visitor.log_out().await;
    for hook in ["preLogout", "postLogout"] {
        settle(hook, 1).await;
    }
    settle("preSessionDelete", 2).await;
    settle("postSessionDelete", 2).await;
    assert_eq!(heard("loginFailed"), 2, "in all");
}
