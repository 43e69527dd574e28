//! What the socket tests stand at: a host with a front door, and services that answer over sockets.

use luckystack_tests::{Account, Act, Chunk, Forge, Host, Project, Socket, Visitor};
use serde_json::{Value, json};

use crate::identity_door::{door, route};

/// Gives `{"result":"in"}` to everybody.
pub(crate) const OPEN: &str = "api/gate/getOpen/v1";
/// The same to whoever is signed in.
pub(crate) const MINE: &str = "api/gate/getMine/v1";
/// Sends two chunks, and answers then.
pub(crate) const TALK: &str = "api/talk/getTalk/v1";
/// Sends chunks until it is cancelled, and answers then.
pub(crate) const HOLD: &str = "api/hold/getHold/v1";
/// A sync route for everybody: gives `{"moved":true}`.
pub(crate) const MOVE: &str = "sync/board/move/v1";

/// A host that knows people, with services for sockets.
pub(crate) fn hall() -> Project {
    let say = |word: &str| Chunk::Emit(json!({ "say": word }).to_string().into());
    let talk = Act::Say(vec![say("one"), say("two")], done());
    let hold = Act::UntilAborted(json!({ "still": "here" }).to_string().into(), done());
    door()
        .forged("talk", "talk.wasm", &Forge::new("talk", "talk").api("getTalk", talk))
        .forged("hold", "hold.wasm", &Forge::new("hold", "hold").api("getHold", hold))
        .forged("board", "board.wasm", &board(moved()))
}

/// What a service gives that has done something.
pub(crate) fn done() -> Vec<u8> {
    json!({ "status": "success", "result": "done" }).to_string().into()
}

/// The server half of [`MOVE`] when all goes well.
pub(crate) fn moved() -> Act {
    Act::Give(json!({ "status": "success", "moved": true }).to_string().into())
}

/// The service `board`, whose route [`MOVE`] does this; `login` is for who is signed in.
pub(crate) fn board(act: Act) -> Forge {
    let mut login = route("login", "POST", json!({ "login": true }));
    login["kind"] = "sync-server".into();
    login.as_object_mut().unwrap().remove("method");
    Forge::new("board", "board").route(login).sync("move", act)
}

/// Somebody who is signed in, and a socket.
pub(crate) async fn signed_in(host: &Host, name: &str) -> (Visitor, Socket) {
    let mut visitor = Visitor::of(host);
    visitor.register(&Account::of(name)).await;
    let socket = another(host, &visitor).await;
    (visitor, socket)
}

/// One more tab of the same browser.
pub(crate) async fn another(host: &Host, visitor: &Visitor) -> Socket {
    Socket::of(host, visitor.token().unwrap()).await
}

/// Joins a room; the rooms afterwards.
pub(crate) async fn join(socket: &mut Socket, room: &str) -> Value {
    let reply = socket.request("joinRoom", json!({ "group": room })).await;
    assert!(reply["rooms"].is_array(), "{reply}");
    reply["rooms"].clone()
}

/// The session that an `updateSession` carries: JSON in a string.
pub(crate) fn session_of(payload: &Value) -> Value {
    serde_json::from_str(payload.as_str().unwrap()).unwrap()
}

/// Asserts that a reply is this error envelope, without parameters.
#[track_caller]
pub(crate) fn assert_error(reply: &Value, status: u16, code: &str) {
    let expected = json!({ "status": "error", "message": code, "errorCode": code, "httpStatus": status });
    assert_eq!(*reply, expected);
}
