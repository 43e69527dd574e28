//! A transport session: what is shared between the task that serves a client and those who send to it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::task::AtomicWaker;
use parking_lot::{Mutex, MutexGuard};
use tokio::io::AsyncWrite;

use crate::frame::{self, Frame};
use crate::handshake::Client;
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::outbox::{Link, Outbox, Polls};
use crate::websocket::CloseCode;
use crate::{Reason, cork};

/// A client that takes nothing for so long holds up nobody any more.
const STALL: Duration = Duration::from_millis(200);
/// So long a client may hold up others with what it takes slowly.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client's connection, whatever carries it.
pub(crate) struct Session {
    hub: Arc<Hub>,
    id: Arc<str>,
    client: Client,
    out: Mutex<Outbox>,
    pub(crate) inbox: Mutex<Inbox>,
    /// Wakes the task that serves it.
    task: AtomicWaker,
    /// Whether `holds` has any.
    held: AtomicBool,
    /// Receivers who have to catch up before more is read from this client.
    holds: Mutex<Vec<Hold>>,
}

struct Hold {
    receiver: Weak<Session>,
    since: Instant,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It is written, or waits.
    Queued,
    /// It waits, and so does a lot before it.
    Behind,
    /// There is nobody to send it to.
    Gone,
}

/// What a poll is answered.
pub(crate) enum Polled {
    /// Packets.
    Frames(VecDeque<Frame>),
    /// Nothing: the client is to go on with another transport.
    Noop,
    /// The session has ended.
    Ended,
}

/// Two polls, or two posts, at the same time.
#[derive(Debug)]
pub(crate) struct Overlap;

impl Session {
    /// A new session; its first packet is queued, its place among the hub's taken.
    pub(crate) fn new(hub: &Arc<Hub>, id: Arc<str>, client: Client, link: Link, open: Frame) -> Arc<Session> {
        let session = Arc::new(Session {
            hub: Arc::clone(hub),
            id,
            client,
            out: Mutex::new(Outbox::new(link, open)),
            inbox: Mutex::default(),
            task: AtomicWaker::new(),
            held: AtomicBool::new(false),
            holds: Mutex::default(),
        });
        hub.register(&session);
        session
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// The transport's session id, known to nobody but the client.
    pub(crate) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    // Sending.

    /// Queues a frame, and writes it unless a cork holds it back.
    pub(crate) fn send(self: &Arc<Self>, frame: &Frame) -> Sent {
        let mut out = self.out.lock();
        if out.end.is_some() {
            return Sent::Gone;
        }
        if out.queue.is_empty() && !matches!(out.link, Link::Tcp(_)) {
            out.progressed = Instant::now();
        }
        out.bytes += frame.len();
        out.queue.push_back(frame.clone());
        let max = self.hub.settings.max_outgoing;
        match cork::current() {
            Some(cork) if out.bytes <= max => {
                if out.corked != cork {
                    out.corked = cork;
                    cork::touch(self);
                }
                if out.bytes > cork::ENOUGH && !out.is_blocked {
                    cork::hurry();
                }
            }
            _ => self.flush(&mut out),
        }
        if out.bytes > max {
            self.overflow(out);
            return Sent::Gone;
        }
        if out.bytes > self.high() && !out.is_excused { Sent::Behind } else { Sent::Queued }
    }

    /// Writes what a cork has held back.
    pub(crate) fn uncork(&self, owner: usize) {
        let mut out = self.out.lock();
        if out.corked == owner {
            out.corked = 0;
        }
        self.flush(&mut out);
    }

    fn flush(&self, out: &mut Outbox) {
        match &mut out.link {
            Link::Tcp(_) if out.is_blocked => {}
            Link::Tcp(_) => self.write(out),
            Link::Polling(polls) => {
                if let Some(waker) = polls.waker.take() {
                    waker.wake();
                }
            }
            Link::Task => self.task.wake(),
            Link::Gone => {}
        }
    }

    fn write(&self, out: &mut Outbox) {
        match out.write() {
            Ok(()) if out.queue.is_empty() => {
                if out.end.is_some() {
                    self.task.wake();
                }
            }
            // The task waits until the stream takes more.
            Ok(()) => self.task.wake(),
            Err(_) => {
                out.finish(Reason::TransportClose);
                self.task.wake();
            }
        }
        self.catch_up(out);
    }

    /// Wakes those who wait for the client, once little waits for it.
    fn catch_up(&self, out: &mut Outbox) {
        if out.bytes <= self.low() {
            out.is_excused = false;
            out.waiters.drain(..).for_each(Waker::wake);
        }
    }

    /// More waits than may.
    fn overflow(&self, mut out: MutexGuard<'_, Outbox>) {
        let bytes = out.bytes;
        out.finish(Reason::QueueOverflow);
        drop(out);
        self.hub.counters.overflowed.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            ip = &*self.client.ip,
            bytes,
            max = self.hub.settings.max_outgoing,
            "a socket's connection is closed: more waits for it than its queue may hold"
        );
        self.wake();
    }

