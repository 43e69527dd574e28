//! What goes back to a caller: envelopes and the catalogue of error codes (wire protocol §1.7, §1.10).
//!
//! The rule kept here: whatever a handler returned, what leaves is one valid envelope, and an error
//! envelope has no field that the protocol does not name. A success is spliced from the handler's own
//! bytes with one copy; only errors, which are small, become values.

mod codes;
mod output;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::Write as _;

use bytes::Bytes;

pub use codes::{Code, INVALID_RESPONSE, Surface, api, auth, framework, room, routing, sync};
pub(crate) use output::status_of;
pub use output::{EnvelopeProblem, Outcome, Reply, normalize_success, read_reply};

use crate::json::{Cursor, Document, Kind, document, write_str};
use crate::locale::Locales;

/// An error as it goes on the wire, in the order `status, message, errorCode, errorParams?, httpStatus`.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorEnvelope {
    /// The code's translation, or the code itself.
    pub message: Cow<'static, str>,
    /// The stable translation key.
    pub error_code: Cow<'static, str>,
    /// Values for the message's placeholders; left out when empty.
    pub error_params: Vec<ErrorParam>,
    /// The status, also of the HTTP response.
    pub http_status: u16,
}

/// One parameter of an error.
#[derive(Clone, Debug, PartialEq)]
pub struct ErrorParam {
    /// The placeholder's name.
    pub key: Cow<'static, str>,
    /// Its value.
    pub value: ParamValue,
}

/// The three kinds of value that a parameter may have.
#[derive(Clone, Debug, PartialEq)]
pub enum ParamValue {
    /// A string.
    Str(Cow<'static, str>),
    /// A finite number.
    Num(NumberText),
    /// `true` or `false`.
    Bool(bool),
}

/// The text of a finite JSON number, kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberText(Cow<'static, str>);

/// An error as a handler or a hook returned it: cleaned, with neither fallback status nor translation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawError {
    /// The code, trimmed; nothing when it was empty, missing or no string.
    pub code: Option<String>,
    /// The parameters; empty when any of them was malformed.
    pub params: Vec<ErrorParam>,
    /// The status, when an explicit and usable one was given.
    pub http_status: Option<u16>,
}

/// The few bodies on the wire that lack a field of the envelope (§1.3, §1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The whole envelope.
    Full,
    /// `api.serverExecutionFailed` over sockets and the refusal of `preSocketMessage`.
    WithoutMessage,
    /// `sync.invalidName`, `sync.methodNotAllowed` over HTTP.
    WithoutHttpStatus,
}

/// The status when it is one that can end an HTTP response; a handler's `42` or `100` cannot.
pub fn usable_status(status: u16) -> Option<u16> {
    (200..=599).contains(&status).then_some(status)
}

// --- ErrorEnvelope ---

impl ErrorEnvelope {
    /// An error of the catalogue; its message is its code until [`localized`](Self::localized).
    pub fn new(code: Code) -> Self {
        Self::with_status(code.code, code.http_status)
    }

    /// An error of any code, such as a hook's.
    pub fn with_status(code: impl Into<Cow<'static, str>>, http_status: u16) -> Self {
        let error_code = code.into();
        ErrorEnvelope { message: error_code.clone(), error_code, error_params: Vec::new(), http_status }
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn param(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<ParamValue>) -> Self {
        self.error_params.push(ErrorParam { key: key.into(), value: value.into() });
        self
    }

    /// The same with its message in that language, when there is a translation.
    #[must_use]
    pub fn localized(mut self, locales: &Locales, language: &str) -> Self {
        self.message = match locales.translate(language, &self.error_code, &self.error_params) {
            Some(text) => Cow::Owned(text.into_owned()),
            None => self.error_code.clone(),
        };
        self
    }

    /// The envelope's bytes.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = Vec::with_capacity(96 + self.message.len() + self.error_code.len());
        self.write(&mut out, Shape::Full);
        out.into()
    }

