//! What a handler returns instead of a result (wire protocol §1.7).
//!
//! The rule: what the client sees is a stable code with parameters, chosen by the author. Any other
//! error that `?` carries becomes `api.internalServerError`; its text goes to the log and never to the
//! client.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

/// The code of an error that the author did not choose (wire protocol §1.10).
pub(crate) const INTERNAL: &str = "api.internalServerError";
/// The code of an input that does not fit the handler's type (wire protocol §1.10).
pub(crate) const INVALID_INPUT: &str = "api.invalidInputType";

/// An error for the client: a translation key such as `vehicles.notFound`, values for the translation's
/// placeholders, and an HTTP status (400 when none is set).
///
/// Made by [`error!`](crate::error!), or by `?` from any [`std::error::Error`], which the client sees as
/// `api.internalServerError` with status 500 and the service's log as what it was.
pub struct HandlerError {
    code: Cow<'static, str>,
    params: Vec<(Cow<'static, str>, ParamValue)>,
    status: Option<u16>,
    cause: Option<Box<str>>,
}

/// A value for a placeholder: a string, a number or a boolean.
pub struct ParamValue(Vec<u8>);

/// Makes a [`HandlerError`]: a code, then any number of parameters.
///
/// ```
/// # use luckystack::error;
/// let id = "v9";
/// let error = error!("vehicles.notFound", id = id, known = 20).status(404);
/// assert_eq!(error.code(), "vehicles.notFound");
/// ```
#[macro_export]
macro_rules! error {
    ($code:expr $(, $key:ident = $value:expr)* $(,)?) => {
        $crate::HandlerError::new($code)$(.param(stringify!($key), $value))*
    };
}

impl HandlerError {
    /// An error with this code: a translation key, never a sentence.
    pub fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: code.into(), params: Vec::new(), status: None, cause: None }
    }

    /// Adds a value for the placeholder `{{key}}` of the translation.
    #[must_use]
    pub fn param(mut self, key: impl Into<Cow<'static, str>>, value: impl Into<ParamValue>) -> Self {
        self.params.push((key.into(), value.into()));
        self
    }

    /// Sets the HTTP status of the answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// The error's code.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The HTTP status, when one was set.
    #[must_use]
    pub fn http_status(&self) -> Option<u16> {
        self.status
    }

    /// The parameters as JSON values, in order.
    pub fn params(&self) -> impl Iterator<Item = (&str, serde_json::Value)> {
        self.params.iter().map(|(key, value)| (&**key, value.to_json()))
    }

    /// Something went wrong that the client has no part in: logged as `cause`, sent as
    /// `api.internalServerError`.
    pub fn internal(cause: impl fmt::Display) -> Self {
        Self { status: Some(500), cause: Some(cause.to_string().into()), ..Self::new(INTERNAL) }
    }

    pub(crate) fn invalid_input(cause: impl fmt::Display) -> Self {
        Self { status: Some(400), cause: Some(cause.to_string().into()), ..Self::new(INVALID_INPUT) }
    }

    pub(crate) fn from_parts(
        code: String,
        params: impl Iterator<Item = (String, Vec<u8>)>,
        status: Option<u16>,
    ) -> Self {
        let params = params.map(|(key, value)| (key.into(), ParamValue(value))).collect();
        Self { code: code.into(), params, status, cause: None }
    }

    /// What the log should hear of it, when the client hears less.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_parts(self) -> (String, Vec<(String, Vec<u8>)>, Option<u16>) {
        let params = self.params.into_iter().map(|(key, value)| (key.into_owned(), value.0)).collect();
        (self.code.into_owned(), params, self.status)
    }
}

impl<E: std::error::Error> From<E> for HandlerError {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            text.push_str(": ");
            text.push_str(&inner.to_string());
            source = inner.source();
        }
        Self::internal(text)
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerError")
            .field("code", &self.code)
            .field("params", &self.params().collect::<Vec<_>>())
            .field("status", &self.status)
            .field("cause", &self.cause)
            .finish()
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "{}: {cause}", self.code),
            None => f.write_str(&self.code),
        }
    }
}

impl ParamValue {
    fn encode(value: &impl Serialize) -> Self {
        // Strings, numbers and booleans always have a JSON form.
        Self(serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec()))
    }

    fn to_json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_json(), f)
    }
}

macro_rules! param_from {
    ($($type:ty),*) => {$(
        impl From<$type> for ParamValue {
            fn from(value: $type) -> Self {
                Self::encode(&value)
            }
        }
    )*};
}

param_from!(
    &str,
    &String,
    String,
    Cow<'_, str>,
    bool,
    u8,
    u16,
    u32,
    u64,
    usize,
    i8,
    i16,
    i32,
    i64,
    isize,
    f32,
    f64
);
