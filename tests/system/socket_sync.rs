//! Sync calls as their transports see them (wire protocol §4.1, §4.2, §4.5, §4.6, §4.8, §4.9, Appendix C).

use luckystack_tests::{Act, Answer, Call, Chunk, Host, Socket, Visitor};
use serde_json::{Value, json};

use crate::socket_hall::{MOVE, another, assert_error, board, done, hall, join, moved, signed_in};

/// A frame of [`MOVE`] without a client half.
fn frame(cb: &str) -> Value {
    json!({
        "cb": cb,
        "fullName": MOVE,
        "serverOutput": { "status": "success", "moved": true },
        "clientOutput": {},
        "message": format!("{MOVE} sync success"),
        "status": "success",
    })
}

fn acknowledged() -> Value {
    json!({
        "status": "success",
        "message": format!("sync {MOVE} success"),
        "result": { "status": "success", "moved": true },
    })
}

/// Somebody in the room `board-1`.
async fn member(host: &Host, name: &str) -> (Visitor, Socket) {
    let (visitor, mut socket) = signed_in(host, name).await;
    join(&mut socket, "board-1").await;
    socket.next("updateSession").await;
    (visitor, socket)
}

#[tokio::test]
async fn a_call_is_acknowledged_before_it_is_delivered_to_the_room() {
    let host = hall().start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    let mut stranger = Socket::anonymous(&host).await;
    let request =
        json!({ "name": MOVE, "data": { "card": 1 }, "cb": "board/move/v1", "receiver": " board-1 " });
    let index = ann.ask("sync", request).await;
    let progress = ann.any().await;
    assert_eq!(progress.name, format!("sync-progress-{index}"));
    let id = progress.payload["__cancelId"].as_str().unwrap();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4', "{id}");
    let reply = ann.any().await;
    assert_eq!((reply.name, reply.payload), (format!("sync-{index}"), acknowledged()));
    let delivered = ann.any().await;
    assert_eq!((&*delivered.name, delivered.payload), ("sync", frame(MOVE)));
    assert_eq!(bob.next("sync").await, frame(MOVE));
    assert_eq!(stranger.rest().await, []);
}

#[tokio::test]
async fn all_tabs_of_who_ignores_himself_are_left_out() {
    let host = hall().start().await;
    let (visitor, mut ann) = member(&host, "Ann").await;
    let mut tab = another(&host, &visitor).await;
    assert_eq!(tab.rooms().await, json!(["board-1"]));
    let (_bob, mut bob) = member(&host, "Bob").await;
    let request = |ignores: Value| json!({ "name": MOVE, "data": {}, "cb": "c", "receiver": "board-1", "ignoreSelf": ignores });
    assert_eq!(ann.request("sync", request(json!(true))).await, acknowledged());
    bob.next("sync").await;
    let names = |events: Vec<luckystack_tests::socket::Event>| {
        events.into_iter().filter(|event| event.name == "sync").count()
    };
    assert_eq!((names(ann.rest().await), names(tab.rest().await)), (0, 0));
    // Only `true` means it.
    assert_eq!(ann.request("sync", request(json!(1))).await, acknowledged());
    ann.next("sync").await;
    tab.next("sync").await;
}

#[tokio::test]
async fn a_message_is_refused_in_the_protocols_order() {
    let host = hall().start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    for payload in [json!(null), json!([]), json!("x")] {
        ann.emit("sync", &payload).await;
        assert_error(&ann.next("sync").await, 400, "sync.invalidRequest");
    }
    let good = json!({ "name": MOVE, "data": {}, "cb": "c", "receiver": "board-1" });
    let with = |key: &str, value: Value| {
        let mut request = good.clone();
        request[key] = value;
        request
    };
    for (request, status, code) in [
        (with("name", json!(7)), 400, "sync.invalidRequest"),
        (with("data", json!([])), 400, "sync.invalidRequest"),
        (with("cb", json!("")), 400, "sync.invalidCallback"),
        (with("cb", json!(null)), 400, "sync.invalidCallback"),
        (with("receiver", json!(" ")), 400, "sync.missingReceiver"),
        (with("receiver", json!(7)), 400, "sync.missingReceiver"),
        (with("receiver", json!("all")), 403, "sync.receiverNotAllowed"),
        (with("receiver", json!("board-2")), 403, "sync.notRoomMember"),
    ] {
        let reply = ann.request("sync", request.clone()).await;
        assert_eq!((&reply["httpStatus"], &reply["errorCode"]), (&json!(status), &json!(code)), "{request}");
    }
    let reply = ann.request("sync", with("name", json!("sync/board"))).await;
    assert_eq!(reply["errorCode"], "routing.invalidServiceRouteName");
    let reply = ann.request("sync", with("name", json!("sync/board/nothing/v1"))).await;
    assert_eq!((&reply["httpStatus"], &reply["errorCode"]), (&json!(400), &json!("sync.notFound")));
    let mut stranger = Socket::anonymous(&host).await;
    let own = stranger.id().to_owned();
    let reply = stranger.sync("sync/board/login/v1", &own, json!({})).await;
    assert_error(&reply, 400, "auth.required");
}

