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

/// What the originator of a sync call reaches.
pub(crate) struct Reach {
    shared: Arc<Shared>,
    originator: Originator,
    /// Sockets of the call's room that stand for all of it.
    sample: OnceLock<Vec<Arc<Socket>>>,
}

/// Who began the call.
enum Originator {
    Socket { socket: Arc<Socket>, index: Option<Index>, acknowledged: AtomicBool },
    Http { session: Option<Arc<Session>> },
}

impl Audience for Reach {
    fn is_member(&self, receiver: &str) -> bool {
        match &self.originator {
            Originator::Socket { socket, .. } => socket.is_in(receiver),
            Originator::Http { session } => session.as_ref().is_some_and(|session| {
                session.token == receiver || room_codes(session).any(|code| code == receiver)
            }),
        }
    }

    fn count<'a>(&'a self, receiver: &'a str, exact: bool) -> BoxFuture<'a, usize> {
        async move {
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
        .boxed()
    }

    fn recipients<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, Vec<Recipient>> {
        async move {
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
        .boxed()
    }

    fn send_to_room(&self, receiver: &str, except: Option<&str>, frame: &[u8]) {
        let rooms = [receiver];
        // Sockets of a session are in the room of its token.
        let excepted = except.map(|token| [token]);
        let target = target(&rooms).except(excepted.as_ref().map_or(&[], |excepted| excepted));
        self.shared.io().emit(self.from(), target, SYNC, frame);
    }

    fn send_to(&self, recipient: &Recipient, frame: &[u8]) {
        let (io, from) = (self.shared.io(), self.from());
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
            self.shared.io().emit(self.from(), Target::rooms(tokens), SYNC, frame);
        }
    }

    fn drained<'a>(&'a self, receiver: &'a str) -> BoxFuture<'a, ()> {
        async move {
            let sample = self.sample.get_or_init(|| {
                let rooms = [receiver];
                self.shared.io().first_sockets_here(target(&rooms), SAMPLE)
            });
            let all = self.from().into_iter().chain(sample).map(|socket| socket.drained());
            // Those who do not get on in time are not healthy.
            let _ = tokio::time::timeout(PATIENCE, future::join_all(all)).await;
        }
        .boxed()
    }

    /// HTTP answers when everything has been sent.
    fn acknowledge(&self, envelope: &[u8]) {
        self.reply(envelope);
    }
}

impl Reach {
    pub(crate) fn of_socket(shared: &Arc<Shared>, socket: &Arc<Socket>, index: Option<Index>) -> Self {
        let (socket, acknowledged) = (Arc::clone(socket), AtomicBool::new(false));
        Self::new(shared, Originator::Socket { socket, index, acknowledged })
    }

    pub(crate) fn of_http(shared: &Arc<Shared>, session: Option<Arc<Session>>) -> Self {
        Self::new(shared, Originator::Http { session })
    }

    fn new(shared: &Arc<Shared>, originator: Originator) -> Self {
        Reach { shared: Arc::clone(shared), originator, sample: OnceLock::new() }
    }

    /// Tells a socket the outcome, if it has not been told and can be.
    pub(crate) fn reply(&self, envelope: &[u8]) {
        if let Originator::Socket { socket, index: Some(index), acknowledged } = &self.originator
            && !acknowledged.swap(true, Ordering::Relaxed)
        {
            socket.emit(&index.event("sync-"), envelope);
        }
    }

    /// On whose behalf is sent.
    fn from(&self) -> Option<&Arc<Socket>> {
        match &self.originator {
            Originator::Socket { socket, .. } => Some(socket),
            Originator::Http { .. } => None,
        }
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
}

/// The sockets that a receiver means.
fn target<'a>(receiver: &'a [&'a str; 1]) -> Target<'a> {
    match receiver {
        [ALL] => Target::ALL,
        room => Target::rooms(room),
    }
}
