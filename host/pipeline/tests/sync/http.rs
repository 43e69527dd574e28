//! What is different over HTTP (§4.9).

use luckystack_pipeline::sync::SyncCall;
use serde_json::json;

use crate::puppet::{Said, give, nothing};
use crate::stage::{NAME, Stage, Told};

#[tokio::test]
async fn an_empty_room_is_no_error_and_nothing_is_acknowledged_before() {
    for stage in [Stage::new(json!({})).await, Stage::with_client(&[]).await] {
        stage.play(|_| give(r#"{"status":"success","n":1}"#));
        stage.rooms.rooms.lock().clear();
        let reply = stage.reply(stage.http()).await;
        assert_eq!(reply.status, 200);
        let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
        let message = format!("{NAME} sync success");
        let result = json!({ "status": "success", "n": 1 });
        assert_eq!(body, json!({ "status": "success", "message": message, "result": result }));
        assert!(!stage.rooms.take().iter().any(|told| matches!(told, Told::Acknowledged(_))));
    }
}

#[tokio::test]
async fn the_server_halfs_message_is_the_answers() {
    let stage = Stage::new(json!({})).await;
    stage.play(|_| give(r#"{"status":"success","message":"moved"}"#));
    assert_eq!(stage.sync(stage.http()).await["message"], "moved");
    // Over a socket it is not.
    assert_eq!(stage.sync(stage.call()).await["message"], format!("sync {NAME} success"));
}

#[tokio::test]
async fn frames_carry_the_callback_of_the_body_or_the_short_name() {
    let stage = Stage::with_client(&[]).await;
    for (callback, cb) in [(Some(" own "), "own"), (Some(" "), "board/move/v1"), (None, "board/move/v1")] {
        stage.play(|scene| match scene.what.as_str() {
            "client" => crate::puppet::Act::Give(
                (0..scene.count).map(|_| Said::Json(r#"{"status":"success"}"#.into())).collect(),
            ),
            _ => give(r#"{"status":"success"}"#),
        });
        stage.sync(SyncCall { callback: callback.map(str::to_owned), ..stage.http() }).await;
        let frames = stage.rooms.frames();
        assert_eq!(frames.len(), 2);
        assert_eq!((&frames[0].1["cb"], &frames[0].1["fullName"]), (&json!(cb), &json!(NAME)));
    }
}

#[tokio::test]
async fn the_hook_of_the_fanout_comes_before_its_recipients() {
    let stage = Stage::with_client(&["preSyncFanout"]).await;
    let rooms = std::sync::Arc::clone(&stage.rooms);
    stage.play(move |scene| {
        if scene.is_hook("preSyncFanout") {
            let is_socket = scene.payload()["transport"] == "socket";
            assert_eq!(rooms.told.lock().contains(&Told::Recipients), is_socket);
            return nothing();
        }
        crate::puppet::Act::Give(
            (0..scene.count).map(|_| Said::Json(r#"{"status":"success"}"#.into())).collect(),
        )
    });
    assert_eq!(stage.sync(stage.http()).await["status"], "success");
    stage.rooms.take();
    assert_eq!(stage.sync(stage.call()).await["status"], "success");
}

#[tokio::test]
async fn errors_have_their_status() {
    let stage = Stage::new(json!({ "auth": { "login": true } })).await;
    let mut call = stage.http();
    call.caller.session = None;
    assert_eq!(stage.refusal(call).await, ("auth.required".to_owned(), 400));
}
