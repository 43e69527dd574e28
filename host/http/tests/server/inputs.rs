//! What of a request reaches the call (wire protocol §1.3, §1.6, §3.3).

use serde_json::{Value, json};

use crate::support::start;

const JSON: &str = "Content-Type: application/json";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded; charset=utf-8";

#[tokio::test]
async fn inputs_come_from_the_query_or_the_body_and_never_from_both() {
    let server = start(|_| ()).await;
    let cases: &[(&str, &str, &str, Value)] = &[
        ("GET /api/a/get/v1", "", "", json!({})),
        ("GET /api/a/get/v1?a=1&a=2&b=x+y", "", "", json!({ "a": "2", "b": "x y" })),
        ("GET /api/a/get/v1?stream=no&a=1", "", "", json!({ "a": "1" })),
        ("GET /api/a/get/v1?__luckystack_data=%7B%22n%22%3A1%7D", "", "", json!({ "n": 1 })),
        ("POST /api/a/b/v1?q=1", JSON, r#"{"n":2}"#, json!({ "n": 2 })),
        ("PUT /api/a/b/v1", JSON, "", json!({})),
        ("DELETE /api/a/b/v1", JSON, r#"{"stream":1,"n":null}"#, json!({ "n": null })),
        ("POST /api/a/b/v1", FORM, "a=1&b=%C3%A4", json!({ "a": "1", "b": "ä" })),
    ];
    for (line, head, body, expected) in cases {
        let received = server.ask(line, head, body).await;
        assert_eq!(received.status, 200, "{line}");
        assert_eq!(received.json()["input"], *expected, "{line}");
        assert_eq!(received.json()["method"], line.split(' ').next().unwrap());
    }
}

#[tokio::test]
async fn bodies_that_are_no_input_have_their_codes_on_every_path() {
    let server = start(|project| project.http.request_body_max_bytes = 100).await;
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(100));
    for path in ["/api/a/b/v1", "/sync/a/b/v1", "/page"] {
        for (head, body, status, code) in [
            ("", "", 415, "api.unsupportedMediaType"),
            ("Content-Type: text/plain", "x", 415, "api.unsupportedMediaType"),
            (JSON, "{", 400, "api.invalidRequestFormat"),
            (JSON, "null", 400, "api.invalidRequestFormat"),
            (JSON, "[1,2,3]", 400, "api.invalidRequestFormat"),
            (JSON, "\"text\"", 400, "api.invalidRequestFormat"),
            (JSON, "7", 400, "api.invalidRequestFormat"),
            (JSON, &long, 413, "api.payloadTooLarge"),
        ] {
            let received = server.ask(&format!("POST {path}"), head, body).await;
            let expected =
                json!({ "status": "error", "httpStatus": status, "message": code, "errorCode": code });
            assert_eq!((received.status, received.json()), (status, expected), "{path} {head} {body}");
        }
    }
}

#[tokio::test]
async fn names_reach_the_pipeline_decoded_once_and_prefixed() {
    let server = start(|_| ()).await;
    for (path, name) in [
        ("/api/a/get/v1", "api/a/get/v1"),
        ("/api%2Fa%2Fget%2Fv1", "api/a/get/v1"),
        ("/api/a%252Fb/v1/", "api/a%2Fb/v1/"),
        ("/api//a", "api//a"),
        ("http://x/api/a/get/v1", "api/a/get/v1"),
    ] {
        let received = server.ask(&format!("GET {path}"), "", "").await;
        assert_eq!(received.json()["name"], name, "{path}");
    }
}

#[tokio::test]
async fn the_caller_is_who_the_headers_say() {
    let server = start(|_| ()).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let head = format!("X-Language: nl\nAccept-Language: de\ntraceparent: {trace}\nX-Forwarded-For: 1.2.3.4");
    let received = server.ask("GET /api/a/get/v1", &head, "").await.json();
    assert_eq!((&received["language"], &received["traceparent"]), (&json!("nl"), &json!(trace)));
    assert_eq!(received["ip"], "127.0.0.1");
    let received = server.ask("GET /api/a/get/v1", "traceparent: junk\nAccept-Language: de", "").await.json();
    assert_eq!((&received["language"], &received["traceparent"]), (&json!("de"), &Value::Null));

    let proxied = start(|project| {
        project.http.trust_proxy = true;
        project.http.trusted_proxy_hop_count = 2;
    })
    .await;
    let received = proxied.ask("GET /api/a/get/v1", "X-Forwarded-For: 1.1.1.1, 2.2.2.2, 3.3.3.3", "").await;
    assert_eq!(received.json()["ip"], "2.2.2.2");
}
