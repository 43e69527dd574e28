//! The HTTP transport: bytes on a socket become calls, and replies become responses.
//!
//! It speaks HTTP/1.1 (keep-alive, pipelining) and HTTP/2 (with prior knowledge, or over TLS), keeps
//! the order of wire protocol §6.1, and answers what the framework itself answers: the origin gate,
//! probes, static files, malformed requests. What a call means is the pipeline's affair; this crate
//! reaches it through [`Dispatch`] only.
//!
//! The rule of this crate: **whatever arrives on the socket, every request gets exactly one answer or
//! a closed connection, within bounded time and bounded memory.** A client that is slow, gone, flooding
//! or malformed costs its own connection and nobody else's.
#![warn(missing_docs)]

mod access;
mod answer;
mod api;
mod auth;
mod body;
mod connection;
mod cookie;
mod csrf;
mod dispatch;
mod endpoints;
mod error;
mod headers;
mod input;
mod io;
mod ip;
mod lifecycle;
mod origin;
mod path;
mod rate;
mod readiness;
mod server;
mod service;
mod sockets;
mod sse;
mod static_files;
mod sync;
mod test_reset;
mod tls;
mod uploads;

pub use access::{Access, TestReset};
pub use dispatch::Dispatch;
pub use endpoints::HostIdentity;
pub use error::HttpError;
pub use readiness::{Phase, Readiness};
pub use server::{Drained, HostState, Server, ServerHandle};
pub use sockets::Realtime;
