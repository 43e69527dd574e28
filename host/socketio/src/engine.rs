//! The task that serves one client: reads what it says, keeps its time, and ends it.
//!
//! Reading and writing each wait for their own readiness. Most writing is done by whoever sends (see
//! [`Session`]); here is written what a stream did not take, and to streams that cannot be shared.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Sleep;

use crate::clock::{Clock, Due};
use crate::cork::{self, Corked};
use crate::dispatch::{Dispatch, Next};
use crate::frame::{self, Frame};
use crate::hub::Place;
use crate::inbox::{Plain, Upgraded};
use crate::outbox::Link;
use crate::packet::engine::{self, Body, Packet};
use crate::peer::Duplex;
use crate::session::Session;
use crate::websocket::{Message, Reader};
use crate::{Reason, scratch};

/// Buffers read before other tasks get their turn.
const READS: usize = 8;
/// Dispatching goes on for so long before what it has sent is written.
const PROMPT: Duration = Duration::from_micros(500);

/// Serves a session until it ends.
pub(crate) struct Engine {
    session: Arc<Session>,
    dispatch: Dispatch,
    line: Line,
    clock: Clock,
    sleep: Pin<Box<Sleep>>,
    _place: Place,
    /// The session has ended, and the app has been told.
    is_leaving: bool,
    /// Nothing more is written.
    is_shut: bool,
}

/// Where packets come from.
enum Line {
    /// Posts; of the last, what is not dispatched.
    Polling { body: Option<Body> },
    WebSocket {
        stream: Stream,
        reader: Reader,
        /// Read from the stream, but not by the reader.
        rest: Vec<u8>,
    },
}

enum Stream {
    Tcp(OwnedReadHalf),
    Other(Box<dyn Duplex>),
}

/// What reading has come to.
enum Read {
    /// More may be there.
    More,
    /// Nothing is there now.
    Pending,
    /// The other side is gone.
    End,
}

impl Engine {
    /// Serves a session that polls.
    pub(crate) fn polling(session: Arc<Session>, place: Place) -> Engine {
        Engine::new(session, place, Line::Polling { body: None })
    }

    /// Serves a session that began with a WebSocket, whose link is the write half given to `link`.
    pub(crate) fn websocket(
        session: impl FnOnce(Link) -> Arc<Session>,
        place: Place,
        upgraded: Upgraded,
    ) -> Engine {
        let Upgraded { stream, reader, rest } = upgraded;
        let (stream, link) = split(stream);
        let engine = Engine::new(session(link), place, Line::WebSocket { stream, reader, rest });
        // The first packet waits.
        engine.session.unblock();
        engine
    }

