//! One client in the namespace.

use std::any::Any;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use parking_lot::Mutex;

use crate::frame::Frame;
use crate::rooms::Memberships;
use crate::session::{Sent, Session};
use crate::{Handshake, Reason, cork};

/// A client that has joined the namespace. Its id is not the transport's session id, so that who sees it
/// cannot speak in its place.
pub struct Socket {
    id: Arc<str>,
    handshake: Handshake,
    state: OnceLock<Box<dyn Any + Send + Sync>>,
    session: Arc<Session>,
    is_joined: AtomicBool,
    memberships: Mutex<Memberships>,
    /// It was made to leave; the app is to be told.
    departure: Mutex<Option<Departure>>,
}

/// How a socket left.
pub(crate) struct Departure {
    pub(crate) reason: Reason,
    pub(crate) rooms: Vec<Arc<str>>,
}

impl Socket {
    /// Its id, 20 characters; also the name of a room with nobody else in it.
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// How it came to be.
    pub fn handshake(&self) -> &Handshake {
        &self.handshake
    }

    /// What the app keeps of it; given once, when it connects.
    pub fn set_state<T: Any + Send + Sync>(&self, state: T) {
        let _ = self.state.set(Box::new(state));
    }

    /// What the app keeps of it.
    pub fn state<T: Any + Send + Sync>(&self) -> Option<&T> {
        self.state.get()?.downcast_ref()
    }

    /// Sends an event with one argument, JSON text; whether the socket is still there to be sent to.
    pub fn emit(&self, event: &str, argument: &[u8]) -> bool {
        self.is_joined() && self.send(&Frame::event(event, argument))
    }

    /// Answers an event that carried [`Event::ack`](crate::Event::ack), with JSON text of each argument.
    pub fn acknowledge(&self, ack: u64, args: &[&[u8]]) -> bool {
        self.acknowledge_with(ack, args, &[])
    }

    /// As [`Socket::acknowledge`], with binary attachments: in the arguments stands
    /// `{"_placeholder":true,"num":n}` for the `n`-th.
    pub fn acknowledge_with(&self, ack: u64, args: &[&[u8]], attachments: &[Bytes]) -> bool {
        self.is_joined() && self.send(&Frame::ack_with(ack, args, attachments))
    }

    /// As [`Socket::emit`], with any number of arguments, and with binary attachments: in the arguments stands
    /// `{"_placeholder":true,"num":n}` for the `n`-th.
    pub fn emit_with(&self, event: &str, args: &[&[u8]], attachments: &[Bytes]) -> bool {
        self.is_joined() && self.send(&Frame::event_with(event, args, attachments))
    }

    fn send(&self, frame: &Frame) -> bool {
        let corked = cork::enter();
        let sent = self.session.send(frame);
        corked.relieve();
        match sent {
            Sent::Queued => true,
            Sent::Behind => {
                // Who does not take the answers is not asked for more questions.
                self.session.hold_for([Arc::clone(&self.session)]);
                true
            }
            Sent::Gone => false,
        }
    }

    /// Waits until little waits for the client; false when it has gone.
    pub fn drained(&self) -> BoxFuture<'_, bool> {
        poll_fn(|cx| self.session.poll_drained(cx)).map(|drained| drained && self.is_joined()).boxed()
    }

    /// Whether it is in the namespace.
    pub fn is_connected(&self) -> bool {
        self.is_joined() && self.session.ended().is_none()
    }

    /// Joins a room; whether it was not in it. Nothing happens once it is disconnected.
    pub fn join(&self, room: &str) -> bool {
        self.is_connected() && self.session.hub().index().write().join(self, room)
    }

    /// Leaves a room; whether it was in it. It does not leave that of its own id.
    pub fn leave(&self, room: &str) -> bool {
        self.session.hub().index().write().leave(self, room)
    }

    /// Whether it is in a room.
    pub fn is_in(&self, room: &str) -> bool {
        self.is_joined() && (*self.id == *room || self.memberships.lock().contains(room))
    }

    /// Its rooms in the order it joined them, its own among them.
    pub fn rooms(&self) -> Vec<Arc<str>> {
        if !self.is_joined() {
            return Vec::new();
        }
        let memberships = self.memberships.lock();
        std::iter::once(&self.id).chain(memberships.rooms()).cloned().collect()
    }

    /// Disconnects it from the namespace (`41`); with `close` its connection is closed, too.
    pub fn disconnect(&self, close: bool) {
        let has_left = {
            // Whoever finds that it has left waits here for how.
            let mut departure = self.departure.lock();
            let rooms = self.depart();
            let has_left = rooms.is_some();
            if let Some(rooms) = rooms {
                *departure = Some(Departure { reason: Reason::ServerNamespaceDisconnect, rooms });
            }
            has_left
        };
        if has_left {
            self.session.send(&Frame::disconnect());
            self.session.wake_task();
        }
        if close {
            self.session.close(Reason::ServerNamespaceDisconnect);
        }
    }

    // For its session.

    pub(crate) fn new(id: Arc<str>, handshake: Handshake, session: Arc<Session>) -> Arc<Socket> {
        Arc::new(Socket {
            id,
            handshake,
            state: OnceLock::new(),
            session,
            is_joined: AtomicBool::new(false),
            memberships: Mutex::default(),
            departure: Mutex::new(None),
        })
    }

    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    pub(crate) fn memberships(&self) -> &Mutex<Memberships> {
        &self.memberships
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.is_joined.load(Ordering::Acquire)
    }

    /// It is one of the sockets from now on.
    pub(crate) fn arrive(self: &Arc<Self>) {
        let mut index = self.session.hub().index().write();
        index.insert(self);
        self.is_joined.store(true, Ordering::Release);
    }

    /// It is none of the sockets any more; the rooms it was in, unless it had left before.
    pub(crate) fn depart(&self) -> Option<Vec<Arc<str>>> {
        let mut index = self.session.hub().index().write();
        self.is_joined.store(false, Ordering::Release);
        index.remove(self)
    }

    /// How it was made to leave, told once.
    pub(crate) fn take_departure(&self) -> Option<Departure> {
        if self.is_joined() { None } else { self.departure.lock().take() }
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("id", &self.id).finish_non_exhaustive()
    }
}
