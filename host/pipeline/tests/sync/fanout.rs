//! Who receives what (§4.4 to §4.7).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::FutureExt as _;
use luckystack_pipeline::sync::SyncCall;
use luckystack_plugins::Transport;
use luckystack_topology::ServiceSettings;
use serde_json::{Value, json};
use tokio::sync::{Notify, Semaphore};

use crate::puppet::{Act, Said, Scene, fail, give, nothing};
use crate::stage::{NAME, Stage, Told, caller, entry, plugin, recipient};

const SUCCESS: &str = r#"{"status":"success","n":1}"#;

fn each(scene: &Scene, said: impl Fn(u32) -> Said) -> Act {
    Act::Give((0..scene.count).map(said).collect())
}

/// A server half that succeeds, a client half that says `client`, hooks that do nothing.
fn halves(client: impl Fn(&Scene) -> Act + Send + Sync + 'static) -> impl Fn(Scene) -> Act + Send + Sync {
    move |scene| match scene.what.as_str() {
        "server" => give(SUCCESS),
        "client" => client(&scene),
        _ => nothing(),
    }
}

#[tokio::test]
async fn an_empty_room_is_an_error_after_the_server_half_ran() {
    for stage in [Stage::new(json!({})).await, Stage::with_client(&[]).await] {
        let ran = Arc::new(AtomicU32::new(0));
        let runs = Arc::clone(&ran);
        stage.play(move |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            give(SUCCESS)
        });
        stage.rooms.member_of.lock().push("empty".into());
        let call = SyncCall { receiver: "empty".into(), ..stage.call() };
        assert_eq!(stage.refusal(call).await, ("sync.noReceiversFound".to_owned(), 400));
        assert_eq!(ran.load(Ordering::Relaxed), 1);
        assert!(
            !stage.rooms.take().iter().any(|told| matches!(told, Told::Acknowledged(_) | Told::Room(..)))
        );
    }
}

#[tokio::test]
async fn without_a_client_half_a_room_of_any_size_costs_one_frame() {
    let stage = Stage::new(json!({})).await;
    stage.play(|_| give(SUCCESS));
    let many = (0..1000).map(|number| recipient(number, None)).collect();
    stage.rooms.rooms.lock().insert("room".into(), many);
    stage.sync(SyncCall { ignore_self: true, ..stage.call() }).await;
    let told = stage.rooms.take();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(matches!(&told[2], Told::Room(room, Some(own), _) if room == "room" && own == "own"));
    assert_eq!(*stage.rooms.drained.lock(), ["room"], "the caller is slowed down by a room that is behind");
}

#[tokio::test]
async fn an_anonymous_caller_cannot_be_left_out() {
    let stage = Stage::new(json!({})).await;
    stage.play(|_| give(SUCCESS));
    let caller = caller(None, Transport::Socket);
    stage.sync(SyncCall { ignore_self: true, caller, ..stage.call() }).await;
    assert!(matches!(&stage.rooms.take()[2], Told::Room(_, None, _)));
}

