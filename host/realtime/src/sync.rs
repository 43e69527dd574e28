//! `sync` (wire protocol §4.1): a message becomes a sync call, acknowledged before it is delivered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use luckystack_pipeline::envelope::{ErrorEnvelope, RawError, Surface, routing, sync as codes};
use luckystack_pipeline::sync::{Audience, SyncCall};
use luckystack_plugins::HookStop;
use luckystack_socketio::Socket;
use luckystack_topology::{Prefix, parse_transport_name};

use crate::api::before_message;
use crate::audience::Reach;
use crate::client::{Client, Flight};
use crate::message::SyncRequest;
use crate::shared::{Shared, unavailable};

/// What a message must hold (§4.1 steps 3 to 6).
struct Checked {
    name: String,
    input: Bytes,
    callback: String,
    receiver: String,
}

/// Answers a message.
pub(crate) fn request(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    payload: &Bytes,
) -> BoxFuture<'static, ()> {
    let request = SyncRequest::read(payload);
    let (shared, socket, client) = (Arc::clone(shared), Arc::clone(socket), Arc::clone(client));
    Box::pin(async move {
        let Some(request) = request else {
            let error = refused(&shared, &socket, &client, codes::INVALID_REQUEST.into()).await;
            socket.emit("sync", &error);
            return;
        };
        let audience = Arc::new(Reach::of_socket(&shared, &socket, request.request.index));
        let answer = answer(&shared, &socket, &client, request, &audience);
        let reply = AssertUnwindSafe(answer).catch_unwind().await.unwrap_or_else(|_| {
            let error = ErrorEnvelope::new(codes::SERVER_EXECUTION_FAILED);
            shared.pipeline.error_reply(&client.language, error).body
        });
        // A success was told before it was delivered, and what failed afterwards is not told.
        audience.reply(&reply);
    })
}

async fn answer(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    request: SyncRequest,
    audience: &Arc<Reach>,
) -> Bytes {
    let (index, ignore_self) = (request.request.index, request.ignore_self);
    let route = request.request.name.as_deref();
    if let Some(stop) = before_message(shared, socket, client, Surface::Sync, route).await {
        return refused(shared, socket, client, stopped(stop)).await;
    }
    let checked = match check(request) {
        Ok(checked) => checked,
        Err(error) => return refused(shared, socket, client, error).await,
    };
    client.settled().await;
    let Ok(session) = shared.session(socket, client).await else {
        return shared.pipeline.error_reply(&client.language, unavailable()).body;
    };
    let (aloft, id) = Flight::sync(socket, client, index);
    if let Some(index) = index {
        let id = String::from_utf8_lossy(&id);
        let handshake = format!(r#"{{"__cancelId":"{id}"}}"#);
        socket.emit(&index.event("sync-progress-"), handshake.as_bytes());
    }
    let call = SyncCall {
        raw_name: checked.name,
        input: checked.input,
        receiver: checked.receiver,
        callback: Some(checked.callback),
        ignore_self,
        caller: shared.caller(socket, client, session),
        audience: Arc::clone(audience) as Arc<dyn Audience>,
        sink: aloft.flight.clone(),
    };
    shared.pipeline.sync(call).await.body
}

fn check(request: SyncRequest) -> Result<Checked, ErrorEnvelope> {
    let SyncRequest { request, callback, receiver, .. } = request;
    let (Some(name), Some(input)) = (request.name, request.data) else {
        return Err(codes::INVALID_REQUEST.into());
    };
    if parse_transport_name(Prefix::Sync, &name).is_err() {
        return Err(ErrorEnvelope::new(routing::INVALID_SERVICE_ROUTE_NAME).param("name", name));
    }
    let Some(callback) = callback.filter(|callback| !callback.is_empty()) else {
        return Err(codes::INVALID_CALLBACK.into());
    };
    let Some(receiver) = receiver.filter(|receiver| !receiver.is_empty()) else {
        return Err(codes::MISSING_RECEIVER.into());
    };
    Ok(Checked { name, input, callback, receiver })
}

/// The envelope of a message that does not become a call.
async fn refused(shared: &Shared, socket: &Socket, client: &Client, error: ErrorEnvelope) -> Bytes {
    let caller = shared.caller(socket, client, None);
    shared.pipeline.refuse(Surface::Sync, caller, error).await.body
}

fn stopped(stop: HookStop) -> ErrorEnvelope {
    RawError::from_parts::<String, Vec<u8>>(&stop.error_code, [], stop.http_status)
        .into_envelope(Surface::Sync.fallback_status())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_refused_for_the_first_thing_that_is_wrong() {
        let good = r#"{"name":"sync/b/m/v1","data":{},"cb":"b/m/v1","receiver":"r"}"#;
        for (message, code) in [
            (good.to_owned(), None),
            (good.replace("\"data\":{}", "\"data\":[]"), Some("sync.invalidRequest")),
            (good.replace("\"sync/b/m/v1\"", "7"), Some("sync.invalidRequest")),
            (good.replace("sync/b/m/v1", "sync/b"), Some("routing.invalidServiceRouteName")),
            (good.replace("\"b/m/v1\"", "\"\""), Some("sync.invalidCallback")),
            (good.replace("\"b/m/v1\"", "7"), Some("sync.invalidCallback")),
            (good.replace("\"r\"", "\"  \""), Some("sync.missingReceiver")),
            (good.replace("\"r\"", "null"), Some("sync.missingReceiver")),
            (r#"{"data":{},"cb":""}"#.to_owned(), Some("sync.invalidRequest")),
            (r#"{"name":"x","data":{},"cb":""}"#.to_owned(), Some("routing.invalidServiceRouteName")),
        ] {
            let request = SyncRequest::read(&Bytes::from(message.clone())).unwrap();
            let refused = check(request).err().map(|error| error.error_code.into_owned());
            assert_eq!(refused.as_deref(), code, "{message}");
        }
    }
}