    /// Appends the envelope's bytes in that shape.
    pub fn write(&self, out: &mut Vec<u8>, shape: Shape) {
        out.extend_from_slice(b"{\"status\":\"error\"");
        if shape != Shape::WithoutMessage {
            out.extend_from_slice(b",\"message\":");
            write_str(out, &self.message);
        }
        out.extend_from_slice(b",\"errorCode\":");
        write_str(out, &self.error_code);
        if !self.error_params.is_empty() {
            out.extend_from_slice(b",\"errorParams\":[");
            for (index, param) in self.error_params.iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"{\"key\":" } else { b",{\"key\":" });
                write_str(out, &param.key);
                out.extend_from_slice(b",\"value\":");
                match &param.value {
                    ParamValue::Str(text) => write_str(out, text),
                    ParamValue::Num(number) => out.extend_from_slice(number.as_str().as_bytes()),
                    ParamValue::Bool(true) => out.extend_from_slice(b"true"),
                    ParamValue::Bool(false) => out.extend_from_slice(b"false"),
                }
                out.push(b'}');
            }
            out.push(b']');
        }
        if shape != Shape::WithoutHttpStatus {
            write_status(out, self.http_status);
        }
        out.push(b'}');
    }
}

/// Appends `,"httpStatus":N`.
fn write_status(out: &mut Vec<u8>, status: u16) {
    // Writing to a vector cannot fail.
    let _ = write!(out, ",\"httpStatus\":{status}");
}

impl From<Code> for ErrorEnvelope {
    fn from(code: Code) -> Self {
        ErrorEnvelope::new(code)
    }
}

// --- RawError ---

impl RawError {
    /// An error that crossed as typed parts, each parameter's value as JSON text. One malformed
    /// parameter drops them all.
    pub fn from_parts<K, V>(
        code: &str,
        params: impl IntoIterator<Item = (K, V)>,
        http_status: Option<u16>,
    ) -> Self
    where
        K: Into<String>,
        V: AsRef<[u8]>,
    {
        let params: Option<Vec<ErrorParam>> = params
            .into_iter()
            .map(|(key, value)| {
                let value = ParamValue::from_json(value.as_ref())?;
                Some(ErrorParam { key: Cow::Owned(key.into()), value })
            })
            .collect();
        RawError {
            code: clean_code(code),
            params: params.unwrap_or_default(),
            http_status: http_status.and_then(usable_status),
        }
    }

    /// The envelope: code `error.invalidResponse` when there was none, status the fallback's then.
    pub fn into_envelope(self, fallback_status: u16) -> ErrorEnvelope {
        let code = self.code.map_or(Cow::Borrowed(INVALID_RESPONSE.code), Cow::Owned);
        let mut envelope = ErrorEnvelope::with_status(code, self.http_status.unwrap_or(fallback_status));
        envelope.error_params = self.params;
        envelope
    }
}

fn clean_code(code: &str) -> Option<String> {
    // A byte order mark is white space to JavaScript's trim, though not to Rust's.
    let code = code.trim_matches(|char: char| char.is_whitespace() || char == '\u{feff}');
    (!code.is_empty()).then(|| code.to_owned())
}

// --- ParamValue ---

impl ParamValue {
    /// The value that this JSON text is; nothing unless it is a string, a finite number or a boolean.
    pub fn from_json(json: &[u8]) -> Option<Self> {
        let Ok(Document::Other(kind)) = document(json) else { return None };
        let token = json.trim_ascii();
        match kind {
            Kind::String => Some(ParamValue::Str(Cow::Owned(crate::json::decode_token(token).into_owned()))),
            Kind::Bool => Some(ParamValue::Bool(token == b"true")),
            Kind::Number => NumberText::from_token(token).map(ParamValue::Num),
            _ => None,
        }
    }
}

impl From<&'static str> for ParamValue {
    fn from(text: &'static str) -> Self {
        ParamValue::Str(Cow::Borrowed(text))
    }
}

impl From<String> for ParamValue {
    fn from(text: String) -> Self {
        ParamValue::Str(Cow::Owned(text))
    }
}

impl From<u64> for ParamValue {
    fn from(number: u64) -> Self {
        ParamValue::Num(NumberText(Cow::Owned(number.to_string())))
    }
}

impl From<bool> for ParamValue {
    fn from(value: bool) -> Self {
        ParamValue::Bool(value)
    }
}

// --- NumberText ---

impl NumberText {
    /// The number's JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn from_token(token: &[u8]) -> Option<Self> {
        let mut cursor = Cursor::new(token);
        cursor.number().ok()?;
        cursor.end().ok()?;
        let text = std::str::from_utf8(token).ok()?;
        text.parse::<f64>().is_ok_and(f64::is_finite).then(|| NumberText(Cow::Owned(text.to_owned())))
    }
}
