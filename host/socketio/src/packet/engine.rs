//! Engine.IO 4 packets (Appendix A): a digit, then what it carries. A poll carries several, with a record
//! separator between them; in it binary messages are base64 after a `b`, while over WebSocket a binary
//! message is a binary frame and nothing else.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use bytes::Bytes;

use super::{ParseError, Text};

/// Between two packets of one poll. JSON text never contains it.
pub const SEPARATOR: u8 = 0x1e;

/// Reads with and without padding, as Node does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// `0`: a session begins. Only servers say it.
    Open,
    /// `1`: the session ends.
    Close,
    /// `2`: are you there? With `probe`, over a transport that is being tried.
    Ping(Text),
    /// `3`: I am. With what the ping carried.
    Pong(Text),
    /// `4`: a message.
    Message(Text),
    /// `b`, or a binary frame: a binary message.
    Binary(Bytes),
    /// `5`: go on over this transport.
    Upgrade,
    /// `6`: nothing; ends a poll.
    Noop,
}

/// Reads one packet: a text frame, or a part of a poll.
///
/// # Errors
/// [`ParseError::EngineType`], [`ParseError::Base64`].
pub fn decode(text: &Text) -> Result<Packet, ParseError> {
    let bytes = text.as_bytes();
    let rest = || text.slice(1..bytes.len());
    match bytes.first() {
        Some(b'0') => Ok(Packet::Open),
        Some(b'1') => Ok(Packet::Close),
        Some(b'2') => Ok(Packet::Ping(rest())),
        Some(b'3') => Ok(Packet::Pong(rest())),
        Some(b'4') => Ok(Packet::Message(rest())),
        Some(b'5') => Ok(Packet::Upgrade),
        Some(b'6') => Ok(Packet::Noop),
        Some(b'b') => match LENIENT.decode(&bytes[1..]) {
            Ok(binary) => Ok(Packet::Binary(Bytes::from(binary))),
            Err(_) => Err(ParseError::Base64),
        },
        _ => Err(ParseError::EngineType),
    }
}

/// Reads the packets of a poll's body one after the other; ends after the first that is none.
pub fn decode_body(body: Text) -> Body {
    Body { rest: Some(body) }
}

/// Packets of a poll's body.
#[derive(Debug)]
pub struct Body {
    rest: Option<Text>,
}

impl Iterator for Body {
    type Item = Result<Packet, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let body = self.rest.take()?;
        let bytes = body.as_bytes();
        let packet = match memchr::memchr(SEPARATOR, bytes) {
            Some(at) => {
                self.rest = Some(body.slice(at + 1..bytes.len()));
                decode(&body.slice(0..at))
            }
            None => decode(&body),
        };
        if packet.is_err() {
            self.rest = None;
        }
        Some(packet)
    }
}

/// Appends an encoded packet to a poll's body.
pub fn push(body: &mut Vec<u8>, packet: &[u8]) {
    separate(body);
    body.extend_from_slice(packet);
}

/// Appends a binary message to a poll's body.
pub fn push_binary(body: &mut Vec<u8>, binary: &[u8]) {
    separate(body);
    body.push(b'b');
    body.extend_from_slice(STANDARD.encode(binary).as_bytes());
}

/// Bytes that [`push_binary`] appends, but for the separator.
pub fn binary_len(binary: usize) -> usize {
    1 + binary.div_ceil(3) * 4
}

fn separate(body: &mut Vec<u8>) {
    if !body.is_empty() {
        body.push(SEPARATOR);
    }
}

/// What the open packet tells the client. Serialised in the order of Node's.
#[derive(Clone, Copy, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Open<'a> {
    /// The session's id; nobody else knows it.
    pub sid: &'a str,
    /// Transports that may be tried.
    pub upgrades: &'a [&'a str],
    /// Milliseconds before the first ping, and between pings.
    pub ping_interval: u64,
    /// Milliseconds that a pong may take.
    pub ping_timeout: u64,
    /// Bytes of a message, at most.
    pub max_payload: u64,
}

impl Open<'_> {
    /// `0{…}`.
    pub fn encode(&self) -> String {
        // Strings and numbers: it cannot fail.
        format!("0{}", serde_json::to_string(self).unwrap_or_default())
    }
}
