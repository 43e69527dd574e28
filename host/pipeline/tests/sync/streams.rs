//! Chunks of running sync calls (§4.6, §4.8).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures::FutureExt as _;
use luckystack_pipeline::sync::SyncCall;
use luckystack_plugins::StreamSink;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::puppet::{Act, Said, Scene, give, nothing};
use crate::stage::{NAME, Stage, Told, recipient};

const SUCCESS: &str = r#"{"status":"success"}"#;

fn sink(scene: &Scene) -> Arc<dyn StreamSink> {
    Arc::clone(scene.call.sink.as_ref().unwrap())
}

fn chunk(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Sends one chunk each way from the server half; what came of each.
fn speak(stage: &Stage, heard: &Arc<Mutex<Vec<bool>>>) {
    let heard = Arc::clone(heard);
    stage.play_async(move |scene| {
        let heard = Arc::clone(&heard);
        async move {
            if scene.what != "server" {
                return nothing();
            }
            let sink = sink(&scene);
            let tokens = [" t1 ", "", " ", "t2", "t1"].map(str::to_owned);
            let answers = [
                sink.emit(chunk(r#"{"own":1}"#)).await,
                sink.broadcast(chunk(r#"{"room":1,"cb":"mine","status":"success"}"#)).await,
                sink.to(&tokens, chunk(r#"{"aside":1}"#)).await,
                sink.emit(chunk(r#"{"own":2}"#)).await,
            ];
            heard.lock().extend(answers);
            give(SUCCESS)
        }
        .boxed()
    });
}

#[tokio::test]
async fn chunks_go_to_the_caller_the_room_and_chosen_sessions_before_the_acknowledgement() {
    let stage = Stage::new(json!({})).await;
    let heard = Arc::default();
    speak(&stage, &heard);
    stage.sync(stage.call()).await;
    assert_eq!(*heard.lock(), [true; 4]);
    let told = stage.rooms.take();
    let frame = |more: Value| {
        let mut frame = json!({ "cb": "board/move/v1", "fullName": NAME, "status": "stream" });
        frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        frame
    };
    assert_eq!(
        told[..4],
        [
            Told::Emitted(json!({ "own": 1 })),
            Told::Room("room".into(), None, frame(json!({ "room": 1 }))),
            Told::Tokens(vec!["t1".into(), "t2".into()], frame(json!({ "aside": 1 }))),
            Told::Emitted(json!({ "own": 2 })),
        ]
    );
    assert!(matches!(told[5], Told::Acknowledged(_)), "{told:?}");
    assert_eq!(stage.rooms.drained.lock()[..3], ["room", "t1", "t2"], "a fast handler waits for its readers");
}

#[tokio::test]
async fn chunks_of_an_http_call_have_the_callback_of_its_body_or_none() {
    let stage = Stage::new(json!({})).await;
    for (callback, cb) in [(None, None), (Some(" own "), Some(" own "))] {
        speak(&stage, &Arc::default());
        stage.sync(SyncCall { callback: callback.map(str::to_owned), ..stage.http() }).await;
        let Told::Room(_, _, frame) = &stage.rooms.take()[1] else { panic!("no broadcast") };
        assert_eq!(frame.get("cb").map(|cb| cb.as_str().unwrap()), cb, "{frame}");
    }
}

#[tokio::test]
async fn chunks_to_all_reach_everybody() {
    let mut stage = Stage::new(json!({})).await;
    stage.reconfigure(|project| project.sync.allow_client_receiver_all = true);
    stage.rooms.rooms.lock().insert("all".into(), vec![recipient(1, None)]);
    speak(&stage, &Arc::default());
    stage.sync(SyncCall { receiver: "all".into(), ..stage.call() }).await;
    assert!(matches!(&stage.rooms.take()[1], Told::Room(room, None, _) if room == "all"));
}

#[tokio::test]
async fn a_cancelled_call_is_silent_and_goes_on() {
    let stage = Stage::new(json!({})).await;
    let heard: Arc<Mutex<Vec<bool>>> = Arc::default();
    speak(&stage, &heard);
    stage.rooms.gone.store(true, Ordering::Relaxed);
    assert_eq!(stage.sync(stage.call()).await["status"], "success");
    let told = stage.rooms.take();
    assert_eq!(*heard.lock(), [false; 4]);
    assert!(!told.iter().any(|told| matches!(told, Told::Tokens(..) | Told::Emitted(_))), "{told:?}");
    assert_eq!(told.len(), 3, "count, acknowledgement and fanout: {told:?}");
}

#[tokio::test]
async fn hooks_see_each_chunk_and_count_for_each_recipient() {
    let stage = Stage::with_hooks(&["preSyncStream", "postSyncStream"]).await;
    let seen: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
    let note = Arc::clone(&seen);
    stage.play_async(move |scene| {
        if scene.what == "hook" {
            note.lock().push((scene.first.clone(), scene.payload()));
            return std::future::ready(nothing()).boxed();
        }
        async move {
            let sink = sink(&scene);
            sink.emit(chunk(r#"{"n":1}"#)).await;
            sink.emit(chunk(r#"{"n":2}"#)).await;
            sink.broadcast(chunk(r#"{"n":3}"#)).await;
            sink.to(&["t1".to_owned(), "t2".to_owned()], chunk(r#"{"n":4}"#)).await;
            sink.to(&["t1".to_owned()], chunk(r#"{"n":5}"#)).await;
            give(SUCCESS)
        }
        .boxed()
    });
    stage.sync(stage.call()).await;
    let seen: Vec<_> = seen
        .lock()
        .iter()
        .map(|(hook, payload)| {
            assert_eq!(payload["routeName"], NAME);
            let index = payload.get("chunkIndex").and_then(Value::as_u64);
            assert_eq!(index.is_some(), hook == "postSyncStream");
            (
                payload["chunk"]["n"].as_u64().unwrap(),
                payload["recipient"].as_str().unwrap().to_owned(),
                index,
            )
        })
        .collect();
    let both = |n, to: &str, index| [(n, to.to_owned(), None), (n, to.to_owned(), Some(index))];
    let mut expected = Vec::new();
    expected.extend(both(1, "originator", 1));
    expected.extend(both(2, "originator", 2));
    expected.extend(both(3, "room", 1));
    let [before_first, after_first] = both(4, "t1", 1);
    let [before_second, after_second] = both(4, "t2", 1);
    expected.extend([before_first, before_second, after_first, after_second]);
    expected.extend(both(5, "t1", 2));
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_client_half_streams_to_the_recipient_that_it_names() {
    let stage = Stage::with_client(&[]).await;
    let answers: Arc<Mutex<Vec<bool>>> = Arc::default();
    let heard = Arc::clone(&answers);
    // Cancelled or not: a fanout is finished.
    stage.rooms.gone.store(true, Ordering::Relaxed);
    stage.play_async(move |scene| {
        let heard = Arc::clone(&heard);
        async move {
            if scene.what != "client" {
                return give(SUCCESS);
            }
            let sink = sink(&scene);
            let answers = [
                sink.to_recipient(1, chunk(r#"{"n":1,"cb":7}"#)).await,
                sink.to_recipient(0, chunk(r#"{"n":2}"#)).await,
                sink.to_recipient(2, chunk(r#"{"n":3}"#)).await,
                sink.emit(chunk(r#"{"n":4}"#)).await,
                sink.broadcast(chunk(r#"{"n":5}"#)).await,
                sink.to(&["own".to_owned()], chunk(r#"{"n":6}"#)).await,
            ];
            heard.lock().extend(answers);
            Act::Give((0..scene.count).map(|_| Said::Json(SUCCESS.into())).collect())
        }
        .boxed()
    });
    stage.sync(stage.call()).await;
    assert_eq!(*answers.lock(), [true, true, false, false, false, false]);
    let told = stage.rooms.frames();
    let stream = |n: u32| json!({ "n": n, "cb": NAME, "fullName": NAME, "status": "stream" });
    assert_eq!(told[..2], [("s2".to_owned(), stream(1)), ("s1".to_owned(), stream(2))]);
    assert_eq!(told.len(), 4, "two chunks, and a frame for each: {told:?}");
}
