//! Where a browser goes after an OAuth login (§5.6).
//!
//! The rule: **what is judged is what is sent.** A `return_url` is read the way browsers read it, judged by
//! what came of that, and the reading is sent, not the text.

use percent_encoding::percent_decode_str;
use url::{Origin, Url};

use crate::settings::Settings;

/// Longest `return_url` that is looked at.
pub(crate) const MAX_BYTES: usize = 2048;
/// Text that still hides something after this many decodings is refused.
const DECODINGS: usize = 4;

/// The target: `return_url` when it is a page of the same origin or of an allowed one, else the page that
/// logins end at. Without a fragment.
pub(crate) fn target(
    return_url: Option<&str>,
    settings: &Settings,
    may_return_to: impl Fn(&str) -> bool,
) -> String {
    if let Some(judged) = return_url.and_then(|url| judge(url, may_return_to)) {
        return judged;
    }
    let page = settings.app.login_redirect_url.split('#').next().unwrap_or("/");
    format!("{}{page}", settings.app.public_url.as_deref().unwrap_or_default())
}

/// The address as it may be sent, if it may.
pub(crate) fn judge(url: &str, may_return_to: impl Fn(&str) -> bool) -> Option<String> {
    if url.is_empty() || url.len() > MAX_BYTES || !url.chars().all(is_plain) {
        return None;
    }
    if url.starts_with('/') { page(url) } else { elsewhere(url, may_return_to) }
}

/// Browsers drop or turn into something else what is not plain: control characters, spaces, backslashes.
fn is_plain(character: char) -> bool {
    !character.is_control() && !character.is_whitespace() && character != '\\'
}

/// A page of the origin that the browser is at.
fn page(path: &str) -> Option<String> {
    // Any origin does to read the path by.
    let here = Url::parse("http://here.invalid/").ok()?;
    let stays = |path: &str| {
        let read = here.join(path).ok()?;
        let is_here = read.origin() == here.origin() && !read.path().starts_with("//");
        (is_here && !path.starts_with("//")).then_some(read)
    };
    let read = stays(path)?;
    // Whoever decodes once more than he should (a proxy, the front end's router) finds no other origin
    // either. Only the path says where: a query may hold any text.
    let mut location = path.split(['?', '#']).next().unwrap_or_default().to_owned();
    let mut decodings = 0;
    loop {
        let once_more = percent_decode_str(&location).decode_utf8().ok()?.into_owned();
        if once_more == location {
            break;
        }
        let is_harmless = !once_more.contains(|character: char| character.is_control() || character == '\\');
        decodings += 1;
        if !is_harmless || decodings > DECODINGS {
            return None;
        }
        stays(&once_more)?;
        location = once_more;
    }
    let query = read.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{}{query}", read.path()))
}

/// A page of an allowed origin.
fn elsewhere(url: &str, may_return_to: impl Fn(&str) -> bool) -> Option<String> {
    // Without slashes it would be a page of the same origin to a browser, and another origin here.
    let scheme = url.split_once("://")?.0;
    if !["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) {
        return None;
    }
    let mut url = Url::parse(url).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let origin = url.origin();
    if !matches!(origin, Origin::Tuple(..)) || !may_return_to(&origin.ascii_serialization()) {
        return None;
    }
    url.set_fragment(None);
    Some(url.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::judge;

    const HERE: &str = "https://app.example.com/auth/callback/google";
    const ALLOWED: &str = "https://shop.example.com";

    fn judged(url: &str) -> Option<String> {
        judge(url, |origin| origin == ALLOWED)
    }

    #[test]
    fn pages_of_the_app_and_of_allowed_origins_pass() {
        for (url, sent) in [
            ("/", "/"),
            ("/settings", "/settings"),
            ("/settings?tab=2&next=%2F%2Fx#top", "/settings?tab=2&next=%2F%2Fx"),
            ("/a/../b", "/b"),
            ("/über", "/%C3%BCber"),
            ("/files/a%20b", "/files/a%20b"),
            ("https://shop.example.com", "https://shop.example.com/"),
            ("https://shop.example.com:443/cart?x=1#y", "https://shop.example.com/cart?x=1"),
            ("HTTPS://SHOP.example.com/Cart", "https://shop.example.com/Cart"),
        ] {
            assert_eq!(judged(url).as_deref(), Some(sent), "{url}");
        }
    }

    #[test]
    fn tricks_do_not_pass() {
        for url in [
            "",
            "settings",
            "//evil.com",
            "///evil.com",
            "/\\evil.com",
            "\\\\evil.com",
            "/\t/evil.com",
            "/\n/evil.com",
            " //evil.com",
            "/%2Fevil.com",
            "/%2f%2fevil.com",
            "/%5Cevil.com",
            "/%255Cevil.com",
            "/%25252Fevil.com",
            "/%09/evil.com",
            "/%0d%0aSet-Cookie:x",
            "/..//evil.com",
            "/.//evil.com",
            "/a/..//evil.com",
            "https:shop.example.com",
            "https:/shop.example.com",
            "https:evil.com",
            "https:/evil.com",
            "https://evil.com",
            "https://shop.example.com@evil.com",
            "https://shop.example.com:x@evil.com",
            "https://shop.example.com.evil.com",
            "https://user@shop.example.com/",
            "http://shop.example.com",
            "https://shop.example.com:8443",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://shop.example.com",
            "blob:https://shop.example.com/x",
        ] {
            assert_eq!(judged(url), None, "{url:?}");
        }
        assert_eq!(judged(&format!("/{}", "a".repeat(3000))), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// A browser at the callback that is sent what passed stays at the app or goes to the allowed origin,
        /// and so does one that decodes once more.
        #[test]
        fn no_url_leads_to_a_foreign_origin(
            url in "(/|//|/\\\\|https?:|https?:/{1,3}|[\t\n ]|){1,3}(%2[fF]|%5[cC]|%25|%09|/|\\\\|\\.|\\.\\.|@|:|;|\\?|#|evil\\.com|shop\\.example\\.com|[a-z]|\t|\n|\u{3002}|\u{ff0f}){0,12}"
        ) {
            if let Some(sent) = judged(&url) {
                let here = Url::parse(HERE).unwrap();
                let ends = here.join(&sent).unwrap();
                let origin = ends.origin().ascii_serialization();
                prop_assert!(origin == "https://app.example.com" || origin == ALLOWED, "{url:?} leads to {ends}");
                prop_assert!(ends.username().is_empty() && ends.fragment().is_none());
                prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic()), "{sent:?} can stand in a header");
                // Sent as it was written, it would not lead elsewhere either.
                let raw = here.join(&url).unwrap().origin().ascii_serialization();
                prop_assert_eq!(raw, origin);
                if sent.starts_with('/') {
                    let path = sent.split('?').next().unwrap();
                    let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
                    let ends = here.join(&decoded).unwrap().origin().ascii_serialization();
                    prop_assert_eq!(ends, "https://app.example.com");
                }
            }
        }
    }
}
