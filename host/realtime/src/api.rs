//! `apiRequest` (wire protocol §3.1): a message becomes a call, and its reply an event.
//!
//! Hot: what stands here costs a call over sockets no more than reading its payload and one map entry.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use luckystack_pipeline::envelope::{self, ErrorEnvelope, RawError, Shape, Surface};
use luckystack_pipeline::{Call, Hook, SocketMessageEvent};
use luckystack_plugins::{Caller, HookStop};
use luckystack_socketio::Socket;
use luckystack_topology::{Prefix, parse_transport_name};

use crate::client::{Client, Flight};
use crate::message::Request;
use crate::notices::LOGGED_OUT;
use crate::shared::{Shared, unavailable};

/// A stop of `preSocketMessage` has this status unless it says another (§3.1 stage 2).
const STOPPED: u16 = 403;
/// The built-in logout, at any version (§3.4).
const LOGOUT: (&str, &str) = ("system", "logout");

/// Answers a message; nothing is to be done for what is no object.
pub(crate) fn request(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    payload: &Bytes,
) -> Option<BoxFuture<'static, ()>> {
    let request = Request::read(payload)?;
    let (shared, socket, client) = (Arc::clone(shared), Arc::clone(socket), Arc::clone(client));
    Some(Box::pin(async move {
        let stop = before_message(&shared, &socket, &client, Surface::Api, request.name.as_deref()).await;
        let Some(index) = request.index else { return };
        let reply = match stop {
            Some(stop) => refusal(stop),
            None => {
                let aloft = Flight::request(&socket, &client, index);
                let answer = answer(&shared, &socket, &client, request, aloft.flight.clone());
                AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| failure())
            }
        };
        socket.emit(&index.event("apiResponse-"), &reply);
    }))
}

/// The hook `preSocketMessage`: what a subscriber who does not want the message says.
pub(crate) async fn before_message(
    shared: &Shared,
    socket: &Socket,
    client: &Client,
    channel: Surface,
    route_name: Option<&str>,
) -> Option<HookStop> {
    if !shared.pipeline.has_hook(Hook::PreSocketMessage) {
        return None;
    }
    let authenticated = client.token.is_some();
    let event = SocketMessageEvent { channel, socket_id: socket.id(), authenticated, route_name };
    shared.pipeline.pre_socket_message(&event, &shared.caller(socket, client, None)).await
}

async fn answer(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    request: Request,
    flight: Arc<Flight>,
) -> Bytes {
    let pipeline = &shared.pipeline;
    let Ok(session) = shared.session(socket, client).await else {
        return pipeline.error_reply(&client.language, unavailable()).body;
    };
    let caller = shared.caller(socket, client, session);
    let (Some(raw_name), Some(input)) = (request.name, request.data) else {
        let envelope = ErrorEnvelope::new(envelope::api::INVALID_REQUEST);
        return pipeline.refuse(Surface::Api, caller, envelope).await.body;
    };
    if is_logout(&raw_name) {
        return log_out(shared, socket, client, caller).await;
    }
    let call = Call { prefix: Prefix::Api, raw_name, method: None, input, caller, sink: Some(flight) };
    pipeline.call(call).await.body
}

fn is_logout(raw_name: &str) -> bool {
    // Nearly no call is one, and most can be told by a look.
    raw_name.contains(LOGOUT.1)
        && parse_transport_name(Prefix::Api, raw_name)
            .is_ok_and(|name| (name.service(), name.name()) == LOGOUT)
}

/// Ends the session of a socket (§3.4). Whatever comes of it, the call is a success.
async fn log_out(shared: &Shared, socket: &Socket, client: &Client, caller: Caller) -> Bytes {
    if let Err(reply) = shared.pipeline.admit_address(Surface::Api, &caller).await {
        return reply.body;
    }
    if let (Some(identity), Some(token)) = (&shared.identity, &client.token) {
        if identity.logout(token).await {
            // Sockets in the session's room are told of its end; this one is not when it had ended before.
            if let Some(notices) = shared.notices() {
                notices.told().await;
            }
            if caller.session.is_none() {
                socket.emit("logout", LOGGED_OUT);
            }
        } else {
            socket.emit("logout", br#""error""#);
        }
    }
    Bytes::from_static(br#"{"status":"success","httpStatus":200,"result":true}"#)
}

fn refusal(stop: HookStop) -> Bytes {
    let error = RawError::from_parts::<String, Vec<u8>>(&stop.error_code, [], stop.http_status);
    without_message(&error.into_envelope(STOPPED))
}

fn failure() -> Bytes {
    without_message(&ErrorEnvelope::new(envelope::api::SERVER_EXECUTION_FAILED))
}

fn without_message(envelope: &ErrorEnvelope) -> Bytes {
    let mut body = Vec::with_capacity(96);
    envelope.write(&mut body, Shape::WithoutMessage);
    body.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_logout_is_known_at_any_version() {
        for name in ["api/system/logout/v1", "system/logout/v2", " /api/system/logout/v11/ "] {
            assert!(is_logout(name), "{name}");
        }
        for name in
            ["api/system/logout", "api/system/x/logout/v1", "api/logout/system/v1", "sync/system/logout/v1"]
        {
            assert!(!is_logout(name), "{name}");
        }
    }

    #[test]
    fn what_the_host_says_by_itself_has_no_message() {
        assert_eq!(
            failure(),
            r#"{"status":"error","errorCode":"api.serverExecutionFailed","httpStatus":500}"#
        );
        let stop = HookStop { error_code: "no".into(), http_status: None, override_output: None };
        assert_eq!(refusal(stop), r#"{"status":"error","errorCode":"no","httpStatus":403}"#);
        let stop = HookStop { error_code: "no".into(), http_status: Some(429), override_output: None };
        assert_eq!(refusal(stop), r#"{"status":"error","errorCode":"no","httpStatus":429}"#);
    }
}
