//! Calls over sockets (wire protocol §2.4, §2.5, §3.1, §3.4, §3.6, §3.7).

use luckystack_tests::{Account, Act, Forge, Socket, Visitor};
use serde_json::{Value, json};

use crate::socket_hall::{HOLD, MINE, OPEN, TALK, another, assert_error, hall, join, signed_in};

#[tokio::test]
async fn a_call_is_answered_under_its_index() {
    let host = hall().start().await;
    let mut socket = Socket::anonymous(&host).await;
    let answer = json!({ "status": "success", "httpStatus": 200, "result": "in" });
    for index in [json!(1), json!(7.5), json!(-3), json!(0)] {
        socket.emit("apiRequest", &json!({ "name": OPEN, "data": {}, "responseIndex": index })).await;
        assert_eq!(socket.next(&format!("apiResponse-{index}")).await, answer);
    }
    // Names are understood as they are over HTTP.
    assert_eq!(socket.api("gate/getOpen/v1", json!({})).await, answer);
    assert_eq!(socket.rest().await, []);
}

#[tokio::test]
async fn what_cannot_be_answered_is_dropped() {
    let host = hall().start().await;
    let mut socket = Socket::anonymous(&host).await;
    for payload in [
        json!(null),
        json!([]),
        json!("x"),
        json!({ "name": OPEN, "data": {} }),
        json!({ "name": OPEN, "data": {}, "responseIndex": "1" }),
        json!({ "name": OPEN, "data": {}, "responseIndex": null }),
    ] {
        socket.emit("apiRequest", &payload).await;
        socket.emit("joinRoom", &payload).await;
        socket.emit("leaveRoom", &payload).await;
        socket.emit("getJoinedRooms", &payload).await;
        socket.emit("apiCancel", &payload).await;
        socket.emit("syncCancel", &payload).await;
        socket.emit("updateLocation", &payload).await;
        socket.emit("nobodyKnowsThis", &payload).await;
    }
    for event in [
        "apiRequest",
        "joinRoom",
        "getJoinedRooms",
        "activity",
        "intentionalReconnect",
        "intentionalDisconnect",
    ] {
        socket.emit_bare(event).await;
    }
    assert_eq!(socket.rest().await, []);
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_refused_with_the_protocols_code() {
    let host = hall().start().await;
    let mut socket = Socket::anonymous(&host).await;
    for (name, data) in [
        (json!(7), json!({})),
        (json!(OPEN), json!([])),
        (json!(OPEN), json!(null)),
        (json!(OPEN), json!("x")),
        (json!(null), json!({})),
    ] {
        let reply = socket.request("apiRequest", json!({ "name": name, "data": data })).await;
        assert_error(&reply, 400, "api.invalidRequest");
    }
    let reply = socket.request("apiRequest", json!({})).await;
    assert_error(&reply, 400, "api.invalidRequest");
    let reply = socket.api("gate", json!({})).await;
    assert_eq!(
        (&reply["errorCode"], &reply["httpStatus"]),
        (&json!("routing.invalidServiceRouteName"), &json!(400))
    );
    let reply = socket.api("api/gate/nothing/v1", json!({})).await;
    assert_eq!((&reply["errorCode"], &reply["httpStatus"]), (&json!("api.notFound"), &json!(404)));
    assert_error(&socket.api(MINE, json!({})).await, 401, "auth.required");
}

#[tokio::test]
async fn the_session_is_read_for_each_message() {
    let host = hall().start().await;
    let (mut visitor, mut socket) = signed_in(&host, "Ann").await;
    // Behind the rule there is nothing, which nobody sees who may not pass it.
    assert_ne!(socket.api(MINE, json!({})).await["errorCode"], "auth.required");
    visitor.log_out().await;
    assert_eq!(socket.next("logout").await, "success");
    assert_error(&socket.api(MINE, json!({})).await, 401, "auth.required");
}

#[tokio::test]
async fn chunks_come_in_order_before_the_reply() {
    let host = hall().start().await;
    let mut socket = Socket::anonymous(&host).await;
    let index = socket.ask("apiRequest", json!({ "name": TALK, "data": {} })).await;
    for (name, payload) in [
        ("apiStream", json!({ "say": "one" })),
        ("apiStream", json!({ "say": "two" })),
        ("apiResponse", json!({ "status": "success", "httpStatus": 200, "result": "done" })),
    ] {
        let event = socket.any().await;
        assert_eq!((event.name, event.payload), (format!("{name}-{index}"), payload));
    }
}

#[tokio::test]
async fn a_cancelled_call_falls_silent_and_is_answered_all_the_same() {
    let host = hall().start().await;
    let mut socket = Socket::anonymous(&host).await;
    for by_text in [false, true] {
        let index = socket.ask("apiRequest", json!({ "name": HOLD, "data": {} })).await;
        let stream = format!("apiStream-{index}");
        assert_eq!(socket.next(&stream).await, json!({ "still": "here" }));
        // Other calls are answered meanwhile, and their cancelling is not this one's.
        assert_eq!(socket.api(OPEN, json!({})).await["result"], "in");
        socket.emit("apiCancel", &json!({ "responseIndex": index + 1 })).await;
        assert_eq!(socket.next(&stream).await, json!({ "still": "here" }));
        let index: Value = if by_text { index.to_string().into() } else { index.into() };
        socket.emit("apiCancel", &json!({ "responseIndex": index })).await;
        let index = index.as_str().map_or_else(|| index.to_string(), str::to_owned);
        let reply = socket.next(&format!("apiResponse-{index}")).await;
        assert_eq!(reply, json!({ "status": "success", "httpStatus": 200, "result": "done" }));
        socket.rest().await;
        assert_eq!(socket.rest().await, [], "nothing comes behind the reply");
    }
}

#[tokio::test]
async fn who_goes_aborts_what_he_asked_for() {
    // One call at a time: the next is answered when the first has ended.
    let host = hall().service("hold", "concurrency = 1\ndeadline = \"5m\"\n").start().await;
    for leaves in [true, false] {
        let mut socket = Socket::anonymous(&host).await;
        let index = socket.ask("apiRequest", json!({ "name": HOLD, "data": {} })).await;
        socket.next(&format!("apiStream-{index}")).await;
        if leaves {
            socket.leave().await;
        } else {
            drop(socket);
        }
    }
    let mut socket = Socket::anonymous(&host).await;
    let index = socket.ask("apiRequest", json!({ "name": HOLD, "data": {} })).await;
    socket.next(&format!("apiStream-{index}")).await;
}

#[tokio::test]
async fn the_built_in_logout_ends_the_session_on_every_tab() {
    let host = hall().start().await;
    for version in ["v1", "v7"] {
        let (visitor, mut socket) = signed_in(&host, &format!("Ann{version}")).await;
        let mut tab = another(&host, &visitor).await;
        assert_eq!(join(&mut tab, "room").await, json!(["room"]));
        let index = socket
            .ask("apiRequest", json!({ "name": format!("api/system/logout/{version}"), "data": {} }))
            .await;
        // `logout` comes first.
        loop {
            let event = socket.any().await;
            if event.name == "logout" {
                assert_eq!(event.payload, "success");
                break;
            }
            assert_eq!(event.name, "updateSession");
        }
        let reply = socket.next(&format!("apiResponse-{index}")).await;
        assert_eq!(reply, json!({ "status": "success", "httpStatus": 200, "result": true }));
        assert_eq!(tab.next("logout").await, "success");
        assert_error(&tab.api(MINE, json!({})).await, 401, "auth.required");
        assert_error(&socket.request("joinRoom", json!({ "group": "x" })).await, 400, "session.notFound");
    }
    let mut socket = Socket::anonymous(&host).await;
    let reply = socket.api("system/logout/v1", json!({})).await;
    assert_eq!(reply, json!({ "status": "success", "httpStatus": 200, "result": true }));
    assert_eq!(socket.rest().await, []);
}

#[tokio::test]
async fn a_logout_that_a_hook_forbids_is_an_error_event_and_a_success() {
    let warden =
        Forge::new("warden", "warden").hook(json!({ "hook": "preLogout" }), Act::Fail("no".into(), None));
    let host = hall().forged("warden", "warden.wasm", &warden).start().await;
    let (_visitor, mut socket) = signed_in(&host, "Ann").await;
    let reply = socket.api("system/logout/v1", json!({})).await;
    assert_eq!(reply, json!({ "status": "success", "httpStatus": 200, "result": true }));
    assert_eq!(socket.next("logout").await, "error");
    assert_ne!(socket.api(MINE, json!({})).await["errorCode"], "auth.required");
}

#[tokio::test]
async fn a_hook_can_refuse_every_message() {
    for (status, api, sync) in [(None, 403, 400), (Some(429), 429, 429)] {
        let act = Act::Fail("hall.closed".into(), status);
        let warden = Forge::new("warden", "warden").hook(json!({ "hook": "preSocketMessage" }), act);
        let host = hall().forged("warden", "warden.wasm", &warden).start().await;
        let mut socket = Socket::anonymous(&host).await;
        let reply = socket.api(OPEN, json!({})).await;
        assert_eq!(reply, json!({ "status": "error", "errorCode": "hall.closed", "httpStatus": api }));
        let reply = socket.sync("sync/board/move/v1", "room", json!({})).await;
        assert_error(&reply, sync, "hall.closed");
    }
}

#[tokio::test]
async fn the_token_is_read_from_where_the_mode_says() {
    let mut visitor;
    let cookie_mode = hall().start().await;
    visitor = Visitor::of(&cookie_mode);
    visitor.register(&Account::of("Ann")).await;
    let token = visitor.token().unwrap().to_owned();
    let auth = json!({ "token": token });
    let cookie = format!("a=b; token={token}");
    let who = async |address, auth: &Value, cookie: Option<&str>| {
        let headers: Vec<_> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
        let mut socket = Socket::open(address, auth, &headers).await;
        socket.api(MINE, json!({})).await["errorCode"] != "auth.required"
    };
    let address = cookie_mode.address();
    assert!(who(address, &json!({}), Some(&cookie)).await);
    assert!(!who(address, &auth, None).await, "in cookie mode only the cookie counts");
    assert!(!who(address, &json!({}), Some("token=nobody")).await);
    drop(cookie_mode);

    let token_mode = hall().set("session.based_token=true").start().await;
    visitor = Visitor::with_mode(&token_mode, luckystack_tests::visitor::Mode::Token);
    visitor.register(&Account::of("Ann")).await;
    let token = visitor.token().unwrap().to_owned();
    let cookie = format!("token={token}");
    let address = token_mode.address();
    assert!(who(address, &json!({ "token": token }), None).await);
    assert!(who(address, &json!({}), Some(&cookie)).await);
    assert!(who(address, &json!({ "token": 7 }), Some(&cookie)).await);
    assert!(!who(address, &json!({ "token": "" }), Some(&cookie)).await, "an empty token means nobody");
    assert!(!who(address, &json!({}), None).await);
}
