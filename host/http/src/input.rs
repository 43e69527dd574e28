//! A request's body or query as the one JSON object that a call takes (wire protocol §1.6).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use http_body::Body;
use http_body_util::BodyExt;
use luckystack_pipeline::json::{flat_object, object_members};
use luckystack_topology::Method;
use serde_json::{Map, Value};

use crate::answer::{Answer, BODY_TIMEOUT, INVALID_FORMAT, PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE};
use crate::path::pairs;

/// A key whose string holds the whole input as JSON, so that types survive a query.
const WRAPPED: &str = "__luckystack_data";
/// A key that asks for streaming and is never input.
const STREAM: &str = "stream";
const NOTHING: &[u8] = b"{}";

/// What a body is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MediaType {
    Json,
    Form,
}

/// Why there is no input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InputError {
    /// Not a JSON object.
    Format,
    /// Neither JSON nor a form.
    Media,
    /// More bytes than allowed.
    TooLarge,
    /// The client did not send it in time.
    Slow,
    /// The client broke off, or broke the rules of HTTP.
    Broken,
}

impl From<InputError> for Answer {
    fn from(error: InputError) -> Self {
        match error {
            InputError::Format => INVALID_FORMAT.into(),
            InputError::Media => UNSUPPORTED_MEDIA_TYPE.into(),
            InputError::TooLarge => Answer::from(PAYLOAD_TOO_LARGE).closing(),
            InputError::Slow => Answer::from(BODY_TIMEOUT).closing(),
            InputError::Broken => Answer::from(INVALID_FORMAT).closing(),
        }
    }
}

/// What the body is said to be: a case-sensitive prefix test on the raw header.
pub(crate) fn media_type(headers: &HeaderMap) -> Result<MediaType, InputError> {
    let said = headers.get(CONTENT_TYPE).map_or(&[][..], HeaderValue::as_bytes);
    if said.starts_with(b"application/json") {
        Ok(MediaType::Json)
    } else if said.starts_with(b"application/x-www-form-urlencoded") {
        Ok(MediaType::Form)
    } else {
        Err(InputError::Media)
    }
}

/// Reads a whole body of at most `limit` bytes within `patience`.
pub(crate) async fn read_body<B>(
    headers: &HeaderMap,
    body: B,
    limit: u64,
    patience: Duration,
) -> Result<Bytes, InputError>
where
    B: Body<Data = Bytes> + Unpin,
{
    // What is announced is refused before a byte of it is asked for.
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(InputError::TooLarge);
    }
    // The timer is armed only when the body is not there yet.
    tokio::time::timeout(patience, collect(body, limit)).await.unwrap_or(Err(InputError::Slow))
}

/// A body that arrived in one piece, as most do, is not copied.
async fn collect<B>(mut body: B, limit: u64) -> Result<Bytes, InputError>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| InputError::Broken)?.into_data() else { continue };
        if (first.len() + rest.len() + data.len()) as u64 > limit {
            return Err(InputError::TooLarge);
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
        } else {
            if rest.is_empty() {
                rest.extend_from_slice(&first);
                first = Bytes::new();
            }
            rest.extend_from_slice(&data);
        }
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Checks a body that no call takes, as the shared steps of the protocol do before any route.
pub(crate) fn check_body(media: MediaType, body: &Bytes) -> Result<(), InputError> {
    match media {
        MediaType::Json if !body.is_empty() => {
            object_members(body).map(|_| ()).map_err(|_| InputError::Format)
        }
        MediaType::Json | MediaType::Form => Ok(()),
    }
}

/// The input of an API call from its body.
pub(crate) fn api_body(media: MediaType, body: Bytes) -> Result<Bytes, InputError> {
    match media {
        MediaType::Json if body.is_empty() => Ok(Bytes::from_static(NOTHING)),
        MediaType::Json => unwrap(body),
        MediaType::Form => unwrap(Bytes::from(flat_object(pairs(&body)))),
    }
}

/// The input of an API call from its query.
pub(crate) fn api_query(query: Option<&str>) -> Result<Bytes, InputError> {
    match query {
        None | Some("") => Ok(Bytes::from_static(NOTHING)),
        Some(query) => unwrap(Bytes::from(flat_object(pairs(query.as_bytes())))),
    }
}

/// A checked body or, for GET, the query as an object, for the framework's own routes. Of a key that comes
/// twice the last counts.
pub(crate) fn fields(
    headers: &HeaderMap,
    query: Option<&str>,
    method: Method,
    body: &Bytes,
) -> Map<String, Value> {
    let flat = |encoded: &[u8]| {
        pairs(encoded).map(|(key, value)| (key.into_owned(), Value::String(value.into_owned()))).collect()
    };
    if method == Method::Get {
        return flat(query.unwrap_or_default().as_bytes());
    }
    match media_type(headers) {
        Ok(MediaType::Form) => flat(body),
        _ => serde_json::from_slice(body).unwrap_or_default(),
    }
}

/// A checked body as JSON text of an object.
pub(crate) fn object(headers: &HeaderMap, body: Bytes) -> Bytes {
    match media_type(headers) {
        _ if body.is_empty() => Bytes::from_static(NOTHING),
        Ok(MediaType::Form) => flat_object(pairs(&body)).into(),
        _ => body,
    }
}

/// Whether the query asks for streaming (§3.6).
pub(crate) fn wants_stream(query: Option<&str>, param: &str, enabled: &str) -> bool {
    let Some(query) = query else { return false };
    pairs(query.as_bytes())
        .filter(|(key, _)| key == param)
        .last()
        .is_some_and(|(_, value)| value == enabled || value == "1")
}

/// Replaces the object by what its key `__luckystack_data` wraps, and takes the key `stream` out.
fn unwrap(object: Bytes) -> Result<Bytes, InputError> {
    let members = object_members(&object).map_err(|_| InputError::Format)?;
    if let Some(wrapped) = members.get(WRAPPED).and_then(|member| member.as_str()) {
        let inner = object_members(wrapped.as_bytes()).map_err(|_| InputError::Format)?;
        let inner = inner.without(STREAM).unwrap_or_else(|| wrapped.as_bytes().to_vec());
        return Ok(Bytes::from(inner));
    }
    let without = members.without(STREAM);
    drop(members);
    Ok(without.map_or(object, Bytes::from))
}

#[cfg(test)]
mod tests;
