//! What a handler returns, and how it becomes the success object of wire protocol §1.7.
//!
//! This is the hot path of every answer: the result is serialised straight behind
//! `{"status":"success","result":` into the one buffer that goes to the host.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::HandlerError;
use crate::json_out;
use crate::manifest::schema_of_output;

/// Large enough for most answers. The unused end is given back in place when the buffer is handed over.
const FIRST_CAPACITY: usize = 4096;
const HEAD: &[u8] = br#"{"status":"success""#;

/// No input, or nothing to say: `{}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Empty {}

/// A result with an HTTP status or further keys beside it.
///
/// ```
/// # use luckystack::prelude::*;
/// #[api(name = "createThing")]
/// fn create_thing(_ctx: &Ctx) -> Result<Response<u32>, HandlerError> {
///     Ok(Response::new(7).status(201).with("warnings", ["none"])?)
/// }
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct Response<T> {
    result: T,
    status: Option<u16>,
    extra: Vec<(Cow<'static, str>, Vec<u8>)>,
}

/// A struct whose fields are themselves the keys of the success object, beside `status`, instead of
/// being its `result`. It must serialise to an object without the keys `status` and `httpStatus`.
#[derive(Debug)]
pub struct Flat<T>(pub T);

/// What a handler can give back on success: any type that serialises and has a schema, [`Response`] or
/// [`Flat`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a handler's result",
    label = "add `#[derive(Serialize, JsonSchema)]` to it, or return `Response<T>` or `Flat<T>`"
)]
pub trait Output {
    /// Appends the success object.
    ///
    /// # Errors
    /// When the value has no JSON form.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), HandlerError>;

    /// The schema of `result`; none when the success object has no such key.
    fn schema() -> Option<Schema>;
}

/// What a handler returns: `Result<T, E>`, with a `T` that is an [`Output`] and an `E` that turns into a
/// [`HandlerError`].
#[diagnostic::on_unimplemented(
    message = "a handler returns `Result<T, HandlerError>`, not `{Self}`",
    label = "wrap it: `Result<{Self}, HandlerError>`"
)]
pub trait Reply {
    /// The success type.
    type Success;

    /// The result with its error as the wire knows it.
    ///
    /// # Errors
    /// The handler's own.
    fn into_result(self) -> Result<Self::Success, HandlerError>;
}

impl JsonSchema for Empty {
    fn schema_name() -> Cow<'static, str> {
        "Empty".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object" })
    }
}

impl<T> Response<T> {
    /// This result, status 200, no further keys.
    pub fn new(result: T) -> Self {
        Self { result, status: None, extra: Vec::new() }
    }

    /// Sets the HTTP status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds a key beside `result`.
    ///
    /// # Errors
    /// When `value` has no JSON form, or `key` is one that the success object already has.
    pub fn with(
        mut self,
        key: impl Into<Cow<'static, str>>,
        value: impl Serialize,
    ) -> Result<Self, serde_json::Error> {
        let key = key.into();
        if matches!(&*key, "status" | "httpStatus" | "result")
            || self.extra.iter().any(|(known, _)| *known == key)
        {
            return Err(serde::ser::Error::custom(format_args!("the answer already has the key `{key}`")));
        }
        let value = serde_json::to_vec(&value)?;
        self.extra.push((key, value));
        Ok(self)
    }
}

impl<T> From<T> for Response<T> {
    fn from(result: T) -> Self {
        Self::new(result)
    }
}

impl<T: Serialize + JsonSchema> Output for T {
    #[inline]
    fn write(&self, out: &mut Vec<u8>) -> Result<(), HandlerError> {
        out.extend_from_slice(br#"{"status":"success","result":"#);
        json_out::append(out, self)?;
        out.push(b'}');
        Ok(())
    }

    fn schema() -> Option<Schema> {
        Some(schema_of_output::<T>())
    }
}

impl<T: Serialize + JsonSchema> Output for Response<T> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), HandlerError> {
        out.extend_from_slice(HEAD);
        if let Some(status) = self.status {
            out.extend_from_slice(br#","httpStatus":"#);
            json_out::append(out, &status)?;
        }
        out.extend_from_slice(br#","result":"#);
        json_out::append(out, &self.result)?;
        for (key, value) in &self.extra {
            out.push(b',');
            json_out::append(out, key)?;
            out.push(b':');
            out.extend_from_slice(value);
        }
        out.push(b'}');
        Ok(())
    }

    fn schema() -> Option<Schema> {
        Some(schema_of_output::<T>())
    }
}

impl<T: Serialize> Output for Flat<T> {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), HandlerError> {
        #[derive(Deserialize)]
        struct Reserved {
            status: Option<serde::de::IgnoredAny>,
            #[serde(rename = "httpStatus")]
            http_status: Option<serde::de::IgnoredAny>,
        }

        out.extend_from_slice(HEAD);
        let start = out.len();
        json_out::append(out, &self.0)?;
        let object = &out[start..];
        if object.first() != Some(&b'{') {
            return Err(HandlerError::internal(
                "`Flat` holds a value that is not an object; return it as it is",
            ));
        }
        let reserved: Reserved = serde_json::from_slice(object)?;
        if reserved.status.is_some() || reserved.http_status.is_some() {
            let cause = "`Flat` holds an object with a key `status` or `httpStatus`; rename the field";
            return Err(HandlerError::internal(cause));
        }
        if object == b"{}" {
            out.truncate(start);
            out.push(b'}');
        } else {
            out[start] = b',';
        }
        Ok(())
    }

    fn schema() -> Option<Schema> {
        None
    }
}

impl<T, E: Into<HandlerError>> Reply for Result<T, E> {
    type Success = T;

    #[inline]
    fn into_result(self) -> Result<T, HandlerError> {
        self.map_err(Into::into)
    }
}

/// The whole success object for what a handler returned.
#[inline]
pub(crate) fn success(value: &impl Output) -> Result<Vec<u8>, HandlerError> {
    let mut out = Vec::with_capacity(FIRST_CAPACITY);
    value.write(&mut out)?;
    Ok(out)
}
