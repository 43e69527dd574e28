//! Rooms, locations and what sockets are told of their sessions (wire protocol §2.3, §2.6 to 2.9, §5.2, §5.3).

use luckystack_tests::socket::Event;
use luckystack_tests::{Account, Act, Forge, RedisServer, Socket, Visitor};
use serde_json::json;

use crate::socket_hall::{another, assert_error, hall, join, session_of, signed_in};

#[tokio::test]
async fn a_joined_room_is_kept_in_the_session_which_is_told_before_the_reply() {
    let host = hall().start().await;
    let (visitor, mut socket) = signed_in(&host, "Ann").await;
    let mut tab = another(&host, &visitor).await;
    let index = socket.ask("joinRoom", json!({ "group": "  board-1 " })).await;
    let told = socket.any().await;
    assert_eq!(told.name, "updateSession");
    let session = session_of(&told.payload);
    assert_eq!(session["roomCodes"], json!(["board-1"]));
    assert!(session["avatar"].is_string() && session["csrfToken"].is_string() && session["id"].is_string());
    assert_eq!(session["token"], json!(null), "the token is a secret of the cookie's");
    let reply = socket.any().await;
    assert_eq!((reply.name, reply.payload), (format!("joinRoom-{index}"), json!({ "rooms": ["board-1"] })));

    assert_eq!(session_of(&tab.next("updateSession").await), session, "every tab is told");
    assert_eq!(tab.rooms().await, json!([]), "but only one has joined");
    let mut later = another(&host, &visitor).await;
    assert_eq!(later.rooms().await, json!(["board-1"]), "until it connects anew");

    assert_eq!(join(&mut socket, "board-2").await, json!(["board-1", "board-2"]));
    assert_eq!(join(&mut socket, "board-1").await, json!(["board-1", "board-2"]), "twice is once");
    let reply = socket.request("leaveRoom", json!({ "group": "board-1" })).await;
    assert_eq!(reply, json!({ "rooms": ["board-2"] }));
    let reply = socket.request("leaveRoom", json!({ "group": "never" })).await;
    assert_eq!(reply, json!({ "rooms": ["board-2"] }));
    let last = socket.rest().await.pop().unwrap();
    assert_eq!(session_of(&last.payload)["roomCodes"], json!(["board-2"]));
}

#[tokio::test]
async fn the_oldest_room_makes_place_for_a_new_one() {
    let host = hall().set("socket.max_rooms_per_session=2").start().await;
    let (visitor, mut socket) = signed_in(&host, "Ann").await;
    assert_eq!(join(&mut socket, "a").await, json!(["a"]));
    assert_eq!(join(&mut socket, "b").await, json!(["a", "b"]));
    assert_eq!(join(&mut socket, "a").await, json!(["a", "b"]));
    assert_eq!(join(&mut socket, "c").await, json!(["b", "c"]));
    assert_eq!(another(&host, &visitor).await.rooms().await, json!(["b", "c"]));
}

#[tokio::test]
async fn rooms_are_refused_in_the_protocols_order() {
    let host = hall().start().await;
    let mut stranger = Socket::anonymous(&host).await;
    for event in ["joinRoom", "leaveRoom"] {
        assert_error(&stranger.request(event, json!({ "group": "" })).await, 400, "auth.required");
    }
    assert_eq!(
        stranger.request("getJoinedRooms", json!({})).await,
        json!({
            "status": "error", "message": "auth.required", "errorCode": "auth.required", "httpStatus": 400,
            "rooms": [],
        })
    );

    let (mut visitor, mut socket) = signed_in(&host, "Ann").await;
    let token = visitor.token().unwrap().to_owned();
    let (own, other) = (socket.id().to_owned(), stranger.id().to_owned());
    for event in ["joinRoom", "leaveRoom"] {
        for group in [json!(""), json!("  "), json!("x".repeat(257)), json!(7), json!(null)] {
            assert_error(&socket.request(event, json!({ "group": group })).await, 400, "room.invalid");
        }
        for group in [&own, &other, &token] {
            // Rooms that are somebody's own: who is in them hears what is for him alone.
            assert_error(&socket.request(event, json!({ "group": group })).await, 400, "room.invalid");
        }
    }
    assert_eq!(join(&mut socket, &"x".repeat(256)).await, json!(["x".repeat(256)]));

    visitor.log_out().await;
    assert_eq!(socket.next("logout").await, "success");
    for event in ["joinRoom", "leaveRoom"] {
        assert_error(&socket.request(event, json!({ "group": "a" })).await, 400, "session.notFound");
    }
}

