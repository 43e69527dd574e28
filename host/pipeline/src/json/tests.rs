use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::*;

/// What a strict parser without a tree says; `IgnoredAny` allows lone surrogates and huge numbers as
/// `JSON.parse` does, but looks at no UTF-8.
fn reference(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok() && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

#[test]
fn accepts_and_refuses_like_json_parse() {
    let table: &[(&[u8], Result<Kind, usize>)] = &[
        (b"null", Ok(Kind::Null)),
        (b" true\r\n", Ok(Kind::Bool)),
        (b"\tfalse ", Ok(Kind::Bool)),
        (b"-0.0e+10", Ok(Kind::Number)),
        (b"1e999", Ok(Kind::Number)),
        (b"\"\\ud800\"", Ok(Kind::String)),
        (b"\"\\u00e9\\n\\/\"", Ok(Kind::String)),
        ("\"h\u{e9}llo \u{1f600} and more than eight bytes\"".as_bytes(), Ok(Kind::String)),
        (b"[]", Ok(Kind::Array)),
        (b"[ [ ] , { } ]", Ok(Kind::Array)),
        (b"{ \"a\" : { \"a\" : [ 1 , 2 ] } , \"a\" : null }", Ok(Kind::Object)),
        (b"", Err(0)),
        (b"  ", Err(2)),
        (b"\xef\xbb\xbf{}", Err(0)),
        (b"nul", Err(0)),
        (b"nulL", Err(0)),
        (b"truex", Err(4)),
        (b"01", Err(1)),
        (b"-", Err(1)),
        (b"+1", Err(0)),
        (b".5", Err(0)),
        (b"1.", Err(2)),
        (b"1e", Err(2)),
        (b"1e+", Err(3)),
        (b"\"abc", Err(4)),
        (b"\"a\tb\"", Err(2)),
        (b"\"\x00\"", Err(1)),
        (b"\"\\x\"", Err(2)),
        (b"\"\\u12g4\"", Err(5)),
        (b"\"\\u12", Err(5)),
        (b"\"abcdefghij\xff\"", Err(11)),
        (b"\"\xed\xa0\x80\"", Err(1)),
        (b"[1,]", Err(3)),
        (b"[1 2]", Err(3)),
        (b"[", Err(1)),
        (b"[1", Err(2)),
        (b"{\"a\"}", Err(4)),
        (b"{\"a\":1,}", Err(7)),
        (b"{a:1}", Err(1)),
        (b"{\"a\":1]", Err(6)),
        (b"[1}", Err(2)),
        (b"{} {}", Err(3)),
        (b"NaN", Err(0)),
    ];
    for (bytes, expected) in table {
        assert_eq!(scan(bytes).map_err(|error| error.offset), *expected, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_special_byte_is_found_at_every_place_of_a_word() {
    for length in 0..40 {
        for special in [b'"', b'\\', 0x1f, 0x00] {
            let mut bytes = vec![b'a'; length];
            bytes.push(special);
            bytes.extend_from_slice(&[b'!', 0xff, b' ', 0x21, 0x5d, 0x5b, 0x23, 0x1f, 0x22]);
            assert_eq!(scan::plain_run(&bytes, 0), (length, false));
        }
        let mut bytes = vec![b'a'; length];
        bytes.extend_from_slice("\u{e9}\"".as_bytes());
        assert_eq!(scan::plain_run(&bytes, 0), (length + 2, true));
    }
}

#[test]
fn nesting_stops_at_128_levels() {
    let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    assert_eq!(scan(&nested(MAX_DEPTH)), Ok(Kind::Array));
    assert_eq!(scan(&nested(MAX_DEPTH + 1)).unwrap_err().offset, MAX_DEPTH);
    assert!(object_members(&[b"{\"a\":", nested(MAX_DEPTH - 1).as_slice(), b"}"].concat()).is_ok());
    assert!(object_members(&[b"{\"a\":", nested(MAX_DEPTH).as_slice(), b"}"].concat()).is_err());
    assert!(scan(&vec![b'['; 1 << 20]).is_err());
}

#[test]
fn an_error_knows_its_line_and_column() {
    let text = b"{\n  \"a\": 1,\n  \"b\" 2\n}";
    assert_eq!(scan(text).unwrap_err().line_column(text), (3, 7));
    assert_eq!(scan(b"").unwrap_err().line_column(b""), (1, 1));
}

#[test]
fn members_say_where_they_are() {
    let text = br#" { "a" : 1 , "\u0062" : {"c":[1, 2]} , "d":"x\n" } "#;
    let members = object_members(text).unwrap();
    let found: Vec<_> =
        members.iter().map(|member| (member.key().into_owned(), member.value.to_vec())).collect();
    assert_eq!(
        found,
        [
            ("a".into(), b"1".to_vec()),
            ("b".into(), b"{\"c\":[1, 2]}".to_vec()),
            ("d".into(), b"\"x\\n\"".to_vec())
        ]
    );
    for member in &members {
        assert_eq!(text[member.start], b'"');
        assert!(text[member.start..member.end].ends_with(member.value));
    }
    assert!(members.get("b").is_some() && members.get("c").is_none());
    assert_eq!(members.get("d").unwrap().as_str().unwrap(), "x\n");
    assert_eq!(members.get("a").unwrap().as_str(), None);
}

#[test]
fn of_duplicate_members_the_last_wins() {
    let members = object_members(br#"{"a":1,"b":2,"\u0061":3}"#).unwrap();
    assert_eq!(members.get("a").unwrap().value, b"3");
}

#[test]
fn anything_but_an_object_has_no_members() {
    assert_eq!(object_members(b" [1]").unwrap_err(), JsonError { offset: 1, expected: "an object" });
    assert!(matches!(document(b" null "), Ok(Document::Other(Kind::Null))));
    assert!(document(b"null x").is_err());
}

#[test]
fn a_member_is_taken_out_wherever_it_stands() {
    let table: &[(&str, Option<&str>)] = &[
        (r#"{"stream":true}"#, Some("{}")),
        (r#"{ "stream" : true }"#, Some("{}")),
        (r#"{"stream":1,"a":2}"#, Some(r#"{"a":2}"#)),
        (r#"{"a":2, "stream":1}"#, Some(r#"{"a":2}"#)),
        (r#"{"a":2, "stream":1 ,"b": 3, "c":4}"#, Some(r#"{"a":2,"b": 3, "c":4}"#)),
        (r#"{"stream":1,"a":{},"str\u0065am":1}"#, Some(r#"{"a":{}}"#)),
        (r#"{"a":{"stream":1}}"#, None),
        ("{}", None),
    ];
    for (text, expected) in table {
        let without = object_members(text.as_bytes()).unwrap().without("stream");
        assert_eq!(without.as_deref(), expected.map(str::as_bytes), "{text}");
    }
}

#[test]
fn lone_surrogates_decode_to_the_replacement_character() {
    for (raw, text, exact) in [
        (r"\ud83d\ude00!", "\u{1f600}!", true),
        (r"a\ud83d", "a\u{fffd}", false),
        (r"\ude00\ud83d", "\u{fffd}\u{fffd}", false),
        (r"\ud83d\u0041", "\u{fffd}A", false),
        (r"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}", false),
        (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t", true),
    ] {
        assert_eq!(decode(raw.as_bytes()), text);
        assert_eq!(decode_exact(raw.as_bytes()).is_some(), exact, "{raw}");
    }
}

#[test]
fn line_breaks_between_tokens_become_spaces() {
    assert_eq!(single_line(b"{\r\n \"a\": \"b\\n\"\n}").as_ref(), b"{   \"a\": \"b\\n\" }");
    assert!(matches!(single_line(b"{}"), std::borrow::Cow::Borrowed(_)));
}

#[test]
fn a_flat_object_with_many_keys_keeps_the_last_value_of_each() {
    let pairs: Vec<(String, String)> =
        (0..40_000).map(|index| (format!("k{}", index % 20_000), index.to_string())).collect();
    let object: Value = serde_json::from_slice(&flat_object(pairs)).unwrap();
    assert_eq!(object.as_object().unwrap().len(), 20_000);
    assert_eq!(object["k7"], "20007");
    assert_eq!(flat_object::<&str, &str>([]), b"{}");
}

/// Text that is JSON or close to it.
fn near_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\\u00e9\"",
        "\\",
        "1",
        "-",
        "0",
        ".",
        "e",
        "E+2",
        "true",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\t",
        "\u{e9}",
        "\\ud800",
        "\u{1}",
        "12345678901234567890",
    ]);
    prop_oneof![
        prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..32),
    ]
}

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((".{0,6}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_near_json(bytes in near_json()) {
        prop_assert_eq!(scan(&bytes).is_ok(), reference(&bytes), "{}", bytes.escape_ascii());
    }

    #[test]
    fn agrees_with_serde_json_on_mutated_documents(
        value in any_json(),
        pretty in any::<bool>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3u8), 0..3),
    ) {
        let mut bytes = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        prop_assert!(scan(&bytes).is_ok());
        for (at, byte, edit) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => { bytes.remove(at); }
            }
        }
        prop_assert_eq!(scan(&bytes).is_ok(), reference(&bytes), "{}", bytes.escape_ascii());
        prop_assert_eq!(document(&bytes).is_ok(), scan(&bytes).is_ok());
    }

    #[test]
    fn strings_survive_writing_and_decoding(text in any::<String>()) {
        let mut out = Vec::new();
        write_str(&mut out, &text);
        prop_assert_eq!(scan(&out), Ok(Kind::String));
        prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text.clone());
        prop_assert_eq!(decode_token(&out), text);
    }

    #[test]
    fn decoding_agrees_with_serde_json(raw in r#"([a-z\u{e9}]|\\u[0-9a-dA-D][0-9a-fA-F]{3}|\\n|\\")*"#) {
        if let Ok(text) = serde_json::from_str::<String>(&format!("\"{raw}\"")) {
            let decoded = decode_exact(raw.as_bytes());
            prop_assert_eq!(decoded.as_deref(), Some(text.as_str()));
        }
    }

    #[test]
    fn decoding_never_panics(raw in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode(&raw);
    }

    #[test]
    fn flat_objects_agree_with_a_map(pairs in prop::collection::vec(("[a-c]{0,2}", any::<String>()), 0..24)) {
        let expected: serde_json::Map<String, Value> =
            pairs.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect();
        let object: Value = serde_json::from_slice(&flat_object(pairs)).unwrap();
        prop_assert_eq!(object, Value::Object(expected));
    }

    #[test]
    fn taking_a_member_out_agrees_with_a_map(
        members in prop::collection::vec((prop::sample::select(vec!["stream", "a", "b"]), any_json()), 0..6),
    ) {
        let mut text = String::from("{");
        for (index, (key, value)) in members.iter().enumerate() {
            text += &format!("{}\"{key}\" : {value}", if index > 0 { " , " } else { "" });
        }
        text.push('}');
        let mut expected: Value = serde_json::from_str(&text).unwrap();
        let removed = expected.as_object_mut().unwrap().remove("stream");
        let without = object_members(text.as_bytes()).unwrap().without("stream");
        prop_assert_eq!(without.is_some(), removed.is_some());
        if let Some(without) = without {
            prop_assert_eq!(serde_json::from_slice::<Value>(&without).unwrap(), expected);
        }
    }
}