    fn new(session: Arc<Session>, place: Place, line: Line) -> Engine {
        let clock = Clock::new(&session.hub().settings, Instant::now());
        let first = clock.next().unwrap_or_else(Instant::now);
        Engine {
            dispatch: Dispatch::new(&session),
            session,
            line,
            clock,
            sleep: Box::pin(tokio::time::sleep_until(first.into())),
            _place: place,
            is_leaving: false,
            is_shut: false,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>, corked: &Corked) -> Poll<()> {
        let mut reads = 0;
        loop {
            if let Some(reason) = self.session.ended()
                && !self.is_leaving
            {
                self.is_leaving = true;
                self.clock.leave(Instant::now());
                self.dispatch.end(reason);
            }
            if self.is_leaving {
                return self.poll_leave(cx);
            }
            self.dispatch.poll(cx);
            if self.dispatch.has_joined() {
                self.clock.join_by = None;
            }
            if self.session.ended().is_some() {
                continue;
            }
            self.clock.look_at = self.session.poll_held(cx);
            let is_paused = !self.may_read();
            self.clock.pause(is_paused);
            let read = if is_paused { Read::Pending } else { self.read(cx, corked) };
            match read {
                Read::More => {
                    reads += 1;
                    if reads == READS {
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    continue;
                }
                Read::End => {
                    self.session.abort(Reason::TransportClose);
                    continue;
                }
                Read::Pending => {}
            }
            // What was read may have given more to wait for.
            if self.session.ended().is_some() || self.dispatch.is_unpolled() {
                continue;
            }
            if self.may_read() == is_paused {
                continue;
            }
            if !self.poll_clock(cx) {
                return Poll::Pending;
            }
        }
    }

    fn may_read(&self) -> bool {
        self.dispatch.may_read() && !self.session.is_held()
    }

    /// Whether something was due.
    fn poll_clock(&mut self, cx: &mut Context<'_>) -> bool {
        let mut was_due = false;
        loop {
            let Some(next) = self.clock.next() else { return was_due };
            let now = Instant::now();
            if next > now {
                let armed = self.sleep.deadline().into_std();
                if next < armed || armed <= now {
                    self.sleep.as_mut().reset(next.into());
                }
                if self.sleep.as_mut().poll(cx).is_pending() {
                    return was_due;
                }
                // It has woken for what is no longer due.
                self.sleep.as_mut().reset(next.into());
                if self.sleep.as_mut().poll(cx).is_pending() {
                    return was_due;
                }
                continue;
            }
            was_due = true;
            match self.clock.due(now) {
                Some(Due::Ping) => {
                    self.session.send(&frame::PING);
                }
                Some(Due::Timeout) => {
                    let hub = self.session.hub();
                    hub.counters.timed_out.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    self.session.close(Reason::PingTimeout);
                }
                Some(Due::Join) => {
                    let who = &self.session.client().ip;
                    tracing::debug!(
                        ip = &**who,
                        "a socket's connection is closed: it has joined no namespace"
                    );
                    self.session.close(Reason::TransportClose);
                }
                Some(Due::Gone) => self.session.cut(),
                None => {}
            }
        }
    }

    /// Reads once, and dispatches what came.
    fn read(&mut self, cx: &mut Context<'_>, corked: &Corked) -> Read {
        match &mut self.line {
            Line::Polling { .. } => self.read_posts(corked),
            Line::WebSocket { stream, rest, .. } => {
                if !rest.is_empty() {
                    let rest = std::mem::take(rest);
                    self.take(&rest, corked);
                    return Read::More;
                }
                let mut buffer = scratch::take();
                let mut filled = ReadBuf::new(&mut buffer);
                let polled = stream.poll_read(cx, &mut filled);
                let count = filled.filled().len();
                let read = match polled {
                    Poll::Pending => Read::Pending,
                    Poll::Ready(Ok(())) if count > 0 => {
                        self.take(&buffer[..count], corked);
                        Read::More
                    }
                    Poll::Ready(_) => Read::End,
                };
                scratch::give(buffer);
                read
            }
        }
    }

    /// Dispatches the posts, then goes on with a WebSocket if the client has changed to one.
    fn read_posts(&mut self, corked: &Corked) -> Read {
        let Line::Polling { body } = &mut self.line else { return Read::More };
        if body.is_none() {
            let mut inbox = self.session.inbox.lock();
            if let Some(posted) = inbox.take_body() {
                *body = Some(engine::decode_body(posted));
            } else if let Some(upgraded) = inbox.take_upgraded() {
                drop(inbox);
                let Upgraded { stream, reader, rest } = *upgraded;
                let (stream, link) = split(stream);
                self.line = Line::WebSocket { stream, reader, rest };
                self.session.set_link(link);
                return Read::More;
            } else {
                return Read::Pending;
            }
        }
        let mut prompt = Prompt::new();
        while self.may_read() && self.session.ended().is_none() {
            let Line::Polling { body: Some(body) } = &mut self.line else { return Read::More };
            match body.next() {
                Some(Ok(packet)) => self.packet(packet),
                Some(Err(error)) => self.session.misused(Reason::ParseError, None, &error),
                None => {
                    self.line = Line::Polling { body: None };
                    self.session.inbox.lock().dispatched();
                    return Read::More;
                }
            }
            prompt.check(corked);
        }
        Read::More
    }

    /// Dispatches what was read from a WebSocket; keeps what must wait.
    fn take(&mut self, mut chunk: &[u8], corked: &Corked) {
        let mut prompt = Prompt::new();
        loop {
            if chunk.is_empty() || self.session.ended().is_some() {
                return;
            }
            let may_read = self.may_read();
            let Line::WebSocket { reader, rest, .. } = &mut self.line else { return };
            if !may_read {
                rest.extend_from_slice(chunk);
                return;
            }
            match reader.next(&mut chunk) {
                Ok(Some(message)) => self.message(message),
                Ok(None) => return,
                Err(violation) => {
                    self.session.misused(Reason::TransportError, Some(violation.code), &violation);
                    return;
                }
            }
            prompt.check(corked);
        }
    }

    fn message(&mut self, message: Message) {
        let answer = message.answer().map(Frame::encoded);
        match (message, answer) {
            (Message::Text(text), _) => match engine::decode(&text) {
                Ok(packet) => self.packet(packet),
                Err(error) => self.session.misused(Reason::ParseError, None, &error),
            },
            (Message::Binary(bytes), _) => self.packet(Packet::Binary(bytes)),
            (Message::Close(_), Some(answer)) => self.session.closed(answer),
            (_, Some(answer)) => {
                self.session.send(&answer);
            }
            (_, None) => {}
        }
    }

    fn packet(&mut self, packet: Packet) {
        if !matches!(packet, Packet::Pong(_)) {
            self.clock.other(Instant::now());
        }
        let next = match packet {
            Packet::Message(text) => self.dispatch.text(&text),
            Packet::Binary(bytes) => self.dispatch.binary(bytes),
            Packet::Pong(_) => {
                self.clock.pong(Instant::now());
                Ok(Next::On)
            }
            Packet::Close => {
                self.session.left();
                Ok(Next::On)
            }
            Packet::Ping(_) => {
                self.session.misused(Reason::TransportError, None, &"only the server sends pings");
                Ok(Next::On)
            }
            Packet::Open | Packet::Upgrade | Packet::Noop => Ok(Next::On),
        };
        match next {
            Ok(Next::On) => {}
            Ok(Next::Misused(why)) => self.session.misused(Reason::ParseError, None, &why),
            Err(error) => self.session.misused(Reason::ParseError, None, &error),
        }
    }

    /// Waits until the client has got what was written and has gone, for a while.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.poll_clock(cx) {}
        let Line::WebSocket { stream, .. } = &mut self.line else {
            let is_over = self.session.is_empty() || self.session.is_cut();
            return if is_over { Poll::Ready(()) } else { Poll::Pending };
        };
        if !self.is_shut {
            if self.session.is_cut() {
                return Poll::Ready(());
            }
            if self.session.is_empty() {
                let is_shut = match stream {
                    Stream::Tcp(_) => true,
                    Stream::Other(stream) => Pin::new(stream).poll_shutdown(cx).is_ready(),
                };
                if is_shut {
                    self.is_shut = true;
                    self.session.cut();
                }
            }
        }
        if self.clock.gone_by.is_none() {
            return Poll::Ready(());
        }
        // Closing with bytes unread would take back what was written last: what still comes is read, and not
        // looked at.
        loop {
            let mut buffer = scratch::take();
            let mut filled = ReadBuf::new(&mut buffer);
            let polled = stream.poll_read(cx, &mut filled);
            let count = filled.filled().len();
            scratch::give(buffer);
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if count > 0 => {}
                Poll::Ready(_) => return Poll::Ready(()),
            }
        }
    }

