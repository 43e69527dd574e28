//! The order of wire protocol §6.1 and what each step answers.

use serde_json::json;

use crate::support::{Client, Received, start};

const COMMON: [&str; 10] = [
    "access-control-allow-origin",
    "x-request-id",
    "access-control-allow-methods",
    "access-control-allow-headers",
    "access-control-expose-headers",
    "access-control-allow-credentials",
    "referrer-policy",
    "x-frame-options",
    "x-xss-protection",
    "x-content-type-options",
];

fn assert_common(received: &Received) {
    for name in COMMON {
        assert!(received.header(name).is_some(), "{name} is missing: {received:?}");
    }
}

#[tokio::test]
async fn a_malformed_path_is_refused_before_anything_else() {
    let server = start(|_| ()).await;
    for path in ["/%", "/%zz", "/api/%C3"] {
        let received =
            server.send(&format!("POST {path} HTTP/1.1\r\nHost: x\r\nOrigin: https://evil\r\n\r\n")).await;
        assert_eq!((received.status, received.text()), (400, "Bad Request"), "{path}");
        assert_eq!(received.header("content-type"), Some("text/plain"));
        assert_eq!(received.own_headers(), [""; 0]);
    }
}

#[tokio::test]
async fn a_refused_origin_gets_no_other_header_and_the_hook_is_told() {
    let server = start(|_| ()).await;
    for (method, head) in [
        ("GET", "Origin: https://Evil.example:443"),
        ("OPTIONS", "Origin: https://evil.example"),
        ("GET", "Origin: null"),
        ("POST", "Content-Type: application/json"),
        ("DELETE", "Referer: https://evil.example/page"),
    ] {
        let received =
            server.send(&format!("{method} /api/a/b/v1 HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n")).await;
        assert_eq!((received.status, received.text()), (403, "Forbidden"), "{method} {head}");
        assert_eq!(received.own_headers(), [""; 0]);
    }
    let refused = server.refused();
    assert_eq!(refused.len(), 5);
    assert_eq!(refused[0].origin, "https://Evil.example:443");
    assert_eq!(refused[0].normalized_origin.as_deref(), Some("https://evil.example"));
    assert_eq!(
        (refused[0].reason.as_str(), refused[3].reason.as_str()),
        ("origin-not-allowed", "missing-origin")
    );
    assert_eq!(refused[0].route, "/api/a/b/v1");
}

#[tokio::test]
async fn every_other_response_carries_the_common_headers() {
    let server = start(|_| ()).await;
    for (line, head) in [
        ("GET /api/a/get/v1", ""),
        ("GET /api/missing/x/v1", ""),
        ("GET /api/panic/x/v1", ""),
        ("GET /api/", ""),
        ("OPTIONS /api/a/b/v1", ""),
        ("PATCH /x", ""),
        ("HEAD /", ""),
        ("GET /favicon.ico", ""),
        ("GET /livez", ""),
        ("POST /api/a/b/v1", ""),
        ("GET /nothing", ""),
        ("GET /api/stream/1/v1", "Accept: text/event-stream"),
    ] {
        let received = {
            let mut client = server.client().await;
            client.write(server.request(line, head, "")).await;
            client.head().await.unwrap()
        };
        assert_common(&received);
        assert_eq!(received.header("access-control-allow-origin"), Some(server.origin().as_str()), "{line}");
    }
    let received = server.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!(received.header("access-control-allow-origin"), Some(""));
}

#[tokio::test]
async fn localhost_and_127_0_0_1_are_both_the_own_address() {
    let server = start(|_| ()).await;
    let port = server.address.port();
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let origin = format!("http://{host}:{port}");
        let received =
            server.send(&format!("GET /livez HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n\r\n")).await;
        assert_eq!(received.status, 200);
        assert_eq!(received.header("access-control-allow-origin"), Some(origin.as_str()));
    }
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let server = start(|_| ()).await;
    let received = server.ask("GET /api/a/get/v1", "X-Request-Id: my-id-1", "").await;
    assert_eq!(received.header("x-request-id"), Some("my-id-1"));
    assert_eq!(received.json()["requestId"], "my-id-1");
    let received = server.ask("GET /api/a/get/v1", "X-Request-Id: no_good", "").await;
    let made = received.header("x-request-id").unwrap().to_owned();
    assert_eq!(made.len(), 36);
    assert_eq!(received.json()["requestId"], made.as_str());
}

