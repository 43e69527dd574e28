//! What all events stand on.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwap;
use luckystack_backplane::BackplaneError;
use luckystack_identity::Identity;
use luckystack_pipeline::Pipeline;
use luckystack_pipeline::envelope::ErrorEnvelope;
use luckystack_pipeline::request_id;
use luckystack_plugins::{Caller, Session, Transport};
use luckystack_sessions::{Hooks, Read, Sessions, Turns};
use luckystack_socketio::{Io, Socket};
use serde_json::Value;

use crate::client::Client;
use crate::notices::Notices;
use crate::presence::Presence;
use crate::rules::Rules;

/// The status of what a store that does not answer makes impossible.
const UNAVAILABLE: u16 = 503;

/// The layer's parts.
pub(crate) struct Shared {
    pub(crate) pipeline: Pipeline,
    pub(crate) identity: Option<Identity>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) rules: ArcSwap<Rules>,
    /// Whether there are other hosts whose sockets are reached.
    pub(crate) clustered: bool,
    /// Changes of a session's rooms and location, by token.
    pub(crate) turns: Turns,
    /// The transport, which knows this as its app: made after it, before the first client.
    io: OnceLock<Io>,
    /// With login only.
    presence: OnceLock<Presence>,
    notices: OnceLock<Notices>,
}

impl Shared {
    pub(crate) fn new(
        pipeline: Pipeline,
        identity: Option<Identity>,
        hooks: Arc<dyn Hooks>,
        rules: Rules,
        clustered: bool,
    ) -> Arc<Shared> {
        Arc::new(Shared {
            pipeline,
            identity,
            hooks,
            rules: ArcSwap::from_pointee(rules),
            clustered,
            turns: Turns::new(),
            io: OnceLock::new(),
            presence: OnceLock::new(),
            notices: OnceLock::new(),
        })
    }

    /// Gives it its transport; the first time counts.
    pub(crate) fn set_io(&self, io: Io) {
        let _ = self.io.set(io);
    }

    /// Gives it what follows from sessions; the first time counts.
    pub(crate) fn set_people(&self, presence: Presence, notices: Notices) {
        let _ = self.presence.set(presence);
        let _ = self.notices.set(notices);
    }

    /// The transport.
    ///
    /// # Panics
    /// Before [`Shared::set_io`], when nobody is connected who could ask.
    pub(crate) fn io(&self) -> &Io {
        self.io.get().expect("the transport is made before anybody connects")
    }

    pub(crate) fn presence(&self) -> Option<&Presence> {
        self.presence.get()
    }

    pub(crate) fn notices(&self) -> Option<&Notices> {
        self.notices.get()
    }

    pub(crate) fn sessions(&self) -> Option<&Sessions> {
        self.identity.as_ref().map(Identity::sessions)
    }

    /// The live session of a client, read anew for each of its messages (§3.1 step 4). None for strangers,
    /// those who tried too many tokens among them. A session in the cache costs no await.
    pub(crate) async fn session(
        &self,
        socket: &Socket,
        client: &Client,
    ) -> Result<Option<Arc<Session>>, BackplaneError> {
        let (Some(sessions), Some(token)) = (self.sessions(), &client.token) else { return Ok(None) };
        if let Some(session) = sessions.cached(token) {
            return Ok(Some(session));
        }
        match sessions.read(token, &socket.handshake().ip).await? {
            Read::Live(session) => Ok(Some(session)),
            Read::Unknown | Read::Throttled { .. } => Ok(None),
        }
    }

    /// Who sends a message.
    pub(crate) fn caller(&self, socket: &Socket, client: &Client, session: Option<Arc<Session>>) -> Caller {
        let language = match session.as_ref().and_then(|session| session.language.as_deref()) {
            Some(language) => self.language(socket, Some(language)),
            None => Arc::clone(&client.language),
        };
        Caller {
            session,
            ip: Arc::clone(&socket.handshake().ip),
            language,
            request_id: request_id::fresh(),
            traceparent: None,
            transport: Transport::Socket,
        }
    }

    /// The language of a session, else that which a handshake prefers (§1.8).
    pub(crate) fn language(&self, socket: &Socket, session: Option<&str>) -> Arc<str> {
        let handshake = socket.handshake();
        self.pipeline.negotiate_language(
            session,
            handshake.header(&X_LANGUAGE),
            handshake.header(&http::header::ACCEPT_LANGUAGE),
        )
    }

    /// Tells the subscribers of a hook that only observes.
    pub(crate) fn tell(&self, hook: &'static str, payload: impl FnOnce() -> Value) {
        self.hooks.tell_with(hook, payload);
    }
}

pub(crate) const X_LANGUAGE: http::HeaderName = http::HeaderName::from_static("x-language");

/// Nobody can be let in, and nobody is taken for a stranger.
pub(crate) fn unavailable() -> ErrorEnvelope {
    ErrorEnvelope::with_status("session.unavailable", UNAVAILABLE)
}
