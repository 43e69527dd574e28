//! Who hears of a sync call (wire protocol §4.2, §4.7): rooms and sockets of this host and of the others.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use luckystack_pipeline::sync::{Audience, Recipient};
use luckystack_plugins::Session;
use luckystack_socketio::{ClusterError, RemoteSocket, Socket, Target};

use crate::app::room_codes;
use crate::client::Client;
use crate::index::Index;
use crate::shared::{Shared, X_LANGUAGE};
use crate::token;

/// The receiver that means everybody (§4.2).
const ALL: &str = "all";
/// The event of all frames (§4.6).
const SYNC: &str = "sync";
/// Sockets of a room that a handler waits for (§4.8).
const SAMPLE: usize = 32;
/// How long it waits for them: one that reads nothing is closed by its own bound, and holds up nobody.
const PATIENCE: Duration = Duration::from_secs(5);

/// What an originator over a socket reaches.
pub(crate) struct SocketAudience {
    reach: Reach,
    socket: Arc<Socket>,
    index: Option<Index>,
    acknowledged: AtomicBool,
}

/// What an originator over HTTP reaches.
pub(crate) struct HttpAudience {
    reach: Reach,
    session: Option<Arc<Session>>,
}

/// What is the same for both.
struct Reach {
    shared: Arc<Shared>,
    /// On whose behalf is sent.
    from: Option<Arc<Socket>>,
    /// Sockets of the call's room that stand for all of it.
    sample: OnceLock<Vec<Arc<Socket>>>,
}

// --- SocketAudience ---

impl SocketAudience {
    pub(crate) fn new(shared: &Arc<Shared>, socket: &Arc<Socket>, index: Option<Index>) -> Self {
        SocketAudience {
            reach: Reach::new(shared, Some(Arc::clone(socket))),
            socket: Arc::clone(socket),
            index,
            acknowledged: AtomicBool::new(false),
        }
    }

    /// Tells the originator, if it has not been told and can be.
    pub(crate) fn reply(&self, envelope: &[u8]) {
        if let Some(index) = self.index
            && !self.acknowledged.swap(true, Ordering::Relaxed)
        {
            self.socket.emit(&index.event("sync-"), envelope);
        }
    }
}

impl Audience for SocketAudience {
    fn is_member(&self, receiver: &str) -> bool {
        self.socket.is_in(receiver)
    }

    fn count<'a>(&'a self, receiver: &'a str, exact: bool) -> BoxFuture<'a, usize> {
        self.reach.count(receiver, exact).boxed()
    }

    fn recipients<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, Vec<Recipient>> {
        self.reach.recipients(receiver).boxed()
    }

    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]) {
        self.reach.send_to_room(receiver, except, frame);
    }

    fn send_to(&self, recipient: &Recipient, frame: &[u8]) {
        self.reach.send_to(recipient, frame);
    }

    fn send_to_tokens(&self, tokens: &[&str], frame: &[u8]) {
        self.reach.send_to_tokens(tokens, frame);
    }

    fn drained<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, ()> {
        self.reach.drained(receiver).boxed()
    }

    fn acknowledge(&self, envelope: &[u8]) {
        self.reply(envelope);
    }
}

// --- HttpAudience ---

impl HttpAudience {
    pub(crate) fn new(shared: &Arc<Shared>, session: Option<Arc<Session>>) -> Self {
        HttpAudience { reach: Reach::new(shared, None), session }
    }
}

impl Audience for HttpAudience {
    fn is_member(&self, receiver: &str) -> bool {
        self.session.as_ref().is_some_and(|session| {
            session.token == receiver || room_codes(session).any(|code| code == receiver)
        })
    }

    fn count<'a>(&'a self, receiver: &'a str, exact: bool) -> BoxFuture<'a, usize> {
        self.reach.count(receiver, exact).boxed()
    }

    fn recipients<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, Vec<Recipient>> {
        self.reach.recipients(receiver).boxed()
    }

    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]) {
        self.reach.send_to_room(receiver, except, frame);
    }

    fn send_to(&self, recipient: &Recipient, frame: &[u8]) {
        self.reach.send_to(recipient, frame);
    }

    fn send_to_tokens(&self, tokens: &[&str], frame: &[u8]) {
        self.reach.send_to_tokens(tokens, frame);
    }

    fn drained<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, ()> {
        self.reach.drained(receiver).boxed()
    }

    fn acknowledge(&self, _envelope: &[u8]) {
        // HTTP answers when everything has been sent.
    }
}

