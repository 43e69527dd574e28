//! What a polling client's requests hand to the task that serves it.

use std::task::{Context, Poll, Waker};

use tokio::net::TcpStream;

use crate::packet::Text;
use crate::peer::Duplex;
use crate::session::Overlap;
use crate::websocket::Reader;

/// A body that was posted, and a WebSocket that the client has changed to.
#[derive(Default)]
pub(crate) struct Inbox {
    /// A post is being received, or waits to be dispatched.
    is_posting: bool,
    body: Option<Text>,
    poster: Option<Waker>,
    /// The client tries a WebSocket, or has changed to it.
    is_upgrading: bool,
    upgraded: Option<Box<Upgraded>>,
    has_ended: bool,
}

/// A WebSocket after the probe.
pub(crate) struct Upgraded {
    pub(crate) stream: Plain,
    pub(crate) reader: Reader,
    /// Bytes that were read, but not by the reader.
    pub(crate) rest: Vec<u8>,
}

/// A stream that is not split.
pub(crate) enum Plain {
    Tcp(TcpStream),
    Other(Box<dyn Duplex>),
}

impl Inbox {
    /// A post begins.
    pub(crate) fn begin_post(&mut self) -> Result<(), Overlap> {
        if self.is_posting {
            return Err(Overlap);
        }
        self.is_posting = true;
        Ok(())
    }

    /// A post ends without anything to dispatch.
    pub(crate) fn cancel_post(&mut self) {
        self.is_posting = false;
    }

    /// A post is complete.
    pub(crate) fn post(&mut self, body: Text) {
        self.body = Some(body);
    }

    /// Ready when what was posted is dispatched, or the session has ended.
    pub(crate) fn poll_dispatched(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.is_posting || self.has_ended {
            return Poll::Ready(());
        }
        self.poster = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(crate) fn take_body(&mut self) -> Option<Text> {
        self.body.take()
    }

    /// What was posted is dispatched.
    pub(crate) fn dispatched(&mut self) {
        self.is_posting = false;
        if let Some(poster) = self.poster.take() {
            poster.wake();
        }
    }

    /// A WebSocket is tried; false when one was before.
    pub(crate) fn begin_upgrade(&mut self) -> bool {
        !self.has_ended && !std::mem::replace(&mut self.is_upgrading, true)
    }

    /// The client did not change to the WebSocket; it may try another.
    pub(crate) fn cancel_upgrade(&mut self) {
        self.is_upgrading = false;
    }

    /// The client has changed to it.
    pub(crate) fn upgrade(&mut self, upgraded: Upgraded) {
        if !self.has_ended {
            self.upgraded = Some(Box::new(upgraded));
        }
    }

    pub(crate) fn take_upgraded(&mut self) -> Option<Box<Upgraded>> {
        self.upgraded.take()
    }

    /// The session has ended.
    pub(crate) fn end(&mut self) {
        self.has_ended = true;
        self.body = None;
        self.upgraded = None;
        if let Some(poster) = self.poster.take() {
            poster.wake();
        }
    }
}
