//! What hosts ask each other, and answer: JSON, or MessagePack where something may be binary.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rmp::encode::ByteBuf;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::RemoteSocket;
use super::broadcast::{BINARY_EVENT, EVENT, NAMESPACE};
use super::decode::{Json, Reader};
use super::encode::{self, NotJson};
use super::local::Packet;
use crate::Socket;

/// The numbers of requests, and of those answers that say what they are.
pub(super) const SOCKETS: u64 = 0;
pub(super) const ALL_ROOMS: u64 = 1;
pub(super) const REMOTE_JOIN: u64 = 2;
pub(super) const REMOTE_LEAVE: u64 = 3;
pub(super) const REMOTE_DISCONNECT: u64 = 4;
pub(super) const REMOTE_FETCH: u64 = 5;
pub(super) const SERVER_SIDE_EMIT: u64 = 6;
pub(super) const BROADCAST: u64 = 7;
pub(super) const BROADCAST_CLIENT_COUNT: u64 = 8;
const BROADCAST_ACK: u64 = 9;

/// What somebody said is no request or answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Malformed {
    /// What serde_json says would repeat what was said.
    #[error("it is no JSON of the right form from byte {} on", .0.column())]
    Json(#[from] serde_json::Error),
    #[error("{0}")]
    MessagePack(#[from] super::decode::NotMessagePack),
}

/// A request of another host, or of this one.
#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(rename = "type")]
    pub(super) kind: u64,
    #[serde(default)]
    pub(super) uid: Option<Name>,
    #[serde(default, rename = "requestId")]
    pub(super) id: Option<Name>,
    /// Whose sockets.
    #[serde(default)]
    pub(super) opts: Option<Opts>,
    /// Whose sockets, of [`SOCKETS`]; which rooms, of [`REMOTE_JOIN`] and [`REMOTE_LEAVE`].
    #[serde(default)]
    pub(super) rooms: Option<Vec<Name>>,
    /// The one socket, for old askers.
    #[serde(default)]
    pub(super) sid: Option<Name>,
    #[serde(default)]
    pub(super) room: Option<Name>,
    /// Whether the connection is closed, too, of [`REMOTE_DISCONNECT`].
    #[serde(default)]
    pub(super) close: Option<bool>,
    #[serde(default, borrow)]
    packet: Option<EventPacket<'a>>,
}

/// Which sockets are meant.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Opts {
    #[serde(default)]
    pub(super) rooms: Option<Vec<Name>>,
    #[serde(default)]
    pub(super) except: Option<Vec<Name>>,
    #[serde(default)]
    flags: Option<Flags>,
}

#[derive(Debug, Default, Deserialize)]
struct Flags {
    /// Milliseconds.
    #[serde(default)]
    timeout: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct EventPacket<'a> {
    #[serde(rename = "type")]
    kind: u64,
    #[serde(default)]
    nsp: Option<String>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A name; in JavaScript it may be a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(pub(super) String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(serde_json::Number),
        }
        Ok(Name(match Either::deserialize(deserializer)? {
            Either::Text(text) => text,
            Either::Number(number) => number.to_string(),
        }))
    }
}

/// Names as text.
pub(super) fn texts(names: Option<&Vec<Name>>) -> Vec<&str> {
    names.into_iter().flatten().map(|name| &*name.0).collect()
}

/// A message as JSON text: what is MessagePack is transcoded.
pub(super) fn read(message: &Bytes) -> Result<Json, Malformed> {
    if message.first() == Some(&b'{') {
        return Ok(Json { text: message.to_vec(), attachments: Vec::new() });
    }
    let mut reader = Reader::new(message);
    let mut json = Json::default();
    reader.json(&mut json)?;
    match reader.is_at_end() {
        true => Ok(json),
        false => Ok(reader.unexpected()?),
    }
}

impl<'a> Request<'a> {
    pub(super) fn parse(json: &'a Json) -> Result<Self, Malformed> {
        Ok(serde_json::from_slice(&json.text)?)
    }

    /// How long the asker of a [`BROADCAST`] waits for the clients, if it says so.
    pub(super) fn patience(&self) -> Option<Duration> {
        let millis = self.opts.as_ref()?.flags.as_ref()?.timeout?;
        Duration::try_from_secs_f64(millis / 1e3).ok()
    }

    /// The event of a [`BROADCAST`], if it is one for this namespace.
    pub(super) fn packet(&self, json: &Json) -> Option<Packet> {
        let packet = self.packet.as_ref()?;
        let is_event = matches!(packet.kind, EVENT | BINARY_EVENT);
        let is_for_us = packet.nsp.as_ref().is_none_or(|namespace| namespace == NAMESPACE);
        let data = packet.data.get();
        let is_named = data.strip_prefix('[').is_some_and(|rest| rest.trim_start().starts_with('"'));
        (is_event && is_for_us && is_named).then(|| Packet {
            data: Bytes::copy_from_slice(data.as_bytes()),
            attachments: json.attachments.clone(),
        })
    }
}

