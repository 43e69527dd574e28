//! `joinRoom`, `leaveRoom` and `getJoinedRooms` (wire protocol §2.7).
//!
//! Rooms belong to a session (its other sockets join them when they connect) and to the one socket that
//! asked. A socket's own room and that of its token belong to nobody: they can be neither joined nor left.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use luckystack_pipeline::envelope::{ErrorEnvelope, RawError, room};
use luckystack_pipeline::json::write_str;
use luckystack_sessions::SessionError;
use luckystack_socketio::Socket;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::message::RoomRequest;
use crate::shared::{Shared, unavailable};

/// UTF-16 units of a room's name, as JavaScript counts.
const MAX_NAME: usize = 256;
/// A hook's stop has this status, whatever it says (§2.7).
const STOPPED: u16 = 400;

/// What a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Join,
    Leave,
}

impl Change {
    const fn event(self) -> &'static str {
        match self {
            Change::Join => "joinRoom-",
            Change::Leave => "leaveRoom-",
        }
    }

    const fn before(self) -> &'static str {
        match self {
            Change::Join => "preRoomJoin",
            Change::Leave => "preRoomLeave",
        }
    }

    const fn after(self) -> &'static str {
        match self {
            Change::Join => "postRoomJoin",
            Change::Leave => "postRoomLeave",
        }
    }

    const fn blocked(self) -> &'static str {
        match self {
            Change::Join => room::JOIN_BLOCKED.code,
            Change::Leave => room::LEAVE_BLOCKED.code,
        }
    }
}

/// Answers a request; nothing is to be done without a number to reply to.
pub(crate) fn request(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    change: Change,
    payload: &Bytes,
) -> Option<BoxFuture<'static, ()>> {
    let RoomRequest { group, index } = RoomRequest::read(payload)?;
    let (shared, socket, client) = (Arc::clone(shared), Arc::clone(socket), Arc::clone(client));
    Some(Box::pin(async move {
        client.settled().await;
        let reply = match perform(&shared, &socket, &client, change, group).await {
            Ok(rooms) => rooms,
            Err(error) => shared.pipeline.error_reply(&client.language, error).body,
        };
        socket.emit(&index.event(change.event()), &reply);
    }))
}

/// Answers `getJoinedRooms`.
pub(crate) fn list(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Arc<Client>,
    payload: &Bytes,
) -> Option<BoxFuture<'static, ()>> {
    let RoomRequest { index, .. } = RoomRequest::read(payload)?;
    let (shared, socket, client) = (Arc::clone(shared), Arc::clone(socket), Arc::clone(client));
    Some(Box::pin(async move {
        client.settled().await;
        let reply = match &client.token {
            Some(token) => reply(&joined(&socket, token)),
            None => {
                let error = ErrorEnvelope::new(room::AUTH_REQUIRED);
                let mut body = shared.pipeline.error_reply(&client.language, error).body.to_vec();
                body.pop();
                body.extend_from_slice(br#","rooms":[]}"#);
                body.into()
            }
        };
        socket.emit(&index.event("getJoinedRooms-"), &reply);
    }))
}

async fn perform(
    shared: &Arc<Shared>,
    socket: &Arc<Socket>,
    client: &Client,
    change: Change,
    group: Option<String>,
) -> Result<Bytes, ErrorEnvelope> {
    let (Some(sessions), Some(token)) = (shared.sessions(), &client.token) else {
        return Err(room::AUTH_REQUIRED.into());
    };
    let group = group.filter(|group| is_name(group) && !is_somebodys(shared, group, token));
    let Some(group) = group else { return Err(room::INVALID.into()) };
    if shared.session(socket, client).await.map_err(|_| unavailable())?.is_none() {
        return Err(room::SESSION_NOT_FOUND.into());
    }
    let stop = shared.hooks.ask_with(change.before(), || json!({ "token": &**token, "room": &*group })).await;
    if let Some(stop) = stop {
        let code = if stop.error_code.trim().is_empty() { change.blocked() } else { &*stop.error_code };
        return Err(RawError::from_parts::<String, Vec<u8>>(code, [], None).into_envelope(STOPPED));
    }

    let _turn = shared.turns.of(token).await;
    let max = shared.rules.load().max_rooms;
    let mut evicted = Vec::new();
    let saved = sessions
        .update(token, &mut |fields| evicted = apply(fields, change, &group, max))
        .await
        .map_err(failed)?;
    if saved.is_none() {
        return Err(room::SESSION_NOT_FOUND.into());
    }
    for room in &evicted {
        socket.leave(room);
    }
    match change {
        Change::Join => socket.join(&group),
        Change::Leave => socket.leave(&group),
    };
    // `updateSession` comes before the reply.
    if let Some(notices) = shared.notices() {
        notices.told().await;
    }
    let rooms = joined(socket, token);
    let reply = reply(&rooms);
    shared.tell(change.after(), || {
        let rooms: Vec<&str> = rooms.iter().map(|room| &**room).collect();
        json!({ "token": &**token, "room": &*group, "allRooms": rooms })
    });
    Ok(reply)
}

