use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::Frame;
use http_body_util::{Full, StreamBody};
use proptest::prelude::*;

use super::*;

fn json(text: &str) -> Result<String, InputError> {
    api_body(MediaType::Json, Bytes::copy_from_slice(text.as_bytes())).map(text_of)
}

fn text_of(bytes: Bytes) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_json_body_must_be_an_object() {
    for (body, expected) in [
        ("", Ok("{}")),
        ("{}", Ok("{}")),
        (r#" {"a": [1, {"stream": 2}]} "#, Ok(r#" {"a": [1, {"stream": 2}]} "#)),
        ("null", Err(InputError::Format)),
        ("[]", Err(InputError::Format)),
        ("[1,2,3]", Err(InputError::Format)),
        ("\"text\"", Err(InputError::Format)),
        ("42", Err(InputError::Format)),
        ("true", Err(InputError::Format)),
        ("{", Err(InputError::Format)),
        ("{} {}", Err(InputError::Format)),
        (" ", Err(InputError::Format)),
    ] {
        assert_eq!(json(body).as_deref(), expected.as_ref().copied(), "{body}");
    }
}

#[test]
fn the_key_stream_is_never_input() {
    assert_eq!(json(r#"{"stream":true,"a":1}"#).unwrap(), r#"{"a":1}"#);
    assert_eq!(json(r#"{"str\u0065am":true}"#).unwrap(), "{}");
    assert_eq!(text_of(api_query(Some("stream=true&a=1")).unwrap()), r#"{"a":"1"}"#);
    assert_eq!(json(r#"{"__luckystack_data":"{\"stream\":1,\"b\":2}"}"#).unwrap(), r#"{"b":2}"#);
}

#[test]
fn wrapped_data_replaces_the_whole_input() {
    let query = "__luckystack_data=%7B%22n%22%3A1%7D&x=2";
    assert_eq!(text_of(api_query(Some(query)).unwrap()), r#"{"n":1}"#);
    assert_eq!(json(r#"{"__luckystack_data":"{\"n\":true}","x":2}"#).unwrap(), r#"{"n":true}"#);
    let form = api_body(MediaType::Form, Bytes::from_static(b"__luckystack_data=%7B%22n%22%3A1%7D"));
    assert_eq!(text_of(form.unwrap()), r#"{"n":1}"#);
    for wrapped in ["null", "[]", "3", "{", ""] {
        let body = format!(r#"{{"__luckystack_data":"{wrapped}"}}"#);
        assert_eq!(json(&body), Err(InputError::Format), "{wrapped}");
    }
    let ordinary = r#"{"__luckystack_data":{"n":1}}"#;
    assert_eq!(json(ordinary).unwrap(), ordinary);
}

#[test]
fn queries_and_forms_are_flat_objects_of_strings() {
    for (query, expected) in [
        (None, "{}"),
        (Some(""), "{}"),
        (Some("a=1&b=two+words&a=3"), r#"{"a":"3","b":"two words"}"#),
        (Some("a[b]=1&c"), r#"{"a[b]":"1","c":""}"#),
        (Some("q=%22%0A"), r#"{"q":"\"\n"}"#),
    ] {
        assert_eq!(text_of(api_query(query).unwrap()), expected, "{query:?}");
        let form = Bytes::copy_from_slice(query.unwrap_or_default().as_bytes());
        assert_eq!(text_of(api_body(MediaType::Form, form).unwrap()), expected, "{query:?}");
    }
}

#[test]
fn media_types_are_a_case_sensitive_prefix() {
    let cases = [
        (Some("application/json"), Ok(MediaType::Json)),
        (Some("application/json; charset=utf-8"), Ok(MediaType::Json)),
        (Some("application/x-www-form-urlencoded;x"), Ok(MediaType::Form)),
        (Some("Application/JSON"), Err(InputError::Media)),
        (Some("text/plain"), Err(InputError::Media)),
        (Some("multipart/form-data"), Err(InputError::Media)),
        (None, Err(InputError::Media)),
    ];
    for (said, expected) in cases {
        let mut headers = HeaderMap::new();
        if let Some(said) = said {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(said));
        }
        assert_eq!(media_type(&headers), expected, "{said:?}");
    }
}

#[test]
fn streaming_is_asked_for_by_the_query() {
    for (query, expected) in [
        (None, false),
        (Some("stream=true"), true),
        (Some("stream=1"), true),
        (Some("a=1&stream=true"), true),
        (Some("stream=TRUE"), false),
        (Some("stream"), false),
        (Some("stream=true&stream=no"), false),
        (Some("streams=true"), false),
    ] {
        assert_eq!(wants_stream(query, "stream", "true"), expected, "{query:?}");
    }
}

fn pieces(parts: &[&'static str]) -> impl Body<Data = Bytes, Error = Infallible> + Unpin {
    let frames: Vec<_> =
        parts.iter().map(|part| Ok(Frame::data(Bytes::from_static(part.as_bytes())))).collect();
    StreamBody::new(futures::stream::iter(frames))
}

const LONG: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_body_is_read_to_its_limit() {
    let none = HeaderMap::new();
    assert_eq!(read_body(&none, pieces(&["ab", "c", "de"]), 5, LONG).await.unwrap(), "abcde");
    assert_eq!(read_body(&none, pieces(&["abcde"]), 5, LONG).await.unwrap(), "abcde");
    assert_eq!(read_body(&none, pieces(&[]), 5, LONG).await.unwrap(), "");
    assert_eq!(read_body(&none, pieces(&["ab", "cdef"]), 5, LONG).await, Err(InputError::TooLarge));
}

#[tokio::test]
async fn an_announced_length_beyond_the_limit_is_refused_unread() {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from(6));
    assert_eq!(read_body(&headers, Never, 5, LONG).await, Err(InputError::TooLarge));
    let full = Full::new(Bytes::from_static(b"abcde"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(5));
    assert_eq!(read_body(&headers, full, 5, LONG).await.unwrap(), "abcde");
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let short = Duration::from_millis(10);
    assert_eq!(read_body(&HeaderMap::new(), Never, 5, short).await, Err(InputError::Slow));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_no_input() {
    let frames = [Ok(Frame::data(Bytes::from_static(b"{"))), Err(std::io::Error::other("gone"))];
    let body = StreamBody::new(futures::stream::iter(frames));
    assert_eq!(read_body(&HeaderMap::new(), body, 5, LONG).await, Err(InputError::Broken));
}

/// A body that never says anything.
struct Never;

impl Body for Never {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Poll::Pending
    }
}

proptest! {
    #[test]
    fn whatever_is_input_is_a_json_object_without_stream(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for media in [MediaType::Json, MediaType::Form] {
            if let Ok(input) = api_body(media, Bytes::from(bytes.clone())) {
                let value: serde_json::Value = serde_json::from_slice(&input).unwrap();
                prop_assert!(value.is_object() && value.get("stream").is_none());
            }
        }
    }

    #[test]
    fn every_query_is_an_object_of_strings(query in "[ -~]{0,100}") {
        if let Ok(input) = api_query(Some(&query)) {
            let value: serde_json::Value = serde_json::from_slice(&input).unwrap();
            let strings = value.as_object().is_some_and(|object| object.values().all(serde_json::Value::is_string));
            prop_assert!(strings || query.contains(WRAPPED));
        }
    }

    #[test]
    fn pairs_come_back_as_members(list in proptest::collection::vec(("[a-z]{1,4}", ".{0,10}"), 0..30)) {
        let query: Vec<String> = list.iter().map(|(key, value)| {
            format!("{key}={}", percent_encoding::utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC))
        }).collect();
        let input: serde_json::Value = serde_json::from_slice(&api_query(Some(&query.join("&"))).unwrap()).unwrap();
        for (key, _) in list.iter().filter(|(key, _)| key != STREAM) {
            let last = list.iter().rev().find(|(other, _)| other == key).map(|(_, value)| value.as_str());
            prop_assert_eq!(input[key].as_str(), last);
        }
    }
}
