use proptest::prelude::*;

use super::*;

fn policy(bound: &str, configured: &[&str], allow_localhost: bool) -> OriginPolicy {
    let configured: Vec<String> = configured.iter().map(|origin| (*origin).to_owned()).collect();
    OriginPolicy::new(
        bound.parse().unwrap(),
        "Box.local",
        &configured,
        allow_localhost,
        &["/hooks".to_owned()],
    )
}

fn request(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
        .collect()
}

#[test]
fn origins_have_one_spelling() {
    let cases: &[(&str, Option<&str>)] = &[
        ("http://example.com", Some("http://example.com")),
        ("HTTP://Example.COM", Some("http://example.com")),
        ("http://example.com:80", Some("http://example.com")),
        ("https://example.com:443/x", Some("https://example.com")),
        ("https://example.com:80", Some("https://example.com:80")),
        ("http://example.com:0080", Some("http://example.com")),
        ("http://example.com:08080", Some("http://example.com:8080")),
        ("http://example.com:0", Some("http://example.com:0")),
        ("http://example.com:", Some("http://example.com")),
        ("http://example.com/path?q#f", Some("http://example.com")),
        ("http://example.com?q", Some("http://example.com")),
        ("http://example.com\\@evil.com", Some("http://example.com")),
        ("http://[::1]:4100", Some("http://[::1]:4100")),
        ("http://[::1", None),
        ("http://[zz]", None),
        ("http://[::1]x", None),
        ("http://a@b", None),
        ("http://example.com:99999", None),
        ("http://example.com:8a", None),
        ("http://exämple.com", None),
        ("http://", None),
        ("://x", None),
        ("1http://x", None),
        ("null", None),
        ("file:///x", None),
        ("chrome-extension://AbC", Some("chrome-extension://abc")),
    ];
    for (text, expected) in cases {
        assert_eq!(normalise(text).as_deref(), *expected, "{text}");
    }
}

#[test]
fn requests_without_an_origin_may_only_read() {
    let policy = policy("127.0.0.1:4100", &[], false);
    for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
        assert_eq!(policy.judge(&method, "/", &request(&[])), Verdict::Pass(None), "{method}");
    }
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(policy.judge(&method, "/", &request(&[])), Verdict::Refuse(Refusal::NoOrigin), "{method}");
    }
}

#[test]
fn the_gate_knows_its_own_address_the_list_and_loopback() {
    struct Case(&'static str, &'static [&'static str], bool, &'static str, bool);
    let cases = [
        Case("127.0.0.1:4100", &[], false, "http://127.0.0.1:4100", true),
        Case("127.0.0.1:4100", &[], false, "http://localhost:4100", true),
        Case("127.0.0.1:4100", &[], false, "https://LOCALHOST:4100", true),
        Case("[::1]:4100", &[], false, "http://127.0.0.1:4100", true),
        Case("0.0.0.0:4100", &[], false, "http://localhost:4100", true),
        Case("[::]:4100", &[], false, "http://[::1]:4100", true),
        Case("0.0.0.0:80", &[], false, "http://localhost", true),
        Case("10.0.0.7:4100", &[], false, "http://10.0.0.7:4100", true),
        Case("10.0.0.7:4100", &[], false, "http://localhost:4100", false),
        Case("10.0.0.7:4100", &[], false, "http://box.local:4100", true),
        Case("127.0.0.1:4100", &[], false, "http://localhost:5173", false),
        Case("127.0.0.1:4100", &[], true, "http://localhost:5173", true),
        Case("127.0.0.1:4100", &[], true, "https://[::1]", true),
        Case("127.0.0.1:4100", &[], true, "http://localhost.evil.com", false),
        Case("127.0.0.1:4100", &["https://App.Example.com:443/"], false, "https://app.example.com", true),
        Case("127.0.0.1:4100", &["https://app.example.com"], false, "http://app.example.com", false),
        Case("127.0.0.1:4100", &["https://app.example.com"], true, "null", false),
        Case("127.0.0.1:4100", &["null"], false, "null", true),
        Case("127.0.0.1:4100", &[], true, "garbage", false),
    ];
    for Case(bound, list, allow_localhost, origin, passes) in cases {
        let policy = policy(bound, list, allow_localhost);
        for method in [Method::GET, Method::POST] {
            let verdict = policy.judge(&method, "/api/a/b/v1", &request(&[("origin", origin)]));
            assert_eq!(
                matches!(verdict, Verdict::Pass(Some(_))),
                passes,
                "{bound} {list:?} {origin} {verdict:?}"
            );
        }
    }
}

#[test]
fn the_referer_stands_in_for_a_missing_or_empty_origin() {
    let policy = policy("127.0.0.1:4100", &["https://a.example"], false);
    let pass = |pairs: &[(&'static str, &str)]| policy.judge(&Method::POST, "/", &request(pairs));
    let allowed = Verdict::Pass(Some(HeaderValue::from_static("https://a.example")));
    assert_eq!(pass(&[("referer", "https://a.example/page?x")]), allowed);
    assert_eq!(pass(&[("origin", ""), ("referer", "https://A.example/page")]), allowed);
    assert_eq!(
        pass(&[("origin", "https://evil"), ("referer", "https://a.example/")]),
        Verdict::Refuse(Refusal::NotAllowed)
    );
}

#[test]
fn exempt_prefixes_match_whole_segments() {
    let policy = policy("127.0.0.1:4100", &[], false);
    let strange = request(&[("origin", "https://evil")]);
    for (path, passes) in [("/hooks", true), ("/hooks/stripe", true), ("/hooksmith", false), ("/", false)] {
        assert_eq!(policy.judge(&Method::POST, path, &strange) == Verdict::Pass(None), passes, "{path}");
    }
}

proptest! {
    #[test]
    fn normalising_is_stable_and_never_panics(text in ".{0,60}") {
        if let Some(once) = normalise(&text) {
            let twice = normalise(&once);
            prop_assert_eq!(twice.as_deref(), Some(&*once));
        }
    }

    #[test]
    fn url_like_texts_are_stable(
        scheme in "[a-zA-Z]{1,6}", host in "[a-zA-Z0-9.-]{1,20}", port in proptest::option::of(any::<u16>()), tail in "[/?#].{0,20}",
    ) {
        let text = match port {
            Some(port) => format!("{scheme}://{host}:{port}{tail}"),
            None => format!("{scheme}://{host}{tail}"),
        };
        let once = normalise(&text).map(Cow::into_owned);
        prop_assert!(once.is_some());
        let once = once.unwrap();
        let twice = normalise(&once);
        prop_assert_eq!(twice.as_deref(), Some(once.as_str()));
    }
}