// --- Answers to others ---

/// Any answer of this host. What it does not say is left out; `uid` is no part of npm's answers, whose
/// readers pass it over: by it a host of this kind counts each other once.
#[derive(Debug, Default, Serialize)]
pub(super) struct Answer<'a> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<u64>,
    #[serde(rename = "requestId")]
    pub(super) id: &'a str,
    pub(super) uid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sockets: Option<Sockets<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rooms: Option<&'a [Arc<str>]>,
    #[serde(rename = "clientCount", skip_serializing_if = "Option::is_none")]
    pub(super) count: Option<usize>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Sockets<'a> {
    Ids(Vec<&'a str>),
    Whole(Vec<Shown<'a>>),
}

/// A socket as others are shown it.
#[derive(Debug, Serialize)]
pub(super) struct Shown<'a> {
    id: &'a str,
    handshake: super::handshake::Shown<'a>,
    rooms: Vec<Arc<str>>,
    /// What Node keeps for the app: nothing here.
    data: Empty,
}

#[derive(Debug, Serialize)]
pub(super) struct Empty {}

impl<'a> Shown<'a> {
    pub(super) fn of(socket: &'a Socket) -> Self {
        let handshake = super::handshake::Shown::of(socket.handshake());
        Self { id: socket.id(), handshake, rooms: socket.rooms(), data: Empty {} }
    }
}

impl Answer<'_> {
    /// As JSON.
    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

/// What a client said to the event of a [`BROADCAST`]: JSON text, if it said anything.
pub(super) fn acknowledgement(
    id: &str,
    argument: Option<&str>,
    attachments: &[Bytes],
) -> Result<Bytes, NotJson> {
    let mut out = ByteBuf::new();
    encode::map(&mut out, if argument.is_some() { 3 } else { 2 })?;
    encode::text(&mut out, "type")?;
    encode::number(&mut out, BROADCAST_ACK);
    encode::text(&mut out, "requestId")?;
    encode::text(&mut out, id)?;
    if let Some(argument) = argument {
        encode::text(&mut out, "packet")?;
        encode::json(&mut out, argument, attachments)?;
    }
    Ok(out.into_vec().into())
}

// --- Asking others ---

/// The request for the sockets of the others.
pub(super) fn fetch(uid: &str, id: &str, rooms: &[&str], except: &[&str]) -> Bytes {
    #[derive(Serialize)]
    struct Fetch<'a> {
        uid: &'a str,
        #[serde(rename = "requestId")]
        id: &'a str,
        #[serde(rename = "type")]
        kind: u64,
        opts: Whom<'a>,
    }
    #[derive(Serialize)]
    struct Whom<'a> {
        rooms: &'a [&'a str],
        except: &'a [&'a str],
    }
    let fetch = Fetch { uid, id, kind: REMOTE_FETCH, opts: Whom { rooms, except } };
    serde_json::to_vec(&fetch).unwrap_or_default().into()
}

/// Which request an answer is for.
pub(super) fn answered(json: &Json) -> Result<Option<String>, Malformed> {
    #[derive(Deserialize)]
    struct Answered {
        #[serde(default, rename = "requestId")]
        id: Option<Name>,
    }
    let answered: Answered = serde_json::from_slice(&json.text)?;
    Ok(answered.id.map(|id| id.0))
}

/// Another host's answer to [`fetch`].
#[derive(Debug, Deserialize)]
pub(super) struct Fetched<'a> {
    /// Only hosts of this kind tell it.
    #[serde(default)]
    pub(super) uid: Option<String>,
    #[serde(borrow)]
    sockets: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct FetchedSocket<'a> {
    id: String,
    #[serde(default, borrow)]
    handshake: Option<&'a RawValue>,
    #[serde(default)]
    rooms: Vec<Name>,
}

impl<'a> Fetched<'a> {
    pub(super) fn parse(json: &'a Json) -> Result<Self, Malformed> {
        Ok(serde_json::from_slice(&json.text)?)
    }

    /// Its sockets, but for those in `known`, which they are added to.
    pub(super) fn sockets(&self, known: &mut HashSet<String>) -> Vec<RemoteSocket> {
        let mut sockets = Vec::with_capacity(self.sockets.len());
        for raw in &self.sockets {
            match serde_json::from_str::<FetchedSocket<'_>>(raw.get()) {
                Ok(socket) if known.insert(socket.id.clone()) => sockets.push(socket.into()),
                Ok(_) => {}
                Err(_) => tracing::debug!("another host's socket is malformed: left out"),
            }
        }
        sockets
    }
}

impl From<FetchedSocket<'_>> for RemoteSocket {
    fn from(socket: FetchedSocket<'_>) -> Self {
        let handshake = socket.handshake.and_then(|raw| serde_json::from_str(raw.get()).ok());
        RemoteSocket {
            id: socket.id,
            handshake: handshake.unwrap_or(serde_json::Value::Null),
            rooms: socket.rooms.into_iter().map(|room| room.0).collect(),
        }
    }
}