#[tokio::test]
async fn without_an_index_a_call_is_made_and_not_acknowledged() {
    let host = hall().start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let request = json!({ "name": MOVE, "data": {}, "cb": "c", "receiver": "board-1", "responseIndex": "1" });
    ann.emit("sync", &request).await;
    let event = ann.any().await;
    assert_eq!((&*event.name, event.payload), ("sync", frame(MOVE)));
    assert_eq!(ann.rest().await, []);
}

#[tokio::test]
async fn a_sockets_own_rooms_are_receivers() {
    let host = hall().start().await;
    let (visitor, mut ann) = signed_in(&host, "Ann").await;
    let mut tab = another(&host, &visitor).await;
    let own = ann.id().to_owned();
    assert_eq!(ann.sync(MOVE, &own, json!({})).await, acknowledged());
    ann.next("sync").await;
    assert_eq!(tab.rest().await, []);
    assert_eq!(ann.sync(MOVE, visitor.token().unwrap(), json!({})).await, acknowledged());
    ann.next("sync").await;
    tab.next("sync").await;
    let mut stranger = Socket::anonymous(&host).await;
    let own = stranger.id().to_owned();
    assert_eq!(stranger.sync(MOVE, &own, json!({})).await, acknowledged());
    stranger.next("sync").await;
}

#[tokio::test]
async fn everybody_is_reached_where_that_is_allowed() {
    let host = hall()
        .set("sync.allow_client_receiver_all=true")
        .set("sync.require_room_membership=false")
        .start()
        .await;
    let (_ann, mut ann) = signed_in(&host, "Ann").await;
    let mut stranger = Socket::anonymous(&host).await;
    assert_eq!(ann.sync(MOVE, "all", json!({})).await, acknowledged());
    assert_eq!((ann.next("sync").await, stranger.next("sync").await), (frame(MOVE), frame(MOVE)));
    assert_error(&ann.sync(MOVE, "empty", json!({})).await, 400, "sync.noReceiversFound");
    let (_bob, mut bob) = member(&host, "Bob").await;
    assert_eq!(ann.sync(MOVE, "board-1", json!({})).await, acknowledged());
    bob.next("sync").await;
}

#[tokio::test]
async fn a_client_half_speaks_to_each_recipient() {
    let own = |act| board(moved()).sync_client("move", act);
    let gives =
        Act::Give(json!({ "status": "success", "mine": true, "message": "hello" }).to_string().into());
    let host = hall().forged("board", "board.wasm", &own(gives)).start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    assert_eq!(ann.sync(MOVE, "board-1", json!({})).await, acknowledged());
    let mut expected = frame(MOVE);
    expected["clientOutput"] = json!({ "status": "success", "mine": true, "message": "hello" });
    expected["message"] = "hello".into();
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (expected.clone(), expected));
    drop(host);

    let fails = Act::Fail("board.hidden".into(), Some(403));
    let host = hall().forged("board", "board.wasm", &own(fails)).start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    assert_eq!(ann.sync(MOVE, "board-1", json!({})).await, acknowledged());
    assert_eq!(
        ann.next("sync").await,
        json!({
            "cb": MOVE, "fullName": MOVE, "status": "error", "message": "board.hidden",
            "errorCode": "board.hidden", "httpStatus": 403,
        })
    );
}

#[tokio::test]
async fn chunks_go_to_the_caller_and_to_the_room() {
    let chunk = |text: &str| json!({ "progress": text, "cb": "forged" }).to_string().into();
    let act = Act::Say(
        vec![Chunk::Emit(chunk("mine")), Chunk::Broadcast(chunk("ours"))],
        json!({ "status": "success", "moved": true }).to_string().into(),
    );
    let host = hall().forged("board", "board.wasm", &board(act)).start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    let request = json!({ "name": MOVE, "data": {}, "cb": " my cb ", "receiver": "board-1" });
    let index = ann.ask("sync", request).await;
    let progress = format!("sync-progress-{index}");
    assert!(ann.next(&progress).await["__cancelId"].is_string());
    assert_eq!(ann.next(&progress).await, json!({ "progress": "mine", "cb": "forged" }));
    let ours = json!({ "progress": "ours", "cb": " my cb ", "fullName": MOVE, "status": "stream" });
    assert_eq!(ann.next("sync").await, ours);
    assert_eq!(ann.next(&format!("sync-{index}")).await, acknowledged());
    assert_eq!(ann.next("sync").await, frame(MOVE));
    assert_eq!((bob.next("sync").await, bob.next("sync").await), (ours, frame(MOVE)));
}

