//! The codec against what notepack.io writes and reads (the hexadecimal texts are its own), and against
//! bytes that nobody meant.

use bytes::Bytes;
use proptest::prelude::*;
use rmp::encode::ByteBuf;
use serde_json::Value;

use super::decode::{Json, NotMessagePack, Reader};
use super::encode::{self, MAX_DEPTH, NotJson};
use super::{broadcast, requests};
use crate::Target;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Bytes {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect::<Vec<_>>().into()
}

fn packed(json: &str) -> Result<Vec<u8>, NotJson> {
    let mut out = ByteBuf::new();
    encode::json(&mut out, json, &[]).map(|()| out.into_vec())
}

fn unpacked(bytes: &Bytes) -> Result<(String, Vec<Bytes>), NotMessagePack> {
    let mut reader = Reader::new(bytes);
    let mut json = Json::default();
    reader.json(&mut json)?;
    assert!(reader.is_at_end(), "there is more after a whole value");
    Ok((String::from_utf8(json.text).unwrap(), json.attachments))
}

#[test]
fn values_are_written_and_read_as_by_notepack() {
    for (json, packed_hex) in [
        ("null", "c0"),
        ("true", "c3"),
        ("false", "c2"),
        ("0", "00"),
        ("127", "7f"),
        ("128", "cc80"),
        ("255", "ccff"),
        ("256", "cd0100"),
        ("65535", "cdffff"),
        ("65536", "ce00010000"),
        ("4294967295", "ceffffffff"),
        ("4294967296", "cf0000000100000000"),
        ("9007199254740991", "cf001fffffffffffff"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0df"),
        ("-128", "d080"),
        ("-129", "d1ff7f"),
        ("-32768", "d18000"),
        ("-32769", "d2ffff7fff"),
        ("-2147483648", "d280000000"),
        ("-2147483649", "d3ffffffff7fffffff"),
        ("-9007199254740991", "d3ffe0000000000001"),
        ("0.5", "cb3fe0000000000000"),
        ("-1.25", "cbbff4000000000000"),
        ("1e-7", "cb3e7ad7f29abcaf48"),
        ("3.141592653589793", "cb400921fb54442d18"),
        (r#""""#, "a0"),
        (r#""a""#, "a161"),
        (r#""é""#, "a2c3a9"),
        (r#""€""#, "a3e282ac"),
        (r#""😀""#, "a4f09f9880"),
        ("[]", "90"),
        ("[1,[2,[3]]]", "920192029103"),
        ("{}", "80"),
        (r#"{"a":1,"b":[true,null]}"#, "82a16101a16292c3c0"),
        (r#"["event",{"k":"v","n":1.5}]"#, "92a56576656e7482a16ba176a16ecb3ff8000000000000"),
        (r#"{"a\"b\\c\n":"\u0001\t"}"#, "81a66122625c630aa20109"),
        ("[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", "9f000000000000000000000000000000"),
        ("[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]", "dc001000000000000000000000000000000000"),
        (
            r#"{"k0":0,"k1":1,"k2":2,"k3":3,"k4":4,"k5":5,"k6":6,"k7":7,"k8":8,"k9":9,"k10":10,"k11":11,"k12":12,"k13":13,"k14":14,"k15":15}"#,
            "de0010a26b3000a26b3101a26b3202a26b3303a26b3404a26b3505a26b3606a26b3707a26b3808a26b3909a36b31300aa36b31310ba36b31320ca36b31330da36b31340ea36b31350f",
        ),
    ] {
        assert_eq!(packed(json).map(|bytes| hex(&bytes)), Ok(packed_hex.to_owned()), "{json}");
        assert_eq!(unpacked(&unhex(packed_hex)).unwrap().0, json);
    }
}

#[test]
fn lengths_are_written_in_as_few_bytes_as_by_notepack() {
    for (len, array, text) in [
        (15, "9f", "af"),
        (16, "dc0010", "b0"),
        (31, "dc001f", "bf"),
        (32, "dc0020", "d920"),
        (255, "dc00ff", "d9ff"),
        (256, "dc0100", "da0100"),
        (65535, "dcffff", "daffff"),
        (65536, "dd00010000", "db00010000"),
    ] {
        let zeros = format!("[{}]", vec!["0"; len].join(","));
        assert_eq!(hex(&packed(&zeros).unwrap()), array.to_owned() + &"00".repeat(len));
        let letters = format!("\"{}\"", "x".repeat(len));
        assert_eq!(hex(&packed(&letters).unwrap()), text.to_owned() + &"78".repeat(len));
    }
}

#[test]
fn what_json_has_no_words_for_is_read_as_node_would_send_it_on() {
    for (packed_hex, json, attachments) in [
        // Points in time, in the three lengths, and as old versions wrote them.
        ("d6ff00000000", r#""1970-01-01T00:00:00.000Z""#, &[][..]),
        ("d6ff6b01f01c", r#""2026-11-21T19:25:16.000Z""#, &[]),
        ("d7ff1d5353006b01f01c", r#""2026-11-21T19:25:16.123Z""#, &[]),
        ("c70cff3b8b87c0ffffffffffffffff", r#""1969-12-31T23:59:59.999Z""#, &[]),
        ("d7000000000000000001", r#""1970-01-01T00:00:00.001Z""#, &[]),
        ("d7007fffffffffffffff", "null", &[]),
        // `undefined`, as old versions wrote it.
        ("92d40000c0", "[null,null]", &[]),
        ("82a161d40000a16201", r#"{"b":1}"#, &[]),
        // Binary, and an ArrayBuffer as old versions wrote it.
        (
            "92c402686981a179c4020102",
            r#"[{"_placeholder":true,"num":0},{"y":{"_placeholder":true,"num":1}}]"#,
            &["6869", "0102"],
        ),
        ("c70300010203", r#"{"_placeholder":true,"num":0}"#, &["010203"]),
        // Types that nobody knows.
        ("d50a0102", r#"[10,{"_placeholder":true,"num":0}]"#, &["0102"]),
        // Keys that are no text.
        ("810102", r#"{"1":2}"#, &[]),
        ("81c0c3", r#"{"null":true}"#, &[]),
        // Numbers that JSON has not.
        ("cb7ff0000000000000", "null", &[]),
        ("cb7ff8000000000000", "null", &[]),
        ("ca3dcccccd", "0.10000000149011612", &[]),
        // No UTF-8.
        ("a2ffff", "\"\u{fffd}\u{fffd}\"", &[]),
    ] {
        let (text, found) = unpacked(&unhex(packed_hex)).unwrap();
        assert_eq!(text, json, "{packed_hex}");
        assert_eq!(found.iter().map(|found| hex(found)).collect::<Vec<_>>(), attachments, "{packed_hex}");
    }
}

#[test]
fn texts_are_read_as_by_a_browser() {
    for (json, same) in [
        (r#""\ud83d\ude00""#, r#""😀""#),
        (r#""\ud83d""#, "\"\u{fffd}\""),
        (r#""\ude00\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#""\ud83d\ud83d\ude00""#, "\"\u{fffd}😀\""),
        (r#""\ud83dx\u0041""#, "\"\u{fffd}xA\""),
        (r#""\/\b\f\n\r\t\"\\""#, r#""/\b\f\n\r\t\"\\""#),
        (" { \"a\" : [ 1 , 2 ] , \"b\" : { } } ", r#"{"a":[1,2],"b":{}}"#),
        ("1e400", "null"),
        ("18446744073709551616", "18446744073709551616.0"),
    ] {
        let bytes = packed(json).unwrap().into();
        let found = unpacked(&bytes).unwrap().0;
        let (found, same): (Value, Value) =
            (serde_json::from_str(&found).unwrap(), serde_json::from_str(same).unwrap());
        assert_eq!(found, same, "{json}");
    }
}

#[test]
fn what_is_no_json_is_refused() {
    for json in [
        "",
        " ",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{a:1}",
        "{1:1}",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\uéé\"",
        "-",
        "1-2",
        "1e",
        "1.",
        "+1",
        "tru",
        "nul",
        "nan",
        "1 2",
        "[]]",
        "]",
        "é",
    ] {
        assert!(packed(json).is_err(), "{json}");
    }
    let depth = usize::from(MAX_DEPTH);
    let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
    assert!(packed(&nested(depth)).is_ok());
    assert_eq!(packed(&nested(depth + 1)), Err(NotJson::Deep));
    assert!(packed(&"[".repeat(10_000_000)).is_err());
}

#[test]
fn what_is_no_messagepack_is_refused() {
    for bytes in [
        "",
        "c1",
        "9201",
        "a561",
        "81",
        "8101",
        "dd",
        "ddffffffff00",
        "dfffffffff00",
        "c6ffffffff00",
        "81c40101c0",
        "8190c0",
    ] {
        let bytes = unhex(bytes);
        let mut reader = Reader::new(&bytes);
        assert!(reader.json(&mut Json::default()).is_err(), "{bytes:?}");
        assert!(requests::read(&bytes).is_err(), "{bytes:?}");
    }
    let deep = |depth: usize| Bytes::from([vec![0x91; depth], vec![0xc0]].concat());
    let depth = usize::from(MAX_DEPTH);
    assert!(unpacked(&deep(depth)).is_ok());
    assert_eq!(unpacked(&deep(10_000_000)).unwrap_err(), NotMessagePack::Deep);
    assert_eq!(Reader::new(&deep(10_000_000)).skip().unwrap_err(), NotMessagePack::Deep);
}

/// From the npm adapter: `io.to("r1").to("r2").except("r3").emit("hello", {a: 1}, Buffer.from("hi"))`.
const BROADCAST: &str = "93a655496456786783a47479706502a46461746193a568656c6c6f81a16101c4026869a36e7370a12f83a5726f6f6d7392a27231a27232a665786365707491a27233a5666c61677380";

#[test]
fn a_broadcast_of_the_npm_adapter_is_understood() {
    let message = unhex(BROADCAST);
    let broadcast = broadcast::decode(&message, "other1").unwrap().unwrap();
    assert_eq!(
        (&*broadcast.rooms, &*broadcast.except),
        (&["r1".into(), "r2".into()][..], &["r3".into()][..])
    );
    let packet = broadcast.packet().unwrap();
    assert_eq!(packet.data, r#"["hello",{"a":1},{"_placeholder":true,"num":0}]"#);
    assert_eq!(packet.attachments, ["hi"]);
    assert!(broadcast::decode(&message, "UIdVxg").unwrap().is_none(), "its own");
}

#[test]
fn a_broadcast_is_written_as_the_npm_adapter_writes_it() {
    let target = Target { rooms: &["r1", "r2"], except: &["r3"] };
    let message = broadcast::encode("UIdVxg", target, r#"["hello",{"a":1}]"#).unwrap();
    // The same without the buffer.
    let same = BROADCAST.replace("93a568656c6c6f81a16101c4026869", "92a568656c6c6f81a16101");
    assert_eq!(hex(&message), same);
}

#[test]
fn rooms_that_are_numbers_are_taken_for_their_writing() {
    // From the npm adapter: `io.to(1).to(2.5).emit("x")`.
    let message = unhex(
        "93a655496456786783a47479706502a46461746191a178a36e7370a12f83a5726f6f6d739201cb4004000000000000a665786365707490a5666c61677380",
    );
    let broadcast = broadcast::decode(&message, "other1").unwrap().unwrap();
    assert_eq!(broadcast.rooms, ["1", "2.5"]);
    let json = requests::read(&Bytes::from_static(
        br#"{"uid":"a","requestId":"b","type":2,"opts":{"rooms":[1,"x"],"except":[]},"rooms":[7]}"#,
    ))
    .unwrap();
    let request = requests::Request::parse(&json).unwrap();
    assert_eq!(requests::texts(request.rooms.as_ref()), ["7"]);
}

#[test]
fn binary_finds_its_way_back_to_its_place() {
    let attachments = [Bytes::from_static(b"hi"), Bytes::from_static(b"ho")];
    let json = r#"[{"_placeholder":true,"num":1},{"a":{"_placeholder":true,"num":0},"b":{"_placeholder":true,"num":7}}]"#;
    let mut out = ByteBuf::new();
    encode::json(&mut out, json, &attachments).unwrap();
    let (text, found) = unpacked(&out.into_vec().into()).unwrap();
    assert_eq!(found, ["ho", "hi"]);
    assert_eq!(
        text,
        r#"[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1},"b":{"_placeholder":true,"num":7}}]"#
    );
}

proptest! {
    #[test]
    fn json_survives_the_way_there_and_back(value in values()) {
        let text = value.to_string();
        let bytes = Bytes::from(packed(&text).unwrap());
        let (back, attachments) = unpacked(&bytes).unwrap();
        prop_assert!(attachments.is_empty());
        // Both are read by serde_json, which may be off by the last digit of a number.
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        prop_assert_eq!(read(&back), read(&text));
        // What is passed over is what is read.
        let mut reader = Reader::new(&bytes);
        reader.skip().unwrap();
        prop_assert!(reader.is_at_end());
    }

    #[test]
    fn any_text_is_json_for_both_or_for_none(text in json_like()) {
        let ours = packed(&text);
        if serde_json::from_str::<Value>(&text).is_ok() {
            prop_assert!(ours.is_ok(), "{:?}", ours);
        }
    }

    #[test]
    fn no_bytes_do_any_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        all_readers(&bytes.into());
    }

    #[test]
    fn no_change_of_a_message_does_any_harm(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
        let mut bytes = unhex(BROADCAST).to_vec();
        let len = bytes.len();
        bytes[at % len] = byte;
        all_readers(&bytes.clone().into());
        bytes.truncate(cut);
        all_readers(&bytes.into());
    }
}

/// Reads bytes as everything that they could be; what is understood is JSON.
fn all_readers(bytes: &Bytes) {
    if let Ok(Some(broadcast)) = broadcast::decode(bytes, "other1")
        && let Ok(packet) = broadcast.packet()
    {
        serde_json::from_slice::<Vec<Value>>(&packet.data).unwrap();
    }
    if let Ok(json) = requests::read(bytes) {
        if let Ok(request) = requests::Request::parse(&json) {
            let _ = request.packet(&json);
        }
        if let Ok(fetched) = requests::Fetched::parse(&json) {
            let _ = fetched.sockets(&mut Default::default());
        }
        let _ = requests::answered(&json);
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Such that serde_json reads them to the last digit.
        (any::<i32>(), 1_u32..12)
            .prop_map(|(number, bits)| Value::from(f64::from(number) / f64::from(1 << bits))),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 100, 20, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            proptest::collection::vec((any::<String>(), inner), 0..20)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Texts that have a chance of being JSON.
fn json_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("{".to_owned()),
        Just("}".to_owned()),
        Just(",".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        Just("null".to_owned()),
        "\"[a-z\\\\u0-9é]{0,6}\"",
        "-?[0-9]{1,3}(\\.[0-9]{1,2})?([eE][+-]?[0-9]{1,2})?",
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}
