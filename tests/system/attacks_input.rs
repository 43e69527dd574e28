//! Input that is meant to become something else: headers, cookies, paths, or a crash.

use std::fs;
use std::time::{Duration, Instant};

use luckystack_tests::{Account, Call, RedisServer, Visitor, wire};
use serde_json::{Value, json};

use crate::identity_door::{MINE, assert_failure, door, mailed_code};

/// The lines of an answer's head.
fn head(answer: &str) -> Vec<String> {
    answer.split("\r\n\r\n").next().unwrap().split("\r\n").map(str::to_owned).collect()
}

/// No line that the request tried to add, and no line of its own for what it tried to add to a cookie.
#[track_caller]
fn assert_clean(answer: &str, context: &str) {
    for line in head(answer) {
        let lower = line.to_lowercase();
        assert!(!lower.starts_with("x-evil") && !lower.contains("evil=1"), "{context}: {answer}");
    }
    assert!(!answer.contains('\0'), "{context}: {answer:?}");
    assert!(wire::status(answer).is_some_and(|status| status < 500), "{context}: {answer}");
}

/// Tokens are any text; the cookie that is sent again holds nothing but one value.
#[tokio::test]
async fn a_live_token_that_looks_like_headers_stays_a_value() {
    let redis = RedisServer::start().await;
    let host = door().set(&format!("backplane.url={}", redis.url())).start().await;
    for (token, written) in [
        ("a; Domain=evil.example; evil=1", "a%3B%20Domain=evil.example%3B%20evil=1"),
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil:%201"),
        ("a\nSet-Cookie: evil=1", "a%0ASet-Cookie:%20evil=1"),
        ("a\0b", "a%00b"),
        ("a\"b,c\\d%41", "a%22b%2Cc%5Cd%2541"),
        ("ümlaut", "%C3%BCmlaut"),
    ] {
        let key = format!("luckystack-session:{token}");
        redis.command(&["SET", &key, "{\"id\":\"u1\",\"csrfToken\":\"c\"}", "EX", "1000"]).await;
        let cookie = format!("Cookie: token={written}");
        let request = wire::request("GET", MINE, &[&cookie], b"");
        let answer = wire::exchange(host.address(), &request).await;
        assert_eq!(wire::status(&answer), Some(200), "{token:?}: {answer}");
        // Known by now, whatever the first answer carried.
        let answer = wire::exchange(host.address(), &request).await;
        let set: Vec<_> = head(&answer).into_iter().filter(|line| line.starts_with("set-cookie")).collect();
        let expected =
            format!("set-cookie: token={written}; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; ");
        assert_eq!(set, [expected], "{token:?}");
        assert!(!head(&answer).iter().any(|line| line.to_lowercase().starts_with("x-evil")), "{answer}");
    }
}