#[tokio::test]
async fn each_recipient_gets_what_the_client_half_says() {
    let stage = Stage::with_client(&[]).await;
    let recipients = (1..=6).map(|number| recipient(number, None)).collect();
    stage.rooms.rooms.lock().insert("room".into(), recipients);
    stage.play(halves(|scene| {
        assert_eq!((scene.first.as_str(), scene.second.as_str()), (r#"{"card":"c1"}"#, SUCCESS));
        each(scene, |index| match index {
            0 => Said::Json(r#"{"status":"success","mine":false}"#.into()),
            1 => Said::Json(r#"{"status":"success","message":"said \"so\""}"#.into()),
            2 => Said::Json(
                r#"{"status":"error","errorCode":"board.full","errorParams":[{"key":"who","value":"b1"}]}"#
                    .into(),
            ),
            3 => Said::Json(
                r#"{"status":"error","errorCode":"board.full","errorParams":[{"key":"who","value":"b1"}]}"#
                    .into(),
            ),
            4 => Said::Error("", None),
            _ => Said::Json("7".into()),
        })
    }));
    stage.sync(stage.call()).await;
    let frame = |client: Value, message: &str| {
        json!({
            "cb": NAME, "fullName": NAME, "serverOutput": { "status": "success", "n": 1 },
            "clientOutput": client, "message": message, "status": "success",
        })
    };
    let error = |code: &str, message: &str| {
        json!({
            "cb": NAME, "fullName": NAME, "status": "error", "message": message, "errorCode": code,
            "httpStatus": 400,
        })
    };
    let full = |message: &str| {
        let mut frame = error("board.full", message);
        frame["errorParams"] = json!([{ "key": "who", "value": "b1" }]);
        frame
    };
    let usual = format!("{NAME} sync success");
    let expected = [
        frame(json!({ "status": "success", "mine": false }), &usual),
        frame(json!({ "status": "success", "message": "said \"so\"" }), "said \"so\""),
        // In the language of each.
        full("b1 is full"),
        full("b1 is vol"),
        error("sync.clientRejected", "sync.clientRejected"),
        error("sync.invalidClientResponse", "sync.invalidClientResponse"),
    ];
    let expected = (1..).map(|number| format!("s{number}")).zip(expected);
    assert_eq!(stage.rooms.frames(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn a_client_half_that_fails_fails_for_its_recipients_and_not_for_the_caller() {
    type Fails = fn(&Scene) -> Act;
    let cases: [Fails; 4] = [
        |_| Act::Trap,
        |_| Act::Spin,
        // A list of another length.
        |_| give(SUCCESS),
        |_| nothing(),
    ];
    let stage = Stage::with_client(&[]).await;
    for fails in cases {
        stage.play(halves(fails));
        assert_eq!(stage.sync(stage.call()).await["status"], "success");
        let frames = stage.rooms.frames();
        let said = |index: usize| (frames[index].1["errorCode"].clone(), frames[index].1["message"].clone());
        assert_eq!(frames.len(), 2);
        assert_eq!(said(0), (json!("sync.clientExecutionFailed"), json!("sync.clientExecutionFailed")));
        assert_eq!(said(1), (json!("sync.clientExecutionFailed"), json!("mislukt")));
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_delivered_when_its_service_is_busy_for_a_while() {
    let halves_of = [entry("sync-server", json!({})), entry("sync-client", json!({}))];
    let settings = ServiceSettings { concurrency: 1, queue: 0, ..ServiceSettings::default() };
    let stage = Stage::with_settings(&[("board", plugin("board", &halves_of, &[]))], |_| {}, settings).await;
    let gate = Arc::new(Semaphore::new(0));
    *stage.rooms.gate.lock() = Some(Arc::clone(&gate));
    let (released, entered) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (release, enter) = (Arc::clone(&released), Arc::clone(&entered));
    stage.play_async(move |scene| {
        let (release, enter) = (Arc::clone(&release), Arc::clone(&enter));
        async move {
            match scene.what.as_str() {
                "client" => each(&scene, |_| Said::Json(SUCCESS.into())),
                _ if scene.first == "{}" => {
                    enter.notify_one();
                    release.notified().await;
                    fail("never.mind", None)
                }
                _ => give(SUCCESS),
            }
        }
        .boxed()
    });
    let (pipeline, call) = (stage.pipeline.clone(), stage.call());
    let first = tokio::spawn(async move { pipeline.sync(call).await });
    while !stage.rooms.told.lock().contains(&Told::Recipients) {
        tokio::task::yield_now().await;
    }
    let (pipeline, call) = (stage.pipeline.clone(), SyncCall { input: "{}".into(), ..stage.call() });
    let second = tokio::spawn(async move { pipeline.sync(call).await });
    entered.notified().await;
    let busy = stage.refusal(stage.call()).await;
    assert_eq!(busy, ("sync.serviceBusy".to_owned(), 503));

    gate.add_permits(1);
    while !stage.rooms.told.lock().iter().any(|told| matches!(told, Told::Acknowledged(_))) {
        tokio::task::yield_now().await;
    }
    released.notify_one();
    assert!(!first.await.unwrap().is_error && second.await.unwrap().is_error);
    let frames = stage.rooms.frames();
    assert_eq!(frames.len(), 2);
    assert!(frames.iter().all(|(_, frame)| frame["status"] == "success"), "{frames:?}");
}

#[tokio::test]
async fn a_fanout_crosses_once_a_batch_and_lets_others_work_between() {
    let halves_of = [entry("sync-server", json!({})), entry("sync-client", json!({}))];
    let stage = Stage::with(&[("board", plugin("board", &halves_of, &[]))], |project| {
        project.sync.fanout_yield_every = 4;
        project.sync.fanout_yield = std::time::Duration::ZERO;
    })
    .await;
    let recipients = (0..10).map(|number| recipient(number, None)).collect();
    stage.rooms.rooms.lock().insert("room".into(), recipients);
    let (told, batches) = std::sync::mpsc::channel();
    stage.play(halves(move |scene| {
        told.send(scene.count).unwrap();
        each(scene, |_| Said::Json(SUCCESS.into()))
    }));
    stage.sync(stage.call()).await;
    let sockets: Vec<_> = stage.rooms.frames().into_iter().map(|(socket, _)| socket).collect();
    assert_eq!(sockets, (0..10).map(|number| format!("s{number}")).collect::<Vec<_>>());
    assert_eq!(batches.try_iter().collect::<Vec<_>>(), [4, 4, 2]);
}

#[tokio::test]
async fn ignore_self_skips_all_sockets_of_the_callers_session() {
    let stage = Stage::with_client(&[]).await;
    let tokens = [Some("own"), Some("other"), None, Some("own")];
    let recipients = (0..).zip(tokens).map(|(number, token)| recipient(number, token)).collect();
    stage.rooms.rooms.lock().insert("room".into(), recipients);
    stage.play(halves(|scene| each(scene, |_| Said::Json(SUCCESS.into()))));
    let sockets =
        |frames: Vec<(String, Value)>| frames.into_iter().map(|(socket, _)| socket).collect::<Vec<_>>();
    stage.sync(SyncCall { ignore_self: true, ..stage.call() }).await;
    assert_eq!(sockets(stage.rooms.frames()), ["s1", "s2"]);
    stage.sync(stage.call()).await;
    assert_eq!(sockets(stage.rooms.frames()), ["s0", "s1", "s2", "s3"]);
}

#[tokio::test]
async fn the_client_half_may_be_in_another_plugin_of_the_service() {
    let server = plugin("server", &[entry("sync-server", json!({}))], &[]);
    let client = plugin("client", &[entry("sync-client", json!({}))], &[]);
    let stage = Stage::with(&[("board", client), ("board", server)], |_| {}).await;
    stage.play(halves(|scene| each(scene, |_| Said::Json(r#"{"status":"success","from":"client"}"#.into()))));
    stage.sync(stage.call()).await;
    assert_eq!(stage.rooms.frames()[0].1["clientOutput"]["from"], "client");
}

#[tokio::test]
async fn a_hook_skips_a_recipient_or_gives_it_something_else() {
    let hook = ["preSyncRecipient"];
    for (stage, has_client) in
        [(Stage::with_hooks(&hook).await, false), (Stage::with_client(&hook).await, true)]
    {
        let recipients = (0..5).map(|number| recipient(number, None)).collect();
        stage.rooms.rooms.lock().insert("room".into(), recipients);
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        stage.play(move |scene| match scene.what.as_str() {
            "server" => give(SUCCESS),
            "client" => {
                counted.fetch_add(1, Ordering::Relaxed);
                let seen = format!(r#"{{"status":"success","seen":{}}}"#, scene.second);
                each(&scene, |_| Said::Json(seen.clone()))
            }
            _ => {
                let payload = scene.payload();
                assert_eq!(payload["recipientUserId"], Value::Null);
                assert_eq!(payload["serverOutput"], json!({ "status": "success", "n": 1 }));
                match payload["recipientSocketId"].as_str().unwrap() {
                    "s1" => crate::puppet::fail("no.matter", None),
                    "s2" | "s4" => Act::Give(vec![Said::Instead(r#"{"status":"success","n":2}"#)]),
                    "s3" => Act::Give(vec![Said::Instead("no json")]),
                    _ => nothing(),
                }
            }
        });
        stage.sync(stage.call()).await;
        let frames = stage.rooms.frames();
        let seen: Vec<_> = frames
            .iter()
            .map(|(socket, frame)| {
                if has_client {
                    assert_eq!(frame["clientOutput"]["seen"], frame["serverOutput"]);
                } else {
                    assert_eq!(frame["clientOutput"], json!({}));
                }
                (socket.as_str(), frame["serverOutput"]["n"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(seen, [("s0", 1), ("s2", 2), ("s4", 2)]);
        assert_eq!(calls.load(Ordering::Relaxed), if has_client { 2 } else { 0 }, "once for each output");
    }
}

#[tokio::test]
async fn a_hook_for_other_routes_does_not_cost_a_fanout_its_shared_frame() {
    let mut manifest = plugin("board", &[entry("sync-server", json!({}))], &[]);
    manifest["hooks"] = json!([{ "hook": "preSyncRecipient", "routes": ["sync/elsewhere/"] }]);
    let stage = Stage::with(&[("board", manifest)], |_| {}).await;
    stage.play(|_| give(SUCCESS));
    stage.sync(stage.call()).await;
    assert!(matches!(stage.rooms.take()[2], Told::Room(..)));
}