#[tokio::test]
async fn a_cancelled_call_falls_silent_and_is_delivered_all_the_same() {
    let still = json!({ "still": "here" }).to_string().into();
    let moved = json!({ "status": "success", "moved": true }).to_string().into();
    let host = hall().forged("board", "board.wasm", &board(Act::UntilAborted(still, moved))).start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    let request = json!({ "name": MOVE, "data": {}, "cb": "board/move/v1", "receiver": "board-1" });
    let index = ann.ask("sync", request).await;
    let progress = format!("sync-progress-{index}");
    let id = ann.next(&progress).await["__cancelId"].clone();
    // Neither the callback's name nor somebody else's word ends it.
    ann.emit("syncCancel", &json!({ "cb": "board/move/v1" })).await;
    bob.emit("syncCancel", &json!({ "cb": id })).await;
    bob.rest().await;
    assert_eq!(ann.next(&progress).await, json!({ "still": "here" }));
    ann.emit("syncCancel", &json!({ "cb": id })).await;
    assert_eq!(ann.next(&format!("sync-{index}")).await, acknowledged());
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (frame(MOVE), frame(MOVE)));
}

#[tokio::test]
async fn a_failing_server_half_is_told_to_the_caller_alone() {
    let fails = Act::Fail("board.locked".into(), Some(409));
    let host = hall().forged("board", "board.wasm", &board(fails)).start().await;
    let (_ann, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    assert_error(&ann.sync(MOVE, "board-1", json!({})).await, 409, "board.locked");
    assert_eq!(bob.rest().await, []);
}

async fn post(visitor: &mut Visitor, body: Value) -> Answer {
    visitor.post(&format!("/{MOVE}"), &body).await
}

#[tokio::test]
async fn a_call_by_http_reaches_the_sockets_of_a_room() {
    let host = hall().start().await;
    let (mut visitor, mut ann) = member(&host, "Ann").await;
    let (_bob, mut bob) = member(&host, "Bob").await;
    let answer = post(&mut visitor, json!({ "data": {}, "receiver": " board-1 ", "cb": " c " })).await;
    let expected = json!({
        "status": "success",
        "message": format!("{MOVE} sync success"),
        "result": { "status": "success", "moved": true },
    });
    assert_eq!((answer.status, answer.json()), (200, expected.clone()));
    assert_eq!((ann.next("sync").await, bob.next("sync").await), (frame("c"), frame("c")));
    let body = json!({ "receiver": "board-1", "data": "junk", "ignoreSelf": true });
    assert_eq!(post(&mut visitor, body).await.json(), expected);
    assert_eq!(bob.next("sync").await, frame("board/move/v1"));
    assert_eq!(ann.rest().await, []);

    for (body, status, code) in [
        (json!({ "data": [], "receiver": "board-1" }), 400, "sync.invalidRequest"),
        (json!({ "data": {} }), 400, "sync.missingReceiver"),
        (json!({ "data": {}, "receiver": 7 }), 400, "sync.missingReceiver"),
        (json!({ "data": {}, "receiver": "board-2" }), 403, "sync.notRoomMember"),
        (json!({ "data": {}, "receiver": "all" }), 403, "sync.receiverNotAllowed"),
        (json!({ "data": {}, "receiver": ann.id() }), 403, "sync.notRoomMember"),
    ] {
        let answer = post(&mut visitor, body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    // The room of one's own token, with nobody in it: no error over HTTP.
    drop((ann, bob));
    let token = visitor.token().unwrap().to_owned();
    assert_eq!(post(&mut visitor, json!({ "receiver": token })).await.json(), expected);
    let answer = Visitor::of(&host).post(&format!("/{MOVE}"), &json!({ "receiver": "board-1" })).await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "sync.notRoomMember"));
}

#[tokio::test]
async fn a_streaming_call_by_http_has_its_chunks_as_events() {
    let chunk = json!({ "progress": 1 }).to_string();
    let act = Act::Say(vec![Chunk::Emit(chunk.clone().into()), Chunk::Broadcast(chunk.into())], done());
    let host = hall().forged("board", "board.wasm", &board(act)).start().await;
    let (mut visitor, mut ann) = member(&host, "Ann").await;
    let call = Call::post(&format!("/{MOVE}"))
        .json(&json!({ "receiver": "board-1" }))
        .header("accept", "text/event-stream")
        .header("x-csrf-token", &visitor.csrf().await);
    let answer = visitor.send(call).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text();
    let (stream, last) = text.split_once("event: final\n").unwrap();
    assert!(stream.contains("event: stream\ndata: {\"progress\":1}\n\n"), "{text}");
    let last: Value = serde_json::from_str(last.trim_start_matches("data: ").trim_end()).unwrap();
    assert_eq!(last["result"], json!({ "status": "success", "result": "done" }));
    let streamed = ann.next("sync").await;
    assert_eq!(streamed, json!({ "progress": 1, "fullName": MOVE, "status": "stream" }), "no `cb` was given");
    assert_eq!(ann.next("sync").await["serverOutput"]["result"], "done");
}
