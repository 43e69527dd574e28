//! The opening handshake (§4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Version};

/// Appended to the client's key (§1.3).
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is not upgraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another method than GET.
    #[error("a WebSocket is opened with GET")]
    Method,
    /// HTTP/1.0, or a version that has no upgrades.
    #[error("a WebSocket is opened over HTTP/1.1")]
    HttpVersion,
    /// `Connection` or `Upgrade` do not ask for it.
    #[error("the request does not ask for an upgrade to websocket")]
    NoUpgrade,
    /// Another protocol version: the answer is 426 with `Sec-WebSocket-Version: 13`.
    #[error("only version 13 of the WebSocket protocol is spoken")]
    Version,
    /// The key is not 16 bytes as base64.
    #[error("Sec-WebSocket-Key is not 16 bytes as base64")]
    Key,
}

/// Checks a request to open a WebSocket; the answer's `Sec-WebSocket-Accept`.
///
/// # Errors
/// It does not ask for a WebSocket, or not well.
pub fn accept(method: &Method, version: Version, headers: &HeaderMap) -> Result<HeaderValue, Refused> {
    if method != Method::GET {
        return Err(Refused::Method);
    }
    if version != Version::HTTP_11 {
        return Err(Refused::HttpVersion);
    }
    if !has_token(headers, header::CONNECTION, "upgrade") || !has_token(headers, header::UPGRADE, "websocket")
    {
        return Err(Refused::NoUpgrade);
    }
    match single(headers, header::SEC_WEBSOCKET_VERSION) {
        Some(version) if version == "13" => {}
        _ => return Err(Refused::Version),
    }
    let key = single(headers, header::SEC_WEBSOCKET_KEY).ok_or(Refused::Key)?.as_bytes().trim_ascii();
    match STANDARD.decode(key) {
        Ok(nonce) if nonce.len() == 16 => {}
        _ => return Err(Refused::Key),
    }
    HeaderValue::try_from(accept_key(key)).map_err(|_| Refused::Key)
}

/// The server's proof that it has read the key.
fn accept_key(key: &[u8]) -> String {
    let mut sha1 = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    sha1.update(key);
    sha1.update(GUID);
    STANDARD.encode(sha1.finish())
}

fn single(headers: &HeaderMap, name: HeaderName) -> Option<&HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

fn has_token(headers: &HeaderMap, name: HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
