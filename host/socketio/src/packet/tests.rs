use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::socket::{Body, DEFAULT_NAMESPACE, Decoder, MAX_ARGUMENTS, MAX_ATTACHMENTS, Packet};
use super::{MAX_DEPTH, ParseError, Text, engine, escape, socket};

fn text(text: &str) -> Text {
    Text::from(text.to_owned())
}

fn decode(message: &str) -> Result<Packet, ParseError> {
    let mut decoder = Decoder::new(MAX_ATTACHMENTS);
    decoder.text(&text(message)).map(|packet| packet.expect("no attachments"))
}

fn refused(message: &str) -> ParseError {
    Decoder::new(MAX_ATTACHMENTS).text(&text(message)).expect_err(message)
}

/// Namespace, name, arguments, acknowledgement.
fn event(message: &str) -> (String, String, Vec<String>, Option<u64>) {
    let packet = decode(message).expect(message);
    let Body::Event(event) = packet.body else { panic!("{message}: no event") };
    let args = event.args.iter().map(|arg| String::from_utf8(arg.to_vec()).expect("UTF-8")).collect();
    (packet.namespace.as_str().to_owned(), event.name, args, event.ack)
}

/// A message, and what is read of it: namespace, name, arguments, acknowledgement.
type Case = (&'static str, &'static str, &'static str, &'static [&'static str], Option<u64>);

#[test]
fn events_are_read_with_namespace_name_arguments_and_acknowledgement() {
    let cases: &[Case] = &[
        (r#"2["activity"]"#, "/", "activity", &[], None),
        (r#"2["a",{"b":[1,"]"]},"c"]"#, "/", "a", &[r#"{"b":[1,"]"]}"#, r#""c""#], None),
        (r#"2/admin,["a",1]"#, "/admin", "a", &["1"], None),
        (r#"2/admin,12["a",1]"#, "/admin", "a", &["1"], Some(12)),
        (r#"212["a"]"#, "/", "a", &[], Some(12)),
        (r#"20["a"]"#, "/", "a", &[], Some(0)),
        (r#"2/,["a"]"#, "/", "a", &[], None),
        (
            r#"2 [ "a" , null , true,false , -1.5e+3 , {} , [ ] ] "#,
            "/",
            "a",
            &["null", "true", "false", "-1.5e+3", "{}", "[ ]"],
            None,
        ),
        (r#"2["a\"b\u00e9",""]"#, "/", "a\"bé", &[r#""""#], None),
        (r#"2["ü€😀","\ud83d\ude00"]"#, "/", "ü€😀", &[r#""\ud83d\ude00""#], None),
        (r#"2["",{"":{}}]"#, "/", "", &[r#"{"":{}}"#], None),
    ];
    for (message, namespace, name, args, ack) in cases {
        let read = event(message);
        let args: Vec<String> = args.iter().map(|&arg| arg.to_owned()).collect();
        assert_eq!(read, ((*namespace).to_owned(), (*name).to_owned(), args, *ack), "{message}");
    }
}

#[test]
fn arguments_are_slices_of_the_message() {
    let message = Bytes::from(r#"2["name",{"a":1},"b"]"#);
    let packet = Decoder::new(0).text(&Text::new(message.clone()).expect("UTF-8"));
    let Ok(Some(Packet { body: Body::Event(event), .. })) = packet else { panic!("no event") };
    for arg in &event.args {
        assert!(message.as_ptr_range().contains(&arg.as_ptr()));
    }
}

#[test]
fn connects_carry_an_object_or_nothing() {
    for (message, namespace, auth) in [
        ("0", "/", None),
        ("0/admin,", "/admin", None),
        ("0/admin", "/admin", None),
        (r#"0{"token":"x"}"#, "/", Some(r#"{"token":"x"}"#)),
        (r#"0/a/b, {"token":"x"} "#, "/a/b", Some(r#"{"token":"x"}"#)),
    ] {
        let packet = decode(message).expect(message);
        let Body::Connect { auth: read } = packet.body else { panic!("{message}: no connect") };
        assert_eq!(packet.namespace.as_str(), namespace);
        assert_eq!(packet.namespace.is_default(), namespace == DEFAULT_NAMESPACE);
        assert_eq!(read.as_deref(), auth.map(str::as_bytes));
    }
    for message in ["0[]", "0null", r#"0"x""#, "0true", "01", r#"01{"a":1}"#] {
        assert_eq!(refused(message), ParseError::Payload, "{message}");
    }
    for message in ["0{", r#"0{"a":1}x"#, r#"0{"a":1}{}"#, "0nul", "0{a:1}"] {
        assert_eq!(refused(message), ParseError::Json, "{message}");
    }
}

#[test]
fn disconnects_carry_nothing() {
    assert!(matches!(decode("1").expect("a disconnect").body, Body::Disconnect));
    assert_eq!(decode("1/admin,").expect("a disconnect").namespace.as_str(), "/admin");
    assert_eq!(refused("1{}"), ParseError::Payload);
    assert_eq!(refused("17"), ParseError::Payload);
}

#[test]
fn acknowledgements_carry_a_number_and_an_array() {
    let packet = decode(r#"3/admin,7["a",{}]"#).expect("an acknowledgement");
    let Body::Ack { id, args, .. } = packet.body else { panic!("no acknowledgement") };
    assert_eq!((id, args.len()), (7, 2));
    assert_eq!(refused("3[]"), ParseError::AckId);
    assert_eq!(refused("37{}"), ParseError::Payload);
    assert_eq!(refused("37"), ParseError::Json);
    assert_eq!(refused("399999999999999999999[]"), ParseError::AckId);
}

#[test]
fn what_is_no_packet_of_a_client_is_refused() {
    for message in ["", "4{}", "7", "8[]", "9", "x", "[", "-1", "é", r#"["a"]"#] {
        assert_eq!(refused(message), ParseError::SocketType, "{message}");
    }
    for message in ["2{}", "2[]", "2[1]", "2[null]", "2[[]]", r#"2"a""#, "2 1", "2true"] {
        assert_eq!(refused(message), ParseError::Payload, "{message}");
    }
    for message in [
        "2",
        "2[",
        r#"2["a""#,
        r#"2["a",]"#,
        r#"2["a"]]"#,
        r#"2["a" "b"]"#,
        r#"2["a]"#,
        r#"2["a\x"]"#,
        r#"2["a\u12g4"]"#,
        r#"2["a\u12"#,
        "2[\"a\n\"]",
        "2[\"a\",\"\u{1}\"]",
        r#"2["a",01]"#,
        r#"2["a",1.]"#,
        r#"2["a",.5]"#,
        r#"2["a",-]"#,
        r#"2["a",1e]"#,
        r#"2["a",+1]"#,
        r#"2["a",tru]"#,
        r#"2["a",{"b"}]"#,
        r#"2["a",{"b":}]"#,
        r#"2["a",{"b":1,}]"#,
        r#"2["a",{1:1}]"#,
        r#"2["a",[}]"#,
        r#"2["a",{]]"#,
        r#"2["a",NaN]"#,
        r#"2["a"],"#,
        r#"2["\ud800"]"#,
    ] {
        assert_eq!(refused(message), ParseError::Json, "{message}");
    }
}

#[test]
fn reserved_event_names_are_refused() {
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        assert_eq!(refused(&format!(r#"2["{name}"]"#)), ParseError::ReservedName);
    }
    assert_eq!(refused(r#"2["c\u006fnnect"]"#), ParseError::ReservedName);
    assert_eq!(event(r#"2["connection"]"#).1, "connection");
}

#[test]
fn nesting_is_bounded_where_serde_json_bounds_it() {
    let nested = |depth: u32| {
        let depth = depth as usize;
        format!("[\"a\",{}{}]", "[".repeat(depth - 1), "]".repeat(depth - 1))
    };
    for (depth, fits) in [(MAX_DEPTH, true), (MAX_DEPTH + 1, false)] {
        let json = nested(depth);
        assert_eq!(decode(&format!("2{json}")).is_ok(), fits);
        assert_eq!(serde_json::from_str::<Value>(&json).is_ok(), fits);
    }
    assert_eq!(refused(&format!("2[\"a\",{}", "[".repeat(1 << 20))), ParseError::Json);
}

#[test]
fn arguments_are_bounded_in_number() {
    let with = |args: usize| format!(r#"2["a"{}]"#, ",1".repeat(args));
    assert_eq!(event(&with(MAX_ARGUMENTS)).2.len(), MAX_ARGUMENTS);
    assert_eq!(refused(&with(MAX_ARGUMENTS + 1)), ParseError::TooManyArguments);
}

#[test]
fn a_packet_waits_for_its_attachments() {
    let message = text(r#"52-/admin,3["up",{"_placeholder":true,"num":1},[{"_placeholder":true,"num":0}]]"#);
    let mut decoder = Decoder::new(MAX_ATTACHMENTS);
    assert!(decoder.text(&message).expect("a packet").is_none());
    assert!(decoder.is_waiting());
    assert!(decoder.binary(Bytes::from_static(&[1])).expect("an attachment").is_none());
    let packet = decoder.binary(Bytes::from_static(&[2, 3])).expect("an attachment").expect("complete");
    let Body::Event(event) = packet.body else { panic!("no event") };
    assert_eq!((event.ack, event.args.len()), (Some(3), 2));
    assert_eq!(event.attachments, [&[1][..], &[2, 3]]);
    assert!(!decoder.is_waiting());

    assert!(decoder.text(&text(r#"61-7[{"_placeholder":true,"num":0}]"#)).expect("a packet").is_none());
    let packet = decoder.binary(Bytes::from_static(&[9])).expect("an attachment").expect("complete");
    let Body::Ack { id, attachments, .. } = packet.body else { panic!("no acknowledgement") };
    assert_eq!((id, attachments), (7, vec![Bytes::from_static(&[9])]));
}

#[test]
fn attachments_come_when_they_were_announced_and_only_then() {
    let mut decoder = Decoder::new(MAX_ATTACHMENTS);
    assert_eq!(decoder.binary(Bytes::new()).expect_err("not announced"), ParseError::UnexpectedBinary);
    assert!(decoder.text(&text(r#"51-["a",{"_placeholder":true,"num":0}]"#)).expect("a packet").is_none());
    assert_eq!(decoder.text(&text(r#"2["a"]"#)).expect_err("due"), ParseError::TextForAttachment);
}

#[test]
fn the_number_of_attachments_is_checked() {
    for message in [r#"5["a"]"#, r#"5-["a"]"#, r#"51["a"]"#, r#"5x-["a"]"#, "51", "5", "5-", r#"5-1-["a"]"#] {
        assert_eq!(refused(message), ParseError::Attachments, "{message}");
    }
    for message in [r#"511-["a"]"#, r#"599999999999999999999999-["a"]"#] {
        assert_eq!(refused(message), ParseError::TooManyAttachments, "{message}");
    }
    for message in [
        r#"51-["a"]"#,
        r#"50-["a",{"_placeholder":true,"num":0}]"#,
        r#"51-["a",{"_placeholder":true,"num":1}]"#,
        r#"51-["a",{"_placeholder":true,"num":-1}]"#,
        r#"51-["a",{"_placeholder":true,"num":"0"}]"#,
        r#"51-["a",{"_placeholder":true}]"#,
        r#"52-["a",{"_placeholder":true,"num":0}]"#,
        r#"51-["a",{"_placeholder":false,"num":0}]"#,
    ] {
        assert_eq!(refused(message), ParseError::Placeholders, "{message}");
    }
    assert!(decode(r#"50-["a"]"#).is_ok());
}

#[test]
fn engine_packets_are_told_apart_by_their_first_character() {
    use engine::Packet;
    for (message, packet) in [
        ("0{}", Packet::Open),
        ("1", Packet::Close),
        ("2", Packet::Ping(text(""))),
        ("2probe", Packet::Ping(text("probe"))),
        ("3", Packet::Pong(text(""))),
        ("3probe", Packet::Pong(text("probe"))),
        ("4hällo", Packet::Message(text("hällo"))),
        ("5", Packet::Upgrade),
        ("6", Packet::Noop),
        ("bAQIDBA==", Packet::Binary(Bytes::from_static(&[1, 2, 3, 4]))),
        ("bAQIDBA", Packet::Binary(Bytes::from_static(&[1, 2, 3, 4]))),
    ] {
        assert_eq!(engine::decode(&text(message)).expect(message), packet);
    }
    for message in ["", "7", "x", "é", " 4", "abc"] {
        assert_eq!(engine::decode(&text(message)).expect_err(message), ParseError::EngineType);
    }
    assert_eq!(engine::decode(&text("b*")).expect_err("no base64"), ParseError::Base64);
}

#[test]
fn a_poll_carries_packets_in_order_and_ends_at_the_first_that_is_none() {
    use engine::Packet;
    let read = |body: &str| engine::decode_body(text(body)).collect::<Vec<_>>();
    assert_eq!(
        read("4a\u{1e}2\u{1e}bAQ==\u{1e}4b"),
        [
            Ok(Packet::Message(text("a"))),
            Ok(Packet::Ping(text(""))),
            Ok(Packet::Binary(Bytes::from_static(&[1]))),
            Ok(Packet::Message(text("b")))
        ]
    );
    assert_eq!(read(""), [Err(ParseError::EngineType)]);
    assert_eq!(read("4a\u{1e}"), [Ok(Packet::Message(text("a"))), Err(ParseError::EngineType)]);
    assert_eq!(read("4a\u{1e}x\u{1e}4b"), [Ok(Packet::Message(text("a"))), Err(ParseError::EngineType)]);
}

#[test]
fn the_open_packet_is_node_s() {
    let open = engine::Open {
        sid: "abc",
        upgrades: &["websocket"],
        ping_interval: 25_000,
        ping_timeout: 20_000,
        max_payload: 5_242_880,
    };
    assert_eq!(
        open.encode(),
        r#"0{"sid":"abc","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":5242880}"#
    );
}

#[test]
fn packets_of_the_server_are_written_as_node_writes_them() {
    let written = |write: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("UTF-8")
    };
    let cases: &[(String, &str)] = &[
        (written(&|out| socket::connect(out, "/", "abc")), r#"40{"sid":"abc"}"#),
        (written(&|out| socket::connect(out, "/admin", "abc")), r#"40/admin,{"sid":"abc"}"#),
        (
            written(&|out| socket::connect_error(out, "/admin", "Invalid namespace", None)),
            r#"44/admin,{"message":"Invalid namespace"}"#,
        ),
        (
            written(&|out| socket::connect_error(out, "/", "no \"way\"", Some(b"{\"a\":1}"))),
            r#"44{"message":"no \"way\"","data":{"a":1}}"#,
        ),
        (written(&|out| socket::disconnect(out, "/")), "41"),
        (written(&|out| socket::disconnect(out, "/admin")), "41/admin,"),
        (written(&|out| socket::event(out, "/", "a\"\n\u{1}é", &[], 0)), r#"42["a\"\n\u0001é"]"#),
        (written(&|out| socket::event(out, "/a", "b", &[b"1", b"{}"], 0)), r#"42/a,["b",1,{}]"#),
        (written(&|out| socket::event(out, "/a", "b", &[b"1"], 2)), r#"452-/a,["b",1]"#),
        (written(&|out| socket::ack(out, "/", 7, &[], 0)), "437[]"),
        (written(&|out| socket::ack(out, "/a", 7, &[b"1", b"2"], 0)), "43/a,7[1,2]"),
        (written(&|out| socket::ack(out, "/", 7, &[b"1"], 1)), "461-7[1]"),
    ];
    for (written, expected) in cases {
        assert_eq!(written, expected);
    }
}

#[test]
fn a_poll_is_joined_with_record_separators() {
    let mut body = Vec::new();
    engine::push(&mut body, b"4a");
    engine::push_binary(&mut body, &[1, 2, 3, 4]);
    engine::push(&mut body, b"2");
    assert_eq!(body, b"4a\x1ebAQIDBA==\x1e2");
    assert_eq!(engine::binary_len(4), "bAQIDBA==".len());
}

/// Any JSON, a few levels deep.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".*".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn namespace() -> impl Strategy<Value = String> {
    prop_oneof![Just("/".to_owned()), "/[a-zé/]{1,8}"]
}

/// Text made of what packets are made of: much of it is nearly one.
fn nearly_a_packet() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("\u{1e}".to_owned()),
        Just("4".to_owned()),
        Just(r#"2["a""#.to_owned()),
        Just(r#"51-["a",{"_placeholder":true,"num":0}]"#.to_owned()),
        Just("\\u".to_owned()),
        Just("/x,".to_owned()),
        r#"[0-9bnultrfase.eE+\-]{1,3}"#,
        r#"[\[\]{}",:\\ ]{1,4}"#,
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(message in prop_oneof![nearly_a_packet(), any::<String>()]) {
        for packet in engine::decode_body(text(&message)) {
            let Ok(packet) = packet else { break };
            let mut decoder = Decoder::new(MAX_ATTACHMENTS);
            match packet {
                engine::Packet::Message(message) => {
                    let _ = decoder.text(&message);
                    while decoder.is_waiting() {
                        let _ = decoder.binary(Bytes::new());
                    }
                },
                engine::Packet::Binary(binary) => { let _ = decoder.binary(binary); },
                _ => {},
            }
        }
    }

    #[test]
    fn the_scanner_takes_what_serde_json_takes(json in prop_oneof![
        nearly_a_packet(),
        json_value().prop_map(|value| value.to_string()),
        json_value().prop_map(|value| serde_json::to_string_pretty(&value).expect("JSON")),
    ]) {
        // RawValue: serde_json's own scanner, which leaves half surrogates to whoever reads the string.
        let valid = serde_json::from_str::<&serde_json::value::RawValue>(&json).is_ok();
        let scanned = decode(&format!(r#"2["a",{json}]"#));
        // What closes and opens the array again is valid in it, and not by itself.
        let within = serde_json::from_str::<Vec<Box<serde_json::value::RawValue>>>(&format!(r#"["a",{json}]"#));
        prop_assert_eq!(scanned.is_ok(), within.is_ok());
        if valid {
            let Ok(Packet { body: Body::Event(event), .. }) = scanned else { panic!("not an event") };
            prop_assert_eq!(&event.args[0][..], json.trim_matches([' ', '\t', '\n', '\r']).as_bytes());
        }
    }

    #[test]
    fn events_survive_the_way(
        namespace in namespace(),
        name in any::<String>(),
        args in prop::collection::vec(json_value(), 0..4),
    ) {
        let args: Vec<Vec<u8>> = args.iter().map(|arg| arg.to_string().into_bytes()).collect();
        let slices: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let mut out = Vec::new();
        socket::event(&mut out, &namespace, &name, &slices, 0);
        let engine::Packet::Message(message) = engine::decode(&Text::new(out.into()).expect("UTF-8")).expect("a packet")
        else { panic!("no message") };
        match Decoder::new(0).text(&message) {
            Ok(Some(Packet { namespace: read, body: Body::Event(event) })) => {
                prop_assert_eq!(read.as_str(), namespace);
                prop_assert_eq!(event.name, name);
                prop_assert_eq!(event.args.to_vec(), args);
                prop_assert_eq!(event.ack, None);
            },
            other => prop_assert_eq!(other.err(), Some(ParseError::ReservedName)),
        }
    }

    #[test]
    fn acknowledgements_survive_the_way(namespace in namespace(), id in any::<u64>(), arg in json_value()) {
        let mut out = Vec::new();
        socket::ack(&mut out, &namespace, id, &[arg.to_string().as_bytes()], 0);
        let message = text(std::str::from_utf8(&out[1..]).expect("UTF-8"));
        let Ok(Some(Packet { namespace: read, body: Body::Ack { id: read_id, args, .. } })) = Decoder::new(0).text(&message)
        else { panic!("no acknowledgement") };
        prop_assert_eq!((read.as_str(), read_id), (namespace.as_str(), id));
        prop_assert_eq!(args.to_vec(), vec![arg.to_string().into_bytes()]);
    }

    #[test]
    fn strings_are_escaped_as_json_is(string in any::<String>()) {
        let mut out = Vec::new();
        escape(&mut out, &string);
        prop_assert_eq!(serde_json::from_slice::<String>(&out).expect("a string"), string.clone());
        prop_assert_eq!(String::from_utf8(out).expect("UTF-8"), json!(string).to_string());
    }

    #[test]
    fn polls_survive_the_way(messages in prop::collection::vec(
        prop_oneof![
            "[^\u{1e}]*".prop_map(|message| engine::Packet::Message(Text::from(message))),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|binary| engine::Packet::Binary(binary.into())),
        ],
        1..6,
    )) {
        let mut body = Vec::new();
        for message in &messages {
            match message {
                engine::Packet::Message(message) => engine::push(&mut body, &[b"4", message.as_bytes()].concat()),
                engine::Packet::Binary(binary) => engine::push_binary(&mut body, binary),
                _ => unreachable!(),
            }
        }
        let read: Result<Vec<_>, _> = engine::decode_body(Text::new(body.into()).expect("UTF-8")).collect();
        prop_assert_eq!(read.expect("packets"), messages);
    }
}
