//! A handshake as other hosts are shown it: the members that Node has, of which its apps read
//! `headers.cookie`, `headers["accept-language"]` and `auth.token` without looking whether they are there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

use percent_encoding::percent_decode;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::dates;
use crate::Handshake;

#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    headers: Headers<'a>,
    time: String,
    address: &'a str,
    /// Whether a page of another origin may have sent it; Node says so of all that name one.
    xdomain: bool,
    secure: bool,
    issued: i64,
    url: &'a str,
    query: BTreeMap<Cow<'a, str>, Cow<'a, str>>,
    auth: Auth<'a>,
}

struct Headers<'a>(&'a Handshake);

/// Always an object.
enum Auth<'a> {
    Given(&'a RawValue),
    None,
}

impl<'a> Shown<'a> {
    pub(super) fn of(handshake: &'a Handshake) -> Self {
        let issued = handshake.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let issued = i64::try_from(issued.as_millis()).unwrap_or(0);
        Self {
            headers: Headers(handshake),
            time: dates::shown(issued),
            address: &handshake.ip,
            xdomain: handshake.header(&http::header::ORIGIN).is_some(),
            secure: handshake.secure,
            issued,
            url: &handshake.url,
            query: query(&handshake.url),
            auth: Auth::of(&handshake.auth),
        }
    }
}

impl<'a> Auth<'a> {
    fn of(json: &'a [u8]) -> Self {
        match serde_json::from_slice::<&RawValue>(json) {
            Ok(raw) if raw.get().starts_with('{') => Auth::Given(raw),
            _ => Auth::None,
        }
    }
}

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.headers.iter().map(|(name, value)| (name.as_str(), value)))
    }
}

impl Serialize for Auth<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Auth::Given(raw) => raw.serialize(serializer),
            Auth::None => serializer.collect_map::<(), (), _>([]),
        }
    }
}

// Cookies and tokens are in there.
impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Headers")
    }
}

impl std::fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

/// The last of several that have one name, as in Node.
fn query(url: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, str>> {
    let Some((_, query)) = url.split_once('?') else { return BTreeMap::new() };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(percent_decode(spaced.as_bytes()).decode_utf8_lossy().into_owned())
}
