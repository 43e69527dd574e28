//! HTTP requests to other servers. The preset must allow them: `http = ["https://api.example.com"]`.
//!
//! ```
//! # use luckystack::{http, testing, HandlerError};
//! # fn main() -> Result<(), HandlerError> {
//! # testing::http(|_| Ok(http::Response::new(200, br#"{"rate":1.1}"#.to_vec())));
//! #[derive(serde::Deserialize)]
//! struct Rate { rate: f64 }
//!
//! let rate: Rate = http::get("https://api.example.com/rate")?.ok()?.json()?;
//! # assert_eq!(rate.rate, 1.1);
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Larger answers are an error unless [`Request::max_body`] says otherwise.
const MAX_BODY: usize = 16 * 1024 * 1024;

/// A request in the making.
#[derive(Debug, Clone)]
#[must_use = "a request does nothing until `send`"]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) max_body: usize,
    invalid: Option<Error>,
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The address is not `http://` or `https://` with a host.
    Url(String),
    /// A header's name or value is not valid, or may not be set.
    Header(String),
    /// The body of a request has no JSON form, or that of an answer does not fit.
    Body(String),
    /// The host does not allow this address.
    Denied(String),
    /// The answer did not come in time.
    Timeout,
    /// The answer is larger than was allowed.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The server answered with this status, and [`Response::ok`] was called.
    Status(u16),
    /// The request failed on the way.
    Failed(String),
}

/// The parts of an address that a request is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) https: bool,
    pub(crate) authority: &'a str,
    pub(crate) path_with_query: String,
}

/// Fetches an address.
///
/// # Errors
/// When there is no answer; an answer of any status is one.
pub fn get(url: &str) -> Result<Response, Error> {
    Request::get(url).send()
}

impl Request {
    /// A request with any method.
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_ascii_uppercase(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            max_body: MAX_BODY,
            invalid: None,
        }
    }

    /// A GET request.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST request.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A PUT request.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// A DELETE request.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to a value as JSON, with its content type.
    pub fn json(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(body) => self.body = body,
            Err(error) => self.invalid = Some(Error::Body(error.to_string())),
        }
        self.header("content-type", "application/json")
    }

    /// How long to wait for the connection, for the first byte, and between bytes.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The largest answer to accept, in bytes; 16 MiB when not set.
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Errors
    /// When there is no answer; an answer of any status is one.
    pub fn send(mut self) -> Result<Response, Error> {
        match self.invalid.take() {
            Some(error) => Err(error),
            None => crate::host::http_send(&self),
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The body.
    #[must_use]
    pub fn body_bytes(&self) -> &[u8] {
        &self.body
    }
}

impl Response {
    /// An answer, for [`testing::http`](crate::testing::http).
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name, whatever its case, when it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// Turns an answer whose status is not 2xx into an error.
    ///
    /// # Errors
    /// [`Error::Status`].
    pub fn ok(self) -> Result<Self, Error> {
        if (200..300).contains(&self.status) { Ok(self) } else { Err(Error::Status(self.status)) }
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<&str, Error> {
        std::str::from_utf8(&self.body).map_err(|error| Error::Body(error.to_string()))
    }

    /// The body, from JSON.
    ///
    /// # Errors
    /// When it does not fit `T`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_slice(&self.body).map_err(|error| Error::Body(error.to_string()))
    }
}

/// Splits an address into what a request is made of; the fragment stays at home.
pub(crate) fn target(url: &str) -> Result<Target<'_>, Error> {
    let invalid = || Error::Url(url.to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(invalid)?;
    let https = match () {
        () if scheme.eq_ignore_ascii_case("https") => true,
        () if scheme.eq_ignore_ascii_case("http") => false,
        () => return Err(invalid()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority.is_empty() || authority.contains(['@', ' ']) {
        return Err(invalid());
    }
    let path_with_query = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    Ok(Target { https, authority, path_with_query })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => {
                write!(f, "`{url}` is not an address of the form http(s)://host/path, without a user")
            }
            Self::Header(name) => write!(f, "the header `{name}` is not valid or may not be set"),
            Self::Body(reason) => write!(f, "the body does not fit: {reason}"),
            Self::Denied(url) => {
                write!(f, "`{url}` is not allowed; add its origin to `http` of the service's preset")
            }
            Self::Timeout => f.write_str("the answer did not come in time"),
            Self::TooLarge { limit } => write!(f, "the answer is larger than {limit} bytes"),
            Self::Status(status) => write!(f, "the server answered with status {status}"),
            Self::Failed(reason) => write!(f, "the request failed: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::{Error, Target, target};

    #[test]
    fn addresses_split_into_scheme_authority_and_path() {
        let cases = [
            ("https://a.example/x?y=1#z", true, "a.example", "/x?y=1"),
            ("http://a.example:8080", false, "a.example:8080", "/"),
            ("HTTPS://a.example?q", true, "a.example", "/?q"),
        ];
        for (url, https, authority, path) in cases {
            let expected = Target { https, authority, path_with_query: path.to_owned() };
            assert_eq!(target(url), Ok(expected), "{url}");
        }
        for url in ["", "a.example", "ftp://a.example", "https://", "https://user@a.example/", "https:///x"] {
            assert_eq!(target(url), Err(Error::Url(url.to_owned())), "{url}");
        }
    }
}
