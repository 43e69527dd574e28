//! Reads a client's frames, strictly: what breaks a rule is answered with the close code for it.
//!
//! Bytes come as the socket gives them, cut anywhere. A message that came whole is copied out of them once,
//! unmasked on the way; only what is incomplete is kept, so that an idle connection holds no buffer, and
//! memory grows with what has come and not with what a header announces.

use bytes::Bytes;

use super::frame::{Opcode, close_with};
use super::{CloseCode, Violation};
use crate::packet::Text;

/// Bytes of the longest header of a client: two, eight of length, four of mask.
const MAX_HEADER: usize = 14;

/// Bytes that a control frame may carry.
const MAX_CONTROL: u64 = 125;

/// What a client said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Text, all fragments together.
    Text(Text),
    /// Bytes, all fragments together.
    Binary(Bytes),
    /// Wants a pong with the same bytes.
    Ping(Bytes),
    /// An answer to a ping, or unasked.
    Pong,
    /// Wants to end the connection; nothing after it is read.
    Close(Option<u16>),
}

impl Message {
    /// The frame that has to be sent back: a pong, or the close frame that ends the handshake of closing.
    pub fn answer(&self) -> Option<Vec<u8>> {
        match self {
            Message::Ping(payload) => {
                let header = super::Header::new(Opcode::Pong, payload.len());
                Some([header.as_slice(), payload].concat())
            }
            Message::Close(code) => Some(close_with(*code)),
            Message::Text(_) | Message::Binary(_) | Message::Pong => None,
        }
    }
}

/// Reads one connection's frames.
#[derive(Debug)]
pub struct Reader {
    max_payload: usize,
    closed: bool,
    partial: Option<Box<Partial>>,
}

/// What is incomplete: a header, a frame, a message.
#[derive(Default)]
struct Partial {
    header: [u8; MAX_HEADER],
    header_len: u8,
    frame: Option<Frame>,
    /// What the message in fragments is, if there is one.
    kind: Option<Opcode>,
    /// Its payload so far.
    message: Vec<u8>,
    /// That of a control frame so far.
    control: Vec<u8>,
}

impl std::fmt::Debug for Partial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Partial").field("frame", &self.frame).field("message", &self.message.len()).finish()
    }
}

/// A frame whose header has been read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    last: bool,
    opcode: Opcode,
    /// Bytes of payload that have not come yet.
    missing: usize,
    /// Turned so that it begins with the byte for the next byte of payload.
    mask: [u8; 4],
}

impl Reader {
    /// Nothing has been read yet. A message may have `max_payload` bytes.
    pub fn new(max_payload: usize) -> Reader {
        Reader { max_payload, closed: false, partial: None }
    }

    /// Takes the next message off the front of `chunk`; `None` when all of it has been read.
    ///
    /// # Errors
    /// The client broke a rule: it has to be told, and nothing more of it is read.
    pub fn next(&mut self, chunk: &mut &[u8]) -> Result<Option<Message>, Violation> {
        if self.closed {
            *chunk = &[];
            return Ok(None);
        }
        let read = self.read(chunk);
        if matches!(read, Err(_) | Ok(Some(Message::Close(_)))) {
            self.closed = true;
            self.partial = None;
            *chunk = &[];
        }
        read
    }

    /// Whether nothing is kept of what came.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    fn read(&mut self, chunk: &mut &[u8]) -> Result<Option<Message>, Violation> {
        loop {
            let Some(mut partial) = self.partial.take() else {
                if chunk.is_empty() {
                    return Ok(None);
                }
                let Some((frame, len)) = header(chunk, None, 0, self.max_payload)? else {
                    self.keep(Box::default(), chunk);
                    return Ok(None);
                };
                *chunk = &chunk[len..];
                if frame.last && frame.missing <= chunk.len() {
                    let (payload, rest) = chunk.split_at(frame.missing);
                    *chunk = rest;
                    let mut message = Vec::new();
                    unmask(&mut message, payload, frame.mask);
                    return finish(frame.opcode, message).map(Some);
                }
                self.partial = Some(Box::new(Partial { frame: Some(frame), ..Partial::default() }));
                continue;
            };
            let mut frame = match partial.frame {
                Some(frame) => frame,
                None => {
                    let had = usize::from(partial.header_len);
                    let more = chunk.len().min(MAX_HEADER - had);
                    partial.header[had..had + more].copy_from_slice(&chunk[..more]);
                    let known = &partial.header[..had + more];
                    match header(known, partial.kind, partial.message.len(), self.max_payload)? {
                        Some((frame, len)) => {
                            *chunk = &chunk[len - had..];
                            partial.header_len = 0;
                            frame
                        }
                        None => {
                            self.keep(partial, chunk);
                            return Ok(None);
                        }
                    }
                }
            };
            let (payload, rest) = chunk.split_at(frame.missing.min(chunk.len()));
            *chunk = rest;
            let target = if frame.opcode.is_control() { &mut partial.control } else { &mut partial.message };
            unmask(target, payload, frame.mask);
            frame.missing -= payload.len();
            frame.mask.rotate_left(payload.len() % 4);
            if !frame.opcode.is_control() && frame.opcode != Opcode::Continuation {
                partial.kind = Some(frame.opcode);
            }
            if frame.missing > 0 {
                partial.frame = Some(frame);
                self.partial = Some(partial);
                return Ok(None);
            }
            partial.frame = None;
            if frame.opcode.is_control() {
                let payload = std::mem::take(&mut partial.control);
                // A message in fragments goes on after it.
                if partial.kind.is_some() {
                    self.partial = Some(partial);
                }
                return finish(frame.opcode, payload).map(Some);
            }
            if frame.last {
                let kind = partial.kind.unwrap_or(frame.opcode);
                return finish(kind, partial.message).map(Some);
            }
            self.partial = Some(partial);
            if chunk.is_empty() {
                return Ok(None);
            }
        }
    }

    /// Keeps the beginning of a header.
    fn keep(&mut self, mut partial: Box<Partial>, chunk: &mut &[u8]) {
        let had = usize::from(partial.header_len);
        partial.header[had..had + chunk.len()].copy_from_slice(chunk);
        partial.header_len += chunk.len() as u8;
        *chunk = &[];
        self.partial = Some(partial);
    }
}

