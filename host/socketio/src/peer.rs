//! What the HTTP listener knows of a client and hands over with its requests.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderValue;
use hyper::upgrade::Upgraded;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// Whether a page of that origin may connect (§5.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The request names none: no page of a browser.
    Absent,
    /// It may, and is named in the answer.
    Allowed(HeaderValue),
    /// It may not.
    Refused,
}

/// Who sends a request.
pub struct Peer {
    /// Address of the client, after trusted proxies.
    pub ip: Arc<str>,
    /// Whether the connection is encrypted.
    pub secure: bool,
    /// What its origin may.
    pub origin: Origin,
    /// Takes the stream back from hyper after an upgrade, with what hyper has read of it.
    pub reclaim: fn(Upgraded) -> (Stream, Bytes),
}

/// A client's stream.
pub enum Stream {
    /// Plain TCP: many can write to it without waking its task.
    Tcp(TcpStream),
    /// Anything else, such as TLS.
    Other(Box<dyn Duplex>),
}

/// Reads and writes.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer").field("ip", &self.ip).field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Stream::Tcp(_) => "Tcp",
            Stream::Other(_) => "Other",
        })
    }
}
