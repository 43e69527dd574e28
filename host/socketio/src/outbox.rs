//! What waits for one client: frames in their order, and where they go.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;

use crate::Reason;
use crate::frame::Frame;

/// Frames in one write.
const BATCH: usize = 64;
/// Places in an empty queue that are kept for what comes next.
const KEPT: usize = 16;

/// What waits for a client, and how it gets there.
pub(crate) struct Outbox {
    pub(crate) queue: VecDeque<Frame>,
    /// Bytes of the first frame that are written.
    pub(crate) written: usize,
    /// Bytes of the queue that are not.
    pub(crate) bytes: usize,
    pub(crate) link: Link,
    pub(crate) end: Option<Reason>,
    /// The cork that holds something of it back, or 0.
    pub(crate) corked: usize,
    /// The stream took no more; the task waits until it does.
    pub(crate) is_blocked: bool,
    /// Too slow for others to wait for it, until it has caught up.
    pub(crate) is_excused: bool,
    /// When it last took something, or something began to wait.
    pub(crate) progressed: Instant,
    /// Woken when little waits, or the session ends.
    pub(crate) waiters: Vec<Waker>,
}

/// What takes the frames.
pub(crate) enum Link {
    /// Polls.
    Polling(Polls),
    /// A TCP stream that whoever sends writes to.
    Tcp(OwnedWriteHalf),
    /// A stream that the session's task writes to.
    Task,
    /// Nothing any more.
    Gone,
}

/// State of a polling client.
#[derive(Default)]
pub(crate) struct Polls {
    /// A poll is waiting.
    pub(crate) is_open: bool,
    pub(crate) waker: Option<Waker>,
    /// Another transport is tried: polls are not to wait.
    pub(crate) is_probing: bool,
}

impl Outbox {
    /// With the first packet.
    pub(crate) fn new(link: Link, open: Frame) -> Outbox {
        Outbox {
            bytes: open.len(),
            queue: VecDeque::from([open]),
            written: 0,
            link,
            end: None,
            corked: 0,
            is_blocked: false,
            is_excused: false,
            progressed: Instant::now(),
            waiters: Vec::new(),
        }
    }

    /// Wakes the calling task when little waits, or the session ends.
    pub(crate) fn wait(&mut self, cx: &Context<'_>) {
        if !self.waiters.iter().any(|waiter| waiter.will_wake(cx.waker())) {
            self.waiters.push(cx.waker().clone());
        }
    }

    /// Ends it, if it has not ended, and drops what waits.
    pub(crate) fn finish(&mut self, reason: Reason) -> Option<Reason> {
        self.cut();
        self.waiters.drain(..).for_each(Waker::wake);
        match self.end {
            Some(_) => None,
            None => {
                self.end = Some(reason);
                self.end
            }
        }
    }

    /// Takes away what takes frames, and drops what waits.
    pub(crate) fn cut(&mut self) {
        self.queue = VecDeque::new();
        self.bytes = 0;
        self.written = 0;
        if let Link::Polling(Polls { waker: Some(waker), .. }) = std::mem::replace(&mut self.link, Link::Gone)
        {
            waker.wake();
        }
    }

    /// Writes to the TCP stream what it takes.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let mut has_written = false;
        while !self.queue.is_empty() {
            let Link::Tcp(stream) = &self.link else { return Ok(()) };
            let mut slices = [IoSlice::new(&[]); BATCH];
            let count = slices_of(&self.queue, self.written, &mut slices);
            match stream.try_write_vectored(&slices[..count]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.advance(written);
                    has_written = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if has_written || !self.is_blocked {
                        self.is_blocked = true;
                        self.progressed = Instant::now();
                    }
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.is_blocked = false;
        Ok(())
    }

    /// Writes to a stream that is the task's. Ready when nothing is left to write.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !matches!(self.link, Link::Task) {
            return Poll::Ready(Ok(()));
        }
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); BATCH];
            let count = slices_of(&self.queue, self.written, &mut slices);
            match Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count]) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.advance(written);
                    self.progressed = Instant::now();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Pin::new(stream).poll_flush(cx)
    }

    /// So many bytes are written.
    fn advance(&mut self, mut written: usize) {
        self.bytes -= written;
        written += self.written;
        self.written = 0;
        while let Some(first) = self.queue.front() {
            if first.len() > written {
                self.written = written;
                return;
            }
            written -= first.len();
            self.queue.pop_front();
        }
        if self.queue.capacity() > KEPT {
            self.queue = VecDeque::new();
        }
    }
}

/// The first frames of a queue, of the first only what is not written; how many.
fn slices_of<'a>(queue: &'a VecDeque<Frame>, written: usize, slices: &mut [IoSlice<'a>]) -> usize {
    let mut skip = written;
    let mut count = 0;
    for (slice, frame) in slices.iter_mut().zip(queue) {
        *slice = IoSlice::new(&frame.bytes()[skip..]);
        skip = 0;
        count += 1;
    }
    count
}