#[tokio::test]
async fn the_request_hook_sees_the_request_without_secrets_and_may_stop_it() {
    let server = start(|_| ()).await;
    server.hook(None);
    let received = server.ask("GET /api/a/get/v1?x=1", "Cookie: token=secret\nX-Other: seen", "").await;
    assert_eq!(received.status, 200);
    let event = server.hooked().remove(0);
    assert_eq!(event["method"], "GET");
    assert_eq!(event["url"], "/api/a/get/v1?x=1");
    assert_eq!(event["origin"], server.origin());
    assert_eq!(event["requestId"], received.header("x-request-id").unwrap());
    assert!(!event["headers"].to_string().contains("secret"));
    assert!(event["headers"].as_array().unwrap().contains(&json!(["x-other", "seen"])));

    server.hook(Some(("app.closed", None)));
    for line in ["GET /api/a/get/v1", "OPTIONS /", "HEAD /", "GET /livez"] {
        let mut client = server.client().await;
        client.write(server.request(line, "", "")).await;
        let received = client.head().await.unwrap();
        assert_eq!(received.status, 403, "{line}");
        assert_common(&received);
    }
    let received = server.ask("GET /livez", "", "").await;
    assert_eq!(received.text(), r#"{"errorCode":"app.closed","status":"error"}"#);
    server.hook(Some(("app.gone", Some(410))));
    assert_eq!(server.ask("GET /livez", "", "").await.status, 410);
}

#[tokio::test]
async fn methods_end_where_the_protocol_says() {
    let server = start(|_| ()).await;
    let received = server.ask("OPTIONS /anything", "", "").await;
    assert_eq!((received.status, received.text(), received.header("content-type")), (204, "", None));
    for method in ["PATCH", "TRACE", "PROPFIND"] {
        let received = server.ask(&format!("{method} /"), "", "").await;
        let text = format!("method: {method} not supported, use one of: GET, POST, PUT, DELETE");
        assert_eq!((received.status, received.text()), (404, text.as_str()));
    }
    for (path, status) in [("/", 200), ("/livez", 404), ("/api/a/get/v1", 404)] {
        let mut client = server.client().await;
        client.write(format!("HEAD {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!(client.head().await.unwrap().status, status, "HEAD {path}");
    }
}

#[tokio::test]
async fn probes_answer_every_method_and_follow_the_phase() {
    let server = start(|_| ()).await;
    for method in ["GET", "POST", "PUT", "DELETE"] {
        let received = server.ask(&format!("{method} /livez"), "", "").await;
        assert_eq!((received.status, received.json()), (200, json!({ "status": "live" })), "{method}");
    }
    let ready = server.ask("GET /readyz", "", "").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (200, Some("ready")));
    assert_eq!(ready.json()["checks"]["plugins"], json!({ "ok": false, "degraded": ["broken"] }));
    let health = server.ask("GET /_health", "", "").await;
    assert_eq!((health.status, health.json()["envKey"].as_str()), (200, Some("test")));
    server.readiness.set_draining();
    let ready = server.ask("GET /readyz", "", "").await;
    assert_eq!((ready.status, ready.json()["status"].as_str()), (503, Some("not-ready")));
}

#[tokio::test]
async fn names_that_are_missing_have_their_own_codes() {
    let server = start(|_| ()).await;
    let json_type = "Content-Type: application/json";
    for (line, head, status, body) in [
        (
            "GET /api/",
            "",
            400,
            json!({ "status": "error", "httpStatus": 400, "message": "api.invalidName", "errorCode": "api.invalidName" }),
        ),
        (
            "POST /sync/",
            json_type,
            400,
            json!({ "status": "error", "message": "sync.invalidName", "errorCode": "sync.invalidName" }),
        ),
        (
            "GET /sync/a/b/v1",
            "",
            405,
            json!({ "status": "error", "message": "sync.methodNotAllowed", "errorCode": "sync.methodNotAllowed" }),
        ),
        (
            "POST /sync/a/b/v1",
            json_type,
            400,
            json!({
                "status": "error",
                "httpStatus": 400,
                "message": "sync.ioUnavailable",
                "errorCode": "sync.ioUnavailable"
            }),
        ),
    ] {
        let received = server.ask(line, head, "").await;
        assert_eq!((received.status, received.json()), (status, body), "{line}");
        assert_eq!(received.header("allow"), None);
    }
}

#[tokio::test]
async fn what_nothing_serves_is_not_found() {
    let server = start(|_| ()).await;
    for line in ["GET /", "GET /page", "GET /app.js", "GET /api"] {
        let received = server.ask(line, "", "").await;
        assert_eq!((received.status, received.text()), (404, "Not Found"), "{line}");
    }
    let icon = server.ask("GET /favicon.ico", "", "").await;
    assert_eq!((icon.status, icon.text()), (404, ""));
}

#[tokio::test]
async fn static_files_come_last_and_for_every_method() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "the page").unwrap();
    std::fs::write(folder.path().join("favicon.ico"), "icon").unwrap();
    let public = folder.path().to_owned();
    let server = start(|project| project.paths.public = Some(public)).await;
    for line in ["GET /", "GET /any/page", "POST /any", "PUT /any", "DELETE /any"] {
        let received = server.ask(line, "Content-Type: application/json", "").await;
        assert_eq!((received.status, received.text()), (200, "the page"), "{line}");
        assert_common(&received);
    }
    assert_eq!(server.ask("GET /favicon.ico", "", "").await.text(), "icon");
    assert_eq!(server.ask("GET /../secret.txt", "", "").await.status, 404);
    assert_eq!(server.ask("GET /assets/%2e%2e/%2e%2e/etc/passwd", "", "").await.status, 404);
    assert_eq!(server.ask("POST /any", "", "").await.status, 415);
    let page = server.ask("GET /", "", "").await;
    let known = format!("If-None-Match: {}", page.header("etag").unwrap());
    let again = server.ask("GET /", &known, "").await;
    assert_eq!((again.status, again.text()), (304, ""));
}