/// Changes a session's room codes; those that make place for a new one.
fn apply(fields: &mut Map<String, Value>, change: Change, group: &str, max: Option<usize>) -> Vec<String> {
    let codes = fields.get("roomCodes").and_then(Value::as_array);
    let mut kept: Vec<String> = Vec::new();
    for code in codes.into_iter().flatten().filter_map(Value::as_str) {
        if !kept.iter().any(|other| other == code) {
            kept.push(code.to_owned());
        }
    }
    let mut evicted = Vec::new();
    match change {
        Change::Leave => kept.retain(|code| code != group),
        Change::Join if kept.iter().any(|code| code == group) => {}
        Change::Join => {
            if let Some(max) = max {
                let excess = (kept.len() + 1).saturating_sub(max).min(kept.len());
                evicted = kept.drain(..excess).collect();
            }
            kept.push(group.to_owned());
        }
    }
    fields.insert("roomCodes".into(), kept.into());
    evicted
}

fn is_name(group: &str) -> bool {
    !group.is_empty() && group.encode_utf16().count() <= MAX_NAME
}

/// Whether the room is one socket's own, or that of the session's token.
fn is_somebodys(shared: &Shared, group: &str, token: &str) -> bool {
    group == token || shared.io().socket(group).is_some()
}

/// Rooms of a socket but for its own and its token's, in the order it joined them.
fn joined(socket: &Socket, token: &str) -> Vec<Arc<str>> {
    let mut rooms = socket.rooms();
    rooms.retain(|room| room != socket.id() && **room != *token);
    rooms
}

/// `{"rooms":[…]}`.
fn reply(rooms: &[Arc<str>]) -> Bytes {
    let mut body = br#"{"rooms":["#.to_vec();
    for (at, room) in rooms.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        write_str(&mut body, room);
    }
    body.extend_from_slice(b"]}");
    body.into()
}

fn failed(error: SessionError) -> ErrorEnvelope {
    tracing::error!(%error, "a session's rooms were not changed");
    unavailable()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(codes: Value, change: Change, group: &str, max: Option<usize>) -> (Value, Vec<String>) {
        let mut fields = Map::from_iter([("roomCodes".to_owned(), codes)]);
        let evicted = apply(&mut fields, change, group, max);
        (fields.remove("roomCodes").unwrap(), evicted)
    }

    #[test]
    fn a_room_is_joined_once_and_the_oldest_make_place() {
        let join = |codes, group, max| changed(codes, Change::Join, group, max);
        let kept = |codes, evicted: &[&str]| (codes, evicted.iter().map(|&room| room.to_owned()).collect());
        for (before, group, max, after) in [
            (json!(null), "a", Some(2), kept(json!(["a"]), &[])),
            (json!(["a"]), "b", Some(2), kept(json!(["a", "b"]), &[])),
            (json!(["a", "b"]), "c", Some(2), kept(json!(["b", "c"]), &["a"])),
            (json!(["a", "b", "c", "d"]), "e", Some(2), kept(json!(["d", "e"]), &["a", "b", "c"])),
            (json!(["a", "b"]), "b", Some(2), kept(json!(["a", "b"]), &[])),
            (json!(["a", "b", "c"]), "c", Some(2), kept(json!(["a", "b", "c"]), &[])),
            (json!(["a", "b"]), "c", None, kept(json!(["a", "b", "c"]), &[])),
            (json!(["a", 7, "a", null]), "b", None, kept(json!(["a", "b"]), &[])),
            (json!("a"), "b", Some(1), kept(json!(["b"]), &[])),
            (json!(["a"]), "b", Some(1), kept(json!(["b"]), &["a"])),
        ] {
            assert_eq!(join(before.clone(), group, max), after, "{before} {group} {max:?}");
        }
    }

    #[test]
    fn a_room_is_left() {
        for (before, after) in [
            (json!(["a", "b"]), json!(["b"])),
            (json!(["b"]), json!(["b"])),
            (json!(["a"]), json!([])),
            (json!(null), json!([])),
        ] {
            assert_eq!(changed(before, Change::Leave, "a", Some(1)), (after, vec![]));
        }
    }

    #[test]
    fn names_are_counted_as_javascript_does() {
        assert!(is_name("x") && is_name(&"x".repeat(256)) && is_name(&"é".repeat(256)));
        assert!(!is_name("") && !is_name(&"x".repeat(257)) && !is_name(&"😀".repeat(129)));
    }

    #[test]
    fn a_reply_lists_rooms_as_json() {
        assert_eq!(reply(&[]), r#"{"rooms":[]}"#);
        assert_eq!(reply(&["a\"b".into(), "c".into()]), r#"{"rooms":["a\"b","c"]}"#);
    }
}
