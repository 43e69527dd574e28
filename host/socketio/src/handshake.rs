//! What a client said of itself when it connected; kept for as long as it stays.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};

/// Headers that somebody asks for.
const KEPT: [HeaderName; 6] = [
    header::COOKIE,
    header::ACCEPT_LANGUAGE,
    HeaderName::from_static("x-language"),
    header::ORIGIN,
    header::USER_AGENT,
    HeaderName::from_static("traceparent"),
];

/// How a socket came to be.
#[derive(Clone)]
pub struct Handshake {
    /// Address of the client, after trusted proxies.
    pub ip: Arc<str>,
    /// Whether the connection is encrypted.
    pub secure: bool,
    /// When the namespace was joined.
    pub time: SystemTime,
    /// The `auth` object that came with joining, JSON text; `{}` without one.
    pub auth: Bytes,
    /// Path and query of the first request.
    pub url: Box<str>,
    pub(crate) headers: Arc<[(HeaderName, Box<str>)]>,
}

/// What is known of a client before it joins.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) ip: Arc<str>,
    secure: bool,
    url: Box<str>,
    headers: Arc<[(HeaderName, Box<str>)]>,
}

impl Handshake {
    /// A header of the first request: those that somebody asks for are kept (`cookie`, `accept-language`,
    /// `x-language`, `origin`, `user-agent`, `traceparent`).
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.iter().find(|(kept, _)| kept == name).map(|(_, value)| &**value)
    }
}

impl Client {
    pub(crate) fn new(ip: Arc<str>, secure: bool, uri: &http::Uri, headers: &HeaderMap) -> Client {
        let kept = KEPT.into_iter().filter_map(|name| {
            // HTTP/2 clients may send a header for each cookie.
            let separator = if name == header::COOKIE { "; " } else { ", " };
            let values: Vec<_> = headers
                .get_all(&name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            (!values.is_empty()).then(|| (name, values.join(separator).into_boxed_str()))
        });
        let url = uri.path_and_query().map_or_else(|| uri.path(), |all| all.as_str());
        Client { ip, secure, url: url.into(), headers: kept.collect() }
    }

    /// It joins now, with `auth`.
    pub(crate) fn join(&self, auth: Option<Bytes>) -> Handshake {
        Handshake {
            ip: Arc::clone(&self.ip),
            secure: self.secure,
            time: SystemTime::now(),
            auth: auth.unwrap_or(Bytes::from_static(b"{}")),
            url: self.url.clone(),
            headers: Arc::clone(&self.headers),
        }
    }
}

/// Without what may be secret.
impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("Handshake")
            .field("ip", &self.ip)
            .field("secure", &self.secure)
            .field("time", &self.time)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}
