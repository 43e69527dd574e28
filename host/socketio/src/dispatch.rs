//! From packets to the app: who joins, what is said, who leaves.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::future::{BoxFuture, CatchUnwind};
use futures::stream::{FuturesUnordered, StreamExt};
use futures::{FutureExt, future};
use tokio::runtime::Handle;

use crate::frame::Frame;
use crate::packet::socket::{Body, Decoder, MAX_ATTACHMENTS, Packet};
use crate::packet::{ParseError, Text};
use crate::session::Session;
use crate::{ConnectError, Event, Handshake, Reason, Socket};

/// What one client does in the namespace.
pub(crate) struct Dispatch {
    session: Arc<Session>,
    decoder: Decoder,
    place: Place,
    running: FuturesUnordered<Running>,
    /// Something has been added that has not been polled.
    is_unpolled: bool,
    has_joined: bool,
}

/// Where the client is.
enum Place {
    /// Not in the namespace.
    Outside,
    /// This side has made it leave: what it says before it knows is not held against it.
    Dismissed,
    /// The app thinks about it.
    Joining(Joining),
    /// In the namespace.
    Inside(Arc<Socket>),
}

type Joining = BoxFuture<'static, (Handshake, Result<(), ConnectError>)>;
type Running = CatchUnwind<AssertUnwindSafe<BoxFuture<'static, ()>>>;

/// What a packet leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// The next one.
    On,
    /// The end: the client may not say that now.
    Misused(&'static str),
}

impl Dispatch {
    pub(crate) fn new(session: &Arc<Session>) -> Dispatch {
        Dispatch {
            session: Arc::clone(session),
            decoder: Decoder::new(MAX_ATTACHMENTS),
            place: Place::Outside,
            running: FuturesUnordered::new(),
            is_unpolled: false,
            has_joined: false,
        }
    }

    /// Whether the client may say more now.
    pub(crate) fn may_read(&self) -> bool {
        !matches!(self.place, Place::Joining(_))
            && self.running.len() < self.session.hub().settings.max_in_flight
    }

    /// Whether it has been in the namespace.
    pub(crate) fn has_joined(&self) -> bool {
        self.has_joined
    }

    /// Whether [`Dispatch::poll`] has to be called again.
    pub(crate) fn is_unpolled(&self) -> bool {
        self.is_unpolled
    }

    /// A message came.
    pub(crate) fn text(&mut self, text: &Text) -> Result<Next, ParseError> {
        let packet = self.decoder.text(text)?;
        Ok(packet.map_or(Next::On, |packet| self.packet(packet)))
    }

    /// A binary message came.
    pub(crate) fn binary(&mut self, bytes: Bytes) -> Result<Next, ParseError> {
        let packet = self.decoder.binary(bytes)?;
        Ok(packet.map_or(Next::On, |packet| self.packet(packet)))
    }

    fn packet(&mut self, packet: Packet) -> Next {
        if !packet.namespace.is_default() {
            let Body::Connect { .. } = packet.body else {
                return Next::Misused("it is not in the namespace that it speaks in");
            };
            self.session.send(&Frame::connect_error(packet.namespace.as_str(), "Invalid namespace", None));
            return Next::On;
        }
        self.poll_departure();
        match (packet.body, &self.place) {
            (Body::Connect { auth }, Place::Outside | Place::Dismissed) => {
                self.join(auth);
                Next::On
            }
            (Body::Connect { .. }, _) => Next::Misused("it is in the namespace already"),
            (_, Place::Dismissed) => Next::On,
            (_, Place::Outside | Place::Joining(_)) => Next::Misused("it has not joined the namespace"),
            (Body::Disconnect, Place::Inside(_)) => {
                self.leave(Reason::ClientNamespaceDisconnect);
                Next::On
            }
            (Body::Event(event), Place::Inside(socket)) => {
                let future = self.hand_over(socket, event);
                if let Some(future) = future {
                    self.running.push(future);
                    self.is_unpolled = true;
                }
                Next::On
            }
            // Only other hosts ask clients anything that they could answer.
            (Body::Ack { id, args, attachments }, Place::Inside(socket)) => {
                if let Some(relay) = self.session.hub().relay.get() {
                    relay.acknowledged(socket, id, &args, &attachments);
                }
                Next::On
            }
        }
    }

