//! The task that serves one client: reads what it says, keeps its time, and ends it.
//!
//! Reading and writing each wait for their own readiness. Most writing is done by whoever sends (see
//! [`Session`]); here is written what a stream did not take, and to streams that cannot be shared.

use std::any::Any;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Sleep;

use crate::cork::{self, Corked};
use crate::dispatch::{Dispatch, Next};
use crate::frame::{self, Frame};
use crate::hub::Place;
use crate::inbox::{Plain, Upgraded};
use crate::packet::engine::{self, Body, Packet};
use crate::peer::Duplex;
use crate::session::{Link, Session};
use crate::websocket::{Message, Reader};
use crate::{Reason, scratch};

/// How long a client may take to take what is written when it is disconnected, and to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
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
    /// The listener's place for the connection.
    listener: Option<Arc<dyn Any + Send + Sync>>,
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

/// What is due when.
#[derive(Debug)]
struct Clock {
    interval: Duration,
    timeout: Duration,
    ping_at: Option<Instant>,
    pong_by: Option<Instant>,
    /// The pong's deadline has been put off once because the client said something else.
    is_put_off: bool,
    /// The client has to have joined.
    join_by: Option<Instant>,
    gone_by: Option<Instant>,
    /// To look again at receivers that are behind.
    look_at: Option<Instant>,
    /// Nothing is read, so no pong either.
    is_paused: bool,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Ping,
    Timeout,
    Join,
    Gone,
}

impl Clock {
    fn new(session: &Session, now: Instant) -> Clock {
        let settings = &session.hub().settings;
        Clock {
            interval: settings.ping_interval,
            timeout: settings.ping_timeout,
            ping_at: Some(now + settings.ping_interval),
            pong_by: None,
            is_put_off: false,
            join_by: Some(now + settings.connect_timeout),
            gone_by: None,
            look_at: None,
            is_paused: false,
        }
    }

    /// When it has to be asked again.
    fn next(&self) -> Option<Instant> {
        [self.ping_at, self.pong_by, self.join_by, self.gone_by, self.look_at].into_iter().flatten().min()
    }

    /// What is due now, one thing after the other.
    fn due(&mut self, now: Instant) -> Option<Due> {
        let is_past = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        is_past(&mut self.look_at);
        if is_past(&mut self.gone_by) {
            return Some(Due::Gone);
        }
        if is_past(&mut self.join_by) {
            return Some(Due::Join);
        }
        if is_past(&mut self.ping_at) {
            self.pong_by = Some(now + self.timeout);
            self.is_put_off = false;
            return Some(Due::Ping);
        }
        if is_past(&mut self.pong_by) {
            if !self.is_paused {
                return Some(Due::Timeout);
            }
            self.pong_by = Some(now + self.timeout);
        }
        None
    }

    fn pong(&mut self) {
        self.pong_by = None;
        self.ping_at = Some(Instant::now() + self.interval);
    }

    /// Something else than a pong came: as with Node, a client that is busy sending gets one more timeout.
    fn other(&mut self) {
        if self.pong_by.is_some() && !self.is_put_off {
            self.is_put_off = true;
            self.pong_by = Some(Instant::now() + self.timeout);
        }
    }

    fn pause(&mut self, is_paused: bool) {
        if self.is_paused && !is_paused && self.pong_by.is_some() {
            self.pong_by = Some(Instant::now() + self.timeout);
        }
        self.is_paused = is_paused;
    }

    /// The session has ended; the client has `FAREWELL`.
    fn leave(&mut self) {
        let now = Instant::now();
        *self = Clock {
            ping_at: None,
            pong_by: None,
            join_by: None,
            look_at: None,
            gone_by: Some(now + FAREWELL),
            ..*self
        };
    }
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
        let Upgraded { stream, reader, rest, place: listener } = upgraded;
        let (stream, link) = split(stream);
        let mut engine = Engine::new(session(link), place, Line::WebSocket { stream, reader, rest });
        engine.listener = listener;
        // The first packet waits.
        engine.session.unblock();
        engine
    }

    fn new(session: Arc<Session>, place: Place, line: Line) -> Engine {
        let clock = Clock::new(&session, Instant::now());
        let first = clock.next().unwrap_or_else(Instant::now);
        Engine {
            dispatch: Dispatch::new(&session),
            session,
            line,
            clock,
            sleep: Box::pin(tokio::time::sleep_until(first.into())),
            listener: None,
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
                self.clock.leave();
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
                let Upgraded { stream, reader, rest, place } = *upgraded;
                let (stream, link) = split(stream);
                self.line = Line::WebSocket { stream, reader, rest };
                self.listener = place;
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
            self.clock.other();
        }
        let next = match packet {
            Packet::Message(text) => self.dispatch.text(&text),
            Packet::Binary(bytes) => self.dispatch.binary(bytes),
            Packet::Pong(_) => {
                self.clock.pong();
                Ok(Next::On)
            }
            Packet::Close => {
                self.session.close(Reason::TransportClose);
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
struct Prompt(Instant);

impl Prompt {
    fn new() -> Prompt {
        Prompt(Instant::now())
    }

    fn check(&mut self, corked: &Corked) {
        let now = Instant::now();
        if now.saturating_duration_since(self.0) >= PROMPT {
            corked.flush();
            self.0 = now;
        } else {
            corked.relieve();
        }
    }
}
