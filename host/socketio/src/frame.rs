//! Frames as they wait in queues: a message is one WebSocket frame, encoded once for all who get it.

use bytes::Bytes;

use crate::packet::{engine, socket};
use crate::websocket::{CloseCode, Framed, Opcode, close};

/// A WebSocket frame, or a message and its attachments, a frame each, with nothing between.
#[derive(Clone)]
pub(crate) struct Frame(Bytes);

const TEXT: u8 = Opcode::Text as u8;
const BINARY: u8 = Opcode::Binary as u8;

/// `1`: the session ends.
pub(crate) const CLOSE: Frame = Frame(Bytes::from_static(b"\x81\x011"));
/// `2`: are you there?
pub(crate) const PING: Frame = Frame(Bytes::from_static(b"\x81\x012"));
/// `6`: nothing; ends a poll.
pub(crate) const NOOP: Frame = Frame(Bytes::from_static(b"\x81\x016"));
/// `3probe`: this transport works.
pub(crate) const PROBED: Frame = Frame(Bytes::from_static(b"\x81\x063probe"));

impl Frame {
    /// `0{…}`.
    pub(crate) fn open(open: &engine::Open<'_>) -> Frame {
        Framed::text(192, |out| out.extend_from_slice(open.encode().as_bytes())).into()
    }

    /// `42["name",argument]`.
    pub(crate) fn event(name: &str, argument: &[u8]) -> Frame {
        let capacity = name.len() + argument.len() + 8;
        Framed::text(capacity, |out| socket::event(out, socket::DEFAULT_NAMESPACE, name, &[argument], 0))
            .into()
    }

    /// `42["name",…args]`, or `45n-["name",…args]` and the attachments that it has placeholders for.
    pub(crate) fn event_with(name: &str, args: &[&[u8]], attachments: &[Bytes]) -> Frame {
        let capacity = name.len() + args.iter().map(|arg| arg.len() + 1).sum::<usize>() + 16;
        let nsp = socket::DEFAULT_NAMESPACE;
        let text = Framed::text(capacity, |out| socket::event(out, nsp, name, args, attachments.len()));
        Frame::from(text).followed_by(attachments)
    }

    /// `43id[…args]`, or `46n-id[…args]` and the attachments that it has placeholders for.
    pub(crate) fn ack_with(id: u64, args: &[&[u8]], attachments: &[Bytes]) -> Frame {
        let capacity = args.iter().map(|arg| arg.len() + 1).sum::<usize>() + 32;
        let nsp = socket::DEFAULT_NAMESPACE;
        let text = Framed::text(capacity, |out| socket::ack(out, nsp, id, args, attachments.len()));
        Frame::from(text).followed_by(attachments)
    }

    fn followed_by(self, attachments: &[Bytes]) -> Frame {
        if attachments.is_empty() {
            return self;
        }
        let mut frames = self.0.to_vec();
        for attachment in attachments {
            frames.extend_from_slice(Framed::binary(attachment).frame());
        }
        Frame(frames.into())
    }

    /// `40{"sid":…}`.
    pub(crate) fn connect(id: &str) -> Frame {
        Framed::text(64, |out| socket::connect(out, socket::DEFAULT_NAMESPACE, id)).into()
    }

    /// `44{…}`.
    pub(crate) fn connect_error(namespace: &str, message: &str, data: Option<&[u8]>) -> Frame {
        Framed::text(64, |out| socket::connect_error(out, namespace, message, data)).into()
    }

    /// `41`.
    pub(crate) fn disconnect() -> Frame {
        Framed::text(2, |out| socket::disconnect(out, socket::DEFAULT_NAMESPACE)).into()
    }

    /// Ends a WebSocket.
    pub(crate) fn bye(code: Option<CloseCode>) -> Frame {
        Frame(close(code).into())
    }

    /// A frame that is encoded already.
    pub(crate) fn encoded(frame: Vec<u8>) -> Frame {
        Frame(frame.into())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// With its header.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// JSON text `[name,…args]` of an event.
    pub(crate) fn event_json(&self) -> &[u8] {
        first(&self.0).and_then(|(_, payload, _)| payload.get(2..)).unwrap_or_default()
    }

    /// Appends it to the body of a poll. What only a WebSocket has is left out.
    pub(crate) fn push(&self, body: &mut Vec<u8>) {
        let mut rest = &*self.0;
        while let Some((opcode, payload, after)) = first(rest) {
            match opcode {
                TEXT => engine::push(body, payload),
                BINARY => engine::push_binary(body, payload),
                _ => {}
            }
            rest = after;
        }
    }
}

/// The first of our own frames: what it is, its payload, and what comes after.
fn first(frames: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[opcode, short], rest) = frames.split_first_chunk()?;
    let (len, rest) = match short {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*len), rest)
        }
        _ => (u64::from(short), rest),
    };
    let (payload, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((opcode & 0x0f, payload, after))
}

impl From<Framed> for Frame {
    fn from(framed: Framed) -> Frame {
        Frame(framed.frame().clone())
    }
}
