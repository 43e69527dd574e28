//! What is said over the sockets: the seam to whoever answers.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use smallvec::SmallVec;

use crate::{Handshake, Socket};

/// Answers a namespace's sockets.
pub trait App: Send + Sync + 'static {
    /// A client wants to join the namespace; an error refuses it (`connect_error`).
    fn connecting<'a>(&'a self, handshake: &'a Handshake) -> BoxFuture<'a, Result<(), ConnectError>>;

    /// A client has joined. Returns before any event of it is dispatched.
    fn connected(&self, socket: &Arc<Socket>);

    /// A client says something. Events of one socket come one after the other in the order received; the
    /// future returned, if there is more to do, runs beside those of later events. It is polled at once, runs
    /// on the connection's own task, and goes on to its end when the connection is closed meanwhile.
    fn event(&self, socket: &Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>>;

    /// A client has left, or is gone. Called once for every socket that was connected; the socket is in no
    /// room any more, and `rooms` are those that it was in.
    fn disconnected(&self, socket: &Arc<Socket>, reason: Reason, rooms: Vec<Arc<str>>);
}

/// One event: `42["name",…args]`.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its arguments, each as JSON text. Binary attachments stand in `attachments`, and in the text as
    /// `{"_placeholder":true,"num":n}`.
    pub args: SmallVec<[Bytes; 2]>,
    /// Number of the acknowledgement that the client waits for, if it does.
    pub ack: Option<u64>,
    /// Binary attachments, in their order.
    pub attachments: Vec<Bytes>,
}

/// Why a client may not join: `44{"message":…,"data":…}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// Told to the client.
    pub message: String,
    /// More for the client, JSON text.
    pub data: Option<Bytes>,
}

/// Why a socket was disconnected, as a Node server would say (Appendix A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The connection ended.
    TransportClose,
    /// The connection failed, or was misused.
    TransportError,
    /// A ping was not answered in time.
    PingTimeout,
    /// What the client sent is no packet.
    ParseError,
    /// The client left the namespace.
    ClientNamespaceDisconnect,
    /// This side ended it.
    ServerNamespaceDisconnect,
    /// The host is stopping.
    ServerShuttingDown,
    /// More was waiting for the client than its queue may hold.
    QueueOverflow,
}

impl Reason {
    /// Whether this side ended it, and the client could not know.
    pub(crate) fn is_of_the_server(self) -> bool {
        matches!(self, Reason::ServerNamespaceDisconnect | Reason::ServerShuttingDown | Reason::QueueOverflow)
    }

    /// `transport close` and so on. What Node has no word for is a `transport error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::TransportClose => "transport close",
            Reason::TransportError | Reason::QueueOverflow => "transport error",
            Reason::PingTimeout => "ping timeout",
            Reason::ParseError => "parse error",
            Reason::ClientNamespaceDisconnect => "client namespace disconnect",
            Reason::ServerNamespaceDisconnect => "server namespace disconnect",
            Reason::ServerShuttingDown => "server shutting down",
        }
    }
}