#[tokio::test]
async fn a_hook_can_keep_somebody_out_of_a_room() {
    for (code, seen) in [("hall.full", "hall.full"), ("", "room.joinBlocked")] {
        let warden = Forge::new("warden", "warden")
            .hook(json!({ "hook": "preRoomJoin" }), Act::Fail(code.to_owned(), Some(418)));
        let host = hall().forged("warden", "warden.wasm", &warden).start().await;
        let (_visitor, mut socket) = signed_in(&host, "Ann").await;
        assert_error(&socket.request("joinRoom", json!({ "group": "a" })).await, 400, seen);
        assert_eq!(socket.rooms().await, json!([]));
        assert_eq!(socket.rest().await, [], "the session has not changed");
    }
}

/// A token is a room's name: one that nobody checked would let a stranger into any.
#[tokio::test]
async fn a_token_of_nobody_opens_no_room() {
    let host = hall().start().await;
    let (_visitor, mut socket) = signed_in(&host, "Ann").await;
    join(&mut socket, "board-1").await;
    let mut stranger = Socket::of(&host, "board-1").await;
    assert_eq!(stranger.rooms().await, json!([]));
    let reply = socket.sync("sync/board/move/v1", "board-1", json!({})).await;
    assert_eq!(reply["status"], "success", "{reply}");
    socket.next("sync").await;
    assert_eq!(stranger.rest().await, []);
}

#[tokio::test]
async fn a_login_elsewhere_ends_the_session_of_a_socket() {
    let host = hall().start().await;
    let (visitor, mut socket) = signed_in(&host, "Ann").await;
    let mut tab = another(&host, &visitor).await;
    let id = {
        join(&mut socket, "a").await;
        session_of(&socket.next("updateSession").await)["id"].clone()
    };
    Visitor::of(&host).log_in(&Account::of("Ann")).await;
    for socket in [&mut socket, &mut tab] {
        let replaced = session_of(&socket.next("sessionReplaced").await);
        assert_eq!(replaced, json!({ "reason": "session-replaced", "userId": id }));
        assert_eq!(socket.next("logout").await, "success");
        assert_error(&socket.request("joinRoom", json!({ "group": "b" })).await, 400, "session.notFound");
    }
}

#[tokio::test]
async fn an_old_device_is_not_told_why_where_it_should_not_be() {
    let host = hall().set("session.notify_old_device_on_revoke=false").start().await;
    let (_visitor, mut socket) = signed_in(&host, "Ann").await;
    socket.rooms().await;
    Visitor::of(&host).log_in(&Account::of("Ann")).await;
    assert_eq!(socket.next("logout").await, "success");
    assert_eq!(socket.rest().await, []);
}

#[tokio::test]
async fn a_location_is_saved_where_it_is_asked_for() {
    let host = hall().set("socket.location_provider_enabled=true").start().await;
    let (_visitor, mut socket) = signed_in(&host, "Ann").await;
    socket.rooms().await;
    let location = json!({ "pathName": "/board", "searchParams": { "card": "7" } });
    socket.emit("updateLocation", &json!({ "pathName": "board" })).await;
    socket.emit("updateLocation", &location).await;
    assert_eq!(session_of(&socket.next("updateSession").await)["location"], location);
    assert_eq!(socket.rest().await, []);
    drop(host);

    let host = hall().start().await;
    let (_visitor, mut socket) = signed_in(&host, "Ann").await;
    socket.emit("updateLocation", &location).await;
    join(&mut socket, "a").await;
    assert_eq!(session_of(&socket.next("updateSession").await)["location"], json!(null));
}

#[tokio::test]
async fn what_happens_to_a_session_is_told_once_on_every_host() {
    let redis = RedisServer::start().await;
    let over = || hall().set(&format!("backplane.url={}", redis.url()));
    let a = over().start().await;
    let b = over().beside(&a).start().await;
    let (visitor, mut here) = signed_in(&a, "Ann").await;
    let mut there = another(&b, &visitor).await;
    assert_eq!(there.rooms().await, json!([]));
    for (round, room) in ["one", "two", "three"].into_iter().enumerate() {
        join(&mut here, room).await;
        for socket in [&mut here, &mut there] {
            let session = session_of(&socket.next("updateSession").await);
            assert_eq!(session["roomCodes"].as_array().unwrap().len(), round + 1);
        }
    }
    // A room of the other host has all its members.
    join(&mut there, "one").await;
    here.next("updateSession").await;
    assert_eq!(here.sync("sync/board/move/v1", "one", json!({})).await["status"], "success");
    here.next("sync").await;
    there.next("sync").await;

    Visitor::of(&a).log_in(&Account::of("Ann")).await;
    for socket in [&mut here, &mut there] {
        socket.next("sessionReplaced").await;
        assert_eq!(socket.next("logout").await, "success");
    }
    // What was told twice would have come by now.
    let names = |events: Vec<Event>| -> Vec<String> {
        let names = events.into_iter().map(|event| event.name);
        names.filter(|name| !name.starts_with("sync-progress-")).collect()
    };
    assert_eq!(names(here.rest().await), Vec::<String>::new());
    assert_eq!(names(there.rest().await), ["updateSession"], "its own joining alone");
}
