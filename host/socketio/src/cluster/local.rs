//! The sockets of this host, as the cluster uses them.

use std::io::Write as _;

use bytes::Bytes;

use crate::Target;
use crate::frame::Frame;
use crate::hub::Hub;
use crate::websocket::Framed;

/// An event on its way to clients.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    /// JSON text of `[event, …args]`.
    pub(super) data: Bytes,
    /// What is binary in it; a placeholder stands in its place.
    pub(super) attachments: Vec<Bytes>,
}

/// Whether a room has sockets here.
pub(super) fn has_room(hub: &Hub, room: &str) -> bool {
    hub.count(room) > 0
}

/// Sends an event to the sockets of this host; to how many. With a number they acknowledge it.
pub(super) fn deliver(hub: &Hub, target: Target<'_>, packet: &Packet, ack: Option<u64>) -> usize {
    hub.deliver(None, target, &packet.frame(ack))
}

impl Packet {
    /// Its attachments follow in the same frame, so that nothing comes between.
    fn frame(&self, ack: Option<u64>) -> Frame {
        let text = Framed::text(self.data.len() + 24, |out| {
            // Writing to memory cannot fail.
            let _ = match self.attachments.len() {
                0 => write!(out, "42"),
                count => write!(out, "45{count}-"),
            };
            if let Some(ack) = ack {
                let _ = write!(out, "{ack}");
            }
            out.extend_from_slice(&self.data);
        });
        if self.attachments.is_empty() {
            return text.into();
        }
        let mut frames = text.frame().to_vec();
        for attachment in &self.attachments {
            frames.extend_from_slice(Framed::binary(attachment).frame());
        }
        Frame::encoded(frames)
    }
}
