//! Engine.IO 4 and Socket.IO 5 (wire protocol §2.1, Appendix A), rooms, and the Redis adapter's protocol
//! (Appendix B). Knows nothing of what is said over its sockets: that is an [`App`]'s.
//!
//! The rules of this crate:
//!
//! - **Nothing is lost in silence.** What a socket was sent arrives in order, or its connection is closed
//!   with a reason that is logged and counted.
//! - **Nobody waits for the slowest.** What is sent to many is encoded once and queued for each; a queue
//!   that outgrows its bound closes its connection, and a publisher who outruns a room of healthy readers
//!   is read from more slowly.
//! - **Events of one socket are dispatched in the order received.** What handles them may end in any.
#![warn(missing_docs)]

mod app;
mod clock;
mod cluster;
mod cork;
mod cors;
mod dispatch;
mod engine;
mod frame;
mod handshake;
mod hub;
mod id;
mod inbox;
mod io;
mod outbox;
#[doc(hidden)]
pub mod packet;
mod peer;
mod polling;
mod request;
mod rooms;
mod scratch;
mod session;
mod settings;
mod socket;
mod target;
mod upgrade;
#[doc(hidden)]
pub mod websocket;

pub use app::{App, ConnectError, Event, Reason};
pub use cluster::{Bus, BusError, ClusterError, ClusterSettings, RemoteSocket};
pub use handshake::Handshake;
pub use io::{Io, Stats};
pub use peer::{Duplex, Origin, Peer, Stream};
pub use settings::Settings;
pub use socket::Socket;
pub use target::Target;
