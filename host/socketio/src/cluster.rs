//! Many hosts as one (Appendix B): what one sends to a room reaches the sockets of all.
//!
//! While the bus is down everything goes on here, and what is meant for others is lost to them: nothing
//! waits for it.

mod acks;
mod broadcast;
mod dates;
mod decode;
mod encode;
mod handshake;
mod local;
mod node;
mod requests;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde_json::Value;

pub(crate) use node::Cluster;

/// Carries messages between hosts: Redis, outside of tests.
pub trait Bus: Send + Sync + 'static {
    /// Sends a message, after those sent before. Does not wait; false when the bus is down or its queue full,
    /// and the message lost.
    fn publish(&self, channel: &str, message: Bytes) -> bool;
    /// Messages of `channels`, and of those that fit `patterns` (`*`), with their channel, from when the
    /// future is ready. Goes on by itself after a lost connection; what was sent meanwhile is lost.
    fn subscribe(
        &self,
        channels: Vec<String>,
        patterns: Vec<String>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, (String, Bytes)>, BusError>>;
    /// How many have subscribed to `channel` by its name.
    fn subscribers<'a>(&'a self, channel: &'a str) -> BoxFuture<'a, Result<u64, BusError>>;
    /// Whether it works.
    fn is_up(&self) -> bool;
}

/// The bus does not work; why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the bus between hosts does not work: {0}")]
pub struct BusError(pub String);

/// How hosts talk.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// Beginning of all channels (`socket.io`).
    pub prefix: String,
    /// How long the others may take to answer.
    pub timeout: Duration,
}

/// Why the other hosts' sockets are not known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClusterError {
    /// The bus is down.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// Not all answered in time.
    #[error("{missing} of {expected} hosts did not answer within {timeout:?}")]
    Timeout {
        /// Hosts that were asked.
        expected: u64,
        /// Those without an answer.
        missing: u64,
        /// How long they had.
        timeout: Duration,
    },
}

/// A socket of another host.
#[derive(Clone)]
pub struct RemoteSocket {
    /// Its id, also the room to send to it.
    pub id: String,
    /// `headers`, `auth` and so on, as the other host tells them.
    pub handshake: Value,
    /// Its rooms.
    pub rooms: Vec<String>,
}

/// Without what may be secret: the handshake, and rooms, which may be named after sessions.
impl std::fmt::Debug for RemoteSocket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSocket").field("id", &self.id).finish_non_exhaustive()
    }
}
