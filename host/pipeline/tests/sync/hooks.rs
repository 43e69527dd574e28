//! Hooks of sync calls (§4.1, §11): their order, what they may stop, and what they see.

use std::sync::Arc;

use luckystack_pipeline::envelope::Surface;
use luckystack_pipeline::{Hook, SocketMessageEvent};
use luckystack_plugins::Transport;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::puppet::{Act, Said, fail, give, nothing};
use crate::stage::{NAME, Stage, Told, caller};

const ALL: [&str; 9] = [
    "preSyncAuthorize",
    "postSyncAuthorize",
    "preSyncValidate",
    "postSyncValidate",
    "preSyncExecute",
    "postSyncExecute",
    "preSyncFanout",
    "preSyncRecipient",
    "postSyncFanout",
];

#[tokio::test]
async fn hooks_run_in_order_and_see_what_the_protocol_lists() {
    let stage = Stage::with_client(&ALL).await;
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let note = Arc::clone(&seen);
    let rooms = Arc::clone(&stage.rooms);
    stage.play(move |scene| match scene.what.as_str() {
        "hook" => {
            if scene.first == "postSyncFanout" {
                assert!(matches!(rooms.told.lock().last(), Some(Told::To(..))), "all was delivered");
            }
            note.lock().push((scene.first.clone(), scene.payload()));
            nothing()
        }
        "server" => {
            note.lock().push(("server".into(), Value::Null));
            give(r#"{"status":"success"}"#)
        }
        _ => Act::Give((0..scene.count).map(|_| Said::Json(r#"{"status":"success"}"#.into())).collect()),
    });
    stage.sync(stage.call()).await;
    let seen = seen.lock();
    let names: Vec<&str> = seen.iter().map(|(name, _)| name.as_str()).collect();
    let mut expected = ALL.to_vec();
    expected.insert(5, "server");
    expected.insert(8, "preSyncRecipient");
    assert_eq!(names, expected);
    let payload = |name: &str| &seen.iter().find(|(other, _)| other == name).unwrap().1;
    let common = json!({
        "routeName": NAME, "data": { "card": "c1" }, "user": { "id": "id-of-own", "role": "editor" },
        "receiver": "room", "transport": "socket",
    });
    for hook in ["preSyncAuthorize", "postSyncAuthorize", "preSyncValidate", "preSyncExecute"] {
        assert_eq!(*payload(hook), common, "{hook}");
    }
    let with = |more: Value| {
        let mut payload = common.clone();
        payload.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        payload
    };
    let output = json!({ "status": "success" });
    assert_eq!(*payload("postSyncValidate"), with(json!({ "validation": output })));
    assert_eq!(*payload("preSyncFanout"), with(json!({ "serverOutput": output })));
    assert_eq!(*payload("postSyncFanout"), with(json!({ "serverOutput": output, "recipientCount": 2 })));
    assert_eq!(payload("postSyncExecute")["result"], output);
    assert_eq!(payload("postSyncExecute")["error"], Value::Null);
    assert!(payload("postSyncExecute")["durationMs"].is_f64());
    assert_eq!(
        *payload("preSyncRecipient"),
        json!({
            "routeName": NAME, "receiver": "room", "recipientSocketId": "s1", "recipientUserId": null,
            "serverOutput": output,
        })
    );
}

#[tokio::test]
async fn a_stop_ends_the_call_with_its_code_and_400_unless_it_says_another() {
    for hook in ["preSyncAuthorize", "preSyncValidate", "preSyncExecute", "preSyncFanout"] {
        let stage = Stage::with_hooks(&[hook]).await;
        for (status, expected) in [(None, 400), (Some(451), 451)] {
            let ran = Arc::new(Mutex::new(false));
            let runs = Arc::clone(&ran);
            stage.play(move |scene| {
                if scene.is_hook(hook) {
                    return fail("hook.stopped", status);
                }
                *runs.lock() = true;
                give(r#"{"status":"success"}"#)
            });
            assert_eq!(stage.refusal(stage.call()).await, ("hook.stopped".to_owned(), expected), "{hook}");
            assert_eq!(
                *ran.lock(),
                hook == "preSyncFanout",
                "{hook}: only its stop comes after the server half"
            );
            let told = stage.rooms.take();
            assert!(
                !told.iter().any(|told| matches!(told, Told::Acknowledged(_) | Told::Room(..))),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn hooks_that_observe_do_not_stop() {
    let observing = ["postSyncAuthorize", "postSyncValidate", "postSyncExecute", "postSyncFanout"];
    let stage = Stage::with_hooks(&observing).await;
    stage.play(|scene| match scene.what.as_str() {
        "hook" => fail("hook.stopped", None),
        _ => give(r#"{"status":"success"}"#),
    });
    assert_eq!(stage.sync(stage.call()).await["status"], "success");
}

#[tokio::test]
async fn post_hooks_hear_of_failures() {
    let stage = Stage::with_hooks(&["postSyncValidate", "postSyncExecute"]).await;
    let seen: Arc<Mutex<Vec<Value>>> = Arc::default();
    let note = Arc::clone(&seen);
    stage.play(move |scene| match scene.what.as_str() {
        "hook" => {
            note.lock().push(scene.payload());
            nothing()
        }
        _ => Act::Trap,
    });
    stage.refusal(stage.call()).await;
    let seen = seen.lock();
    assert_eq!(seen[0]["validation"], json!({ "status": "success" }));
    assert_eq!(seen[1]["error"], "sync.serverExecutionFailed");
    assert_eq!(seen[1]["result"], Value::Null);
}

#[tokio::test]
async fn a_count_is_exact_only_for_a_hook_that_is_told_it() {
    let stage = Stage::with_hooks(&["postSyncFanout"]).await;
    let (told, counts) = std::sync::mpsc::channel();
    stage.play(move |scene| match scene.what.as_str() {
        "hook" => {
            told.send(scene.payload()["recipientCount"].clone()).unwrap();
            nothing()
        }
        _ => give(r#"{"status":"success"}"#),
    });
    stage.sync(stage.call()).await;
    assert_eq!(stage.rooms.take()[0], Told::Count(true));
    assert_eq!(counts.recv().unwrap(), 2);
    // Over HTTP too, where nobody else asks.
    stage.sync(stage.http()).await;
    assert_eq!(counts.recv().unwrap(), 2);
}

#[tokio::test]
async fn a_socket_message_is_shown_and_may_be_stopped() {
    let stage = Stage::with_hooks(&["preSocketMessage"]).await;
    let (told, asked) = std::sync::mpsc::channel();
    stage.play(move |scene| {
        told.send(scene.payload()).unwrap();
        fail("message.stopped", Some(429))
    });
    let event = |route_name| SocketMessageEvent {
        channel: Surface::Sync,
        socket_id: "s1",
        authenticated: true,
        route_name,
    };
    let caller = caller(Some("own"), Transport::Socket);
    let stop = stage.pipeline.pre_socket_message(&event(Some(NAME)), &caller).await.unwrap();
    assert_eq!((stop.error_code.as_str(), stop.http_status), ("message.stopped", Some(429)));
    let mut payload = json!({
        "channel": "sync", "socketId": "s1", "ip": "192.0.2.7", "authenticated": true, "routeName": NAME,
    });
    assert_eq!(asked.recv().unwrap(), payload);
    stage.pipeline.pre_socket_message(&event(None), &caller).await.unwrap();
    payload.as_object_mut().unwrap().remove("routeName");
    assert_eq!(asked.recv().unwrap(), payload);

    let stage = Stage::with_hooks(&[]).await;
    assert!(stage.pipeline.pre_socket_message(&event(None), &caller).await.is_none());
}

#[tokio::test]
async fn an_unexpected_failure_by_http_is_told_to_the_hook_and_goes_on() {
    let stage = Stage::with_client(&["syncError"]).await;
    let (told, asked) = std::sync::mpsc::channel();
    stage.play(move |scene| match scene.what.as_str() {
        "hook" => {
            told.send(scene.payload()).unwrap();
            nothing()
        }
        _ => give(r#"{"status":"success"}"#),
    });
    assert!(stage.pipeline.has_hook(Hook::SyncError));
    stage.rooms.panics.store(true, std::sync::atomic::Ordering::Relaxed);
    let (pipeline, call) = (stage.pipeline.clone(), stage.http());
    let ended = tokio::spawn(async move { pipeline.sync(call).await }).await;
    assert!(ended.unwrap_err().is_panic());
    assert_eq!(
        asked.recv().unwrap(),
        json!({
            "route": NAME, "requestId": "request", "user": { "id": "id-of-own", "role": "editor" },
            "error": "the audience panics",
        })
    );
}
