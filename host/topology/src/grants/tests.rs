use proptest::prelude::*;

use super::*;

fn grant(text: &str) -> HttpGrant {
    HttpGrant::parse(text).unwrap_or_else(|_| panic!("{text} must parse"))
}

#[test]
fn grants_are_parsed_and_shown_in_their_normal_form() {
    for (text, shown) in [
        ("api.example.com", "api.example.com"),
        ("API.Example.com.", "api.example.com"),
        ("*.example.org:8443", "*.example.org:8443"),
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("127.1", "127.0.0.1"),
        ("https://[::1]:9000", "https://[::1]:9000"),
        ("[::ffff:10.0.0.1]", "10.0.0.1"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("*", "*"),
        ("https://*:8443", "https://*:8443"),
    ] {
        assert_eq!(grant(text).to_string(), shown);
        assert_eq!(grant(shown), grant(text), "{text}");
    }
}

#[test]
fn what_is_no_grant_says_why() {
    for (text, why) in [
        ("", "no host name"),
        ("ftp://a.example", "scheme other than"),
        ("https://a.example/", "names a path"),
        ("a.example/path", "names a path"),
        ("user:pw@a.example", "holds credentials"),
        ("a.example:", "no valid port"),
        ("a.example:0", "no valid port"),
        ("a.example:+1", "no valid port"),
        ("a.example:65536", "no valid port"),
        ("::1", "no valid port"),
        ("[::1", "no valid port"),
        ("a.*.example", "only as the first label"),
        ("*example.org", "only as the first label"),
        ("*.", "needs a name"),
        ("*.10.0.0.1", "needs a name"),
        ("a b", "no host name"),
        ("a..", "no host name"),
    ] {
        let wrong = HttpGrant::parse(text).expect_err(text);
        let mut findings = Vec::new();
        wrong.report(&crate::finding::Place::whole("x.toml".as_ref()), "grants.http", &mut findings);
        assert!(findings[0].message.contains(why), "{text}: {}", findings[0].message);
        assert!(findings[0].remedy.contains("api.example.com"), "{text}");
    }
}

#[test]
fn a_grant_covers_what_it_names_and_nothing_else() {
    use HttpScheme::{Http, Https};
    for (text, scheme, host, port, covered) in [
        ("api.example.com", Https, "api.example.com", 443, true),
        ("api.example.com", Http, "API.example.com.", 80, true),
        ("api.example.com", Https, "api.example.com", 8443, false),
        ("api.example.com", Http, "api.example.com", 443, false),
        ("api.example.com", Https, "evil.api.example.com", 443, false),
        ("api.example.com", Https, "api.example.com.evil.org", 443, false),
        ("*.example.org:8443", Https, "a.b.example.org", 8443, true),
        ("*.example.org:8443", Https, "example.org", 8443, false),
        ("*.example.org", Https, "notexample.org", 443, false),
        ("*.example.org", Https, ".example.org", 443, false),
        ("https://a.example", Http, "a.example", 80, false),
        ("http://127.0.0.1:9000", Http, "127.0.0.1", 9000, true),
        ("http://127.0.0.1:9000", Http, "0x7f.1", 9000, true),
        ("http://127.0.0.1:9000", Http, "localhost", 9000, false),
        ("[::1]:9000", Http, "[::1]", 9000, true),
        ("[::1]:9000", Http, "::1", 9000, true),
        ("*", Https, "a.example", 443, true),
        ("*", Https, "8.8.8.8", 443, true),
        ("*", Https, "127.0.0.1", 443, false),
        ("*", Https, "2130706433", 443, false),
        ("*", Https, "[::ffff:127.0.0.1]", 443, false),
        ("*", Https, "not a host", 443, false),
    ] {
        assert_eq!(grant(text).matches(scheme, host, port), covered, "{text} for {host}:{port}");
    }
}

#[test]
fn private_addresses_open_only_when_named_literally() {
    use HttpScheme::Http;
    let allows = |text: &str, host: &str, address: &str| {
        Grants { http: vec![grant(text)], ..Grants::default() }.allows_http_address(
            Http,
            host,
            80,
            address.parse().expect("an address"),
        )
    };
    assert!(allows("api.example.com", "api.example.com", "93.184.216.34"));
    assert!(!allows("api.example.com", "api.example.com", "10.0.0.1"), "a public name pointed inside");
    assert!(!allows("api.example.com", "api.example.com", "::ffff:10.0.0.1"));
    assert!(!allows("*", "a.example", "169.254.169.254"), "cloud metadata");
    assert!(!allows("*", "a.example", "::1"));
    assert!(allows("10.0.0.1", "10.0.0.1", "10.0.0.1"));
    assert!(!allows("10.0.0.1", "10.0.0.1", "10.0.0.2"));
    assert!(allows("localhost", "localhost", "127.0.0.1"));
    assert!(allows("localhost", "localhost", "::1"));
    assert!(!allows("localhost", "localhost", "10.0.0.1"));
    assert!(!Grants::default().allows_http(Http, "a.example", 80), "no grant, no request");
}

#[test]
fn public_addresses_are_told_from_others() {
    for (address, public) in [
        ("1.1.1.1", true),
        ("192.0.1.1", true),
        ("100.63.0.1", true),
        ("100.128.0.1", true),
        ("2606:4700:4700::1111", true),
        ("2001:4860:4860::8888", true),
        ("64:ff9b::1.1.1.1", true),
        ("2002:101:101::1", true),
        ("0.0.0.0", false),
        ("0.1.2.3", false),
        ("10.1.2.3", false),
        ("172.16.0.1", false),
        ("192.168.1.1", false),
        ("127.0.0.1", false),
        ("169.254.169.254", false),
        ("100.64.0.1", false),
        ("192.0.0.1", false),
        ("192.0.2.1", false),
        ("198.18.0.1", false),
        ("198.51.100.1", false),
        ("203.0.113.1", false),
        ("192.88.99.1", false),
        ("224.0.0.1", false),
        ("240.0.0.1", false),
        ("255.255.255.255", false),
        ("::", false),
        ("::1", false),
        ("::7f00:1", false),
        ("fe80::1", false),
        ("fc00::1", false),
        ("fd12::1", false),
        ("ff02::1", false),
        ("2001::1", false),
        ("2001:db8::1", false),
        ("3fff::1", false),
        ("64:ff9b::10.0.0.1", false),
        ("64:ff9b:1::1", false),
        ("2002:a00:1::1", false),
        ("::ffff:192.168.0.1", false),
    ] {
        assert_eq!(is_public_address(address.parse().expect(address)), public, "{address}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_what_parses_reads_back(text in r"(https?://)?[a-z0-9.*:\[\]@/ä_-]{0,24}") {
        if let Ok(grant) = HttpGrant::parse(&text) {
            prop_assert_eq!(HttpGrant::parse(&grant.to_string()).ok(), Some(grant));
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in r"\PC{0,30}", port: u16) {
        let _ = HttpGrant::parse(&text);
        let _ = grant("*.example.org").matches(HttpScheme::Http, &text, port);
    }
}