#[tokio::test]
async fn nothing_in_a_header_becomes_another_header() {
    let host = door().start().await;
    let origin = format!("Origin: {}", host.url());
    let body = Account::of("Ann").registration().to_string();
    for line in [
        "Cookie: token=a%0d%0aX-Evil:%201",
        "Cookie: token=a%0aSet-Cookie:%20evil=1",
        "Cookie: token=%00; token=%0d%0a",
        "Cookie: token=a\tb; evil=1",
        "Cookie: =; ;; token; token==; ;",
        "Cookie: csrf-token=%0d%0aX-Evil:1; ls-oauth-state=%0d%0aX-Evil:1",
        "Authorization: Bearer a%0d%0aX-Evil: 1",
        "Authorization: Bearer \u{e4}\u{f6}",
        "X-Request-Id: a%0d%0aX-Evil",
        "X-Session-Based-Token: true\tX-Evil: 1",
        "X-Language: en%0d%0aX-Evil: 1",
        "Accept-Language: ../../etc/passwd, %0d%0a",
        "X-Forwarded-For: 1.1.1.1%0d%0aX-Evil: 1",
    ] {
        for (method, target, body) in [
            ("GET", MINE, ""),
            ("GET", "/auth/csrf", ""),
            ("GET", "/auth/callback/google?code=%0d%0aX-Evil:1&state=%0d%0aX-Evil:1", ""),
            ("POST", "/auth/logout", ""),
            ("POST", "/auth/api/credentials", &*body),
        ] {
            let lines = [&*origin, "Content-Type: application/json", line];
            let answer =
                wire::exchange(host.address(), &wire::request(method, target, &lines, body.as_bytes())).await;
            assert_clean(&answer, &format!("{line} at {target}"));
        }
    }
    // Bytes that no header may hold end the connection, not the host.
    for bytes in
        [&b"Cookie: token=a\0b"[..], b"Cookie: token=a\rb", b"Cookie: token=\x7f\x01", b"Cook\0ie: a=b"]
    {
        let mut request = b"GET /api/gate/getMine/v1 HTTP/1.1\r\nHost: localhost\r\n".to_vec();
        request.extend_from_slice(bytes);
        request.extend_from_slice(b"\r\nConnection: close\r\n\r\n");
        let answer = wire::exchange(host.address(), &request).await;
        assert!(
            answer.is_empty() || wire::status(&answer).is_some_and(|status| (400..500).contains(&status)),
            "{answer}"
        );
    }
    assert_eq!(host.get("/livez").await.status, 200);
}

#[tokio::test]
async fn addresses_and_names_stay_what_they_are() {
    let host = door().set("auth.email_code_login=true").start().await;
    for email in [
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@example.com\nX: y",
        "ann@example.com\0",
        "ann\0@example.com",
        "<ann@example.com>",
        "ann@example.com, eve@example.com",
        "\"ann\"@example.com",
        "ann:*@example.com",
        "ann@example.com:10.0.0.1",
        "ann @example.com",
        "ann@exam\u{200b}ple .com",
    ] {
        let account = Account { email: email.to_owned(), ..Account::of("Ann") };
        for path in ["/auth/api/credentials", "/auth/api/email-code/request", "/auth/api/email-code/verify"] {
            let answer = Visitor::of(&host).submit_to(path, &account.registration()).await;
            assert_failure(&answer, 200, "login.invalidEmailFormat");
        }
    }
    // In a message there is nothing that a stranger chose.
    let evil = Account {
        name: "Eve\r\nSubject: you won\r\n\r\n<script>alert(1)</script>".to_owned(),
        ..Account::of("Eve")
    };
    let mut visitor = Visitor::of(&host);
    let session = visitor.register(&evil).await;
    assert!(!session["name"].as_str().unwrap().contains('<'), "{session}");
    visitor.submit_to("/auth/api/email-code/request", &json!({ "email": evil.email })).await;
    mailed_code(&host, 1).await;
    assert!(!host.log().contains("you won"), "{}", host.log());
}

