//! Response bodies: nothing, bytes, a file, or an event stream.
//!
//! A body carries its request's guard, so that a connection knows how many answers it still owes and
//! whether the client takes them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::fs::File;
use tokio::io::{AsyncRead, ReadBuf};

use crate::lifecycle::RequestGuard;
use crate::sse::EventStream;

/// Largest piece given to HTTP/2 at once: one frame of the default size. hyper asks for the next when
/// the client's window has room, so a client that stops reading is noticed and holds one piece.
const H2_PIECE: usize = 16 * 1024;
/// Bytes read from a file at once.
const FILE_PIECE: usize = 64 * 1024;

/// What a response says.
#[derive(Debug)]
pub(crate) enum Content {
    /// No bytes.
    Empty,
    /// Bytes at hand.
    Full(Bytes),
    /// A file of known length.
    File(FileContent),
    /// Server-sent events.
    Events(EventStream),
}

/// The rest of a file.
#[derive(Debug)]
pub(crate) struct FileContent {
    file: File,
    left: u64,
    piece: Vec<u8>,
}

/// The body of every response of this server.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    content: Content,
    piece: usize,
    guard: RequestGuard,
}

impl FileContent {
    pub(crate) fn new(file: File, len: u64) -> Self {
        Self { file, left: len, piece: Vec::new() }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let want = usize::try_from(self.left).unwrap_or(usize::MAX).min(FILE_PIECE);
        self.piece.resize(want, 0);
        let mut buf = ReadBuf::new(&mut self.piece);
        ready!(Pin::new(&mut self.file).poll_read(cx, &mut buf))?;
        let filled = buf.filled().len();
        if filled == 0 {
            // Shorter than it was: the length is promised, so the response can only be cut off.
            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
        }
        self.piece.truncate(filled);
        self.left -= filled as u64;
        Poll::Ready(Some(Ok(Bytes::from(std::mem::take(&mut self.piece)))))
    }
}

impl ReplyBody {
    /// Ties `content` to its request.
    pub(crate) fn new(content: Content, http2: bool, mut guard: RequestGuard) -> Self {
        if !matches!(content, Content::Events(_)) {
            guard.start_sending();
        }
        Self { content, piece: if http2 { H2_PIECE } else { usize::MAX }, guard }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.get_mut();
        let data = match &mut this.content {
            Content::Empty => None,
            Content::Full(bytes) if bytes.is_empty() => None,
            Content::Full(bytes) => {
                let piece = bytes.split_to(bytes.len().min(this.piece));
                Some(Ok(piece))
            }
            Content::File(file) => ready!(file.poll_piece(cx)),
            Content::Events(events) => ready!(events.poll_event(cx)).map(Ok),
        };
        this.guard.on_progress();
        Poll::Ready(data.map(|data| data.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Full(bytes) => bytes.is_empty(),
            Content::File(file) => file.left == 0,
            Content::Events(events) => events.is_over(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::File(file) => SizeHint::with_exact(file.left),
            Content::Events(_) => SizeHint::default(),
        }
    }
}