/// Reads a header, if all of it has come, and its length. `kind` is that of the message in fragments, of
/// which `had` bytes have come. Complains as soon as something is wrong.
fn header(
    bytes: &[u8],
    kind: Option<Opcode>,
    had: usize,
    max_payload: usize,
) -> Result<Option<(Frame, usize)>, Violation> {
    let Some(&first) = bytes.first() else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::protocol("a reserved bit is set"));
    }
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(Violation::protocol("an unknown opcode"))?;
    let last = first & 0x80 != 0;
    if opcode.is_control() && !last {
        return Err(Violation::protocol("a control frame in fragments"));
    }
    match (opcode, kind) {
        (Opcode::Continuation, None) => {
            return Err(Violation::protocol("a continuation of no message"));
        }
        (Opcode::Text | Opcode::Binary, Some(_)) => {
            return Err(Violation::protocol("a new message within the fragments of another"));
        }
        _ => {}
    }
    let Some(&second) = bytes.get(1) else { return Ok(None) };
    if second & 0x80 == 0 {
        return Err(Violation::protocol("a frame that is not masked"));
    }
    let (payload, len) = match second & 0x7f {
        126 => {
            let Some(&length) = bytes.get(2..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
            (u64::from(u16::from_be_bytes(length)), 4)
        }
        127 => {
            let Some(&length) = bytes.get(2..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
            (u64::from_be_bytes(length), 10)
        }
        short => (u64::from(short), 2),
    };
    if opcode.is_control() && payload > MAX_CONTROL {
        return Err(Violation::protocol("a control frame of more than 125 bytes"));
    }
    if len == 4 && payload < 126 || len == 10 && payload <= u64::from(u16::MAX) || payload >> 63 == 1 {
        return Err(Violation::protocol("a length that is not written as it has to be"));
    }
    let fits = usize::try_from(payload).ok().filter(|payload| {
        opcode.is_control() || had.checked_add(*payload).is_some_and(|all| all <= max_payload)
    });
    let Some(missing) = fits else {
        return Err(Violation { code: CloseCode::TooBig, reason: "a message of more than maxPayload bytes" });
    };
    let Some(&mask) = bytes.get(len..).and_then(<[u8]>::first_chunk) else { return Ok(None) };
    Ok(Some((Frame { last, opcode, missing, mask }, len + 4)))
}

/// A message from its whole payload.
fn finish(opcode: Opcode, payload: Vec<u8>) -> Result<Message, Violation> {
    match opcode {
        Opcode::Text => match Text::new(Bytes::from(payload)) {
            Ok(text) => Ok(Message::Text(text)),
            Err(_) => Err(Violation { code: CloseCode::InvalidText, reason: "text that is not UTF-8" }),
        },
        Opcode::Binary | Opcode::Continuation => Ok(Message::Binary(Bytes::from(payload))),
        Opcode::Ping => Ok(Message::Ping(Bytes::from(payload))),
        Opcode::Pong => Ok(Message::Pong),
        Opcode::Close => match payload.split_first_chunk::<2>() {
            None if payload.is_empty() => Ok(Message::Close(None)),
            None => Err(Violation::protocol("a close frame of one byte")),
            Some((code, reason)) => {
                let code = u16::from_be_bytes(*code);
                // §7.4: defined and allowed in a frame, registered since, or of libraries and applications.
                if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                    return Err(Violation::protocol("a close code that may not be sent"));
                }
                if std::str::from_utf8(reason).is_err() {
                    return Err(Violation {
                        code: CloseCode::InvalidText,
                        reason: "a close reason that is not UTF-8",
                    });
                }
                Ok(Message::Close(Some(code)))
            }
        },
    }
}

/// Appends `payload`, unmasked, to `out`.
fn unmask(out: &mut Vec<u8>, payload: &[u8], mask: [u8; 4]) {
    let start = out.len();
    out.extend_from_slice(payload);
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = out[start..].as_chunks_mut::<8>();
    for bytes in words {
        *bytes = (u64::from_ne_bytes(*bytes) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip([a, b, c, d].into_iter().cycle()) {
        *byte ^= mask;
    }
}