/// Whatever is thrown at the routes before the door: an answer that says no, soon, and no panic.
#[tokio::test]
async fn malformed_and_oversized_input_is_refused_and_nothing_breaks() {
    let host = door().set("auth.email_code_login=true").set("auth.two_factor=true").start().await;
    let ann = Account::of("Ann");
    let mut signed_in = Visitor::of(&host);
    signed_in.register(&ann).await;
    let csrf = signed_in.csrf().await;
    let long = "x".repeat(900_000);
    let fields = ["email", "password", "name", "confirmPassword", "code", "challengeToken", "method"];
    let all = |value: Value| {
        let object: serde_json::Map<String, Value> =
            fields.iter().map(|field| ((*field).to_owned(), value.clone())).collect();
        Value::Object(object).to_string()
    };
    let mut bodies: Vec<Vec<u8>> = vec![
        b"{".to_vec(),
        b"{\"email\":}".to_vec(),
        b"{\"email\":\"\\ud800\"}".to_vec(),
        b"{\"email\":\"\xff\xfe\"}".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{}{}".to_vec(),
        b"\0".to_vec(),
        b"{\"email\":1e999}".to_vec(),
        b"{\"__proto__\":{\"authenticated\":true},\"constructor\":{}}".to_vec(),
        format!("{}{}", "[".repeat(400_000), "]".repeat(400_000)).into_bytes(),
        format!("{{\"email\":{}1{}}}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).into_bytes(),
        format!("{{\"email\":{}", "[".repeat(900_000)).into_bytes(),
        format!("{{{}\"a\":1}}", "\"email\":\"ann@example.com\",".repeat(20_000)).into_bytes(),
    ];
    for value in [
        json!(null),
        json!(true),
        json!(-1),
        json!([]),
        json!({}),
        json!([[["x"]]]),
        json!("\0"),
        json!(long[..120_000]),
    ] {
        bodies.push(all(value).into_bytes());
    }
    bodies.push(json!({ "email": ann.email, "password": long }).to_string().into_bytes());
    bodies.push(
        json!({ "email": ann.email, "code": long, "challengeToken": long.len() }).to_string().into_bytes(),
    );
    for path in [
        "/auth/api/credentials",
        "/auth/api/email-code/request",
        "/auth/api/email-code/verify",
        "/auth/api/email-code/nothing",
        "/auth/api/2fa",
        "/auth/api/2fa/email-code",
        "/auth/api/2fa/enable",
        "/auth/api/2fa/disable",
        "/auth/api/google",
        "/auth/api",
        "/auth/api/",
        "/auth/callback/google",
        "/auth/logout/x",
        "/auth/nothing",
    ] {
        for content_type in ["application/json", "application/x-www-form-urlencoded"] {
            for (number, body) in bodies.iter().enumerate() {
                let call = Call::post(path).body(content_type, body.clone()).header("x-csrf-token", &csrf);
                let call = call.header("x-forwarded-for", &format!("10.{}.0.{number}", path.len()));
                let call = call.header("cookie", &format!("token={}", signed_in.token().unwrap()));
                let asked = Instant::now();
                let answer = host.send(call).await;
                let what = format!("{path} {content_type} {number}: {} {}", answer.status, answer.text());
                assert!(matches!(answer.status, 200 | 400 | 401 | 404 | 413 | 429), "{what}");
                assert!(answer.header("x-session-token").is_none(), "{what}");
                assert!(!answer.text().contains("\"authenticated\":true"), "{what}");
                assert!(asked.elapsed() < Duration::from_secs(20), "{what} took {:?}", asked.elapsed());
            }
        }
    }
    assert_eq!(host.log_lines("panicked"), Vec::<String>::new());
    assert_eq!(signed_in.session().await["name"], "Ann");
    Visitor::of(&host).from("10.99.99.99").log_in(&ann).await;
}

#[tokio::test]
async fn odd_targets_are_refused_and_nothing_breaks() {
    let host = door().start().await;
    let long = format!("/auth/api/{}", "a".repeat(7_000));
    let longer = format!("/auth/callback/google?code={}", "a".repeat(20_000));
    let query = format!("/auth/callback/google?{}", "state=a&".repeat(800));
    for target in [
        "/auth/%",
        "/auth/api/%zz",
        "/auth/api/%2",
        "/auth/api/%00",
        "/auth/api/%2e%2e/credentials",
        "/auth/api/../credentials",
        "/auth/api//credentials",
        "//auth/api/credentials",
        "/auth%2Fapi%2Fgoogle",
        "/auth/api/%ff%fe",
        "/auth/api/%E2%80%AEelgoog",
        "/auth/callback/%00?code=%00&state=%00",
        "/auth/callback/../api/google?code=1",
        "/auth/callback/google?code=%ff&state=%zz",
        "/auth/callback?code=a&state=b",
        "/auth/callback/?code=a&state=b",
        "/auth/callback/google?state=%0d%0a&code=%0d%0a&error=%0d%0a&iss=%0d%0a",
        "/auth/api/__proto__",
        "/auth/api/constructor",
        &long,
        &longer,
        &query,
    ] {
        let answer = wire::exchange(host.address(), &wire::request("GET", target, &[], b"")).await;
        let status = wire::status(&answer).unwrap_or_else(|| panic!("{target}: {answer:?}"));
        assert!((200..500).contains(&status), "{target}: {answer}");
        assert!(!answer.contains("set-cookie: token="), "{target}: {answer}");
    }
    let many = format!("Cookie: {}", "token=a; ".repeat(1_500));
    let answer = wire::exchange(host.address(), &wire::request("GET", MINE, &[&many], b"")).await;
    assert!(matches!(wire::status(&answer), Some(401)), "{answer}");
    let much = format!("Cookie: token={}", "a".repeat(20_000));
    let answer = wire::exchange(host.address(), &wire::request("GET", MINE, &[&much], b"")).await;
    assert_eq!(wire::status(&answer), Some(431), "{answer}");
    assert_eq!(host.log_lines("panicked"), Vec::<String>::new());
}

#[tokio::test]
async fn uploads_are_names_and_never_paths() {
    let picture = b"RIFF\x04\0\0\0WEBP";
    let project = door();
    let folder = project.dir().join("data/uploads");
    fs::create_dir_all(folder.join("sub")).unwrap();
    fs::write(folder.join("u-1_A.webp"), picture).unwrap();
    fs::write(folder.join("sub/inner.webp"), "inner secret").unwrap();
    fs::write(folder.join(".hidden.webp"), "hidden secret").unwrap();
    fs::write(folder.join("other.txt"), "text secret").unwrap();
    fs::write(folder.parent().unwrap().join("outside.webp"), "outside secret").unwrap();
    let host = project.start().await;
    let answer = host.get("/uploads/u-1_A.webp").await;
    assert_eq!((answer.status, &answer.body[..]), (200, &picture[..]));
    assert_eq!(answer.header("content-type"), Some("image/webp"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=86400"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    let long = format!("/uploads/{}.webp", "a".repeat(129));
    for target in [
        "/uploads/",
        "/uploads/nobody.webp",
        "/uploads/u-1_A",
        "/uploads/u-1_A.",
        "/uploads/.webp",
        "/uploads/.hidden.webp",
        "/uploads/other.txt",
        "/uploads/../outside.webp",
        "/uploads/..%2foutside.webp",
        "/uploads/%2e%2e/outside.webp",
        "/uploads/%2e%2e%2foutside.webp",
        "/uploads/..%5coutside.webp",
        "/uploads/%252e%252e%252foutside.webp",
        "/uploads/sub/inner.webp",
        "/uploads/sub%2finner.webp",
        "/uploads/./u-1_A.webp",
        "/uploads//u-1_A.webp",
        "/uploads/u-1_A.webp/",
        "/uploads/u-1_A.webp%00",
        "/uploads/u-1_A%00.webp",
        "/uploads/u-1_A.webp.bak",
        "/uploads/..%c0%afoutside.webp",
        "/uploads/..\\outside.webp",
        "/uploads/../users.sqlite",
        "/uploads/%2e%2e%2fusers.sqlite",
        "/uploads/C:%5coutside.webp",
        "/uploads/%2fetc%2fpasswd.webp",
        &long,
    ] {
        let answer = wire::exchange(host.address(), &wire::request("GET", target, &[], b"")).await;
        assert!(matches!(wire::status(&answer), Some(400 | 404)), "{target}: {answer}");
        assert!(!answer.contains("secret") && !answer.contains("SQLite"), "{target}: {answer}");
    }
    // Nor is what is private served from anywhere else.
    for target in ["/data/users.sqlite", "/users.sqlite", "/data/uploads/u-1_A.webp", "/presets/project.toml"]
    {
        assert_eq!(host.get(target).await.status, 404, "{target}");
    }
}
