//! What all connections of a server share: the sessions, the sockets and their rooms, and the way to the
//! other hosts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use ring::rand::SystemRandom;
use smallvec::SmallVec;

use crate::cluster::{ClusterError, RemoteSocket};
use crate::frame::Frame;
use crate::rooms::Index;
use crate::session::{Sent, Session};
use crate::{App, Reason, Settings, Socket, Stats, Target, cork, id};

/// How often a refused handshake is logged.
const REFUSALS_LOGGED: Duration = Duration::from_secs(10);

/// The way to the other hosts (Appendix B).
pub(crate) trait Relay: Send + Sync + 'static {
    /// Sends an event to the other hosts' sockets in `target`: `payload` is the JSON text of `[name,…args]`.
    fn broadcast(&self, payload: &[u8], target: Target<'_>);
    /// The other hosts' sockets in `target`.
    fn fetch<'a>(&'a self, target: Target<'a>) -> BoxFuture<'a, Result<Vec<RemoteSocket>, ClusterError>>;
    /// A client has acknowledged an event; args are JSON text.
    fn acknowledged(&self, socket: &Socket, ack: u64, args: &[Bytes], attachments: &[Bytes]);
    /// Leaves the cluster.
    fn close(&self);
}

/// The shared part of an [`Io`](crate::Io).
pub(crate) struct Hub {
    pub(crate) settings: Settings,
    pub(crate) app: Arc<dyn App>,
    pub(crate) relay: OnceLock<Arc<dyn Relay>>,
    random: SystemRandom,
    pub(crate) counters: Counters,
    index: RwLock<Index>,
    sessions: Mutex<Sessions>,
    refusal_logged: Mutex<Option<Instant>>,
    closing: AtomicBool,
}

#[derive(Default)]
struct Sessions {
    by_id: HashMap<Arc<str>, Arc<Session>>,
    /// Wait until there are none.
    waiting: Vec<Waker>,
}

/// See [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicU64,
    pub(crate) overflowed: AtomicU64,
    pub(crate) timed_out: AtomicU64,
    pub(crate) misused: AtomicU64,
}

