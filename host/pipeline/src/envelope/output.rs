//! From the bytes that a handler returned to what goes on the wire.

use bytes::Bytes;

use super::{Code, ErrorParam, ParamValue, RawError, api, clean_code, usable_status};
use crate::json::{Document, JsonError, Kind, Member, Members, document};

const SUCCESS: &[u8] = b"{\"status\":\"success\"";

/// What an API handler's return becomes.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It returned a success: the whole envelope, status spliced in.
    Success {
        /// The envelope.
        body: Bytes,
        /// Its `httpStatus`.
        http_status: u16,
    },
    /// It returned an error.
    Error(RawError),
}

/// What a handler's return says, its bytes left as they are.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `status` is `success`.
    Success,
    /// `status` is `error`.
    Error(RawError),
}

/// Why a handler's return is no envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeProblem {
    /// Nothing, or `null`.
    #[error("the handler returned nothing; it must return an object with `status: 'success'` or `'error'`")]
    Empty,
    /// No object, or one whose `status` is neither of the two.
    #[error(
        "the handler returned no object with `status: 'success'` or `'error'`; its other keys stand beside `status`"
    )]
    InvalidStatus,
    /// No JSON.
    #[error("the handler returned what is not JSON: {0}")]
    InvalidJson(#[from] JsonError),
}

/// Makes the envelope of an API handler's return (wire protocol §1.7).
///
/// A hot path: the bytes are scanned once and copied once. Keys stand in the order `status`,
/// `httpStatus`, then the handler's own; a `httpStatus` that is no usable status becomes 200.
///
/// ```
/// use luckystack_pipeline::envelope::{Outcome, normalize_success};
/// let Ok(Outcome::Success { body, .. }) = normalize_success(br#"{"status":"success","result":[1]}"#) else {
///     panic!()
/// };
/// assert_eq!(body, &br#"{"status":"success","httpStatus":200,"result":[1]}"#[..]);
/// ```
pub fn normalize_success(output: &[u8]) -> Result<Outcome, EnvelopeProblem> {
    let members = members_of(output)?;
    if let Reply::Error(error) = reply(&members)? {
        return Ok(Outcome::Error(error));
    }
    let http_status = members.get("httpStatus").and_then(status_of).unwrap_or(200);
    let mut body = Vec::with_capacity(output.len() + SUCCESS.len() + 24);
    body.extend_from_slice(SUCCESS);
    super::write_status(&mut body, http_status);
    members.append_where(&mut body, |member| !member.key_is("status") && !member.key_is("httpStatus"));
    body.push(b'}');
    Ok(Outcome::Success { body: body.into(), http_status })
}

/// Checks a handler's return whose bytes go on as they are: a sync server half's, which becomes
/// `serverOutput` whole (wire protocol §4.3).
pub fn read_reply(output: &[u8]) -> Result<Reply, EnvelopeProblem> {
    reply(&members_of(output)?)
}

impl EnvelopeProblem {
    /// The code that an API call answers with.
    pub fn api_code(&self) -> Code {
        match self {
            EnvelopeProblem::Empty => api::EMPTY_RESPONSE,
            EnvelopeProblem::InvalidStatus => api::INVALID_RESPONSE_STATUS,
            EnvelopeProblem::InvalidJson(_) => api::INTERNAL_SERVER_ERROR,
        }
    }
}

fn members_of(output: &[u8]) -> Result<Members<'_>, EnvelopeProblem> {
    if output.trim_ascii().is_empty() {
        return Err(EnvelopeProblem::Empty);
    }
    match document(output)? {
        Document::Object(members) => Ok(members),
        Document::Other(Kind::Null) => Err(EnvelopeProblem::Empty),
        Document::Other(_) => Err(EnvelopeProblem::InvalidStatus),
    }
}

fn reply(members: &Members<'_>) -> Result<Reply, EnvelopeProblem> {
    let status = members.get("status").ok_or(EnvelopeProblem::InvalidStatus)?;
    match (status.value, status.as_str().as_deref()) {
        (b"\"success\"", _) | (_, Some("success")) => Ok(Reply::Success),
        (_, Some("error")) => Ok(Reply::Error(raw_error(members))),
        _ => Err(EnvelopeProblem::InvalidStatus),
    }
}

fn raw_error(members: &Members<'_>) -> RawError {
    RawError {
        code: members.get("errorCode").and_then(Member::as_str).and_then(|code| clean_code(&code)),
        params: members.get("errorParams").and_then(params_of).unwrap_or_default(),
        http_status: members.get("httpStatus").and_then(status_of),
    }
}

/// All parameters, or nothing when one of them is malformed.
fn params_of(member: &Member<'_>) -> Option<Vec<ErrorParam>> {
    let items: Vec<&serde_json::value::RawValue> = serde_json::from_slice(member.value).ok()?;
    items
        .into_iter()
        .map(|item| {
            let Ok(Document::Object(members)) = document(item.get().as_bytes()) else { return None };
            let key = members.get("key")?.as_str()?.into_owned();
            let value = ParamValue::from_json(members.get("value")?.value)?;
            Some(ErrorParam { key: key.into(), value })
        })
        .collect()
}

/// The status that a number token is, `200.0` and `2e2` included.
pub(crate) fn status_of(member: &Member<'_>) -> Option<u16> {
    if !matches!(member.value.first(), Some(b'0'..=b'9')) {
        return None;
    }
    let number: f64 = std::str::from_utf8(member.value).ok()?.parse().ok()?;
    if number.fract() != 0.0 || !(0.0..=f64::from(u16::MAX)).contains(&number) {
        return None;
    }
    // Checked above: whole and in range.
    usable_status(number as u16)
}
