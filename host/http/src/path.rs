//! The request target: one strict percent-decoding of the path, one lenient reading of the query
//! (wire protocol §1.3, §1.6).
//!
//! The path is decoded exactly once, before any routing, so that nothing behind this module ever
//! sees an encoded separator; a path that has nothing to decode is borrowed, not copied. A query is
//! read as browsers write it and never fails: what is not an escape stays as it is.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Decodes a request path. `None` for a bad escape or bytes that are not UTF-8 (400 `Bad Request`).
pub(crate) fn decode_path(raw: &str) -> Option<Cow<'_, str>> {
    let bytes = raw.as_bytes();
    let Some(first) = bytes.iter().position(|byte| *byte == b'%') else {
        return Some(Cow::Borrowed(raw));
    };
    let mut decoded = Vec::with_capacity(bytes.len());
    decoded.extend_from_slice(&bytes[..first]);
    let mut at = first;
    while at < bytes.len() {
        if bytes[at] == b'%' {
            let high = hex(*bytes.get(at + 1)?)?;
            let low = hex(*bytes.get(at + 2)?)?;
            decoded.push(high << 4 | low);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The pairs of a query string or a form body, in order, decoded as
/// `application/x-www-form-urlencoded`: `+` is a space, a broken escape stays as written, bytes that
/// are not UTF-8 become replacement characters.
pub(crate) fn pairs(encoded: &[u8]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    encoded.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).map(|pair| {
        match pair.iter().position(|byte| *byte == b'=') {
            Some(at) => (decode_form(&pair[..at]), decode_form(&pair[at + 1..])),
            None => (decode_form(pair), Cow::Borrowed("")),
        }
    })
}

fn decode_form(raw: &[u8]) -> Cow<'_, str> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return String::from_utf8_lossy(raw);
    }
    let spaced: Vec<u8> = raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded: Vec<u8> = percent_decode(&spaced).collect();
    Cow::Owned(match String::from_utf8(decoded) {
        Ok(text) => text,
        Err(bad) => String::from_utf8_lossy(bad.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_is_decoded_once_and_strictly() {
        let cases: &[(&str, Option<&str>)] = &[
            ("/api/a/b/v1", Some("/api/a/b/v1")),
            ("/auth%2Flogout", Some("/auth/logout")),
            ("/a%252Fb", Some("/a%2Fb")),
            ("/%C3%A4", Some("/ä")),
            ("/a+b", Some("/a+b")),
            ("/%", None),
            ("/%2", None),
            ("/%zz", None),
            ("/%C3", None),
            ("/%ED%A0%80", None),
            ("", Some("")),
        ];
        for (raw, expected) in cases {
            assert_eq!(decode_path(raw).as_deref(), *expected, "{raw}");
        }
        assert!(matches!(decode_path("/plain"), Some(Cow::Borrowed(_))));
    }

    #[test]
    fn a_query_is_read_leniently() {
        let seen: Vec<(String, String)> = pairs(b"a=1&b&=x&&c=a+b%20c&d=%zz&e=%ff&a=2=3")
            .map(|(key, value)| (key.into_owned(), value.into_owned()))
            .collect();
        let expected =
            [("a", "1"), ("b", ""), ("", "x"), ("c", "a b c"), ("d", "%zz"), ("e", "\u{fffd}"), ("a", "2=3")];
        assert_eq!(seen, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }

    proptest! {
        #[test]
        fn every_encoded_path_decodes_to_itself(path in "/[^\u{0}]{0,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC).to_string();
            let decoded = decode_path(&encoded);
            prop_assert_eq!(decoded.as_deref(), Some(path.as_str()));
        }

        #[test]
        fn no_path_and_no_query_panics(raw in ".{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = decode_path(&raw);
            prop_assert!(pairs(&bytes).count() <= bytes.len());
        }
    }
}
