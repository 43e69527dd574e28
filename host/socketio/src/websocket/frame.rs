//! Frames that the server sends (§5.2): whole messages, unmasked.

use bytes::Bytes;

use super::CloseCode;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Goes on with a message.
    Continuation = 0,
    /// UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// Ends the connection.
    Close = 8,
    /// Asks whether somebody is there.
    Ping = 9,
    /// Answers a ping.
    Pong = 10,
}

impl Opcode {
    pub(super) fn from_bits(bits: u8) -> Option<Opcode> {
        Some(match bits {
            0 => Opcode::Continuation,
            1 => Opcode::Text,
            2 => Opcode::Binary,
            8 => Opcode::Close,
            9 => Opcode::Ping,
            10 => Opcode::Pong,
            _ => return None,
        })
    }

    /// Whether frames of it stand between those of a message.
    pub(super) fn is_control(self) -> bool {
        self as u8 >= 8
    }
}

/// Bytes of the longest [`Header`].
const MAX_HEADER: usize = 10;

/// What stands before the payload of a frame that the server sends.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; MAX_HEADER],
    len: u8,
}

impl Header {
    /// Of a whole message of `payload` bytes.
    pub fn new(opcode: Opcode, payload: usize) -> Header {
        let mut bytes = [0; MAX_HEADER];
        bytes[0] = 0x80 | opcode as u8;
        let len = match payload {
            0..126 => {
                bytes[1] = payload as u8;
                2
            }
            126..0x1_0000 => {
                bytes[1] = 126;
                bytes[2..4].copy_from_slice(&(payload as u16).to_be_bytes());
                4
            }
            _ => {
                bytes[1] = 127;
                bytes[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
                10
            }
        };
        Header { bytes, len }
    }

    /// Its bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A message in one buffer with its frame header, so that a WebSocket takes it whole and a poll without the
/// header. Cheap to clone: what is sent to many is encoded once.
#[derive(Clone)]
pub struct Framed {
    frame: Bytes,
    header: u8,
}

impl Framed {
    /// A text frame. `write` appends the payload, about `capacity` bytes, to what it is given, and leaves
    /// alone what stands there.
    pub fn text(capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Framed {
        Framed::write(Opcode::Text, capacity, write)
    }

    /// A binary frame.
    pub fn binary(payload: &[u8]) -> Framed {
        Framed::write(Opcode::Binary, payload.len(), |out| out.extend_from_slice(payload))
    }

    /// A frame of `opcode`.
    fn write(opcode: Opcode, capacity: usize, write: impl FnOnce(&mut Vec<u8>)) -> Framed {
        let mut buffer = Vec::with_capacity(MAX_HEADER + capacity);
        buffer.resize(MAX_HEADER, 0);
        write(&mut buffer);
        // The header's length is known only now: it stands right before the payload, and what is left of its
        // place is cut off.
        let header = Header::new(opcode, buffer.len() - MAX_HEADER);
        let start = MAX_HEADER - usize::from(header.len);
        buffer[start..MAX_HEADER].copy_from_slice(header.as_slice());
        Framed { frame: Bytes::from(buffer).slice(start..), header: header.len }
    }

    /// Header and payload.
    pub fn frame(&self) -> &Bytes {
        &self.frame
    }

    /// The payload.
    pub fn payload(&self) -> &[u8] {
        &self.frame[usize::from(self.header)..]
    }

    /// The payload, not copied.
    pub fn to_payload(&self) -> Bytes {
        self.frame.slice(usize::from(self.header)..)
    }

    /// Whether the payload is bytes and not text.
    pub fn is_binary(&self) -> bool {
        self.frame.first() == Some(&(0x80 | Opcode::Binary as u8))
    }
}

impl std::fmt::Debug for Framed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Framed({} bytes)", self.payload().len())
    }
}

/// A close frame; `None` when the client gave no code and is to get none.
pub fn close(code: Option<CloseCode>) -> Vec<u8> {
    close_with(code.map(|code| code as u16))
}

/// A close frame with a client's own code, which was checked when it was read.
pub(super) fn close_with(code: Option<u16>) -> Vec<u8> {
    let mut out = Vec::with_capacity(4);
    let body = code.map(u16::to_be_bytes);
    let body = body.as_ref().map_or(&[][..], |code| &code[..]);
    out.extend_from_slice(Header::new(Opcode::Close, body.len()).as_slice());
    out.extend_from_slice(body);
    out
}
