use proptest::prelude::*;
use serde_json::{Value, json};

use super::codes::Code;
use super::*;
use crate::json::tests::any_json;

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn an_error_is_written_in_the_canonical_order() {
    let error =
        ErrorEnvelope::new(api::NOT_FOUND).param("name", "api/a/\"b\"/v1").param("n", 7).param("yes", true);
    assert_eq!(
        text(&error.to_bytes()),
        r#"{"status":"error","message":"api.notFound","errorCode":"api.notFound","errorParams":[{"key":"name","value":"api/a/\"b\"/v1"},{"key":"n","value":7},{"key":"yes","value":true}],"httpStatus":404}"#
    );
    assert_eq!(
        text(&ErrorEnvelope::from(api::TIMEOUT).to_bytes()),
        r#"{"status":"error","message":"api.timeout","errorCode":"api.timeout","httpStatus":504}"#
    );
}

#[test]
fn the_two_shapes_that_lack_a_field_lack_it() {
    let shaped = |code, shape| {
        let mut out = Vec::new();
        ErrorEnvelope::new(code).write(&mut out, shape);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        shaped(api::SERVER_EXECUTION_FAILED, Shape::WithoutMessage),
        r#"{"status":"error","errorCode":"api.serverExecutionFailed","httpStatus":500}"#
    );
    assert_eq!(
        shaped(sync::INVALID_NAME, Shape::WithoutHttpStatus),
        r#"{"status":"error","message":"sync.invalidName","errorCode":"sync.invalidName"}"#
    );
}