    /// Writes what the stream did not take before.
    fn poll_out(&mut self, cx: &mut Context<'_>) {
        match &mut self.line {
            Line::Polling { .. } => {}
            Line::WebSocket { stream: Stream::Tcp(stream), .. } => {
                while self.session.is_blocked() && stream.as_ref().poll_write_ready(cx).is_ready() {
                    self.session.unblock();
                }
            }
            Line::WebSocket { stream: Stream::Other(stream), .. } => {
                let _ = self.session.poll_write(stream, cx);
            }
        }
    }
}

impl Future for Engine {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        this.session.register(cx);
        let corked = cork::enter();
        let polled = this.turn(cx, &corked);
        drop(corked);
        if polled.is_pending() {
            this.poll_out(cx);
        }
        polled
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.session.abort(Reason::TransportClose);
        self.session.unregister();
        self.session.hub().forget(self.session.id());
    }
}

impl Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Other(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

fn split(stream: Plain) -> (Stream, Link) {
    match stream {
        Plain::Tcp(stream) => {
            // Frames are whole when they are written; waiting for more would only delay them.
            let _ = stream.set_nodelay(true);
            let (read, write) = stream.into_split();
            (Stream::Tcp(read), Link::Tcp(write))
        }
        Plain::Other(stream) => (Stream::Other(stream), Link::Task),
    }
}

/// Writes what was sent when dispatching takes long.
struct Prompt {
    due: Instant,
}

impl Prompt {
    fn new() -> Prompt {
        Prompt { due: Instant::now() + PROMPT }
    }

    fn check(&mut self, corked: &Corked) {
        let now = Instant::now();
        if now < self.due {
            corked.relieve();
            return;
        }
        corked.flush();
        // Writing to many takes long itself: most of the time is for dispatching, or every event would be
        // written alone.
        let written = Instant::now();
        self.due = written + PROMPT.max(4 * (written - now));
    }
}
