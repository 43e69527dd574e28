//! What is sent to rooms: MessagePack `[uid, packet, opts]`.
//!
//! `packet` is `{type:2, data:[event, …args], nsp:"/"}`, `opts` is `{rooms:[…], except:[…], flags:{…}}`.

use bytes::Bytes;
use rmp::encode::ByteBuf;

use super::decode::{Json, NotMessagePack, Reader};
use super::encode::{self, NotJson};
use super::local::Packet;
use crate::Target;

/// The namespace that the cluster shares.
pub(super) const NAMESPACE: &str = "/";
/// Socket.IO's number of an event, without and with attachments.
pub(super) const EVENT: u64 = 2;
pub(super) const BINARY_EVENT: u64 = 5;

/// A broadcast of another host. Its event is looked at once somebody here is to get it.
#[derive(Debug)]
pub(super) struct Broadcast<'a> {
    /// Before the array with the event.
    data: Reader<'a>,
    pub(super) rooms: Vec<String>,
    pub(super) except: Vec<String>,
}

/// The message of a broadcast; `data` is the JSON text of `[event, …args]`.
pub(super) fn encode(uid: &str, target: Target<'_>, data: &str) -> Result<Bytes, NotJson> {
    let mut out = ByteBuf::with_capacity(128 + data.len());
    encode::array(&mut out, 3)?;
    encode::text(&mut out, uid)?;
    encode::map(&mut out, 3)?;
    encode::text(&mut out, "type")?;
    encode::number(&mut out, EVENT);
    encode::text(&mut out, "data")?;
    encode::json(&mut out, data, &[])?;
    encode::text(&mut out, "nsp")?;
    encode::text(&mut out, NAMESPACE)?;
    encode::map(&mut out, 3)?;
    for (key, rooms) in [("rooms", target.rooms), ("except", target.except)] {
        encode::text(&mut out, key)?;
        encode::array(&mut out, rooms.len())?;
        for room in rooms {
            encode::text(&mut out, room)?;
        }
    }
    encode::text(&mut out, "flags")?;
    encode::map(&mut out, 0)?;
    Ok(out.into_vec().into())
}

/// A broadcast, if it is another host's, and an event for this namespace.
pub(super) fn decode<'a>(message: &'a Bytes, own_uid: &str) -> Result<Option<Broadcast<'a>>, NotMessagePack> {
    let mut reader = Reader::new(message);
    let len = reader.array()?;
    let uid = reader.name()?;
    if uid == own_uid {
        return Ok(None);
    }
    let (mut kind, mut namespace, mut data) = (None, None, None);
    for _ in 0..reader.map()? {
        match &*reader.name()? {
            "type" => kind = reader.maybe_number()?,
            "nsp" => namespace = reader.maybe_name()?,
            "data" => {
                data = Some(reader.clone());
                reader.skip()?;
            }
            _ => reader.skip()?,
        }
    }
    let (mut rooms, mut except) = (Vec::new(), Vec::new());
    for _ in 0..reader.map()? {
        match &*reader.name()? {
            "rooms" => rooms = reader.names()?,
            "except" => except = reader.names()?,
            _ => reader.skip()?,
        }
    }
    for _ in 3..len {
        reader.skip()?;
    }
    if !reader.is_at_end() {
        return reader.unexpected();
    }
    // Without a namespace, from old senders, it is the default one.
    let is_for_us = namespace.is_none_or(|namespace| namespace == NAMESPACE);
    Ok(match (kind, data) {
        (Some(EVENT | BINARY_EVENT), Some(data)) if is_for_us => Some(Broadcast { data, rooms, except }),
        _ => None,
    })
}

impl Broadcast<'_> {
    /// What is to be sent.
    pub(super) fn packet(&self) -> Result<Packet, NotMessagePack> {
        let mut data = self.data.clone();
        let begun = data.clone();
        if data.array()? == 0 || !data.is_text() {
            return begun.unexpected();
        }
        let mut json = Json::default();
        begun.clone().json(&mut json)?;
        Ok(Packet { data: json.text.into(), attachments: json.attachments })
    }
}