#[test]
fn the_message_is_the_translation_or_the_code() {
    let mut locales = Locales::default();
    locales.add("nl", "nl.json".as_ref(), br#"{"api": {"rateLimitExceeded": "Wacht {{seconds}} s"}}"#);
    let error = ErrorEnvelope::new(api::RATE_LIMIT_EXCEEDED).param("seconds", 12);
    assert_eq!(error.clone().localized(&locales, "nl").message, "Wacht 12 s");
    assert_eq!(error.clone().localized(&locales, "nl").localized(&locales, "en").message, error.error_code);
}

#[test]
fn a_success_gets_its_status_spliced_in() {
    for (output, body, status) in [
        (r#"{"status":"success"}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (
            r#"{"status":"success","result":[1, 2]}"#,
            r#"{"status":"success","httpStatus":200,"result":[1, 2]}"#,
            200,
        ),
        (
            " { \"result\" : null , \"status\" : \"success\" , \"x\" : 1 } \n",
            r#"{"status":"success","httpStatus":200,"result" : null,"x" : 1}"#,
            200,
        ),
        (
            r#"{"status":"success","a":1,"httpStatus":201,"b":2}"#,
            r#"{"status":"success","httpStatus":201,"a":1,"b":2}"#,
            201,
        ),
        (
            r#"{"st\u0061tus":"succ\u0065ss","httpStatus":2.01e2}"#,
            r#"{"status":"success","httpStatus":201}"#,
            201,
        ),
        (
            r#"{"status":"error","status":"success","r":1}"#,
            r#"{"status":"success","httpStatus":200,"r":1}"#,
            200,
        ),
        (r#"{"status":"success","httpStatus":"201"}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (r#"{"status":"success","httpStatus":99999}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (r#"{"status":"success","httpStatus":100}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (r#"{"status":"success","httpStatus":-1}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (r#"{"status":"success","httpStatus":1e999}"#, r#"{"status":"success","httpStatus":200}"#, 200),
        (r#"{"status":"success","httpStatus":200.5}"#, r#"{"status":"success","httpStatus":200}"#, 200),
    ] {
        let outcome = normalize_success(output.as_bytes()).unwrap();
        assert_eq!(
            outcome,
            Outcome::Success { body: Bytes::copy_from_slice(body.as_bytes()), http_status: status },
            "{output}"
        );
    }
}

#[test]
fn nothing_a_wrong_status_and_no_json_are_told_apart() {
    for empty in ["", " \n", "null", " null "] {
        assert_eq!(normalize_success(empty.as_bytes()), Err(EnvelopeProblem::Empty), "{empty:?}");
    }
    for wrong in
        ["{}", "[]", "1", "\"success\"", r#"{"status":"ok"}"#, r#"{"status":true}"#, r#"{"result":1}"#]
    {
        assert_eq!(normalize_success(wrong.as_bytes()), Err(EnvelopeProblem::InvalidStatus), "{wrong}");
    }
    for (bytes, at) in [
        (&b"{\"status\":\"success\"} x"[..], 21),
        (b"{\"status\":\"success\",\"a\":\"\xff\"}", 25),
        (b"nul", 0),
    ] {
        match normalize_success(bytes) {
            Err(EnvelopeProblem::InvalidJson(error)) => assert_eq!(error.offset, at),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(EnvelopeProblem::Empty.api_code().code, "api.emptyResponse");
    assert_eq!(EnvelopeProblem::InvalidStatus.api_code().code, "api.invalidResponseStatus");
}

#[test]
fn an_error_return_keeps_only_what_the_protocol_names() {
    let normalized = |output: &str, fallback| match normalize_success(output.as_bytes()).unwrap() {
        Outcome::Error(error) => text(&error.into_envelope(fallback).to_bytes()).to_owned(),
        success => panic!("{success:?}"),
    };
    for (output, expected) in [
        (
            r#"{"status":"error","errorCode":" a.b ","extra":1,"message":"no","httpStatus":404}"#,
            r#"{"status":"error","message":"a.b","errorCode":"a.b","httpStatus":404}"#,
        ),
        (
            r#"{"status":"error","errorCode":"a","errorParams":[{"key":"k","value":"v","more":1},{"key":"n","value":-1.50}]}"#,
            r#"{"status":"error","message":"a","errorCode":"a","errorParams":[{"key":"k","value":"v"},{"key":"n","value":-1.50}],"httpStatus":418}"#,
        ),
        (
            r#"{"status":"error","errorCode":"a","errorParams":[{"key":"k","value":"v"},{"key":"n","value":null}]}"#,
            r#"{"status":"error","message":"a","errorCode":"a","httpStatus":418}"#,
        ),
        (
            r#"{"status":"error","errorCode":"a","errorParams":[{"key":1,"value":"v"}]}"#,
            r#"{"status":"error","message":"a","errorCode":"a","httpStatus":418}"#,
        ),
        (
            r#"{"status":"error","errorCode":"a","errorParams":{"key":"k","value":"v"},"httpStatus":"404"}"#,
            r#"{"status":"error","message":"a","errorCode":"a","httpStatus":418}"#,
        ),
        (
            r#"{"status":"error","errorCode":"  "}"#,
            r#"{"status":"error","message":"error.invalidResponse","errorCode":"error.invalidResponse","httpStatus":418}"#,
        ),
        (
            r#"{"status":"error","errorCode":404}"#,
            r#"{"status":"error","message":"error.invalidResponse","errorCode":"error.invalidResponse","httpStatus":418}"#,
        ),
        (
            r#"{"status":"error"}"#,
            r#"{"status":"error","message":"error.invalidResponse","errorCode":"error.invalidResponse","httpStatus":418}"#,
        ),
    ] {
        assert_eq!(normalized(output, 418), expected, "{output}");
    }
}

#[test]
fn typed_parts_are_normalized_alike() {
    let params = [("a", &b"1"[..]), ("b", b" \"x\\n\" "), ("c", b"false")];
    let error = RawError::from_parts("\u{feff} code\n", params, Some(422)).into_envelope(400);
    assert_eq!(
        text(&error.to_bytes()),
        r#"{"status":"error","message":"code","errorCode":"code","errorParams":[{"key":"a","value":1},{"key":"b","value":"x\n"},{"key":"c","value":false}],"httpStatus":422}"#
    );
    for malformed in [&b"null"[..], b"{}", b"[1]", b"1e999", b"", b"nope", b"1 2"] {
        let error = RawError::from_parts("", [("a", &b"1"[..]), ("b", malformed)], Some(7));
        assert_eq!(error, RawError::default(), "{}", malformed.escape_ascii());
    }
}

#[test]
fn a_sync_reply_is_read_without_touching_it() {
    assert_eq!(read_reply(br#"{"status":"success","x":1}"#), Ok(Reply::Success));
    assert!(matches!(read_reply(br#"{"status":"error","errorCode":"x"}"#), Ok(Reply::Error(_))));
    assert_eq!(read_reply(b"{}"), Err(EnvelopeProblem::InvalidStatus));
}

#[test]
fn the_catalogue_is_that_of_the_protocol() {
    let all: Vec<Code> = [api::ALL, sync::ALL, auth::ALL, room::ALL, framework::ALL, routing::ALL].concat();
    for (code, status) in [
        ("api.invalidRequest", 400),
        ("api.invalidRequestFormat", 500),
        ("api.unsupportedMediaType", 415),
        ("api.payloadTooLarge", 413),
        ("api.rateLimitExceeded", 429),
        ("api.methodNotAllowed", 405),
        ("api.timeout", 504),
        ("api.internalServerError", 500),
        ("auth.required", 401),
        ("auth.required", 400),
        ("auth.invalidCondition", 500),
        ("sync.notFound", 400),
        ("sync.receiverNotAllowed", 403),
        ("serviceNotAssigned", 502),
        ("routing.gateDenied", 403),
    ] {
        assert!(all.contains(&Code { code, http_status: status }), "{code} {status}");
    }
    for (index, code) in all.iter().enumerate() {
        assert!(usable_status(code.http_status).is_some());
        let same = |other: &Code| other.code == code.code && other.http_status == code.http_status;
        // Codes that two tables share are those of auth, which differ by their status or endpoint.
        assert!(!all[..index].iter().any(same) || code.code.starts_with("auth."), "{code:?}");
    }
    assert_eq!((Surface::Api.as_str(), Surface::Sync.as_str()), ("api", "sync"));
}

proptest! {
    #[test]
    fn normalizing_never_panics_and_never_lets_through_what_is_not_json(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(prop::sample::select(vec![
                "{", "}", "\"status\":", "\"success\"", "\"error\"", ",", "\"httpStatus\":", "201", "\"errorParams\":", "[", "]",
                "\"errorCode\":", "\"x\"", " ", "null", "\"key\":", "\"value\":", "\"a\":",
            ]), 0..16).prop_map(|tokens| tokens.concat().into_bytes()),
        ],
    ) {
        match normalize_success(&bytes) {
            Ok(Outcome::Success { body, http_status }) => {
                let value: Value = serde_json::from_slice(&body).unwrap();
                prop_assert_eq!(&value["status"], &json!("success"));
                prop_assert_eq!(&value["httpStatus"], &json!(http_status));
            }
            Ok(Outcome::Error(error)) => {
                let envelope: Value = serde_json::from_slice(&error.into_envelope(400).to_bytes()).unwrap();
                prop_assert_eq!(&envelope["status"], &json!("error"));
            }
            Err(EnvelopeProblem::InvalidJson(_)) => prop_assert!(crate::json::scan(&bytes).is_err()),
            Err(_) => {}
        }
        prop_assert_eq!(normalize_success(&bytes).is_ok(), read_reply(&bytes).is_ok());
    }

    #[test]
    fn splicing_equals_spreading(
        members in prop::collection::btree_map(prop_oneof![Just("httpStatus".to_owned()), "[a-c\u{e9}\"]{0,3}"], any_json(), 0..5),
        place in any::<prop::sample::Index>(),
    ) {
        let mut parts: Vec<String> = members.iter().map(|(key, value)| format!("{} : {value}", json!(key))).collect();
        parts.insert(place.index(parts.len() + 1), r#""status":"success""#.into());
        let Ok(Outcome::Success { body, http_status }) = normalize_success(format!("{{{}}}", parts.join(" ,")).as_bytes())
        else {
            panic!("a success");
        };
        let mut expected: serde_json::Map<String, Value> = members.into_iter().collect();
        let kept = expected.get("httpStatus").and_then(Value::as_f64).filter(|status| {
            status.fract() == 0.0 && (200.0..=599.0).contains(status)
        });
        prop_assert_eq!(f64::from(http_status), kept.unwrap_or(200.0));
        expected.insert("status".into(), json!("success"));
        expected.insert("httpStatus".into(), json!(http_status));
        // Through text as well: reading a double may cost it its last bit.
        let expected: Value = serde_json::from_str(&Value::Object(expected).to_string()).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }

    #[test]
    fn any_error_is_written_as_valid_json(code in any::<String>(), key in any::<String>(), value in any::<String>()) {
        let error = ErrorEnvelope::with_status(code.clone(), 400).param(key.clone(), value.clone());
        let envelope: Value = serde_json::from_slice(&error.to_bytes()).unwrap();
        prop_assert_eq!(&envelope["errorCode"], &json!(code));
        prop_assert_eq!(&envelope["errorParams"], &json!([{"key": key, "value": value}]));
    }
}
