//! Socket.IO 5 packets (Appendix A), read from and written as Engine.IO messages:
//!
//! `type [attachments "-"] [namespace ","] [acknowledgement] [JSON]`
//!
//! What is read is what clients send, and strictly: what socket.io-parser refuses, and what it lets pass
//! only because JavaScript does, is refused here. What is written begins with the `4` of the Engine.IO
//! message, ready to be a text frame or a part of a poll.

use std::fmt;

use bytes::Bytes;
use smallvec::SmallVec;

use super::json::{self, escape};
use super::{ParseError, Text, placeholders};
use crate::Event;

/// The namespace that everybody is in.
pub const DEFAULT_NAMESPACE: &str = "/";

/// Arguments that an event may have: what a client can send in one message would otherwise cost many times
/// its size to list.
pub const MAX_ARGUMENTS: usize = 1024;

/// Attachments that a packet may have, unless said otherwise.
pub const MAX_ATTACHMENTS: usize = 10;

/// Names that the protocol keeps for itself, as in socket.io-parser.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What a client says, complete with its attachments.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Where: `/`, or `/…`.
    pub namespace: Namespace,
    /// What.
    pub body: Body,
}

/// What a client says in a namespace.
#[derive(Clone, Debug)]
pub enum Body {
    /// `0`: may I join? With the `auth` object, JSON text, if there is one.
    Connect {
        /// JSON text of an object.
        auth: Option<Bytes>,
    },
    /// `1`: I leave.
    Disconnect,
    /// `2` and `5`: an event.
    Event(Event),
    /// `3` and `6`: the answer to an event of the server.
    Ack {
        /// The number that the server gave.
        id: u64,
        /// JSON text of each argument.
        args: SmallVec<[Bytes; 2]>,
        /// Binary attachments, in their order.
        attachments: Vec<Bytes>,
    },
}

/// Name of a namespace.
#[derive(Clone, PartialEq, Eq)]
pub struct Namespace(Option<Text>);