// --- Reach ---

impl Reach {
    fn new(shared: &Arc<Shared>, from: Option<Arc<Socket>>) -> Self {
        Reach { shared: Arc::clone(shared), from, sample: OnceLock::new() }
    }

    async fn count(&self, receiver: &str, exact: bool) -> usize {
        let io = self.shared.io();
        let here = match receiver {
            ALL => usize::try_from(io.stats().sockets).unwrap_or(usize::MAX),
            room => io.count_here(room),
        };
        if here > 0 && !exact {
            return here;
        }
        here + self.elsewhere(receiver).await.len()
    }

    async fn recipients(&self, receiver: &str) -> Vec<Recipient> {
        let elsewhere = self.elsewhere(receiver).await;
        let rooms = [receiver];
        let here = self.shared.io().sockets_here(target(&rooms));
        let mut recipients = Vec::with_capacity(here.len() + elsewhere.len());
        recipients.extend(here.iter().filter_map(|socket| {
            let client = Client::of(socket)?;
            Some(Recipient {
                socket_id: Arc::clone(socket.id()),
                token: client.token.clone(),
                language: Arc::clone(&client.language),
            })
        }));
        recipients.extend(elsewhere.iter().map(|socket| self.remote(socket)));
        recipients
    }

    /// Sockets of the other hosts. When they do not answer, those of this host are served all the same.
    async fn elsewhere(&self, receiver: &str) -> Vec<RemoteSocket> {
        if !self.shared.clustered {
            return Vec::new();
        }
        let rooms = [receiver];
        self.shared.io().fetch_elsewhere(target(&rooms)).await.unwrap_or_else(|error| {
            match error {
                // Said by the bus itself, once.
                ClusterError::Bus(_) => tracing::debug!(%error, "a sync call stays on this host"),
                ClusterError::Timeout { .. } => {
                    tracing::warn!(%error, "a sync call does not reach the sockets of all hosts");
                }
            }
            Vec::new()
        })
    }

    fn remote(&self, socket: &RemoteSocket) -> Recipient {
        let header = |name: &http::HeaderName| socket.handshake["headers"][name.as_str()].as_str();
        let (x_language, accept) = (header(&X_LANGUAGE), header(&http::header::ACCEPT_LANGUAGE));
        Recipient {
            socket_id: socket.id.as_str().into(),
            token: token::of_remote(&self.shared.rules.load(), &socket.handshake).map(Arc::from),
            language: self.shared.pipeline.negotiate_language(None, x_language, accept),
        }
    }

    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]) {
        let rooms = [receiver];
        // Sockets of a session are in the room of its token.
        let excepted = except.map(|token| [token]);
        let target = target(&rooms).except(excepted.as_ref().map_or(&[], |excepted| excepted));
        self.shared.io().emit(self.from.as_ref(), target, SYNC, frame);
    }

    fn send_to(&self, recipient: &Recipient, frame: &[u8]) {
        let (io, from) = (self.shared.io(), self.from.as_ref());
        let room = [&*recipient.socket_id];
        match io.socket(&recipient.socket_id) {
            Some(_) => io.emit_here(from, Target::rooms(&room), SYNC, frame),
            None if self.shared.clustered => io.emit(from, Target::rooms(&room), SYNC, frame),
            // It has gone meanwhile.
            None => 0,
        };
    }

    fn send_to_tokens(&self, tokens: &[&str], frame: &[u8]) {
        // No rooms at all would mean everybody.
        if !tokens.is_empty() {
            self.shared.io().emit(self.from.as_ref(), Target::rooms(tokens), SYNC, frame);
        }
    }

    async fn drained(&self, receiver: &str) {
        let sample = self.sample.get_or_init(|| {
            let rooms = [receiver];
            let mut sockets = self.shared.io().sockets_here(target(&rooms));
            sockets.truncate(SAMPLE);
            sockets
        });
        let all = self.from.iter().chain(sample).map(|socket| socket.drained());
        // Those who do not get on in time are not healthy.
        let _ = tokio::time::timeout(PATIENCE, future::join_all(all)).await;
    }
}

/// The sockets that a receiver means.
fn target<'a>(receiver: &'a [&'a str; 1]) -> Target<'a> {
    match receiver {
        [ALL] => Target::ALL,
        room => Target::rooms(room),
    }
}
