//! From the name to the server half (§4.1 steps 4 to 14, §4.2, §4.3).

use serde_json::json;

use luckystack_pipeline::sync::SyncCall;
use luckystack_plugins::Transport;

use crate::puppet::{Act, fail, give, nothing};
use crate::stage::{NAME, Stage, Told, caller, entry, plugin};

fn succeeds(scene: crate::puppet::Scene) -> Act {
    match scene.what.as_str() {
        "server" => give(r#"{"status":"success"}"#),
        _ => nothing(),
    }
}

#[tokio::test]
async fn a_call_is_refused_for_the_first_thing_that_is_wrong() {
    let stage = Stage::new(json!({})).await;
    stage.play(succeeds);
    let call = || stage.call();
    for (call, code, status) in [
        (
            SyncCall { raw_name: "sync/board".into(), callback: None, ..call() },
            "routing.invalidServiceRouteName",
            400,
        ),
        (SyncCall { callback: None, receiver: " ".into(), ..call() }, "sync.invalidCallback", 400),
        (SyncCall { callback: Some(String::new()), ..call() }, "sync.invalidCallback", 400),
        (
            SyncCall { receiver: " \t".into(), raw_name: "board/none/v1".into(), ..call() },
            "sync.missingReceiver",
            400,
        ),
        (SyncCall { raw_name: "board/none/v1".into(), ..call() }, "sync.notFound", 400),
        (SyncCall { raw_name: "sync/faraway/move/v1".into(), ..call() }, "serviceNotAssigned", 502),
    ] {
        assert_eq!(stage.refusal(call).await, (code.to_owned(), status));
    }
    assert!(stage.rooms.take().is_empty());
    // Prefix or not, and white space around a receiver.
    let call = SyncCall { raw_name: "board/move/v1".into(), receiver: " room ".into(), ..call() };
    assert_eq!(stage.sync(call).await["status"], "success");
}

#[tokio::test]
async fn a_client_half_alone_is_no_route() {
    let stage =
        Stage::with(&[("board", plugin("board", &[entry("sync-client", json!({}))], &[]))], |_| {}).await;
    assert_eq!(stage.refusal(stage.call()).await, ("sync.notFound".to_owned(), 400));
}

#[tokio::test]
async fn auth_comes_before_the_receiver_and_has_the_statuses_of_sync() {
    for (auth, token, code, status) in [
        (json!({ "login": true }), None, "auth.required", 400),
        (json!({ "additional": [{ "key": "role" }] }), None, "auth.required", 400),
        (json!({ "additional": [{ "key": "role", "value": "admin" }] }), Some("own"), "auth.forbidden", 403),
        (json!({ "additional": [{ "key": "nope" }] }), Some("own"), "auth.invalidCondition", 500),
    ] {
        let stage = Stage::new(json!({ "auth": auth })).await;
        let call = SyncCall {
            caller: caller(token, Transport::Socket),
            receiver: "a room that nobody is in".into(),
            ..stage.call()
        };
        assert_eq!(stage.refusal(call).await, (code.to_owned(), status), "{auth}");
    }
}

#[tokio::test]
async fn a_client_may_send_to_its_rooms_and_to_all_when_allowed_live() {
    let mut stage = Stage::new(json!({})).await;
    stage.play(succeeds);
    let to = |stage: &Stage, receiver: &str| SyncCall { receiver: receiver.into(), ..stage.call() };
    let forbidden = |code: &str| (code.to_owned(), 403);
    stage.rooms.rooms.lock().insert("foreign".into(), vec![crate::stage::recipient(3, None)]);
    stage.rooms.rooms.lock().insert("all".into(), vec![crate::stage::recipient(3, None)]);

    assert_eq!(stage.sync(to(&stage, "room")).await["status"], "success");
    assert_eq!(stage.refusal(to(&stage, "foreign")).await, forbidden("sync.notRoomMember"));
    assert_eq!(stage.refusal(to(&stage, "all")).await, forbidden("sync.receiverNotAllowed"));

    stage.reconfigure(|project| project.sync.allow_client_receiver_all = true);
    assert_eq!(stage.sync(to(&stage, "all")).await["status"], "success");
    assert_eq!(stage.refusal(to(&stage, "foreign")).await, forbidden("sync.notRoomMember"));

    stage.reconfigure(|project| {
        project.sync.allow_client_receiver_all = false;
        project.sync.require_room_membership = false;
    });
    assert_eq!(stage.sync(to(&stage, "foreign")).await["status"], "success");
    assert_eq!(stage.refusal(to(&stage, "all")).await, forbidden("sync.receiverNotAllowed"));
}

#[tokio::test]
async fn limits_count_in_buckets_of_sync_and_a_refused_receiver_costs_nothing() {
    let stage = Stage::with(
        &[("board", plugin("board", &[entry("sync-server", json!({}))], &["rateLimitExceeded"]))],
        |project| project.rate_limiting.default_api_limit = Some(2),
    )
    .await;
    let (told, asked) = std::sync::mpsc::channel();
    stage.play(move |scene| {
        if scene.is_hook("rateLimitExceeded") {
            told.send(scene.payload()).unwrap();
        }
        succeeds(scene)
    });
    for _ in 0..3 {
        let call = SyncCall { receiver: "foreign".into(), ..stage.call() };
        assert_eq!(stage.refusal(call).await.0, "sync.notRoomMember");
    }
    for _ in 0..2 {
        assert_eq!(stage.sync(stage.call()).await["status"], "success");
    }
    let body = stage.sync(stage.call()).await;
    assert_eq!((&body["errorCode"], &body["httpStatus"]), (&json!("sync.rateLimitExceeded"), &json!(429)));
    assert_eq!(body["errorParams"][0]["key"], "seconds");
    let told = asked.recv().unwrap();
    assert_eq!((&told["scope"], &told["count"], &told["limit"]), (&json!("route"), &json!(3), &json!(2)));
    assert_eq!(told["key"], format!("user:id-of-own:sync:{NAME}"));
    // Somebody else has a bucket of his own.
    let other = SyncCall { caller: caller(Some("other"), Transport::Socket), ..stage.call() };
    assert_eq!(stage.sync(other).await["status"], "success");
}

#[tokio::test]
async fn a_routes_own_limit_holds_and_the_address_has_one() {
    let own = json!({ "rateLimit": 1 });
    let stage = Stage::with(
        &[("board", plugin("board", &[entry("sync-server", own)], &["rateLimitExceeded"]))],
        |project| project.rate_limiting.default_ip_limit = Some(2),
    )
    .await;
    let (told, asked) = std::sync::mpsc::channel();
    stage.play(move |scene| {
        if scene.is_hook("rateLimitExceeded") {
            told.send(scene.payload()["key"].clone()).unwrap();
        }
        succeeds(scene)
    });
    let by = |token| SyncCall { caller: caller(token, Transport::Socket), ..stage.call() };
    assert_eq!(stage.sync(by(None)).await["status"], "success");
    assert_eq!(stage.refusal(by(None)).await.0, "sync.rateLimitExceeded");
    assert_eq!(asked.recv().unwrap(), format!("ip:192.0.2.7:sync:{NAME}"));
    assert_eq!(stage.sync(by(Some("own"))).await["status"], "success");
    assert_eq!(stage.refusal(by(Some("other"))).await.0, "sync.rateLimitExceeded");
    assert_eq!(asked.recv().unwrap(), "ip:192.0.2.7:sync:all");
}

#[tokio::test]
async fn invalid_input_is_refused_before_the_server_half_runs() {
    let schema = json!({ "type": "object", "properties": { "card": { "type": "integer" } } });
    let stage = Stage::new(json!({ "input": schema })).await;
    stage.play(|scene| panic!("{} ran", scene.what));
    assert_eq!(stage.refusal(stage.call()).await, ("sync.invalidInputType".to_owned(), 400));

    let stage = Stage::new(json!({ "input": schema, "validation": "relaxed" })).await;
    stage.play(succeeds);
    assert_eq!(stage.sync(stage.call()).await["status"], "success");
}

#[tokio::test]
async fn what_a_server_half_does_wrong_has_a_code() {
    type Make = fn() -> Act;
    let stage = Stage::new(json!({})).await;
    let cases: &[(Make, &str, u16)] = &[
        (|| Act::Trap, "sync.serverExecutionFailed", 400),
        (|| Act::Spin, "sync.serverExecutionFailed", 400),
        (|| give("{}"), "sync.invalidServerResponse", 400),
        (|| give(""), "sync.invalidServerResponse", 400),
        (|| give("[1]"), "sync.invalidServerResponse", 400),
        (|| give("{\"status\":"), "sync.invalidServerResponse", 400),
        (|| give(r#"{"status":"maybe"}"#), "sync.invalidServerResponse", 400),
        (|| give(r#"{"status":"error","errorCode":"board.closed","httpStatus":409}"#), "board.closed", 409),
        (|| give(r#"{"status":"error"}"#), "error.invalidResponse", 400),
        (|| fail("board.closed", None), "board.closed", 400),
        (|| fail("board.closed", Some(418)), "board.closed", 418),
    ];
    for (act, code, status) in cases {
        stage.play(|_| act());
        assert_eq!(stage.refusal(stage.call()).await, ((*code).to_owned(), *status));
        assert!(stage.rooms.take().is_empty(), "{code}: somebody was told");
    }
}

#[tokio::test]
async fn errors_are_translated_and_pass_the_formatter() {
    let halves = [entry("sync-server", json!({ "errorFormatter": true }))];
    let stage = Stage::with(&[("board", plugin("board", &halves, &[]))], |_| {}).await;
    stage.play(|scene| match scene.what.as_str() {
        "formatter" => {
            assert_eq!(scene.second, NAME);
            give(format!(r#"{{"wrapped":{},"status":"error","httpStatus":422}}"#, scene.first))
        }
        _ => {
            give(r#"{"status":"error","errorCode":"board.full","errorParams":[{"key":"who","value":"b1"}]}"#)
        }
    });
    let mut call = stage.call();
    call.caller.language = "nl".into();
    let reply = stage.reply(call).await;
    assert_eq!(reply.status, 422);
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["wrapped"]["message"], "b1 is vol");
    assert_eq!(body["wrapped"]["httpStatus"], 400);
}

#[tokio::test]
async fn the_acknowledgement_precedes_everything_that_is_delivered() {
    let stage = Stage::new(json!({})).await;
    stage.play(|scene| {
        assert_eq!((scene.first.as_str(), scene.second.as_str()), (r#"{"card":"c1"}"#, "room"));
        give(r#"{"status":"success","moved":true}"#)
    });
    let reply = stage.sync(stage.call()).await;
    let output = json!({ "status": "success", "moved": true });
    let acknowledged =
        json!({ "status": "success", "message": format!("sync {NAME} success"), "result": output });
    let frame = json!({
        "cb": NAME, "fullName": NAME, "serverOutput": output, "clientOutput": {},
        "message": format!("{NAME} sync success"), "status": "success",
    });
    assert_eq!(reply, acknowledged);
    assert_eq!(
        stage.rooms.take(),
        [Told::Count(false), Told::Acknowledged(acknowledged), Told::Room("room".into(), None, frame)]
    );
}

#[tokio::test]
async fn a_panic_of_the_host_before_the_acknowledgement_is_an_error_and_after_it_is_none() {
    let stage = Stage::new(json!({})).await;
    stage.play(succeeds);
    stage.rooms.panics.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(stage.refusal(stage.call()).await, ("sync.serverExecutionFailed".to_owned(), 400));
    // Over HTTP nothing is counted and nothing acknowledged: the first thing that panics is the delivery.
    assert_eq!(stage.sync(stage.http()).await["status"], "success");
}