impl Namespace {
    /// `/`, or `/…`.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            // Cut out of UTF-8 text at ASCII characters.
            Some(name) => std::str::from_utf8(name.as_bytes()).unwrap_or(DEFAULT_NAMESPACE),
            None => DEFAULT_NAMESPACE,
        }
    }

    /// Whether it is `/`.
    pub fn is_default(&self) -> bool {
        self.0.is_none()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Reads the packets of one connection. Keeps nothing but a packet whose attachments are not all here.
#[derive(Debug)]
pub struct Decoder {
    max_attachments: usize,
    partial: Option<Box<Partial>>,
}

#[derive(Debug)]
struct Partial {
    packet: Packet,
    missing: usize,
}

impl Decoder {
    /// Nothing has been read yet. A packet may have `max_attachments`.
    pub fn new(max_attachments: usize) -> Decoder {
        Decoder { max_attachments, partial: None }
    }

    /// An Engine.IO message came; the packet, unless attachments are to follow.
    ///
    /// # Errors
    /// It is no packet, or an attachment was due.
    pub fn text(&mut self, message: &Text) -> Result<Option<Packet>, ParseError> {
        if self.partial.is_some() {
            return Err(ParseError::TextForAttachment);
        }
        let (packet, missing) = decode(message, self.max_attachments)?;
        if missing == 0 {
            return Ok(Some(packet));
        }
        self.partial = Some(Box::new(Partial { packet, missing }));
        Ok(None)
    }

    /// A binary Engine.IO message came; the packet when it was the last attachment.
    ///
    /// # Errors
    /// No attachment was due.
    pub fn binary(&mut self, attachment: Bytes) -> Result<Option<Packet>, ParseError> {
        let mut partial = self.partial.take().ok_or(ParseError::UnexpectedBinary)?;
        if let Body::Event(Event { attachments, .. }) | Body::Ack { attachments, .. } =
            &mut partial.packet.body
        {
            attachments.push(attachment);
        }
        partial.missing -= 1;
        if partial.missing == 0 {
            return Ok(Some(partial.packet));
        }
        self.partial = Some(partial);
        Ok(None)
    }

    /// Whether attachments are still to come.
    pub fn is_waiting(&self) -> bool {
        self.partial.is_some()
    }
}

/// Reads one packet, and how many attachments are to follow it.
fn decode(message: &Text, max_attachments: usize) -> Result<(Packet, usize), ParseError> {
    let bytes = message.as_bytes();
    let kind = *bytes.first().ok_or(ParseError::SocketType)?;
    if !matches!(kind, b'0' | b'1' | b'2' | b'3' | b'5' | b'6') {
        return Err(ParseError::SocketType);
    }
    let mut at = 1;
    let attachments = if matches!(kind, b'5' | b'6') {
        let (count, after) = digits(bytes, at).ok_or(ParseError::Attachments)?;
        if bytes.get(after) != Some(&b'-') {
            return Err(ParseError::Attachments);
        }
        at = after + 1;
        match count {
            Some(count) if count <= max_attachments as u64 => count as usize,
            _ => return Err(ParseError::TooManyAttachments),
        }
    } else {
        0
    };
    let namespace = if bytes.get(at) == Some(&b'/') {
        let end = bytes[at..].iter().position(|&byte| byte == b',').map_or(bytes.len(), |len| at + len);
        let name = message.slice(at..end);
        at = bytes.len().min(end + 1);
        Namespace(Some(name).filter(|name| name.as_bytes() != DEFAULT_NAMESPACE.as_bytes()))
    } else {
        Namespace(None)
    };
    let id = match digits(bytes, at) {
        Some((id, after)) => {
            at = after;
            Some(id.ok_or(ParseError::AckId)?)
        }
        None => None,
    };
    let payload = message.slice(at..bytes.len()).into_bytes();
    let body = match kind {
        b'0' if id.is_some() => return Err(ParseError::Payload),
        b'0' if payload.is_empty() => Body::Connect { auth: None },
        b'0' => {
            let range = json::object(&payload)?;
            Body::Connect { auth: Some(payload.slice(range)) }
        }
        b'1' if id.is_none() && payload.is_empty() => Body::Disconnect,
        b'1' => return Err(ParseError::Payload),
        b'2' | b'5' => {
            let elements = json::array(&payload, MAX_ARGUMENTS + 1)?;
            let Some((name, arguments)) = elements.split_first() else { return Err(ParseError::Payload) };
            let name = event_name(&payload[name.clone()])?;
            let args: SmallVec<_> = arguments.iter().map(|range| payload.slice(range.clone())).collect();
            if kind == b'5' {
                placeholders::check(&args, attachments)?;
            }
            Body::Event(Event { name, args, ack: id, attachments: Vec::new() })
        }
        _ => {
            let id = id.ok_or(ParseError::AckId)?;
            let elements = json::array(&payload, MAX_ARGUMENTS)?;
            let args: SmallVec<_> = elements.into_iter().map(|range| payload.slice(range)).collect();
            if kind == b'6' {
                placeholders::check(&args, attachments)?;
            }
            Body::Ack { id, args, attachments: Vec::new() }
        }
    };
    Ok((Packet { namespace, body }, attachments))
}

/// The number whose digits begin at `at`, `None` if it is too large, and where they end; `None` without any.
fn digits(bytes: &[u8], at: usize) -> Option<(Option<u64>, usize)> {
    let mut number = Some(0u64);
    let mut end = at;
    while let Some(&digit @ b'0'..=b'9') = bytes.get(end) {
        number = number.and_then(|it| it.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        end += 1;
    }
    (end > at).then_some((number, end))
}

fn event_name(json: &[u8]) -> Result<String, ParseError> {
    if json.first() != Some(&b'"') {
        return Err(ParseError::Payload);
    }
    let quoted = &json[1..json.len() - 1];
    let name = if quoted.contains(&b'\\') {
        serde_json::from_slice(json).map_err(|_| ParseError::Json)?
    } else {
        std::str::from_utf8(quoted).map_err(|_| ParseError::Utf8)?.to_owned()
    };
    if RESERVED.contains(&name.as_str()) { Err(ParseError::ReservedName) } else { Ok(name) }
}

/// Appends `40{"sid":…}`: the client has joined.
pub fn connect(out: &mut Vec<u8>, namespace: &str, sid: &str) {
    begin(out, b'0', 0, namespace, None);
    out.extend_from_slice(b"{\"sid\":");
    escape(out, sid);
    out.push(b'}');
}

/// Appends `44{"message":…,"data":…}`: the client may not join. `data` is JSON text.
pub fn connect_error(out: &mut Vec<u8>, namespace: &str, message: &str, data: Option<&[u8]>) {
    begin(out, b'4', 0, namespace, None);
    out.extend_from_slice(b"{\"message\":");
    escape(out, message);
    if let Some(data) = data {
        out.extend_from_slice(b",\"data\":");
        out.extend_from_slice(data);
    }
    out.push(b'}');
}

/// Appends `41`: the client has been made to leave.
pub fn disconnect(out: &mut Vec<u8>, namespace: &str) {
    begin(out, b'1', 0, namespace, None);
}

/// Appends `42["name",…args]`; with `attachments` to follow, `45n-["name",…args]`. Each argument is JSON text.
pub fn event(out: &mut Vec<u8>, namespace: &str, name: &str, args: &[&[u8]], attachments: usize) {
    begin(out, if attachments == 0 { b'2' } else { b'5' }, attachments, namespace, None);
    out.push(b'[');
    escape(out, name);
    for arg in args {
        out.push(b',');
        out.extend_from_slice(arg);
    }
    out.push(b']');
}

/// Appends `43id[…args]`; with `attachments` to follow, `46n-id[…args]`. Each argument is JSON text.
pub fn ack(out: &mut Vec<u8>, namespace: &str, id: u64, args: &[&[u8]], attachments: usize) {
    begin(out, if attachments == 0 { b'3' } else { b'6' }, attachments, namespace, Some(id));
    out.push(b'[');
    for (index, arg) in args.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(arg);
    }
    out.push(b']');
}

fn begin(out: &mut Vec<u8>, kind: u8, attachments: usize, namespace: &str, id: Option<u64>) {
    use std::io::Write as _;
    out.extend_from_slice(&[b'4', kind]);
    // Writing to memory cannot fail.
    if attachments > 0 {
        let _ = write!(out, "{attachments}-");
    }
    if namespace != DEFAULT_NAMESPACE {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
    if let Some(id) = id {
        let _ = write!(out, "{id}");
    }
}