#[tokio::test]
async fn a_panic_ends_one_request_and_nothing_else() {
    let server = start(|_| ()).await;
    let mut client = server.client().await;
    for line in ["GET /api/panic/x/v1", "GET /api/a/get/v1"] {
        client.write(server.request(line, "", "")).await;
        let received = client.response().await.unwrap();
        if line.contains("panic") {
            assert_eq!(
                (received.status, received.json()["errorCode"].as_str()),
                (500, Some("api.invalidRequestFormat"))
            );
        } else {
            assert_eq!(received.status, 200);
        }
    }
}

#[tokio::test]
async fn replies_keep_their_status_and_a_busy_service_says_when_to_come_back() {
    let server = start(|_| ()).await;
    let missing = server.ask("GET /api/missing/x/v1", "", "").await;
    assert_eq!((missing.status, missing.json()["errorCode"].as_str()), (404, Some("api.notFound")));
    assert_eq!(missing.header("content-type"), Some("application/json"));
    assert_eq!(missing.header("retry-after"), None);
    let busy = server.ask("GET /api/busy/x/v1", "", "").await;
    assert_eq!((busy.status, busy.header("retry-after")), (503, Some("7")));
}

#[tokio::test]
async fn the_pipeline_itself_answers_behind_it() {
    use std::sync::Arc;

    use luckystack_http::{HostIdentity, Readiness, Server};
    use luckystack_pipeline::Pipeline;
    use luckystack_pipeline::locale::Locales;
    use luckystack_topology::ProjectConfig;

    let mut project = ProjectConfig::defaults("presets".as_ref(), ".".as_ref());
    project.listen.port = 0;
    let mut locales = Locales::default();
    locales.add("nl", "nl.json".as_ref(), br#"{"api":{"notFound":"Geen route {{name}}"}}"#);
    let pipeline = Pipeline::new(&project, locales, false);
    let server = Server::bind(&project, &HostIdentity::default(), Arc::new(Readiness::new())).await.unwrap();
    let handle = server.serve(pipeline);
    for (path, status, code) in
        [("/api/a/get/v1", 404, "api.notFound"), ("/api/a/v1", 400, "routing.invalidServiceRouteName")]
    {
        let mut client = Client::connect(handle.local_addr()).await;
        client.write(format!("GET {path} HTTP/1.1\r\nHost: x\r\nAccept-Language: nl-BE\r\n\r\n")).await;
        let received = client.response().await.unwrap();
        assert_eq!((received.status, received.json()["errorCode"].as_str()), (status, Some(code)));
        if status == 404 {
            assert_eq!(received.json()["message"], "Geen route api/a/get/v1");
        }
    }
    assert_eq!(handle.shutdown().await.cut_off, 0);
}

#[tokio::test]
async fn without_login_what_changes_something_needs_the_double_submit_token() {
    let server = start(|_| ()).await;
    let origin = server.origin();
    let json = "Content-Type: application/json\r\nContent-Length: 2";
    let post = |head: &str| {
        format!("POST /api/a/b/v1 HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\n{json}\r\n{head}\r\n{{}}")
    };
    for head in [
        "",
        "X-CSRF-Token: t\r\n",
        "Cookie: csrf-token=t\r\n",
        "Cookie: csrf-token=t\r\nX-CSRF-Token: u\r\n",
        "Cookie: csrf-token=\r\nX-CSRF-Token: \r\n",
    ] {
        let received = server.send(&post(head)).await;
        assert_eq!(received.status, 403, "{head}");
        assert_eq!(received.json()["errorCode"], "auth.csrfMismatch");
        assert!(received.json().get("httpStatus").is_none());
    }
    let handed_out = server.ask("GET /auth/csrf", "", "").await;
    let token = handed_out.json()["csrfToken"].as_str().unwrap().to_owned();
    let cookie = handed_out.header("set-cookie").unwrap();
    assert_eq!(cookie, format!("csrf-token={token}; SameSite=Lax; Path=/; Max-Age=86400"));
    let head = format!("Cookie: csrf-token={token}\r\nX-CSRF-Token: {token}\r\n");
    assert_eq!(server.send(&post(&head)).await.status, 200);
}

#[tokio::test]
async fn without_login_the_ways_in_say_so() {
    let server = start(|_| ()).await;
    let json = "Content-Type: application/json";
    let providers = server.ask("GET /auth/providers", "", "").await;
    assert_eq!(providers.json(), json!({ "providers": [], "emailCodeLogin": false }));
    let login = server.ask("POST /auth/api/credentials", json, r#"{"email":"a@b.co","password":"x"}"#).await;
    assert_eq!((login.status, login.json()), (200, json!({ "status": false, "reason": "auth.disabled" })));
    let callback = server.ask("GET /auth/callback/google?code=1&state=2", "", "").await;
    assert_eq!((callback.status, callback.text()), (404, "Auth is not enabled"));
    let logout = server.ask("POST /auth/logout", "", "").await;
    assert_eq!((logout.status, logout.json()), (200, json!({ "status": "success", "result": true })));
    assert_eq!(logout.header("set-cookie"), Some("token=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0;"));
    let reset = server.ask("POST /_test/reset", json, "").await;
    assert_eq!((reset.status, reset.json()["errorCode"].clone()), (404, json!("notFound")));
}