/// A place among the connections; given back when dropped.
pub(crate) struct Place(Arc<Hub>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.counters.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hub {
    pub(crate) fn new(settings: Settings, app: Arc<dyn App>) -> Arc<Hub> {
        Arc::new(Hub {
            settings,
            app,
            relay: OnceLock::new(),
            random: SystemRandom::new(),
            counters: Counters::default(),
            index: RwLock::default(),
            sessions: Mutex::default(),
            refusal_logged: Mutex::new(None),
            closing: AtomicBool::new(false),
        })
    }

    // Sockets and rooms.

    /// Queues a frame for the sockets here in `target`, on behalf of `from`; for how many.
    pub(crate) fn deliver(&self, from: Option<&Arc<Socket>>, target: Target<'_>, frame: &Frame) -> usize {
        let corked = cork::enter();
        let mut count = 0;
        let mut behind: SmallVec<[Arc<Session>; 4]> = SmallVec::new();
        self.index.read().each(target, |socket| {
            if !socket.is_joined() {
                return;
            }
            match socket.session().send(frame) {
                Sent::Queued => count += 1,
                Sent::Behind => {
                    count += 1;
                    if from.is_some() {
                        behind.push(Arc::clone(socket.session()));
                    }
                }
                Sent::Gone => {}
            }
        });
        corked.relieve();
        if let Some(from) = from {
            from.session().hold_for(behind);
        }
        count
    }

    /// Sockets here in `target`, each once, in the order in which they joined its (first) room.
    pub(crate) fn sockets(&self, target: Target<'_>) -> Vec<Arc<Socket>> {
        self.first_sockets(target, usize::MAX)
    }

    /// The first of [`Hub::sockets`], at most so many.
    pub(crate) fn first_sockets(&self, target: Target<'_>, most: usize) -> Vec<Arc<Socket>> {
        let mut sockets = Vec::new();
        self.index.read().each(target, |socket| {
            if sockets.len() < most && socket.is_joined() {
                sockets.push(Arc::clone(socket));
            }
        });
        sockets
    }

    /// The sockets here in `target` join rooms.
    pub(crate) fn join(&self, target: Target<'_>, rooms: &[&str]) {
        for socket in self.sockets(target) {
            for room in rooms {
                socket.join(room);
            }
        }
    }

    /// The sockets here in `target` leave rooms.
    pub(crate) fn leave(&self, target: Target<'_>, rooms: &[&str]) {
        for socket in self.sockets(target) {
            for room in rooms {
                socket.leave(room);
            }
        }
    }

    /// The sockets here in `target` are disconnected; see [`Socket::disconnect`].
    pub(crate) fn disconnect(&self, target: Target<'_>, close: bool) {
        for socket in self.sockets(target) {
            socket.disconnect(close);
        }
    }

    /// Rooms that have sockets here, the sockets' own among them.
    pub(crate) fn rooms(&self) -> Vec<Arc<str>> {
        self.index.read().rooms()
    }

    pub(crate) fn socket(&self, id: &str) -> Option<Arc<Socket>> {
        self.index.read().socket(id).filter(|socket| socket.is_joined()).cloned()
    }

    pub(crate) fn count(&self, room: &str) -> usize {
        self.index.read().count(room)
    }

    /// The rooms; never to be asked for while holding a lock of a session or a socket.
    pub(crate) fn index(&self) -> &RwLock<Index> {
        &self.index
    }

    // Sessions.

    /// A place for one more connection, if there is one.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Place> {
        let max = self.settings.max_connections as u64;
        let before = self.counters.connections.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        if before < max && !self.is_closing() {
            return Some(place);
        }
        let mut logged = self.refusal_logged.lock();
        if logged.is_none_or(|last| last.elapsed() >= REFUSALS_LOGGED) {
            *logged = Some(Instant::now());
            if self.is_closing() {
                tracing::info!("a socket connection was refused: the host is stopping");
            } else {
                tracing::warn!(
                    connections = before,
                    "a socket connection was refused: there are `max_connections` already"
                );
            }
        }
        None
    }

    /// An id that nobody can guess. `None` when the system has no randomness to give.
    pub(crate) fn fresh_id(&self) -> Option<Arc<str>> {
        let id = id::fresh(&self.random);
        if id.is_none() {
            tracing::error!("a socket connection is refused: the system gives no random bytes for its id");
        }
        id
    }

    pub(crate) fn register(&self, session: &Arc<Session>) {
        self.sessions.lock().by_id.insert(Arc::clone(session.id()), Arc::clone(session));
        // It was admitted before the server began to close, which may not have seen it.
        if self.is_closing() {
            session.close(Reason::ServerShuttingDown);
        }
    }

    pub(crate) fn forget(&self, id: &str) {
        let waiting = {
            let mut sessions = self.sessions.lock();
            sessions.by_id.remove(id);
            if sessions.by_id.is_empty() { std::mem::take(&mut sessions.waiting) } else { Vec::new() }
        };
        waiting.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn session(&self, id: &str) -> Option<Arc<Session>> {
        self.sessions.lock().by_id.get(id).cloned()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// Ends all sessions and refuses new ones; ready when all have ended.
    pub(crate) async fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // One that was admitted before may be registered after the first look.
        std::future::poll_fn(|cx| {
            let mut sessions = self.sessions.lock();
            if sessions.by_id.is_empty() {
                return std::task::Poll::Ready(());
            }
            if !sessions.waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
                sessions.waiting.push(cx.waker().clone());
            }
            let open: Vec<_> = sessions.by_id.values().cloned().collect();
            drop(sessions);
            for session in open {
                session.close(Reason::ServerShuttingDown);
            }
            std::task::Poll::Pending
        })
        .await;
    }

    pub(crate) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            connections: read(&self.counters.connections),
            sockets: self.index.read().len() as u64,
            overflowed: read(&self.counters.overflowed),
            timed_out: read(&self.counters.timed_out),
            misused: read(&self.counters.misused),
        }
    }
}
