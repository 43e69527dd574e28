//! Events (Appendix A, `event`): variadic arguments, in order.

use luckystack_socketio::{Reason, Settings, Target};

use crate::app::World;
use crate::polling::Polling;
use crate::websocket::WebSocket;

#[tokio::test]
async fn an_event_has_any_number_of_arguments() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    for (packet, name, args) in [
        (r#"42["activity"]"#, "activity", &[][..]),
        (r#"42["e",1]"#, "e", &["1"]),
        (
            r#"42["e",1,"2",{"3":["4"]},[5],null,true,-6.5e7]"#,
            "e",
            &["1", "\"2\"", "{\"3\":[\"4\"]}", "[5]", "null", "true", "-6.5e7"],
        ),
        (r#"42["a \"name\" é😀",{"é":"\n\u0000"}]"#, "a \"name\" é😀", &["{\"é\":\"\\n\\u0000\"}"]),
        (r#"42["e", { "spaced" : [ ] } ]"#, "e", &["{ \"spaced\" : [ ] }"]),
        (r#"42/,["e"]"#, "e", &[]),
    ] {
        client.send(packet).await;
        let event = world.event().await;
        assert_eq!(event.name, name);
        assert_eq!(event.args.to_vec(), args, "{packet}");
        assert_eq!(event.ack, None);
        assert!(event.attachments.is_empty());
    }
}

#[tokio::test]
async fn an_event_of_the_server_has_any_number_of_arguments() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    for args in ["", r#",1,"2",{"3":[true]}"#] {
        client.send(&format!(r#"42["return"{args}]"#)).await;
        assert_eq!(client.text().await, format!(r#"42["returned"{args}]"#));
    }
}

#[tokio::test]
async fn an_event_of_the_server_is_written_as_node_writes_it() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let socket = world.connected().await;
    assert!(socket.emit("apiResponse-7", br#"{"status":"success"}"#));
    assert_eq!(client.text().await, r#"42["apiResponse-7",{"status":"success"}]"#);
    // A string that is JSON itself is encoded twice.
    assert!(socket.emit("updateSession", br#""{\"id\":\"u1\"}""#));
    assert_eq!(client.text().await, r#"42["updateSession","{\"id\":\"u1\"}"]"#);
    assert!(socket.emit("a \"name\"\né", b"null"));
    assert_eq!(client.text().await, r#"42["a \"name\"\né",null]"#);
}

#[tokio::test]
async fn events_of_one_socket_are_dispatched_in_the_order_received() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    world.connected().await;
    let mut frames = Vec::new();
    for n in 0..20_000 {
        frames.extend(crate::websocket::frame(0x81, format!(r#"42["e",{n}]"#).as_bytes()));
    }
    client.send_bytes(&frames).await;
    for n in 0..20_000 {
        assert_eq!(world.event().await.args[0], n.to_string());
    }
}

#[tokio::test]
async fn what_an_event_leads_to_later_is_sent_too() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send(r#"42["echoLater",1,2]"#).await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
    assert_eq!(client.text().await, r#"42["back",2]"#);
}

#[tokio::test]
async fn more_events_than_may_run_at_once_are_all_answered() {
    let world = World::start(Settings { max_in_flight: 3, ..Settings::default() }).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let mut frames = Vec::new();
    for n in 0..200 {
        frames.extend(crate::websocket::frame(0x81, format!(r#"42["echoLater",{n}]"#).as_bytes()));
    }
    client.send_bytes(&frames).await;
    let mut answers = Vec::new();
    for _ in 0..200 {
        answers.push(client.text().await);
    }
    // Replies may overtake each other.
    answers.sort();
    let mut expected: Vec<String> = (0..200).map(|n| format!(r#"42["back",{n}]"#)).collect();
    expected.sort();
    assert_eq!(answers, expected);
}

#[tokio::test]
async fn what_is_no_packet_closes_the_session() {
    for packet in [
        "4",
        "4abc",
        "42",
        "42{}",
        r#"42"e""#,
        "42[]",
        "42[1]",
        "42[null]",
        r#"42["e""#,
        r#"42["e",]"#,
        r#"42["e"]x"#,
        r#"42abc["e"]"#,
        r#"42-1["e"]"#,
        "44{}",
        "45",
        "47",
        "48[]",
        "41{}",
        r#"42["connect"]"#,
        r#"42["connect_error"]"#,
        r#"42["disconnect"]"#,
        r#"42["disconnecting"]"#,
        r#"42["newListener"]"#,
        r#"42["removeListener"]"#,
        "x",
        "",
        "9",
    ] {
        let world = World::start(Settings::default()).await;
        let (mut client, _) = WebSocket::join(&world).await;
        world.connected().await;
        client.send(packet).await;
        client.ended().await;
        assert_eq!(world.disconnected().await, Reason::ParseError, "{packet}");
        assert_eq!(world.server.io.stats().misused, 1, "{packet}");
    }
}

#[tokio::test]
async fn what_came_before_the_mistake_was_answered() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    client.send(r#"42["echo",1]"#).await;
    client.send("42{").await;
    assert_eq!(client.text().await, r#"42["back",1]"#);
    client.ended().await;
}

#[tokio::test]
async fn an_event_to_a_room_reaches_those_in_it_over_either_transport() {
    let world = World::start(Settings::default()).await;
    let (mut first, _) = WebSocket::join(&world).await;
    world.connected().await.join("room");
    let (mut second, _) = Polling::join(&world).await;
    let second_socket = world.connected().await;
    second_socket.join("room");
    let (mut third, third_id) = WebSocket::join(&world).await;
    world.connected().await;
    let io = &world.server.io;

    assert_eq!(io.emit(None, Target::rooms(&["room"]), "e", b"1"), 2);
    assert_eq!(first.text().await, r#"42["e",1]"#);
    assert_eq!(second.next().await, r#"42["e",1]"#);

    assert_eq!(io.emit(None, Target::rooms(&["room"]).except(&[second_socket.id()]), "e", b"2"), 1);
    assert_eq!(first.text().await, r#"42["e",2]"#);

    assert_eq!(io.emit(None, Target::rooms(&["room", &third_id]), "e", b"3"), 3);
    assert_eq!(io.emit(None, Target::ALL, "e", b"4"), 3);
    for argument in 3..5 {
        let packet = format!(r#"42["e",{argument}]"#);
        assert_eq!(first.text().await, packet);
        assert_eq!(second.next().await, packet);
        assert_eq!(third.text().await, packet);
    }
    assert_eq!(io.emit(None, Target::rooms(&["nobody"]), "e", b"5"), 0);
}

#[tokio::test]
async fn a_broadcast_of_any_size_has_the_right_frame() {
    let world = World::start(Settings::default()).await;
    let (mut client, _) = WebSocket::join(&world).await;
    let (mut polling, _) = Polling::join(&world).await;
    for size in [0, 100, 114, 115, 116, 200, 65_000, 65_525, 65_526, 65_527, 70_000, 1 << 20] {
        let argument = format!("\"{}\"", "x".repeat(size));
        assert_eq!(world.server.io.emit(None, Target::ALL, "e", argument.as_bytes()), 2);
        let packet = format!(r#"42["e",{argument}]"#);
        assert!(client.text().await == packet, "{size}");
        assert!(polling.next().await == packet, "{size}");
    }
}
