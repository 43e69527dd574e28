//! From the transport's events to what answers them (wire protocol §2.3, §2.5, §2.10).

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use luckystack_plugins::Session;
use luckystack_sessions::Read;
use luckystack_socketio::{App, ConnectError, Event, Handshake, Reason, Socket};
use serde_json::{Value, json};

use crate::client::Client;
use crate::message;
use crate::shared::Shared;
use crate::{api, location, rooms, sync, token};

/// How long a client's session is not read again after the store failed: until then it is in no room.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// Answers the framework's events.
pub(crate) struct Front(pub(crate) Arc<Shared>);

impl App for Front {
    fn connecting<'a>(&'a self, _handshake: &'a Handshake) -> BoxFuture<'a, Result<(), ConnectError>> {
        // Whoever is not let in by his session is anonymous.
        future::ready(Ok(())).boxed()
    }

    fn connected(&self, socket: &Arc<Socket>) {
        let shared = &self.0;
        let token: Option<Arc<str>> = match shared.identity {
            Some(_) => token::of_handshake(&shared.rules.load(), socket.handshake()).map(Arc::from),
            None => None,
        };
        let client = Client::new(token.clone(), shared.language(socket, None));
        socket.set_state(Arc::clone(&client));
        if let (Some(presence), Some(token)) = (shared.presence(), &token) {
            presence.connected(socket, token);
        }
        shared.tell("onSocketConnect", || {
            json!({ "socketId": &**socket.id(), "token": token.as_deref(), "ip": &*socket.handshake().ip })
        });
        join_own_rooms(shared, socket, &client);
    }

    fn event(&self, socket: &Arc<Socket>, event: Event) -> Option<BoxFuture<'static, ()>> {
        let shared = &self.0;
        let client = Client::of(socket)?;
        let payload = event.args.into_iter().next().unwrap_or_default();
        match event.name.as_str() {
            "apiRequest" => api::request(shared, socket, client, &payload),
            "sync" => Some(sync::request(shared, socket, client, &payload)),
            "apiCancel" => {
                client.cancel_request(message::cancelled_request(&payload)?);
                None
            }
            "syncCancel" => {
                client.cancel_sync(&message::cancelled_sync(&payload)?);
                None
            }
            "joinRoom" => rooms::request(shared, socket, client, rooms::Change::Join, &payload),
            "leaveRoom" => rooms::request(shared, socket, client, rooms::Change::Leave, &payload),
            "getJoinedRooms" => rooms::list(shared, socket, client, &payload),
            "updateLocation" => location::update(shared, client, &payload),
            "activity" | "intentionalReconnect" => {
                shared.presence()?.activity(socket, client.token.as_ref()?);
                None
            }
            "intentionalDisconnect" => {
                shared.presence()?.intentional_disconnect(socket, client.token.as_ref());
                None
            }
            _ => None,
        }
    }

    fn disconnected(&self, socket: &Arc<Socket>, reason: Reason, _rooms: Vec<Arc<str>>) {
        let shared = &self.0;
        let Some(client) = Client::of(socket) else { return };
        client.leave();
        shared.tell("onSocketDisconnect", || {
            json!({
                "socketId": &**socket.id(),
                "token": client.token.as_deref(),
                "reason": reason.as_str(),
            })
        });
        if let (Some(presence), Some(token)) = (shared.presence(), &client.token) {
            presence.disconnected(socket, token, reason);
        }
    }
}

/// Joins the room of a socket's token and those of its session (§2.3 step 6): at once when the session is
/// at hand, else as soon as it has been read.
///
/// A token that is no live session's opens no room: whoever could name a room by it would be let into any.
fn join_own_rooms(shared: &Arc<Shared>, socket: &Arc<Socket>, client: &Arc<Client>) {
    let (Some(sessions), Some(token)) = (shared.sessions(), &client.token) else { return };
    if let Some(session) = sessions.cached(token) {
        join(socket, token, &session);
        client.settle();
        return;
    }
    let (sessions, token) = (sessions.clone(), Arc::clone(token));
    let (socket, client) = (Arc::clone(socket), Arc::clone(client));
    tokio::spawn(async move {
        loop {
            let wait = match sessions.read(&token, &socket.handshake().ip).await {
                Ok(Read::Live(session)) => {
                    join(&socket, &token, &session);
                    None
                }
                Ok(Read::Unknown) => None,
                Ok(Read::Throttled { seconds }) => Some(Duration::from_secs(seconds)),
                Err(error) => {
                    tracing::debug!(%error, "a socket is in no rooms yet: its session cannot be read");
                    Some(READ_AGAIN)
                }
            };
            client.settle();
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => return,
            }
            if !socket.is_connected() {
                return;
            }
        }
    });
}

fn join(socket: &Socket, token: &str, session: &Session) {
    socket.join(token);
    for room in room_codes(session) {
        socket.join(room);
    }
}

/// The rooms of a session.
pub(crate) fn room_codes(session: &Session) -> impl Iterator<Item = &str> {
    let codes = session.fields().get("roomCodes").and_then(Value::as_array);
    codes.into_iter().flatten().filter_map(Value::as_str).filter(|code| !code.is_empty())
}
