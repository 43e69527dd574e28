//! The server: takes requests, knows the sockets, sends to many.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;

use crate::cluster::{Bus, Cluster, ClusterError, ClusterSettings, RemoteSocket};
use crate::frame::Frame;
use crate::hub::Hub;
use crate::{App, Peer, Settings, Socket, Target, request};

/// How long [`Io::close`] waits.
const CLOSING: Duration = Duration::from_secs(1);

/// A socket.io server. Cheap to clone.
#[derive(Clone)]
pub struct Io {
    hub: Arc<Hub>,
}

/// Counted since the start, but for `connections` and `sockets`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Transport sessions open now.
    pub connections: u64,
    /// Sockets in the namespace now.
    pub sockets: u64,
    /// Connections closed because too much waited for them.
    pub overflowed: u64,
    /// Connections closed because a ping was not answered.
    pub timed_out: u64,
    /// Connections closed because of what the client sent.
    pub misused: u64,
}

impl Io {
    /// A server for `app`. Needs a running tokio runtime.
    pub fn new(settings: Settings, app: Arc<dyn App>) -> Io {
        Io { hub: Hub::new(settings, app) }
    }

    /// The path it answers below, with a slash at either end.
    pub fn path(&self) -> &str {
        &self.hub.settings.path
    }

    /// Answers a request below [`Io::path`]: an opening handshake, a poll, a post, a preflight, an upgrade.
    /// Dropping the future means that the client went away.
    pub fn handle(
        &self,
        request: Request<Incoming>,
        peer: Peer,
    ) -> BoxFuture<'static, Response<Full<Bytes>>> {
        request::respond(Arc::clone(&self.hub), request, peer).boxed()
    }

    /// Sends an event with one argument, JSON text, to everybody in `target`, here and on the other hosts of
    /// the cluster; how many are here. Encoded once. On behalf of `from`, which is read from more slowly
    /// while healthy receivers have much waiting for them.
    pub fn emit(
        &self,
        from: Option<&Arc<Socket>>,
        target: Target<'_>,
        event: &str,
        argument: &[u8],
    ) -> usize {
        let frame = Frame::event(event, argument);
        if let Some(relay) = self.hub.relay.get() {
            relay.broadcast(frame.event_json(), target);
        }
        self.hub.deliver(from, target, &frame)
    }

    /// As [`Io::emit`], to the sockets of this host alone.
    pub fn emit_here(
        &self,
        from: Option<&Arc<Socket>>,
        target: Target<'_>,
        event: &str,
        argument: &[u8],
    ) -> usize {
        self.hub.deliver(from, target, &Frame::event(event, argument))
    }

    /// The socket of this host with that id.
    pub fn socket(&self, id: &str) -> Option<Arc<Socket>> {
        self.hub.socket(id)
    }

    /// Sockets of this host in `target`, each once, in the order in which they joined its (first) room.
    pub fn sockets_here(&self, target: Target<'_>) -> Vec<Arc<Socket>> {
        self.hub.sockets(target)
    }

    /// The first of [`Io::sockets_here`], at most so many.
    pub fn first_sockets_here(&self, target: Target<'_>, most: usize) -> Vec<Arc<Socket>> {
        self.hub.first_sockets(target, most)
    }

    /// How many sockets of this host are in a room. Does not look at each.
    pub fn count_here(&self, room: &str) -> usize {
        self.hub.count(room)
    }

    /// Joins the other hosts on `bus`; once, before the first client.
    ///
    /// # Errors
    /// The bus does not work.
    pub async fn join_cluster(
        &self,
        bus: Arc<dyn Bus>,
        settings: ClusterSettings,
    ) -> Result<(), ClusterError> {
        let relay = Cluster::join(Arc::downgrade(&self.hub), bus, settings).await?;
        if let Err(second) = self.hub.relay.set(Arc::new(relay)) {
            tracing::warn!("the socket server is in a cluster already: the second bus is left again");
            second.close();
        }
        Ok(())
    }

    /// Sockets of the other hosts in `target`; none without a cluster. Does not ask when there are no other
    /// hosts.
    ///
    /// # Errors
    /// The bus is down, or somebody did not answer in time.
    pub async fn fetch_elsewhere(&self, target: Target<'_>) -> Result<Vec<RemoteSocket>, ClusterError> {
        match self.hub.relay.get() {
            Some(relay) => relay.fetch(target).await,
            None => Ok(Vec::new()),
        }
    }

    /// How it is doing.
    pub fn stats(&self) -> Stats {
        self.hub.stats()
    }

    /// Disconnects everybody (`server shutting down`) and waits until what was queued is written or a second
    /// has passed.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSING, self.hub.close()).await.is_err() {
            tracing::debug!(sockets = self.stats().sockets, "not everybody took what was queued for them");
        }
        if let Some(relay) = self.hub.relay.get() {
            relay.close();
        }
    }
}

impl std::fmt::Debug for Io {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Io")
    }
}
