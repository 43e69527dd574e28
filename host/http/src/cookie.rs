//! Cookies: reading what browsers send, writing what they keep (wire protocol §2.2, §5.4).
//!
//! The rule: whatever a value holds, it ends up as one cookie value. Everything that is not a cookie
//! octet of RFC 6265 is percent-encoded, so nothing can add an attribute or a header.

use std::borrow::Cow;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use luckystack_topology::CookieConfig;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What cannot stand in a cookie value as it is (RFC 6265 §4.1.1), and the escape itself.
const ESCAPED: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b',').add(b';').add(b'\\');

/// The browser's proof that a login began in it (§5.6).
pub(crate) const OAUTH_STATE: &str = "ls-oauth-state";
/// The double-submit cookie of a host without login (§5.9).
pub(crate) const CSRF: &str = "csrf-token";
/// It lives for a day.
const CSRF_LIFE: u64 = 86_400;

/// The first cookie of that name with a value: percent-decoded, raw where that fails.
pub(crate) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<Cow<'h, str>> {
    luckystack_sessions::cookie::find(
        headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok()),
        name,
    )
}

/// Writes the cookies of one host.
#[derive(Debug, Clone)]
pub(crate) struct Cookies {
    name: String,
    /// `; HttpOnly; SameSite=…; Path=…; Max-Age=`
    attributes: String,
    life: u64,
    /// `Secure;` or nothing.
    secure: &'static str,
}

impl Cookies {
    pub(crate) fn new(config: &CookieConfig, life: Duration, secure: bool) -> Self {
        Self {
            name: config.name.clone(),
            attributes: format!(
                "; HttpOnly; SameSite={}; Path={}; Max-Age=",
                config.same_site.as_str(),
                config.path
            ),
            life: life.as_secs(),
            secure: if secure { "Secure;" } else { "" },
        }
    }

    /// Name of the session cookie.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The session cookie with this token, for as long as a session lives.
    pub(crate) fn session(&self, token: &str) -> Option<HeaderValue> {
        self.write(&self.name, token, &self.attributes, self.life)
    }

    /// Takes the session cookie away.
    pub(crate) fn no_session(&self) -> Option<HeaderValue> {
        self.write(&self.name, "", &self.attributes, 0)
    }

    /// `ls-oauth-state` with this nonce; an empty one takes it away.
    pub(crate) fn oauth_state(&self, nonce: &str, life: Duration) -> Option<HeaderValue> {
        let life = if nonce.is_empty() { 0 } else { life.as_secs() };
        let secure = if self.secure.is_empty() { "" } else { " Secure;" };
        let cookie = format!(
            "{OAUTH_STATE}={}; Path=/; HttpOnly;{secure} SameSite=Lax; Max-Age={life}",
            utf8_percent_encode(nonce, ESCAPED)
        );
        HeaderValue::try_from(cookie).ok()
    }

    /// The double-submit cookie, which scripts of the page must be able to read.
    pub(crate) fn csrf(&self, token: &str) -> Option<HeaderValue> {
        let secure = if self.secure.is_empty() { "" } else { "; Secure" };
        let cookie = format!(
            "{CSRF}={}; SameSite=Lax; Path=/; Max-Age={CSRF_LIFE}{secure}",
            utf8_percent_encode(token, ESCAPED)
        );
        HeaderValue::try_from(cookie).ok()
    }

    fn write(&self, name: &str, value: &str, attributes: &str, life: u64) -> Option<HeaderValue> {
        use std::fmt::Write;
        let mut cookie = String::with_capacity(name.len() + value.len() + attributes.len() + 24);
        // Writing to a string cannot fail.
        let _ = write!(
            cookie,
            "{name}={}{attributes}{life}; {}",
            utf8_percent_encode(value, ESCAPED),
            self.secure
        );
        HeaderValue::try_from(cookie).ok()
    }
}

#[cfg(test)]
mod tests {
    use luckystack_topology::SameSite;
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn cookies(secure: bool) -> Cookies {
        Cookies::new(&CookieConfig::default(), Duration::from_secs(604_800), secure)
    }

    #[test]
    fn the_first_cookie_with_a_value_counts() {
        for (lines, value) in [
            (&["token=abc"][..], Some("abc")),
            (&["a=1; token=abc; token=def"], Some("abc")),
            (&["a=1", "b=2; token=abc"], Some("abc")),
            (&["token=; token=x"], Some("x")),
            (&["token=a%20b"], Some("a b")),
            (&["token=%ff"], Some("%ff")),
            (&["token=a=b"], Some("a=b")),
            (&["Token=abc"], None),
            (&["mytoken=abc"], None),
            (&["token"], None),
            (&[], None),
        ] {
            assert_eq!(read(&headers(lines), "token").as_deref(), value, "{lines:?}");
        }
    }

    #[test]
    fn cookies_are_written_as_the_protocol_prescribes() {
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(cookies(false).session("abc")),
            "token=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; "
        );
        assert_eq!(
            text(cookies(true).session("abc")),
            "token=abc; HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; Secure;"
        );
        assert_eq!(
            text(cookies(false).no_session()),
            "token=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0; "
        );
        assert_eq!(
            text(cookies(true).oauth_state("n", Duration::from_secs(600))),
            "ls-oauth-state=n; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=600"
        );
        assert_eq!(
            text(cookies(false).oauth_state("", Duration::from_secs(600))),
            "ls-oauth-state=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        assert_eq!(text(cookies(false).csrf("c")), "csrf-token=c; SameSite=Lax; Path=/; Max-Age=86400");
        let lax = CookieConfig { same_site: SameSite::Lax, path: "/app".into(), ..CookieConfig::default() };
        let lax = Cookies::new(&lax, Duration::from_secs(1), false);
        assert_eq!(text(lax.session("t")), "token=t; HttpOnly; SameSite=Lax; Path=/app; Max-Age=1; ");
    }

    proptest! {
        /// Nothing in a token can end the cookie's value, and a browser's answer brings it back.
        #[test]
        fn a_token_is_one_value_whatever_it_holds(token in "\\PC{1,40}|[\\x00-\\x7f]{1,40}") {
            let written = cookies(false).session(&token).unwrap();
            let written = written.to_str().unwrap();
            let (value, rest) = written.split_once(';').unwrap();
            prop_assert_eq!(rest, " HttpOnly; SameSite=Strict; Path=/; Max-Age=604800; ");
            let read_back = headers(&[value]);
            let read_back = read(&read_back, "token");
            prop_assert_eq!(read_back.as_deref(), Some(&*token));
        }
    }
}