    /// Bytes that wait for it; above them who sends is slowed down.
    fn high(&self) -> usize {
        self.hub.settings.max_outgoing / 8
    }

    /// Bytes that wait for it; below them it has caught up.
    fn low(&self) -> usize {
        self.hub.settings.max_outgoing / 16
    }

    /// Ready when little waits for the client; false when it has gone.
    pub(crate) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut out = self.out.lock();
        if out.end.is_some() {
            return Poll::Ready(false);
        }
        if out.bytes <= self.low() {
            return Poll::Ready(true);
        }
        out.wait(cx);
        Poll::Pending
    }

    // Slowing down who sends.

    /// Reads no more of this client until `receivers` have caught up, or it turns out that they do not.
    pub(crate) fn hold_for(&self, receivers: impl IntoIterator<Item = Arc<Session>>) {
        let mut now = None;
        for receiver in receivers {
            let now = *now.get_or_insert_with(Instant::now);
            if !receiver.is_behind(now) {
                continue;
            }
            let mut holds = self.holds.lock();
            if !holds.iter().any(|hold| std::ptr::eq(hold.receiver.as_ptr(), &*receiver)) {
                holds.push(Hold { receiver: Arc::downgrade(&receiver), since: now });
                self.held.store(true, Ordering::Release);
            }
        }
    }

    /// Whether somebody has to catch up, and when to look again at the latest. The task is woken before when
    /// somebody has.
    pub(crate) fn poll_held(&self, cx: &mut Context<'_>) -> Option<Instant> {
        if !self.held.load(Ordering::Acquire) {
            return None;
        }
        let now = Instant::now();
        let mut again: Option<Instant> = None;
        let mut holds = self.holds.lock();
        holds.retain(|hold| {
            let receiver = hold.receiver.upgrade();
            let Some(at) = receiver.and_then(|receiver| receiver.poll_behind(now, hold.since, cx)) else {
                return false;
            };
            again = Some(again.map_or(at, |other| other.min(at)));
            true
        });
        if holds.is_empty() {
            *holds = Vec::new();
            self.held.store(false, Ordering::Release);
        }
        again
    }

    /// Whether more is read of it.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    fn is_behind(&self, now: Instant) -> bool {
        let out = self.out.lock();
        out.end.is_none()
            && out.bytes > self.high()
            && !out.is_excused
            && now.saturating_duration_since(out.progressed) < STALL
    }

    /// When to look again whether it is still behind, if it is.
    fn poll_behind(&self, now: Instant, since: Instant, cx: &mut Context<'_>) -> Option<Instant> {
        let mut out = self.out.lock();
        if out.end.is_some() || out.bytes <= self.low() {
            return None;
        }
        if now >= since + PATIENCE {
            out.is_excused = true;
            return None;
        }
        if now >= out.progressed + STALL {
            return None;
        }
        out.wait(cx);
        Some((out.progressed + STALL).min(since + PATIENCE))
    }

    // Ending.

    /// Why it has ended, if it has.
    pub(crate) fn ended(&self) -> Option<Reason> {
        self.out.lock().end
    }

    /// Ends it when what waits is written. A client that ended it itself, went wrong or stayed away is not
    /// waited for when it is not polling: its next poll is for a session that nobody knows, as with Node.
    pub(crate) fn close(&self, reason: Reason) {
        let code = (reason == Reason::ServerShuttingDown).then_some(CloseCode::GoingAway);
        self.close_with(reason, code);
    }

    /// As [`Session::close`], telling a WebSocket the code.
    pub(crate) fn close_with(&self, reason: Reason, code: Option<CloseCode>) {
        let mut out = self.out.lock();
        let last = match out.link {
            Link::Polling(_) => frame::CLOSE,
            _ => Frame::bye(code),
        };
        self.end(&mut out, reason, last);
    }

    /// The client has said goodbye: a poll that waits is ended with nothing to say.
    pub(crate) fn left(&self) {
        let mut out = self.out.lock();
        let last = match out.link {
            Link::Polling(_) => frame::NOOP,
            _ => Frame::bye(None),
        };
        self.end(&mut out, Reason::TransportClose, last);
    }

    /// The client has closed its WebSocket, and gets `answer`.
    pub(crate) fn closed(&self, answer: Frame) {
        self.end(&mut self.out.lock(), Reason::TransportClose, answer);
    }

    fn end(&self, out: &mut Outbox, reason: Reason, last: Frame) {
        if out.end.is_some() {
            return;
        }
        let is_away = matches!(&out.link, Link::Polling(polls) if !polls.is_open);
        if is_away && !reason.is_of_the_server() {
            out.finish(reason);
            return self.wake();
        }
        out.end = Some(reason);
        out.bytes += last.len();
        out.queue.push_back(last);
        out.waiters.drain(..).for_each(Waker::wake);
        self.flush(out);
        self.wake();
    }

    /// Ends it now; what waits is dropped.
    pub(crate) fn abort(&self, reason: Reason) {
        self.out.lock().finish(reason);
        self.wake();
    }

    fn wake(&self) {
        self.inbox.lock().end();
        self.task.wake();
    }

    /// The client did what it must not.
    pub(crate) fn misused(&self, reason: Reason, code: Option<CloseCode>, why: &dyn std::fmt::Display) {
        self.hub.counters.misused.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(ip = &*self.client.ip, %why, "a socket's connection is closed: misuse");
        self.close_with(reason, code);
    }

    // For its task.

    /// Ready when it has ended.
    pub(crate) fn poll_ended(&self, cx: &Context<'_>) -> Poll<()> {
        let mut out = self.out.lock();
        if out.end.is_some() {
            return Poll::Ready(());
        }
        out.wait(cx);
        Poll::Pending
    }

    /// The calling task serves it.
    pub(crate) fn register(&self, cx: &Context<'_>) {
        self.task.register(cx.waker());
    }

    /// No task serves it any more.
    pub(crate) fn unregister(&self) {
        drop(self.task.take());
    }

    pub(crate) fn wake_task(&self) {
        self.task.wake();
    }

    /// Goes on over a WebSocket.
    pub(crate) fn set_link(&self, link: Link) {
        let mut out = self.out.lock();
        if matches!(out.link, Link::Gone) {
            return;
        }
        if let Link::Polling(Polls { waker: Some(waker), .. }) = std::mem::replace(&mut out.link, link) {
            waker.wake();
        }
        self.flush(&mut out);
    }

    /// Whether its stream took no more when it was last written to.
    pub(crate) fn is_blocked(&self) -> bool {
        self.out.lock().is_blocked
    }

    /// The stream may take more.
    pub(crate) fn unblock(&self) {
        let mut out = self.out.lock();
        self.write(&mut out);
    }

    /// Writes to a stream that is the task's. Ready when nothing is left to write.
    pub(crate) fn poll_write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut out = self.out.lock();
        let polled = out.poll_write(stream, cx);
        out.is_blocked = polled.is_pending();
        if out.end.is_some() && polled.is_ready() {
            self.task.wake();
        }
        if let Poll::Ready(Err(_)) = polled {
            out.finish(Reason::TransportClose);
            self.task.wake();
        }
        self.catch_up(&mut out);
        polled.map(|_| ())
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.out.lock().queue.is_empty()
    }

    /// Whether nothing takes frames any more.
    pub(crate) fn is_cut(&self) -> bool {
        matches!(self.out.lock().link, Link::Gone)
    }

    /// Takes away what takes frames, and drops what waits.
    pub(crate) fn cut(&self) {
        self.out.lock().cut();
    }

    // For polls.

    /// A poll begins.
    pub(crate) fn begin_poll(&self) -> Result<(), Overlap> {
        let mut out = self.out.lock();
        match &mut out.link {
            Link::Polling(polls) if polls.is_open => Err(Overlap),
            Link::Polling(polls) => {
                polls.is_open = true;
                Ok(())
            }
            // It is told when it waits.
            _ => Ok(()),
        }
    }

    /// Whether another transport is tried.
    pub(crate) fn is_probing(&self) -> bool {
        matches!(&self.out.lock().link, Link::Polling(polls) if polls.is_probing)
    }

    pub(crate) fn is_polling(&self) -> bool {
        matches!(self.out.lock().link, Link::Polling(_) | Link::Gone)
    }

    /// Another transport is tried, or not any more.
    pub(crate) fn set_probing(&self, is_probing: bool) {
        let mut out = self.out.lock();
        if let Link::Polling(polls) = &mut out.link {
            polls.is_probing = is_probing;
            if let Some(waker) = polls.waker.take() {
                waker.wake();
            }
        }
    }

    /// Waits for packets, after [`Session::begin_poll`].
    pub(crate) fn poll_frames(&self, cx: &mut Context<'_>) -> Poll<Polled> {
        let mut out = self.out.lock();
        let out = &mut *out;
        let polls = match &mut out.link {
            Link::Polling(polls) => polls,
            Link::Gone => return Poll::Ready(Polled::Ended),
            Link::Tcp(_) | Link::Task => return Poll::Ready(Polled::Noop),
        };
        if out.queue.is_empty() && out.end.is_some() {
            return Poll::Ready(Polled::Ended);
        }
        if out.queue.is_empty() && !polls.is_probing {
            polls.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        polls.is_open = false;
        polls.waker = None;
        if out.queue.is_empty() {
            return Poll::Ready(Polled::Noop);
        }
        let frames = std::mem::take(&mut out.queue);
        out.bytes = 0;
        out.progressed = Instant::now();
        self.catch_up(out);
        if out.end.is_some() {
            self.task.wake();
        }
        Poll::Ready(Polled::Frames(frames))
    }
}
