//! Both halves of sync handlers, over the wire (wire protocol §4).

use luckystack_tests::{Host, Socket};
use serde_json::{Value, json};

use super::User;

const WHISPER: &str = "sync/conformance/whisper/v1";
const LINGER: &str = "sync/conformance/linger/v1";

/// Somebody in a room.
struct Member {
    user: User,
    socket: Socket,
}

impl Member {
    async fn of(host: &Host, name: &str, room: &str) -> Member {
        let user = User::register(host, name).await;
        let auth = json!({ "token": user.token });
        let mut socket = Socket::open(host.address(), &auth, &[]).await;
        let joined = socket.request("joinRoom", json!({ "group": room })).await;
        assert_eq!(joined["rooms"], json!([room]), "{joined}");
        Member { user, socket }
    }

    /// The next frame of a fanout, with what it says besides its route.
    async fn frame(&mut self, route: &str) -> Value {
        let mut frame = self.socket.next("sync").await;
        assert_eq!(frame["fullName"], route, "{frame}");
        let frame = frame.as_object_mut().unwrap();
        frame.remove("fullName");
        frame.remove("cb");
        Value::Object(std::mem::take(frame))
    }
}

/// The server half answers its caller, streams to it, to the room and to sessions; the client half gives
/// each recipient its own: a secret and a chunk to the reader, an error to one, neither to the others.
pub(super) async fn sync_halves(host: &Host) {
    let mut ada = Member::of(host, "sync-ada", "whispers").await;
    let mut bea = Member::of(host, "sync-bea", "whispers").await;
    let mut cyd = Member::of(host, "sync-cyd", "whispers").await;
    let input = json!({
        "text": "ä\u{1f600}", "secret": "psst", "steps": 2,
        "reader": bea.user.token, "refused": cyd.user.token, "aside": [bea.user.token],
    });
    let message =
        json!({ "name": WHISPER, "data": input, "cb": "conformance/whisper/v1", "receiver": "whispers" });
    let index = ada.socket.ask("sync", message).await;

    let progress = format!("sync-progress-{index}");
    assert!(ada.socket.next(&progress).await["__cancelId"].is_string());
    for step in [1.0, 2.0] {
        assert_eq!(ada.socket.next(&progress).await["step"].as_f64(), Some(step));
    }
    let server_output = json!({
        "status": "success",
        "result": { "text": "ä\u{1f600}", "room": "whispers", "userId": ada.user.id },
    });
    assert_eq!(
        ada.socket.next(&format!("sync-{index}")).await,
        json!({ "status": "success", "message": format!("sync {WHISPER} success"), "result": server_output })
    );

    let delivered = |secret: Value| {
        json!({
            "status": "success", "message": format!("{WHISPER} sync success"), "serverOutput": server_output,
            "clientOutput": { "status": "success", "result": { "text": "ä\u{1f600}", "secret": secret } },
        })
    };
    let chunk = |key: &str| json!({ "status": "stream", (key): "ä\u{1f600}" });
    assert_eq!(ada.frame(WHISPER).await, chunk("heard"));
    assert_eq!(ada.frame(WHISPER).await, delivered(Value::Null));
    for expected in [chunk("heard"), chunk("aside"), chunk("ahead"), delivered(json!("psst"))] {
        assert_eq!(bea.frame(WHISPER).await, expected);
    }
    assert_eq!(cyd.frame(WHISPER).await, chunk("heard"));
    let refused = cyd.frame(WHISPER).await;
    assert_eq!((&refused["status"], &refused["errorCode"]), (&"error".into(), &"conformance.refused".into()));
    assert_eq!(refused["errorParams"], json!([{ "key": "text", "value": "ä\u{1f600}" }]));
    assert_eq!(refused["httpStatus"], 403);
    for member in [ada, bea, cyd] {
        member.socket.leave().await;
    }
}

pub(super) async fn sync_wrong_input(host: &Host) {
    let mut member = Member::of(host, "sync-dan", "wrong").await;
    for data in [
        json!({}),
        json!({ "text": 1, "secret": "", "steps": 0, "aside": [] }),
        json!({ "text": "", "secret": "", "steps": 0, "aside": [1] }),
        json!({ "text": "", "secret": "", "steps": 0, "aside": [], "more": 1 }),
    ] {
        let answer = member.socket.sync(WHISPER, "wrong", data.clone()).await;
        assert_eq!(answer["errorCode"], "sync.invalidInputType", "{data}: {answer}");
    }
}

/// A handler hears of a cancellation; what it returns is delivered all the same.
pub(super) async fn sync_cancel(host: &Host) {
    let mut member = Member::of(host, "sync-eva", "waits").await;
    let message = json!({ "name": LINGER, "data": {}, "cb": "conformance/linger/v1", "receiver": "waits" });
    let index = member.socket.ask("sync", message).await;
    let progress = format!("sync-progress-{index}");
    let cancel = member.socket.next(&progress).await["__cancelId"].clone();
    assert_eq!(member.socket.next(&progress).await, json!({ "ready": true }));
    member.socket.emit("syncCancel", &json!({ "cb": cancel })).await;
    let answer = member.socket.next(&format!("sync-{index}")).await;
    assert_eq!(answer["result"], json!({ "status": "success", "result": { "aborted": true } }), "{answer}");
    assert_eq!(member.frame(LINGER).await["serverOutput"], answer["result"]);
}