    fn join(&mut self, auth: Option<Bytes>) {
        let handshake = self.session.client().join(auth);
        let app = Arc::clone(&self.session.hub().app);
        let joining = async move {
            let asked = AssertUnwindSafe(async { app.connecting(&handshake).await }).catch_unwind().await;
            let answer = asked.unwrap_or_else(|_| {
                tracing::error!(
                    ip = &*handshake.ip,
                    "a client is refused: asking whether it may join panicked"
                );
                Err(ConnectError { message: "Internal server error".to_owned(), data: None })
            });
            (handshake, answer)
        };
        self.place = Place::Joining(joining.boxed());
        self.is_unpolled = true;
    }

    fn joined(&mut self, handshake: Handshake, answer: Result<(), ConnectError>) {
        self.place = Place::Outside;
        let hub = self.session.hub();
        let fresh = match answer {
            Ok(()) => hub
                .fresh_id()
                .ok_or_else(|| ConnectError { message: "Internal server error".to_owned(), data: None }),
            Err(error) => Err(error),
        };
        let id = match fresh {
            Ok(id) => id,
            Err(ConnectError { message, data }) => {
                self.session.send(&Frame::connect_error("/", &message, data.as_deref()));
                return;
            }
        };
        let socket = Socket::new(id, handshake, Arc::clone(&self.session));
        // Nobody may send to it before the client knows that it has joined.
        self.session.send(&Frame::connect(socket.id()));
        socket.arrive();
        self.has_joined = true;
        self.place = Place::Inside(Arc::clone(&socket));
        let app = Arc::clone(&self.session.hub().app);
        if catch_unwind(AssertUnwindSafe(|| app.connected(&socket))).is_err() {
            tracing::error!(socket = &**socket.id(), "telling the app of a new socket panicked");
        }
    }

    /// Gives an event to the app; what is left to do of it.
    fn hand_over(&self, socket: &Arc<Socket>, event: Event) -> Option<Running> {
        let app = &self.session.hub().app;
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| app.event(socket, event))) else {
            log_panic(socket);
            return None;
        };
        let mut future = AssertUnwindSafe(answer?).catch_unwind();
        // Polled again with the others, which then wake the task: many have nothing to wait for.
        match Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => Some(future),
            Poll::Ready(ended) => {
                if ended.is_err() {
                    log_panic(socket);
                }
                None
            }
        }
    }

    /// Goes on with what has begun.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) {
        self.is_unpolled = false;
        self.poll_departure();
        while let Poll::Ready(Some(ended)) = self.running.poll_next_unpin(cx) {
            if ended.is_err()
                && let Place::Inside(socket) = &self.place
            {
                log_panic(socket);
            }
        }
        if let Place::Joining(joining) = &mut self.place
            && let Poll::Ready((handshake, answer)) = joining.poll_unpin(cx)
        {
            self.joined(handshake, answer);
        }
    }

    /// Tells the app if the socket was made to leave.
    fn poll_departure(&mut self) {
        if let Place::Inside(socket) = &self.place
            && let Some(departure) = socket.take_departure()
        {
            let socket = Arc::clone(socket);
            self.place = Place::Dismissed;
            self.tell(&socket, departure.reason, departure.rooms);
        }
    }

    fn leave(&mut self, reason: Reason) {
        let Place::Inside(socket) = std::mem::replace(&mut self.place, Place::Outside) else { return };
        if let Some(rooms) = socket.depart() {
            self.tell(&socket, reason, rooms);
        } else if let Some(departure) = socket.take_departure() {
            self.tell(&socket, departure.reason, departure.rooms);
        }
    }

    fn tell(&self, socket: &Arc<Socket>, reason: Reason, rooms: Vec<Arc<str>>) {
        let app = &self.session.hub().app;
        if catch_unwind(AssertUnwindSafe(|| app.disconnected(socket, reason, rooms))).is_err() {
            tracing::error!(socket = &**socket.id(), "telling the app that a socket has gone panicked");
        }
    }

    /// The session has ended. What has begun goes on to its end.
    pub(crate) fn end(&mut self, reason: Reason) {
        self.leave(reason);
        if self.running.is_empty() {
            return;
        }
        let running = std::mem::take(&mut self.running);
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(running.for_each(|ended| {
                if ended.is_err() {
                    tracing::error!("handling an event of a socket that has gone panicked");
                }
                future::ready(())
            }));
        }
    }
}

fn log_panic(socket: &Socket) {
    tracing::error!(socket = &**socket.id(), "handling an event panicked; it has no answer");
}
