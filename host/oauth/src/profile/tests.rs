use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{MAX_EMAIL, MAX_NAME, of_claims, picture, plausible, shown};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[test]
fn emails_are_trimmed_lowered_and_plausible() {
    for (written, email) in [
        (" Jane@Example.COM\n", "jane@example.com"),
        ("jané@exämple.com", "jané@exämple.com"),
        ("JANÉ@example.com", "jané@example.com"),
        ("a+b.c@d.example", "a+b.c@d.example"),
    ] {
        assert_eq!(plausible(written).as_deref(), Some(email));
    }
    for other in [
        "",
        "jane",
        "@example.com",
        "jane@",
        "jane@localhost",
        "jane@.com",
        "jane@example.",
        "jane@exa..mple",
        "a@b@example.com",
        "ja ne@example.com",
        "jane@example.com\r\nbcc: x@example.com",
        "<jane@example.com>",
        "a@example.com,b@example.com",
        // The Kelvin sign and the dotted I turn into plain letters.
        "mi\u{212a}e@example.com",
        "\u{130}@example.com",
        &format!("{}@example.com", "x".repeat(MAX_EMAIL)),
    ] {
        assert_eq!(plausible(other), None, "{other}");
    }
}

#[test]
fn names_are_cut_and_do_not_steer() {
    assert_eq!(shown("  Jane\u{0}\r\n\u{1b}[2JDoe\u{202e} "), "Jane[2JDoe");
    assert_eq!(shown("Zoë Ünal 花子"), "Zoë Ünal 花子");
    assert_eq!(shown(&"ü".repeat(1000)).chars().count(), MAX_NAME);
}

#[test]
fn pictures_are_web_addresses_or_images() {
    for good in ["https://a.example/x.png?s=1", "http://a.example/", "data:image/png;base64,iVBO"] {
        assert_eq!(picture(good).as_deref(), Some(good));
    }
    assert_eq!(
        picture("https://a.example/\"><script>").as_deref(),
        Some("https://a.example/%22%3E%3Cscript%3E")
    );
    for bad in [
        "",
        "javascript:alert(1)",
        "//a.example/x.png",
        "/x.png",
        "ftp://a.example/x.png",
        "https://user:password@a.example/",
        "data:text/html;base64,iVBO",
        "data:image/png,<svg>",
        "data:image/png\";base64,iVBO",
        "data:image/png;base64,\"onerror=",
        "DATA:image/png;base64,iVBO",
        &format!("https://a.example/{}", "x".repeat(2048)),
        &format!("data:image/png;base64,{}", "A".repeat(300_000)),
    ] {
        assert_eq!(picture(bad), None, "{bad}");
    }
}

#[test]
fn an_email_and_its_flag_come_from_the_same_place() {
    let token = || map(json!({"sub": "1", "email": "token@example.com", "email_verified": true}));
    let profile = |userinfo: Value| of_claims("p", token(), Some(map(userinfo))).unwrap();
    let other = profile(json!({"sub": "1", "email": "info@example.com"}));
    assert_eq!((&*other.email, other.email_verified), ("info@example.com", false));
    let flag = profile(json!({"sub": "1", "email_verified": false, "name": "Jane"}));
    assert_eq!((&*flag.email, flag.email_verified, &*flag.name), ("token@example.com", true, "Jane"));
    assert_eq!(profile(json!({"sub": "2"})).subject, "1", "the token says who it is");
}

proptest! {
    #[test]
    fn what_was_made_fit_stays_as_it_is(text in "\\PC{0,40}|[a-z]{1,8}@[A-Z]{1,8}\\.[a-zA-Z]{2,3}") {
        if let Some(email) = plausible(&text) {
            prop_assert_eq!(plausible(&email), Some(email.clone()));
            prop_assert!(email.contains('@') && !email.contains(char::is_whitespace));
        }
        let name = shown(&text);
        prop_assert_eq!(shown(&name), name.clone());
        if let Some(address) = picture(&text) {
            prop_assert_eq!(picture(&address), Some(address.clone()));
        }
    }
}
