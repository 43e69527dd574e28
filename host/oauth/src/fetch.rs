//! Requests to providers, and how little is taken from them: no redirects, bounded bodies, bounded time.
//!
//! Errors name the host only: paths, queries and bodies may hold what must not be logged.

use std::error::Error as _;
use std::time::Duration;

use reqwest::{Client, Request, StatusCode, redirect};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The largest answer that is read, in bytes; real ones have a few thousand.
pub(crate) const MAX_BODY: usize = 1 << 20;
/// One request, from connecting to the last byte of its answer. People wait for it.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);
/// A word of the provider's that is repeated in messages, in characters.
const MAX_WORD: usize = 64;

/// Asks providers. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    client: Client,
}

/// What came back.
pub(crate) struct Answer {
    host: String,
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
}

/// Why there is no usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} did not answer in time")]
    TimedOut { host: String },
    #[error("{host} answered with more than {limit} bytes")]
    TooLarge { host: String, limit: usize },
    #[error("{host} answered with a redirect ({status}), which is not followed")]
    Redirect { host: String, status: u16 },
    #[error("{host} refused with {status}{}", said(.code))]
    Refused { host: String, status: u16, code: String },
    #[error("{host} answered with something else than the JSON that was asked for")]
    NotJson { host: String },
    #[error("the request cannot be made: {0}")]
    Request(String),
}

fn said(code: &str) -> String {
    if code.is_empty() { String::new() } else { format!(" (`{code}`)") }
}

impl Fetch {
    pub(crate) fn new(timeout: Duration) -> Result<Self, String> {
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .timeout(timeout)
            // Some providers refuse requests without one.
            .user_agent(concat!("luckystack/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| format!("no HTTP client: {}", chain(&error)))?;
        Ok(Self { client })
    }

    /// A GET that accepts JSON.
    pub(crate) fn get(&self, url: &url::Url) -> reqwest::RequestBuilder {
        self.client.get(url.clone()).header("accept", "application/json")
    }

    /// A POST that accepts JSON.
    pub(crate) fn post(&self, url: &url::Url) -> reqwest::RequestBuilder {
        self.client.post(url.clone()).header("accept", "application/json")
    }

    /// Sends a request and reads at most `limit` bytes of its answer, whatever its status is; redirects
    /// are errors.
    pub(crate) async fn send(
        &self,
        request: reqwest::RequestBuilder,
        limit: usize,
    ) -> Result<Answer, FetchError> {
        let request: Request =
            request.build().map_err(|error| FetchError::Request(chain(&error.without_url())))?;
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let failed = |error| failure(&host, error);
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let status = response.status();
        if status.is_redirection() {
            return Err(FetchError::Redirect { host, status: status.as_u16() });
        }
        let content_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > limit {
                return Err(FetchError::TooLarge { host, limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { host, status, content_type, body })
    }

    /// Sends a request and reads a successful JSON answer.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        request: reqwest::RequestBuilder,
    ) -> Result<T, FetchError> {
        self.send(request, MAX_BODY).await?.json()
    }
}

impl Answer {
    /// The body of a successful answer.
    pub(crate) fn json<T: DeserializeOwned>(self) -> Result<T, FetchError> {
        if !self.status.is_success() {
            let code = serde_json::from_slice::<Map<String, Value>>(&self.body)
                .ok()
                .and_then(|body| body.get("error").and_then(Value::as_str).map(word))
                .unwrap_or_default();
            return Err(FetchError::Refused { host: self.host, status: self.status.as_u16(), code });
        }
        serde_json::from_slice(&self.body).map_err(|_| FetchError::NotJson { host: self.host })
    }

    /// Whom it came from.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

/// An error code such as `invalid_grant`, fit for a log line: what strangers send is cut and stripped.
pub(crate) fn word(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .take(MAX_WORD)
        .collect()
}

fn failure(host: &str, error: reqwest::Error) -> FetchError {
    let host = host.to_owned();
    match error.is_timeout() {
        true => FetchError::TimedOut { host },
        false => FetchError::Unreachable { host, reason: chain(&error.without_url()) },
    }
}

/// An error and its causes.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::{Fetch, FetchError, word};

    #[test]
    fn what_a_provider_says_is_cut_and_stripped() {
        assert_eq!(word("access_denied"), "access_denied");
        assert_eq!(word("a\r\nb c\u{1b}[1m<é>"), "abc1m");
        assert_eq!(word(&"x".repeat(1000)).len(), 64);
    }

    /// A server that writes one byte, and another one whenever it is told to, which is never.
    #[tokio::test]
    async fn an_answer_that_does_not_end_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{").await.unwrap();
            // Until the client hangs up.
            let _ = stream.read(&mut request).await;
        });
        let fetch = Fetch::new(Duration::from_millis(200)).unwrap();
        let answer = fetch.json::<serde_json::Value>(fetch.get(&url)).await;
        assert!(matches!(answer, Err(FetchError::TimedOut { .. })), "{answer:?}");
        server.await.unwrap();
    }
}
